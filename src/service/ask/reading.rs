//! What an engine that is only asked for an answer must leave alone: everything.

use std::cell::RefCell;
use std::path::Path;

use super::Inspected;
use crate::domain::id::Oid;
use crate::domain::run::RunStatus;
use crate::domain::text;
use crate::engine::Outcome;
use crate::platform::git::{Guarded, Repo};
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::guard::{self, Watched};

/// How a repository was before somebody was asked.
pub(super) struct Guard {
    repo: Repo,
    guarded: RefCell<Guarded>,
    head: Option<Oid>,
    /// What lay in the worktree; `None` in a repository without one.
    work: Option<Oid>,
}

impl Guard {
    pub(super) fn of(ctx: &Context, dir: &Path) -> Result<Self, Error> {
        let repo = Repo::at(dir).map_or_else(|| Repo::open(ctx.repo.git_dir()), Ok);
        let Ok(repo) = repo else {
            return Err(Error::state("repository.open", "the repository cannot be opened once more", ""));
        };
        let head = repo.head()?.commit();
        let work = work_of(&repo, head)?;
        Ok(Self { guarded: RefCell::new(repo.guard()?), head, work, repo })
    }

    pub(super) fn watched(&self) -> Watched<'_> {
        Watched { repo: &self.repo, guarded: &self.guarded, own: "" }
    }

    /// Puts back what is ours, and makes of a success none where anything was changed.
    pub(super) fn inspect(&self, outcome: &mut Outcome) -> Inspected {
        let restored = guard::restore(&self.watched(), "the run");
        let mut changed: Vec<String> = restored.moved.iter().map(|(name, ..)| text::one_line(name)).collect();
        // A person may work on here while somebody else is asked.
        if self.repo.head().ok().and_then(|head| head.commit()) != self.head {
            changed.push("HEAD".to_owned());
        }
        if work_of(&self.repo, self.head).ok() != Some(self.work) {
            changed.push("files of the worktree".to_owned());
        }
        if !restored.faults.is_empty() && outcome.status == RunStatus::Succeeded {
            outcome.status = RunStatus::Denied;
            outcome.json = None;
            outcome.text = format!("it was to answer only, and {}", restored.faults.join("; "));
        }
        changed.extend(restored.names);
        Inspected { changed, is_put_back: restored.is_complete }
    }
}

fn work_of(repo: &Repo, head: Option<Oid>) -> Result<Option<Oid>, Error> {
    let (Some(head), Some(_)) = (head, repo.work_dir()) else { return Ok(None) };
    Ok(Some(repo.work_as_tree(repo.tree_of(head)?)?))
}
