//! Whether a tip tree is formed as one of ours, without trusting its size.

use crate::domain::id::{Digest, Oid};
use crate::platform::git::{Repo, TreeEntry};
use crate::store::content::{Content, sha256};
use crate::store::tip;

/// How many trees and files a tip may have.
const MAX_ENTRIES: usize = 100_000;

/// How deep folders may nest, those of newer tools included.
const MAX_DEPTH: usize = 16;

/// How large a segment, or any other file, may be: 256 lines of 64 KiB, each with its line feed.
const MAX_FILE: u64 = 256 * (65_536 + 1);

/// How large all files of a tip may be together.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// Reads a tip tree, if it is formed as it must be.
///
/// # Errors
///
/// Why it is not.
pub(super) fn read(repo: &Repo, tree: Oid) -> Result<Content, String> {
    let mut room = Room { n_entries: MAX_ENTRIES, n_bytes: MAX_BYTES };
    room.take(repo, tree, 0)?;
    let entries = repo.tree(tree).map_err(|err| err.to_string())?;
    let find = |name: &str| entries.iter().find(|entry| entry.name == name.as_bytes());
    let is_file = |name: &str| find(name).is_some_and(|entry| !entry.is_tree());
    let is_folder = |name: &str| find(name).is_none_or(TreeEntry::is_tree);
    if !is_file("format") || find("events").is_none() {
        return Err("it is no tree of events: `format` or `events` is missing".to_owned());
    }
    if !["events", "specs", "rejects"].into_iter().all(is_folder) {
        return Err("a file lies where a folder belongs".to_owned());
    }
    let content = tip::read(repo, tree).map_err(|err| err.to_string())?;
    if !content.may_be_read() {
        // A newer tool answers for what it writes; others set it aside.
        return Ok(content);
    }
    check_named(repo, find("specs"), "plan", &content, &|text, digest| sha256(text) == digest)?;
    let marked = named(repo, find("rejects"))?;
    if let Some(line) = content.rejects.keys().find(|digest| !marked.contains(digest)) {
        let why = content.rejects.get(line).map(String::as_str).unwrap_or_default();
        return Err(format!("a line of events is none: {why}"));
    }
    Ok(content)
}

/// What a tip may still take.
struct Room {
    n_entries: usize,
    n_bytes: u64,
}

impl Room {
    fn take(&mut self, repo: &Repo, tree: Oid, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("its folders are more than {MAX_DEPTH} deep"));
        }
        for entry in repo.tree(tree).map_err(|err| err.to_string())? {
            self.n_entries = self.n_entries.checked_sub(1).ok_or("it has too many files")?;
            if entry.is_tree() {
                self.take(repo, entry.oid, depth + 1)?;
                continue;
            }
            let size = repo.blob_size(entry.oid).map_err(|err| err.to_string())?;
            if size > MAX_FILE {
                let name = crate::domain::text::one_line(&String::from_utf8_lossy(&entry.name));
                return Err(format!("`{name}` has {size} bytes, more than {MAX_FILE}"));
            }
            self.n_bytes = self.n_bytes.checked_sub(size).ok_or("its files are too large together")?;
        }
        Ok(())
    }
}

/// Returns the digests that name the files of a folder.
fn named(repo: &Repo, folder: Option<&TreeEntry>) -> Result<Vec<Digest>, String> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let entries = repo.tree(folder.oid).map_err(|err| err.to_string())?;
    let digest = |entry: &TreeEntry| std::str::from_utf8(&entry.name).ok()?.parse().ok();
    Ok(entries.iter().filter_map(digest).collect())
}

fn check_named(
    repo: &Repo,
    folder: Option<&TreeEntry>,
    what: &str,
    content: &Content,
    fits: &dyn Fn(&[u8], Digest) -> bool,
) -> Result<(), String> {
    for digest in named(repo, folder)? {
        if content.is_taken_out(&digest) {
            return Err(format!("a text was taken out of the {what} {digest}, which is not to come back"));
        }
        let text = content.specs.get(&digest).map(String::as_bytes);
        if !text.is_some_and(|text| fits(text, digest)) {
            return Err(format!("the {what} {digest} is not what its name says"));
        }
    }
    Ok(())
}
