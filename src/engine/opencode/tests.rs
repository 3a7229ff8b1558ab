use serde_json::json;

use super::*;
use crate::engine::cli::tests::{Played, play, play_hostile, request};
use crate::platform::fs;
use crate::platform::supervise::End;

const EDIT: &str = include_str!("../../../tests/data/engines/opencode/edit.jsonl");

fn played(out: &str, exit: i32) -> Played {
    play(&request(Access::Write), &mut Events::default(), out.as_bytes(), "", End::Exit(exit))
}

fn step(reason: &str, cost: f64) -> String {
    let tokens = json!({"input": 600, "output": 43, "reasoning": 7, "cache": {"write": 0, "read": 400}});
    let part = json!({"reason": reason, "tokens": tokens, "cost": cost});
    format!("{}\n", json!({"type": "step_finish", "sessionID": "ses_1", "part": part}))
}

fn tool(name: &str, state: &Value) -> String {
    format!("{}\n", json!({"type": "tool_use", "part": {"tool": name, "state": state}}))
}

#[test]
fn a_run_that_edits_is_told_and_counted() {
    let played = played(EDIT, 0);
    assert_eq!((played.outcome.status, played.outcome.text.as_str()), (RunStatus::Succeeded, "done"));
    assert_eq!(played.tokens(), [Some(3400), Some(2400), Some(110)]);
    assert_eq!(played.outcome.usage.cost_micros, None, "it says 0 where it knows no price");
    assert!(played.told[0].starts_with("Session(\"ses_"), "{:?}", played.told);
    let uses: Vec<&String> = played.told.iter().filter(|told| told.starts_with("Uses")).collect();
    assert!(uses[0].contains("edit") && uses[0].contains("/repo/made.txt"), "{uses:?}");
    assert!(uses[1].contains("shell") && uses[1].contains("echo ran"), "{uses:?}");
}

#[test]
fn steps_add_up_with_what_they_cost() {
    let played = played(&(step("tool-calls", 0.25) + &step("stop", 0.5)), 0);
    assert_eq!(played.tokens(), [Some(2000), Some(800), Some(100)]);
    assert_eq!(played.outcome.usage.cost_micros, Some(750_000));
}

#[test]
fn every_failure_has_its_status() {
    let auth = played(include_str!("../../../tests/data/engines/opencode/auth.jsonl"), 1).outcome;
    assert_eq!((auth.status, auth.usage.is_unknown()), (RunStatus::Auth, true));
    for (error, wanted) in [
        (json!({"name": "APIError", "data": {"message": "slow", "statusCode": 429}}), RunStatus::RateLimited),
        (json!({"name": "APIError", "data": {"message": "no", "statusCode": 400}}), RunStatus::Crashed),
        (json!({"name": "ContextOverflowError", "data": {"message": "too big"}}), RunStatus::ContextTooLong),
        (json!({"name": "ProviderAuthError", "data": {"message": "no key"}}), RunStatus::Auth),
        (json!({"name": "MessageAbortedError", "data": {"message": "aborted"}}), RunStatus::Killed),
        (
            json!({"name": "UnknownError", "data": {"message": "Unexpected server error."}}),
            RunStatus::Crashed,
        ),
        (json!("text"), RunStatus::Crashed),
    ] {
        let event = json!({"type": "error", "error": error});
        for out in [format!("{event}\n"), format!("{event}\n{}", step("stop", 0.0))] {
            assert_eq!(played(&out, 1).outcome.status, wanted, "{out}");
            assert_eq!(played(&out, 0).outcome.status, wanted, "{out}");
        }
    }
    assert_eq!(played(&step("content-filter", 0.0), 0).outcome.status, RunStatus::Refused);
    assert_eq!(played(&step("length", 0.0), 0).outcome.status, RunStatus::ContextTooLong);
    assert_eq!(played(&step("tool-calls", 0.0), 0).outcome.status, RunStatus::Crashed);
}

