//! What a person sees of it.

use insta::assert_snapshot;

use super::{NAME, op_of, planned};
use crate::cli_snapshots::masked;
use crate::schemas::assert_valid;
use crate::support::World;

#[test]
fn undo_and_redo() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    let work = planned(&a, &[]);
    assert_snapshot!(a.godzilla(&["undo", "--dry-run"]), @r"
    → would take back the plan of 0001-add-a-login-page
      – protocol 0001-add-a-login-page is cancelled
      its branch and worktree would go
    ");
    assert_snapshot!(a.godzilla(&["redo"]), @r"
    --- stderr ---
    error: this clone has no undo that could be taken back
    hint: git godzilla log --op
    [exit code: 4]
    ");
    work.godzilla_ok(&["start"]);
    work.godzilla_ok(&["block", "--reason", "no design"]);
    assert_snapshot!(a.godzilla(&["undo", "--dry-run"]), @r"
    → would take back step 01-one: running -> blocked (no design)
      ● step 0001-add-a-login-page/01-one is running
    ");
    assert_snapshot!(a.godzilla(&["undo"]), @r"
    ✓ took back step 01-one: running -> blocked (no design)
      ● step 0001-add-a-login-page/01-one is running
      to have it again: git godzilla redo
    ");
    assert_snapshot!(a.godzilla(&["redo", "-n"]), @r"
    → would bring back step 01-one: running -> blocked (no design)
      ✗ step 0001-add-a-login-page/01-one is blocked
    ");
    assert_snapshot!(a.godzilla(&["redo"]), @r"
    ✓ brought back step 01-one: running -> blocked (no design)
      ✗ step 0001-add-a-login-page/01-one is blocked
    ");
    assert_snapshot!(a.godzilla(&["undo", &op_of(&a, "pending -> running")]), @r"
    ✓ took back 2 decisions:
        protocol: planned -> running
        step 01-one: pending -> running
      ✗ step 0001-add-a-login-page/01-one is blocked
      to have it again: git godzilla redo
    ");
    assert_snapshot!(a.godzilla(&["undo", "XYZ"]), @r"
    --- stderr ---
    error: there is no op `XYZ`
    hint: git godzilla log --op
    [exit code: 3]
    ");
    a.godzilla_ok(&["undo"]);
    assert_snapshot!(a.git(&["log", "-3", "--format=%s", &format!("refs/godzilla/protocols/{NAME}")]), @r"
    undo: step 01-one: running -> blocked (no design)
    undo: step 01-one: pending -> running (and 1 more)
    redo: step 01-one: running -> blocked (no design)
    ");
    assert_snapshot!(a.godzilla(&["undo", "-h"]), @r"
    Take back what the last command of this clone decided; once more, the one before

    Usage: git godzilla undo [OPTIONS] [OP]

    Arguments:
      [OP]  The beginning of a command's id, from `log --op`; may be one of another clone

    Options:
      -n, --dry-run  Show what would be taken back
      -h, --help     Print help (see more with '--help')

    Options of every command:
          --json            Print JSON with a versioned schema on stdout
      -C <PATH>             Run as if started in this folder
          --git-dir <PATH>  The repository's git folder
          --color <WHEN>    When to use colours; `NO_COLOR` and `CLICOLOR_FORCE` are honoured [default:
                            auto] [possible values: auto, always, never]
          --no-pager        Show long text as it is, without a pager
    ");
}

/// What a hook or one command decided is named to the last of it, but for a page of it.
#[test]
fn all_that_a_command_decided_is_listed() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    let work = planned(&a, &[]);
    work.commit("a.txt", "feat: a");
    assert_snapshot!(work.godzilla(&["undo"]), @r"
    ✓ took back 2 decisions:
        protocol: planned -> running
        step 01-one: pending -> running
      ○ step 0001-add-a-login-page/01-one is pending
      to have it again: git godzilla redo
    ");
    assert_snapshot!(work.godzilla(&["undo", &op_of(&a, "undo: step 01-one")]), @r"
    ✓ took back the undo of 2 decisions:
        protocol: planned -> running
        step 01-one: pending -> running
      ● step 0001-add-a-login-page/01-one is running
      to have it again: git godzilla redo
    ");
}

/// Who is refused learns which command it is about, and what rests on it, in the words of the log.
#[test]
fn what_is_refused_is_told_in_words() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    let work = planned(&a, &[]);
    work.commit("a.txt", "feat: a");
    let started = op_of(&a, "pending -> running");
    work.godzilla_ok(&["done"]);
    let shown = work.godzilla(&["undo", &started]);
    assert_snapshot!(shown, @r"
    --- stderr ---
    error: others rest on how `step 01-one: pending -> running (and 2 more)` of [TIME] ([OP]) stands now: `step 01-one: running -> completed` by Ada at [TIME]
    hint: take that back first: git godzilla undo [OP]
    [exit code: 4]
    ");
    // What the hint says is enough to name it.
    let hint = shown.stderr.split("first: git godzilla ").nth(1).unwrap();
    work.godzilla_ok(&hint.trim().split(' ').collect::<Vec<_>>());
    work.godzilla_ok(&["undo"]);
    assert_snapshot!(a.godzilla(&["undo"]), @r"
    --- stderr ---
    error: the branch 0001-add-a-login-page has commits beyond its plan, up to [HASH]
    hint: give it up, which keeps all of it: git godzilla cancel 0001-add-a-login-page
    [exit code: 4]
    ");
    work.git(&["reset", "--quiet", "--hard", "HEAD^"]);
    assert_snapshot!(work.godzilla(&["undo"]), @r"
    --- stderr ---
    error: the current directory is in [WORLD]/a/worktrees/0001-add-a-login-page
    hint: cd '[WORLD]/a', and run it again
    [exit code: 4]
    ");
    assert_snapshot!(a.godzilla(&["undo"]), @r"
    ✓ took back the plan of 0001-add-a-login-page
      – protocol 0001-add-a-login-page is cancelled
      its branch and worktree go, kept for 30 days as refs/godzilla-local/trash/0001-add-a-login-page/[ID]
      to have it again: git godzilla redo
    ");
    assert_snapshot!(a.godzilla(&["redo"]), @r"
    ✓ brought back the plan of 0001-add-a-login-page
      ✓ step 0001-add-a-login-page/00-setup is completed
      the branch 0001-add-a-login-page and its worktree come back
    ");
}

#[test]
fn logs() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    let work = planned(&a, &[]);
    work.commit("a.txt", "feat: a");
    work.godzilla_ok(&["comment", "a fact"]);
    work.godzilla_ok(&["block", "--reason", "no design"]);
    work.godzilla_ok(&["undo"]);
    work.godzilla_ok(&["redo"]);
    work.godzilla_ok(&["undo"]);
    assert_snapshot!(work.godzilla(&["log"]), @r"
    [TIME]  plan 0001-add-a-login-page: Add a login page  Ada (human)
    [TIME]  protocol: pending -> planned  Ada (human)
    [TIME]  commit [HASH]: feat(protocol): add plan for 0001-add-a-login-page [protocol-0001/00]  Ada (human)
    [TIME]  step 00-setup: pending -> completed  Ada (human)
    [TIME]  commit [HASH]: feat: a [protocol-0001/01]  Ada (hook)
    [TIME]  protocol: planned -> running  Ada (hook)
    [TIME]  step 01-one: pending -> running  Ada (hook)
    [TIME]  note: a fact  Ada (human)
    [TIME]  step 01-one: running -> blocked (no design)  Ada (human)  [undone by Ada ([ID])]
    [TIME]  undo: step 01-one: running -> blocked (no design)  Ada (human)  [undone by Ada ([ID])]
    [TIME]  redo: step 01-one: running -> blocked (no design)  Ada (human)
    [TIME]  undo: step 01-one: running -> blocked (no design)  Ada (human)
    ");
    assert_snapshot!(work.godzilla(&["log", "--op"]), @r"
    [OP]  [TIME]  0001-add-a-login-page  plan 0001-add-a-login-page: Add a login page (and 3 more)  4 events  Ada (human)
    [OP]  [TIME]  0001-add-a-login-page  step 01-one: pending -> running (and 2 more)  3 events  Ada (hook)
    [OP]  [TIME]  0001-add-a-login-page  note: a fact  1 event  Ada (human)
    [OP]  [TIME]  0001-add-a-login-page  step 01-one: running -> blocked (no design)  1 event  Ada (human)  [undone]
    [OP]  [TIME]  0001-add-a-login-page  undo: step 01-one: running -> blocked (no design)  1 event  Ada (human)  [undone]
    [OP]  [TIME]  0001-add-a-login-page  redo: step 01-one: running -> blocked (no design)  1 event  Ada (human)
    [OP]  [TIME]  0001-add-a-login-page  undo: step 01-one: running -> blocked (no design)  1 event  Ada (human)
    ");
    assert_snapshot!(work.godzilla(&["log", "--op", "1"]), @r"
    [OP]  [TIME]  plan 0001-add-a-login-page: Add a login page (and 3 more)  4 events  Ada (human)
    [OP]  [TIME]  step 01-one: pending -> running (and 2 more)  3 events  Ada (hook)
    [OP]  [TIME]  note: a fact  1 event  Ada (human)
    [OP]  [TIME]  step 01-one: running -> blocked (no design)  1 event  Ada (human)  [undone]
    [OP]  [TIME]  undo: step 01-one: running -> blocked (no design)  1 event  Ada (human)  [undone]
    [OP]  [TIME]  redo: step 01-one: running -> blocked (no design)  1 event  Ada (human)
    [OP]  [TIME]  undo: step 01-one: running -> blocked (no design)  1 event  Ada (human)
    ");
    assert_snapshot!(work.godzilla(&["log", "--op", "--all"]), @r"
    --- stderr ---
    error: the argument '--op' cannot be used with '--all'

    Usage: git godzilla log --op [NAME]

    For more information, try '-h'.
    [exit code: 2]
    ");
}

#[test]
fn schemas() {
    let world = World::new();
    let a = world.clone("a");
    let work = planned(&a, &[]);
    work.godzilla_ok(&["start"]);
    for args in [&["undo", "-n"][..], &["undo"], &["redo", "-n"], &["redo"], &["undo"]] {
        assert_valid("undo.v1", &work.json(args));
    }
    work.godzilla_ok(&["pause"]);
    for args in [&["log", "--op", "--json"][..], &["log", "--op", "1", "--json"]] {
        let text = work.godzilla_ok(args);
        assert_eq!(text.lines().count(), 6, "{text}");
        for line in text.lines() {
            assert_valid("op.v1", &serde_json::from_str(line).unwrap());
        }
    }
    for line in work.godzilla_ok(&["log", "--json"]).lines() {
        assert_valid("event.v1", &serde_json::from_str(line).unwrap());
    }
    for args in [&["undo", "XYZ", "--json"], &["redo", "XYZ", "--json"]] {
        assert_valid("error.v1", &serde_json::from_str(&work.godzilla(args).stdout).unwrap());
    }
}
