//! One human sentence about what a command recorded: the subject of its commit.

use super::event::{Body, Event, Verdict};
use super::id::Ulid;
use super::ledger::Ledger;
use super::run::{RunKind, RunStatus};
use super::state::Protocol;
use super::status::{ProtocolMove, ProtocolStatus, StepMove, StepStatus};
use super::text;

/// Returns the sentence for `events`, which have just led to `protocol`.
pub fn sentence(events: &[Event], protocol: Option<&Protocol>) -> String {
    let most_telling = events.iter().max_by_key(|event| weight(&event.body));
    let Some(event) = most_telling else { return "nothing new".to_owned() };
    let said = match &event.body {
        Body::Created(created) => format!("plan {:04}-{}: {}", created.number, created.slug, created.title),
        Body::Step(_) => step_sentence(event, events, protocol),
        Body::Protocol { to, reason } => {
            let from = event.from.as_deref().unwrap_or("?");
            let now = protocol_target(*to);
            let because = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!("protocol: {from} -> {now}{because}")
        }
        Body::MergeDetected(merged) => format!("merged into {} ({})", short_ref(&merged.into), merged.rule),
        Body::CommitSeen(seen) => format!("commit {}: {}", seen.commit.short(), seen.subject),
        Body::CommitRewritten { old, new, kind } => format!("{kind}: {} is now {}", old.short(), new.short()),
        Body::BranchTip { tip, gone } => format!("branch at {}, {} commits left it", tip.short(), gone.len()),
        Body::CiReported(report) => {
            format!("ci {}: {} on {}", report.job, report.result, report.commit.short())
        }
        Body::NoteAdded { text } => format!("note: {text}"),
        Body::Undo { targets } => match targets.as_slice() {
            [target] => format!("undo: {target}"),
            targets => format!("undo: {} events", targets.len()),
        },
        Body::VerdictRecorded(verdict) => verdict_sentence(verdict),
        Body::SpecChanged { commit: Some(commit), .. } => format!("the plan changed with {}", commit.short()),
        Body::SpecChanged { commit: None, .. } => "the plan changed".to_owned(),
        Body::Pinned { on: true } => "taken out of the archive".to_owned(),
        Body::Pinned { on: false } => "may be archived".to_owned(),
        Body::GatesAccepted(gates) => format!("gates {} judge from now on", gates.tree.short()),
        Body::PolicyLooped(_) | Body::PolicyTriggered(_) | Body::PolicyNoted(_) => followed(event),
        Body::Renumbered { number, slug } => format!("shown as {number:04}-{slug} from now on"),
        Body::Moved(moved) => format!("moved from {} to {}", moved.from, moved.to),
        Body::Redacted(redacted) => {
            format!("the text of {} was taken out{}", redacted.event, because(redacted.reason.as_ref()))
        }
        Body::SpecRedacted(redacted) => {
            let was = text::clip(&redacted.spec.to_string(), 12);
            format!("a text was taken out of the plan {was}{}", because(redacted.reason.as_ref()))
        }
        Body::RunStarted(run) => {
            let step = event.step.as_ref().map(|step| format!(" step {step}")).unwrap_or_default();
            let does = match run.kind {
                RunKind::Plan => "plans",
                RunKind::Decompose => "breaks down",
                RunKind::Step => "works on",
                RunKind::Review => "reviews",
                RunKind::Fix => "mends",
            };
            let by = run.model.as_ref().map(|model| format!(" ({model})")).unwrap_or_default();
            format!("{}{by} {does}{step}", run.engine)
        }
        Body::RunFinished(run) => {
            let of = event.step.as_ref().map(|step| format!(" on step {step}")).unwrap_or_default();
            match run.status {
                RunStatus::Succeeded => format!("the run{of} succeeded"),
                status => format!("the run{of} ended with {status}"),
            }
        }
        Body::ArtifactAdded(artifact) => match artifact.kind.as_str() {
            "log" => format!("the log of the run is kept ({} bytes)", artifact.bytes),
            _ => format!("the run left {} ({} bytes)", artifact.path, artifact.bytes),
        },
        Body::UsageRecorded(used) => {
            format!("a run of {} ({}) ended with {}", used.engine, used.kind, used.status)
        }
        body => body.kind().to_owned(),
    };
    let more = events.len() - 1;
    with_more(text::clip(&text::one_line(&said), 100), more)
}

