//! What ends a step that needs QA, without anybody asking for it: a gate that opened, a verdict.

use super::{Pushed, step_draft};
use crate::domain::ci::JobResult;
use crate::domain::event::{Cause, Draft, Evidence, StepChange};
use crate::domain::ledger::Ledger;
use crate::domain::spec::QaPolicy;
use crate::domain::state::{Protocol, Step};
use crate::domain::status::{ProtocolStatus, StepMove, StepStatus};
use crate::domain::undo;

/// What ends a step that needs QA.
const ENDS: &[StepMove] = &[StepMove::Completed, StepMove::Approved, StepMove::Failed];

/// Whether [`settle`] would complete a step.
pub fn would_settle(protocol: &Protocol, pushed: Pushed<'_>) -> bool {
    let is_live = !protocol.shown.is_final() && protocol.recorded != ProtocolStatus::Paused;
    is_live && protocol.steps.iter().any(|step| is_ready_to_settle(protocol, step, pushed))
}

fn is_ready_to_settle(protocol: &Protocol, step: &Step, pushed: Pushed<'_>) -> bool {
    settled_by(protocol, step, pushed).is_some()
}

/// Ends steps for which all is there that they waited for: an open gate, a verdict.
pub fn settle(ledger: &mut Ledger<'_>, pushed: Pushed<'_>) {
    let Some(protocol) = ledger.protocol() else { return };
    if protocol.shown.is_final() || protocol.recorded == ProtocolStatus::Paused {
        return;
    }
    let ready: Vec<Draft> = protocol
        .steps
        .iter()
        // A gate that is open says nothing new, nor does a verdict from before.
        .filter(|step| match undo::held_since(ledger, &step.id, ENDS) {
            Some(undone) => step.qa != QaPolicy::Skip && is_judged_since(ledger, step, undone),
            None => true,
        })
        .filter_map(|step| {
            let (change, cause) = settled_by(protocol, step, pushed)?;
            // What opened the gate happened when its newest report, verdict or commit did.
            let reported = step.jobs.0.values().map(|job| job.at_ms).max();
            let judged = step.verdict.as_ref().map(|verdict| verdict.at_ms);
            let committed =
                step.newest().and_then(|oid| protocol.commits.get(&oid)).map(|commit| commit.at_ms);
            let at_ms = reported.max(judged).max(committed).unwrap_or(protocol.updated_at_ms);
            Some(step_draft(step, change).caused_by(cause, at_ms))
        })
        .collect();
    for draft in ready {
        // Also one that was undone or rejected has been decided.
        if !ledger.names(&draft) {
            ledger.push(draft);
        }
    }
}

/// Whether the verdict about a step came after the event at `place`.
fn is_judged_since(ledger: &Ledger<'_>, step: &Step, place: usize) -> bool {
    let Some(verdict) = &step.verdict else { return false };
    ledger.events()[place..].iter().any(|event| event.id == verdict.id)
}

/// Returns what holds the completion of a step, but for QA.
pub fn waits_for(protocol: &Protocol, step: &Step, pushed: Pushed<'_>) -> Option<&'static str> {
    let has_commits = step.newest().is_some();
    match step.ci {
        JobResult::None | JobResult::Success => (),
        JobResult::Failure => return Some("CI is red"),
        JobResult::Cancelled => return Some("a CI job was cancelled"),
        JobResult::Pending | JobResult::Running => return Some("CI is not green yet"),
    }
    if has_commits && !protocol.required_ci.is_empty() && step.ci == JobResult::None {
        return Some("a required CI job has not reported");
    }
    let newest = step.newest()?;
    (protocol.push_gate && pushed(newest).is_none()).then_some("its commits are not pushed yet")
}

/// Returns what ends a step that needs QA now, and the cause of it.
fn settled_by(protocol: &Protocol, step: &Step, pushed: Pushed<'_>) -> Option<(StepChange, Cause)> {
    if step.recorded != StepStatus::NeedsQa {
        return None;
    }
    if step.qa == QaPolicy::Skip {
        let cause = || step.newest().map_or_else(|| Cause(format!("policy:{}", step.id)), Cause::pushed);
        let is_open = waits_for(protocol, step, pushed).is_none();
        return is_open.then(|| (completed_by_policy(protocol, step, pushed), cause()));
    }
    let verdict = step.verdict.as_ref().filter(|verdict| !verdict.stale)?;
    let to = match verdict.verdict.result.as_str() {
        "pass" if waits_for(protocol, step, pushed).is_none() => StepMove::Completed,
        "fail" => StepMove::Failed,
        _ => return None,
    };
    let evidence = Evidence {
        by: "qa".to_owned(),
        verdict: Some(verdict.id),
        content_tree: Some(verdict.verdict.content_tree),
        ..gates_that_are_open(protocol, step, pushed)
    };
    let change = StepChange { to, reason: None, no_commit: false, evidence: Some(evidence.into()) };
    Some((change, Cause::verdict(verdict.id)))
}

fn gates_that_are_open(protocol: &Protocol, step: &Step, pushed: Pushed<'_>) -> Evidence {
    let newest = step.newest();
    Evidence {
        content_tree: newest.and_then(|oid| protocol.commits.get(&oid)).map(|commit| commit.content_tree),
        ci: step.jobs.0.values().map(|job| job.id).collect(),
        pushed: newest.filter(|_| protocol.push_gate).and_then(|oid| Some((pushed(oid)?, oid))),
        ..Evidence::default()
    }
}

pub(super) fn completed_by_policy(protocol: &Protocol, step: &Step, pushed: Pushed<'_>) -> StepChange {
    let evidence = Evidence { by: "policy".to_owned(), ..gates_that_are_open(protocol, step, pushed) };
    StepChange { to: StepMove::Completed, reason: None, no_commit: false, evidence: Some(evidence.into()) }
}
