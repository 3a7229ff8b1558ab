//! Moving a ref by compare-and-swap, by git's own lock protocol (docs/adr/0004).
//!
//! `<ref>.lock` appears whole, by linking a complete file; the present value is read under it, from
//! the loose file, else from `packed-refs`; then the reflog is written and the lock becomes the ref.
//! git and every other tool that honours `<ref>.lock` is excluded meanwhile.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Identity, Repo};
use crate::domain::id::Oid;
use crate::platform::lock::{self, Lock};
use crate::platform::{clock, fail};

/// How long another process's lock on a ref is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// One move of one ref.
#[derive(Clone, Copy, Debug)]
pub struct Move<'a> {
    /// The full name.
    pub name: &'a str,
    /// What it must be now; `None` if it must not exist.
    pub expected: Option<Oid>,
    pub new: Oid,
    pub who: &'a Identity,
    /// One line for the reflog.
    pub message: &'a str,
}

/// Why a ref was not moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// It is not what was expected. Read again and decide again.
    #[error("`{name}` is at {} now", actual.map_or_else(|| "nothing".to_owned(), |oid| oid.short()))]
    Lost { name: String, actual: Option<Oid> },
    /// Another process holds the lock.
    #[error("`{}` is held by another process", path.display())]
    Locked { path: PathBuf },
    #[error("`{name}` is not a plain ref: {what}")]
    NotPlain { name: String, what: String },
    #[error("failed to write `{}`", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Note(#[from] lock::Error),
}

impl Repo {
    /// Moves a ref from `expected` to `new`, with a reflog entry. On success every process sees the
    /// new value; it is as durable as `core.fsync` asks.
    ///
    /// `guard` is the advisory lock of the stream; it learns which git lock is about to be taken, so
    /// that the next holder can remove it if this process dies.
    ///
    /// # Errors
    ///
    /// [`MoveError::Lost`] if the ref is elsewhere; for every error the ref was not moved.
    pub fn move_ref(&self, step: Move<'_>, guard: &mut Lock) -> Result<(), MoveError> {
        let path = self.common_dir.join(step.name);
        let git_lock = self.common_dir.join(format!("{}.lock", step.name));
        let bytes = format!("{}\n", step.new);
        guard.announce(&git_lock, &bytes)?;
        fail::point("ref.announced");
        take_lock(&guard.draft_path(), &git_lock, &bytes)?;
        fail::point("ref.locked");
        let result = self.move_locked(step, &path, &git_lock);
        if result.is_err() {
            drop(fs::remove_file(&git_lock));
        }
        fail::point("ref.moved");
        // The ref is where it is, whatever the note says; the next holder checks it.
        drop(guard.retract());
        fail::point("ref.retracted");
        result
    }

    fn move_locked(&self, step: Move<'_>, path: &Path, git_lock: &Path) -> Result<(), MoveError> {
        let failed = |source| MoveError::Io { path: path.to_owned(), source };
        let loose = Self::loose_ref(path).map_err(failed)?;
        let actual = match loose {
            Some(Ok(oid)) => Some(oid),
            Some(Err(what)) => return Err(MoveError::NotPlain { name: step.name.to_owned(), what }),
            None => self.packed_ref(step.name),
        };
        if actual != step.expected {
            return Err(MoveError::Lost { name: step.name.to_owned(), actual });
        }
        self.append_reflog(step).map_err(failed)?;
        fail::point("ref.reflog");
        if self.wants_fsync("reference") {
            fs::File::open(git_lock).and_then(|file| file.sync_all()).map_err(failed)?;
        }
        if path.is_dir() {
            // Git removes the empty folders of refs that are gone, and so do we.
            fs::remove_dir(path).map_err(failed)?;
        }
        fs::rename(git_lock, path).map_err(failed)
    }

    fn append_reflog(&self, step: Move<'_>) -> io::Result<()> {
        let log = self.common_dir.join("logs").join(step.name);
        if let Some(dir) = log.parent() {
            fs::create_dir_all(dir)?;
        }
        let null = "0".repeat(step.new.as_bytes().len() * 2);
        let old = step.expected.map_or(null, |oid| oid.to_string());
        let Identity { name, email } = step.who;
        let seconds = clock::now_ms() / 1000;
        let message = crate::domain::text::one_line(step.message);
        let line = format!("{old} {} {name} <{email}> {seconds} +0000\t{message}\n", step.new);
        fail::room()?;
        OpenOptions::new().create(true).append(true).open(log)?.write_all(line.as_bytes())
    }
}

/// Makes `git_lock` appear with `bytes` in it, if it is not there, by way of `draft`.
fn take_lock(draft: &Path, git_lock: &Path, bytes: &str) -> Result<(), MoveError> {
    let failed = |source| MoveError::Io { path: git_lock.to_owned(), source };
    write_draft(draft, bytes).map_err(failed)?;
    fail::point("ref.draft");
    let result = link_lock(draft, git_lock, bytes);
    fail::point("ref.linked");
    drop(fs::remove_file(draft));
    result
}

fn link_lock(draft: &Path, git_lock: &Path, bytes: &str) -> Result<(), MoveError> {
    let failed = |source| MoveError::Io { path: git_lock.to_owned(), source };
    let start = Instant::now();
    loop {
        let linked = match fs::hard_link(draft, git_lock) {
            Err(err)
                if matches!(err.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied) =>
            {
                // No hard links on this file system: the lock is empty for an instant.
                let file = OpenOptions::new().write(true).create_new(true).open(git_lock);
                file.and_then(|mut file| file.write_all(bytes.as_bytes()))
            }
            linked => linked,
        };
        let limit = match linked {
            Ok(()) => return Ok(()),
            // The folder is not there yet, or git has just removed it as empty.
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                let dir = git_lock.parent().unwrap_or(Path::new("."));
                fs::create_dir_all(dir).map_err(failed)?;
                LOCK_WAIT
            }
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => clock::patience(LOCK_WAIT),
            Err(err) => return Err(failed(err)),
        };
        if start.elapsed() >= limit {
            return Err(MoveError::Locked { path: git_lock.to_owned() });
        }
        std::thread::sleep(clock::jitter(8));
    }
}

/// Writes a new file. One that a dead process left may be a second name of the ref itself, so it is
/// never written to.
fn write_draft(draft: &Path, bytes: &str) -> io::Result<()> {
    crate::platform::fs::remove_if_there(draft)?;
    fail::room()?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(draft)?;
    file.write_all(bytes.as_bytes())?;
    make_public(&file)
}

#[cfg(unix)]
fn make_public(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_public(_: &fs::File) -> io::Result<()> {
    Ok(())
}
