//! Asking an engine: the one way from here to a model.
//!
//! Whoever asks says what for and gets the outcome. In between lie, for every kind of run alike: which
//! engine it is and who agreed to it, the budget, the record of the run's beginning and end, its log
//! without secrets, and the engines to fall back on.

mod answer;
mod folder;
mod left;
mod reading;
mod record;
mod who;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use self::answer::mistakes;
pub use self::folder::{is_alive, log_of, runs_dir};
pub use self::left::{Held, unrecorded};
pub use self::record::{MAX_CHANGED, settle_dead};
pub use self::who::{Chosen, choose, is_set};

use self::folder::RunFolder;
use self::record::Recorder;
use super::budget;
use super::context::Context;
use super::error::Error;
use super::guard::{Record, Watched};
use crate::domain::event::Draft;
use crate::domain::id::{Digest, Name, StepId, Ulid};
use crate::domain::redact::Known;
use crate::domain::run::{RunKind, RunStarted, RunStatus, Usage, estimate_tokens};
pub use crate::engine::Progress;
use crate::engine::{Access, Limits, Outcome, Request};
use crate::platform::{clock, env, fs, process};

/// How long a run may take if nothing says so.
const WALL: Duration = Duration::from_hours(1);

/// How long one that judges or plans may take.
const WALL_TO_READ: Duration = Duration::from_mins(20);

/// How long an engine may say nothing.
const IDLE: Duration = Duration::from_mins(10);

/// How much of an answer is kept.
const MAX_ANSWER: usize = 4 << 20;

/// A prompt, and what it was made from.
#[derive(Clone, Debug)]
pub struct Prompt {
    pub text: String,
    /// The name of the template and the beginning of its SHA-256, as in `review@3f2a9c01b7de`.
    pub template: Option<String>,
}

/// Who is wished for, the one before the other: on the command line, by the plan; else the phase's.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// By `--engine` and `--model`: who types this agrees to it.
    pub engine: Option<String>,
    pub model: Option<String>,
    /// By the plan: only if this clone knows the engine.
    pub planned_engine: Option<String>,
    pub planned_model: Option<String>,
    pub planned_timeout_seconds: Option<u64>,
}

/// Looks at what a run has done, before its end is recorded: it may say of an outcome that it is none.
pub type Inspect<'a> = &'a mut dyn FnMut(&mut Outcome) -> Inspected;

/// What was seen of a run.
#[derive(Debug, Default)]
pub struct Inspected {
    /// The paths that changed.
    pub changed: Vec<String>,
    /// Whether the repository is as it was but for these.
    pub is_put_back: bool,
}

/// What is looked after while engines work, and by whom.
pub struct Care<'a> {
    pub watched: Watched<'a>,
    pub inspect: Inspect<'a>,
}

/// What is asked.
pub struct Ask<'a> {
    pub kind: RunKind,
    /// Whom the run belongs to; `None` before there is a protocol.
    pub of: Option<(&'a Name, Option<&'a StepId>)>,
    pub prompt: &'a Prompt,
    /// What the answer must be; it is checked, and an answer that is something else is `schema`.
    pub schema: Option<Value>,
    pub access: Access,
    pub dir: &'a Path,
    pub wish: &'a Wish,
    /// A conversation to go on with: the engine that it is with, its name, and what it has used.
    pub session: Option<Session>,
}

/// A conversation that an engine can go on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub engine: String,
    pub id: String,
    pub used: Usage,
}

/// What came of it.
#[derive(Debug)]
pub struct Asked {
    pub run: Ulid,
    pub engine: String,
    pub model: Option<String>,
    pub outcome: Outcome,
    /// What its conversation has used so far, this run included.
    pub session_used: Usage,
    pub took: Duration,
    /// The SHA-256 of the log.
    pub log: Option<String>,
    /// The facts of the runs, where there is no protocol yet that they could be recorded in.
    pub unrecorded: Vec<Draft>,
    /// The same on disk, for whoever comes after us if we are killed before they are recorded.
    pub held: Vec<Held>,
}

impl Asked {
    /// Returns the conversation, to go on with it.
    pub fn session(&self) -> Option<Session> {
        let id = self.outcome.session.clone()?;
        Some(Session { engine: self.engine.clone(), id, used: self.session_used })
    }
}

