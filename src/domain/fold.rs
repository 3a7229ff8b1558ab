//! The fold: from the set of events to the state of a protocol.
//!
//! Total and pure. The events come in the order `(clock, id, SHA-256 of the line)`, which the store
//! establishes; the result is a function of the set alone, so it does not matter in which order or
//! grouping clones learned of them. An event that does not fit is rejected for itself only.

mod commits;
mod derive;
mod filter;
mod walk;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use super::event::{Body, Event, Moved};
use super::id::Ulid;
use super::spec::Specs;
use super::state::{Counts, Protocol};

/// The version of this fold; part of every cache key.
pub const FOLD_VERSION: u64 = 5;

/// The largest step that clocks may take from one event to the next in order.
pub const MAX_CLOCK_JUMP: u64 = 1_000_000;

/// The largest clock that counts, 2^53 − 1.
pub const MAX_CLOCK: u64 = (1 << 53) - 1;

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Accepted,
    /// It does not fit the state it meets.
    Rejected(String),
    /// An earlier event has the same cause.
    Duplicate,
    /// An earlier event has the same id and other bytes.
    DuplicateId,
    /// Taken back by this event.
    Undone(Ulid),
    /// Its clock is beyond belief.
    Quarantined,
    /// This release gives its type no meaning.
    Unknown,
    /// It belongs to another protocol of the same name.
    Twin,
}

impl Outcome {
    /// Returns the word that `log` shows.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected(_) => "rejected",
            Self::Duplicate => "duplicate",
            Self::DuplicateId => "duplicate_id",
            Self::Undone(_) => "undone",
            Self::Quarantined => "quarantined",
            Self::Unknown => "unknown",
            Self::Twin => "twin",
        }
    }
}

/// The result of a fold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// `None` if no event creates the protocol.
    pub protocol: Option<Protocol>,
    /// One for each event, in their order.
    pub outcomes: Vec<Outcome>,
    /// The roots of other protocols of the same name that are here to stay.
    pub twins: Vec<Ulid>,
    /// The protocols of the same name that went on under another one.
    pub moved: Vec<Moved>,
    /// The largest clock that is not quarantined; a writer takes the next one.
    pub top_clock: u64,
}

/// Returns the state that `events` describe.
pub fn fold(events: &[Event], specs: &Specs) -> Folded {
    fold_root(events, specs, None)
}

/// Returns the state of the protocol whose creation is `root`, or of the incumbent: the first
/// effective creation.
pub fn fold_root(events: &[Event], specs: &Specs, root: Option<Ulid>) -> Folded {
    fold_refs(&events.iter().collect::<Vec<_>>(), specs, root)
}

/// As [`fold_root`], for events that lie somewhere else.
pub fn fold_refs(events: &[&Event], specs: &Specs, root: Option<Ulid>) -> Folded {
    let mut outcomes = filter::outcomes(events);
    let top_clock =
        events.iter().zip(&outcomes).filter(|(_, o)| **o != Outcome::Quarantined).map(|(e, _)| e.clock).max();

    let creations: Vec<&Event> =
        accepted(events, &outcomes).filter(|event| matches!(event.body, Body::Created(_))).collect();
    let roots: Vec<Ulid> = creations.iter().map(|created| created.id).collect();
    let moved = moved_away(events, &outcomes, &creations);
    let staying = || roots.iter().copied().filter(|root| moved.iter().all(|moved| moved.root != *root));
    let incumbent = staying().next();
    let chosen = root.filter(|root| roots.contains(root)).or(incumbent);
    match chosen {
        Some(chosen) => set_twins_aside(events, &mut outcomes, chosen, Some(chosen) == incumbent),
        // Nobody is left under this name.
        None if !moved.is_empty() => set_twins_aside(events, &mut outcomes, Ulid::nil(), true),
        None => (),
    }
    filter::undo(events, &mut outcomes);
    filter::mark_duplicates(events, &mut outcomes);

    let (protocol, placed) = walk::walk(events, specs, &mut outcomes);
    let protocol = protocol.map(|mut protocol| {
        derive::derive(&mut protocol, events, &outcomes, &placed);
        protocol.counts = counts(&outcomes);
        protocol.n_events = outcomes.iter().filter(|outcome| **outcome != Outcome::Twin).count();
        let latest = accepted(events, &outcomes).map(|event| event.at_ms).max();
        protocol.updated_at_ms = latest.unwrap_or(protocol.created_at_ms);
        protocol
    });
    Folded {
        protocol,
        outcomes,
        twins: staying().filter(|id| Some(*id) != chosen).collect(),
        moved,
        top_clock: top_clock.unwrap_or(0),
    }
}

