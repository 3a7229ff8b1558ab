//! Rewritten, copied and merged commits: each counts once, for the step it was made for, and moves
//! nothing a second time.

use super::{Life, git_with, message, put_script, script, with_each_git, without_tags};
use crate::support::World;

const STEPS: [&str; 4] = ["completed", "completed", "running", "pending"];

/// Two commits of the first step, which is completed, and one of the second.
fn begun(world: &World) -> Life<'_> {
    let life = Life::begin(world);
    life.work.commit("one.txt", "feat: one");
    life.finish("01-one");
    life.work.commit("two.txt", "feat: two");
    assert_eq!(life.statuses(), STEPS);
    life
}

/// Nothing was moved twice, and the commits are these.
#[track_caller]
fn assert_kept(life: &Life<'_>, one: &[&str], two: &[&str]) {
    assert_eq!(life.statuses(), STEPS);
    assert_eq!(life.attempts(), [0, 1, 1, 0]);
    assert_eq!(life.of_step("01-one"), one);
    assert_eq!(life.of_step("02-two"), two);
    life.assert_prompt();
}

/// Makes a commit on `main` and publishes it.
fn advance_main(life: &Life<'_>, file: &str) {
    life.home.commit(file, &format!("chore: {file}"));
    life.home.git(&["push", "--quiet", "origin", "main"]);
}

#[test]
fn amends_replace_their_commit() {
    with_each_git(|world| {
        let life = begun(world);
        life.work.git(&["commit", "--quiet", "--amend", "-m", "feat: two, said better"]);
        assert_kept(&life, &["feat: one", "feat: end 01-one"], &["feat: two, said better"]);
        assert_eq!(message(&life.work, "HEAD").matches("Godzilla-Step").count(), 1);
        life.work.write("two.txt", "better\n");
        life.work.git(&["commit", "--quiet", "--amend", "-a", "--no-edit"]);
        assert_kept(&life, &["feat: one", "feat: end 01-one"], &["feat: two, said better"]);
        assert_eq!(message(&life.work, "HEAD").matches("Godzilla-Step").count(), 1);
        assert_eq!(message(&life.work, "HEAD").matches("[protocol-").count(), 1);
        life.work.git(&["commit", "--quiet", "--amend", "--no-edit", "--reset-author", "--no-verify"]);
        assert_kept(&life, &["feat: one", "feat: end 01-one"], &["feat: two, said better"]);
    });
}

/// What a message amend replaced has the content that a commit which only ticks boxes has, too.
#[test]
fn a_tick_after_an_amend_still_counts() {
    with_each_git(|world| {
        let life = begun(world);
        life.work.git(&["commit", "--quiet", "--amend", "-m", "feat: two, said better"]);
        life.work.tick(&life.name, "02-two");
        life.work.git(&["commit", "--quiet", "-a", "-m", "docs: tick"]);
        assert_eq!(life.statuses(), ["completed", "completed", "completed", "pending"]);
        // The amended tick is no second end.
        life.work.git(&["commit", "--quiet", "--amend", "-m", "docs: ticked"]);
        assert_eq!(life.statuses(), ["completed", "completed", "completed", "pending"]);
        assert_eq!(life.of_step("02-two"), ["feat: two, said better", "docs: ticked"]);
        life.assert_prompt();
    });
}

#[test]
fn fixups_melt_into_the_commit_they_name() {
    with_each_git(|world| {
        let life = begun(world);
        life.work.write("one.txt", "mended\n");
        life.work.git(&["commit", "--quiet", "-a", "--fixup", "HEAD~2"]);
        let said = message(&life.work, "HEAD");
        assert!(said.starts_with("fixup! feat: one [protocol-0001/01]\n\nGodzilla-Step: "), "{said}");
        life.work.git(&["commit", "--quiet", "--allow-empty", "--squash", "HEAD~1", "-m", "And this."]);
        let env = [("GIT_SEQUENCE_EDITOR", "true"), ("GIT_EDITOR", "true")];
        let shown = git_with(
            &life.work,
            &env,
            None,
            &["rebase", "--quiet", "-i", "--autosquash", "--keep-empty", "main"],
        );
        assert_eq!(shown.code, Some(0), "{shown}");
        assert_kept(&life, &["feat: one", "feat: end 01-one"], &["feat: two"]);
        assert_eq!(life.work.git(&["show", "HEAD~2:one.txt"]), "mended\n");
    });
}

