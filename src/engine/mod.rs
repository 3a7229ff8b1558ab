//! Engines: who plans, does and checks the steps.
//!
//! An engine turns a [`Request`] into an [`Outcome`] and tells its [`Progress`] while it runs. What is an
//! engine's own way to be called, to answer, to fail and to count is in its file and nowhere else; what
//! all have in common (limits, logs, what changed, budgets, records) is not in here.

pub mod answer;
pub mod claude;
mod cli;
pub mod codex;
pub mod command;
pub mod environment;
pub mod gemini;
pub mod http;
pub mod opencode;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::domain::id::Ulid;
use crate::domain::run::{RunKind, RunStatus, Usage};

/// What an engine may do in the worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Look.
    Read,
    /// Change files. It never commits: we do.
    Write,
}

impl Access {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// What a run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub wall: Duration,
    /// How long it may say nothing.
    pub idle: Duration,
    /// How much of an answer is kept, in bytes.
    pub output_bytes: usize,
}

/// What is asked of an engine.
#[derive(Clone, Debug)]
pub struct Request {
    pub kind: RunKind,
    pub run: Ulid,
    /// Names, where the run belongs to one.
    pub protocol: Option<String>,
    pub step: Option<String>,
    pub prompt: String,
    pub model: Option<String>,
    pub effort: Option<String>,
    pub worktree: PathBuf,
    pub access: Access,
    /// The answer is JSON of this schema. The engine passes it on where it can and puts it into the
    /// prompt where it cannot; whoever asked checks the answer.
    pub output_schema: Option<Value>,
    /// A conversation of this engine to go on with.
    pub session: Option<String>,
    /// What the conversation had used before, for engines that count on.
    pub session_usage: Usage,
    pub limits: Limits,
    /// A folder of this run alone that nobody else reads; it is removed when the run is over.
    pub scratch: PathBuf,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub status: RunStatus,
    /// When it may be tried again, for [`RunStatus::RateLimited`] and [`RunStatus::Quota`], if the
    /// engine said so; milliseconds since 1970.
    pub until_ms: Option<u64>,
    /// The last words of the engine, or why there are none.
    pub text: String,
    /// The answer, if a schema was asked for and the answer is JSON; it was not checked.
    pub json: Option<Value>,
    pub usage: Usage,
    pub session: Option<String>,
    /// The exit code of a program that ended by itself.
    pub exit: Option<i32>,
}

impl Outcome {
    /// Returns an outcome without an answer.
    pub fn without_answer(status: RunStatus, text: impl Into<String>) -> Self {
        Self {
            status,
            until_ms: None,
            text: text.into(),
            json: None,
            usage: Usage::default(),
            session: None,
            exit: None,
        }
    }
}

/// What an engine tells while it runs.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// Its conversation has begun; to go on with it after a crash.
    Session(&'a str),
    /// A piece of what it says.
    Says(&'a str),
    /// It uses a tool, such as `shell` with a command, or `edit` with a path.
    Uses { tool: &'a str, detail: &'a str },
    /// It tries again, or says something about itself.
    Notice(&'a str),
    /// What it has used so far in this run.
    Used(Usage),
    /// Bytes for the log, as they came.
    Log(&'a [u8]),
}

/// What an engine can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a property of its own")]
pub struct Capabilities {
    /// It changes files in a worktree.
    pub writes: bool,
    /// It answers with JSON of a schema: by its own means, or asked to in the prompt.
    pub json: bool,
    /// It passes a schema on to the model.
    pub schema: bool,
    /// It goes on with a conversation.
    pub resumes: bool,
    /// It says what it used.
    pub usage: bool,
}

/// Whether an engine could run now, without asking a model anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// As it says it; `None` if it is not there.
    pub version: Option<String>,
    pub login: Login,
    /// What to do about what is missing.
    pub hint: Option<String>,
}

impl Check {
    /// Whether a run could begin: it is there, and nothing is known to be missing.
    pub fn is_usable(&self) -> bool {
        self.version.is_some() && self.login != Login::Missing
    }
}

/// Whether an engine has what its service asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    Ready,
    Missing,
    /// It cannot be known without a request.
    Unknown,
    NotNeeded,
}

impl Login {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::NotNeeded => "not-needed",
        }
    }
}

/// How one engine is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// What the user calls it.
    pub name: String,
    /// The program and its first arguments, if it is not the usual one.
    pub argv: Vec<String>,
    pub base_url: Option<String>,
    /// `responses`, `chat` or `messages`.
    pub api: Option<String>,
    /// The variable that holds its key.
    pub key_env: Option<String>,
    /// Variables that it gets beside the usual ones.
    pub pass_env: Vec<String>,
}

/// One engine.
pub trait Engine {
    /// Returns what it can.
    fn capabilities(&self) -> Capabilities;

    /// Looks whether it could run; asks no model anything, and takes at most a few seconds.
    fn check(&self, dir: &Path) -> Check;

    /// Returns what keeps it from being started at all, as far as that is known without starting anything.
    fn missing(&self) -> Option<String>;

    /// Runs it to its end, or to the limits. What went wrong is an [`Outcome`] and no error: the run
    /// took place, and may have changed files.
    fn run(&self, request: &Request, tell: &mut dyn FnMut(Progress<'_>)) -> Outcome;
}

/// The names of the engines that a setup may be of.
pub const KINDS: &[&str] = &["codex", "claude", "opencode", "gemini", "http", "command"];

/// Names that stand for no program: people, and the planner without a model.
pub const WITHOUT_MODEL: &[&str] = &["human", "outline"];

/// Returns the engine of a kind; `None` for a kind that is none of [`KINDS`].
pub fn of_kind(kind: &str, setup: Setup) -> Option<Box<dyn Engine>> {
    Some(match kind {
        "codex" => Box::new(codex::Codex::of(setup)),
        "claude" => Box::new(claude::Claude::of(setup)),
        "opencode" => Box::new(opencode::Opencode::of(setup)),
        "gemini" => Box::new(gemini::Gemini::of(setup)),
        "http" => Box::new(http::Http::of(setup)),
        "command" => Box::new(command::Program::of(setup)),
        _ => return None,
    })
}
