//! Numbers and names that two protocols have: twins, and numbers that are given anew.

mod renumber;

use serde_json::Value;

use crate::support::{BIN, Place, World, run};

const NAME: &str = "0001-add-a-login";
const OWN: &str = "0002-add-a-login";

/// The clones `a` and `b` have planned protocols of one name, and `a` has shared its own.
fn planned_twice(world: &World) -> (Place<'_>, Place<'_>) {
    let (a, b) = (world.clone("a"), world.clone("b"));
    a.plan("Add a login", &["The form"]);
    b.plan("Add a login", &["The form", "The API"]);
    a.godzilla_ok(&["sync"]);
    (a, b)
}

/// As [`planned_twice`], and both are shared: somebody overwrote the stream on the remote by force.
fn shared_twice(world: &World) -> (Place<'_>, Place<'_>) {
    let (a, b) = planned_twice(world);
    let stream = format!("refs/godzilla/protocols/{NAME}");
    b.git(&["push", "--quiet", "--no-verify", "--force", "origin", &format!("{stream}:{stream}")]);
    a.godzilla_ok(&["sync"]);
    b.godzilla_ok(&["sync"]);
    (a, b)
}

fn names(place: &Place<'_>) -> Vec<String> {
    let list = place.json(&["list"]);
    let rows = list["protocols"].as_array().unwrap().iter();
    rows.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

/// What clones agree about, of every protocol.
fn shown(place: &Place<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    for name in names(place) {
        let mut one = place.json(&["show", &name]);
        for local in ["worktree", "unshared_events"] {
            one.as_object_mut().unwrap().remove(local);
        }
        all.push(one);
    }
    all
}

fn lines(place: &Place<'_>, name: &str) -> String {
    place.lines_of(&format!("refs/godzilla/protocols/{name}"))
}

#[test]
fn n4_who_comes_second_gets_a_name_of_its_own_before_anything_is_pushed() {
    let world = World::new();
    let (a, b) = planned_twice(&world);
    let work = world.place(&format!("b/worktrees/{NAME}"));
    work.commit("form", "feat: a form");
    work.write("form", "a better form, not committed\n");
    work.write("notes", "of nobody's concern\n");
    let (before, id) = (b.event_ids(NAME), b.json(&["show", "1"])["id"].clone());

    let said = b.godzilla_ok(&["sync"]);
    assert!(
        said.contains(&format!("{NAME} is the name of another protocol there, so yours is {OWN} now")),
        "{said}"
    );
    assert_eq!(names(&b), [NAME, OWN]);
    assert_eq!(b.json(&["show", OWN])["id"], id);
    assert_eq!(b.json(&["show", NAME])["id"], a.json(&["show", NAME])["id"]);
    let after = b.event_ids(OWN);
    assert!(before.iter().all(|id| after.contains(id)), "every event went along");

    // Branch, worktree and plan follow, with everything that lay there.
    let work = world.place(&format!("b/worktrees/{OWN}"));
    assert_eq!(work.git(&["branch", "--show-current"]).trim(), OWN);
    assert_eq!(work.read("form"), "a better form, not committed\n");
    assert_eq!(work.read("notes"), "of nobody's concern\n");
    assert!(work.read(&format!(".protocols/{OWN}/plan.md")).contains(&format!("protocol: {OWN}\n")));
    assert!(!work.path.join(".protocols").join(NAME).exists());
    assert_eq!(work.git(&["status", "--porcelain"]), " M form\n?? notes\n");
    assert!(b.try_git(&["rev-parse", "--verify", NAME]).code != Some(0), "the branch is renamed");

    // Nothing of it was told to be the other protocol's, there or anywhere.
    a.godzilla_ok(&["sync"]);
    assert_eq!(shown(&a), shown(&b));
    assert_eq!(a.json(&["show", NAME])["steps"].as_array().unwrap().len(), 2);
    let findings = a.json(&["doctor"])["findings"].to_string();
    assert!(!findings.contains("twin"), "{findings}");
}

#[test]
fn n4_work_goes_on_under_the_new_name() {
    let world = World::new();
    let (a, b) = planned_twice(&world);
    b.godzilla_ok(&["sync"]);
    let work = world.place(&format!("b/worktrees/{OWN}"));
    work.commit("form", "feat: a form");
    assert!(work.git(&["log", "-1", "--format=%B"]).contains(&format!("Godzilla-Step: {OWN}/01-the-form")));
    work.tick(OWN, "01-the-form");
    work.commit("more", "feat: the rest of the form");
    assert_eq!(b.statuses(OWN), ["completed", "completed", "pending"]);
    work.git(&["push", "--quiet", "--set-upstream", "origin", OWN]);
    a.godzilla_ok(&["sync"]);
    assert_eq!(shown(&a), shown(&b));
    // What came before the move bears the old name, and is still ours when it is rewritten.
    work.git(&["rebase", "--quiet", "--force-rebase", "main"]);
    assert_eq!(b.statuses(OWN), ["completed", "completed", "pending"]);
    let shown = b.json(&["show", OWN]);
    assert_eq!(shown["steps"][1]["commits"].as_array().unwrap().len(), 2, "{shown}");
}

#[test]
fn n4_a_push_publishes_no_twin_and_says_so_in_one_line() {
    let world = World::new();
    let (a, b) = planned_twice(&world);
    let theirs = lines(&a, NAME);
    b.git(&["fetch", "--quiet"]);
    let work = world.place(&format!("b/worktrees/{NAME}"));
    work.commit("form", "feat: a form");
    let shown = work.try_git(&["push", "--quiet", "origin", "HEAD:refs/heads/elsewhere"]);
    assert_eq!(shown.code, Some(0), "{shown}");
    let told: Vec<&str> = shown.stderr.lines().filter(|line| line.contains("godzilla")).collect();
    assert_eq!(told.len(), 1, "{shown}");
    assert!(told[0].contains(&format!("{NAME} is the name of another protocol there")), "{shown}");
    assert_eq!(lines(&world.place("srv.git"), NAME), theirs, "nothing was published");
    // The commit belongs to no stranger, and is found under the new name.
    assert_eq!(b.json(&["show", NAME])["steps"][1]["commits"].as_array().unwrap().len(), 0);
    b.godzilla_ok(&["sync"]);
    assert_eq!(b.json(&["show", OWN])["steps"][1]["commits"].as_array().unwrap().len(), 1);
}

#[test]
fn n4_it_does_not_matter_whose_creation_is_first_in_order() {
    let world = World::new();
    let (a, b) = (world.clone("a"), world.clone("b"));
    // Here the one that is shared second was planned first.
    // Within one second one person would make the same plan commit twice.
    b.plan("Add a login", &["A form"]);
    a.plan("Add a login", &["The form"]);
    let (first, second) = (b.json(&["show", NAME])["id"].clone(), a.json(&["show", NAME])["id"].clone());
    a.godzilla_ok(&["sync"]);
    b.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["sync"]);
    for place in [&a, &b] {
        assert_eq!(names(place), [NAME, OWN]);
        assert_eq!(
            (&place.json(&["show", NAME])["id"], &place.json(&["show", OWN])["id"]),
            (&second, &first)
        );
    }
    assert_eq!(shown(&a), shown(&b));
}

