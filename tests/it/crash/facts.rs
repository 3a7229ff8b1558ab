//! What nobody may lose, read without any command of ours.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use git_godzilla::platform::git::Repo;
use git_godzilla::store::archive::Shelves;
use git_godzilla::store::content::Content;
use git_godzilla::store::{refs, tip};

use super::super::support::{Place, World};

/// Everything that was acknowledged, wherever it lies.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Lines of events, each with where it is.
    events: BTreeSet<String>,
    /// Commits of branches.
    commits: BTreeSet<String>,
    /// What lies in files that are nobody's but the person's, without those that a commit has.
    files: BTreeSet<Vec<u8>>,
}

/// Files of git and of ours, which come and go.
const OURS: [&str; 3] = [".git", "srv.git", "home"];

impl Facts {
    pub(crate) fn of(world: &World) -> Self {
        let mut facts = Self::default();
        for name in ["a", "b", "srv.git"] {
            let place = world.place(name);
            if place.path.is_dir() {
                facts.events.extend(events(&place).into_iter().map(|line| format!("{name} {line}")));
                let commits = place.git(&["rev-list", "--branches"]);
                facts.commits.extend(commits.lines().map(|commit| format!("{name} {commit}")));
            }
        }
        facts.files = files(world.path(), &|path| {
            let is_hook = path.contains(".git/hooks/") && !path.ends_with(".sample");
            is_hook || !path.split('/').any(|part| OURS.contains(&part))
        });
        // Our own hooks are nobody's loss.
        let is_ours = |bytes: &[u8]| bytes.windows(17).any(|part| part == b"git-godzilla hook");
        facts.files.retain(|bytes| !is_ours(bytes));
        facts
    }

    /// Returns what is neither where it was nor anywhere else, a line each.
    pub(crate) fn lost(&self, world: &World) -> BTreeSet<String> {
        let after = Self::of(world);
        let mut lost: BTreeSet<String> = self.events.difference(&after.events).cloned().collect();
        let reached = |name: &str, args: &[&str]| -> BTreeSet<String> {
            let place = world.place(name);
            let all = if place.path.is_dir() { place.git(args) } else { String::new() };
            all.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
        };
        for name in ["a", "b", "srv.git"] {
            let kept = reached(name, &["rev-list", "--all", "--reflog"]);
            let of_it = self.commits.iter().filter_map(|commit| commit.strip_prefix(name)?.strip_prefix(' '));
            lost.extend(
                of_it.filter(|commit| !kept.contains(*commit)).map(|commit| format!("{name} {commit}")),
            );
        }
        let there = files(world.path(), &|path| !path.contains("/objects/"));
        let missing: Vec<&Vec<u8>> = self.files.difference(&there).collect();
        if !missing.is_empty() {
            let a = world.place("a");
            let repo = Repo::open(&a.path.join(".git")).unwrap();
            let kept = reached("a", &["rev-list", "--objects", "--all", "--reflog"]);
            let is_kept = |bytes: &[u8]| kept.contains(&repo.id_of_blob(bytes).unwrap().to_string());
            let gone = missing.into_iter().filter(|bytes| !is_kept(bytes));
            let shown = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).chars().take(80).collect::<String>();
            lost.extend(gone.map(|bytes| format!("file {:?}", shown(bytes))));
        }
        lost
    }
}

/// Returns the lines of all streams, of the archive, and of what waits to be written.
fn events(place: &Place<'_>) -> BTreeSet<String> {
    let git = place.path.join(".git");
    let Ok(repo) = Repo::open(if git.is_dir() { &git } else { &place.path }) else { return BTreeSet::new() };
    let mut found = BTreeSet::new();
    let mut add = |content: &Content| found.extend(content.texts().into_iter().map(str::to_owned));
    for (name, commit) in repo.refs(refs::SHARED).unwrap() {
        let tree = repo.tree_of(commit).unwrap();
        if name == refs::ARCHIVE {
            let entries = Shelves::open(&repo, tree).unwrap().all().unwrap();
            for entry in entries.values() {
                add(&tip::read(&repo, *entry).unwrap());
            }
        } else if let Ok(content) = tip::read(&repo, tree) {
            add(&content);
        }
    }
    for (_, path) in all_files(&repo.state_dir().join("spool")) {
        found.extend(fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned));
    }
    found
}

/// Returns the different contents of files below a folder, of those whose path is wanted.
fn files(dir: &Path, is_wanted: &dyn Fn(&str) -> bool) -> BTreeSet<Vec<u8>> {
    let wanted = all_files(dir).into_iter().filter(|(name, _)| is_wanted(name));
    wanted.filter_map(|(_, path)| fs::read(path).ok()).collect()
}

/// Returns all files below a folder by their path in it; without links.
pub(crate) fn all_files(dir: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let name = format!("/{}", path.strip_prefix(dir).unwrap().to_string_lossy());
                found.push((name, path));
            }
        }
    }
    found
}
