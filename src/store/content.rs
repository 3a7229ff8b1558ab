//! The content of a ref: a set of event lines, in fold order, with specs and unknown files.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::canon::{self, Value};
use super::text::Text;
use super::wire::{self, Common, Decoded, Decoder};
use crate::domain::event::{Body, Event, SpecRedacted};
use crate::domain::id::{Digest, Name, Oid, Ulid};
use crate::domain::spec::Specs;

/// A segment ends after a line whose SHA-256 ends in six zero bits, or after this many lines.
const MAX_SEGMENT: usize = 256;

/// What that comes to.
const AVERAGE_SEGMENT: usize = 64;

/// The versions of a tip tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    pub format: u64,
    /// The oldest tool that may read it.
    pub min_read: u64,
    /// The oldest tool that may write it.
    pub min_write: u64,
}

/// The format that this release writes.
pub const FORMAT: Format = Format { format: 1, min_read: 1, min_write: 1 };

impl Format {
    /// Returns what both may be read and written as: the larger of each.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            format: self.format.max(other.format),
            min_read: self.min_read.max(other.min_read),
            min_write: self.min_write.max(other.min_write),
        }
    }
}

/// A line and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Canonical, without its line feed.
    pub text: Text,
    pub event: Event,
}

impl Line {
    pub fn new(event: Event) -> Self {
        Self { text: wire::encode(&event).into(), event }
    }

    /// Returns the same line with a signature over what it was.
    #[must_use]
    pub fn signed(&self, signature: &str) -> Self {
        let text = wire::signed(&self.text, signature).map_or_else(|| self.text.clone(), Text::from);
        Self { text, event: self.event.clone() }
    }

    pub fn digest(&self) -> Digest {
        sha256(self.text.as_bytes())
    }

    /// The place in fold order, but for lines with one clock and one id.
    fn key(&self) -> (u64, Ulid) {
        (self.event.clock, self.event.id)
    }

    /// Of lines with one clock and one id the hash decides, for which the stub of a redacted line
    /// has the hash of that line; two stubs of one line go by their own.
    fn tie_break(&self) -> (Digest, Digest) {
        let own = self.digest();
        (self.event.redacts.unwrap_or(own), own)
    }
}

/// Returns the SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

fn line_ranges(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    let ends = memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]);
    ends.map(move |end| std::mem::replace(&mut start, end + 1)..end).filter(|range| !range.is_empty())
}

/// A file that a newer tool keeps in the tip tree: its mode and its object.
pub type UnknownFile = (u32, Oid);

/// The content of a ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    pub format: Format,
    /// In fold order, each once.
    lines: Vec<Line>,
    /// Canonical bytes by their SHA-256.
    pub specs: BTreeMap<Digest, String>,
    /// Markers of lines that cannot be kept as they are, by the SHA-256 of the line.
    pub rejects: BTreeMap<Digest, String>,
    /// By path in the tip tree.
    pub unknown: BTreeMap<Vec<u8>, UnknownFile>,
    /// The plan that stands for each one that a text was taken out of.
    instead: BTreeMap<Digest, Digest>,
}

impl Default for Content {
    fn default() -> Self {
        Self {
            format: FORMAT,
            lines: Vec::new(),
            specs: BTreeMap::new(),
            rejects: BTreeMap::new(),
            unknown: BTreeMap::new(),
            instead: BTreeMap::new(),
        }
    }
}

impl Content {
    /// Returns a content of these versions that holds nothing.
    pub fn in_format(format: Format) -> Self {
        Self { format, ..Self::default() }
    }

