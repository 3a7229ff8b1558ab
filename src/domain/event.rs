//! Everything that can happen to a protocol.
//!
//! An event is a *decision*, which meets the state machine and may be rejected, or a *fact*, which
//! is joined by key wherever it stands and is never rejected. How events are stored is the business
//! of the store; which of them count is the business of the [fold](super::fold).

mod kinds;

use std::sync::Arc;

use super::ci::JobResult;
use super::id::{Digest, Name, Oid, StepId, Ulid};
use super::policy::{Looped, Noted, Triggered};
use super::review::Review;
use super::run::{Artifact, RunFinished, RunStarted, UsageRecorded};
use super::spec::Planner;
use super::status::{ProtocolMove, StepMove, status};

/// Something that happened, with its place in the order and its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: Ulid,
    /// Lamport clock; 0 for writers that have seen no state.
    pub clock: u64,
    /// Milliseconds since 1970, for people only: no rule reads it.
    pub at_ms: u64,
    /// The command that wrote it.
    pub op: Option<Ulid>,
    /// Where the event belongs; `None` if its writer could not know.
    pub protocol: Option<Name>,
    /// The id of the `protocol.created` event it belongs to; `None` for writers without state.
    pub root: Option<Ulid>,
    pub actor: Arc<Actor>,
    pub step: Option<StepId>,
    /// The attempt of the step that the writer saw.
    pub attempt: Option<u64>,
    /// The recorded status that the writer saw.
    pub from: Option<String>,
    pub cause: Option<Cause>,
    /// A tool that does not know the type must not write to the stream.
    pub critical: bool,
    /// The line that this event stands for, whose text was taken out.
    pub redacts: Option<Digest>,
    pub body: Body,
}

impl Event {
    /// Returns what makes automatic events one event: type, step and cause.
    pub fn cause_key(&self) -> Option<(&str, Option<&str>, &str)> {
        let cause = self.cause.as_ref()?;
        Some((self.body.kind(), self.step.as_ref().map(StepId::as_str), &cause.0))
    }
}

/// Who wrote an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub kind: ActorKind,
    pub name: String,
    /// The label of the clone, chosen at `init`; never the name of a machine.
    pub host: Option<String>,
}

status! {
    /// What kind of hand wrote an event.
    ActorKind {
        Human = "human",
        Agent = "agent",
        Ci = "ci",
        Hook = "hook",
        Worker = "worker",
    }
}

/// What made an automatic event, so that two clones that see one thing write one event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cause(pub String);

impl Cause {
    pub fn commit(oid: Oid) -> Self {
        Self(format!("commit:{oid}"))
    }

    /// `again` counts earlier events about the same tip, so that a branch may come back to it.
    pub fn tip(oid: Oid, again: usize) -> Self {
        if again == 0 { Self(format!("tip:{oid}")) } else { Self(format!("tip:{oid}:{again}")) }
    }

    pub fn merge(oid: Oid) -> Self {
        Self(format!("merge:{oid}"))
    }

    pub fn spec(digest: Digest) -> Self {
        Self(format!("spec:{digest}"))
    }

    pub fn pushed(oid: Oid) -> Self {
        Self(format!("pushed:{oid}"))
    }

    pub fn verdict(id: Ulid) -> Self {
        Self(format!("verdict:{id}"))
    }

    pub fn run(id: Ulid) -> Self {
        Self(format!("run:{id}"))
    }

    /// Of several things that one cause makes, that of `name`.
    #[must_use]
    pub fn of(self, name: &str) -> Self {
        Self(format!("{}:{name}", self.0))
    }

    pub fn ci(id: Ulid) -> Self {
        Self(format!("ci:{id}"))
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Created(Created),
    Planned {
        spec: Digest,
        plan_commit: Option<Oid>,
        planner: Planner,
    },
    SpecChanged {
        spec: Digest,
        commit: Option<Oid>,
    },
    Protocol {
        to: ProtocolMove,
        reason: Option<String>,
    },
    Step(StepChange),
    GatesAccepted(AcceptedGates),
    /// Whether the protocol is to stay out of the archive, now that it is over.
    Pinned {
        on: bool,
    },
    Undo {
        targets: Vec<Ulid>,
    },
    CommitSeen(CommitSeen),
    CommitRewritten {
        old: Oid,
        new: Oid,
        kind: String,
    },
    BranchTip {
        tip: Oid,
        gone: Vec<Oid>,
    },
    MergeDetected(MergeDetected),
    CiReported(CiReport),
    VerdictRecorded(Verdict),
    NoteAdded {
        text: String,
    },
    RunStarted(RunStarted),
    RunFinished(RunFinished),
    ArtifactAdded(Artifact),
    /// Of a run that belongs to no protocol.
    UsageRecorded(UsageRecorded),
    PolicyLooped(Looped),
    PolicyTriggered(Triggered),
    PolicyNoted(Noted),
    /// The protocol is shown under another number and slug; its stream keeps its name.
    Renumbered {
        number: u64,
        slug: String,
    },
    /// The protocol of the event's root went on under another name, with all its events.
    Moved(Moved),
    /// The text of a line was taken out.
    Redacted(Redacted),
    /// A text was taken out of a plan.
    SpecRedacted(SpecRedacted),
    /// The first event of a project.
    ProjectCreated {
        base_branch: String,
    },
    /// A type that later releases give a meaning to.
    Reserved {
        kind: String,
        fact: bool,
    },
    /// A type that this release does not know.
    Unknown {
        kind: String,
    },
    /// A known type whose body is not what it must be.
    Malformed {
        kind: String,
        reason: String,
    },
}

/// The first event of a protocol; its id is the root of all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    pub number: u64,
    pub slug: String,
    pub title: String,
    pub description: String,
    pub branch: String,
    pub base: String,
    pub base_commit: Oid,
}

