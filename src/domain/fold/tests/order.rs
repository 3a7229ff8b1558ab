//! O: order, identity, quarantine; N3: twins.

use super::*;

#[test]
fn o1_of_two_lines_with_one_id_the_first_counts() {
    let told = tell(begun_with([
        step(4, A, StepMove::Started),
        at(5, step(4, A, StepMove::Blocked)),
        at(6, created(1)),
    ]));
    let outcomes: Vec<_> = told.folded.outcomes.iter().map(Outcome::as_str).collect();
    assert_eq!(outcomes[3..], ["accepted", "duplicate_id", "duplicate_id"]);
    assert_eq!(told.step(A).recorded, StepStatus::Running);
    assert_eq!(told.protocol().counts.duplicate, 2);
    assert_eq!(told.folded.twins, []);
}

#[test]
fn o2_the_clock_orders_before_the_id() {
    // By id the decision would come first and start a step that is not planned yet.
    let told = tell(vec![at(9, created(1)), at(10, planned(8)), at(11, step(4, A, StepMove::Started))]);
    assert_eq!(told.outcomes(&[1, 8, 4]), ["accepted"; 3]);
    let told = tell(vec![at(9, created(1)), at(10, planned(8)), at(10, step(4, A, StepMove::Started))]);
    assert_eq!(told.outcomes(&[1, 8, 4]), ["accepted", "accepted", "rejected"]);
}

#[test]
fn o2_a_writer_counts_on_from_the_largest_clock_that_is_not_quarantined() {
    let told = tell(begun_with([at(70, ci(4, 9, 1, JobResult::Success)), at(5_000_000, merge(5))]));
    assert_eq!(told.folded.top_clock, 70);
    assert_eq!(tell(vec![at(1 << 60, created(1))]).folded.top_clock, 0);
}

#[test]
fn o2_facts_of_writers_without_state_have_clock_zero() {
    let report = at(0, of(None, ci(4, 9, 1, JobResult::Success)));
    let told = tell(begun_with([report, commit(5, 9, Some(A), &[])]));
    assert_eq!(told.outcome(4), "accepted");
    assert_eq!(told.step(A).ci, JobResult::Success);
}

/// Trace Q of the simulator.
#[test]
fn o3_quarantine_does_not_depend_on_the_order_of_arrival() {
    let (low, high) = (at(900_001, commit(4, 4, None, &[])), at(1_800_001, commit(5, 5, None, &[])));
    let one = tell(begun_with([low.clone(), high.clone()]));
    let other = tell([high, low].into_iter().chain(begun()).collect());
    assert_eq!(one.folded, other.folded);
    assert_eq!(one.outcomes(&[4, 5]), ["accepted"; 2]);
}

#[test]
fn o3_the_first_leap_and_all_after_it_are_quarantined() {
    let leap = 3 + MAX_CLOCK_JUMP;
    let told = tell(begun_with([at(leap, step(4, A, StepMove::Started))]));
    assert_eq!(told.outcome(4), "accepted");

    let told = tell(begun_with([
        at(leap + 1, step(4, A, StepMove::Started)),
        at(leap + 2, merge(5)),
        at(leap + 2, undo(6, &[3])),
    ]));
    assert_eq!(told.outcomes(&[4, 5, 6]), ["quarantined"; 3]);
    assert_eq!(told.protocol().shown, ProtocolStatus::Running);
    assert_eq!(told.protocol().counts.quarantined, 3);
    assert_eq!(told.folded.top_clock, 3);
}

#[test]
fn o3_a_line_that_fills_the_gap_releases_what_was_quarantined() {
    let far = at(3 + 2 * MAX_CLOCK_JUMP, step(4, A, StepMove::Started));
    assert_eq!(tell(begun_with([far.clone()])).outcome(4), "quarantined");
    let told = tell(begun_with([far, at(3 + MAX_CLOCK_JUMP, moved(5, ProtocolMove::Paused))]));
    assert_eq!(told.outcomes(&[4, 5]), ["accepted"; 2]);
    assert_eq!(told.folded.top_clock, 3 + 2 * MAX_CLOCK_JUMP);
}

