//! The walk: decisions meet the state machine, commits note which step is current.

use super::Outcome;
use super::commits::Placed;
use crate::domain::ci::{JobResult, Jobs};
use crate::domain::event::{Actor, Body, Event, StepChange};
use crate::domain::id::{Digest, Name, StepId};
use crate::domain::policy::{Looped, Triggered};
use crate::domain::spec::Specs;
use crate::domain::state::{Counts, Loops, Paused, Protocol, Step};
use crate::domain::status::{ProtocolMove, ProtocolStatus, StepMove, StepStatus};

/// Applies the accepted events in order; an event that does not fit becomes rejected. Returns the
/// state, and the commits with the place at which each was seen.
pub(super) fn walk<'a>(
    events: &[&'a Event],
    specs: &Specs,
    outcomes: &mut [Outcome],
) -> (Option<Protocol>, Vec<Placed<'a>>) {
    let mut walk = Walk { specs, protocol: None, placed: Vec::new() };
    for (event, outcome) in events.iter().zip(outcomes) {
        if *outcome != Outcome::Accepted {
            continue;
        }
        *outcome = walk.apply(event);
    }
    (walk.protocol, walk.placed)
}

struct Walk<'e, 's> {
    specs: &'s Specs,
    protocol: Option<Protocol>,
    placed: Vec<Placed<'e>>,
}

fn rejected(reason: impl Into<String>) -> Outcome {
    Outcome::Rejected(reason.into())
}

impl<'e> Walk<'e, '_> {
    fn apply(&mut self, event: &'e Event) -> Outcome {
        if let Body::Created(created) = &event.body {
            self.protocol.get_or_insert_with(|| new_protocol(event, created.clone()));
            return Outcome::Accepted;
        }
        match &event.body {
            Body::Unknown { .. } | Body::ProjectCreated { .. } | Body::Reserved { fact: false, .. } => {
                return Outcome::Unknown;
            }
            // Perhaps a newer release can read it; a fact is never rejected.
            body @ Body::Malformed { .. } if body.is_fact() => return Outcome::Unknown,
            Body::Malformed { reason, .. } => return rejected(reason.clone()),
            Body::CommitSeen(seen) if event.redacts.is_none() => {
                let current = || self.protocol.as_ref()?.current_step().map(|step| step.id.clone());
                let current = if seen.step.is_none() { current() } else { None };
                self.placed.push(Placed { seen, at_ms: event.at_ms, current });
                return Outcome::Accepted;
            }
            body if body.is_fact() => return Outcome::Accepted,
            _ => (),
        }
        let Some(protocol) = &mut self.protocol else {
            return rejected("the protocol is not created yet");
        };
        match &event.body {
            Body::Planned { spec, plan_commit, .. } => {
                match move_protocol(protocol, event, ProtocolMove::Planned) {
                    Ok(()) => {
                        protocol.plan_commit = *plan_commit;
                        use_spec(protocol, *spec, self.specs);
                        Outcome::Accepted
                    }
                    Err(outcome) => outcome,
                }
            }
            Body::SpecChanged { spec, .. } if protocol.spec.is_some() => {
                use_spec(protocol, *spec, self.specs);
                Outcome::Accepted
            }
            Body::SpecChanged { .. } => rejected("the protocol has no plan yet"),
            Body::Protocol { to, .. } => {
                move_protocol(protocol, event, *to).err().unwrap_or(Outcome::Accepted)
            }
            Body::Step(change) => move_step(protocol, event, change).err().unwrap_or(Outcome::Accepted),
            Body::Pinned { on } => {
                protocol.pinned = *on;
                Outcome::Accepted
            }
            Body::GatesAccepted(gates) => {
                protocol.gates = Some(*gates);
                Outcome::Accepted
            }
            Body::Renumbered { number, slug } => {
                renumber(protocol, *number, slug).err().unwrap_or(Outcome::Accepted)
            }
            Body::Moved(moved) if event.root == Some(moved.root) => {
                protocol.add_name(moved.from.clone());
                Outcome::Accepted
            }
            Body::Moved(_) => rejected("it moves a protocol that it does not belong to"),
            Body::PolicyLooped(looped) => go_back(protocol, event, looped).err().unwrap_or(Outcome::Accepted),
            Body::PolicyTriggered(called) => call(protocol, event, called).err().unwrap_or(Outcome::Accepted),
            _ => Outcome::Accepted,
        }
    }
}

