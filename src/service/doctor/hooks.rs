//! Hooks: which are there, and whether git comes to us by them.

use std::path::PathBuf;
use std::time::Duration;

use super::{Checkup, Severity};
use crate::platform::git::{self, CONFIGURED_HOOKS_SINCE, Repo, Scratch, Trial};
use crate::platform::hook_files::{self, HookStatus, Mode, lines};
use crate::platform::{env, fs};
use crate::service::error::Error;
use crate::service::error_chain;
use crate::service::hooks::{self, Place};

const INSTALL: &str = "git godzilla hooks install";

/// What people begin to notice, git's own start included.
const SLOW: Duration = Duration::from_millis(20);

/// One hook, and whether git comes to us when it runs it.
#[derive(Debug)]
pub struct Answer {
    pub hook: HookStatus,
    /// Whether git's configuration has a hook of ours for the event.
    pub is_configured: bool,
    /// `None` if it was not tried. True only if git comes to us in every worktree.
    pub called: Option<bool>,
    /// The worktrees in which git does not come to us, if it does in others.
    pub not_in: Vec<PathBuf>,
    /// What became of a trial, if it did not end with us.
    pub why: Option<String>,
    /// How long a trial took.
    pub took: Option<Duration>,
}

/// Returns what git does for each of our events, in every worktree.
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
    let configured = repo.configured_hooks().into_iter().filter(|hook| hook.is_ours() && hook.is_enabled);
    let configured = configured.flat_map(|hook| hook.events).collect();
    let mut folders = repo.worktree_folders();
    if folders.is_empty() {
        folders.push(repo.git_dir().to_owned());
    }
    // A worktree may have a `core.hooksPath` of its own.
    let mut asked = Vec::new();
    for folder in folders {
        let there = match Repo::at(&folder) {
            Some(worktree) => worktree.hooks_path().ok(),
            None => Some(dir.clone()),
        };
        let program = env::current_exe().unwrap_or_default();
        let there = there.map(|there| hook_files::status(&there, &program)).unwrap_or_default();
        asked.push((folder, there));
    }
    let mut asker = Asker { repo, probe, is_elsewhere, configured, folders: asked, scratch: None };
    let mut status = hook_files::status(&dir, &env::current_exe().unwrap_or_default());
    for hook in &mut status {
        let by_lefthook = hook.mode == Mode::Foreign && hook.chain == ["lefthook"];
        if by_lefthook && repo.work_dir().is_some_and(|root| lines::lefthook_calls_us(root, hook.event)) {
            hook.mode = Mode::Chained { by: "lefthook".to_owned() };
            hook.chain.push(hook_files::US.to_owned());
        }
    }
    status.into_iter().map(|hook| asker.ask(hook)).collect()
}

/// Returns the folder where git looks for hooks, whosever they are.
fn hooks_dir(repo: &Repo) -> Result<PathBuf, Error> {
    match hooks::place(repo)? {
        Place::Own(dir) => Ok(dir),
        Place::Husky(_) | Place::Elsewhere { .. } => Ok(repo.hooks_path()?),
    }
}

struct Asker<'r> {
    repo: &'r Repo,
    probe: bool,
    /// Whether hooks lie where others keep theirs, who may call us without naming us there.
    is_elsewhere: bool,
    /// The events for which git's configuration has a hook of ours.
    configured: Vec<String>,
    /// Worktrees, and the hooks that git finds in each; none where it cannot look for them.
    folders: Vec<(PathBuf, Vec<HookStatus>)>,
    scratch: Option<Scratch>,
}

