//! What is killed: the world before it, the command, and how it is run again.

use std::fs;
use std::path::PathBuf;

use super::super::support::{BIN, Held, Place, Shown, World};
use super::strike::{How, WHOLE};

/// The commands run in the clone `a` or in a worktree of it.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) set_up: fn(&World),
    pub(super) run: fn(&World, &How) -> Shown,
    /// What a person does next, if not the same.
    pub(super) again: Option<fn(&World) -> Shown>,
    /// More of the outcome.
    pub(super) also: Option<fn(&Place<'_>) -> String>,
    /// The points to die at, if not all that are reached.
    pub(super) only: Option<&'static [&'static str]>,
    /// Whether it is done twice if it is typed twice: a person looks first.
    pub(super) once: bool,
}

pub(super) const NAME: &str = "0001-add-a-login";

pub(super) const fn scenario(
    name: &'static str,
    set_up: fn(&World),
    run: fn(&World, &How) -> Shown,
) -> Scenario {
    Scenario { name, set_up, run, again: None, also: None, only: None, once: false }
}

pub(super) static SCENARIOS: &[Scenario] = &[
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
    scenario(
        "push",
        |world| {
            ready_to_commit(world);
            git(world, COMMIT, &WHOLE);
        },
        |world, how| git(world, &["push", "--quiet", "--set-upstream", "origin", NAME], how),
    ),
    scenario(
        "push, with the branch",
        |world| {
            ready_to_commit(world);
            git(world, COMMIT, &WHOLE);
        },
        |world, how| with(world, "a", &["push", "origin", NAME], how),
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
                git(world, COMMIT, &WHOLE);
                hook(
                    &world.place("srv.git"),
                    "update",
                    "#!/bin/sh\ncase $1 in refs/godzilla/*) exit 1;; esac\n",
                );
            },
            |world, how| with(world, "a", &["push", "origin", NAME], how),
        )
    },
    scenario("sync", diverged, |world, how| with(world, "a", &["sync"], how)),
    Scenario {
        also: Some(archived),
        ..scenario("archive", over, |world, how| with(world, "a", &["archive", "1"], how))
    },
    Scenario {
        also: Some(archived),
        ..scenario(
            "unarchive",
            |world| {
                over(world);
                world.place("a").godzilla_ok(&["archive", "1"]);
            },
            |world, how| with(world, "a", &["unarchive", "1"], how),
        )
    },
    Scenario {
        also: Some(archived),
        ..scenario(
            "sync, archiving what is over",
            |world| {
                over(world);
                world.place("a").git(&["config", "godzilla.archive.afterDays", "0"]);
            },
            |world, how| with(world, "a", &["sync"], how),
        )
    },
    Scenario {
        also: Some(archived),
        ..scenario(
            "sync, deleting what is archived there, uniting archives",
            |world| {
                over(world);
                let b = world.clone("b");
                b.plan("Another", &["One"]);
                b.godzilla_ok(&["cancel", "2"]);
                b.godzilla_ok(&["archive", "1", "2"]);
                b.godzilla_ok(&["sync"]);
                let a = world.place("a");
                a.godzilla_ok(&["archive", "1"]);
            },
            |world, how| with(world, "a", &["sync"], how),
        )
    },
    scenario(
        "list, adopting",
        |world| {
            diverged(world);
            world.place("a").git(&["fetch", "--quiet"]);
        },
        |world, how| with(world, "a", &["list"], how),
    ),
    scenario(
        "pull of a merge",
        |world| {
            ready_to_commit(world);
            git(world, COMMIT, &WHOLE);
            git(world, &["push", "--quiet", "origin", NAME], &WHOLE);
            let b = world.clone("b");
            b.git(&["merge", "--quiet", "--no-ff", "-m", "merge it", &format!("origin/{NAME}")]);
            b.git(&["push", "--quiet", "origin", "main"]);
        },
        |world, how| how.run(world.place("a").command("git").args(["pull", "--quiet"])),
    ),
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
    Scenario {
        also: Some(|a| {
            a.godzilla_ok(&["sync"]);
            a.json(&["show", "1"])["steps"][1]["ci"]["jobs"].as_array().unwrap().len().to_string()
        }),
        ..scenario(
            "ci-report",
            |world| {
                ready_to_commit(world);
                git(world, COMMIT, &WHOLE);
                world.place("a").godzilla_ok(&["sync"]);
            },
            |world, how| {
                let report = &["ci-report", "success", "--job", "test", "--run", "1", "--attempt", "1"];
                with(world, &format!("a/worktrees/{NAME}"), report, how)
            },
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
        also: Some(|a| a.godzilla_ok(&["hooks", "status"])),
        ..scenario(
            "hooks install",
            |world| {
                let a = world.bare_clone_of("a");
                a.godzilla_ok(&["init", "--yes", "--no-hooks"]);
                hook(&a, "pre-push", "#!/bin/sh\ntrue\n");
            },
            |world, how| with(world, "a", &["hooks", "install"], how),
        )
    },
    Scenario {
        also: Some(hook_files),
        ..scenario("hooks install, put aside by a manager", put_aside, |world, how| {
            with(world, "a", &["hooks", "install"], how)
        })
    },
    Scenario {
        also: Some(hook_files),
        only: Some(&[
            "hooks.first_numbered",
            "hooks.previous_kept",
            "hooks.kept_joined",
            "hooks.hook_written",
        ]),
        ..scenario("hooks install, over two", over_two, |world, how| {
            with(world, "a", &["hooks", "install"], how)
        })
    },
    Scenario {
        also: Some(hook_files),
        only: Some(&["hooks.older_handed_over", "hooks.hook_removed", "hooks.kept_parted"]),
        ..scenario(
            "hooks uninstall, of two",
            |world| {
                over_two(world);
                with(world, "a", &["hooks", "install"], &WHOLE);
            },
            |world, how| with(world, "a", &["hooks", "uninstall"], how),
        )
    },
    Scenario {
        also: Some(configured_hooks),
        only: Some(&["hooks.config_written", "config.edit", "config.remembered", "config.edited"]),
        ..scenario("hooks install, in the configuration", in_configuration, install_in_configuration)
    },
    Scenario {
        also: Some(husky_files),
        ..scenario("hooks install --into husky", with_husky, |world, how| {
            with(world, "a", &["hooks", "install", "--into", "husky"], how)
        })
    },
    Scenario {
        also: Some(husky_files),
        ..scenario(
            "hooks uninstall, out of husky",
            |world| {
                with_husky(world);
                with(world, "a", &["hooks", "install", "--into", "husky"], &WHOLE);
            },
            |world, how| with(world, "a", &["hooks", "uninstall"], how),
        )
    },
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
    Scenario {
        also: Some(|a| a.git(&["-C", "worktrees/0002-add-a-login", "status", "--porcelain", "--branch"])),
        again: Some(|world| {
            // Once for what was begun, once more for what follows from it.
            with(world, "a", &["sync"], &WHOLE);
            with(world, "a", &["sync"], &WHOLE)
        }),
        only: Some(&[
            "twins.copied",
            "twins.moved",
            "twins.branch",
            "twins.worktree",
            "twins.folder_moved",
            "twins.folder",
            "sync.fetched",
            "sync.pushed",
        ]),
        ..scenario("sync, giving way to a twin", taken, |world, how| with(world, "a", &["sync"], how))
    },
    Scenario {
        again: Some(|world| with(world, "a", &["renumber", NAME, "7"], &WHOLE)),
        also: Some(|a| a.json(&["show", "7"])["name"].to_string()),
        only: Some(&["renumber.recorded", "append.moved", "append.commit"]),
        ..scenario("renumber", planned, |world, how| with(world, "a", &["renumber", NAME, "7"], how))
    },
    Scenario {
        again: Some(|world| with(world, "a", &["redact", SECRET, "--purge", "--yes"], &WHOLE)),
        also: Some(|a| {
            let reached = a.git(&["rev-list", "--objects", "--all", "--reflog"]);
            let ids = reached.lines().map(|line| line.split(' ').next().unwrap());
            let says = |oid: &str| a.git(&["cat-file", "-p", oid]).contains(SECRET);
            assert!(!ids.into_iter().any(says), "it is still there");
            a.json(&["show", "1"])["status"].to_string()
        }),
        only: Some(&[
            "redact.stream",
            "redact.project",
            "purge.log",
            "purge.remote",
            "purge.replaced",
            "purge.here",
            "purge.reflogs",
            "append.moved",
            "push.send",
            "push.sent",
        ]),
        ..scenario("redact --purge", leaked, |world, how| {
            with(world, "a", &["redact", SECRET, "--purge", "--yes"], how)
        })
    },
    Scenario {
        only: Some(&["purge.here", "purge.reflogs"]),
        also: Some(|a| a.git(&["rev-list", "--count", "refs/godzilla/protocols/0001-add-a-login"])),
        ..scenario(
            "redact --purge, of what is nowhere else",
            |world| {
                leaked(world);
                let a = world.place("a");
                a.godzilla_ok(&["redact", SECRET, "--yes"]);
                a.git(&["remote", "remove", "origin"]);
            },
            |world, how| with(world, "a", &["redact", "--purge", "--yes"], how),
        )
    },
    Scenario {
        also: Some(server_hooks),
        ..scenario("hooks install --server", served, |world, how| {
            with(world, "srv.git", &["hooks", "install", "--server"], how)
        })
    },
    Scenario {
        also: Some(server_hooks),
        ..scenario(
            "hooks uninstall, on a server",
            |world| {
                served(world);
                with(world, "srv.git", &["hooks", "install", "--server"], &WHOLE);
            },
            |world, how| with(world, "srv.git", &["hooks", "uninstall"], how),
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
            |world, how| with(world, "a", &["hooks", "uninstall"], how),
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
            |world, how| with(world, "a", &["hooks", "uninstall"], how),
        )
    },
    Scenario {
        also: Some(|a| a.read("../kept.jsonl")),
        ..scenario("export", planned, |world, how| with(world, "a", &["export", "../kept.jsonl"], how))
    },
    scenario(
        "import",
        |world| {
            planned(world);
            let a = world.place("a");
            a.plan("Another one", &[]);
            a.godzilla_ok(&["export", "../kept.jsonl"]);
            for name in ["0001-add-a-login", "0002-another-one"] {
                a.git(&["update-ref", "-d", &format!("refs/godzilla/protocols/{name}")]);
            }
        },
        |world, how| with(world, "a", &["import", "jsonl", "../kept.jsonl"], how),
    ),
    Scenario {
        also: Some(|a| {
            let config = a.read(".git/config");
            let refs = a.git(&["for-each-ref", "--format=%(refname)", "refs/godzilla*", "refs/notes"]);
            let there = a.path.join(".git/godzilla").exists();
            format!("{config}{}{}{refs}{there}", hook_files(a), a.read(".git/info/exclude"))
        }),
        ..scenario(
            "uninstall",
            |world| {
                let a = world.bare_clone_of("a");
                hook(&a, "post-commit", "#!/bin/sh\ntrue\n");
                a.write(".git/info/exclude", "mine");
                a.write(".git/config", &format!("{}# mine", a.read(".git/config")));
                a.godzilla_ok(&["init", "--yes", "--base-branch", "main"]);
                a.plan("Add a login", &["The form"]);
                a.git(&["config", "godzilla.phases.exec", "codex"]);
                a.git(&["config", "godzilla.engines.codex.model", "m"]);
                // A branch without a stream is one that something was lost of, elsewhere.
                a.git(&["worktree", "remove", "--force", &format!("worktrees/{NAME}")]);
                a.git(&["branch", "--quiet", "-D", NAME]);
            },
            |world, how| with(world, "a", &["uninstall", "--yes", "--discard"], how),
        )
    },
    leaving(
        "uninstall, out of husky",
        |world| {
            with_husky(world);
            with(world, "a", &["hooks", "install", "--into", "husky"], &WHOLE);
        },
        husky_files,
        &["hooks.line_removed", "uninstall.hooks", "uninstall.folder"],
    ),
    leaving(
        "uninstall, out of the configuration",
        |world| {
            in_configuration(world);
            install_in_configuration(world, &WHOLE);
        },
        configured_hooks,
        &["config.taken_back", "hooks.config_unset", "uninstall.hooks"],
    ),
    Scenario {
        also: Some(server_hooks),
        only: Some(&["server_hooks.removed", "uninstall.hooks"]),
        ..scenario(
            "uninstall, on a server",
            |world| {
                served(world);
                with(world, "srv.git", &["hooks", "install", "--server"], &WHOLE);
            },
            |world, env| with(world, "srv.git", &["uninstall", "--yes", "--discard"], env),
        )
    },
];

