//! `renumber`: another number, or another name, for a protocol whose own another one has as well.
//!
//! The stream of a protocol keeps its name for ever, and so do its branch and its folder: what is given is the
//! name that it is shown under. A twin, which has no stream of its own, is given one.

use super::branch::Branches;
use super::context::Context;
use super::error::Error;
use super::resolve::{self, Target};
use super::streams::Streams;
use super::{initialised, list, plan, twins};
use crate::domain::event::{Body, Draft, Event};
use crate::domain::id::{Name, Ulid};
use crate::domain::state::Protocol;
use crate::domain::text;
use crate::platform::fail;
use crate::platform::lock::Lock;
use crate::store::content::{Content, Line};
use crate::store::inventory::Inventory;
use crate::store::stream;

/// What a protocol is called now.
#[derive(Clone, Debug)]
pub struct Renumbered {
    pub was: String,
    pub name: Name,
    pub root: Ulid,
    pub branch: String,
    /// Whether it was not called so before.
    pub recorded: bool,
    /// What became of branch, worktree and plan, a line each.
    pub told: Vec<String>,
}

/// Gives the protocol `old` the number or the name `new`; every name that it had still names it.
///
/// When this returns, the events are in the local refs; they are not pushed.
///
/// # Errors
///
/// [`Error`] if `new` is no name, is or was that of another protocol, or an engine is at work.
pub fn renumber(ctx: &Context, old: &str, new: &str) -> Result<Renumbered, Error> {
    initialised(ctx)?;
    plan::recover(ctx)?;
    let streams = Streams::read(ctx)?;
    let Target { name: key, root } = resolve::protocol(&streams, Some(old))?;
    super::run::not_during(ctx, &key)?;
    let shown = list::show(&streams, &key, root)?;
    let name = wanted(new, &shown.protocol.created.slug)?;
    if root.is_none() && shown.name == name.as_str() {
        share_names(ctx, &key)?;
        return Ok(done(ctx, shown.name.clone(), name, &shown.protocol));
    }
    {
        let lock = ctx.repo.state_dir().join("locks").join("number");
        let _guard = Lock::acquire(&lock, ctx.limit)?;
        check_free(ctx, &streams, &name, (&key, root))?;
        if root.is_none() {
            let body = Body::Renumbered { number: name.number(), slug: name.slug().to_owned() };
            let appended = streams.append(&key, &mut |ledger, _| {
                ledger.push(Draft::new(body.clone()));
                Ok(())
            })?;
            super::after_write(ctx, &appended);
            fail::point("renumber.recorded");
            share_names(ctx, &key)?;
        }
    }
    let mut answer =
        Renumbered { recorded: true, ..done(ctx, shown.name.clone(), name.clone(), &shown.protocol) };
    if let Some(root) = root {
        let rows = list::list(ctx)?.rows;
        let renamed = twins::give_name(ctx, &rows, (&key, root), Some(&name))?;
        answer.branch = renamed.to.to_string();
        answer.name = renamed.to;
        answer.told = renamed.told;
    }
    Ok(answer)
}

/// What is answered where nothing was recorded.
fn done(ctx: &Context, was: String, name: Name, protocol: &Protocol) -> Renumbered {
    let branch = Branches::lazy(&ctx.repo).name_here(protocol);
    Renumbered { was, name, root: protocol.root, branch, recorded: false, told: Vec::new() }
}

/// Returns the name that is meant: a number keeps the slug.
fn wanted(new: &str, slug: &str) -> Result<Name, Error> {
    let name = match new.parse::<u64>() {
        Ok(0) => None,
        Ok(number) => Name::new(number, slug).ok(),
        Err(_) => new.parse().ok(),
    };
    name.ok_or_else(|| Error::Usage {
        message: format!("`{}` is neither a number nor a name", text::clip(&text::one_line(new), 60)),
        hint: Some(format!("git godzilla renumber OLD 0012-{slug}")),
    })
}

/// Refuses a number that another protocol has or had. The protocol's own may be taken back.
fn check_free(
    ctx: &Context,
    streams: &Streams<'_>,
    name: &Name,
    (key, root): (&Name, Option<Ulid>),
) -> Result<(), Error> {
    let renumbered = streams.renumbered();
    let given = renumbered.iter().filter(|(_, of)| root.is_some() || of != key).map(|(given, _)| given);
    let taken = Inventory::taken_names(&ctx.repo)?;
    let unknown = streams.unknown_names();
    let archived = streams.inventory.archived_as(&ctx.repo, &name.number().to_string());
    let others = taken.iter().chain(&unknown).chain(&archived).chain(streams.inventory.streams.keys());
    let mut others = others.filter(|other| root.is_some() || *other != key).chain(given);
    let Some(other) = others.find(|other| other.number() == name.number()) else { return Ok(()) };
    let next = plan::next_number(ctx, streams)?;
    let message = format!("the number {} is or was that of {other}", name.number());
    Err(Error::state("number.taken", message, format!("take the next one that is free: {next}")))
}

/// Puts the names that a protocol was given into the project's stream as well, where all are found at once.
fn share_names(ctx: &Context, key: &Name) -> Result<(), Error> {
    let streams = Streams::for_target(ctx, Some(key.as_str()))?;
    let content = streams.view(key)?.content;
    let is_name = |event: &Event| matches!(event.body, Body::Renumbered { .. });
    let given: Vec<&Line> = content.lines().iter().filter(|line| is_name(&line.event)).collect();
    let repo = &ctx.repo;
    let add = &mut |content: &mut Content| given.iter().for_each(|line| content.add((*line).clone()));
    stream::append_project(
        repo,
        &ctx.writer(),
        &|| Inventory::of_project(repo),
        &format!("{key} is called otherwise"),
        add,
    )?;
    Ok(())
}
