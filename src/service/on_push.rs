//! What a push by the user takes along: the state, in one nested push that may fail.

use super::answers::{self, Said};
use super::context::Context;
use super::error::Error;
use super::{on_commit, share};
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
    /// The user's push goes on; this many events stay here.
    NotShared {
        n_events: usize,
        said: Said,
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

/// Whether state is shared with `remote`.
pub fn shares_state(ctx: &Context, remote: &str) -> bool {
    shared_remotes(&ctx.repo.remotes()).iter().any(|name| name == remote)
}

/// Whether every push to `remote` is a mirror.
pub fn is_mirror(ctx: &Context, remote: &str) -> bool {
    ctx.repo.config_bool(&format!("remote.{remote}.mirror")) == Some(true)
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
        let name = on_commit::stream_of(ctx, &name)?.unwrap_or(name);
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

/// Sends the streams that `remote` lacks, as last fetched, in one push without a retry, within the
/// time that `sync.push_timeout_seconds` gives.
///
/// `remote` is what git calls it: a name, or a URL, to which nothing is sent. Never an error: what
/// could not be sent goes with the next push or `sync`. A remote that does not want our refs is told
/// once, and left alone until it is the next day or a `sync` works.
///
/// # Errors
///
/// [`Error`] if our own refs cannot be read.
pub fn send_state(ctx: &Context, remote: &str, pushed: &[PushedRef]) -> Result<Sent, Error> {
    let carries_state = pushed.iter().any(|line| line.remote.starts_with(refs::SHARED));
    if carries_state || !shares_state(ctx, remote) || !ctx.settings.sync_auto {
        return Ok(Sent::Nothing);
    }
    let before = answers::last(ctx, remote);
    if answers::is_left_alone(before.as_ref()) {
        return Ok(Sent::Nothing);
    }
    let inventory = Inventory::read(&ctx.repo)?;
    // The first branch of an empty remote must be the user's.
    if !share::is_in_use(ctx, &inventory, remote) && pushed.iter().all(|line| line.remote_oid.is_none()) {
        return Ok(Sent::Nothing);
    }
    let plan = share::plan(ctx, &inventory, remote, false, None)?;
    if plan.updates.is_empty() {
        return Ok(match plan.n_of_twins {
            0 => Sent::Nothing,
            _ => of_twins(&plan),
        });
    }
    let sent = push(ctx, remote, &plan);
    match &sent {
        Sent::NotShared { said, reason, .. } => answers::remember(ctx, remote, *said, reason),
        _ if before.is_some() => answers::forget(ctx, remote),
        _ => (),
    }
    let was_told = before.is_some_and(|before| before.said == Said::Refused);
    let is_old_news = was_told && matches!(sent, Sent::NotShared { said: Said::Refused, .. });
    Ok(if is_old_news { Sent::Nothing } else { sent })
}

fn push(ctx: &Context, remote: &str, plan: &share::Plan) -> Sent {
    let limit = ctx.settings.push_timeout;
    let how = Transport { may_ask: false, silence: limit, total: Some(limit), durable: true };
    let n_events: usize = plan.n_events.values().sum();
    match ctx.repo.push(remote, &plan.updates, how, |_| ()) {
        Ok(result) => match answers::of_push(&result) {
            None if plan.n_of_twins > 0 => of_twins(plan),
            None => Sent::Events(n_events),
            Some((said, reason)) => Sent::NotShared {
                n_events: n_events - plan.events_in(&result.accepted),
                said,
                reason: reason.to_owned(),
            },
        },
        Err(err) => {
            let (said, reason) = answers::of_error(&err);
            Sent::NotShared { n_events, said, reason }
        }
    }
}

/// What waits, since it would make twins there.
fn of_twins(plan: &share::Plan) -> Sent {
    Sent::NotShared { n_events: plan.n_of_twins, said: Said::Overtaken, reason: plan.set_aside.join(", ") }
}
