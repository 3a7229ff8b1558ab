//! `doctor`: what is not as it should be in this clone, and what to do about it.

mod archive;
mod beside;
mod hooks;
mod left;
mod setup;
mod streams;
mod worktrees;

use super::context::Context;
use super::error::Error;
use crate::platform::fs;

pub use hooks::{Answer, answers};

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something does not work.
    Error,
    /// Something will not work, or only by hand.
    Warning,
    /// Worth knowing; nothing is wrong.
    Info,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its part before the dot says what it is about.
    pub code: &'static str,
    pub severity: Severity,
    pub message: String,
    /// The next thing to type, if there is one.
    pub fix: Option<String>,
    pub fixed: bool,
}

impl Finding {
    /// Whether something is wrong and still is.
    pub fn is_open(&self) -> bool {
        self.severity != Severity::Info && !self.fixed
    }
}

/// What to type for everything that is mended here.
const FIX: &str = "git godzilla doctor --fix";

/// Returns what was found, by subject.
///
/// With `fix` what is safe to mend is mended: nothing is removed that holds anything, and nothing that
/// is not ours. A repository that cannot be written is only looked at. With `probe` hooks of others are
/// run as well, in a repository that is thrown away.
///
/// # Errors
///
/// [`Error`] if the repository cannot be read at all.
pub fn doctor(ctx: &Context, fix: bool, probe: bool) -> Result<Vec<Finding>, Error> {
    let state = ctx.repo.state_dir();
    let may_write =
        fix && fs::is_writable(ctx.repo.common_dir()) && (!state.exists() || fs::is_writable(&state));
    let mut checkup = Checkup { ctx, may_write, findings: Vec::new() };
    if fix && !may_write {
        checkup.say(
            "repository.read_only",
            Severity::Info,
            "it cannot be written, so nothing is mended",
            None,
        );
    }
    checkup.setup(probe)?;
    checkup.left();
    checkup.streams();
    checkup.findings.sort_by_key(|finding| subject(finding.code));
    Ok(checkup.findings)
}

/// Returns what a code is about.
pub fn subject(code: &str) -> &str {
    code.split('.').next().unwrap_or(code)
}

struct Checkup<'a> {
    ctx: &'a Context,
    may_write: bool,
    findings: Vec<Finding>,
}

impl Checkup<'_> {
    /// Adds a finding that only the user can do something about.
    fn say(
        &mut self,
        code: &'static str,
        severity: Severity,
        message: impl Into<String>,
        fix: Option<String>,
    ) {
        self.findings.push(Finding { code, severity, message: message.into(), fix, fixed: false });
    }

    /// Adds a warning about what `mend` puts right, and lets it if that is wanted.
    fn mend(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        mend: impl FnOnce() -> Result<(), Error>,
    ) {
        let (mut message, mut fixed) = (message.into(), false);
        if self.may_write {
            match mend() {
                Ok(()) => fixed = true,
                Err(err) => message = format!("{message}; mending it failed: {}", super::error_chain(&err)),
            }
        }
        let fix = Some(FIX.to_owned());
        self.findings.push(Finding { code, severity: Severity::Warning, message, fix, fixed });
    }
}
