//! How a report leaves: as a ref of its own at the remote, or as a line of a file.

use std::path::{Path, PathBuf};

use super::facts::Facts;
use super::{Delivered, Error, Reported};
use crate::domain::ci::JobResult;
use crate::domain::event::{Actor, ActorKind, Body, Cause, CiReport, Event};
use crate::domain::sentence::sentence;
use crate::platform::fs::{self, Bounded};
use crate::platform::git::{RefPush, Repo, Transport, TransportError};
use crate::platform::{clock, fail};
use crate::service::settings::Settings;
use crate::store::content::{Content, Line};
use crate::store::{refs, stream};

/// The first line of a file of reports; the lines after it are events.
const FILE_HEADER: &str = r#"{"format":1,"kind":"godzilla-ci-report"}"#;

/// More reports than any run has jobs.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Where a report shall go.
pub(super) enum Way {
    Remote(String),
    File(PathBuf),
}

impl Way {
    /// Returns where a report goes: to the file or the remote that was asked for, else to the
    /// upstream of the branch, else to `origin`, else to the only remote.
    pub(super) fn find(
        repo: &Repo,
        facts: &Facts,
        output: Option<PathBuf>,
        remote: Option<&str>,
    ) -> Result<Self, Error> {
        if let Some(path) = output.filter(|path| !path.as_os_str().is_empty()) {
            return Ok(Self::File(path));
        }
        if let Some(remote) = remote.map(str::trim).filter(|remote| !remote.is_empty()) {
            return Ok(Self::Remote(remote.to_owned()));
        }
        let upstream =
            facts.branch.as_ref().and_then(|branch| repo.config_all("branch", branch, "remote").pop());
        if let Some(remote) = upstream.filter(|remote| !remote.is_empty() && remote != ".") {
            return Ok(Self::Remote(remote));
        }
        let mut remotes: Vec<String> = repo.remotes().into_iter().map(|remote| remote.name).collect();
        if remotes.iter().any(|name| name == "origin") {
            return Ok(Self::Remote("origin".to_owned()));
        }
        match remotes.pop() {
            Some(only) if remotes.is_empty() => Ok(Self::Remote(only)),
            last => Err(Error::NoRemote { remotes: remotes.into_iter().chain(last).collect() }),
        }
    }
}

/// Makes the event and sends it on its way.
pub(super) fn deliver(
    repo: &Repo,
    settings: &Settings,
    facts: Facts,
    result: JobResult,
    way: Way,
) -> Result<Reported, Error> {
    let event = event(facts, result);
    let (delivered, remote) = match way {
        Way::Remote(remote) => {
            let delivered = push(repo, settings, &event, &remote)?;
            let took_it = matches!(delivered, Delivered::Pushed).then(|| without_password(&remote));
            (delivered, took_it)
        }
        Way::File(path) => {
            add_to_file(&path, &Line::new(event.clone()).text)?;
            (Delivered::File(path), None)
        }
    };
    let Body::CiReported(report) = event.body else { unreachable!("it was made above") };
    Ok(Reported {
        id: event.id,
        protocol: event.protocol,
        branch: report.branch,
        commit: report.commit,
        provider: report.provider,
        workflow: report.workflow,
        job: report.job,
        run: report.run,
        attempt: report.attempt,
        result: report.result,
        url: report.url,
        ref_name: remote.is_some().then(|| refs::drop_box(event.id)),
        delivered,
        remote,
    })
}

fn event(facts: Facts, result: JobResult) -> Event {
    let (id, now_ms) = (clock::new_id(), clock::now_ms());
    Event {
        id,
        // Nothing was read of the stream that it will be part of.
        clock: 0,
        at_ms: facts.detected.at_ms.unwrap_or(now_ms),
        op: Some(clock::new_id()),
        protocol: facts.protocol,
        root: None,
        actor: Actor { kind: ActorKind::Ci, name: facts.provider.clone(), host: None }.into(),
        step: None,
        attempt: None,
        from: None,
        cause: Some(Cause::ci(id)),
        critical: false,
        redacts: None,
        body: Body::CiReported(CiReport {
            provider: facts.provider.into(),
            workflow: facts.workflow.into(),
            job: facts.job.into(),
            // Without a number the later report counts.
            run: facts.run.unwrap_or(now_ms),
            attempt: facts.attempt,
            result,
            commit: facts.commit,
            tree: facts.tree,
            branch: facts.branch.map(Into::into),
            url: facts.url,
        }),
    }
}

