//! What a person agrees to, for what, and what asks again.

use std::fs;

use serde_json::Value;

use super::{NAME, judged_by, qa, verdict};
use crate::support::World;

#[test]
fn consent_is_to_bytes_modes_and_links() {
    let world = World::new();
    let (a, _) = judged_by(&world, "#!/bin/sh\nexit 0\n");
    let agreed = a.json(&["trust", "-p", "1"]);
    assert_eq!(agreed["trusted"], true);
    assert_eq!(a.godzilla(&["trust"]).code, Some(0), "the base has the same ones");
    for (what, change) in [
        ("bytes", Box::new(|| a.commit_gate("test.sh", "#!/bin/sh\nexit 1\n")) as Box<dyn Fn()>),
        ("a file that could be sourced", Box::new(|| a.commit_gate("lib.sh", "x=1\n"))),
        (
            "a mode",
            Box::new(|| {
                a.git(&["update-index", "--chmod=-x", "scripts/ci/lib.sh"]);
                a.git(&["commit", "--quiet", "-m", "ci: mode"]);
                a.git(&["push", "--quiet"]);
            }),
        ),
        (
            "a link",
            Box::new(|| {
                std::os::unix::fs::symlink("test.sh", a.path.join("scripts/ci/lint.sh")).unwrap();
                a.git(&["add", "--all"]);
                a.git(&["commit", "--quiet", "-m", "ci: link"]);
                a.git(&["push", "--quiet"]);
            }),
        ),
    ] {
        change();
        let asked = a.godzilla(&["trust"]);
        assert_eq!(asked.code, Some(5), "{what}: {asked}");
        assert!(asked.stdout.contains("what changed since you agreed last"), "{what}: {asked}");
        a.godzilla_ok(&["trust", "--yes"]);
        assert_eq!(a.godzilla(&["trust"]).code, Some(0), "{what}");
    }
    // The protocol began before all that.
    assert_eq!(a.json(&["trust", "-p", "1"])["digest"], agreed["digest"]);
    a.write(".git/godzilla/trust.json", "{\"v\":1,");
    let damaged = qa(&a, &["1", "-p", "1"]);
    assert_eq!(damaged.code, Some(4), "{damaged}");
    assert!(damaged.stderr.contains("trust.json"), "{damaged}");
    a.write(".git/godzilla/trust.json", "{\"v\":9,\"gates\":[]}");
    assert_eq!(qa(&a, &["1", "-p", "1"]).code, Some(4));
}

#[test]
fn a_folder_that_reaches_out_of_itself_is_not_run() {
    let world = World::new();
    let a = world.clone("a");
    a.commit_gate("test.sh", "#!/bin/sh\nexit 0\n");
    std::os::unix::fs::symlink("../../outside.sh", a.path.join("scripts/ci/lint.sh")).unwrap();
    a.git(&["add", "--all"]);
    a.git(&["commit", "--quiet", "-m", "ci: a link"]);
    a.git(&["push", "--quiet"]);
    a.plan("Add a login", &[]);
    for args in [&["trust", "--yes"][..], &["qa", "1", "-p", "1"]] {
        let refused = a.godzilla(args);
        assert_eq!(refused.code, Some(4), "{refused}");
        assert!(refused.stderr.contains("lint.sh"), "{refused}");
    }
}

#[test]
fn what_is_agreed_to_is_shown_whole() {
    let world = World::new();
    let a = world.clone("a");
    a.write(".gitattributes", "*.sh -diff\n");
    a.commit_gate("test.sh", "#!/bin/sh\n: run \u{1b}]; touch pwned; exit 0 #\u{0}\necho \u{202e}ok\n");
    a.write("scripts/ci/li\u{200b}b.sh", "x=1\n");
    a.git(&["add", "--all"]);
    a.git(&["commit", "--quiet", "-m", "ci: more"]);
    a.git(&["push", "--quiet"]);
    a.git(&["config", "diff.orderFile", "/nonexistent"]);
    let shown = a.godzilla(&["trust", "--show"]);
    for text in ["\\u{1b}]; touch pwned; exit 0", "\\u{0}", "\\u{202e}ok", "li\\u{200b}b.sh"] {
        assert!(shown.stdout.contains(text), "{text}: {shown}");
    }
    assert!(!shown.to_string().contains(['\u{1b}', '\u{202e}', '\u{200b}']), "{shown}");
}

