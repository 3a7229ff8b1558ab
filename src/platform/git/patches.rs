//! Commits as patches: what each changes, whatever its parents are.
//!
//! All of it is plumbing with every option spelled out, so that neither configuration nor attributes
//! change an answer or start a program. What is not here is not fetched.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::process::Command;
use std::rc::Rc;

use super::{Error, Repo, TreeEntry, from_gix, run};
use crate::domain::id::Oid;
use crate::platform::process::{self, Limits};

/// How patches are written before they are told apart.
const PATCH: &[&str] = &[
    "--patch",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--no-color",
    "--full-index",
    "--unified=3",
    "--inter-hunk-context=0",
    "--diff-algorithm=myers",
    "--no-indent-heuristic",
    "--ignore-submodules=none",
    "--submodule=short",
    "--src-prefix=a/",
    "--dst-prefix=b/",
];

/// How many paths are handed to a program; more are not told apart.
const MAX_PATHS: usize = 500;

/// Paths as git has them: bytes.
pub type Paths = BTreeSet<Vec<u8>>;

/// Commits, and which paths each changes.
pub type Changes = Rc<Vec<(Oid, Paths)>>;

impl Repo {
    /// Returns a `git` that reads what is here, by no attributes of the repository.
    fn plumbing(&self) -> Command {
        let mut git = self.git();
        git.env("GIT_NO_LAZY_FETCH", "1").env("GIT_ALLOW_PROTOCOL", "none");
        let no_attributes = from_gix(&gix::ObjectId::empty_tree(self.gix.object_hash()));
        git.env("GIT_ATTR_NOSYSTEM", "1").env("GIT_ATTR_SOURCE", no_attributes.to_string());
        git
    }

    /// Returns the commits that `tip` reaches and `from` does not, newest first and at most `limit`, and
    /// what each changes; merges are left out. What was asked before is not read again.
    ///
    /// # Errors
    ///
    /// [`Error`] if a part of the history is not here.
    pub fn changes_since(&self, from: Oid, tip: Oid, limit: usize) -> Result<Changes, Error> {
        if let Some(known) = self.changes.borrow().get(&(from, tip)) {
            return Ok(Rc::clone(known));
        }
        let mut list = self.plumbing();
        list.args(["rev-list", "--no-merges", &format!("--max-count={limit}")]);
        list.args([tip.to_string(), format!("^{from}")]);
        let mut tell = self.plumbing();
        tell.args(["diff-tree", "--stdin", "-r", "--raw", "-z", "--no-renames", "--ignore-submodules=none"]);
        let raw = process::pipe(&mut list, b"", tell)?.ok_or_else(|| run::failed(&["rev-list"], b""))?;
        let changes = Rc::new(changes(&raw));
        self.changes.borrow_mut().insert((from, tip), Rc::clone(&changes));
        Ok(changes)
    }

