//! `info/exclude`: what git is not to show, without touching a committed file.
//!
//! What was added is remembered, so that leaving puts the file back byte for byte.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::context::Context;
use super::error::Error;
use crate::platform::git::Repo;
use crate::platform::{fail, fs};

/// What one call added; a line of JSON each.
#[derive(Debug, Serialize, Deserialize)]
struct Added {
    v: u32,
    line: String,
    /// Whether the line before it got a line feed.
    line_feed: bool,
    /// Whether there was no file.
    created: bool,
}

/// The version of the form of [`Added`].
const VERSION: u32 = 1;

fn file(repo: &Repo) -> PathBuf {
    repo.common_dir().join("info").join("exclude")
}

fn journal(repo: &Repo) -> PathBuf {
    repo.state_dir().join("exclude.journal")
}

/// Adds a line if it is not there. Returns whether it was added.
///
/// # Errors
///
/// [`Error`] if the file cannot be written.
pub fn add(ctx: &Context, line: &str) -> Result<bool, Error> {
    let path = file(&ctx.repo);
    let there = fs::read_if_there(&path).map_err(Error::io("read info/exclude"))?;
    let created = there.is_none();
    let mut bytes = there.unwrap_or_default();
    if bytes.split(|byte| *byte == b'\n').any(|known| known.trim_ascii_end() == line.as_bytes()) {
        return Ok(false);
    }
    let line_feed = !bytes.is_empty() && !bytes.ends_with(b"\n");
    // First: what is remembered and not there is passed over.
    remember(&ctx.repo, &Added { v: VERSION, line: line.to_owned(), line_feed, created })?;
    if line_feed {
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    fs::replace_file(&path, &bytes, false).map_err(Error::io("write info/exclude"))?;
    fail::point("exclude.added");
    Ok(true)
}

fn remember(repo: &Repo, added: &Added) -> Result<(), Error> {
    let path = journal(repo);
    let mut known =
        fs::read_if_there(&path).map_err(Error::io("read what was excluded"))?.unwrap_or_default();
    let entry = serde_json::to_string(added).unwrap_or_default();
    known.extend_from_slice(entry.as_bytes());
    known.push(b'\n');
    fs::replace_file(&path, &known, true).map_err(Error::io("remember what is excluded"))
}

/// Takes back what [`add`] added, the newest first; what others wrote since stays. Returns the lines that were
/// taken out.
///
/// # Errors
///
/// [`Error`] if the file cannot be read or written.
pub fn remove(repo: &Repo) -> Result<Vec<String>, Error> {
    let path = file(repo);
    let remembered = fs::read_if_there(&journal(repo)).map_err(Error::io("read what was excluded"))?;
    let remembered = remembered.unwrap_or_default();
    let added: Vec<Added> = remembered
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .filter(|added: &Added| added.v == VERSION)
        .collect();
    let there = fs::read_if_there(&path).map_err(Error::io("read info/exclude"))?;
    let Some(mut bytes) = there else { return Ok(Vec::new()) };
    let mut removed = Vec::new();
    for added in added.iter().rev() {
        if take_out(&mut bytes, added) {
            removed.push(added.line.clone());
        }
    }
    if removed.is_empty() {
        return Ok(removed);
    }
    if bytes.is_empty() && added.first().is_some_and(|first| first.created) {
        fs::remove_if_there(&path).map_err(Error::io("remove info/exclude"))?;
    } else {
        fs::replace_file(&path, &bytes, false).map_err(Error::io("write info/exclude"))?;
    }
    fail::point("exclude.removed");
    Ok(removed)
}

/// Takes one line out again, with the line feed that was put before it if nothing follows.
fn take_out(bytes: &mut Vec<u8>, added: &Added) -> bool {
    let whole = [added.line.as_bytes(), b"\n"].concat();
    let begins = |at: usize| at == 0 || bytes[at - 1] == b'\n';
    let Some(at) = memchr::memmem::rfind_iter(bytes, &whole).find(|at| begins(*at)) else { return false };
    bytes.drain(at..at + whole.len());
    if added.line_feed && at == bytes.len() && bytes.ends_with(b"\n") {
        bytes.pop();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_goes_and_nothing_else() {
        let added =
            |line: &str, line_feed| Added { v: VERSION, line: line.to_owned(), line_feed, created: false };
        for (bytes, line_feed, want) in [
            ("a\n/w/\n", false, "a\n"),
            ("a\n/w/\n", true, "a"),
            ("a\n/w/\nb\n", true, "a\nb\n"),
            ("a/w/\n/w/\n", false, "a/w/\n"),
            ("/w/\n", false, ""),
            ("a/w/\n", false, "a/w/\n"),
            ("/w/", false, "/w/"),
            ("/w/\r\n", false, "/w/\r\n"),
        ] {
            let mut left = bytes.as_bytes().to_vec();
            let is_out = take_out(&mut left, &added("/w/", line_feed));
            assert_eq!(String::from_utf8(left).unwrap(), want, "{bytes:?}");
            assert_eq!(is_out, want != bytes);
        }
    }
}
