//! The README says what is so.

use crate::support::World;

const README: &str = include_str!("../../README.md");

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
