//! Gemini CLI of Google: `gemini` without a terminal.
//!
//! It has no schema, and no sandbox without containers. To look, it stays in its default mode, which
//! without a terminal has no tool that changes anything; to work, it may edit below the worktree, and a
//! policy of ours adds commands, since an agent that cannot run the project's tests cannot know that it
//! is done. Its mode that allows everything is never used. Without a terminal it only runs where it trusts
//! the folder, and then takes settings from there that start programs: where a repository brings such
//! settings, it is not run.

use std::io;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::cli::{self, Brought, Failure, Parser, Program, Told};
use super::{Access, Capabilities, Check, Engine, Login, Outcome, Progress, Request, Setup};
use crate::domain::run::{RunStatus, Usage};
use crate::platform::{env, fs};

const PROGRAM: Program = Program {
    name: "gemini",
    package: "@google/gemini-cli",
    login: "log in with `gemini`, or set `engines.<name>.key_env` to the variable that holds the key",
    lost_session: "Error resuming session",
};

/// Where it takes a key from.
const KEY: &str = "GEMINI_API_KEY";

/// Without a name it asks another model first which one to take.
const DEFAULT_MODEL: &str = "gemini-2.5-pro";

/// What it would obey of a repository.
const BROUGHT: Brought = Brought {
    settings: &[".gemini/settings.json"],
    harmless: &["$schema", "context", "ui", "privacy", "output"],
    paths: &[".gemini/.env", ".gemini/policies", ".gemini/hooks"],
};

/// What it may do beyond its mode, and what not.
const POLICY_WRITE: &str = r#"[[rule]]
toolName = "run_shell_command"
decision = "allow"
priority = 900
allowRedirection = true

[[rule]]
toolName = ["web_fetch", "google_web_search"]
decision = "deny"
priority = 900
"#;
const POLICY_READ: &str = r#"[[rule]]
toolName = ["write_file", "replace", "run_shell_command", "web_fetch", "google_web_search", "activate_skill"]
decision = "deny"
priority = 900
"#;

/// Gemini CLI, as it is set up here.
#[derive(Debug)]
pub struct Gemini {
    setup: Setup,
}

impl Gemini {
    pub fn of(mut setup: Setup) -> Self {
        const USUAL: &[&str] = &[
            "GEMINI_CLI_HOME",
            "GOOGLE_CLOUD_PROJECT",
            "GOOGLE_CLOUD_LOCATION",
            "GOOGLE_GENAI_USE_VERTEXAI",
            "GOOGLE_GENAI_USE_GCA",
            "GOOGLE_APPLICATION_CREDENTIALS",
        ];
        setup.pass_env.extend(USUAL.iter().map(|name| (*name).to_owned()));
        if setup.key_env.is_none() {
            setup.pass_env.extend([KEY, "GOOGLE_API_KEY"].map(str::to_owned));
        }
        Self { setup }
    }

    fn command(&self, request: &Request, session: Option<&str>) -> io::Result<Command> {
        let mut command = PROGRAM.command(&self.setup);
        let (mode, policy) = match request.access {
            Access::Read => ("default", POLICY_READ),
            Access::Write => ("auto_edit", POLICY_WRITE),
        };
        let file = request.scratch.join("policy.toml");
        fs::replace_file(&file, policy.as_bytes(), false)?;
        command.args(["--output-format=stream-json", &format!("--approval-mode={mode}")]);
        command.arg("--policy").arg(file);
        command.arg(format!("--model={}", request.model.as_deref().unwrap_or(DEFAULT_MODEL)));
        if let Some(session) = session {
            command.arg(format!("--resume={session}"));
        }
        command.envs([
            ("GEMINI_CLI_TRUST_WORKSPACE", "true"),
            // Otherwise a child of it does the work, and outlives it.
            ("GEMINI_CLI_NO_RELAUNCH", "true"),
        ]);
        if let Some(key) = self.setup.key_env.as_deref().and_then(env::var) {
            command.env(KEY, key);
        }
        // A file of the repository may set variables that are not set: never where the key goes.
        command.env("GOOGLE_GEMINI_BASE_URL", self.setup.base_url.as_deref().unwrap_or_default());
        if self.setup.base_url.is_some() {
            // With an address alone it refuses to start; what it needs to hear is only read from a home.
            let home = request.scratch.join("home");
            std::fs::create_dir_all(home.join(".gemini"))?;
            fs::replace_file(&home.join(".gemini/settings.json"), settings().to_string().as_bytes(), false)?;
            command.env("GEMINI_CLI_HOME", home);
        }
        Ok(command)
    }

    fn run_once(
        &self,
        request: &Request,
        session: Option<&str>,
        tell: &mut dyn FnMut(Progress<'_>),
    ) -> Outcome {
        match self.command(request, session) {
            Ok(command) => {
                let prompt = cli::prompt(request, false);
                PROGRAM.run(request, command, &prompt, &mut Events::default(), tell)
            }
            Err(err) => cli::not_laid_out(&err),
        }
    }
}

/// Returns the settings of a home that a run has for itself.
fn settings() -> Value {
    json!({
        "security": {
            "auth": {"selectedType": "gemini-api-key"},
            "environmentVariableRedaction": {"enabled": true, "blocked": [KEY]},
        },
        "general": {"enableAutoUpdate": false, "maxAttempts": 3},
        "privacy": {"usageStatisticsEnabled": false},
    })
}

impl Engine for Gemini {
    fn capabilities(&self) -> Capabilities {
        // Its conversations lie in its home, which a run with an address of its own has for itself.
        let resumes = self.setup.base_url.is_none();
        Capabilities { writes: true, json: true, schema: false, resumes, usage: true }
    }

