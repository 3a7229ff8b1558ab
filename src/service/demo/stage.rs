//! The stage: the scratch area, the people in it, and how a command is run there.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::play::PROTOCOL;
use super::told::Told;
use super::{Error, Step};
use crate::domain::ci::JobResult;
use crate::domain::event::{Body, Event};
use crate::domain::id::Ulid;
use crate::domain::sentence;
use crate::platform::process::{self, Limits};
use crate::platform::{env, fs};
use crate::store::wire;

/// Git's configuration of everybody: nothing asks, nothing runs in the background.
const CONFIG: &str = "\
[init]
\tdefaultBranch = main
[advice]
\tdetachedHead = false
[commit]
\tgpgSign = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
";

/// Somebody with a clone, or the server.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: &'static str,
    /// Where the next command runs.
    pub(super) dir: PathBuf,
    home: PathBuf,
    /// The events that this clone was seen to hold.
    seen: HashSet<Ulid>,
    /// The last row of `list`.
    row: Option<Value>,
}

/// Everything that a play needs.
pub(super) struct Stage<'t> {
    area: PathBuf,
    program: PathBuf,
    tell: &'t mut dyn FnMut(&Told),
    n_chapters: usize,
    pub(super) steps: Vec<Step>,
}

/// An event that somebody had not seen before, and what became of it.
struct New {
    event: Event,
    outcome: String,
    reason: String,
}

impl New {
    fn counts(&self) -> bool {
        self.outcome == "accepted"
    }
}

impl Person {
    /// Writes a file.
    pub(super) fn write(&self, file: &str, text: &str) -> Result<(), Error> {
        fs::replace_file(&self.dir.join(file), text.as_bytes(), false)
            .map_err(|source| Error::Area { action: format!("write `{file}`"), source })
    }

    /// Ticks all boxes of a file, as an editor would.
    pub(super) fn tick(&self, file: &str) -> Result<(), Error> {
        let text = std::fs::read_to_string(self.dir.join(file))
            .map_err(|source| Error::Area { action: format!("read `{file}`"), source })?;
        self.write(file, &text.replace("- [ ]", "- [x]"))
    }

    fn enter(&mut self, dir: &str) {
        self.dir.push(dir);
        // `..` from a linked worktree is gone by then.
        if let Ok(real) = self.dir.canonicalize() {
            self.dir = real;
        }
    }
}

impl<'t> Stage<'t> {
    pub(super) fn set(area: &Path, program: &Path, tell: &'t mut dyn FnMut(&Told)) -> Self {
        Self { area: area.to_owned(), program: program.to_owned(), tell, n_chapters: 0, steps: Vec::new() }
    }

    /// Somebody enters, who stands in the area; with an identity, if `email` is one.
    pub(super) fn enter(&self, name: &'static str, email: Option<&str>) -> Result<Person, Error> {
        let home = self.area.join("home").join(name);
        let who = match email {
            Some(email) => {
                let (first, rest) = name.split_at(1);
                format!("[user]\n\tname = {}{rest}\n\temail = {email}\n", first.to_uppercase())
            }
            None => String::new(),
        };
        fs::replace_file(&home.join(".gitconfig"), format!("{CONFIG}{who}").as_bytes(), false)
            .map_err(|source| Error::Area { action: "write git's configuration".to_owned(), source })?;
        Ok(Person { name, dir: self.area.clone(), home, seen: HashSet::new(), row: None })
    }

    pub(super) fn chapter(&mut self, title: &'static str, about: &'static str) {
        self.n_chapters += 1;
        (self.tell)(&Told::Chapter { number: self.n_chapters, title, about });
    }

    pub(super) fn aside(&mut self, text: &str) {
        (self.tell)(&Told::Aside(text.to_owned()));
    }

    pub(super) fn news(&mut self, text: impl Into<String>) {
        (self.tell)(&Told::News(text.into()));
    }