#[test]
fn a_rebase_keeps_steps_whichever_way_it_works() {
    with_each_git(|world| {
        let life = begun(world);
        for (idx, backend) in ["--merge", "--apply", "--interactive"].into_iter().enumerate() {
            advance_main(&life, &format!("base{idx}.txt"));
            let messages = life.work.git(&["log", "--format=%B", "main..HEAD"]);
            let env = [("GIT_SEQUENCE_EDITOR", "true"), ("GIT_EDITOR", "true")];
            let shown = git_with(&life.work, &env, None, &["rebase", "--quiet", backend, "main"]);
            assert_eq!(shown.code, Some(0), "{backend}\n{shown}");
            assert_eq!(life.work.git(&["log", "--format=%B", "main..HEAD"]), messages, "{backend}");
            assert_kept(&life, &["feat: one", "feat: end 01-one"], &["feat: two"]);
        }
    });
}

#[test]
fn a_rebase_may_stop_go_on_and_be_given_up() {
    with_each_git(|world| {
        let life = begun(world);
        advance_main(&life, "two.txt");
        let before = life.head();
        for backend in ["--merge", "--apply"] {
            let shown = life.work.try_git(&["rebase", "--quiet", backend, "main"]);
            assert_eq!(shown.code, Some(1), "{backend}\n{shown}");
            // Half-way a command sees the branch where it was.
            assert_kept(&life, &["feat: one", "feat: end 01-one"], &["feat: two"]);
            life.work.git(&["rebase", "--abort"]);
            assert_eq!(life.head(), before);
            assert_kept(&life, &["feat: one", "feat: end 01-one"], &["feat: two"]);
        }
        for (idx, backend) in ["--merge", "--apply"].into_iter().enumerate() {
            if idx > 0 {
                life.home.commit("two.txt", "chore: again");
            }
            assert_eq!(life.work.try_git(&["rebase", "--quiet", backend, "main"]).code, Some(1));
            life.work.write("two.txt", &format!("both {backend}\n"));
            life.work.git(&["add", "two.txt"]);
            let shown = git_with(&life.work, &[("GIT_EDITOR", "true")], None, &["rebase", "--continue"]);
            assert_eq!(shown.code, Some(0), "{backend}\n{shown}");
            assert_kept(&life, &["feat: one", "feat: end 01-one"], &["feat: two"]);
            life.home.git(&["push", "--quiet", "origin", "main"]);
        }
    });
}

#[test]
fn an_interactive_rebase_may_reword_drop_squash_and_add() {
    with_each_git(|world| {
        let life = begun(world);
        life.work.commit("more.txt", "feat: more");
        life.work.commit("waste.txt", "feat: waste");
        let todo = script(
            world,
            "todo",
            "sed -i -e '2s/^pick/reword/' -e '/waste/s/^pick/drop/' -e '/more/s/^pick/squash/' \
             -e '/feat: end/a exec git commit --quiet --allow-empty -m \"feat: between\"' \"$1\"",
        );
        let editor = script(world, "editor", "sed -i 's/^feat: one/feat: first/' \"$1\"");
        let env = [("GIT_SEQUENCE_EDITOR", todo.as_str()), ("GIT_EDITOR", &editor)];
        let shown = git_with(&life.work, &env, None, &["rebase", "--quiet", "-i", "main"]);
        assert_eq!(shown.code, Some(0), "{shown}");
        assert_eq!(life.of_step("01-one"), ["feat: first", "feat: end 01-one"]);
        // A commit that was added half-way names no step, so it goes to the current one.
        assert_eq!(life.of_step("02-two"), ["feat: between", "feat: two"]);
        assert_eq!(life.statuses(), STEPS);
        assert_eq!(life.attempts(), [0, 1, 1, 0]);
        life.assert_prompt();
    });
}

