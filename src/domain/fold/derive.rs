//! What follows from facts, once all decisions are in: which commits count, CI, merge, what is shown.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashMapExt as _, HashSet};

use super::commits::{self, Placed, Rewrites};
use super::{Outcome, accepted};
use crate::domain::ci::{JobResult, Jobs};
use crate::domain::event::{Body, CiReport, Event, MergeDetected};
use crate::domain::id::{Oid, Ulid};
use crate::domain::state::{Blocked, Commit, Protocol, ShownVerdict, Step};
use crate::domain::status::{ProtocolStatus, StepStatus};
use crate::domain::{policy, run};

/// A report with the id and the time of its event.
type Reported<'a> = (&'a CiReport, Ulid, u64);

/// A tree, and the provider, the workflow and the name of a job.
type JobOfTree<'a> = (Oid, &'a str, &'a str, &'a str);

/// The facts that count, gathered from wherever they stand.
#[derive(Default)]
struct Facts<'a> {
    rewrites: Rewrites,
    /// What the branch does not reach, in the last word about it.
    gone: &'a [Oid],
    /// Commits seen after the last word about the branch.
    seen_since: Vec<Oid>,
    reports: Vec<Reported<'a>>,
    verdicts: Vec<(&'a Event, &'a crate::domain::event::Verdict)>,
    merged: Option<&'a MergeDetected>,
    runs: Vec<&'a Event>,
}

