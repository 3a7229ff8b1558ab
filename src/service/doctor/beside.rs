//! Hooks that are not ours, as far as they keep git from running any, or us from being called.

use super::{Checkup, Severity};
use crate::platform::fs;
use crate::platform::git::{self, CONFIGURED_HOOKS_SINCE};
use crate::platform::hook_files::EVENTS;
use crate::service::hooks;

impl Checkup<'_> {
    pub(super) fn beside(&mut self) {
        self.hooks_without_command();
        self.worktrees_without_hooks();
        self.hooks_that_cannot_start();
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
        for event in EVENTS {
            let path = dir.join(event);
            let Ok(Some(bytes)) = fs::read_short(&path) else { continue };
            let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
            if first.starts_with(b"#!") && first.ends_with(b"\r") {
                let path = path.display();
                let message = format!("`{path}` has the line ends of Windows, so that git cannot start it");
                let fix = Some(format!("sed -i 's/\\r$//' '{path}'"));
                self.say("hooks.line_ends", Severity::Warning, message, fix);
            }
        }
    }

    /// Hooks of the configuration are nothing to an older git, which a person may use as well.
    fn older_gits(&mut self) {
        let repo = &self.ctx.repo;
        let has_files = crate::platform::hook_files::installed_dirs(&hooks::journal(repo));
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
