//! What is read, and what is taken over: the rules R, the reading side of the archive, and N1.

use super::{
    Entry, NAME, assert_agree, commit, ids, lines_at, objects, ref_at, refs, stream, sync, tracking, tree,
    two_clones,
};
use crate::support::{Place, World};

const STREAM: &str = "refs/godzilla/protocols/0001-x";

/// Makes our own folder useless, so that nothing of ours can be written: the tests may run as a user
/// whom no permission stops.
fn make_read_only(place: &Place<'_>) {
    let own = place.path.join(".git/godzilla");
    std::fs::rename(&own, place.path.join(".git/godzilla-was")).unwrap();
    std::fs::write(own, "").unwrap();
}

#[test]
fn r1_reads_see_what_was_fetched_where_nothing_can_be_written() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    work.commit("one.txt", "feat: a part");
    work.git(&["push", "--quiet"]);
    a.git(&["fetch", "--quiet"]);
    b.git(&["fetch", "--quiet"]);
    make_read_only(&b);
    let before = refs(&b);
    for args in [&["show", NAME, "--json"][..], &["list"], &["status"], &["log", NAME], &["explain", NAME]] {
        let said = b.godzilla(args);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{said}");
    }
    assert_agree(&[&a, &b]);
    assert_eq!(refs(&b), before);
    assert_ne!(ref_at(&b, STREAM), ref_at(&b, &tracking("origin", NAME)), "nothing was taken over");
}

#[test]
fn r2_a_write_contains_everything_that_its_decision_saw() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    a.godzilla_ok(&["start", "1", "-p", "1"]);
    sync(&a);
    b.git(&["fetch", "--quiet"]);
    let seen = ref_at(&b, &tracking("origin", NAME)).unwrap();
    b.godzilla_ok(&["done", "1", "-p", "1", "--no-commit"]);
    // One commit, whose parent is what was fetched.
    assert_eq!(b.git(&["rev-parse", &format!("{STREAM}^")]).trim(), seen);
    let held = lines_at(&b, STREAM);
    assert!(lines_at(&a, STREAM).iter().all(|line| held.contains(line)));
}

#[test]
fn r2_the_first_command_that_sees_news_takes_them_over() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    a.godzilla_ok(&["comment", "news", "-p", "1"]);
    sync(&a);
    b.git(&["fetch", "--quiet"]);
    b.godzilla_ok(&["list"]);
    // Now the server may lose them, and a plain fetch the copy: they are here.
    let server = world.place("srv.git");
    server.git(&["update-ref", STREAM, &format!("{STREAM}~1")]);
    b.git(&["fetch", "--quiet"]);
    assert!(ids(&b, NAME).is_superset(&ids(&a, NAME)));
}

#[test]
fn r3_no_commit_when_a_tracking_tip_has_all() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    for text in ["one", "two"] {
        a.godzilla_ok(&["comment", text, "-p", "1"]);
    }
    sync(&a);
    b.git(&["fetch", "--quiet"]);
    let before = objects(&b);
    b.godzilla_ok(&["show", NAME]);
    assert_eq!(ref_at(&b, STREAM), ref_at(&b, &tracking("origin", NAME)));
    assert_eq!(objects(&b), before, "not one object was written");
    let log = std::fs::read_to_string(b.path.join(".git/logs").join(STREAM)).unwrap();
    assert!(log.lines().last().unwrap().contains("take over"), "the move is in the reflog: {log}");
}

#[test]
fn r3_what_both_sides_added_is_one_commit_on_top_of_the_home_remotes() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    a.godzilla_ok(&["comment", "from a", "-p", "1"]);
    sync(&a);
    b.godzilla_ok(&["comment", "from b", "-p", "1"]);
    b.git(&["fetch", "--quiet"]);
    b.godzilla_ok(&["list"]);
    let parent = b.git(&["rev-parse", &format!("{STREAM}^")]);
    assert_eq!(Some(parent.trim()), ref_at(&b, &tracking("origin", NAME)).as_deref());
    // So its push is a plain fast-forward, without another commit.
    let tip = ref_at(&b, STREAM);
    sync(&b);
    assert_eq!(ref_at(&world.place("srv.git"), STREAM), tip);
}

#[test]
fn r4_a_prune_comes_after_taking_over() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    a.godzilla_ok(&["plan", "y", "--step", "Only"]);
    sync(&a);
    b.git(&["fetch", "--quiet"]);
    let server = world.place("srv.git");
    server.git(&["update-ref", "-d", &stream("0002-y")]);
    sync(&b);
    assert_eq!(b.json(&["list"])["protocols"].as_array().unwrap().len(), 2);
    assert!(ref_at(&server, &stream("0002-y")).is_some(), "and it is shared again");
}

