//! The search of a base for copies of a branch's commits, which have other parents and other ids.
//!
//! The folder of the protocol does not count as work: a squash may leave it out. A copy is made after
//! what it copies, or names the protocol; so work that the branch took from its base is no copy.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Branch, Found};
use crate::domain::id::Oid;
use crate::domain::message::{self, StepRef};
use crate::platform::git::{Changes, CommitInfo, Error, Paths, Repo};
use crate::store::looked::Looked;

/// How many commits of a base are looked at, newest first.
const MAX_COMMITS: usize = 10_000;

/// How many commits of a branch are looked for one by one.
const MAX_OWN: usize = 1_000;

/// How many commits a merge of the branch is tried with.
const MAX_TRIALS: usize = 50;

/// A commit of the branch that changes more than the protocol's folder.
struct Own {
    oid: Oid,
    time_ms: u64,
    paths: Paths,
}

/// What is looked for, and where.
pub(super) struct Search<'a> {
    repo: &'a Repo,
    branch: &'a Branch<'a>,
    base: Oid,
    /// The tip without the merges of its base that came last.
    tip: Oid,
    /// Where the branch left its base.
    point: Oid,
    /// What the whole branch changes.
    paths: Paths,
    /// Without those that the base has itself.
    own: Vec<Own>,
    /// What the base did since, as far as it was not looked through.
    from: Oid,
    changes: Changes,
}

impl<'a> Search<'a> {
    /// Returns what to look for at `base` beyond what was looked through; `None` if there is nothing,
    /// or the base ends before the work does.
    pub(super) fn new(
        repo: &'a Repo,
        branch: &'a Branch<'a>,
        base: Oid,
        looked: &Looked,
    ) -> Result<Option<Self>, Error> {
        let tip = without_base(repo, branch.tip, base)?;
        let Some(point) = repo.merge_base(base, tip).filter(|point| *point != base && *point != tip) else {
            return Ok(None);
        };
        let begin = branch.protocol.created.base_commit;
        let mut own = Vec::new();
        for oid in branch.work.iter().copied().filter(|oid| !repo.is_between(*oid, begin, base)) {
            let info = repo.commit(oid)?;
            if let [parent] = *info.parents {
                let mut paths = repo.paths_changed(repo.tree_of(parent)?, info.tree)?;
                paths.retain(|path| branch.is_content(path));
                if !paths.is_empty() {
                    own.push(Own { oid, time_ms: info.time_ms, paths });
                }
            }
        }
        let Some(newest_ms) = own.iter().map(|own| own.time_ms).max() else { return Ok(None) };
        if repo.commit(base)?.time_ms < newest_ms {
            return Ok(None);
        }
        let mut paths = repo.paths_changed(repo.tree_of(point)?, repo.tree_of(tip)?)?;
        paths.retain(|path| branch.is_content(path));
        let from = looked.searched.filter(|searched| repo.is_ancestor(*searched, base)).unwrap_or(point);
        let changes = repo.changes_since(from, base, MAX_COMMITS)?;
        Ok(Some(Self { repo, branch, base, tip, point, paths, own, from, changes }))
    }

    /// Looks for one copy of everything, or for a copy of each commit. Says in `looked` what was seen.
    pub(super) fn by_patch(&self, looked: &mut Looked) -> Result<Option<Found>, Error> {
        looked.searched = Some(self.base);
        let own: &[Own] = if self.own.len() <= MAX_OWN { &self.own } else { &[] };
        let alike = self.alike(own);
        if alike.is_empty() {
            return Ok(None);
        }
        let folder = &self.branch.folder;
        let ids = self.repo.patch_ids(&alike, folder)?;
        let mut of_id: BTreeMap<&str, Vec<(Oid, CommitInfo)>> = BTreeMap::new();
        for oid in alike {
            if let Some(id) = ids.get(&oid) {
                of_id.entry(id).or_default().push((oid, self.repo.commit(oid)?));
            }
        }
        let copy = |id: Option<&String>, time_ms: u64| {
            let copies = of_id.get(id?.as_str())?;
            copies.iter().find(|(_, info)| self.is_later(info, time_ms)).map(|(oid, _)| *oid)
        };
        let newest_ms = self.own.iter().map(|own| own.time_ms).max().unwrap_or(0);
        let whole = self.repo.patch_id_between(self.point, self.tip, folder)?;
        if let Some(commit) = copy(whole.as_ref(), newest_ms) {
            return Ok(Some(Found { rule: "squash", commit }));
        }
        let oids: Vec<Oid> = own.iter().map(|own| own.oid).collect();
        let own_ids = self.repo.patch_ids(&oids, folder)?;
        let mut copies: HashMap<Oid, Oid> = looked.copies.iter().copied().collect();
        for own in own {
            if let Some(found) = copy(own_ids.get(&own.oid), own.time_ms) {
                copies.entry(own.oid).or_insert(found);
            }
        }
        looked.copies = copies.iter().map(|(of, copy)| (*of, *copy)).collect();
        looked.copies.sort_unstable();
        if own.is_empty() || !own.iter().all(|own| copies.contains_key(&own.oid)) {
            return Ok(None);
        }
        let made = |oid: &Oid| self.repo.commit(*oid).map_or(0, |info| info.time_ms);
        let last = copies.into_values().max_by_key(|oid| (made(oid), *oid));
        Ok(last.map(|commit| Found { rule: "rebase", commit }))
    }

