//! Reading a stream and adding to it.
//!
//! A write reads what is known of the stream from everywhere, decides, and moves the local ref from
//! the value that was read to a commit that holds all of it. A writer that loses the race reads and
//! decides again. So a commit contains everything that its decision saw, an acknowledged event is
//! in the ref, and a decision is never made on a state that has passed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::content::{Content, Line, sha256};
use super::inventory::Tips;
use super::{refs, spool, tip, wire};
use crate::domain::event::Event;
use crate::domain::fold::fold;
use crate::domain::id::{Name, Oid, Ulid};
use crate::domain::ledger::{Author, Ledger};
use crate::domain::state::Protocol;
use crate::platform::git::{self, Identity, Move, MoveError, NewCommit, Repo, Signer, SigningError};
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

/// What is known of one stream.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub content: Content,
    /// The tip that the local ref had.
    pub local: Option<Oid>,
    /// Whether the local ref already has all of it.
    pub adopted: bool,
    /// A tracking tip that has all of it, the home remote's first.
    complete: Option<Oid>,
    /// The tip of the home remote.
    home: Option<Oid>,
    /// What could not be taken in, and why; everything else goes on.
    pub set_aside: Vec<String>,
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

/// Returns the union of what is known: local tip, tracking tips, archive entries, `extra` (drop
/// boxes, project stream) and the spool.
///
/// A remote's tip that is damaged or too new is set aside alone.
///
/// # Errors
///
/// [`Error`] if the local tip cannot be read.
pub fn view(repo: &Repo, name: &Name, tips: &Tips, extra: Option<&Content>) -> Result<View, Error> {
    let spooled = (!tips.nothing_spooled).then(|| spool::read(repo, name));
    view_of(repo, name.as_str(), tips, extra, spooled.as_ref())
}

