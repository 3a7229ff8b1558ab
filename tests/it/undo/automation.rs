//! What a hook or a gate did and a person took back is not done again.

use super::{NAME, planned, told};
use crate::support::{Place, World};

const UNDONE: [&str; 3] = ["completed", "running", "pending"];

/// Ends step `One` by its last box in a second commit, and takes that back.
fn taken_back<'w>(a: &Place<'w>) -> Place<'w> {
    let work = planned(a, &[]);
    work.commit("a.txt", "feat: a");
    work.tick(NAME, "01-one");
    work.commit("b.txt", "feat: b");
    assert_eq!(a.statuses(NAME), ["completed", "completed", "pending"]);
    a.godzilla_ok(&["undo"]);
    assert_eq!(a.statuses(NAME), UNDONE);
    work
}

#[test]
fn a_completion_by_a_hook_that_was_undone_stays_undone() {
    let world = World::new();
    let a = world.clone("a");
    let work = taken_back(&a);
    let n_events = told(&a).len();
    for _ in 0..2 {
        a.godzilla_ok(&["list"]);
        work.godzilla_ok(&["status"]);
        a.godzilla_ok(&["sync"]);
    }
    work.git(&["push", "--quiet", "origin", "HEAD"]);
    work.git(&["switch", "--quiet", "--detach"]);
    work.git(&["switch", "--quiet", NAME]);
    assert_eq!(a.statuses(NAME), UNDONE);
    assert_eq!(told(&a).len(), n_events, "nothing was added");
    // Commits are facts and stay.
    assert_eq!(a.json(&["show", NAME])["steps"][1]["commits"].as_array().unwrap().len(), 2);
    // A person may end it again.
    work.godzilla_ok(&["done", "1"]);
    assert_eq!(a.statuses(NAME), ["completed", "completed", "pending"]);
}

#[test]
fn amends_do_not_repeat_it() {
    let world = World::new();
    let a = world.clone("a");
    let work = taken_back(&a);
    work.git(&["commit", "--quiet", "--amend", "-m", "feat: another word"]);
    assert_eq!(a.statuses(NAME), UNDONE);
    for text in ["more\n", "and more\n"] {
        work.write("b.txt", text);
        work.git(&["commit", "--quiet", "--all", "--amend", "--no-edit"]);
        assert_eq!(a.statuses(NAME), UNDONE, "{text}");
    }
    work.write("b.txt", "all else\n");
    work.git(&["commit", "--quiet", "--all", "--amend", "-m", "feat: other content and word"]);
    assert_eq!(a.statuses(NAME), UNDONE);
    // A new commit that says so is new.
    work.commit("c.txt", "feat: c\n\nGodzilla-Status: done");
    assert_eq!(a.statuses(NAME), ["completed", "completed", "pending"]);
}

#[test]
fn amends_without_hooks_do_not_repeat_it() {
    let world = World::new();
    let a = world.clone("a");
    let work = taken_back(&a);
    a.godzilla_ok(&["hooks", "uninstall"]);
    work.write("b.txt", "more\n");
    work.git(&["commit", "--quiet", "--all", "--amend", "--no-edit"]);
    work.git(&["commit", "--quiet", "--amend", "-m", "feat: another word"]);
    assert_eq!(a.statuses(NAME), UNDONE);
    work.git(&["commit", "--quiet", "--allow-empty", "-m", "feat: c"]);
    work.git(&["rebase", "--quiet", "--force-rebase", "HEAD~2"]);
    assert_eq!(a.statuses(NAME), UNDONE);
}

#[test]
fn a_start_by_a_commit_is_taken_back_and_the_next_commit_starts_again() {
    let world = World::new();
    let a = world.clone("a");
    let work = planned(&a, &[]);
    work.commit("a.txt", "feat: a");
    work.godzilla_ok(&["undo"]);
    assert_eq!(a.statuses(NAME), ["completed", "pending", "pending"]);
    assert_eq!(a.json(&["show", NAME])["status"], "planned");
    work.write("a.txt", "more\n");
    work.git(&["commit", "--quiet", "--all", "--amend", "--no-edit"]);
    assert_eq!(a.statuses(NAME), ["completed", "pending", "pending"]);
    work.commit("b.txt", "feat: b");
    assert_eq!(a.statuses(NAME), UNDONE);
}

