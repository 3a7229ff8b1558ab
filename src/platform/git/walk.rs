//! Walking history.

use std::collections::{BTreeSet, HashSet};

use super::{Error, Repo, from_gix, to_gix};
use crate::domain::id::Oid;

impl Repo {
    /// Whether `ancestor` is known to be `of` or an ancestor of it. In a shallow history, or when an
    /// object is missing, unknown is no.
    pub fn is_ancestor(&self, ancestor: Oid, of: Oid) -> bool {
        if ancestor == of {
            return self.has_object(of);
        }
        if !self.has_object(ancestor) || !self.has_object(of) {
            return false;
        }
        self.gix
            .merge_base(to_gix(ancestor), to_gix(of))
            .ok()
            .flatten()
            .is_some_and(|base| from_gix(&base) == ancestor)
    }

    /// Whether `oid` is reachable from `tip` and not from `base`: whether the history from `base` to
    /// `tip` brought it in. What is brought in between two commits is walked once.
    pub fn is_between(&self, oid: Oid, base: Oid, tip: Oid) -> bool {
        let mut walked = self.between.borrow_mut();
        let found = walked
            .entry((base, tip))
            .or_insert_with(|| self.reachable_down_to(&[tip], &[base], usize::MAX).unwrap_or_default());
        found.contains(&oid)
    }

    /// Returns the best common ancestor, if there is one.
    pub fn merge_base(&self, one: Oid, two: Oid) -> Option<Oid> {
        self.gix.merge_base(to_gix(one), to_gix(two)).ok().flatten().map(|base| from_gix(&base))
    }

    /// Returns the commits reachable from `tips`, parents before children, without what is reachable
    /// from `hidden`, `known` commits and what lies only behind those. Missing objects end the walk.
    ///
    /// At most `limit` commits are visited; then the result is what was found so far.
    ///
    /// # Errors
    ///
    /// [`Error`] if an object is damaged.
    pub fn commits_between(
        &self,
        tips: &[Oid],
        hidden: &[Oid],
        known: &BTreeSet<Oid>,
        limit: usize,
    ) -> Result<Vec<Oid>, Error> {
        let behind = self.reachable_down_to(tips, hidden, limit)?;
        let mut done: HashSet<Oid> = HashSet::new();
        let mut ordered = Vec::new();
        let mut stack: Vec<(Oid, bool)> = tips.iter().rev().map(|tip| (*tip, false)).collect();
        while let Some((oid, parents_are_done)) = stack.pop() {
            if parents_are_done {
                ordered.push(oid);
                continue;
            }
            if !behind.contains(&oid) || known.contains(&oid) || !done.insert(oid) {
                continue;
            }
            stack.push((oid, true));
            let parents = match self.commit(oid) {
                Ok(commit) => commit.parents,
                Err(Error::Missing(_)) => continue,
                Err(err) => return Err(err),
            };
            stack.extend(parents.into_iter().rev().map(|parent| (parent, false)));
        }
        Ok(ordered)
    }

    /// Returns the commits reachable from `tips` and not from `hidden`.
    fn reachable_down_to(&self, tips: &[Oid], hidden: &[Oid], limit: usize) -> Result<HashSet<Oid>, Error> {
        let here = |oids: &[Oid]| -> Vec<gix::ObjectId> {
            oids.iter().filter(|oid| self.has_object(**oid)).map(|oid| to_gix(*oid)).collect()
        };
        let walk = self.gix.rev_walk(here(tips)).with_hidden(here(hidden));
        let walk = walk.all().map_err(Error::gix("walk the history"))?;
        // An object that is missing ends its line, as in a shallow clone.
        Ok(walk.flatten().take(limit).map(|info| from_gix(&info.id)).collect())
    }

    /// Returns the first commit on the first-parent line from `tip` down that contains `commit`, with
    /// all above it containing it too: the one that brought it in.
    pub fn brought_in_by(&self, commit: Oid, tip: Oid, limit: usize) -> Oid {
        let mut at = tip;
        for _ in 0..limit {
            if at == commit {
                break;
            }
            let Some(parent) = self.commit(at).ok().and_then(|info| info.parents.first().copied()) else {
                break;
            };
            if !self.is_ancestor(commit, parent) {
                break;
            }
            at = parent;
        }
        at
    }
}
