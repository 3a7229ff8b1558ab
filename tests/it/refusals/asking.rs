//! How the program is asked: which repository, which names, who listens.

use std::process::Stdio;

use super::super::support::{BIN, World, run};
use super::{planned, refused, refused_as};

#[test]
fn every_way_to_name_the_repository_finds_it() {
    let world = World::new();
    let a = planned(&world);
    a.write("deep/folder/file", "");
    let wanted = a.godzilla_ok(&["list", "--json"]);
    let (top, dir) = (a.path.to_str().unwrap(), a.path.join(".git"));
    let dir = dir.to_str().unwrap();
    let (deep, home) = (world.place("a/deep/folder"), world.place("home"));
    for (place, program, args) in [
        (&deep, BIN, vec!["list", "--json"]),
        (&deep, "git", vec!["godzilla", "list", "--json"]),
        (&home, "git", vec!["-C", top, "godzilla", "list", "--json"]),
        (&home, "git", vec!["--git-dir", dir, "godzilla", "list", "--json"]),
        (&home, "git", vec!["--git-dir", dir, "--work-tree", top, "godzilla", "list", "--json"]),
        (&home, BIN, vec!["--git-dir", dir, "list", "--json"]),
        (&home, BIN, vec!["list", "--json", "-C", top]),
    ] {
        let shown = run(place.command(program).args(&args));
        assert_eq!(shown.stdout, wanted, "{program} {args:?} {shown}");
    }
    let by_env = |name: &str, value: &str| run(home.command(BIN).args(["list", "--json"]).env(name, value));
    assert_eq!(by_env("GIT_DIR", dir).stdout, wanted);
    refused_as(&deep, &["list"], 4, "not a git repository", &|command| {
        command.env("GIT_CEILING_DIRECTORIES", a.path.join("deep"))
    });

    let linked = world.place("a/worktrees/0001-add-a-login");
    assert!(linked.godzilla_ok(&["status"]).starts_with("0001-add-a-login"));
    linked.godzilla_ok(&["start"]);
    assert_eq!(a.statuses("1")[1], "running");
    let second = run(linked.command("git").args(["godzilla", "plan", "From a linked one"]));
    assert_eq!(second.code, Some(0), "{second}");
    assert!(a.path.join("worktrees/0002-from-a-linked-one").is_dir());
    let set = run(a.command("git").args(["-c", "godzilla.qa.policy=full", "godzilla", "config", "show"]));
    assert!(set.stdout.lines().any(|line| line.starts_with("qa.policy") && line.contains("full")), "{set}");
}

#[test]
fn a_closed_stdout_is_a_silent_end() {
    let world = World::new();
    let a = planned(&world);
    for args in
        [&["list"][..], &["list", "--json"], &["show", "1"], &["log", "1"], &["config", "show"], &["-h"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = a.command(BIN).args(args).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    }
}

#[test]
fn wrong_arguments_and_unknown_names() {
    let world = World::new();
    let a = planned(&world);
    for args in [
        &["frobnicate"][..],
        &["plan"],
        &["plan", ""],
        &["plan", "x", "--step", ""],
        &["skip", "1", "-p", "1"],
        &["list", "--no-such-option"],
        &["plan", "x", "--name", "Not A Slug"],
        &["comment", ""],
        &["show", "1", "2"],
    ] {
        refused(&a, args, 2, "");
    }
    refused(&a, &["show"], 2, "say which one");
    refused(&a, &["show", "7"], 3, "there is no protocol `7`");
    refused(&a, &["show", "0001-add-a-lgoin"], 3, "0001-add-a-login");
    refused(&a, &["start", "01-the-from", "-p", "1"], 3, "01-the-form");
    refused(&a, &["start", "9", "-p", "1"], 3, "there is no step `9`");
    refused(&a, &["sync", "upstream"], 3, "there is no remote `upstream`");
    refused(&a, &["plan", "x", "--from", "missing.md"], 3, "missing.md");
    refused(&a, &["plan", "x", "--base", "no-such-branch"], 4, "no-such-branch");
}
