//! Planning by an engine: the question, the check of the answer, asking again, and saying more about the
//! steps; then the same way to a protocol as any other plan.
//!
//! An engine is asked before anything is written, so whatever goes wrong leaves no branch and no
//! protocol; what it used is recorded with the plan, or, if there is none, for the project.

mod answer;
mod decompose;
mod facts;

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

pub use self::decompose::Decompose;
pub use self::facts::settle_unrecorded;
use super::ask::{self, Ask, Asked, Held, Prompt, Session, Told, Wish};
use super::budget;
use super::context::Context;
use super::error::Error;
use super::plan::{self, Planned, Request};
use super::prompts;
use super::settings::engines::BudgetMode;
use super::snapshot::Snapshot;
use crate::domain::decide::Refusal;
use crate::domain::drafted::{Drafted, ungrounded};
use crate::domain::id::{Digest, Oid};
use crate::domain::prompt::{Values, fenced};
use crate::domain::redact::Known;
use crate::domain::run::{RunKind, RunStatus, estimate_tokens};
use crate::domain::spec::{Planner, QaPolicy};
use crate::domain::text;
use crate::engine::{Access, WITHOUT_MODEL};
use crate::platform::env;
use crate::platform::process::is_interrupted;

/// How often an engine is asked for one plan.
const MAX_ASKS: usize = 3;

/// How many paths of the repository a plan must name.
const MIN_PATHS: usize = 6;

/// The switch that plans without an engine.
const INSTEAD: &str = "plan without a model: add `--engine outline`";

/// What an engine is to plan.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The title, the description and all else that a plan without a model would be made of.
    pub request: Request,
    /// What the person at the keyboard said about it.
    pub said: String,
    pub wish: Wish,
    /// Texts from outside about the task: whose each is, as in `issue 12`, and the text.
    pub material: Vec<(String, String)>,
    pub decompose: Decompose,
}

/// What would be asked.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The protocol that would be planned.
    pub planned: Planned,
    pub engine: String,
    pub model: Option<String>,
    pub prompt: Prompt,
    /// What the prompt is thought to cost, in tokens.
    pub estimate: u64,
    /// What people should know, one line each.
    pub notices: Vec<String>,
}

/// A protocol that an engine planned.
#[derive(Clone, Debug)]
pub struct Made {
    pub planned: Planned,
    pub engine: String,
    /// What people should know, one line each: steps that stayed as they were, and why.
    pub notices: Vec<String>,
}

