//! Files that appear whole or not at all.

mod drafts;
mod folders;
mod modes;
mod whole;

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

pub use self::drafts::{DraftFolder, is_writable, old_drafts, remove_draft, remove_old_drafts};
pub use self::folders::{
    forget_oldest, is_real_dir, make_private_dir, move_dir, remove_empty_dirs, remove_tree, size_of,
};
pub use self::modes::{is_executable, is_executable_to_git, make_executable};
pub use self::whole::WholeFile;

use self::drafts::draft_in;
use self::modes::copy_mode;
use super::{clock, fail};

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
    fail::room()?;
    let mut draft = draft_in(dir)?;
    draft.write_all(bytes)?;
    copy_mode(path, draft.as_file())?;
    if sync {
        draft.as_file().sync_all()?;
    }
    fail::point("fs.draft");
    draft.persist(path)?;
    fail::point("fs.replaced");
    if sync {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

/// Writes a file that is not there yet, for this user only, with the folders above it.
///
/// # Errors
///
/// Any error of the file system, also if the file is there.
pub fn write_new_file(path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if executable { 0o700 } else { 0o600 });
    #[cfg(not(unix))]
    let _ = executable;
    fail::room()?;
    options.open(path)?.write_all(bytes)
}

/// Puts what `pass` makes of a file in its place, whole or not at all, if it is anything else. `pass` is given
/// the bytes piece by piece, and nothing at the end. Returns whether the file changed.
///
/// # Errors
///
/// Any error of the file system; the file is as it was then.
pub fn rewrite_file(path: &Path, pass: &mut dyn FnMut(&[u8], &mut Vec<u8>)) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut draft = draft_in(dir)?;
    let (mut before, mut after) = (Sha256::new(), Sha256::new());
    let mut piece = vec![0; 64 * 1024];
    loop {
        let n_read = file.read(&mut piece)?;
        before.update(&piece[..n_read]);
        let mut passed = Vec::new();
        pass(&piece[..n_read], &mut passed);
        after.update(&passed);
        draft.write_all(&passed)?;
        if n_read == 0 {
            break;
        }
    }
    let changed = before.finalize() != after.finalize();
    if changed {
        draft.as_file().sync_all()?;
        draft.persist(path).map_err(|err| err.error)?;
    }
    Ok(changed)
}

/// Writes a script that everybody may run, whole or not at all.
///
/// # Errors
///
/// Any error of the file system.
pub fn replace_script(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut draft = draft_in(dir)?;
    draft.write_all(bytes)?;
    #[cfg(unix)]
    draft.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    draft.as_file().sync_all()?;
    draft.persist(path).map_err(|err| err.error)?;
    Ok(())
}

/// Makes a file for this user only, and opens it to be written and read.
///
/// # Errors
///
/// Any error of the file system, also if the file is there.
pub fn create_private(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a link that is not there yet, with the folders above it. Where there are no links it is a
/// file that holds the target, as git does it.
///
/// # Errors
///
/// Any error of the file system, also if something is there.
pub fn write_new_link(path: &Path, target: &[u8]) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;

        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), path)
    }
    #[cfg(not(unix))]
    write_new_file(path, target, false)
}

/// Returns the path of these bytes; `None` where paths are something else.
pub fn path_of_bytes(bytes: &[u8]) -> Option<PathBuf> {
    gix::path::from_byte_slice(bytes).ok().map(Path::to_owned)
}

/// Puts a file, or what was renamed, made or removed in a folder, on the disk. Not every file system can.
pub fn sync(path: &Path) {
    if let Ok(file) = File::open(path) {
        drop(file.sync_all());
    }
}

/// Whether `path` is a file, and no link, with exactly these bytes.
pub fn is_file_with(path: &Path, bytes: &[u8]) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
        && fs::read(path).is_ok_and(|read| read == bytes)
}

/// Whether `path` is what [`write_new_link`] made for `target`.
pub fn is_link_to(path: &Path, target: &[u8]) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;

        fs::read_link(path).is_ok_and(|read| read.as_os_str().as_bytes() == target)
    }
    #[cfg(not(unix))]
    is_file_with(path, target)
}

/// Whether there is something at `path` that was last written longer ago than `age`.
pub fn is_older(path: &Path, age: Duration) -> bool {
    let modified = || {
        let modified = fs::symlink_metadata(path).and_then(|meta| meta.modified()).ok()?;
        modified.duration_since(std::time::UNIX_EPOCH).ok()
    };
    modified().is_some_and(|modified| modified + age < Duration::from_millis(clock::now_ms()))
}

/// Whether both paths lead to one file, through links. `false` where that cannot be told.
#[cfg(unix)]
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let id = |path: &Path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino()));
    matches!((id(one), id(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(not(unix))]
pub fn is_same_file(_: &Path, _: &Path) -> bool {
    false
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

/// Returns the beginning of a file, all of it if it has less than a kilobyte, or `None` if there is
/// none. Costs one read.
///
/// # Errors
///
/// Any error but "not found".
pub fn read_short(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = [0; 1024];
    match File::open(path).and_then(|mut file| file.read(&mut bytes)) {
        Ok(n_read) => Ok(Some(bytes[..n_read].to_vec())),
        Err(err) if is_missing(&err) => Ok(None),
        Err(err) => Err(err),
    }
}

/// What a bounded read found.
#[derive(Debug)]
pub enum Bounded {
    Bytes(Vec<u8>),
    Missing,
    TooLong,
    /// A folder, a pipe, or a device, which may have no end.
    NotAFile,
}

/// Returns the bytes of a file that has at most `max_len` of them. A missing file costs one failed
/// open.
///
/// # Errors
///
/// Any error but "not found".
pub fn read_bounded(path: &Path, max_len: u64) -> io::Result<Bounded> {
    // To open a pipe would wait for somebody who writes into it.
    let file = match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => return Ok(Bounded::NotAFile),
        Ok(_) => File::open(path),
        Err(err) => Err(err),
    };
    let file = match file {
        Ok(file) => file,
        Err(err) if is_missing(&err) => return Ok(Bounded::Missing),
        Err(err) => return Err(err),
    };
    let mut bytes = Vec::new();
    // The file may grow after its length was read.
    file.take(max_len.saturating_add(1)).read_to_end(&mut bytes)?;
    let too_long = u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max_len;
    Ok(if too_long { Bounded::TooLong } else { Bounded::Bytes(bytes) })
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
