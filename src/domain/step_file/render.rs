//! The files that `plan` writes into the tree.
//!
//! Every value comes as an argument, so the same plan gives the same bytes.

use super::front_matter::{Scalar, render_entry};
use super::more;
use crate::domain::spec::StepMore;
use crate::domain::text::{markdown, multi_line, one_line};

/// A step file to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewStep {
    /// `03-api`
    pub id: String,
    pub title: String,
    /// `setup`, `work`, or `qa`.
    pub kind: String,
    /// `skip`, `light`, or `full`.
    pub qa: String,
    /// Ids of steps. Always written, so an empty list frees the step.
    pub depends_on: Vec<String>,
    pub more: StepMore,
    /// Markdown, of any number of lines.
    pub briefing: String,
    /// One box each.
    pub sub_tasks: Vec<String>,
    /// What to check at the end, one item each.
    pub verification: Vec<String>,
}

/// A step as `plan.md` and `context.md` mention it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepLink {
    /// `03-api`; its file is `03-api.md` beside.
    pub id: String,
    pub title: String,
}

/// A `plan.md` to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewPlan {
    /// `0007-add-login`
    pub protocol: String,
    /// The branch that the protocol will be merged into.
    pub base: String,
    /// The version of the form of the files.
    pub schema: u32,
    pub title: String,
    /// Markdown, of any number of lines.
    pub summary: String,
    /// In their order.
    pub steps: Vec<StepLink>,
}

/// Returns the text of a step file.
///
/// [`parse`](super::parse) gives back the values of its front matter, provided
/// that they are valid and the title is not blank. Texts
/// below it are cleaned, and a fence that the briefing leaves open is closed, so
/// that every sub-task is a box that counts.
pub fn render(step: &NewStep) -> String {
    let sections = [
        format!("{}\n# {}\n", header(step), one_line(&step.title)),
        format!("## Briefing\n{}", prose(&step.briefing)),
        format!("## Sub-tasks\n{}", items("- [ ] ", &step.sub_tasks)),
        format!("## Verification\n{}", items("- ", &step.verification)),
    ];
    sections.join("\n")
}

/// Returns the text of a step file whose body somebody else wrote: below the front matter comes `body`
/// as it is but cleaned, with the title above it unless it begins with one.
pub fn render_with(step: &NewStep, body: &str) -> String {
    let body = multi_line(body);
    let title =
        if body.starts_with("# ") { String::new() } else { format!("\n# {}\n", one_line(&step.title)) };
    format!("{}{title}{}", header(step), prose(&body))
}

fn header(step: &NewStep) -> String {
    let mut entries = vec![
        ("id".to_owned(), Scalar::Text(step.id.clone())),
        ("title".to_owned(), Scalar::Text(step.title.clone())),
        ("type".to_owned(), Scalar::Text(step.kind.clone())),
        ("qa".to_owned(), Scalar::Text(step.qa.clone())),
        ("depends_on".to_owned(), Scalar::List(step.depends_on.clone())),
        ("paths".to_owned(), Scalar::List(step.more.paths.clone())),
    ];
    entries.extend(more::entries(&step.more, &step.id));
    front_matter(&entries)
}

/// Returns the text of `plan.md`.
pub fn render_plan(plan: &NewPlan) -> String {
    let protocol = &plan.protocol;
    let (number, _) = protocol.split_once('-').unwrap_or((protocol, ""));
    let steps: Vec<_> = (1..).zip(&plan.steps).map(|(n, step)| format!("{n}. {}", link(step))).collect();
    format!(
        "{front_matter}
# {title}

## Summary
{summary}
## Steps

{steps}

## Contract

- A commit has the subject `type(scope): subject [protocol-{number}/XX]`, where XX is the number
  of its step, and the trailer `Godzilla-Step: {protocol}/XX-name`. The trailer decides; the hooks
  write both.
- Steps are done in order, unless a step's `depends_on` says otherwise.
- A commit belongs to one step and ticks the boxes of that step's file as the work gets done.
- A step is done when the last open box of its file is ticked, when a commit carries the trailer
  `Godzilla-Status: done`, or after `git godzilla done`. It is complete once its QA has passed.
- The protocol is complete when its branch has been merged into `{base}`.
",
        front_matter = front_matter(&[
            ("protocol".to_owned(), Scalar::Text(plan.protocol.clone())),
            ("base".to_owned(), Scalar::Text(plan.base.clone())),
            ("schema".to_owned(), Scalar::Text(plan.schema.to_string())),
        ]),
        title = one_line(&plan.title),
        summary = prose(&plan.summary),
        steps = steps.join("\n"),
        base = one_line(&plan.base),
    )
}

/// Returns the text of `context.md`: where the work stands and where to read on.
///
/// `current` is the step to work on, `None` once all are done. The file is true
/// as of its commit only, and says so.
pub fn render_context(plan: &NewPlan, current: Option<&StepLink>) -> String {
    let current = match current {
        Some(step) => format!("Current step: {}", link(step)),
        None => "Current step: none, all steps are done".to_owned(),
    };
    format!(
        "# Context of {protocol}

{title}

{current}

- [Plan and contract](plan.md)
- [Log](log.md)

This file is as old as its last commit; `git godzilla status` knows better.
",
        protocol = plan.protocol,
        title = one_line(&plan.title),
    )
}

