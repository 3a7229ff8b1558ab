//! `git godzilla init`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::ui::{BOLD, CYAN, DIM, Table, Ui, styled};
use crate::service::context::Context;
use crate::service::init::{self, Initialised, Request, Result as What};

/// Set this clone up: refspecs, hooks, and what the remote already knows
///
/// Running it again changes nothing that is already so. It writes no file of the work tree.
#[derive(clap::Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(in crate::cli) struct Args {
    /// The branch that protocols begin at and are merged into
    #[arg(long, value_name = "BRANCH")]
    base_branch: Option<String>,

    /// The remote to share state with; `origin` if left out
    #[arg(long, value_name = "NAME")]
    remote: Option<String>,

    /// Make a repository here if there is none
    #[arg(long)]
    init_if_needed: bool,

    /// Install no hooks; commands find new commits by themselves
    #[arg(long)]
    no_hooks: bool,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,

    /// Only say what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    if args.init_if_needed {
        crate::platform::git::init_if_needed(args.dry_run)?;
    }
    let ctx = crate::cli::context(ui)?;
    let request = |dry_run| Request {
        base_branch: args.base_branch.clone(),
        remote: args.remote.clone(),
        no_hooks: args.no_hooks,
        dry_run,
    };
    let asks = !args.yes
        && !args.dry_run
        && !ui.json
        && std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal()
        && ctx.repo.clone_label().is_none();
    if asks {
        print(ui, &ctx, &init::init(&ctx, &request(true))?, true)?;
        if ui.is_closed() || !confirmed()? {
            ui.note("nothing was changed");
            return Ok(ExitCode::from(4));
        }
    }
    let done = init::init(&ctx, &request(args.dry_run))?;
    print(ui, &ctx, &done, args.dry_run)?;
    Ok(ExitCode::SUCCESS)
}

fn confirmed() -> Result<bool, CliError> {
    let mut err = std::io::stderr();
    write!(err, "Do this? [Y/n] ")?;
    err.flush()?;
    let mut answer = String::new();
    let n_read = std::io::stdin().lock().read_line(&mut answer)?;
    // An input that ends is no Enter.
    Ok(n_read > 0 && matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes"))
}

fn print(ui: &mut Ui, ctx: &Context, done: &Initialised, dry_run: bool) -> Result<(), CliError> {
    if ui.json {
        let actions: Vec<Value> = done
            .actions
            .iter()
            .map(|action| {
                json!({
                    "action": action.action,
                    "target": action.target,
                    "result": action.result.as_str(),
                    "message": action.message,
                })
            })
            .collect();
        return ui.json(&json!({
            "schema": "git-godzilla/init@1",
            "dry_run": dry_run,
            "base_branch": done.base_branch,
            "remote": done.remote,
            "label": done.label,
            "actions": actions,
            "adopted_events": done.adopted_events,
            "warnings": done.warnings,
        }));
    }
    let plain = anstyle::Style::new();
    let mut table = Table::default();
    for action in &done.actions {
        let mark = match action.result {
            What::Done => "✓",
            What::Planned => "→",
            What::Unchanged => "=",
            What::Skipped => "–",
        };
        let style = if action.result == What::Unchanged { DIM } else { BOLD };
        table.row([
            (format!("{mark} {}", action.action), style),
            (if action.target == action.action { String::new() } else { action.target.clone() }, plain),
            (action.message.clone(), DIM),
        ]);
    }
    for line in table.lines() {
        ui.line(line)?;
    }
    for warning in &done.warnings {
        ui.warn(warning);
    }
    if dry_run {
        return Ok(());
    }
    let place = ctx.repo.work_dir().unwrap_or(ctx.repo.git_dir());
    let what = if done.actions.iter().all(|action| action.result != What::Done) {
        "is set up already"
    } else {
        "is set up"
    };
    ui.line(format!("{} {what}", place.display()))?;
    ui.line(format!("next: {}", styled(CYAN, "git godzilla plan \"what is to be done\"")))?;
    Ok(())
}
