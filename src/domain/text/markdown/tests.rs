use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(body: &str, want: &[(Kind, usize, &str)]) {
    let found: Vec<_> = lines(body).map(|line| (line.kind, line.depth, line.text)).collect();
    assert_eq!(found, want);
}

const ITEM: Kind = Kind::Item { ticked: None };
const OPEN: Kind = Kind::Item { ticked: Some(false) };
const DONE: Kind = Kind::Item { ticked: Some(true) };

#[test]
fn headings() {
    check(
        "# A #\nText\n---\n\n---\n## C#\n#no\n####### no\n",
        &[
            (Kind::Heading(1), 0, "A"),
            (Kind::Text, 0, "Text"),
            (Kind::Underline(2), 0, "---"),
            (Kind::Blank, 0, ""),
            (Kind::Rule, 0, "---"),
            (Kind::Heading(2), 0, "C#"),
            (Kind::Text, 0, "#no"),
            (Kind::Text, 0, "####### no"),
        ],
    );
}

#[test]
fn items_nest() {
    check(
        "- a\n  - [ ] b\n    text\n\n\t* [X] c\n1. - [x] d\n10) e\nf\n- [ ](g)\n- []\n-h\n",
        &[
            (ITEM, 0, "a"),
            (OPEN, 1, "b"),
            (Kind::Text, 2, "text"),
            (Kind::Blank, 2, ""),
            (DONE, 2, "c"),
            (DONE, 1, "d"),
            (ITEM, 0, "e"),
            (Kind::Text, 0, "f"),
            (ITEM, 0, "[ ](g)"),
            (ITEM, 0, "[]"),
            (Kind::Text, 0, "-h"),
        ],
    );
}

#[test]
fn fences() {
    check(
        "~~~~ sh\n~~~\n- [ ] a\n  ~~~~~  \n```a`b\n    ```\n- ```\n  - [ ] no\n  ```\n- x\n  ```\n  - [ ] no\n\n- [ ] out\n",
        &[
            (Kind::Code, 0, "~~~~ sh"),
            (Kind::Code, 0, "~~~"),
            (Kind::Code, 0, "- [ ] a"),
            (Kind::Code, 0, "  ~~~~~  "),
            (Kind::Text, 0, "```a`b"),
            (Kind::Text, 0, "    ```"),
            (ITEM, 0, "```"),
            (Kind::Code, 1, "- [ ] no"),
            (Kind::Code, 1, "```"),
            (ITEM, 0, "x"),
            (Kind::Code, 1, "```"),
            (Kind::Code, 1, "- [ ] no"),
            (Kind::Code, 1, ""),
            (OPEN, 0, "out"),
        ],
    );
}

#[test]
fn front_matter() {
    for (text, want) in [
        ("---\na: b\n---\nx", 13),
        ("\u{feff}---\r\n---\r\nx", 13),
        ("---\na: b\n", 0),
        ("x\n---\n---\n", 0),
        ("", 0),
    ] {
        assert_eq!(body_offset(text), want, "{text:?}");
    }
}

#[test]
fn fences_are_closed() {
    assert_eq!(unclosed_fence("a\n````\nb").as_deref(), Some("````"));
    assert_eq!(unclosed_fence("- a\n\n  ~~~\n  b").as_deref(), Some("  ~~~"));
    assert_eq!(unclosed_fence("```\n```"), None);
}

proptest! {
    /// Every line has a kind, and a closed fence leaves no fence open.
    #[test]
    fn any_text_has_a_structure(body in "([ \\t`~#=>*0-9.\\[\\]xé-]|\\n){0,80}") {
        prop_assert_eq!(lines(&body).count(), body.lines().count());
        prop_assert!(body.is_char_boundary(body_offset(&body)));
        if let Some(fence) = unclosed_fence(&body) {
            prop_assert_eq!(unclosed_fence(&format!("{body}\n{fence}\n")), None);
        }
    }
}
