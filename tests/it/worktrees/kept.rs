//! What is kept, for how long, and that it stays here.

use std::fs;

use git_godzilla::platform::git::Repo;
use git_godzilla::service::context::Context;
use git_godzilla::service::kept::upkeep;
use git_godzilla::service::settings::Settings;
use git_godzilla::store::kept::MAX_AGE;
use serde_json::json;

use super::{NAME, merge, messy, planned, refs, refusal, removed};
use crate::support::{BIN, Held, Place, World, run};

fn context(place: &Place<'_>) -> Context {
    let repo = Repo::discover(&place.path).unwrap();
    let settings = Settings::load(&repo);
    Context::of_command(repo, settings)
}

/// Makes something that is kept as old as it may get: its id begins with its time.
fn age(a: &Place<'_>, name: &str, age_ms: u64) -> String {
    let id: ulid::Ulid = name.rsplit('/').next().unwrap().parse().unwrap();
    let older = ulid::Ulid::from_parts(id.timestamp_ms() - age_ms, id.random());
    let aged = format!("{}/{older}", name.rsplit_once('/').unwrap().0);
    a.git(&["update-ref", &aged, name]);
    a.git(&["update-ref", "-d", name]);
    aged
}

#[test]
fn what_is_kept_goes_after_thirty_days_and_not_before() {
    let world = World::new();
    let a = world.clone("a");
    a.plan("Add a login", &["The form"]);
    removed(&a, &["--force"]);
    let max_age_ms = u64::try_from(MAX_AGE.as_millis()).unwrap();
    let trash = refs(&a, "refs/godzilla-local/trash").remove(0);
    let younger = age(&a, &trash, max_age_ms - 3_600_000);
    assert_eq!(upkeep(&context(&a)).unwrap(), 0);
    let older = age(&a, &younger, 3_600_000);
    assert_eq!(a.json(&["worktrees", "gc", "--dry-run"])["expired"], 1);
    let doctor = a.godzilla(&["doctor", "--json"]);
    assert!(doctor.stdout.contains("kept.expired"), "{doctor}");
    // While an engine works, what goes would be taken for its doing.
    let lock = Held::at(&a.path.join(format!(".git/godzilla/locks/run-{NAME}")));
    assert_eq!(upkeep(&context(&a)).unwrap(), 0);
    assert_eq!(refs(&a, "refs/godzilla-local/trash"), [older]);
    drop(lock);
    assert_eq!(a.json(&["worktrees", "gc"])["expired"], 1);
    assert_eq!(refs(&a, "refs/godzilla-local/trash"), Vec::<String>::new());
}

#[test]
fn what_is_kept_never_leaves_this_clone() {
    let world = World::new();
    let (a, work) = planned(&world);
    messy(&work);
    work.git(&["commit", "--quiet", "--amend", "-m", "feat: the form, amended"]);
    a.godzilla_ok(&["list"]);
    removed(&a, &["--force"]);
    a.godzilla_ok(&["restore", "1"]);
    work.write("both.txt", "other\n");
    a.godzilla_ok(&["restore", "1"]);
    let local = refs(&a, "refs/godzilla-local");
    for folder in ["trash", "snapshots", "keep"] {
        assert!(local.iter().any(|name| name.contains(&format!("/{folder}/"))), "{local:?}");
    }
    for name in &local {
        let pushed = a.try_git(&["push", "origin", &format!("{name}:refs/heads/leaked")]);
        assert!(pushed.code != Some(0) && pushed.stderr.contains(name), "{pushed}");
    }
    for args in [&["push", "--mirror", "origin"][..], &["push", "origin", "refs/*:refs/*"]] {
        let pushed = a.try_git(args);
        assert!(pushed.code != Some(0) && pushed.stderr.contains("must stay in this clone"), "{pushed}");
    }
    a.git(&["push", "--quiet", "--all", "origin"]);
    a.godzilla_ok(&["sync"]);
    assert_eq!(refs(&world.place("srv.git"), "refs/godzilla-local"), Vec::<String>::new());
    assert_eq!(refs(&world.place("srv.git"), "refs/heads/leaked"), Vec::<String>::new());
}