/// Leaves `place`, and dies only where that is not what every uninstalling does.
const fn leaving(
    name: &'static str,
    set_up: fn(&World),
    also: fn(&Place<'_>) -> String,
    only: &'static [&'static str],
) -> Scenario {
    Scenario {
        also: Some(also),
        only: Some(only),
        ..scenario(name, set_up, |world, env| with(world, "a", &["uninstall", "--yes", "--discard"], env))
    }
}

const REMOVE: &[&str] = &["worktrees", "remove", "1", "--force"];

/// Planned, with files that are staged, changed and new.
pub(super) fn not_committed(world: &World) {
    planned(world);
    let work = worktree(world);
    work.write("staged", "staged\n");
    work.git(&["add", "staged"]);
    work.write("staged", "and changed\n");
    work.write("folder/new", "new\n");
}

/// What lies beside the worktrees of protocols.
pub(super) fn beside_worktrees(a: &Place<'_>) -> String {
    let entries = fs::read_dir(a.path.join("worktrees")).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    format!("{:?}", names.collect::<Vec<_>>())
}

/// All that a person can see in the worktree.
pub(super) fn all_of_worktree(a: &Place<'_>) -> String {
    let dir = format!("worktrees/{NAME}");
    let of_it = |args: &[&str]| a.git(&[&["-C", dir.as_str()], args].concat());
    let content = of_it(&["grep", "--untracked", ""]);
    format!("{}{}{content}", of_it(&["status", "--porcelain"]), of_it(&["diff", "--cached"]))
}

