//! Manual pages: what the definition of the command line says, and what holds for every command.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// One page of section 1.
pub(super) struct Page {
    /// As in `git-godzilla-plan`.
    pub(super) name: String,
    pub(super) summary: String,
    pub(super) roff: String,
}

/// The first line of every page, by which it is known for ours.
const MARK: &str = r#".\" written by `git godzilla man`"#;

const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "Done."),
    ("1", "The answer is no."),
    ("2", "The command line cannot be understood, or leaves open what is meant."),
    ("3", "There is no such protocol, step, remote or file."),
    ("4", "The present state refuses it; nothing was recorded."),
    ("5", "A policy forbids it."),
    ("6", "Another program could not be run, or failed."),
    ("7", "A remote could not be reached, or refused."),
    ("70", "A bug; please report it."),
];

const FILES: &[(&str, &str)] = &[
    (
        "refs/godzilla/protocols/<name>",
        "The stream of a protocol: its events, shared by git push and git pull.",
    ),
    ("refs/godzilla-remote/<remote>/", "What a remote had when it was last fetched."),
    ("refs/notes/godzilla", "Protocol and step of each commit, for git log --notes=godzilla."),
    ("godzilla.toml", "Settings of the project, at the top of the work tree."),
    (".protocols/<name>/", "The plan and a file for each step, on the protocol's branch."),
    ("worktrees/<name>/", "Where the work is done."),
    (".git/godzilla/", "The clone's label, caches and locks."),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    ("GODZILLA=0", "Switches the hooks off."),
    ("GODZILLA_LOG", "Shows on standard error what happens inside, as in debug."),
    ("NO_COLOR, CLICOLOR_FORCE", "Switch colours off and on; --color is stronger."),
    ("GIT_PAGER, PAGER", "Show what is long on a terminal; cat or nothing shows it as it is."),
];

/// Returns the page of the command and of each of its subcommands, hidden ones left out.
pub(super) fn all() -> Vec<Page> {
    let mut pages = Vec::new();
    add(&mut pages, &super::definition(), None);
    pages
}

fn add(pages: &mut Vec<Page>, command: &Command, parent: Option<&str>) {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    pages.push(Page {
        summary: command.get_about().map(ToString::to_string).unwrap_or_default(),
        roff: rendered(command, &name, parent),
        name: name.clone(),
    });
    for shown in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        add(pages, shown, Some(&name));
    }
}

fn rendered(command: &Command, name: &str, parent: Option<&str>) -> String {
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    render(&mut bytes, command, name, parent).ok();
    let mut text = format!("{MARK}\n");
    // Each section begins with the same definition, of which one is enough.
    let mut seen = 0;
    for line in String::from_utf8_lossy(&bytes).lines() {
        let defines = line.contains(".ds Aq");
        seen += usize::from(defines);
        if !defines || seen <= 2 {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

fn render(out: &mut Vec<u8>, command: &Command, name: &str, parent: Option<&str>) -> io::Result<()> {
    let version = concat!("git-godzilla ", env!("CARGO_PKG_VERSION"));
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned();
    let shown = command.clone().subcommand_help_heading("COMMANDS").override_usage(usage);
    let page = Man::new(shown).title(name.to_uppercase()).source(version).manual("Git Godzilla Manual");
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    if command.has_subcommands() {
        page.render_subcommands_section(out)?;
    }
    let mut ours = Roff::default();
    if let Some(said) = command.get_after_help() {
        examples(&mut ours, &said.to_string());
    }
    table(&mut ours, "EXIT STATUS", EXIT_STATUS);
    table(&mut ours, "ENVIRONMENT", ENVIRONMENT);
    table(&mut ours, "FILES", FILES);
    ours.control("SH", ["SEE ALSO"]).text([roman(see_also(command, name, parent))]);
    ours.to_writer(out)
}

fn examples(roff: &mut Roff, said: &str) {
    let said = said.strip_prefix("Examples:\n").unwrap_or(said);
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in said.lines() {
        roff.text([roman(line.trim_start())]);
    }
    roff.control("fi", []);
}

fn table(roff: &mut Roff, heading: &str, rows: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    for (key, value) in rows {
        roff.control("TP", []).text([bold(*key)]).text([roman(*value)]);
    }
}

fn see_also(command: &Command, name: &str, parent: Option<&str>) -> String {
    let mut pages: Vec<String> = parent.into_iter().map(|parent| format!("{parent}(1)")).collect();
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    pages.extend(shown.map(|command| format!("{name}-{}(1)", command.get_name())));
    pages.extend(["git(1)", "git-worktree(1)", "git-notes(1)", "githooks(5)"].map(str::to_owned));
    pages.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_every_section() {
        let pages = all();
        let names: Vec<&str> = pages.iter().map(|page| page.name.as_str()).collect();
        for name in ["git-godzilla", "git-godzilla-plan", "git-godzilla-hooks-install", "git-godzilla-man"] {
            assert!(names.contains(&name), "{name} in {names:?}");
        }
        assert!(!names.iter().any(|name| name.ends_with("-hook") || name.contains("complete-")), "{names:?}");
        for page in &pages {
            let sections =
                ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "\"EXIT STATUS\"", "FILES", "\"SEE ALSO\""];
            for section in sections {
                let there = page.roff.lines().any(|line| line == format!(".SH {section}"));
                assert!(there, "{section} is missing in {}:\n{}", page.name, page.roff);
            }
            assert!(page.roff.starts_with(MARK) && !page.summary.is_empty(), "{}", page.name);
        }
    }
}
