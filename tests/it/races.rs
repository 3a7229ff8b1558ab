//! Many at once: nobody is refused, nothing that was acknowledged is lost, and nothing is decided on a
//! state that has passed.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::support::{BIN, Place, Shown, World, run};

const N_WRITERS: usize = 8;
const NAME: &str = "0001-race";

/// Runs `act` in as many threads as there are writers.
fn at_once<T: Send>(act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let act = &act;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..N_WRITERS).map(|idx| scope.spawn(move || act(idx))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn events(place: &Place<'_>) -> Vec<Value> {
    let log = place.godzilla_ok(&["log", NAME, "--json"]);
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Texts of all notes, in order.
fn notes(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["body"]["text"].as_str()).collect()
}

#[track_caller]
fn assert_sound(place: &Place<'_>) {
    let fsck = place.try_git(&["fsck", "--no-dangling", "--no-progress"]);
    assert!(fsck.code == Some(0) && !fsck.to_string().contains("error"), "{fsck}");
}

#[test]
fn t4_eight_processes_append_and_every_acknowledged_event_is_there() {
    const N_EACH: usize = 6;
    let world = World::new();
    let a = world.clone("a");
    a.plan("Race", &["One"]);
    let wanted = |idx, round| format!("note {idx} {round}");
    at_once(|idx| {
        for round in 0..N_EACH {
            a.godzilla_ok(&["comment", &wanted(idx, round), "-p", "1"]);
        }
    });
    let events = events(&a);
    let found: BTreeSet<String> = notes(&events).into_iter().map(str::to_owned).collect();
    let all: BTreeSet<String> =
        (0..N_WRITERS).flat_map(|idx| (0..N_EACH).map(move |round| wanted(idx, round))).collect();
    assert_eq!(found, all);
    assert_eq!(notes(&events).len(), all.len(), "one was written twice");
    let clocks: BTreeSet<u64> = events.iter().map(|event| event["clock"].as_u64().unwrap()).collect();
    assert_eq!(clocks.len(), events.len(), "two writers saw the same state");
    let chain =
        a.git(&["rev-list", "--max-parents=1", "--count", &format!("refs/godzilla/protocols/{NAME}")]);
    assert_eq!(chain.trim(), (1 + all.len()).to_string(), "one commit for each, in one line");
    assert_sound(&a);
}

#[test]
fn n1_eight_plans_at_once_get_eight_numbers() {
    let world = World::new();
    let a = world.clone("a");
    let numbers: BTreeSet<u64> =
        at_once(|idx| a.json(&["plan", &format!("Plan {idx}")])["number"].as_u64().unwrap())
            .into_iter()
            .collect();
    assert_eq!(numbers, (1..=8).collect());
    for protocol in a.json(&["list"])["protocols"].as_array().unwrap() {
        assert!(std::path::Path::new(protocol["worktree"].as_str().unwrap()).is_dir(), "{protocol}");
    }
    assert_sound(&a);
}

#[test]
fn t4_hooks_and_commands_at_once_lose_nothing() {
    const N_COMMITS: usize = 6;
    let world = World::new();
    let a = world.clone("a");
    let tree = a.plan("Race", &["One"]);
    let others: Vec<_> = (0..2).map(|idx| a.plan(&format!("Other {idx}"), &["One"])).collect();
    let commits: Vec<String> = at_once(|idx| match idx {
        0 => (0..N_COMMITS).map(|n| tree.commit("file", &format!("feat: change {n}"))).collect(),
        1 | 2 => {
            (0..N_COMMITS).for_each(|n| drop(others[idx - 1].commit("file", &format!("feat: change {n}"))));
            Vec::new()
        }
        3 => {
            (0..N_COMMITS).for_each(|_| drop(a.godzilla_ok(&["list"])));
            Vec::new()
        }
        4 => {
            (0..N_COMMITS).for_each(|_| drop(a.godzilla_ok(&["sync"])));
            Vec::new()
        }
        _ => {
            let note = |n| format!("note {idx} {n}");
            (0..N_COMMITS).for_each(|n| drop(a.godzilla_ok(&["comment", &note(n), "-p", "1"])));
            Vec::new()
        }
    })
    .concat();

    // A hook that could not wait has spooled; this takes it in.
    a.godzilla_ok(&["list"]);
    let events = events(&a);
    let seen = |commit: &&String| {
        let is_it = |event: &&Value| event["type"] == "commit.seen" && event["body"]["commit"] == ***commit;
        events.iter().filter(is_it).filter(|event| event["outcome"] == "accepted").count() == 1
    };
    let lost: Vec<&String> = commits.iter().filter(|commit| !seen(commit)).collect();
    assert_eq!((commits.len(), lost), (N_COMMITS, Vec::new()));
    assert_eq!(notes(&events).len(), 3 * N_COMMITS);
    for name in ["0002-other-0", "0003-other-1"] {
        let steps = a.json(&["show", name])["steps"].clone();
        assert_eq!(steps[1]["commits"].as_array().unwrap().len(), N_COMMITS, "{steps}");
    }
    assert_sound(&a);
}

/// Runs `args` in `a`, stops it between its read and its move, lets the stream be cancelled meanwhile as
/// somebody else's git would (our own commands would wait for it), and lets it go on.
fn overtaken_by_cancel<'w>(world: &'w World, args: &[&str]) -> (Place<'w>, Shown) {
    let (a, b) = (world.clone("a"), world.clone("b"));
    let tree = a.plan("Race", &["One", "Two"]);
    tree.commit("file", "feat: one");
    a.godzilla_ok(&["sync"]);
    b.godzilla_ok(&["sync"]);
    b.godzilla_ok(&["cancel", "1"]);
    b.godzilla_ok(&["sync"]);

    let pause = world.path().join("pause");
    fs::create_dir(&pause).unwrap();
    let mut command = a.command(BIN);
    command.args(args).env("GODZILLA_PAUSE_DIR", &pause);
    let shown = std::thread::scope(|scope| {
        let paused = scope.spawn(|| run(&mut command));
        while !pause.join("append.read.here").exists() {
            assert!(!paused.is_finished(), "it never paused: {}", paused.join().unwrap());
            std::thread::yield_now();
        }
        let of_ref = format!("refs/godzilla/protocols/{NAME}");
        a.git(&["fetch", "--quiet", "--no-write-fetch-head", "../srv.git", &format!("+{of_ref}:{of_ref}")]);
        fs::write(pause.join("append.read.go"), "").unwrap();
        paused.join().unwrap()
    });
    (a, shown)
}

