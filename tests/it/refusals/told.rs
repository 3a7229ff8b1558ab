//! What was refused or failed is told so that a person can do something about it.

use crate::support::terminal::answer_on_terminal;
use crate::support::{BIN, Place, World, run};

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
    a.commit_gate("test.sh", "#!/bin/sh\ntest -e form\n");
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

/// What is typed counts as what the question names, and as no else.
#[test]
fn questions_are_answered_by_what_they_name() {
    let world = World::new();
    let a = world.bare_clone_of("a");
    let asked = |place: &Place<'_>, verb: &str, typed: &str| {
        let mut command = place.command(BIN);
        command.arg(verb);
        answer_on_terminal(command, typed)
    };
    let init = |typed: &str| asked(&a, "init", typed);
    for typed in ["n\n", "yeah\n", "\u{4}"] {
        let shown = init(typed);
        assert!(shown.code == Some(4) && shown.stdout.contains("nothing was changed"), "{typed:?} {shown}");
    }
    assert_eq!(init("\n").code, Some(0));
    a.commit_gate("test.sh", "#!/bin/sh\n");
    let work = a.plan("Add a login", &["The form"]);
    let trust = |typed: &str| asked(&work, "trust", typed);
    for typed in ["y\n", "\n", "yes please\n", "\u{4}"] {
        let shown = trust(typed);
        assert!(shown.stdout.contains("Type yes"), "{shown}");
        assert!(shown.code == Some(5) && shown.stdout.contains("nothing was agreed to"), "{typed:?} {shown}");
    }
    assert_eq!(trust(" Yes\n").code, Some(0));
}

/// A relative path means another folder wherever the program runs.
#[test]
fn a_home_that_is_no_absolute_path_is_refused() {
    let world = World::new();
    let place = world.place("home");
    let files = || std::fs::read_dir(&place.path).unwrap().count();
    let with =
        |args: &[&str], vars: &[(&str, &str)]| run(place.command(BIN).args(args).envs(vars.iter().copied()));
    let before = (with(&["list"], &[]), files()).1;
    for (args, vars, named) in [
        (&["man", "--install"][..], &[("HOME", "here")][..], "HOME is `here`"),
        (&["man", "--uninstall"], &[("HOME", "here"), ("XDG_DATA_HOME", "data")], "HOME is `here`"),
        (&["completions", "zsh", "--install"], &[("HOME", ".")], "HOME is `.`"),
        (&["completions", "fish", "--install"], &[("HOME", "here")], "HOME is `here`"),
        (&["completions", "bash", "--install"], &[("BASH_COMPLETION_USER_DIR", "b")], "_USER_DIR is `b`"),
    ] {
        let shown = with(args, vars);
        assert_eq!(shown.code, Some(4), "{args:?} {shown}");
        assert!(shown.stderr.contains(named) && shown.stderr.contains("nothing was written"), "{shown}");
        assert_eq!(files(), before, "{args:?} {vars:?}");
    }
    // The standard says that a relative one of these is as good as none.
    let shown = with(&["man", "--install"], &[("XDG_DATA_HOME", "data")]);
    assert!(shown.code == Some(0) && !place.path.join("data").exists(), "{shown}");
    assert!(place.path.join(".local/share/man/man1/git-godzilla.1").exists());
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

#[test]
fn a_comment_is_recorded_whole_or_not_at_all() {
    let world = World::new();
    let a = world.clone("a");
    a.plan("Add a login", &[]);
    a.godzilla_ok(&["comment", &"y".repeat(16_000), "-p", "1"]);
    let events = a.event_ids("0001-add-a-login");
    let refused = a.godzilla(&["comment", &"y".repeat(16_001), "-p", "1"]);
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused.stderr.contains("16000") && refused.stderr.contains("into a file"), "{refused}");
    assert_eq!(a.event_ids("0001-add-a-login"), events);
}
