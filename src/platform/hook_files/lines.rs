//! What calls us from files of others: a line in a script of husky, and the personal file of lefthook.
//!
//! What is ours tells by itself that it is, and how the file was without it, so that it can be taken
//! out again whoever else has written to the file.

use std::fs;
use std::path::{Path, PathBuf};

use super::content::{self, Access, Content};
use super::{Change, EVENTS, Error, Report, What};
use crate::platform::fail;

/// The line of a script that holds nothing else.
const MADE: &str = "# Made by git-godzilla.\n";

/// What ends our line where the one above had no end.
const JOINED: &str = " # The line above had no end.";

/// What lefthook merges with the file of the project, in the order of its preference.
const LEFTHOOK_LOCAL: &str = "lefthook-local.yml";
const LEFTHOOK_FIRST: &str = "# Made by git-godzilla; `git godzilla hooks uninstall` removes it. Lines of your own belong below its end.\n";
const LEFTHOOK_LAST: &str = "# git-godzilla end\n";

/// Returns the line of shell that calls us from a hook of somebody else.
pub fn line_for(event: &str, way: &str) -> String {
    format!(
        "if command -v git-godzilla >/dev/null 2>&1; then git-godzilla hook {event} --via {way} -- \"$@\"; fi"
    )
}

/// Adds our line to the end of each script of `husky`, the folder with the scripts that it runs.
///
/// # Errors
///
/// [`Error`] if a script cannot be read or written; those before it have the line.
pub fn add_to_husky(husky: &Path) -> Result<Report, Error> {
    content::remove_drafts(husky)?;
    let mut report = Report::default();
    for event in EVENTS {
        let path = husky.join(event);
        let line = line_for(event, "husky");
        let is = match Content::read(&path)? {
            Some(is) if super::found::calls_us(&is) => continue,
            is => is,
        };
        let (text, access) = match is {
            None => ([MADE, &line, "\n"].concat().into_bytes(), Access::Read),
            Some(Content::File(mut text)) => {
                let is_joined = !text.is_empty() && !text.ends_with(b"\n");
                text.extend(if is_joined { "\n" } else { "" }.bytes());
                text.extend(line.bytes().chain(if is_joined { JOINED } else { "" }.bytes()).chain(*b"\n"));
                (text, access_of(&path)?)
            }
            Some(Content::Link(_)) => return Err(Error::NotAFile { path }),
        };
        Content::File(text).put(&path, &access)?;
        fail::point("hooks.line_added");
        report.changed.push(Change { event, what: What::LineAdded { path } });
    }
    Ok(report)
}

/// Takes our lines out of the scripts in `husky`.
///
/// # Errors
///
/// [`Error`] if a script cannot be read or written.
pub fn remove_from_husky(husky: &Path) -> Result<Report, Error> {
    content::remove_drafts(husky)?;
    let mut report = Report::default();
    for event in EVENTS {
        let path = husky.join(event);
        let Some(Content::File(text)) = Content::read(&path)? else { continue };
        let line = format!("{}\n", line_for(event, "husky"));
        let joined = format!("{}{JOINED}\n", line.trim_end());
        let rest = match text.strip_suffix(format!("\n{joined}").as_bytes()) {
            Some(above) => Some(above.to_vec()),
            None => cut_out(&text, joined.as_bytes()).or_else(|| cut_out(&text, line.as_bytes())),
        };
        let Some(rest) = rest else { continue };
        if rest == MADE.as_bytes() {
            content::remove(&path)?;
        } else {
            Content::File(rest).put(&path, &access_of(&path)?)?;
        }
        fail::point("hooks.line_removed");
        report.changed.push(Change { event, what: What::LineRemoved { path } });
    }
    Ok(report)
}

/// Whether one of the scripts in `husky` calls us.
pub fn husky_calls_us(husky: &Path) -> bool {
    let calls = |event: &str| matches!(Content::read(&husky.join(event)), Ok(Some(is)) if super::found::calls_us(&is));
    EVENTS.into_iter().any(calls)
}

