//! Commits as patches: what each changes, whatever its parents are.
//!
//! All of it is plumbing with every option spelled out, so that neither configuration nor attributes
//! change an answer or start a program. What is not here is not fetched.

use std::collections::{BTreeSet, HashMap};
use std::process::Command;

use super::{Error, Repo, from_gix, run};
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

/// Which commits of a history to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// All but merges.
    Patches,
    /// Those on the line of first parents.
    FirstParents,
}

impl Repo {
    /// Returns a `git` that reads what is here, by no attributes of the repository.
    fn plumbing(&self) -> Command {
        let mut git = self.git();
        git.env("GIT_NO_LAZY_FETCH", "1").env("GIT_ALLOW_PROTOCOL", "none");
        let no_attributes = from_gix(&gix::ObjectId::empty_tree(self.gix.object_hash()));
        git.env("GIT_ATTR_NOSYSTEM", "1").env("GIT_ATTR_SOURCE", no_attributes.to_string());
        git
    }

    /// Returns the commits that `tip` reaches and `hidden` do not, newest first: at most `limit`, none
    /// older than `since_s`, and with `paths` only those that change one of them.
    ///
    /// # Errors
    ///
    /// [`Error`] if a part of the history is not here.
    pub fn commits_since(
        &self,
        tip: Oid,
        hidden: &[Oid],
        (since_s, limit): (u64, usize),
        line: Line,
        paths: &Paths,
    ) -> Result<Vec<Oid>, Error> {
        let mut git = self.plumbing();
        git.env("GIT_LITERAL_PATHSPECS", "1").arg("rev-list");
        git.arg(format!("--max-count={limit}")).arg(format!("--max-age={since_s}"));
        git.arg(if line == Line::Patches { "--no-merges" } else { "--first-parent" });
        git.arg(tip.to_string()).args(hidden.iter().map(|oid| format!("^{oid}")));
        add_paths(&mut git, paths);
        let listed = plumb(&mut git, "rev-list", b"")?;
        Ok(String::from_utf8_lossy(&listed).lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Returns which of `paths` each commit changes against its parent, in the order of `commits`; no
    /// paths stand for all. Merges, and commits that change none, are left out.
    ///
    /// # Errors
    ///
    /// [`Error`] if a part of the history is not here.
    pub fn changed_by(&self, commits: &[Oid], paths: &Paths) -> Result<Vec<(Oid, Paths)>, Error> {
        if commits.is_empty() {
            return Ok(Vec::new());
        }
        let mut git = self.plumbing();
        git.env("GIT_LITERAL_PATHSPECS", "1").args(["diff-tree", "--stdin", "-r", "--raw", "-z"]);
        git.args(["--no-renames", "--ignore-submodules=none"]);
        add_paths(&mut git, paths);
        Ok(changes(&plumb(&mut git, "diff-tree", &lines(commits))?))
    }

    /// Returns the paths that differ between two commits.
    ///
    /// # Errors
    ///
    /// [`Error`] if a tree is not here.
    pub fn changed_between(&self, from: Oid, to: Oid) -> Result<Paths, Error> {
        let mut git = self.plumbing();
        git.args(["diff-tree", "-r", "--raw", "-z", "--no-renames", "--ignore-submodules=none"]);
        git.args([from.to_string(), to.to_string()]);
        let raw = plumb(&mut git, "diff-tree", b"")?;
        Ok(changes(&[format!("{from}\0").as_bytes(), &raw].concat())
            .pop()
            .map_or_else(Paths::new, |all| all.1))
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

fn plumb(git: &mut Command, what: &str, stdin: &[u8]) -> Result<Vec<u8>, Error> {
    let output = process::run(git, Some(stdin), Limits::default(), |_| ())?;
    if output.status.success() { Ok(output.stdout) } else { Err(run::failed(&[what], &output.stderr)) }
}

/// Narrows a command down to `paths`, unless they are too many to be told.
fn add_paths(git: &mut Command, paths: &Paths) {
    git.arg("--");
    let named: Result<Vec<_>, _> = paths.iter().map(|path| gix::path::from_byte_slice(path)).collect();
    if let Ok(named) = named
        && named.len() <= MAX_PATHS
    {
        git.args(named);
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
