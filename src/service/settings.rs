//! What is configured, where each value comes from, and what of it cannot be understood.
//!
//! Each layer overrides the ones before it: defaults, `godzilla.toml`, git config, environment. One
//! table, in `keys`, says which keys there are; all layers are read by it. Nothing here fails: a value
//! that is not allowed is a warning, and the value below it stays.

pub mod engines;
mod keys;
mod layers;

use std::fmt;
use std::time::Duration;

use self::engines::Engines;
use self::layers::Layers;
use crate::domain::id::Oid;
use crate::domain::spec::QaPolicy;
use crate::domain::status::status;
use crate::domain::text;
use crate::platform::env;
use crate::platform::fs::{self, Bounded};
use crate::platform::git::Repo;

/// The committed file, at the top of the work tree.
pub const FILE_NAME: &str = "godzilla.toml";

/// The longest file that is read.
pub const MAX_FILE_BYTES: u64 = 256 * 1024;

/// Every setting, and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are switches of their own, each with its key")]
pub struct Settings {
    /// `None`: the branch that the remote's HEAD names, else `init.defaultBranch`.
    pub base_branch: Option<String>,
    pub commit_strict: bool,
    /// Whether subjects get the tag of their step.
    pub commit_tag: bool,
    /// `None`: full where the base has gates, else skip.
    pub qa_policy: Option<QaPolicy>,
    pub qa_when: QaWhen,
    /// Names of gates beside the usual ones.
    pub qa_extra_gates: Vec<String>,
    /// The folder of the gates as a path in a tree, without a slash at either end.
    pub qa_gates: String,
    pub qa_timeout: Duration,
    /// In bytes.
    pub qa_output_cap: u64,
    /// Names of jobs; empty if every job that reports counts.
    pub ci_required: Vec<String>,
    pub sync_auto: bool,
    pub push_timeout: Duration,
    pub sync_timeout: Duration,
    pub sync_runs: bool,
    pub worktree_mode: WorktreeMode,
    /// Relative to the root of the repository.
    pub worktree_root: String,
    pub archive_after_days: u64,
    pub queue_autostart: bool,
    pub queue_max_attempts: u64,
    pub engines: Engines,
    /// Every key that has a value or could have one, by key.
    pub entries: Vec<Entry>,
    /// One line each, in the order of the layers.
    pub warnings: Vec<String>,
}

/// A key, its value, and where that comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As in `godzilla.toml`, with dots.
    pub key: String,
    /// `None` if nothing is set and there is no default.
    pub typed: Option<Value>,
    pub origin: Origin,
}

impl Entry {
    /// Returns the value for people, in one line; empty if there is none.
    pub fn value(&self) -> String {
        self.typed.as_ref().map(|value| text::one_line(&value.to_string())).unwrap_or_default()
    }
}

/// A value with its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Number(u64),
    Flag(bool),
    List(Vec<String>),
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// `godzilla.toml` of the work tree.
    File,
    /// `godzilla.toml` of a commit.
    Commit(Oid),
    /// Git's configuration; the scope as in `git config --show-scope`.
    GitConfig(&'static str),
    /// The name of the variable.
    Environment(String),
    CommandLine,
}

status! {
    /// When QA is queued by itself.
    QaWhen {
        Done = "done",
        Push = "push",
        Manual = "manual",
    }
}

status! {
    /// Where protocols are worked on.
    WorktreeMode {
        Protocol = "protocol",
        Shared = "shared",
        InPlace = "in-place",
    }
}

impl Settings {
    /// Returns the settings of this work tree. A bare repository has no file.
    pub fn load(repo: &Repo) -> Self {
        let mut layers = Layers::defaults();
        if let Some(dir) = repo.work_dir() {
            match fs::read_bounded(&dir.join(FILE_NAME), MAX_FILE_BYTES) {
                Ok(Bounded::Missing) => (),
                Ok(Bounded::Bytes(bytes)) => layers.file(&bytes, &Origin::File),
                Ok(Bounded::TooLong) => layers.file_too_long(&Origin::File),
                Ok(Bounded::NotAFile) => layers.warn(format!("{FILE_NAME} is not a file; it is ignored")),
                Err(err) => layers.warn(format!("{FILE_NAME} cannot be read ({err}); it is ignored")),
            }
        }
        layers.own(repo)
    }

    /// Returns the settings with the file of `commit`: what judges a branch.
    pub fn load_at(repo: &Repo, commit: Oid) -> Self {
        let mut layers = Layers::defaults();
        let origin = Origin::Commit(commit);
        match file_at(repo, commit) {
            Ok(None) => (),
            Ok(Some(Bounded::Bytes(bytes))) => layers.file(&bytes, &origin),
            Ok(Some(_)) => layers.file_too_long(&origin),
            Err(err) => layers.warn(format!("{origin} cannot be read ({err}); it is ignored")),
        }
        layers.own(repo)
    }

    /// Returns the settings of somebody who has nothing but this file.
    pub fn of_file(file: &[u8]) -> Self {
        let mut layers = Layers::defaults();
        layers.file(file, &Origin::File);
        layers.finish()
    }

    /// Returns the settings of somebody who has set nothing.
    pub fn defaults() -> Self {
        Layers::defaults().finish()
    }
}

fn file_at(repo: &Repo, commit: Oid) -> Result<Option<Bounded>, crate::platform::git::Error> {
    /// The upper bits of the mode of a file, as opposed to a link or a folder.
    const FILE: u32 = 0o100;

    let tree = repo.tree_of(commit)?;
    let Some(entry) = repo.tree_path(tree, FILE_NAME)?.filter(|entry| entry.mode >> 9 == FILE) else {
        return Ok(None);
    };
    if repo.blob_size(entry.oid)? > MAX_FILE_BYTES {
        return Ok(Some(Bounded::TooLong));
    }
    repo.blob(entry.oid).map(|bytes| Some(Bounded::Bytes(bytes)))
}

impl Layers {
    /// Adds what the user of this clone says.
    fn own(mut self, repo: &Repo) -> Settings {
        self.git_config(repo.config_section("godzilla"));
        self.environment(env::vars_with_prefix("GODZILLA_"));
        self.finish()
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.pad(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::List(items) => f.pad(&items.join(", ")),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.pad("default"),
            Self::File => f.pad(FILE_NAME),
            Self::Commit(oid) => write!(f, "{FILE_NAME} at {}", oid.short()),
            Self::GitConfig(scope) => write!(f, "git config ({scope})"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::CommandLine => f.pad("command line"),
        }
    }
}

#[cfg(test)]
mod tests;
