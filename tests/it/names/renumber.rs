//! `renumber`.

use serde_json::Value;

use super::{NAME, OWN, names, shared_twice, shown};
use crate::support::{Place, World};

const TILL: &str = "0001-fix-the-till";

/// Two protocols with one number, in two clones that know of both.
fn numbered_twice(world: &World) -> (Place<'_>, Place<'_>) {
    let (a, b) = (world.clone("a"), world.clone("b"));
    a.plan("Add a login", &["The form"]);
    b.plan("Fix the till", &["The drawer"]);
    for place in [&a, &b, &a] {
        place.godzilla_ok(&["sync"]);
    }
    (a, b)
}

#[test]
fn n2_every_name_that_it_had_still_names_it() {
    let world = World::new();
    let (a, b) = numbered_twice(&world);
    // The doctor says who gives way, and how.
    let findings = || -> Vec<Value> {
        let found: Value = serde_json::from_str(&b.godzilla(&["doctor", "--json"]).stdout).unwrap();
        let found = found["findings"].as_array().unwrap().clone();
        found.into_iter().filter(|found| found["code"] == "number.collision").collect()
    };
    let found = &findings()[0];
    assert_eq!(found["fix"], format!("git godzilla renumber {TILL} 2"));

    let said = b.json(&["renumber", TILL, "2"]);
    assert_eq!((&said["name"], &said["was"]), (&"0002-fix-the-till".into(), &TILL.into()));
    assert_eq!((&said["branch"], &said["recorded"]), (&TILL.into(), &true.into()));
    assert_eq!(names(&b), [NAME, "0002-fix-the-till"]);
    for arg in ["2", "0002", "0002-fix-the-till", TILL] {
        assert_eq!(b.json(&["show", arg])["id"], said["id"], "{arg}");
    }
    assert_eq!(b.json(&["show", "1"])["name"], NAME, "the number is the other's alone");
    assert!(findings().is_empty());

    // Its branch is the same, commits bear the new number and go to the same stream.
    let work = world.place(&format!("b/worktrees/{TILL}"));
    work.commit("drawer", "feat: a drawer");
    let message = work.git(&["log", "-1", "--format=%B"]);
    assert!(message.contains("[protocol-0002/01]"), "{message}");
    assert!(message.contains(&format!("Godzilla-Step: {TILL}/01-the-drawer")), "{message}");
    // Either name in a trailer is its own.
    work.write("more", "x\n");
    work.git(&["add", "."]);
    work.git(&["commit", "--quiet", "-m", "feat: x\n\nGodzilla-Step: 0002-fix-the-till/01-the-drawer\n"]);
    assert_eq!(b.json(&["show", "2"])["steps"][1]["commits"].as_array().unwrap().len(), 2);
    b.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["sync"]);
    assert_eq!(shown(&a), shown(&b));
}

#[test]
fn n1_a_number_that_was_given_is_not_given_again() {
    let world = World::new();
    let (a, b) = numbered_twice(&world);
    b.godzilla_ok(&["renumber", TILL, "7"]);
    for (args, code) in
        [(["renumber", "1", "7"], 4), (["renumber", "7", "0001-x"], 4), (["renumber", "9", "10"], 3)]
    {
        let shown = b.godzilla(&args);
        assert_eq!(shown.code, Some(code), "{shown}");
    }
    assert!(b.godzilla(&["renumber", "1", "7"]).stderr.contains("take the next one that is free: 8"));
    b.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["sync"]);
    let planned = a.json(&["plan", "Count the money"]);
    assert_eq!(planned["number"], 8);
    // One that it had itself it may have back.
    b.godzilla_ok(&["renumber", "7", "9"]);
    b.godzilla_ok(&["renumber", "9", "0007-mend-the-till"]);
    assert_eq!(names(&b), [NAME, "0007-mend-the-till"]);
    let again = b.json(&["renumber", TILL, "7"]);
    assert_eq!(again["recorded"], false);
    assert_eq!(b.godzilla(&["renumber", "1", "x y"]).code, Some(2));
}

#[test]
fn a_new_number_is_taken_back_like_any_decision() {
    let world = World::new();
    let (_, b) = numbered_twice(&world);
    b.godzilla_ok(&["renumber", TILL, "7"]);
    b.godzilla_ok(&["undo"]);
    assert_eq!(names(&b), [NAME, TILL]);
    assert_eq!(b.godzilla(&["show", "7"]).code, Some(3));
    b.godzilla_ok(&["redo"]);
    assert_eq!(names(&b), [NAME, "0007-fix-the-till"]);
}

#[test]
fn n3_a_twin_is_copied_out_and_every_clone_follows() {
    let world = World::new();
    let (a, b) = shared_twice(&world);
    let twin = names(&a)[1].clone();
    let before = a.json(&["show", &twin]);
    // `a` does it, and the branch of the twin is here or there.
    a.godzilla_ok(&["renumber", &twin, "2"]);
    assert_eq!(names(&a), [NAME, OWN]);
    assert_eq!(a.json(&["show", OWN])["id"], before["id"]);
    assert_eq!(a.json(&["show", &twin])["name"], OWN, "its old name leads to it");
    a.godzilla_ok(&["sync"]);
    b.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["sync"]);
    assert_eq!(shown(&a), shown(&b));
    let of = |place: &Place<'_>| place.try_git(&["rev-parse", "--verify", "--quiet", OWN]).code == Some(0);
    assert!(of(&a) || of(&b), "the branch has the new name where it was");
    assert_eq!(names(&world.clone("c")), [NAME, OWN]);
}

/// Two people copy one twin out at the same time, under two names: the first counts everywhere.
#[test]
fn n3_one_twin_that_is_copied_out_twice_goes_to_one_place() {
    let world = World::new();
    let (a, b) = shared_twice(&world);
    let twin = names(&a)[1].clone();
    a.godzilla_ok(&["renumber", &twin, "2"]);
    b.godzilla_ok(&["renumber", &twin, "3"]);
    for place in [&a, &b, &a, &b] {
        place.godzilla_ok(&["sync"]);
    }
    assert_eq!(shown(&a), shown(&b));
    let (to_a, to_b) = (a.json(&["show", &twin])["name"].clone(), b.json(&["show", &twin])["name"].clone());
    assert_eq!(to_a, to_b);
}
