//! The bodies of events, by type.

use std::borrow::Cow;
use std::cell::Cell;
use std::str::FromStr;
use std::sync::Arc;

use super::parse_ulid;
use super::recent::Recent;
use crate::domain::ci::JobResult;
use crate::domain::event::{
    AcceptedGates, Body, CiReport, CommitSeen, Created, Evidence, GateResult, MergeDetected, StepChange,
    Verdict, Via,
};
use crate::domain::id::{Oid, Ulid};
use crate::domain::spec::Planner;
use crate::domain::status::{ProtocolMove, StepMove};
use crate::domain::text;
use crate::platform::simulated;
use crate::store::canon::{Value, View};

/// Reads the body of a type; one that is not what it must be is kept as malformed.
pub(super) fn decode(kind: &str, body: View<'_>, words: &mut Recent<Arc<str>>) -> Body {
    if !simulated::knows(kind) {
        return Body::without_meaning(kind);
    }
    let read = Reader::new(body);
    let decoded = match kind {
        "protocol.created" => created(&read),
        "protocol.planned" => planned(&read),
        "spec.changed" => {
            read.parsed("spec").map(|spec| Body::SpecChanged { spec, commit: read.parsed("commit").ok() })
        }
        "gates.accepted" => {
            let gates = || Ok(AcceptedGates { tree: read.parsed("tree")?, digest: read.parsed("digest")? });
            gates().map(Body::GatesAccepted)
        }
        // What an older release reserved says nothing.
        "pinned" => Ok(read
            .get("on")
            .and_then(View::as_bool)
            .map_or_else(|| Body::without_meaning(kind), |on| Body::Pinned { on })),
        "undo" => read.list("targets", parse_ulid).map(|targets| Body::Undo { targets }),
        "commit.seen" => commit_seen(&read),
        "commit.rewritten" => commit_rewritten(&read),
        "branch.tip" => branch_tip(&read),
        "merge.detected" => merge_detected(&read),
        "ci.reported" => ci_reported(&read, words),
        "verdict.recorded" => verdict(&read),
        "note.added" => read.str("text").map(|said| Body::NoteAdded { text: text::harmless(&said) }),
        "project.created" => read.text("base_branch").map(|base_branch| Body::ProjectCreated { base_branch }),
        // What an older release reserved says nothing.
        kind if let Some(read) = super::names::decode(kind, &read) => {
            Ok(read.unwrap_or_else(|_| Body::without_meaning(kind)))
        }
        kind if let Some(read) = super::runs::decode(kind, &read) => {
            Ok(read.unwrap_or_else(|_| Body::without_meaning(kind)))
        }
        kind => Ok(if let Some(to) = ProtocolMove::from_word(kind) {
            Body::Protocol { to, reason: read.said("reason").ok() }
        } else if let Some(to) = StepMove::from_word(kind) {
            Body::Step(step_change(to, &read))
        } else {
            Body::without_meaning(kind)
        }),
    };
    decoded.unwrap_or_else(|field| Body::Malformed {
        kind: kind.to_owned(),
        reason: format!("its body has no valid `{field}`"),
    })
}

/// Reads members of a body; the error is the name of the member.
pub(super) struct Reader<'a> {
    object: View<'a>,
    at: Cell<usize>,
}

pub(super) type Read<T> = Result<T, &'static str>;

impl<'a> Reader<'a> {
    pub(super) fn new(object: View<'a>) -> Self {
        Self { object, at: Cell::new(0) }
    }

    pub(super) fn get(&self, key: &str) -> Option<View<'a>> {
        self.object.get_near(&self.at, key)
    }

    pub(super) fn str(&self, key: &'static str) -> Read<Cow<'a, str>> {
        self.get(key).and_then(View::as_str).ok_or(key)
    }

    fn text(&self, key: &'static str) -> Read<String> {
        self.str(key).map(Cow::into_owned)
    }

    /// Text for people only; what a terminal would obey is left out. The line keeps it.
    pub(super) fn said(&self, key: &'static str) -> Read<String> {
        self.str(key).map(|said| text::harmless_line(&said))
    }

    pub(super) fn parsed<T: FromStr>(&self, key: &'static str) -> Read<T> {
        self.str(key)?.parse().map_err(|_| key)
    }

    pub(super) fn number(&self, key: &'static str) -> Read<u64> {
        self.get(key).and_then(View::as_u64).ok_or(key)
    }

    pub(super) fn flag(&self, key: &'static str) -> bool {
        self.get(key).and_then(View::as_bool).unwrap_or(false)
    }

    pub(super) fn list<T>(&self, key: &'static str, parse: impl Fn(&str) -> Option<T>) -> Read<Vec<T>> {
        let mut items = self.get(key).and_then(View::items).ok_or(key)?;
        items.by_ref().map(|item| parse(&item.as_str()?)).collect::<Option<_>>().ok_or(key)
    }
}

