//! The lines between `---`: one `key: text` or `key: [a, b]` each.
//!
//! Looks like YAML and is read as such by other tools, but is a small fixed
//! form: no nesting, no comments, no types. A text may stand in double quotes,
//! with `\"`, `\\`, `\n`, `\r`, `\t`, and `\uXXXX` in it.

use std::collections::HashSet;

use crate::domain::spec::rules::MAX_ITEMS;
use crate::domain::text::{self, markdown};

/// The entries of a file, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrontMatter {
    pub entries: Vec<(String, Scalar)>,
    /// The line of each entry, counted from one.
    lines: Vec<usize>,
}

/// The value of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scalar {
    Text(String),
    List(Vec<String>),
}

/// A line of front matter that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ParseError {
    /// Counted from one.
    pub line: usize,
    pub message: String,
}

impl FrontMatter {
    /// Reads the front matter of `text` and returns it with the byte offset of
    /// the first line below it.
    ///
    /// # Errors
    ///
    /// [`ParseError`] if `text` does not begin with front matter, or with the
    /// first line of it that is not in the fixed form or repeats a key.
    pub fn parse(text: &str) -> Result<(Self, usize), ParseError> {
        let (front_matter, body, errors) = Self::read(text)?;
        errors.into_iter().next().map_or(Ok((front_matter, body)), Err)
    }

    /// As [`Self::parse`], with the lines that cannot be read left out and told.
    ///
    /// # Errors
    ///
    /// [`ParseError`] if `text` does not begin with front matter.
    pub(super) fn read(text: &str) -> Result<(Self, usize, Vec<ParseError>), ParseError> {
        let body = markdown::body_offset(text);
        if body == 0 {
            let message = match text.lines().next() {
                Some(first) if markdown::is_front_matter_mark(first) => "no `---` line ends the front matter",
                _ => "the file does not begin with a `---` line",
            };
            return Err(ParseError { line: 1, message: message.to_owned() });
        }
        let (mut front_matter, mut errors) = (Self::default(), Vec::new());
        let mut keys = HashSet::new();
        let inner = text[..body].lines().skip(1);
        let n_lines = text[..body].lines().count() - 2;
        for (i, line) in inner.take(n_lines).enumerate() {
            let line_no = i + 2;
            let entry = parse_entry(line).and_then(|(key, value)| {
                if keys.insert(key.clone()) {
                    Ok((key, value))
                } else {
                    Err(format!("`{key}` is there twice"))
                }
            });
            match entry {
                Ok(entry) => {
                    front_matter.entries.push(entry);
                    front_matter.lines.push(line_no);
                }
                Err(message) => errors.push(ParseError { line: line_no, message }),
            }
        }
        Ok((front_matter, body, errors))
    }

    /// Returns the line of `key`, counted from one; `None` if it is absent.
    pub fn line_of(&self, key: &str) -> Option<usize> {
        let idx = self.entries.iter().position(|(known, _)| known == key)?;
        self.lines.get(idx).copied()
    }

    /// Returns the value of `key`.
    pub fn find(&self, key: &str) -> Option<&Scalar> {
        let entry = self.entries.iter().find(|(known, _)| known == key);
        entry.map(|(_, value)| value)
    }

    /// An error in the line of `key`, or in the last line if it is absent.
    pub(super) fn error(&self, key: &str, message: impl Into<String>) -> ParseError {
        let below = || self.lines.last().map_or(2, |last| last + 1);
        ParseError { line: self.line_of(key).unwrap_or_else(below), message: message.into() }
    }

    pub(super) fn required_text(&self, key: &str) -> Result<&str, ParseError> {
        match self.find(key) {
            Some(Scalar::Text(text)) if text.trim().is_empty() => {
                Err(self.error(key, format!("`{key}` is empty")))
            }
            Some(Scalar::Text(text)) => Ok(text),
            Some(Scalar::List(_)) => Err(self.error(key, format!("`{key}` is a list, not a text"))),
            None => Err(self.error(key, format!("the front matter has no `{key}`"))),
        }
    }

