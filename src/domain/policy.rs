//! What follows a step by its own policies: going back to an earlier one, or calling another.

mod decide;
#[cfg(test)]
mod tests;

pub use decide::{Caps, decide, failure};

use super::id::StepId;
use super::status::status;

status! {
    /// What happened to a step that a policy may wait for.
    Occasion {
        QaFailed = "qa_failed",
        QaPassed = "qa_passed",
        ExecFailed = "exec_failed",
        ExecCompleted = "exec_completed",
    }
}

status! {
    /// What a policy does.
    Behavior {
        /// Goes back to an earlier step.
        Loop = "loop",
        /// Calls another step.
        Trigger = "trigger",
    }
}

/// A rule that a step carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepPolicy {
    pub id: String,
    pub behavior: Behavior,
    /// When it applies; empty for the occasion that its behaviour is made for: a failed QA for a loop, a
    /// passed one for a trigger.
    pub on: Vec<Occasion>,
    /// How often at most; `None` for as often as the caps of the configuration allow.
    pub max_iterations: Option<u64>,
    /// How many steps a loop goes back, at least 1.
    pub step_back: u64,
    /// Steps that a loop leaves as they are.
    pub skip_steps: Vec<StepId>,
    /// The step that a trigger calls.
    pub target: Option<StepId>,
}

/// A step went back to an earlier one; a decision of the step that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looped {
    pub policy: String,
    pub occasion: Occasion,
    pub target: StepId,
    /// The steps that begin again, the target among them.
    pub steps: Vec<StepId>,
    /// How often this policy has done so, this time included.
    pub iteration: u64,
    pub max: Option<u64>,
    pub reason: String,
}

/// A step called another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Triggered {
    pub policy: String,
    pub occasion: Occasion,
    pub target: StepId,
    /// How many calls lie one within the other, this one included.
    pub depth: u64,
    pub reason: String,
}

/// A policy was asked and did nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    pub policy: String,
    pub occasion: Occasion,
    /// `limit`, `depth`, `missing`, `settled` or `cap`; older releases may also say `condition`.
    pub code: String,
    pub reason: String,
}
