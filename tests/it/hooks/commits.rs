//! New commits: each belongs to the right step, is recorded once, and is what git would have made.

use super::{Life, git_with, message, refs_and_objects, script, with_each_git};
use crate::support::World;

#[test]
fn a_first_commit_starts_step_and_protocol() {
    with_each_git(|world| {
        let life = Life::begin(world);
        assert_eq!(life.show()["status"], "planned");
        let commit = life.work.commit("form.html", "feat(login): the form");
        assert!(life.has_seen(&commit));
        life.assert_prompt();
        let shown = life.show();
        assert_eq!((&shown["status"], &shown["current_step"]), (&"running".into(), &"01-one".into()));
        assert_eq!(life.statuses(), ["completed", "running", "pending", "pending"]);
        assert_eq!(life.attempts(), [0, 1, 0, 0]);
        assert_eq!(shown["steps"][1]["commits"], serde_json::json!([commit]));
        life.work.commit("more.html", "feat(login): more");
        assert_eq!(life.attempts(), [0, 1, 0, 0], "a second commit is no second attempt");
        life.assert_prompt();
    });
}

#[test]
fn every_way_to_commit_is_seen_once() {
    with_each_git(|world| {
        let life = Life::begin(world);
        let work = &life.work;
        let editor =
            script(world, "editor", "{ echo 'feat: typed'; cat \"$1\"; } >\"$1.n\" && mv \"$1.n\" \"$1\"");
        work.commit("a.txt", "feat: a");
        std::fs::write(world.path().join("home/message"), "feat: from a file\n").unwrap();
        let file = world.path().join("home/message");
        for (idx, args) in [
            &["commit", "--quiet", "-a", "-m", "feat: all"][..],
            &["commit", "--quiet", "-a", "-F", file.to_str().unwrap()],
            &["commit", "--quiet", "-a"],
            &["commit", "--quiet", "-a", "-v"],
            &["commit", "--quiet", "-a", "--no-verify", "-m", "feat: unverified"],
            &["-C", ".protocols", "commit", "--quiet", "-a", "-m", "feat: from a subdirectory"],
        ]
        .into_iter()
        .enumerate()
        {
            work.write("a.txt", &format!("{idx}\n"));
            let shown = git_with(work, &[("GIT_EDITOR", &editor)], None, args);
            assert_eq!(shown.code, Some(0), "{args:?}\n{shown}");
            assert!(life.has_seen(&life.head()), "{args:?}\n{shown}");
            assert!(message(work, "HEAD").contains("[protocol-0001/01]"), "{args:?}");
        }
        work.git(&["commit", "--quiet", "--allow-empty", "-m", "feat: empty"]);
        assert!(life.has_seen(&life.head()));

        // What is staged beside a partial commit stays staged.
        work.write("staged.txt", "s\n");
        work.git(&["add", "staged.txt"]);
        for options in [&["-o"][..], &[], &["-i"]] {
            work.write("a.txt", &format!("partial {options:?}\n"));
            let mut args = vec!["commit", "--quiet", "-m", "feat: partial"];
            args.extend(options);
            args.extend(["--", "a.txt"]);
            work.git(&args);
            assert!(life.has_seen(&life.head()), "{options:?}");
            let staged = work.git(&["diff", "--cached", "--name-only"]);
            assert_eq!(staged.trim(), if options == ["-i"] { "" } else { "staged.txt" }, "{options:?}");
        }
        assert_eq!(work.git(&["status", "--porcelain"]), "");
        assert_eq!(life.of_step("01-one").len(), 11);
        assert_eq!(life.attempts(), [0, 1, 0, 0]);
        life.assert_prompt();
    });
}

