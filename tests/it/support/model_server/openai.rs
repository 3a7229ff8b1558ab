//! The Responses and the Chat Completions API.

use serde_json::{Value, json};

use super::script::{Call, Turn};
use super::{Event, id, model_of, pieces};

/// Returns the events of an answer of the Responses API; the last one holds the whole answer.
pub(super) fn responses(turn: &Turn, body: &Value) -> Vec<Event> {
    let whole = response(turn, body);
    let with = |status: &str, more: Value| {
        let mut response = whole.clone();
        response["status"] = json!(status);
        response["usage"] = Value::Null;
        response["output"] = json!([]);
        merge(&mut response, more);
        response
    };
    let mut events = vec![event("response.created", json!({ "response": with("in_progress", json!({})) }))];
    if let Some(error) = &turn.stream_error {
        let error = json!({"error": {"code": error.code, "message": error.message}});
        events.push(event("response.failed", json!({ "response": with("failed", error) })));
        return number(events);
    }
    for (idx, item) in whole["output"].as_array().unwrap().iter().enumerate() {
        item_events(&mut events, idx, item);
    }
    let last = if whole["status"] == "incomplete" { "response.incomplete" } else { "response.completed" };
    events.push(event(last, json!({ "response": whole })));
    number(events)
}

/// Returns a whole answer of the Responses API.
pub(super) fn response(turn: &Turn, body: &Value) -> Value {
    let used = turn.usage;
    // The reason is that of an answer that is not whole.
    let status = if turn.stop.is_some() { "incomplete" } else { "completed" };
    json!({
        "id": id("resp"), "object": "response", "created_at": 1_700_000_000, "model": model_of(body),
        "status": status, "error": null,
        "incomplete_details": turn.stop.as_ref().map(|reason| json!({ "reason": reason })),
        "output": items(turn), "parallel_tool_calls": false, "tools": [],
        "usage": {
            "input_tokens": used.input, "input_tokens_details": {"cached_tokens": used.cached},
            "output_tokens": used.output, "output_tokens_details": {"reasoning_tokens": used.reasoning},
            "total_tokens": used.input + used.output,
        },
    })
}

fn items(turn: &Turn) -> Vec<Value> {
    let mut items = Vec::new();
    if let Some(reasoning) = &turn.reasoning {
        items.push(json!({"id": id("rs"), "type": "reasoning", "encrypted_content": null,
            "summary": [{"type": "summary_text", "text": reasoning}]}));
    }
    if let Some(words) = turn.words() {
        items.push(json!({"id": id("msg"), "type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": words, "annotations": []}]}));
    }
    items.extend(turn.tool_calls.iter().map(|call| match &call.input {
        Some(input) => json!({"id": id("ctc"), "type": "custom_tool_call", "status": "completed",
            "call_id": id("call"), "name": call.name, "input": input}),
        None => json!({"id": id("fc"), "type": "function_call", "status": "completed",
            "call_id": id("call"), "name": call.name, "arguments": call.arguments.to_string()}),
    }));
    items
}

fn item_events(events: &mut Vec<Event>, idx: usize, item: &Value) {
    let kind = item["type"].as_str().unwrap();
    let mut begun = item.clone();
    if kind == "message" {
        begun["content"] = json!([]);
        begun["status"] = json!("in_progress");
    }
    let at = json!({"item_id": item["id"], "output_index": idx});
    let mut push = |name: &str, more: Value| {
        let mut data = at.clone();
        merge(&mut data, more);
        events.push(event(name, data));
    };
    push("response.output_item.added", json!({ "item": begun }));
    match kind {
        "message" => {
            let part = &item["content"][0];
            let empty = json!({"type": "output_text", "text": "", "annotations": []});
            push("response.content_part.added", json!({"content_index": 0, "part": empty}));
            for piece in pieces(part["text"].as_str().unwrap()) {
                push("response.output_text.delta", json!({"content_index": 0, "delta": piece}));
            }
            push("response.output_text.done", json!({"content_index": 0, "text": part["text"]}));
            push("response.content_part.done", json!({"content_index": 0, "part": part}));
        }
        "function_call" => {
            push("response.function_call_arguments.delta", json!({"delta": item["arguments"]}));
            push("response.function_call_arguments.done", json!({"arguments": item["arguments"]}));
        }
        "reasoning" => {
            let text = &item["summary"][0]["text"];
            let empty = json!({"type": "summary_text", "text": ""});
            push("response.reasoning_summary_part.added", json!({"summary_index": 0, "part": empty}));
            push("response.reasoning_summary_text.delta", json!({"summary_index": 0, "delta": text}));
            push("response.reasoning_summary_text.done", json!({"summary_index": 0, "text": text}));
        }
        _ => (),
    }
    push("response.output_item.done", json!({ "item": item }));
}