#[test]
fn a_gate_that_is_open_does_not_repeat_it() {
    let world = World::new();
    let a = world.clone("a");
    let work = planned(&a, &[]);
    work.commit("a.txt", "feat: a");
    work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
    work.godzilla_ok(&["ci-report", "running", "--job", "test"]);
    a.godzilla_ok(&["sync"]);
    work.godzilla_ok(&["done", "1"]);
    assert_eq!(a.statuses(NAME)[1], "needs_qa");
    work.godzilla_ok(&["ci-report", "success", "--job", "test"]);
    a.godzilla_ok(&["sync"]);
    assert_eq!(a.statuses(NAME)[1], "completed", "the gate opened");
    a.godzilla_ok(&["undo"]);
    assert_eq!(a.statuses(NAME)[1], "needs_qa");
    let n_events = told(&a).len();
    for _ in 0..2 {
        a.godzilla_ok(&["list"]);
        a.godzilla_ok(&["sync"]);
    }
    assert_eq!((a.statuses(NAME)[1].as_str(), told(&a).len()), ("needs_qa", n_events));
    work.git(&["commit", "--quiet", "--amend", "-m", "feat: another word"]);
    assert_eq!(a.statuses(NAME)[1], "needs_qa");
    let explained = a.json(&["explain", NAME]);
    assert_eq!(explained["why"], "step 01-one is done, but its completion was taken back");
    assert_eq!(explained["next_command"], format!("git godzilla approve 01-one -p {NAME}"));
    work.godzilla_ok(&["approve", "1"]);
    assert_eq!(a.statuses(NAME)[1], "completed");
}

#[test]
fn another_clone_that_saw_the_same_commit_does_not_repeat_it_either() {
    let world = World::new();
    let a = world.clone("a");
    let work = planned(&a, &[]);
    a.godzilla_ok(&["sync"]);
    let b = world.clone("b");
    // A commit that nobody's hooks saw reaches both clones by the branch alone.
    a.godzilla_ok(&["hooks", "uninstall"]);
    b.godzilla_ok(&["hooks", "uninstall"]);
    work.commit("a.txt", "feat: a\n\nGodzilla-Step: 0001-add-a-login-page/01-one");
    work.git(&["push", "--quiet", "origin", "HEAD"]);
    b.git(&["fetch", "--quiet"]);
    for place in [&a, &b] {
        assert_eq!(place.statuses(NAME), UNDONE);
    }
    a.godzilla_ok(&["undo"]);
    assert_eq!(b.statuses(NAME), UNDONE);
    for place in [&a, &b, &a, &b] {
        place.godzilla_ok(&["sync"]);
    }
    for place in [&a, &b] {
        assert_eq!(place.statuses(NAME), ["completed", "pending", "pending"]);
    }
    // Whoever brings it back brings it back for both.
    b.godzilla_ok(&["redo", &super::op_of(&b, "undo")]);
    b.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["sync"]);
    for place in [&a, &b] {
        assert_eq!(place.statuses(NAME), UNDONE);
    }
}

#[test]
fn a_verdict_does_not_repeat_it_and_a_new_one_does() {
    let world = World::new();
    let a = world.clone("a");
    a.commit_gate("test", "#!/bin/sh\nexit 0\n");
    let work = planned(&a, &["--qa", "full"]);
    work.commit("a.txt", "feat: a");
    work.godzilla_ok(&["done", "1"]);
    work.godzilla_ok(&["trust", "--yes"]);
    work.godzilla_ok(&["qa", "1"]);
    assert_eq!(a.statuses(NAME)[1], "completed");
    a.godzilla_ok(&["undo"]);
    let n_events = told(&a).len();
    for _ in 0..2 {
        a.godzilla_ok(&["list"]);
        a.godzilla_ok(&["sync"]);
    }
    assert_eq!((a.statuses(NAME)[1].as_str(), told(&a).len()), ("needs_qa", n_events));
    work.godzilla_ok(&["qa", "1"]);
    assert_eq!(a.statuses(NAME)[1], "completed");
}

#[test]
fn an_amend_of_what_a_remote_has_does_not_repeat_it_in_any_clone() {
    let world = World::new();
    let a = world.clone("a");
    let work = taken_back(&a);
    work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
    a.godzilla_ok(&["sync"]);
    let b = world.clone("b");
    b.git(&["checkout", "--quiet", NAME]);
    for place in [&work, &b] {
        place.git(&["commit", "--quiet", "--amend", "-m", "feat: another word"]);
        assert_eq!(place.statuses(NAME), UNDONE);
        place.write("b.txt", "more\n");
        place.git(&["commit", "--quiet", "--all", "--amend", "--no-edit"]);
        place.godzilla_ok(&["list"]);
        assert_eq!(place.statuses(NAME), UNDONE);
    }
}