fn oid(text: &str) -> Option<Oid> {
    text.parse().ok()
}

fn created(read: &Reader<'_>) -> Read<Body> {
    Ok(Body::Created(Created {
        number: read.number("number")?,
        slug: read.text("slug")?,
        title: read.said("title")?,
        description: read.str("description").map(|said| text::harmless(&said)).unwrap_or_default(),
        branch: read.text("branch")?,
        base: read.text("base")?,
        base_commit: read.parsed("base_commit")?,
    }))
}

fn planned(read: &Reader<'_>) -> Read<Body> {
    let planner = |key| read.get("planner").and_then(|planner| planner.get(key)).and_then(View::as_str);
    Ok(Body::Planned {
        spec: read.parsed("spec")?,
        plan_commit: read.parsed("plan_commit").ok(),
        planner: Planner {
            name: planner("name").map(|name| text::harmless_line(&name)).unwrap_or_default(),
            prompt_hash: planner("prompt_hash").and_then(|hash| hash.parse().ok()),
        },
    })
}

fn step_change(to: StepMove, read: &Reader<'_>) -> StepChange {
    let by = read
        .text("by")
        .ok()
        .filter(|_| matches!(to, StepMove::Completed | StepMove::Approved | StepMove::Failed));
    let evidence = by.map(|by| Evidence {
        by,
        content_tree: read.parsed("content_tree").ok(),
        verdict: read.str("verdict").ok().and_then(|id| parse_ulid(&id)),
        ci: read.list("ci", parse_ulid).unwrap_or_default(),
        pushed: read.get("pushed").and_then(|pushed| {
            let pushed = Reader::new(pushed);
            Some((pushed.text("remote").ok()?, pushed.parsed("oid").ok()?))
        }),
        mode: read.text("mode").ok(),
    });
    StepChange {
        to,
        reason: read.said("reason").ok(),
        no_commit: read.flag("no_commit"),
        evidence: evidence.map(Box::new),
    }
}

fn commit_seen(read: &Reader<'_>) -> Read<Body> {
    let ticks = Reader::new(read.get("ticks").unwrap_or(View::NULL));
    // In the order of the line.
    Ok(Body::CommitSeen(CommitSeen {
        commit: read.parsed("commit")?,
        content_tree: read.parsed("content_tree")?,
        done: read.flag("done"),
        parents: read.list("parents", oid)?,
        step: read.parsed("step").ok(),
        subject: read.said("subject").unwrap_or_default(),
        open_boxes: ticks.number("open").unwrap_or(0),
        done_boxes: ticks.number("done").unwrap_or(0),
        tree: read.parsed("tree")?,
        via: read.str("via").ok().and_then(|word| Via::from_word(&word)).unwrap_or(Via::None),
    }))
}

fn commit_rewritten(read: &Reader<'_>) -> Read<Body> {
    Ok(Body::CommitRewritten {
        old: read.parsed("old")?,
        new: read.parsed("new")?,
        kind: read.text("kind").unwrap_or_default(),
    })
}

fn branch_tip(read: &Reader<'_>) -> Read<Body> {
    Ok(Body::BranchTip { tip: read.parsed("tip")?, gone: read.list("gone", oid)? })
}

fn merge_detected(read: &Reader<'_>) -> Read<Body> {
    Ok(Body::MergeDetected(MergeDetected {
        rule: read.text("rule")?,
        into: read.text("into")?,
        commit: read.parsed("commit")?,
        tip: read.parsed("tip")?,
    }))
}

