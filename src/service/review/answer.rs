//! A review in the form that we ask for.

use serde_json::Value;

use crate::domain::review::{Finding, Opinion, Severity, Word};

/// Reads an answer of the form of `schemas/review.schema.json`. What is not as it says is read for the worse:
/// a verdict that is none says nothing, a severity that is none blocks.
pub fn of_json(answer: &Value) -> Opinion {
    let said = match answer["verdict"].as_str() {
        Some("pass") => Word::Pass,
        Some("fail") => Word::Fail,
        _ => Word::None,
    };
    let none = Vec::new();
    let list = |key: &str| answer[key].as_array().unwrap_or(&none);
    let findings = list("findings").iter().filter_map(finding).collect();
    let actions: Vec<String> =
        list("next_actions").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    Opinion::structured(said, answer["summary"].as_str().unwrap_or_default(), findings, &actions)
}

fn finding(finding: &Value) -> Option<Finding> {
    let severity = finding["severity"].as_str().and_then(Severity::from_word).unwrap_or(Severity::Blocking);
    let message = finding["message"].as_str().unwrap_or_default();
    // One that blocks and says nothing still blocks.
    let message = match (message.trim(), severity) {
        ("", Severity::Blocking) => "(nothing was said about it)",
        _ => message,
    };
    let found = |message| Finding::new(severity, finding["path"].as_str(), finding["line"].as_u64(), message);
    found(message).or_else(|| found("(nothing was said about it)").filter(|_| severity == Severity::Blocking))
}
