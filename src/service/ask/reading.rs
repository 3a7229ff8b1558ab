//! What an engine that is only asked for an answer must leave alone: everything.

use std::path::Path;

use crate::domain::id::Oid;
use crate::domain::run::RunStatus;
use crate::domain::text;
use crate::engine::Outcome;
use crate::platform::clock;
use crate::platform::git::{Guarded, Repo};
use crate::service::context::Context;
use crate::service::error::Error;

/// How a repository was before somebody was asked.
pub(super) struct Guard {
    repo: Repo,
    guarded: Guarded,
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
        Ok(Self { guarded: repo.guard()?, head, work, repo })
    }

    /// Puts back what is ours, and makes of a success none where anything was changed. Returns the paths.
    pub(super) fn inspect(&self, outcome: &mut Outcome) -> Vec<String> {
        let mut ours = Vec::new();
        let mut changed = Vec::new();
        match self.repo.tampered(&self.guarded, "") {
            Ok(tampered) => {
                let id = clock::new_id();
                let keep = self.repo.state_dir().join("tampered").join(id.to_string());
                let files = self.repo.put_back(&self.guarded, &tampered, &keep);
                let refs = self.repo.put_back_refs(&tampered, &format!("refs/godzilla-local/tampered/{id}"));
                ours.extend(tampered.files.iter().map(|path| text::one_line(&path.to_string_lossy())));
                ours.extend(tampered.ours.iter().map(|(name, ..)| text::one_line(name)));
                ours.extend(files.err().map(|err| format!("what could not be put back: {err}")));
                ours.extend(refs.err().map(|err| format!("what could not be put back: {err}")));
                changed.extend(tampered.refs.iter().map(|(name, ..)| text::one_line(name)));
            }
            Err(err) => ours.push(format!("the git directory, which cannot be read: {err}")),
        }
        // A person may work on here while somebody else is asked.
        if self.repo.head().ok().and_then(|head| head.commit()) != self.head {
            changed.push("HEAD".to_owned());
        }
        if work_of(&self.repo, self.head).ok() != Some(self.work) {
            changed.push("files of the worktree".to_owned());
        }
        if !ours.is_empty() && outcome.status == RunStatus::Succeeded {
            outcome.status = RunStatus::Denied;
            outcome.json = None;
            let what = ours.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", ");
            outcome.text =
                format!("it was to answer only, and changed {what}; the git directory is put back");
        }
        changed.append(&mut ours);
        changed
    }
}

fn work_of(repo: &Repo, head: Option<Oid>) -> Result<Option<Oid>, Error> {
    let (Some(head), Some(_)) = (head, repo.work_dir()) else { return Ok(None) };
    Ok(Some(repo.work_as_tree(repo.tree_of(head)?)?))
}
