//! `qa`: runs the gates of a step and records what they said; a step ends on it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::context::Context;
use super::error::Error;
use super::gates::{self, Changed, Gate, Judges};
use super::policy::{self, Decided};
use super::resolve::{self, Target};
use super::streams::Streams;
use super::trust::{Agreed, Trust};
use super::workplace::Workplace;
use super::{initialised, observe};
use crate::domain::decide::{self, Pushed};
use crate::domain::event::{Body, Draft, GateResult, Verdict};
use crate::domain::id::{Digest, Name, Oid, StepId};
use crate::domain::redact::{self, Known};
use crate::domain::state::Protocol;
use crate::domain::text;
use crate::platform::fs::DraftFolder;
use crate::platform::git;
use crate::platform::supervise::{self, Bounds, End, Ended};
use crate::platform::{env, process};

/// How much of what a gate said is recorded if it did not pass.
const MAX_TAIL: usize = 2000;

/// What to tell somebody who watches.
#[derive(Clone, Copy, Debug)]
pub enum Watch<'a> {
    Begins(&'a Gate),
    Says(&'a [u8]),
    Ends(&'a Gate, &'a GateResult),
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
    /// What the step waits for although its gates passed.
    pub waits_for: Option<&'static str>,
    /// What followed from it by the policies of the step.
    pub decided: Vec<Decided>,
}

/// Runs the gates of a step in the worktree of its protocol, and records the verdict.
///
/// When this returns, the verdict is in the local ref, with the decision that it led to. A gate that
/// fails is a verdict and no error.
///
/// # Errors
///
/// [`Error::Refused`] if nobody agreed here to run these gates, [`Error::Interrupted`] if somebody
/// stopped them; nothing is recorded then.
pub fn qa(
    ctx: &Context,
    name: Option<&str>,
    step: Option<&str>,
    watch: &mut dyn FnMut(Watch<'_>),
) -> Result<Judged, Error> {
    initialised(ctx)?;
    super::init::remove_old_drafts(&ctx.repo);
    super::plan::recover(ctx)?;
    let streams = Streams::for_target(ctx, name)?;
    let Target { name, root: None } = resolve::protocol(&streams, name)? else {
        return Err(Error::state("protocol.twin", "this protocol shares its name with another one", ""));
    };
    let looked = streams.look(&name)?;
    let protocol = looked.folded.protocol.ok_or_else(|| super::act::unknown(&name))?;
    if protocol.shown.is_final() {
        return Err(Error::state(
            "protocol.over",
            format!("protocol {name} is {}", protocol.shown),
            format!("git godzilla show {name}"),
        ));
    }
    let step = resolve::step(&protocol, step)?;
    let place = Workplace::find(ctx, &protocol)?;
    let tips = streams.branches.of(&protocol, streams.inventory.home());
    let judges = gates::judges(&ctx.repo, &protocol, &tips, place.head)?;
    let own = format!(".protocols/{name}");
    let head_tree = ctx.repo.tree_of(place.head)?;
    let look = place.repo.look(head_tree, &own)?;
    let content_tree = match look.tree {
        Some(tree) => tree,
        None => observe::content_tree(&ctx.repo, head_tree, &name)?,
    };
    let dirty = content_tree != observe::content_tree(&ctx.repo, head_tree, &name)?;
    let mut verdict = Verdict {
        step: Some(step.clone()),
        commit: Some(place.head),
        content_tree,
        dirty,
        result: "no_gate".to_owned(),
        gates: Vec::new(),
        review: None,
    };
    let (mut moved, mut rewritten) = (Vec::new(), Vec::new());
    if let Some(folder) = judges.folder.as_ref().filter(|_| !judges.gates.is_empty()) {
        let agreed = Trust::load(&ctx.repo)?.pass(folder, judges.word, &name)?;
        let run = Run { place: &place, agreed, judges: &judges, name: &name, step: &step };
        verdict.gates = run.all(watch)?;
        result_of(&verdict.gates).clone_into(&mut verdict.result);
        moved.clone_from(&look.submodules);
        let since = place.repo.since(&look, &own)?;
        moved.extend(since.changed);
        rewritten = since.rewritten;
        moved.sort();
        moved.dedup();
        if !moved.is_empty() {
            "error".clone_into(&mut verdict.result);
        }
    }
    let recorded = verdict.clone();
    let mut waits_for = None;
    let appended = streams.append(&name, &mut |ledger, _| {
        let tips = match ledger.protocol() {
            Some(protocol) => streams.branches.of(protocol, streams.inventory.home()),
            None => return Err(super::act::unknown(&name)),
        };
        let pushed: Pushed<'_> = &|oid: Oid| observe::is_pushed(&ctx.repo, &tips, oid);
        ledger
            .push(Draft { step: Some(step.clone()), ..Draft::new(Body::VerdictRecorded(recorded.clone())) });
        decide::settle(ledger, pushed);
        waits_for = ledger.protocol().and_then(|protocol| {
            let step = protocol.step(&step).filter(|step| !step.is_settled())?;
            decide::waits_for(protocol, step, pushed)
        });
        Ok(())
    })?;
    super::after_write(ctx, &appended);
    let mut protocol = appended.protocol.ok_or_else(|| super::act::unknown(&name))?;
    let mut decided = Vec::new();
    if let Some(occasion) = policy::occasion_of(&appended.events, &step) {
        decided = policy::after(ctx, &name, &step, occasion)?;
    }
    if let Some(last) = decided.last() {
        protocol.clone_from(&last.protocol);
    }
    let worktree = Some(place.dir);
    Ok(Judged {
        name,
        step,
        verdict,
        protocol,
        worktree,
        changed: judges.changed,
        accepted: judges.accepted,
        moved,
        unlike: look.unlike,
        rewritten,
        waits_for,
        decided,
    })
}

/// One word for all gates.
fn result_of(gates: &[GateResult]) -> &'static str {
    if gates.iter().any(|gate| gate.digest.is_empty()) {
        "error"
    } else if gates.iter().all(|gate| gate.exit == Some(0)) {
        "pass"
    } else {
        "fail"
    }
}

/// What is to be run.
struct Run<'a> {
    place: &'a Workplace,
    agreed: Agreed<'a>,
    judges: &'a Judges,
    name: &'a Name,
    step: &'a StepId,
}

