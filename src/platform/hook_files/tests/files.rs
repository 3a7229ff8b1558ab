//! What lies in the directory before and after.

use super::*;

const USER_HOOK: &[u8] = b"#!/bin/sh\n# \xff not UTF-8\nexit 0\n\n";

#[test]
fn files_of_our_own_are_put_where_nothing_is() {
    let world = World::new();
    let before = world.snapshot();

    let changes = world.install();
    assert_eq!(changes.len(), EVENTS.len());
    assert_eq!(changes[0].to_string(), "prepare-commit-msg: installed");
    for event in EVENTS {
        assert!(fs::symlink_metadata(world.hook(event)).unwrap().is_file());
        let status = world.status_of(event);
        assert_eq!(status.mode, Mode::Shim);
        assert_eq!(status.chain, ["git-godzilla"]);
    }
    assert_eq!(installed_dirs(&world.journal()).unwrap(), [world.hooks()]);

    let after = world.snapshot();
    assert_eq!(world.install(), []);
    assert_eq!(world.snapshot(), after);

    assert_eq!(whats(world.uninstall()), [const { What::Removed }; 7]);
    assert_eq!(world.snapshot(), before);
    assert!(!world.journal().exists());
    assert_eq!(installed_dirs(&world.journal()).unwrap(), [""; 0].map(PathBuf::from));
    assert_eq!(world.uninstall(), []);
}

#[test]
fn a_hook_that_is_there_is_kept_and_comes_back() {
    for mode in [0o755, 0o700, 0o644, 0o555] {
        let world = World::new();
        world.file(&world.hook("pre-push"), USER_HOOK, mode);
        world.file(&world.hook("pre-push.sample"), b"sample", 0o755);
        let before = world.snapshot();

        let changes = world.install();
        let kept = world.hook("pre-push.godzilla-prev");
        let chained = What::Chained { kept: kept.clone() };
        assert_eq!(whats(changes)[4], chained);
        assert_eq!(fs::read(&kept).unwrap(), USER_HOOK);
        let kept_mode = fs::metadata(&kept).unwrap().permissions().mode();
        assert_eq!(kept_mode & 0o7777, mode);
        let status = world.status_of("pre-push");
        assert_eq!(status.mode, Mode::Shim);
        let runs = (mode & 0o111 != 0).then_some("pre-push.godzilla-prev");
        let chain: Vec<_> = runs.into_iter().chain(["git-godzilla"]).collect();
        assert_eq!(status.chain, chain);

        let after = world.snapshot();
        assert_eq!(world.install(), []);
        assert_eq!(world.snapshot(), after);

        assert_eq!(whats(world.uninstall())[4], What::Restored);
        assert_eq!(world.snapshot(), before);
        assert_eq!(world.uninstall(), []);
    }
}

#[test]
fn a_foreign_link_is_kept_as_a_link() {
    for target in ["../../tools/check", "/does/not/exist"] {
        let world = World::new();
        std::os::unix::fs::symlink(target, world.hook("commit-msg")).unwrap();
        let before = world.snapshot();

        world.install();
        let kept = fs::read_link(world.hook("commit-msg.godzilla-prev")).unwrap();
        assert_eq!(kept, Path::new(target));
        assert_eq!(world.status_of("commit-msg").mode, Mode::Shim);

        world.uninstall();
        assert_eq!(world.snapshot(), before);
    }
}

#[test]
fn later_edits_of_the_kept_hook_come_back_too() {
    let world = World::new();
    world.file(&world.hook("commit-msg"), USER_HOOK, 0o755);
    world.install();
    world.file(&world.hook("commit-msg.godzilla-prev"), b"edited", 0o700);

    world.uninstall();
    let edited = [(world.hook("commit-msg"), (0o100_700, b"edited".to_vec()))];
    assert_eq!(world.snapshot(), edited.into());
}

#[test]
fn everything_but_the_directory_is_found_without_the_journal() {
    let world = World::new();
    world.file(&world.hook("commit-msg"), USER_HOOK, 0o755);
    let before = world.snapshot();
    world.install();
    content::remove(&world.journal()).unwrap();

    assert_eq!(world.uninstall().len(), EVENTS.len());
    assert_eq!(world.snapshot(), before);
}

#[test]
fn a_lost_journal_is_written_again() {
    let world = World::new();
    world.file(&world.hook("commit-msg"), USER_HOOK, 0o755);
    world.install();
    let journal = fs::read(world.journal()).unwrap();
    content::remove(&world.journal()).unwrap();

    assert_eq!(world.install(), []);
    assert_eq!(fs::read(world.journal()).unwrap(), journal);
}

