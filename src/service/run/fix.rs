//! Mending what a gate found: a run that may write, of a step whose work is done.

use super::{only_one, work};
use crate::domain::id::{Name, Oid, Ulid};
use crate::domain::run::{RunKind, RunStatus};
use crate::domain::state::Step;
use crate::engine::{Access, Outcome};
use crate::service::ask::{self, Ask, Care, Inspected, Prompt, Told, Wish};
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::workplace::Workplace;

/// What is to be mended. The worktree holds nothing that is not committed.
pub struct Fix<'a> {
    pub name: &'a Name,
    pub step: &'a Step,
    pub place: &'a Workplace,
    pub wish: &'a Wish,
    pub prompt: &'a Prompt,
    /// Of the commit.
    pub title: &'a str,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Fixed {
    pub run: Ulid,
    pub engine: String,
    pub status: RunStatus,
    /// The commit with what was mended; `None` if nothing was, or the run did not succeed.
    pub commit: Option<Oid>,
    /// What somebody should look at, one line each.
    pub notices: Vec<String>,
}

/// Asks the engine that does a step to mend something, and commits what it did. The step stays where it is.
///
/// # Errors
///
/// [`Error`] if nothing was run: no engine is set, nobody agreed to it, a budget is used up, another run goes
/// on there, or the worktree holds what is not committed.
pub fn fix(ctx: &Context, fix: &Fix<'_>, tell: &mut dyn FnMut(Told<'_>)) -> Result<Fixed, Error> {
    drop(ask::choose(ctx, RunKind::Fix, fix.wish)?);
    let _one = only_one(ctx, fix.name)?;
    let before = work::Before::of(fix.place)?;
    if !before.dirty.is_empty() {
        let message = format!("{} holds what is not committed", fix.place.dir.display());
        return Err(Error::state("worktree.dirty", message, "commit it, and judge the step again"));
    }
    let mut notices = Vec::new();
    let mut did = work::Did::default();
    let asked = {
        let mut inspect = |outcome: &mut Outcome| {
            let is_put_back;
            (did, is_put_back) = before.inspect(fix.place, outcome, &mut notices);
            Inspected { changed: did.changed.clone(), is_put_back }
        };
        let ask = Ask {
            kind: RunKind::Fix,
            of: Some((fix.name, Some(&fix.step.id))),
            prompt: fix.prompt,
            schema: None,
            access: Access::Write,
            dir: &fix.place.dir,
            wish: fix.wish,
            session: None,
        };
        let mut care = Care { watched: before.watched(fix.place), inspect: &mut inspect };
        ask::inspected(ctx, &ask, &mut care, tell)?
    };
    let status = asked.outcome.status;
    let commit = match (status, did.tree) {
        (RunStatus::Succeeded, Some(_)) => {
            let (place, name, step) = (fix.place, fix.name, fix.step);
            Some(work::Work { ctx, place, name, step, asked: &asked, did: &did }.commit(fix.title, false)?)
        }
        (RunStatus::Succeeded, None) => did.own_commits.first().copied(),
        (_, left) => {
            if left.is_some() {
                let (dir, head) = (fix.place.dir.display(), fix.place.head);
                let aside = format!("git -C '{dir}' stash push --include-untracked");
                let what = "what the run changed lies there and is not committed";
                notices.push(format!("{what}; to set it aside and go back to {head}: {aside}"));
            }
            None
        }
    };
    Ok(Fixed { run: asked.run, engine: asked.engine, status, commit, notices })
}
