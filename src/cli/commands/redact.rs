//! `git godzilla redact`.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::{CliError, Exit};
use crate::cli::ui::{BOLD, CYAN, DIM, GREEN, RED, Ui, counted, moment, styled};
use crate::domain::id::Name;
use crate::domain::text::clip;
use crate::service::redact::purge::{self, AtRemote};
use crate::service::redact::{self, Looked, Wanted};

/// Take a text out of events and plans of the state, as when a secret got into it
///
/// What others still send is dropped from then on, in every clone that has fetched the redaction. Decisions
/// keep what they decided, as far as ids and numbers say it; facts say nothing any more. A plan that says a text
/// is replaced by one that does not, and files of the branch that still say it do not bring it back. It cannot
/// be undone.
///
/// Older commits still hold the text until `--purge`, which puts commits without a history in the place of
/// those on every remote that shares state, by force and with the exact value that was seen, and lets go of
/// reflogs, notes, caches and safety copies here. It can be done again, alone or with a text.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// The id of an event, or a text: every event and plan that says it
    #[arg(value_name = "EVENT|TEXT", required_unless_present = "purge")]
    what: Option<String>,

    /// Take it out of the history of remotes and of this clone as well
    #[arg(long)]
    purge: bool,

    /// Why; others can read it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,

    /// Only say what would be taken out
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let wanted = args.what.as_deref().map(Wanted::parse).transpose()?;
    let looked = match &wanted {
        Some(wanted) => redact::look(&ctx, wanted)?,
        None => Looked::default(),
    };
    if looked.is_empty() && !args.purge {
        return Err(CliError::new(Exit::Unknown, "event.unknown", "no event here has that id or says that")
            .hint("git godzilla log --all"));
    }
    if !ui.json {
        show(ui, &looked, wanted.as_ref())?;
    }
    if args.dry_run {
        if ui.json {
            answer(ui, &looked, wanted.as_ref(), None, true)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes && !asked(ui, args.purge)? {
        ui.note("nothing was changed");
        return Ok(ExitCode::from(Exit::Refused as u8));
    }
    if let Some(wanted) = &wanted {
        redact::redact(&ctx, &looked, wanted, args.reason.as_deref())?;
    }
    let purged = if args.purge { Some(purge::purge(&ctx, wanted.as_ref())?) } else { None };
    let is_clean = purged.iter().flatten().all(|remote| remote.clean);
    if ui.json {
        answer(ui, &looked, wanted.as_ref(), purged.as_deref(), false)?;
    } else {
        tell(ui, &looked, purged.as_deref())?;
    }
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::from(Exit::Remote as u8) })
}

fn show(ui: &mut Ui, looked: &Looked, wanted: Option<&Wanted>) -> Result<(), CliError> {
    for found in &looked.found {
        let name = found.name.as_ref().map_or("project", Name::as_str);
        let said = wanted.map(|wanted| found.told(wanted)).unwrap_or_default();
        let event = &found.event;
        ui.line(format!("{}  {}  {said}", styled(BOLD, name), event.id))?;
        ui.line(styled(DIM, format!("  {}  {}", moment(event.at_ms), event.actor.name)))?;
    }
    for plan in &looked.plans {
        let name = plan.name.as_ref().map_or("project", Name::as_str);
        ui.line(format!("{}  plan {}", styled(BOLD, name), clip(&plan.spec.to_string(), 12)))?;
    }
    for stays in &looked.stays {
        ui.line(format!("{} {stays}", styled(RED, "stays:")))?;
    }
    Ok(())
}

/// Asks on a terminal. Without one, what takes texts away for ever needs `--yes`.
fn asked(ui: &mut Ui, purge: bool) -> Result<bool, CliError> {
    let is_there = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if ui.json || ui.is_closed() || !is_there {
        return Err(CliError::new(Exit::Refused, "redact.unasked", "this takes texts away for ever")
            .hint("look at it with `--dry-run`, then say `--yes`"));
    }
    let how = if purge { "out of every history here and on remotes" } else { "out" };
    ui.note(format!("{} Type yes to take this {how}, for ever:", styled(BOLD, "?")));
    let mut line = String::new();
    let n_read = std::io::stdin().lock().read_line(&mut line)?;
    Ok(n_read > 0 && line.trim().eq_ignore_ascii_case("yes"))
}

fn tell(ui: &mut Ui, looked: &Looked, purged: Option<&[AtRemote]>) -> Result<(), CliError> {
    let (n_events, n_plans) = (looked.ids().len(), looked.digests().len());
    let parts = [(n_events, "event"), (n_plans, "plan")];
    let said: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| counted(*n, what)).collect();
    if !said.is_empty() {
        ui.line(format!("{} the text of {} is out", styled(GREEN, "✓"), said.join(" and ")))?;
    }
    for remote in purged.unwrap_or_default() {
        let why = remote.message.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        if remote.clean {
            let refs = counted(remote.n_replaced, "ref");
            ui.line(format!(
                "{} no history on {} says it any more; {refs} began anew",
                styled(GREEN, "✓"),
                remote.name
            ))?;
        } else {
            ui.line(format!("{} {} still has it in a history{why}", styled(RED, "✗"), remote.name))?;
        }
    }
    ui.note("a secret that was shared is known: make a new one, and let the old one count no more");
    if purged.is_none() {
        let purge = styled(CYAN, "git godzilla redact --purge");
        ui.note(format!("older commits still hold the text: {purge}"));
        return Ok(());
    }
    ui.note("objects stay in this clone until: git gc --prune=now");
    ui.note(
        "the server keeps copies of its own (unreachable objects, forks, backups, mails): ask who runs it",
    );
    Ok(())
}

fn answer(
    ui: &mut Ui,
    looked: &Looked,
    wanted: Option<&Wanted>,
    purged: Option<&[AtRemote]>,
    dry_run: bool,
) -> Result<(), CliError> {
    let events: Vec<Value> = looked
        .found
        .iter()
        .map(|found| {
            json!({
                "protocol": found.name.as_ref().map(Name::as_str),
                "event": found.event.id.to_string(),
                "type": found.event.body.kind(),
                "told": wanted.map(|wanted| found.told(wanted)).unwrap_or_default(),
            })
        })
        .collect();
    let plans: Vec<Value> = looked
        .plans
        .iter()
        .map(|plan| {
            json!({
                "protocol": plan.name.as_ref().map(Name::as_str),
                "spec": plan.spec.to_string(),
                "instead": plan.instead.to_string(),
            })
        })
        .collect();
    let remotes: Vec<Value> = purged
        .unwrap_or_default()
        .iter()
        .map(|remote| {
            json!({
                "name": remote.name,
                "clean": remote.clean,
                "replaced": remote.n_replaced,
                "message": remote.message,
            })
        })
        .collect();
    ui.json(&json!({
        "schema": "git-godzilla/redact@1",
        "dry_run": dry_run,
        "purged": purged.is_some(),
        "events": events,
        "plans": plans,
        "stays": looked.stays,
        "remotes": remotes,
    }))
}
