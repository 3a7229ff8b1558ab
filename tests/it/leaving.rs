//! Leaving: everything is as it was before `init`, and nothing is lost that nobody else has.

mod places;

use std::collections::BTreeMap;
use std::path::Path;

use crate::schemas::assert_valid;
use crate::support::terminal::answer_on_terminal;
use crate::support::{BIN, Place, World};

const NAME: &str = "0001-add-a-login";

/// Files below a folder with their bytes, or where links lead.
fn files(dir: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            let to = std::fs::read_link(&path).unwrap();
            found.insert(path.display().to_string(), to.to_string_lossy().into_owned().into_bytes());
        } else if path.is_dir() {
            found.insert(path.display().to_string(), Vec::new());
            files(&path, found);
        } else {
            found.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
}

/// All of a git folder but objects, and what git itself keeps beside refs.
fn state_of(place: &Place<'_>) -> BTreeMap<String, Vec<u8>> {
    let git = place.path.join(".git");
    let mut found = BTreeMap::new();
    for folder in ["hooks", "info", "refs", "logs", "godzilla"] {
        files(&git.join(folder), &mut found);
    }
    found.insert("config".to_owned(), place.git(&["config", "--list", "--show-scope"]).into_bytes());
    found.insert("config file".to_owned(), std::fs::read(git.join("config")).unwrap());
    found.insert("refs".to_owned(), place.git(&["for-each-ref"]).into_bytes());
    found
}

#[test]
fn everything_is_as_before_init() {
    // What is there before: nothing, hooks and lines without an end, no file and no folder at all.
    let set_ups: [fn(&Place<'_>); 3] = [
        |_| (),
        |a| {
            a.write_executable(".git/hooks/post-commit", "#!/bin/sh\ntrue\n");
            a.write_executable(".git/hooks/pre-push", "#!/usr/bin/env python3\npass\n");
            a.write(".git/info/exclude", "mine");
            a.git(&["config", "--add", "remote.origin.fetch", "+refs/notes/*:refs/notes/*"]);
            a.git(&["remote", "add", "up/stream", "../srv.git"]);
        },
        |a| {
            std::fs::remove_dir_all(a.path.join(".git/hooks")).unwrap();
            std::fs::remove_file(a.path.join(".git/info/exclude")).unwrap();
            a.write(".git/info/more", "");
        },
    ];
    for (idx, set_up) in set_ups.iter().enumerate() {
        let world = World::new();
        let a = world.bare_clone_of("a");
        set_up(&a);
        let before = state_of(&a);
        a.godzilla_ok(&["init", "--yes", "--base-branch", "main"]);
        let work = a.plan("Add a login", &["The form"]);
        work.commit("form.html", "feat: form");
        work.godzilla_ok(&["done"]);
        a.git(&["config", "godzilla.engines.mine.argv", "true"]);
        a.git(&["config", "godzilla.phases.exec", "mine"]);
        a.godzilla_ok(&["notes", "rebuild"]);
        a.git(&["update-ref", "refs/godzilla-local/keep/x", "HEAD"]);
        if idx == 1 {
            a.godzilla_ok(&["init", "--yes", "--remote", "up/stream"]);
        }
        let head = work.git(&["rev-parse", "HEAD"]);
        // From the linked worktree: it is about all of the clone.
        let done = work.json(&["uninstall", "--discard"]);
        assert_valid("uninstall.v1", &done);
        let mut after = state_of(&a);
        // Branches and worktrees stay; git keeps the log of the branch.
        assert_eq!(work.git(&["rev-parse", "HEAD"]), head);
        assert!(work.path.join(format!(".protocols/{NAME}/plan.md")).exists());
        let branch = |path: &String| path.ends_with(NAME);
        after.retain(|path, _| !branch(path));
        let refs = String::from_utf8(after["refs"].clone()).unwrap();
        let refs: Vec<&str> =
            refs.split_inclusive('\n').filter(|line| !line.trim_end().ends_with(NAME)).collect();
        after.insert("refs".to_owned(), refs.concat().into_bytes());
        for (path, bytes) in &before {
            assert_eq!(
                after.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
                Some(String::from_utf8_lossy(bytes).into_owned()),
                "{idx}: {path}"
            );
        }
        let more: Vec<&String> = after.keys().filter(|path| !before.contains_key(*path)).collect();
        assert!(more.is_empty(), "{idx}: {more:?}");
        // And git goes on without us.
        work.commit("more.html", "feat: more");
        assert_eq!(a.godzilla_ok(&["uninstall"]), "there is nothing of git-godzilla in this clone\n");
    }
}

#[test]
fn others_are_not_touched() {
    let world = World::new();
    let a = world.clone("a");
    a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["sync"]);
    let b = world.clone("b");
    b.godzilla_ok(&["sync"]);
    let server = world.place("srv.git");
    let (theirs, shared) = (state_of(&b), server.git(&["for-each-ref"]));
    // Everything is at the remote, so nothing is lost.
    a.godzilla_ok(&["uninstall"]);
    assert_eq!(state_of(&b), theirs);
    assert_eq!(server.git(&["for-each-ref"]), shared);
    // Fetching brings nothing back, and `init` brings all of it.
    a.git(&["fetch", "--quiet"]);
    assert_eq!(a.git(&["for-each-ref", "refs/godzilla-remote"]), "");
    a.godzilla_ok(&["init", "--yes"]);
    assert_eq!(a.json(&["list"])["protocols"][0]["name"], NAME);
}

