//! `qa`: runs the gates of a step, has it reviewed, and records what both said; a step ends on it.

mod judging;
mod mend;

use std::path::PathBuf;

use self::judging::{Run, result_of};
pub use self::mend::Mended;
use super::ask::Told;

use super::context::Context;
use super::error::Error;
use super::gates::{self, Changed, Gate, Judges};
use super::policy::{self, Decided};
use super::resolve::{self, Target};
use super::review::{self, Reviewed, Unreviewed};
use super::streams::Streams;
use super::trust::Trust;
use super::workplace::Workplace;
use super::{initialised, observe};
use crate::domain::decide::{self, Pushed};
use crate::domain::event::{Body, Draft, GateResult, Verdict};
use crate::domain::id::{Name, Oid, StepId};
use crate::domain::policy::Occasion;
use crate::domain::state::{Protocol, Step};
use crate::domain::status::StepStatus;
use crate::platform::git::Look;

/// What to tell somebody who watches.
#[derive(Clone, Copy, Debug)]
pub enum Watch<'a> {
    Begins(&'a Gate),
    Says(&'a [u8]),
    Ends(&'a Gate, &'a GateResult),
    /// An engine reviews the step, or mends what a gate found.
    Engine(Told<'a>),
    /// Something that people should know, and that changes no verdict.
    Notice(&'a str),
}

/// What is asked of QA.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub name: Option<String>,
    pub step: Option<String>,
    /// Whether an engine reviews the step: `None` if the step's policy asks for it and its gates pass.
    pub review: Option<bool>,
    /// Who reviews it, in the place of who is set.
    pub engine: Option<String>,
    pub model: Option<String>,
    /// Leave what gates find to people.
    pub no_fix: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Judged {
    pub name: Name,
    pub step: StepId,
    pub verdict: Verdict,
    /// After the verdict and what followed from it.
    pub protocol: Protocol,
    /// Where the gates ran; `None` if there is none.
    pub worktree: Option<PathBuf>,
    /// Gates of the branch that did not judge it.
    pub changed: Option<Changed>,
    /// Whether somebody chose the gates for the protocol in place of the base's.
    pub accepted: bool,
    /// Paths that changed while the gates ran, and submodules that hold what they did not commit: nobody
    /// knows what the gates saw.
    pub moved: Vec<String>,
    /// Files with other bytes than a checkout of the commit gives, though git takes them for the same.
    pub unlike: Vec<String>,
    /// Files that were written while the gates ran and hold what they held before.
    pub rewritten: Vec<String>,
    /// What the step waits for although it passed.
    pub waits_for: Option<&'static str>,
    /// What came of the review, if one was due.
    pub reviewed: Option<Reviewed>,
    /// What an engine mended before the gates ran for the last time.
    pub mended: Vec<Mended>,
    /// What followed from it by the policies of the step.
    pub decided: Vec<Decided>,
}

impl Judged {
    /// Returns why there is no review although one was due.
    pub fn unreviewed(&self) -> Option<&Unreviewed> {
        self.reviewed.as_ref()?.unreviewed.as_ref()
    }
}

/// Judges a step in the worktree of its protocol: by the gates, then by an engine where the step's policy and
/// the configuration of its base ask for it. Records the verdict.
///
/// When this returns, the verdict is in the local ref, with the decision that it led to. A gate that fails, or a
/// reviewer that cannot review, is a verdict and no error.
///
/// # Errors
///
/// [`Error::Refused`] if nobody agreed here to run these gates, [`Error::Interrupted`] if somebody stopped them,
/// [`Error::State`] (`review.nobody`) if a review was asked for and no engine is there for it; nothing is recorded
/// then.
pub fn qa(ctx: &Context, request: &Request, watch: &mut dyn FnMut(Watch<'_>)) -> Result<Judged, Error> {
    initialised(ctx)?;
    super::init::remove_old_drafts(&ctx.repo);
    super::plan::recover(ctx)?;
    let mut mended = Vec::new();
    loop {
        let case = Case::open(ctx, request)?;
        let gates = case.run_gates(ctx, watch)?;
        if !request.no_fix
            && let Some(done) = mend::mend(ctx, &case, &gates, mended.len(), watch)?
        {
            mended.push(done);
            continue;
        }
        return case.conclude(ctx, request, gates, mended, watch);
    }
}

/// A step that is to be judged, as it stands.
struct Case {
    name: Name,
    protocol: Protocol,
    step: Step,
    place: Workplace,
    judges: Judges,
    /// The folder that nothing is judged by.
    own: String,
    look: Look,
    content_tree: Oid,
    dirty: bool,
}

/// What the gates said, and what became of the worktree meanwhile.
struct GatesRan {
    results: Vec<GateResult>,
    result: &'static str,
    moved: Vec<String>,
    rewritten: Vec<String>,
}

impl Case {
    fn open(ctx: &Context, request: &Request) -> Result<Self, Error> {
        let streams = Streams::for_target(ctx, request.name.as_deref())?;
        let Target { name, root: None } = resolve::protocol(&streams, request.name.as_deref())? else {
            return Err(Error::state("protocol.twin", "this protocol shares its name with another one", ""));
        };
        let protocol = streams.look(&name)?.folded.protocol.ok_or_else(|| super::act::unknown(&name))?;
        if protocol.runs.iter().any(|run| run.finished.is_none()) {
            super::run::known_or_said(ctx, &name)?;
        }
        if protocol.shown.is_final() {
            return Err(Error::state(
                "protocol.over",
                format!("protocol {name} is {}", protocol.shown),
                format!("git godzilla show {name}"),
            ));
        }
        let id = resolve::step(&protocol, request.step.as_deref())?;
        let Some(step) = protocol.step(&id).cloned() else {
            return Err(Error::Unknown { what: "step", text: id.to_string(), near: Vec::new() });
        };
        let place = Workplace::find(ctx, &protocol)?;
        let tips = streams.branches.of(&protocol, streams.inventory.home());
        let mut judges = gates::judges(&ctx.repo, &protocol, &tips, place.head)?;
        if let Some(chosen) = step.more.as_ref().and_then(|more| more.qa_gates.as_ref()) {
            judges.gates.retain(|gate| chosen.contains(&gate.name) || chosen.contains(&gate.path));
        }
        let own = format!(".protocols/{name}");
        let head_tree = ctx.repo.tree_of(place.head)?;
        let look = place.repo.look(head_tree, &own)?;
        let committed = observe::content_tree(&ctx.repo, head_tree, &name)?;
        let content_tree = look.tree.unwrap_or(committed);
        let dirty = content_tree != committed;
        Ok(Self { name, protocol, step, place, judges, own, look, content_tree, dirty })
    }

    fn run_gates(&self, ctx: &Context, watch: &mut dyn FnMut(Watch<'_>)) -> Result<GatesRan, Error> {
        let mut ran =
            GatesRan { results: Vec::new(), result: "no_gate", moved: Vec::new(), rewritten: Vec::new() };
        let Some(folder) = self.judges.folder.as_ref().filter(|_| !self.judges.gates.is_empty()) else {
            return Ok(ran);
        };
        let agreed = Trust::load(&ctx.repo)?.pass(folder, self.judges.word, &self.name)?;
        let run =
            Run { place: &self.place, agreed, judges: &self.judges, name: &self.name, step: &self.step.id };
        ran.results = run.all(watch)?;
        ran.result = result_of(&ran.results);
        ran.moved.clone_from(&self.look.submodules);
        let since = self.place.repo.since(&self.look, &self.own)?;
        ran.moved.extend(since.changed);
        ran.rewritten = since.rewritten;
        ran.moved.sort();
        ran.moved.dedup();
        if !ran.moved.is_empty() {
            ran.result = "error";
        }
        Ok(ran)
    }

    /// Has the step reviewed if that is due, and records the verdict of both.
    fn conclude(
        self,
        ctx: &Context,
        request: &Request,
        gates: GatesRan,
        mended: Vec<Mended>,
        watch: &mut dyn FnMut(Watch<'_>),
    ) -> Result<Judged, Error> {
        let mut verdict = Verdict {
            step: Some(self.step.id.clone()),
            commit: Some(self.place.head),
            content_tree: self.content_tree,
            dirty: self.dirty,
            result: gates.result.to_owned(),
            gates: gates.results,
            review: None,
        };
        let subject = review::Subject {
            name: &self.name,
            protocol: &self.protocol,
            step: &self.step,
            place: &self.place,
            judges: &self.judges,
            verdict: &verdict,
        };
        let mut tell = |told: Told<'_>| watch(Watch::Engine(told));
        let mut reviewed = review::review(ctx, &subject, request, &mut tell)?;
        if let Some(reviewed) = &mut reviewed {
            review::combined(&verdict.result, reviewed).clone_into(&mut verdict.result);
            verdict.review = reviewed.review.clone().map(Box::new);
            review::report(ctx, &self.place, &self.name, &self.step, &verdict, reviewed);
        }
        let Recorded { protocol, waits_for, decided } =
            record(ctx, &self.name, &self.step.id, &verdict, reviewed.as_ref())?;
        Ok(Judged {
            name: self.name,
            step: self.step.id,
            verdict,
            protocol,
            worktree: Some(self.place.dir),
            changed: self.judges.changed,
            accepted: self.judges.accepted,
            moved: gates.moved,
            unlike: self.look.unlike,
            rewritten: gates.rewritten,
            waits_for,
            decided,
            reviewed,
            mended,
        })
    }
}

fn record(
    ctx: &Context,
    name: &Name,
    id: &StepId,
    verdict: &Verdict,
    reviewed: Option<&Reviewed>,
) -> Result<Recorded, Error> {
    let streams = Streams::for_target(ctx, Some(name.as_str()))?;
    let mut waits_for = None;
    let appended = streams.append(name, &mut |ledger, _| {
        let tips = match ledger.protocol() {
            Some(protocol) => streams.branches.of(protocol, streams.inventory.home()),
            None => return Err(super::act::unknown(name)),
        };
        let pushed: Pushed<'_> = &|oid: Oid| observe::is_pushed(&ctx.repo, &tips, oid);
        let attempt = ledger.protocol().and_then(|it| it.step(id)).map(|step| step.attempt);
        if let Some(artifact) = reviewed.and_then(|reviewed| reviewed.report.clone()) {
            let body = Body::ArtifactAdded(artifact);
            ledger.push(Draft { step: Some(id.clone()), attempt, ..Draft::new(body) });
        }
        let body = Body::VerdictRecorded(verdict.clone());
        ledger.push(Draft { step: Some(id.clone()), ..Draft::new(body) });
        decide::settle(ledger, pushed);
        waits_for = ledger.protocol().and_then(|protocol| {
            let step = protocol.step(id).filter(|step| !step.is_settled())?;
            decide::waits_for(protocol, step, pushed)
        });
        Ok(())
    })?;
    super::after_write(ctx, &appended);
    let mut protocol = appended.protocol.ok_or_else(|| super::act::unknown(name))?;
    let mut decided = Vec::new();
    // A step that an older verdict has failed meanwhile was not followed by anybody: hooks follow nothing.
    let fails = || {
        let step = protocol.step(id)?;
        let is_failed = verdict.result == "fail" && step.recorded == StepStatus::Failed;
        is_failed.then_some(Occasion::QaFailed)
    };
    if let Some(occasion) = policy::occasion_of(&appended.events, id).or_else(fails) {
        decided = policy::after(ctx, name, id, occasion)?;
    }
    if let Some(last) = decided.last() {
        protocol.clone_from(&last.protocol);
    }
    Ok(Recorded { protocol, waits_for, decided })
}

/// What recording a verdict led to.
struct Recorded {
    protocol: Protocol,
    waits_for: Option<&'static str>,
    decided: Vec<Decided>,
}
