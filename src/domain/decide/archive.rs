//! What keeps a protocol that is over out of the archive, or lets it in.

use super::super::event::{Body, Draft};
use super::super::ledger::Ledger;
use super::super::status::ProtocolMove;
use super::refusal::Refusal;
use super::{known, push_protocol};

/// Wants a protocol out of the archive, as it is.
///
/// # Errors
///
/// [`Refusal`] if nothing creates the protocol.
pub fn pin(ledger: &mut Ledger<'_>) -> Result<(), Refusal> {
    set_pinned(ledger, true)
}

/// Lets a protocol go to the archive again.
///
/// # Errors
///
/// [`Refusal`] if it is not over.
pub fn unpin(ledger: &mut Ledger<'_>) -> Result<(), Refusal> {
    let protocol = known(ledger)?;
    if !protocol.shown.is_final() {
        let name = protocol.name();
        return Err(Refusal::state(
            "archive.not_over",
            format!("protocol {name} is {}, and only what is over goes to the archive", protocol.shown),
            format!("merge its branch, or give it up: git godzilla cancel {name}"),
        ));
    }
    set_pinned(ledger, false)
}

fn set_pinned(ledger: &mut Ledger<'_>, on: bool) -> Result<(), Refusal> {
    if known(ledger)?.pinned != on {
        ledger.push(Draft::new(Body::Pinned { on }));
    }
    Ok(())
}

/// Lets a protocol go on that was cancelled, or completed without a merge. Its steps stay as they are.
///
/// # Errors
///
/// [`Refusal`] if its branch is merged, which no decision takes back.
pub fn reopen(ledger: &mut Ledger<'_>, reason: Option<String>) -> Result<(), Refusal> {
    let protocol = known(ledger)?;
    let name = protocol.name();
    if protocol.merged.is_some() {
        return Err(Refusal::state(
            "protocol.merged",
            format!("protocol {name} is merged, which cannot be taken back"),
            "plan what is left to do: git godzilla plan \"…\"",
        ));
    }
    if protocol.recorded.is_final() {
        push_protocol(ledger, ProtocolMove::Reopened, reason, None);
    }
    Ok(())
}
