//! `git godzilla log --op`: the commands behind the events.

use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::ui::{CYAN, DIM, RED, Ui, counted, moment, styled};
use crate::service::streams::Streams;
use crate::service::{ops, resolve};

/// Shows the commands of one protocol, or of all.
pub(super) fn run(ui: &mut Ui, name: Option<&str>) -> Result<(), CliError> {
    let ctx = crate::cli::context(ui)?;
    let streams = match name {
        Some(_) => Streams::for_target(&ctx, name)?,
        None => Streams::read(&ctx)?,
    };
    let only = name.map(|name| resolve::protocol(&streams, Some(name))).transpose();
    let only = only.map_err(|err| CliError::from(err).for_argument_of("log --op"))?.map(|target| target.name);
    let ops = ops::ops(&ops::streams(&streams, only.as_ref()));
    let n_letters = ops::short_len(&ops);
    for op in &ops {
        if ui.json {
            ui.json(&json!({
                "schema": "git-godzilla/op@1",
                "op": op.id.to_string(),
                "at_ms": op.at_ms,
                "command": op.command,
                "events": op.events.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "undone": op.undone,
            }))?;
            continue;
        }
        let id = op.id.to_string();
        let about = match op.names.as_slice() {
            _ if only.is_some() => String::new(),
            [name] => format!("{name}  "),
            names => format!("{}  ", counted(names.len(), "protocol")),
        };
        let who = format!("{} ({})", op.actor.name, op.actor.kind);
        let facts = format!("{}  {}", counted(op.events.len(), "event"), who.trim_start());
        let undone = if op.undone { format!("  {}", styled(RED, "[undone]")) } else { String::new() };
        ui.line(format!(
            "{}  {}  {about}{}  {}{undone}",
            styled(CYAN, &id[..n_letters.min(id.len())]),
            styled(DIM, moment(op.at_ms)),
            op.command,
            styled(DIM, facts),
        ))?;
    }
    Ok(())
}