pub(super) const COMMIT: &[&str] = &["commit", "--quiet", "-m", "feat: a form"];

pub(super) fn with(world: &World, place: &str, args: &[&str], how: &How) -> Shown {
    how.run(world.place(place).command(BIN).args(args))
}

pub(super) fn worktree(world: &World) -> Place<'_> {
    world.place(&format!("a/worktrees/{NAME}"))
}

pub(super) fn git(world: &World, args: &[&str], how: &How) -> Shown {
    how.run(worktree(world).command("git").args(args))
}

pub(super) fn list(world: &World) -> Shown {
    with(world, "a", &["list"], &WHOLE)
}

fn is_clean(world: &World) -> bool {
    worktree(world).git(&["status", "--porcelain"]).is_empty()
}

pub(super) fn planned(world: &World) {
    world.clone("a").plan("Add a login", &["The form", "The API"]);
}

/// What goes on, and what lies in the archive, here and at the server.
fn archived(a: &Place<'_>) -> String {
    let server = a.world.place("srv.git");
    let listed = a.godzilla_ok(&["list"]);
    let entries = [a, &server]
        .map(|place| place.try_git(&["ls-tree", "-r", "-d", "--name-only", "refs/godzilla/archive"]).stdout);
    format!("{listed}{}", entries.concat())
}

