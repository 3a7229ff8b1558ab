//! U: undo.

use super::*;

/// Step A goes all the way (4 to 6), then step B is started (7).
fn built_up() -> Vec<Event> {
    begun_with([
        saw("pending", 0, step(4, A, StepMove::Started)),
        saw("running", 1, step(5, A, StepMove::Submitted)),
        saw("needs_qa", 1, step(6, A, StepMove::Approved)),
        saw("pending", 0, step(7, B, StepMove::Started)),
    ])
}

fn with(more: impl IntoIterator<Item = Event>) -> Told {
    tell(built_up().into_iter().chain(more).collect())
}

#[test]
fn u1_an_undo_takes_back_what_lies_before_it() {
    let told = with([undo(8, &[6])]);
    assert_eq!(told.outcomes(&[6, 8]), ["undone", "accepted"]);
    assert_eq!(told.folded.outcomes[5], Outcome::Undone(Ulid(8)));
    assert_eq!(told.step(A).recorded, StepStatus::NeedsQa);
    assert_eq!(told.protocol().counts.undone, 1);
    // Not what lies after it.
    let told = with([at(5, undo(8, &[6]))]);
    assert_eq!(told.outcome(6), "accepted");
}

#[test]
fn u1_an_undo_of_an_undo_brings_back() {
    let told = with([undo(8, &[6]), undo(9, &[8])]);
    assert_eq!(told.outcomes(&[6, 8, 9]), ["accepted", "undone", "accepted"]);
    let told = with([undo(8, &[6]), undo(9, &[8]), undo(10, &[9])]);
    assert_eq!(told.outcomes(&[6, 8, 9, 10]), ["undone", "accepted", "undone", "accepted"]);
}

#[test]
fn u1_a_redo_names_every_undo_in_effect_and_an_unseen_one_still_holds() {
    let told = with([undo(8, &[6]), at(8, undo(9, &[6])), undo(10, &[8])]);
    assert_eq!(told.outcomes(&[6, 8, 9]), ["undone", "undone", "accepted"]);
    let told = with([undo(8, &[6]), at(8, undo(9, &[6])), undo(10, &[8, 9])]);
    assert_eq!(told.outcomes(&[6, 8, 9]), ["accepted", "undone", "undone"]);
}

#[test]
fn u1_undos_that_name_each_other_are_well_founded() {
    let told = with([at(8, undo(8, &[9])), at(8, undo(9, &[8, 6]))]);
    assert_eq!(told.outcomes(&[6, 8, 9]), ["undone", "undone", "accepted"]);
    let told = with([undo(8, &[8])]);
    assert_eq!(told.outcome(8), "accepted");
}

#[test]
fn u2_facts_and_the_creation_cannot_be_taken_back() {
    let told = with([
        commit(8, 8, Some(B), &[]),
        ci(9, 8, 1, JobResult::Failure),
        merge(10),
        undo(11, &[1, 8, 9, 10]),
    ]);
    assert_eq!(told.outcomes(&[1, 8, 9, 10]), ["accepted"; 4]);
    assert_eq!(told.protocol().shown, ProtocolStatus::Completed);
    let redacted = Body::without_meaning("redacted");
    assert!(!redacted.can_be_undone());
}

#[test]
fn u3_dependents_are_what_would_fall() {
    let events = built_up();
    let fall = |events: &[Event], n: u64| dependents(events, &specs(), &[Ulid(n.into())]);
    assert_eq!(fall(&events, 5), [Ulid(6)]);
    assert_eq!(fall(&events, 4), [Ulid(5), Ulid(6)]);
    assert_eq!(fall(&events, 7), []);
    assert_eq!(fall(&events, 77), []);
    // A second event of the same cause does not stand in for one that is undone.
    let start = |n, clock| at(clock, caused("commit:c", saw("pending", 0, step(n, A, StepMove::Started))));
    let events = begun_with([start(4, 4), start(5, 4), saw("running", 1, step(6, A, StepMove::Submitted))]);
    assert_eq!(fall(&events, 4), [Ulid(6)]);
    // What it foretells is what happens, also with quarantined events at the end.
    let mut events = built_up();
    events.push(at(9_000_000, merge(99)));
    assert_eq!(fall(&events, 4), [Ulid(5), Ulid(6)]);
    events.insert(7, undo(8, &[4]));
    let told = tell(events);
    assert_eq!(told.outcomes(&[5, 6, 7, 99]), ["rejected", "rejected", "accepted", "quarantined"]);
}

#[test]
fn u3_after_a_concurrent_build_up_the_undo_wins() {
    // Somebody approved on the submission that another clone takes back.
    let told = with([at(6, undo(8, &[5])), commit(9, 9, Some(A), &[])]);
    assert_eq!(told.outcomes(&[5, 6, 9]), ["undone", "rejected", "accepted"]);
    assert_eq!(told.step(A).recorded, StepStatus::Running);
    assert_eq!(told.commits(A), [9], "commits are facts and stay");
}

#[test]
fn u4_a_rejected_event_counts_once_what_stood_against_it_is_gone() {
    let cancelled = at(5, moved(20, ProtocolMove::Cancelled));
    let told = with([cancelled.clone()]);
    assert_eq!(told.outcomes(&[6, 7]), ["rejected"; 2]);
    assert_eq!(told.step(B).recorded, StepStatus::Cancelled);
    let told = with([cancelled, undo(21, &[20])]);
    assert_eq!(told.outcomes(&[6, 7]), ["accepted"; 2]);
    assert_eq!(told.step(A).recorded, StepStatus::Completed);
    // Or stops counting, when an earlier one becomes known.
    let told = with([at(6, moved(20, ProtocolMove::Cancelled))]);
    assert_eq!(told.outcomes(&[6, 7]), ["accepted", "rejected"]);
}

#[test]
fn u5_an_event_that_was_undone_or_rejected_still_holds_its_cause() {
    let start = |n| caused("commit:c", step(n, A, StepMove::Started));
    let told = tell(begun_with([start(4), undo(5, &[4]), start(6)]));
    assert_eq!(told.outcomes(&[4, 6]), ["undone", "duplicate"]);
    assert_eq!(told.step(A).recorded, StepStatus::Pending);
    let told = tell(begun_with([saw("running", 1, start(4)), start(6)]));
    assert_eq!(told.outcomes(&[4, 6]), ["rejected", "duplicate"]);
}

#[test]
fn u5_names_are_looked_for_in_all_lines() {
    let events = begun_with([at(3_000_000, commit(4, 9, None, &[])), at(3_000_001, merge(5))]);
    assert_eq!(tell(events.clone()).outcomes(&[4, 5]), ["quarantined"; 2]);
    assert!(crate::domain::observe::named_commits(&events).contains(&oid(9)));
    assert!(crate::domain::observe::names_merge(&events));
}
