//! The archive: where protocols go that are over, and how they come back.
//!
//! Nothing is lost on the way. An entry holds all that is known of its protocol when it is made, and
//! the ref of a stream goes only when the entry here has all that this clone knows of it. What comes
//! late makes the stream anew, and the next one who archives adds it to the entry.

mod due;

use std::collections::BTreeSet;

pub use self::due::{Upkeep, upkeep};

use super::context::Context;
use super::error::Error;
use super::streams::{Streams, folded};
use super::{initialised, resolve, run};
use crate::domain::decide;
use crate::domain::id::{Name, Oid};
use crate::domain::state::Protocol;
use crate::platform::fail;
use crate::store::archive::{self as store, Addition, Updated};
use crate::store::content::Content;
use crate::store::inventory::Inventory;
use crate::store::{refs, stream, tip};

/// How many protocols the message of a commit names.
const MAX_NAMED: usize = 50;

/// What somebody wants in the archive.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Names or numbers.
    pub names: Vec<String>,
    /// All that are over, if they have been for at least this long.
    pub over_for_ms: Option<u64>,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archived {
    pub names: Vec<Name>,
    /// Those that were there, with all that is known of them.
    pub already: Vec<Name>,
    /// Those that stay, and why.
    pub skipped: Vec<(Name, String)>,
}

/// Puts protocols that are over into the archive; without a name that of the current branch. When
/// this returns they are in the archive here; `sync` shares it.
///
/// # Errors
///
/// [`Error`] if one that is named is not over, or something cannot be read or written. Those before
/// it may be in the archive by then.
pub fn archive(ctx: &Context, request: &Request) -> Result<Archived, Error> {
    initialised(ctx)?;
    let streams = Streams::read(ctx)?;
    let mut done = Archived::default();
    let mut wanted = BTreeSet::new();
    if let Some(over_for_ms) = request.over_for_ms {
        wanted.extend(due::over(ctx, over_for_ms)?);
    }
    let args: Vec<Option<&str>> = match request.over_for_ms {
        None if request.names.is_empty() => vec![None],
        _ => request.names.iter().map(|name| Some(name.as_str())).collect(),
    };
    for arg in args {
        let name = resolve::protocol(&streams, arg)?.name;
        run::not_during(ctx, &name)?;
        may_go(&streams, &name)?;
        if !request.dry_run {
            let appended = streams.append(&name, &mut |ledger, _| Ok(decide::unpin(ledger)?))?;
            super::after_write(ctx, &appended);
        }
        wanted.insert(name);
    }
    if request.dry_run {
        let (already, names) = wanted.into_iter().partition(|name| streams.is_archived(name));
        return Ok(Archived { names, already, ..done });
    }
    let wanted: Vec<Name> = wanted.into_iter().collect();
    put_in(ctx, &wanted, &mut done)?;
    Ok(done)
}

/// Refuses what is not over, whoever wants it.
fn may_go(streams: &Streams<'_>, name: &Name) -> Result<(), Error> {
    let content = streams.view(name)?.content;
    let twins = folded(&content, None).twins;
    let live = twins.iter().filter_map(|root| folded(&content, Some(*root)).protocol);
    if let Some(twin) = live.into_iter().find(|twin| !twin.shown.is_final()) {
        return Err(Error::state(
            "archive.twin",
            format!("{name} is also the name of another protocol, which is {}", twin.shown),
            format!("git godzilla show {}", super::list::twin_name(name, twin.root)),
        ));
    }
    Ok(())
}

/// Takes over all that is known of these protocols, puts it into the archive, and lets the refs go
/// that are no longer needed.
fn put_in(ctx: &Context, names: &[Name], done: &mut Archived) -> Result<(), Error> {
    let streams = Streams::read(ctx)?;
    let mut addition = Addition::default();
    for name in names {
        if run::not_during(ctx, name).is_err() {
            done.skipped.push((name.clone(), "an engine works on it".to_owned()));
            continue;
        }
        let appended = match streams.refresh(name) {
            Ok(appended) => appended,
            Err(err) => {
                done.skipped.push((name.clone(), super::error_chain(&err)));
                continue;
            }
        };
        let Some(tip) = appended.tip else {
            done.already.push(name.clone());
            continue;
        };
        let tree = ctx.repo.tree_of(tip)?;
        if may_be_archived(&tip::read(&ctx.repo, tree)?) {
            addition.entries.push((name.clone(), tree));
        } else {
            done.skipped.push((name.clone(), "it is not over".to_owned()));
        }
    }
    if addition.entries.is_empty() {
        return Ok(());
    }
    addition.subject = subject(&addition.entries);
    let updated = store::update(&ctx.repo, &ctx.writer(), &addition, &protocol_of)?;
    fail::point("archive.put");
    done.names.extend(addition.entries.into_iter().map(|(name, _)| name));
    say_set_aside(&updated);
    drop_covered(&Streams::read(ctx)?)?;
    Ok(())
}

fn say_set_aside(updated: &Updated) {
    for why in &updated.set_aside {
        tracing::warn!(%why, "left as it is in the archive");
    }
}

