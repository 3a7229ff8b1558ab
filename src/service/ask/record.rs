//! The facts of a run, in the stream of its protocol.

use std::time::Duration;

use super::folder::{self, Left};
use crate::domain::event::{Body, Draft};
use crate::domain::id::{Name, StepId};
use crate::domain::redact::{self, Known};
use crate::domain::run::{Artifact, Run, RunFinished, RunStarted, RunStatus, Usage};
use crate::domain::text;
use crate::engine::Outcome;
use crate::service::context::Context;
use crate::service::error::Error;
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
    unrecorded: Vec<Draft>,
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
            self.unrecorded.extend(bodies.into_iter().map(Draft::new));
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

    pub(super) fn into_unrecorded(self) -> Vec<Draft> {
        self.unrecorded
    }
}

/// Records the end of runs that began in this clone and whose process is gone, as after a power cut.
/// Returns them as they are now.
///
/// # Errors
///
/// [`Error`] if the stream cannot be read or written.
pub fn settle_dead(ctx: &Context, name: &Name) -> Result<Vec<Run>, Error> {
    let streams = Streams::for_target(ctx, Some(name.as_str()))?;
    let runs = streams.look(name)?.folded.protocol.map(|protocol| protocol.runs).unwrap_or_default();
    let is_dead = |run: &&Run| {
        let id = run.started.run;
        run.finished.is_none() && folder::is_ours(&ctx.repo, id) && !folder::is_alive(&ctx.repo, id)
    };
    let dead: Vec<Run> = runs.iter().filter(is_dead).cloned().collect();
    if dead.is_empty() {
        return Ok(dead);
    }
    let appended = streams.append(name, &mut |ledger, _| {
        for run in &dead {
            let known =
                ledger.protocol().and_then(|it| it.runs.iter().find(|it| it.started.run == run.started.run));
            if known.is_none_or(|known| known.finished.is_some()) {
                continue;
            }
            let finished = RunFinished {
                run: run.started.run,
                status: RunStatus::Killed,
                message: "its process is gone".to_owned(),
                usage: Usage::default(),
                duration_ms: 0,
                session: folder::session_of(&ctx.repo, run.started.run),
                exit: None,
                changed: Vec::new(),
                log: None,
            };
            let body = Body::RunFinished(finished);
            ledger.push(Draft { step: run.step.clone(), attempt: run.attempt, ..Draft::new(body) });
        }
        Ok(())
    })?;
    let runs = appended.protocol.map(|protocol| protocol.runs).unwrap_or_default();
    let is_one = |run: &Run| dead.iter().any(|dead| dead.started.run == run.started.run);
    Ok(runs.into_iter().filter(is_one).collect())
}