#[test]
fn a_journal_of_a_newer_version_stops_everything() {
    let world = World::new();
    fs::create_dir_all(world.path("state")).unwrap();
    world.file(&world.journal(), b"git-godzilla hooks journal v2\n", 0o644);
    for result in [
        install(&world.hooks(), &world.binary(), &world.journal()),
        uninstall(&world.hooks(), &world.journal()),
    ] {
        assert!(matches!(result, Err(Error::NewerJournal { .. })));
    }
    assert_eq!(world.snapshot(), Snapshot::new());
}

#[test]
fn a_binary_of_another_name_is_remembered() {
    let world = World::new();
    let binary = world.path("bin/development-build");
    world.script(&binary, &recorder("ours"));
    install(&world.hooks(), &binary, &world.journal()).unwrap();

    assert_eq!(world.uninstall().len(), EVENTS.len());
    assert_eq!(world.snapshot(), Snapshot::new());
}

#[test]
fn ours_is_refreshed_when_the_binary_moves_or_the_mode_is_lost() {
    let world = World::new();
    world.file(&world.hook("commit-msg"), USER_HOOK, 0o755);
    let before = world.snapshot();
    world.install();
    let moved = world.path("bin/moved to/git-godzilla");
    fs::create_dir_all(moved.parent().unwrap()).unwrap();
    fs::rename(world.binary(), &moved).unwrap();

    let broken = |event| match world.status_of(event).mode {
        Mode::Broken(reason) => reason,
        mode => panic!("{event} is {mode:?}"),
    };
    assert!(broken("post-commit").ends_with("which is not executable"));
    assert!(broken("commit-msg").ends_with("which is not executable"));

    let report = install(&world.hooks(), &moved, &world.journal()).unwrap();
    assert_eq!(whats(report.changed), [const { What::Refreshed }; 7]);
    assert!(status(&world.hooks(), &moved).iter().all(|status| status.mode == Mode::Shim));

    world.script(&world.binary(), "#!/bin/sh\n");
    assert!(broken("post-commit").ends_with("calls another binary"));
    assert!(broken("commit-msg").ends_with("calls another binary"));
    world.install();
    fs::set_permissions(world.hook("commit-msg"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(broken("commit-msg"), "it is not executable");
    assert_eq!(whats(world.install()), [What::Refreshed]);
    assert_eq!(world.status_of("commit-msg").mode, Mode::Shim);

    fs::set_permissions(world.binary(), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(broken("post-commit").ends_with("which is not executable"));

    world.uninstall();
    assert_eq!(world.snapshot(), before);
}

#[test]
fn two_names_of_one_binary_are_one_binary() {
    let world = World::new();
    world.install();
    let alias = world.path("alias");
    std::os::unix::fs::symlink(world.path("bin"), &alias).unwrap();
    for event in EVENTS {
        world.link(event);
    }
    for status in status(&world.hooks(), &alias.join("git-godzilla")) {
        assert_eq!(status.mode, Mode::Symlink);
    }
}

#[test]
fn a_second_kept_hook_stops_everything() {
    let world = World::new();
    world.file(&world.hook("pre-push"), USER_HOOK, 0o755);
    world.file(&world.hook("pre-push.godzilla-prev"), b"other", 0o755);
    let before = world.snapshot();

    let err = install(&world.hooks(), &world.binary(), &world.journal()).unwrap_err();
    let kept = world.hook("pre-push.godzilla-prev");
    assert_eq!(err.to_string(), format!("`{}` already holds a different hook", kept.display()));
    assert_eq!(world.snapshot(), before);
    assert!(!world.journal().exists());

    let left = What::Left { path: kept, reason: "another hook has taken its place" };
    assert_eq!(whats(world.uninstall()), [left]);
    assert_eq!(world.snapshot(), before);
}

/// Killed after the earlier hook got its second name.
#[test]
fn a_hook_that_was_kept_but_not_replaced_is_no_collision() {
    let world = World::new();
    world.file(&world.hook("pre-push"), USER_HOOK, 0o755);
    let before = world.snapshot();
    let kept = world.hook("pre-push.godzilla-prev");

    fs::hard_link(world.hook("pre-push"), &kept).unwrap();
    assert_eq!(whats(world.uninstall()), []);
    assert_eq!(world.snapshot(), before);

    // As a copy, where there are no hard links; also with a mode that is wrong.
    world.file(&kept, USER_HOOK, 0o600);
    world.install();
    world.uninstall();
    assert_eq!(world.snapshot(), before);
}

#[test]
fn unfinished_files_go() {
    let world = World::new();
    world.file(&world.hook(".godzilla-draft-x1y2z3"), b"#!/bin/sh\n", 0o755);
    world.install();
    world.uninstall();
    assert_eq!(world.snapshot(), Snapshot::new());
}

#[test]
fn a_directory_that_was_made_goes_if_it_is_empty() {
    let world = World::new();
    let made = world.path("made");
    let dir = made.join("deep/hooks");
    install(&dir, &world.binary(), &world.journal()).unwrap();
    install(&dir, &world.binary(), &world.journal()).unwrap();
    assert!(dir.join("commit-msg").is_file());

    world.file(&made.join("mine"), b"", 0o644);
    uninstall(&dir, &world.journal()).unwrap();
    assert!(!made.join("deep").exists());
    assert!(made.join("mine").exists());
}

#[test]
fn a_directory_that_was_there_stays() {
    let world = World::new();
    world.install();
    world.uninstall();
    assert!(world.hooks().is_dir());
}

#[test]
fn directories_are_remembered_apart() {
    let world = World::new();
    let other = world.path("other");
    world.install();
    install(&other, &world.binary(), &world.journal()).unwrap();
    let dirs = installed_dirs(&world.journal()).unwrap();
    assert_eq!(dirs, [world.hooks(), other.clone()]);

    uninstall(&other, &world.journal()).unwrap();
    assert!(!other.exists());
    assert_eq!(installed_dirs(&world.journal()).unwrap(), [world.hooks()]);
    assert_eq!(world.install(), []);
}

#[test]
fn a_hooks_path_that_is_no_directory_is_refused() {
    let world = World::new();
    for dir in [Path::new("/dev/null"), &world.binary()] {
        let err = install(dir, &world.binary(), &world.journal()).unwrap_err();
        let expected = format!("`{}` is not a directory", dir.display());
        assert_eq!(err.to_string(), expected);
        assert_eq!(uninstall(dir, &world.journal()).unwrap(), Report::default());
        for status in status(dir, &world.binary()) {
            assert_eq!(status.mode, Mode::Absent);
        }
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let world = World::new();
    let read_only = fs::Permissions::from_mode(0o555);
    fs::set_permissions(world.hooks(), read_only).unwrap();
    let is_root = tempfile::tempfile_in(world.hooks()).is_ok();
    // Nobody may write there, whoever runs this.
    let dir = if is_root { PathBuf::from("/proc/self/fdinfo") } else { world.hooks() };
    if !dir.is_dir() {
        return;
    }

    let err = install(&dir, &world.binary(), &world.journal()).unwrap_err();
    let hook = dir.join("prepare-commit-msg");
    assert_eq!(err.to_string(), format!("failed to write `{}`", hook.display()));
    assert!(std::error::Error::source(&err).is_some());
    let writable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(world.hooks(), writable).unwrap();
}

#[test]
fn a_directory_in_place_of_a_hook_stops_everything() {
    let world = World::new();
    fs::create_dir(world.hook("post-merge")).unwrap();
    let before = world.snapshot();

    let err = install(&world.hooks(), &world.binary(), &world.journal()).unwrap_err();
    assert!(matches!(err, Error::NotAFile { path } if path == world.hook("post-merge")));
    assert_eq!(world.snapshot(), before);
    assert!(matches!(world.status_of("post-merge").mode, Mode::Broken(_)));
    assert_eq!(world.status_of("post-commit").mode, Mode::Absent);
}

#[test]
fn lines_added_to_a_shim_stay_as_a_script() {
    let world = World::new();
    world.file(&world.hook("commit-msg"), USER_HOOK, 0o755);
    world.install();
    world.append("commit-msg", "echo added\n");
    content::remove(&world.hook("commit-msg.godzilla-prev")).unwrap();
    let chain = world.status_of("commit-msg").chain;
    assert_eq!(chain, ["git-godzilla", "lines added to commit-msg"]);

    let moved = world.path("bin/git-godzilla-2");
    fs::copy(world.binary(), &moved).unwrap();
    install(&world.hooks(), &moved, &world.journal()).unwrap();
    let shim = fs::read_to_string(world.hook("commit-msg")).unwrap();
    assert!(shim.ends_with("# git-godzilla hook end\necho added\n"));
    assert!(shim.contains("/bin/git-godzilla-2'\n"));

    let kept_lines = What::KeptLines { path: world.hook("commit-msg") };
    assert_eq!(whats(world.uninstall())[1], kept_lines);
    let script = (0o100_755, b"#!/bin/sh\necho added\n".to_vec());
    assert_eq!(world.snapshot(), [(world.hook("commit-msg"), script)].into());
    assert_eq!(world.uninstall(), []);
}

#[test]
fn lines_added_to_a_shim_follow_an_earlier_shell_script() {
    let world = World::new();
    world.file(&world.hook("commit-msg"), b"#!/bin/bash\nearlier", 0o711);
    world.install();
    world.append("commit-msg", "echo added\n");

    world.uninstall();
    let both = (0o100_711, b"#!/bin/bash\nearlier\necho added\n".to_vec());
    assert_eq!(world.snapshot(), [(world.hook("commit-msg"), both)].into());
    assert_eq!(world.uninstall(), []);
}

#[test]
fn lines_added_to_a_shim_lie_beside_an_earlier_program() {
    let world = World::new();
    world.file(&world.hook("commit-msg"), b"\x7fELF\0", 0o755);
    world.install();
    world.append("commit-msg", "echo added\n");

    world.uninstall();
    let lines = b"#!/bin/sh\necho added\n".to_vec();
    let expected = [
        (world.hook("commit-msg"), (0o100_755, b"\x7fELF\0".to_vec())),
        (world.hook("commit-msg.godzilla-lines"), (0o100_755, lines)),
    ];
    assert_eq!(world.snapshot(), expected.into());
    assert_eq!(world.uninstall(), []);
}

#[test]
fn a_shim_without_its_end_is_left_to_a_person() {
    let world = World::new();
    world.file(&world.hook("commit-msg"), USER_HOOK, 0o755);
    world.install();
    let shim = fs::read(world.hook("commit-msg")).unwrap();
    world.file(&world.hook("commit-msg"), &shim[..200], 0o755);

    assert!(matches!(world.status_of("commit-msg").mode, Mode::Broken(_)));
    let left =
        What::Left { path: world.hook("commit-msg"), reason: "it was ours, but its last line is missing" };
    assert_eq!(whats(world.install()), std::slice::from_ref(&left));
    assert_eq!(whats(world.uninstall())[1], left);
    assert!(world.hook("commit-msg.godzilla-prev").exists());
}

#[test]
fn a_lost_hook_is_reported() {
    let world = World::new();
    world.file(&world.hook("commit-msg"), USER_HOOK, 0o755);
    world.install();
    content::remove(&world.hook("commit-msg.godzilla-prev")).unwrap();
    assert_eq!(whats(world.install()), []);
    assert_eq!(world.status_of("commit-msg").chain, ["git-godzilla"]);

    assert_eq!(whats(world.uninstall())[1], What::PreviousGone);
    assert_eq!(world.snapshot(), Snapshot::new());
}

#[test]
fn a_shim_that_was_deleted_leaves_the_kept_hook_usable() {
    let world = World::new();
    world.file(&world.hook("commit-msg"), USER_HOOK, 0o755);
    let before = world.snapshot();
    for reinstall in [false, true] {
        world.install();
        content::remove(&world.hook("commit-msg")).unwrap();
        if reinstall {
            world.install();
            assert_eq!(world.status_of("commit-msg").mode, Mode::Shim);
        }
        world.uninstall();
        assert_eq!(world.snapshot(), before);
    }
}

/// As `cp` and most programs write: through a link, if there is one.
#[test]
fn what_is_copied_over_a_hook_reaches_nothing_else() {
    let world = World::new();
    world.install();
    let (binary, others) = (fs::read(world.binary()).unwrap(), world.snapshot());
    world.script(&world.path("mine"), "#!/bin/sh\n");
    for event in EVENTS {
        let copied = Command::new("cp").arg(world.path("mine")).arg(world.hook(event)).status().unwrap();
        assert!(copied.success());
        for (path, file) in world.snapshot() {
            let changed = path == world.hook(event);
            assert_eq!(file.1 != others[&path].1, changed, "{}", path.display());
        }
        fs::write(world.hook(event), &others[&world.hook(event)].1).unwrap();
    }
    assert_eq!(fs::read(world.binary()).unwrap(), binary);
}

#[test]
fn links_of_earlier_versions_become_files() {
    let world = World::new();
    world.install();
    let now = world.snapshot();
    for event in EVENTS {
        world.link(event);
    }
    assert_eq!(world.status_of("commit-msg").mode, Mode::Symlink);
    assert_eq!(whats(world.install()), [const { What::Refreshed }; 7]);
    assert_eq!(world.snapshot(), now);

    for event in EVENTS {
        world.link(event);
    }
    assert_eq!(whats(world.uninstall()), [const { What::Removed }; 7]);
    assert_eq!(world.snapshot(), Snapshot::new());
}
