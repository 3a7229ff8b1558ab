//! What `doctor` finds, what it mends, and what it leaves alone.

mod codes;
mod damaged;
mod probes;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::schemas::assert_valid;
use crate::support::{BIN, Held, Place, World, run};

/// Runs `doctor` and returns its findings; the exit code must agree with them.
#[track_caller]
fn findings(place: &Place<'_>, args: &[&str]) -> Vec<Value> {
    let shown = place.godzilla(&[&["doctor", "--json"], args].concat());
    let document: Value = serde_json::from_str(&shown.stdout).unwrap_or_else(|err| panic!("{err}\n{shown}"));
    assert_valid("doctor.v1", &document);
    let findings = document["findings"].as_array().unwrap().clone();
    for finding in &findings {
        let named = format!("`{}`", finding["code"].as_str().unwrap());
        assert!(include_str!("../../schemas/doctor.v1.schema.json").contains(&named), "{named}");
    }
    let is_open = |finding: &Value| finding["severity"] != "info" && finding["fixed"] == false;
    assert_eq!(shown.code, Some(i32::from(findings.iter().any(is_open))), "{shown}");
    findings
}

/// Codes of all findings, but for events that are not shared yet; `+` marks what was mended.
#[track_caller]
fn codes(place: &Place<'_>, args: &[&str]) -> Vec<String> {
    let code = |finding: &Value| {
        let mark = if finding["fixed"] == true { "+" } else { "" };
        format!("{mark}{}", finding["code"].as_str().unwrap())
    };
    let mut codes: Vec<String> = findings(place, args).iter().map(code).collect();
    // What is not shared yet, and what took long on a machine that is busy.
    codes.retain(|code| code != "events.unshared" && code != "hooks.slow");
    codes
}

fn age(path: &Path, hours: u64) {
    let then = SystemTime::now() - Duration::from_hours(hours);
    std::fs::File::open(path).unwrap().set_modified(then).unwrap();
}

fn planned(world: &World) -> Place<'_> {
    let a = world.clone("a");
    a.plan("Add a login", &["The form"]);
    a
}

#[test]
fn nothing_is_wrong_in_a_clone_that_is_used() {
    let world = World::new();
    let a = planned(&world);
    assert_eq!(codes(&a, &[]), [""; 0]);
    assert_eq!(codes(&world.place("a/worktrees/0001-add-a-login"), &[]), [""; 0]);
    let unshared = findings(&a, &[]);
    assert_eq!((unshared.len(), &unshared[0]["code"]), (1, &Value::from("events.unshared")));
    assert_eq!(
        (&unshared[0]["severity"], &unshared[0]["fix"]),
        (&"info".into(), &"git godzilla sync".into())
    );
    a.godzilla_ok(&["sync"]);
    assert_eq!(findings(&a, &["--fix"]), [Value::Null; 0]);
    assert!(a.godzilla_ok(&["doctor"]).contains("nothing is wrong"));
}

#[test]
fn it_works_without_init_and_in_a_bare_repository() {
    let world = World::new();
    let a = world.bare_clone_of("a");
    assert_eq!(codes(&a, &["--fix"]), ["clone.not_set_up"]);
    assert_eq!(codes(&world.place("srv.git"), &["--fix"]), ["clone.not_set_up"]);
    assert!(!a.path.join(".git/godzilla/clone").exists());
    assert_eq!(world.place("").godzilla(&["doctor"]).code, Some(4));
}

/// Without a place of our own nothing of ours can be written, whoever runs this.
#[test]
fn a_repository_that_cannot_be_written_is_only_looked_at() {
    let world = World::new();
    let a = planned(&world);
    let left = ".git/objects/00/tmp_obj_x";
    a.write(left, "half");
    age(&a.path.join(left), 2);
    std::fs::rename(a.path.join(".git/godzilla"), a.path.join(".git/godzilla-was")).unwrap();
    a.write(".git/godzilla", "");
    assert_eq!(codes(&a, &["--fix"]), ["clone.not_set_up", "files.leftover", "repository.read_only"]);
    assert!(a.path.join(left).exists());
}

#[test]
fn hooks_that_are_gone_come_back() {
    let world = World::new();
    let a = planned(&world);
    std::fs::remove_file(a.path.join(".git/hooks/commit-msg")).unwrap();
    assert_eq!(codes(&a, &[]), ["hooks.missing"]);
    assert!(!a.path.join(".git/hooks/commit-msg").exists());
    assert_eq!(codes(&a, &["--fix"]), ["+hooks.missing"]);
    assert_eq!(codes(&a, &[]), [""; 0]);
    let elsewhere = world.path().join("elsewhere");
    a.git(&["config", "core.hooksPath", elsewhere.to_str().unwrap()]);
    assert_eq!(codes(&a, &["--fix"]), ["hooks.path"]);
}

