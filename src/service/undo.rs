//! `undo` and `redo`: a command is taken back, or brought back, in every stream that it wrote to.
//!
//! A command belongs to this clone if its events bear the clone's label, which `init` chose. Its own
//! commands are ordered by their ids, which begin with the time of this one machine.

use super::context::Context;
use super::error::{Command, Error};
use super::initialised;
use super::ops::{self, Op, Stream};
use super::streams::Streams;
use super::worktrees;
use crate::domain::event::{Body, Event};
use crate::domain::id::{Name, Oid, StepId, Ulid};
use crate::domain::ledger::Ledger;
use crate::domain::sentence;
use crate::domain::state::Protocol;
use crate::domain::undo::{Overtaken, Refused, bring_back, take_back};
use crate::platform::fail;

/// Which way to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Undo,
    Redo,
}

/// What was done about a command.
#[derive(Clone, Debug)]
pub struct Done {
    /// The command that was taken back, or whose undo was.
    pub of: Op,
    /// What of it was taken or brought back, for people.
    pub what: String,
    /// The same one by one, in order.
    pub decisions: Vec<String>,
    /// The command that did it.
    pub op: Ulid,
    pub streams: Vec<InStream>,
}

/// What was done in one stream.
#[derive(Clone, Debug)]
pub struct InStream {
    pub name: Name,
    /// The events that were taken back: decisions, or undos of them.
    pub targets: Vec<Ulid>,
    /// The undo that was recorded; `None` if nothing was to be.
    pub event: Option<Ulid>,
    /// The steps that it is about.
    pub steps: Vec<StepId>,
    /// What becomes of the branch and the worktree.
    pub work: Work,
    /// The ref that keeps what was removed.
    pub kept: Option<String>,
    /// The state with it.
    pub protocol: Protocol,
}

/// Takes back the command that `arg` begins the id of, or the last one of this clone that decided
/// something and still counts; or brings back what an undo took away.
///
/// When this returns, one undo is in the local ref of each stream; they are not pushed. With
/// `dry_run` nothing is written.
///
/// # Errors
///
/// [`Error`] if there is no such command, or if something stands against it; nothing was recorded
/// then, unless another clone was faster in one of several streams.
pub fn undo(ctx: &Context, way: Way, arg: Option<&str>, dry_run: bool) -> Result<Done, Error> {
    initialised(ctx)?;
    let streams = Streams::read(ctx)?;
    let known = ops::streams(&streams, None);
    let all = ops::ops(&known);
    let of = match arg {
        Some(arg) => named(&all, arg)?,
        None => last_of_clone(ctx, &known, &all, way)?,
    };
    go(ctx, &streams, &known, of, (way, dry_run)).map_err(|err| match err {
        Error::Undo { refused, .. } => refused_of(&all, of, refused),
        err => err,
    })
}

fn refused_of(all: &[Op], op: &Op, refused: Refused) -> Error {
    let of = Command { what: op.command.clone(), at_ms: op.at_ms, n_letters: ops::short_len(all) };
    Error::Undo { refused, of: Some(of) }
}

