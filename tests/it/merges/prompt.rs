//! What hooks say at once, and what is not looked at twice.

use serde_json::Value;

use super::{NAME, Stage, edit_again, merged, numbered, without_folder};
use crate::support::{Place, World, run};

/// Squashes as a forge does, with a body that names the step, and lets the other clone pull it.
fn pulled(stage: &Stage<'_>, edit: impl FnOnce(&Place<'_>)) -> String {
    stage.squash(edit);
    let body = format!("One change (#1)\n\n* feat: one\n\n  Godzilla-Step: {NAME}/01-one\n\n* feat: two\n");
    stage.home.git(&["commit", "--quiet", "--amend", "-m", &body]);
    stage.home.git(&["push", "--quiet", "origin", "main"]);
    stage.other.try_git(&["pull", "--quiet"]).stderr
}

#[test]
fn a_squash_that_names_its_steps_is_seen_by_the_pull() {
    let world = World::new();
    let stage = Stage::set(&world, &[]);
    stage.work();
    let said = pulled(&stage, without_folder);
    assert!(said.contains("0001-x is merged and completed"), "{said}");
    assert_eq!(merged(&stage.other)["rule"], "squash");
}

#[test]
fn a_body_that_names_steps_proves_nothing() {
    let world = World::new();
    let stage = Stage::set(&world, &[]);
    stage.work();
    let said = pulled(&stage, |home| home.write("two.txt", "something else\n"));
    assert!(!said.contains("merged"), "{said}");
    assert_eq!(merged(&stage.other), Value::Null);
}

/// Runs `show` and returns which commits it asked git about.
fn asked(stage: &Stage<'_>) -> Vec<String> {
    let trace = stage.home.world.path().join("trace");
    std::fs::write(&trace, "").unwrap();
    let mut show = stage.home.command(crate::support::BIN);
    assert_eq!(run(show.args(["show", NAME]).env("GIT_TRACE2", &trace)).code, Some(0));
    let text = std::fs::read_to_string(&trace).unwrap();
    let of_search = |line: &&str| line.contains(" start ") && line.contains(" rev-list ");
    text.lines().filter(of_search).map(str::to_owned).collect()
}

#[test]
fn a_base_is_looked_through_once() {
    let world = World::new();
    let stage = Stage::set(&world, &[]);
    stage.work();
    let next = |n_lines| {
        stage.base("shared.txt", &numbered(n_lines));
        stage.home.git(&["push", "--quiet", "origin", "main"]);
        stage.home.git(&["rev-parse", "HEAD"]).trim().to_owned()
    };
    let first = next(10);
    assert!(!asked(&stage).is_empty());
    assert_eq!(asked(&stage), Vec::<String>::new());

    // What comes later is looked at alone.
    next(11);
    let hidden = format!("^{first}");
    let later = asked(&stage);
    assert!(!later.is_empty() && later.iter().all(|line| line.contains(&hidden)), "{later:?}");

    // What was remembered is damaged, or gone.
    let memory = stage.home.path.join(".git/godzilla/cache/merges").join(NAME);
    std::fs::write(&memory, "damaged").unwrap();
    assert!(!asked(&stage).is_empty());
    assert_eq!(asked(&stage), Vec::<String>::new());

    // A commit of the branch is something else to look for.
    stage.work.commit("three.txt", "feat: three");
    stage.squash(without_folder);
    edit_again(&stage);
    stage.home.git(&["push", "--quiet", "origin", "main"]);
    assert_eq!(merged(&stage.home)["rule"], "squash");
    assert!(!memory.exists(), "nobody asks any more");
}

/// Some commits came in before and some after the base was looked at.
#[test]
fn copies_that_come_one_by_one_add_up() {
    let world = World::new();
    let stage = Stage::set(&world, &[]);
    stage.work();
    for commit in [format!("{NAME}~2..{NAME}~1"), format!("{NAME}~1..{NAME}")] {
        assert_eq!(merged(&stage.home), Value::Null);
        stage.pick(&commit);
        stage.base("base.txt", &commit);
        stage.home.git(&["push", "--quiet", "origin", "main"]);
    }
    edit_again(&stage);
    stage.home.git(&["push", "--quiet", "origin", "main"]);
    assert_eq!(merged(&stage.home)["rule"], "rebase");
}
