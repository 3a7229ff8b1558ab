//! What holds for every command there is: valid JSON, no questions without a terminal, no colours where
//! none are wanted, and silence where nobody listens.

mod places;
mod table;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use self::places::{At, Places};
use self::table::{DEMO, Ends, ROWS, Row, Run, Says};
use crate::schemas::assert_valid;
use crate::support::bounded::{Watchdog, run_bounded, run_into};
use crate::support::terminal::{run_on_terminal, terminal};
use crate::support::{BIN, Shown};

const ESC: char = '\u{1b}';

/// A command with arguments, in a place.
#[derive(Clone, Copy)]
struct Case {
    row: &'static Row,
    run: &'static Run,
    at: At,
}

impl Case {
    /// Every command with all its arguments in all places.
    fn all() -> impl Iterator<Item = Self> {
        let runs = ROWS.iter().flat_map(|row| row.runs.iter().map(move |run| (row, run)));
        let everywhere = runs.flat_map(|(row, run)| At::ALL.map(|at| Self { row, run, at }));
        everywhere.chain([Self { row: &DEMO, run: &DEMO.runs[0], at: At::Outside }])
    }

    fn ends(self) -> Ends {
        self.run.ends_at(self.at)
    }

    fn answers(self) -> bool {
        matches!(self.ends(), Ends::Answers(_))
    }

    fn name(self) -> String {
        format!("{} {:?} at {:?}", self.row.command, self.run.args, self.at)
    }

    fn command(self, places: &Places, options: &[&str]) -> Command {
        let mut command = places.at(self.at).command(BIN);
        command.args(options).args(self.row.command.split(' ')).args(self.run.args);
        command
    }

    /// Makes everything as it was, if the run can have changed something.
    fn put_back(self, places: &Places) {
        if self.row.writes && self.answers() {
            places.put_back(self.at);
        }
    }
}

/// A command that is not in the table would be tested by nobody.
#[test]
fn the_table_has_every_command_and_a_success_and_an_error_of_each() {
    let (commands, _) = commands();
    let commands: BTreeSet<&str> = commands.iter().map(String::as_str).collect();
    let rows: BTreeSet<&str> = ROWS.iter().map(|row| row.command).collect();
    assert_eq!(commands, rows);
    for row in ROWS.iter().filter(|row| matches!(row.says, Says::Document(_) | Says::Lines(_))) {
        let ends: Vec<Ends> = row.runs.iter().flat_map(|run| run.ends).collect();
        assert!(ends.contains(&Ends::Answers(0)) || row.command == DEMO.command, "{}", row.command);
        assert!(ends.iter().any(|ends| matches!(ends, Ends::Fails(_))), "{}", row.command);
    }
}

#[test]
fn json_is_what_the_schemas_say() {
    let places = Places::new();
    for case in Case::all() {
        let shown = run_bounded(&mut case.command(&places, &["--json"]));
        assert_json(&case.name(), case.row, case.ends(), &shown);
        case.put_back(&places);
    }
    let home = places.at(At::Outside);
    let (_, groups) = commands();
    for row in ROWS.iter().filter(|row| !matches!(row.says, Says::Nothing)) {
        let words: Vec<&str> = row.command.split(' ').collect();
        for wrong in [&["--json", "--no-such-option"][..], &["--json", "-C", "no-such-folder"]] {
            // What is left out is missed before a folder is looked for.
            let shown = run_bounded(home.command(BIN).args(&words).args(wrong));
            assert_json(&format!("{words:?} {wrong:?}"), row, Ends::Fails(2), &shown);
        }
    }
    for words in &groups {
        let shown = run_bounded(home.command(BIN).args(words.split_whitespace()).arg("--json"));
        assert_json(words, &ROWS[0], Ends::Fails(2), &shown);
    }
}

/// Nothing waits for an answer that nobody can give, and who has heard enough is told no more.
#[test]
fn nobody_is_asked_and_a_closed_output_changes_nothing() {
    let places = Places::new();
    for case in Case::all() {
        let (stdin, still_open) = std::io::pipe().unwrap();
        let said = run_bounded(case.command(&places, &[]).stdin(stdin));
        drop(still_open);
        assert_eq!(said.code, Some(case.ends().code()), "{}\n{said}", case.name());
        assert!(!said.to_string().contains(ESC), "{}\n{said}", case.name());
        case.put_back(&places);

        if case.answers() {
            let closed = run_into(&mut case.command(&places, &[]), closed_pipe());
            assert_same(&case.name(), &said, &closed);
            case.put_back(&places);
        }
        if case.at == At::Work {
            let closed = run_into(&mut case.command(&places, &["--json"]), closed_pipe());
            assert_eq!(closed.code, said.code, "{} --json\n{closed}", case.name());
            case.put_back(&places);
        }
        if case.at == At::Work && case.answers() {
            assert_same(&case.name(), &said, &heard_in_part(case.command(&places, &[])));
            case.put_back(&places);
        }
    }
}

