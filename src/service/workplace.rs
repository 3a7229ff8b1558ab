//! The worktree in which a protocol is worked on.

use std::path::PathBuf;

use super::branch::Branches;
use super::context::Context;
use super::error::Error;
use crate::domain::id::{Name, Oid};
use crate::domain::state::Protocol;
use crate::platform::fs;
use crate::platform::git::Repo;

/// The worktree that has the branch of a protocol checked out.
pub struct Workplace {
    pub repo: Repo,
    pub dir: PathBuf,
    /// The newest commit of the branch.
    pub head: Oid,
}

impl Workplace {
    /// Finds it.
    ///
    /// # Errors
    ///
    /// [`Error::State`] if no worktree here has the branch, or the one that has it is not what it was.
    pub fn find(ctx: &Context, protocol: &Protocol) -> Result<Self, Error> {
        let branch = Branches::lazy(&ctx.repo).name_here(protocol);
        let found = ctx.repo.worktrees().into_iter().find(|(_, checked_out)| *checked_out == branch);
        let Some((dir, _)) = found.filter(|(dir, _)| dir.is_dir()) else {
            return Err(Error::state(
                "worktree.missing",
                format!("no worktree here has the branch {branch} checked out"),
                format!("git switch {branch}"),
            ));
        };
        // To a folder that only `core.worktree` names, nothing but the repository leads.
        let by_config = || Repo::open(ctx.repo.common_dir()).ok().filter(|it| it.work_dir() == Some(&dir));
        let repo = Repo::at(&dir).or_else(by_config).filter(|repo| {
            repo.common_dir() == ctx.repo.common_dir()
                && repo.head().is_ok_and(|head| head.branch() == Some(branch.as_str()))
        });
        let Some(repo) = repo else {
            let message = format!("{} is not the worktree of {branch} any more", dir.display());
            return Err(Error::state("worktree.damaged", message, "git worktree repair"));
        };
        let Some(head) = repo.head()?.commit() else {
            return Err(Error::state("branch.unborn", format!("the branch {branch} has no commit"), ""));
        };
        Ok(Self { repo, dir, head })
    }

    /// Returns the folder of a protocol in the worktree, if no link leads out of it on the way.
    ///
    /// # Errors
    ///
    /// [`Error::State`] if something else lies in its place.
    pub fn folder_of(&self, name: &Name) -> Result<PathBuf, Error> {
        let mut dir = self.dir.clone();
        for part in [".protocols", name.as_str()] {
            dir.push(part);
            if !fs::is_real_dir(&dir) {
                let message = format!("{} is no folder", dir.display());
                return Err(Error::state("protocol.folder", message, ""));
            }
        }
        Ok(dir)
    }
}
