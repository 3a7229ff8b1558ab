//! Hook managers as they are, beside ours, in both orders. Only where `HOOK_MANAGERS_UNDER_TEST` names
//! the folder that they were installed into; `.ci/run` does that.

mod two;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Life, git_that};
use crate::support::{BIN, Place, Shown, World, run};

/// The events that every manager is given a hook for, if it can have one.
const EVENTS: [&str; 5] = ["commit-msg", "post-commit", "pre-push", "post-checkout", "post-merge"];

/// What one commit and one push come by.
const OF_A_ROUND: [&str; 3] = ["commit-msg", "post-commit", "pre-push"];

/// Returns where the managers are; `None`, and a word about it, if this is not the place to run them.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("HOOK_MANAGERS_UNDER_TEST").filter(|folder| !folder.is_empty());
    if folder.is_none() {
        println!("skipped: HOOK_MANAGERS_UNDER_TEST names no folder with hook managers; `.ci/run` makes one");
    }
    folder.map(PathBuf::from)
}

/// A world in which every hook that runs is written down, and a clone with a manager's file.
struct Lab {
    world: World,
    tools: Vec<&'static str>,
    folder: PathBuf,
    bin: tempfile::TempDir,
}

impl Lab {
    fn new(tools: &[&'static str]) -> Option<Self> {
        let (folder, git) = (folder()?, git_that(false)?);
        let bin = tempfile::tempdir().unwrap();
        let world = World::with(Some(bin.path().to_owned()), false);
        let lab = Self { world, tools: tools.to_vec(), folder, bin };
        lab.program(
            "git-godzilla",
            &format!("[ \"$1\" != hook ] || echo \"ours $2\" >>{}\n", lab.record()),
            BIN,
        );
        lab.program("git", "", git.join("git").to_str().unwrap());
        // What it finds of itself on `PATH` it writes into its hooks.
        lab.program("lefthook", "", lab.lefthook().to_str().unwrap());
        let lfs = lab.folder.join("lfs/usr/bin/git-lfs");
        lab.program("git-lfs", &format!("echo \"git-lfs $1\" >>{}\n", lab.record()), lfs.to_str().unwrap());
        Some(lab)
    }

    fn record(&self) -> String {
        self.bin.path().join("record").display().to_string()
    }

    /// Puts a script on `PATH` that does `first` and goes on as `program`.
    fn program(&self, name: &str, first: &str, program: &str) {
        let place = Place { world: &self.world, path: self.bin.path().to_owned() };
        place.write_executable(name, &format!("#!/bin/sh\n{first}exec '{program}' \"$@\"\n"));
    }

    /// A clone that is set up but for hooks, with the manager's own file and a protocol.
    fn begin(&self) -> Life<'_> {
        let home = self.world.bare_clone_of("a");
        for tool in &self.tools {
            self.write_file_of(&home, tool);
        }
        home.git(&["add", "--all"]);
        home.git(&["commit", "--quiet", "-m", "hooks of the project"]);
        home.git(&["push", "--quiet", "origin", "HEAD"]);
        home.godzilla_ok(&["init", "--yes", "--no-hooks"]);
        Life::plan(&home, "Add a login page")
    }

    /// Writes what the project has of a manager.
    fn write_file_of(&self, home: &Place<'_>, tool: &str) {
        let entry = |event: &str| format!("echo {tool} {event} >>{}", self.record());
        match tool {
            "pre-commit" | "prek" => {
                let hooks = EVENTS.map(|event| {
                    format!(
                        "  - {{id: {event}, name: {event}, entry: sh -c '{}', language: system, stages: [{event}], \
                         always_run: true, pass_filenames: false}}\n",
                        entry(event)
                    )
                });
                let text = format!("repos:\n- repo: local\n  hooks:\n{}", hooks.concat());
                home.write(".pre-commit-config.yaml", &text);
            }
            "lefthook" => {
                let jobs = EVENTS.map(|event| {
                    format!("{event}:\n  commands:\n    theirs:\n      run: {}\n", entry(event))
                });
                home.write("lefthook.yml", &jobs.concat());
            }
            "husky" => EVENTS.iter().for_each(|event| home.write(&format!(".husky/{event}"), &entry(event))),
            _ => home.write("an-own-file", "\n"),
        }
    }

    /// Has the manager do `what`, as a person would.
    fn try_do(&self, place: &Place<'_>, what: &[&str]) -> Shown {
        self.try_do_as(self.tools[0], place, what)
    }

