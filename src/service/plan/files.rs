//! The files of a plan, as committed under `.protocols/<name>/`.

use super::Request;
use crate::domain::drafted::below_heading;
use crate::domain::id::Name;
use crate::domain::spec::{Spec, StepKind};
use crate::domain::step_file::{
    NewPlan, NewStep, StepLink, prose, render, render_context, render_log, render_plan,
};

/// The version of the folder's layout, in the front matter of `plan.md`.
const SCHEMA: u32 = 1;

/// Returns paths and texts.
pub(super) fn write(name: &Name, base: &str, spec: &Spec, request: &Request) -> Vec<(String, String)> {
    let links: Vec<StepLink> = spec
        .steps
        .iter()
        .map(|step| StepLink { id: step.id.to_string(), title: step.title.clone() })
        .collect();
    let outline = &request.outline;
    let drafted = request.drafted.as_ref();
    let summary = match drafted {
        Some(drafted) => &format!("{}\n\n{}", below_heading(&spec.description), drafted.plan),
        None if outline.summary.is_empty() => &spec.description,
        None => &outline.summary,
    };
    let plan = NewPlan {
        protocol: name.to_string(),
        base: base.to_owned(),
        schema: SCHEMA,
        title: spec.title.clone(),
        summary: summary.clone(),
        steps: links.clone(),
    };
    let in_folder = |file: &str| format!(".protocols/{name}/{file}");
    let noted = |text: Option<&String>| match text.map(|text| prose(text)).filter(|text| !text.is_empty()) {
        Some(text) => format!("\n## Notes of the planner\n{text}"),
        None => String::new(),
    };
    let mut files = vec![
        (in_folder("plan.md"), render_plan(&plan)),
        (
            in_folder("context.md"),
            render_context(&plan, links.get(1)) + &noted(drafted.map(|drafted| &drafted.context)),
        ),
        (in_folder("log.md"), render_log(&plan) + &noted(drafted.map(|drafted| &drafted.log))),
    ];
    if let Some(drafted) = drafted {
        let steps = drafted.steps.iter().zip(&spec.steps);
        files.extend(steps.map(|(step, spec)| (in_folder(&spec.file), step.to_text(spec.qa.as_str()))));
        return files;
    }
    let planned = spec.steps.iter().filter(|step| step.kind != StepKind::Setup);
    for (idx, step) in planned.enumerate() {
        let from = outline.steps.get(idx).cloned().unwrap_or_default();
        // Without a box there would be nothing to tick.
        let sub_tasks = if from.sub_tasks.is_empty() { vec![step.title.clone()] } else { from.sub_tasks };
        let text = render(&NewStep {
            id: step.id.to_string(),
            title: step.title.clone(),
            kind: step.kind.to_string(),
            qa: step.qa.to_string(),
            depends_on: step.depends_on.iter().map(ToString::to_string).collect(),
            briefing: if from.briefing.is_empty() { spec.description.clone() } else { from.briefing },
            sub_tasks,
            ..NewStep::default()
        });
        files.push((in_folder(&step.file), text));
    }
    for step in spec.steps.iter().filter(|step| step.kind == StepKind::Setup) {
        let text = render(&NewStep {
            id: step.id.to_string(),
            title: step.title.clone(),
            kind: step.kind.to_string(),
            qa: step.qa.to_string(),
            briefing: "The branch, the worktree and this plan. The plan's own commit completes it."
                .to_owned(),
            ..NewStep::default()
        });
        files.push((in_folder(&step.file), text));
    }
    files
}
