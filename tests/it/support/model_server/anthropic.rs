//! The Messages API.

use serde_json::{Value, json};

use super::script::Turn;
use super::{Event, id, model_of, pieces};

/// Returns the events of an answer.
pub(super) fn events(turn: &Turn, body: &Value) -> Vec<Event> {
    let whole = message(turn, body);
    let mut begun = whole.clone();
    begun["content"] = json!([]);
    begun["stop_reason"] = Value::Null;
    begun["usage"]["output_tokens"] = json!(1);
    let mut events = vec![event("message_start", json!({ "message": begun })), event("ping", json!({}))];
    if let Some(error) = &turn.stream_error {
        let kind = error.kind.as_deref().unwrap_or("overloaded_error");
        events.push(event("error", json!({"error": {"type": kind, "message": error.message}})));
        return events;
    }
    for (idx, block) in whole["content"].as_array().unwrap().iter().enumerate() {
        let (head, deltas) = match block["type"].as_str().unwrap() {
            "text" => {
                let words = pieces(block["text"].as_str().unwrap());
                let deltas = words.into_iter().map(|piece| json!({"type": "text_delta", "text": piece}));
                (json!({"type": "text", "text": ""}), deltas.collect())
            }
            "thinking" => {
                let thinking = json!({"type": "thinking_delta", "thinking": block["thinking"]});
                let signature = json!({"type": "signature_delta", "signature": block["signature"]});
                let head = json!({"type": "thinking", "thinking": "", "signature": ""});
                (head, vec![thinking, signature])
            }
            _ => {
                let mut head = block.clone();
                head["input"] = json!({});
                let input = block["input"].to_string();
                (head, vec![json!({"type": "input_json_delta", "partial_json": input})])
            }
        };
        events.push(event("content_block_start", json!({"index": idx, "content_block": head})));
        for delta in deltas {
            events.push(event("content_block_delta", json!({"index": idx, "delta": delta})));
        }
        events.push(event("content_block_stop", json!({ "index": idx })));
    }
    let delta = json!({"stop_reason": whole["stop_reason"], "stop_sequence": null});
    events.push(event("message_delta", json!({"delta": delta, "usage": whole["usage"]})));
    events.push(event("message_stop", json!({})));
    events
}

/// Returns a whole answer.
pub(super) fn message(turn: &Turn, body: &Value) -> Value {
    let mut content = Vec::new();
    if let Some(reasoning) = &turn.reasoning {
        content.push(json!({"type": "thinking", "thinking": reasoning, "signature": "c2NyaXB0ZWQ="}));
    }
    if let Some(words) = turn.words() {
        content.push(json!({"type": "text", "text": words}));
    }
    content.extend(turn.tool_calls.iter().map(|call| {
        let input =
            call.input.as_ref().map_or_else(|| call.arguments.clone(), |text| json!({ "input": text }));
        json!({"type": "tool_use", "id": id("toolu"), "name": call.name, "input": input})
    }));
    let usual = if turn.tool_calls.is_empty() { "end_turn" } else { "tool_use" };
    let used = turn.usage;
    json!({"id": id("msg"), "type": "message", "role": "assistant", "model": model_of(body),
        "content": content, "stop_reason": turn.stop.as_deref().unwrap_or(usual), "stop_sequence": null,
        // What is cached is counted apart here.
        "usage": {"input_tokens": used.input.saturating_sub(used.cached),
            "cache_read_input_tokens": used.cached, "cache_creation_input_tokens": 0,
            "output_tokens": used.output, "service_tier": "standard"}})
}

fn event(name: &str, mut data: Value) -> Event {
    data["type"] = json!(name);
    (Some(name.to_owned()), data)
}
