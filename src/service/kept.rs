//! Snapshots: what lies in a worktree is kept before anything of ours changes it; and letting go what was
//! kept for long enough.

use super::context::Context;
use super::error::Error;
use super::workplace::Workplace;
use super::{keep, run};
use crate::domain::id::{Name, Oid, Ulid};
use crate::platform::clock;
use crate::platform::git::{Captured, Ignored};
use crate::store::archive::Shelves;
use crate::store::kept::{self, Kept, Kind};
use crate::store::refs;

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
    let captured = place.repo.capture(place.repo.tree_of(place.head)?, ignored)?;
    snapshot_of(place, name, (why, op), &captured)
}

/// As [`snapshot`], of what was seen there.
///
/// # Errors
///
/// As [`snapshot`].
pub fn snapshot_of(
    place: &Workplace,
    name: &Name,
    (why, op): (&str, Ulid),
    captured: &Captured,
) -> Result<Option<Kept>, Error> {
    let committed = place.repo.tree_of(place.head)?;
    if captured.tree == committed && captured.index == Some(committed) && captured.changed.is_empty() {
        return Ok(None);
    }
    let branch = place.repo.head()?.branch().map(str::to_owned);
    let new = kept::New {
        kind: Kind::Snapshot,
        protocol: name,
        head: place.head,
        branch: branch.as_deref(),
        tip: place.repo.find_ref(&format!("refs/heads/{}", branch.as_deref().unwrap_or(name.as_str())))?,
        dir: &place.dir,
        why,
        op,
        captured,
    };
    Ok(Some(kept::keep(&place.repo, &new, LIMIT)?))
}

/// How long others are waited for that keep something.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);

/// More commits of the archive than this are not looked at.
const MAX_COMMITS: usize = 100_000;

/// Returns what was kept for long enough.
///
/// # Errors
///
/// [`Error`] if refs cannot be listed.
pub fn expired(ctx: &Context) -> Result<Vec<Kept>, Error> {
    let now_ms = clock::now_ms();
    Ok(kept::unread(&ctx.repo)?.into_iter().filter(|kept| kept.until_ms() <= now_ms).collect())
}

/// Lets go what was kept for long enough, and the lost commits of protocols that were archived for as
/// long. Returns how many worktrees that were. While an engine works nothing goes: it would be taken for
/// its doing.
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
    let names = keep::names(&ctx.repo)?;
    if let Some(archive) = old_archive(ctx).filter(|_| !names.is_empty()) {
        let shelves = Shelves::open(&ctx.repo, archive)?;
        for name in names {
            // One that was reopened has a stream again.
            let is_over = ctx.repo.find_ref(&refs::protocol(&name))?.is_none();
            if is_over && shelves.get(&name)?.is_some() {
                keep::forget(&ctx.repo, &name)?;
            }
        }
    }
    Ok(expired.len())
}

/// Returns the archive as it was so long ago.
fn old_archive(ctx: &Context) -> Option<Oid> {
    let max_age_ms = u64::try_from(kept::MAX_AGE.as_millis()).unwrap_or(u64::MAX);
    let until_ms = clock::now_ms().saturating_sub(max_age_ms);
    let mut at = ctx.repo.find_ref(refs::ARCHIVE).ok()??;
    for _ in 0..MAX_COMMITS {
        let info = ctx.repo.commit(at).ok()?;
        if info.time_ms <= until_ms {
            return Some(info.tree);
        }
        at = info.parents.first().copied()?;
    }
    None
}
