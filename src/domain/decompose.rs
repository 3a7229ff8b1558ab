//! Saying more about a step: which steps are worth it, and which answers are taken.

use std::collections::BTreeSet;

use super::drafted::DraftedStep;
use super::step_file;
use super::text::markdown::{Kind, lines};
use super::text::multi_line;

/// How much there is to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Complexity {
    Low,
    Medium,
    High,
}

/// Words that stand for work that is more than it looks.
const HEAVY: &[&str] = &[
    "refactor",
    "migrate",
    "integrate",
    "architecture",
    "redesign",
    "implement",
    "create",
    "build",
    "setup",
    "configure",
    "database",
    "api",
    "endpoint",
    "service",
    "component",
    "module",
    "test suite",
    "authentication",
    "authorization",
    "deployment",
    "infrastructure",
];

/// Returns how much there is to a step whose Markdown is `text`: by its length, its list items, the
/// files that it names, and the heavy words in it.
pub fn complexity(text: &str) -> Complexity {
    let n_items = lines(text).filter(|line| matches!(line.kind, Kind::Item { .. })).count();
    let score = grade(text.chars().count(), [499, 1499, 2999])
        + grade(n_items, [3, 6, 12])
        + grade(files(text).len(), [1, 3, 6])
        + grade(heavy_words(text), [1, 3, usize::MAX]);
    match score {
        0..=2 => Complexity::Low,
        3..=5 => Complexity::Medium,
        _ => Complexity::High,
    }
}

/// How many of the limits a number is beyond.
fn grade(n: usize, limits: [usize; 3]) -> usize {
    limits.iter().filter(|limit| n > **limit).count()
}

/// The files that a text names, each once: words with a `.` and an ending, and words with a `/`.
fn files(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let words = text.split(|c| !is_part(c)).map(|word| word.trim_matches(['.', '/', '-']));
    words
        .filter(|word| {
            let ending = word.rsplit_once('.').filter(|(stem, ending)| {
                stem.len() + ending.len() > 2
                    && stem.contains(char::is_alphabetic)
                    && ending.starts_with(char::is_alphabetic)
                    && ending.len() <= 5
            });
            ending.is_some() || word.contains('/')
        })
        .collect()
}

fn heavy_words(text: &str) -> usize {
    let text = text.to_lowercase();
    let is_letter = |c: char| c.is_alphanumeric();
    let is_word = |at: usize, word: &str| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_letter) && !after.is_some_and(is_letter)
    };
    HEAVY.iter().filter(|word| text.match_indices(**word).any(|(at, word)| is_word(at, word))).count()
}

/// Returns the step with what an engine said more about it, where `sent` is its file as the engine was
/// given it.
///
/// # Errors
///
/// Why the step stays as it was: the answer is empty or no step file, it changes the front matter, takes
/// a section away, has no open box or one that is ticked, or says less than the step said before.
pub fn taken(step: &DraftedStep, sent: &str, answer: &str) -> Result<DraftedStep, String> {
    let text = multi_line(without_fence(answer));
    if text.is_empty() {
        return Err("the answer is empty".to_owned());
    }
    let file = step_file::parse(&text).map_err(|err| format!("the answer is no step file: {err}"))?;
    let before = step_file::parse(sent).map_err(|err| err.to_string())?;
    if file.front_matter != before.front_matter {
        return Err("the answer changes the front matter".to_owned());
    }
    let body = text[file.body..].trim();
    let old = sent[before.body..].trim();
    let boxes = step_file::boxes(body);
    if boxes.open == 0 {
        return Err("the answer has no open box".to_owned());
    }
    if boxes.done > 0 {
        return Err("the answer has a box that is ticked".to_owned());
    }
    if let Some(gone) = headings(old).into_iter().find(|heading| !headings(body).contains(heading)) {
        return Err(format!("the answer leaves out the section `{gone}`"));
    }
    if body.chars().count() < old.chars().count() {
        return Err("the answer says less than the step did".to_owned());
    }
    if body.len() > super::drafted::MAX_FILE {
        return Err("the answer is too long".to_owned());
    }
    Ok(DraftedStep { body: body.to_owned(), ..step.clone() })
}

