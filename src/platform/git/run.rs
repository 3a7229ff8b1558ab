//! Running `git` itself, for what gix lacks.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::{Error, Repo};
use crate::platform::env;
use crate::platform::process::{self, Limits};

/// What a program of that name may take to say its version.
const MAX_TIME_OF_VERSION: Duration = Duration::from_secs(5);

/// Variables that name a repository; git sets them for hooks, and they would lead a child astray.
/// The list is that of `git rev-parse --local-env-vars`, with what servers add.
const LOCAL_VARS: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REFLOG_ACTION",
    "GIT_EDITOR",
];

/// Takes out of a program's environment what would lead its git to another repository.
pub fn forget_repository(command: &mut Command) {
    for var in LOCAL_VARS {
        command.env_remove(var);
    }
}

/// Returns a `git` without inherited repository variables, whose hooks of ours are off.
pub(super) fn clean_git() -> Command {
    let mut git = process::command("git");
    forget_repository(&mut git);
    // As gix is told when a repository is opened.
    git.env("GIT_NO_REPLACE_OBJECTS", "1");
    git.env("GODZILLA_HOOK_DEPTH", "1").env("LC_ALL", "C");
    git
}

/// Returns the version of `git` as `(major, minor)`.
///
/// # Errors
///
/// [`Error`] if git cannot be run.
pub fn git_version() -> Result<(u32, u32), Error> {
    let output = process::run(clean_git().arg("--version"), None, Limits::default(), |_| ())?;
    Ok(version_in(&String::from_utf8_lossy(&output.stdout)))
}

/// Returns every `git` that `PATH` holds, with its version; the first is the one that is run.
pub fn gits_on_path() -> Vec<(PathBuf, (u32, u32))> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut seen = Vec::new();
    let mut gits = Vec::new();
    for dir in std::env::split_paths(&path).filter(|dir| dir.is_absolute()) {
        let git = dir.join("git");
        let Ok(file) = git.canonicalize() else { continue };
        if seen.contains(&file) {
            continue;
        }
        seen.push(file);
        let mut command = process::command(&git);
        forget_repository(&mut command);
        let limits = Limits { total: Some(MAX_TIME_OF_VERSION), ..Limits::default() };
        let Ok(output) = process::run(command.arg("--version"), None, limits, |_| ()) else { continue };
        gits.push((git, version_in(&String::from_utf8_lossy(&output.stdout))));
    }
    gits
}

