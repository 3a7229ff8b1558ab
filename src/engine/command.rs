//! Any program as an engine: it reads a request and says what came of it, both in JSON.
//!
//! Both forms have schemas: `schemas/engine-request.schema.json` and `schemas/engine-result.schema.json`. What
//! the program says beside its result is shown while it runs.

mod lines;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use self::lines::{Heard, Lines, Said};
use super::{Capabilities, Check, Engine, Login, Outcome, Progress, Request, Setup, answer, environment};
use crate::domain::run::{RunStatus, Usage};
use crate::domain::text;
use crate::platform::supervise::{self, End, Finished, Limits, Stream};
use crate::platform::{env, fs, process};

/// The version of both forms.
const VERSION: u64 = 1;

/// The longest text that a variable is given: systems refuse to start a program with a longer one.
const MAX_VARIABLE: usize = 64 * 1024;

/// How much of a line that is no result is shown, in characters.
const MAX_LINE: usize = 500;

/// The longest name of a conversation, in characters.
const MAX_SESSION: usize = 200;

/// An engine that is any program.
#[derive(Clone, Debug)]
pub struct Program {
    setup: Setup,
}

impl Program {
    pub fn of(setup: Setup) -> Self {
        Self { setup }
    }

    /// Returns the program, or why there is none.
    fn program(&self) -> Result<PathBuf, String> {
        let Some(program) = self.setup.argv.first() else {
            let name = &self.setup.name;
            return Err(format!(
                "`engines.{name}.argv` is not set: git config godzilla.engines.{name}.argv PROGRAM"
            ));
        };
        process::find(program).ok_or_else(|| format!("there is no program `{}`", text::one_line(program)))
    }

    /// Returns the command that is started for a request.
    fn command(&self, request: &Request, prompt_file: &Path) -> Command {
        let mut argv = self.setup.argv.iter();
        let mut command = process::command(argv.next().map_or("", String::as_str));
        command.args(argv).current_dir(&request.worktree);
        environment::give(&mut command, &self.setup);
        for (name, value) in variables(request) {
            // A variable ends at a NUL.
            if value.len() <= MAX_VARIABLE && !value.contains('\0') {
                command.env(name, value);
            }
        }
        command.env("GODZILLA_PROMPT_FILE", prompt_file);
        command
    }
}

impl Engine for Program {
    fn capabilities(&self) -> Capabilities {
        Capabilities { writes: true, json: true, schema: true, resumes: false, usage: true }
    }

    fn check(&self, _dir: &Path) -> Check {
        // It is not started: what it does without a request is its own business.
        let program = match self.program() {
            Ok(program) => program,
            Err(hint) => return Check { version: None, login: Login::Unknown, hint: Some(hint) },
        };
        let version = Some(text::one_line(&program.to_string_lossy()));
        match &self.setup.key_env {
            None => Check { version, login: Login::NotNeeded, hint: None },
            Some(variable) if env::var(variable).is_some() => {
                Check { version, login: Login::Ready, hint: None }
            }
            Some(variable) => {
                let hint = format!("the variable `{}` holds no key", text::one_line(variable));
                Check { version, login: Login::Missing, hint: Some(hint) }
            }
        }
    }

    fn missing(&self) -> Option<String> {
        self.program().err()
    }

    fn run(&self, request: &Request, tell: &mut dyn FnMut(Progress<'_>)) -> Outcome {
        if let Err(why) = self.program() {
            return Outcome::without_answer(RunStatus::Unavailable, why);
        }
        let (input, prompt) = (request.scratch.join("request.json"), request.scratch.join("prompt"));
        let written = fs::replace_file(&input, request_json(request).to_string().as_bytes(), false)
            .and_then(|()| fs::replace_file(&prompt, request.prompt.as_bytes(), false));
        if let Err(err) = written {
            return Outcome::without_answer(
                RunStatus::Unavailable,
                format!("no request could be written: {err}"),
            );
        }
        let limits = Limits { time: request.limits.wall, idle: Some(request.limits.idle) };
        let command = self.command(request, &prompt);
        let mut out = Lines::new(request.limits.output_bytes);
        let mut err = Lines::new(MAX_LINE * 4);
        let mut last_words = String::new();
        let finished = supervise::run_agent(command, Some(&input), true, limits, |stream, bytes| {
            tell(Progress::Log(bytes));
            match stream {
                Stream::Out => out.push(bytes, &mut |line| show(line, stream, tell)),
                Stream::Err => err.push(bytes, &mut |line| {
                    if let Said::Words(words) = line {
                        words.clone_into(&mut last_words);
                    }
                    show(line, stream, tell);
                }),
            }
        });
        out.end(&mut |line| show(line, Stream::Out, tell));
        let finished = match finished {
            Ok(finished) => finished,
            Err(err) => {
                let why = format!("`{}` could not be started: {err}", self.setup.name);
                return Outcome::without_answer(RunStatus::Unavailable, text::one_line(&why));
            }
        };
        let outcome = outcome(request, finished, out.heard(), &last_words);
        if !outcome.usage.is_unknown() {
            tell(Progress::Used(outcome.usage));
        }
        outcome
    }
}

/// Tells a line that is no part of a result.
fn show(line: Said<'_>, stream: Stream, tell: &mut dyn FnMut(Progress<'_>)) {
    let Said::Words(words) = line else { return };
    let words = text::clip(&text::one_line(words), MAX_LINE);
    if !words.is_empty() {
        tell(match stream {
            Stream::Out => Progress::Says(&words),
            Stream::Err => Progress::Notice(&words),
        });
    }
}

