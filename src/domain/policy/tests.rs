use super::*;
use crate::domain::event::{Actor, ActorKind, Body, Created, Draft, GateResult, StepChange, Verdict};
use crate::domain::fold::Outcome;
use crate::domain::id::{Digest, Oid, Ulid};
use crate::domain::ledger::{Author, Ledger};
use crate::domain::run::{RunFinished, RunKind, RunStarted, RunStatus, Usage};
use crate::domain::spec::{QaPolicy, Spec, SpecStep, Specs, StepKind, StepMore};
use crate::domain::state::Protocol;
use crate::domain::status::{ProtocolMove, StepMove, StepStatus};
use std::cell::Cell;

const CAPS: Caps = Caps { iterations: 20, depth: 3, time_ms: 60_000, tokens: None, same_failure: 9 };

fn id(text: &str) -> StepId {
    text.parse().unwrap()
}

fn a_loop(name: &str) -> StepPolicy {
    StepPolicy {
        id: name.to_owned(),
        behavior: Behavior::Loop,
        on: Vec::new(),
        max_iterations: None,
        step_back: 1,
        skip_steps: Vec::new(),
        target: None,
    }
}

fn a_call(name: &str, target: &str) -> StepPolicy {
    StepPolicy { behavior: Behavior::Trigger, target: Some(id(target)), ..a_loop(name) }
}

thread_local! {
    static NEXT: Cell<u128> = const { Cell::new(100) };
}

fn next_id() -> Ulid {
    NEXT.set(NEXT.get() + 1);
    Ulid(NEXT.get())
}

fn author(now_ms: u64) -> Author<'static> {
    let actor = Actor { kind: ActorKind::Human, name: "Ada".to_owned(), host: None };
    Author { actor: actor.into(), op: Ulid(7), now_ms, next_id: &next_id }
}

/// A running protocol of a set-up, which is completed, and four steps; the third carries `policies`.
#[expect(clippy::needless_pass_by_value, reason = "each test makes its own")]
fn ledger(policies: Vec<StepPolicy>) -> Ledger<'static> {
    let oid = Oid::from_bytes(&[1; 20]).unwrap();
    let step = |name: &str| SpecStep {
        more: StepMore {
            policies: if name == "03-c" { policies.clone() } else { Vec::new() },
            ..StepMore::default()
        }
        .into_step(),
        id: id(name),
        title: name.to_owned(),
        kind: if name == "00-s" { StepKind::Setup } else { StepKind::Work },
        file: format!("{name}.md"),
        depends_on: Vec::new(),
        qa: QaPolicy::Full,
    };
    let spec = Spec {
        title: "Add login".to_owned(),
        description: String::new(),
        steps: ["00-s", "01-a", "02-b", "03-c", "04-d"].map(step).into(),
        planner: crate::domain::spec::Planner::outline(),
        required_ci: Vec::new(),
        push_gate: false,
        taken_out: std::collections::BTreeMap::new(),
    };
    let mut ledger = Ledger::new(
        "0007-x".parse().unwrap(),
        Vec::new(),
        Specs::from([(Digest([7; 32]), spec)]),
        author(1000),
    );
    let created = Created {
        number: 7,
        slug: "x".to_owned(),
        title: "Add login".to_owned(),
        description: String::new(),
        branch: "0007-x".to_owned(),
        base: "main".to_owned(),
        base_commit: oid,
    };
    let planned = Body::Planned {
        spec: Digest([7; 32]),
        plan_commit: None,
        planner: crate::domain::spec::Planner::outline(),
    };
    for body in [Body::Created(created), planned, Body::Protocol { to: ProtocolMove::Started, reason: None }]
    {
        assert_eq!(ledger.push(Draft::new(body)), Outcome::Accepted);
    }
    for step in ["00-s", "01-a", "02-b"] {
        walk(&mut ledger, step, &[StepMove::Started, StepMove::Submitted, StepMove::Completed]);
    }
    ledger
}

fn walk(ledger: &mut Ledger<'_>, step: &str, moves: &[StepMove]) {
    for to in moves {
        let change = StepChange { to: *to, reason: None, no_commit: false, evidence: None };
        let draft = Draft { step: Some(id(step)), ..Draft::new(Body::Step(change)) };
        assert_eq!(ledger.push(draft), Outcome::Accepted, "{step} {to}");
    }
}

fn judge(ledger: &mut Ledger<'_>, step: &str, result: &str, gate: &str) {
    let oid = Oid::from_bytes(&[1; 20]).unwrap();
    let gate = GateResult {
        name: gate.to_owned(),
        command: gate.to_owned(),
        exit: Some(i64::from(result != "pass")),
        duration_ms: 1,
        digest: "0".to_owned(),
        tail: String::new(),
    };
    let verdict = Verdict {
        step: Some(id(step)),
        commit: Some(oid),
        content_tree: oid,
        dirty: false,
        result: result.to_owned(),
        gates: vec![gate],
        review: None,
    };
    ledger.push(Draft { step: Some(id(step)), ..Draft::new(Body::VerdictRecorded(verdict)) });
}

