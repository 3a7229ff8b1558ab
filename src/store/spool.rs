//! Events that could not be written to their stream in time, with their final bytes.
//!
//! The spool is part of what is read of a stream; the next write takes it in and removes it. Taking
//! it in twice is taking it in once.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::content::Line;
use crate::domain::id::{Digest, Name, Ulid};
use crate::platform::fail;
use crate::platform::git::Repo;

/// Lines that wait with the plans that they name, and the files that hold them.
#[derive(Debug, Default)]
pub struct Spooled {
    pub lines: Vec<Vec<u8>>,
    pub specs: Vec<String>,
    files: Vec<PathBuf>,
}

fn dir(repo: &Repo, name: &Name) -> PathBuf {
    repo.state_dir().join("spool").join(name.as_str())
}

/// Puts `lines` and the plans that they name aside for the stream `name`; they are on the disk when this
/// returns.
///
/// # Errors
///
/// Any error of the file system.
pub fn put(
    repo: &Repo,
    name: &Name,
    op: Ulid,
    lines: &[Line],
    specs: &[(Digest, &String)],
) -> io::Result<()> {
    for (digest, spec) in specs {
        let path = dir(repo, name).join(format!("{digest}.json"));
        crate::platform::fs::replace_file(&path, spec.as_bytes(), true)?;
    }
    let mut bytes = Vec::new();
    for line in lines {
        bytes.extend_from_slice(line.text.as_bytes());
        bytes.push(b'\n');
    }
    let path = dir(repo, name).join(format!("{op}.jsonl"));
    crate::platform::fs::replace_file(&path, &bytes, true)?;
    fail::point("spool.put");
    Ok(())
}

/// Returns the names of streams that have spooled events.
pub fn names(repo: &Repo) -> Vec<Name> {
    let Ok(entries) = fs::read_dir(repo.state_dir().join("spool")) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Returns what waits for the stream `name`.
pub fn read(repo: &Repo, name: &Name) -> Spooled {
    let mut spooled = Spooled::default();
    let Ok(entries) = fs::read_dir(dir(repo, name)) else { return spooled };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "json") {
            if let Ok(spec) = fs::read_to_string(&path) {
                spooled.specs.push(spec);
                spooled.files.push(path);
            }
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        if let Ok(bytes) = fs::read(&path) {
            spooled
                .lines
                .extend(bytes.split(|byte| *byte == b'\n').filter(|l| !l.is_empty()).map(<[u8]>::to_vec));
            spooled.files.push(path);
        }
    }
    spooled
}

/// Removes what was taken in.
pub fn clear(repo: &Repo, name: &Name, spooled: &Spooled) {
    for path in &spooled.files {
        drop(fs::remove_file(path));
        fail::point("spool.taken");
    }
    if !spooled.files.is_empty() {
        drop(fs::remove_dir(dir(repo, name)));
    }
}
