//! `git godzilla renumber`.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::ui::{BOLD, Ui, styled};
use crate::service::renumber;

/// Give a protocol another number, because another one has the same
///
/// Every name that it had still names it, and its branch and the folder of its plan stay what they are. A
/// twin, which shares its whole name with another protocol, gets a stream, a branch and a folder of its own.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// The protocol's name or number; a twin's as `list` shows it
    old: String,

    /// A number that no other protocol has or had, or a whole name
    new: String,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let done = renumber::renumber(&ctx, &args.old, &args.new)?;
    if ui.json {
        ui.json(&json!({
            "schema": "git-godzilla/renumber@1",
            "name": done.name.as_str(),
            "was": done.was,
            "id": done.root.to_string(),
            "number": done.name.number(),
            "branch": done.branch,
            "recorded": done.recorded,
            "told": done.told,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !done.recorded {
        ui.line(format!("{} is called so already", styled(BOLD, &done.name)))?;
        return Ok(ExitCode::SUCCESS);
    }
    ui.line(format!("{} is {} from now on", done.was, styled(BOLD, &done.name)))?;
    for told in &done.told {
        ui.line(format!("  {told}"))?;
    }
    if done.branch != done.name.as_str() {
        ui.line(format!("  its branch stays {}", done.branch))?;
    }
    Ok(ExitCode::SUCCESS)
}
