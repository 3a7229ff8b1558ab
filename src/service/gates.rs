//! The gates of a protocol: which programs judge its steps, and which bytes they have.
//!
//! A branch does not choose its judges. Gates come from the commit of the base that the branch was
//! made from (or that was merged into it since), or are bytes that a person accepted for this
//! protocol. They are read from objects; the work tree has no say.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::branch::BranchTips;
use super::error::Error;
use super::settings::Settings;
use super::trust::Word;
use crate::domain::id::{Digest, Oid};
use crate::domain::state::Protocol;
use crate::platform::fs;
use crate::platform::git::{Repo, TreeEntry};

/// Gates that run wherever they exist, in this order: the cheap ones first.
const USUAL: &[&str] = &["lint", "typecheck", "test", "build"];

/// What a folder of gates may hold: they are scripts.
const MAX_FILES: usize = 1000;
const MAX_BYTES: usize = 16 << 20;
const MAX_DEPTH: usize = 16;

const EXECUTABLE: u32 = 0o100_755;
const LINK: u32 = 0o120_000;
const SUBMODULE: u32 = 0o160_000;

/// A folder of gates with all that they may source.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Where it lies in a tree.
    pub path: String,
    pub tree: Oid,
    /// Of all names, modes, bytes and link targets.
    pub digest: Digest,
    /// By path.
    pub files: Vec<File>,
}

/// A file or a link in a folder of gates.
#[derive(Clone, Debug)]
pub struct File {
    /// Within the folder.
    pub path: String,
    /// As git has it.
    pub mode: u32,
    pub digest: Digest,
    /// What the file holds, or where the link leads.
    bytes: Vec<u8>,
}

/// A gate: an executable at the top of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    pub name: String,
    /// Within the folder.
    pub path: String,
    pub is_executable: bool,
}

/// What judges a protocol.
#[derive(Clone, Debug)]
pub struct Judges {
    /// The commit of the base that they come from.
    pub base: Oid,
    /// `None` if there is none.
    pub folder: Option<Folder>,
    /// In the order in which they run.
    pub gates: Vec<Gate>,
    /// The settings of the commit that the gates come from.
    pub settings: Settings,
    /// Whether a person chose these bytes for the protocol.
    pub accepted: bool,
    /// On whose word they judge.
    pub word: Word,
    /// The folder of the branch, if it is another one.
    pub changed: Option<Changed>,
}

/// Gates of the branch that do not judge it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// `None` if the branch has none left.
    pub tree: Option<Oid>,
    /// What differs, by path within the folder.
    pub paths: Vec<String>,
}

/// Returns what judges the state that `tip` of the protocol's branch is in.
///
/// # Errors
///
/// [`Error`] if an object cannot be read, or if the folder holds what cannot be run safely.
pub fn judges(repo: &Repo, protocol: &Protocol, tips: &BranchTips, tip: Oid) -> Result<Judges, Error> {
    let base = judging_commit(repo, protocol, tips, tip);
    let settings = Settings::load_at(repo, base);
    let path = settings.qa_gates.clone();
    let of_base = folder_at(repo, base, &path)?;
    let of_tip = repo.tree_path(repo.tree_of(tip)?, &path)?.filter(TreeEntry::is_tree).map(|entry| entry.oid);
    let accepted = match &protocol.gates {
        Some(gates) if repo.has_object(gates.tree) => Some(Folder::read(repo, &path, gates.tree)?)
            // The event says which bytes; an object of that name must hold them.
            .filter(|folder| folder.digest == gates.digest),
        _ => None,
    };
    let is_accepted = accepted.is_some();
    let folder = match accepted {
        Some(folder) => Some(folder),
        None => of_base.map(|tree| Folder::read(repo, &path, tree)).transpose()?,
    };
    let judging = folder.as_ref().map(|folder| folder.tree);
    // To choose what the base has anyway changes nothing.
    let word = if is_accepted && judging != of_base { Word::Event(protocol.root) } else { Word::Base };
    let changed = if judging == of_tip {
        None
    } else {
        Some(Changed { tree: of_tip, paths: differences(repo, &path, folder.as_ref(), of_tip)? })
    };
    let gates = folder.as_ref().map(|folder| folder.gates(&settings.qa_extra_gates)).unwrap_or_default();
    Ok(Judges { base, folder, gates, settings, accepted: is_accepted, word, changed })
}

