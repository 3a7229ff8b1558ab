//! What hooks missed is found by the next command, once, and leads to the same state.

use serde_json::Value;

use super::{Life, git_with, refs_and_objects, steps, with_each_git};
use crate::support::{Place, World};

fn remove_hooks(home: &Place<'_>) {
    for file in std::fs::read_dir(home.path.join(".git/hooks")).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
}

/// Plays a life: three steps, an amend, a rebase, a merge of the base, a fixup, until it is merged.
/// `after` is called after each of git's commands that matter.
fn play(life: &Life<'_>, after: &dyn Fn(usize)) {
    let (home, work) = (&life.home, &life.work);
    let acts: &[&dyn Fn()] = &[
        &|| drop(work.commit("a.txt", "feat: a")),
        &|| drop(work.git(&["commit", "--quiet", "--amend", "-m", "feat: a, said better"])),
        &|| {
            work.tick(&life.name, "01-one");
            work.git(&["commit", "--quiet", "-a", "-m", "docs: tick"]);
        },
        &|| drop(home.commit("base.txt", "chore: base")),
        &|| drop(work.git(&["rebase", "--quiet", "main"])),
        &|| drop(work.commit("b.txt", "feat: b\n\nGodzilla-Status: done")),
        &|| drop(home.commit("base2.txt", "chore: base 2")),
        &|| drop(work.git(&["merge", "--quiet", "--no-edit", "main"])),
        &|| drop(work.commit("c.txt", "feat: c")),
        &|| drop(work.commit("d.txt", "feat: d")),
        &|| {
            work.write("c.txt", "mended\n");
            work.git(&["commit", "--quiet", "-a", "--fixup", "HEAD~1"]);
        },
        &|| {
            let env = [("GIT_SEQUENCE_EDITOR", "true"), ("GIT_EDITOR", "true")];
            let shown = git_with(work, &env, None, &["rebase", "--quiet", "-i", "--autosquash", "HEAD~3"]);
            assert_eq!(shown.code, Some(0), "{shown}");
        },
        &|| drop(life.finish("03-three")),
        &|| drop(work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"])),
        &|| {
            home.git(&["merge", "--quiet", "--no-ff", "--no-edit", &life.name]);
            home.git(&["push", "--quiet", "origin", "main"]);
        },
    ];
    for (idx, act) in acts.iter().enumerate() {
        act();
        after(idx);
    }
}

/// What must be the same with hooks and without.
fn outcome(life: &Life<'_>) -> Value {
    let shown = life.show();
    let of_step = |step: &Value| [step["id"].clone(), step["status"].clone(), step["attempts"].clone()];
    serde_json::json!({
        "status": shown["status"],
        "current": shown["current_step"],
        "rule": shown["merged"]["rule"],
        "steps": steps(&shown).map(of_step).collect::<Vec<_>>(),
        "commits": life.subjects(),
    })
}

#[track_caller]
fn assert_quiet(home: &Place<'_>) {
    home.godzilla_ok(&["list"]);
    let before = refs_and_objects(home);
    home.godzilla_ok(&["list"]);
    home.godzilla_ok(&["status"]);
    assert_eq!(refs_and_objects(home), before, "a second look writes nothing");
}

/// No event has the cause of another one, and every one counts.
#[track_caller]
fn assert_no_doubles(life: &Life<'_>) {
    let text = life.home.godzilla_ok(&["log", &life.name, "--json"]);
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["outcome"], "accepted", "{line}");
    }
}

