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
    // Also where the one that has the number is archived.
    a.godzilla_ok(&["cancel", "1"]);
    a.godzilla_ok(&["archive", "1"]);
    assert_eq!((&a.json(&["show", "1"])["name"], &a.json(&["show", "2"])["id"]), (&NAME.into(), &said["id"]));
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

/// People rename branches, and a branch that bears the new name is still that of the protocol.
#[test]
fn n2_a_branch_that_was_renamed_by_hand_is_still_its_own() {
    const NEW: &str = "0002-fix-the-till";
    let world = World::new();
    let (a, b) = numbered_twice(&world);
    b.godzilla_ok(&["renumber", TILL, "2"]);
    let work = world.place(&format!("b/worktrees/{TILL}"));
    work.git(&["branch", "-m", TILL, NEW]);

    // Hooks find it in its linked worktree, and so do commands that name nothing.
    work.commit("drawer", "feat: a drawer");
    let message = work.git(&["log", "-1", "--format=%B"]);
    assert!(message.contains("[protocol-0002/01]") && message.contains(&format!("{TILL}/01-")), "{message}");
    let commits =
        |place: &Place<'_>| place.json(&["status"])["steps"][1]["commits"].as_array().unwrap().len();
    assert_eq!((commits(&work), work.json(&["status"])["name"].as_str()), (1, Some(NEW)));
    let path = work.path.to_str().unwrap();
    assert_eq!(b.json(&["show", "2"])["worktree"], path);
    assert_eq!(b.json(&["list"])["protocols"][1]["worktree"], path);
    work.godzilla_ok(&["comment", "from the worktree"]);
    assert!(b.godzilla_ok(&["log", "2"]).contains("from the worktree"));
    let worktrees = b.json(&["worktrees", "list"])["worktrees"].clone();
    assert_eq!((&worktrees[1]["protocol"], &worktrees[1]["branch"]), (&TILL.into(), &NEW.into()));
    assert!(!worktrees.to_string().contains("worktree.switched"), "{worktrees}");

    // In the main worktree as well.
    b.git(&["worktree", "remove", path]);
    b.git(&["switch", "--quiet", NEW]);
    b.commit("key", "feat: a key");
    assert_eq!((commits(&b), b.json(&["status"])["branch"].as_str()), (2, Some(TILL)));
    // A copy of a branch that is there is no branch of it.
    b.git(&["branch", TILL]);
    b.commit("copy", "feat: a copy");
    assert_eq!(b.json(&["show", "2"])["steps"][1]["commits"].as_array().unwrap().len(), 2);
    b.git(&["branch", "-D", TILL]);
    b.commit("more", "feat: no copy");
    assert_eq!(commits(&b), 4);
    b.git(&["push", "--quiet", "--set-upstream", "origin", NEW]);
    for place in [&b, &a] {
        place.godzilla_ok(&["sync"]);
    }
    assert_eq!(shown(&a), shown(&b));

    b.git(&["branch", "-m", NEW, TILL]);
    b.commit("lock", "feat: a lock");
    assert_eq!(commits(&b), 5);
    b.git(&["switch", "--quiet", "main"]);
    b.git(&["merge", "--quiet", "--no-ff", "-m", "merge", TILL]);
    b.git(&["push", "--quiet", "origin", "main"]);
    assert_eq!(b.json(&["show", "2"])["status"], "completed");
}

#[test]
fn a_worktree_of_a_renamed_branch_goes_and_comes_back() {
    const NEW: &str = "0002-fix-the-till";
    let world = World::new();
    let (_, b) = numbered_twice(&world);
    b.godzilla_ok(&["renumber", TILL, "2"]);
    let work = world.place(&format!("b/worktrees/{TILL}"));
    work.git(&["branch", "-m", TILL, NEW]);
    let tip = work.commit("drawer", "feat: a drawer");
    work.write("notes", "mine\n");
    let gone = b.json(&["worktrees", "remove", "2", "--force"]);
    assert_eq!(gone["branch"], tip);
    assert_eq!(b.try_git(&["rev-parse", "--verify", "--quiet", NEW]).code, Some(1), "{gone}");
    b.godzilla_ok(&["restore", "2"]);
    assert_eq!((work.read("notes"), work.git(&["rev-parse", "HEAD"]).trim()), ("mine\n".to_owned(), &*tip));

    // A plan that was given a number is taken back with its branch, and brought back.
    let plan = b.plan("Count the money", &["The coins"]);
    b.godzilla_ok(&["renumber", "3", "7"]);
    let ops = b.godzilla_ok(&["log", "--op", "--json"]);
    let op = ops.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut op = op.filter(|op| op["command"].as_str().unwrap().starts_with("plan 0003-"));
    let op = op.next().unwrap()["op"].as_str().unwrap().to_owned();
    b.godzilla_ok(&["undo"]);
    b.godzilla_ok(&["redo"]);
    let undone = b.godzilla(&["undo", &op]);
    assert!(undone.code == Some(0) && !plan.path.exists(), "{undone}");
    assert_eq!(b.try_git(&["rev-parse", "--verify", "--quiet", "0003-count-the-money"]).code, Some(1));
    b.godzilla_ok(&["redo"]);
    assert!(plan.path.join(".protocols/0003-count-the-money/plan.md").exists());
}

#[test]
fn the_past_of_a_protocol_has_the_name_that_it_had() {
    let world = World::new();
    let (_, b) = numbered_twice(&world);
    b.godzilla_ok(&["renumber", TILL, "2"]);
    let name = |args: &[&str]| b.json(args)["name"].clone();
    assert_eq!(name(&["show", "2", "--at", "now"]), "0002-fix-the-till");
    let stream = b.git(&["rev-parse", &format!("refs/godzilla/protocols/{TILL}")]);
    assert_eq!(name(&["show", "2", "--at", stream.trim()]), "0002-fix-the-till");
    let before = b.git(&["rev-parse", &format!("refs/godzilla/protocols/{TILL}~1")]);
    assert_eq!(name(&["show", "2", "--at", before.trim()]), TILL);
    let listed = b.json(&["list", "--at", "now"]);
    assert_eq!(listed["protocols"][1]["name"], "0002-fix-the-till", "{listed}");
}

/// Where state is here, a branch that was renamed leads to its protocol, by the names that this one has or by the
/// commit; what nothing proves is left alone.
#[test]
fn n2_a_report_from_a_branch_that_was_renamed_by_hand_finds_its_protocol() {
    let world = World::new();
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["renumber", "1", "12"]);
    // As other tools commit: without our hooks, and so without a trailer.
    let commit = |text: &str| {
        work.git(&["-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--allow-empty", "-m", text]);
    };
    let reported = || work.json(&["ci-report", "success", "--job", "test"])["protocol"].clone();
    work.git(&["branch", "-m", NAME, "0012-add-a-login"]);
    commit("chore: one");
    assert_eq!(reported(), NAME, "the name is one that it has");
    a.godzilla_ok(&["list"]);
    work.git(&["branch", "-m", "0012-add-a-login", "0099-form"]);
    assert_eq!(reported(), NAME, "the commit is one of its own");
    work.git(&["branch", "-m", "0099-form", "form"]);
    assert_eq!(reported(), NAME, "the commit is one of its own");
    commit("chore: two");
    assert_eq!(reported(), Value::Null, "nobody knows this one");
    work.git(&["branch", "-m", "form", "0099-form"]);
    assert_eq!(reported(), "0099-form", "a name is taken at its word");
}