fn event(name: &str, mut data: Value) -> Event {
    data["type"] = json!(name);
    (Some(name.to_owned()), data)
}

fn number(mut events: Vec<Event>) -> Vec<Event> {
    for (number, (_, data)) in events.iter_mut().enumerate() {
        data["sequence_number"] = json!(number);
    }
    events
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

/// Returns the events of an answer of the Chat Completions API.
pub(super) fn chat(turn: &Turn, body: &Value) -> Vec<Event> {
    let base = json!({"id": id("chatcmpl"), "object": "chat.completion.chunk", "created": 1_700_000_000,
        "model": model_of(body)});
    let chunk = |delta: Value, finish: Value| {
        let mut data = base.clone();
        data["choices"] = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        (None, data)
    };
    let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    if let Some(error) = &turn.stream_error {
        let error = json!({"message": error.message, "type": error.kind, "code": error.code});
        events.push((None, json!({ "error": error })));
        return events;
    }
    if let Some(reasoning) = &turn.reasoning {
        events.push(chunk(json!({ "reasoning_content": reasoning }), Value::Null));
    }
    for piece in turn.words().iter().flat_map(|words| pieces(words)) {
        events.push(chunk(json!({ "content": piece }), Value::Null));
    }
    for (idx, call) in turn.tool_calls.iter().enumerate() {
        let begun = json!({"index": idx, "id": id("call"), "type": "function",
            "function": {"name": call.name, "arguments": ""}});
        events.push(chunk(json!({ "tool_calls": [begun] }), Value::Null));
        let rest = json!({"index": idx, "function": {"arguments": arguments(call)}});
        events.push(chunk(json!({ "tool_calls": [rest] }), Value::Null));
    }
    events.push(chunk(json!({}), json!(chat_stop(turn))));
    if body.pointer("/stream_options/include_usage") != Some(&json!(false)) {
        let mut data = base.clone();
        data["choices"] = json!([]);
        data["usage"] = chat_usage(turn);
        events.push((None, data));
    }
    events.push((None, json!("[DONE]")));
    events
}

/// Returns a whole answer of the Chat Completions API.
pub(super) fn completion(turn: &Turn, body: &Value) -> Value {
    let mut message = json!({"role": "assistant", "content": turn.words()});
    if let Some(reasoning) = &turn.reasoning {
        message["reasoning_content"] = json!(reasoning);
    }
    if !turn.tool_calls.is_empty() {
        let calls = turn.tool_calls.iter().map(|call| {
            json!({"id": id("call"), "type": "function",
                "function": {"name": call.name, "arguments": arguments(call)}})
        });
        message["tool_calls"] = calls.collect();
    }
    json!({"id": id("chatcmpl"), "object": "chat.completion", "created": 1_700_000_000,
        "model": model_of(body), "usage": chat_usage(turn),
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": chat_stop(turn)}]})
}

fn arguments(call: &Call) -> String {
    call.input.clone().unwrap_or_else(|| call.arguments.to_string())
}

fn chat_stop(turn: &Turn) -> &str {
    turn.stop.as_deref().unwrap_or(if turn.tool_calls.is_empty() { "stop" } else { "tool_calls" })
}

fn chat_usage(turn: &Turn) -> Value {
    let used = turn.usage;
    json!({"prompt_tokens": used.input, "completion_tokens": used.output,
        "total_tokens": used.input + used.output,
        "prompt_tokens_details": {"cached_tokens": used.cached},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning}})
}
