//! What of a repository nobody who works in one of its worktrees has to touch: its configuration, its
//! hooks, what it agreed to; and where its refs stand.

mod stored;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::hidden::pipe_below;
use super::{Error, Repo};
use crate::domain::id::Oid;
use crate::platform::fs::{self as files, Bounded};

/// More files than this are not looked at, the hooks' last.
const MAX_FILES: usize = 50_000;

/// Of a longer file only the length and the time are known; it cannot be put back.
const MAX_BYTES: u64 = 32 << 20;

/// How much of the log of the stash is read.
const MAX_STASH_LOG: u64 = 4 << 20;

/// What git, its hooks and we believe without asking, below the common folder.
const BELIEVED: &[&str] = &[
    "config",
    "config.worktree",
    "info",
    "godzilla/trust.json",
    "godzilla/hooks.config",
    "godzilla/clone",
    "shallow",
    "hooks",
];

/// The same, below the folder of one worktree.
const BELIEVED_OF_WORKTREE: &[&str] = &["config.worktree", "commondir", "gitdir"];

/// How a repository was.
#[derive(Debug)]
pub struct Guarded {
    files: BTreeMap<PathBuf, Kept>,
    /// `None` if that was not noted before the process died that would have known.
    refs: Option<BTreeMap<String, Oid>>,
    /// What was stashed away.
    stashed: BTreeSet<Oid>,
}

