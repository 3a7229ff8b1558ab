//! Laws of streams over random sets of events: one set has one meaning and one form, however it
//! came together.

mod any;
mod archive;
mod forward;
mod redaction;
mod segments;
mod undo;
mod union;

use git_godzilla::domain::event::{ActorKind, Body, Draft, Event};
use git_godzilla::domain::fold::{Outcome, fold};
use git_godzilla::domain::id::{Oid, Ulid};
use git_godzilla::domain::ledger::{Author, Ledger};
use git_godzilla::domain::status::{ProtocolMove, StepStatus};
use git_godzilla::platform::git::Repo;
use git_godzilla::store::content::{Content, Line};
use git_godzilla::store::tip;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::dir_in_memory;

/// A repository to write objects to.
struct World {
    _dir: tempfile::TempDir,
    repo: Repo,
}

impl World {
    fn new() -> Self {
        Self::of("sha1")
    }

    #[expect(clippy::disallowed_methods, reason = "the repository is made by git itself")]
    fn of(hash: &str) -> Self {
        let dir = dir_in_memory();
        let init = ["init", "--quiet", "--bare", "--object-format", hash, "."];
        let status = std::process::Command::new("git").args(init).current_dir(dir.path()).status().unwrap();
        assert!(status.success());
        let repo = Repo::discover(dir.path()).unwrap();
        Self { _dir: dir, repo }
    }

    /// Writes content with its state, as every write of a stream does.
    fn write(&self, content: &Content) -> Oid {
        let protocol = fold(&content.events(), &content.decoded_specs()).protocol;
        tip::write(&self.repo, content, protocol.as_ref()).unwrap()
    }
}

fn check<S: Strategy>(cases: u32, strategy: &S, law: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config).run(strategy, law).unwrap();
}

/// The content that holds `events` and every plan.
fn content(events: &[Event]) -> Content {
    let mut content = Content::default();
    content.specs = any::specs();
    for event in events {
        content.add(Line::new(event.clone()));
    }
    content.normalize();
    content
}

#[test]
fn g2_one_set_has_one_fold_and_one_tree_in_any_order_split_and_repetition() {
    let world = World::new();
    let split = any::history().prop_flat_map(|history| {
        let n_events = history.len();
        let shares = prop::collection::vec(1_u8..8, n_events);
        (Just(history.clone()), Just(history).prop_shuffle(), shares, Just([0, 1, 2]).prop_shuffle())
    });
    check(96, &split, |(history, shuffled, shares, order)| {
        let whole = content(&history);
        let parts = [1, 2, 4].map(|bit| {
            let share = shuffled.iter().zip(&shares).filter(|(_, share)| *share & bit != 0);
            content(&share.map(|(event, _)| event.clone()).collect::<Vec<_>>())
        });
        let mut united = Content::default();
        for idx in order {
            united.unite(&parts[idx]);
        }
        prop_assert_eq!(&united, &whole);
        let (specs, events) = (whole.decoded_specs(), whole.events());
        prop_assert_eq!(fold(&united.events(), &specs), fold(&events, &specs));
        let tree = world.write(&whole);
        prop_assert_eq!(world.write(&united), tree);
        prop_assert_eq!(tip::read(&world.repo, tree).unwrap(), whole);
        Ok(())
    });
}

#[test]
fn appending_equals_folding_all() {
    let new = prop::collection::vec(any::event(), 1..8);
    check(96, &(any::history(), new), |(history, new)| {
        let mut content = content(&history);
        let next = std::cell::Cell::new(1000_u128);
        let next_id = || Ulid(next.replace(next.get() + 1));
        let actor =
            git_godzilla::domain::event::Actor { kind: ActorKind::Human, name: "A".into(), host: None };
        let author = Author { actor: actor.into(), op: Ulid(7), now_ms: 5, next_id: &next_id };
        let name = "0007-x".parse().unwrap();
        let mut ledger = Ledger::new(name, content.events(), content.decoded_specs(), author);
        for event in new {
            let before = ledger.folded().top_clock;
            let draft = Draft {
                step: event.step,
                attempt: event.attempt,
                from: event.from,
                cause: event.cause,
                ..Draft::new(event.body)
            };
            let outcome = ledger.push(draft);
            let pushed = ledger.new_events().last().unwrap().clone();
            prop_assert_eq!(pushed.clock, before + 1);
            prop_assert_ne!(&outcome, &Outcome::Quarantined);
            content.add(Line::new(pushed));
            content.normalize();
            prop_assert_eq!(ledger.events(), &content.events()[..]);
            prop_assert_eq!(ledger.folded(), &fold(&content.events(), &content.decoded_specs()));
        }
        Ok(())
    });
}

/// What a decision moved stays where it is, whatever follows it in the order, unless it is undone, the
/// protocol reopened, or a policy makes completed steps begin again; those that were given up never do.
#[test]
fn no_history_breaks_the_state_machines() {
    check(96, &any::history(), |mut history| {
        history.retain(|event| match &event.body {
            // Nor does another protocol of the same name take its place.
            Body::Undo { .. } | Body::Moved(_) => false,
            Body::Protocol { to, .. } => *to != ProtocolMove::Reopened,
            _ => true,
        });
        let content = content(&history);
        let (events, specs) = (content.events(), content.decoded_specs());
        let mut before = None;
        for n_events in 0..=events.len() {
            let now = fold(&events[..n_events], &specs).protocol;
            if let (Some(before), Some(now)) = (&before, &now) {
                follows(before, now, n_events.checked_sub(1).map(|idx| &events[idx].body))?;
            }
            before = now.or(before);
        }
        Ok(())
    });
}

type Protocol = git_godzilla::domain::state::Protocol;
type Step = git_godzilla::domain::state::Step;

fn follows(before: &Protocol, now: &Protocol, last: Option<&Body>) -> Result<(), TestCaseError> {
    let looped = match last {
        Some(Body::PolicyLooped(looped)) => looped.steps.as_slice(),
        _ => &[],
    };
    let begins_again = |before: &Step, now: &Step| {
        looped.contains(&before.id)
            && before.recorded == StepStatus::Completed
            && now.recorded == StepStatus::Pending
            && now.evidence.is_none()
            && now.verdict.as_ref().is_none_or(|verdict| verdict.stale)
    };
    prop_assert!(now.loops.total >= before.loops.total);
    prop_assert_eq!(now.loops.total, now.loops.iterations.values().sum::<u64>());
    prop_assert_eq!(now.loops.since_ms.is_some(), now.loops.total > 0);
    prop_assert_eq!(before.root, now.root);
    prop_assert!(!before.recorded.is_final() || now.recorded == before.recorded);
    prop_assert!(before.merged.is_none() || now.merged == before.merged);
    for step in &before.steps {
        let Some(later) = now.step(&step.id) else {
            prop_assert_eq!(step.attempt, 0);
            continue;
        };
        prop_assert!(
            !step.recorded.is_final() || later.recorded == step.recorded || begins_again(step, later)
        );
        prop_assert!(later.attempt >= step.attempt);
    }
    for step in &now.steps {
        prop_assert!(step.recorded != StepStatus::Running || step.attempt > 0);
        prop_assert!(!step.recorded.is_final() || step.shown == step.recorded);
    }
    prop_assert_eq!(
        now.blocked.is_some(),
        now.shown == git_godzilla::domain::status::ProtocolStatus::Blocked
    );
    Ok(())
}
