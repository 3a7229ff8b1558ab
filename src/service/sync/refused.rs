//! Remotes that let no ref be deleted, as `receive.denyDeletes` has it: they are asked once a day.

use std::path::PathBuf;

use crate::platform::git::{Cause, PushResult, Repo};
use crate::platform::{clock, fs};
use crate::service::share::Plan;
use crate::store::refs;

const A_DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn path(repo: &Repo, remote: &str) -> PathBuf {
    let root = refs::tracking_root(remote);
    let name = root.strip_prefix(refs::TRACKING).unwrap_or(&root).trim_end_matches('/');
    repo.state_dir().join("cache").join("keeps-refs").join(name)
}

/// Returns why a deletion was refused by the remote itself. Where another value was found than the
/// one that was expected, that was git on this side, and only somebody else was faster.
pub(super) fn deletion(plan: &Plan, result: &PushResult) -> Option<String> {
    let is_delete = |name: &String| plan.updates.iter().any(|it| it.name == *name && it.new.is_none());
    let refused = result.refused.iter().find(|it| it.cause == Cause::Unwanted && is_delete(&it.name));
    refused.map(|refusal| refusal.reason.clone())
}

/// Whether `remote` refused to delete refs within the last day.
pub(super) fn is_known(repo: &Repo, remote: &str) -> bool {
    let bytes = fs::read_if_there(&path(repo, remote)).ok().flatten().unwrap_or_default();
    let since: Option<u64> = String::from_utf8_lossy(&bytes).trim().parse().ok();
    since.and_then(|since| clock::now_ms().checked_sub(since)).is_some_and(|age| age < A_DAY_MS)
}

/// Remembers that `remote` refuses. What cannot be written is asked again.
pub(super) fn remember(repo: &Repo, remote: &str) {
    let text = format!("{}\n", clock::now_ms());
    drop(fs::replace_file(&path(repo, remote), text.as_bytes(), false));
}

/// Forgets that `remote` refused.
pub(super) fn forget(repo: &Repo, remote: &str) {
    drop(fs::remove_if_there(&path(repo, remote)));
}
