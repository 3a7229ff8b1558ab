//! The shim, run by every shell that is here.

use super::*;

const SHELLS: [&[&str]; 5] = [&["sh"], &["dash"], &["bash"], &["busybox", "sh"], &["sh", "-eu"]];

/// A world in which `event` has an earlier hook that records as `earlier`, and
/// HEAD is as given.
struct Shim {
    world: World,
    event: &'static str,
}

impl Shim {
    fn new(event: &'static str, head: &str) -> Self {
        let world = World::new();
        world.script(&world.hook(event), &recorder("earlier"));
        world.install();
        world.file(&world.path("repo/.git/HEAD"), head.as_bytes(), 0o644);
        Self { world, event }
    }

    fn on_protocol(event: &'static str) -> Self {
        Self::new(event, "ref: refs/heads/0007-x\n")
    }

    /// The command that runs the hook as `shell` would.
    fn command(&self, shell: &[&str], args: &[&str]) -> Command {
        self.command_at(self.event, shell, args)
    }

    fn command_at(&self, name: &str, shell: &[&str], args: &[&str]) -> Command {
        let mut command = self.world.command(shell[0]);
        command.args(&shell[1..]).arg(format!(".git/hooks/{name}")).args(args);
        command
    }
}

/// Calls `test` with each shell that can be started.
fn with_each_shell(test: impl Fn(&[&str])) {
    for shell in SHELLS {
        let mut probe = Command::new(shell[0]);
        probe.args(&shell[1..]).args(["-c", ":"]);
        if probe.status().is_ok_and(|status| status.success()) {
            test(shell);
        }
    }
}

#[test]
fn both_get_the_arguments_the_earlier_hook_first() {
    with_each_shell(|shell| {
        let shim = Shim::on_protocol("commit-msg");
        let output = run(&mut shim.command(shell, &["a b", "", "c\nd", "*"]), b"");
        assert!(output.status.success(), "{shell:?}");
        assert_eq!((output.stdout.len(), output.stderr.len()), (0, 0));
        assert_eq!(
            shim.world.calls(),
            ["earlier [a b] [] [c~d] [*]", "ours [hook] [commit-msg] [--via] [file] [--] [a b] [] [c~d] [*]"],
            "{shell:?}"
        );
    });
}

#[test]
fn all_get_the_input_unchanged() {
    let all_bytes: Vec<u8> = (1..=255).collect();
    let long = b"0123456789abcdef refs/heads/x\n".repeat(5000);
    let inputs: [&[u8]; 6] = [b"", b"\n", b"a b\n\n\n", b"no newline", &all_bytes, &long];
    with_each_shell(|shell| {
        for event in ["pre-push", "post-rewrite"] {
            let shim = Shim::on_protocol(event);
            shim.world.append(event, "cat >\"$CALLS.added\"\n");
            for input in inputs {
                let output = run(&mut shim.command(shell, &["x"]), input);
                assert!(output.status.success(), "{shell:?}");
                assert_eq!(String::from_utf8_lossy(&output.stderr), "");
                for who in ["earlier", "ours"] {
                    let got = shim.world.stdin_of(who).unwrap();
                    assert!(got == input, "{shell:?} {who} {:?}", &input[..input.len().min(9)]);
                }
                // Git always ends a line, and so do we.
                let mut input = input.to_vec();
                if !input.is_empty() && !input.ends_with(b"\n") {
                    input.push(b'\n');
                }
                assert!(shim.world.stdin_of("added").unwrap() == input, "{shell:?}");
            }
        }
    });
}

#[test]
fn input_that_nobody_reads_or_gives_does_no_harm() {
    with_each_shell(|shell| {
        let shim = Shim::on_protocol("pre-push");
        let hook = shim.world.hook("pre-push.godzilla-prev");
        shim.world.script(&hook, "#!/bin/sh\nexec <&-\nexit 0\n");
        let input = b"x\n".repeat(100_000);
        let output = run(&mut shim.command(shell, &[]), &input);
        assert!(output.status.success(), "{shell:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell:?}");
        assert!(shim.world.stdin_of("ours").unwrap() == input);

        let mut closed = shim.world.command("sh");
        let script = format!("exec {} .git/hooks/pre-push <&-", shell.join(" "));
        closed.args(["-c", &script]);
        let output = run(&mut closed, b"");
        assert!(output.status.success(), "{shell:?}");
        assert_eq!(shim.world.stdin_of("ours").unwrap(), b"");
    });
}

