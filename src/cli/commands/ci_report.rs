//! `git godzilla ci-report`.

use std::process::ExitCode;

use crate::cli::error::{CliError, Exit};
use crate::cli::ui::Ui;

/// Report the result of a CI job
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {}

pub(in crate::cli) fn run(_ui: &mut Ui, _args: Args) -> Result<ExitCode, CliError> {
    Err(CliError::new(Exit::Bug, "wip", "wip"))
}
