//! A model server that answers what a test scripts: the APIs of three vendors, in one
//! piece or as events, on loopback. It also plays what goes wrong.
//!
//! ```text
//! let server = ModelServer::start(vec![Turn::calls("write", json!({…})).when("TASK"), Turn::says("done")]);
//! // run something against server.url()
//! server.finish();
//! ```

mod anthropic;
mod gemini;
mod openai;
mod script;
mod wire;

use std::io::{self, BufReader, Read as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) use script::{Api, Failure, Fault, Raw, Scenario, Turn, Used};

/// Stands for the bytes of a flood in a text.
const FLOOD: &str = "\u{e000}flood\u{e000}";

/// What one event of a flood carries.
const FLOOD_PIECE: usize = 16 * 1024;

/// An event of a stream: its name, if it has one, and what it says.
type Event = (Option<String>, Value);

/// A request that was made.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case; of keys, only the first and the last letters.
    pub(crate) headers: Vec<(String, String)>,
    /// `null` if it has none; a text if it is no JSON.
    pub(crate) body: Value,
    /// What answered: `turn 0`, `rule 1`; `None` if nothing was scripted for it.
    pub(crate) answered_by: Option<String>,
    /// Whether it asked a model.
    pub(crate) is_call: bool,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A server that runs until it is dropped.
pub(crate) struct ModelServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when the server ends.
    ends: Condvar,
}

#[derive(Default)]
struct State {
    play: script::Play,
    seen: Vec<Seen>,
    connections: Vec<TcpStream>,
    has_ended: bool,
}

impl ModelServer {
    /// Starts a server on a port of its own.
    pub(crate) fn start(scenario: impl Into<Scenario>) -> Self {
        Self::start_at(0, scenario)
    }

    /// Starts a server on a port.
    pub(crate) fn start_at(port: u16, scenario: impl Into<Scenario>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        shared.state().play = script::Play::of(scenario.into());
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    /// Returns where it is, without a slash at the end and without `/v1`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns all requests so far.
    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.shared.state().seen.clone()
    }

    /// Returns the requests that asked a model.
    pub(crate) fn calls(&self) -> Vec<Seen> {
        self.requests().into_iter().filter(|seen| seen.is_call).collect()
    }

    /// Fails if a turn was not used, or a request was answered by none. Returns what was asked.
    #[track_caller]
    pub(crate) fn finish(self) -> Vec<Seen> {
        let left = self.shared.state().play.left();
        let calls = self.calls();
        let asked: Vec<_> = calls.iter().map(|seen| (&seen.path, &seen.answered_by)).collect();
        assert!(left.is_empty(), "turns that nobody asked for: {left:?}; asked: {asked:?}");
        let unmatched: Vec<_> = calls.iter().filter(|seen| seen.answered_by.is_none()).collect();
        assert!(unmatched.is_empty(), "nothing is scripted for {unmatched:#?}");
        calls
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state();
            state.has_ended = true;
            for connection in &state.connections {
                connection.shutdown(Shutdown::Both).ok();
            }
        }
        self.shared.ends.notify_all();
        // Wakes who waits for the next connection.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            accepting.join().ok();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the server ends, or for a while. Returns whether it ended.
    fn wait(&self, time: Duration) -> bool {
        let state = self.state();
        let waited = self.ends.wait_timeout_while(state, time, |state| !state.has_ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.has_ended
    }
}

impl State {
    /// Returns what was asked, and which turns are left.
    fn told(&self) -> Value {
        let requests = self.seen.iter().map(|seen| {
            json!({"method": seen.method, "path": seen.path, "headers": seen.headers, "body": seen.body,
                "answered_by": seen.answered_by, "is_call": seen.is_call})
        });
        let unmatched = self.seen.iter().filter(|seen| seen.is_call && seen.answered_by.is_none()).count();
        json!({"left": self.play.left(), "unmatched": unmatched, "requests": requests.collect::<Vec<_>>()})
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        {
            let mut state = shared.state();
            if state.has_ended {
                return;
            }
            let Ok(known) = stream.try_clone() else { continue };
            state.connections.push(known);
        }
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // A client that goes away is part of the job.
            serve(&stream, &shared).ok();
            stream.shutdown(Shutdown::Both).ok();
        });
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(incoming) = wire::read(&mut reader)? {
        let mut connection = Connection { stream: stream.try_clone()?, shared };
        connection.answer(&incoming)?;
    }
    Ok(())
}

struct Connection<'a> {
    stream: TcpStream,
    shared: &'a Shared,
}