impl Asker<'_> {
    fn ask(&mut self, hook: HookStatus) -> Result<Answer, Error> {
        let is_configured = self.configured.iter().any(|event| event == hook.event);
        let answer = |hook, called| {
            let not_in = Vec::new();
            Answer { hook, is_configured, called, not_in, why: None, took: None }
        };
        match hook.mode {
            Mode::Symlink | Mode::Shim if !hook.begins_with_others => Ok(self.ask_git(answer(hook, None))),
            // Git runs the file too, which must be ours or not be there.
            Mode::Absent if is_configured => Ok(self.ask_git(answer(hook, None))),
            _ if is_configured && !self.probe => Ok(answer(hook, None)),
            // Ours was put aside, and what is there may call us in a way of its own.
            Mode::Broken(_) if self.probe && !hook.chain.iter().any(|name| name == hook_files::US) => {
                let tried = self.try_it(answer(hook, None))?;
                Ok(if tried.called == Some(true) { tried } else { Answer { why: None, ..tried } })
            }
            Mode::Absent | Mode::Broken(_) => Ok(answer(hook, Some(false))),
            Mode::Foreign if !self.probe && !self.is_elsewhere => Ok(answer(hook, Some(false))),
            Mode::Symlink | Mode::Shim | Mode::Chained { .. } | Mode::Foreign => {
                if self.probe {
                    self.try_it(answer(hook, None))
                } else {
                    Ok(answer(hook, None))
                }
            }
        }
    }

    /// Has git run it in every worktree where nothing but ours would run.
    fn ask_git(&self, answer: Answer) -> Answer {
        let mut not_in = Vec::new();
        for (folder, there) in &self.folders {
            let there = there.iter().find(|hook| hook.event == answer.hook.event);
            let is_ours = there.is_some_and(|hook| match hook.mode {
                Mode::Symlink | Mode::Shim => !hook.begins_with_others,
                Mode::Absent => true,
                Mode::Broken(_) | Mode::Chained { .. } | Mode::Foreign => false,
            });
            if !is_ours {
                not_in.push(folder.clone());
                continue;
            }
            match self.repo.hook_answers(folder, answer.hook.event) {
                Ok(true) => (),
                Ok(false) => not_in.push(folder.clone()),
                Err(_) => return answer,
            }
        }
        let called = Some(not_in.is_empty());
        if not_in.len() == self.folders.len() {
            not_in.clear();
        }
        Answer { called, not_in, ..answer }
    }

    fn try_it(&mut self, answer: Answer) -> Result<Answer, Error> {
        let scratch = match self.scratch.take() {
            Some(scratch) => scratch,
            None => self.repo.scratch()?,
        };
        let (called, why, took) = match self.scratch.insert(scratch).try_hook(answer.hook.event) {
            Ok((Trial::Reached, took)) => (Some(true), None, Some(took)),
            Ok((Trial::Missed(why), took)) => (Some(false), Some(why), Some(took)),
            Err(err) => (None, Some(error_chain(&err)), None),
        };
        Ok(Answer { called, why, took, ..answer })
    }
}

