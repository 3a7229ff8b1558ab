//! What `init` set up: hooks, refspecs, settings.

use super::{Checkup, Severity};
use crate::platform::git::{self, Repo};
use crate::platform::hook_files::{self, HookStatus, Mode};
use crate::platform::{env, fs};
use crate::service::error::Error;
use crate::service::init;
use crate::store::inventory::carries_refspec;

/// The oldest git that has everything we ask of it.
const OLDEST_GIT: (u32, u32) = (2, 38);

/// Returns whether git comes to us when it runs the hook; `None` if that cannot be tried without
/// running something of somebody else.
pub fn answers(repo: &Repo, hook: &HookStatus) -> Option<bool> {
    match hook.mode {
        // Newer versions of git also run hooks that the configuration names.
        Mode::Symlink | Mode::Shim if repo.config_section("hook").is_empty() => {
            repo.hook_answers(hook.event).ok()
        }
        Mode::Symlink | Mode::Shim | Mode::Chained { .. } => None,
        Mode::Foreign | Mode::Absent | Mode::Broken(_) => Some(false),
    }
}

impl Checkup<'_> {
    pub(super) fn setup(&mut self) -> Result<(), Error> {
        self.git();
        if self.ctx.repo.clone_label().is_none() {
            let message = "this clone is not set up: hooks and refspecs are not looked for";
            self.say("clone.not_set_up", Severity::Info, message, Some("git godzilla init".to_owned()));
            return Ok(());
        }
        self.hooks()?;
        self.refspecs();
        Ok(())
    }

    fn git(&mut self) {
        let (ctx, oldest) = (self.ctx, OLDEST_GIT);
        match git::git_version() {
            Ok((major, minor)) if (major, minor) < oldest => {
                let message = format!("git is {major}.{minor}; {}.{} or newer is needed", oldest.0, oldest.1);
                self.say("git.too_old", Severity::Error, message, None);
            }
            Ok(_) => (),
            Err(err) => {
                self.say("git.missing", Severity::Error, crate::service::error_chain(&err), None);
            }
        }
        for warning in &ctx.settings.warnings {
            let fix = Some("git godzilla config show --origin".to_owned());
            self.say("setting.unsupported", Severity::Warning, warning.clone(), fix);
        }
        for key in ctx.repo.unused_programs() {
            let message = format!(
                "`{key}` is set by this repository and names a program, which our own git does not run"
            );
            let fix = Some(format!("git config --global {key} …, if it is yours"));
            self.say("setting.not_used", Severity::Info, message, fix);
        }
    }

    fn hooks(&mut self) -> Result<(), Error> {
        let repo = &self.ctx.repo;
        let installed = hook_files::installed_dirs(&init::journal(repo))?;
        if let Some(path) = repo.config("core.hooksPath") {
            let message = format!("core.hooksPath is `{path}`, so git calls no hook of ours");
            let fix = "git config --unset core.hooksPath && git godzilla hooks install";
            let severity = if installed.is_empty() { Severity::Info } else { Severity::Warning };
            self.say("hooks.path", severity, message, Some(fix.to_owned()));
            return Ok(());
        }
        let install = Some("git godzilla hooks install".to_owned());
        let dir = init::hooks_dir(repo)?;
        if !installed.iter().any(|known| known == &dir || fs::is_same_file(known, &dir)) {
            let message = "the hooks are not installed; commands find new commits by themselves";
            self.say("hooks.not_installed", Severity::Info, message, install);
            return Ok(());
        }
        let (mut missing, mut foreign, mut silent) = (Vec::new(), Vec::new(), Vec::new());
        for hook in hook_files::status(&dir, &env::current_exe().unwrap_or_default()) {
            match &hook.mode {
                Mode::Absent => missing.push(hook.event.to_owned()),
                Mode::Broken(why) => missing.push(format!("{} ({why})", hook.event)),
                Mode::Foreign => foreign.push(hook.event),
                Mode::Symlink | Mode::Shim if answers(repo, &hook) == Some(false) => silent.push(hook.event),
                Mode::Symlink | Mode::Shim | Mode::Chained { .. } => (),
            }
        }
        if !missing.is_empty() {
            let message = format!("git no longer calls us for {}", missing.join(", "));
            self.mend("hooks.missing", message, || init::install_hooks(repo, &dir).map(drop));
        }
        if !foreign.is_empty() {
            let message = format!("another hook has the place of ours: {}", foreign.join(", "));
            self.say("hooks.not_called", Severity::Warning, message, install);
        }
        if !silent.is_empty() {
            let message = format!("git was asked to run {}, and did not call us", silent.join(", "));
            let fix = Some("git godzilla hooks status".to_owned());
            self.say("hooks.not_called", Severity::Error, message, fix);
        }
        Ok(())
    }

    fn refspecs(&mut self) {
        let repo = &self.ctx.repo;
        let remotes = repo.remotes();
        let mut wanted: Vec<_> = remotes.iter().filter(|remote| carries_refspec(remote)).cloned().collect();
        if wanted.is_empty() {
            wanted.extend(init::choose_remote(repo, None).ok().flatten());
        }
        for remote in wanted.iter().filter(|remote| !init::missing_refspecs(remote).is_empty()) {
            let name = &remote.name;
            let missing = init::missing_refspecs(remote).join("`, `");
            let message =
                format!("git fetch brings no state from {name}, or too much of it: `{missing}` is missing");
            self.mend("refspec.missing", message, || init::add_refspecs(repo, remote));
        }
        for remote in &remotes {
            let name = &remote.name;
            let mirror = repo.config_all("remote", name, "mirror");
            if mirror.last().is_some_and(|value| value == "true") {
                let message = format!("pushing to {name} mirrors all refs, which pre-push refuses");
                let fix = Some(format!("git config --unset remote.{name}.mirror"));
                self.say("remote.mirror", Severity::Warning, message, fix);
            }
        }
    }
}
