//! The Codex CLI: `codex exec`.
//!
//! It works in a sandbox of its own in which only the worktree can be written to, `.git` not, and there is
//! no network; commands run in there without asking, so that an agent can run the project's tests. It
//! never validates an answer against the schema that it passes on, and its counts go on with a
//! conversation.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::cli::{self, Failure, Parser, Program, Told};
use super::{Access, Capabilities, Check, Engine, Login, Outcome, Progress, Request, Setup};
use crate::domain::run::Usage;
use crate::platform::{env, fs};

const PROGRAM: Program = Program {
    name: "codex",
    package: "@openai/codex",
    login: "log in with `codex login`, or set `engines.<name>.key_env` to the variable that holds the key",
    lost_session: "no rollout found",
};

/// Where it takes a key from if none is set.
const KEY: &str = "CODEX_API_KEY";

/// Codex, as it is set up here.
#[derive(Debug)]
pub struct Codex {
    setup: Setup,
}

impl Codex {
    pub fn of(mut setup: Setup) -> Self {
        setup.pass_env.extend(["CODEX_HOME", KEY].map(str::to_owned));
        Self { setup }
    }

    fn command(&self, request: &Request, schema: Option<&Path>, session: Option<&str>) -> Command {
        let mut command = PROGRAM.command(&self.setup);
        // The words before `resume`: it has no such options itself.
        command.args(["exec", "--json", "--skip-git-repo-check", "--color=never"]);
        command.arg(match request.access {
            Access::Read => "--sandbox=read-only",
            Access::Write => "--sandbox=workspace-write",
        });
        if let Some(model) = &request.model {
            command.arg(format!("--model={model}"));
        }
        let mut config = vec![format!("shell_environment_policy.exclude={}", self.hidden())];
        if let Some(effort) = &request.effort {
            config.push(format!("model_reasoning_effort={}", quoted(effort)));
        }
        if request.access == Access::Write {
            // A folder for passing things is given to it: nothing else outside the worktree.
            config.push("sandbox_workspace_write.exclude_slash_tmp=true".to_owned());
        }
        config.extend(self.provider());
        for line in config {
            command.args(["-c", &line]);
        }
        if let Some(schema) = schema {
            command.arg("--output-schema").arg(schema);
        }
        if let Some(session) = session {
            command.args(["resume", session]);
        }
        command.arg("-");
        if self.setup.base_url.is_none()
            && let Some(key) = self.setup.key_env.as_deref().and_then(env::var)
        {
            command.env(KEY, key);
        }
        command
    }

    /// Returns the variables that its tools do not see.
    fn hidden(&self) -> String {
        let usual = ["*KEY*", "*TOKEN*", "*SECRET*", "*PASSWORD*", "*CREDENTIAL*"].into_iter();
        let names: Vec<String> = usual.chain(self.setup.key_env.as_deref()).map(quoted).collect();
        format!("[{}]", names.join(","))
    }

    /// Returns the settings of a service that is not the usual one. Its variable for that is ignored.
    fn provider(&self) -> Vec<String> {
        let Some(url) = &self.setup.base_url else { return Vec::new() };
        let key = self.setup.key_env.as_deref().map(|key| format!(",env_key={}", quoted(key)));
        let provider = format!(
            "model_providers.custom={{name=\"custom\",base_url={},wire_api=\"responses\",\
             request_max_retries=3,stream_max_retries=3{}}}",
            quoted(url),
            key.unwrap_or_default()
        );
        vec!["model_provider=\"custom\"".to_owned(), provider]
    }

    fn run_once(
        &self,
        request: &Request,
        session: Option<&str>,
        tell: &mut dyn FnMut(Progress<'_>),
    ) -> Outcome {
        let schema = match passed_schema(request) {
            Ok(schema) => schema,
            Err(err) => return cli::not_laid_out(&err),
        };
        let prompt = cli::prompt(request, schema.is_some());
        let before = if session.is_some() { request.session_usage } else { Usage::default() };
        let command = self.command(request, schema.as_deref(), session);
        PROGRAM.run(request, command, &prompt, &mut Events { before }, tell)
    }
}

impl Engine for Codex {
    fn capabilities(&self) -> Capabilities {
        Capabilities { writes: true, json: true, schema: true, resumes: true, usage: true }
    }

