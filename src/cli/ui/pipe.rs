//! What is written for programs: bytes that hold nothing which a terminal would obey.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::domain::text;

/// Stdout, until nobody reads it any more.
pub(super) struct Pipe {
    out: BufWriter<io::StdoutLock<'static>>,
    is_closed: bool,
}

impl Pipe {
    pub(super) fn new() -> Self {
        Self { out: BufWriter::with_capacity(64 * 1024, io::stdout().lock()), is_closed: false }
    }

    fn told<T: Default>(&mut self, written: io::Result<T>, all: T) -> io::Result<T> {
        match written {
            Err(err) if err.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(all)
            }
            written => written,
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Ok(bytes.len());
        }
        let written = self.out.write(bytes);
        self.told(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let flushed = self.out.flush();
        self.told(flushed, ())
    }
}

/// Writes JSON in which every character that a terminal would obey is escaped.
pub(super) fn write_json(out: impl Write, document: &impl Serialize) -> io::Result<()> {
    document.serialize(&mut serde_json::Serializer::with_formatter(out, Harmless)).map_err(io::Error::from)
}

struct Harmless;

impl serde_json::ser::Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        if text::is_plain(rest) {
            return out.write_all(rest.as_bytes());
        }
        while let Some((idx, c)) = rest.char_indices().find(|(_, c)| text::is_raw(*c)) {
            out.write_all(&rest.as_bytes()[..idx])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &rest[idx + c.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_same_document_in_safe_letters() {
        let document = serde_json::json!({ "a\u{9b}": "é \u{202e} \u{e0001} \u{1b} 🦖" });
        let mut bytes = Vec::new();
        write_json(&mut bytes, &document).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains(text::is_raw) && text.contains('🦖'), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), document);
    }
}