#[test]
fn n4_a_dirty_plan_stays_where_it_is_until_it_is_committed() {
    let world = World::new();
    let (_, b) = planned_twice(&world);
    let work = world.place(&format!("b/worktrees/{NAME}"));
    let file = format!(".protocols/{NAME}/01-the-form.md");
    let text = work.read(&file) + "\nA thought.\n";
    work.write(&file, &text);
    let said = b.godzilla_ok(&["sync"]);
    assert!(said.contains("holds what is not committed"), "{said}");
    let work = world.place(&format!("b/worktrees/{OWN}"));
    assert_eq!(work.read(&file), text, "nothing is lost");
    work.git(&["commit", "--quiet", "-am", "docs: a thought"]);
    b.godzilla_ok(&["sync"]);
    assert_eq!(work.read(&format!(".protocols/{OWN}/01-the-form.md")), text);
    assert!(!work.path.join(&file).exists());
}

#[test]
fn n4_a_branch_that_is_checked_out_nowhere_is_renamed_all_the_same() {
    let world = World::new();
    let (_, b) = planned_twice(&world);
    b.git(&["worktree", "remove", &format!("worktrees/{NAME}")]);
    b.godzilla_ok(&["sync"]);
    assert!(
        b.git(&["show", &format!("{OWN}:.protocols/{OWN}/plan.md")]).contains(&format!("protocol: {OWN}\n"))
    );
    assert!(b.try_git(&["rev-parse", &format!("{OWN}:.protocols/{NAME}")]).code != Some(0));
    assert_eq!(b.godzilla_ok(&["sync"]).lines().count(), 1, "that was all");
}

/// Both had been shared, so both are to stay.
#[test]
fn n3_what_was_shared_is_not_renamed_by_itself() {
    let world = World::new();
    let (a, b) = shared_twice(&world);
    for place in [&a, &b] {
        let shown = names(place);
        assert_eq!((shown.len(), &shown[0][..]), (2, NAME), "{shown:?}");
        assert!(shown[1].starts_with(&format!("{NAME}~")), "{shown:?}");
        assert!(place.godzilla_ok(&["show", &shown[1]]).starts_with(&shown[1]));
        assert!(!place.event_ids(&shown[1]).is_empty());
    }
    assert_eq!(shown(&a), shown(&b));
}

