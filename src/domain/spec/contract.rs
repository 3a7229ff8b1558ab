//! The plan is a contract: what its files say is the plan, and what changes in it is told in words.

use std::collections::BTreeMap;

use super::{OrderError, QaPolicy, Spec, SpecStep, StepKind, StepMore};
use crate::domain::id::StepId;
use crate::domain::outline::MAX_STEPS;
use crate::domain::step_file::{self, StepFile};
use crate::domain::text::markdown::{self, Kind};
use crate::domain::text::{clip, harmless_line, one_line};

/// The file whose first heading is the title of the plan.
pub const PLAN_FILE: &str = "plan.md";

/// The longest title of a step, in bytes.
const MAX_TITLE: usize = 2000;

/// What is wrong with the files of a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct Problem {
    /// Its name within the protocol's folder.
    pub file: String,
    /// Counted from one.
    pub line: usize,
    pub message: String,
}

impl Problem {
    /// About a file as a whole.
    pub fn of(file: &str, message: impl Into<String>) -> Self {
        Self { file: one_line(file), line: 1, message: message.into() }
    }
}

/// Whether a file of that name is a step's, or should be: it begins with two digits and a hyphen.
pub fn is_step_file(name: &str) -> bool {
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    digits >= 2 && name[digits..].starts_with('-') && name.strip_suffix(".md").is_some()
}

/// Returns the plan that files say, by their names. What they do not say is as in `before`: the planner,
/// the description, what a merge needs; and the QA of a step that leaves it open, which for a new step
/// is the strictest that `before` has.
///
/// # Errors
///
/// All [`Problem`]s, in the order of files and lines.
pub fn read(files: &BTreeMap<String, String>, before: &Spec) -> Result<Spec, Vec<Problem>> {
    let (mut read, mut problems): (Vec<(StepId, StepFile)>, _) = (Vec::new(), Vec::new());
    for (name, text) in files.iter().filter(|(name, _)| is_step_file(name)) {
        read.extend(read_step(name, text, &mut problems));
    }
    if read.len() > MAX_STEPS {
        problems.push(Problem::of(PLAN_FILE, format!("the plan has more than {MAX_STEPS} steps")));
    }
    read.sort_by(|(a, _), (b, _)| a.cmp(b));
    let strictest = before.steps.iter().map(|step| step.qa).max_by_key(|qa| strictness(*qa));
    let mut steps: Vec<SpecStep> = Vec::new();
    for (id, file) in &read {
        let known = before.steps.iter().find(|step| step.id == *id).map(|step| step.qa);
        let qa = file.qa.or(known).or(strictest).unwrap_or(QaPolicy::Full);
        let earlier = || steps.last().map(|step| step.id.clone()).into_iter().collect();
        let named = file.depends_on.as_ref();
        steps.push(SpecStep {
            title: title_of(&file.title),
            kind: file.kind,
            file: format!("{id}.md"),
            depends_on: named.map_or_else(earlier, |ids| ids.iter().flat_map(|id| id.parse()).collect()),
            qa: if file.kind == StepKind::Setup { QaPolicy::Skip } else { qa },
            more: file.more.clone().into_step(),
            id: id.clone(),
        });
    }
    let title = files.get(PLAN_FILE).and_then(|text| heading(text));
    let title = title.filter(|title| *title != title_of(&before.title));
    let spec = Spec { title: title.unwrap_or_else(|| before.title.clone()), steps, ..before.clone() };
    problems.extend(check(&spec, &read, files));
    problems.sort();
    if problems.is_empty() { Ok(spec) } else { Err(problems) }
}

/// Reads one step; what cannot be read of it is told. `None` if not even its name can be.
fn read_step(name: &str, text: &str, problems: &mut Vec<Problem>) -> Option<(StepId, StepFile)> {
    let stem = name.strip_suffix(".md").unwrap_or(name);
    let shown = clip(&one_line(name), 100);
    let step_file::Reading { file, errors } = step_file::read(text);
    let at = |line, message| Problem { file: shown.clone(), line, message };
    problems.extend(errors.into_iter().map(|err| at(err.line, err.message)));
    let Ok(id) = stem.parse::<StepId>() else {
        problems.push(Problem::of(&shown, "the name is not a step id such as `03-api` and `.md`"));
        return None;
    };
    // One that cannot be read stands in its place in the order, and leads nowhere.
    let file = file.unwrap_or_else(|| StepFile {
        id: stem.to_owned(),
        title: String::new(),
        kind: StepKind::Work,
        qa: None,
        depends_on: Some(Vec::new()),
        more: StepMore::default(),
        front_matter: step_file::FrontMatter::default(),
        body: 0,
    });
    if file.title.len() > MAX_TITLE {
        problems.push(at(line_of(&file, "title"), format!("`title` has more than {MAX_TITLE} bytes")));
    }
    if file.id != stem && !file.id.is_empty() {
        let line = line_of(&file, "id");
        problems.push(at(line, format!("`id` is `{}`, but the file is named `{stem}`", file.id)));
    }
    Some((id, file))
}

