//! Which way git comes to us: what a repository and the git of this machine allow, chosen and set up.

use std::path::{Path, PathBuf};

use super::error::Error;
use crate::platform::git::{self, CONFIGURED_HOOKS_SINCE, Repo};
use crate::platform::hook_files::{self, EVENTS, Report, lines};
use crate::platform::{env, fs};

/// A hook manager whose own files a person lets us write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    Husky,
    Lefthook,
}

/// Where git looks for hook files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a folder of the repository itself.
    Own(PathBuf),
    /// Where husky puts what it makes; it runs the scripts in this folder.
    Husky(PathBuf),
    /// Where hooks are somebody else's.
    Elsewhere { dir: PathBuf, why: &'static str },
}

/// What is to be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Hooks in git's configuration.
    configured: bool,
    files: Files,
    warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Files {
    None,
    Hooks(PathBuf),
    Husky(PathBuf),
    /// What lefthook does not look after is in the folder of the hooks as ever.
    Lefthook {
        root: PathBuf,
        hooks: PathBuf,
    },
}

/// What a call changed, in lines for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Empty if all was as it should be.
    pub changed: Vec<String>,
    /// What somebody should know of it.
    pub warnings: Vec<String>,
}

/// Returns where git looks for hook files in this worktree.
///
/// # Errors
///
/// [`Error`] if git cannot be run.
pub fn place(repo: &Repo) -> Result<Place, Error> {
    let Some((_, scope)) = hooks_path(repo) else { return Ok(Place::Own(repo.common_dir().join("hooks"))) };
    let dir = repo.hooks_path()?;
    if let Some(husky) = lines::husky_of(&dir) {
        return Ok(Place::Husky(husky));
    }
    let real = dir.canonicalize().unwrap_or_else(|_| dir.clone());
    let is_within =
        |outer: &Path| real.starts_with(outer.canonicalize().unwrap_or_else(|_| outer.to_owned()));
    if is_within(repo.common_dir()) && scope != "command" {
        return Ok(Place::Own(dir));
    }
    let why = match scope {
        "system" | "global" => "hooks there are run in all your repositories",
        "command" => "that holds for this command alone",
        _ if dir.exists() && !dir.is_dir() => "that is no folder, so git runs no hook files",
        _ if repo.work_dir().is_some_and(is_within) => "files there are part of the project",
        _ => "hooks there belong to somebody else",
    };
    Ok(Place::Elsewhere { dir, why })
}

/// Returns the value of `core.hooksPath` and the scope that it comes from.
pub fn hooks_path(repo: &Repo) -> Option<(String, &'static str)> {
    let lines = repo.config_section("core");
    let line = lines.into_iter().rfind(|line| line.key.eq_ignore_ascii_case("hookspath"))?;
    Some((line.value.filter(|value| !value.is_empty())?, line.scope))
}

impl Plan {
    /// Finds out what is there and chooses. Nothing is written.
    ///
    /// `consent` names a manager whose files a person lets us write to.
    ///
    /// # Errors
    ///
    /// [`Error::State`] where hooks are somebody else's and there is no other way; the hint is what to write
    /// there.
    pub fn new(repo: &Repo, consent: Option<Manager>) -> Result<Self, Error> {
        let gits = git::gits_on_path();
        let knows = |version: (u32, u32)| version >= CONFIGURED_HOOKS_SINCE;
        let configured = gits.first().is_some_and(|(_, version)| knows(*version));
        let older = gits.iter().find(|(_, version)| !knows(*version));
        let mut warnings = Vec::new();
        let files = match (place(repo)?, consent) {
            (Place::Husky(dir), Some(Manager::Husky)) => Files::Husky(dir),
            (Place::Own(hooks), Some(Manager::Lefthook)) => Files::Lefthook { root: lefthook(repo)?, hooks },
            (_, Some(manager)) => return Err(not_there(manager)),
            _ if configured && older.is_none() => Files::None,
            (Place::Own(dir), None) => Files::Hooks(dir),
            (there, None) if configured => {
                if let (Some((git, _)), Some((path, _))) = (older, hooks_path(repo)) {
                    let refusal = refusal(repo, &there);
                    warnings.push(format!(
                        "`{}` is too old for hooks in the configuration, and core.hooksPath is `{path}`: it does not \
                         call us; {}",
                        git.display(),
                        refusal.1
                    ));
                }
                Files::None
            }
            (there, None) => {
                let (message, hint) = refusal(repo, &there);
                return Err(Error::state("hooks.path", message, hint));
            }
        };
        Ok(Self { configured, files, warnings })
    }

    /// Returns where hooks will be, for people.
    pub fn target(&self) -> String {
        let files = match &self.files {
            Files::None => None,
            Files::Hooks(dir) | Files::Husky(dir) | Files::Lefthook { root: dir, .. } => {
                Some(dir.display().to_string())
            }
        };
        let configured = self.configured.then(|| "git's configuration".to_owned());
        configured.into_iter().chain(files).collect::<Vec<_>>().join(" and ")
    }

