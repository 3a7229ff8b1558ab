//! Leaving from where hooks or settings are not where they usually are, and while others are at work.

use std::os::unix::fs::PermissionsExt as _;

use super::{NAME, files, state_of};
use crate::hooks::git_that;
use crate::hooks::modes::a_git_that_says;
use crate::support::{BIN, Held, Place, World, run};

/// Git puts a line feed to the end of such a file, and would leave heads of sections or take empty lines along.
#[test]
fn settings_come_back_byte_for_byte() {
    for ending in ["# mine", "\n\n", "[branch \"main\"]\r\n\tremote = origin\r\n\t; mine", "[include]\n"] {
        let new = a_git_that_says("2.54.0");
        let world = World::with(Some(new.path().to_owned()), false);
        let a = world.bare_clone_of("a");
        let config = a.path.join(".git/config");
        let real = world.path().join("settings");
        std::fs::write(&real, format!("{}{ending}", a.read(".git/config"))).unwrap();
        std::fs::remove_file(&config).unwrap();
        std::os::unix::fs::symlink("../../settings", &config).unwrap();
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o444)).unwrap();
        let before = state_of(&a);
        // Hooks go into the configuration as well.
        a.godzilla_ok(&["init", "--yes", "--base-branch", "main"]);
        assert!(a.read(".git/config").contains("godzilla/hooks.config"), "{}", a.read(".git/config"));
        a.godzilla_ok(&["uninstall", "--yes"]);
        let after = state_of(&a);
        for (what, bytes) in &before {
            let texts = [&after[what], bytes].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            assert_eq!(texts[0], texts[1], "{ending:?}: {what}");
        }
        assert_eq!(after.len(), before.len());
        assert!(config.is_symlink());
        assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o444);
    }
}

/// A git that runs hooks of the configuration runs none of ours afterwards, and no file is left to include.
#[test]
fn hooks_of_the_configuration_are_as_before() {
    let Some(git) = git_that(true) else { return };
    let world = World::with(Some(git), false);
    let a = world.bare_clone_of("a");
    a.write_executable(".git/hooks/post-commit", "#!/bin/sh\necho mine >>../ran\n");
    let before = state_of(&a);
    a.godzilla_ok(&["init", "--yes"]);
    assert!(a.git(&["config", "--get", "hook.godzilla-post-commit.event"]).contains("post-commit"));
    let work = a.plan("Add a login", &["The form"]);
    work.commit("form.html", "feat: form");
    a.godzilla_ok(&["uninstall", "--yes", "--discard"]);
    assert_eq!(a.git(&["config", "--list", "--show-scope"]).into_bytes(), before["config"]);
    assert_eq!(std::fs::read(a.path.join(".git/config")).unwrap(), before["config file"]);
    let commit = work.commit("more.html", "feat: more");
    assert!(!work.git(&["log", "-1", "--format=%B", &commit]).contains("Godzilla-"));
}

/// What others write at the same time is not lost, and their lock is heeded.
#[test]
fn settings_that_somebody_else_writes_stay() {
    let world = World::new();
    let a = world.bare_clone_of("a");
    a.write(".git/config", a.read(".git/config").trim_end());
    let before = a.read(".git/config");
    a.write(".git/config.lock", "");
    let refused = a.godzilla(&["init", "--yes"]);
    assert!(refused.code == Some(4) && refused.stderr.contains("config.lock`"), "{refused}");
    assert_eq!((a.read(".git/config"), a.read(".git/config.lock")), (before.clone(), String::new()));
    std::fs::remove_file(a.path.join(".git/config.lock")).unwrap();
    a.godzilla_ok(&["init", "--yes"]);
    a.git(&["config", "mine.key", "value"]);
    a.godzilla_ok(&["uninstall", "--yes"]);
    assert_eq!(a.read(".git/config"), format!("{before}\n[mine]\n\tkey = value\n"));
}

/// All files of a bare repository but objects.
fn of_bare(place: &Place<'_>) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    files(&place.path, &mut found);
    let objects = place.path.join("objects").display().to_string();
    found.retain(|path, _| !path.starts_with(&objects) && !path.ends_with("/info/refs"));
    found
}

