//! Hooks of others, which run only if a person says so, and only where they can do no harm.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use super::{codes, findings, planned};
use crate::support::{Place, World};

/// Puts a hook of somebody else at a place.
fn put(path: &Path, script: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::remove_file(path).ok();
    std::fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// What `hooks status` says of one event.
fn called(place: &Place<'_>, args: &[&str], event: &str) -> Value {
    let status = place.json(&[&["hooks", "status"], args].concat());
    let hooks = status["hooks"].as_array().unwrap();
    hooks.iter().find(|hook| hook["event"] == event).unwrap()["called"].clone()
}

/// Everything that a trial could touch.
fn all_of(place: &Place<'_>) -> String {
    place.git(&["for-each-ref"])
        + &place.git(&["status", "--porcelain", "--ignored"])
        + &place.git(&["config", "--list"])
        + &place.git(&["count-objects", "--verbose"])
}

#[test]
fn a_hook_that_calls_us_is_proved_on_demand_and_never_else() {
    let world = World::new();
    let a = planned(&world);
    let marker = world.path().join("ran");
    let hooks = a.path.join(".git/hooks");
    // What it says goes nowhere, and it looks at what git gives it.
    let calls = format!(
        "echo x >>'{}'\ntest -s \"$1\" && git godzilla hook commit-msg -- \"$@\" >/dev/null 2>&1",
        marker.display()
    );
    put(&hooks.join("commit-msg"), &calls);
    let before = all_of(&a);
    assert_eq!(codes(&a, &[]), ["hooks.not_tried"]);
    assert_eq!(findings(&a, &[])[1]["fix"], "git godzilla doctor --probe");
    assert_eq!(called(&a, &[], "commit-msg"), Value::Null);
    assert!(!marker.exists(), "nothing of others runs unasked");
    assert!(a.godzilla(&["hooks", "status"]).stderr.contains("git godzilla hooks status --probe"));

    assert_eq!(called(&a, &["--probe"], "commit-msg"), true);
    assert_eq!(codes(&a, &["--probe"]), [""; 0]);
    assert_eq!(std::fs::read_to_string(&marker).unwrap(), "x\nx\n");
    assert_eq!(all_of(&a), before);
}

#[test]
fn a_hook_that_only_names_us_is_found_out_and_what_it_said_is_told() {
    let world = World::new();
    let a = planned(&world);
    let hooks = a.path.join(".git/hooks");
    put(
        &hooks.join("commit-msg"),
        "echo 'no linter here' >&2; exit 3; git godzilla hook commit-msg -- \"$@\"",
    );
    put(&hooks.join("pre-push"), "[ -z \"$2\" ] && git godzilla hook pre-push -- \"$@\"; exit 0");
    assert_eq!(called(&a, &["--probe"], "commit-msg"), false);
    assert_eq!(called(&a, &["--probe"], "pre-push"), false);
    assert_eq!(codes(&a, &["--probe"]), ["hooks.not_called", "hooks.not_called"]);
    let shown = a.godzilla(&["doctor", "--probe"]).stdout;
    assert!(shown.contains("did not come to us: it ended with 3 and said `no linter here`"), "{shown}");
    assert!(shown.contains("did not come to us: it ended well\n"), "{shown}");
}

/// Our script is a file of ours, and what somebody put above our part of it is not.
#[test]
fn lines_above_ours_do_not_run_unasked() {
    let world = World::new();
    let a = world.bare_clone_of("a");
    let marker = world.path().join("ran");
    let hook = a.path.join(".git/hooks/commit-msg");
    put(&hook, "exit 0");
    a.godzilla_ok(&["init", "--yes"]);
    let ours = std::fs::read_to_string(&hook).unwrap();
    let runs = format!("touch '{}'", marker.display());
    let with_below = format!("{ours}{runs}\n");
    std::fs::write(&hook, with_below).unwrap();
    assert_eq!(called(&a, &[], "commit-msg"), true, "what is below is not reached");
    assert!(!marker.exists());
    for (shebang, line) in [("#!/bin/sh", runs.as_str()), ("#!/bin/sh -x", "")] {
        let (_, block) = ours.split_once('\n').unwrap();
        std::fs::write(&hook, format!("{shebang}\n{line}\n{block}")).unwrap();
        assert_eq!(called(&a, &[], "commit-msg"), Value::Null);
        assert_eq!(codes(&a, &[]), ["hooks.not_tried"]);
        assert!(!marker.exists());
        assert_eq!(codes(&a, &["--probe"]), [""; 0]);
        assert_eq!(std::fs::remove_file(&marker).is_ok(), !line.is_empty());
    }
}

/// The script does not name us: what it calls does, as with lefthook.
#[test]
fn a_trial_has_the_files_of_the_commit_and_the_place_of_git() {
    let world = World::new();
    let a = planned(&world);
    a.write("tools/message", "git godzilla hook commit-msg -- \"$@\"\n");
    a.git(&["add", "tools"]);
    a.git(&["commit", "--quiet", "-m", "a tool"]);
    put(
        &a.path.join(".git/hooks/commit-msg"),
        "sh \"$(git rev-parse --show-toplevel)/tools/message\" \"$@\"",
    );
    assert_eq!(codes(&a, &[]), ["hooks.not_called"]);
    assert_eq!(codes(&a, &["--probe"]), [""; 0]);
    assert_eq!(called(&a, &["--probe"], "commit-msg"), true);
}

/// As lefthook has it: ours was moved to where nothing runs it, and theirs calls us by its own settings.
#[test]
fn ours_may_be_put_aside_where_we_are_called_all_the_same() {
    let world = World::new();
    let a = planned(&world);
    let hook = a.path.join(".git/hooks/commit-msg");
    std::fs::rename(&hook, hook.with_extension("old")).unwrap();
    put(&hook, "call_lefthook() { exit 0; }\ncall_lefthook");
    assert_eq!(codes(&a, &["--probe"]), ["hooks.missing"]);
    put(&hook, "call_lefthook() { git-godzilla ho\"\"ok commit-msg -- \"$@\"; }\ncall_lefthook");
    assert_eq!(codes(&a, &[]), ["hooks.missing"]);
    assert_eq!(codes(&a, &["--probe"]), [""; 0]);
    assert_eq!(called(&a, &["--probe"], "commit-msg"), true);
}

/// As husky has it: git looks elsewhere, where a script goes on to one that is tracked.
#[test]
fn hooks_in_a_folder_of_others_are_proved_too() {
    let world = World::new();
    let a = planned(&world);
    a.git(&["config", "core.hooksPath", ".husky/_"]);
    for event in ["commit-msg", "pre-push"] {
        let goes_on =
            format!("s=$(dirname \"$(dirname \"$0\")\")/{event}\n[ ! -f \"$s\" ] || sh -e \"$s\" \"$@\"");
        put(&a.path.join(".husky/_").join(event), &goes_on);
    }
    for worktree in std::fs::read_dir(a.path.join("worktrees")).unwrap() {
        std::fs::create_dir_all(worktree.unwrap().path().join(".husky/_")).unwrap();
    }
    assert_eq!(called(&a, &["--probe"], "commit-msg"), false);
    let shown = a.godzilla(&["doctor", "--probe"]).stdout;
    assert!(shown.contains("none of it came to us in a trial"), "{shown}");
    put(&a.path.join(".husky/commit-msg"), "git godzilla hook commit-msg -- \"$@\"");
    assert_eq!(called(&a, &[], "commit-msg"), Value::Null);
    assert_eq!(called(&a, &["--probe"], "commit-msg"), true);
    assert_eq!(called(&a, &["--probe"], "pre-push"), false);
    // Whether our program lies where every program finds it is another matter.
    let but_for_the_place = |args: &[&str]| {
        let mut codes = codes(&a, args);
        codes.retain(|code| code != "hooks.poor_path");
        codes
    };
    assert_eq!(but_for_the_place(&[]), ["hooks.path", "hooks.not_tried"]);
    assert_eq!(but_for_the_place(&["--probe"]), ["hooks.path"]);
    let shown = a.godzilla_ok(&["doctor", "--probe"]);
    assert!(shown.contains("what lies there calls us for commit-msg, and not for pre-push"), "{shown}");
}
