//! A plan that is taken back, with its branch and its worktree, and what stands against it.

use serde_json::{Value, json};

use super::{NAME, files_of, planned, refs, refusal};
use crate::support::{Held, World};

#[test]
fn a_plan_is_undone_and_redone_with_branch_and_worktree() {
    let world = World::new();
    let (a, work) = planned(&world);
    let (files, tip) = (files_of(&work.path), work.git(&["rev-parse", "HEAD"]));
    let dry = a.json(&["undo", "--dry-run"]);
    assert_eq!(dry["protocols"][0]["status"], "cancelled");
    assert!(work.path.exists());

    let undone = a.json(&["undo"]);
    crate::schemas::assert_valid("undo.v1", &undone);
    assert_eq!(undone["protocols"][0]["status"], "cancelled");
    assert!(!work.path.exists());
    assert_eq!(refs(&a, "refs/heads"), ["refs/heads/main"]);
    assert_eq!(a.json(&["show", "1"])["status"], "cancelled");
    let kept = a.json(&["restore", "--list"])["kept"][0].clone();
    assert_eq!((&kept["kind"], &kept["tip"]), (&json!("trash"), &json!(tip.trim())));
    // There is nothing before it.
    assert_eq!(refusal(&a, &["undo"]), (4, "undo.nothing".to_owned()));

    let redone = a.json(&["redo"]);
    assert_eq!(redone["protocols"][0]["status"], "planned");
    assert_eq!((files_of(&work.path), work.git(&["rev-parse", "HEAD"])), (files, tip));
    assert_eq!(a.statuses("1"), ["completed", "pending"]);
    work.commit("form", "feat: the form");
    assert_eq!(a.statuses("1"), ["completed", "running"]);
}

#[test]
fn it_goes_to_and_fro() {
    let world = World::new();
    let (a, work) = planned(&world);
    a.plan("Another one", &["One"]);
    for _ in 0..3 {
        a.godzilla_ok(&["undo"]);
        assert_eq!(refs(&a, "refs/heads/0*"), [format!("refs/heads/{NAME}")]);
        a.godzilla_ok(&["redo"]);
        assert_eq!(refs(&a, "refs/heads/0*").len(), 2);
    }
    a.godzilla_ok(&["undo"]);
    // Once more goes further back.
    a.godzilla_ok(&["undo"]);
    assert!(!work.path.exists());
    assert_eq!(refs(&a, "refs/heads/0*"), Vec::<String>::new());
    // The number is not given again.
    assert_eq!(a.json(&["plan", "A third one"])["number"], 3);
    // By its id a command is named whatever came since.
    let plan = a.godzilla_ok(&["log", "--op", "--json"]);
    let ops = plan.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let first = ops.into_iter().find(|op| op["command"].as_str().unwrap().contains("Add a login")).unwrap();
    a.godzilla_ok(&["redo", first["op"].as_str().unwrap()]);
    assert!(work.path.exists());
    assert_eq!(a.json(&["show", "1"])["status"], "planned");
}

#[test]
fn what_was_done_since_stands_against_it() {
    let world = World::new();
    let (a, work) = planned(&world);
    let plan =
        serde_json::from_str::<Value>(a.godzilla_ok(&["log", "--op", "--json"]).lines().last().unwrap());
    let plan = plan.unwrap()["op"].as_str().unwrap().to_owned();
    let undo = |code: &str| {
        assert_eq!(refusal(&a, &["undo", &plan]), (4, code.to_owned()));
        assert_eq!(refusal(&a, &["undo", &plan, "--dry-run"]), (4, code.to_owned()));
        assert!(work.path.exists());
        assert_eq!(refs(&a, "refs/heads/0*"), [format!("refs/heads/{NAME}")]);
        assert_eq!(refs(&a, "refs/godzilla-local/trash"), Vec::<String>::new());
    };
    work.write("notes", "mine\n");
    undo("worktree.dirty");
    std::fs::remove_file(work.path.join("notes")).unwrap();
    work.godzilla_ok(&["start"]);
    undo("undo.built_on");
    a.godzilla_ok(&["undo"]);
    assert_eq!(refusal(&work, &["undo"]), (4, "worktree.current".to_owned()));
    let lock = Held::at(&a.path.join(format!(".git/godzilla/locks/run-{NAME}")));
    undo("run.goes_on");
    drop(lock);
    work.commit("form", "feat: the form");
    undo("undo.built_on");
    a.godzilla_ok(&["undo"]);
    undo("undo.plan_work");
    work.git(&["reset", "--quiet", "--hard", "HEAD^"]);
    work.git(&["push", "--quiet", "origin", "HEAD"]);
    undo("undo.plan_pushed");
    // Nothing of that was recorded.
    assert_eq!(a.json(&["show", "1"])["status"], "planned");
}