/// What no file can say of itself: two of one number, steps that are not there, circles.
fn check(spec: &Spec, files: &[(StepId, StepFile)], all: &BTreeMap<String, String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let at = |id: &StepId, key: &str, message: String| {
        let line = files.iter().find(|(known, _)| known == id).map_or(1, |(_, file)| line_of(file, key));
        Problem { file: format!("{id}.md"), line, message }
    };
    // One that cannot be read is there, too.
    let is_there = |id: &StepId| all.contains_key(&format!("{id}.md"));
    for (idx, step) in spec.steps.iter().enumerate() {
        if let Some(twin) = spec.steps[..idx].iter().find(|other| other.id.number() == step.id.number()) {
            problems.push(at(&step.id, "id", format!("`{}` has the same number", twin.id)));
        }
        for missing in step.depends_on.iter().filter(|id| !is_there(id)) {
            problems.push(at(&step.id, "depends_on", format!("there is no step `{missing}`")));
        }
        for policy in step.more.iter().flat_map(|more| &more.policies) {
            let named = policy.target.iter().chain(&policy.skip_steps);
            let key = policy.behavior.as_str();
            for missing in named.filter(|id| !is_there(id)) {
                let message = format!("the policy `{}` names `{missing}`, which is no step", policy.id);
                problems.push(at(&step.id, key, message));
            }
        }
    }
    if !all.keys().any(|name| is_step_file(name)) {
        problems.push(Problem::of(PLAN_FILE, OrderError::Empty.to_string()));
    }
    for circle in spec.circles() {
        let Some(first) = circle.first().and_then(|id| id.parse().ok()) else { continue };
        problems.push(at(&first, "depends_on", OrderError::Cycle(circle).to_string()));
    }
    problems
}

fn line_of(file: &StepFile, key: &str) -> usize {
    file.front_matter.line_of(key).unwrap_or(1)
}

/// Returns a title as a file says it.
pub fn title_of(text: &str) -> String {
    harmless_line(&one_line(text))
}

/// Returns the first heading of the first level.
fn heading(text: &str) -> Option<String> {
    let body = &text[markdown::body_offset(text)..];
    let line = markdown::lines(body).find(|line| line.depth == 0 && line.kind == Kind::Heading(1))?;
    let title = title_of(line.raw.trim_start_matches('#').trim());
    (!title.is_empty() && title.len() <= MAX_TITLE).then_some(title)
}

fn strictness(qa: QaPolicy) -> u8 {
    match qa {
        QaPolicy::Skip => 0,
        QaPolicy::Light => 1,
        QaPolicy::Full => 2,
    }
}

impl Spec {
    /// Returns the step of that id.
    pub fn step(&self, id: &StepId) -> Option<&SpecStep> {
        self.steps.iter().find(|step| step.id == *id)
    }

    /// Returns this plan with at least the checks of `before`, and what that changed of it, in words.
    ///
    /// Whoever commits on the branch changes the plan; but that less is checked than was agreed is for a
    /// person to say.
    #[must_use]
    pub fn no_looser_than(mut self, before: &Self) -> (Self, Vec<String>) {
        let mut kept = Vec::new();
        let checked = before.steps.iter().filter(|step| step.kind != StepKind::Setup);
        let least = checked.min_by_key(|step| strictness(step.qa)).map_or(QaPolicy::Skip, |step| step.qa);
        for step in &mut self.steps {
            let old = before.step(&step.id);
            let id = step.id.clone();
            if step.kind == StepKind::Setup && old.is_none_or(|old| old.kind != StepKind::Setup) {
                step.kind = old.map_or(StepKind::Work, |old| old.kind);
                kept.push(format!("{id} stays a {} step", step.kind));
            }
            let floor = old.map_or(least, |old| old.qa);
            if step.kind != StepKind::Setup && strictness(step.qa) < strictness(floor) {
                step.qa = floor;
                kept.push(format!("{id} keeps QA {floor}"));
            }
            if step.keep_gates(old) {
                kept.push(format!("{id} keeps its gates"));
            }
            if step.keep_reviewer(old) {
                kept.push(format!("{id} keeps its reviewer"));
            }
        }
        (self, kept)
    }

