//! Worktrees that come and go, and what lies in them, which does not.

mod kept;
mod refused;
mod restored;
mod undone;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::schemas::assert_valid;
use crate::support::{Place, World};

const NAME: &str = "0001-add-a-login";

/// Every file and link below a folder by its path, with its mode and what it holds; without `.git`.
fn files_of(dir: &Path) -> BTreeMap<Vec<u8>, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.strip_prefix(dir).unwrap().as_os_str().as_bytes().to_owned();
            let meta = fs::symlink_metadata(&path).unwrap();
            if name == b".git" {
                continue;
            }
            if meta.is_dir() {
                folders.push(path);
            } else if meta.is_symlink() {
                found.insert(name, (0, fs::read_link(&path).unwrap().as_os_str().as_bytes().to_owned()));
            } else {
                found.insert(name, (meta.permissions().mode() & 0o111, fs::read(&path).unwrap()));
            }
        }
    }
    found
}

/// A worktree with a bit of everything that is not committed.
fn messy(work: &Place<'_>) {
    work.write("kept.txt", "as committed\n");
    work.write("gone.txt", "committed\n");
    work.write("both.txt", "one\n");
    work.write("was-file", "a file\n");
    work.write(".gitignore", "build/\n.env\n");
    work.git(&["add", "--all"]);
    work.git(&["commit", "--quiet", "-m", "feat: the form"]);

    work.write("both.txt", "staged\n");
    work.write("staged.txt", "only staged\n");
    work.git(&["add", "both.txt", "staged.txt"]);
    work.write("both.txt", "staged, and more\n");
    fs::remove_file(work.path.join("gone.txt")).unwrap();
    fs::remove_file(work.path.join("was-file")).unwrap();
    work.write("was-file/inner", "a folder now\n");
    work.write("new/deep/file.txt", "new\n");
    work.write("empty", "");
    work.write_executable("tool.sh", "#!/bin/sh\n");
    std::os::unix::fs::symlink("nowhere/at all", work.path.join("link")).unwrap();
    let odd = work.path.join(std::ffi::OsStr::from_bytes(b"odd \xff\n\"name"));
    fs::write(odd, b"\0\xff\r\n").unwrap();
    work.write(".env", "KEY=1\n");
}

/// A clone with one protocol, and its worktree.
fn planned(world: &World) -> (Place<'_>, Place<'_>) {
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form"]);
    (a, work)
}

fn removed(a: &Place<'_>, options: &[&str]) -> Value {
    let removed = a.json(&[&["worktrees", "remove", "1"], options].concat());
    assert_valid("worktrees-remove.v1", &removed);
    removed
}

fn listed(a: &Place<'_>) -> Vec<Value> {
    let listed = a.json(&["worktrees", "list", "--size"]);
    assert_valid("worktrees.v1", &listed);
    listed["worktrees"].as_array().unwrap().clone()
}

/// The codes of why the worktree of the first protocol stays.
fn stays(a: &Place<'_>) -> Vec<String> {
    let listed = listed(a);
    let first = listed.iter().find(|it| it["protocol"] == NAME).unwrap();
    first["stays"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap().to_owned()).collect()
}

/// Merges the protocol's branch into `main` and pushes both.
fn merge(a: &Place<'_>) {
    a.git(&["merge", "--quiet", "--no-ff", "-m", "merge it", NAME]);
    a.git(&["push", "--quiet", "origin", "main", NAME]);
}

fn refs(a: &Place<'_>, below: &str) -> Vec<String> {
    let refs = a.git(&["for-each-ref", "--format=%(refname)", below]);
    refs.lines().map(str::to_owned).collect()
}

/// The exit code and the code of an error.
#[track_caller]
fn refusal(place: &Place<'_>, args: &[&str]) -> (i64, String) {
    let shown = place.godzilla(&[args, &["--json"]].concat());
    let document: Value = serde_json::from_str(&shown.stdout).unwrap_or_else(|_| panic!("{args:?}\n{shown}"));
    assert_valid("error.v1", &document);
    (document["exit"].as_i64().unwrap(), document["code"].as_str().unwrap().to_owned())
}

#[test]
fn a_worktree_with_anything_in_it_goes_and_comes_back_byte_for_byte() {
    let world = World::new();
    let (a, work) = planned(&world);
    messy(&work);
    let (before, status) = (files_of(&work.path), work.git(&["status", "--porcelain"]));
    let tip = work.git(&["rev-parse", "HEAD"]);

    let gone = removed(&a, &["--force"]);
    assert!(!work.path.exists());
    assert_eq!(gone["branch"], tip.trim());
    assert!(gone["changed"].as_array().unwrap().contains(&json!("staged.txt")), "{gone}");
    assert_eq!(refs(&a, "refs/heads"), ["refs/heads/main"]);
    assert_eq!(fs::read_dir(work.path.parent().unwrap()).unwrap().count(), 0);

    let back = a.json(&["restore"]);
    assert_valid("restore.v1", &back);
    assert_eq!(back["restored"]["path"], work.path.to_str().unwrap());
    assert_eq!(files_of(&work.path), before);
    assert_eq!(work.git(&["status", "--porcelain"]), status);
    assert_eq!(work.git(&["rev-parse", "HEAD"]), tip);
    assert_eq!(work.git(&["diff", "--cached", "--name-only"]), "both.txt\nstaged.txt\n");
    assert_eq!(work.git(&["show", ":both.txt"]), "staged\n");
    // Whoever has no git-godzilla at hand has `git stash`.
    work.git(&["stash", "--include-untracked", "--quiet"]);
    work.git(&["stash", "apply", "--quiet", gone["kept"]["ref"].as_str().unwrap()]);
    assert_eq!(files_of(&work.path), before);
}

