//! The review of a step by an engine, after its gates.
//!
//! Who reviews, and with what words, is said by the base of the protocol and not by the branch under judgement.
//! A reviewer that is set and cannot review never makes a pass: the verdict is then an error, and the step
//! waits.

mod answer;
mod prompt;
mod report;

use std::cell::RefCell;

use serde_json::Value;

pub use self::answer::of_json;
pub use self::report::{FILE as REPORT, write as report};

use super::ask::{self, Ask, Asked, Care, Inspected, Prompt, Told, Wish};
use super::context::Context;
use super::error::Error;
use super::gates::Judges;
use super::guard::{self, Watched};
use super::qa::Request;
use super::settings::Settings;
use super::workplace::Workplace;
use crate::domain::event::Verdict;
use crate::domain::id::Name;
use crate::domain::redact::{self, Known};
use crate::domain::review::{Opinion, Review, Reviewer};
use crate::domain::run::{Artifact, RunKind, RunStatus};
use crate::domain::spec::QaPolicy;
use crate::domain::state::{Protocol, Step};
use crate::domain::text;
use crate::engine::{Access, Outcome, WITHOUT_MODEL};
use crate::platform::git::{Guarded, Look, Repo};
use crate::platform::{env, process};

/// What an answer must be.
const SCHEMA: &str = include_str!("../../schemas/review.schema.json");

/// No folder of a worktree: a reviewer may change nothing at all.
const NOTHING: &str = ".godzilla-nothing";

/// What is reviewed, with the verdict of the gates.
pub struct Subject<'a> {
    pub name: &'a Name,
    pub protocol: &'a Protocol,
    pub step: &'a Step,
    pub place: &'a Workplace,
    pub judges: &'a Judges,
    pub verdict: &'a Verdict,
}

/// What came of a review that was due.
#[derive(Clone, Debug, Default)]
pub struct Reviewed {
    /// `None` if nobody was asked.
    pub review: Option<Review>,
    /// What it said for people, if it said anything.
    pub opinion: Option<Opinion>,
    /// What the reviewer changed, though it was to look only.
    pub stray: Vec<String>,
    /// Why there is no review.
    pub unreviewed: Option<Unreviewed>,
    /// The report, once it is written.
    pub report: Option<Artifact>,
    /// What somebody should know, one line each.
    pub notices: Vec<String>,
}

/// Why there is no review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreviewed {
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
    /// Whether consent or a budget keeps it back, rather than a program.
    pub is_policy: bool,
}

/// Has a step reviewed, if its policy and the configuration of its base ask for that, or somebody does.
///
/// # Errors
///
/// [`Error::State`] (`review.nobody`) if somebody asks for it and no engine is there for it,
/// [`Error::Interrupted`] if somebody stopped it. What keeps an engine from reviewing is a
/// [`Reviewed::unreviewed`].
pub fn review(
    ctx: &Context,
    subject: &Subject<'_>,
    request: &Request,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<Option<Reviewed>, Error> {
    let wish = reviewer(&subject.judges.settings, subject.step, request);
    let Some(wish) = wish.filter(|_| is_due(request, subject.step.qa, &subject.verdict.result)) else {
        if request.review == Some(true) {
            return Err(Error::state(
                "review.nobody",
                "no engine is set that reviews steps",
                "name one with `--engine`, or set it: git config godzilla.phases.qa codex",
            ));
        }
        return Ok(None);
    };
    let repo = Repo::open(ctx.repo.common_dir())
        .map_err(|err| Error::state("repository.open", super::error_chain(&err), ""))?;
    // The branch does not choose who reviews it.
    let settings = subject.judges.settings.clone();
    let of_base = Context { repo, settings, op: ctx.op, actor: ctx.actor, limit: ctx.limit };
    match asked(&of_base, subject, &wish, tell) {
        // Who is named in the command was mistyped.
        Err(err @ Error::Unknown { .. }) if request.engine.is_some() => Err(err),
        Err(err) => Ok(Some(Reviewed { unreviewed: Some(kept_back(err)?), ..Reviewed::default() })),
        Ok(_) if process::is_interrupted() => Err(Error::Interrupted),
        Ok(reviewed) => Ok(Some(reviewed)),
    }
}

/// Returns what gates and review come to: one word for both.
pub fn combined(gates: &str, reviewed: &Reviewed) -> &'static str {
    let fails = reviewed.review.as_ref().is_none_or(|review| review.result != "pass");
    let is_lost = reviewed.unreviewed.is_some() || !reviewed.stray.is_empty() || reviewed.review.is_none();
    match gates {
        "fail" => "fail",
        "pass" | "no_gate" if is_lost => "error",
        "pass" | "no_gate" if fails => "fail",
        "pass" => "pass",
        "no_gate" => "no_gate",
        _ => "error",
    }
}

