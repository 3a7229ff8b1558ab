//! The facts of a run, in the stream of its protocol.

use std::collections::BTreeSet;
use std::time::Duration;

use super::folder::{self, Left};
use super::left;
use crate::domain::event::{Body, Draft};
use crate::domain::id::{Name, StepId, Ulid};
use crate::domain::redact::{self, Known};
use crate::domain::run::{Artifact, Run, RunFinished, RunStarted, RunStatus, Usage};
use crate::domain::text;
use crate::engine::Outcome;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::guard;
use crate::service::streams::Streams;

/// How much of what an engine said is recorded.
const MAX_MESSAGE: usize = 4000;

/// How many changed paths are recorded.
pub const MAX_CHANGED: usize = 100;

/// Records runs where they belong, or keeps their facts for later.
pub(super) struct Recorder<'a> {
    ctx: &'a Context,
    of: Option<(&'a Name, Option<&'a StepId>)>,
    known: &'a Known,
    unrecorded: Vec<Body>,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(
        ctx: &'a Context,
        of: Option<(&'a Name, Option<&'a StepId>)>,
        known: &'a Known,
    ) -> Self {
        Self { ctx, of, known, unrecorded: Vec::new() }
    }

    pub(super) fn begins(&mut self, started: &RunStarted) -> Result<(), Error> {
        self.record(vec![Body::RunStarted(started.clone())])
    }

    pub(super) fn ends(
        &mut self,
        started: &RunStarted,
        outcome: &Outcome,
        changed: &[String],
        took: Duration,
        log: Option<&Left>,
    ) -> Result<(), Error> {
        let message = redact::clean(&text::multi_line(&outcome.text), self.known);
        let finished = RunFinished {
            run: started.run,
            status: outcome.status,
            message: text::clip(message.trim(), MAX_MESSAGE),
            usage: outcome.usage,
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            session: outcome.session.as_deref().map(|id| text::clip(&text::one_line(id), 200)),
            exit: outcome.exit.map(i64::from),
            changed: changed.iter().take(MAX_CHANGED).map(|path| self.shown(path)).collect(),
            log: log.map(|log| log.sha256.clone()),
        };
        let mut bodies = vec![Body::RunFinished(finished)];
        bodies.extend(log.map(|log| {
            Body::ArtifactAdded(Artifact {
                run: started.run,
                name: "log".to_owned(),
                kind: "log".to_owned(),
                path: format!("runs/{}/log", started.run),
                sha256: log.sha256.clone(),
                bytes: log.bytes,
            })
        }));
        self.record(bodies)
    }

    fn shown(&self, path: &str) -> String {
        redact::clean(&text::clip(&text::one_line(path), 300), self.known)
    }

    fn record(&mut self, bodies: Vec<Body>) -> Result<(), Error> {
        let Some((name, step)) = self.of else {
            self.unrecorded.extend(bodies);
            return Ok(());
        };
        let streams = Streams::for_target(self.ctx, Some(name.as_str()))?;
        streams.append(name, &mut |ledger, _| {
            let step = step.and_then(|id| ledger.protocol()?.step(id));
            let (id, attempt) = (step.map(|step| step.id.clone()), step.map(|step| step.attempt));
            for body in &bodies {
                ledger.push(Draft { step: id.clone(), attempt, ..Draft::new(body.clone()) });
            }
            Ok(())
        })?;
        Ok(())
    }

    pub(super) fn into_unrecorded(self) -> Vec<Body> {
        self.unrecorded
    }
}

/// Returns what is to be recorded of a run if its process dies before it records anything else.
pub(super) fn if_killed(started: &RunStarted, usage: Usage) -> [Body; 2] {
    [Body::RunStarted(started.clone()), Body::RunFinished(killed(started.run, usage, None))]
}

fn killed(run: Ulid, usage: Usage, session: Option<String>) -> RunFinished {
    RunFinished {
        run,
        status: RunStatus::Killed,
        message: "its process is gone".to_owned(),
        usage,
        duration_ms: 0,
        session,
        exit: None,
        changed: Vec::new(),
        log: None,
    }
}

/// Records the end of runs that began in this clone and whose process is gone, as after a power cut.
/// Returns a sentence for each of which nobody knows what it did to the repository, since the record of how that
/// was is gone as well; then nothing that was agreed to counts any longer.
///
/// # Errors
///
/// [`Error`] if the stream cannot be read or written.
pub fn settle_dead(ctx: &Context, name: &Name) -> Result<Vec<String>, Error> {
    let streams = Streams::for_target(ctx, Some(name.as_str()))?;
    let looked = streams.look(name)?;
    let runs = looked.folded.protocol.map(|protocol| protocol.runs).unwrap_or_default();
    let open: Vec<Run> = runs.into_iter().filter(|run| run.finished.is_none()).collect();
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let host = ctx.repo.clone_label();
    let began = looked.content.lines().iter().filter_map(|line| match &line.event.body {
        Body::RunStarted(started) if line.event.actor.host == host => Some(started.run),
        _ => None,
    });
    let here: BTreeSet<Ulid> = began.collect();
    let id = |run: &Run| run.started.run;
    let is_dead = |run: &Run| here.contains(&id(run)) && !folder::is_alive(&ctx.repo, id(run));
    let dead: Vec<Run> = open.into_iter().filter(is_dead).collect();
    let unknown: Vec<Ulid> = dead.iter().map(id).filter(|run| !guard::is_known(&ctx.repo, *run)).collect();
    if dead.is_empty() {
        return Ok(Vec::new());
    }
    let mut said = Vec::new();
    for run in &unknown {
        said.push(guard::unknown(&ctx.repo, *run)?);
    }
    streams.append(name, &mut |ledger, _| {
        for run in &dead {
            let known = ledger.protocol().and_then(|it| it.runs.iter().find(|it| id(it) == id(run)));
            if known.is_none_or(|known| known.finished.is_some()) {
                continue;
            }
            let (used, session) = (left::used_by(&ctx.repo, id(run)), folder::session_of(&ctx.repo, id(run)));
            let mut finished = killed(id(run), used, session);
            if unknown.contains(&id(run)) {
                finished.message.push_str(", and nobody knows what it did to the repository");
            }
            let body = Body::RunFinished(finished);
            ledger.push(Draft { step: run.step.clone(), attempt: run.attempt, ..Draft::new(body) });
        }
        Ok(())
    })?;
    Ok(said)
}
