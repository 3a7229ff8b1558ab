//! The hooks around a commit.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::Path;

use super::{Answer, HookResult, say, stdin};
use crate::domain::event::Body;
use crate::domain::observe::Held;
use crate::domain::status::StepMove;
use crate::platform::{env, fs, process};
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

/// Whether git will call commit-msg next, that is us, and nobody sees the message before: then it
/// adds tag and trailer alone. What is not known for certain is not left to it.
pub(super) fn is_left_to_commit_msg(program: &Path, args: &[OsString]) -> bool {
    // Git says by this editor that it will open none.
    env::var("GIT_EDITOR").as_deref() == Some(":")
        && args.get(1).is_some_and(|kind| kind == "message")
        && fs::is_same_file(program, &program.with_file_name("commit-msg"))
        && is_verified_commit(&process::parent())
}

/// Whether this is the command line of a `git commit` that makes a new commit and runs commit-msg.
fn is_verified_commit(args: &[String]) -> bool {
    let Some((program, args)) = args.split_first() else { return false };
    let mut options = args.iter().skip_while(|arg| *arg != "commit").skip(1).peekable();
    let may_differ = |arg: &String| match arg.strip_prefix("--") {
        Some(long) => long.starts_with("no-v") || long.starts_with("am"),
        // A cluster of short options, or a text that looks like one.
        None => arg.starts_with('-') && arg.contains('n'),
    };
    process::is_git(program) && options.peek().is_some() && !options.any(may_differ)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_new_commit_is_left_to_commit_msg() {
        let is = |line: &str| is_verified_commit(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for line in ["git commit -am y", "/usr/bin/git -C x commit -m y", "git commit --message=y -- -x"] {
            assert!(is(line), "{line}");
        }
        for line in [
            "git commit -nm y",
            "git commit -m y --no-verify",
            "git commit --no-ver -m y",
            "git commit --am -m y",
            "git cherry-pick x",
            "git commit",
            "sh commit -m y",
            "",
        ] {
            assert!(!is(line), "{line}");
        }
    }
}
