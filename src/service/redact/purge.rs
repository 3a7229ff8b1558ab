//! Takes what was redacted out of the history of every ref of ours, here and on remotes.
//!
//! On a remote a commit without parents takes the place of each ref whose history names it, by force and with
//! the exact value that was fetched. Other clones follow by themselves: the content is the same, so the
//! remote's commits win. It may be done again, and is done when no history names it any more.

use std::collections::BTreeSet;

use super::Wanted;
use crate::domain::id::{Digest, Name, Oid};
use crate::domain::redact::Redactor;
use crate::platform::git::{Move, RefPush, Repo, TreeEntry};
use crate::platform::lock::Lock;
use crate::platform::{fail, fs};
use crate::service::ask::{is_alive, runs_dir};
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::streams::folded;
use crate::service::{error_chain, list, notes, sync};
use crate::store::history::Search;
use crate::store::inventory::Inventory;
use crate::store::stubs::Stubs;
use crate::store::{refs, stream, tip};

/// How often a ref that others were faster with is tried again.
const MAX_ROUNDS: usize = 5;

/// What one remote said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtRemote {
    pub name: String,
    /// Whether no history there names it any more.
    pub clean: bool,
    /// How many refs were replaced.
    pub n_replaced: usize,
    pub message: Option<String>,
}

/// Returns a stub of every line here whose text was taken out, and the names of such plans.
///
/// # Errors
///
/// [`Error`] if refs cannot be listed. What cannot be read has none.
pub fn redacted(ctx: &Context, inventory: &Inventory) -> Stubs {
    let repo = &ctx.repo;
    let mut stubs = Stubs::default();
    let all = inventory.streams.values().chain([&inventory.project]);
    for tips in all {
        let tracked = tips.tracking.iter().map(|(_, tip)| *tip);
        let trees = tips.local.into_iter().chain(tracked).filter_map(|tip| repo.tree_of(tip).ok());
        for tree in trees.collect::<BTreeSet<Oid>>() {
            stubs.add(&tip::read(repo, tree).unwrap_or_default());
        }
    }
    for tree in inventory.all_archived(repo).into_values().flatten() {
        stubs.add(&tip::read(repo, tree).unwrap_or_default());
    }
    stubs
}

/// Returns the refs below `prefix` whose history holds one of `lines`, or plans.
///
/// # Errors
///
/// [`Error`] if refs cannot be listed or a history cannot be walked.
pub fn naming(repo: &Repo, prefix: &str, lines: &BTreeSet<Digest>) -> Result<Vec<(String, Oid)>, Error> {
    let mut search = Search::new(repo, lines);
    let mut found = Vec::new();
    for (name, tip) in repo.refs(prefix)? {
        if search.finds_in(tip)? {
            found.push((name, tip));
        }
    }
    Ok(found)
}

/// Purges every remote that shares state, then this clone. `wanted` is masked in logs of runs as well.
///
/// # Errors
///
/// [`Error`] if something here cannot be read or written. What a remote refuses is told in its answer.
pub fn purge(ctx: &Context, wanted: Option<&Wanted>) -> Result<Vec<AtRemote>, Error> {
    crate::service::initialised(ctx)?;
    let inventory = Inventory::read_all(&ctx.repo)?;
    let mut answers = Vec::new();
    for remote in &inventory.remotes {
        answers.push(at_remote(ctx, remote)?);
        fail::point("purge.remote");
    }
    here(ctx, wanted)?;
    Ok(answers)
}

