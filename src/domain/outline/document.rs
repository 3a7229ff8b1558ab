//! A document cut at its headings, and where its steps are.

use super::inline;
use crate::domain::text::markdown::{self, Kind, Line};

/// Headings that never are steps.
const PROSE: [&str; 7] = ["summary", "overview", "context", "background", "notes", "goals", "contract"];

/// Headings whose list is the list of steps.
const STEPS: [&str; 3] = ["steps", "tasks", "plan"];

/// A document without front matter.
#[derive(Debug)]
pub(super) struct Document<'a> {
    /// The first heading of level one.
    pub(super) title: Option<String>,
    pub(super) sections: Vec<Section<'a>>,
}

/// What stands between a heading and the next one, of whatever level.
#[derive(Debug)]
pub(super) struct Section<'a> {
    /// Zero for what is below the title or no heading at all.
    pub(super) level: usize,
    /// The heading without markup.
    pub(super) name: String,
    pub(super) role: Role,
    /// Whether the heading may name a step.
    pub(super) is_step: bool,
    pub(super) lines: Vec<Line<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Below the title.
    Root,
    /// For the summary, by its name or the name of a section around it.
    Prose,
    /// By its name the place of the steps.
    Steps,
    Other,
}

/// Where the steps of a document are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The outer items in sections of this role, or those that have a box.
    List { role: Role, boxes_only: bool },
    /// The headings of this level.
    Headings { level: usize },
    /// Nowhere.
    Prose,
}

impl Section<'_> {
    fn new(level: usize, name: String) -> Self {
        Self { level, name, role: Role::Root, is_step: false, lines: Vec::new() }
    }

    /// The name as it is compared.
    pub(super) fn key(&self) -> String {
        self.name.trim_end_matches(':').to_lowercase()
    }

    fn outer_items(&self) -> impl Iterator<Item = Option<bool>> {
        self.lines.iter().filter_map(|line| match line.kind {
            Kind::Item { ticked } if line.depth == 0 => Some(ticked),
            _ => None,
        })
    }

    /// Takes the paragraph at the end, which an underline makes a heading.
    fn take_paragraph(&mut self) -> String {
        let is_text = |line: &Line<'_>| line.kind == Kind::Text && line.depth == 0;
        let before = self.lines.iter().rposition(|line| !is_text(line));
        let paragraph = self.lines.split_off(before.map_or(0, |last| last + 1));
        let texts: Vec<_> = paragraph.iter().map(|line| line.text).collect();
        texts.join(" ")
    }
}

impl<'a> Document<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let mut title = None;
        let mut sections: Vec<Section<'a>> = Vec::new();
        let mut current = Section::new(0, String::new());
        for line in markdown::lines(&text[markdown::body_offset(text)..]) {
            let (level, heading) = match line.kind {
                Kind::Heading(level) => (level, line.text.to_owned()),
                Kind::Underline(level) => (level, current.take_paragraph()),
                _ => {
                    current.lines.push(line);
                    continue;
                }
            };
            let next = if level == 1 && title.is_none() {
                title = Some(inline::plain(&heading)).filter(|title| !title.is_empty());
                Section::new(0, String::new())
            } else {
                Section::new(level, inline::step_title(&heading))
            };
            sections.push(std::mem::replace(&mut current, next));
        }
        sections.push(current);
        assign_roles(&mut sections);
        Self { title, sections }
    }

    /// Decides where the steps are.
    pub(super) fn shape(&self) -> Shape {
        if let Some(list) = self.list(Role::Steps) {
            return list;
        }
        let list = self.list(Role::Root);
        match (list, self.step_level()) {
            (Some(Shape::List { boxes_only: false, .. }) | None, Some((level, has_content)))
                if has_content || list.is_none() =>
            {
                Shape::Headings { level }
            }
            _ => list.unwrap_or(Shape::Prose),
        }
    }

    /// The list in the sections of `role`, if they have outer items.
    fn list(&self, role: Role) -> Option<Shape> {
        let sections = self.sections.iter().filter(|section| section.role == role);
        let items: Vec<_> = sections.flat_map(Section::outer_items).collect();
        let boxes_only = items.iter().any(Option::is_some);
        (!items.is_empty()).then_some(Shape::List { role, boxes_only })
    }

    /// The shallowest level with several headings that may name a step, else the
    /// shallowest with one; and whether anything stands below them.
    fn step_level(&self) -> Option<(usize, bool)> {
        let mut counts = [0_usize; 7];
        let mut has_content = false;
        for section in self.sections.iter().filter(|section| section.is_step) {
            counts[section.level] += 1;
            has_content |= section.lines.iter().any(|line| line.kind != Kind::Blank);
        }
        let first = |min| counts.iter().position(|&count| count >= min);
        Some((first(2).or_else(|| first(1))?, has_content))
    }
}

fn assign_roles(sections: &mut [Section<'_>]) {
    let mut prose_level = usize::MAX;
    for i in 0..sections.len() {
        let has_children = sections.get(i + 1).is_some_and(|next| next.level > sections[i].level);
        let section = &mut sections[i];
        if section.level <= prose_level {
            prose_level = usize::MAX;
        }
        let key = section.key();
        section.role = if section.level == 0 {
            Role::Root
        } else if section.level > prose_level {
            Role::Prose
        } else if PROSE.contains(&key.as_str()) {
            prose_level = section.level;
            Role::Prose
        } else if STEPS.contains(&key.as_str()) {
            Role::Steps
        } else {
            Role::Other
        };
        section.is_step = match section.role {
            Role::Root | Role::Prose => false,
            Role::Steps => !has_children,
            Role::Other => !section.name.is_empty(),
        };
    }
}
