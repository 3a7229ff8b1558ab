//! `git godzilla hooks` and, for git to call, `git godzilla hook`.

mod server;

use std::ffi::OsString;
use std::process::ExitCode;

use anstyle::Style;
use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::ui::{DIM, GREEN, RED, Table, Ui, YELLOW};
use crate::platform::hook_files::Mode;
use crate::service::doctor::{self, Answer};
use crate::service::hooks::{self, Manager};

/// Install, remove or inspect the hooks that advance steps on commit and push
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Put the hooks in; what is there already is kept and called first
    Install {
        /// Those of a bare repository that others push to: they refuse what would harm the state, and see
        /// merges
        #[arg(long)]
        server: bool,

        /// Let the hook manager call us: write a line into husky's scripts, or lefthook-local.yml
        #[arg(long, value_enum, conflicts_with = "server", value_name = "MANAGER")]
        into: Option<Into>,
    },
    /// Take them out; what was there before comes back byte for byte
    Uninstall,
    /// Say which hooks are there and who calls whom
    Status {
        /// Run hooks of others too, in a repository that is thrown away, to see whether they call us
        #[arg(long)]
        probe: bool,
    },
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Into {
    Husky,
    Lefthook,
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
    let ctx = crate::cli::context_as_is(ui)?;
    let mut probe = false;
    let changed = match args.command {
        Command::Install { server: true, .. } => return server::install(ui, &ctx),
        Command::Uninstall if server::is_served(&ctx)? => return server::uninstall(ui, &ctx),
        Command::Status { .. } if server::is_served(&ctx)? => return server::status(ui, &ctx),
        Command::Install { server: false, into } => {
            let manager = into.map(|into| match into {
                Into::Husky => Manager::Husky,
                Into::Lefthook => Manager::Lefthook,
            });
            Some(hooks::Plan::new(&ctx.repo, manager)?.carry_out(&ctx.repo)?)
        }
        Command::Uninstall => Some(hooks::uninstall(&ctx.repo)?),
        Command::Status { probe: wanted } => {
            probe = wanted;
            None
        }
    };
    // What was just configured is read again.
    let ctx = if changed.is_some() { crate::cli::context_unwarned(ui)? } else { ctx };
    let status = doctor::answers(&ctx.repo, probe)?;
    if ui.json {
        let hooks: Vec<Value> = status
            .iter()
            .map(|Answer { hook, is_configured, called, not_in, .. }| {
                let mode = match hook.mode {
                    Mode::Absent | Mode::Foreign | Mode::Broken(_) if *is_configured => "config",
                    Mode::Symlink => "symlink",
                    Mode::Shim => "shim",
                    Mode::Chained { .. } | Mode::Foreign => "foreign",
                    Mode::Absent | Mode::Broken(_) => "missing",
                };
                let not_in: Vec<String> = not_in.iter().map(|dir| dir.display().to_string()).collect();
                json!({
                    "event": hook.event, "mode": mode, "called": called, "chain": hook.chain, "not_called_in": not_in
                })
            })
            .collect();
        ui.json(&json!({ "schema": "git-godzilla/hooks@1", "hooks": hooks }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(outcome) = changed {
        for change in &outcome.changed {
            ui.line(change)?;
        }
        for warning in outcome.warnings.iter().filter(|warning| !outcome.changed.contains(warning)) {
            ui.warn(warning);
        }
        if outcome.changed.is_empty() {
            ui.line("nothing to change")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::default();
    for answer in &status {
        let (said, style) = said(answer);
        table.row([
            (answer.hook.event.to_owned(), Style::new()),
            (said, style),
            (answer.hook.chain.join(" → "), DIM),
        ]);
    }
    for line in table.lines() {
        ui.line(line)?;
    }
    for answer in &status {
        for dir in &answer.not_in {
            ui.warn(format!("git does not call us for {} in `{}`", answer.hook.event, dir.display()));
        }
    }
    if let Some(path) = ctx.repo.config("core.hooksPath") {
        ui.note(format!("core.hooksPath is `{path}`: git looks for hooks there and nowhere else"));
    }
    if status.iter().any(|answer| answer.called.is_none() && answer.why.is_none()) {
        ui.note("hooks that are not ours were not run; to see whether they call us, run them for a trial:");
        ui.note("  git godzilla hooks status --probe");
    }
    Ok(ExitCode::SUCCESS)
}

/// Says in words what is known of one hook.
fn said(answer: &Answer) -> (String, Style) {
    match (&answer.hook.mode, answer.called, &answer.why) {
        (_, Some(true), _) if answer.is_configured => ("called by git's configuration".to_owned(), GREEN),
        (_, Some(false), _) if answer.is_configured => {
            ("not called: git was asked to, and did not".to_owned(), RED)
        }
        (Mode::Absent, ..) => ("not installed".to_owned(), DIM),
        (Mode::Broken(why), Some(false) | None, _) => (format!("not called: {why}"), RED),
        (_, None, Some(why)) => (format!("could not be tried: {why}"), RED),
        (_, _, Some(why)) => (format!("not called in a trial: {why}"), RED),
        (Mode::Symlink | Mode::Shim, Some(false), None) => {
            ("not called: git was asked to, and did not".to_owned(), RED)
        }
        (Mode::Symlink | Mode::Shim, None, None) => {
            ("not tried: others would run as well".to_owned(), YELLOW)
        }
        (Mode::Symlink, ..) => {
            ("called through a link to the program, over which others may write".to_owned(), YELLOW)
        }
        (Mode::Shim, ..) if answer.hook.chain.len() > 1 => {
            ("called after the hook that was there".to_owned(), GREEN)
        }
        (Mode::Shim, ..) => ("called by git directly".to_owned(), GREEN),
        (Mode::Chained { by }, Some(_), None) => (format!("called by {by}"), GREEN),
        (Mode::Foreign | Mode::Broken(_), Some(true), None) => {
            ("called by the hook that is there".to_owned(), GREEN)
        }
        (Mode::Chained { by }, None, None) => (format!("should be called by {by}; not tried"), YELLOW),
        (Mode::Foreign, None, None) => ("not tried: another hook is there".to_owned(), YELLOW),
        (Mode::Foreign, Some(false), None) => ("not called: another hook is there".to_owned(), RED),
    }
}
