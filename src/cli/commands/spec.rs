//! `git godzilla spec`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::act::Target;
use crate::cli::error::{CliError, Exit};
use crate::cli::ui::{BOLD, CYAN, DIM, GREEN, RED, Table, Ui, counted, styled};
use crate::domain::spec::SpecStep;
use crate::service::spec::audit::{self, Audited, Stored, Validated};

/// The plans of protocols, as programs read them
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Show the plan that is in effect
    Show {
        #[command(flatten)]
        target: Target,
    },
    /// Check the plan's files, in the worktree or at a commit; exit 1 if something is wrong
    Validate {
        #[command(flatten)]
        target: Target,

        /// The files of this commit, in place of the worktree's
        #[arg(long, value_name = "REV")]
        commit: Option<String>,
    },
    /// Check the plans of all protocols against their form and their files; exit 1 on errors
    Audit {
        /// Only of this protocol
        name: Option<String>,

        /// The same
        #[arg(short, long = "protocol", value_name = "NAME", conflicts_with = "name")]
        protocol: Option<String>,
    },
    /// Make plans that are missing, or older than their files, anew from the files
    Backfill {
        /// Only of this protocol
        name: Option<String>,

        /// The same
        #[arg(short, long = "protocol", value_name = "NAME", conflicts_with = "name")]
        protocol: Option<String>,

        /// Only say what would be done
        #[arg(short = 'n', long)]
        dry_run: bool,
    },
}

