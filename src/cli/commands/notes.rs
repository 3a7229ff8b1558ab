//! `git godzilla notes`.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::ui::{Ui, counted};
use crate::service::notes;

/// Notes on the commits of protocols, for `git log --notes=godzilla`
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Write all notes anew from the events
    Rebuild,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let Command::Rebuild = args.command;
    let ctx = crate::cli::context(ui)?;
    let written = notes::rebuild(&ctx)?;
    if ui.json {
        ui.json(&json!({ "schema": "git-godzilla/notes@1", "written": written }))?;
    } else {
        ui.line(format!("{} written; see `git log --notes=godzilla`", counted(written, "note")))?;
    }
    Ok(ExitCode::SUCCESS)
}
