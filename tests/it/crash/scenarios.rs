//! What is killed: the world before it, the command, and how it is run again.

mod hooks;
mod life;
mod sharing;
mod worktrees;

use std::fs;

use super::super::support::{BIN, Place, Shown, World};
use super::strike::{How, WHOLE};

/// The commands run in the clone `a` or in a worktree of it.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) set_up: fn(&World),
    pub(super) run: fn(&World, &How) -> Shown,
    /// What a person does next, if not the same.
    pub(super) again: Option<fn(&World) -> Shown>,
    /// More of the outcome.
    pub(super) also: Option<fn(&Place<'_>) -> String>,
    /// The points to die at, if not all that are reached.
    pub(super) only: Option<&'static [&'static str]>,
    /// Whether it is done twice if it is typed twice: a person looks first.
    pub(super) once: bool,
}

pub(super) const NAME: &str = "0001-add-a-login";

pub(super) const fn scenario(
    name: &'static str,
    set_up: fn(&World),
    run: fn(&World, &How) -> Shown,
) -> Scenario {
    Scenario { name, set_up, run, again: None, also: None, only: None, once: false }
}

/// Those that die at every point that they reach.
pub(super) fn at_points() -> impl Iterator<Item = &'static Scenario> {
    [life::LIFE, sharing::SHARING, worktrees::WORKTREES, hooks::HOOKS].into_iter().flatten()
}

pub(super) fn all() -> impl Iterator<Item = &'static Scenario> {
    at_points().chain(super::more::MORE)
}

/// Planned, with files that are staged, changed and new.
pub(super) fn not_committed(world: &World) {
    planned(world);
    let work = worktree(world);
    work.write("staged", "staged\n");
    work.git(&["add", "staged"]);
    work.write("staged", "and changed\n");
    work.write("folder/new", "new\n");
}

/// What lies beside the worktrees of protocols.
pub(super) fn beside_worktrees(a: &Place<'_>) -> String {
    let entries = fs::read_dir(a.path.join("worktrees")).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    format!("{:?}", names.collect::<Vec<_>>())
}

/// All that a person can see in the worktree.
pub(super) fn all_of_worktree(a: &Place<'_>) -> String {
    let dir = format!("worktrees/{NAME}");
    let of_it = |args: &[&str]| a.git(&[&["-C", dir.as_str()], args].concat());
    let content = of_it(&["grep", "--untracked", ""]);
    format!("{}{}{content}", of_it(&["status", "--porcelain"]), of_it(&["diff", "--cached"]))
}

pub(super) const COMMIT: &[&str] = &["commit", "--quiet", "-m", "feat: a form"];

pub(super) fn with(world: &World, place: &str, args: &[&str], how: &How) -> Shown {
    how.run(world.place(place).command(BIN).args(args))
}

pub(super) fn worktree(world: &World) -> Place<'_> {
    world.place(&format!("a/worktrees/{NAME}"))
}

pub(super) fn git(world: &World, args: &[&str], how: &How) -> Shown {
    how.run(worktree(world).command("git").args(args))
}

pub(super) fn list(world: &World) -> Shown {
    with(world, "a", &["list"], &WHOLE)
}

pub(super) fn planned(world: &World) {
    world.clone("a").plan("Add a login", &["The form", "The API"]);
}

pub(super) fn over(world: &World) {
    planned(world);
    let a = world.place("a");
    a.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["cancel", "1"]);
    a.godzilla_ok(&["sync"]);
}

/// A server with a hook of its own.
pub(super) fn served(world: &World) {
    world.clone("a");
    world.place("srv.git").write_executable("hooks/pre-receive", "#!/bin/sh\ntrue\n");
}

pub(super) fn started(world: &World) {
    planned(world);
    with(world, "a", &["start", "1", "-p", "1"], &WHOLE);
}

pub(super) fn ready_to_commit(world: &World) {
    planned(world);
    let worktree = worktree(world);
    worktree.write("form", "a form\n");
    worktree.tick(NAME, "01-the-form");
    worktree.git(&["add", "."]);
}

fn die(world: &World, point: &str, args: &[&str]) {
    let shown = with(world, "a", args, &How::at_point(point, None));
    assert_eq!(shown.code, None, "{shown}");
}

fn hook(place: &Place<'_>, event: &str, text: &str) {
    place.write_executable(&format!(".git/hooks/{event}"), text);
}
