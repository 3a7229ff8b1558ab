//! The files of a plan, as committed under `.protocols/<name>/`.

use crate::domain::id::Name;
use crate::domain::outline::Outline;
use crate::domain::spec::{Spec, StepKind};
use crate::domain::step_file::{NewPlan, NewStep, StepLink, render, render_context, render_log, render_plan};

/// The version of the folder's layout, in the front matter of `plan.md`.
const SCHEMA: u32 = 1;

/// Returns paths and texts.
pub(super) fn write(name: &Name, base: &str, spec: &Spec, outline: &Outline) -> Vec<(String, String)> {
    let links: Vec<StepLink> = spec
        .steps
        .iter()
        .map(|step| StepLink { id: step.id.to_string(), title: step.title.clone() })
        .collect();
    let summary = if outline.summary.is_empty() { &spec.description } else { &outline.summary };
    let plan = NewPlan {
        protocol: name.to_string(),
        base: base.to_owned(),
        schema: SCHEMA,
        title: spec.title.clone(),
        summary: summary.clone(),
        steps: links.clone(),
    };
    let in_folder = |file: &str| format!(".protocols/{name}/{file}");
    let mut files = vec![
        (in_folder("plan.md"), render_plan(&plan)),
        (in_folder("context.md"), render_context(&plan, links.get(1))),
        (in_folder("log.md"), render_log(&plan)),
    ];
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