#[test]
fn a_failure_of_the_earlier_hook_blocks_where_git_would_block() {
    with_each_shell(|shell| {
        for event in EVENTS {
            let shim = Shim::on_protocol(event);
            shim.world.append(event, "echo added >>\"$CALLS\"\n");
            let mut command = shim.command(shell, &["a", "b", "1"]);
            let output = run(command.env("earlier_exit", "3"), b"");
            assert_eq!(output.status.code(), Some(3), "{shell:?} {event}");

            let calls = shim.world.calls();
            let blocks = !event.starts_with("post-");
            assert_eq!(calls.len(), if blocks { 1 } else { 2 }, "{event} {calls:?}");
        }
    });
}

#[test]
fn our_answer_counts_where_git_would_block() {
    with_each_shell(|shell| {
        for event in EVENTS {
            let blocks = !event.starts_with("post-");
            for (exit, blocked) in [(0, 0), (1, 1), (70, 70), (126, 0), (127, 0), (137, 0)] {
                let shim = Shim::on_protocol(event);
                shim.world.append(event, "echo added >>\"$CALLS\"\n");
                let mut command = shim.command(shell, &["a", "b", "1"]);
                let output = run(command.env("ours_exit", exit.to_string()), b"");
                let expected = if blocks { blocked } else { 0 };
                assert_eq!(output.status.code(), Some(expected), "{shell:?} {event} {exit}");
                let calls = shim.world.calls();
                assert_eq!(calls.len(), if expected == 0 { 3 } else { 2 }, "{calls:?}");
            }
        }
    });
}

#[test]
fn the_kill_switch_is_for_ours_alone() {
    with_each_shell(|shell| {
        let shim = Shim::on_protocol("commit-msg");
        run(shim.command(shell, &[]).env("GODZILLA", "0"), b"");
        assert_eq!(shim.world.calls(), ["earlier"], "{shell:?}");
        run(shim.command(shell, &[]).env("GODZILLA", "1"), b"");
        assert_eq!(shim.world.calls().len(), 2, "{shell:?}");
    });
}

#[test]
fn a_missing_binary_is_looked_for_and_then_forgotten() {
    with_each_shell(|shell| {
        let shim = Shim::on_protocol("pre-push");
        let moved = shim.world.path("elsewhere");
        fs::rename(shim.world.path("bin"), &moved).unwrap();
        let output = run(&mut shim.command(shell, &[]), b"x\n");
        assert!(output.status.success(), "{shell:?}");
        assert_eq!(output.stderr, b"", "{shell:?}");
        assert_eq!(shim.world.calls(), ["earlier"], "{shell:?}");

        let path = std::env::var_os("PATH").unwrap();
        let paths = std::iter::once(moved).chain(std::env::split_paths(&path));
        let path = std::env::join_paths(paths).unwrap();
        run(shim.command(shell, &[]).env("PATH", path), b"x\n");
        assert_eq!(shim.world.calls().len(), 2, "{shell:?}");
    });
}

#[test]
fn an_earlier_hook_that_git_would_not_run_is_not_run() {
    with_each_shell(|shell| {
        let shim = Shim::on_protocol("commit-msg");
        let kept = shim.world.hook("commit-msg.godzilla-prev");
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o644)).unwrap();
        let output = run(&mut shim.command(shell, &[]), b"");
        assert!(output.status.success(), "{shell:?}");
        assert_eq!(shim.world.calls(), ["ours [hook] [commit-msg] [--via] [file] [--]"]);
    });
}

#[test]
fn only_branches_of_protocols_concern_us() {
    let cases = [
        ("ref: refs/heads/main\n", false),
        ("ref: refs/heads/007-short\n", false),
        ("ref: refs/heads/0007\n", false),
        ("ref: refs/heads/x/0007-y\n", false),
        ("ref: refs/heads/v0007-y\n", false),
        ("ref: refs/remotes/0007-y\n", false),
        ("ref: refs/heads/0007-x\n", true),
        ("ref: refs/heads/12345-x-y\n", true),
        ("ref: refs/heads/0007-no-newline", true),
        ("ref: refs/heads/.invalid\n", true),
        ("d670460b4b4aece5915caf5c68d12f560a9fe3e4\n", true),
        ("", true),
    ];
    with_each_shell(|shell| {
        for (head, concerns) in cases {
            for event in ["prepare-commit-msg", "commit-msg", "post-commit", "post-rewrite"] {
                let shim = Shim::new(event, head);
                run(&mut shim.command(shell, &[]), b"");
                assert_eq!(shim.world.calls().len(), if concerns { 2 } else { 1 }, "{shell:?} {head}");
            }
        }
    });
}

