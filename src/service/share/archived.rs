//! What of archives goes to a remote, and which streams may go there because of it.

use std::collections::HashSet;

use super::{Plan, read};
use crate::domain::id::{Name, Oid};
use crate::platform::git::{NewCommit, RefPush, Repo};
use crate::service::archive::may_be_archived;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::streams::folded;
use crate::store::archive::{self, Archive};
use crate::store::content::Content;
use crate::store::inventory::Inventory;
use crate::store::{refs, stream, tip};

/// Adds the archive to `plan`, if the one here has what that of `remote` has not.
pub(super) fn plan_archive(
    ctx: &Context,
    inventory: &Inventory,
    remote: &str,
    plan: &mut Plan,
) -> Result<(), Error> {
    let repo = &ctx.repo;
    let tracked = repo.find_ref(&refs::tracking(remote, refs::ARCHIVE))?;
    let theirs = inventory.archive_at(remote);
    if tracked.is_some() && theirs.is_none() {
        plan.set_aside.push("its archive cannot be read".to_owned());
        return Ok(());
    }
    let Some(local) = inventory.archive() else { return Ok(()) };
    let new = match theirs {
        None if repo.commit(local.tip)?.parents.is_empty() || !archive::has_stubs(repo, local.tree)? => {
            local.tip
        }
        // What was taken out does not come with the history of what is new there.
        None => anew(ctx, local.tree)?,
        Some(theirs) => {
            if theirs.tree == local.tree || archive::contains(repo, theirs.tree, local.tree)? {
                return Ok(());
            }
            let is_forward =
                repo.is_ancestor(theirs.tip, local.tip) && archive::contains(repo, local.tree, theirs.tree)?;
            if is_forward { local.tip } else { return unite(ctx, inventory, (local, theirs), plan) }
        }
    };
    push(ctx, inventory, remote, plan, new);
    Ok(())
}

fn push(ctx: &Context, inventory: &Inventory, remote: &str, plan: &mut Plan, new: Oid) {
    let expected = inventory.archive_at(remote).map(|archive| archive.tip);
    let n_new = archived_events_beyond(&ctx.repo, inventory, remote);
    plan.n_archived = archived_beyond(&ctx.repo, inventory, remote).len();
    plan.n_events.insert(refs::ARCHIVE.to_owned(), n_new);
    plan.updates.push(RefPush { name: refs::ARCHIVE.to_owned(), new: Some(new), expected });
}

/// Writes a commit without a history that has the archive.
fn anew(ctx: &Context, tree: Oid) -> Result<Oid, Error> {
    let who = ctx.repo.committer().unwrap_or_else(stream::carrier);
    Ok(stream::write_commit_of(&ctx.repo, tree, &who, "share the archive", ctx.op)?)
}

/// Writes the archive that has both on top of the remote's.
fn unite(
    ctx: &Context,
    inventory: &Inventory,
    (local, theirs): (&Archive, &Archive),
    plan: &mut Plan,
) -> Result<(), Error> {
    let fold = |content: &Content| folded(content, None).protocol;
    let united = archive::unite(&ctx.repo, theirs.tree, local.tree, &fold)?;
    plan.set_aside.extend(united.set_aside);
    if united.tree == theirs.tree {
        return Ok(());
    }
    let who = ctx.repo.committer().unwrap_or_else(stream::carrier);
    let message = format!("unite the archive with what was shared meanwhile\n\nGodzilla-Op: {}\n", ctx.op);
    let commit = ctx.repo.write_commit(&NewCommit {
        tree: united.tree,
        parents: vec![theirs.tip],
        message,
        author: &who,
        committer: &who,
        for_people: false,
    })?;
    push(ctx, inventory, theirs.holder.as_deref().unwrap_or_default(), plan, commit);
    Ok(())
}

/// Returns the entries of the archive here that the one of `remote` has not, or has otherwise.
fn archived_beyond(repo: &Repo, inventory: &Inventory, remote: &str) -> Vec<archive::Change> {
    let Some(local) = inventory.archive() else { return Vec::new() };
    let theirs = inventory.archive_at(remote).map(|archive| archive.tree);
    archive::changes(repo, theirs, local.tree).unwrap_or_default()
}

/// Returns how many events of the archive here `remote` was not seen to hold. Only entries that it has
/// not, or has otherwise, are read.
pub fn archived_events_beyond(repo: &Repo, inventory: &Inventory, remote: &str) -> usize {
    let changes = archived_beyond(repo, inventory, remote);
    let count = |change: &archive::Change| {
        let ours = tip::read(repo, change.after).unwrap_or_default();
        let entry = change.before.and_then(|tree| tip::read(repo, tree).ok());
        let tip = inventory.streams.get(&change.name).and_then(|tips| tips.at(remote));
        let stream = tip.and_then(|tip| read(repo, tip));
        let theirs = [entry, stream];
        let known: HashSet<&str> =
            theirs.iter().flatten().flat_map(Content::lines).map(|line| &*line.text).collect();
        ours.lines().iter().filter(|line| !known.contains(&*line.text)).count()
    };
    changes.iter().map(count).sum()
}

/// Adds the deletion of each stream at `remote` of which its own archive, as fetched, has all, and this
/// clone too; if it is over, for what goes on is not put out of sight.
pub(super) fn plan_deletes(repo: &Repo, inventory: &Inventory, remote: &str, plan: &mut Plan) {
    let pushed: HashSet<String> = plan.updates.iter().map(|update| update.name.clone()).collect();
    for (name, tips) in &inventory.streams {
        let of_ref = refs::protocol(name);
        let Some(tip) = tips.at(remote).filter(|_| !pushed.contains(&of_ref)) else { continue };
        if tips.archived_at(remote).any(|entry| proves(repo, inventory, name, entry, tip)) {
            plan.updates.push(RefPush { name: of_ref, new: None, expected: Some(tip) });
        }
    }
}

fn proves(repo: &Repo, inventory: &Inventory, name: &Name, entry: Oid, tip: Oid) -> bool {
    let Ok(tree) = repo.tree_of(tip) else { return false };
    let (Ok(there), Ok(archived)) = (tip::read(repo, tree), tip::read(repo, entry)) else { return false };
    let is_whole = |content: &Content| content.may_be_read() && content.contains(&there);
    is_whole(&archived) && may_be_archived(&archived) && is_held_here(repo, inventory, name, &there)
}

/// Whether a local ref holds all of `content`: the stream, or its entry in the archive here.
pub(super) fn is_held_here(repo: &Repo, inventory: &Inventory, name: &Name, content: &Content) -> bool {
    let tips = inventory.tips(repo, name);
    let entry = tips.archived.iter().find(|(holder, _)| holder.is_none()).map(|(_, tree)| *tree);
    let stream = tips.local.and_then(|local| repo.tree_of(local).ok());
    let trees = stream.into_iter().chain(entry);
    let held = trees.filter_map(|tree| tip::read(repo, tree).ok());
    held.into_iter().any(|held| held.contains(content))
}

/// Whether the archive of `remote` had lost something since `before`, which `plan` brings back.
pub(super) fn has_lost(repo: &Repo, before: &Inventory, remote: &str, plan: &Plan) -> bool {
    let update = plan.updates.iter().find(|update| update.name == refs::ARCHIVE);
    let (Some(was), Some(update)) = (before.archive_at(remote), update) else { return false };
    let now = update.expected.and_then(|tip| repo.tree_of(tip).ok());
    Some(was.tip) != update.expected
        && !now.is_some_and(|now| archive::contains(repo, now, was.tree).unwrap_or(false))
}
