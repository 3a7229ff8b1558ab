//! Keeps a key out of everything that is told, also if a server says it.

use serde_json::Value;

/// Stands where the key was.
const MASKED: &str = "[key]";

/// The shortest key that is looked for: a shorter one is part of ordinary words.
const MIN_LEN: usize = 8;

/// Knows a key, and takes it out of texts.
#[derive(Clone)]
pub(super) struct Mask {
    key: Option<String>,
    /// The end of what came so far, if the key may begin there.
    held: String,
}

impl Mask {
    pub(super) fn of(key: Option<&str>) -> Self {
        Self { key: key.filter(|key| key.len() >= MIN_LEN).map(str::to_owned), held: String::new() }
    }

    /// Returns a text without the key.
    pub(super) fn text(&self, text: &str) -> String {
        match &self.key {
            Some(key) => text.replace(key, MASKED),
            None => text.to_owned(),
        }
    }

    /// Returns a document without the key in any of its texts.
    pub(super) fn json(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(values) => values.into_iter().map(|value| self.json(value)).collect(),
            Value::Object(object) => {
                object.into_iter().map(|(key, value)| (self.text(&key), self.json(value))).collect()
            }
            other => other,
        }
    }

    /// Returns what can be told of a text that comes in pieces; the rest comes with the next piece, or
    /// with [`Self::rest`].
    pub(super) fn piece(&mut self, piece: &str) -> String {
        let Some(key) = &self.key else { return piece.to_owned() };
        let text = format!("{}{piece}", self.held).replace(key, MASKED);
        let begins = |at: &usize| text.is_char_boundary(*at) && key.starts_with(&text[*at..]);
        let from = (text.len().saturating_sub(key.len())..text.len()).find(begins).unwrap_or(text.len());
        text[from..].clone_into(&mut self.held);
        text[..from].to_owned()
    }

    /// Returns what was held back.
    pub(super) fn rest(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "sk-aasecretaa";

    #[test]
    fn a_key_is_told_in_no_form() {
        let mask = Mask::of(Some(KEY));
        assert_eq!(mask.text("it is sk-aasecretaa."), "it is [key].");
        let document = json!({"a": ["x sk-aasecretaa", 1], "sk-aasecretaa": null});
        assert_eq!(mask.json(document), json!({"a": ["x [key]", 1], "[key]": null}));
        assert_eq!(Mask::of(Some("x")).text("xyz"), "xyz");
        assert_eq!(Mask::of(None).text(KEY), KEY);
    }

    #[test]
    fn a_key_in_pieces_is_found_and_nothing_else_is_lost() {
        let text = "sk-sk-aasecret! is not sk-aasecretaa, sk-aasecretaask-aa";
        for size in 1..text.len() {
            let mut mask = Mask::of(Some(KEY));
            let letters: Vec<char> = text.chars().collect();
            let mut told: String =
                letters.chunks(size).map(|piece| mask.piece(&piece.iter().collect::<String>())).collect();
            told += &mask.rest();
            assert_eq!(told, "sk-sk-aasecret! is not [key], [key]sk-aa", "in pieces of {size}");
        }
    }
}
