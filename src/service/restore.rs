//! `restore`: what was kept of a worktree comes back, into the worktree that is there or into a new one.

use std::path::PathBuf;

use super::branch::Branches;
use super::context::Context;
use super::error::Error;
use super::plan::worktree::{self, Wish};
use super::streams::{Streams, folded};
use super::workplace::Workplace;
use super::worktrees::only_one;
use super::{initialised, resolve, run};
use crate::domain::id::{Name, Oid};
use crate::domain::text;
use crate::platform::fail;
use crate::platform::git::{Captured, Ignored, Move, Put, Worktree};
use crate::store::kept::{self, About, Kept, Kind};

/// What to restore.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The beginning or the end of an id, a ref, or a protocol; `None` for the only one there is.
    pub which: Option<String>,
    pub dry_run: bool,
}

/// What was restored, or would be.
pub struct Restored {
    pub kept: Kept,
    /// The worktree; `None` in a dry run that would add one.
    pub dir: Option<PathBuf>,
    /// Whether the branch was made anew, and where it is.
    pub branch: Option<Oid>,
    pub worktree_added: bool,
    pub put: Put,
    /// What keeps what lay there before, if that was not committed.
    pub snapshot: Option<Kept>,
    pub notices: Vec<String>,
}

/// Returns what can be restored, the newest first; of one protocol if that is named.
///
/// # Errors
///
/// [`Error`] if refs cannot be listed or the name is that of nothing.
pub fn list(ctx: &Context, name: Option<&str>) -> Result<Vec<Kept>, Error> {
    let mut all = kept::list(&ctx.repo)?;
    if let Some(name) = name {
        let name = protocol(ctx, &all, name)?;
        all.retain(|kept| kept.protocol == name);
    }
    Ok(all)
}

/// Restores. When this returns the branch is there and what differed from its commit lies in its
/// worktree, staged as it was. What lay in its place and was not committed is kept.
///
/// # Errors
///
/// [`Error`] if nothing or several things are meant, or something is in the way. What was kept stays
/// kept.
pub fn restore(ctx: &Context, request: &Request) -> Result<Restored, Error> {
    initialised(ctx)?;
    let kept = find(ctx, request.which.as_deref())?;
    let name = kept.protocol.clone();
    run::not_during(ctx, &name)?;
    let _guard = only_one(ctx)?;
    into_place(ctx, kept, request.dry_run)
}

/// As [`restore`], for what an undone plan left, if that was kept here.
pub(super) fn of_plan(ctx: &Context, name: &Name, tip: Oid) -> Result<(), Error> {
    let _guard = only_one(ctx)?;
    let all = kept::list(&ctx.repo)?;
    let is_it = |kept: &Kept| {
        let about = kept.about.as_ref();
        kept.kind == Kind::Trash && kept.protocol == *name && about.is_some_and(|it| it.tip == Some(tip))
    };
    if let Some(kept) = all.into_iter().find(is_it) {
        return match into_place(ctx, kept, false) {
            // There is to be none, as in a bare repository.
            Err(Error::State { code: "worktree.missing", .. }) if worktree::root(ctx)?.is_none() => Ok(()),
            restored => restored.map(drop),
        };
    }
    make_branch(ctx, name, tip)?;
    let path = worktree::root(ctx)?.map(|root| root.join(name.as_str()));
    // Nothing holds the bytes that a filter of the repository would have made.
    for why in worktree::add(ctx, name, path.as_deref(), Wish::Note)? {
        tracing::warn!("{why}");
    }
    Ok(())
}

