//! opencode: `opencode run`.
//!
//! It has no sandbox and no schema, and prints no event at its end. What it may do is set by its
//! configuration in the environment, which comes after that of the user; that of the repository is left
//! out, and where that cannot be, as with plugins, it is not run. To work, it may edit below the worktree and run any command, since one that cannot run the
//! project's tests cannot know that it is done. What it would have to ask for is denied.

use std::io;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::cli::{self, Brought, Failure, Parser, Program, Told};
use super::{Access, Capabilities, Check, Engine, Login, Outcome, Progress, Request, Setup};
use crate::domain::run::{RunStatus, Usage};
use crate::platform::env;

const PROGRAM: Program = Program {
    name: "opencode",
    package: "opencode-ai",
    login: "log in with `opencode auth login`, or set `engines.<name>.key_env` to the variable that holds the key",
    lost_session: "Session not found",
};

/// The provider of a service that is set by its address alone.
const CUSTOM: &str = "custom";

/// What it would obey of a repository, although it is told not to.
const BROUGHT: Brought = Brought {
    settings: &["opencode.json", "opencode.jsonc", ".opencode/opencode.json", ".opencode/opencode.jsonc"],
    harmless: &["$schema", "instructions", "theme"],
    paths: &[
        ".opencode/plugin",
        ".opencode/plugins",
        ".opencode/tool",
        ".opencode/tools",
        ".opencode/package.json",
        ".opencode/node_modules",
    ],
};

/// Variables in which its providers look for their keys.
const KEYS: &[&str] =
    &["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY", "OPENCODE_API_KEY"];

/// opencode, as it is set up here.
#[derive(Debug)]
pub struct Opencode {
    setup: Setup,
}

impl Opencode {
    pub fn of(mut setup: Setup) -> Self {
        if setup.key_env.is_none() {
            setup.pass_env.extend(KEYS.iter().map(|key| (*key).to_owned()));
        }
        Self { setup }
    }

    fn base(&self) -> Command {
        let mut command = PROGRAM.command(&self.setup);
        command.envs([
            ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
            // What the repository sets may name programs, and another service that would get the key.
            ("OPENCODE_DISABLE_PROJECT_CONFIG", "1"),
        ]);
        command
    }

    fn command(&self, request: &Request, session: Option<&str>) -> io::Result<Command> {
        let mut command = self.base();
        let shell = cli::shell_without(&request.scratch, &self.secrets(), "exec /bin/sh \"$@\"")?;
        command.env("SHELL", shell);
        command.args(["run", "--pure", "--title=git-godzilla", "--format=json"]);
        // It tries again for minutes without an event; only its log tells why.
        command.args(["--print-logs", "--log-level=ERROR"]);
        if let Some(model) = self.model(request) {
            command.arg(format!("--model={model}"));
        }
        if let Some(effort) = &request.effort {
            command.arg(format!("--variant={effort}"));
        }
        if let Some(session) = session {
            command.arg(format!("--session={session}"));
        }
        command.env("OPENCODE_CONFIG_CONTENT", self.config(request).to_string());
        if self.setup.base_url.is_some() {
            command.env("OPENCODE_DISABLE_MODELS_FETCH", "1");
        }
        Ok(command)
    }

    /// Returns the variables that its tools do not see.
    fn secrets(&self) -> Vec<&str> {
        let keys = KEYS.iter().copied().chain(self.setup.key_env.as_deref());
        keys.chain(["OPENCODE_CONFIG_CONTENT"]).collect()
    }

    /// Returns the model with its provider, as it wants it.
    fn model(&self, request: &Request) -> Option<String> {
        let model = request.model.as_deref()?;
        let is_whole = model.contains('/') || self.setup.base_url.is_none();
        Some(if is_whole { model.to_owned() } else { format!("{CUSTOM}/{model}") })
    }

    fn config(&self, request: &Request) -> Value {
        let may = match request.access {
            Access::Read => "deny",
            Access::Write => "allow",
        };
        let mut config = json!({
            "autoupdate": false,
            "share": "disabled",
            "permission": {
                "edit": may, "bash": may, "webfetch": "deny", "external_directory": "deny", "doom_loop": "deny",
            },
        });
        if let Some(file) = cli::instructions(request, &["AGENTS.md", "CLAUDE.md"]) {
            config["instructions"] = json!([file]);
        }
        if let (Some(url), Some(model)) = (&self.setup.base_url, self.model(request)) {
            let (provider, model) = model.split_once('/').unwrap_or((CUSTOM, &model));
            let mut service = json!({"options": {"baseURL": url}});
            if let Some(key) = &self.setup.key_env {
                // Only the name: it reads the variable itself.
                service["options"]["apiKey"] = json!(format!("{{env:{key}}}"));
            }
            if !matches!(provider, "anthropic" | "openai" | "google") {
                service["npm"] = json!(match self.setup.api.as_deref() {
                    Some("messages") => "@ai-sdk/anthropic",
                    Some("responses") => "@ai-sdk/openai",
                    _ => "@ai-sdk/openai-compatible",
                });
                service["name"] = json!(provider);
                service["models"][model] = json!({"name": model});
            }
            config["provider"][provider] = service;
        }
        config
    }

    fn run_once(
        &self,
        request: &Request,
        session: Option<&str>,
        tell: &mut dyn FnMut(Progress<'_>),
    ) -> Outcome {
        let prompt = cli::prompt(request, false);
        match self.command(request, session) {
            Ok(command) => PROGRAM.run(request, command, &prompt, &mut Events::default(), tell),
            Err(err) => cli::not_laid_out(&err),
        }
    }
}

impl Engine for Opencode {
    fn capabilities(&self) -> Capabilities {
        Capabilities { writes: true, json: true, schema: false, resumes: true, usage: true }
    }

