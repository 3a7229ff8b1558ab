//! What a `plan` is about to do, so that the next command can settle it if this one dies.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Planned;
use super::worktree::Wish;
use crate::domain::id::{Name, Oid};
use crate::platform::fail;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::intents::{self, Intent as _};
use crate::service::streams::{Streams, folded};
use crate::store::stream;

/// The version of the intent file.
const VERSION: u64 = 1;

pub(super) struct Intent {
    pub(super) name: Name,
    pub(super) commit: Oid,
    pub(super) worktree: Option<PathBuf>,
    pub(super) title: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    v: u64,
    name: String,
    commit: String,
    worktree: Option<PathBuf>,
    title: String,
}

impl intents::Intent for Intent {
    const PREFIX: &'static str = "plan-";
    const LOCK: &'static str = "number";
    type Stored = Stored;

    fn name(&self) -> &Name {
        &self.name
    }

    fn to_stored(&self) -> Stored {
        Stored {
            v: VERSION,
            name: self.name.to_string(),
            commit: self.commit.to_string(),
            worktree: self.worktree.clone(),
            title: self.title.clone(),
        }
    }

    fn from_stored(stored: Stored) -> Option<Self> {
        (stored.v == VERSION).then_some(Self {
            name: stored.name.parse().ok()?,
            commit: stored.commit.parse().ok()?,
            worktree: stored.worktree,
            title: stored.title,
        })
    }
}

/// Completes or rolls back plans that were interrupted. Does nothing while one is being made.
///
/// # Errors
///
/// [`Error`] if something cannot be written; the intent stays then.
pub fn recover(ctx: &Context) -> Result<Vec<Planned>, Error> {
    intents::lock_left_over::<Intent>(ctx).map_or_else(|| Ok(Vec::new()), |_guard| recover_locked(ctx))
}

/// Returns the names of plans that were interrupted, while none is being made.
pub fn interrupted(ctx: &Context) -> Vec<Name> {
    intents::interrupted::<Intent>(ctx)
}

/// As [`recover`], for who holds the lock on numbers.
pub(super) fn recover_locked(ctx: &Context) -> Result<Vec<Planned>, Error> {
    let mut completed = Vec::new();
    for intent in intents::read::<Intent>(ctx) {
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
