//! `git godzilla archive`.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::ui::{GREEN, Ui, counted, styled};
use crate::domain::id::Name;
use crate::service::archive::{self, Request};
use crate::service::context::Context;
use crate::service::list::Listing;

const MS_PER_DAY: u64 = 24 * 60 * 60 * 1000;

/// How many protocols a command that was asked for something else archives on the way.
const MAX_ON_THE_WAY: usize = 100;

/// Put protocols that are over into the archive, out of the list
///
/// They can be read as before (`show`, `log`, `list --all`), and `unarchive` brings them back. What has
/// been over for `archive.after_days` days (30) goes there by itself.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Their names or numbers; that of the current branch if left out
    #[arg(value_name = "NAME", conflicts_with_all = ["all", "older_than"])]
    names: Vec<String>,

    /// All that are over
    #[arg(long, conflicts_with = "older_than")]
    all: bool,

    /// All that have been over for at least so many days
    #[arg(long, value_name = "DAYS")]
    older_than: Option<u64>,

    /// Only say what would be archived
    #[arg(long)]
    dry_run: bool,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let days = args.older_than.or_else(|| args.all.then_some(0));
    let request = Request {
        names: args.names,
        over_for_ms: days.map(|days| days.saturating_mul(MS_PER_DAY)),
        dry_run: args.dry_run,
    };
    let done =
        archive::archive(&ctx, &request).map_err(|err| CliError::from(err).for_argument_of("archive"))?;
    if ui.json {
        let names = |names: &[Name]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let skipped = done.skipped.iter().map(|(name, why)| json!({ "name": name.as_str(), "reason": why }));
        ui.json(&json!({
            "schema": "git-godzilla/archive@1",
            "dry_run": args.dry_run,
            "archived": names(&done.names),
            "already": names(&done.already),
            "skipped": skipped.collect::<Vec<_>>(),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let verb = if args.dry_run { "would be archived" } else { "archived" };
    for name in &done.names {
        ui.line(format!("{} {name} {verb}", styled(GREEN, "✓")))?;
    }
    for name in &done.already {
        ui.line(format!("{} {name} is archived already", styled(GREEN, "✓")))?;
    }
    for (name, why) in &done.skipped {
        ui.warn(format!("{name} stays: {why}"));
    }
    if done == archive::Archived::default() {
        ui.line("nothing to archive")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Archives what has been over for long enough, and says so.
pub(super) fn upkeep(ui: &mut Ui, ctx: &Context, listing: &Listing) {
    let done = archive::upkeep(ctx, listing, MAX_ON_THE_WAY);
    tell(ui, &done.archived);
}

/// Says what went to the archive by itself.
pub(super) fn tell(ui: &mut Ui, archived: &[Name]) {
    let what = match archived {
        [] => return,
        [name] => format!("{name} is over and is archived"),
        names => format!("{} are over and are archived", counted(names.len(), "protocol")),
    };
    ui.note(format!("{what} (git godzilla list --all)"));
}