/// Tells what happens meanwhile.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// A run begins, with this engine and this model.
    Begins {
        run: Ulid,
        engine: &'a str,
        model: Option<&'a str>,
    },
    Progress(Progress<'a>),
    /// It could not, and the next one is tried.
    Next {
        why: &'a str,
        engine: &'a str,
    },
    /// It may be asked again at this time, which is waited for; milliseconds since 1970.
    Waits {
        until_ms: u64,
        engine: &'a str,
    },
    /// Something that people should know: a budget is used up, which only warns; the run destroyed what is
    /// kept of runs.
    Warns(&'a str),
}

/// Asks an engine, and those that it falls back on. When this returns, each run and what it used are
/// recorded, if they belong to a protocol.
///
/// # Errors
///
/// [`Error`] if nothing was asked: no engine is set, nobody agreed to it, or a budget is used up; and if
/// the beginning of a run cannot be recorded. What an engine could not do is an [`Outcome`].
pub fn ask(ctx: &Context, ask: &Ask<'_>, tell: &mut dyn FnMut(Told<'_>)) -> Result<Asked, Error> {
    // Who only answers changes nothing.
    let guard = reading::Guard::of(ctx, ask.dir)?;
    let mut inspect = |outcome: &mut Outcome| guard.inspect(outcome);
    inspected(ctx, ask, &mut Care { watched: guard.watched(), inspect: &mut inspect }, tell)
}

/// As [`ask`], with a look at what each run has done.
///
/// # Errors
///
/// As [`ask`].
pub fn inspected(
    ctx: &Context,
    ask: &Ask<'_>,
    care: &mut Care<'_>,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<Asked, Error> {
    let mut queue = choose(ctx, ask.kind, ask.wish)?;
    let estimate = estimate_tokens(&ask.prompt.text);
    let (mut unrecorded, mut held) = (Vec::new(), Vec::new());
    let mut idx = 0;
    loop {
        if let Some(warning) = budget::check(ctx, ask.of, estimate)?.warning {
            tell(Told::Warns(&warning));
        }
        let chosen = &queue[idx];
        let mut asked = one_run(ctx, ask, chosen, estimate, care, tell)?;
        unrecorded.append(&mut asked.unrecorded);
        held.append(&mut asked.held);
        let outcome = &asked.outcome;
        if outcome.status.calls_for_fallback() && !process::is_interrupted() {
            if let Some(next) = queue.get(idx + 1) {
                tell(Told::Next { why: outcome.status.as_str(), engine: &next.name });
                idx += 1;
                continue;
            }
            let chosen = &mut queue[idx];
            if let Some(until_ms) = chosen.may_wait_for(outcome) {
                chosen.waited = true;
                tell(Told::Waits { until_ms, engine: &chosen.name });
                if clock::wait_until(until_ms) {
                    continue;
                }
            }
        }
        asked.unrecorded = unrecorded;
        asked.held = held;
        return Ok(asked);
    }
}

