//! `git godzilla log`.

use std::collections::{BTreeMap, HashMap};
use std::process::ExitCode;

use serde_json::{Map, Value};

use super::act::Target;
use super::show;
use crate::cli::error::CliError;
use crate::cli::ui::{DIM, RED, Ui, counted, moment, styled};
use crate::domain::event::Event;
use crate::domain::fold::Outcome;
use crate::domain::id::Ulid;
use crate::domain::{sentence, text, undo};
use crate::service::list::Shown;
use crate::service::spec;

/// Show the events of one protocol, in the order in which they count
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    target: Target,

    /// Also those that do not count, and why
    #[arg(long, conflicts_with = "op")]
    all: bool,

    /// The commands that recorded events, the newest last, with the ids that `undo` takes; those of
    /// all protocols if no name is given
    #[arg(long)]
    op: bool,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    if args.op {
        super::ops::run(ui, args.target.name())?;
        return Ok(ExitCode::SUCCESS);
    }
    let ctx = crate::cli::context(ui)?;
    let shown = show::load(&ctx, "log", args.target.name())?;
    ui.page(&ctx.repo);
    let known = Known::of(&shown);
    let mut n_hidden = 0;
    for (line, outcome) in shown.content.lines().iter().zip(&shown.folded.outcomes) {
        let event = &line.event;
        let reason = known.reason(event.id, outcome);
        if ui.json {
            ui.json(&event_json(&line.text, outcome, reason))?;
            continue;
        }
        let counts = *outcome == Outcome::Accepted;
        // What somebody took back is worth seeing, with what fell by it.
        let is_shown =
            counts || matches!(outcome, Outcome::Undone(_)) || known.felled.contains_key(&event.id);
        if !is_shown && !args.all {
            n_hidden += 1;
            continue;
        }
        let time = styled(DIM, moment(event.at_ms));
        let said = sentence::line_among(event, &|id| known.events.get(&id).copied());
        let said = match known.plans.get(&event.id) {
            Some(changes) if !changes.is_empty() => {
                format!("{said}: {}", text::clip(&text::one_line(&changes.join("; ")), 200))
            }
            _ => said,
        };
        let who = if event.actor.name.is_empty() { String::new() } else { format!("  {}", event.actor.name) };
        let who = styled(DIM, format!("{who} ({})", event.actor.kind));
        if counts {
            ui.line(format!("{time}  {said}{who}"))?;
        } else {
            let why = match (outcome, reason) {
                (Outcome::Undone(_), Some(reason)) => reason,
                (_, Some(reason)) => format!("{}: {reason}", outcome.as_str()),
                (_, None) => outcome.as_str().to_owned(),
            };
            ui.line(format!("{time}  {said}{who}  {}", styled(RED, format!("[{why}]"))))?;
        }
    }
    if n_hidden > 0 {
        let verb = if n_hidden == 1 { "does" } else { "do" };
        ui.note(format!("{} {verb} not count; see `--all`", counted(n_hidden, "event")));
    }
    Ok(ExitCode::SUCCESS)
}

/// The events by id, and what fell by which undo.
struct Known<'a> {
    events: HashMap<Ulid, &'a Event>,
    outcomes: HashMap<Ulid, &'a Outcome>,
    /// What an undo took back, by what was rejected because of it.
    felled: HashMap<Ulid, Ulid>,
    /// What events changed of the plan, in words.
    plans: BTreeMap<Ulid, Vec<String>>,
}

impl<'a> Known<'a> {
    fn of(shown: &'a Shown) -> Self {
        let told = || shown.content.lines().iter().map(|line| &line.event).zip(&shown.folded.outcomes);
        // Of several with one id the first counts.
        let first = || told().filter(|(_, outcome)| **outcome != Outcome::DuplicateId);
        let felled = undo::felled(&shown.content.events(), &shown.content.decoded_specs(), &shown.folded);
        Self {
            plans: spec::changes(told(), &shown.content.decoded_specs()),
            events: first().map(|(event, _)| (event.id, event)).collect(),
            outcomes: first().map(|(event, outcome)| (event.id, outcome)).collect(),
            felled: felled.into_iter().collect(),
        }
    }

    fn reason(&self, id: Ulid, outcome: &Outcome) -> Option<String> {
        match outcome {
            Outcome::Rejected(reason) => Some(match self.because(id) {
                Some(because) => format!("{reason}, because {because}"),
                None => reason.clone(),
            }),
            Outcome::Undone(by) => Some(format!("undone by {}", self.author_of(*by))),
            Outcome::Duplicate => Some("an earlier event has the same cause".to_owned()),
            Outcome::DuplicateId => Some("an earlier event has the same id".to_owned()),
            Outcome::Quarantined => Some("its clock is beyond belief".to_owned()),
            Outcome::Accepted | Outcome::Unknown | Outcome::Twin => None,
        }
    }

    /// Says which undo an event was rejected by.
    fn because(&self, id: Ulid) -> Option<String> {
        let taken = self.felled.get(&id)?;
        let Outcome::Undone(by) = self.outcomes.get(taken)? else { return None };
        let said = sentence::line(self.events.get(taken)?);
        Some(format!("`{said}` was undone by {}", self.author_of(*by)))
    }

    /// Names who wrote an event, and the command that did.
    fn author_of(&self, id: Ulid) -> String {
        let Some(event) = self.events.get(&id) else { return id.to_string() };
        let who = if event.actor.name.is_empty() { event.actor.kind.as_str() } else { &event.actor.name };
        format!("{who} ({})", event.op.unwrap_or(id))
    }
}

/// The stored fields, with absent ones as null, and what became of the event.
fn event_json(line: &str, outcome: &Outcome, reason: Option<String>) -> Value {
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
