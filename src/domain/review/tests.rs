use proptest::prelude::*;

use super::*;

fn by() -> Reviewer {
    Reviewer { run: Ulid::nil(), engine: "mock".to_owned(), model: None }
}

fn said(answer: &str) -> Word {
    Opinion::of_text(answer).said
}

fn found(severity: Severity, path: Option<&str>, message: &str) -> Finding {
    Finding::new(severity, path, None, message).unwrap()
}

fn result_of(said: Word, findings: Vec<Finding>) -> Review {
    Opinion::structured(said, "", findings, &[]).judged(by())
}

#[test]
fn a_verdict_line_is_read_in_every_usual_dress() {
    for pass in [
        "Verdict: PASS",
        "verdict: pass",
        "**Verdict:** PASS",
        "**Verdict**: **PASS**",
        "- Verdict: PASS.",
        "> Verdict: `PASS`",
        "### Verdict: ✅ PASS",
        "## Verdict\n\nPASS",
        "## Verdict\n**PASS**\n\nThat is all.",
        "__Verdict__\nPASS",
        "Verdict - PASS",
        "Verdict: PASS|FAIL\n…\nVerdict: PASS",
        "```markdown\n## Summary\nfine\n\nVerdict: PASS\n```",
        "Verdict: PASS\r\n",
    ] {
        assert_eq!(said(pass), Word::Pass, "{pass}");
    }
    for fail in [
        "Verdict: FAIL",
        "Verdict: FAIL - tests are missing",
        "## Verdict\nFAIL",
        "Verdict: PASS|FAIL\nVerdict: FAIL",
    ] {
        assert_eq!(said(fail), Word::Fail, "{fail}");
    }
}

#[test]
fn what_is_no_clear_verdict_is_none() {
    for none in [
        "",
        "\n\n",
        "PASS",
        "Everything passes. PASS!",
        "Verdict:",
        "## Verdict",
        "Verdict: PASS|FAIL",
        "Verdict: PASS or FAIL",
        "Verdict: FAIL, not PASS",
        "Verdict: NOT PASS",
        "Verdict: PASS if the tests are mended",
        "Verdict: PASSED",
        "Verdict: PA\u{200b}SS",
        "Verdict: P\u{410}SS",
        "Verdicts: PASS",
        "The verdict: PASS",
        "## Verdict\nunclear\nPASS",
        "Verdict: FAIL\nVerdict: PASS",
        "Verdict: PASS\nVerdict: maybe",
        // What the reviewer quotes is not what it says.
        "The file says:\n```\nVerdict: PASS\n```\n",
        "The file says:\n````\n```\nVerdict: PASS\n```\n````\n",
        "The file says:\n\n    Verdict: PASS\n",
        "```\nVerdict: PASS",
        "```\na\n```\nthen\n```\nVerdict: PASS\n```",
        "## Verdict\n```\nPASS\n```",
    ] {
        assert_eq!(said(none), Word::None, "{none}");
        assert_eq!(Opinion::of_text(none).judged(by()).result, "fail", "{none}");
    }
}

#[test]
fn findings_are_read_under_their_headings() {
    let opinion = Opinion::of_text(
        "# Report\n## Summary\nNearly there.\n\n## Findings\n\n### Blocking\n- `src/lib.rs:12:3` never returns\n  and it should\n- **Note:** the key is stored in plain text\n\n\
         ### Warnings (2)\n1. See ./docs/a.md#L7, it is old\n2) no path and/or place\n### Notes\n- none\n\n## Next actions\n- return\n\n## Verdict\nFAIL",
    );
    assert_eq!(opinion.summary, "Nearly there.");
    let all: Vec<_> = opinion
        .findings
        .iter()
        .map(|finding| format!("{} {} {}", finding.severity, finding.place(), finding.message))
        .collect();
    assert_eq!(
        all,
        [
            "blocking src/lib.rs:12 `src/lib.rs:12:3` never returns\nand it should",
            "blocking  **Note:** the key is stored in plain text",
            "warning docs/a.md:7 See ./docs/a.md#L7, it is old",
            "warning  no path and/or place",
        ]
    );
    assert_eq!(opinion.next_actions, ["return"]);
    assert_eq!(opinion.said, Word::Fail);
    assert!(!opinion.structured);
}

#[test]
fn a_pass_with_blocking_findings_is_a_fail() {
    for answer in [
        "## Blocking\n- the key is in src/a.rs\n\nVerdict: PASS",
        "**Blocking:** the key is in src/a.rs\n\nVerdict: PASS",
        "- Blocking: the key is in src/a.rs\n- Warnings: none\n- Verdict: PASS",
        "### Blocking findings (1):\nthe key is in the code\n### Notes\n\nVerdict: PASS",
        "### Blocking\n```\nkey = 1\n```\n### Notes\nVerdict: PASS",
    ] {
        let review = Opinion::of_text(answer).judged(by());
        assert_eq!((review.said.as_str(), review.result.as_str()), ("pass", "fail"), "{answer}");
        assert_eq!(review.count(Severity::Blocking), 1, "{answer}");
    }
    let fine = Opinion::of_text("- Blocking: none\n- Warnings: none\n- Notes: see `a.rs`\n\nVerdict: PASS")
        .judged(by());
    assert_eq!((fine.result.as_str(), fine.findings.len()), ("pass", 1));
    let structured =
        result_of(Word::Pass, vec![found(Severity::Blocking, Some(".protocols/0001-a/plan.md"), "old")]);
    assert_eq!((structured.result.as_str(), structured.downgraded), ("fail", None));
}

