//! `git godzilla ci-report`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::cli::error::{CliError, Exit};
use crate::cli::ui::{GREEN, Ui, YELLOW, styled};
use crate::service::ci_report::{self, Command, Delivered, Error, Reported, Request};
use crate::service::error_chain;

/// Report how a CI job ended, from within the job
///
/// Needs no `init`, no identity and no history: a shallow, detached checkout will do. What the
/// provider's environment tells (GitHub, GitLab, Forgejo, Gitea and others) need not be said.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  git godzilla ci-report success --job test
  git godzilla ci-report ${{ job.status }}      # GitHub, in a step with `if: always()`
  git godzilla ci-report -- make test           # runs it, and reports how it ended")]
pub(in crate::cli) struct Args {
    /// How it ended: success, failure, running or cancelled
    #[arg(conflicts_with = "command")]
    result: Option<String>,

    /// The job's name; needed where several jobs share one, as the legs of a matrix do
    #[arg(long, value_name = "NAME")]
    job: Option<String>,

    /// The commit it ran on
    #[arg(long, value_name = "COMMIT")]
    sha: Option<String>,

    /// The branch it ran on
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,

    /// The protocol it is about, by name or number
    #[arg(short, long, value_name = "NAME")]
    protocol: Option<String>,

    /// Where people can read about it
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// The CI system
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,

    /// The workflow that the job belongs to
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,

    /// The number of the run; later runs have larger ones
    #[arg(long, value_name = "N")]
    run: Option<u64>,

    /// The number of the attempt; a re-run has a larger one
    #[arg(long, value_name = "N")]
    attempt: Option<u64>,

    /// Write the report to a file instead of sending it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Where to send it: a remote's name or an address
    #[arg(long, value_name = "REMOTE")]
    remote: Option<String>,

    /// Fail if the report could not be sent
    #[arg(long)]
    strict: bool,

    /// Run this command and report how it ended; its exit code is ours
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let result = match &args.result {
        Some(word) => Some(ci_report::parse_result(word).ok_or_else(|| {
            let word = crate::domain::text::one_line(word);
            CliError::new(Exit::Usage, "ci.result", format!("`{word}` is not how a job ends"))
                .hint("say success, failure, running or cancelled")
        })?),
        None => None,
    };
    let request = Request {
        result,
        job: args.job,
        sha: args.sha,
        branch: args.branch,
        protocol: args.protocol,
        url: args.url,
        provider: args.provider,
        workflow: args.workflow,
        run: args.run,
        attempt: args.attempt,
        output: args.output,
        remote: args.remote,
    };
    if args.command.is_empty() {
        let reported = ci_report::report(&ctx.repo, &ctx.settings, request)?;
        print(ui, &reported)?;
        let sent = !matches!(reported.delivered, Delivered::NotShared { .. });
        return Ok(if sent || !args.strict { ExitCode::SUCCESS } else { ExitCode::from(7) });
    }
    let command = Command { argv: args.command, stdout_to_stderr: ui.json };
    let ran = ci_report::run_and_report(&ctx.repo, &ctx.settings, request, &command)?;
    if let Some(err) = &ran.start_error {
        ui.warn(format!("the command could not be started: {err}"));
    }
    let code = u8::try_from(ran.exit_code).unwrap_or(1);
    match ran.reported {
        Ok(reported) => {
            print(ui, &reported)?;
            let sent = !matches!(reported.delivered, Delivered::NotShared { .. });
            Ok(ExitCode::from(if code == 0 && !sent && args.strict { 7 } else { code }))
        }
        Err(err) if args.strict && code == 0 => Err(err.into()),
        Err(err) => {
            ui.warn(format!("not reported: {}", error_chain(&err)));
            Ok(ExitCode::from(code))
        }
    }
}

fn print(ui: &mut Ui, reported: &Reported) -> Result<(), CliError> {
    if ui.json {
        let delivered = match &reported.delivered {
            Delivered::Pushed => "pushed",
            Delivered::File(_) => "file",
            Delivered::NotShared { .. } => "not_shared",
        };
        return ui.json(&json!({
            "schema": "git-godzilla/ci-report@1",
            "id": reported.id.to_string(),
            "protocol": reported.protocol.as_ref().map(ToString::to_string),
            "branch": reported.branch,
            "commit": reported.commit.to_string(),
            "provider": reported.provider,
            "workflow": reported.workflow,
            "job": reported.job,
            "run": reported.run,
            "attempt": reported.attempt,
            "result": reported.result.as_str(),
            "url": reported.url,
            "ref": reported.ref_name,
            "delivered": delivered,
            "remote": reported.remote,
        }));
    }
    let what = format!("{} {} on {}", reported.job, reported.result, reported.commit.short());
    match &reported.delivered {
        Delivered::Pushed => {
            let remote = reported.remote.as_deref().unwrap_or("the remote");
            ui.line(format!("{} reported to {remote}: {what}", styled(GREEN, "✓")))?;
        }
        Delivered::File(path) => {
            ui.line(format!("{} written to {}: {what}", styled(GREEN, "✓"), path.display()))?;
        }
        Delivered::NotShared { reason } => {
            ui.line(format!("{} not reported: {what}", styled(YELLOW, "!")))?;
            ui.note(error_chain(reason));
            ui.note("the job needs to push refs: on GitHub give it `permissions: contents: write`, on GitLab a token");
            ui.note("or keep the report as an artifact with `--output FILE`");
        }
    }
    if reported.protocol.is_none() {
        ui.note(
            "no protocol was found for it; readers will match it by its commit, or say `--protocol NAME`",
        );
    }
    Ok(())
}

impl From<Error> for CliError {
    fn from(err: Error) -> Self {
        let message = error_chain(&err);
        match err {
            Error::NoStatus { provider, so_far } => {
                let hint = match (provider, so_far) {
                    ("github", _) => {
                        "git godzilla ci-report ${{ job.status }}, in a step with `if: always()`"
                    }
                    (_, true) => {
                        "the environment only knows how it went so far: say success, failure or cancelled"
                    }
                    _ => "say success, failure, running or cancelled, or run the job with `-- COMMAND`",
                };
                Self::new(Exit::Usage, "ci.no_status", message).hint(hint)
            }
            Error::NoCommit { .. } => {
                Self::new(Exit::Usage, "ci.no_commit", message).hint("name it with `--sha COMMIT`")
            }
            Error::UnknownCommit { .. } => Self::new(Exit::Unknown, "commit.unknown", message),
            Error::Invalid { .. } | Error::NoCommand => Self::new(Exit::Usage, "usage", message),
            Error::Number { candidates, .. } => {
                let candidates = candidates.iter().map(ToString::to_string).collect();
                Self { candidates, ..Self::new(Exit::Unknown, "protocol.unknown", message) }
                    .hint("name it in full, as in `--protocol 0007-add-login`")
            }
            Error::NoRemote { remotes } => {
                Self { candidates: remotes, ..Self::new(Exit::Usage, "remote.none", message) }
                    .hint("name it with `--remote NAME`, or write a file with `--output FILE`")
            }
            Error::WouldReplace { .. } => Self::new(Exit::Refused, "output.exists", message),
            Error::Output { .. } => Self::new(Exit::Refused, "io", message),
            Error::Git(err) => err.into(),
        }
    }
}
