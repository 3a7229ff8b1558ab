//! What a remote last answered when it did not take our state: one file a remote, in this clone alone.
//! Deleting it changes nothing but that the next push tries again.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::refs;
use crate::domain::id::Digest;
use crate::domain::text::one_line;
use crate::platform::fs::{self, Bounded};
use crate::platform::git::{Remote, Repo};

const VERSION: u64 = 1;

/// What a reason is cut to: it is shown on one line.
const MAX_REASON_CHARS: usize = 300;

const MAX_FILE_BYTES: u64 = 64 << 10;

/// In which way a remote did not take our state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    /// It takes no ref of ours, though it could be reached.
    Refused,
    /// It took some refs and not all, or somebody else was faster.
    Overtaken,
    Auth,
    Unreachable,
    /// It ended the conversation for a reason of its own.
    Failed,
}

impl Said {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Overtaken => "overtaken",
            Self::Auth => "auth",
            Self::Unreachable => "unreachable",
            Self::Failed => "failed",
        }
    }
}

/// An answer of a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub said: Said,
    pub reason: String,
    pub at_ms: u64,
}

/// The stored form.
#[derive(Serialize, Deserialize)]
struct Stored {
    v: u64,
    result: Said,
    reason: String,
    /// The SHA-256 of where it was pushed to, since an address may hold a password.
    address: String,
    at_ms: u64,
}

fn path(repo: &Repo, remote: &str) -> PathBuf {
    repo.state_dir().join("remotes").join(format!("{}.json", refs::encode_remote(remote)))
}

/// Returns what `remote` last answered, if it is still the same address; what cannot be read was
/// never said.
pub fn read(repo: &Repo, remote: &Remote) -> Option<Answer> {
    let Ok(Bounded::Bytes(bytes)) = fs::read_bounded(&path(repo, &remote.name), MAX_FILE_BYTES) else {
        return None;
    };
    let stored: Stored = serde_json::from_slice(&bytes).ok()?;
    let is_same = stored.v == VERSION && stored.address == address(remote);
    let reason = one_line(&stored.reason);
    is_same.then_some(Answer { said: stored.result, reason, at_ms: stored.at_ms })
}

/// Remembers what `remote` answered. What cannot be written is not missed.
pub fn write(repo: &Repo, remote: &Remote, answer: &Answer) {
    let stored = Stored {
        v: VERSION,
        result: answer.said,
        reason: answer.reason.chars().take(MAX_REASON_CHARS).collect(),
        address: address(remote),
        at_ms: answer.at_ms,
    };
    if let Ok(bytes) = serde_json::to_vec(&stored) {
        drop(fs::replace_file(&path(repo, &remote.name), &bytes, false));
    }
}

/// Forgets what `remote` answered: it took what we have.
pub fn forget(repo: &Repo, remote: &str) {
    drop(fs::remove_if_there(&path(repo, remote)));
}

fn address(remote: &Remote) -> String {
    let urls = if remote.push_urls.is_empty() { &remote.urls } else { &remote.push_urls };
    Digest(Sha256::digest(urls.join("\n").as_bytes()).into()).to_string()
}