/// Returns what the program reads.
fn request_json(request: &Request) -> Value {
    json!({
        "v": VERSION,
        "kind": request.kind.as_str(),
        "protocol": request.protocol,
        "step": request.step,
        "run": request.run.to_string(),
        "prompt": request.prompt,
        "model": request.model,
        "effort": request.effort,
        "worktree": request.worktree.to_string_lossy(),
        "access": request.access.as_str(),
        "output_schema": request.output_schema,
        "limits": {
            "wall_seconds": request.limits.wall.as_secs(),
            "idle_seconds": request.limits.idle.as_secs(),
            "output_bytes": request.limits.output_bytes,
        },
    })
}

/// Returns the same as variables; what is absent is not set.
fn variables(request: &Request) -> Vec<(&'static str, String)> {
    let limits = request.limits;
    let all = [
        ("GODZILLA_V", Some(VERSION.to_string())),
        ("GODZILLA_KIND", Some(request.kind.as_str().to_owned())),
        ("GODZILLA_PROTOCOL", request.protocol.clone()),
        ("GODZILLA_STEP", request.step.clone()),
        ("GODZILLA_RUN", Some(request.run.to_string())),
        ("GODZILLA_PROMPT", Some(request.prompt.clone())),
        ("GODZILLA_MODEL", request.model.clone()),
        ("GODZILLA_EFFORT", request.effort.clone()),
        ("GODZILLA_WORKTREE", Some(request.worktree.to_string_lossy().into_owned())),
        ("GODZILLA_ACCESS", Some(request.access.as_str().to_owned())),
        ("GODZILLA_OUTPUT_SCHEMA", request.output_schema.as_ref().map(Value::to_string)),
        ("GODZILLA_LIMITS_WALL_SECONDS", Some(limits.wall.as_secs().to_string())),
        ("GODZILLA_LIMITS_IDLE_SECONDS", Some(limits.idle.as_secs().to_string())),
        ("GODZILLA_LIMITS_OUTPUT_BYTES", Some(limits.output_bytes.to_string())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Returns what came of a program that has ended.
fn outcome(request: &Request, finished: Finished, heard: Heard, last_words: &str) -> Outcome {
    let mistake = mistake(&heard);
    let result = heard.result.map(|(_, result)| result).filter(is_of_version);
    let mut outcome = Outcome::without_answer(RunStatus::Crashed, "");
    if let Some(result) = &result {
        take(&mut outcome, result);
    }
    let (status, why) = match finished.end {
        End::TimedOut => (RunStatus::Timeout, "it was not done within the limit of time".to_owned()),
        End::Silent => (RunStatus::Timeout, "it said nothing for too long".to_owned()),
        End::Interrupted => (RunStatus::Killed, "it was stopped".to_owned()),
        End::Exit(0) => match &result {
            Some(result) => return by_result(request, outcome, result),
            None => (RunStatus::Crashed, format!("it ended without a result{mistake}")),
        },
        End::Exit(code) => (RunStatus::Crashed, format!("it ended with code {code}")),
    };
    let words = if outcome.text.is_empty() { text::one_line(last_words) } else { outcome.text };
    let text = if words.is_empty() { why } else { format!("{why}: {words}") };
    let exit = if let End::Exit(code) = finished.end { Some(code) } else { None };
    Outcome { status, text, exit, json: None, ..outcome }
}

fn is_of_version(result: &Value) -> bool {
    result["v"].as_u64() == Some(VERSION)
}

/// Says why what looked like a result is none; empty if nothing did.
fn mistake(heard: &Heard) -> String {
    let said = match &heard.result {
        Some((line, result)) if !is_of_version(result) => {
            let has = match &result["v"] {
                Value::Null => "has no `v`".to_owned(),
                other => format!("has `v` {}", text::clip(&text::one_line(&other.to_string()), 40)),
            };
            Some(format!("the one in line {line} of its output {has}, which must be {VERSION}"))
        }
        _ => heard.mistake.clone(),
    };
    said.map(|said| format!(": {said}")).unwrap_or_default()
}

/// Returns what a program says of itself that ended well.
fn by_result(request: &Request, mut outcome: Outcome, result: &Value) -> Outcome {
    outcome.exit = Some(0);
    let word = result["status"].as_str().unwrap_or_default();
    let Some(status) = RunStatus::from_word(word) else {
        outcome.text = format!("its result has the status `{}`, which there is not", text::one_line(word));
        return Outcome { json: None, ..outcome };
    };
    outcome.status = status;
    if request.output_schema.is_some() && status == RunStatus::Succeeded {
        outcome.json = outcome.json.take().or_else(|| answer::json_in(&outcome.text));
        if outcome.json.is_none() {
            outcome.status = RunStatus::Schema;
        }
    }
    outcome
}

/// Takes over what a result says beside its status.
fn take(outcome: &mut Outcome, result: &Value) {
    /// More than anything uses: what is said beyond it is not believed.
    const MAX: u64 = 1 << 50;

    let words = |key: &str| result[key].as_str().map(str::trim).filter(|words| !words.is_empty());
    let amount = |key: &str| result["usage"][key].as_u64().filter(|amount| *amount <= MAX);
    outcome.text = text::harmless(words("message").or(words("reason")).unwrap_or_default());
    outcome.json = Some(&result["json"]).filter(|json| !json.is_null()).cloned();
    outcome.until_ms = result["until_ms"].as_u64();
    outcome.session = words("session").map(|session| text::clip(&text::one_line(session), MAX_SESSION));
    outcome.usage = Usage {
        input_tokens: amount("input_tokens"),
        cached_tokens: amount("cached_tokens"),
        output_tokens: amount("output_tokens"),
        cost_micros: amount("cost_micros"),
    };
}

#[cfg(test)]
mod tests;
