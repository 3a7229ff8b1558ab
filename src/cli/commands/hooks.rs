//! `git godzilla hooks` and, for git to call, `git godzilla hook`.

use std::ffi::OsString;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::ui::{DIM, GREEN, RED, Table, Ui};
use crate::platform::env;
use crate::platform::hook_files::{self, HookStatus, Mode};
use crate::service::{doctor, init};

/// Install, remove or inspect the hooks that advance steps on commit and push
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Put the hooks in; what is there already is kept and called first
    Install,
    /// Take them out; what was there before comes back byte for byte
    Uninstall,
    /// Say which hooks are there and who calls whom
    Status,
}

/// Called by git
#[derive(clap::Args, Debug)]
#[command(hide = true)]
pub(in crate::cli) struct HookArgs {
    /// The hook
    pub(in crate::cli) name: String,

    /// What git passes to it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(in crate::cli) args: Vec<OsString>,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let dir = init::hooks_dir(&ctx.repo)?;
    let changed = match args.command {
        Command::Install => Some(init::install_hooks(&ctx.repo, &dir)?),
        Command::Uninstall => {
            let removed = hook_files::uninstall(&dir, &init::journal(&ctx.repo));
            Some(removed.map_err(crate::service::error::Error::from)?)
        }
        Command::Status => None,
    };
    let binary = env::current_exe().unwrap_or_default();
    let status: Vec<(HookStatus, Option<bool>)> = hook_files::status(&dir, &binary)
        .into_iter()
        .map(|hook| {
            let called = doctor::answers(&ctx.repo, &hook);
            (hook, called)
        })
        .collect();
    if ui.json {
        let hooks: Vec<Value> = status
            .iter()
            .map(|(hook, called)| {
                let mode = match hook.mode {
                    Mode::Symlink => "symlink",
                    Mode::Shim => "shim",
                    Mode::Chained { .. } | Mode::Foreign => "foreign",
                    Mode::Absent | Mode::Broken(_) => "missing",
                };
                json!({ "event": hook.event, "mode": mode, "called": called, "chain": hook.chain })
            })
            .collect();
        ui.json(&json!({ "schema": "git-godzilla/hooks@1", "hooks": hooks }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(report) = changed {
        for change in &report.changed {
            ui.line(change)?;
        }
        if report.changed.is_empty() {
            ui.line("nothing to change")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::default();
    for (hook, called) in &status {
        let (said, style) = match &hook.mode {
            Mode::Symlink | Mode::Shim if *called == Some(false) => {
                ("not called: git was asked to, and did not".to_owned(), RED)
            }
            Mode::Symlink => ("called by git directly".to_owned(), GREEN),
            Mode::Shim => ("called after the hook that was there".to_owned(), GREEN),
            Mode::Chained { by } => (format!("called by {by}"), GREEN),
            Mode::Foreign => ("not called: another hook is there".to_owned(), RED),
            Mode::Absent => ("not installed".to_owned(), DIM),
            Mode::Broken(why) => (format!("not called: {why}"), RED),
        };
        table.row([
            (hook.event.to_owned(), anstyle::Style::new()),
            (said, style),
            (hook.chain.join(" → "), DIM),
        ]);
    }
    for line in table.lines() {
        ui.line(line)?;
    }
    Ok(ExitCode::SUCCESS)
}