fn closed_pipe() -> Stdio {
    let (_, writer) = std::io::pipe().unwrap();
    writer.into()
}

/// Nobody hears what is said to a closed output, and all the rest is done.
#[test]
fn what_is_done_for_nobody_is_done() {
    let places = Places::new();
    let work = places.at(At::Work);
    for command in [&["trust", "-p", "2", "--yes"][..], &["ci-report", "--job", "a", "--", "touch", "made"]] {
        let shown = run_into(work.command(BIN).args(command), closed_pipe());
        assert_eq!(shown.code, Some(0), "{command:?}\n{shown}");
    }
    assert_eq!(work.json(&["trust", "-p", "2"])["trusted"], true);
    assert!(work.path.join("made").exists());
}

/// A question on standard error that is no terminal would be seen by nobody.
#[test]
fn a_question_that_cannot_be_seen_is_not_asked() {
    let places = Places::new();
    for (at, args, code) in [
        (At::Raw, &["init"][..], 0),
        (At::Work, &["trust", "-p", "2", "--gates"], 5),
        (At::Work, &["approve", "-p", "5"], 0),
    ] {
        let (_silent, stdin) = terminal(80, 24);
        let shown = run_bounded(places.at(at).command(BIN).args(args).stdin(stdin));
        assert_eq!(shown.code, Some(code), "{args:?}\n{shown}");
    }
}

#[test]
fn no_color_leaves_no_escape() {
    let places = Places::new();
    let plain = |mut command: Command| {
        command.env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1").env("MANPAGER", "cat");
        run_on_terminal(command, 100, 2000)
    };
    for case in Case::all().filter(|case| case.at == At::Work || case.answers()) {
        let shown = plain(case.command(&places, &[]));
        assert_eq!(shown.code, Some(case.ends().code()), "{}\n{shown}", case.name());
        assert!(!shown.stdout.contains(ESC), "{}\n{shown}", case.name());
        case.put_back(&places);
    }
    let home = places.at(At::Outside);
    let on_terminal = |args: &[&str]| {
        let mut command = home.command(BIN);
        command.args(args).env("CLICOLOR_FORCE", "1");
        run_on_terminal(command, 100, 2000).stdout.contains(ESC)
    };
    for (args, want) in [
        (&["-h"][..], true),
        (&["list", "--no-such-option"], true),
        (&["list", "--color=never", "-h"], false),
        (&["--color", "never", "list", "--no-such-option"], false),
        (&["list", "-h", "--", "--color=never"], true),
    ] {
        assert_eq!(on_terminal(args), want, "{args:?}");
    }
    let (commands, groups) = commands();
    for words in commands.iter().chain(&groups) {
        for help in ["-h", "--help"] {
            let mut command = home.command(BIN);
            command.args(words.split_whitespace()).arg(help);
            let shown = plain(command);
            assert!(shown.code == Some(0) && shown.stdout.contains("Usage: "), "{words} {help}\n{shown}");
            assert!(!shown.stdout.contains(ESC), "{words} {help}\n{shown}");
        }
    }
}

/// What happens inside is shown with colours on a terminal alone.
#[test]
fn what_is_traced_is_coloured_as_all_else_is() {
    let places = Places::new();
    let work = places.at(At::Work);
    let traced = |variable: (&str, &str)| {
        let mut died = work.command(BIN);
        died.args(["start", "1", "-p", "6"]).env("GODZILLA_FAIL_POINT", "ref.locked");
        assert_eq!(run_bounded(&mut died).code, None);
        let mut command = work.command(BIN);
        command.args(["start", "1", "-p", "6"]).env("GODZILLA_LOG", "info").envs([variable]);
        command
    };
    let is_coloured = |said: &str| {
        let line = said.lines().find(|line| line.contains("removing the lock")).expect(said);
        line.contains(ESC)
    };
    assert!(!is_coloured(&run_bounded(&mut traced(("TERM", "xterm"))).stderr));
    places.put_back(At::Work);
    for (variable, want) in [(("NO_COLOR", "1"), false), (("NO_COLOR", ""), true)] {
        let shown = run_on_terminal(traced(variable), 100, 2000);
        assert_eq!(is_coloured(&shown.stdout), want, "{variable:?}\n{shown}");
        places.put_back(At::Work);
    }
}

