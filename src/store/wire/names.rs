//! The bodies of what changes how a protocol is called, or what is said of it.

use std::borrow::Cow;

use super::body::{Read, Reader};
use super::parse_ulid;
use crate::domain::event::{Body, Moved, Redacted, SpecRedacted};
use crate::domain::id::{Name, Ulid};
use crate::store::canon::{Tape, Value};

/// Reads the body of a type; `None` for a type that is not one of these.
pub(super) fn decode(kind: &str, read: &Reader<'_>) -> Option<Read<Body>> {
    Some(match kind {
        "protocol.renumbered" => renumbered(read),
        "moved" => moved(read).map(Body::Moved),
        "redacted" => redacted(read).map(Body::Redacted),
        "spec.redacted" => spec_redacted(read).map(Body::SpecRedacted),
        _ => return None,
    })
}

fn ulid(read: &Reader<'_>, key: &'static str) -> Read<Ulid> {
    parse_ulid(&read.str(key)?).ok_or(key)
}

fn renumbered(read: &Reader<'_>) -> Read<Body> {
    Ok(Body::Renumbered { number: read.number("number")?, slug: read.str("slug")?.into_owned() })
}

fn moved(read: &Reader<'_>) -> Read<Moved> {
    Ok(Moved { from: read.parsed("from")?, root: ulid(read, "root")?, to: read.parsed("to")? })
}

fn redacted(read: &Reader<'_>) -> Read<Redacted> {
    Ok(Redacted { event: ulid(read, "event")?, line: read.parsed("line")?, reason: read.said("reason").ok() })
}

fn spec_redacted(read: &Reader<'_>) -> Read<SpecRedacted> {
    let (spec, instead) = (read.parsed("spec")?, read.parsed("instead")?);
    Ok(SpecRedacted { spec, instead, reason: read.said("reason").ok() })
}

/// Returns the body as it is stored; `None` for one that is not of these types.
pub(super) fn encode(body: &Body) -> Option<Value<'_>> {
    let shown = |value: &dyn std::fmt::Display| Some(Value::str(value.to_string()));
    Some(match body {
        Body::Renumbered { number, slug } => {
            Value::object([("number", Some(Value::uint(*number))), ("slug", Some(Value::str(slug.as_str())))])
        }
        Body::Moved(Moved { root, from, to }) => {
            Value::object([("from", shown(from)), ("root", shown(root)), ("to", shown(to))])
        }
        Body::Redacted(Redacted { event, line, reason }) => Value::object([
            ("event", shown(event)),
            ("line", shown(line)),
            ("reason", reason.as_deref().map(Value::str)),
        ]),
        Body::SpecRedacted(SpecRedacted { spec, instead, reason }) => Value::object([
            ("instead", shown(instead)),
            ("reason", reason.as_deref().map(Value::str)),
            ("spec", shown(spec)),
        ]),
        _ => return None,
    })
}

/// Returns the line of an event as a stream of another name holds it: routed there, without the signature,
/// which was over the old name. The creation takes the number, the slug and the branch of the name over.
pub(super) fn under_name(line: &str, name: &Name) -> Option<String> {
    let mut tape = Tape::default();
    let Value::Obj(mut members) = tape.parse_str(line).ok()?.value.to_value() else { return None };
    members.retain(|(key, _)| key != "sig" && key != "protocol");
    let is_creation = members.contains(&("type".into(), Value::str("protocol.created")));
    put(&mut members, "protocol", Value::str(name.as_str()));
    if is_creation && let Some((_, Value::Obj(body))) = members.iter_mut().find(|(key, _)| key == "body") {
        put(body, "branch", Value::str(name.as_str()));
        put(body, "number", Value::uint(name.number()));
        put(body, "slug", Value::str(name.slug()));
    }
    Some(Value::Obj(members).to_text())
}

fn put<'a>(members: &mut Vec<(Cow<'a, str>, Value<'a>)>, key: &'static str, value: Value<'a>) {
    members.retain(|(known, _)| known != key);
    let place = members.partition_point(|(known, _)| known.as_bytes() < key.as_bytes());
    members.insert(place, (key.into(), value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_under_another_name_with_everything_else_as_it_was() {
        let name = "0008-x".parse().unwrap();
        let line = r#"{"body":{"text":"A","x":[1]},"clock":3,"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","protocol":"0007-x","sig":"s","type":"note.added","zz":7}"#;
        assert_eq!(
            under_name(line, &name).unwrap(),
            r#"{"body":{"text":"A","x":[1]},"clock":3,"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","protocol":"0008-x","type":"note.added","zz":7}"#
        );
        let line = r#"{"body":{"branch":"0007-x","number":7,"slug":"x","title":"T"},"clock":1,"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","protocol":"0007-x","type":"protocol.created"}"#;
        assert_eq!(
            under_name(line, &"0012-y".parse().unwrap()).unwrap(),
            r#"{"body":{"branch":"0012-y","number":12,"slug":"y","title":"T"},"clock":1,"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","protocol":"0012-y","type":"protocol.created"}"#
        );
        assert_eq!(under_name("[]", &name), None);
    }
}
