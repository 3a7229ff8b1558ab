//! What a simulation puts in place of the machine, for one thread: the time, chance, the points at
//! which a process may end, room on the disk, the way to remotes, and which release somebody has.
//!
//! All else is real: files, objects, refs, and every decision. Who simulates keeps the servers and
//! says what each clone sees of them; nothing here starts git, waits, or asks the operating system.

use std::cell::RefCell;
use std::rc::Rc;

use super::git::{PushResult, RefPush, Repo, TransportError};

/// A machine that somebody else plays.
pub trait Machine {
    /// Returns milliseconds since 1970 on the clock of whoever runs now.
    fn now_ms(&self) -> u64;

    /// Returns random bits; the same ones again for the same seed.
    fn random(&self) -> u128;

    /// Learns that a fail point was reached. It may run other processes, or end this one by unwinding.
    fn point(&self, name: &'static str);

    /// Whether the disk has room for one more file.
    fn has_room(&self) -> bool;

    /// Returns the version of the fold that whoever runs now writes into snapshots; `own` is that of this
    /// release.
    fn fold_version(&self, own: u64) -> u64;

    /// Whether the release of whoever runs now gives a meaning to a type of events.
    fn knows(&self, kind: &str) -> bool;

    /// Moves refs of `remote`, each only if it is what was expected.
    ///
    /// # Errors
    ///
    /// [`TransportError`] if the remote said nothing, which does not mean that it did nothing.
    fn push(&self, from: &Repo, remote: &str, updates: &[RefPush]) -> Result<PushResult, TransportError>;

    /// Copies refs of `remote` as `refspecs` say.
    ///
    /// # Errors
    ///
    /// [`TransportError`] if the remote cannot be reached.
    fn fetch(
        &self,
        into: &Repo,
        remote: &str,
        refspecs: &[String],
        prune: bool,
    ) -> Result<(), TransportError>;

    /// Whether `remote` answers and holds a branch.
    fn has_branches(&self, from: &Repo, remote: &str) -> bool;
}

thread_local! {
    static MACHINE: RefCell<Option<Rc<dyn Machine>>> = const { RefCell::new(None) };
}

/// The time for which a thread is simulated; it ends when this is dropped.
#[must_use = "what is dropped at once simulates nothing"]
pub struct Entered {
    before: Option<Rc<dyn Machine>>,
}

/// Puts `machine` in place of the real one for this thread.
pub fn enter(machine: Rc<dyn Machine>) -> Entered {
    Entered { before: MACHINE.replace(Some(machine)) }
}

/// Returns what stands in for the machine in this thread.
pub(super) fn machine() -> Option<Rc<dyn Machine>> {
    MACHINE.with_borrow(Clone::clone)
}

/// Returns the version of the fold of whoever runs now; outside of a simulation `own`.
pub fn fold_version(own: u64) -> u64 {
    machine().map_or(own, |machine| machine.fold_version(own))
}

/// Whether the release of whoever runs now gives a meaning to a type of events; outside of a simulation it
/// does if this one does.
pub fn knows(kind: &str) -> bool {
    MACHINE.with_borrow(|machine| machine.as_ref().is_none_or(|machine| machine.knows(kind)))
}

impl Drop for Entered {
    fn drop(&mut self) {
        MACHINE.set(self.before.take());
    }
}
