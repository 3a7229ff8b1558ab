//! What follows a step by its policies, recorded.

use super::act;
use super::context::Context;
use super::error::Error;
use super::streams::Streams;
use crate::domain::event::Body;
use crate::domain::id::{Name, StepId};
use crate::domain::policy::{self, Caps, Occasion};
use crate::domain::sentence;
use crate::domain::state::Protocol;
use crate::domain::status::{StepMove, StepStatus};

/// What a policy did, or why it did nothing.
#[derive(Clone, Debug)]
pub struct Decided {
    /// For people.
    pub said: String,
    /// `loop`, `trigger`, or the code of a note, such as `limit`.
    pub what: String,
    pub policy: String,
    /// The step that the work goes on with; `None` if nothing was done.
    pub target: Option<StepId>,
    /// After all of it.
    pub protocol: Protocol,
}

/// Follows the policies of a step after `occasion`. When this returns, what they decided is in the local
/// ref. A step without policies, and one that has moved on meanwhile, decides nothing and writes nothing.
///
/// # Errors
///
/// What keeps the stream from being read or written.
pub fn after(ctx: &Context, name: &Name, step: &StepId, occasion: Occasion) -> Result<Vec<Decided>, Error> {
    let streams = Streams::for_target(ctx, Some(name.as_str()))?;
    let known = streams.look(name)?.folded.protocol.ok_or_else(|| act::unknown(name))?;
    let has_policies = |protocol: &Protocol| {
        protocol.step(step).and_then(|step| step.more.as_ref()).is_some_and(|more| !more.policies.is_empty())
    };
    if !has_policies(&known) {
        return Ok(Vec::new());
    }
    let caps = caps(ctx);
    let mut ids = Vec::new();
    let appended = streams.append(name, &mut |ledger, _| {
        // It may be decided again, on what another writer has left.
        ids.clear();
        let Some(protocol) = ledger.protocol() else { return Err(act::unknown(name)) };
        let Some(found) = protocol.step(step).filter(|step| stands_for(step.recorded, occasion)) else {
            return Ok(());
        };
        for draft in policy::decide(protocol, found, occasion, &caps) {
            // Also one that was taken back has been decided.
            if !ledger.names(&draft) {
                ledger.push(draft);
                ids.extend(ledger.new_events().last().map(|event| event.id));
            }
        }
        Ok(())
    })?;
    super::after_write(ctx, &appended);
    let protocol = appended.protocol.ok_or_else(|| act::unknown(name))?;
    let decided = appended.events.iter().filter(|event| ids.contains(&event.id)).filter_map(|event| {
        let (what, policy, target) = match &event.body {
            Body::PolicyLooped(looped) => ("loop", &looped.policy, Some(looped.target.clone())),
            Body::PolicyTriggered(called) => ("trigger", &called.policy, Some(called.target.clone())),
            Body::PolicyNoted(noted) => (noted.code.as_str(), &noted.policy, None),
            _ => return None,
        };
        let (what, policy, protocol) = (what.to_owned(), policy.clone(), protocol.clone());
        Some(Decided { said: sentence::followed(event), what, policy, target, protocol })
    });
    Ok(decided.collect())
}

/// Returns what moved a step by QA, of what was recorded; `None` if QA did not move it.
pub(super) fn occasion_of(events: &[crate::domain::event::Event], step: &StepId) -> Option<Occasion> {
    events.iter().filter(|event| event.step.as_ref() == Some(step)).find_map(|event| match &event.body {
        Body::Step(change) if change.evidence.as_ref().is_some_and(|evidence| evidence.by == "qa") => {
            match change.to {
                StepMove::Completed => Some(Occasion::QaPassed),
                StepMove::Failed => Some(Occasion::QaFailed),
                _ => None,
            }
        }
        _ => None,
    })
}

/// Whether a step is still where `occasion` left it.
fn stands_for(status: StepStatus, occasion: Occasion) -> bool {
    match occasion {
        Occasion::QaFailed | Occasion::ExecFailed => status == StepStatus::Failed,
        Occasion::QaPassed => status == StepStatus::Completed,
        Occasion::ExecCompleted => matches!(status, StepStatus::NeedsQa | StepStatus::Completed),
    }
}

fn caps(ctx: &Context) -> Caps {
    let caps = &ctx.settings.engines.caps;
    Caps {
        iterations: caps.iterations,
        depth: caps.depth,
        time_ms: u64::try_from(caps.time.as_millis()).unwrap_or(u64::MAX),
        tokens: caps.tokens,
        same_failure: caps.same_failure,
    }
}
