//! What follows from facts, once all decisions are in: which commits count, CI, merge, what is shown.

use std::collections::{HashMap, HashSet};

use super::Outcome;
use crate::domain::ci::{JobResult, Jobs};
use crate::domain::event::{Body, CiReport, Event, MergeDetected};
use crate::domain::id::{Oid, Ulid};
use crate::domain::state::{Blocked, Protocol, ShownVerdict, Step};
use crate::domain::status::{ProtocolStatus, StepStatus};

/// The facts that count, gathered from wherever they stand.
#[derive(Default)]
struct Facts<'a> {
    rewritten: HashMap<Oid, Oid>,
    /// Later ones win; `None` of the first means that no event speaks of the branch.
    gone: &'a [Oid],
    /// Commits seen after the last word about the branch.
    seen_since: Vec<Oid>,
    reports: Vec<(&'a CiReport, Ulid, u64)>,
    verdicts: Vec<(&'a Event, &'a crate::domain::event::Verdict)>,
    merged: Option<&'a MergeDetected>,
}

pub(super) fn derive(protocol: &mut Protocol, events: &[Event], outcomes: &[Outcome]) {
    let mut facts = Facts::default();
    for (event, _) in events.iter().zip(outcomes).filter(|(_, o)| **o == Outcome::Accepted) {
        match &event.body {
            // A fact whose text was taken out says nothing any more.
            _ if event.redacts.is_some() => (),
            Body::CommitSeen(seen) => facts.seen_since.push(seen.commit),
            Body::CommitRewritten { old, new, .. } => {
                facts.rewritten.insert(*old, *new);
            }
            Body::BranchTip { gone, .. } => {
                facts.gone = gone;
                facts.seen_since.clear();
            }
            Body::MergeDetected(merged) => {
                facts.merged.get_or_insert(merged);
            }
            Body::CiReported(report) => facts.reports.push((report, event.id, event.at_ms)),
            Body::VerdictRecorded(verdict) => facts.verdicts.push((event, verdict)),
            _ => (),
        }
    }
    settle_commits(protocol, &facts);
    join_ci(protocol, &facts);
    join_verdicts(protocol, &facts);
    show(protocol, facts.merged);
}

/// A commit counts unless the branch lost it or a commit that counts replaced it. A lost commit
/// that a later commit builds on has returned.
fn settle_commits(protocol: &mut Protocol, facts: &Facts<'_>) {
    let mut gone: HashSet<Oid> = facts.gone.iter().copied().collect();
    let mut returned: Vec<Oid> = facts.seen_since.clone();
    let mut visited = HashSet::new();
    while let Some(oid) = returned.pop() {
        if visited.insert(oid)
            && let Some(commit) = protocol.commits.get(&oid)
        {
            gone.remove(&oid);
            returned.extend(&commit.parents);
        }
    }
    let replaced: Vec<Oid> = protocol
        .commits
        .keys()
        .filter(|oid| {
            let mut seen = HashSet::new();
            let mut at = **oid;
            while let Some(next) = facts.rewritten.get(&at)
                && seen.insert(at)
            {
                if protocol.commits.contains_key(next) && !gone.contains(next) {
                    return true;
                }
                at = *next;
            }
            false
        })
        .copied()
        .collect();
    for (oid, commit) in &mut protocol.commits {
        commit.live = !gone.contains(oid);
    }
    for oid in replaced {
        if let Some(commit) = protocol.commits.get_mut(&oid) {
            commit.live = false;
        }
    }
    let commits = &protocol.commits;
    let is_live = |oid: &Oid| commits.get(oid).is_some_and(|commit| commit.live);
    for step in &mut protocol.steps {
        step.commits.retain(is_live);
    }
    protocol.orphan_commits.retain(is_live);
}

/// A report counts for the newest commit of a step if it speaks of that commit or of one with the
/// same tree.
fn join_ci(protocol: &mut Protocol, facts: &Facts<'_>) {
    if facts.reports.is_empty() && protocol.required_ci.is_empty() {
        return;
    }
    let mut by_commit: HashMap<Oid, Jobs> = HashMap::new();
    let mut by_tree: HashMap<Oid, Jobs> = HashMap::new();
    for (report, id, at_ms) in &facts.reports {
        let known = protocol.commits.get(&report.commit);
        match known.map(|commit| commit.tree).or(report.tree) {
            Some(tree) => by_tree.entry(tree).or_default().join(report, *id, *at_ms),
            None => by_commit.entry(report.commit).or_default().join(report, *id, *at_ms),
        }
    }
    let trees: HashSet<Oid> = protocol.commits.values().map(|commit| commit.tree).collect();
    protocol.orphan_ci = facts
        .reports
        .iter()
        .filter(|(report, ..)| {
            !protocol.commits.contains_key(&report.commit) && !report.tree.is_some_and(|tree| trees.contains(&tree))
        })
        .count();
    for step in &mut protocol.steps {
        let Some(newest) = step.newest() else { continue };
        let mut jobs = by_commit.remove(&newest).unwrap_or_default();
        if let Some(more) = protocol.commits.get(&newest).and_then(|commit| by_tree.get(&commit.tree)) {
            jobs.join_all(more);
        }
        step.ci = jobs.summary(&protocol.required_ci);
        step.jobs = jobs;
    }
}

fn join_verdicts(protocol: &mut Protocol, facts: &Facts<'_>) {
    for (event, verdict) in &facts.verdicts {
        let Some(id) = verdict.step.as_ref().or(event.step.as_ref()) else { continue };
        let commits = &protocol.commits;
        let Some(step) = protocol.steps.iter_mut().find(|step| step.id == *id) else { continue };
        let newest = step.newest().and_then(|oid| commits.get(&oid));
        step.verdict = Some(ShownVerdict {
            id: event.id,
            verdict: (*verdict).clone(),
            stale: newest.is_none_or(|commit| commit.content_tree != verdict.content_tree),
            at_ms: event.at_ms,
        });
    }
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
    if protocol.blocked.is_some() {
        protocol.shown = ProtocolStatus::Blocked;
    }
}

fn why_blocked(step: &Step, name: &str) -> Option<Blocked> {
    let id = &step.id;
    let because = step.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    match (step.recorded, step.shown) {
        (StepStatus::Blocked, _) => Some(Blocked {
            code: "step.blocked",
            message: format!("step {id} is blocked{because}"),
            remedy: format!("git godzilla unblock {id} -p {name}"),
        }),
        (StepStatus::Failed, _) => Some(Blocked {
            code: "step.failed",
            message: format!("step {id} failed{because}"),
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
