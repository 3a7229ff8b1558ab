//! Text that came from outside, made fit for a line of output, a file name, or
//! a stored field.
//!
//! Commit subjects, notes, and engine output may hold terminal escapes, text
//! that runs backwards, or characters that nobody sees. They are cleaned here,
//! once, so that no printer has to think of it. Every function is total and
//! takes time linear in its input.

pub mod markdown;

use std::iter::Peekable;
use std::str::Chars;

/// Returns `input` as one line of visible text.
///
/// Escape sequences vanish as a whole, as do control characters, bidirectional
/// controls, and characters without width (also the joiner inside some emoji).
/// Line breaks, tabs, and runs of white space become one space each; the ends
/// are trimmed. Cleaning twice changes nothing.
pub fn one_line(input: &str) -> String {
    let mut out = String::with_capacity(input.len());
    for c in visible(input) {
        if !c.is_whitespace() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Returns `input` as visible text that keeps its lines.
///
/// Removes what [`one_line`] removes. Lines end in `\n` whatever they ended in
/// before; white space at line ends and blank lines at both ends go, while
/// indentation and other spacing inside a line stay, for code and lists.
pub fn multi_line(input: &str) -> String {
    let mut out = String::with_capacity(input.len());
    let mut chars = visible(input).peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                out.truncate(out.trim_end_matches(is_spacing).len());
                if !out.is_empty() {
                    out.push('\n');
                }
            }
            c => out.push(c),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Returns `input` as one line of visible text, like [`one_line`], but with its spaces as they are
/// where there is nothing to remove. Costs next to nothing then, so readers can afford it.
pub fn harmless_line(input: &str) -> String {
    if is_plain(input) { input.to_owned() } else { one_line(input) }
}

/// Returns `input` without what [`one_line`] removes; line feeds and spaces stay, every other white
/// space becomes a space.
pub fn harmless(input: &str) -> String {
    if input.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')) {
        return input.to_owned();
    }
    let steers = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'));
    visible(input).map(|c| if steers(c) { ' ' } else { c }).collect()
}

/// Whether all of `text` is printable ASCII, which hides nothing.
pub fn is_plain(text: &str) -> bool {
    // Without a branch for each byte, so that many are looked at at once.
    text.bytes().fold(0, |n, byte| n | u8::from(!matches!(byte, b' '..=b'~'))) == 0
}

/// Returns `input` with every character that cannot be seen written as its number, so that nothing of
/// it is hidden from somebody who has to agree to it.
pub fn spelled_out(input: &str) -> String {
    let mut out = String::with_capacity(input.len());
    for c in input.chars() {
        if is_raw(c) || c == char::REPLACEMENT_CHARACTER || (c.is_whitespace() && c != ' ') {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a terminal could do anything else with `c` than show it.
pub fn is_raw(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

/// Returns a slug of at most `max_len` bytes for `input`, or `None` if no
/// letter or digit is left.
///
/// A slug matches `[a-z0-9][a-z0-9-]*`; one made here has no two hyphens in a
/// row and none at its end. Common Latin letters lose their accents, every
/// other character becomes a hyphen. A long slug is cut between words, and
/// inside a word only if that is the first one.
pub fn slug(input: &str, max_len: usize) -> Option<String> {
    let mut out = String::new();
    for c in input.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => out.push(c),
            // The accents of decomposed text, which follow their letter.
            '\u{300}'..='\u{36f}' => {}
            _ => match transliterate(c) {
                Some(letters) => out.push_str(letters),
                None if out.is_empty() || out.ends_with('-') => {}
                None => out.push('-'),
            },
        }
        // One character more than fits tells whether the cut is inside a word.
        if out.len() > max_len {
            break;
        }
    }
    if out.len() > max_len {
        let inside_word = out.as_bytes()[max_len] != b'-';
        out.truncate(max_len);
        if let Some(end) = out.rfind('-').filter(|_| inside_word) {
            out.truncate(end);
        }
    }
    out.truncate(out.trim_end_matches('-').len());
    (!out.is_empty()).then_some(out)
}

/// Whether `input` matches `[a-z0-9][a-z0-9-]*`.
pub fn is_slug(input: &str) -> bool {
    !input.starts_with('-')
        && !input.is_empty()
        && input.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Returns `input` if it has at most `max_chars` characters, else its beginning
/// with `…` as the last of `max_chars`.
///
/// Counts characters, not terminal columns.
pub fn clip(input: &str, max_chars: usize) -> String {
    if input.char_indices().nth(max_chars).is_none() {
        return input.to_owned();
    }
    let Some(n_kept) = max_chars.checked_sub(1) else {
        return String::new();
    };
    let mut out: String = input.chars().take(n_kept).collect();
    out.push('…');
    out
}

/// The characters of `input` that a person would see, white space included.
fn visible(input: &str) -> impl Iterator<Item = char> {
    let mut chars = input.chars().peekable();
    std::iter::from_fn(move || {
        loop {
            match chars.next()? {
                '\u{1b}' => skip_escape(&mut chars),
                '\u{9b}' => skip_control_sequence(&mut chars),
                '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => {
                    skip_control_string(&mut chars);
                }
                c if is_invisible(c) => {}
                c => return Some(c),
            }
        }
    })
}

/// Skips what follows an escape character.
fn skip_escape(chars: &mut Peekable<Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_control_sequence(chars);
        }
        Some('P' | 'X' | ']' | '^' | '_') => {
            chars.next();
            skip_control_string(chars);
        }
        _ => {
            while chars.next_if(|c| matches!(c, ' '..='/')).is_some() {}
            chars.next_if(|c| matches!(c, '0'..='~'));
        }
    }
}

/// Skips parameters and the final character, as in a change of colour.
fn skip_control_sequence(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| matches!(c, ' '..='?')).is_some() {}
    chars.next_if(|c| matches!(c, '@'..='~'));
}