fn subject(entries: &[(Name, Oid)]) -> String {
    use std::fmt::Write as _;

    if let [(name, _)] = entries {
        return format!("archive {name}");
    }
    let mut subject = format!("archive {} protocols\n", entries.len());
    for (name, _) in entries.iter().take(MAX_NAMED) {
        // Writing to a `String` cannot fail.
        write!(subject, "\n- {name}").ok();
    }
    if entries.len() > MAX_NAMED {
        write!(subject, "\n- and {} more", entries.len() - MAX_NAMED).ok();
    }
    subject
}

fn protocol_of(content: &Content) -> Option<Protocol> {
    folded(content, None).protocol
}

/// Whether what `content` describes is over, its twins included, and nobody wants it out of the archive.
pub fn may_be_archived(content: &Content) -> bool {
    let now = folded(content, None);
    let is_over = |root| folded(content, Some(root)).protocol.is_none_or(|twin| twin.may_be_archived());
    now.protocol.is_some_and(|protocol| protocol.may_be_archived()) && now.twins.into_iter().all(is_over)
}

/// Takes over what the archives of remotes hold and the one here does not, with what drop boxes brought
/// for protocols that are archived; then lets refs of streams go whose entry has all of them. Returns
/// whether anything changed.
///
/// # Errors
///
/// [`Error`] if the archive here cannot be read or written.
pub fn settle(streams: &Streams<'_>) -> Result<bool, Error> {
    let late = late_reports(streams)?;
    let mut changed = false;
    if !late.is_empty() || has_news(&streams.ctx.repo, &streams.inventory)? {
        let subject = if late.is_empty() { String::new() } else { subject(&late) };
        let addition = Addition { entries: late, subject };
        let updated = store::update(&streams.ctx.repo, &streams.ctx.writer(), &addition, &protocol_of)?;
        say_set_aside(&updated);
        changed = updated.moved;
    }
    if changed {
        drop_covered(&Streams::read(streams.ctx)?)?;
        return Ok(true);
    }
    Ok(drop_covered(streams)? > 0)
}

/// Whether the archive of a remote has what the one here has not, or other commits are to be followed.
fn has_news(repo: &crate::platform::git::Repo, inventory: &Inventory) -> Result<bool, Error> {
    let local = inventory.archive();
    for archive in inventory.archives.iter().filter(|archive| archive.holder.is_some()) {
        let is_held = match local {
            None => false,
            Some(local) if archive.tree == local.tree => repo.is_ancestor(archive.tip, local.tip),
            Some(local) => store::contains(repo, local.tree, archive.tree)?,
        };
        if !is_held {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns tip trees with what drop boxes and the project's stream hold for protocols of which only
/// the archive here knows, and not yet all.
fn late_reports(streams: &Streams<'_>) -> Result<Vec<(Name, Oid)>, Error> {
    let repo = &streams.ctx.repo;
    let mut late = Vec::new();
    for name in streams.archived_routed() {
        let Some(part) = streams.routed(Some(name)).filter(|_| streams.is_archived(name)) else { continue };
        let tips = streams.inventory.tips(repo, name);
        let entry = tips.archived.iter().find(|(holder, _)| holder.is_none());
        let Some((_, entry)) = entry else { continue };
        let Ok(mut content) = tip::read(repo, *entry) else { continue };
        if content.contains(part) || !content.may_be_written() {
            continue;
        }
        content.unite(part);
        // What wakes it up again belongs into a stream.
        if may_be_archived(&content) {
            late.push((name.clone(), tip::write(repo, &content, protocol_of(&content).as_ref())?));
        }
    }
    Ok(late)
}

/// Deletes the refs of streams here of which the archive here has all, with all else that is known of
/// them. Returns how many are gone.
///
/// # Errors
///
/// [`Error`] if git cannot be run.
fn drop_covered(streams: &Streams<'_>) -> Result<usize, Error> {
    let repo = &streams.ctx.repo;
    let mut covered = Vec::new();
    for (name, tips) in &streams.inventory.streams {
        let entry = tips.archived.iter().find(|(holder, _)| holder.is_none());
        let (Some(local), Some((_, entry)), true) = (tips.local, entry, tips.nothing_spooled) else {
            continue;
        };
        let Ok(view) = streams.view(name) else { continue };
        let is_held = repo.tree_of(local).is_ok_and(|tree| tree == *entry) && view.adopted
            || tip::read(repo, *entry).is_ok_and(|entry| entry.contains(&view.content));
        if is_held && may_be_archived(&view.content) && run::not_during(streams.ctx, name).is_ok() {
            covered.push((name.clone(), local));
        }
    }
    if covered.is_empty() {
        return Ok(0);
    }
    let wanted: Vec<(String, Oid)> =
        covered.iter().map(|(name, local)| (refs::protocol(name), *local)).collect();
    let mut gone = repo.delete_refs(&wanted)?;
    // What a dead writer of ours holds is free once its lock was taken.
    for ((name, _), wanted) in covered.iter().zip(&wanted) {
        if !gone.contains(&wanted.0) && stream::bury_dead_writer(repo, name, streams.ctx.limit).is_ok() {
            gone.extend(repo.delete_refs(std::slice::from_ref(wanted))?);
        }
    }
    Ok(gone.len())
}