impl Checkup<'_> {
    pub(super) fn hooks(&mut self, probe: bool) -> Result<(), Error> {
        let repo = &self.ctx.repo;
        self.beside();
        let installed = hook_files::installed_dirs(&hooks::journal(repo))?;
        let is_configured = repo.includes_our_hooks();
        let Place::Own(dir) = hooks::place(repo)? else {
            return if is_configured {
                self.configured_hooks()
            } else {
                self.hooks_elsewhere(probe, installed.is_empty())
            };
        };
        if is_configured && installed.is_empty() {
            return self.configured_hooks();
        }
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
            self.mend("hooks.missing", message, || reinstall(repo));
        }
        let is_link = |answer: &&Answer| answer.hook.mode == Mode::Symlink;
        if answers.iter().any(|answer| is_link(&answer)) {
            let message =
                "hooks of an earlier version are links to this program: what is copied to them overwrites it";
            self.mend("hooks.link", message, || reinstall(repo));
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
        self.slow(&answers);
        Ok(())
    }

    /// Ours are in git's configuration, and only there.
    fn configured_hooks(&mut self) -> Result<(), Error> {
        let repo = &self.ctx.repo;
        match git::git_version() {
            Ok(version) if version < CONFIGURED_HOOKS_SINCE => {
                let (major, minor) = version;
                let message = format!(
                    "the hooks are in git's configuration, which git {major}.{minor} does not look at"
                );
                match hooks::Plan::new(repo, None) {
                    // Where hooks are somebody else's, only a person can put ours there.
                    Err(Error::State { message: why, hint, .. }) => {
                        let message = format!("{message}, and {why}");
                        let fix = hint.map(|hint| {
                            format!(
                                "update git to {}.{}, or {hint}",
                                CONFIGURED_HOOKS_SINCE.0, CONFIGURED_HOOKS_SINCE.1
                            )
                        });
                        self.say("hooks.git_too_old", Severity::Warning, message, fix);
                    }
                    _ => self.mend("hooks.git_too_old", message, || reinstall(repo)),
                }
                return Ok(());
            }
            _ => (),
        }
        let silent: Vec<Answer> = answers(repo, false)?;
        let silent: Vec<&Answer> = silent.iter().collect();
        let silent = named(&silent, |answer| answer.called == Some(false));
        if !silent.is_empty() {
            let message = format!("git was asked to run {silent}, and did not call us");
            self.mend("hooks.missing", message, || reinstall(repo));
        }
        Ok(())
    }

    /// Hooks of others have the place that git looks at, and may or may not call us.
    fn hooks_elsewhere(&mut self, probe: bool, never_installed: bool) -> Result<(), Error> {
        let answers = answers(&self.ctx.repo, probe)?;
        let there: Vec<&Answer> = answers.iter().filter(|answer| answer.hook.mode != Mode::Absent).collect();
        let (path, scope) = hooks::hooks_path(&self.ctx.repo).unwrap_or_default();
        let reached = named(&there, |answer| answer.called == Some(true));
        let missed = named(&there, |answer| answer.called == Some(false));
        if reached.is_empty() {
            let severity = if never_installed { Severity::Info } else { Severity::Warning };
            let fix = self.way_to_hooks_of_our_own(scope);
            let tried = if missed.is_empty() { "" } else { "; none of it came to us in a trial" };
            let message = format!(
                "core.hooksPath is `{path}` ({scope}), so git calls what lies there and not our hooks{tried}"
            );
            self.say("hooks.path", severity, message, Some(fix));
        } else {
            let but = if missed.is_empty() { String::new() } else { format!(", and not for {missed}") };
            let message =
                format!("core.hooksPath is `{path}` ({scope}); what lies there calls us for {reached}{but}");
            let fix = (!missed.is_empty()).then(|| "git godzilla hooks status --probe".to_owned());
            self.say("hooks.path", Severity::Info, message, fix);
        }
        self.not_tried(&answers);
        self.slow(&answers);
        Ok(())
    }

    /// Returns what has git look for hooks in this repository again. What holds for others stays as it is.
    fn way_to_hooks_of_our_own(&self, scope: &str) -> String {
        let own = self.ctx.repo.common_dir().join("hooks");
        match scope {
            "local" => format!("git config --unset core.hooksPath && {INSTALL}"),
            "worktree" => format!("git config --worktree --unset core.hooksPath && {INSTALL}"),
            "command" => "leave core.hooksPath out of the command, or of GIT_CONFIG_COUNT in the environment"
                .to_owned(),
            _ => format!("git config core.hooksPath '{}' && {INSTALL}", own.display()),
        }
    }

    /// Hooks that a person waits for, with each commit or push.
    fn slow(&mut self, answers: &[Answer]) {
        for answer in answers {
            let Some(took) = answer.took.filter(|took| *took > SLOW) else { continue };
            let (event, chain) = (answer.hook.event, answer.hook.chain.join(" → "));
            let message = format!("{event} ({chain}) took {} ms in a trial", took.as_millis());
            let fix = Some(format!("to see what takes its time: GIT_TRACE=1 git hook run {event}"));
            self.say("hooks.slow", Severity::Info, message, fix);
        }
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

fn reinstall(repo: &Repo) -> Result<(), Error> {
    hooks::Plan::new(repo, None)?.carry_out(repo).map(drop)
}

fn named(answers: &[&Answer], is_meant: impl Fn(&Answer) -> bool) -> String {
    let meant = answers.iter().filter(|answer| is_meant(answer));
    meant.map(|answer| answer.hook.event).collect::<Vec<_>>().join(", ")
}