/// Returns the commands that may change something.
pub(crate) fn writing_commands() -> impl Iterator<Item = &'static str> {
    ROWS.iter().filter(|row| row.writes).map(|row| row.command)
}

/// Returns all commands as they are typed, and those that are nothing without another word.
fn commands() -> (Vec<String>, Vec<String>) {
    fn walk(command: &clap::Command, words: &str, found: &mut (Vec<String>, Vec<String>)) {
        let is_group = command.has_subcommands();
        let list = if is_group { &mut found.1 } else { &mut found.0 };
        list.push(words.to_owned());
        for below in command.get_subcommands() {
            walk(below, format!("{words} {}", below.get_name()).trim(), found);
        }
    }
    let mut found = (Vec::new(), Vec::new());
    walk(&git_godzilla::cli::definition(), "", &mut found);
    found
}

#[track_caller]
fn assert_json(name: &str, row: &Row, ends: Ends, shown: &Shown) {
    assert_eq!(shown.code, Some(ends.code()), "{name}\n{shown}");
    let is_json = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|value| value.is_object());
    assert!(!shown.stderr.lines().any(is_json), "{name}\n{shown}");
    let parsed = |text: &str| -> Value {
        serde_json::from_str(text).unwrap_or_else(|err| panic!("{name}: {err}\n{shown}"))
    };
    match (ends, row.says) {
        (_, Says::Nothing) => assert_eq!(shown.stdout, "", "{name}"),
        (Ends::Fails(code), _) => {
            let error = parsed(&shown.stdout);
            assert_valid("error.v1", &error);
            assert_eq!(error["exit"], code, "{name}\n{shown}");
            assert!(shown.stderr.contains("error: "), "{name}\n{shown}");
        }
        (_, Says::Document(schemas)) => assert_answer(name, row, schemas, &parsed(&shown.stdout)),
        (_, Says::Lines(schemas)) => {
            shown.stdout.lines().for_each(|line| assert_answer(name, row, schemas, &parsed(line)));
        }
        (_, Says::Words) => {
            let is_offer = |line: &str| line.contains('\t') || line.starts_with(':');
            assert!(shown.stdout.lines().all(is_offer), "{name}\n{shown}");
        }
    }
}

/// Checks a document against the schema that it names, or the one of all commands of its kind.
#[track_caller]
fn assert_answer(name: &str, row: &Row, schemas: &[&str], answer: &Value) {
    let said = answer["schema"].as_str().unwrap_or_else(|| panic!("{name}: no schema in {answer:#}"));
    let said = said.trim_start_matches("git-godzilla/").replace('@', ".v");
    let own = format!("{}.v1", row.command.split(' ').next().unwrap());
    assert!(said == own || schemas.contains(&said.as_str()), "{name}: {answer:#}");
    assert_valid(schemas.iter().find(|schema| **schema == said).unwrap_or(&schemas[0]), answer);
}

/// Asserts that a command ended the same way, and had the same to say beside its answer.
#[track_caller]
fn assert_same(name: &str, want: &Shown, got: &Shown) {
    // Without times and ids.
    let plain = |text: &str| text.replace(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase(), "");
    assert_eq!(want.code, got.code, "{name}\n{got}");
    assert_eq!(plain(&want.stderr), plain(&got.stderr), "{name}\n{got}");
}

/// Runs a command for somebody who reads the first byte and goes.
#[track_caller]
fn heard_in_part(mut command: Command) -> Shown {
    let (mut reader, stdout) = std::io::pipe().unwrap();
    let (mut errors, stderr) = std::io::pipe().unwrap();
    let (mut child, watchdog) = Watchdog::start(command.stdout(stdout).stderr(stderr));
    // It holds the outputs open.
    drop(command);
    // Nothing may come, as when a hook is content.
    reader.by_ref().take(1).read_to_end(&mut Vec::new()).unwrap();
    drop(reader);
    let mut stderr = String::new();
    errors.read_to_string(&mut stderr).unwrap();
    let code = child.wait().unwrap().code();
    assert!(!watchdog.bit(), "it waits for something\n{stderr}");
    Shown { stdout: String::new(), stderr, code }
}
