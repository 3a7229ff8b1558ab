//! The bodies of what engines and policies did.

use super::body::{Read, Reader};
use super::parse_ulid;
use crate::domain::event::Body;
use crate::domain::id::Ulid;
use crate::domain::policy::{Looped, Noted, Occasion, Triggered};
use crate::domain::review::{Finding, Review, Severity};
use crate::domain::run::{Artifact, RunFinished, RunKind, RunStarted, RunStatus, Usage, UsageRecorded};
use crate::domain::text;
use crate::store::canon::{Value, View};

/// Reads the body of a type; `None` for a type that is not one of these.
pub(super) fn decode(kind: &str, read: &Reader<'_>) -> Option<Read<Body>> {
    Some(match kind {
        "run.started" => started(read).map(Body::RunStarted),
        "run.finished" => finished(read).map(Body::RunFinished),
        "artifact.added" => artifact(read).map(Body::ArtifactAdded),
        "usage.recorded" => used(read).map(Body::UsageRecorded),
        "policy.looped" => looped(read).map(Body::PolicyLooped),
        "policy.triggered" => triggered(read).map(Body::PolicyTriggered),
        "policy.noted" => noted(read).map(Body::PolicyNoted),
        _ => return None,
    })
}

fn ulid(read: &Reader<'_>, key: &'static str) -> Read<Ulid> {
    parse_ulid(&read.str(key)?).ok_or(key)
}

fn kind(read: &Reader<'_>) -> Read<RunKind> {
    RunKind::from_word(&read.str("kind")?).ok_or("kind")
}

/// A word of a newer release is one that says nothing.
fn status(read: &Reader<'_>) -> Read<RunStatus> {
    Ok(RunStatus::from_word(&read.str("status")?).unwrap_or(RunStatus::Crashed))
}

fn started(read: &Reader<'_>) -> Read<RunStarted> {
    Ok(RunStarted {
        engine: read.said("engine")?,
        estimate: read.number("estimate").unwrap_or(0),
        kind: kind(read)?,
        model: read.said("model").ok(),
        prompt: read.parsed("prompt")?,
        run: ulid(read, "run")?,
        template: read.said("template").ok(),
    })
}

fn finished(read: &Reader<'_>) -> Read<RunFinished> {
    Ok(RunFinished {
        changed: read.list("changed", |path| Some(text::harmless_line(path))).unwrap_or_default(),
        duration_ms: read.number("duration_ms").unwrap_or(0),
        exit: read.get("exit").and_then(View::as_i64),
        log: read.said("log").ok(),
        message: read.str("message").map(|said| text::harmless(&said)).unwrap_or_default(),
        run: ulid(read, "run")?,
        session: read.said("session").ok(),
        status: status(read)?,
        usage: usage(read),
    })
}

fn usage(read: &Reader<'_>) -> Usage {
    let Some(usage) = read.get("usage") else { return Usage::default() };
    let usage = Reader::new(usage);
    Usage {
        cached_tokens: usage.number("cached_tokens").ok(),
        cost_micros: usage.number("cost_micros").ok(),
        input_tokens: usage.number("input_tokens").ok(),
        output_tokens: usage.number("output_tokens").ok(),
    }
}

fn artifact(read: &Reader<'_>) -> Read<Artifact> {
    Ok(Artifact {
        bytes: read.number("bytes")?,
        kind: read.said("kind")?,
        name: read.said("name")?,
        path: read.said("path")?,
        run: ulid(read, "run")?,
        sha256: read.said("sha256")?,
    })
}

fn used(read: &Reader<'_>) -> Read<UsageRecorded> {
    Ok(UsageRecorded {
        engine: read.said("engine")?,
        estimate: read.number("estimate").unwrap_or(0),
        kind: kind(read)?,
        model: read.said("model").ok(),
        run: ulid(read, "run")?,
        status: status(read)?,
        usage: usage(read),
    })
}

fn occasion(read: &Reader<'_>) -> Read<Occasion> {
    Occasion::from_word(&read.str("occasion")?).ok_or("occasion")
}

fn looped(read: &Reader<'_>) -> Read<Looped> {
    Ok(Looped {
        iteration: read.number("iteration")?,
        max: read.number("max").ok(),
        occasion: occasion(read)?,
        policy: read.said("policy")?,
        reason: read.said("reason").unwrap_or_default(),
        steps: read.list("steps", |id| id.parse().ok())?,
        target: read.parsed("target")?,
    })
}

fn triggered(read: &Reader<'_>) -> Read<Triggered> {
    Ok(Triggered {
        depth: read.number("depth")?,
        occasion: occasion(read)?,
        policy: read.said("policy")?,
        reason: read.said("reason").unwrap_or_default(),
        target: read.parsed("target")?,
    })
}

fn noted(read: &Reader<'_>) -> Read<Noted> {
    Ok(Noted {
        code: read.said("code")?,
        occasion: occasion(read)?,
        policy: read.said("policy")?,
        reason: read.said("reason").unwrap_or_default(),
    })
}