#[test]
fn pushes_merges_and_checkouts_concern_us_on_any_branch() {
    with_each_shell(|shell| {
        for (event, args, concerns) in [
            ("pre-push", &["origin", "url"][..], true),
            ("post-merge", &["0"], true),
            ("post-checkout", &["old", "new", "1"], true),
            ("post-checkout", &["old", "new", "0"], false),
            ("post-checkout", &[], false),
        ] {
            let shim = Shim::new(event, "ref: refs/heads/main\n");
            run(&mut shim.command(shell, args), b"");
            assert_eq!(shim.world.calls().len(), if concerns { 2 } else { 1 }, "{shell:?} {event}");
        }
    });
}

#[test]
fn head_is_found_where_git_says() {
    with_each_shell(|shell| {
        let shim = Shim::new("commit-msg", "ref: refs/heads/main\n");
        let world = &shim.world;
        let linked = world.path("linked dir ");
        fs::create_dir(&linked).unwrap();
        let head = linked.join("HEAD");
        world.file(&head, b"ref: refs/heads/0007-x\n", 0o644);
        run(shim.command(shell, &[]).env("GIT_DIR", &linked), b"");
        assert_eq!(world.calls().len(), 2, "{shell:?}");

        let hook = world.hook("commit-msg");
        let worktree = world.path("worktree");
        fs::create_dir(&worktree).unwrap();
        for git_file in ["gitdir: ../linked dir \n", "gitdir: /nowhere\n"] {
            world.file(&worktree.join(".git"), git_file.as_bytes(), 0o644);
            let mut command = world.command(shell[0]);
            command.args(&shell[1..]).arg(&hook).current_dir(&worktree);
            run(&mut command, b"");
            assert_eq!(world.calls().len(), 2, "{shell:?} {git_file}");
        }
    });
}

#[test]
fn the_earlier_hook_is_found_by_the_name_the_shim_has_now() {
    with_each_shell(|shell| {
        let shim = Shim::on_protocol("commit-msg");
        let world = &shim.world;
        let legacy = world.hook("commit-msg.legacy");
        fs::rename(world.hook("commit-msg"), &legacy).unwrap();

        run(&mut shim.command_at("commit-msg.legacy", shell, &[]), b"");
        let calls = world.calls();
        assert_eq!(calls, ["earlier", "ours [hook] [commit-msg] [--via] [legacy] [--]"], "{shell:?}");

        // What the manager generated itself it has already run.
        let theirs = recorder("earlier").replacen(
            '\n',
            "\n# File generated by pre-commit: https://pre-commit.com\n",
            1,
        );
        world.script(&world.hook("commit-msg.godzilla-prev"), &theirs);
        run(&mut shim.command_at("commit-msg.legacy", shell, &[]), b"");
        assert_eq!(world.calls(), ["ours [hook] [commit-msg] [--via] [legacy] [--]"], "{shell:?}");

        fs::rename(&legacy, world.hook("other name")).unwrap();
        run(&mut shim.command_at("other name", shell, &[]), b"");
        assert_eq!(world.calls(), ["ours [hook] [commit-msg] [--via] [file] [--]"], "{shell:?}");

        // Without a slash in its name.
        fs::rename(world.hook("other name"), world.hook("commit-msg")).unwrap();
        world.script(&world.hook("commit-msg.godzilla-prev"), &recorder("earlier"));
        let mut command = world.command(shell[0]);
        command.args(&shell[1..]).arg("commit-msg").current_dir(world.hooks());
        run(&mut command, b"");
        assert_eq!(world.calls().len(), 2, "{shell:?}");
    });
}

#[test]
fn any_path_of_the_binary_is_called() {
    with_each_shell(|shell| {
        let world = World::new();
        world.script(&world.hook("pre-push"), &recorder("earlier"));
        let dir = world.path("a 'b' \"c\"\n$(exit 9) `x` \\ @EVENT@ &");
        fs::create_dir(&dir).unwrap();
        let binary = dir.join("git-godzilla");
        fs::rename(world.binary(), &binary).unwrap();
        install(&world.hooks(), &binary, &world.journal()).unwrap();
        let again = install(&world.hooks(), &binary, &world.journal()).unwrap();
        assert_eq!(again, Report::default());

        let shim = Shim { world, event: "pre-push" };
        let output = run(&mut shim.command(shell, &[]), b"");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell:?}");
        assert_eq!(shim.world.calls().len(), 2, "{shell:?}");
    });
}
