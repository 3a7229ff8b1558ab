//! Gates, trust, verdicts, and what follows from them.

mod consent;
mod content;
mod ending;

use std::fs;

use serde_json::Value;

use crate::support::{BIN, Place, Shown, World, run};

const NAME: &str = "0001-add-a-login";

/// A clone with a gate and a planned protocol of two steps; its gate is agreed to.
fn judged_by<'w>(world: &'w World, script: &str) -> (Place<'w>, Place<'w>) {
    let a = world.clone("a");
    a.commit_gate("test.sh", script);
    a.plan("Add a login", &["The form", "The API"]);
    a.godzilla_ok(&["trust", "-p", "1", "--yes"]);
    (a, world.place(&format!("a/worktrees/{NAME}")))
}

fn qa(place: &Place<'_>, args: &[&str]) -> Shown {
    place.godzilla(&[&["qa"], args].concat())
}

fn verdict(place: &Place<'_>, step: usize) -> Value {
    place.json(&["show", NAME])["steps"][step]["verdict"].clone()
}

#[test]
fn a_branch_does_not_choose_its_judges() {
    let world = World::new();
    let a = world.clone("a");
    a.write("scripts/ci/lib.sh", "judge() { echo the base judges; test -e ok; }\n");
    a.commit_gate("test.sh", "#!/bin/sh\n. \"$(dirname \"$0\")/lib.sh\"\njudge\n");
    let work = a.plan("Add a login", &["The form"]);
    let untrusted = qa(&work, &[]);
    assert_eq!(untrusted.code, Some(5), "{untrusted}");
    assert!(untrusted.stderr.contains("git godzilla trust"), "{untrusted}");
    assert_eq!(verdict(&a, 1), Value::Null);
    work.godzilla_ok(&["trust", "--yes"]);

    work.write("scripts/ci/lib.sh", "judge() { echo the branch judges; }\n");
    work.write_executable("scripts/ci/test.sh", "#!/bin/sh\necho replaced\n");
    work.write_executable("scripts/ci/lint.sh", "#!/bin/sh\necho added\n");
    work.git(&["add", "--all"]);
    work.git(&["commit", "--quiet", "-m", "ci: nicer gates"]);
    let judged = qa(&work, &["--json"]);
    assert_eq!(judged.code, Some(1), "{judged}");
    let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
    assert_eq!(answer["gates"].as_array().unwrap().len(), 1);
    assert!(answer["gates"][0]["tail"].as_str().unwrap().contains("the base judges"), "{judged}");
    assert_eq!(answer["findings"][0]["paths"], serde_json::json!(["lib.sh", "lint.sh", "test.sh"]));

    // In another clone they judge as well, once it has agreed to run them.
    work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
    let accepted = work.godzilla(&["trust", "--gates", "--yes"]);
    assert!(accepted.stdout.contains("judge 0001-add-a-login from now on"), "{accepted}");
    let judged = qa(&work, &["--json"]);
    assert_eq!(judged.code, Some(0), "{judged}");
    let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
    assert_eq!(answer["gates"].as_array().unwrap().len(), 2);
    assert_eq!(answer["findings"], serde_json::json!([]));
    work.godzilla_ok(&["sync"]);
    let b = world.clone("b");
    b.git(&["checkout", "--quiet", NAME]);
    assert_eq!(qa(&b, &[]).code, Some(5));
    b.godzilla_ok(&["trust", "--yes"]);
    assert_eq!(qa(&b, &[]).code, Some(0));

    // What the branch does to them afterwards is not what was accepted.
    work.write_executable("scripts/ci/lint.sh", "#!/bin/sh\nexit 1\n");
    work.git(&["commit", "--quiet", "-am", "ci: stricter"]);
    let judged = qa(&work, &["--json"]);
    assert_eq!(judged.code, Some(0), "{judged}");
    assert!(judged.stdout.contains("gate.changed_on_branch"), "{judged}");
    // Merging the base brings the base's gates of that time.
    a.godzilla_ok(&["trust", "--revoke"]);
    assert_eq!(qa(&work, &[]).code, Some(5));
}

#[test]
fn a_step_completes_on_a_verdict_about_its_newest_commit() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\ntest ! -e broken\n");
    work.commit("form", "feat: the form");
    work.godzilla_ok(&["done"]);
    assert_eq!(a.statuses(NAME), ["completed", "needs_qa", "pending"]);

    // Dirty: the verdict is worth that tree only.
    work.write("more", "not committed\n");
    let dirty = qa(&work, &[]);
    assert_eq!(dirty.code, Some(0), "{dirty}");
    assert!(dirty.stdout.contains("with what is not committed"), "{dirty}");
    assert_eq!(verdict(&a, 1)["stale"], true);
    assert_eq!(a.statuses(NAME)[1], "needs_qa");
    // Until exactly that is committed.
    work.git(&["add", "--all"]);
    work.git(&["commit", "--quiet", "-m", "feat: more"]);
    a.godzilla_ok(&["list"]);
    assert_eq!(a.statuses(NAME)[1], "completed");
    let log = a.godzilla_ok(&["log", NAME]);
    assert!(log.contains("QA of step 01-the-form: pass, with what is not committed"), "{log}");
}

