//! What `--json` prints is what the schemas say.

use serde_json::Value;

use crate::support::{Place, World};

/// Checks a document against `schemas/<schema>.schema.json`.
#[track_caller]
pub(crate) fn assert_valid(schema: &str, document: &Value) {
    let path = format!("{}/schemas/{schema}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(document).map(|err| format!("{}: {err}", err.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\nin {document:#}");
}

/// Runs a command with `--json` and checks what it prints, also when it fails.
#[track_caller]
fn check(place: &Place<'_>, schema: &str, args: &[&str]) -> Value {
    let shown = place.godzilla(&[args, &["--json"]].concat());
    let document =
        serde_json::from_str(&shown.stdout).unwrap_or_else(|err| panic!("{args:?}: {err}\n{shown}"));
    assert!(schema == "error.v1" || shown.code == Some(0), "{args:?}\n{shown}");
    assert_valid(schema, &document);
    document
}

#[test]
fn an_empty_repository() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    check(&place, "error.v1", &["plan", "Add a login page"]);
    check(&place, "init.v1", &["init", "--dry-run"]);
    check(&place, "init.v1", &["init"]);
    check(&place, "list.v1", &["list"]);
    check(&place, "status.v1", &["status"]);
    check(&place, "ready.v1", &["ready"]);
    check(&place, "sync.v1", &["sync"]);
    check(&place, "doctor.v1", &["doctor"]);
    check(&place, "hooks.v1", &["hooks", "status"]);
    check(&place, "notes.v1", &["notes", "rebuild"]);
    check(&place, "config.v1", &["config", "show"]);
    check(&place, "error.v1", &["show"]);
    check(&place, "error.v1", &["show", "7"]);
    check(&place, "error.v1", &["no-such-command"]);
}

#[test]
fn a_protocol_with_everything() {
    let world = World::new();
    let a = world.clone("a");
    check(&a, "plan.v1", &["plan", "Add a login page", "--step", "The form", "--dry-run"]);
    check(&a, "plan.v1", &["plan", "Add a login page", "--step", "The form", "--step", "The API"]);
    let work = world.place("a/worktrees/0001-add-a-login-page");
    work.tick("0001-add-a-login-page", "01-the-form");
    let commit = work.commit("form.html", "feat(login): the form");
    work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
    check(&work, "ci-report.v1", &["ci-report", "failure", "--job", "test"]);
    check(&work, "ci-report.v1", &["ci-report", "success", "--job", "lint", "--output", "reports"]);
    check(
        &work,
        "ci-report.v1",
        &["ci-report", "running", "--job", "late", "--sha", &commit, "--url", "https://ci.invalid/1"],
    );
    check(&work, "push.v1", &["push", "--dry-run", "origin", "HEAD", "main:refs/heads/copy"]);
    check(&work, "push.v1", &["push", "origin", "HEAD", "main:refs/heads/copy"]);
    check(&work, "push.v1", &["push", "--delete", "origin", "copy"]);
    check(&a, "sync.v1", &["sync"]);
    check(&a, "sync.v1", &["sync", "origin"]);
    work.git(&["commit", "--quiet", "--amend", "-m", "feat(login): a form"]);
    check(&a, "doctor.v1", &["doctor", "--fix"]);
    check(&a, "list.v1", &["list"]);
    check(&a, "status.v1", &["status"]);
    let status = check(&work, "protocol.v1", &["status"]);
    assert_eq!(status, check(&a, "protocol.v1", &["show", "1"]));
    check(&a, "ready.v1", &["ready"]);
    check(&a, "explain.v1", &["explain", "1"]);
    check(&a, "explain.v1", &["explain", "1", "--step", "2"]);
    check(&a, "notes.v1", &["notes", "rebuild"]);
    check(&a, "hooks.v1", &["hooks", "uninstall"]);
    check(&a, "hooks.v1", &["hooks", "status"]);

    work.git(&["switch", "--quiet", "--detach"]);
    a.git(&["merge", "--quiet", "--no-ff", "--no-edit", "0001-add-a-login-page"]);
    a.git(&["push", "--quiet"]);
    assert!(check(&a, "protocol.v1", &["show", "1"])["merged"].is_object());
    let log = a.godzilla_ok(&["log", "1", "--json"]);
    assert!(log.lines().count() > 10);
    for line in log.lines() {
        assert_valid("event.v1", &serde_json::from_str(line).unwrap());
    }
}

