//! Secrets, taken out of text before it is stored.
//!
//! What programs and models say may hold keys that somebody printed. Found are the values that the caller
//! knows ([`Known`]), tokens whose makers gave them a form (`patterns`), private keys (`pem`), values
//! beside a name that says what they are (`assigned`), and long tokens that only chance makes
//! (`random`). Each becomes `[redacted:<kind>]`. It takes time linear in the text and a bounded amount
//! of memory, cleaning twice changes nothing, and bytes that are no text stay as they are.
//!
//! It is a net and no wall: a secret that looks like a word is not found.

mod assigned;
mod patterns;
mod pem;
mod random;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem::{self, Finder};

use pem::Block;

/// How much of a line is looked at in one piece, in bytes.
const WINDOW: usize = 64 << 10;

/// How much at the end of a piece waits for what follows; no token with a form is longer.
const TAIL: usize = 8 << 10;

/// How often a piece is looked at while something is found in it.
const MAX_PASSES: usize = 8;

const MARK: &[u8] = b"[redacted:";

/// What stands in the place of a text that a person had taken out.
pub const TAKEN_OUT: &str = "[redacted:known]";

/// Where a secret lies, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    at: Range<usize>,
    kind: &'static str,
}

/// Values that are secret because somebody says so, such as those of the environment.
#[derive(Clone, Debug, Default)]
pub struct Known(Vec<Finder<'static>>);

impl Known {
    /// Takes values; each line of one counts by itself, and what is shorter than six bytes does not.
    pub fn new<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> Self {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        for value in values {
            for line in value.as_ref().lines().map(str::trim) {
                // A part is never longer than what waits at the end of a piece.
                parts.extend(line.as_bytes().chunks(TAIL / 2).filter(|part| part.len() >= 6).map(Vec::from));
            }
        }
        parts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        parts.dedup();
        Self(parts.iter().map(|part| Finder::new(part).into_owned()).collect())
    }

    fn find(&self, text: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        for finder in &self.0 {
            let len = finder.needle().len();
            found.extend(finder.find_iter(text).map(|at| Found { at: at..at + len, kind: "known" }));
        }
        if !found.is_empty() {
            let marks = marks(text);
            found.retain(|secret| {
                let next = marks.partition_point(|mark| mark.end <= secret.at.start);
                marks.get(next).is_none_or(|mark| mark.start >= secret.at.end)
            });
        }
        found
    }
}

/// Returns `text` without its secrets.
pub fn clean(text: &str, known: &Known) -> String {
    let mut redactor = Redactor::new(known.clone());
    let mut out = Vec::with_capacity(text.len());
    redactor.push(text.as_bytes(), &mut out);
    redactor.finish(&mut out);
    // Only whole characters are taken out.
    String::from_utf8(out).unwrap_or_else(|err| String::from_utf8_lossy(err.as_bytes()).into_owned())
}

/// Returns the regular expression of tokens that have a form, to compare others with.
pub fn expression() -> &'static str {
    patterns::expression()
}

/// Takes secrets out of bytes that come in pieces, such as a log. What comes out does not depend on the
/// pieces.
///
/// It holds back the last line until its end has come, or 64 KiB of it.
#[derive(Debug, Default)]
pub struct Redactor {
    known: Known,
    held: Vec<u8>,
    /// The private key whose end has not come.
    block: Option<Block>,
    /// Whether what is held goes on with a token too long to be a secret.
    in_blob: bool,
}

impl Redactor {
    pub fn new(known: Known) -> Self {
        Self { known, ..Self::default() }
    }

