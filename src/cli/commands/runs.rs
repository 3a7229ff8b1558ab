//! `git godzilla runs`, `logs` and `artifacts`.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::act::Target;
use super::run::usage_json;
use crate::cli::error::{CliError, Exit};
use crate::cli::told::{grouped, spent, used};
use crate::cli::ui::{CYAN, DIM, Table, Ui, moment, status_look, styled};
use crate::domain::id::Name;
use crate::platform::clock;
use crate::service::context::Context;
use crate::service::runs::{self, Runs, Shown};

/// List the runs of engines: who did what, how it ended, and what it used
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    target: Target,

    /// Only those of this step
    #[arg(long, value_name = "STEP")]
    step: Option<String>,

    /// Those of all protocols, and those that led to none, such as a plan that came to nothing
    #[arg(long, conflicts_with_all = ["name", "protocol", "step"])]
    all: bool,
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
    let runs =
        if args.all { runs::all(&ctx)? } else { runs::list(&ctx, args.target.name(), args.step.as_deref())? };
    for notice in &runs.notices {
        ui.warn(notice);
    }
    if ui.json {
        ui.json(&document(&runs))?;
        return Ok(ExitCode::SUCCESS);
    }
    ui.page(&ctx.repo);
    if runs.runs.is_empty() {
        let of = runs.name.map(|name| format!(" for {name}")).unwrap_or_default();
        ui.line(format!("nothing has run{of} yet"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::default();
    for shown in &runs.runs {
        let (glyph, style) = look(shown.status);
        let step = shown.step.as_ref().map(ToString::to_string).unwrap_or_default();
        let of = match (&runs.name, &shown.protocol) {
            (Some(_), _) => step,
            (None, Some(name)) if step.is_empty() => name.to_string(),
            (None, Some(name)) => format!("{name}/{step}"),
            (None, None) => String::new(),
        };
        let model = shown.model.as_ref().map(|model| format!(" ({model})")).unwrap_or_default();
        table.row([
            (format!("{glyph} {}", shown.status), style),
            (shown.kind.to_string(), anstyle::Style::new()),
            (of, CYAN),
            (format!("{}{model}", shown.engine), anstyle::Style::new()),
            (moment(shown.started_at_ms), DIM),
            (used(shown.usage), DIM),
            (shown.id.to_string(), DIM),
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
        "name": runs.name.as_ref().map(Name::as_str),
        "runs": runs.runs.iter().map(run_json).collect::<Vec<_>>(),
        "usage": usage_json(spent.usage),
        "counted_tokens": spent.tokens,
        "estimated_tokens": spent.estimated_tokens,
        "unknown_costs": spent.unknown_costs,
    })
}

fn run_json(shown: &Shown) -> Value {
    let finished = shown.finished.as_ref();
    json!({
        "run": shown.id.to_string(),
        "protocol": shown.protocol.as_ref().map(Name::as_str),
        "kind": shown.kind.as_str(),
        "step": shown.step.as_ref().map(ToString::to_string),
        "attempt": shown.attempt,
        "engine": shown.engine,
        "model": shown.model,
        "template": shown.template,
        "prompt": shown.prompt.as_ref().map(ToString::to_string),
        "estimate_tokens": shown.estimate,
        "status": shown.status,
        "message": finished.map(|finished| finished.message.clone()),
        "usage": usage_json(shown.usage),
        "started_at_ms": shown.started_at_ms,
        "duration_ms": finished.map(|finished| finished.duration_ms),
        "exit": finished.and_then(|finished| finished.exit),
        "session": finished.and_then(|finished| finished.session.clone()),
        "changed": finished.map(|finished| finished.changed.clone()).unwrap_or_default(),
        "log": shown.log.as_ref().map(|path| path.display().to_string()),
    })
}

/// Returns the runs that a run is looked for in: all, where it is named and the protocol at hand has none of
/// that name.
fn runs_with(ctx: &Context, protocol: Option<&str>, run: Option<&str>) -> Result<Runs, CliError> {
    let here = runs::list(ctx, protocol, None);
    match (&here, run) {
        (_, None) => Ok(here?),
        (_, Some(_)) if protocol.is_some() => Ok(here?),
        (Ok(found), run) if runs::find(found, run).is_ok() => Ok(here?),
        _ => Ok(runs::all(ctx)?),
    }
}

pub(in crate::cli) fn logs(ui: &mut Ui, args: &LogsArgs) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let runs = runs_with(&ctx, args.protocol.as_deref(), args.run.as_deref())?;
    for notice in &runs.notices {
        ui.warn(notice);
    }
    let shown = runs::find(&runs, args.run.as_deref())?;
    let id = shown.id;
    let Some(path) = &shown.log else {
        let message = format!("the log of run {id} is not in this clone");
        return Err(CliError::new(Exit::Unknown, "log.elsewhere", message).hint(match &shown.protocol {
            Some(name) => format!("git godzilla runs {name}"),
            None => "git godzilla runs --all".to_owned(),
        }));
    };
    if ui.json {
        let log = std::fs::read(path).map_err(crate::service::error::Error::io("read the log"))?;
        ui.json(&json!({
            "schema": "git-godzilla/logs@1",
            "name": shown.protocol.as_ref().map(Name::as_str),
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
    let all = chosen.iter().flat_map(|shown| shown.artifacts.iter().map(move |it| (*shown, it)));
    if ui.json {
        let artifacts: Vec<Value> = all
            .map(|(shown, artifact)| {
                json!({
                    "run": artifact.run.to_string(),
                    "step": shown.step.as_ref().map(ToString::to_string),
                    "name": artifact.name,
                    "kind": artifact.kind,
                    "path": artifact.path,
                    "sha256": artifact.sha256,
                    "bytes": artifact.bytes,
                })
            })
            .collect();
        ui.json(&json!({
            "schema": "git-godzilla/artifacts@1", "name": runs.name.as_ref().map(Name::as_str), "artifacts": artifacts,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::default();
    for (shown, artifact) in all {
        let step = shown.step.as_ref().map(ToString::to_string).unwrap_or_default();
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
