//! The file that `export` writes and `import` reads: every stream as JSON lines, of which each stands for itself.
//!
//! ```text
//! {"object_format":"sha1","schema":"git-godzilla/export-file@1"}
//! {"format":{…},"stream":"0007-add-login"}      then what it holds; `project` is the project's
//! {"spec":"…"}                                  a plan, as the text that its events name by its hash
//! {"event":{…}}                                 an event line
//! {"reject":{"marker":"…","sha256":"…"}}        a line that cannot be kept
//! {"file":{"hex":"…","mode":33188,"path":"…"}}  a file of a newer version
//! {"end":{"events":17,"streams":2}}             without it the file is cut
//! ```
//!
//! Equal content gives equal bytes. Characters that a terminal would obey are escaped.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::content::{Format, Line};
use super::wire;
use crate::domain::id::{Digest, Name};
use crate::domain::text;

/// The form of the file.
pub const SCHEMA: &str = "git-godzilla/export-file@1";

/// The longest line, in bytes.
pub const MAX_LINE: usize = 32 << 20;

/// The largest file of a newer version that fits into a line, in bytes.
pub const MAX_FILE: usize = 8 << 20;

/// What the project's stream is called.
const PROJECT: &str = "project";

/// What a line holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Header {
        object_format: String,
    },
    /// What follows is of this stream; `None` for the project's.
    Stream {
        name: Option<Name>,
        format: Format,
    },
    Event(Box<Line>),
    Spec(String),
    Reject {
        line: Digest,
        marker: String,
    },
    File {
        path: Vec<u8>,
        mode: u32,
        bytes: Vec<u8>,
    },
    End {
        streams: u64,
        events: u64,
    },
}

/// Why a line is none of an export.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("this is no JSON: {0}")]
    Json(String),
    #[error("this is no line of an export")]
    Shape,
    #[error("this is in the form `{0}`, and not in `{SCHEMA}`")]
    Form(String),
    #[error("`{0}` names no stream")]
    Name(String),
    #[error("the event cannot be read: {0}")]
    Event(#[from] wire::Error),
    #[error("`{0}` is no path of a file that a stream may hold")]
    Path(String),
}

