//! What was refused or failed is told so that a person can do something about it.

use crate::support::World;

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
