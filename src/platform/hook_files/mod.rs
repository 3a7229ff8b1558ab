//! Our hook files in a hooks directory: putting them there, taking them away,
//! and telling what is there.
//!
//! Ours is a shell script, the *shim*, a file of its own for each event, so that
//! whoever writes over it reaches nothing else. A hook that was there is kept
//! beside as `<event>.godzilla-prev`, and the shim runs it before the binary; so is
//! one that somebody puts over ours later on. No
//! file that belongs to somebody else is ever written to, and a hook changes only
//! by a rename: whenever the program is killed, an event has either its earlier
//! hook or ours with that one in its chain, and the same call made again completes
//! what was begun.
//!
//! Which directory is the right one, and whether git really calls what lies in
//! it, is left to the caller.

mod content;
mod found;
mod heal;
mod install;
mod journal;
mod kept;
pub mod lines;
mod shim;
mod status;
mod uninstall;

#[cfg(unix)]
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use self::content::Content;
use self::found::Found;
use self::journal::Journal;

/// The events that get a hook.
pub const EVENTS: [&str; 7] = [
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "post-rewrite",
    "pre-push",
    "post-merge",
    "post-checkout",
];

/// How we are named in a chain.
pub const US: &str = "git-godzilla";

/// What an earlier hook is kept as: the name of the event and this.
const KEPT_SUFFIX: &str = ".godzilla-prev";
/// What pre-commit and prek keep an earlier hook as. They run it.
const LEGACY_SUFFIX: &str = ".legacy";
/// What lefthook keeps an earlier hook as. It never runs it.
const OLD_SUFFIX: &str = ".old";

/// What a call changed, in the order in which it happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Empty if everything already was as it should be.
    pub changed: Vec<Change>,
}

/// One line to tell a person. Its `Display` form is that line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub event: &'static str,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Nothing was there before, and now ours is.
    Installed,
    /// The hook that was there is kept as `kept`, and ours runs it first.
    Chained { kept: PathBuf },
    /// Ours was there and named another binary, or was of another version.
    Refreshed,
    /// Ours is gone and nothing is there, as before.
    Removed,
    /// The earlier hook is back.
    Restored,
    /// Ours is gone, and so is the hook it once replaced: somebody else removed
    /// what was kept.
    PreviousGone,
    /// Ours is gone; lines that somebody added to it stay, in `path`.
    KeptLines { path: PathBuf },
    /// A line of ours is in `path`, a file of somebody else.
    LineAdded { path: PathBuf },
    /// Our line is out of `path` again.
    LineRemoved { path: PathBuf },
    /// `path` was not touched, which a person may want to know.
    Left { path: PathBuf, reason: &'static str },
}

/// How one event stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookStatus {
    pub event: &'static str,
    pub mode: Mode,
    /// What runs for the event, in order, or would if what is broken were
    /// mended: `git-godzilla` for us, the name of a known hook manager, else a
    /// file name.
    pub chain: Vec<String>,
    /// Whether our script has lines of others above ours, which run first
    /// whoever calls it.
    pub begins_with_others: bool,
}

/// In which way an event reaches us, if it does, judged by the files alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A link to the binary, as earlier versions made it. What is written to it is
    /// written over the binary.
    Symlink,
    /// Our script.
    Shim,
    /// Somebody else's hook is on top and is known to call ours.
    Chained {
        by: String,
    },
    /// Somebody else's hook, which does not call us.
    Foreign,
    Absent,
    /// Ours is there but will not be called, or not as it should be. The text
    /// says why.
    Broken(String),
}

/// Why hooks could not be installed or removed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to {action} `{}`", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// Two earlier hooks of one event; only a person can tell which one counts.
    #[error("`{}` already holds a different hook", path.display())]
    KeptTwice { path: PathBuf },
    #[error("`{}` is not a directory", path.display())]
    NotADirectory { path: PathBuf },
    #[error("`{}` is neither a file nor a symbolic link", path.display())]
    NotAFile { path: PathBuf },
    #[error("`{}` was written by a newer version", path.display())]
    NewerJournal { path: PathBuf },
}

/// Puts our hook for each of [`EVENTS`] into `dir` and reports what changed.
///
/// `binary` is the program that the hooks call; a relative path is taken from
/// the current directory. `dir` is created if it is absent. `journal` is a file
/// of ours, created with its directory if absent, which remembers what was
/// there before. A hook of ours is left alone if it is right and refreshed if
/// not; one that pre-commit or prek has moved aside stays there, since they run
/// it, and one that lies where nobody runs it comes back.
/// A hook that calls `git-godzilla hook` by itself stays. Any other hook is kept
/// and chained. Calling again changes nothing.
///
/// # Errors
///
/// - [`Error::KeptTwice`], [`Error::NotAFile`], [`Error::NotADirectory`] or
///   [`Error::NewerJournal`] if something is in the way; nothing was changed.
/// - [`Error::Io`] if the file system failed. Every event then has its earlier
///   hook or ours; call again to complete, or [`uninstall()`] to go back.
pub fn install(dir: &Path, binary: &Path, journal: &Path) -> Result<Report, Error> {
    install_for(&EVENTS, dir, binary, journal)
}