impl Connection<'_> {
    fn answer(&mut self, incoming: &wire::Incoming) -> io::Result<()> {
        let body: Value = match incoming.body.as_slice() {
            [] => Value::Null,
            bytes => serde_json::from_slice(bytes)
                .unwrap_or_else(|_| json!(String::from_utf8_lossy(bytes).into_owned())),
        };
        let path = incoming.path.split('?').next().unwrap_or_default().trim_end_matches('/');
        if incoming.method == "POST"
            && let Some((api, model, streams)) = call(path, &body)
        {
            let picked = self.shared.state().play.pick(api, &body);
            let (name, turn) = picked.unzip();
            self.record(incoming, &body, name, true);
            let turn = turn.unwrap_or_else(|| {
                Turn::fails(400, "no turn is scripted for this request").code("invalid_request_error")
            });
            return self.play(api, &turn, &body, &model, streams, incoming.key());
        }
        if path != "/__state" {
            self.record(incoming, &body, None, false);
        }
        let last = path.rsplit('/').next().unwrap_or_default();
        let wants_socket = incoming.header("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
        let (status, body) = match (incoming.method.as_str(), last) {
            ("GET", _) if wants_socket => (426, json!({"error": {"message": "no websockets here"}})),
            ("HEAD", _) => return wire::head(&mut self.stream, 200, "text/plain", &[], Some(0)),
            // For whoever runs the server on its own.
            ("GET", "__state") => (200, self.shared.state().told()),
            ("GET", "models") => {
                let model = json!({"id": "scripted", "object": "model", "type": "model"});
                (200, json!({"object": "list", "has_more": false, "data": [model]}))
            }
            ("POST", "count_tokens") => (200, json!({"input_tokens": incoming.body.len() / 4})),
            ("POST", verb) if verb.ends_with(":countTokens") => {
                (200, json!({"totalTokens": incoming.body.len() / 4}))
            }
            _ => (404, json!({"error": {"message": "not served", "type": "not_found_error"}})),
        };
        self.json(status, &[], &body)
    }

    fn record(&self, incoming: &wire::Incoming, body: &Value, answered_by: Option<String>, is_call: bool) {
        const KEYS: &[&str] = &["authorization", "x-api-key", "x-goog-api-key", "cookie"];

        let headers = incoming.headers.iter().map(|(name, value)| {
            let value = if KEYS.contains(&name.as_str()) { without_middle(value) } else { value.clone() };
            (name.clone(), value)
        });
        self.shared.state().seen.push(Seen {
            method: incoming.method.clone(),
            path: incoming.path.clone(),
            headers: headers.collect(),
            body: body.clone(),
            answered_by,
            is_call,
        });
    }

    fn play(
        &mut self,
        api: Api,
        turn: &Turn,
        body: &Value,
        model: &str,
        streams: bool,
        key: Option<&str>,
    ) -> io::Result<()> {
        match turn.fault {
            Some(Fault::DropBefore) => return Err(io::ErrorKind::ConnectionAborted.into()),
            Some(Fault::HangBefore) => return self.hang(),
            _ => (),
        }
        let with_key = |text: &str| text.replace("{{KEY}}", key.unwrap_or_default());
        if let Some(raw) = &turn.raw {
            let body = with_key(&raw.body);
            return wire::whole(
                &mut self.stream,
                raw.status,
                &raw.content_type,
                &raw.headers,
                body.as_bytes(),
            );
        }
        if let Some(failure) = &turn.error {
            let failure = Failure { message: with_key(&failure.message), ..failure.clone() };
            let after = failure.retry_after.iter();
            let headers: Vec<_> = after.map(|after| ("Retry-After".to_owned(), after.clone())).collect();
            return self.json(failure.status, &headers, &error(api, &failure));
        }
        if streams {
            let events = match api {
                Api::Responses => openai::responses(turn, body),
                Api::Chat => openai::chat(turn, body),
                Api::Messages => anthropic::events(turn, body),
                Api::Gemini => gemini::events(turn, model),
            };
            return self.stream_events(turn, &events);
        }
        let whole = match api {
            Api::Responses => openai::response(turn, body),
            Api::Chat => openai::completion(turn, body),
            Api::Messages => anthropic::message(turn, body),
            Api::Gemini => gemini::whole(turn, model),
        };
        self.whole(turn, &whole)
    }

    fn stream_events(&mut self, turn: &Turn, events: &[Event]) -> io::Result<()> {
        wire::head(&mut self.stream, 200, "text/event-stream; charset=utf-8", &[], None)?;
        let mut is_flooded = false;
        for (idx, (name, data)) in events.iter().enumerate() {
            if turn.fault == Some(Fault::DropMid) && idx >= events.len() / 2 {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let name = name.as_ref().map(|name| format!("event: {name}\n")).unwrap_or_default();
            let data = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
            let event = format!("{name}data: {data}\n\n");
            // Only once: servers that say everything again at the end are spared that here.
            if event.contains(FLOOD) && !std::mem::replace(&mut is_flooded, true) {
                let event = event.replace(FLOOD, &"x".repeat(FLOOD_PIECE));
                for _ in 0..turn.flood.div_ceil(FLOOD_PIECE) {
                    wire::chunk(&mut self.stream, event.as_bytes())?;
                }
            } else {
                wire::chunk(&mut self.stream, event.replace(FLOOD, "").as_bytes())?;
            }
            match turn.fault {
                Some(Fault::HangMid) => return self.hang(),
                Some(Fault::Trickle) => {
                    while !self.shared.wait(Duration::from_millis(10)) {
                        wire::chunk(&mut self.stream, b": still here\n\n")?;
                    }
                }
                _ => (),
            }
        }
        wire::chunk(&mut self.stream, b"")
    }

    fn whole(&mut self, turn: &Turn, whole: &Value) -> io::Result<()> {
        let text = whole.to_string();
        if turn.fault.is_some() {
            wire::head(&mut self.stream, 200, "application/json", &[], None)?;
            wire::chunk(&mut self.stream, &text.as_bytes()[..text.len() / 2])?;
            if turn.fault == Some(Fault::DropMid) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            return self.hang();
        }
        let Some((before, after)) = text.split_once(FLOOD) else {
            return wire::whole(&mut self.stream, 200, "application/json", &[], text.as_bytes());
        };
        wire::head(&mut self.stream, 200, "application/json", &[], None)?;
        wire::chunk(&mut self.stream, before.as_bytes())?;
        for _ in 0..turn.flood.div_ceil(FLOOD_PIECE) {
            wire::chunk(&mut self.stream, &[b'x'; FLOOD_PIECE])?;
        }
        wire::chunk(&mut self.stream, after.as_bytes())?;
        wire::chunk(&mut self.stream, b"")
    }

    fn json(&mut self, status: u16, headers: &[(String, String)], body: &Value) -> io::Result<()> {
        wire::whole(&mut self.stream, status, "application/json", headers, body.to_string().as_bytes())
    }

    /// Says nothing until the client goes, or the server ends.
    fn hang(&mut self) -> io::Result<()> {
        while self.stream.read(&mut [0; 1024])? > 0 {}
        Ok(())
    }
}

/// Returns the form of a call, its model and whether it asks for a stream; `None` if it asks no model.
fn call(path: &str, body: &Value) -> Option<(Api, String, bool)> {
    let streams = body["stream"] == json!(true);
    let model = model_of(body);
    if path.ends_with("/responses") {
        return Some((Api::Responses, model, streams));
    }
    if path.ends_with("/chat/completions") {
        return Some((Api::Chat, model, streams));
    }
    if path.ends_with("/messages") {
        return Some((Api::Messages, model, streams));
    }
    let (model, verb) = path.rsplit('/').next()?.split_once(':')?;
    match verb {
        "streamGenerateContent" => Some((Api::Gemini, model.to_owned(), true)),
        "generateContent" => Some((Api::Gemini, model.to_owned(), false)),
        _ => None,
    }
}

/// Returns an error as the API tells it.
fn error(api: Api, failure: &Failure) -> Value {
    let kind = |usual: &'static str| failure.kind.clone().unwrap_or_else(|| usual.to_owned());
    match (api, failure.status) {
        (Api::Messages, status) => {
            let kind = kind(match status {
                401 => "authentication_error",
                403 => "permission_error",
                404 => "not_found_error",
                429 => "rate_limit_error",
                529 => "overloaded_error",
                400..500 => "invalid_request_error",
                _ => "api_error",
            });
            json!({"type": "error", "error": {"type": kind, "message": failure.message}})
        }
        (Api::Gemini, status) => {
            let kind = kind(match status {
                400 => "INVALID_ARGUMENT",
                401 => "UNAUTHENTICATED",
                403 => "PERMISSION_DENIED",
                429 => "RESOURCE_EXHAUSTED",
                503 => "UNAVAILABLE",
                _ => "INTERNAL",
            });
            json!({"error": {"code": status, "message": failure.message, "status": kind}})
        }
        (Api::Responses | Api::Chat, status) => {
            let kind = kind(match status {
                429 => "rate_limit_error",
                400..500 => "invalid_request_error",
                _ => "server_error",
            });
            json!({"error": {"message": failure.message, "type": kind, "param": null, "code": failure.code}})
        }
    }
}

fn model_of(body: &Value) -> String {
    body["model"].as_str().unwrap_or("scripted").to_owned()
}

/// Returns a new id.
fn id(prefix: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);

    format!("{prefix}_{:08}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Returns a text in the pieces in which it is sent.
fn pieces(text: &str) -> Vec<String> {
    if let Some((before, after)) = text.split_once(FLOOD) {
        let (mut all, rest) = (pieces(before), pieces(after));
        all.push(FLOOD.to_owned());
        all.extend(rest);
        return all;
    }
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(40).map(|piece| piece.iter().collect()).collect()
}

/// Returns a key by which it is known and cannot be used.
fn without_middle(key: &str) -> String {
    let letters: Vec<char> = key.chars().collect();
    if letters.len() < 16 {
        return "…".to_owned();
    }
    let (first, last) = (&letters[..4], &letters[letters.len() - 4..]);
    format!("{}…{}", first.iter().collect::<String>(), last.iter().collect::<String>())
}
