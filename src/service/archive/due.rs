//! What goes to the archive by itself, and when.

use std::collections::{BTreeSet, HashSet};

use super::{Archived, may_be_archived, put_in};
use crate::domain::id::Name;
use crate::platform::clock;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::list::{self, Listing};
use crate::service::streams::Streams;
use crate::store::cache::Row;
use crate::store::content::Line;
use crate::store::tip;

const MS_PER_DAY: u64 = 24 * 60 * 60 * 1000;

/// What was done without being asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    pub archived: Vec<Name>,
}

/// Archives at most `max` protocols that have been over for as many days as are configured. What
/// cannot be done now waits for the next command.
pub fn upkeep(ctx: &Context, listing: &Listing, max: usize) -> Upkeep {
    let mut done = Archived::default();
    if ctx.repo.clone_label().is_some()
        && let Err(err) = put_in_due(ctx, listing, max, &mut done)
    {
        tracing::debug!(err = crate::service::error_chain(&err), "nothing was archived");
    }
    Upkeep { archived: done.names }
}

fn put_in_due(ctx: &Context, listing: &Listing, max: usize, done: &mut Archived) -> Result<(), Error> {
    let over_for_ms = ctx.settings.archive_after_days.saturating_mul(MS_PER_DAY);
    let mut names: Vec<Name> = candidates(listing, over_for_ms).into_iter().collect();
    let young = listing.rows.iter().filter(|row| is_over(row) && row.has_entry);
    let young: Vec<Name> = young.filter_map(|row| row.name.parse().ok()).collect();
    if !young.is_empty() {
        let streams = Streams::read(ctx)?;
        names.extend(young.into_iter().filter(|name| is_only_late(&streams, name)));
    }
    names.sort();
    names.dedup();
    names.truncate(max);
    if names.is_empty() { Ok(()) } else { put_in(ctx, &names, done) }
}

/// Returns the protocols that have been over for at least so long, whose last event tells.
///
/// # Errors
///
/// [`Error`] if refs cannot be listed.
pub(super) fn over(ctx: &Context, over_for_ms: u64) -> Result<BTreeSet<Name>, Error> {
    Ok(candidates(&list::list(ctx)?, over_for_ms))
}

fn candidates(listing: &Listing, over_for_ms: u64) -> BTreeSet<Name> {
    let now = clock::now_ms();
    // Of a time in the future nothing is known.
    let is_old =
        |row: &&std::rc::Rc<Row>| now.checked_sub(row.updated_at_ms).is_some_and(|age| age >= over_for_ms);
    listing
        .rows
        .iter()
        .filter(|row| is_over(row))
        .filter(is_old)
        .filter_map(|row| row.name.parse().ok())
        .collect()
}

fn is_over(row: &Row) -> bool {
    matches!(row.status.as_str(), "completed" | "cancelled") && !row.pinned
}

/// Whether nothing but facts came since a protocol was archived: they make it no younger.
fn is_only_late(streams: &Streams<'_>, name: &Name) -> bool {
    let Some(tips) = streams.inventory.streams.get(name) else { return false };
    let Ok(view) = streams.view(name) else { return false };
    let repo = &streams.ctx.repo;
    let was_over_with_all_decisions = |tree| {
        let Ok(entry) = tip::read(repo, tree) else { return false };
        let known: HashSet<&str> = entry.lines().iter().map(|line| &*line.text).collect();
        let is_new_decision = |line: &Line| !line.event.body.is_fact() && !known.contains(&*line.text);
        !view.content.lines().iter().any(is_new_decision)
    };
    may_be_archived(&view.content) && tips.archived.iter().any(|(_, tree)| was_over_with_all_decisions(*tree))
}