/// Lets the third step fail QA by `gate`, whatever was before.
fn fail(ledger: &mut Ledger<'_>, gate: &str) {
    let status = ledger.protocol().unwrap().step(&id("03-c")).unwrap().recorded;
    let begin: &[StepMove] =
        if status == StepStatus::Failed { &[StepMove::Retried] } else { &[StepMove::Started] };
    walk(ledger, "03-c", begin);
    walk(ledger, "03-c", &[StepMove::Submitted]);
    judge(ledger, "03-c", "fail", gate);
    walk(ledger, "03-c", &[StepMove::Failed]);
}

fn decided(ledger: &Ledger<'_>, occasion: Occasion, caps: &Caps) -> Vec<Draft> {
    let protocol = ledger.protocol().unwrap();
    decide(protocol, protocol.step(&id("03-c")).unwrap(), occasion, caps)
}

/// What was decided, in words: the kind and the policy, with what matters of each.
fn words(drafts: &[Draft]) -> Vec<String> {
    let word = |draft: &Draft| match &draft.body {
        Body::PolicyLooped(it) => {
            let steps: Vec<String> = it.steps.iter().map(ToString::to_string).collect();
            format!("loop {} to {} again {} n {}", it.policy, it.target, steps.join(","), it.iteration)
        }
        Body::PolicyTriggered(it) => format!("call {} to {} depth {}", it.policy, it.target, it.depth),
        Body::PolicyNoted(it) => format!("note {} {}", it.policy, it.code),
        other => panic!("{other:?}"),
    };
    drafts.iter().map(word).collect()
}

fn apply(ledger: &mut Ledger<'_>, drafts: Vec<Draft>) {
    for draft in drafts {
        assert_eq!(ledger.push(draft), Outcome::Accepted);
    }
}

fn status(protocol: &Protocol, step: &str) -> StepStatus {
    protocol.step(&id(step)).unwrap().recorded
}

#[test]
fn a_loop_goes_back_and_leaves_what_it_must() {
    let loops = |change: fn(&mut StepPolicy)| {
        let mut policy = a_loop("again");
        change(&mut policy);
        let mut ledger = ledger(vec![policy]);
        fail(&mut ledger, "test");
        words(&decided(&ledger, Occasion::QaFailed, &CAPS)).join("")
    };
    for (change, want) in [
        ((|_| ()) as fn(&mut StepPolicy), "loop again to 02-b again 02-b,03-c,04-d n 1"),
        (|it| it.step_back = 0, "loop again to 02-b again 02-b,03-c,04-d n 1"),
        (|it| it.skip_steps = vec![id("02-b")], "loop again to 01-a again 01-a,03-c,04-d n 1"),
        (|it| it.skip_steps = vec![id("02-b"), id("01-a")], "loop again to 03-c again 03-c,04-d n 1"),
        // The set-up stays, however far it goes back, and so does the step itself in the loop.
        (|it| it.step_back = u64::MAX, "loop again to 01-a again 01-a,02-b,03-c,04-d n 1"),
        (|it| it.skip_steps = vec![id("03-c"), id("04-d")], "loop again to 02-b again 02-b,03-c n 1"),
        (|it| it.on = vec![Occasion::ExecFailed], ""),
    ] {
        assert_eq!(loops(change), want);
    }
}

#[test]
fn what_began_again_is_judged_again() {
    let mut ledger = ledger(vec![a_loop("again")]);
    judge(&mut ledger, "02-b", "pass", "test");
    walk(&mut ledger, "04-d", &[StepMove::Started, StepMove::Blocked]);
    fail(&mut ledger, "test");
    let drafts = decided(&ledger, Occasion::QaFailed, &CAPS);
    let Body::PolicyLooped(looped) = &drafts[0].body else { panic!() };
    assert_eq!(looped.reason, "QA failed (gate test): back to step 02-b by policy again, 1");
    apply(&mut ledger, drafts.clone());
    let protocol = ledger.protocol().unwrap();
    assert_eq!(
        (status(protocol, "01-a"), status(protocol, "02-b")),
        (StepStatus::Completed, StepStatus::Pending)
    );
    // What somebody holds is held, and begins anew when it is let go.
    let held = protocol.step(&id("04-d")).unwrap();
    assert_eq!((held.recorded, held.before_block), (StepStatus::Blocked, StepStatus::Pending));
    let again = protocol.step(&id("02-b")).unwrap();
    assert!(again.verdict.as_ref().unwrap().stale && again.evidence.is_none());
    assert_eq!(again.attempt, 1);
    // Another clone saw the same verdict: it decides the same, which counts once.
    let outcome = ledger.push(drafts[0].clone());
    assert_eq!(outcome, Outcome::Duplicate);
    assert_eq!(ledger.protocol().unwrap().loops.total, 1);
    // A decision on what it saw before is no decision any more.
    let late = Draft { cause: None, ..drafts[0].clone() };
    assert!(matches!(ledger.push(late), Outcome::Rejected(_)));
}