/// Files that are right prove nothing: what git does is asked of git.
#[test]
fn hooks_that_git_does_not_come_to_are_named() {
    let world = World::new();
    let a = planned(&world);
    let folder = world.path().join("bin");
    std::fs::create_dir(&folder).unwrap();
    let script =
        "#!/bin/sh\nPATH=$REAL_PATH\nfor arg; do [ \"$arg\" != hook ] || exit 0; done\nexec git \"$@\"\n";
    let write = format!("printf %s \"$1\" >'{0}' && chmod +x '{0}'", folder.join("git").display());
    assert!(a.command("sh").args(["-c", &write, "sh", script]).status().unwrap().success());
    let path = std::env::var("PATH").unwrap();
    let mut doctor = a.command(BIN);
    doctor.arg("doctor").env("REAL_PATH", &path).env("PATH", format!("{}:{path}", folder.display()));
    let shown = run(&mut doctor);
    assert_eq!(shown.code, Some(1), "{shown}");
    assert!(shown.stdout.contains("git was asked to run prepare-commit-msg, commit-msg"), "{shown}");
}

/// Git runs our part, whatever the files look like, and nothing of anybody else.
#[test]
fn hooks_are_asked_and_those_of_others_are_not_run() {
    let world = World::new();
    let a = world.bare_clone_of("a");
    let marker = world.path().join("ran");
    for event in ["commit-msg", "pre-push", "post-commit"] {
        let path = a.path.join(".git/hooks").join(event);
        let text = format!("#!/bin/sh\ntouch '{}'\n", marker.display());
        let write = format!("cat >'{0}' && chmod +x '{0}'", path.display());
        let piped = format!("printf %s \"$1\" | ({write})");
        assert!(a.command("sh").args(["-c", &piped, "sh", &text]).status().unwrap().success());
    }
    a.godzilla_ok(&["init", "--yes"]);
    let before = a.git(&["for-each-ref"]) + &a.git(&["status", "--porcelain", "--ignored"]);
    assert_eq!(codes(&a, &[]), [""; 0]);
    let status = a.json(&["hooks", "status"]);
    for hook in status["hooks"].as_array().unwrap() {
        assert_eq!(hook["called"], true, "{hook}");
    }
    assert!(!marker.exists());
    assert_eq!(a.git(&["for-each-ref"]) + &a.git(&["status", "--porcelain", "--ignored"]), before);
    // What the configuration names runs as little.
    a.git(&["config", "hook.mine.event", "post-commit"]);
    a.git(&["config", "hook.mine.command", &format!("touch '{}'", marker.display())]);
    let status = a.json(&["hooks", "status"]);
    assert!(status["hooks"].as_array().unwrap().iter().all(|hook| hook["called"] == true), "{status}");
    assert!(!marker.exists());
}

#[test]
fn another_hook_in_the_place_of_ours_is_named_and_left() {
    let world = World::new();
    let a = planned(&world);
    let hook = a.path.join(".git/hooks/pre-push");
    std::fs::remove_file(&hook).unwrap();
    a.write_executable(".git/hooks/pre-push", "#!/bin/sh\nexit 0\n");
    assert_eq!(codes(&a, &["--fix"]), ["hooks.not_called"]);
    assert_eq!(std::fs::read_to_string(&hook).unwrap(), "#!/bin/sh\nexit 0\n");
}

#[test]
fn refspecs_that_are_gone_come_back() {
    let world = World::new();
    let a = planned(&world);
    let before = a.git(&["config", "--get-all", "remote.origin.fetch"]);
    a.git(&["config", "--unset-all", "remote.origin.fetch", "godzilla"]);
    assert_eq!(codes(&a, &[]), ["refspec.missing"]);
    assert_eq!(codes(&a, &["--fix"]), ["+refspec.missing"]);
    let lines = [before, a.git(&["config", "--get-all", "remote.origin.fetch"])]
        .map(|text| text.lines().map(str::to_owned).collect::<BTreeSet<_>>());
    assert_eq!(lines[0], lines[1]);
    a.git(&["config", "remote.origin.mirror", "true"]);
    assert_eq!(codes(&a, &["--fix"]), ["remote.mirror"]);
}