pub(super) fn over(world: &World) {
    planned(world);
    let a = world.place("a");
    a.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["cancel", "1"]);
    a.godzilla_ok(&["sync"]);
}

const SECRET: &str = "hunter2-hunter2";

/// The name is taken at the remote by the time it is shared.
fn taken(world: &World) {
    let b = world.clone("b");
    planned(world);
    b.plan("Add a login", &["Another form"]);
    b.godzilla_ok(&["sync"]);
}

/// Something that is nobody's concern was shared.
fn leaked(world: &World) {
    planned(world);
    let a = world.place("a");
    a.godzilla_ok(&["comment", SECRET, "-p", "1"]);
    let commit = a.git(&["rev-parse", "HEAD"]);
    let report = ["ci-report", "success", "--job", SECRET, "--protocol", "0099-elsewhere", "--sha"];
    a.godzilla_ok(&[&report[..], &[commit.trim()]].concat());
    a.godzilla_ok(&["sync"]);
    a.write(".git/godzilla/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV/log", SECRET);
}

/// A server with a hook of its own.
pub(super) fn served(world: &World) {
    world.clone("a");
    world.place("srv.git").write_executable("hooks/pre-receive", "#!/bin/sh\ntrue\n");
}

fn server_hooks(a: &Place<'_>) -> String {
    let mut said = String::new();
    for name in ["pre-receive", "pre-receive.godzilla-prev", "post-receive", "post-receive.godzilla-prev"] {
        let text = fs::read_to_string(a.path.join("../srv.git/hooks").join(name)).unwrap_or_default();
        said.extend([name, ": ", &text, "\n"]);
    }
    said
}

