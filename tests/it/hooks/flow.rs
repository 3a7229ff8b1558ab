//! How steps move: by first commits, by ticked boxes, by a trailer; and when they must not.

use super::{Life, message, with_each_git};
use crate::support::{Shown, World};

/// What our hooks said, a line each.
fn said(shown: &Shown) -> Vec<&str> {
    shown.stderr.lines().filter_map(|line| line.strip_prefix("git-godzilla: ")).collect()
}

/// Commits a file and returns what was shown.
fn try_commit(life: &Life<'_>, file: &str, message: &str) -> Shown {
    life.work.write(file, &format!("{message}\n"));
    life.work.git(&["add", "--all"]);
    life.work.try_git(&["commit", "--quiet", "-m", message])
}

#[test]
fn the_last_box_completes_a_step_without_qa() {
    let world = World::new();
    let life = Life::begin(&world);
    life.work.commit("a.txt", "feat: a");
    life.work.tick(&life.name, "01-one");
    let shown = try_commit(&life, "b.txt", "feat: b");
    assert_eq!(said(&shown), ["step 01-one is completed; next is 02-two"]);
    assert_eq!(life.statuses(), ["completed", "completed", "pending", "pending"]);
    assert_eq!(life.show()["current_step"], "02-two");
    life.assert_prompt();
    // The next commit carries the next step's tag and starts it.
    life.work.commit("c.txt", "feat: c");
    assert!(message(&life.work, "HEAD").contains("[protocol-0001/02]"));
    assert_eq!(life.statuses(), ["completed", "completed", "running", "pending"]);
    // A first commit may be the last one, too.
    life.finish("02-two");
    life.work.tick(&life.name, "03-three");
    let shown = try_commit(&life, "d.txt", "feat: d");
    assert_eq!(said(&shown), ["step 03-three is completed; every step is settled"]);
    assert_eq!(life.attempts(), [0, 1, 1, 1]);
    assert_eq!(life.show()["status"], "running", "only a merge completes it");
    life.assert_prompt();
}

#[test]
fn the_last_box_asks_for_qa_where_the_plan_does() {
    let world = World::new();
    let life = Life::plan_with(&world.clone("a"), "Add a login page", &["--qa", "full"]);
    life.work.tick(&life.name, "01-one");
    let shown = try_commit(&life, "a.txt", "feat: a");
    assert_eq!(said(&shown), ["step 01-one is done and needs QA"]);
    assert_eq!(life.statuses(), ["completed", "needs_qa", "pending", "pending"]);
    // A later commit stays with the step, whatever is ticked again.
    let step = format!(".protocols/{}/01-one.md", life.name);
    life.work.write(&step, &life.work.read(&step).replace("- [x]", "- [ ]"));
    assert_eq!(said(&try_commit(&life, "b.txt", "feat: b")), [""; 0]);
    life.work.tick(&life.name, "01-one");
    assert_eq!(said(&try_commit(&life, "c.txt", "feat: c")), [""; 0]);
    assert_eq!(life.statuses(), ["completed", "needs_qa", "pending", "pending"]);
    assert_eq!(life.of_step("01-one"), ["feat: a", "feat: b", "feat: c"]);
    assert_eq!(life.attempts(), [0, 1, 0, 0]);
    life.assert_prompt();
    life.home.godzilla_ok(&["approve", "1", "-p", &life.name]);
    assert_eq!(life.show()["current_step"], "02-two");
}

#[test]
fn a_trailer_says_done() {
    let world = World::new();
    let life = Life::begin(&world);
    let shown = try_commit(&life, "a.txt", "feat: a\n\nGodzilla-Status: done");
    assert_eq!(said(&shown), ["step 01-one is completed; next is 02-two"]);
    let trailers = life.work.git(&["log", "-1", "--format=%(trailers:only)"]);
    assert_eq!(trailers.trim(), "Godzilla-Status: done\nGodzilla-Step: 0001-add-a-login-page/01-one");
    assert_eq!(life.statuses(), ["completed", "completed", "pending", "pending"]);
    life.assert_prompt();
}

#[test]
fn ticking_again_repeats_nothing() {
    let world = World::new();
    let life = Life::begin(&world);
    life.finish("01-one");
    let n_events = life.recorded().len();
    let step = format!(".protocols/{}/01-one.md", life.name);
    life.work.write(&step, &life.work.read(&step).replace("- [x]", "- [ ]"));
    let to_one = "\n\nGodzilla-Step: 0001-add-a-login-page/01-one";
    try_commit(&life, "a.txt", &format!("docs: untick{to_one}"));
    life.work.tick(&life.name, "01-one");
    let shown = try_commit(&life, "b.txt", &format!("docs: tick again{to_one}"));
    assert_eq!(
        said(&shown),
        ["step 01-one is completed (step.over); name another step in the `Godzilla-Step` trailer"]
    );
    assert_eq!(life.recorded().len(), n_events + 2, "two commits and nothing else");
    assert_eq!(life.statuses(), ["completed", "completed", "pending", "pending"]);
    assert_eq!(life.attempts(), [0, 1, 0, 0]);
    life.assert_prompt();
}

