//! Talking to remotes through `git`, with its own credentials, proxies and transports.

use std::collections::HashMap;
use std::process::Command;
use std::time::{Duration, Instant};

use super::hardened::{RECEIVE, UPLOAD};
use super::{Error, Repo};
use crate::domain::id::Oid;
use crate::domain::text::one_line;
use crate::platform::process::{self, Limits};
use crate::platform::{fail, simulated};

/// How a remote is talked to.
#[derive(Clone, Copy, Debug)]
pub struct Transport {
    /// Whether git may ask the user something.
    pub may_ask: bool,
    /// How long the remote may be silent.
    pub silence: Duration,
    /// How long it may take at all.
    pub total: Option<Duration>,
    /// Whether what is pushed is put on the disk here before it leaves. What only passes through,
    /// as a CI report does, need not be, and is sent without telling progress.
    pub durable: bool,
}

/// One ref to be moved, made or deleted on a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefPush {
    pub name: String,
    /// `None` deletes it.
    pub new: Option<Oid>,
    /// What the remote was seen to hold; `None` if it had no such ref. The push is refused if it
    /// holds anything else by now.
    pub expected: Option<Oid>,
}

/// What a remote said to each ref.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushResult {
    pub accepted: Vec<String>,
    pub refused: Vec<Refusal>,
}

/// A ref that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub name: String,
    pub reason: String,
    pub cause: Cause,
}

/// Why a ref was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is not what it was expected to be, or is being moved by somebody else. Trying again may help.
    Overtaken,
    /// Another ref of the same push was not taken.
    Together,
    /// The remote does not want it.
    Unwanted,
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    #[error("`{remote}` cannot be reached: {message}")]
    Unreachable { remote: String, message: String },
    #[error("`{remote}` wants to know who you are: {message}")]
    Auth { remote: String, message: String },
    #[error("`{remote}` refused: {message}")]
    Refused { remote: String, message: String },
    #[error("`{remote}` cannot move all refs or none")]
    NotAtomic { remote: String },
    /// A bug of ours, caught before it left the machine.
    #[error("`{name}` would not move forward")]
    NotForward { name: String },
    #[error(transparent)]
    Git(#[from] Error),
}

/// More refs than this go in several pushes, for the sake of the argument list.
const MAX_REFS_A_PUSH: usize = 4000;

impl Repo {
    /// Moves refs of `remote` forward, each only if it still is what was expected.
    ///
    /// An update must contain what it replaces: with an exact expected
    /// value git would push a non-fast-forward without `+`. What it names is on the disk before it
    /// leaves.
    ///
    /// # Errors
    ///
    /// [`TransportError`] if the remote said nothing about any ref. A ref that it refused is no
    /// error, see [`PushResult::refused`].
    pub fn push(
        &self,
        remote: &str,
        updates: &[RefPush],
        how: Transport,
        mut on_progress: impl FnMut(&str),
    ) -> Result<PushResult, TransportError> {
        for update in updates {
            if let (Some(new), Some(expected)) = (update.new, update.expected)
                && !self.is_ancestor(expected, new)
            {
                return Err(TransportError::NotForward { name: update.name.clone() });
            }
        }
        self.send(remote, updates, how, &mut on_progress)
    }

    /// Puts commits without a history in the place of refs of `remote`, each only if it still is what was
    /// expected. The only place that pushes by force: what a remote held of a text that was taken out goes.
    ///
    /// # Errors
    ///
    /// As [`Self::push`], and if a commit has a history.
    pub fn replace(
        &self,
        remote: &str,
        updates: &[RefPush],
        how: Transport,
    ) -> Result<PushResult, TransportError> {
        for update in updates {
            let has_history = |oid| self.commit(oid).is_ok_and(|commit| !commit.parents.is_empty());
            if update.new.is_none_or(has_history) || update.expected.is_none() {
                return Err(TransportError::NotForward { name: update.name.clone() });
            }
        }
        self.send(remote, updates, how, &mut |_| ())
    }

    fn send(
        &self,
        remote: &str,
        updates: &[RefPush],
        how: Transport,
        on_progress: &mut dyn FnMut(&str),
    ) -> Result<PushResult, TransportError> {
        if let Some(machine) = simulated::machine() {
            return machine.push(self, remote, updates);
        }
        let mut result = PushResult::default();
        let began = Instant::now();
        for batch in updates.chunks(MAX_REFS_A_PUSH) {
            let mut git = self.push_git(remote, how);
            for update in batch {
                let expected = update.expected.map(|oid| oid.to_string()).unwrap_or_default();
                git.arg(format!("--force-with-lease={}:{expected}", update.name));
            }
            git.arg("--").arg(remote);
            for update in batch {
                if let Some(new) = update.new.filter(|_| how.durable) {
                    self.make_durable(new, update.expected);
                }
                let new = update.new.map(|oid| oid.to_string()).unwrap_or_default();
                git.arg(format!("{new}:{}", update.name));
            }
            fail::point("push.send");
            let output = process::run(&mut git, None, how.limits_since(began), |line| on_progress(line))
                .map_err(|err| silent(remote, err))?;
            fail::point("push.sent");
            let told = parse_porcelain(&output.stdout, &mut result);
            if !output.status.success() && !told {
                return Err(classify(remote, &output.stderr));
            }
        }
        Ok(result)
    }

