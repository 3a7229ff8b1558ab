//! Runs: what an engine was asked, what came of it, and what it used.

use std::collections::BTreeMap;

use super::id::{Digest, StepId, Ulid};
use super::status::status;

status! {
    /// What an engine is asked to do.
    RunKind {
        /// Make a plan from a description.
        Plan = "plan",
        /// Say more about one step of a plan.
        Decompose = "decompose",
        /// Do a step.
        Step = "step",
        /// Judge a step.
        Review = "review",
        /// Mend what a gate found.
        Fix = "fix",
    }
}

status! {
    /// How a run ended. A new word would need a new version of every form that holds one.
    RunStatus {
        Succeeded = "succeeded",
        /// The model would not do it.
        Refused = "refused",
        /// The answer is not what the schema asks for.
        Schema = "schema",
        /// The engine was not allowed to do what it needed.
        Denied = "denied",
        Auth = "auth",
        RateLimited = "rate-limited",
        Quota = "quota",
        ContextTooLong = "context-too-long",
        /// A limit of time was reached.
        Timeout = "timeout",
        /// Somebody ended it: a signal, Ctrl-C, or the end of this program.
        Killed = "killed",
        /// It ended in a way that says nothing.
        Crashed = "crashed",
        /// It is not there, or cannot be reached.
        Unavailable = "unavailable",
    }
}

impl RunStatus {
    /// Whether another engine may do better at once.
    pub fn calls_for_fallback(self) -> bool {
        matches!(self, Self::Auth | Self::RateLimited | Self::Quota | Self::Unavailable)
    }
}

/// What a run used. What the engine did not say is `None`, and never 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All that went in, what came from a cache included.
    pub input_tokens: Option<u64>,
    /// The part of the input that came from a cache.
    pub cached_tokens: Option<u64>,
    /// All that came out, reasoning included.
    pub output_tokens: Option<u64>,
    /// Millionths of a US dollar.
    pub cost_micros: Option<u64>,
}

impl Usage {
    /// Whether nothing is known of it.
    pub fn is_unknown(self) -> bool {
        self == Self::default()
    }

    /// Returns input and output together, as far as they are known.
    pub fn tokens(self) -> Option<u64> {
        match (self.input_tokens, self.output_tokens) {
            (None, None) => None,
            (input, output) => Some(input.unwrap_or(0).saturating_add(output.unwrap_or(0))),
        }
    }

    /// Returns both together; what neither knows stays unknown.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let add = |one: Option<u64>, two: Option<u64>| match (one, two) {
            (None, None) => None,
            (one, two) => Some(one.unwrap_or(0).saturating_add(two.unwrap_or(0))),
        };
        Self {
            input_tokens: add(self.input_tokens, other.input_tokens),
            cached_tokens: add(self.cached_tokens, other.cached_tokens),
            output_tokens: add(self.output_tokens, other.output_tokens),
            cost_micros: add(self.cost_micros, other.cost_micros),
        }
    }
}

/// Returns how many tokens a text is thought to be: a quarter of its characters, at least one.
pub fn estimate_tokens(text: &str) -> u64 {
    u64::try_from(text.chars().count().div_ceil(4)).unwrap_or(u64::MAX).max(1)
}

/// The beginning of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStarted {
    pub run: Ulid,
    pub kind: RunKind,
    pub engine: String,
    pub model: Option<String>,
    /// Of the prompt as it was sent.
    pub prompt: Digest,
    /// Of the template that the prompt was made from.
    pub template: Option<String>,
    /// What the prompt is thought to cost, in tokens; counted where the engine does not say.
    pub estimate: u64,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFinished {
    pub run: Ulid,
    pub status: RunStatus,
    /// For people; secrets taken out.
    pub message: String,
    pub usage: Usage,
    pub duration_ms: u64,
    /// How the engine calls its own conversation, to go on with it.
    pub session: Option<String>,
    pub exit: Option<i64>,
    /// Paths that the run changed, at most a hundred.
    pub changed: Vec<String>,
    /// The SHA-256 of the log.
    pub log: Option<String>,
}

/// A file that a run left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    pub run: Ulid,
    pub name: String,
    /// `protocol_output`, `aux_output`, `report`, `log` or `prompt`.
    pub kind: String,
    pub path: String,
    pub sha256: String,
    pub bytes: u64,
}

/// What a run without a protocol used, such as a plan that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRecorded {
    pub run: Ulid,
    pub kind: RunKind,
    pub engine: String,
    pub model: Option<String>,
    pub status: RunStatus,
    pub usage: Usage,
    pub estimate: u64,
}

