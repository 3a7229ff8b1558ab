//! Many clones at once, simulated: nothing is lost, everybody comes to rest, and all agree.
//!
//! `cargo run --example simulate` does the same for as many seeds and steps as there is time for.

use std::collections::BTreeMap;

use git_godzilla::domain::ci::JobResult;
use git_godzilla::domain::event::{
    Actor, ActorKind, Body, Cause, CiReport, CommitSeen, Created, Event, StepChange, Via,
};
use git_godzilla::domain::fold::{Folded, Outcome as FoldOutcome};
use git_godzilla::domain::id::{Oid, StepId, Ulid};
use git_godzilla::domain::spec::{Planner, QaPolicy, Spec, SpecStep, StepKind};
use git_godzilla::domain::status::StepMove;
use git_godzilla::service::streams::folded;
use git_godzilla::store::content::Line;
use git_godzilla::store::spec;

use super::support::simulation::{
    Broken, Config, Content, Outcome, automation_repeats, newest_report_counts, order_matters, possible,
    root_is_the_first, run, shrink, steps,
};

const FRIENDLY: Config = Config {
    n_clones: 6,
    n_remotes: 2,
    n_steps: 200,
    hostile: false,
    gates: true,
    mixed: true,
    only: &[],
    broken: None,
};
const HOSTILE: Config = Config { hostile: true, gates: false, mixed: false, ..FRIENDLY };

/// What goes wrong by itself.
const ACCIDENTS: &[&str] = &[
    "killed",
    "meanwhile",
    "no room on the disk",
    "a hook spooled",
    "lost after the server acted",
    "refused by a hook",
    "sync fell back to a drop box",
    "purge",
    "a plan without a text",
];

/// Runs a seed; one that breaks a promise is told with a short list of steps that does.
#[track_caller]
fn assert_sound(seed: u64, config: &Config) -> Outcome {
    let steps = steps(seed, config);
    let outcome = run(config, &steps);
    if let Some(violation) = outcome.violation {
        let (steps, violation) = shrink(config, steps, violation);
        let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
        panic!("seed {seed} of {config:?} breaks a promise: {violation}\n{}", steps.join("\n"));
    }
    outcome
}

/// What happened in these runs, by how often it did.
#[track_caller]
fn counts(runs: &[(u64, Config)]) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for (what, count) in runs.iter().flat_map(|(seed, config)| assert_sound(*seed, config).counts) {
        *all.entry(what).or_default() += count;
    }
    all
}

/// A row of the table that never does anything proves nothing.
#[track_caller]
fn assert_happened<'n>(counts: &BTreeMap<String, usize>, names: impl Iterator<Item = &'n str>) {
    let never: Vec<&str> = names.filter(|name| !counts.contains_key(*name)).collect();
    assert!(never.is_empty(), "{never:?} never happened: {counts:#?}");
}

/// A few clones in which only this happens.
fn only(rows: &'static [&'static str], n_clones: usize) -> Config {
    Config { n_clones, n_steps: 60, gates: false, mixed: false, only: rows, ..FRIENDLY }
}

#[test]
fn clones_that_only_work_lose_nothing_and_agree() {
    let counts = counts(&[
        (0, FRIENDLY),
        (0, only(&["plan", "cancel", "archive", "unarchive", "sync"], 3)),
        (0, only(&["plan", "commit", "amend", "act"], 1)),
        (1, only(&["plan", "commit", "amend", "act"], 1)),
        (0, Config { gates: true, ..only(&["plan", "act", "sync", "redact", "be busy"], 3) }),
    ]);
    let rows = possible(&FRIENDLY).map(|(_, action)| action.name);
    assert_happened(&counts, rows.chain(ACCIDENTS.iter().copied()));
}