#[test]
fn an_undo_takes_a_loop_back_and_it_is_not_decided_again() {
    let mut ledger = ledger(vec![a_loop("again")]);
    fail(&mut ledger, "test");
    let drafts = decided(&ledger, Occasion::QaFailed, &CAPS);
    apply(&mut ledger, drafts.clone());
    let event = ledger.new_events().last().unwrap().id;
    ledger.push(Draft::new(Body::Undo { targets: vec![event] }));
    let protocol = ledger.protocol().unwrap();
    assert_eq!(
        (status(protocol, "02-b"), status(protocol, "03-c")),
        (StepStatus::Completed, StepStatus::Failed)
    );
    assert_eq!(protocol.loops, crate::domain::state::Loops::default());
    assert!(decided(&ledger, Occasion::QaFailed, &CAPS).iter().all(|draft| ledger.names(draft)));
}

#[test]
fn limits_are_noted_and_the_next_policy_is_tried() {
    let once = StepPolicy { max_iterations: Some(1), ..a_loop("once") };
    let further = StepPolicy { step_back: 2, max_iterations: Some(1), ..a_loop("further") };
    let mut ledger = ledger(vec![once, further]);
    fail(&mut ledger, "a");
    let first = decided(&ledger, Occasion::QaFailed, &CAPS);
    assert_eq!(words(&first), ["loop once to 02-b again 02-b,03-c,04-d n 1"]);
    apply(&mut ledger, first);
    fail(&mut ledger, "b");
    let second = decided(&ledger, Occasion::QaFailed, &CAPS);
    assert_eq!(words(&second), ["note once limit", "loop further to 01-a again 01-a,02-b,03-c,04-d n 1"]);
    apply(&mut ledger, second);
    fail(&mut ledger, "c");
    let third = decided(&ledger, Occasion::QaFailed, &CAPS);
    assert_eq!(words(&third), ["note once limit", "note further limit"]);
    apply(&mut ledger, third);
    assert_eq!(status(ledger.protocol().unwrap(), "03-c"), StepStatus::Failed);
}

#[test]
fn caps_end_everything_and_say_why() {
    let reason = |drafts: &[Draft]| match &drafts[0].body {
        Body::PolicyNoted(noted) if noted.code == "cap" && drafts.len() == 1 => noted.reason.clone(),
        other => panic!("{other:?}"),
    };
    let mut ledger = ledger(vec![a_loop("again"), a_loop("other")]);
    fail(&mut ledger, "test");
    let none = Caps { iterations: 0, ..CAPS };
    assert!(reason(&decided(&ledger, Occasion::QaFailed, &none)).contains("loops.max_iterations is 0"));
    // The same failure, and one that is another.
    let same = Caps { same_failure: 2, ..CAPS };
    assert_eq!(words(&decided(&ledger, Occasion::QaFailed, &same)).len(), 1);
    fail(&mut ledger, "test");
    let said = reason(&decided(&ledger, Occasion::QaFailed, &same));
    assert!(said.contains("QA failed (gate test), 2 times in a row"), "{said}");
    fail(&mut ledger, "lint");
    assert!(words(&decided(&ledger, Occasion::QaFailed, &same))[0].starts_with("loop"));
    // What engines did from the first loop on.
    let drafts = decided(&ledger, Occasion::QaFailed, &CAPS);
    apply(&mut ledger, drafts);
    run(&mut ledger, RunStatus::Succeeded, 60_000, 500);
    fail(&mut ledger, "other");
    assert!(reason(&decided(&ledger, Occasion::QaFailed, &CAPS)).contains("loops.max_minutes is 1"));
    let longer = Caps { time_ms: 60_001, tokens: Some(500), ..CAPS };
    assert!(reason(&decided(&ledger, Occasion::QaFailed, &longer)).contains("loops.max_tokens is 500"));
    let more = Caps { tokens: Some(501), ..longer };
    assert!(words(&decided(&ledger, Occasion::QaFailed, &more))[0].starts_with("loop"));
}

