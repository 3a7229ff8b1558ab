//! `git godzilla demo`.

use std::path::PathBuf;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::ui::{BOLD, CYAN, DIM, GREEN, RED, Ui, status_look, styled};
use crate::platform::env;
use crate::service::demo::{self, Error, Played, Request, Told};

/// Play the whole life of a protocol in a scratch area
///
/// A bare repository as the server, two clones with real hooks, a CI checkout of depth 1, and git's own
/// commands, from the plan to the merge. It touches nothing else, needs no network and no identity, and
/// checks at the end that both clones agree.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Play in this folder, which must be absent or empty, and keep it
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    keep: Option<PathBuf>,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: Args) -> Result<ExitCode, CliError> {
    let program = env::current_exe().unwrap_or_else(|| PathBuf::from("git-godzilla"));
    let request = Request { program, keep: args.keep };
    let mut untold = None;
    let played = demo::demo(&request, &mut |told| {
        if !ui.json && untold.is_none() {
            untold = tell(ui, told).err();
        }
    });
    let played = match (played, untold) {
        (_, Some(untold)) => return Err(untold),
        (Err(err), None) => {
            if let Error::Step { output, .. } = &err {
                for line in output.lines() {
                    ui.note(format!("  {}", crate::domain::text::one_line(line)));
                }
            }
            return Err(err.into());
        }
        (Ok(played), None) => played,
    };
    print(ui, &played)?;
    Ok(ExitCode::SUCCESS)
}

fn tell(ui: &mut Ui, told: &Told) -> Result<(), CliError> {
    let said = match told {
        Told::Chapter { number, title, about } => {
            if *number > 1 {
                ui.line("")?;
            }
            return ui.line(format!(
                "{}  {}",
                styled(BOLD, format!("{number}. {title}")),
                styled(DIM, about)
            ));
        }
        Told::Command { place, text } => {
            return ui.line(format!(
                "{} {} {text}",
                styled(place_look(place), format!("{place:>8}")),
                styled(DIM, "$")
            ));
        }
        Told::Aside(text) => styled(DIM, format!("({text})")),
        Told::News(text) => text.clone(),
        Told::Trouble(text) => styled(RED, text),
        Told::Output(text) => styled(DIM, text),
        Told::Row { status, text } => styled(status_look(status).1, text),
    };
    ui.line(format!("{:11}{said}", ""))
}

fn place_look(place: &str) -> Style {
    match place {
        "ada" => CYAN,
        "bob" => AnsiColor::Magenta.on_default(),
        "ci" => AnsiColor::Blue.on_default(),
        _ => DIM,
    }
}

fn print(ui: &mut Ui, played: &Played) -> Result<(), CliError> {
    if ui.json {
        let steps: Vec<Value> = played
            .steps
            .iter()
            .map(|step| json!({ "where": step.place, "command": step.command, "exit": step.exit }))
            .collect();
        return ui.json(&json!({ "schema": "git-godzilla/demo@1", "steps": steps, "agreed": true }));
    }
    let count = played.n_events;
    ui.line("")?;
    ui.line(format!(
        "{} ada and bob agree: {count} events, one state, {} completed",
        styled(GREEN, "✓"),
        played.protocol
    ))?;
    let Some(area) = &played.kept else {
        ui.line("  the scratch area is gone; keep one to look around in with `demo --keep DIR`")?;
        return Ok(());
    };
    ui.line(format!("look around: cd {}", styled(CYAN, area.join("ada").display())))?;
    for (command, what) in [
        ("git godzilla show 1".to_owned(), "the protocol"),
        ("git godzilla log 1 --all".to_owned(), "every event, also the one that was set aside"),
        ("git log --graph --notes=godzilla".to_owned(), "the commits and their steps"),
        (format!("git log refs/godzilla/protocols/{}", played.protocol), "the state's own history"),
    ] {
        ui.line(format!("  {}  {}", styled(CYAN, format!("{command:<60}")), styled(DIM, what)))?;
    }
    Ok(())
}
