//! Random histories of several clones that archive, bring back, add, and share in any order: nothing
//! is lost, nothing is made anew for ever, and all agree in the end.

use std::collections::{BTreeMap, BTreeSet};

use super::archive::listed;
use super::archive_clones::settle;
use super::{assert_agree, assert_linear, ids, keep_reflogs, ref_at, stream, sync};
use crate::support::{Place, World};

const NAMES: [&str; 3] = ["0001-a", "0002-b", "0003-c"];
const N_STEPS: usize = 24;

/// A sequence of numbers that looks random and is the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }
}

/// What was recorded anywhere, by protocol.
type Seen = BTreeMap<&'static str, BTreeSet<String>>;

fn look(place: &Place<'_>, seen: &mut Seen) {
    for name in NAMES {
        seen.entry(name).or_default().extend(ids(place, name));
    }
}

fn act(place: &Place<'_>, dice: &mut Dice) {
    let name = NAMES[dice.below(NAMES.len())];
    let args: &[&str] = match dice.below(9) {
        0 | 1 => &["archive", name],
        2 => &["archive", "--all"],
        3 => &["unarchive", name],
        4 => &["unarchive", name, "--reopen"],
        5 => &["comment", "a word", "-p", name],
        6 => &["cancel", name],
        _ => &["sync"],
    };
    let said = place.godzilla(args);
    // What does not fit is refused, and that is all that may go wrong.
    assert!(matches!(said.code, Some(0 | 4)), "{args:?} {said}");
}

#[track_caller]
fn history(seed: u64) {
    let world = World::new();
    let server = world.place("srv.git");
    keep_reflogs(&server);
    let a = world.clone("a");
    for title in ["a", "b", "c"] {
        a.godzilla_ok(&["plan", title, "--step", "One"]);
    }
    a.godzilla_ok(&["cancel", "1"]);
    sync(&a);
    let (b, c) = (world.clone("b"), world.clone("c"));
    let places = [&a, &b, &c];
    let (mut dice, mut seen) = (Dice(seed), Seen::new());
    for _ in 0..N_STEPS {
        let place = places[dice.below(places.len())];
        act(place, &mut dice);
        look(place, &mut seen);
    }
    settle(&world, &places);
    assert_agree(&places);
    assert_linear(&server);
    for name in NAMES {
        for place in places {
            assert!(ids(place, name).is_superset(&seen[name]), "seed {seed}: {name} lost something");
        }
        let is_live = listed(&a, &[]).iter().any(|known| known == name);
        let has_stream = ref_at(&server, &stream(name)).is_some();
        assert_eq!(is_live, has_stream, "seed {seed}: {name}");
    }
}

#[test]
fn histories_with_an_archive_end_equal_and_lose_nothing() {
    for seed in [0x9E37_79B9, 0x2545_F491, 0xDEAD_BEEF, 0x1234_5678] {
        history(seed);
    }
}
