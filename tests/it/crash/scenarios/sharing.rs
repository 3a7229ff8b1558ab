//! What goes to a remote and comes from it, and what is put elsewhere or taken out.

use super::{COMMIT, NAME, Scenario, git, hook, over, planned, ready_to_commit, scenario, with};
use crate::crash::strike::WHOLE;
use crate::support::{Place, World};

pub(super) static SHARING: &[Scenario] = &[
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
];

/// What goes on, and what lies in the archive, here and at the server.
fn archived(a: &Place<'_>) -> String {
    let server = a.world.place("srv.git");
    let listed = a.godzilla_ok(&["list"]);
    let entries = [a, &server]
        .map(|place| place.try_git(&["ls-tree", "-r", "-d", "--name-only", "refs/godzilla/archive"]).stdout);
    format!("{listed}{}", entries.concat())
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

/// `a` and `b` have both gone on with one protocol.
fn diverged(world: &World) {
    planned(world);
    world.place("a").godzilla_ok(&["sync"]);
    let b = world.clone("b");
    b.godzilla_ok(&["comment", "seen by B", "-p", "1"]);
    b.godzilla_ok(&["sync"]);
    world.place("a").godzilla_ok(&["start", "1", "-p", "1"]);
}
