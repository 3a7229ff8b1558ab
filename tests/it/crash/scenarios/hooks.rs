//! Hooks that come and go, with those of others, and leaving altogether.

use std::fs;
use std::path::PathBuf;

use super::{NAME, Scenario, hook, scenario, served, with};
use crate::crash::strike::{How, WHOLE};
use crate::support::{BIN, Place, Shown, World};

pub(super) static HOOKS: &[Scenario] = &[
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

fn server_hooks(a: &Place<'_>) -> String {
    let mut said = String::new();
    for name in ["pre-receive", "pre-receive.godzilla-prev", "post-receive", "post-receive.godzilla-prev"] {
        let text = fs::read_to_string(a.path.join("../srv.git/hooks").join(name)).unwrap_or_default();
        said.extend([name, ": ", &text, "\n"]);
    }
    said
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
