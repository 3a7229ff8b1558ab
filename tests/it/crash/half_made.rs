//! Worktrees that `git worktree add` did not live to finish.

use std::fs;

use super::super::support::{BIN, Held, Place, World, run};

const NAME: &str = "0001-add-a-login";

/// A plan that died when its stream was there, and a worktree that git has begun: locked, its files without an index.
fn begun(world: &World) -> (Place<'_>, Place<'_>) {
    let a = world.clone("a");
    a.write("long", &"a line\n".repeat(100));
    a.write("short", "short\n");
    a.git(&["add", "."]);
    a.git(&["commit", "--quiet", "-m", "files"]);
    a.git(&["push", "--quiet", "origin", "main"]);
    let mut plan = a.command(BIN);
    plan.args(["plan", "Add a login", "--step", "The form"]).env("GODZILLA_FAIL_POINT", "plan.stream");
    assert_eq!(run(&mut plan).code, None);
    a.git(&["worktree", "add", "--quiet", &format!("worktrees/{NAME}"), NAME]);
    let admin = format!(".git/worktrees/{NAME}");
    a.write(&format!("{admin}/locked"), "initializing");
    fs::rename(a.path.join(&admin).join("index"), a.path.join(&admin).join("index.lock")).unwrap();
    let work = world.place(&format!("a/worktrees/{NAME}"));
    (a, work)
}

#[test]
fn files_that_were_cut_off_are_made_anew_and_those_of_a_person_stay() {
    let world = World::new();
    let (a, work) = begun(&world);
    work.write("long", "a line\na li");
    work.write("README", "mine, and longer than what is committed\n");
    work.write("new", "new\n");
    fs::remove_file(work.path.join("short")).unwrap();
    let shown = a.godzilla(&["list"]);
    assert_eq!(shown.code, Some(0), "{shown}");
    assert_eq!(work.read("long"), "a line\n".repeat(100));
    assert_eq!(work.read("short"), "short\n");
    assert_eq!(work.read("README"), "mine, and longer than what is committed\n");
    assert_eq!(work.git(&["status", "--porcelain"]), " M README\n?? new\n");
    work.git(&["add", "new"]);
    // Nothing is locked any more, and nothing is left to be done.
    a.godzilla_ok(&["worktrees", "remove", "1", "--force"]);
    a.godzilla_ok(&["restore", "1"]);
    assert_eq!(work.git(&["status", "--porcelain"]), " M README\nA  new\n");
}

#[test]
fn what_has_no_files_yet_is_added_again() {
    let world = World::new();
    let (a, work) = begun(&world);
    let admin = a.path.join(format!(".git/worktrees/{NAME}"));
    fs::remove_file(admin.join("index.lock")).unwrap();
    fs::rename(admin.join("HEAD"), admin.join("HEAD.lock")).unwrap();
    for file in ["README", "long", "short"] {
        fs::remove_file(work.path.join(file)).unwrap();
    }
    fs::remove_dir_all(work.path.join(".protocols")).unwrap();
    a.godzilla_ok(&["list"]);
    assert_eq!(work.git(&["status", "--porcelain", "--branch"]), format!("## {NAME}\n"));
    assert_eq!(work.read("short"), "short\n");
}

/// Whoever lives longest holds it.
#[test]
fn a_git_that_goes_on_is_waited_for() {
    let world = World::new();
    let (a, work) = begun(&world);
    let lock = a.path.join(".git/godzilla/locks/adding");
    let held = Held::at(&lock);
    let mut list = a.command(BIN).arg("list").stdout(std::process::Stdio::null()).spawn().unwrap();
    // It is there when it waits.
    while !is_open_by(list.id(), &lock) {
        assert!(list.try_wait().unwrap().is_none(), "it did not wait");
        std::thread::yield_now();
    }
    fs::rename(work.path.join("../../.git/worktrees").join(NAME).join("index.lock"), index(&a)).unwrap();
    fs::remove_file(a.path.join(format!(".git/worktrees/{NAME}/locked"))).unwrap();
    fs::write(work.path.join("short"), "").unwrap();
    drop(held);
    assert!(list.wait().unwrap().success());
    assert_eq!(work.read("short"), "", "it was not there to be finished");
}

fn index(a: &Place<'_>) -> std::path::PathBuf {
    a.path.join(format!(".git/worktrees/{NAME}/index"))
}

fn is_open_by(pid: u32, file: &std::path::Path) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|path| path == file)
}
