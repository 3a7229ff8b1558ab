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
    line_no: usize,
    /// A document that has begun.
    open: Option<Open>,
    heard: Heard,
}

/// What of all that was said may be a result.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heard {
    /// The last document with a status, and the line in which it begins.
    pub(super) result: Option<(usize, Value)>,
    /// Why the last document that looked like one is none.
    pub(super) mistake: Option<String>,
}

/// A document that has begun.
#[derive(Debug)]
struct Open {
    /// Counted from one.
    line: usize,
    bytes: Vec<u8>,
}

/// Whether a line may be the beginning of a document, and not words in braces.
fn begins_document(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"{") else { return false };
    rest.trim_ascii_start().first().is_none_or(|byte| matches!(byte, b'"' | b'}'))
}

impl Lines {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, line: Vec::new(), line_no: 0, open: None, heard: Heard::default() }
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

    /// Returns what may be the result, once the last line has ended.
    pub(super) fn heard(mut self) -> Heard {
        if let Some(open) = self.open {
            let mistake =
                format!("the JSON object that begins in line {} of its output does not end", open.line);
            self.heard.mistake.get_or_insert(mistake);
        }
        self.heard
    }

    /// Adds to the line, of which no more is kept than a document may have.
    fn add(&mut self, bytes: &[u8]) {
        let room = (self.limit + 1).saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self, take: &mut dyn FnMut(Said<'_>)) {
        let line = std::mem::take(&mut self.line);
        self.line_no += 1;
        let begins = begins_document(&line);
        if begins {
            // One that began before was none, or not the last one.
            self.open = Some(Open { line: self.line_no, bytes: Vec::new() });
            self.heard.mistake = None;
        }
        let Some(open) = &mut self.open else {
            return take(Said::Words(&String::from_utf8_lossy(&line)));
        };
        open.bytes.extend_from_slice(&line);
        open.bytes.push(b'\n');
        // Only where a document can end: each try costs as much as all of it is long.
        let may_end = begins || line.first() == Some(&b'}');
        let read = may_end.then(|| serde_json::from_slice::<Value>(&open.bytes));
        let is_over = matches!(read, Some(Ok(_))) || open.bytes.len() > self.limit || (may_end && !begins);
        match read {
            Some(Ok(document)) if document["status"].is_string() => {
                self.heard = Heard { result: Some((open.line, document)), mistake: None };
            }
            Some(Ok(_)) => {
                let mistake = format!("the JSON object in line {} of its output has no `status`", open.line);
                self.heard.mistake = Some(mistake);
            }
            Some(Err(err)) if is_over || !err.is_eof() => {
                let at = open.line + err.line().saturating_sub(1);
                // The place is told as it is in the output.
                let why = err.to_string();
                let why = why.split(" at line ").next().unwrap_or_default();
                self.heard.mistake = Some(format!("line {at} of its output is no JSON: {why}"));
            }
            _ => (),
        }
        if is_over {
            self.open = None;
        }
        take(Said::Document);
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
        (words, lines.heard().result.map(|(_, result)| result))
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
    fn what_is_no_result_is_told_with_its_line() {
        let mistake = |text: &str| {
            let mut lines = Lines::new(1000);
            lines.push(text.as_bytes(), &mut |_| ());
            lines.end(&mut |_| ());
            lines.heard().mistake.unwrap_or_default()
        };
        assert_eq!(
            mistake("a\n{\"v\":1,\"status\":oops}\n"),
            "line 2 of its output is no JSON: expected value"
        );
        assert_eq!(
            mistake("{\n \"v\": 1,\n \"status\": \"succeeded\",\n}\n"),
            "line 4 of its output is no JSON: trailing comma"
        );
        assert_eq!(mistake("a\n\n{\"v\":1}\nb\n"), "the JSON object in line 3 of its output has no `status`");
        assert_eq!(
            mistake("{\n\"v\": 1,\n"),
            "the JSON object that begins in line 1 of its output does not end"
        );
        assert_eq!(mistake("words\n{braces}\n"), "");
        assert_eq!(mistake("{\"v\":1,}\n{\"v\":1,\"status\":\"x\"}\n"), "");
    }

    #[test]
    fn only_the_memory_of_a_result_is_used() {
        let mut lines = Lines::new(1000);
        let mut count = 0;
        for _ in 0..10_000 {
            lines.push(b"{ \"a\": xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n\"b", &mut |_| count += 1);
            assert!(lines.line.len() <= 1001);
            assert!(lines.open.as_ref().is_none_or(|open| open.bytes.len() <= 1100));
        }
        assert_eq!(count, 10_000);
        lines.push("x".repeat(100_000).as_bytes(), &mut |_| ());
        assert_eq!(lines.line.len(), 1001);
    }
}