#[test]
fn a_lock_of_a_dead_writer_of_ours_goes_and_no_other() {
    let world = World::new();
    let a = planned(&world);
    let stream = a.path.join(".git/refs/godzilla/protocols/0001-add-a-login.lock");
    let packed = a.path.join(".git/packed-refs.lock");
    std::fs::write(&stream, "new\n").unwrap();
    std::fs::write(&packed, "").unwrap();
    let note = format!("{}\nnew\n", stream.display());
    a.write(".git/godzilla/locks/0001-add-a-login", &note);
    age(&stream, 1);
    assert_eq!(codes(&a, &[]), ["lock.stale"], "a lock that is young may be in use");
    age(&packed, 1);
    assert_eq!(codes(&a, &["--fix"]), ["+lock.stale", "lock.foreign"]);
    assert!(!stream.exists() && packed.exists());
    assert_eq!(codes(&a, &["--fix"]), ["lock.foreign"]);
    assert!(
        findings(&a, &[]).iter().any(|found| found["fix"].as_str().unwrap().contains("packed-refs.lock"))
    );
    // One of somebody else in the place that a dead writer announced is not ours.
    std::fs::remove_file(&packed).unwrap();
    a.write(".git/godzilla/locks/0001-add-a-login", &note);
    a.write(".git/godzilla/locks/0001-add-a-login.draft", "new\n");
    std::fs::write(&stream, "").unwrap();
    age(&stream, 1);
    assert_eq!(codes(&a, &["--fix"]), ["+lock.stale", "lock.foreign"]);
    assert!(stream.exists());
}

#[test]
fn a_lock_that_is_held_is_left_alone() {
    let world = World::new();
    let a = planned(&world);
    let stream = a.path.join(".git/refs/godzilla/protocols/0001-add-a-login.lock");
    a.write(".git/godzilla/locks/0001-add-a-login", &format!("{}\nnew\n", stream.display()));
    let _held = Held::at(&a.path.join(".git/godzilla/locks/0001-add-a-login"));
    assert_eq!(codes(&a, &["--fix"]), [""; 0]);
    assert!(a.read(".git/godzilla/locks/0001-add-a-login").ends_with("new\n"));
}

#[test]
fn unfinished_files_go_when_they_are_old() {
    let world = World::new();
    let a = planned(&world);
    let files = [".git/objects/00/tmp_obj_x", ".git/objects/tmp_obj_y", ".git/info/.godzilla-draft-x"];
    for file in files {
        a.write(file, "half");
    }
    assert_eq!(codes(&a, &["--fix"]), [""; 0]);
    for file in files {
        age(&a.path.join(file), 2);
    }
    assert_eq!(codes(&a, &[]), ["files.leftover", "files.leftover"]);
    assert_eq!(codes(&a, &["--fix"]), ["+files.leftover", "+files.leftover"]);
    assert!(files.iter().all(|file| !a.path.join(file).exists()));
}

/// A `qa` that was killed leaves the copy that a gate ran from, and the private index.
#[test]
fn what_a_killed_qa_left_goes() {
    let world = World::new();
    let a = world.clone("a");
    a.commit_gate("test.sh", "#!/bin/sh\nkill -KILL \"$(cat qa)\"\nwait\n");
    let work = a.plan("Add a login page", &["One"]);
    a.godzilla_ok(&["trust", "--yes", "-p", "1"]);
    a.write(".git/info/exclude", "/worktrees/\nqa\n");
    // The shell leaves its number to the program that it becomes.
    let killed = run(work.command("sh").args(["-c", "echo $$ >qa; exec git-godzilla qa"]));
    assert_eq!(killed.code, None, "{killed}");
    let drafts = || {
        let state = std::fs::read_dir(a.path.join(".git/godzilla")).unwrap();
        let mut drafts: Vec<_> = state.map(|entry| entry.unwrap().path()).collect();
        drafts.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with(".godzilla-draft-"));
        drafts
    };
    let left = drafts();
    assert_eq!(left.len(), 2, "{left:?}");
    assert_eq!(codes(&a, &["--fix"]), [""; 0], "it may still be at work");
    assert_eq!(drafts(), left);
    for draft in &left {
        age(draft, 2);
    }
    assert_eq!(codes(&a, &["--fix"]), ["+files.leftover"]);
    assert!(drafts().is_empty());
    // The next one clears it away as well.
    for draft in &left {
        std::fs::create_dir(draft).unwrap();
        age(draft, 2);
    }
    assert_ne!(work.godzilla(&["qa"]).code, None);
    assert!(drafts().iter().all(|draft| !left.contains(draft)));
}