/// Tells what happens meanwhile.
#[derive(Clone, Copy, Debug)]
pub enum Says<'a> {
    /// The answer cannot be used, for these reasons, and the engine is asked again.
    Again(&'a [String]),
    /// More is said about a step, the `n`th of `of`.
    Decomposes {
        step: &'a str,
        n: usize,
        of: usize,
    },
    Told(Told<'a>),
}

/// Returns the engine that plans by what is wished for and set; `None` if no engine does.
pub fn engine(ctx: &Context, wish: &Wish) -> Option<String> {
    let name = wish.engine.as_deref().or(ctx.settings.engines.phases.of(RunKind::Plan))?;
    (!WITHOUT_MODEL.contains(&name)).then(|| name.to_owned())
}

/// Returns what would be asked; nothing is asked and nothing is recorded.
///
/// # Errors
///
/// As [`plan()`], as far as it can be known before.
pub fn preview(ctx: &Context, wanted: &Wanted) -> Result<Preview, Error> {
    let engine = engine(ctx, &wanted.wish).ok_or_else(no_engine)?;
    let question = Question::of(ctx, wanted)?;
    let set = ctx.settings.engines.named.get(&engine);
    let model = wanted.wish.model.clone().or_else(|| set.and_then(|set| set.model.clone()));
    let estimate = estimate_tokens(&question.prompt.text);
    let Question { planned, prompt, notices, .. } = question;
    Ok(Preview { planned, engine, model, prompt, estimate, notices })
}

/// Asks an engine for a plan and makes it a protocol. When this returns, branch and stream exist, and
/// what was used is recorded in the stream.
///
/// # Errors
///
/// [`Error::Engine`] if there is no engine or it gave no plan that can be used, [`Error::Refused`] if
/// nobody agreed to it or a budget is used up, [`Error::Interrupted`], and what keeps any plan from being
/// made. No protocol exists then; what was used is recorded for the project.
pub fn plan(ctx: &Context, wanted: &Wanted, tell: &mut dyn FnMut(Says<'_>)) -> Result<Made, Error> {
    engine(ctx, &wanted.wish).ok_or_else(no_engine)?;
    if let Some(planned) = plan::begun(ctx, &wanted.request)? {
        return Ok(Made { planned, engine: String::new(), notices: Vec::new() });
    }
    settle_unrecorded(ctx)?;
    let question = Question::of(ctx, wanted)?;
    let mut work = Work {
        ctx,
        wanted,
        question: &question,
        facts: Vec::new(),
        held: Vec::new(),
        known: Known::new(env::secrets()),
        notices: question.notices.clone(),
    };
    let done = work.make(tell);
    let Work { facts, held, notices, .. } = work;
    let is_recorded = || held.into_iter().for_each(Held::recorded);
    match done {
        Ok(planned) if !planned.recovered => {
            is_recorded();
            let engine = planned.planner.name.clone();
            Ok(Made { planned, engine, notices })
        }
        // Somebody else's plan of the same name was completed in its place.
        Ok(planned) => {
            facts::record_usage(ctx, &facts)?;
            is_recorded();
            Ok(Made { planned, engine: String::new(), notices })
        }
        Err(err) => {
            match facts::record_usage(ctx, &facts) {
                Ok(()) => is_recorded(),
                // The next command records it.
                Err(failed) => {
                    tracing::warn!(err = super::error_chain(&failed), "what was used is not recorded yet");
                }
            }
            Err(err)
        }
    }
}

/// What an engine is asked, and about what.
struct Question {
    /// What would be planned without an engine.
    planned: Planned,
    base_commit: Oid,
    snapshot: Snapshot,
    dir: PathBuf,
    prompt: Prompt,
    notices: Vec<String>,
}

impl Question {
    /// Whatever can go wrong without an engine goes wrong here, before one costs anything.
    fn of(ctx: &Context, wanted: &Wanted) -> Result<Self, Error> {
        let request = Request { dry_run: true, ..wanted.request.clone() };
        let planned = plan::plan(ctx, &request)?;
        let dir = ctx.repo.work_dir().map(std::path::Path::to_owned).or_else(|| ctx.repo.main_work_dir());
        let Some(dir) = dir else {
            return Err(Error::state("plan.bare", "an engine needs a work tree to look at", INSTEAD));
        };
        let base_commit = planned.base_commit;
        let snapshot = Snapshot::of(&ctx.repo, base_commit)?;
        let values = Values::default()
            .quote("title", &request.title)
            .quote("base", &planned.base)
            .task("description", &wanted.said, &wanted.material)
            .data("snapshot", "what the repository holds", &snapshot.to_text())
            .word("min_paths", MIN_PATHS.min(snapshot.paths().len()));
        let rendered = prompts::render(ctx, "protocol-new", Some(base_commit), &values)?;
        let notices = rendered.notice.into_iter().collect();
        Ok(Self { planned, base_commit, snapshot, dir, prompt: rendered.prompt, notices })
    }

    /// How the steps are checked.
    fn qa(&self) -> QaPolicy {
        self.planned.steps.last().map_or(QaPolicy::Skip, |step| step.qa)
    }
}

struct Work<'a> {
    ctx: &'a Context,
    wanted: &'a Wanted,
    question: &'a Question,
    /// Secrets of this environment, which are in nothing that is committed.
    known: Known,
    /// Of all runs so far.
    facts: Vec<crate::domain::event::Draft>,
    /// The same on disk, until they are recorded.
    held: Vec<Held>,
    notices: Vec<String>,
}

impl Work<'_> {
    fn make(&mut self, tell: &mut dyn FnMut(Says<'_>)) -> Result<Planned, Error> {
        let drafted = self.draft(tell)?;
        let drafted = self.decompose(drafted, tell)?;
        let request = Request {
            drafted: Some(drafted),
            facts: self.facts.clone(),
            // The policy that the engine was told of, whatever has changed since.
            qa: Some(self.question.qa()),
            ..self.wanted.request.clone()
        };
        let planned = plan::plan(self.ctx, &request)?;
        Ok(Planned { qa_by_default: self.question.planned.qa_by_default, ..planned })
    }

    /// Asks until there is a plan that can be used, [`MAX_ASKS`] times at most.
    fn draft(&mut self, tell: &mut dyn FnMut(Says<'_>)) -> Result<Drafted, Error> {
        let hash = Digest(Sha256::digest(&self.question.prompt.text).into());
        let mut again: Option<Again> = None;
        let mut problems = Vec::new();
        for n_asked in 1..=MAX_ASKS {
            let (prompt, session) = match &again {
                None => (self.question.prompt.clone(), None),
                Some(again) => {
                    tell(Says::Again(&again.problems));
                    again.prompt(self.ctx, self.question)?
                }
            };
            let expected = session.as_ref().map(|session| session.engine.clone());
            let asked = self.ask(RunKind::Plan, &prompt, session, tell)?;
            let planner = Planner { name: asked.engine.clone(), prompt_hash: Some(hash) };
            problems = match answer::read(&asked.outcome, planner, &self.known)
                .and_then(|drafted| self.grounded(drafted))
            {
                Ok(drafted) => return Ok(drafted),
                Err(problems) => problems,
            };
            let knows = expected.is_none_or(|expected| expected == asked.engine);
            again = Some(Again {
                session: asked.session().filter(|_| knows),
                problems: problems.clone(),
                answer: asked.outcome.json.map(|json| json.to_string()),
            });
            tracing::debug!(n_asked, ?problems, "a plan cannot be used");
        }
        let first = problems.first().map(String::as_str).unwrap_or_default();
        Err(Error::Engine {
            code: "plan.unusable",
            message: format!("no plan that can be used in {MAX_ASKS} answers: {first}"),
            hint: Some(INSTEAD.to_owned()),
        })
    }

    fn grounded(&self, drafted: Drafted) -> Result<Drafted, Vec<String>> {
        let snapshot = &self.question.snapshot;
        let lacking = ungrounded(&drafted, &snapshot.paths(), &snapshot.commands, MIN_PATHS);
        if lacking.is_empty() { Ok(drafted) } else { Err(lacking) }
    }

    /// Asks an engine once.
    fn ask(
        &mut self,
        kind: RunKind,
        prompt: &Prompt,
        session: Option<Session>,
        tell: &mut dyn FnMut(Says<'_>),
    ) -> Result<Asked, Error> {
        self.check_budget(prompt, tell)?;
        let ask = Ask {
            kind,
            of: None,
            prompt,
            schema: (kind == RunKind::Plan).then(answer::schema_for_engines),
            access: Access::Read,
            dir: &self.question.dir,
            wish: &self.wanted.wish,
            session,
        };
        let mut asked =
            ask::ask(self.ctx, &ask, &mut |told| tell(Says::Told(told))).map_err(as_engine_error)?;
        self.facts.extend(asked.unrecorded.iter().cloned());
        self.held.append(&mut asked.held);
        let engine = &asked.engine;
        match asked.outcome.status {
            RunStatus::Succeeded | RunStatus::Schema => Ok(asked),
            RunStatus::Killed if is_interrupted() => Err(Error::Interrupted),
            status => {
                let said = text::clip(&text::one_line(&asked.outcome.text), 400);
                let said = if said.is_empty() { String::new() } else { format!(": {said}") };
                let message = format!(
                    "{engine} gave no answer, but ended with {status}{said} (git godzilla logs {})",
                    asked.run
                );
                Err(Error::Engine { code: "engine.failed", message, hint: Some(INSTEAD.to_owned()) })
            }
        }
    }
}

impl Work<'_> {
    /// What was used so far is recorded nowhere yet, so nobody else counts it.
    fn check_budget(&self, prompt: &Prompt, tell: &mut dyn FnMut(Says<'_>)) -> Result<(), Error> {
        let used = facts::tokens(&self.facts);
        if used == 0 {
            return Ok(());
        }
        let wanted = used.saturating_add(estimate_tokens(&prompt.text));
        if let Some(warning) = budget::check(self.ctx, None, wanted)?.warning {
            tell(Says::Told(Told::Warns(&warning)));
        }
        let set = self.ctx.settings.engines.budget;
        match set.protocol.tokens {
            Some(limit) if wanted > limit && set.mode == BudgetMode::Strict => {
                let message =
                    format!("planning has used {used} of the {limit} tokens that a protocol may use");
                let hint = format!("git config godzilla.budget.protocolTokens {}", wanted.saturating_mul(2));
                Err(Refusal::policy("budget.protocol", message, hint).into())
            }
            _ => Ok(()),
        }
    }
}

/// What is told with a question that is asked again.
struct Again {
    session: Option<Session>,
    problems: Vec<String>,
    answer: Option<String>,
}

impl Again {
    /// Within the same conversation the problems are enough; elsewhere all is said again.
    fn prompt(&self, ctx: &Context, question: &Question) -> Result<(Prompt, Option<Session>), Error> {
        let lines: Vec<String> = self.problems.iter().map(|problem| format!("- {problem}")).collect();
        let values = Values::default().data("problems", "what the check says", &lines.join("\n"));
        let base = Some(question.base_commit);
        let mut prompt = prompts::render(ctx, "protocol-new-again", base, &values)?.prompt;
        if self.session.is_none() {
            let answer = self.answer.as_deref().unwrap_or_default();
            prompt.text = format!(
                "{}\n\n## You were asked before\n\n{}\n\n{}\n",
                question.prompt.text,
                fenced("your answer", answer),
                prompt.text
            );
        }
        Ok((prompt, self.session.clone()))
    }
}

/// An engine that is not there is worth another exit code than a repository that is in the way.
fn as_engine_error(err: Error) -> Error {
    match err {
        Error::State { code, message, hint } if code.starts_with("engine.") => {
            let hint = hint.map_or_else(|| INSTEAD.to_owned(), |hint| format!("{hint}; or {INSTEAD}"));
            Error::Engine { code, message, hint: Some(hint) }
        }
        err => err,
    }
}

fn no_engine() -> Error {
    Error::Engine {
        code: "engine.none",
        message: "no engine is set for planning".to_owned(),
        hint: Some("name one with `--engine`, or git config godzilla.phases.planning codex".to_owned()),
    }
}
