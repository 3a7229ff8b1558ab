//! What keeps an engine from a step, found before anything is recorded.

use super::{Plan, Request, UNGUARDED, is_for_engine, only_one, plan_of, target, uncommitted, work};
use crate::domain::run::RunKind;
use crate::domain::state::{Protocol, Step};
use crate::domain::status::{ProtocolStatus, StepStatus};
use crate::service::act::Verb;
use crate::service::ask;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::resolve;

/// Checks that what `verb` is about to begin can be run, if an engine does it; records nothing.
///
/// What the state does not allow is for the verb to refuse.
///
/// # Errors
///
/// As [`super::run`], for all that can be known without asking the engine.
pub fn check(ctx: &Context, request: &Request, verb: &Verb) -> Result<(), Error> {
    let (name, protocol) = match target(ctx, request) {
        Ok(found) => found,
        Err(err @ Error::State { code: UNGUARDED, .. }) => return Err(err),
        Err(_) => return Ok(()),
    };
    let Some(step) = about_to_run(&protocol, request, verb) else { return Ok(()) };
    if !is_for_engine(ctx, request, &step) {
        return Ok(());
    }
    let plan = plan_of(ctx, request, name, protocol, step)?;
    drop(only_one(ctx, &plan.name)?);
    let before = work::Before::of(&plan.place)?;
    if uncommitted(&plan, &before).is_some() {
        return Ok(());
    }
    check_engine(ctx, &plan)?;
    check_worktree(request, &plan, &before.dirty)
}

/// Returns the step that runs after a verb; `None` if the verb is refused, or none does.
fn about_to_run(protocol: &Protocol, request: &Request, verb: &Verb) -> Option<Step> {
    let is_paused = protocol.recorded == ProtocolStatus::Paused;
    if protocol.shown.is_final() || (is_paused && !matches!(verb, Verb::Resume)) {
        return None;
    }
    let named = || protocol.step(&resolve::step(protocol, request.step.as_deref()).ok()?);
    let is = |step: &&Step, all: &[StepStatus]| all.contains(&step.recorded);
    let step = match verb {
        Verb::Next => protocol.ready_steps().find(|step| is(step, &[StepStatus::Pending])),
        Verb::Retry => named().filter(|step| is(step, &[StepStatus::Failed, StepStatus::Blocked])),
        _ => named().filter(|step| is(step, &[StepStatus::Running, StepStatus::Pending])),
    };
    step.cloned()
}

/// Checks that somebody agreed to an engine for this, and that it or one that it falls back on is there.
pub(super) fn check_engine(ctx: &Context, plan: &Plan) -> Result<(), Error> {
    let queue = ask::choose(ctx, RunKind::Step, &plan.wish)?;
    let mut missing = Vec::new();
    for chosen in &queue {
        match chosen.engine.missing() {
            Some(why) => missing.push((&chosen.name, why)),
            None => return Ok(()),
        }
    }
    let Some((name, why)) = missing.into_iter().next() else { return Ok(()) };
    Err(Error::Engine {
        code: "engine.unavailable",
        message: format!("the engine {name} cannot run: {why}"),
        hint: Some(format!("git godzilla engines check {name}")),
    })
}

/// Checks that the worktree holds nothing that a run could be mixed up with.
pub(super) fn check_worktree(request: &Request, plan: &Plan, dirty: &[String]) -> Result<(), Error> {
    let goes_on = plan.session.is_some() || was_cut_off(&plan.protocol, &plan.step);
    if dirty.is_empty() || request.include_dirty || goes_on {
        return Ok(());
    }
    let some: Vec<&str> = dirty.iter().take(5).map(String::as_str).collect();
    let more = if dirty.len() > 5 { format!(" and {} more", dirty.len() - 5) } else { String::new() };
    let (dir, step) = (plan.place.dir.display(), &plan.step.id);
    Err(Error::state(
        "worktree.dirty",
        format!("{dir} holds what is not committed: {}{more}", some.join(", ")),
        format!(
            "commit it, or let it be a part of the step: git godzilla run {step} -p {} --include-dirty",
            plan.name
        ),
    ))
}

/// Whether what lies in the worktree may be the work of a run of this step that was cut off.
fn was_cut_off(protocol: &Protocol, step: &Step) -> bool {
    let last = protocol.runs_of(&step.id).filter(|run| run.started.kind == RunKind::Step).last();
    let finished = last.and_then(|run| run.finished.as_ref());
    finished.is_some_and(|finished| finished.status != crate::domain::run::RunStatus::Succeeded)
}
