//! `git godzilla show`.

use std::process::ExitCode;

use super::act::Target;
use super::list::Past;
use crate::cli::error::CliError;
use crate::cli::json::{self as shapes, Worktrees};
use crate::cli::told::spent;
use crate::cli::ui::{BOLD, CYAN, DIM, Table, Ui, counted, moment, status_look, styled};
use crate::domain::ci::JobResult;
use crate::domain::sentence::short_ref;
use crate::domain::state::Protocol;
use crate::service::at::{self, When};
use crate::service::context::Context;
use crate::service::list::{self, Shown};
use crate::service::spec::audit;
use crate::service::streams::Streams;
use crate::service::{explain, resolve};

/// How many findings of a review are shown.
const MAX_FOUND: usize = 10;

/// Show one protocol: its steps, commits, CI and what to do next
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    target: Target,

    #[command(flatten)]
    past: Past,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    if let Some(when) = args.past.when(ui, &ctx)? {
        print_past(ui, &ctx, args.target.name(), when)?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = load(&ctx, "show", args.target.name())?;
    print(ui, &ctx, &shown)?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the protocol that is named, or that of the current branch, for a command.
pub(super) fn load(ctx: &Context, command: &str, name: Option<&str>) -> Result<Shown, CliError> {
    let streams = Streams::for_target(ctx, name)?;
    let target = resolve::protocol(&streams, name);
    let target = target.map_err(|err| CliError::from(err).for_argument_of(command))?;
    Ok(list::show(&streams, &target.name, target.root)?)
}

pub(super) fn print(ui: &mut Ui, ctx: &Context, shown: &Shown) -> Result<(), CliError> {
    let worktrees = Worktrees::of(&ctx.repo);
    warn_of_plan(ui, ctx, &shown.protocol);
    if ui.json {
        return ui.json(&shapes::protocol(shown, &worktrees));
    }
    ui.page(&ctx.repo);
    state(ui, shown, &worktrees)?;
    if shown.protocol.shown.is_final() {
        return Ok(());
    }
    let explained = explain::explain(&ctx.repo, shown, None)?;
    ui.line("")?;
    ui.line(explained.why)?;
    // What gates found is said by `qa`; findings of a review are what somebody has to mend.
    let found = explained.problems.iter().filter(|problem| problem.code.starts_with("review."));
    for problem in found.take(MAX_FOUND) {
        ui.line(format!("  {} {}", styled(DIM, problem.severity), problem.message))?;
    }
    match explained.next_command {
        Some(next) => ui.line(format!("next: {}", styled(CYAN, next))),
        None => Ok(()),
    }
}

/// Shows a protocol as it was, without what to do about it.
pub(super) fn print_past(ui: &mut Ui, ctx: &Context, name: Option<&str>, when: When) -> Result<(), CliError> {
    let shown = at::show(ctx, name, when)?;
    let worktrees = Worktrees::none();
    if ui.json {
        return ui.json(&shapes::protocol(&shown, &worktrees));
    }
    ui.page(&ctx.repo);
    state(ui, &shown, &worktrees)?;
    match shown.protocol.held_by() {
        Some(held) => {
            ui.line("")?;
            ui.line(held.message)
        }
        None => Ok(()),
    }
}

/// Shows where a protocol and its steps stand.
fn state(ui: &mut Ui, shown: &Shown, worktrees: &Worktrees) -> Result<(), CliError> {
    let protocol = &shown.protocol;
    let created = &protocol.created;
    let (glyph, style) = status_look(protocol.shown.as_str());
    ui.line(format!("{}  {}", styled(BOLD, &shown.name), created.title))?;
    let mut facts = Table::default();
    let mut fact =
        |key: &str, value: String| facts.row([(key.to_owned(), DIM), (value, anstyle::Style::new())]);
    fact("status", styled(style, format!("{glyph} {}", protocol.shown)));
    fact("branch", format!("{} from {} at {}", created.branch, created.base, created.base_commit.short()));
    if shown.row.branch_here != created.branch {
        fact("branch here", shown.row.branch_here.clone());
    }
    if let Some(path) = worktrees.get(&shown.row.branch_here) {
        fact("worktree", path.clone());
    }
    if let Some(gates) = &protocol.gates {
        fact("gates", format!("{} were accepted in place of the base's", gates.tree.short()));
    }
    if let Some(merged) = &protocol.merged {
        fact(
            "merged",
            format!("into {} by {} ({})", short_ref(&merged.into), merged.commit.short(), merged.rule),
        );
    }
    if !protocol.runs.is_empty() {
        let runs = counted(protocol.runs.len(), "run");
        fact("engines", format!("{runs}, {}", spent(&protocol.spent())));
    }
    fact("updated", moment(protocol.updated_at_ms));
    if shown.row.unshared_events > 0 {
        fact(
            "unshared",
            format!(
                "{}; `git push` or `git godzilla sync` shares what is new",
                counted(shown.row.unshared_events, "event")
            ),
        );
    }
    for line in facts.lines() {
        ui.line(line)?;
    }
    ui.line("")?;
    ui.table(&steps(shown))
}

/// Says that what the branch has as the plan of a protocol is none.
pub(super) fn warn_of_plan(ui: &mut Ui, ctx: &Context, protocol: &Protocol) {
    if let Some(broken) = audit::broken_at_tip(ctx, protocol) {
        ui.warn(broken);
    }
}

fn steps(shown: &Shown) -> Table {
    let plain = anstyle::Style::new();
    let current = shown.protocol.current_step().map(|step| &step.id);
    let mut table = Table::default();
    for step in &shown.protocol.steps {
        let (glyph, style) = status_look(step.shown.as_str());
        let mark = if Some(&step.id) == current { "→" } else { " " };
        let mut facts = Vec::new();
        if !step.commits.is_empty() {
            facts.push(counted(step.commits.len(), "commit"));
        }
        if step.attempt > 1 {
            facts.push(format!("attempt {}", step.attempt));
        }
        if let Some(verdict) = &step.verdict {
            let stale = if verdict.stale { ", stale" } else { "" };
            facts.push(format!("QA {}{stale}", verdict.verdict.result.replace('_', " ")));
        }
        if step.ci != JobResult::None {
            facts.push(format!("CI {}", step.ci));
        }
        table.row([
            (format!("{mark} {glyph} {}", step.id), style),
            (step.shown.to_string(), style),
            (step.title.clone(), plain),
            (facts.join(", "), DIM),
        ]);
    }
    table
}
