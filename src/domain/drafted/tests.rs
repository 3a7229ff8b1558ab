use proptest::prelude::*;

use super::*;
use crate::domain::step_file::boxes;

const SETUP: &str = "---\nid: 00-setup\ntitle: Set up\ntype: setup\n---\n\n# Set up\n";

fn file(id: &str, more: &str) -> (String, String) {
    let content =
        format!("---\nid: {id}\ntitle: Do {id}\n{more}---\n\n# Do {id}\n\n## Sub-tasks\n\n- [ ] One\n");
    (format!("{id}.md"), content)
}

fn answer(files: &[(String, String)]) -> Answer {
    let setup = ("00-setup.md".to_owned(), SETUP.to_owned());
    Answer {
        plan_md: "# Title\n\n## Context\n\nIt is so.\n".to_owned(),
        context_md: "All.".to_owned(),
        log_md: "Looked.".to_owned(),
        step_files: [&[setup], files].concat(),
    }
}

fn problems(answer: &Answer) -> String {
    answer.check(Planner::outline()).unwrap_err().join("\n")
}

#[test]
fn a_good_answer_is_taken_and_only_what_a_model_may_choose() {
    let more = "type: qa\nqa: skip\nengine: evil\nloop: [on=qa_failed, back=1]\npaths: [src/**]\n";
    let drafted = answer(&[file("01-a", ""), file("02-b", more)]).check(Planner::outline()).unwrap();
    assert_eq!(drafted.plan, "### Context\n\nIt is so.");
    let ids = |step: &DraftedStep| step.depends_on.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(drafted.steps.iter().map(ids).collect::<Vec<_>>(), [vec![], vec!["00-setup"], vec!["01-a"]]);
    let step = &drafted.steps[2];
    assert_eq!((step.kind, step.paths.as_slice()), (StepKind::Qa, ["src/**".to_owned()].as_slice()));
    let text = step.to_text("full");
    let read = step_file::parse(&text).unwrap();
    assert_eq!((read.qa.unwrap().as_str(), read.more.engine, read.more.policies.len()), ("full", None, 0));
    assert!(text.contains("\n\n# Do 02-b\n\n## Sub-tasks\n\n- [ ] One\n"), "{text}");
}

#[test]
fn what_is_wrong_is_said_for_each_file() {
    let bad = |name: &str, content: &str| problems(&answer(&[(name.to_owned(), content.to_owned())]));
    let body = "\n- [ ] One\n";
    for (name, content, why) in [
        ("../../etc/passwd", String::new(), "without a folder"),
        ("01-a/../x.md", String::new(), "without a folder"),
        ("/01-a.md", String::new(), "without a folder"),
        ("1-a.md", String::new(), "without a folder"),
        ("01-a.md", format!("---\nid: 02-b\ntitle: x\n---\n{body}"), "must be `01-a`"),
        ("01-a.md", format!("no front matter{body}"), "does not begin with a `---` line"),
        ("01-a.md", format!("---\nid: 01-a\ntitle: x\ntype: setup\n---\n{body}"), "only `00-setup`"),
        ("01-a.md", "---\nid: 01-a\ntitle: x\n---\n\n# x\n".to_owned(), "no open box"),
        ("01-a.md", format!("---\nid: 01-a\ntitle: x\n---\n{body}- [x] Two\n"), "ticked already"),
        ("01-a.md", format!("---\nid: 01-a\ntitle: x\ndepends_on: [07-z]\n---\n{body}"), "no earlier step"),
        ("01-a.md", format!("---\nid: 01-a\ntitle: x\npaths: [../../etc]\n---\n{body}"), "line 4"),
        ("00-setup.md", SETUP.to_owned(), "must rise"),
        ("01-a.md", "x".repeat(MAX_FILE + 1), "longer than 64 KiB"),
    ] {
        let said = bad(name, &content);
        assert!(said.contains(why), "{name}: {said}");
    }
    let twice = problems(&answer(&[file("01-a", ""), file("01-a", "")]));
    assert!(twice.contains("must rise, each used once"), "{twice}");
}

#[test]
fn a_plan_needs_setup_and_work_and_is_not_endless() {
    assert!(problems(&answer(&[])).contains("at least one more"));
    let no_setup = Answer { step_files: vec![file("01-a", ""), file("02-b", "")], ..answer(&[]) };
    assert!(problems(&no_setup).contains("the first step file must be `00-setup.md`"));
    let many: Vec<_> = (1..=MAX_STEPS).map(|n| file(&format!("{n:02}-a"), "")).collect();
    assert!(problems(&answer(&many)).contains("more than 100 step files"));
    let empty = Answer { plan_md: " \n\u{1b}[0m".to_owned(), ..answer(&[file("01-a", "")]) };
    assert!(problems(&empty).contains("`plan_md` is empty"));
    let long = Answer { context_md: "x".repeat(MAX_FILE + 1), ..answer(&[file("01-a", "")]) };
    assert!(problems(&long).contains("`context_md` is longer than 64 KiB"));
}

#[test]
fn hostile_texts_are_harmless() {
    let title = "\u{1b}]0;owned\u{7}Do\u{202e} it";
    let content =
        format!("---\nid: 01-a\ntitle: \"{title}\"\n---\n\n# x\n\n- [ ] One\u{1b}[2J\n\n```\n- [x] code\n");
    let drafted = answer(&[("01-a.md".to_owned(), content)]).check(Planner::outline()).unwrap();
    assert_eq!(drafted.steps[1].title, "Do it");
    let text = drafted.steps[1].to_text("skip");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    assert_eq!(boxes(&text).open, 1);
    let said = problems(&answer(&[("01-\u{1b}[31ma.md\n- owned".to_owned(), String::new())]));
    assert!(!said.contains('\u{1b}') && said.lines().count() == 1, "{said}");
}

#[test]
fn headings_of_others_stay_below_ours() {
    let text = "---\nprotocol: x\n---\n# Title\n\n# Steps\n\n## Contract\n\nUnder\n---\n\n```\n# code\n";
    assert_eq!(below_heading(text), "### Steps\n\n### Contract\n\n### Under\n\n```\n# code\n```");
}

proptest! {
    /// Whatever a model answers, what is taken of it can be written and read back.
    #[test]
    fn what_is_taken_is_read_back(
        title in "(?s:[\"':#\\\\ -]|.){0,12}",
        body in "(?s:[`#\n \\[\\]x-]|.){0,60}",
    ) {
        let content = format!("---\nid: 01-a\ntitle: {title}\n---\n{body}\n- [ ] One\n");
        if let Ok(drafted) = answer(&[("01-a.md".to_owned(), content)]).check(Planner::outline()) {
            let text = drafted.steps[1].to_text("full");
            let read = step_file::parse(&text).map_err(|err| TestCaseError::fail(err.to_string()))?;
            prop_assert_eq!(read.title, drafted.steps[1].title.clone());
            prop_assert!(boxes(&text).open > 0 && boxes(&text).done == 0);
        }
    }
}
