//! The model server of the tests says what a scenario tells it to, in the form of each API.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::model_server::{Api, Fault, ModelServer, Raw, Scenario, Turn, Used};

/// Returns the status and the body of the answer to a request of its own connection.
fn ask(server: &ModelServer, method: &str, path: &str, headers: &str, body: &Value) -> (u16, String) {
    let address = server.url().replace("http://", "");
    let mut stream = TcpStream::connect(&address).unwrap();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    // So that the server ends the connection after its answer.
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or(0), body.to_owned())
}

fn post(server: &ModelServer, path: &str, body: &Value) -> (u16, String) {
    ask(server, "POST", path, "Authorization: Bearer sk-abcdefghijklmnopqrst\r\n", body)
}

/// Returns the documents of a stream.
fn events(body: &str) -> Vec<Value> {
    let data = body.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data))).collect()
}

#[test]
fn every_api_says_it_in_its_form_and_counts_in_its_way() {
    let turn = || Turn { reasoning: Some("hm".to_owned()), ..Turn::says("héllo") }.usage(100, 40, 20, 5);
    let server = ModelServer::start(vec![turn(), turn(), turn(), turn(), turn(), turn(), turn(), turn()]);
    let whole = |path: &str| -> Value {
        let (status, body) = post(&server, path, &json!({"model": "m"}));
        assert_eq!(status, 200);
        serde_json::from_str(&body).unwrap()
    };
    let streamed = |path: &str| events(&post(&server, path, &json!({"model": "m", "stream": true})).1);

    let responses = whole("/v1/responses");
    assert_eq!(responses["output"][1]["content"][0]["text"], "héllo");
    assert_eq!(responses["usage"]["input_tokens_details"]["cached_tokens"], 40);
    let last = streamed("/v1/responses").pop().unwrap();
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"]["usage"], responses["usage"]);

    let chat = whole("/v1/chat/completions");
    assert_eq!(chat["choices"][0]["message"]["content"], "héllo");
    assert_eq!(chat["usage"]["prompt_tokens"], 100);
    let parts = streamed("/v1/chat/completions");
    assert_eq!(parts.last().unwrap(), "[DONE]");
    assert_eq!(parts[parts.len() - 2]["usage"], chat["usage"]);

    let messages = whole("/v1/messages?beta=true");
    assert_eq!(messages["content"][1]["text"], "héllo");
    assert_eq!(messages["usage"]["input_tokens"], 60);
    let parts = streamed("/v1/messages");
    assert_eq!(parts.last().unwrap()["type"], "message_stop");
    assert_eq!(parts[parts.len() - 2]["usage"], messages["usage"]);

    let gemini = whole("/v1beta/models/g:generateContent");
    assert_eq!(gemini["candidates"][0]["content"]["parts"][1]["text"], "héllo");
    assert_eq!(gemini["usageMetadata"]["candidatesTokenCount"], 15);
    let last = streamed("/v1beta/models/g:streamGenerateContent?alt=sse").pop().unwrap();
    assert_eq!(last["usageMetadata"], gemini["usageMetadata"]);
    assert_eq!(last["modelVersion"], "g");

    let calls = server.finish();
    assert_eq!(calls.len(), 8);
    assert_eq!(calls[0].header("authorization"), Some("Bear…qrst"));
}