/// Boxes in code and in other steps' files end nothing; a file without boxes neither.
#[test]
fn only_the_last_box_of_the_step_itself_counts() {
    let world = World::new();
    let life = Life::begin(&world);
    life.work.tick(&life.name, "02-two");
    life.work.commit("a.txt", "docs: tick the second");
    assert_eq!(life.statuses(), ["completed", "running", "pending", "pending"]);
    let step = format!(".protocols/{}/01-one.md", life.name);
    let text = life.work.read(&step).replace("- [ ]", "- [x] a thing\n- [ ]");
    life.work.write(&step, &text);
    life.work.commit("b.txt", "docs: tick one of two");
    assert_eq!(life.statuses()[1], "running");
    life.work
        .write(&step, &text.lines().filter(|line| !line.starts_with("- [")).collect::<Vec<_>>().join("\n"));
    life.work.commit("c.txt", "docs: no boxes");
    assert_eq!(life.statuses()[1], "running");
    life.assert_prompt();
}

#[test]
fn a_commit_may_name_another_step() {
    let world = World::new();
    let life = Life::begin(&world);
    life.finish("01-one");
    // By trailer, which wins over a tag; by tag alone; a step that is over takes late commits.
    life.work
        .commit("a.txt", "fix: a late one [protocol-0001/02]\n\nGodzilla-Step: 0001-add-a-login-page/01-one");
    assert_eq!(message(&life.work, "HEAD").matches("Godzilla-Step").count(), 1);
    assert_eq!(life.of_step("01-one"), ["feat: end 01-one", "fix: a late one"]);
    life.home.git(&["config", "core.hooksPath", "/dev/null"]);
    life.work.commit("b.txt", "fix: by tag [protocol-0001/01]");
    life.home.git(&["config", "--unset", "core.hooksPath"]);
    assert_eq!(life.of_step("01-one").len(), 3);
    assert_eq!(life.statuses(), ["completed", "completed", "pending", "pending"]);
    assert_eq!(life.attempts(), [0, 1, 0, 0]);
    life.assert_prompt();
}

#[test]
fn a_commit_out_of_order_moves_nothing() {
    let world = World::new();
    let life = Life::begin(&world);
    let shown =
        try_commit(&life, "a.txt", "feat: too early\n\nGodzilla-Step: 0001-add-a-login-page/03-three");
    assert_eq!(shown.code, Some(0));
    let commit = life.work.git(&["rev-parse", "--short=10", "HEAD"]);
    let [line] = said(&shown)[..] else { panic!("{shown}") };
    assert_eq!(
        line,
        format!("commit {} is recorded and moves nothing: step 03-three waits for 02-two", commit.trim())
    );
    assert_eq!(life.statuses(), ["completed", "pending", "pending", "pending"]);
    assert_eq!(life.of_step("03-three"), ["feat: too early"]);
    life.assert_prompt();
}

#[test]
fn a_step_that_no_plan_has_is_named() {
    let world = World::new();
    let life = Life::begin(&world);
    let shown = try_commit(&life, "a.txt", "feat: x\n\nGodzilla-Step: 0001-add-a-login-page/09-nine");
    let remedy = "the plan has no step 09-nine (step.unknown); git godzilla show 0001-add-a-login-page";
    assert_eq!((shown.code, said(&shown)), (Some(0), vec![remedy]));
    assert!(life.has_seen(&life.head()));
    assert_eq!(life.statuses(), ["completed", "pending", "pending", "pending"]);
}

