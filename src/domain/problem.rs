//! What a verdict holds against a step: each thing with a code, its weight, and what to do about it.

use super::event::{GateResult, Verdict};
use super::id::StepId;
use super::mend::FailureClass;
use super::review::{Review, Severity};
use super::text;

/// How many findings are named.
const MAX_NAMED: usize = 20;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub code: &'static str,
    pub severity: Severity,
    pub message: String,
    /// What to do about it, or to type.
    pub remedy: String,
}

/// Returns what a verdict holds against a step of the protocol `name`, the gates first.
pub fn of_verdict(verdict: &Verdict, name: &str, step: &StepId) -> Vec<Problem> {
    let again = format!("git godzilla qa {step} -p {name}");
    let mut problems: Vec<Problem> = verdict.gates.iter().filter_map(|gate| of_gate(gate, &again)).collect();
    if verdict.result == "no_gate" {
        problems.push(Problem {
            code: "gate.none",
            severity: Severity::Blocking,
            message: "no gate judges the step, so nothing is proven".to_owned(),
            remedy: format!(
                "commit an executable such as scripts/ci/test.sh to the base, or: git godzilla approve {step} -p {name}"
            ),
        });
    }
    let is_error = verdict.result == "error" && verdict.gates.iter().all(|gate| gate.exit == Some(0));
    match verdict.review.as_deref() {
        Some(review) => problems.extend(of_review(review, is_error, &again)),
        None if is_error => problems.push(Problem {
            code: "qa.error",
            severity: Severity::Blocking,
            message: "the worktree changed meanwhile, or nobody could review the step".to_owned(),
            remedy: again,
        }),
        None => (),
    }
    problems
}

fn of_gate(gate: &GateResult, again: &str) -> Option<Problem> {
    let name = &gate.name;
    let (code, message, remedy) = match gate.exit {
        Some(0) => return None,
        Some(code) => {
            let what = match FailureClass::of_gate(name) {
                FailureClass::Lint | FailureClass::Format | FailureClass::Typecheck => "mend what it names",
                FailureClass::Test => "make the tests pass",
                FailureClass::Build => "make it build",
                FailureClass::Other => "mend what it found",
            };
            let remedy = format!("{what} ({}), commit, and: {again}", gate.command);
            ("gate.failed", format!("gate {name} failed with exit code {code}"), remedy)
        }
        None if gate.digest.is_empty() => {
            let why = text::clip(&text::one_line(&gate.tail), 300);
            let remedy = format!("make {} run in the base, then: {again}", gate.command);
            ("gate.not_run", format!("gate {name} could not run: {why}"), remedy)
        }
        None => {
            let remedy = format!("make {} faster, or raise qa.timeout_seconds, then: {again}", gate.command);
            ("gate.timeout", format!("gate {name} did not end in time"), remedy)
        }
    };
    Some(Problem { code, severity: Severity::Blocking, message, remedy })
}

