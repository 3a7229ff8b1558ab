//! What was refused or failed is told so that a person can do something about it.

use crate::support::{World, run};

/// Nothing leads from the files to the repository: only the repository names them.
#[test]
fn hints_lead_to_a_worktree_that_only_the_configuration_names() {
    let world = World::new();
    let a = world.clone("a");
    std::fs::create_dir(world.path().join("its files")).unwrap();
    a.git(&["config", "core.worktree", world.path().join("its files").to_str().unwrap()]);
    a.git(&["reset", "--quiet", "--hard"]);
    let work = a.plan("Add a login", &["The form"]);
    work.commit("form", "feat: the form");
    work.godzilla_ok(&["done"]);
    let next = work.json(&["explain"])["next_command"].as_str().unwrap().to_owned();
    let merged = run(work.command("sh").args(["-c", &next]));
    assert_eq!(merged.code, Some(0), "{next}\n{merged}");
    assert!(world.path().join("its files/form").exists());
}

#[test]
fn gates_judge_in_a_worktree_that_only_the_configuration_names() {
    let world = World::new();
    let a = world.clone("a");
    a.write("scripts/ci/test.sh", "#!/bin/sh\ntest -e form\n");
    a.git(&["add", "."]);
    a.git(&["update-index", "--chmod=+x", "scripts/ci/test.sh"]);
    a.git(&["commit", "--quiet", "-m", "ci: a gate"]);
    a.git(&["push", "--quiet", "origin", "HEAD"]);
    a.git(&["config", "godzilla.worktree.mode", "in-place"]);
    a.godzilla_ok(&["plan", "Add a login", "--step", "The form"]);
    let files = world.place("its files");
    std::fs::create_dir(&files.path).unwrap();
    a.git(&["config", "core.worktree", files.path.to_str().unwrap()]);
    a.git(&["checkout", "--quiet", "--force", "0001-add-a-login"]);
    files.write("form", "");
    a.godzilla_ok(&["trust", "--yes"]);
    let judged = a.godzilla(&["qa"]);
    assert_eq!(judged.code, Some(0), "{judged}");
}

/// Git's last word is that it gave up; which path it was about, it says before.
#[test]
fn what_git_could_not_do_is_told_with_its_reason() {
    let world = World::new();
    let a = world.clone("a");
    a.write("scripts/ci/test.sh", "#!/bin/sh\n");
    a.commit("scripts/ci/README", "ci: a gate");
    let work = a.plan("Add a login", &["The form"]);
    work.git(&["init", "--quiet", "new folder"]);
    let shown = work.godzilla(&["qa"]);
    assert_eq!(shown.code, Some(6), "{shown}");
    assert!(shown.stderr.contains("error: 'new folder/' does not have a commit"), "{shown}");
}
