//! Canonical JSON: one spelling for each value, so that equal values have equal bytes.
//!
//! Keys are sorted by their bytes, there are no spaces, strings escape only `"`, `\` and what lies
//! below U+0020, and integers are all that `i64` and `u64` hold. A float, `-0`, a larger integer, a
//! repeated key, too deep a nesting or a lone surrogate has no canonical form.

use std::borrow::Cow;

#[cfg(test)]
mod tests;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 32;

/// How many values one text may hold.
pub const MAX_VALUES: usize = 8192;

/// As many as an event line has.
const TYPICAL_MEMBERS: usize = 12;

/// A canonical value. Members of an object are sorted by key, without repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Null,
    // Not one variant with a `bool`: then every copy of a value would go byte by byte.
    False,
    True,
    Int(i64),
    /// Only what does not fit [`Value::Int`].
    UInt(u64),
    Str(Cow<'a, str>),
    Arr(Vec<Self>),
    Obj(Vec<(Cow<'a, str>, Self)>),
}

/// Why a text has no canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
// As large as a word, so that results are copied word by word.
#[repr(usize)]
pub enum Error {
    #[error("not JSON")]
    Syntax,
    #[error("not UTF-8")]
    Utf8,
    #[error("a number that is no 64-bit integer")]
    Number,
    #[error("a repeated key")]
    RepeatedKey,
    #[error("nested too deep")]
    Depth,
    #[error("too many values")]
    TooMany,
    #[error("a lone surrogate")]
    Surrogate,
}

/// A value and whether its text was canonical.
#[derive(Debug, PartialEq, Eq)]
pub struct Parsed<'a> {
    pub value: Value<'a>,
    pub canonical: bool,
}

/// Reads one value, in one pass.
///
/// # Errors
///
/// [`Error`] if the text has no canonical form.
pub fn parse(text: &[u8]) -> Result<Parsed<'_>, Error> {
    let text = std::str::from_utf8(text).map_err(|_| Error::Utf8)?;
    // Without a branch for each byte, so that many are looked at at once.
    let special = text.bytes().fold(0, |n, byte| n | u8::from(byte < b' ') | u8::from(byte == b'\\')) != 0;
    let mut parser = Parser { text, at: 0, canonical: true, n_values: 0, special };
    parser.skip_space();
    let mut value = Value::Null;
    parser.value(0, &mut value)?;
    parser.skip_space();
    if parser.at == text.len() {
        Ok(Parsed { value, canonical: parser.canonical })
    } else {
        Err(Error::Syntax)
    }
}

type Member<'a> = (Cow<'a, str>, Value<'a>);

struct Parser<'a> {
    text: &'a str,
    at: usize,
    canonical: bool,
    n_values: usize,
    /// Whether there is an escape or a control character anywhere: else each string ends at the next
    /// quotation mark.
    special: bool,
}

impl<'a> Parser<'a> {
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