#[test]
fn hostile_hands_take_nothing_that_anybody_holds() {
    const HANDS: &[&str] =
        &["plan", "sync", "leap", "forge an id", "newer tool", "foreign events", "force to a subset"];
    let counts =
        counts(&[(0, HOSTILE), (1, HOSTILE), (0, Config { hostile: true, mixed: false, ..only(HANDS, 3) })]);
    let rows = possible(&HOSTILE).map(|(_, action)| action.name);
    assert_happened(
        &counts,
        rows.filter(|name| !possible(&FRIENDLY).any(|(_, action)| action.name == *name)),
    );
}

#[test]
fn a_strict_server_keeps_out_what_hostile_hands_do_elsewhere() {
    assert_sound(0, &Config { gates: true, ..HOSTILE });
}

/// After a purge two remotes hold one archive with commits that know nothing of each other.
#[test]
fn archives_that_say_the_same_are_not_followed_in_turn() {
    let only = &["plan", "cancel", "archive", "sync", "redact"];
    let config = Config { n_clones: 3, n_steps: 40, gates: false, mixed: false, only, ..FRIENDLY };
    (0..3).for_each(|seed| drop(assert_sound(seed, &config)));
}

/// Two protocols of one name, one of which holds an event that the older release must not pass over.
#[test]
fn what_may_not_move_is_not_copied_for_ever() {
    let only = &["plan", "critical event", "sync", "undo"];
    let config = Config { n_clones: 3, n_steps: 24, gates: false, only, ..FRIENDLY };
    (0..3).for_each(|seed| drop(assert_sound(seed, &config)));
}

#[test]
fn twenty_four_clones_and_three_remotes_agree() {
    assert_sound(1, &Config { n_clones: 24, n_remotes: 3, n_steps: 120, ..HOSTILE });
}

#[test]
fn a_seed_is_one_run() {
    let config = Config { n_steps: 60, ..HOSTILE };
    let [one, other] = [0, 0].map(|seed| run(&config, &steps(seed, &config)));
    assert_eq!((one.result, one.counts), (other.result, other.counts));
    assert_ne!(run(&config, &steps(1, &config)).result, String::new());
}

