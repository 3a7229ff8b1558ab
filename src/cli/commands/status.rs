//! `git godzilla status`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::list::Past;
use super::{list as list_command, show};
use crate::cli::error::CliError;
use crate::cli::json::{self as shapes, Worktrees};
use crate::cli::ui::{CYAN, Ui, counted, styled};
use crate::service::at::{self, When};
use crate::service::context::Context;
use crate::service::streams::Streams;
use crate::service::{list, resolve};

/// Show the protocol of the current branch, or what is going on in all of them
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Show all protocols, also on a protocol's branch
    #[arg(long)]
    all: bool,

    /// Show this protocol, by its name or number
    #[arg(short, long = "protocol", value_name = "NAME", conflicts_with = "all")]
    protocol: Option<String>,

    #[command(flatten)]
    past: Past,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    if let Some(when) = args.past.when(ui, &ctx)? {
        return past(ui, &ctx, args, when);
    }
    if let Some(name) = &args.protocol {
        let shown = show::load(&ctx, "status", Some(name))?;
        show::print(ui, &ctx, &shown)?;
        return Ok(ExitCode::SUCCESS);
    }
    let streams = Streams::for_target(&ctx, None)?;
    if let Some(name) = resolve::current(&streams)?.filter(|_| !args.all) {
        let shown = list::show(&streams, &name, None)?;
        show::print(ui, &ctx, &shown)?;
        return Ok(ExitCode::SUCCESS);
    }
    drop(streams);
    let mut listing = list::list(&ctx)?;
    list_command::set_aside(ui, &listing);
    super::archive::upkeep(ui, &ctx, &listing);
    let remotes = list::remotes(&ctx)?;
    let unshared: usize = listing.rows.iter().map(|row| row.unshared_events).sum();
    if ui.json {
        let worktrees = Worktrees::of(&ctx.repo);
        let protocols: Vec<_> = listing.rows.iter().map(|row| shapes::row(row, &worktrees)).collect();
        let remotes: Vec<Value> = remotes
            .iter()
            .map(|remote| {
                json!({
                    "name": remote.name,
                    "shared": remote.shared,
                    "unshared_events": remote.unshared_events,
                    "last_error": remote.last_error,
                })
            })
            .collect();
        ui.json(&json!({
            "schema": "git-godzilla/status@1",
            "protocols": protocols,
            "unshared_events": unshared,
            "unmatched_ci_reports": listing.unmatched_ci_reports,
            "remotes": remotes,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let n_over = listing.rows.len();
    listing.rows.retain(|row| row.status != "completed" && row.status != "cancelled");
    let n_over = n_over - listing.rows.len();
    list_command::in_order_of_need(&mut listing);
    ui.page(&ctx.repo);
    if listing.rows.is_empty() {
        ui.line("nothing is going on")?;
        if ctx.repo.clone_label().is_none() {
            list_command::not_set_up(ui);
        }
    }
    ui.table(&list_command::table(&listing))?;
    if n_over > 0 {
        let is = if n_over == 1 { "is" } else { "are" };
        ui.line(format!("and {n_over} that {is} over (git godzilla list)"))?;
    }
    for row in listing.rows.iter().filter_map(|row| row.blocked_reason.as_ref()) {
        ui.line(format!("{}: {}", row.message, styled(CYAN, &row.remedy)))?;
    }
    for row in &listing.rows {
        if let Some(remote) = &row.merged_here {
            let push = format!("git push {remote} {}", row.base);
            ui.line(format!("{} is merged here, not pushed: {}", row.name, styled(CYAN, push)))?;
        }
    }
    for remote in remotes.iter().filter(|remote| remote.unshared_events > 0) {
        let why = remote.last_error.as_ref();
        ui.line(format!(
            "{} not on {}{}: {}",
            counted(remote.unshared_events, "event"),
            remote.name,
            why.map(|why| format!(" ({why})")).unwrap_or_default(),
            styled(CYAN, "git godzilla sync")
        ))?;
    }
    if listing.unmatched_ci_reports > 0 {
        ui.line(format!(
            "{} about commits that no protocol here knows",
            counted(listing.unmatched_ci_reports, "CI report")
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows what `status` would have shown, without what only this clone knows.
fn past(ui: &mut Ui, ctx: &Context, args: &Args, when: When) -> Result<ExitCode, CliError> {
    let name = args.protocol.as_deref();
    if name.is_some() || (!args.all && at::is_of_one(ctx, when)?) {
        show::print_past(ui, ctx, name, when)?;
        return Ok(ExitCode::SUCCESS);
    }
    let listing = list_command::past(ui, ctx, when, !ui.json)?;
    if ui.json {
        let worktrees = Worktrees::none();
        let protocols: Vec<_> = listing.rows.iter().map(|row| shapes::row(row, &worktrees)).collect();
        ui.json(&json!({
            "schema": "git-godzilla/status@1",
            "protocols": protocols,
            "unshared_events": 0,
            "unmatched_ci_reports": 0,
            "remotes": [],
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let held: Vec<String> =
        listing.rows.iter().filter_map(|row| Some(row.blocked_reason.as_ref()?.message.clone())).collect();
    list_command::print_past(ui, ctx, listing)?;
    for message in held {
        ui.line(message)?;
    }
    Ok(ExitCode::SUCCESS)
}
