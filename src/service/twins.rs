//! Protocols that were planned under one name in two clones, neither of which knew of the other.
//!
//! All their events lie in one stream, and the first creation owns the name. Whoever has not shared its own
//! yet gives it a name of its own before anything of it is pushed: the events are copied into the stream of
//! the new name, then the old one says where they went, then branch, worktree and plan follow. Nothing is
//! removed, each step may be done again, and a clone that was interrupted goes on with the next `sync`.

mod place;

use std::collections::BTreeSet;
use std::rc::Rc;

use foldhash::{HashMap, HashMapExt as _};

use super::context::Context;
use super::error::Error;
use super::streams::{Streams, folded};
use super::{list, plan, run};
use crate::domain::event::{Body, Draft, Event, Moved};
use crate::domain::fold::Outcome;
use crate::domain::id::{Name, Ulid};
use crate::domain::sentence;
use crate::platform::fail;
use crate::platform::git::Repo;
use crate::platform::lock::Lock;
use crate::store::cache::Row;
use crate::store::content::{Content, Line};
use crate::store::inventory::{Inventory, Tips};
use crate::store::{stream, tip, wire};

/// A protocol that has a name of its own now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    pub from: Name,
    pub to: Name,
    /// What became of its branch, its worktree and its plan, a line each.
    pub told: Vec<String>,
}

/// Gives every protocol that only this clone knows, and whose name another one has at a remote, a name of its
/// own; and lets branches and worktrees here follow those that got one elsewhere.
///
/// `rows` are those of a list that has just taken over what was fetched, and `before` is what was known of
/// remotes before that: whoever lost a protocol there had shared it.
///
/// # Errors
///
/// [`Error`] if a stream cannot be read or written.
pub fn settle(ctx: &Context, rows: &[Rc<Row>], before: &Inventory) -> Result<Vec<Renamed>, Error> {
    let shared: BTreeSet<&str> = rows
        .iter()
        .filter(|row| row.has_moved || row.name.contains('~'))
        .map(|row| row.name.split('~').next().filter(|_| row.name.contains('~')).unwrap_or(&row.key))
        .collect();
    let mut renamed = Vec::new();
    for name in shared.into_iter().filter_map(|name| name.parse::<Name>().ok()) {
        let streams = Streams::for_target(ctx, Some(name.as_str()))?;
        let content = streams.view(&name)?.content;
        let now = streams.inventory.streams.get(&name).into_iter();
        let tips: Vec<&Tips> = now.chain(before.streams.get(&name)).collect();
        for root in unshared(&ctx.repo, &tips, &content) {
            if run::goes_on(&ctx.repo, &name) {
                continue;
            }
            let done = give_name(ctx, rows, (&name, root), None).map(Some);
            renamed.extend(unless_too_new(done)?);
        }
        for moved in folded(&streams.view(&name)?.content, None).moved {
            if renamed.iter().all(|done| done.to != moved.to) {
                renamed.extend(unless_too_new(follow(ctx, &moved, false))?);
            }
        }
    }
    Ok(renamed)
}

/// Passes over what only a newer release may write to: all else goes on.
fn unless_too_new(done: Result<Option<Renamed>, Error>) -> Result<Option<Renamed>, Error> {
    match done {
        Err(Error::Stream(err @ stream::Error::TooNew { .. })) => {
            tracing::debug!(%err, "names are left as they are");
            Ok(None)
        }
        done => done,
    }
}

