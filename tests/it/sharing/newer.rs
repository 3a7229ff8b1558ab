//! What this release does not understand: newer streams, garbage, refs of others. Each is set aside
//! alone. Also what is never fetched and never pushed (W2, W3).

use super::{
    Entry, NAME, assert_agree, commit, ids, ref_at, refs, stream, sync, tip, tracking, tree, two_clones,
};
use crate::support::{Place, World};

const NEWER: &str = "{\"format\":99,\"min_read\":99,\"min_write\":99}\n";
const NEWER_TO_WRITE: &str = "{\"format\":99,\"min_read\":1,\"min_write\":99}\n";
const STREAM: &str = "refs/godzilla/protocols/0001-x";

/// A tip with the content of the server's stream, in another format, on top of it.
fn in_format(server: &Place<'_>, name: &str, format: &str) -> String {
    let old = server.git(&["ls-tree", &stream(name)]);
    let kept: Vec<&str> = old.lines().filter(|line| !line.ends_with("\tformat")).collect();
    let blob = super::git_in(server, &["hash-object", "-w", "--stdin"], format.as_bytes());
    let listing = format!("{}\n100644 blob {blob}\tformat\n", kept.join("\n"));
    let tree = super::git_in(server, &["mktree"], listing.as_bytes());
    let new = commit(server, &tree, ref_at(server, &stream(name)).as_deref());
    server.git(&["update-ref", &stream(name), &new]);
    new
}

#[test]
fn g4_a_stream_that_demands_a_newer_tool_is_set_aside_alone() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    a.godzilla_ok(&["plan", "y", "--step", "Only"]);
    sync(&a);
    sync(&b);
    let server = world.place("srv.git");
    let newer = in_format(&server, NAME, NEWER);
    a.godzilla_ok(&["comment", "goes on here", "-p", "1"]);
    a.godzilla_ok(&["comment", "and elsewhere", "-p", "2"]);
    let said = a.godzilla(&["sync"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stdout.contains("left alone there: 0001-x demands a newer version"), "{said}");
    assert_eq!(ref_at(&server, STREAM), Some(newer), "it was not written to");
    for _ in 0..2 {
        let said = a.godzilla(&["list"]);
        let lines: Vec<&str> = said.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "{said}");
        assert!(lines[0].contains("0001-x is set aside: origin holds it in a form that demands"), "{said}");
        assert_eq!(said.stdout.lines().count(), 2, "local work goes on: {said}");
    }
    // The other stream went its way.
    sync(&b);
    assert_eq!(ids(&a, "0002-y"), ids(&b, "0002-y"));
}

#[test]
fn g4_a_stream_that_only_newer_tools_may_write_is_read() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    a.godzilla_ok(&["comment", "news", "-p", "1"]);
    sync(&a);
    let server = world.place("srv.git");
    in_format(&server, NAME, NEWER_TO_WRITE);
    b.git(&["fetch", "--quiet"]);
    assert_eq!(ids(&b, NAME), ids(&a, NAME));
    let refused = b.godzilla(&["comment", "more", "-p", "1"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    let before = refs(&server);
    sync(&b);
    assert_eq!(refs(&server), before);
    assert_agree(&[&a, &b]);
}

#[test]
fn g4_garbage_is_set_aside_alone() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    a.godzilla_ok(&["plan", "y", "--step", "Only"]);
    sync(&a);
    let server = world.place("srv.git");
    let bad = tree(&server, &[("events", Entry::Blob(b"x")), ("format", Entry::Blob(b"not json"))]);
    let bad = commit(&server, &bad, None);
    server.git(&["update-ref", STREAM, &bad]);
    let blob = super::git_in(&server, &["hash-object", "-w", "--stdin"], b"a blob");
    server.git(&["update-ref", &stream("0030-blob"), &blob]);
    server.git(&["update-ref", "refs/godzilla/archive", &blob]);
    server.git(&["update-ref", "refs/godzilla/protocols/No_Name", &bad]);
    server.git(&["update-ref", "refs/godzilla/something/else", &bad]);
    for place in [&a, &b] {
        let said = place.godzilla(&["sync"]);
        assert_eq!(said.code, Some(0), "{said}");
        assert!(said.stdout.contains("left alone there: 0001-x cannot be read"), "{said}");
        let said = place.godzilla(&["list"]);
        assert_eq!((said.code, said.stderr.lines().count()), (Some(0), 3), "{said}");
    }
    assert_agree(&[&a, &b]);
    assert_eq!(a.json(&["list"])["protocols"].as_array().unwrap().len(), 2);
    assert_eq!(ref_at(&server, STREAM), Some(bad));
}

#[test]
fn g4_a_critical_event_of_an_unknown_type_stops_writes_only() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    let server = world.place("srv.git");
    let line = "{\"body\":{},\"clock\":9,\"critical\":true,\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"type\":\"step.teleported\",\"v\":9}\n";
    let before = ref_at(&server, STREAM);
    let held = super::lines_at(&server, STREAM).join("\n") + "\n";
    let new = tip(&server, super::FORMAT, &format!("{held}{line}"), before.as_deref());
    server.git(&["update-ref", STREAM, &new]);
    a.git(&["fetch", "--quiet"]);
    assert_eq!(a.statuses(NAME)[0], "completed");
    assert_eq!(a.godzilla(&["comment", "more", "-p", "1"]).code, Some(4));
    sync(&a);
    sync(&b);
    assert_eq!(ref_at(&server, STREAM), Some(new));
    assert_agree(&[&a, &b]);
}

#[test]
fn w2_claims_and_runs_are_never_fetched() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    let server = world.place("srv.git");
    let main = ref_at(&server, "refs/heads/main").unwrap();
    for name in ["refs/godzilla/claims/0001-x", "refs/godzilla/runs/0001-x"] {
        server.git(&["update-ref", name, &main]);
    }
    a.git(&["fetch", "--quiet"]);
    b.git(&["pull", "--quiet"]);
    sync(&a);
    let c = world.clone("c");
    for place in [&a, &b, &c] {
        let all = refs(place);
        assert!(!all.contains("claims/") && !all.contains("runs/"), "{all}");
    }
    assert!(ref_at(&a, &tracking("origin", NAME)).is_some());
}

#[test]
fn w3_a_mirror_push_is_refused_with_the_remedy() {
    let world = World::new();
    let (a, _, _) = two_clones(&world);
    let server = world.place("srv.git");
    let before = refs(&server);
    for args in [
        &["push", "--mirror", "origin"][..],
        &["push", "origin", "refs/godzilla-remote/origin/project:refs/heads/oops"],
        &["push", "origin", "main:refs/godzilla-local/keep/x"],
    ] {
        let said = a.try_git(args);
        assert_eq!(said.code, Some(1), "{said}");
        assert!(said.stderr.contains("must stay in this clone"), "{said}");
    }
    assert_eq!(refs(&server), before);
}
