//! What git does not show: files that rules hide, and what it would wait for.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::run::failed;
use super::{Error, Repo};
use crate::domain::id::Oid;
use crate::platform::process::{self, Limits};

/// Files of a worktree that git reads whenever it looks at one.
const READ_BY_GIT: &[&str] = &[".gitignore", ".gitattributes", ".gitmodules", ".mailmap"];

/// What holds rules about what is ignored.
const RULES: &str = ".gitignore";

/// Of more hidden files the rules are not looked up.
const MAX_HIDDEN: usize = 10_000;

impl Repo {
    /// Refuses a worktree in which git would wait for ever: for a pipe or a device with the name of a file
    /// that it reads.
    ///
    /// # Errors
    ///
    /// [`Error::Waits`] with the first of them.
    pub(super) fn refuse_pipes(&self) -> Result<(), Error> {
        match self.work_dir().and_then(pipe_below) {
            Some(path) => Err(Error::Waits(path)),
            None => Ok(()),
        }
    }

    /// Returns what lies in this worktree and is ignored. A folder of which all is ends in a slash.
    ///
    /// # Errors
    ///
    /// [`Error`] if the worktree cannot be looked at.
    pub fn ignored(&self) -> Result<BTreeSet<Vec<u8>>, Error> {
        self.refuse_pipes()?;
        let args = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"];
        let said = self.without_index(&args, None)?;
        Ok(said.split(|byte| *byte == 0).filter(|path| !path.is_empty()).map(<[u8]>::to_vec).collect())
    }

    /// Returns the folders of this worktree that nobody here can read, but for those that are `ignored`: git passes
    /// over them in silence.
    pub fn closed_folders(&self, ignored: &BTreeSet<Vec<u8>>) -> Vec<String> {
        let Some(root) = self.work_dir() else { return Vec::new() };
        let mut closed = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let Ok(path) = folder.strip_prefix(root) else { continue };
            let mut name = path.as_os_str().as_encoded_bytes().to_vec();
            name.push(b'/');
            if ignored.contains(&name) || folder.file_name() == Some(OsStr::new(".git")) {
                continue;
            }
            match fs::read_dir(&folder) {
                Ok(entries) => {
                    let is_folder = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
                    folders.extend(entries.flatten().filter(is_folder).map(|entry| entry.path()));
                }
                Err(_) => closed.push(format!("{}/", path.display())),
            }
        }
        closed.sort();
        closed
    }

    /// Returns what is ignored, was not `before`, and would not be by the rules that `tree` has: somebody has
    /// hidden it.
    ///
    /// # Errors
    ///
    /// [`Error`] if the worktree or the tree cannot be read.
    pub fn hidden_since(&self, before: &BTreeSet<Vec<u8>>, tree: Oid) -> Result<Vec<String>, Error> {
        let now = self.ignored()?;
        let new: Vec<&[u8]> = now.difference(before).take(MAX_HIDDEN).map(Vec::as_slice).collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let mut asked = new.join(&0);
        asked.push(0);
        let said = self.without_index(
            &["check-ignore", "-z", "--verbose", "--non-matching", "--no-index", "--stdin"],
            Some(&asked),
        )?;
        let fields: Vec<&[u8]> = said.split(|byte| *byte == 0).collect();
        let mut hidden = Vec::new();
        for rule in fields.chunks_exact(4) {
            let text = |idx: usize| String::from_utf8_lossy(rule[idx]).into_owned();
            let (source, pattern, path) = (text(0), text(2), text(3));
            if !self.is_old_rule(tree, &source, &pattern)? {
                hidden.push(path);
            }
        }
        Ok(hidden)
    }

    /// Whether a rule was there before: in a file of the tree, or in one that does not lie in the worktree.
    fn is_old_rule(&self, tree: Oid, source: &str, pattern: &str) -> Result<bool, Error> {
        let path = Path::new(source);
        let is_of_worktree = path.is_relative() && path.file_name().is_some_and(|name| name == RULES);
        if !is_of_worktree {
            // Without a source it is hidden by a file within it, which is as new as itself.
            return Ok(!source.is_empty());
        }
        let old = self.text_at(tree, source)?.unwrap_or_default();
        Ok(old.lines().any(|line| line.trim_end() == pattern.trim_end()))
    }

    /// Runs git without an index: what somebody has added to it is a file like all others.
    fn without_index(&self, args: &[&str], stdin: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        let mut git: Command = self.closely();
        git.env("GIT_INDEX_FILE", self.state_dir().join("no-index")).env("GIT_OPTIONAL_LOCKS", "0");
        let output = process::run(git.args(args), stdin, Limits::default(), |_| ())?;
        // One says that nothing is ignored.
        let is_answer = output.status.success() || (stdin.is_some() && output.status.code() == Some(1));
        if is_answer { Ok(output.stdout) } else { Err(failed(args, &output.stderr)) }
    }
}

/// Returns a file below `root` that git reads, and that is no file. Follows no link to a folder.
pub(super) fn pipe_below(root: &Path) -> Option<PathBuf> {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            if kind.is_dir() {
                if name != ".git" {
                    folders.push(entry.path());
                }
            } else if !kind.is_file() && READ_BY_GIT.iter().any(|read| name == *read) {
                // A link is followed by some of its versions.
                let is_file =
                    || fs::metadata(entry.path()).map_or(true, |meta| meta.is_file() || meta.is_dir());
                if !kind.is_symlink() || !is_file() {
                    return Some(entry.path());
                }
            }
        }
    }
    None
}
