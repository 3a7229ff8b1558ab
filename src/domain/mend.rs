//! What of a failed gate an engine may mend by itself, and how often.

use super::run::{Run, RunKind};
use super::status::status;

status! {
    /// What kind of thing a gate found.
    FailureClass {
        Lint = "lint",
        Format = "format",
        Typecheck = "typecheck",
        Test = "test",
        Build = "build",
        Other = "other",
    }
}

impl FailureClass {
    /// Returns the class of a gate by its name, whatever it said: words in its output are those of the code
    /// that it looks at.
    pub fn of_gate(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        // `lint-css` is a lint; `splint` is none.
        let word = name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        match word {
            "lint" | "linter" | "clippy" | "eslint" | "ruff" => Self::Lint,
            "format" | "fmt" | "formatting" | "rustfmt" | "prettier" => Self::Format,
            "typecheck" | "types" | "type" | "tsc" | "mypy" => Self::Typecheck,
            "test" | "tests" | "unit" | "e2e" => Self::Test,
            "build" | "compile" => Self::Build,
            _ => Self::Other,
        }
    }

    /// Whether it is mended without a change of what the code does.
    pub fn may_be_mended(self) -> bool {
        matches!(self, Self::Lint | Self::Format | Self::Typecheck)
    }
}

/// Returns the class that may be mended, if all that failed may be: a test that fails beside a lint is for
/// whoever does the step.
pub fn mendable<'a>(failed: impl IntoIterator<Item = &'a str>) -> Option<FailureClass> {
    let mut classes = failed.into_iter().map(FailureClass::of_gate);
    let first = classes.next().filter(|class| class.may_be_mended())?;
    classes.all(FailureClass::may_be_mended).then_some(first)
}

/// Returns how many runs have tried to mend what gates found in an attempt of a step, whoever started them and
/// however they ended. `runs` are those of the step.
pub fn n_tried<'a>(runs: impl IntoIterator<Item = &'a Run>, attempt: u64) -> u64 {
    let is_fix = |run: &&Run| run.started.kind == RunKind::Fix && run.attempt == Some(attempt);
    u64::try_from(runs.into_iter().filter(is_fix).count()).unwrap_or(u64::MAX)
}

/// Whether an engine did the work of an attempt of a step. `runs` are those of the step.
pub fn is_work_of_engine<'a>(runs: impl IntoIterator<Item = &'a Run>, attempt: u64) -> bool {
    runs.into_iter().any(|run| run.started.kind == RunKind::Step && run.attempt == Some(attempt))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{Digest, Ulid};
    use crate::domain::run::RunStarted;

    fn run(n: u128, kind: RunKind, attempt: u64) -> Run {
        let started = RunStarted {
            run: Ulid(n),
            kind,
            engine: "mock".to_owned(),
            model: None,
            prompt: Digest([0; 32]),
            template: None,
            estimate: 1,
        };
        Run {
            started,
            step: None,
            attempt: Some(attempt),
            started_at_ms: 0,
            finished: None,
            finished_at_ms: None,
            artifacts: Vec::new(),
        }
    }

    #[test]
    fn gates_are_told_apart_by_their_names() {
        for (name, class) in [
            ("lint", FailureClass::Lint),
            ("lint-css", FailureClass::Lint),
            ("splint", FailureClass::Other),
            ("Format", FailureClass::Format),
            ("typecheck.strict", FailureClass::Typecheck),
            ("test", FailureClass::Test),
            ("test-format", FailureClass::Test),
            ("build", FailureClass::Build),
            ("security", FailureClass::Other),
            ("", FailureClass::Other),
        ] {
            assert_eq!(FailureClass::of_gate(name), class, "{name}");
        }
    }

    #[test]
    fn nothing_is_mended_beside_what_may_not_be() {
        assert_eq!(mendable(["lint"]), Some(FailureClass::Lint));
        assert_eq!(mendable(["format", "lint"]), Some(FailureClass::Format));
        assert_eq!(mendable(["lint", "test"]), None);
        assert_eq!(mendable(["test", "lint"]), None);
        assert_eq!(mendable(["build"]), None);
        assert_eq!(mendable([]), None);
    }

    #[test]
    fn tries_are_counted_by_what_was_recorded_of_the_attempt() {
        let runs = [
            run(1, RunKind::Step, 1),
            run(2, RunKind::Fix, 1),
            run(3, RunKind::Fix, 1),
            run(4, RunKind::Review, 2),
            run(5, RunKind::Fix, 2),
        ];
        assert_eq!((n_tried(&runs, 1), n_tried(&runs, 2), n_tried(&runs, 3)), (2, 1, 0));
        assert!(is_work_of_engine(&runs, 1) && !is_work_of_engine(&runs, 2));
    }
}
