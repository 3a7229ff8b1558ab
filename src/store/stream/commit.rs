//! The commit that carries what a stream holds, and the one move of its ref.

use std::path::PathBuf;

use super::{Error, View, Writer};
use crate::domain::event::Event;
use crate::domain::id::{Oid, Ulid};
use crate::domain::state::Protocol;
use crate::platform::fail;
use crate::platform::git::{self, Identity, Move, MoveError, NewCommit, Repo};
use crate::platform::lock::Lock;
use crate::store::content::{Content, Line};
use crate::store::tip;

/// What one try is to record.
pub(super) struct Step<'a> {
    pub(super) name: &'a str,
    pub(super) of_ref: String,
    pub(super) events: &'a [Event],
    pub(super) message: String,
}

/// What became of one try to move a stream's ref.
pub(super) enum Attempt {
    Moved(Oid),
    /// The ref was elsewhere.
    Lost,
    /// Somebody holds git's lock of the ref.
    Locked(PathBuf),
}

impl Attempt {
    pub(super) fn give_up(self, name: &str) -> Error {
        let name = name.to_owned();
        match self {
            Self::Locked(path) => Error::Locked { name, path },
            Self::Moved(_) | Self::Lost => Error::Busy { name },
        }
    }
}

/// Writes the commit and moves the ref, with one try.
pub(super) fn commit(
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
    let who = writer.identity.clone().unwrap_or_else(super::carrier);
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

/// Whether `content` lacks a line or a plan of `commit`, since another one stands for it.
fn drops(repo: &Repo, content: &Content, commit: Oid) -> bool {
    let (stubs, taken_out) = (content.stubs(), content.taken_out());
    let holds_any = || {
        let before = tip::read(repo, repo.tree_of(commit).ok()?).ok()?;
        let is_dropped = |line: &Line| line.event.redacts.is_none() && stubs.contains(&line.digest());
        let mut named = before.rejects.keys().chain(before.specs.keys());
        Some(before.lines().iter().any(is_dropped) || named.any(|it| taken_out.contains(it)))
    };
    // One that cannot be read may hold it.
    !taken_out.is_empty() && holds_any().unwrap_or(true)
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

pub(super) fn adoption_message(view: &View) -> String {
    let n_lines = view.content.lines().len();
    format!("take over what was shared ({n_lines} events in all)")
}
