//! The answer of an engine that was asked for a plan.

use serde_json::Value;

use crate::domain::drafted::{Answer, Drafted};
use crate::domain::redact::{self, Known};
use crate::domain::spec::Planner;
use crate::domain::text;
use crate::engine::Outcome;

const SCHEMA: &str = include_str!("../../../schemas/protocol-planning.schema.json");

/// How many mistakes are named at once.
const MAX_MISTAKES: usize = 8;

/// Words of the schema that services refuse which take schemas; we check them ourselves.
const OURS: &[&str] =
    &["$schema", "$id", "minLength", "maxLength", "minItems", "maxItems", "pattern", "examples"];

/// Returns the shape of the answer, for engines.
pub(super) fn schema_for_engines() -> Value {
    let mut schema = schema();
    thin(&mut schema);
    schema
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap_or_default()
}

fn thin(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            for word in OURS {
                members.remove(*word);
            }
            members.values_mut().for_each(thin);
        }
        Value::Array(items) => items.iter_mut().for_each(thin),
        _ => (),
    }
}

/// Returns the plan that an outcome holds.
///
/// # Errors
///
/// What is wrong with it, one line each, for whoever is asked again.
pub(super) fn read(outcome: &Outcome, planner: Planner, known: &Known) -> Result<Drafted, Vec<String>> {
    let Some(json) = &outcome.json else {
        let said = text::clip(&text::one_line(&outcome.text), 300);
        return Err(vec![format!("the answer is no JSON object: {said}")]);
    };
    let mistakes = mistakes(json)?;
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    of_json(json, known).check(planner)
}

fn mistakes(json: &Value) -> Result<Vec<String>, Vec<String>> {
    let mut schema = schema();
    if let Some(members) = schema.as_object_mut() {
        members.remove("$schema");
    }
    // Says the same in both drafts, and is set up in half the time.
    let draft = jsonschema::Draft::Draft7;
    let validator =
        jsonschema::options().with_draft(draft).build(&schema).map_err(|err| vec![err.to_string()])?;
    let line = |err: jsonschema::ValidationError<'_>| {
        let path = err.instance_path().to_string();
        let place = if path.is_empty() { "the answer".to_owned() } else { path };
        // It repeats what it is about, which may be anything.
        text::clip(&text::one_line(&format!("{place}: {}", err.masked())), 300)
    };
    Ok(validator.iter_errors(json).take(MAX_MISTAKES).map(line).collect())
}

/// Takes what is there, without secrets: it will be committed. The schema has been checked.
fn of_json(json: &Value, known: &Known) -> Answer {
    let text = |value: &Value, key: &str| redact::clean(value[key].as_str().unwrap_or_default(), known);
    let files = json["step_files"].as_array().into_iter().flatten();
    Answer {
        plan_md: text(json, "plan_md"),
        context_md: text(json, "context_md"),
        log_md: text(json, "log_md"),
        step_files: files.map(|file| (text(file, "filename"), text(file, "content"))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::run::RunStatus;

    fn read_json(json: Option<Value>) -> Result<Drafted, Vec<String>> {
        let outcome = Outcome { json, ..Outcome::without_answer(RunStatus::Succeeded, "Sure, here it is") };
        read(&outcome, Planner::outline(), &Known::new(["hunter2-hunter2"]))
    }

    fn answer() -> Value {
        let step = |id: &str| {
            let content = format!("---\nid: {id}\ntitle: Do it\n---\n\n# Do it\n\n- [ ] One\n");
            json!({"filename": format!("{id}.md"), "content": content})
        };
        let files = [step("00-setup"), step("01-a")];
        json!({"plan_md": "Why.", "context_md": "", "log_md": "", "step_files": files})
    }

    #[test]
    fn a_good_answer_is_read() {
        assert_eq!(read_json(Some(answer())).unwrap().steps.len(), 2);
        let mut telling = answer();
        telling["context_md"] = json!("The key is hunter2-hunter2.");
        let context = read_json(Some(telling)).unwrap().context;
        assert!(context.starts_with("The key is") && !context.contains("hunter2"), "{context}");
    }

    #[test]
    fn what_is_wrong_is_said_by_its_place() {
        let wrong = |pointer: &str, value: Value| {
            let mut answer = answer();
            *answer.pointer_mut(pointer).unwrap() = value;
            read_json(Some(answer)).unwrap_err().join("\n")
        };
        for (pointer, value, why) in [
            ("/plan_md", json!(7), "/plan_md: "),
            ("/plan_md", json!(""), "/plan_md: "),
            ("/step_files", json!([]), "/step_files: "),
            ("/step_files/1/filename", json!("../../.bashrc"), "/step_files/1/filename: "),
            ("/step_files/1/filename", json!("01-a\n.md"), "/step_files/1/filename: "),
            ("/step_files/1/content", json!(null), "/step_files/1/content: "),
            ("/step_files/1/content", json!("x".repeat(70_000)), "/step_files/1/content: "),
        ] {
            let said = wrong(pointer, value);
            assert!(said.starts_with(why) && said.len() < 400, "{pointer}: {said}");
        }
        let mut more = answer();
        more["run"] = json!("rm -rf /");
        assert!(read_json(Some(more)).unwrap_err()[0].contains("run"));
        assert_eq!(read_json(None).unwrap_err(), ["the answer is no JSON object: Sure, here it is"]);
        assert!(read_json(Some(json!([1]))).is_err());
    }

    #[test]
    fn engines_get_the_shape_alone() {
        let shape = schema_for_engines().to_string();
        for word in OURS {
            assert!(!shape.contains(&format!("\"{word}\"")), "{word}");
        }
        assert!(jsonschema::is_valid(&schema_for_engines(), &answer()));
        assert!(!jsonschema::is_valid(&schema_for_engines(), &json!({"plan_md": "x"})));
    }
}
