use serde_json::json;

use super::*;
use crate::domain::run::RunStatus;
use crate::engine::cli::tests::{Played, play, play_hostile, request};
use crate::platform::supervise::End;

const EDIT: &str = include_str!("../../../tests/data/engines/codex/edit.jsonl");

fn played(out: &str, exit: i32, before: Usage) -> Played {
    play(&request(Access::Write), &mut Events { before }, out.as_bytes(), "", End::Exit(exit))
}

fn args(request: &Request, setup: Setup, session: Option<&str>) -> Vec<String> {
    let schema = request.output_schema.is_some().then(|| Path::new("/scratch/schema.json"));
    let command = Codex::of(setup).command(request, schema, session);
    command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect()
}

#[test]
fn a_run_that_edits_is_told_and_counted() {
    let played = played(EDIT, 0, Usage::default());
    assert_eq!((played.outcome.status, played.outcome.text.as_str()), (RunStatus::Succeeded, "done"));
    assert_eq!(played.tokens(), [Some(3400), Some(2400), Some(110)]);
    assert!(played.told[0].starts_with("Session(\""), "{:?}", played.told);
    let uses: Vec<&String> = played.told.iter().filter(|told| told.starts_with("Uses")).collect();
    assert!(uses[0].contains("edit") && uses[0].contains("/repo/made.txt"), "{uses:?}");
    assert!(uses[1].contains("shell") && uses[1].contains("echo ran"), "{uses:?}");
}

#[test]
fn what_a_conversation_used_before_is_not_counted_again() {
    let resumed = include_str!("../../../tests/data/engines/codex/resumed.jsonl");
    let before = Usage {
        input_tokens: Some(1200),
        cached_tokens: Some(1000),
        output_tokens: Some(30),
        cost_micros: None,
    };
    assert_eq!(played(resumed, 0, before).tokens(), [Some(1000), Some(400), Some(50)]);
    let too_much = Usage { input_tokens: Some(u64::MAX), ..before };
    assert_eq!(played(resumed, 0, too_much).tokens()[0], Some(0));
}

#[test]
fn an_error_before_a_success_is_a_notice() {
    let played = played(include_str!("../../../tests/data/engines/codex/again.jsonl"), 0, Usage::default());
    assert_eq!((played.outcome.status, played.outcome.text.as_str()), (RunStatus::Succeeded, "done"));
    assert!(played.told.iter().any(|told| told.starts_with("Notice(\"Reconnecting")), "{:?}", played.told);
}

#[test]
fn every_failure_has_its_status() {
    let auth =
        played(include_str!("../../../tests/data/engines/codex/auth.jsonl"), 1, Usage::default()).outcome;
    assert_eq!(auth.status, RunStatus::Auth);
    assert!(auth.usage.is_unknown() && auth.text.contains("bad key"), "{auth:?}");
    let context = include_str!("../../../tests/data/engines/codex/context.jsonl");
    assert_eq!(played(context, 1, Usage::default()).outcome.status, RunStatus::ContextTooLong);
    for (message, wanted) in [
        ("exceeded retry limit, last status: 429 Too Many Requests", RunStatus::RateLimited),
        ("Quota exceeded. Check your plan and billing details.", RunStatus::Quota),
        ("Missing environment variable: `SCRIPTED_KEY`.", RunStatus::Auth),
        ("stream disconnected before completion: Transport error", RunStatus::Unavailable),
        ("{\"error\":{\"message\":\"strange\",\"type\":\"invalid_request_error\"}}", RunStatus::Crashed),
        ("", RunStatus::Crashed),
    ] {
        let failed = json!({"type": "turn.failed", "error": {"message": message}}).to_string();
        assert_eq!(played(&failed, 1, Usage::default()).outcome.status, wanted, "{message}");
        // An error inside, and an exit code that knows nothing of it.
        assert_eq!(played(&failed, 0, Usage::default()).outcome.status, wanted, "{message}");
    }
}

#[test]
fn what_was_declined_and_not_done_in_another_way_is_denied() {
    let declined = |after: &str| {
        let item = json!({"type": "item.completed", "item": {"type": "command_execution", "command": "make",
            "status": "declined"}});
        let turn = json!({"type": "turn.completed", "usage": {}});
        played(&format!("{item}\n{after}\n{turn}\n"), 0, Usage::default()).outcome.status
    };
    let other = |status: &str| {
        json!({"type": "item.completed", "item": {"type": "command_execution", "status": status}}).to_string()
    };
    assert_eq!(declined(""), RunStatus::Denied);
    assert_eq!(declined(&other("failed")), RunStatus::Denied);
    assert_eq!(declined(&other("completed")), RunStatus::Succeeded);
}

#[test]
fn hostile_output_is_no_success() {
    play_hostile(EDIT, || Events { before: Usage::default() });
}

#[test]
fn it_is_called_in_its_sandbox_and_its_tools_see_no_key() {
    let mut request = request(Access::Read);
    let read = args(&request, Setup::default(), None);
    assert!(read.contains(&"--sandbox=read-only".to_owned()), "{read:?}");
    assert_eq!(read.last().map(String::as_str), Some("-"), "the prompt is its input");
    request.access = Access::Write;
    request.model = Some("gpt-5.5".to_owned());
    request.effort = Some("high".to_owned());
    let setup = Setup {
        base_url: Some("http://127.0.0.1:8080/v1\"".to_owned()),
        key_env: Some("SCRIPTED".to_owned()),
        ..Setup::default()
    };
    let write = args(&request, setup, Some("abc"));
    for arg in [
        "--sandbox=workspace-write",
        "--model=gpt-5.5",
        "sandbox_workspace_write.exclude_slash_tmp=true",
        "model_reasoning_effort=\"high\"",
        r#"shell_environment_policy.exclude=["*KEY*","*TOKEN*","*SECRET*","*PASSWORD*","*CREDENTIAL*","SCRIPTED"]"#,
    ] {
        assert!(write.iter().any(|known| known == arg), "{arg} is not in {write:?}");
    }
    assert!(!write.iter().any(|arg| arg.contains("bypass") || arg.contains("full-access")));
    assert_eq!(write[write.len() - 3..], ["resume", "abc", "-"]);
    for line in write.iter().filter(|arg| arg.starts_with("model_provider")) {
        line.parse::<toml::Table>().unwrap_or_else(|err| panic!("{line}: {err}"));
    }
}

#[test]
fn only_a_schema_that_its_service_takes_is_passed_on() {
    let strict = json!({"type": "object", "additionalProperties": false, "required": ["a"],
        "properties": {"a": {"type": "array", "items": {"type": "string"}}}});
    assert!(is_strict(&strict));
    for (pointer, value) in [
        ("/additionalProperties", json!(true)),
        ("/required", json!([])),
        ("/properties/a/items", json!({"type": "object"})),
        ("/properties/a/items", json!({"type": "string", "minLength": 1})),
        ("/properties/a", json!({"$ref": "#/x"})),
        ("/properties", json!([])),
    ] {
        let mut loose = strict.clone();
        *loose.pointer_mut(pointer).unwrap() = value;
        assert!(!is_strict(&loose), "{loose}");
    }
}
