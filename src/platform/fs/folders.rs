//! Folders with all that is in them.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use super::sync;
use crate::platform::lock::Lock;

/// Removes a folder with all that is in it, also what is read-only there; links in it are not followed. It
/// may be gone.
///
/// # Errors
///
/// Any error of the file system but "not found".
pub fn remove_tree(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(err) if err.kind() == io::ErrorKind::PermissionDenied => {
            unlock(dir);
            fs::remove_dir_all(dir)
        }
        removed => removed,
    }
}

/// Lets the owner of folders remove what is in them.
#[cfg(unix)]
fn unlock(dir: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    drop(fs::set_permissions(dir, fs::Permissions::from_mode(0o700)));
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| is_real_dir(path)).for_each(|path| unlock(&path));
}

#[cfg(not(unix))]
fn unlock(_: &Path) {}

/// Removes the folders below `dir` that hold nothing, and `dir` if nothing is left in it. What cannot be
/// removed stays.
pub fn remove_empty_dirs(dir: &Path) {
    if !is_real_dir(dir) {
        return;
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        remove_empty_dirs(&entry.path());
    }
    fs::remove_dir(dir).ok();
}

/// Makes a folder for this user only, with those above it; it may be there.
///
/// # Errors
///
/// Any error of the file system.
pub fn make_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Moves a folder to a name that nothing has, on the disk when this returns.
///
/// # Errors
///
/// Any error of the file system, also if something is there.
pub fn move_dir(from: &Path, to: &Path) -> io::Result<()> {
    if to.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)?;
    [from, to].into_iter().filter_map(Path::parent).for_each(sync);
    Ok(())
}

/// Removes folders below `dir` until at most `n_kept` are left: those whose names come first go, unless
/// somebody holds the lock `lock` in them. What cannot be removed stays.
pub fn forget_oldest(dir: &Path, n_kept: usize) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut dirs: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    dirs.sort();
    for dir in dirs.iter().take(dirs.len().saturating_sub(n_kept)) {
        if Lock::acquire(&dir.join("lock"), Duration::ZERO).is_ok() {
            fs::remove_dir_all(dir).ok();
        }
    }
}

/// Returns how many bytes the files below `dir` have, and whether that is all of them: after `max_entries`
/// nobody counts on. Links are not followed.
pub fn size_of(dir: &Path, max_entries: usize) -> (u64, bool) {
    let (mut bytes, mut n_entries) = (0, 0);
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            n_entries += 1;
            if n_entries > max_entries {
                return (bytes, false);
            }
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                folders.push(entry.path());
            } else {
                bytes += meta.len();
            }
        }
    }
    (bytes, true)
}

/// Whether `path` is a folder, and no link to one.
pub fn is_real_dir(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}
