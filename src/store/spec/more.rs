//! One step as it is stored. What a step says and cannot mean (a path that leads away, an engine whose
//! name is an option) is passed over, like what this release does not know.

use crate::domain::id::StepId;
use crate::domain::policy::{Behavior, Occasion, StepPolicy};
use crate::domain::spec::rules::{
    MAX_ITEMS, MAX_TIMEOUT_SECONDS, is_engine_name, is_gate_name, is_inner_path, is_inner_pattern,
    is_model_name, is_policy_name,
};
use crate::domain::spec::{SpecStep, StepMore};
use crate::store::canon::{Value, View};

/// The members of a step that mean something to this release even where they are absent.
pub(super) const KEYS: [&str; 8] =
    ["depends_on", "engine", "model", "outputs", "paths", "policies", "qa", "timeout_seconds"];

/// Reads what a step says beside what it must.
pub(super) fn decode(step: View<'_>, id: &StepId) -> StepMore {
    let qa = step.get("qa").unwrap_or(View::NULL);
    let aux = step.get("outputs").and_then(|outputs| outputs.get("aux")).unwrap_or(View::NULL);
    let policies = step.get("policies").and_then(View::items).into_iter().flatten();
    let outputs = aux.members().filter_map(|(name, path)| {
        let path = path.as_str()?;
        (is_engine_name(&name) && is_inner_path(&path)).then(|| (name.into_owned(), path.into_owned()))
    });
    StepMore {
        engine: text(step, "engine", is_engine_name),
        model: text(step, "model", is_model_name),
        timeout_seconds: step
            .get("timeout_seconds")
            .and_then(View::as_u64)
            .filter(|seconds| (1..=MAX_TIMEOUT_SECONDS).contains(seconds)),
        paths: texts(step, "paths", is_inner_pattern).unwrap_or_default(),
        qa_engine: text(qa, "engine", is_engine_name),
        qa_model: text(qa, "model", is_model_name),
        qa_gates: texts(qa, "gates", is_gate_name),
        policies: policies.take(MAX_ITEMS).filter_map(|policy| decode_policy(policy, id)).collect(),
        outputs: outputs.take(MAX_ITEMS).collect(),
    }
}

fn text(of: View<'_>, key: &str, is_valid: impl Fn(&str) -> bool) -> Option<String> {
    of.get(key)?.as_str().filter(|text| is_valid(text)).map(std::borrow::Cow::into_owned)
}

/// `None` if there is no such list.
fn texts(of: View<'_>, key: &str, is_valid: impl Fn(&str) -> bool) -> Option<Vec<String>> {
    let items = of.get(key)?.items()?.filter_map(View::as_str).filter(|text| is_valid(text));
    Some(items.take(MAX_ITEMS).map(std::borrow::Cow::into_owned).collect())
}

fn decode_policy(policy: View<'_>, step: &StepId) -> Option<StepPolicy> {
    let behavior = Behavior::from_word(&policy.get("behavior")?.as_str()?)?;
    let id = text(policy, "id", is_policy_name).unwrap_or_else(|| format!("{step}/{behavior}"));
    let words: Option<Vec<_>> = policy.get("on").and_then(View::items).map(Iterator::collect);
    let on: Vec<Occasion> =
        words.iter().flatten().filter_map(|word: &View<'_>| Occasion::from_word(&word.as_str()?)).collect();
    if on.is_empty() && words.is_some_and(|words| !words.is_empty()) {
        // It waits for something that this release never sees.
        return None;
    }
    let number = |key: &str| policy.get(key).and_then(View::as_u64);
    let skipped = policy.get("skip_steps").and_then(View::items).into_iter().flatten();
    let target = policy.get("target").and_then(View::as_str).and_then(|id| id.parse().ok());
    if behavior == Behavior::Trigger && target.is_none() {
        return None;
    }
    Some(StepPolicy {
        id,
        behavior,
        on,
        max_iterations: number("max_iterations"),
        step_back: number("step_back").unwrap_or(1).max(1),
        skip_steps: skipped.filter_map(|id| id.as_str()?.parse().ok()).collect(),
        target,
    })
}

/// Returns a step as it is stored.
pub(super) fn encode_step(step: &SpecStep) -> Value<'_> {
    let none = StepMore::default();
    let more = step.more.as_deref();
    let said = |said: Option<&'_ String>| said.map(|text| Value::str(text.clone()));
    let list = |items: &[String]| Value::array(items, |item| Value::str(item.clone()));
    let more = more.unwrap_or(&none);
    let qa = Value::object([
        ("engine", said(more.qa_engine.as_ref())),
        ("gates", more.qa_gates.as_deref().map(list)),
        ("model", said(more.qa_model.as_ref())),
        ("policy", Some(Value::str(step.qa.as_str()))),
    ]);
    Value::object([
        ("depends_on", Some(Value::array(&step.depends_on, |id| Value::str(id.as_str())))),
        ("engine", said(more.engine.as_ref())),
        ("file", Some(Value::str(step.file.as_str()))),
        ("id", Some(Value::str(step.id.as_str()))),
        ("metadata", Some(Value::Obj(Vec::new()))),
        ("model", said(more.model.as_ref())),
        ("number", Some(Value::uint(step.id.number()))),
        ("outputs", encode_outputs(&more.outputs)),
        ("paths", Some(list(&more.paths))),
        ("policies", Some(Value::array(&more.policies, encode_policy))),
        ("qa", Some(qa)),
        ("timeout_seconds", more.timeout_seconds.map(Value::uint)),
        ("title", Some(Value::str(step.title.as_str()))),
        ("type", Some(Value::str(step.kind.as_str()))),
    ])
}

