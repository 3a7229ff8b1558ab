//! What lies in a worktree, byte for byte, as trees that bring it back: tracked and untracked files, on
//! wish ignored ones, and what is staged.
//!
//! No attribute counts, and no filter that only the repository names runs: a file is held with the bytes
//! that it has. What cannot be held
//! is named. See [`put`](super::put) for the way back.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use gix::bstr::{BStr, BString, ByteSlice as _};

use super::objects::MAX_OBJECT;
use super::run::{failed, output};
use super::{Error, Repo};
use crate::domain::id::Oid;
use crate::platform::fs::{DraftFolder, is_executable_to_git};
use crate::platform::process::{self, Limits};

/// Ignored files that are larger than this are held only if all are to be.
const SMALL: u64 = 1 << 20;

/// More ignored files than this are held only if all are to be.
const MAX_SMALL: usize = 1000;

/// More entries than this are not looked through for what cannot be held.
const MAX_ENTRIES: usize = 1_000_000;

/// Which files that git ignores are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    None,
    /// Small ones beside files that are not ignored, such as a `.env`; no folder that is ignored whole, such
    /// as that of a build.
    Small,
    All,
}

/// Why something is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It is a repository of its own, in which more lies than files.
    Repository,
    /// It is a submodule with other content than the commit says.
    Submodule,
    Unreadable,
    /// It is no file, folder or link.
    Special,
    /// The index says of it what no tree can: a merge has not ended.
    Unmerged,
    /// It is ignored.
    Ignored,
}

impl Why {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repository => "repository",
            Self::Submodule => "submodule",
            Self::Unreadable => "unreadable",
            Self::Special => "special",
            Self::Unmerged => "unmerged",
            Self::Ignored => "ignored",
        }
    }

    /// Whether it may go with the worktree all the same: it is meant to be made again.
    pub fn may_go(self) -> bool {
        self == Self::Ignored
    }
}

/// Something that lies there and is not held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotHeld {
    /// As git writes it, with a slash at the end of a folder.
    pub path: BString,
    pub why: Why,
}

/// What lay in a worktree.
#[derive(Clone, Debug)]
pub struct Captured {
    /// All that is held. The objects are in the repository.
    pub tree: Oid,
    /// What was staged; `None` if no tree can say it.
    pub index: Option<Oid>,
    /// What is not as it is committed, or is not committed at all, but for what is ignored.
    pub changed: BTreeSet<BString>,
    pub not_held: BTreeSet<NotHeld>,
}

impl Captured {
    /// Whether there is nothing in it that a commit with the tree `committed` does not have, but for
    /// ignored files.
    pub fn is_clean(&self, committed: Oid) -> bool {
        let is_lost = |it: &NotHeld| !it.why.may_go();
        self.changed.is_empty() && self.index == Some(committed) && !self.not_held.iter().any(is_lost)
    }
}

/// What is to be put into an index: the mode and the object, or that it is gone.
type Entries = BTreeMap<BString, Option<(u32, Oid)>>;

impl Repo {
    /// Returns what lies in this worktree, whose commit has the tree `committed`. Every file is read;
    /// the index stays as it is. The objects may not be on the disk yet; see
    /// [`make_tree_durable`](Self::make_tree_durable).
    ///
    /// # Errors
    ///
    /// [`Error`] if there is no worktree, the disk is full, or the repository cannot be read.
    pub fn capture(&self, committed: Oid, ignored: Ignored) -> Result<Captured, Error> {
        let draft = DraftFolder::new(&self.state_dir()).map_err(Error::io("make a private index"))?;
        fs::create_dir(draft.path().join("objects")).map_err(Error::io("make a private index"))?;
        let mut capture = Capture {
            repo: self,
            root: self.work_dir().ok_or_else(|| Error::Damaged("there is no worktree".to_owned()))?,
            draft: draft.path(),
            entries: Entries::new(),
            not_held: BTreeSet::new(),
        };
        let is_sparse = capture.begin(committed)?;
        capture.listed(&["--modified", "--deleted", "--others", "--exclude-standard", "--deduplicate"])?;
        let changed: BTreeSet<BString> = capture.entries.keys().cloned().collect();
        let ignored_folders = capture.ignored(ignored)?;
        capture.look_around(&ignored_folders, ignored != Ignored::None);
        let mut tree = capture.write(committed)?;
        if !is_sparse && capture.add_unlike()? {
            tree = capture.write(committed)?;
        }
        let index = capture.staged()?;
        let not_held = capture.not_held;
        Ok(Captured { tree, index, changed, not_held })
    }

