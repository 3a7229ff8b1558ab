//! Verbs and commits of one clone, and what the next command finds of those that died.

use super::{
    COMMIT, NAME, Scenario, die, git, hook, list, planned, ready_to_commit, scenario, started, with, worktree,
};
use crate::crash::strike::WHOLE;
use crate::support::{Held, World};

pub(super) static LIFE: &[Scenario] = &[
    Scenario {
        once: true,
        ..scenario(
            "plan",
            |world| drop(world.clone("a")),
            |world, how| {
                with(world, "a", &["plan", "Add a login", "--step", "The form", "--step", "The API"], how)
            },
        )
    },
    scenario("start", planned, |world, how| with(world, "a", &["start", "1", "-p", "1"], how)),
    Scenario {
        // Without an argument it would go further back.
        again: Some(|world| if is_undone(world) { list(world) } else { with(world, "a", &["undo"], &WHOLE) }),
        ..scenario("undo", started, |world, how| with(world, "a", &["undo"], how))
    },
    Scenario {
        also: Some(|a| {
            let config = a.git(&["config", "--get-regexp", "^(remote|godzilla)\\..*"]);
            let status = a.godzilla_ok(&["hooks", "status"]);
            let exclude = a.read(".git/info/exclude");
            let project = a.git(&["log", "--format=%s", "refs/godzilla/project"]);
            format!("{config}{status}{exclude}{project}{}", a.path.join(".git/godzilla/clone").exists())
        }),
        ..scenario(
            "init",
            |world| {
                let b = world.clone("b");
                b.plan("Add a login", &["The form"]);
                b.godzilla_ok(&["sync"]);
                world.bare_clone_of("a");
                hook(&world.place("a"), "post-commit", "#!/bin/sh\ntrue\n");
            },
            |world, how| with(world, "a", &["init", "--yes", "--base-branch", "main"], how),
        )
    },
    Scenario {
        again: Some(|world| {
            let done = world.place("a").statuses(NAME)[1] == "completed";
            if done { list(world) } else { with(world, "a", &["run", "1", "-p", "1"], &WHOLE) }
        }),
        also: Some(|a| a.git(&["-C", &format!("worktrees/{NAME}"), "status", "--porcelain"])),
        only: Some(&["run.commit", "run.branch"]),
        ..scenario(
            "run",
            |world| {
                planned(world);
                let a = world.place("a");
                let result = r#"{"v":1,"status":"succeeded","message":"done"}"#;
                a.write_executable(
                    "../sh-engine",
                    &format!("#!/bin/sh\necho form >>form\necho '{result}'\n"),
                );
                a.git(&["config", "godzilla.engines.sh.argv", a.path.join("../sh-engine").to_str().unwrap()]);
                a.git(&["config", "godzilla.phases.exec", "sh"]);
            },
            |world, how| with(world, "a", &["run", "1", "-p", "1"], how),
        )
    },
    Scenario {
        again: Some(|world| if is_clean(world) { list(world) } else { git(world, COMMIT, &WHOLE) }),
        ..scenario("commit", ready_to_commit, |world, how| git(world, COMMIT, how))
    },
    Scenario {
        again: Some(|world| {
            let amend = &["commit", "--quiet", "--amend", "--no-edit"];
            if is_clean(world) { list(world) } else { git(world, amend, &WHOLE) }
        }),
        ..scenario(
            "amend",
            |world| {
                ready_to_commit(world);
                git(world, COMMIT, &WHOLE);
                worktree(world).write("form", "a better form\n");
                worktree(world).git(&["add", "."]);
            },
            // With the trailer that the first one got: a message hook that dies does not stop git.
            |world, how| git(world, &["commit", "--quiet", "--amend", "--no-edit"], how),
        )
    },
    Scenario {
        also: Some(|a| a.git(&["log", "--format=%N", "--notes=godzilla", NAME])),
        ..scenario(
            "notes rebuild",
            |world| {
                ready_to_commit(world);
                git(world, COMMIT, &WHOLE);
                world.place("a").git(&["update-ref", "-d", "refs/notes/godzilla"]);
            },
            |world, how| with(world, "a", &["notes", "rebuild"], how),
        )
    },
    scenario(
        "list after a plan that died with its stream",
        |world| {
            world.clone("a");
            die(world, "plan.stream", &["plan", "Add a login"]);
        },
        |world, how| with(world, "a", &["list"], how),
    ),
    scenario(
        "list after a plan that died with its branch",
        |world| {
            world.clone("a");
            die(world, "plan.branch", &["plan", "Add a login"]);
        },
        |world, how| with(world, "a", &["list"], how),
    ),
    scenario(
        "start after a start that died with its lock",
        |world| {
            planned(world);
            die(world, "ref.locked", &["start", "1", "-p", "1"]);
        },
        |world, how| with(world, "a", &["start", "1", "-p", "1"], how),
    ),
    Scenario {
        again: Some(|world| if is_clean(world) { list(world) } else { git(world, COMMIT, &WHOLE) }),
        only: Some(&["spool.put"]),
        ..scenario("commit while the stream is busy", ready_to_commit, |world, how| {
            let _busy = Held::at(&world.place("a").path.join(".git/godzilla/locks").join(NAME));
            git(world, COMMIT, how)
        })
    },
    scenario(
        "list with a spool",
        |world| {
            ready_to_commit(world);
            let _busy = Held::at(&world.place("a").path.join(".git/godzilla/locks").join(NAME));
            git(world, COMMIT, &WHOLE);
        },
        |world, how| with(world, "a", &["list"], how),
    ),
    Scenario {
        also: Some(|a| a.godzilla(&["trust"]).stdout),
        ..scenario("trust", gated, |world, how| with(world, "a", &["trust", "--yes"], how))
    },
    Scenario {
        also: Some(|a| a.json(&["show", "1"])["steps"][1]["verdict"]["result"].to_string()),
        // Asked for twice, it is answered twice.
        again: Some(|world| {
            let is_judged = !world.place("a").json(&["show", "1"])["steps"][1]["verdict"].is_null();
            if is_judged { list(world) } else { with(world, "a", &["qa", "1", "-p", "1"], &WHOLE) }
        }),
        ..scenario(
            "qa",
            |world| {
                gated(world);
                world.place("a").godzilla_ok(&["trust", "--yes"]);
                worktree(world).commit("form", "feat: a form");
                worktree(world).godzilla_ok(&["done"]);
            },
            |world, how| with(world, "a", &["qa", "1", "-p", "1"], how),
        )
    },
];

fn is_clean(world: &World) -> bool {
    worktree(world).git(&["status", "--porcelain"]).is_empty()
}

fn is_undone(world: &World) -> bool {
    world.place("a").statuses(NAME)[1] == "pending"
}

/// Planned on a base with a gate.
fn gated(world: &World) {
    let a = world.clone("a");
    a.commit_gate("test", "#!/bin/sh\nexit 0\n");
    a.plan("Add a login", &["The form"]);
}
