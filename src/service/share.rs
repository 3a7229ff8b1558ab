//! What goes to a remote: what makes its content strictly larger, and nothing else.

use std::collections::HashMap;

use super::context::Context;
use super::error::Error;
use crate::domain::id::{Name, Oid};
use crate::platform::clock;
use crate::platform::git::{Identity, RefPush, Repo};
use crate::store::content::Content;
use crate::store::inventory::{Inventory, Tips};
use crate::store::{refs, stream, tip};

/// What to push to one remote.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub updates: Vec<RefPush>,
    /// Events that the remote does not have yet, by ref.
    pub n_events: HashMap<String, usize>,
    /// Drop boxes that are redundant there.
    pub n_boxes: usize,
}

impl Plan {
    /// Returns how many events the refs of `accepted` bring.
    pub fn events_in(&self, accepted: &[String]) -> usize {
        accepted.iter().filter_map(|name| self.n_events.get(name)).sum()
    }
}

/// Returns what `remote` lacks, judged by what was last fetched of it.
///
/// A ref is pushed if its local content is not all in the remote's stream or archive. If the
/// remote's tip is a known ancestor of the local one, the local commit goes; else a new commit on
/// top of the remote's tip carries everything. A drop box goes if the remote's own streams, as
/// fetched, hold what it holds (`with_boxes`).
///
/// # Errors
///
/// [`Error`] if a local stream cannot be read or a commit cannot be written. A remote's tip that
/// cannot be read is left alone.
pub fn plan(ctx: &Context, inventory: &Inventory, remote: &str, with_boxes: bool) -> Result<Plan, Error> {
    let repo = &ctx.repo;
    let mut plan = Plan::default();
    for (name, tips) in &inventory.streams {
        let what = Stream { name: Some(name), of_ref: refs::protocol(name), tips };
        plan_stream(ctx, &what, remote, &mut plan)?;
    }
    let what = Stream { name: None, of_ref: refs::PROJECT.to_owned(), tips: &inventory.project };
    plan_stream(ctx, &what, remote, &mut plan)?;
    if with_boxes {
        for drop_box in inventory.boxes.iter().filter(|drop_box| drop_box.remote == remote) {
            if is_redundant(repo, inventory, remote, drop_box.tip) {
                plan.n_boxes += 1;
                plan.updates.push(RefPush {
                    name: drop_box.name.clone(),
                    new: None,
                    expected: Some(drop_box.tip),
                });
            }
        }
    }
    Ok(plan)
}

struct Stream<'a> {
    /// `None` for the project's.
    name: Option<&'a Name>,
    of_ref: String,
    tips: &'a Tips,
}

fn at_remote(tips: &Tips, remote: &str) -> Option<Oid> {
    tips.tracking.iter().find(|(name, _)| name == remote).map(|(_, oid)| *oid)
}

fn read(repo: &Repo, commit: Oid) -> Option<Content> {
    repo.tree_of(commit).and_then(|tree| tip::read(repo, tree)).ok()
}

fn plan_stream(ctx: &Context, what: &Stream<'_>, remote: &str, plan: &mut Plan) -> Result<(), Error> {
    let repo = &ctx.repo;
    let Some(local) = what.tips.local else { return Ok(()) };
    let theirs = at_remote(what.tips, remote);
    if theirs == Some(local) {
        return Ok(());
    }
    let label = what.name.map_or("project", Name::as_str);
    let failed = |source| stream::Error::Read { name: label.to_owned(), source };
    let ours = tip::read(repo, repo.tree_of(local).map_err(failed)?).map_err(failed)?;
    let mut shared = Content::default();
    if let Some(theirs) = theirs {
        match read(repo, theirs) {
            Some(content) if content.format.min_write <= ours.format.min_write => shared.unite(&content),
            _ => {
                tracing::warn!(stream = label, remote, "not shared: what is there cannot be read");
                return Ok(());
            }
        }
    }
    for tree in &what.tips.archived {
        if let Ok(archived) = tip::read(repo, *tree) {
            shared.unite(&archived);
        }
    }
    if shared.contains(&ours) {
        return Ok(());
    }
    let n_new = ours
        .lines()
        .iter()
        .filter(|line| !shared.lines().iter().any(|known| known.text == line.text))
        .count();
    let forward = theirs.is_none_or(|theirs| repo.is_ancestor(theirs, local));
    let new = if forward {
        local
    } else {
        let mut united = theirs.and_then(|theirs| read(repo, theirs)).unwrap_or_default();
        united.unite(&ours);
        unite_commit(ctx, what, &united, theirs)?
    };
    plan.n_events.insert(what.of_ref.clone(), n_new);
    plan.updates.push(RefPush { name: what.of_ref.clone(), new: Some(new), expected: theirs });
    Ok(())
}