pub(super) fn started(world: &World) {
    planned(world);
    with(world, "a", &["start", "1", "-p", "1"], &WHOLE);
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

pub(super) fn ready_to_commit(world: &World) {
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
    let shown = with(world, "a", args, &How::at_point(point, None));
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

/// Others have put theirs over ours, which ran a third.
fn over_two(world: &World) {
    let a = world.bare_clone_of("a");
    for event in ["commit-msg", "pre-push"] {
        hook(&a, event, "#!/bin/sh\ntrue\n");
    }
    a.godzilla_ok(&["init", "--yes"]);
    hook(&a, "commit-msg", "#!/bin/sh\ncall_lefthook run\n");
    hook(&a, "pre-push", "#!/bin/sh\ngit lfs pre-push\n");
}

/// Lefthook has put ours aside and made its hook anew.
fn put_aside(world: &World) {
    let a = world.bare_clone_of("a");
    a.godzilla_ok(&["init", "--yes", "--no-hooks"]);
    hook(&a, "pre-push", "#!/bin/sh\ncall_lefthook run \"pre-push\"\n");
    a.godzilla_ok(&["hooks", "install"]);
    let path = a.path.join(".git/hooks/pre-push");
    fs::rename(&path, path.with_extension("old")).unwrap();
    hook(&a, "pre-push", "#!/bin/sh\n\ncall_lefthook run \"pre-push\"\n");
}

/// The git on `PATH` says that it knows hooks in the configuration.
fn in_configuration(world: &World) {
    let a = world.bare_clone_of("a");
    a.godzilla_ok(&["init", "--yes", "--no-hooks"]);
    a.git(&["config", "core.hooksPath", "/dev/null"]);
    let real = a.git(&["--exec-path"]);
    let text = "#!/bin/sh\n[ \"$1\" != --version ] || exec echo git version 2.55.0\nexec REAL/git \"$@\"\n";
    world.place("bin").write_executable("git", &text.replace("REAL", real.trim()));
}

fn install_in_configuration(world: &World, how: &How) -> Shown {
    let mut command = world.place("a").command(BIN);
    let path = command.get_envs().find(|(key, _)| *key == "PATH").unwrap().1.unwrap().to_owned();
    let dirs = [world.path().join("bin")].into_iter().chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(dirs).unwrap());
    how.run(command.args(["hooks", "install"]))
}

fn configured_hooks(a: &Place<'_>) -> String {
    a.read(".git/config") + &fs::read_to_string(a.path.join(".git/godzilla/hooks.config")).unwrap_or_default()
}

fn with_husky(world: &World) {
    let a = world.bare_clone_of("a");
    a.godzilla_ok(&["init", "--yes", "--no-hooks"]);
    a.git(&["config", "core.hooksPath", ".husky/_"]);
    a.write(".husky/_/h", "");
    a.write(".husky/pre-push", "true");
}

fn husky_files(a: &Place<'_>) -> String {
    let entries = fs::read_dir(a.path.join(".husky")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    let told = |path: &PathBuf| format!("{}: {}", path.display(), fs::read_to_string(path).unwrap());
    files.iter().map(told).collect::<Vec<_>>().concat()
}
