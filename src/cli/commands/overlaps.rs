//! `git godzilla overlaps`.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::{CliError, Exit};
use crate::cli::ui::{CYAN, DIM, RED, Table, Ui, YELLOW};
use crate::domain::id::Name;
use crate::service::context::Context;
use crate::service::overlaps::{self, Kind};
use crate::service::resolve;
use crate::service::streams::Streams;

/// Show open protocols that are about the same files, or conflict
///
/// The exit code is 1 if any two conflict. Only branches that changed the same file are tried to be
/// merged, in memory.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Only those that meet this protocol
    name: Option<String>,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let only = match &args.name {
        Some(name) => Some(resolve::protocol(&Streams::for_target(&ctx, Some(name))?, Some(name))?.name),
        None => None,
    };
    let found = overlaps::overlaps(&ctx, only.as_ref())?;
    let code = if found.conflicts() == 0 { ExitCode::SUCCESS } else { ExitCode::from(Exit::No as u8) };
    if ui.json {
        let pairs: Vec<Value> = found
            .pairs
            .iter()
            .map(|pair| {
                json!({
                    "one": pair.one.as_str(),
                    "other": pair.other.as_str(),
                    "kind": pair.kind.as_str(),
                    "paths": pair.paths,
                })
            })
            .collect();
        ui.json(&json!({
            "schema": "git-godzilla/overlaps@1",
            "pairs": pairs,
            "conflicts": found.conflicts(),
            "unchecked": found.unchecked,
            "absent": found.absent.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }))?;
        return Ok(code);
    }
    let mut table = Table::default();
    for pair in &found.pairs {
        let style = match pair.kind {
            Kind::Conflict => RED,
            Kind::Touched => YELLOW,
            Kind::Declared => DIM,
        };
        table.row([
            (pair.kind.as_str().to_owned(), style),
            (pair.one.to_string(), CYAN),
            (pair.other.to_string(), CYAN),
            (pair.paths.join(", "), anstyle::Style::new()),
        ]);
    }
    for line in table.lines() {
        ui.line(line)?;
    }
    if found.pairs.is_empty() {
        ui.line("no open protocols are about the same files")?;
    }
    if let Some(first) = found.absent.first() {
        let more = if found.absent.len() > 1 {
            format!(" and {} more", found.absent.len() - 1)
        } else {
            String::new()
        };
        ui.note(format!("not compared, since their branches are not in this clone: {first}{more}"));
    }
    if found.unchecked > 0 {
        ui.note(format!("{} more may conflict and were not tried", found.unchecked));
    }
    Ok(code)
}

/// Says in one line which protocols meet this one, to a person.
pub(in crate::cli) fn tell(ui: &mut Ui, ctx: &Context, name: &Name) {
    if ui.json {
        return;
    }
    if let Some(line) = overlaps::line(ctx, name) {
        ui.note(line);
    }
}
