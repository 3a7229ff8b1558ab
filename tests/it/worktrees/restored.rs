//! What comes back, and what is not overwritten for it.

use std::fs;

use serde_json::{Value, json};

use super::{NAME, files_of, messy, planned, refs, refusal, removed};
use crate::support::{BIN, Place, World, run};

fn restore(a: &Place<'_>, args: &[&str]) -> Value {
    let restored = a.json(&[&["restore"], args].concat());
    crate::schemas::assert_valid("restore.v1", &restored);
    restored
}

/// What was done since is kept first, and so can be restored in its turn.
#[test]
fn nothing_is_overwritten_that_is_not_kept() {
    let world = World::new();
    let (a, work) = planned(&world);
    messy(&work);
    let first = files_of(&work.path);
    let kept = removed(&a, &["--force"])["kept"]["id"].as_str().unwrap().to_owned();
    a.git(&["worktree", "add", "--quiet", "-b", NAME, work.path.to_str().unwrap(), "main"]);
    work.git(&["reset", "--quiet", "--hard", &format!("refs/godzilla-local/trash/{NAME}/{kept}^1")]);
    work.write("both.txt", "done since\n");
    work.write("mine.txt", "mine\n");
    work.write("link", "a file where a link was\n");
    let second = files_of(&work.path);

    let restored = restore(&a, &[&kept]);
    let snapshot = restored["restored"]["snapshot"].as_str().unwrap().to_owned();
    let mut want = first;
    want.insert(b"mine.txt".to_vec(), (0, b"mine\n".to_vec()));
    assert_eq!(files_of(&work.path), want);
    // Once more changes nothing.
    assert_eq!(restore(&a, &[&kept])["restored"]["written"], json!([]));

    restore(&a, &[&snapshot]);
    for path in [&b"both.txt"[..], b"mine.txt", b"link"] {
        assert_eq!(files_of(&work.path)[path], second[path]);
    }
}

/// A removal that was killed before its last word is not taken for one that had not begun.
#[test]
fn what_was_removed_stays_kept_though_another_folder_lies_there() {
    let world = World::new();
    let (a, work) = planned(&world);
    messy(&work);
    let before = files_of(&work.path);
    let remove = ["worktrees", "remove", "1", "--force"];
    let died = run(a.command(BIN).args(remove).env("GODZILLA_FAIL_POINT", "remove.folder"));
    assert_eq!((died.code, work.path.exists()), (None, false));
    a.git(&["worktree", "add", "--quiet", "--detach", work.path.to_str().unwrap(), "main"]);
    let shown = a.godzilla(&["worktrees", "list"]);
    assert!(shown.stderr.contains("what it had is kept: git godzilla restore 01"), "{shown}");

    a.git(&["worktree", "remove", work.path.to_str().unwrap()]);
    restore(&a, &[]);
    assert_eq!(files_of(&work.path), before);
}

#[test]
fn without_an_argument_it_is_the_only_one_or_none() {
    let world = World::new();
    let a = world.clone("a");
    assert_eq!(refusal(&a, &["restore"]), (4, "restore.nothing".to_owned()));
    a.plan("Add a login", &["The form"]);
    a.plan("Another one", &["One"]);
    removed(&a, &["--force"]);
    a.json(&["worktrees", "remove", "2", "--force"]);
    let shown = a.godzilla(&["restore"]);
    assert_eq!(shown.code, Some(2), "{shown}");
    assert!(shown.stderr.contains("git godzilla restore --list"), "{shown}");
    let all = restore(&a, &["--list"]);
    assert_eq!(all["kept"].as_array().unwrap().len(), 2);
    assert_eq!(all["kept"][0]["protocol"], "0002-another-one");
    let one = restore(&a, &["--list", "-p", "1"]);
    assert_eq!((one["kept"].as_array().unwrap().len(), &one["kept"][0]["kind"]), (1, &json!("trash")));
    let id = one["kept"][0]["id"].as_str().unwrap();
    assert_eq!(restore(&a, &[&id[..14], "--dry-run"])["restored"]["branch"], one["kept"][0]["tip"]);
    assert_eq!(refs(&a, "refs/heads/0*"), Vec::<String>::new());
    restore(&a, &["2"]);
    assert_eq!(refs(&a, "refs/heads/0*"), ["refs/heads/0002-another-one"]);
    assert_eq!(refusal(&a, &["restore", "77"]), (3, "protocol.unknown".to_owned()));
    assert_eq!(refusal(&a, &["restore", "zzzz"]), (3, "protocol.unknown".to_owned()));
}

