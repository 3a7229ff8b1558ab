//! The contract of a subject: `type(scope): subject [protocol-NNNN/XX]`.

use super::lines::Lines;
use super::tag::find_tags;
use super::{Rules, STEP_KEY, is_exempt};
use crate::domain::text;

/// The types that a subject may begin with.
pub const TYPES: [&str; 11] =
    ["build", "chore", "ci", "docs", "feat", "fix", "perf", "refactor", "revert", "style", "test"];

/// A place where a message departs from the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable, for scripts and configuration: `message.type`, `message.scope`,
    /// `message.subject`, `message.tag`, or `message.trailer`.
    pub code: &'static str,
    /// For people, without a full stop.
    pub text: String,
}

/// Returns where the draft `raw` departs from the contract, in the order of the
/// message; nothing for a draft without content and for subjects of git's own.
///
/// Whether the named step exists is not checked here.
pub fn check_contract(raw: &[u8], rules: &Rules) -> Vec<Finding> {
    let lines = Lines::draft(raw, rules);
    let subject = lines.subject();
    if !lines.has_content() || is_exempt(&subject) {
        return Vec::new();
    }

    let tag = find_tags(&subject).last();
    let header = match &tag {
        Some(tag) => [&subject[..tag.start], &subject[tag.end..]].concat(),
        None => subject.clone(),
    };
    let mut findings: Vec<_> = check_header(&header).err().into_iter().collect();
    if tag.is_none() {
        findings.push(Finding {
            code: "message.tag",
            text: "the subject has no tag such as `[protocol-0007/03]`".to_owned(),
        });
    }
    for trailer in lines.trailers() {
        if trailer.has_key(STEP_KEY) && trailer.step().is_none() {
            let value = text::one_line(&String::from_utf8_lossy(&trailer.value));
            findings.push(Finding {
                code: "message.trailer",
                text: format!(
                    "`{STEP_KEY}: {}` does not name a step as `0007-add-login/03-api` does",
                    text::clip(&value, 60)
                ),
            });
        }
    }
    findings
}

/// Whether a subject begins with a type, as in `feat: `.
pub fn has_type(subject: &str) -> bool {
    check_header(subject).is_ok()
}

fn check_header(header: &str) -> Result<(), Finding> {
    let fail = |code, text: String| Err(Finding { code, text });

    let Some((head, subject)) = header.split_once(':') else {
        let text = "the subject does not begin with `type(scope): ` or `type: `";
        return fail("message.type", text.to_owned());
    };
    let head = head.strip_suffix('!').unwrap_or(head);
    let (kind, scope) = match head.split_once('(') {
        Some((kind, scope)) => (kind, Some(scope)),
        None => (head, None),
    };
    if !TYPES.contains(&kind) {
        let kind = text::clip(&text::one_line(kind), 30);
        let types = TYPES.join(", ");
        return fail("message.type", format!("`{kind}` is not a type; use one of {types}"));
    }
    if let Some(scope) = scope {
        let inner = scope.strip_suffix(')').map(str::trim);
        if inner.is_none_or(|inner| inner.is_empty() || inner.contains(['(', ')'])) {
            let text = "the scope is not a word in parentheses, as in `fix(api): `";
            return fail("message.scope", text.to_owned());
        }
    }
    if subject.trim().is_empty() {
        return fail("message.subject", format!("nothing follows `{kind}:`"));
    }
    if !subject.starts_with(' ') {
        return fail("message.subject", format!("no space follows `{kind}:`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(raw: &str) -> Vec<&'static str> {
        check_contract(raw.as_bytes(), &Rules::default()).iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn good_messages() {
        for raw in [
            "feat: add it [protocol-0007/03]",
            "feat(api)!: add: it [protocol-0007/03]\n\nGodzilla-Step: 0007-a/03-b\n",
            "fix!: it\nover two lines [protocol-0007/03]\n",
            "fix: [protocol-0007/03] tag in front",
            "# only a comment\n",
            "fixup! whatever",
            "Merge branch 'x'",
            "Revert \"x\"",
        ] {
            assert_eq!(codes(raw), [""; 0], "{raw:?}");
        }
    }

    #[test]
    fn each_departure_has_its_code() {
        for (raw, want) in [
            ("add it [protocol-0007/03]", "message.type"),
            ("Feat: add it [protocol-0007/03]", "message.type"),
            ("note: add it [protocol-0007/03]", "message.type"),
            ("feat (api): add it [protocol-0007/03]", "message.type"),
            ("feat(): add it [protocol-0007/03]", "message.scope"),
            ("feat(api: add it [protocol-0007/03]", "message.scope"),
            ("feat:add it [protocol-0007/03]", "message.subject"),
            ("feat: [protocol-0007/03]", "message.subject"),
            ("feat: add it", "message.tag"),
            ("feat: add it [protocol-7/3]", "message.tag"),
            ("feat: add it [protocol-0007/03]\n\nGodzilla-Step: api", "message.trailer"),
        ] {
            assert_eq!(codes(raw), [want], "{raw:?}");
        }
    }

    #[test]
    fn findings_show_no_escapes() {
        let found = check_contract(b"\x1b[31mfeat\x1b[0m: x", &Rules::default());
        assert!(!found[0].text.contains('\u{1b}'), "{found:?}");
    }
}
