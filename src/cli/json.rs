//! The JSON that commands print; each shape has a schema in `schemas/`.

use std::collections::HashMap;
use std::rc::Rc;

use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::event::GateResult;
use crate::domain::problem::Problem;
use crate::domain::review::{Finding, Review};
use crate::domain::state::{Protocol, Step};
use crate::platform::git::Repo;
use crate::service::list::Shown;
use crate::store::cache::{Merged, Reason, Row};

/// Where the branches are checked out; one of the fields that differ between clones.
pub(super) struct Worktrees(HashMap<String, String>);

impl Worktrees {
    pub(super) fn of(repo: &Repo) -> Self {
        let paths = repo.worktrees().into_iter();
        Self(paths.map(|(path, branch)| (branch, path.to_string_lossy().into_owned())).collect())
    }

    /// Those of the past are known to nobody.
    pub(super) fn none() -> Self {
        Self(HashMap::new())
    }

    pub(super) fn get(&self, branch: &str) -> Option<&String> {
        self.0.get(branch)
    }
}

/// One protocol of `list@1`.
#[derive(Serialize)]
pub(super) struct RowJson<'a> {
    name: &'a str,
    id: &'a str,
    number: u64,
    slug: &'a str,
    title: &'a str,
    status: &'a str,
    branch: &'a str,
    base: &'a str,
    base_commit: &'a str,
    worktree: Option<&'a String>,
    current_step: Option<&'a String>,
    steps_total: usize,
    steps_completed: usize,
    blocked_reason: Option<&'a Reason>,
    merged: Option<&'a Merged>,
    unshared_events: usize,
    archived: bool,
    updated_at_ms: u64,
}

pub(super) fn row<'a>(row: &'a Row, worktrees: &'a Worktrees) -> RowJson<'a> {
    RowJson {
        name: &row.name,
        id: &row.id,
        number: row.number,
        slug: &row.slug,
        title: &row.title,
        status: &row.status,
        branch: &row.branch,
        base: &row.base,
        base_commit: &row.base_commit,
        worktree: worktrees.get(&row.branch_here),
        current_step: row.current_step.as_ref(),
        steps_total: row.steps_total,
        steps_completed: row.steps_completed,
        blocked_reason: row.blocked_reason.as_ref(),
        merged: row.merged.as_ref(),
        unshared_events: row.unshared_events,
        archived: row.archived,
        updated_at_ms: row.updated_at_ms,
    }
}

/// `list@1`.
#[derive(Serialize)]
pub(super) struct ListJson<'a> {
    schema: &'static str,
    protocols: Vec<RowJson<'a>>,
}

pub(super) fn list<'a>(rows: &'a [Rc<Row>], worktrees: &'a Worktrees) -> ListJson<'a> {
    let protocols = rows.iter().map(|item| row(item, worktrees)).collect();
    ListJson { schema: "git-godzilla/list@1", protocols }
}

/// `protocol@1`.
pub(super) fn protocol(shown: &Shown, worktrees: &Worktrees) -> Value {
    let mut document = json!({ "schema": "git-godzilla/protocol@1" });
    merge(&mut document, json!(row(&shown.row, worktrees)));
    let counts = &shown.protocol.counts;
    let steps: Vec<Value> = shown.protocol.steps.iter().map(|item| step(&shown.protocol, item)).collect();
    merge(
        &mut document,
        json!({
            "steps": steps,
            "events_total": counts.accepted,
            "rejected_events": counts.rejected,
            "usage": usage(&shown.protocol),
        }),
    );
    document
}

/// What all runs used; null where there were runs of which nobody knows.
fn usage(protocol: &Protocol) -> Value {
    if protocol.runs.is_empty() {
        return json!({ "input_tokens": 0, "cached_tokens": 0, "output_tokens": 0, "cost_micros": 0 });
    }
    let usage = protocol.spent().usage;
    json!({
        "input_tokens": usage.input_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "cost_micros": usage.cost_micros,
    })
}

fn merge(document: &mut Value, more: Value) {
    if let (Value::Object(document), Value::Object(more)) = (document, more) {
        document.extend(more);
    }
}

/// How a gate ended, as a verdict has it.
pub(super) fn gate(gate: &GateResult) -> Value {
    json!({
        "name": gate.name,
        "command": gate.command,
        "exit": gate.exit,
        "duration_ms": gate.duration_ms,
        "digest": gate.digest,
    })
}

/// A review, as a verdict has it.
pub(super) fn review(review: &Review) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "severity": finding.severity.as_str(),
            "path": finding.path,
            "line": finding.line,
            "message": finding.message,
        })
    };
    json!({
        "run": review.run.to_string(),
        "engine": review.engine,
        "model": review.model,
        "said": review.said,
        "result": review.result,
        "downgraded": review.downgraded,
        "structured": review.structured,
        "findings": review.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

/// What a verdict holds against a step.
pub(super) fn problems(problems: &[Problem]) -> Vec<Value> {
    let problem = |problem: &Problem| {
        json!({
            "code": problem.code,
            "severity": problem.severity.as_str(),
            "message": problem.message,
            "remedy": problem.remedy,
        })
    };
    problems.iter().map(problem).collect()
}

fn step(protocol: &Protocol, step: &Step) -> Value {
    let verdict = step.verdict.as_ref().map(|shown| {
        let gates: Vec<Value> = shown.verdict.gates.iter().map(gate).collect();
        json!({
            "result": shown.verdict.result,
            "tree": shown.verdict.content_tree.to_string(),
            "stale": shown.stale,
            "at_ms": shown.at_ms,
            "gates": gates,
            "review": shown.verdict.review.as_deref().map(review),
        })
    });
    let jobs: Vec<Value> = step
        .jobs
        .0
        .values()
        .map(|job| {
            json!({
                "name": job.name,
                "result": job.result.as_str(),
                "sha": job.sha.to_string(),
                "url": job.url,
                "attempt": job.attempt,
                "at_ms": job.at_ms,
            })
        })
        .collect();
    let commits: Vec<String> = step.commits.iter().map(ToString::to_string).collect();
    json!({
        "id": step.id.as_str(),
        "number": step.id.number(),
        "title": step.title,
        "type": step.kind.as_str(),
        "status": step.shown.as_str(),
        "qa_policy": step.qa.as_str(),
        "attempts": step.attempt,
        "commits": commits,
        "verdict": verdict,
        "ci": { "result": step.ci.as_str(), "jobs": jobs },
        "blocked_reason": step_reason(protocol, step),
    })
}

fn step_reason(protocol: &Protocol, step: &Step) -> Value {
    match &protocol.blocked {
        Some(blocked) if blocked.message.contains(step.id.as_str()) => {
            json!({ "code": blocked.code, "message": blocked.message, "remedy": blocked.remedy })
        }
        _ => Value::Null,
    }
}