impl Run<'_> {
    fn all(&self, watch: &mut dyn FnMut(Watch<'_>)) -> Result<Vec<GateResult>, Error> {
        let mut results = Vec::new();
        for gate in &self.judges.gates {
            // Each gate has a copy of its own: what an earlier one started knows where its copy was.
            let copy = DraftFolder::new(&self.place.repo.state_dir())
                .and_then(|dir| self.agreed.folder().write_to(&dir.path().join("gates")).map(|()| dir))
                .map_err(Error::io("copy the gates"))?;
            let folder = copy.path().join("gates");
            watch(Watch::Begins(gate));
            let mut result = self.gate(gate, &folder, watch)?;
            if !self.agreed.folder().is_written_at(&folder) {
                result.exit = None;
                result.digest.clear();
                "the gate's own files were changed while it ran".clone_into(&mut result.tail);
            }
            watch(Watch::Ends(gate, &result));
            results.push(result);
        }
        Ok(results)
    }

    fn gate(
        &self,
        gate: &Gate,
        folder: &Path,
        watch: &mut dyn FnMut(Watch<'_>),
    ) -> Result<GateResult, Error> {
        let settings = &self.judges.settings;
        let path = format!("{}/{}", self.agreed.folder().path, gate.path);
        let mut result = GateResult {
            name: gate.name.clone(),
            command: path.clone(),
            exit: None,
            duration_ms: 0,
            digest: String::new(),
            tail: String::new(),
        };
        if !gate.is_executable {
            result.tail = format!("{path} is not executable; `git update-index --chmod=+x {path}`");
            return Ok(result);
        }
        let mut command = process::command(folder.join(&gate.path));
        git::forget_repository(&mut command);
        command.current_dir(&self.place.dir).env("PWD", &self.place.dir);
        command.env("GODZILLA_ROOT", &self.place.dir).env("GODZILLA_GATE", &gate.name);
        command.env("GODZILLA_PROTOCOL", self.name.as_str()).env("GODZILLA_STEP", self.step.as_str());
        let bounds = Bounds {
            time: settings.qa_timeout,
            output: usize::try_from(settings.qa_output_cap).unwrap_or(usize::MAX),
        };
        match supervise::run(command, bounds, |bytes| watch(Watch::Says(bytes))) {
            Ok(ended) => fill(&mut result, &ended, settings.qa_timeout)?,
            Err(err) => result.tail = format!("{path} cannot be started: {err}"),
        }
        Ok(result)
    }
}

fn fill(result: &mut GateResult, ended: &Ended, limit: Duration) -> Result<(), Error> {
    result.duration_ms = u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX);
    result.digest = Digest(ended.sha256).to_string();
    let mut tail = String::from_utf8_lossy(&ended.tail).into_owned();
    match ended.end {
        End::Exit(code) => result.exit = Some(i64::from(code)),
        End::TimedOut | End::Silent => {
            // Writing to a `String` cannot fail.
            write!(tail, "\nended after {} s, the limit of qa.timeout_seconds", limit.as_secs()).ok();
        }
        End::Interrupted => return Err(Error::Interrupted),
    }
    if result.exit != Some(0) {
        result.tail = tail_of(&tail);
    }
    Ok(())
}

/// Returns the last lines of what a gate said, without what a terminal would obey and without the
/// secrets: they would be shared.
fn tail_of(said: &str) -> String {
    // What a terminal would obey goes first: it may stand within a secret.
    let said = redact::clean(&text::multi_line(said), &Known::new(env::secrets()));
    let mut start = said.len().saturating_sub(MAX_TAIL);
    while !said.is_char_boundary(start) {
        start += 1;
    }
    let tail = &said[start..];
    let whole_lines = if start == 0 { tail } else { tail.split_once('\n').map_or(tail, |(_, rest)| rest) };
    whole_lines.trim_end().to_owned()
}
