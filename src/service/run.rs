//! `run`: an engine does a step in the worktree of its protocol, and we commit what it did.
//!
//! Order: what the worktree holds is kept; the step is running; the engine runs; what it touched outside
//! its branch is put back; the commit by plumbing, on the branch by compare-and-swap; the events. Killed
//! anywhere, `resume` goes on: a run whose process is gone is recorded as killed, its work lies in the
//! worktree, its conversation is known.

mod after;
mod before;
mod fix;
mod outputs;
mod prompt;
mod work;

use std::time::Duration;

pub use self::before::check;
pub use self::fix::{Fix, Fixed, fix};
pub use self::prompt::told_of;

use super::ask::{self, Ask, Asked, Care, Inspected, Prompt, Session, Told, Wish};
use super::context::Context;
use super::error::Error;
use super::policy::{self, Decided};
use super::qa::Judged;
use super::resolve::{self, Target};
use super::streams::Streams;
use super::workplace::Workplace;
use super::{initialised, kept};
use crate::domain::decide;
use crate::domain::id::{Name, Oid, StepId, Ulid};
use crate::domain::run as runs;
use crate::domain::run::{RunKind, RunStatus, Usage};
use crate::domain::spec::QaPolicy;
use crate::domain::state::{Protocol, Step};
use crate::domain::status::StepStatus;
use crate::engine::{Access, Outcome};
use crate::platform::git::{Ignored, Repo};
use crate::platform::lock::{self, Lock};

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub name: Option<String>,
    pub step: Option<String>,
    pub engine: Option<String>,
    pub model: Option<String>,
    /// Take what is not committed yet for a part of the step.
    pub include_dirty: bool,
    /// Run QA afterwards, whatever the step's policy says; `None` for what the policy says.
    pub qa: Option<bool>,
}

/// What would be run.
pub struct Preview {
    pub name: Name,
    pub step: StepId,
    pub engine: String,
    pub model: Option<String>,
    /// Engines to fall back on.
    pub fallbacks: Vec<String>,
    pub prompt: Prompt,
    pub estimate: u64,
    pub session: Option<String>,
    /// What the budget says about it, if it says anything: it warns, or would refuse.
    pub budget: Option<String>,
}

/// What came of it.
pub struct Ran {
    pub name: Name,
    pub step: StepId,
    pub run: Ulid,
    pub engine: String,
    pub model: Option<String>,
    pub status: RunStatus,
    pub message: String,
    pub usage: Usage,
    pub took: Duration,
    /// The commit with what the run changed; `None` if it changed nothing, or is not to be committed.
    pub commit: Option<Oid>,
    /// Commits that the engine made itself.
    pub own_commits: Vec<Oid>,
    pub changed: Vec<String>,
    /// How many files the commit changes: what the run left out, what lay there before it was cut off, and its last
    /// words included.
    pub n_committed: usize,
    /// What somebody should look at, one line each.
    pub notices: Vec<String>,
    /// The ref that keeps what lay in the worktree before, if that was not committed.
    pub snapshot: Option<String>,
    pub protocol: Protocol,
    pub judged: Option<Box<Judged>>,
    pub decided: Vec<Decided>,
}

/// Everything that is known before the engine is asked.
struct Plan {
    name: Name,
    step: Step,
    protocol: Protocol,
    place: Workplace,
    wish: Wish,
    prompt: Prompt,
    /// Why the project's own prompt is not used.
    notice: Option<String>,
    session: Option<Session>,
}

/// Shows what [`run`] would ask, of whom, and what that may cost. Records nothing.
///
/// # Errors
///
/// As [`run`].
pub fn preview(ctx: &Context, request: &Request) -> Result<Preview, Error> {
    let plan = prepare(ctx, request)?;
    let queue = ask::choose(ctx, RunKind::Step, &plan.wish)?;
    let estimate = runs::estimate_tokens(&plan.prompt.text);
    let budget = match super::budget::check(ctx, Some((&plan.name, Some(&plan.step.id))), estimate) {
        Ok(checked) => checked.warning,
        Err(Error::Refused(refusal)) => Some(format!("it would not run: {}", refusal.message)),
        Err(err) => return Err(err),
    };
    let mut names = queue.iter().map(|chosen| chosen.name.clone());
    Ok(Preview {
        budget,
        engine: names.next().unwrap_or_default(),
        fallbacks: names.collect(),
        model: queue.first().and_then(|chosen| chosen.model.clone()),
        name: plan.name,
        step: plan.step.id,
        prompt: plan.prompt,
        estimate,
        session: plan.session.map(|session| session.id),
    })
}

