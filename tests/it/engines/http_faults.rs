//! Everything that can go wrong with a service over HTTP ends in the right status.

use std::net::TcpListener;
use std::time::Duration;

use git_godzilla::domain::run::RunStatus;
use git_godzilla::engine::http::Http;
use git_godzilla::engine::{Engine as _, Login, Outcome, Request, Setup};
use git_godzilla::platform::clock;
use serde_json::json;

use super::http::{APIS, KEY, play, request, run, setup};
use crate::support::model_server::{Fault, ModelServer, Raw, Turn};

/// Runs turns that end in `status`, in every form. All turns must have been asked for, and no other.
#[track_caller]
fn ends(status: RunStatus, turns: &[Turn], request: &Request) -> Vec<(Outcome, String)> {
    let play_one = |api: &&str| {
        let (outcome, told, calls) = play(api, turns.to_vec(), request);
        assert_eq!(outcome.status, status, "{api}: {outcome:?}\n{told}");
        assert_eq!(calls.len(), turns.iter().map(|turn| turn.times.unwrap_or(1) as usize).sum::<usize>());
        (outcome, told)
    };
    APIS.iter().map(play_one).collect()
}

#[test]
fn a_key_that_is_not_taken_is_auth_at_once() {
    for status in [401, 403] {
        for (outcome, _) in ends(RunStatus::Auth, &[Turn::fails(status, "no such key")], &request()) {
            assert!(outcome.text.contains("no such key"), "{outcome:?}");
        }
    }
    let server = ModelServer::start(vec![]);
    let missing = Setup { key_env: Some("NOT_SET_ANYWHERE".to_owned()), ..setup(&server.url(), "chat") };
    let (outcome, _) = run(missing, &request());
    assert_eq!(outcome.status, RunStatus::Auth);
    assert!(outcome.text.contains("NOT_SET_ANYWHERE") && server.requests().is_empty());
}

#[test]
fn a_limit_of_rates_is_waited_for_and_then_said_with_its_time() {
    let slow = |after: &str| Turn::fails(429, "slow down").retry_after(after);
    for (_, told) in ends(RunStatus::Succeeded, &[slow("0"), slow("0.001"), Turn::says("ok")], &request()) {
        assert!(told.contains("(1 of 3)") && told.contains("(2 of 3)"), "{told}");
    }
    for (outcome, _) in ends(RunStatus::RateLimited, &[slow("0").times(4)], &request()) {
        assert!(outcome.until_ms.is_some());
    }
    // Longer than it waits: at once, with the time.
    let before = clock::now_ms();
    for (outcome, _) in ends(RunStatus::RateLimited, &[slow("3600")], &request()) {
        assert!(outcome.until_ms.unwrap() >= before + 3_600_000, "{outcome:?}");
    }
    for (outcome, _) in ends(RunStatus::RateLimited, &[slow("Fri, 01 Jan 2100 00:00:00 GMT")], &request()) {
        // Believed for a year at most.
        let year_ms = 365 * 24 * 3_600_000;
        assert!(outcome.until_ms.is_some_and(|until| until >= before + year_ms), "{outcome:?}");
    }
    // Longer than the run may take.
    let mut short = request();
    short.limits.wall = Duration::from_secs(5);
    ends(RunStatus::RateLimited, &[slow("30")], &short);
    // Without a time.
    for (outcome, _) in ends(RunStatus::RateLimited, &[Turn::fails(429, "slow down").times(4)], &request()) {
        assert_eq!(outcome.until_ms, None);
    }
}

#[test]
fn what_is_paid_for_and_used_up_is_quota_at_once() {
    let none_left =
        Turn::fails(429, "You exceeded your current quota, please check your plan and billing details.");
    ends(RunStatus::Quota, &[none_left.clone().code("insufficient_quota")], &request());
    ends(RunStatus::Quota, &[none_left], &request());
    ends(
        RunStatus::Quota,
        &[Turn::fails(400, "Your credit balance is too low to access the API.")],
        &request(),
    );
    ends(RunStatus::Quota, &[Turn::fails(402, "pay first")], &request());
}

#[test]
fn a_server_in_trouble_is_asked_again_and_then_unavailable() {
    for status in [500, 502, 503, 529] {
        let trouble = Turn::fails(status, "later");
        ends(RunStatus::Succeeded, &[trouble.clone(), Turn::says("ok")], &request());
        ends(RunStatus::Unavailable, &[trouble.times(4)], &request());
    }
}

