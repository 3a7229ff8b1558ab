//! What the hooks write into a draft.

use super::lines::{Lines, Trailer};
use super::tag::find_tags;
use super::{Rules, STEP_KEY, is_exempt};

/// What a draft should carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoration {
    /// The tag for the subject, as [`tag`](super::tag()) writes it; `None` leaves
    /// the subject alone.
    pub tag: Option<String>,
    /// The value of the step trailer, one line: `0007-add-login/03-api`.
    pub trailer_value: String,
    /// The name of the protocol. A step trailer that names it stays as it is,
    /// whichever step it names; one that names another counts as absent.
    pub protocol: String,
}

/// Returns the draft `raw` with the tag and the trailer of `want` where they
/// were absent, or `None` if there is nothing to add.
///
/// The tag goes to the end of the first line, unless the subject already has a
/// tag of this protocol, or is one of git's own (`fixup!`, `Merge `, …). The
/// trailer goes where git would put it: into the last trailer block or a new
/// paragraph, above trailing comments and the scissors. All other bytes stay,
/// except blanks at the end of a line that gets a tag. Doing it twice is the
/// same as once.
///
/// A draft without content is left alone, so that git still aborts on it.
pub fn decorate(raw: &[u8], rules: &Rules, want: &Decoration) -> Option<Vec<u8>> {
    let lines = Lines::draft(raw, rules);
    let first = lines.first_line().filter(|_| lines.has_content())?;
    let eol: &[u8] = if raw[first.start..first.next].ends_with(b"\r\n") { b"\r\n" } else { b"\n" };

    let tag = missing_tag(&lines.subject(), want);
    let trailer = missing_trailer(&lines, want, eol);
    if tag.is_none() && trailer.is_none() {
        return None;
    }

    let insert_at = lines.insertion_point();
    let mut out = Vec::with_capacity(raw.len() + 128);
    out.extend_from_slice(&raw[..first.start]);
    match tag {
        Some(tag) => {
            out.extend_from_slice(first.text.trim_ascii_end());
            out.push(b' ');
            out.extend_from_slice(tag.as_bytes());
        }
        None => out.extend_from_slice(first.text),
    }
    out.extend_from_slice(&raw[first.start + first.text.len()..insert_at]);
    if let Some(trailer) = trailer {
        if !out.ends_with(b"\n") {
            out.extend_from_slice(eol);
        }
        out.extend_from_slice(&trailer);
    }
    out.extend_from_slice(&raw[insert_at..]);
    Some(out)
}

fn missing_tag<'a>(subject: &str, want: &'a Decoration) -> Option<&'a str> {
    let tag = want.tag.as_deref()?;
    let number = |text| find_tags(text).last().map(|tag| tag.numbers.0);
    let present = match number(tag) {
        Some(wanted) => find_tags(subject).any(|tag| tag.numbers.0 == wanted),
        None => subject.contains(tag),
    };
    (!present && !is_exempt(subject)).then_some(tag)
}

