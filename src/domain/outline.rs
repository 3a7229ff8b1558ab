//! A plan that somebody has already written, in whatever Markdown: its title,
//! its summary, and its steps.
//!
//! ```text
//! # Title                     # Title                     # Title
//! Summary.                    ## Context  (summary)       ## Summary
//! - [x] First step            ## First step               ## Steps
//!   - [ ] Sub-task            Briefing.                   1. First step
//! - [ ] Second step           - [ ] Sub-task              2. Second step
//! ```
//!
//! The steps are the list below a heading `Steps`, `Tasks`, or `Plan`; else a
//! checklist outside of all sections; else the headings; else a plain list.
//! Nothing of the text is dropped: what is no step is summary or briefing.

mod document;
mod inline;

use self::document::{Document, Section, Shape};
use super::text::markdown::{Kind, Line};
use super::text::multi_line;

/// The most steps that an outline may have.
pub const MAX_STEPS: usize = 999;

/// The most sub-tasks that a step of an outline may have.
pub const MAX_SUB_TASKS: usize = 500;

/// What a document says about the work to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    pub title: Option<String>,
    /// Markdown; empty if there is none.
    pub summary: String,
    /// In their order; empty for a document without lists and headings.
    pub steps: Vec<OutlineStep>,
}

/// One step of an [`Outline`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutlineStep {
    /// One line without markup, never empty.
    pub title: String,
    /// Markdown; empty if there is none.
    pub briefing: String,
    /// One line each, without markup; nested ones follow their parent.
    pub sub_tasks: Vec<String>,
    /// Whether the box of the step is ticked, or all boxes in it if it has none
    /// of its own.
    pub done: bool,
}

/// An outline too long to be a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooManySteps {
    #[error("the outline has more than {MAX_STEPS} steps")]
    Steps,
    #[error("the step `{step}` has more than {MAX_SUB_TASKS} sub-tasks")]
    SubTasks { step: String },
}

/// Reads the Markdown document `text` as an outline, in linear time.
///
/// Never fails for what the text says, only for how much of it there is.
///
/// # Errors
///
/// [`TooManySteps`] beyond [`MAX_STEPS`] or [`MAX_SUB_TASKS`].
pub fn parse(text: &str) -> Result<Outline, TooManySteps> {
    let document = Document::read(text);
    let shape = document.shape();
    let mut builder = Builder::default();
    let mut in_step = false;
    for section in &document.sections {
        match shape {
            Shape::List { role, boxes_only } if section.role == role => {
                builder.add_list(section, boxes_only);
            }
            Shape::Headings { level } if section.is_step && section.level == level => {
                in_step = true;
                builder.begin_step(&section.name, None);
                builder.add_lines(section);
            }
            Shape::Headings { level } if in_step && section.level > level => {
                builder.add_heading(section);
                builder.add_lines(section);
            }
            _ => {
                in_step = false;
                builder.add_to_summary(section);
            }
        }
        if builder.steps.len() > MAX_STEPS {
            return Err(TooManySteps::Steps);
        }
    }
    let steps: Result<_, _> = builder.steps.into_iter().map(Draft::finish).collect();
    Ok(Outline { title: document.title, summary: multi_line(&builder.summary), steps: steps? })
}

/// A step whose texts are still Markdown.
#[derive(Debug, Default)]
struct Draft {
    title: String,
    briefing: String,
    sub_tasks: Vec<String>,
    ticked: Option<bool>,
    n_open: usize,
    n_done: usize,
}

impl Draft {
    fn finish(self) -> Result<OutlineStep, TooManySteps> {
        let title = inline::step_title(&self.title);
        if self.sub_tasks.len() > MAX_SUB_TASKS {
            return Err(TooManySteps::SubTasks { step: title });
        }
        let sub_tasks = self.sub_tasks.iter().map(|text| inline::plain(text));
        Ok(OutlineStep {
            title,
            briefing: multi_line(&self.briefing),
            sub_tasks: sub_tasks.filter(|text| !text.is_empty()).collect(),
            done: self.ticked.unwrap_or(self.n_open == 0 && self.n_done > 0),
        })
    }
}

