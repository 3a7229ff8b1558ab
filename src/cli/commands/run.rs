//! `git godzilla run`, and the runs that `next`, `retry` and `resume` begin.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::act::StepTarget;
use crate::cli::error::{CliError, Exit};
use crate::cli::told::{Watcher, grouped, used};
use crate::cli::ui::{BOLD, CYAN, DIM, Ui, counted, status_look, styled};
use crate::domain::run::{RunStatus, Usage};
use crate::service::run::{self, Preview, Ran, Request};

/// Let an engine do a step: run it in the protocol's worktree, and commit what it did
///
/// The engine is the one that you name, else the one of the plan, else that of `phases.exec`
/// (`git config godzilla.phases.exec codex`). What the worktree holds is kept first; what the engine
/// changes in the git directory is put back; nobody's hooks run for the commit. Ctrl-C leaves a state
/// that `git godzilla resume` goes on from.
///
/// Exits with 0 if the step was done, 1 if nothing was changed or QA failed, 5 if nobody agreed to the
/// engine or a budget is used up, and 6 if the engine could not do it.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    target: StepTarget,

    #[command(flatten)]
    with: With,

    /// Only show the prompt, the engine and the budget; run and record nothing
    #[arg(long)]
    dry_run: bool,
}

/// How to run
#[derive(clap::Args, Debug, Default)]
pub(in crate::cli) struct With {
    /// The engine, as `git godzilla engines list` names it
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,

    /// The model
    #[arg(long, value_name = "NAME")]
    model: Option<String>,

    /// What is not committed yet belongs to the step
    #[arg(long)]
    include_dirty: bool,

    /// Run QA afterwards, also where the step's policy is `full`
    #[arg(long, conflicts_with = "no_qa")]
    qa: bool,

    /// Run no QA afterwards, also where the step's policy is `light`
    #[arg(long)]
    no_qa: bool,
}

impl With {
    /// Returns what to run.
    pub(in crate::cli) fn request(&self, name: Option<&str>, step: Option<&str>) -> Request {
        Request {
            name: name.map(str::to_owned),
            step: step.map(str::to_owned),
            engine: self.engine.clone(),
            model: self.model.clone(),
            include_dirty: self.include_dirty,
            qa: if self.qa { Some(true) } else { self.no_qa.then_some(false) },
        }
    }
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let (name, step) = args.target.names();
    let request = args.with.request(name, step);
    if args.dry_run {
        let preview = run::preview(&ctx, &request)?;
        show_preview(ui, &preview)?;
        return Ok(ExitCode::SUCCESS);
    }
    perform(ui, &ctx, &request)
}

/// Runs a step and shows what came of it.
pub(in crate::cli) fn perform(
    ui: &mut Ui,
    ctx: &crate::service::context::Context,
    request: &Request,
) -> Result<ExitCode, CliError> {
    let mut watcher = Watcher::default();
    let ran = run::run(ctx, request, &mut |told| watcher.tell(ui, told));
    watcher.end(ui);
    let ran = ran?;
    if ui.json {
        ui.json(&document(&ran))?;
    } else {
        print(ui, &ran)?;
    }
    Ok(code(&ran))
}

fn code(ran: &Ran) -> ExitCode {
    let did_something = ran.commit.is_some() || !ran.own_commits.is_empty();
    let judged = ran.judged.as_ref().map(|judged| judged.verdict.result.as_str());
    match (ran.status, judged) {
        (RunStatus::Succeeded, None | Some("pass")) if did_something => ExitCode::SUCCESS,
        (RunStatus::Succeeded, Some("error")) => ExitCode::from(Exit::Program as u8),
        (RunStatus::Succeeded, _) => ExitCode::from(Exit::No as u8),
        _ => ExitCode::from(Exit::Program as u8),
    }
}

fn print(ui: &mut Ui, ran: &Ran) -> Result<(), CliError> {
    let (name, step) = (&ran.name, &ran.step);
    let did_something = ran.commit.is_some() || !ran.own_commits.is_empty();
    let (word, said) = match ran.status {
        RunStatus::Succeeded if did_something => ("completed", "succeeded".to_owned()),
        RunStatus::Succeeded => ("failed", "succeeded, but changed nothing".to_owned()),
        status => ("failed", format!("ended with {status}")),
    };
    let (glyph, style) = status_look(word);
    let seconds = styled(DIM, format!("{}.{:01} s", ran.took.as_secs(), ran.took.subsec_millis() / 100));
    ui.line(format!(
        "{} {} {said}: {name}/{step}  {seconds}  {}",
        styled(style, glyph),
        styled(BOLD, &ran.engine),
        styled(DIM, used(ran.usage))
    ))?;
    if ran.status != RunStatus::Succeeded {
        for line in ran.message.lines().take(12) {
            ui.line(format!("  │ {line}"))?;
        }
    }
    if ran.status == RunStatus::Succeeded {
        for line in ran.message.lines().filter(|line| !line.trim().is_empty()).take(6) {
            ui.line(styled(DIM, format!("  │ {line}")))?;
        }
    }
    if let Some(commit) = ran.commit {
        let files = counted(ran.n_committed, "changed file");
        ui.line(format!("  committed {} with {files}", commit.short()))?;
    }
    if !ran.own_commits.is_empty() {
        ui.line(format!("  the engine made {} itself", counted(ran.own_commits.len(), "commit")))?;
    }
    if let Some(snapshot) = &ran.snapshot {
        ui.line(format!("  what was not committed before is kept in {snapshot}"))?;
    }
    for notice in &ran.notices {
        ui.warn(notice);
    }
    if let Some(judged) = &ran.judged {
        super::qa::print(ui, judged)?;
    }
    for decided in &ran.decided {
        ui.line(format!("  {}", decided.said))?;
    }
    next(ui, ran)
}