/// Returns the roots of `content` that this clone made and no remote was seen to hold, by any of `tips`, if remotes
/// hold others of that name.
///
/// What another clone made came from a remote, which somebody may have overwritten since: whoever made it gives it
/// a name, and nobody else, who would choose another one.
pub fn unshared(repo: &Repo, tips: &[&Tips], content: &Content) -> Vec<Ulid> {
    if roots_of(content).nth(1).is_none() {
        return Vec::new();
    }
    let own = folded(content, None);
    let roots: Vec<Ulid> = own.protocol.iter().map(|protocol| protocol.root).chain(own.twins).collect();
    if roots.len() < 2 {
        return Vec::new();
    }
    let archived = tips.iter().flat_map(|tips| &tips.archived);
    let archived = archived.filter(|(holder, _)| holder.is_some()).map(|(_, tree)| *tree);
    let tracked = tips.iter().flat_map(|tips| &tips.tracking).filter_map(|(_, tip)| repo.tree_of(*tip).ok());
    let mut known = BTreeSet::new();
    for tree in tracked.chain(archived) {
        // What cannot be read may hold any of them.
        let Ok(theirs) = tip::read(repo, tree) else { return Vec::new() };
        known.extend(roots_of(&theirs));
    }
    if known.is_empty() {
        return Vec::new();
    }
    let label = repo.clone_label();
    let is_own = |root: &Ulid| {
        let mut events = content.lines().iter().map(|line| &line.event);
        events.any(|event| event.id == *root && event.actor.host == label)
    };
    roots.into_iter().filter(|root| !known.contains(root) && is_own(root)).collect()
}

fn roots_of(content: &Content) -> impl Iterator<Item = Ulid> {
    let events = content.lines().iter().map(|line| &line.event);
    events.filter(|event| matches!(event.body, Body::Created(_))).map(|event| event.id)
}

/// Gives the protocol whose creation is `root` the name `wanted`, or the next free one with its slug. Without
/// `wanted` it is this clone's own, which nobody else knows.
///
/// # Errors
///
/// [`Error`] if a stream cannot be read or written; what was done by then is gone on with the next time.
pub fn give_name(
    ctx: &Context,
    rows: &[Rc<Row>],
    (from, root): (&Name, Ulid),
    wanted: Option<&Name>,
) -> Result<Renamed, Error> {
    let lock = ctx.repo.state_dir().join("locks").join("number");
    let guard = Lock::acquire(&lock, ctx.limit)?;
    // Where it cannot be said that the protocol has moved, every sync would copy it once more.
    let streams = Streams::for_target(ctx, Some(from.as_str()))?;
    if !streams.view(from)?.content.may_be_written() {
        return Err(stream::Error::TooNew { name: from.to_string() }.into());
    }
    let to = match (begun(ctx, rows, (from, root))?, wanted) {
        (Some(begun), _) => begun,
        (None, Some(wanted)) => wanted.clone(),
        (None, None) => Name::new(plan::next_number(ctx, &Streams::for_new(ctx)?)?, from.slug())?,
    };
    let is_own = wanted.is_none();
    let moved = Moved { root, from: from.clone(), to };
    copy(ctx, &moved)?;
    fail::point("twins.copied");
    let streams = Streams::for_target(ctx, Some(from.as_str()))?;
    let appended = streams.append(from, &mut |ledger, _| {
        if ledger.folded().moved.iter().all(|known| known.root != root) {
            ledger.push_of(Some(root), Draft::new(Body::Moved(moved.clone())));
        }
        Ok(())
    })?;
    super::after_write(ctx, &appended);
    fail::point("twins.moved");
    drop(guard);
    let done = follow(ctx, &moved, is_own)?;
    Ok(done.unwrap_or(Renamed { from: moved.from, to: moved.to, told: Vec::new() }))
}

/// Returns the copy that was made before somebody was interrupted, which is the one to go on with. It may have
/// been archived meanwhile.
fn begun(ctx: &Context, rows: &[Rc<Row>], (from, root): (&Name, Ulid)) -> Result<Option<Name>, Error> {
    let id = root.to_string();
    let is_copy = |row: &&Rc<Row>| row.id == id && row.key != from.as_str() && !row.name.contains('~');
    if let Some(row) = rows.iter().find(is_copy) {
        return Ok(row.key.parse().ok());
    }
    let listing = list::list_all(ctx)?;
    Ok(listing.archived.iter().find(is_copy).and_then(|row| row.key.parse().ok()))
}