#[test]
fn a_step_may_choose_its_gates() {
    let world = World::new();
    let a = world.clone("a");
    a.commit_gate("lint.sh", "#!/bin/sh\nexit 0\n");
    a.commit_gate("test.sh", "#!/bin/sh\nexit 1\n");
    let work = a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["trust", "-p", "1", "--yes"]);
    assert_eq!(qa(&work, &[]).code, Some(1));
    let file = format!(".protocols/{NAME}/01-the-form.md");
    work.write(&file, &work.read(&file).replacen("\n---", "\ngates: [lint]\n---", 1));
    // Less checking takes a person, and not a commit alone.
    work.godzilla_ok(&["plan", "--amend"]);
    let judged: Value = serde_json::from_str(&qa(&work, &["--json"]).stdout).unwrap();
    let names: Vec<&Value> = judged["gates"].as_array().unwrap().iter().map(|gate| &gate["name"]).collect();
    assert_eq!(names, ["lint"], "{judged}");
    assert_eq!(judged["result"], "pass");
}

#[test]
fn committing_something_else_makes_a_verdict_stale_and_the_plans_folder_does_not() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\ntest ! -e broken\n");
    work.commit("form", "feat: the form");
    assert_eq!(qa(&work, &[]).code, Some(0));
    assert_eq!(verdict(&a, 1)["stale"], false);
    work.tick(NAME, "01-the-form");
    work.git(&["commit", "--quiet", "-am", "docs: notes"]);
    assert_eq!(verdict(&a, 1)["stale"], false);
    // It was judged already, so nobody need ask for it.
    assert_eq!(a.statuses(NAME)[1], "completed");

    work.commit("api", "feat: the api");
    assert_eq!(qa(&work, &[]).code, Some(0));
    work.commit("broken", "feat: break it");
    assert_eq!(verdict(&a, 2)["stale"], true);
    work.godzilla_ok(&["done"]);
    assert_eq!(a.statuses(NAME)[2], "needs_qa");
    assert_eq!(qa(&work, &["2"]).code, Some(1));
    assert_eq!(a.statuses(NAME)[2], "failed");
    assert!(a.godzilla_ok(&["explain", "1"]).contains("gate test"));
    work.git(&["rm", "--quiet", "broken"]);
    work.git(&["commit", "--quiet", "-m", "fix: mend it"]);
    assert_eq!(a.statuses(NAME)[2], "running");
    work.godzilla_ok(&["done"]);
    let passed = qa(&work, &["2"]);
    assert_eq!(passed.code, Some(0), "{passed}");
    assert_eq!(a.statuses(NAME), ["completed"; 3]);
    // A completion is not repeated, whatever looks again.
    let events = a.event_ids(NAME);
    a.godzilla_ok(&["list"]);
    assert_eq!(a.event_ids(NAME), events);
}

#[test]
fn the_same_verdict_fails_a_step_once() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\nexit 1\n");
    work.commit("form", "feat: the form");
    work.godzilla_ok(&["done"]);
    assert_eq!(qa(&work, &[]).code, Some(1));
    assert_eq!(a.statuses(NAME)[1], "failed");
    work.godzilla_ok(&["retry"]);
    work.godzilla_ok(&["done"]);
    a.godzilla_ok(&["list"]);
    assert_eq!(a.statuses(NAME)[1], "needs_qa");
    let events = a.event_ids(NAME);
    a.godzilla_ok(&["list"]);
    assert_eq!(a.event_ids(NAME), events);
    let refused = a.godzilla(&["approve", "-p", "1"]);
    assert_eq!(refused.code, Some(0), "{refused}");
    let log = a.godzilla_ok(&["log", NAME, "--json"]);
    assert!(log.contains("\"mode\":\"delegated\""), "{log}");
}

#[test]
fn no_gate_and_no_gate_that_starts_never_pass() {
    let world = World::new();
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form"]);
    work.commit("form", "feat: the form");
    let none = qa(&work, &[]);
    assert_eq!(none.code, Some(1), "{none}");
    assert!(none.stdout.contains("no gate judges"), "{none}");

    a.write("scripts/ci/lint.sh", "#!/bin/sh\nexit 0\n");
    a.commit_gate("test.sh", "#!/no/such/shell\n");
    let work = a.plan("Fix the till", &["The drawer"]);
    a.godzilla_ok(&["trust", "-p", "2", "--yes"]);
    let broken = qa(&work, &["--json"]);
    assert_eq!(broken.code, Some(6), "{broken}");
    let answer: Value = serde_json::from_str(&broken.stdout).unwrap();
    assert_eq!(answer["result"], "error");
    assert!(answer["gates"][0]["tail"].as_str().unwrap().contains("not executable"), "{broken}");
    assert!(answer["gates"][1]["tail"].as_str().unwrap().contains("cannot be started"), "{broken}");
}

