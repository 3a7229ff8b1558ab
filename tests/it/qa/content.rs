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

/// Has what `.gitattributes` says committed, with the files, all as a checkout gives them.
fn attributed(work: &Place<'_>, files: &[(&str, &str, &[u8])]) {
    let lines: Vec<String> = files.iter().map(|(file, says, _)| format!("{file} {says}\n")).collect();
    work.write(".gitattributes", &lines.concat());
    for (file, _, bytes) in files {
        fs::write(work.path.join(file), bytes).unwrap();
    }
    work.git(&["add", "--all"]);
    work.git(&["commit", "--quiet", "-m", "feat: files"]);
    for (file, ..) in files {
        fs::remove_file(work.path.join(file)).unwrap();
    }
    work.git(&["checkout", "--", "."]);
}

fn judged(work: &Place<'_>) -> Value {
    let judged = qa(work, &["--json"]);
    assert_eq!(judged.code, Some(0), "{judged}");
    serde_json::from_str(&judged.stdout).unwrap()
}

/// What git takes for the same object is not the same to who runs it.
#[test]
fn bytes_that_attributes_hide_are_seen() {
    type Bytes = &'static [u8];
    let cases: &[(&str, Bytes, &[Bytes])] = &[
        ("text=auto", b"one\ntwo\n", &[b"one\r\ntwo\n", b"one\ntwo\r\n"]),
        ("eol=lf", b"one\n", &[b"one\r\n"]),
        ("eol=crlf", b"one\r\n", &[b"one\n"]),
        ("crlf", b"one\n", &[b"one\r\n"]),
        ("ident", b"$Id$\n", &[b"$Id: pass $\n", b"$Id$\n"]),
        ("working-tree-encoding=UTF-16", b"\xff\xfea\0\n\0", &[b"\xff\xfea\0\n\0", b"\xfe\xff\0a\0\n"]),
        ("filter=x text", b"one\n", &[b"one\r\n"]),
    ];
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\nexit 0\n");
    for (says, committed, others) in cases {
        attributed(&work, &[("form", says, committed)]);
        let clean = judged(&work);
        assert_eq!((&clean["dirty"], &clean["findings"]), (&false.into(), &serde_json::json!([])), "{says}");
        let as_given = fs::read(work.path.join("form")).unwrap();
        let mut trees = vec![clean["tree"].clone()];
        for bytes in others.iter().filter(|bytes| **bytes != as_given) {
            fs::write(work.path.join("form"), bytes).unwrap();
            work.git(&["add", "--all"]);
            assert_eq!(work.git(&["status", "--porcelain"]), "", "{says}: git sees nothing");
            let seen = judged(&work);
            assert_eq!((&seen["dirty"], &seen["stale"]), (&true.into(), &true.into()), "{says}: {seen}");
            assert_eq!(seen["findings"][0]["code"], "content.unlike_checkout", "{says}");
            assert_eq!(seen["findings"][0]["paths"], serde_json::json!(["form"]), "{says}");
            assert_eq!(seen["changed_while_running"], serde_json::json!([]), "{says}");
            assert!(!trees.contains(&seen["tree"]), "{says}: two contents, two trees");
            trees.push(seen["tree"].clone());
        }
        assert!(trees.len() > 1, "{says}");
        let said = qa(&work, &[]);
        assert!(
            said.stdout.contains("of these a checkout gives other bytes") && said.stdout.contains("  form"),
            "{said}"
        );
    }
    // A file of attributes that nobody commits hides nothing either.
    work.write(".gitattributes", "");
    work.commit("deep/form", "$Id$");
    a.write(".git/info/exclude", "/worktrees/\n.gitattributes\n");
    work.write("deep/.gitattributes", "form ident\n");
    work.write("deep/form", "$Id: pass $\n");
    let seen = judged(&work);
    assert_eq!(seen["dirty"], true, "{seen}");
}

#[test]
fn what_a_checkout_gives_is_committed() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\nexit 0\n");
    // What a filter of the user hides is the user's choice.
    work.git(&["config", "--global", "filter.strip.clean", "sed s/noise//"]);
    let files: &[(&str, &str, &[u8])] = &[
        ("auto.txt", "text=auto", b"one\ntwo\n"),
        ("unspecified.txt", "!text", b"one\ntwo\n"),
        ("crlf.bat", "eol=crlf", b"one\r\ntwo\r\n"),
        ("id.c", "ident", b"/* $Id$ */\n"),
        ("wide.txt", "working-tree-encoding=UTF-16", b"\xff\xfea\0\n\0"),
        ("raw.bin", "-text", b"one\r\ntwo\n"),
        ("bits.bin", "text=auto", b"\0one\r\n\n"),
        ("book.txt", "filter=strip", b"one\n"),
    ];
    attributed(&work, files);
    assert!(work.read("id.c").starts_with("/* $Id: ") && work.read("crlf.bat").contains('\r'));
    work.write("book.txt", "onenoise\n");
    work.godzilla_ok(&["done"]);
    let clean = judged(&work);
    assert_eq!((&clean["dirty"], &clean["findings"]), (&false.into(), &serde_json::json!([])), "{clean}");
    assert_eq!(a.statuses(NAME)[1], "completed");
    // With the settings of a clone some files lie there otherwise, and either way is one of a checkout.
    work.git(&["config", "core.autocrlf", "true"]);
    for file in ["auto.txt", "unspecified.txt"] {
        fs::remove_file(work.path.join(file)).unwrap();
    }
    work.git(&["checkout", "--", "auto.txt"]);
    assert!(work.read("auto.txt").contains('\r'));
    work.write("unspecified.txt", "one\ntwo\n");
    let clean = judged(&work);
    assert_eq!((&clean["dirty"], &clean["findings"]), (&false.into(), &serde_json::json!([])), "{clean}");
    work.write("auto.txt", "one\r\ntwo\n");
    assert_eq!(judged(&work)["dirty"], true, "half of it is none of a checkout");
}

#[test]
fn what_is_changed_and_put_back_is_told() {
    let script =
        "#!/bin/sh\nmv form ../../kept\necho pass >form\ngrep -q pass form || exit 1\nmv ../../kept form\n";
    let world = World::new();
    let (a, work) = judged_by(&world, script);
    work.commit("form", "feat: the form");
    work.commit("other", "feat: more");
    let seen = judged(&work);
    assert_eq!(seen["findings"][0]["code"], "content.rewritten", "{seen}");
    assert_eq!(seen["findings"][0]["paths"], serde_json::json!(["form"]));
    assert_eq!(seen["changed_while_running"], serde_json::json!([]));
    let said = qa(&work, &[]);
    assert!(said.stderr.contains("written while the gates ran, and as before now"), "{said}");
    assert!(said.stderr.contains("form") && !said.stderr.contains("other"), "{said}");
    assert_eq!(a.statuses(NAME)[1], "running");
}

#[test]
fn a_gate_that_changes_the_ends_of_lines_proves_nothing() {
    let world = World::new();
    let (_, work) = judged_by(&world, "#!/bin/sh\nprintf 'one\\r\\n' >form\n");
    attributed(&work, &[("form", "text=auto", b"one\n")]);
    let judged = qa(&work, &["--json"]);
    assert_eq!(judged.code, Some(6), "{judged}");
    let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
    assert_eq!(answer["changed_while_running"], serde_json::json!(["form"]));
    assert_eq!(answer["findings"], serde_json::json!([]));
}