/// Lets the new stream have what the old one has got since, and branch, worktree and plan bear the new name.
/// Returns what was done, if anything was. `is_own` says that a branch of the old name here is that of the
/// protocol; else it must not be another's as well.
fn follow(ctx: &Context, moved: &Moved, is_own: bool) -> Result<Option<Renamed>, Error> {
    let mut is_news = copy(ctx, moved)?;
    let streams = Streams::for_target(ctx, Some(moved.to.as_str()))?;
    let mut told = Vec::new();
    if let Some(protocol) = folded(&streams.view(&moved.to)?.content, None).protocol
        && protocol.root == moved.root
        && !run::goes_on(&ctx.repo, &moved.from)
    {
        let other = if is_own { None } else { folded(&streams.view(&moved.from)?.content, None).protocol };
        told = place::follow(ctx, moved, &protocol, other.as_ref())?;
        is_news |= !told.is_empty();
        let streams = Streams::for_target(ctx, Some(moved.to.as_str()))?;
        super::after_write(ctx, &streams.refresh(&moved.to)?);
    }
    Ok(is_news.then(|| Renamed { from: moved.from.clone(), to: moved.to.clone(), told }))
}

/// Copies what the old stream has of the protocol and the new one has not; returns whether there was any.
fn copy(ctx: &Context, moved: &Moved) -> Result<bool, Error> {
    let streams = Streams::for_target(ctx, Some(moved.from.as_str()))?;
    let old = streams.view(&moved.from)?.content;
    let streams = Streams::for_target(ctx, Some(moved.to.as_str()))?;
    let new = copied(&old, &streams.view(&moved.to)?.content, moved);
    if new.lines().is_empty() {
        return Ok(false);
    }
    let repo = &ctx.repo;
    let tips = || Inventory::of_stream(repo, &moved.to);
    let appended = stream::append(repo, &moved.to, &ctx.writer(), Some(&new), &tips, &mut |ledger, _| {
        Ok::<_, Error>(sentence::pushed(ledger))
    })?;
    super::after_write(ctx, &appended);
    Ok(appended.moved)
}

/// Returns what of `old` belongs to the protocol and is not in `new`, as a stream of the new name holds it.
fn copied(old: &Content, new: &Content, moved: &Moved) -> Content {
    let mut here: HashMap<(u64, Ulid), Vec<&Line>> = HashMap::new();
    for line in new.lines() {
        here.entry((line.event.clock, line.event.id)).or_default().push(line);
    }
    let outcomes = folded(old, Some(moved.root)).outcomes;
    let mut copied = Content::default();
    copied.format = old.format;
    for (line, outcome) in old.lines().iter().zip(&outcomes) {
        let event = &line.event;
        if !is_of(event, outcome, moved.root) {
            continue;
        }
        let known = here.get(&(event.clock, event.id)).map(Vec::as_slice).unwrap_or_default();
        let text = match (event.redacts, known) {
            (_, []) => wire::under_name(&line.text, &moved.to),
            // Its text was taken out there: so it is here.
            (Some(_), [full]) if full.event.redacts.is_none() => wire::stub(&full.text, &|_| false),
            _ => None,
        };
        if let Some(text) = text {
            copied.add_raw(text.as_bytes());
        }
        if let Some(digest) = event.body.brings_spec()
            && let Some(text) = old.specs.get(&digest)
        {
            copied.specs.insert(digest, text.clone());
        }
    }
    copied.normalize();
    copied
}

fn is_of(event: &Event, outcome: &Outcome, root: Ulid) -> bool {
    match event.root {
        Some(named) => named == root && *outcome != Outcome::DuplicateId,
        None => !matches!(outcome, Outcome::Twin | Outcome::DuplicateId | Outcome::Quarantined),
    }
}
