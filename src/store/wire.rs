//! Stored forms of events: one canonical JSON line each, version 1.
//!
//! The line is what is kept; the [`Event`] is what it means. A field or a type that this release
//! does not know stays in the line and is not lost by reading, uniting or writing it again.

mod body;
mod names;
mod recent;
mod runs;
mod stub;

use std::borrow::Cow;
use std::sync::Arc;

use self::recent::Recent;
use super::canon::{self, Tape, Value, View};
use crate::domain::event::{Actor, ActorKind, Cause, Event};
use crate::domain::id::{Digest, Name, StepId, Ulid};
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
    let line = std::str::from_utf8(line).map_err(|_| canon::Error::Utf8)?;
    Decoder::new(&mut Common::default()).decode(line)
}

/// What lines have in common is held once.
#[derive(Debug, Default)]
pub struct Common {
    actors: Recent<Arc<Actor>>,
    protocols: Recent<Option<Name>>,
    roots: Recent<Option<Ulid>>,
    steps: Recent<Option<StepId>>,
    words: Recent<Arc<str>>,
}

/// Reads many lines.
#[derive(Debug)]
pub struct Decoder<'c, 'a> {
    tape: Tape<'a>,
    common: &'c mut Common,
}

impl<'c, 'a> Decoder<'c, 'a> {
    pub fn new(common: &'c mut Common) -> Self {
        Self { tape: Tape::default(), common }
    }

    /// Reads a line, without its line feed.
    ///
    /// # Errors
    ///
    /// As [`decode`].
    pub fn decode(&mut self, line: &'a str) -> Result<Decoded, Error> {
        if line.len() > MAX_LINE {
            return Err(Error::TooLong(line.len()));
        }
        let parsed = self.tape.parse_str(line)?;
        let canonical = (!parsed.canonical).then(|| parsed.value.to_value().to_text());
        if let Some(text) = canonical.as_ref().filter(|text| text.len() > MAX_LINE) {
            return Err(Error::TooLong(text.len()));
        }
        let event = self.common.event(parsed.value)?;
        Ok(Decoded { event, canonical })
    }
}

impl Common {
    fn event(&mut self, line: View<'_>) -> Result<Event, Error> {
        let null = View::NULL;
        let (mut actor, mut at, mut attempt, mut body, mut cause, mut clock, mut critical) =
            (null, null, null, null, null, null, null);
        let (mut from, mut id, mut kind, mut op, mut protocol, mut redacts, mut root, mut step) =
            (null, null, null, null, null, null, null, null);
        for (key, value) in line.members() {
            let place = match key.as_bytes() {
                b"actor" => &mut actor,
                b"at" => &mut at,
                b"attempt" => &mut attempt,
                b"body" => &mut body,
                b"cause" => &mut cause,
                b"clock" => &mut clock,
                b"critical" => &mut critical,
                b"from" => &mut from,
                b"id" => &mut id,
                b"op" => &mut op,
                b"protocol" => &mut protocol,
                b"redacts" => &mut redacts,
                b"root" => &mut root,
                b"step" => &mut step,
                b"type" => &mut kind,
                _ => continue,
            };
            *place = value;
        }
        let ulid = |view: View<'_>| view.as_str().and_then(|text| parse_ulid(&text));
        let kind = kind.as_str().ok_or(Error::Field("type"))?;
        Ok(Event {
            id: ulid(id).ok_or(Error::Field("id"))?,
            clock: clock.as_u64().ok_or(Error::Field("clock"))?,
            at_ms: at.as_u64().unwrap_or(0),
            op: ulid(op),
            protocol: protocol
                .as_str()
                .and_then(|name| self.protocols.shared(&name, |name| name.parse().ok())),
            root: root.as_str().and_then(|root| self.roots.shared(&root, parse_ulid)),
            actor: self
                .actors
                .shared(actor.object_text().unwrap_or_default(), |_| decode_actor(actor).into()),
            step: step.as_str().and_then(|step| self.steps.shared(&step, |step| step.parse().ok())),
            attempt: attempt.as_u64(),
            from: from.as_str().map(Cow::into_owned),
            cause: cause.as_str().map(|cause| Cause(cause.into_owned())),
            critical: critical.as_bool().unwrap_or(false),
            redacts: redacts.as_str().and_then(|digest| digest.parse::<Digest>().ok()),
            body: body::decode(&kind, body, &mut self.words),
        })
    }
}