/// Whoever can push may choose which gates judge, but not that they run here.
#[test]
fn an_older_folder_that_is_pushed_as_the_judge_asks_again() {
    const OLD: &str = "#!/bin/sh\nexit 0\n";
    const NEW: &str = "#!/bin/sh\ntest -e ok\n";

    let world = World::new();
    let a = world.clone("a");
    a.commit_gate("test.sh", OLD);
    a.godzilla_ok(&["trust", "--yes"]);
    let old = a.json(&["trust"])["digest"].clone();
    a.commit_gate("test.sh", NEW);
    a.godzilla_ok(&["trust", "--yes"]);
    a.plan("Add a login", &["The form"]);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    work.commit("form", "feat: the form");
    work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
    assert_eq!(qa(&work, &[]).code, Some(1));

    // Another clone chooses the folder that passed everything.
    let b = world.clone("b");
    b.git(&["checkout", "--quiet", NAME]);
    b.write_executable("scripts/ci/test.sh", OLD);
    b.git(&["commit", "--quiet", "-am", "ci: as it was"]);
    b.godzilla_ok(&["trust", "--gates", "--yes", "-p", "1"]);
    assert_eq!(qa(&b, &[]).code, Some(0), "the clone that chose it has agreed to it");
    b.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["sync"]);
    let chosen = a.json(&["trust", "-p", "1", "--show"]);
    assert_eq!((&chosen["digest"], &chosen["trusted"]), (&old, &false.into()));
    let refused = qa(&work, &["--json"]);
    assert_eq!(refused.code, Some(5), "{refused}");
    assert!(refused.stdout.contains("trust.chosen") && refused.stdout.contains("trust -p 0001"), "{refused}");
    let asked = a.godzilla(&["trust", "-p", "1"]);
    assert!(asked.stdout.contains("in place of the base's, somebody chose for 0001"), "{asked}");
    assert!(asked.stdout.contains("-test -e ok") && asked.stdout.contains("+exit 0"), "{asked}");
    // The base's own are as agreed to as before, also for another protocol.
    assert_eq!(a.json(&["trust"])["trusted"], true);
    let other = a.plan("Fix the till", &["The drawer"]);
    assert_eq!(qa(&other, &[]).code, Some(1), "they run");

    a.godzilla_ok(&["trust", "-p", "1", "--yes"]);
    assert_eq!(qa(&work, &[]).code, Some(0));
    // What was agreed to for one protocol says nothing about another one …
    other.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
    b.git(&["fetch", "--quiet"]);
    b.git(&["checkout", "--quiet", "0002-fix-the-till"]);
    b.write_executable("scripts/ci/test.sh", OLD);
    b.git(&["commit", "--quiet", "-am", "ci: as it was"]);
    b.godzilla_ok(&["trust", "--gates", "--yes", "-p", "2"]);
    b.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["sync"]);
    assert_eq!(qa(&other, &[]).code, Some(5));
    // … and for one protocol only the last agreement holds.
    work.write_executable("scripts/ci/test.sh", "#!/bin/sh\nexit 1\n");
    work.git(&["commit", "--quiet", "-am", "ci: stricter"]);
    work.godzilla_ok(&["trust", "--gates", "--yes"]);
    assert_eq!(qa(&work, &[]).code, Some(1));
    let log = a.godzilla_ok(&["log", "1", "--json"]);
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut choices =
        events.filter(|event| event["type"] == "gates.accepted").map(|event| event["op"].clone());
    let stricter = choices.next_back().unwrap();
    a.godzilla_ok(&["undo", stricter.as_str().unwrap()]);
    assert_eq!(qa(&work, &[]).code, Some(5));
    assert_eq!(a.json(&["trust", "--revoke", "-p", "1"])["revoked"], 1);
    assert_eq!(a.json(&["trust", "--revoke"])["revoked"], 2);
}

#[test]
fn a_link_is_no_folder_of_gates() {
    let world = World::new();
    let a = world.clone("a");
    a.write_executable("elsewhere/test.sh", "#!/bin/sh\nexit 0\n");
    fs::create_dir(a.path.join("scripts")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", a.path.join("scripts/ci")).unwrap();
    a.git(&["add", "--all"]);
    a.git(&["commit", "--quiet", "-m", "ci: a link"]);
    a.git(&["push", "--quiet", "origin", "HEAD"]);
    let work = a.plan("Add a login", &["The form"]);
    for refused in [
        a.godzilla(&["trust", "--yes"]),
        a.godzilla(&["trust", "--yes", "-p", "1"]),
        work.godzilla(&["trust", "--gates", "--yes"]),
        qa(&work, &[]),
    ] {
        assert_eq!(refused.code, Some(4), "{refused}");
        assert!(refused.stderr.contains("scripts/ci is no folder"), "{refused}");
    }
    assert_eq!(verdict(&a, 1), Value::Null);
}

#[test]
fn a_link_on_the_branch_takes_no_gate_away() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\nexit 1\n");
    work.git(&["mv", "scripts/ci", "elsewhere"]);
    std::os::unix::fs::symlink("../elsewhere", work.path.join("scripts/ci")).unwrap();
    work.git(&["add", "--all"]);
    work.git(&["commit", "--quiet", "-m", "ci: a link"]);
    let judged = qa(&work, &["--json"]);
    assert_eq!(judged.code, Some(1), "{judged}");
    let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
    assert_eq!(answer["gates"][0]["exit"], 1, "{judged}");
    assert_eq!(answer["findings"][0]["code"], "gate.changed_on_branch", "{judged}");
    assert_eq!(a.statuses(NAME)[1], "running");
}