    fn check(&self, dir: &Path) -> Check {
        PROGRAM.check(&self.setup, dir, || {
            if let Some(key) = &self.setup.key_env {
                return if env::var(key).is_some() { Login::Ready } else { Login::Missing };
            }
            if env::var(KEY).is_some() || env::var("GOOGLE_API_KEY").is_some() {
                return Login::Ready;
            }
            // It has no command that tells; where it keeps a login, there is this file.
            let home = env::var_os("GEMINI_CLI_HOME").or_else(|| env::var_os("HOME"));
            let login = home.map(|home| Path::new(&home).join(".gemini/oauth_creds.json"));
            match login {
                Some(login) if login.is_file() => Login::Ready,
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
        let session = cli::session(request).filter(|_| self.setup.base_url.is_none());
        PROGRAM.gone_on_with(request, session, tell, |session, tell| self.run_once(request, session, tell))
    }
}

/// What is remembered from one event to the next.
#[derive(Debug, Default)]
struct Events {
    /// The tools that were called and have not answered yet: their ids and names.
    calls: Vec<(String, String)>,
}

impl Parser for Events {
    fn event(&mut self, event: &Value, told: &mut Told, tell: &mut dyn FnMut(Progress<'_>)) {
        match cli::text_at(event, "/type").unwrap_or_default() {
            "init" => told.begin(cli::text_at(event, "/session_id"), tell),
            "message" if cli::text_at(event, "/role") == Some("assistant") => {
                let words = cli::text_at(event, "/content").unwrap_or_default();
                told.text.push_str(words);
                cli::tell_words(tell, words);
            }
            "tool_use" => self.tool_use(event, tell),
            "tool_result" => self.tool_result(event, told),
            "error" => cli::tell_notice(tell, cli::text_at(event, "/message").unwrap_or_default()),
            "result" => {
                told.usage = usage_of(&event["stats"]);
                tell(Progress::Used(told.usage));
                if cli::text_at(event, "/status") == Some("success") {
                    told.is_done = true;
                } else {
                    let words = cli::text_at(event, "/error/message").unwrap_or("the run failed");
                    let kind = cli::text_at(event, "/error/type").unwrap_or_default();
                    told.failure = Some(failure_of(kind, words, None));
                }
            }
            _ => (),
        }
    }

    fn end(&mut self, exit: i32, told: &mut Told) {
        // What its service answered, as far as a byte tells it.
        let http = match exit {
            41 => Some(401),
            144..=255 => u64::try_from(exit).ok().map(|exit| exit + 256),
            _ => None,
        };
        match (&told.failure, http) {
            (Some(failure), Some(_)) if failure.status == RunStatus::Crashed => {
                told.failure = Some(failure_of("", &failure.message, http));
            }
            (None, Some(_)) if !told.is_done => {
                told.failure = Some(failure_of("", "its service refused the request", http));
            }
            _ => (),
        }
    }
}

impl Events {
    /// How many calls of tools may be open.
    const MAX_CALLS: usize = 1000;

    fn tool_use(&mut self, event: &Value, tell: &mut dyn FnMut(Progress<'_>)) {
        let name = cli::text_at(event, "/tool_name").unwrap_or_default();
        let tool = match name {
            "run_shell_command" => "shell",
            "write_file" | "replace" => "edit",
            other => other,
        };
        cli::tell_use(tell, tool, cli::detail_of(&event["parameters"]));
        if let Some(id) = cli::text_at(event, "/tool_id")
            && self.calls.len() < Self::MAX_CALLS
        {
            self.calls.push((id.to_owned(), name.to_owned()));
        }
    }

    fn tool_result(&mut self, event: &Value, told: &mut Told) {
        const WORDS: &[&str] =
            &["denied", "not found in registry", "\" not found", "not allowed", "not in workspace"];

        // What it says after the last tool is its answer.
        told.text.clear();
        let id = cli::text_at(event, "/tool_id").unwrap_or_default();
        let Some(at) = self.calls.iter().position(|(known, _)| known == id) else { return };
        let (_, name) = self.calls.swap_remove(at);
        if cli::text_at(event, "/status") == Some("success") {
            told.done_by(&name);
            return;
        }
        let kind = cli::text_at(event, "/error/type").unwrap_or_default();
        let words =
            cli::text_at(event, "/error/message").or(cli::text_at(event, "/output")).unwrap_or_default();
        let words = words.to_ascii_lowercase();
        let is_policy = matches!(kind, "policy_violation" | "tool_not_registered" | "path_not_in_workspace");
        if is_policy || WORDS.iter().any(|word| words.contains(word)) {
            told.denied = Some(name);
        }
    }
}

fn failure_of(kind: &str, words: &str, http: Option<u64>) -> Failure {
    if kind == "FatalAuthenticationError" {
        return Failure::known(RunStatus::Auth, words);
    }
    let http = http.or_else(|| {
        let (_, rest) = words.split_once("\"code\":")?;
        rest.trim_start().get(..3)?.parse().ok()
    });
    Failure::of(http, words)
}

/// Returns what a run used. What it thought is in the whole and in nothing else.
fn usage_of(stats: &Value) -> Usage {
    let count = |field: &str| stats.get(field).and_then(Value::as_u64);
    let input = count("input_tokens");
    let with_thoughts = count("total_tokens").zip(input).map(|(total, input)| total.saturating_sub(input));
    let usage = Usage {
        input_tokens: input,
        cached_tokens: count("cached"),
        output_tokens: count("output_tokens").max(with_thoughts),
        cost_micros: None,
    };
    // A run that failed counts nothing, and says 0.
    if usage.tokens().unwrap_or(0) == 0 { Usage::default() } else { usage }
}

#[cfg(test)]
mod tests;