    fn try_do_as(&self, tool: &str, place: &Place<'_>, what: &[&str]) -> Shown {
        let (program, mut args) = match tool {
            "pre-commit" | "prek" => (self.folder.join("venv/bin").join(tool), what.to_vec()),
            "lefthook" => (self.lefthook(), what.to_vec()),
            "git-lfs" => (self.bin.path().join("git-lfs"), [&what[..1], &["--local"], &what[1..]].concat()),
            _ => unreachable!("husky has no such command"),
        };
        if matches!(tool, "pre-commit" | "prek") {
            args.extend(EVENTS.iter().flat_map(|event| ["--hook-type", event]));
        }
        run(place.command(program).args(args))
    }

    #[track_caller]
    fn does(&self, place: &Place<'_>, what: &[&str]) {
        self.does_as(self.tools[0], place, what);
    }

    #[track_caller]
    fn does_as(&self, tool: &str, place: &Place<'_>, what: &[&str]) {
        let shown = self.try_do_as(tool, place, what);
        assert_eq!(shown.code, Some(0), "{tool} {what:?}\n{shown}");
    }

    fn lefthook(&self) -> PathBuf {
        let mut found =
            fs::read_dir(self.folder.join("node_modules")).unwrap().map(|entry| entry.unwrap().path());
        let is_it = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("lefthook-");
        found.find(is_it).expect("lefthook is installed").join("bin/lefthook")
    }

    /// Commits and pushes, and returns which hooks of the manager and of ours ran, each as often as it did.
    #[track_caller]
    fn round(&self, life: &Life<'_>) -> Vec<String> {
        let ours = (format!("'{BIN}'"), format!("'{}/git-godzilla'", self.bin.path().display()));
        replace_in_hooks(&life.home, &ours.0, &ours.1);
        fs::write(self.record(), "").unwrap();
        let n = life.work.git(&["rev-list", "--count", "HEAD"]);
        let commit = life.work.commit(&format!("file-{}", n.trim()), "feat: it is done");
        life.work.git(&["push", "--quiet", "origin", "HEAD"]);
        replace_in_hooks(&life.home, &ours.1, &ours.0);
        let record = fs::read_to_string(self.record()).unwrap();
        let mut ran: Vec<String> = record
            .lines()
            .filter(|line| {
                let who = line.split(' ').next().unwrap();
                who == "ours" || self.tools.contains(&who)
            })
            // Whether it is left to commit-msg is tested elsewhere.
            .filter(|line| *line != "ours prepare-commit-msg")
            .map(str::to_owned)
            .collect();
        ran.sort();
        if ran.iter().any(|line| line == "ours post-commit") {
            assert!(life.has_seen(&commit));
            let message = life.work.git(&["log", "-1", "--format=%B"]);
            assert_eq!(message.matches("Godzilla-Step:").count(), 1, "{message}");
        }
        ran
    }

    fn theirs(&self) -> Vec<String> {
        let has = |tool: &str, event: &&str| tool != "git-lfs" || *event != "commit-msg";
        let of = |tool: &'static str| {
            let events = OF_A_ROUND.into_iter().filter(move |event| has(tool, event));
            events.map(move |event| format!("{tool} {event}"))
        };
        self.tools.iter().copied().flat_map(of).collect()
    }

    /// Each hook of both, once.
    fn all(&self) -> Vec<String> {
        let mut all = [self.theirs(), ours()].concat();
        all.sort();
        all
    }
}

fn ours() -> Vec<String> {
    OF_A_ROUND.iter().map(|event| format!("ours {event}")).collect()
}

/// Makes hooks call a program that writes down that it was called, or makes them as they were.
fn replace_in_hooks(home: &Place<'_>, from: &str, to: &str) {
    for entry in fs::read_dir(home.path.join(".git/hooks")).unwrap() {
        let path = entry.unwrap().path();
        if let Ok(text) = fs::read_to_string(&path)
            && text.contains(from)
        {
            fs::write(&path, text.replace(from, to)).unwrap();
        }
    }
}