/// Returns the gates that a commit has, whether or not they judge anything.
///
/// # Errors
///
/// As [`judges`].
pub fn at(repo: &Repo, commit: Oid, settings: &Settings) -> Result<Option<(Folder, Vec<Gate>)>, Error> {
    let Some(tree) = folder_at(repo, commit, &settings.qa_gates)? else { return Ok(None) };
    let folder = Folder::read(repo, &settings.qa_gates, tree)?;
    let gates = folder.gates(&settings.qa_extra_gates);
    Ok(Some((folder, gates)))
}

fn folder_at(repo: &Repo, commit: Oid, path: &str) -> Result<Option<Oid>, Error> {
    match repo.tree_path(repo.tree_of(commit)?, path)? {
        Some(entry) if entry.is_tree() => Ok(Some(entry.oid)),
        // A link would have a reader believe that there are gates.
        Some(_) => Err(unsafe_gates(format!("{path} is no folder"))),
        None => Ok(None),
    }
}

/// Returns the newest commit of the base that is part of the branch: its beginning, or what was
/// merged into it since.
fn judging_commit(repo: &Repo, protocol: &Protocol, tips: &BranchTips, tip: Oid) -> Oid {
    let begin = protocol.created.base_commit;
    let base = tips.deciding_base.as_ref().map(|(_, oid)| *oid).or(tips.local_base);
    let merged = base.and_then(|base| repo.merge_base(tip, base));
    merged.filter(|merged| repo.is_ancestor(begin, *merged)).unwrap_or(begin)
}

