//! What goes to remotes, and what calls us.

use insta::assert_snapshot;

use super::{login_page, masked};
use crate::support::World;

#[test]
fn sync_with_and_without_news() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    login_page(&a);
    assert_snapshot!(a.godzilla(&["sync"]), @"✓ origin: 5 events pushed");
    assert_snapshot!(a.godzilla(&["sync"]), @"✓ origin is up to date");
    assert_snapshot!(a.godzilla(&["sync", "elsewhere"]), @r"
    --- stderr ---
    error: there is no remote `elsewhere`
    hint: did you mean `origin`?
    [exit code: 3]
    ");
}

#[test]
fn push_what_is_taken_and_what_is_not() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    login_page(&a);
    assert_snapshot!(a.godzilla(&["push", "--dry-run", "origin", "0001-add-a-login-page"]), @r"
    ✓ 0001-add-a-login-page: [new branch]
    ✓ origin: 5 events would be pushed
    ");
    assert_snapshot!(a.godzilla(&["push", "-u", "origin", "0001-add-a-login-page"]), @r"
    ✓ 0001-add-a-login-page: [new branch]
    ✓ origin: 5 events pushed
    --- stderr ---
    branch '0001-add-a-login-page' set up to track 'origin/0001-add-a-login-page'.
    ");
    assert_snapshot!(a.godzilla(&["push", "origin", "0001-add-a-login-page"]), @r"
    ✓ 0001-add-a-login-page: [up to date]
    ✓ origin has the state
    ");
    a.git(&["push", "--quiet", "--no-verify", "origin", "0001-add-a-login-page:main"]);
    a.commit("README", "another first");
    assert_snapshot!(a.godzilla(&["push", "origin", "main"]), @r"
    ✗ main: [rejected] (non-fast-forward)
    ✓ origin has the state
    --- stderr ---
    error: failed to push some refs to '[WORLD]/srv.git'
    hint: Updates were rejected because the tip of your current branch is behind
    hint: its remote counterpart. If you want to integrate the remote changes,
    hint: use 'git pull' before pushing again.
    hint: See the 'Note about fast-forwards' in 'git push --help' for details.
    [exit code: 1]
    ");
    let hook = world.path().join("srv.git/hooks/update");
    world
        .place("srv.git")
        .write_executable("hooks/update", "#!/bin/sh\ncase $1 in refs/godzilla/*) exit 1;; esac\n");
    a.godzilla_ok(&["comment", "a word", "-p", "1"]);
    assert_snapshot!(a.godzilla(&["push", "origin", "0001-add-a-login-page"]), @r"
    ✓ 0001-add-a-login-page: [up to date]
    --- stderr ---
    remote: error: hook declined to update refs/godzilla/protocols/0001-add-a-login-page
    error: failed to push some refs to '[WORLD]/srv.git'
    warning: 1 event not on origin ([remote rejected] (hook declined))
    share them with `git godzilla sync`
    ");
    std::fs::remove_file(hook).unwrap();
    assert_snapshot!(a.godzilla(&["push", "elsewhere", "main"]), @r"
    --- stderr ---
    fatal: 'elsewhere' does not appear to be a git repository
    fatal: Could not read from remote repository.
    Please make sure you have the correct access rights
    and the repository exists.
    error: `elsewhere` cannot be reached: Could not read from remote repository.
    hint: nothing was pushed; try again when git's complaint above is seen to
    [exit code: 7]
    ");
}

#[test]
fn hooks_and_notes() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    login_page(&a);
    assert_snapshot!(a.godzilla(&["hooks", "status"]), @r"
    prepare-commit-msg  called by git directly  git-godzilla
    commit-msg          called by git directly  git-godzilla
    post-commit         called by git directly  git-godzilla
    post-rewrite        called by git directly  git-godzilla
    pre-push            called by git directly  git-godzilla
    post-merge          called by git directly  git-godzilla
    post-checkout       called by git directly  git-godzilla
    ");
    assert_snapshot!(a.godzilla(&["hooks", "install"]), @"nothing to change");
    assert_snapshot!(a.godzilla(&["notes", "rebuild"]), @"1 note written; see `git log --notes=godzilla`");
}
