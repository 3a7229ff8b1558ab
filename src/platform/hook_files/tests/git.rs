//! The hooks, called by git.

use super::*;

impl World {
    fn git_in(&self, dir: &Path, args: &[&str]) -> Output {
        let mut git = self.command("git");
        git.args(args)
            .current_dir(dir)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "A U Thor")
            .env("GIT_AUTHOR_EMAIL", "author@example.com")
            .env("GIT_COMMITTER_NAME", "A U Thor")
            .env("GIT_COMMITTER_EMAIL", "author@example.com");
        run(&mut git, b"")
    }

    #[track_caller]
    fn git(&self, args: &[&str]) {
        self.git_ok_in(&self.path("repo"), args);
    }

    #[track_caller]
    fn git_ok_in(&self, dir: &Path, args: &[&str]) {
        let output = self.git_in(dir, args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {stderr}");
    }

    /// A repository with one commit on `main`, in which all events have an
    /// earlier hook.
    fn with_repository(name: &str) -> Self {
        let world = Self::named(name);
        fs::remove_dir_all(world.path("repo")).unwrap();
        fs::create_dir(world.path("repo")).unwrap();
        world.git(&["init", "--quiet", "--template=", "--initial-branch=main"]);
        fs::create_dir(world.hooks()).unwrap();
        world.git(&["commit", "--quiet", "--allow-empty", "-m", "first"]);
        for event in EVENTS {
            world.script(&world.hook(event), "#!/bin/sh\n");
        }
        world.install();
        world
    }

    /// Commits in `dir` and returns the events that reached us.
    #[track_caller]
    fn commit_in(&self, dir: &Path) -> Vec<String> {
        self.calls();
        self.git_ok_in(dir, &["commit", "--quiet", "--allow-empty", "-m", "more"]);
        self.events()
    }

    fn events(&self) -> Vec<String> {
        let calls = self.calls();
        let events = calls.iter().map(|call| {
            let event = call.split(['[', ']']).nth(3);
            event.unwrap_or("no event").to_owned()
        });
        events.collect()
    }
}

/// Of one with `-m`: commit-msg does what prepare-commit-msg would.
const OF_A_COMMIT: [&str; 2] = ["commit-msg", "post-commit"];

#[test]
fn commits_reach_us_on_branches_of_protocols_and_without_a_branch() {
    for name in ["world", "a world with 'spaces'"] {
        let world = World::with_repository(name);
        let repo = world.path("repo");
        assert_eq!(world.commit_in(&repo), [""; 0]);

        world.git(&["switch", "--quiet", "-c", "0007-x"]);
        assert_eq!(world.events(), ["post-checkout"]);
        assert_eq!(world.commit_in(&repo), OF_A_COMMIT);
        world.git(&["commit", "--quiet", "--amend", "--allow-empty", "-m", "again"]);
        assert_eq!(world.events().last().map(String::as_str), Some("post-rewrite"));
        let mapped = String::from_utf8(world.stdin_of("ours").unwrap()).unwrap();
        assert_eq!(mapped.lines().count(), 1);

        world.git(&["switch", "--quiet", "--detach"]);
        assert_eq!(world.commit_in(&repo), OF_A_COMMIT);

        world.git(&["switch", "--quiet", "main"]);
        assert_eq!(world.commit_in(&repo), [""; 0]);
        world.git(&["commit", "--quiet", "--amend", "--allow-empty", "-m", "other"]);
        assert_eq!(world.events(), [""; 0]);
        world.git(&["merge", "--quiet", "0007-x"]);
        assert_eq!(world.events(), ["post-merge"]);
    }
}

#[test]
fn linked_worktrees_have_a_head_of_their_own() {
    let world = World::with_repository("world");
    let linked = world.path("linked");
    let linked_arg = linked.to_str().unwrap();
    world.git(&["worktree", "add", "--quiet", "-b", "0007-x", linked_arg]);
    assert_eq!(world.commit_in(&linked), OF_A_COMMIT);
    assert_eq!(world.commit_in(&world.path("repo")), [""; 0]);

    fs::create_dir(linked.join("sub")).unwrap();
    assert_eq!(world.commit_in(&linked.join("sub")), OF_A_COMMIT);

    world.git_ok_in(&linked, &["switch", "--quiet", "-c", "other"]);
    world.git(&["switch", "--quiet", "0007-x"]);
    assert_eq!(world.commit_in(&linked), [""; 0]);
    assert_eq!(world.commit_in(&world.path("repo")), OF_A_COMMIT);
}

