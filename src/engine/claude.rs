//! Claude Code of Anthropic: `claude -p`.
//!
//! It has no sandbox. To look, it gets only tools that look; to work, it may edit below the worktree and
//! run any command, since one that cannot run the project's tests cannot know that it is done. What it
//! must not do (bypass all permissions) it is never told to. Settings and servers that the repository
//! brings are left out, because `-p` asks nobody whether they are trusted.

use std::io;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::cli::{self, Failure, Parser, Program, Told};
use super::{Access, Capabilities, Check, Engine, Login, Outcome, Progress, Request, Setup, answer};
use crate::domain::run::{RunStatus, Usage};
use crate::platform::env;

const PROGRAM: Program = Program {
    name: "claude",
    package: "@anthropic-ai/claude-code",
    login: "log in with `claude auth login`, or set `engines.<name>.key_env` to the variable that holds the key",
    lost_session: "No conversation found",
};

/// Where it takes a key from.
const KEY: &str = "ANTHROPIC_API_KEY";

/// How long one argument may be on every system, with something to spare.
const MAX_ARGUMENT: usize = 100_000;

/// Claude Code, as it is set up here.
#[derive(Debug)]
pub struct Claude {
    setup: Setup,
}

impl Claude {
    pub fn of(mut setup: Setup) -> Self {
        setup.pass_env.extend(["CLAUDE_CONFIG_DIR", "CLAUDE_CODE_OAUTH_TOKEN"].map(str::to_owned));
        if setup.key_env.is_none() {
            setup.pass_env.push(KEY.to_owned());
        }
        Self { setup }
    }

    fn base(&self) -> Command {
        let mut command = PROGRAM.command(&self.setup);
        command.envs([
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("DISABLE_AUTOUPDATER", "1"),
            // By default it tries for minutes, also with a key that is wrong.
            ("CLAUDE_CODE_MAX_RETRIES", "3"),
        ]);
        if let Some(url) = &self.setup.base_url {
            command.env("ANTHROPIC_BASE_URL", url);
        }
        if let Some(key) = self.setup.key_env.as_deref().and_then(env::var) {
            command.env(KEY, key);
        }
        command
    }

    fn command(&self, request: &Request, schema: Option<&str>, session: Option<&str>) -> io::Result<Command> {
        let mut command = self.base();
        let shell = cli::shell_without(&request.scratch, &self.secrets(), "exec /bin/sh -c \"$1\"")?;
        command.env("CLAUDE_CODE_SHELL_PREFIX", shell);
        command.args(["-p", "--output-format=stream-json", "--verbose"]);
        command.args(["--setting-sources=user", "--strict-mcp-config"]);
        match request.access {
            // In its mode for plans it would be told to write one, whatever it was asked.
            Access::Read => command.arg("--tools=Read,Grep,Glob"),
            Access::Write => command.args(["--permission-mode=acceptEdits", "--allowedTools=Bash"]),
        };
        // It is part of the settings that are left out.
        if let Some(file) = cli::instructions(request, &["CLAUDE.md", "AGENTS.md"]) {
            command.arg("--append-system-prompt-file").arg(file);
        }
        if let Some(model) = &request.model {
            command.arg(format!("--model={model}"));
        }
        if let Some(effort) = &request.effort {
            command.arg(format!("--effort={effort}"));
        }
        if let Some(schema) = schema {
            command.arg(format!("--json-schema={schema}"));
        }
        if let Some(session) = session {
            command.arg(format!("--resume={session}"));
        }
        Ok(command)
    }

    /// Returns the variables that its tools do not see.
    fn secrets(&self) -> Vec<&str> {
        [KEY, "CLAUDE_CODE_OAUTH_TOKEN"].into_iter().chain(self.setup.key_env.as_deref()).collect()
    }

    fn run_once(
        &self,
        request: &Request,
        session: Option<&str>,
        tell: &mut dyn FnMut(Progress<'_>),
    ) -> Outcome {
        let schema = passed_schema(request);
        let prompt = cli::prompt(request, schema.is_some());
        match self.command(request, schema.as_deref(), session) {
            Ok(command) => PROGRAM.run(request, command, &prompt, &mut Events::default(), tell),
            Err(err) => cli::not_laid_out(&err),
        }
    }
}

impl Engine for Claude {
    fn capabilities(&self) -> Capabilities {
        Capabilities { writes: true, json: true, schema: true, resumes: true, usage: true }
    }

