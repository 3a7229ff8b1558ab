//! Hooks that are not ours, as far as they keep git from running any, or us from being called.

use std::path::Path;

use super::{Checkup, Severity};
use crate::platform::git::{self, CONFIGURED_HOOKS_SINCE};
use crate::platform::hook_files::{self, EVENTS, US, lines};
use crate::platform::{env, fs};
use crate::service::hooks::{self, Place};

/// Events that others have hooks for, beside ours.
const OTHER_EVENTS: &[&str] = &[
    "applypatch-msg",
    "post-applypatch",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-rebase",
    "reference-transaction",
];

/// Where programs are found that nobody has installed for himself.
const POOR_PATH: &[&str] = &["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];

impl Checkup<'_> {
    pub(super) fn beside(&mut self) {
        self.hooks_without_command();
        self.worktrees_without_hooks();
        self.hooks_that_cannot_start();
        self.called_by_name();
        self.managers_that_are_not_in_use();
        self.older_gits();
    }

    /// Git 2.54 and newer refuses everything that has the event.
    fn hooks_without_command(&mut self) {
        for hook in self.ctx.repo.configured_hooks() {
            if hook.command.is_none() && hook.is_enabled && !hook.events.is_empty() {
                let (name, events) = (&hook.name, hook.events.join(", "));
                let message =
                    format!("hook.{name} is for {events} and has no command, which stops git 2.54 and newer");
                let fix = Some(format!("git config --remove-section hook.{name}"));
                self.say("hooks.no_command", Severity::Error, message, fix);
            }
        }
    }

    /// A relative `core.hooksPath` is looked for in each worktree.
    fn worktrees_without_hooks(&mut self) {
        let Some((path, _)) = hooks::hooks_path(&self.ctx.repo) else { return };
        if path.starts_with(['/', '~', '%']) {
            return;
        }
        for folder in self.ctx.repo.worktree_folders() {
            if !folder.join(&path).is_dir() {
                let folder = folder.display();
                let message = format!(
                    "git runs no hooks in `{folder}`: core.hooksPath is `{path}`, which is not there"
                );
                let fix = Some("do there what makes it, as `npm install` does for husky".to_owned());
                self.say("hooks.no_folder", Severity::Warning, message, fix);
            }
        }
    }

    /// Of files that git takes for hooks.
    fn hooks_that_cannot_start(&mut self) {
        let Ok(dir) = self.ctx.repo.hooks_path() else { return };
        for event in EVENTS.iter().chain(OTHER_EVENTS) {
            let path = dir.join(event);
            let Ok(Some(bytes)) = fs::read_short(&path) else { continue };
            let shown = path.display();
            let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
            if first.starts_with(b"#!") && first.ends_with(b"\r") {
                let message = format!("`{shown}` has the line ends of Windows, so that git cannot start it");
                let fix = Some(format!("sed -i 's/\\r$//' '{shown}'"));
                self.say("hooks.line_ends", Severity::Warning, message, fix);
            } else if !fs::is_executable(&path) {
                // Ours is mended with all that is missing.
                if !hook_files::is_ours(&path) {
                    let message = format!("git passes over `{shown}`, which is not executable");
                    let fix = Some(format!("chmod +x '{shown}', or rm '{shown}'"));
                    self.say("hooks.not_executable", Severity::Info, message, fix);
                }
            } else if let Some(program) = missing_interpreter(first) {
                let message = format!("git cannot start `{shown}`: there is no `{program}` here");
                let fix = Some(format!("install {program}, or switch the hook off: chmod -x '{shown}'"));
                self.say("hooks.no_interpreter", Severity::Warning, message, fix);
            }
        }
    }

    /// A program with a window gives git the `PATH` of the system, which may not lead to us. Hooks of our own name
    /// the file; a line in a file of somebody else cannot.
    fn called_by_name(&mut self) {
        let repo = &self.ctx.repo;
        let by_lefthook = |root: &Path| EVENTS.iter().any(|event| lines::lefthook_calls_us(root, event));
        let caller = match hooks::place(repo) {
            Ok(Place::Husky(dir)) if lines::husky_calls_us(&dir) => "husky",
            Ok(_) if repo.work_dir().is_some_and(by_lefthook) => "lefthook",
            _ => return,
        };
        if POOR_PATH.iter().any(|dir| fs::is_executable(&Path::new(dir).join(US))) {
            return;
        }
        let program = env::current_exe().unwrap_or_default();
        let message = format!(
            "{caller} calls us by name, and with the PATH of a program that was not started from a terminal, {}, \
             git would not find us",
            POOR_PATH.join(":")
        );
        let fix = Some(format!("sudo ln -s '{}' /usr/local/bin/{US}", program.display()));
        self.say("hooks.poor_path", Severity::Info, message, fix);
    }

    /// A clone has the files of a manager, and no hooks of it before somebody calls the manager here.
    fn managers_that_are_not_in_use(&mut self) {
        let repo = &self.ctx.repo;
        let (Some(root), Ok(dir)) = (repo.work_dir(), repo.hooks_path()) else { return };
        let in_use = hook_files::managers_in(&dir);
        let is_in_use = |names: &[&str]| names.iter().any(|name| in_use.contains(name));
        let is_husky = root.join(".husky").is_dir() && lines::husky_of(&dir).is_none();
        let is_lefthook = lines::has_lefthook(root) && !is_in_use(&["lefthook"]);
        let pre_commit = ".pre-commit-config.yaml";
        let is_pre_commit = root.join(pre_commit).is_file() && !is_in_use(&["pre-commit", "prek"]);
        let attributes = std::fs::read_to_string(root.join(".gitattributes")).unwrap_or_default();
        let is_lfs = attributes.contains("filter=lfs") && !is_in_use(&["git-lfs"]);
        for (is_meant, file, fix) in [
            (is_husky, ".husky", "npm install, or what else starts husky here"),
            (is_lefthook, "a file of lefthook", "lefthook install"),
            (is_pre_commit, pre_commit, "pre-commit install, or prek install"),
            (is_lfs, "filter=lfs", "git lfs install --local"),
        ] {
            if is_meant {
                let message = format!("the project has {file}, and git runs no hook of that here");
                self.say("hooks.manager", Severity::Info, message, Some(format!("if it is wanted: {fix}")));
            }
        }
    }

    /// Hooks of the configuration are nothing to an older git, which a person may use as well.
    fn older_gits(&mut self) {
        let repo = &self.ctx.repo;
        let has_files = hook_files::installed_dirs(&hooks::journal(repo));
        if !repo.includes_our_hooks() || has_files.is_ok_and(|dirs| !dirs.is_empty()) {
            return;
        }
        for (git, (major, minor)) in git::gits_on_path() {
            if (major, minor) < CONFIGURED_HOOKS_SINCE {
                let git = git.display();
                let message = format!(
                    "`{git}` is {major}.{minor}, which does not look at hooks in the configuration: it does not call us"
                );
                let fix = Some("git godzilla hooks install".to_owned());
                self.say("hooks.older_git", Severity::Info, message, fix);
            }
        }
    }
}

/// Returns the program that a `#!` line asks for, if it is not there.
fn missing_interpreter(line: &[u8]) -> Option<String> {
    let line = str::from_utf8(line.strip_prefix(b"#!")?).ok()?;
    let mut words = line.split_ascii_whitespace();
    let program = words.next()?;
    if Path::new(program).file_name()? != "env" {
        return (program.starts_with('/') && !Path::new(program).exists()).then(|| program.to_owned());
    }
    // As `env -S name=value program` has it, too.
    let named = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there =
        named.contains('/') || std::env::split_paths(&path).any(|dir| fs::is_executable(&dir.join(named)));
    (!is_there).then(|| named.to_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_starts_a_script_is_looked_for() {
        for (line, want) in [
            ("#!/bin/sh", None),
            ("#! /usr/bin/env -S X=1 sh -e", None),
            ("#!/usr/bin/env no-such-shell", Some("no-such-shell")),
            ("#!/no/such/shell -e", Some("/no/such/shell")),
            ("#!sh", None),
            ("#!", None),
            ("echo", None),
        ] {
            assert_eq!(missing_interpreter(line.as_bytes()).as_deref(), want, "{line}");
        }
    }
}
