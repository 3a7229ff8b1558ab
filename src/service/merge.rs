//! Whether a protocol's work is in its base, by the cheapest rule that shows it:
//!
//! | rule | the base has |
//! |---|---|
//! | `ancestry` | the plan and every commit of the work |
//! | `no-op` | content that merging the branch would not change |
//! | `squash` | a commit that changes what the whole branch changes |
//! | `rebase` | for every commit of the branch one that changes the same |
//! | `historical-no-op` | had, at some time, content that merging the branch would not have changed |
//!
//! A rule says that the work came in, not that it stayed: a base that reverted it afterwards has
//! merged it all the same, so that clones agree whenever they look. What is not here shows nothing.

mod patches;

use std::collections::HashSet;

use self::patches::Search;
use super::branch::BranchTips;
use super::observe::Scope;
use crate::domain::event::{Body, Cause, Draft, MergeDetected};
use crate::domain::id::{Name, Oid};
use crate::domain::ledger::Ledger;
use crate::domain::observe;
use crate::domain::state::Protocol;
use crate::platform::git::{Error, Repo};
use crate::store::cache;
use crate::store::looked::{self, Looked};

/// Changes whenever a rule does: what was not found by the older ones is looked for again.
const RULES: u32 = 1;

/// How many commits are walked for the one that brought a merge in.
const MAX_COMMITS: usize = 10_000;

/// Records that the protocol's work is in its base, and returns whether that is news.
///
/// # Errors
///
/// [`Error`] if the commit of the merge cannot be read.
pub fn record(repo: &Repo, ledger: &mut Ledger<'_>, tips: &BranchTips, scope: Scope) -> Result<bool, Error> {
    let Some(protocol) = ledger.protocol() else { return Ok(false) };
    if observe::names_merge(ledger.events()) {
        return Ok(false);
    }
    let Some(merge) = merge_of(repo, protocol, tips, scope) else { return Ok(false) };
    let at_ms = repo.commit(merge.commit)?.time_ms;
    let cause = Cause::merge(merge.commit);
    ledger.push(Draft::new(Body::MergeDetected(merge)).caused_by(cause, at_ms));
    Ok(true)
}

/// Returns the merge of all of the protocol's work into its base, if it has happened since.
pub fn merge_of(repo: &Repo, protocol: &Protocol, tips: &BranchTips, scope: Scope) -> Option<MergeDetected> {
    let (into, base) = tips.deciding_base.as_ref()?;
    if !observe::awaits_merge(protocol) || *base == protocol.created.base_commit {
        return None;
    }
    let branch = Branch::of(protocol)?;
    let found = match scope {
        Scope::All => branch.all_rules(repo, into, *base),
        _ => branch.ancestry(repo, *base),
    };
    found.map(|Found { rule, commit }| MergeDetected {
        rule: rule.to_owned(),
        into: into.clone(),
        commit,
        tip: branch.tip,
    })
}

/// Returns the remote that a merge has yet to reach: the base here has all of the protocol's work,
/// and the base that decides does not.
pub fn merged_here(repo: &Repo, protocol: &Protocol, tips: &BranchTips) -> Option<String> {
    let (remote, base) = (tips.deciding_remote.as_ref()?, tips.local_base?);
    if !observe::awaits_merge(protocol) || base == protocol.created.base_commit {
        return None;
    }
    Branch::of(protocol)?.ancestry(repo, base).map(|_| remote.clone())
}

/// What a rule found, and the commit of the base that brought it in.
struct Found {
    rule: &'static str,
    commit: Oid,
}

/// The branch of a protocol, as events say.
struct Branch<'a> {
    protocol: &'a Protocol,
    plans: Vec<Oid>,
    /// Commits of the work.
    work: Vec<Oid>,
    /// Those of them that no other one follows.
    heads: Vec<Oid>,
    /// One of the heads.
    tip: Oid,
    /// The protocol's own.
    folder: String,
}

