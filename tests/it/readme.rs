//! The README and the map of the code say what is so.

use crate::support::World;

const README: &str = include_str!("../../README.md");
const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");

#[test]
fn it_begins_with_the_two_commands() {
    let block = README.split("```").nth(1).unwrap();
    assert_eq!(block, "console\n$ cargo run --release -- demo\n$ cargo test\n");
    let line = README.lines().position(|line| line.starts_with("```")).unwrap();
    assert!(line < 10, "the two commands come first, not in line {line}");
    assert_verb("demo");
}

#[test]
fn every_command_in_it_exists() {
    let verbs = README.split("git godzilla ").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len());
        &rest[..end]
    });
    // In prose the program is named without a command.
    let verbs: Vec<&str> = verbs.filter(|verb| !verb.is_empty()).collect();
    assert!(verbs.len() > 20, "{verbs:?}");
    for verb in verbs {
        assert_verb(verb);
    }
}

#[test]
fn every_command_is_in_it() {
    for verb in verbs_of_help() {
        assert!(README.contains(&format!("`git godzilla {verb}")), "the README does not name `{verb}`");
    }
}

/// Hints, too, name only what can be typed.
#[test]
fn every_command_that_a_message_names_exists() {
    const PROSE: &[&str] = &["is", "makes"];
    let sources = sources(&["src"]);
    let mut known = verbs_of_help();
    known.push("hook".to_owned());
    let mut n_named = 0;
    for rest in sources.split("git godzilla ").skip(1) {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len());
        let verb = &rest[..end];
        if verb.chars().any(char::is_alphabetic) && !verb.starts_with('-') && !PROSE.contains(&verb) {
            assert!(known.iter().any(|known| known == verb), "there is no `git godzilla {verb}`");
            n_named += 1;
        }
    }
    assert!(n_named > 80, "{n_named}");
}

#[test]
fn every_link_leads_somewhere() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for link in README.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        assert!(root.join(link).exists(), "there is no {link}");
    }
}

#[track_caller]
fn assert_verb(verb: &str) {
    assert!(verbs_of_help().iter().any(|known| known == verb), "there is no `git godzilla {verb}`");
}

fn verbs_of_help() -> Vec<String> {
    let help = World::new().place("").godzilla_ok(&["-h"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    commands.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// An invariant that nothing holds is a wish.
#[test]
fn every_test_that_the_architecture_names_exists() {
    let sources = sources(&["src", "tests"]);
    assert!(ARCHITECTURE.lines().count() <= 300);
    let mut n_invariants = 0;
    for invariant in ARCHITECTURE.split("**Invariant**:").skip(1) {
        let ends = ["\n\n", "\\\n"].map(|end| invariant.find(end).unwrap_or(invariant.len()));
        let invariant = &invariant[..ends[0].min(ends[1])];
        let names: Vec<&str> = invariant
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| name.len() > 12 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
            .collect();
        assert!(!names.is_empty(), "no test holds:{invariant}");
        for name in names {
            assert!(sources.contains(&format!("fn {name}(")), "there is no test {name}");
        }
        n_invariants += 1;
    }
    assert!(n_invariants > 20, "only {n_invariants} invariants were found");
}

/// `module::test` must be a test, and `module` a module with tests.
#[test]
fn every_test_that_the_checklist_names_exists() {
    let sources = sources(&["src", "tests"]);
    let checklist = include_str!("../../docs/CHECKLIST.md");
    let cells =
        checklist.lines().filter(|line| line.starts_with('|')).filter_map(|line| line.rsplit('|').nth(1));
    let names: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 60);
    for name in names.into_iter().filter(|name| !name.contains([' ', '.', '-'])) {
        let last = name.rsplit("::").next().unwrap();
        let is_there = sources.contains(&format!("fn {last}("))
            || sources.contains(&format!("mod {last};"))
            || last == "tests";
        assert!(is_there, "there is no test {name}");
    }
}

/// All that is written in Rust in some folders.
fn sources(folders: &[&str]) -> String {
    let mut sources = String::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<_> = folders.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    sources
}
