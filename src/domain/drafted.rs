//! A plan that a model wrote: what of its answer is taken, and what is wrong with it.
//!
//! Nothing of the answer is believed: names are checked, texts cleaned, and front matter is written anew
//! from the few entries that a model may choose. Who checks a step, who does it and what follows it are
//! not among them.

mod grounding;
mod prose;

pub use self::grounding::ungrounded;
pub use self::prose::below_heading;

use super::id::StepId;
use super::spec::{Planner, StepKind, StepMore};
use super::step_file::{self, NewStep};
use super::text::{clip, multi_line, one_line};

/// How many steps a plan of a model may have, the setup step included.
pub const MAX_STEPS: usize = 100;

/// The longest text of one file, in bytes.
pub const MAX_FILE: usize = 64 * 1024;

/// The longest title of a step, in characters.
const MAX_TITLE: usize = 120;

/// How many problems are named at once.
const MAX_PROBLEMS: usize = 20;

/// An answer as it came, of the right shape but unchecked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub plan_md: String,
    pub context_md: String,
    pub log_md: String,
    /// Names and texts.
    pub step_files: Vec<(String, String)>,
}

/// A plan that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drafted {
    pub planner: Planner,
    /// Markdown for below a heading of the second level, as are the next two.
    pub plan: String,
    pub context: String,
    pub log: String,
    /// By number, the setup step first.
    pub steps: Vec<DraftedStep>,
}

/// A step of a plan that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftedStep {
    pub id: StepId,
    pub title: String,
    pub kind: StepKind,
    pub depends_on: Vec<StepId>,
    /// Patterns of the files that the step is about.
    pub paths: Vec<String>,
    /// Markdown below the front matter, its title included.
    pub body: String,
}

impl DraftedStep {
    /// Returns the step file with this policy.
    pub fn to_text(&self, qa: &str) -> String {
        step_file::render_with(&self.header(qa), &self.body)
    }

    fn header(&self, qa: &str) -> NewStep {
        NewStep {
            id: self.id.to_string(),
            title: self.title.clone(),
            kind: self.kind.to_string(),
            qa: qa.to_owned(),
            depends_on: self.depends_on.iter().map(ToString::to_string).collect(),
            more: StepMore { paths: self.paths.clone(), ..StepMore::default() },
            ..NewStep::default()
        }
    }
}

impl Answer {
    /// Returns the plan that the answer is.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, one line each, twenty at most; the texts in them are cleaned.
    pub fn check(&self, planner: Planner) -> Result<Drafted, Vec<String>> {
        let mut problems = Vec::new();
        for (what, text) in
            [("plan_md", &self.plan_md), ("context_md", &self.context_md), ("log_md", &self.log_md)]
        {
            if text.len() > MAX_FILE {
                problems.push(format!("`{what}` is longer than {} KiB", MAX_FILE / 1024));
            }
        }
        if multi_line(&self.plan_md).is_empty() {
            problems.push("`plan_md` is empty".to_owned());
        }
        let steps = self.steps(&mut problems);
        if !problems.is_empty() {
            problems.truncate(MAX_PROBLEMS);
            return Err(problems);
        }
        Ok(Drafted {
            planner,
            plan: below_heading(&self.plan_md),
            context: below_heading(&self.context_md),
            log: below_heading(&self.log_md),
            steps,
        })
    }

    fn steps(&self, problems: &mut Vec<String>) -> Vec<DraftedStep> {
        let mut steps: Vec<DraftedStep> = Vec::new();
        if self.step_files.len() < 2 {
            problems.push("there must be `00-setup.md` and at least one more step file".to_owned());
        }
        if self.step_files.len() > MAX_STEPS {
            problems.push(format!("there are more than {MAX_STEPS} step files"));
            return steps;
        }
        if self.step_files.first().is_none_or(|(name, _)| name != "00-setup.md") {
            problems.push("the first step file must be `00-setup.md`".to_owned());
        }
        for (name, content) in &self.step_files {
            let shown = clip(&one_line(name), 80);
            match step(name, content, steps.last()) {
                Ok(step) => steps.push(step),
                Err(found) => problems.extend(found.into_iter().map(|why| format!("`{shown}`: {why}"))),
            }
        }
        for (idx, step) in steps.iter().enumerate() {
            for needed in &step.depends_on {
                if !steps[..idx].iter().any(|before| before.id == *needed) {
                    problems.push(format!(
                        "`{}.md`: it depends on `{needed}`, which is no earlier step",
                        step.id
                    ));
                }
            }
        }
        steps
    }
}

/// Reads a step file that comes after the step `before`.
fn step(name: &str, content: &str, before: Option<&DraftedStep>) -> Result<DraftedStep, Vec<String>> {
    let one = |why: &str| vec![why.to_owned()];
    let id = name.strip_suffix(".md").and_then(|stem| stem.parse::<StepId>().ok());
    let Some(id) = id else {
        return Err(one("a step file is called such as `01-schema.md`, without a folder"));
    };
    if content.len() > MAX_FILE {
        return Err(vec![format!("it is longer than {} KiB", MAX_FILE / 1024)]);
    }
    let text = multi_line(content);
    let file = step_file::parse(&text).map_err(|err| vec![one_line(&err.to_string())])?;
    let mut problems = Vec::new();
    let mut wrong = |is_wrong: bool, why: String| {
        if is_wrong {
            problems.push(why);
        }
    };
    let title = clip(&one_line(&file.title), MAX_TITLE);
    let body = text[file.body..].trim();
    let boxes = step_file::boxes(body);
    let is_setup = id.number() == 0;
    wrong(file.id != id.as_str(), format!("its `id` must be `{id}`, as its name says"));
    wrong(title.is_empty(), "its `title` is empty".to_owned());
    wrong(
        before.is_some_and(|before| before.id.number() >= id.number()),
        "the numbers of step files must rise, each used once".to_owned(),
    );
    wrong(!is_setup && file.kind == StepKind::Setup, "only `00-setup` has the type `setup`".to_owned());
    wrong(body.is_empty(), "it says nothing below its front matter".to_owned());
    wrong(!is_setup && boxes.open == 0, "it has no open box `- [ ]`".to_owned());
    wrong(boxes.done > 0, "it has a box that is ticked already".to_owned());
    if !problems.is_empty() {
        return Err(problems);
    }
    // What `parse` has found to be ids are ids.
    let depends_on = match &file.depends_on {
        _ if is_setup => Vec::new(),
        Some(ids) => ids.iter().filter_map(|id| id.parse().ok()).collect(),
        None => before.map(|before| before.id.clone()).into_iter().collect(),
    };
    let kind = if is_setup { StepKind::Setup } else { file.kind };
    Ok(DraftedStep { id, title, kind, depends_on, paths: file.more.paths.clone(), body: body.to_owned() })
}

#[cfg(test)]
mod tests;
