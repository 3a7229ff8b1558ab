use serde_json::json;

use super::*;
use crate::engine::cli::tests::{Played, play, play_hostile, request};
use crate::platform::supervise::End;

const EDIT: &str = include_str!("../../../tests/data/engines/claude/edit.jsonl");
const DENIED: &str = include_str!("../../../tests/data/engines/claude/denied.jsonl");

fn played(request: &Request, out: &str, exit: i32) -> Played {
    play(request, &mut Events::default(), out.as_bytes(), "", End::Exit(exit))
}

fn result(fields: &Value) -> String {
    let mut result = json!({"type": "result", "subtype": "success", "is_error": false, "result": "done"});
    for (name, value) in fields.as_object().unwrap() {
        result[name] = value.clone();
    }
    format!("{result}\n")
}

fn args(request: &Request, setup: Setup) -> (Vec<String>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let request = Request { scratch: dir.path().to_owned(), ..request.clone() };
    let command = Claude::of(setup).command(&request, passed_schema(&request).as_deref(), None).unwrap();
    let names = command.get_envs().filter(|(_, value)| value.is_some());
    (
        command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        names.map(|(name, _)| name.to_string_lossy().into_owned()).collect(),
    )
}

#[test]
fn a_run_that_edits_is_told_and_counted() {
    let played = played(&request(Access::Write), EDIT, 0);
    assert_eq!((played.outcome.status, played.outcome.text.as_str()), (RunStatus::Succeeded, "done"));
    assert_eq!(played.tokens(), [Some(3400), Some(2400), Some(110)]);
    assert_eq!(played.outcome.usage.cost_micros, Some(5370));
    assert!(played.told[0].starts_with("Session(\""), "{:?}", played.told);
    let uses: Vec<&String> = played.told.iter().filter(|told| told.starts_with("Uses")).collect();
    assert!(uses[0].contains("edit") && uses[0].contains("/repo/made.txt"), "{uses:?}");
    assert!(uses[1].contains("shell") && uses[1].contains("echo ran"), "{uses:?}");
}

#[test]
fn an_answer_of_a_schema_is_taken_from_its_tool() {
    let mut request = request(Access::Read);
    request.output_schema = Some(json!({"type": "object"}));
    let answered = played(&request, include_str!("../../../tests/data/engines/claude/schema.jsonl"), 0);
    assert_eq!(answered.outcome.json, Some(json!({"verdict": "pass"})));
    assert!(answered.told.iter().any(|told| told.contains("after status 529")), "{:?}", answered.told);
    // It gave up, and calls that a success.
    let prose = result(&json!({"result": "I cannot say it in JSON."}));
    assert_eq!(played(&request, &prose, 0).outcome.status, RunStatus::Schema);
    let gave_up = result(&json!({"subtype": "error_max_structured_output_retries", "is_error": true}));
    assert_eq!(played(&request, &gave_up, 1).outcome.status, RunStatus::Schema);
}

#[test]
fn every_failure_has_its_status() {
    let request = request(Access::Write);
    let auth = played(&request, include_str!("../../../tests/data/engines/claude/auth.jsonl"), 1).outcome;
    assert_eq!(auth.status, RunStatus::Auth);
    assert!(auth.usage.is_unknown() && auth.text.contains("; log in"), "{auth:?}");
    let limited = include_str!("../../../tests/data/engines/claude/limited.jsonl");
    assert_eq!(played(&request, limited, 1).outcome.status, RunStatus::RateLimited);
    for (fields, wanted) in [
        (json!({"is_error": true, "api_error_status": 500}), RunStatus::Unavailable),
        (json!({"is_error": true, "api_error_status": 400}), RunStatus::Crashed),
        (json!({"is_error": true, "result": "Prompt is too long"}), RunStatus::ContextTooLong),
        (json!({"is_error": true, "result": "Not logged in · Please run /login"}), RunStatus::Auth),
        (json!({"is_error": true, "subtype": "error_during_execution", "result": ""}), RunStatus::Killed),
        (json!({"is_error": true, "subtype": "error_max_turns", "result": ""}), RunStatus::Crashed),
        (json!({"is_error": true, "subtype": "error_max_budget_usd"}), RunStatus::Quota),
        (json!({"subtype": "error_max_turns"}), RunStatus::Crashed),
        (json!({"stop_reason": "refusal"}), RunStatus::Refused),
        // Whether it is an error it does not say.
        (json!({"is_error": null}), RunStatus::Crashed),
    ] {
        for exit in [0, 1] {
            let status = played(&request, &result(&fields), exit).outcome.status;
            assert_eq!(status, wanted, "{fields} and exit code {exit}");
        }
    }
}

