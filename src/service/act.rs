//! The verbs of the life cycle: each takes over what is known, records what git shows, and decides.

use super::context::Context;
use super::error::Error;
use super::resolve::{self, Target};
use super::streams::Streams;
use super::{initialised, observe};
use crate::domain::decide;
use crate::domain::event::{Body, Draft, Event};
use crate::domain::id::{Name, Oid, StepId};
use crate::domain::ledger::Ledger;
use crate::domain::state::Protocol;
use crate::domain::text;

/// How many characters a comment may have.
const MAX_COMMENT: usize = 16_000;

/// What is asked for.
#[derive(Clone, Debug)]
pub enum Verb {
    Start,
    Next,
    Done {
        no_commit: bool,
    },
    Block {
        reason: Option<String>,
    },
    Unblock,
    Skip {
        reason: String,
    },
    Approve {
        reason: Option<String>,
        mode: &'static str,
        sign: bool,
    },
    Retry,
    Pause {
        reason: Option<String>,
    },
    Resume,
    Cancel {
        reason: Option<String>,
    },
    CompleteUnmerged {
        reason: String,
    },
    /// Takes it out of the archive; with `reopen` so that it goes on.
    Unarchive {
        reopen: bool,
        reason: Option<String>,
    },
    Comment {
        text: String,
    },
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Acted {
    pub name: Name,
    /// The step that was meant, for verbs about a step.
    pub step: Option<StepId>,
    pub protocol: Protocol,
    /// What was recorded, with what was found to be new on the branch.
    pub events: Vec<Event>,
    /// What a step that was ended waits for before it completes.
    pub waits_for: Option<&'static str>,
}

/// Does what `verb` says to the protocol and step that are named, or to the current ones.
///
/// When this returns, the events are in the local ref; they are not pushed. What is already so is
/// no error and records nothing.
///
/// # Errors
///
/// [`Error`] if the name or the state does not allow it; nothing was recorded then.
pub fn act(ctx: &Context, name: Option<&str>, step: Option<&str>, verb: &Verb) -> Result<Acted, Error> {
    initialised(ctx)?;
    super::plan::recover(ctx)?;
    let streams = Streams::for_target(ctx, name)?;
    let target = resolve::protocol(&streams, name)?;
    if target.root.is_some() {
        return Err(Error::state(
            "protocol.twin",
            "this protocol shares its name with another one, which holds the stream",
            "give it a name of its own: git godzilla renumber NAME NUMBER",
        ));
    }
    let Target { name, .. } = target;
    if !matches!(verb, Verb::Pause { .. } | Verb::Comment { .. } | Verb::Block { .. }) {
        super::run::not_during(ctx, &name)?;
    }
    let mut chosen = None;
    let mut waits_for = None;
    let signs = matches!(verb, Verb::Approve { sign: true, .. });
    let signer = signs.then(|| ctx.repo.signer()).transpose()?;
    let appended = streams.append_signed(&name, signer.as_ref(), &mut |ledger, _| {
        let tips = match ledger.protocol() {
            Some(protocol) => streams.branches.of(protocol, streams.inventory.home()),
            None => return Err(unknown(&name)),
        };
        let pushed = |oid: Oid| observe::is_pushed(&ctx.repo, &tips, oid);
        chosen = decide_verb(ledger, step, verb, &pushed)?;
        waits_for = chosen.as_ref().and_then(|id| waiting(ledger, id, &pushed));
        Ok(())
    })?;
    super::after_write(ctx, &appended);
    let protocol = appended.protocol.ok_or_else(|| unknown(&name))?;
    Ok(Acted { name, step: chosen, protocol, events: appended.events, waits_for })
}

pub(super) fn unknown(name: &Name) -> Error {
    Error::Unknown { what: "protocol", text: name.to_string(), near: Vec::new() }
}

fn waiting(ledger: &Ledger<'_>, id: &StepId, pushed: decide::Pushed<'_>) -> Option<&'static str> {
    let protocol = ledger.protocol()?;
    let step =
        protocol.step(id).filter(|step| step.recorded == crate::domain::status::StepStatus::NeedsQa)?;
    decide::waits_for(protocol, step, pushed)
}

/// Returns the step that the verb was about.
fn decide_verb(
    ledger: &mut Ledger<'_>,
    step: Option<&str>,
    verb: &Verb,
    pushed: decide::Pushed<'_>,
) -> Result<Option<StepId>, Error> {
    let id = |ledger: &Ledger<'_>| -> Result<StepId, Error> {
        let protocol = ledger.protocol().ok_or_else(|| unknown(ledger.name()))?;
        resolve::step(protocol, step)
    };
    let clean =
        |reason: &Option<String>| reason.as_deref().map(reason_of).filter(|reason| !reason.is_empty());
    match verb {
        Verb::Next => return Ok(Some(decide::next(ledger)?)),
        Verb::Pause { reason } => decide::pause(ledger, clean(reason))?,
        Verb::Resume => decide::resume(ledger)?,
        Verb::Cancel { reason } => decide::cancel(ledger, clean(reason))?,
        Verb::CompleteUnmerged { reason } => decide::complete_unmerged(ledger, reason_of(reason))?,
        Verb::Unarchive { reopen: true, reason } => decide::reopen(ledger, clean(reason))?,
        Verb::Unarchive { reopen: false, .. } => decide::pin(ledger)?,
        Verb::Comment { text: note } => return comment(ledger, step, note),
        Verb::Start
        | Verb::Done { .. }
        | Verb::Block { .. }
        | Verb::Unblock
        | Verb::Skip { .. }
        | Verb::Approve { .. }
        | Verb::Retry => {
            let id = id(ledger)?;
            match verb {
                Verb::Start => decide::start(ledger, &id)?,
                Verb::Done { no_commit } => decide::done(ledger, &id, *no_commit, pushed)?,
                Verb::Block { reason } => decide::block(ledger, &id, clean(reason))?,
                Verb::Unblock => decide::unblock(ledger, &id)?,
                Verb::Skip { reason } => decide::skip(ledger, &id, reason_of(reason))?,
                Verb::Approve { reason, mode, .. } => decide::approve(ledger, &id, clean(reason), mode)?,
                _ => decide::retry(ledger, &id)?,
            }
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// A reason in one line, cut where it becomes a story.
fn reason_of(text: &str) -> String {
    text::clip(&text::one_line(text), 1000)
}

fn comment(ledger: &mut Ledger<'_>, step: Option<&str>, note: &str) -> Result<Option<StepId>, Error> {
    let note = text::multi_line(note);
    if note.is_empty() {
        return Err(Error::Usage { message: "a comment needs a text".to_owned(), hint: None });
    }
    let len = note.chars().count();
    if len > MAX_COMMENT {
        let message = format!("a comment has at most {MAX_COMMENT} characters, and this one has {len}");
        let hint = Some("put the text into a file of the branch, and name the file".to_owned());
        return Err(Error::Usage { message, hint });
    }
    let protocol = ledger.protocol().ok_or_else(|| unknown(ledger.name()))?;
    let id = step.map(|step| resolve::step(protocol, Some(step))).transpose()?;
    ledger.push(Draft { step: id.clone(), ..Draft::new(Body::NoteAdded { text: note }) });
    Ok(id)
}
