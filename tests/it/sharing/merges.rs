//! A merge on any side completes the protocol everywhere.

use super::{NAME, assert_agree, two_clones};
use crate::support::{Place, World};

/// Work for both steps, pushed.
fn finish(work: &Place<'_>) {
    for (file, step) in [("one.txt", "01-one"), ("two.txt", "02-two")] {
        work.tick(NAME, step);
        work.commit(file, &format!("feat: all of {step}"));
    }
    work.git(&["push", "--quiet"]);
}

/// Checks that every clone shows one and the same merge.
#[track_caller]
fn assert_completed(places: &[&Place<'_>], rule: &str) -> String {
    assert_agree(places);
    let shown = places[0].json(&["show", NAME]);
    assert_eq!((&shown["status"], &shown["merged"]["rule"]), (&"completed".into(), &rule.into()), "{shown}");
    assert_eq!(shown["merged"]["into"], "refs/remotes/origin/main");
    shown["merged"]["commit"].as_str().unwrap().to_owned()
}

/// Lets all clones see what the server holds, then share what they found.
fn settle(places: &[&Place<'_>]) {
    for place in places {
        place.git(&["pull", "--quiet"]);
    }
    for place in [places, places].concat() {
        place.godzilla_ok(&["sync"]);
    }
}

/// Merges the branch from `place` with these options, and pushes.
fn merge(place: &Place<'_>, branch: &str, options: &[&str]) -> String {
    place.git(&[&["merge", "--quiet"], options, &[branch]].concat());
    place.git(&["push", "--quiet", "origin", "main"]);
    place.git(&["rev-parse", "HEAD"]).trim().to_owned()
}

#[test]
fn truth_3_a_merge_commit_of_either_clone() {
    for merges_in_b in [false, true] {
        let world = World::new();
        let (a, work, b) = two_clones(&world);
        finish(&work);
        let commit = if merges_in_b {
            b.git(&["pull", "--quiet"]);
            merge(&b, &format!("origin/{NAME}"), &["--no-ff"])
        } else {
            merge(&a, NAME, &["--no-ff"])
        };
        settle(&[&a, &b]);
        assert_eq!(assert_completed(&[&a, &b], "ancestry"), commit);
    }
}

#[test]
fn truth_3_a_fast_forward_of_either_clone() {
    for merges_in_b in [false, true] {
        let world = World::new();
        let (a, work, b) = two_clones(&world);
        finish(&work);
        if merges_in_b {
            b.git(&["pull", "--quiet"]);
            merge(&b, &format!("origin/{NAME}"), &["--ff-only"]);
        } else {
            merge(&a, NAME, &["--ff-only"]);
        }
        settle(&[&a, &b]);
        assert_completed(&[&a, &b], "ancestry");
    }
}

#[test]
fn truth_3_on_the_server_by_a_clone_without_hooks() {
    for options in [["--no-ff"], ["--ff-only"]] {
        let world = World::new();
        let (a, work, b) = two_clones(&world);
        finish(&work);
        let c = world.bare_clone_of("c");
        merge(&c, &format!("origin/{NAME}"), &options);
        // Both find it by themselves, and what they find is one fact.
        for place in [&a, &b] {
            place.git(&["fetch", "--quiet"]);
        }
        assert_completed(&[&a, &b], "ancestry");
        settle(&[&a, &b]);
        assert_completed(&[&a, &b], "ancestry");
    }
}

#[test]
fn truth_3_steps_that_are_open_stay_open() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    work.commit("one.txt", "feat: a part");
    work.git(&["push", "--quiet"]);
    merge(&a, NAME, &["--no-ff"]);
    settle(&[&a, &b]);
    assert_completed(&[&a, &b], "ancestry");
    assert_eq!(a.statuses(NAME), ["completed", "running", "pending"]);
    let why = a.json(&["explain", NAME])["why"].to_string();
    assert!(why.contains("2 steps were still open"), "{why}");
}

#[test]
fn truth_3_a_squash_that_brings_the_same_content_is_a_no_op_merge() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    finish(&work);
    // The base went on meanwhile.
    let c = world.bare_clone_of("c");
    c.commit("other.txt", "something else");
    c.git(&["push", "--quiet", "origin", "HEAD:main"]);
    a.git(&["pull", "--quiet"]);
    a.git(&["merge", "--quiet", "--squash", NAME]);
    a.git(&["commit", "--quiet", "-m", "all of it as one"]);
    a.git(&["push", "--quiet", "origin", "main"]);
    settle(&[&a, &b]);
    assert_completed(&[&a, &b], "no-op");
}

#[test]
fn truth_3_cherry_picks_that_bring_the_same_content_are_a_no_op_merge() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    finish(&work);
    let c = world.bare_clone_of("c");
    c.commit("other.txt", "something else");
    c.git(&["cherry-pick", &format!("origin/main..origin/{NAME}")]);
    c.git(&["push", "--quiet", "origin", "HEAD:main"]);
    settle(&[&a, &b]);
    assert_completed(&[&a, &b], "no-op");
}

#[test]
fn truth_3_after_the_base_was_merged_into_the_branch() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    work.commit("one.txt", "feat: a part");
    let c = world.bare_clone_of("c");
    c.commit("other.txt", "something else");
    c.git(&["push", "--quiet", "origin", "HEAD:main"]);
    a.git(&["pull", "--quiet"]);
    work.git(&["merge", "--quiet", "--no-edit", "main"]);
    finish(&work);
    settle(&[&a, &b]);
    assert_agree(&[&a, &b]);
    let shown = a.json(&["show", NAME]);
    assert_eq!((&shown["status"], &shown["merged"]), (&"running".into(), &serde_json::Value::Null));

    let commit = merge(&a, NAME, &["--no-ff"]);
    settle(&[&a, &b]);
    assert_eq!(assert_completed(&[&a, &b], "ancestry"), commit);
}

#[test]
fn truth_3_seen_by_a_clone_that_fetched_only_the_base() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    finish(&work);
    let c = world.bare_clone_of("c");
    let commit = merge(&c, &format!("origin/{NAME}"), &["--no-ff"]);
    // Here the branch is behind, but for what the state says of it.
    b.git(&["pull", "--quiet", "origin", "main"]);
    b.godzilla_ok(&["sync"]);
    settle(&[&a]);
    b.godzilla_ok(&["sync"]);
    assert_eq!(assert_completed(&[&a, &b], "ancestry"), commit);
    assert!(!a.godzilla_ok(&["log", NAME, "--json"]).contains("branch.tip"), "nothing was lost");
}
