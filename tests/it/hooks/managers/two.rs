//! Two managers in one place.

use std::collections::BTreeMap;
use std::fs;

use super::super::Life;
use super::{Lab, ours};

/// Names and bytes of the hooks that are there.
fn hooks_of(life: &Life<'_>) -> BTreeMap<String, String> {
    let mut hooks = BTreeMap::new();
    for entry in fs::read_dir(life.home.path.join(".git/hooks")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "sample") {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            // Each lab has a place of its own.
            let root = life.home.world.path().to_str().unwrap();
            hooks.insert(name, text.replace(root, ""));
        }
    }
    hooks
}

/// Two managers, ours before both, between them, and after both. Whoever they pass over without us, each of their
/// hooks that runs without us runs once, and so do all of them if ours has come between.
fn two(first: &'static str, second: &'static str) {
    fn by_force(tool: &str) -> &'static [&'static str] {
        if tool == "git-lfs" { &["install", "--force"] } else { &["install"] }
    }
    let Some(lab) = Lab::new(&[first, second]) else { return };
    let life = lab.begin();
    for tool in [first, second] {
        lab.does_as(tool, &life.home, by_force(tool));
    }
    let (hooks, alone) = (hooks_of(&life), lab.round(&life));
    for place_of_ours in 0..3 {
        let lab = Lab::new(&[first, second]).unwrap();
        let life = lab.begin();
        for (number, tool) in [first, second].into_iter().enumerate() {
            if number == place_of_ours {
                life.home.godzilla_ok(&["hooks", "install"]);
            }
            lab.does_as(tool, &life.home, by_force(tool));
            life.home.godzilla_ok(&["list"]);
        }
        if place_of_ours == 2 {
            life.home.godzilla_ok(&["hooks", "install"]);
        }
        let ran = lab.round(&life);
        let mut wanted = if place_of_ours == 1 { lab.theirs() } else { alone.clone() };
        wanted.extend(ours());
        wanted.sort();
        assert_eq!(ran, wanted, "{first}, {second}, ours at {place_of_ours}");
        assert_eq!(life.home.godzilla_ok(&["hooks", "install"]), "nothing to change\n");
        life.home.godzilla_ok(&["hooks", "uninstall"]);
        let mut left = hooks_of(&life);
        // What the second was put over by force would not be there at all.
        left.retain(|name, _| !name.contains(".godzilla-prev."));
        assert_eq!(left, hooks, "{first}, {second}, ours at {place_of_ours}");

        life.home.godzilla_ok(&["hooks", "install"]);
        lab.does_as(first, &life.home, by_force(first));
        life.home.godzilla_ok(&["list"]);
        let again = lab.round(&life);
        assert!(again.windows(2).all(|two| two[0] != two[1]), "{again:?}");
        assert!(ours().iter().all(|one| again.contains(one)), "{again:?}");
        life.home.godzilla_ok(&["hooks", "uninstall"]);
        assert!(!hooks_of(&life).values().any(|text| text.contains("git-godzilla")));
    }
}

#[test]
fn pre_commit_and_lefthook() {
    two("pre-commit", "lefthook");
}

#[test]
fn lefthook_and_pre_commit() {
    two("lefthook", "pre-commit");
}

#[test]
fn prek_and_git_lfs() {
    two("prek", "git-lfs");
}

#[test]
fn git_lfs_and_prek() {
    two("git-lfs", "prek");
}
