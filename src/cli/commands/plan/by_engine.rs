//! `git godzilla plan` with an engine.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use super::shown::Shown;
use super::{Args, Wished, then, without_model};
use crate::cli::error::{CliError, Exit};
use crate::cli::told::Watcher;
use crate::cli::ui::{BOLD, CYAN, Ui, styled};
use crate::service::ask::Wish;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::planner::{self, Decompose, Made, Says, Wanted};

/// Plans with an engine. If it cannot, a person is offered a plan without one; nobody else is.
pub(super) fn run(
    ui: &mut Ui,
    ctx: &Context,
    args: &Args,
    wished: Wished,
    wish: Wish,
) -> Result<ExitCode, CliError> {
    let decompose = match (args.no_decompose, args.skip_simple_decompose) {
        (true, _) => Decompose::None,
        (false, true) => Decompose::NotSimple,
        (false, false) => Decompose::All,
    };
    let Wished { request, said, material, .. } = wished;
    let wanted = Wanted { request, said, wish, material, decompose };
    if args.dry_run {
        let preview = planner::preview(ctx, &wanted)?;
        let shown = Shown {
            planned: &preview.planned,
            preview: Some(&preview),
            notices: &preview.notices,
            dry_run: true,
        };
        return then(ui, ctx, args, &shown);
    }
    let mut watcher = Watcher::default();
    let made = planner::plan(ctx, &wanted, &mut |says| tell(ui, &mut watcher, says));
    watcher.end(ui);
    match made {
        Ok(Made { planned, notices, .. }) => {
            let shown = Shown { planned: &planned, preview: None, notices: &notices, dry_run: false };
            then(ui, ctx, args, &shown)
        }
        Err(err @ Error::Engine { .. }) => {
            let err = CliError::from(err);
            if !offered(ui, &err) {
                return Err(err);
            }
            without_model(ui, ctx, args, &wanted.request)
        }
        Err(err) => Err(err.into()),
    }
}

fn tell(ui: &mut Ui, watcher: &mut Watcher, says: Says<'_>) {
    match says {
        Says::Told(told) => watcher.tell(ui, told),
        Says::Again(problems) => {
            watcher.end(ui);
            ui.warn("the plan cannot be used as it is, so it is asked for again:");
            for problem in problems {
                ui.note(format!("  {problem}"));
            }
        }
        Says::Decomposes { step, n, of } => {
            watcher.end(ui);
            if !ui.json {
                ui.note(format!("{} more about {} ({n} of {of})", styled(CYAN, "▶"), styled(BOLD, step)));
            }
        }
    }
}

/// Asks on a terminal whether to plan without a model.
fn offered(ui: &mut Ui, err: &CliError) -> bool {
    let is_there = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if err.exit != Exit::Program || ui.json || ui.is_closed() || !is_there {
        return false;
    }
    ui.warn(&err.message);
    ui.note(format!("{} Plan without a model instead? [y/N]", styled(BOLD, "?")));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}