/// Purges one remote; what is not there yet is sent there first.
fn at_remote(ctx: &Context, remote: &str) -> Result<AtRemote, Error> {
    let mut answer = AtRemote { name: remote.to_owned(), clean: false, n_replaced: 0, message: None };
    // Drop boxes go by deletion alone.
    sync::forget_refused(ctx, remote);
    for _ in 0..MAX_ROUNDS {
        // Takes over what is there, and shares the stubs, so that a clone which is faster has them too.
        let synced = sync::sync(ctx, Some(remote), &mut |_| ())?;
        if let Some(failed) = synced.remotes.iter().find(|synced| synced.result != sync::Outcome::Ok) {
            answer.message = failed.message.clone().or_else(|| Some(failed.result.as_str().to_owned()));
            return Ok(answer);
        }
        super::plans::everywhere(ctx)?;
        let inventory = Inventory::read_all(&ctx.repo)?;
        let stubs = redacted(ctx, &inventory);
        let found = naming(&ctx.repo, &refs::tracking_root(remote), stubs.taken_out())?;
        if found.is_empty() {
            answer.clean = true;
            answer.message = None;
            return Ok(answer);
        }
        let mut updates = Vec::new();
        for (tracked, tip) in found {
            let rest = &tracked[refs::tracking_root(remote).len()..];
            let name = format!("{}{rest}", refs::SHARED);
            if let Some(new) = fresh(ctx, &inventory, &name, tip, &stubs)? {
                updates.push(RefPush { name, new: Some(new), expected: Some(tip) });
            } else {
                answer.message = Some(format!("{name} is left: it goes when its events are all in a stream"));
            }
        }
        if updates.is_empty() {
            return Ok(answer);
        }
        match ctx.repo.replace(remote, &updates, sync::transport(ctx)) {
            Ok(result) => {
                answer.n_replaced += result.accepted.len();
                answer.message = result.refused.first().map(|it| format!("{}: {}", it.name, it.reason));
            }
            Err(err) => {
                answer.message = Some(error_chain(&err));
                return Ok(answer);
            }
        }
        fail::point("purge.replaced");
    }
    Ok(answer)
}

/// Returns a commit without parents that holds what the ref held, with stubs for what was taken out; `None`
/// for a ref that is not replaced.
fn fresh(
    ctx: &Context,
    inventory: &Inventory,
    name: &str,
    tip: Oid,
    stubs: &Stubs,
) -> Result<Option<Oid>, Error> {
    let repo = &ctx.repo;
    let who = repo.committer().unwrap_or_else(stream::carrier);
    let subject = "begin anew, without what was taken out";
    if name == refs::ARCHIVE {
        let tree = fresh_archive(ctx, inventory, repo.tree_of(tip)?, stubs)?;
        return Ok(Some(stream::write_commit_of(repo, tree, &who, subject, ctx.op)?));
    }
    let protocol = name.strip_prefix(refs::PROTOCOLS).and_then(|name| name.parse::<Name>().ok());
    let tips = match &protocol {
        Some(name) => inventory.streams.get(name),
        None => Some(&inventory.project).filter(|_| name == refs::PROJECT),
    };
    let Some(tips) = tips else { return Ok(None) };
    let mut content = tip::read(repo, repo.tree_of(tip)?)?;
    let ours = tips.local.map(|local| tip::read(repo, repo.tree_of(local)?)).transpose()?;
    content.unite(&ours.unwrap_or_default());
    content.unite(&stubs.of(&content));
    let state = protocol.and_then(|_| folded(&content, None).protocol);
    let commit = stream::write_commit(repo, &content, state.as_ref(), None, &who, subject, ctx.op, &[])?;
    Ok(Some(commit))
}

