//! The rules of the fold, one test each, named after the rule.

mod commands;
mod commits;
mod facts;
mod order;
mod undo;

use super::*;
use crate::domain::ci::JobResult;
use crate::domain::event::{
    Actor, ActorKind, Cause, CiReport, CommitSeen, Created, MergeDetected, Moved, StepChange, Verdict, Via,
};
use crate::domain::id::{Digest, Name, Oid, StepId};
use crate::domain::spec::{Planner, QaPolicy, Spec, SpecStep, StepKind};
use crate::domain::status::{ProtocolMove, ProtocolStatus, StepMove, StepStatus};

const ROOT: Ulid = Ulid(1);
const A: &str = "01-a";
const B: &str = "02-b";

fn oid(n: u8) -> Oid {
    Oid::from_bytes(&[n; 20]).unwrap()
}

fn step_id(id: &str) -> StepId {
    id.parse().unwrap()
}

fn specs() -> Specs {
    let step = |id: &str, before: Option<&str>| SpecStep {
        more: None,
        id: step_id(id),
        title: id.to_owned(),
        kind: StepKind::Work,
        file: format!("{id}.md"),
        depends_on: before.map(step_id).into_iter().collect(),
        qa: QaPolicy::Skip,
    };
    let spec = Spec {
        title: "Add login".to_owned(),
        description: String::new(),
        steps: vec![step(A, None), step(B, Some(A)), step("03-c", Some(B))],
        planner: Planner::outline(),
        required_ci: Vec::new(),
        push_gate: false,
        taken_out: std::collections::BTreeMap::new(),
    };
    Specs::from([(Digest([7; 32]), spec)])
}

/// An event that is number `n` in id and clock.
fn event(n: u64, body: Body) -> Event {
    Event {
        id: Ulid(n.into()),
        clock: n,
        at_ms: n,
        op: None,
        protocol: None,
        root: Some(ROOT),
        actor: Actor { kind: ActorKind::Human, name: "Ada".to_owned(), host: None }.into(),
        step: None,
        attempt: None,
        from: None,
        cause: None,
        critical: false,
        redacts: None,
        body,
    }
}

fn at(clock: u64, event: Event) -> Event {
    Event { clock, ..event }
}

fn of(root: impl Into<Option<Ulid>>, event: Event) -> Event {
    Event { root: root.into(), ..event }
}

fn caused(cause: &str, event: Event) -> Event {
    Event { cause: Some(Cause(cause.to_owned())), ..event }
}

fn created(n: u64) -> Event {
    let created = Created {
        number: 7,
        slug: "x".to_owned(),
        title: "Add login".to_owned(),
        description: String::new(),
        branch: "0007-x".to_owned(),
        base: "main".to_owned(),
        base_commit: oid(0),
    };
    of(Ulid(n.into()), event(n, Body::Created(created)))
}

fn planned(n: u64) -> Event {
    let body = Body::Planned { spec: Digest([7; 32]), plan_commit: None, planner: Planner::outline() };
    Event { from: Some("pending".to_owned()), ..event(n, body) }
}

fn moved(n: u64, to: ProtocolMove) -> Event {
    event(n, Body::Protocol { to, reason: None })
}

fn step(n: u64, id: &str, to: StepMove) -> Event {
    let change = StepChange { to, reason: None, no_commit: false, evidence: None };
    Event { step: Some(step_id(id)), ..event(n, Body::Step(change)) }
}

fn saw(from: &str, attempt: u64, event: Event) -> Event {
    Event { from: Some(from.to_owned()), attempt: Some(attempt), ..event }
}

fn undo(n: u64, targets: &[u64]) -> Event {
    event(n, Body::Undo { targets: targets.iter().map(|n| Ulid((*n).into())).collect() })
}

/// A commit whose tree is its own id.
fn commit(n: u64, commit: u8, step: Option<&str>, parents: &[u8]) -> Event {
    let seen = CommitSeen {
        commit: oid(commit),
        tree: oid(commit),
        content_tree: oid(commit),
        parents: parents.iter().map(|n| oid(*n)).collect(),
        step: step.map(step_id),
        via: Via::Tag,
        open_boxes: 0,
        done_boxes: 0,
        done: false,
        subject: String::new(),
    };
    event(n, Body::CommitSeen(seen))
}

fn rewritten(n: u64, old: u8, new: u8) -> Event {
    event(n, Body::CommitRewritten { old: oid(old), new: oid(new), kind: "amend".to_owned() })
}

fn tip(n: u64, tip: u8, gone: &[u8]) -> Event {
    event(n, Body::BranchTip { tip: oid(tip), gone: gone.iter().map(|n| oid(*n)).collect() })
}

fn merge(n: u64) -> Event {
    let merged = MergeDetected {
        rule: "ancestry".to_owned(),
        into: "refs/heads/main".to_owned(),
        commit: oid(99),
        tip: oid(98),
    };
    event(n, Body::MergeDetected(merged))
}

fn ci(n: u64, commit: u8, run: u64, result: JobResult) -> Event {
    let report = CiReport {
        provider: "plain".into(),
        workflow: "".into(),
        job: "test".into(),
        run,
        attempt: 1,
        result,
        commit: oid(commit),
        tree: None,
        branch: None,
        url: None,
    };
    event(n, Body::CiReported(report))
}

/// Created, planned and started: events 1, 2 and 3.
fn begun() -> Vec<Event> {
    vec![created(1), planned(2), moved(3, ProtocolMove::Started)]
}

fn begun_with(more: impl IntoIterator<Item = Event>) -> Vec<Event> {
    begun().into_iter().chain(more).collect()
}

/// A fold and the events that it is of, in their order.
struct Told {
    events: Vec<Event>,
    folded: Folded,
}

fn tell(events: Vec<Event>) -> Told {
    tell_of(None, events)
}

fn tell_of(root: Option<u64>, mut events: Vec<Event>) -> Told {
    events.sort_by_key(|event| (event.clock, event.id));
    let folded = fold_root(&events, &specs(), root.map(|n| Ulid(n.into())));
    Told { events, folded }
}

impl Told {
    fn protocol(&self) -> &Protocol {
        self.folded.protocol.as_ref().unwrap()
    }

    #[track_caller]
    fn step(&self, id: &str) -> &crate::domain::state::Step {
        self.protocol().step(&step_id(id)).unwrap()
    }

    /// What became of event `n`, as `log` says it.
    #[track_caller]
    fn outcome(&self, n: u64) -> &'static str {
        let place = self.events.iter().position(|event| event.id == Ulid(n.into())).unwrap();
        self.folded.outcomes[place].as_str()
    }

    fn outcomes(&self, ns: &[u64]) -> Vec<&'static str> {
        ns.iter().map(|n| self.outcome(*n)).collect()
    }

    /// The commits of a step that count, by number.
    #[track_caller]
    fn commits(&self, id: &str) -> Vec<u8> {
        self.step(id).commits.iter().map(|oid| oid.as_bytes()[0]).collect()
    }
}
