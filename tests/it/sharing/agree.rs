//! What two clones show after plain git.

use super::{NAME, assert_agree, refs, shown, two_clones};
use crate::support::World;

#[test]
fn truth_1_clones_agree_after_plain_push_and_pull() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    assert_agree(&[&a, &b]);

    work.commit("one.txt", "feat: the first part");
    work.tick(NAME, "01-one");
    work.commit("more.txt", "feat: the rest of it");
    work.git(&["push", "--quiet"]);
    b.git(&["pull", "--quiet"]);
    assert_agree(&[&a, &b]);
    assert_eq!(b.statuses(NAME), ["completed", "completed", "pending"]);

    // Reading has settled both: reading again changes nothing anywhere.
    let before = (refs(&a), refs(&b));
    let again = (shown(&a), shown(&b));
    assert_eq!(again.0, again.1);
    assert_eq!(before, (refs(&a), refs(&b)));
}

#[test]
fn truth_1_after_a_fetch_alone() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    work.commit("one.txt", "feat: the first part");
    work.git(&["push", "--quiet"]);
    b.git(&["fetch", "--quiet"]);
    assert_agree(&[&a, &b]);
    assert_eq!(b.statuses(NAME)[1], "running");
}

#[test]
fn truth_1_after_pull_with_rebase_and_work_on_both_sides() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    b.git(&["switch", "--quiet", NAME]);
    b.git(&["config", "pull.rebase", "true"]);
    b.commit("b.txt", "feat: a part from b");
    work.commit("a.txt", "feat: a part from a");
    work.git(&["push", "--quiet"]);

    b.git(&["pull", "--quiet", "--rebase"]);
    b.git(&["push", "--quiet"]);
    work.git(&["pull", "--quiet", "--rebase"]);
    let commits = a.json(&["show", NAME])["steps"][1]["commits"].as_array().unwrap().len();
    assert_eq!(commits, 2, "the rebased commit counts once");
    // What reading found here is one push away.
    work.git(&["push", "--quiet"]);
    b.git(&["pull", "--quiet"]);
    assert_agree(&[&a, &b]);
}

#[test]
fn truth_1_a_clone_that_comes_late_sees_everything() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    work.commit("one.txt", "feat: the first part");
    work.git(&["push", "--quiet"]);
    a.godzilla_ok(&["plan", "y", "--step", "Only"]);
    a.git(&["push", "--quiet", "origin", "0002-y"]);
    b.git(&["pull", "--quiet"]);
    let late = world.clone("late");
    assert_agree(&[&a, &b, &late]);
    assert_eq!(a.json(&["list"])["protocols"].as_array().unwrap().len(), 2);
}

#[test]
fn truth_1_a_branch_that_is_not_fetched_yet_has_lost_nothing() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    work.commit("one.txt", "feat: the first part");
    work.git(&["push", "--quiet"]);
    // State alone: the branch here is older than what the state says of it.
    b.godzilla_ok(&["sync"]);
    assert_agree(&[&a, &b]);
    b.git(&["pull", "--quiet"]);
    assert_agree(&[&a, &b]);
}

/// Each of them has the commit of the other one, and not on its branch; neither repeats itself for ever.
#[test]
fn clones_that_have_each_others_commits_and_no_branch_of_them_do_not_contradict_each_other_for_ever() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    b.git(&["switch", "--quiet", NAME]);
    work.commit("a.txt", "feat: a part from a");
    b.commit("b.txt", "feat: a part from b");
    // The commits come along, and no ref.
    a.git(&["fetch", "--quiet", b.path.to_str().unwrap(), NAME]);
    b.git(&["fetch", "--quiet", a.path.to_str().unwrap(), NAME]);
    let round = || {
        a.godzilla_ok(&["sync"]);
        b.godzilla_ok(&["sync"]);
        a.event_ids(NAME).len()
    };
    let n_events = [round(), round(), round(), round()];
    assert_eq!(n_events[2], n_events[3], "{n_events:?}");
    assert_agree(&[&a, &b]);
}
