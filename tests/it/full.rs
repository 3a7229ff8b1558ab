//! A disk that is full: a clear message, nothing lost, nothing half done.

use crate::crash::facts::Facts;
use crate::support::{BIN, Place, Shown, World, run};

const NAME: &str = "0001-add-a-login";

/// Runs a command that may write no file longer than `n_blocks` of 512 bytes.
fn limited(place: &Place<'_>, args: &[&str], n_blocks: u32) -> Shown {
    // Ignored, the signal of the limit becomes an error of the write, as a full disk is one.
    let script = format!("trap '' XFSZ; ulimit -f {n_blocks}; exec \"$@\"");
    run(place.command("sh").args(["-c", &script, "sh", BIN]).args(args))
}

fn worked_on(world: &World) -> Place<'_> {
    let a = world.clone("a");
    a.commit_gate("test", "#!/bin/sh\nexit 0\n");
    let work = a.plan("Add a login", &["The form"]);
    work.commit("form", "feat: the form");
    a.godzilla_ok(&["trust", "-p", "1", "--yes"]);
    a
}

/// What is known, and that the repository is sound.
#[track_caller]
fn sound(a: &Place<'_>) -> Vec<String> {
    a.godzilla_ok(&["list"]);
    let fsck = a.try_git(&["fsck", "--no-dangling", "--no-progress"]);
    assert!(fsck.code == Some(0) && !fsck.to_string().contains("error"), "{fsck}");
    a.event_ids(NAME)
}

#[test]
fn a_full_disk_loses_nothing() {
    let world = World::new();
    let a = worked_on(&world);
    let mut n_failed = 0;
    for args in [
        &["comment", "a note", "-p", "1"][..],
        &["done", "1", "-p", "1"],
        &["qa", "1", "-p", "1"],
        &["undo"],
        &["trust", "--yes", "-p", "1"],
        &["sync"],
        &["notes", "rebuild"],
        &["plan", "Another one", "--step", "One"],
        &["ci-report", "success", "--job", "test", "--sha", "HEAD"],
    ] {
        for n_blocks in [0, 1, 2, 4, 8] {
            let before = sound(&a);
            let said = limited(&a, args, n_blocks);
            let code = said.code.unwrap_or_else(|| panic!("{args:?} with {n_blocks} blocks\n{said}"));
            assert_ne!(code, 70, "{args:?} with {n_blocks} blocks\n{said}");
            let after = sound(&a);
            assert!(before.iter().all(|id| after.contains(id)), "{args:?} with {n_blocks} blocks\n{said}");
            if code != 0 {
                n_failed += 1;
                assert!(said.to_string().len() > 40, "{args:?} with {n_blocks} blocks\n{said}");
            }
        }
        let again = a.godzilla(args);
        assert!(again.code == Some(0) || args == ["undo"], "{args:?}\n{again}");
    }
    assert!(n_failed > 15, "only {n_failed} ran into the limit");
}

const SECRET: &str = "hunter2-hunter2";

/// What was neither done nor acknowledged is as it was, and is done once there is room.
#[test]
fn a_full_disk_moves_nothing_half_way() {
    let world = World::new();
    let a = worked_on(&world);
    a.godzilla_ok(&["comment", SECRET, "-p", "1"]);
    a.plan("Another one", &["One"]);
    a.godzilla_ok(&["cancel", "2"]);
    a.godzilla_ok(&["export", "../all.jsonl"]);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    work.write("staged", "staged\n");
    work.git(&["add", "staged"]);
    work.write("large", &"not committed\n".repeat(500));
    let mut n_failed = 0;
    for args in [
        &["export", "../kept.jsonl"][..],
        &["worktrees", "remove", "1", "--force"],
        &["restore", "1"],
        &["archive", "2"],
        &["unarchive", "2"],
        &["redact", SECRET, "--yes"],
        &["redact", "--purge", "--yes"],
    ] {
        for n_blocks in [0, 1, 2, 4] {
            let (before, facts) = (sound(&a), Facts::of(&world));
            let said = limited(&a, args, n_blocks);
            assert!(!matches!(said.code, Some(70) | None), "{args:?} with {n_blocks} blocks\n{said}");
            let after = sound(&a);
            assert!(before.iter().all(|id| after.contains(id)), "{args:?} with {n_blocks} blocks\n{said}");
            if said.code != Some(0) {
                n_failed += 1;
                assert!(said.to_string().len() > 40, "{args:?} with {n_blocks} blocks\n{said}");
            }
            if args[0] != "redact" {
                let lost = facts.lost(&world);
                assert!(lost.is_empty(), "{args:?} with {n_blocks} blocks: {lost:?}\n{said}");
            }
        }
        let again = a.godzilla(args);
        // What a tree needs that is small enough was written below the limit.
        assert!(matches!(again.code, Some(0 | 3 | 4)), "{args:?}\n{again}");
    }
    assert_eq!(work.read("large"), "not committed\n".repeat(500));
    assert!(work.git(&["status", "--porcelain"]).contains("A  staged"));
    assert!(n_failed > 10, "only {n_failed} ran into the limit");
    // A clone that has lost its state gets it back from the file, whole or not at all.
    for name in [NAME, "0002-another-one"] {
        a.git(&["update-ref", "-d", &format!("refs/godzilla/protocols/{name}")]);
    }
    for n_blocks in [0, 1, 2, 4] {
        let said = limited(&a, &["import", "jsonl", "../all.jsonl"], n_blocks);
        assert!(!matches!(said.code, Some(70) | None), "with {n_blocks} blocks\n{said}");
    }
    a.godzilla_ok(&["import", "jsonl", "../all.jsonl"]);
    sound(&a);
}

#[test]
fn a_commit_goes_on_when_the_disk_is_full_for_us() {
    let world = World::new();
    let a = worked_on(&world);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    work.write("more", "more\n");
    work.git(&["add", "more"]);
    // Enough for the small files of git, not for a stream.
    let script = "trap '' XFSZ; ulimit -f 1; exec git commit --quiet -m 'feat: more'";
    let said = run(work.command("sh").args(["-c", script]));
    let is_committed = work.git(&["log", "-1", "--format=%s"]).contains("feat: more");
    assert_eq!(said.code == Some(0), is_committed, "{said}");
    sound(&a);
    if is_committed {
        let log = a.godzilla_ok(&["log", NAME]);
        assert!(log.contains("feat: more"), "{log}");
    }
}
