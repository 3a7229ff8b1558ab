//! Commit messages on the branch of a protocol: what they say, and what the
//! hooks add to them.
//!
//! A *draft* is the file that git hands to a hook, with comments and perhaps a
//! diff below the scissors line; a *message* is what a commit holds. Both are
//! bytes: a message in Latin-1 keeps every one of them. Trailers count where
//! git itself would see them, which is the last block only.

mod contract;
mod decorate;
mod lines;
mod rules;
mod tag;

use std::collections::HashSet;

pub use contract::{Finding, TYPES, check_contract, has_type};
pub use decorate::{Decoration, decorate};
pub use rules::{Comment, Rules};
pub use tag::tag;

use self::lines::Lines;
use self::tag::find_tags;
use super::id::{Name, StepId};
use super::text;

/// The key of the trailer that says which step a commit belongs to.
pub const STEP_KEY: &str = "Godzilla-Step";

/// The key of the trailer that says that a step is done.
pub const STATUS_KEY: &str = "Godzilla-Status";

/// A step as a trailer names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepRef {
    /// `0007-add-login`
    pub protocol: String,
    /// `03-api`
    pub step: String,
}

impl StepRef {
    /// Reads `<NNNN-slug>/<NN-slug>`: a protocol name and a step id, both valid.
    pub fn parse(value: &str) -> Option<Self> {
        let (protocol, step) = value.split_once('/')?;
        let valid = protocol.parse::<Name>().is_ok() && step.parse::<StepId>().is_ok();
        valid.then(|| Self { protocol: protocol.to_owned(), step: step.to_owned() })
    }
}

/// What the message of a commit says about protocols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The first paragraph on one line, cleaned for display; bytes that are not
    /// UTF-8 are replaced.
    pub subject: String,
    /// The last `Godzilla-Step` trailer that names the protocol asked for.
    pub step: Option<StepRef>,
    /// Protocol and step number of the last tag in the subject.
    pub tag: Option<(u64, u64)>,
    /// Whether a trailer says `Godzilla-Status: done`.
    pub done: bool,
}

/// Whether git would accept the draft `raw` as a message that is not empty.
///
/// Comments, blank lines, and `Signed-off-by` lines are no content, because git
/// aborts on a message that has nothing else.
pub fn has_content(raw: &[u8], rules: &Rules) -> bool {
    Lines::draft(raw, rules).has_content()
}

/// Whether the draft `raw` is still the `template` that it began as: git aborts on that, too.
pub fn is_untouched(raw: &[u8], template: &[u8], rules: &Rules) -> bool {
    Lines::draft(raw, rules).adds_nothing_to(&Lines::draft(template, rules))
}

/// Returns what the commit message `raw` says, seen from `protocol`.
///
/// Trailers of other protocols count as absent. Trailers are looked for as
/// `git log` does with its default settings, so that all clones agree on a
/// commit whatever their `core.commentChar` is.
pub fn parse(raw: &[u8], protocol: &str) -> Parsed {
    read(&Lines::commit(raw), protocol)
}

/// Returns what the draft `raw` says, seen from `protocol`, once git has taken
/// out what `rules` call no message.
pub fn parse_draft(raw: &[u8], rules: &Rules, protocol: &str) -> Parsed {
    read(&Lines::draft(raw, rules), protocol)
}

/// Returns the steps that any line of `raw` names after `Godzilla-Step:`, each
/// once, in order of appearance.
///
/// Finds trailers that git no longer sees, indented or in the middle, as squash
/// merges leave them. That a text mentions a step proves nothing; confirm it.
pub fn hints(raw: &[u8]) -> Vec<StepRef> {
    let mut seen = HashSet::new();
    raw.split(|&b| b == b'\n')
        .filter_map(|line| {
            let line = line.trim_ascii();
            let at = lines::find_separator(line)?;
            let (key, value) = (line[..at].trim_ascii_end(), &line[at + 1..]);
            let value = str::from_utf8(value.trim_ascii()).ok()?;
            key.eq_ignore_ascii_case(STEP_KEY.as_bytes()).then(|| StepRef::parse(value))?
        })
        .filter(|step| seen.insert(step.clone()))
        .collect()
}

fn read(lines: &Lines<'_>, protocol: &str) -> Parsed {
    let subject = lines.subject();
    let mut step = None;
    let mut done = false;
    for trailer in lines.trailers() {
        match trailer.step() {
            Some(named) if named.protocol == protocol => step = Some(named),
            _ => done |= trailer.has_key(STATUS_KEY) && trailer.value == b"done",
        }
    }
    Parsed {
        tag: find_tags(&subject).last().map(|tag| tag.numbers),
        subject: text::one_line(&subject),
        step,
        done,
    }
}

