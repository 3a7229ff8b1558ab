//! The line that stands for another one whose text was taken out.

use std::borrow::Cow;

use super::{decode, parse_ulid};
use crate::domain::event::Body;
use crate::domain::id::{Digest, Oid};
use crate::store::canon::{Tape, Value};
use crate::store::content::sha256;

/// What stays of the envelope: where the event stands and what it fits to, and no text of anybody's.
const ENVELOPE: &[&str] = &[
    "at", "attempt", "cause", "clock", "critical", "from", "id", "op", "protocol", "root", "step", "type",
    "v",
];

/// What stays of the body of a creation, without which there would be no protocol.
const CREATION: &[&str] = &["base", "branch", "slug"];

/// Words of a closed set that say what a completion rests on.
const WORDS: &[&str] = &["qa", "policy", "setup", "approval", "terminal", "ci", "delegated"];

/// Returns the stub of a line; `None` if it is no line, or a stub itself.
///
/// Facts say nothing any more. Decisions keep what they decided, as far as ids and numbers say it; so does the
/// creation, with the names without which nothing of the protocol would be found. A text that `is_secret` does
/// not stay anywhere.
pub(super) fn stub(line: &str, is_secret: &dyn Fn(&str) -> bool) -> Option<String> {
    let event = decode(line.as_bytes()).ok()?.event;
    if event.redacts.is_some() {
        return None;
    }
    let mut tape = Tape::default();
    let Value::Obj(members) = tape.parse_str(line).ok()?.value.to_value() else { return None };
    let mut kept: Vec<(Cow<'_, str>, Value<'_>)> = Vec::new();
    for (key, value) in members {
        if key == "body" {
            if let Value::Obj(body) = value
                && !event.body.is_fact()
            {
                kept.push((key, Value::Obj(body_of(&event.body, body, is_secret))));
            }
        } else if ENVELOPE.contains(&&*key) && !matches!(&value, Value::Str(text) if is_secret(text)) {
            kept.push((key, value));
        }
    }
    kept.push(("redacts".into(), Value::str(sha256(line.as_bytes()).to_string())));
    kept.sort_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
    Some(Value::Obj(kept).to_text())
}

fn body_of<'a>(
    body: &Body,
    members: Vec<(Cow<'a, str>, Value<'a>)>,
    is_secret: &dyn Fn(&str) -> bool,
) -> Vec<(Cow<'a, str>, Value<'a>)> {
    let is_creation = matches!(body, Body::Created(_));
    let is_names = matches!(body, Body::Moved(_) | Body::Renumbered { .. });
    let mut kept: Vec<_> = members
        .into_iter()
        .filter(|(key, value)| {
            let is_name = is_names || (is_creation && CREATION.contains(&&**key));
            is_name || says_no_text(value, is_secret)
        })
        .collect();
    if is_creation {
        kept.push(("description".into(), Value::str("")));
        kept.push(("title".into(), Value::str("(its text was taken out)")));
        kept.sort_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
    }
    kept
}

fn says_no_text(value: &Value<'_>, is_secret: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::Str(text) => {
            let is_id = parse_ulid(text).is_some()
                || text.parse::<Oid>().is_ok()
                || text.parse::<Digest>().is_ok()
                || WORDS.contains(&&**text);
            is_id && !is_secret(text)
        }
        Value::Arr(items) => items.iter().all(|item| says_no_text(item, is_secret)),
        Value::Obj(_) => false,
        Value::Null | Value::False | Value::True | Value::Int(_) | Value::UInt(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

    fn stub_of(line: &str) -> String {
        let stub = stub(line, &|text| text.contains("hunter2")).unwrap();
        assert_eq!(decode(stub.as_bytes()).unwrap().canonical, None, "{stub}");
        stub.replace(&sha256(line.as_bytes()).to_string(), "<line>")
    }

    #[test]
    fn nothing_that_anybody_wrote_stays() {
        let line = format!(
            r#"{{"actor":{{"kind":"human","name":"Ada"}},"at":5,"body":{{"text":"hunter2"}},"clock":3,"id":"{ID}","new":"x","op":"{ID}","protocol":"0007-x","root":"{ID}","sig":"s","type":"note.added","v":1}}"#
        );
        assert_eq!(
            stub_of(&line),
            format!(
                r#"{{"at":5,"clock":3,"id":"{ID}","op":"{ID}","protocol":"0007-x","redacts":"<line>","root":"{ID}","type":"note.added","v":1}}"#
            )
        );
        let stub = stub(&line, &|_| false).unwrap();
        assert_eq!(super::stub(&stub, &|_| false), None, "a stub has no text");
    }

    #[test]
    fn a_decision_keeps_what_it_decided() {
        let line = format!(
            r#"{{"body":{{"by":"approval","ci":["{ID}"],"content_tree":"{0}","mode":"terminal","reason":"hunter2"}},"cause":"hunter2","clock":3,"from":"failed","id":"{ID}","step":"01-a","type":"step.approved"}}"#,
            "a".repeat(40)
        );
        assert_eq!(
            stub_of(&line),
            format!(
                r#"{{"body":{{"by":"approval","ci":["{ID}"],"content_tree":"{0}","mode":"terminal"}},"clock":3,"from":"failed","id":"{ID}","redacts":"<line>","step":"01-a","type":"step.approved"}}"#,
                "a".repeat(40)
            )
        );
    }

    #[test]
    fn a_creation_still_makes_the_protocol() {
        let line = format!(
            r#"{{"body":{{"base":"main","base_commit":"{0}","branch":"0007-x","description":"hunter2","number":7,"slug":"x","title":"hunter2"}},"clock":1,"id":"{ID}","type":"protocol.created"}}"#,
            "a".repeat(40)
        );
        let stub = stub_of(&line);
        assert!(!stub.contains("hunter2"), "{stub}");
        let stub = super::stub(&line, &|_| false).unwrap();
        assert!(matches!(decode(stub.as_bytes()).unwrap().event.body, Body::Created(_)), "{stub}");
    }
}
