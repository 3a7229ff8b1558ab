use proptest::prelude::*;

use super::*;

/// A compact picture of an outline.
fn show(text: &str) -> String {
    let outline = parse(text).unwrap();
    let mut out = format!("{:?} {:?}\n", outline.title.unwrap_or_default(), outline.summary);
    for step in outline.steps {
        let mark = if step.done { 'x' } else { ' ' };
        let briefing = Some(step.briefing).filter(|text| !text.is_empty());
        let briefing = briefing.map(|text| format!(" {text:?}")).unwrap_or_default();
        let line = format!("[{mark}] {}{briefing} {:?}\n", step.title, step.sub_tasks);
        out.push_str(&line);
    }
    out
}

#[track_caller]
fn check(text: &str, want: &str) {
    assert_eq!(show(text), want);
}

#[test]
fn checklist() {
    check(
        "---\na: b\n---\n# The **title**\n\nWhy.\n\n- [x] `One`\n  - [ ] a\n    - b\n- [ ] Two\n  wrapped\n\n  \
         More.\n  ```\n  - [ ] code\n  ```\n- note\n- [ ] \nEnd.\n",
        "\"The title\" \"Why.\"\n[x] One [\"a\", \"b\"]\n\
         [ ] Two wrapped \"More.\\n```\\n- [ ] code\\n```\\n- note\\n- [ ]\\nEnd.\" []\n",
    );
}

#[test]
fn plain_list() {
    check("1. One\n2. Two\n   - [x] a\n   - [x] b\n", "\"\" \"\"\n[ ] One []\n[x] Two [\"a\", \"b\"]\n");
}

#[test]
fn headings() {
    check(
        "Title\n=====\nIntro.\n- goal\n\n## Context\nText.\n### Deep\nMore.\n\nStep 1: One\n------\nBrief.\n\n\
         - [x] a\n  * b\n\n### Part\n1. c\n\n## Two\n~~~\n# no heading\n~~~\n## Notes:\nN.\n",
        "\"Title\" \"Intro.\\n- goal\\n\\n### Context\\n\\nText.\\n\\n### Deep\\n\\nMore.\\n\\n\
         ### Notes:\\n\\nN.\"\n\
         [x] One \"Brief.\\n\\n### Part\" [\"a\", \"b\", \"c\"]\n\
         [ ] Two \"~~~\\n# no heading\\n~~~\" []\n",
    );
}

#[test]
fn the_level_of_steps() {
    // The shallowest level that occurs more than once.
    check(
        "# T\n## All\nA.\n### One\nx\n### Two\ny\n",
        "\"T\" \"### All\\n\\nA.\"\n[ ] One \"x\" []\n[ ] Two \"y\" []\n",
    );
    // The only one.
    check("# T\n## One\n- a\n", "\"T\" \"\"\n[ ] One [\"a\"]\n");
    // Several titles.
    check("# T\n# One\n# Two\n", "\"T\" \"\"\n[ ] One []\n[ ] Two []\n");
    // Headings without content do not beat a list.
    check("- One\n\n## Empty\n", "\"\" \"### Empty\"\n[ ] One []\n");
}

#[test]
fn a_section_of_steps() {
    check(
        "# T\n## Summary\nS.\n## Tasks\nIntro.\n\n1. One\n   1. a\n2. Two\n\n## Other\n- [ ] not a step\n",
        "\"T\" \"S.\\n\\nIntro.\\n\\n### Other\\n\\n- [ ] not a step\"\n[ ] One [\"a\"]\n[ ] Two []\n",
    );
    // Its headings are the steps if it has no list.
    check(
        "# T\n## Plan\n### One\n- a\n### Two\n- b\n",
        "\"T\" \"### Plan\"\n[ ] One [\"a\"]\n[ ] Two [\"b\"]\n",
    );
}

#[test]
fn a_checklist_outside_of_sections_wins() {
    check(
        "# T\n- [ ] One\n## Details\nD.\n## More\nM.\n",
        "\"T\" \"### Details\\n\\nD.\\n\\n### More\\n\\nM.\"\n[ ] One []\n",
    );
}

#[test]
fn nothing_to_do() {
    for text in ["", "\n\n", "Just prose.\n", "# Title\n", "## Context\n- [ ] a\n", "---\na: b\n---\n"] {
        assert_eq!(parse(text).unwrap().steps, [], "{text:?}");
    }
}

#[test]
fn caps() {
    assert_eq!(parse(&"- [ ] a\n".repeat(MAX_STEPS)).unwrap().steps.len(), MAX_STEPS);
    assert_eq!(parse(&"- [ ] a\n".repeat(MAX_STEPS + 1)), Err(TooManySteps::Steps));
    let long = "# T\n## One\n".to_owned() + &"- a\n".repeat(MAX_SUB_TASKS + 1);
    let step = "One".to_owned();
    assert_eq!(parse(&long), Err(TooManySteps::SubTasks { step }));
}

proptest! {
    /// Any text has an outline, whose titles are clean.
    #[test]
    fn any_text_is_read(
        lines in prop::collection::vec(
            prop::sample::select(vec![
                "", "", "# A", "## B", "### C", "## Notes", "## Steps", "===", "---", "- a", "- [ ] b",
                "  - [x] c", "1. d", "   e", "text", "```", "~~~", "- [ ]", "##", "\t- f", "\u{1b}[1m", "- - g",
            ]),
            0..20,
        ),
    ) {
        let outline = parse(&lines.join("\n")).unwrap();
        for step in &outline.steps {
            prop_assert!(!step.title.is_empty());
            prop_assert!(!step.title.contains(char::is_control));
            prop_assert!(step.sub_tasks.iter().all(|text| !text.is_empty()));
        }
    }

    /// No word of prose is lost.
    #[test]
    fn nothing_is_dropped(
        marks in prop::collection::vec(
            prop::sample::select(vec!["", "# ", "## ", "### ", "- ", "- [ ] ", "  - ", "1. ", "\n", "  "]),
            0..15,
        ),
    ) {
        let words = (0..).map(|i| format!("word{i}x"));
        let lines = marks.iter().zip(words.clone());
        let text: String = lines.map(|(mark, word)| [*mark, &word, "\n"].concat()).collect();
        let shown = show(&text);
        for word in words.take(marks.len()) {
            prop_assert!(shown.contains(&word), "{word} of {text:?} is not in {shown}");
        }
    }
}