#[test]
fn o3_no_clock_beyond_two_to_the_53_counts() {
    // Nobody can write the nine thousand million events that lead up to the limit.
    let events = [at(MAX_CLOCK + 1, created(1))];
    assert_eq!(fold(&events, &specs()).outcomes, [Outcome::Quarantined]);
    let mut outcomes = [const { Outcome::Accepted }; 2];
    filter::quarantine_after(
        MAX_CLOCK - 1,
        &[&at(MAX_CLOCK, merge(1)), &at(MAX_CLOCK + 1, merge(2))],
        &mut outcomes,
    );
    assert_eq!(outcomes, [Outcome::Accepted, Outcome::Quarantined]);
}

#[test]
fn o4_the_fold_is_a_function_of_events_and_specs() {
    let events = begun_with([step(4, A, StepMove::Started)]);
    let without = fold(&events, &Specs::new());
    let waiting = without.protocol.unwrap();
    assert!(waiting.spec_missing);
    assert_eq!(waiting.recorded, ProtocolStatus::Running);
    assert_eq!(without.outcomes[1], Outcome::Accepted, "a plan that is not here is waited for");
    // Once the plan is here, what waited for it counts.
    let told = tell(events);
    assert_eq!(told.step(A).recorded, StepStatus::Running);
}

/// Two protocols of one name: roots 1 and 50.
fn twins() -> Vec<Event> {
    begun_with([
        at(1, created(50)),
        at(2, of(Ulid(50), planned(12))),
        at(3, of(Ulid(50), step(13, A, StepMove::Started))),
    ])
}

#[test]
fn o5_events_belong_to_the_protocol_that_their_root_names() {
    let ours = tell(twins());
    assert_eq!(ours.protocol().root, ROOT);
    assert_eq!(ours.folded.twins, [Ulid(50)]);
    assert_eq!(ours.outcomes(&[2, 12, 13]), ["accepted", "twin", "twin"]);
    assert_eq!(ours.step(A).recorded, StepStatus::Pending);
}

#[test]
fn o5_an_event_of_another_root_is_set_aside_though_its_creation_is_not_here() {
    let told = tell(begun_with([of(Ulid(50), step(4, A, StepMove::Started))]));
    assert_eq!(told.outcome(4), "twin");
    assert_eq!(told.step(A).recorded, StepStatus::Pending);
}

#[test]
fn n3_the_first_creation_in_order_is_the_incumbent() {
    let told = tell(vec![at(5, created(1)), at(4, created(2))]);
    assert_eq!(told.protocol().root, Ulid(2));
    // One that is quarantined is none.
    let told = tell(vec![at(2_000_000, created(1)), at(2_000_001, created(2))]);
    assert_eq!(told.folded.protocol, None);
    // Nor is one whose id another line has before it.
    let told = tell(vec![at(0, of(None, merge(1))), at(1, created(1)), at(2, created(2))]);
    assert_eq!(told.protocol().root, Ulid(2));
    assert_eq!(told.protocol().shown, ProtocolStatus::Completed, "facts without a root are the incumbent's");
}

#[test]
fn n3_a_twin_has_a_fold_of_its_own() {
    let theirs = tell_of(Some(50), twins());
    assert_eq!(theirs.protocol().root, Ulid(50));
    assert_eq!(theirs.folded.twins, [ROOT]);
    assert_eq!(theirs.step(A).recorded, StepStatus::Running);
    assert_eq!(theirs.protocol().recorded, ProtocolStatus::Planned);
    // What is not a root names the incumbent.
    assert_eq!(tell_of(Some(13), twins()).protocol().root, ROOT);
}

fn named(name: &str, event: Event) -> Event {
    Event { protocol: Some(name.parse().unwrap()), ..event }
}

