//! The engine over HTTP, against the scripted server: what it sends, what it hears and what it counts.

use std::path::PathBuf;
use std::time::Duration;

use git_godzilla::domain::run::{RunKind, RunStatus, Usage};
use git_godzilla::engine::http::{Http, Patience};
use git_godzilla::engine::{Access, Engine as _, Limits, Outcome, Progress, Request, Setup};
use git_godzilla::platform::clock;
use serde_json::{Value, json};

use crate::support::model_server::{ModelServer, Seen, Turn};

pub(super) const APIS: [&str; 3] = ["responses", "chat", "messages"];

/// A variable that every test has; what it holds stands for a key.
const KEY_ENV: &str = "CARGO_PKG_DESCRIPTION";
pub(super) const KEY: &str = env!("CARGO_PKG_DESCRIPTION");

pub(super) fn setup(url: &str, api: &str) -> Setup {
    Setup {
        name: "near".to_owned(),
        base_url: Some(url.to_owned()),
        api: Some(api.to_owned()),
        key_env: Some(KEY_ENV.to_owned()),
        ..Setup::default()
    }
}

pub(super) fn request() -> Request {
    Request {
        kind: RunKind::Review,
        run: clock::new_id(),
        protocol: None,
        step: None,
        prompt: "Judge it.".to_owned(),
        model: Some("m1".to_owned()),
        effort: None,
        worktree: PathBuf::from("."),
        access: Access::Read,
        output_schema: None,
        session: None,
        session_usage: Usage::default(),
        limits: Limits { wall: Duration::from_mins(1), idle: Duration::from_mins(1), output_bytes: 1 << 20 },
        scratch: PathBuf::from("."),
    }
}

/// Runs a request. Returns what came of it, and all that was told of it, a line each.
pub(super) fn run(setup: Setup, request: &Request) -> (Outcome, String) {
    let patience = Patience { first: Duration::from_millis(1), ..Patience::default() };
    let mut told = Vec::new();
    let outcome = Http::of(setup).with_patience(patience).run(request, &mut |progress| {
        told.push(match progress {
            Progress::Log(bytes) => format!("Log({:?})\n", String::from_utf8_lossy(bytes)),
            other => format!("{other:?}\n"),
        });
    });
    (outcome, told.concat())
}

/// Plays turns against a request in one form of API. Returns the outcome, what was told, and what was asked.
#[track_caller]
pub(super) fn play(api: &str, turns: Vec<Turn>, request: &Request) -> (Outcome, String, Vec<Seen>) {
    let server = ModelServer::start(turns);
    let (outcome, told) = run(setup(&server.url(), api), request);
    (outcome, told, server.finish())
}

fn used(input: u64, cached: u64, output: u64) -> Usage {
    Usage {
        input_tokens: Some(input),
        cached_tokens: Some(cached),
        output_tokens: Some(output),
        cost_micros: None,
    }
}

#[test]
fn usage_is_what_the_server_told_in_every_form() {
    for api in APIS {
        let turn = Turn { reasoning: Some("hm".to_owned()), ..Turn::says("It is good.") };
        let (outcome, told, calls) = play(api, vec![turn.usage(1200, 400, 80, 15)], &request());
        assert_eq!((outcome.status, outcome.text.as_str()), (RunStatus::Succeeded, "It is good."), "{api}");
        assert_eq!(outcome.usage, used(1200, 400, 80), "{api}");
        assert!(
            told.contains("Says(\"It is good.\")") && told.contains("input_tokens: Some(1200)"),
            "{told}"
        );
        assert_eq!(calls.len(), 1, "{api}");
        assert_eq!(calls[0].body["model"], "m1");
        assert!(calls[0].body.to_string().contains("Judge it."));
        let key = if api == "messages" { "x-api-key" } else { "authorization" };
        assert!(calls[0].header(key).unwrap().ends_with(&KEY[KEY.len() - 4..]), "{:?}", calls[0].headers);
    }
}