    /// Returns the lines in fold order.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.specs.is_empty() && self.rejects.is_empty() && self.unknown.is_empty()
    }

    /// Returns the lines as they are stored.
    pub fn texts(&self) -> HashSet<&str> {
        self.lines.iter().map(|line| &*line.text).collect()
    }

    /// Returns the events in fold order.
    pub fn events(&self) -> Vec<Event> {
        self.lines.iter().map(|line| line.event.clone()).collect()
    }

    /// Returns the specs that can be read; what stands for another one, under the name of that one as well.
    pub fn decoded_specs(&self) -> Specs {
        let decode = |text: &String| super::spec::decode(text.as_bytes()).ok();
        let mut decoded: Specs =
            self.specs.iter().filter_map(|(digest, text)| Some((*digest, decode(text)?))).collect();
        for digest in self.instead.keys() {
            let standing = self.spec(digest).and_then(|(now, _)| decoded.get(&now).cloned());
            decoded.extend(standing.map(|spec| (*digest, spec)));
        }
        decoded
    }

    /// Returns the plan that events name by `digest`, or the one that stands for it, with its own name.
    pub fn spec(&self, digest: &Digest) -> Option<(Digest, &String)> {
        let mut now = *digest;
        // Nobody says how far they lead, or that it is not in a circle.
        for _ in 0..=self.instead.len() {
            match self.instead.get(&now) {
                Some(next) => now = *next,
                None => break,
            }
        }
        self.specs.get(&now).map(|text| (now, text))
    }

    /// Returns the plans that say again what was taken out of another one, each with what is to stand for it.
    pub fn said_again(&self) -> Vec<(Digest, Digest, String)> {
        if self.instead.is_empty() {
            return Vec::new();
        }
        let standing = self.spec_redactions().filter_map(|redacted| self.specs.get(&redacted.instead));
        let taken_out = super::spec::taken_out(standing);
        let again = |(was, text): (&Digest, &String)| {
            let (now, text) = super::spec::without(text, &taken_out)?;
            (now != *was).then_some((*was, now, text))
        };
        self.specs.iter().filter_map(again).collect()
    }

    /// Returns the plans that were taken out, each with the name and the text of the one that stands for it.
    pub fn standing(&self) -> impl Iterator<Item = (Digest, Digest, &String)> {
        self.instead.keys().filter_map(|was| self.spec(was).map(|(now, text)| (*was, now, text)))
    }

    /// Whether the plan of this name must not be kept.
    pub fn is_taken_out(&self, spec: &Digest) -> bool {
        self.instead.contains_key(spec)
    }

    /// Returns what of it had happened at a moment, as each event says of itself; plans are all there.
    #[must_use]
    pub fn until(&self, at_ms: u64) -> Self {
        let mut until = self.clone();
        until.lines.retain(|line| line.event.at_ms <= at_ms);
        until
    }

    /// Leaves only the events that `keep` wants.
    pub fn retain(&mut self, keep: impl Fn(&Event) -> bool) {
        self.lines.retain(|line| keep(&line.event));
    }

    /// Returns the plans that `other` does not hold.
    pub fn specs_beyond(&self, other: &Self) -> Vec<(Digest, &String)> {
        let is_new = |(digest, _): &(&Digest, &String)| !other.specs.contains_key(*digest);
        self.specs.iter().filter(is_new).map(|(digest, text)| (*digest, text)).collect()
    }

    /// Whether this tool may add to it: neither the format nor a critical event asks for a newer one.
    pub fn may_be_written(&self) -> bool {
        self.format.min_write <= FORMAT.format
            && !self.lines.iter().any(|line| line.event.critical && !line.event.body.has_meaning())
    }

    /// Whether this tool may read it.
    pub fn may_be_read(&self) -> bool {
        self.format.min_read <= FORMAT.format
    }

    /// Makes room for as many lines as segments have on average, but not for as many as a tree could
    /// claim. A single one may be far from full.
    pub fn expect_segments(&mut self, n_segments: usize) {
        self.lines.reserve(n_segments.saturating_sub(1).min(MAX_SEGMENT) * AVERAGE_SEGMENT);
    }

    /// Takes in one line as it was found, as [`Self::add_segment`] does.
    pub fn add_raw(&mut self, line: &[u8]) {
        self.add_segment(line.to_vec(), &mut Common::default());
    }

    /// Takes in lines as they were found, each ended by a line feed but perhaps the last. What has no
    /// canonical form becomes a marker. The caller ends with [`Self::normalize`].
    pub fn add_segment(&mut self, bytes: Vec<u8>, common: &mut Common) {
        match String::from_utf8(bytes) {
            Ok(text) => {
                let whole = Arc::new(text);
                self.lines.reserve(memchr::memchr_iter(b'\n', whole.as_bytes()).count());
                let mut decoder = Decoder::new(common);
                for range in line_ranges(whole.as_bytes()) {
                    let decoded = decoder.decode(&whole[range.clone()]);
                    self.add_decoded(Text { whole: Arc::clone(&whole), range }, decoded);
                }
            }
            Err(err) => {
                let bytes = err.as_bytes();
                for range in line_ranges(bytes) {
                    match String::from_utf8(bytes[range].to_vec()) {
                        Ok(line) => {
                            let decoded = Decoder::new(common).decode(&line);
                            self.add_decoded(line.into(), decoded);
                        }
                        Err(err) => self.reject(err.as_bytes(), &canon::Error::Utf8.into()),
                    }
                }
            }
        }
    }

    fn add_decoded(&mut self, text: Text, decoded: Result<Decoded, wire::Error>) {
        match decoded {
            Ok(Decoded { event, canonical }) => {
                self.lines.push(Line { text: canonical.map_or(text, Text::from), event });
            }
            Err(err) => self.reject(text.as_bytes(), &err),
        }
    }

    fn reject(&mut self, line: &[u8], why: &wire::Error) {
        let marker = Value::object([
            ("reason", Some(Value::str(why.to_string()))),
            ("size", Some(Value::uint(u64::try_from(line.len()).unwrap_or(u64::MAX)))),
        ]);
        self.rejects.insert(sha256(line), marker.to_text());
    }

    /// Adds a line; the caller ends with [`Self::normalize`].
    pub fn add(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Puts the lines in fold order, each once, without what a stub stands for.
    pub fn normalize(&mut self) {
        let sorted = self.lines.windows(2).all(|pair| pair[0].key() < pair[1].key());
        if !sorted {
            self.lines.sort_by(|a, b| {
                a.key().cmp(&b.key()).then_with(|| {
                    // Equal lines are common in a union; hashing them would be in vain.
                    if a.text == b.text {
                        std::cmp::Ordering::Equal
                    } else {
                        a.tie_break().cmp(&b.tie_break())
                    }
                })
            });
            self.lines.dedup_by(|a, b| a.text == b.text);
        }
        let mut instead = BTreeMap::new();
        for redacted in self.spec_redactions() {
            instead.entry(redacted.spec).or_insert(redacted.instead);
        }
        self.instead = instead;
        self.specs.retain(|digest, _| !self.instead.contains_key(digest));
        let stubs = self.stubs();
        self.drop_redacted(&stubs);
    }

    /// Returns what was taken out of plans, in order, whatever became of the events.
    fn spec_redactions(&self) -> impl Iterator<Item = &SpecRedacted> {
        self.lines.iter().filter_map(|line| match &line.event.body {
            Body::SpecRedacted(redacted) => Some(redacted),
            _ => None,
        })
    }

    /// Returns the hashes of lines that some stub here stands for.
    pub fn stubs(&self) -> BTreeSet<Digest> {
        self.lines.iter().filter_map(|line| line.event.redacts).collect()
    }

    /// Returns the hashes of all that was taken out: lines and plans.
    pub fn taken_out(&self) -> BTreeSet<Digest> {
        let mut all = self.stubs();
        all.extend(self.instead.keys());
        all
    }

    /// Takes out every line that one of `stubs` stands for.
    fn drop_redacted(&mut self, stubs: &BTreeSet<Digest>) {
        if stubs.is_empty() {
            return;
        }
        self.lines.retain(|line| line.event.redacts.is_some() || !stubs.contains(&line.digest()));
        self.rejects.retain(|digest, _| !stubs.contains(digest));
    }

    /// Returns the protocols beside `name` whose events are here.
    pub fn others_than(&self, name: &Name) -> BTreeSet<&Name> {
        let texts = self.lines.iter().filter(|line| line.event.redacts.is_none());
        texts.filter_map(|line| line.event.protocol.as_ref()).filter(|of| *of != name).collect()
    }

    /// Returns the events by the protocol that each names, with the specs that they name; `None`
    /// for events that name no protocol.
    pub fn by_protocol(&self) -> HashMap<Option<Name>, Self> {
        let mut parts: HashMap<Option<Name>, Self> = HashMap::new();
        for line in &self.lines {
            let part = parts.entry(line.event.protocol.clone()).or_default();
            if let Some(digest) = line.event.body.brings_spec()
                && let Some(text) = self.specs.get(&digest)
            {
                part.specs.insert(digest, text.clone());
            }
            part.lines.push(line.clone());
        }
        parts
    }

    /// Takes in all of `other`.
    pub fn unite(&mut self, other: &Self) {
        self.format = self.format.union(other.format);
        self.lines.extend(other.lines.iter().cloned());
        for (digest, text) in &other.specs {
            self.specs.entry(*digest).or_insert_with(|| text.clone());
        }
        for (digest, marker) in &other.rejects {
            // Two versions may give two reasons; the smaller text counts as the larger content.
            let mine = self.rejects.entry(*digest).or_insert_with(|| marker.clone());
            if marker < mine {
                mine.clone_from(marker);
            }
        }
        for (path, file) in &other.unknown {
            if !self.has_place_taken(path) {
                self.unknown.insert(path.clone(), *file);
            }
        }
        self.normalize();
    }

    /// Whether all of `other` is here: uniting would change nothing.
    pub fn contains(&self, other: &Self) -> bool {
        let mine: HashSet<&str> = self.lines.iter().map(|line| &*line.text).collect();
        let stubs = self.stubs();
        // A stub stands for its line, and so does a line for nothing but itself.
        let is_redacted = |line: &Line| line.event.redacts.is_none() && stubs.contains(&line.digest());
        other.lines.iter().all(|line| mine.contains(&*line.text) || is_redacted(line))
            && other.specs.keys().all(|it| self.specs.contains_key(it) || self.is_taken_out(it))
            && other.rejects.iter().all(|(digest, theirs)| {
                self.rejects.get(digest).is_some_and(|mine| mine <= theirs) || stubs.contains(digest)
            })
            && other.unknown.keys().all(|path| self.has_place_taken(path))
            && self.format.union(other.format) == self.format
    }

    /// Whether an unknown file lies at `path`, above it or below it; then the one here stays.
    fn has_place_taken(&self, path: &[u8]) -> bool {
        let is_below =
            |path: &[u8], folder: &[u8]| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/"));
        self.unknown.contains_key(path)
            || self.unknown.keys().any(|known| is_below(path, known) || is_below(known, path))
    }

    /// Returns the lines of each segment, cut by content: one set has one cut, and an insertion
    /// anywhere changes one segment (or two, where it makes or moves a cut).
    pub fn segments(&self) -> Vec<&[Line]> {
        let mut segments = Vec::new();
        let mut start = 0;
        for (idx, line) in self.lines.iter().enumerate() {
            let n_lines = idx + 1 - start;
            if n_lines == MAX_SEGMENT || line.digest().0[31].trailing_zeros() >= 6 {
                segments.push(&self.lines[start..=idx]);
                start = idx + 1;
            }
        }
        if start < self.lines.len() {
            segments.push(&self.lines[start..]);
        }
        segments
    }
}
