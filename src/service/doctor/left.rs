//! What processes that died left behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Checkup, Severity};
use crate::platform::fs;
use crate::platform::lock::{self, Lock};
use crate::service::error::Error;
use crate::service::{init, plan};
use crate::store::refs;

/// Where refs of ours lie, the notes, and the branches that we make and remove.
const OUR_REFS: [&str; 5] = [refs::SHARED, refs::TRACKING, refs::LOCAL, "refs/notes/", "refs/heads/"];

impl Checkup<'_> {
    pub(super) fn left(&mut self) {
        let ours = self.locks();
        self.foreign_locks(&ours);
        self.files();
        self.plans();
    }

    /// Looks at our own locks, and returns the locks of git that dead writers left.
    fn locks(&mut self) -> Vec<PathBuf> {
        let mut announced = Vec::new();
        let locks = self.ctx.repo.state_dir().join("locks");
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(locks).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        // Beside a lock lies what its holder drafts.
        paths.retain(|path| path.extension().is_none_or(|extension| extension != "draft"));
        paths.sort();
        for path in paths {
            let Some(found) = lock::dead_announcement(&path) else { continue };
            let shown = found.git_lock.display();
            let message = if found.is_left {
                format!("a process of ours died and left `{shown}`")
            } else {
                format!("a process of ours died on the way to `{shown}`")
            };
            self.mend("lock.stale", message, || {
                drop(Lock::acquire(&path, Duration::ZERO)?);
                Ok(())
            });
            if found.is_left {
                announced.push(found.git_lock);
            }
        }
        announced
    }

    fn foreign_locks(&mut self, ours: &[PathBuf]) {
        for path in self.ctx.repo.old_locks(&OUR_REFS) {
            if ours.contains(&path) {
                continue;
            }
            let message = format!("`{}` is not ours and has been there for a while", path.display());
            let fix = Some(format!("if no git is at work: rm '{}'", path.display()));
            self.say("lock.foreign", Severity::Warning, message, fix);
        }
    }

    fn files(&mut self) {
        let repo = &self.ctx.repo;
        let drafts: Vec<PathBuf> =
            init::draft_folders(repo).iter().flat_map(|folder| fs::old_drafts(folder)).collect();
        for (files, what) in [(repo.unfinished_objects(), "objects"), (drafts, "files")] {
            let Some(first) = files.first() else { continue };
            let message = match files.len() {
                1 => format!("an unfinished file was left: `{}`", first.display()),
                n => format!("{n} unfinished {what} were left, as `{}`", first.display()),
            };
            self.mend("files.leftover", message, || remove(&files));
        }
    }

    fn plans(&mut self) {
        let ctx = self.ctx;
        for name in plan::interrupted(ctx) {
            let message = format!("planning {name} was interrupted");
            self.mend("plan.interrupted", message, || plan::recover(ctx).map(drop));
        }
    }
}

fn remove(files: &[PathBuf]) -> Result<(), Error> {
    let remove = |path: &PathBuf| match fs::remove_draft(path) {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(Error::io(action(path))),
    };
    files.iter().try_for_each(remove)
}

fn action(path: &Path) -> String {
    format!("remove `{}`", path.display())
}
