//! Git: objects, refs, walks and configuration in this process through gix; pushes, fetches and
//! worktrees through `git` itself.

mod as_checked_out;
mod capture;
mod config;
mod config_file;
mod date;
mod deletes;
mod guarded;
mod half_made;
mod hardened;
mod hidden;
mod hook_config;
mod leave;
mod leftovers;
mod loose;
mod maintain;
mod moves;
mod notes;
mod objects;
mod open;
mod packs;
mod partial;
mod patches;
mod probe;
mod put;
mod quarantine;
mod refs;
mod run;
mod signing;
mod transport;
mod unasked;
mod user_push;
mod walk;
mod work_tree;
mod worktrees;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

pub use capture::{Captured, Ignored, NotHeld, Why};
pub use config::{ConfigLine, Remote};
pub use guarded::{Guarded, RefMoved, Tampered};
pub use hook_config::{ConfiguredHook, SINCE as CONFIGURED_HOOKS_SINCE};
pub use leftovers::DamagedRef;
pub use moves::{Move, MoveError};
pub use notes::NotesError;
pub use objects::{CommitInfo, NewCommit, TreeEntry};
pub use open::{OpenError, init_if_needed};
pub use patches::{Changes, Paths};
pub use probe::{Scratch, Trial, answer_probe};
pub use put::Put;
pub use quarantine::Quarantined;
pub use refs::Head;
pub use run::{forget_repository, git_version, gits_on_path};
pub use signing::{Error as SigningError, Signer, Verified, Verifier};
pub use transport::{Cause, PushResult, RefPush, Refusal, Transport, TransportError};
pub use user_push::{Moved, UserPush, UserPushed};
pub use work_tree::{Look, Since};
pub use worktrees::Worktree;

use crate::domain::id::Oid;

/// Why git's data could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to {action}")]
    Gix { action: String, source: gix::Error },
    #[error("failed to {action}")]
    Io { action: String, source: io::Error },
    #[error("`git {command}` failed: {message}")]
    Git { command: String, message: String },
    /// A lock of git's own is there: another git holds it, or a dead one left it.
    #[error("`git {command}` found that another process holds `{}`", path.display())]
    Locked { command: String, path: PathBuf },
    #[error(transparent)]
    Process(#[from] super::process::Error),
    /// The object is not here; a shallow or partial clone need not have it.
    #[error("object {0} is not here")]
    Missing(Oid),
    #[error("{0}")]
    Damaged(String),
    /// Git reads files of this name, and a pipe or a device has no end.
    #[error("git would wait for ever to read `{}`, which is no file: remove it", .0.display())]
    Waits(PathBuf),
}

impl Error {
    fn gix(action: impl Into<String>) -> impl FnOnce(gix::Error) -> Self {
        let action = action.into();
        move |source| Self::Gix { action, source }
    }

    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}

/// Who makes a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub name: String,
    pub email: String,
}

/// An open repository.
pub struct Repo {
    gix: gix::Repository,
    packs: packs::Packs,
    git_dir: PathBuf,
    common_dir: PathBuf,
    work_dir: Option<PathBuf>,
    /// Read once it is there.
    label: std::cell::OnceCell<String>,
    /// As the configuration had them when it was read.
    remotes: std::cell::OnceCell<Vec<Remote>>,
    /// Commits between two others, by both.
    between: RefCell<HashMap<(Oid, Oid), HashSet<Oid>>>,
    /// What the commits between two others change, by both.
    changes: RefCell<HashMap<(Oid, Oid), Changes>>,
    loose: loose::Loose,
}

impl Repo {
    /// Returns the folder of this worktree's own git files.
    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// Returns the folder of the git files that all worktrees share.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Returns our own folder within [`Self::common_dir`].
    pub fn state_dir(&self) -> PathBuf {
        self.common_dir.join("godzilla")
    }

    /// Returns the top of this worktree; `None` in a bare repository.
    pub fn work_dir(&self) -> Option<&Path> {
        self.work_dir.as_deref()
    }

    pub fn is_bare(&self) -> bool {
        self.gix.is_bare()
    }

    /// Whether history may end before its beginning.
    pub fn is_shallow(&self) -> bool {
        self.gix.is_shallow().unwrap_or(false)
    }

    /// Returns the top of the main worktree; `None` if the repository is bare.
    pub fn main_work_dir(&self) -> Option<PathBuf> {
        if self.git_dir == self.common_dir {
            return self.work_dir().map(Path::to_owned);
        }
        let main = self.gix.main_repo().ok()?;
        main.workdir().map(|dir| std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned()))
    }

    /// Whether git is in the middle of a rebase, and of which branch.
    pub fn rebase(&self) -> Option<Rebase> {
        for dir in ["rebase-merge", "rebase-apply"] {
            let dir = self.git_dir.join(dir);
            if !dir.is_dir() {
                continue;
            }
            let head = std::fs::read_to_string(dir.join("head-name")).unwrap_or_default();
            return Some(Rebase { branch: head.trim().strip_prefix("refs/heads/").map(str::to_owned) });
        }
        None
    }

    /// Returns the label that `init` chose for this clone.
    pub fn clone_label(&self) -> Option<String> {
        if let Some(label) = self.label.get() {
            return Some(label.clone());
        }
        let bytes = super::fs::read_if_there(&self.state_dir().join("clone")).ok()??;
        let text = String::from_utf8_lossy(&bytes);
        let label = crate::domain::text::one_line(text.lines().next().unwrap_or_default());
        (!label.is_empty()).then(|| self.label.get_or_init(|| label).clone())
    }
}

/// A rebase that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebase {
    pub branch: Option<String>,
}

fn to_gix(oid: Oid) -> gix::ObjectId {
    gix::ObjectId::from_bytes_or_panic(oid.as_bytes())
}

fn from_gix(oid: &gix::oid) -> Oid {
    Oid::from_bytes(oid.as_bytes()).unwrap_or_else(|| unreachable!("git has ids of 20 or 32 bytes"))
}