#[test]
fn an_answer_in_one_piece_is_heard_too() {
    let responses = json!({"status": "completed", "output": [{"type": "message", "content":
        [{"type": "output_text", "text": "Good."}]}],
        "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 3}});
    let chat = json!({"choices": [{"message": {"content": "Good."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens": 3,
            "cost": 0.00125}});
    let messages = json!({"content": [{"type": "text", "text": "Good."}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 4, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 1,
            "output_tokens": 3}});
    for (api, body) in APIS.into_iter().zip([responses, chat, messages]) {
        let turn = Turn::raw(200, "application/json", body.to_string());
        let (outcome, _, _) = play(api, vec![turn], &request());
        assert_eq!((outcome.status, outcome.text.as_str()), (RunStatus::Succeeded, "Good."), "{api}");
        // Money only where it is said.
        let cost_micros = (api == "chat").then_some(1250);
        assert_eq!(outcome.usage, Usage { cost_micros, ..used(9, 4, 3) }, "{api}");
    }
}

#[test]
fn a_schema_is_passed_on_and_the_answer_is_json() {
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["verdict"],
        "properties": {"verdict": {"type": "string"}}});
    let request = Request { output_schema: Some(schema.clone()), ..request() };
    for api in APIS {
        let answer = json!({"verdict": "pass"});
        let turn = match api {
            "messages" => Turn::calls("answer", answer.clone()),
            _ => Turn::json(answer.clone()),
        };
        let turn = Turn { schema: Some(true), ..turn };
        let (outcome, _, calls) = play(api, vec![turn], &request);
        assert_eq!((outcome.status, outcome.json), (RunStatus::Succeeded, Some(answer)), "{api}");
        let body = &calls[0].body;
        let (sent, strict) = match api {
            "responses" => (&body["text"]["format"]["schema"], &body["text"]["format"]["strict"]),
            "chat" => {
                let format = &body["response_format"]["json_schema"];
                (&format["schema"], &format["strict"])
            }
            _ => (&body["tools"][0]["input_schema"], &Value::Null),
        };
        assert_eq!((sent, strict == &json!(true)), (&schema, api != "messages"), "{api}");
    }
}

#[test]
fn who_takes_no_schema_is_asked_in_words() {
    let request = Request { output_schema: Some(json!({"type": "object", "title": "Mark"})), ..request() };
    let refuses = Turn::fails(400, "Unknown parameter: response_format").with_tools(false);
    let answer = Turn::says("Here:\n```json\n{\"a\": 1}\n```").when("\"title\":\"Mark\"");
    let (outcome, told, calls) = play("chat", vec![refuses, answer], &request);
    assert_eq!((outcome.status, outcome.json), (RunStatus::Succeeded, Some(json!({"a": 1}))));
    assert!(told.contains("Notice(\"the service takes no schema"), "{told}");
    assert!(calls[0].body.get("response_format").is_some() && calls[1].body.get("response_format").is_none());
}

#[test]
fn what_a_terminal_would_obey_is_not_told() {
    let (outcome, told, _) = play("responses", vec![Turn::says("a\u{1b}[2Jb\u{202e}c\nd")], &request());
    assert!(!outcome.text.contains(['\u{1b}', '\u{202e}']) && outcome.text.ends_with("c\nd"), "{outcome:?}");
    assert!(!told.contains("\\u{1b}") && !told.contains("\\u{202e}"), "{told}");
}

#[test]
fn it_changes_no_files_and_says_so_without_a_request() {
    let server = ModelServer::start(vec![]);
    let (outcome, _) = run(setup(&server.url(), "chat"), &Request { access: Access::Write, ..request() });
    assert_eq!(outcome.status, RunStatus::Denied);
    let (outcome, _) = run(setup(&server.url(), "chat"), &Request { model: None, ..request() });
    assert_eq!(
        (outcome.status, outcome.text.as_str()),
        (RunStatus::Unavailable, "`engines.near.model` is not set")
    );
    assert!(server.requests().is_empty());
}

/// How much memory the process had at most, in bytes.
#[cfg(target_os = "linux")]
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[test]
fn a_hundred_megabytes_grow_no_memory() {
    for api in APIS {
        let turn = |bytes| Turn::says("much: ").flood(bytes);
        let server = ModelServer::start(vec![turn(2 << 20), turn(100 << 20)]);
        // A process of its own, in which nothing else takes memory.
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "engines::http::hears_a_flood", "--ignored", "--nocapture"])
            .env("FLOOD_URL", server.url())
            .env("FLOOD_API", api)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{api}: {said}\n{why}");
        server.finish();
    }
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "the other half of a_hundred_megabytes_grow_no_memory"]
fn hears_a_flood() {
    let (url, api) = (std::env::var("FLOOD_URL").unwrap(), std::env::var("FLOOD_API").unwrap());
    // What a smaller one takes is taken anyway.
    Http::of(setup(&url, &api)).run(&request(), &mut |_| ());
    let before = peak();
    let mut told = 0;
    let outcome = Http::of(setup(&url, &api)).run(&request(), &mut |progress| {
        if let Progress::Says(words) = progress {
            told += words.len();
        }
    });
    let grown = peak() - before;
    assert_eq!((outcome.status, outcome.usage.output_tokens), (RunStatus::Succeeded, Some(20)));
    assert!(outcome.text.starts_with("much: xxx"));
    assert_eq!((outcome.text.len(), told), (1 << 20, 1 << 20), "as much as may be kept");
    assert!(grown < 8 << 20, "{grown} bytes for an answer of which a megabyte is kept");
}
