//! What is set aside before the state machine runs: quarantine, repeated ids, undo, repeated causes.

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

use super::{MAX_CLOCK, MAX_CLOCK_JUMP, Outcome};
use crate::domain::event::{Body, Event};
use crate::domain::id::{Oid, Ulid};

/// Returns the outcomes that depend on nothing but clocks and ids.
pub(super) fn outcomes(events: &[&Event]) -> Vec<Outcome> {
    let mut outcomes = vec![Outcome::Accepted; events.len()];
    quarantine_after(0, events, &mut outcomes);
    repeated_ids(events, &mut outcomes);
    outcomes
}

/// The first event whose clock leaps too far, and all after it. A walk over the sorted set, so it
/// depends on nothing else; an event that fills the gap releases them.
pub(super) fn quarantine_after(mut previous: u64, events: &[&Event], outcomes: &mut [Outcome]) {
    for (idx, event) in events.iter().enumerate() {
        if event.clock > MAX_CLOCK || event.clock.saturating_sub(previous) > MAX_CLOCK_JUMP {
            outcomes[idx..].fill(Outcome::Quarantined);
            return;
        }
        previous = event.clock;
    }
}

fn repeated_ids(events: &[&Event], outcomes: &mut [Outcome]) {
    let mut seen = HashSet::with_capacity(events.len());
    for (event, outcome) in events.iter().zip(outcomes) {
        if *outcome == Outcome::Accepted && !seen.insert(event.id) {
            *outcome = Outcome::DuplicateId;
        }
    }
}

/// From the last undo to the first: one that is not itself taken back takes back each named event
/// that lies before it, and with an automatic event those that repeat it: another clone may have
/// written what the undo did not see.
pub(super) fn undo(events: &[&Event], outcomes: &mut [Outcome]) {
    if !events.iter().any(|event| matches!(event.body, Body::Undo { .. })) {
        return;
    }
    let places: HashMap<Ulid, usize> = events
        .iter()
        .enumerate()
        .filter(|(idx, _)| outcomes[*idx] == Outcome::Accepted)
        .map(|(idx, event)| (event.id, idx))
        .collect();
    let mut of_cause: HashMap<_, Vec<usize>> = HashMap::new();
    for (idx, event) in events.iter().enumerate().filter(|(idx, _)| outcomes[*idx] == Outcome::Accepted) {
        if let Some(key) = event.cause_key() {
            of_cause.entry(key).or_default().push(idx);
        }
    }
    for idx in (0..events.len()).rev() {
        let Body::Undo { targets } = &events[idx].body else { continue };
        if outcomes[idx] != Outcome::Accepted {
            continue;
        }
        for target in targets.iter().filter_map(|id| places.get(id).copied()) {
            let by = Outcome::Undone(events[idx].id);
            if target >= idx || !events[target].body.can_be_undone() || outcomes[target] == by {
                continue;
            }
            let same = events[target].cause_key().and_then(|key| of_cause.get(&key));
            for target in same.into_iter().flatten().chain([&target]).filter(|place| **place < idx) {
                outcomes[*target] = by.clone();
            }
        }
    }
}

#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Cause(&'a str, Option<&'a str>, &'a str),
    Commit(Oid),
    Rewritten(Oid, Oid),
}

/// The first event in order with a cause counts, whatever became of it; the others repeat it.
pub(super) fn mark_duplicates(events: &[&Event], outcomes: &mut [Outcome]) {
    let mut seen = HashSet::new();
    for (event, outcome) in events.iter().zip(outcomes) {
        if matches!(outcome, Outcome::Quarantined | Outcome::DuplicateId | Outcome::Twin) {
            continue;
        }
        let keys = [
            event.cause_key().map(|(kind, step, cause)| Key::Cause(kind, step, cause)),
            match &event.body {
                Body::CommitSeen(seen) => Some(Key::Commit(seen.commit)),
                Body::CommitRewritten { old, new, .. } => Some(Key::Rewritten(*old, *new)),
                _ => None,
            },
        ];
        let mut repeated = false;
        for key in keys.into_iter().flatten() {
            repeated |= !seen.insert(key);
        }
        if repeated && *outcome == Outcome::Accepted {
            *outcome = Outcome::Duplicate;
        }
    }
}