/// One run, as the events tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub started: RunStarted,
    pub step: Option<StepId>,
    /// The attempt of the step.
    pub attempt: Option<u64>,
    pub started_at_ms: u64,
    /// `None` while it goes on, or if nobody said how it ended.
    pub finished: Option<RunFinished>,
    pub finished_at_ms: Option<u64>,
    pub artifacts: Vec<Artifact>,
}

impl Run {
    /// Returns the tokens that count against a budget, and whether they are an estimate. A run that no
    /// model has seen counts for nothing.
    pub fn counted_tokens(&self) -> (u64, bool) {
        let finished = self.finished.as_ref();
        match finished.and_then(|finished| finished.usage.tokens()) {
            Some(tokens) => (tokens, false),
            None if finished.is_some_and(|finished| finished.status.calls_for_fallback()) => (0, false),
            None => (self.started.estimate, true),
        }
    }
}

/// What several runs used together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// What engines said.
    pub usage: Usage,
    /// What counts: what engines said, and the estimates of runs of which nobody said anything.
    pub tokens: u64,
    /// The part of it that is an estimate.
    pub estimated_tokens: u64,
    /// Runs whose cost nobody knows.
    pub unknown_costs: u64,
}

impl Spent {
    /// Returns both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            usage: self.usage.plus(other.usage),
            tokens: self.tokens.saturating_add(other.tokens),
            estimated_tokens: self.estimated_tokens.saturating_add(other.estimated_tokens),
            unknown_costs: self.unknown_costs.saturating_add(other.unknown_costs),
        }
    }

    /// Returns what a run without a protocol used.
    pub fn of_recorded(recorded: &UsageRecorded) -> Self {
        let known = recorded.usage.tokens();
        // What no model has seen costs nothing.
        let estimate = if recorded.status.calls_for_fallback() { 0 } else { recorded.estimate };
        let tokens = known.unwrap_or(estimate);
        Self {
            usage: recorded.usage,
            tokens,
            estimated_tokens: if known.is_some() { 0 } else { tokens },
            unknown_costs: u64::from(recorded.usage.cost_micros.is_none()),
        }
    }

    /// Returns what `runs` used.
    pub fn by<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Self {
        let mut spent = Self::default();
        for run in runs {
            let (tokens, estimated) = run.counted_tokens();
            spent.tokens = spent.tokens.saturating_add(tokens);
            if estimated {
                spent.estimated_tokens = spent.estimated_tokens.saturating_add(tokens);
            }
            let usage = run.finished.as_ref().map(|finished| finished.usage).unwrap_or_default();
            spent.unknown_costs += u64::from(usage.cost_micros.is_none());
            spent.usage = spent.usage.plus(usage);
        }
        spent
    }
}

/// Returns the runs that events tell of, in the order in which they began. A run that nobody saw the
/// beginning of is none.
pub(super) fn join<'a>(events: impl Iterator<Item = &'a super::event::Event>) -> Vec<Run> {
    use super::event::Body;

    let mut runs: Vec<Run> = Vec::new();
    let mut at: BTreeMap<Ulid, usize> = BTreeMap::new();
    let mut finished: BTreeMap<Ulid, (&RunFinished, u64)> = BTreeMap::new();
    let mut artifacts: BTreeMap<(Ulid, &str), &Artifact> = BTreeMap::new();
    for event in events {
        match &event.body {
            Body::RunStarted(started) if !at.contains_key(&started.run) => {
                at.insert(started.run, runs.len());
                runs.push(Run {
                    started: started.clone(),
                    step: event.step.clone(),
                    attempt: event.attempt,
                    started_at_ms: event.at_ms,
                    finished: None,
                    finished_at_ms: None,
                    artifacts: Vec::new(),
                });
            }
            // The first word about it holds, but one that knows what it used outdoes one that does not.
            Body::RunFinished(end) => {
                let known = finished.entry(end.run).or_insert((end, event.at_ms));
                if known.0.usage.is_unknown() && !end.usage.is_unknown() {
                    *known = (end, event.at_ms);
                }
            }
            Body::ArtifactAdded(artifact) => {
                artifacts.entry((artifact.run, &artifact.name)).or_insert(artifact);
            }
            _ => (),
        }
    }
    for (run, (end, at_ms)) in finished {
        if let Some(idx) = at.get(&run) {
            runs[*idx].finished = Some(end.clone());
            runs[*idx].finished_at_ms = Some(at_ms);
        }
    }
    for ((run, _), artifact) in artifacts {
        if let Some(idx) = at.get(&run) {
            runs[*idx].artifacts.push(artifact.clone());
        }
    }
    runs
}
