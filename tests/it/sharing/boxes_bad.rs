//! Drop boxes that are not what they should be: ignored, kept, and never in the way.

use super::boxes::write_hook;
use super::{
    Entry, FORMAT, NAME, Report, assert_agree, box_name, commit, git_in, lines_at, push_box, ref_at, refs,
    stream, sync, tip, tree, two_clones,
};
use crate::support::World;

fn report<'a>(commit: &'a str, job: &'a str) -> Report<'a> {
    Report { protocol: NAME, commit, job, result: "success", run: 1, at_ms: 5 }
}

#[test]
fn i1_malformed_boxes_are_ignored_and_stay() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    let head = work.commit("one.txt", "feat: a part");
    work.git(&["push", "--quiet"]);
    let server = world.place("srv.git");
    let put = |commit: &str| {
        let name = box_name();
        b.git(&["push", "--quiet", "--no-verify", "origin", &format!("{commit}:{name}")]);
        name
    };
    let any = tree(&b, &[("anything", Entry::Blob(b"at all\n")), ("format", Entry::Blob(b"?\n"))]);
    let other = tree(&b, &[("README", Entry::Blob(b"not ours\n"))]);
    let huge = "x".repeat(33 * 1024 * 1024);
    let wide = format!("{}\n", "y".repeat(70_000));
    let bad = [
        put(&commit(&b, &any, None)),
        put(&commit(&b, &other, None)),
        put(&tip(&b, FORMAT, "garbage\n{\"a\":1}\n\u{1}\n", None)),
        put(&tip(&b, FORMAT, &huge, None)),
        put(&tip(&b, FORMAT, &wide, None)),
        put(&tip(
            &b,
            "{\"format\":99,\"min_read\":99,\"min_write\":99}\n",
            &report(&head, "new").line(),
            None,
        )),
        // A ref need not even be a commit.
        put(&git_in(&b, &["hash-object", "-w", "--stdin"], b"a blob\n")),
    ];
    // Garbage around a good line does not spoil it; the box stays for somebody to look at.
    let mixed = put(&tip(&b, FORMAT, &format!("garbage\n{}", report(&head, "mixed").line()), None));
    let good = push_box(&b, &report(&head, "good").line());
    for _ in 0..2 {
        for place in [&a, &b] {
            place.git(&["fetch", "--quiet"]);
            sync(place);
        }
    }
    assert_agree(&[&a, &b]);
    let jobs = a.json(&["show", NAME])["steps"][1]["ci"]["jobs"].as_array().unwrap().len();
    assert_eq!(jobs, 2);
    for name in bad.iter().chain([&mixed]) {
        assert!(ref_at(&server, name).is_some());
    }
    assert_eq!(ref_at(&server, &good), None);
    // They cause no writes either.
    let before = (refs(&a), refs(&server));
    for _ in 0..3 {
        sync(&a);
    }
    assert_eq!(before, (refs(&a), refs(&server)));
}

#[test]
fn s6_a_ref_that_never_takes_a_push_gets_a_box_once() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    let server = world.place("srv.git");
    let hook = server.path.join("hooks/update");
    write_hook(&hook, &format!("#!/bin/sh\n[ \"$1\" != {} ]\n", stream(NAME)));
    let before = ref_at(&server, &stream(NAME));
    a.godzilla_ok(&["comment", "cannot go the usual way", "-p", "1"]);
    let said = a.godzilla_ok(&["sync"]);
    assert!(said.contains("went as drop boxes"), "{said}");
    assert_eq!(ref_at(&server, &stream(NAME)), before);
    let boxes = || server.git(&["for-each-ref", "--format=%(refname)", "refs/godzilla/inbox/"]);
    let one = boxes();
    assert_eq!(one.lines().count(), 1);
    assert_eq!(lines_at(&server, one.trim()).len(), 1, "the difference, not the whole stream");
    // Everybody reads it, and nothing more is sent as long as nothing is new.
    b.git(&["fetch", "--quiet"]);
    assert_agree(&[&a, &b]);
    sync(&b);
    sync(&a);
    assert_eq!(boxes(), one);

    std::fs::remove_file(&hook).unwrap();
    for place in [&a, &b, &a] {
        sync(place);
    }
    assert_eq!(boxes(), "");
    assert_agree(&[&a, &b]);
}