/// The branch is where people left it; only its files come back.
#[test]
fn a_branch_that_went_on_is_not_moved() {
    let world = World::new();
    let (a, work) = planned(&world);
    work.commit("form", "feat: the form");
    work.write("notes", "mine\n");
    removed(&a, &["--force", "--keep-branch"]);
    a.git(&["worktree", "add", "--quiet", work.path.to_str().unwrap(), NAME]);
    let tip = work.commit("form", "feat: a better form");
    let restored = restore(&a, &["1"]);
    assert_eq!(restored["restored"]["written"], json!(["notes"]));
    assert_eq!(work.git(&["rev-parse", "HEAD"]).trim(), tip);
    assert_eq!(work.read("form"), "feat: a better form\n");
    work.git(&["reset", "--quiet", "--hard", "HEAD^^"]);
    let restored = restore(&a, &["1"]);
    assert!(restored["restored"]["notices"][0].as_str().unwrap().contains("stays there"), "{restored}");
    assert_eq!(work.git(&["rev-parse", "HEAD^"]).trim(), a.git(&["rev-parse", "main"]).trim());
}

/// Somebody who removes a folder by hand has not told git.
#[test]
fn a_folder_that_was_removed_by_hand_comes_back() {
    let world = World::new();
    let (a, work) = planned(&world);
    work.write("notes", "mine\n");
    removed(&a, &["--force"]);
    restore(&a, &["1"]);
    fs::remove_dir_all(&work.path).unwrap();
    restore(&a, &["1"]);
    assert_eq!(work.read("notes"), "mine\n");
    a.git(&["worktree", "lock", work.path.to_str().unwrap()]);
    fs::remove_dir_all(&work.path).unwrap();
    assert_eq!(refusal(&a, &["restore", "1"]), (4, "worktree.locked".to_owned()));
}

/// Small ignored files, such as those with keys, are held; folders that are ignored whole only on wish.
#[test]
fn ignored_files_are_held_as_far_as_that_is_wished() {
    let world = World::new();
    let (a, work) = planned(&world);
    work.write(".gitignore", "build/\n*.local\n");
    work.write("build/out", "built\n");
    work.write("key.local", "mine\n");
    let gone = removed(&a, &["--force"]);
    assert_eq!(gone["dropped"], json!(["build/"]));
    assert_eq!(gone["kept"]["not_held"], json!([{ "why": "ignored", "path": "build/" }]));
    restore(&a, &["1"]);
    assert_eq!((work.read("key.local"), work.path.join("build").exists()), ("mine\n".to_owned(), false));

    work.write("build/out", "built\n");
    work.write_executable("build/tool", "#!/bin/sh\n");
    let before = files_of(&work.path);
    let gone = removed(&a, &["--force", "--include-ignored"]);
    assert_eq!(gone["dropped"], json!([]));
    restore(&a, &[gone["kept"]["id"].as_str().unwrap()]);
    assert_eq!(files_of(&work.path), before);
    assert!(!work.git(&["status", "--porcelain"]).contains("build"));
}

/// Attributes and settings let git take other bytes for the same content.
#[test]
fn bytes_that_git_would_convert_are_held_as_they_are() {
    let world = World::new();
    let (a, work) = planned(&world);
    work.write(".gitattributes", "*.txt text\n*.id ident\n*.up filter=up\n");
    work.write("lf.txt", "one\ntwo\n");
    work.write("a.id", "$Id$\n");
    work.commit("form", "feat: the form");
    work.write("lf.txt", "one\r\ntwo\r\n");
    work.write("mixed.txt", "one\r\ntwo\n");
    work.write("a.id", "$Id: mine $\n");
    work.write("b.up", "shout\n");
    a.git(&["config", "filter.up.clean", "tr a-z A-Z"]);
    let before = files_of(&work.path);
    removed(&a, &["--force"]);
    restore(&a, &["1"]);
    assert_eq!(files_of(&work.path), before);
}

