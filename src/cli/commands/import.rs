//! `git godzilla import`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::{CliError, Exit};
use crate::cli::ui::{CYAN, Ui, counted, styled};
use crate::domain::id::Name;
use crate::service::import::{self, Outcome, Problem, Taken};

/// Take in what another tool or another clone has written
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Take in what `git godzilla export` has written
    ///
    /// It is united with what is known here, so that doing it again changes nothing. A file with a line that
    /// cannot be read is refused as a whole. Who wrote the file speaks for everybody in it: import what you
    /// would also fetch.
    Jsonl {
        /// The file
        #[arg(value_hint = clap::ValueHint::FilePath)]
        file: PathBuf,
    },
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let Command::Jsonl { file } = &args.command;
    let ctx = crate::cli::context(ui)?;
    let taken = match import::import(&ctx, file)? {
        Outcome::Imported(taken) => taken,
        Outcome::Refused(problems) => return Err(refused(ui, file, &problems)),
    };
    let n_new: usize = taken.iter().map(|taken| taken.new_events).sum();
    if ui.json {
        let streams: Vec<Value> = taken
            .iter()
            .map(|taken| json!({ "name": taken.name.as_ref().map(Name::as_str), "new_events": taken.new_events }))
            .collect();
        ui.json(&json!({
            "schema": "git-godzilla/import@1",
            "file": file.display().to_string(),
            "streams": streams,
            "new_events": n_new,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for Taken { name, new_events } in taken.iter().filter(|taken| taken.new_events > 0) {
        let name = name.as_ref().map_or("the project", Name::as_str);
        ui.line(format!("{}  {}", styled(CYAN, name), counted(*new_events, "new event")))?;
    }
    let streams = counted(taken.len(), "stream");
    ui.line(match n_new {
        0 => format!("everything of {streams} was known already"),
        n => format!("took in {} of {streams}; `git godzilla sync` shares them", counted(n, "new event")),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn refused(ui: &mut Ui, file: &Path, problems: &[Problem]) -> CliError {
    let told = |problem: &Problem| format!("{}:{}: {}", file.display(), problem.line, problem.message);
    for problem in problems.iter().skip(1) {
        ui.note(told(problem));
    }
    let first = problems.first().map(told).unwrap_or_default();
    CliError::new(Exit::Usage, "import.invalid", format!("{first}; nothing was imported"))
        .hint("git godzilla export FILE, where it comes from")
}
