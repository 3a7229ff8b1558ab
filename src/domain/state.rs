//! The state of a protocol: what the fold of its events says.
//!
//! Every status has two values: *recorded*, which decisions moved, and *shown*, which also says what
//! follows from facts (CI, a merge). Nothing here holds a clock, a path, a host or a remote.

use std::collections::BTreeMap;

use super::ci::{JobResult, Jobs};
use super::event::{AcceptedGates, Created, Evidence, MergeDetected, Verdict};
use super::id::{Digest, Name, Oid, StepId, Ulid};
use super::review::Severity;
use super::run::{Run, Spent};
use super::spec::{QaPolicy, StepKind, StepMore};
use super::status::{ProtocolStatus, StepStatus};

/// One protocol, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    pub root: Ulid,
    /// What its creation said, with the number and the slug that it is shown under by now.
    pub created: Created,
    /// The names that it has or had, that of its stream first. Branches, folders and trailers may bear any.
    pub names: Vec<Name>,
    pub recorded: ProtocolStatus,
    pub shown: ProtocolStatus,
    /// Why nothing goes on, when [`Self::shown`] is `blocked`.
    pub blocked: Option<Blocked>,
    /// Who holds it, while [`Self::recorded`] is `paused`.
    pub paused: Option<Paused>,
    pub merged: Option<MergeDetected>,
    pub spec: Option<Digest>,
    /// The events name a spec that is not here.
    pub spec_missing: bool,
    pub plan_commit: Option<Oid>,
    pub required_ci: Vec<String>,
    pub push_gate: bool,
    /// What judges its steps in place of the base's gates.
    pub gates: Option<AcceptedGates>,
    /// Whether somebody wants it out of the archive.
    pub pinned: bool,
    /// By number.
    pub steps: Vec<Step>,
    /// Every commit that an event names, with what became of it.
    pub commits: BTreeMap<Oid, Commit>,
    /// Commits that belong to no step of the plan, oldest first.
    pub orphan_commits: Vec<Oid>,
    /// Reports about commits that no event names.
    pub orphan_ci: usize,
    /// In the order in which they began.
    pub runs: Vec<Run>,
    pub loops: Loops,
    pub counts: Counts,
    /// How many events the stream holds for it, whatever became of them.
    pub n_events: usize,
    pub created_at_ms: u64,
    pub updated_at_ms: u64,
}

/// One step, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub id: StepId,
    pub title: String,
    pub kind: StepKind,
    pub file: String,
    pub qa: QaPolicy,
    pub depends_on: Vec<StepId>,
    /// What its plan says beside what it must.
    pub more: Option<Box<StepMore>>,
    pub recorded: StepStatus,
    pub shown: StepStatus,
    /// How often the step entered `running`.
    pub attempt: u64,
    /// Where [`StepStatus::Blocked`] leads back to.
    pub before_block: StepStatus,
    pub reason: Option<String>,
    pub evidence: Option<Box<Evidence>>,
    /// Oldest first; rewritten ones replaced, vanished ones left out.
    pub commits: Vec<Oid>,
    pub verdict: Option<ShownVerdict>,
    /// How often in a row its verdicts have said the same, the last one included; 0 after one that passed.
    pub same_failures: u64,
    /// The clock and the id of the event that made it begin again. What was said before is about a step
    /// that has to be done anew.
    pub rewound: Option<(u64, Ulid)>,
    pub jobs: Jobs,
    pub ci: JobResult,
}

/// A commit of the protocol's branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    pub tree: Oid,
    pub content_tree: Oid,
    pub parents: Vec<Oid>,
    pub step: Option<StepId>,
    pub subject: String,
    pub at_ms: u64,
    /// Whether it counts: neither rewritten nor gone from the branch.
    pub live: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownVerdict {
    pub id: Ulid,
    pub verdict: Verdict,
    pub stale: bool,
    pub at_ms: u64,
}

/// Why a protocol does not go on, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    pub code: &'static str,
    pub message: String,
    pub remedy: String,
}

/// Who holds a protocol, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paused {
    pub by: String,
    pub reason: Option<String>,
}

/// How often policies made steps begin again or called them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loops {
    /// By policy.
    pub iterations: BTreeMap<String, u64>,
    /// Of all policies together.
    pub total: u64,
    /// How many calls lie one within the other, for steps that were called.
    pub depths: BTreeMap<StepId, u64>,
    /// When the first of them was decided; milliseconds since 1970.
    pub since_ms: Option<u64>,
}