/// What a link leads to is nobody's business.
#[test]
fn nothing_is_written_through_a_link() {
    let world = World::new();
    let (a, work) = planned(&world);
    work.write("folder/file", "mine\n");
    removed(&a, &["--force", "--keep-branch"]);
    a.git(&["worktree", "add", "--quiet", work.path.to_str().unwrap(), NAME]);
    let outside = world.path().join("outside");
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, work.path.join("folder")).unwrap();
    let restored = restore(&a, &["1"]);
    assert_eq!(restored["restored"]["in_the_way"], json!(["folder/file"]));
    assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
}

#[test]
fn a_sparse_checkout_stays_one() {
    let world = World::new();
    let a = world.clone("a");
    a.write("big/file", "big\n");
    a.git(&["add", "."]);
    a.git(&["commit", "--quiet", "-m", "big"]);
    a.git(&["push", "--quiet", "origin", "main"]);
    let work = a.plan("Add a login", &["The form"]);
    work.git(&["sparse-checkout", "set", ".protocols", "small"]);
    assert!(!work.path.join("big").exists());
    work.write("small/file", "mine\n");
    removed(&a, &["--force"]);
    restore(&a, &["1"]);
    assert_eq!((work.read("small/file"), work.read("big/file")), ("mine\n".to_owned(), "big\n".to_owned()));
    assert_eq!(work.git(&["status", "--porcelain"]), "?? small/\n");
}

/// A merge that has not ended cannot be staged as it was.
#[test]
fn what_is_kept_of_a_merge_is_its_files() {
    let world = World::new();
    let (a, work) = planned(&world);
    work.write("notes", "mine\n");
    removed(&a, &["--force"]);
    restore(&a, &["1"]);
    work.commit("form", "feat: the form");
    a.commit("form", "feat: another form");
    work.try_git(&["merge", "main"]);
    work.write("notes", "other\n");
    let restored = restore(&a, &["1"]);
    let snapshot = restored["restored"]["snapshot"].as_str().unwrap();
    assert_eq!(work.read("notes"), "mine\n");
    let all = restore(&a, &["--list"]);
    let kept = all["kept"].as_array().unwrap().iter().find(|kept| kept["id"] == snapshot).unwrap();
    assert_eq!(kept["not_held"], json!([{ "why": "unmerged", "path": "form" }]));
    assert!(a.git(&["show", &format!("{}:form", kept["ref"].as_str().unwrap())]).contains("<<<<<<<"));
}

/// A filter of the user's runs when the worktree comes back, as it does with every checkout.
#[test]
fn what_passes_through_a_filter_of_the_user_comes_back_filtered() {
    let world = World::new();
    let a = world.clone("a");
    a.user_config("filter.up.smudge", Some("tr a-z A-Z"));
    a.user_config("filter.up.clean", Some("tr A-Z a-z"));
    let work = a.plan("Add a login", &["The form"]);
    work.write(".gitattributes", "*.up filter=up\n");
    work.write("b.up", "SHOUT\n");
    work.git(&["add", "--all"]);
    work.git(&["commit", "--quiet", "-m", "feat: the form"]);
    assert_eq!(work.git(&["show", "HEAD:b.up"]), "shout\n");
    removed(&a, &["--force"]);
    restore(&a, &["1"]);
    assert_eq!(work.read("b.up"), "SHOUT\n");
    assert_eq!(work.git(&["status", "--porcelain"]), "");
}

/// Files that git ignores are in nobody's way, until something comes back to where they lie.
#[test]
fn ignored_files_are_kept_before_they_are_overwritten() {
    let world = World::new();
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form"]);
    work.write(".gitignore", "build/\n");
    work.commit("form", "feat: the form");
    work.write("build/out", "one\n");
    removed(&a, &["--force", "--keep-branch", "--include-ignored"]);
    a.git(&["worktree", "add", "--quiet", work.path.to_str().unwrap(), NAME]);
    work.write("build/out", "two\n");
    let restored = restore(&a, &["1"]);
    assert_eq!(work.read("build/out"), "one\n");
    restore(&a, &[restored["restored"]["snapshot"].as_str().unwrap_or_default()]);
    assert_eq!(work.read("build/out"), "two\n", "{restored}");
}