    fn check(&self, dir: &Path) -> Check {
        PROGRAM.check(&self.setup, dir, || {
            let has_key = self.setup.key_env.as_deref().and_then(env::var).is_some();
            if has_key || (self.setup.key_env.is_none() && env::var(KEY).is_some()) {
                return Login::Ready;
            }
            if self.setup.base_url.is_some() {
                let needs_key = self.setup.key_env.is_some();
                return if needs_key { Login::Missing } else { Login::NotNeeded };
            }
            let mut command = PROGRAM.command(&self.setup);
            command.args(["login", "status"]);
            match cli::look(command, dir) {
                Ok(Some((0, _))) => Login::Ready,
                Ok(Some(_)) => Login::Missing,
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

/// Writes the schema to where it can be passed on. Returns where that is; `None` if there is none, or if
/// the service would not take it.
fn passed_schema(request: &Request) -> std::io::Result<Option<PathBuf>> {
    let Some(schema) = request.output_schema.as_ref().filter(|schema| is_strict(schema)) else {
        return Ok(None);
    };
    let path = request.scratch.join("schema.json");
    fs::replace_file(&path, schema.to_string().as_bytes(), false)?;
    Ok(Some(path))
}

/// Whether a schema is of the kind that the service takes: it refuses the whole request if an object may
/// have more than it must have, or if a rule is one that it does not know.
fn is_strict(schema: &Value) -> bool {
    const KNOWN: &[&str] = &[
        "$schema",
        "$id",
        "title",
        "description",
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "pattern",
    ];

    let Some(schema) = schema.as_object() else { return false };
    if !schema.keys().all(|key| KNOWN.contains(&key.as_str())) {
        return false;
    }
    if let Some(properties) = schema.get("properties") {
        let Some(properties) = properties.as_object() else { return false };
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = |name: &String| required.is_some_and(|names| names.iter().any(|is| is == name));
        if !properties.keys().all(is_required) || !properties.values().all(is_strict) {
            return false;
        }
    }
    let is_object = schema.get("type").is_some_and(|kind| kind == "object");
    let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    let parts = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    (!is_object || is_closed) && parts.chain(schema.get("items")).all(is_strict)
}

/// Returns a text as TOML.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

struct Events {
    /// What the conversation had used before this run.
    before: Usage,
}

impl Parser for Events {
    fn event(&mut self, event: &Value, told: &mut Told, tell: &mut dyn FnMut(Progress<'_>)) {
        match cli::text_at(event, "/type").unwrap_or_default() {
            "thread.started" => told.begin(cli::text_at(event, "/thread_id"), tell),
            "turn.started" => {
                told.is_done = false;
                told.failure = None;
            }
            "item.started" => started(&event["item"], tell),
            "item.completed" => completed(&event["item"], told, tell),
            "turn.completed" => {
                told.is_done = true;
                told.failure = None;
                told.usage = usage_of(&event["usage"], self.before);
                tell(Progress::Used(told.usage));
            }
            "turn.failed" => {
                let message = cli::text_at(event, "/error/message").unwrap_or("the turn failed");
                told.failure = Some(failure_of(message));
            }
            // It tries again after most of them; the end of the turn tells.
            "error" => cli::tell_notice(tell, cli::text_at(event, "/message").unwrap_or_default()),
            _ => (),
        }
    }
}

fn started(item: &Value, tell: &mut dyn FnMut(Progress<'_>)) {
    if cli::text_at(item, "/type") == Some("command_execution") {
        cli::tell_use(tell, "shell", cli::text_at(item, "/command").unwrap_or_default());
    }
}

fn completed(item: &Value, told: &mut Told, tell: &mut dyn FnMut(Progress<'_>)) {
    match cli::text_at(item, "/type").unwrap_or_default() {
        "agent_message" => {
            let words = cli::text_at(item, "/text").unwrap_or_default();
            words.clone_into(&mut told.text);
            cli::tell_words(tell, words);
        }
        "file_change" => {
            for change in item["changes"].as_array().into_iter().flatten().take(100) {
                cli::tell_use(tell, "edit", cli::text_at(change, "/path").unwrap_or_default());
            }
            match cli::text_at(item, "/status") {
                Some("declined") => told.denied = Some("edit".to_owned()),
                Some("completed") => told.done_by("edit"),
                _ => (),
            }
        }
        "command_execution" => match cli::text_at(item, "/status") {
            Some("declined") => told.denied = cli::text_at(item, "/command").map(str::to_owned),
            Some("completed") => told.done_by("shell"),
            _ => (),
        },
        "error" => cli::tell_notice(tell, cli::text_at(item, "/message").unwrap_or_default()),
        _ => (),
    }
}

/// Returns why a turn failed. What the service answered may come as it was.
fn failure_of(message: &str) -> Failure {
    let answer: Option<Value> = message.find('{').and_then(|at| serde_json::from_str(&message[at..]).ok());
    let answered = answer.as_ref().and_then(|answer| cli::text_at(answer, "/error/message"));
    let status = message.split_once("status").and_then(|(_, rest)| {
        let digits = rest.trim_start_matches([':', ' ']);
        digits.get(..3)?.parse().ok()
    });
    let failure = Failure::of(status, message);
    Failure { message: answered.map_or(failure.message, str::to_owned), ..failure }
}

/// Returns what a run used, of a conversation that had used `before`.
fn usage_of(usage: &Value, before: Usage) -> Usage {
    let since = |field: &str, before: Option<u64>| {
        usage.get(field).and_then(Value::as_u64).map(|total| total.saturating_sub(before.unwrap_or(0)))
    };
    Usage {
        input_tokens: since("input_tokens", before.input_tokens),
        cached_tokens: since("cached_input_tokens", before.cached_tokens),
        output_tokens: since("output_tokens", before.output_tokens),
        cost_micros: None,
    }
}

#[cfg(test)]
mod tests;