fn of_review(review: &Review, is_error: bool, again: &str) -> Vec<Problem> {
    let engine = &review.engine;
    if is_error {
        return vec![Problem {
            code: "review.error",
            severity: Severity::Blocking,
            message: format!("the review by {engine} came to nothing, or changed what it was to look at"),
            remedy: format!("git godzilla logs {}, then: {again}", review.run),
        }];
    }
    let mut problems = Vec::new();
    for finding in review.findings.iter().filter(|finding| finding.severity != Severity::Note).take(MAX_NAMED)
    {
        let place = finding.place();
        let place = if place.is_empty() { place } else { format!("{place}: ") };
        // What blocks only in files of protocols does not hold the step.
        let blocks = finding.severity == Severity::Blocking && review.result != "pass";
        let (code, severity) = if blocks {
            ("review.blocking", Severity::Blocking)
        } else {
            ("review.warning", Severity::Warning)
        };
        problems.push(Problem {
            code,
            severity,
            message: text::clip(&format!("{place}{}", text::one_line(&finding.message)), 500),
            remedy: if blocks { format!("mend it, commit, and: {again}") } else { "look at it".to_owned() },
        });
    }
    if review.result != "pass" && problems.iter().all(|problem| problem.severity != Severity::Blocking) {
        let (code, message) = match review.said.as_str() {
            "none" => ("review.no_verdict", format!("the review by {engine} has no clear verdict")),
            _ => ("review.failed", format!("the review by {engine} says that the step is not done")),
        };
        let remedy = format!("read .protocols/…/quality-report.md, mend it, and: {again}");
        problems.push(Problem { code, severity: Severity::Blocking, message, remedy });
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{Oid, Ulid};
    use crate::domain::review::{Finding, Opinion, Reviewer, Word};

    fn gate(name: &str, exit: Option<i64>, digest: &str) -> GateResult {
        GateResult {
            name: name.to_owned(),
            command: format!("scripts/ci/{name}.sh"),
            exit,
            duration_ms: 1,
            digest: digest.to_owned(),
            tail: "no\nsuch shell".to_owned(),
        }
    }

    fn codes(result: &str, gates: Vec<GateResult>, review: Option<Review>) -> Vec<(&'static str, Severity)> {
        let tree: Oid = "4b825dc642cb6eb9a060e54bf8d69288fbee4904".parse().unwrap();
        let step: StepId = "01-form".parse().unwrap();
        let verdict = Verdict {
            step: Some(step.clone()),
            commit: None,
            content_tree: tree,
            dirty: false,
            result: result.to_owned(),
            gates,
            review: review.map(Box::new),
        };
        let problems = of_verdict(&verdict, "0001-login", &step);
        for problem in &problems {
            assert!(!problem.message.is_empty() && !problem.remedy.is_empty(), "{problem:?}");
        }
        problems.into_iter().map(|problem| (problem.code, problem.severity)).collect()
    }

    fn review(said: Word, findings: Vec<Finding>) -> Review {
        let by = Reviewer { run: Ulid(1), engine: "mock".to_owned(), model: None };
        Opinion::structured(said, "", findings, &[]).judged(by)
    }

    #[test]
    fn everything_that_holds_a_step_has_a_code_and_a_remedy() {
        let blocking = Severity::Blocking;
        let gates = vec![
            gate("lint", Some(0), "aa"),
            gate("test", Some(1), "aa"),
            gate("build", None, "aa"),
            gate("typecheck", None, ""),
        ];
        assert_eq!(
            codes("fail", gates, None),
            [("gate.failed", blocking), ("gate.timeout", blocking), ("gate.not_run", blocking)]
        );
        assert_eq!(codes("no_gate", Vec::new(), None), [("gate.none", blocking)]);
        assert_eq!(codes("error", vec![gate("test", Some(0), "aa")], None), [("qa.error", blocking)]);
        assert_eq!(
            codes("pass", vec![gate("test", Some(0), "aa")], Some(review(Word::Pass, Vec::new()))),
            []
        );
    }

    #[test]
    fn findings_of_a_review_weigh_what_they_did() {
        let found = |severity, path| Finding::new(severity, Some(path), None, "is wrong").unwrap();
        let both =
            || vec![found(Severity::Blocking, ".protocols/0001-a/plan.md"), found(Severity::Note, "b")];
        let (blocking, warning) = (Severity::Blocking, Severity::Warning);
        let mut outside = both();
        outside.push(found(Severity::Warning, "src/a.rs"));
        outside.push(found(Severity::Blocking, "src/a.rs"));
        assert_eq!(
            codes("fail", Vec::new(), Some(review(Word::Fail, outside))),
            [("review.blocking", blocking), ("review.blocking", blocking), ("review.warning", warning)]
        );
        assert_eq!(
            codes("pass", Vec::new(), Some(review(Word::Fail, both()))),
            [("review.warning", warning)]
        );
        assert_eq!(
            codes("fail", Vec::new(), Some(review(Word::None, Vec::new()))),
            [("review.no_verdict", blocking)]
        );
        assert_eq!(
            codes("fail", Vec::new(), Some(review(Word::Fail, Vec::new()))),
            [("review.failed", blocking)]
        );
        assert_eq!(
            codes("error", Vec::new(), Some(review(Word::None, Vec::new()))),
            [("review.error", blocking)]
        );
    }
}