/// Returns who reviews a step: as asked for, as its plan says, as is set; `None` if people do.
fn reviewer(settings: &Settings, step: &Step, request: &Request) -> Option<Wish> {
    let is_engine = |name: &&str| !WITHOUT_MODEL.contains(name);
    let more = step.more.as_deref();
    let planned_model = more.and_then(|more| more.qa_model.clone());
    if let Some(engine) = request.engine.as_deref() {
        let wish = Wish { engine: Some(engine.to_owned()), model: request.model.clone(), ..Wish::default() };
        return is_engine(&engine).then_some(wish);
    }
    let planned = more.and_then(|more| more.qa_engine.as_deref());
    planned.or(settings.engines.phases.qa.as_deref()).filter(is_engine)?;
    Some(Wish {
        model: request.model.clone(),
        planned_engine: planned.map(str::to_owned),
        planned_model,
        ..Wish::default()
    })
}

/// The cheap gates come first: what fails them is not worth a review.
fn is_due(request: &Request, policy: QaPolicy, gates: &str) -> bool {
    let is_wanted = policy != QaPolicy::Skip || request.engine.is_some();
    request.review.unwrap_or(is_wanted && matches!(gates, "pass" | "no_gate"))
}

fn asked(
    ctx: &Context,
    subject: &Subject<'_>,
    wish: &Wish,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<Reviewed, Error> {
    let queue = ask::choose(ctx, RunKind::Review, wish)?;
    let (prompt, notice) = prompt::of(ctx, subject)?;
    let mut reviewed = Reviewed { notices: notice.into_iter().collect(), ..Reviewed::default() };
    // What the report needs, before anybody is watched.
    super::exclude::add(ctx, report::EXCLUDED)?;
    let guard = Guard::of(subject.place)?;
    let is_structured = queue.iter().all(|chosen| chosen.engine.capabilities().json);
    let schema = serde_json::from_str(SCHEMA).ok().filter(|_| is_structured);
    let mut said = once(ctx, subject, wish, &prompt, schema, &guard, &mut reviewed, tell)?;
    // Who cannot keep to the form may still have something to say.
    if said.outcome.status == RunStatus::Schema && !process::is_interrupted() {
        said = once(ctx, subject, wish, &prompt, None, &guard, &mut reviewed, tell)?;
    }
    take(said, &mut reviewed);
    Ok(reviewed)
}

#[expect(clippy::too_many_arguments, reason = "one call each, with and without a form")]
fn once(
    ctx: &Context,
    subject: &Subject<'_>,
    wish: &Wish,
    prompt: &Prompt,
    schema: Option<Value>,
    guard: &Guard<'_>,
    reviewed: &mut Reviewed,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<Asked, Error> {
    let ask = Ask {
        kind: RunKind::Review,
        of: Some((subject.name, Some(&subject.step.id))),
        prompt,
        schema,
        access: Access::Read,
        dir: &subject.place.dir,
        wish,
        session: None,
    };
    let mut inspect = |outcome: &mut Outcome| {
        let (stray, is_put_back) = guard.stray(&mut reviewed.notices);
        if !stray.is_empty() && outcome.status == RunStatus::Succeeded {
            outcome.status = RunStatus::Denied;
            outcome.text = format!("it changed what it was to look at: {}", some(&stray));
        }
        for path in &stray {
            if !reviewed.stray.contains(path) {
                reviewed.stray.push(path.clone());
            }
        }
        Inspected { changed: stray, is_put_back }
    };
    ask::inspected(ctx, &ask, &mut Care { watched: guard.watched(), inspect: &mut inspect }, tell)
}

/// Makes a review of what was said.
fn take(asked: Asked, reviewed: &mut Reviewed) {
    let by = Reviewer { run: asked.run, engine: asked.engine, model: asked.model };
    let Outcome { status, text: said, json, .. } = asked.outcome;
    if status != RunStatus::Succeeded || (json.is_none() && said.trim().is_empty()) {
        let engine = &by.engine;
        let why = text::clip(&redact::clean(&text::one_line(&said), &Known::new(env::secrets())), 300);
        let message = match status {
            RunStatus::Succeeded => format!("the reviewer {engine} said nothing"),
            status if why.is_empty() => format!("the review by {engine} ended with {status}"),
            status => format!("the review by {engine} ended with {status}: {why}"),
        };
        reviewed.unreviewed = Some(Unreviewed {
            code: format!("review.{}", status.as_str().replace('-', "_")),
            message,
            hint: Some(format!("git godzilla logs {}", by.run)),
            is_policy: false,
        });
        reviewed.review = Some(Review::missing(by));
        return;
    }
    let opinion = match &json {
        Some(answer) => of_json(answer),
        None => Opinion::of_text(&said),
    };
    let known = Known::new(env::secrets());
    let opinion = opinion.with_texts(|text| redact::clean(text, &known));
    reviewed.review = Some(opinion.judged(by));
    reviewed.opinion = Some(opinion);
}

/// Tells what keeps a review back from what keeps everything back.
fn kept_back(err: Error) -> Result<Unreviewed, Error> {
    match err {
        Error::Refused(refusal) => Ok(Unreviewed {
            code: refusal.code.to_owned(),
            message: refusal.message,
            hint: refusal.hint,
            is_policy: refusal.kind == crate::domain::decide::RefusalKind::Policy,
        }),
        Error::State { code, message, hint } => {
            Ok(Unreviewed { code: code.to_owned(), message, hint, is_policy: false })
        }
        err @ Error::Unknown { .. } => Ok(Unreviewed {
            code: "engine.unknown".to_owned(),
            message: err.to_string(),
            hint: Some("git godzilla engines list".to_owned()),
            is_policy: false,
        }),
        err => Err(err),
    }
}

/// What a reviewer may not change.
struct Guard<'a> {
    place: &'a Workplace,
    look: Look,
    guarded: RefCell<Guarded>,
    branch: String,
}

impl<'a> Guard<'a> {
    fn of(place: &'a Workplace) -> Result<Self, Error> {
        let look = place.repo.look(place.repo.tree_of(place.head)?, NOTHING)?;
        let branch = place.repo.head()?.branch().map(|name| format!("refs/heads/{name}")).unwrap_or_default();
        Ok(Self { place, look, guarded: RefCell::new(place.repo.guard()?), branch })
    }

    fn watched(&self) -> Watched<'_> {
        Watched { repo: &self.place.repo, guarded: &self.guarded, own: &self.branch }
    }

    /// Returns what is not as it was, and whether what was changed in the git directory is put back.
    fn stray(&self, notices: &mut Vec<String>) -> (Vec<String>, bool) {
        let mut stray = match Repo::at(&self.place.dir) {
            Some(repo) => {
                let is_there = repo.head().is_ok_and(|head| head.commit() == Some(self.place.head));
                if is_there { Vec::new() } else { vec!["HEAD".to_owned()] }
            }
            None => vec![".git".to_owned()],
        };
        match self.place.repo.since(&self.look, NOTHING) {
            Ok(since) => stray.extend(since.changed),
            Err(err) => stray.push(text::one_line(&format!("the worktree cannot be read: {err}"))),
        }
        let restored = guard::restore(&self.watched(), "the reviewer");
        let is_ref = |name: &str| name.starts_with("refs/");
        let shown = |name: String| if is_ref(&name) { name } else { format!(".git/{name}") };
        stray.extend(restored.names.into_iter().map(shown));
        notices.extend(restored.faults);
        notices.extend(restored.notices);
        let stray = stray.iter().map(|path| text::clip(&text::one_line(path), 300)).collect();
        (stray, restored.is_complete)
    }
}

fn some(paths: &[String]) -> String {
    let named = paths.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    if paths.len() > 5 { format!("{named} and {} more", paths.len() - 5) } else { named }
}

#[cfg(test)]
mod tests;
