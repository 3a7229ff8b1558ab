use serde_json::json;

use super::*;
use crate::engine::cli::tests::{Played, play, play_hostile, request};
use crate::platform::supervise::End;

const EDIT: &str = include_str!("../../../tests/data/engines/gemini/edit.jsonl");

fn played(out: &str, err: &str, exit: i32) -> Played {
    play(&request(Access::Write), &mut Events::default(), out.as_bytes(), err, End::Exit(exit))
}

fn result(status: &str, message: &str) -> String {
    let error = json!({"type": "Error", "message": message});
    format!("{}\n", json!({"type": "result", "status": status, "error": error, "stats": {"total_tokens": 0}}))
}

#[test]
fn a_run_that_edits_is_told_and_counted() {
    let played = played(EDIT, "", 0);
    assert_eq!((played.outcome.status, played.outcome.text.as_str()), (RunStatus::Succeeded, "done"));
    assert_eq!(played.tokens(), [Some(3400), Some(2400), Some(110)]);
    assert!(played.told[0].starts_with("Session(\""), "{:?}", played.told);
    let uses: Vec<&String> = played.told.iter().filter(|told| told.starts_with("Uses")).collect();
    assert!(uses[0].contains("edit") && uses[0].contains("/repo/made.txt"), "{uses:?}");
    assert!(uses[1].contains("shell") && uses[1].contains("echo ran"), "{uses:?}");
}

#[test]
fn thoughts_are_output() {
    let stats = json!({"total_tokens": 1057, "input_tokens": 1000, "output_tokens": 50, "cached": 400});
    assert_eq!(usage_of(&stats).output_tokens, Some(57));
    assert!(usage_of(&json!({"total_tokens": 0, "input_tokens": 0, "output_tokens": 0})).is_unknown());
    assert!(usage_of(&Value::Null).is_unknown());
}

#[test]
fn every_failure_has_its_status() {
    let auth = played(include_str!("../../../tests/data/engines/gemini/auth.jsonl"), "", 145).outcome;
    assert_eq!((auth.status, auth.usage.is_unknown()), (RunStatus::Auth, true));
    for (out, err, exit, wanted) in [
        (result("error", "[API Error: no]"), "", 173, RunStatus::RateLimited),
        (result("error", "[API Error: exceeded your current quota]"), "", 173, RunStatus::Quota),
        (result("error", "[API Error: no]"), "", 244, RunStatus::Unavailable),
        (result("error", "[API Error: no]"), "", 144, RunStatus::Crashed),
        (result("error", "[API Error: terminated]"), "", 1, RunStatus::Unavailable),
        // It fails and ends with 0.
        (result("error", "Invalid stream"), "", 0, RunStatus::Crashed),
        (String::new(), "Please set an Auth method in your settings", 41, RunStatus::Auth),
        (String::new(), "", 145, RunStatus::Auth),
        (String::new(), "Reached max session turns", 53, RunStatus::Crashed),
        (String::new(), "", 130, RunStatus::Killed),
        // So does a run that was ended.
        (String::new(), "", 0, RunStatus::Crashed),
    ] {
        let outcome = played(&out, err, exit).outcome;
        assert_eq!(outcome.status, wanted, "{out} {err} {exit}: {}", outcome.text);
    }
}

#[test]
fn what_was_denied_and_not_done_in_another_way_is_denied() {
    let denied = include_str!("../../../tests/data/engines/gemini/denied.jsonl");
    assert_eq!(played(denied, "", 0).outcome.status, RunStatus::Denied);
    let (begin, end) = denied.trim_end().rsplit_once('\n').unwrap();
    let call = |tool: &str| {
        let call = json!({"type": "tool_use", "tool_name": tool, "tool_id": "t9", "parameters": {}});
        let answer = json!({"type": "tool_result", "tool_id": "t9", "status": "success"});
        format!("{begin}\n{call}\n{answer}\n{end}\n")
    };
    assert_eq!(played(&call("read_file"), "", 0).outcome.status, RunStatus::Denied);
    assert_eq!(played(&call("replace"), "", 0).outcome.status, RunStatus::Succeeded);
}

#[test]
fn hostile_output_is_no_success() {
    play_hostile(EDIT, Events::default);
}

#[test]
fn it_never_may_everything_and_a_key_goes_where_the_user_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut request = request(Access::Write);
    request.scratch = dir.path().to_owned();
    let setup = Setup { base_url: Some("http://127.0.0.1:8080".to_owned()), ..Setup::default() };
    for (access, mode, setup) in
        [(Access::Write, "auto_edit", setup), (Access::Read, "default", Setup::default())]
    {
        request.access = access;
        let base_url = setup.base_url.clone().unwrap_or_default();
        let command = Gemini::of(setup).command(&request, None).unwrap();
        let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
        assert!(args.contains(&format!("--approval-mode={mode}")), "{args:?}");
        assert!(args.contains(&format!("--model={DEFAULT_MODEL}")), "{args:?}");
        // Set also if there is none: a file of the repository cannot set it then.
        let set = command.get_envs().find(|(name, _)| *name == "GOOGLE_GEMINI_BASE_URL");
        assert_eq!(set.and_then(|(_, value)| value), Some(std::ffi::OsStr::new(&base_url)));
        let policy = std::fs::read_to_string(dir.path().join("policy.toml")).unwrap();
        assert_eq!(
            policy.parse::<toml::Table>().unwrap()["rule"].as_array().unwrap().len(),
            match access {
                Access::Write => 2,
                Access::Read => 1,
            }
        );
    }
}

#[test]
fn settings_of_a_repository_that_lead_it_keep_it_from_running() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(BROUGHT.by(dir.path()), None);
    std::fs::create_dir(dir.path().join(".gemini")).unwrap();
    let settings = dir.path().join(".gemini/settings.json");
    for (text, wanted) in [
        (r#"{"context": {"fileName": "AGENTS.md"}}"#, None),
        (r#"{"mcpServers": {"x": {"command": "touch"}}}"#, Some("mcpServers")),
        (r#"{"tools": {"discoveryCommand": "touch"}}"#, Some("tools")),
        (r#"{"hooks": {}}"#, Some("hooks")),
        (r#"{"mcp\u0053ervers": {}}"#, Some("mcpServers")),
        ("{} // {", Some("plain JSON")),
        ("[]", Some("plain JSON")),
    ] {
        fs::replace_file(&settings, text.as_bytes(), false).unwrap();
        let why = BROUGHT.by(dir.path());
        assert_eq!(why.is_some(), wanted.is_some(), "{text}: {why:?}");
        assert!(why.unwrap_or_default().contains(wanted.unwrap_or_default()), "{text}");
    }
    fs::replace_file(&settings, b"{}", false).unwrap();
    std::fs::create_dir(dir.path().join(".gemini/policies")).unwrap();
    assert!(BROUGHT.by(dir.path()).unwrap().contains("policies"));
}
