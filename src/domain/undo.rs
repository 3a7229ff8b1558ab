//! Taking back what a command decided, and bringing it back.
//!
//! An undo names the events of one command in one stream. What it names and what is in the way of
//! it follows from the fold; see [`fold`](super::fold) for what it then does.

mod plan;

use std::collections::HashSet;
use std::fmt;

pub use plan::is_plan;

use super::event::{Body, Draft, Event};
use super::fold::{Folded, Outcome, outcomes_without};
use super::id::{StepId, Ulid};
use super::ledger::Ledger;
use super::spec::Specs;
use super::status::StepMove;

/// How many undos are asked whether an event was rejected because of them.
const MAX_ASKED: usize = 32;

/// Why a command is not taken back, or not brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    Facts(Ulid),
    Already(Ulid),
    NotUndone(Ulid),
    /// Its events were rejected, so there is nothing to take back.
    Idle(Ulid),
    /// It was to be taken back as the last command of a clone, and nothing of it counts.
    Overtaken(Box<Overtaken>),
    /// These events, which count now, no longer would.
    BuiltOn {
        op: Ulid,
        built: Vec<Event>,
    },
    Unfit {
        op: Ulid,
        why: String,
    },
}

impl Refused {
    /// Returns the command that it is about.
    pub fn op(&self) -> Ulid {
        match self {
            Self::Facts(op)
            | Self::Already(op)
            | Self::NotUndone(op)
            | Self::Idle(op)
            | Self::BuiltOn { op, .. }
            | Self::Unfit { op, .. } => *op,
            Self::Overtaken(overtaken) => overtaken.op,
        }
    }

    /// Returns why, where the command is called `which`.
    pub fn said_of(&self, which: &str) -> String {
        match self {
            Self::Facts(_) => format!("{which} recorded only facts, and facts cannot be taken back"),
            Self::Already(_) => format!("{which} is taken back already"),
            Self::NotUndone(_) => format!("{which} is not taken back"),
            Self::Idle(_) => format!("nothing that {which} recorded counts"),
            Self::Overtaken(overtaken) => {
                let why = &overtaken.why;
                format!("{which}, the last command of this clone, has no effect any more: {why}")
            }
            Self::BuiltOn { .. } => format!("others rest on how {which} stands now"),
            Self::Unfit { why, .. } => format!("{which} does not fit any more: {why}"),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said_of(&self.op().to_string()))
    }
}

impl std::error::Error for Refused {}

/// Why nothing of a command counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overtaken {
    pub op: Ulid,
    /// Its first event that was rejected.
    pub event: Event,
    pub why: String,
    /// What others recorded that it does not fit to.
    pub by: Option<By>,
    /// The last command of the clone of which something counts.
    pub older: Option<Ulid>,
}

/// What left nothing of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// This came first.
    First(Event),
    /// This was taken back.
    Undone(Event),
}

/// The events of a stream with what became of each.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    pub events: &'a [Event],
    pub outcomes: &'a [Outcome],
}

impl<'a> Told<'a> {
    pub fn new(events: &'a [Event], folded: &'a Folded) -> Self {
        Self { events, outcomes: &folded.outcomes }
    }

    /// Returns the places of what can be taken back of a command.
    pub fn takeable(&self, op: Ulid) -> Vec<usize> {
        let own: Vec<usize> = (0..self.events.len()).filter(|idx| self.events[*idx].op == Some(op)).collect();
        self.takeable_of(&own)
    }

    /// Returns which of the events of one command can be taken back. If it was given to decide
    /// something, that is what was asked for; what the branch showed meanwhile stays.
    pub fn takeable_of(&self, own: &[usize]) -> Vec<usize> {
        let is_set_aside = |idx: usize| matches!(self.outcomes[idx], Outcome::Twin | Outcome::DuplicateId);
        let all = own.iter().copied().filter(|idx| self.events[*idx].body.can_be_undone());
        let all: Vec<usize> = all.filter(|idx| !is_set_aside(*idx)).collect();
        let asked: Vec<usize> = all.iter().copied().filter(|idx| self.events[*idx].cause.is_none()).collect();
        if asked.is_empty() { all } else { asked }
    }