fn ci_reported(read: &Reader<'_>, words: &mut Recent<Arc<str>>) -> Read<Body> {
    let mut word = |key| read.str(key).map(|word| words.shared(&word, |word| word.into()));
    // In the order of the line.
    Ok(Body::CiReported(CiReport {
        attempt: read.number("attempt")?,
        branch: word("branch").ok(),
        commit: read.parsed("commit")?,
        job: word("job")?,
        provider: word("provider")?,
        result: read.str("result").ok().and_then(|word| JobResult::from_word(&word)).ok_or("result")?,
        run: read.number("run")?,
        tree: read.parsed("tree").ok(),
        url: read.said("url").ok(),
        workflow: word("workflow").unwrap_or_default(),
    }))
}

fn verdict(read: &Reader<'_>) -> Read<Body> {
    let gates = read.get("gates").and_then(View::items).into_iter().flatten();
    Ok(Body::VerdictRecorded(Verdict {
        step: read.parsed("step").ok(),
        commit: read.parsed("commit").ok(),
        content_tree: read.parsed("content_tree")?,
        dirty: read.flag("dirty"),
        result: read.text("result")?,
        gates: gates
            .map(|gate| {
                let gate = Reader::new(gate);
                Ok(GateResult {
                    name: gate.text("name")?,
                    command: gate.text("command").unwrap_or_default(),
                    exit: gate.get("exit").and_then(View::as_i64),
                    duration_ms: gate.number("duration_ms").unwrap_or(0),
                    digest: gate.text("digest").unwrap_or_default(),
                    tail: gate.str("tail").map(|tail| text::harmless(&tail)).unwrap_or_default(),
                })
            })
            .collect::<Read<_>>()?,
        review: read.get("review").and_then(super::runs::review).map(Box::new),
    }))
}

/// Returns the body as it is stored.
pub(super) fn encode(body: &Body) -> Value<'_> {
    let text = |text: &'_ str| Some(Value::str(text.to_owned()));
    let shown = |value: &dyn std::fmt::Display| Some(Value::str(value.to_string()));
    match body {
        Body::Created(created) => Value::object([
            ("base", text(&created.base)),
            ("base_commit", shown(&created.base_commit)),
            ("branch", text(&created.branch)),
            ("description", text(&created.description)),
            ("number", Some(Value::uint(created.number))),
            ("slug", text(&created.slug)),
            ("title", text(&created.title)),
        ]),
        Body::Planned { spec, plan_commit, planner } => Value::object([
            ("plan_commit", plan_commit.as_ref().and_then(|oid| shown(oid))),
            (
                "planner",
                Some(Value::object([
                    ("name", text(&planner.name)),
                    ("prompt_hash", planner.prompt_hash.as_ref().and_then(|hash| shown(hash))),
                ])),
            ),
            ("spec", shown(spec)),
        ]),
        Body::SpecChanged { spec, commit } => {
            Value::object([("commit", commit.as_ref().and_then(|oid| shown(oid))), ("spec", shown(spec))])
        }
        Body::Protocol { reason, .. } => Value::object([("reason", reason.as_deref().and_then(text))]),
        Body::Step(change) => encode_step_change(change),
        Body::GatesAccepted(gates) => {
            Value::object([("digest", shown(&gates.digest)), ("tree", shown(&gates.tree))])
        }
        Body::Pinned { on } => Value::object([("on", Some(Value::bool(*on)))]),
        Body::Undo { targets } => Value::object([("targets", Some(ulids(targets)))]),
        Body::CommitSeen(seen) => encode_commit(seen),
        Body::CommitRewritten { old, new, kind } => {
            Value::object([("kind", text(kind)), ("new", shown(new)), ("old", shown(old))])
        }
        Body::BranchTip { tip, gone } => Value::object([("gone", Some(oids(gone))), ("tip", shown(tip))]),
        Body::MergeDetected(merged) => Value::object([
            ("commit", shown(&merged.commit)),
            ("into", text(&merged.into)),
            ("rule", text(&merged.rule)),
            ("tip", shown(&merged.tip)),
        ]),
        Body::CiReported(report) => encode_report(report),
        Body::VerdictRecorded(verdict) => encode_verdict(verdict),
        Body::NoteAdded { text: note } => Value::object([("text", text(note))]),
        Body::ProjectCreated { base_branch } => Value::object([("base_branch", text(base_branch))]),
        other => super::runs::encode(other)
            .or_else(|| super::names::encode(other))
            .unwrap_or(Value::Obj(Vec::new())),
    }
}

