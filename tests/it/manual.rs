//! Manual pages, as `man` and git show them. Without `man` these tests say that they are skipped.

use crate::schemas::assert_valid;
use crate::support::{BIN, Place, World, run};

/// Whether there is the `man` of man-db; says so if not.
fn is_here(world: &World) -> bool {
    let version = world.command("man").arg("--version").output();
    let is_here = version.is_ok_and(|output| output.stdout.starts_with(b"man "));
    if !is_here {
        println!("skipped: there is no man-db here");
    }
    is_here
}

fn pages_of(home: &Place<'_>) -> Vec<String> {
    let dir = home.path.join(".local/share/man/man1");
    let mut pages: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_string_lossy().into_owned())
        .collect();
    pages.sort();
    pages
}

#[test]
fn every_page_is_written_once_and_goes_again() {
    let world = World::new();
    let home = world.place("home");
    for (args, want) in [
        (&["--install"][..], "written"),
        (&["--install"], "unchanged"),
        (&["--uninstall"], "removed"),
        (&["--uninstall"], "unchanged"),
    ] {
        let answer = home.json(&[&["man"], args].concat());
        assert_valid("man.v1", &answer);
        let pages = answer["pages"].as_array().unwrap();
        assert!(pages.len() > 25 && pages.iter().all(|page| page["result"] == want), "{want}: {answer:#}");
        assert_eq!(pages_of(&home).len(), if args == ["--install"] { pages.len() } else { 0 });
    }
    let page = home.json(&["man", "hooks", "install"]);
    assert_valid("man.v1", &page);
    assert_eq!(page["pages"][0]["name"], "git-godzilla-hooks-install");
    assert_eq!(
        home.godzilla_ok(&["man", "hooks", "install", "--print"]),
        page["pages"][0]["text"].as_str().unwrap()
    );
    let unknown = home.godzilla(&["man", "no-such"]);
    assert_eq!(unknown.code, Some(3), "{unknown}");

    home.write(".local/share/man/man1/git-godzilla-plan.1", ".TH MINE 1\n");
    let refused = home.godzilla(&["man", "--install"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    home.godzilla_ok(&["man", "--install", "--dir", "packaged"]);
    assert!(home.path.join("packaged/man1/git-godzilla.1").exists());
}

#[test]
fn man_finds_the_pages_and_has_nothing_to_complain_about() {
    let world = World::new();
    if !is_here(&world) {
        return;
    }
    let home = world.place("home");
    let dir = home.path.join(".local/share/man");
    // `man` looks beside each folder of programs.
    std::fs::create_dir_all(home.path.join(".local/bin")).unwrap();
    let path = |command: &mut std::process::Command| {
        let old = command.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap().to_owned();
        let dirs = std::iter::once(home.path.join(".local/bin")).chain(std::env::split_paths(&old));
        std::env::join_paths(dirs).unwrap()
    };
    let lost = home.json(&["man", "--install"]);
    assert_eq!(lost["found"], false, "{lost:#}");
    assert_eq!(lost["next"], format!("export MANPATH=\"{}:$MANPATH\"", dir.display()));
    let mut command = home.command(BIN);
    let with_local_bin = path(&mut command);
    let found = run(command.args(["man", "--install"]).env("PATH", &with_local_bin));
    assert!(found.stderr.is_empty() && found.stdout.ends_with("next: git godzilla --help\n"), "{found}");

    for page in pages_of(&home) {
        let mut command = home.command("man");
        command.args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", &page]);
        let shown = run(command.env("MANROFFSEQ", ""));
        assert!(shown.code == Some(0) && shown.stderr.is_empty(), "{page}:\n{}", shown.stderr);
    }
    let manpath = format!("{}:", dir.display());
    let shown = run(home.command("man").args(["-w", "git-godzilla-plan"]).env("MANPATH", manpath));
    assert_eq!(shown.stdout.trim_end(), dir.join("man1/git-godzilla-plan.1").to_string_lossy());

    for args in [&["help", "godzilla"][..], &["godzilla", "--help"], &["help", "git-godzilla-plan"]] {
        let mut command = home.command("git");
        let shown = run(command.args(args).env("PATH", &with_local_bin).env("MANPAGER", "cat"));
        assert!(shown.code == Some(0) && shown.stdout.contains("git-godzilla"), "{args:?}\n{shown}");
    }
}

#[test]
fn the_manual_is_shown_and_without_man_the_help_is() {
    let world = World::new();
    let home = world.place("home");
    if is_here(&world) {
        let shown = home.godzilla(&["man", "plan"]);
        assert!(shown.code == Some(0) && shown.stdout.contains("GIT-GODZILLA-PLAN(1)"), "{shown}");
    }
    let shown = run(home.command(BIN).args(["man", "hooks", "install"]).env("PATH", home.path.join("empty")));
    assert!(shown.code == Some(0) && shown.stdout.contains("Usage: git godzilla hooks install"), "{shown}");
}