/// Git renames no branch that is being rebased. Until the next `sync` does, it is that of its protocol all the same.
#[test]
fn n4_a_branch_that_keeps_the_old_name_is_that_of_its_protocol() {
    let world = World::new();
    let (_, b) = planned_twice(&world);
    let work = world.place(&format!("b/worktrees/{NAME}"));
    b.commit("form", "feat: of main");
    work.commit("form", "feat: a form");
    assert_ne!(work.try_git(&["rebase", "main"]).code, Some(0), "there is a conflict");
    let said = b.godzilla_ok(&["sync"]);
    assert!(said.contains(&format!("the branch {NAME} is not {OWN} yet")), "{said}");
    work.git(&["rebase", "--abort"]);
    work.commit("more", "feat: more of it");
    let message = work.git(&["log", "-1", "--format=%B"]);
    assert!(message.contains(&format!("Godzilla-Step: {OWN}/01-the-form")), "{message}");
    let status = work.json(&["status"]);
    assert_eq!((&status["name"], &status["worktree"]), (&OWN.into(), &work.path.to_str().unwrap().into()));
    assert_eq!(status["steps"][1]["commits"].as_array().unwrap().len(), 2, "{status}");
    work.godzilla_ok(&["comment", "from the old branch"]);
    assert!(b.godzilla_ok(&["log", OWN]).contains("from the old branch"));
    // There is nothing in the way any more.
    let said = b.godzilla_ok(&["sync"]);
    assert!(said.contains(&format!("the branch {NAME} is {OWN} now")), "{said}");
    assert_eq!(b.json(&["show", OWN])["steps"][1]["commits"].as_array().unwrap().len(), 2);
}

/// Whoever lost by force has the other one's protocol as well, and leaves it to who made it to name it anew.
#[test]
fn n4_one_that_was_overwritten_by_force_is_renamed_by_one_clone_alone() {
    for first in ["a", "b"] {
        let world = World::new();
        let (a, b) = planned_twice(&world);
        a.plan("Something else", &["One"]);
        let stream = format!("refs/godzilla/protocols/{NAME}");
        let own = b.git(&["rev-parse", &stream]);
        // `b` takes the other one over, and then overwrites it with what it had.
        b.git(&["fetch", "--quiet"]);
        b.godzilla_ok(&["list"]);
        b.git(&["push", "--quiet", "--no-verify", "--force", "origin", &format!("{}:{stream}", own.trim())]);
        // `a` sees by plain git that its own is gone.
        a.git(&["fetch", "--quiet"]);
        // Whoever looks first cannot tell what it did before the other one looks.
        let order = if first == "a" { [&a, &b] } else { [&b, &a] };
        let hook = world.path().join("srv.git/hooks/pre-receive");
        world.place("srv.git").write_executable("hooks/pre-receive", "#!/bin/sh\nexit 1\n");
        assert_eq!(order[0].godzilla(&["sync"]).code, Some(7));
        std::fs::remove_file(hook).unwrap();
        for place in [order[1], &a, &b, &a] {
            place.godzilla_ok(&["sync"]);
        }
        assert_eq!(shown(&a), shown(&b), "{first} first");
        let ids: Vec<Value> = shown(&a).into_iter().map(|one| one["id"].clone()).collect();
        assert_eq!(ids.len(), 3, "{:?}", names(&a));
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{:?}", names(&a));
    }
}

/// Who was killed after the copy, and saw it archived, does not copy once more.
#[test]
fn n4_a_copy_that_was_archived_before_it_was_said_is_gone_on_with() {
    let world = World::new();
    let (_, b) = planned_twice(&world);
    let killed = run(b.command(BIN).arg("sync").env("GODZILLA_FAIL_POINT", "twins.copied"));
    assert_ne!(killed.code, Some(0), "{killed}");
    assert!(names(&b).contains(&OWN.to_owned()), "it was copied, and does not say so yet");
    b.godzilla_ok(&["cancel", OWN]);
    b.godzilla_ok(&["archive", OWN]);
    let stream = format!("refs/godzilla/protocols/{OWN}");
    assert_eq!(b.git(&["for-each-ref", &stream]), "", "only the archive has it");
    for _ in 0..2 {
        b.godzilla_ok(&["sync"]);
    }
    let all = b.json(&["list", "--all"]);
    let all: Vec<&str> =
        all["protocols"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(all, [NAME, OWN], "one copy is enough");
}
