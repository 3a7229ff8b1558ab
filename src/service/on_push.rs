//! What a push by the user takes along: the state, in one nested push that may fail.

use std::time::Duration;

use super::context::Context;
use super::error::Error;
use super::share;
use crate::domain::id::{Name, Oid};
use crate::domain::state::Protocol;
use crate::domain::status::StepStatus;
use crate::platform::git::Transport;
use crate::store::inventory::{Inventory, shared_remotes};
use crate::store::refs;

/// One line that git gives to `pre-push`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedRef {
    pub local: String,
    /// `None` deletes.
    pub local_oid: Option<Oid>,
    pub remote: String,
    /// `None` if the remote has no such ref.
    pub remote_oid: Option<Oid>,
}

/// What became of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// There was nothing to send, or it is not to be sent along.
    Nothing,
    Events(usize),
    /// The user's push goes on; this many events stay here, for this reason.
    NotShared {
        n_events: usize,
        reason: String,
    },
}

/// Returns the refs that must never leave this clone, of those that are about to be pushed.
pub fn private_refs(pushed: &[PushedRef]) -> Vec<String> {
    let is_private = |name: &str| name.starts_with(refs::LOCAL) || name.starts_with(refs::TRACKING);
    let mut names: Vec<String> =
        pushed.iter().filter(|line| is_private(&line.remote)).map(|line| line.remote.clone()).collect();
    names.extend(pushed.iter().filter(|line| is_private(&line.local)).map(|line| line.local.clone()));
    names.sort();
    names.dedup();
    names
}

/// Returns why strict mode does not let the branches of these protocols go: gates that are not met.
///
/// # Errors
///
/// [`Error`] if a stream cannot be read.
pub fn unmet_gates(ctx: &Context, pushed: &[PushedRef]) -> Result<Vec<String>, Error> {
    let mut unmet = Vec::new();
    for line in pushed.iter().filter(|line| line.local_oid.is_some()) {
        let branch = line.remote.strip_prefix("refs/heads/").and_then(|branch| branch.parse::<Name>().ok());
        let Some(name) = branch else { continue };
        let tips = Inventory::of_stream(&ctx.repo, &name)?;
        let view = crate::store::stream::view(&ctx.repo, &name, &tips, None)?;
        let Some(protocol) = super::streams::folded(&view.content, None).protocol else { continue };
        unmet.extend(gates_of(&protocol));
    }
    Ok(unmet)
}

fn gates_of(protocol: &Protocol) -> Vec<String> {
    let red = |step: &&crate::domain::state::Step| {
        matches!(step.recorded, StepStatus::Failed | StepStatus::Blocked)
    };
    let name = protocol.name();
    protocol
        .steps
        .iter()
        .filter(red)
        .map(|step| format!("step {name}/{} is {}", step.id, step.recorded))
        .collect()
}

/// Sends the streams that `remote` lacks, as last fetched, in one push without a retry.
///
/// `remote` is what git calls it: a name, or a URL, to which nothing is sent. Never an error: what
/// could not be sent goes with the next push or `sync`.
///
/// # Errors
///
/// [`Error`] if our own refs cannot be read.
pub fn send_state(ctx: &Context, remote: &str, pushed: &[PushedRef]) -> Result<Sent, Error> {
    let carries_state = pushed.iter().any(|line| line.remote.starts_with(refs::SHARED));
    let shares = shared_remotes(&ctx.repo.remotes()).iter().any(|name| name == remote);
    if carries_state || !shares || !ctx.settings.sync_auto {
        return Ok(Sent::Nothing);
    }
    let inventory = Inventory::read(&ctx.repo)?;
    let tracked = ctx.repo.refs(&format!("refs/remotes/{remote}/")).is_ok_and(|refs| !refs.is_empty());
    let has_state = inventory.holds_state(remote);
    // The first branch of an empty remote must be the user's.
    if !tracked && !has_state && pushed.iter().all(|line| line.remote_oid.is_none()) {
        return Ok(Sent::Nothing);
    }
    let plan = share::plan(ctx, &inventory, remote, false, None)?;
    if plan.updates.is_empty() {
        return Ok(match plan.n_of_twins {
            0 => Sent::Nothing,
            n_events => Sent::NotShared { n_events, reason: plan.set_aside.join(", ") },
        });
    }
    let limit = ctx.settings.push_timeout;
    let how = Transport {
        may_ask: false,
        silence: limit,
        total: Some(limit + Duration::from_millis(500)),
        durable: true,
    };
    let n_events: usize = plan.n_events.values().sum();
    Ok(match ctx.repo.push(remote, &plan.updates, how, |_| ()) {
        Ok(result) => match result.refused.first() {
            None if plan.n_of_twins > 0 => {
                Sent::NotShared { n_events: plan.n_of_twins, reason: plan.set_aside.join(", ") }
            }
            None => Sent::Events(n_events),
            Some((_, reason)) => {
                let left = n_events - plan.events_in(&result.accepted);
                Sent::NotShared { n_events: left, reason: reason.clone() }
            }
        },
        Err(err) => Sent::NotShared { n_events, reason: super::error_chain(&err) },
    })
}
