//! `quality-report.md`: what gates and reviewer said, for people.

use std::fmt::Write as _;

use super::Reviewed;
use crate::domain::event::Verdict;
use crate::domain::id::Name;
use crate::domain::review::Severity;
use crate::domain::run::Artifact;
use crate::domain::state::Step;
use crate::domain::text;
use crate::platform::fs;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::exclude;
use crate::service::workplace::Workplace;
use crate::store::content::sha256;

/// Its name, in the folder of the protocol.
pub const FILE: &str = "quality-report.md";

/// What keeps git from showing it.
pub(super) const EXCLUDED: &str = "/.protocols/*/quality-report.md";

/// Writes the report into the worktree, whole or not at all, and notes it as an artifact of the review. Git
/// does not show it and nothing commits it. What keeps it from being written is a notice.
pub fn write(
    ctx: &Context,
    place: &Workplace,
    name: &Name,
    step: &Step,
    verdict: &Verdict,
    reviewed: &mut Reviewed,
) {
    let text = text_of(name, step, verdict, reviewed);
    match put(ctx, place, name, &text) {
        Ok(path) => {
            let Some(review) = &reviewed.review else { return };
            reviewed.report = Some(Artifact {
                run: review.run,
                name: "quality-report".to_owned(),
                kind: "report".to_owned(),
                path,
                sha256: sha256(text.as_bytes()).to_string(),
                bytes: u64::try_from(text.len()).unwrap_or(u64::MAX),
            });
        }
        Err(err) => {
            let why = super::super::error_chain(&err);
            reviewed.notices.push(format!("{FILE} was not written: {why}"));
        }
    }
}

fn put(ctx: &Context, place: &Workplace, name: &Name, text: &str) -> Result<String, Error> {
    let folder = format!(".protocols/{name}");
    let dir = place.folder_of(name)?;
    exclude::add(ctx, EXCLUDED)?;
    fs::replace_file(&dir.join(FILE), text.as_bytes(), false).map_err(Error::io(format!("write {FILE}")))?;
    Ok(format!("{folder}/{FILE}"))
}

/// Returns the report. Nothing in it is as a stranger wrote it: what could begin a heading or end a fence is
/// put into lists and code.
fn text_of(name: &Name, step: &Step, verdict: &Verdict, reviewed: &Reviewed) -> String {
    let mut out = String::new();
    // Writing to a `String` cannot fail.
    macro_rules! say { ($($arg:tt)*) => { writeln!(out, $($arg)*).ok() } }
    say!("# QA of {name}/{}", step.id);
    say!("");
    say!("- Verdict: {}", verdict.result.replace('_', " ").to_uppercase());
    if let Some(commit) = verdict.commit {
        say!("- Commit: {commit}{}", if verdict.dirty { ", with what is not committed" } else { "" });
    }
    say!("\n## Gates\n");
    if verdict.gates.is_empty() {
        say!("No gate judges this step.");
    }
    for gate in &verdict.gates {
        let how = match gate.exit {
            Some(0) => "passed".to_owned(),
            Some(code) => format!("failed with exit code {code}"),
            None => "could not run to its end".to_owned(),
        };
        say!("- {}: {how}", gate.name);
    }
    say!("\n## Review\n");
    if let Some(review) = &reviewed.review {
        let model = review.model.as_ref().map(|model| format!(" ({})", text::one_line(model)));
        say!("- By: {}{}, run {}", text::one_line(&review.engine), model.unwrap_or_default(), review.run);
        say!("- It said {}, which counts as {}", review.said, review.result);
        if let Some(why) = &review.downgraded {
            say!("- Why: {why}");
        }
    }
    if let Some(unreviewed) = &reviewed.unreviewed {
        say!("- There is no review: {}", text::one_line(&unreviewed.message));
    }
    if !reviewed.stray.is_empty() {
        say!("- The reviewer changed what it was to look at: {}", super::some(&reviewed.stray));
    }
    let Some(opinion) = &reviewed.opinion else { return out };
    if !opinion.summary.is_empty() {
        say!("");
        for line in opinion.summary.lines() {
            say!("> {line}");
        }
    }
    for (severity, title) in
        [(Severity::Blocking, "Blocking"), (Severity::Warning, "Warnings"), (Severity::Note, "Notes")]
    {
        say!("\n### {title}\n");
        let of: Vec<_> = opinion.findings.iter().filter(|finding| finding.severity == severity).collect();
        if of.is_empty() {
            say!("- none");
        }
        for finding in of {
            let place = finding.place();
            let place = if place.is_empty() { place } else { format!("`{}`: ", place.replace('`', "'")) };
            say!("- {place}{}", text::one_line(&finding.message));
        }
    }
    if !opinion.next_actions.is_empty() {
        say!("\n## Next actions\n");
        for action in &opinion.next_actions {
            say!("- {action}");
        }
    }
    out
}
