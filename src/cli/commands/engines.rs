//! `git godzilla engines`.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::ui::{DIM, GREEN, RED, Table, Ui, YELLOW};
use crate::domain::text::one_line;
use crate::service::engines::{self, Checked, Listed};

/// Show who can plan, do and check steps
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// List every engine that is built in or set, and the phases that use it
    List,
    /// Look whether engines could run: program, service and login; asks no model anything
    ///
    /// Ends with 1 if one of them could not.
    Check {
        /// The engine; every one that is set or used if left out
        name: Option<String>,
    },
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    match &args.command {
        Command::List => {
            let all = engines::list(&ctx)?;
            if ui.json {
                let all: Vec<Value> = all.iter().map(|engine| engine_json(engine, None)).collect();
                ui.json(&json!({ "schema": "git-godzilla/engines@1", "engines": all }))?;
            } else {
                list(ui, &all)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Check { name } => {
            let all = engines::check(&ctx, name.as_deref())?;
            if ui.json {
                let all: Vec<Value> =
                    all.iter().map(|checked| engine_json(&checked.engine, Some(checked))).collect();
                ui.json(&json!({ "schema": "git-godzilla/engines@1", "engines": all }))?;
            } else {
                check(ui, &all)?;
            }
            let is_usable = all.iter().all(|checked| checked.is_usable);
            Ok(if is_usable { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

fn list(ui: &mut Ui, all: &[Listed]) -> Result<(), CliError> {
    let plain = anstyle::Style::new();
    let mut table = Table::default();
    for engine in all {
        let kind = if engine.kind == engine.name { String::new() } else { one_line(&engine.kind) };
        let used_by = if engine.used_by.is_empty() { "-".to_owned() } else { engine.used_by.join(", ") };
        let can = match engine.capabilities {
            Some(can) if can.writes => "plans, does, reviews",
            Some(_) => "plans, reviews",
            None if engine.is_known() => "",
            None => "of a kind that this release does not know",
        };
        let set_in = match (engine.needs_consent, engine.set_in.is_empty()) {
            (true, _) => (format!("{} (not agreed to)", engine.set_in.join(", ")), YELLOW),
            (false, true) => ("built in".to_owned(), DIM),
            (false, false) => (engine.set_in.join(", "), DIM),
        };
        table.row([
            (one_line(&engine.name), plain),
            (kind, DIM),
            (engine.model.as_deref().map(one_line).unwrap_or_default(), plain),
            (used_by, plain),
            (can.to_owned(), DIM),
            set_in,
        ]);
    }
    ui.table(&table)
}

fn check(ui: &mut Ui, all: &[Checked]) -> Result<(), CliError> {
    if all.is_empty() {
        return ui.line("No engine is set for a phase; people do all steps.");
    }
    let plain = anstyle::Style::new();
    let mut table = Table::default();
    for checked in all {
        let looks = if checked.is_usable { ("usable", GREEN) } else { ("not usable", RED) };
        let version = checked.check.as_ref().and_then(|check| check.version.as_deref());
        let login = match &checked.check {
            Some(check) => format!("login {}", check.login.as_str()),
            None => String::new(),
        };
        table.row([
            (one_line(&checked.engine.name), plain),
            (looks.0.to_owned(), looks.1),
            (version.map(one_line).unwrap_or_default(), plain),
            (login, DIM),
            (hint(checked).unwrap_or_default(), YELLOW),
        ]);
    }
    ui.table(&table)
}

/// Returns what to do about an engine that could not run, or not well.
fn hint(checked: &Checked) -> Option<String> {
    if checked.engine.needs_consent {
        return Some(
            "the repository says what it is, and nobody agreed to that here: git godzilla trust".to_owned(),
        );
    }
    if checked.check.is_none() && !checked.is_usable {
        return Some(format!("this release does not know the kind `{}`", one_line(&checked.engine.kind)));
    }
    checked.check.as_ref().and_then(|check| check.hint.as_deref()).map(one_line)
}

fn engine_json(engine: &Listed, checked: Option<&Checked>) -> Value {
    let can = engine.capabilities.map(|can| {
        json!({
            "writes": can.writes, "json": can.json, "schema": can.schema, "resumes": can.resumes,
            "usage": can.usage,
        })
    });
    json!({
        "name": engine.name,
        "kind": engine.kind,
        "model": engine.model,
        "set_in": engine.set_in,
        "used_by": engine.used_by,
        "capabilities": can,
        "trusted": !engine.needs_consent,
        "check": checked.map(check_json),
    })
}

fn check_json(checked: &Checked) -> Value {
    let check = checked.check.as_ref();
    json!({
        "usable": checked.is_usable,
        "version": check.and_then(|check| check.version.as_deref()),
        "login": check.map(|check| check.login.as_str()),
        "hint": hint(checked),
    })
}
