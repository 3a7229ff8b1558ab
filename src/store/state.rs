//! `state.json`: the folded state, written for people and other tools. Nothing here reads it.

use super::canon::Value;
use crate::domain::ci::Jobs;
use crate::domain::fold::FOLD_VERSION;
use crate::domain::id::Oid;
use crate::domain::state::{Protocol, Step};
use crate::platform::simulated;

/// Returns the text of `state.json` for a tip with these trees.
pub fn encode(protocol: Option<&Protocol>, events_tree: Oid, specs_tree: Option<Oid>) -> String {
    let mut text = Value::object([
        ("events_tree", Some(Value::str(events_tree.to_string()))),
        ("fold", Some(Value::uint(simulated::fold_version(FOLD_VERSION)))),
        ("specs_tree", Some(specs_tree.map_or(Value::Null, |oid| Value::str(oid.to_string())))),
        ("state", Some(protocol.map_or(Value::Null, state))),
    ])
    .to_text();
    text.push('\n');
    text
}

fn optional<'a>(text: Option<String>) -> Value<'a> {
    text.map_or(Value::Null, Value::str)
}

fn count<'a>(n: usize) -> Value<'a> {
    Value::uint(u64::try_from(n).unwrap_or(u64::MAX))
}

fn state(protocol: &Protocol) -> Value<'_> {
    let created = &protocol.created;
    let merged = protocol.merged.as_ref().map_or(Value::Null, |merged| {
        Value::object([
            ("commit", Some(Value::str(merged.commit.to_string()))),
            ("into", Some(Value::str(merged.into.as_str()))),
            ("rule", Some(Value::str(merged.rule.as_str()))),
        ])
    });
    let blocked = protocol.blocked.as_ref().map_or(Value::Null, |blocked| {
        Value::object([
            ("code", Some(Value::str(blocked.code))),
            ("message", Some(Value::str(blocked.message.as_str()))),
            ("remedy", Some(Value::str(blocked.remedy.as_str()))),
        ])
    });
    let record = Value::object([
        ("base", Some(Value::str(created.base.as_str()))),
        ("base_commit", Some(Value::str(created.base_commit.to_string()))),
        ("blocked_reason", Some(blocked)),
        ("branch", Some(Value::str(created.branch.as_str()))),
        ("merged", Some(merged)),
        ("name", Some(Value::str(protocol.name()))),
        ("number", Some(Value::uint(created.number))),
        ("recorded", Some(Value::str(protocol.recorded.as_str()))),
        ("shown", Some(Value::str(protocol.shown.as_str()))),
        ("slug", Some(Value::str(created.slug.as_str()))),
        ("spec", Some(optional(protocol.spec.map(|digest| digest.to_string())))),
        ("title", Some(Value::str(created.title.as_str()))),
    ]);
    let counts = &protocol.counts;
    Value::object([
        (
            "counts",
            Some(Value::object([
                ("accepted", Some(count(counts.accepted))),
                ("duplicate", Some(count(counts.duplicate))),
                ("quarantined", Some(count(counts.quarantined))),
                ("rejected", Some(count(counts.rejected))),
                ("undone", Some(count(counts.undone))),
            ])),
        ),
        (
            "orphans",
            Some(Value::object([
                ("ci", Some(count(protocol.orphan_ci))),
                ("commits", Some(Value::array(&protocol.orphan_commits, |oid| Value::str(oid.to_string())))),
            ])),
        ),
        ("protocol", Some(record)),
        ("steps", Some(Value::array(&protocol.steps, step))),
    ])
}

fn step(step: &Step) -> Value<'_> {
    let verdict = step.verdict.as_ref().map_or(Value::Null, |shown| {
        Value::object([
            ("id", Some(Value::str(shown.id.to_string()))),
            ("result", Some(Value::str(shown.verdict.result.as_str()))),
            ("stale", Some(Value::bool(shown.stale))),
        ])
    });
    Value::object([
        ("attempt", Some(Value::uint(step.attempt))),
        ("ci", Some(ci(&step.jobs, step.ci.as_str()))),
        ("commits", Some(Value::array(&step.commits, |oid| Value::str(oid.to_string())))),
        ("id", Some(Value::str(step.id.as_str()))),
        ("newest", Some(optional(step.newest().map(|oid| oid.to_string())))),
        ("recorded", Some(Value::str(step.recorded.as_str()))),
        ("shown", Some(Value::str(step.shown.as_str()))),
        ("verdict", Some(verdict)),
    ])
}

fn ci<'a>(jobs: &'a Jobs, result: &'static str) -> Value<'a> {
    let jobs = Value::array(jobs.0.values(), |job| {
        Value::object([
            ("name", Some(Value::str(&*job.name))),
            ("result", Some(Value::str(job.result.as_str()))),
            ("sha", Some(Value::str(job.sha.to_string()))),
        ])
    });
    Value::object([("jobs", Some(jobs)), ("result", Some(Value::str(result)))])
}
