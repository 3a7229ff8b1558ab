//! What follows a run: the step's status, its policies, QA.

use super::{Ran, Request, qa_follows};
use crate::domain::decide;
use crate::domain::event::{Body, Draft, Event};
use crate::domain::id::{Name, Oid, StepId, Ulid};
use crate::domain::ledger::Ledger;
use crate::domain::policy::Occasion;
use crate::domain::run::RunStatus;
use crate::domain::state::Protocol;
use crate::domain::status::{ProtocolMove, StepMove, StepStatus};
use crate::domain::text;
use crate::service::act::{self, Verb};
use crate::service::ask::{self, Asked, Told};
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::observe;
use crate::service::qa::{self, Watch};
use crate::service::streams::Streams;

/// Takes over what the branch shows, and decides what the end of the run means for the step.
pub(super) fn record(
    ctx: &Context,
    name: &Name,
    id: &StepId,
    asked: &Asked,
    did_something: bool,
    notices: &mut Vec<String>,
) -> Result<(Protocol, Option<Occasion>), Error> {
    let status = asked.outcome.status;
    let streams = Streams::for_target(ctx, Some(name.as_str()))?;
    let mut occasion = None;
    let mut forged = Vec::new();
    let host = ctx.repo.clone_label();
    let appended = streams.append(name, &mut |ledger, _| {
        let tips = match ledger.protocol() {
            Some(protocol) => streams.branches.of(protocol, streams.inventory.home()),
            None => return Err(act::unknown(name)),
        };
        let pushed = |oid: Oid| observe::is_pushed(&ctx.repo, &tips, oid);
        let step = ledger.protocol().and_then(|it| it.step(id));
        let recorded = step.map(|step| step.recorded);
        forged = decided_meanwhile(ledger, host.as_deref(), asked.run);
        if !forged.is_empty() {
            ledger.push(Draft::new(Body::Undo { targets: forged.clone() }));
        }
        if did_something {
            if recorded == Some(StepStatus::Running) {
                decide::done(ledger, id, false, &pushed)?;
            }
            occasion = Some(Occasion::ExecCompleted);
        } else if status != RunStatus::Succeeded && !ask::is_no_fault_of_the_step(status) {
            if recorded == Some(StepStatus::Running) {
                decide::fail(ledger, id, reason(asked))?;
            }
            occasion = Some(Occasion::ExecFailed);
        }
        Ok(())
    })?;
    super::super::after_write(ctx, &appended);
    if !forged.is_empty() {
        notices.push(format!(
            "while the run went on, somebody decided {} in a person's name; taken back: git godzilla log {name} --all",
            counted(forged.len())
        ));
    }
    Ok((appended.protocol.ok_or_else(|| act::unknown(name))?, occasion))
}

fn counted(n: usize) -> String {
    if n == 1 { "something".to_owned() } else { format!("{n} things") }
}

/// Returns what was decided in this clone since a run began, and only people decide: an engine can write
/// whatever it likes into the repository, and people wait for the run to end.
fn decided_meanwhile(ledger: &Ledger<'_>, host: Option<&str>, run: Ulid) -> Vec<Ulid> {
    let events = ledger.events();
    let begin = events.iter().position(|event| matches!(&event.body, Body::RunStarted(it) if it.run == run));
    let since = begin.map_or(&[][..], |begin| &events[begin..]);
    let is_for_people = |event: &&Event| match &event.body {
        Body::Step(change) => {
            let by_people = change.evidence.as_ref().is_some_and(|evidence| evidence.by == "approval");
            by_people || matches!(change.to, StepMove::Approved | StepMove::Skipped)
        }
        // A commit that changes the plan is its cause; without one a person said so.
        Body::SpecChanged { .. } => event.cause.is_none(),
        Body::Protocol { to, .. } => matches!(to, ProtocolMove::Cancelled | ProtocolMove::Completed),
        Body::GatesAccepted(_) => true,
        _ => false,
    };
    // What another clone decided meanwhile is no doing of this engine.
    let is_here = |event: &&Event| event.actor.host.as_deref() == host;
    since.iter().filter(is_here).filter(is_for_people).map(|event| event.id).collect()
}

fn reason(asked: &Asked) -> String {
    let said = text::clip(&text::one_line(&asked.outcome.text), 300);
    let status = asked.outcome.status;
    if said.is_empty() {
        format!("the run ended with {status}")
    } else {
        format!("the run ended with {status}: {said}")
    }
}

/// Holds a protocol that a budget keeps from going on, so that it is seen to need somebody.
pub(super) fn held(ctx: &Context, name: &Name, err: Error) -> Error {
    let Error::Refused(mut refusal) = err else { return err };
    if refusal.code.starts_with("budget.") {
        let verb = Verb::Pause { reason: Some(refusal.message.clone()) };
        match act::act(ctx, Some(name.as_str()), None, &verb) {
            Ok(_) => {
                let more = format!("; {name} is paused until `git godzilla resume {name}`");
                refusal.message.push_str(&more);
            }
            Err(failed) => tracing::warn!(%failed, "the protocol could not be paused"),
        }
    }
    refusal.into()
}

/// Runs QA where it follows by itself.
pub(super) fn judge(ctx: &Context, request: &Request, ran: &mut Ran, tell: &mut dyn FnMut(Told<'_>)) {
    let step = ran.protocol.step(&ran.step).filter(|step| step.recorded == StepStatus::NeedsQa);
    let Some(step) = step.filter(|step| qa_follows(request, step.qa)) else { return };
    let asked = qa::Request {
        name: Some(ran.name.to_string()),
        step: Some(step.id.to_string()),
        ..qa::Request::default()
    };
    let mut watch = |watched: Watch<'_>| {
        if let Watch::Engine(told) = watched {
            tell(told);
        }
    };
    match qa::qa(ctx, &asked, &mut watch) {
        Ok(judged) => {
            ran.protocol = judged.protocol.clone();
            ran.judged = Some(Box::new(judged));
        }
        // The run is done and recorded; what keeps QA from running is said beside it.
        Err(err) => ran.notices.push(format!("QA did not run: {}", super::super::error_chain(&err))),
    }
}