fn new_protocol(event: &Event, created: crate::domain::event::Created) -> Protocol {
    let names = event.protocol.clone().or_else(|| Name::new(created.number, &created.slug).ok());
    Protocol {
        root: event.id,
        created,
        names: names.into_iter().collect(),
        recorded: ProtocolStatus::Pending,
        shown: ProtocolStatus::Pending,
        blocked: None,
        paused: None,
        merged: None,
        spec: None,
        spec_missing: false,
        plan_commit: None,
        required_ci: Vec::new(),
        push_gate: false,
        gates: None,
        pinned: false,
        steps: Vec::new(),
        commits: std::collections::BTreeMap::new(),
        orphan_commits: Vec::new(),
        orphan_ci: 0,
        runs: Vec::new(),
        loops: Loops::default(),
        counts: Counts::default(),
        n_events: 0,
        created_at_ms: event.at_ms,
        updated_at_ms: event.at_ms,
    }
}

/// Shows the protocol under another name; the one that it had still names it.
fn renumber(protocol: &mut Protocol, number: u64, slug: &str) -> Result<(), Outcome> {
    let Ok(name) = Name::new(number, slug) else {
        return Err(rejected("its body has no valid `slug`"));
    };
    protocol.created.number = number;
    slug.clone_into(&mut protocol.created.slug);
    protocol.add_name(name);
    Ok(())
}

fn move_protocol(protocol: &mut Protocol, event: &Event, to: ProtocolMove) -> Result<(), Outcome> {
    let status = protocol.recorded;
    if !matches!(to, ProtocolMove::Cancelled | ProtocolMove::Blocked)
        && let Some(from) = &event.from
        && from != status.as_str()
    {
        return Err(rejected(format!("it expects the protocol to be {from}, but it is {status}")));
    }
    let Some(next) = status.after(to) else {
        return Err(rejected(format!("a protocol that is {status} cannot take {to}")));
    };
    protocol.recorded = next;
    protocol.paused = (next == ProtocolStatus::Paused).then(|| paused_by(event));
    if to == ProtocolMove::Cancelled {
        for step in protocol.steps.iter_mut().filter(|step| !step.recorded.is_final()) {
            step.recorded = StepStatus::Cancelled;
        }
    }
    Ok(())
}

fn paused_by(event: &Event) -> Paused {
    let Actor { kind, name, .. } = &*event.actor;
    let by = if name.is_empty() { kind.to_string() } else { name.clone() };
    let reason = match &event.body {
        Body::Protocol { reason, .. } => reason.clone(),
        _ => None,
    };
    Paused { by, reason }
}

/// Returns the step that an event is about.
fn step_of<'a>(protocol: &'a mut Protocol, event: &Event) -> Result<&'a mut Step, Outcome> {
    if protocol.recorded.is_final() {
        return Err(rejected(format!("the protocol is {}", protocol.recorded)));
    }
    let Some(id) = &event.step else {
        return Err(rejected("it names no step"));
    };
    let spec_missing = protocol.spec_missing;
    protocol.steps.iter_mut().find(|step| step.id == *id).ok_or_else(|| {
        let why = if spec_missing { "waits for its plan" } else { "is not in the plan" };
        rejected(format!("step {id} {why}"))
    })
}

/// Checks that a step is where the writer of an event saw it.
fn check_from(step: &Step, event: &Event) -> Result<(), Outcome> {
    let (id, status) = (&step.id, step.recorded);
    if let Some(from) = &event.from
        && from != status.as_str()
    {
        return Err(rejected(format!("it expects step {id} to be {from}, but it is {status}")));
    }
    if let Some(attempt) = event.attempt
        && attempt != step.attempt
    {
        return Err(rejected(format!(
            "it speaks of attempt {attempt}, but step {id} is at {}",
            step.attempt
        )));
    }
    Ok(())
}

/// Makes steps begin again. Those that were given up stay so, and those that somebody holds are held.
fn go_back(protocol: &mut Protocol, event: &Event, looped: &Looped) -> Result<(), Outcome> {
    let step = step_of(protocol, event)?;
    check_from(step, event)?;
    if step.recorded == StepStatus::Cancelled {
        return Err(rejected(format!("step {} is {}", step.id, step.recorded)));
    }
    for step in &mut protocol.steps {
        if looped.steps.contains(&step.id) && step.recorded != StepStatus::Cancelled {
            begin_again(step, event);
            step.reason = Some(looped.reason.clone());
        }
    }
    count(protocol, event, &looped.policy);
    Ok(())
}