#[test]
fn settings_of_worktrees_go_as_well() {
    let world = World::new();
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form"]);
    a.git(&["config", "extensions.worktreeConfig", "true"]);
    work.git(&["config", "--worktree", "godzilla.phases.exec", "codex"]);
    a.git(&["config", "--global", "godzilla.phases.qa", "codex"]);
    a.godzilla_ok(&["uninstall", "--discard"]);
    let left = work.git(&["config", "--list", "--show-scope"]);
    assert!(!left.contains("godzilla.phases.exec"), "{left}");
    assert!(left.contains("global\tgodzilla.phases.qa=codex"), "what is the user's own stays: {left}");
}

#[test]
fn what_nobody_else_has_is_not_lost() {
    let world = World::new();
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form"]);
    let before = state_of(&a);
    let refused = a.godzilla(&["uninstall", "--yes", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!((refused.code, error["code"].as_str()), (Some(4), Some("uninstall.holds")), "{refused}");
    assert!(error["message"].as_str().unwrap().contains("4 events that no remote"), "{error}");
    assert_eq!(state_of(&a), before, "nothing was changed");

    // A snapshot of work is held back for 30 days.
    a.godzilla_ok(&["sync"]);
    work.write("draft.txt", "half done\n");
    work.git(&["add", "draft.txt"]);
    let tree = work.git(&["write-tree"]);
    let aside = |days: &str| {
        let mut commit = work.command("git");
        commit.args(["commit-tree", tree.trim(), "-p", "HEAD", "-m", "snapshot"]);
        if !days.is_empty() {
            commit.env("GIT_COMMITTER_DATE", days);
        }
        let oid = crate::support::run(&mut commit).stdout;
        a.git(&["update-ref", &format!("refs/godzilla-local/snapshots/{NAME}/x"), oid.trim()]);
    };
    aside("");
    let refused = a.godzilla(&["uninstall"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert!(refused.stderr.contains("1 snapshot of work"), "{refused}");
    // With an export all of it is in files: events to import, snapshots to fetch.
    let done = a.json(&["uninstall", "--export", "../kept.jsonl"]);
    assert_eq!(done["kept_in"], serde_json::json!(["../kept.jsonl", "../kept.jsonl.bundle"]));
    assert!(!a.path.join(".git/godzilla").exists());
    a.git(&["fetch", "--quiet", "../kept.jsonl.bundle", "refs/godzilla-local/*:refs/kept/*"]);
    assert_eq!(
        a.git(&["cat-file", "blob", &format!("refs/kept/snapshots/{NAME}/x:draft.txt")]),
        "half done\n"
    );
    a.git(&["update-ref", "-d", &format!("refs/kept/snapshots/{NAME}/x")]);
    a.godzilla_ok(&["init", "--yes"]);
    a.godzilla_ok(&["import", "jsonl", "../kept.jsonl"]);
    assert_eq!(a.statuses(NAME), ["completed", "pending"]);
    // What is older holds nobody back.
    aside("2001-01-01T00:00:00Z");
    a.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["uninstall"]);
}

#[test]
fn who_is_asked_may_stay() {
    let world = World::new();
    let a = world.clone("a");
    let command = |args: &[&str]| {
        let mut command = a.command(BIN);
        command.args(args);
        command
    };
    for answer in ["n\n", "\n", "maybe\n"] {
        let shown = answer_on_terminal(command(&["uninstall"]), answer);
        assert_eq!(shown.code, Some(4), "{shown}");
        assert!(shown.stdout.contains("Take git-godzilla out of this clone?"), "{shown}");
        assert!(a.path.join(".git/godzilla/clone").exists());
    }
    a.plan("Add a login", &["The form"]);
    let shown = answer_on_terminal(command(&["uninstall", "--discard"]), "y\n");
    assert!(
        shown.code == Some(0) && shown.stdout.contains("4 events and 0 snapshots will be lost"),
        "{shown}"
    );
    assert!(!a.path.join(".git/godzilla").exists());
    // An engine does not decide that people leave.
    a.godzilla_ok(&["init", "--yes"]);
    let mut within = command(&["uninstall", "--discard"]);
    assert_eq!(crate::support::run(within.env("GODZILLA_RUN", "x")).code, Some(5));
}