    /// Sets it up, leaving what is already so.
    ///
    /// # Errors
    ///
    /// [`Error`] if something cannot be written; doing it again completes it.
    pub fn carry_out(self, repo: &Repo) -> Result<Outcome, Error> {
        let binary = program()?;
        let mut outcome = Outcome { changed: Vec::new(), warnings: self.warnings };
        if self.configured && repo.add_configured_hooks(&EVENTS, &binary)? {
            outcome.changed.push("hooks: added to git's configuration".to_owned());
        }
        let report = match &self.files {
            Files::None => Report::default(),
            Files::Hooks(dir) => hook_files::install(dir, &binary, &journal(repo))?,
            Files::Husky(dir) => lines::add_to_husky(dir)?,
            Files::Lefthook { root, hooks } => {
                let mut report = into_lefthook(root, hooks, &journal(repo))?;
                let theirs = lines::events_of_lefthook(hooks)?;
                let rest: Vec<_> = EVENTS.into_iter().filter(|event| !theirs.contains(event)).collect();
                report
                    .changed
                    .extend(hook_files::install_for(&rest, hooks, &binary, &journal(repo))?.changed);
                report
            }
        };
        for change in report.changed {
            use hook_files::What;
            if matches!(change.what, What::Chained { .. } | What::Left { .. }) {
                outcome.warnings.push(change.to_string());
            }
            outcome.changed.push(change.to_string());
        }
        Ok(outcome)
    }
}

/// Takes everything of ours out: of the configuration, of every folder that it was put into, and of the
/// files of managers.
///
/// # Errors
///
/// [`Error`] if something cannot be written; doing it again completes it.
pub fn uninstall(repo: &Repo) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    if repo.remove_configured_hooks()? {
        outcome.changed.push("hooks: removed from git's configuration".to_owned());
    }
    let mut dirs = hook_files::installed_dirs(&journal(repo))?;
    let place = place(repo)?;
    if let Place::Own(dir) = &place
        && !dirs.iter().any(|known| known == dir || fs::is_same_file(known, dir))
    {
        dirs.push(dir.clone());
    }
    let mut reports = Vec::new();
    for dir in dirs {
        reports.push(hook_files::uninstall(&dir, &journal(repo))?);
    }
    if let Place::Husky(dir) = &place {
        reports.push(lines::remove_from_husky(dir)?);
    }
    for root in repo.worktree_folders() {
        // Also where husky's setting is gone.
        reports.push(lines::remove_from_husky(&root.join(".husky"))?);
        reports.push(lines::remove_from_lefthook(&root)?);
    }
    let changes = reports.into_iter().flat_map(|report| report.changed);
    outcome.changed.extend(changes.map(|change| change.to_string()));
    Ok(outcome)
}

/// Puts ours back where a hook manager that installed itself again has put it aside. Quick if none has.
///
/// # Errors
///
/// [`Error`] if something cannot be read or written.
pub fn heal(repo: &Repo) -> Result<Report, Error> {
    Ok(hook_files::heal(&program()?, &journal(repo))?)
}

/// Has lefthook call us for what it looks after, in place of files of ours around its own.
fn into_lefthook(root: &Path, hooks: &Path, journal: &Path) -> Result<Report, Error> {
    let wraps = |known: &PathBuf| known == hooks || fs::is_same_file(known, hooks);
    if lines::events_of_lefthook(hooks)?.is_empty() && hook_files::installed_dirs(journal)?.iter().any(wraps)
    {
        hook_files::uninstall(hooks, journal)?;
    }
    let events = lines::events_of_lefthook(hooks)?;
    if events.is_empty() {
        return Err(not_there(Manager::Lefthook));
    }
    Ok(lines::add_to_lefthook(root, &events)?)
}

/// Returns the file that remembers what hooks were there.
pub fn journal(repo: &Repo) -> PathBuf {
    repo.state_dir().join("hooks.journal")
}

fn program() -> Result<PathBuf, Error> {
    env::current_exe().ok_or_else(|| Error::state("hooks.program", "this program cannot be found", ""))
}

fn lefthook(repo: &Repo) -> Result<PathBuf, Error> {
    let root = repo.work_dir().filter(|root| lines::has_lefthook(root));
    root.map(Path::to_owned).ok_or_else(|| not_there(Manager::Lefthook))
}

fn not_there(manager: Manager) -> Error {
    let (name, sign) = match manager {
        Manager::Husky => ("husky", "core.hooksPath does not name its folder"),
        Manager::Lefthook => ("lefthook", "it has no file of the project here, or its hooks are not in use"),
    };
    let message = format!("{name} does not look after the hooks of this worktree: {sign}");
    Error::state("hooks.no_manager", message, "git godzilla hooks install")
}

/// Returns why files are not put there, and what to do instead.
fn refusal(repo: &Repo, there: &Place) -> (String, String) {
    let (path, scope) = hooks_path(repo).unwrap_or_default();
    let said = format!("core.hooksPath is set to `{path}` ({scope})");
    match there {
        Place::Own(dir) => {
            (format!("hooks are in `{}`", dir.display()), "git godzilla hooks install".to_owned())
        }
        Place::Husky(_) => (
            format!("{said} by husky, whose scripts are part of the project"),
            "to add a line to them: git godzilla hooks install --into husky".to_owned(),
        ),
        Place::Elsewhere { dir, why } => {
            let line = lines::line_for("<event>", "other");
            let events = EVENTS.join(", ");
            let hint = format!(
                "add to each of {events} in `{}`: {line}; or leave hooks out: git godzilla init --no-hooks",
                dir.display()
            );
            (format!("{said}, and {why}"), hint)
        }
    }
}
