//! `git godzilla uninstall`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::ui::{DIM, GREEN, Ui, counted, styled};
use crate::service::uninstall::{self, Holds, Request, Uninstalled};

/// Take git-godzilla out of this clone: hooks, settings, refs and files
///
/// What was there before `init` comes back byte for byte. Branches, worktrees and `.protocols/` stay, and so
/// does what remotes and other clones hold. Where events would be lost that no remote has, or snapshots of work
/// that are less than 30 days old, it takes `--export` or `--discard`.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,

    /// Write everything to this file first, and snapshots of work to a bundle of git beside it
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    export: Option<PathBuf>,

    /// What nobody else has may be lost
    #[arg(long, conflicts_with = "export")]
    discard: bool,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    // Whatever an interrupted plan has left goes as well, and needs no completion.
    let ctx = crate::cli::context_unwarned(ui)?;
    let request = Request { export: args.export.clone(), discard: args.discard };
    let holds = uninstall::holds(&ctx)?;
    uninstall::check(&holds, &request)?;
    let asks = !args.yes && !ui.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if asks && (ui.is_closed() || !confirmed(&holds, &request)?) {
        ui.note("nothing was changed");
        return Ok(ExitCode::from(4));
    }
    let done = uninstall::uninstall(&ctx, &request)?;
    print(ui, &done)?;
    Ok(ExitCode::SUCCESS)
}

/// Asks before anything goes; nothing but a yes is one.
fn confirmed(holds: &Holds, request: &Request) -> Result<bool, CliError> {
    let mut err = std::io::stderr();
    if request.discard && !holds.is_empty() {
        let (events, snapshots) = (counted(holds.unshared_events, "event"), holds.snapshots.len());
        writeln!(err, "{events} and {} will be lost.", counted(snapshots, "snapshot"))?;
    }
    write!(err, "Take git-godzilla out of this clone? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    let n_read = std::io::stdin().lock().read_line(&mut answer)?;
    Ok(n_read > 0 && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn print(ui: &mut Ui, done: &Uninstalled) -> Result<(), CliError> {
    let kept_in: Vec<String> = done.kept_in.iter().map(|path| path.display().to_string()).collect();
    if ui.json {
        let actions: Vec<Value> = done
            .actions
            .iter()
            .map(|it| json!({ "action": it.action, "target": it.target, "message": it.message }))
            .collect();
        return ui.json(&json!({
            "schema": "git-godzilla/uninstall@1",
            "actions": actions,
            "kept_in": kept_in,
            "warnings": done.warnings,
        }));
    }
    for path in &kept_in {
        ui.line(format!("{} kept in {path}", styled(GREEN, "✓")))?;
    }
    for it in &done.actions {
        ui.line(format!("{} {} {}  {}", styled(GREEN, "✓"), it.action, it.target, styled(DIM, &it.message)))?;
    }
    if done.actions.is_empty() {
        ui.line("there is nothing of git-godzilla in this clone")?;
    }
    for warning in &done.warnings {
        ui.warn(warning);
    }
    Ok(())
}
