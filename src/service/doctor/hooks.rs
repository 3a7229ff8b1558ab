//! Hooks: which are there, and whether git comes to us by them.

use std::path::PathBuf;

use super::{Checkup, Severity};
use crate::platform::git::{Repo, Scratch, Trial};
use crate::platform::hook_files::{self, HookStatus, Mode};
use crate::platform::{env, fs};
use crate::service::error::Error;
use crate::service::{error_chain, init};

const INSTALL: &str = "git godzilla hooks install";

/// One hook, and whether git comes to us when it runs it.
#[derive(Debug)]
pub struct Answer {
    pub hook: HookStatus,
    /// `None` if it was not tried.
    pub called: Option<bool>,
    /// What became of a trial, if it did not end with us.
    pub why: Option<String>,
}

/// Returns what git does for each of our events.
///
/// Hooks of ours are asked. One of somebody else is run only with `probe`, in a repository that is
/// thrown away.
///
/// # Errors
///
/// [`Error`] if git cannot be run, or no repository for trials can be made.
pub fn answers(repo: &Repo, probe: bool) -> Result<Vec<Answer>, Error> {
    let dir = hooks_dir(repo)?;
    let is_elsewhere = repo.config("core.hooksPath").is_some();
    let mut asker = Asker { repo, probe, is_elsewhere, scratch: None };
    let status = hook_files::status(&dir, &env::current_exe().unwrap_or_default());
    status.into_iter().map(|hook| asker.ask(hook)).collect()
}

/// Returns the folder where git looks for hooks, whosever they are.
fn hooks_dir(repo: &Repo) -> Result<PathBuf, Error> {
    match init::hooks_dir(repo) {
        Ok(dir) => Ok(dir),
        Err(_) => Ok(repo.hooks_path()?),
    }
}

struct Asker<'r> {
    repo: &'r Repo,
    probe: bool,
    /// Whether hooks lie where others keep theirs, who may call us without naming us there.
    is_elsewhere: bool,
    scratch: Option<Scratch>,
}

impl Asker<'_> {
    fn ask(&mut self, hook: HookStatus) -> Result<Answer, Error> {
        let called = match hook.mode {
            // Newer versions of git also run hooks that the configuration names.
            Mode::Symlink | Mode::Shim
                if !hook.begins_with_others && self.repo.config_section("hook").is_empty() =>
            {
                self.repo.hook_answers(hook.event).ok()
            }
            // Ours was put aside, and what is there may call us in a way of its own.
            Mode::Broken(_) if self.probe && !hook.chain.iter().any(|name| name == hook_files::US) => {
                let tried = self.try_it(hook)?;
                return Ok(if tried.called == Some(true) { tried } else { Answer { why: None, ..tried } });
            }
            Mode::Absent | Mode::Broken(_) => Some(false),
            Mode::Foreign if !self.probe && !self.is_elsewhere => Some(false),
            Mode::Symlink | Mode::Shim | Mode::Chained { .. } | Mode::Foreign => {
                return if self.probe {
                    self.try_it(hook)
                } else {
                    Ok(Answer { hook, called: None, why: None })
                };
            }
        };
        Ok(Answer { hook, called, why: None })
    }

    fn try_it(&mut self, hook: HookStatus) -> Result<Answer, Error> {
        let scratch = match self.scratch.take() {
            Some(scratch) => scratch,
            None => self.repo.scratch()?,
        };
        let (called, why) = match self.scratch.insert(scratch).try_hook(hook.event) {
            Ok(Trial::Reached) => (Some(true), None),
            Ok(Trial::Missed(why)) => (Some(false), Some(why)),
            Err(err) => (None, Some(error_chain(&err))),
        };
        Ok(Answer { hook, called, why })
    }
}

