//! The plan as its files say it: on a commit, in a worktree, and against what the events say.

pub mod amend;
pub mod audit;
pub mod follow;

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::event::Event;
use crate::domain::fold::Outcome;
use crate::domain::id::{Name, Oid, Ulid};
use crate::domain::spec::contract::{self, PLAN_FILE, Problem, is_step_file};
use crate::domain::spec::{Spec, Specs};
use crate::domain::text;
use crate::platform::git::{self, Repo};
use crate::store::spec;

/// The largest file of a plan that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// How many files of a plan are read.
const MAX_FILES: usize = 1100;

/// The files of a plan by their names, and what keeps some from being read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    pub texts: BTreeMap<String, String>,
    pub problems: Vec<Problem>,
}

impl Files {
    /// Returns the plan that they say; see [`contract::read`].
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them, by file and line.
    pub fn spec(&self, before: &Spec) -> Result<Spec, Vec<Problem>> {
        let read = contract::read(&self.texts, before);
        if self.problems.is_empty() {
            return read.map(|spec| without(spec, before));
        }
        let mut problems = self.problems.clone();
        problems.extend(read.err().unwrap_or_default());
        problems.sort();
        Err(problems)
    }

    fn refuse(&mut self, name: &str, message: &str) {
        self.problems.push(Problem::of(&text::clip(&text::one_line(name), 100), message));
    }

    /// Takes in one file of `size` bytes, unless it is none.
    fn add(&mut self, name: &str, size: Option<u64>, read: impl FnOnce() -> Option<Vec<u8>>) {
        match size {
            None => self.refuse(name, "this is no plain file"),
            Some(size) if size > MAX_FILE => self.refuse(name, "the file is larger than 1 MiB"),
            Some(_) if self.texts.len() >= MAX_FILES => self.refuse(name, "there are too many files"),
            Some(_) => match read().map(String::from_utf8) {
                Some(Ok(text)) => drop(self.texts.insert(name.to_owned(), text)),
                Some(Err(_)) => self.refuse(name, "the file is not UTF-8"),
                None => self.refuse(name, "the file cannot be read"),
            },
        }
    }
}

/// Returns the plan without the texts that were taken out of the one before: files may say them still.
fn without(wanted: Spec, before: &Spec) -> Spec {
    let rewritten = spec::without(&spec::encode(&wanted).1, &before.taken_out);
    let decoded = rewritten.and_then(|(_, text)| spec::decode(text.as_bytes()).ok());
    // What was taken out is what it was.
    decoded.map_or(wanted, |spec| Spec { taken_out: before.taken_out.clone(), ..spec })
}

/// Returns the protocol's folder within a tree, relative to the root of the repository.
pub fn folder(name: &Name) -> String {
    format!(".protocols/{name}")
}

fn is_of_plan(name: &str) -> bool {
    is_step_file(name) || name == PLAN_FILE
}

/// Returns the files of the plan of `name` in a tree; none if the tree has no such folder.
///
/// # Errors
///
/// [`git::Error`] if an object is damaged or not here.
pub fn files_at(repo: &Repo, tree: Oid, name: &Name) -> Result<Files, git::Error> {
    match repo.tree_path(tree, &folder(name))? {
        Some(entry) if entry.is_tree() => files_of(repo, entry.oid),
        _ => Ok(Files::default()),
    }
}

fn files_of(repo: &Repo, folder: Oid) -> Result<Files, git::Error> {
    let mut files = Files::default();
    for entry in repo.tree(folder)? {
        let name = String::from_utf8_lossy(&entry.name).into_owned();
        if !is_of_plan(&name) {
            continue;
        }
        let is_file = matches!(entry.mode, 0o100_644 | 0o100_755 | 0o100_664);
        let size = if is_file { Some(repo.blob_size(entry.oid)?) } else { None };
        files.add(&name, size, || repo.blob(entry.oid).ok());
    }
    Ok(files)
}

/// Returns the files of the plan of `name` in the index that is about to be committed.
///
/// # Errors
///
/// [`git::Error`] if the index cannot be read.
pub fn files_staged(repo: &Repo, name: &Name) -> Result<Files, git::Error> {
    let mut files = Files::default();
    let at = folder(name) + "/";
    for (mode, oid, path) in repo.staged_below(&at)? {
        let Some(file) = path.strip_prefix(&at).filter(|file| is_of_plan(file)) else { continue };
        let is_file = matches!(mode, 0o100_644 | 0o100_755);
        let size = if is_file { Some(repo.blob_size(oid)?) } else { None };
        files.add(file, size, || repo.blob(oid).ok());
    }
    Ok(files)
}

/// Returns the files of the plan of `name` in a worktree. Links are not followed.
pub fn files_in(worktree: &Path, name: &Name) -> Files {
    let mut files = Files::default();
    let dir = worktree.join(".protocols").join(name.as_str());
    let is_dir = |path: &Path| std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    if !is_dir(&worktree.join(".protocols")) || !is_dir(&dir) {
        return files;
    }
    let entries = std::fs::read_dir(&dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    for name in names.iter().filter(|name| is_of_plan(name)) {
        let path = dir.join(name);
        let found = std::fs::symlink_metadata(&path).ok().filter(std::fs::Metadata::is_file);
        files.add(name, found.map(|found| found.len()), || std::fs::read(&path).ok());
    }
    files
}

/// Returns what each event that changed the plan changed of it, in words, by the event.
pub fn changes<'a>(
    events: impl IntoIterator<Item = (&'a Event, &'a Outcome)>,
    specs: &Specs,
) -> BTreeMap<Ulid, Vec<String>> {
    let mut before: Option<&Spec> = None;
    let mut told = BTreeMap::new();
    for (event, outcome) in events {
        let Some(now) = event.body.spec().and_then(|digest| specs.get(&digest)) else { continue };
        if let Some(before) = before {
            told.insert(event.id, now.changes_since(before));
        }
        if *outcome == Outcome::Accepted {
            before = Some(now);
        }
    }
    told
}