/// Returns the tree of an archive whose entries have `stubs` in place of the lines.
fn fresh_archive(ctx: &Context, inventory: &Inventory, archive: Oid, stubs: &Stubs) -> Result<Oid, Error> {
    let repo = &ctx.repo;
    let mut tree = archive;
    let mut search = Search::new(repo, stubs.taken_out());
    for shard in repo.tree(archive)?.into_iter().filter(TreeEntry::is_tree) {
        for entry in repo.tree(shard.oid)?.into_iter().filter(TreeEntry::is_tree) {
            let (Ok(shard), Ok(name)) = (std::str::from_utf8(&shard.name), std::str::from_utf8(&entry.name))
            else {
                continue;
            };
            let Ok(mut content) = tip::read(repo, entry.oid) else { continue };
            if stubs.of(&content).is_empty() && !search.holds(entry.oid)? {
                continue;
            }
            // Who took it out is said in the stream.
            let tips = name.parse::<Name>().ok().and_then(|name| inventory.streams.get(&name));
            if let Some(local) = tips.and_then(|tips| tips.local) {
                content.unite(&tip::read(repo, repo.tree_of(local)?)?);
            }
            content.unite(&stubs.of(&content));
            let state = folded(&content, None).protocol;
            let new = TreeEntry::tree("", tip::write(repo, &content, state.as_ref())?);
            tree = repo.tree_with(Some(tree), &format!("{shard}/{name}"), Some(new))?;
        }
    }
    Ok(tree)
}

/// Lets go of what this clone holds: local refs begin anew where they must, reflogs, safety copies, notes, the
/// cache and the logs of runs go or are masked. Objects stay until git collects them.
fn here(ctx: &Context, wanted: Option<&Wanted>) -> Result<(), Error> {
    // What remotes have is the same, and without the history: local refs follow it.
    list::list(ctx)?;
    let repo = &ctx.repo;
    let inventory = Inventory::read_all(repo)?;
    let stubs = redacted(ctx, &inventory);
    let lines = stubs.taken_out();
    for (name, tip) in naming(repo, refs::SHARED, lines)? {
        if let Some(new) = fresh(ctx, &inventory, &name, tip, &stubs)? {
            let who = repo.committer().unwrap_or_else(stream::carrier);
            let lock = name.rsplit('/').next().unwrap_or_default();
            let mut guard = Lock::acquire(&repo.state_dir().join("locks").join(lock), ctx.limit)?;
            let message = "begin anew, without what was taken out";
            repo.move_ref(Move { name: &name, expected: Some(tip), new, who: &who, message }, &mut guard)?;
            fail::point("purge.here");
        }
    }
    for (name, tip) in naming(repo, refs::LOCAL, lines)? {
        repo.git_output(&["update-ref", "-d", &name, &tip.to_string()])?;
    }
    for prefix in [refs::SHARED, refs::TRACKING] {
        for name in repo.ref_names(prefix)? {
            repo.forget_reflog(&name)?;
        }
    }
    fail::point("purge.reflogs");
    if repo.find_ref(refs::NOTES)?.is_some() {
        repo.git_output(&["update-ref", "-d", refs::NOTES])?;
        notes::rebuild(ctx)?;
    }
    let cache = repo.state_dir().join("cache").join("list");
    fs::remove_if_there(&cache).map_err(Error::io("remove the cache"))?;
    if let Some(wanted @ Wanted::Text { .. }) = wanted {
        mask_runs(repo, wanted)?;
    }
    Ok(())
}

/// Masks the text in what is kept of runs.
fn mask_runs(repo: &Repo, wanted: &Wanted) -> Result<(), Error> {
    let failed = || Error::io("mask the text in the logs of runs");
    let Ok(runs) = std::fs::read_dir(runs_dir(repo)) else { return Ok(()) };
    for run in runs.flatten() {
        // What a run still writes is cleaned by whoever writes it, of what it knows.
        let id = run.file_name().to_str().and_then(crate::store::wire::parse_ulid);
        if id.is_none_or(|id| is_alive(repo, id)) {
            continue;
        }
        let Ok(files) = std::fs::read_dir(run.path()) else { continue };
        for path in files.flatten().map(|file| file.path()) {
            let mut redactor = Redactor::new(wanted.known());
            let mut mask = |piece: &[u8], out: &mut Vec<u8>| {
                if piece.is_empty() { redactor.finish(out) } else { redactor.push(piece, out) }
            };
            if path.is_file() && fs::rewrite_file(&path, &mut mask).map_err(failed())? {
                fail::point("purge.log");
            }
        }
    }
    Ok(())
}