#[test]
fn the_verbs_of_the_life_cycle() {
    let world = World::new();
    let a = world.clone("a");
    a.godzilla_ok(&["plan", "Add a login page", "--step", "One", "--step", "Two", "--qa", "full"]);
    for args in [
        &["start", "1", "-p", "1"][..],
        &["block", "-p", "1", "--reason", "no design"],
        &["unblock", "-p", "1"],
        &["done", "-p", "1", "--no-commit"],
        &["approve", "1", "-p", "1"],
        &["next", "-p", "1"],
        &["skip", "2", "-p", "1", "--reason", "not needed"],
        &["pause", "1"],
        &["resume", "1"],
        &["comment", "a note", "-p", "1"],
        &["complete", "1", "--unmerged", "--reason", "an experiment"],
    ] {
        let answer = check(&a, "transition.v1", args);
        assert_eq!(answer["schema"], format!("git-godzilla/{}@1", args[0]), "{answer:#}");
    }
    for args in [&["undo", "--dry-run"][..], &["undo"], &["redo"], &["undo"]] {
        let answer = check(&a, "undo.v1", args);
        assert_eq!(answer["schema"], format!("git-godzilla/{}@1", args[0]), "{answer:#}");
    }
    check(&a, "undo.v1", &["redo"]);
    let commands = a.godzilla_ok(&["log", "--op", "--json"]);
    assert_eq!(commands.lines().count(), 16);
    for line in commands.lines() {
        assert_valid("op.v1", &serde_json::from_str(line).unwrap());
    }
    check(&a, "error.v1", &["undo", "no-such-command"]);
    check(&a, "error.v1", &["cancel", "1"]);
    check(&a, "error.v1", &["retry", "1", "-p", "1"]);
    a.godzilla_ok(&["plan", "Fix the till"]);
    check(&a, "transition.v1", &["cancel", "2"]);
    let would = check(&a, "archive.v1", &["archive", "--all", "--dry-run"]);
    let done = check(&a, "archive.v1", &["archive", "1", "2"]);
    assert_eq!((&would["archived"], &would["dry_run"]), (&done["archived"], &true.into()));
    assert_eq!(check(&a, "archive.v1", &["archive", "1"])["already"].as_array().unwrap().len(), 1);
    check(&a, "list.v1", &["list", "--all"]);
    check(&a, "transition.v1", &["unarchive", "2"]);
    check(&a, "transition.v1", &["unarchive", "1", "--reopen", "--reason", "more to do"]);
}

#[test]
fn gates_and_trust() {
    let world = World::new();
    let a = world.clone("a");
    check(&a, "error.v1", &["trust"]);
    a.plan("Before there are gates", &[]);
    let qa = |name: &str| -> Value {
        let document = serde_json::from_str(&a.godzilla(&["qa", "1", "-p", name, "--json"]).stdout).unwrap();
        assert_valid("qa.v1", &document);
        document
    };
    assert_eq!(qa("1")["result"], "no_gate");
    a.commit_gate("test.sh", "#!/bin/sh\necho hello\nexit $(cat exit 2>/dev/null || echo 0)\n");
    let work = a.plan("Add a login page", &["The form"]);
    check(&a, "error.v1", &["qa", "1", "-p", "2"]);
    check(&a, "trust.v1", &["trust", "--show"]);
    check(&a, "error.v1", &["trust"]);
    check(&a, "trust.v1", &["trust", "--yes"]);
    check(&a, "trust.v1", &["trust"]);
    assert_eq!(qa("2")["result"], "pass");
    work.write("exit", "3");
    assert_eq!(qa("2")["gates"][0]["exit"], 3);
    work.write("scripts/ci/test.sh", "exit 0\n");
    work.git(&["commit", "--quiet", "-am", "ci: no gate"]);
    assert_eq!(qa("2")["findings"][0]["code"], "gate.changed_on_branch");
    assert_valid("protocol.v1", &a.json(&["show", "2"]));
    check(&a, "trust.v1", &["trust", "--gates", "-p", "2", "--yes"]);
    check(&a, "trust.v1", &["trust", "--revoke", "-p", "2"]);
    check(&a, "trust.v1", &["trust", "--revoke"]);
}

/// A schema that is no schema would accept anything.
#[test]
fn every_schema_is_one() {
    let dir = format!("{}/schemas", env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert!(jsonschema::meta::is_valid(&schema), "{}", path.display());
        assert!(jsonschema::validator_for(&schema).is_ok(), "{}", path.display());
    }
}
