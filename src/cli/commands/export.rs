//! `git godzilla export`.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::cli::error::{CliError, Exit};
use crate::cli::ui::{Ui, counted};
use crate::service::export;

/// Write everything that is known of all protocols as JSON lines
///
/// Streams, plans and the project's own events, of this clone and as last fetched, archived ones included.
/// `git godzilla import jsonl FILE` takes it in again, in any clone. Branches and files are not in it: git has
/// them.
///
/// Exits with 1 if something could not be read and was left out.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// The file, which must not be there yet; standard output if left out
    #[arg(value_hint = clap::ValueHint::FilePath)]
    file: Option<PathBuf>,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let done = match &args.file {
        None => export::write(&ctx, &mut ui.pipe())?,
        Some(file) => {
            let (done, written) = export::to_file(&ctx, file)?;
            let (streams, events) = (counted(done.streams, "stream"), counted(done.events, "event"));
            if ui.json {
                ui.json(&json!({
                    "schema": "git-godzilla/export@1",
                    "file": file.display().to_string(),
                    "written": written,
                    "streams": done.streams,
                    "events": done.events,
                    "left_out": done.left_out,
                }))?;
            } else if written {
                ui.line(format!("wrote {streams} with {events} to {}", file.display()))?;
            } else {
                ui.line(format!("{} holds the same already: {streams} with {events}", file.display()))?;
            }
            done
        }
    };
    for left_out in &done.left_out {
        ui.warn(format!("left out: {left_out}"));
    }
    Ok(if done.left_out.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(Exit::No as u8) })
}
