//! What is not removed, whatever a person says, and what takes a word.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use super::{NAME, listed, merge, messy, planned, refs, refusal, removed, stays};
use crate::support::{BIN, Held, Nobody, Place, World, run};

/// A world in which the first protocol is merged, so that nothing but what a test does keeps it.
fn merged(world: &World) -> (Place<'_>, Place<'_>) {
    let a = world.clone("a");
    let path = a.plan("Add a login", &["The form"]).path;
    let work = Place { world, path };
    work.commit("form", "feat: the form");
    merge(&a);
    (a, work)
}

/// Asserts that neither `gc` nor `remove` takes it away, forced or not, and that nothing is left behind.
#[track_caller]
fn stays_for(a: &Place<'_>, work: &Place<'_>, code: &str) {
    let (before, branches) = (refs(a, "refs/godzilla-local/trash"), refs(a, "refs/heads"));
    assert_eq!(refusal(a, &["worktrees", "remove", "1"]), (4, code.to_owned()));
    assert_eq!(refusal(a, &["worktrees", "remove", "1", "--force"]), (4, code.to_owned()));
    let gc = a.json(&["worktrees", "gc"]);
    // A quick look sees no more than that something lies there.
    let why = gc["stayed"][0]["stays"][0]["code"].as_str().unwrap();
    assert!([code, "worktree.dirty"].contains(&why), "{gc}");
    assert!(work.path.exists());
    assert_eq!((refs(a, "refs/godzilla-local/trash"), refs(a, "refs/heads")), (before, branches));
}

#[test]
fn what_is_not_committed_takes_a_word() {
    let world = World::new();
    let (a, work) = planned(&world);
    messy(&work);
    merge(&a);
    assert_eq!(stays(&a), ["worktree.dirty"]);
    let shown = a.godzilla(&["worktrees", "remove", "1"]);
    assert_eq!(shown.code, Some(4));
    assert!(shown.stderr.contains("both.txt") && shown.stderr.contains("--force"), "{shown}");
    assert_eq!(a.json(&["worktrees", "gc"])["stayed"][0]["stays"][0]["code"], "worktree.dirty");
    assert!(work.path.exists());
    assert_eq!(refs(&a, "refs/godzilla-local"), Vec::<String>::new());
}

/// Git looks at times and marks; a removal looks at the bytes.
#[test]
fn what_git_is_told_not_to_see_is_seen() {
    let world = World::new();
    let (a, work) = merged(&world);
    work.git(&["update-index", "--assume-unchanged", "form"]);
    work.write("form", "mine\n");
    assert_eq!(work.git(&["status", "--porcelain"]), "");
    assert_eq!(refusal(&a, &["worktrees", "remove", "1"]), (4, "worktree.dirty".to_owned()));
    assert_eq!(a.json(&["worktrees", "gc"])["stayed"][0]["stays"][0]["code"], "worktree.dirty");
    removed(&a, &["--force"]);
    a.json(&["restore", "1"]);
    assert_eq!(work.read("form"), "mine\n");
}

#[test]
fn what_is_staged_alone_is_seen() {
    let world = World::new();
    let (a, work) = merged(&world);
    work.write("form", "staged\n");
    work.git(&["add", "form"]);
    work.write("form", "feat: the form\n");
    assert_eq!(refusal(&a, &["worktrees", "remove", "1"]), (4, "worktree.dirty".to_owned()));
    removed(&a, &["--force"]);
    a.json(&["restore", "1"]);
    assert_eq!(
        (work.git(&["show", ":form"]), work.read("form")),
        ("staged\n".into(), "feat: the form\n".into())
    );
}

#[test]
fn a_repository_within_is_never_removed() {
    let world = World::new();
    let (a, work) = merged(&world);
    work.git(&["init", "--quiet", "nested"]);
    stays_for(&a, &work, "worktree.not_held");
    fs::remove_dir_all(work.path.join("nested")).unwrap();
    // Nor one in a folder that git does not look into.
    fs::write(a.path.join(".git/info/exclude"), "/worktrees/\nvendor/\n").unwrap();
    work.git(&["init", "--quiet", "vendor/deep/nested"]);
    stays_for(&a, &work, "worktree.not_held");
}

#[test]
fn what_is_no_file_is_named_and_stays() {
    let world = World::new();
    let (a, work) = merged(&world);
    let fifo = work.path.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    stays_for(&a, &work, "worktree.not_held");
    assert!(a.godzilla(&["worktrees", "remove", "1"]).stderr.contains("pipe (special)"));
}

