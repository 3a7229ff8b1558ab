//! Answers that have to be JSON of a schema.

use serde_json::Value;

use crate::domain::run::RunStatus;
use crate::domain::text;
use crate::engine::Outcome;

/// How many mistakes of an answer are told.
const MAX_MISTAKES: usize = 8;

/// Makes a success whose answer is not what the schema asks for a failure, which says why. An engine
/// that gave text is taken at its word if the text holds such an answer.
pub(super) fn check(outcome: &mut Outcome, schema: &Value) {
    if outcome.status != RunStatus::Succeeded {
        return;
    }
    let Some(answer) = outcome.json.take().or_else(|| json_in(&outcome.text)) else {
        outcome.status = RunStatus::Schema;
        outcome.text = format!("the answer is no JSON: {}", text::clip(&text::one_line(&outcome.text), 300));
        return;
    };
    let mistakes = mistakes(&answer, schema);
    if !mistakes.is_empty() {
        outcome.status = RunStatus::Schema;
        outcome.text = mistakes.join("\n");
    }
    outcome.json = Some(answer);
}

/// Returns what is wrong with a value, one line each; nothing if it is as the schema says.
pub fn mistakes(value: &Value, schema: &Value) -> Vec<String> {
    let validator = match jsonschema::validator_for(schema) {
        Ok(validator) => validator,
        Err(err) => return vec![format!("the schema cannot be used: {err}")],
    };
    let line = |err: jsonschema::ValidationError<'_>| {
        let path = err.instance_path().to_string();
        let place = if path.is_empty() { "the answer".to_owned() } else { path };
        text::clip(&text::one_line(&format!("{place}: {err}")), 300)
    };
    validator.iter_errors(value).take(MAX_MISTAKES).map(line).collect()
}

/// Returns the JSON object that a text is, wraps in a fence, or holds between its first and its last
/// brace.
fn json_in(said: &str) -> Option<Value> {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
    let trimmed = said.trim();
    let fenced = || {
        let inner = trimmed.strip_prefix("```")?.split_once('\n')?.1;
        parsed(inner.trim_end().strip_suffix("```")?)
    };
    let braces = || parsed(trimmed.get(trimmed.find('{')?..=trimmed.rfind('}')?)?);
    parsed(trimmed).or_else(fenced).or_else(braces)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(said: &str) -> Outcome {
        let schema = json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}});
        let mut outcome = Outcome::without_answer(RunStatus::Succeeded, said);
        check(&mut outcome, &schema);
        outcome
    }

    #[test]
    fn an_answer_is_found_in_what_is_around_it() {
        for said in [
            r#"{"a":1}"#,
            " {\"a\":1}\n",
            "```json\n{\"a\":1}\n```",
            "Here it is:\n{\"a\":1}\nI hope that helps.",
        ] {
            let outcome = checked(said);
            assert_eq!(
                (outcome.status, outcome.json),
                (RunStatus::Succeeded, Some(json!({"a": 1}))),
                "{said}"
            );
        }
    }

    #[test]
    fn what_is_something_else_is_no_success() {
        for said in ["", "I cannot do that", "[1]", "{", "}{", "```\n```", r#"{"a":"x"}"#, r#"{"b":1}"#] {
            let outcome = checked(said);
            assert_eq!(outcome.status, RunStatus::Schema, "{said}");
            assert!(!outcome.text.is_empty());
        }
        let failed = Outcome::without_answer(RunStatus::Auth, "no key");
        let mut same = failed.clone();
        check(&mut same, &json!({"type": "object"}));
        assert_eq!((same.status, same.text), (failed.status, failed.text));
    }
}
