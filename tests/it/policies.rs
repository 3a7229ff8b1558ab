//! Loops and calls: what follows a step by its policies, through the binary.

use serde_json::Value;

use crate::support::{Place, World};

const NAME: &str = "0001-add-a-login";

/// A protocol of three steps whose second one carries `policies`; the first is completed. The gate
/// passes where there is a file `ok`.
fn begin<'w>(world: &'w World, policies: &str) -> (Place<'w>, Place<'w>) {
    let a = world.clone("a");
    a.commit_gate("test.sh", "#!/bin/sh\ntest -e ok\n");
    a.plan("Add a login", &["The form", "The API", "The docs"]);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    a.godzilla_ok(&["trust", "-p", "1", "--yes"]);
    let file = format!(".protocols/{NAME}/02-the-api.md");
    let text = work.read(&file);
    let with = text.replace("depends_on: [01-the-form]\n", &format!("depends_on: [01-the-form]\n{policies}"));
    assert_eq!(with.len(), text.len() + policies.len());
    work.write(&file, &with);
    work.write("ok", "");
    done(&work, "01", "form");
    assert_eq!(judge(&work, "01").1, "completed");
    (a, work)
}

/// Does a step: begins it, commits a file and says that it is done.
fn done(work: &Place<'_>, step: &str, file: &str) {
    work.godzilla_ok(&["start", step]);
    work.write(file, &format!("{file} {}", work.event_ids(NAME).len()));
    work.git(&["add", "--all"]);
    work.git(&["commit", "--quiet", "-m", &format!("{file} [protocol-0001/{step}]")]);
    if status(work, step) == "running" {
        work.godzilla_ok(&["done", step]);
    }
}

/// Runs QA and returns what it printed and where the step then stands.
fn judge(work: &Place<'_>, step: &str) -> (String, String) {
    let shown = work.godzilla(&["qa", step]);
    (shown.stdout, status(work, step))
}

fn status(work: &Place<'_>, step: &str) -> String {
    let shown = work.json(&["show", NAME]);
    let is_it = |it: &&Value| it["id"].as_str().unwrap().starts_with(step);
    shown["steps"].as_array().unwrap().iter().find(is_it).unwrap()["status"].as_str().unwrap().to_owned()
}

fn fail_the_second(work: &Place<'_>) -> (String, String) {
    std::fs::remove_file(work.path.join("ok")).ok();
    done(work, "02", "api");
    judge(work, "02")
}

#[test]
fn a_failed_step_goes_back_as_its_policy_says_and_no_further_than_its_limit() {
    let world = World::new();
    let (a, work) = begin(&world, "loop: [id=again, max=1]\n");
    let (said, stands) = fail_the_second(&work);
    assert!(said.contains("back to step 01-the-form by policy again, 1 of 1"), "{said}");
    assert_eq!(stands, "pending");
    assert_eq!(status(&work, "01"), "pending");
    let log = work.godzilla_ok(&["log"]);
    assert!(log.contains("QA failed (gate test): back to step 01-the-form by policy again"), "{log}");
    // What passed before is judged again.
    let shown = work.json(&["show", NAME]);
    assert_eq!(shown["steps"][1]["verdict"]["stale"], true, "{shown}");

    // Another clone agrees, and sees the limit reached as well.
    work.write("ok", "");
    done(&work, "01", "form");
    assert_eq!(judge(&work, "01").1, "completed");
    let (said, stands) = fail_the_second(&work);
    assert!(said.contains("no again: policy again was followed 1 times, of 1"), "{said}");
    assert_eq!(stands, "failed");
    assert_eq!(work.json(&["show", NAME])["status"], "blocked");
    a.git(&["push", "--quiet", "--all"]);
    a.godzilla_ok(&["sync"]);
    let b = world.clone("b");
    assert_eq!(b.json(&["show", NAME])["steps"][2]["status"], "failed");
}

#[test]
fn an_undo_takes_the_verdicts_decision_and_the_loop_back() {
    let world = World::new();
    let (_, work) = begin(&world, "loop: [max=3]\n");
    assert_eq!(fail_the_second(&work).1, "pending");
    work.godzilla_ok(&["undo"]);
    assert_eq!(status(&work, "01"), "completed");
    assert_eq!(status(&work, "02"), "needs_qa");
    work.godzilla_ok(&["sync"]);
    assert_eq!(status(&work, "01"), "completed", "what was taken back is not decided again");
}

#[test]
fn the_same_failure_ends_a_loop() {
    let world = World::new();
    let (a, work) = begin(&world, "loop: [skip=01-the-form]\n");
    a.git(&["config", "godzilla.loops.maxSameFailure", "2"]);
    assert_eq!(fail_the_second(&work).1, "pending");
    let (said, stands) = fail_the_second(&work);
    assert!(said.contains("2 times in a row; loops.max_same_failure is 2"), "{said}");
    assert_eq!(stands, "failed");
}

#[test]
fn a_step_without_policies_is_left_to_people() {
    let world = World::new();
    let (_, work) = begin(&world, "");
    let before = work.event_ids(NAME).len();
    let (said, stands) = fail_the_second(&work);
    assert_eq!(stands, "failed");
    assert!(!said.contains("polic"), "{said}");
    assert!(work.event_ids(NAME).len() > before);
    assert_eq!(status(&work, "01"), "completed");
    let explained = work.json(&["explain"]);
    assert_eq!(explained["next_command"], format!("git godzilla retry 02-the-api -p {NAME}"));
}

#[test]
fn a_call_is_told() {
    let world = World::new();
    let (_, work) = begin(&world, "trigger: [id=docs, on=qa_failed, target=03-the-docs]\n");
    let (said, stands) = fail_the_second(&work);
    assert!(said.contains("call step 03-the-docs: QA failed (gate test)"), "{said}");
    assert_eq!(stands, "failed", "a call moves the step that is called");
    assert_eq!(status(&work, "03"), "pending");
}
