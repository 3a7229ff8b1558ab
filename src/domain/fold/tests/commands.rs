//! Undo and redo of commands: what they name, and what is in their way.

use super::*;
use crate::domain::decide;
use crate::domain::ledger::{Author, Ledger};
use crate::domain::undo::{Refused, bring_back, felled, is_held, take_back};

/// An event of command `n`, which is also its number.
fn by_op(event: Event) -> Event {
    Event { op: Some(event.id), ..event }
}

fn ledger(events: Vec<Event>, next_id: &dyn Fn() -> Ulid) -> Ledger<'_> {
    let mut events: Vec<Event> =
        events.into_iter().map(|e| if e.op.is_none() { by_op(e) } else { e }).collect();
    events.sort_by_key(|event| (event.clock, event.id));
    let actor = Actor { kind: ActorKind::Human, name: "Ada".to_owned(), host: None };
    let author = Author { actor: actor.into(), op: Ulid(1000), now_ms: 1000, next_id };
    Ledger::new("0007-x".parse::<Name>().unwrap(), events, specs(), author)
}

/// Does something to the commands of `events` and returns what became of them, new ones included.
fn after(
    events: Vec<Event>,
    act: impl Fn(&mut Ledger<'_>) -> Result<Vec<Ulid>, Refused>,
) -> Result<Vec<(u128, &'static str)>, Refused> {
    let next = std::cell::Cell::new(1000_u128);
    let next_id = || {
        next.set(next.get() + 1);
        Ulid(next.get())
    };
    let mut ledger = ledger(events, &next_id);
    act(&mut ledger)?;
    let ids = ledger.events().iter().map(|event| event.id.0);
    Ok(ids.zip(ledger.folded().outcomes.iter().map(Outcome::as_str)).filter(|(id, _)| *id > 3).collect())
}

fn undone(events: Vec<Event>, n: u128) -> Result<Vec<(u128, &'static str)>, Refused> {
    after(events, |ledger| take_back(ledger, Ulid(n)))
}

fn redone(events: Vec<Event>, n: u128) -> Result<Vec<(u128, &'static str)>, Refused> {
    after(events, |ledger| bring_back(ledger, Ulid(n)))
}

fn started(n: u64) -> Event {
    saw("pending", 0, step(n, A, StepMove::Started))
}

fn submitted(n: u64) -> Event {
    saw("running", 1, step(n, A, StepMove::Submitted))
}

#[test]
fn the_last_command_is_taken_back_and_the_one_before_then() {
    let events = begun_with([started(4), submitted(5)]);
    let built = undone(events.clone(), 4).unwrap_err();
    assert!(matches!(&built, Refused::BuiltOn { built, .. } if built[0].id == Ulid(5)), "{built}");
    assert_eq!(undone(events.clone(), 5).unwrap(), [(4, "accepted"), (5, "undone"), (1001, "accepted")]);
    let mut events = events;
    events.push(undo(6, &[5]));
    let told = undone(events, 4).unwrap();
    assert_eq!(told, [(4, "undone"), (5, "undone"), (6, "accepted"), (1001, "accepted")]);
}

#[test]
fn facts_and_what_does_not_count_are_refused() {
    let events = begun_with([
        commit(4, 4, Some(A), &[]),
        saw("running", 1, step(5, A, StepMove::Submitted)),
        started(6),
        undo(7, &[6]),
    ]);
    assert_eq!(undone(events.clone(), 4), Err(Refused::Facts(Ulid(4))));
    assert_eq!(undone(events.clone(), 5), Err(Refused::Idle(Ulid(5))));
    assert_eq!(undone(events.clone(), 6), Err(Refused::Already(Ulid(6))));
    assert_eq!(redone(events.clone(), 4), Err(Refused::Facts(Ulid(4))));
    assert_eq!(redone(events.clone(), 5), Err(Refused::NotUndone(Ulid(5))));
    assert_eq!(undone(events, 77), Err(Refused::Facts(Ulid(77))));
}

/// What the command that planned did, with what followed from the commit of the plan.
fn planned_by_one() -> Vec<Event> {
    let of_plan = |event| Event { op: Some(Ulid(1)), ..event };
    let setup = saw("pending", 0, caused("commit:4", step(4, A, StepMove::Completed)));
    vec![created(1), of_plan(planned(2)), of_plan(setup)]
}

#[test]
fn a_plan_is_taken_back_with_all_that_followed_and_the_protocol_is_cancelled() {
    let told = undone(planned_by_one(), 1).unwrap();
    assert_eq!(told, [(4, "undone"), (1001, "accepted"), (1002, "accepted")]);
    let mut events = planned_by_one();
    events.push(saw("pending", 0, step(5, B, StepMove::Started)));
    assert!(matches!(undone(events, 1), Err(Refused::BuiltOn { .. })));
    // It is cancelled once.
    let mut events = planned_by_one();
    events.push(moved(5, ProtocolMove::Cancelled));
    assert_eq!(undone(events, 1).unwrap().last(), Some(&(1001, "accepted")));
}

#[test]
fn a_redo_of_a_plan_ends_its_cancellation_whoever_took_it_back() {
    let op = |event, op| Event { op: Some(Ulid(op)), ..event };
    let mut events = planned_by_one();
    events.extend([op(undo(5, &[2, 4]), 5), op(moved(6, ProtocolMove::Cancelled), 5)]);
    let back = [(4, "accepted"), (5, "undone"), (6, "undone"), (1001, "accepted")];
    for named in [1, 5] {
        assert_eq!(redone(events.clone(), named).unwrap(), back);
    }
    assert_eq!(undone(events.clone(), 5).unwrap(), back, "undoing an undo is a redo");
    assert_eq!(undone(events.clone(), 1), Err(Refused::Already(Ulid(1))));
    // Another clone did the same, unseen.
    events.extend([at(5, op(undo(7, &[2, 4]), 7)), at(6, op(moved(8, ProtocolMove::Cancelled), 7))]);
    let told = redone(events, 5).unwrap();
    let undone = [5, 6, 7, 8].map(|id| told.iter().find(|(known, _)| *known == id).unwrap().1);
    assert_eq!(undone, ["undone"; 4]);
}

#[test]
fn of_a_command_its_decisions_are_taken_back_and_what_the_branch_showed_stays() {
    let op = |event| Event { op: Some(Ulid(4)), ..event };
    let events =
        begun_with([op(commit(4, 4, Some(A), &[])), op(caused("commit:4", started(5))), op(submitted(6))]);
    let told = undone(events, 4).unwrap();
    assert_eq!(told, [(4, "accepted"), (5, "accepted"), (6, "undone"), (1001, "accepted")]);
    // A hook was asked for nothing else.
    let events = begun_with([op(commit(4, 4, Some(A), &[])), op(caused("commit:4", started(5)))]);
    assert_eq!(undone(events, 4).unwrap(), [(4, "accepted"), (5, "undone"), (1001, "accepted")]);
}

#[test]
fn a_redo_takes_back_every_undo_in_effect() {
    // Two clones took the same back; each names what it saw.
    let both = begun_with([started(4), undo(5, &[4]), at(5, undo(6, &[4]))]);
    let back = [(4, "accepted"), (5, "undone"), (6, "undone"), (1001, "accepted")];
    assert_eq!(redone(both.clone(), 4).unwrap(), back);
    assert_eq!(redone(both.clone(), 5).unwrap(), back, "an undo may be named instead");
    assert_eq!(undone(both.clone(), 6).unwrap(), back, "undoing an undo is a redo");
    // And the redo can be taken back, which lets both undos hold again.
    let mut again = both;
    again.push(undo(7, &[5, 6]));
    let told = undone(again, 7).unwrap();
    assert_eq!(told, [(4, "undone"), (5, "accepted"), (6, "accepted"), (7, "undone"), (1001, "accepted")]);
}

#[test]
fn an_undo_that_was_not_seen_holds_against_a_redo() {
    let told = tell(begun_with([started(4), undo(5, &[4]), at(6, undo(6, &[5])), at(6, undo(7, &[4]))]));
    assert_eq!(told.outcomes(&[4, 5, 6, 7]), ["undone", "undone", "accepted", "accepted"]);
    let told = redone(told.events, 4).unwrap();
    assert_eq!(told, [(4, "accepted"), (5, "undone"), (6, "accepted"), (7, "undone"), (1001, "accepted")]);
}

#[test]
fn a_redo_that_fits_no_more_or_would_let_others_fall_is_refused() {
    let block = |n| step(n, A, StepMove::Blocked);
    let events = begun_with([started(4), submitted(5), undo(6, &[5]), saw("running", 1, block(7))]);
    // The submission comes first in order; what was decided on its absence is a block, which still fits.
    assert!(redone(events, 5).is_ok());
    let events = begun_with([
        started(4),
        submitted(5),
        undo(6, &[5]),
        saw("running", 1, step(7, A, StepMove::Failed)),
    ]);
    assert!(matches!(redone(events, 5), Err(Refused::BuiltOn { .. })));
    let cancelled = at(4, moved(7, ProtocolMove::Cancelled));
    let events = begun_with([started(4), submitted(5), undo(6, &[5]), cancelled]);
    assert!(matches!(redone(events, 5), Err(Refused::Unfit { .. })));
}

#[test]
fn an_undo_of_an_automatic_event_holds_for_what_repeats_it_unseen() {
    let start = |n, clock| at(clock, caused("commit:c", started(n)));
    // Another clone wrote the same, with a smaller id, and the undo names the larger one only.
    let told = tell(begun_with([start(5, 4), undo(6, &[5]), start(4, 4)]));
    assert_eq!(told.outcomes(&[4, 5, 6]), ["undone", "undone", "accepted"]);
    assert_eq!(told.step(A).recorded, StepStatus::Pending);
    // Wherever that other clone stood in time.
    let told = tell(begun_with([start(5, 4), undo(6, &[5]), start(4, 40)]));
    assert_eq!(told.outcomes(&[4, 5, 6]), ["duplicate", "undone", "accepted"]);
    // Taking the undo back brings it back, whichever is named.
    let events = begun_with([start(5, 4), undo(6, &[5]), start(4, 4)]);
    for n in [4, 5, 6] {
        let told = redone(events.clone(), n).unwrap();
        assert_eq!(told, [(4, "accepted"), (5, "duplicate"), (6, "undone"), (1001, "accepted")]);
    }
    // What only repeats another clone's event takes that one back.
    let told = undone(begun_with([start(4, 4), start(5, 5)]), 5).unwrap();
    assert_eq!(told, [(4, "undone"), (5, "undone"), (1001, "accepted")]);
}

#[test]
fn u5_a_gate_that_is_open_does_not_complete_again_what_was_taken_back() {
    let next = std::cell::Cell::new(1000_u128);
    let next_id = || {
        next.set(next.get() + 1);
        Ulid(next.get())
    };
    let seen = commit(6, 6, Some(A), &[]);
    let completed = |cause: &str| caused(cause, saw("needs_qa", 1, step(7, A, StepMove::Completed)));
    let pushed = format!("pushed:{}", oid(6));
    let settled = |events: Vec<Event>| {
        let mut ledger = ledger(events, &next_id);
        decide::settle(&mut ledger, &|_| None);
        ledger.new_events().len()
    };
    let waiting = begun_with([started(4), submitted(5), seen]);
    assert_eq!(settled(waiting.clone()), 1);
    let held = |event: Event| waiting.iter().cloned().chain([event, undo(8, &[7])]).collect::<Vec<_>>();
    assert_eq!(settled(held(completed(&pushed))), 0);
    // Also where the commit is another one since, or a person had approved.
    assert_eq!(settled(held(completed("pushed:before"))), 0);
    assert_eq!(settled(held(saw("needs_qa", 1, step(7, A, StepMove::Approved)))), 0);
    // Asked for once more, it goes on by itself.
    let back = [undo(9, &[5]), saw("running", 1, step(10, A, StepMove::Submitted))];
    assert_eq!(settled([held(completed("pushed:before")), back.into()].concat()), 1);
    // A line that was rejected holds its cause: repeating it would add a line each time.
    let rejected = saw("running", 7, completed(&pushed));
    assert_eq!(settled(waiting.iter().cloned().chain([rejected]).collect()), 0);
}

#[test]
fn what_was_decided_after_an_undo_is_not_held() {
    let next_id = || Ulid(1000);
    let moves = [StepMove::Started];
    let held = |events: Vec<Event>| is_held(&ledger(events, &next_id), &step_id(A), &moves);
    assert!(!held(begun_with([started(4)])));
    assert!(held(begun_with([started(4), undo(5, &[4])])));
    assert!(held(begun_with([started(4), undo(5, &[4]), step(6, A, StepMove::Blocked), undo(7, &[6])])));
    assert!(!held(begun_with([started(4), undo(5, &[4]), step(6, A, StepMove::Blocked)])));
    assert!(!held(begun_with([started(4), undo(5, &[4]), undo(6, &[5])])));
}

#[test]
fn u3_what_fell_by_a_concurrent_undo_is_told_with_it() {
    let approve = saw("needs_qa", 1, step(6, A, StepMove::Approved));
    let events = begun_with([started(4), submitted(5), approve.clone(), at(6, undo(7, &[5]))]);
    let told = tell(events.clone());
    assert_eq!(told.outcomes(&[5, 6]), ["undone", "rejected"]);
    assert_eq!(felled(&told.events, &specs(), &told.folded), [(Ulid(6), Ulid(5))]);
    // Two undos of one event are one reason.
    let told = tell([events, vec![at(6, undo(8, &[5]))]].concat());
    assert_eq!(felled(&told.events, &specs(), &told.folded), [(Ulid(6), Ulid(5))]);
    // What never fitted fell by none.
    let told = tell(begun_with([
        started(4),
        submitted(5),
        undo(6, &[5]),
        saw("planned", 9, step(7, A, StepMove::Started)),
    ]));
    assert_eq!(felled(&told.events, &specs(), &told.folded), []);
}
