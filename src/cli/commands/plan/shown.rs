//! What `plan` shows: the protocol, or what an engine would be asked.

use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::told::grouped;
use crate::cli::ui::{BOLD, CYAN, Table, Ui, styled};
use crate::domain::spec::QaPolicy;
use crate::service::plan::Planned;
use crate::service::planner::Preview;

/// What is shown of a plan.
pub(super) struct Shown<'a> {
    pub(super) planned: &'a Planned,
    /// What an engine would be asked.
    pub(super) preview: Option<&'a Preview>,
    pub(super) notices: &'a [String],
    pub(super) dry_run: bool,
}

pub(super) fn print(ui: &mut Ui, shown: &Shown<'_>) -> Result<(), CliError> {
    let Shown { planned, dry_run, .. } = *shown;
    for warning in planned.warnings.iter().chain(shown.notices) {
        ui.warn(warning);
    }
    let worktree = planned.worktree.as_ref().map(|path| path.to_string_lossy().into_owned());
    if ui.json {
        let steps: Vec<&str> = planned.steps.iter().map(|step| step.id.as_str()).collect();
        return ui.json(&json!({
            "schema": "git-godzilla/plan@1",
            "name": planned.name.as_str(),
            "id": planned.root,
            "number": planned.name.number(),
            "branch": planned.name.as_str(),
            "worktree": worktree,
            "base": planned.base,
            "base_commit": planned.base_commit.to_string(),
            "commit": planned.commit.map(|oid| oid.to_string()),
            "steps": steps,
            "planner": shown.preview.map_or(planned.planner.name.as_str(), |preview| &preview.engine),
            "prompt": shown.preview.map(|preview| json!({
                "model": preview.model,
                "template": preview.prompt.template,
                "estimated_tokens": preview.estimate,
                "text": preview.prompt.text,
            })),
            "notices": shown.notices,
        }));
    }
    if let Some(preview) = shown.preview {
        return print_preview(ui, planned, preview);
    }
    let verb = if dry_run { "would plan" } else { "planned" };
    ui.line(format!("{verb} {}  {}", styled(BOLD, &planned.name), planned.title))?;
    if planned.recovered {
        ui.line("  (it had been begun by a command that was interrupted)")?;
    }
    let mut steps = Table::default();
    for step in &planned.steps {
        steps.row([(format!("  {}", step.id), CYAN), (step.title.clone(), anstyle::Style::new())]);
    }
    for line in steps.lines() {
        ui.line(line)?;
    }
    if planned.planner.prompt_hash.is_some() {
        ui.line(format!("  planned by {}", planned.planner.name))?;
    }
    ui.line(format!("  branch {} from {} at {}", planned.name, planned.base, planned.base_commit.short()))?;
    if let Some(step) = planned.steps.last().filter(|_| planned.qa_by_default) {
        let why = match step.qa {
            QaPolicy::Skip => "the base has no gates, so a step that is done is completed (QA skip)",
            _ => "the base has gates, so every step needs QA (full)",
        };
        ui.line(format!("  {why}"))?;
    }
    if let Some(path) = worktree.filter(|_| !dry_run && planned.warnings.is_empty()) {
        ui.line("  the plan is committed; your own commit hooks did not run for it")?;
        ui.line(format!("next: {}", styled(CYAN, format!("cd {path}"))))?;
    }
    Ok(())
}

fn print_preview(ui: &mut Ui, planned: &Planned, preview: &Preview) -> Result<(), CliError> {
    let model = preview.model.as_ref().map(|model| format!(" ({model})")).unwrap_or_default();
    ui.line(format!("would plan {}  {}", styled(BOLD, &planned.name), planned.title))?;
    ui.line(format!(
        "  by asking {}{model}, with a prompt of about {} tokens",
        styled(BOLD, &preview.engine),
        grouped(preview.estimate)
    ))?;
    ui.line(format!("  branch {} from {} at {}", planned.name, planned.base, planned.base_commit.short()))?;
    ui.line(format!("  prompt {}:", preview.prompt.template.as_deref().unwrap_or_default()))?;
    ui.line("")?;
    for line in preview.prompt.text.lines() {
        ui.line(line)?;
    }
    Ok(())
}
