//! The events of one protocol while a decision is being made: what was read, and what is new.
//!
//! A decision reads the [state](Ledger::protocol) and [pushes](Ledger::push) drafts; the state it
//! reads next already contains them. Nothing is written here.

use std::sync::Arc;

use super::event::{Actor, Draft, Event};
use super::fold::{self, Folded, Outcome, fold};
use super::id::{Digest, Name, StepId, Ulid};
use super::spec::{Spec, Specs};
use super::state::Protocol;

/// Who writes, when, and where new ids come from.
#[derive(Clone)]
pub struct Author<'a> {
    pub actor: Arc<Actor>,
    /// The command that writes.
    pub op: Ulid,
    pub now_ms: u64,
    pub next_id: &'a dyn Fn() -> Ulid,
}

impl Author<'_> {
    /// Returns the event that `draft` becomes, of no protocol.
    pub fn event(&self, draft: Draft, clock: u64) -> Event {
        Event {
            id: (self.next_id)(),
            clock,
            at_ms: draft.at_ms.unwrap_or(self.now_ms),
            op: Some(self.op),
            protocol: None,
            root: None,
            actor: self.actor.clone(),
            step: draft.step,
            attempt: draft.attempt,
            from: draft.from,
            cause: draft.cause,
            critical: draft.body.is_critical(),
            redacts: None,
            body: draft.body,
        }
    }
}

/// What was read of one stream, and what a decision adds to it.
pub struct Ledger<'a> {
    name: Name,
    /// In fold order.
    events: Vec<Event>,
    new: Vec<Event>,
    specs: Specs,
    folded: Folded,
    author: Author<'a>,
}

impl<'a> Ledger<'a> {
    /// `events` are in fold order.
    pub fn new(name: Name, events: Vec<Event>, specs: Specs, author: Author<'a>) -> Self {
        let folded = fold(&events, &specs);
        Self { name, events, new: Vec::new(), specs, folded, author }
    }

    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Returns the state with everything that was pushed; `None` while nothing creates the protocol.
    pub fn protocol(&self) -> Option<&Protocol> {
        self.folded.protocol.as_ref()
    }

    /// Returns all events in fold order, with what was pushed.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Whether an event has the type, step and cause of `draft`, whatever became of it.
    pub fn names(&self, draft: &Draft) -> bool {
        let Some(cause) = &draft.cause else { return false };
        let step = draft.step.as_ref().map(StepId::as_str);
        self.events.iter().any(|event| event.cause_key() == Some((draft.body.kind(), step, &cause.0)))
    }

    /// Returns what was pushed, in order.
    pub fn new_events(&self) -> &[Event] {
        &self.new
    }

    /// Returns the events that count and would no longer if `targets` were undone now.
    pub fn dependents(&self, targets: &[Ulid]) -> Vec<Ulid> {
        fold::dependents(&self.events, &self.specs, targets)
    }

    pub fn folded(&self) -> &Folded {
        &self.folded
    }

    /// Returns the fold of what was read and pushed.
    pub fn into_folded(self) -> Folded {
        self.folded
    }

    /// Returns the protocol's plan, if it is here.
    pub fn spec(&self) -> Option<&Spec> {
        self.specs.get(&self.protocol()?.spec?)
    }

    /// Makes a plan known, before an event names it.
    pub fn add_spec(&mut self, digest: Digest, spec: Spec) {
        self.specs.insert(digest, spec);
    }

    /// Adds an event with the next clock and returns what becomes of it.
    pub fn push(&mut self, draft: Draft) -> Outcome {
        let root = self.protocol().map(|protocol| protocol.root);
        self.push_of(root, draft)
    }

    /// As [`Self::push`], for another protocol of the same name.
    pub fn push_of(&mut self, root: Option<Ulid>, draft: Draft) -> Outcome {
        let created = matches!(draft.body, super::event::Body::Created(_));
        let mut event = self.author.event(draft, self.folded.top_clock + 1);
        let id = event.id;
        event.protocol = Some(self.name.clone());
        event.root = if created { Some(id) } else { root };
        self.new.push(event.clone());
        // Quarantined events lie after the new one in order, so it is not always the last.
        let place = self.events.partition_point(|known| (known.clock, known.id) < (event.clock, id));
        self.events.insert(place, event);
        self.folded = fold(&self.events, &self.specs);
        self.folded.outcomes[place].clone()
    }
}
