//! What a person or a script sees when something goes wrong: kind, exit code and hint are decided
//! here and nowhere else.

use std::path::Path;

use super::ui::moment;
use crate::domain::decide::RefusalKind;
use crate::domain::event::Event;
use crate::domain::id::{InvalidName, Ulid};
use crate::domain::sentence;
use crate::domain::undo::{By, Refused};
use crate::platform::git::{self, MoveError, OpenError, SigningError, TransportError};
use crate::platform::hook_files;
use crate::service::demo;
use crate::service::error::{Command, Error};
use crate::service::error_chain;
use crate::store::stream;

/// The exit codes, as promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    No = 1,
    Usage = 2,
    Unknown = 3,
    Refused = 4,
    Policy = 5,
    Program = 6,
    Remote = 7,
    Bug = 70,
}

/// An error with everything that is shown of it.
#[derive(Debug, PartialEq, Eq)]
pub struct CliError {
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
    pub exit: Exit,
    /// Names that may have been meant.
    pub candidates: Vec<String>,
}

impl CliError {
    pub fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), hint: None, exit, candidates: Vec::new() }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Makes the hint about a missing name one for a command that takes the name as its argument.
    #[must_use]
    pub(super) fn for_argument_of(self, command: &str) -> Self {
        match self.candidates.first() {
            Some(name) if self.code == "name.ambiguous" => {
                let hint = format!("git godzilla {command} {name}");
                self.hint(hint)
            }
            _ => self,
        }
    }
}

impl From<OpenError> for CliError {
    fn from(err: OpenError) -> Self {
        let message = error_chain(&err);
        match err {
            OpenError::NotARepository(_) => Self::new(Exit::Refused, "repository.missing", message)
                .hint("git godzilla init --init-if-needed"),
            OpenError::Unsupported(_) => Self::new(Exit::Refused, "repository.unsupported", message)
                .hint("convert it with git, or use a clone that has the usual format"),
            OpenError::Untrusted(path) => Self::new(Exit::Refused, "repository.foreign", message)
                .hint(format!("git config --global --add safe.directory '{}'", path.display())),
            OpenError::Gix(_) => Self::new(Exit::Refused, "repository.open", message),
        }
    }
}

impl From<InvalidName> for CliError {
    fn from(err: InvalidName) -> Self {
        Self::new(Exit::Usage, "name.invalid", err.to_string()).hint("git godzilla list")
    }
}

impl From<Error> for CliError {
    fn from(err: Error) -> Self {
        let message = error_chain(&err);
        match err {
            Error::Refused(refusal) => {
                let exit = match refusal.kind {
                    RefusalKind::Unknown => Exit::Unknown,
                    RefusalKind::State => Exit::Refused,
                    RefusalKind::Policy => Exit::Policy,
                };
                Self { hint: refusal.hint, ..Self::new(exit, refusal.code, refusal.message) }
            }
            Error::Undo { refused, of } => of_undo(&refused, of.as_ref()),
            Error::Unknown { what, near, .. } => {
                let hint = match (near.first(), what) {
                    (Some(near), _) => format!("did you mean `{near}`?"),
                    (None, "protocol") => "git godzilla list".to_owned(),
                    (None, "op") => "git godzilla log --op".to_owned(),
                    (None, "engine") => "git godzilla engines list".to_owned(),
                    (None, "run") => "git godzilla runs --all".to_owned(),
                    (None, "prompt") => "git godzilla prompt list".to_owned(),
                    (None, "remote") => "git remote -v".to_owned(),
                    (None, "file") => "name a file that `git godzilla export` wrote".to_owned(),
                    (None, _) => "git godzilla show".to_owned(),
                };
                Self {
                    candidates: near,
                    ..Self::new(Exit::Unknown, &format!("{what}.unknown"), message).hint(hint)
                }
            }
            Error::Ambiguous { candidates, .. } => {
                let hint = match candidates.first() {
                    Some(name) => format!("name one of them, as in `-p {name}`"),
                    None => "plan one with `git godzilla plan \"…\"`".to_owned(),
                };
                Self { candidates, ..Self::new(Exit::Usage, "name.ambiguous", message).hint(hint) }
            }
            Error::Usage { hint, .. } => Self { hint, ..Self::new(Exit::Usage, "usage", message) },
            Error::State { code, hint, .. } => Self { hint, ..Self::new(Exit::Refused, code, message) },
            Error::Engine { code, hint, .. } => Self { hint, ..Self::new(Exit::Program, code, message) },
            Error::Name(err) => err.into(),
            Error::Stream(stream::Error::Signing(err)) | Error::Signing(err) => of_signing(err, message),
            Error::Stream(err) => of_stream(&err, message),
            Error::Transport(err) => of_transport(&err, message),
            Error::Git(err) => of_git(&err, message),
            Error::Hooks(hook_files::Error::KeptTwice { path }) => {
                let hint = format!("look at it, and move it away or back: ls -l '{}'*", path.display());
                Self::new(Exit::Refused, "hooks.failed", message).hint(hint)
            }
            Error::Hooks(_) => {
                Self::new(Exit::Refused, "hooks.failed", message).hint("git godzilla hooks status")
            }
            Error::Lock(crate::platform::lock::Error::Busy { .. }) => {
                Self::new(Exit::Refused, "busy", message)
                    .hint("another git godzilla is at work; run it again")
            }
            Error::Interrupted => Self::new(Exit::Program, "interrupted", message),
            Error::Move(MoveError::Locked { path }) => of_lock(&path, message),
            Error::Lock(_) | Error::Io { .. } | Error::Move(_) => Self::new(Exit::Refused, "io", message),
        }
    }
}

