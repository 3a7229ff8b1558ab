//! What a commit or a rewrite on a protocol's branch leads to, as soon as it is made.

use std::collections::BTreeSet;

use super::branch::{BranchTips, Branches};
use super::context::Context;
use super::error::Error;
use super::observe::{self, Observed, Scope};
use crate::domain::event::Event;
use crate::domain::id::{Name, Oid};
use crate::domain::ledger::Ledger;
use crate::domain::observe::named_commits;
use crate::domain::sentence::sentence;
use crate::domain::state::Protocol;
use crate::platform::git;
use crate::store::content::Content;
use crate::store::inventory::{Inventory, Tips};
use crate::store::stream::{self, AppendError};

/// The protocol that a hook works for: the one of the branch that `HEAD` is on, or that is being
/// rebased.
#[derive(Clone, Debug)]
pub struct HookBranch {
    pub name: Name,
    pub rebasing: bool,
}

/// What a hook did.
#[derive(Clone, Debug, Default)]
pub struct Done {
    pub events: Vec<Event>,
    pub protocol: Option<Protocol>,
    pub observed: Observed,
    /// The stream was busy, so the events wait in the spool.
    pub spooled: bool,
}

impl HookBranch {
    /// Returns the protocol of the current branch; `None` on any other branch.
    ///
    /// # Errors
    ///
    /// [`Error`] if `HEAD` is damaged.
    pub fn find(ctx: &Context) -> Result<Option<Self>, Error> {
        let (branch, rebasing) = match ctx.repo.rebase() {
            Some(rebase) => (rebase.branch, true),
            None => (ctx.repo.head()?.branch().map(str::to_owned), false),
        };
        Ok(branch.and_then(|branch| branch.parse().ok()).map(|name| Self { name, rebasing }))
    }

    /// Returns the tips of the stream: local and tracking, no drop boxes, no archive.
    pub(super) fn tips(&self, ctx: &Context) -> Result<Tips, git::Error> {
        Inventory::of_stream(&ctx.repo, &self.name)
    }

    pub(super) fn branch_tips(ctx: &Context, protocol: &Protocol) -> BranchTips {
        let branches = Branches::lazy(&ctx.repo);
        let home = crate::store::inventory::shared_remotes(&ctx.repo.remotes()).into_iter().next();
        branches.of(protocol, home.as_deref())
    }
}

/// Records the commits of the branch that no event names, and what follows from them.
///
/// # Errors
///
/// [`Error`] if the stream can neither be written nor the events spooled.
pub fn committed(ctx: &Context, branch: &HookBranch) -> Result<Done, Error> {
    if branch.rebasing {
        // Git calls again when the rebase has ended.
        return Ok(Done::default());
    }
    record(ctx, branch, &[], "", Scope::Commits)
}

/// Records that commits were replaced by others, and the new ones.
///
/// # Errors
///
/// As [`committed`].
pub fn rewritten(
    ctx: &Context,
    branch: &HookBranch,
    pairs: &[(Oid, Oid)],
    kind: &str,
) -> Result<Done, Error> {
    if branch.rebasing && kind == "amend" {
        // A step of the rebase, not its result.
        return Ok(Done::default());
    }
    record(ctx, branch, pairs, kind, Scope::Merges)
}

fn record(
    ctx: &Context,
    branch: &HookBranch,
    pairs: &[(Oid, Oid)],
    kind: &str,
    scope: Scope,
) -> Result<Done, Error> {
    let mut observed = Observed::default();
    let mut decide = |ledger: &mut Ledger<'_>, content: &mut Content| -> Result<String, Error> {
        observed = Observed::default();
        let Some(protocol) = ledger.protocol() else { return Ok(String::new()) };
        let tips = HookBranch::branch_tips(ctx, protocol);
        let quiet = record_pairs(ctx, ledger, pairs, kind);
        observed = observe::reconcile(&ctx.repo, (ledger, content), &tips, scope, &quiet)?;
        Ok(sentence(ledger.new_events(), ledger.protocol()))
    };
    let writer = ctx.writer();
    let tips = || branch.tips(ctx);
    match stream::append(&ctx.repo, &branch.name, &writer, None, &tips, &mut decide) {
        Ok(appended) => {
            super::after_write(ctx, &appended);
            Ok(Done { events: appended.events, protocol: appended.protocol, observed, spooled: false })
        }
        Err(AppendError::Store(stream::Error::Busy { .. } | stream::Error::Locked { .. })) => {
            let tips = branch.tips(ctx)?;
            stream::spool_instead(&ctx.repo, &branch.name, &writer, &tips, &mut decide)?;
            Ok(Done { spooled: true, ..Done::default() })
        }
        Err(err) => Err(err.into()),
    }
}

/// Records the pairs whose old commit some event names. Returns the new commits that move nothing:
/// all of a rebase, and of an amend those with the content they had.
fn record_pairs(ctx: &Context, ledger: &mut Ledger<'_>, pairs: &[(Oid, Oid)], kind: &str) -> BTreeSet<Oid> {
    let named = named_commits(ledger.events());
    let mut quiet = BTreeSet::new();
    for (old, new) in pairs.iter().filter(|(old, new)| old != new && named.contains(old)) {
        if kind == "rebase" {
            quiet.insert(*new);
        }
        let at_ms = ctx.repo.commit(*new).map_or(0, |info| info.time_ms);
        crate::domain::observe::rewritten(ledger, *old, *new, kind, at_ms);
    }
    quiet
}