#[test]
fn gates_run_in_the_worktree_from_a_copy_elsewhere() {
    let world = World::new();
    let script = "#!/bin/sh\necho \"root=$GODZILLA_ROOT pwd=$(pwd) gate=$GODZILLA_GATE\"\n\
                  echo \"step=$GODZILLA_PROTOCOL/$GODZILLA_STEP git=${GIT_DIR-none}\"\ncase $0 in \"$GODZILLA_ROOT\"/scripts/*) exit 9;; esac\n\
                  git rev-parse --abbrev-ref HEAD\necho token $MY_TOKEN\nprintf '\\033[2Jclear\\n'\nexit 1\n";
    let (_, work) = judged_by(&world, script);
    fs::create_dir_all(work.path.join("deep/er")).unwrap();
    let deep = world.place("a/worktrees/0001-add-a-login/deep/er");
    let judged = run(deep.command(BIN).args(["qa", "--json"]).env("MY_TOKEN", "tOp-SecRet-1234"));
    let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
    let tail = answer["gates"][0]["tail"].as_str().unwrap();
    let root = fs::canonicalize(&work.path).unwrap();
    assert!(tail.contains(&format!("root={0} pwd={0} gate=test", root.display())), "{tail}");
    assert!(tail.contains(&format!("step={NAME}/01-the-form git=none")), "{tail}");
    assert!(
        tail.contains(NAME) && tail.contains("token [redacted:known]") && !tail.contains('\u{1b}'),
        "{tail}"
    );
    assert!(!judged.to_string().contains("SecRet"), "{judged}");
    let left: Vec<_> = fs::read_dir(world.path().join("a/.git/godzilla")).unwrap().flatten().collect();
    let drafts =
        left.iter().filter(|entry| entry.file_name().to_string_lossy().starts_with(".godzilla-draft"));
    assert_eq!(drafts.count(), 0);
}

#[test]
fn red_ci_holds_what_the_gates_passed() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\nexit 0\n");
    work.commit("form", "feat: the form");
    work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
    work.godzilla_ok(&["ci-report", "failure", "--job", "test", "--url", "https://ci.invalid/7"]);
    a.git(&["fetch", "--quiet"]);
    work.godzilla_ok(&["done"]);
    let judged = qa(&work, &[]);
    assert_eq!(judged.code, Some(0), "{judged}");
    assert!(judged.stdout.contains("CI is red"), "{judged}");
    let why = a.godzilla_ok(&["explain", "1"]);
    assert!(why.contains("test") && why.contains("https://ci.invalid/7"), "{why}");
    work.godzilla_ok(&["ci-report", "success", "--job", "test", "--attempt", "2"]);
    a.git(&["fetch", "--quiet"]);
    a.godzilla_ok(&["list"]);
    assert_eq!(a.statuses(NAME)[1], "completed");
}

#[test]
fn without_a_worktree_nothing_is_judged() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\nexit 0\n");
    a.git(&["worktree", "remove", "--force", work.path.to_str().unwrap()]);
    let refused = qa(&a, &["1", "-p", "1"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert!(refused.stderr.contains("no worktree"), "{refused}");
    a.godzilla_ok(&["cancel", "1"]);
    assert_eq!(qa(&a, &["1", "-p", "1"]).code, Some(4));
}

#[test]
fn an_older_verdict_does_not_repeat_what_was_undone() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\nexit 0\n");
    work.commit("form", "feat: the form");
    assert_eq!(qa(&work, &[]).code, Some(0));
    assert_eq!(qa(&work, &[]).code, Some(0));
    work.godzilla_ok(&["done"]);
    a.godzilla_ok(&["list"]);
    assert_eq!(a.statuses(NAME)[1], "completed");
    let log = a.godzilla_ok(&["log", NAME, "--json"]);
    let completed = log.lines().rfind(|line| line.contains("step.completed")).unwrap();
    let completed: Value = serde_json::from_str(completed).unwrap();
    a.godzilla_ok(&["undo", completed["op"].as_str().unwrap()]);
    a.godzilla_ok(&["list"]);
    assert_ne!(a.statuses(NAME)[1], "completed");
    if a.statuses(NAME)[1] == "running" {
        work.godzilla_ok(&["done"]);
    }
    a.godzilla_ok(&["list"]);
    assert_eq!(a.statuses(NAME)[1], "needs_qa");
    assert_eq!(qa(&work, &["1"]).code, Some(0));
    assert_eq!(a.statuses(NAME)[1], "completed");
}
