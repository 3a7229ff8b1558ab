//! What is killed: the world before it, the command, and how it is run again.

use std::fs;

use super::super::support::{BIN, Place, Shown, World, run};

/// Variables for the command, and for the hooks that it leads to.
pub(super) type Env<'a> = [(&'static str, String)];

/// The commands run in the clone `a` or in a worktree of it.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) set_up: fn(&World),
    pub(super) run: fn(&World, &Env<'_>) -> Shown,
    /// What a person does next, if not the same.
    pub(super) again: Option<fn(&World) -> Shown>,
    /// More of the outcome.
    pub(super) also: Option<fn(&Place<'_>) -> String>,
    /// The points to die at, if not all that are reached.
    pub(super) only: Option<&'static [&'static str]>,
}

const NAME: &str = "0001-add-a-login";

const fn scenario(name: &'static str, set_up: fn(&World), run: fn(&World, &Env<'_>) -> Shown) -> Scenario {
    Scenario { name, set_up, run, again: None, also: None, only: None }
}

pub(super) static SCENARIOS: &[Scenario] = &[
    scenario(
        "plan",
        |world| drop(world.clone("a")),
        |world, env| {
            with(world, "a", &["plan", "Add a login", "--step", "The form", "--step", "The API"], env)
        },
    ),
    scenario("start", planned, |world, env| with(world, "a", &["start", "1", "-p", "1"], env)),
    Scenario {
        // Without an argument it would go further back.
        again: Some(|world| if is_undone(world) { list(world) } else { with(world, "a", &["undo"], &[]) }),
        ..scenario("undo", started, |world, env| with(world, "a", &["undo"], env))
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
            |world, env| with(world, "a", &["init", "--yes", "--base-branch", "main"], env),
        )
    },
    Scenario {
        again: Some(|world| {
            let done = world.place("a").statuses(NAME)[1] == "completed";
            if done { list(world) } else { with(world, "a", &["run", "1", "-p", "1"], &[]) }
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
            |world, env| with(world, "a", &["run", "1", "-p", "1"], env),
        )
    },
    Scenario {
        again: Some(|world| if is_clean(world) { list(world) } else { git(world, COMMIT, &[]) }),
        ..scenario("commit", ready_to_commit, |world, env| git(world, COMMIT, env))
    },
    Scenario {
        again: Some(|world| {
            let amend = &["commit", "--quiet", "--amend", "-m", "feat: a form"];
            if is_clean(world) { list(world) } else { git(world, amend, &[]) }
        }),
        ..scenario(
            "amend",
            |world| {
                ready_to_commit(world);
                git(world, COMMIT, &[]);
                worktree(world).write("form", "a better form\n");
                worktree(world).git(&["add", "."]);
            },
            |world, env| git(world, &["commit", "--quiet", "--amend", "-m", "feat: a form"], env),
        )
    },
    scenario(
        "push",
        |world| {
            ready_to_commit(world);
            git(world, COMMIT, &[]);
        },
        |world, env| git(world, &["push", "--quiet", "--set-upstream", "origin", NAME], env),
    ),
    scenario(
        "push, with the branch",
        |world| {
            ready_to_commit(world);
            git(world, COMMIT, &[]);
        },
        |world, env| with(world, "a", &["push", "origin", NAME], env),
    ),
    Scenario {
        also: Some(|a| {
            let told = a.json(&["status", "--all"])["remotes"][0]["last_error"].clone();
            let there = a.world.place("srv.git").git(&["for-each-ref", "--format=%(refname)", "refs/heads"]);
            format!("{told}{there}")
        }),
        ..scenario(
            "push, refused",
            |world| {
                ready_to_commit(world);
                git(world, COMMIT, &[]);
                hook(
                    &world.place("srv.git"),
                    "update",
                    "#!/bin/sh\ncase $1 in refs/godzilla/*) exit 1;; esac\n",
                );
            },
            |world, env| with(world, "a", &["push", "origin", NAME], env),
        )
    },
    scenario("sync", diverged, |world, env| with(world, "a", &["sync"], env)),
    scenario(
        "list, adopting",
        |world| {
            diverged(world);
            world.place("a").git(&["fetch", "--quiet"]);
        },
        |world, env| with(world, "a", &["list"], env),
    ),
    scenario(
        "pull of a merge",
        |world| {
            ready_to_commit(world);
            git(world, COMMIT, &[]);
            git(world, &["push", "--quiet", "origin", NAME], &[]);
            let b = world.clone("b");
            b.git(&["merge", "--quiet", "--no-ff", "-m", "merge it", &format!("origin/{NAME}")]);
            b.git(&["push", "--quiet", "origin", "main"]);
        },
        |world, env| run(world.place("a").command("git").args(["pull", "--quiet"]).envs(env.iter().cloned())),
    ),
    Scenario {
        also: Some(|a| a.git(&["log", "--format=%N", "--notes=godzilla", NAME])),
        ..scenario(
            "notes rebuild",
            |world| {
                ready_to_commit(world);
                git(world, COMMIT, &[]);
                world.place("a").git(&["update-ref", "-d", "refs/notes/godzilla"]);
            },
            |world, env| with(world, "a", &["notes", "rebuild"], env),
        )
    },
    Scenario {
        also: Some(|a| {
            a.godzilla_ok(&["sync"]);
            a.json(&["show", "1"])["steps"][1]["ci"]["jobs"].as_array().unwrap().len().to_string()
        }),
        ..scenario(
            "ci-report",
            |world| {
                ready_to_commit(world);
                git(world, COMMIT, &[]);
                world.place("a").godzilla_ok(&["sync"]);
            },
            |world, env| {
                let report = &["ci-report", "success", "--job", "test", "--run", "1", "--attempt", "1"];
                with(world, &format!("a/worktrees/{NAME}"), report, env)
            },
        )
    },
    scenario(
        "list after a plan that died with its stream",
        |world| {
            world.clone("a");
            die(world, "plan.stream", &["plan", "Add a login"]);
        },
        |world, env| with(world, "a", &["list"], env),
    ),
    scenario(
        "list after a plan that died with its branch",
        |world| {
            world.clone("a");
            die(world, "plan.branch", &["plan", "Add a login"]);
        },
        |world, env| with(world, "a", &["list"], env),
    ),
    scenario(
        "start after a start that died with its lock",
        |world| {
            planned(world);
            die(world, "ref.locked", &["start", "1", "-p", "1"]);
        },
        |world, env| with(world, "a", &["start", "1", "-p", "1"], env),
    ),
    Scenario {
        again: Some(|world| if is_clean(world) { list(world) } else { git(world, COMMIT, &[]) }),
        only: Some(&["spool.put"]),
        ..scenario("commit while the stream is busy", ready_to_commit, |world, env| {
            let lock = world.place("a").path.join(".git/godzilla/locks").join(NAME);
            let lock = fs::OpenOptions::new().write(true).open(lock).unwrap();
            lock.lock().unwrap();
            git(world, COMMIT, env)
        })
    },
    scenario(
        "list with a spool",
        |world| {
            ready_to_commit(world);
            let lock = world.place("a").path.join(".git/godzilla/locks").join(NAME);
            let lock = fs::OpenOptions::new().write(true).open(lock).unwrap();
            lock.lock().unwrap();
            git(world, COMMIT, &[]);
        },
        |world, env| with(world, "a", &["list"], env),
    ),
    Scenario {
        also: Some(|a| a.godzilla_ok(&["hooks", "status"])),
        ..scenario(
            "hooks install",
            |world| {
                let a = world.bare_clone_of("a");
                a.godzilla_ok(&["init", "--yes", "--no-hooks"]);
                hook(&a, "pre-push", "#!/bin/sh\ntrue\n");
            },
            |world, env| with(world, "a", &["hooks", "install"], env),
        )
    },
    Scenario {
        also: Some(|a| a.godzilla(&["trust"]).stdout),
        ..scenario("trust", gated, |world, env| with(world, "a", &["trust", "--yes"], env))
    },
    Scenario {
        also: Some(|a| a.json(&["show", "1"])["steps"][1]["verdict"]["result"].to_string()),
        // Asked for twice, it is answered twice.
        again: Some(|world| {
            let is_judged = !world.place("a").json(&["show", "1"])["steps"][1]["verdict"].is_null();
            if is_judged { list(world) } else { with(world, "a", &["qa", "1", "-p", "1"], &[]) }
        }),
        ..scenario(
            "qa",
            |world| {
                gated(world);
                world.place("a").godzilla_ok(&["trust", "--yes"]);
                worktree(world).commit("form", "feat: a form");
                worktree(world).godzilla_ok(&["done"]);
            },
            |world, env| with(world, "a", &["qa", "1", "-p", "1"], env),
        )
    },
    Scenario {
        also: Some(hook_files),
        ..scenario(
            "hooks uninstall",
            |world| {
                let a = world.bare_clone_of("a");
                fs::remove_dir_all(a.path.join(".git/hooks")).unwrap();
                a.godzilla_ok(&["init", "--yes"]);
            },
            |world, env| with(world, "a", &["hooks", "uninstall"], env),
        )
    },
    Scenario {
        also: Some(hook_files),
        ..scenario(
            "hooks uninstall, edited",
            |world| {
                let a = world.bare_clone_of("a");
                hook(&a, "pre-push", "#!/bin/sh\ntrue\n");
                hook(&a, "post-commit", "#!/usr/bin/env python3\npass\n");
                hook(&a, "post-merge", "#!/bin/sh\ntrue\n");
                a.godzilla_ok(&["init", "--yes"]);
                for event in ["pre-push", "post-commit"] {
                    let shim = a.read(&format!(".git/hooks/{event}"));
                    a.write(&format!(".git/hooks/{event}"), &format!("{shim}\necho mine\n"));
                }
                hook(&a, "post-merge", "#!/bin/sh\ntrue\necho more\n");
            },
            |world, env| with(world, "a", &["hooks", "uninstall"], env),
        )
    },
];