/// What to type next.
fn next(ui: &mut Ui, ran: &Ran) -> Result<(), CliError> {
    let (name, step) = (&ran.name, &ran.step);
    let Some(stands) = ran.protocol.step(step) else { return Ok(()) };
    let (glyph, style) = status_look(stands.shown.as_str());
    let (word, command) = match stands.shown.as_str() {
        "needs_qa" => ("needs QA", format!("git godzilla qa {step} -p {name}")),
        "failed" => ("failed", format!("git godzilla retry {step} -p {name}")),
        "running" => ("is running", format!("git godzilla resume {name}")),
        "completed" => match ran.protocol.current_step() {
            Some(next) => ("is completed", format!("git godzilla run {} -p {name}", next.id)),
            None => ("is completed", "merge the branch and push".to_owned()),
        },
        "pending" => ("begins again", format!("git godzilla run -p {name}")),
        other => (other, format!("git godzilla explain {name}")),
    };
    if ran.judged.is_none() {
        ui.line(format!("{} step {name}/{step} {word}", styled(style, glyph)))?;
    }
    ui.line(format!("  next: {}", styled(CYAN, command)))
}

pub(in crate::cli) fn document(ran: &Ran) -> Value {
    let step = ran.protocol.step(&ran.step);
    json!({
        "schema": "git-godzilla/run@1",
        "name": ran.name.as_str(),
        "step": ran.step.as_str(),
        "status": step.map(|step| step.shown.as_str()),
        "run": ran.run.to_string(),
        "engine": ran.engine,
        "model": ran.model,
        "result": ran.status.as_str(),
        "message": ran.message,
        "usage": usage_json(ran.usage),
        "duration_ms": u64::try_from(ran.took.as_millis()).unwrap_or(u64::MAX),
        "commit": ran.commit.map(|oid| oid.to_string()),
        "own_commits": ran.own_commits.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "changed": ran.changed,
        "notices": ran.notices,
        "snapshot": ran.snapshot,
        "verdict": ran.judged.as_ref().map(|judged| judged.verdict.result.clone()),
        "decisions": ran.decided.iter().map(|decided| decided.said.clone()).collect::<Vec<_>>(),
    })
}

/// What a run used, as documents have it: null is unknown.
pub(in crate::cli) fn usage_json(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "cost_micros": usage.cost_micros,
    })
}

fn show_preview(ui: &mut Ui, preview: &Preview) -> Result<(), CliError> {
    if ui.json {
        return ui.json(&json!({
            "schema": "git-godzilla/run-preview@1",
            "name": preview.name.as_str(),
            "step": preview.step.as_str(),
            "engine": preview.engine,
            "model": preview.model,
            "fallbacks": preview.fallbacks,
            "session": preview.session,
            "template": preview.prompt.template,
            "estimate_tokens": preview.estimate,
            "budget": preview.budget,
            "prompt": preview.prompt.text,
        }));
    }
    let model = preview.model.as_ref().map(|model| format!(" ({model})")).unwrap_or_default();
    ui.line(format!(
        "would run {}/{} with {}{model}",
        preview.name,
        preview.step,
        styled(BOLD, &preview.engine)
    ))?;
    if !preview.fallbacks.is_empty() {
        ui.line(format!("  or else: {}", preview.fallbacks.join(", ")))?;
    }
    if let Some(template) = &preview.prompt.template {
        ui.line(format!("  prompt: {template}, about {} tokens", grouped(preview.estimate)))?;
    }
    if let Some(session) = &preview.session {
        ui.line(format!("  goes on with the conversation {session}"))?;
    }
    match &preview.budget {
        Some(budget) => ui.line(format!("  budget: {budget}"))?,
        None => ui.line("  budget: within all limits that are set; `git godzilla budget` shows them")?,
    }
    ui.line("")?;
    for line in preview.prompt.text.lines() {
        ui.line(line)?;
    }
    Ok(())
}
