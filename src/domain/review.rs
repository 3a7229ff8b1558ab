//! What a reviewer says about a step, and what follows from it.

mod text_form;

use super::id::Ulid;
use super::status::status;
use super::text;

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

/// The most findings that a review keeps.
pub const MAX_FINDINGS: usize = 50;

/// The most characters of one finding's message.
const MAX_MESSAGE: usize = 1000;

/// The most bytes of all messages and paths together: with its gates, a verdict is one line of a stream.
const MAX_FINDING_BYTES: usize = 16 * 1024;

/// The longest path that is kept, in characters.
const MAX_PATH: usize = 300;

/// What a reviewer says itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Pass,
    Fail,
    /// Neither, both, or something that cannot be told: worth a `fail`.
    None,
}

impl Word {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::None => "none",
        }
    }
}

/// What was read out of a reviewer's answer. Nothing in it can steer a terminal or leave the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    pub said: Word,
    /// A few lines for people.
    pub summary: String,
    pub findings: Vec<Finding>,
    pub next_actions: Vec<String>,
    pub structured: bool,
}

/// Who was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewer {
    pub run: Ulid,
    pub engine: String,
    pub model: Option<String>,
}

impl Opinion {
    /// Returns the opinion of an answer in the form that we asked for.
    pub fn structured(said: Word, summary: &str, findings: Vec<Finding>, next_actions: &[String]) -> Self {
        Self {
            said,
            summary: summary_of(summary),
            findings: bounded(findings),
            next_actions: actions_of(next_actions.iter().map(String::as_str)),
            structured: true,
        }
    }

    /// Returns the opinion of an answer in Markdown. Findings count by the heading that they stand under,
    /// and the verdict by the last `Verdict:` line, if it says exactly one of PASS and FAIL and no other
    /// such line says the opposite.
    pub fn of_text(answer: &str) -> Self {
        text_form::read(answer)
    }

    /// Returns it with every text as `change` makes it, as without secrets.
    #[must_use]
    pub fn with_texts(mut self, change: impl Fn(&str) -> String) -> Self {
        self.summary = change(&self.summary);
        for finding in &mut self.findings {
            finding.message = change(&finding.message);
            finding.path = finding.path.take().map(|path| change(&path));
        }
        for action in &mut self.next_actions {
            *action = change(action);
        }
        self
    }

    /// Returns what follows from it. It passes only if the reviewer says so and found nothing that
    /// blocks; a fail that is about nothing but files of protocols is a pass, and both are kept.
    pub fn judged(&self, by: Reviewer) -> Review {
        let blocking = || self.findings.iter().filter(|finding| finding.severity == Severity::Blocking);
        let only_protocols = blocking().next().is_some()
            && blocking().all(|finding| finding.path.as_deref().is_some_and(is_of_protocols));
        let downgraded = (self.said == Word::Fail && self.structured && only_protocols)
            .then(|| "every blocking finding lies below .protocols/".to_owned());
        let passes = downgraded.is_some() || (self.said == Word::Pass && blocking().next().is_none());
        Review {
            run: by.run,
            engine: by.engine,
            model: by.model,
            said: self.said.as_str().to_owned(),
            result: if passes { "pass" } else { "fail" }.to_owned(),
            downgraded,
            structured: self.structured,
            findings: self.findings.clone(),
        }
    }
}

impl Review {
    /// Returns the review of somebody who gave none: it never passes.
    pub fn missing(by: Reviewer) -> Self {
        Self {
            run: by.run,
            engine: by.engine,
            model: by.model,
            said: Word::None.as_str().to_owned(),
            result: "fail".to_owned(),
            downgraded: None,
            structured: false,
            findings: Vec::new(),
        }
    }

    /// Returns how many findings are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

impl Finding {
    /// Returns a finding of what a stranger said: its path is within the repository or left out, its
    /// message is visible text; `None` if there is no message.
    pub fn new(severity: Severity, path: Option<&str>, line: Option<u64>, message: &str) -> Option<Self> {
        let message = text::clip(&text::multi_line(message), MAX_MESSAGE);
        let path = path.and_then(confined);
        let line = line.filter(|line| *line > 0 && path.is_some());
        (!message.is_empty()).then_some(Self { severity, path, line, message })
    }

    /// Returns where it is, for people: `path:line`, or `path`, or nothing.
    pub fn place(&self) -> String {
        match (&self.path, self.line) {
            (Some(path), Some(line)) => format!("{path}:{line}"),
            (Some(path), None) => path.clone(),
            (None, _) => String::new(),
        }
    }
}

/// Returns a path without `.` and doubled slashes; `None` for one that is absolute, leads upwards, or
/// holds what no path of a repository should.
pub fn confined(path: &str) -> Option<String> {
    let has_odd = |c: char| text::is_raw(c) || matches!(c, '\\' | '\n' | '\r' | '\t');
    let starts_elsewhere = path.starts_with(['/', '~']) || path.get(1..2) == Some(":");
    if starts_elsewhere || path.chars().count() > MAX_PATH || path.chars().any(has_odd) {
        return None;
    }
    if text::one_line(path) != path {
        return None;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let leaves = parts.iter().any(|part| *part == ".." || part.eq_ignore_ascii_case(".git"));
    (!parts.is_empty() && !leaves).then(|| parts.join("/"))
}

/// Whether a confined path lies below `.protocols/`.
fn is_of_protocols(path: &str) -> bool {
    path.strip_prefix(".protocols/").is_some_and(|rest| !rest.is_empty())
        && confined(path).as_deref() == Some(path)
}

fn summary_of(said: &str) -> String {
    text::clip(&text::multi_line(said), 2 * MAX_MESSAGE)
}

fn actions_of<'a>(actions: impl Iterator<Item = &'a str>) -> Vec<String> {
    let lines = actions.map(|action| text::clip(&text::one_line(action), MAX_MESSAGE));
    lines.filter(|line| !line.is_empty()).take(20).collect()
}

/// Keeps what fits, the most important first. What blocks is never lost as a whole: the first always fits.
fn bounded(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| match finding.severity {
        Severity::Blocking => 0,
        Severity::Warning => 1,
        Severity::Note => 2,
    });
    let mut left = MAX_FINDING_BYTES;
    findings.truncate(MAX_FINDINGS);
    let fits = findings.iter().take_while(|finding| {
        let size = finding.message.len() + finding.path.as_ref().map_or(0, String::len);
        left.checked_sub(size).map(|rest| left = rest).is_some()
    });
    let n_fit = fits.count();
    findings.truncate(n_fit);
    findings
}

#[cfg(test)]
mod tests;
