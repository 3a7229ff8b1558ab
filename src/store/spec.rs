//! The stored form of a plan (`schemas/protocol-spec.schema.json`), version 1.

mod more;
mod taken_out;

use std::borrow::Cow;

use super::canon::{self, Tape, Value, View};
use super::content::sha256;
use crate::domain::id::{Digest, StepId};
use crate::domain::spec::{Planner, QaPolicy, Spec, SpecStep, StepKind};
use crate::domain::text::{harmless, harmless_line};
pub use taken_out::{Instead, take_out, taken_out, without};

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
        let file = step.get("file").and_then(View::as_str).map(Cow::into_owned);
        steps.push(SpecStep {
            more: more::decode(step, &id).into_step(),
            title: harmless_line(&string(step, "title")),
            file: file.filter(|file| is_step_file(file)).unwrap_or_else(|| format!("{id}.md")),
            qa: if kind == StepKind::Setup { QaPolicy::Skip } else { qa.unwrap_or(QaPolicy::Full) },
            id,
            kind,
            depends_on,
        });
    }
    steps.sort_by(|a, b| a.id.cmp(&b.id));
    // A name, or a name with more about it.
    let planner = spec.get("planner");
    let planner = Planner {
        name: planner
            .and_then(|planner| planner.get("name").unwrap_or(planner).as_str())
            .map(|name| harmless_line(&name))
            .unwrap_or_default(),
        prompt_hash: planner.and_then(|planner| planner.get("prompt_hash")?.as_str()?.parse().ok()),
    };
    let metadata = spec.get("metadata");
    let setting = |key: &str| metadata.and_then(|metadata| metadata.get(key));
    let required = setting("ci_required").and_then(View::items).into_iter().flatten();
    let spec = Spec {
        title: harmless_line(&string(spec, "title")),
        description: harmless(&string(spec, "description")),
        planner,
        required_ci: required.filter_map(|name| name.as_str().map(Cow::into_owned)).collect(),
        push_gate: setting("qa_when").and_then(View::as_str).is_some_and(|when| when == "push"),
        taken_out: taken_out::read(spec),
        steps,
    };
    spec.check().map_err(|err| Error::Shape(err.to_string()))?;
    Ok(spec)
}

/// Whether a name is that of a step's file, and leads nowhere else.
fn is_step_file(name: &str) -> bool {
    name.strip_suffix(".md").is_some_and(|id| id.parse::<StepId>().is_ok())
}

/// Returns the canonical text of a plan and its SHA-256, which names it.
pub fn encode(spec: &Spec) -> (Digest, String) {
    let text = value(spec).to_text();
    (sha256(text.as_bytes()), text)
}

/// As [`encode`], for a plan that takes the place of the one whose text is `before`: what this release
/// does not know of that one, or of a step that is still there, is kept.
///
/// # Errors
///
/// [`Error`] if `before` is no plan.
pub fn encode_over(before: &[u8], spec: &Spec) -> Result<(Digest, String), Error> {
    let mut tape = Tape::default();
    let before = tape.parse(before)?.value;
    let mut value = value(spec);
    keep_unknown(&mut value, before, &["steps", "metadata", "planner"]);
    let metadata = before.get("metadata").unwrap_or(View::NULL);
    if let Some(kept) = member(&mut value, "metadata") {
        keep_unknown(kept, metadata, &["ci_required", "qa_when"]);
    }
    let named = before.get("planner").filter(|planner| planner.get("name").is_some());
    if let (Some(planner), Some(named)) = (member(&mut value, "planner"), named) {
        *planner = named.to_value();
    }
    let Some(Value::Arr(steps)) = member(&mut value, "steps") else { return Ok(named_text(&value)) };
    for (step, planned) in steps.iter_mut().zip(&spec.steps) {
        let mut old = before.get("steps").and_then(View::items).into_iter().flatten();
        let is_same =
            |old: &View<'_>| old.get("id").and_then(View::as_str).as_deref() == Some(planned.id.as_str());
        let Some(old) = old.find(is_same) else { continue };
        keep_unknown(step, old, &more::KEYS);
        for part in ["qa", "outputs"] {
            if let (Some(now), Some(old)) = (member(step, part), old.get(part)) {
                keep_unknown(now, old, &["engine", "gates", "model", "aux"]);
            }
        }
        if let (Some(now), Some(old)) = (member(step, "metadata"), old.get("metadata")) {
            keep_unknown(now, old, &[]);
        }
    }
    Ok(named_text(&value))
}

fn named_text(value: &Value<'_>) -> (Digest, String) {
    let text = value.to_text();
    (sha256(text.as_bytes()), text)
}

fn member<'v, 'a>(value: &'v mut Value<'a>, key: &str) -> Option<&'v mut Value<'a>> {
    let Value::Obj(members) = value else { return None };
    members.iter_mut().find(|(known, _)| known == key).map(|(_, value)| value)
}

/// Adds the members of `before` that `value` does not have, but for those of which absence says something.
fn keep_unknown<'a>(value: &mut Value<'a>, before: View<'a>, telling: &[&str]) {
    let Value::Obj(members) = value else { return };
    for (key, old) in before.members() {
        let is_new = !members.iter().any(|(known, value)| *known == key && !is_empty(value));
        if is_new && !telling.contains(&key.as_ref()) {
            members.retain(|(known, _)| *known != key);
            members.push((key, old.to_value()));
        }
    }
    members.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
}

fn is_empty(value: &Value<'_>) -> bool {
    matches!(value, Value::Obj(members) if members.is_empty())
}

fn value(spec: &Spec) -> Value<'_> {
    let empty = || Some(Value::Obj(Vec::new()));
    let required = (!spec.required_ci.is_empty())
        .then(|| Value::array(&spec.required_ci, |name| Value::str(name.as_str())));
    let metadata =
        Value::object([("ci_required", required), ("qa_when", spec.push_gate.then(|| Value::str("push")))]);
    let planner = match &spec.planner.prompt_hash {
        None => Value::str(spec.planner.name.as_str()),
        Some(hash) => Value::object([
            ("name", Some(Value::str(spec.planner.name.as_str()))),
            ("prompt_hash", Some(Value::str(hash.to_string()))),
        ]),
    };
    Value::object([
        ("description", Some(Value::str(spec.description.as_str()))),
        ("metadata", Some(metadata)),
        ("placeholders", empty()),
        ("planner", Some(planner)),
        ("steps", Some(Value::array(&spec.steps, more::encode_step))),
        ("taken_out", taken_out::value(&spec.taken_out)),
        ("title", Some(Value::str(spec.title.as_str()))),
        ("v", Some(Value::uint(SPEC_VERSION))),
    ])
}
