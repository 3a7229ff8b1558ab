//! Runs of engines, as events and this clone's folders tell of them.

use std::path::PathBuf;

use super::ask;
use super::context::Context;
use super::error::Error;
use super::resolve::{self, Target};
use super::streams::Streams;
use crate::domain::id::{Name, Ulid};
use crate::domain::run::{Run, Spent};

/// The runs of one protocol.
pub struct Runs {
    pub name: Name,
    /// In the order in which they began.
    pub runs: Vec<Shown>,
    pub spent: Spent,
    /// What somebody should look at, one line each.
    pub notices: Vec<String>,
}

/// One run.
pub struct Shown {
    pub run: Run,
    /// `running` while it goes on, `unknown` if nobody said how it ended, else how it ended.
    pub status: &'static str,
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
    let is_wanted = |run: &&Run| step.is_none() || run.step == step;
    let runs: Vec<Shown> = protocol.runs.iter().filter(is_wanted).map(|run| shown(ctx, run)).collect();
    let spent = Spent::by(runs.iter().map(|shown| &shown.run));
    Ok(Runs { name, runs, spent, notices })
}

/// Returns the run whose id begins or ends with `wanted`, or the newest one.
///
/// # Errors
///
/// [`Error::Unknown`] if there is none, [`Error::Ambiguous`] if there are several.
pub fn find<'a>(runs: &'a Runs, wanted: Option<&str>) -> Result<&'a Shown, Error> {
    let Some(wanted) = wanted else {
        return runs.runs.last().ok_or_else(|| {
            let message = format!("nothing has run for {} yet", runs.name);
            Error::state("run.none", message, format!("git godzilla run -p {}", runs.name))
        });
    };
    let upper = wanted.to_ascii_uppercase();
    let matches = |shown: &&Shown| {
        let id = shown.run.started.run.to_string();
        id.starts_with(&upper) || id.ends_with(&upper)
    };
    let found: Vec<&Shown> = runs.runs.iter().filter(matches).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(Error::Unknown { what: "run", text: wanted.to_owned(), near: Vec::new() }),
        several => Err(Error::Ambiguous {
            message: format!("several runs match `{wanted}`"),
            candidates: several.iter().map(|shown| shown.run.started.run.to_string()).collect(),
        }),
    }
}

fn shown(ctx: &Context, run: &Run) -> Shown {
    let id = run.started.run;
    let status = match &run.finished {
        Some(finished) => finished.status.as_str(),
        None if ask::is_alive(&ctx.repo, id) => "running",
        None => "unknown",
    };
    Shown { run: run.clone(), status, log: ask::log_of(&ctx.repo, id) }
}

/// Whether a run still goes on in this clone.
pub fn goes_on(ctx: &Context, run: Ulid) -> bool {
    ask::is_alive(&ctx.repo, run)
}
