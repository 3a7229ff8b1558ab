//! The verbs of the life cycle.

use insta::assert_snapshot;

use super::{login_page, masked};
use crate::support::World;

#[test]
fn start_done_next() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    let work = login_page(&a);
    assert_snapshot!(work.godzilla(&["start", "2"]), @r#"
    --- stderr ---
    error: step 02-the-api waits for 01-the-form (pending)
    hint: finish it, or give it up with `git godzilla skip 01-the-form -p 0001-add-a-login-page --reason "…"`
    [exit code: 4]
    "#);
    assert_snapshot!(work.godzilla(&["start"]), @"● step 0001-add-a-login-page/01-the-form is running");
    assert_snapshot!(work.godzilla(&["start"]), @"● step 0001-add-a-login-page/01-the-form is running already");
    assert_snapshot!(work.godzilla(&["done"]), @r"
    --- stderr ---
    error: step 01-the-form has no commit yet
    hint: commit on the protocol's branch, or say `--no-commit` if there is nothing to commit
    [exit code: 4]
    ");
    assert_snapshot!(work.godzilla(&["done", "--no-commit"]), @r"
    ✓ step 0001-add-a-login-page/01-the-form is completed
      next is 02-the-api (The API)
    ");
    assert_snapshot!(work.godzilla(&["next"]), @"● step 0001-add-a-login-page/02-the-api is running");
    work.commit("api.rs", "feat(login): the API");
    assert_snapshot!(work.godzilla(&["done"]), @r"
    ✓ step 0001-add-a-login-page/02-the-api is completed
      every step is settled: merge 0001-add-a-login-page into main
    ");
    assert_snapshot!(work.godzilla(&["next"]), @r"
    --- stderr ---
    error: every step is settled
    hint: merge the branch and push
    [exit code: 4]
    ");
    assert_snapshot!(work.godzilla(&["done", "9"]), @r"
    --- stderr ---
    error: there is no step `9`
    hint: git godzilla show
    [exit code: 3]
    ");
}

#[test]
fn block_unblock_skip() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    let work = login_page(&a);
    assert_snapshot!(work.godzilla(&["block", "--reason", "no design yet"]), @"✗ step 0001-add-a-login-page/01-the-form is blocked");
    assert_snapshot!(work.godzilla(&["explain"]), @r"
    step 01-the-form is blocked: no design yet
    next: git godzilla unblock 01-the-form -p 0001-add-a-login-page
    ");
    assert_snapshot!(work.godzilla(&["unblock"]), @"○ step 0001-add-a-login-page/01-the-form is pending");
    assert_snapshot!(work.godzilla(&["unblock"]), @r"
    --- stderr ---
    error: cannot unblock step 01-the-form: it is pending
    hint: git godzilla start 01-the-form -p 0001-add-a-login-page
    [exit code: 4]
    ");
    assert_snapshot!(work.godzilla(&["skip"]), @r"
    --- stderr ---
    error: the following required arguments were not provided:
      --reason <TEXT>

    Usage: git godzilla skip --reason <TEXT> [STEP]

    For more information, try '-h'.
    [exit code: 2]
    ");
    assert_snapshot!(work.godzilla(&["skip", "--reason", "not needed"]), @r"
    – step 0001-add-a-login-page/01-the-form is cancelled
      next is 02-the-api (The API)
    ");
}

#[test]
fn approve_and_retry() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    a.godzilla_ok(&["plan", "Add a login page", "--step", "The form", "--qa", "full"]);
    let work = world.place("a/worktrees/0001-add-a-login-page");
    assert_snapshot!(work.godzilla(&["approve"]), @r"
    --- stderr ---
    error: cannot approve step 01-the-form: it is pending
    hint: git godzilla start 01-the-form -p 0001-add-a-login-page
    [exit code: 4]
    ");
    work.commit("form.html", "feat(login): the form");
    assert_snapshot!(work.godzilla(&["done"]), @"◐ step 0001-add-a-login-page/01-the-form needs QA");
    assert_snapshot!(work.godzilla(&["explain"]), @r"
    step 01-the-form is done and waits for QA (full): nothing has judged it yet
    next: git godzilla qa 01-the-form -p 0001-add-a-login-page
    ");
    assert_snapshot!(work.godzilla(&["retry"]), @r"
    --- stderr ---
    error: cannot retry step 01-the-form: it is needs_qa
    hint: git godzilla approve 01-the-form -p 0001-add-a-login-page
    [exit code: 4]
    ");
    assert_snapshot!(work.godzilla(&["approve", "--reason", "read it"]), @r"
    ✓ step 0001-add-a-login-page/01-the-form is completed
      every step is settled: merge 0001-add-a-login-page into main
    ");
    assert_snapshot!(work.godzilla(&["status"]), @r"
    0001-add-a-login-page  Add a login page
    status    ● running
    branch    0001-add-a-login-page from main at [HASH]
    worktree  [WORLD]/a/worktrees/0001-add-a-login-page
    updated   [TIME]
    unshared  9 events; `git push` or `git godzilla sync` shares what is new

      ✓ 00-setup     completed  Set up    1 commit
      ✓ 01-the-form  completed  The form  1 commit

    every step is settled: the branch is ready to be merged into main
    next: git -C [WORLD]/a merge --no-ff 0001-add-a-login-page
    ");
}

#[test]
fn pause_resume_cancel() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    let work = login_page(&a);
    assert_snapshot!(a.godzilla(&["pause"]), @r"
    --- stderr ---
    error: this is not the branch of a protocol, so say which one
    hint: git godzilla pause 0001-add-a-login-page
    [exit code: 2]
    ");
    assert_snapshot!(a.godzilla(&["pause", "1", "--reason", "holidays"]), @"‖ protocol 0001-add-a-login-page is paused");
    assert_snapshot!(work.godzilla(&["start"]), @r"
    --- stderr ---
    error: 0001-add-a-login-page was paused by Ada: holidays
    hint: git godzilla resume 0001-add-a-login-page
    [exit code: 4]
    ");
    assert_snapshot!(a.godzilla(&["resume", "1"]), @"● protocol 0001-add-a-login-page is running");
    assert_snapshot!(a.godzilla(&["cancel", "1", "--reason", "no longer wanted"]), @"– protocol 0001-add-a-login-page is cancelled");
    assert_snapshot!(a.godzilla(&["cancel", "1"]), @"– protocol 0001-add-a-login-page is cancelled already");
    assert_snapshot!(a.godzilla(&["resume", "1"]), @r"
    --- stderr ---
    error: protocol 0001-add-a-login-page is cancelled
    hint: git godzilla log 0001-add-a-login-page
    [exit code: 4]
    ");
}

#[test]
fn complete_and_comment() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    login_page(&a);
    assert_snapshot!(a.godzilla(&["comment", "ask Bob", "-p", "1"]), @"○ noted on protocol 0001-add-a-login-page");
    assert_snapshot!(a.godzilla(&["complete", "1"]), @r#"
    --- stderr ---
    error: a protocol is completed by merging its branch into its base
    hint: if it will never be merged: git godzilla complete NAME --unmerged --reason "…"
    [exit code: 4]
    "#);
    assert_snapshot!(a.godzilla(&["complete", "1", "--unmerged"]), @r#"
    --- stderr ---
    error: completing without a merge needs a reason
    hint: add `--reason "…"`
    [exit code: 2]
    "#);
    assert_snapshot!(a.godzilla(&["complete", "1", "--unmerged", "--reason", "an experiment"]), @"✓ protocol 0001-add-a-login-page is completed");
    assert_snapshot!(a.godzilla(&["list"]), @"✓ 0001-add-a-login-page  completed  1/3  not merged  Add a login page");
}
