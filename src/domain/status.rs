//! The life of a protocol and of a step: which event may follow which status.
//!
//! ```text
//! protocol  Pending ──planned──▶ Planned ──started──▶ Running ──completed──▶ Completed
//!              any that is not final ──paused──▶ Paused ──resumed──▶ Running
//!              any that is not final ──cancelled──▶ Cancelled;  final ──reopened──▶ Running
//!
//! step      Pending ──started──▶ Running ──submitted──▶ NeedsQa ──completed, approved──▶ Completed
//!              ▲                  │   ▲                   │
//!              └──unblocked──┐    │   └─started, retried──┼──▶ Failed ──approved──▶ Completed
//!                         Blocked ◀──blocked── any that is not final
//!              any that is not final ──skipped──▶ Cancelled
//! ```
//!
//! A step leaves `Blocked` for the status that it had before, except through `retried`, which
//! leads to `Running`. The tables are [`ProtocolStatus::after`] and [`StepStatus::after`].

macro_rules! status {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$about])* $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the word that is stored and shown.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Returns the value that [`Self::as_str`] writes as `text`.
            pub fn from_word(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use status;

status! {
    /// Where a protocol stands.
    ProtocolStatus {
        Pending = "pending",
        Planning = "planning",
        Planned = "planned",
        Running = "running",
        Paused = "paused",
        Blocked = "blocked",
        Failed = "failed",
        Cancelled = "cancelled",
        Completed = "completed",
    }
}

status! {
    /// Where a step stands.
    StepStatus {
        Pending = "pending",
        Running = "running",
        NeedsQa = "needs_qa",
        Completed = "completed",
        Failed = "failed",
        Cancelled = "cancelled",
        Blocked = "blocked",
    }
}

status! {
    /// A decision about a protocol.
    ProtocolMove {
        Planned = "protocol.planned",
        Started = "protocol.started",
        Paused = "protocol.paused",
        Resumed = "protocol.resumed",
        Blocked = "protocol.blocked",
        Unblocked = "protocol.unblocked",
        Cancelled = "protocol.cancelled",
        Completed = "protocol.completed",
        Reopened = "protocol.reopened",
    }
}

status! {
    /// A decision about a step.
    StepMove {
        Started = "step.started",
        Submitted = "step.submitted",
        Retried = "step.retried",
        Blocked = "step.blocked",
        Unblocked = "step.unblocked",
        Skipped = "step.skipped",
        Failed = "step.failed",
        Completed = "step.completed",
        Approved = "step.approved",
    }
}

impl ProtocolStatus {
    /// Whether nothing but `reopened` can follow.
    pub fn is_final(self) -> bool {
        match self {
            Self::Pending
            | Self::Planning
            | Self::Planned
            | Self::Running
            | Self::Paused
            | Self::Blocked
            | Self::Failed => false,
            Self::Cancelled | Self::Completed => true,
        }
    }

    /// Returns the status that follows `self`, or `None` if the diagram in the
    /// [module docs](self) has no such arrow.
    pub fn after(self, step: ProtocolMove) -> Option<Self> {
        use ProtocolMove as M;
        match (self, step) {
            (Self::Pending | Self::Planning, M::Planned) => Some(Self::Planned),
            (Self::Planned, M::Started) | (Self::Paused, M::Resumed) | (Self::Blocked, M::Unblocked) => {
                Some(Self::Running)
            }
            (Self::Cancelled | Self::Completed, M::Reopened) => Some(Self::Running),
            (status, M::Paused) if !status.is_final() && status != Self::Paused => Some(Self::Paused),
            (Self::Planned | Self::Running, M::Blocked) => Some(Self::Blocked),
            (status, M::Cancelled) if !status.is_final() => Some(Self::Cancelled),
            (status, M::Completed) if !status.is_final() => Some(Self::Completed),
            _ => None,
        }
    }
}

impl StepStatus {
    /// Whether no event can follow.
    pub fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Running | Self::NeedsQa | Self::Failed | Self::Blocked => false,
            Self::Completed | Self::Cancelled => true,
        }
    }

    /// Returns the status that follows `self`, or `None` if the diagram in the
    /// [module docs](self) has no such arrow.
    ///
    /// `before_block` is the status that a blocked step had before it was blocked.
    pub fn after(self, step: StepMove, before_block: Self) -> Option<Self> {
        use StepMove as M;
        match (self, step) {
            (Self::Pending | Self::Failed, M::Started) | (Self::Failed | Self::Blocked, M::Retried) => {
                Some(Self::Running)
            }
            (Self::Running, M::Submitted) => Some(Self::NeedsQa),
            (Self::Running | Self::NeedsQa, M::Failed) => Some(Self::Failed),
            (Self::Pending | Self::Running | Self::NeedsQa, M::Completed)
            | (Self::NeedsQa | Self::Failed, M::Approved) => Some(Self::Completed),
            (Self::Blocked, M::Unblocked) => Some(before_block),
            (status, M::Blocked) if !status.is_final() && status != Self::Blocked => Some(Self::Blocked),
            (status, M::Skipped) if !status.is_final() => Some(Self::Cancelled),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is tried, a final status stays final, but for `reopened`.
        #[test]
        fn no_history_breaks_the_rules(
            steps in prop::collection::vec(prop::sample::select(StepMove::ALL), 0..60),
            moves in prop::collection::vec(prop::sample::select(ProtocolMove::ALL), 0..60),
        ) {
            let (mut status, mut before) = (StepStatus::Pending, StepStatus::Pending);
            for step in steps {
                let Some(next) = status.after(step, before) else { continue };
                prop_assert!(!status.is_final());
                if next == StepStatus::Blocked {
                    before = status;
                }
                status = next;
            }
            let mut status = ProtocolStatus::Pending;
            for step in moves {
                let Some(next) = status.after(step) else { continue };
                prop_assert!(!status.is_final() || step == ProtocolMove::Reopened);
                status = next;
            }
        }
    }

    #[test]
    fn words_round_trip() {
        for status in StepStatus::ALL {
            assert_eq!(StepStatus::from_word(status.as_str()), Some(*status));
        }
        assert_eq!(ProtocolStatus::from_word("done"), None);
    }
}
