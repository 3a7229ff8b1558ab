//! Stubs by the lines that they stand for. What was taken out of one stream may lie in another one, where
//! somebody put it.

use std::collections::{BTreeMap, BTreeSet};

use super::content::{Content, Line};
use crate::domain::id::Digest;

/// One stub each of lines that were taken out, and the names of all that was: lines and plans.
#[derive(Clone, Debug, Default)]
pub struct Stubs {
    lines: BTreeMap<Digest, Line>,
    taken_out: BTreeSet<Digest>,
}

impl Stubs {
    /// Takes in the stubs that `content` holds. Of several of one line the smallest text counts, so that all
    /// clones take the same.
    pub fn add(&mut self, content: &Content) {
        self.taken_out.extend(content.taken_out());
        for line in content.lines() {
            let Some(stands_for) = line.event.redacts else { continue };
            let known = self.lines.entry(stands_for).or_insert_with(|| line.clone());
            if *line.text < *known.text {
                known.clone_from(line);
            }
        }
    }

    /// Whether no line was taken out.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Returns the hashes of the lines and plans that were taken out.
    pub fn taken_out(&self) -> &BTreeSet<Digest> {
        &self.taken_out
    }

    /// Whether `content` holds a line or a plan that was taken out.
    pub fn concern(&self, content: &Content) -> bool {
        !self.of(content).is_empty() || content.specs.keys().any(|spec| self.taken_out.contains(spec))
    }

    /// Returns the stubs of what `content` holds; united with them, it holds that no more.
    pub fn of(&self, content: &Content) -> Content {
        let mut found = Content::default();
        if self.is_empty() {
            return found;
        }
        let lines = content.lines().iter().filter(|line| line.event.redacts.is_none()).map(Line::digest);
        for digest in lines.chain(content.rejects.keys().copied()) {
            if let Some(stub) = self.lines.get(&digest) {
                found.add(stub.clone());
            }
        }
        found.normalize();
        found
    }
}
