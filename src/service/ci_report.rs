//! Reporting how a CI job ended, from wherever the job runs.
//!
//! A report is one event, bound to a commit. It leaves as an orphan commit in a ref of its own, so
//! it never races and needs no history, no `init`, no identity and no fetch: one connection. What
//! the environment of the job tells is a guess that every option overrides.

mod delivery;
mod facts;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use self::delivery::Way;
use self::facts::Facts;
use super::settings::Settings;
use crate::ci::{self, Source};
pub use crate::domain::ci::JobResult;
use crate::domain::id::{Name, Oid, Ulid};
use crate::platform::fs::{self, Bounded};
use crate::platform::git::{self, Repo, TransportError};
use crate::platform::{env, foreground, process};

/// What the user says; an empty text says nothing. What is left out is read from the environment of
/// the job and from the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub result: Option<JobResult>,
    pub job: Option<String>,
    /// The full id of any commit, or any name of one that is here.
    pub sha: Option<String>,
    pub branch: Option<String>,
    /// The full name, or the number if something here tells the name.
    pub protocol: Option<String>,
    pub url: Option<String>,
    pub provider: Option<String>,
    pub workflow: Option<String>,
    pub run: Option<u64>,
    pub attempt: Option<u64>,
    /// Leaves the report in this file instead of sending it.
    pub output: Option<PathBuf>,
    /// A name or an address.
    pub remote: Option<String>,
}

/// What was reported, and where it went.
#[derive(Debug)]
pub struct Reported {
    pub id: Ulid,
    /// `None` if nothing here could tell.
    pub protocol: Option<Name>,
    pub branch: Option<Arc<str>>,
    pub commit: Oid,
    pub provider: Arc<str>,
    /// Empty where the provider has none.
    pub workflow: Arc<str>,
    pub job: Arc<str>,
    /// The time of the report in milliseconds since 1970 where the provider has no number, so that
    /// of two reports the later one counts.
    pub run: u64,
    pub attempt: u64,
    pub result: JobResult,
    pub url: Option<String>,
    /// The ref at the remote; `None` if it was not pushed.
    pub ref_name: Option<String>,
    pub delivered: Delivered,
    /// The remote that took it, without a password.
    pub remote: Option<String>,
}

/// Where a report went.
#[derive(Debug)]
pub enum Delivered {
    /// A ref of the remote holds it.
    Pushed,
    /// This file holds it.
    File(PathBuf),
    /// Nobody but the caller knows of it.
    NotShared { reason: TransportError },
}

/// A program whose end is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments; no shell sees them.
    pub argv: Vec<OsString>,
    /// For callers whose own output is all that may be on standard output.
    pub stdout_to_stderr: bool,
}

/// How a program ended, and what came of the report.
#[derive(Debug)]
pub struct Ran {
    /// As a shell tells it: 127 if there is no such program, 126 if it cannot be started.
    pub exit_code: i32,
    /// Why it could not be started.
    pub start_error: Option<io::Error>,
    pub reported: Result<Reported, Error>,
}