#[test]
fn a_locked_one_stays() {
    let world = World::new();
    let (a, work) = merged(&world);
    a.git(&["worktree", "lock", "--reason", "on a stick", work.path.to_str().unwrap()]);
    stays_for(&a, &work, "worktree.locked");
    assert!(a.godzilla(&["worktrees", "remove", "1"]).stderr.contains("on a stick"));
}

#[test]
fn one_amid_a_merge_or_a_rebase_stays() {
    let world = World::new();
    let (a, work) = merged(&world);
    work.commit("form", "feat: a better form");
    a.commit("form", "feat: another form");
    let merging = work.try_git(&["merge", "main"]);
    assert_ne!(merging.code, Some(0), "{merging}");
    assert_eq!(listed(&a)[1]["amid"], "merge");
    stays_for(&a, &work, "worktree.amid");
    work.git(&["merge", "--abort"]);
    let rebasing = work.try_git(&["rebase", "main"]);
    assert_ne!(rebasing.code, Some(0), "{rebasing}");
    assert_eq!((&listed(&a)[1]["amid"], &listed(&a)[1]["branch"]), (&"rebase".into(), &NAME.into()));
    stays_for(&a, &work, "worktree.amid");
}

#[test]
fn the_one_that_a_person_stands_in_stays() {
    let world = World::new();
    let (a, work) = merged(&world);
    assert_eq!(refusal(&work, &["worktrees", "remove"]), (4, "worktree.current".to_owned()));
    fs::create_dir(work.path.join("below")).unwrap();
    let below = Place { world: &world, path: work.path.join("below") };
    assert_eq!(refusal(&below, &["worktrees", "remove", "--force"]), (4, "worktree.current".to_owned()));
    fs::remove_dir(&below.path).unwrap();
    removed(&a, &[]);
}

#[test]
fn one_with_submodules_stays() {
    let world = World::new();
    let a = world.clone("a");
    let lib = world.bare_clone_of("lib");
    let work = a.plan("Add a login", &["The form"]);
    work.git(&["submodule", "--quiet", "add", lib.path.to_str().unwrap(), "lib"]);
    work.commit("form", "feat: the form");
    merge(&a);
    stays_for(&a, &work, "worktree.submodules");
}

#[test]
fn one_on_another_branch_stays() {
    let world = World::new();
    let (a, work) = merged(&world);
    work.git(&["switch", "--quiet", "-c", "aside"]);
    stays_for(&a, &work, "worktree.switched");
    work.git(&["checkout", "--quiet", "--detach"]);
    stays_for(&a, &work, "worktree.switched");
}

#[test]
fn the_main_one_stays() {
    let world = World::new();
    let a = world.clone("a");
    a.git(&["config", "godzilla.worktree.mode", "in-place"]);
    a.godzilla_ok(&["plan", "Add a login", "--step", "The form"]);
    a.git(&["switch", "--quiet", NAME]);
    let elsewhere = world.place("");
    let args = ["--git-dir", "a/.git", "worktrees", "remove", "1", "--force"];
    assert_eq!(refusal(&elsewhere, &args), (4, "worktree.main".to_owned()));
    assert_eq!(a.json(&["worktrees", "gc"])["stayed"], serde_json::json!([]));
    assert!(a.path.join("README").exists());
}

#[test]
fn one_that_an_engine_works_in_stays() {
    let world = World::new();
    let (a, work) = merged(&world);
    let lock = Held::at(&a.path.join(format!(".git/godzilla/locks/run-{NAME}")));
    stays_for(&a, &work, "run.goes_on");
    drop(lock);
    removed(&a, &[]);
}

#[test]
fn one_whose_git_file_leads_elsewhere_stays() {
    let world = World::new();
    let (a, work) = merged(&world);
    let other = world.bare_clone_of("other");
    work.write(".git", &format!("gitdir: {}\n", other.path.join(".git").display()));
    stays_for(&a, &work, "worktree.damaged");
}

