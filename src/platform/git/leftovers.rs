//! What processes that died left among git's own files, and what is damaged there.

use std::path::PathBuf;
use std::time::Duration;

use super::loose::TEMPORARY;
use super::{Error, Repo, to_gix};
use crate::domain::id::Oid;
use crate::platform::fs;

/// No write takes this long.
const MAX_WRITE: Duration = Duration::from_hours(1);

/// No git holds a lock of a ref or of a small file this long.
const MAX_LOCKED: Duration = Duration::from_mins(10);

/// A ref whose file says nothing that is a ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedRef {
    pub name: String,
    pub path: PathBuf,
    /// The last value that its reflog names and that is still here.
    pub last: Option<Oid>,
}

impl Repo {
    /// Returns files of objects that were begun more than an hour ago and never finished.
    pub fn unfinished_objects(&self) -> Vec<PathBuf> {
        let objects = self.gix.objects.store_ref().path().to_owned();
        let mut folders = vec![objects.clone()];
        folders.extend((0..=255).map(|first: u8| objects.join(format!("{first:02x}"))));
        let mut found = Vec::new();
        for entry in folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten() {
            let is_temporary = entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes());
            if is_temporary && fs::is_older(&entry.path(), MAX_WRITE) {
                found.push(entry.path());
            }
        }
        found.sort();
        found
    }

    /// Returns git's locks of refs below `prefixes`, of each worktree, and of the files that every write needs,
    /// that are older than any git at work.
    pub fn old_locks(&self, prefixes: &[&str]) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = ["packed-refs.lock", "config.lock", "shallow.lock"]
            .into_iter()
            .map(|name| self.common_dir.join(name))
            .collect();
        let linked = std::fs::read_dir(self.common_dir.join("worktrees")).into_iter().flatten().flatten();
        for admin in linked.map(|entry| entry.path()).chain([self.common_dir.clone()]) {
            found.extend(["index.lock", "HEAD.lock"].map(|name| admin.join(name)));
        }
        let mut folders: Vec<PathBuf> = prefixes.iter().map(|prefix| self.common_dir.join(prefix)).collect();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "lock") {
                    found.push(path);
                }
            }
        }
        found.retain(|path| fs::is_older(path, MAX_LOCKED));
        found.sort();
        found
    }

    /// Whether an object lies in a file of its own, as what was written last does: that is what is lost with
    /// the power.
    pub fn is_unpacked(&self, oid: Oid) -> bool {
        self.is_loose(&to_gix(oid))
    }

    /// Returns the refs below `prefix`, as [`Self::refs`] takes it, whose own file is damaged.
    ///
    /// # Errors
    ///
    /// [`Error`] if the refs cannot be listed.
    pub fn damaged_refs(&self, prefix: &str) -> Result<Vec<DamagedRef>, Error> {
        let mut damaged = Vec::new();
        for name in self.loose_names(prefix)? {
            let path = self.common_dir.join(&name);
            if let Ok(Some(Err(said))) = Self::loose_ref(&path)
                && !said.starts_with("ref: ")
            {
                damaged.push(DamagedRef { last: self.last_of_reflog(&name), name, path });
            }
        }
        damaged.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(damaged)
    }

    fn last_of_reflog(&self, name: &str) -> Option<Oid> {
        self.reflog(name).into_iter().find(|oid| self.has_object(*oid))
    }

    /// Removes what is written down of where a ref was; the ref itself stays.
    ///
    /// # Errors
    ///
    /// [`Error`] if the file cannot be removed.
    pub fn forget_reflog(&self, name: &str) -> Result<(), Error> {
        let failed = |source| Error::Io { action: format!("forget where {name} was"), source };
        fs::remove_if_there(&self.common_dir.join("logs").join(name)).map_err(failed)
    }

    /// Returns what a ref was set to, the last first; nothing if there is no reflog.
    pub fn reflog(&self, name: &str) -> Vec<Oid> {
        let text = std::fs::read_to_string(self.common_dir.join("logs").join(name)).unwrap_or_default();
        text.lines().rev().filter_map(|line| line.split(' ').nth(1)?.parse().ok()).collect()
    }
}