/// Returns the first text of `log.md`, to which runs add.
pub fn render_log(plan: &NewPlan) -> String {
    let n_steps = plan.steps.len();
    let steps = if n_steps == 1 { "step" } else { "steps" };
    format!(
        "# Log of {protocol}

Newest last. For people: `git godzilla log` shows every event.

- Planned with {n_steps} {steps}, to be merged into `{base}`
",
        protocol = plan.protocol,
        base = one_line(&plan.base),
    )
}

fn front_matter(entries: &[(String, Scalar)]) -> String {
    let entries: String = entries.iter().map(|(key, value)| render_entry(key, value)).collect();
    format!("---\n{entries}---\n")
}

fn link(step: &StepLink) -> String {
    let id = &step.id;
    format!("[{id}]({id}.md): {}", one_line(&step.title))
}

/// Returns the paragraphs below a heading, with a blank line above; empty for no text. A fence that is
/// left open is closed.
pub fn prose(text: &str) -> String {
    let text = multi_line(text);
    match markdown::unclosed_fence(&text) {
        Some(fence) => format!("\n{text}\n{fence}\n"),
        None if text.is_empty() => text,
        None => format!("\n{text}\n"),
    }
}

/// The list below a heading, likewise.
fn items(mark: &str, texts: &[String]) -> String {
    let items: String = texts
        .iter()
        .map(|text| one_line(text))
        .filter(|text| !text.is_empty())
        .map(|text| [mark, &text, "\n"].concat())
        .collect();
    if items.is_empty() {
        return items;
    }
    format!("\n{items}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::spec::QaPolicy;
    use crate::domain::step_file::{Boxes, boxes, parse};

    fn plan() -> NewPlan {
        let step = |id: &str, title: &str| StepLink { id: id.to_owned(), title: title.to_owned() };
        NewPlan {
            protocol: "0007-add-login".to_owned(),
            base: "main".to_owned(),
            schema: 1,
            title: "Add login".to_owned(),
            summary: "Users log in.".to_owned(),
            steps: vec![step("01-setup", "Set up"), step("02-api", "The API")],
        }
    }

    #[test]
    fn step() {
        let step = NewStep {
            id: "02-api".to_owned(),
            title: "The \"API\": new".to_owned(),
            kind: "work".to_owned(),
            qa: "full".to_owned(),
            depends_on: vec!["01-setup".to_owned()],
            more: StepMore { paths: vec!["src/**".to_owned(), "docs".to_owned()], ..StepMore::default() },
            briefing: "Read this.\n\n```\n- [ ] open\n".to_owned(),
            sub_tasks: vec!["One".to_owned(), "Two\nlines".to_owned(), " ".to_owned()],
            verification: vec!["It works".to_owned()],
        };
        assert_eq!(
            render(&step),
            r#"---
id: 02-api
title: "The \"API\": new"
type: work
qa: full
depends_on: [01-setup]
paths: ["src/**", docs]
---

# The "API": new

## Briefing

Read this.

```
- [ ] open
```

## Sub-tasks

- [ ] One
- [ ] Two lines

## Verification

- It works
"#
        );
    }

    #[test]
    fn plan_md() {
        let text = render_plan(&plan());
        let head = "---\nprotocol: 0007-add-login\nbase: main\nschema: 1\n---\n\n# Add login\n\n\
                    ## Summary\n\nUsers log in.\n\n## Steps\n\n1. [01-setup](01-setup.md): Set up\n\
                    2. [02-api](02-api.md): The API\n\n## Contract\n\n- A commit has the subject \
                    `type(scope): subject [protocol-0007/XX]`";
        assert!(text.starts_with(head), "{text}");
        assert_eq!(boxes(&text), Boxes::default());
    }

    #[test]
    fn context_and_log() {
        let plan = plan();
        let context = render_context(&plan, plan.steps.first());
        assert!(context.contains("\nCurrent step: [01-setup](01-setup.md): Set up\n"));
        assert!(render_context(&plan, None).contains("\nCurrent step: none"));
        assert!(render_log(&plan).ends_with("\n- Planned with 2 steps, to be merged into `main`\n"));
    }

    fn any_texts() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec("[a-z][ -~\\n\\té]{0,12}", 0..4)
    }

    proptest! {
        /// What is written is read back, whatever the texts are.
        #[test]
        fn front_matter_is_read_back(
            title in "(?s:[\"':\\[\\]{}#\\\\, é🦖\\n-]|.){0,20}x",
            kind in prop::sample::select(vec!["setup", "work", "qa"]),
            qa in prop::sample::select(vec!["skip", "light", "full"]),
            depends_on in prop::collection::vec("[0-9]{2}-[a-z][a-z0-9-]{0,5}", 0..4),
            paths in prop::collection::vec("x[\"', \\]#é*]{0,8}y", 0..4),
            briefing in "(?s:[`~ \\n-]|.){0,40}",
            sub_tasks in any_texts(),
        ) {
            let step = NewStep {
                id: "03-api".to_owned(),
                title, kind: kind.to_owned(), qa: qa.to_owned(), depends_on, briefing, sub_tasks,
                more: StepMore { paths, ..StepMore::default() },
                verification: Vec::new(),
            };
            let text = render(&step);
            let file = parse(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!((file.id, file.title), (step.id.clone(), step.title.clone()));
            prop_assert_eq!((file.kind.as_str(), file.qa.map(QaPolicy::as_str)), (kind, Some(qa)));
            prop_assert_eq!(file.depends_on.as_ref(), Some(&step.depends_on));
            prop_assert_eq!(&file.more, &step.more);

            let in_briefing = boxes(&multi_line(&step.briefing)).open;
            prop_assert_eq!(boxes(&text).open as usize, in_briefing as usize + step.sub_tasks.len());
        }
    }
}