pub(super) fn derive(
    protocol: &mut Protocol,
    events: &[&Event],
    outcomes: &[Outcome],
    placed: &[Placed<'_>],
) {
    let mut facts = Facts::default();
    for event in accepted(events, outcomes) {
        match &event.body {
            // A fact whose text was taken out says nothing any more.
            _ if event.redacts.is_some() => (),
            Body::CommitSeen(seen) => facts.seen_since.push(seen.commit),
            Body::CommitRewritten { old, new, .. } => facts.rewrites.add(*old, *new),
            Body::BranchTip { gone, .. } => {
                facts.gone = gone;
                facts.seen_since.clear();
            }
            Body::MergeDetected(merged) => {
                facts.merged.get_or_insert(merged);
            }
            Body::CiReported(report) => facts.reports.push((report, event.id, event.at_ms)),
            Body::VerdictRecorded(verdict) => facts.verdicts.push((event, verdict)),
            Body::RunStarted(_) | Body::RunFinished(_) | Body::ArtifactAdded(_) => facts.runs.push(event),
            _ => (),
        }
    }
    commits::place(protocol, placed, &facts.rewrites);
    commits::settle(protocol, facts.gone, std::mem::take(&mut facts.seen_since), &facts.rewrites);
    join_ci(protocol, &facts);
    join_verdicts(protocol, &facts);
    protocol.runs = run::join(facts.runs.iter().copied());
    show(protocol, facts.merged);
}

/// A report counts for the newest commit of a step if it speaks of that commit or of one with the
/// same tree.
fn join_ci(protocol: &mut Protocol, facts: &Facts<'_>) {
    if facts.reports.is_empty() && protocol.required_ci.is_empty() {
        return;
    }
    let mut newest: HashMap<JobOfTree<'_>, &Reported<'_>> = HashMap::new();
    for reported in &facts.reports {
        let (report, id, _) = reported;
        let known = protocol.commits.get(&report.commit);
        if let Some(tree) = known.map(|commit| commit.tree).or(report.tree) {
            let known =
                newest.entry((tree, &report.provider, &report.workflow, &report.job)).or_insert(reported);
            if known.0.rank(known.1) < report.rank(*id) {
                *known = reported;
            }
        }
    }
    let mut by_tree: HashMap<Oid, Jobs> = HashMap::new();
    for ((tree, ..), (report, id, at_ms)) in newest {
        by_tree.entry(tree).or_default().join(report, *id, *at_ms);
    }
    let trees: HashSet<Oid> = protocol.commits.values().map(|commit| commit.tree).collect();
    protocol.orphan_ci = facts
        .reports
        .iter()
        .filter(|(report, ..)| {
            !protocol.commits.contains_key(&report.commit)
                && !report.tree.is_some_and(|tree| trees.contains(&tree))
        })
        .count();
    for step in &mut protocol.steps {
        let Some(newest) = step.newest().and_then(|oid| protocol.commits.get(&oid)) else { continue };
        let jobs = by_tree.get(&newest.tree).cloned().unwrap_or_default();
        step.ci = jobs.summary(&protocol.required_ci);
        step.jobs = jobs;
    }
}

fn join_verdicts(protocol: &mut Protocol, facts: &Facts<'_>) {
    let mut failures: HashMap<&str, Vec<String>> = HashMap::new();
    for (event, verdict) in &facts.verdicts {
        let Some(id) = verdict.step.as_ref().or(event.step.as_ref()) else { continue };
        let commits = &protocol.commits;
        let Some(step) = protocol.steps.iter_mut().find(|step| step.id == *id) else { continue };
        let newest = step.newest().and_then(|oid| commits.get(&oid));
        if let Some(failure) = policy::failure(verdict) {
            let last = failures.insert(id.as_str(), failure);
            let is_same = last.is_some_and(|last| failures.get(id.as_str()) == Some(&last));
            step.same_failures = if is_same { step.same_failures + 1 } else { 1 };
        } else if verdict.result == "pass" {
            failures.remove(id.as_str());
            step.same_failures = 0;
        }
        let is_before = step.rewound.is_some_and(|rewound| (event.clock, event.id) < rewound);
        step.verdict = Some(ShownVerdict {
            id: event.id,
            verdict: (*verdict).clone(),
            stale: is_before
                || !(newest.is_some_and(|commit| commit.content_tree == verdict.content_tree)
                    || (step.rewound.is_some() && is_about_all(step, commits, verdict))),
            at_ms: event.at_ms,
        });
    }
}

/// Whether a verdict is about a commit that holds all that this step and those before it have. Where a step
/// began again, steps before it have newer commits than it has itself, and it may need none of its own.
fn is_about_all(
    step: &Step,
    commits: &BTreeMap<Oid, Commit>,
    verdict: &crate::domain::event::Verdict,
) -> bool {
    let Some(judged) = verdict.commit else { return false };
    if commits.get(&judged).is_none_or(|commit| commit.content_tree != verdict.content_tree) {
        return false;
    }
    let mut held: HashSet<Oid> = HashSet::default();
    let mut next = vec![judged];
    while let Some(oid) = next.pop() {
        if let Some(commit) = commits.get(&oid).filter(|_| held.insert(oid)) {
            next.extend(&commit.parents);
        }
    }
    let counts = |commit: &Commit| commit.live && commit.step.as_ref().is_some_and(|id| *id <= step.id);
    commits.iter().all(|(oid, commit)| !counts(commit) || held.contains(oid))
}

fn show(protocol: &mut Protocol, merged: Option<&MergeDetected>) {
    for step in &mut protocol.steps {
        let ran = !step.recorded.is_final() && step.recorded != StepStatus::Pending;
        step.shown = if ran && step.ci == JobResult::Failure { StepStatus::Failed } else { step.recorded };
    }
    protocol.merged = merged.cloned();
    protocol.shown = protocol.recorded;
    if protocol.merged.is_some() {
        protocol.shown = ProtocolStatus::Completed;
    }
    if protocol.shown.is_final() || protocol.shown == ProtocolStatus::Paused {
        return;
    }
    let name = protocol.name();
    protocol.blocked = protocol.steps.iter().find_map(|step| why_blocked(step, &name));
    if protocol.blocked.is_none() && protocol.recorded == ProtocolStatus::Blocked {
        protocol.blocked = Some(Blocked {
            code: "protocol.blocked",
            message: "the protocol is blocked".to_owned(),
            remedy: format!("git godzilla log {name}"),
        });
    }
    if protocol.blocked.is_some() {
        protocol.shown = ProtocolStatus::Blocked;
    }
}

fn why_blocked(step: &Step, name: &str) -> Option<Blocked> {
    let id = &step.id;
    let because = step.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let failed = step.failed_by().map(|by| format!(": {by}")).unwrap_or_default();
    match (step.recorded, step.shown) {
        (StepStatus::Blocked, _) => Some(Blocked {
            code: "step.blocked",
            message: format!("step {id} is blocked{because}"),
            remedy: format!("git godzilla unblock {id} -p {name}"),
        }),
        (StepStatus::Failed, _) => Some(Blocked {
            code: "step.failed",
            message: format!("step {id} failed{}", if because.is_empty() { &failed } else { &because }),
            remedy: format!("git godzilla retry {id} -p {name}"),
        }),
        (_, StepStatus::Failed) => {
            let red = step.jobs.0.values().find(|job| job.result == JobResult::Failure)?;
            let place = red.url.as_ref().map(|url| format!(" ({url})")).unwrap_or_default();
            Some(Blocked {
                code: "ci.failed",
                message: format!("CI job {} is red on {} of step {id}{place}", red.name, red.sha.short()),
                remedy: "fix it and commit, or re-run the job".to_owned(),
            })
        }
        _ => None,
    }
}
