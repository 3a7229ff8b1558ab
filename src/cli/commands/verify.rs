//! `git godzilla verify`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::act::Target;
use super::show;
use crate::cli::error::{CliError, Exit};
use crate::cli::ui::{BOLD, DIM, Ui, YELLOW, moment, status_look, styled};
use crate::domain::sentence;
use crate::platform::git::Verified;
use crate::service::verify::{self, Checked};

/// Check the signatures of approvals and of whatever else is signed
///
/// SSH keys are looked up in the file that your own gpg.ssh.allowedSignersFile names (signatures are made
/// in the namespace git-godzilla), all others with gpg. What the repository's configuration says about
/// that is not heard.
///
/// ✓ is a good signature, ✗ a bad one, and ? what nobody here can tell: a key that nobody vouches for, or an
/// approval without a signature. Exits with 1 if a signature is bad, and with `--require` also if an
/// approval that counts has no good one.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    target: Target,

    /// Every approval must have a good signature
    #[arg(long)]
    require: bool,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let shown = show::load(&ctx, "verify", args.target.name())?;
    let checked = verify::verify(&ctx.repo, &shown)?;
    let is_good = !checked.iter().any(|it| it.is_bad() || (args.require && it.is_unproven()));
    if ui.json {
        ui.json(&json!({
            "schema": "git-godzilla/verify@1",
            "name": shown.name,
            "ok": is_good,
            "signatures": checked.iter().map(entry).collect::<Vec<_>>(),
        }))?;
    } else {
        print(ui, &shown.name, &checked)?;
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(Exit::No as u8) })
}

fn print(ui: &mut Ui, name: &str, checked: &[Checked]) -> Result<(), CliError> {
    if checked.is_empty() {
        return ui.line(format!("nothing of {name} is signed, and nobody has approved a step"));
    }
    for it in checked {
        let (glyph, style) = match it.verified {
            Some(Verified::Good { .. }) => status_look("completed"),
            Some(Verified::Bad { .. }) => status_look("failed"),
            _ => ("?", YELLOW),
        };
        let rest = if it.counts { "" } else { "  (does not count)" };
        ui.line(format!("{} {}{}", styled(style, glyph), styled(BOLD, told(it)), styled(DIM, rest)))?;
        let who =
            format!("  {}  {}, {}", moment(it.event.at_ms), sentence::line(&it.event), it.event.actor.name);
        ui.line(styled(DIM, who))?;
    }
    if checked.iter().any(|it| matches!(it.verified, Some(Verified::UnknownKey { .. }))) {
        ui.line("who vouches for a key adds it to the file of gpg.ssh.allowedSignersFile, or to gpg")?;
    }
    if checked.iter().any(|it| matches!(it.verified, Some(Verified::NoAllowedSigners { .. }))) {
        ui.line("who may sign is not set up: git config --global gpg.ssh.allowedSignersFile FILE")?;
    }
    Ok(())
}

fn told(checked: &Checked) -> String {
    match &checked.verified {
        Some(Verified::Good { signer, key }) => format!("good signature of {signer} ({key})"),
        Some(Verified::Bad { reason }) => format!("BAD signature: {reason}"),
        Some(Verified::UnknownKey { key }) => format!("signed with a key that nobody vouches for ({key})"),
        Some(Verified::NoAllowedSigners { key }) => format!("signed with {key}, whoever that is"),
        None => "approved without a signature".to_owned(),
    }
}

fn entry(checked: &Checked) -> Value {
    let event = &checked.event;
    let (signer, key, reason) = match &checked.verified {
        Some(Verified::Good { signer, key }) => (Some(signer), Some(key), None),
        Some(Verified::Bad { reason }) => (None, None, Some(reason)),
        Some(Verified::UnknownKey { key } | Verified::NoAllowedSigners { key }) => (None, Some(key), None),
        None => (None, None, None),
    };
    json!({
        "event": event.id.to_string(),
        "type": event.body.kind(),
        "step": event.step.as_ref().map(ToString::to_string),
        "at_ms": event.at_ms,
        "actor": event.actor.name,
        "counts": checked.counts,
        "result": checked.word(),
        "signer": signer,
        "key": key,
        "reason": reason,
    })
}
