//! What a plan is made of: its steps, and the spec that says so to machines.

use std::collections::BTreeMap;

use crate::domain::drafted::{Drafted, DraftedStep};
use crate::domain::id::Oid;
use crate::domain::outline::{Outline, OutlineStep};
use crate::domain::spec::{Planner, QaPolicy, Spec, SpecStep, StepKind, StepMore};
use crate::domain::text;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::settings::QaWhen;

use super::{MAX_SLUG, Request};

/// Returns the spec of what is to be planned on top of a base.
///
/// # Errors
///
/// [`Error`] if the base cannot be read, or a step cannot be named.
pub(super) fn spec_of(ctx: &Context, request: &Request, base_commit: Oid) -> Result<Spec, Error> {
    let has_gates = match crate::service::gates::at(&ctx.repo, base_commit, &ctx.settings) {
        Ok(gates) => gates.is_some_and(|(_, gates)| !gates.is_empty()),
        // What cannot be run safely is not as good as nothing.
        Err(Error::State { .. }) => true,
        Err(err) => return Err(err),
    };
    let default_qa =
        ctx.settings.qa_policy.unwrap_or(if has_gates { QaPolicy::Full } else { QaPolicy::Skip });
    let qa = request.qa.unwrap_or(default_qa);
    let (steps, planner) = match &request.drafted {
        Some(drafted) => (steps_drafted(drafted, qa), drafted.planner.clone()),
        None => (steps_of(&request.outline, &request.title, qa)?, Planner::outline()),
    };
    Ok(Spec {
        title: request.title.clone(),
        description: request.description.clone(),
        planner,
        required_ci: ctx.settings.ci_required.clone(),
        push_gate: ctx.settings.qa_when == QaWhen::Push,
        taken_out: BTreeMap::new(),
        steps,
    })
}

fn steps_of(outline: &Outline, title: &str, qa: QaPolicy) -> Result<Vec<SpecStep>, Error> {
    let setup = SpecStep {
        more: None,
        id: "00-setup".parse()?,
        title: "Set up".to_owned(),
        kind: StepKind::Setup,
        file: "00-setup.md".to_owned(),
        depends_on: Vec::new(),
        qa: QaPolicy::Skip,
    };
    let only = [OutlineStep { title: title.to_owned(), ..OutlineStep::default() }];
    let planned = if outline.steps.is_empty() { &only } else { outline.steps.as_slice() };
    let mut steps = vec![setup];
    for (idx, step) in planned.iter().enumerate() {
        let number = u64::try_from(idx + 1).unwrap_or(u64::MAX);
        let slug = text::slug(&step.title, MAX_SLUG).unwrap_or_else(|| "step".to_owned());
        let id = crate::domain::id::StepId::new(number, &slug)?;
        steps.push(SpecStep {
            more: None,
            title: step.title.clone(),
            kind: StepKind::Work,
            file: format!("{id}.md"),
            depends_on: steps.last().map(|before| before.id.clone()).into_iter().collect(),
            qa,
            id,
        });
    }
    Ok(steps)
}

/// The steps that an engine planned, each checked as this project wants it.
fn steps_drafted(drafted: &Drafted, qa: QaPolicy) -> Vec<SpecStep> {
    let step = |step: &DraftedStep| SpecStep {
        more: StepMore { paths: step.paths.clone(), ..StepMore::default() }.into_step(),
        title: step.title.clone(),
        kind: step.kind,
        file: format!("{}.md", step.id),
        depends_on: step.depends_on.clone(),
        qa: if step.kind == StepKind::Setup { QaPolicy::Skip } else { qa },
        id: step.id.clone(),
    };
    drafted.steps.iter().map(step).collect()
}

/// Checks the spec against the schema that other tools rely on.
pub(in crate::service) fn check_schema(spec: &str) -> Result<(), Error> {
    let invalid = |message: String| Error::state("spec.invalid", message, "this is a bug: please report it");
    let spec: serde_json::Value =
        serde_json::from_str(spec).map_err(|err| invalid(format!("the plan is not JSON: {err}")))?;
    let validator = validator(jsonschema::Draft::Draft7).map_err(invalid)?;
    let errors: Vec<String> =
        validator.iter_errors(&spec).map(|err| format!("{}: {err}", err.instance_path())).collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(invalid(format!("the plan is not valid: {}", errors.join("; "))))
    }
}

/// Returns a validator of plans. The schema is of draft 2020-12, but says nothing that draft 7 reads
/// in another way, and that is set up in half the time.
fn validator(draft: jsonschema::Draft) -> Result<jsonschema::Validator, String> {
    let mut schema: serde_json::Value =
        serde_json::from_str(include_str!("../../../schemas/protocol-spec.schema.json"))
            .map_err(|err| format!("the schema of plans cannot be read: {err}"))?;
    if let Some(members) = schema.as_object_mut() {
        members.remove("$schema");
    }
    jsonschema::options().with_draft(draft).build(&schema).map_err(|err| err.to_string())
}

#[cfg(test)]
mod tests {
    use jsonschema::Draft;
    use serde_json::{Value, json};

    use super::*;
    use crate::store::spec;

    #[test]
    fn both_drafts_read_the_schema_of_plans_in_one_way() {
        let steps = steps_of(&Outline::default(), "Add login", QaPolicy::Full).unwrap();
        let spec = Spec {
            title: "Add login".to_owned(),
            description: String::new(),
            planner: Planner::outline(),
            required_ci: vec!["test".to_owned()],
            push_gate: true,
            taken_out: BTreeMap::new(),
            steps,
        };
        let text = spec::encode(&spec).1;
        check_schema(&text).unwrap();
        let whole: Value = serde_json::from_str(&text).unwrap();
        let [draft_7, newest] = [Draft::Draft7, Draft::Draft202012].map(|draft| validator(draft).unwrap());
        let agree = |spec: &Value| {
            let is_valid = newest.is_valid(spec);
            assert_eq!(draft_7.is_valid(spec), is_valid, "{spec}");
            is_valid
        };
        assert!(agree(&whole));
        let mut n_refused = 0;
        for path in pointers(&whole, "") {
            for wrong in [json!(null), json!(-1), json!("*"), json!([]), json!({"x": 1}), json!([[1]])] {
                let mut changed = whole.clone();
                *changed.pointer_mut(&path).unwrap() = wrong;
                n_refused += usize::from(!agree(&changed));
            }
        }
        assert!(n_refused > 50, "only {n_refused} were refused");
    }

    /// All places in a value.
    fn pointers(value: &Value, at: &str) -> Vec<String> {
        let below: Vec<(String, &Value)> = match value {
            Value::Object(members) => members.iter().map(|(key, v)| (key.clone(), v)).collect(),
            Value::Array(items) => items.iter().enumerate().map(|(idx, v)| (idx.to_string(), v)).collect(),
            _ => Vec::new(),
        };
        let mut found = vec![at.to_owned()];
        found.extend(below.into_iter().flat_map(|(key, v)| pointers(v, &format!("{at}/{key}"))));
        found
    }
}
