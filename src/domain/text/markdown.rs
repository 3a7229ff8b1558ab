//! The outer structure of Markdown: which line is a heading, a list item, a box,
//! code, or prose.
//!
//! Follows the `CommonMark` rules where it matters for plans: fences, nesting of lists, and
//! headings. Block quotes and HTML are prose here, and a list item may be
//! indented as far as it likes. Any input has a structure, found in linear time.

use std::str::Lines as StrLines;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Blank,
    /// A fence, or a line between fences.
    Code,
    /// A thematic break.
    Rule,
    /// `## Heading`, with its level.
    Heading(usize),
    /// The line of `=` (1) or `-` (2) below the text of a heading.
    Underline(usize),
    /// The first line of a list item.
    Item {
        /// Whether its box is ticked, if it has one.
        ticked: Option<bool>,
    },
    /// Prose, or the continuation of an item.
    Text,
}

/// A line and its place in the structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub kind: Kind,
    /// The whole line.
    pub raw: &'a str,
    /// How many list items enclose the line; an item does not enclose itself.
    pub depth: usize,
    /// The content: without the indentation of the enclosing items, and without
    /// the marks of a heading, an item, or a box.
    pub text: &'a str,
}

/// Returns the byte offset of the first line below the front matter; zero if
/// `text` does not begin with a `---` line that a later one closes.
pub fn body_offset(text: &str) -> usize {
    let mut offset = 0;
    for (i, line) in text.split_inclusive('\n').enumerate() {
        let is_mark = is_front_matter_mark(line);
        offset += line.len();
        match i {
            0 if !is_mark => return 0,
            0 => {}
            _ if is_mark => return offset,
            _ => {}
        }
    }
    0
}

/// Whether `line` opens or closes front matter.
pub fn is_front_matter_mark(line: &str) -> bool {
    line.trim_start_matches('\u{feff}').trim_end() == "---"
}

/// Returns the lines of `body`, which is Markdown without front matter.
pub fn lines(body: &str) -> Lines<'_> {
    Lines { rest: body.lines(), raw: "", items: Vec::new(), fence: None, may_underline: false }
}

/// Returns what would close the fence that `body` leaves open, if it does.
pub fn unclosed_fence(body: &str) -> Option<String> {
    let mut lines = lines(body);
    while lines.next().is_some() {}
    let fence = lines.fence?;
    Some(" ".repeat(fence.base) + &char::from(fence.mark).to_string().repeat(fence.len))
}

/// See [`lines`].
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    rest: StrLines<'a>,
    raw: &'a str,
    /// The columns where the content of the open items begins.
    items: Vec<usize>,
    fence: Option<Fence>,
    /// Whether the line before was prose outside of lists.
    may_underline: bool,
}

#[derive(Clone, Copy, Debug)]
struct Fence {
    mark: u8,
    len: usize,
    /// The column where the content of its item begins.
    base: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        self.raw = self.rest.next()?;
        let line = self.classify(self.raw);
        self.may_underline = line.kind == Kind::Text && line.depth == 0;
        Some(line)
    }
}