#[test]
fn other_branches_and_no_branch_are_left_alone() {
    with_each_git(|world| {
        let life = Life::begin(world);
        let (home, work) = (&life.home, &life.work);
        work.commit("a.txt", "feat: a");
        let ours =
            |home: &crate::support::Place<'_>| home.git(&["for-each-ref", "refs/godzilla", "refs/notes"]);
        let before = ours(home);
        let unchanged = |place: &crate::support::Place<'_>, what: &str| {
            place.write("b.txt", &format!("{what}\n"));
            place.git(&["add", "--all"]);
            let shown = place.try_git(&["commit", "-m", "any words\n\n  at all"]);
            assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""), "{what}");
            assert_eq!(message(place, "HEAD"), "any words\n\n  at all\n\n", "{what}");
            place.git(&["commit", "--quiet", "--amend", "-m", "other words"]);
            assert_eq!(message(place, "HEAD"), "other words\n\n", "{what}");
            assert_eq!(ours(home), before, "{what}");
        };
        unchanged(home, "main");
        home.git(&["switch", "--quiet", "--create", "topic/0001-add-a-login-page"]);
        unchanged(home, "topic");
        home.git(&["switch", "--quiet", "--create", "0009-nobodys"]);
        unchanged(home, "a branch that only looks like a protocol's");
        home.git(&["switch", "--quiet", "--orphan", "fresh"]);
        unchanged(home, "orphan");
        work.git(&["checkout", "--quiet", "--detach"]);
        unchanged(work, "detached");
        work.git(&["checkout", "--quiet", &life.name]);
        assert_eq!(ours(home), before);
        life.assert_sound();
        work.commit("c.txt", "feat: c");
        life.assert_prompt();
    });
}

#[test]
fn strange_places_work_as_any_other() {
    let plays = |world: &World| {
        let life = Life::plan(&world.clone("my clöne 'a'"), "Add a login page");
        let commit = life.work.commit("ein Wort.txt", "feat: größer");
        assert_eq!(commit.len(), if world.is_sha256() { 64 } else { 40 });
        assert!(life.has_seen(&commit));
        life.finish("01-one");
        life.work.git(&["commit", "--quiet", "--amend", "-m", "feat: said better"]);
        assert_eq!(life.statuses(), ["completed", "completed", "pending", "pending"]);
        life.assert_prompt();
        // The main worktree itself can be on the branch.
        life.work.git(&["checkout", "--quiet", "--detach"]);
        life.home.git(&["switch", "--quiet", &life.name]);
        life.home.commit("b.txt", "feat: b");
        assert_eq!(life.statuses(), ["completed", "completed", "running", "pending"]);
        life.assert_prompt();
        life.home.git(&["fsck", "--strict", "--no-dangling"]);
    };
    with_each_git(plays);
    for dir in super::git_folders() {
        plays(&World::with(Some(dir), true));
    }
}

/// What a hook inherits names the repository of the commit, wherever it was called from.
#[test]
fn git_dir_and_work_tree_may_be_given() {
    with_each_git(|world| {
        let life = Life::begin(world);
        let git_dir = life.work.git(&["rev-parse", "--absolute-git-dir"]);
        life.work.write("a.txt", "a\n");
        let elsewhere = world.place("home");
        let (git_dir, tree) =
            (format!("--git-dir={}", git_dir.trim()), format!("--work-tree={}", life.work.path.display()));
        elsewhere.git(&[&git_dir, &tree, "add", "--all"]);
        elsewhere.git(&[&git_dir, &tree, "commit", "--quiet", "-m", "feat: from elsewhere"]);
        assert!(life.has_seen(&life.head()));
        life.assert_prompt();
    });
}

#[test]
fn a_switch_turns_hooks_off() {
    with_each_git(|world| {
        let life = Life::begin(world);
        life.work.write("a.txt", "a\n");
        life.work.git(&["add", "--all"]);
        let before = refs_and_objects(&life.home).0;
        git_with(&life.work, &[("GODZILLA", "0")], None, &["commit", "--quiet", "-m", "feat: a"]);
        assert_eq!(message(&life.work, "HEAD").trim_end(), "feat: a");
        let ours = |refs: &str| refs.lines().filter(|line| line.contains("godzilla")).count();
        assert_eq!(ours(&refs_and_objects(&life.home).0), ours(&before));
        assert!(!life.has_seen(&life.head()));
        assert_eq!(life.of_step("01-one"), ["feat: a"], "the next command finds it");
        life.assert_sound();
    });
}