#[test]
fn what_is_held_is_recorded_and_said_once() {
    let world = World::new();
    let life = Life::begin(&world);
    life.work.commit("a.txt", "feat: a");
    life.home.godzilla_ok(&["block", "1", "-p", &life.name, "--reason", "waiting"]);
    life.work.tick(&life.name, "01-one");
    for (no_verify, file) in [(false, "b.txt"), (true, "c.txt")] {
        life.work.write(file, "x\n");
        life.work.git(&["add", "--all"]);
        let mut args = vec!["commit", "--quiet", "-m", "feat: while blocked"];
        args.extend(no_verify.then_some("--no-verify"));
        let shown = life.work.try_git(&args);
        let [line] = said(&shown)[..] else { panic!("{shown}") };
        assert!(line.ends_with("is recorded and moves nothing: step 01-one is blocked"), "{line}");
    }
    assert_eq!(life.statuses(), ["completed", "blocked", "pending", "pending"]);
    assert_eq!(life.of_step("01-one").len(), 3);
    life.assert_prompt();
    life.home.godzilla_ok(&["unblock", "1", "-p", &life.name]);
    assert_eq!(life.statuses(), ["completed", "running", "pending", "pending"]);

    life.home.godzilla_ok(&["pause", &life.name]);
    let shown = try_commit(&life, "d.txt", "feat: while paused\n\nGodzilla-Status: done");
    let [line] = said(&shown)[..] else { panic!("{shown}") };
    assert!(line.ends_with("is recorded and moves nothing: the protocol is paused"), "{line}");
    assert_eq!(life.show()["status"], "paused");
    assert_eq!(life.statuses()[1], "running");
    life.assert_prompt();
    life.home.godzilla_ok(&["resume", &life.name]);
    assert_eq!(life.statuses()[1], "running");
}

#[test]
fn a_step_that_was_skipped_lets_the_next_one_go_on() {
    let world = World::new();
    let life = Life::begin(&world);
    life.home.godzilla_ok(&["skip", "1", "-p", &life.name, "--reason", "not needed"]);
    life.work.commit("a.txt", "feat: a");
    assert!(message(&life.work, "HEAD").contains("[protocol-0001/02]"));
    assert_eq!(life.statuses(), ["completed", "cancelled", "running", "pending"]);
    life.assert_prompt();
}

#[test]
fn a_cancelled_protocol_takes_no_tags_and_moves_nothing() {
    let world = World::new();
    let life = Life::begin(&world);
    life.home.godzilla_ok(&["cancel", &life.name]);
    let shown = try_commit(&life, "a.txt", "feat: a");
    assert_eq!(shown.code, Some(0));
    assert_eq!(message(&life.work, "HEAD").trim_end(), "feat: a");
    assert_eq!(life.show()["status"], "cancelled");
    assert_eq!(life.statuses(), ["completed", "cancelled", "cancelled", "cancelled"]);
}

#[test]
fn strict_mode_refuses_with_the_remedy() {
    with_each_git(|world| {
        let life = Life::begin(world);
        life.home.git(&["config", "godzilla.commit.strict", "true"]);
        let refused = |message: &str, what: &str| {
            let before = life.head();
            let shown = try_commit(&life, "x.txt", message);
            assert_eq!(shown.code, Some(1), "{message}\n{shown}");
            assert!(shown.stderr.contains(what), "{what}\n{shown}");
            assert!(shown.stderr.contains("the commit was refused, because commit.strict is set"), "{shown}");
            assert_eq!(life.head(), before);
        };
        refused("just words", "(message.type); write `type(scope): subject [protocol-0001/01]`");
        refused(
            "feat: x\n\nGodzilla-Step: 0001-add-a-login-page/03-three",
            "step 03-three waits for 02-two (step.order)",
        );
        refused("feat: x\n\nGodzilla-Step: 0001-add-a-login-page/09-nine", "(step.unknown)");
        refused(
            "feat: x\n\nGodzilla-Step: 0001-add-a-login-page/00-setup",
            "step 00-setup is completed (step.over)",
        );
        life.home.godzilla_ok(&["pause", &life.name]);
        refused("feat: x", "(protocol.paused); git godzilla resume 0001-add-a-login-page");
        life.home.godzilla_ok(&["resume", &life.name]);
        life.home.godzilla_ok(&["block", "1", "-p", &life.name, "--reason", "waiting"]);
        refused("feat: x", "(step.blocked); git godzilla unblock 01-one -p 0001-add-a-login-page");
        life.home.godzilla_ok(&["unblock", "1", "-p", &life.name]);
        assert_eq!(life.statuses(), ["completed", "pending", "pending", "pending"]);

        // What keeps the contract passes, and so does git's own: fixups, merges, reverts.
        life.work.commit("a.txt", "feat(login): a");
        life.work.commit("a.txt", "fixup! feat(login): a");
        life.work.git(&["revert", "--no-edit", "HEAD"]);
        life.home.commit("base.txt", "any words, for this is main");
        life.work.git(&["merge", "--quiet", "--no-edit", "main"]);
        life.work.git(&["commit", "--quiet", "--allow-empty", "--no-verify", "-m", "words, unverified"]);
        assert_eq!(life.of_step("01-one").len(), 5);
    });
}