/// Returns what the personal file of lefthook has to hold for us. For an event that it does not look
/// after, it would make a hook that stays for ever.
fn lefthook_jobs(events: &[&str]) -> String {
    let job = |event: &&str| {
        let args = match *event {
            "post-commit" => "",
            // One to three; what is not given would stay as `{2}`.
            "prepare-commit-msg" => " {0}",
            "post-checkout" => " \"{1}\" \"{2}\" \"{3}\"",
            "pre-push" => " \"{1}\" \"{2}\"",
            _ => " \"{1}\"",
        };
        let reads = matches!(*event, "pre-push" | "post-rewrite");
        let stdin = if reads { "      use_stdin: true\n" } else { "" };
        format!(
            "{event}:\n  commands:\n    git-godzilla:\n      run: command -v git-godzilla >/dev/null 2>&1 || exit 0; \
             git-godzilla hook {event} --via lefthook --{args}\n{stdin}"
        )
    };
    let jobs: String = events.iter().map(job).collect();
    [LEFTHOOK_FIRST, &jobs, LEFTHOOK_LAST].concat()
}

/// Returns the events whose hook in `dir` is lefthook's.
///
/// # Errors
///
/// [`Error`] if a hook cannot be read.
pub fn events_of_lefthook(dir: &Path) -> Result<Vec<&'static str>, Error> {
    let mut events = Vec::new();
    for event in EVENTS {
        let top = Content::read(&dir.join(event))?;
        if top.is_some_and(|top| super::found::manager_of(&top) == Some("lefthook")) {
            events.push(event);
        }
    }
    Ok(events)
}

/// Whether the personal file of lefthook in the work tree `root` calls us for `event`.
pub fn lefthook_calls_us(root: &Path, event: &str) -> bool {
    let text = fs::read_to_string(root.join(LEFTHOOK_LOCAL)).unwrap_or_default();
    text.contains(&format!("git-godzilla hook {event} "))
}

/// Writes the personal file of lefthook in the work tree `root`, with a job for each of `events`.
///
/// # Errors
///
/// [`Error::KeptTwice`] if there is one already; [`Error::Io`] if it cannot be written.
pub fn add_to_lefthook(root: &Path, events: &[&str]) -> Result<Report, Error> {
    let path = root.join(LEFTHOOK_LOCAL);
    let jobs = Content::File(lefthook_jobs(events).into_bytes());
    let what = match Content::read(&path)? {
        Some(is) if jobs.is_start_of(&is) => return Ok(Report::default()),
        Some(Content::File(text)) => {
            // Ours, of another version.
            let Some(rest) = rest_of_lefthook(&text) else { return Err(Error::KeptTwice { path }) };
            Content::File([lefthook_jobs(events).into_bytes(), rest].concat())
                .put(&path, &access_of(&path)?)?;
            What::LineAdded { path }
        }
        Some(Content::Link(_)) => return Err(Error::KeptTwice { path }),
        None => {
            jobs.put(&path, &Access::Read)?;
            What::LineAdded { path }
        }
    };
    fail::point("hooks.line_added");
    Ok(Report { changed: vec![Change { event: "all events", what }] })
}

/// Takes what is ours out of the personal file of lefthook in the work tree `root`.
///
/// # Errors
///
/// [`Error::Io`] if it cannot be read or written.
pub fn remove_from_lefthook(root: &Path) -> Result<Report, Error> {
    let path = root.join(LEFTHOOK_LOCAL);
    let Some(Content::File(text)) = Content::read(&path)? else { return Ok(Report::default()) };
    let Some(rest) = rest_of_lefthook(&text) else { return Ok(Report::default()) };
    if rest.is_empty() {
        content::remove(&path)?;
    } else {
        Content::File(rest).put(&path, &access_of(&path)?)?;
    }
    fail::point("hooks.line_removed");
    Ok(Report { changed: vec![Change { event: "all events", what: What::LineRemoved { path } }] })
}

