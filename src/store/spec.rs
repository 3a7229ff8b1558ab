//! The stored form of a plan (`schemas/protocol-spec.schema.json`), version 1.

use std::borrow::Cow;

use super::canon::{self, Tape, Value, View};
use super::content::sha256;
use crate::domain::id::{Digest, StepId};
use crate::domain::spec::{QaPolicy, Spec, SpecStep, StepKind};
use crate::domain::text::{harmless, harmless_line};

/// The version that this release writes.
pub const SPEC_VERSION: u64 = 1;

/// Why bytes are no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Json(#[from] canon::Error),
    #[error("{0}")]
    Shape(String),
}

/// Reads a plan. What this release does not know is passed over; the bytes keep it.
///
/// # Errors
///
/// [`Error`] if a step has no valid id, or the steps cannot be put in order.
pub fn decode(text: &[u8]) -> Result<Spec, Error> {
    let mut tape = Tape::default();
    let spec = tape.parse(text)?.value;
    let string =
        |value: View<'_>, key: &str| value.get(key).and_then(View::as_str).unwrap_or_default().into_owned();
    let mut steps: Vec<SpecStep> = Vec::new();
    for (idx, step) in spec.get("steps").and_then(View::items).into_iter().flatten().enumerate() {
        let id: StepId =
            string(step, "id").parse().map_err(|err| Error::Shape(format!("step {}: {err}", idx + 1)))?;
        let ids = step.get("depends_on").and_then(View::items);
        let depends_on = match ids {
            Some(ids) => ids
                .map(|id| id.as_str().unwrap_or_default().parse())
                .collect::<Result<_, _>>()
                .map_err(|err| Error::Shape(format!("step {id}: {err}")))?,
            None => steps.last().map(|before| before.id.clone()).into_iter().collect(),
        };
        let kind = StepKind::from_word(&string(step, "type")).unwrap_or(StepKind::Work);
        let qa = step
            .get("qa")
            .and_then(|qa| qa.get("policy"))
            .and_then(View::as_str)
            .and_then(|word| QaPolicy::from_word(&word));
        steps.push(SpecStep {
            more: None,
            title: harmless_line(&string(step, "title")),
            file: string(step, "file"),
            qa: if kind == StepKind::Setup { QaPolicy::Skip } else { qa.unwrap_or(QaPolicy::Full) },
            id,
            kind,
            depends_on,
        });
    }
    steps.sort_by(|a, b| a.id.cmp(&b.id));
    // A name, or a name with more about it.
    let planner = spec.get("planner").map(|planner| planner.get("name").unwrap_or(planner));
    let metadata = spec.get("metadata");
    let setting = |key: &str| metadata.and_then(|metadata| metadata.get(key));
    let required = setting("ci_required").and_then(View::items).into_iter().flatten();
    let spec = Spec {
        title: harmless_line(&string(spec, "title")),
        description: harmless(&string(spec, "description")),
        planner: planner.and_then(View::as_str).unwrap_or_default().into_owned(),
        required_ci: required.filter_map(|name| name.as_str().map(Cow::into_owned)).collect(),
        push_gate: setting("qa_when").and_then(View::as_str).is_some_and(|when| when == "push"),
        steps,
    };
    spec.check().map_err(|err| Error::Shape(err.to_string()))?;
    Ok(spec)
}

/// Returns the canonical text of a plan and its SHA-256, which names it.
pub fn encode(spec: &Spec) -> (Digest, String) {
    let empty = || Some(Value::Obj(Vec::new()));
    let steps = Value::array(&spec.steps, |step| {
        Value::object([
            ("depends_on", Some(Value::array(&step.depends_on, |id| Value::str(id.as_str())))),
            ("file", Some(Value::str(step.file.as_str()))),
            ("id", Some(Value::str(step.id.as_str()))),
            ("metadata", empty()),
            ("number", Some(Value::uint(step.id.number()))),
            ("paths", Some(Value::Arr(Vec::new()))),
            ("policies", Some(Value::Arr(Vec::new()))),
            ("qa", Some(Value::object([("policy", Some(Value::str(step.qa.as_str())))]))),
            ("title", Some(Value::str(step.title.as_str()))),
            ("type", Some(Value::str(step.kind.as_str()))),
        ])
    });
    let required = (!spec.required_ci.is_empty())
        .then(|| Value::array(&spec.required_ci, |name| Value::str(name.as_str())));
    let metadata =
        Value::object([("ci_required", required), ("qa_when", spec.push_gate.then(|| Value::str("push")))]);
    let text = Value::object([
        ("description", Some(Value::str(spec.description.as_str()))),
        ("metadata", Some(metadata)),
        ("placeholders", empty()),
        ("planner", Some(Value::str(spec.planner.as_str()))),
        ("steps", Some(steps)),
        ("title", Some(Value::str(spec.title.as_str()))),
        ("v", Some(Value::uint(SPEC_VERSION))),
    ])
    .to_text();
    (sha256(text.as_bytes()), text)
}
