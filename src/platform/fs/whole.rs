//! Files that appear whole and in nobody's place.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use super::drafts::draft_in;
use crate::platform::fail;

/// A file that appears whole or not at all, and never in the place of another one.
#[derive(Debug)]
pub struct WholeFile {
    draft: io::BufWriter<tempfile::NamedTempFile>,
    path: PathBuf,
}

impl WholeFile {
    /// Begins a file beside its place.
    ///
    /// # Errors
    ///
    /// Any error of the file system.
    pub fn new(path: &Path) -> io::Result<Self> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let draft = draft_in(dir)?;
        Ok(Self { draft: io::BufWriter::new(draft), path: path.to_owned() })
    }

    /// Puts it in its place, on the disk. Returns whether it did: a file with the same bytes may be there.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AlreadyExists`] if another file is there, or any error of the file system.
    pub fn finish(self) -> io::Result<bool> {
        let draft = self.draft.into_inner().map_err(io::IntoInnerError::into_error)?;
        draft.as_file().sync_all()?;
        fail::point("fs.whole");
        match draft.persist_noclobber(&self.path) {
            Ok(_) => Ok(true),
            Err(err) if err.error.kind() == io::ErrorKind::AlreadyExists => {
                let is_same = has_same_bytes(err.file.path(), &self.path)?;
                if is_same { Ok(false) } else { Err(err.error) }
            }
            Err(err) => Err(err.error),
        }
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.draft.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.draft.flush()
    }
}

fn has_same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    const PIECE: u64 = 1 << 20;

    let (one, other) = (File::open(one)?, File::open(other)?);
    if !other.metadata()?.is_file() {
        return Ok(false);
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        left.clear();
        right.clear();
        (&one).take(PIECE).read_to_end(&mut left)?;
        (&other).take(PIECE).read_to_end(&mut right)?;
        if left != right || left.is_empty() {
            return Ok(left == right);
        }
    }
}
