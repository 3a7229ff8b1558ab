//! What goes to a remote: what makes its content strictly larger, and nothing else.

mod archived;
mod strict;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;

pub use self::archived::archived_events_beyond;
pub use self::strict::brings_foreign_events;

use super::context::Context;
use super::error::Error;
use super::twins;
use crate::domain::event::Event;
use crate::domain::id::{Name, Oid};
use crate::domain::sentence::sentence;
use crate::platform::clock;
use crate::platform::git::{RefPush, Repo};
use crate::store::content::Content;
use crate::store::inventory::{DropBox, Inventory, Tips, read_box};
use crate::store::{refs, stream, tip};

/// How many subjects the message of a united commit lists.
const MAX_SUBJECTS: usize = 50;

/// What to push to one remote.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub updates: Vec<RefPush>,
    /// Events that the remote does not have yet, by ref.
    pub n_events: HashMap<String, usize>,
    /// Streams that are left alone there, and why.
    pub set_aside: Vec<String>,
    /// How many entries of the archive are new or larger there then.
    pub n_archived: usize,
    /// Events that wait until their protocol has a name of its own: its name is that of another one there.
    pub n_of_twins: usize,
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
/// top of the remote's tip carries everything. The archive goes by the same rule, entry by entry. With
/// `deletes` drop boxes go whose content the remote's own streams, as fetched, hold, and streams whose
/// content its archive holds. A stream that would make twins waits: its name is that of another protocol
/// there, and `before` does not show that this one was shared as well.
///
/// # Errors
///
/// [`Error`] if a local stream cannot be read or a commit cannot be written. A remote's tip that
/// cannot be read is left alone.
pub fn plan(
    ctx: &Context,
    inventory: &Inventory,
    remote: &str,
    deletes: bool,
    before: Option<&Inventory>,
) -> Result<Plan, Error> {
    let mut plan = Plan::default();
    for (name, tips) in &inventory.streams {
        let before = before.and_then(|before| before.streams.get(name));
        let what = Stream { name: Some(name), of_ref: refs::protocol(name), tips, before };
        plan_stream(ctx, &what, remote, &mut plan)?;
    }
    let (of_ref, tips) = (refs::PROJECT.to_owned(), &inventory.project);
    let what = Stream { name: None, of_ref, tips, before: None };
    plan_stream(ctx, &what, remote, &mut plan)?;
    archived::plan_archive(ctx, inventory, remote, &mut plan)?;
    if deletes {
        archived::plan_deletes(&ctx.repo, inventory, remote, &mut plan);
        let boxes = boxes_at(inventory, remote);
        let redundant = boxes.filter(|drop_box| is_redundant(&ctx.repo, inventory, drop_box));
        plan.updates.extend(redundant.map(|drop_box| RefPush {
            name: drop_box.name.clone(),
            new: None,
            expected: Some(drop_box.tip),
        }));
    }
    Ok(plan)
}

struct Stream<'a> {
    /// `None` for the project's.
    name: Option<&'a Name>,
    of_ref: String,
    tips: &'a Tips,
    /// What was known of it before the last fetch.
    before: Option<&'a Tips>,
}

impl Stream<'_> {
    fn label(&self) -> &str {
        self.name.map_or("project", Name::as_str)
    }
}

fn boxes_at<'a>(inventory: &'a Inventory, remote: &'a str) -> impl Iterator<Item = &'a DropBox> {
    inventory.boxes.iter().filter(move |drop_box| drop_box.remote == remote)
}

fn read(repo: &Repo, commit: Oid) -> Option<Content> {
    repo.tree_of(commit).and_then(|tree| tip::read(repo, tree)).ok()
}