/// Git would collect them, and a squash of the branch would never be recognised.
#[test]
fn commits_that_no_branch_has_stay_reachable() {
    let world = World::new();
    let (a, work) = planned(&world);
    let first = work.commit("form", "feat: the form");
    work.git(&["commit", "--quiet", "--amend", "-m", "feat: the form, amended"]);
    let amended = work.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let last = work.commit("more", "feat: more");
    a.godzilla_ok(&["list"]);
    let keep = format!("refs/godzilla-local/keep/{NAME}");
    assert_eq!(
        a.git(&["rev-list", "--parents", "-1", &keep]).split_whitespace().skip(1).collect::<Vec<_>>(),
        [first.as_str()]
    );

    a.git(&["worktree", "remove", "--force", work.path.to_str().unwrap()]);
    a.git(&["branch", "-D", NAME]);
    a.godzilla_ok(&["list"]);
    a.git(&["reflog", "expire", "--expire=now", "--all"]);
    a.git(&["gc", "--quiet", "--prune=now"]);
    for oid in [&first, &amended, &last] {
        a.git(&["cat-file", "-e", oid]);
    }
    // One chain, to which nothing is added that it has.
    let links = || a.git(&["rev-list", "--count", "--first-parent", &keep, "--not", &first, &last]);
    assert_eq!(links(), "2\n");
    a.godzilla_ok(&["comment", "again", "-p", "1"]);
    a.godzilla_ok(&["list"]);
    assert_eq!(links(), "2\n");
    // Somebody else merges it by a squash.
    a.git(&["merge", "--squash", "--quiet", &last]);
    a.git(&["commit", "--quiet", "-m", "feat: squashed"]);
    a.commit("form", "feat: another form");
    a.git(&["push", "--quiet", "origin", "main"]);
    assert_eq!(a.json(&["show", "1"])["merged"]["rule"], "squash");
}

/// A merge settles what was merged, and nothing that came later.
#[test]
fn what_came_after_a_merge_stays_reachable() {
    for remote_has_the_branch in [true, false] {
        let world = World::new();
        let (a, work) = planned(&world);
        work.commit("form", "feat: the form");
        merge(&a);
        a.godzilla_ok(&["list"]);
        let later = work.commit("more", "feat: more");
        a.godzilla_ok(&["list"]);
        assert_eq!(refs(&a, "refs/godzilla-local/keep"), Vec::<String>::new());
        a.git(&["worktree", "remove", "--force", work.path.to_str().unwrap()]);
        a.git(&["branch", "-D", NAME]);
        if !remote_has_the_branch {
            a.git(&["push", "--quiet", "origin", "--delete", NAME]);
        }
        a.godzilla_ok(&["list"]);
        let kept = a.git(&["log", "-1", "--format=%P", &format!("refs/godzilla-local/keep/{NAME}")]);
        assert_eq!(kept.trim(), later);
    }
}

#[test]
fn kept_commits_go_thirty_days_after_their_protocol_was_archived() {
    let world = World::new();
    let (a, work) = planned(&world);
    work.commit("form", "feat: the form");
    work.git(&["commit", "--quiet", "--amend", "-m", "feat: amended"]);
    a.plan("Still open", &["One"]).commit("more", "feat: more");
    a.git(&["-C", "worktrees/0002-still-open", "commit", "--quiet", "--amend", "-m", "feat: amended"]);
    merge(&a);
    a.godzilla_ok(&["list"]);
    a.godzilla_ok(&["archive", "1"]);
    a.godzilla_ok(&["sync"]);
    let kept = || refs(&a, "refs/godzilla-local/keep");
    let both = [NAME, "0002-still-open"].map(|name| format!("refs/godzilla-local/keep/{name}"));
    // As if it had been archived then.
    let archive_at = |age_s: u64| {
        let now_s = u64::try_from(jiff::Timestamp::now().as_second()).unwrap();
        let date = format!("{} +0000", now_s - age_s);
        let args = ["commit-tree", "-m", "archive", "refs/godzilla/archive^{tree}"];
        let made = run(a.command("git").args(args).env("GIT_COMMITTER_DATE", date));
        a.git(&["update-ref", "refs/godzilla/archive", made.stdout.trim()]);
    };
    archive_at(MAX_AGE.as_secs() - 3600);
    upkeep(&context(&a)).unwrap();
    assert_eq!(kept(), both);
    archive_at(MAX_AGE.as_secs() + 3600);
    upkeep(&context(&a)).unwrap();
    assert_eq!(kept(), both[1..]);
    // It stays so, though the commits are still there, and its worktree goes all the same.
    a.godzilla_ok(&["show", "1"]);
    assert_eq!(kept(), both[1..]);
    assert_eq!(a.json(&["worktrees", "gc"])["removed"][0]["name"], NAME);
    assert!(!work.path.exists());
    a.godzilla_ok(&["restore", "1"]);
    assert!(work.path.join("form").exists());
    removed(&a, &[]);
}

