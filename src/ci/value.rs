//! What a variable must look like to be believed.
//!
//! Each function takes text that anybody may have written and returns a value
//! that is safe to store, compare, and print, or `None`.

use super::Sha;

const MAX_NAME_CHARS: usize = 200;
const MAX_BRANCH_CHARS: usize = 255;
const MAX_URL_CHARS: usize = 2_000;

/// Returns `raw` as a label: what is too long is cut off.
pub(super) fn name(raw: &str) -> Option<String> {
    let cut: String = visible(raw).chars().take(MAX_NAME_CHARS).collect();
    let name = cut.trim_end();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Returns the short name of a branch; any other ref is no branch.
pub(super) fn branch(raw: &str) -> Option<String> {
    let text = visible(raw);
    let branch = text.strip_prefix("refs/heads/").unwrap_or(&text);
    is_branch_name(branch).then(|| branch.to_owned())
}

/// Returns a full object id, or [`Sha::Head`] for the word `HEAD`.
pub(super) fn sha(raw: &str) -> Option<Sha> {
    let sha = raw.trim();
    if sha == "HEAD" {
        return Some(Sha::Head);
    }
    let is_full = matches!(sha.len(), 40 | 64) && sha.bytes().all(|b| b.is_ascii_hexdigit());
    // Git writes "no commit" as zeros.
    let is_null = sha.bytes().all(|b| b == b'0');
    (is_full && !is_null).then(|| Sha::Known(sha.to_ascii_lowercase()))
}

/// Returns a link for people. A link with a user or password in it is refused,
/// because reports are shared.
pub(super) fn url(raw: &str) -> Option<String> {
    let url = visible(raw);
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    let is_plain = !url.contains(|c: char| c.is_whitespace() || "\"<>\\`".contains(c));

    let valid = is_web
        && is_plain
        && !authority.is_empty()
        && !authority.contains('@')
        && url.chars().count() <= MAX_URL_CHARS;
    valid.then_some(url)
}

/// Returns a decimal number without a sign.
pub(super) fn number(raw: &str) -> Option<u64> {
    let digits = raw.trim();
    // `parse` would take a plus sign.
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Returns `raw` percent-encoded, to stand between two slashes of a URL.
pub(super) fn path_segment(raw: &str) -> String {
    use std::fmt::Write as _;

    let mut segment = String::with_capacity(raw.len());
    for byte in raw.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

/// Returns `raw` without surrounding space and without characters that hide,
/// move, or reorder others: controls, line breaks, direction marks.
fn visible(raw: &str) -> String {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let kept: String = raw.chars().filter(|c| !is_hidden(*c)).collect();
    kept.trim().to_owned()
}

/// Whether git would let a branch have this name, by the rules of
/// `git check-ref-format --branch`.
fn is_branch_name(name: &str) -> bool {
    let is_component =
        |part: &str| !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none();

    name.chars().count() <= MAX_BRANCH_CHARS
        && name != "HEAD"
        && name != "@"
        && !name.starts_with('-')
        && !name.starts_with("refs/")
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains([' ', '~', '^', ':', '?', '*', '[', '\\'])
        && name.split('/').all(is_component)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_what_git_takes_for_one() {
        for (raw, expected) in [
            ("refs/heads/a/b", Some("a/b")),
            (" main\r\n", Some("main")),
            ("caf\u{e9}", Some("caf\u{e9}")),
            ("refs/tags/v1", None),
            ("refs/pull/5/merge", None),
            ("HEAD", None),
            ("-f", None),
            ("a..b", None),
            ("a//b", None),
            ("a/.b", None),
            ("a.lock/b", None),
            ("a b", None),
            ("refs/heads/", None),
        ] {
            assert_eq!(branch(raw).as_deref(), expected, "{raw:?}");
        }
    }

    #[test]
    fn only_labels_are_cut() {
        assert_eq!(name(&"\u{e9}".repeat(201)), Some("\u{e9}".repeat(200)));
        assert_eq!(branch(&"b".repeat(255)), Some("b".repeat(255)));
        assert_eq!(branch(&"b".repeat(256)), None);
        assert_eq!(url(&format!("https://h/{}", "u".repeat(1_991))), None);
    }

    #[test]
    fn a_link_is_for_the_web_and_carries_no_secret() {
        for accepted in ["http://h", "HTTPS://h:1/a?b#c", "https://h/a@b"] {
            assert_eq!(url(accepted).as_deref(), Some(accepted));
        }
        for refused in
            ["h/a", "ftp://h", "https://", "https:///a", "https://u:p@h/", "https://h/a b", "https://h/\"><x"]
        {
            assert_eq!(url(refused), None, "{refused}");
        }
    }

    #[test]
    fn numbers_and_commits_are_exact() {
        assert_eq!(number(" 18446744073709551615\n"), Some(u64::MAX));
        for refused in ["", "+1", "-1", "1_0", "0x1", "18446744073709551616", "\u{661}"] {
            assert_eq!(number(refused), None, "{refused}");
        }
        let upper = "A".repeat(64);
        assert_eq!(sha(&upper), Some(Sha::Known("a".repeat(64))));
        assert_eq!(sha("HEAD"), Some(Sha::Head));
        for refused in ["", "abc", &"0".repeat(40), &"g".repeat(40), &"a".repeat(41)] {
            assert_eq!(sha(refused), None, "{refused}");
        }
    }
}