fn plan_stream(ctx: &Context, what: &Stream<'_>, remote: &str, plan: &mut Plan) -> Result<(), Error> {
    let repo = &ctx.repo;
    let Some(local) = what.tips.local else { return Ok(()) };
    let tip = what.tips.at(remote);
    if tip == Some(local) {
        return Ok(());
    }
    let failed = |source| stream::Error::Read { name: what.label().to_owned(), source };
    let ours = tip::read(repo, repo.tree_of(local).map_err(failed)?).map_err(failed)?;
    let mut theirs = Content::default();
    if let Some(tip) = tip {
        match read(repo, tip) {
            Some(content) if content.may_be_read() => theirs = content,
            Some(_) => {
                plan.set_aside.push(format!("{} demands a newer version", what.label()));
                return Ok(());
            }
            None => {
                plan.set_aside.push(format!("{} cannot be read", what.label()));
                return Ok(());
            }
        }
    }
    let mut shared = theirs.clone();
    for tree in what.tips.archived_at(remote) {
        if let Ok(archived) = tip::read(repo, tree) {
            shared.unite(&archived);
        }
    }
    if shared.contains(&ours) {
        return Ok(());
    }
    let known: HashSet<&str> = shared.lines().iter().map(|line| &*line.text).collect();
    let n_new = ours.lines().iter().filter(|line| !known.contains(&*line.text)).count();
    let mut united = theirs.clone();
    united.unite(&ours);
    let seen: Vec<&Tips> = what.before.into_iter().chain([what.tips]).collect();
    if !twins::unshared(repo, &seen, &united).is_empty() {
        let label = what.label();
        plan.n_of_twins += n_new;
        plan.set_aside.push(format!("{label} is the name of another protocol there"));
        return Ok(());
    }
    let is_forward = match tip {
        Some(tip) => ours.contains(&theirs) && repo.is_ancestor(tip, local),
        // What was taken out does not come back with the history of what is made anew.
        None => {
            ours.taken_out().is_empty() || repo.commit(local).is_ok_and(|commit| commit.parents.is_empty())
        }
    };
    let new = if is_forward {
        local
    } else {
        if !united.may_be_written() {
            plan.set_aside.push(format!("{} demands a newer version", what.label()));
            return Ok(());
        }
        unite_commit(ctx, what, &united, &theirs, tip)?
    };
    plan.n_events.insert(what.of_ref.clone(), n_new);
    plan.updates.push(RefPush { name: what.of_ref.clone(), new: Some(new), expected: tip });
    Ok(())
}

/// Writes the commit that carries both sides on top of the remote's. It lives only there: local refs
/// follow the home remote when they take it over.
fn unite_commit(
    ctx: &Context,
    what: &Stream<'_>,
    united: &Content,
    theirs: &Content,
    parent: Option<Oid>,
) -> Result<Oid, Error> {
    let protocol = what.name.and_then(|_| super::streams::folded(united, None).protocol);
    let who = ctx.repo.committer().unwrap_or_else(stream::carrier);
    let known: HashSet<&str> = theirs.lines().iter().map(|line| &*line.text).collect();
    let new: Vec<&Event> =
        united.lines().iter().filter(|line| !known.contains(&*line.text)).map(|line| &line.event).collect();
    let mut message = format!("unite {} with what was shared meanwhile\n", what.label());
    for event in new.iter().take(MAX_SUBJECTS) {
        message.push_str("\n- ");
        message.push_str(&sentence(std::slice::from_ref(*event), None));
    }
    if new.len() > MAX_SUBJECTS {
        // Writing to a `String` cannot fail.
        write!(message, "\n- and {} more", new.len() - MAX_SUBJECTS).ok();
    }
    let commit =
        stream::write_commit(&ctx.repo, united, protocol.as_ref(), parent, &who, &message, ctx.op, &[]);
    Ok(commit.map_err(|source| stream::Error::Write { name: what.label().to_owned(), source })?)
}

/// Whether the remote's own streams and archive, as fetched, hold all that the box holds; and so
/// does this clone. A box with anything but events and their specs in it is left alone.
fn is_redundant(repo: &Repo, inventory: &Inventory, drop_box: &DropBox) -> bool {
    let Ok(content) = read_box(repo, drop_box.tip) else { return false };
    let parts = content.by_protocol();
    let is_named = |digest| parts.values().any(|part| part.specs.contains_key(digest));
    let is_plain =
        content.rejects.is_empty() && content.unknown.is_empty() && content.specs.keys().all(is_named);
    let project = &inventory.project;
    is_plain
        && !parts.is_empty()
        && parts.iter().all(|(name, part)| {
            let in_stream = name.as_ref().is_some_and(|name| {
                are_there(repo, &inventory.tips(repo, name), &drop_box.remote, part)
                    && archived::is_held_here(repo, inventory, name, part)
            });
            in_stream || holds(repo, project, &drop_box.remote, part)
        })
}