#[test]
fn a_life_without_hooks_ends_as_one_with_hooks() {
    with_each_git(|world| {
        let with = Life::begin(world);
        play(&with, &|_| ());
        let expected = outcome(&with);
        assert_eq!(expected["status"], "completed");
        let statuses: Vec<&Value> =
            expected["steps"].as_array().unwrap().iter().map(|step| &step[1]).collect();
        assert_eq!(statuses, ["completed", "completed", "completed", "completed"], "{expected:#}");
        assert_quiet(&with.home);
        assert_no_doubles(&with);

        // Never; from half-way on; with a command after each of git's.
        for (until, looks) in [(0, false), (6, false), (0, true)] {
            let again = World::with(world.git_folder(), false);
            let life = Life::begin(&again);
            if until == 0 {
                remove_hooks(&life.home);
            }
            play(&life, &|idx| {
                if idx + 1 == until {
                    remove_hooks(&life.home);
                }
                if looks {
                    life.home.godzilla_ok(&["list"]);
                }
            });
            let found = outcome(&life);
            assert_eq!(found, expected, "{until} {looks}\n{found:#}\n{expected:#}");
            assert_quiet(&life.home);
            assert_no_doubles(&life);
        }
    });
}

#[test]
fn commits_that_git_made_without_hooks_are_found() {
    with_each_git(|world| {
        let life = Life::begin(world);
        let work = &life.work;
        work.commit("a.txt", "feat: a");
        // Plumbing: no hook can know.
        let tree = work.git(&["write-tree"]);
        let plumbed = work.git(&["commit-tree", tree.trim(), "-p", "HEAD", "-m", "feat: plumbed"]);
        life.home.git(&["update-ref", &format!("refs/heads/{}", life.name), plumbed.trim()]);
        assert!(!life.has_seen(plumbed.trim()));
        assert_eq!(life.of_step("01-one"), ["feat: a", "feat: plumbed"]);
        life.assert_sound();
        // The next hook finds what was missed, too.
        let plumbed = work.git(&["commit-tree", tree.trim(), "-p", "HEAD", "-m", "feat: plumbed again"]);
        work.git(&["reset", "--quiet", "--hard", plumbed.trim()]);
        let commit = work.commit("b.txt", "feat: b");
        assert!(life.has_seen(plumbed.trim()) && life.has_seen(&commit));
        life.assert_prompt();
        assert_eq!(life.attempts(), [0, 1, 0, 0]);
        assert_quiet(&life.home);
    });
}

#[test]
fn the_state_follows_commits_that_vanish_and_return() {
    with_each_git(|world| {
        let life = Life::begin(world);
        let work = &life.work;
        work.commit("a.txt", "feat: a");
        let dropped = work.commit("b.txt", "feat: b");
        let back_to = |commit: &str| drop(work.git(&["reset", "--quiet", "--hard", commit]));
        back_to("HEAD~1");
        assert_eq!(life.of_step("01-one"), ["feat: a"]);
        life.assert_sound();
        let other = work.commit("c.txt", "feat: c");
        assert_eq!(life.of_step("01-one"), ["feat: a", "feat: c"]);
        life.assert_sound();
        for _ in 0..2 {
            back_to(&dropped);
            assert_eq!(life.of_step("01-one"), ["feat: a", "feat: b"]);
            life.assert_sound();
            back_to(&other);
            assert_eq!(life.of_step("01-one"), ["feat: a", "feat: c"]);
            life.assert_sound();
        }
        // Back to the plan and, without a look between, forth again.
        back_to(&dropped);
        back_to("main");
        back_to(&dropped);
        assert_eq!(life.of_step("01-one"), ["feat: a", "feat: b"]);
        back_to("main");
        assert_eq!(life.show()["steps"][0]["commits"], serde_json::json!([]));
        assert_eq!(life.show()["merged"], Value::Null, "a reset branch is not merged");
        back_to(&other);
        work.commit("d.txt", "feat: d");
        assert_eq!(life.of_step("01-one"), ["feat: a", "feat: c", "feat: d"]);
        assert_eq!(life.attempts(), [0, 1, 0, 0]);
        life.assert_sound();
        assert_quiet(&life.home);
    });
}