    /// Takes more, and adds to `out` what is clean.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let n_taken = bytes.len().min(WINDOW - self.held.len());
            self.held.extend_from_slice(&bytes[..n_taken]);
            bytes = &bytes[n_taken..];
            let end = match memchr::memrchr(b'\n', &self.held) {
                Some(newline) => newline + 1,
                None if self.held.len() == WINDOW => self.cut(),
                None => continue,
            };
            self.release(end, out);
        }
    }

    /// Adds to `out` the rest. What comes then is a new text.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.release(self.held.len(), out);
        self.block = None;
        self.in_blob = false;
    }

    /// Cleans what is held up to `end`.
    fn release(&mut self, end: usize, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let (piece, rest) = held.split_at(end);
        let in_blob = self.in_blob;
        self.in_blob = !rest.is_empty() && random::is_inside(&held, end);
        let without_keys = pem::take_out(&mut self.block, piece);
        out.extend_from_slice(&clean_piece(&without_keys, &self.known, in_blob));
        self.held = rest.to_vec();
    }

    /// Returns where a line that is too long can be cut without cutting a secret.
    fn cut(&self) -> usize {
        let text = self.held.as_slice();
        let latest = WINDOW - TAIL;
        let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b',' | b';' | b'{' | b'}' | b'<' | b'>' | b'|');
        let earliest = WINDOW / 2;
        let mut at =
            text[earliest..latest].iter().rposition(ends).map_or(latest, |found| earliest + found + 1);
        let mut found = self.known.find(text);
        found.extend(patterns::find(text));
        found.extend(assigned::find(text));
        found.extend(pem::span(text));
        found.sort_by_key(|secret| std::cmp::Reverse(secret.at.start));
        for secret in found {
            // With room for the name before it, which says what it is.
            if secret.at.start.saturating_sub(assigned::MAX_NAME) < at && at < secret.at.end {
                at = secret.at.start.saturating_sub(assigned::MAX_NAME);
            }
        }
        // A secret that is longer than what we hold is cut: both halves are taken out.
        if at == 0 { latest } else { at }
    }
}

fn clean_piece<'a>(text: &'a [u8], known: &Known, in_blob: bool) -> Cow<'a, [u8]> {
    let mut text = Cow::Borrowed(text);
    // A mark ends what was one token with a secret, so that another may show.
    for _ in 0..MAX_PASSES {
        match clean_once(&text, known, in_blob) {
            Cow::Borrowed(_) => break,
            Cow::Owned(cleaned) => text = Cow::Owned(cleaned),
        }
    }
    text
}

fn clean_once<'a>(text: &'a [u8], known: &Known, in_blob: bool) -> Cow<'a, [u8]> {
    let text = replace(Cow::Borrowed(text), |text| known.find(text));
    let text = replace(text, patterns::find);
    let text = replace(text, assigned::find);
    replace(text, |text| random::find(text, in_blob))
}

/// Puts a mark in the place of what `find` finds.
fn replace(text: Cow<'_, [u8]>, find: impl Fn(&[u8]) -> Vec<Found>) -> Cow<'_, [u8]> {
    let mut found = find(&text);
    if found.is_empty() {
        return text;
    }
    found.sort_by_key(|secret| (secret.at.start, std::cmp::Reverse(secret.at.end)));
    let mut out = Vec::with_capacity(text.len());
    let mut done = 0;
    for Found { at, kind } in found {
        if at.start < done {
            // It overlaps the one before: one mark stands for both.
            done = done.max(at.end);
            continue;
        }
        out.extend_from_slice(&text[done..at.start]);
        out.extend_from_slice(MARK);
        out.extend_from_slice(kind.as_bytes());
        out.push(b']');
        done = at.end;
    }
    out.extend_from_slice(&text[done..]);
    Cow::Owned(out)
}

/// Where marks are; nothing inside one is looked at again.
fn marks(text: &[u8]) -> Vec<Range<usize>> {
    let mut marks = Vec::new();
    for at in memmem::find_iter(text, MARK) {
        let kind = &text[at + MARK.len()..];
        let len = kind.iter().take(24).take_while(|byte| matches!(byte, b'a'..=b'z' | b'-')).count();
        if kind.get(len) == Some(&b']') {
            marks.push(at..at + MARK.len() + len + 1);
        }
    }
    marks
}