#[test]
fn a_server_is_as_before() {
    let world = World::new();
    let a = world.clone("a");
    let srv = world.place("srv.git");
    srv.write_executable("hooks/pre-receive", "#!/bin/sh\ncat >/dev/null\n");
    srv.write("config", srv.read("config").trim_end());
    let before = of_bare(&srv);
    srv.godzilla_ok(&["hooks", "install", "--server"]);
    a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["sync"]);
    assert!(srv.path.join("hooks/post-receive").exists());
    // The server is the only one that holds it, as far as the server knows.
    let refused = srv.godzilla(&["uninstall", "--yes"]);
    assert!(refused.code == Some(4) && refused.stderr.contains("no remote was seen to hold"), "{refused}");
    srv.godzilla_ok(&["uninstall", "--yes", "--export", "../kept.jsonl"]);
    assert!(std::fs::read_to_string(world.path().join("kept.jsonl")).unwrap().contains("protocol.created"));
    let mut after = of_bare(&srv);
    // The branch of the protocol is a branch.
    after.retain(|path, _| before.contains_key(path) || !path.ends_with(NAME));
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for (path, bytes) in &before {
        assert!(after[path] == *bytes, "{path}: {}", String::from_utf8_lossy(&after[path]));
    }
    assert_eq!(srv.godzilla_ok(&["uninstall", "--yes"]), "there is nothing of git-godzilla in this clone\n");
}

/// As husky has it: the lines are in files that the project tracks, of every worktree.
#[test]
fn husky_is_as_before() {
    let world = World::new();
    let a = world.bare_clone_of("a");
    a.write(".husky/commit-msg", "npm test");
    a.write(".husky/_/h", "");
    a.git(&["config", "core.hooksPath", ".husky/_"]);
    a.git(&["add", ".husky/commit-msg"]);
    a.git(&["commit", "--quiet", "-m", "husky"]);
    let husky = |place: &Place<'_>| {
        let mut found = std::collections::BTreeMap::new();
        files(&place.path.join(".husky"), &mut found);
        found
    };
    let (before, state) = (husky(&a), state_of(&a));
    a.godzilla_ok(&["init", "--yes", "--no-hooks"]);
    a.godzilla_ok(&["hooks", "install", "--into", "husky"]);
    assert!(husky(&a).len() > before.len() && a.read(".husky/commit-msg").contains("git-godzilla hook"));
    a.godzilla_ok(&["uninstall", "--yes"]);
    assert_eq!(husky(&a), before);
    assert_eq!(state_of(&a), state);
}

/// Worktrees stay, whether somebody has locked them or they are gone; an engine at work is not left alone.
#[test]
fn worktrees_stay_and_nobody_at_work_is_left_alone() {
    let world = World::new();
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form"]);
    let gone = a.plan("Another one", &["One"]);
    a.git(&["worktree", "lock", work.path.to_str().unwrap()]);
    std::fs::remove_dir_all(&gone.path).unwrap();
    let listed = a.git(&["worktree", "list", "--porcelain"]);
    work.write("form", "half done\n");

    let lock = Held::at(&a.path.join(format!(".git/godzilla/locks/run-{NAME}")));
    let refused = a.godzilla(&["uninstall", "--yes", "--discard"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert!(a.path.join(".git/hooks/commit-msg").exists(), "nothing was changed");
    drop(lock);

    a.godzilla_ok(&["uninstall", "--yes", "--discard"]);
    assert_eq!(a.git(&["worktree", "list", "--porcelain"]), listed);
    assert_eq!(work.read("form"), "half done\n");
    for _ in 0..2 {
        let again = run(work.command(BIN).args(["uninstall", "--yes", "--discard"]));
        assert_eq!(
            (again.code, again.stdout.as_str()),
            (Some(0), "there is nothing of git-godzilla in this clone\n")
        );
    }
}

/// What releases have written down of what they changed is read for ever.
#[test]
fn journals_of_every_release_are_read() {
    let world = World::new();
    let a = world.bare_clone_of("a");
    let exclude = a.read(".git/info/exclude");
    let config = a.read(".git/config");
    a.write(".git/godzilla/exclude.journal", include_str!("../../data/v2/exclude.journal"));
    a.write(".git/info/exclude", &format!("{exclude}mine\n/worktrees/\n/.protocols/.queue/\n"));
    a.write(".git/godzilla/config.journal", include_str!("../../data/v2/config.journal"));
    let refspec = "\tfetch = +refs/godzilla/*:refs/godzilla-remote/origin/*\n";
    let ours = format!("{config}# mine\n[godzilla \"project\"]\n\tbaseBranch = main\n");
    a.write(".git/config", &ours.replace("[branch", &format!("{refspec}[branch")));
    a.godzilla_ok(&["uninstall", "--yes"]);
    assert_eq!(a.read(".git/info/exclude"), format!("{exclude}mine"));
    assert_eq!(a.read(".git/config"), format!("{config}# mine"));
}