/// The lines to insert at the insertion point.
fn missing_trailer(lines: &Lines<'_>, want: &Decoration, eol: &[u8]) -> Option<Vec<u8>> {
    let present =
        lines.trailers().iter().filter_map(Trailer::step).any(|step| step.protocol == want.protocol);
    if present {
        return None;
    }
    let mut out = Vec::new();
    if !lines.has_block() {
        out.extend_from_slice(eol);
    }
    out.extend_from_slice(format!("{STEP_KEY}: {}", want.trailer_value).as_bytes());
    out.extend_from_slice(eol);
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::message::{Comment, parse, parse_draft};

    const RULES: fn() -> Rules = || Rules { scissors: true, ..Rules::default() };

    fn want() -> Decoration {
        Decoration {
            tag: Some("[protocol-0007/03]".to_owned()),
            trailer_value: "0007-a/03-b".to_owned(),
            protocol: "0007-a".to_owned(),
        }
    }

    #[track_caller]
    fn check(raw: &str, expected: &str) {
        let out = decorate(raw.as_bytes(), &RULES(), &want()).expect("something to add");
        assert_eq!(String::from_utf8(out.clone()).unwrap(), expected);
        assert_eq!(decorate(&out, &RULES(), &want()), None, "not idempotent");
    }

    #[test]
    fn adds_tag_and_trailer() {
        check("fix: x", "fix: x [protocol-0007/03]\n\nGodzilla-Step: 0007-a/03-b\n");
        check("fix: x  \n\nBody.\n", "fix: x [protocol-0007/03]\n\nBody.\n\nGodzilla-Step: 0007-a/03-b\n");
    }

    #[test]
    fn joins_a_trailer_block() {
        check(
            "fix: x\n\nReviewed-by: A\n",
            "fix: x [protocol-0007/03]\n\nReviewed-by: A\nGodzilla-Step: 0007-a/03-b\n",
        );
        check(
            "fix: x\n\nprose\nmore\nSigned-off-by: A\n",
            "fix: x [protocol-0007/03]\n\nprose\nmore\nSigned-off-by: A\nGodzilla-Step: 0007-a/03-b\n",
        );
        check(
            "fix: x\n\nprose\nReviewed-by: A\n",
            "fix: x [protocol-0007/03]\n\nprose\nReviewed-by: A\n\nGodzilla-Step: 0007-a/03-b\n",
        );
    }

    #[test]
    fn stays_above_comments_and_scissors() {
        check(
            "\nfix: x\n# c\n\n# ------------------------ >8 ------------------------\n+a: b\n",
            "\nfix: x [protocol-0007/03]\n\nGodzilla-Step: 0007-a/03-b\n# c\n\n\
             # ------------------------ >8 ------------------------\n+a: b\n",
        );
    }

    #[test]
    fn keeps_carriage_returns() {
        check(
            "fix: x\r\n\r\nReviewed-by: A\r\n\r\n# c\r\n",
            "fix: x [protocol-0007/03]\r\n\r\nReviewed-by: A\r\nGodzilla-Step: 0007-a/03-b\r\n\r\n# c\r\n",
        );
    }

    #[test]
    fn subjects_of_git_get_the_trailer_only() {
        for subject in ["fixup! fix: x", "squash! x", "amend! x", "Merge branch 'a'", "Revert \"x\""] {
            check(subject, &format!("{subject}\n\nGodzilla-Step: 0007-a/03-b\n"));
        }
    }

    #[test]
    fn what_is_present_stays() {
        check("fix: x [protocol-0007/01]\n", "fix: x [protocol-0007/01]\n\nGodzilla-Step: 0007-a/03-b\n");
        check(
            "fix: x [protocol-0008/01]\n\nGodzilla-Step: 0007-a/01-z\n",
            "fix: x [protocol-0008/01] [protocol-0007/03]\n\nGodzilla-Step: 0007-a/01-z\n",
        );
        check(
            "fix: x [protocol-0007/01]\n\nGodzilla-Step: 0008-b/01-z\n",
            "fix: x [protocol-0007/01]\n\nGodzilla-Step: 0008-b/01-z\nGodzilla-Step: 0007-a/03-b\n",
        );
    }

    #[test]
    fn nothing_to_add() {
        for raw in ["", "\n# c\n", "\nSigned-off-by: A\n"] {
            assert_eq!(decorate(raw.as_bytes(), &RULES(), &want()), None, "{raw:?}");
        }
    }

    #[test]
    fn other_bytes_survive() {
        let out = decorate(b"fix: \xe9t\xe9\n\n\xff\n", &RULES(), &want()).unwrap();
        assert_eq!(out, b"fix: \xe9t\xe9 [protocol-0007/03]\n\n\xff\n\nGodzilla-Step: 0007-a/03-b\n");
    }

    fn any_draft() -> impl Strategy<Value = String> {
        let line = prop::sample::select(vec![
            "",
            "",
            " ",
            "fix: x",
            "prose here",
            "Key: value",
            "  folded",
            "# comment",
            "; other",
            "Signed-off-by: A",
            "(cherry picked from commit 1)",
            "Conflicts:",
            "\tpath",
            "Godzilla-Step: 0007-a/01-z",
            "Godzilla-Step: 0008-b/01-z",
            "x [protocol-0007/01]",
            "# ------------------------ >8 ------------------------",
            "fixup! x",
        ]);
        let eol = prop::sample::select(vec!["\n", "\n", "\r\n", ""]);
        (prop::collection::vec(line, 0..9), eol)
            .prop_map(|(lines, eol)| lines.join(if eol.is_empty() { "\n" } else { eol }) + eol)
    }

    proptest! {
        /// Once decorated, a draft names the step, needs nothing more, and has
        /// lost nothing but blanks.
        #[test]
        fn decorating_is_idempotent(
            raw in any_draft(),
            mark in prop::sample::select(vec!["#", ";"]),
            scissors in any::<bool>(),
        ) {
            let rules = Rules { comment: Comment::new(mark).unwrap(), scissors };
            let Some(out) = decorate(raw.as_bytes(), &rules, &want()) else { return Ok(()); };
            prop_assert_eq!(decorate(&out, &rules, &want()), None);
            prop_assert!(parse_draft(&out, &rules, "0007-a").step.is_some());
            let mut rest = out.iter();
            for byte in raw.bytes().filter(|b| !b.is_ascii_whitespace()) {
                prop_assert!(rest.any(|&b| b == byte));
            }
        }

        /// What git keeps of a decorated draft still names the step.
        #[test]
        fn the_trailer_survives_the_clean_up(raw in any_draft()) {
            let Some(out) = decorate(raw.as_bytes(), &RULES(), &want()) else { return Ok(()); };
            let text = String::from_utf8(out).unwrap();
            let mut kept = String::new();
            for line in text.lines().take_while(|line| !line.contains(">8")) {
                if !line.starts_with('#') {
                    kept.push_str(line.trim_end());
                    kept.push('\n');
                }
            }
            prop_assert!(parse(kept.trim_start_matches('\n').as_bytes(), "0007-a").step.is_some());
        }
    }
}
