//! What people ask for, decided against the state: one function per verb.
//!
//! Each function pushes events to the [`Ledger`] or refuses. Asking for what is already so pushes
//! nothing and is no error, so that a command that was interrupted can be run again.

mod archive;
mod refusal;
mod settle;

pub use self::archive::{pin, reopen, unpin};
pub use self::refusal::{Refusal, RefusalKind};
use self::settle::completed_by_policy;
pub use self::settle::{settle, waits_for, would_settle};

use super::event::{Body, Cause, Draft, Evidence, StepChange};
use super::id::{Oid, StepId};
use super::ledger::Ledger;
use super::spec::QaPolicy;
use super::state::{Protocol, Step};
use super::status::{ProtocolMove, ProtocolStatus, StepMove, StepStatus};

/// Tells which remote holds a commit of the protocol's branch, if any does.
pub type Pushed<'a> = &'a dyn Fn(Oid) -> Option<String>;

/// Makes a pending step running.
///
/// # Errors
///
/// [`Refusal`] if the protocol or the step is in another state, or a dependency is open.
pub fn start(ledger: &mut Ledger<'_>, id: &StepId) -> Result<(), Refusal> {
    let (protocol, step) = live_step(ledger, id)?;
    let name = protocol.name();
    match step.recorded {
        StepStatus::Running => return Ok(()),
        StepStatus::Pending => check_order(protocol, step)?,
        StepStatus::Failed => {
            return Err(Refusal::state(
                "step.failed",
                format!("step {id} failed"),
                format!("git godzilla retry {id} -p {name}"),
            ));
        }
        status => return Err(wrong_step_state("start", id, status, &name)),
    }
    start_protocol(ledger, None);
    push_step(ledger, id, StepMove::Started, None);
    Ok(())
}

/// Makes the next runnable step running and returns it.
///
/// # Errors
///
/// [`Refusal`] if no step is pending with all its dependencies settled.
pub fn next(ledger: &mut Ledger<'_>) -> Result<StepId, Refusal> {
    let protocol = live(ledger)?;
    let name = protocol.name();
    let Some(step) = protocol.ready_steps().find(|step| step.recorded == StepStatus::Pending) else {
        let (message, hint) = match protocol.current_step() {
            Some(step) => (
                format!("no step can start: step {} is {}", step.id, step.shown),
                format!("git godzilla explain {name}"),
            ),
            None => ("every step is settled".to_owned(), "merge the branch and push".to_owned()),
        };
        return Err(Refusal::state("step.none_ready", message, hint));
    };
    let id = step.id.clone();
    start(ledger, &id)?;
    Ok(id)
}

/// Ends the work on a running step: it needs QA, or is completed where the plan asks for none and
/// no gate holds it.
///
/// # Errors
///
/// [`Refusal`] if the step has no commit (unless `no_commit`), or its state does not allow it.
pub fn done(
    ledger: &mut Ledger<'_>,
    id: &StepId,
    no_commit: bool,
    pushed: Pushed<'_>,
) -> Result<(), Refusal> {
    let (protocol, step) = live_step(ledger, id)?;
    let name = protocol.name();
    match step.recorded {
        StepStatus::NeedsQa | StepStatus::Completed => return Ok(()),
        StepStatus::Pending if no_commit => check_order(protocol, step)?,
        StepStatus::Pending | StepStatus::Running => (),
        status => return Err(wrong_step_state("end", id, status, &name)),
    }
    if step.commits.is_empty() && !no_commit {
        return Err(Refusal::state(
            "step.no_commit",
            format!("step {id} has no commit yet"),
            "commit on the protocol's branch, or say `--no-commit` if there is nothing to commit",
        ));
    }
    if step.recorded == StepStatus::Pending {
        start_protocol(ledger, None);
        push_step(ledger, id, StepMove::Started, None);
    }
    finish(ledger, id, no_commit, None, pushed);
    Ok(())
}

/// Says that the work on a running step came to nothing.
///
/// # Errors
///
/// [`Refusal`] if the step is not running.
pub fn fail(ledger: &mut Ledger<'_>, id: &StepId, reason: String) -> Result<(), Refusal> {
    let (protocol, step) = live_step(ledger, id)?;
    match step.recorded {
        StepStatus::Failed => return Ok(()),
        StepStatus::Running => (),
        status => return Err(wrong_step_state("fail", id, status, &protocol.name())),
    }
    push_step(ledger, id, StepMove::Failed, Some(reason));
    Ok(())
}

