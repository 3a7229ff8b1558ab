//! What a commit means: the automatic events that follow from what git shows.

use std::collections::BTreeSet;

use super::decide::{Pushed, finish, push_step_caused, start_protocol};
use super::event::{Body, Cause, CommitSeen, Draft, Event, StepChange};
use super::id::Oid;
use super::ledger::Ledger;
use super::state::Protocol;
use super::status::{ProtocolStatus, StepMove, StepStatus};
use super::undo;

/// How many lost commits one event names; 64 hex digits and their quotes each, within 64 KiB.
pub const MAX_GONE: usize = 900;

/// Why a commit was recorded without moving its step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    Paused,
    Blocked(String),
    /// The step waits for these.
    Order {
        step: String,
        waits_for: Vec<String>,
    },
}

/// Records a commit of the protocol's branch and what follows from it.
///
/// A `rewritten` commit only stands for another one and moves nothing.
pub fn commit(
    ledger: &mut Ledger<'_>,
    seen: CommitSeen,
    at_ms: u64,
    rewritten: bool,
    pushed: Pushed<'_>,
) -> Option<Held> {
    let (oid, done) = (seen.commit, seen.done);
    let cause = (Cause::commit(oid), at_ms);
    let draft = Draft::new(Body::CommitSeen(seen));
    ledger.push(draft.caused_by(cause.0.clone(), at_ms));
    if rewritten {
        return None;
    }
    let protocol = ledger.protocol()?;
    if protocol.recorded.is_final() || protocol.merged.is_some() || protocol.is_plan(oid) {
        return None;
    }
    if protocol.recorded == ProtocolStatus::Paused {
        return Some(Held::Paused);
    }
    let id = protocol.commits.get(&oid)?.step.clone()?;
    let step = protocol.step(&id)?;
    let status = step.recorded;
    let waits_for: Vec<String> = protocol.open_dependencies(step).map(|dep| dep.id.to_string()).collect();
    match status {
        StepStatus::Blocked => return Some(Held::Blocked(id.to_string())),
        StepStatus::Pending if !waits_for.is_empty() => {
            return Some(Held::Order { step: id.to_string(), waits_for });
        }
        _ => (),
    }
    start_protocol(ledger, Some(cause.clone()));
    if matches!(status, StepStatus::Pending | StepStatus::Failed) {
        let change = StepChange { to: StepMove::Started, reason: None, no_commit: false, evidence: None };
        push_step_caused(ledger, &id, change, Some(cause.clone()));
    }
    let running =
        ledger.protocol().and_then(|p| p.step(&id)).is_some_and(|s| s.recorded == StepStatus::Running);
    if done && running {
        finish(ledger, &id, false, Some(cause), pushed);
    }
    None
}

/// Whether what git showed of the step of a commit was taken back: an amend does not say it again.
pub fn is_held(ledger: &Ledger<'_>, seen: &CommitSeen) -> bool {
    const BY_GIT: &[StepMove] = &[StepMove::Started, StepMove::Submitted, StepMove::Completed];
    let current = || Some(&ledger.protocol()?.current_step()?.id);
    seen.step.as_ref().or_else(current).is_some_and(|id| undo::is_held(ledger, id, BY_GIT))
}

/// Records that `new` stands for `old`, unless some event says so.
pub fn rewritten(ledger: &mut Ledger<'_>, old: Oid, new: Oid, kind: &str, at_ms: u64) {
    let is_told = |event: &Event| matches!(event.body, Body::CommitRewritten { old: from, new: to, .. } if (from, to) == (old, new));
    if !ledger.events().iter().any(is_told) {
        let body = Body::CommitRewritten { old, new, kind: kind.to_owned() };
        ledger.push(Draft::new(body).caused_by(Cause(format!("commit:{old}:{new}")), at_ms));
    }
}

/// Records that commits are no longer on the branch, whose tip is `tip`. The last such word holds,
/// so `gone` are all commits that events name and the branch does not reach, not only the new ones.
pub fn vanished(ledger: &mut Ledger<'_>, tip: Oid, at_ms: u64, gone: Vec<Oid>) {
    let is_same_tip =
        |event: &&Event| matches!(event.body, Body::BranchTip { tip: known, .. } if known == tip);
    let again = ledger.events().iter().filter(is_same_tip).count();
    let draft = Draft::new(Body::BranchTip { tip, gone });
    ledger.push(draft.caused_by(Cause::tip(tip, again), at_ms));
}

/// Returns all commits that some event names, whatever became of the event.
pub fn named_commits(events: &[Event]) -> BTreeSet<Oid> {
    events
        .iter()
        .filter_map(|event| match &event.body {
            Body::CommitSeen(seen) => Some(seen.commit),
            _ => None,
        })
        .collect()
}

/// Returns whether some event already says that this merge happened.
pub fn names_merge(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event.body, Body::MergeDetected(_)))
}

/// Whether a merge would still change anything.
pub fn awaits_merge(protocol: &Protocol) -> bool {
    protocol.merged.is_none() && protocol.has_work() && protocol.recorded != ProtocolStatus::Completed
}
