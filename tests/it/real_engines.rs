//! The real coding agents against a scripted model. Only where `ENGINES_UNDER_TEST` names the folder
//! that npm installed them into; `.ci/run` does that.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::engine_story::{self, Beat, KEY, KEY_ENV, NAME, beats, told, used};
use crate::support::model_server::{Fault, ModelServer, Scenario, Turn};
use crate::support::{BIN, Place, World, run};

/// A program, and what its model calls the tools that it has.
#[derive(Clone, Copy)]
struct Agent {
    name: &'static str,
    model: &'static str,
    /// What comes after the server in the address that it is given.
    suffix: &'static str,
    /// How long it may take to start a tool, in seconds.
    starts_within: u64,
}

const AGENTS: &[Agent] = &[
    Agent { name: "codex", model: "gpt-5.5", suffix: "/v1", starts_within: 15 },
    Agent { name: "claude", model: "claude-sonnet-4-5", suffix: "", starts_within: 15 },
    Agent { name: "opencode", model: "scripted", suffix: "/v1", starts_within: 45 },
    Agent { name: "gemini", model: "gemini-2.5-pro", suffix: "", starts_within: 20 },
];

/// Returns where the programs are; `None` if this is not the place to run them.
fn folder() -> Option<PathBuf> {
    std::env::var_os("ENGINES_UNDER_TEST").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Runs a test with each of the programs.
fn with_each(test: impl Fn(Agent, &Path)) {
    let Some(folder) = folder() else { return };
    for agent in AGENTS {
        let program = folder.join("node_modules/.bin").join(agent.name);
        assert!(program.exists(), "{} is missing; `.ci/run` installs it", program.display());
        test(*agent, &program);
    }
}

impl Agent {
    /// Sets it up in a clone.
    fn set(self, a: &Place<'_>, program: &Path, url: &str) {
        let url = format!("{url}{}", self.suffix);
        let settings = [
            ("argv", program.to_str().unwrap()),
            ("baseUrl", url.as_str()),
            ("keyEnv", KEY_ENV),
            ("model", self.model),
        ];
        for (key, value) in settings {
            a.git(&["config", &format!("godzilla.engines.{}.{key}", self.name), value]);
        }
    }

    fn shell(self, command: &str) -> Turn {
        match self.name {
            "codex" => Turn::calls("exec_command", json!({"cmd": command})),
            "claude" => Turn::calls("Bash", json!({"command": command, "description": "Runs it"})),
            "opencode" => Turn::calls("bash", json!({"command": command, "description": "Runs it"})),
            _ => Turn::calls("run_shell_command", json!({"command": command})),
        }
    }

    fn makes(self, work: &Path, file: &str) -> Turn {
        let path = work.join(file);
        let content = format!("{file}\n");
        match self.name {
            "codex" => {
                let patch = format!("*** Begin Patch\n*** Add File: {file}\n+{file}\n*** End Patch\n");
                Turn::calls_with_text("apply_patch", &patch)
            }
            "claude" => Turn::calls("Write", json!({"file_path": path, "content": content})),
            "opencode" => Turn::calls("write", json!({"filePath": path, "content": content})),
            _ => Turn::calls("write_file", json!({"file_path": path, "content": content})),
        }
    }

    fn answers(self, answer: &Value) -> Turn {
        match self.name {
            "claude" => Turn::calls("StructuredOutput", answer.clone()),
            _ => Turn::json(answer.clone()),
        }
    }

    /// Returns what the model answers for a beat of the story.
    fn turns(self, work: &Path, (idx, beat): (usize, &Beat)) -> Vec<Turn> {
        let [input, cached, output] = used(idx);
        match beat {
            Beat::Answers(answer) => vec![self.answers(answer).usage(input, cached, output, 0)],
            Beat::Says(text) => vec![Turn::says(text.as_str()).usage(input, cached, output, 3)],
            Beat::Makes(file) => vec![
                self.makes(work, file).usage(input - 200, cached, output - 20, 3),
                self.shell(&format!("env >env-{file}")).usage(100, 0, 10, 0),
                Turn::says("done").usage(100, 0, 10, 0),
            ],
        }
    }
}

#[test]
fn a_protocol_is_planned_done_and_reviewed_by_each_real_engine() {
    with_each(|agent, program| {
        let world = World::new();
        let a = engine_story::clone(&world);
        let work = world.path().join("a/worktrees").join(NAME);
        let turns = beats().iter().enumerate().flat_map(|beat| agent.turns(&work, beat)).collect::<Vec<_>>();
        let server = ModelServer::start(turns);
        agent.set(&a, program, &server.url());
        engine_story::play(&world, &a, agent.name, |_| ());
        for made in beats() {
            if let Beat::Makes(file) = made {
                let seen = world.place(&format!("a/worktrees/{NAME}")).read(&format!("env-{file}"));
                assert!(seen.contains("PATH="), "{}: {seen}", agent.name);
            }
        }
        server.finish();
    });
}

/// A protocol whose first step is `agent`'s, and its worktree.
fn step_of<'w>(world: &'w World, agent: Agent, program: &Path, url: &str) -> (Place<'w>, Place<'w>) {
    let a = world.clone("a");
    a.plan("Add a login", &["The form"]);
    agent.set(&a, program, url);
    a.git(&["config", "godzilla.phases.exec", agent.name]);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    (a, work)
}