/// Why there is no report. Nothing left the machine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither the user nor the environment says how the job ended.
    #[error("how did the job end? no status was given")]
    NoStatus {
        provider: &'static str,
        /// The environment has a status, but it may change before the job ends.
        so_far: bool,
    },
    /// The environment does not tell, or `HEAD` is not what it speaks of.
    #[error("it is not known which commit the job ran on")]
    NoCommit { provider: &'static str },
    #[error("`{text}` is no commit that is known here")]
    UnknownCommit { text: String },
    #[error("`{text}` is not a valid {what}")]
    Invalid { what: &'static str, text: String },
    /// Nothing here has the number, or several protocols have it.
    #[error("{}", number_message(*number, candidates))]
    Number { number: u64, candidates: Vec<Name> },
    /// The remotes of which none stands out; perhaps there is none at all.
    #[error("{}", if remotes.is_empty() { "there is no remote" } else { "there are several remotes" })]
    NoRemote { remotes: Vec<String> },
    #[error("`{}` is no file of reports", path.display())]
    WouldReplace { path: PathBuf },
    #[error("failed to write `{}`", path.display())]
    Output { path: PathBuf, source: io::Error },
    #[error("no command was given")]
    NoCommand,
    #[error(transparent)]
    Git(#[from] git::Error),
}

/// Returns the result that `word` stands for, in the words of many CI systems: `${{ job.status }}` of
/// GitHub and `CI_JOB_STATUS` of GitLab can be given as they are. `None` for words that say
/// nothing about the code, such as `skipped`.
pub fn parse_result(word: &str) -> Option<JobResult> {
    ci::parse_result(word)
}

/// Reports how a job ended. When this returns [`Delivered::Pushed`], the remote has it.
///
/// A remote that cannot be reached or refuses is no error, because it says nothing about the job.
///
/// # Errors
///
/// [`Error`] if it is not known what to report or where to; nothing was sent.
pub fn report(repo: &Repo, settings: &Settings, request: Request) -> Result<Reported, Error> {
    let facts = facts::gather(repo, &request, &Environment)?;
    let way = Way::find(repo, &facts, request.output, request.remote.as_deref())?;
    let result = match request.result.filter(|result| *result != JobResult::None) {
        Some(result) => result,
        None => facts.result()?,
    };
    delivery::deliver(repo, settings, facts, result, way)
}

/// Runs a program with our standard streams and reports how it ended: a failure if its exit code
/// is not 0 or a signal ended it, cancelled if somebody asked it to stop.
///
/// What to report is found out before the program starts, since it may move `HEAD`. The status of
/// `request` is not read.
///
/// # Errors
///
/// [`Error`] if it is not known what to report or where to; then the program was not started. An
/// error after its end is in [`Ran::reported`].
pub fn run_and_report(
    repo: &Repo,
    settings: &Settings,
    request: Request,
    command: &Command,
) -> Result<Ran, Error> {
    let facts = facts::gather(repo, &request, &Environment)?;
    let way = Way::find(repo, &facts, request.output, request.remote.as_deref())?;
    let (program, args) = command.argv.split_first().ok_or(Error::NoCommand)?;
    let mut child = process::command(program);
    child.args(args);
    if command.stdout_to_stderr {
        child.stdout(Stdio::from(io::stderr()));
    }
    let (exit_code, result, start_error) = match foreground::run(&mut child) {
        Ok(ended) if ended.interrupted => (ended.exit_code, JobResult::Cancelled, None),
        Ok(ended) if ended.exit_code == 0 => (0, JobResult::Success, None),
        Ok(ended) => (ended.exit_code, JobResult::Failure, None),
        Err(err) if err.kind() == io::ErrorKind::NotFound => (127, JobResult::Failure, Some(err)),
        Err(err) => (126, JobResult::Failure, Some(err)),
    };
    let reported = delivery::deliver(repo, settings, facts, result, way);
    Ok(Ran { exit_code, start_error, reported })
}

/// The environment of this process.
struct Environment;

impl Source for Environment {
    fn var(&self, name: &str) -> Option<String> {
        env::var(name)
    }

    fn read(&self, path: &str) -> Option<String> {
        const MAX_BYTES: u64 = 5 * 1024 * 1024;
        match fs::read_bounded(path.as_ref(), MAX_BYTES) {
            Ok(Bounded::Bytes(bytes)) => String::from_utf8(bytes).ok(),
            _ => None,
        }
    }
}

impl Facts {
    /// Returns what the environment says about the end of the job.
    fn result(&self) -> Result<JobResult, Error> {
        let so_far = self.detected.provider.result_is_so_far() && self.detected.result.is_some();
        let provider = self.detected.provider.as_str();
        self.detected.result.filter(|_| !so_far).ok_or(Error::NoStatus { provider, so_far })
    }
}

fn number_message(number: u64, candidates: &[Name]) -> String {
    if candidates.is_empty() {
        format!("nothing here tells which protocol has the number {number}")
    } else {
        format!("several protocols have the number {number}")
    }
}
