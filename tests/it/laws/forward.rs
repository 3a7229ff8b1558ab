//! What newer releases write survives this one, byte for byte.

use git_godzilla::domain::event::Body;
use git_godzilla::domain::fold::{Outcome, fold};
use git_godzilla::store::content::{Content, FORMAT, Format};
use git_godzilla::store::{tip, wire};

use super::World;

/// Lines of a release to come: fields, types and words that nobody knows yet.
const LINES: &[&str] = &[
    r#"{"actor":{"kind":"swarm","name":"Ω","seat":{"row":[1,2,{"x":null}]}},"at":9,"body":{"deep":[[[{"a":-1,"b":18446744073709551615}]]],"reason":"why"},"clock":3,"id":"00000000000000000000000003","root":"00000000000000000000000001","then":{"v":[true,false,"\u0001\\\""]},"type":"protocol.started","v":99}"#,
    r#"{"actor":{"kind":"human","name":"A"},"at":9,"body":{"color":"red","text":"hello","weight":{"kg":-9223372036854775808}},"clock":4,"id":"00000000000000000000000004","root":"00000000000000000000000001","type":"note.added","v":2}"#,
    r#"{"actor":{"kind":"human"},"at":9,"body":{"to":{"x":[[],{}]}},"clock":5,"id":"00000000000000000000000005","type":"step.teleported","v":99}"#,
    r#"{"actor":{"kind":"human"},"at":9,"body":[1,"not an object"],"clock":6,"id":"00000000000000000000000006","type":"moved","v":99}"#,
    r#"{"actor":{"kind":"ci"},"at":9,"body":{"attempt":1,"commit":"0101010101010101010101010101010101010101","job":"test","provider":"plain","result":"flaky","run":1,"workflow":""},"clock":0,"id":"00000000000000000000000007","type":"ci.reported","v":2}"#,
    r#"{"at":9,"clock":7,"id":"00000000000000000000000008","redacts":"0303030303030303030303030303030303030303030303030303030303030303","sig":"x","step":"01-a","type":"step.started","v":3}"#,
];

const CRITICAL: &str = r#"{"actor":{"kind":"human"},"at":9,"body":{},"clock":9,"critical":true,"id":"00000000000000000000000009","type":"law.changed","v":4}"#;

fn holding(lines: &[&str]) -> Content {
    let mut content = Content::default();
    for line in lines {
        content.add_raw(line.as_bytes());
    }
    content.normalize();
    content
}

fn texts(content: &Content) -> Vec<&str> {
    content.lines().iter().map(|line| &*line.text).collect()
}

#[test]
fn g5_lines_of_version_99_survive_byte_for_byte() {
    let world = World::new();
    let content = holding(LINES);
    assert_eq!(content.rejects.len(), 0);
    let read = tip::read(&world.repo, world.write(&content)).unwrap();
    let mut united = holding(&LINES[..1]);
    united.unite(&read);
    for content in [&content, &read, &united] {
        let mut expected = LINES.to_vec();
        expected.sort_by_key(|line| wire::decode(line.as_bytes()).unwrap().event.clock);
        assert_eq!(texts(content), expected);
        assert!(content.may_be_written());
    }
    assert_eq!(world.write(&united), world.write(&content));
}

#[test]
fn g5_what_is_known_of_a_newer_line_counts() {
    let events = holding(LINES).events();
    let outcomes = fold(&events, &git_godzilla::domain::spec::Specs::new()).outcomes;
    let outcomes: Vec<&str> = outcomes.iter().map(Outcome::as_str).collect();
    // In order: a result that nobody knows, two decisions about nothing, …
    assert_eq!(outcomes, ["unknown", "rejected", "accepted", "unknown", "unknown", "rejected"]);
    assert_eq!(events[2].body, Body::NoteAdded { text: "hello".to_owned() });
}

#[test]
fn v4_a_critical_type_that_is_not_known_is_kept_and_stops_writing() {
    let world = World::new();
    let mut content = holding(LINES);
    assert!(content.may_be_written());
    content.unite(&holding(&[CRITICAL]));
    assert!(content.may_be_read() && !content.may_be_written());
    let read = tip::read(&world.repo, world.write(&content)).unwrap();
    assert_eq!(read, content);
    assert_eq!(texts(&read).last(), Some(&CRITICAL));
    // So does one whose meaning, or whose body, comes with a later release.
    for kind in ["policy.changed", "gates.accepted"] {
        assert!(!holding(&[&CRITICAL.replace("law.changed", kind)]).may_be_written(), "{kind}");
    }
    assert!(holding(&[&CRITICAL.replace("law.changed", "step.started")]).may_be_written());
}

#[test]
fn g4_a_format_that_asks_for_a_newer_writer_is_read_and_never_written() {
    let world = World::new();
    let mut content = holding(LINES);
    content.format = Format { format: 2, min_read: 1, min_write: 2 };
    let read = tip::read(&world.repo, world.write(&content)).unwrap();
    assert_eq!(read, content);
    assert!(read.may_be_read() && !read.may_be_written());
    let mut ours = holding(&LINES[..2]);
    ours.unite(&read);
    assert!(!ours.may_be_written());
    assert_eq!(FORMAT, Format { format: 1, min_read: 1, min_write: 1 });
}

#[test]
fn g3_what_has_no_canonical_form_becomes_a_marker_and_one_of_the_set() {
    let world = World::new();
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(wire::MAX_LINE));
    let content = holding(&["no json", r#"{"clock":1.5}"#, &long, LINES[0]]);
    assert_eq!((content.lines().len(), content.rejects.len()), (1, 3));
    assert!(content.rejects.values().any(|marker| *marker == r#"{"reason":"not JSON","size":7}"#));
    assert_eq!(tip::read(&world.repo, world.write(&content)).unwrap(), content);
    assert!(!holding(&[LINES[0]]).contains(&content));
}

#[test]
fn o1_another_spelling_of_a_line_is_that_line() {
    let spaced = LINES[1].replace("\":", "\" : ").replace("hello", "\\u0068ello");
    let content = holding(&[LINES[1], &spaced]);
    assert_eq!(texts(&content), [LINES[1]]);
}
