//! Whether git comes to us when it runs a hook.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::run::{clean_git, output};
use super::{Error, Repo};
use crate::platform::process::{self, Limits};
use crate::platform::supervise::{self, Bounds, End};
use crate::platform::{clock, env, fs};

/// What a hook of ours is asked with; it answers and does nothing else, and neither does our script run
/// the hook that it chains.
const PROBE: &str = "GODZILLA_PROBE";

/// The file to answer to as well: who calls us may hide what we say.
const PROBE_FILE: &str = "GODZILLA_PROBE_FILE";

/// What a hook of somebody else may use of a trial.
const BOUNDS: Bounds = Bounds { time: Duration::from_mins(1), output: 4096 };

/// What lefthook merges with the file of the project.
const PERSONAL: &str = "lefthook-local.yml";

/// The branch of a trial: named like one of ours, so that a hook which looks at that goes on.
const BRANCH: &str = "0001-probe";

/// Returns what a hook of ours says, and says it to the file that is named for it; `None` if nobody
/// asks.
pub fn answer_probe(event: &str) -> Option<String> {
    let said = answer(event, &env::var(PROBE)?);
    if let Some(file) = env::var_os(PROBE_FILE) {
        // Never over a file that is there. Without it, what is said has to do.
        fs::write_new_file(Path::new(&file), said.as_bytes(), false).ok();
    }
    Some(said)
}

fn answer(event: &str, token: &str) -> String {
    format!("{event} answers {token}")
}

/// A repository that is thrown away, for hooks of others to run in. It has the files of the newest
/// commit, no remote, and no configuration but the user's own.
pub struct Scratch {
    dir: tempfile::TempDir,
    /// Where git looks for hooks in the repository that this one stands for.
    hooks: PathBuf,
    head: String,
}

/// How a hook was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    Reached,
    /// It ended without coming to us; how, and what it said last.
    Missed(String),
}

impl Repo {
    /// Has git run the hook `event` in the folder of a worktree and returns whether it came to this
    /// program. To be asked only where the hook is a file of ours, or there is none, since git runs whatever
    /// is there. What is configured and not ours is left out.
    ///
    /// # Errors
    ///
    /// [`Error`] if git cannot be run.
    pub fn hook_answers(&self, worktree: &Path, event: &str) -> Result<bool, Error> {
        let token = clock::new_id().to_string();
        let mut git = clean_git();
        git.arg("-C").arg(worktree);
        for hook in self.configured_hooks().iter().filter(|hook| !hook.is_ours()) {
            git.args(["-c", &format!("hook.{}.enabled=false", hook.name)]);
        }
        self.harden(&mut git, true);
        git.args(["hook", "run", event]).env(PROBE, &token);
        let output = process::run(&mut git, None, Limits::default(), |_| ())?;
        Ok(String::from_utf8_lossy(&output.stderr).contains(&answer(event, &token)))
    }

    /// Returns the folder where git looks for hooks, `core.hooksPath` included.
    ///
    /// # Errors
    ///
    /// [`Error`] if git cannot be run.
    pub fn hooks_path(&self) -> Result<PathBuf, Error> {
        let args = ["rev-parse", "--path-format=absolute", "--git-path", "hooks"];
        let shown = output(&mut self.git_here(true), &args)?;
        Ok(PathBuf::from(String::from_utf8_lossy(&shown).trim_end_matches('\n')))
    }

