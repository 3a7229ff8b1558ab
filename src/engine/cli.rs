//! What coding agents that are programs have in common: how they are started, heard and judged.
//!
//! Each prints an event a line. What an event means is the business of an engine's own [`Parser`]; what
//! is believed of it is decided here. A run succeeded only if the program ended with 0, its own last word
//! is that it is done, and nothing that it needed was denied to it: each of the three lies at times.

mod ears;
mod failure;
mod lines;
#[cfg(test)]
pub(super) mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use ears::Ears;
pub(super) use failure::Failure;
use lines::Tail;

use super::{Check, Login, Outcome, Progress, Request, Setup, answer, environment};
use crate::domain::run::{RunStatus, Usage};
use crate::domain::text;
use crate::platform::supervise::{self, End};
use crate::platform::{fs, process};

/// How long looking whether a program is there and logged in may take, each.
const LOOK: Duration = Duration::from_secs(10);

/// How much of what is no event is kept to say why a run failed.
const TAIL: usize = 4 * 1024;

/// How long a name of a model, an effort or a session may be.
const MAX_WORD: usize = 200;

/// How much of what a tool is used for is shown.
const MAX_DETAIL: usize = 200;

/// A program that is an engine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program {
    pub(super) name: &'static str,
    /// Where npm finds it.
    pub(super) package: &'static str,
    /// What to do if its service does not know us.
    pub(super) login: &'static str,
    /// What it says of a conversation that it does not have.
    pub(super) lost_session: &'static str,
}

/// What the events of a run told so far.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) session: Option<String>,
    pub(super) usage: Usage,
    /// The last words.
    pub(super) text: String,
    /// The answer, where the program gives it apart from its words.
    pub(super) json: Option<Value>,
    /// Whether the program said that it is done.
    pub(super) is_done: bool,
    /// Why it is not, in its own words.
    pub(super) failure: Option<Failure>,
    /// What was denied last, unless something else of that kind was done since.
    pub(super) denied: Option<String>,
}

