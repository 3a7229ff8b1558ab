//! `git godzilla qa`.

mod review;

use std::process::ExitCode;

use serde_json::{Value, json};

use super::act::StepTarget;
use crate::cli::error::{CliError, Exit};
use crate::cli::json;
use crate::cli::told::Watcher;
use crate::cli::ui::{BOLD, CYAN, DIM, Ui, counted, status_look, styled};
use crate::domain::event::GateResult;
use crate::domain::problem::of_verdict;
use crate::domain::status::StepStatus;
use crate::service::qa::{self, Judged, Request, Watch};

/// Judge a step by its gates and a review, and record the verdict
///
/// A step that needs QA ends on it.
///
/// Gates are the executables lint, typecheck, test and build in scripts/ci of the base, as they are
/// there: a branch that changes them is judged by the base's until `git godzilla trust --gates`
/// accepts its own. They run in the protocol's worktree, once this clone has agreed to them with
/// `git godzilla trust`.
///
/// If they pass, the engine of the plan or of `phases.qa` reviews the step, if there is one and the policy of
/// the step is not `skip`; with `light` it looks for what must be mended only. It may change nothing. What lint,
/// format or typecheck found in a step that an engine did is first given to that engine to mend.
///
/// Exits with 0 if all of it passed, 1 if something failed or there is no gate, 5 if nobody agreed to the gates or
/// the engine, and 6 if a gate or the engine could not do its part.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    target: StepTarget,

    /// Have the step reviewed, whatever its policy says and even if a gate fails
    #[arg(long, conflicts_with = "no_review")]
    review: bool,

    /// Leave the review out: the gates alone judge
    #[arg(long)]
    no_review: bool,

    /// Who reviews it, as `git godzilla engines list` names it
    #[arg(long, value_name = "NAME", conflicts_with = "no_review")]
    engine: Option<String>,

    /// The model that reviews it
    #[arg(long, value_name = "NAME", conflicts_with = "no_review")]
    model: Option<String>,

    /// Let no engine mend what a gate found
    #[arg(long)]
    no_fix: bool,
}

impl Args {
    fn request(&self) -> Request {
        let (name, step) = self.target.names();
        Request {
            name: name.map(str::to_owned),
            step: step.map(str::to_owned),
            review: if self.review { Some(true) } else { self.no_review.then_some(false) },
            engine: self.engine.clone(),
            model: self.model.clone(),
            no_fix: self.no_fix,
        }
    }
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let mut lines = Lines::default();
    let mut watcher = Watcher::default();
    let mut watch = |event: Watch<'_>| {
        if ui.json {
            return;
        }
        match event {
            Watch::Engine(told) => watcher.tell(ui, told),
            Watch::Notice(notice) => ui.warn(notice),
            Watch::Begins(gate) => ui.note(format!("{} {}", styled(CYAN, "▶"), styled(BOLD, &gate.name))),
            Watch::Says(bytes) => lines.take(bytes, |line| ui.note(line)),
            Watch::Ends(_, result) => {
                lines.end(|line| ui.note(line));
                ui.note(told(result));
            }
        }
    };
    let judged = qa::qa(&ctx, &args.request(), &mut watch);
    watcher.end(ui);
    let judged = judged?;
    if ui.json {
        ui.json(&document(&judged))?;
    } else {
        print(ui, &judged)?;
        let step = judged.protocol.step(&judged.step);
        if step.is_some_and(|step| step.shown == StepStatus::Completed) {
            super::overlaps::tell(ui, &ctx, &judged.name);
        }
    }
    Ok(match judged.verdict.result.as_str() {
        "pass" => ExitCode::SUCCESS,
        "error" if judged.unreviewed().is_some_and(|why| why.is_policy) => ExitCode::from(Exit::Policy as u8),
        "error" => ExitCode::from(Exit::Program as u8),
        _ => ExitCode::from(Exit::No as u8),
    })
}

/// The longest line that is waited for.
const MAX_LINE: usize = 64 * 1024;

/// Whole lines of what a gate says, piece by piece.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    fn take(&mut self, bytes: &[u8], mut show: impl FnMut(String)) {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            show(String::from_utf8_lossy(&line[..end]).into_owned());
        }
        // A line without an end is shown all the same.
        if self.rest.len() > MAX_LINE {
            self.end(show);
        }
    }

    fn end(&mut self, mut show: impl FnMut(String)) {
        if !self.rest.is_empty() {
            show(String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned());
        }
    }
}

fn told(result: &GateResult) -> String {
    let seconds = format!("{}.{:01} s", result.duration_ms / 1000, result.duration_ms % 1000 / 100);
    let (word, how) = match result.exit {
        Some(0) => ("completed", "passed".to_owned()),
        Some(code) => ("failed", format!("failed with exit code {code}")),
        None if result.digest.is_empty() => ("failed", format!("could not run: {}", result.tail)),
        None => ("failed", "did not end in time".to_owned()),
    };
    let (glyph, style) = status_look(word);
    format!("{} {} {how} {}", styled(style, glyph), styled(BOLD, &result.name), styled(DIM, seconds))
}