#[test]
fn copies_count_for_this_protocol_and_reverts_for_the_current_step() {
    with_each_git(|world| {
        let life = begun(world);
        let other = Life::plan(&life.home, "Something else");
        other.work.commit("other1.txt", "feat: other one");
        other.work.commit("other2.txt", "feat: other two");
        life.work.git(&["cherry-pick", &format!("{}~2..{0}", other.name)]);
        life.work.git(&["cherry-pick", "-x", "--allow-empty", "--keep-redundant-commits", &other.name]);
        let said = message(&life.work, "HEAD~1");
        assert!(said.contains("Godzilla-Step: 0002-something-else/01-one\n"), "{said}");
        assert!(said.contains("Godzilla-Step: 0001-add-a-login-page/02-two\n"), "{said}");
        assert!(message(&life.work, "HEAD").contains("(cherry picked from commit "));
        let tags = |life: &Life<'_>| {
            let subjects = life.of_step("02-two");
            subjects.iter().map(|subject| without_tags(subject)).collect::<Vec<_>>()
        };
        let copies = ["feat: two", "feat: other one", "feat: other two", "feat: other two"];
        assert_eq!(tags(&life), copies);
        life.assert_prompt();
        other.assert_prompt();

        life.work.git(&["revert", "--no-edit", "HEAD~1"]);
        let said = message(&life.work, "HEAD");
        assert!(
            said.starts_with("Revert \"feat: other two [protocol-0002/01] [protocol-0001/02]\"\n\n"),
            "{said}"
        );
        assert!(said.contains("Godzilla-Step: 0001-add-a-login-page/02-two\n"), "{said}");
        let env = [("GIT_EDITOR", "true")];
        let shown = git_with(&life.work, &env, None, &["revert", "--edit", "HEAD~3"]);
        assert_eq!(shown.code, Some(0), "{shown}");
        assert!(message(&life.work, "HEAD").starts_with("Revert \"feat: other one"));
        assert_eq!(life.of_step("02-two").len(), 6);
        assert_eq!(life.statuses(), STEPS);
        assert_eq!(life.attempts(), [0, 1, 1, 0]);
        life.assert_prompt();
    });
}

#[test]
fn the_base_may_be_merged_into_the_branch() {
    with_each_git(|world| {
        let life = begun(world);
        advance_main(&life, "base.txt");
        life.work.git(&["merge", "--quiet", "--no-edit", "main"]);
        assert!(message(&life.work, "HEAD").starts_with("Merge branch 'main' into 0001-add-a-login-page\n"));
        let merge = "Merge branch 'main' into 0001-add-a-login-page";
        assert_kept(&life, &["feat: one", "feat: end 01-one"], &["feat: two", merge]);
        assert_eq!(life.show()["merged"], serde_json::Value::Null);

        advance_main(&life, "two.txt");
        assert_eq!(life.work.try_git(&["merge", "--quiet", "--no-edit", "main"]).code, Some(1));
        life.work.write("two.txt", "both\n");
        life.work.git(&["add", "two.txt"]);
        let shown = git_with(&life.work, &[("GIT_EDITOR", "true")], None, &["merge", "--continue"]);
        assert_eq!(shown.code, Some(0), "{shown}");
        assert_kept(&life, &["feat: one", "feat: end 01-one"], &["feat: two", merge, merge]);

        // A merge that is up to date, and one that is given up.
        life.work.git(&["merge", "--quiet", "main"]);
        life.home.commit("two.txt", "chore: once more");
        assert_eq!(life.work.try_git(&["merge", "--quiet", "main"]).code, Some(1));
        life.work.git(&["merge", "--abort"]);
        assert_kept(&life, &["feat: one", "feat: end 01-one"], &["feat: two", merge, merge]);
    });
}