    /// Returns the tree that an index says; `None` if there is none, or no tree can say it.
    ///
    /// # Errors
    ///
    /// [`Error`] if there is no private place for a copy of the index.
    pub fn staged_tree(&self, index: &Path) -> Result<Option<Oid>, Error> {
        let draft = DraftFolder::new(&self.state_dir()).map_err(Error::io("make a private index"))?;
        let copy = draft.path().join("staged");
        match fs::copy(index, &copy) {
            Ok(_) => (),
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(err) => return Err(Error::io("copy the index")(err)),
        }
        let mut git = self.git();
        let tree = output(git.env("GIT_INDEX_FILE", copy), &["write-tree"]);
        Ok(tree.ok().and_then(|tree| String::from_utf8_lossy(&tree).trim().parse().ok()))
    }

    /// Puts what `tree` holds and `known` does not on the disk. What is packed is there already.
    ///
    /// # Errors
    ///
    /// [`Error`] if a tree cannot be read.
    pub fn make_tree_durable(&self, tree: Oid, known: Option<Oid>) -> Result<(), Error> {
        if known == Some(tree) {
            return Ok(());
        }
        let before = known.map_or_else(|| Ok(Vec::new()), |known| self.tree(known))?;
        for entry in self.tree(tree)? {
            let known =
                before.iter().find(|it| it.name == entry.name && it.mode == entry.mode).map(|it| it.oid);
            if known == Some(entry.oid) || entry.mode == SUBMODULE {
                continue;
            }
            if entry.is_tree() {
                self.make_tree_durable(entry.oid, known)?;
            } else {
                self.fsync_loose(entry.oid);
            }
        }
        self.fsync_loose(tree);
        Ok(())
    }
}

/// As git has a submodule.
pub(super) const SUBMODULE: u32 = 0o160_000;

struct Capture<'a> {
    repo: &'a Repo,
    root: &'a Path,
    draft: &'a Path,
    entries: Entries,
    not_held: BTreeSet<NotHeld>,
}