/// Understands what one program prints.
pub(super) trait Parser {
    /// Takes one event. Whatever is unknown is passed over: new versions have new events.
    fn event(&mut self, event: &Value, told: &mut Told, tell: &mut dyn FnMut(Progress<'_>));

    /// Learns that the program ended by itself.
    fn end(&mut self, exit: i32, told: &mut Told) {
        let (_, _) = (exit, told);
    }
}

impl Told {
    /// Takes that a tool did its work: if that changed anything, what was denied before was done in another
    /// way, or was not needed.
    pub(super) fn done_by(&mut self, tool: &str) {
        if changes_things(tool) {
            self.denied = None;
        }
    }

    /// Takes the name of the conversation, the first time that it is told.
    pub(super) fn begin(&mut self, session: Option<&str>, tell: &mut dyn FnMut(Progress<'_>)) {
        if let Some(session) = session.filter(|session| is_word(session))
            && self.session.is_none()
        {
            self.session = Some(session.to_owned());
            tell(Progress::Session(session));
        }
    }
}

impl Program {
    /// Returns a command for the program that sees of our environment what it may see.
    pub(super) fn command(&self, setup: &Setup) -> Command {
        let (program, args) =
            setup.argv.split_first().map_or((self.name, &[][..]), |(first, rest)| (first.as_str(), rest));
        let mut command = process::command(program);
        command.args(args);
        environment::give(&mut command, setup);
        command.env("NO_COLOR", "1").env("GIT_TERMINAL_PROMPT", "0");
        command
    }

    /// Runs a command with a prompt, and tells what its events say.
    pub(super) fn run(
        &self,
        request: &Request,
        mut command: Command,
        prompt: &str,
        parser: &mut dyn Parser,
        tell: &mut dyn FnMut(Progress<'_>),
    ) -> Outcome {
        let input = match lay_out(request, prompt) {
            Ok(input) => input,
            Err(err) => return not_laid_out(&err),
        };
        command.current_dir(&request.worktree);
        command.env("TMPDIR", request.scratch.join("tmp"));
        // Our own commands then know who asks, and decide nothing for people.
        command.env("GODZILLA_RUN", request.run.to_string());
        let limits = supervise::Limits { time: request.limits.wall, idle: Some(request.limits.idle) };
        let mut ears = Ears::new(request.limits.output_bytes);
        let finished = supervise::run_agent(command, Some(&input), true, limits, |stream, bytes| {
            tell(Progress::Log(bytes));
            ears.hear(stream, bytes, parser, tell);
        });
        match finished {
            Ok(finished) => ears.judge(self, finished.end, request, parser, tell),
            Err(err) => self.not_started(&err),
        }
    }

    /// Runs it once with a conversation, and once more without it if that is gone.
    pub(super) fn gone_on_with(
        &self,
        request: &Request,
        session: Option<&str>,
        tell: &mut dyn FnMut(Progress<'_>),
        mut once: impl FnMut(Option<&str>, &mut dyn FnMut(Progress<'_>)) -> Outcome,
    ) -> Outcome {
        if let Some(outcome) = without_words(request) {
            return outcome;
        }
        let outcome = once(session, tell);
        if session.is_none() || !self.lost_session(request, &outcome) {
            return outcome;
        }
        tell(Progress::Notice("the conversation is gone; a new one begins"));
        once(None, tell)
    }

    /// Whether a run failed since the conversation that it was to go on with is not there.
    fn lost_session(&self, request: &Request, outcome: &Outcome) -> bool {
        request.session.is_some()
            && outcome.status != RunStatus::Succeeded
            && outcome.usage.is_unknown()
            && outcome.text.contains(self.lost_session)
    }

    /// Looks whether the program is there, and by `is_logged_in` whether its service would know us.
    pub(super) fn check(&self, setup: &Setup, dir: &Path, is_logged_in: impl FnOnce() -> Login) -> Check {
        let mut command = self.command(setup);
        command.arg("--version");
        let (code, said) = match look(command, dir) {
            Ok(Some(looked)) => looked,
            Ok(None) => {
                let hint = format!("`{} --version` does not end within {} s", self.name, LOOK.as_secs());
                return Check { version: None, login: Login::Unknown, hint: Some(hint) };
            }
            Err(_) => return Check { version: None, login: Login::Unknown, hint: Some(self.install()) },
        };
        if code != 0 {
            let hint = format!("`{} --version` fails: {}", self.name, text::one_line(&said));
            return Check { version: None, login: Login::Unknown, hint: Some(hint) };
        }
        let login = is_logged_in();
        let hint = (login == Login::Missing).then(|| self.login.to_owned());
        Check { version: version_in(&said), login, hint }
    }

    /// Returns what keeps the program from being started, without starting it.
    pub(super) fn missing(&self, setup: &Setup) -> Option<String> {
        let program = setup.argv.first().map_or(self.name, String::as_str);
        let text = || format!("there is no program `{}`; {}", text::one_line(program), self.install());
        process::find(program).is_none().then(text)
    }

    fn install(&self) -> String {
        format!("install it: npm install -g {}", self.package)
    }

    fn not_started(&self, err: &io::Error) -> Outcome {
        let text = match err.kind() {
            io::ErrorKind::NotFound => format!("there is no program `{}`; {}", self.name, self.install()),
            _ => format!("failed to start `{}`: {err}", self.name),
        };
        Outcome::without_answer(RunStatus::Unavailable, text)
    }
}

/// Whether a text can be a name of a model, an effort or a session: it comes from files and other clones,
/// and goes into arguments.
pub(super) fn is_word(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._:/@+-[]".contains(c);
    word.len() <= MAX_WORD && word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.chars().all(fits)
}

/// Returns what to return instead of running if a name that would go into arguments is none.
fn without_words(request: &Request) -> Option<Outcome> {
    let words = [("model", &request.model), ("effort", &request.effort)];
    words.into_iter().find_map(|(what, word)| {
        let word = word.as_deref().filter(|word| !is_word(word))?;
        let text = format!("`{}` is no name of a {what}", text::one_line(word));
        Some(Outcome::without_answer(RunStatus::Unavailable, text))
    })
}

/// Returns the conversation to go on with; one whose name could be taken for something else is none.
pub(super) fn session(request: &Request) -> Option<&str> {
    request.session.as_deref().filter(|session| is_word(session))
}

/// Returns the prompt, with the schema in words if it cannot be passed on.
pub(super) fn prompt(request: &Request, passes_schema: bool) -> String {
    match &request.output_schema {
        Some(schema) if !passes_schema => answer::with_schema(&request.prompt, schema),
        _ => request.prompt.clone(),
    }
}

/// Tells of the use of a tool.
pub(super) fn tell_use(tell: &mut dyn FnMut(Progress<'_>), tool: &str, detail: &str) {
    let detail: String = detail.chars().take(MAX_DETAIL * 4).collect();
    let detail: String = text::one_line(&detail).chars().take(MAX_DETAIL).collect();
    tell(Progress::Uses { tool: &text::one_line(tool), detail: &detail });
}

/// Tells of something beside the work.
pub(super) fn tell_notice(tell: &mut dyn FnMut(Progress<'_>), notice: &str) {
    let notice: String = notice.chars().take(MAX_DETAIL * 4).collect();
    tell(Progress::Notice(&text::one_line(&notice)));
}

/// Tells what the engine says.
pub(super) fn tell_words(tell: &mut dyn FnMut(Progress<'_>), words: &str) {
    if !words.is_empty() {
        tell(Progress::Says(&text::harmless(words)));
    }
}

/// Returns the text at a path of an event.
pub(super) fn text_at<'a>(event: &'a Value, pointer: &str) -> Option<&'a str> {
    event.pointer(pointer).and_then(Value::as_str)
}

/// Returns the first text among the fields of an object that say what a tool is used for.
pub(super) fn detail_of(input: &Value) -> &str {
    const FIELDS: &[&str] =
        &["command", "cmd", "file_path", "filePath", "path", "absolute_path", "pattern", "query", "url"];

    FIELDS.iter().find_map(|field| input.get(field)?.as_str()).unwrap_or_default()
}

/// Runs a command that asks no model. Returns its exit code and what it says; `None` if it takes too long.
///
/// # Errors
///
/// [`io::Error`] if it cannot be started.
pub(super) fn look(mut command: Command, dir: &Path) -> io::Result<Option<(i32, String)>> {
    let mut said = Tail::new(TAIL);
    command.current_dir(dir);
    let limits = supervise::Limits { time: LOOK, idle: None };
    let finished = supervise::run_agent(command, None, true, limits, |_, bytes| said.add(bytes))?;
    Ok(match finished.end {
        End::Exit(code) => Some((code, said.text())),
        End::TimedOut | End::Silent | End::Interrupted => None,
    })
}

/// Returns the first word that looks like a version.
fn version_in(said: &str) -> Option<String> {
    let words = said.split_whitespace().map(|word| word.trim_start_matches('v'));
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    Some(text::one_line(words.into_iter().find(is_version)?).chars().take(40).collect())
}

/// Writes what the program reads, and makes what it may use. Returns where the prompt is.
fn lay_out(request: &Request, prompt: &str) -> io::Result<PathBuf> {
    std::fs::create_dir_all(request.scratch.join("tmp"))?;
    let input = request.scratch.join("prompt.md");
    fs::replace_file(&input, prompt.as_bytes(), false)?;
    Ok(input)
}

/// What a program would obey of a repository, without asking anybody.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brought {
    /// Files of settings, in JSON.
    pub(super) settings: &'static [&'static str],
    /// The settings that start nothing and lead nowhere.
    pub(super) harmless: &'static [&'static str],
    /// Files and folders of which anything is too much.
    pub(super) paths: &'static [&'static str],
}

impl Brought {
    /// Returns why the program may not be run in a worktree; `None` if nothing there leads it.
    pub(super) fn by(&self, worktree: &Path) -> Option<String> {
        let why = self.settings.iter().find_map(|file| self.why(worktree, file)).or_else(|| {
            let is_there = |path: &&&str| worktree.join(path).symlink_metadata().is_ok();
            self.paths.iter().find(is_there).map(|path| format!("it would obey `{path}` of the repository"))
        })?;
        Some(format!("{why}; take that out of the branch, or use another engine"))
    }

    fn why(&self, worktree: &Path, file: &str) -> Option<String> {
        let bytes = match fs::read_short(&worktree.join(file)) {
            Ok(bytes) => bytes?,
            Err(_) => return Some(format!("`{file}` of the repository cannot be read")),
        };
        let Ok(Value::Object(settings)) = serde_json::from_slice(&bytes) else {
            return Some(format!("`{file}` of the repository is not plain JSON"));
        };
        let key = settings.keys().find(|key| !self.harmless.contains(&key.as_str()))?;
        Some(format!("`{file}` of the repository sets `{}`, which it would obey", text::one_line(key)))
    }
}

/// Returns a file of the worktree in which the project says how to work on it, if there is one.
pub(super) fn instructions(request: &Request, names: &[&str]) -> Option<PathBuf> {
    let mut files = names.iter().map(|name| request.worktree.join(name));
    files.find(|file| file.symlink_metadata().is_ok_and(|about| about.is_file()))
}

/// Returns what to return if a file of the run could not be written.
pub(super) fn not_laid_out(err: &io::Error) -> Outcome {
    Outcome::without_answer(RunStatus::Crashed, format!("failed to write into the folder of the run: {err}"))
}

/// Writes a shell that runs what it is given without some variables, for programs that would hand all of
/// theirs to their tools. Returns where it is.
///
/// # Errors
///
/// [`io::Error`] if it cannot be written.
pub(super) fn shell_without(scratch: &Path, secrets: &[&str], last: &str) -> io::Result<PathBuf> {
    let is_name = |name: &&&str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let names: Vec<&str> = secrets.iter().filter(is_name).copied().collect();
    std::fs::create_dir_all(scratch.join("bin"))?;
    let shell = scratch.join("bin/sh");
    fs::remove_if_there(&shell)?;
    fs::write_new_file(&shell, format!("#!/bin/sh\nunset {}\n{last}\n", names.join(" ")).as_bytes(), true)?;
    Ok(shell)
}

/// Whether a tool does more than look, by the names that the programs give them.
pub(super) fn changes_things(tool: &str) -> bool {
    const READERS: &[&str] = &[
        "read",
        "grep",
        "glob",
        "ls",
        "list",
        "todowrite",
        "todoread",
        "read_file",
        "read_many_files",
        "list_directory",
        "grep_search",
        "search_file_content",
        "skill",
        "task",
        "toolsearch",
    ];

    !READERS.contains(&tool.to_ascii_lowercase().as_str())
}

/// Returns dollars in millionths; `None` for what is no amount.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is checked")]
pub(super) fn micros(dollars: f64) -> Option<u64> {
    let micros = (dollars * 1e6).round();
    (0.0..1e15).contains(&micros).then_some(micros as u64)
}
