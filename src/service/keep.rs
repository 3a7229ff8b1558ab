//! Commits that events name and no branch has any more stay reachable in this clone: those that an amend
//! or a rebase replaced, and the last tip of a branch that somebody deleted, but for what is merged.
//!
//! One chain of commits a protocol: the first parent is the link before, the others are what it keeps.

use std::collections::BTreeSet;
use std::time::Duration;

use super::branch::BranchTips;
use super::error::Error;
use super::observe;
use crate::domain::id::{Name, Oid};
use crate::domain::state::Protocol;
use crate::platform::fail;
use crate::platform::git::{self, Move, NewCommit, Repo};
use crate::platform::lock::Lock;
use crate::store::{kept, refs};

/// How many commits one link keeps.
const MAX_PARENTS: usize = 100;

/// More links than this are no chain of ours.
const MAX_LINKS: usize = 10_000;

/// How long others are waited for that keep something.
const LIMIT: Duration = Duration::from_millis(500);

/// Keeps what no branch has any more. Returns how many commits are new to it.
///
/// # Errors
///
/// [`Error`] if it cannot be written; the next look tries again.
pub fn hold(repo: &Repo, name: &Name, protocol: &Protocol, tips: &BranchTips) -> Result<usize, Error> {
    let candidates = candidates(repo, protocol, tips);
    if candidates.is_empty() {
        return Ok(0);
    }
    let mut guard = Lock::acquire(&repo.state_dir().join("locks").join("kept"), LIMIT)?;
    let ref_name = refs::keep(name);
    let last = repo.find_ref(&ref_name)?;
    let known = held(repo, last);
    let new: Vec<Oid> = candidates.into_iter().filter(|oid| !known.contains(oid)).collect();
    let mut tip = last;
    let who = kept::identity(repo);
    for part in new.chunks(MAX_PARENTS) {
        let parents: Vec<Oid> = tip.into_iter().chain(part.iter().copied()).collect();
        let tree = repo.tree_of(part[0])?;
        let named: Vec<String> = part.iter().map(ToString::to_string).collect();
        let first = if tip.is_some() { "Before: 1\n" } else { "" };
        let message =
            format!("commits of {name} that no branch has\n\n{first}Keeps: {}\n", named.join("\nKeeps: "));
        let (author, committer) = (&who, &who);
        tip = Some(repo.write_commit(&NewCommit {
            tree,
            parents,
            message,
            author,
            committer,
            for_people: false,
        })?);
    }
    let Some(tip) = tip.filter(|tip| Some(*tip) != last) else { return Ok(0) };
    fail::point("keep.commit");
    let message = "git-godzilla: keep commits that no branch has";
    repo.move_ref(Move { name: &ref_name, expected: last, new: tip, who: &who, message }, &mut guard)?;
    fail::point("keep.ref");
    Ok(new.len())
}

/// Returns the commits that are here and that neither a branch of the protocol nor its base has, without
/// those that others of them follow. Whether they count does not matter: after a merge nobody says any more
/// what the branch lost, and on it may be more than was merged.
fn candidates(repo: &Repo, protocol: &Protocol, tips: &BranchTips) -> BTreeSet<Oid> {
    let branches = tips.all();
    let reached = observe::known_behind(protocol, &branches);
    let named = protocol.commits.keys().copied().chain(protocol.plan_commit);
    let mut found: BTreeSet<Oid> =
        named.filter(|oid| !reached.contains(oid) && repo.has_object(*oid)).collect();
    let parents: BTreeSet<Oid> = found
        .iter()
        .filter_map(|oid| protocol.commits.get(oid))
        .flat_map(|commit| commit.parents.iter().copied())
        .collect();
    found.retain(|oid| !parents.contains(oid));
    let is_reached = |oid: Oid| branches.iter().chain(&tips.bases).any(|tip| repo.is_ancestor(oid, *tip));
    found.retain(|oid| !is_reached(*oid));
    found
}

/// Returns what a chain keeps.
fn held(repo: &Repo, tip: Option<Oid>) -> BTreeSet<Oid> {
    let mut held = BTreeSet::new();
    let mut at = tip;
    for _ in 0..MAX_LINKS {
        let Some(info) = at.and_then(|at| repo.commit(at).ok()) else { break };
        let message = String::from_utf8_lossy(&info.message);
        let has_more = message.lines().any(|line| line == "Before: 1");
        let (before, keeps) = info.parents.split_at(usize::from(has_more).min(info.parents.len()));
        held.extend(keeps);
        at = before.first().copied();
    }
    held
}

/// Returns the protocols of which something is kept.
///
/// # Errors
///
/// [`git::Error`] if refs cannot be listed.
pub fn names(repo: &Repo) -> Result<Vec<Name>, git::Error> {
    let all = repo.refs(refs::KEEP)?;
    Ok(all.iter().filter_map(|(name, _)| name.strip_prefix(refs::KEEP)?.parse().ok()).collect())
}

/// Lets go what is kept of a protocol. Nothing else may need it: see
/// [`upkeep`](super::kept::upkeep).
///
/// # Errors
///
/// [`git::Error`] if the ref cannot be removed.
pub fn forget(repo: &Repo, name: &Name) -> Result<(), git::Error> {
    let ref_name = refs::keep(name);
    let Some(tip) = repo.find_ref(&ref_name)? else { return Ok(()) };
    repo.git_output(&["update-ref", "--no-deref", "-d", &ref_name, &tip.to_string()]).map(drop)
}
