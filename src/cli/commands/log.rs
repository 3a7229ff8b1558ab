//! `git godzilla log`.

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::show;
use crate::cli::error::CliError;
use crate::cli::ui::{DIM, RED, Ui, counted, moment, styled};
use crate::domain::fold::Outcome;
use crate::domain::sentence;

/// Show the events of one protocol, in the order in which they count
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Its name or number; that of the current branch if left out
    name: Option<String>,

    /// Also those that do not count, and why
    #[arg(long)]
    all: bool,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let shown = show::load(&ctx, "log", args.name.as_deref())?;
    ui.page(&ctx.repo);
    for (line, outcome) in shown.content.lines().iter().zip(&shown.folded.outcomes) {
        let reason = reason(outcome);
        if ui.json {
            ui.json(&event(&line.text, outcome, reason))?;
            continue;
        }
        let counts = *outcome == Outcome::Accepted;
        if !counts && !args.all {
            continue;
        }
        let event = &line.event;
        let time = styled(DIM, moment(event.at_ms));
        let said = sentence::line(event);
        let who = if event.actor.name.is_empty() { String::new() } else { format!("  {}", event.actor.name) };
        let who = styled(DIM, format!("{who} ({})", event.actor.kind));
        if counts {
            ui.line(format!("{time}  {said}{who}"))?;
        } else {
            let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            ui.line(format!("{time}  {said}{who}  {}", styled(RED, format!("[{}{why}]", outcome.as_str()))))?;
        }
    }
    let n_hidden = shown.folded.outcomes.iter().filter(|outcome| **outcome != Outcome::Accepted).count();
    if n_hidden > 0 && !args.all && !ui.json {
        let verb = if n_hidden == 1 { "does" } else { "do" };
        ui.note(format!("{} {verb} not count; see `--all`", counted(n_hidden, "event")));
    }
    Ok(ExitCode::SUCCESS)
}

fn reason(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Rejected(reason) => Some(reason.clone()),
        Outcome::Undone(by) => Some(format!("undone by {by}")),
        Outcome::Duplicate => Some("an earlier event has the same cause".to_owned()),
        Outcome::DuplicateId => Some("an earlier event has the same id".to_owned()),
        Outcome::Quarantined => Some("its clock is beyond belief".to_owned()),
        Outcome::Accepted | Outcome::Unknown | Outcome::Twin => None,
    }
}

/// The stored fields, with absent ones as null, and what became of the event.
fn event(line: &str, outcome: &Outcome, reason: Option<String>) -> Value {
    const ENVELOPE: &[&str] = &[
        "v", "id", "clock", "at", "op", "protocol", "root", "actor", "type", "step", "attempt", "from",
        "run", "cause", "critical", "redacts", "sig", "body",
    ];
    let stored: Map<String, Value> = serde_json::from_str(line).unwrap_or_default();
    let mut document = Map::new();
    document.insert("schema".to_owned(), "git-godzilla/event@1".into());
    for key in ENVELOPE {
        document.insert((*key).to_owned(), stored.get(*key).cloned().unwrap_or(Value::Null));
    }
    if let Some(actor) = document.get_mut("actor").and_then(Value::as_object_mut) {
        actor.entry("host").or_insert(Value::Null);
    }
    document.extend(stored.into_iter().filter(|(key, _)| !ENVELOPE.contains(&key.as_str())));
    document.insert("outcome".to_owned(), outcome.as_str().into());
    document.insert("reason".to_owned(), reason.map_or(Value::Null, Value::String));
    Value::Object(document)
}
