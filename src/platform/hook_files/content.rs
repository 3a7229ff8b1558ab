//! One hook file as bytes or as a link, read whole and replaced whole.
//!
//! Nothing here follows a symbolic link, so what a link points to can neither
//! be mistaken for the hook nor be overwritten.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{Error, io_error};
use crate::platform::fail;

/// How the names of unfinished files begin.
const DRAFT_PREFIX: &str = ".godzilla-draft-";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    File(Vec<u8>),
    Link(PathBuf),
}

/// Who may do what with a new file.
#[derive(Clone, Debug)]
pub(super) enum Access {
    /// Everybody whom the umask lets may read and run it.
    Run,
    /// Everybody whom the umask lets may read it.
    Read,
    Exactly(Permissions),
}

impl Content {
    /// Reads what is at `path`; `None` if nothing is.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Error> {
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(err) if is_absent(&err) => return Ok(None),
            Err(err) => return Err(io_error("look at", path)(err)),
        };
        let content = if metadata.is_symlink() {
            Self::Link(fs::read_link(path).map_err(io_error("read", path))?)
        } else if metadata.is_file() {
            Self::File(fs::read(path).map_err(io_error("read", path))?)
        } else {
            return Err(Error::NotAFile { path: path.to_owned() });
        };
        Ok(Some(content))
    }

    /// Puts this at `path`, in place of whatever is there, in one step.
    pub(super) fn put(&self, path: &Path, access: &Access) -> Result<(), Error> {
        match self {
            Self::File(bytes) => {
                let write = || {
                    let draft = draft(path, bytes, access.clone())?;
                    fail::point("hooks.draft_written");
                    draft.persist(path).map_err(|err| err.error)
                };
                // Who installs at the same time may take a draft for one that was left.
                match write() {
                    Err(err) if is_absent(&err) => write(),
                    written => written,
                }
                .map_err(io_error("write", path))?;
            }
            Self::Link(target) => {
                let draft = tempfile::Builder::new()
                    .prefix(DRAFT_PREFIX)
                    .make_in(parent(path), |draft| symlink(target, draft))
                    .map_err(io_error("link", path))?;
                fail::point("hooks.draft_written");
                draft.persist(path).map_err(|err| io_error("link", path)(err.error))?;
            }
        }
        Ok(())
    }

    /// Makes `copy` a second name of this, which is what `path` holds. `path`
    /// stays as it is.
    ///
    /// Fails if something else is at `copy`; that it is already there is fine.
    pub(super) fn keep(&self, path: &Path, copy: &Path) -> Result<(), Error> {
        let kept = match self {
            Self::Link(target) => symlink(target, copy),
            // A link by name keeps owner, mode and times. Where the file system
            // has none, or protects files of others, a copy has to do.
            Self::File(bytes) => fs::hard_link(path, copy).or_else(|err| match err.kind() {
                io::ErrorKind::AlreadyExists => Err(err),
                _ => copy_to(path, bytes, copy),
            }),
        };
        match kept {
            Ok(()) => sync_dir(parent(copy)),
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {
                if Self::read(copy)?.as_ref() != Some(self) {
                    return Err(Error::KeptTwice { path: copy.to_owned() });
                }
                if matches!(self, Self::File(_)) {
                    fs::metadata(path)
                        .and_then(|metadata| fs::set_permissions(copy, metadata.permissions()))
                        .map_err(io_error("set the mode of", copy))?;
                }
            }
            Err(err) => return Err(io_error("write", copy)(err)),
        }
        Ok(())
    }

    /// Whether `other` is this with lines added at the end, or none.
    pub(super) fn is_start_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(start), Self::File(whole)) => whole.starts_with(start),
            _ => self == other,
        }
    }
}

/// Removes a file or link; that it is gone already is fine.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(err) if !is_absent(&err) => Err(io_error("remove", path)(err)),
        _ => Ok(()),
    }
}

/// Removes what killed processes left unfinished in `dir`.
pub(super) fn remove_drafts(dir: &Path) -> Result<(), Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(err) if is_absent(&err) => return Ok(()),
        Err(err) => return Err(io_error("list", dir)(err)),
    };
    for entry in entries {
        let entry = entry.map_err(io_error("list", dir))?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(DRAFT_PREFIX.as_bytes()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Whether `err` means that there is nothing at a path, also because its parent
/// is a file such as `/dev/null`.
pub(super) fn is_absent(err: &io::Error) -> bool {
    matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Writes `bytes` durably to a new file beside `path`, which goes away again if
/// it is dropped.
pub(super) fn draft(path: &Path, bytes: &[u8], access: Access) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(DRAFT_PREFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;

        let mode = match access {
            Access::Run => 0o777,
            Access::Read => 0o666,
            Access::Exactly(_) => 0o600,
        };
        builder.permissions(Permissions::from_mode(mode));
    }

    let mut draft = builder.tempfile_in(parent(path))?;
    draft.write_all(bytes)?;
    if let Access::Exactly(permissions) = access {
        draft.as_file().set_permissions(permissions)?;
    }
    draft.as_file().sync_all()?;
    Ok(draft)
}

fn copy_to(path: &Path, bytes: &[u8], copy: &Path) -> io::Result<()> {
    let permissions = fs::metadata(path)?.permissions();
    draft(copy, bytes, Access::Exactly(permissions))?.persist_noclobber(copy).map_err(|err| err.error)?;
    Ok(())
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(_target: &Path, _link: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes new names in `dir` survive a power failure, where that is possible.
#[cfg(unix)]
fn sync_dir(dir: &Path) {
    // Some file systems refuse; they order renames as they can.
    fs::File::open(dir).and_then(|dir| dir.sync_all()).ok();
}

#[cfg(not(unix))]
fn sync_dir(_dir: &Path) {}