/// Skips to the terminator, as in a window title or a hyperlink. The end of the
/// line terminates too, so that a lost terminator hides one line at most.
fn skip_control_string(chars: &mut Peekable<Chars<'_>>) {
    while let Some(c) = chars.next_if(|c| !matches!(c, '\n' | '\r' | '\u{1b}')) {
        if matches!(c, '\u{7}' | '\u{18}' | '\u{1a}' | '\u{9c}') {
            return;
        }
    }
}

fn is_invisible(c: char) -> bool {
    if c.is_control() {
        return !c.is_whitespace();
    }
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

fn is_spacing(c: char) -> bool {
    c != '\n' && c.is_whitespace()
}

/// The plain spelling of a lower-case Latin letter.
fn transliterate(c: char) -> Option<&'static str> {
    Some(match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' | 'ǎ' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì' | 'í' | 'î' | 'ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' | 'ǐ' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ŏ' | 'ő' | 'ǒ' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'þ' => "th",
        'ù' | 'ú' | 'û' | 'ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' | 'ǔ' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_line_removes_what_nobody_sees() {
        for (input, want) in [
            ("plain", "plain"),
            ("  a\t b\r\n\nc  ", "a b c"),
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{7}", "link"),
            ("\u{9b}31mred \u{9d}0;title\u{9c}end", "red end"),
            ("a\u{1b}]0;never closed\nb", "a b"),
            ("a\u{1b}(Bb\u{1b}", "ab"),
            ("ab\u{202e}cd\u{2066}e\u{200b}f\u{feff}", "abcdef"),
            ("bell\u{7} nul\0 del\u{7f}", "bell nul del"),
            ("\u{85}next\u{2028}line", "next line"),
        ] {
            assert_eq!(one_line(input), want, "{input:?}");
        }
    }

    #[test]
    fn multi_line_keeps_lines_and_indentation() {
        assert_eq!(
            multi_line("\r\n\n one\r\n  two \t\rthree\u{1b}[K\n\n    four\n\n"),
            " one\n  two\nthree\n\n    four"
        );
    }

    #[test]
    fn slugs() {
        for (input, max_len, want) in [
            ("Add login", 40, Some("add-login")),
            ("  Größe & Éclair -- Łódź! ", 40, Some("grosse-eclair-lodz")),
            ("cafe\u{301} au lait", 40, Some("cafe-au-lait")),
            ("İstanbul", 40, Some("istanbul")),
            ("日本", 40, None),
            ("--", 40, None),
            ("add the login", 9, Some("add-the")),
            ("add the login", 7, Some("add-the")),
            ("add the login", 4, Some("add")),
            ("internationalisation", 5, Some("inter")),
            ("abc", 0, None),
        ] {
            assert_eq!(slug(input, max_len).as_deref(), want, "{input:?}");
        }
        assert!(is_slug("0007-add-login"));
        assert!(!is_slug("-a") && !is_slug("") && !is_slug("A") && !is_slug("a_b"));
    }

    #[test]
    fn clip_counts_characters() {
        assert_eq!(clip("größe", 5), "größe");
        assert_eq!(clip("größer", 5), "größ…");
        assert_eq!(clip("ab", 1), "…");
        assert_eq!(clip("ab", 0), "");
    }

    proptest! {
        /// Cleaned text is a fixed point and has nothing left to clean.
        #[test]
        fn cleaning_is_idempotent(input in "(?s:[ -~\\n\\r\\t\u{1b}\u{9b}\u{9d}\u{7}\u{202e}]|.){0,60}") {
            let line = one_line(&input);
            prop_assert_eq!(&one_line(&line), &line);
            prop_assert!(!line.chars().any(char::is_control));
            let lines = multi_line(&input);
            prop_assert_eq!(&multi_line(&lines), &lines);
        }

        /// Whatever comes in, what comes out is a slug that fits.
        #[test]
        fn slug_is_always_one(input in any::<String>(), max_len in 0_usize..30) {
            if let Some(slug) = slug(&input, max_len) {
                prop_assert!(is_slug(&slug) && slug.len() <= max_len);
            }
        }

        #[test]
        fn clip_never_exceeds(input in any::<String>(), max_chars in 0_usize..12) {
            prop_assert!(clip(&input, max_chars).chars().count() <= max_chars);
        }
    }
}
