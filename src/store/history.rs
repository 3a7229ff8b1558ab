//! What the history of a ref still holds of lines and plans whose text was taken out.

use std::collections::{BTreeSet, HashSet};

use super::content::Content;
use super::wire::Common;
use crate::domain::id::{Digest, Oid};
use crate::platform::git::{Error, Repo, TreeEntry};

/// How many commits of one ref are looked through.
const MAX_COMMITS: usize = 1_000_000;

/// An archive holds `NN/<name>/events`.
const MAX_DEPTH: usize = 3;

/// Looks through histories, each part once.
pub struct Search<'a> {
    repo: &'a Repo,
    lines: &'a BTreeSet<Digest>,
    /// Trees and files that hold none of the lines.
    clean: HashSet<Oid>,
    commits: BTreeSet<Oid>,
}

impl<'a> Search<'a> {
    /// `lines` are the hashes of what is looked for, be it lines or plans.
    pub fn new(repo: &'a Repo, lines: &'a BTreeSet<Digest>) -> Self {
        Self { repo, lines, clean: HashSet::new(), commits: BTreeSet::new() }
    }

    /// Whether `tip` or a commit behind it holds one of the lines. What is not here holds none here.
    ///
    /// # Errors
    ///
    /// [`Error`] if an object is damaged.
    pub fn finds_in(&mut self, tip: Oid) -> Result<bool, Error> {
        if self.lines.is_empty() {
            return Ok(false);
        }
        let commits = self.repo.commits_between(&[tip], &[], &self.commits, MAX_COMMITS)?;
        // The newest hold what the others do not.
        for commit in commits.iter().rev() {
            match self.repo.tree_of(*commit).and_then(|tree| self.holds(tree)) {
                Ok(true) => return Ok(true),
                Ok(false) | Err(Error::Missing(_)) => (),
                Err(err) => return Err(err),
            }
        }
        self.commits.extend(commits);
        Ok(false)
    }

    /// Whether a tip tree, or an archive, holds one of the lines.
    ///
    /// # Errors
    ///
    /// As [`Self::finds_in`], and [`Error::Missing`].
    pub fn holds(&mut self, tree: Oid) -> Result<bool, Error> {
        self.tree_holds(tree, 0)
    }

    fn tree_holds(&mut self, tree: Oid, depth: usize) -> Result<bool, Error> {
        if self.clean.contains(&tree) {
            return Ok(false);
        }
        for entry in self.repo.tree(tree)? {
            let holds = match (entry.name.as_slice(), entry.is_tree()) {
                (b"events", true) => self.events_hold(entry.oid)?,
                (b"specs", true) => self.names_one(entry.oid)?,
                (b"specs" | b"rejects", _) => false,
                (_, true) if depth < MAX_DEPTH => self.tree_holds(entry.oid, depth + 1)?,
                _ => false,
            };
            if holds {
                return Ok(true);
            }
        }
        self.clean.insert(tree);
        Ok(false)
    }

    /// Whether a file of the folder bears the name of what is looked for.
    fn names_one(&self, folder: Oid) -> Result<bool, Error> {
        let digest = |entry: &TreeEntry| std::str::from_utf8(&entry.name).ok()?.parse::<Digest>().ok();
        let mut named = self.repo.tree(folder)?.into_iter().filter_map(|entry| digest(&entry));
        Ok(named.any(|digest| self.lines.contains(&digest)))
    }

    fn events_hold(&mut self, tree: Oid) -> Result<bool, Error> {
        if self.clean.contains(&tree) {
            return Ok(false);
        }
        let is_new = |entry: &TreeEntry| !entry.is_tree() && !self.clean.contains(&entry.oid);
        for entry in self.repo.tree(tree)?.into_iter().filter(is_new).collect::<Vec<_>>() {
            let mut content = Content::default();
            content.add_segment(self.repo.blob(entry.oid)?, &mut Common::default());
            let is_named = |digest: Digest| self.lines.contains(&digest);
            if content.lines().iter().any(|line| is_named(line.digest()))
                || content.rejects.keys().any(|digest| is_named(*digest))
            {
                return Ok(true);
            }
            self.clean.insert(entry.oid);
        }
        self.clean.insert(tree);
        Ok(false)
    }
}