    fn check(&self, dir: &Path) -> Check {
        PROGRAM.check(&self.setup, dir, || {
            let mut command = self.base();
            command.args(["--setting-sources=user", "auth", "status"]);
            let said = cli::look(command, dir).ok().flatten().map(|(_, said)| said);
            match said.and_then(|said| answer::json_in(&said)).map(|told| told["loggedIn"].clone()) {
                Some(Value::Bool(true)) => Login::Ready,
                Some(Value::Bool(false)) => Login::Missing,
                _ => Login::Unknown,
            }
        })
    }

    fn missing(&self) -> Option<String> {
        PROGRAM.missing(&self.setup)
    }

    fn run(&self, request: &Request, tell: &mut dyn FnMut(Progress<'_>)) -> Outcome {
        PROGRAM.gone_on_with(request, cli::session(request), tell, |session, tell| {
            self.run_once(request, session, tell)
        })
    }
}

/// Returns the schema as it can be passed on; `None` if there is none, or if it is too long to be an
/// argument.
fn passed_schema(request: &Request) -> Option<String> {
    let mut schema = request.output_schema.clone()?;
    // It knows one version of the language, and stumbles over the name of another one.
    if let Some(fields) = schema.as_object_mut() {
        fields.shift_remove("$schema");
        fields.shift_remove("$id");
    }
    Some(schema.to_string()).filter(|text| text.len() <= MAX_ARGUMENT)
}

/// What is remembered from one event to the next.
#[derive(Debug, Default)]
struct Events {
    /// The tools that were called and have not answered yet: their ids and names.
    calls: Vec<(String, String)>,
    /// Those that failed since the last one that changed something.
    failed: Vec<(String, String)>,
    /// When its service takes requests again, in milliseconds since 1970.
    resets_at_ms: Option<u64>,
}

impl Parser for Events {
    fn event(&mut self, event: &Value, told: &mut Told, tell: &mut dyn FnMut(Progress<'_>)) {
        match cli::text_at(event, "/type").unwrap_or_default() {
            "system" => system(event, told, tell),
            "assistant" => self.assistant(event, told, tell),
            "user" => self.user(event),
            "rate_limit_event" => {
                let resets = event.pointer("/rate_limit_info/resetsAt").and_then(Value::as_u64);
                self.resets_at_ms = resets.and_then(|seconds| seconds.checked_mul(1000));
            }
            "result" => self.result(event, told, tell),
            _ => (),
        }
    }
}

fn system(event: &Value, told: &mut Told, tell: &mut dyn FnMut(Progress<'_>)) {
    match cli::text_at(event, "/subtype").unwrap_or_default() {
        "init" => told.begin(cli::text_at(event, "/session_id"), tell),
        "api_retry" => {
            let number =
                |field: &str| event[field].as_u64().map_or_else(|| "?".to_owned(), |n| n.to_string());
            let (attempt, of) = (number("attempt"), number("max_retries"));
            let notice = format!("tries again ({attempt} of {of}) after status {}", number("error_status"));
            cli::tell_notice(tell, &notice);
        }
        _ => (),
    }
}

impl Events {
    /// How many calls of tools may be open.
    const MAX_CALLS: usize = 1000;

    fn assistant(&mut self, event: &Value, told: &mut Told, tell: &mut dyn FnMut(Progress<'_>)) {
        for part in event.pointer("/message/content").and_then(Value::as_array).into_iter().flatten() {
            match cli::text_at(part, "/type").unwrap_or_default() {
                "text" => {
                    let words = cli::text_at(part, "/text").unwrap_or_default();
                    words.clone_into(&mut told.text);
                    cli::tell_words(tell, words);
                }
                "tool_use" => {
                    let name = cli::text_at(part, "/name").unwrap_or_default();
                    let tool = match name {
                        "Bash" => "shell",
                        "Edit" | "Write" | "MultiEdit" | "NotebookEdit" => "edit",
                        other => other,
                    };
                    cli::tell_use(tell, tool, cli::detail_of(&part["input"]));
                    if let Some(id) = cli::text_at(part, "/id")
                        && self.calls.len() < Self::MAX_CALLS
                    {
                        self.calls.push((id.to_owned(), name.to_owned()));
                    }
                }
                _ => (),
            }
        }
    }

    /// Learns what tools answered.
    fn user(&mut self, event: &Value) {
        for part in event.pointer("/message/content").and_then(Value::as_array).into_iter().flatten() {
            let Some(id) = cli::text_at(part, "/tool_use_id") else { continue };
            let Some(at) = self.calls.iter().position(|(known, _)| known == id) else { continue };
            let (id, name) = self.calls.swap_remove(at);
            if part["is_error"] == Value::Bool(true) {
                self.failed.push((id, name));
            } else if cli::changes_things(&name) {
                self.failed.clear();
            }
        }
    }

    fn result(&mut self, event: &Value, told: &mut Told, tell: &mut dyn FnMut(Progress<'_>)) {
        told.begin(cli::text_at(event, "/session_id"), tell);
        told.usage = usage_of(event);
        tell(Progress::Used(told.usage));
        let words = cli::text_at(event, "/result");
        told.json = event.get("structured_output").filter(|answer| !answer.is_null()).cloned();
        if event["is_error"] != Value::Bool(false) {
            told.failure = Some(self.failure_of(event, words.unwrap_or_default()));
            return;
        }
        if let Some(words) = words {
            words.clone_into(&mut told.text);
        }
        // Some that are denied are not needed: whoever was denied and went on in another way is done.
        let denied: Vec<&str> = event["permission_denials"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|denial| cli::text_at(denial, "/tool_use_id"))
            .collect();
        let last = self.failed.iter().rev().find(|(id, _)| denied.contains(&id.as_str()));
        told.denied = last.map(|(_, name)| name.clone());
        if cli::text_at(event, "/stop_reason") == Some("refusal") {
            told.failure = Some(Failure::known(RunStatus::Refused, words.unwrap_or("it would not do it")));
        }
        // It speaks of success also where it gave up, so that this alone would prove nothing.
        told.is_done = cli::text_at(event, "/subtype") == Some("success");
    }

    fn failure_of(&self, event: &Value, words: &str) -> Failure {
        let errors: Vec<&str> =
            event["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let words = if words.is_empty() { errors.join("; ") } else { words.to_owned() };
        match cli::text_at(event, "/subtype").unwrap_or_default() {
            "error_max_structured_output_retries" => {
                Failure::known(RunStatus::Schema, "its answers were not of the schema")
            }
            "error_during_execution" if words.is_empty() => {
                Failure::known(RunStatus::Killed, "it was interrupted")
            }
            "error_max_budget_usd" => Failure::known(RunStatus::Quota, "its own budget is used up"),
            subtype => {
                let words = if words.is_empty() { subtype } else { &words };
                Failure::of(event["api_error_status"].as_u64(), words).until(self.resets_at_ms)
            }
        }
    }
}

/// Returns what a run used: by model where it tells, since its sum is empty at times.
fn usage_of(result: &Value) -> Usage {
    let models = result["modelUsage"].as_object().filter(|models| !models.is_empty());
    let parts: Vec<Usage> = match models {
        Some(models) => models
            .values()
            .map(|used| {
                usage_from(
                    used,
                    ["inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens", "outputTokens"],
                )
            })
            .collect(),
        None => vec![usage_from(
            &result["usage"],
            ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"],
        )],
    };
    let usage = parts.into_iter().fold(Usage::default(), Usage::plus);
    if usage.tokens().unwrap_or(0) == 0 {
        return Usage::default();
    }
    let cost_micros = result["total_cost_usd"].as_f64().and_then(cli::micros);
    Usage { cost_micros, ..usage }
}

fn usage_from(used: &Value, [input, read, created, output]: [&str; 4]) -> Usage {
    let count = |field: &str| used.get(field).and_then(Value::as_u64);
    let cached = count(read);
    let sum =
        |fresh: u64| fresh.saturating_add(cached.unwrap_or(0)).saturating_add(count(created).unwrap_or(0));
    Usage {
        input_tokens: count(input).map(sum),
        cached_tokens: cached,
        output_tokens: count(output),
        cost_micros: None,
    }
}

#[cfg(test)]
mod tests;
