//! `sync`: fetch, take over, record, push, and let redundant drop boxes go.

use super::context::Context;
use super::error::Error;
use super::{initialised, list, share};
use crate::platform::git::{RefPush, Transport, TransportError};
use crate::platform::{clock, fail};
use crate::store::inventory::Inventory;
use crate::store::refs;

/// How often a push that was overtaken is tried again before the rest goes as a drop box.
const MAX_ROUNDS: usize = 5;

/// What one remote said.
#[derive(Clone, Debug)]
pub struct Synced {
    pub name: String,
    pub result: Outcome,
    pub fetched_events: usize,
    pub pushed_events: usize,
    /// Why it did not work, or what is worth knowing.
    pub message: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    Unreachable,
    Refused,
    Auth,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Auth => "auth",
        }
    }
}

/// What a sync tells while it works.
pub enum Progress<'a> {
    Fetching(&'a str),
    Reading,
    Pushing {
        remote: &'a str,
        n_refs: usize,
    },
    /// A line that git said.
    Git(&'a str),
}

/// Shares state with `remote`, or with every remote that carries our refspec. When a remote's result
/// is [`Outcome::Ok`], it holds every event of this clone and this clone every event of it, as of
/// one moment in between.
///
/// # Errors
///
/// [`Error`] if the repository cannot be read or written, or `remote` is none that shares state.
pub fn sync(
    ctx: &Context,
    remote: Option<&str>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<Synced>, Error> {
    initialised(ctx)?;
    super::plan::recover(ctx)?;
    super::init::remove_old_drafts(&ctx.repo);
    progress(Progress::Reading);
    let listing = list::list(ctx)?;
    let remotes = match remote {
        Some(name) if listing.remotes.iter().any(|known| known == name) => vec![name.to_owned()],
        Some(name) => {
            let known = ctx.repo.remotes().into_iter().any(|remote| remote.name == name);
            if !known {
                return Err(Error::Unknown { what: "remote", text: name.to_owned(), near: listing.remotes });
            }
            let hint = format!("git godzilla init --remote {name}");
            return Err(Error::state(
                "remote.not_shared",
                format!("state is not shared with `{name}`"),
                hint,
            ));
        }
        None => listing.remotes,
    };
    if remotes.is_empty() {
        return Err(Error::state(
            "remote.none",
            "there is no remote to share state with",
            "add one with `git remote add origin URL`, then `git godzilla init`",
        ));
    }
    remotes.iter().map(|remote| sync_one(ctx, remote, progress)).collect()
}

fn sync_one(ctx: &Context, remote: &str, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Synced, Error> {
    let mut synced = Synced {
        name: remote.to_owned(),
        result: Outcome::Ok,
        fetched_events: 0,
        pushed_events: 0,
        message: None,
    };
    let how = Transport { may_ask: true, silence: ctx.settings.sync_timeout, total: None };
    let mut before = list::list(ctx)?.n_events();
    for round in 0..=MAX_ROUNDS {
        progress(Progress::Fetching(remote));
        let refspecs = refs::fetch_refspecs(remote);
        let fetched = ctx.repo.fetch(remote, &refspecs, true, how, |line| progress(Progress::Git(line)));
        if let Err(err) = fetched {
            return failed(synced, err);
        }
        fail::point("sync.fetched");
        progress(Progress::Reading);
        let after = list::list(ctx)?.n_events();
        synced.fetched_events += after.saturating_sub(before);
        before = after;

        let inventory = Inventory::read(&ctx.repo)?;
        if !has_branches(ctx, remote, &inventory) {
            synced.message = Some("it holds no branch yet, so no state was sent".to_owned());
            return Ok(synced);
        }
        let plan = share::plan(ctx, &inventory, remote, true)?;
        if plan.updates.is_empty() {
            return Ok(synced);
        }
        progress(Progress::Pushing { remote, n_refs: plan.updates.len() });
        let result = match ctx.repo.push(remote, &plan.updates, how, |line| progress(Progress::Git(line))) {
            Ok(result) => result,
            Err(err) => return failed(synced, err),
        };
        fail::point("sync.pushed");
        synced.pushed_events += plan.events_in(&result.accepted);
        // A box that somebody else removed first is gone all the same.
        let lost: Vec<&(String, String)> =
            result.refused.iter().filter(|(name, _)| !name.starts_with(refs::INBOX)).collect();
        if lost.is_empty() {
            follow_home(ctx, &inventory, remote)?;
            return Ok(synced);
        }
        if round == MAX_ROUNDS {
            return send_as_boxes(ctx, &plan.updates, &lost, how, synced);
        }
        std::thread::sleep(clock::jitter(50 << round));
    }
    Ok(synced)
}

/// After a push to the home remote the local refs follow what is there now.
fn follow_home(ctx: &Context, inventory: &Inventory, remote: &str) -> Result<(), Error> {
    if inventory.home() == Some(remote) {
        list::list(ctx)?;
    }
    Ok(())
}

/// Sends what a contended ref did not take as drop boxes, which nobody contends for.
fn send_as_boxes(
    ctx: &Context,
    updates: &[RefPush],
    lost: &[&(String, String)],
    how: Transport,
    mut synced: Synced,
) -> Result<Synced, Error> {
    let tracked = |of_ref: &str| ctx.repo.find_ref(&refs::tracking(&synced.name, of_ref)).ok().flatten();
    let mut boxes = Vec::new();
    for update in updates.iter().filter(|update| lost.iter().any(|(name, _)| *name == update.name)) {
        boxes.extend(share::drop_box_for(ctx, update, tracked(&update.name))?);
    }
    let reason = lost.first().map(|(_, reason)| reason.as_str()).unwrap_or_default();
    match ctx.repo.push(&synced.name, &boxes, how, |_| ()) {
        Ok(result) if result.refused.is_empty() => {
            synced.message =
                Some(format!("{} streams were busy ({reason}); their events went as drop boxes", lost.len()));
        }
        Ok(_) => {
            synced.result = Outcome::Refused;
            synced.message = Some(reason.to_owned());
        }
        Err(err) => return failed(synced, err),
    }
    Ok(synced)
}

fn failed(mut synced: Synced, err: TransportError) -> Result<Synced, Error> {
    let (result, message) = match err {
        TransportError::Unreachable { message, .. } => (Outcome::Unreachable, message),
        TransportError::Auth { message, .. } => (Outcome::Auth, message),
        TransportError::Refused { message, .. } => (Outcome::Refused, message),
        err => return Err(err.into()),
    };
    synced.result = result;
    synced.message = Some(message);
    Ok(synced)
}

/// Whether the remote holds a branch: state must never be the first thing in a repository.
pub fn has_branches(ctx: &Context, remote: &str, inventory: &Inventory) -> bool {
    let tracked = ctx.repo.refs(&format!("refs/remotes/{remote}/")).is_ok_and(|refs| !refs.is_empty());
    let has_state =
        inventory.streams.values().any(|tips| tips.tracking.iter().any(|(name, _)| name == remote));
    tracked
        || has_state
        || ctx.repo.git_output(&["ls-remote", "--heads", "--", remote]).is_ok_and(|out| !out.is_empty())
}
