//! One clone after the other, and two at once.

use super::{NAME, op_of, ops, planned, refusal, told};
use crate::support::{Place, World};

/// Sends what each clone has to the other, twice, so that both have all.
fn share(a: &Place<'_>, b: &Place<'_>) {
    for place in [a, b, a, b] {
        place.godzilla_ok(&["sync"]);
    }
    let shown = |place: &Place<'_>| place.godzilla_ok(&["log", NAME, "--json"]);
    assert_eq!(shown(a), shown(b));
    assert_eq!(a.statuses(NAME), b.statuses(NAME));
}

fn two_clones(world: &World) -> (Place<'_>, Place<'_>) {
    let a = world.clone("a");
    planned(&a, &["--qa", "full"]);
    a.godzilla_ok(&["sync"]);
    let b = world.clone("b");
    assert_eq!(b.statuses(NAME), ["completed", "pending", "pending"]);
    (a, b)
}

#[test]
fn again_goes_further_back_and_redo_the_other_way() {
    let world = World::new();
    let a = world.clone("a");
    planned(&a, &["--qa", "full"]);
    let start = a.statuses(NAME);
    a.godzilla_ok(&["start", "-p", NAME]);
    a.godzilla_ok(&["block", "-p", NAME]);
    a.godzilla_ok(&["comment", "a fact", "-p", NAME]);
    let blocked = a.statuses(NAME);
    for want in [&["completed", "running", "pending"][..], &["completed", "pending", "pending"]] {
        a.godzilla_ok(&["undo"]);
        assert_eq!(a.statuses(NAME), want);
    }
    assert_eq!(a.statuses(NAME), start);
    assert_eq!(a.json(&["show", NAME])["status"], "planned");
    a.godzilla_ok(&["undo"]);
    assert_eq!(a.json(&["show", NAME])["status"], "cancelled");
    assert_eq!(refusal(&a, &["undo"]), ("undo.nothing".to_owned(), 4));
    a.godzilla_ok(&["redo"]);
    assert_eq!(a.statuses(NAME), start);
    for want in [&["completed", "running", "pending"][..], &["completed", "blocked", "pending"]] {
        a.godzilla_ok(&["redo"]);
        assert_eq!(a.statuses(NAME), want);
    }
    assert_eq!(a.statuses(NAME), blocked);
    assert_eq!(refusal(&a, &["redo"]), ("redo.nothing".to_owned(), 4));
    // And back once more.
    a.godzilla_ok(&["undo"]);
    assert_eq!(a.statuses(NAME), ["completed", "running", "pending"]);
    assert_eq!(a.json(&["redo"])["protocols"][0]["steps"][0]["status"], "blocked");
}

#[test]
fn any_command_of_the_list_may_be_named_by_the_beginning_of_its_id() {
    let world = World::new();
    let (a, b) = two_clones(&world);
    a.godzilla_ok(&["pause", NAME]);
    share(&a, &b);
    // Nothing of it is this clone's own.
    assert_eq!(refusal(&b, &["undo"]), ("undo.nothing".to_owned(), 4));
    let op = op_of(&b, "paused");
    assert_eq!(b.json(&["undo", &op.to_lowercase(), "--dry-run"])["of"], op.as_str());
    assert_eq!(b.json(&["show", NAME])["status"], "paused", "a dry run changes nothing");
    let done = b.json(&["undo", &op]);
    assert_eq!(done["protocols"][0]["name"], NAME);
    assert_eq!(b.json(&["show", NAME])["status"], "planned");
    assert_eq!(refusal(&b, &["undo", &op]), ("undo.already".to_owned(), 4));
    assert_eq!(refusal(&b, &["undo", "ZZZZ"]), ("op.unknown".to_owned(), 3));
    assert_eq!(refusal(&b, &["undo", "0"]), ("usage".to_owned(), 2));
    share(&a, &b);
    // The clone that had paused it may have that back, whoever took it.
    a.godzilla_ok(&["redo", &op]);
    assert_eq!(a.json(&["show", NAME])["status"], "paused");
    let undone: Vec<bool> = ops(&a).iter().map(|op| op["undone"].as_bool().unwrap()).collect();
    assert_eq!(undone, [false, false, true, false], "the plan, pause, undo, redo");
}