const COMMIT: &[&str] = &["commit", "--quiet", "-m", "feat: a form"];

fn with(world: &World, place: &str, args: &[&str], env: &Env<'_>) -> Shown {
    run(world.place(place).command(BIN).args(args).envs(env.iter().cloned()))
}

fn worktree(world: &World) -> Place<'_> {
    world.place(&format!("a/worktrees/{NAME}"))
}

fn git(world: &World, args: &[&str], env: &Env<'_>) -> Shown {
    run(worktree(world).command("git").args(args).envs(env.iter().cloned()))
}

fn list(world: &World) -> Shown {
    with(world, "a", &["list"], &[])
}

fn is_clean(world: &World) -> bool {
    worktree(world).git(&["status", "--porcelain"]).is_empty()
}

fn planned(world: &World) {
    world.clone("a").plan("Add a login", &["The form", "The API"]);
}

fn started(world: &World) {
    planned(world);
    with(world, "a", &["start", "1", "-p", "1"], &[]);
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

fn ready_to_commit(world: &World) {
    planned(world);
    let worktree = worktree(world);
    worktree.write("form", "a form\n");
    worktree.tick(NAME, "01-the-form");
    worktree.git(&["add", "."]);
}

/// `a` and `b` have both gone on with one protocol.
fn diverged(world: &World) {
    planned(world);
    world.place("a").godzilla_ok(&["sync"]);
    let b = world.clone("b");
    b.godzilla_ok(&["comment", "seen by B", "-p", "1"]);
    b.godzilla_ok(&["sync"]);
    world.place("a").godzilla_ok(&["start", "1", "-p", "1"]);
}

fn die(world: &World, point: &str, args: &[&str]) {
    let shown = with(world, "a", args, &[("GODZILLA_FAIL_POINT", point.to_owned())]);
    assert_eq!(shown.code, None, "{shown}");
}

fn hook(place: &Place<'_>, event: &str, text: &str) {
    place.write_executable(&format!(".git/hooks/{event}"), text);
}

/// Names and texts of the hooks that are there.
fn hook_files(a: &Place<'_>) -> String {
    let Ok(entries) = fs::read_dir(a.path.join(".git/hooks")) else { return "no folder".to_owned() };
    let mut files: Vec<String> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|extension| extension != "sample"))
        .map(|path| format!("{} {}", path.display(), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files.join("\n")
}
