//! `verify`: who signed what is recorded of a protocol, and whether that is true.

use super::error::Error;
use super::list::Shown;
use crate::domain::event::Event;
use crate::domain::fold::Outcome;
use crate::platform::git::{Repo, Verified};
use crate::store::wire;

/// A signed event, or an approval without a signature.
#[derive(Clone, Debug)]
pub struct Checked {
    pub event: Event,
    /// Whether the event counts.
    pub counts: bool,
    /// `None` for an approval that nobody signed.
    pub verified: Option<Verified>,
}

impl Checked {
    pub fn is_bad(&self) -> bool {
        matches!(self.verified, Some(Verified::Bad { .. }))
    }

    /// Whether this is an approval that counts, without a signature of somebody who is known.
    pub fn is_unproven(&self) -> bool {
        let is_good = matches!(self.verified, Some(Verified::Good { .. }));
        self.counts && self.event.body.is_approval() && !is_good
    }

    /// Returns one word for it: `good`, `bad`, `unknown_key`, `no_allowed_signers`, or `unsigned`.
    pub fn word(&self) -> &'static str {
        match self.verified {
            Some(Verified::Good { .. }) => "good",
            Some(Verified::Bad { .. }) => "bad",
            Some(Verified::UnknownKey { .. }) => "unknown_key",
            Some(Verified::NoAllowedSigners { .. }) => "no_allowed_signers",
            None => "unsigned",
        }
    }
}

/// Checks every signature of a protocol, and names the approvals that have none; in fold order.
///
/// # Errors
///
/// [`Error::Signing`] if a program that checks signatures is not there.
pub fn verify(repo: &Repo, shown: &Shown) -> Result<Vec<Checked>, Error> {
    let verifier = repo.verifier();
    let mut checked = Vec::new();
    for (line, outcome) in shown.content.lines().iter().zip(&shown.folded.outcomes) {
        let verified = match wire::signature(&line.text) {
            Some((signed, signature)) => Some(verifier.verify(signed.as_bytes(), &signature)?),
            None if line.event.body.is_approval() => None,
            None => continue,
        };
        let counts = *outcome == Outcome::Accepted;
        checked.push(Checked { event: line.event.clone(), counts, verified });
    }
    Ok(checked)
}
