//! Values beside a name that says what they are, as in `password=…` or `"api_key": "…"`.

use super::{Found, random};

/// How long a name may be, with what stands around it.
pub(super) const MAX_NAME: usize = 80;

/// How much of a value is looked at.
const MAX_VALUE: usize = 4096;

/// What a name says about its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    /// Somebody chose it: it may look like a word.
    Password,
    /// A machine made it.
    Token,
    /// It comes behind the way to use it.
    Authorization,
    Cookie,
}

/// How a value stands there.
struct Value<'a> {
    at: usize,
    text: &'a [u8],
    quoted: bool,
    /// Right after an equals sign.
    attached: bool,
}

/// Returns the values in `text` that are secret.
pub(super) fn find(text: &[u8]) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for at in memchr::memchr2_iter(b'=', b':', text) {
        if found.last().is_some_and(|last| at < last.at.end) {
            continue;
        }
        let Some(says) = name_before(text, at).and_then(|name| what_it_says(name, sign_at(text, at))) else {
            continue;
        };
        let Some(value) = value_after(text, at, says) else { continue };
        let secret = match says {
            Says::Password => is_password(&value),
            Says::Token => is_token(&value),
            Says::Authorization => value.text.len() >= 6 && (value.attached || is_token(&value)),
            Says::Cookie => has_pairs(value.text),
        };
        if secret && !stands_for_one(&value) {
            let kind = match says {
                Says::Password => "password",
                Says::Token => "token",
                Says::Authorization => "authorization",
                Says::Cookie => "cookie",
            };
            found.push(Found { at: value.at..value.at + value.text.len(), kind });
        }
    }
    found
}

/// Returns the sign at `at`; `>` for an arrow, which stands in programs.
fn sign_at(text: &[u8], at: usize) -> u8 {
    if text.get(at + 1) == Some(&b'>') { b'>' } else { text[at] }
}

/// Returns the name that ends before the sign at `at`, without its quotes. It is in the same line: what comes line by
/// line must be taken for the same.
fn name_before(text: &[u8], at: usize) -> Option<&[u8]> {
    let near = &text[at.saturating_sub(MAX_NAME)..at];
    let line = memchr::memrchr(b'\n', near).map_or(0, |newline| newline + 1);
    let before = near[line..].trim_ascii_end();
    let before = before.strip_suffix(b"]").unwrap_or(before);
    let before = match before {
        [rest @ .., b'"' | b'\'' | b'`'] => rest.strip_suffix(b"\\").unwrap_or(rest),
        _ => before,
    };
    let len = before.iter().rev().take_while(|byte| is_of_name(**byte)).count();
    (len > 0 && len < MAX_NAME - 8).then(|| &before[before.len() - len..])
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn what_it_says(name: &[u8], sign: u8) -> Option<Says> {
    const PASSWORDS: &[&[u8]] = &[b"password", b"passwd", b"passphrase", b"passcode", b"pwd", b"secret"];
    const TOKENS: &[&[u8]] = &[
        b"token",
        b"apikey",
        b"accesskey",
        b"privatekey",
        b"secretkey",
        b"authkey",
        b"signingkey",
        b"encryptionkey",
        b"accountkey",
        b"sharedkey",
        b"masterkey",
        b"licensekey",
        b"credential",
        b"credentials",
    ];
    let mut plain = [0; MAX_NAME];
    let mut len = 0;
    for byte in name.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        plain[len] = byte.to_ascii_lowercase();
        len += 1;
    }
    let plain = &plain[..len];
    if matches!(plain, b"pwd" | b"oldpwd") {
        return None;
    }
    if matches!(plain, b"authorization" | b"proxyauthorization") {
        return Some(Says::Authorization);
    }
    if sign == b':' && matches!(plain, b"cookie" | b"setcookie") {
        return Some(Says::Cookie);
    }
    let is_pass = name.len() >= 4
        && name[name.len() - 4..].eq_ignore_ascii_case(b"pass")
        && name[..name.len() - 4].last().is_none_or(|byte| matches!(byte, b'_' | b'-' | b'.'));
    if is_pass && sign == b'=' || PASSWORDS.iter().any(|word| plain.ends_with(word)) {
        return Some(Says::Password);
    }
    TOKENS.iter().any(|word| plain.ends_with(word)).then_some(Says::Token)
}

