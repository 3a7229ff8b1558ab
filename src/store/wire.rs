//! Stored forms of events: one canonical JSON line each, version 1.
//!
//! The line is what is kept; the [`Event`] is what it means. A field or a type that this release
//! does not know stays in the line and is not lost by reading, uniting or writing it again.

mod body;

use super::canon::{self, Value};
use crate::domain::event::{Actor, ActorKind, Cause, Event};
use crate::domain::id::{Digest, Ulid};
use crate::domain::text::harmless_line;

/// The version that this release writes into each line.
pub const LINE_VERSION: u64 = 1;

/// The longest line in bytes, without its line feed. A constant of format 1.
pub const MAX_LINE: usize = 65_536;

/// Why bytes are no event line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{0} bytes, over the limit")]
    TooLong(usize),
    #[error(transparent)]
    Json(#[from] canon::Error),
    #[error("no valid `{0}`")]
    Field(&'static str),
}

/// A decoded line.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded {
    pub event: Event,
    /// The canonical bytes, if the ones given are not.
    pub canonical: Option<String>,
}

/// Reads a line, without its line feed.
///
/// # Errors
///
/// [`Error`] if the line has no canonical form, is too long, or has no id or clock. Such a line is
/// kept as a marker (`rejects/<sha256>`).
pub fn decode(line: &[u8]) -> Result<Decoded, Error> {
    if line.len() > MAX_LINE {
        return Err(Error::TooLong(line.len()));
    }
    let parsed = canon::parse(line)?;
    let canonical = (!parsed.canonical).then(|| parsed.value.to_text());
    if let Some(text) = canonical.as_ref().filter(|text| text.len() > MAX_LINE) {
        return Err(Error::TooLong(text.len()));
    }
    let event = decode_value(&parsed.value)?;
    Ok(Decoded { event, canonical })
}

fn decode_value(line: &Value<'_>) -> Result<Event, Error> {
    let text = |key| line.get(key).and_then(Value::as_str);
    let number = |key| line.get(key).and_then(Value::as_u64);
    let ulid = |key| text(key).and_then(parse_ulid);
    let kind = text("type").ok_or(Error::Field("type"))?;
    let null = Value::Null;
    Ok(Event {
        id: ulid("id").ok_or(Error::Field("id"))?,
        clock: number("clock").ok_or(Error::Field("clock"))?,
        at_ms: number("at").unwrap_or(0),
        op: ulid("op"),
        protocol: text("protocol").and_then(|name| name.parse().ok()),
        root: ulid("root"),
        actor: decode_actor(line.get("actor").unwrap_or(&null)),
        step: text("step").and_then(|step| step.parse().ok()),
        attempt: number("attempt"),
        from: text("from").map(str::to_owned),
        cause: text("cause").map(|cause| Cause(cause.to_owned())),
        critical: line.get("critical").and_then(Value::as_bool).unwrap_or(false),
        redacts: text("redacts").and_then(|digest| digest.parse::<Digest>().ok()),
        body: body::decode(kind, line.get("body").unwrap_or(&null)),
    })
}

fn decode_actor(actor: &Value<'_>) -> Actor {
    let text = |key| actor.get(key).and_then(Value::as_str);
    Actor {
        kind: text("kind").and_then(ActorKind::from_word).unwrap_or(ActorKind::Human),
        name: text("name").map(harmless_line).unwrap_or_default(),
        host: text("host").map(harmless_line),
    }
}

/// Reads a ULID in its one canonical spelling: 26 upper-case Crockford digits.
pub fn parse_ulid(text: &str) -> Option<Ulid> {
    let id = Ulid::from_string(text).ok()?;
    let mut spelled = [0; ulid::ULID_LEN];
    (id.array_to_str(&mut spelled) == text).then_some(id)
}

/// Returns the canonical line of `event`, without a line feed.
pub fn encode(event: &Event) -> String {
    let ulid = |id: Ulid| Value::str(id.to_string());
    let actor = Value::object([
        ("host", event.actor.host.as_deref().map(Value::str)),
        ("kind", Some(Value::str(event.actor.kind.as_str()))),
        ("name", Some(Value::str(event.actor.name.as_str()))),
    ]);
    Value::object([
        ("actor", Some(actor)),
        ("at", Some(Value::uint(event.at_ms))),
        ("attempt", event.attempt.map(Value::uint)),
        ("body", Some(body::encode(&event.body))),
        ("cause", event.cause.as_ref().map(|cause| Value::str(cause.0.as_str()))),
        ("clock", Some(Value::uint(event.clock))),
        ("critical", event.critical.then_some(Value::True)),
        ("from", event.from.as_deref().map(Value::str)),
        ("id", Some(ulid(event.id))),
        ("op", event.op.map(ulid)),
        ("protocol", event.protocol.as_ref().map(|name| Value::str(name.as_str()))),
        ("redacts", event.redacts.map(|digest| Value::str(digest.to_string()))),
        ("root", event.root.map(ulid)),
        ("step", event.step.as_ref().map(|step| Value::str(step.as_str()))),
        ("type", Some(Value::str(event.body.kind()))),
        ("v", Some(Value::uint(LINE_VERSION))),
    ])
    .to_text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_an_identity_are_refused() {
        for (line, field) in [
            (r#"{"clock":1,"type":"undo"}"#, "id"),
            (r#"{"clock":1,"id":"01ARZ3NDEKTSV4RRFFQ69G5FAv","type":"undo"}"#, "id"),
            (r#"{"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","type":"undo"}"#, "clock"),
            (r#"{"clock":-1,"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","type":"undo"}"#, "clock"),
            (r#"{"clock":1,"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}"#, "type"),
            ("[]", "type"),
        ] {
            assert_eq!(decode(line.as_bytes()).unwrap_err(), Error::Field(field), "{line}");
        }
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_LINE));
        assert_eq!(decode(long.as_bytes()).unwrap_err(), Error::TooLong(long.len()));
    }

    #[test]
    fn another_spelling_is_read_as_the_canonical_one() {
        let line = r#"{ "type":"note.added", "id":"01ARZ3NDEKTSV4RRFFQ69G5FAV", "clock":3, "body":{"text":"\u0041"} }"#;
        let decoded = decode(line.as_bytes()).unwrap();
        let canonical = decoded.canonical.unwrap();
        assert_eq!(
            canonical,
            r#"{"body":{"text":"A"},"clock":3,"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","type":"note.added"}"#
        );
        assert_eq!(decode(canonical.as_bytes()).unwrap().event, decoded.event);
    }
}
