//! What is heard of a program, and what is believed of it once it has ended.

use serde_json::Value;

use super::lines::{Lines, Tail};
use super::{Failure, Parser, Program, TAIL, Told, tell_notice};
use crate::domain::run::RunStatus;
use crate::domain::text;
use crate::engine::{Access, Outcome, Progress, Request, answer};
use crate::platform::supervise::{End, Stream};

/// What is heard of a program.
pub(super) struct Ears {
    lines: Lines,
    told: Told,
    /// What it said beside its events.
    words: Tail,
    max_text: usize,
}

impl Ears {
    pub(super) fn new(max_text: usize) -> Self {
        Self { lines: Lines::default(), told: Told::default(), words: Tail::new(TAIL), max_text }
    }

    pub(super) fn hear(
        &mut self,
        stream: Stream,
        bytes: &[u8],
        parser: &mut dyn Parser,
        tell: &mut dyn FnMut(Progress<'_>),
    ) {
        let Self { lines, told, words, max_text } = self;
        match stream {
            Stream::Err => words.add(bytes),
            Stream::Out => lines.feed(bytes, |line| {
                hear_line(line, told, words, parser, tell);
                text_bounded(&mut told.text, *max_text);
            }),
        }
    }

    pub(super) fn judge(
        mut self,
        program: &Program,
        end: End,
        request: &Request,
        parser: &mut dyn Parser,
        tell: &mut dyn FnMut(Progress<'_>),
    ) -> Outcome {
        let Self { lines, told, words, max_text } = &mut self;
        lines.finish(|line| hear_line(line, told, words, parser, tell));
        text_bounded(&mut told.text, *max_text);
        if lines.n_cut() > 0 {
            tell_notice(tell, &format!("{} events were too long to be read", lines.n_cut()));
        }
        let (status, text, until_ms, exit) = match end {
            End::Exit(code) => {
                parser.end(code, told);
                let (status, text, until_ms) = self.verdict(program, request, code);
                (status, text, until_ms, Some(code))
            }
            End::TimedOut => {
                let text =
                    format!("it did not end within {} s{}", request.limits.wall.as_secs(), self.last());
                (self.why_so_long(), text, None, None)
            }
            End::Silent => {
                let text = format!("it said nothing for {} s{}", request.limits.idle.as_secs(), self.last());
                (self.why_so_long(), text, None, None)
            }
            End::Interrupted => (RunStatus::Killed, "it was interrupted".to_owned(), None, None),
        };
        let told = self.told;
        let mut outcome = Outcome::without_answer(status, text);
        if status == RunStatus::Succeeded && request.output_schema.is_some() {
            outcome.json = told.json.or_else(|| answer::json_in(&told.text));
            if outcome.json.is_none() {
                outcome.status = RunStatus::Schema;
            }
        }
        Outcome { until_ms, usage: told.usage, session: told.session, exit, ..outcome }
    }

    /// Returns what came of a run that ended by itself.
    fn verdict(&self, program: &Program, request: &Request, code: i32) -> (RunStatus, String, Option<u64>) {
        let told = &self.told;
        if let Some(failure) = &told.failure {
            let mut text = text::multi_line(&failure.message);
            if failure.status == RunStatus::Auth {
                text = format!("{text}; {}", program.login);
            }
            return (failure.status, text, failure.until_ms);
        }
        if code != 0 {
            let words = text::multi_line(&self.words.text());
            let mut failure = Failure::of(None, &words);
            if failure.status == RunStatus::Crashed && code > 128 {
                failure.status = RunStatus::Killed;
            }
            let text = match words.as_str() {
                "" => format!("it ended with {code} and said nothing"),
                words => format!("it ended with {code}: {words}"),
            };
            return (failure.status, text, failure.until_ms);
        }
        // Whoever may only look is denied the rest on purpose.
        if let Some(denied) = told.denied.as_ref().filter(|_| request.access == Access::Write) {
            return (
                RunStatus::Denied,
                format!("it was not allowed to use `{}`", text::one_line(denied)),
                None,
            );
        }
        if !told.is_done {
            return (RunStatus::Crashed, format!("it never said that it is done{}", self.last()), None);
        }
        let text = text::multi_line(&told.text);
        let is_silent = text.is_empty() && told.json.is_none();
        if is_silent && request.access == Access::Read && request.output_schema.is_none() {
            return (RunStatus::Crashed, "it ended without a word".to_owned(), None);
        }
        (RunStatus::Succeeded, text, None)
    }

    /// Returns why a run reached a limit: it may have tried again until then what could not succeed, so that
    /// nothing was done.
    fn why_so_long(&self) -> RunStatus {
        let status = Failure::of(None, &self.words.text()).status;
        let is_unanswered = self.told.usage.is_unknown() && self.told.text.is_empty();
        if is_unanswered && status.calls_for_fallback() { status } else { RunStatus::Timeout }
    }

    /// Returns the last line that it said beside its events.
    fn last(&self) -> String {
        let words = text::multi_line(&self.words.text());
        words.lines().last().map(|line| format!("; its last line is: {line}")).unwrap_or_default()
    }
}

fn hear_line(
    line: &[u8],
    told: &mut Told,
    words: &mut Tail,
    parser: &mut dyn Parser,
    tell: &mut dyn FnMut(Progress<'_>),
) {
    match serde_json::from_slice::<Value>(line) {
        Ok(event) if event.is_object() => parser.event(&event, told, tell),
        _ => {
            words.add(line);
            words.add(b"\n");
        }
    }
}

/// Cuts a text at a whole letter.
fn text_bounded(text: &mut String, max_len: usize) {
    if text.len() > max_len {
        text.truncate(text.floor_char_boundary(max_len));
    }
}
