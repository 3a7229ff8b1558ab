//! Gates: consent to them, and what they say.

use insta::assert_snapshot;

use super::{login_page, masked};
use crate::support::{Place, World};

/// Replaces how long gates took.
fn without_times() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\b\d+\.\d s\b", "[TOOK]");
    settings.bind_to_scope()
}

fn add_gate(a: &Place<'_>) {
    a.write("scripts/ci/lib.sh", "judge() { test ! -e broken; }\n");
    a.commit_gate("test.sh", "#!/bin/sh\n. \"$(dirname \"$0\")/lib.sh\"\necho judging\njudge\n");
}

#[test]
fn trust_and_qa() {
    let world = World::new();
    let _took = without_times();
    let _mask = masked(&world);
    let a = world.clone("a");
    assert_snapshot!(a.godzilla(&["trust"]), @r"
    --- stderr ---
    error: there are no gates in scripts/ci of main
    hint: commit an executable such as scripts/ci/test.sh to the base
    [exit code: 4]
    ");
    add_gate(&a);
    let work = login_page(&a);
    assert_snapshot!(work.godzilla(&["qa"]), @r"
    --- stderr ---
    error: nobody has agreed here to run the gates in scripts/ci
    hint: git godzilla trust -p 0001-add-a-login-page
    [exit code: 5]
    ");
    assert_snapshot!(work.godzilla(&["trust"]), @r"
    0001-add-a-login-page is judged by 1 gate in scripts/ci:
      100644  lib.sh  may be used by a gate
      100755  test.sh  runs as test
    sha256 of all of it: c0b263f26538a2544f1d1bc15b0c3a4361d53434ab1904b6983b002a4275f48c
    --- stderr ---
    error: nothing was agreed to: the gates in scripts/ci do not run
    hint: read them with `git godzilla trust --show`, then `git godzilla trust --yes`
    [exit code: 5]
    ");
    assert_snapshot!(work.godzilla(&["trust", "--yes"]), @r"
    0001-add-a-login-page is judged by 1 gate in scripts/ci:
      100644  lib.sh  may be used by a gate
      100755  test.sh  runs as test
    sha256 of all of it: c0b263f26538a2544f1d1bc15b0c3a4361d53434ab1904b6983b002a4275f48c
    ✓ agreed: the gates in scripts/ci may run in this clone
    ");
    work.commit("form", "feat: the form");
    work.godzilla_ok(&["done"]);
    assert_snapshot!(work.godzilla(&["explain"]), @r"
    step 01-the-form is done and waits for QA (full): nothing has judged it yet
    next: git godzilla qa 01-the-form -p 0001-add-a-login-page
    ");
    work.write("broken", "");
    assert_snapshot!(work.godzilla(&["qa"]), @r"
    ✗ FAIL: 0001-add-a-login-page/01-the-form, with what is not committed
    ◐ step 0001-add-a-login-page/01-the-form needs QA
    --- stderr ---
    ▶ test
    judging
    ✗ test failed with exit code 1 [TOOK]
    [exit code: 1]
    ");
    std::fs::remove_file(work.path.join("broken")).unwrap();
    assert_snapshot!(work.godzilla(&["qa"]), @r"
    ✓ PASS: 1 gate of 0001-add-a-login-page/01-the-form
    ✓ step 0001-add-a-login-page/01-the-form is completed
    --- stderr ---
    ▶ test
    judging
    ✓ test passed [TOOK]
    ");
}

#[test]
fn gates_of_a_branch() {
    let world = World::new();
    let _took = without_times();
    let _mask = masked(&world);
    let a = world.clone("a");
    add_gate(&a);
    let work = login_page(&a);
    work.godzilla_ok(&["trust", "--yes"]);
    work.commit("form", "feat: the form");
    work.write("scripts/ci/lib.sh", "judge() { true; }\n");
    work.git(&["commit", "--quiet", "-am", "ci: kinder"]);
    assert_snapshot!(work.godzilla(&["qa"]), @r"
    ✓ PASS: 1 gate of 0001-add-a-login-page/01-the-form
    ● step 0001-add-a-login-page/01-the-form is running
      the work on it has not ended: git godzilla done 01-the-form -p 0001-add-a-login-page
    --- stderr ---
    ▶ test
    judging
    ✓ test passed [TOOK]
    warning: the gates of the branch are others (lib.sh); the base's have judged it. To accept the branch's: git godzilla trust --gates -p 0001-add-a-login-page
    ");
    assert_snapshot!(work.godzilla(&["trust", "--gates"]), @r"
    the branch of 0001-add-a-login-page has 1 gate in scripts/ci:
      100644  lib.sh  may be used by a gate
      100755  test.sh  runs as test
    sha256 of all of it: 46fde866ef939892102d6c0e3429d2409d1c5987193e83408057d6558bf43004

    what changed since you agreed last:
    diff --git a/lib.sh b/lib.sh
    index b7c32a8..42ef208 100644
    --- a/lib.sh
    +++ b/lib.sh
    @@ -1 +1 @@
    -judge() { test ! -e broken; }
    +judge() { true; }
    --- stderr ---
    error: nothing was agreed to: the gates in scripts/ci do not run
    hint: read them with `git godzilla trust --show`, then `git godzilla trust --yes`
    [exit code: 5]
    ");
    assert_snapshot!(work.godzilla(&["trust", "--gates", "--yes"]), @r"
    the branch of 0001-add-a-login-page has 1 gate in scripts/ci:
      100644  lib.sh  may be used by a gate
      100755  test.sh  runs as test
    sha256 of all of it: 46fde866ef939892102d6c0e3429d2409d1c5987193e83408057d6558bf43004

    what changed since you agreed last:
    diff --git a/lib.sh b/lib.sh
    index b7c32a8..42ef208 100644
    --- a/lib.sh
    +++ b/lib.sh
    @@ -1 +1 @@
    -judge() { test ! -e broken; }
    +judge() { true; }
    ✓ agreed: the gates in scripts/ci may run in this clone
      they judge 0001-add-a-login-page from now on, in every clone that has agreed to run them
    ");
    assert_snapshot!(work.godzilla(&["trust", "--revoke"]), @"took back 2 agreements; nothing of it runs here any more");
    assert_snapshot!(work.godzilla(&["show"]), @r"
    0001-add-a-login-page  Add a login page
    status    ● running
    branch    0001-add-a-login-page from main at [HASH]
    worktree  [WORLD]/a/worktrees/0001-add-a-login-page
    gates     [HASH] were accepted in place of the base's
    updated   [TIME]
    unshared  10 events; `git push` or `git godzilla sync` shares what is new

      ✓ 00-setup     completed  Set up    1 commit
    → ● 01-the-form  running    The form  2 commits, QA pass
      ○ 02-the-api   pending    The API

    step 01-the-form is being worked on; tick its last box, or say that it is done
    next: git godzilla done 01-the-form -p 0001-add-a-login-page
    ");
}