    /// Returns what is different from `before`, in words, by steps.
    pub fn changes_since(&self, before: &Self) -> Vec<String> {
        let mut said = Vec::new();
        if self.title != before.title {
            said.push("title".to_owned());
        }
        let slug = |id: &StepId| id.as_str().split_once('-').map(|(_, slug)| slug.to_owned());
        let (mut added, mut dropped): (Vec<&SpecStep>, Vec<&SpecStep>) = (
            self.steps.iter().filter(|step| before.step(&step.id).is_none()).collect(),
            before.steps.iter().filter(|step| self.step(&step.id).is_none()).collect(),
        );
        let mut renamed: BTreeMap<&StepId, &StepId> = BTreeMap::new();
        for old in &dropped {
            let same = |new: &&&SpecStep| slug(&new.id) == slug(&old.id) || new.title == old.title;
            if let Some(new) = added.iter().find(same).copied() {
                renamed.insert(&old.id, &new.id);
                added.retain(|step| step.id != new.id);
            }
        }
        dropped.retain(|step| !renamed.contains_key(&step.id));
        said.extend(added.iter().map(|step| format!("{} added", step.id)));
        said.extend(dropped.iter().map(|step| format!("{} dropped", step.id)));
        said.extend(renamed.iter().map(|(old, new)| format!("{old} is now {new}")));
        for step in &self.steps {
            let was = renamed.iter().find(|(_, new)| **new == &step.id).map_or(&step.id, |(old, _)| old);
            let Some(old) = before.step(was) else { continue };
            let parts = step.changes_since(old, &renamed);
            if !parts.is_empty() {
                said.push(format!("{}: {}", step.id, parts.join(", ")));
            }
        }
        said
    }
}

impl SpecStep {
    /// Makes at least the gates of `before` judge it, and tells whether they did not.
    fn keep_gates(&mut self, before: Option<&Self>) -> bool {
        let old = before.and_then(|old| old.more.as_deref()).and_then(|more| more.qa_gates.as_ref());
        let Some(gates) = self.more.as_deref().and_then(|more| more.qa_gates.as_ref()) else { return false };
        let needed: Option<Vec<String>> = match old {
            Some(old) if old.iter().all(|gate| gates.contains(gate)) => return false,
            Some(old) => {
                let more = gates.iter().filter(|gate| !old.contains(gate));
                Some(old.iter().chain(more).cloned().collect())
            }
            None => None,
        };
        self.tell_more(|more| more.qa_gates = needed);
        true
    }

    /// Makes the reviewer of `before` review it, for a new step whoever is configured, and tells whether
    /// another one did.
    fn keep_reviewer(&mut self, before: Option<&Self>) -> bool {
        let reviewer = |step: &Self| {
            let more = step.more.as_deref();
            more.map(|more| (more.qa_engine.clone(), more.qa_model.clone())).unwrap_or_default()
        };
        let old = before.map(reviewer).unwrap_or_default();
        if reviewer(self) == old {
            return false;
        }
        self.tell_more(|more| (more.qa_engine, more.qa_model) = old);
        true
    }

    fn tell_more(&mut self, tell: impl FnOnce(&mut StepMore)) {
        let mut more = self.more.take().map_or_else(StepMore::default, |more| *more);
        tell(&mut more);
        self.more = more.into_step();
    }