    fn check(&self, dir: &Path) -> Check {
        PROGRAM.check(&self.setup, dir, || {
            if let Some(key) = &self.setup.key_env {
                return if env::var(key).is_some() { Login::Ready } else { Login::Missing };
            }
            if self.setup.base_url.is_some() {
                return Login::NotNeeded;
            }
            if KEYS.iter().any(|key| env::var(key).is_some()) {
                return Login::Ready;
            }
            let mut command = self.base();
            command.args(["auth", "list"]);
            match cli::look(command, dir) {
                Ok(Some((0, said))) if said.contains(" credentials") && !said.contains(" 0 credentials") => {
                    Login::Ready
                }
                // Models of its own, and those of services that the user set, need none.
                _ => Login::Unknown,
            }
        })
    }

    fn missing(&self) -> Option<String> {
        PROGRAM.missing(&self.setup)
    }

    fn run(&self, request: &Request, tell: &mut dyn FnMut(Progress<'_>)) -> Outcome {
        if let Some(why) = BROUGHT.by(&request.worktree) {
            return Outcome::without_answer(RunStatus::Unavailable, why);
        }
        PROGRAM.gone_on_with(request, cli::session(request), tell, |session, tell| {
            self.run_once(request, session, tell)
        })
    }
}

/// What is remembered from one event to the next.
#[derive(Debug, Default)]
struct Events {
    cost_micros: u64,
}

impl Parser for Events {
    fn event(&mut self, event: &Value, told: &mut Told, tell: &mut dyn FnMut(Progress<'_>)) {
        told.begin(cli::text_at(event, "/sessionID"), tell);
        let part = &event["part"];
        match cli::text_at(event, "/type").unwrap_or_default() {
            "step_start" => {
                told.text.clear();
                told.is_done = false;
            }
            "text" => {
                let words = cli::text_at(part, "/text").unwrap_or_default();
                told.text.push_str(words);
                cli::tell_words(tell, words);
            }
            "tool_use" => tool_use(part, told, tell),
            "step_finish" => self.step_finish(part, told, tell),
            "error" => told.failure = Some(failure_of(&event["error"])),
            _ => (),
        }
    }
}

impl Events {
    fn step_finish(&mut self, part: &Value, told: &mut Told, tell: &mut dyn FnMut(Progress<'_>)) {
        let reason = cli::text_at(part, "/reason").unwrap_or_default();
        told.is_done = reason == "stop";
        told.usage = told.usage.plus(usage_of(&part["tokens"]));
        // It says 0 where it knows no price.
        let cost = part["cost"].as_f64().and_then(cli::micros).unwrap_or(0);
        self.cost_micros = self.cost_micros.saturating_add(cost);
        told.usage.cost_micros = Some(self.cost_micros).filter(|cost| *cost > 0);
        tell(Progress::Used(told.usage));
        match reason {
            "content-filter" => {
                told.failure = Some(Failure::known(RunStatus::Refused, "the service stopped the answer"));
            }
            "length" => {
                told.failure = Some(Failure::known(
                    RunStatus::ContextTooLong,
                    "the answer was longer than the model may",
                ));
            }
            _ => (),
        }
    }
}

fn tool_use(part: &Value, told: &mut Told, tell: &mut dyn FnMut(Progress<'_>)) {
    let name = cli::text_at(part, "/tool").unwrap_or_default();
    let tool = match name {
        "bash" => "shell",
        "write" | "patch" | "apply_patch" => "edit",
        other => other,
    };
    let state = &part["state"];
    cli::tell_use(tell, tool, cli::detail_of(&state["input"]));
    match cli::text_at(state, "/status").unwrap_or_default() {
        "error" => {
            let words = cli::text_at(state, "/error").unwrap_or_default();
            if words.contains("rejected permission") || words.contains("prevents you from using") {
                told.denied = Some(tool.to_owned());
            }
        }
        "completed" => told.done_by(name),
        _ => (),
    }
}

fn failure_of(error: &Value) -> Failure {
    let name = cli::text_at(error, "/name").unwrap_or_default();
    let message = cli::text_at(error, "/data/message").or(cli::text_at(error, "/message")).unwrap_or(name);
    if name == "MessageAbortedError" {
        return Failure::known(RunStatus::Killed, message);
    }
    if matches!(name, "ProviderAuthError") {
        return Failure::known(RunStatus::Auth, message);
    }
    let failure = Failure::of(error.pointer("/data/statusCode").and_then(Value::as_u64), message);
    if failure.status == RunStatus::Crashed && name != "UnknownError" && !name.is_empty() {
        let by_name = Failure::of(None, name).status;
        return Failure { status: by_name, ..failure };
    }
    failure
}

/// Returns what a step used: what came from the cache and what was reasoning are told apart from the rest.
fn usage_of(tokens: &Value) -> Usage {
    let count = |pointer: &str| tokens.pointer(pointer).and_then(Value::as_u64);
    let cached = count("/cache/read");
    let sum = |first: u64, more: [Option<u64>; 2]| {
        more.into_iter().fold(first, |sum, part| sum.saturating_add(part.unwrap_or(0)))
    };
    Usage {
        input_tokens: count("/input").map(|fresh| sum(fresh, [cached, count("/cache/write")])),
        cached_tokens: cached,
        output_tokens: count("/output").map(|words| sum(words, [count("/reasoning"), None])),
        cost_micros: None,
    }
}

#[cfg(test)]
mod tests;