/// The branch moves on to a base that took it in, by fast-forward: nothing of that is its work.
#[test]
fn a_branch_may_follow_the_base_that_took_it_in() {
    with_each_git(|world| {
        let life = begun(world);
        let other = Life::plan(&life.home, "Fast forward");
        other.work.commit("forward.txt", "feat: forward");
        for (life, how, n_commits) in [(&other, "--ff-only", 0), (&life, "--no-ff", 1)] {
            life.home.git(&["merge", "--quiet", how, "--no-edit", &life.name]);
            advance_main(life, &format!("after{how}.txt"));
            life.work.git(&["merge", "--quiet", "--ff-only", "main"]);
            let shown = life.show();
            assert_eq!(shown["status"], "completed", "{how}");
            assert_eq!(shown["merged"]["rule"], "ancestry", "{how}");
            assert_eq!(shown["steps"][2]["commits"].as_array().unwrap().len(), n_commits, "{how}");
        }
        assert_eq!(life.statuses(), STEPS, "open steps keep their status");
    });
}

/// The plan's commit is another one after a rebase; work on top of it is merged all the same.
#[test]
fn a_rebased_branch_is_seen_to_be_merged() {
    with_each_git(|world| {
        let life = begun(world);
        advance_main(&life, "base.txt");
        life.work.git(&["rebase", "--quiet", "main"]);
        let only_plan = Life::plan(&life.home, "Only planned");
        advance_main(&life, "base2.txt");
        only_plan.work.git(&["rebase", "--quiet", "main"]);
        life.home.git(&["merge", "--quiet", "--no-edit", &life.name]);
        life.home.git(&["merge", "--quiet", "--no-edit", &only_plan.name]);
        let forward = Life::plan(&life.home, "Fast forward");
        forward.work.commit("forward.txt", "feat: forward");
        forward.work.git(&["rebase", "--quiet", "main"]);
        life.home.git(&["merge", "--quiet", "--ff-only", &forward.name]);
        life.home.git(&["push", "--quiet", "origin", "main"]);
        for merged in [&life, &forward] {
            let shown = merged.show();
            assert_eq!(
                (&shown["status"], &shown["merged"]["rule"]),
                (&"completed".into(), &"ancestry".into())
            );
        }
        assert_eq!(only_plan.show()["merged"], serde_json::Value::Null, "a plan alone is no work");
    });
}

#[test]
fn mails_are_seen_by_the_next_command() {
    with_each_git(|world| {
        let life = Life::begin(world);
        let other = Life::plan(&life.home, "Something else");
        other.work.commit("x.txt", "feat: x");
        other.work.commit("y.txt", "feat: y");
        let patches = world.path().join("patches");
        other.work.git(&["format-patch", "--quiet", "-2", "-o", patches.to_str().unwrap()]);
        let mut files: Vec<_> =
            std::fs::read_dir(&patches).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let mut args = vec!["am", "--quiet"];
        args.extend(files.iter().map(|file| file.to_str().unwrap()));
        life.work.git(&args);
        assert!(!life.has_seen(&life.head()), "git calls no hook of ours for it");
        assert_eq!(life.of_step("01-one").len(), 2);
        assert_eq!(life.statuses(), ["completed", "running", "pending", "pending"]);
        life.assert_prompt();
        other.assert_prompt();
    });
}

/// A hook manager that chains ours gives post-rewrite no input.
#[test]
fn a_rewrite_without_its_pairs_is_found_by_content() {
    with_each_git(|world| {
        let life = begun(world);
        let hook = life.home.path.join(".git/hooks/post-rewrite");
        std::fs::rename(&hook, hook.with_extension("legacy")).unwrap();
        put_script(&hook, "exec \"$0.legacy\" \"$@\" </dev/null");
        life.work.git(&["commit", "--quiet", "--amend", "-m", "feat: two, said better"]);
        advance_main(&life, "base.txt");
        life.work.git(&["rebase", "--quiet", "main"]);
        life.work.write("two.txt", "mended\n");
        life.work.git(&["commit", "--quiet", "--amend", "-a", "--no-edit"]);
        life.assert_sound();
        assert_eq!(life.statuses(), STEPS);
        assert_eq!(life.attempts(), [0, 1, 1, 0]);
        assert_eq!(life.of_step("01-one"), ["feat: one", "feat: end 01-one"]);
        assert_eq!(life.of_step("02-two"), ["feat: two, said better"]);
    });
}
