//! `git godzilla demo`.

use std::process::ExitCode;

use crate::cli::error::{CliError, Exit};
use crate::cli::ui::Ui;

/// Play the whole life of a protocol in a scratch area
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {}

pub(in crate::cli) fn run(_ui: &mut Ui, _args: &Args) -> Result<ExitCode, CliError> {
    Err(CliError::new(Exit::Bug, "wip", "wip"))
}