    pub(super) fn output(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            (self.tell)(&Told::Output(line.trim_end().to_owned()));
        }
    }

    fn command(&mut self, person: &Person, text: String) {
        (self.tell)(&Told::Command { place: person.name.to_owned(), text });
    }

    /// Runs commands one after the other, told as one line; returns what the last one said. `cd` is
    /// among them.
    pub(super) fn run(&mut self, person: &mut Person, commands: &[&[&str]]) -> Result<String, Error> {
        let typed: Vec<String> = commands.iter().map(|words| typed(words)).collect();
        self.command(person, typed.join(" && "));
        let mut said = String::new();
        for words in commands {
            if let ["cd", dir] = words {
                person.enter(dir);
            } else {
                said = self.step(person, words)?;
            }
        }
        Ok(said)
    }

    /// Runs one command, which is a step of the play.
    fn step(&mut self, person: &Person, words: &[&str]) -> Result<String, Error> {
        let said = self.start(person, words)?;
        self.steps.push(Step { place: person.name.to_owned(), command: typed(words), exit: 0 });
        Ok(said)
    }

    /// Looks at what a person's clone knows now, and tells what is new: what it did, and the row of
    /// the list if it changed.
    pub(super) fn look(&mut self, person: &mut Person) -> Result<(), Error> {
        let events = self.new_events(person)?;
        let moves = moves(&events).join("; ");
        if !moves.is_empty() {
            self.news(moves);
        }
        for new in &events {
            match &new.event.body {
                Body::CiReported(report) => {
                    let is_red = report.result == JobResult::Failure;
                    let text = format!("CI: {} is {}", report.job, if is_red { "red" } else { "green" });
                    (self.tell)(&if is_red { Told::Trouble(text) } else { Told::News(text) });
                }
                Body::NoteAdded { .. } | Body::MergeDetected(_) => self.news(sentence::line(&new.event)),
                _ => (),
            }
        }
        self.set_aside(&events);
        self.row(person)
    }

    /// As [`Self::look`], for what came from elsewhere: only how much it is.
    pub(super) fn look_at_news(&mut self, person: &mut Person) -> Result<(), Error> {
        let events = self.new_events(person)?;
        self.news(format!("{} arrived", counted(events.len(), "event")));
        self.set_aside(&events);
        self.row(person)
    }

    fn set_aside(&mut self, events: &[New]) {
        for new in events.iter().filter(|new| !new.counts()) {
            (self.tell)(&Told::Trouble(format!("set aside, by {}: {}", new.event.actor.name, new.reason)));
        }
    }

    /// Tells the row of `list` if it is not the one that this person saw last.
    fn row(&mut self, person: &mut Person) -> Result<(), Error> {
        let listed = self.ask(person, &["list", "--json"])?;
        let row = serde_json::from_str::<Value>(&listed).ok();
        let row = row.and_then(|listed| listed["protocols"].get(0).cloned());
        let shown = |row: &Value| {
            ["status", "current_step", "steps_completed", "merged", "blocked_reason"]
                .map(|key| row[key].clone())
        };
        if row.as_ref().map(shown) != person.row.as_ref().map(shown)
            && let Some(row) = &row
        {
            let text = self.ask(person, &["list", "--color", "never"])?.trim_end().to_owned();
            let status = row["status"].as_str().unwrap_or_default().to_owned();
            (self.tell)(&Told::Row { status, text });
        }
        person.row = row;
        Ok(())
    }

    /// Returns the events that this person had not seen.
    fn new_events(&self, person: &mut Person) -> Result<Vec<New>, Error> {
        let lines = self.ask(person, &["log", PROTOCOL, "--json"])?;
        let mut new = Vec::new();
        for line in lines.lines() {
            let Ok(decoded) = wire::decode(line.as_bytes()) else { continue };
            let document: Value = serde_json::from_str(line).unwrap_or_default();
            let text = |key: &str| document[key].as_str().unwrap_or_default().to_owned();
            if person.seen.insert(decoded.event.id) {
                new.push(New { event: decoded.event, outcome: text("outcome"), reason: text("reason") });
            }
        }
        Ok(new)
    }

    /// Runs this program to learn something, without telling it.
    pub(super) fn ask(&self, person: &Person, args: &[&str]) -> Result<String, Error> {
        let words: Vec<&str> = ["git", "godzilla"].iter().chain(args).copied().collect();
        self.start(person, &words)
    }

    /// Runs a command to its end and returns its stdout. Ours is run by its path: nobody needs to
    /// have installed it.
    fn start(&self, person: &Person, words: &[&str]) -> Result<String, Error> {
        let mut command = match words {
            ["git", "godzilla", args @ ..] => {
                let mut command = process::command(&self.program);
                command.args(args);
                command
            }
            words => {
                let mut command = process::command("git");
                command.args(words.iter().skip(1));
                command
            }
        };
        self.dress(person, &mut command);
        let output = process::run(&mut command, None, Limits::default(), |_| ())
            .map_err(|source| Error::Start { command: typed(words), source })?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(stdout);
        }
        Err(Error::Step {
            place: person.name.to_owned(),
            command: typed(words),
            exit: output.status.code().unwrap_or(-1),
            output: format!("{stdout}{}", String::from_utf8_lossy(&output.stderr)),
        })
    }

    /// Gives a command a world in which there is nothing of this machine but its programs.
    fn dress(&self, person: &Person, command: &mut Command) {
        command
            .current_dir(&person.dir)
            .env_clear()
            .env("HOME", &person.home)
            .env("GIT_CONFIG_GLOBAL", person.home.join(".gitconfig"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CEILING_DIRECTORIES", &self.area)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_EDITOR", "true")
            .env("LC_ALL", "C.UTF-8");
        // Without these, programs are not found or do not start.
        for name in ["PATH", "TMPDIR", "TEMP", "TMP", "SystemRoot"] {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
    }
}

/// Returns the moves of the protocol and of its steps, those of one step as a chain.
fn moves(events: &[New]) -> Vec<String> {
    let mut chains: Vec<(String, String)> = Vec::new();
    for new in events.iter().filter(|new| new.counts()) {
        let event = &new.event;
        if !matches!(event.body, Body::Step(_) | Body::Protocol { .. } | Body::Planned { .. }) {
            continue;
        }
        let said = sentence::line(event);
        let Some((subject, path)) = said.split_once(": ") else { continue };
        let from = event.from.as_deref().unwrap_or_default();
        match chains.iter_mut().find(|(known, so_far)| known == subject && so_far.ends_with(from)) {
            Some((_, so_far)) => so_far.push_str(path.strip_prefix(from).unwrap_or(path)),
            None => chains.push((subject.to_owned(), path.to_owned())),
        }
    }
    chains.into_iter().map(|(subject, path)| format!("{subject}: {path}")).collect()
}

pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Returns words as a person types them.
fn typed(words: &[&str]) -> String {
    let quoted = |word: &&str| {
        if word.contains(' ') { format!("\"{word}\"") } else { (*word).to_owned() }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
