//! The machine-readable plan of a protocol, and the order of its steps.

pub mod contract;
pub mod pattern;
pub mod rules;

use std::collections::{BTreeMap, BTreeSet};

use super::id::{Digest, StepId};
use super::policy::StepPolicy;
use super::status::status;

status! {
    /// What kind of work a step is.
    StepKind {
        Setup = "setup",
        Work = "work",
        Qa = "qa",
    }
}

status! {
    /// How a step is checked before it completes.
    QaPolicy {
        Skip = "skip",
        Light = "light",
        Full = "full",
    }
}

/// A plan, as far as rules read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    pub title: String,
    pub description: String,
    /// By number.
    pub steps: Vec<SpecStep>,
    pub planner: Planner,
    /// CI jobs that must be green; empty means every job that reports.
    pub required_ci: Vec<String>,
    /// Whether a step completes only once a remote holds its commits.
    pub push_gate: bool,
    /// What stands in the place of texts that were taken out, by the SHA-256 of each: files may still say them.
    pub taken_out: BTreeMap<Digest, String>,
}

/// Who made a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planner {
    /// `outline`, or the engine.
    pub name: String,
    /// Of the prompt that the engine was given.
    pub prompt_hash: Option<Digest>,
}

impl Planner {
    /// Returns the planner without a model.
    pub fn outline() -> Self {
        Self { name: "outline".to_owned(), prompt_hash: None }
    }
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecStep {
    pub id: StepId,
    pub title: String,
    pub kind: StepKind,
    /// The step file's name within the protocol's folder.
    pub file: String,
    pub depends_on: Vec<StepId>,
    pub qa: QaPolicy,
    /// What most steps do not say.
    pub more: Option<Box<StepMore>>,
}

/// What a step may say beside what it must.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepMore {
    /// Who does it; `None` for whoever the configuration names.
    pub engine: Option<String>,
    pub model: Option<String>,
    /// The limit of a run, in seconds.
    pub timeout_seconds: Option<u64>,
    /// Patterns of the files that the step is about.
    pub paths: Vec<String>,
    /// Who reviews it.
    pub qa_engine: Option<String>,
    pub qa_model: Option<String>,
    /// The gates that judge it; `None` for all.
    pub qa_gates: Option<Vec<String>>,
    pub policies: Vec<StepPolicy>,
    /// Files that a run must leave behind, by name, within the protocol's folder.
    pub outputs: Vec<(String, String)>,
}

impl StepMore {
    /// Returns it for a step; `None` if it says nothing.
    pub fn into_step(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// The specs that a stream holds, by the SHA-256 of their canonical form.
pub type Specs = BTreeMap<Digest, Spec>;

/// A plan whose steps cannot be put in order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    #[error("a plan needs at least one step")]
    Empty,
    #[error("two steps have the number {0}")]
    SameNumber(u64),
    #[error("step `{step}` depends on `{missing}`, which does not exist")]
    Missing { step: StepId, missing: StepId },
    #[error("steps depend on each other in a circle: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
}

/// More circles than this are not looked for.
const MAX_CIRCLES: usize = 20;

impl Spec {
    /// Checks that numbers are unique, that dependencies exist, and that they form no circle.
    ///
    /// # Errors
    ///
    /// [`OrderError`], with the first circle found in its direction.
    pub fn check(&self) -> Result<(), OrderError> {
        if self.steps.is_empty() {
            return Err(OrderError::Empty);
        }
        let mut numbers = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for step in &self.steps {
            if !numbers.insert(step.id.number()) {
                return Err(OrderError::SameNumber(step.id.number()));
            }
            ids.insert(&step.id);
        }
        for step in &self.steps {
            if let Some(missing) = step.depends_on.iter().find(|id| !ids.contains(id)) {
                return Err(OrderError::Missing { step: step.id.clone(), missing: missing.clone() });
            }
        }
        self.circles().into_iter().next().map_or(Ok(()), |circle| Err(OrderError::Cycle(circle)))
    }

    /// Returns the circles of steps that wait for each other, each in its direction; of those that share a
    /// step only one. Steps that are not there lead nowhere.
    pub fn circles(&self) -> Vec<Vec<String>> {
        if !self.steps.iter().any(|step| step.depends_on.iter().any(|id| *id >= step.id)) {
            return Vec::new();
        }
        let mut edges: BTreeMap<&StepId, &Vec<StepId>> =
            self.steps.iter().map(|step| (&step.id, &step.depends_on)).collect();
        let mut circles = Vec::new();
        while let Some(circle) = find_cycle(&edges).filter(|_| circles.len() < MAX_CIRCLES) {
            edges.retain(|id, _| !circle.iter().any(|of_it| of_it == id.as_str()));
            circles.push(circle);
        }
        circles
    }
}

/// Removes steps whose dependencies are all gone until nothing moves; what stays holds a circle.
fn find_cycle(edges: &BTreeMap<&StepId, &Vec<StepId>>) -> Option<Vec<String>> {
    let mut left: BTreeSet<&StepId> = edges.keys().copied().collect();
    loop {
        let free: Vec<&StepId> =
            left.iter().filter(|id| !edges[**id].iter().any(|dep| left.contains(dep))).copied().collect();
        if free.is_empty() {
            break;
        }
        for id in free {
            left.remove(id);
        }
    }
    let mut at = *left.first()?;
    let mut path: Vec<&StepId> = Vec::new();
    while !path.contains(&at) {
        path.push(at);
        at = edges[at].iter().find_map(|dep| left.get(dep).copied())?;
    }
    let start = path.iter().position(|id| *id == at)?;
    Some(path[start..].iter().chain([&at]).map(ToString::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(steps: &[(&str, &[&str])]) -> Spec {
        Spec {
            title: String::new(),
            description: String::new(),
            planner: Planner::outline(),
            required_ci: Vec::new(),
            push_gate: false,
            taken_out: BTreeMap::new(),
            steps: steps
                .iter()
                .map(|(id, deps)| SpecStep {
                    more: None,
                    id: id.parse().unwrap(),
                    title: (*id).into(),
                    kind: StepKind::Work,
                    file: format!("{id}.md"),
                    depends_on: deps.iter().map(|dep| dep.parse().unwrap()).collect(),
                    qa: QaPolicy::Skip,
                })
                .collect(),
        }
    }

    #[test]
    fn circles_are_refused_with_their_path() {
        let err = spec(&[("00-a", &[]), ("01-b", &["03-d"]), ("02-c", &["01-b"]), ("03-d", &["02-c"])]);
        assert_eq!(
            err.check().unwrap_err().to_string(),
            "steps depend on each other in a circle: 01-b -> 03-d -> 02-c -> 01-b"
        );
        assert!(spec(&[("00-a", &["00-a"])]).check().is_err());
        assert_eq!(spec(&[]).check(), Err(OrderError::Empty));
        assert_eq!(spec(&[("00-a", &[]), ("00-b", &[])]).check(), Err(OrderError::SameNumber(0)));
        assert!(spec(&[("00-a", &[]), ("01-b", &["07-x"])]).check().is_err());
        assert_eq!(spec(&[("00-a", &[]), ("01-b", &["00-a"])]).check(), Ok(()));
    }
}
