//! Hooks, called by real git: every `git` that `PATH` holds, in linked worktrees, as people work.

mod commits;
mod flow;
mod install;
mod managers;
mod messages;
pub(crate) mod modes;
mod push;
mod reconcile;
mod rewrites;
mod trouble;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Place, Shown, World, run};

/// Runs `test` once with each git of this machine.
fn with_each_git(test: impl Fn(&World)) {
    for dir in git_folders() {
        let world = World::with(Some(dir), false);
        println!("{}", world.place("").git(&["--version"]).trim());
        test(&world);
    }
}

/// The folders of `PATH` that hold a `git` of their own.
pub(crate) fn git_folders() -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let path = std::env::var_os("PATH").unwrap();
    let dirs = std::env::split_paths(&path).filter(|dir| dir.is_absolute());
    dirs.filter(|dir| dir.join("git").canonicalize().is_ok_and(|git| seen.insert(git))).collect()
}

/// The folder of the first git of this machine that looks at hooks in the configuration, or does not.
pub(crate) fn git_that(knows_configured_hooks: bool) -> Option<PathBuf> {
    let is_it = |dir: &PathBuf| {
        let said = World::with(Some(dir.clone()), false).place("").git(&["--version"]);
        let mut parts = said.split([' ', '.']).filter_map(|part| part.trim().parse::<u32>().ok());
        ((parts.next(), parts.next()) >= (Some(2), Some(54))) == knows_configured_hooks
    };
    let found = git_folders().into_iter().find(is_it);
    if found.is_none() {
        println!(
            "skipped: no git {} 2.54 is on PATH",
            if knows_configured_hooks { "since" } else { "before" }
        );
    }
    found
}

/// A protocol and where it is worked on.
struct Life<'w> {
    /// The clone with the main worktree.
    home: Place<'w>,
    /// The linked worktree.
    work: Place<'w>,
    name: String,
}

impl<'w> Life<'w> {
    /// Plans a protocol in `home`, with the steps `One`, `Two` and `Three`.
    #[track_caller]
    fn plan(home: &Place<'w>, title: &str) -> Self {
        Self::plan_with(home, title, &[])
    }

    #[track_caller]
    fn plan_with(home: &Place<'w>, title: &str, options: &[&str]) -> Self {
        let mut args = vec!["plan", title, "--step", "One", "--step", "Two", "--step", "Three"];
        args.extend(options);
        let planned = home.json(&args);
        let home = home.world.place(home.path.strip_prefix(home.world.path()).unwrap().to_str().unwrap());
        let work = Place { world: home.world, path: planned["worktree"].as_str().unwrap().into() };
        Self { home, work, name: planned["name"].as_str().unwrap().to_owned() }
    }

    /// Makes a world's only clone and plans in it.
    fn begin(world: &'w World) -> Self {
        Self::plan(&world.clone("a"), "Add a login page")
    }

    /// Ticks all boxes of a step file and commits that with a file of code.
    #[track_caller]
    fn finish(&self, step: &str) -> String {
        self.work.tick(&self.name, step);
        self.work.commit(&format!("{step}.txt"), &format!("feat: end {step}"))
    }

    #[track_caller]
    fn show(&self) -> Value {
        self.home.json(&["show", &self.name])
    }

    fn statuses(&self) -> Vec<String> {
        self.home.statuses(&self.name)
    }

    fn attempts(&self) -> Vec<u64> {
        steps(&self.show()).map(|step| step["attempts"].as_u64().unwrap()).collect()
    }

    /// The subjects of each step's commits, without tags.
    fn subjects(&self) -> Vec<(String, Vec<String>)> {
        let subject = |oid: &Value| {
            let text = self.home.git(&["log", "-1", "--format=%s", oid.as_str().unwrap()]);
            without_tags(text.trim())
        };
        let shown = self.show();
        let of_step = |step: &Value| {
            let commits = step["commits"].as_array().unwrap().iter().map(subject).collect();
            (step["id"].as_str().unwrap().to_owned(), commits)
        };
        steps(&shown).map(of_step).collect()
    }

    /// The subjects of one step's commits, oldest first.
    fn of_step(&self, step: &str) -> Vec<String> {
        self.subjects().into_iter().find(|(id, _)| id == step).unwrap().1
    }