#[test]
fn a_connection_that_is_lost_is_made_again() {
    for fault in [Fault::DropBefore, Fault::DropMid] {
        let lost = Turn::says("half of an answer, and more").fault(fault);
        for (outcome, _) in ends(RunStatus::Succeeded, &[lost.clone(), Turn::says("whole")], &request()) {
            assert_eq!(outcome.text, "whole");
        }
        ends(RunStatus::Unavailable, &[lost.times(4)], &request());
    }
}

#[test]
fn an_error_inside_an_answer_is_an_error() {
    let inside = |code: &str| Turn::fails_inside(code, "what happened");
    ends(RunStatus::Succeeded, &[inside("overloaded_error"), Turn::says("ok")], &request());
    ends(RunStatus::Unavailable, &[inside("server_error").times(4)], &request());
    ends(RunStatus::RateLimited, &[inside("rate_limit_exceeded").times(4)], &request());
    ends(RunStatus::Quota, &[inside("insufficient_quota")], &request());
    ends(RunStatus::ContextTooLong, &[inside("context_length_exceeded")], &request());
    for (outcome, _) in ends(RunStatus::Crashed, &[inside("unheard_of")], &request()) {
        assert!(outcome.text.contains("what happened"), "{outcome:?}");
    }
}

#[test]
fn a_prompt_that_is_too_long_is_said_to_be() {
    ends(
        RunStatus::ContextTooLong,
        &[Turn::fails(400, "too much").code("context_length_exceeded")],
        &request(),
    );
    ends(RunStatus::ContextTooLong, &[Turn::fails(400, "prompt is too long: 9 > 8 tokens")], &request());
    ends(RunStatus::ContextTooLong, &[Turn::fails(413, "too large")], &request());
    for (api, reason) in APIS.into_iter().zip(["max_output_tokens", "length", "max_tokens"]) {
        let (outcome, _, _) = play(api, vec![Turn::says("and then").stops_with(reason)], &request());
        assert_eq!(outcome.status, RunStatus::ContextTooLong, "{api}");
    }
}

#[test]
fn a_refusal_is_one_in_every_form() {
    for (api, reason) in APIS.into_iter().zip(["content_filter", "content_filter", "refusal"]) {
        let (outcome, _, _) = play(api, vec![Turn::says("I cannot.").stops_with(reason)], &request());
        assert_eq!((outcome.status, outcome.text.as_str()), (RunStatus::Refused, "I cannot."), "{api}");
        assert_eq!(outcome.usage.output_tokens, Some(20), "what was used counts");
    }
    let refusal = json!({"status": "completed", "output": [{"type": "message", "content":
        [{"type": "refusal", "refusal": "No."}]}]});
    let (outcome, _, _) =
        play("responses", vec![Turn::raw(200, "application/json", refusal.to_string())], &request());
    assert_eq!((outcome.status, outcome.text.as_str()), (RunStatus::Refused, "No."));
    ends(RunStatus::Refused, &[Turn::fails(400, "not this").code("content_policy_violation")], &request());
}

#[test]
fn an_answer_that_is_no_json_breaks_the_schema() {
    let asked = Request { output_schema: Some(json!({"type": "object"})), ..request() };
    for (outcome, _) in ends(RunStatus::Schema, &[Turn::says("I think it is fine.")], &asked) {
        assert_eq!((outcome.text.as_str(), outcome.json.is_none()), ("I think it is fine.", true));
        assert_eq!(outcome.usage.output_tokens, Some(20), "what was used counts");
    }
    ends(RunStatus::Schema, &[Turn::says("")], &asked);
    ends(RunStatus::Schema, &[Turn::says("{\"a\": ").flood(2 << 20)], &asked);
}

#[test]
fn an_answer_of_nothing_or_of_something_else_is_a_crash() {
    ends(RunStatus::Crashed, &[Turn::says("")], &request());
    for (content_type, body) in [
        ("application/json", ""),
        ("text/html", "<h1>Welcome</h1>"),
        ("application/json", "{\"hello\": 1}"),
        ("application/json", "[1, 2"),
        ("text/event-stream", "data: not json\n\n\u{0}\u{1}junk"),
        ("text/event-stream", "data: {\"type\": [1], \"choices\": 3, \"delta\": {}}\n\n"),
    ] {
        ends(RunStatus::Crashed, &[Turn::raw(200, content_type, body)], &request());
    }
    for (outcome, _) in ends(RunStatus::Crashed, &[Turn::raw(400, "text/html", "<h1>oops</h1>")], &request())
    {
        assert_eq!(outcome.text, "HTTP 400");
    }
}

