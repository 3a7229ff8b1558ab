//! What a repository looks like, for prompts: a few paths that matter and the commands that check it.
//!
//! Taken from the tree of a commit and nothing else, so one tree gives the same bytes in every clone that
//! has all of it. Nothing of what is found is run. Names that a person could not see as they are, or that
//! are longer than they should be, are passed over.

mod commands;
mod kinds;

use std::collections::BTreeMap;

use self::kinds::Kind;
use crate::domain::id::Oid;
use crate::domain::text;
use crate::platform::git::{self, Repo};

/// How many entries of trees are looked at; what lies deeper than the first of them is passed over.
const MAX_ENTRIES: usize = 50_000;

/// How deep folders may be nested.
const MAX_DEPTH: usize = 24;

/// The longest path that is named, in bytes.
const MAX_PATH: usize = 200;

/// How many paths of the top are named, and how many folders.
const MAX_TOP: usize = 60;
const MAX_FOLDERS: usize = 12;

const SUBMODULE: u32 = 0o160_000;

/// Folders whose files somebody else wrote, or a program.
const FOREIGN: &[&str] = &[
    "node_modules",
    "vendor",
    "third_party",
    "target",
    "dist",
    "build",
    ".git",
    ".protocols",
    ".venv",
    "venv",
    "__pycache__",
];

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// How many files there are, as far as they were looked at.
    pub files: usize,
    /// Whether not all was looked at: there is too much, or this clone lacks a part of it.
    pub partial: bool,
    /// Files and folders of the top, folders with `/` at their end.
    pub top: Vec<String>,
    /// Paths by what they are.
    named: BTreeMap<Kind, Vec<String>>,
    /// The folders with the most files of their own, and how many.
    pub folders: Vec<(String, usize)>,
    /// Commands that build or check the repository, as its own files suggest.
    pub commands: Vec<String>,
}

impl Snapshot {
    /// Looks at the tree of a commit.
    ///
    /// # Errors
    ///
    /// [`git::Error`] if the commit or its top tree cannot be read. A folder that this clone lacks is passed
    /// over.
    pub fn of(repo: &Repo, commit: Oid) -> Result<Self, git::Error> {
        let tree = repo.tree_of(commit)?;
        let walk = Walk::through(repo, tree)?;
        let mut snapshot =
            Self { files: walk.files, partial: walk.partial, top: walk.top, ..Self::default() };
        for path in walk.known.keys() {
            if let Some(kind) = Kind::of(path) {
                let paths = snapshot.named.entry(kind).or_default();
                if paths.len() < kind.limit() {
                    paths.push(path.clone());
                }
            }
        }
        snapshot.top.truncate(MAX_TOP);
        let mut folders: Vec<(String, usize)> = walk.folders.into_iter().collect();
        folders.sort_by(|(a, more), (b, most)| most.cmp(more).then_with(|| a.cmp(b)));
        folders.truncate(MAX_FOLDERS);
        snapshot.folders = folders;
        snapshot.commands = commands::of(repo, &walk.known);
        Ok(snapshot)
    }

    /// Returns every path that is named, without the `/` of folders.
    pub fn paths(&self) -> Vec<&str> {
        let named = self.named.values().flatten().map(String::as_str);
        let folders = self.folders.iter().map(|(path, _)| path.as_str());
        let mut paths: Vec<&str> =
            self.top.iter().map(|path| path.trim_end_matches('/')).chain(named).chain(folders).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Returns it as a prompt shows it.
    pub fn to_text(&self) -> String {
        let mut out = format!("Files: {}", self.files);
        out.push_str(if self.partial { " and more, which were not looked at\n" } else { "\n" });
        let mut list = |heading: &str, lines: &mut dyn Iterator<Item = String>| {
            let lines: Vec<String> = lines.collect();
            if !lines.is_empty() {
                out.extend(["\n", heading, ":\n", &lines.join("\n"), "\n"]);
            }
        };
        list("At the top", &mut self.top.iter().map(|path| format!("- {path}")));
        for (kind, paths) in &self.named {
            list(kind.heading(), &mut paths.iter().map(|path| format!("- {path}")));
        }
        let files = |n: &usize| if *n == 1 { "file" } else { "files" };
        list(
            "Folders with the most files",
            &mut self.folders.iter().map(|(path, n)| format!("- {path}/ ({n} {})", files(n))),
        );
        list("Commands that check it", &mut self.commands.iter().map(|command| format!("- {command}")));
        out
    }
}

/// What a walk through a tree has seen, level by level, so that the top is never what is left out.
#[derive(Default)]
struct Walk {
    files: usize,
    partial: bool,
    top: Vec<String>,
    /// Paths and ids of files that are told by their names, by path.
    known: BTreeMap<String, Oid>,
    /// How many files each folder has of its own.
    folders: BTreeMap<String, usize>,
}

impl Walk {
    fn through(repo: &Repo, tree: Oid) -> Result<Self, git::Error> {
        let mut walk = Self::default();
        let mut n_entries = 0;
        let mut level = vec![(String::new(), tree)];
        for depth in 0..MAX_DEPTH {
            let mut next = Vec::new();
            for (above, oid) in level {
                let entries = match repo.tree(oid) {
                    Ok(entries) => entries,
                    Err(err) if depth == 0 => return Err(err),
                    Err(_) => {
                        walk.partial = true;
                        continue;
                    }
                };
                n_entries += entries.len();
                for entry in entries.into_iter().filter(|entry| entry.mode != SUBMODULE) {
                    let is_tree = entry.is_tree();
                    walk.files += usize::from(!is_tree);
                    let Some(path) = plain_path(&above, &entry.name) else { continue };
                    if depth == 0 {
                        walk.top.push(if is_tree { format!("{path}/") } else { path.clone() });
                    }
                    if is_tree {
                        let name = path.rsplit('/').next().unwrap_or(&path);
                        if !FOREIGN.contains(&name) {
                            next.push((format!("{path}/"), entry.oid));
                        }
                        continue;
                    }
                    if !above.is_empty() {
                        *walk.folders.entry(above.trim_end_matches('/').to_owned()).or_default() += 1;
                    }
                    if Kind::of(&path).is_some() {
                        walk.known.insert(path, entry.oid);
                    }
                }
                if n_entries > MAX_ENTRIES {
                    walk.partial = true;
                    return Ok(walk);
                }
            }
            level = next;
        }
        walk.partial |= !level.is_empty();
        Ok(walk)
    }
}

/// Returns the path of an entry, if all of it can be seen.
fn plain_path(above: &str, name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let is_plain = !name.is_empty() && !name.contains(['`', '\\']) && text::one_line(name) == name;
    (is_plain && above.len() + name.len() <= MAX_PATH).then(|| format!("{above}{name}"))
}

#[cfg(test)]
mod tests;