    /// Returns the commits of the base that change the very paths of the branch, or of one of its
    /// commits; oldest first, since the first copy counts.
    fn alike(&self, own: &[Own]) -> Vec<Oid> {
        let wanted: HashSet<Vec<&Vec<u8>>> = own
            .iter()
            .map(|own| &own.paths)
            .chain([&self.paths])
            .map(|paths| paths.iter().collect())
            .collect();
        let is_alike = |paths: &Paths| {
            let content: Vec<&Vec<u8>> = paths.iter().filter(|path| self.branch.is_content(path)).collect();
            !content.is_empty() && wanted.contains(&content)
        };
        self.changes.iter().rev().filter(|(_, paths)| is_alike(paths)).map(|(oid, _)| *oid).collect()
    }

    /// Looks for a commit of the base at which merging the branch would have changed nothing.
    pub(super) fn historical(&self) -> Result<Option<Found>, Error> {
        let is_ours = |path: &Vec<u8>| self.paths.contains(path) || !self.branch.is_content(path);
        if !self.changes.iter().any(|(_, paths)| paths.iter().any(is_ours)) {
            return Ok(None);
        }
        let folder = &self.branch.folder;
        let mut paths = self.paths.clone();
        paths.insert(folder.clone().into_bytes());
        let planned = |oid: Oid| self.repo.tree_path(self.repo.tree_of(oid)?, folder);
        let final_plan = planned(self.branch.tip)?.map(|entry| entry.oid);
        let mut trials = Vec::new();
        let line = self.repo.first_parents_since(self.from, self.base, &paths, MAX_COMMITS)?;
        for oid in line.into_iter().rev().filter(|oid| *oid != self.base) {
            if let Some(plan) = planned(oid)? {
                let is_hinted = self.is_hinted(&self.repo.commit(oid)?);
                trials.push((!is_hinted, Some(plan.oid) != final_plan, oid));
            }
        }
        trials.sort_by_key(|(is_plain, is_unfinished, _)| (*is_plain, *is_unfinished));
        for (_, _, oid) in trials.into_iter().take(MAX_TRIALS) {
            if self.branch.is_no_op(self.repo, oid)? {
                return Ok(Some(Found { rule: "historical-no-op", commit: oid }));
            }
        }
        Ok(None)
    }

    /// Whether a commit was made after what it may be a copy of, or says whose work it is.
    fn is_later(&self, copy: &CommitInfo, time_ms: u64) -> bool {
        copy.time_ms >= time_ms || self.is_hinted(copy)
    }

    fn is_hinted(&self, commit: &CommitInfo) -> bool {
        let names = &self.branch.protocol.names;
        let is_ours = |hint: &StepRef| names.iter().any(|name| name.as_str() == hint.protocol);
        message::hints(&commit.message).iter().any(is_ours)
    }
}

/// Returns the tip below the merges that only brought the base in.
fn without_base(repo: &Repo, tip: Oid, base: Oid) -> Result<Oid, Error> {
    let mut at = tip;
    for _ in 0..MAX_OWN {
        let parents = repo.commit(at)?.parents;
        let Some((first, others)) = parents.split_first().filter(|(_, others)| !others.is_empty()) else {
            break;
        };
        if !others.iter().all(|other| repo.is_ancestor(*other, base)) {
            break;
        }
        at = *first;
    }
    Ok(at)
}
