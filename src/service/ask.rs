//! Asking an engine: the one way from here to a model.
//!
//! Whoever asks says what for and gets the outcome. In between lie, for every kind of run alike: which
//! engine it is and who agreed to it, the budget, the record of the run's beginning and end, its log
//! without secrets, and the engines to fall back on.

use std::path::Path;

use serde_json::Value;

use super::context::Context;
use super::error::Error;
use crate::domain::event::Draft;
use crate::domain::id::{Name, StepId, Ulid};
use crate::domain::run::{RunKind, Usage};
use crate::engine::{Access, Outcome, Progress};

/// A prompt, and what it was made from.
#[derive(Clone, Debug)]
pub struct Prompt {
    pub text: String,
    /// The name of the template and the beginning of its SHA-256, as in `review@3f2a9c01b7de`.
    pub template: Option<String>,
}

/// Who is wished for, the one before the other: on the command line, by the plan; else the phase's.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// By `--engine` and `--model`: who types this agrees to it.
    pub engine: Option<String>,
    pub model: Option<String>,
    /// By the plan: only if this clone knows the engine.
    pub planned_engine: Option<String>,
    pub planned_model: Option<String>,
    pub planned_timeout_seconds: Option<u64>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    pub kind: RunKind,
    /// Whom the run belongs to; `None` before there is a protocol.
    pub of: Option<(&'a Name, Option<&'a StepId>)>,
    pub prompt: &'a Prompt,
    /// What the answer must be; it is checked, and an answer that is something else is `schema`.
    pub schema: Option<Value>,
    pub access: Access,
    pub dir: &'a Path,
    pub wish: &'a Wish,
    /// A conversation to go on with: the engine that it is with, its name, and what it has used.
    pub session: Option<Session>,
}

/// A conversation that an engine can go on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub engine: String,
    pub id: String,
    pub used: Usage,
}

/// What came of it.
#[derive(Debug)]
pub struct Asked {
    pub run: Ulid,
    pub engine: String,
    pub model: Option<String>,
    pub outcome: Outcome,
    /// The facts of the run, where there is no protocol yet that they could be recorded in.
    pub unrecorded: Vec<Draft>,
}

impl Asked {
    /// Returns the conversation, to go on with it.
    pub fn session(&self) -> Option<Session> {
        let id = self.outcome.session.clone()?;
        Some(Session { engine: self.engine.clone(), id, used: self.outcome.usage })
    }
}

/// Tells what happens meanwhile.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// A run begins, with this engine and this model.
    Begins {
        run: Ulid,
        engine: &'a str,
        model: Option<&'a str>,
    },
    Progress(Progress<'a>),
    /// It could not, and the next one is tried, or the same one after a while.
    Next {
        why: &'a str,
        engine: &'a str,
    },
}

/// Asks an engine. When this returns, the run and what it used are recorded, if it belongs to a protocol.
///
/// # Errors
///
/// [`Error`] if nothing was asked: no engine is set, nobody agreed to it, or a budget is used up. What an
/// engine could not do is an [`Outcome`].
pub fn ask(_ctx: &Context, _ask: &Ask<'_>, _tell: &mut dyn FnMut(Told<'_>)) -> Result<Asked, Error> {
    Err(Error::state("engine.missing", "no engine can be asked yet", "do the step by hand"))
}
