//! `git godzilla undo` and `git godzilla redo`.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::ui::{GREEN, Ui, counted, status_look, styled};
use crate::service::undo::{self, Done, InStream, Way, Work};

/// How many decisions are listed one by one.
const MAX_LISTED: usize = 10;

/// Take back what the last command of this clone decided; once more, the one before
///
/// What a command decided, in all protocols, no longer counts; facts stay: commits, CI reports, notes.
/// Automation does not do again what was taken back. It is refused while others rest on it. To take back a
/// plan cancels the protocol; its branch and worktree can be restored for 30 days.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct UndoArgs {
    /// The beginning of a command's id, from `log --op`; may be one of another clone
    op: Option<String>,

    /// Show what would be taken back
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// Bring back what the last undo of this clone took back
///
/// Every undo in effect of the same command is taken back, also that of another clone.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct RedoArgs {
    /// The beginning of the id of the command that was undone, or of its undo
    op: Option<String>,

    /// Show what would be brought back
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(in crate::cli) fn undo(ui: &mut Ui, args: &UndoArgs) -> Result<ExitCode, CliError> {
    run(ui, Way::Undo, args.op.as_deref(), args.dry_run)
}

pub(in crate::cli) fn redo(ui: &mut Ui, args: &RedoArgs) -> Result<ExitCode, CliError> {
    run(ui, Way::Redo, args.op.as_deref(), args.dry_run)
}

fn run(ui: &mut Ui, way: Way, op: Option<&str>, dry_run: bool) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let done = undo::undo(&ctx, way, op, dry_run)?;
    let said = match (way, dry_run) {
        (Way::Undo, false) => "took back",
        (Way::Undo, true) => "would take back",
        (Way::Redo, false) => "brought back",
        (Way::Redo, true) => "would bring back",
    };
    // An undo or a redo that is taken back is named as such.
    let verb = ["undo: ", "redo: "].into_iter().find(|verb| done.of.command.starts_with(verb));
    let message = format!("{said} {}{}", verb.filter(|_| way == Way::Undo).unwrap_or_default(), done.what);
    if ui.json {
        ui.json(&answer(way, &done, dry_run, &message))?;
        return Ok(ExitCode::SUCCESS);
    }
    let glyph = styled(GREEN, if dry_run { "→" } else { "✓" });
    match done.decisions.as_slice() {
        [] | [_] => ui.line(format!("{glyph} {message}"))?,
        several => {
            let of = verb
                .filter(|_| way == Way::Undo)
                .map(|verb| format!("the {} of ", verb.trim_end_matches(": ")));
            let of = of.unwrap_or_default();
            ui.line(format!("{glyph} {said} {of}{}:", counted(several.len(), "decision")))?;
            for decision in listed(several) {
                ui.line(format!("    {decision}"))?;
            }
        }
    }
    for in_stream in &done.streams {
        for (subject, status) in stands(in_stream) {
            let (glyph, style) = status_look(status);
            ui.line(format!("  {} {subject} is {status}", styled(style, glyph)))?;
        }
    }
    for in_stream in &done.streams {
        if let Some(said) = became(in_stream, dry_run) {
            ui.line(format!("  {said}"))?;
        }
    }
    if way == Way::Undo && !dry_run {
        ui.line("  to have it again: git godzilla redo")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what becomes of branch and worktree, if anything does.
fn became(InStream { name, work, kept, .. }: &InStream, dry_run: bool) -> Option<String> {
    let will = if dry_run { " would" } else { "" };
    match work {
        Work::Stays => None,
        Work::Goes(_) => {
            let held = kept.as_ref().map(|kept| format!(", kept for 30 days as {kept}")).unwrap_or_default();
            Some(format!("its branch and worktree{will} go{held}"))
        }
        Work::Comes(..) => Some(format!("the branch {name} and its worktree{will} come back")),
    }
}

/// One line each, as many as a person reads.
fn listed(decisions: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = decisions.iter().take(MAX_LISTED).cloned().collect();
    if let Some(more @ 1..) = decisions.len().checked_sub(MAX_LISTED) {
        lines.push(format!("and {more} more, as `git godzilla log --all` shows"));
    }
    lines
}

/// Where the steps stand, or the protocol if it is about no step.
fn stands(in_stream: &InStream) -> Vec<(String, &'static str)> {
    let InStream { name, steps, protocol, .. } = in_stream;
    let steps = steps.iter().filter_map(|id| protocol.step(id));
    let stands: Vec<_> = steps.map(|s| (format!("step {name}/{}", s.id), s.shown.as_str())).collect();
    if stands.is_empty() { vec![(format!("protocol {name}"), protocol.shown.as_str())] } else { stands }
}

fn answer(way: Way, done: &Done, dry_run: bool, message: &str) -> Value {
    let protocol = |in_stream: &InStream| {
        let InStream { name, targets, event, steps, protocol, .. } = in_stream;
        let steps = steps.iter().filter_map(|id| protocol.step(id));
        json!({
            "name": name.as_str(),
            "status": protocol.shown.as_str(),
            "steps": steps
                .map(|step| json!({ "id": step.id.as_str(), "status": step.shown.as_str() }))
                .collect::<Vec<_>>(),
            "targets": targets.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "event": event.map(|id| id.to_string()),
        })
    };
    json!({
        "schema": match way {
            Way::Undo => "git-godzilla/undo@1",
            Way::Redo => "git-godzilla/redo@1",
        },
        "of": done.of.id.to_string(),
        "command": done.of.command,
        "op": (!dry_run).then(|| done.op.to_string()),
        "dry_run": dry_run,
        "protocols": done.streams.iter().map(protocol).collect::<Vec<_>>(),
        "message": message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_decisions_is_listed_and_the_rest_counted() {
        let decisions: Vec<String> = (0..12).map(|n| n.to_string()).collect();
        assert_eq!(listed(&decisions[..10]), decisions[..10]);
        let shown = listed(&decisions);
        assert_eq!((shown.len(), shown[10].starts_with("and 2 more,")), (11, true));
    }
}