impl Args {
    /// Whether it decides something in the name of a person.
    pub(in crate::cli) fn decides(&self) -> bool {
        matches!(self.command, Command::Backfill { .. })
    }
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    match &args.command {
        Command::Show { target } => {
            let stored = audit::stored(&ctx, target.name())
                .map_err(|err| CliError::from(err).for_argument_of("spec show"))?;
            show(ui, &stored)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Validate { target, commit } => {
            let found = audit::validate(&ctx, target.name(), commit.as_deref())
                .map_err(|err| CliError::from(err).for_argument_of("spec validate"))?;
            validated(ui, &found)
        }
        Command::Audit { name, protocol } => {
            audited(ui, &audit::audit(&ctx, name.as_deref().or(protocol.as_deref()))?)
        }
        Command::Backfill { name, protocol, dry_run } => {
            let done = audit::backfill(&ctx, name.as_deref().or(protocol.as_deref()), *dry_run)?;
            backfilled(ui, &done, *dry_run)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn show(ui: &mut Ui, stored: &Stored) -> Result<(), CliError> {
    if ui.json {
        let spec: Value = serde_json::from_str(&stored.text)
            .map_err(|err| CliError::new(Exit::Bug, "spec.json", err.to_string()))?;
        return ui.json(&json!({
            "schema": "git-godzilla/spec@1",
            "name": stored.name.as_str(),
            "sha256": stored.digest.to_string(),
            "spec": spec,
        }));
    }
    ui.line(format!("{}  {}", styled(BOLD, &stored.name), stored.spec.title))?;
    let planner = format!("planned by {}, {}", stored.spec.planner.name, stored.digest);
    ui.line(styled(DIM, planner))?;
    let mut table = Table::default();
    let plain = anstyle::Style::new();
    for step in &stored.spec.steps {
        let facts = facts(step);
        table.row([
            (format!("  {}", step.id), CYAN),
            (step.kind.to_string(), plain),
            (format!("QA {}", step.qa), plain),
            (step.title.clone(), plain),
            (facts.join("; "), DIM),
        ]);
    }
    for line in table.lines() {
        ui.line(line)?;
    }
    Ok(())
}

fn facts(step: &SpecStep) -> Vec<String> {
    let mut facts = Vec::new();
    if !step.depends_on.is_empty() {
        let ids: Vec<&str> = step.depends_on.iter().map(crate::domain::id::StepId::as_str).collect();
        facts.push(format!("after {}", ids.join(", ")));
    }
    let Some(more) = step.more.as_deref() else { return facts };
    let by = |engine: Option<&String>, model: Option<&String>| {
        let named: Vec<&str> = engine.into_iter().chain(model).map(String::as_str).collect();
        (!named.is_empty()).then(|| named.join(" "))
    };
    facts.extend(by(more.engine.as_ref(), more.model.as_ref()).map(|by| format!("by {by}")));
    facts.extend(more.timeout_seconds.map(|seconds| format!("within {seconds} s")));
    facts.extend(by(more.qa_engine.as_ref(), more.qa_model.as_ref()).map(|by| format!("reviewed by {by}")));
    facts.extend(more.qa_gates.as_ref().map(|gates| format!("gates {}", gates.join(", "))));
    if !more.paths.is_empty() {
        facts.push(more.paths.join(" "));
    }
    facts.extend(more.policies.iter().map(|policy| format!("policy {}", policy.id)));
    facts.extend(more.outputs.iter().map(|(name, path)| format!("{name} in {path}")));
    facts
}

fn validated(ui: &mut Ui, found: &Validated) -> Result<ExitCode, CliError> {
    let is_valid = found.problems.is_empty();
    let code = if is_valid { ExitCode::SUCCESS } else { ExitCode::from(Exit::No as u8) };
    if ui.json {
        let problems: Vec<Value> = found
            .problems
            .iter()
            .map(|problem| json!({ "file": problem.file, "line": problem.line, "message": problem.message }))
            .collect();
        ui.json(&json!({
            "schema": "git-godzilla/spec-validate@1",
            "name": found.name.as_str(),
            "commit": found.commit.map(|oid| oid.to_string()),
            "valid": is_valid,
            "problems": problems,
            "changes": found.changes,
            "looser": found.looser,
        }))?;
        return Ok(code);
    }
    let place =
        found.commit.map_or_else(|| "in the worktree".to_owned(), |oid| format!("at {}", oid.short()));
    for problem in &found.problems {
        ui.line(format!("{} .protocols/{}/{problem}", styled(RED, "✗"), found.name))?;
    }
    if is_valid {
        ui.line(format!("{} the plan of {} {place} is valid", styled(GREEN, "✓"), found.name))?;
    }
    for change in &found.changes {
        ui.line(format!("  would change {change}"))?;
    }
    for looser in &found.looser {
        ui.line(format!("  {looser}, unless `git godzilla plan --amend` says so"))?;
    }
    Ok(code)
}

fn audited(ui: &mut Ui, audited: &[Audited]) -> Result<ExitCode, CliError> {
    let all = || audited.iter().flat_map(|one| &one.findings);
    let n_warnings = all().filter(|finding| finding.is_warning).count();
    let n_errors = all().count() - n_warnings;
    let code = if n_errors == 0 { ExitCode::SUCCESS } else { ExitCode::from(Exit::No as u8) };
    if ui.json {
        let protocols: Vec<Value> = audited.iter().map(audited_json).collect();
        let summary = json!({ "protocols": audited.len(), "errors": n_errors, "warnings": n_warnings });
        ui.json(&json!({
            "schema": "git-godzilla/spec-audit@1",
            "protocols": protocols,
            "summary": summary,
        }))?;
        return Ok(code);
    }
    for one in audited {
        for finding in &one.findings {
            let mark = if finding.is_warning { styled(DIM, "!") } else { styled(RED, "✗") };
            ui.line(format!("{mark} {}: {} ({})", one.name, finding.message, finding.code))?;
            ui.line(format!("  {}", styled(CYAN, &finding.remedy)))?;
        }
    }
    ui.line(format!(
        "{}: {}, {}",
        counted(audited.len(), "protocol"),
        counted(n_errors, "error"),
        counted(n_warnings, "warning")
    ))?;
    Ok(code)
}

fn audited_json(one: &Audited) -> Value {
    let findings: Vec<Value> = one
        .findings
        .iter()
        .map(|finding| {
            json!({
                "code": finding.code,
                "severity": if finding.is_warning { "warning" } else { "error" },
                "message": finding.message,
                "remedy": finding.remedy,
            })
        })
        .collect();
    json!({
        "name": one.name,
        "status": one.status,
        "sha256": one.spec.map(|digest| digest.to_string()),
        "ok": one.findings.iter().all(|finding| finding.is_warning),
        "findings": findings,
    })
}

fn backfilled(ui: &mut Ui, done: &[audit::Backfilled], dry_run: bool) -> Result<(), CliError> {
    if ui.json {
        let protocols: Vec<Value> = done
            .iter()
            .map(|one| {
                json!({
                    "name": one.name.as_str(),
                    "sha256": one.spec.to_string(),
                    "commit": one.commit.to_string(),
                    "reason": one.reason,
                })
            })
            .collect();
        return ui.json(&json!({
            "schema": "git-godzilla/spec-backfill@1",
            "dry_run": dry_run,
            "protocols": protocols,
        }));
    }
    let verb = if dry_run { "would make" } else { "made" };
    for one in done {
        ui.line(format!("{verb} the plan of {} anew from {}: {}", one.name, one.commit.short(), one.reason))?;
    }
    if done.is_empty() {
        ui.line("every plan is here, and is what its files say")?;
    }
    Ok(())
}
