//! Which policy of a step applies, and what it does.

use super::{Behavior, Looped, Noted, Occasion, StepPolicy, Triggered};
use crate::domain::event::{Body, Cause, Draft, Verdict};
use crate::domain::id::StepId;
use crate::domain::review::Severity;
use crate::domain::run::{Run, RunStatus, Spent};
use crate::domain::spec::StepKind;
use crate::domain::state::{Protocol, Step};
use crate::domain::status::{ProtocolStatus, StepStatus};
use crate::domain::text;

/// Where loops and calls end, whatever their policies say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Of all loops and calls of a protocol together.
    pub iterations: u64,
    /// How many calls may lie one within the other.
    pub depth: u64,
    /// How long engines may be at work from the first loop or call on, all runs together.
    pub time_ms: u64,
    /// What they may use meanwhile.
    pub tokens: Option<u64>,
    /// How often the same failure may come in a row.
    pub same_failure: u64,
}

/// Why a policy does not apply.
enum Why {
    /// The next one may.
    NotThis(&'static str, String),
    /// No other would either.
    Never(&'static str, String),
}

/// Returns what follows a step by its policies: notes of those that could not, and at most one that does.
///
/// Loops come before calls, and within each kind the first one in the order of the plan that can. A
/// protocol that is over or that somebody holds goes nowhere by itself.
pub fn decide(protocol: &Protocol, step: &Step, occasion: Occasion, caps: &Caps) -> Vec<Draft> {
    let mut drafts = Vec::new();
    if protocol.shown.is_final() || protocol.recorded == ProtocolStatus::Paused {
        return drafts;
    }
    let Some(more) = &step.more else { return drafts };
    let cause = cause_of(protocol, step, occasion);
    let of_step = |body| Draft { step: Some(step.id.clone()), ..Draft::new(body) };
    for behavior in [Behavior::Loop, Behavior::Trigger] {
        let waiting = |policy: &&StepPolicy| policy.behavior == behavior && waits_for(policy, occasion);
        for policy in more.policies.iter().filter(waiting) {
            let decided = match behavior {
                Behavior::Loop => go_back(protocol, step, policy, occasion, caps),
                Behavior::Trigger => call(protocol, step, policy, occasion, caps),
            };
            let why = match decided {
                Ok(body) => {
                    let (attempt, from) = (Some(step.attempt), Some(step.recorded.as_str().to_owned()));
                    drafts.push(Draft { attempt, from, cause, ..of_step(body) });
                    return drafts;
                }
                Err(why) => why,
            };
            let ends = matches!(why, Why::Never(..));
            let (Why::NotThis(code, reason) | Why::Never(code, reason)) = why;
            let cause = cause.clone().map(|cause| cause.of(&policy.id));
            let noted = Noted { policy: policy.id.clone(), occasion, code: code.to_owned(), reason };
            // A note moves nothing, so it fits wherever the step is.
            drafts.push(Draft { cause, ..of_step(Body::PolicyNoted(noted)) });
            if ends {
                return drafts;
            }
        }
    }
    drafts
}

/// Returns what made it happen, so that two clones that see it decide once, and what was taken back is
/// not decided again.
fn cause_of(protocol: &Protocol, step: &Step, occasion: Occasion) -> Option<Cause> {
    match occasion {
        Occasion::QaFailed | Occasion::QaPassed => {
            step.verdict.as_ref().map(|verdict| Cause::verdict(verdict.id))
        }
        Occasion::ExecFailed | Occasion::ExecCompleted => {
            let run = protocol.runs_of(&step.id).last()?.started.run;
            Some(Cause::run(run).of(occasion.as_str()))
        }
    }
}

fn waits_for(policy: &StepPolicy, occasion: Occasion) -> bool {
    match (policy.on.as_slice(), policy.behavior) {
        ([], Behavior::Loop) => occasion == Occasion::QaFailed,
        ([], Behavior::Trigger) => occasion == Occasion::QaPassed,
        (on, _) => on.contains(&occasion),
    }
}

fn go_back(
    protocol: &Protocol,
    step: &Step,
    policy: &StepPolicy,
    occasion: Occasion,
    caps: &Caps,
) -> Result<Body, Why> {
    let iteration = next_iteration(protocol, policy)?;
    within_caps(protocol, step, occasion, caps)?;
    let may_begin_again = |other: &Step| {
        other.id == step.id
            || other.recorded != StepStatus::Cancelled
                && other.kind != StepKind::Setup
                && !policy.skip_steps.contains(&other.id)
    };
    let own = protocol.steps.iter().position(|other| other.id == step.id).unwrap_or(0);
    let back = usize::try_from(policy.step_back.max(1)).unwrap_or(usize::MAX);
    let wanted = own.saturating_sub(back);
    let may = |idx: &usize| may_begin_again(&protocol.steps[*idx]);
    // Where it may not, one further back; where nothing is left there, the first that may.
    let target = (0..=wanted).rev().find(may).or_else(|| (wanted..=own).find(may)).unwrap_or(own);
    let again = protocol.steps[target..].iter().filter(|step| may_begin_again(step));
    let steps: Vec<StepId> = again.map(|step| step.id.clone()).collect();
    let target = protocol.steps[target].id.clone();
    let of = policy.max_iterations.map(|max| format!(" of {max}")).unwrap_or_default();
    let what = what_happened(protocol, step, occasion);
    let reason = format!("{what}: back to step {target} by policy {}, {iteration}{of}", policy.id);
    Ok(Body::PolicyLooped(Looped {
        policy: policy.id.clone(),
        occasion,
        target,
        steps,
        iteration,
        max: policy.max_iterations,
        reason,
    }))
}

fn call(
    protocol: &Protocol,
    step: &Step,
    policy: &StepPolicy,
    occasion: Occasion,
    caps: &Caps,
) -> Result<Body, Why> {
    next_iteration(protocol, policy)?;
    let missing = |why: String| Err(Why::NotThis("missing", format!("policy {} {why}", policy.id)));
    let Some(id) = &policy.target else { return missing("names no step to call".to_owned()) };
    if *id == step.id {
        return missing("calls the step that it belongs to".to_owned());
    }
    let Some(target) = protocol.step(id) else {
        return missing(format!("calls step {id}, which is not in the plan"));
    };
    if target.recorded.is_final() {
        return Err(Why::NotThis("settled", format!("step {id} is {} already", target.recorded)));
    }
    within_caps(protocol, step, occasion, caps)?;
    let depth = protocol.loops.depths.get(&step.id).copied().unwrap_or(0).saturating_add(1);
    if depth > caps.depth {
        let max = caps.depth;
        let why = format!("{depth} calls would lie one within the other, and loops.max_depth is {max}");
        return Err(Why::Never("depth", why));
    }
    let what = what_happened(protocol, step, occasion);
    let reason = format!("{what}: step {} calls it by policy {}", step.id, policy.id);
    let (policy, target) = (policy.id.clone(), id.clone());
    Ok(Body::PolicyTriggered(Triggered { policy, occasion, target, depth, reason }))
}

fn next_iteration(protocol: &Protocol, policy: &StepPolicy) -> Result<u64, Why> {
    let done = protocol.loops.iterations.get(&policy.id).copied().unwrap_or(0);
    match policy.max_iterations.filter(|max| done >= *max) {
        Some(max) => {
            Err(Why::NotThis("limit", format!("policy {} was followed {done} times, of {max}", policy.id)))
        }
        None => Ok(done + 1),
    }
}

fn within_caps(protocol: &Protocol, step: &Step, occasion: Occasion, caps: &Caps) -> Result<(), Why> {
    let cap = |reason| Err(Why::Never("cap", reason));
    let loops = &protocol.loops;
    if loops.total >= caps.iterations {
        let (total, max) = (loops.total, caps.iterations);
        return cap(format!(
            "policies of this protocol were followed {total} times, and loops.max_iterations is {max}"
        ));
    }
    let same = match occasion {
        Occasion::QaFailed => step.same_failures,
        Occasion::ExecFailed => same_ends(protocol, step),
        Occasion::QaPassed | Occasion::ExecCompleted => 0,
    };
    if same > 0 && same >= caps.same_failure {
        let what = what_happened(protocol, step, occasion);
        let max = caps.same_failure;
        return cap(format!("{what}, {same} times in a row; loops.max_same_failure is {max}"));
    }
    let Some(since) = loops.since_ms else { return Ok(()) };
    let runs = || protocol.runs.iter().filter(move |run| run.started_at_ms >= since);
    let ends = runs().filter_map(|run| run.finished.as_ref());
    let took = ends.fold(0_u64, |sum, end| sum.saturating_add(end.duration_ms));
    if took >= caps.time_ms {
        let (took, max) = (took / 60_000, caps.time_ms / 60_000);
        return cap(format!(
            "engines were at work for {took} minutes since the first loop, and loops.max_minutes is {max}"
        ));
    }
    let tokens = Spent::by(runs()).tokens;
    match caps.tokens.filter(|max| tokens >= *max) {
        Some(max) => {
            cap(format!("engines used {tokens} tokens since the first loop, and loops.max_tokens is {max}"))
        }
        None => Ok(()),
    }
}

/// Returns how often in a row the runs of a step ended in the same way; 0 if the last one succeeded.
fn same_ends(protocol: &Protocol, step: &Step) -> u64 {
    let end = |run: &Run| run.finished.as_ref().map(|end| (end.status, end.message.clone()));
    let ends: Vec<_> = protocol.runs_of(&step.id).filter_map(end).collect();
    let Some(last) = ends.last().filter(|(status, _)| *status != RunStatus::Succeeded) else { return 0 };
    u64::try_from(ends.iter().rev().take_while(|end| *end == last).count()).unwrap_or(u64::MAX)
}

fn what_happened(protocol: &Protocol, step: &Step, occasion: Occasion) -> String {
    match occasion {
        Occasion::QaPassed => "QA passed".to_owned(),
        Occasion::ExecCompleted => "the work is done".to_owned(),
        Occasion::QaFailed => {
            let mut what = step.verdict.as_ref().and_then(|it| failure(&it.verdict)).unwrap_or_default();
            let n_more = what.len().saturating_sub(3);
            what.truncate(3);
            let more = if n_more > 0 { format!(" and {n_more} more") } else { String::new() };
            let said = text::clip(&text::one_line(&what.join(", ")), 200);
            if said.is_empty() { "QA failed".to_owned() } else { format!("QA failed ({said}{more})") }
        }
        Occasion::ExecFailed => {
            let end = protocol.runs_of(&step.id).last().and_then(|run| run.finished.as_ref());
            end.map_or_else(
                || "the run failed".to_owned(),
                |end| format!("the run ended with {}", end.status),
            )
        }
    }
}

/// Returns what is wrong with a step by a verdict, so that two failures can be held against each other:
/// the gates that did not pass, and the blocking findings without their lines; `None` if it is no failure.
pub fn failure(verdict: &Verdict) -> Option<Vec<String>> {
    if verdict.result != "fail" {
        return None;
    }
    let gates = verdict.gates.iter().filter(|gate| gate.exit != Some(0));
    let mut what: Vec<String> = gates.map(|gate| format!("gate {}", gate.name)).collect();
    let findings = verdict.review.iter().flat_map(|review| &review.findings);
    for finding in findings.filter(|finding| finding.severity == Severity::Blocking) {
        let path = finding.path.as_ref().map(|path| format!("{path}: ")).unwrap_or_default();
        what.push(format!("{path}{}", text::one_line(&finding.message)));
    }
    what.sort();
    what.dedup();
    Some(what)
}
