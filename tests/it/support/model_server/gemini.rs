//! The API of Gemini.

use serde_json::{Value, json};

use super::script::Turn;
use super::{Event, id, pieces};

/// Returns the events of an answer.
pub(super) fn events(turn: &Turn, model: &str) -> Vec<Event> {
    let mut events = Vec::new();
    if let Some(error) = &turn.stream_error {
        let status = error.kind.as_deref().unwrap_or("INTERNAL");
        let error = json!({"code": 500, "message": error.message, "status": status});
        return vec![(None, json!({ "error": error }))];
    }
    let mut parts = Vec::new();
    for part in self::parts(turn) {
        match part["text"].as_str() {
            Some(text) => parts.extend(pieces(text).into_iter().map(|piece| {
                let mut part = part.clone();
                part["text"] = json!(piece);
                part
            })),
            None => parts.push(part),
        }
    }
    let last = parts.pop().unwrap_or_else(|| json!({"text": ""}));
    events.extend(parts.into_iter().map(|part| (None, chunk(&[part], model))));
    events.push((None, ended(chunk(&[last], model), turn)));
    events
}

/// Returns a whole answer.
pub(super) fn whole(turn: &Turn, model: &str) -> Value {
    ended(chunk(&parts(turn), model), turn)
}

fn parts(turn: &Turn) -> Vec<Value> {
    let mut parts = Vec::new();
    if let Some(reasoning) = &turn.reasoning {
        parts.push(json!({"text": reasoning, "thought": true}));
    }
    if let Some(words) = turn.words() {
        parts.push(json!({ "text": words }));
    }
    parts.extend(
        turn.tool_calls
            .iter()
            .map(|call| json!({"functionCall": {"id": id("fc"), "name": call.name, "args": call.arguments}})),
    );
    parts
}

fn chunk(parts: &[Value], model: &str) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}],
        "modelVersion": model, "responseId": id("gemini")})
}

fn ended(mut chunk: Value, turn: &Turn) -> Value {
    let used = turn.usage;
    chunk["candidates"][0]["finishReason"] = json!(turn.stop.as_deref().unwrap_or("STOP"));
    // Thoughts are counted apart here.
    let words = used.output.saturating_sub(used.reasoning);
    chunk["usageMetadata"] = json!({"promptTokenCount": used.input, "candidatesTokenCount": words,
        "thoughtsTokenCount": used.reasoning, "cachedContentTokenCount": used.cached,
        "totalTokenCount": used.input + used.output});
    chunk
}