/// How many events counted, and how many did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub accepted: usize,
    pub rejected: usize,
    pub duplicate: usize,
    pub undone: usize,
    pub quarantined: usize,
}

impl Step {
    /// Returns the newest commit that counts.
    pub fn newest(&self) -> Option<Oid> {
        self.commits.last().copied()
    }

    /// Returns the gates, and the review, that failed the content that the step has now, for people.
    pub fn failed_by(&self) -> Option<String> {
        let verdict = &self.verdict.as_ref().filter(|verdict| !verdict.stale)?.verdict;
        let failed = verdict.gates.iter().filter(|gate| gate.exit != Some(0));
        let mut names: Vec<String> = failed.map(|gate| format!("gate {}", gate.name)).collect();
        if let Some(review) = verdict.review.as_ref().filter(|review| review.result != "pass") {
            let n_blocking = review.count(Severity::Blocking);
            let found = if n_blocking > 0 { format!(" ({n_blocking} blocking)") } else { String::new() };
            names.push(format!("the review by {}{found}", review.engine));
        }
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// Whether later steps may go on.
    pub fn is_settled(&self) -> bool {
        self.recorded.is_final()
    }
}

impl Protocol {
    /// Returns the name that the protocol is shown under.
    pub fn name(&self) -> String {
        Name::new(self.created.number, &self.created.slug)
            .map_or_else(|_| self.created.slug.clone(), |name| name.to_string())
    }

    /// Returns why nothing goes on: it is blocked, or somebody holds it.
    pub fn held_by(&self) -> Option<Blocked> {
        let paused = || {
            let Paused { by, reason } = self.paused.as_ref().filter(|_| !self.shown.is_final())?;
            let name = self.name();
            let because = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            Some(Blocked {
                code: "protocol.paused",
                message: format!("{name} was paused by {by}{because}"),
                remedy: format!("git godzilla resume {name}"),
            })
        };
        self.blocked.clone().or_else(paused)
    }

    /// Returns the name of its stream, its branch and its folder, which never changes.
    pub fn key(&self) -> String {
        self.names.first().map_or_else(|| self.name(), Name::to_string)
    }

    /// Whether it has or had another name than its branch was made with.
    pub fn has_other_names(&self) -> bool {
        self.names.iter().any(|name| name.as_str() != self.created.branch)
    }

    /// Takes in a name; one that it has already stays where it is.
    pub(super) fn add_name(&mut self, name: Name) {
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == *id)
    }

    /// Returns the lowest step that is neither completed nor cancelled and whose dependencies all are.
    pub fn current_step(&self) -> Option<&Step> {
        self.ready_steps().next()
    }

    /// Returns the steps that could go on now, by number.
    pub fn ready_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| !step.is_settled() && self.open_dependencies(step).next().is_none())
    }

    /// Returns the dependencies of `step` that are not settled.
    pub fn open_dependencies<'a>(&'a self, step: &'a Step) -> impl Iterator<Item = &'a Step> {
        step.depends_on.iter().filter_map(|id| self.step(id)).filter(|dep| !dep.is_settled())
    }

    /// Whether it is over and nobody wants it out of the archive.
    pub fn may_be_archived(&self) -> bool {
        self.shown.is_final() && !self.pinned
    }

    /// Whether every step is settled and only the merge is missing.
    pub fn is_ready_to_merge(&self) -> bool {
        !self.shown.is_final() && !self.steps.is_empty() && self.steps.iter().all(Step::is_settled)
    }

    /// Whether a commit beyond the plan counts.
    pub fn has_work(&self) -> bool {
        self.live_commits().any(|(oid, _)| !self.is_plan(*oid))
    }

    /// Whether a commit is that of the plan, or what a rewrite made of it: the set-up's.
    pub fn is_plan(&self, oid: Oid) -> bool {
        let step = || self.step(self.commits.get(&oid)?.step.as_ref()?);
        Some(oid) == self.plan_commit || step().is_some_and(|step| step.kind == StepKind::Setup)
    }

    /// Returns the runs of one step, in the order in which they began.
    pub fn runs_of<'a>(&'a self, step: &'a StepId) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().filter(|run| run.step.as_ref() == Some(step))
    }

    /// Returns what all runs used.
    pub fn spent(&self) -> Spent {
        Spent::by(&self.runs)
    }

    /// Returns the commits that count.
    pub fn live_commits(&self) -> impl Iterator<Item = (&Oid, &Commit)> {
        self.commits.iter().filter(|(_, commit)| commit.live)
    }
}
