//! Canonical JSON: one spelling for each value, so that equal values have equal bytes.
//!
//! Keys are sorted by their bytes, there are no spaces, strings escape only `"`, `\` and what lies
//! below U+0020, and integers are all that `i64` and `u64` hold. A float, `-0`, a larger integer, a
//! repeated key, too deep a nesting or a lone surrogate has no canonical form.

use std::borrow::Cow;

mod read;
#[cfg(test)]
mod tests;
mod view;

pub use read::{Parsed, Tape};
pub use view::View;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 32;

/// How many values one text may hold.
pub const MAX_VALUES: usize = 8192;

/// A value to be written. Members of an object are sorted by key, without repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Null,
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