#[test]
fn what_was_denied_and_not_done_in_another_way_is_denied() {
    let denied = include_str!("../../../tests/data/engines/opencode/denied.jsonl");
    assert_eq!(played(denied, 0).outcome.status, RunStatus::Denied);
    let rejected =
        tool("bash", &json!({"status": "error", "error": "The user rejected permission to use this"}));
    let failed = tool("bash", &json!({"status": "error", "error": "exit code 1"}));
    let done = tool("write", &json!({"status": "completed"}));
    for (out, wanted) in [
        (rejected.clone(), RunStatus::Denied),
        (failed, RunStatus::Succeeded),
        (rejected.clone() + &done, RunStatus::Succeeded),
        (rejected + &tool("read", &json!({"status": "completed"})), RunStatus::Denied),
    ] {
        assert_eq!(played(&(out.clone() + &step("stop", 0.0)), 0).outcome.status, wanted, "{out}");
    }
}

#[test]
fn hostile_output_is_no_success() {
    play_hostile(EDIT, Events::default);
}

#[test]
fn its_configuration_says_what_it_may_and_holds_no_key() {
    let mut request = request(Access::Read);
    request.model = Some("m1".to_owned());
    let setup = Setup {
        base_url: Some("http://127.0.0.1:8080/v1".to_owned()),
        key_env: Some("CARGO_PKG_NAME".to_owned()),
        ..Setup::default()
    };
    let engine = Opencode::of(setup);
    let config = engine.config(&request);
    assert_eq!(config["permission"]["bash"], "deny");
    assert_eq!(config["provider"]["custom"]["options"]["apiKey"], "{env:CARGO_PKG_NAME}");
    assert_eq!(config["provider"]["custom"]["models"]["m1"]["name"], "m1");
    assert_eq!(engine.model(&request).as_deref(), Some("custom/m1"));
    request.access = Access::Write;
    let config = engine.config(&request);
    assert_eq!(config["permission"]["edit"], "allow");
    assert_eq!(config["permission"]["external_directory"], "deny");

    let dir = tempfile::tempdir().unwrap();
    request.scratch = dir.path().to_owned();
    let command = engine.command(&request, Some("ses_1")).unwrap();
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
    assert!(args.contains(&"--model=custom/m1".to_owned()) && args.contains(&"--session=ses_1".to_owned()));
    assert!(!args.contains(&"--auto".to_owned()));
    let project = command.get_envs().find(|(name, _)| *name == "OPENCODE_DISABLE_PROJECT_CONFIG");
    assert_eq!(project.and_then(|(_, value)| value), Some(std::ffi::OsStr::new("1")));

    // A known provider with another address keeps its models.
    request.model = Some("anthropic/claude-sonnet-4-5".to_owned());
    let config = engine.config(&request);
    assert_eq!(config["provider"]["anthropic"]["options"]["baseURL"], "http://127.0.0.1:8080/v1");
    assert_eq!(config["provider"]["anthropic"].get("models"), None);
}

#[test]
fn code_that_a_repository_brings_keeps_it_from_running() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join(".opencode/agents")).unwrap();
    assert_eq!(BROUGHT.by(dir.path()), None);
    fs::replace_file(&dir.path().join("opencode.json"), br#"{"mcp": {}}"#, false).unwrap();
    assert!(BROUGHT.by(dir.path()).unwrap().contains("`mcp`"));
    fs::replace_file(&dir.path().join("opencode.json"), br#"{"instructions": ["x"]}"#, false).unwrap();
    std::fs::create_dir(dir.path().join(".opencode/plugin")).unwrap();
    let mut request = request(Access::Write);
    request.worktree = dir.path().to_owned();
    let outcome = Opencode::of(Setup::default()).run(&request, &mut |progress| panic!("{progress:?}"));
    assert_eq!(outcome.status, RunStatus::Unavailable);
    assert!(outcome.text.contains(".opencode/plugin"), "{}", outcome.text);
}
