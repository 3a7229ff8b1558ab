//! `git godzilla trust`.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::{CliError, Exit};
use crate::cli::ui::{BOLD, CYAN, DIM, GREEN, RED, Ui, counted, styled};
use crate::domain::text::spelled_out;
use crate::service::consent::{self, Proposal};
use crate::service::context::Context;
use crate::service::trust::Word;

/// Agree to run the gates that judge a protocol, exactly as they are now
///
/// Shows which files would run and what changed since you agreed last. The agreement holds for these
/// bytes, modes and links, in this clone only; anything else asks again.
#[derive(clap::Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are options of their own")]
pub(in crate::cli) struct Args {
    /// The protocol's name or number; that of the current branch if left out, else the base
    #[arg(short, long = "protocol", value_name = "NAME")]
    protocol: Option<String>,

    /// Accept the gates of the protocol's branch: they judge it from now on, in every clone
    #[arg(long)]
    gates: bool,

    /// Only show the files and their contents; agree to nothing
    #[arg(long, conflicts_with_all = ["yes", "revoke"])]
    show: bool,

    /// Agree without a question
    #[arg(long, conflicts_with = "revoke")]
    yes: bool,

    /// Take back what this clone agreed to; with `-p` only for that protocol's gates
    #[arg(long)]
    revoke: bool,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    if args.revoke && args.protocol.is_none() && !args.gates {
        let n_revoked = consent::revoke(&ctx, None)?;
        return revoked(ui, n_revoked);
    }
    let proposal = consent::propose(&ctx, args.protocol.as_deref(), args.gates)?;
    if args.revoke {
        let n_revoked = consent::revoke(&ctx, Some(&proposal))?;
        return revoked(ui, n_revoked);
    }
    if args.show {
        show(ui, &ctx, &proposal, true)?;
        return Ok(ExitCode::SUCCESS);
    }
    if proposal.is_agreed && !args.gates {
        return said(ui, &proposal, true, "agreed already");
    }
    if !ui.json {
        show(ui, &ctx, &proposal, std::io::stdin().is_terminal() && !args.yes)?;
    }
    if !(args.yes || asked(ui)) {
        let message = format!("nothing was agreed to: the gates in {} do not run", proposal.folder.path);
        return Err(CliError::new(Exit::Policy, "trust.declined", message)
            .hint("read them with `git godzilla trust --show`, then `git godzilla trust --yes`"));
    }
    consent::agree(&ctx, &proposal)?;
    said(ui, &proposal, true, "agreed")
}

/// Asks on a terminal. Nobody there is a no, and so is not having seen what it is about.
fn asked(ui: &mut Ui) -> bool {
    let is_there = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if ui.json || ui.is_closed() || !is_there {
        return false;
    }
    ui.note(format!("{} Type yes to let exactly these files run in this clone:", styled(BOLD, "?")));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    // Nothing shorter, which a finger may hit by itself.
    read.is_ok() && answer.trim().eq_ignore_ascii_case("yes")
}

fn show(ui: &mut Ui, ctx: &Context, proposal: &Proposal, whole: bool) -> Result<(), CliError> {
    if ui.json {
        return ui.json(&document(proposal, proposal.is_agreed));
    }
    let folder = &proposal.folder;
    let whose = match (&proposal.protocol, proposal.of_branch) {
        (Some(name), true) => format!("the branch of {name} has"),
        (Some(name), false) if proposal.word != Word::Base => {
            format!("in place of the base's, somebody chose for {name}")
        }
        (Some(name), false) => format!("{name} is judged by"),
        (None, _) => "the base has".to_owned(),
    };
    ui.line(format!("{whose} {} in {}:", counted(proposal.gates.len(), "gate"), folder.path))?;
    for file in &folder.files {
        let gate = proposal.gates.iter().find(|gate| gate.path == file.path);
        let what = match gate {
            Some(gate) if gate.is_executable => format!("runs as {}", gate.name),
            Some(gate) => format!("is not executable, so {} cannot run", gate.name),
            None => "may be used by a gate".to_owned(),
        };
        let path = spelled_out(&file.path);
        ui.line(format!("  {:o}  {}  {}", file.mode, styled(BOLD, path), styled(DIM, what)))?;
    }
    ui.line(format!("sha256 of all of it: {}", folder.digest))?;
    let before = proposal.before.filter(|tree| *tree != folder.tree);
    if whole || before.is_some() {
        ui.line("")?;
        if before.is_some() {
            ui.line("what changed since you agreed last:")?;
        }
        for line in
            ctx.repo.tree_diff(before, folder.tree).map_err(crate::service::error::Error::from)?.lines()
        {
            let style = match line.as_bytes().first() {
                Some(b'+') => GREEN,
                Some(b'-') => RED,
                Some(b'@') => CYAN,
                _ => anstyle::Style::new(),
            };
            // A tab is what a script is made of; all else that cannot be seen is spelled out.
            let line = line.split('\t').map(spelled_out).collect::<Vec<_>>().join("    ");
            ui.line(styled(style, line))?;
        }
    }
    Ok(())
}

fn said(ui: &mut Ui, proposal: &Proposal, trusted: bool, how: &str) -> Result<ExitCode, CliError> {
    if ui.json {
        ui.json(&document(proposal, trusted))?;
        return Ok(ExitCode::SUCCESS);
    }
    ui.line(format!(
        "{} {how}: the gates in {} may run in this clone",
        styled(GREEN, "✓"),
        proposal.folder.path
    ))?;
    if let Some(name) = proposal.protocol.as_ref().filter(|_| proposal.of_branch) {
        ui.line(format!("  they judge {name} from now on, in every clone that has agreed to run them"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn revoked(ui: &mut Ui, n_revoked: usize) -> Result<ExitCode, CliError> {
    if ui.json {
        ui.json(&json!({
            "schema": "git-godzilla/trust@1",
            "path": null, "digest": null, "protocol": null, "trusted": false,
            "revoked": n_revoked, "entries": [],
        }))?;
    } else {
        ui.line(format!("took back {}; nothing of it runs here any more", counted(n_revoked, "agreement")))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn document(proposal: &Proposal, trusted: bool) -> Value {
    let folder = &proposal.folder;
    let entries: Vec<Value> = folder
        .files
        .iter()
        .map(|file| {
            json!({
                "path": format!("{}/{}", folder.path, file.path),
                "digest": file.digest.to_string(),
                "mode": format!("{:o}", file.mode),
                "trusted": trusted,
                "gate": proposal.gates.iter().find(|gate| gate.path == file.path).map(|gate| &gate.name),
            })
        })
        .collect();
    json!({
        "schema": "git-godzilla/trust@1",
        "path": folder.path,
        "digest": folder.digest.to_string(),
        "protocol": proposal.protocol.as_ref().map(ToString::to_string),
        "trusted": trusted,
        "revoked": 0,
        "entries": entries,
    })
}
