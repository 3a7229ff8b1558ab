//! What a reviewer says about a step, and what follows from it.

use super::id::Ulid;
use super::status::status;

status! {
    /// How much a finding weighs.
    Severity {
        /// The step cannot be completed with it.
        Blocking = "blocking",
        Warning = "warning",
        Note = "note",
    }
}

/// One thing that a reviewer found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// Where, within the repository.
    pub path: Option<String>,
    pub line: Option<u64>,
    pub message: String,
}

/// What an engine said about a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    pub run: Ulid,
    pub engine: String,
    pub model: Option<String>,
    /// What it said itself: `pass`, `fail`, or `none` if it said neither, which is worth a `fail`.
    pub said: String,
    /// What counts: `pass` or `fail`.
    pub result: String,
    /// Why that is not what it said.
    pub downgraded: Option<String>,
    /// Whether the findings came in a form that we asked for, rather than being read out of text.
    pub structured: bool,
    pub findings: Vec<Finding>,
}