    /// Makes a repository for trials of this one's hooks. Nothing of this one changes.
    ///
    /// # Errors
    ///
    /// [`Error`] if the files of the newest commit cannot be checked out.
    pub fn scratch(&self) -> Result<Scratch, Error> {
        let dir = tempfile::Builder::new().prefix("git-godzilla-probe-").tempdir();
        let dir = dir.map_err(Error::io("make a folder for a trial"))?;
        let head = self.head()?.commit();
        let mut scratch = Scratch { dir, hooks: self.hooks_path()?, head: String::new() };
        let format = match head {
            Some(oid) if oid.as_bytes().len() > 20 => "--object-format=sha256",
            _ => "--object-format=sha1",
        };
        let branch = format!("--initial-branch={BRANCH}");
        output(&mut scratch.git(true), &["init", "--quiet", "--template=", &branch, format])?;
        let info = scratch.dir.path().join(".git/objects/info");
        let objects = self.common_dir.join("objects").display().to_string();
        std::fs::create_dir_all(&info)
            .and_then(|()| fs::write_new_file(&info.join("alternates"), objects.as_bytes(), false))
            .map_err(Error::io("lend objects to a trial"))?;
        if let Some(head) = head {
            scratch.head = head.to_string();
            let mut git = scratch.git(true);
            // What a server keeps is not asked for.
            git.env("GIT_LFS_SKIP_SMUDGE", "1");
            output(&mut git, &["reset", "--quiet", "--hard", &scratch.head])?;
        }
        // A personal file of lefthook, which no commit holds.
        if let Some(Ok(text)) = self.work_dir().map(|root| std::fs::read(root.join(PERSONAL))) {
            let there = scratch.dir.path().join(PERSONAL);
            fs::write_new_file(&there, &text, false).or_else(|err| match err.kind() {
                std::io::ErrorKind::AlreadyExists => Ok(()),
                _ => Err(Error::io("copy a file for a trial")(err)),
            })?;
        }
        Ok(scratch)
    }
}

impl Scratch {
    /// Has git run the hook `event`, **which runs whatever somebody put there**, and returns whether it
    /// came to us, and how long it took. It gets what git would give it, but nothing on standard input.
    ///
    /// # Errors
    ///
    /// [`Error`] if git cannot be started, or there is no room for the answer.
    pub fn try_hook(&self, event: &str) -> Result<(Trial, Duration), Error> {
        let token = clock::new_id().to_string();
        let git_dir = self.dir.path().join(".git");
        let answered = git_dir.join(format!("answer-{event}"));
        let message = git_dir.join("COMMIT_EDITMSG").display().to_string();
        fs::replace_file(Path::new(&message), b"a commit that nobody keeps\n", false)
            .map_err(Error::io("write a message"))?;
        let here = self.dir.path().display().to_string();
        let args: Vec<&str> = match event {
            "prepare-commit-msg" => vec![&message, "message"],
            "commit-msg" => vec![&message],
            "post-rewrite" => vec!["amend"],
            "pre-push" => vec!["origin", &here],
            "post-merge" => vec!["0"],
            "post-checkout" => vec![&self.head, &self.head, "1"],
            _ => vec![],
        };
        let mut git = self.git(false);
        git.args(["hook", "run", event, "--"]).args(args);
        git.env(PROBE, &token).env(PROBE_FILE, &answered);
        let began = Instant::now();
        let ended =
            supervise::run(git, BOUNDS, |_| ()).map_err(Error::io(format!("have git run {event}")))?;
        let took = began.elapsed();
        let said = fs::read_if_there(&answered).map_err(Error::io("read the answer"))?;
        if said.is_some_and(|said| said == answer(event, &token).as_bytes()) {
            return Ok((Trial::Reached, took));
        }
        let how = match ended.end {
            End::Exit(0) => "it ended well".to_owned(),
            End::Exit(code) => format!("it ended with {code}"),
            End::TimedOut | End::Silent => format!("it still ran after {} s", BOUNDS.time.as_secs()),
            End::Interrupted => "it was interrupted".to_owned(),
        };
        let text = String::from_utf8_lossy(&ended.tail);
        let last = text.lines().map(crate::domain::text::one_line).rfind(|line| !line.is_empty());
        let how = match last {
            Some(last) => format!("{how} and said `{last}`"),
            None => how,
        };
        Ok((Trial::Missed(how), took))
    }

    fn git(&self, without_hooks: bool) -> Command {
        let mut git = clean_git();
        git.arg("-C").arg(self.dir.path()).env("GIT_TERMINAL_PROMPT", "0");
        let hooks = if without_hooks { Path::new("/dev/null") } else { &self.hooks };
        let mut setting = OsString::from("core.hooksPath=");
        setting.push(hooks);
        git.arg("-c").arg(setting);
        git
    }
}
