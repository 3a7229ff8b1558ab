//! Random events of one stream: decisions, facts, undo, twins, leaps of the clock, repeated ids.

use std::collections::BTreeMap;

use git_godzilla::domain::ci::JobResult;
use git_godzilla::domain::event::{
    Actor, ActorKind, Body, Cause, CiReport, CommitSeen, Created, Event, MergeDetected, Moved, StepChange,
    Verdict, Via,
};
use git_godzilla::domain::id::{Digest, Name, Oid, StepId, Ulid};
use git_godzilla::domain::policy::{Looped, Occasion, Triggered};
use git_godzilla::domain::spec::{Planner, QaPolicy, Spec, SpecStep, StepKind};
use git_godzilla::domain::status::{ProtocolMove, StepMove, StepStatus};
use git_godzilla::store::spec;
use proptest::prelude::*;
use proptest::sample::select;

const ROOT: Ulid = Ulid(1);
const WITHOUT_MEANING: [&str; 3] = ["run.started", "policy.changed", "step.teleported"];
const POLICIES: [&str; 2] = ["again", "next"];
const STEPS: [&str; 3] = ["01-a", "02-b", "03-c"];

pub(super) fn oid(n: u8) -> Oid {
    Oid::from_bytes(&[n; 20]).unwrap()
}

/// Two plans of different length.
fn plans() -> [(Digest, String); 2] {
    [3, 2].map(|n_steps| {
        let steps = STEPS[..n_steps].iter().enumerate().map(|(idx, id)| SpecStep {
            more: None,
            id: id.parse().unwrap(),
            title: (*id).to_owned(),
            kind: StepKind::Work,
            file: format!("{id}.md"),
            depends_on: STEPS[..idx].last().map(|id| id.parse().unwrap()).into_iter().collect(),
            qa: QaPolicy::Skip,
        });
        spec::encode(&Spec {
            title: "Add login".to_owned(),
            description: String::new(),
            steps: steps.collect(),
            planner: Planner::outline(),
            required_ci: Vec::new(),
            push_gate: false,
            taken_out: BTreeMap::new(),
        })
    })
}

pub(super) fn specs() -> BTreeMap<Digest, String> {
    BTreeMap::from(plans())
}

