//! Mending by an engine what a gate found, before the step is judged.
//!
//! It happens before a verdict is recorded: a step that failed would begin anew, with tries of its own. How
//! often it was tried is counted from what is recorded of the attempt, so that it holds in every process and
//! clone.

use super::{Case, GatesRan, Watch};
use crate::domain::event::GateResult;
use crate::domain::id::{Oid, Ulid};
use crate::domain::mend::{self, FailureClass};
use crate::domain::prompt::Values;
use crate::domain::status::StepStatus;
use crate::domain::text;
use crate::engine::WITHOUT_MODEL;
use crate::service::ask::{Told, Wish};
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::run::{self, Fix};
use crate::service::{error_chain, prompts};

/// How much of the step file is told, in characters.
const MAX_FILE: usize = 40_000;

/// Something that an engine mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    pub run: Ulid,
    pub engine: String,
    pub class: FailureClass,
    pub commit: Oid,
}

/// Has an engine mend what the gates found, if that is of a kind that may be, an engine did the step, and it was
/// not tried too often. Returns `None` if nothing was mended.
///
/// # Errors
///
/// [`Error`] if the branch or the stream cannot be read or written. What keeps an engine from mending is told
/// to whoever watches.
pub(super) fn mend(
    ctx: &Context,
    case: &Case,
    gates: &GatesRan,
    n_here: usize,
    watch: &mut dyn FnMut(Watch<'_>),
) -> Result<Option<Mended>, Error> {
    let Some((class, n_tried, n_allowed)) = is_to_be_mended(case, gates, n_here) else { return Ok(None) };
    let Some(wish) = who(case) else { return Ok(None) };
    let failed: Vec<&GateResult> = gates.results.iter().filter(|gate| gate.exit != Some(0)).collect();
    let names = failed.iter().map(|gate| gate.name.as_str()).collect::<Vec<_>>().join(", ");
    let said =
        failed.iter().map(|gate| format!("{}:\n{}\n", gate.name, gate.tail)).collect::<Vec<_>>().concat();
    let repo = &case.place.repo;
    let path = format!("{}/{}", case.own, case.step.file);
    let step_file = repo.text_at(repo.tree_of(case.place.head)?, &path)?.unwrap_or_default();
    let commands = failed.iter().map(|gate| format!("`{}`", gate.command)).collect::<Vec<_>>().join(", ");
    let values = Values::default()
        .word("protocol", &case.name)
        .word("step", &case.step.id)
        .quote("step_title", &case.step.title)
        .word("attempt", n_tried + 1)
        .word("attempts", n_allowed)
        .word("gate", commands)
        .data("failure", "what the gate said", &said)
        .data("step_file", "the step file", &text::clip(&step_file, MAX_FILE));
    let rendered = prompts::render(ctx, "fix", Some(case.judges.base), &values)?;
    let title = format!("fix({class}): what {names} found");
    let fix = Fix {
        name: &case.name,
        step: &case.step,
        place: &case.place,
        wish: &wish,
        prompt: &rendered.prompt,
        title: &title,
    };
    let fixed = match run::fix(ctx, &fix, &mut |told: Told<'_>| watch(Watch::Engine(told))) {
        Ok(fixed) => fixed,
        Err(err @ (Error::Refused(_) | Error::State { .. })) => {
            watch(Watch::Notice(&format!("{names} is left to people: {}", error_chain(&err))));
            return Ok(None);
        }
        Err(err) => return Err(err),
    };
    for notice in rendered.notice.iter().chain(&fixed.notices) {
        watch(Watch::Notice(notice));
    }
    if fixed.commit.is_none() {
        let how = format!("{} mended nothing; its run ended with {}", fixed.engine, fixed.status);
        watch(Watch::Notice(&how));
    }
    Ok(fixed.commit.map(|commit| Mended { run: fixed.run, engine: fixed.engine, class, commit }))
}

/// Returns what kind of thing is to be mended, how often that was tried, and how often it may be.
fn is_to_be_mended(case: &Case, gates: &GatesRan, n_here: usize) -> Option<(FailureClass, u64, u64)> {
    let is_open = matches!(case.step.recorded, StepStatus::NeedsQa | StepStatus::Running);
    let is_clean = !case.dirty && case.look.tree.is_none() && case.look.unlike.is_empty();
    if gates.result != "fail" || !is_open || !is_clean {
        return None;
    }
    let failed = gates.results.iter().filter(|gate| gate.exit != Some(0)).map(|gate| gate.name.as_str());
    let class = mend::mendable(failed)?;
    let runs = || case.protocol.runs_of(&case.step.id);
    let n_recorded = mend::n_tried(runs(), case.step.attempt);
    let n_tried = n_recorded.max(u64::try_from(n_here).unwrap_or(u64::MAX));
    let n_allowed = case.judges.settings.engines.caps.fixes;
    let may = mend::is_work_of_engine(runs(), case.step.attempt) && n_tried < n_allowed;
    may.then_some((class, n_tried, n_allowed))
}

/// Returns who mends: whoever does the step; `None` for people.
fn who(case: &Case) -> Option<Wish> {
    let more = case.step.more.as_deref();
    let planned = more.and_then(|more| more.engine.clone());
    let set = case.judges.settings.engines.phases.exec.clone();
    planned.clone().or(set).filter(|name| !WITHOUT_MODEL.contains(&name.as_str()))?;
    Some(Wish {
        planned_engine: planned,
        planned_model: more.and_then(|more| more.model.clone()),
        planned_timeout_seconds: more.and_then(|more| more.timeout_seconds),
        ..Wish::default()
    })
}