fn into_place(ctx: &Context, kept: Kept, dry_run: bool) -> Result<Restored, Error> {
    let name = kept.protocol.clone();
    let Some(about) = kept.about.clone() else {
        let message = format!("{} cannot be read", kept.name);
        return Err(Error::state("restore.damaged", message, "git fsck"));
    };
    let tip = about.tip.unwrap_or(about.head);
    if let Some(missing) = [tip, about.head].into_iter().find(|oid| !ctx.repo.has_object(*oid)) {
        return Err(crate::platform::git::Error::Missing(missing).into());
    }
    let called = called(ctx, &name);
    let now = ctx.repo.find_ref(&format!("refs/heads/{called}"))?;
    let mut restored = Restored {
        dir: None,
        branch: now.is_none().then_some(tip),
        worktree_added: false,
        put: Put::default(),
        snapshot: None,
        notices: Vec::new(),
        kept,
    };
    if let Some(now) = now.filter(|now| !ctx.repo.is_ancestor(tip, *now)) {
        restored.notices.push(format!(
            "the branch {called} is at {} now and stays there; its commit of then is {}",
            now.short(),
            tip.short()
        ));
    }
    if let Some(dir) = about.dir.as_deref().filter(|_| !dry_run) {
        // An earlier one may have been cut off.
        restored.notices.extend(worktree::finish(ctx, &called, dir, Wish::Back)?);
    }
    let there = of_branch(ctx, &called);
    let is_there = there.as_ref().is_some_and(Worktree::is_there);
    restored.worktree_added = !is_there;
    restored.dir = there.as_ref().filter(|_| is_there).map(|it| it.dir.clone());
    if dry_run {
        restored.put = would_put(ctx, there.filter(|_| is_there).as_ref(), &about)?;
        return Ok(restored);
    }
    make_branch(ctx, &called, tip)?;
    fail::point("restore.branch");
    if !is_there {
        restored.dir = Some(add(ctx, &called, &about, there)?);
        if ctx.repo.names_filters() {
            let message =
                "what passes through this repository's own filters, and was not kept, lies there unfiltered";
            restored.notices.push(message.to_owned());
        }
        fail::point("restore.worktree");
    }
    put(ctx, &name, &about, &mut restored)?;
    Ok(restored)
}

/// Returns what the branch of a protocol is called here.
fn called(ctx: &Context, name: &Name) -> Name {
    let streams = Streams::for_target(ctx, Some(name.as_str())).ok();
    let content = streams.and_then(|streams| streams.view(name).ok()).map(|view| view.content);
    let protocol = content.and_then(|content| folded(&content, None).protocol);
    let called = protocol.and_then(|it| Branches::lazy(&ctx.repo).name_here(&it).parse().ok());
    called.unwrap_or_else(|| name.clone())
}

/// Makes the branch, if there is none.
fn make_branch(ctx: &Context, name: &Name, tip: Oid) -> Result<(), Error> {
    let branch = format!("refs/heads/{name}");
    if ctx.repo.find_ref(&branch)?.is_some() {
        return Ok(());
    }
    let lock = ctx.repo.state_dir().join("locks").join("kept");
    let mut guard = crate::platform::lock::Lock::acquire(&lock, ctx.limit)?;
    let who = kept::identity(&ctx.repo);
    let message = format!("git-godzilla: restore {name}");
    let made = Move { name: &branch, expected: None, new: tip, who: &who, message: &message };
    Ok(ctx.repo.move_ref(made, &mut guard)?)
}

fn of_branch(ctx: &Context, name: &Name) -> Option<Worktree> {
    ctx.repo.all_worktrees().into_iter().find(|it| it.branch.as_deref() == Some(name.as_str()))
}

/// Adds a worktree where the old one was, if that is a place for worktrees, else where new ones go.
fn add(ctx: &Context, name: &Name, about: &About, stale: Option<Worktree>) -> Result<PathBuf, Error> {
    if let Some(stale) = stale {
        if stale.locked.is_some() {
            let message = format!("{} is locked, and not there", stale.dir.display());
            let remedy = format!("git worktree unlock '{}'", stale.dir.display());
            return Err(Error::state("worktree.locked", message, remedy));
        }
        ctx.repo.forget_worktree(&stale)?;
    }
    let old = about.dir.clone().filter(|dir| worktree::is_place(ctx, dir));
    let path = match old {
        Some(old) => Some(old),
        None => worktree::root(ctx)?.map(|root| root.join(name.as_str())),
    };
    let warnings = worktree::add(ctx, name, path.as_deref(), Wish::Back)?;
    of_branch(ctx, name).filter(Worktree::is_there).map(|it| it.dir).ok_or_else(|| {
        let why = warnings.first().map(|why| format!(": {why}")).unwrap_or_default();
        let message = format!("no worktree here has the branch {name} checked out{why}");
        Error::state("worktree.missing", message, format!("git switch {name}, and restore it again"))
    })
}

/// Returns what would be written, into what lies there or into a new worktree.
fn would_put(ctx: &Context, there: Option<&Worktree>, about: &About) -> Result<Put, Error> {
    let base = ctx.repo.tree_of(about.head)?;
    let committed = match there.and_then(|it| it.head) {
        Some(head) => ctx.repo.tree_of(head)?,
        None => base,
    };
    let present = match there.and_then(Worktree::open) {
        Some(repo) => repo.capture(committed, Ignored::Small)?.tree,
        None => committed,
    };
    Ok(ctx.repo.would_put(present, base, about.tree)?)
}

