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
        self.merge_bases(ancestor, of).contains(&ancestor)
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

    /// Returns a best common ancestor, if there is one: none that is behind another one.
    pub fn merge_base(&self, one: Oid, two: Oid) -> Option<Oid> {
        let bases = self.merge_bases(one, two);
        let is_behind =
            |base: Oid| bases.iter().any(|other| *other != base && self.is_ancestor(base, *other));
        bases.iter().copied().find(|base| !is_behind(*base))
    }

    /// Returns common ancestors, the best ones among them. With several commits of one second, or clocks that go
    /// wrong, gix gives others as well, and not the best one first.
    fn merge_bases(&self, one: Oid, two: Oid) -> Vec<Oid> {
        let bases = self.gix.merge_bases_many(to_gix(one), &[to_gix(two)]);
        bases.map(|bases| bases.iter().map(|base| from_gix(base)).collect()).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::git::run::{clean_git, output};

    /// Commits by the places of their parents, all of one second.
    fn commits(repo: &Repo, parents: &[&[usize]]) -> Vec<Oid> {
        let tree = repo.write_tree(&[]).unwrap().to_string();
        let mut made: Vec<Oid> = Vec::new();
        for (idx, parents) in parents.iter().enumerate() {
            let mut git = clean_git();
            git.current_dir(repo.git_dir()).args(["commit-tree", &tree, "-m", &idx.to_string()]);
            for who in ["AUTHOR", "COMMITTER"] {
                git.env(format!("GIT_{who}_NAME"), "A").env(format!("GIT_{who}_EMAIL"), "a");
                git.env(format!("GIT_{who}_DATE"), "1750000000 +0000");
            }
            for parent in *parents {
                git.args(["-p", &made[*parent].to_string()]);
            }
            let said = output(&mut git, &[]).unwrap();
            made.push(std::str::from_utf8(&said).unwrap().trim().parse().unwrap());
        }
        made
    }

    /// Times say nothing where they are the same, and parents have several children.
    #[test]
    fn commits_of_one_second_know_their_ancestors() {
        let dir = tempfile::tempdir().unwrap();
        output(clean_git().args(["init", "--quiet", "--bare"]).arg(dir.path()), &[]).unwrap();
        let repo = Repo::open(dir.path()).unwrap();
        let parents: &[&[usize]] = &[
            &[],
            &[0],
            &[1],
            &[0],
            &[1, 2],
            &[4, 0, 1, 2, 3],
            &[0],
            &[6, 0, 1, 2, 3],
            &[7],
            &[8, 1, 2, 3],
            &[9],
            &[10, 0, 1, 2, 3],
        ];
        let commits = commits(&repo, parents);
        let mut behind: Vec<BTreeSet<usize>> = Vec::new();
        for (idx, parents) in parents.iter().enumerate() {
            let mut all: BTreeSet<usize> =
                parents.iter().flat_map(|parent| behind[*parent].clone()).collect();
            all.insert(idx);
            behind.push(all);
        }
        for (one, of_one) in behind.iter().enumerate() {
            for (other, of_other) in behind.iter().enumerate() {
                assert_eq!(
                    repo.is_ancestor(commits[one], commits[other]),
                    of_other.contains(&one),
                    "{one} {other}"
                );
                let beyond = repo.reachable_down_to(&[commits[other]], &[commits[one]], usize::MAX).unwrap();
                let want: HashSet<Oid> = of_other.difference(of_one).map(|idx| commits[*idx]).collect();
                assert_eq!(beyond, want, "{one} {other}");
                let common: Vec<usize> = of_one.intersection(of_other).copied().collect();
                let is_best = |idx: &usize| !common.iter().any(|it| it != idx && behind[*it].contains(idx));
                let best: Vec<Oid> =
                    common.iter().filter(|idx| is_best(idx)).map(|idx| commits[*idx]).collect();
                let base = repo.merge_base(commits[one], commits[other]).unwrap();
                assert!(best.contains(&base), "{one} {other}");
            }
        }
    }
}