fn of_stream(err: &stream::Error, message: String) -> CliError {
    match err {
        stream::Error::TooNew { .. } => CliError::new(Exit::Refused, "stream.too_new", message)
            .hint("update git-godzilla; nothing was changed"),
        stream::Error::Busy { .. } => {
            CliError::new(Exit::Refused, "stream.busy", message).hint("nothing was recorded; run it again")
        }
        stream::Error::Locked { path, .. } => {
            CliError::new(Exit::Refused, "stream.locked", message).hint(format!(
                "nothing was recorded; if no git is at work, a dead one left it: rm '{}'",
                path.display()
            ))
        }
        stream::Error::TooLarge { .. } => CliError::new(Exit::Refused, "event.too_large", message)
            .hint("put the text into a file of the branch, and name the file"),
        stream::Error::NoIdentity => CliError::new(Exit::Refused, "identity.missing", message).hint(
            "git config --global user.name \"Your Name\" && git config --global user.email you@example.com",
        ),
        stream::Error::Read { .. } => {
            CliError::new(Exit::Refused, "stream.damaged", message).hint("git godzilla doctor")
        }
        stream::Error::Write { .. } | stream::Error::Move { .. } | stream::Error::Signing(_) => {
            CliError::new(Exit::Refused, "stream.write", message)
        }
    }
}

fn of_signing(err: SigningError, message: String) -> CliError {
    match err {
        SigningError::NotSetUp { hint, .. } => {
            CliError::new(Exit::Refused, "signing.not_set_up", message).hint(hint)
        }
        SigningError::Refused { .. } | SigningError::Process(_) => {
            CliError::new(Exit::Program, "signing.failed", message)
                .hint("nothing was recorded; name the key to sign with: git config --global user.signingKey KEY (for one of SSH also: git config --global gpg.format ssh)")
        }
        SigningError::Io(_) => CliError::new(Exit::Refused, "io", message),
    }
}

/// Says which command stays as it is and why; ids are as short as `log --op` has them.
fn of_undo(refused: &Refused, of: Option<&Command>) -> CliError {
    let short = |op: Ulid| {
        let mut id = op.to_string();
        id.truncate(of.map_or(id.len(), |of| of.n_letters));
        id
    };
    let op = short(refused.op());
    let which = match of {
        Some(of) => format!("`{}` of {} ({op})", of.what, moment(of.at_ms)),
        None => op.clone(),
    };
    let message = refused.said_of(&which);
    let refuse = |code| CliError::new(Exit::Refused, code, &message);
    match refused {
        Refused::Facts(_) => refuse("undo.facts").hint("git godzilla log --op"),
        Refused::Already(_) => refuse("undo.already").hint(format!("git godzilla redo {op}")),
        Refused::NotUndone(_) => refuse("redo.not_undone").hint(format!("git godzilla undo {op}")),
        Refused::Idle(_) => refuse("undo.idle").hint("git godzilla log --op"),
        Refused::Unfit { .. } => refuse("redo.unfit"),
        Refused::Overtaken(overtaken) => {
            let because = match &overtaken.by {
                Some(By::First(event)) => format!("; {} came first", built_on(std::slice::from_ref(event))),
                Some(By::Undone(event)) => format!("; `{}` was undone", sentence::line(event)),
                None => String::new(),
            };
            let line = sentence::line(&overtaken.event);
            let message = format!("{message} (`{line}`){because}");
            CliError::new(Exit::Refused, "undo.overtaken", message).hint(overtaken.older.map_or_else(
                || "git godzilla log --op".to_owned(),
                |older| format!("take back the one before: git godzilla undo {}", short(older)),
            ))
        }
        Refused::BuiltOn { op: own, built } => {
            let message = format!("{message}: {}", built_on(built));
            let err = CliError::new(Exit::Refused, "undo.built_on", message);
            match built.iter().rev().filter_map(|event| event.op).find(|last| last != own) {
                Some(last) => err.hint(format!("take that back first: git godzilla undo {}", short(last))),
                None => err,
            }
        }
    }
}

