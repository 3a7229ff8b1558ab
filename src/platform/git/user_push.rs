//! A push that a person asked for, with the hooks of the repository, which may take refs of ours along.

use std::process::Command;
use std::time::Duration;

use super::Repo;
use super::hardened::RECEIVE;
use super::transport::{Cause, RefPush, Refusal, TransportError, classify, silent};
use crate::domain::text::one_line;
use crate::platform::fail;
use crate::platform::process::{self, Limits};

/// What is pushed, where to and how.
#[derive(Clone, Copy, Debug)]
pub struct UserPush<'a> {
    /// `None` for the one that git chooses.
    pub remote: Option<&'a str>,
    /// As a person types them; none for those that git chooses.
    pub refspecs: &'a [String],
    /// Options of `git push`, which concern the refspecs of the person alone.
    pub options: &'a [String],
    /// What goes along, each ref only if it still is what was expected. Needs a remote and refspecs.
    pub state: &'a [RefPush],
    /// Whether all refs move or none.
    pub atomic: bool,
    /// How long the remote may be silent; `None` where hooks may take their time.
    pub silence: Option<Duration>,
}

/// What became of one of the person's refs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub from: String,
    /// The ref at the remote.
    pub name: String,
    /// As in `git push --porcelain`: a space, `+`, `-`, `*`, `=` or `!`.
    pub flag: char,
    pub summary: String,
}

/// What became of a push.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserPushed {
    pub refs: Vec<Moved>,
    /// Refs of ours that the remote took.
    pub accepted: Vec<String>,
    /// Refs of ours that it did not take.
    pub refused: Vec<Refusal>,
    /// What hooks and git said besides on standard output.
    pub said: Vec<String>,
}

impl UserPushed {
    /// Whether each of the person's refs is where it should be.
    pub fn is_done(&self) -> bool {
        self.refs.iter().all(Moved::is_done)
    }
}

impl Moved {
    /// Whether the ref is where it should be.
    pub fn is_done(&self) -> bool {
        self.flag != '!'
    }
}

impl Repo {
    /// Pushes as a person asked for, in one connection with what goes along; `on_stderr` sees what is
    /// said meanwhile. Git may ask that person something.
    ///
    /// # Errors
    ///
    /// [`TransportError`] if git spoke of no ref: [`TransportError::NotAtomic`] if the remote cannot
    /// move all refs or none, and nothing was moved.
    pub fn push_for_user(
        &self,
        what: &UserPush<'_>,
        on_stderr: impl FnMut(&str),
    ) -> Result<UserPushed, TransportError> {
        for update in what.state {
            if let (Some(new), Some(expected)) = (update.new, update.expected)
                && !self.is_ancestor(expected, new)
            {
                return Err(TransportError::NotForward { name: update.name.clone() });
            }
        }
        let limits = Limits { silence: what.silence, ..Limits::default() };
        let remote = what.remote.unwrap_or("the remote");
        let mut git = self.user_push_git(what);
        fail::point("push.send");
        let output = process::run(&mut git, None, limits, on_stderr).map_err(|err| silent(remote, err))?;
        fail::point("push.sent");
        let pushed = read(&output.stdout, what.state);
        let told = !(pushed.refs.is_empty() && pushed.accepted.is_empty() && pushed.refused.is_empty());
        if output.status.success() || told {
            return Ok(pushed);
        }
        if what.atomic && String::from_utf8_lossy(&output.stderr).contains("does not support --atomic") {
            return Err(TransportError::NotAtomic { remote: one_line(remote) });
        }
        Err(classify(remote, &output.stderr))
    }

    fn user_push_git(&self, what: &UserPush<'_>) -> Command {
        let mut git = self.git_here(true);
        // Our own hook says what must not leave. It sends nothing itself: either the state goes along
        // here, or whoever called this sends it afterwards.
        git.env_remove("GODZILLA_HOOK_DEPTH").env("GODZILLA_SYNC_AUTO", "false");
        if let Some(silence) = what.silence {
            let seconds = silence.as_secs().max(1);
            git.args(["-c", "http.lowSpeedLimit=1", "-c"]).arg(format!("http.lowSpeedTime={seconds}"));
        }
        // Signing runs what may be configured here, and so does a push in a submodule.
        git.args(["push", "--porcelain", "--no-signed"]);
        let recurses = |key: &str| {
            self.config(key).is_some_and(|value| !matches!(value.as_str(), "no" | "false" | "off" | "0"))
        };
        if recurses("push.recurseSubmodules") || recurses("submodule.recurse") {
            git.arg("--recurse-submodules=check");
        }
        git.args(what.atomic.then_some("--atomic"));
        git.args(what.remote.and_then(|remote| self.server_option(remote, RECEIVE)));
        for update in what.state {
            if let Some(new) = update.new {
                self.make_durable(new, update.expected);
            }
            let expected = update.expected.map(|oid| oid.to_string()).unwrap_or_default();
            git.arg(format!("--force-with-lease={}:{expected}", update.name));
        }
        git.args(what.options).arg("--").args(what.remote).args(what.refspecs);
        for update in what.state {
            let new = update.new.map(|oid| oid.to_string()).unwrap_or_default();
            git.arg(format!("{new}:{}", update.name));
        }
        git
    }
}

/// Reads `git push --porcelain`, and tells refs of ours from those of the person.
fn read(stdout: &[u8], state: &[RefPush]) -> UserPushed {
    let mut pushed = UserPushed::default();
    for line in String::from_utf8_lossy(stdout).lines() {
        let mut parts = line.split('\t');
        let (Some(flag), Some(refs), Some(summary)) = (parts.next(), parts.next(), parts.next()) else {
            if line != "Done" && !line.starts_with("To ") {
                pushed.said.push(one_line(line));
            }
            continue;
        };
        let (from, name) = refs.rsplit_once(':').unwrap_or((refs, refs));
        let (from, name, summary) = (one_line(from), name.to_owned(), one_line(summary));
        if state.iter().any(|update| update.name == name) {
            if flag == "!" {
                pushed.refused.push(Refusal { name, cause: Cause::of(&summary), reason: summary });
            } else {
                pushed.accepted.push(name);
            }
        } else {
            pushed.refs.push(Moved { from, name, flag: flag.chars().next().unwrap_or(' '), summary });
        }
    }
    pushed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_of_ours_are_told_from_those_of_the_person() {
        let text = "To ../srv.git\n \tHEAD:refs/heads/a\t1..2\n*\t1:refs/godzilla/project\t[new reference]\n\
                    !\t2:refs/godzilla/protocols/0001-a\t[rejected] (stale info)\na hook spoke\nDone\n";
        let update = |name: &str| RefPush { name: name.to_owned(), new: None, expected: None };
        let state = [update("refs/godzilla/project"), update("refs/godzilla/protocols/0001-a")];
        let pushed = read(text.as_bytes(), &state);
        assert_eq!(pushed.said, ["a hook spoke"]);
        let [moved] = &pushed.refs[..] else { panic!("{:?}", pushed.refs) };
        assert_eq!((&*moved.from, &*moved.name, moved.flag), ("HEAD", "refs/heads/a", ' '));
        assert_eq!(pushed.accepted, ["refs/godzilla/project"]);
        assert_eq!(pushed.refused[0].cause, Cause::Overtaken);
        // What a person pushes of ours by name is that person's.
        assert_eq!(read(text.as_bytes(), &[]).refs.len(), 3);
    }
}