impl<'a> Branch<'a> {
    fn of(protocol: &'a Protocol) -> Option<Self> {
        let parents: HashSet<Oid> =
            protocol.live_commits().flat_map(|(_, commit)| commit.parents.iter().copied()).collect();
        // After a rebase the plan is another commit; after a squash it is none of its own.
        let (plans, work): (Vec<Oid>, Vec<Oid>) =
            protocol.live_commits().map(|(oid, _)| *oid).partition(|oid| protocol.is_plan(*oid));
        let heads: Vec<Oid> = work.iter().copied().filter(|oid| !parents.contains(oid)).collect();
        let tip = *heads.first()?;
        let folder = format!(".protocols/{}", protocol.key());
        Some(Self { protocol, plans, work, heads, tip, folder })
    }

    /// Tries every rule, unless that was in vain before.
    fn all_rules(&self, repo: &Repo, into: &str, base: Oid) -> Option<Found> {
        let name: Name = self.protocol.key().parse().ok()?;
        let mut looked = looked::read(repo, &name, self.key(repo, into));
        if looked.base == Some(base) {
            return None;
        }
        let found = self
            .ancestry(repo, base)
            .map_or_else(|| self.by_content(repo, base, &mut looked), |it| Ok(Some(it)));
        match found {
            Ok(Some(found)) => {
                looked::forget(repo, &name);
                Some(found)
            }
            Ok(None) => {
                looked.base = Some(base);
                looked::write(repo, &name, &looked);
                None
            }
            Err(err) => {
                tracing::debug!(%name, %err, "not all that a merge would show by is here");
                None
            }
        }
    }

    /// Returns a number that changes whenever something else is looked for, or there is more to see.
    fn key(&self, repo: &Repo, into: &str) -> u64 {
        let shallow = crate::platform::fs::read_if_there(&repo.common_dir().join("shallow"));
        cache::key(&(RULES, into, self.protocol.created.base_commit, &self.plans, &self.work, shallow.ok()))
    }

    fn ancestry(&self, repo: &Repo, base: Oid) -> Option<Found> {
        let brought_in = |oid: &Oid| repo.is_between(*oid, self.protocol.created.base_commit, base);
        let is_merged = self.heads.iter().chain(&self.plans).all(brought_in);
        is_merged.then(|| Found { rule: "ancestry", commit: repo.brought_in_by(self.tip, base, MAX_COMMITS) })
    }

    /// Tries the rules that compare content. They know one tip only.
    fn by_content(&self, repo: &Repo, base: Oid, looked: &mut Looked) -> Result<Option<Found>, Error> {
        if self.heads.len() != 1 || self.changes_nothing() {
            return Ok(None);
        }
        if !repo.has_object(self.tip) {
            return Err(Error::Missing(self.tip));
        }
        if !repo.is_ancestor(base, self.tip) && self.is_no_op(repo, base)? {
            return Ok(Some(Found { rule: "no-op", commit: base }));
        }
        if let Some(missing) = self.work.iter().find(|oid| !repo.has_object(**oid)) {
            return Err(Error::Missing(*missing));
        }
        let Some(search) = Search::new(repo, self, base, looked)? else { return Ok(None) };
        search.by_patch(looked).transpose().or_else(|| search.historical().transpose()).transpose()
    }

    fn changes_nothing(&self) -> bool {
        let plan = self.plans.first().copied().or(self.protocol.plan_commit);
        let content = |oid: Oid| self.protocol.commits.get(&oid).map(|commit| commit.content_tree);
        let planned = plan.and_then(content);
        planned.is_none() || planned == content(self.tip)
    }

    /// Whether merging the branch would change nothing at `commit`, which has the protocol's folder: a
    /// merge of everything brings it.
    fn is_no_op(&self, repo: &Repo, commit: Oid) -> Result<bool, Error> {
        let tree = repo.tree_of(commit)?;
        let has_plan = repo.tree_path(tree, &self.folder)?.is_some();
        Ok(has_plan && repo.merged_tree(commit, self.tip)? == Some(tree))
    }

    /// Whether a path lies outside of the protocol's folder.
    fn is_content(&self, path: &[u8]) -> bool {
        let inner = path.strip_prefix(self.folder.as_bytes());
        inner.is_none_or(|inner| !inner.starts_with(b"/"))
    }
}