/// Returns `(major, minor)` of what `git --version` says.
fn version_in(text: &str) -> (u32, u32) {
    let version = text.split_whitespace().nth(2).unwrap_or_default();
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

impl Repo {
    /// Returns a `git` that works on this repository, whatever the current folder is, and runs nothing
    /// that the repository names.
    pub fn git(&self) -> Command {
        let mut git = self.git_here(false);
        self.keep_local(&mut git);
        git
    }

    pub(super) fn git_here(&self, with_hooks: bool) -> Command {
        let mut git = clean_git();
        // Not as the folder of the process: that would have to be forked, which costs more than to spawn.
        git.arg("-C").arg(self.work_dir().unwrap_or(&self.git_dir));
        git.arg("--git-dir").arg(&self.git_dir);
        if let Some(dir) = self.work_dir() {
            git.arg("--work-tree").arg(dir);
        }
        self.harden(&mut git, with_hooks);
        git
    }

    /// Runs `git` with `args` as if the user had typed it: with the hooks of the repository.
    ///
    /// # Errors
    ///
    /// [`Error::Git`] if it fails.
    pub fn git_for_user(&self, args: &[&str]) -> Result<(), Error> {
        output(&mut self.git_here(true), args).map(drop)
    }

    /// Runs `git` with `args`, which check files out: through the user's filters, and through none that only the
    /// repository names.
    ///
    /// # Errors
    ///
    /// [`Error::Git`] if it fails.
    pub fn git_unfiltered(&self, args: &[&str]) -> Result<(), Error> {
        let mut git = self.git();
        for filter in self.local_filters() {
            git.args(["-c", &filter]);
        }
        output(&mut git, args).map(drop)
    }

    /// Runs `git` with `args` and returns its output.
    ///
    /// # Errors
    ///
    /// [`Error::Git`] if it fails, with the last line that it said.
    pub fn git_output(&self, args: &[&str]) -> Result<Vec<u8>, Error> {
        output(&mut self.git(), args)
    }

    /// Runs `git` with `args` and returns its output as text, without the last line feed.
    ///
    /// # Errors
    ///
    /// [`Error::Git`] if it fails.
    pub fn git_text(&self, args: &[&str]) -> Result<String, Error> {
        let output = self.git_output(args)?;
        Ok(String::from_utf8_lossy(&output).trim_end_matches('\n').to_owned())
    }
}

/// Runs `git` with `args` as well, and returns its output.
pub(super) fn output(git: &mut Command, args: &[&str]) -> Result<Vec<u8>, Error> {
    let output = process::run(git.args(args), None, Limits::default(), |_| ())?;
    if output.status.success() { Ok(output.stdout) } else { Err(failed(args, &output.stderr)) }
}

/// Returns the lock that git could not take, if what it said names one and that is there.
fn lock_in(message: &str) -> Option<PathBuf> {
    let quoted = message.split_once("Unable to create '").and_then(|(_, rest)| rest.split_once(".lock'"));
    let of_config = || message.split_once("could not lock config file ")?.1.split_once(": File exists");
    let (path, _) = quoted.or_else(of_config)?;
    let path = PathBuf::from(format!("{path}.lock"));
    (path.is_absolute() && path.symlink_metadata().is_ok()).then_some(path)
}

/// How many of git's complaints are repeated.
const MAX_ERRORS: usize = 3;

pub(super) fn failed(args: &[&str], stderr: &[u8]) -> Error {
    let command = args.iter().take(2).copied().collect::<Vec<_>>().join(" ");
    let message = reason(&String::from_utf8_lossy(stderr));
    match lock_in(&message) {
        Some(path) => Error::Locked { command, path },
        None => Error::Git { command, message },
    }
}

/// Returns what says why git failed: its last word, and what it complained about before, since that
/// word may be no more than that it gave up.
pub(super) fn reason(stderr: &str) -> String {
    let is_error = |line: &&str| line.starts_with("error: ");
    let Some(last) = stderr.lines().rfind(|line| line.starts_with("fatal: ") || is_error(line)) else {
        let last = stderr.lines().rfind(|line| !line.trim().is_empty());
        return crate::domain::text::one_line(last.unwrap_or("no reason given"));
    };
    let mut said: Vec<&str> = Vec::new();
    if !is_error(&last) {
        said.extend(stderr.lines().filter(is_error).take(MAX_ERRORS));
    }
    said.push(last);
    said.into_iter().map(crate::domain::text::one_line).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_one_if_it_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.lock");
        let (index, config) = (path.display(), path.with_extension(""));
        let quoted = format!("fatal: cannot lock ref 'HEAD': Unable to create '{index}': File exists.");
        let of_config = format!("error: could not lock config file {}: File exists", config.display());
        for message in [&quoted, &of_config] {
            assert_eq!(lock_in(message), None, "git may have let go of it: {message}");
        }
        std::fs::File::create(&path).unwrap();
        for message in [&quoted, &of_config] {
            assert_eq!(lock_in(message).as_ref(), Some(&path), "{message}");
        }
        assert_eq!(lock_in("fatal: Unable to create 'index.lock': File exists."), None);
        assert_eq!(lock_in("fatal: something else"), None);
    }

    #[test]
    fn what_went_wrong_is_told_with_the_last_word() {
        for (stderr, told) in [
            ("", "no reason given"),
            ("hm\n\n", "hm"),
            ("warning: x\nfatal: no such ref\nmore\n", "fatal: no such ref"),
            ("error: one\nerror: two\nhint: try\n", "error: two"),
            ("error: 'a/' is none\nfatal: gave up\n", "error: 'a/' is none; fatal: gave up"),
            (
                "error: 1\nerror: 2\nerror: 3\nerror: 4\nfatal: \u{1b}[31mover\n",
                "error: 1; error: 2; error: 3; fatal: over",
            ),
        ] {
            assert_eq!(reason(stderr), told);
        }
    }
}