fn differences(
    repo: &Repo,
    path: &str,
    judging: Option<&Folder>,
    tip: Option<Oid>,
) -> Result<Vec<String>, Error> {
    // A folder that cannot be read as gates differs in more ways than can be listed.
    let of_tip = match tip.map(|tree| Folder::read(repo, path, tree)) {
        Some(Err(Error::State { message, .. })) => return Ok(vec![message]),
        Some(folder) => Some(folder?),
        None => None,
    };
    let files = |folder: Option<&Folder>| -> Vec<(String, u32, Digest)> {
        let files = folder.map(|folder| folder.files.as_slice()).unwrap_or_default();
        files.iter().map(|file| (file.path.clone(), file.mode, file.digest)).collect()
    };
    let (old, new) = (files(judging), files(of_tip.as_ref()));
    let gone = old.iter().filter(|file| !new.contains(file));
    let mut paths: Vec<String> =
        gone.chain(new.iter().filter(|file| !old.contains(file))).map(|(path, ..)| path.clone()).collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

impl Folder {
    /// Reads a folder of gates.
    ///
    /// # Errors
    ///
    /// [`Error::State`] (`gates.unsafe`) if it holds a submodule, a link that leads out of it, a name
    /// that is none, or too much.
    pub fn read(repo: &Repo, path: &str, tree: Oid) -> Result<Self, Error> {
        let mut files = Vec::new();
        collect(repo, tree, "", 0, &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut hasher = Sha256::new();
        for file in &files {
            hasher.update(format!("{:o} {}\0{}\0", file.mode, file.path, file.bytes.len()));
            hasher.update(&file.bytes);
        }
        Ok(Self { path: path.to_owned(), tree, digest: Digest(hasher.finalize().into()), files })
    }

    /// Returns the gates: the usual ones, then those of `extra`, as far as they exist.
    fn gates(&self, extra: &[String]) -> Vec<Gate> {
        let names = USUAL.iter().copied().chain(extra.iter().map(String::as_str));
        names
            .filter_map(|name| {
                let stem =
                    |file: &&File| !file.path.contains('/') && file.path.split('.').next() == Some(name);
                // Beside `test.sh` a `test.md` may lie.
                let file = self.files.iter().find(|file| stem(file) && file.mode != 0o100_644);
                let file = file.or_else(|| self.files.iter().find(stem))?;
                let is_executable = file.mode == EXECUTABLE || file.mode == LINK;
                Some(Gate { name: name.to_owned(), path: file.path.clone(), is_executable })
            })
            .collect()
    }

    /// Returns what the file at `path` within the folder holds; `None` for a link, or if there is none.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        let file = self.files.iter().find(|file| file.path == path && file.mode != LINK)?;
        Some(&file.bytes)
    }

    /// Whether all files are below `dir` as [`Self::write_to`] wrote them.
    pub fn is_written_at(&self, dir: &Path) -> bool {
        self.files.iter().all(|file| {
            let path = dir.join(&file.path);
            if file.mode == LINK {
                fs::is_link_to(&path, &file.bytes)
            } else {
                fs::is_file_with(&path, &file.bytes)
            }
        })
    }

    /// Writes all files below `dir`, where they can be run.
    ///
    /// # Errors
    ///
    /// Any error of the file system.
    pub fn write_to(&self, dir: &Path) -> std::io::Result<()> {
        for file in &self.files {
            let path = dir.join(&file.path);
            if file.mode == LINK {
                fs::write_new_link(&path, &file.bytes)?;
            } else {
                fs::write_new_file(&path, &file.bytes, file.mode == EXECUTABLE)?;
            }
        }
        Ok(())
    }
}

fn collect(repo: &Repo, tree: Oid, above: &str, depth: usize, files: &mut Vec<File>) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(unsafe_gates("it nests too deep"));
    }
    for entry in repo.tree(tree)? {
        let Some(name) = std::str::from_utf8(&entry.name).ok().filter(|name| is_plain_name(name)) else {
            let name = crate::domain::text::one_line(&String::from_utf8_lossy(&entry.name));
            return Err(unsafe_gates(format!("it has `{name}`, which is no name for a file")));
        };
        let path = format!("{above}{name}");
        if entry.is_tree() {
            collect(repo, entry.oid, &format!("{path}/"), depth + 1, files)?;
            continue;
        }
        if entry.mode == SUBMODULE {
            return Err(unsafe_gates(format!("it has a submodule, `{path}`")));
        }
        let bytes = repo.blob(entry.oid)?;
        if entry.mode == LINK && !stays_inside(&bytes, depth) {
            return Err(unsafe_gates(format!("it has a link that leads out of it, `{path}`")));
        }
        files.push(File { digest: Digest(Sha256::digest(&bytes).into()), path, mode: entry.mode, bytes });
        let n_bytes: usize = files.iter().map(|file| file.bytes.len()).sum();
        if files.len() > MAX_FILES || n_bytes > MAX_BYTES {
            return Err(unsafe_gates(format!(
                "holds more than {MAX_FILES} files or {} MiB",
                MAX_BYTES >> 20
            )));
        }
    }
    Ok(())
}

fn is_plain_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && !name.eq_ignore_ascii_case(".git")
        && !name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\'))
}

/// Whether a link in a folder `depth` levels down leads to something in the folder of the gates.
fn stays_inside(target: &[u8], depth: usize) -> bool {
    let Ok(target) = std::str::from_utf8(target) else { return false };
    if target.is_empty() || target.starts_with('/') || target.contains(['\\', '\0']) {
        return false;
    }
    // Only at the beginning: what lies above a folder that is itself a link cannot be told by names.
    let parts: Vec<&str> = target.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let n_up = parts.iter().take_while(|part| **part == "..").count();
    n_up <= depth && !parts[n_up..].contains(&"..")
}

fn unsafe_gates(what: impl std::fmt::Display) -> Error {
    Error::state("gates.unsafe", format!("the folder of the gates: {what}; nothing of it is run"), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_inside() {
        for (target, depth, inside) in [
            ("lib.sh", 0, true),
            ("../lib.sh", 0, false),
            ("../lib.sh", 1, true),
            ("a/../../lib.sh", 0, false),
            ("a/../lib.sh", 0, false),
            ("../../lib.sh", 1, false),
            ("./a//b", 0, true),
            ("/bin/sh", 3, false),
            ("", 0, false),
        ] {
            assert_eq!(stays_inside(target.as_bytes(), depth), inside, "{target}");
        }
        assert!(!stays_inside(b"\xff", 0));
    }
}
