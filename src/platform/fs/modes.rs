//! Who may read a file, and who may run it.

use std::fs::{self, File, Metadata};
use std::io;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Whether there is a file that somebody may run, links followed.
pub fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && has_execute_bit(&meta))
}

#[cfg(unix)]
fn has_execute_bit(meta: &Metadata) -> bool {
    meta.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn has_execute_bit(_: &Metadata) -> bool {
    true
}

/// Whether git would record a file as one to be run: its owner may.
#[cfg(unix)]
pub fn is_executable_to_git(meta: &Metadata) -> bool {
    meta.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
pub fn is_executable_to_git(_: &Metadata) -> bool {
    false
}

/// Lets whoever may read a file run it as well, or nobody.
///
/// # Errors
///
/// Any error of the file system.
#[cfg(unix)]
pub fn make_executable(path: &Path, executable: bool) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    let wanted = if executable { mode | (mode & 0o444) >> 2 } else { mode & !0o111 };
    if wanted == mode { Ok(()) } else { fs::set_permissions(path, fs::Permissions::from_mode(wanted)) }
}

#[cfg(not(unix))]
pub fn make_executable(_: &Path, _: bool) -> io::Result<()> {
    Ok(())
}

/// A temporary file is private; a file in its place is not.
pub(super) fn copy_mode(path: &Path, draft: &File) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(meta) => draft.set_permissions(meta.permissions()),
        #[cfg(unix)]
        Err(_) => draft.set_permissions(fs::Permissions::from_mode(0o644)),
        #[cfg(not(unix))]
        Err(_) => Ok(()),
    }
}
