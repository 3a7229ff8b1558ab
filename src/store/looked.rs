//! How far a base was looked through for a merge that it does not hold, so that nobody looks twice.
//! Deleting it changes nothing but time.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::cache::checksum;
use crate::domain::id::{Name, Oid};
use crate::platform::fs;
use crate::platform::git::Repo;

/// What was looked for, how far, and what part of it was there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// What was looked for.
    pub key: u64,
    /// The tip of the base that holds no merge.
    pub base: Option<Oid>,
    /// Up to where the base was searched for copies.
    pub searched: Option<Oid>,
    /// Commits of the branch, and the copies that the base has of them.
    pub copies: Vec<(Oid, Oid)>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: String,
    key: u64,
    base: Option<String>,
    searched: Option<String>,
    copies: Vec<(String, String)>,
}

fn path(repo: &Repo, name: &Name) -> PathBuf {
    repo.state_dir().join("cache").join("merges").join(name.as_str())
}

/// Returns how far it was looked for `key`; what cannot be read was never looked at.
pub fn read(repo: &Repo, name: &Name, key: u64) -> Looked {
    let read = || {
        let bytes = fs::read_if_there(&path(repo, name)).ok()??;
        let (sum, rest) = bytes.split_first_chunk()?;
        let stored: Stored = postcard::from_bytes(rest).ok().filter(|_| *sum == checksum(rest))?;
        (stored.version == env!("CARGO_PKG_VERSION") && stored.key == key).then_some(stored)
    };
    let oid = |text: String| text.parse().ok();
    let Some(stored) = read() else { return Looked { key, ..Looked::default() } };
    Looked {
        key,
        base: stored.base.and_then(oid),
        searched: stored.searched.and_then(oid),
        copies: stored.copies.into_iter().filter_map(|(of, copy)| Some((oid(of)?, oid(copy)?))).collect(),
    }
}

/// Writes how far it was looked. What cannot be written is not missed.
pub fn write(repo: &Repo, name: &Name, looked: &Looked) {
    let text = |oid: Oid| oid.to_string();
    let stored = Stored {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        key: looked.key,
        base: looked.base.map(text),
        searched: looked.searched.map(text),
        copies: looked.copies.iter().map(|(of, copy)| (text(*of), text(*copy))).collect(),
    };
    if let Ok(bytes) = postcard::to_stdvec(&stored) {
        let bytes = [checksum(&bytes).as_slice(), &bytes].concat();
        drop(fs::replace_file(&path(repo, name), &bytes, false));
    }
}

/// Forgets what was looked for: it is there now, or nobody asks any more.
pub fn forget(repo: &Repo, name: &Name) {
    drop(fs::remove_if_there(&path(repo, name)));
}
