//! Laws of undo: two clones that decide, see the same commits, undo, redo and share, in any order.

use std::cell::Cell;

use git_godzilla::domain::event::{Actor, ActorKind, Body, Cause, Draft, Event, StepChange};
use git_godzilla::domain::fold::{Folded, Outcome, fold};
use git_godzilla::domain::id::{StepId, Ulid};
use git_godzilla::domain::ledger::{Author, Ledger};
use git_godzilla::domain::status::StepMove;
use git_godzilla::domain::undo::{Refused, Told, bring_back, felled, take_back};
use git_godzilla::store::content::{Content, Line};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{any, check};

#[derive(Clone, Debug)]
enum Act {
    /// A person decides.
    Decide(StepMove, usize),
    /// Git shows a commit, which moves a step.
    See(u8, StepMove, usize),
    Undo(Index),
    Redo(Index),
    /// Takes over what the other clone has.
    Fetch,
}

fn act() -> impl Strategy<Value = Act> {
    let moves = || select(StepMove::ALL);
    prop_oneof![
        6 => (moves(), 0_usize..3).prop_map(|(to, step)| Act::Decide(to, step)),
        4 => (1_u8..5, moves(), 0_usize..2).prop_map(|(oid, to, step)| Act::See(oid, to, step)),
        5 => any::<Index>().prop_map(Act::Undo),
        3 => any::<Index>().prop_map(Act::Redo),
        3 => Just(Act::Fetch),
    ]
}

/// Does one thing in a clone; what is refused changes nothing. `next` gives ids.
fn perform(content: &mut Content, act: &Act, next: &Cell<u128>) -> Result<(), TestCaseError> {
    let next_id = || Ulid(next.replace(next.get() + 1));
    let actor = Actor { kind: ActorKind::Human, name: "A".into(), host: None };
    let by = next_id();
    let author = Author { actor: actor.into(), op: by, now_ms: 5, next_id: &next_id };
    let (before, specs) = (content.events(), content.decoded_specs());
    let mut ledger = Ledger::new("0007-x".parse().unwrap(), before.clone(), specs.clone(), author);
    let mut ops: Vec<Ulid> = before.iter().filter_map(|event| event.op).collect();
    ops.dedup();
    let draft = |ledger: &Ledger<'_>, to: StepMove, step: usize| {
        let step = ledger.protocol().unwrap().steps.get(step)?;
        let change = StepChange { to, reason: None, no_commit: false, evidence: None };
        Some(Draft {
            step: Some(StepId::clone(&step.id)),
            attempt: Some(step.attempt),
            from: Some(step.recorded.to_string()),
            ..Draft::new(Body::Step(change))
        })
    };
    let taken: Result<Option<Ulid>, Refused> = match act {
        Act::Decide(to, step) => {
            let fits =
                draft(&ledger, *to, *step).is_some_and(|draft| ledger.push(draft) == Outcome::Accepted);
            if !fits {
                return Ok(());
            }
            Ok(None)
        }
        Act::See(oid, to, step) => {
            let cause = Cause::commit(any::oid(*oid));
            let draft = draft(&ledger, *to, *step).map(|draft| draft.caused_by(cause, 5));
            match draft.filter(|draft| !ledger.names(draft)) {
                Some(draft) => drop(ledger.push(draft)),
                None => return Ok(()),
            }
            Ok(None)
        }
        Act::Undo(idx) if !ops.is_empty() => {
            let op = *idx.get(&ops);
            take_back(&mut ledger, op).map(|_| Some(op))
        }
        Act::Redo(idx) if !ops.is_empty() => bring_back(&mut ledger, *idx.get(&ops)).map(|_| None),
        Act::Undo(_) | Act::Redo(_) | Act::Fetch => return Ok(()),
    };
    let Ok(taken) = taken else { return Ok(()) };
    if let Some(op) = taken {
        nothing_else_falls(&before, &fold(&before, &specs), &ledger, op)?;
        undone_at_once_it_was_never_there(&before, &fold(&before, &specs), &mut ledger, by)?;
    }
    let n_new = if taken.is_some() { 1 } else { ledger.new_events().len() };
    for event in &ledger.new_events()[..n_new] {
        content.add(Line::new(event.clone()));
    }
    content.normalize();
    Ok(())
}

