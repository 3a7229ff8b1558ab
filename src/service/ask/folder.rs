//! What is kept of a run in this clone: its prompt, its log, and whether it still goes on.
//!
//! ```text
//! <git-common-dir>/godzilla/runs/<run>/
//!   lock        held by the process that runs it
//!   prompt.md   what was asked, secrets taken out
//!   log         all that the engine said, secrets taken out
//!   session     how the engine calls its conversation
//!   facts       its end as it is recorded if the process dies: see `left`
//!   settled     there if the repository was put back after it died: see `guard`
//! ```

use std::fs::File;
use std::io::{BufWriter, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::domain::id::{Digest, Ulid};
use crate::domain::redact::{self, Known, Redactor};
use crate::domain::text;
use crate::platform::fs;
use crate::platform::git::Repo;
use crate::platform::lock::Lock;
use crate::service::error::Error;
use crate::service::guard;

/// How many runs are kept; the oldest go.
const MAX_RUNS: usize = 500;

/// The folder of one run.
#[derive(Debug)]
pub(super) struct RunFolder {
    dir: PathBuf,
    log: Option<BufWriter<File>>,
    redactor: Redactor,
    hasher: Sha256,
    n_bytes: u64,
    known: Known,
    /// How many other runs were kept when this one began.
    n_others: usize,
    lock: Lock,
}

/// What a run has left in its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

/// Returns the folder of all runs.
pub fn runs_dir(repo: &Repo) -> PathBuf {
    repo.state_dir().join("runs")
}

/// Returns where the log of a run is, if it ran in this clone.
pub fn log_of(repo: &Repo, run: Ulid) -> Option<PathBuf> {
    let path = runs_dir(repo).join(run.to_string()).join("log");
    path.is_file().then_some(path)
}

impl RunFolder {
    /// Makes the folder of a run that begins; `known` secrets are taken out of what it holds.
    ///
    /// # Errors
    ///
    /// [`Error`] if it cannot be made.
    pub(super) fn create(repo: &Repo, run: Ulid, known: &Known) -> Result<Self, Error> {
        let all = runs_dir(repo);
        let dir = all.join(run.to_string());
        fs::make_private_dir(&dir).map_err(Error::io("make the folder of the run"))?;
        fs::forget_oldest(&all, MAX_RUNS);
        let lock = Lock::acquire(&dir.join("lock"), Duration::ZERO)?;
        let log = fs::create_private(&dir.join("log")).map_err(Error::io("make the log of the run"))?;
        Ok(Self {
            n_others: n_others(&dir),
            dir,
            log: Some(BufWriter::new(log)),
            redactor: Redactor::new(known.clone()),
            hasher: Sha256::new(),
            n_bytes: 0,
            known: known.clone(),
            lock,
        })
    }

    /// Keeps what was asked.
    pub(super) fn keep_prompt(&self, prompt: &str) -> Result<(), Error> {
        let clean = redact::clean(prompt, &self.known);
        fs::write_new_file(&self.dir.join("prompt.md"), clean.as_bytes(), false)
            .map_err(Error::io("keep the prompt of the run"))
    }

    /// Adds to the log. A full disk ends the log and not the run.
    pub(super) fn log(&mut self, bytes: &[u8]) {
        let mut clean = Vec::with_capacity(bytes.len());
        self.redactor.push(bytes, &mut clean);
        self.write(&clean);
    }

    fn write(&mut self, clean: &[u8]) {
        self.hasher.update(clean);
        self.n_bytes += clean.len() as u64;
        // Whoever follows the log sees it at once.
        let failed =
            self.log.as_mut().is_some_and(|log| log.write_all(clean).and_then(|()| log.flush()).is_err());
        if failed {
            tracing::warn!("the log of the run cannot be written any further");
            self.log = None;
        }
    }

    /// Keeps how the engine calls its conversation, for whoever goes on after a crash.
    pub(super) fn note_session(&self, id: &str) {
        let id = text::clip(&text::one_line(id), 200);
        if let Err(err) = fs::replace_file(&self.dir.join("session"), id.as_bytes(), false) {
            tracing::debug!(%err, "the session is not kept");
        }
    }

    /// Makes the folder again, with its prompt and its log, if somebody removed it. Returns what to say about
    /// it, and about folders of other runs, which are lost.
    ///
    /// # Errors
    ///
    /// [`Error`] if it cannot be made.
    pub(super) fn restore(&mut self, prompt: &str) -> Result<Option<String>, Error> {
        let n_lost = self.n_others.saturating_sub(n_others(&self.dir));
        if ["lock", "prompt.md", "log"].iter().all(|name| self.dir.join(name).is_file()) {
            let said =
                format!("the run removed what this clone kept of {n_lost} other runs: logs and prompts");
            return Ok((n_lost > 0).then_some(said));
        }
        std::fs::remove_dir_all(&self.dir).ok();
        fs::make_private_dir(&self.dir).map_err(Error::io("make the folder of the run again"))?;
        self.lock = Lock::acquire(&self.dir.join("lock"), Duration::ZERO)?;
        self.keep_prompt(prompt)?;
        let mut copy = fs::create_private(&self.dir.join("log")).map_err(Error::io("make the log again"))?;
        // What was said is still there as long as we have the file open.
        if let Some(log) = self.log.take() {
            let again = log.into_inner().map_err(std::io::IntoInnerError::into_error).and_then(|mut log| {
                log.rewind()?;
                std::io::copy(&mut log, &mut copy)
            });
            again.map_err(Error::io("write the log again"))?;
            self.log = Some(BufWriter::new(copy));
        }
        let others = match n_lost {
            0 => String::new(),
            n => format!(", and those of {n} other runs, which are lost"),
        };
        Ok(Some(format!("the run removed its own prompt and log, which are there again{others}")))
    }

    /// Lets go of all but the lock that says that somebody looks after the run.
    pub(super) fn into_lock(self) -> Lock {
        self.lock
    }

    /// Ends the log. `None` if not all of it could be written.
    pub(super) fn finish(&mut self) -> Option<Left> {
        let mut rest = Vec::new();
        self.redactor.finish(&mut rest);
        self.write(&rest);
        self.log.take()?;
        let sha256 = Digest(std::mem::take(&mut self.hasher).finalize().into()).to_string();
        Some(Left { sha256, bytes: self.n_bytes })
    }
}

/// Returns how many folders lie beside one.
fn n_others(dir: &Path) -> usize {
    let beside = dir.parent().and_then(|all| std::fs::read_dir(all).ok());
    beside.into_iter().flatten().flatten().filter(|entry| entry.path() != dir).count()
}

/// Whether a process of this machine still runs it.
pub fn is_alive(repo: &Repo, run: Ulid) -> bool {
    let lock = runs_dir(repo).join(run.to_string()).join("lock");
    let is_held = lock.is_file() && Lock::acquire(&lock, Duration::ZERO).is_err();
    // The folder may have been removed meanwhile.
    is_held || guard::is_watched(repo, run)
}

/// Returns how the engine of a run called its conversation.
pub(super) fn session_of(repo: &Repo, run: Ulid) -> Option<String> {
    let path = runs_dir(repo).join(run.to_string()).join("session");
    let id = String::from_utf8(fs::read_short(&path).ok()??).ok()?;
    Some(text::one_line(&id)).filter(|id| !id.is_empty())
}