/// Whether `remote` held a branch or state when it was last seen: state must never be the first thing in
/// a repository.
pub fn is_in_use(ctx: &Context, inventory: &Inventory, remote: &str) -> bool {
    let tracked = ctx.repo.refs(&format!("refs/remotes/{remote}/")).is_ok_and(|refs| !refs.is_empty());
    tracked || inventory.holds_state(remote)
}

/// Returns how many of the refs that `plan` pushes had lost something at the remote since `before`.
pub fn n_rewound(repo: &Repo, before: &Inventory, remote: &str, plan: &Plan) -> usize {
    let has_lost = |update: &&RefPush| {
        let name = update.name.strip_prefix(refs::PROTOCOLS).map(str::parse::<Name>);
        let tips = match name {
            Some(Ok(name)) => before.streams.get(&name),
            _ => Some(&before.project).filter(|_| update.name == refs::PROJECT),
        };
        let was = tips.and_then(|tips| tips.at(remote)).filter(|was| Some(*was) != update.expected);
        was.is_some_and(|was| {
            let now = update.expected.and_then(|now| read(repo, now)).unwrap_or_default();
            read(repo, was).is_some_and(|was| !now.contains(&was))
        })
    };
    let n_streams = plan.updates.iter().filter(has_lost).count();
    n_streams + usize::from(archived::has_lost(repo, before, remote, plan))
}

/// Whether both the remote, as fetched, and this clone hold `part` in a stream.
fn holds(repo: &Repo, tips: &Tips, remote: &str, part: &Content) -> bool {
    are_there(repo, tips, remote, part)
        && tips.local.and_then(|tip| read(repo, tip)).is_some_and(|here| here.contains(part))
}

/// Whether the remote, as fetched, holds `part` in a stream or its archive entry.
fn are_there(repo: &Repo, tips: &Tips, remote: &str, part: &Content) -> bool {
    held_at(repo, tips, remote).contains(part)
}

/// Returns what the remote, as fetched, holds in a stream and its archive entry.
fn held_at(repo: &Repo, tips: &Tips, remote: &str) -> Content {
    let mut there = tips.at(remote).and_then(|tip| read(repo, tip)).unwrap_or_default();
    for tree in tips.archived_at(remote) {
        if let Ok(archived) = tip::read(repo, tree) {
            there.unite(&archived);
        }
    }
    there
}

/// Returns a drop box with what a remote refused to take and no box there holds yet: nobody contends
/// for it.
///
/// # Errors
///
/// [`Error`] if it cannot be written.
pub fn drop_box_for(
    ctx: &Context,
    inventory: &Inventory,
    remote: &str,
    update: &RefPush,
) -> Result<Option<RefPush>, Error> {
    let Some(ours) = update.new.and_then(|oid| read(&ctx.repo, oid)) else { return Ok(None) };
    let mut known = update.expected.and_then(|oid| read(&ctx.repo, oid)).unwrap_or_default();
    for drop_box in boxes_at(inventory, remote) {
        if let Ok(content) = read_box(&ctx.repo, drop_box.tip) {
            known.unite(&content);
        }
    }
    // What somebody put into a stream that is not its own goes where it belongs, and may be there: a box with
    // it would be redundant at once, and come again with every sync.
    let of: BTreeSet<&Name> = ours.lines().iter().filter_map(|line| line.event.protocol.as_ref()).collect();
    for name in of.into_iter().filter(|name| refs::protocol(name) != update.name) {
        known.unite(&held_at(&ctx.repo, &inventory.tips(&ctx.repo, name), remote));
        known.unite(&held_at(&ctx.repo, &inventory.project, remote));
    }
    let known: HashSet<&str> = known.lines().iter().map(|line| &*line.text).collect();
    let mut rest = Content::default();
    for line in ours.lines().iter().filter(|line| !known.contains(&*line.text)) {
        if let Some(digest) = line.event.body.brings_spec()
            && let Some(text) = ours.specs.get(&digest)
        {
            rest.specs.insert(digest, text.clone());
        }
        rest.add(line.clone());
    }
    rest.normalize();
    if rest.lines().is_empty() {
        return Ok(None);
    }
    let who = ctx.repo.committer().unwrap_or_else(stream::carrier);
    let subject = format!("drop box: {} events", rest.lines().len());
    let commit = stream::write_commit(&ctx.repo, &rest, None, None, &who, &subject, ctx.op, &[])?;
    Ok(Some(RefPush { name: refs::drop_box(clock::new_id()), new: Some(commit), expected: None }))
}
