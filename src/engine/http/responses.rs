//! The Responses API.

use serde_json::{Value, json};

use super::heard::{Heard, Stop, amount, cost_of};
use super::{Question, is_strict};
use crate::domain::run::Usage;
use crate::engine::http::fault::Fault;

/// Returns the body of a request.
pub(super) fn body(question: &Question<'_>) -> Value {
    let mut body = json!({
        "model": question.model, "input": question.prompt, "stream": true,
        // Nothing is kept there: a run begins from what it is told.
        "store": false,
    });
    if let Some(effort) = question.effort {
        body["reasoning"] = json!({ "effort": effort });
    }
    if let Some(schema) = question.schema {
        body["text"] = json!({"format": {
            "type": "json_schema", "name": "answer", "schema": schema, "strict": is_strict(schema),
        }});
    }
    body
}

/// Takes an event.
pub(super) fn event(heard: &mut Heard, name: &str, data: &Value) {
    let kind = data["type"].as_str().unwrap_or(name);
    match kind {
        "response.output_text.delta" => heard.say(data["delta"].as_str().unwrap_or_default()),
        "response.refusal.delta" => heard.refuse(data["delta"].as_str().unwrap_or_default()),
        "response.completed" | "response.incomplete" | "response.failed" => whole(heard, &data["response"]),
        "error" => {
            // Both forms are seen: with the error inside, and being it.
            let error = data.get("error").filter(|error| error.is_object()).unwrap_or(data);
            let mut error = error.clone();
            if error["type"] == "error"
                && let Some(error) = error.as_object_mut()
            {
                error.remove("type");
            }
            heard.fault = Some(Fault::of_error(None, &error));
        }
        _ => (),
    }
}

/// Takes an answer that is whole, or the end of one that came in events.
pub(super) fn whole(heard: &mut Heard, response: &Value) {
    heard.usage = usage(&response["usage"]);
    if response["error"].is_object() {
        heard.fault = Some(Fault::of_error(None, &response["error"]));
        return;
    }
    if !heard.has_said() {
        for part in response["output"].as_array().into_iter().flatten().flat_map(parts) {
            match part["type"].as_str() {
                Some("output_text") => heard.say(part["text"].as_str().unwrap_or_default()),
                Some("refusal") => heard.refuse(part["refusal"].as_str().unwrap_or_default()),
                _ => (),
            }
        }
    }
    heard.stop = match (response["status"].as_str(), response["incomplete_details"]["reason"].as_str()) {
        (Some("completed"), _) => Some(Stop::Whole),
        (Some("incomplete"), Some("content_filter")) => Some(Stop::Filtered),
        (Some("incomplete"), _) => Some(Stop::Cut),
        // A server that leaves the status out has an answer all the same.
        (None, _) if response["output"].is_array() => Some(Stop::Whole),
        _ => None,
    };
}

/// Whether an event of this name, too long to be kept, was the end of an answer.
pub(super) fn is_end(name: &str) -> bool {
    name == "response.completed"
}

fn parts(item: &Value) -> impl Iterator<Item = &Value> {
    item["content"].as_array().into_iter().flatten()
}

fn usage(usage: &Value) -> Usage {
    Usage {
        input_tokens: amount(&usage["input_tokens"]),
        cached_tokens: amount(&usage["input_tokens_details"]["cached_tokens"]),
        output_tokens: amount(&usage["output_tokens"]),
        cost_micros: cost_of(usage),
    }
}
