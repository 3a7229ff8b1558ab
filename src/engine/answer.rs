//! Answers that are to be JSON: asking for it in words, and finding it in what came.

use serde_json::Value;

/// Returns a prompt that asks for an answer of a schema, for engines that cannot pass one on.
pub fn with_schema(prompt: &str, schema: &Value) -> String {
    format!(
        "{prompt}\n\nAnswer with one JSON document and nothing else: no words before or after it, no code fence. \
         It must be valid against this JSON Schema:\n{schema}\n"
    )
}

/// Returns the JSON object or array that an answer is, or that it holds: in a code fence, or between
/// words. Of several, the last one that is whole counts. `None` if there is none.
pub fn json_in(text: &str) -> Option<Value> {
    let text = text.trim();
    let document = |text: &str| {
        serde_json::from_str::<Value>(text).ok().filter(|value| value.is_object() || value.is_array())
    };
    document(text).or_else(|| fenced(text).rev().find_map(document)).or_else(|| last_object(text))
}

/// Returns what stands in code fences.
fn fenced(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    let parts: Vec<&str> = text.split("```").collect();
    // What is before the first fence, and every second one after it, stands outside.
    let inside = parts.into_iter().skip(1).step_by(2);
    let blocks: Vec<&str> = inside
        .map(|block| block.split_once('\n').map_or(block, |(_, document)| document))
        .map(str::trim)
        .collect();
    blocks.into_iter()
}

/// Returns the last whole object between words.
fn last_object(text: &str) -> Option<Value> {
    /// How many braces are tried: each costs as much as the object behind it is long.
    const MAX_TRIES: usize = 1000;

    let mut found = None;
    let mut at = 0;
    for _ in 0..MAX_TRIES {
        let Some(brace) = text.get(at..).and_then(|rest| rest.find('{')) else { break };
        let mut documents = serde_json::Deserializer::from_str(&text[at + brace..]).into_iter::<Value>();
        if let Some(Ok(document)) = documents.next() {
            found = Some(document);
            at += brace + documents.byte_offset();
        } else {
            at += brace + 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_found_bare_fenced_and_between_words() {
        let wanted = Some(json!({"a": {"b": [1]}}));
        for text in [
            "{\"a\":{\"b\":[1]}}",
            "  \n{\"a\":{\"b\":[1]}}\n",
            "Here:\n```json\n{\"a\":{\"b\":[1]}}\n```\nDone.",
            "```\n{\"a\":{\"b\":[1]}}\n```",
            "I think {this} is it: {\"a\":{\"b\":[1]}} and that is all }",
            "First {\"a\":0}, no: {\"a\":{\"b\":[1]}}.",
        ] {
            assert_eq!(json_in(text), wanted, "{text}");
        }
        for text in ["", "no", "12", "\"x\"", "{\"a\":", "```json\nno\n```"] {
            assert_eq!(json_in(text), None, "{text}");
        }
    }

    #[test]
    fn a_hostile_answer_costs_little() {
        assert_eq!(json_in(&"{".repeat(1 << 20)), None);
        assert_eq!(json_in(&"{\"a\":".repeat(10_000)), None);
    }

    #[test]
    fn the_prompt_carries_the_schema() {
        let prompt = with_schema("Plan it.", &json!({"type": "object"}));
        assert!(prompt.starts_with("Plan it.\n") && prompt.contains(r#"{"type":"object"}"#));
    }
}
