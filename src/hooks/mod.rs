//! Git's hooks: arguments and stdin in, one service, an exit code out.
//!
//! A hook of ours never fails the user's command, but for commit-msg and pre-push where strict mode
//! or safety demands it. It runs no engine, asks nothing, and is quiet unless it has news.

mod commit;
mod merge;
mod push;
mod receive;
pub mod stdin;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::domain::id::Name;
use crate::platform::git::{self, Repo};
use crate::platform::{env, hook_files, server_hooks};
use crate::service::context::Context;
use crate::service::once::{self, Way};
use crate::service::settings::Settings;
use crate::service::{error_chain, guard};

/// What a hook answers.
enum Answer {
    Go,
    /// Stop the user's command, for these reasons.
    Stop(Vec<String>),
}

type HookResult = Result<Answer, Box<dyn std::error::Error>>;

/// Returns the hook that a program's name stands for: earlier versions installed links to this program.
/// Hook managers keep earlier hooks with a suffix and call them by that name.
pub fn event_of(program: &Path) -> Option<&'static str> {
    let name = program.file_name()?.to_str()?;
    let name = name.strip_suffix(".legacy").or_else(|| name.strip_suffix(".old")).unwrap_or(name);
    hook_files::EVENTS.iter().find(|event| **event == name).copied()
}

/// Runs the hook `event` and returns its exit code.
///
/// What git gave it follows `--`; before that may stand `--via` and by which way git came.
pub fn run(event: &str, args: &[OsString]) -> ExitCode {
    let (way, args) = match args {
        [via, way, rest @ ..] if via == "--via" => (Way::parse(&way.to_string_lossy()), rest),
        _ => (Way::Other, args),
    };
    let args = args.strip_prefix(&[OsString::from("--")]).unwrap_or(args);
    if let Some(answer) = git::answer_probe(event) {
        say(&answer);
        return ExitCode::SUCCESS;
    }
    // A push over a path hands the pusher's environment on to the server.
    let is_off = !is_of_server(event) && env::hooks_are_off();
    if is_off || !concerns_us(event, args) {
        return ExitCode::SUCCESS;
    }
    // Whatever happens in here, the user's command goes on.
    let result = std::panic::catch_unwind(|| dispatch(event, way, args));
    match result {
        // What nobody could look at is not let in.
        Err(_) if event == "pre-receive" => ExitCode::FAILURE,
        // Who panicked has said so; the next command makes up for it.
        Ok(Ok(Answer::Go)) | Err(_) => ExitCode::SUCCESS,
        Ok(Ok(Answer::Stop(reasons))) => {
            for reason in reasons {
                say(&reason);
            }
            ExitCode::FAILURE
        }
        Ok(Err(err)) => {
            say(&format!(
                "{event}: {} (the next command of git godzilla makes up for it)",
                error_chain(err.as_ref())
            ));
            ExitCode::SUCCESS
        }
    }
}

fn dispatch(event: &str, way: Way, args: &[OsString]) -> HookResult {
    let mut repo = Repo::discover(Path::new("."))?;
    if once::was_here(&repo, event, way) {
        return Ok(Answer::Go);
    }
    match guard::settle(&repo) {
        Ok(told) if told.is_empty() => (),
        Ok(told) => {
            for line in told {
                say(&line);
            }
            repo = Repo::discover(Path::new("."))?;
        }
        Err(err) => say(&error_chain(&err)),
    }
    let settings = Settings::load(&repo);
    let ctx = Context::of_hook(repo, settings);
    match event {
        "prepare-commit-msg" => commit::prepare_commit_msg(&ctx, args),
        "commit-msg" => commit::commit_msg(&ctx, args),
        "post-commit" => commit::post_commit(&ctx),
        "post-rewrite" => commit::post_rewrite(&ctx, args),
        "pre-push" => push::pre_push(&ctx, args),
        "post-merge" => merge::post_merge(&ctx, args),
        "post-checkout" => merge::post_checkout(&ctx, args),
        "pre-receive" => receive::pre_receive(&ctx),
        "post-receive" => receive::post_receive(&ctx),
        _ => Ok(Answer::Go),
    }
}

fn is_of_server(event: &str) -> bool {
    server_hooks::EVENTS.contains(&event)
}

/// Whether there is anything to do, by looking at `HEAD` alone: most commits are on other branches.
fn concerns_us(event: &str, args: &[OsString]) -> bool {
    match event {
        "prepare-commit-msg" | "commit-msg" | "post-commit" | "post-rewrite" => head_may_be_ours(),
        "post-checkout" => args.get(2).is_some_and(|flag| flag == "1"),
        _ => true,
    }
}

/// Reads `HEAD` as a file. What cannot be told this way is left to git's own rules.
fn head_may_be_ours() -> bool {
    let dot_git = Path::new(".git");
    let git_dir = if let Some(dir) = env::var_os("GIT_DIR") {
        dir.into()
    } else if let Ok(link) = std::fs::read_to_string(dot_git) {
        let Some(dir) = link.trim().strip_prefix("gitdir: ") else { return true };
        dir.into()
    } else {
        dot_git.to_owned()
    };
    let Ok(head) = std::fs::read_to_string(git_dir.join("HEAD")) else { return true };
    match head.trim().strip_prefix("ref: refs/heads/") {
        Some(branch) => branch.parse::<Name>().is_ok(),
        None => true,
    }
}

/// Hooks speak on stderr: stdout of pre-push is that of `git push`.
#[expect(clippy::print_stderr, reason = "a hook has no other place to speak")]
fn say(line: &str) {
    eprintln!("git-godzilla: {}", crate::domain::text::one_line(line));
}