fn go(
    ctx: &Context,
    streams: &Streams<'_>,
    known: &[Stream],
    of: &Op,
    (way, dry_run): (Way, bool),
) -> Result<Done, Error> {
    let mut done =
        Done { of: of.clone(), what: String::new(), decisions: Vec::new(), op: ctx.op, streams: Vec::new() };
    let (mut idle, mut decisions) = (None, Vec::new());
    for stream in known.iter().filter(|stream| of.names.contains(&stream.name)) {
        match tried(ctx, stream, way, of.id) {
            Ok(in_stream) => {
                let about = about(&stream.events, &in_stream.targets);
                let named = if of.names.len() > 1 { format!("{}: ", stream.name) } else { String::new() };
                done.decisions.extend(about.iter().map(|event| format!("{named}{}", sentence::line(event))));
                decisions.extend(about);
                done.streams.push(in_stream);
            }
            Err(err @ (Refused::BuiltOn { .. } | Refused::Unfit { .. })) => {
                return Err(err.into());
            }
            Err(err) => idle = idle.or(Some(err)),
        }
    }
    if let Some(err) = idle.filter(|_| done.streams.is_empty()) {
        return Err(err.into());
    }
    done.what = sentence::command(&decisions, &|_| None);
    let planned: Vec<&Name> =
        done.streams.iter().filter(|it| !matches!(it.work, Work::Stays)).map(|it| &it.name).collect();
    if let [name] = planned.as_slice() {
        done.what = format!("the plan of {name}");
        done.decisions = vec![done.what.clone()];
    }
    if dry_run {
        return done.streams.iter().try_for_each(|it| it.work.check(ctx)).map(|()| done);
    }
    for in_stream in &mut done.streams {
        super::run::not_during(ctx, &in_stream.name)?;
        let mut targets = Vec::new();
        let removal = in_stream.work.begin(ctx)?;
        let appended = streams.append(&in_stream.name, &mut |ledger, _| {
            targets = decide(ledger, way, of.id)?;
            Ok(())
        });
        let appended = match (appended, removal) {
            (Ok(appended), removal) => {
                fail::point("undo.recorded");
                in_stream.kept =
                    removal.map(|removal| removal.finish(ctx)).transpose()?.map(|kept| kept.name);
                appended
            }
            (Err(err), Some(removal)) => {
                removal.roll_back(ctx)?;
                return Err(err);
            }
            (Err(err), None) => return Err(err),
        };
        super::after_write(ctx, &appended);
        in_stream.targets = targets;
        in_stream.event = appended.events.iter().rev().find(|event| is_undo(event)).map(|event| event.id);
        if let Some(protocol) = appended.protocol {
            in_stream.protocol = protocol;
        }
    }
    Ok(done)
}

fn decide(ledger: &mut Ledger<'_>, way: Way, op: Ulid) -> Result<Vec<Ulid>, Refused> {
    match way {
        Way::Undo => take_back(ledger, op),
        Way::Redo => bring_back(ledger, op),
    }
}

fn is_undo(event: &Event) -> bool {
    matches!(event.body, Body::Undo { .. })
}

/// Decides on what is known of a stream, without writing.
fn tried(ctx: &Context, stream: &Stream, way: Way, op: Ulid) -> Result<InStream, Refused> {
    let author = ctx.writer().author;
    let specs = stream.content.decoded_specs();
    let mut ledger = Ledger::new(stream.name.clone(), stream.events.clone(), specs, author);
    let targets = decide(&mut ledger, way, op)?;
    let mut steps: Vec<StepId> = Vec::new();
    for step in about(&stream.events, &targets).into_iter().filter_map(|event| event.step.as_ref()) {
        if !steps.contains(step) {
            steps.push(step.clone());
        }
    }
    let protocol = ledger.into_folded().protocol.ok_or(Refused::Facts(op))?;
    let work = Work::between(stream.folded.protocol.as_ref(), &protocol);
    Ok(InStream { name: stream.name.clone(), targets, event: None, steps, work, kept: None, protocol })
}

/// What becomes of branch and worktree when a plan is taken or brought back.
#[derive(Clone, Debug)]
pub enum Work {
    Stays,
    /// They go to the trash. Holds the protocol as it was planned.
    Goes(Box<Protocol>),
    /// They come back, the branch at this commit.
    Comes(Name, Oid),
}

impl Work {
    fn between(before: Option<&Protocol>, after: &Protocol) -> Self {
        let planned = |protocol: &Protocol| protocol.plan_commit;
        match (before.and_then(|before| Some((before, planned(before)?))), planned(after)) {
            (Some((before, _)), None) => Self::Goes(Box::new(before.clone())),
            (None, Some(tip)) => after.key().parse().map_or(Self::Stays, |name| Self::Comes(name, tip)),
            _ => Self::Stays,
        }
    }