/// What another clone did meanwhile no longer counts, and both say so.
#[test]
fn two_clones_agree_on_an_undone_plan() {
    let world = World::new();
    let a = world.clone("a");
    a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["sync"]);
    let b = world.clone("b");
    b.godzilla_ok(&["start", "1", "-p", "1"]);
    a.godzilla_ok(&["undo"]);
    for clone in [&a, &b, &a, &b] {
        clone.godzilla_ok(&["sync"]);
    }
    let shown = [&a, &b].map(|clone| {
        let mut shown = clone.json(&["show", "1"]);
        for local in ["worktree", "unshared_events"] {
            shown.as_object_mut().unwrap().remove(local);
        }
        shown
    });
    assert_eq!(shown[0], shown[1]);
    assert_eq!(shown[0]["status"], "cancelled");
    let log = b.godzilla_ok(&["log", "1", "--json"]);
    let started = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let started = started.into_iter().find(|event| event["type"] == "step.started").unwrap();
    assert_eq!(started["outcome"], "rejected");
    // It comes back where it went.
    a.godzilla_ok(&["redo"]);
    assert_eq!(a.json(&["show", "1"])["status"], "running");
}

/// Both clones take the plan back; one redo brings it back all the same.
#[test]
fn what_two_clones_took_back_comes_back_by_one() {
    let world = World::new();
    let a = world.clone("a");
    a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["sync"]);
    let b = world.clone("b");
    let plan =
        serde_json::from_str::<Value>(a.godzilla_ok(&["log", "--op", "--json"]).lines().last().unwrap());
    let plan = plan.unwrap()["op"].as_str().unwrap().to_owned();
    a.godzilla_ok(&["undo"]);
    b.godzilla_ok(&["undo", &plan]);
    for clone in [&a, &b, &a] {
        clone.godzilla_ok(&["sync"]);
    }
    assert_eq!(a.json(&["show", "1"])["status"], "cancelled");
    a.godzilla_ok(&["redo"]);
    assert_eq!(a.json(&["show", "1"])["status"], "planned");
    assert_eq!(refs(&a, "refs/heads/0*"), [format!("refs/heads/{NAME}")]);
}

#[test]
fn a_plan_without_a_worktree_is_undone_too() {
    let world = World::new();
    let a = world.clone("a");
    a.git(&["config", "godzilla.worktree.mode", "in-place"]);
    a.godzilla_ok(&["plan", "Add a login", "--step", "The form"]);
    a.git(&["switch", "--quiet", NAME]);
    let (code, why) = refusal(&a, &["undo"]);
    assert_eq!((code, why.as_str()), (4, "worktree.main"));
    a.git(&["switch", "--quiet", "main"]);
    a.godzilla_ok(&["undo"]);
    assert_eq!(refs(&a, "refs/heads/0*"), Vec::<String>::new());
    a.godzilla_ok(&["redo"]);
    assert_eq!(refs(&a, "refs/heads/0*"), [format!("refs/heads/{NAME}")]);
    assert_eq!(a.json(&["show", "1"])["status"], "planned");
}

/// Whoever moves it back by hand has it back.
#[test]
fn restore_brings_the_files_of_an_undone_plan_back() {
    let world = World::new();
    let (a, work) = planned(&world);
    let files = files_of(&work.path);
    a.godzilla_ok(&["undo"]);
    a.godzilla_ok(&["restore", "1"]);
    assert_eq!(files_of(&work.path), files);
    assert_eq!(a.json(&["show", "1"])["status"], "cancelled");
    a.godzilla_ok(&["redo"]);
    assert_eq!(a.json(&["show", "1"])["status"], "planned");
}