/// Runs a step with an engine, commits what it did, and records both. When this returns, the run, the
/// commit and what follows from them are in the local refs; nothing is pushed.
///
/// # Errors
///
/// [`Error`] if nothing was run: people do the step, its state does not allow it, the worktree holds
/// what is not committed, another run goes on there, nobody agreed to the engine, a budget is used up.
pub fn run(ctx: &Context, request: &Request, tell: &mut dyn FnMut(Told<'_>)) -> Result<Ran, Error> {
    let plan = prepare(ctx, request)?;
    let _one = only_one(ctx, &plan.name)?;
    let before = work::Before::of(&plan.place)?;
    if let Some(asked) = uncommitted(&plan, &before) {
        let did = before.left_behind();
        return finish(ctx, request, plan, asked, did, Vec::new(), None, tell);
    }
    before::check_engine(ctx, &plan)?;
    before::check_worktree(request, &plan, &before.dirty)?;
    let snapshot = if before.is_clean(&plan.place)? {
        None
    } else {
        kept::snapshot(&plan.place, &plan.name, ("before a run", ctx.op), Ignored::None)?.map(|it| it.name)
    };
    let not_kept = before.not_kept(&plan.place);
    begin(ctx, &plan)?;

    let mut notices: Vec<String> = plan.notice.iter().cloned().chain(not_kept).collect();
    let mut did = work::Did::default();
    let asked = {
        let mut inspect = |outcome: &mut Outcome| {
            let is_put_back;
            (did, is_put_back) = before.inspect(&plan.place, outcome, &mut notices);
            outputs::check(&plan.place, &plan.name, &plan.step, &did, outcome);
            Inspected { changed: did.changed.clone(), is_put_back }
        };
        let ask = Ask {
            kind: RunKind::Step,
            of: Some((&plan.name, Some(&plan.step.id))),
            prompt: &plan.prompt,
            schema: None,
            access: Access::Write,
            dir: &plan.place.dir,
            wish: &plan.wish,
            session: plan.session.clone(),
        };
        let mut care = Care { watched: before.watched(&plan.place), inspect: &mut inspect };
        match ask::inspected(ctx, &ask, &mut care, tell) {
            Ok(asked) => asked,
            Err(err) => return Err(after::held(ctx, &plan.name, err)),
        }
    };
    finish(ctx, request, plan, asked, did, notices, snapshot, tell)
}

#[expect(clippy::too_many_arguments, reason = "everything that the run brought")]
fn finish(
    ctx: &Context,
    request: &Request,
    plan: Plan,
    asked: Asked,
    did: work::Did,
    mut notices: Vec<String>,
    snapshot: Option<String>,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<Ran, Error> {
    let succeeded = asked.outcome.status == RunStatus::Succeeded;
    // Also where the engine committed all of it: our commit says that the step is done.
    let commit = if succeeded && did.did_something() {
        Some(
            work::Work {
                ctx,
                place: &plan.place,
                name: &plan.name,
                step: &plan.step,
                asked: &asked,
                did: &did,
            }
            .commit(&plan.step.title, true)?,
        )
    } else {
        None
    };
    if !succeeded && did.tree.is_some() {
        notices
            .push(format!("what the run changed lies in {} and is not committed", plan.place.dir.display()));
    }
    let mut n_committed = 0;
    if let Some(commit) = commit {
        let repo = &plan.place.repo;
        if let Some(parent) = repo.commit(commit)?.parents.first() {
            n_committed = repo.paths_changed(repo.tree_of(*parent)?, repo.tree_of(commit)?)?.len();
        }
        notices.extend(outputs::open_boxes(repo, &plan.name, &plan.step, commit)?);
    }
    let (mut protocol, occasion) =
        after::record(ctx, &plan.name, &plan.step.id, &asked, commit.is_some(), &mut notices)?;
    let mut decided = Vec::new();
    if let Some(occasion) = occasion {
        decided = policy::after(ctx, &plan.name, &plan.step.id, occasion)?;
        if let Some(last) = decided.last() {
            protocol = last.protocol.clone();
        }
    }
    let mut ran = Ran {
        run: asked.run,
        engine: asked.engine,
        model: asked.model,
        status: asked.outcome.status,
        message: asked.outcome.text,
        usage: asked.outcome.usage,
        took: asked.took,
        commit,
        own_commits: did.own_commits,
        changed: did.changed,
        n_committed,
        notices,
        snapshot,
        protocol,
        judged: None,
        decided,
        name: plan.name,
        step: plan.step.id,
    };
    after::judge(ctx, request, &mut ran, tell);
    Ok(ran)
}

fn prepare(ctx: &Context, request: &Request) -> Result<Plan, Error> {
    initialised(ctx)?;
    super::plan::recover(ctx)?;
    let (name, protocol) = target(ctx, request)?;
    let id = resolve::step(&protocol, request.step.as_deref())?;
    let Some(step) = protocol.step(&id).cloned() else {
        return Err(Error::Unknown { what: "step", text: id.to_string(), near: Vec::new() });
    };
    decide::may_run(&protocol, &step)?;
    plan_of(ctx, request, name, protocol, step)
}

/// Returns the protocol that is meant, with the runs settled whose process is gone.
fn target(ctx: &Context, request: &Request) -> Result<(Name, Protocol), Error> {
    let wanted = request.name.as_deref();
    let Target { name, root: None } = resolve::protocol(&Streams::for_target(ctx, wanted)?, wanted)? else {
        return Err(Error::state("protocol.twin", "this protocol shares its name with another one", ""));
    };
    known_or_said(ctx, &name)?;
    let streams = Streams::for_target(ctx, Some(name.as_str()))?;
    let protocol = streams.look(&name)?.folded.protocol.ok_or_else(|| super::act::unknown(&name))?;
    Ok((name, protocol))
}

fn plan_of(
    ctx: &Context,
    request: &Request,
    name: Name,
    protocol: Protocol,
    step: Step,
) -> Result<Plan, Error> {
    let more = step.more.as_deref();
    let wish = Wish {
        engine: request.engine.clone(),
        model: request.model.clone(),
        planned_engine: more.and_then(|more| more.engine.clone()),
        planned_model: more.and_then(|more| more.model.clone()),
        planned_timeout_seconds: more.and_then(|more| more.timeout_seconds),
    };
    let place = Workplace::find(ctx, &protocol)?;
    let wish = Wish { planned_engine: cut_off_engine(&protocol, &step).or(wish.planned_engine), ..wish };
    outputs::check_folder(&place, &name, &step)?;
    let session = session_of(&protocol, &step);
    let (prompt, notice) = prompt::of(ctx, &place, &protocol, &step, session.is_some())?;
    Ok(Plan { name, step, protocol, place, wish, prompt, notice, session })
}

/// The code of a refusal: nobody knows what a run did that was cut off.
const UNGUARDED: &str = "run.unguarded";

/// Settles runs that were cut off, and goes on only if somebody knows what they did. It is said once.
///
/// # Errors
///
/// [`Error::State`] (`run.unguarded`) if nobody does.
pub(super) fn known_or_said(ctx: &Context, name: &Name) -> Result<(), Error> {
    let unknown = ask::settle_dead(ctx, name)?;
    if unknown.is_empty() {
        return Ok(());
    }
    let hint = "git config --local --list --show-origin, and the same command again when all is well";
    Err(Error::state(UNGUARDED, unknown.join("; "), hint))
}

/// Whether an engine does a step, and nobody has to by hand.
pub fn is_for_engine(ctx: &Context, request: &Request, step: &Step) -> bool {
    let more = step.more.as_deref();
    let wish = Wish {
        engine: request.engine.clone(),
        planned_engine: more.and_then(|more| more.engine.clone()),
        ..Wish::default()
    };
    ask::is_set(ctx, RunKind::Step, &wish)
}

/// Returns the conversation that the last run of this attempt left unfinished, through no fault of the
/// step.
fn session_of(protocol: &Protocol, step: &Step) -> Option<Session> {
    let last = protocol.runs_of(&step.id).filter(|run| run.started.kind == RunKind::Step).last()?;
    let finished = last.finished.as_ref()?;
    let is_open = ask::is_no_fault_of_the_step(finished.status) || finished.status == RunStatus::Timeout;
    let id = finished.session.clone().filter(|_| is_open && last.attempt == Some(step.attempt))?;
    // All of it: some engines count on.
    let of_it = protocol.runs_of(&step.id).filter_map(|run| run.finished.as_ref());
    let used = of_it.filter(|run| run.session.as_ref() == Some(&id)).map(|run| run.usage);
    let used = used.fold(Usage::default(), Usage::plus);
    Some(Session { engine: last.started.engine.clone(), id, used })
}

/// Returns the engine of the last run of this attempt, if that was cut off: who goes on is who began.
fn cut_off_engine(protocol: &Protocol, step: &Step) -> Option<String> {
    let last = protocol.runs_of(&step.id).filter(|run| run.started.kind == RunKind::Step).last()?;
    let is_open = last.finished.as_ref().is_some_and(|it| it.status == RunStatus::Killed);
    (is_open && last.attempt == Some(step.attempt)).then(|| last.started.engine.clone())
}

/// Returns the last run of the step if it ended well, and we did not come to commit what it changed: the
/// process was killed in between.
fn uncommitted(plan: &Plan, before: &work::Before) -> Option<Asked> {
    let runs = plan.protocol.runs_of(&plan.step.id).filter(|run| run.started.kind == RunKind::Step);
    let last = runs.last().filter(|run| run.attempt == Some(plan.step.attempt))?;
    let finished = last.finished.as_ref().filter(|it| it.status == RunStatus::Succeeded)?;
    let outputs = format!(".protocols/{}/outputs/", plan.name);
    // No more than a hundred are recorded.
    let is_cut = finished.changed.len() >= ask::MAX_CHANGED;
    let is_its_work = |path: &String| is_cut || finished.changed.contains(path) || path.starts_with(&outputs);
    if plan.step.recorded != StepStatus::Running
        || before.dirty.is_empty()
        || !before.dirty.iter().all(is_its_work)
    {
        return None;
    }
    Some(Asked {
        run: last.started.run,
        engine: last.started.engine.clone(),
        model: last.started.model.clone(),
        outcome: Outcome {
            usage: finished.usage,
            session: finished.session.clone(),
            ..Outcome::without_answer(finished.status, finished.message.clone())
        },
        session_used: finished.usage,
        took: Duration::from_millis(finished.duration_ms),
        log: finished.log.clone(),
        unrecorded: Vec::new(),
        held: Vec::new(),
    })
}

/// Makes the step running.
fn begin(ctx: &Context, plan: &Plan) -> Result<(), Error> {
    if plan.step.recorded == StepStatus::Running {
        return Ok(());
    }
    let streams = Streams::for_target(ctx, Some(plan.name.as_str()))?;
    let appended = streams.append(&plan.name, &mut |ledger, _| {
        let recorded = ledger.protocol().and_then(|it| it.step(&plan.step.id)).map(|step| step.recorded);
        match recorded {
            Some(StepStatus::Failed) => decide::retry(ledger, &plan.step.id)?,
            _ => decide::start(ledger, &plan.step.id)?,
        }
        Ok(())
    })?;
    super::after_write(ctx, &appended);
    Ok(())
}

/// Keeps others from running something in the worktree of the protocol.
pub(super) fn only_one(ctx: &Context, name: &Name) -> Result<Lock, Error> {
    Lock::acquire(&lock_of(&ctx.repo, name), Duration::ZERO).map_err(|err| match err {
        lock::Error::Busy { .. } => Error::state(
            "run.busy",
            format!("a run of {name} goes on already"),
            format!("git godzilla runs {name}"),
        ),
        err @ lock::Error::Io { .. } => err.into(),
    })
}

/// Whether an engine works in the worktree of the protocol now, in this clone.
pub fn goes_on(repo: &Repo, name: &Name) -> bool {
    let path = lock_of(repo, name);
    path.is_file() && Lock::acquire(&path, Duration::ZERO).is_err()
}

/// Whether any engine works in this clone now.
pub fn any_goes_on(repo: &Repo) -> bool {
    let entries = std::fs::read_dir(repo.state_dir().join("locks")).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut working = names.filter_map(|name| name.strip_prefix("run-")?.parse::<Name>().ok());
    working.any(|name| goes_on(repo, &name))
}

/// Refuses what decides for people while an engine works on the protocol: it could be the engine's doing.
///
/// # Errors
///
/// [`Error::State`] (`run.goes_on`) while it does.
pub fn not_during(ctx: &Context, name: &Name) -> Result<(), Error> {
    if !goes_on(&ctx.repo, name) {
        return Ok(());
    }
    let message = format!("an engine works on {name} now; nothing is decided about it meanwhile");
    Err(Error::state(
        "run.goes_on",
        message,
        format!("wait for its end, or stop it: git godzilla logs -f -p {name}"),
    ))
}

fn lock_of(repo: &Repo, name: &Name) -> std::path::PathBuf {
    repo.state_dir().join("locks").join(format!("run-{name}"))
}

/// Whether QA follows a run by itself.
fn qa_follows(request: &Request, policy: QaPolicy) -> bool {
    request.qa.unwrap_or(policy == QaPolicy::Light)
}