impl Record {
    /// Reads a line, without its line feed.
    ///
    /// # Errors
    ///
    /// [`Error`] if it is none of an export, or none that may be taken in.
    pub fn decode(line: &[u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(line).map_err(|err| Error::Json(err.to_string()))?.trim_ascii_end();
        // Most lines are, and their bytes are taken as they are.
        if let Some(event) = text.strip_prefix("{\"event\":").and_then(|rest| rest.strip_suffix('}')) {
            return event_of(event);
        }
        let read = serde_json::from_str(text).map_err(|err| Error::Json(text::one_line(&err.to_string())))?;
        let Value::Object(record) = read else { return Err(Error::Shape) };
        let known = |key: &str, more: &[&str]| {
            record.contains_key(key) && record.keys().all(|it| it == key || more.contains(&it.as_str()))
        };
        match () {
            () if known("schema", &["object_format"]) => header(&record),
            () if known("stream", &["format"]) => stream(&record),
            () if known("event", &[]) => event_of(&record["event"].to_string()),
            () if known("spec", &[]) => Ok(Self::Spec(text_of(&record["spec"])?)),
            () if known("reject", &[]) => {
                let (line, marker) = (text_of(&record["reject"]["sha256"])?, &record["reject"]["marker"]);
                let line = line.parse().map_err(|_| Error::Shape)?;
                Ok(Self::Reject { line, marker: text_of(marker)? })
            }
            () if known("file", &[]) => file(&record["file"]),
            () if known("end", &[]) => {
                let number = |key: &str| record["end"][key].as_u64().ok_or(Error::Shape);
                Ok(Self::End { streams: number("streams")?, events: number("events")? })
            }
            () if record.contains_key("schema") => header(&record),
            () => Err(Error::Shape),
        }
    }
}

fn text_of(value: &Value) -> Result<String, Error> {
    value.as_str().map(str::to_owned).ok_or(Error::Shape)
}

fn header(record: &Map<String, Value>) -> Result<Record, Error> {
    let schema = text_of(&record["schema"])?;
    if schema != SCHEMA {
        return Err(Error::Form(text::clip(&text::one_line(&schema), 80)));
    }
    let object_format = text_of(record.get("object_format").unwrap_or(&Value::Null))?;
    Ok(Record::Header { object_format })
}

fn stream(record: &Map<String, Value>) -> Result<Record, Error> {
    let named = text_of(&record["stream"])?;
    let name = match named.as_str() {
        PROJECT => None,
        other => Some(other.parse().map_err(|_| Error::Name(text::clip(&text::one_line(other), 80)))?),
    };
    let format = record.get("format").unwrap_or(&Value::Null);
    let number = |key: &str| format[key].as_u64().ok_or(Error::Shape);
    let format =
        Format { format: number("format")?, min_read: number("min_read")?, min_write: number("min_write")? };
    Ok(Record::Stream { name, format })
}

fn event_of(text: &str) -> Result<Record, Error> {
    let wire::Decoded { event, canonical } = wire::decode(text.as_bytes())?;
    let text = canonical.unwrap_or_else(|| text.to_owned()).into();
    Ok(Record::Event(Box::new(Line { text, event })))
}

fn file(record: &Value) -> Result<Record, Error> {
    const MODES: [u64; 3] = [0o100_644, 0o100_755, 0o120_000];

    let path = text_of(&record["path"])?;
    let mode = record["mode"].as_u64().filter(|mode| MODES.contains(mode)).ok_or(Error::Shape)?;
    let bytes = from_hex(&text_of(&record["hex"])?).ok_or(Error::Shape)?;
    if !is_of_a_newer_version(&path) {
        return Err(Error::Path(text::clip(&text::one_line(&path), 80)));
    }
    let mode = u32::try_from(mode).map_err(|_| Error::Shape)?;
    Ok(Record::File { path: path.into_bytes(), mode, bytes })
}

/// Whether a path can be that of a file which a newer version keeps in a stream: one that is not ours, and
/// leads nowhere else.
fn is_of_a_newer_version(path: &str) -> bool {
    const MAX_PARTS: usize = 16;

    let parts: Vec<&str> = path.split('/').collect();
    let is_part = |part: &&str| {
        !part.is_empty()
            && !matches!(*part, "." | "..")
            && !part.eq_ignore_ascii_case(".git")
            && !part.contains('\0')
    };
    let is_ours = match parts.as_slice() {
        ["events" | "specs" | "rejects" | "format" | "state.json"] => true,
        ["format" | "state.json", ..] => true,
        ["events", name, ..] => name.len() >= 6 && name.bytes().all(|byte| byte.is_ascii_digit()),
        ["specs" | "rejects", name, ..] => name.parse::<Digest>().is_ok(),
        _ => false,
    };
    parts.len() <= MAX_PARTS && parts.iter().all(is_part) && !is_ours
}

/// Returns the first line.
pub fn header_line(object_format: &str) -> String {
    json!({ "schema": SCHEMA, "object_format": object_format }).to_string()
}

/// Returns the line that begins a stream; `None` is the project's.
pub fn stream_line(name: Option<&Name>, format: Format) -> String {
    let Format { format, min_read, min_write } = format;
    let format = json!({ "format": format, "min_read": min_read, "min_write": min_write });
    json!({ "stream": name.map_or(PROJECT, Name::as_str), "format": format }).to_string()
}

pub fn event_line(line: &Line) -> String {
    format!("{{\"event\":{}}}", shown(&line.text))
}

pub fn spec_line(text: &str) -> String {
    shown(&json!({ "spec": text }).to_string()).into_owned()
}

pub fn reject_line(line: Digest, marker: &str) -> String {
    let reject = json!({ "sha256": line.to_string(), "marker": marker });
    shown(&json!({ "reject": reject }).to_string()).into_owned()
}

/// Returns the line of a file of a newer version; `None` for one that no line can hold.
pub fn file_line(path: &[u8], mode: u32, bytes: &[u8]) -> Option<String> {
    let path = std::str::from_utf8(path).ok()?;
    let file = json!({ "path": path, "mode": mode, "hex": to_hex(bytes) });
    let line = shown(&json!({ "file": file }).to_string()).into_owned();
    (bytes.len() <= MAX_FILE && Record::decode(line.as_bytes()).is_ok()).then_some(line)
}

/// Returns the last line.
pub fn end_line(streams: usize, events: usize) -> String {
    json!({ "end": { "streams": streams, "events": events } }).to_string()
}

/// Escapes in JSON what a terminal would obey, all of which lies in texts.
fn shown(json: &str) -> Cow<'_, str> {
    if text::is_plain(json) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if text::is_raw(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a `String` cannot fail.
                write!(out, "\\u{unit:04x}").ok();
            }
        } else {
            out.push(c);
        }
    }
    out.into()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        write!(hex, "{byte:02x}").ok();
        hex
    })
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::content::FORMAT;

    const EVENT: &str = include_str!("../../tests/data/v1/events.jsonl");

    #[test]
    fn what_is_written_is_read() {
        for line in EVENT.lines() {
            let Ok(Record::Event(read)) = Record::decode(format!("{{\"event\":{line}}}").as_bytes()) else {
                panic!("{line}")
            };
            assert_eq!(&*read.text, line);
            assert_eq!(Record::decode(event_line(&read).as_bytes()), Ok(Record::Event(read)));
        }
        let name: Name = "0007-add-login".parse().unwrap();
        for (line, want) in [
            (header_line("sha1"), Record::Header { object_format: "sha1".to_owned() }),
            (stream_line(Some(&name), FORMAT), Record::Stream { name: Some(name), format: FORMAT }),
            (stream_line(None, FORMAT), Record::Stream { name: None, format: FORMAT }),
            (spec_line("{\"a\":\"\u{9b}\n\"}"), Record::Spec("{\"a\":\"\u{9b}\n\"}".to_owned())),
            (
                reject_line(Digest([7; 32]), "{}"),
                Record::Reject { line: Digest([7; 32]), marker: "{}".to_owned() },
            ),
            (
                file_line(b"notes/x", 0o100_644, b"\0\xff").unwrap(),
                Record::File { path: b"notes/x".to_vec(), mode: 0o100_644, bytes: b"\0\xff".to_vec() },
            ),
            (end_line(2, 17), Record::End { streams: 2, events: 17 }),
        ] {
            assert!(text::is_plain(&line), "{line:?}");
            assert_eq!(Record::decode(line.as_bytes()), Ok(want), "{line}");
        }
    }

    /// A tool that writes JSON in its own way has changed nothing.
    #[test]
    fn other_spellings_of_a_line_are_the_same_line() {
        let line = EVENT.lines().next().unwrap();
        let value: Value = serde_json::from_str(line).unwrap();
        let pretty = format!("{{ \"event\" : {value:#} }}").replace('\n', " ");
        let Ok(Record::Event(read)) = Record::decode(pretty.as_bytes()) else { panic!("{pretty}") };
        assert_eq!(&*read.text, line);
    }

    #[test]
    fn hostile_lines_are_none() {
        for line in [
            "",
            "[]",
            "{}",
            "{\"event\":{}}",
            "{\"event\":{\"id\":1}} x",
            "{\"event\":1e3}",
            "{\"stream\":\"../x\",\"format\":{\"format\":1,\"min_read\":1,\"min_write\":1}}",
            "{\"stream\":\"0001-x\"}",
            "{\"schema\":\"git-godzilla/export-file@2\",\"object_format\":\"sha1\"}",
            "{\"schema\":\"git-godzilla/export-file@1\"}",
            "{\"spec\":\"x\",\"event\":{}}",
            "{\"reject\":{\"sha256\":\"x\",\"marker\":\"y\"}}",
            "{\"end\":{\"streams\":-1,\"events\":0}}",
        ] {
            assert!(Record::decode(line.as_bytes()).is_err(), "{line}");
        }
        for path in [
            "",
            "/a",
            "a//b",
            "../a",
            "a/../b",
            ".git/config",
            "a/.GIT/x",
            "events/000000",
            "events",
            "format",
            "format/x",
            "specs/0707070707070707070707070707070707070707070707070707070707070707",
            "a\0b",
        ] {
            let line = json!({ "file": { "path": path, "mode": 0o100_644, "hex": "" } }).to_string();
            assert!(matches!(Record::decode(line.as_bytes()), Err(Error::Path(_))), "{path:?}");
        }
        let tree = json!({ "file": { "path": "a", "mode": 0o40_000, "hex": "" } }).to_string();
        assert!(Record::decode(tree.as_bytes()).is_err());
        assert!(from_hex("0").is_none() && from_hex("0g").is_none());
    }
}