impl<'a> Lines<'a> {
    fn classify(&mut self, raw: &'a str) -> Line<'a> {
        let (indent, content) = split_indent(raw, 0);
        if let Some(line) = self.inside_fence(raw, indent, content) {
            return line;
        }
        if content.is_empty() {
            return self.line(Kind::Blank, "");
        }
        if self.may_underline
            && indent < 4
            && let Some(level) = underline_level(content)
        {
            return self.line(Kind::Underline(level), content);
        }

        while self.items.last().is_some_and(|&base| indent < base) {
            self.items.pop();
        }
        let base = self.items.last().copied().unwrap_or(0);
        if indent - base < 4 {
            if let Some((mark, len)) = opening_fence(content) {
                self.fence = Some(Fence { mark, len, base });
                return self.line(Kind::Code, dedent(raw, base));
            }
            if is_rule(content) {
                return self.line(Kind::Rule, content);
            }
            if self.items.is_empty()
                && let Some((level, title)) = heading(content)
            {
                return self.line(Kind::Heading(level), title);
            }
        }
        self.item(indent, content).unwrap_or_else(|| self.line(Kind::Text, dedent(raw, base)))
    }

    fn line(&self, kind: Kind, text: &'a str) -> Line<'a> {
        let depth = self.items.len();
        Line { kind, raw: self.raw, depth, text }
    }

    /// The line as code, unless it ends the item that the fence is in.
    fn inside_fence(&mut self, raw: &'a str, indent: usize, content: &str) -> Option<Line<'a>> {
        let fence = self.fence?;
        if indent < fence.base && !content.is_empty() {
            self.fence = None;
            return None;
        }
        let run = content.bytes().take_while(|&b| b == fence.mark).count();
        if run >= fence.len && indent < fence.base + 4 && content[run..].trim().is_empty() {
            self.fence = None;
        }
        Some(self.line(Kind::Code, dedent(raw, fence.base)))
    }

    /// The line as a list item, or as the innermost of several (`1. - [ ] a`).
    fn item(&mut self, indent: usize, content: &'a str) -> Option<Line<'a>> {
        let (mut column, mut rest) = (indent, content);
        let mut line = None;
        while let Some(mark_len) = item_mark(rest) {
            let (next, inner) = split_indent(&rest[mark_len..], column + mark_len);
            let mark_end = column + mark_len;
            // Far away, or empty: what follows the mark is code or nothing.
            let base = match next - mark_end {
                1..=4 if !inner.is_empty() => next,
                _ => mark_end + 1,
            };
            let (ticked, text) = match split_box(inner) {
                Some((ticked, text)) => (Some(ticked), text),
                None => (None, inner),
            };
            line = Some(self.line(Kind::Item { ticked }, text));
            self.items.push(base);
            if ticked.is_some() {
                break;
            }
            (column, rest) = (next, inner);
        }
        // `- ~~~` opens a fence in the item that it begins.
        if let Some((mark, len)) = opening_fence(rest)
            && let Some(&base) = self.items.last().filter(|_| line.is_some())
        {
            self.fence = Some(Fence { mark, len, base });
        }
        line
    }
}

/// Returns the column of the first visible character of `text`, which begins in
/// `column`, and what begins there. Tabs go to multiples of four.
fn split_indent(text: &str, mut column: usize) -> (usize, &str) {
    for (i, b) in text.bytes().enumerate() {
        match b {
            b' ' => column += 1,
            b'\t' => column = column / 4 * 4 + 4,
            _ => return (column, text[i..].trim_end()),
        }
    }
    (column, "")
}

/// Removes white space of at most `columns` from the beginning.
fn dedent(raw: &str, columns: usize) -> &str {
    let mut column = 0;
    for (i, b) in raw.bytes().enumerate() {
        let next = match b {
            b' ' => column + 1,
            b'\t' => column / 4 * 4 + 4,
            _ => return &raw[i..],
        };
        if next > columns {
            return &raw[i..];
        }
        column = next;
    }
    ""
}

fn underline_level(content: &str) -> Option<usize> {
    let all = |mark| content.bytes().all(|b| b == mark);
    match content.as_bytes()[0] {
        b'=' if all(b'=') => Some(1),
        b'-' if all(b'-') => Some(2),
        _ => None,
    }
}

/// The mark and the length of an opening fence.
fn opening_fence(content: &str) -> Option<(u8, usize)> {
    let mark = content.bytes().next().filter(|b| b"`~".contains(b))?;
    let len = content.bytes().take_while(|&b| b == mark).count();
    // Backticks in the info string make it code within a line of prose.
    (len >= 3 && (mark == b'~' || !content[len..].contains('`'))).then_some((mark, len))
}

fn is_rule(content: &str) -> bool {
    let mark = content.as_bytes()[0];
    b"-*_".contains(&mark)
        && content.bytes().filter(|&b| b == mark).count() >= 3
        && content.bytes().all(|b| b == mark || b == b' ' || b == b'\t')
}

/// The level and the title of an ATX heading.
fn heading(content: &str) -> Option<(usize, &str)> {
    let level = content.bytes().take_while(|&b| b == b'#').count();
    let rest = &content[level..];
    if !(1..=6).contains(&level) || !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return None;
    }
    let rest = rest.trim();
    let title = rest.trim_end_matches('#');
    // `# C#` keeps its hash, `# Title #` does not.
    let closed = title.is_empty() || title.ends_with([' ', '\t']);
    Some((level, if closed { title.trim_end() } else { rest }))
}

/// The length of `-`, `*`, `+`, `1.`, or `1)` at the beginning of an item.
fn item_mark(content: &str) -> Option<usize> {
    let digits = content.bytes().take(10).take_while(u8::is_ascii_digit).count();
    let len = match content.as_bytes().get(digits)? {
        b'-' | b'*' | b'+' if digits == 0 => 1,
        b'.' | b')' if (1..10).contains(&digits) => digits + 1,
        _ => return None,
    };
    let rest = &content[len..];
    (rest.is_empty() || rest.starts_with([' ', '\t'])).then_some(len)
}

/// Whether the box at the beginning of `text` is ticked, and what follows it.
fn split_box(text: &str) -> Option<(bool, &str)> {
    let ticked = match text.get(..3)? {
        "[ ]" => false,
        "[x]" | "[X]" => true,
        _ => return None,
    };
    let rest = &text[3..];
    (rest.is_empty() || rest.starts_with([' ', '\t'])).then(|| (ticked, rest.trim_start()))
}

#[cfg(test)]
mod tests;