/// A ref that is not where it was: its name, where it was, where it is.
pub type RefMoved = (String, Option<Oid>, Option<Oid>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    bytes: Vec<u8>,
    mode: u32,
    link: Option<PathBuf>,
    /// Whether `bytes` are what it holds, rather than marks of something else.
    is_whole: bool,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tampered {
    /// Files that are others, new or gone.
    pub files: Vec<PathBuf>,
    /// Branches and tags that moved or went.
    pub refs: Vec<RefMoved>,
    /// Refs of ours that went or went back, and replacements of objects: nobody but us moves these.
    pub ours: Vec<RefMoved>,
    /// Names of branches of remotes that moved: somebody pushed or fetched.
    pub remote: Vec<String>,
    /// What is no longer stashed away.
    pub unstashed: Vec<Oid>,
}

impl Repo {
    /// Remembers how the repository is, before somebody else works in this worktree.
    ///
    /// # Errors
    ///
    /// [`Error`] if its refs cannot be read.
    pub fn guard(&self) -> Result<Guarded, Error> {
        let mut guarded = Guarded { files: self.believed(), refs: None, stashed: self.stashed() };
        self.note_refs(&mut guarded)?;
        Ok(guarded)
    }

    /// Returns what is no longer as it was, but for `own`, the branch that may move.
    ///
    /// # Errors
    ///
    /// [`Error`] if its refs cannot be read.
    pub fn tampered(&self, before: &Guarded, own: &str) -> Result<Tampered, Error> {
        let now = self.believed();
        let all = before.files.keys().chain(now.keys().filter(|path| !before.files.contains_key(*path)));
        let files = all.filter(|path| before.files.get(*path) != now.get(*path)).cloned().collect();
        let moved = self.moved_since(before)?;
        let is_lost = |(name, was, is): &&RefMoved| {
            let is_back = |was: Oid| is.is_none_or(|is| !self.is_ancestor(was, is));
            let is_ours = name.starts_with("refs/godzilla/") || name.starts_with("refs/godzilla-local/");
            name.starts_with("refs/replace/") || (is_ours && was.is_some_and(is_back))
        };
        let is_watched =
            |name: &str| name != own && (name.starts_with("refs/heads/") || name.starts_with("refs/tags/"));
        let is_remote = |name: &&String| name.starts_with("refs/remotes/");
        let stashed = self.stashed();
        Ok(Tampered {
            files,
            ours: moved.iter().filter(is_lost).cloned().collect(),
            remote: moved.iter().map(|(name, ..)| name).filter(is_remote).cloned().collect(),
            unstashed: before.stashed.difference(&stashed).copied().collect(),
            refs: moved.into_iter().filter(|(name, ..)| is_watched(name)).collect(),
        })
    }

    fn moved_since(&self, before: &Guarded) -> Result<Vec<RefMoved>, Error> {
        let Some(was) = &before.refs else { return Ok(Vec::new()) };
        let is: BTreeMap<String, Oid> = self.refs("refs/")?.into_iter().collect();
        let names = was.keys().chain(is.keys().filter(|name| !was.contains_key(*name)));
        let moved = names.filter(|name| was.get(*name) != is.get(*name));
        Ok(moved.map(|name| (name.clone(), was.get(name).copied(), is.get(name).copied())).collect())
    }

    /// Returns the commits that are stashed away, as the log of their ref has them.
    fn stashed(&self) -> BTreeSet<Oid> {
        let log = self.common_dir().join("logs/refs/stash");
        let Ok(Bounded::Bytes(log)) = files::read_bounded(&log, MAX_STASH_LOG) else {
            return BTreeSet::new();
        };
        let log = String::from_utf8_lossy(&log);
        log.lines().filter_map(|line| line.split(' ').nth(1)?.parse().ok()).collect()
    }

    /// Remembers where refs stand now, after we have moved some.
    ///
    /// # Errors
    ///
    /// [`Error`] if they cannot be read.
    pub fn note_refs(&self, guarded: &mut Guarded) -> Result<(), Error> {
        guarded.refs = Some(self.refs("refs/")?.into_iter().collect());
        Ok(())
    }

    /// Puts refs of ours back to where they were; where they are now is kept under `keep`, a ref.
    ///
    /// # Errors
    ///
    /// [`Error`] if one cannot be moved.
    pub fn put_back_refs(&self, tampered: &Tampered, keep: &str) -> Result<(), Error> {
        for (idx, (name, was, is)) in tampered.ours.iter().enumerate() {
            if let Some(is) = is {
                self.git_output(&["update-ref", &format!("{keep}/{idx}"), &is.to_string()])?;
            }
            match was {
                Some(was) => self.git_output(&["update-ref", name, &was.to_string()])?,
                None => self.git_output(&["update-ref", "-d", name])?,
            };
        }
        Ok(())
    }

    /// Puts files back as they were; what lies there now is kept below `keep`.
    ///
    /// # Errors
    ///
    /// Any error of the file system; then some of them are still as they were found.
    pub fn put_back(&self, before: &Guarded, tampered: &Tampered, keep: &Path) -> io::Result<()> {
        for (idx, path) in tampered.files.iter().enumerate() {
            let kept = keep.join(format!("{idx}-{}", path.file_name().unwrap_or_default().to_string_lossy()));
            match fs::symlink_metadata(path) {
                Err(_) => (),
                Ok(meta) if meta.is_file() => {
                    files::make_private_dir(keep)?;
                    fs::copy(path, kept)?;
                    fs::remove_file(path)?;
                }
                Ok(meta) if meta.is_dir() => {
                    files::make_private_dir(keep)?;
                    fs::rename(path, kept)?;
                }
                Ok(_) => fs::remove_file(path)?,
            }
        }
        // Once nothing is in the way any more: a file may lie where a folder was.
        for path in &tampered.files {
            let Some(was) = before.files.get(path).filter(|was| was.is_whole) else { continue };
            if let Some(dir) = path.parent() {
                fs::create_dir_all(dir)?;
            }
            if let Some(target) = &was.link {
                files::write_new_link(path, target.as_os_str().as_encoded_bytes())?;
            } else {
                files::write_new_file(path, &was.bytes, was.mode & 0o111 != 0)?;
                set_mode(path, was.mode)?;
            }
        }
        Ok(())
    }

    fn believed(&self) -> BTreeMap<PathBuf, Kept> {
        let mut found = BTreeMap::new();
        for name in BELIEVED {
            collect(&self.common_dir().join(name), &mut found);
        }
        if self.git_dir() != self.common_dir() {
            for name in BELIEVED_OF_WORKTREE {
                collect(&self.git_dir().join(name), &mut found);
            }
        }
        if let Some(link) = self.work_dir().map(|dir| dir.join(".git")).filter(|link| link.is_file()) {
            collect(&link, &mut found);
        }
        found
    }

    /// Returns what is not committed in the other worktrees, with a mark of each file that tells whether
    /// it was written since. One that cannot be looked at has nothing.
    pub fn elsewhere(&self) -> BTreeMap<PathBuf, (u64, u128)> {
        let mut marks = BTreeMap::new();
        let others = self.worktrees().into_iter().map(|(dir, _)| dir).chain(self.main_work_dir());
        let own = self.work_dir().and_then(|dir| fs::canonicalize(dir).ok());
        for dir in others.filter(|dir| fs::canonicalize(dir).ok() != own) {
            if let Some(pipe) = pipe_below(&dir) {
                marks.insert(pipe, (u64::MAX, 0));
                continue;
            }
            let args = ["status", "--porcelain", "-z", "--untracked-files=all", "--no-renames"];
            let said = Self::at(&dir).and_then(|other| other.git_output(&args).ok()).unwrap_or_default();
            for entry in said.split(|byte| *byte == 0).filter(|entry| entry.len() > 3) {
                let path = dir.join(String::from_utf8_lossy(&entry[3..]).as_ref());
                let meta = fs::symlink_metadata(&path).ok();
                let written = meta.as_ref().and_then(|meta| meta.modified().ok());
                let since = written.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
                let len = meta.map_or(u64::MAX, |meta| meta.len());
                marks.insert(path, (len, since.map_or(0, |since| since.as_nanos())));
            }
        }
        marks
    }
}

fn collect(path: &Path, found: &mut BTreeMap<PathBuf, Kept>) {
    if found.len() >= MAX_FILES {
        return;
    }
    let Ok(meta) = fs::symlink_metadata(path) else { return };
    if meta.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.for_each(|entry| collect(&entry.path(), found));
        return;
    }
    if meta.is_symlink() {
        let link = fs::read_link(path).ok();
        found.insert(path.to_owned(), Kept { bytes: Vec::new(), mode: 0, link, is_whole: true });
        return;
    }
    let (bytes, is_whole) = match files::read_bounded(path, MAX_BYTES) {
        Ok(Bounded::Bytes(bytes)) => (bytes, true),
        // Too long to be kept, or no file at all, such as a pipe.
        _ => (format!("{} {:?}", meta.len(), meta.modified().ok()).into_bytes(), false),
    };
    found.insert(path.to_owned(), Kept { bytes, mode: mode_of(&meta), link: None, is_whole });
}

#[cfg(unix)]
fn mode_of(meta: &fs::Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777
}

#[cfg(not(unix))]
fn mode_of(_: &fs::Metadata) -> u32 {
    0o644
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}