    pub(super) fn word<T>(
        &self,
        key: &str,
        words: &str,
        from_word: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ParseError> {
        let found = match self.find(key) {
            None => return Ok(None),
            Some(Scalar::Text(text)) => from_word(text),
            Some(Scalar::List(_)) => None,
        };
        let fail = || self.error(key, format!("`{key}` is not {words}"));
        found.map(Some).ok_or_else(fail)
    }

    /// Returns a text that is not empty and that `is_valid` takes; `what` names such a text.
    pub(super) fn text(
        &self,
        key: &str,
        what: &str,
        is_valid: impl Fn(&str) -> bool,
    ) -> Result<Option<String>, ParseError> {
        self.word(key, what, |text| is_valid(text).then(|| text.to_owned()))
    }

    /// As [`Self::list`], with items that `is_valid` takes; `what` names such items.
    pub(super) fn list_of(
        &self,
        key: &str,
        what: &str,
        is_valid: impl Fn(&str) -> bool,
    ) -> Result<Option<Vec<String>>, ParseError> {
        let Some(items) = self.list(key)? else { return Ok(None) };
        match items.iter().find(|item| !is_valid(item)) {
            _ if items.len() > MAX_ITEMS => {
                Err(self.error(key, format!("`{key}` has more than {MAX_ITEMS} items")))
            }
            Some(item) => {
                let item = text::clip(&text::one_line(item), 60);
                Err(self.error(key, format!("`{item}` in `{key}` is not {what}")))
            }
            None => Ok(Some(items)),
        }
    }

    pub(super) fn list(&self, key: &str) -> Result<Option<Vec<String>>, ParseError> {
        match self.find(key) {
            None => Ok(None),
            Some(Scalar::List(items)) => Ok(Some(items.clone())),
            Some(Scalar::Text(_)) => Err(self.error(key, format!("`{key}` is not a list such as `[a, b]`"))),
        }
    }
}

/// Returns the line of an entry, quoted where the text needs it.
pub(super) fn render_entry(key: &str, value: &Scalar) -> String {
    match value {
        Scalar::Text(text) => format!("{key}: {}\n", quote(text)),
        Scalar::List(items) => {
            let items: Vec<_> = items.iter().map(|item| quote(item)).collect();
            format!("{key}: [{}]\n", items.join(", "))
        }
    }
}

/// Quotes all but the plainest texts, so that a YAML reader agrees with us.
fn quote(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || " -_./()=".contains(c);
    if text.starts_with(char::is_alphanumeric) && !text.ends_with(' ') && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if needs_escape(c) => out.push_str(&format_escape(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether a reader could take `c` for the end of the line, or for nothing.
fn needs_escape(c: char) -> bool {
    c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}')
}

fn format_escape(c: char) -> String {
    format!("\\u{:04x}", u32::from(c))
}

fn parse_entry(line: &str) -> Result<(String, Scalar), String> {
    let (key, value) = line
        .split_once(':')
        .filter(|(key, value)| is_key(key) && (value.is_empty() || value.starts_with([' ', '\t'])))
        .ok_or_else(|| {
            let line = text::clip(&text::one_line(line), 40);
            format!("`{line}` is not of the form `key: text` or `key: [a, b]`")
        })?;
    let value = value.trim();
    let value = match value.strip_prefix('[') {
        Some(list) => Scalar::List(parse_list(list)?),
        None => Scalar::Text(parse_text(value)?),
    };
    Ok((key.to_owned(), value))
}

fn is_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
}

fn parse_text(value: &str) -> Result<String, String> {
    let Some(quoted) = value.strip_prefix('"') else {
        return plain(value);
    };
    match unquote(quoted)? {
        (text, "") => Ok(text),
        (_, rest) => Err(format!("`{}` follows the closing quote", text::clip(rest.trim(), 20))),
    }
}

/// `list` begins behind the bracket.
fn parse_list(list: &str) -> Result<Vec<String>, String> {
    let mut items = Vec::new();
    let mut rest = list.trim_start();
    if rest == "]" {
        return Ok(items);
    }
    loop {
        let (item, after) = if let Some(quoted) = rest.strip_prefix('"') {
            unquote(quoted)?
        } else {
            let end = rest.find([',', ']']).unwrap_or(rest.len());
            if end == 0 {
                return Err("the list has an empty item".to_owned());
            }
            (plain(rest[..end].trim_end())?, &rest[end..])
        };
        items.push(item);
        rest = after.trim_start();
        if rest == "]" {
            return Ok(items);
        }
        rest = rest.strip_prefix(',').ok_or("the list does not end in `]`, or lacks a comma")?.trim_start();
    }
}

/// A text without quotes. Refused if it begins like something else in YAML.
fn plain(value: &str) -> Result<String, String> {
    match value.chars().next() {
        Some(c) if "'{}[]&*!|>%@`\"".contains(c) => {
            Err(format!("a text that begins with `{c}` must stand in double quotes"))
        }
        _ if value.contains(char::is_control) => Err("the text has a control character".to_owned()),
        _ => Ok(value.to_owned()),
    }
}

/// Reads up to the closing quote and returns what follows it.
fn unquote(quoted: &str) -> Result<(String, &str), String> {
    let mut out = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok((out, chars.as_str())),
            '\\' => out.push(match chars.next() {
                Some(c @ ('"' | '\\')) => c,
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('u') => {
                    let hex =
                        chars.as_str().get(..4).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
                    let code = hex.and_then(|hex| u32::from_str_radix(hex, 16).ok());
                    chars = chars.as_str().get(4..).unwrap_or_default().chars();
                    code.and_then(char::from_u32).ok_or("`\\u` needs four hexadecimal digits")?
                }
                _ => {
                    return Err("a backslash stands before `\"`, `\\`, n, r, t, or u only".to_owned());
                }
            }),
            c => out.push(c),
        }
    }
    Err("the closing quote is missing".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(line: &str) -> Result<Scalar, String> {
        parse_entry(line).map(|(_, value)| value)
    }

    #[test]
    fn values() {
        let text = |text: &str| Ok(Scalar::Text(text.to_owned()));
        let list = |items: &[&str]| Ok(Scalar::List(items.iter().map(|&i| i.to_owned()).collect()));
        assert_eq!(entry("a: b: c # d"), text("b: c # d"));
        assert_eq!(entry("a_1-b:\t x "), text("x"));
        assert_eq!(entry("a:"), text(""));
        assert_eq!(entry(r#"a: "x \"y\" \\ \n \u00e9""#), text("x \"y\" \\ \n é"));
        assert_eq!(entry("a: []"), list(&[]));
        assert_eq!(entry("a: [ x , \"y, ]\",z ]"), list(&["x", "y, ]", "z"]));
    }

    #[test]
    fn everything_else_is_an_error() {
        for line in [
            "",
            "a",
            "# c",
            " a: b",
            "A: b",
            "a:b",
            "- a",
            "a: 'x'",
            "a: {x: y}",
            "a: |",
            "a: \"x",
            "a: \"x\" y",
            "a: \"\\x\"",
            "a: \"\\u12\"",
            "a: [x",
            "a: [x,]",
            "a: [x, , y]",
            "a: [x] y",
            "a: [[x]]",
            "a: x\u{7}",
        ] {
            assert!(entry(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn structure() {
        for (text, line) in [
            ("", 1),
            ("# Title\n", 1),
            ("---\na: b\n", 1),
            ("---\na: b\nc\n---\n", 3),
            ("---\na: b\nb: c\na: d\n---\n", 4),
        ] {
            assert_eq!(FrontMatter::parse(text).unwrap_err().line, line, "{text:?}");
        }
        let (empty, body) = FrontMatter::parse("---\n---\nx").unwrap();
        assert_eq!((empty.entries.len(), body), (0, 8));
    }
}
