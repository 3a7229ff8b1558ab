//! What `init` set up but for hooks: refspecs, settings.

use super::{Checkup, Severity};
use crate::platform::git;
use crate::service::error::Error;
use crate::service::init;
use crate::store::inventory::carries_refspec;

/// The oldest git that has everything we ask of it.
const OLDEST_GIT: (u32, u32) = (2, 38);

impl Checkup<'_> {
    pub(super) fn setup(&mut self, probe: bool) -> Result<(), Error> {
        self.git();
        if self.ctx.repo.clone_label().is_none() {
            let message = "this clone is not set up: hooks and refspecs are not looked for";
            self.say("clone.not_set_up", Severity::Info, message, Some("git godzilla init".to_owned()));
            return Ok(());
        }
        self.hooks(probe)?;
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