#[test]
fn what_a_service_refuses_ends_in_its_status() {
    let refused = [
        (Turn::fails(401, "this key {{KEY}} is unknown").code("invalid_api_key"), "auth"),
        (Turn::fails(429, "rate limit reached").code("rate_limit_exceeded").retry_after("1"), "rate-limited"),
        (
            Turn::fails(400, "prompt is too long: maximum context length is 10 tokens")
                .code("context_length_exceeded"),
            "context-too-long",
        ),
    ];
    with_each(|agent, program| {
        for (turn, wanted) in &refused {
            let world = World::new();
            // As often as it asks.
            let server = ModelServer::start(Scenario::default().rule(turn.clone()));
            let (_, work) = step_of(&world, agent, program, &server.url());
            let ran = told(&work, &["run"], 6);
            assert_eq!(ran["result"], *wanted, "{}: {ran}", agent.name);
            assert_eq!(work.git(&["status", "--porcelain"]), "", "{}", agent.name);
            let grep =
                run(world.command("grep").args(["-rlaF", KEY, "."]).current_dir(world.path().join("a")));
            assert_eq!(grep.stdout, "", "{} {wanted}: the key is kept", agent.name);
        }
    });
}

#[test]
fn settings_of_a_repository_start_nothing_and_lead_nowhere() {
    with_each(|agent, program| {
        let world = World::new();
        let mark = world.path().join("mark");
        let touch = format!("touch {}", mark.display());
        let elsewhere = "http://127.0.0.1:9";
        let hook = json!([{"hooks": [{"type": "command", "command": touch}]}]);
        let files = match agent.name {
            "codex" => vec![
                (".codex/config.toml", format!("notify = [\"touch\", {mark:?}]\nmodel_provider = \"x\"\n\
                    [mcp_servers.x]\ncommand = \"touch\"\nargs = [{mark:?}]\n")),
                (".codex/hooks.json", json!({"hooks": {"SessionStart": hook}}).to_string()),
            ],
            "claude" => vec![
                (".claude/settings.json", json!({
                    "hooks": {"SessionStart": hook, "UserPromptSubmit": hook, "PreToolUse": hook, "Stop": hook},
                    "env": {"ANTHROPIC_BASE_URL": elsewhere},
                    "apiKeyHelper": format!("{touch}; echo x"),
                }).to_string()),
                (".mcp.json", json!({"mcpServers": {"x": {"command": "touch", "args": [mark]}}}).to_string()),
            ],
            "opencode" => vec![
                (".opencode/command/x.md", "x\n".to_owned()),
                (".opencode/agent/build.md", "---\npermission:\n  edit: deny\n---\nx\n".to_owned()),
            ],
            _ => vec![(".env", format!("GOOGLE_GEMINI_BASE_URL={elsewhere}\nGEMINI_API_KEY=x\n"))],
        };
        let turns = |work: &Path| vec![agent.makes(work, "form.html"), Turn::says("done")];
        let server = ModelServer::start(turns(&world.path().join("a/worktrees").join(NAME)));
        let (_, work) = step_of(&world, agent, program, &server.url());
        for (file, text) in &files {
            work.write(file, text);
        }
        let ran = told(&work, &["run", "--include-dirty"], 0);
        assert_eq!(ran["result"], "succeeded", "{}: {ran}", agent.name);
        assert!(!mark.exists(), "{} obeys the repository", agent.name);
        server.finish();

        // What it would obey in any case keeps it from running.
        let code = format!("import {{execSync}} from 'child_process'; execSync('{touch}');\n");
        let stops = match agent.name {
            "opencode" => (".opencode/plugin/x.js", code),
            "gemini" => {
                let servers = json!({"mcpServers": {"x": {"command": "touch", "args": [mark]}}});
                (".gemini/settings.json", servers.to_string())
            }
            _ => return,
        };
        let world = World::new();
        let server = ModelServer::start(Vec::new());
        let (_, work) = step_of(&world, agent, program, &server.url());
        work.write(stops.0, &stops.1);
        let ran = told(&work, &["run", "--include-dirty"], 6);
        assert_eq!(ran["result"], "unavailable", "{}: {ran}", agent.name);
        assert!(!mark.exists() && server.requests().is_empty(), "{} was started", agent.name);
    });
}

