//! The life of a protocol in the archive: how it gets there, what is seen of it, how it comes back.

use super::archive_clones::settle;
use super::{
    NAME, Report, assert_agree, assert_linear, ids, push_box, ref_at, refs, stream, sync, two_clones,
};
use crate::schemas::assert_valid;
use crate::support::{Place, World};

pub(super) const ARCHIVE: &str = "refs/godzilla/archive";

/// The entry of a protocol in the archive of a place.
pub(super) fn entry(place: &Place<'_>, name: &str) -> Option<String> {
    let shard = name.split('-').next().unwrap().parse::<u64>().unwrap() / 100;
    ref_at(place, &format!("{ARCHIVE}:{shard:02}/{name}"))
}

pub(super) fn listed(place: &Place<'_>, args: &[&str]) -> Vec<String> {
    let list = place.json(&[&["list"], args].concat());
    let names = list["protocols"].as_array().unwrap().iter();
    names.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

/// Two clones that share `0001-x`, which is cancelled.
pub(super) fn with_one_that_is_over(world: &World) -> (Place<'_>, Place<'_>) {
    let (a, work, b) = two_clones(world);
    work.commit("one.txt", "feat: a part");
    work.git(&["push", "--quiet"]);
    a.godzilla_ok(&["cancel", "1", "--reason", "enough"]);
    sync(&a);
    sync(&b);
    (a, b)
}

/// Archives `0001-x` in `a`, until its stream is gone at the server and in `b`.
fn archive_everywhere(a: &Place<'_>, b: &Place<'_>) {
    a.godzilla_ok(&["archive", "1"]);
    for place in [a, a, b] {
        sync(place);
    }
}

#[test]
fn a5_what_is_archived_is_its_own_tip_tree_and_is_read_as_before() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    let tree = ref_at(&a, &format!("{}^{{tree}}", stream(NAME)));
    let questions = [&["show", "1"][..], &["log", NAME], &["explain", "1"], &["runs", "-p", "1"]];
    let before = questions.map(|args| a.godzilla(args).to_string());
    a.godzilla_ok(&["archive", "1"]);
    assert_eq!(entry(&a, NAME), tree);
    assert_eq!(ref_at(&a, &stream(NAME)), None, "S5: the ref is not needed any more");
    assert_eq!(questions.map(|args| a.godzilla(args).to_string()), before);
    assert_eq!(listed(&a, &[]), [""; 0]);
    assert_eq!(listed(&a, &["--all"]), [NAME]);
    assert_eq!(a.json(&["plan", "next", "--step", "One", "--dry-run"])["number"], 2);
    let offered = a.godzilla_ok(&["__complete", "--", "show", "00"]);
    assert!(offered.contains(NAME), "{offered}");
    sync(&a);
    sync(&b);
    assert_eq!((entry(&b, NAME), ref_at(&b, &stream(NAME))), (tree, None));
    assert_agree(&[&a, &b]);
}

#[test]
fn d1_the_stream_goes_at_the_remote_once_its_archive_is_seen_to_hold_it() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    let server = world.place("srv.git");
    a.godzilla_ok(&["archive", "1"]);
    sync(&a);
    assert!(entry(&server, NAME).is_some());
    assert!(ref_at(&server, &stream(NAME)).is_some(), "D2: not in the push that archives it");
    sync(&a);
    assert_eq!(ref_at(&server, &stream(NAME)), None);
    for place in [&b, &a] {
        sync(place);
        assert!(!refs(place).contains(NAME_IN_TRACKING), "{}", refs(place));
    }
    let quiet = refs(&server);
    for place in [&a, &b, &a, &b] {
        sync(place);
    }
    assert_eq!(refs(&server), quiet);
    assert_agree(&[&a, &b]);
}

const NAME_IN_TRACKING: &str = "refs/godzilla-remote/origin/protocols/";

#[test]
fn d4_a_hook_deletes_nothing() {
    let world = World::new();
    let (a, _) = with_one_that_is_over(&world);
    let server = world.place("srv.git");
    a.godzilla_ok(&["archive", "1"]);
    for n in 0..3 {
        a.commit("more.txt", &format!("more {n}"));
        a.git(&["push", "--quiet", "origin", "main"]);
        a.git(&["fetch", "--quiet"]);
    }
    assert!(entry(&server, NAME).is_some(), "a push takes the archive along");
    assert!(ref_at(&server, &stream(NAME)).is_some());
}

