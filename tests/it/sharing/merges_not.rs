//! What looks like a merge and is none.

use super::{NAME, assert_agree, ids, lines_at, stream, sync, two_clones};
use crate::support::{Place, World};

#[track_caller]
fn assert_not_completed(places: &[&Place<'_>]) {
    assert_agree(places);
    for place in places {
        let shown = place.json(&["show", NAME]);
        assert_ne!(shown["status"], "completed");
        assert_eq!(shown["merged"], serde_json::Value::Null);
        let said: Vec<String> = lines_at(place, &stream(NAME));
        assert!(!said.iter().any(|line| line.contains("merge.detected")), "a merge was recorded");
    }
}

fn settle(places: &[&Place<'_>]) {
    for place in places {
        place.git(&["fetch", "--quiet"]);
    }
    for place in [places, places].concat() {
        sync(place);
    }
}

#[test]
fn truth_3_not_a_branch_that_was_just_created() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    settle(&[&a, &b]);
    assert_not_completed(&[&a, &b]);
    // Nor once the base goes on.
    a.commit("other.txt", "something else");
    a.git(&["push", "--quiet", "origin", "main"]);
    settle(&[&a, &b]);
    assert_not_completed(&[&a, &b]);
}

#[test]
fn truth_3_not_a_branch_that_was_reset_to_its_base() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    work.commit("one.txt", "feat: a part");
    work.git(&["push", "--quiet"]);
    a.commit("other.txt", "something else");
    a.git(&["push", "--quiet", "origin", "main"]);
    work.git(&["reset", "--quiet", "--hard", "main"]);
    work.git(&["push", "--quiet", "--force", "origin", "HEAD"]);
    settle(&[&a, &b]);
    assert_not_completed(&[&a, &b]);
}

#[test]
fn truth_3_not_a_merge_into_another_branch() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    work.commit("one.txt", "feat: a part");
    work.git(&["push", "--quiet"]);
    a.git(&["switch", "--quiet", "-c", "release", "main"]);
    a.git(&["merge", "--quiet", "--no-ff", NAME]);
    a.git(&["push", "--quiet", "origin", "release"]);
    settle(&[&a, &b]);
    assert_not_completed(&[&a, &b]);
}

#[test]
fn truth_3_not_an_early_merge_of_a_branch_that_went_on() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    work.commit("one.txt", "feat: a part");
    let early = work.git(&["rev-parse", "HEAD"]);
    work.commit("two.txt", "feat: the next part");
    work.git(&["push", "--quiet"]);
    a.git(&["merge", "--quiet", "--no-ff", early.trim()]);
    a.git(&["push", "--quiet", "origin", "main"]);
    settle(&[&a, &b]);
    assert_not_completed(&[&a, &b]);
    // The rest of it makes it one.
    a.git(&["merge", "--quiet", "--no-ff", NAME]);
    a.git(&["push", "--quiet", "origin", "main"]);
    settle(&[&a, &b]);
    assert_agree(&[&a, &b]);
    assert_eq!(b.json(&["show", NAME])["merged"]["rule"], "ancestry");
}

#[test]
fn truth_3_not_a_merge_of_the_plan_alone() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    a.git(&["merge", "--quiet", "--no-ff", NAME]);
    a.git(&["push", "--quiet", "origin", "main"]);
    settle(&[&a, &b]);
    assert_not_completed(&[&a, &b]);
    // Nor is it one afterwards, while work waits for its own merge.
    work.commit("one.txt", "feat: a part");
    work.git(&["push", "--quiet"]);
    settle(&[&a, &b]);
    assert_not_completed(&[&a, &b]);
    a.git(&["merge", "--quiet", "--no-ff", NAME]);
    a.git(&["push", "--quiet", "origin", "main"]);
    settle(&[&a, &b]);
    assert_eq!(b.json(&["show", NAME])["status"], "completed");
}

#[test]
fn truth_3_not_a_squash_that_leaves_something_out() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    work.commit("one.txt", "feat: a part");
    work.commit("two.txt", "feat: the next part");
    work.git(&["push", "--quiet"]);
    a.git(&["merge", "--quiet", "--squash", NAME]);
    a.git(&["rm", "--quiet", "--cached", "two.txt"]);
    a.git(&["commit", "--quiet", "-m", "most of it"]);
    a.git(&["push", "--quiet", "origin", "main"]);
    settle(&[&a, &b]);
    assert_not_completed(&[&a, &b]);
}

#[test]
fn truth_3_a_merge_that_is_not_pushed_records_nothing_and_says_so() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    work.tick(NAME, "01-one");
    work.commit("one.txt", "feat: all of the first step");
    work.git(&["push", "--quiet"]);
    a.git(&["merge", "--quiet", "--no-ff", NAME]);
    let before = ids(&a, NAME);
    let explained = a.json(&["explain", NAME]);
    assert!(explained["why"].as_str().unwrap().starts_with("merged here, not pushed"), "{explained}");
    assert_eq!(explained["next_command"], "git push origin main");
    for _ in 0..2 {
        // The second time from the cache.
        let said = a.godzilla_ok(&["status"]);
        assert!(said.contains("0001-x is merged here, not pushed: git push origin main"), "{said}");
    }
    settle(&[&a, &b]);
    assert_not_completed(&[&a, &b]);
    assert_eq!(ids(&a, NAME), before);

    a.git(&["push", "--quiet", "origin", "main"]);
    settle(&[&a, &b]);
    assert_agree(&[&a, &b]);
    assert_eq!(a.json(&["show", NAME])["status"], "completed");
    assert!(!a.godzilla_ok(&["status"]).contains("not pushed"));
}