/// Whether git made this subject, or wrote it for a later rebase: it gets no
/// tag and owes no contract.
fn is_exempt(subject: &str) -> bool {
    ["fixup!", "squash!", "amend!", "Merge ", "Revert ", "Reapply \""]
        .iter()
        .any(|prefix| subject.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "0007-add-login";

    fn step(protocol: &str, step: &str) -> StepRef {
        StepRef { protocol: protocol.to_owned(), step: step.to_owned() }
    }

    #[test]
    fn reads_tag_step_and_status() {
        let parsed = parse(
            b"feat(api): add\nit [protocol-0001/09] [protocol-0007/03]\n\nBody.\n\n\
              Godzilla-Step: 0007-add-login/03-api\nGodzilla-Status: done\n",
            NAME,
        );
        assert_eq!(
            parsed,
            Parsed {
                subject: "feat(api): add it [protocol-0001/09] [protocol-0007/03]".to_owned(),
                step: Some(step(NAME, "03-api")),
                tag: Some((7, 3)),
                done: true,
            }
        );
    }

    #[test]
    fn last_step_of_this_protocol_wins() {
        for (trailers, want) in [
            ("Godzilla-Step: 0007-add-login/01-a\nGodzilla-Step: 0007-add-login/02-b", Some("02-b")),
            ("Godzilla-Step: 0007-add-login/01-a\nGodzilla-Step: 0008-other/02-b", Some("01-a")),
            ("godzilla-step : 0007-add-login/01-a", Some("01-a")),
            ("Godzilla-Step:\n  0007-add-login/01-a", Some("01-a")),
            ("Godzilla-Step: 0007-add-login/1-a", None),
            ("Godzilla-Step: 7-add-login/01-a", None),
            ("Godzilla-Step: 0007-add-login/01-a\nSome prose.", None),
            ("Godzilla-Step: 0007-add-login/01-a\n\nSome prose.", None),
        ] {
            let raw = format!("fix: x\n\n{trailers}\n");
            let found = parse(raw.as_bytes(), NAME).step.map(|step| step.step);
            assert_eq!(found.as_deref(), want, "{trailers:?}");
        }
    }

    #[test]
    fn a_subject_may_begin_with_a_comment_character() {
        let parsed = parse(b"#12 fix\n\nGodzilla-Step: 0007-add-login/01-a\n", NAME);
        assert_eq!(parsed.subject, "#12 fix");
        assert_eq!(parsed.step, Some(step(NAME, "01-a")));
    }

    #[test]
    fn drafts_follow_the_comment_marker() {
        let raw = "; top\n\nfix: x [protocol-0007/01]\n\nGodzilla-Status: done\n; end\n".as_bytes();
        let rules = Rules { comment: Comment::new(";").unwrap(), scissors: true };
        let parsed = parse_draft(raw, &rules, NAME);
        assert_eq!((parsed.tag, parsed.done), (Some((7, 1)), true));
        assert_eq!(parsed.subject, "fix: x [protocol-0007/01]");
    }

    #[test]
    fn content_is_what_git_would_not_abort_on() {
        let plain = Rules::default();
        let verbose = Rules { scissors: true, ..Rules::default() };
        let cut = "# ------------------------ >8 ------------------------\ndiff\n";
        assert!(!has_content(b"", &plain));
        assert!(!has_content(b"\n \t\r\n# c\n", &plain));
        assert!(!has_content(b"\nSigned-off-by: A <a@x>\n# c\n", &plain));
        assert!(!has_content(cut.as_bytes(), &verbose));
        assert!(has_content(cut.as_bytes(), &plain));
        assert!(has_content(b"# c\n\xff\n", &plain));
        let kept = Rules { comment: Comment::default().kept(), scissors: true };
        assert!(has_content(b"# c\n", &kept));
        assert!(!has_content(cut.as_bytes(), &kept));
    }

    #[test]
    fn a_template_is_untouched_until_a_line_of_text_differs() {
        let template = b"fix: say what\n\n# a hint\nRefs:\n";
        let is = |raw: &str| is_untouched(raw.as_bytes(), template, &Rules::default());
        assert!(is("fix: say what  \n\nRefs:\n# status\n"));
        assert!(is("\nfix: say what\nRefs:\n\nSigned-off-by: A <a@x>\n"));
        assert!(!is("fix: say what\n\nRefs: 12\n"));
        assert!(!is("fix: say what\n\nRefs:\n\nmore\n"));
        assert!(!is("fix: say what\n"));
        assert!(!is(""));
    }

    #[test]
    fn hints_are_found_anywhere() {
        let raw = b"Squashed\n\n    fix: a\n\n    Godzilla-Step: 0007-add-login/01-a\r\n\
                    Godzilla-Step: 0008-b/02-b\nprose\n\tGodzilla-Step: 0007-add-login/01-a\n\
                    see Godzilla-Step: 0009-c/01-c\n";
        assert_eq!(hints(raw), [step(NAME, "01-a"), step("0008-b", "02-b")]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(raw in any::<Vec<u8>>()) {
            parse(&raw, NAME);
            hints(&raw);
            has_content(&raw, &Rules::default());
        }
    }
}
