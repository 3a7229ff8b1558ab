//! What lint, format or typecheck found, mended by the engine that did the step.

use serde_json::Value;

use super::{NAME, qa};
use crate::run::{json, set};
use crate::support::{Place, World};

/// A protocol whose first step an engine did with a mistake that the gate `gate` finds: a file named `bad`.
/// `mends` is what the engine does when it is asked to mend something.
fn done_badly<'w>(world: &'w World, gate: &str, mends: &str) -> (Place<'w>, Place<'w>) {
    let a = world.clone("a");
    a.commit_gate(&format!("{gate}.sh"), "#!/bin/sh\necho found it; test ! -e bad\n");
    a.json(&["plan", "Add a login", "--step", "The form", "--step", "The API", "--qa", "full"]);
    a.godzilla_ok(&["trust", "-p", "1", "--yes"]);
    let script = format!(
        "cat >/dev/null\ncase $GODZILLA_KIND in fix) echo fix >>\"$0.fixes\"; {mends} ;; *) echo >bad; echo >form ;; esac\necho \"$DONE\""
    );
    set(&a, "sh", &script);
    a.git(&["config", "godzilla.phases.exec", "sh"]);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    (a, work)
}

fn n_fixes(a: &Place<'_>) -> usize {
    std::fs::read_to_string(a.path.join("../sh-engine.fixes")).unwrap_or_default().lines().count()
}

fn runs_of_kind(a: &Place<'_>, kind: &str) -> usize {
    let runs = a.json(&["runs", "1"]);
    runs["runs"].as_array().unwrap().iter().filter(|run| run["kind"] == kind).count()
}

#[test]
fn what_lint_found_is_mended_and_judged_again() {
    let world = World::new();
    let (a, work) = done_badly(&world, "lint", "rm bad");
    json(&work.godzilla(&["run", "--no-qa", "--json"]));
    let (shown, answer) = qa(&work, &[]);
    assert_eq!((shown.code, &answer["result"]), (Some(0), &"pass".into()), "{shown}");
    assert_eq!(answer["mended"][0]["class"], "lint");
    assert_eq!(work.git(&["rev-parse", "HEAD"]).trim(), answer["mended"][0]["commit"].as_str().unwrap());
    let message = work.git(&["log", "-1", "--format=%B"]);
    assert!(message.starts_with("fix(lint): what lint found"), "{message}");
    assert!(message.contains("Godzilla-Step: 0001-add-a-login/01-the-form\n"), "{message}");
    assert_eq!(a.statuses(NAME)[1], "completed");
    assert_eq!((n_fixes(&a), runs_of_kind(&a, "fix")), (1, 1));
    // The step did not begin anew for it.
    assert_eq!(a.json(&["show", "1"])["steps"][1]["attempts"], 1);
}

#[test]
fn mending_ends_after_as_many_tries_as_are_allowed_in_every_process() {
    let world = World::new();
    // It changes something each time, and never what was found.
    let (a, work) = done_badly(&world, "lint", "echo >>form");
    json(&work.godzilla(&["run", "--no-qa", "--json"]));
    let (shown, answer) = qa(&work, &[]);
    assert_eq!((shown.code, &answer["result"]), (Some(1), &"fail".into()), "{shown}");
    assert_eq!((answer["mended"].as_array().unwrap().len(), n_fixes(&a)), (2, 2), "{shown}");
    assert_eq!(a.statuses(NAME)[1], "failed");
    let (shown, _) = qa(&work, &[]);
    assert_eq!((shown.code, n_fixes(&a)), (Some(1), 2), "{shown}");
    // Tries are counted by the attempt, wherever they were made.
    work.godzilla_ok(&["retry", "--no-run"]);
    json(&work.godzilla(&["run", "--no-qa", "--json"]));
    qa(&work, &["--no-fix"]);
    assert_eq!(n_fixes(&a), 2);
}

#[test]
fn nothing_is_mended_that_a_person_did_or_a_test_found() {
    let world = World::new();
    let (a, work) = done_badly(&world, "lint", "rm bad");
    work.commit("bad", "feat: by hand");
    work.godzilla_ok(&["done"]);
    let (shown, answer) = qa(&work, &[]);
    assert_eq!((shown.code, &answer["mended"]), (Some(1), &Value::Array(Vec::new())), "{shown}");
    assert_eq!(n_fixes(&a), 0);

    let world = World::new();
    let (a, work) = done_badly(&world, "test", "rm bad");
    json(&work.godzilla(&["run", "--no-qa", "--json"]));
    assert_eq!((qa(&work, &[]).0.code, n_fixes(&a)), (Some(1), 0));

    let world = World::new();
    let (a, work) = done_badly(&world, "format", "rm bad");
    a.git(&["config", "godzilla.qa.autoFixAttempts", "0"]);
    a.commit_gate("test.sh", "#!/bin/sh\ntrue\n");
    json(&work.godzilla(&["run", "--no-qa", "--json"]));
    assert_eq!((qa(&work, &[]).0.code, n_fixes(&a)), (Some(1), 0));
}

#[test]
fn what_a_run_that_did_not_mend_changed_can_be_set_aside() {
    let world = World::new();
    let refuses = r#"echo half >>form; echo >new; echo '{"v":1,"status":"refused","message":"no"}'; exit"#;
    let (_, work) = done_badly(&world, "lint", refuses);
    json(&work.godzilla(&["run", "--no-qa", "--json"]));
    let head = work.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let shown = work.godzilla(&["qa"]);
    let dir = work.path.display();
    let aside =
        format!("to set it aside and go back to {head}: git -C '{dir}' stash push --include-untracked");
    assert!(shown.stderr.contains(&aside), "{shown}");
    assert!(work.path.join("new").exists());
    work.git(&["stash", "push", "--include-untracked"]);
    assert_eq!(work.git(&["status", "--porcelain"]), "");
    assert_eq!(work.git(&["show", "stash@{0}:form"]), "\nhalf\n", "it is kept");
}

#[test]
fn an_engine_that_mends_nothing_leaves_it_to_people() {
    let world = World::new();
    let (a, work) = done_badly(&world, "lint", "true");
    json(&work.godzilla(&["run", "--no-qa", "--json"]));
    let shown = work.godzilla(&["qa"]);
    assert_eq!((shown.code, n_fixes(&a)), (Some(1), 1), "{shown}");
    assert!(shown.stderr.contains("sh mended nothing"), "{shown}");
    assert_eq!(a.statuses(NAME)[1], "failed");
}