fn view_of(
    repo: &Repo,
    name: &str,
    tips: &Tips,
    extra: Option<&Content>,
    spooled: Option<&spool::Spooled>,
) -> Result<View, Error> {
    let failed = |source| Error::Read { name: name.to_owned(), source };
    let read = |oid: Oid| tip::read(repo, repo.tree_of(oid)?);
    let local = tips.local.map_or_else(|| Ok(Content::default()), read).map_err(failed)?;
    if !local.may_be_read() {
        return Err(Error::TooNew { name: name.to_owned() });
    }
    let nothing_else = extra.is_none()
        && tips.archived.is_empty()
        && tips.tracking.iter().all(|(_, oid)| Some(*oid) == tips.local)
        && spooled.is_none_or(|spooled| spooled.lines.is_empty());
    if nothing_else {
        let adopted = tips.local.is_some() || local.is_empty();
        return Ok(View { content: local, local: tips.local, adopted, home: tips.home, ..View::default() });
    }
    let mut content = local.clone();
    let mut tracked: Vec<(Oid, Content)> = Vec::new();
    let mut set_aside = Vec::new();
    for (remote, oid) in &tips.tracking {
        if Some(*oid) == tips.local {
            continue;
        }
        let key = |oid: Oid| tip::key(repo, repo.tree_of(oid).ok()?).ok();
        let theirs = if tips.local.and_then(key).is_some_and(|local| key(*oid) == Some(local)) {
            local.clone()
        } else {
            match read(*oid) {
                Ok(theirs) if theirs.may_be_read() => theirs,
                other => {
                    set_aside.push(tip::why_set_aside(repo, remote, other.err()));
                    continue;
                }
            }
        };
        if !content.contains(&theirs) {
            content.unite(&theirs);
        }
        tracked.push((*oid, theirs));
    }
    let trees: BTreeSet<Oid> = tips.archived.iter().map(|(_, tree)| *tree).collect();
    let mut archived = Vec::new();
    for tree in trees {
        match tip::read(repo, tree) {
            Ok(entry) if entry.may_be_read() => {
                if !content.contains(&entry) {
                    content.unite(&entry);
                }
                archived.push(entry);
            }
            Ok(_) => set_aside.push("an archive holds it in a newer form".to_owned()),
            Err(err) => set_aside.push(format!("its entry in an archive cannot be read: {err}")),
        }
    }
    if let Some(extra) = extra.filter(|extra| !content.contains(extra)) {
        content.unite(extra);
    }
    if let Some(spooled) = spooled.filter(|spooled| !spooled.lines.is_empty()) {
        let mut waiting = Content::default();
        for line in &spooled.lines {
            waiting.add_raw(line);
        }
        waiting.normalize();
        waiting.specs = spooled.specs.iter().map(|text| (sha256(text.as_bytes()), text.clone())).collect();
        content.unite(&waiting);
    }
    // A stream that an archive entry covers needs no ref.
    let covered = tips.local.is_none() && archived.iter().any(|entry| entry.contains(&content));
    let complete = tracked.iter().find(|(_, theirs)| theirs.contains(&content)).map(|(oid, _)| *oid);
    // Of two tips with equal content the home remote's wins.
    let is_followed = tips.local.is_none() || complete.is_none() || complete != tips.home;
    let has_all = covered || (tips.local.is_some() && local.contains(&content)) || content.is_empty();
    let adopted = has_all && is_followed;
    Ok(View { content, local: tips.local, adopted, complete, home: tips.home, set_aside })
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
        let protocol = if content.stubs() == view.content.stubs() {
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

/// Returns what is known of the project's stream.
///
/// # Errors
///
/// [`Error`] if the local tip cannot be read.
pub fn project_view(repo: &Repo, tips: &Tips) -> Result<View, Error> {
    view_of(repo, "project", tips, None, None)
}

struct Step<'a> {
    name: &'a str,
    of_ref: String,
    events: &'a [Event],
    message: String,
}

/// What became of one try to move a stream's ref.
enum Attempt {
    Moved(Oid),
    /// The ref was elsewhere.
    Lost,
    /// Somebody holds git's lock of the ref.
    Locked(PathBuf),
}

impl Attempt {
    fn give_up(self, name: &str) -> Error {
        let name = name.to_owned();
        match self {
            Self::Locked(path) => Error::Locked { name, path },
            Self::Moved(_) | Self::Lost => Error::Busy { name },
        }
    }
}

/// Writes the commit and moves the ref, with one try.
fn commit(
    repo: &Repo,
    writer: &Writer<'_>,
    view: &View,
    content: &Content,
    protocol: Option<&Protocol>,
    step: &Step<'_>,
    guard: &mut Lock,
) -> Result<Attempt, Error> {
    // What follows from a commit or a report says by its cause who brought it about.
    let is_decision = step.events.iter().any(|event| !event.body.is_fact() && event.cause.is_none());
    if is_decision && writer.identity.is_none() {
        return Err(Error::NoIdentity);
    }
    let who = writer.identity.clone().unwrap_or_else(carrier);
    let new = match view.complete {
        // Some remote's tip already holds everything: follow it, without a commit.
        Some(tip) if step.events.is_empty() && *content == view.content => tip,
        _ => {
            let parent = match (view.home, view.local) {
                (Some(home), Some(local)) if repo.is_ancestor(home, local) => Some(local),
                (Some(home), _) => Some(home),
                (None, local) => local,
            };
            // Nobody is led to a line whose text was taken out, but by what the remote has already.
            let parent = parent.filter(|parent| view.home == Some(*parent) || !drops(repo, content, *parent));
            let parent = parent.or(view.home);
            write_commit(repo, content, protocol, parent, &who, &step.message, writer.author.op, step.events)
                .map_err(|source| Error::Write { name: step.name.to_owned(), source })?
        }
    };
    fail::point("append.commit");
    let step_message = step.message.lines().next().unwrap_or_default();
    let moved = repo.move_ref(
        Move { name: &step.of_ref, expected: view.local, new, who: &who, message: step_message },
        guard,
    );
    match moved {
        Ok(()) => Ok(Attempt::Moved(new)),
        Err(MoveError::Lost { .. }) => Ok(Attempt::Lost),
        Err(MoveError::Locked { path }) => Ok(Attempt::Locked(path)),
        Err(source) => Err(Error::Move { name: step.name.to_owned(), source }),
    }
}

/// Whether `content` lacks a line of `commit`, since a stub stands for it.
fn drops(repo: &Repo, content: &Content, commit: Oid) -> bool {
    let stubs = content.stubs();
    let holds_any = || {
        let before = tip::read(repo, repo.tree_of(commit).ok()?).ok()?;
        let is_dropped = |line: &Line| line.event.redacts.is_none() && stubs.contains(&line.digest());
        Some(before.lines().iter().any(is_dropped) || before.rejects.keys().any(|it| stubs.contains(it)))
    };
    // One that cannot be read may hold it.
    !stubs.is_empty() && holds_any().unwrap_or(true)
}

/// Writes a commit that carries `content` and returns its id; no ref names it yet.
///
/// # Errors
///
/// [`git::Error`] if an object cannot be written.
#[expect(clippy::too_many_arguments, reason = "one call each for local writes, unions and drop boxes")]
pub fn write_commit(
    repo: &Repo,
    content: &Content,
    protocol: Option<&Protocol>,
    parent: Option<Oid>,
    who: &Identity,
    subject: &str,
    op: Ulid,
    events: &[Event],
) -> Result<Oid, git::Error> {
    let tree = tip::write(repo, content, protocol)?;
    fail::point("append.tree");
    let message = message(subject, op, events);
    carry(repo, tree, parent, who, message)
}

/// Writes a commit without parents that carries the tree of an archive, and returns its id.
///
/// # Errors
///
/// [`git::Error`] if the object cannot be written.
pub fn write_commit_of(
    repo: &Repo,
    tree: Oid,
    who: &Identity,
    subject: &str,
    op: Ulid,
) -> Result<Oid, git::Error> {
    carry(repo, tree, None, who, message(subject, op, &[]))
}

fn carry(
    repo: &Repo,
    tree: Oid,
    parent: Option<Oid>,
    who: &Identity,
    message: String,
) -> Result<Oid, git::Error> {
    let parents = parent.into_iter().collect();
    repo.write_commit(&NewCommit { tree, parents, message, author: who, committer: who, for_people: false })
}

/// The subject, then trailers: the command, at most fifty event ids, and their number.
fn message(subject: &str, op: Ulid, events: &[Event]) -> String {
    use std::fmt::Write as _;

    const MAX_NAMED: usize = 50;
    let mut message = format!("{}\n\nGodzilla-Op: {op}\n", subject.trim_end());
    for event in events.iter().take(MAX_NAMED) {
        // Writing to a `String` cannot fail.
        writeln!(message, "Godzilla-Event: {}", event.id).ok();
    }
    writeln!(message, "Godzilla-Events: +{}", events.len()).ok();
    message
}

fn adoption_message(view: &View) -> String {
    let n_lines = view.content.lines().len();
    format!("take over what was shared ({n_lines} events in all)")
}

fn take_guard(repo: &Repo, name: &str, limit: Duration) -> Result<Lock, Error> {
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
