//! What goes wrong in use cases. What to type next is decided in `cli::error`.

use crate::domain::decide::Refusal;
use crate::domain::id::InvalidName;
use crate::domain::undo;
use crate::platform::git::{self, MoveError, SigningError, TransportError};
use crate::platform::{hook_files, lock};
use crate::store::stream::{self, AppendError};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// `of` is the command that it is about, where that is known.
    #[error("{refused}")]
    Undo { refused: undo::Refused, of: Option<Command> },
    #[error(transparent)]
    Stream(#[from] stream::Error),
    #[error(transparent)]
    Git(#[from] git::Error),
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error(transparent)]
    Hooks(#[from] hook_files::Error),
    #[error(transparent)]
    Lock(#[from] lock::Error),
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error("a ref could not be moved")]
    Move(#[from] MoveError),
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The argument names nothing.
    #[error("there is no {what} `{text}`")]
    Unknown { what: &'static str, text: String, near: Vec<String> },
    /// The argument names several things, or none was given where one is needed.
    #[error("{message}")]
    Ambiguous { message: String, candidates: Vec<String> },
    #[error("{message}")]
    Usage { message: String, hint: Option<String> },
    /// The repository is not in a state for it.
    #[error("{message}")]
    State { code: &'static str, message: String, hint: Option<String> },
    /// An engine is not there, or could not do what it was asked.
    #[error("{message}")]
    Engine { code: &'static str, message: String, hint: Option<String> },
    /// Somebody stopped it, as with Ctrl-C.
    #[error("stopped before the end; nothing was recorded")]
    Interrupted,
    #[error("failed to {action}")]
    Io { action: String, source: std::io::Error },
}

/// A command that recorded events, as people know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub what: String,
    pub at_ms: u64,
    /// How many letters of an id tell the commands apart.
    pub n_letters: usize,
}

impl From<undo::Refused> for Error {
    fn from(refused: undo::Refused) -> Self {
        Self::Undo { refused, of: None }
    }
}

impl Error {
    pub fn state(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::State { code, message: message.into(), hint: Some(hint.into()).filter(|hint| !hint.is_empty()) }
    }

    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}

impl From<crate::store::kept::KeepError> for Error {
    fn from(err: crate::store::kept::KeepError) -> Self {
        use crate::store::kept::KeepError;

        match err {
            KeepError::Git(err) => err.into(),
            KeepError::Move(err) => err.into(),
            KeepError::Lock(err) => err.into(),
        }
    }
}

impl<E: Into<Self>> From<AppendError<E>> for Error {
    fn from(err: AppendError<E>) -> Self {
        match err {
            AppendError::Refused(err) => err.into(),
            AppendError::Store(err) => err.into(),
        }
    }
}
