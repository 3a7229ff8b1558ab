//! Long tokens that only chance makes.
//!
//! A token is measured by how often its characters change their kind and how few of its pairs of letters
//! are those of words. Digests, ids and names of programs do not come out as random: they are written
//! with too few kinds of characters, or speak.

use super::Found;

/// Shorter ones are left alone; longer ones are data rather than secrets.
const MIN: usize = 24;
const MAX: usize = 256;

/// Beside a telling word, this is enough.
const MIN_TOLD: usize = 16;

/// How far before a token a telling word may stand.
const NEAR: usize = 32;

/// The pairs of letters that make up most of English text and of names in programs.
const PAIRS: &[u8] =
    b"reeredinteesenonstdeorcoatsetintarlenganitliecalnevendrometrrarieacetapeunhechionsaclotsouctetlaomth\
      pamasielasrstodillisshgeicolncprcahaepkeutssfiplusnourexilckhortidapemadospompeemiieefooaiowopotnasu\
      nibefoimoddsigrrabamocdoclblmosprdhittptiragrgevrysoulldovivboppdasalsfescgsvipiwafffaksmmtcgikirucr\
      iaauwetugrewbuipqurmciupumlyokwitybaltwo";

const fn table() -> [[bool; 26]; 26] {
    let mut table = [[false; 26]; 26];
    let mut idx = 0;
    while idx + 1 < PAIRS.len() {
        table[(PAIRS[idx] - b'a') as usize][(PAIRS[idx + 1] - b'a') as usize] = true;
        idx += 2;
    }
    table
}

static IS_COMMON: [[bool; 26]; 26] = table();

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-')
}

/// Whether `at` lies inside a token that is too long to be a secret.
pub(super) fn is_inside(text: &[u8], at: usize) -> bool {
    at < text.len()
        && is_of_token(text[at])
        && text[..at].iter().rev().take(MAX).all(|byte| is_of_token(*byte))
}

/// Returns the tokens in `text` that chance made; `in_blob` if the first one is not whole.
pub(super) fn find(text: &[u8], in_blob: bool) -> Vec<Found> {
    let mut found = Vec::new();
    let mut from = 0;
    if in_blob {
        from = text.iter().position(|byte| !is_of_token(*byte)).unwrap_or(text.len());
    }
    while from < text.len() {
        let Some(start) = text[from..].iter().position(|byte| is_of_token(*byte)) else { break };
        let start = from + start;
        let len = text[start..].iter().position(|byte| !is_of_token(*byte)).unwrap_or(text.len() - start);
        from = start + len;
        if (MIN_TOLD..=MAX).contains(&len) {
            judge(text, start, len, &mut found);
        }
    }
    found
}

/// Judges one token, or the parts between its slashes.
fn judge(text: &[u8], start: usize, len: usize, found: &mut Vec<Found>) {
    let token = &text[start..start + len];
    let before = &text[start.saturating_sub(NEAR)..start];
    if is_exempt(before, token) {
        return;
    }
    let told = is_told(before);
    let n_slashes = memchr::memchr_iter(b'/', token).count();
    if n_slashes > 0 && token[0] != b'/' && n_slashes * 12 < len && is_random(token, told) {
        found.push(Found { at: start..start + len, kind: "high-entropy" });
        return;
    }
    let mut at = start;
    for part in token.split(|byte| *byte == b'/') {
        let in_path = n_slashes > 0 || text[..at].ends_with(b"/");
        if is_random(part, told) || !in_path && is_random_and_small(part) {
            found.push(Found { at: at..at + part.len(), kind: "high-entropy" });
        }
        at += part.len() + 1;
    }
}

/// Digests, public keys and names that compilers make look random and are no secret.
fn is_exempt(before: &[u8], token: &[u8]) -> bool {
    const BEFORE: &[&[u8]] = &[b"base64,", b"h1:", b"integrity=", b"integrity ", b"integrity: "];
    const BEGINS: &[&[u8]] = &[
        b"AAAA", b"_ZN", b"_R", b"sha1-", b"sha256-", b"sha384-", b"sha512-", b"md5-", b"Qm", b"zdj", b"bafy",
    ];
    let is_digest = |text: &[u8]| {
        let text = text.strip_suffix(b":").or_else(|| text.strip_suffix(b"=")).unwrap_or_default();
        let len = text.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let name = text[text.len() - len..].to_ascii_lowercase();
        name.starts_with(b"sha") || name.starts_with(b"md5") || name.starts_with(b"blake")
    };
    BEFORE.iter().any(|end| before.ends_with(end))
        || BEGINS.iter().any(|begin| token.starts_with(begin))
        || is_digest(before)
}

