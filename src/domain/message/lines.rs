//! The lines of a message, and where git finds its parts.
//!
//! The rules for the end of the message and for the trailer block are those of
//! `git interpret-trailers --no-divider`; a trailer that this module does not
//! see is one that `git log --format=%(trailers)` does not see either.

use std::ops::Range;

use super::{Rules, STEP_KEY, StepRef};

const SCISSORS: &[u8] = b"------------------------ >8 ------------------------";
const SIGN_OFF: &[u8] = b"Signed-off-by: ";

/// Lines that git writes itself: one of them lets a paragraph with prose pass
/// as a trailer block.
const GIT_GENERATED: [&[u8]; 2] = [SIGN_OFF, b"(cherry picked from commit "];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Blank,
    Comment,
    Text,
}

/// One line, without its line ending.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    /// The offset of the line in the message.
    pub(super) start: usize,
    /// The offset of the next line.
    pub(super) next: usize,
    kind: Kind,
}

/// A message cut into lines, without what lies below the scissors.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    all: Vec<Line<'a>>,
    /// The first paragraph, up to its last line of text.
    title: Range<usize>,
    /// After the last line of text that is not in a block of conflicts.
    end: usize,
}

/// A trailer of the last block.
#[derive(Debug)]
pub(super) struct Trailer<'a> {
    key: &'a [u8],
    /// Unfolded and trimmed.
    pub(super) value: Vec<u8>,
}

impl Trailer<'_> {
    /// Whether this is the trailer `key`, in any case.
    pub(super) fn has_key(&self, key: &str) -> bool {
        self.key.eq_ignore_ascii_case(key.as_bytes())
    }

    /// The step that this trailer names, if it is a valid step trailer.
    pub(super) fn step(&self) -> Option<StepRef> {
        let value = str::from_utf8(&self.value).ok()?;
        self.has_key(STEP_KEY).then(|| StepRef::parse(value))?
    }
}

impl<'a> Lines<'a> {
    /// The lines of a file that git will clean up according to `rules`.
    pub(super) fn draft(raw: &'a [u8], rules: &Rules) -> Self {
        let mark = &rules.comment.mark;
        let is_comment = |line: &[u8]| rules.comment.stripped && line.starts_with(mark);
        let is_cut = |line: &[u8]| rules.scissors && is_scissors(line, mark);
        let lines = split(raw, is_comment, is_cut);
        let first = lines.iter().position(|line| line.kind == Kind::Text);
        Self::new(lines, first)
    }

    /// The lines of the message of a commit.
    ///
    /// Git has cleaned it up already, so a line that begins with `#` is text.
    /// Only the search for trailers skips such lines, as it does in git.
    pub(super) fn commit(raw: &'a [u8]) -> Self {
        let mut lines = split(raw, |line| line.starts_with(b"#"), |line| is_scissors(line, b"#"));
        let first = lines.iter().position(|line| line.kind != Kind::Blank);
        for line in &mut lines[first.unwrap_or(0)..] {
            if line.kind == Kind::Blank {
                break;
            }
            line.kind = Kind::Text;
        }
        Self::new(lines, first)
    }

    /// `first` is the line where the title begins.
    fn new(all: Vec<Line<'a>>, first: Option<usize>) -> Self {
        let last_text = |lines: &[Line<'_>]| {
            let last = lines.iter().rposition(|line| line.kind == Kind::Text);
            last.map_or(0, |last| last + 1)
        };
        let start = first.unwrap_or(all.len());
        let blank = all[start..].iter().position(|line| line.kind == Kind::Blank);
        let title_end = blank.map_or(all.len(), |len| start + len);
        let title = start..start + last_text(&all[start..title_end]);

        let second = all.len().min(start + 1);
        let rest = &all[second..];
        let end = second + last_text(&rest[..ignored_tail(rest)]);
        Self { all, title, end }
    }

    /// Whether git would not call the message empty.
    pub(super) fn has_content(&self) -> bool {
        self.all.iter().any(|line| line.kind == Kind::Text && !line.text.starts_with(SIGN_OFF))
    }

    /// Whether this is `template` and nothing more, but for blank lines and sign-offs.
    pub(super) fn adds_nothing_to(&self, template: &Lines<'_>) -> bool {
        let mut ours = self.all.iter().filter(|line| line.kind == Kind::Text);
        let theirs = template.all.iter().filter(|line| line.kind == Kind::Text);
        for line in theirs {
            if ours.next().is_none_or(|our| our.text.trim_ascii_end() != line.text.trim_ascii_end()) {
                return false;
            }
        }
        ours.all(|line| line.text.starts_with(SIGN_OFF))
    }