#[test]
fn a2_what_goes_on_or_is_wanted_stays() {
    let world = World::new();
    let (a, _) = with_one_that_is_over(&world);
    a.godzilla_ok(&["plan", "goes on", "--step", "One"]);
    let said = a.godzilla(&["archive", "2"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("0002-goes-on is planned, and only what is over goes"), "{said}");
    a.godzilla_ok(&["unarchive", "1"]);
    a.git(&["config", "godzilla.archive.afterDays", "0"]);
    sync(&a);
    let all = a.json(&["archive", "--all"]);
    assert_eq!(all["archived"].as_array().unwrap().len(), 0, "pinned: {all}");
    assert_eq!(listed(&a, &[]), [NAME, "0002-goes-on"]);
    // By its name it goes, and stays.
    a.godzilla_ok(&["archive", NAME]);
    sync(&a);
    assert_eq!(listed(&a, &[]), ["0002-goes-on"]);
}

#[test]
fn a3_what_comes_back_is_a_stream_with_all_of_it_and_the_entry_stays() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    let server = world.place("srv.git");
    archive_everywhere(&a, &b);
    let (kept, before) = (entry(&b, NAME), ids(&b, NAME));
    b.godzilla_ok(&["unarchive", "1"]);
    assert_eq!(listed(&b, &[]), [NAME]);
    assert!(ids(&b, NAME).is_superset(&before));
    assert_eq!(entry(&b, NAME), kept);
    for place in [&b, &a, &b, &a] {
        sync(place);
    }
    assert!(ref_at(&server, &stream(NAME)).is_some());
    assert_eq!((listed(&a, &[]), entry(&a, NAME)), (vec![NAME.to_owned()], kept));
    assert_agree(&[&a, &b]);
    b.godzilla_ok(&["unarchive", "1", "--reopen", "--reason", "there is more to do"]);
    assert_eq!(b.json(&["show", "1"])["status"], "running");
    for place in [&b, &a] {
        sync(place);
    }
    assert_eq!(a.godzilla(&["archive", "1"]).code, Some(4));
    a.godzilla_ok(&["cancel", "1"]);
    archive_everywhere(&a, &b);
    assert_eq!(ref_at(&server, &stream(NAME)), None);
    assert_eq!(listed(&b, &[]), [""; 0]);
    assert_agree(&[&a, &b]);
    assert_linear(&server);
}

#[test]
fn a3_what_is_merged_is_not_reopened() {
    let world = World::new();
    let (a, work, _) = two_clones(&world);
    work.commit("one.txt", "feat: a part");
    work.git(&["push", "--quiet"]);
    a.git(&["merge", "--quiet", "--no-ff", "-m", "merge it", NAME]);
    a.git(&["push", "--quiet", "origin", "main"]);
    sync(&a);
    a.godzilla_ok(&["archive", "1"]);
    assert_eq!((listed(&a, &[]), entry(&a, NAME).is_some()), (vec![], true));
    let said = a.godzilla(&["unarchive", "1", "--reopen"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("merged"), "{said}");
    a.godzilla_ok(&["unarchive", "1"]);
    assert_eq!(a.json(&["list"])["protocols"][0]["status"], "completed");
}

#[test]
fn a4_a_late_decision_makes_the_stream_anew_and_the_next_archiver_adds_it() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    let server = world.place("srv.git");
    archive_everywhere(&a, &b);
    let before = entry(&b, NAME);
    b.godzilla_ok(&["comment", "a last word", "-p", "1"]);
    assert_eq!(listed(&b, &[]), [NAME]);
    // A comment is a fact, which makes it no younger: the next sync of anybody puts it away.
    for place in [&b, &a, &a, &b] {
        sync(place);
    }
    assert_eq!((ref_at(&server, &stream(NAME)), listed(&a, &[])), (None, vec![]));
    assert_ne!(entry(&b, NAME), before);
    assert!(b.godzilla_ok(&["log", "1"]).contains("a last word"));
    assert_agree(&[&a, &b]);
    assert_linear(&server);
}

#[test]
fn i2_a_report_of_an_archived_protocol_goes_into_its_entry() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    let server = world.place("srv.git");
    archive_everywhere(&a, &b);
    let commit = ref_at(&server, &format!("refs/heads/{NAME}")).unwrap();
    let report =
        Report { protocol: NAME, commit: &commit, job: "build", result: "failure", run: 1, at_ms: 1 };
    let before = ids(&a, NAME).len();
    let drop_box = push_box(&a, &report.line());
    for place in [&a, &a, &b, &b] {
        sync(place);
        assert_eq!(ref_at(place, &stream(NAME)), None);
    }
    assert_eq!(ids(&b, NAME).len(), before + 1);
    assert_eq!((ref_at(&server, &drop_box), ref_at(&server, &stream(NAME))), (None, None));
    assert_agree(&[&a, &b]);
    assert_linear(&server);
}