    fn changes_since(&self, before: &Self, renamed: &BTreeMap<&StepId, &StepId>) -> Vec<String> {
        let mut said = Vec::new();
        let mut differs = |is_other: bool, what: &str| {
            if is_other {
                said.push(what.to_owned());
            }
        };
        let now = |id: &StepId| renamed.get(id).map_or_else(|| id.clone(), |new| (*new).clone());
        let moved = !before.depends_on.iter().map(now).eq(self.depends_on.iter().cloned());
        let none = StepMore::default();
        let (old, new) = (before.more.as_deref().unwrap_or(&none), self.more.as_deref().unwrap_or(&none));
        differs(self.title != before.title, "title");
        differs(self.kind != before.kind, &format!("type {} -> {}", before.kind, self.kind));
        differs(self.qa != before.qa, &format!("QA {} -> {}", before.qa, self.qa));
        differs(moved, &waits(&self.depends_on));
        differs(new.paths != old.paths, "paths");
        let by = |more: &StepMore| (more.engine.clone(), more.model.clone(), more.timeout_seconds);
        differs(by(new) != by(old), "engine");
        let judged = |more: &StepMore| (more.qa_engine.clone(), more.qa_model.clone(), more.qa_gates.clone());
        differs(judged(new) != judged(old), "reviewer or gates");
        differs(new.policies != old.policies, "policies");
        differs(new.outputs != old.outputs, "outputs");
        said
    }
}

