//! Reading: a text becomes a tape of nodes, which can be used again for the next text.
//!
//! Nothing is copied out of the text and nothing is allocated for a value, since an event line is
//! read more often than anything else is done with it.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::{Error, MAX_DEPTH, MAX_VALUES, View, write_char};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    False,
    True,
    Number,
    Str,
    /// A string with escapes in it.
    Escaped,
    Arr,
    /// Below lie a key and a value by turns.
    Obj,
}

/// A value; what lies below it follows.
// One shape for every kind: an enum of several would be copied piece by piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a> {
    pub(super) kind: Kind,
    /// How many nodes lie below.
    pub(super) n_below: u32,
    /// As it is spelled, strings without their quotation marks.
    pub(super) text: &'a str,
}

impl Node<'_> {
    /// Whether this is the string `text`.
    pub(super) fn says(&self, text: &str) -> bool {
        match self.kind {
            // Most differ in their first byte or in their length.
            Kind::Str => {
                self.text.len() == text.len()
                    && self.text.bytes().next() == text.bytes().next()
                    && self.text == text
            }
            Kind::Escaped => unescape(self.text).is_ok_and(|(said, _)| said == text),
            _ => false,
        }
    }
}

pub(super) const NULL: Node<'_> = Node { kind: Kind::Null, n_below: 0, text: "" };

/// As many as an event line has.
const TYPICAL_NODES: usize = 64;

/// The nodes of the text that was read last.
#[derive(Debug, Default)]
pub struct Tape<'a> {
    nodes: Vec<Node<'a>>,
}

/// A value and whether its text was canonical.
#[derive(Clone, Copy, Debug)]
pub struct Parsed<'t> {
    pub value: View<'t>,
    pub canonical: bool,
}

impl<'a> Tape<'a> {
    /// Reads one value, in one pass.
    ///
    /// # Errors
    ///
    /// [`Error`] if the text has no canonical form.
    pub fn parse(&mut self, text: &'a [u8]) -> Result<Parsed<'_>, Error> {
        self.parse_str(std::str::from_utf8(text).map_err(|_| Error::Utf8)?)
    }

    /// As [`Self::parse`], for what is known to be UTF-8.
    ///
    /// # Errors
    ///
    /// [`Error`] if the text has no canonical form.
    pub fn parse_str(&mut self, text: &'a str) -> Result<Parsed<'_>, Error> {
        // Without a branch for each byte, so that many are looked at at once.
        let special =
            text.bytes().fold(0, |n, byte| n | u8::from(byte < b' ') | u8::from(byte == b'\\')) != 0;
        self.nodes.clear();
        self.nodes.reserve(TYPICAL_NODES);
        let mut parser =
            Parser { text, at: 0, canonical: true, n_values: 0, special, nodes: &mut self.nodes };
        parser.skip_space();
        parser.value(0)?;
        parser.skip_space();
        if parser.at != text.len() {
            return Err(Error::Syntax);
        }
        let canonical = parser.canonical;
        Ok(Parsed { value: View::of(&self.nodes), canonical })
    }
}

struct Parser<'t, 'a> {
    text: &'a str,
    at: usize,
    canonical: bool,
    n_values: usize,
    /// Whether there is an escape or a control character anywhere: else each string ends at the next
    /// quotation mark.
    special: bool,
    nodes: &'t mut Vec<Node<'a>>,
}

impl<'a> Parser<'_, 'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
            self.canonical = false;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(Error::Syntax)
        }
    }

    fn push(&mut self, kind: Kind, text: &'a str) {
        self.nodes.push(Node { kind, n_below: 0, text });
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<(), Error> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            self.push(kind, "");
            Ok(())
        } else {
            Err(Error::Syntax)
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), Error> {
        self.n_values += 1;
        if self.n_values > MAX_VALUES {
            return Err(Error::TooMany);
        }
        match self.peek().ok_or(Error::Syntax)? {
            b'"' => self.string(),
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'n' => self.word("null", Kind::Null),
            b't' => self.word("true", Kind::True),
            b'f' => self.word("false", Kind::False),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(Error::Syntax),
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(Error::Depth);
        }
        let (own, start) = (self.nodes.len(), self.at);
        self.push(Kind::Arr, "");
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                self.skip_space();
                self.value(depth)?;
                if self.is_last(b']')? {
                    break;
                }
            }
        }
        self.close(own, start);
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(Error::Depth);
        }
        let (own, start) = (self.nodes.len(), self.at);
        self.push(Kind::Obj, "");
        self.at += 1;
        self.skip_space();
        let mut sorted = true;
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            let mut last = None;
            loop {
                self.skip_space();
                let key = self.nodes.len();
                self.string()?;
                match last.map_or(Ordering::Less, |last| compare(self.nodes[last], self.nodes[key])) {
                    Ordering::Less => (),
                    Ordering::Equal => return Err(Error::RepeatedKey),
                    Ordering::Greater => sorted = false,
                }
                last = Some(key);
                self.skip_space();
                self.expect(b':')?;
                self.skip_space();
                self.value(depth)?;
                if self.is_last(b'}')? {
                    break;
                }
            }
        }
        self.close(own, start);
        if !sorted {
            self.canonical = false;
            let object = View::of(&self.nodes[own..]);
            let mut keys: Vec<Cow<'_, str>> = object.members().map(|(key, _)| key).collect();
            keys.sort();
            if keys.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(Error::RepeatedKey);
            }
        }
        Ok(())
    }

    fn close(&mut self, own: usize, start: usize) {
        let n_below = self.nodes.len() - own - 1;
        // Each value has at most one key, and there are few values.
        self.nodes[own].n_below = u32::try_from(n_below).unwrap_or(u32::MAX);
        self.nodes[own].text = &self.text[start..self.at];
    }

    /// Goes on to the next value, or past `end`.
    fn is_last(&mut self, end: u8) -> Result<bool, Error> {
        self.skip_space();
        let is_last = match self.peek() {
            Some(b',') => false,
            Some(byte) if byte == end => true,
            _ => return Err(Error::Syntax),
        };
        self.at += 1;
        Ok(is_last)
    }

    fn number(&mut self) -> Result<(), Error> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let digits_at = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        let digits = &self.text[digits_at..self.at];
        if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
            return Err(Error::Syntax);
        }
        let text = &self.text[start..self.at];
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) || text == "-0" {
            return Err(Error::Number);
        }
        // Eighteen digits fit whatever they are.
        if digits.len() > 18 && text.parse::<i64>().is_err() && text.parse::<u64>().is_err() {
            return Err(Error::Number);
        }
        self.push(Kind::Number, text);
        Ok(())
    }

    fn string(&mut self) -> Result<(), Error> {
        self.expect(b'"')?;
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let mut escaped = false;
        let len = if self.special {
            let mut skip = false;
            rest.iter().position(|byte| {
                let ends = *byte < b' ' || *byte == b'"' && !skip;
                skip = *byte == b'\\' && !skip;
                escaped |= skip;
                ends
            })
        } else {
            find_quote(rest)
        };
        self.at += len.ok_or(Error::Syntax)?;
        let text = &self.text[start..self.at];
        self.expect(b'"')?;
        if escaped {
            self.canonical &= unescape(text)?.1;
        }
        self.push(if escaped { Kind::Escaped } else { Kind::Str }, text);
        Ok(())
    }
}

