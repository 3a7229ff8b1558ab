//! Worktrees and branches that go and come back, and what is kept of them.

use super::{
    COMMIT, NAME, Scenario, all_of_worktree, beside_worktrees, die, git, list, not_committed, planned,
    ready_to_commit, scenario, with, worktree,
};
use crate::crash::strike::WHOLE;

pub(super) static WORKTREES: &[Scenario] = &[
    Scenario {
        again: Some(|world| {
            // What was begun is settled by any command.
            let shown = list(world);
            if worktree(world).path.exists() { with(world, "a", REMOVE, &WHOLE) } else { shown }
        }),
        also: Some(|a| {
            let gone = beside_worktrees(a);
            a.godzilla_ok(&["restore", "1"]);
            format!("{gone}{}", all_of_worktree(a))
        }),
        only: Some(&[
            "kept.commit",
            "kept.ref",
            "fs.replaced",
            "remove.noted",
            "remove.aside",
            "remove.forgotten",
            "remove.branch",
            "remove.folder",
        ]),
        ..scenario("worktrees remove", not_committed, |world, how| with(world, "a", REMOVE, how))
    },
    Scenario {
        also: Some(all_of_worktree),
        only: Some(&["restore.branch", "restore.worktree", "restore.kept", "kept.ref", "restore.files"]),
        ..scenario(
            "restore",
            |world| {
                not_committed(world);
                with(world, "a", REMOVE, &WHOLE);
            },
            |world, how| with(world, "a", &["restore", "1"], how),
        )
    },
    Scenario {
        again: Some(|world| {
            let shown = list(world);
            if worktree(world).path.exists() { with(world, "a", &["undo"], &WHOLE) } else { shown }
        }),
        also: Some(beside_worktrees),
        ..scenario("undo of a plan", planned, |world, how| with(world, "a", &["undo"], how))
    },
    Scenario {
        also: Some(|a| {
            let trash = a.git(&["for-each-ref", "refs/godzilla-local/trash"]);
            format!("{trash}{}{}", beside_worktrees(a), all_of_worktree(a))
        }),
        ..scenario(
            "list after an undo of a plan that died before it was recorded",
            |world| {
                planned(world);
                die(world, "remove.aside", &["undo"]);
            },
            |world, how| with(world, "a", &["list"], how),
        )
    },
    scenario(
        "list after an undo of a plan that died when it was recorded",
        |world| {
            planned(world);
            die(world, "undo.recorded", &["undo"]);
        },
        |world, how| with(world, "a", &["list"], how),
    ),
    Scenario {
        again: Some(|world| {
            let is_back = world.place("a").json(&["show", "1"])["status"] == "planned";
            if is_back { list(world) } else { with(world, "a", &["redo"], &WHOLE) }
        }),
        also: Some(all_of_worktree),
        only: Some(&["restore.branch", "restore.worktree", "restore.kept", "restore.files", "ref.moved"]),
        ..scenario(
            "redo of a plan",
            |world| {
                planned(world);
                with(world, "a", &["undo"], &WHOLE);
            },
            |world, how| with(world, "a", &["redo"], how),
        )
    },
    Scenario {
        also: Some(|a| {
            let kept = a.git(&["log", "-1", "--format=%P", &format!("refs/godzilla-local/keep/{NAME}")]);
            format!("{} kept", kept.split_whitespace().count())
        }),
        only: Some(&["keep.commit", "keep.ref"]),
        ..scenario(
            "list that keeps what an amend replaced",
            |world| {
                ready_to_commit(world);
                git(world, COMMIT, &WHOLE);
                git(world, &["commit", "--quiet", "--amend", "-m", "feat: a form, amended"], &WHOLE);
            },
            |world, how| with(world, "a", &["list"], how),
        )
    },
];

const REMOVE: &[&str] = &["worktrees", "remove", "1", "--force"];
