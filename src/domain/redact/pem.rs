//! Private keys in blocks of lines.

use std::borrow::Cow;

use memchr::memmem;

use super::Found;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const MARK: &[u8] = b"[redacted:private-key]";

/// How much is taken for one key at most, in bytes.
const MAX: usize = 64 << 10;

/// A private key that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// How far its lines are set in, such as by a time before each.
    indent: usize,
    left: usize,
}

/// Returns `text`, which begins where the last call ended, without private keys.
pub(super) fn take_out<'a>(block: &mut Option<Block>, text: &'a [u8]) -> Cow<'a, [u8]> {
    if block.is_none() && begin_in(text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let mut line = line;
        if let Some(open) = block {
            open.left = open.left.saturating_sub(line.len());
            if let Some(end) = end_in(line) {
                *block = None;
                line = &line[end..];
                // The end of its last line was the end of the mark's line.
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
            } else if open.left > 0 && is_body(line, open.indent) {
                continue;
            } else {
                *block = None;
            }
        }
        while let Some((begin, body)) = begin_in(line) {
            out.extend_from_slice(&line[..begin]);
            out.extend_from_slice(MARK);
            if let Some(end) = end_in(&line[body..]) {
                line = &line[body + end..];
            } else {
                *block = Some(Block { indent: begin, left: MAX });
                line = if line.ends_with(b"\n") { b"\n" } else { b"" };
            }
        }
        out.extend_from_slice(line);
    }
    Cow::Owned(out)
}

/// Returns where keys lie that begin in `text`, for whoever wants to cut it.
pub(super) fn span(text: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some((begin, body)) = begin_in(&text[from..]) {
        let end = end_in(&text[from + body..]).map_or(text.len(), |end| from + body + end);
        found.push(Found { at: from + begin..end, kind: "private-key" });
        from = end;
    }
    found
}

/// Returns where the first private key begins, and where the line ends that says so.
fn begin_in(text: &[u8]) -> Option<(usize, usize)> {
    memmem::find_iter(text, BEGIN).find_map(|at| {
        let label = &text[at + BEGIN.len()..];
        let len = label.iter().take(48).take_while(|byte| is_label(**byte)).count();
        let is_private =
            label[..len].ends_with(b"PRIVATE KEY") || label[..len].ends_with(b"PRIVATE KEY BLOCK");
        (is_private && label[len..].starts_with(b"-----")).then_some((at, at + BEGIN.len() + len + 5))
    })
}

/// Returns where the line that ends a private key is over.
fn end_in(text: &[u8]) -> Option<usize> {
    memmem::find_iter(text, END).find_map(|at| {
        let label = &text[at + END.len()..];
        let len = label.iter().take(48).take_while(|byte| is_label(**byte)).count();
        label[len..].starts_with(b"-----").then_some(at + END.len() + len + 5)
    })
}

fn is_label(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b' ')
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\\')
}

/// Whether a line may belong to a key: nothing, a header, or base64, set in or behind something else.
fn is_body(line: &[u8], indent: usize) -> bool {
    let is_word = |text: &[u8]| text.iter().all(|byte| is_base64(*byte));
    let line = line.trim_ascii_end();
    let behind = line.get(indent..).unwrap_or_default();
    let is_header = |text: &[u8]| {
        [&b"Proc-Type:"[..], b"DEK-Info:", b"Version:", b"Comment:", b"Hash:", b"Charset:"]
            .iter()
            .any(|name| text.starts_with(name))
    };
    is_word(line.trim_ascii())
        || is_word(behind.trim_ascii())
        || is_header(line.trim_ascii_start())
        || is_header(behind)
        || line.split(|byte| !is_base64(*byte)).any(|run| run.len() >= 40)
}
