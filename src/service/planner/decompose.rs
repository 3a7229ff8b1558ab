//! Saying more about the steps of a plan, before it is committed.

use super::{Says, Work};
use crate::domain::decompose::{Complexity, complexity, taken};
use crate::domain::drafted::{Drafted, DraftedStep};
use crate::domain::prompt::Values;
use crate::domain::redact;
use crate::domain::run::{RunKind, RunStatus};
use crate::domain::spec::StepKind;
use crate::domain::step_file;
use crate::engine::WITHOUT_MODEL;
use crate::service::error::Error;
use crate::service::prompts;

/// How often more is said about a step that stays hard.
const MAX_PASSES: usize = 3;

/// Which steps more is said about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decompose {
    #[default]
    All,
    /// Those that are not simple.
    NotSimple,
    None,
}

/// What came of one step.
enum Passed {
    More(DraftedStep),
    AsItWas(String),
}

impl Work<'_> {
    /// Returns the plan with more said about its steps. What goes wrong leaves a step as it was, and is
    /// noted; only being stopped ends all of it.
    pub(super) fn decompose(
        &mut self,
        mut drafted: Drafted,
        tell: &mut dyn FnMut(Says<'_>),
    ) -> Result<Drafted, Error> {
        if !self.is_decomposed() {
            return Ok(drafted);
        }
        let plan = drafted.plan.clone();
        let n_steps = drafted.steps.iter().filter(|step| step.kind != StepKind::Setup).count();
        let steps = drafted.steps.iter_mut().filter(|step| step.kind != StepKind::Setup);
        for (n, step) in (1..).zip(steps) {
            let how_hard = complexity(&step.body);
            if self.wanted.decompose == Decompose::NotSimple && how_hard == Complexity::Low {
                continue;
            }
            let passes = if how_hard == Complexity::High { MAX_PASSES } else { 1 };
            for pass in 0..passes {
                tell(Says::Decomposes { step: step.id.as_str(), n, of: n_steps });
                match self.pass(step, &plan, tell) {
                    Ok(Passed::More(more)) => {
                        let boxes = |step: &DraftedStep| step_file::boxes(&step.body).open;
                        let grew = boxes(&more) > boxes(step);
                        *step = more;
                        if !grew || complexity(&step.body) != Complexity::High {
                            break;
                        }
                    }
                    Ok(Passed::AsItWas(why)) if pass == 0 => {
                        self.notices.push(format!("step {} stays as it was planned: {why}", step.id));
                        break;
                    }
                    Ok(Passed::AsItWas(_)) => break,
                    Err(Error::Interrupted) => return Err(Error::Interrupted),
                    // What keeps one step from being asked about keeps the others as well.
                    Err(err) => {
                        let why = crate::service::error_chain(&err);
                        self.notices
                            .push(format!("from step {} on all stays as it was planned: {why}", step.id));
                        return Ok(drafted);
                    }
                }
            }
        }
        Ok(drafted)
    }

    fn is_decomposed(&self) -> bool {
        let phases = &self.ctx.settings.engines.phases;
        let engine = self.wanted.wish.engine.as_deref().or(phases.of(RunKind::Decompose));
        // Whoever names an engine for planning may still want no more of it.
        let is_off = phases.decompose.as_deref().is_some_and(|name| WITHOUT_MODEL.contains(&name));
        self.wanted.decompose != Decompose::None
            && !is_off
            && engine.is_some_and(|name| !WITHOUT_MODEL.contains(&name))
    }

    fn pass(
        &mut self,
        step: &DraftedStep,
        plan: &str,
        tell: &mut dyn FnMut(Says<'_>),
    ) -> Result<Passed, Error> {
        let sent = step.to_text(self.question.qa().as_str());
        let values = Values::default()
            .quote("title", &self.wanted.request.title)
            .data("plan", "the plan", plan)
            .data("snapshot", "what the repository holds", &self.question.snapshot.to_text())
            .word("step", &step.id)
            .data("step_file", "the step file", &sent);
        let rendered = prompts::render(self.ctx, "decompose", Some(self.question.base_commit), &values)?;
        if let Some(notice) = rendered.notice.filter(|notice| !self.notices.contains(notice)) {
            self.notices.push(notice);
        }
        let asked = self.ask(RunKind::Decompose, &rendered.prompt, None, tell)?;
        if asked.outcome.status != RunStatus::Succeeded {
            return Ok(Passed::AsItWas(format!("the engine ended with {}", asked.outcome.status)));
        }
        Ok(match taken(step, &sent, &redact::clean(&asked.outcome.text, &self.known)) {
            Ok(more) => Passed::More(more),
            Err(why) => Passed::AsItWas(why),
        })
    }
}
