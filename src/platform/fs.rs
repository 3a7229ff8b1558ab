//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use super::fail;

/// Replaces `path` by a file with `bytes`: a reader, or a crash, sees the old or the new one.
///
/// Creates the folder. The mode of an existing file is kept. With `sync` the bytes are on the disk
/// when this returns.
///
/// # Errors
///
/// Any error of the file system; then `path` is as it was.
pub fn replace_file(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let dir = path.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(dir)?;
    let mut draft = tempfile::NamedTempFile::new_in(dir)?;
    draft.write_all(bytes)?;
    copy_mode(path, draft.as_file())?;
    if sync {
        draft.as_file().sync_all()?;
    }
    fail::point("fs.replace");
    draft.persist(path)?;
    if sync {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

/// A temporary file is private; a file in its place is not.
fn copy_mode(path: &Path, draft: &File) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(meta) => draft.set_permissions(meta.permissions()),
        #[cfg(unix)]
        Err(_) => {
            use std::os::unix::fs::PermissionsExt as _;
            draft.set_permissions(fs::Permissions::from_mode(0o644))
        }
        #[cfg(not(unix))]
        Err(_) => Ok(()),
    }
}

/// Returns the text of a file, or `None` if there is none.
///
/// # Errors
///
/// Any error but "not found".
pub fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(err) if is_missing(&err) => Ok(None),
        Err(err) => Err(err),
    }
}

/// Removes a file that may be gone already.
///
/// # Errors
///
/// Any error but "not found".
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(err) if !is_missing(&err) => Err(err),
        _ => Ok(()),
    }
}

fn is_missing(err: &io::Error) -> bool {
    matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