fn went(n: u64, root: u64, from: &str, to: &str) -> Event {
    let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
    let root = Ulid(root.into());
    of(root, event(n, Body::Moved(Moved { root, from, to })))
}

#[test]
fn n4_who_went_on_elsewhere_owns_the_name_no_more() {
    let mut events = twins();
    events.push(named("0007-x", went(20, 1, "0007-x", "0008-x")));
    let told = tell(events.clone());
    assert_eq!((told.protocol().root, &told.folded.twins[..]), (Ulid(50), &[][..]));
    assert_eq!(told.folded.moved[0].to.as_str(), "0008-x");
    assert_eq!(told.outcomes(&[1, 3, 12, 20]), ["twin", "twin", "accepted", "twin"]);
    // Of two places the first counts.
    events.push(named("0007-x", went(21, 1, "0007-x", "0009-x")));
    assert_eq!(tell(events.clone()).folded.moved.len(), 1);
    // Once both are gone, nobody is there.
    events.push(named("0007-x", went(22, 50, "0007-x", "0010-x")));
    assert_eq!(tell(events).folded.protocol, None);
}

#[test]
fn n4_nobody_is_moved_by_others_or_to_where_it_is() {
    for event in [
        // In the stream that it went to.
        named("0008-x", went(20, 1, "0007-x", "0008-x")),
        // By another root, and of one that is not here.
        of(Ulid(50), named("0007-x", went(20, 1, "0007-x", "0008-x"))),
        named("0007-x", went(20, 77, "0007-x", "0008-x")),
        named("0007-x", went(20, 1, "0007-x", "0007-x")),
    ] {
        let told = tell(begun_with([event]));
        assert_eq!((told.protocol().root, told.folded.moved.len()), (ROOT, 0));
    }
    // What it said when it went, put there by somebody.
    let there = vec![named("0008-x", created(1)), named("0007-x", went(20, 1, "0007-x", "0008-x"))];
    assert_eq!(tell(there).protocol().root, ROOT);
    let moved = tell(begun_with([named("0008-x", went(20, 1, "0006-y", "0008-x"))]));
    assert!(moved.protocol().names.contains(&"0006-y".parse().unwrap()), "its old name is still its own");
}

#[test]
fn n2_a_protocol_is_shown_under_the_last_name_that_it_was_given() {
    let renumbered = |n, number, slug: &str| event(n, Body::Renumbered { number, slug: slug.to_owned() });
    let told =
        tell(begun_with([renumbered(4, 12, "x"), renumbered(5, 13, "y"), renumbered(6, 14, "No slug")]));
    assert_eq!(told.outcomes(&[4, 5, 6]), ["accepted", "accepted", "rejected"]);
    let protocol = told.protocol();
    assert_eq!((protocol.name(), protocol.key()), ("0013-y".to_owned(), "0007-x".to_owned()));
    let names: Vec<&str> = protocol.names.iter().map(Name::as_str).collect();
    assert_eq!(names, ["0007-x", "0012-x", "0013-y"]);
    assert_eq!(protocol.created.branch, "0007-x");
    let told = tell(begun_with([renumbered(4, 12, "x"), undo(5, &[4])]));
    assert_eq!(told.protocol().name(), "0007-x");
}

#[test]
fn n3_facts_without_root_go_to_the_twin_that_names_the_commit() {
    let mut events = twins();
    events.extend([
        at(4, of(Ulid(50), commit(14, 9, Some(A), &[]))),
        at(4, commit(15, 8, Some(A), &[])),
        at(0, of(None, ci(16, 9, 1, JobResult::Failure))),
        at(0, of(None, ci(17, 8, 2, JobResult::Success))),
        at(0, of(None, ci(18, 77, 3, JobResult::Success))),
    ]);
    let ours = tell(events.clone());
    assert_eq!(ours.outcomes(&[16, 17, 18]), ["twin", "accepted", "accepted"]);
    assert_eq!(ours.step(A).ci, JobResult::Success);
    assert_eq!(ours.protocol().orphan_ci, 1);
    let theirs = tell_of(Some(50), events);
    assert_eq!(theirs.outcomes(&[16, 17, 18]), ["accepted", "twin", "twin"]);
    assert_eq!(theirs.step(A).ci, JobResult::Failure);
}

