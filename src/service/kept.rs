//! Snapshots: what lies in a worktree is kept before anything of ours changes it; and letting go what was
//! kept for long enough.

use super::context::Context;
use super::error::Error;
use super::workplace::Workplace;
use super::{keep, run};
use crate::domain::id::{Name, Ulid};
use crate::platform::clock;
use crate::platform::git::Ignored;
use crate::store::kept::{self, Kept, Kind};

/// Keeps what lies in the worktree of a protocol and is not committed; `None` if there is nothing. When
/// this returns it is on the disk, and the worktree may be changed.
///
/// # Errors
///
/// [`Error`] if something cannot be read or written: then nothing may be changed.
pub fn snapshot(
    place: &Workplace,
    name: &Name,
    (why, op): (&str, Ulid),
    ignored: Ignored,
) -> Result<Option<Kept>, Error> {
    let committed = place.repo.tree_of(place.head)?;
    let captured = place.repo.capture(committed, ignored)?;
    if captured.tree == committed && captured.index == Some(committed) && captured.changed.is_empty() {
        return Ok(None);
    }
    let branch = place.repo.head()?.branch().map(str::to_owned);
    let new = kept::New {
        kind: Kind::Snapshot,
        protocol: name,
        head: place.head,
        branch: branch.as_deref(),
        tip: place.repo.find_ref(&format!("refs/heads/{name}"))?,
        dir: &place.dir,
        why,
        op,
        captured: &captured,
    };
    Ok(Some(kept::keep(&place.repo, &new, LIMIT)?))
}

/// How long others are waited for that keep something.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);

/// Returns what was kept for long enough.
///
/// # Errors
///
/// [`Error`] if refs cannot be listed.
pub fn expired(ctx: &Context) -> Result<Vec<Kept>, Error> {
    let now_ms = clock::now_ms();
    Ok(kept::list(&ctx.repo)?.into_iter().filter(|kept| kept.until_ms() <= now_ms).collect())
}

/// Lets go what was kept for long enough, and returns how many that were. While an engine works nothing
/// goes: it would be taken for its doing.
///
/// # Errors
///
/// [`Error`] if refs cannot be listed, or one cannot be removed.
pub fn upkeep(ctx: &Context) -> Result<usize, Error> {
    if run::any_goes_on(&ctx.repo) {
        return Ok(0);
    }
    let expired = expired(ctx)?;
    for kept in &expired {
        kept::forget(&ctx.repo, kept)?;
    }
    Ok(expired.len())
}

/// Lets go the lost commits of protocols that were archived for as long; `archived_at_ms` says since when
/// a protocol is. Returns how many protocols that were.
///
/// # Errors
///
/// As [`upkeep`].
pub fn upkeep_of_archived(
    ctx: &Context,
    archived_at_ms: &dyn Fn(&Name) -> Option<u64>,
) -> Result<usize, Error> {
    if run::any_goes_on(&ctx.repo) {
        return Ok(0);
    }
    let max_age_ms = u64::try_from(kept::MAX_AGE.as_millis()).unwrap_or(u64::MAX);
    let is_over = |since: u64| since.saturating_add(max_age_ms) <= clock::now_ms();
    let mut n_dropped = 0;
    for name in keep::names(&ctx.repo)? {
        if archived_at_ms(&name).is_some_and(is_over) {
            keep::forget(&ctx.repo, &name)?;
            n_dropped += 1;
        }
    }
    Ok(n_dropped)
}