fn waits(depends_on: &[StepId]) -> String {
    let ids: Vec<&str> = depends_on.iter().map(StepId::as_str).collect();
    if ids.is_empty() { "waits for nothing".to_owned() } else { format!("waits for {}", ids.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::super::Planner;
    use super::*;

    fn plan(files: &[(&str, &str)]) -> BTreeMap<String, String> {
        let step = |(name, lines): &(&str, &str)| {
            let id = name.trim_end_matches(".md");
            (name.to_string(), format!("---\nid: {id}\ntitle: {id}\n{lines}---\n- [ ] x\n"))
        };
        files.iter().map(step).collect()
    }

    fn empty() -> Spec {
        Spec {
            title: "Add login".into(),
            description: "text".into(),
            steps: Vec::new(),
            planner: Planner::outline(),
            required_ci: vec!["test".into()],
            push_gate: true,
            taken_out: BTreeMap::new(),
        }
    }

    fn spec(files: &[(&str, &str)]) -> Spec {
        read(&plan(files), &empty()).unwrap()
    }

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        read(&plan(files), &empty()).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_plan_is_what_its_files_say() {
        let mut files = plan(&[
            ("00-setup.md", "type: setup\ndepends_on: []\n"),
            ("10-late.md", "qa: light\n"),
            ("02-a.md", "depends_on: [00-setup]\npaths: [src/**]\n"),
        ]);
        files.insert(
            "plan.md".into(),
            "---\nprotocol: x\n---\n```\n# no\n```\n# Add a login\n# other\n".into(),
        );
        files.insert("notes.md".into(), "free".into());
        let before = empty();
        let spec = read(&files, &before).unwrap();
        assert_eq!((spec.title.as_str(), spec.description.as_str()), ("Add a login", "text"));
        assert_eq!(
            (spec.planner.name.as_str(), spec.push_gate, spec.required_ci.len()),
            ("outline", true, 1)
        );
        let ids: Vec<&str> = spec.steps.iter().map(|step| step.id.as_str()).collect();
        assert_eq!(ids, ["00-setup", "02-a", "10-late"]);
        assert_eq!(spec.steps[2].depends_on, [spec.steps[1].id.clone()], "left out: the step before");
        assert_eq!(
            spec.steps.iter().map(|step| step.qa.as_str()).collect::<Vec<_>>(),
            ["skip", "full", "light"]
        );
        assert_eq!(spec.steps[1].more.as_ref().unwrap().paths, ["src/**"]);
        // A type is never guessed from a name, and what a step leaves open stays as it was.
        assert_eq!(spec.steps[1].kind, StepKind::Work);
        let again = read(&plan(&[("00-setup.md", ""), ("02-a.md", ""), ("10-late.md", "")]), &spec).unwrap();
        assert_eq!(again.steps[2].qa, QaPolicy::Light);
    }

    #[test]
    fn what_is_wrong_has_its_file_and_line() {
        let mut files = plan(&[("01-a.md", "depends_on: [07-x]\n"), ("02-b.md", "qa: none\n")]);
        files.insert("03-C.md".into(), String::new());
        files.insert("04-d.md".into(), "---\ntitle: x\nid: 05-d\n---\n".into());
        let all: Vec<String> = read(&files, &empty()).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(all.len(), 5, "{all:?}");
        assert_eq!(all[0], "01-a.md:4: there is no step `07-x`");
        assert!(all[1].starts_with("02-b.md:4: `qa`"), "{all:?}");
        assert!(all[2].starts_with("03-C.md:1: the file does not begin"), "{all:?}");
        assert!(all[3].starts_with("03-C.md:1: the name"), "{all:?}");
        assert!(all[4].starts_with("04-d.md:3: `id` is `05-d`"), "{all:?}");

        // Everything at once: lines of a file, links, two circles; and none that only seems to be one.
        let all = problems(&[
            ("01-a.md", "qa: none\ntimeout: x\ndepends_on: [02-b, 08-y, 09-z]\n"),
            ("02-b.md", ""),
            ("03-c.md", "depends_on: [04-d]\n"),
            ("04-d.md", ""),
            ("05-e.md", "depends_on: [07-g]\n"),
            ("06-f.md", "depends_on: x\n"),
            ("07-g.md", ""),
        ]);
        let places: Vec<&str> = all.iter().map(|problem| &problem[..9]).collect();
        let want =
            ["01-a.md:4", "01-a.md:5", "01-a.md:6", "01-a.md:6", "01-a.md:6", "03-c.md:4", "06-f.md:4"];
        assert_eq!(places, want, "{all:?}");

        let circle = problems(&[("01-a.md", "depends_on: [02-b]\n"), ("02-b.md", "")]);
        assert_eq!(circle, ["01-a.md:4: steps depend on each other in a circle: 01-a -> 02-b -> 01-a"]);
        assert!(problems(&[("01-a.md", ""), ("01-b.md", "")])[0].contains("same number"));
        assert!(problems(&[("01-a.md", "trigger: [target=09-z]\n")])[0].contains("09-z"));
        assert!(problems(&[])[0].contains("at least one step"));
    }

    #[test]
    fn a_branch_does_not_loosen_its_checks() {
        let before = spec(&[("00-s.md", "type: setup\n"), ("01-a.md", ""), ("02-b.md", "gates: [x, y]\n")]);
        let after = spec(&[
            ("00-s.md", "type: setup\n"),
            ("01-a.md", "qa: skip\ngates: []\n"),
            ("02-b.md", "gates: [y, z]\nqa: light\n"),
            ("03-c.md", "type: setup\n"),
            ("04-d.md", "qa: skip\nqa_engine: friend\nqa_model: small\nengine: codex\n"),
        ]);
        let (kept, said) = after.clone().no_looser_than(&before);
        let qa: Vec<&str> = kept.steps.iter().map(|step| step.qa.as_str()).collect();
        assert_eq!(qa, ["skip", "full", "full", "full", "full"]);
        assert_eq!(kept.steps[1].more, None);
        let gates = kept.steps[2].more.as_ref().unwrap().qa_gates.clone().unwrap();
        assert_eq!(gates, ["x", "y", "z"]);
        assert_eq!(kept.steps[3].kind, StepKind::Work);
        let more = kept.steps[4].more.as_ref().unwrap();
        assert_eq!(
            (more.qa_engine.as_ref(), more.qa_model.as_ref()),
            (None, None),
            "it does not choose its judges"
        );
        assert_eq!(more.engine.as_deref(), Some("codex"));
        assert_eq!(said.len(), 8, "{said:?}");
        assert_eq!(kept.clone().no_looser_than(&kept), (kept.clone(), Vec::new()));
        let light = spec(&[("00-s.md", "type: setup\n"), ("01-a.md", "qa: light\n")]);
        let full = spec(&[("00-s.md", "type: setup\n"), ("01-a.md", "qa: full\n")]);
        assert_eq!(full.clone().no_looser_than(&light), (full, Vec::new()), "stricter is free");
    }

    #[test]
    fn changes_are_told_in_words() {
        let before = spec(&[("01-a.md", ""), ("02-b.md", ""), ("03-c.md", ""), ("04-d.md", "")]);
        let after = spec(&[
            ("01-a.md", "qa: skip\n"),
            ("03-b.md", ""),
            ("04-d.md", "depends_on: []\n"),
            ("05-e.md", ""),
        ]);
        let said = after.changes_since(&before);
        let want = [
            "05-e added",
            "03-c dropped",
            "02-b is now 03-b",
            "01-a: QA full -> skip",
            "03-b: title",
            "04-d: waits for nothing",
        ];
        assert_eq!(said, want);
        assert_eq!(after.changes_since(&after), Vec::<String>::new());
    }
}