    /// Whether an event counts, by itself or by an earlier one of the same cause.
    pub fn is_standing(&self, idx: usize) -> bool {
        match self.outcomes[idx] {
            Outcome::Accepted => true,
            Outcome::Duplicate => self.same(idx).any(|idx| self.outcomes[idx] == Outcome::Accepted),
            _ => false,
        }
    }

    pub fn is_undone(&self, idx: usize) -> bool {
        match self.outcomes[idx] {
            Outcome::Undone(_) => true,
            Outcome::Duplicate => self.same(idx).any(|idx| matches!(self.outcomes[idx], Outcome::Undone(_))),
            _ => false,
        }
    }

    /// Whether an event is an undo of something else than undos.
    pub fn is_first_undo(&self, idx: usize) -> bool {
        match &self.events[idx].body {
            Body::Undo { targets } => {
                !self.places(targets).any(|idx| matches!(self.events[idx].body, Body::Undo { .. }))
            }
            _ => false,
        }
    }

    /// Returns the first rejected event of those of one command, if there is one and no decision of the
    /// command counts or was taken back.
    pub fn idle(&self, own: &[usize]) -> Option<usize> {
        let mut decisions = self.takeable_of(own);
        decisions.retain(|idx| !matches!(self.events[*idx].body, Body::Undo { .. }));
        let is_told = |idx: &usize| self.is_standing(*idx) || self.is_undone(*idx);
        let is_rejected = |idx: &usize| matches!(self.outcomes[*idx], Outcome::Rejected(_));
        if decisions.iter().any(is_told) { None } else { decisions.into_iter().find(is_rejected) }
    }

    /// Returns why the event at `idx` counts no longer, with the last word of others before it.
    pub fn overtaken(&self, op: Ulid, idx: usize, specs: &Specs, folded: &Folded) -> Overtaken {
        let event = &self.events[idx];
        let why = match &self.outcomes[idx] {
            Outcome::Rejected(why) => why.clone(),
            outcome => outcome.as_str().to_owned(),
        };
        let find = |id: Ulid| self.events.iter().find(|event| event.id == id).cloned();
        let fell = felled(self.events, specs, folded).into_iter().find(|(id, _)| *id == event.id);
        let is_word = |other: &Event| match (&event.body, &other.body) {
            (Body::Step(_), Body::Step(_)) => event.step == other.step,
            (Body::Step(_) | Body::Protocol { .. }, Body::Protocol { .. }) => true,
            _ => false,
        };
        let words = self.events[..idx].iter().zip(self.outcomes).rev();
        let first = words
            .filter(|(other, outcome)| **outcome == Outcome::Accepted && other.op != Some(op))
            .find(|(other, _)| is_word(other));
        let by = match fell {
            Some((_, taken)) => find(taken).map(By::Undone),
            None => first.map(|(other, _)| By::First(other.clone())),
        };
        Overtaken { op, event: event.clone(), why, by, older: None }
    }

