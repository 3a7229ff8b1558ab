//! The Chat Completions API, as many services and local servers speak it.

use serde_json::{Value, json};

use super::heard::{Heard, Stop, amount, cost_of};
use super::{Question, is_strict};
use crate::domain::run::Usage;
use crate::engine::http::fault::Fault;

/// Returns the body of a request.
pub(super) fn body(question: &Question<'_>) -> Value {
    let mut body = json!({
        "model": question.model, "messages": [{"role": "user", "content": question.prompt}],
        "stream": true, "stream_options": {"include_usage": true},
    });
    if let Some(effort) = question.effort {
        body["reasoning_effort"] = json!(effort);
    }
    if let Some(schema) = question.schema {
        let schema = json!({"name": "answer", "schema": schema, "strict": is_strict(schema)});
        body["response_format"] = json!({"type": "json_schema", "json_schema": schema});
    }
    body
}

/// Takes an event; the answer ends with `[DONE]`, which is no JSON, or with its stream.
pub(super) fn event(heard: &mut Heard, data: &Value) {
    take(heard, data, "delta");
}

/// Takes an answer that is whole.
pub(super) fn whole(heard: &mut Heard, completion: &Value) {
    take(heard, completion, "message");
}

fn take(heard: &mut Heard, data: &Value, key: &str) {
    if data.get("error").is_some_and(|error| !error.is_null()) {
        heard.fault = Some(Fault::of_error(None, &data["error"]));
        return;
    }
    let choice = &data["choices"][0];
    heard.say(choice[key]["content"].as_str().unwrap_or_default());
    heard.refuse(choice[key]["refusal"].as_str().unwrap_or_default());
    match choice["finish_reason"].as_str() {
        None => (),
        Some("length") => heard.stop = Some(Stop::Cut),
        Some("content_filter") => heard.stop = Some(Stop::Filtered),
        Some(_) => heard.stop = Some(Stop::Whole),
    }
    if data["usage"].is_object() {
        heard.usage = usage(&data["usage"]);
    }
}

fn usage(usage: &Value) -> Usage {
    Usage {
        input_tokens: amount(&usage["prompt_tokens"]),
        cached_tokens: amount(&usage["prompt_tokens_details"]["cached_tokens"]),
        output_tokens: amount(&usage["completion_tokens"]),
        cost_micros: cost_of(usage),
    }
}
