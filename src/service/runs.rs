//! Runs of engines, as events and this clone's folders tell of them.

use std::path::PathBuf;

use super::context::Context;
use super::error::Error;
use super::resolve::{self, Target};
use super::streams::Streams;
use super::{ask, budget};
use crate::domain::id::{Digest, Name, StepId, Ulid};
use crate::domain::run::{Artifact, Run, RunFinished, RunKind, Spent, Usage, UsageRecorded};
use crate::platform::git::Repo;

/// The runs of one protocol, or all.
pub struct Runs {
    /// `None` for all runs, those that belong to no protocol included.
    pub name: Option<Name>,
    /// In the order in which they began.
    pub runs: Vec<Shown>,
    pub spent: Spent,
    /// What somebody should look at, one line each.
    pub notices: Vec<String>,
}

/// One run.
pub struct Shown {
    pub id: Ulid,
    /// `None` for one that led to no protocol, such as a plan that came to nothing.
    pub protocol: Option<Name>,
    pub step: Option<StepId>,
    pub attempt: Option<u64>,
    pub kind: RunKind,
    pub engine: String,
    pub model: Option<String>,
    pub template: Option<String>,
    /// Not recorded of a run without a protocol, as the end is.
    pub prompt: Option<Digest>,
    pub estimate: u64,
    /// `running` while it goes on, `unknown` if nobody said how it ended, else how it ended.
    pub status: &'static str,
    pub usage: Usage,
    pub started_at_ms: u64,
    pub finished: Option<RunFinished>,
    pub artifacts: Vec<Artifact>,
    /// Its log, if it ran in this clone.
    pub log: Option<PathBuf>,
}

/// Returns the runs of the protocol that is named or checked out; of one step if it is named.
///
/// # Errors
///
/// [`Error`] if there is no such protocol or step.
pub fn list(ctx: &Context, name: Option<&str>, step: Option<&str>) -> Result<Runs, Error> {
    let Target { name, .. } = resolve::protocol(&Streams::for_target(ctx, name)?, name)?;
    let notices = ask::settle_dead(ctx, &name).unwrap_or_else(|err| {
        tracing::debug!(%err, "only read");
        Vec::new()
    });
    let streams = Streams::for_target(ctx, Some(name.as_str()))?;
    let protocol = streams.look(&name)?.folded.protocol.ok_or_else(|| super::act::unknown(&name))?;
    let step = step.map(|step| resolve::step(&protocol, Some(step))).transpose()?;
    let wanted: Vec<&Run> = protocol.runs.iter().filter(|run| step.is_none() || run.step == step).collect();
    let spent = Spent::by(wanted.iter().copied());
    let runs = wanted.into_iter().map(|run| of_protocol(&ctx.repo, &name, run)).collect();
    Ok(Runs { name: Some(name), runs, spent, notices })
}

/// Returns the runs of all protocols, and those that belong to none. Streams that cannot be read are passed
/// over.
///
/// # Errors
///
/// [`Error`] if refs cannot be listed.
pub fn all(ctx: &Context) -> Result<Runs, Error> {
    let streams = Streams::read_all(ctx)?;
    let (mut runs, mut spent) = (Vec::new(), Spent::default());
    for name in streams.inventory.streams.keys() {
        let looked = match streams.look(name) {
            Ok(looked) => looked,
            Err(err) => {
                tracing::warn!(%name, %err, "its runs are passed over");
                continue;
            }
        };
        let Some(protocol) = looked.folded.protocol else { continue };
        spent = spent.plus(protocol.spent());
        runs.extend(protocol.runs.iter().map(|run| of_protocol(&ctx.repo, name, run)));
    }
    for (at_ms, used) in streams.routed(None).map(budget::of_nobody).unwrap_or_default() {
        spent = spent.plus(Spent::of_recorded(used));
        runs.push(of_nobody(&ctx.repo, at_ms, used));
    }
    runs.sort_by_key(|shown| (shown.started_at_ms, shown.id));
    Ok(Runs { name: None, runs, spent, notices: Vec::new() })
}

/// Returns the run whose id begins or ends with `wanted`, or the newest one.
///
/// # Errors
///
/// [`Error::Unknown`] if there is none, [`Error::Ambiguous`] if there are several.
pub fn find<'a>(runs: &'a Runs, wanted: Option<&str>) -> Result<&'a Shown, Error> {
    let Some(wanted) = wanted else {
        return runs.runs.last().ok_or_else(|| {
            let (of, hint) = match &runs.name {
                Some(name) => (format!(" for {name}"), format!("git godzilla run -p {name}")),
                None => (String::new(), "git godzilla engines list".to_owned()),
            };
            Error::state("run.none", format!("nothing has run{of} yet"), hint)
        });
    };
    let upper = wanted.to_ascii_uppercase();
    let matches = |shown: &&Shown| {
        let id = shown.id.to_string();
        id.starts_with(&upper) || id.ends_with(&upper)
    };
    let found: Vec<&Shown> = runs.runs.iter().filter(matches).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(Error::Unknown { what: "run", text: wanted.to_owned(), near: Vec::new() }),
        several => Err(Error::Ambiguous {
            message: format!("several runs match `{wanted}`"),
            candidates: several.iter().map(|shown| shown.id.to_string()).collect(),
        }),
    }
}

fn of_protocol(repo: &Repo, name: &Name, run: &Run) -> Shown {
    let started = &run.started;
    let status = match &run.finished {
        Some(finished) => finished.status.as_str(),
        None if ask::is_alive(repo, started.run) => "running",
        None => "unknown",
    };
    Shown {
        id: started.run,
        protocol: Some(name.clone()),
        step: run.step.clone(),
        attempt: run.attempt,
        kind: started.kind,
        engine: started.engine.clone(),
        model: started.model.clone(),
        template: started.template.clone(),
        prompt: Some(started.prompt),
        estimate: started.estimate,
        status,
        usage: run.finished.as_ref().map(|finished| finished.usage).unwrap_or_default(),
        started_at_ms: run.started_at_ms,
        finished: run.finished.clone(),
        artifacts: run.artifacts.clone(),
        log: ask::log_of(repo, started.run),
    }
}

fn of_nobody(repo: &Repo, at_ms: u64, used: &UsageRecorded) -> Shown {
    Shown {
        id: used.run,
        protocol: None,
        step: None,
        attempt: None,
        kind: used.kind,
        engine: used.engine.clone(),
        model: used.model.clone(),
        template: None,
        prompt: None,
        estimate: used.estimate,
        status: used.status.as_str(),
        usage: used.usage,
        started_at_ms: at_ms,
        finished: None,
        artifacts: Vec::new(),
        log: ask::log_of(repo, used.run),
    }
}

/// Whether a run still goes on in this clone.
pub fn goes_on(ctx: &Context, run: Ulid) -> bool {
    ask::is_alive(&ctx.repo, run)
}