#[test]
fn t4_an_append_overtaken_by_a_cancel_is_refused_not_retried_in() {
    for verb in [&["block", "1", "-p", "1"][..], &["done", "1", "-p", "1"], &["pause", "1"]] {
        let world = World::new();
        let (a, shown) = overtaken_by_cancel(&world, verb);
        assert_eq!(shown.code, Some(4), "{verb:?} {shown}");
        assert!(shown.stderr.contains("cancelled"), "{verb:?} {shown}");
        let events = events(&a);
        assert_eq!(events.last().unwrap()["type"], "protocol.cancelled", "{verb:?}");
        assert!(events.iter().all(|event| event["outcome"] == "accepted"), "{verb:?}");
        assert_eq!(a.json(&["show", "1"])["status"], "cancelled", "{verb:?}");
    }
}

#[test]
fn t4_an_append_that_was_overtaken_and_still_fits_is_made_on_the_new_state() {
    let world = World::new();
    let (a, shown) = overtaken_by_cancel(&world, &["comment", "after all", "-p", "1"]);
    assert_eq!(shown.code, Some(0), "{shown}");
    let events = events(&a);
    let [cancelled, noted] = events.last_chunk().unwrap();
    assert_eq!((&cancelled["type"], &noted["type"]), (&"protocol.cancelled".into(), &"note.added".into()));
    assert!(noted["clock"].as_u64() > cancelled["clock"].as_u64());
}