fn decode_actor(actor: View<'_>) -> Actor {
    let text = |key| actor.get(key).and_then(View::as_str);
    Actor {
        kind: text("kind").and_then(|word| ActorKind::from_word(&word)).unwrap_or(ActorKind::Human),
        name: text("name").map(|name| harmless_line(&name)).unwrap_or_default(),
        host: text("host").map(|host| harmless_line(&host)),
    }
}

/// Reads a ULID in its one canonical spelling: 26 upper-case Crockford digits.
pub fn parse_ulid(text: &str) -> Option<Ulid> {
    // Twenty-six digits of five bits hold two bits more than there are, and lower case is read too.
    let fits = text.bytes().next().is_some_and(|first| first <= b'7');
    let has_lower_case = text.bytes().fold(0, |n, byte| n | u8::from(byte >= b'a')) != 0;
    if fits && !has_lower_case { Ulid::from_string(text).ok() } else { None }
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

/// Returns the canonical line of an event as the stream of another name holds it; `None` if it is no line.
pub fn under_name(line: &str, name: &Name) -> Option<String> {
    names::under_name(line, name)
}

/// Returns the line that stands for `line` once its text is taken out; `None` if it is no line, or stands for
/// one already. A text that `is_secret` does not stay.
pub fn stub(line: &str, is_secret: &dyn Fn(&str) -> bool) -> Option<String> {
    stub::stub(line, is_secret)
}

/// Returns a canonical line with a signature over it as its `sig`; `None` if it is no line.
pub fn signed(line: &str, signature: &str) -> Option<String> {
    let mut tape = Tape::default();
    let Value::Obj(mut members) = tape.parse_str(line).ok()?.value.to_value() else { return None };
    members.retain(|(key, _)| key != "sig");
    let place = members.partition_point(|(key, _)| key.as_bytes() < b"sig".as_slice());
    members.insert(place, ("sig".into(), Value::str(signature.to_owned())));
    Some(Value::Obj(members).to_text())
}

/// Returns what the signature of a line is over, and the signature; `None` for a line without one. A
/// `sig` that is no text is an empty signature.
pub fn signature(line: &str) -> Option<(String, String)> {
    let mut tape = Tape::default();
    let Value::Obj(mut members) = tape.parse_str(line).ok()?.value.to_value() else { return None };
    let place = members.iter().position(|(key, _)| key == "sig")?;
    let signature = match members.remove(place).1 {
        Value::Str(text) => text.into_owned(),
        _ => String::new(),
    };
    Some((Value::Obj(members).to_text(), signature))
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

    #[test]
    fn a_signature_is_over_the_line_without_it() {
        let line = r#"{"body":{"text":"A"},"clock":3,"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","type":"note.added"}"#;
        assert_eq!(signature(line), None);
        let with = signed(line, "-----BEGIN\n\"x\"\n").unwrap();
        assert_eq!(decode(with.as_bytes()).unwrap().canonical, None, "{with}");
        assert_eq!(signature(&with), Some((line.to_owned(), "-----BEGIN\n\"x\"\n".to_owned())));
        assert_eq!(signed(&with, "y").and_then(|line| signature(&line)).unwrap().0, line);
        let odd = line.replace(r#","type""#, r#","sig":7,"type""#);
        assert_eq!(signature(&odd), Some((line.to_owned(), String::new())));
    }
}
