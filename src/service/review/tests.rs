use super::*;
use crate::domain::id::Ulid;
use crate::domain::review::{Finding, Severity, Word};
use crate::domain::run::Usage;

fn asked(status: RunStatus, said: &str, json: Option<Value>) -> Asked {
    let outcome = Outcome { json, usage: Usage::default(), ..Outcome::without_answer(status, said) };
    Asked {
        run: Ulid(7),
        engine: "mock".to_owned(),
        model: None,
        outcome,
        session_used: Usage::default(),
        took: std::time::Duration::ZERO,
        log: None,
        unrecorded: Vec::new(),
        held: Vec::new(),
    }
}

fn taken(status: RunStatus, said: &str, json: Option<Value>) -> Reviewed {
    let mut reviewed = Reviewed::default();
    take(asked(status, said, json), &mut reviewed);
    reviewed
}

#[test]
fn only_a_run_that_succeeded_and_said_so_passes() {
    let pass = r#"{"verdict":"pass","summary":"","findings":[],"next_actions":[]}"#;
    let json = || serde_json::from_str(pass).ok();
    assert_eq!(combined("pass", &taken(RunStatus::Succeeded, "", json())), "pass");
    assert_eq!(combined("pass", &taken(RunStatus::Succeeded, "Verdict: PASS", None)), "pass");
    for status in RunStatus::ALL.iter().filter(|status| **status != RunStatus::Succeeded) {
        assert_eq!(combined("pass", &taken(*status, "Verdict: PASS", json())), "error", "{status}");
    }
    assert_eq!(combined("pass", &taken(RunStatus::Succeeded, " \n", None)), "error");
    assert_eq!(combined("pass", &taken(RunStatus::Succeeded, "PASS", None)), "fail");
    assert_eq!(combined("pass", &Reviewed::default()), "error");
    let mut stray = taken(RunStatus::Succeeded, "", json());
    stray.stray.push("src/a.rs".to_owned());
    assert_eq!(combined("pass", &stray), "error");
}

#[test]
fn a_review_never_makes_the_gates_better() {
    let pass = || taken(RunStatus::Succeeded, "Verdict: PASS", None);
    let fail = || taken(RunStatus::Succeeded, "Verdict: FAIL", None);
    for (gates, with_pass, with_fail, without) in [
        ("pass", "pass", "fail", "error"),
        ("fail", "fail", "fail", "fail"),
        ("no_gate", "no_gate", "fail", "error"),
        ("error", "error", "error", "error"),
        ("hm", "error", "error", "error"),
    ] {
        let told =
            [combined(gates, &pass()), combined(gates, &fail()), combined(gates, &Reviewed::default())];
        assert_eq!(told, [with_pass, with_fail, without], "{gates}");
    }
}

#[test]
fn answers_that_are_not_as_asked_are_read_for_the_worse() {
    let read = |text: &str| of_json(&serde_json::from_str(text).unwrap());
    for text in ["null", "[]", "7", "{}", r#"{"verdict":"PASS"}"#, r#"{"verdict":["pass"]}"#] {
        assert_eq!(read(text).said, Word::None, "{text}");
    }
    let odd = read(
        r#"{"verdict":"pass","findings":[{"severity":"odd","message":"a"},{"severity":"blocking"},{"severity":"note"},
           {"severity":"warning","path":"../x","line":4,"message":"b"},{"severity":"note","path":"x","line":-4,"message":"c"}, 7]}"#,
    );
    let told: Vec<(Severity, String)> = odd.findings.iter().map(|it| (it.severity, it.place())).collect();
    let (blocking, place) = (Severity::Blocking, |place: &str| place.to_owned());
    assert_eq!(
        told,
        [
            (blocking, place("")),
            (blocking, place("")),
            (blocking, place("")),
            (Severity::Warning, place("")),
            (Severity::Note, place("x"))
        ]
    );
    assert_eq!(
        odd.findings[0],
        Finding { severity: blocking, path: None, line: None, message: "a".to_owned() }
    );
}

#[test]
fn the_form_is_one_that_models_can_be_held_to() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    // Services ask for every member to be required, and for no others.
    let mut left = vec![&schema];
    while let Some(part) = left.pop() {
        let Some(members) = part["properties"].as_object() else { continue };
        assert_eq!(part["required"].as_array().map(Vec::len), Some(members.len()), "{part}");
        assert_eq!(part["additionalProperties"], false);
        left.extend(members.values().map(|it| if it["items"].is_object() { &it["items"] } else { it }));
    }
    assert!(jsonschema::validator_for(&schema).is_ok());
}
