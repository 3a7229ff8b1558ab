//! What is not finished, and what of it was left by processes that died.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

use super::is_older;

/// How the names of unfinished files begin.
const DRAFT_PREFIX: &str = ".godzilla-draft-";

/// A draft lives for milliseconds; one that is older than this was left by a process that died.
const MAX_DRAFT_AGE: Duration = Duration::from_hours(1);

/// Makes an unfinished file in `dir`, which goes away again if it is dropped.
pub(super) fn draft_in(dir: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(DRAFT_PREFIX).tempfile_in(dir)
}

/// A folder for what is of use only to this process, which goes with it. However long that takes,
/// nobody takes it for the leftover of a dead one.
#[derive(Debug)]
pub struct DraftFolder {
    folder: tempfile::TempDir,
    /// Locked until the process is gone. Not every file system can do that for folders.
    _held: Option<File>,
}

impl DraftFolder {
    /// Makes a folder in `dir`, which is made as well.
    ///
    /// # Errors
    ///
    /// Any error of the file system.
    pub fn new(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let folder = tempfile::Builder::new().prefix(DRAFT_PREFIX).tempdir_in(dir)?;
        let held = File::open(folder.path()).ok().filter(|file| file.try_lock().is_ok());
        Ok(Self { folder, _held: held })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes what processes that died left unfinished in `dir`. Whatever cannot be removed stays: it
/// does no harm.
pub fn remove_old_drafts(dir: &Path) {
    for draft in old_drafts(dir) {
        drop(remove_draft(&draft));
    }
}

/// Removes a draft, which may be a folder.
///
/// # Errors
///
/// Any error of the file system.
pub fn remove_draft(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// Returns what processes that died left unfinished in `dir`.
pub fn old_drafts(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let is_draft =
        |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(DRAFT_PREFIX.as_bytes());
    let drafts = entries.flatten().filter(is_draft).map(|entry| entry.path());
    drafts.filter(|path| is_older(path, MAX_DRAFT_AGE) && !is_held(path)).collect()
}

/// Whether a process that lives holds this [`DraftFolder`].
fn is_held(path: &Path) -> bool {
    let is_locked = |file: File| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock));
    path.is_dir() && File::open(path).is_ok_and(is_locked)
}

/// Whether files can be made in `dir`.
pub fn is_writable(dir: &Path) -> bool {
    draft_in(dir).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_a_process_at_work_is_no_leftover_however_old() {
        let dir = tempfile::tempdir().unwrap();
        let draft = DraftFolder::new(dir.path()).unwrap();
        let long_ago = std::time::UNIX_EPOCH + MAX_DRAFT_AGE;
        File::open(draft.path()).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(old_drafts(dir.path()), Vec::<PathBuf>::new());
        // As after a kill: the folder stays and nobody holds it.
        let DraftFolder { folder, _held: held } = draft;
        drop(held);
        let path = folder.keep();
        assert_eq!(old_drafts(dir.path()), [path]);
        remove_old_drafts(dir.path());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