/// Returns the value behind the sign at `at`.
fn value_after(text: &[u8], at: usize, says: Says) -> Option<Value<'_>> {
    let mut from = at + 1;
    if text[at] == b':' && text.get(from) == Some(&b':') {
        return None;
    }
    if matches!(text.get(from), Some(b'=' | b'>')) {
        from += 1;
    }
    let spaces = text[from..].iter().take(9).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    if spaces > 8 {
        return None;
    }
    let attached = spaces == 0 && text[from - 1] == b'=' && from == at + 1;
    from += spaces;
    if text.get(from) == Some(&b'\\') {
        from += 1;
    }
    let quote = text.get(from).copied().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    if quote.is_some() {
        from += 1;
    }
    let rest = &text[from..text.len().min(from + MAX_VALUE)];
    let ends = |byte: &u8| match (quote, says) {
        (_, Says::Cookie) => matches!(byte, b'\n' | b'\r' | b'"' | b'\''),
        (Some(quote), Says::Password | Says::Token) => *byte == quote || matches!(byte, b'\n' | b'\r'),
        _ => {
            byte.is_ascii_whitespace()
                || matches!(byte, b'"' | b'\'' | b'`' | b',' | b';' | b')' | b'}' | b']' | b'<' | b'>')
        }
    };
    let len = rest.iter().position(ends).unwrap_or(rest.len());
    let mut value = rest[..len].strip_suffix(b"\\").unwrap_or(&rest[..len]);
    let mut attached = attached;
    if says == Says::Authorization {
        // `attached` says that the way to use it was named.
        attached = false;
        let schemes: &[&[u8]] = &[b"basic", b"bearer", b"token", b"apikey", b"negotiate"];
        if schemes.iter().any(|scheme| value.eq_ignore_ascii_case(scheme)) && rest.get(len) == Some(&b' ') {
            let rest = &rest[len + 1..];
            let end = rest.iter().position(ends).unwrap_or(rest.len());
            from += len + 1;
            value = &rest[..end];
            attached = true;
        }
    }
    Some(Value { at: from, text: value, quoted: quote.is_some(), attached })
}

/// Whether a value names a secret, or says that there is one, and is none.
fn stands_for_one(value: &Value<'_>) -> bool {
    const WORDS: &[&[u8]] = &[
        b"null",
        b"none",
        b"true",
        b"false",
        b"undefined",
        b"required",
        b"optional",
        b"string",
        b"password",
        b"secret",
        b"token",
        b"empty",
        b"missing",
        b"hidden",
        b"redacted",
    ];
    let text = value.text;
    let Some(first) = text.first() else { return true };
    let marked = memchr::memmem::find(text, b"[redacted").is_some();
    let code = !value.quoted
        && (memchr::memchr2(b'(', b'[', text).is_some() || memchr::memmem::find(text, b"::").is_some());
    marked
        || code
        || matches!(first, b'$' | b'{' | b'<' | b'%' | b'*' | b'[' | b'(' | b'&' | b'|' | b'=')
        || text.iter().all(|byte| byte == first)
        || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether a value is a name in a program, such as `args.password`.
fn is_name(text: &[u8]) -> bool {
    !text.iter().any(u8::is_ascii_digit)
        && text.iter().all(|byte| is_of_name(*byte))
        && (text.contains(&b'.') || text.contains(&b'_') || what_it_says(text, b'=').is_some())
}

fn is_password(value: &Value<'_>) -> bool {
    let text = value.text;
    if text.iter().any(u8::is_ascii_whitespace) {
        return false;
    }
    if value.quoted {
        return text.len() >= 4;
    }
    if value.attached {
        return text.len() >= 4 && !is_name(text);
    }
    let has = |is: fn(&u8) -> bool| text.iter().any(is);
    let symbol = |byte: &u8| matches!(byte, b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'*' | b'~' | b'+');
    text.len() >= 6
        && has(u8::is_ascii_alphabetic)
        && (has(u8::is_ascii_digit) || has(symbol))
        && !is_name(text)
}

fn is_token(value: &Value<'_>) -> bool {
    let text = value.text;
    if text.iter().any(u8::is_ascii_whitespace) {
        return false;
    }
    let n_digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let n_letters = text.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let mixed = n_digits >= 2 && n_letters >= 2;
    if value.quoted || value.attached {
        return mixed && text.len() >= 10 || text.len() >= 20 && !random::is_of_words(text);
    }
    mixed && text.len() >= 12 && !random::is_of_words(text)
}

/// Whether a header has what cookies have, a name right before its value.
fn has_pairs(text: &[u8]) -> bool {
    let text = &text[..text.len().min(MAX_VALUE)];
    let Some(sign) = memchr::memchr(b'=', text) else { return false };
    sign > 0
        && is_of_name(text[sign - 1])
        && text.get(sign + 1).is_some_and(|byte| !byte.is_ascii_whitespace())
}