fn oids<'a>(ids: &[Oid]) -> Value<'a> {
    Value::array(ids, |id| Value::str(id.to_string()))
}

fn ulids<'a>(ids: &[Ulid]) -> Value<'a> {
    Value::array(ids, |id| Value::str(id.to_string()))
}

fn encode_step_change(change: &StepChange) -> Value<'_> {
    let evidence = change.evidence.as_ref();
    let pushed = evidence.and_then(|evidence| evidence.pushed.as_ref()).map(|(remote, oid)| {
        Value::object([
            ("oid", Some(Value::str(oid.to_string()))),
            ("remote", Some(Value::str(remote.as_str()))),
        ])
    });
    let ci = evidence.map(|evidence| &evidence.ci).filter(|ci| !ci.is_empty());
    Value::object([
        ("by", evidence.map(|evidence| Value::str(evidence.by.as_str()))),
        ("ci", ci.map(|ids| ulids(ids))),
        ("content_tree", evidence.and_then(|e| e.content_tree).map(|oid| Value::str(oid.to_string()))),
        ("mode", evidence.and_then(|e| e.mode.as_deref()).map(Value::str)),
        ("no_commit", change.no_commit.then_some(Value::True)),
        ("pushed", pushed),
        ("reason", change.reason.as_deref().map(Value::str)),
        ("verdict", evidence.and_then(|e| e.verdict).map(|id| Value::str(id.to_string()))),
    ])
}

fn encode_commit(seen: &CommitSeen) -> Value<'_> {
    let ticks = Value::object([
        ("done", Some(Value::uint(seen.done_boxes))),
        ("open", Some(Value::uint(seen.open_boxes))),
    ]);
    Value::object([
        ("commit", Some(Value::str(seen.commit.to_string()))),
        ("content_tree", Some(Value::str(seen.content_tree.to_string()))),
        ("done", seen.done.then_some(Value::True)),
        ("parents", Some(oids(&seen.parents))),
        ("step", seen.step.as_ref().map(|step| Value::str(step.as_str()))),
        ("subject", Some(Value::str(seen.subject.as_str()))),
        ("ticks", Some(ticks)),
        ("tree", Some(Value::str(seen.tree.to_string()))),
        ("via", Some(Value::str(seen.via.as_str()))),
    ])
}

fn encode_report(report: &CiReport) -> Value<'_> {
    Value::object([
        ("attempt", Some(Value::uint(report.attempt))),
        ("branch", report.branch.as_deref().map(Value::str)),
        ("commit", Some(Value::str(report.commit.to_string()))),
        ("job", Some(Value::str(&*report.job))),
        ("provider", Some(Value::str(&*report.provider))),
        ("result", Some(Value::str(report.result.as_str()))),
        ("run", Some(Value::uint(report.run))),
        ("tree", report.tree.map(|oid| Value::str(oid.to_string()))),
        ("url", report.url.as_deref().map(Value::str)),
        ("workflow", Some(Value::str(&*report.workflow))),
    ])
}

fn encode_verdict(verdict: &Verdict) -> Value<'_> {
    let gates = Value::array(&verdict.gates, |gate| {
        Value::object([
            ("command", Some(Value::str(gate.command.as_str()))),
            ("digest", Some(Value::str(gate.digest.as_str()))),
            ("duration_ms", Some(Value::uint(gate.duration_ms))),
            ("exit", gate.exit.map(Value::Int)),
            ("name", Some(Value::str(gate.name.as_str()))),
            ("tail", Some(gate.tail.as_str()).filter(|tail| !tail.is_empty()).map(Value::str)),
        ])
    });
    Value::object([
        ("commit", verdict.commit.map(|oid| Value::str(oid.to_string()))),
        ("content_tree", Some(Value::str(verdict.content_tree.to_string()))),
        ("dirty", Some(Value::bool(verdict.dirty))),
        ("gates", Some(gates)),
        ("result", Some(Value::str(verdict.result.as_str()))),
        ("review", verdict.review.as_deref().map(super::runs::encode_review)),
        ("step", verdict.step.as_ref().map(|step| Value::str(step.as_str()))),
    ])
}