/// A check that nothing can fail checks nothing.
#[test]
fn every_check_finds_what_is_broken() {
    let mut wrong = Vec::new();
    for (broken, check, only) in Broken::ALL {
        let mixed = *broken == Broken::CarelessRelease;
        let broken = Some(*broken);
        let config = Config { n_clones: 3, n_steps: 20, gates: false, mixed, only, broken, ..FRIENDLY };
        let mut found = (0..20).filter_map(|seed| run(&config, &steps(seed, &config)).violation);
        let first = found.next();
        if first.as_ref().is_none_or(|found| found.check != *check) {
            wrong.push(format!("{broken:?} is to break `{check}`, and does {first:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_run_that_fails_is_made_short() {
    let config = Config { n_clones: 3, n_steps: 60, broken: Some(Broken::ForgetfulServer), ..FRIENDLY };
    let (steps, violation) = (0..20)
        .map(|seed| steps(seed, &config))
        .find_map(|steps| run(&config, &steps).violation.map(|violation| (steps, violation)))
        .unwrap();
    let (short, still) = shrink(&config, steps, violation.clone());
    assert_eq!(still.check, violation.check);
    // Somebody plans, somebody commits, and a job reports about it.
    assert!(short.len() <= 4, "{short:?}");
    assert!(short.iter().any(|step| step.to_string().contains(" report ")), "{short:?}");
}

fn event(id: u128, clock: u64, body: Body) -> Event {
    Event {
        id: Ulid(id),
        clock,
        at_ms: 0,
        op: None,
        protocol: Some("0007-x".parse().unwrap()),
        root: Some(Ulid(1)),
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

fn created(id: u128, clock: u64) -> Event {
    let body = Created {
        number: 7,
        slug: "x".to_owned(),
        title: "Do it".to_owned(),
        description: String::new(),
        branch: "0007-x".to_owned(),
        base: "main".to_owned(),
        base_commit: oid(0),
    };
    Event { root: Some(Ulid(id)), ..event(id, clock, Body::Created(body)) }
}

fn oid(n: u8) -> Oid {
    Oid::from_bytes(&[n; 20]).unwrap()
}

fn report(id: u128, run: u64) -> Event {
    let report = CiReport {
        provider: "plain".into(),
        workflow: "".into(),
        job: "test".into(),
        run,
        attempt: 1,
        result: JobResult::Success,
        commit: oid(1),
        tree: None,
        branch: None,
        url: None,
    };
    event(id, 0, Body::CiReported(report))
}

/// A protocol with one step and one commit of it, and `more`.
fn content(more: Vec<Event>) -> Content {
    let step: StepId = "01-a".parse().unwrap();
    let (digest, plan) = spec::encode(&Spec {
        title: "Do it".to_owned(),
        description: String::new(),
        steps: vec![SpecStep {
            more: None,
            id: step.clone(),
            title: "a".to_owned(),
            kind: StepKind::Work,
            file: "01-a.md".to_owned(),
            depends_on: Vec::new(),
            qa: QaPolicy::Skip,
        }],
        planner: Planner::outline(),
        required_ci: Vec::new(),
        push_gate: false,
        taken_out: BTreeMap::new(),
    });
    let planned = Body::Planned { spec: digest, plan_commit: None, planner: Planner::outline() };
    let seen = Body::CommitSeen(CommitSeen {
        commit: oid(1),
        tree: oid(2),
        content_tree: oid(2),
        parents: Vec::new(),
        step: Some(step),
        via: Via::Tag,
        open_boxes: 0,
        done_boxes: 0,
        done: false,
        subject: "work".to_owned(),
    });
    let mut content = Content::default();
    content.specs.insert(digest, plan);
    let planned = Event { from: Some("pending".to_owned()), ..event(2, 2, planned) };
    let all = [created(1, 1), planned, event(3, 3, seen)].into_iter().chain(more);
    all.for_each(|event| content.add(Line::new(event)));
    content.normalize();
    content
}

#[test]
fn an_older_report_that_counts_is_found() {
    let older = content(vec![report(10, 1)]);
    let both = content(vec![report(10, 1), report(11, 2)]);
    let right = folded(&both, None);
    assert_eq!(newest_report_counts(&both, &right), None);
    let wrong = Folded { protocol: folded(&older, None).protocol, ..right };
    assert!(newest_report_counts(&both, &wrong).is_some());
}

#[test]
fn a_twin_that_holds_the_name_is_found() {
    let both = content(vec![created(20, 5)]);
    assert_eq!(root_is_the_first(&both, &folded(&both, None)), None);
    assert!(root_is_the_first(&both, &folded(&both, Some(Ulid(20)))).is_some());
    let mut counted = folded(&both, None);
    counted.outcomes.fill(FoldOutcome::Accepted);
    assert!(root_is_the_first(&both, &counted).is_some());
}

#[test]
fn an_order_that_matters_is_found() {
    let one = content(vec![report(10, 1)]);
    assert_eq!(order_matters(&one, &folded(&one, None)), None);
    assert!(order_matters(&one, &folded(&content(Vec::new()), None)).is_some());
}

#[test]
fn automation_that_repeats_what_was_undone_is_found() {
    let change = StepChange { to: StepMove::Started, reason: None, no_commit: false, evidence: None };
    let started = |id, clock| Event {
        step: Some("01-a".parse().unwrap()),
        attempt: Some(0),
        from: Some("pending".to_owned()),
        cause: Some(Cause::commit(oid(1))),
        ..event(id, clock, Body::Step(change.clone()))
    };
    let undo = event(31, 5, Body::Undo { targets: vec![Ulid(30)] });
    let again = Line::new(started(32, 6));
    let is_new = |text: &str| *text == *again.text;
    let repeated = content(vec![started(30, 4), undo, started(32, 6)]);
    assert!(automation_repeats(&repeated, &is_new).is_some());
    assert_eq!(automation_repeats(&repeated, &|_| false), None);
    let not_undone = content(vec![started(30, 4), started(32, 6)]);
    assert_eq!(automation_repeats(&not_undone, &is_new), None);
}