#[test]
fn the_time_at_which_a_limit_ends_is_taken_from_its_event() {
    let soon = crate::platform::clock::now_ms() / 1000 + 3600;
    let event =
        json!({"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "resetsAt": soon}});
    let failed =
        result(&json!({"is_error": true, "api_error_status": 429, "result": "You've hit your limit"}));
    let outcome = played(&request(Access::Write), &format!("{event}\n{failed}"), 1).outcome;
    assert_eq!((outcome.status, outcome.until_ms), (RunStatus::RateLimited, Some(soon * 1000)));
}

#[test]
fn what_was_denied_and_not_done_in_another_way_is_denied() {
    let denied = played(&request(Access::Write), DENIED, 0).outcome;
    assert_eq!((denied.status, denied.exit), (RunStatus::Denied, Some(0)));
    assert!(denied.text.contains("`Write`"), "{}", denied.text);
    // Whoever may only look is denied the rest on purpose.
    assert_eq!(played(&request(Access::Read), DENIED, 0).outcome.status, RunStatus::Succeeded);
    let (begin, end) = DENIED.trim_end().rsplit_once('\n').unwrap();
    let call = |tool: &str| {
        let call = json!({"type": "assistant", "message": {"content": [{"type": "tool_use", "id": "t9", "name": tool}]}});
        let answer =
            json!({"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "t9"}]}});
        format!("{begin}\n{call}\n{answer}\n{end}\n")
    };
    assert_eq!(played(&request(Access::Write), &call("Read"), 0).outcome.status, RunStatus::Denied);
    assert_eq!(played(&request(Access::Write), &call("Edit"), 0).outcome.status, RunStatus::Succeeded);
}

#[test]
fn what_a_run_used_is_taken_by_model_and_else_unknown() {
    let request = request(Access::Write);
    let zero = json!({"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0});
    let used = json!({"inputTokens": 7, "outputTokens": 2, "cacheReadInputTokens": 3, "cacheCreationInputTokens": 1});
    let fields = json!({"usage": zero, "modelUsage": {"a": used, "b": used}, "total_cost_usd": 0.5});
    let by_model = played(&request, &result(&fields), 0);
    assert_eq!(by_model.tokens(), [Some(22), Some(6), Some(4)]);
    assert_eq!(by_model.outcome.usage.cost_micros, Some(500_000));
    for fields in [json!({}), json!({"usage": zero, "modelUsage": {}, "total_cost_usd": 0})] {
        assert!(played(&request, &result(&fields), 0).outcome.usage.is_unknown());
    }
}

#[test]
fn hostile_output_is_no_success() {
    play_hostile(EDIT, Events::default);
}

#[test]
fn it_may_look_or_work_and_never_everything() {
    let mut request = request(Access::Read);
    request.output_schema = Some(json!({"$schema": "https://json-schema.org/x", "type": "object"}));
    let (read, _) = args(&request, Setup::default());
    assert!(read.contains(&"--tools=Read,Grep,Glob".to_owned()), "{read:?}");
    assert!(read.contains(&"--json-schema={\"type\":\"object\"}".to_owned()), "{read:?}");
    request.access = Access::Write;
    request.output_schema = None;
    let setup = Setup { base_url: Some("http://127.0.0.1:8080".to_owned()), ..Setup::default() };
    let (write, names) = args(&request, setup);
    assert!(write.contains(&"--permission-mode=acceptEdits".to_owned()), "{write:?}");
    for args in [read, write] {
        assert!(args.contains(&"--setting-sources=user".to_owned()), "{args:?}");
        assert!(args.contains(&"--strict-mcp-config".to_owned()), "{args:?}");
        assert!(!args.iter().any(|arg| arg.contains("dangerously") || arg.contains("bypass")), "{args:?}");
    }
    assert!(names.contains(&"ANTHROPIC_BASE_URL".to_owned()), "{names:?}");
}

#[test]
fn a_schema_that_is_too_long_for_an_argument_goes_into_the_prompt() {
    let mut request = request(Access::Read);
    request.output_schema = Some(json!({"description": "x".repeat(MAX_ARGUMENT)}));
    assert_eq!(passed_schema(&request), None);
    assert!(cli::prompt(&request, false).len() > MAX_ARGUMENT);
}
