//! `git godzilla runs`, `logs` and `artifacts`.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::run::usage_json;
use crate::cli::error::{CliError, Exit};
use crate::cli::told::{grouped, spent, used};
use crate::cli::ui::{CYAN, DIM, Table, Ui, moment, status_look, styled};
use crate::platform::clock;
use crate::service::runs::{self, Runs, Shown};

/// List the runs of engines: who did what, how it ended, and what it used
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// The protocol's name or number; that of the current branch if left out
    name: Option<String>,

    /// The same
    #[arg(short, long = "protocol", value_name = "NAME", conflicts_with = "name")]
    protocol: Option<String>,

    /// Only those of this step
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
}

/// Show what an engine said while it ran
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct LogsArgs {
    /// The run, by the beginning or the end of its id; the newest if left out
    run: Option<String>,

    /// The protocol's name or number; that of the current branch if left out
    #[arg(short, long = "protocol", value_name = "NAME")]
    protocol: Option<String>,

    /// Go on showing what comes, until the run is over
    #[arg(short, long)]
    follow: bool,
}

/// List the files that runs have left behind
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct ArtifactsArgs {
    /// The run, by the beginning or the end of its id; all if left out
    run: Option<String>,

    /// The protocol's name or number; that of the current branch if left out
    #[arg(short, long = "protocol", value_name = "NAME")]
    protocol: Option<String>,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let name = args.name.as_deref().or(args.protocol.as_deref());
    let runs = runs::list(&ctx, name, args.step.as_deref())?;
    for notice in &runs.notices {
        ui.warn(notice);
    }
    if ui.json {
        ui.json(&document(&runs))?;
        return Ok(ExitCode::SUCCESS);
    }
    ui.page(&ctx.repo);
    if runs.runs.is_empty() {
        ui.line(format!("nothing has run for {} yet", runs.name))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::default();
    for shown in &runs.runs {
        let run = &shown.run;
        let (glyph, style) = look(shown.status);
        let usage = run.finished.as_ref().map(|finished| finished.usage).unwrap_or_default();
        let step = run.step.as_ref().map(ToString::to_string).unwrap_or_default();
        let model = run.started.model.as_ref().map(|model| format!(" ({model})")).unwrap_or_default();
        table.row([
            (format!("{glyph} {}", shown.status), style),
            (run.started.kind.to_string(), anstyle::Style::new()),
            (step, CYAN),
            (format!("{}{model}", run.started.engine), anstyle::Style::new()),
            (moment(run.started_at_ms), DIM),
            (used(usage), DIM),
            (run.started.run.to_string(), DIM),
        ]);
    }
    for line in table.lines() {
        ui.line(line)?;
    }
    ui.line(styled(DIM, format!("together: {}", spent(&runs.spent))))?;
    Ok(ExitCode::SUCCESS)
}

fn look(status: &str) -> (&'static str, anstyle::Style) {
    status_look(match status {
        "succeeded" => "completed",
        "running" => "running",
        "unknown" => "pending",
        _ => "failed",
    })
}

fn document(runs: &Runs) -> Value {
    let spent = &runs.spent;
    json!({
        "schema": "git-godzilla/runs@1",
        "name": runs.name.as_str(),
        "runs": runs.runs.iter().map(run_json).collect::<Vec<_>>(),
        "usage": usage_json(spent.usage),
        "counted_tokens": spent.tokens,
        "estimated_tokens": spent.estimated_tokens,
        "unknown_costs": spent.unknown_costs,
    })
}

fn run_json(shown: &Shown) -> Value {
    let run = &shown.run;
    let finished = run.finished.as_ref();
    json!({
        "run": run.started.run.to_string(),
        "kind": run.started.kind.as_str(),
        "step": run.step.as_ref().map(ToString::to_string),
        "attempt": run.attempt,
        "engine": run.started.engine,
        "model": run.started.model,
        "template": run.started.template,
        "prompt": run.started.prompt.to_string(),
        "estimate_tokens": run.started.estimate,
        "status": shown.status,
        "message": finished.map(|finished| finished.message.clone()),
        "usage": usage_json(finished.map(|finished| finished.usage).unwrap_or_default()),
        "started_at_ms": run.started_at_ms,
        "duration_ms": finished.map(|finished| finished.duration_ms),
        "exit": finished.and_then(|finished| finished.exit),
        "session": finished.and_then(|finished| finished.session.clone()),
        "changed": finished.map(|finished| finished.changed.clone()).unwrap_or_default(),
        "log": shown.log.as_ref().map(|path| path.display().to_string()),
    })
}

pub(in crate::cli) fn logs(ui: &mut Ui, args: &LogsArgs) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let runs = runs::list(&ctx, args.protocol.as_deref(), None)?;
    for notice in &runs.notices {
        ui.warn(notice);
    }
    let shown = runs::find(&runs, args.run.as_deref())?;
    let id = shown.run.started.run;
    let Some(path) = &shown.log else {
        let message = format!("the log of run {id} is not in this clone");
        return Err(CliError::new(Exit::Unknown, "log.elsewhere", message)
            .hint(format!("git godzilla runs {}", runs.name)));
    };
    if ui.json {
        let log = std::fs::read(path).map_err(crate::service::error::Error::io("read the log"))?;
        ui.json(&json!({
            "schema": "git-godzilla/logs@1",
            "name": runs.name.as_str(),
            "run": id.to_string(),
            "status": shown.status,
            "path": path.display().to_string(),
            "text": String::from_utf8_lossy(&log),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !args.follow {
        ui.page(&ctx.repo);
    }
    let read = |err| CliError::from(crate::service::error::Error::io("read the log")(err));
    let mut file = std::fs::File::open(path).map_err(read)?;
    let mut rest: Vec<u8> = Vec::new();
    let mut at = 0;
    loop {
        // Asked before it is read: what comes afterwards is read in the next round.
        let goes_on = args.follow && runs::goes_on(&ctx, id);
        file.seek(SeekFrom::Start(at)).map_err(read)?;
        let mut piece = vec![0; 1 << 16];
        let n_read = file.read(&mut piece).map_err(read)?;
        at += n_read as u64;
        rest.extend_from_slice(&piece[..n_read]);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            ui.line(String::from_utf8_lossy(&line[..end]))?;
        }
        if n_read > 0 {
            continue;
        }
        if !goes_on || ui.is_closed() || !clock::wait_until(clock::now_ms() + 200) {
            break;
        }
    }
    if !rest.is_empty() {
        ui.line(String::from_utf8_lossy(&rest))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(in crate::cli) fn artifacts(ui: &mut Ui, args: &ArtifactsArgs) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let runs = runs::list(&ctx, args.protocol.as_deref(), None)?;
    for notice in &runs.notices {
        ui.warn(notice);
    }
    let chosen: Vec<&Shown> = match &args.run {
        Some(run) => vec![runs::find(&runs, Some(run))?],
        None => runs.runs.iter().collect(),
    };
    let all = chosen.iter().flat_map(|shown| shown.run.artifacts.iter().map(move |it| (&shown.run, it)));
    if ui.json {
        let artifacts: Vec<Value> = all
            .map(|(run, artifact)| {
                json!({
                    "run": artifact.run.to_string(),
                    "step": run.step.as_ref().map(ToString::to_string),
                    "name": artifact.name,
                    "kind": artifact.kind,
                    "path": artifact.path,
                    "sha256": artifact.sha256,
                    "bytes": artifact.bytes,
                })
            })
            .collect();
        ui.json(&json!({
            "schema": "git-godzilla/artifacts@1", "name": runs.name.as_str(), "artifacts": artifacts,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::default();
    for (run, artifact) in all {
        let step = run.step.as_ref().map(ToString::to_string).unwrap_or_default();
        table.row([
            (artifact.name.clone(), CYAN),
            (artifact.kind.clone(), anstyle::Style::new()),
            (step, anstyle::Style::new()),
            (format!("{} bytes", grouped(artifact.bytes)), DIM),
            (artifact.path.clone(), anstyle::Style::new()),
        ]);
    }
    let lines = table.lines();
    if lines.is_empty() {
        ui.line("no run has left a file behind")?;
    }
    for line in lines {
        ui.line(line)?;
    }
    Ok(ExitCode::SUCCESS)
}
