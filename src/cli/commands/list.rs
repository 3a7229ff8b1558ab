//! `git godzilla list`.

use std::mem::ManuallyDrop;
use std::process::ExitCode;
use std::rc::Rc;

use crate::cli::error::CliError;
use crate::cli::json::{self as shapes, Worktrees};
use crate::cli::ui::{DIM, Table, Ui, moment, status_look};
use crate::service::at::{self, When};
use crate::service::context::Context;
use crate::service::list::{self, Listing};

/// List all protocols
///
/// Those in the archive are left out unless `--all` is given.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Also those in the archive
    #[arg(long, conflicts_with = "open")]
    all: bool,

    /// Only those that are not over
    #[arg(long)]
    open: bool,

    #[command(flatten)]
    past: Past,
}

/// The state as it was
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Past {
    /// As it was then: a date as git reads it (`yesterday`, `2026-11-20 14:00`; a bare day is its end), a
    /// commit (its date), or a commit of a stream (what it holds)
    #[arg(long, value_name = "WHEN")]
    at: Option<String>,
}

impl Past {
    /// Returns when, if it is asked for, and says so.
    pub(in crate::cli) fn when(&self, ui: &mut Ui, ctx: &Context) -> Result<Option<When>, CliError> {
        let Some(at) = &self.at else { return Ok(None) };
        let when = at::when(ctx, at)?;
        ui.note(match when {
            When::Moment(ms) => format!("as of {}", moment(ms)),
            When::Stream(commit) => format!("as the stream's commit {} has it", commit.short()),
        });
        Ok(Some(when))
    }
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    if let Some(when) = args.past.when(ui, &ctx)? {
        let listing = past(ui, &ctx, when, args.open)?;
        if ui.json {
            ui.json(&shapes::list(&listing.rows, &Worktrees::none()))?;
        } else {
            print_past(ui, &ctx, listing)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    // The process ends with it, and ten thousand rows take a while to take down.
    let listing = if args.all { list::list_all(&ctx)? } else { list::list(&ctx)? };
    let mut listing = ManuallyDrop::new(listing);
    super::archive::upkeep(ui, &ctx, &listing);
    if args.all {
        let archived = std::mem::take(&mut listing.archived);
        listing.rows.extend(archived);
        listing.rows.sort_by_cached_key(|row| (row.number, row.name.clone()));
    }
    if args.open {
        listing.rows.retain(|row| row.status != "completed" && row.status != "cancelled");
    }
    set_aside(ui, &listing);
    if ui.json {
        let worktrees = Worktrees::of(&ctx.repo);
        ui.json(&shapes::list(&listing.rows, &worktrees))?;
        return Ok(ExitCode::SUCCESS);
    }
    let has_archive = listing.inventory.last_archived(&ctx.repo).is_some();
    if listing.rows.is_empty() && has_archive && !args.all {
        ui.line("nothing is going on")?;
        ui.note("what is over is in the archive: git godzilla list --all");
    } else if listing.rows.is_empty() {
        ui.line("no protocols yet")?;
        if ctx.repo.clone_label().is_some() {
            ui.note("plan one with `git godzilla plan \"what is to be done\"`");
        } else {
            not_set_up(ui);
        }
    }
    ui.page(&ctx.repo);
    in_order_of_need(&mut listing);
    ui.table(&table(&listing))?;
    Ok(ExitCode::SUCCESS)
}

/// Reads all protocols as they were.
pub(super) fn past(ui: &mut Ui, ctx: &Context, when: When, open: bool) -> Result<Listing, CliError> {
    let at::Past { rows, set_aside: unread, archives_set_aside } = at::list(ctx, when)?;
    let mut listing = Listing { set_aside: unread, ..Listing::default() };
    listing.inventory.set_aside = archives_set_aside;
    listing.rows = rows.into_iter().map(Rc::new).collect();
    listing.rows.retain(|row| !open || (row.status != "completed" && row.status != "cancelled"));
    set_aside(ui, &listing);
    Ok(listing)
}

pub(super) fn print_past(ui: &mut Ui, ctx: &Context, mut listing: Listing) -> Result<(), CliError> {
    if listing.rows.is_empty() {
        return ui.line("no protocols yet");
    }
    ui.page(&ctx.repo);
    in_order_of_need(&mut listing);
    ui.table(&table(&listing))
}

/// A clone that nobody set up may know nothing of what the remote holds.
pub(super) fn not_set_up(ui: &mut Ui) {
    ui.note("this clone is not set up: `git godzilla init` takes over what the remote holds");
}

/// Says which streams could not be read; all others go on.
pub(super) fn set_aside(ui: &mut Ui, listing: &Listing) {
    for why in &listing.inventory.set_aside {
        ui.warn(why);
    }
    for (name, why) in &listing.set_aside {
        ui.warn(format!("{name} is set aside: {why}"));
    }
}

/// What needs a person comes first, what is over last.
pub(super) fn in_order_of_need(listing: &mut Listing) {
    listing.rows.sort_by_key(|row| match row.status.as_str() {
        "completed" | "cancelled" => 2,
        "blocked" | "failed" | "paused" => 0,
        _ if row.current_status.as_deref() == Some("needs_qa") || row.merged_here.is_some() => 0,
        _ => 1,
    });
}

/// The protocols as a table, one a line.
pub(super) fn table(listing: &Listing) -> Table {
    let mut table = Table::default();
    for row in &listing.rows {
        let (glyph, style) = status_look(&row.status);
        let mut step = match (&row.current_step, &row.current_status) {
            (Some(step), Some(status)) if status != "pending" => format!("{step} ({status})"),
            (Some(step), _) => step.clone(),
            _ if row.merged.is_some() => "merged".to_owned(),
            _ if row.status == "completed" => "not merged".to_owned(),
            _ if row.steps_settled == row.steps_total
                && matches!(row.status.as_str(), "running" | "planned") =>
            {
                "ready to merge".to_owned()
            }
            _ => String::new(),
        };
        if row.archived {
            step.push_str(if step.is_empty() { "archived" } else { ", archived" });
        }
        let done = format!("{}/{}", row.steps_completed, row.steps_total);
        let plain = anstyle::Style::new();
        table.row([
            (format!("{glyph} {}", row.name), style),
            (row.status.clone(), style),
            (done, DIM),
            (step, plain),
            (row.title.clone(), plain),
        ]);
    }
    table
}