#[test]
fn a_push_gives_both_its_refs() {
    let world = World::with_repository("world");
    world.script(&world.hook("pre-push.godzilla-prev"), &recorder("earlier"));
    world.git(&["init", "--quiet", "--bare", "../remote.git"]);
    world.calls();
    world.git(&["push", "--quiet", "../remote.git", "main"]);
    let calls = world.calls();
    assert_eq!(calls[0], "earlier [../remote.git] [../remote.git]");
    assert_eq!(calls.len(), 2);
    let refs = world.stdin_of("ours").unwrap();
    assert!(refs.starts_with(b"refs/heads/main ") && refs.ends_with(b"\n"));
    assert_eq!(world.stdin_of("earlier").unwrap(), refs);

    let world_fails = ["-c", "core.abbrev=7", "push", "--quiet", "../remote.git", "main:x"];
    world.script(&world.hook("pre-push.godzilla-prev"), "#!/bin/sh\nexit 1\n");
    assert!(!world.git_in(&world.path("repo"), &world_fails).status.success());
    assert_eq!(world.calls(), [""; 0]);
}

/// The program sees from its own name which event it is called for.
#[test]
fn a_link_is_called_by_the_name_of_its_event() {
    let world = World::with_repository("world");
    for event in EVENTS {
        content::remove(&world.hook(&format!("{event}.godzilla-prev"))).unwrap();
    }
    world.script(&world.binary(), "#!/bin/sh\necho \"${0##*/}\" >>\"$CALLS\"\n");
    for event in EVENTS {
        world.link(event);
    }
    assert_eq!(world.status_of("commit-msg").mode, Mode::Symlink);
    world.git(&["commit", "--quiet", "--allow-empty", "-m", "more"]);
    assert_eq!(world.calls(), ["prepare-commit-msg", "commit-msg", "post-commit"]);
}

/// The program is not started for prepare-commit-msg where nobody sees the message before commit-msg.
#[test]
fn only_a_plain_new_commit_is_left_to_commit_msg() {
    if !Path::new("/proc/self/cmdline").exists() {
        return;
    }
    let world = World::with_repository("world");
    world.git(&["switch", "--quiet", "-c", "0007-x"]);
    world.git(&["config", "core.editor", "true"]);
    let prepares = |world: &World, args: &[&str]| {
        world.calls();
        world.git(&[&["commit", "--quiet", "--allow-empty"], args].concat());
        world.events().iter().any(|event| event == "prepare-commit-msg")
    };
    world.file(&world.path("repo/message"), b"feat: new\n", 0o644);
    for args in [
        &["-m", "feat: a"][..],
        &["-qam", "feat(x): a change"],
        &["--message=feat: it runs", "--"],
        &["-F", "message"],
    ] {
        assert!(!prepares(&world, args), "{args:?}");
    }
    for args in [
        &["-m", "feat: a", "--no-verify"][..],
        &["-nm", "feat: a"],
        &["-m", "feat: a\n\nb", "--no-verify"],
        &["-m", "feat: a", "--no-veri"],
        &["--amend", "-m", "feat: a"],
        &["--am", "-m", "feat: a"],
        &["-m", "feat: a", "--edit"],
        &["-C", "HEAD"],
    ] {
        assert!(prepares(&world, args), "{args:?}");
    }
    world.script(&world.hook("commit-msg"), "#!/bin/sh\n");
    assert!(prepares(&world, &["-m", "feat: a"]), "commit-msg is somebody else's");
}

#[test]
fn git_goes_on_when_the_binary_is_gone() {
    let world = World::with_repository("world");
    world.git(&["switch", "--quiet", "-c", "0007-x"]);
    for chained in [true, false] {
        if !chained {
            for event in EVENTS {
                content::remove(&world.hook(&format!("{event}.godzilla-prev"))).unwrap();
            }
            world.install();
        }
        content::remove(&world.binary()).unwrap();
        let args = ["commit", "--quiet", "--allow-empty", "-m", "more"];
        let output = world.git_in(&world.path("repo"), &args);
        assert!(output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        world.script(&world.binary(), &recorder("ours"));
    }
}