/// Every file that hooks or their managers may touch: of git's folder, and of the worktrees.
/// What a manager writes to git's configuration as it works is no business of ours.
fn files(life: &Life<'_>) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![life.home.path.join(".git/hooks"), life.home.path.clone(), life.work.path.clone()];
    folders.extend([&life.home, &life.work].map(|place| place.path.join(".husky")));
    for folder in folders {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_file() && !path.file_name().unwrap().to_str().unwrap().starts_with("file-") {
                files.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    let config = life.home.path.join(".git/config");
    let text = fs::read_to_string(&config).unwrap();
    let kept: Vec<&str> =
        text.lines().filter(|line| !line.contains("lfs") && !line.contains("lefthook")).collect();
    files.insert(config, kept.join("\n").into_bytes());
    files
}

#[track_caller]
fn assert_same(before: &BTreeMap<PathBuf, Vec<u8>>, life: &Life<'_>) {
    let now = files(life);
    assert_eq!(now.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for (path, bytes) in before {
        let texts = [&now[path], bytes].map(|bytes| String::from_utf8_lossy(bytes));
        assert!(now[path] == *bytes, "{} has changed:\n{}\nand was\n{}", path.display(), texts[0], texts[1]);
    }
}

/// The manager was there, ours comes, the manager comes again, ours goes.
fn theirs_first(tool: &'static str, again: &[&[&str]]) {
    let Some(lab) = Lab::new(&[tool]) else { return };
    let life = lab.begin();
    lab.does(&life.home, &["install"]);
    let before = files(&life);
    assert_eq!(lab.round(&life), lab.theirs());
    life.home.godzilla_ok(&["hooks", "install"]);
    assert_eq!(lab.round(&life), lab.all());
    for what in again {
        // It may refuse, as git-lfs does.
        lab.try_do(&life.home, what);
        life.home.godzilla_ok(&["list"]);
        assert_eq!(lab.round(&life), lab.all(), "{what:?}");
        assert_eq!(life.home.godzilla_ok(&["hooks", "install"]), "nothing to change\n", "{what:?}");
    }
    life.home.godzilla_ok(&["hooks", "uninstall"]);
    assert_same(&before, &life);
    assert_eq!(lab.round(&life), lab.theirs());
}

/// Ours was there, the manager comes, and they go in both orders.
fn ours_first(tool: &'static str, install: &[&str]) {
    let Some(lab) = Lab::new(&[tool]) else { return };
    let life = lab.begin();
    let before = files(&life);
    lab.does(&life.home, &["install"]);
    let with_theirs = files(&life);
    lab.does(&life.home, &["uninstall"]);
    for ours_goes_first in [false, true] {
        life.home.godzilla_ok(&["hooks", "install"]);
        assert_eq!(lab.round(&life), ours());
        lab.does(&life.home, install);
        life.home.godzilla_ok(&["list"]);
        assert_eq!(lab.round(&life), lab.all());
        life.home.godzilla_ok(&["hooks", "install"]);
        assert_eq!(lab.round(&life), lab.all());
        if ours_goes_first {
            life.home.godzilla_ok(&["hooks", "uninstall"]);
            assert_same(&with_theirs, &life);
            assert_eq!(lab.round(&life), lab.theirs());
            lab.does(&life.home, &["uninstall"]);
        } else {
            lab.try_do(&life.home, &["uninstall"]);
            life.home.godzilla_ok(&["list"]);
            let ran = lab.round(&life);
            assert!(ran == ours() || ran == lab.all(), "{ran:?}");
            life.home.godzilla_ok(&["hooks", "uninstall"]);
            // What ours had in its chain comes back with it, and can go only now.
            lab.try_do(&life.home, &["uninstall"]);
        }
        let left =
            files(&life).into_keys().filter(|path| path.starts_with(life.home.path.join(".git/hooks")));
        let left: Vec<PathBuf> =
            left.filter(|path| path.extension().is_none_or(|it| it != "sample")).collect();
        assert_eq!(left, [] as [&Path; 0]);
    }
    let config = life.home.path.join(".git/config");
    // git-lfs leaves a section of its own.
    assert!(files(&life)[&config].starts_with(&before[&config]));
}

#[test]
fn pre_commit_before_ours() {
    theirs_first("pre-commit", &[&["install"], &["install", "--overwrite"]]);
}

#[test]
fn pre_commit_after_ours() {
    ours_first("pre-commit", &["install"]);
}

#[test]
fn prek_before_ours() {
    theirs_first("prek", &[&["install"], &["install", "--overwrite"]]);
}

#[test]
fn prek_after_ours() {
    ours_first("prek", &["install"]);
}

#[test]
fn lefthook_before_ours() {
    theirs_first("lefthook", &[&["install"], &["install", "--force"]]);
}

#[test]
fn lefthook_after_ours() {
    ours_first("lefthook", &["install"]);
}

#[test]
fn git_lfs_before_ours() {
    theirs_first("git-lfs", &[&["install"], &["install", "--force"]]);
}

#[test]
fn git_lfs_after_ours() {
    ours_first("git-lfs", &["install", "--force"]);
}

/// Lefthook installs itself in the middle of a commit when its file has changed.
#[test]
fn lefthook_that_comes_back_by_itself_is_chained_by_the_next_command() {
    let Some(lab) = Lab::new(&["lefthook"]) else { return };
    let life = lab.begin();
    lab.does(&life.home, &["install"]);
    life.home.godzilla_ok(&["hooks", "install"]);
    for n in 0..2 {
        let text = format!("{}# {n}\n", life.work.read("lefthook.yml"));
        life.work.write("lefthook.yml", &text);
        lab.round(&life);
        life.home.godzilla_ok(&["list"]);
        assert_eq!(lab.round(&life), lab.all());
        let said = life.home.godzilla_ok(&["hooks", "status"]);
        assert!(!said.contains(".old"), "{said}");
    }
    life.home.godzilla_ok(&["hooks", "uninstall"]);
    assert_eq!(lab.round(&life), lab.theirs());
}

#[test]
fn lefthook_calls_us_from_a_personal_file_on_demand() {
    let Some(lab) = Lab::new(&["lefthook"]) else { return };
    let life = lab.begin();
    let refused = life.home.godzilla(&["hooks", "install", "--into", "lefthook"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    lab.does(&life.home, &["install"]);
    let before = files(&life);
    // As people have it, who do not want to commit what is theirs alone.
    let exclude = life.home.path.join(".git/info/exclude");
    fs::write(&exclude, fs::read_to_string(&exclude).unwrap() + "lefthook-local.yml\n").unwrap();
    for is_chained in [false, true] {
        if is_chained {
            life.home.godzilla_ok(&["hooks", "install"]);
        }
        life.home.godzilla_ok(&["hooks", "install", "--into", "lefthook"]);
        life.work.write("lefthook-local.yml", &life.home.read("lefthook-local.yml"));
        assert_eq!(lab.round(&life), lab.all());
        let status = life.home.json(&["hooks", "status", "--probe"]);
        let called = |hook: &serde_json::Value| (hook["event"].to_string(), hook["called"] == true);
        let hooks: Vec<_> = status["hooks"].as_array().unwrap().iter().map(called).collect();
        assert!(hooks.iter().all(|(_, called)| *called), "{hooks:?}");
        life.home.godzilla_ok(&["hooks", "uninstall"]);
        assert_same(&before, &life);
    }
}

#[test]
fn husky_calls_us_from_its_scripts_on_demand() {
    let Some(lab) = Lab::new(&["husky"]) else { return };
    let life = lab.begin();
    let husky = |place: &Place<'_>| {
        let shown = run(place.command("node").arg(lab.folder.join("node_modules/husky/bin.js")));
        assert_eq!((shown.code, shown.stdout.as_str()), (Some(0), ""), "{shown}");
    };
    let without = files(&life);
    life.home.godzilla_ok(&["hooks", "install"]);
    // What `npm install` does, in each worktree.
    husky(&life.home);
    let doctor = life.home.godzilla(&["doctor"]).stdout;
    assert!(doctor.contains("git runs no hooks in"), "{doctor}");
    husky(&life.work);
    assert_eq!(lab.round(&life), lab.theirs(), "git does not look where ours are");

    let refused = life.work.godzilla(&["hooks", "install"]);
    assert!(refused.code == Some(4) && refused.stderr.contains("--into husky"), "{refused}");
    let before = files(&life);
    life.work.godzilla_ok(&["hooks", "install", "--into", "husky"]);
    assert_eq!(life.work.godzilla_ok(&["hooks", "install", "--into", "husky"]), "nothing to change\n");
    assert_eq!(lab.round(&life), lab.all());
    husky(&life.work);
    assert_eq!(lab.round(&life), lab.all());
    let status = life.work.json(&["hooks", "status", "--probe"]);
    assert!(status["hooks"].as_array().unwrap().iter().all(|hook| hook["called"] == true), "{status}");

    life.work.git(&["rm", "--quiet", "-r", "--cached", ".husky"]);
    life.work.godzilla_ok(&["hooks", "uninstall"]);
    let after = files(&life);
    for path in before.keys().filter(|path| path.parent().is_some_and(|dir| dir.ends_with(".husky"))) {
        assert_eq!(after.get(path), before.get(path), "{}", path.display());
    }
    assert_eq!(lab.round(&life), lab.theirs());
    for place in [&life.home, &life.work] {
        fs::remove_dir_all(place.path.join(".husky/_")).unwrap();
    }
    life.home.git(&["config", "--unset", "core.hooksPath"]);
    assert_same(&without, &life);
}
