//! Reading a stream and adding to it.
//!
//! A write reads what is known of the stream from everywhere, decides, and moves the local ref from
//! the value that was read to a commit that holds all of it. A writer that loses the race reads and
//! decides again. So a commit contains everything that its decision saw, an acknowledged event is
//! in the ref, and a decision is never made on a state that has passed.

mod commit;
mod said_again;
mod view;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use self::commit::{write_commit, write_commit_of};
pub use self::said_again::let_stand;
pub use self::view::{View, project_view, view};

use self::commit::{Attempt, Step, adoption_message, commit};
use self::view::view_of;
use super::content::{Content, Line};
use super::inventory::Tips;
use super::{refs, spool, wire};
use crate::domain::event::Event;
use crate::domain::fold::fold;
use crate::domain::id::{Name, Oid};
use crate::domain::ledger::{Author, Ledger};
use crate::domain::state::Protocol;
use crate::platform::git::{self, Identity, MoveError, Repo, Signer, SigningError};
use crate::platform::lock::{self, Lock};
use crate::platform::{clock, fail};

/// Why a stream could not be read or extended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("stream {name} cannot be read")]
    Read { name: String, source: git::Error },
    #[error("stream {name} was written by a newer version of this program")]
    TooNew { name: String },
    #[error("stream {name} cannot be written")]
    Write { name: String, source: git::Error },
    #[error("stream {name} cannot be written")]
    Move { name: String, source: MoveError },
    /// Others kept it busy until the limit; nothing was recorded.
    #[error("stream {name} is busy")]
    Busy { name: String },
    /// Somebody held git's own lock of its ref until the limit; nothing was recorded.
    #[error("stream {name} is busy: another process holds `{}`", path.display())]
    Locked { name: String, path: PathBuf },
    /// It would not be read back as an event; nothing was recorded.
    #[error("an event of stream {name} is larger than {} KiB", wire::MAX_LINE / 1024)]
    TooLarge { name: String },
    #[error("nobody has said who you are")]
    NoIdentity,
    /// Nothing was recorded.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

/// A decision's own refusal, or the store's.
#[derive(Debug, thiserror::Error)]
pub enum AppendError<E> {
    #[error(transparent)]
    Refused(E),
    #[error(transparent)]
    Store(#[from] Error),
}

/// Who writes, and how long it may wait.
#[derive(Clone)]
pub struct Writer<'a> {
    pub author: Author<'a>,
    /// The identity for the commit; `None` allows facts and adoption only.
    pub identity: Option<Identity>,
    pub limit: Duration,
    /// What signs approvals; `None` leaves them unsigned.
    pub signer: Option<&'a Signer>,
}

/// What a write left behind.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The local tip, which now holds everything.
    pub tip: Option<Oid>,
    /// What this write added, in order.
    pub events: Vec<Event>,
    /// The state with it.
    pub protocol: Option<Protocol>,
    /// Whether a ref moved.
    pub moved: bool,
    /// Whether something was taken over that the local ref did not have.
    pub took_over: bool,
}

/// Returns the identity of commits that only carry what others decided.
pub fn carrier() -> Identity {
    Identity { name: "git-godzilla".to_owned(), email: "noreply@git-godzilla.invalid".to_owned() }
}

