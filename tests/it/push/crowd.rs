//! Many who push at once.

use std::collections::BTreeSet;

use super::{NAME, STREAM, begin, push, ref_at};
use crate::support::{Place, World};

#[test]
fn ten_who_push_at_once_lose_nothing() {
    const CLONES: [&str; 10] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"];

    let world = World::new();
    let (a, work) = begin(&world);
    assert_eq!(push(&work).code, Some(0));
    let clones = CLONES.map(|name| world.clone(name));
    let mut all: BTreeSet<String> = a.event_ids(NAME).into_iter().collect();
    for (idx, clone) in clones.iter().enumerate() {
        clone.godzilla_ok(&["comment", &format!("from {idx}"), "-p", "1"]);
        clone.godzilla_ok(&["plan", &format!("own {idx}"), "--step", "Only"]);
        all.extend(clone.event_ids(NAME));
    }
    std::thread::scope(|scope| {
        let pushed = clones.iter().enumerate().map(|(idx, clone)| {
            scope.spawn(move || clone.try_git(&["push", "origin", &format!("HEAD:refs/heads/by-{idx}")]))
        });
        for pushed in pushed.collect::<Vec<_>>() {
            let shown = pushed.join().unwrap();
            assert_eq!(shown.code, Some(0), "{shown}");
        }
    });
    let server = world.place("srv.git");
    for idx in 0..CLONES.len() {
        assert!(ref_at(&server, &format!("refs/heads/by-{idx}")).is_some());
    }
    // Whoever lost the race for the stream that all write to shares it with the next sync.
    std::thread::scope(|scope| {
        let synced = clones.iter().map(|clone| scope.spawn(move || clone.godzilla(&["sync"])));
        for synced in synced.collect::<Vec<_>>() {
            let shown = synced.join().unwrap();
            assert_eq!(shown.code, Some(0), "{shown}");
        }
    });
    a.godzilla_ok(&["sync"]);
    let there = |place: &Place<'_>| place.event_ids(NAME).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(there(&a), all);
    assert!(ref_at(&server, STREAM).is_some());
    // Each planned number 2 in its own clone, under a name of its own.
    for idx in 0..CLONES.len() {
        assert!(ref_at(&server, &format!("refs/godzilla/protocols/0002-own-{idx}")).is_some());
    }
}
