//! `git godzilla ready`.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::ui::{CYAN, Table, Ui};
use crate::service::streams::Streams;
use crate::service::{list, resolve};

/// List the steps that can be started now
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Only of this protocol
    #[arg(short, long = "protocol", value_name = "NAME")]
    protocol: Option<String>,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let streams = Streams::read(&ctx)?;
    let names = if let Some(name) = &args.protocol {
        vec![resolve::protocol(&streams, Some(name))?.name]
    } else {
        let listing = list::list(&ctx)?;
        let open = listing
            .rows
            .iter()
            .filter(|row| matches!(row.status.as_str(), "planned" | "running" | "blocked"));
        open.filter_map(|row| row.key.parse().ok()).collect()
    };
    let mut documents: Vec<Value> = Vec::new();
    let mut table = Table::default();
    for name in names {
        let shown = list::show(&streams, &name, None)?;
        let pending = crate::domain::status::StepStatus::Pending;
        for step in shown.protocol.ready_steps().filter(|step| step.recorded == pending) {
            documents.push(json!({
                "name": shown.name,
                "step": step.id.as_str(),
                "number": step.id.number(),
                "title": step.title,
                "type": step.kind.as_str(),
                "status": step.shown.as_str(),
                "qa_policy": step.qa.as_str(),
            }));
            table.row([(format!("{name}/{}", step.id), CYAN), (step.title.clone(), anstyle::Style::new())]);
        }
    }
    if ui.json {
        ui.json(&json!({ "schema": "git-godzilla/ready@1", "steps": documents }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if documents.is_empty() {
        ui.line("no step can start now")?;
    }
    for line in table.lines() {
        ui.line(line)?;
    }
    Ok(ExitCode::SUCCESS)
}
