//! Why a verb was refused.

/// Why a verb does nothing in the present state, and what would help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub kind: RefusalKind,
    pub code: &'static str,
    pub message: String,
    pub hint: Option<String>,
}

/// What kind of no it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// No such protocol or step.
    Unknown,
    /// The state does not allow it.
    State,
    /// A policy or a gate does not allow it.
    Policy,
}

impl Refusal {
    pub fn state(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        Self { kind: RefusalKind::State, code, message: message.into(), hint }
    }

    pub fn policy(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind: RefusalKind::Policy, ..Self::state(code, message, hint) }
    }

    pub fn unknown(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind: RefusalKind::Unknown, ..Self::state(code, message, hint) }
    }
}
