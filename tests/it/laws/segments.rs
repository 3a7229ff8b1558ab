//! G1: segments are cut by content.

use std::collections::BTreeSet;

use git_godzilla::domain::event::{Body, Event};
use git_godzilla::domain::id::Ulid;
use git_godzilla::store::content::{Content, Line};
use proptest::prelude::*;

use super::{any, check};

fn note(n: u64) -> Event {
    any::event_of(Ulid(u128::from(n)), n, Body::NoteAdded { text: format!("note {n}") })
}

/// Whether the last six bits of its hash are zero.
fn ends_one(line: &Line) -> bool {
    line.digest().0[31].is_multiple_of(64)
}

fn blobs(content: &Content) -> BTreeSet<Vec<String>> {
    let text = |line: &Line| line.text.to_string();
    content.segments().into_iter().map(|segment| segment.iter().map(text).collect()).collect()
}

#[test]
fn g1_an_insertion_anywhere_rewrites_one_segment() {
    check(24, &(1_u64..3000, 1_u64..400), |(first, n_events)| {
        let events: Vec<Event> = (0..n_events).map(|n| note(first + 2 * n)).collect();
        let before = super::content(&events);
        // Segments that only their length ended move on; they are rare.
        let n_long = before.segments().iter().filter(|segment| segment.len() == 256).count();
        for place in 0..8 {
            let mut after = before.clone();
            after.add(Line::new(note(first + 1 + 2 * (n_events * place / 8))));
            after.normalize();
            let n_new = blobs(&after).difference(&blobs(&before)).count();
            prop_assert!((1..=2 + n_long).contains(&n_new), "{n_new} new segments");
        }
        Ok(())
    });
}

#[test]
fn g1_segments_hold_every_line_in_order_and_none_is_longer_than_the_limit() {
    check(12, &(0_u64..3000, 0_u64..600), |(first, n_events)| {
        let content = super::content(&(first..first + n_events).map(note).collect::<Vec<_>>());
        let segments = content.segments();
        let lines: Vec<&Line> = segments.iter().copied().flatten().collect();
        prop_assert_eq!(lines, content.lines().iter().collect::<Vec<_>>());
        for (idx, segment) in segments.iter().enumerate() {
            let ends = ends_one(segment.last().unwrap());
            prop_assert!(segment.len() <= 256);
            prop_assert!(ends || segment.len() == 256 || idx + 1 == segments.len());
            prop_assert!(segment[..segment.len() - 1].iter().all(|line| !ends_one(line)));
        }
        Ok(())
    });
}

#[test]
fn g1_the_same_set_has_the_same_segments() {
    let events: Vec<Event> = (0..300).map(note).collect();
    let whole = super::content(&events);
    let (even, odd): (Vec<Event>, Vec<Event>) = events.into_iter().partition(|event| event.clock % 2 == 0);
    let mut united = super::content(&odd);
    united.unite(&super::content(&even));
    assert_eq!(blobs(&united), blobs(&whole));
}