#[test]
fn an_interrupted_plan_is_settled() {
    let world = World::new();
    let a = planned(&world);
    let commit = a.git(&["rev-parse", "main"]);
    a.git(&["branch", "0002-half", "main"]);
    let note = serde_json::json!({
        "v": 1, "name": "0002-half", "commit": commit.trim(), "worktree": null, "title": "Half",
    });
    a.write(".git/godzilla/intents/plan-0002-half.json", &note.to_string());
    assert_eq!(codes(&a, &[]), ["plan.interrupted"]);
    assert_eq!(codes(&a, &["--fix"]), ["+plan.interrupted"]);
    assert_eq!(a.git(&["branch", "--list", "0002-half"]), "");
}

#[test]
fn settings_that_do_nothing_are_named() {
    let world = World::new();
    let a = planned(&world);
    a.git(&["config", "godzilla.qa.polcy", "full"]);
    a.git(&["config", "core.sshCommand", "ssh -i key"]);
    a.git(&["config", "remote.origin.uploadpack", "upload"]);
    let want = ["setting.not_used", "setting.not_used", "setting.unsupported"];
    let mut found = codes(&a, &["--fix"]);
    found.sort();
    assert_eq!(found, want);
    a.git(&["config", "--global", "core.sshCommand", "ssh -i key"]);
    a.git(&["config", "--global", "remote.origin.uploadpack", "upload"]);
    assert_eq!(codes(&a, &[]), ["setting.unsupported"]);
}

#[test]
fn people_see_it_by_subject_with_what_to_type() {
    let world = World::new();
    let a = planned(&world);
    a.godzilla_ok(&["sync"]);
    std::fs::remove_file(a.path.join(".git/hooks/commit-msg")).unwrap();
    a.git(&["config", "godzilla.qa.polcy", "full"]);
    insta::assert_snapshot!(a.godzilla(&["doctor"]), @r"
    hooks
      ! git no longer calls us for commit-msg
        git godzilla doctor --fix
    setting
      ! `godzilla.qa.polcy` in git config (local) is no setting; did you mean `godzilla.qa.policy`?
        git godzilla config show --origin
    ✗ 2 things are wrong
    [exit code: 1]
    ");
    insta::assert_snapshot!(a.godzilla(&["doctor", "--fix"]), @r"
    hooks
      ✓ git no longer calls us for commit-msg (mended)
    setting
      ! `godzilla.qa.polcy` in git config (local) is no setting; did you mean `godzilla.qa.policy`?
        git godzilla config show --origin
    ✗ 1 thing is wrong; 1 finding mended
    [exit code: 1]
    ");
}

/// Git and the protocols know of worktrees; what is there is another thing.
#[test]
fn worktrees_that_are_not_where_they_should_be_are_named() {
    let world = World::new();
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form"]);
    let other = a.plan("Another one", &["One"]);
    for number in ["1", "2"] {
        a.godzilla_ok(&["start", "1", "-p", number]);
    }
    let codes = || -> Vec<(String, String)> {
        let found = a.godzilla(&["doctor", "--json"]);
        let found: Value = serde_json::from_str(&found.stdout).unwrap();
        let found = found["findings"].as_array().unwrap().iter();
        let said = found.map(|it| ["code", "fix"].map(|key| it[key].as_str().unwrap_or_default().to_owned()));
        said.map(|[code, fix]| (code, fix)).filter(|(code, _)| code.starts_with("worktree.")).collect()
    };
    assert_eq!(codes(), []);
    std::fs::remove_dir_all(&work.path).unwrap();
    a.git(&["worktree", "remove", other.path.to_str().unwrap()]);
    let found = codes();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].0 == "worktree.stale" && found[0].1.contains("remove 0001-add-a-login --keep-branch"));
    assert_eq!(found[1].0, "worktree.missing");
    // What it says to type does it.
    a.godzilla_ok(&["worktrees", "remove", "1", "--keep-branch"]);
    let words: Vec<&str> = found[1].1.split(' ').skip(1).collect();
    a.git(&words);
    let found = codes();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].0 == "worktree.missing" && found[0].1.contains("0001-add-a-login"), "{found:?}");

    let died = run(a
        .command(BIN)
        .args(["worktrees", "remove", "2", "--force"])
        .env("GODZILLA_FAIL_POINT", "remove.aside"));
    assert_eq!(died.code, None);
    assert_eq!(codes()[0].0, "worktree.interrupted");
    a.godzilla(&["doctor", "--fix"]);
    assert!(codes().iter().all(|(code, _)| code == "worktree.missing"));
    assert!(!other.path.exists());
}
