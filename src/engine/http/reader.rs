//! One request, and its answer as it comes.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::fault::Fault;
use super::heard::{Heard, Stop};
use super::mask::Mask;
use super::{Api, Question, Service, responses, sse};
use crate::domain::run::RunStatus;
use crate::domain::text;
use crate::engine::{self, Progress};
use crate::platform::http::{self, Call, Failed, Head, Limits};

/// What an answer may be longer than its text, in bytes: what it is wrapped in.
const WRAPPING: usize = 256 * 1024;

/// Asks once. Returns what came and what is wrong with it, with the time that the server asks for; what was
/// used is known in either case, as far as the server said it.
pub(super) fn ask(
    service: &Service,
    question: &Question<'_>,
    limits: engine::Limits,
    deadline: Instant,
    tell: &mut dyn FnMut(Progress<'_>),
) -> (Heard, Result<(), (Fault, Option<Duration>)>) {
    let mut reader = Reader::new(service, limits.output_bytes, tell);
    let address = service.base.join(service.api.path());
    let headers = service.headers();
    let body = service.api.body(question).to_string().into_bytes();
    let call = Call { address: &address, headers: &headers, body: Some(body) };
    let limits = Limits { deadline, idle: limits.idle };
    let result = http::call(&call, limits, &mut |head, bytes| reader.take(head, bytes));
    reader.end(result)
}

/// Reads one answer as it comes.
struct Reader<'a> {
    api: Api,
    mask: Mask,
    events: sse::Parser,
    /// An answer in one piece, or what is said about an error.
    body: Vec<u8>,
    body_limit: usize,
    heard: Heard,
    tell: &'a mut dyn FnMut(Progress<'_>),
}

impl<'a> Reader<'a> {
    fn new(service: &Service, output_bytes: usize, tell: &'a mut dyn FnMut(Progress<'_>)) -> Self {
        let body_limit = output_bytes.saturating_add(WRAPPING);
        Self {
            api: service.api,
            mask: Mask::of(service.key.as_deref()),
            events: sse::Parser::new(body_limit),
            body: Vec::new(),
            body_limit,
            heard: Heard::new(output_bytes),
            tell,
        }
    }

    fn take(&mut self, head: &Head, bytes: &[u8]) -> ControlFlow<()> {
        if head.status == 200 && head.content_type.starts_with("text/event-stream") {
            self.take_events(bytes)
        } else {
            let room = self.body_limit.saturating_sub(self.body.len());
            self.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
            self.heard.is_clipped |= bytes.len() > room;
            if self.heard.is_clipped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }

    fn take_events(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        let (api, heard) = (self.api, &mut self.heard);
        let mut is_done = false;
        self.events.push(bytes, &mut |event| match event.data.as_deref() {
            Some("[DONE]") => is_done = true,
            Some(data) => {
                // What is no JSON says nothing; that something is missing shows at the end.
                if let Ok(data) = serde_json::from_str(data) {
                    api.event(heard, &event.name, &data);
                }
            }
            None => {
                heard.is_clipped = true;
                if api == Api::Responses && responses::is_end(&event.name) {
                    heard.stop = Some(Stop::Whole);
                }
            }
        });
        self.pass_on();
        // The usage of a chat comes after its end.
        let has_ended = self.heard.stop.is_some() && (api != Api::Chat || is_done);
        if has_ended || is_done || self.heard.fault.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Tells what was said since the last time.
    fn pass_on(&mut self) {
        let news = self.mask.piece(&self.heard.take_news());
        self.say(&news);
    }

    fn say(&mut self, piece: &str) {
        if !piece.is_empty() {
            let piece = text::harmless(piece);
            (self.tell)(Progress::Log(piece.as_bytes()));
            (self.tell)(Progress::Says(&piece));
        }
    }

    /// Returns what came of it, and what is wrong with it, with the time that the server asks for.
    fn end(mut self, result: Result<Head, Failed>) -> (Heard, Result<(), (Fault, Option<Duration>)>) {
        let checked = match result {
            Err(Failed::Dropped(_)) if self.heard.stop.is_some() => Ok(()),
            Err(failed) => Err((fault_of(&failed), None)),
            Ok(head) if head.status != 200 => Err((Fault::of_answer(&head, &self.body), head.retry_after)),
            Ok(head) => {
                if !self.body.is_empty() && self.heard.stop.is_none() {
                    self.read_whole();
                }
                self.heard.fault.take().map_or(Ok(()), |fault| Err((fault, head.retry_after)))
            }
        };
        self.pass_on();
        let rest = self.mask.rest();
        self.say(&rest);
        (self.heard, checked)
    }

    fn read_whole(&mut self) {
        match serde_json::from_slice::<Value>(&self.body) {
            Ok(document) => {
                self.api.whole(&mut self.heard, &document);
                // What came in one piece is whole, whether it says so or not.
                if self.heard.has_said() {
                    self.heard.stop.get_or_insert(Stop::Whole);
                }
            }
            Err(_) if self.heard.is_clipped => {
                let why = "the answer is longer than what is kept of one";
                self.heard.fault = Some(Fault::of(RunStatus::Schema, why));
            }
            Err(_) => {
                let why = "the answer is not of this API; look at `base_url` and `api`";
                self.heard.fault = Some(Fault::of(RunStatus::Crashed, why));
            }
        }
    }
}

fn fault_of(failed: &Failed) -> Fault {
    let fault = Fault::of(
        match failed {
            Failed::Setup(_) | Failed::Unreachable(_) | Failed::Untrusted(_) | Failed::Dropped(_) => {
                RunStatus::Unavailable
            }
            Failed::TimedOut | Failed::Silent(_) => RunStatus::Timeout,
            Failed::Interrupted => RunStatus::Killed,
        },
        match failed {
            Failed::Interrupted => "somebody stopped it".to_owned(),
            other => format!("the service {other}"),
        },
    );
    Fault { may_pass: matches!(failed, Failed::Dropped(_)), ..fault }
}