    /// Returns the commits on the line of first parents from `tip` down to `from` that change one of
    /// `paths`, newest first and at most `limit`.
    ///
    /// # Errors
    ///
    /// [`Error`] if a part of the history is not here.
    pub fn first_parents_since(
        &self,
        from: Oid,
        tip: Oid,
        paths: &Paths,
        limit: usize,
    ) -> Result<Vec<Oid>, Error> {
        let mut git = self.plumbing();
        git.env("GIT_LITERAL_PATHSPECS", "1");
        git.args(["rev-list", "--first-parent", &format!("--max-count={limit}")]);
        git.args([tip.to_string(), format!("^{from}")]).arg("--");
        let named: Result<Vec<_>, _> = paths.iter().map(|path| gix::path::from_byte_slice(path)).collect();
        if let Ok(named) = named
            && named.len() <= MAX_PATHS
        {
            git.args(named);
        }
        let output = process::run(&mut git, None, Limits::default(), |_| ())?;
        if !output.status.success() {
            return Err(run::failed(&["rev-list"], &output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Returns the paths that differ between two trees, in full.
    ///
    /// # Errors
    ///
    /// [`Error`] if a tree is not here.
    pub fn paths_changed(&self, from: Oid, to: Oid) -> Result<Paths, Error> {
        let mut paths = Paths::new();
        self.compare(Some(from), Some(to), b"", &mut paths)?;
        Ok(paths)
    }

    /// Returns what differs between two trees in some files, as a patch for people; of binary files only that they
    /// differ.
    ///
    /// # Errors
    ///
    /// [`Error`] if a tree is not here.
    pub fn diff_of(&self, from: Oid, to: Oid, paths: &[&str]) -> Result<String, Error> {
        let mut git = self.plumbing();
        git.env("GIT_LITERAL_PATHSPECS", "1");
        git.args(["diff", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--unified=3"]);
        git.args(["--src-prefix=a/", "--dst-prefix=b/", "-O/dev/null"]);
        git.args([from.to_string(), to.to_string()]).arg("--").args(paths);
        let output = process::run(&mut git, None, Limits::default(), |_| ())?;
        if !output.status.success() {
            return Err(run::failed(&["diff"], &output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn compare(&self, from: Option<Oid>, to: Option<Oid>, at: &[u8], paths: &mut Paths) -> Result<(), Error> {
        let entries = |tree: Option<Oid>| -> Result<BTreeMap<Vec<u8>, TreeEntry>, Error> {
            let entries = tree.map_or_else(|| Ok(Vec::new()), |tree| self.tree(tree))?;
            Ok(entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect())
        };
        let (before, after) = (entries(from)?, entries(to)?);
        for name in before.keys().chain(after.keys().filter(|name| !before.contains_key(*name))) {
            let (old, new) = (before.get(name), after.get(name));
            if old.map(|old| (old.mode, old.oid)) == new.map(|new| (new.mode, new.oid)) {
                continue;
            }
            let path = [at, name].concat();
            let tree =
                |entry: Option<&TreeEntry>| entry.filter(|entry| entry.is_tree()).map(|entry| entry.oid);
            if tree(old).is_some() || tree(new).is_some() {
                self.compare(tree(old), tree(new), &[&path, b"/".as_slice()].concat(), paths)?;
            }
            if old.or(new).is_some_and(|entry| !entry.is_tree()) || new.is_some_and(|entry| !entry.is_tree())
            {
                paths.insert(path);
            }
        }
        Ok(())
    }

    /// Returns what identifies the patch of each commit, leaving out `folder`. White space and line
    /// numbers do not count. Merges, and commits that change nothing else, have none.
    ///
    /// # Errors
    ///
    /// [`Error`] if a part of a patch is not here.
    pub fn patch_ids(&self, commits: &[Oid], folder: &str) -> Result<HashMap<Oid, String>, Error> {
        if commits.is_empty() {
            return Ok(HashMap::new());
        }
        let ids = self.identify(&["--stdin"], &lines(commits), folder)?;
        Ok(ids.into_iter().filter_map(|(id, oid)| Some((oid.parse().ok()?, id))).collect())
    }

    /// Returns what would identify one commit that changes `from` to `to`, as [`Self::patch_ids`].
    ///
    /// # Errors
    ///
    /// [`Error`] if a part of the patch is not here.
    pub fn patch_id_between(&self, from: Oid, to: Oid, folder: &str) -> Result<Option<String>, Error> {
        let ids = self.identify(&[&from.to_string(), &to.to_string()], b"", folder)?;
        Ok(ids.into_iter().next().map(|(id, _)| id))
    }

    fn identify(&self, args: &[&str], stdin: &[u8], folder: &str) -> Result<Vec<(String, String)>, Error> {
        let mut patches = self.plumbing();
        patches.args(["diff-tree", "-r"]).args(PATCH).args(args);
        patches.args(["--", ":(top)", &format!(":(top,exclude,literal){folder}")]);
        let mut ids = self.plumbing();
        ids.args(["patch-id", "--stable"]);
        let Some(said) = process::pipe(&mut patches, stdin, ids)? else {
            return Err(run::failed(&["diff-tree"], b""));
        };
        let pair = |line: &str| line.split_once(' ').map(|(id, of)| (id.to_owned(), of.to_owned()));
        Ok(String::from_utf8_lossy(&said).lines().filter_map(pair).collect())
    }

    /// Returns the tree that a merge of two commits would have; `None` if they conflict.
    ///
    /// # Errors
    ///
    /// [`Error`] if something is not here that it takes.
    pub fn merged_tree(&self, one: Oid, other: Oid) -> Result<Option<Oid>, Error> {
        let mut git = self.plumbing();
        git.args(["merge-tree", "--write-tree", &one.to_string(), &other.to_string()]);
        let output = process::run(&mut git, None, Limits::default(), |_| ())?;
        match output.status.code() {
            Some(0) => {
                Ok(String::from_utf8_lossy(&output.stdout).lines().next().and_then(|id| id.parse().ok()))
            }
            Some(1) => Ok(None),
            _ => Err(run::failed(&["merge-tree"], &output.stderr)),
        }
    }
}

fn lines(commits: &[Oid]) -> Vec<u8> {
    commits.iter().flat_map(|oid| (oid.to_string() + "\n").into_bytes()).collect()
}

/// Reads raw differences: the id of a commit, then for each of its changes what changed, which
/// begins with a colon, and the path.
fn changes(raw: &[u8]) -> Vec<(Oid, Paths)> {
    let mut changed: Vec<(Oid, Paths)> = Vec::new();
    let mut tokens = raw.split(|byte| *byte == 0).filter(|token| !token.is_empty());
    while let Some(token) = tokens.next() {
        if token.starts_with(b":") {
            if let (Some(path), Some((_, paths))) = (tokens.next(), changed.last_mut()) {
                paths.insert(path.to_vec());
            }
        } else if let Some(oid) = str::from_utf8(token).ok().and_then(|text| text.trim().parse().ok()) {
            changed.push((oid, Paths::new()));
        }
    }
    changed.retain(|(_, paths)| !paths.is_empty());
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_never_taken_for_a_commit() {
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        let raw = format!("{one}\0:1 2 M\0a b\0:1 2 A\0{two}\0{two}\0:1 2 D\0c\nd\0{one}\0");
        let named = |path: &str| path.as_bytes().to_vec();
        let want = [
            (one.parse().unwrap(), Paths::from([named("a b"), named(&two)])),
            (two.parse().unwrap(), Paths::from([named("c\nd")])),
        ];
        assert_eq!(changes(raw.as_bytes()), want);
    }
}