/// Checks that a step may be run: begun, begun once more, or gone on with.
///
/// # Errors
///
/// [`Refusal`] if the protocol or the step is in another state, or a dependency is open.
pub fn may_run(protocol: &Protocol, step: &Step) -> Result<(), Refusal> {
    is_live(protocol)?;
    match step.recorded {
        StepStatus::Running | StepStatus::Failed => Ok(()),
        StepStatus::Pending => check_order(protocol, step),
        status => Err(wrong_step_state("run", &step.id, status, &protocol.name())),
    }
}

/// Takes a step out of the way, with a reason.
///
/// # Errors
///
/// [`Refusal`] if the step is settled.
pub fn block(ledger: &mut Ledger<'_>, id: &StepId, reason: Option<String>) -> Result<(), Refusal> {
    let (protocol, step) = live_step(ledger, id)?;
    match step.recorded {
        StepStatus::Blocked => return Ok(()),
        status if status.is_final() => return Err(wrong_step_state("block", id, status, &protocol.name())),
        _ => (),
    }
    push_step(ledger, id, StepMove::Blocked, reason);
    Ok(())
}

/// Lets a blocked step go on where it was.
///
/// # Errors
///
/// [`Refusal`] if the step is not blocked.
pub fn unblock(ledger: &mut Ledger<'_>, id: &StepId) -> Result<(), Refusal> {
    let (protocol, step) = live_step(ledger, id)?;
    if step.recorded != StepStatus::Blocked {
        return Err(wrong_step_state("unblock", id, step.recorded, &protocol.name()));
    }
    push_step(ledger, id, StepMove::Unblocked, None);
    Ok(())
}

/// Gives a step up; the order goes on without it.
///
/// # Errors
///
/// [`Refusal`] if the step is completed.
pub fn skip(ledger: &mut Ledger<'_>, id: &StepId, reason: String) -> Result<(), Refusal> {
    let (protocol, step) = live_step(ledger, id)?;
    match step.recorded {
        StepStatus::Cancelled => return Ok(()),
        StepStatus::Completed => return Err(wrong_step_state("skip", id, step.recorded, &protocol.name())),
        _ => (),
    }
    push_step(ledger, id, StepMove::Skipped, Some(reason));
    Ok(())
}

/// Completes a step on a person's word.
///
/// # Errors
///
/// [`Refusal`] if the step needs no QA now, or failed and no reason is given.
pub fn approve(
    ledger: &mut Ledger<'_>,
    id: &StepId,
    reason: Option<String>,
    mode: &str,
) -> Result<(), Refusal> {
    let (protocol, step) = live_step(ledger, id)?;
    let name = protocol.name();
    match step.recorded {
        StepStatus::Completed => return Ok(()),
        StepStatus::NeedsQa => (),
        StepStatus::Failed if reason.is_some() => (),
        StepStatus::Failed => {
            return Err(Refusal::state(
                "approve.reason",
                format!("step {id} failed; approving it needs a reason"),
                format!("git godzilla approve {id} -p {name} --reason \"…\""),
            ));
        }
        status => return Err(wrong_step_state("approve", id, status, &name)),
    }
    let newest = step.newest().and_then(|oid| protocol.commits.get(&oid));
    let evidence = Evidence {
        by: "approval".to_owned(),
        content_tree: newest.map(|commit| commit.content_tree),
        mode: Some(mode.to_owned()),
        ..Evidence::default()
    };
    let change =
        StepChange { to: StepMove::Approved, reason, no_commit: false, evidence: Some(evidence.into()) };
    let draft = step_draft(step, change);
    ledger.push(draft);
    Ok(())
}