fn one_run(
    ctx: &Context,
    ask: &Ask<'_>,
    chosen: &Chosen,
    estimate: u64,
    care: &mut Care<'_>,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<Asked, Error> {
    let run = clock::new_id();
    let mut secrets = env::secrets();
    secrets.extend(chosen.key());
    let known = Known::new(&secrets);
    let mut folder = RunFolder::create(&ctx.repo, run, &known)?;
    let scratch = fs::DraftFolder::new(&ctx.repo.state_dir()).map_err(Error::io("make a folder"))?;
    let started = RunStarted {
        run,
        kind: ask.kind,
        engine: chosen.name.clone(),
        model: chosen.model.clone(),
        prompt: Digest(Sha256::digest(&ask.prompt.text).into()),
        template: ask.prompt.template.clone(),
        estimate,
    };
    folder.keep_prompt(&ask.prompt.text)?;
    let mut recorder = Recorder::new(ctx, ask.of, &known);
    let has_protocol = ask.of.is_some();
    // What nobody could put back, nobody may start.
    let record = Record::write(&care.watched, run)?;
    let begun = recorder.begins(&started).and_then(|()| {
        left::note(ctx, run, has_protocol, &record::if_killed(&started, Usage::default()), false)?;
        record.note_refs(&care.watched)
    });
    if let Err(err) = begun {
        record.looked_at();
        return Err(err);
    }
    tell(Told::Begins { run, engine: &chosen.name, model: chosen.model.as_deref() });

    let session = ask.session.as_ref().filter(|session| session.engine == chosen.name);
    let request = Request {
        kind: ask.kind,
        run,
        protocol: ask.of.map(|(name, _)| name.to_string()),
        step: ask.of.and_then(|(_, step)| step).map(ToString::to_string),
        prompt: ask.prompt.text.clone(),
        model: chosen.model.clone(),
        effort: chosen.effort.clone(),
        worktree: ask.dir.to_owned(),
        access: ask.access,
        output_schema: ask.schema.clone(),
        session: session.map(|session| session.id.clone()),
        session_usage: session.map(|session| session.used).unwrap_or_default(),
        limits: limits(ask, chosen),
        scratch: scratch.path().to_owned(),
    };
    let began = std::time::Instant::now();
    let mut outcome = chosen.engine.run(&request, &mut |progress| {
        match progress {
            Progress::Log(bytes) => folder.log(bytes),
            Progress::Session(id) => folder.note_session(id),
            Progress::Used(usage) => {
                let facts = record::if_killed(&started, usage);
                if let Err(err) = left::note(ctx, run, has_protocol, &facts, false) {
                    tracing::debug!(%err, "what is used is not kept");
                }
            }
            _ => (),
        }
        tell(Told::Progress(progress));
    });
    let took = began.elapsed();
    if let Some(schema) = &ask.schema {
        answer::check(&mut outcome, schema);
    }
    let inspected = (care.inspect)(&mut outcome);
    if inspected.is_put_back {
        record.looked_at();
    }
    if let Some(why) = folder.restore(&ask.prompt.text)? {
        tell(Told::Warns(&why));
        if outcome.status == RunStatus::Succeeded {
            outcome.status = RunStatus::Denied;
            outcome.text = why;
        }
    }
    let log = folder.finish();
    recorder.ends(&started, &outcome, &inspected.changed, took, log.as_ref())?;
    if inspected.is_put_back {
        record.forget();
    }
    let (unrecorded, held) = keep(ctx, run, has_protocol, folder, recorder)?;
    Ok(Asked {
        run,
        engine: chosen.name.clone(),
        model: chosen.model.clone(),
        session_used: session_used(session, &outcome),
        outcome,
        took,
        log: log.map(|log| log.sha256),
        unrecorded,
        held: held.into_iter().collect(),
    })
}

/// Keeps on disk what there is no protocol for that could record it. Returns it, and who holds it.
fn keep(
    ctx: &Context,
    run: Ulid,
    has_protocol: bool,
    folder: RunFolder,
    recorder: Recorder<'_>,
) -> Result<(Vec<Draft>, Option<Held>), Error> {
    let held = Held::new(left::path(&ctx.repo, run, has_protocol), folder.into_lock());
    if has_protocol {
        held.recorded();
        return Ok((Vec::new(), None));
    }
    let facts = recorder.into_unrecorded();
    left::note(ctx, run, has_protocol, &facts, true)?;
    Ok((facts.into_iter().map(Draft::new).collect(), Some(held)))
}

/// Returns what a conversation has used with a run, whether the run went on with `before` or began anew.
fn session_used(before: Option<&Session>, outcome: &Outcome) -> Usage {
    let same = before.filter(|before| outcome.session.as_ref() == Some(&before.id));
    same.map_or(outcome.usage, |before| before.used.plus(outcome.usage))
}

fn limits(ask: &Ask<'_>, chosen: &Chosen) -> Limits {
    let usual = if ask.access == Access::Write { WALL } else { WALL_TO_READ };
    let planned = ask.wish.planned_timeout_seconds.map(Duration::from_secs);
    Limits {
        // Of what the plan and the engine say the shorter one holds: the plan comes with the branch.
        wall: [planned, chosen.timeout].into_iter().flatten().min().unwrap_or(usual),
        idle: chosen.idle.unwrap_or(IDLE),
        output_bytes: MAX_ANSWER,
    }
}

/// Whether a run ended in a way that says nothing about the step: it may be tried again as it is.
pub fn is_no_fault_of_the_step(status: RunStatus) -> bool {
    status.calls_for_fallback() || status == RunStatus::Killed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_conversation_used_adds_up_while_it_is_the_same() {
        let used = |tokens| Usage { input_tokens: Some(tokens), ..Usage::default() };
        let before = Session { engine: "codex".to_owned(), id: "a".to_owned(), used: used(10) };
        let mut outcome = Outcome::without_answer(RunStatus::Succeeded, "");
        outcome.usage = used(5);
        assert_eq!(session_used(None, &outcome), used(5));
        for (id, wanted) in [("a", 15), ("b", 5)] {
            outcome.session = Some(id.to_owned());
            assert_eq!(session_used(Some(&before), &outcome), used(wanted), "{id}");
        }
    }
}
