//! `git godzilla sync`.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::ui::{GREEN, RED, Ui, counted, styled};
use crate::service::sync::{self, Outcome, Progress, Synced};

/// Share state with a remote: fetch, take over, push
///
/// `git push` and `git pull` do this on the way; `sync` does it now, without moving any branch.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Only with this remote
    remote: Option<String>,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let done = sync::sync(&ctx, args.remote.as_deref(), &mut |progress| match progress {
        Progress::Fetching(remote) => ui.progress(&format!("fetching from {remote}")),
        Progress::Reading => ui.progress("reading streams"),
        Progress::Pushing { remote, n_refs } => ui.progress(&format!("pushing {n_refs} refs to {remote}")),
        Progress::Git(line) => ui.progress(line.rsplit('\r').next().unwrap_or(line)),
    })?;
    super::archive::tell(ui, &done.archived);
    let synced = done.remotes;
    let worked = synced.iter().all(|remote| remote.result == Outcome::Ok);
    if ui.json {
        let remotes: Vec<Value> = synced
            .iter()
            .map(|remote| {
                json!({
                    "name": remote.name,
                    "result": remote.result.as_str(),
                    "fetched_events": remote.fetched_events,
                    "pushed_events": remote.pushed_events,
                    "fetched_archived": remote.fetched_archived,
                    "pushed_archived": remote.pushed_archived,
                    "removed_refs": remote.removed_refs,
                    "message": remote.message,
                })
            })
            .collect();
        ui.json(&json!({ "schema": "git-godzilla/sync@1", "remotes": remotes }))?;
    } else {
        for remote in &synced {
            ui.line(line(remote))?;
        }
    }
    Ok(if worked { ExitCode::SUCCESS } else { ExitCode::from(7) })
}

fn line(remote: &Synced) -> String {
    let message = remote.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
    match remote.result {
        Outcome::Ok if !remote.is_news() && remote.message.is_none() => {
            format!("{} {} is up to date", styled(GREEN, "✓"), remote.name)
        }
        Outcome::Ok => {
            let counts = counts(remote);
            let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
            format!("{} {}{counts}{message}", styled(GREEN, "✓"), remote.name)
        }
        result => format!("{} {} is {}{message}", styled(RED, "✗"), remote.name, result.as_str()),
    }
}

/// What came and went, the events first.
fn counts(remote: &Synced) -> Vec<String> {
    let of =
        |count: usize, what: &str, end: &str| (count > 0).then(|| format!("{}{end}", counted(count, what)));
    let mut counts: Vec<String> = [
        of(remote.fetched_events, "event", " fetched"),
        of(remote.fetched_archived, "archived protocol", " fetched"),
        of(remote.pushed_events, "event", " pushed"),
        of(remote.pushed_archived, "archived protocol", " pushed"),
        of(remote.removed_refs, "ref", " there removed, which is no longer needed"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let n_told = remote.pushed_events + remote.pushed_archived;
    if n_told == 0 {
        counts.extend(of(remote.pushed_refs, "ref", " pushed"));
    }
    counts
}