#[test]
fn a_deleted_branch_takes_nothing_away() {
    with_each_git(|world| {
        let life = Life::begin(world);
        life.work.commit("a.txt", "feat: a");
        let before = life.show();
        life.home.git(&["worktree", "remove", life.work.path.to_str().unwrap()]);
        life.home.git(&["branch", "--quiet", "-D", &life.name]);
        let after = life.show();
        assert_eq!(after["worktree"], Value::Null);
        for key in ["status", "steps", "events_total", "merged"] {
            assert_eq!(after[key], before[key], "{key}");
        }
        assert_quiet(&life.home);
    });
}

/// The state may travel faster than the branch: what another clone has is not gone.
#[test]
fn commits_of_others_are_not_missed_before_they_are_fetched() {
    let world = World::new();
    let life = Life::begin(&world);
    life.work.commit("a.txt", "feat: a");
    life.work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
    let b = world.clone("b");
    b.git(&["switch", "--quiet", &life.name]);
    life.work.commit("b.txt", "feat: b");
    life.home.godzilla_ok(&["sync"]);
    b.godzilla_ok(&["sync"]);
    let seen = |place: &Place<'_>| place.json(&["show", &life.name])["steps"][1]["commits"].clone();
    assert_eq!(seen(&b), seen(&life.home));
    assert_eq!(seen(&b).as_array().unwrap().len(), 2);
    // A clone whose branch is older than what another one says about it does not contradict.
    life.work.git(&["push", "--quiet"]);
    b.git(&["pull", "--quiet"]);
    life.work.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    assert_eq!(seen(&life.home).as_array().unwrap().len(), 2, "the remote still has it");
    life.work.git(&["push", "--quiet", "--force"]);
    b.git(&["fetch", "--quiet"]);
    for _ in 0..2 {
        assert_eq!(seen(&life.home).as_array().unwrap().len(), 1);
        life.home.godzilla_ok(&["sync"]);
        b.godzilla_ok(&["sync"]);
        assert_eq!(seen(&b).as_array().unwrap().len(), 1);
    }
    assert_quiet(&b);
    assert_quiet(&life.home);
}

#[test]
fn notes_say_protocol_and_step() {
    with_each_git(|world| {
        let life = Life::begin(world);
        let commit = life.work.commit("a.txt", "feat: a");
        let note =
            |place: &Place<'_>, commit: &str| place.try_git(&["notes", "--ref=godzilla", "show", commit]);
        let text = "Protocol: 0001-add-a-login-page\nStep: 01-one\n";
        assert_eq!(note(&life.work, &commit).stdout, text, "written by the hook");
        let log = life.work.git(&["log", "-1", "--notes=godzilla"]);
        let tail = "\nNotes (godzilla):\n    Protocol: 0001-add-a-login-page\n    Step: 01-one\n";
        assert!(log.ends_with(tail), "{log}");
        let plan = life.work.git(&["rev-parse", "HEAD~1"]);
        assert_eq!(note(&life.work, plan.trim()).stdout, text.replace("01-one", "00-setup"));
        // Other people's notes stay, and ours follow a rewrite.
        life.home.git(&["notes", "--ref=godzilla", "add", "-m", "mine", "main"]);
        life.work.git(&["commit", "--quiet", "--amend", "-m", "feat: a, said better"]);
        assert_eq!(note(&life.work, "HEAD").stdout, text);
        assert_eq!(note(&life.work, "main").stdout, "mine\n");
        // Another clone makes its own, from the events; a command is enough.
        life.work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
        let b = world.clone("b");
        let tip = format!("origin/{}", life.name);
        assert_eq!(note(&b, &tip).stdout, text);
        b.git(&["update-ref", "-d", "refs/notes/godzilla"]);
        b.godzilla_ok(&["notes", "rebuild"]);
        assert_eq!(note(&b, &tip).stdout, text);
        // Without hooks a command writes them.
        remove_hooks(&life.home);
        let commit = life.work.commit("b.txt", "feat: b");
        assert_eq!(note(&life.work, &commit).code, Some(1));
        life.home.godzilla_ok(&["list"]);
        assert_eq!(note(&life.work, &commit).stdout, text);
        assert_quiet(&life.home);
    });
}