    fn word(&mut self, word: &str) -> Result<(), Error> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(Error::Syntax)
        }
    }

    /// Reads a value into its place: there are too many to carry each there.
    fn value(&mut self, depth: usize, out: &mut Value<'a>) -> Result<(), Error> {
        self.n_values += 1;
        if self.n_values > MAX_VALUES {
            return Err(Error::TooMany);
        }
        match self.peek().ok_or(Error::Syntax)? {
            b'"' => *out = Value::Str(self.string()?),
            b'{' => *out = Value::Obj(self.object(depth + 1)?),
            b'[' => *out = Value::Arr(self.array(depth + 1)?),
            b'n' => self.word("null")?,
            b't' => {
                self.word("true")?;
                *out = Value::True;
            }
            b'f' => {
                self.word("false")?;
                *out = Value::False;
            }
            b'-' | b'0'..=b'9' => *out = self.number()?,
            _ => return Err(Error::Syntax),
        }
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Value<'a>>, Error> {
        if depth > MAX_DEPTH {
            return Err(Error::Depth);
        }
        self.at += 1;
        self.skip_space();
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(items);
        }
        loop {
            self.skip_space();
            items.push(Value::Null);
            if let Some(item) = items.last_mut() {
                self.value(depth, item)?;
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(items);
                }
                _ => return Err(Error::Syntax),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Vec<Member<'a>>, Error> {
        if depth > MAX_DEPTH {
            return Err(Error::Depth);
        }
        self.at += 1;
        self.skip_space();
        let mut members: Vec<Member<'a>> = Vec::with_capacity(TYPICAL_MEMBERS);
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(members);
        }
        let mut sorted = true;
        loop {
            self.skip_space();
            let key = self.string()?;
            self.skip_space();
            self.expect(b':')?;
            self.skip_space();
            members.push((key, Value::Null));
            if let Some((_, value)) = members.last_mut() {
                self.value(depth, value)?;
            }
            if let [.., (last, _), (key, _)] = members.as_slice() {
                let (last, key) = (last.as_bytes(), key.as_bytes());
                match last.first().cmp(&key.first()).then_with(|| last.cmp(key)) {
                    std::cmp::Ordering::Less => (),
                    std::cmp::Ordering::Equal => return Err(Error::RepeatedKey),
                    std::cmp::Ordering::Greater => sorted = false,
                }
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    break;
                }
                _ => return Err(Error::Syntax),
            }
        }
        if !sorted {
            self.canonical = false;
            members.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
            if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return Err(Error::RepeatedKey);
            }
        }
        Ok(members)
    }

    fn number(&mut self) -> Result<Value<'a>, Error> {
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
        match text.parse::<i64>() {
            Ok(int) => Ok(Value::Int(int)),
            Err(_) => text.parse().map(Value::UInt).map_err(|_| Error::Number),
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        self.expect(b'"')?;
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let plain = if self.special {
            rest.iter().position(|byte| matches!(byte, b'"' | b'\\') || *byte < 0x20)
        } else {
            memchr::memchr(b'"', rest)
        };
        let plain = plain.ok_or(Error::Syntax)?;
        self.at += plain;
        if self.peek() == Some(b'"') {
            let text = &self.text[start..self.at];
            self.at += 1;
            return Ok(Cow::Borrowed(text));
        }
        let mut owned = self.text[start..self.at].to_owned();
        loop {
            match self.peek().ok_or(Error::Syntax)? {
                b'"' => {
                    self.at += 1;
                    return Ok(Cow::Owned(owned));
                }
                b'\\' => {
                    let from = self.at;
                    let unescaped = self.escape()?;
                    let mut canonical = String::new();
                    write_char(&mut canonical, unescaped);
                    self.canonical &= canonical == self.text[from..self.at];
                    owned.push(unescaped);
                }
                0..=0x1f => return Err(Error::Syntax),
                _ => {
                    let rest = &self.text[self.at..];
                    let len = rest
                        .bytes()
                        .position(|byte| matches!(byte, b'"' | b'\\') || byte < 0x20)
                        .ok_or(Error::Syntax)?;
                    owned.push_str(&rest[..len]);
                    self.at += len;
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        self.at += 1;
        let kind = self.peek().ok_or(Error::Syntax)?;
        self.at += 1;
        Ok(match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.unit()?;
                let code = match unit {
                    0xd800..=0xdbff => {
                        if !self.text[self.at..].starts_with("\\u") {
                            return Err(Error::Surrogate);
                        }
                        self.at += 2;
                        let low = self.unit()?;
                        if !(0xdc00..=0xdfff).contains(&low) {
                            return Err(Error::Surrogate);
                        }
                        0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
                    }
                    unit => unit,
                };
                char::from_u32(code).ok_or(Error::Surrogate)?
            }
            _ => return Err(Error::Syntax),
        })
    }

    fn unit(&mut self) -> Result<u32, Error> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Error::Syntax)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::Syntax);
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| Error::Syntax)
    }
}

impl<'a> Value<'a> {
    pub fn str(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Str(text.into())
    }

    pub fn bool(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }

    pub fn uint(int: u64) -> Self {
        i64::try_from(int).map_or(Self::UInt(int), Self::Int)
    }

    /// Returns an object of the members that are there, sorted. Keys must not repeat.
    pub fn object(members: impl IntoIterator<Item = (&'a str, Option<Self>)>) -> Self {
        let mut members: Vec<(Cow<'a, str>, Self)> =
            members.into_iter().filter_map(|(key, value)| Some((key.into(), value?))).collect();
        members.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
        debug_assert!(members.windows(2).all(|pair| pair[0].0 != pair[1].0));
        Self::Obj(members)
    }

    pub fn array<T>(items: impl IntoIterator<Item = T>, to_value: impl Fn(T) -> Self) -> Self {
        Self::Arr(items.into_iter().map(to_value).collect())
    }

    /// Returns the member `key`, unless it is absent, null, or this is no object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Obj(members) = self else { return None };
        // Objects are small: one look at the length and the first byte of each is quicker than a search
        // by order.
        let may_be = |name: &str| name.len() == key.len() && name.bytes().next() == key.bytes().next();
        let (_, value) = members.iter().find(|(name, _)| may_be(name) && name == key)?;
        Some(value).filter(|value| !matches!(value, Self::Null))
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Int(int) => u64::try_from(*int).ok(),
            Self::UInt(int) => Some(*int),
            _ => None,
        }
    }

    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::True => Some(true),
            Self::False => Some(false),
            _ => None,
        }
    }

    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::Arr(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the canonical text.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::True => out.push_str("true"),
            Self::False => out.push_str("false"),
            Self::Int(int) => out.push_str(&int.to_string()),
            Self::UInt(int) => out.push_str(&int.to_string()),
            Self::Str(text) => write_str(out, text),
            Self::Arr(items) => {
                out.push('[');
                for (idx, item) in items.iter().enumerate() {
                    if idx > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Obj(members) => {
                out.push('{');
                for (idx, (key, value)) in members.iter().enumerate() {
                    if idx > 0 {
                        out.push(',');
                    }
                    write_str(out, key);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn write_str(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        write_char(out, c);
    }
    out.push('"');
}

fn write_char(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if c < ' ' => {
            out.push_str("\\u00");
            out.push(char::from_digit(u32::from(c) >> 4, 16).unwrap_or('0'));
            out.push(char::from_digit(u32::from(c) & 15, 16).unwrap_or('0'));
        }
        c => out.push(c),
    }
}
