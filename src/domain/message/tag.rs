//! The tag in a subject, which tells people the step of a commit.

/// Returns the tag of a step: `[protocol-0007/03]`.
pub fn tag(number: u64, step_number: u64) -> String {
    format!("[protocol-{number:04}/{step_number:02}]")
}

/// A tag in a subject.
pub(super) struct Tag {
    /// Of the protocol and of the step.
    pub(super) numbers: (u64, u64),
    /// Byte offsets in the subject.
    pub(super) start: usize,
    pub(super) end: usize,
}

pub(super) fn find_tags(subject: &str) -> impl Iterator<Item = Tag> {
    const OPEN: &str = "[protocol-";

    subject.match_indices(OPEN).filter_map(|(start, _)| {
        let rest = &subject[start + OPEN.len()..];
        // Digits of two u64 and a slash; no need to look further for the end.
        let len = rest.bytes().take(64).position(|b| b == b']')?;
        let (number, step_number) = rest[..len].split_once('/')?;
        Some(Tag {
            numbers: (parse_digits(number, 4)?, parse_digits(step_number, 2)?),
            start,
            end: start + OPEN.len() + len + 1,
        })
    })
}

fn parse_digits(text: &str, min_len: usize) -> Option<u64> {
    let valid = text.len() >= min_len && text.bytes().all(|b| b.is_ascii_digit());
    valid.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn last(subject: &str) -> Option<(u64, u64)> {
        find_tags(subject).last().map(|tag| tag.numbers)
    }

    #[test]
    fn tags_are_exact() {
        assert_eq!(tag(7, 3), "[protocol-0007/03]");
        assert_eq!(tag(12345, 100), "[protocol-12345/100]");
        for (subject, want) in [
            ("x [protocol-0007/03]", Some((7, 3))),
            ("[protocol-0007/03] x", Some((7, 3))),
            ("x [protocol-007/03]", None),
            ("x [protocol-0007/3]", None),
            ("x [protocol-0007/03-1]", None),
            ("x [protocol-99999999999999999999/03]", None),
            ("x [protocol-[protocol-0007/03]", Some((7, 3))),
        ] {
            assert_eq!(last(subject), want, "{subject:?}");
        }
    }

    proptest! {
        #[test]
        fn tags_are_read_back(number in any::<u64>(), step_number in any::<u64>()) {
            let subject = format!("feat: x {}", tag(number, step_number));
            prop_assert_eq!(last(&subject), Some((number, step_number)));
        }
    }
}
