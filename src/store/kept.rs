//! What is kept of a worktree in this clone: a commit that nobody has checked out, under a ref that is
//! never pushed.
//!
//! Its tree is what lay there. Its parents are the commit that was checked out, a commit of what was
//! staged (as `git stash` has it, so that `git stash apply` knows it), and the tip of the branch if that
//! was another commit. Its message says the rest, a `Key: value` a line.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::id::{Name, Oid, Ulid};
use crate::domain::text;
use crate::platform::git::{Captured, Error, Identity, Move, MoveError, NewCommit, NotHeld, Repo};
use crate::platform::lock::{self, Lock};
use crate::platform::{clock, fail, fs};
use crate::store::refs;

/// How long it is kept.
pub const MAX_AGE: Duration = Duration::from_hours(30 * 24);

/// The version of the message.
const VERSION: &str = "1";

/// How many paths that are not held are named.
const MAX_NAMED: usize = 200;

/// Why it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Somebody else was about to change the worktree.
    Snapshot,
    /// Worktree and branch were removed.
    Trash,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Trash => "trash",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Snapshot => refs::SNAPSHOTS,
            Self::Trash => refs::TRASH,
        }
    }
}

/// What is kept of one worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub kind: Kind,
    /// Begins with the time at which it was made.
    pub id: Ulid,
    /// The ref.
    pub name: String,
    pub commit: Oid,
    /// The rest of what is known; `None` if the commit cannot be read.
    pub about: Option<About>,
    pub protocol: Name,
}

/// What the commit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// What lay there.
    pub tree: Oid,
    /// The commit that was checked out.
    pub head: Oid,
    /// What was staged, as a tree; `None` if no tree could say it.
    pub index: Option<Oid>,
    /// The branch that was checked out, without `refs/heads/`.
    pub branch: Option<String>,
    /// The tip of the protocol's branch, if there was one.
    pub tip: Option<Oid>,
    /// The folder of the worktree.
    pub dir: Option<PathBuf>,
    /// For people, as in `before a run`.
    pub why: String,
    /// The command that made it.
    pub op: Option<Ulid>,
    /// What lay there and is not held: why and what, for people.
    pub not_held: Vec<(String, String)>,
}

impl Kept {
    /// Returns when it was made, in milliseconds since 1970.
    pub fn at_ms(&self) -> u64 {
        self.id.timestamp_ms()
    }

    /// Returns when it may go, in milliseconds since 1970.
    pub fn until_ms(&self) -> u64 {
        self.at_ms().saturating_add(u64::try_from(MAX_AGE.as_millis()).unwrap_or(u64::MAX))
    }

    /// Whether `text` names it: the beginning or the end of its id, or its ref.
    pub fn is_named_by(&self, text: &str) -> bool {
        let (id, wanted) = (self.id.to_string(), text.to_ascii_uppercase());
        let is_part = wanted.len() >= 4 && (id.starts_with(&wanted) || id.ends_with(&wanted));
        is_part || self.name == text || self.name.strip_prefix(refs::LOCAL) == Some(text)
    }
}

/// What is to be kept.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    pub kind: Kind,
    pub protocol: &'a Name,
    pub head: Oid,
    pub branch: Option<&'a str>,
    pub tip: Option<Oid>,
    pub dir: &'a Path,
    pub why: &'a str,
    pub op: Ulid,
    pub captured: &'a Captured,
}

