//! Worktrees that go and come back.

use insta::assert_snapshot;

use super::masked;
use crate::support::World;

#[test]
fn worktrees_and_restore() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    let work = a.plan("Add a login page", &["The form"]);
    work.commit("form", "feat: the form");
    let done = a.plan("Search", &["One"]);
    done.commit("search", "feat: search");
    a.git(&["merge", "--quiet", "--no-ff", "-m", "merge it", "0002-search"]);
    a.git(&["push", "--quiet", "origin", "main"]);
    done.write(".gitignore", "build/\n");
    done.write("build/out", "built\n");
    work.write("notes", "mine\n");
    assert_snapshot!(a.godzilla(&["worktrees", "list"]), @r"
    @ main                              [TIME]  clean                                  [WORLD]/a
      0001-add-a-login-page  running    [TIME]  1 not committed, 2 commits not pushed  [WORLD]/a/worktrees/0001-add-a-login-page
      0002-search            completed  [TIME]  1 not committed, merged (ancestry)     [WORLD]/a/worktrees/0002-search
    ");
    assert_snapshot!(a.godzilla(&["worktrees", "gc"]), @r"
    · 0001-add-a-login-page stays: 0001-add-a-login-page is running; [WORLD]/a/worktrees/0001-add-a-login-page holds what is not committed: notes; the branch 0001-add-a-login-page has 2 commits that nothing else has, up to [HASH]
    · 0002-search stays: [WORLD]/a/worktrees/0002-search holds what is not committed: .gitignore
    ");
    std::fs::write(a.path.join(".git/info/exclude"), "/worktrees/\nbuild/\n").unwrap();
    std::fs::remove_file(done.path.join(".gitignore")).unwrap();
    assert_snapshot!(a.godzilla(&["worktrees", "gc", "--dry-run"]), @r"
    → would remove [WORLD]/a/worktrees/0002-search and the branch 0002-search (was [HASH]), merged into origin/main (ancestry)
      ignored, and not kept: build/
    · 0001-add-a-login-page stays: 0001-add-a-login-page is running; [WORLD]/a/worktrees/0001-add-a-login-page holds what is not committed: notes; the branch 0001-add-a-login-page has 2 commits that nothing else has, up to [HASH]
    ");
    assert_snapshot!(a.godzilla(&["worktrees", "gc"]), @r"
    ✓ removed [WORLD]/a/worktrees/0002-search and the branch 0002-search (was [HASH]), merged into origin/main (ancestry)
      ignored, and not kept: build/
    · 0001-add-a-login-page stays: 0001-add-a-login-page is running; [WORLD]/a/worktrees/0001-add-a-login-page holds what is not committed: notes; the branch 0001-add-a-login-page has 2 commits that nothing else has, up to [HASH]
      to have one again: git godzilla restore --list
    ");
    assert_snapshot!(a.godzilla(&["worktrees", "remove", "1"]), @r"
    --- stderr ---
    error: [WORLD]/a/worktrees/0001-add-a-login-page holds what is not committed: notes
    hint: commit it, or: git godzilla worktrees remove 0001-add-a-login-page --force (it can be restored)
    [exit code: 4]
    ");
    assert_snapshot!(a.godzilla(&["worktrees", "remove", "1", "--force"]), @r"
    ✓ removed [WORLD]/a/worktrees/0001-add-a-login-page and the branch 0001-add-a-login-page (was [HASH])
      not committed, and kept: notes
      to have it again: git godzilla restore [ID]
      kept until [TIME]
    ");
    assert_snapshot!(a.godzilla(&["restore"]), @r"
    --- stderr ---
    error: 2 things are kept, so say which one
    hint: git godzilla restore --list
    [exit code: 2]
    ");
    assert_snapshot!(a.godzilla(&["restore", "--list"]), @r"
    0001-add-a-login-page  trash  [TIME]  [ID]  removed
    0002-search            trash  [TIME]  [ID]  removed  without 1 path
    ");
    assert_snapshot!(a.godzilla(&["restore", "1", "--dry-run"]), @r"
    → would restore 0001-add-a-login-page as of [TIME]
      would make the branch 0001-add-a-login-page at [HASH]
      would add the worktree
      would write: notes
    ");
    assert_snapshot!(a.godzilla(&["restore", "1"]), @r"
    ✓ restored 0001-add-a-login-page as of [TIME]
      made the branch 0001-add-a-login-page at [HASH]
      added the worktree [WORLD]/a/worktrees/0001-add-a-login-page
      written: notes
    ");
    work.write("notes", "other\n");
    assert_snapshot!(a.godzilla(&["restore", "1"]), @r"
    ✓ restored 0001-add-a-login-page as of [TIME]
      written: notes
      what was not committed before is kept: git godzilla restore [ID]
    ");
    assert_snapshot!(a.godzilla(&["restore", "1"]), @r"
    ✓ restored 0001-add-a-login-page as of [TIME]
      every file of it is there already
    ");
}
