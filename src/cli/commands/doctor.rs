//! `git godzilla doctor`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{completions, man};
use crate::cli::error::CliError;
use crate::cli::ui::{BOLD, CYAN, DIM, GREEN, RED, Ui, YELLOW, counted, styled};
use crate::platform::env;
use crate::service::doctor::{self, Finding, Severity};

/// Find what is wrong in this clone, and mend what is safe to mend
///
/// Looks at hooks (git is asked to call them), refspecs, locks and files that were left, refs, streams,
/// numbers and settings; where a person asks, also for the manual and completions. Exits with 1 if something is
/// wrong.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Mend what holds nothing and is ours; all else is only named
    #[arg(long)]
    fix: bool,

    /// Run hooks of others too, in a repository that is thrown away, to see whether they call us
    #[arg(long)]
    probe: bool,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context_unwarned(ui)?;
    let mut findings = doctor::doctor(&ctx, args.fix, args.probe)?;
    findings.extend(of_person());
    let n_open = findings.iter().filter(|finding| finding.is_open()).count();
    if ui.json {
        let findings: Vec<Value> = findings.iter().map(as_json).collect();
        ui.json(&json!({ "schema": "git-godzilla/doctor@1", "findings": findings }))?;
    } else {
        print(ui, &findings)?;
    }
    Ok(if n_open == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What a person misses who types or asks for help; a script, which has no shell of its own, misses nothing.
fn of_person() -> Vec<Finding> {
    if env::var_os("SHELL").is_none() {
        return Vec::new();
    }
    let info = |code, message, fix| Finding {
        code,
        severity: Severity::Info,
        message,
        fix: Some(fix),
        fixed: false,
    };
    let manual = (man::is_there() == Some(false)).then(|| {
        let message = "`git help godzilla` and `git godzilla --help` find no manual".to_owned();
        info("help.no_manual", message, "git godzilla man --install".to_owned())
    });
    let completion = completions::missing().map(|shell| {
        let message = format!("{shell} does not complete what follows `git godzilla`");
        info("help.no_completion", message, format!("git godzilla completions {shell} --install"))
    });
    manual.into_iter().chain(completion).collect()
}

fn as_json(finding: &Finding) -> Value {
    json!({
        "code": finding.code,
        "severity": finding.severity.as_str(),
        "message": finding.message,
        "fix": finding.fix,
        "fixed": finding.fixed,
    })
}

fn print(ui: &mut Ui, findings: &[Finding]) -> Result<(), CliError> {
    for group in findings.chunk_by(|one, other| doctor::subject(one.code) == doctor::subject(other.code)) {
        ui.line(styled(BOLD, doctor::subject(group[0].code)))?;
        for finding in group {
            let (mark, style) = match (finding.fixed, finding.severity) {
                (true, _) => ("✓", GREEN),
                (false, Severity::Error) => ("✗", RED),
                (false, Severity::Warning) => ("!", YELLOW),
                (false, Severity::Info) => ("·", DIM),
            };
            let mended = if finding.fixed { " (mended)" } else { "" };
            ui.line(format!("  {} {}{mended}", styled(style, mark), finding.message))?;
            if let Some(fix) = finding.fix.as_ref().filter(|_| !finding.fixed) {
                ui.line(format!("    {}", styled(CYAN, fix)))?;
            }
        }
    }
    let open: Vec<&Finding> = findings.iter().filter(|finding| finding.is_open()).collect();
    let n_fixed = findings.iter().filter(|finding| finding.fixed).count();
    let mended =
        if n_fixed > 0 { format!("; {} mended", counted(n_fixed, "finding")) } else { String::new() };
    match open.len() {
        0 => ui.line(format!("{} nothing is wrong{mended}", styled(GREEN, "✓"))),
        1 => ui.line(format!("{} 1 thing is wrong{mended}", styled(RED, "✗"))),
        n => ui.line(format!("{} {n} things are wrong{mended}", styled(RED, "✗"))),
    }
}