/// The text that the next line of prose continues, if no blank line is between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Paragraph {
    Title,
    SubTask,
    #[default]
    Other,
}

#[derive(Debug, Default)]
struct Builder {
    summary: String,
    steps: Vec<Draft>,
    paragraph: Paragraph,
}

impl Builder {
    fn begin_step(&mut self, title: &str, ticked: Option<bool>) {
        self.steps.push(Draft { title: title.to_owned(), ticked, ..Draft::default() });
    }

    /// Makes steps of the outer items of a section, or of those with a box.
    fn add_list(&mut self, section: &Section<'_>, boxes_only: bool) {
        let n_before = self.steps.len();
        for line in &section.lines {
            match line.kind {
                Kind::Item { ticked } if line.depth == 0 => {
                    if inline::step_title(line.text).is_empty() || boxes_only && ticked.is_none() {
                        self.add_prose(line.raw, n_before);
                    } else {
                        self.begin_step(line.text, ticked);
                        self.paragraph = Paragraph::Title;
                    }
                }
                _ => self.add_line(line, n_before),
            }
        }
        self.paragraph = Paragraph::Other;
    }

    /// Adds a section to the last step.
    fn add_lines(&mut self, section: &Section<'_>) {
        let n_before = self.steps.len() - 1;
        for line in &section.lines {
            self.add_line(line, n_before);
        }
        self.paragraph = Paragraph::Other;
    }

    /// Adds a line to the last step, or to the summary as long as there are only
    /// `n_before` steps.
    fn add_line(&mut self, line: &Line<'_>, n_before: usize) {
        if let Some(step) = self.steps[n_before..].last_mut() {
            match (line.kind, self.paragraph) {
                (Kind::Item { ticked }, _) => {
                    step.n_open += usize::from(ticked == Some(false));
                    step.n_done += usize::from(ticked == Some(true));
                    step.sub_tasks.push(line.text.to_owned());
                    self.paragraph = Paragraph::SubTask;
                    return;
                }
                (Kind::Text, Paragraph::Title) => return push_word(&mut step.title, line.text),
                (Kind::Text, Paragraph::SubTask) => {
                    return step.sub_tasks.last_mut().map_or((), |text| push_word(text, line.text));
                }
                _ => {}
            }
            self.add_prose(line.text, n_before);
        } else {
            self.add_prose(line.raw, n_before);
        }
    }

    fn add_prose(&mut self, text: &str, n_before: usize) {
        self.paragraph = Paragraph::Other;
        let target = match self.steps[n_before..].last_mut() {
            Some(step) => &mut step.briefing,
            None => &mut self.summary,
        };
        push_line(target, text);
    }

    /// Adds the heading of a section within the last step.
    fn add_heading(&mut self, section: &Section<'_>) {
        if let Some(step) = self.steps.last_mut() {
            push_heading(&mut step.briefing, section);
        }
    }

    fn add_to_summary(&mut self, section: &Section<'_>) {
        let is_summary = ["summary", "overview"].contains(&section.key().as_str());
        if section.level > 0 && !is_summary {
            push_heading(&mut self.summary, section);
        }
        for line in &section.lines {
            push_line(&mut self.summary, line.raw);
        }
        push_line(&mut self.summary, "");
    }
}

fn push_word(text: &mut String, more: &str) {
    text.push(' ');
    text.push_str(more);
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// Pushes a heading that stays below the `##` of the file it will be part of,
/// with a blank line on both sides.
fn push_heading(text: &mut String, section: &Section<'_>) {
    text.truncate(text.trim_end().len());
    let marks = "#".repeat(section.level.clamp(3, 6));
    text.push_str(&["\n\n", &marks, " ", &section.name, "\n\n"].concat());
}

#[cfg(test)]
mod tests;
