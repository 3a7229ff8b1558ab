//! `git godzilla plan --amend`.

use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::ui::{BOLD, Ui, styled};
use crate::service::context::Context;
use crate::service::spec::amend;

pub(in crate::cli) fn run(ui: &mut Ui, ctx: &Context, name: Option<&str>) -> Result<(), CliError> {
    let amended = amend::amend(ctx, name)?;
    if ui.json {
        return ui.json(&json!({
            "schema": "git-godzilla/amend@1",
            "name": amended.name.as_str(),
            "commit": amended.commit.map(|oid| oid.to_string()),
            "changes": amended.changes,
        }));
    }
    ui.line(format!("amended the plan of {}", styled(BOLD, &amended.name)))?;
    for change in &amended.changes {
        ui.line(format!("  {change}"))?;
    }
    match amended.commit {
        Some(commit) => {
            ui.line(format!("  committed as {}; your own commit hooks did not run for it", commit.short()))
        }
        None => ui.line("  its files were committed already"),
    }
}