/// Starts a failed or blocked step once more.
///
/// # Errors
///
/// [`Refusal`] if the step is neither; one that only *shows* failed has nothing to retry.
pub fn retry(ledger: &mut Ledger<'_>, id: &StepId) -> Result<(), Refusal> {
    let (protocol, step) = live_step(ledger, id)?;
    match (step.recorded, step.shown) {
        (StepStatus::Failed | StepStatus::Blocked, _) => (),
        (_, StepStatus::Failed) => {
            return Err(Refusal::state(
                "step.ci_red",
                format!("step {id} is red in CI, there is nothing to retry here"),
                "fix it and commit, or re-run the job",
            ));
        }
        (status, _) => return Err(wrong_step_state("retry", id, status, &protocol.name())),
    }
    push_step(ledger, id, StepMove::Retried, None);
    Ok(())
}

/// Holds a protocol.
///
/// # Errors
///
/// [`Refusal`] if the protocol is over.
pub fn pause(ledger: &mut Ledger<'_>, reason: Option<String>) -> Result<(), Refusal> {
    let protocol = not_over(ledger)?;
    if protocol.recorded != ProtocolStatus::Paused {
        push_protocol(ledger, ProtocolMove::Paused, reason, None);
    }
    Ok(())
}

/// Lets a paused protocol go on.
///
/// # Errors
///
/// [`Refusal`] if the protocol is not paused.
pub fn resume(ledger: &mut Ledger<'_>) -> Result<(), Refusal> {
    let protocol = not_over(ledger)?;
    match protocol.recorded {
        ProtocolStatus::Paused => push_protocol(ledger, ProtocolMove::Resumed, None, None),
        ProtocolStatus::Running => (),
        status => {
            return Err(Refusal::state(
                "protocol.not_paused",
                format!("protocol {} is {status}, not paused", protocol.name()),
                "",
            ));
        }
    }
    Ok(())
}

/// Gives a protocol up, with its open steps.
///
/// # Errors
///
/// [`Refusal`] if the protocol is completed.
pub fn cancel(ledger: &mut Ledger<'_>, reason: Option<String>) -> Result<(), Refusal> {
    let protocol = known(ledger)?;
    if protocol.recorded == ProtocolStatus::Cancelled {
        return Ok(());
    }
    not_over(ledger)?;
    push_protocol(ledger, ProtocolMove::Cancelled, reason, None);
    Ok(())
}

/// Completes a protocol that will never be merged.
///
/// # Errors
///
/// [`Refusal`] if the protocol is cancelled.
pub fn complete_unmerged(ledger: &mut Ledger<'_>, reason: String) -> Result<(), Refusal> {
    let protocol = known(ledger)?;
    if protocol.shown == ProtocolStatus::Completed {
        return Ok(());
    }
    not_over(ledger)?;
    push_protocol(ledger, ProtocolMove::Completed, Some(reason), None);
    Ok(())
}

/// Ends the work on a running step, by hand or because of `cause`.
pub(super) fn finish(
    ledger: &mut Ledger<'_>,
    id: &StepId,
    no_commit: bool,
    cause: Option<(Cause, u64)>,
    pushed: Pushed<'_>,
) {
    let Some(protocol) = ledger.protocol() else { return };
    let Some(step) = protocol.step(id) else { return };
    let draft = if step.qa == QaPolicy::Skip && waits_for(protocol, step, pushed).is_none() {
        step_draft(step, completed_by_policy(protocol, step, pushed))
    } else {
        let change = StepChange { to: StepMove::Submitted, reason: None, no_commit, evidence: None };
        step_draft(step, change)
    };
    ledger.push(with_cause(draft, cause));
}

/// Makes a planned protocol running: its first work begins.
pub(super) fn start_protocol(ledger: &mut Ledger<'_>, cause: Option<(Cause, u64)>) {
    if ledger.protocol().is_some_and(|protocol| protocol.recorded == ProtocolStatus::Planned) {
        push_protocol(ledger, ProtocolMove::Started, None, cause);
    }
}

fn push_protocol(
    ledger: &mut Ledger<'_>,
    to: ProtocolMove,
    reason: Option<String>,
    cause: Option<(Cause, u64)>,
) {
    let from = ledger.protocol().map(|protocol| protocol.recorded.as_str().to_owned());
    let draft = Draft { from, ..Draft::new(Body::Protocol { to, reason }) };
    ledger.push(with_cause(draft, cause));
}