fn put(ctx: &Context, name: &Name, about: &About, restored: &mut Restored) -> Result<(), Error> {
    let protocol = Streams::for_target(ctx, Some(name.as_str()))?.look(name)?.folded.protocol;
    let protocol = protocol.ok_or_else(|| super::act::unknown(name))?;
    let place = Workplace::find(ctx, &protocol)?;
    let base = place.repo.tree_of(about.head)?;
    let present = what_lies_in_the_way(&place, base, about)?;
    let is_staged = match (about.index, present.index) {
        (Some(index), Some(now)) => place.repo.would_put(now, base, index)?.is_nothing(),
        (index, _) => index.is_none(),
    };
    if is_staged && place.repo.would_put(present.tree, base, about.tree)?.is_nothing() {
        return Ok(());
    }
    let before = ("before restore", ctx.op);
    restored.snapshot = super::kept::snapshot_of(&place, name, before, &present)?;
    fail::point("restore.kept");
    restored.put = place.repo.put(base, about.tree)?;
    fail::point("restore.files");
    if let Some(index) = about.index {
        place.repo.stage(base, index)?;
    }
    place.repo.refresh_index();
    Ok(())
}

/// Returns what lies in the worktree, with all of it that is about to be overwritten.
fn what_lies_in_the_way(place: &Workplace, base: Oid, about: &About) -> Result<Captured, Error> {
    let committed = place.repo.tree_of(place.head)?;
    let present = place.repo.capture(committed, Ignored::Small)?;
    let would = place.repo.would_put(present.tree, base, about.tree)?;
    match place.repo.overwritten(&would, &present).into_iter().min_by_key(|it| it.why.may_go()) {
        None => Ok(present),
        Some(ignored) if ignored.why.may_go() => Ok(place.repo.capture(committed, Ignored::All)?),
        Some(held) => {
            let path = text::one_line(&held.path.to_string());
            let message =
                format!("`{path}` ({}) would be overwritten, and cannot be kept", held.why.as_str());
            Err(Error::state("restore.not_held", message, format!("move `{path}` away, and restore again")))
        }
    }
}

fn find(ctx: &Context, which: Option<&str>) -> Result<Kept, Error> {
    let all = kept::list(&ctx.repo)?;
    let list = || Some("git godzilla restore --list".to_owned());
    let Some(which) = which else {
        let n_kept = all.len();
        return match <[Kept; 1]>::try_from(all) {
            Ok([kept]) => Ok(kept),
            Err(_) if n_kept == 0 => {
                Err(Error::state("restore.nothing", "nothing is kept that could be restored", ""))
            }
            Err(_) => {
                let message = format!("{n_kept} things are kept, so say which one");
                Err(Error::Usage { message, hint: list() })
            }
        };
    };
    let named: Vec<&Kept> = all.iter().filter(|kept| kept.is_named_by(which)).collect();
    match named.as_slice() {
        [kept] => return Ok((*kept).clone()),
        [] => (),
        several => {
            let message = format!("`{which}` names {} things that are kept", several.len());
            return Err(Error::Usage { message, hint: list() });
        }
    }
    let name = protocol(ctx, &all, which)?;
    let of_it = || all.iter().filter(|kept| kept.protocol == name);
    // What was removed is what is missed.
    let found = of_it().find(|kept| kept.kind == Kind::Trash).or_else(|| of_it().next());
    found.cloned().ok_or_else(|| {
        Error::state("restore.nothing", format!("nothing of {name} is kept"), "git godzilla restore --list")
    })
}

/// Returns the protocol that is named: one that something is kept of, or any.
fn protocol(ctx: &Context, all: &[Kept], text: &str) -> Result<Name, Error> {
    let number: Option<u64> = text.parse().ok();
    let is_it = |kept: &&Kept| kept.protocol.as_str() == text || Some(kept.protocol.number()) == number;
    let mut names: Vec<&Name> = all.iter().filter(is_it).map(|kept| &kept.protocol).collect();
    names.dedup();
    if let [name] = names.as_slice() {
        return Ok((*name).clone());
    }
    Ok(resolve::protocol(&Streams::read(ctx)?, Some(text))?.name)
}
