//! Files that appear whole or not at all.

mod whole;

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

pub use self::whole::WholeFile;

use super::lock::Lock;
use super::{clock, fail};

/// How the names of unfinished files begin.
const DRAFT_PREFIX: &str = ".godzilla-draft-";

/// A draft lives for milliseconds; one that is older than this was left by a process that died.
const MAX_DRAFT_AGE: Duration = Duration::from_hours(1);

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
    let mut draft = tempfile::Builder::new().prefix(DRAFT_PREFIX).tempfile_in(dir)?;
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
    let mut draft = tempfile::Builder::new().prefix(DRAFT_PREFIX).tempfile_in(dir)?;
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
    let mut draft = tempfile::Builder::new().prefix(DRAFT_PREFIX).tempfile_in(dir)?;
    draft.write_all(bytes)?;
    #[cfg(unix)]
    draft.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    draft.as_file().sync_all()?;
    draft.persist(path).map_err(|err| err.error)?;
    Ok(())
}

/// Whether somebody may run the file.
pub fn is_executable(path: &Path) -> bool {
    #[cfg(unix)]
    return fs::metadata(path).is_ok_and(|it| {
        it.is_file() && std::os::unix::fs::PermissionsExt::mode(&it.permissions()) & 0o111 != 0
    });
    #[cfg(not(unix))]
    path.is_file()
}

/// Removes a folder with all that is in it; links in it are not followed. It may be gone.
///
/// # Errors
///
/// Any error of the file system.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

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

/// Lets whoever may read a file run it as well, or nobody.
///
/// # Errors
///
/// Any error of the file system.
#[cfg(unix)]
pub fn make_executable(path: &Path, executable: bool) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    let wanted = if executable { mode | (mode & 0o444) >> 2 } else { mode & !0o111 };
    if wanted == mode { Ok(()) } else { fs::set_permissions(path, fs::Permissions::from_mode(wanted)) }
}

#[cfg(not(unix))]
pub fn make_executable(_: &Path, _: bool) -> io::Result<()> {
    Ok(())
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

/// Removes a folder with all that is in it, also what is read-only there; it may be gone already.
///
/// # Errors
///
/// Any error of the file system but "not found".
pub fn remove_all(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(err) if err.kind() == io::ErrorKind::PermissionDenied => {
            unlock(dir);
            fs::remove_dir_all(dir)
        }
        Err(err) if !is_missing(&err) => Err(err),
        _ => Ok(()),
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

/// Whether `path` is a folder, and no link to one.
pub fn is_real_dir(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
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

/// Whether there is something at `path` that was last written longer ago than `age`.
pub fn is_older(path: &Path, age: Duration) -> bool {
    let modified = || {
        let modified = fs::symlink_metadata(path).and_then(|meta| meta.modified()).ok()?;
        modified.duration_since(std::time::UNIX_EPOCH).ok()
    };
    modified().is_some_and(|modified| modified + age < Duration::from_millis(clock::now_ms()))
}

/// Whether files can be made in `dir`.
pub fn is_writable(dir: &Path) -> bool {
    tempfile::Builder::new().prefix(DRAFT_PREFIX).tempfile_in(dir).is_ok()
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
