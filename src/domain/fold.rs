//! The fold: from the set of events to the state of a protocol.
//!
//! Total and pure. The events come in the order `(clock, id, SHA-256 of the line)`, which the store
//! establishes; the result is a function of the set alone, so it does not matter in which order or
//! grouping clones learned of them. An event that does not fit is rejected for itself only.

mod derive;
mod filter;
mod walk;

use std::collections::HashMap;

use super::event::{Body, Event};
use super::id::{Oid, Ulid};
use super::spec::Specs;
use super::state::{Counts, Protocol};

/// The version of this fold; part of every cache key.
pub const FOLD_VERSION: u64 = 1;

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
    /// The roots of other protocols of the same name.
    pub twins: Vec<Ulid>,
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
    let mut outcomes = filter::outcomes(events);
    let top_clock =
        events.iter().zip(&outcomes).filter(|(_, o)| **o != Outcome::Quarantined).map(|(e, _)| e.clock).max();

    let roots: Vec<Ulid> = events
        .iter()
        .zip(&outcomes)
        .filter(|(event, outcome)| **outcome == Outcome::Accepted && matches!(event.body, Body::Created(_)))
        .map(|(event, _)| event.id)
        .collect();
    let chosen = root.filter(|root| roots.contains(root)).or_else(|| roots.first().copied());
    if roots.len() > 1 {
        set_twins_aside(events, &mut outcomes, chosen);
    }
    filter::mark_duplicates(events, &mut outcomes);

    let protocol = walk::walk(events, specs, &mut outcomes).map(|mut protocol| {
        derive::derive(&mut protocol, events, &outcomes);
        protocol.counts = counts(&outcomes);
        protocol.n_events = outcomes.iter().filter(|outcome| **outcome != Outcome::Twin).count();
        protocol
    });
    Folded {
        protocol,
        outcomes,
        twins: roots.into_iter().filter(|id| Some(*id) != chosen).collect(),
        top_clock: top_clock.unwrap_or(0),
    }
}

/// Marks what belongs to another protocol of the same name. An event without a root goes to the
/// one whose events name its commit, else to the incumbent.
fn set_twins_aside(events: &[Event], outcomes: &mut [Outcome], chosen: Option<Ulid>) {
    let mut owners: HashMap<Oid, Ulid> = HashMap::new();
    let mut incumbent = None;
    for event in events {
        match (&event.body, event.root) {
            (Body::CommitSeen(seen), Some(root)) => {
                owners.entry(seen.commit).or_insert(root);
            }
            (Body::Created(_), _) => {
                incumbent.get_or_insert(event.id);
            }
            _ => (),
        }
    }
    for (event, outcome) in events.iter().zip(outcomes) {
        let belongs_to = match (&event.body, event.root) {
            (Body::Created(_), _) => Some(event.id),
            (_, Some(root)) => Some(root),
            (Body::CiReported(report), None) => owners.get(&report.commit).copied().or(incumbent),
            (_, None) => incumbent,
        };
        if *outcome == Outcome::Accepted && belongs_to != chosen {
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

/// Returns the events that are accepted in `events` and no longer accepted without `targets`:
/// what would fall if the targets were undone.
pub fn dependents(events: &[Event], specs: &Specs, targets: &[Ulid]) -> Vec<Ulid> {
    let accepted = |events: &[Event]| -> Vec<Ulid> {
        let folded = fold(events, specs);
        let outcomes = folded.outcomes.iter();
        events.iter().zip(outcomes).filter(|(_, o)| **o == Outcome::Accepted).map(|(e, _)| e.id).collect()
    };
    let before = accepted(events);
    let without: Vec<Event> = events.iter().filter(|event| !targets.contains(&event.id)).cloned().collect();
    let after = accepted(&without);
    before.into_iter().filter(|id| !targets.contains(id) && !after.contains(id)).collect()
}