#[test]
fn what_lies_in_a_merged_worktree_goes_without_being_forced() {
    let world = World::new();
    let (a, work) = planned(&world);
    let tip = work.commit("form", "feat: the form");
    assert_eq!(stays(&a), ["protocol.open", "branch.unmerged"]);
    assert_eq!(refusal(&a, &["worktrees", "remove", "1"]), (4, "branch.unmerged".to_owned()));
    merge(&a);
    assert_eq!(stays(&a), Vec::<String>::new());
    let dry = removed(&a, &["--dry-run"]);
    assert_eq!((&dry["kept"], &dry["merged"]["rule"]), (&Value::Null, &json!("ancestry")));
    assert!(work.path.exists());
    removed(&a, &[]);
    assert!(!work.path.exists());
    assert_eq!(refusal(&a, &["worktrees", "remove", "1"]), (4, "worktree.none".to_owned()));
    // Nothing is said to be lost.
    assert_eq!(a.json(&["show", "1"])["status"], "completed");
    a.json(&["restore", "1"]);
    assert_eq!(work.git(&["rev-parse", "HEAD"]).trim(), tip);
    assert_eq!(work.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_branch_can_stay() {
    let world = World::new();
    let (a, work) = planned(&world);
    let tip = work.commit("form", "feat: the form");
    let gone = removed(&a, &["--keep-branch"]);
    assert_eq!(gone["branch"], Value::Null);
    assert!(!work.path.exists());
    assert_eq!(a.git(&["rev-parse", NAME]).trim(), tip);
    assert_eq!(a.json(&["restore", "1"])["restored"]["branch"], Value::Null);
    assert!(work.path.join("form").exists());
}

/// What is merged by a squash shows by no ancestry.
#[test]
fn gc_takes_what_is_over_and_says_why_the_rest_stays() {
    let world = World::new();
    let (a, work) = planned(&world);
    work.commit("form", "feat: the form");
    let open = a.plan("Still open", &["One"]);
    let pushed = a.plan("Given up", &["One"]);
    pushed.commit("tried", "feat: tried");
    pushed.git(&["push", "--quiet", "origin", "HEAD"]);
    a.godzilla_ok(&["cancel", "3"]);
    let dirty = a.plan("Given up too", &["One"]);
    dirty.write("notes", "mine\n");
    dirty.git(&["push", "--quiet", "origin", "HEAD"]);
    a.godzilla_ok(&["cancel", "4"]);
    a.git(&["worktree", "add", "--quiet", "-b", "mine", "../mine"]);
    a.git(&["merge", "--squash", "--quiet", NAME]);
    a.git(&["commit", "--quiet", "-m", "feat: the form, squashed"]);
    a.commit("form", "feat: another form");
    a.git(&["push", "--quiet", "origin", "main"]);

    let dry = a.json(&["worktrees", "gc", "--dry-run"]);
    assert_valid("worktrees-gc.v1", &dry);
    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&dry["removed"]), [NAME, "0003-given-up"]);
    assert!(work.path.exists());
    let done = a.json(&["worktrees", "gc"]);
    assert_valid("worktrees-gc.v1", &done);
    assert_eq!(names(&done["removed"]), [NAME, "0003-given-up"]);
    assert_eq!(done["removed"][0]["merged"]["rule"], "squash");
    assert_eq!(done["removed"][1]["pushed"], "origin");
    assert_eq!(names(&done["stayed"]), ["0002-still-open", "0004-given-up-too"]);
    assert_eq!(done["stayed"][1]["stays"][0]["code"], "worktree.dirty");
    let there = [&work, &open, &pushed, &dirty].map(|place| place.path.exists());
    assert_eq!(there, [false, true, false, true]);
    assert!(world.path().join("mine").exists());
    let foreign = listed(&a).into_iter().find(|it| it["branch"] == "mine").unwrap();
    assert_eq!(foreign["stays"][0]["code"], "worktree.foreign");
}

#[test]
fn the_list_tells_what_lies_where() {
    let world = World::new();
    let (a, work) = planned(&world);
    work.commit("form", "feat: the form");
    work.write("form", "more\n");
    let all = listed(&work);
    assert_eq!(all.len(), 2);
    assert_eq!(
        (&all[0]["main"], &all[0]["branch"], &all[0]["current"]),
        (&json!(true), &json!("main"), &json!(false))
    );
    let it = &all[1];
    assert_eq!(
        (&it["protocol"], &it["status"], &it["current"]),
        (&json!(NAME), &json!("running"), &json!(true))
    );
    assert_eq!((&it["dirty"], &it["unpushed_commits"]), (&json!(["form"]), &json!(2)));
    assert_eq!((&it["merged"], &it["pushed"]), (&Value::Null, &Value::Null));
    assert!(it["size_bytes"].as_u64().unwrap() > 0 && it["size_complete"] == true, "{it}");
    assert!(it["used_at_ms"].as_u64().unwrap() > 0);
    work.git(&["push", "--quiet", "origin", "HEAD"]);
    let it = &listed(&a)[1];
    assert_eq!((&it["pushed"], &it["unpushed_commits"]), (&json!("origin"), &json!(0)));
    assert_eq!(a.json(&["worktrees", "list"])["worktrees"][1]["size_bytes"], Value::Null);
}