fn accepted<'a, 'o>(
    events: &'o [&'a Event],
    outcomes: &'o [Outcome],
) -> impl Iterator<Item = &'a Event> + use<'a, 'o> {
    events.iter().zip(outcomes).filter(|(_, outcome)| **outcome == Outcome::Accepted).map(|(event, _)| *event)
}

/// Returns where protocols went of which the events say that they did: of several places of one, the
/// first counts. Under its new name it is still there: what says that it left the old one may lie here, too,
/// where somebody put it.
fn moved_away(events: &[&Event], outcomes: &[Outcome], creations: &[&Event]) -> Vec<Moved> {
    let is_of = |made: &Event, name| made.protocol.as_ref().is_none_or(|of| of == name);
    let mut moved: Vec<Moved> = Vec::new();
    for event in accepted(events, outcomes) {
        if let Body::Moved(away) = &event.body
            && event.root == Some(away.root)
            && event.protocol.as_ref() == Some(&away.from)
            && away.from != away.to
            && creations.iter().any(|made| made.id == away.root && is_of(made, &away.from))
            && moved.iter().all(|known| known.root != away.root)
        {
            moved.push(away.clone());
        }
    }
    moved
}

/// Marks what belongs to another protocol of the same name. A fact without a root goes to every
/// protocol that names its commit, and to the incumbent if none does.
fn set_twins_aside(events: &[&Event], outcomes: &mut [Outcome], chosen: Ulid, is_incumbent: bool) {
    let (mut ours, mut theirs) = (HashSet::new(), HashSet::new());
    for event in accepted(events, outcomes) {
        if let (Body::CommitSeen(seen), Some(root)) = (&event.body, event.root) {
            let named = if root == chosen { &mut ours } else { &mut theirs };
            named.insert(seen.commit);
        }
    }
    for (event, outcome) in events.iter().zip(outcomes) {
        let is_ours = match (&event.body, event.root) {
            (Body::Created(_), _) => event.id == chosen,
            (_, Some(root)) => root == chosen,
            (body, None) => match body.about_commit() {
                Some(commit) if ours.contains(&commit) => true,
                Some(commit) if theirs.contains(&commit) => false,
                _ => is_incumbent,
            },
        };
        if *outcome == Outcome::Accepted && !is_ours {
            *outcome = Outcome::Twin;
        }
    }
}

fn counts(outcomes: &[Outcome]) -> Counts {
    let mut counts = Counts::default();
    for outcome in outcomes {
        match outcome {
            Outcome::Accepted => counts.accepted += 1,
            Outcome::Rejected(_) => counts.rejected += 1,
            Outcome::Duplicate | Outcome::DuplicateId => counts.duplicate += 1,
            Outcome::Undone(_) => counts.undone += 1,
            Outcome::Quarantined => counts.quarantined += 1,
            Outcome::Unknown | Outcome::Twin => (),
        }
    }
    counts
}

/// Returns the events that are accepted in `events` and would no longer be if the targets were
/// undone now. What that takes back by itself, as the end of a redo does, is meant and not among them.
pub fn dependents(events: &[Event], specs: &Specs, targets: &[Ulid]) -> Vec<Ulid> {
    let before = fold(events, specs).outcomes;
    let after = outcomes_without(events, specs, targets);
    (0..events.len())
        .filter(|idx| before[*idx] == Outcome::Accepted)
        .filter(|idx| !matches!(after[*idx], Outcome::Accepted | Outcome::Undone(_)))
        .map(|idx| events[idx].id)
        .filter(|id| !targets.contains(id))
        .collect()
}

/// Returns what would become of each event if the targets were undone now.
pub fn outcomes_without(events: &[Event], specs: &Specs, targets: &[Ulid]) -> Vec<Outcome> {
    let before = fold(events, specs);
    let Some(target) = events.iter().find(|event| targets.contains(&event.id)) else {
        return before.outcomes;
    };
    // Taking the targets out instead would let what repeats their cause count in their place.
    let undo = Event {
        id: Ulid(u128::MAX),
        clock: before.top_clock,
        cause: None,
        redacts: None,
        body: Body::Undo { targets: targets.to_vec() },
        ..target.clone()
    };
    let end = before.outcomes.iter().position(|o| *o == Outcome::Quarantined).unwrap_or(events.len());
    let mut undone: Vec<&Event> = events.iter().collect();
    undone.insert(end, &undo);
    let mut outcomes = fold_refs(&undone, specs, None).outcomes;
    outcomes.remove(end);
    outcomes
}
