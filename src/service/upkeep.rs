//! Upkeep of the repository: nothing else packs what is written here.
//!
//! Commands ask git to do what it does after a commit of its own, where its own rule says that there
//! is enough to do; git does it in the background, and nobody waits. Hooks never do.

use std::path::PathBuf;

use crate::platform::git::Repo;
use crate::platform::{clock, fs};
use crate::store::refs;

/// How often git is asked at most: it may find that nothing can be done.
const PAUSE_MS: u64 = 10 * 60 * 1000;

/// From how many on loose refs are packed: each is a file to open.
const MAX_LOOSE_REFS: usize = 500;

/// Lets git pack objects and refs, if there are many and nobody said that it shall not.
pub fn maintain(repo: &Repo) {
    if repo.clone_label().is_none() || !repo.may_maintain() {
        return;
    }
    let has_many_objects = repo.has_many_loose_objects();
    let has_many_refs = || repo.has_many_loose_refs(&[refs::SHARED, refs::TRACKING], MAX_LOOSE_REFS);
    if !has_many_objects && !has_many_refs() {
        return;
    }
    if was_lately(repo) {
        return;
    }
    remember(repo);
    let done = if has_many_objects { repo.maintain_in_background() } else { repo.pack_refs() };
    if let Err(err) = done {
        tracing::debug!(err = super::error_chain(&err), "git did not pack");
    }
}

fn path(repo: &Repo) -> PathBuf {
    repo.state_dir().join("cache").join("maintained")
}

fn was_lately(repo: &Repo) -> bool {
    let bytes = fs::read_if_there(&path(repo)).ok().flatten().unwrap_or_default();
    let since: Option<u64> = String::from_utf8_lossy(&bytes).trim().parse().ok();
    since.and_then(|since| clock::now_ms().checked_sub(since)).is_some_and(|age| age < PAUSE_MS)
}

fn remember(repo: &Repo) {
    drop(fs::replace_file(&path(repo), format!("{}\n", clock::now_ms()).as_bytes(), false));
}
