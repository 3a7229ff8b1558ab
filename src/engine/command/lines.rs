//! What a program says, line by line: words, and documents that may be its result.

use serde_json::Value;

/// A line, or the whole of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    Words(&'a str),
    /// A line that begins a document or belongs to one.
    Document,
}

/// Cuts what a program says into lines, and keeps the last document that may be a result.
///
/// A document begins with a `{` at the beginning of a line and ends with a line: in the same one, or in a
/// later one if it is printed over several.
#[derive(Debug)]
pub(super) struct Lines {
    /// The longest document that is kept.
    limit: usize,
    line: Vec<u8>,
    /// A document that has begun.
    open: Option<Vec<u8>>,
    result: Option<Value>,
}

/// Whether a line may be the beginning of a document, and not words in braces.
fn begins_document(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"{") else { return false };
    rest.trim_ascii_start().first().is_none_or(|byte| matches!(byte, b'"' | b'}'))
}

impl Lines {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, line: Vec::new(), open: None, result: None }
    }

    /// Takes more bytes, and gives each line that is whole to `take`.
    pub(super) fn push(&mut self, bytes: &[u8], take: &mut dyn FnMut(Said<'_>)) {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.add(&rest[..end]);
            self.end_line(take);
            rest = &rest[end + 1..];
        }
        self.add(rest);
    }

    /// Takes the last line, which may lack its end.
    pub(super) fn end(&mut self, take: &mut dyn FnMut(Said<'_>)) {
        if !self.line.is_empty() {
            self.end_line(take);
        }
    }

    /// Returns the last document with a version and a status.
    pub(super) fn result(self) -> Option<Value> {
        self.result
    }

    /// Adds to the line, of which no more is kept than a document may have.
    fn add(&mut self, bytes: &[u8]) {
        let room = (self.limit + 1).saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self, take: &mut dyn FnMut(Said<'_>)) {
        let line = std::mem::take(&mut self.line);
        let begins = begins_document(&line);
        if begins {
            // One that began before was none, or not the last one.
            self.open = Some(Vec::new());
        }
        if let Some(open) = &mut self.open {
            open.extend_from_slice(&line);
            open.push(b'\n');
            // Only where a document can end: each try costs as much as all of it is long.
            let may_end = begins || line.first() == Some(&b'}');
            let document = if may_end { serde_json::from_slice::<Value>(open).ok() } else { None };
            let is_over = document.is_some() || open.len() > self.limit || (may_end && !begins);
            if let Some(document) = document.filter(|document| document["status"].is_string()) {
                self.result = Some(document);
            }
            if is_over {
                self.open = None;
            }
            take(Said::Document);
            return;
        }
        take(Said::Words(&String::from_utf8_lossy(&line)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(text: &str) -> (Vec<String>, Option<Value>) {
        let mut lines = Lines::new(1000);
        let mut words = Vec::new();
        let mut take = |line: Said<'_>| {
            if let Said::Words(line) = line {
                words.push(line.to_owned());
            }
        };
        for piece in text.as_bytes().chunks(3) {
            lines.push(piece, &mut take);
        }
        lines.end(&mut take);
        (words, lines.result())
    }

    #[test]
    fn the_last_document_with_a_status_counts() {
        let (words, result) =
            said("a\n{\"status\":\"x\"}\n{in braces} b\n{\n \"status\": \"y\"\n}\n{\"z\":1}\nc");
        assert_eq!(words, ["a", "{in braces} b", "c"]);
        assert_eq!(result, Some(json!({"status": "y"})));
        assert_eq!(said("{ \"status\":\n}\n{\"status\":\"ok\"}").1, Some(json!({"status": "ok"})));
        assert_eq!(said("[\"status\"]\n").1, None);
    }

    #[test]
    fn only_the_memory_of_a_result_is_used() {
        let mut lines = Lines::new(1000);
        let mut count = 0;
        for _ in 0..10_000 {
            lines.push(b"{ \"a\": xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n\"b", &mut |_| count += 1);
            assert!(lines.line.len() <= 1001);
            assert!(lines.open.as_ref().is_none_or(|open| open.len() <= 1100));
        }
        assert_eq!(count, 10_000);
        lines.push("x".repeat(100_000).as_bytes(), &mut |_| ());
        assert_eq!(lines.line.len(), 1001);
    }
}