impl Checkup<'_> {
    pub(super) fn hooks(&mut self, probe: bool) -> Result<(), Error> {
        let repo = &self.ctx.repo;
        let installed = hook_files::installed_dirs(&init::journal(repo))?;
        let Ok(dir) = init::hooks_dir(repo) else {
            return self.hooks_elsewhere(probe, installed.is_empty());
        };
        if !installed.iter().any(|known| known == &dir || fs::is_same_file(known, &dir)) {
            let message = "the hooks are not installed; commands find new commits by themselves";
            self.say("hooks.not_installed", Severity::Info, message, Some(INSTALL.to_owned()));
            return Ok(());
        }
        let answers = answers(repo, probe)?;
        let (mut missing, mut foreign, mut silent) = (Vec::new(), Vec::new(), Vec::new());
        for answer in &answers {
            let event = answer.hook.event;
            match (&answer.hook.mode, answer.called) {
                (Mode::Absent, _) => missing.push(event.to_owned()),
                (Mode::Broken(why), Some(false) | None) => missing.push(format!("{event} ({why})")),
                (Mode::Foreign, Some(false)) if answer.why.is_none() => foreign.push(event),
                (Mode::Symlink | Mode::Shim, Some(false)) if answer.why.is_none() => silent.push(event),
                _ => (),
            }
        }
        if !missing.is_empty() {
            let message = format!("git no longer calls us for {}", missing.join(", "));
            self.mend("hooks.missing", message, || init::install_hooks(repo, &dir).map(drop));
        }
        let is_link = |answer: &&Answer| answer.hook.mode == Mode::Symlink;
        if answers.iter().any(|answer| is_link(&answer)) {
            let message = "hooks of an earlier version are links to this program: what is copied to them overwrites it";
            self.mend("hooks.link", message, || init::install_hooks(repo, &dir).map(drop));
        }
        if !foreign.is_empty() {
            let message = format!("another hook has the place of ours: {}", foreign.join(", "));
            self.say("hooks.not_called", Severity::Warning, message, Some(INSTALL.to_owned()));
        }
        if !silent.is_empty() {
            let message = format!("git was asked to run {}, and did not call us", silent.join(", "));
            let fix = Some("git godzilla hooks status".to_owned());
            self.say("hooks.not_called", Severity::Error, message, fix);
        }
        self.tried(&answers);
        self.not_tried(&answers);
        Ok(())
    }

    /// Hooks of others have the place that git looks at, and may or may not call us.
    fn hooks_elsewhere(&mut self, probe: bool, never_installed: bool) -> Result<(), Error> {
        let answers = answers(&self.ctx.repo, probe)?;
        let there: Vec<&Answer> = answers.iter().filter(|answer| answer.hook.mode != Mode::Absent).collect();
        let path = self.ctx.repo.config("core.hooksPath").unwrap_or_default();
        let reached = named(&there, |answer| answer.called == Some(true));
        let missed = named(&there, |answer| answer.called == Some(false));
        if reached.is_empty() {
            let severity = if never_installed { Severity::Info } else { Severity::Warning };
            let fix = format!("git config --unset core.hooksPath && {INSTALL}");
            let tried = if missed.is_empty() { "" } else { "; none of it came to us in a trial" };
            let message =
                format!("core.hooksPath is `{path}`, so git calls what lies there and not our hooks{tried}");
            self.say("hooks.path", severity, message, Some(fix));
        } else {
            let but = if missed.is_empty() { String::new() } else { format!(", and not for {missed}") };
            let message = format!("core.hooksPath is `{path}`; what lies there calls us for {reached}{but}");
            let fix = (!missed.is_empty()).then(|| "git godzilla hooks status --probe".to_owned());
            self.say("hooks.path", Severity::Info, message, fix);
        }
        self.not_tried(&answers);
        Ok(())
    }

    /// Hooks that did not come to us when they were run.
    fn tried(&mut self, answers: &[Answer]) {
        for answer in answers {
            let Some(why) = &answer.why else { continue };
            let (event, chain) = (answer.hook.event, answer.hook.chain.join(" → "));
            let message = match answer.called {
                None => format!("{event} ({chain}) could not be tried: {why}"),
                Some(_) => format!("{event} ({chain}) was run for a trial and did not come to us: {why}"),
            };
            let fix = format!("let it run: git godzilla hook {event} -- \"$@\"");
            self.say("hooks.not_called", Severity::Warning, message, Some(fix));
        }
    }

    fn not_tried(&mut self, answers: &[Answer]) {
        let open: Vec<&Answer> = answers.iter().collect();
        let open = named(&open, |answer| answer.called.is_none() && answer.why.is_none());
        if !open.is_empty() {
            let message = format!(
                "whether we are called for {open} was not tried, since that runs hooks that are not ours"
            );
            let fix = Some("git godzilla doctor --probe".to_owned());
            self.say("hooks.not_tried", Severity::Info, message, fix);
        }
    }
}

fn named(answers: &[&Answer], is_meant: impl Fn(&Answer) -> bool) -> String {
    let meant = answers.iter().filter(|answer| is_meant(answer));
    meant.map(|answer| answer.hook.event).collect::<Vec<_>>().join(", ")
}
