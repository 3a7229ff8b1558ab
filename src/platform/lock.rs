//! Advisory locks that queue writers and clean up after dead ones.
//!
//! A lock is a file with an exclusive `flock`, which the kernel releases however its holder ends.
//! While it is held the file names the git lock about to be taken and the bytes that lock will
//! hold. Whoever gets the `flock` and finds such a note knows that its writer is dead, and removes
//! exactly that git lock if it is still there. Correctness rests on the compare-and-swap of refs;
//! this only saves retries and stale locks.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{clock, fail};

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else held it until the limit.
    #[error("`{}` was busy for {} s", path.display(), waited.as_secs())]
    Busy { path: PathBuf, waited: Duration },
    #[error("failed to lock `{}`", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// A held lock; dropping it releases it.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock at `path`, waiting for at most `limit`.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] at the limit, [`Error::Io`] if the file cannot be made or read.
    pub fn acquire(path: &Path, limit: Duration) -> Result<Self, Error> {
        let fail = |source| Error::Io { path: path.to_owned(), source };
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(fail)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(fail)?;
        let (start, limit) = (Instant::now(), clock::patience(limit));
        let mut pause_ms = 1;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if start.elapsed() >= limit => {
                    return Err(Error::Busy { path: path.to_owned(), waited: start.elapsed() });
                }
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(clock::jitter(pause_ms));
                    pause_ms = (pause_ms * 2).min(16);
                }
                Err(TryLockError::Error(source)) => return Err(fail(source)),
            }
        }
        let mut lock = Self { file, path: path.to_owned() };
        lock.bury_the_dead().map_err(fail)?;
        Ok(lock)
    }

    /// Lets the processes that are started hold it too, until what is returned is dropped: whoever of them lives
    /// longest releases it.
    pub fn share(&self) -> Shared<'_> {
        Shared::set(&self.file, true);
        Shared(&self.file)
    }

    /// Names the git lock that is about to be taken and the bytes it will hold.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn announce(&mut self, git_lock: &Path, bytes: &str) -> Result<(), Error> {
        self.write_note(&format!("{}\n{bytes}", git_lock.display()))
    }

    /// Takes the announcement back: the git lock is gone, in whatever way.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn retract(&mut self) -> Result<(), Error> {
        self.write_note("")
    }

    /// Returns where the holder drafts the git lock that it announced. The next holder removes what
    /// a dead one left there.
    pub(super) fn draft_path(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".draft");
        name.into()
    }

    fn write_note(&mut self, note: &str) -> Result<(), Error> {
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(note.as_bytes())
        };
        write(&mut self.file).map_err(|source| Error::Io { path: self.path.clone(), source })
    }

    fn bury_the_dead(&mut self) -> io::Result<()> {
        let mut note = String::new();
        (&self.file).take(64 * 1024).read_to_string(&mut note)?;
        if let Some((git_lock, bytes)) = note.split_once('\n') {
            let git_lock = Path::new(git_lock);
            if fs::read(git_lock).is_ok_and(|held| held == bytes.as_bytes()) {
                tracing::info!(lock = %git_lock.display(), "removing the lock of a process that died");
                super::fs::remove_if_there(git_lock)?;
                fail::point("lock.buried");
            }
            super::fs::remove_if_there(&self.draft_path())?;
            self.file.set_len(0)?;
        }
        Ok(())
    }
}

/// A lock that the processes which are started inherit.
#[derive(Debug)]
pub struct Shared<'a>(&'a File);

impl Shared<'_> {
    #[cfg(unix)]
    fn set(file: &File, is_shared: bool) {
        use rustix::io::{FdFlags, fcntl_setfd};
        let flags = if is_shared { FdFlags::empty() } else { FdFlags::CLOEXEC };
        // Without it nobody waits for those who are left.
        fcntl_setfd(file, flags).ok();
    }

    #[cfg(not(unix))]
    fn set(_: &File, _: bool) {}
}

impl Drop for Shared<'_> {
    fn drop(&mut self) {
        Self::set(self.0, false);
    }
}

/// What a holder that died announced and did not take back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    pub git_lock: PathBuf,
    /// Whether the git lock is there with the bytes that were announced. Else it is gone, was never
    /// made, or is somebody else's.
    pub is_left: bool,
}

/// Returns what a dead holder of the lock at `path` announced. `None` if somebody holds the lock.
pub fn dead_announcement(path: &Path) -> Option<Announced> {
    let file = File::open(path).ok()?;
    file.try_lock_shared().ok()?;
    let mut note = String::new();
    (&file).take(64 * 1024).read_to_string(&mut note).ok()?;
    let (git_lock, bytes) = note.split_once('\n')?;
    let is_left = fs::read(git_lock).is_ok_and(|held| held == bytes.as_bytes());
    Some(Announced { git_lock: git_lock.into(), is_left })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_holders_lock_is_removed_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let (path, ours, theirs) =
            (dir.path().join("l"), dir.path().join("a.lock"), dir.path().join("b.lock"));
        let limit = Duration::from_secs(5);
        for (git_lock, held) in [(&ours, "new\n"), (&theirs, "other\n")] {
            let mut lock = Lock::acquire(&path, limit).unwrap();
            lock.announce(git_lock, "new\n").unwrap();
            super::super::fs::replace_file(git_lock, held.as_bytes(), false).unwrap();
            drop(lock);
            drop(Lock::acquire(&path, limit).unwrap());
        }
        assert!(!ours.exists());
        assert!(theirs.exists());
    }

    #[test]
    fn a_held_lock_is_busy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l");
        let held = Lock::acquire(&path, Duration::ZERO).unwrap();
        assert!(matches!(Lock::acquire(&path, Duration::ZERO), Err(Error::Busy { .. })));
        drop(held);
        assert!(Lock::acquire(&path, Duration::ZERO).is_ok());
    }
}
