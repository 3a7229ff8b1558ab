//! The hooks around a commit.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::Path;

use super::{Answer, HookResult, say, stdin};
use crate::domain::event::Body;
use crate::domain::observe::Held;
use crate::domain::status::StepMove;
use crate::service::context::Context;
use crate::service::on_commit::{self, Done, HookBranch};
use crate::service::on_message::{self, Origin};

/// More pairs than this are left to reconciliation.
const MAX_STDIN: u64 = 8 * 1024 * 1024;

pub(super) fn prepare_commit_msg(ctx: &Context, args: &[OsString]) -> HookResult {
    if let (Some(branch), Some(file)) = (HookBranch::find(ctx)?, args.first()) {
        let arg = |idx: usize| args.get(idx).and_then(|arg| arg.to_str());
        on_message::prepare(ctx, &branch, Path::new(file), Origin { kind: arg(1), commit: arg(2) })?;
    }
    Ok(Answer::Go)
}

pub(super) fn commit_msg(ctx: &Context, args: &[OsString]) -> HookResult {
    let (Some(branch), Some(file)) = (HookBranch::find(ctx)?, args.first()) else { return Ok(Answer::Go) };
    let findings = on_message::check(ctx, &branch, Path::new(file))?;
    if findings.is_empty() {
        return Ok(Answer::Go);
    }
    let mut lines: Vec<String> = findings
        .iter()
        .map(|finding| format!("{} ({}); {}", finding.message, finding.code, finding.remedy))
        .collect();
    if ctx.settings.commit_strict {
        lines.push("the commit was refused, because commit.strict is set".to_owned());
        return Ok(Answer::Stop(lines));
    }
    for (line, finding) in lines.iter().zip(&findings) {
        // What is about to be held is said once the commit is there.
        if !finding.is_held() {
            say(line);
        }
    }
    Ok(Answer::Go)
}

pub(super) fn post_commit(ctx: &Context) -> HookResult {
    if let Some(branch) = HookBranch::find(ctx)? {
        report(&on_commit::committed(ctx, &branch)?);
    }
    Ok(Answer::Go)
}

pub(super) fn post_rewrite(ctx: &Context, args: &[OsString]) -> HookResult {
    let kind = args.first().and_then(|kind| kind.to_str()).unwrap_or("amend").to_owned();
    let mut text = String::new();
    // Bytes that are no text are no pairs.
    drop(std::io::stdin().lock().take(MAX_STDIN).read_to_string(&mut text));
    let pairs = stdin::rewritten(&text);
    if let Some(branch) = HookBranch::find(ctx)? {
        report(&on_commit::rewritten(ctx, &branch, &pairs, &kind)?);
    }
    Ok(Answer::Go)
}

/// One line for each step that moved on, and for each commit that moved nothing.
fn report(done: &Done) {
    if done.spooled {
        say("the stream is busy; the next command records this commit");
    }
    for event in &done.events {
        let (Body::Step(change), Some(step)) = (&event.body, &event.step) else { continue };
        match change.to {
            StepMove::Submitted => say(&format!("step {step} is done and needs QA")),
            StepMove::Completed => {
                let next = done.protocol.as_ref().and_then(|protocol| protocol.current_step());
                let next = next.map_or_else(
                    || "every step is settled".to_owned(),
                    |next| format!("next is {}", next.id),
                );
                say(&format!("step {step} is completed; {next}"));
            }
            _ => (),
        }
    }
    for line in &done.observed.plan {
        say(line);
    }
    for (commit, held) in &done.observed.held {
        let why = match held {
            Held::Paused => "the protocol is paused".to_owned(),
            Held::Blocked(step) => format!("step {step} is blocked"),
            Held::Order { step, waits_for } => format!("step {step} waits for {}", waits_for.join(", ")),
        };
        say(&format!("commit {} is recorded and moves nothing: {why}", commit.short()));
    }
}
