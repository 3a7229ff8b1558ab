//! Who does what, with what, and what it may cost: the settings about engines, out of the table of keys.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Entry, Origin, Value};
use crate::domain::run::RunKind;
use crate::domain::status::status;

/// Everything that is set about engines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Engines {
    /// By name, as far as anything is set about them.
    pub named: BTreeMap<String, EngineSettings>,
    pub phases: Phases,
    pub budget: Budget,
    pub caps: Caps,
}

/// What is set about one engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineSettings {
    /// Which of the built-in engines it is; `None` for the one of its name, or else `command`.
    pub kind: Option<String>,
    /// The program and its first arguments.
    pub argv: Vec<String>,
    pub model: Option<String>,
    pub effort: Option<String>,
    /// How long a run may take.
    pub timeout: Option<Duration>,
    /// How long a run may say nothing.
    pub idle: Option<Duration>,
    /// Engines to try in order when this one cannot.
    pub fallbacks: Vec<String>,
    /// Where its service is.
    pub base_url: Option<String>,
    /// The form of its service: `responses`, `chat` or `messages`.
    pub api: Option<String>,
    /// The variable that holds its key.
    pub key_env: Option<String>,
    /// Variables that it gets from our environment beside the usual ones.
    pub pass_env: Vec<String>,
    /// The keys that `godzilla.toml` set, in place of the user: they need consent.
    pub from_repository: BTreeSet<String>,
}

/// Who does what; `None` for nobody but people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    pub planning: Option<String>,
    pub decompose: Option<String>,
    pub exec: Option<String>,
    pub qa: Option<String>,
    pub discovery: Option<String>,
    /// Those that `godzilla.toml` set.
    pub from_repository: BTreeSet<String>,
}

status! {
    /// What happens when a budget is used up.
    BudgetMode {
        /// Nothing runs any more.
        Strict = "strict",
        /// Somebody is told.
        Warn = "warn",
        Off = "off",
    }
}

/// What runs may use; `None` for as much as they like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub mode: BudgetMode,
    pub step: Amount,
    pub protocol: Amount,
    pub project: Amount,
    /// In one day, from midnight to midnight UTC.
    pub day: Amount,
}

/// Tokens and money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    pub tokens: Option<u64>,
    /// Millionths of a US dollar.
    pub cost_micros: Option<u64>,
}

/// Where loops and repeated runs end, whatever their policies say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Of all loops and calls of a protocol together.
    pub iterations: u64,
    /// How many calls may lie one within the other.
    pub depth: u64,
    /// How long engines may be at work in a protocol from its first loop or call on, all runs together.
    pub time: Duration,
    pub tokens: Option<u64>,
    /// How often the same failure may come.
    pub same_failure: u64,
    /// How often what a gate found is mended by an engine.
    pub fixes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        let none = Amount::default();
        Self { mode: BudgetMode::Strict, step: none, protocol: none, project: none, day: none }
    }
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            iterations: 20,
            depth: 3,
            time: Duration::from_hours(4),
            tokens: None,
            same_failure: 3,
            fixes: 2,
        }
    }
}

impl Phases {
    /// Returns who is set for a kind of run; what decomposes is what plans, and what mends is what does.
    pub fn of(&self, kind: RunKind) -> Option<&str> {
        match kind {
            RunKind::Plan => self.planning.as_deref(),
            RunKind::Decompose => self.decompose.as_deref().or(self.planning.as_deref()),
            RunKind::Step | RunKind::Fix => self.exec.as_deref(),
            RunKind::Review => self.qa.as_deref(),
        }
    }
}

impl Engines {
    /// Returns what entries of the table say.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let mut engines = Self::default();
        for entry in entries {
            let Some(value) = &entry.typed else { continue };
            let from_repository = matches!(entry.origin, Origin::File | Origin::Commit(_));
            let parts: Vec<&str> = entry.key.split('.').collect();
            match *parts.as_slice() {
                ["engines", name, key] => {
                    let engine = engines.named.entry(name.to_owned()).or_default();
                    engine.set(key, value);
                    if from_repository {
                        engine.from_repository.insert(key.to_owned());
                    }
                }
                ["phases", phase] => {
                    engines.phases.set(phase, value);
                    if from_repository {
                        engines.phases.from_repository.insert(phase.to_owned());
                    }
                }
                ["budget", key] => engines.budget.set(key, value),
                ["loops", key] => engines.caps.set(key, value),
                ["qa", "auto_fix_attempts"] => engines.caps.fixes = value.number(),
                _ => (),
            }
        }
        engines
    }
}

impl EngineSettings {
    fn set(&mut self, key: &str, value: &Value) {
        let text = || Some(value.text().to_owned());
        match key {
            "kind" => self.kind = text(),
            "argv" => self.argv = value.list(),
            "model" => self.model = text(),
            "effort" => self.effort = text(),
            "timeout_seconds" => self.timeout = Some(value.seconds()),
            "idle_seconds" => self.idle = Some(value.seconds()),
            "fallbacks" => self.fallbacks = value.list(),
            "base_url" => self.base_url = text(),
            "api" => self.api = text(),
            "key_env" => self.key_env = text(),
            "pass_env" => self.pass_env = value.list(),
            _ => (),
        }
    }
}

impl Phases {
    fn set(&mut self, phase: &str, value: &Value) {
        let engine = Some(value.text().to_owned());
        match phase {
            "planning" => self.planning = engine,
            "decompose" => self.decompose = engine,
            "exec" => self.exec = engine,
            "qa" => self.qa = engine,
            "discovery" => self.discovery = engine,
            _ => (),
        }
    }
}

impl Budget {
    /// Whether anything is limited.
    pub fn is_set(&self) -> bool {
        [self.step, self.protocol, self.project, self.day].iter().any(|amount| *amount != Amount::default())
    }

    fn set(&mut self, key: &str, value: &Value) {
        /// Settings count in cents.
        const MICROS_PER_CENT: u64 = 10_000;

        if key == "mode" {
            self.mode = BudgetMode::from_word(value.text()).unwrap_or(self.mode);
            return;
        }
        let amount = match key {
            "step_tokens" | "step_cents" => &mut self.step,
            "protocol_tokens" | "protocol_cents" => &mut self.protocol,
            "project_tokens" | "project_cents" => &mut self.project,
            "project_tokens_per_day" | "project_cents_per_day" => &mut self.day,
            _ => return,
        };
        if key.contains("tokens") {
            amount.tokens = Some(value.number());
        } else {
            amount.cost_micros = Some(value.number().saturating_mul(MICROS_PER_CENT));
        }
    }
}

impl Caps {
    fn set(&mut self, key: &str, value: &Value) {
        match key {
            "max_iterations" => self.iterations = value.number(),
            "max_depth" => self.depth = value.number(),
            "max_minutes" => self.time = Duration::from_secs(value.number().saturating_mul(60)),
            "max_tokens" => self.tokens = Some(value.number()),
            "max_same_failure" => self.same_failure = value.number(),
            _ => (),
        }
    }
}