/// As [`install()`], for some of the events. The others stay as they are.
///
/// # Errors
///
/// As [`install()`].
pub fn install_for(
    events: &[&'static str],
    dir: &Path,
    binary: &Path,
    journal: &Path,
) -> Result<Report, Error> {
    install::run(events, &absolute(dir)?, &absolute(binary)?, journal)
}

/// Takes what is ours out of `dir` and puts the earlier hooks back as they now
/// are, edits made since included.
///
/// Works without the journal too; then a directory that [`install()`] made stays,
/// and so does a link to a binary of another name than `git-godzilla`. Lines
/// that somebody added to a shim are kept: as a script of their own, or at the
/// end of the earlier hook if that is a shell script. Calling again changes
/// nothing.
///
/// # Errors
///
/// - [`Error::NewerJournal`] if only a newer version can tell what was there;
///   nothing was changed.
/// - [`Error::NotAFile`] if one of the places of a hook holds a directory or
///   device, [`Error::KeptTwice`] if there is no room for lines that must be
///   kept, [`Error::Io`] if the file system failed. Events before that one are
///   done; call again for the rest.
pub fn uninstall(dir: &Path, journal: &Path) -> Result<Report, Error> {
    uninstall::run(&absolute(dir)?, journal)
}

/// Puts ours back where a hook manager has put it aside or written over it, and
/// what earlier versions installed in order, in every directory of the journal
/// that has changed since ours was last looked at. What a person removed or put
/// there is no reason.
///
/// # Errors
///
/// As [`install()`].
pub fn heal(binary: &Path, journal: &Path) -> Result<Report, Error> {
    heal::run(&absolute(binary)?, journal)
}

/// Returns how each of [`EVENTS`] stands in `dir`, for hooks that should call
/// `binary`.
///
/// This reads files and starts nothing, so it cannot tell whether git uses
/// `dir`, nor what another program does when it is called.
pub fn status(dir: &Path, binary: &Path) -> Vec<HookStatus> {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let binary = std::path::absolute(binary).unwrap_or_else(|_| binary.to_owned());
    EVENTS.into_iter().map(|event| status::of(&dir, &binary, event)).collect()
}

/// Whether the file at `path` is our script, of any version.
pub fn is_ours(path: &Path) -> bool {
    Found::at(path, &[]).is_ok_and(|found| found.is_ours())
}

/// Returns the hook managers whose hooks are in `dir`, by name, also such as ours runs.
pub fn managers_in(dir: &Path) -> BTreeSet<&'static str> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_sample = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "sample");
    files
        .filter(|path| !is_sample(path))
        .filter_map(|path| found::manager_of(&Content::read(&path).ok()??))
        .collect()
}

/// Returns every directory that [`install()`] was called for with this journal
/// and [`uninstall()`] was not, so that none is forgotten when `core.hooksPath`
/// has changed in between.
///
/// # Errors
///
/// - [`Error::NewerJournal`] if the journal cannot be understood.
/// - [`Error::Io`] if it cannot be read. That it does not exist is no error.
pub fn installed_dirs(journal: &Path) -> Result<Vec<PathBuf>, Error> {
    let journal = Journal::load(journal)?;
    Ok(journal.sections.into_iter().map(|it| it.dir).collect())
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.event)?;
        match &self.what {
            What::Installed => write!(f, "installed"),
            What::Chained { kept } => {
                let kept = kept.display();
                write!(f, "installed; the hook that was there runs first, as `{kept}`")
            }
            What::Refreshed => write!(f, "brought up to date"),
            What::Removed => write!(f, "removed"),
            What::Restored => write!(f, "removed; the earlier hook is back"),
            What::PreviousGone => write!(f, "removed; the earlier hook was no longer there"),
            What::KeptLines { path } => {
                let path = path.display();
                write!(f, "removed; lines that were added to it stay in `{path}`")
            }
            What::LineAdded { path } => write!(f, "`{}` calls us now", path.display()),
            What::LineRemoved { path } => write!(f, "`{}` calls us no more", path.display()),
            What::Left { path, reason } => {
                write!(f, "left `{}` as it is: {reason}", path.display())
            }
        }
    }
}

/// Makes the `map_err` argument for a failed access to `path`.
fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(io_error("resolve", path))
}

/// Returns the place of `event` in `dir`, or of a file beside it.
fn place(dir: &Path, event: &str, suffix: &str) -> PathBuf {
    dir.join(format!("{event}{suffix}"))
}
