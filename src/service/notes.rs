//! Notes on the commits of protocols: a projection for `git log --notes=godzilla`, never read back.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::context::Context;
use super::error::Error;
use super::streams::Streams;
use crate::domain::ci::JobResult;
use crate::domain::event::Body;
use crate::domain::id::{Name, Oid};
use crate::domain::observe::named_commits;
use crate::domain::state::Protocol;
use crate::platform::git::{Identity, MoveError, NotesError};
use crate::platform::lock::{self, Lock};
use crate::store::refs;
use crate::store::stream::Appended;

/// Returns the notes on all commits of a protocol that count.
fn notes_of(protocol: &Protocol) -> Vec<(Oid, String)> {
    let name = protocol.name();
    let note = |(oid, commit): (&Oid, &crate::domain::state::Commit)| {
        let mut lines = vec![format!("Protocol: {name}")];
        if let Some(step) = commit.step.as_ref().and_then(|id| protocol.step(id)) {
            lines.push(format!("Step: {}", step.id));
            if let Some(shown) = step.verdict.as_ref().filter(|shown| shown.verdict.commit == Some(*oid)) {
                lines.push(format!("QA: {}", shown.verdict.result));
            }
            if step.newest() == Some(*oid) && step.ci != JobResult::None {
                lines.push(format!("CI: {}", step.ci));
            }
        }
        (*oid, lines.join("\n") + "\n")
    };
    protocol.live_commits().map(note).collect()
}

/// Writes the notes of these protocols, in one commit. Returns how many changed.
///
/// # Errors
///
/// [`Error`] if they could not be written; they are made again by the next command.
pub fn write(ctx: &Context, protocols: &[Protocol], limit: Duration) -> Result<usize, Error> {
    let notes: Vec<_> = protocols.iter().flat_map(notes_of).collect();
    write_all(ctx, &notes, limit)
}

/// Writes the notes of the commits that `appended` concerns: of the new ones and the latest, if it
/// added nothing that could change another's. The latest make up for a write that was interrupted.
/// A comment concerns none, and only clears away what a dead writer left. Returns how many changed.
///
/// # Errors
///
/// As [`write()`].
pub fn write_after(ctx: &Context, appended: &Appended, limit: Duration) -> Result<usize, Error> {
    const N_LATEST: usize = 4;

    let Some(protocol) = appended.protocol.as_ref().filter(|_| appended.moved) else { return Ok(0) };
    let all_are = |of_kind: fn(&Body) -> bool| appended.events.iter().all(|event| of_kind(&event.body));
    let are_comments = !appended.events.is_empty() && all_are(|body| matches!(body, Body::NoteAdded { .. }));
    if are_comments && !appended.took_over && lock::dead_announcement(&lock_path(ctx)).is_none() {
        return Ok(0);
    }
    let mut notes = notes_of(protocol);
    let concerns_few = all_are(|body| {
        matches!(body, Body::CommitSeen(_) | Body::Protocol { .. } | Body::Step(_) | Body::NoteAdded { .. })
    });
    if concerns_few && !appended.took_over {
        let mut latest: Vec<(u64, Oid)> =
            protocol.live_commits().map(|(oid, commit)| (commit.at_ms, *oid)).collect();
        latest.sort_unstable_by(|a, b| b.cmp(a));
        let mut few: BTreeSet<Oid> = latest.into_iter().take(N_LATEST).map(|(_, oid)| oid).collect();
        few.extend(named_commits(&appended.events));
        notes.retain(|(oid, _)| few.contains(oid));
    }
    write_all(ctx, &notes, limit)
}

/// Writes the notes of all protocols anew, from their events. Returns how many changed.
///
/// # Errors
///
/// [`Error`] if a stream cannot be read or the notes cannot be written.
pub fn rebuild(ctx: &Context) -> Result<usize, Error> {
    let streams = Streams::read(ctx)?;
    let mut notes = Vec::new();
    let archived = streams.inventory.all_archived(&ctx.repo);
    let names: BTreeSet<&Name> = streams.inventory.streams.keys().chain(archived.keys()).collect();
    for name in names {
        let view = streams.view(name)?;
        if let Some(protocol) = super::streams::folded(&view.content, None).protocol {
            notes.extend(notes_of(&protocol));
        }
    }
    write_all(ctx, &notes, ctx.limit)
}

fn lock_path(ctx: &Context) -> PathBuf {
    ctx.repo.state_dir().join("locks").join("notes")
}

fn write_all(ctx: &Context, notes: &[(Oid, String)], limit: Duration) -> Result<usize, Error> {
    let here: Vec<(Oid, String)> =
        notes.iter().filter(|(oid, _)| ctx.repo.has_object(*oid)).cloned().collect();
    if here.is_empty() {
        return Ok(0);
    }
    let fallback = || Identity { name: "git-godzilla".into(), email: "noreply@git-godzilla.invalid".into() };
    let who = ctx.repo.committer().unwrap_or_else(fallback);
    let mut guard = Lock::acquire(&lock_path(ctx), limit)?;
    for _ in 0..3 {
        match ctx.repo.write_notes(refs::NOTES, &here, &who, "Notes on commits of protocols", &mut guard) {
            Err(NotesError::Move(MoveError::Lost { .. })) => (),
            Err(NotesError::Move(err)) => return Err(err.into()),
            Err(NotesError::Git(err)) => return Err(err.into()),
            Ok(n_changed) => return Ok(n_changed),
        }
    }
    Err(Error::state("notes.busy", "the notes are being written by others", "git godzilla notes rebuild"))
}