/// Compares two keys by the bytes of what they say.
fn compare(a: Node<'_>, b: Node<'_>) -> Ordering {
    if a.kind == Kind::Str && b.kind == Kind::Str {
        let (a, b) = (a.text.as_bytes(), b.text.as_bytes());
        return a.first().cmp(&b.first()).then_with(|| a.cmp(b));
    }
    let [a, b] = [a, b].map(|node| View::of(&[node]).as_str().map(Cow::into_owned));
    a.cmp(&b)
}

/// Returns the place of the first quotation mark. Most texts are a few bytes long, where a general
/// search takes longer to begin than to search.
fn find_quote(bytes: &[u8]) -> Option<usize> {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    const QUOTES: u64 = u64::from_le_bytes([b'"'; 8]);
    let mut at = 0;
    while let Some(chunk) = bytes[at..].first_chunk::<8>() {
        // A quotation mark becomes a zero byte, and the lowest zero byte sets its highest bit.
        let word = u64::from_le_bytes(*chunk) ^ QUOTES;
        let hits = word.wrapping_sub(EACH) & !word & (EACH << 7);
        if hits != 0 {
            return Some(at + hits.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    Some(at + bytes[at..].iter().position(|byte| *byte == b'"')?)
}

/// Returns what a string with escapes says, and whether it says it canonically.
pub(super) fn unescape(raw: &str) -> Result<(String, bool), Error> {
    let (mut text, mut canonical) = (String::with_capacity(raw.len()), true);
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let (c, len) = read_escape(escape)?;
        let mut spelled = String::new();
        write_char(&mut spelled, c);
        canonical &= spelled.strip_prefix('\\') == Some(&escape[..len]);
        text.push(c);
        rest = &escape[len..];
    }
    text.push_str(rest);
    Ok((text, canonical))
}

/// Returns the character that follows a backslash, and how many bytes spell it.
fn read_escape(text: &str) -> Result<(char, usize), Error> {
    let simple = match text.bytes().next().ok_or(Error::Syntax)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let (code, len) = match read_unit(text)? {
                high @ 0xd800..=0xdbff => {
                    let low = text[5..].strip_prefix('\\').filter(|low| low.starts_with('u'));
                    let low = read_unit(low.ok_or(Error::Surrogate)?)?;
                    if !(0xdc00..=0xdfff).contains(&low) {
                        return Err(Error::Surrogate);
                    }
                    (0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 11)
                }
                unit => (unit, 5),
            };
            return char::from_u32(code).map(|c| (c, len)).ok_or(Error::Surrogate);
        }
        _ => return Err(Error::Syntax),
    };
    Ok((simple, 1))
}

/// Reads `uXXXX`.
fn read_unit(text: &str) -> Result<u32, Error> {
    let digits = text.get(1..5).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).ok_or(Error::Syntax)
}