    /// The first line of the message, where a tag belongs.
    pub(super) fn first_line(&self) -> Option<&Line<'a>> {
        self.all.get(self.title.start)
    }

    /// The first paragraph on one line, as git shows it.
    pub(super) fn subject(&self) -> String {
        let texts: Vec<_> = self.all[self.title.clone()]
            .iter()
            .filter(|line| line.kind == Kind::Text)
            .map(|line| String::from_utf8_lossy(line.text.trim_ascii()))
            .collect();
        texts.join(" ")
    }

    /// The offset where a trailer goes: behind the last line of text, above
    /// trailing comments.
    pub(super) fn insertion_point(&self) -> usize {
        self.all[..self.end].last().map_or(0, |line| line.next)
    }

    /// Whether the message ends in a trailer block.
    pub(super) fn has_block(&self) -> bool {
        self.block().is_some()
    }

    /// The trailers of the last block, in order; none if there is no block.
    pub(super) fn trailers(&self) -> Vec<Trailer<'a>> {
        let mut trailers: Vec<Trailer<'a>> = Vec::new();
        let mut may_fold = false;
        for line in self.block().map_or(&[][..], |block| &self.all[block]) {
            if may_fold && line.text.first().is_some_and(u8::is_ascii_whitespace) {
                if let Some(last) = trailers.last_mut() {
                    last.value.push(b' ');
                    last.value.extend_from_slice(line.text.trim_ascii());
                }
                continue;
            }
            let at = find_separator(line.text).filter(|&at| at > 0 && line.kind == Kind::Text);
            may_fold = at.is_some();
            trailers.extend(at.map(|at| Trailer {
                key: line.text[..at].trim_ascii(),
                value: line.text[at + 1..].trim_ascii().to_vec(),
            }));
        }
        for trailer in &mut trailers {
            trailer.value = trailer.value.trim_ascii().to_vec();
        }
        trailers
    }

    /// The trailer block: the last paragraph, if it is not the title and all
    /// its lines are trailers, or a quarter of them with one that git wrote.
    fn block(&self) -> Option<Range<usize>> {
        let (mut n_trailers, mut n_others) = (0_usize, 0_usize);
        let mut by_git = false;
        // Indented lines belong to the line above, which comes later here.
        let mut n_indented = 0;
        for i in (self.title.end..self.end).rev() {
            let line = &self.all[i];
            match line.kind {
                Kind::Blank => {
                    n_others += n_indented;
                    let is_block =
                        if by_git { n_trailers * 3 >= n_others } else { n_trailers > 0 && n_others == 0 };
                    return is_block.then_some(i + 1..self.end);
                }
                Kind::Comment => n_others += std::mem::take(&mut n_indented),
                Kind::Text if GIT_GENERATED.iter().any(|p| line.text.starts_with(p)) => {
                    n_trailers += 1;
                    n_indented = 0;
                    by_git = true;
                }
                Kind::Text if line.text[0].is_ascii_whitespace() => n_indented += 1,
                Kind::Text if find_separator(line.text).is_some_and(|at| at > 0) => {
                    n_trailers += 1;
                    n_indented = 0;
                }
                Kind::Text => n_others += 1 + std::mem::take(&mut n_indented),
            }
        }
        None
    }
}

/// Returns where the colon of `Key: value` is; zero if the line begins with it.
///
/// A key is made of ASCII letters, digits, and hyphens, and may have blanks
/// behind it.
pub(super) fn find_separator(line: &[u8]) -> Option<usize> {
    let key_len = line.iter().position(|b| !b.is_ascii_alphanumeric() && *b != b'-')?;
    let blanks = match key_len {
        0 => 0,
        _ => line[key_len..].iter().position(|b| !matches!(b, b' ' | b'\t'))?,
    };
    let at = key_len + blanks;
    (line[at] == b':').then_some(at)
}

fn split(raw: &[u8], is_comment: impl Fn(&[u8]) -> bool, is_cut: impl Fn(&[u8]) -> bool) -> Vec<Line<'_>> {
    let mut start = 0;
    raw.split_inclusive(|&b| b == b'\n')
        .map(|full| {
            let text = full.strip_suffix(b"\n").unwrap_or(full);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            let kind = if is_comment(text) {
                Kind::Comment
            } else if text.trim_ascii().is_empty() {
                Kind::Blank
            } else {
                Kind::Text
            };
            let line = Line { text, start, next: start + full.len(), kind };
            start = line.next;
            line
        })
        .take_while(|line| !is_cut(line.text))
        .collect()
}

/// Returns the last line that is not blank.
pub(super) fn last_line(raw: &[u8]) -> &[u8] {
    let raw = raw.trim_ascii_end();
    raw.rsplit(|b| *b == b'\n').next().unwrap_or_default()
}

pub(super) fn is_scissors(line: &[u8], mark: &[u8]) -> bool {
    line.strip_prefix(mark).and_then(|rest| rest.strip_prefix(b" ")).is_some_and(|rest| rest == SCISSORS)
}

/// Returns how many lines are left without the comments, blank lines, and
/// blocks of `Conflicts:` at the end, which old versions of git wrote.
fn ignored_tail(lines: &[Line<'_>]) -> usize {
    let mut tail = None;
    let mut in_conflicts = false;
    for (i, line) in lines.iter().enumerate() {
        match line.kind {
            Kind::Blank | Kind::Comment => {}
            Kind::Text if line.text == b"Conflicts:" => in_conflicts = true,
            Kind::Text if in_conflicts && line.text[0] == b'\t' => {}
            Kind::Text => {
                in_conflicts = false;
                tail = None;
                continue;
            }
        }
        tail.get_or_insert(i);
    }
    tail.unwrap_or(lines.len())
}
