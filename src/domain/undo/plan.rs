//! Taking back a plan: what it decided no longer counts, and the protocol, whose creation is a fact, is
//! cancelled.

use super::{Refused, Told, is_creation};
use crate::domain::decide;
use crate::domain::event::Body;
use crate::domain::id::Ulid;
use crate::domain::ledger::Ledger;
use crate::domain::status::ProtocolMove;

/// What the protocol is cancelled for.
const REASON: &str = "its plan was undone";

/// Whether `op` is the command that planned the protocol.
pub fn is_plan(ledger: &Ledger<'_>, op: Ulid) -> bool {
    ledger.events().iter().any(|event| event.op == Some(op) && is_creation(event))
}

impl Told<'_> {
    /// Returns what of the command that planned counts and can be taken back: also what followed from the
    /// commit of the plan.
    pub(super) fn targets_in_plan(&self, op: Ulid) -> Result<Vec<usize>, Refused> {
        let is_own = |idx: &usize| self.events[*idx].op == Some(op) && self.events[*idx].body.can_be_undone();
        let own: Vec<usize> = (0..self.events.len()).filter(is_own).collect();
        let standing: Vec<usize> = own.iter().copied().filter(|idx| self.is_standing(*idx)).collect();
        let is_planned = |idx: &usize| matches!(self.events[*idx].body, Body::Planned { .. });
        if standing.iter().any(is_planned) {
            return Ok(standing);
        }
        let is_undone = own.iter().any(|idx| self.is_undone(*idx));
        Err(if is_undone { Refused::Already(op) } else { Refused::Idle(op) })
    }

    /// Returns the cancellations that came with undos of a plan: they end with these.
    pub(super) fn cancelled_with(&self, undos: &[usize]) -> Vec<usize> {
        let takes_plan = |idx: &&usize| match &self.events[**idx].body {
            Body::Undo { targets } => {
                self.places(targets).any(|idx| matches!(self.events[idx].body, Body::Planned { .. }))
            }
            _ => false,
        };
        let ops: Vec<Option<Ulid>> =
            undos.iter().filter(takes_plan).map(|idx| self.events[*idx].op).collect();
        let is_cancel = |idx: &usize| {
            let event = &self.events[*idx];
            matches!(event.body, Body::Protocol { to: ProtocolMove::Cancelled, .. })
                && ops.contains(&event.op)
        };
        (0..self.events.len()).filter(is_cancel).filter(|idx| !self.is_undone(*idx)).collect()
    }
}

/// Cancels a protocol whose plan was taken back, unless it is over.
pub(super) fn cancel(ledger: &mut Ledger<'_>) {
    let is_open = ledger.protocol().is_some_and(|protocol| !protocol.recorded.is_final());
    if is_open {
        // It is refused for what is over alone.
        drop(decide::cancel(ledger, Some(REASON.to_owned())));
    }
}