/// Says what events say, as a log does, with author and time.
fn built_on(events: &[Event]) -> String {
    const MAX_NAMED: usize = 5;
    let named = events.iter().take(MAX_NAMED).map(|event| {
        let who = if event.actor.name.is_empty() { event.actor.kind.as_str() } else { &event.actor.name };
        format!("`{}` by {who} at {}", sentence::line(event), moment(event.at_ms))
    });
    let named = named.collect::<Vec<_>>().join(", ");
    match events.len().saturating_sub(MAX_NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn of_transport(err: &TransportError, message: String) -> CliError {
    let code = match err {
        TransportError::Unreachable { .. } => "remote.unreachable",
        TransportError::Auth { .. } => "remote.auth",
        TransportError::Refused { .. } | TransportError::NotAtomic { .. } => "remote.refused",
        TransportError::NotForward { .. } => {
            return CliError::new(Exit::Bug, "bug.not_forward", message).hint("please report this");
        }
        TransportError::Git(err) => return of_git(err, message),
    };
    CliError::new(Exit::Remote, code, message).hint("try again with `git godzilla sync`; nothing is lost")
}

/// A lock of git's own: only a person can tell whether whoever took it is still at work.
fn of_lock(path: &Path, message: String) -> CliError {
    CliError::new(Exit::Refused, "git.locked", message).hint(format!(
        "run it again when that process has ended; if no git is at work, a dead one left it: rm '{}'",
        path.display()
    ))
}

fn of_git(err: &git::Error, message: String) -> CliError {
    match err {
        git::Error::Locked { path, .. } => of_lock(path, message),
        git::Error::Missing(_) => CliError::new(Exit::Refused, "object.missing", message)
            .hint("git fetch; in a sparse checkout: git sparse-checkout add .protocols scripts/ci"),
        git::Error::Process(_) | git::Error::Git { .. } => {
            CliError::new(Exit::Program, "git.failed", message)
                .hint("run it again with GODZILLA_LOG=debug to see what was asked of git")
        }
        git::Error::Waits(path) => {
            CliError::new(Exit::Refused, "worktree.pipe", message).hint(format!("rm '{}'", path.display()))
        }
        git::Error::Gix { .. } | git::Error::Io { .. } | git::Error::Damaged(_) => {
            CliError::new(Exit::Refused, "repository.damaged", message).hint("git fsck")
        }
    }
}

impl From<demo::Error> for CliError {
    fn from(err: demo::Error) -> Self {
        let message = error_chain(&err);
        match err {
            demo::Error::NotEmpty(_) => Self::new(Exit::Refused, "demo.not_empty", message)
                .hint("name a folder that is empty or absent"),
            demo::Error::Area { .. } => Self::new(Exit::Refused, "io", message),
            demo::Error::Start { .. } => {
                Self::new(Exit::Program, "demo.start", message).hint("git 2.38 or newer is needed")
            }
            demo::Error::Step { .. } => Self::new(Exit::Program, "demo.step", message)
                .hint("look at it with `git godzilla demo --keep DIR`"),
            demo::Error::Differs(_) => Self::new(Exit::Bug, "demo.differs", message)
                .hint("please report this, with what `git godzilla demo --keep DIR` leaves behind"),
        }
    }
}

impl From<git::Error> for CliError {
    fn from(err: git::Error) -> Self {
        Error::from(err).into()
    }
}

impl From<std::io::Error> for CliError {
    fn from(err: std::io::Error) -> Self {
        Self::new(Exit::Refused, "io", error_chain(&err))
    }
}