/// Returns a text without the fence that all of it stands in.
pub fn without_fence(text: &str) -> &str {
    let text = text.trim();
    let Some((first, rest)) = text.split_once('\n') else { return text };
    let n_marks = first.len() - first.trim_start_matches('`').len();
    let info = &first[n_marks..];
    let mark = &first[..n_marks];
    match rest.trim_end().strip_suffix(mark) {
        Some(inner) if n_marks >= 3 && !info.contains('`') && (inner.is_empty() || inner.ends_with('\n')) => {
            inner
        }
        _ => text,
    }
}

fn headings(body: &str) -> Vec<String> {
    let headings = lines(body).filter(|line| matches!(line.kind, Kind::Heading(1 | 2)));
    headings.map(|line| line.text.trim().to_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::spec::StepKind;

    fn step() -> DraftedStep {
        DraftedStep {
            id: "01-a".parse().unwrap(),
            title: "Do it".to_owned(),
            kind: StepKind::Work,
            depends_on: vec!["00-setup".parse().unwrap()],
            paths: vec!["src/**".to_owned()],
            body: "# Do it\n\n## Briefing\n\nShort.\n\n## Sub-tasks\n\n- [ ] One".to_owned(),
        }
    }

    fn refused(change: impl Fn(&str) -> String) -> String {
        let sent = step().to_text("full");
        taken(&step(), &sent, &change(&sent)).unwrap_err()
    }

    #[test]
    fn simple_steps_are_told_from_hard_ones() {
        assert_eq!(complexity("Fix the typo in README.md."), Complexity::Low);
        let items = "1. Change a.rs\n2. Change b.rs\n3. Change c/d\n4. Test\n";
        assert_eq!(files(items).len(), 3);
        assert_eq!(complexity(&format!("Implement the api.\n\n{items}")), Complexity::Medium);
        let long = format!("Refactor the database service.\n\n{items}{items}{}", "word ".repeat(300));
        assert_eq!(complexity(&long), Complexity::High);
    }

    #[test]
    fn files_are_counted_as_files_and_heavy_words_as_words() {
        assert_eq!(files("e.g. a.rs, b.rs and a.rs; v1.2, etc. It is done.").len(), 2);
        assert_eq!(heavy_words("rapid apis, the API, Services, a service"), 2);
    }

    #[test]
    fn more_is_taken_and_a_fence_around_it_is_not() {
        let sent = step().to_text("full");
        let more = sent.replace("- [ ] One", "- [ ] One in src/a.rs\n  - [ ] and its test");
        let fenced = format!("````markdown\n{more}\n````\n");
        for answer in [&more, &fenced] {
            let step = taken(&step(), &sent, answer).unwrap();
            assert!(step.body.ends_with("and its test") && step.title == "Do it", "{}", step.body);
        }
    }

    #[test]
    fn what_would_lose_something_is_refused() {
        assert_eq!(refused(|_| String::new()), "the answer is empty");
        assert_eq!(refused(|_| "```\n```".to_owned()), "the answer is empty");
        assert!(refused(|_| "Sure! Here it is.".to_owned()).starts_with("the answer is no step file"));
        assert_eq!(refused(|sent| sent.replace("full", "skip")), "the answer changes the front matter");
        assert_eq!(refused(|sent| sent.replace("01-a", "02-b")), "the answer changes the front matter");
        assert_eq!(refused(|sent| sent.replace("- [ ]", "-")), "the answer has no open box");
        assert_eq!(refused(|sent| format!("{sent}- [x] Done\n")), "the answer has a box that is ticked");
        let renamed = refused(|sent| sent.replace("## Briefing", "## Something else"));
        assert_eq!(renamed, "the answer leaves out the section `briefing`");
        assert_eq!(refused(|sent| sent.replace("Short.", ".")), "the answer says less than the step did");
    }
}