/// Snapshots of before a run hold what is staged too, and are restored as all else.
#[test]
fn what_a_run_went_over_is_restored() {
    let world = World::new();
    let (a, work) = planned(&world);
    work.write("staged", "staged\n");
    work.git(&["add", "staged"]);
    work.write("notes", "mine\n");
    let result = r#"{"v":1,"status":"succeeded","message":"done"}"#;
    a.write_executable(
        "../sh-engine",
        &format!("#!/bin/sh\nrm -f notes staged\necho x >made\necho '{result}'\n"),
    );
    a.git(&["config", "godzilla.engines.sh.argv", a.path.join("../sh-engine").to_str().unwrap()]);
    let ran = a.json(&["run", "1", "-p", "1", "--engine", "sh", "--include-dirty"]);
    let snapshot = ran["snapshot"].as_str().unwrap();
    assert!(!work.path.join("notes").exists());
    let kept = a.json(&["restore", "--list"])["kept"][0].clone();
    assert_eq!(
        (&kept["ref"], &kept["why"], &kept["kind"]),
        (&json!(snapshot), &json!("before a run"), &json!("snapshot"))
    );
    a.godzilla_ok(&["restore", snapshot]);
    assert_eq!((work.read("notes"), work.git(&["show", ":staged"])), ("mine\n".into(), "staged\n".into()));
    assert!(work.path.join("made").exists());
}

/// What the first release kept says less, and comes back too.
#[test]
fn a_snapshot_without_a_word_is_restored() {
    let world = World::new();
    let (a, work) = planned(&world);
    work.write("notes", "mine\n");
    work.git(&["add", "notes"]);
    let tree = work.git(&["write-tree"]);
    let message = format!("snapshot of {NAME} before a run");
    let commit = work.git(&["commit-tree", tree.trim(), "-p", "HEAD", "-m", &message]);
    let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    a.git(&["update-ref", &format!("refs/godzilla-local/snapshots/{NAME}/{id}"), commit.trim()]);
    work.git(&["rm", "--quiet", "--force", "notes"]);
    a.godzilla_ok(&["restore", id]);
    assert_eq!(work.read("notes"), "mine\n");
}

/// Without room for what is kept nothing goes.
#[test]
fn a_full_disk_removes_nothing() {
    let world = World::new();
    let (a, work) = planned(&world);
    work.write("large", &"x".repeat(1 << 20));
    let before = super::files_of(&work.path);
    // The shell counts in blocks of 512 bytes or of 1024; either is too little.
    let script = format!("ulimit -f 1; trap '' XFSZ; exec '{BIN}' worktrees remove 1 --force --json");
    let shown = run(a.command("sh").args(["-c", &script]));
    assert!(shown.code.is_some_and(|code| code != 0), "{shown}");
    assert_eq!(super::files_of(&work.path), before);
    assert_eq!(refs(&a, "refs/heads/0*"), [format!("refs/heads/{NAME}")]);
    assert_eq!(refs(&a, "refs/godzilla-local/trash"), Vec::<String>::new());
    removed(&a, &["--force"]);
}

/// Two terminals remove one worktree: it goes once, and is kept once.
#[test]
fn two_at_once_remove_it_once() {
    let world = World::new();
    let (a, work) = planned(&world);
    messy(&work);
    let before = super::files_of(&work.path);
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut command = a.command(BIN);
            command.args(["worktrees", "remove", "1", "--force"]);
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    let codes: Vec<_> = children.into_iter().map(|mut child| child.wait().unwrap().code()).collect();
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 4))), "{codes:?}");
    assert_eq!(refs(&a, "refs/godzilla-local/trash").len(), 1);
    assert_eq!(refusal(&a, &["worktrees", "remove", "1"]), (4, "worktree.none".to_owned()));
    a.godzilla_ok(&["restore"]);
    assert_eq!(super::files_of(&work.path), before);
}

/// A note in the repository that somebody else wrote removes nothing of theirs.
#[test]
fn a_forged_note_moves_and_removes_nothing() {
    let world = World::new();
    let a = world.clone("a");
    a.plan("Add a login", &["The form"]);
    let victim = world.path().join("victim");
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("file"), "mine\n").unwrap();
    let note = json!({
        "v": 1, "name": NAME, "dir": world.path().join("elsewhere"), "aside": victim,
        "held": format!("refs/godzilla-local/trash/{NAME}/01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        "commit": "1".repeat(40), "branch": a.git(&["rev-parse", NAME]).trim(), "op": null,
    });
    a.write(&format!(".git/godzilla/intents/remove-{NAME}.json"), &note.to_string());
    a.godzilla_ok(&["list"]);
    assert!(victim.join("file").exists() && !world.path().join("elsewhere").exists());
    assert_eq!(refs(&a, "refs/heads/0*"), [format!("refs/heads/{NAME}")]);
}
