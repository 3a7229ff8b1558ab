//! Two clones act on one protocol while offline, then push, pull and sync in any order.

use std::collections::BTreeSet;
use std::process::Command;

use super::{NAME, assert_agree, assert_linear, ids, lines_at, objects, refs, stream, sync, two_clones};
use crate::support::{Place, World};

/// What each clone does while offline.
struct Apart {
    what: &'static str,
    a: &'static [&'static [&'static str]],
    b: &'static [&'static [&'static str]],
}

const APART: [Apart; 4] = [
    Apart {
        what: "different steps",
        a: &[&["start", "1", "-p", "1"], &["done", "1", "-p", "1", "--no-commit"]],
        b: &[
            &["block", "2", "-p", "1", "--reason", "a key is missing"],
            &["comment", "asked for it", "-p", "1"],
        ],
    },
    Apart {
        what: "the same step",
        a: &[&["start", "1", "-p", "1"], &["done", "1", "-p", "1", "--no-commit"]],
        b: &[
            &["start", "1", "-p", "1"],
            &["done", "1", "-p", "1", "--no-commit"],
            &["start", "2", "-p", "1"],
        ],
    },
    Apart {
        what: "one cancels while the other finishes",
        a: &[&["cancel", "1", "--reason", "no longer wanted"]],
        b: &[
            &["start", "1", "-p", "1"],
            &["done", "1", "-p", "1", "--no-commit"],
            &["start", "2", "-p", "1"],
            &["done", "2", "-p", "1", "--no-commit"],
        ],
    },
    Apart {
        what: "comments",
        a: &[&["comment", "one", "-p", "1"], &["comment", "two", "-p", "1"]],
        b: &[&["comment", "one", "-p", "1"]],
    },
];

/// A step of an interleaving: the clone, and what it does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Push,
    Pull,
    Sync,
}

fn act(place: &Place<'_>, what: Act) {
    match what {
        Act::Push => drop(place.git(&["push", "--quiet", "origin", "main"])),
        Act::Pull => drop(place.git(&["pull", "--quiet"])),
        Act::Sync => sync(place),
    }
}

/// Keeps a state of the world, and brings it back.
struct Saved<'w>(&'w World);

impl<'w> Saved<'w> {
    fn new(world: &'w World) -> Self {
        let saved = Self(world);
        for name in ["a", "b", "srv.git"] {
            saved.copy(name, &format!("saved-{name}"));
        }
        saved
    }

    fn bring_back(&self) {
        for name in ["a", "b", "srv.git"] {
            std::fs::remove_dir_all(self.0.path().join(name)).unwrap();
            self.copy(&format!("saved-{name}"), name);
        }
    }

    fn copy(&self, from: &str, to: &str) {
        let status = Command::new("cp").arg("-a").arg(from).arg(to).current_dir(self.0.path()).status();
        assert!(status.unwrap().success());
    }
}

/// All orders in which both lists can be worked off.
fn interleavings(a: &[Act], b: &[Act]) -> Vec<Vec<(usize, Act)>> {
    let mut all = Vec::new();
    if let [first, rest @ ..] = a {
        all.extend(interleavings(rest, b).into_iter().map(|mut order| {
            order.insert(0, (0, *first));
            order
        }));
    }
    if let [first, rest @ ..] = b {
        all.extend(interleavings(a, rest).into_iter().map(|mut order| {
            order.insert(0, (1, *first));
            order
        }));
    }
    if all.is_empty() { vec![Vec::new()] } else { all }
}

fn check(apart: &Apart, a_does: &[Act], b_does: &[Act], n_idle: usize) {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    let server = world.place("srv.git");
    for (place, commands) in [(&a, apart.a), (&b, apart.b)] {
        for command in commands {
            place.godzilla_ok(command);
        }
    }
    let before: BTreeSet<String> = ids(&a, NAME).union(&ids(&b, NAME)).cloned().collect();
    let saved = Saved::new(&world);
    for (idx, order) in interleavings(a_does, b_does).into_iter().enumerate() {
        if idx > 0 {
            saved.bring_back();
        }
        let story = format!("{}: {order:?}", apart.what);
        for (who, what) in order {
            act([&a, &b][who], what);
        }
        for place in [&a, &b, &a] {
            sync(place);
        }
        assert_agree(&[&a, &b]);
        for place in [&a, &b] {
            assert_eq!(ids(place, NAME), before, "{story}");
        }
        assert_eq!(lines_at(&server, &stream(NAME)).len(), before.len(), "{story}");
        assert_linear(&server);
    }
    idle(&a, &b, &server, n_idle);
}

/// Syncs that find nothing new leave not one object and move not one ref.
fn idle(a: &Place<'_>, b: &Place<'_>, server: &Place<'_>, n_rounds: usize) {
    let all = [a, b, server];
    let state = || all.map(|place| (refs(place), objects(place)));
    let before = state();
    for _ in 0..n_rounds {
        for place in [a, b] {
            let synced = place.json(&["sync"]);
            let remote = &synced["remotes"][0];
            assert_eq!((&remote["fetched_events"], &remote["pushed_events"]), (&0.into(), &0.into()));
        }
    }
    for (before, after) in before.iter().zip(state()) {
        assert_eq!(*before, after);
    }
}

#[test]
fn truth_2_different_steps_in_every_order_of_push_pull_and_sync() {
    check(&APART[0], &[Act::Push, Act::Pull], &[Act::Push, Act::Sync], 20);
}

#[test]
fn truth_2_the_same_step_in_every_order_of_push_and_pull() {
    check(&APART[1], &[Act::Push, Act::Pull], &[Act::Push, Act::Pull], 2);
}

#[test]
fn truth_2_cancelled_while_it_is_finished_in_every_order_of_pull_and_sync() {
    check(&APART[2], &[Act::Pull, Act::Sync], &[Act::Push, Act::Sync], 2);
}

#[test]
fn truth_2_comments_with_syncs_alone() {
    check(&APART[3], &[Act::Sync, Act::Sync], &[Act::Sync, Act::Sync], 2);
}