#[test]
fn a2_what_has_been_over_for_long_enough_goes_by_itself() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    a.godzilla_ok(&["list"]);
    sync(&a);
    assert_eq!(listed(&a, &[]), [NAME], "not for thirty days");
    assert_eq!(a.json(&["archive", "--older-than", "1", "--dry-run"])["archived"], serde_json::json!([]));
    assert_eq!(a.json(&["archive", "--all", "--dry-run"])["archived"], serde_json::json!([NAME]));
    assert_eq!(entry(&a, NAME), None);
    a.git(&["config", "godzilla.archive.afterDays", "0"]);
    let said = a.godzilla(&["sync"]);
    assert!(said.stderr.contains("0001-x is over and is archived"), "{said}");
    assert!(entry(&world.place("srv.git"), NAME).is_some(), "in the same push");
    b.git(&["config", "godzilla.archive.afterDays", "0"]);
    let said = b.godzilla(&["list"]);
    assert!(said.stdout.contains(NAME) && said.stderr.contains("is archived"), "{said}");
    assert_eq!(listed(&b, &[]), [""; 0]);
    sync(&b);
    sync(&a);
    assert_agree(&[&a, &b]);
}

#[test]
fn a_commit_on_the_branch_of_an_archived_protocol_is_recorded() {
    let world = World::new();
    let (a, _) = with_one_that_is_over(&world);
    a.godzilla_ok(&["archive", "1"]);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    let commit = work.commit("two.txt", "feat: after all");
    a.godzilla_ok(&["list"]);
    assert!(a.godzilla_ok(&["log", "1", "--json"]).contains(&commit));
    sync(&a);
    assert_eq!(listed(&a, &[]), [""; 0], "it is still over");
    assert!(a.godzilla_ok(&["log", "1", "--json"]).contains(&commit));
}

#[test]
fn what_is_archived_and_not_shared_is_told() {
    let world = World::new();
    let (a, _, _) = two_clones(&world);
    a.godzilla_ok(&["plan", "y", "--step", "One"]);
    a.godzilla_ok(&["cancel", "2"]);
    a.godzilla_ok(&["archive", "2"]);
    sync(&a);
    a.godzilla_ok(&["plan", "z", "--step", "One"]);
    a.godzilla_ok(&["cancel", "3"]);
    a.godzilla_ok(&["archive", "3"]);
    let n_events = ids(&a, "0003-z").len();
    let status = a.json(&["status", "--all"]);
    assert_eq!(status["remotes"][0]["unshared_events"], n_events);
    assert_eq!(a.json(&["sync"])["remotes"][0]["pushed_events"], n_events);
    assert_eq!(a.json(&["status", "--all"])["remotes"][0]["unshared_events"], 0);
}

#[test]
fn a_sync_says_what_it_did_with_archives() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    a.godzilla_ok(&["archive", "1"]);
    let says =
        |place: &Place<'_>, what: &str| assert_eq!(place.godzilla_ok(&["sync"]), format!("✓ origin{what}\n"));
    says(&a, ": 1 archived protocol pushed");
    let removed = a.json(&["sync"]);
    assert_valid("sync.v1", &removed);
    let counts = |key: &str| removed["remotes"][0][key].as_u64();
    assert_eq!(
        (counts("removed_refs"), counts("pushed_archived"), counts("pushed_events")),
        (Some(1), Some(0), Some(0))
    );
    says(&b, ": 1 archived protocol fetched");
    for place in [&a, &b] {
        says(place, " is up to date");
    }
    a.godzilla_ok(&["unarchive", "1"]);
    says(&a, ": 1 event pushed");
    says(&b, ": 1 event fetched");
    a.godzilla_ok(&["archive", "1"]);
    says(&a, ": 1 event pushed, 1 archived protocol pushed");
    says(&a, ": 1 ref there removed, which is no longer needed");
}

#[test]
fn what_is_archived_is_marked() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    a.godzilla_ok(&["plan", "goes on", "--step", "One"]);
    let marks = |args: &[&str]| -> Vec<bool> {
        let list = a.json(&[&["list"], args].concat());
        assert_valid("list.v1", &list);
        list["protocols"].as_array().unwrap().iter().map(|row| row["archived"].as_bool().unwrap()).collect()
    };
    assert_eq!(marks(&["--all"]), [false, false]);
    a.godzilla_ok(&["archive", "1"]);
    assert_eq!((marks(&["--all"]), marks(&[])), (vec![true, false], vec![false]));
    assert!(
        a.godzilla_ok(&["list", "--all"])
            .lines()
            .any(|line| line.contains(NAME) && line.contains("archived"))
    );
    assert_eq!(
        (&a.json(&["show", "1"])["archived"], &a.json(&["show", "2"])["archived"]),
        (&true.into(), &false.into())
    );
    settle(&world, &[&a, &b]);
    assert_agree(&[&a, &b]);
    b.godzilla_ok(&["unarchive", "1"]);
    assert_eq!(b.json(&["show", "1"])["archived"], false);
}
