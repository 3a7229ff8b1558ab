//! `git godzilla explain`.

use std::process::ExitCode;

use serde_json::json;

use super::act::Target;
use super::show;
use crate::cli::error::CliError;
use crate::cli::json;
use crate::cli::ui::{CYAN, DIM, Ui, styled};
use crate::service::explain;

/// Say why a protocol stands where it does, and what to do about it
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    target: Target,

    /// Only this step
    #[arg(long)]
    step: Option<String>,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let shown = show::load(&ctx, "explain", args.target.name())?;
    let explained = explain::explain(&ctx.repo, &shown, args.step.as_deref())?;
    if ui.json {
        ui.json(&json!({
            "schema": "git-godzilla/explain@1",
            "name": explained.name,
            "step": explained.step,
            "why": explained.why,
            "next_command": explained.next_command,
            "problems": json::problems(&explained.problems),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    ui.line(explained.why)?;
    for problem in &explained.problems {
        ui.line(format!(
            "  {} {}",
            styled(DIM, format!("[{}: {}]", problem.severity, problem.code)),
            problem.message
        ))?;
        ui.line(format!("    {}", problem.remedy))?;
    }
    if let Some(next) = explained.next_command {
        ui.line(format!("next: {}", styled(CYAN, next)))?;
    }
    Ok(ExitCode::SUCCESS)
}