    /// Returns the places of the events with the given ids that are not set aside.
    pub fn places(&self, ids: &[Ulid]) -> impl Iterator<Item = usize> + use<'a> {
        let Self { events, outcomes } = *self;
        let ids: HashSet<Ulid> = ids.iter().copied().collect();
        (0..events.len()).filter(move |idx| {
            ids.contains(&events[*idx].id) && !matches!(outcomes[*idx], Outcome::Twin | Outcome::DuplicateId)
        })
    }

    /// Returns the places of an event and of those that repeat its cause.
    fn same(&self, idx: usize) -> impl Iterator<Item = usize> + use<'a> {
        let Self { events, outcomes } = *self;
        (0..events.len()).filter(move |other| {
            *other == idx
                || (events[idx].cause.is_some()
                    && events[idx].cause_key() == events[*other].cause_key()
                    && !matches!(outcomes[*other], Outcome::Twin | Outcome::DuplicateId))
        })
    }

    /// Returns the places of every undo in effect that takes back one of `wanted`.
    fn undos_of(&self, wanted: &[usize]) -> Vec<usize> {
        let ids: HashSet<Ulid> =
            wanted.iter().flat_map(|idx| self.same(*idx)).map(|idx| self.events[idx].id).collect();
        let takes_back = |idx: &usize| match &self.events[*idx].body {
            Body::Undo { targets } => targets.iter().any(|id| ids.contains(id)),
            _ => false,
        };
        (0..self.events.len())
            .filter(|idx| self.outcomes[*idx] == Outcome::Accepted)
            .filter(takes_back)
            .collect()
    }

    /// Returns what an undo of `op` names: what of it counts, and for an undo that is taken back all
    /// undos in effect of the same events.
    fn targets_of_undo(&self, op: Ulid) -> Result<Vec<usize>, Refused> {
        if self.events.iter().any(|event| event.op == Some(op) && is_creation(event)) {
            return self.targets_in_plan(op);
        }
        let takeable = self.takeable(op);
        if takeable.is_empty() {
            return Err(Refused::Facts(op));
        }
        let standing: Vec<usize> = takeable.iter().copied().filter(|idx| self.is_standing(*idx)).collect();
        if standing.is_empty() {
            let undone = takeable.iter().any(|idx| self.is_undone(*idx));
            return Err(if undone { Refused::Already(op) } else { Refused::Idle(op) });
        }
        let mut targets = Vec::new();
        for idx in standing {
            match &self.events[idx].body {
                Body::Undo { targets: named } if self.is_first_undo(idx) => {
                    targets.extend(self.undos_of(&self.places(named).collect::<Vec<_>>()));
                }
                _ => targets.extend(
                    self.same(idx).filter(|same| *same == idx || self.outcomes[*same] == Outcome::Accepted),
                ),
            }
        }
        Ok(targets)
    }

    /// Returns what of `op` is to come back, and every undo in effect that is in its way.
    fn targets_of_redo(&self, op: Ulid) -> Result<(Vec<usize>, Vec<usize>), Refused> {
        let takeable = self.takeable(op);
        if takeable.is_empty() {
            return Err(Refused::Facts(op));
        }
        let mut wanted = Vec::new();
        let with_undos = self.cancelled_with(&takeable);
        for idx in takeable {
            match &self.events[idx].body {
                Body::Undo { targets } if self.is_first_undo(idx) => wanted.extend(self.places(targets)),
                // It came with an undo and ends with it.
                _ if with_undos.contains(&idx) => (),
                _ => wanted.push(idx),
            }
        }
        let mut undos = self.undos_of(&wanted);
        if undos.is_empty() {
            return Err(Refused::NotUndone(op));
        }
        undos.extend(self.cancelled_with(&undos));
        Ok((wanted, undos))
    }
}

/// Takes back what the command `op` decided. Returns the events that were named.
///
/// # Errors
///
/// [`Refused`] if there is nothing to take back, or something rests on it.
pub fn take_back(ledger: &mut Ledger<'_>, op: Ulid) -> Result<Vec<Ulid>, Refused> {
    let targets = Told::new(ledger.events(), ledger.folded()).targets_of_undo(op)?;
    let takes_plan = is_plan(ledger, op);
    let named = push(ledger, op, targets)?;
    if takes_plan {
        plan::cancel(ledger);
    }
    Ok(named)
}