/// Returns the sentence for what was pushed to `ledger`.
pub fn pushed(ledger: &Ledger<'_>) -> String {
    let is_undo = |event: &&Event| matches!(event.body, Body::Undo { .. });
    match ledger.new_events().iter().rfind(is_undo) {
        Some(event) => line_among(event, &|id| ledger.events().iter().find(|event| event.id == id)),
        None => sentence(ledger.new_events(), ledger.protocol()),
    }
}

/// Returns the sentence for one event by itself, as a log shows it.
pub fn line(event: &Event) -> String {
    let (subject, to, reason) = match &event.body {
        Body::Planned { .. } => ("protocol".to_owned(), ProtocolStatus::Planned.as_str(), None),
        Body::Step(change) => {
            let id = event.step.as_ref().map(ToString::to_string).unwrap_or_default();
            // Where an unblocked step goes on depends on its history.
            let to = step_target(change.to).map_or("unblocked", StepStatus::as_str);
            (format!("step {id}"), to, change.reason.as_ref())
        }
        Body::NoteAdded { text } => {
            let about = event.step.as_ref().map(|step| format!(" on step {step}")).unwrap_or_default();
            return format!("note{about}: {}", text::clip(&text::one_line(text), 100));
        }
        _ => return sentence(std::slice::from_ref(event), None),
    };
    let from = event.from.as_deref().map(|from| format!("{from} -> ")).unwrap_or_default();
    let because = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    text::clip(&text::one_line(&format!("{subject}: {from}{to}{because}")), 100)
}

/// Returns the sentence for one event, with what it takes or brings back.
pub fn line_among<'a>(event: &'a Event, find: &dyn Fn(Ulid) -> Option<&'a Event>) -> String {
    const MAX_DEPTH: usize = 32;
    let mut named = vec![event];
    for depth in 0..MAX_DEPTH {
        let is_undo = |event: &&&Event| matches!(event.body, Body::Undo { .. });
        let Some(Event { body: Body::Undo { targets }, .. }) = named.iter().find(is_undo) else {
            let Some(first) = most_telling(&named).filter(|_| depth > 0) else { break };
            let verb = if depth % 2 == 1 { "undo" } else { "redo" };
            return with_more(text::clip(&format!("{verb}: {}", line(first)), 100), named.len() - 1);
        };
        named = targets.iter().filter_map(|id| find(*id)).collect();
    }
    line(event)
}

/// Returns the sentence for what a command recorded.
pub fn command<'a>(events: &[&'a Event], find: &dyn Fn(Ulid) -> Option<&'a Event>) -> String {
    let asked: Vec<&Event> = events.iter().copied().filter(|event| event.cause.is_none()).collect();
    let of = if asked.is_empty() { events } else { &asked };
    let Some(event) = most_telling(of) else { return "nothing new".to_owned() };
    with_more(line_among(event, find), events.len() - 1)
}

fn most_telling<'a>(events: &[&'a Event]) -> Option<&'a Event> {
    events.iter().copied().max_by_key(|event| weight(&event.body))
}

fn with_more(said: String, more: usize) -> String {
    if more > 0 { format!("{said} (and {more} more)") } else { said }
}