/// Of a folder that is gone nothing is left but what was staged.
#[test]
fn what_was_staged_in_a_folder_that_is_gone_is_kept() {
    let world = World::new();
    let (a, work) = merged(&world);
    work.write("form", "staged\n");
    work.git(&["add", "form"]);
    fs::remove_dir_all(&work.path).unwrap();
    assert_eq!(listed(&a)[1]["present"], false);
    assert_eq!(refusal(&a, &["worktrees", "remove", "1"]), (4, "worktree.dirty".to_owned()));
    removed(&a, &["--force"]);
    assert_eq!(a.git(&["worktree", "list", "--porcelain"]).matches("worktree ").count(), 1);
    a.json(&["restore", "1"]);
    assert_eq!(work.git(&["show", ":form"]), "staged\n");
}

/// Paths are bytes; a worktree may lie anywhere.
#[test]
fn a_folder_with_any_name_goes_and_is_listed() {
    let world = World::new();
    let (a, work) = merged(&world);
    let moved = world.path().join(OsStr::from_bytes(b"odd \xff\nplace"));
    let to = a.command("git").args(["worktree", "move", NAME]).arg(&moved).output().unwrap();
    assert!(to.status.success(), "{to:?}");
    assert!(!work.path.exists());
    assert_eq!(listed(&a)[1]["present"], true);
    removed(&a, &[]);
    assert!(!moved.exists());
    // It comes back to where worktrees are added: only these folders are ours to make.
    a.json(&["restore", "1"]);
    assert!(work.path.join("form").exists());
}

#[test]
fn an_engine_removes_and_restores_nothing() {
    let world = World::new();
    let (a, work) = merged(&world);
    for args in [&["worktrees", "remove", "1"][..], &["worktrees", "gc"], &["restore", "1"]] {
        let shown = run(a.command(BIN).args(args).env("GODZILLA_RUN", "01ARZ3NDEKTSV4RRFFQ69G5FAV"));
        assert_eq!(shown.code, Some(5), "{shown}");
    }
    assert!(work.path.exists());
    let shown = run(a.command(BIN).args(["worktrees", "list"]).env("GODZILLA_RUN", "x"));
    assert_eq!(shown.code, Some(0), "{shown}");
}

/// As anybody but root, who can read everything: what cannot be read cannot be kept, so it stays.
#[test]
fn what_nobody_can_read_is_named_and_stays() {
    use std::os::unix::fs::PermissionsExt as _;

    let world = World::new();
    let (a, work) = merged(&world);
    let nobody = Nobody::of(&world);
    let as_nobody = |args: &[&str]| nobody.json(&a, args);
    let close = |path: &str, mode: u32| {
        fs::set_permissions(work.path.join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    // One that is committed, one that is not, one that is ignored, and a folder.
    work.write("new.txt", "mine\n");
    work.write("closed/inner", "mine\n");
    work.write(".env", "KEY=1\n");
    fs::write(a.path.join(".git/info/exclude"), "/worktrees/\n.env\n").unwrap();
    nobody.take();
    let before = refs(&a, "refs/");
    for path in ["form", "new.txt", ".env", "closed"] {
        close(path, 0o000);
        for args in [&["worktrees", "remove", "1"][..], &["worktrees", "remove", "1", "--force"]] {
            let refused = as_nobody(args);
            assert_eq!(
                (&refused["code"], &refused["exit"]),
                (&"worktree.not_held".into(), &4.into()),
                "{refused}"
            );
            let message = refused["message"].as_str().unwrap();
            assert!(message.contains(path) && message.contains("(unreadable)"), "{message}");
        }
        let gc = as_nobody(&["worktrees", "gc"]);
        assert_eq!(gc["removed"].as_array().unwrap().len(), 0, "{gc}");
        assert!(work.path.join("form").exists() && refs(&a, "refs/") == before, "{path}");
        close(path, if path == "closed" { 0o755 } else { 0o644 });
    }
    // It goes and comes back, but for where somebody has put what cannot be read.
    assert_eq!(
        as_nobody(&["worktrees", "remove", "1", "--force", "--keep-branch"])["changed"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    a.git(&["worktree", "add", "--quiet", work.path.to_str().unwrap(), NAME]);
    work.write("new.txt", "another\n");
    nobody.take();
    close("new.txt", 0o000);
    let refused = as_nobody(&["restore", "1"]);
    assert_eq!(refused["code"], "restore.not_held", "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("`new.txt` (unreadable)"), "{refused}");
    assert!(!work.path.join("closed").exists(), "nothing was written");
    close("new.txt", 0o644);
    assert_eq!(work.read("new.txt"), "another\n");
    as_nobody(&["restore", "1"]);
    assert_eq!((work.read("new.txt"), work.read("closed/inner")), ("mine\n".into(), "mine\n".into()));
}
