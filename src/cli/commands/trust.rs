//! `git godzilla trust`.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::{CliError, Exit};
use crate::cli::ui::{BOLD, CYAN, DIM, GREEN, RED, Ui, counted, styled};
use crate::domain::text::spelled_out;
use crate::service::consent::{self, OfEngine, Proposal, Proposals};
use crate::service::context::Context;
use crate::service::prompts;
use crate::service::trust::Word;

/// Agree to what the repository brings, exactly as it is now: gates, engines, prompts
///
/// Shows which files would run, what `godzilla.toml` says about engines, and what changed since you
/// agreed last. The agreement holds for these
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
    let proposals = consent::all(&ctx, args.protocol.as_deref(), args.gates)?;
    if args.revoke {
        let mut n_revoked = 0;
        for proposal in &proposals.folders {
            n_revoked += consent::revoke(&ctx, Some(proposal))?;
        }
        return revoked(ui, n_revoked);
    }
    if args.show {
        show_all(ui, &ctx, &proposals, true)?;
        return Ok(ExitCode::SUCCESS);
    }
    if proposals.are_agreed() && !args.gates {
        return said(ui, &proposals, "agreed already");
    }
    if !ui.json {
        show_all(ui, &ctx, &proposals, std::io::stdin().is_terminal() && !args.yes)?;
    }
    if !(args.yes || asked(ui)) {
        let message = match proposals.folders.first() {
            Some(proposal) => {
                format!("nothing was agreed to: the gates in {} do not run", proposal.folder.path)
            }
            None => "nothing was agreed to: the engines of the repository do not run".to_owned(),
        };
        return Err(CliError::new(Exit::Policy, "trust.declined", message)
            .hint("read them with `git godzilla trust --show`, then `git godzilla trust --yes`"));
    }
    consent::agree_to_all(&ctx, &proposals)?;
    said(ui, &proposals, "agreed")
}

fn show_all(ui: &mut Ui, ctx: &Context, proposals: &Proposals, whole: bool) -> Result<(), CliError> {
    if ui.json {
        return ui.json(&document(proposals, false));
    }
    for proposal in &proposals.folders {
        show(ui, ctx, proposal, whole)?;
    }
    for engine in &proposals.engines {
        show_engine(ui, engine)?;
    }
    Ok(())
}

fn show_engine(ui: &mut Ui, engine: &OfEngine) -> Result<(), CliError> {
    let terms = &engine.terms;
    ui.line(format!("godzilla.toml says of the engine {}:", styled(BOLD, spelled_out(&terms.name))))?;
    let before = engine.before.as_deref();
    for line in &terms.lines {
        let is_new = before.is_some_and(|before| !before.contains(line));
        let (mark, style) = if is_new { ("+", GREEN) } else { (" ", anstyle::Style::new()) };
        ui.line(styled(style, format!("{mark} {}", spelled_out(line))))?;
    }
    for line in before.unwrap_or_default().iter().filter(|line| !terms.lines.contains(line)) {
        ui.line(styled(RED, format!("- {}", spelled_out(line))))?;
    }
    for folder in terms.folders() {
        let what =
            format!("  what else lies in {}, and the program may use, is not covered", spelled_out(&folder));
        ui.line(styled(DIM, what))?;
    }
    ui.line(format!("sha256 of all of it: {}", terms.digest))
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
    let folder = &proposal.folder;
    if folder.path == prompts::FOLDER {
        ui.line(format!("the base has prompts of its own in {}:", folder.path))?;
        for file in &folder.files {
            ui.line(format!("  {:o}  {}", file.mode, styled(BOLD, spelled_out(&file.path))))?;
        }
        return show_digest(ui, ctx, proposal, whole);
    }
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
    show_digest(ui, ctx, proposal, whole)
}

/// Shows what is in a folder, or what of it is new.
fn show_digest(ui: &mut Ui, ctx: &Context, proposal: &Proposal, whole: bool) -> Result<(), CliError> {
    let folder = &proposal.folder;
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

fn said(ui: &mut Ui, proposals: &Proposals, how: &str) -> Result<ExitCode, CliError> {
    if ui.json {
        ui.json(&document(proposals, true))?;
        return Ok(ExitCode::SUCCESS);
    }
    for proposal in &proposals.folders {
        let path = &proposal.folder.path;
        let what = if path == prompts::FOLDER { "the prompts in" } else { "the gates in" };
        let may = if path == prompts::FOLDER { "may be used" } else { "may run" };
        ui.line(format!("{} {how}: {what} {path} {may} in this clone", styled(GREEN, "✓")))?;
        if let Some(name) = proposal.protocol.as_ref().filter(|_| proposal.of_branch) {
            ui.line(format!("  they judge {name} from now on, in every clone that has agreed to run them"))?;
        }
    }
    for engine in &proposals.engines {
        ui.line(format!(
            "{} {how}: the engine {} may run in this clone",
            styled(GREEN, "✓"),
            engine.terms.name
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn revoked(ui: &mut Ui, n_revoked: usize) -> Result<ExitCode, CliError> {
    if ui.json {
        ui.json(&json!({
            "schema": "git-godzilla/trust@1",
            "path": null, "digest": null, "protocol": null, "trusted": false,
            "revoked": n_revoked, "entries": [], "engines": [],
        }))?;
    } else {
        ui.line(format!("took back {}; nothing of it runs here any more", counted(n_revoked, "agreement")))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn document(proposals: &Proposals, trusted: bool) -> Value {
    let first = proposals.folders.first();
    let entries = proposals.folders.iter().flat_map(|proposal| {
        proposal.folder.files.iter().map(move |file| {
            json!({
                "path": format!("{}/{}", proposal.folder.path, file.path),
                "digest": file.digest.to_string(),
                "mode": format!("{:o}", file.mode),
                "trusted": trusted || proposal.is_agreed,
                "gate": proposal.gates.iter().find(|gate| gate.path == file.path).map(|gate| &gate.name),
            })
        })
    });
    let engines = proposals.engines.iter().map(|engine| {
        json!({
            "name": engine.terms.name,
            "lines": engine.terms.lines,
            "digest": engine.terms.digest.to_string(),
            "trusted": trusted || engine.is_agreed,
        })
    });
    json!({
        "schema": "git-godzilla/trust@1",
        "path": first.map(|proposal| &proposal.folder.path),
        "digest": first.map(|proposal| proposal.folder.digest.to_string()),
        "protocol": first.and_then(|proposal| proposal.protocol.as_ref()).map(ToString::to_string),
        "trusted": trusted || proposals.are_agreed(),
        "revoked": 0,
        "entries": entries.collect::<Vec<_>>(),
        "engines": engines.collect::<Vec<_>>(),
    })
}