#[test]
fn limits_of_time_end_it() {
    let (mut silent, mut slow) = (request(), request());
    silent.limits.idle = Duration::from_millis(100);
    slow.limits.wall = Duration::from_millis(200);
    for fault in [Fault::HangBefore, Fault::HangMid] {
        ends(RunStatus::Timeout, &[Turn::says("one").fault(fault)], &silent);
        ends(RunStatus::Timeout, &[Turn::says("one").fault(fault)], &slow);
    }
    // Signs of life keep it from being silent, and not from being late.
    slow.limits.idle = Duration::from_secs(30);
    ends(RunStatus::Timeout, &[Turn::says("one").fault(Fault::Trickle)], &slow);
}

#[test]
fn who_is_not_there_is_unavailable_and_nobody_waits() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for url in [url.as_str(), "http://no-such-host.invalid/v1", "ftp://localhost"] {
        let (outcome, told) = run(setup(url, "responses"), &request());
        assert_eq!(outcome.status, RunStatus::Unavailable, "{url}: {outcome:?}");
        assert!(!told.contains("again in"), "{told}");
    }
}

#[test]
fn another_host_gets_no_key() {
    let other = ModelServer::start(vec![]);
    let to_other = |status: u16| {
        let headers = vec![("Location".to_owned(), format!("{}/v1/responses", other.url()))];
        Turn { raw: Some(Raw { status, headers, ..Raw::default() }), ..Turn::default() }
    };
    for status in [301, 302, 303, 307, 308] {
        for (outcome, _) in ends(RunStatus::Unavailable, &[to_other(status)], &request()) {
            assert!(outcome.text.contains(&other.url()), "{outcome:?}");
        }
    }
    assert!(other.requests().is_empty(), "{:?}", other.requests());

    let headers = vec![("Location".to_owned(), "/v2/responses".to_owned())];
    let moved = Turn { raw: Some(Raw { status: 308, headers, ..Raw::default() }), ..Turn::default() };
    let (outcome, _, calls) = play("responses", vec![moved, Turn::says("here")], &request());
    assert_eq!((outcome.text.as_str(), calls[1].path.as_str()), ("here", "/v2/responses"));
    assert!(calls[1].header("authorization").is_some(), "the same host is the same service");
}

#[test]
fn a_key_that_a_server_says_is_in_no_output() {
    let word = "Git";
    assert!(KEY.len() > 30 && KEY.ends_with(word), "long enough to be told apart");
    for turn in [
        Turn::fails(401, "Incorrect API key provided: {{KEY}}. Look at {{KEY}}"),
        Turn::fails_inside("unheard_of", KEY),
        Turn::says(format!("The key is {KEY}, and {KEY}.")),
        Turn::json(json!({"key": KEY})),
        Turn::raw(400, "text/plain", "{{KEY}}"),
        Turn::raw(418, "application/json", "{\"error\": {\"code\": \"{{KEY}}\", \"message\": \"{{KEY}}\"}}"),
    ] {
        for schema in [None, Some(json!({"type": "object"}))] {
            let asked = Request { output_schema: schema, ..request() };
            for api in APIS {
                let (outcome, told, calls) = play(api, vec![turn.clone()], &asked);
                let all = format!("{outcome:?}\n{told}\n{calls:?}");
                // Neither it nor a part of it by which it could be guessed.
                assert!(!all.contains(&KEY[4..30]), "{api}: {all}");
            }
        }
    }
}

#[test]
fn a_check_asks_no_model() {
    let server = ModelServer::start(vec![]);
    let check = Http::of(setup(&server.url(), "responses")).check(std::path::Path::new("."));
    assert_eq!((check.login, check.hint.clone()), (Login::Ready, None), "{check:?}");
    assert!(check.is_usable());
    let without = Setup { key_env: None, ..setup(&server.url(), "responses") };
    assert_eq!(Http::of(without).check(std::path::Path::new(".")).login, Login::NotNeeded);
    let paths: Vec<_> =
        server.requests().iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    assert_eq!(paths, ["GET /v1/models", "GET /v1/models"]);
    assert!(server.finish().is_empty());
}