    /// Does what has to be done before it is recorded: what goes is held and set aside, what comes back is
    /// there.
    fn begin(&self, ctx: &Context) -> Result<Option<worktrees::Removal>, Error> {
        match self {
            Self::Stays => Ok(None),
            Self::Goes(protocol) => worktrees::of_plan(ctx, protocol, false),
            Self::Comes(name, tip) => super::restore::of_plan(ctx, name, *tip).map(|()| None),
        }
    }

    fn check(&self, ctx: &Context) -> Result<(), Error> {
        match self {
            Self::Goes(protocol) => worktrees::of_plan(ctx, protocol, true).map(drop),
            Self::Stays | Self::Comes(..) => Ok(()),
        }
    }
}

/// Returns the decisions that `targets` are, or that they take back, however deep.
fn about<'a>(events: &'a [Event], targets: &[Ulid]) -> Vec<&'a Event> {
    let mut found: Vec<&Event> = Vec::new();
    let mut open = targets.to_vec();
    let mut seen = std::collections::HashSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        match events.iter().find(|event| event.id == id) {
            Some(Event { body: Body::Undo { targets }, .. }) => open.extend(targets),
            Some(event) => found.push(event),
            None => (),
        }
    }
    found.sort_by_key(|event| (event.clock, event.id));
    found
}

fn named<'o>(ops: &'o [Op], arg: &str) -> Result<&'o Op, Error> {
    let found: Vec<&Op> = ops.iter().filter(|op| op.is_named_by(arg)).collect();
    match found.as_slice() {
        [op] => Ok(op),
        [] => Err(Error::Unknown {
            what: "op",
            text: crate::domain::text::clip(&crate::domain::text::one_line(arg), 80),
            near: Vec::new(),
        }),
        several => Err(Error::Usage {
            message: format!("`{arg}` begins the ids of {} commands", several.len()),
            hint: Some("git godzilla log --op".to_owned()),
        }),
    }
}

fn last_of_clone<'o>(ctx: &Context, known: &[Stream], ops: &'o [Op], way: Way) -> Result<&'o Op, Error> {
    let label = ctx.repo.clone_label();
    let counts = |op: &&Op| match way {
        Way::Undo => op.has_standing,
        Way::Redo => op.has_undo,
    };
    let is_own = |op: &&Op| op.actor.host.is_some() && op.actor.host == label;
    let mut own = ops.iter().rev().filter(is_own);
    let last = own.find(|op| counts(op) || (way == Way::Undo && op.is_idle));
    if let Some(op) = last.filter(|op| !counts(op)) {
        // The one before is not what is meant, and may be what others have built on.
        return Err(refused_of(ops, op, overtaken(known, op, own.find(counts).map(|op| op.id))));
    }
    last.ok_or_else(|| {
        let (code, message) = match way {
            Way::Undo => ("undo.nothing", "nothing that this clone decided is left to take back"),
            Way::Redo => ("redo.nothing", "this clone has no undo that could be taken back"),
        };
        Error::state(code, message, "git godzilla log --op")
    })
}

fn overtaken(known: &[Stream], op: &Op, older: Option<Ulid>) -> Refused {
    let of_op = known.iter().filter(|stream| op.names.contains(&stream.name));
    let mut told = of_op.filter_map(|stream| {
        let own: Vec<usize> =
            (0..stream.events.len()).filter(|idx| stream.events[*idx].op == Some(op.id)).collect();
        let idle = stream.told().idle(&own)?;
        Some(stream.told().overtaken(op.id, idle, &stream.content.decoded_specs(), &stream.folded))
    });
    match told.next() {
        Some(overtaken) => Refused::Overtaken(Box::new(Overtaken { older, ..overtaken })),
        None => Refused::Idle(op.id),
    }
}
