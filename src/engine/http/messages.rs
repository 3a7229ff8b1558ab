//! The Messages API.

use serde_json::{Value, json};

use super::Question;
use super::heard::{Heard, Stop, amount};
use crate::engine::http::fault::Fault;

/// The version of the API that is spoken.
pub(super) const VERSION: &str = "2023-06-01";

/// How long an answer may be, in tokens; the API asks for a limit, and models of today allow this one.
const MAX_TOKENS: u64 = 32_000;

/// The tool by which an answer of a schema is given.
const TOOL: &str = "answer";

/// Returns the body of a request.
pub(super) fn body(question: &Question<'_>) -> Value {
    let mut body = json!({
        "model": question.model, "messages": [{"role": "user", "content": question.prompt}],
        "max_tokens": MAX_TOKENS, "stream": true,
    });
    if let Some(effort) = question.effort {
        body["output_config"] = json!({ "effort": effort });
    }
    if let Some(schema) = question.schema {
        let description = "Gives the answer. Call it once, with the whole answer.";
        body["tools"] = json!([{"name": TOOL, "description": description, "input_schema": schema}]);
        body["tool_choice"] = json!({"type": "tool", "name": TOOL});
    }
    body
}

/// Takes an event.
pub(super) fn event(heard: &mut Heard, name: &str, data: &Value) {
    match data["type"].as_str().unwrap_or(name) {
        "message_start" => count(heard, &data["message"]["usage"]),
        "content_block_delta" => match data["delta"]["type"].as_str() {
            Some("text_delta") => heard.say(data["delta"]["text"].as_str().unwrap_or_default()),
            Some("input_json_delta") => {
                heard.add_arguments(data["delta"]["partial_json"].as_str().unwrap_or_default());
            }
            _ => (),
        },
        "message_delta" => {
            count(heard, &data["usage"]);
            if let Some(reason) = data["delta"]["stop_reason"].as_str() {
                heard.stop = Some(stop(reason));
            }
        }
        "error" => heard.fault = Some(Fault::of_error(None, &data["error"])),
        _ => (),
    }
}

/// Takes an answer that is whole.
pub(super) fn whole(heard: &mut Heard, message: &Value) {
    if message["error"].is_object() {
        heard.fault = Some(Fault::of_error(None, &message["error"]));
        return;
    }
    count(heard, &message["usage"]);
    for block in message["content"].as_array().into_iter().flatten() {
        match block["type"].as_str() {
            Some("text") => heard.say(block["text"].as_str().unwrap_or_default()),
            Some("tool_use") => heard.add_arguments(&block["input"].to_string()),
            _ => (),
        }
    }
    heard.stop = message["stop_reason"].as_str().map(stop);
}

fn stop(reason: &str) -> Stop {
    match reason {
        "refusal" => Stop::Filtered,
        "max_tokens" | "model_context_window_exceeded" => Stop::Cut,
        _ => Stop::Whole,
    }
}

/// Counts what a part of the answer says; the figures are of all so far, and what is cached is not in the
/// input here.
fn count(heard: &mut Heard, usage: &Value) {
    let counts = &mut heard.counts;
    for (idx, key) in
        ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"]
            .into_iter()
            .enumerate()
    {
        counts[idx] = amount(&usage[key]).or(counts[idx]);
    }
    let [fresh, read, written, output] = *counts;
    let input = [fresh, read, written].into_iter().flatten().reduce(u64::saturating_add);
    heard.usage.input_tokens = input;
    heard.usage.cached_tokens = read;
    heard.usage.output_tokens = output;
}
