//! Names and identifiers, parsed once and valid ever after.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use ulid::Ulid;

use super::text;

/// The longest protocol or step name in bytes; it must fit a file name with room for `.lock`.
pub const MAX_NAME_LEN: usize = 200;

/// A text that does not name what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}")]
pub struct InvalidName {
    pub what: &'static str,
    pub text: String,
}

fn invalid(what: &'static str, text: &str) -> InvalidName {
    InvalidName { what, text: text::clip(&text::one_line(text), 80) }
}

/// The name of a protocol: its number and its slug, as in `0007-add-login`.
///
/// It names the stream, the branch and the worktree, and never changes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// Returns the name made of `number` (at least four digits) and `slug`.
    ///
    /// # Errors
    ///
    /// [`InvalidName`] if `slug` does not match `[a-z0-9][a-z0-9-]*` or is too long.
    pub fn new(number: u64, slug: &str) -> Result<Self, InvalidName> {
        format!("{number:04}-{slug}").parse()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn number(&self) -> u64 {
        number_of(&self.0).unwrap_or(0)
    }

    pub fn slug(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, slug)| slug)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if is_numbered(text, 4) { Ok(Self(text.into())) } else { Err(invalid("protocol name", text)) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a step within its protocol, as in `03-api`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId {
    // First, so that the derived order is by number, then by text: `9-a` before `10-a`.
    number: u64,
    text: Arc<str>,
}

impl StepId {
    /// Returns the id made of `number` (at least two digits) and `slug`.
    ///
    /// # Errors
    ///
    /// [`InvalidName`] if `slug` does not match `[a-z0-9][a-z0-9-]*` or is too long.
    pub fn new(number: u64, slug: &str) -> Result<Self, InvalidName> {
        format!("{number:02}-{slug}").parse()
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn number(&self) -> u64 {
        self.number
    }
}

impl FromStr for StepId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let number = number_of(text).filter(|_| is_numbered(text, 2));
        let number = number.ok_or_else(|| invalid("step id", text))?;
        Ok(Self { number, text: text.into() })
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn number_of(text: &str) -> Option<u64> {
    text.split_once('-')?.0.parse().ok()
}

fn is_numbered(text: &str, min_digits: usize) -> bool {
    let Some((number, slug)) = text.split_once('-') else {
        return false;
    };
    number.len() >= min_digits
        && number.len() <= 18
        && number.bytes().all(|b| b.is_ascii_digit())
        && (number.len() == min_digits || !number.starts_with('0'))
        && text.len() <= MAX_NAME_LEN
        && text::is_slug(slug)
}

/// The id of a git object, of either hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid {
    bytes: [u8; 32],
    len: u8,
}

impl Oid {
    /// Returns the id with these raw bytes: 20 for SHA-1, 32 for SHA-256.
    pub fn from_bytes(raw: &[u8]) -> Option<Self> {
        if raw.len() != 20 && raw.len() != 32 {
            return None;
        }
        let mut bytes = [0; 32];
        bytes[..raw.len()].copy_from_slice(raw);
        let len = u8::try_from(raw.len()).ok()?;
        Some(Self { bytes, len })
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Whether this is the null id that git uses for "no object".
    pub fn is_null(&self) -> bool {
        self.bytes == [0; 32]
    }

    /// Returns the first ten hex digits, for people.
    pub fn short(&self) -> String {
        let mut hex = self.to_string();
        hex.truncate(10);
        hex
    }
}

impl FromStr for Oid {
    type Err = InvalidName;

    /// Accepts 40 or 64 lower-case hex digits.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let fail = || invalid("object id", text);
        let mut raw = [0; 32];
        let n_bytes = decode_hex(text, &mut raw).ok_or_else(fail)?;
        Self::from_bytes(&raw[..n_bytes]).ok_or_else(fail)
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, self.as_bytes())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A SHA-256, of a line, a spec or a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl FromStr for Digest {
    type Err = InvalidName;

    /// Accepts 64 lower-case hex digits.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let mut raw = [0; 32];
        match decode_hex(text, &mut raw) {
            Some(32) => Ok(Self(raw)),
            _ => Err(invalid("SHA-256", text)),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn decode_hex(text: &str, out: &mut [u8; 32]) -> Option<usize> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || digits.len() > 64 {
        return None;
    }
    // Any other digit leaves its mark above the four bits of a value.
    let mut seen = 0;
    for (pair, byte) in digits.chunks_exact(2).zip(out.iter_mut()) {
        let (high, low) = (HEX_VALUES[usize::from(pair[0])], HEX_VALUES[usize::from(pair[1])]);
        seen |= high | low;
        *byte = high << 4 | low;
    }
    (seen <= 0xf).then_some(digits.len() / 2)
}

/// The value of each lower-case hex digit; 255 for every other byte.
const HEX_VALUES: [u8; 256] = {
    let mut values = [0xff; 256];
    let mut digit = b'0';
    while digit <= b'9' {
        values[digit as usize] = digit - b'0';
        digit += 1;
    }
    digit = b'a';
    while digit <= b'f' {
        values[digit as usize] = digit - b'a' + 10;
        digit += 1;
    }
    values
};

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    f.pad(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_number_and_a_slug() {
        let name: Name = "0007-add-login".parse().unwrap();
        assert_eq!((name.number(), name.slug()), (7, "add-login"));
        assert_eq!(Name::new(12345, "x").unwrap().as_str(), "12345-x");
        for bad in [
            "",
            "7-x",
            "0007",
            "0007-",
            "0007-X",
            "0007-a/b",
            "00007-x",
            "0007--x",
            "0007-a.lock",
            "0007-é",
            "../0007-x",
            "0007-a\n",
            "99999999999999999999-x",
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn steps_are_ordered_as_integers() {
        let mut ids: Vec<StepId> = ["100-c", "02-b", "11-a"].map(|id| id.parse().unwrap()).into();
        ids.sort();
        assert_eq!(format!("{ids:?}"), "[02-b, 11-a, 100-c]");
    }

    #[test]
    fn object_ids_have_either_length() {
        for len in [40, 64] {
            let hex = "0a".repeat(len / 2);
            assert_eq!(hex.parse::<Oid>().unwrap().to_string(), hex);
        }
        for bad in ["", "0A", &"0".repeat(41), &"0".repeat(66), &"g".repeat(40)] {
            assert!(bad.parse::<Oid>().is_err(), "{bad}");
        }
    }
}
