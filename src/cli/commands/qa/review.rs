//! What a review came to, for people and for programs.

use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::json as shapes;
use crate::cli::ui::{DIM, RED, Ui, styled};
use crate::domain::review::Severity;
use crate::domain::text;
use crate::service::qa::Judged;

/// How many findings are shown.
const MAX_SHOWN: usize = 20;

pub(super) fn print(ui: &mut Ui, judged: &Judged) -> Result<(), CliError> {
    let Some(reviewed) = &judged.reviewed else { return Ok(()) };
    if let Some(why) = &reviewed.unreviewed {
        ui.line(format!("  {}", why.message))?;
        if let Some(hint) = &why.hint {
            ui.line(format!("  {hint}"))?;
        }
    }
    if let Some(review) = reviewed.review.as_ref().filter(|_| reviewed.unreviewed.is_none()) {
        let said = if review.said == "none" { "gave no clear verdict" } else { "says" };
        let word = if review.said == "none" { String::new() } else { format!(" {}", review.said) };
        let counts = if review.said == review.result || review.said == "none" {
            String::new()
        } else {
            format!(", which counts as a {}", review.result)
        };
        let why = review.downgraded.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        ui.line(format!("  {} {said}{word}{counts}{why}", review.engine))?;
    }
    if let Some(opinion) = &reviewed.opinion {
        for line in opinion.summary.lines().take(3) {
            ui.line(format!("  {}", styled(DIM, text::clip(line, 300))))?;
        }
        for finding in opinion.findings.iter().take(MAX_SHOWN) {
            let style = if finding.severity == Severity::Blocking { RED } else { DIM };
            let place = finding.place();
            let place = if place.is_empty() { place } else { format!("{place}: ") };
            let said = text::clip(&text::one_line(&finding.message), 300);
            ui.line(format!("  {} {place}{said}", styled(style, finding.severity)))?;
        }
        let n_more = opinion.findings.len().saturating_sub(MAX_SHOWN);
        if n_more > 0 {
            ui.line(format!("  and {n_more} more"))?;
        }
    }
    if !reviewed.stray.is_empty() {
        ui.line("  it was to look only, and these are not as they were:")?;
        for path in reviewed.stray.iter().take(10) {
            ui.line(format!("    {path}"))?;
        }
    }
    for notice in &reviewed.notices {
        ui.warn(notice);
    }
    if let Some(report) = &reviewed.report {
        ui.line(format!("  {}", styled(DIM, &report.path)))?;
    }
    Ok(())
}

/// Returns the `review` of the answer; null if none was due.
pub(super) fn document(judged: &Judged) -> Value {
    let Some(reviewed) = &judged.reviewed else { return Value::Null };
    let opinion = reviewed.opinion.as_ref();
    json!({
        "verdict": reviewed.review.as_ref().map(shapes::review),
        "summary": opinion.map(|opinion| &opinion.summary),
        "next_actions": opinion.map(|opinion| opinion.next_actions.clone()).unwrap_or_default(),
        "missing": reviewed.unreviewed.as_ref().map(|why| {
            json!({ "code": why.code, "message": why.message, "hint": why.hint })
        }),
        "changed_by_reviewer": reviewed.stray,
        "report": reviewed.report.as_ref().map(|report| &report.path),
        "notices": reviewed.notices,
    })
}