fn push_step(ledger: &mut Ledger<'_>, id: &StepId, to: StepMove, reason: Option<String>) {
    push_step_caused(ledger, id, StepChange { to, reason, no_commit: false, evidence: None }, None);
}

pub(super) fn push_step_caused(
    ledger: &mut Ledger<'_>,
    id: &StepId,
    change: StepChange,
    cause: Option<(Cause, u64)>,
) {
    let Some(step) = ledger.protocol().and_then(|protocol| protocol.step(id)) else { return };
    let draft = with_cause(step_draft(step, change), cause);
    ledger.push(draft);
}

fn step_draft(step: &Step, change: StepChange) -> Draft {
    Draft {
        step: Some(step.id.clone()),
        attempt: Some(step.attempt),
        from: Some(step.recorded.as_str().to_owned()),
        ..Draft::new(Body::Step(change))
    }
}

fn with_cause(draft: Draft, cause: Option<(Cause, u64)>) -> Draft {
    match cause {
        Some((cause, at_ms)) => draft.caused_by(cause, at_ms),
        None => draft,
    }
}

fn known<'a>(ledger: &'a Ledger<'_>) -> Result<&'a Protocol, Refusal> {
    ledger.protocol().ok_or_else(|| {
        Refusal::unknown(
            "protocol.unknown",
            format!("there is no protocol {}", ledger.name()),
            "git godzilla list",
        )
    })
}

fn not_over<'a>(ledger: &'a Ledger<'_>) -> Result<&'a Protocol, Refusal> {
    let protocol = known(ledger)?;
    is_not_over(protocol)?;
    Ok(protocol)
}

fn is_not_over(protocol: &Protocol) -> Result<(), Refusal> {
    if protocol.shown.is_final() {
        let name = protocol.name();
        return Err(Refusal::state(
            "protocol.over",
            format!("protocol {name} is {}", protocol.shown),
            format!("git godzilla log {name}"),
        ));
    }
    Ok(())
}

fn live<'a>(ledger: &'a Ledger<'_>) -> Result<&'a Protocol, Refusal> {
    let protocol = known(ledger)?;
    is_live(protocol)?;
    Ok(protocol)
}

fn is_live(protocol: &Protocol) -> Result<(), Refusal> {
    is_not_over(protocol)?;
    if let Some(held) = protocol.held_by().filter(|_| protocol.recorded == ProtocolStatus::Paused) {
        return Err(Refusal::state("protocol.paused", held.message, held.remedy));
    }
    Ok(())
}

fn live_step<'a>(ledger: &'a Ledger<'_>, id: &StepId) -> Result<(&'a Protocol, &'a Step), Refusal> {
    let protocol = live(ledger)?;
    let step = protocol.step(id).ok_or_else(|| {
        let name = protocol.name();
        Refusal::unknown(
            "step.unknown",
            format!("protocol {name} has no step {id}"),
            format!("git godzilla show {name}"),
        )
    })?;
    Ok((protocol, step))
}

fn check_order(protocol: &Protocol, step: &Step) -> Result<(), Refusal> {
    let open: Vec<&Step> = protocol.open_dependencies(step).collect();
    let Some(first) = open.first() else { return Ok(()) };
    let list: Vec<String> = open.iter().map(|dep| format!("{} ({})", dep.id, dep.shown)).collect();
    let name = protocol.name();
    Err(Refusal::state(
        "step.order",
        format!("step {} waits for {}", step.id, list.join(", ")),
        format!("finish it, or give it up with `git godzilla skip {} -p {name} --reason \"…\"`", first.id),
    ))
}

fn wrong_step_state(verb: &str, id: &StepId, status: StepStatus, name: &str) -> Refusal {
    let hint = match status {
        StepStatus::Pending => format!("git godzilla start {id} -p {name}"),
        StepStatus::Blocked => format!("git godzilla unblock {id} -p {name}"),
        StepStatus::NeedsQa => format!("git godzilla approve {id} -p {name}"),
        StepStatus::Failed => format!("git godzilla retry {id} -p {name}"),
        StepStatus::Running => format!("git godzilla done {id} -p {name}"),
        StepStatus::Completed | StepStatus::Cancelled => String::new(),
    };
    Refusal::state("step.state", format!("cannot {verb} step {id}: it is {status}"), hint)
}