#[test]
fn tools_are_called_in_every_form() {
    let turn = || Turn::calls("write", json!({"path": "a"})).and_calls("look", json!({}));
    let patch = Turn::calls_with_text("apply_patch", "*** Begin Patch");
    let server = ModelServer::start(vec![patch, turn(), turn(), turn(), turn()]);
    let streamed = |path: &str| events(&post(&server, path, &json!({"stream": true})).1);

    let output = streamed("/responses").pop().unwrap()["response"]["output"].clone();
    assert_eq!(
        (&output[0]["type"], &output[0]["input"]),
        (&json!("custom_tool_call"), &json!("*** Begin Patch"))
    );
    let output = streamed("/responses").pop().unwrap()["response"]["output"].clone();
    assert_eq!(output[0]["arguments"], r#"{"path":"a"}"#);
    let parts = streamed("/chat/completions");
    assert_eq!(parts[2]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"], r#"{"path":"a"}"#);
    assert_eq!(parts[3]["choices"][0]["delta"]["tool_calls"][0]["function"]["name"], "look");
    assert_eq!(parts[5]["choices"][0]["finish_reason"], "tool_calls");
    let parts = streamed("/v1/messages");
    assert_eq!(parts[2]["content_block"]["name"], "write");
    assert_eq!(parts[3]["delta"]["partial_json"], r#"{"path":"a"}"#);
    let parts = streamed("/v1beta/models/g:streamGenerateContent");
    assert_eq!(parts[0]["candidates"][0]["content"]["parts"][0]["functionCall"]["args"]["path"], "a");
    server.finish();
}

#[test]
fn side_calls_use_up_no_turn_and_turns_wait_for_their_request() {
    let scenario = Scenario::from(vec![
        Turn::says("second").when("\"quoted\" and\nbroken").with_tools(true),
        Turn::says("first").when_not("second call").when_last("ne").times(2).stops_with("length"),
        Turn { api: Some(Api::Chat), schema: Some(true), ..Turn::json(json!({"a": 1})) },
    ])
    .rule(Turn::says("a title").when("title"));
    let server = ModelServer::start(scenario);
    let say = |text: &str, tools: Value| {
        let body = json!({"messages": [{"role": "user", "content": text}], "tools": tools});
        let (_, body) = post(&server, "/v1/chat/completions", &body);
        serde_json::from_str::<Value>(&body).unwrap()["choices"][0]["message"]["content"].clone()
    };
    assert_eq!(say("a title please", json!([])), "a title");
    assert_eq!(say("one", json!([])), "first");
    assert_eq!(say("say \"quoted\" and\nbroken: the second call", json!([{"name": "t"}])), "second");
    assert_eq!(say("more, and one", json!([])), "first");
    let wanted = json!({"response_format": {"type": "json_schema", "json_schema": {}}});
    assert!(post(&server, "/v1/chat/completions", &wanted).1.contains(r#"{\"a\":1}"#));

    assert_eq!(post(&server, "/v1/messages", &json!({"model": "m"})).0, 400, "nothing is left");
    let calls = server.calls();
    let answers: Vec<_> = calls.iter().map(|seen| seen.answered_by.as_deref()).collect();
    let rule = Some("rule 0");
    assert_eq!(answers, [rule, Some("turn 1"), Some("turn 0"), Some("turn 1"), Some("turn 2"), None]);
    let unmatched = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| server.finish()));
    assert!(unmatched.is_err(), "a request without an answer does not pass");
}

#[test]
fn what_goes_wrong_does_so_as_it_is_told() {
    let raw =
        Raw { headers: vec![("Location".to_owned(), "/there".to_owned())], status: 307, ..Raw::default() };
    let server = ModelServer::start(vec![
        Turn::fails(429, "slow down, {{KEY}}").code("rate_limit_exceeded").retry_after("7"),
        Turn::fails(529, "full"),
        Turn::fails_inside("overloaded_error", "later"),
        Turn::says("half of it").fault(Fault::DropMid),
        Turn::default().fault(Fault::DropBefore),
        Turn { raw: Some(raw), ..Turn::default() },
        Turn::says("much: ").flood(100_000),
        Turn { usage: Used::default(), ..Turn::says("much: ") }.flood(100_000),
        Turn::raw(200, "text/plain", ""),
    ]);
    let stream = json!({"stream": true});
    let (status, body) = post(&server, "/v1/responses", &stream);
    assert_eq!(status, 429);
    assert!(body.contains("slow down, sk-abcdefghijklmnopqrst") && body.contains("rate_limit_exceeded"));
    assert!(post(&server, "/v1/messages", &stream).1.contains("overloaded_error"));
    assert_eq!(events(&post(&server, "/v1/messages", &stream).1).last().unwrap()["type"], "error");
    let (status, body) = post(&server, "/v1/responses", &stream);
    assert!(status == 200 && !body.contains("response.completed") && !body.ends_with("0\r\n\r\n"));
    assert_eq!(post(&server, "/v1/responses", &stream).0, 0);
    assert_eq!(post(&server, "/v1/responses", &stream).0, 307);
    let (_, body) = post(&server, "/v1/chat/completions", &stream);
    assert!(body.len() > 100_000 && body.ends_with("0\r\n\r\n"));
    assert!(post(&server, "/v1/chat/completions", &Value::Null).1.len() > 100_000);
    assert_eq!(post(&server, "/v1/chat/completions", &Value::Null), (200, String::new()));
    server.finish();
}

#[test]
fn what_asks_no_model_is_answered_too() {
    let server = ModelServer::start(Scenario::default());
    assert_eq!(ask(&server, "HEAD", "/", "", &Value::Null), (200, String::new()));
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    assert_eq!(ask(&server, "GET", "/v1/responses", upgrade, &Value::Null).0, 426);
    assert_eq!(ask(&server, "GET", "/v1/models", "", &Value::Null).0, 200);
    assert_eq!(post(&server, "/v1/messages/count_tokens", &json!({"messages": []})).0, 200);
    assert_eq!(ask(&server, "GET", "/nothing", "", &Value::Null).0, 404);
    let state: Value = serde_json::from_str(&ask(&server, "GET", "/__state", "", &Value::Null).1).unwrap();
    assert_eq!((&state["unmatched"], state["requests"].as_array().unwrap().len()), (&json!(0), 5));
    assert!(server.finish().is_empty());
}