/// Why nothing is kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    #[error(transparent)]
    Git(#[from] Error),
    #[error("a ref could not be moved")]
    Move(#[from] MoveError),
    #[error(transparent)]
    Lock(#[from] lock::Error),
}

/// Keeps it. When this returns, the ref and all that it reaches are on the disk: what is kept may go.
///
/// # Errors
///
/// [`KeepError`]; then nothing is kept, and nothing may go.
pub fn keep(repo: &Repo, new: &New<'_>, limit: Duration) -> Result<Kept, KeepError> {
    let who = identity(repo);
    let commit = |tree: Oid, parents: Vec<Oid>, message: String| {
        let (author, committer) = (&who, &who);
        repo.write_commit(&NewCommit { tree, parents, message, author, committer, for_people: false })
    };
    let (captured, head_tree) = (new.captured, repo.tree_of(new.head)?);
    let mut parents = vec![new.head];
    if let Some(index) = captured.index {
        parents.push(commit(index, vec![new.head], format!("what was staged of {}\n", new.protocol))?);
        repo.make_tree_durable(index, Some(head_tree))?;
    }
    parents.extend(new.tip.filter(|tip| *tip != new.head));
    let kept = commit(captured.tree, parents.clone(), message(new))?;
    repo.make_tree_durable(captured.tree, Some(head_tree))?;
    for oid in parents.into_iter().chain([kept]) {
        repo.fsync_loose(oid);
    }
    fail::point("kept.commit");
    let id = clock::new_id();
    let name = format!("{}{}/{id}", new.kind.folder(), new.protocol);
    let mut guard = Lock::acquire(&repo.state_dir().join("locks").join("kept"), limit)?;
    let reason = format!("git-godzilla: {}", new.why);
    repo.move_ref(Move { name: &name, expected: None, new: kept, who: &who, message: &reason }, &mut guard)?;
    drop(guard);
    let path = repo.common_dir().join(&name);
    path.ancestors().take(5).for_each(fs::sync);
    fail::point("kept.ref");
    Ok(Kept {
        kind: new.kind,
        id,
        commit: kept,
        about: about(repo, kept),
        protocol: new.protocol.clone(),
        name,
    })
}

/// Who makes what only this clone sees: also somebody without a name must not lose anything.
pub fn identity(repo: &Repo) -> Identity {
    let nobody = || Identity { name: "git-godzilla".to_owned(), email: "git-godzilla@localhost".to_owned() };
    repo.committer().unwrap_or_else(nobody)
}

fn message(new: &New<'_>) -> String {
    let captured = new.captured;
    let mut text = format!("{} of {}: {}\n\n", new.kind.as_str(), new.protocol, text::one_line(new.why));
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        // Writing to a `String` cannot fail.
        writeln!(text, "{key}: {value}").ok();
    };
    line("Kept", &VERSION);
    line("Head", &new.head);
    if let Some(index) = captured.index {
        line("Index", &index);
    }
    if let Some(branch) = new.branch {
        line("Branch", &escape(branch.as_bytes()));
    }
    if let Some(tip) = new.tip {
        line("Tip", &tip);
    }
    line("Worktree", &escape_path(new.dir));
    line("Op", &new.op);
    for NotHeld { path, why } in captured.not_held.iter().take(MAX_NAMED) {
        line("Not-Held", &format!("{} {}", why.as_str(), escape(path)));
    }
    if let Some(more @ 1..) = captured.not_held.len().checked_sub(MAX_NAMED) {
        line("Not-Held", &format!("more {more}"));
    }
    text
}

/// Returns what a commit says of what it keeps; `None` if it cannot be read.
fn about(repo: &Repo, commit: Oid) -> Option<About> {
    let info = repo.commit(commit).ok()?;
    let message = String::from_utf8_lossy(&info.message).into_owned();
    let (subject, rest) = message.split_once('\n').unwrap_or((&message, ""));
    let values = |key: &'static str| {
        let of_key = move |line: &'_ str| line.strip_prefix(key)?.strip_prefix(": ").map(str::to_owned);
        rest.lines().filter_map(of_key).collect::<Vec<String>>()
    };
    let value = |key: &'static str| values(key).into_iter().next();
    let oid = |key: &'static str| value(key).and_then(|text| text.parse().ok());
    let not_held = |line: String| {
        let (why, path) = line.split_once(' ')?;
        Some((why.to_owned(), text::one_line(&String::from_utf8_lossy(&unescape(path)))))
    };
    Some(About {
        tree: info.tree,
        // The first ones said nothing but what they are for.
        head: oid("Head").or_else(|| info.parents.first().copied())?,
        index: oid("Index"),
        branch: value("Branch").map(|text| String::from_utf8_lossy(&unescape(&text)).into_owned()),
        tip: oid("Tip"),
        dir: value("Worktree").and_then(|text| unescape_path(&text)),
        why: text::one_line(subject.split_once(": ").map_or(subject, |(_, why)| why)),
        op: value("Op").and_then(|text| text.parse().ok()),
        not_held: values("Not-Held").into_iter().filter_map(not_held).collect(),
    })
}

/// Returns all that is kept, the newest first.
///
/// # Errors
///
/// [`Error`] if the refs cannot be listed.
pub fn list(repo: &Repo) -> Result<Vec<Kept>, Error> {
    let mut all = unread(repo)?;
    for kept in &mut all {
        kept.about = about(repo, kept.commit);
    }
    Ok(all)
}

/// As [`list`], without what the commits say.
///
/// # Errors
///
/// As [`list`].
pub fn unread(repo: &Repo) -> Result<Vec<Kept>, Error> {
    let mut found = Vec::new();
    for kind in [Kind::Snapshot, Kind::Trash] {
        for (name, commit) in repo.refs(kind.folder())? {
            let parts = name.strip_prefix(kind.folder()).and_then(|rest| rest.split_once('/'));
            let Some((protocol, id)) = parts else { continue };
            // What is named otherwise is not ours to read.
            if let (Ok(protocol), Ok(id)) = (protocol.parse(), id.parse()) {
                found.push(Kept { kind, id, name, commit, about: None, protocol });
            }
        }
    }
    found.sort_by_key(|kept| std::cmp::Reverse(kept.id));
    Ok(found)
}

/// Lets something go.
///
/// # Errors
///
/// [`Error`] if the ref is another one by now, or cannot be removed.
pub fn forget(repo: &Repo, kept: &Kept) -> Result<(), Error> {
    repo.git_output(&["update-ref", "--no-deref", "-d", &kept.name, &kept.commit.to_string()])?;
    fail::point("kept.forgotten");
    Ok(())
}

/// Writes a path, which may hold any bytes, as visible ASCII in one line.
pub fn escape_path(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}

/// Returns the path that [`escape_path`] wrote.
pub fn unescape_path(text: &str) -> Option<PathBuf> {
    fs::path_of_bytes(&unescape(text))
}

fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b' '..=b'~' if *byte != b'%' => text.push(char::from(*byte)),
            // Writing to a `String` cannot fail.
            byte => drop(write!(text, "%{byte:02x}")),
        }
    }
    text
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = || u8::from_str_radix(std::str::from_utf8(after.get(..2)?).ok()?, 16).ok();
        let byte = code().filter(|_| *first == b'%');
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_is_one_line_and_comes_back() {
        for bytes in [&b"/some/a b"[..], b"a\nHead: 0\xff%41", b"", b"%", b"100%zz"] {
            let text = escape(bytes);
            assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{text}");
            assert_eq!(unescape(&text), bytes);
        }
        // What somebody wrote by hand is not lost either.
        assert_eq!(unescape("50%"), b"50%");
    }
}