/// How a run is ended while a tool is at work.
#[derive(Clone, Copy, Debug)]
enum Ended {
    ByTime,
    By(Signal),
}

#[test]
fn no_process_of_an_engine_is_left_however_it_ends() {
    with_each(|agent, program| {
        for ended in [Ended::By(Signal::INT), Ended::By(Signal::KILL), Ended::ByTime] {
            let world = World::new();
            // Known among all processes by the length of its sleep.
            let length = format!("97.{}", std::process::id());
            // Some go on while a command runs, to a model that says nothing then.
            let script =
                vec![agent.shell(&format!("sleep {length}")), Turn::says("done").fault(Fault::HangBefore)];
            let server = ModelServer::start(script);
            let (a, work) = step_of(&world, agent, program, &server.url());
            if matches!(ended, Ended::ByTime) {
                let key = format!("godzilla.engines.{}.timeoutSeconds", agent.name);
                a.git(&["config", &key, &agent.starts_within.to_string()]);
            }
            let mut child = work.command(BIN).arg("run").env(KEY_ENV, KEY).spawn().unwrap();
            until(&format!("{}: its tool runs", agent.name), || {
                assert!(child.try_wait().unwrap().is_none(), "{}: it ended before its tool ran", agent.name);
                sleeps(&length)
            });
            if let Ended::By(signal) = ended {
                kill_process(Pid::from_child(&child), signal).unwrap();
            }
            ends(&mut child, ended);
            until(&format!("{} {ended:?}: nothing is left", agent.name), || {
                !sleeps(&length) && working_in(world.path()).is_empty()
            });
            let runs = work.json(&["runs"]);
            let wanted = if matches!(ended, Ended::ByTime) { "timeout" } else { "killed" };
            assert_eq!(runs["runs"][0]["status"], wanted, "{} {ended:?}: {runs}", agent.name);
        }
    });
}

#[test]
fn a_conversation_that_was_stopped_is_gone_on_with() {
    with_each(|agent, program| {
        let world = World::new();
        let length = format!("98.{}", std::process::id());
        let script =
            vec![agent.shell(&format!("sleep {length}")), Turn::says("done").fault(Fault::HangBefore)];
        let server = ModelServer::start(script);
        let (a, work) = step_of(&world, agent, program, &server.url());
        let mut child = work.command(BIN).arg("run").env(KEY_ENV, KEY).spawn().unwrap();
        until(&format!("{}: its tool runs", agent.name), || sleeps(&length));
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        ends(&mut child, Ended::By(Signal::INT));

        let first = agent.makes(&work.path, "form.html").usage(1000, 0, 20, 0);
        let server = ModelServer::start(vec![first, Turn::says("done").usage(1100, 1000, 10, 0)]);
        agent.set(&a, program, &server.url());
        let ran = told(&work, &["resume"], 0);
        assert_eq!((&ran["result"], &ran["status"]), (&"succeeded".into(), &"completed".into()), "{ran}");
        server.finish();
        let log = a.godzilla_ok(&["log", "1", "--json"]);
        let ends = log.lines().filter(|line| line.contains("run.finished"));
        let sessions: Vec<Value> = ends
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["body"]["session"].clone())
            .collect();
        assert!(sessions.len() == 2 && sessions[0].is_string(), "{}: {log}", agent.name);
        // Where its service is set, gemini has a home for each run.
        assert_eq!(sessions[0] == sessions[1], agent.name != "gemini", "{}: {sessions:?}", agent.name);
    });
}

fn ends(child: &mut Child, ended: Ended) {
    let status = child.wait().unwrap();
    let wanted = if matches!(ended, Ended::By(Signal::KILL)) { None } else { Some(6) };
    assert_eq!(status.code(), wanted, "{ended:?}");
}

/// Waits until something is so. No process tells of the beginning or the end of one that is not its child.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..2400 {
        if is_so() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    panic!("never: {what}");
}

fn processes() -> impl Iterator<Item = PathBuf> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    all.map(|entry| entry.path()).filter(|path| path.join("cmdline").exists())
}

/// Whether a `sleep` of this length runs.
fn sleeps(length: &str) -> bool {
    let wanted = format!("sleep\0{length}\0");
    processes()
        .any(|process| std::fs::read(process.join("cmdline")).is_ok_and(|line| line == wanted.as_bytes()))
}

/// Returns the processes that work in a folder.
fn working_in(folder: &Path) -> Vec<PathBuf> {
    let works = |process: &PathBuf| process.join("cwd").read_link().is_ok_and(|dir| dir.starts_with(folder));
    processes().filter(works).collect()
}