fn run(ledger: &mut Ledger<'_>, status: RunStatus, duration_ms: u64, tokens: u64) {
    let run = next_id();
    let started = RunStarted {
        run,
        kind: RunKind::Step,
        engine: "codex".to_owned(),
        model: None,
        prompt: Digest([1; 32]),
        template: None,
        estimate: 1,
    };
    let finished = RunFinished {
        run,
        status,
        message: "no".to_owned(),
        usage: Usage { input_tokens: Some(tokens), ..Usage::default() },
        duration_ms,
        session: None,
        exit: None,
        changed: Vec::new(),
        log: None,
    };
    for body in [Body::RunStarted(started), Body::RunFinished(finished)] {
        ledger.push(Draft { step: Some(id("03-c")), ..Draft::new(body) });
    }
}

#[test]
fn runs_that_fail_alike_end_the_loop() {
    let policy = StepPolicy { on: vec![Occasion::ExecFailed], ..a_loop("again") };
    let mut ledger = ledger(vec![policy]);
    walk(&mut ledger, "03-c", &[StepMove::Started]);
    run(&mut ledger, RunStatus::Refused, 1, 1);
    walk(&mut ledger, "03-c", &[StepMove::Failed]);
    let caps = Caps { same_failure: 2, ..CAPS };
    assert!(words(&decided(&ledger, Occasion::ExecFailed, &caps))[0].starts_with("loop"));
    run(&mut ledger, RunStatus::Crashed, 1, 1);
    assert!(words(&decided(&ledger, Occasion::ExecFailed, &caps))[0].starts_with("loop"));
    run(&mut ledger, RunStatus::Crashed, 1, 1);
    assert_eq!(words(&decided(&ledger, Occasion::ExecFailed, &caps)), ["note again cap"]);
}

#[test]
fn a_call_goes_to_a_step_that_can_still_be_done() {
    let policies = vec![
        a_call("self", "03-c"),
        a_call("gone", "77-x"),
        a_call("over", "01-a"),
        a_call("next", "04-d"),
        a_call("never", "04-d"),
    ];
    let mut ledger = ledger(policies);
    walk(&mut ledger, "03-c", &[StepMove::Started, StepMove::Submitted]);
    judge(&mut ledger, "03-c", "pass", "test");
    walk(&mut ledger, "03-c", &[StepMove::Completed]);
    assert_eq!(words(&decided(&ledger, Occasion::ExecCompleted, &CAPS)), [""; 0]);
    let drafts = decided(&ledger, Occasion::QaPassed, &CAPS);
    assert_eq!(
        words(&drafts),
        ["note self missing", "note gone missing", "note over settled", "call next to 04-d depth 1"]
    );
    apply(&mut ledger, drafts);
    let protocol = ledger.protocol().unwrap();
    assert_eq!(protocol.loops.depths.get(&id("04-d")), Some(&1));
    assert_eq!(status(protocol, "04-d"), StepStatus::Pending);
    assert!(protocol.step(&id("04-d")).unwrap().reason.as_ref().unwrap().contains("by policy next"));
    let shallow = Caps { depth: 0, ..CAPS };
    assert_eq!(words(&decided(&ledger, Occasion::QaPassed, &shallow)).last().unwrap(), "note next depth");
}

#[test]
fn a_protocol_that_somebody_holds_goes_nowhere() {
    let mut ledger = ledger(vec![a_loop("again")]);
    fail(&mut ledger, "test");
    ledger.push(Draft::new(Body::Protocol { to: ProtocolMove::Paused, reason: None }));
    assert_eq!(decided(&ledger, Occasion::QaFailed, &CAPS), []);
}

#[test]
fn failures_are_alike_by_what_is_wrong() {
    use crate::domain::review::{Finding, Review, Severity};
    let finding = |severity, line, message: &str| Finding {
        severity,
        path: Some("src/a.rs".to_owned()),
        line: Some(line),
        message: message.to_owned(),
    };
    let verdict = |findings: Vec<Finding>| Verdict {
        step: None,
        commit: None,
        content_tree: Oid::from_bytes(&[1; 20]).unwrap(),
        dirty: false,
        result: "fail".to_owned(),
        gates: Vec::new(),
        review: Some(Box::new(Review {
            run: Ulid(1),
            engine: "x".to_owned(),
            model: None,
            said: "fail".to_owned(),
            result: "fail".to_owned(),
            downgraded: None,
            structured: true,
            findings,
        })),
    };
    let one = verdict(vec![finding(Severity::Blocking, 3, "it  is wrong"), finding(Severity::Note, 1, "hm")]);
    let two = verdict(vec![finding(Severity::Blocking, 9, "it is wrong")]);
    let other = verdict(vec![finding(Severity::Blocking, 3, "it is slow")]);
    assert_eq!(failure(&one), failure(&two));
    assert_ne!(failure(&one), failure(&other));
    assert_eq!(failure(&Verdict { result: "pass".to_owned(), ..one }), None);
}
