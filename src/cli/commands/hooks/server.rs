//! `git godzilla hooks` in a repository that others push to.

use std::path::PathBuf;
use std::process::ExitCode;

use anstyle::Style;
use serde_json::{Value, json};

use crate::cli::error::{CliError, Exit};
use crate::cli::ui::{DIM, GREEN, RED, Table, Ui};
use crate::platform::server_hooks;
use crate::platform::{env, hook_files};
use crate::service::context::Context;

fn dir(ctx: &Context) -> Result<PathBuf, CliError> {
    Ok(ctx.repo.hooks_path()?)
}

/// Whether this is a repository that has hooks of a server.
pub(super) fn is_served(ctx: &Context) -> Result<bool, CliError> {
    Ok(ctx.repo.is_bare() && server_hooks::is_there(&dir(ctx)?))
}

pub(super) fn install(ui: &mut Ui, ctx: &Context) -> Result<ExitCode, CliError> {
    if !ctx.repo.is_bare() {
        let message = "this is no bare repository, and hooks of a server are for one that others push to";
        return Err(CliError::new(Exit::Refused, "hooks.not_bare", message)
            .hint("in a clone that people work in: git godzilla hooks install"));
    }
    if ctx.repo.config("core.hooksPath").is_some() {
        let message = "core.hooksPath leads to hooks that may be those of other repositories as well";
        return Err(CliError::new(Exit::Refused, "hooks.path", message).hint(
            "add to pre-receive and post-receive there: git-godzilla hook \"$(basename \"$0\")\" -- \"$@\"",
        ));
    }
    let binary = env::current_exe().unwrap_or_else(|| PathBuf::from(hook_files::US));
    let changed = server_hooks::install(&dir(ctx)?, &binary).map_err(failed)?;
    answer(ui, ctx, &changed)
}

pub(super) fn uninstall(ui: &mut Ui, ctx: &Context) -> Result<ExitCode, CliError> {
    let mut changed = server_hooks::uninstall(&dir(ctx)?).map_err(failed)?;
    // Those of a clone may be here as well.
    let more = crate::service::hooks::uninstall(&ctx.repo)?;
    changed.extend(more.changed.iter().map(ToString::to_string));
    answer(ui, ctx, &changed)
}

pub(super) fn status(ui: &mut Ui, ctx: &Context) -> Result<ExitCode, CliError> {
    if ui.json {
        return as_json(ui, ctx);
    }
    let mut table = Table::default();
    for hook in server_hooks::status(&dir(ctx)?) {
        let called = hook.is_ours && ctx.repo.hook_answers(ctx.repo.common_dir(), hook.event)?;
        let (said, style) = match (hook.is_ours, called) {
            (true, true) => ("called by git", GREEN),
            (true, false) => ("not called: git was asked to, and did not", RED),
            (false, _) => ("not installed", DIM),
        };
        let other = if hook.has_other { "another hook runs first" } else { "" };
        let other = if hook.is_ours { other } else { "" };
        table.row([(hook.event.to_owned(), Style::new()), (said.to_owned(), style), (other.to_owned(), DIM)]);
    }
    for line in table.lines() {
        ui.line(line)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn answer(ui: &mut Ui, ctx: &Context, changed: &[String]) -> Result<ExitCode, CliError> {
    if ui.json {
        return as_json(ui, ctx);
    }
    for change in changed {
        ui.line(change)?;
    }
    if changed.is_empty() {
        ui.line("nothing to change")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(ui: &mut Ui, ctx: &Context) -> Result<ExitCode, CliError> {
    let mut hooks: Vec<Value> = Vec::new();
    for hook in server_hooks::status(&dir(ctx)?) {
        let called =
            if hook.is_ours { Some(ctx.repo.hook_answers(ctx.repo.common_dir(), hook.event)?) } else { None };
        let mode = match (hook.is_ours, hook.has_other) {
            (true, _) => "shim",
            (false, true) => "foreign",
            (false, false) => "missing",
        };
        let kept = format!("{}.godzilla-prev", hook.event);
        let chain: Vec<&str> = match (hook.is_ours, hook.has_other) {
            (true, true) => vec![&kept, hook_files::US],
            (true, false) => vec![hook_files::US],
            (false, true) => vec![hook.event],
            (false, false) => Vec::new(),
        };
        hooks.push(json!({ "event": hook.event, "mode": mode, "called": called, "chain": chain, "not_called_in": [] }));
    }
    ui.json(&json!({ "schema": "git-godzilla/hooks@1", "hooks": hooks }))?;
    Ok(ExitCode::SUCCESS)
}

fn failed(err: server_hooks::Error) -> CliError {
    let message = crate::service::error_chain(&err);
    match err {
        server_hooks::Error::KeptTwice { path } => CliError::new(Exit::Refused, "hooks.failed", message)
            .hint(format!("look at it, and move it away: ls -l '{}'", path.display())),
        server_hooks::Error::Io { .. } => CliError::new(Exit::Refused, "io", message),
    }
}
