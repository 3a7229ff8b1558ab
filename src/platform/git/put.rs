//! Putting back into a worktree what [`capture`](super::capture) held of one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gix::bstr::{BString, ByteSlice as _};

use super::capture::{Captured, NotHeld, SUBMODULE, update_index};
use super::objects::MAX_OBJECT;
use super::run::output;
use super::{Error, Repo};
use crate::domain::id::Oid;
use crate::platform::fs as files;

/// What differs between two trees: what the second has at a path, or that it has nothing there.
type Differences = BTreeMap<BString, Option<(u32, Oid)>>;

/// What was put back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Put {
    /// Paths that were written.
    pub written: Vec<BString>,
    /// Paths that were taken away.
    pub removed: Vec<BString>,
    /// Paths at which something lies that is in the way, such as a folder or a link on the way.
    pub in_the_way: Vec<BString>,
}

impl Put {
    /// Whether nothing was written, removed or left.
    pub fn is_nothing(&self) -> bool {
        self.written.is_empty() && self.removed.is_empty() && self.in_the_way.is_empty()
    }
}

impl Repo {
    /// Gives each file of this worktree that differs between `base` and `tree` the bytes that it has in
    /// `tree`. All other files stay, and so does the index.
    ///
    /// What lies there is overwritten: whoever calls holds it.
    ///
    /// # Errors
    ///
    /// [`Error`] if an object is not here or a file cannot be written; some may have been by then.
    pub fn put(&self, base: Oid, tree: Oid) -> Result<Put, Error> {
        let Some(root) = self.work_dir() else {
            return Err(Error::Damaged("there is no worktree".to_owned()));
        };
        let differences = self.differences(base, tree)?;
        let mut put = Put::default();
        let gone = differences.iter().filter(|(_, entry)| entry.is_none());
        for (path, _) in gone {
            if remove(root, path)? {
                put.removed.push(path.clone());
            }
        }
        for (path, entry) in &differences {
            let Some((mode, oid)) = *entry else { continue };
            match safe_place(root, path).filter(|place| !files::is_real_dir(place)) {
                Some(place) if self.write_entry(&place, mode, oid)? => put.written.push(path.clone()),
                Some(_) => (),
                None => put.in_the_way.push(path.clone()),
            }
        }
        Ok(put)
    }

    /// Returns what lies in this worktree where `would` writes or removes something, and is not held by
    /// `present`, which was captured there.
    pub fn overwritten<'p>(&self, would: &Put, present: &'p Captured) -> Vec<&'p NotHeld> {
        let paths: Vec<&BString> = would.written.iter().chain(&would.removed).collect();
        let is_there = |path: &BString| {
            let place = self.work_dir().and_then(|root| safe_place(root, path));
            place.is_some_and(|place| place.symlink_metadata().is_ok())
        };
        let is_hit = |held: &&NotHeld| {
            let at = held.path.strip_suffix(b"/").unwrap_or(&held.path);
            let is_at = |path: &&&BString| {
                path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
            };
            paths.iter().filter(is_at).any(|path| is_there(path))
        };
        present.not_held.iter().filter(is_hit).collect()
    }

    /// Returns what [`Self::put`] would write and remove where `present` lies, a tree of what is there.
    ///
    /// # Errors
    ///
    /// [`Error`] if a tree is not here.
    pub fn would_put(&self, present: Oid, base: Oid, tree: Oid) -> Result<Put, Error> {
        let open = self.paths_changed(present, tree)?;
        let mut put = Put::default();
        for (path, entry) in self.differences(base, tree)? {
            match entry {
                _ if !open.contains(path.as_slice()) => (),
                Some(_) => put.written.push(path),
                None => put.removed.push(path),
            }
        }
        Ok(put)
    }

    /// Gives each path that differs between `base` and `tree` the entry in the index that it has in
    /// `tree`.
    ///
    /// # Errors
    ///
    /// [`Error`] if somebody holds the index.
    pub fn stage(&self, base: Oid, tree: Oid) -> Result<(), Error> {
        let differences = self.differences(base, tree)?;
        if differences.is_empty() { Ok(()) } else { update_index(self, &mut self.git(), &differences) }
    }

    fn differences(&self, base: Oid, tree: Oid) -> Result<Differences, Error> {
        let mut found = Differences::new();
        for path in self.paths_changed(base, tree)? {
            let entry = self.entry_at(tree, &path)?.filter(|(mode, _)| *mode != 0o40_000);
            // No submodule was held.
            if entry.is_none_or(|(mode, _)| mode != SUBMODULE) {
                found.insert(path.into(), entry);
            }
        }
        Ok(found)
    }

    fn entry_at(&self, tree: Oid, path: &[u8]) -> Result<Option<(u32, Oid)>, Error> {
        let mut at = (0o40_000, tree);
        for part in path.split(|byte| *byte == b'/') {
            if at.0 != 0o40_000 {
                return Ok(None);
            }
            match self.tree(at.1)?.into_iter().find(|entry| entry.name == part) {
                Some(entry) => at = (entry.mode, entry.oid),
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// Returns whether it was other than that.
    fn write_entry(&self, place: &Path, mode: u32, oid: Oid) -> Result<bool, Error> {
        let writing = || Error::io(format!("write `{}`", place.display()));
        let bytes = if self.blob_size(oid)? <= MAX_OBJECT {
            self.blob(oid)?
        } else {
            output(&mut self.git(), &["cat-file", "blob", &oid.to_string()])?
        };
        if mode == 0o120_000 {
            if files::is_link_to(place, &bytes) {
                return Ok(false);
            }
            files::remove_if_there(place).map_err(writing())?;
            files::write_new_link(place, &bytes).map_err(writing())?;
            return Ok(true);
        }
        let is_executable = mode == 0o100_755;
        if files::is_file_with(place, &bytes) && files::is_executable(place) == is_executable {
            return Ok(false);
        }
        if place.is_symlink() {
            files::remove_if_there(place).map_err(writing())?;
        }
        files::replace_file(place, &bytes, false).map_err(writing())?;
        files::make_executable(place, is_executable).map_err(writing())?;
        Ok(true)
    }
}

/// Takes away what lies at a path, unless that is a folder. Returns whether something did.
fn remove(root: &Path, path: &BString) -> Result<bool, Error> {
    let Some(place) = safe_place(root, path) else { return Ok(false) };
    let is_file = fs::symlink_metadata(&place).is_ok_and(|meta| !meta.is_dir());
    if is_file {
        files::remove_if_there(&place).map_err(Error::io(format!("remove `{}`", place.display())))?;
        // As git does, with folders that are empty then.
        let folders = place.ancestors().skip(1).take_while(|folder| *folder != root);
        let _n_removed = folders.take_while(|folder| fs::remove_dir(folder).is_ok()).count();
    }
    Ok(is_file)
}

/// Returns the place of a path below `root` if nothing on the way leads elsewhere.
fn safe_place(root: &Path, path: &BString) -> Option<PathBuf> {
    let mut place = root.to_owned();
    let mut parts = path.split_str(b"/").peekable();
    while let Some(part) = parts.next() {
        let is_plain =
            !part.is_empty() && part != b"." && part != b".." && !part.eq_ignore_ascii_case(b".git");
        let part = gix::path::from_byte_slice(part).ok().filter(|_| is_plain)?;
        place.push(part);
        let is_last = parts.peek().is_none();
        if !is_last && place.symlink_metadata().is_ok() && !files::is_real_dir(&place) {
            return None;
        }
    }
    Some(place)
}
