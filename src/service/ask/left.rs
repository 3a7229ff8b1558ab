//! What would be recorded of a run if its process died now.
//!
//! ```text
//! <git-common-dir>/godzilla/
//!   runs/<run>/facts     of a run of a protocol: its end, with what it has used so far
//!   unrecorded/<run>     of a run before there is a protocol: all of its facts
//! ```
//!
//! Both hold lines of events as streams do.

use std::path::PathBuf;
use std::time::Duration;

use super::folder;
use crate::domain::event::{Body, Draft};
use crate::domain::id::Ulid;
use crate::domain::run::{RunFinished, Usage};
use crate::platform::fs::{self, Bounded};
use crate::platform::git::Repo;
use crate::platform::lock::Lock;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::store::wire;

/// The longest file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// The facts of a run that are recorded nowhere else, in the hands of who is to record them.
#[derive(Debug)]
pub struct Held {
    path: PathBuf,
    /// While it is held nobody takes the run for one whose process is gone.
    _lock: Lock,
}

impl Held {
    pub(super) fn new(path: PathBuf, lock: Lock) -> Self {
        Self { path, _lock: lock }
    }

    /// Says that they are recorded.
    pub fn recorded(self) {
        if let Err(err) = fs::remove_if_there(&self.path) {
            tracing::debug!(%err, "what is recorded is kept");
        }
    }
}

/// Returns where the facts of a run are kept.
pub(super) fn path(repo: &Repo, run: Ulid, has_protocol: bool) -> PathBuf {
    if has_protocol {
        folder::runs_dir(repo).join(run.to_string()).join("facts")
    } else {
        unrecorded_dir(repo).join(run.to_string())
    }
}

fn unrecorded_dir(repo: &Repo) -> PathBuf {
    repo.state_dir().join("unrecorded")
}

/// Keeps the facts of a run. With `sync` they are on the disk when this returns; else no end of a process
/// loses them.
///
/// # Errors
///
/// [`Error`] if they cannot be written.
pub(super) fn note(
    ctx: &Context,
    run: Ulid,
    has_protocol: bool,
    facts: &[Body],
    sync: bool,
) -> Result<(), Error> {
    let author = ctx.writer().author;
    let line = |body: &Body| wire::encode(&author.event(Draft::new(body.clone()), 0)) + "\n";
    let lines: String = facts.iter().map(line).collect();
    fs::replace_file(&path(&ctx.repo, run, has_protocol), lines.as_bytes(), sync)
        .map_err(Error::io("keep what the run used"))
}

/// Returns the facts of runs that are recorded nowhere, of those whose process is gone.
pub fn unrecorded(repo: &Repo) -> Vec<(Held, Vec<Draft>)> {
    let entries = std::fs::read_dir(unrecorded_dir(repo)).into_iter().flatten().flatten();
    let mut found = Vec::new();
    for entry in entries {
        let Some(run) = entry.file_name().to_str().and_then(|name| name.parse::<Ulid>().ok()) else {
            continue;
        };
        let lock = folder::runs_dir(repo).join(run.to_string()).join("lock");
        if let Ok(lock) = Lock::acquire(&lock, Duration::ZERO) {
            let facts = read(&entry.path());
            found.push((Held::new(entry.path(), lock), facts.into_iter().map(Draft::new).collect()));
        }
    }
    found
}

/// Returns what a run of a protocol is known to have used before its process died.
pub(super) fn used_by(repo: &Repo, run: Ulid) -> Usage {
    let ends = |body: Body| match body {
        Body::RunFinished(RunFinished { usage, .. }) => Some(usage),
        _ => None,
    };
    read(&path(repo, run, true)).into_iter().find_map(ends).unwrap_or_default()
}

/// A line that cannot be read says nothing.
fn read(path: &std::path::Path) -> Vec<Body> {
    let Ok(Bounded::Bytes(bytes)) = fs::read_bounded(path, MAX_BYTES) else { return Vec::new() };
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.filter_map(|line| Some(wire::decode(line).ok()?.event.body)).collect()
}