    /// The events that the local ref holds, read without the program, which would reconcile.
    fn recorded(&self) -> Vec<Value> {
        let of_ref = format!("refs/godzilla/protocols/{}", self.name);
        let files = self.home.git(&["ls-tree", "-r", "--name-only", &of_ref, "events/"]);
        let text = |file: &str| self.home.git(&["cat-file", "blob", &format!("{of_ref}:{file}")]);
        let lines: Vec<String> = files
            .lines()
            .flat_map(|file| text(file).lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Whether the ref already says that `commit` was seen: what a hook did, without a command.
    fn has_seen(&self, commit: &str) -> bool {
        self.recorded()
            .iter()
            .any(|event| event["type"] == "commit.seen" && event["body"]["commit"] == commit)
    }

    fn head(&self) -> String {
        self.work.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Checks what must be true at any time, once a command has looked.
    #[track_caller]
    fn assert_sound(&self) {
        self.home.godzilla_ok(&["list"]);
        self.assert_prompt();
    }

    /// Checks that hooks recorded all there is, so that a command finds nothing more; that every
    /// event counts, and that each commit of the branch was seen once and belongs to a step.
    #[track_caller]
    fn assert_prompt(&self) {
        let before = refs(&self.home);
        let text = self.home.godzilla_ok(&["log", &self.name, "--json"]);
        let mut seen = BTreeSet::new();
        for line in text.lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            assert_eq!(event["outcome"], "accepted", "{line}");
            if event["type"] == "commit.seen" {
                assert!(seen.insert(event["body"]["commit"].to_string()), "seen twice: {line}");
            }
        }
        let shown = self.show();
        let live: Vec<String> = steps(&shown)
            .flat_map(|step| step["commits"].as_array().unwrap().clone())
            .map(|oid| oid.as_str().unwrap().to_owned())
            .collect();
        let branch = self.home.git(&["rev-list", &self.name, "--not", "main", "origin/main"]);
        let branch: BTreeSet<String> = branch.lines().map(str::to_owned).collect();
        assert_eq!(live.len(), branch.len(), "{live:?}\n{branch:?}");
        assert_eq!(live.into_iter().collect::<BTreeSet<_>>(), branch);
        assert_eq!(refs(&self.home), before, "the commands found something to record");
    }
}

fn steps(shown: &Value) -> impl Iterator<Item = &Value> {
    shown["steps"].as_array().unwrap().iter()
}

/// All refs and what they point to.
fn refs(place: &Place<'_>) -> String {
    place.git(&["for-each-ref", "--format=%(refname) %(objectname)"])
}

/// Refs, and how many objects there are.
fn refs_and_objects(place: &Place<'_>) -> (String, String) {
    (refs(place), place.git(&["count-objects", "-v"]))
}

/// The whole message of a commit.
fn message(place: &Place<'_>, commit: &str) -> String {
    place.git(&["log", "-1", "--format=%B", commit])
}

fn without_tags(line: &str) -> String {
    match line.rfind(" [protocol-") {
        Some(at) if line.ends_with(']') => line[..at].to_owned(),
        _ => line.to_owned(),
    }
}

/// A message as it would be without us: no tag, no step trailer, no paragraph that held it alone.
fn without_ours(message: &str) -> String {
    let mut lines: Vec<String> = message.lines().map(str::to_owned).collect();
    if let Some(first) = lines.first_mut() {
        *first = without_tags(first);
    }
    lines.retain(|line| !line.starts_with("Godzilla-Step: "));
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.join("\n")
}

/// Runs git with more environment and input.
fn git_with(place: &Place<'_>, env: &[(&str, &str)], stdin: Option<&Path>, args: &[&str]) -> Shown {
    let mut command = place.command("git");
    command.args(args).envs(env.iter().copied());
    if let Some(path) = stdin {
        command.stdin(Stdio::from(std::fs::File::open(path).unwrap()));
    }
    run(&mut command)
}

/// Makes an executable script in the world's folder and returns its path.
fn script(world: &World, name: &str, text: &str) -> String {
    let path = world.path().join(name);
    put_script(&path, text);
    path.to_str().unwrap().to_owned()
}

fn put_script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;

    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
