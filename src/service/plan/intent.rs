//! What a `plan` is about to do, so that the next command can settle it if this one dies.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Planned;
use super::worktree::Wish;
use crate::domain::id::{Name, Oid};
use crate::platform::lock::Lock;
use crate::platform::{fail, fs};
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::streams::{Streams, folded};
use crate::store::stream;

/// The version of the intent file.
const VERSION: u64 = 1;

/// How the names of intent files begin.
const PREFIX: &str = "plan-";

pub(super) struct Intent {
    pub(super) name: Name,
    pub(super) commit: Oid,
    pub(super) worktree: Option<PathBuf>,
    pub(super) title: String,
}

/// The stored form; lives in the common directory for as long as one command runs.
#[derive(Serialize, Deserialize)]
struct Stored {
    v: u64,
    name: String,
    commit: String,
    worktree: Option<PathBuf>,
    title: String,
}

fn dir(ctx: &Context) -> PathBuf {
    ctx.repo.state_dir().join("intents")
}

impl Intent {
    pub(super) fn write(&self, ctx: &Context) -> Result<(), Error> {
        let stored = Stored {
            v: VERSION,
            name: self.name.to_string(),
            commit: self.commit.to_string(),
            worktree: self.worktree.clone(),
            title: self.title.clone(),
        };
        let bytes = serde_json::to_vec(&stored).map_err(|err| Error::io("encode an intent")(err.into()))?;
        fs::replace_file(&self.path(ctx), &bytes, true).map_err(Error::io("note what is about to be planned"))
    }

    pub(super) fn remove(&self, ctx: &Context) -> Result<(), Error> {
        fs::remove_if_there(&self.path(ctx)).map_err(Error::io("remove the note of a finished plan"))
    }

    fn path(&self, ctx: &Context) -> PathBuf {
        dir(ctx).join(format!("{PREFIX}{}.json", self.name))
    }
}

/// Completes or rolls back plans that were interrupted. Does nothing while one is being made.
///
/// # Errors
///
/// [`Error`] if something cannot be written; the intent stays then.
pub fn recover(ctx: &Context) -> Result<Vec<Planned>, Error> {
    if !dir(ctx).is_dir() || read(ctx).is_empty() {
        return Ok(Vec::new());
    }
    let path = ctx.repo.state_dir().join("locks").join("number");
    match Lock::acquire(&path, std::time::Duration::ZERO) {
        Ok(_guard) => recover_locked(ctx),
        // Its holder is at work on it.
        Err(_) => Ok(Vec::new()),
    }
}

/// Returns the names of plans that were interrupted, while none is being made.
pub fn interrupted(ctx: &Context) -> Vec<Name> {
    let path = ctx.repo.state_dir().join("locks").join("number");
    if read(ctx).is_empty() {
        return Vec::new();
    }
    match Lock::acquire(&path, std::time::Duration::ZERO) {
        Ok(_guard) => read(ctx).into_iter().map(|intent| intent.name).collect(),
        Err(_) => Vec::new(),
    }
}

/// As [`recover`], for who holds the lock on numbers.
pub(super) fn recover_locked(ctx: &Context) -> Result<Vec<Planned>, Error> {
    let mut completed = Vec::new();
    for intent in read(ctx) {
        let streams = Streams::read(ctx)?;
        let view = streams.view(&intent.name)?;
        let protocol = folded(&view.content, None).protocol;
        if let Some(protocol) = protocol.filter(|protocol| protocol.plan_commit == Some(intent.commit)) {
            let path = intent.worktree.as_deref();
            let warnings = super::worktree::add(ctx, &intent.name, path, Wish::Note)?;
            let spec = protocol.spec.and_then(|digest| view.content.decoded_specs().remove(&digest));
            completed.push(Planned {
                name: intent.name.clone(),
                root: Some(protocol.root.to_string()),
                worktree: intent.worktree.clone(),
                base: protocol.created.base.clone(),
                base_commit: protocol.created.base_commit,
                commit: protocol.plan_commit,
                steps: spec.as_ref().map(|spec| spec.steps.clone()).unwrap_or_default(),
                planner: spec.map(|spec| spec.planner).unwrap_or_default(),
                title: intent.title.clone(),
                qa_by_default: false,
                recovered: true,
                warnings,
            });
        } else {
            roll_back(ctx, &intent)?;
        }
        fail::point("plan.recovered");
        intent.remove(ctx)?;
    }
    Ok(completed)
}

/// Removes the branch, unless somebody has gone on from it or has it checked out, and the lock of a
/// stream that did not come to be: nobody would write to that name again.
fn roll_back(ctx: &Context, intent: &Intent) -> Result<(), Error> {
    stream::bury_dead_writer(&ctx.repo, &intent.name, ctx.limit)?;
    let branch = format!("refs/heads/{}", intent.name);
    let is_checked_out = ctx.repo.worktrees().iter().any(|(_, name)| *name == intent.name.as_str());
    if !is_checked_out && ctx.repo.find_ref(&branch)? == Some(intent.commit) {
        ctx.repo.git_text(&["update-ref", "-d", &branch, &intent.commit.to_string()])?;
        fail::point("plan.rolled_back");
    }
    Ok(())
}

fn read(ctx: &Context) -> Vec<Intent> {
    let Ok(entries) = std::fs::read_dir(dir(ctx)) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| {
            // An unfinished file beside it is no intent, however complete it looks.
            entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX))
        })
        .filter_map(|entry| {
            let stored: Stored = serde_json::from_slice(&std::fs::read(entry.path()).ok()?).ok()?;
            let known = stored.v == VERSION;
            known.then_some(Intent {
                name: stored.name.parse().ok()?,
                commit: stored.commit.parse().ok()?,
                worktree: stored.worktree,
                title: stored.title,
            })
        })
        .collect()
}