    /// Returns a `git push` that does nothing of what the user may have set for pushes of branches.
    fn push_git(&self, remote: &str, how: Transport) -> Command {
        let mut git = self.transport_git(how);
        git.args(["-c", "push.pushOption=", "-c", "push.negotiate=false"]);
        if self.config_bool(&format!("remote.{remote}.mirror")) == Some(true) {
            // A mirror takes no refspecs.
            git.args(["-c", &format!("remote.{remote}.mirror=false")]);
        }
        git.args(["push", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no"]);
        git.arg("--no-signed").args(self.server_option(remote, RECEIVE));
        // Telling progress takes git a twentieth longer, and nobody watches a report.
        git.args(how.durable.then_some("--progress"));
        git
    }

    /// Fetches `refspecs` of `remote`; with `prune`, tracking refs whose source is gone go too. What a
    /// partial clone leaves out of the commits that they name is fetched as well.
    ///
    /// # Errors
    ///
    /// [`TransportError`] if the remote cannot be reached or refuses.
    pub fn fetch(
        &self,
        remote: &str,
        refspecs: &[String],
        prune: bool,
        how: Transport,
        mut on_progress: impl FnMut(&str),
    ) -> Result<(), TransportError> {
        if let Some(machine) = simulated::machine() {
            return machine.fetch(self, remote, refspecs, prune);
        }
        let mut git = self.transport_git(how);
        git.args([
            "fetch",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--recurse-submodules=no",
        ]);
        git.arg("--progress").args(self.upload_option(remote));
        if prune {
            git.arg("--prune");
        }
        git.arg("--").arg(remote).args(refspecs);
        fail::point("fetch.send");
        let output = process::run(&mut git, None, how.limits(), &mut on_progress)
            .map_err(|err| silent(remote, err))?;
        fail::point("fetch.done");
        if !output.status.success() {
            return Err(classify(remote, &output.stderr));
        }
        self.fetch_left_out(remote, refspecs, how, on_progress)
    }

    /// Whether `remote` holds a branch; one that does not answer holds none.
    pub fn remote_has_branches(&self, remote: &str, how: Transport) -> bool {
        if let Some(machine) = simulated::machine() {
            return machine.has_branches(self, remote);
        }
        let mut git = self.transport_git(how);
        git.args(["ls-remote", "--heads"]).args(self.upload_option(remote)).args(["--", remote]);
        process::run(&mut git, None, how.limits(), |_| ())
            .is_ok_and(|output| output.status.success() && !output.stdout.is_empty())
    }

    pub(super) fn upload_option(&self, remote: &str) -> Option<String> {
        self.server_option(remote, UPLOAD)
    }

    pub(super) fn transport_git(&self, how: Transport) -> Command {
        let mut git = self.git_here(false);
        // Fetching and pushing reads no file of the work tree.
        let seconds = how.silence.as_secs().max(1).to_string();
        git.args(["-c", "http.lowSpeedLimit=1", "-c"]).arg(format!("http.lowSpeedTime={seconds}"));
        if !how.may_ask {
            self.ask_nobody(&mut git, &seconds);
        }
        git
    }

    /// Puts a commit of ours and what its tree holds on the disk, but for what the tree of `there` has
    /// in the same place: that came from the remote.
    pub(super) fn make_durable(&self, commit: Oid, there: Option<Oid>) {
        self.fsync_loose(commit);
        let Ok(tree) = self.tree_of(commit) else { return };
        let there = there.and_then(|commit| self.tree_of(commit).ok());
        let mut trees = vec![(tree, there)];
        while let Some((tree, there)) = trees.pop() {
            if Some(tree) == there {
                continue;
            }
            self.fsync_loose(tree);
            let there: HashMap<Vec<u8>, Oid> = there
                .and_then(|tree| self.tree(tree).ok())
                .into_iter()
                .flatten()
                .map(|entry| (entry.name, entry.oid))
                .collect();
            for entry in self.tree(tree).unwrap_or_default() {
                let before = there.get(&entry.name).copied();
                if entry.is_tree() {
                    trees.push((entry.oid, before));
                } else if before != Some(entry.oid) {
                    self.fsync_loose(entry.oid);
                }
            }
        }
    }
}

impl Transport {
    pub(super) fn limits(self) -> Limits {
        Limits { silence: Some(self.silence), total: self.total, isolated: !self.may_ask }
    }

    /// As [`Self::limits`], where a part of the time is over.
    fn limits_since(self, began: Instant) -> Limits {
        let total = self.total.map(|total| total.saturating_sub(began.elapsed()));
        Limits { total, ..self.limits() }
    }
}

/// Reads `git push --porcelain`; returns whether it spoke of any ref.
fn parse_porcelain(stdout: &[u8], result: &mut PushResult) -> bool {
    let text = String::from_utf8_lossy(stdout);
    let mut told = false;
    for line in text.lines() {
        let mut parts = line.split('\t');
        let (Some(flag), Some(refs), Some(summary)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let name = refs.rsplit_once(':').map_or(refs, |(_, to)| to).to_owned();
        told = true;
        if flag == "!" {
            result.refused.push(Refusal { name, reason: one_line(summary), cause: Cause::of(summary) });
        } else {
            result.accepted.push(name);
        }
    }
    told
}

impl Cause {
    /// Judges what `git push --porcelain` says of a ref. What git itself rejects was overtaken. What the
    /// remote rejects was as expected when this push began, so it does not want it, but for the words
    /// with which git's own server tells that it lost a race.
    pub(super) fn of(summary: &str) -> Self {
        const RACES: &[&str] =
            &["failed to update ref", "cannot lock ref", "incorrect old value", "already exists"];
        if summary.contains("atomic push fail") {
            Self::Together
        } else if summary.starts_with("[remote rejected]") && !RACES.iter().any(|race| summary.contains(race))
        {
            Self::Unwanted
        } else {
            Self::Overtaken
        }
    }
}

pub(super) fn silent(remote: &str, err: process::Error) -> TransportError {
    match err {
        process::Error::Silent { limit, .. } | process::Error::Late { limit, .. } => {
            TransportError::Unreachable {
                remote: remote.to_owned(),
                message: format!("no answer for {} s", limit.as_secs().max(1)),
            }
        }
        err => TransportError::Git(err.into()),
    }
}

pub(super) fn classify(remote: &str, stderr: &[u8]) -> TransportError {
    const AUTH: &[&str] = &[
        "Authentication failed",
        "could not read Username",
        "could not read Password",
        "Permission denied (",
        "terminal prompts disabled",
        "unable to get password from user",
        "Host key verification failed",
        "error: 403",
        "error: 401",
    ];
    const UNREACHABLE: &[&str] = &[
        "Could not resolve host",
        "unable to access",
        "unable to connect",
        "Connection refused",
        "Connection timed out",
        "does not appear to be a git repository",
        "does not exist",
        "Could not read from remote repository",
        "the remote end hung up",
        "not found",
    ];
    let text = String::from_utf8_lossy(stderr);
    let message = super::run::reason(&text);
    let message = message.trim_start_matches("fatal: ").to_owned();
    let remote = one_line(remote);
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(AUTH) {
        TransportError::Auth { remote, message }
    } else if says(UNREACHABLE) {
        TransportError::Unreachable { remote, message }
    } else {
        TransportError::Refused { remote, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn porcelain_output_is_read() {
        let text = "To ../srv.git\n*\tabc:refs/godzilla/a\t[new reference]\n!\tabc:refs/godzilla/b\t[rejected] (stale info)\n-\t:refs/godzilla/c\t[deleted]\nDone\n";
        let mut result = PushResult::default();
        assert!(parse_porcelain(text.as_bytes(), &mut result));
        assert_eq!(result.accepted, ["refs/godzilla/a", "refs/godzilla/c"]);
        let [refused] = &result.refused[..] else { panic!("{result:?}") };
        assert_eq!((&*refused.name, &*refused.reason), ("refs/godzilla/b", "[rejected] (stale info)"));
    }

    #[test]
    fn a_lost_race_is_told_from_a_remote_that_does_not_want_it() {
        for (summary, cause) in [
            ("[rejected] (stale info)", Cause::Overtaken),
            ("[rejected] (fetch first)", Cause::Overtaken),
            ("[remote rejected] (failed to update ref)", Cause::Overtaken),
            (
                "[remote rejected] (cannot lock ref 'refs/godzilla/a': is at 1 but expected 2)",
                Cause::Overtaken,
            ),
            ("[remote rejected] (hook declined)", Cause::Unwanted),
            ("[remote rejected] (deny updating a hidden ref)", Cause::Unwanted),
            ("[remote rejected] (prohibited by Gerrit: not permitted)", Cause::Unwanted),
            ("[rejected] (atomic push failed)", Cause::Together),
            ("[remote rejected] (atomic push failure)", Cause::Together),
        ] {
            assert_eq!(Cause::of(summary), cause, "{summary}");
        }
    }
}