#[test]
fn facts_are_not_taken_back() {
    let world = World::new();
    let a = world.clone("a");
    planned(&a, &[]);
    a.godzilla_ok(&["comment", "a fact", "-p", NAME]);
    let note = op_of(&a, "note");
    let shown = a.godzilla(&["undo", &note]);
    assert_eq!(shown.code, Some(4));
    assert!(shown.stderr.contains("facts cannot be taken back"), "{shown}");
    assert_eq!(refusal(&a, &["redo"]), ("redo.nothing".to_owned(), 4));
    a.godzilla_ok(&["cancel", NAME]);
    a.godzilla_ok(&["undo"]);
    assert_eq!(a.json(&["show", NAME])["status"], "planned");
}

#[test]
fn two_clones_take_the_same_back_and_one_redo_brings_it_back() {
    let world = World::new();
    let (a, b) = two_clones(&world);
    a.godzilla_ok(&["start", "-p", NAME]);
    share(&a, &b);
    let op = op_of(&b, "step 01-one");
    a.godzilla_ok(&["undo"]);
    b.godzilla_ok(&["undo", &op]);
    share(&a, &b);
    assert_eq!(a.statuses(NAME), ["completed", "pending", "pending"]);
    // The redo names both.
    b.godzilla_ok(&["redo"]);
    share(&a, &b);
    assert_eq!(a.statuses(NAME), ["completed", "running", "pending"]);
    let undos = |outcome: &str| told(&a).iter().filter(|line| **line == format!("undo {outcome}")).count();
    assert_eq!((undos("undone"), undos("accepted")), (2, 1));
}

#[test]
fn an_undo_that_a_redo_did_not_see_still_holds() {
    let world = World::new();
    let (a, b) = two_clones(&world);
    a.godzilla_ok(&["start", "-p", NAME]);
    share(&a, &b);
    let op = op_of(&b, "step 01-one");
    a.godzilla_ok(&["undo"]);
    a.godzilla_ok(&["redo"]);
    b.godzilla_ok(&["undo", &op]);
    assert_eq!(a.statuses(NAME), ["completed", "running", "pending"]);
    share(&a, &b);
    assert_eq!(a.statuses(NAME), ["completed", "pending", "pending"]);
    a.godzilla_ok(&["redo", &op]);
    share(&a, &b);
    assert_eq!(b.statuses(NAME), ["completed", "running", "pending"]);
}

#[test]
fn what_others_built_on_is_refused_where_it_is_seen_and_falls_where_it_is_not() {
    let world = World::new();
    let (a, b) = two_clones(&world);
    a.godzilla_ok(&["start", "-p", NAME]);
    a.godzilla_ok(&["done", "-p", NAME, "--no-commit"]);
    share(&a, &b);
    let op = op_of(&a, "needs_qa");
    // Seen: refused, and the hint names what is to be taken back first.
    b.godzilla_ok(&["approve", "1", "-p", NAME]);
    let shown = b.godzilla(&["undo", &op]);
    assert_eq!(shown.code, Some(4));
    let approval = op_of(&b, "completed");
    assert!(shown.stderr.contains("`step 01-one: needs_qa -> completed` by Ada at "), "{shown}");
    let named = shown.stderr.split("git godzilla undo ").nth(1).unwrap().lines().next().unwrap();
    assert!(named.len() >= 13 && approval.starts_with(named), "{shown}");
    // Not seen: the undo wins, and `log` says why.
    a.godzilla_ok(&["undo"]);
    share(&a, &b);
    assert_eq!(b.statuses(NAME), ["completed", "running", "pending"]);
    let log = b.godzilla_ok(&["log", NAME]);
    let fell = log.lines().find(|line| line.contains("needs_qa -> completed")).unwrap();
    assert!(fell.contains("because `step 01-one: running -> needs_qa` was undone by Ada"), "{log}");
    // Nothing of the command counts, so there is nothing to take back of it …
    assert_eq!(refusal(&b, &["undo", &approval]), ("undo.idle".to_owned(), 4));
    let said = b.godzilla(&["undo"]).stderr;
    assert!(said.contains(&format!("({named}), the last command of this clone")), "{said}");
    assert!(said.contains("; `step 01-one: running -> needs_qa` was undone"), "{said}");
    // … until the redo, with which it counts again.
    a.godzilla_ok(&["redo"]);
    share(&a, &b);
    assert_eq!(b.statuses(NAME), ["completed", "completed", "pending"]);
}