/// Writes the commit that carries both sides on top of the remote's. It lives only there: local refs
/// follow the home remote when they take it over.
fn unite_commit(
    ctx: &Context,
    what: &Stream<'_>,
    content: &Content,
    parent: Option<Oid>,
) -> Result<Oid, Error> {
    let label = what.name.map_or("project", Name::as_str);
    let protocol = what.name.and_then(|_| super::streams::folded(content, None).protocol);
    let who = ctx.repo.committer().unwrap_or_else(carrier);
    let subject = format!("unite {label} with what was shared meanwhile ({} events)", content.lines().len());
    let commit =
        stream::write_commit(&ctx.repo, content, protocol.as_ref(), parent, &who, &subject, ctx.op, &[]);
    Ok(commit.map_err(|source| stream::Error::Write { name: label.to_owned(), source })?)
}

fn carrier() -> Identity {
    Identity { name: "git-godzilla".to_owned(), email: "noreply@git-godzilla.invalid".to_owned() }
}

/// Whether the remote's own streams, as fetched, hold all that the box holds; and so does this clone.
fn is_redundant(repo: &Repo, inventory: &Inventory, remote: &str, drop_box: Oid) -> bool {
    let Some(content) = read(repo, drop_box) else { return false };
    let project = at_remote(&inventory.project, remote).and_then(|oid| read(repo, oid));
    let mut streams: HashMap<&Name, Content> = HashMap::new();
    !content.lines().is_empty()
        && content.lines().iter().all(|line| {
            let holds = |content: &Content| content.lines().iter().any(|known| known.text == line.text);
            let of_stream = line.event.protocol.as_ref().is_some_and(|name| {
                let Some(tips) = inventory.streams.get(name) else { return false };
                let held = streams.entry(name).or_insert_with(|| {
                    at_remote(tips, remote).and_then(|oid| read(repo, oid)).unwrap_or_default()
                });
                let held_here =
                    || tips.local.and_then(|oid| read(repo, oid)).is_some_and(|local| holds(&local));
                holds(held) && held_here()
            });
            of_stream || project.as_ref().is_some_and(holds)
        })
}

/// Returns a drop box with the events that a remote refused to take: nobody contends for it.
///
/// # Errors
///
/// [`Error`] if it cannot be written.
pub fn drop_box_for(ctx: &Context, update: &RefPush, shared: Option<Oid>) -> Result<Option<RefPush>, Error> {
    let Some(ours) = update.new.and_then(|oid| read(&ctx.repo, oid)) else { return Ok(None) };
    let shared = shared.and_then(|oid| read(&ctx.repo, oid)).unwrap_or_default();
    let mut rest = Content::default();
    for line in ours.lines().iter().filter(|line| !shared.lines().contains(line)) {
        rest.add(line.clone());
    }
    rest.normalize();
    if rest.lines().is_empty() {
        return Ok(None);
    }
    rest.specs.clone_from(&ours.specs);
    let who = ctx.repo.committer().unwrap_or_else(carrier);
    let subject = format!("drop box: {} events", rest.lines().len());
    let commit = stream::write_commit(&ctx.repo, &rest, None, None, &who, &subject, ctx.op, &[])?;
    Ok(Some(RefPush { name: refs::drop_box(clock::new_id()), new: Some(commit), expected: None }))
}
