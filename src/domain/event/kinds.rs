//! What a type of event means: its stored name, and what may become of it.

use super::Body;
use crate::domain::id::{Digest, Oid};
use crate::domain::status::StepMove;

/// Types whose meaning comes with a later release, and whether each is a fact.
const RESERVED: &[(&str, bool)] = &[
    ("run.started", true),
    ("run.finished", true),
    ("usage.recorded", true),
    ("artifact.added", true),
    ("commit.patch", true),
    ("claim.taken", true),
    ("protocol.renumbered", false),
    ("moved", false),
    ("pinned", false),
    ("redacted", false),
];

/// The facts to which this release gives a meaning.
const FACTS: &[&str] = &[
    "commit.seen",
    "commit.rewritten",
    "branch.tip",
    "merge.detected",
    "ci.reported",
    "verdict.recorded",
    "note.added",
];

/// Prefixes of reserved decisions.
const RESERVED_PREFIXES: &[&str] = &["project.", "policy.", "clarification."];

impl Body {
    /// Returns the reserved or unknown body for a type that this release gives no meaning to.
    pub fn without_meaning(kind: &str) -> Self {
        let fact = RESERVED.iter().find(|(known, _)| *known == kind).map(|(_, fact)| *fact);
        let prefixed = RESERVED_PREFIXES.iter().any(|prefix| kind.starts_with(prefix));
        let kind = kind.to_owned();
        match fact.or(prefixed.then_some(false)) {
            Some(fact) => Self::Reserved { kind, fact },
            None => Self::Unknown { kind },
        }
    }

    /// Whether this is a fact, which is joined by key and never rejected.
    pub fn is_fact(&self) -> bool {
        match self {
            Self::CommitSeen(_)
            | Self::CommitRewritten { .. }
            | Self::BranchTip { .. }
            | Self::MergeDetected(_)
            | Self::CiReported(_)
            | Self::VerdictRecorded(_)
            | Self::NoteAdded { .. }
            | Self::RunStarted(_)
            | Self::RunFinished(_)
            | Self::ArtifactAdded(_)
            | Self::UsageRecorded(_) => true,
            Self::Reserved { fact, .. } => *fact,
            Self::Malformed { kind, .. } => FACTS.contains(&kind.as_str()),
            Self::Created(_)
            | Self::Planned { .. }
            | Self::SpecChanged { .. }
            | Self::Protocol { .. }
            | Self::Step(_)
            | Self::GatesAccepted(_)
            | Self::Pinned { .. }
            | Self::Undo { .. }
            | Self::ProjectCreated { .. }
            | Self::Renumbered { .. }
            | Self::Moved(_)
            | Self::Redacted(_)
            | Self::SpecRedacted(_)
            | Self::PolicyLooped(_)
            | Self::PolicyTriggered(_)
            | Self::PolicyNoted(_)
            | Self::Unknown { .. } => false,
        }
    }

    /// Whether it completes a step on a person's word.
    pub fn is_approval(&self) -> bool {
        matches!(self, Self::Step(change) if change.to == StepMove::Approved)
    }

    /// Whether an `undo` may name this event: decisions and undos, but not the creation.
    pub fn can_be_undone(&self) -> bool {
        match self {
            Self::Planned { .. }
            | Self::SpecChanged { .. }
            | Self::Protocol { .. }
            | Self::Step(_)
            | Self::GatesAccepted(_)
            | Self::Pinned { .. }
            | Self::PolicyLooped(_)
            | Self::PolicyTriggered(_)
            | Self::PolicyNoted(_)
            | Self::Renumbered { .. }
            | Self::Undo { .. } => true,
            Self::Reserved { kind, fact } => !fact && kind != "redacted" && kind != "moved",
            _ => false,
        }
    }

    /// Whether this release knows what it means.
    pub fn has_meaning(&self) -> bool {
        !matches!(self, Self::Reserved { .. } | Self::Unknown { .. } | Self::Malformed { .. })
    }

    /// Returns the commit that a fact of a writer without state speaks of.
    pub fn about_commit(&self) -> Option<Oid> {
        match self {
            Self::CommitSeen(seen) => Some(seen.commit),
            Self::CiReported(report) => Some(report.commit),
            Self::VerdictRecorded(verdict) => verdict.commit,
            _ => None,
        }
    }

    /// Whether a tool that does not know the type must leave the stream alone: it would bring back what was
    /// taken out.
    pub fn is_critical(&self) -> bool {
        matches!(self, Self::SpecRedacted(_))
    }

    /// Returns the plan that goes wherever the event goes.
    pub fn brings_spec(&self) -> Option<Digest> {
        match self {
            Self::SpecRedacted(redacted) => Some(redacted.instead),
            body => body.spec(),
        }
    }

    /// Returns the plan that it makes the protocol's.
    pub fn spec(&self) -> Option<Digest> {
        match self {
            Self::Planned { spec, .. } | Self::SpecChanged { spec, .. } => Some(*spec),
            _ => None,
        }
    }

    /// Returns the type as it is stored.
    pub fn kind(&self) -> &str {
        match self {
            Self::Created(_) => "protocol.created",
            Self::Planned { .. } => "protocol.planned",
            Self::SpecChanged { .. } => "spec.changed",
            Self::Protocol { to, .. } => to.as_str(),
            Self::Step(change) => change.to.as_str(),
            Self::GatesAccepted(_) => "gates.accepted",
            Self::Pinned { .. } => "pinned",
            Self::Undo { .. } => "undo",
            Self::CommitSeen(_) => "commit.seen",
            Self::CommitRewritten { .. } => "commit.rewritten",
            Self::BranchTip { .. } => "branch.tip",
            Self::MergeDetected(_) => "merge.detected",
            Self::CiReported(_) => "ci.reported",
            Self::VerdictRecorded(_) => "verdict.recorded",
            Self::NoteAdded { .. } => "note.added",
            Self::RunStarted(_) => "run.started",
            Self::RunFinished(_) => "run.finished",
            Self::ArtifactAdded(_) => "artifact.added",
            Self::UsageRecorded(_) => "usage.recorded",
            Self::PolicyLooped(_) => "policy.looped",
            Self::PolicyTriggered(_) => "policy.triggered",
            Self::PolicyNoted(_) => "policy.noted",
            Self::Renumbered { .. } => "protocol.renumbered",
            Self::Moved(_) => "moved",
            Self::Redacted(_) => "redacted",
            Self::SpecRedacted(_) => "spec.redacted",
            Self::ProjectCreated { .. } => "project.created",
            Self::Reserved { kind, .. } | Self::Unknown { kind } | Self::Malformed { kind, .. } => kind,
        }
    }
}