pub(super) fn event_of(id: Ulid, clock: u64, body: Body) -> Event {
    Event {
        id,
        clock,
        at_ms: clock % 1000,
        op: None,
        protocol: Some("0007-x".parse().unwrap()),
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

fn created() -> Body {
    Body::Created(Created {
        number: 7,
        slug: "x".to_owned(),
        title: "Add login".to_owned(),
        description: String::new(),
        branch: "0007-x".to_owned(),
        base: "main".to_owned(),
        base_commit: oid(0),
    })
}

fn planned(digest: Digest) -> Body {
    Body::Planned { spec: digest, plan_commit: None, planner: Planner::outline() }
}

fn id() -> impl Strategy<Value = Ulid> {
    (10_u128..40).prop_map(Ulid)
}

fn clock() -> impl Strategy<Value = u64> {
    prop_oneof![40 => 0_u64..30, 2 => 900_000_u64..1_000_100, 1 => 1_800_000_u64..2_000_000, 1 => Just(u64::MAX)]
}

fn commit() -> impl Strategy<Value = Oid> {
    (1_u8..8).prop_map(oid)
}

fn step_id() -> impl Strategy<Value = StepId> {
    select(&STEPS[..]).prop_map(|id| id.parse().unwrap())
}

fn commit_seen() -> impl Strategy<Value = Body> {
    let parents = prop::collection::vec(commit(), 0..2);
    (commit(), parents, prop::option::of(step_id()), 1_u8..4).prop_map(|(commit, parents, step, tree)| {
        Body::CommitSeen(CommitSeen {
            commit,
            tree: oid(tree),
            content_tree: oid(tree),
            parents,
            step,
            via: Via::Tag,
            open_boxes: 0,
            done_boxes: 1,
            done: false,
            subject: "a commit".to_owned(),
        })
    })
}

fn ci_report() -> impl Strategy<Value = Body> {
    let result = select(JobResult::ALL);
    (commit(), prop::option::of(1_u8..4), 0_u64..3, result).prop_map(|(commit, tree, run, result)| {
        Body::CiReported(CiReport {
            provider: "plain".into(),
            workflow: "".into(),
            job: "test".into(),
            run,
            attempt: 1,
            result,
            commit,
            tree: tree.map(oid),
            branch: None,
            url: None,
        })
    })
}

fn looped() -> impl Strategy<Value = Body> {
    let steps = prop::collection::vec(step_id(), 1..4);
    (select(&POLICIES[..]), step_id(), steps, 1_u64..4).prop_map(|(policy, target, steps, iteration)| {
        Body::PolicyLooped(Looped {
            policy: policy.to_owned(),
            occasion: Occasion::QaFailed,
            target,
            steps,
            iteration,
            max: Some(3),
            reason: "QA failed".to_owned(),
        })
    })
}

fn triggered() -> impl Strategy<Value = Body> {
    (select(&POLICIES[..]), step_id(), 1_u64..9).prop_map(|(policy, target, depth)| {
        Body::PolicyTriggered(Triggered {
            policy: policy.to_owned(),
            occasion: Occasion::QaPassed,
            target,
            depth,
            reason: "QA passed".to_owned(),
        })
    })
}

fn verdict() -> impl Strategy<Value = Body> {
    (prop::option::of(commit()), 1_u8..4, select(&["pass", "fail", "error"][..])).prop_map(
        |(commit, tree, result)| {
            Body::VerdictRecorded(Verdict {
                step: None,
                commit,
                content_tree: oid(tree),
                dirty: false,
                result: result.to_owned(),
                gates: Vec::new(),
                review: None,
            })
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    let merged = MergeDetected {
        rule: "ancestry".to_owned(),
        into: "refs/heads/main".to_owned(),
        commit: oid(9),
        tip: oid(8),
    };
    prop_oneof![
        12 => select(StepMove::ALL).prop_map(|to| {
            Body::Step(StepChange { to, reason: None, no_commit: false, evidence: None })
        }),
        4 => select(ProtocolMove::ALL)
            .prop_filter("has a body", |to| *to != ProtocolMove::Planned)
            .prop_map(|to| Body::Protocol { to, reason: None }),
        5 => commit_seen(),
        2 => (commit(), commit())
            .prop_map(|(old, new)| Body::CommitRewritten { old, new, kind: "amend".to_owned() }),
        2 => (commit(), prop::collection::vec(commit(), 0..4)).prop_map(|(tip, gone)| Body::BranchTip { tip, gone }),
        4 => ci_report(),
        1 => Just(Body::MergeDetected(merged)),
        4 => prop::collection::vec(id(), 1..3).prop_map(|targets| Body::Undo { targets }),
        1 => Just(created()),
        1 => select(vec![plans()[0].0, plans()[1].0, Digest([9; 32])])
            .prop_map(|spec| Body::SpecChanged { spec, commit: None }),
        1 => Just(planned(plans()[0].0)),
        1 => any::<bool>().prop_map(|on| Body::Pinned { on }),
        1 => (select(&[ROOT, Ulid(20)][..]), 8_u64..10).prop_map(|(root, number)| {
            let name = |number| Name::new(number, "x").unwrap();
            Body::Moved(Moved { root, from: name(7), to: name(number) })
        }),
        1 => (7_u64..9).prop_map(|number| Body::Renumbered { number, slug: "x".to_owned() }),
        1 => Just(Body::NoteAdded { text: "a note".to_owned() }),
        1 => select(&WITHOUT_MEANING[..]).prop_map(Body::without_meaning),
        3 => looped(),
        2 => triggered(),
        2 => verdict(),
    ]
}

/// An event that may be of ours, of a twin, or (a fact) of a writer without state.
pub(super) fn event() -> impl Strategy<Value = Event> {
    let from = prop::option::weighted(0.2, select(StepStatus::ALL));
    let attempt = prop::option::weighted(0.2, 0_u64..3);
    let cause = prop::option::weighted(0.2, commit());
    (id(), clock(), 0_u8..8, step_id(), from, attempt, cause, body()).prop_map(
        |(id, clock, root, step, from, attempt, cause, body)| {
            let root = match (&body, root) {
                (Body::Created(_), _) => Some(id),
                (body, 0) if body.is_fact() => None,
                (_, 1) => Some(Ulid(20)),
                _ => Some(ROOT),
            };
            let has_step = matches!(
                body,
                Body::Step(_) | Body::PolicyLooped(_) | Body::PolicyTriggered(_) | Body::VerdictRecorded(_)
            );
            let step = has_step.then_some(step);
            let from = from.map(|status| status.to_string());
            let cause = cause.map(Cause::commit);
            Event { root, step, from, attempt, cause, ..event_of(id, clock, body) }
        },
    )
}

/// A protocol that was created, planned and started.
pub(super) fn begun() -> Vec<Event> {
    let begun =
        [created(), planned(plans()[0].0), Body::Protocol { to: ProtocolMove::Started, reason: None }];
    (1..).zip(begun).map(|(n, body)| event_of(Ulid(n.into()), n, body)).collect()
}

/// The same, and what else happened, in any order.
pub(super) fn history() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(event(), 0..32).prop_map(|more| begun().into_iter().chain(more).collect())
}
