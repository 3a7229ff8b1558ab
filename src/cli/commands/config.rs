//! `git godzilla config`.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::ui::{DIM, Table, Ui};
use crate::service::settings::{self, Entry, Origin};

/// Show the settings that are in effect
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// List every setting with its value, also those that nobody has set
    Show {
        /// Also where each value comes from
        #[arg(long)]
        origin: bool,
    },
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let Command::Show { origin } = args.command;
    let ctx = crate::cli::context(ui)?;
    let entries = &ctx.settings.entries;
    if ui.json {
        let entries: Vec<Value> = entries
            .iter()
            .map(|entry| json!({ "key": entry.key, "value": value(entry), "origin": entry.origin.to_string() }))
            .collect();
        ui.json(&json!({ "schema": "git-godzilla/config@1", "entries": entries }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let plain = anstyle::Style::new();
    let mut table = Table::default();
    for entry in entries {
        let from = match &entry.origin {
            from if origin => from.to_string(),
            Origin::Default if entry.typed.is_some() => "(default)".to_owned(),
            _ => String::new(),
        };
        let value = match &entry.typed {
            None if entry.value().is_empty() => ("(not set)".to_owned(), DIM),
            Some(settings::Value::List(list)) if list.is_empty() => ("(none)".to_owned(), DIM),
            _ => (entry.value(), plain),
        };
        table.row([(entry.key.clone(), plain), value, (from, DIM)]);
    }
    for line in table.lines() {
        ui.line(line)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn value(entry: &Entry) -> Value {
    match &entry.typed {
        Some(settings::Value::Text(text)) => text.clone().into(),
        Some(settings::Value::Number(number)) => (*number).into(),
        Some(settings::Value::Flag(flag)) => (*flag).into(),
        Some(settings::Value::List(list)) => list.clone().into(),
        None => Value::Null,
    }
}
