//! What a commit or a rewrite on a protocol's branch leads to, as soon as it is made.

use std::cell::Cell;
use std::collections::BTreeSet;

use super::branch::{BranchTips, Branches};
use super::context::Context;
use super::error::Error;
use super::observe::{self, Observed, Scope};
use super::streams;
use crate::domain::event::{Body, Event};
use crate::domain::fold::Folded;
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
    /// The name of its stream.
    pub name: Name,
    /// What the branch is called.
    branch: String,
    pub rebasing: bool,
    /// Whether it was found by where the protocol went on, which is asked once.
    is_moved: bool,
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
        let Some(branch) = branch else { return Ok(None) };
        let Ok(name) = branch.parse::<Name>() else { return Ok(None) };
        let name = stream_of(ctx, &name)?.unwrap_or(name);
        Ok(Some(Self { branch, rebasing, ..Self::of(name) }))
    }

    /// Returns the branch that was made with the protocol.
    pub fn of(name: Name) -> Self {
        Self { branch: name.to_string(), name, rebasing: false, is_moved: false }
    }

    /// Returns the same branch as that of the protocol that went on under another name, if it is that: `folded` is
    /// the protocol that holds the old name.
    pub(super) fn gone_on(&self, ctx: &Context, folded: &Folded) -> Result<Option<Self>, Error> {
        for moved in folded.moved.iter().filter(|_| !self.is_moved) {
            let tips = Inventory::of_stream(&ctx.repo, &moved.to)?;
            let view = stream::view(&ctx.repo, &moved.to, &tips, None)?;
            let protocol = streams::folded(&view.content, None).protocol;
            let is_it = |protocol: &Protocol| {
                protocol.root == moved.root && Branches::lazy(&ctx.repo).name_here(protocol) == self.branch
            };
            if protocol.as_ref().is_some_and(is_it) {
                return Ok(Some(Self { name: moved.to.clone(), is_moved: true, ..self.clone() }));
            }
        }
        Ok(None)
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

/// Returns the stream of the protocol that was given this name later, unless the name is that of a stream or the
/// protocol has a branch of its first name as well.
///
/// # Errors
///
/// [`Error`] if a ref or the stream cannot be read.
pub(super) fn stream_of(ctx: &Context, name: &Name) -> Result<Option<Name>, Error> {
    let repo = &ctx.repo;
    let is_stream = |tips: &Tips| tips.local.is_some() || !tips.tracking.is_empty();
    if is_stream(&Inventory::of_stream(repo, name)?) {
        return Ok(None);
    }
    let project = Inventory::of_project(repo)?;
    // What cannot be read gives no names, and keeps nobody from his work.
    let Ok(content) = stream::project_view(repo, &project).map(|view| view.content) else { return Ok(None) };
    let mut given = content.lines().iter().filter(|line| match &line.event.body {
        Body::Renumbered { number, slug } => *number == name.number() && slug == name.slug(),
        _ => false,
    });
    let is_called_so = |key: &Name| -> Result<bool, Error> {
        let tips = Inventory::of_stream(repo, key)?;
        let protocol = streams::folded(&stream::view(repo, key, &tips, None)?.content, None).protocol;
        let is_it =
            |it: Protocol| it.names.contains(name) && Branches::lazy(repo).name_here(&it) == name.as_str();
        Ok(protocol.is_some_and(is_it))
    };
    given.try_fold(None, |found, line| match &line.event.protocol {
        Some(key) if found.is_none() && is_called_so(key)? => Ok(Some(key.clone())),
        _ => Ok(found),
    })
}

/// Returns the stream of the protocol that the current branch belongs to by its name, or of the one that went on
/// under another name and whose branch it is.
///
/// # Errors
///
/// [`Error`] if `HEAD`, a ref or a stream cannot be read.
pub fn current(ctx: &Context) -> Result<Option<Name>, Error> {
    let Some(branch) = HookBranch::find(ctx)? else { return Ok(None) };
    let view = stream::view(&ctx.repo, &branch.name, &branch.tips(ctx)?, None);
    let folded = view.map(|view| streams::folded(&view.content, None));
    let gone_on = folded.ok().map(|folded| branch.gone_on(ctx, &folded)).transpose()?.flatten();
    Ok(Some(gone_on.unwrap_or(branch).name))
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
    let gone_on = Cell::new(None);
    let mut decide = |ledger: &mut Ledger<'_>, content: &mut Content| -> Result<String, Error> {
        observed = Observed::default();
        let elsewhere = branch.gone_on(ctx, ledger.folded())?;
        let is_here = elsewhere.is_none();
        gone_on.set(elsewhere);
        let Some(protocol) = ledger.protocol().filter(|_| is_here) else { return Ok(String::new()) };
        let tips = HookBranch::branch_tips(ctx, protocol);
        let quiet = record_pairs(ctx, ledger, pairs, kind);
        observed = observe::reconcile(&ctx.repo, (ledger, content), &tips, scope, &quiet)?;
        Ok(sentence(ledger.new_events(), ledger.protocol()))
    };
    let writer = ctx.writer();
    let tips = || branch.tips(ctx);
    let appended = stream::append(&ctx.repo, &branch.name, &writer, None, &tips, &mut decide);
    if let Some(branch) = gone_on.take() {
        return record(ctx, &branch, pairs, kind, scope);
    }
    match appended {
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
