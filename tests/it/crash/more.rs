//! More that is killed, at random moments alone: verbs that differ in what they say, and what takes git long.

use std::fs;

use super::super::support::{Place, World};
use super::scenarios::{
    COMMIT, NAME, Scenario, all_of_worktree, beside_worktrees, git, list, not_committed, over, planned,
    ready_to_commit, scenario, served, started, with, worktree,
};
use super::strike::{How, WHOLE};
use crate::support::Shown;

pub(super) static MORE: &[Scenario] = &[
    scenario("done", at_work, |world, how| with(world, "a", &["done", "1", "-p", "1"], how)),
    scenario("next", planned, |world, how| with(world, "a", &["next", "-p", "1"], how)),
    scenario("block", at_work, |world, how| with(world, "a", BLOCK, how)),
    scenario("unblock", blocked, |world, how| with(world, "a", &["unblock", "1", "-p", "1"], how)),
    scenario("skip", planned, |world, how| {
        with(world, "a", &["skip", "1", "-p", "1", "--reason", "not needed"], how)
    }),
    scenario(
        "approve",
        |world| {
            at_work(world);
            with(world, "a", &["done", "1", "-p", "1", "--no-commit"], &WHOLE);
        },
        |world, how| with(world, "a", &["approve", "1", "-p", "1"], how),
    ),
    scenario("retry", blocked, |world, how| with(world, "a", &["retry", "1", "-p", "1"], how)),
    scenario("pause", planned, |world, how| with(world, "a", &["pause", "1"], how)),
    scenario(
        "resume",
        |world| {
            planned(world);
            with(world, "a", &["pause", "1"], &WHOLE);
        },
        |world, how| with(world, "a", &["resume", "1"], how),
    ),
    scenario("cancel", at_work, |world, how| with(world, "a", &["cancel", "1"], how)),
    scenario("complete", at_work, |world, how| {
        with(world, "a", &["complete", "1", "--unmerged", "--reason", "an experiment"], how)
    }),
    Scenario {
        // Said twice, it is there twice.
        again: Some(|world| {
            let is_said = world.place("a").godzilla_ok(&["log", "1"]).contains("a note");
            if is_said { list(world) } else { comment(world, &WHOLE) }
        }),
        ..scenario("comment", planned, comment)
    },
    Scenario {
        once: true,
        ..scenario("redact", leaked, |world, how| with(world, "a", &["redact", SECRET, "--yes"], how))
    },
    scenario("import jsonl", exported, |world, how| {
        with(world, "a", &["import", "jsonl", "../kept.jsonl"], how)
    }),
    scenario("spec backfill", planned_elsewhere, |world, how| with(world, "a", &["spec", "backfill"], how)),
    Scenario {
        also: Some(|a| a.git(&["-C", &format!("worktrees/{NAME}"), "status", "--porcelain"])),
        ..scenario(
            "plan, amended",
            |world| {
                planned(world);
                let step = format!(".protocols/{NAME}/01-the-form.md");
                let text = worktree(world).read(&step).replace("The form", "The long form");
                worktree(world).write(&step, &text);
            },
            |world, how| with(world, "a", &["plan", "--amend", "-p", "1"], how),
        )
    },
    Scenario {
        also: Some(|a| format!("{}{}", beside_worktrees(a), a.git(&["branch"]))),
        ..scenario("worktrees gc", merged, |world, how| with(world, "a", &["worktrees", "gc"], how))
    },
    Scenario {
        also: Some(|a| a.godzilla_ok(&["hooks", "status"])),
        ..scenario(
            "doctor",
            |world| {
                planned(world);
                let a = world.place("a");
                a.git(&["config", "--unset-all", "remote.origin.fetch", "godzilla"]);
                fs::remove_dir_all(a.path.join(".git/hooks")).unwrap();
                with(world, "a", &["start", "1", "-p", "1"], &How::at_point("ref.locked", None));
            },
            |world, how| with(world, "a", &["doctor", "--fix"], how),
        )
    },
    Scenario {
        also: Some(in_home),
        ..scenario(
            "completions",
            |world| drop(world.clone("a")),
            |world, how| with(world, "a", &["completions", "bash", "--install"], how),
        )
    },
    Scenario {
        also: Some(in_home),
        ..scenario(
            "man",
            |world| drop(world.clone("a")),
            |world, how| with(world, "a", &["man", "--install"], how),
        )
    },
    // What calls the hooks.
    Scenario {
        again: Some(|world| {
            let is_amid = world.place("a").path.join(format!(".git/worktrees/{NAME}/rebase-merge")).exists();
            if is_amid && git(world, &["rebase", "--abort"], &WHOLE).code != Some(0) {
                git(world, &["rebase", "--quit"], &WHOLE);
                git(world, &["checkout", "--quiet", "--force", NAME], &WHOLE);
            }
            git(world, REBASE, &WHOLE)
        }),
        ..scenario(
            "rebase",
            |world| {
                ready_to_commit(world);
                git(world, COMMIT, &WHOLE);
                world.place("a").commit("meanwhile", "feat: meanwhile");
            },
            |world, how| git(world, REBASE, how),
        )
    },
    Scenario {
        // What was cut off is overwritten.
        again: Some(|world| git(world, &["checkout", "--quiet", "--force", "-B", "aside", "main"], &WHOLE)),
        ..scenario(
            "checkout",
            |world| {
                ready_to_commit(world);
                git(world, COMMIT, &WHOLE);
            },
            |world, how| git(world, &["checkout", "--quiet", "-b", "aside", "main"], how),
        )
    },
    Scenario {
        again: Some(|world| {
            let a = world.place("a");
            if a.path.join(".git/MERGE_HEAD").exists() {
                a.git(&["merge", "--abort"]);
            }
            a.git(&["reset", "--quiet", "--hard"]);
            a.git(&["clean", "--quiet", "-f"]);
            merge(world, &WHOLE)
        }),
        ..scenario(
            "merge",
            |world| {
                ready_to_commit(world);
                git(world, COMMIT, &WHOLE);
            },
            merge,
        )
    },
    Scenario {
        also: Some(at_server),
        ..scenario(
            "push of a merge, to a server with hooks",
            |world| {
                served(world);
                with(world, "srv.git", &["hooks", "install", "--server"], &WHOLE);
                let a = world.place("a");
                a.plan("Add a login", &["The form"]);
                worktree(world).commit("form", "feat: a form");
                a.godzilla_ok(&["sync"]);
                merge(world, &WHOLE);
            },
            |world, how| how.run(world.place("a").command("git").args(["push", "--quiet", "origin", "main"])),
        )
    },
    Scenario {
        also: Some(at_server),
        ..scenario(
            "sync, with a server with hooks",
            |world| {
                over(world);
                with(world, "srv.git", &["hooks", "install", "--server"], &WHOLE);
                world.place("a").godzilla_ok(&["archive", "1"]);
            },
            |world, how| with(world, "a", &["sync"], how),
        )
    },
    Scenario {
        also: Some(all_of_worktree),
        ..scenario(
            "restore, of many files",
            |world| {
                not_committed(world);
                for n in 0..200 {
                    worktree(world).write(&format!("many/{n}"), &format!("{n}\n"));
                }
                worktree(world).git(&["add", "many"]);
                with(world, "a", &["worktrees", "remove", "1", "--force"], &WHOLE);
            },
            |world, how| with(world, "a", &["restore", "1"], how),
        )
    },
    Scenario {
        once: true,
        also: Some(|a| a.git(&["-C", &format!("worktrees/{NAME}"), "status", "--porcelain"])),
        ..scenario(
            "plan, with many files",
            |world| {
                let a = world.clone("a");
                for n in 0..300 {
                    a.write(&format!("many/{n}"), &format!("{n}\n"));
                }
                a.git(&["add", "."]);
                a.git(&["commit", "--quiet", "-m", "many files"]);
            },
            |world, how| with(world, "a", &["plan", "Add a login", "--step", "The form"], how),
        )
    },
];