#[test]
fn only_what_is_about_protocols_alone_is_downgraded() {
    let inside = || found(Severity::Blocking, Some("./.protocols//0001-a/context.md"), "stale");
    let review = result_of(Word::Fail, vec![inside(), found(Severity::Warning, Some("src/a.rs"), "long")]);
    assert_eq!((review.said.as_str(), review.result.as_str()), ("fail", "pass"));
    assert!(review.downgraded.is_some());

    for outside in [
        None,
        Some("src/a.rs"),
        Some(".protocols"),
        Some(".protocols/"),
        Some(".protocols/../src/a.rs"),
        Some("/.protocols/a"),
        Some(".protocolsx/a"),
        Some("a/.protocols/b"),
    ] {
        let other = found(Severity::Blocking, outside, "bad");
        assert_eq!(result_of(Word::Fail, vec![inside(), other]).result, "fail", "{outside:?}");
    }
    // A fail without findings, or one that is only text, says nothing about where.
    assert_eq!(result_of(Word::Fail, Vec::new()).result, "fail");
    assert_eq!(
        result_of(Word::Fail, vec![found(Severity::Note, Some(".protocols/a/b"), "x")]).result,
        "fail"
    );
    assert_eq!(result_of(Word::None, vec![inside()]).result, "fail");
    let text = Opinion::of_text("## Blocking\n- .protocols/0001-a/context.md is old\n\nVerdict: FAIL");
    assert_eq!(text.findings[0].path.as_deref(), Some(".protocols/0001-a/context.md"));
    assert_eq!(text.judged(by()).result, "fail");
}

#[test]
fn paths_stay_in_the_repository() {
    assert_eq!(confined("./src//a.rs").as_deref(), Some("src/a.rs"));
    for path in [
        "",
        ".",
        "/etc/passwd",
        "../a",
        "a/../../b",
        "a/..",
        "~/x",
        "C:/x",
        "a\\b",
        "a\u{1b}[2Jb",
        "a\nb",
        ".git/config",
        "x/.GIT/hooks",
        "a\u{202e}b",
        " a",
        "a  b",
    ] {
        assert_eq!(confined(path), None, "{path:?}");
    }
    assert_eq!(confined(&"a/".repeat(400)), None);
}

#[test]
fn a_review_is_bounded_and_what_blocks_comes_first() {
    let mut findings: Vec<_> =
        (0..200).map(|n| found(Severity::Note, None, &format!("{n} {}", "x".repeat(5000)))).collect();
    findings.push(found(Severity::Blocking, Some("a.rs"), "\u{1b}]0;title\u{7}broken"));
    let opinion = Opinion::structured(Word::Pass, &"s\u{1b}[31m".repeat(9000), findings, &[]);
    assert_eq!(opinion.findings[0], found(Severity::Blocking, Some("a.rs"), "broken"));
    assert!(
        opinion.findings.len() < 30
            && opinion.findings.iter().all(|it| it.message.chars().count() <= MAX_MESSAGE)
    );
    assert!(opinion.summary.len() <= 2 * MAX_MESSAGE + 2 && !opinion.summary.contains('\u{1b}'));
    assert_eq!(opinion.judged(by()).result, "fail");
}

#[test]
fn who_gave_no_review_never_passes() {
    let review = Review::missing(by());
    assert_eq!((review.said.as_str(), review.result.as_str()), ("none", "fail"));
}

proptest! {
    #[test]
    fn no_text_passes_without_saying_so(parts in prop::collection::vec(
        prop_oneof![
            Just("Verdict: "), Just("PASS"), Just("FAIL"), Just("\n"), Just("## Verdict"), Just("## Blocking\n- x"), Just("```"),
            Just("> "), Just("**"), Just("    "), Just("maybe "), Just("- Warnings: none\n"), Just("\u{200b}"), Just("verdict"),
        ], 0..14)) {
        let answer = parts.concat();
        let opinion = Opinion::of_text(&answer);
        let review = opinion.judged(by());
        prop_assert!(review.downgraded.is_none());
        if review.result == "pass" {
            prop_assert!(opinion.said == Word::Pass && answer.to_lowercase().contains("verdict"));
            prop_assert_eq!(review.count(Severity::Blocking), 0);
        }
        // Whatever comes before it, a clear FAIL at the end is never a pass.
        prop_assert_ne!(Opinion::of_text(&format!("{answer}\nVerdict: FAIL")).judged(by()).result, "pass");
    }

    #[test]
    fn nothing_of_an_answer_steers_a_terminal(answer in any::<String>(), path in any::<String>()) {
        let text = format!("## Summary\n{answer}\n## Blocking\n- {path}: {answer}\n## Next actions\n- {answer}\nVerdict: {answer}");
        let opinion = Opinion::of_text(&text);
        let told = opinion.findings.iter().flat_map(|it| [it.message.clone(), it.path.clone().unwrap_or_default()]);
        for said in told.chain(opinion.next_actions.clone()).chain([opinion.summary.clone()]) {
            prop_assert!(!said.chars().any(|c| c != '\n' && text::is_raw(c)), "{said:?}");
        }
        if let Some(path) = confined(&path) {
            prop_assert!(!path.starts_with('/') && path.split('/').all(|part| part != ".." && part != "." && !part.is_empty()));
            prop_assert_eq!(confined(&path), Some(path));
        }
    }
}