/// What counted and was not meant still counts.
fn nothing_else_falls(
    before: &[Event],
    folded: &Folded,
    ledger: &Ledger<'_>,
    op: Ulid,
) -> Result<(), TestCaseError> {
    let told = Told::new(ledger.events(), ledger.folded());
    prop_assert!(told.takeable(op).into_iter().all(|idx| !told.is_standing(idx)));
    for (event, _) in before.iter().zip(&folded.outcomes).filter(|(_, was)| **was == Outcome::Accepted) {
        let place = told.events.iter().position(|known| known.id == event.id).unwrap();
        let falls = matches!(told.outcomes[place], Outcome::Rejected(_) | Outcome::Duplicate);
        prop_assert!(!falls, "{event:?}: {:?}", told.outcomes[place]);
    }
    Ok(())
}

/// Unless the undo let something count that had been rejected; then that would fall.
fn undone_at_once_it_was_never_there(
    before: &[Event],
    folded: &Folded,
    ledger: &mut Ledger<'_>,
    by: Ulid,
) -> Result<(), TestCaseError> {
    let outcome = |id| &folded.outcomes[before.iter().position(|event| event.id == id).unwrap()];
    match take_back(ledger, by) {
        Ok(_) => {
            for event in before {
                let place = ledger.events().iter().position(|known| known.id == event.id).unwrap();
                prop_assert_eq!(&ledger.folded().outcomes[place], outcome(event.id), "{:?}", event);
            }
        }
        Err(Refused::BuiltOn { built, .. }) => {
            prop_assert!(built.iter().all(|event| matches!(outcome(event.id), Outcome::Rejected(_))));
        }
        Err(err) => prop_assert!(false, "{err:?}"),
    }
    Ok(())
}

/// An undo in effect holds for all that it names, and for whatever repeats it.
fn undos_hold(content: &Content) -> Result<(), TestCaseError> {
    let (events, specs) = (content.events(), content.decoded_specs());
    let folded = fold(&events, &specs);
    for (event, outcome) in events.iter().zip(&folded.outcomes) {
        let (Body::Undo { targets }, Outcome::Accepted) = (&event.body, outcome) else { continue };
        for named in events.iter().filter(|known| targets.contains(&known.id)) {
            let same = |other: &Event| {
                other.id == named.id || (named.cause.is_some() && other.cause_key() == named.cause_key())
            };
            for (other, outcome) in events.iter().zip(&folded.outcomes).filter(|(other, _)| same(other)) {
                prop_assert_ne!(outcome, &Outcome::Accepted, "{:?} in spite of {:?}", other, event);
            }
        }
    }
    for (fell, by) in felled(&events, &specs, &folded) {
        let outcome = |id| &folded.outcomes[events.iter().position(|event| event.id == id).unwrap()];
        prop_assert!(matches!(outcome(fell), Outcome::Rejected(_)));
        prop_assert!(matches!(outcome(by), Outcome::Undone(_) | Outcome::Duplicate));
    }
    Ok(())
}

#[test]
fn u_undo_holds_in_every_order_and_automation_repeats_nothing() {
    let acts = prop::collection::vec((any::<bool>(), act()), 0..40);
    check(192, &acts, |acts| {
        let mut clones = [super::content(&any::begun()), super::content(&any::begun())];
        let next = Cell::new(100);
        for (second, act) in &acts {
            let idx = usize::from(*second);
            if matches!(act, Act::Fetch) {
                let other = clones[1 - idx].clone();
                clones[idx].unite(&other);
            }
            perform(&mut clones[idx], act, &next)?;
            undos_hold(&clones[idx])?;
        }
        let [mut first, mut second] = clones;
        let other = first.clone();
        first.unite(&second);
        second.unite(&other);
        prop_assert_eq!(&first, &second);
        undos_hold(&first)
    });
}