/// Brings back what the command `op` decided, or what its undo took back: undoes every undo in
/// effect of it. Returns the undos that were named.
///
/// # Errors
///
/// [`Refused`] if it is not taken back, does not fit any more, or something rests on its absence.
pub fn bring_back(ledger: &mut Ledger<'_>, op: Ulid) -> Result<Vec<Ulid>, Refused> {
    let (wanted, undos) = Told::new(ledger.events(), ledger.folded()).targets_of_redo(op)?;
    let wanted: Vec<Ulid> = wanted.into_iter().map(|idx| ledger.events()[idx].id).collect();
    let named = push(ledger, op, undos)?;
    let told = Told::new(ledger.events(), ledger.folded());
    let mut back = told.places(&wanted).collect::<Vec<_>>();
    back.retain(|idx| !told.is_standing(*idx));
    let why = back.first().filter(|_| back.len() == wanted.len()).map(|idx| match &told.outcomes[*idx] {
        Outcome::Rejected(why) => why.clone(),
        outcome => outcome.as_str().to_owned(),
    });
    why.map_or(Ok(named), |why| Err(Refused::Unfit { op, why }))
}

fn push(ledger: &mut Ledger<'_>, op: Ulid, mut places: Vec<usize>) -> Result<Vec<Ulid>, Refused> {
    places.sort_unstable();
    places.dedup();
    let targets: Vec<Ulid> = places.into_iter().map(|idx| ledger.events()[idx].id).collect();
    let dependents = ledger.dependents(&targets);
    if !dependents.is_empty() {
        let built = ledger.events().iter().filter(|event| dependents.contains(&event.id)).cloned().collect();
        return Err(Refused::BuiltOn { op, built });
    }
    ledger.push(Draft::new(Body::Undo { targets: targets.clone() }));
    Ok(targets)
}

fn is_creation(event: &Event) -> bool {
    matches!(event.body, Body::Created(_))
}

/// Whether one of `moves` was the last word about a step and was taken back: then automation does
/// not say it again.
pub fn is_held(ledger: &Ledger<'_>, id: &StepId, moves: &[StepMove]) -> bool {
    held_since(ledger, id, moves).is_some()
}

/// Returns the place of the undo that took back the last word about a step, if that was one of `moves`.
pub fn held_since(ledger: &Ledger<'_>, id: &StepId, moves: &[StepMove]) -> Option<usize> {
    let told = ledger.events().iter().zip(&ledger.folded().outcomes).rev();
    for (event, outcome) in told.filter(|(event, _)| event.step.as_ref() == Some(id)) {
        match (&event.body, outcome) {
            (Body::Step(change), Outcome::Undone(undo)) if moves.contains(&change.to) => {
                return ledger.events().iter().position(|event| event.id == *undo);
            }
            (Body::Step(_), Outcome::Accepted) => return None,
            _ => (),
        }
    }
    None
}

/// Returns the rejected events that would count but for an undo, each with the event that it took
/// back.
pub fn felled(events: &[Event], specs: &Specs, folded: &Folded) -> Vec<(Ulid, Ulid)> {
    let told = Told::new(events, folded);
    let is_rejected = |idx: &usize| matches!(told.outcomes[*idx], Outcome::Rejected(_));
    let mut open: Vec<usize> = (0..events.len()).filter(is_rejected).collect();
    let mut felled = Vec::new();
    let in_effect = |idx: &usize| told.outcomes[*idx] == Outcome::Accepted && told.is_first_undo(*idx);
    for idx in (0..events.len()).rev().filter(in_effect).take(MAX_ASKED) {
        let Body::Undo { targets } = &events[idx].body else { continue };
        let named: Vec<usize> = told.places(targets).filter(|idx| told.is_undone(*idx)).collect();
        let Some(first) = named.first().filter(|_| !open.is_empty()) else { continue };
        let undos: Vec<Ulid> = told.undos_of(&named).into_iter().map(|idx| events[idx].id).collect();
        let without = outcomes_without(events, specs, &undos);
        open.retain(|idx| {
            let falls_by_it = without[*idx] == Outcome::Accepted;
            if falls_by_it {
                felled.push((events[*idx].id, events[*first].id));
            }
            !falls_by_it
        });
    }
    felled
}
