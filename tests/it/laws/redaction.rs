//! P1: a line that a stub stands for never comes back.

use git_godzilla::domain::event::{Body, Event, SpecRedacted};
use git_godzilla::domain::id::Ulid;
use git_godzilla::store::content::{Content, Line, sha256};

use super::any;

fn note(text: &str) -> Line {
    Line::new(any::event_of(Ulid(5), 5, Body::NoteAdded { text: text.to_owned() }))
}

fn stub_of(line: &Line) -> Line {
    let body = Body::NoteAdded { text: String::new() };
    Line::new(Event { redacts: Some(line.digest()), ..any::event_of(Ulid(5), 5, body) })
}

fn holding(lines: &[&Line]) -> Content {
    let mut content = Content::default();
    for line in lines {
        content.add((*line).clone());
    }
    content.normalize();
    content
}

#[test]
fn p1_a_redacted_line_never_comes_back_whichever_side_had_it() {
    let (secret, other) = (note("secret"), note("other"));
    let stub = stub_of(&secret);
    let (full, redacted) = (holding(&[&secret, &other]), holding(&[&stub, &other]));
    let mut ours = redacted.clone();
    ours.unite(&full);
    let mut theirs = full.clone();
    theirs.unite(&redacted);
    assert_eq!(ours, redacted);
    assert_eq!(theirs, redacted);
    assert_eq!(holding(&[&secret, &stub, &secret, &other]), redacted);
    assert!(redacted.contains(&full) && !full.contains(&redacted), "the stub counts as larger");
    // Once more, when a third clone that knows nothing of it joins.
    theirs.unite(&holding(&[&secret]));
    assert_eq!(theirs, redacted);
}

#[test]
fn p1_a_stub_takes_the_place_of_its_line() {
    let mut lines = ["a", "b", "c", "d", "e"].map(note);
    lines.sort_by_key(Line::digest);
    let place = |content: &Content, line: &Line| content.lines().iter().position(|known| known == line);
    for (idx, line) in lines.iter().enumerate() {
        let stub = stub_of(line);
        let mut redacted = holding(&lines.iter().collect::<Vec<_>>());
        redacted.unite(&holding(&[&stub]));
        assert_eq!(redacted.lines().len(), lines.len());
        assert_eq!(place(&redacted, &stub), Some(idx), "of lines with one id the first still counts");
    }
}

#[test]
fn p1_two_stubs_of_one_line_have_one_order() {
    let secret = note("secret");
    let stub = stub_of(&secret);
    let later = Line::new(Event { at_ms: 77, ..stub.event.clone() });
    let one = holding(&[&stub, &later]);
    assert_eq!(one, holding(&[&later, &secret, &stub]));
    assert_eq!(one.lines().len(), 2);
}

#[test]
fn p1_a_stub_is_no_line_that_a_stub_takes_out() {
    let secret = note("secret");
    let stub = stub_of(&secret);
    let of_the_stub = stub_of(&stub);
    let mut both = holding(&[&stub]);
    both.unite(&holding(&[&of_the_stub]));
    both.unite(&holding(&[&secret]));
    assert_eq!(both, holding(&[&stub, &of_the_stub]));
    assert!(!holding(&[&of_the_stub]).contains(&holding(&[&stub])));
}

#[test]
fn p1_a_marker_goes_too() {
    let mut content = Content::default();
    content.add_raw(b"no json");
    assert_eq!(content.rejects.len(), 1);
    let mut stub = stub_of(&note("x")).event;
    stub.redacts = Some(sha256(b"no json"));
    let redacted = holding(&[&Line::new(stub)]);
    assert!(redacted.contains(&content));
    content.unite(&redacted);
    assert_eq!(content, redacted);
}

/// A line that says that one plan stands for another.
fn standing(n: u64, was: &str, now: &str) -> Line {
    let (spec, instead) = (sha256(was.as_bytes()), sha256(now.as_bytes()));
    let body = Body::SpecRedacted(SpecRedacted { spec, instead, reason: None });
    Line::new(any::event_of(Ulid(n.into()), n, body))
}

fn with_plans(lines: &[&Line], plans: &[&str]) -> Content {
    let mut content = holding(lines);
    content.specs = plans.iter().map(|text| (sha256(text.as_bytes()), (*text).to_owned())).collect();
    content.normalize();
    content
}

#[test]
fn p1_a_plan_that_another_one_stands_for_never_comes_back() {
    let line = standing(5, "secret", "clean");
    let (full, redacted) = (with_plans(&[], &["secret"]), with_plans(&[&line], &["secret", "clean"]));
    assert_eq!(redacted.specs.len(), 1);
    assert_eq!(redacted.spec(&sha256(b"secret")), Some((sha256(b"clean"), &"clean".to_owned())));
    for [first, second] in [[&full, &redacted], [&redacted, &full]] {
        let mut both = first.clone();
        both.unite(second);
        assert_eq!(both, redacted);
    }
    assert!(redacted.contains(&full) && !full.contains(&redacted), "it counts as larger");
    // In the past of a moment before it, too.
    let past = redacted.until(0);
    assert!(past.lines().is_empty() && redacted.until(line.event.at_ms).lines().len() == 1);
    assert_eq!(past.spec(&sha256(b"secret")), redacted.spec(&sha256(b"secret")));
}

#[test]
fn p1_of_two_plans_that_stand_for_one_the_first_in_order_does_and_a_circle_ends() {
    let (one, two) = (standing(5, "a", "b"), standing(6, "a", "c"));
    let named = |content: &Content| content.spec(&sha256(b"a")).map(|(_, text)| text.clone());
    for lines in [[&one, &two], [&two, &one]] {
        assert_eq!(named(&with_plans(&lines, &["a", "b", "c"])).as_deref(), Some("b"));
    }
    let further = standing(7, "b", "d");
    assert_eq!(named(&with_plans(&[&one, &further], &["a", "b", "d"])).as_deref(), Some("d"));
    let back = standing(7, "b", "a");
    assert_eq!(named(&with_plans(&[&one, &back], &["a", "b"])), None);
}