const SECRET: &str = "hunter2-hunter2";
const BLOCK: &[&str] = &["block", "1", "-p", "1", "--reason", "no key"];
/// Begun again, it makes the same commits.
const REBASE: &[&str] = &["rebase", "--quiet", "--committer-date-is-author-date", "main"];

fn comment(world: &World, how: &How) -> Shown {
    with(world, "a", &["comment", "a note", "-p", "1"], how)
}

fn merge(world: &World, how: &How) -> Shown {
    how.run(world.place("a").command("git").args(["merge", "--quiet", "--no-ff", "-m", "merge it", NAME]))
}

/// A step is worked on, and has a commit.
fn at_work(world: &World) {
    started(world);
    worktree(world).commit("form", "feat: a form");
}

fn blocked(world: &World) {
    at_work(world);
    with(world, "a", BLOCK, &WHOLE);
}

fn merged(world: &World) {
    at_work(world);
    merge(world, &WHOLE);
    world.place("a").git(&["push", "--quiet", "origin", "main"]);
    world.place("a").godzilla_ok(&["sync"]);
}

fn leaked(world: &World) {
    planned(world);
    let a = world.place("a");
    a.godzilla_ok(&["comment", SECRET, "-p", "1"]);
    a.godzilla_ok(&["sync"]);
}

fn exported(world: &World) {
    planned(world);
    let a = world.place("a");
    a.plan("Another one", &[]);
    a.godzilla_ok(&["export", "../kept.jsonl"]);
    for name in [NAME, "0002-another-one"] {
        a.git(&["update-ref", "-d", &format!("refs/godzilla/protocols/{name}")]);
    }
}

/// Somebody without us has changed the files of a plan.
fn planned_elsewhere(world: &World) {
    planned(world);
    let step = format!(".protocols/{NAME}/01-the-form.md");
    let text = worktree(world).read(&step).replace("The form", "The long form");
    worktree(world).write(&step, &text);
    worktree(world).git(&["-c", "core.hooksPath=/dev/null", "commit", "--quiet", "-am", "docs: the plan"]);
}

fn in_home(a: &Place<'_>) -> String {
    let found = a.world.place("home").path;
    let mut names: Vec<String> = super::facts::all_files(&found).into_iter().map(|(name, _)| name).collect();
    // What was half written is harmless, and is written over.
    names.retain(|name| !name.contains(".godzilla-draft-"));
    names.sort();
    names.join("\n")
}

fn at_server(a: &Place<'_>) -> String {
    let srv = a.world.place("srv.git");
    a.godzilla_ok(&["sync"]);
    srv.git(&["for-each-ref", "--format=%(refname)"])
}