fn encode_outputs<'a>(outputs: &[(String, String)]) -> Option<Value<'a>> {
    if outputs.is_empty() {
        return None;
    }
    let mut aux: Vec<_> =
        outputs.iter().map(|(name, path)| (name.clone().into(), Value::str(path.clone()))).collect();
    aux.sort_by(|(a, _): &(std::borrow::Cow<'_, str>, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
    aux.dedup_by(|(a, _), (b, _)| a == b);
    Some(Value::object([("aux", Some(Value::Obj(aux)))]))
}

fn encode_policy<'a>(policy: &StepPolicy) -> Value<'a> {
    let steps = |ids: &[StepId]| Value::array(ids, |id| Value::str(id.to_string()));
    let on = Value::array(&policy.on, |on| Value::str(on.as_str()));
    Value::object([
        ("behavior", Some(Value::str(policy.behavior.as_str()))),
        ("id", Some(Value::str(policy.id.clone()))),
        ("max_iterations", policy.max_iterations.map(Value::uint)),
        ("on", (!policy.on.is_empty()).then_some(on)),
        ("skip_steps", (!policy.skip_steps.is_empty()).then(|| steps(&policy.skip_steps))),
        ("step_back", (policy.step_back != 1).then(|| Value::uint(policy.step_back))),
        ("target", policy.target.as_ref().map(|id| Value::str(id.to_string()))),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::{decode, encode, encode_over};
    use crate::domain::spec::Spec;
    use crate::domain::step_file;

    const FIXTURE: &str = include_str!("../../../tests/data/v1/spec.json");

    fn spec() -> Spec {
        let mut spec = decode(FIXTURE.trim_end().as_bytes()).unwrap();
        let text = "---\nid: 02-api\ntitle: x\nengine: codex\nmodel: m\ntimeout: 60\npaths: [src/**]\n\
                    qa_engine: claude\nqa_model: n\ngates: []\noutputs: [a=b.md]\n\
                    loop: [on=qa_failed, back=2, max=3, skip=01-form]\ntrigger: [target=03-check]\n---\n";
        spec.steps[2].more = step_file::parse(text).unwrap().more.into_step();
        spec
    }

    #[test]
    fn a_plan_of_the_first_release_has_the_bytes_it_had() {
        let text = FIXTURE.trim_end();
        assert_eq!(encode(&decode(text.as_bytes()).unwrap()).1, text);
        assert_eq!(encode_over(text.as_bytes(), &decode(text.as_bytes()).unwrap()).unwrap().1, text);
    }

    #[test]
    fn what_a_step_says_is_stored_and_read() {
        let spec = spec();
        let (_, text) = encode(&spec);
        assert_eq!(decode(text.as_bytes()).unwrap(), spec);
        for part in [r#""gates":[]"#, r#""timeout_seconds":60"#, r#""outputs":{"aux":{"a":"b.md"}}"#] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let schema = include_str!("../../../schemas/protocol-spec.schema.json");
        let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
        let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
        jsonschema::validate(&schema, &plan).unwrap();
        for (key, wrong) in [("engine", "-x"), ("timeout_seconds", "1"), ("policies", "x"), ("paths", "x")] {
            let mut plan = plan.clone();
            plan["steps"][2][key] = wrong.into();
            assert!(!jsonschema::is_valid(&schema, &plan), "{key}");
        }
    }

    #[test]
    fn what_leads_away_is_passed_over() {
        let text = encode(&spec()).1;
        let text = text
            .replace("src/**", "../../etc/**")
            .replace("b.md", "../b.md")
            .replace("codex", "--yolo")
            .replace("qa_failed", "of a later release")
            .replace("02-api.md", "../../02-api.md");
        let read = decode(text.as_bytes()).unwrap();
        let more = read.steps[2].more.as_deref().unwrap();
        assert_eq!((more.engine.as_deref(), more.paths.len(), more.outputs.len()), (None, 0, 0));
        assert_eq!(more.policies.len(), 1, "one that waits for nothing known does nothing");
        assert_eq!(read.steps[2].file, "02-api.md");
    }

    #[test]
    fn what_is_not_known_of_a_plan_goes_on_with_it() {
        let before = encode(&spec())
            .1
            .replace(r#""metadata":{"ci_required""#, r#""future":[1],"metadata":{"by":"x","ci_required""#)
            .replace(r#""aux":{"a":"b.md"}"#, r#""aux":{"a":"b.md"},"protocol":"p.md""#)
            .replace(r#""planner":"outline""#, r#""planner":{"name":"outline","prompt_hash":"h"}"#)
            .replace(r#""metadata":{},"model""#, r#""later":{"x":2},"metadata":{},"model""#);
        let mut now = decode(before.as_bytes()).unwrap();
        assert_eq!(encode_over(before.as_bytes(), &now).unwrap().1, before);
        now.steps[2].more = None;
        now.steps[2].title = "The interface".into();
        now.required_ci.clear();
        now.steps.remove(3);
        let after = encode_over(before.as_bytes(), &now).unwrap().1;
        assert_eq!(decode(after.as_bytes()).unwrap(), now);
        for kept in [r#""future":[1]"#, r#""by":"x""#, r#""later":{"x":2}"#, r#""prompt_hash":"h""#] {
            assert!(after.contains(kept), "{kept}: {after}");
        }
        for gone in ["codex", "ci_required", "b.md", "03-check"] {
            assert!(!after.contains(gone), "{gone}: {after}");
        }
    }
}
