//! What must be true of the state that a content is folded to.

use std::collections::BTreeSet;

use git_godzilla::domain::event::{Body, Event};
use git_godzilla::domain::fold::{Folded, Outcome};
use git_godzilla::service::streams::folded;
use git_godzilla::store::content::Line;

use super::{Chance, Content};

/// Of two reports of one job about the newest commit of a step, the one with the larger run and attempt
/// is shown. Returns what is wrong.
pub(crate) fn newest_report_counts(content: &Content, folded: &Folded) -> Option<String> {
    let protocol = folded.protocol.as_ref()?;
    for (line, outcome) in content.lines().iter().zip(&folded.outcomes) {
        let Body::CiReported(report) = &line.event.body else { continue };
        if !matches!(outcome, Outcome::Accepted) {
            continue;
        }
        for step in protocol.steps.iter().filter(|step| step.newest() == Some(report.commit)) {
            let shown = step.jobs.0.values().find(|job| job.name == report.job);
            let is_shown = shown.is_some_and(|job| (job.run, job.attempt) >= (report.run, report.attempt));
            if !is_shown {
                return Some(format!("{} of {} is not {}", report.job, step.id, report.run));
            }
        }
    }
    None
}

/// The incumbent is the first creation that is not beyond belief and did not move to another name, and
/// nothing of another root counts. Returns what is wrong.
pub(crate) fn root_is_the_first(content: &Content, folded: &Folded) -> Option<String> {
    const LEAP: u64 = 1_000_000;
    const MAX: u64 = (1 << 53) - 1;

    let mut before = 0;
    let believed = |line: &&Line| {
        let clock = line.event.clock;
        let is_believed = clock <= MAX && clock - before <= LEAP;
        before = clock;
        is_believed
    };
    let is_creation = |line: &&Line| matches!(line.event.body, Body::Created(_));
    // Of several lines of one id the first counts.
    let mut seen = BTreeSet::new();
    let is_first = |line: &&Line| seen.insert(line.event.id);
    let believed: Vec<&Line> = content.lines().iter().take_while(believed).filter(is_first).collect();
    // From this name, and not to it.
    let has_moved = |made: &Event| {
        let is_away = |line: &&Line| match &line.event.body {
            Body::Moved(moved) => {
                let of = &line.event.protocol;
                moved.root == made.id && of.as_ref() == Some(&moved.from) && *of == made.protocol
            }
            _ => false,
        };
        believed.iter().copied().any(|line| is_away(&line))
    };
    let mut created = believed.iter().copied().filter(is_creation).map(|line| &line.event);
    let first = created.find(|made| !has_moved(made)).map(|made| made.id);
    let root = folded.protocol.as_ref().map(|protocol| protocol.root);
    if root != first {
        return Some(format!("{root:?} holds the name, and {first:?} was first"));
    }
    let counted = content.lines().iter().zip(&folded.outcomes).filter(|(_, of)| **of == Outcome::Accepted);
    let mut others = counted.filter(|(line, _)| line.event.root.is_some() && line.event.root != root);
    others.next().map(|(line, _)| format!("{} counts", &*line.text))
}

/// Lines that come in another order, some of them twice, make the same state. Returns what is wrong.
pub(crate) fn order_matters(content: &Content, of: &Folded) -> Option<String> {
    let mut lines: Vec<&Line> = content.lines().iter().collect();
    let mut chance = Chance(lines.len() as u64);
    let mut other = Content::default();
    other.specs.clone_from(&content.specs);
    while !lines.is_empty() {
        let mut part = Content::default();
        for _ in 0..=chance.below(lines.len()) {
            let drawn = lines[chance.below(lines.len())];
            part.add(drawn.clone());
            if chance.below(4) > 0 {
                lines.retain(|line| line.text != drawn.text);
            }
            if lines.is_empty() {
                break;
            }
        }
        part.normalize();
        other.unite(&part);
    }
    let same = other.lines() == content.lines() && folded(&other, None).protocol == of.protocol;
    (!same).then(|| "it does".to_owned())
}

/// Nothing that was taken back is written again by what wrote it by itself. Returns the line that is.
pub(crate) fn automation_repeats(content: &Content, is_new: &dyn Fn(&str) -> bool) -> Option<String> {
    let new = content.lines().iter().filter(|line| is_new(&line.text) && line.event.cause.is_some());
    let new: Vec<&Line> = new.collect();
    if new.is_empty() {
        return None;
    }
    let state = folded(content, None);
    let undone = content.lines().iter().zip(&state.outcomes);
    let undone = undone.filter(|(line, of)| matches!(of, Outcome::Undone(_)) && !is_new(&line.text));
    let undone: Vec<&Line> = undone.map(|(line, _)| line).collect();
    let repeats = |line: &&&Line| {
        let key = (line.event.cause_key(), line.event.root);
        undone.iter().any(|was| (was.event.cause_key(), was.event.root) == key)
    };
    new.iter().find(repeats).map(|line| line.text.to_string())
}