/// Pushes the event as an orphan commit. Only objects are written here, and no ref names them.
fn push(repo: &Repo, settings: &Settings, event: &Event, remote: &str) -> Result<Delivered, Error> {
    let mut content = Content::default();
    content.add(Line::new(event.clone()));
    let who = repo.committer().unwrap_or_else(stream::carrier);
    let events = std::slice::from_ref(event);
    let op = event.op.unwrap_or(event.id);
    let commit = stream::write_commit(repo, &content, None, None, &who, &sentence(events, None), op, events)?;
    fail::point("report.commit");

    let name = refs::drop_box(event.id);
    let update = RefPush { name: name.clone(), new: Some(commit), expected: None };
    let how = Transport { may_ask: false, silence: settings.sync_timeout, total: None, durable: false };
    let pushed = repo.push(remote, &[update], how, |_| ());
    fail::point("report.pushed");
    let reason = match pushed {
        Ok(result) if result.accepted.contains(&name) => return Ok(Delivered::Pushed),
        Ok(result) => {
            let said = result.refused.into_iter().next().map(|refusal| refusal.reason);
            let message = said.unwrap_or_else(|| "it said nothing about the report".to_owned());
            TransportError::Refused { remote: remote.to_owned(), message }
        }
        Err(err) => err,
    };
    Ok(Delivered::NotShared { reason: anonymous(reason, remote) })
}

/// Takes the password of an address out of an error, which ends up in a public log.
fn anonymous(err: TransportError, remote: &str) -> TransportError {
    let clean = |text: String| text.replace(remote, &without_password(remote));
    match err {
        TransportError::Unreachable { remote, message } => {
            TransportError::Unreachable { remote: clean(remote), message: clean(message) }
        }
        TransportError::Auth { remote, message } => {
            TransportError::Auth { remote: clean(remote), message: clean(message) }
        }
        TransportError::Refused { remote, message } => {
            TransportError::Refused { remote: clean(remote), message: clean(message) }
        }
        err => err,
    }
}

/// Returns an address without the user and password in it.
fn without_password(remote: &str) -> String {
    let Some((scheme, rest)) = remote.split_once("://") else { return remote.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// Adds a line to a file of reports, which is made if there is none. The reports of several jobs
/// may share a file, but not write to it at one time.
fn add_to_file(path: &Path, line: &str) -> Result<(), Error> {
    let failed = |source| Error::Output { path: path.to_owned(), source };
    // A bare file name has an empty parent.
    let place = Path::new(".").join(path);
    let known = match fs::read_bounded(&place, MAX_FILE_BYTES).map_err(failed)? {
        Bounded::Missing => Vec::new(),
        Bounded::Bytes(bytes) => bytes,
        Bounded::TooLong | Bounded::NotAFile => return Err(Error::WouldReplace { path: path.to_owned() }),
    };
    let mut text = String::from_utf8(known).map_err(|_| Error::WouldReplace { path: path.to_owned() })?;
    if text.is_empty() {
        text.push_str(FILE_HEADER);
    } else if text.lines().next() != Some(FILE_HEADER) {
        return Err(Error::WouldReplace { path: path.to_owned() });
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(line);
    text.push('\n');
    fs::replace_file(&place, text.as_bytes(), true).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_stay_out_of_messages() {
        for (remote, shown) in [
            ("https://ci:secret@git.example/o/r.git", "https://git.example/o/r.git"),
            ("https://git.example/o/@r", "https://git.example/o/@r"),
            ("ssh://git@git.example", "ssh://git.example"),
            ("git@git.example:o/r", "git@git.example:o/r"),
            ("origin", "origin"),
        ] {
            assert_eq!(without_password(remote), shown);
        }
        let remote = "https://ci:secret@x/r";
        let err =
            TransportError::Auth { remote: remote.to_owned(), message: format!("no access to {remote}") };
        assert!(!anonymous(err, remote).to_string().contains("secret"));
    }

    #[test]
    fn a_file_keeps_the_reports_that_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/reports.jsonl");
        add_to_file(&path, "{\"a\":1}").unwrap();
        add_to_file(&path, "{\"a\":2}").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{FILE_HEADER}\n{{\"a\":1}}\n{{\"a\":2}}\n"));

        let other = dir.path().join("other");
        fs::replace_file(&other, b"mine\n", false).unwrap();
        for path in [&other, dir.path()] {
            assert!(matches!(add_to_file(path, "{}"), Err(Error::WouldReplace { .. })));
        }
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "mine\n");
    }
}
