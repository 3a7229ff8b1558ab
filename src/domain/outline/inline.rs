//! Titles without markup.

use crate::domain::text::one_line;

/// Returns `text` on one line, without bold marks, backticks, escapes, and the
/// targets of links and images.
pub(super) fn plain(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let closing = closing_parentheses(&chars);
    let mut keep = vec![true; chars.len()];
    let mut brackets = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let next = chars.get(i + 1).copied();
        match chars[i] {
            '\\' if next.is_some_and(|c| c.is_ascii_punctuation()) => {
                keep[i] = false;
                i += 1;
            }
            '`' => keep[i] = false,
            '*' if next == Some('*') => {
                keep[i..i + 2].fill(false);
                i += 1;
            }
            '[' => brackets.push(i),
            ']' => {
                let target_end = closing.get(i + 1).copied().flatten();
                if let (Some(open), Some(end)) = (brackets.pop(), target_end) {
                    keep[open] = false;
                    if open > 0 && chars[open - 1] == '!' {
                        keep[open - 1] = false;
                    }
                    keep[i..=end].fill(false);
                    i = end;
                }
            }
            _ => {}
        }
        i += 1;
    }
    let kept = chars.iter().zip(keep).filter(|(_, keep)| *keep);
    one_line(&kept.map(|(c, _)| c).collect::<String>())
}

/// Returns [`plain`] without a number in front, as in `2. Title` or
/// `Step 2: Title`; the number of a step comes from its place.
pub(super) fn step_title(text: &str) -> String {
    let title = plain(text);
    match strip_number(&title) {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => title,
    }
}

fn strip_number(title: &str) -> Option<&str> {
    let word_len = title.find(|c: char| !c.is_ascii_alphabetic())?;
    let (word, rest) = title.split_at(word_len);
    let known = ["", "step", "task", "phase"];
    if !known.contains(&word.to_ascii_lowercase().as_str()) {
        return None;
    }
    let rest = rest.trim_start();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let rest = rest[digits..].trim_start();
    let after = rest.strip_prefix(['.', ')', ':', '-', '–', '—'])?;
    (digits > 0 && after.starts_with(' ')).then(|| after.trim_start())
}

/// For each opening parenthesis the place of the closing one, if there is one.
fn closing_parentheses(chars: &[char]) -> Vec<Option<usize>> {
    let mut closing = vec![None; chars.len()];
    let mut open = Vec::new();
    for (i, c) in chars.iter().enumerate() {
        match c {
            '(' => open.push(i),
            ')' => {
                if let Some(at) = open.pop() {
                    closing[at] = Some(i);
                }
            }
            _ => {}
        }
    }
    closing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_goes() {
        for (text, want) in [
            ("**Add** `login`", "Add login"),
            ("see [the [x] docs](http://a/b_(c)) now", "see the [x] docs now"),
            ("![logo](x.png) and [open](", "logo and [open]("),
            ("[a] (b) c](d)", "[a] (b) c](d)"),
            ("a \\* b \\[c](d) 2 * 3", "a * b [c](d) 2 * 3"),
            (" two\nlines\u{1b}[31m ", "two lines"),
            ("snake_case __init__", "snake_case __init__"),
        ] {
            assert_eq!(plain(text), want, "{text:?}");
        }
    }

    #[test]
    fn numbers_go() {
        for (text, want) in [
            ("1. Set up", "Set up"),
            ("Step 12: **Do** it", "Do it"),
            ("phase 2 — Ship", "Ship"),
            ("Task 3", "Task 3"),
            ("2-factor login", "2-factor login"),
            ("3 ways", "3 ways"),
            ("1.2 Version", "1.2 Version"),
            ("4. ", "4."),
        ] {
            assert_eq!(step_title(text), want, "{text:?}");
        }
    }
}