#[test]
fn n3_a_twin_takes_nothing_back_but_its_own() {
    let mut events = twins();
    events.extend([at(4, of(Ulid(50), undo(14, &[3, 13]))), at(4, step(15, A, StepMove::Started))]);
    let ours = tell(events.clone());
    assert_eq!(ours.outcomes(&[3, 14, 15]), ["accepted", "twin", "accepted"]);
    assert_eq!(ours.protocol().counts.undone, 0);
    let theirs = tell_of(Some(50), events);
    assert_eq!(theirs.outcomes(&[3, 13, 14]), ["twin", "undone", "accepted"]);
}

#[test]
fn o6_a_transition_fits_only_the_state_that_its_writer_saw() {
    let told = tell(begun_with([
        saw("pending", 0, step(4, A, StepMove::Started)),
        saw("pending", 0, step(5, A, StepMove::Submitted)),
        saw("running", 2, step(6, A, StepMove::Submitted)),
        saw("running", 1, step(7, A, StepMove::Submitted)),
    ]));
    assert_eq!(told.outcomes(&[4, 5, 6, 7]), ["accepted", "rejected", "rejected", "accepted"]);
    assert_eq!(told.step(A).recorded, StepStatus::NeedsQa);

    let told = tell(begun_with([saw("planned", 0, moved(4, ProtocolMove::Paused))]));
    assert_eq!(told.outcome(4), "rejected");
    let told = tell(begun_with([saw("running", 0, moved(4, ProtocolMove::Paused))]));
    assert_eq!(told.outcome(4), "accepted");
}

#[test]
fn o6_an_attempt_that_is_over_is_not_ended_again() {
    let told = tell(begun_with([
        saw("pending", 0, step(4, A, StepMove::Started)),
        saw("running", 1, step(5, A, StepMove::Failed)),
        saw("failed", 1, step(6, A, StepMove::Retried)),
        saw("running", 1, step(7, A, StepMove::Completed)),
    ]));
    assert_eq!(told.outcomes(&[6, 7]), ["accepted", "rejected"]);
    assert_eq!(told.step(A).attempt, 2);
}

#[test]
fn o6_a_rejected_event_is_rejected_for_itself_only() {
    let told = tell(begun_with([
        step(4, B, StepMove::Unblocked),
        step(5, "09-x", StepMove::Started),
        step(6, A, StepMove::Started),
    ]));
    assert_eq!(told.outcomes(&[4, 5, 6]), ["rejected", "rejected", "accepted"]);
    assert_eq!(told.protocol().counts.rejected, 2);
}

#[test]
fn o6_cancel_and_block_fit_whatever_their_writer_saw() {
    for (to, becomes) in [
        (ProtocolMove::Cancelled, ProtocolStatus::Cancelled),
        (ProtocolMove::Blocked, ProtocolStatus::Blocked),
    ] {
        let told = tell(begun_with([saw("planned", 0, moved(4, to))]));
        assert_eq!(told.outcome(4), "accepted");
        assert_eq!(told.protocol().shown, becomes);
        assert_eq!(told.protocol().blocked.is_some(), becomes == ProtocolStatus::Blocked);
    }
    let told = tell(begun_with([
        step(4, A, StepMove::Started),
        saw("pending", 0, step(5, A, StepMove::Blocked)),
        saw("blocked", 1, step(6, A, StepMove::Unblocked)),
    ]));
    assert_eq!(told.outcomes(&[5, 6]), ["accepted"; 2]);
    assert_eq!((told.step(A).recorded, told.step(A).attempt), (StepStatus::Running, 2));
    assert_eq!(told.protocol().blocked, None);
}