/// Decides with `decide` on all that is known of the stream, and records what it pushed.
///
/// Also adopts what this clone had not taken over yet. When this returns, every event is in the
/// local ref; it is not pushed. If nothing was pushed and nothing is to adopt, nothing is written.
///
/// `tips` reads the stream's tips; it is called again after a lost race.
///
/// # Errors
///
/// [`AppendError::Refused`] if `decide` refuses on the newest state; nothing was written then.
pub fn append<E>(
    repo: &Repo,
    name: &Name,
    writer: &Writer<'_>,
    extra: Option<&Content>,
    tips: &dyn Fn() -> Result<Tips, git::Error>,
    decide: &mut dyn FnMut(&mut Ledger<'_>, &mut Content) -> Result<String, E>,
) -> Result<Appended, AppendError<E>> {
    let start = Instant::now();
    loop {
        let mut guard = take_guard(repo, name.as_str(), writer.limit.saturating_sub(start.elapsed()))?;
        let read_failed = |source| Error::Read { name: name.to_string(), source };
        let now = tips().map_err(read_failed)?;
        let spooled = spool::read(repo, name);
        let view = view_of(repo, name.as_str(), &now, extra, Some(&spooled))?;
        fail::point("append.read");
        pause_for_test("append.read");

        let mut content = view.content.clone();
        let specs = content.decoded_specs();
        let mut ledger = Ledger::new(name.clone(), content.events(), specs, writer.author.clone());
        said_again::take_out(&mut ledger, &mut content);
        let subject = decide(&mut ledger, &mut content).map_err(AppendError::Refused)?;
        let events = ledger.new_events().to_vec();
        if events.is_empty() && view.adopted {
            let protocol = ledger.protocol().cloned();
            return Ok(Appended { tip: view.local, events, protocol, moved: false, took_over: false });
        }
        if !content.may_be_written() {
            return Err(Error::TooNew { name: name.to_string() }.into());
        }
        for event in &events {
            let line = line_of(event, writer)?;
            if line.text.len() > wire::MAX_LINE {
                return Err(Error::TooLarge { name: name.to_string() }.into());
            }
            content.add(line);
        }
        content.normalize();
        let message = if events.is_empty() { adoption_message(&view) } else { subject };
        let step = Step { name: name.as_str(), of_ref: refs::protocol(name), events: &events, message };
        // What was taken out of a line is in no state either.
        let protocol = if content.taken_out() == view.content.taken_out() {
            ledger.protocol().cloned()
        } else {
            fold(&content.events(), &content.decoded_specs()).protocol
        };
        match commit(repo, writer, &view, &content, protocol.as_ref(), &step, &mut guard)? {
            Attempt::Moved(tip) => {
                fail::point("append.moved");
                spool::clear(repo, name, &spooled);
                return Ok(Appended {
                    tip: Some(tip),
                    events,
                    protocol,
                    moved: true,
                    took_over: !view.adopted,
                });
            }
            lost if start.elapsed() > writer.limit => return Err(lost.give_up(name.as_str()).into()),
            _ => {
                drop(guard);
                std::thread::sleep(clock::jitter(8));
            }
        }
    }
}

/// Returns the line of an event; that of an approval is signed if somebody signs.
fn line_of(event: &Event, writer: &Writer<'_>) -> Result<Line, Error> {
    let line = Line::new(event.clone());
    match writer.signer.filter(|_| event.body.is_approval()) {
        Some(signer) => Ok(line.signed(&signer.sign(line.text.as_bytes())?)),
        None => Ok(line),
    }
}

/// Puts events aside that could not be written in time; see [`spool`].
///
/// # Errors
///
/// [`Error`] if the stream cannot be read or the spool cannot be written; then the events are lost
/// here, and reconciliation finds the commits again.
pub fn spool_instead<E>(
    repo: &Repo,
    name: &Name,
    writer: &Writer<'_>,
    tips: &Tips,
    decide: &mut dyn FnMut(&mut Ledger<'_>, &mut Content) -> Result<String, E>,
) -> Result<usize, AppendError<E>> {
    let view = view(repo, name, tips, None)?;
    let mut content = view.content.clone();
    let specs = content.decoded_specs();
    let mut ledger = Ledger::new(name.clone(), content.events(), specs, writer.author.clone());
    decide(&mut ledger, &mut content).map_err(AppendError::Refused)?;
    let lines: Vec<Line> = ledger.new_events().iter().cloned().map(Line::new).collect();
    let write_failed = |source| Error::Write {
        name: name.to_string(),
        source: git::Error::Io { action: "spool events".to_owned(), source },
    };
    let specs = content.specs_beyond(&view.content);
    spool::put(repo, name, writer.author.op, &lines, &specs).map_err(write_failed)?;
    Ok(lines.len())
}

/// Adds what `add` puts into the project's stream, with all that is known of it. Returns how many
/// events were new.
///
/// # Errors
///
/// [`Error`] if the stream cannot be read or written.
pub fn append_project(
    repo: &Repo,
    writer: &Writer<'_>,
    tips: &dyn Fn() -> Result<Tips, git::Error>,
    subject: &str,
    add: &mut dyn FnMut(&mut Content),
) -> Result<usize, Error> {
    const NAME: &str = "project";
    let start = Instant::now();
    loop {
        let mut guard = take_guard(repo, NAME, writer.limit.saturating_sub(start.elapsed()))?;
        let now = tips().map_err(|source| Error::Read { name: NAME.to_owned(), source })?;
        let view = view_of(repo, NAME, &now, None, None)?;
        let mut content = view.content.clone();
        add(&mut content);
        content.normalize();
        if view.adopted && view.content.contains(&content) {
            return Ok(0);
        }
        let n_new = content.lines().len().saturating_sub(view.content.lines().len());
        if !content.may_be_written() {
            return Err(Error::TooNew { name: NAME.to_owned() });
        }
        let step =
            Step { name: NAME, of_ref: refs::PROJECT.to_owned(), events: &[], message: subject.to_owned() };
        match commit(repo, writer, &view, &content, None, &step, &mut guard)? {
            Attempt::Moved(_) => return Ok(n_new),
            lost if start.elapsed() > writer.limit => return Err(lost.give_up(NAME)),
            _ => (),
        }
    }
}

pub(super) fn take_guard(repo: &Repo, name: &str, limit: Duration) -> Result<Lock, Error> {
    match Lock::acquire(&repo.state_dir().join("locks").join(name), limit) {
        Ok(guard) => Ok(guard),
        Err(lock::Error::Busy { .. }) => Err(Error::Busy { name: name.to_owned() }),
        Err(err) => Err(Error::Move { name: name.to_owned(), source: err.into() }),
    }
}

/// Removes the git lock that a writer of `name` left when it died.
///
/// # Errors
///
/// [`Error::Busy`] if a writer is at work for longer than `limit`.
pub fn bury_dead_writer(repo: &Repo, name: &Name, limit: Duration) -> Result<(), Error> {
    take_guard(repo, name.as_str(), limit).map(drop)
}

/// Lets a test act between the read and the move: touches one file and waits for another.
fn pause_for_test(point: &str) {
    let Some(dir) = crate::platform::env::var_os("GODZILLA_PAUSE_DIR").filter(|_| cfg!(debug_assertions))
    else {
        return;
    };
    let dir = std::path::Path::new(&dir);
    let go = dir.join(format!("{point}.go"));
    if go.exists() || std::fs::File::create(dir.join(format!("{point}.here"))).is_err() {
        return;
    }
    while !go.exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
}