/// Where a protocol went that shared its name with another one. It stands in both streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub root: Ulid,
    pub from: Name,
    pub to: Name,
}

/// That somebody took the text of an event out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted {
    pub event: Ulid,
    /// The line as it was.
    pub line: Digest,
    pub reason: Option<String>,
}

/// That somebody took a text out of a plan, or that a plan was found to say one again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecRedacted {
    /// The plan as it was, which nobody keeps.
    pub spec: Digest,
    /// The one that stands for it.
    pub instead: Digest,
    pub reason: Option<String>,
}

/// A decision about one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepChange {
    pub to: StepMove,
    pub reason: Option<String>,
    /// For `submitted`: the step has no commit, and that is meant.
    pub no_commit: bool,
    pub evidence: Option<Box<Evidence>>,
}

/// What a completion rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// `qa`, `policy`, `setup` or `approval`.
    pub by: String,
    pub content_tree: Option<Oid>,
    pub verdict: Option<Ulid>,
    /// The CI reports that were green.
    pub ci: Vec<Ulid>,
    /// The remote that held the newest commit, and that commit.
    pub pushed: Option<(String, Oid)>,
    /// How an approval was given: `terminal`, `ci` or `delegated`.
    pub mode: Option<String>,
}

status! {
    /// How a commit said which step it belongs to.
    Via {
        Trailer = "trailer",
        Tag = "tag",
        None = "none",
    }
}

/// A commit that a protocol's branch holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitSeen {
    pub commit: Oid,
    pub tree: Oid,
    /// The tree without `.protocols/<name>/`.
    pub content_tree: Oid,
    pub parents: Vec<Oid>,
    pub step: Option<StepId>,
    pub via: Via,
    pub open_boxes: u64,
    pub done_boxes: u64,
    /// Whether this commit ticked the step's last box or says `Godzilla-Status: done`.
    pub done: bool,
    pub subject: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeDetected {
    pub rule: String,
    /// The ref that decided.
    pub into: String,
    pub commit: Oid,
    pub tip: Oid,
}

/// The result of one CI job for one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CiReport {
    pub provider: Arc<str>,
    pub workflow: Arc<str>,
    pub job: Arc<str>,
    pub run: u64,
    pub attempt: u64,
    pub result: JobResult,
    pub commit: Oid,
    pub tree: Option<Oid>,
    pub branch: Option<Arc<str>>,
    pub url: Option<String>,
}

/// The gates that a person chose to judge a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedGates {
    /// Their folder, as a tree.
    pub tree: Oid,
    /// Of everything in the folder, whatever hash git uses.
    pub digest: Digest,
}

/// What the gates said about one tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub step: Option<StepId>,
    pub commit: Option<Oid>,
    pub content_tree: Oid,
    pub dirty: bool,
    pub result: String,
    pub gates: Vec<GateResult>,
    pub review: Option<Box<Review>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateResult {
    pub name: String,
    pub command: String,
    pub exit: Option<i64>,
    pub duration_ms: u64,
    /// The SHA-256 of all that it said.
    pub digest: String,
    /// The end of what it said, if it did not pass.
    pub tail: String,
}

/// An event before it has an id, a clock and an author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub body: Body,
    pub step: Option<StepId>,
    pub attempt: Option<u64>,
    pub from: Option<String>,
    pub cause: Option<Cause>,
    /// When its cause happened; `None` for now.
    pub at_ms: Option<u64>,
}

impl Draft {
    pub fn new(body: Body) -> Self {
        Self { body, step: None, attempt: None, from: None, cause: None, at_ms: None }
    }

    /// Marks the event as automatic: made by `cause`, which happened at `at_ms`.
    #[must_use]
    pub fn caused_by(mut self, cause: Cause, at_ms: u64) -> Self {
        self.cause = Some(cause);
        self.at_ms = Some(at_ms);
        self
    }
}