impl Capture<'_> {
    fn index(&self) -> PathBuf {
        self.draft.join("index")
    }

    /// Makes the private index one that knows no file's times. Returns whether the checkout is sparse.
    fn begin(&self, committed: Oid) -> Result<bool, Error> {
        let damaged =
            |err: &dyn std::fmt::Display| Error::Damaged(format!("tree {committed} cannot be read: {err}"));
        let mut index =
            self.repo.gix.index_from_tree(&super::to_gix(committed)).map_err(|err| damaged(&err))?;
        index.set_path(self.index());
        index.write(gix::index::write::Options::default()).map_err(|err| damaged(&err))?;
        // What a sparse checkout leaves out is not gone: only the index knows which files these are.
        let is_sparse = self.repo.config_bool("core.sparseCheckout").unwrap_or(false);
        if is_sparse {
            fs::copy(self.repo.git_dir().join("index"), self.index()).map_err(Error::io("copy the index"))?;
        }
        Ok(is_sparse)
    }

    fn list(&self, options: &[&str]) -> Result<Vec<BString>, Error> {
        let mut git = self.repo.closely();
        git.env("GIT_INDEX_FILE", self.index());
        let said = output(&mut git, &[&["ls-files", "-z"], options].concat())?;
        let paths = said.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        Ok(paths.map(BString::from).collect())
    }

    fn listed(&mut self, options: &[&str]) -> Result<(), Error> {
        for path in self.list(options)? {
            self.hold(path)?;
        }
        Ok(())
    }

    /// Holds what lies at a path, or that nothing does.
    fn hold(&mut self, path: BString) -> Result<(), Error> {
        let place = self.place(path.as_bstr());
        let meta = match fs::symlink_metadata(&place) {
            Ok(meta) => meta,
            Err(err) if matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                self.entries.insert(path, None);
                return Ok(());
            }
            Err(_) => return self.leave(path, Why::Unreadable),
        };
        if meta.is_dir() {
            let is_submodule = self.is_submodule(&place);
            if !path.ends_with(b"/") && !is_submodule {
                // A folder lies in the place of a file; what is in it is listed by itself.
                self.entries.insert(path, None);
                return Ok(());
            }
            return self.leave(path, if is_submodule { Why::Submodule } else { Why::Repository });
        }
        if !meta.is_file() && !meta.is_symlink() {
            return self.leave(path, Why::Special);
        }
        match self.blob(&place, &meta)? {
            Some(entry) => {
                self.entries.insert(path, Some(entry));
                Ok(())
            }
            None => self.leave(path, Why::Unreadable),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it ends what else may fail")]
    fn leave(&mut self, path: BString, why: Why) -> Result<(), Error> {
        self.not_held.insert(NotHeld { path, why });
        Ok(())
    }

    fn place(&self, path: &BStr) -> PathBuf {
        self.root.join(gix::path::from_bstr(path.trim_end_with(|c| c == '/').as_bstr()).unwrap_or_default())
    }

    /// Writes what a file holds or a link leads to; `None` if it cannot be read.
    fn blob(&self, place: &Path, meta: &Metadata) -> Result<Option<(u32, Oid)>, Error> {
        if meta.is_symlink() {
            let Ok(target) = fs::read_link(place) else { return Ok(None) };
            let oid = self.repo.write_blob(target.as_os_str().as_encoded_bytes())?;
            return Ok(Some((0o120_000, oid)));
        }
        let mode = if is_executable_to_git(meta) { 0o100_755 } else { 0o100_644 };
        if meta.len() <= MAX_OBJECT {
            let Ok(bytes) = fs::read(place) else { return Ok(None) };
            return Ok(Some((mode, self.repo.write_blob(&bytes)?)));
        }
        // Git reads it piece by piece.
        if fs::File::open(place).is_err() {
            return Ok(None);
        }
        let mut git = self.repo.git();
        git.args(["hash-object", "-w", "--no-filters", "--"]).arg(place);
        let said = output(&mut git, &[])?;
        let oid = String::from_utf8_lossy(&said).trim().parse();
        Ok(Some((mode, oid.map_err(|_| Error::Damaged("git wrote no object".to_owned()))?)))
    }

    /// Holds ignored files, as far as they are to be. Returns the folders that are ignored whole and not
    /// held.
    fn ignored(&mut self, ignored: Ignored) -> Result<BTreeSet<PathBuf>, Error> {
        let others = ["--others", "--ignored", "--exclude-standard"];
        let mut folders = BTreeSet::new();
        if ignored == Ignored::All {
            self.listed(&others)?;
            return Ok(folders);
        }
        let mut n_held = 0;
        for path in self.list(&[&others[..], &["--directory"]].concat())? {
            let place = self.place(path.as_bstr());
            if path.ends_with(b"/") {
                folders.insert(place);
                self.leave(path, Why::Ignored)?;
                continue;
            }
            let is_small = fs::symlink_metadata(&place).is_ok_and(|meta| meta.len() <= SMALL);
            if ignored == Ignored::Small && is_small && n_held < MAX_SMALL {
                n_held += 1;
                self.hold(path)?;
            } else {
                self.leave(path, Why::Ignored)?;
            }
        }
        Ok(folders)
    }

    /// Names what git passes over in silence: folders that cannot be read, what is no file, and
    /// repositories, with `everywhere` also those in folders that are ignored.
    fn look_around(&mut self, ignored: &BTreeSet<PathBuf>, everywhere: bool) {
        let mut folders = vec![(self.root.to_owned(), false)];
        let mut n_entries = 0;
        while let Some((folder, is_ignored)) = folders.pop() {
            let is_ignored = is_ignored || ignored.contains(&folder);
            if is_ignored && !everywhere {
                continue;
            }
            let Ok(entries) = fs::read_dir(&folder) else {
                self.name(&folder, true, Why::Unreadable);
                continue;
            };
            for entry in entries.flatten() {
                n_entries += 1;
                if n_entries > MAX_ENTRIES {
                    return;
                }
                let Ok(kind) = entry.file_type() else { continue };
                let is_git = entry.file_name() == OsStr::new(".git");
                if is_git && folder != self.root {
                    // Submodules are told by the index.
                    if !self.is_submodule(&folder) {
                        self.name(&folder, true, Why::Repository);
                    }
                } else if kind.is_dir() && !is_git {
                    folders.push((entry.path(), is_ignored));
                } else if !is_git && !is_ignored && !kind.is_file() && !kind.is_symlink() {
                    self.name(&entry.path(), false, Why::Special);
                }
            }
        }
    }

    fn is_submodule(&self, folder: &Path) -> bool {
        let Some(path) = self.relative(folder) else { return false };
        let Ok(index) = self.repo.private_index(self.draft) else { return false };
        let entry = index.entry_by_path(path.as_bstr());
        entry.is_some_and(|entry| entry.mode == gix::index::entry::Mode::COMMIT)
    }

    fn relative(&self, place: &Path) -> Option<BString> {
        let path = place.strip_prefix(self.root).ok()?;
        gix::path::into_bstr(path).ok().map(Cow::into_owned)
    }

    fn name(&mut self, place: &Path, is_folder: bool, why: Why) {
        let Some(mut path) = self.relative(place) else { return };
        if is_folder {
            path.push(b'/');
        }
        self.not_held.insert(NotHeld { path, why });
    }

    /// Holds files whose bytes git takes for what is committed, though a checkout gives others. Returns
    /// whether there are any.
    fn add_unlike(&mut self) -> Result<bool, Error> {
        let index = self.repo.private_index(self.draft)?;
        let unlike = self.repo.unlike_checkout(self.draft, &index)?;
        let unlike: Vec<BString> =
            unlike.into_keys().filter(|path| !self.entries.contains_key(path)).collect();
        let has_any = !unlike.is_empty();
        unlike.into_iter().try_for_each(|path| self.hold(path))?;
        Ok(has_any)
    }

    /// Writes the tree of what is committed with what is held in its place.
    fn write(&self, committed: Oid) -> Result<Oid, Error> {
        if self.entries.is_empty() {
            return Ok(committed);
        }
        let mut git = self.repo.closely();
        git.env("GIT_INDEX_FILE", self.index());
        update_index(self.repo, &mut git, &self.entries)?;
        let tree = output(self.repo.closely().env("GIT_INDEX_FILE", self.index()), &["write-tree"])?;
        let tree = String::from_utf8_lossy(&tree);
        tree.trim().parse().map_err(|_| Error::Damaged("git wrote no tree".to_owned()))
    }

    fn staged(&mut self) -> Result<Option<Oid>, Error> {
        let mut git = self.repo.closely();
        let unmerged = output(&mut git, &["ls-files", "-z", "--unmerged"])?;
        for line in unmerged.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            if let Some((_, path)) = line.split_once_str(b"\t") {
                self.leave(path.into(), Why::Unmerged)?;
            }
        }
        if unmerged.is_empty() { self.repo.staged_tree(&self.repo.git_dir().join("index")) } else { Ok(None) }
    }
}

/// Puts entries into the index of `git`: what is gone first, so that a folder may be where a file was.
pub(super) fn update_index(repo: &Repo, git: &mut Command, entries: &Entries) -> Result<(), Error> {
    let gone = entries.iter().filter(|(_, entry)| entry.is_none());
    let there = entries.iter().filter(|(_, entry)| entry.is_some());
    let null = gix::ObjectId::null(repo.gix.object_hash());
    let mut stdin = Vec::new();
    for (path, entry) in gone.chain(there) {
        let said = match entry {
            Some((mode, oid)) => format!("{mode:o} {oid}\t"),
            None => format!("0 {null}\t"),
        };
        stdin.extend_from_slice(said.as_bytes());
        stdin.extend_from_slice(path);
        stdin.push(0);
    }
    let args = ["update-index", "-z", "--replace", "--index-info"];
    let output = process::run(git.args(args), Some(&stdin), Limits::default(), |_| ())?;
    if output.status.success() { Ok(()) } else { Err(failed(&args, &output.stderr)) }
}