/// Reads what an engine said about a step; one that is not what it must be is worth a `fail`.
pub(super) fn review(review: View<'_>) -> Option<Review> {
    let read = Reader::new(review);
    let findings = read.get("findings").and_then(View::items).into_iter().flatten();
    Some(Review {
        downgraded: read.said("downgraded").ok(),
        engine: read.said("engine").unwrap_or_default(),
        findings: findings
            .map(|finding| {
                let finding = Reader::new(finding);
                Finding {
                    line: finding.number("line").ok(),
                    message: finding.str("message").map(|said| text::harmless(&said)).unwrap_or_default(),
                    path: finding.said("path").ok(),
                    severity: finding
                        .str("severity")
                        .ok()
                        .and_then(|word| Severity::from_word(&word))
                        .unwrap_or(Severity::Blocking),
                }
            })
            .collect(),
        model: read.said("model").ok(),
        result: read.said("result").unwrap_or_else(|_| "fail".to_owned()),
        run: ulid(&read, "run").ok()?,
        said: read.said("said").unwrap_or_default(),
        structured: read.flag("structured"),
    })
}

/// Returns the body as it is stored; `None` for a body that is not one of these.
pub(super) fn encode(body: &Body) -> Option<Value<'_>> {
    Some(match body {
        Body::RunStarted(run) => Value::object([
            ("engine", text(&run.engine)),
            ("estimate", Some(Value::uint(run.estimate))),
            ("kind", text(run.kind.as_str())),
            ("model", run.model.as_deref().and_then(text)),
            ("prompt", shown(&run.prompt)),
            ("run", shown(&run.run)),
            ("template", run.template.as_deref().and_then(text)),
        ]),
        Body::RunFinished(run) => Value::object([
            ("changed", list(&run.changed)),
            ("duration_ms", Some(Value::uint(run.duration_ms))),
            ("exit", run.exit.map(Value::Int)),
            ("log", run.log.as_deref().and_then(text)),
            ("message", Some(run.message.as_str()).filter(|said| !said.is_empty()).map(Value::str)),
            ("run", shown(&run.run)),
            ("session", run.session.as_deref().and_then(text)),
            ("status", text(run.status.as_str())),
            ("usage", encode_usage(run.usage)),
        ]),
        Body::ArtifactAdded(artifact) => Value::object([
            ("bytes", Some(Value::uint(artifact.bytes))),
            ("kind", text(&artifact.kind)),
            ("name", text(&artifact.name)),
            ("path", text(&artifact.path)),
            ("run", shown(&artifact.run)),
            ("sha256", text(&artifact.sha256)),
        ]),
        Body::UsageRecorded(used) => Value::object([
            ("engine", text(&used.engine)),
            ("estimate", Some(Value::uint(used.estimate))),
            ("kind", text(used.kind.as_str())),
            ("model", used.model.as_deref().and_then(text)),
            ("run", shown(&used.run)),
            ("status", text(used.status.as_str())),
            ("usage", encode_usage(used.usage)),
        ]),
        Body::PolicyLooped(looped) => Value::object([
            ("iteration", Some(Value::uint(looped.iteration))),
            ("max", looped.max.map(Value::uint)),
            ("occasion", text(looped.occasion.as_str())),
            ("policy", text(&looped.policy)),
            ("reason", text(&looped.reason)),
            ("steps", Some(Value::array(&looped.steps, |id| Value::str(id.as_str())))),
            ("target", text(looped.target.as_str())),
        ]),
        Body::PolicyTriggered(triggered) => Value::object([
            ("depth", Some(Value::uint(triggered.depth))),
            ("occasion", text(triggered.occasion.as_str())),
            ("policy", text(&triggered.policy)),
            ("reason", text(&triggered.reason)),
            ("target", text(triggered.target.as_str())),
        ]),
        Body::PolicyNoted(noted) => Value::object([
            ("code", text(&noted.code)),
            ("occasion", text(noted.occasion.as_str())),
            ("policy", text(&noted.policy)),
            ("reason", text(&noted.reason)),
        ]),
        _ => return None,
    })
}

/// Returns a review as a verdict holds it.
pub(super) fn encode_review(review: &Review) -> Value<'_> {
    let findings = Value::array(&review.findings, |finding| {
        Value::object([
            ("line", finding.line.map(Value::uint)),
            ("message", text(&finding.message)),
            ("path", finding.path.as_deref().and_then(text)),
            ("severity", text(finding.severity.as_str())),
        ])
    });
    Value::object([
        ("downgraded", review.downgraded.as_deref().and_then(text)),
        ("engine", text(&review.engine)),
        ("findings", Some(findings)),
        ("model", review.model.as_deref().and_then(text)),
        ("result", text(&review.result)),
        ("run", shown(&review.run)),
        ("said", text(&review.said)),
        ("structured", review.structured.then_some(Value::True)),
    ])
}

fn encode_usage<'a>(usage: Usage) -> Option<Value<'a>> {
    (!usage.is_unknown()).then(|| {
        Value::object([
            ("cached_tokens", usage.cached_tokens.map(Value::uint)),
            ("cost_micros", usage.cost_micros.map(Value::uint)),
            ("input_tokens", usage.input_tokens.map(Value::uint)),
            ("output_tokens", usage.output_tokens.map(Value::uint)),
        ])
    })
}

#[expect(clippy::unnecessary_wraps, reason = "members of an object are optional")]
fn text(text: &str) -> Option<Value<'_>> {
    Some(Value::str(text))
}

#[expect(clippy::unnecessary_wraps, reason = "members of an object are optional")]
fn shown<'a>(value: &dyn std::fmt::Display) -> Option<Value<'a>> {
    Some(Value::str(value.to_string()))
}

fn list(items: &[String]) -> Option<Value<'_>> {
    (!items.is_empty()).then(|| Value::array(items, |item| Value::str(item.as_str())))
}