/// Returns in full what a policy decided, or why it decided nothing; empty for any other event.
pub fn followed(event: &Event) -> String {
    let of = event.step.as_ref().map(|id| format!("step {id}: ")).unwrap_or_default();
    let said = match &event.body {
        Body::PolicyLooped(looped) => format!("{of}{}", looped.reason),
        Body::PolicyTriggered(called) => format!("call step {}: {}", called.target, called.reason),
        Body::PolicyNoted(noted) => format!("{of}no {}: {}", noted.policy, noted.reason),
        _ => String::new(),
    };
    text::one_line(&said)
}

fn verdict_sentence(verdict: &Verdict) -> String {
    let of = verdict.step.as_ref().map(|step| format!(" of step {step}")).unwrap_or_default();
    let dirty = if verdict.dirty { ", with what is not committed" } else { "" };
    let mut failed: Vec<&str> =
        verdict.gates.iter().filter(|gate| gate.exit != Some(0)).map(|gate| gate.name.as_str()).collect();
    if verdict.review.as_ref().is_some_and(|review| review.result != "pass") {
        failed.push("review");
    }
    let which = if failed.is_empty() { String::new() } else { format!(" ({})", failed.join(", ")) };
    format!("QA{of}: {}{which}{dirty}", verdict.result.replace('_', " "))
}

fn because(reason: Option<&String>) -> String {
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}

fn weight(body: &Body) -> u8 {
    match body {
        Body::Created(_) | Body::Undo { .. } => 9,
        Body::MergeDetected(_)
        | Body::Renumbered { .. }
        | Body::Moved(_)
        | Body::Redacted(_)
        | Body::SpecRedacted(_)
        | Body::PolicyLooped(_)
        | Body::PolicyTriggered(_) => 8,
        Body::Step(change) => match change.to {
            StepMove::Completed | StepMove::Approved => 7,
            _ => 6,
        },
        Body::Protocol { to, .. } => match to {
            ProtocolMove::Started => 2,
            _ => 8,
        },
        Body::NoteAdded { .. } => 5,
        Body::CommitSeen(_) => 4,
        _ => 3,
    }
}

fn step_sentence(event: &Event, events: &[Event], protocol: Option<&Protocol>) -> String {
    let Some(id) = &event.step else { return event.body.kind().to_owned() };
    let of_step = |event: &&Event| matches!(event.body, Body::Step(_)) && event.step.as_ref() == Some(id);
    let from = events.iter().find(of_step).and_then(|event| event.from.as_deref()).unwrap_or("?");
    let now = protocol.and_then(|protocol| protocol.step(id)).map_or("?", |step| step.recorded.as_str());
    let because = match &event.body {
        Body::Step(change) => change.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default(),
        _ => String::new(),
    };
    format!("step {id}: {from} -> {now}{because}")
}

fn step_target(to: StepMove) -> Option<StepStatus> {
    match to {
        StepMove::Started | StepMove::Retried => Some(StepStatus::Running),
        StepMove::Submitted => Some(StepStatus::NeedsQa),
        StepMove::Blocked => Some(StepStatus::Blocked),
        StepMove::Unblocked => None,
        StepMove::Skipped => Some(StepStatus::Cancelled),
        StepMove::Failed => Some(StepStatus::Failed),
        StepMove::Completed | StepMove::Approved => Some(StepStatus::Completed),
    }
}

fn protocol_target(to: ProtocolMove) -> ProtocolStatus {
    match to {
        ProtocolMove::Planned => ProtocolStatus::Planned,
        ProtocolMove::Started | ProtocolMove::Resumed | ProtocolMove::Unblocked | ProtocolMove::Reopened => {
            ProtocolStatus::Running
        }
        ProtocolMove::Paused => ProtocolStatus::Paused,
        ProtocolMove::Blocked => ProtocolStatus::Blocked,
        ProtocolMove::Cancelled => ProtocolStatus::Cancelled,
        ProtocolMove::Completed => ProtocolStatus::Completed,
    }
}

/// Returns a ref's name without its first two parts, where it has them.
pub fn short_ref(name: &str) -> &str {
    name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/remotes/")).unwrap_or(name)
}
