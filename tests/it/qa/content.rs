//! What the gates saw: every byte of it, and whether it stayed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::{NAME, judged_by, qa, verdict};
use crate::support::{Place, World};

#[test]
fn a_gate_that_changes_what_it_judges_proves_nothing() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\ndate +%N >report\n");
    work.commit("form", "feat: the form");
    work.godzilla_ok(&["done"]);
    let judged = qa(&work, &[]);
    assert_eq!(judged.code, Some(6), "{judged}");
    assert!(judged.stdout.contains("report") && judged.stdout.contains("ignore"), "{judged}");
    assert_eq!(a.statuses(NAME)[1], "needs_qa");
    // What git ignores is nobody's work.
    a.write(".git/info/exclude", "report\n/worktrees/\n");
    let judged = qa(&work, &[]);
    assert_eq!(judged.code, Some(0), "{judged}");
}

#[test]
fn what_git_is_told_not_to_look_at_is_seen() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\ngrep -q good form\n");
    work.commit("form", "feat: the form");
    work.commit("kept", "feat: more");
    work.godzilla_ok(&["done"]);
    for flag in ["assume-unchanged", "skip-worktree"] {
        work.git(&["update-index", &format!("--{flag}"), "form"]);
        work.write("form", "good\n");
        assert_eq!(work.git(&["status", "--porcelain"]), "");
        let judged = qa(&work, &["--json"]);
        assert_eq!(judged.code, Some(0), "{judged}");
        let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
        assert_eq!((&answer["dirty"], &answer["stale"]), (&true.into(), &true.into()), "{flag}");
        assert_eq!(a.statuses(NAME)[1], "needs_qa", "{flag}");
        work.git(&["update-index", &format!("--no-{flag}"), "form"]);
    }
    assert_eq!(work.git(&["status", "--porcelain"]), " M form\n");
}

/// Whatever makes git believe that nothing has changed.
#[test]
fn what_the_gates_saw_is_read_and_not_believed() {
    type Trick = fn(&Place<'_>, &World);
    let tricks: &[(&str, Trick)] = &[
        ("a filter of the repository", |work, _| {
            work.git(&["config", "filter.x.clean", "sed s/good/bad/"]);
            work.write("../../.git/info/attributes", "form filter=x\n");
            work.write("form", "good\n");
            work.git(&["add", "form"]);
            assert_eq!(work.git(&["status", "--porcelain"]), "");
        }),
        ("a path that is not checked out", |work, _| {
            work.git(&["update-index", "--skip-worktree", "spoil"]);
            fs::remove_file(work.path.join("spoil")).unwrap();
            work.write("form", "bad\n");
        }),
        ("a mode that is not looked at", |work, _| {
            work.git(&["config", "core.fileMode", "false"]);
            fs::set_permissions(work.path.join("form"), fs::Permissions::from_mode(0o755)).unwrap();
        }),
    ];
    for (what, trick) in tricks {
        let world = World::new();
        let (a, work) =
            judged_by(&world, "#!/bin/sh\ngrep -q good form || test -x form || test ! -e spoil\n");
        work.write("spoil", "");
        work.commit("form", "bad");
        work.godzilla_ok(&["done"]);
        trick(&work, &world);
        let judged = qa(&work, &["--json"]);
        assert_eq!(judged.code, Some(0), "{what}: {judged}");
        let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
        assert_eq!((&answer["dirty"], &answer["stale"]), (&true.into(), &true.into()), "{what}: {judged}");
        assert_eq!(a.statuses(NAME)[1], "needs_qa", "{what}");
    }
}

#[test]
fn a_submodule_with_changes_of_its_own_proves_nothing() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\nexit 0\n");
    let module = world.place("module");
    fs::create_dir(&module.path).unwrap();
    module.git(&["init", "--quiet"]);
    module.commit("inner", "feat: inner");
    let address = module.path.to_str().unwrap();
    work.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", address, "sub"]);
    work.commit("form", "feat: the form");
    work.godzilla_ok(&["done"]);
    work.write("sub/inner", "changed\n");
    let judged = qa(&work, &[]);
    assert_eq!(judged.code, Some(6), "{judged}");
    assert!(judged.stdout.contains("sub"), "{judged}");
    assert_eq!(a.statuses(NAME)[1], "needs_qa");
    work.git(&["-C", "sub", "checkout", "--quiet", "inner"]);
    let judged = qa(&work, &[]);
    assert_eq!(judged.code, Some(0), "{judged}");
    assert_eq!(a.statuses(NAME)[1], "completed");
}

#[test]
fn a_worktree_that_is_none_any_more_is_not_judged() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\nexit 0\n");
    fs::remove_file(work.path.join(".git")).unwrap();
    let refused = qa(&a, &["1", "-p", "1"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_eq!(verdict(&a, 1), Value::Null);
}
