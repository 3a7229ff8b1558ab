//! The use cases: load, decide, act, record. Nothing here prints or parses arguments.

pub mod act;
pub mod answers;
pub mod archive;
pub mod ask;
pub mod at;
pub mod base;
pub mod branch;
pub mod budget;
pub mod ci_report;
pub mod complete;
pub mod consent;
pub mod context;
pub mod demo;
pub mod doctor;
pub mod engines;
pub mod error;
pub mod exclude;
pub mod explain;
pub mod export;
pub mod gates;
pub mod guard;
pub mod hooks;
pub mod import;
pub mod init;
mod intents;
pub mod issue;
pub mod keep;
pub mod kept;
pub mod list;
pub mod merge;
pub mod notes;
pub mod observe;
pub mod on_commit;
pub mod on_merge;
pub mod on_message;
pub mod on_push;
pub mod once;
pub mod ops;
pub mod overlaps;
pub mod plan;
pub mod planner;
pub mod policy;
pub mod prompts;
pub mod push;
pub mod qa;
pub mod redact;
pub mod renumber;
pub mod resolve;
pub mod restore;
pub mod review;
pub mod run;
pub mod runs;
pub mod server;
pub mod settings;
pub mod share;
pub mod snapshot;
pub mod spec;
pub mod streams;
pub mod sync;
pub mod terms;
pub mod trust;
pub mod twins;
pub mod undo;
pub mod uninstall;
pub mod upkeep;
pub mod verify;
pub mod workplace;
pub mod worktrees;

use std::time::Duration;

use self::context::Context;
use self::error::Error;
use crate::domain::state::Protocol;
use crate::store::stream::Appended;

/// Refuses unless `init` has been run in this clone.
///
/// # Errors
///
/// [`Error::State`] with what to type.
pub fn initialised(ctx: &Context) -> Result<(), Error> {
    if ctx.repo.clone_label().is_some() {
        return Ok(());
    }
    Err(Error::state(
        "repository.not_initialised",
        "this clone is not set up for protocols",
        "git godzilla init",
    ))
}

/// What follows a write and may fail without harm: the notes on the commits that it concerns.
fn after_write(ctx: &Context, appended: &Appended) {
    if let Err(err) = notes::write_after(ctx, appended, NOTES_LIMIT) {
        tracing::debug!(err = error_chain(&err), "notes were not written");
    }
}

/// The same for all commits of several protocols.
fn after_writes(ctx: &Context, protocols: &[Protocol]) {
    if let Err(err) = notes::write(ctx, protocols, NOTES_LIMIT) {
        tracing::debug!(err = error_chain(&err), "notes were not written");
    }
}

/// How long other writers of notes are waited for.
const NOTES_LIMIT: Duration = Duration::from_millis(500);

/// Returns an error and its causes in one line.
pub fn error_chain(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    crate::domain::text::one_line(&text)
}