/// Whether a telling word stands on the same line.
fn is_told(before: &[u8]) -> bool {
    const WORDS: &[&[u8]] =
        &[b"token", b"secret", b"password", b"passwd", b"credential", b"api key", b"apikey", b"api_key"];
    let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or(before).to_ascii_lowercase();
    WORDS.iter().any(|word| memchr::memmem::find(&line, word).is_some())
}

/// What a token is made of.
#[derive(Default)]
struct Measure {
    n_upper: usize,
    n_lower: usize,
    n_digits: usize,
    /// Neighbours that are both letters or digits, and those of them of two kinds.
    n_pairs: usize,
    n_changes: usize,
    /// Neighbours that are both letters, and those of them that are common in words.
    n_letter_pairs: usize,
    n_common: usize,
    is_hex: bool,
}

impl Measure {
    fn of(token: &[u8]) -> Self {
        let mut measure = Self { is_hex: true, ..Self::default() };
        let mut last = b'-';
        for &byte in token {
            match byte {
                b'A'..=b'Z' => measure.n_upper += 1,
                b'a'..=b'z' => measure.n_lower += 1,
                b'0'..=b'9' => measure.n_digits += 1,
                _ => (),
            }
            measure.is_hex &= byte.is_ascii_hexdigit() || byte == b'-';
            if byte.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
                measure.n_pairs += 1;
                measure.n_changes += usize::from(kind(byte) != kind(last));
                if byte.is_ascii_alphabetic() && last.is_ascii_alphabetic() {
                    measure.n_letter_pairs += 1;
                    let (one, two) = (last.to_ascii_lowercase() - b'a', byte.to_ascii_lowercase() - b'a');
                    measure.n_common += usize::from(IS_COMMON[usize::from(one)][usize::from(two)]);
                }
            }
            last = byte;
        }
        measure
    }

    fn len(&self) -> usize {
        self.n_upper + self.n_lower + self.n_digits
    }

    /// Whether less than `percent` of its pairs of letters are those of words.
    fn speaks_less_than(&self, percent: usize) -> bool {
        self.n_common * 100 < self.n_letter_pairs * percent || self.n_letter_pairs < 4
    }

    fn changes_more_than(&self, percent: usize) -> bool {
        self.n_changes * 100 > self.n_pairs * percent
    }
}

fn kind(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => 0,
        b'a'..=b'z' => 1,
        _ => 2,
    }
}

/// Whether chance made a token of capitals, small letters and digits.
fn is_random(token: &[u8], told: bool) -> bool {
    if token.len() < MIN_TOLD {
        return false;
    }
    let measure = Measure::of(token);
    let min = if told { MIN_TOLD } else { MIN };
    if measure.len() < min || measure.is_hex || measure.n_digits == 0 {
        return false;
    }
    if told {
        let n_kinds = usize::from(measure.n_upper > 0) + usize::from(measure.n_lower > 0);
        let is_id = measure.n_lower == 0 && token.len() == 26;
        return n_kinds > 0
            && !is_id
            && measure.n_digits >= 2
            && measure.changes_more_than(25)
            && measure.speaks_less_than(50);
    }
    measure.n_upper > 1
        && measure.n_lower > 1
        && measure.n_pairs * 2 > measure.len()
        && measure.changes_more_than(34)
        && measure.speaks_less_than(50)
}

/// Whether chance made a token of small letters and digits alone.
fn is_random_and_small(token: &[u8]) -> bool {
    if token.len() < 32 || token.iter().any(|byte| !matches!(byte, b'a'..=b'z' | b'0'..=b'9')) {
        return false;
    }
    let measure = Measure::of(token);
    !measure.is_hex
        && measure.n_digits >= 4
        && measure.n_lower >= 8
        && measure.changes_more_than(28)
        && measure.speaks_less_than(45)
}

/// Whether a token is made of words, as names in programs are.
pub(super) fn is_of_words(token: &[u8]) -> bool {
    let measure = Measure::of(token);
    let is_hex = measure.is_hex && measure.n_digits > 0;
    !is_hex && (measure.len() == 0 || !measure.speaks_less_than(50))
}