/// Makes the step that was called wait for its turn. One that has begun has its turn.
fn call(protocol: &mut Protocol, event: &Event, called: &Triggered) -> Result<(), Outcome> {
    let step = step_of(protocol, event)?;
    check_from(step, event)?;
    let id = step.id.clone();
    if called.target == id {
        return Err(rejected(format!("step {id} calls itself")));
    }
    let depth = protocol.loops.depths.get(&id).copied().unwrap_or(0).saturating_add(1);
    let Some(target) = protocol.steps.iter_mut().find(|step| step.id == called.target) else {
        return Err(rejected(format!("step {} is not in the plan", called.target)));
    };
    if target.recorded.is_final() {
        return Err(rejected(format!("step {} is {}", called.target, target.recorded)));
    }
    if target.recorded == StepStatus::Failed {
        begin_again(target, event);
    }
    target.reason = Some(called.reason.clone());
    protocol.loops.depths.insert(called.target.clone(), depth);
    count(protocol, event, &called.policy);
    Ok(())
}

/// Takes a step back to where it has not begun. Its commits stay, and so does the count of its attempts:
/// what was said about it before does not complete it again.
fn begin_again(step: &mut Step, event: &Event) {
    if step.recorded == StepStatus::Blocked {
        step.before_block = StepStatus::Pending;
    } else {
        step.recorded = StepStatus::Pending;
    }
    step.evidence = None;
    step.rewound = Some((event.clock, event.id));
}

fn count(protocol: &mut Protocol, event: &Event, policy: &str) {
    let loops = &mut protocol.loops;
    *loops.iterations.entry(policy.to_owned()).or_default() += 1;
    loops.total += 1;
    loops.since_ms.get_or_insert(event.at_ms);
}

fn move_step(protocol: &mut Protocol, event: &Event, change: &StepChange) -> Result<(), Outcome> {
    let step = step_of(protocol, event)?;
    let status = step.recorded;
    if change.to != StepMove::Blocked {
        check_from(step, event)?;
    }
    let Some(next) = status.after(change.to, step.before_block) else {
        return Err(rejected(format!("a step that is {status} cannot take {}", change.to)));
    };
    if next == StepStatus::Blocked {
        step.before_block = status;
    }
    if next == StepStatus::Running {
        step.attempt += 1;
    }
    step.recorded = next;
    step.reason.clone_from(&change.reason);
    if next == StepStatus::Completed {
        step.evidence.clone_from(&change.evidence);
    }
    Ok(())
}

/// Takes over the steps of a plan. A step that is already there keeps its history; one that has
/// history and is no longer planned stays.
fn use_spec(protocol: &mut Protocol, digest: Digest, specs: &Specs) {
    protocol.spec = Some(digest);
    let Some(spec) = specs.get(&digest) else {
        protocol.spec_missing = true;
        return;
    };
    protocol.spec_missing = false;
    protocol.required_ci.clone_from(&spec.required_ci);
    protocol.push_gate = spec.push_gate;
    let mut old = std::mem::take(&mut protocol.steps);
    for planned in &spec.steps {
        let known = old.iter().position(|step| step.id == planned.id).map(|idx| old.swap_remove(idx));
        let mut step = known.unwrap_or_else(|| new_step(&planned.id));
        step.title.clone_from(&planned.title);
        step.kind = planned.kind;
        step.file.clone_from(&planned.file);
        step.qa = planned.qa;
        step.depends_on.clone_from(&planned.depends_on);
        step.more.clone_from(&planned.more);
        protocol.steps.push(step);
    }
    old.retain(|step| step.attempt > 0 || step.recorded.is_final());
    protocol.steps.extend(old);
    protocol.steps.sort_by(|a, b| a.id.cmp(&b.id));
}

fn new_step(id: &StepId) -> Step {
    Step {
        id: id.clone(),
        title: String::new(),
        kind: crate::domain::spec::StepKind::Work,
        file: String::new(),
        qa: crate::domain::spec::QaPolicy::Skip,
        depends_on: Vec::new(),
        more: None,
        recorded: StepStatus::Pending,
        shown: StepStatus::Pending,
        attempt: 0,
        before_block: StepStatus::Pending,
        reason: None,
        evidence: None,
        commits: Vec::new(),
        verdict: None,
        same_failures: 0,
        rewound: None,
        jobs: Jobs::default(),
        ci: JobResult::None,
    }
}