/// Whether lefthook looks after the hooks of the work tree `root`.
pub fn has_lefthook(root: &Path) -> bool {
    let names = [
        "lefthook.yml",
        "lefthook.yaml",
        ".lefthook.yml",
        ".lefthook.yaml",
        "lefthook.toml",
        "lefthook.json",
    ];
    names.iter().any(|name| root.join(name).is_file())
}

/// Returns the folder of husky's scripts if `hooks` is the one that it has git call.
pub fn husky_of(hooks: &Path) -> Option<PathBuf> {
    let parent = hooks.parent()?;
    let is_husky = hooks.file_name()? == "_"
        && (parent.file_name()? == ".husky" || hooks.join("h").is_file() || hooks.join("husky.sh").is_file());
    is_husky.then(|| parent.to_owned())
}

/// What is in lefthook's file beside ours; `None` if ours is not there.
fn rest_of_lefthook(text: &[u8]) -> Option<Vec<u8>> {
    let below = text.strip_prefix(LEFTHOOK_FIRST.as_bytes())?;
    let last = LEFTHOOK_LAST.as_bytes();
    let end = below.windows(last.len()).position(|window| window == last)?;
    Some(below[end + last.len()..].to_vec())
}

fn cut_out(text: &[u8], part: &[u8]) -> Option<Vec<u8>> {
    let start = text.windows(part.len()).position(|window| window == part)?;
    Some([&text[..start], &text[start + part.len()..]].concat())
}

fn access_of(path: &Path) -> Result<Access, Error> {
    let metadata = fs::metadata(path).map_err(super::io_error("look at", path))?;
    Ok(Access::Exactly(metadata.permissions()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_and_go_byte_for_byte() {
        let dir = tempfile::tempdir().expect("a folder");
        for before in [None, Some(""), Some("npm test\n"), Some("#!/bin/sh\nnpm test"), Some("a\n\n\n")] {
            let path = dir.path().join("commit-msg");
            content::remove(&path).expect("nothing is there");
            if let Some(text) = before {
                Content::File(text.into()).put(&path, &Access::Run).expect("it is written");
            }
            let was = Content::read(&path).expect("it is read");
            assert_eq!(add_to_husky(dir.path()).expect("added").changed.len(), 7);
            assert_eq!(add_to_husky(dir.path()).expect("added"), Report::default());
            assert_eq!(remove_from_husky(dir.path()).expect("removed").changed.len(), 7);
            assert_eq!(Content::read(&path).expect("it is read"), was, "{before:?}");
            assert_eq!(remove_from_husky(dir.path()).expect("removed"), Report::default());
        }
    }

    #[test]
    fn lines_below_ours_stay() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("commit-msg");
        Content::File(b"before".to_vec()).put(&path, &Access::Run).expect("it is written");
        add_to_husky(dir.path()).expect("added");
        let mut text = fs::read(&path).expect("it is there");
        text.extend(b"after\n");
        Content::File(text).put(&path, &Access::Run).expect("it is written");
        remove_from_husky(dir.path()).expect("removed");
        assert_eq!(fs::read(&path).expect("it is there"), b"before\nafter\n");
    }

    #[test]
    fn the_file_of_lefthook_comes_and_goes() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(LEFTHOOK_LOCAL);
        assert_eq!(add_to_lefthook(dir.path(), &EVENTS).expect("added").changed.len(), 1);
        assert_eq!(add_to_lefthook(dir.path(), &EVENTS).expect("added"), Report::default());
        let mut text = fs::read(&path).expect("it is there");
        text.extend(b"output: [summary]\n");
        Content::File(text).put(&path, &Access::Read).expect("it is written");
        assert_eq!(add_to_lefthook(dir.path(), &EVENTS).expect("added"), Report::default());
        remove_from_lefthook(dir.path()).expect("removed");
        assert_eq!(fs::read(&path).expect("it is there"), b"output: [summary]\n");
        let refused = add_to_lefthook(dir.path(), &EVENTS);
        assert!(matches!(refused, Err(Error::KeptTwice { .. })));
    }
}
