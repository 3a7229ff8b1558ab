//! What follows a run: the step's status, its policies, QA.

use super::{Ran, Request, qa_follows};
use crate::domain::decide;
use crate::domain::event::{Body, Draft};
use crate::domain::id::{Name, Oid, StepId};
use crate::domain::policy::Occasion;
use crate::domain::run::{Artifact, RunStatus};
use crate::domain::state::Protocol;
use crate::domain::status::StepStatus;
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
    artifacts: &[Artifact],
) -> Result<(Protocol, Option<Occasion>), Error> {
    let status = asked.outcome.status;
    let streams = Streams::for_target(ctx, Some(name.as_str()))?;
    let mut occasion = None;
    let appended = streams.append(name, &mut |ledger, _| {
        let tips = match ledger.protocol() {
            Some(protocol) => streams.branches.of(protocol, streams.inventory.home()),
            None => return Err(act::unknown(name)),
        };
        let pushed = |oid: Oid| observe::is_pushed(&ctx.repo, &tips, oid);
        let step = ledger.protocol().and_then(|it| it.step(id));
        let (recorded, attempt) = (step.map(|step| step.recorded), step.map(|step| step.attempt));
        for artifact in artifacts {
            let body = Body::ArtifactAdded(artifact.clone());
            ledger.push(Draft { step: Some(id.clone()), attempt, ..Draft::new(body) });
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
    Ok((appended.protocol.ok_or_else(|| act::unknown(name))?, occasion))
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
    let Error::Refused(refusal) = &err else { return err };
    if refusal.code.starts_with("budget.") {
        let verb = Verb::Pause { reason: Some(refusal.message.clone()) };
        if let Err(failed) = act::act(ctx, Some(name.as_str()), None, &verb) {
            tracing::warn!(%failed, "the protocol could not be paused");
        }
    }
    err
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