pub(super) fn print(ui: &mut Ui, judged: &Judged) -> Result<(), CliError> {
    let verdict = &judged.verdict;
    let (name, step) = (&judged.name, &judged.step);
    if let Some(changed) = &judged.changed {
        let judges = if judged.accepted { "those that were accepted for it" } else { "the base's" };
        ui.warn(format!(
            "the gates of the branch are others ({}); {judges} have judged it. To accept the branch's: \
             git godzilla trust --gates -p {name}",
            changed.paths.join(", ")
        ));
    }
    if judged.accepted && judged.changed.is_none() {
        ui.note("the gates that were accepted for this protocol have judged it, not the base's");
    }
    let n_gates = counted(verdict.gates.len(), "gate");
    let dirty = if verdict.dirty { ", with what is not committed" } else { "" };
    let (word, said) = match verdict.result.as_str() {
        "pass" if verdict.review.is_some() => {
            ("completed", format!("PASS: {n_gates} and a review of {name}/{step}{dirty}"))
        }
        "pass" => ("completed", format!("PASS: {n_gates} of {name}/{step}{dirty}")),
        "fail" => ("failed", format!("FAIL: {name}/{step}{dirty}")),
        "no_gate" => ("failed", format!("no gate judges {name}/{step}, so nothing is proven")),
        "error" if judged.reviewed.is_some() && judged.moved.is_empty() => {
            ("failed", format!("no review of {name}/{step}, so nothing is proven{dirty}"))
        }
        _ if !judged.moved.is_empty() || verdict.gates.iter().all(|gate| gate.exit == Some(0)) => {
            ("failed", "the worktree changed while the gates ran, so nobody knows what they saw".to_owned())
        }
        _ => ("failed", format!("a gate of {name}/{step} could not run")),
    };
    for mended in &judged.mended {
        let (engine, commit) = (&mended.engine, mended.commit.short());
        ui.line(format!("  {engine} mended what {} found, in {commit}", mended.class))?;
    }
    let (glyph, style) = status_look(word);
    ui.line(format!("{} {said}", styled(style, glyph)))?;
    review::print(ui, judged)?;
    for path in judged.moved.iter().take(10) {
        ui.line(format!("  {path}"))?;
    }
    if verdict.result == "error" && !judged.moved.is_empty() {
        ui.line("  let git ignore what gates make, and run it again")?;
    }
    if verdict.result == "no_gate" {
        ui.line(
            "  commit an executable such as scripts/ci/test.sh to the base, or approve the step by hand:",
        )?;
        ui.line(format!("  {}", styled(CYAN, format!("git godzilla approve {step} -p {name}"))))?;
    }
    if !judged.unlike.is_empty() {
        ui.line("  of these a checkout gives other bytes than lie there (ends of lines, $Id$):")?;
        for path in judged.unlike.iter().take(10) {
            ui.line(format!("  {path}"))?;
        }
        ui.line("  once they are committed, remove them and type: git checkout -- .")?;
    }
    if !judged.rewritten.is_empty() {
        let some = judged.rewritten.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", ");
        ui.warn(format!(
            "written while the gates ran, and as before now; nobody knows what they saw there: {some}"
        ));
    }
    for decided in &judged.decided {
        ui.line(format!("  {}", decided.said))?;
    }
    let Some(stands) = judged.protocol.step(step) else { return Ok(()) };
    let (glyph, style) = status_look(stands.shown.as_str());
    let shown = stands.shown.as_str();
    let status = if shown == "needs_qa" { "needs QA".to_owned() } else { format!("is {shown}") };
    ui.line(format!("{} step {name}/{step} {status}", styled(style, glyph)))?;
    if let Some(reason) = judged.waits_for {
        ui.line(format!("  {reason}"))?;
    }
    if shown == "running" && verdict.result == "pass" && !verdict.dirty {
        let done = styled(CYAN, format!("git godzilla done {step} -p {name}"));
        ui.line(format!("  the work on it has not ended: {done}"))?;
    }
    if stands.commits.is_empty() && verdict.result == "pass" {
        ui.line("  the step has no commit that a verdict could be about; to complete it by hand:")?;
        return ui.line(format!("  {}", styled(CYAN, format!("git godzilla approve {step} -p {name}"))));
    }
    if stands.verdict.as_ref().is_some_and(|verdict| verdict.stale) && verdict.result == "pass" {
        ui.line(
            "  the verdict is about other content than the step's newest commit: commit, and run it again",
        )?;
    }
    Ok(())
}

fn document(judged: &Judged) -> Value {
    let verdict = &judged.verdict;
    let step = judged.protocol.step(&judged.step);
    let with_tail = |gate: &GateResult| {
        let mut document = json::gate(gate);
        document["tail"] = json!(gate.tail);
        document
    };
    let gates: Vec<Value> = verdict.gates.iter().map(with_tail).collect();
    let changed = judged.changed.as_ref().map(|changed| {
        json!({ "code": "gate.changed_on_branch", "tree": changed.tree.map(|tree| tree.to_string()), "paths": changed.paths })
    });
    let about = |code: &str, paths: &[String]| {
        (!paths.is_empty()).then(|| json!({ "code": code, "tree": null, "paths": paths }))
    };
    let findings = [
        changed,
        about("content.unlike_checkout", &judged.unlike),
        about("content.rewritten", &judged.rewritten),
    ];
    json!({
        "schema": "git-godzilla/qa@1",
        "name": judged.name.as_str(),
        "step": judged.step.as_str(),
        "status": step.map(|step| step.shown.as_str()),
        "result": verdict.result,
        "tree": verdict.content_tree.to_string(),
        "commit": verdict.commit.map(|commit| commit.to_string()),
        "dirty": verdict.dirty,
        "stale": step.and_then(|step| step.verdict.as_ref()).is_none_or(|verdict| verdict.stale),
        "gates": gates,
        "findings": findings.into_iter().flatten().collect::<Vec<_>>(),
        "changed_while_running": judged.moved,
        "waits_for": judged.waits_for,
        "review": review::document(judged),
        "problems": json::problems(&of_verdict(verdict, judged.name.as_str(), &judged.step)),
        "mended": judged.mended.iter().map(|mended| json!({
            "run": mended.run.to_string(),
            "engine": mended.engine,
            "class": mended.class.as_str(),
            "commit": mended.commit.to_string(),
        })).collect::<Vec<_>>(),
    })
}