#[test]
fn the_last_command_is_that_of_this_clone_whatever_came_since() {
    let world = World::new();
    let (a, b) = two_clones(&world);
    a.godzilla_ok(&["start", "1", "-p", NAME]);
    share(&a, &b);
    b.godzilla_ok(&["block", "2", "-p", NAME]);
    share(&a, &b);
    a.godzilla_ok(&["undo"]);
    assert_eq!(a.statuses(NAME), ["completed", "pending", "blocked"]);
    share(&a, &b);
    b.godzilla_ok(&["undo"]);
    share(&a, &b);
    assert_eq!(a.statuses(NAME), ["completed", "pending", "pending"]);
    let planned = a.plan("Fix the till", &["Look"]);
    planned.godzilla_ok(&["start"]);
    a.godzilla_ok(&["pause", NAME]);
    // Over all protocols, the newest first.
    assert_eq!(a.json(&["undo"])["protocols"][0]["name"], NAME);
    assert_eq!(a.json(&["undo"])["protocols"][0]["name"], "0002-fix-the-till");
}

#[test]
fn one_command_in_two_protocols_is_taken_back_in_both() {
    let world = World::new();
    let a = world.clone("a");
    let one = planned(&a, &[]);
    let two = a.plan("Fix the till", &["Look"]);
    a.godzilla_ok(&["hooks", "uninstall"]);
    one.commit("a.txt", "feat: a");
    two.commit("b.txt", "feat: b");
    // Without hooks the next command finds both commits.
    a.godzilla_ok(&["list"]);
    let op = op_of(&a, "pending -> running");
    let undone = a.json(&["undo"]);
    assert_eq!(undone["of"], op.as_str());
    let names: Vec<&str> =
        undone["protocols"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, [NAME, "0002-fix-the-till"]);
    assert_eq!(a.statuses(NAME)[1], "pending");
    assert_eq!(a.statuses("0002-fix-the-till")[1], "pending");
    a.godzilla_ok(&["redo"]);
    assert_eq!(a.statuses(NAME)[1], "running");
    assert_eq!(a.statuses("0002-fix-the-till")[1], "running");
}

/// What lost against another clone's word is said, and nothing older is taken back in its place.
#[test]
fn a_last_command_that_was_overtaken_is_named_and_no_older_one_is_taken_back() {
    let world = World::new();
    let a = world.clone("a");
    a.commit_gate("test.sh", "#!/bin/sh\nexit 0\n");
    let work = planned(&a, &["--qa", "full"]);
    work.commit("form", "feat: the form");
    work.godzilla_ok(&["done"]);
    work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
    let b = world.clone("b");
    b.git(&["checkout", "--quiet", NAME]);
    // With one event more, what this clone says next comes later in order.
    b.godzilla_ok(&["block", "2", "-p", NAME]);
    for place in [&a, &b] {
        place.godzilla_ok(&["trust", "--yes", "-p", NAME]);
    }
    // Both judge before they hear of each other; the first in order counts.
    work.godzilla_ok(&["qa", "1"]);
    b.godzilla_ok(&["qa", "1"]);
    let (won, lost) = (op_of(&a, "QA of step"), op_of(&b, "QA of step"));
    share(&a, &b);
    assert_eq!(a.statuses(NAME), ["completed", "completed", "blocked"]);
    let events = a.event_ids(NAME);
    for _ in 0..2 {
        assert_eq!(refusal(&b, &["undo"]), ("undo.overtaken".to_owned(), 4));
    }
    assert_eq!(b.event_ids(NAME), events, "nothing was recorded");
    let said = b.godzilla(&["undo"]).stderr;
    let (called, why) = said.split_once("), the last command of this clone, has no effect").unwrap();
    assert!(lost.starts_with(called.rsplit_once('(').unwrap().1), "{said}");
    assert!(
        why.contains("`step 01-one: needs_qa -> completed` by Ada at ") && why.contains(" came first"),
        "{said}"
    );
    // The one before is named, and can be taken back by its name.
    let (_, older) = why.split_once("git godzilla undo ").unwrap();
    assert!(op_of(&b, "step 02-two").starts_with(older.trim()), "{said}");
    b.godzilla_ok(&["undo", older.trim()]);
    share(&a, &b);
    assert_eq!(a.statuses(NAME), ["completed", "completed", "pending"]);
    // A newer command is the last one then.
    b.godzilla_ok(&["pause", NAME]);
    b.godzilla_ok(&["undo"]);
    assert_eq!(refusal(&b, &["undo"]).0, "undo.overtaken");
    assert_eq!(a.json(&["undo", "--dry-run"])["of"], won.as_str());
}