/// Puts the stream of the protocol into the archive of the server, as a later release does, and
/// drops the stream there.
pub(crate) fn archive(server: &Place<'_>, name: &str) {
    let entry = server.git(&["rev-parse", &format!("{}^{{tree}}", stream(name))]);
    let shard = tree(server, &[(name, Entry::Tree(entry.trim()))]);
    let root = tree(server, &[("00", Entry::Tree(&shard))]);
    let archive = commit(server, &root, None);
    server.git(&["update-ref", "refs/godzilla/archive", &archive]);
    server.git(&["update-ref", "-d", &stream(name)]);
}

#[test]
fn a1_a_protocol_that_only_the_archive_holds_is_shown() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    a.godzilla_ok(&["cancel", "1", "--reason", "enough"]);
    sync(&a);
    let server = world.place("srv.git");
    archive(&server, NAME);
    let c = world.clone("c");
    for place in [&a, &b, &c] {
        sync(place);
        sync(place);
    }
    assert_agree(&[&a, &b, &c]);
    assert_eq!(c.json(&["show", NAME])["status"], "cancelled");
    // D3, S7: what the archive covers is not created again, neither there nor here.
    a.git(&["push", "--quiet", "origin", "main"]);
    assert_eq!((ref_at(&server, STREAM), ref_at(&c, STREAM)), (None, None));
    assert_eq!(c.json(&["list", "--all"])["protocols"][0]["unshared_events"], 0);
}

#[test]
fn a1_stream_and_entry_are_read_as_one() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    a.godzilla_ok(&["comment", "archived", "-p", "1"]);
    sync(&a);
    let server = world.place("srv.git");
    archive(&server, NAME);
    let c = world.clone("c");
    // A late event: the stream exists again, with everything.
    c.godzilla_ok(&["comment", "late", "-p", "1"]);
    sync(&c);
    assert_eq!(lines_at(&server, STREAM).len(), ids(&a, NAME).len() + 1);
    for place in [&a, &b] {
        sync(place);
    }
    assert_agree(&[&a, &b, &c]);
}

#[test]
fn s3_the_archive_of_one_remote_says_nothing_of_another() {
    let world = World::new();
    let (a, _, _) = two_clones(&world);
    sync(&a);
    archive(&world.place("srv.git"), NAME);
    world.place("").git(&["init", "--quiet", "--bare", "--initial-branch=main", "backup.git"]);
    a.git(&["remote", "add", "backup", "../backup.git"]);
    a.git(&["push", "--quiet", "--no-verify", "backup", "main"]);
    a.godzilla_ok(&["init", "--yes", "--remote", "backup"]);
    sync(&a);
    assert!(ref_at(&world.place("backup.git"), STREAM).is_some());
    assert_eq!(ref_at(&world.place("srv.git"), STREAM), None);
}

#[test]
fn n1_numbers_count_branches_streams_and_archives() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    let next = |place: &Place<'_>| {
        place.json(&["plan", "next", "--step", "Only", "--dry-run"])["number"].as_u64().unwrap()
    };
    assert_eq!(next(&b), 2, "a stream that was fetched");
    b.git(&["branch", "0005-local"]);
    assert_eq!(next(&b), 6);
    a.git(&["push", "--quiet", "--no-verify", "origin", "main:refs/heads/0007-tracked"]);
    b.git(&["fetch", "--quiet"]);
    assert_eq!(next(&b), 8);
    let server = world.place("srv.git");
    let tip = ref_at(&server, STREAM).unwrap();
    server.git(&["update-ref", &stream("0010-stream"), &tip]);
    b.git(&["fetch", "--quiet"]);
    assert_eq!(next(&b), 11);
    server.git(&["update-ref", &stream("0012-old"), &tip]);
    archive(&server, "0012-old");
    b.git(&["fetch", "--quiet"]);
    assert_eq!(next(&b), 13);
    let report = super::Report {
        protocol: "0020-reported",
        commit: &"1".repeat(if world.is_sha256() { 64 } else { 40 }),
        job: "build",
        result: "success",
        run: 1,
        at_ms: 1,
    };
    super::push_box(&a, &report.line());
    b.git(&["fetch", "--quiet"]);
    assert_eq!(next(&b), 21, "a report of a protocol that nobody here knows");
    b.godzilla_ok(&["plan", "next", "--step", "Only"]);
    assert!(ref_at(&b, &stream("0021-next")).is_some());
}
