//! Tip trees: content as git keeps it.
//!
//! ```text
//! format            {"format":1,"min_read":1,"min_write":1}
//! state.json        a courtesy, never read
//! specs/<sha256>    rejects/<sha256>
//! events/000000 …   lines in fold order, cut by content
//! anything else     kept for a newer tool
//! ```

use std::collections::BTreeMap;

use super::canon::{Tape, View};
use super::content::{Content, FORMAT, Format, UnknownFile, sha256};
use super::state;
use super::wire::Common;
use crate::domain::id::{Digest, Oid};
use crate::domain::state::Protocol;
use crate::platform::git::{Error, Repo, TreeEntry};

/// How deep the folders of newer tools may nest.
const MAX_FOLDERS: usize = 16;

/// The parts of a tip tree by which two contents are told apart without reading them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TipKey {
    pub events: Option<Oid>,
    pub specs: Option<Oid>,
    /// Everything else but the snapshot.
    pub rest: u64,
}

/// Returns the key of a tip tree: equal keys mean equal contents.
///
/// # Errors
///
/// [`Error`] if the tree cannot be read.
pub fn key(repo: &Repo, tree: Oid) -> Result<TipKey, Error> {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};

    let mut rest = DefaultHasher::new();
    let (mut events, mut specs) = (None, None);
    for entry in repo.tree(tree)? {
        match entry.name.as_slice() {
            b"events" => events = Some(entry.oid),
            b"specs" => specs = Some(entry.oid),
            b"state.json" => (),
            name => (name, entry.mode, entry.oid).hash(&mut rest),
        }
    }
    Ok(TipKey { events, specs, rest: rest.finish() })
}

/// Reads the content of a tip tree.
///
/// # Errors
///
/// [`Error`] if objects are missing, damaged, or too large to be ours.
pub fn read(repo: &Repo, tree: Oid) -> Result<Content, Error> {
    let mut content = Content::default();
    for entry in repo.tree(tree)? {
        match (entry.name.as_slice(), entry.is_tree()) {
            (b"format", false) => content.format = parse_format(&repo.blob(entry.oid)?)?,
            (b"events", true) => {
                let mut common = Common::default();
                let below = repo.tree(entry.oid)?;
                content.expect_segments(below.len());
                for below in below {
                    match (is_segment(&below.name), below.is_tree()) {
                        (true, false) => content.add_segment(repo.blob(below.oid)?, &mut common),
                        (true, true) => (),
                        (false, _) => collect_unknown(repo, &below, b"events/", &mut content.unknown, 1)?,
                    }
                }
            }
            (b"specs", true) => content.specs = read_named(repo, &entry, &mut content.unknown)?,
            (b"rejects", true) => content.rejects = read_named(repo, &entry, &mut content.unknown)?,
            // Our own names hold our own things only.
            (b"events" | b"specs" | b"rejects" | b"format" | b"state.json", _) => (),
            _ => collect_unknown(repo, &entry, b"", &mut content.unknown, 0)?,
        }
    }
    content.specs.retain(|digest, text| sha256(text.as_bytes()) == *digest);
    content.normalize();
    Ok(content)
}

/// What is said of objects that a partial clone has not.
const LEFT_OUT: &str = "this partial clone left it out; `git godzilla sync` fetches it";

/// Says why what a remote holds is not taken in: it could not be read, or it is too new.
pub fn why_set_aside(repo: &Repo, remote: &str, err: Option<Error>) -> String {
    match err {
        None => format!("{remote} holds it in a form that demands a newer version"),
        Some(Error::Missing(_)) if repo.is_partial(remote) => LEFT_OUT.to_owned(),
        Some(err) => format!("what {remote} holds cannot be read: {err}"),
    }
}

/// Says why something cannot be read, whoever holds it.
pub fn why_unread(repo: &Repo, err: &Error) -> String {
    let is_partial = || repo.remotes().iter().any(|remote| repo.is_partial(&remote.name));
    match err {
        Error::Missing(_) if is_partial() => LEFT_OUT.to_owned(),
        err => err.to_string(),
    }
}

fn is_segment(name: &[u8]) -> bool {
    name.len() >= 6 && name.iter().all(u8::is_ascii_digit)
}

fn parse_format(bytes: &[u8]) -> Result<Format, Error> {
    let damaged = || Error::Damaged("the format of a stream cannot be read".to_owned());
    let mut tape = Tape::default();
    let format = tape.parse(bytes.trim_ascii()).map_err(|_| damaged())?.value;
    let number = |key| format.get(key).and_then(View::as_u64).ok_or_else(damaged);
    Ok(Format { format: number("format")?, min_read: number("min_read")?, min_write: number("min_write")? })
}

/// Reads files that are named by a SHA-256; others in the folder are unknown.
fn read_named(
    repo: &Repo,
    folder: &TreeEntry,
    unknown: &mut BTreeMap<Vec<u8>, UnknownFile>,
) -> Result<BTreeMap<Digest, String>, Error> {
    let mut found = BTreeMap::new();
    for entry in repo.tree(folder.oid)? {
        let digest = std::str::from_utf8(&entry.name).ok().and_then(|name| name.parse::<Digest>().ok());
        match digest {
            Some(_) if entry.is_tree() => (),
            Some(digest) => {
                if let Ok(text) = String::from_utf8(repo.blob(entry.oid)?) {
                    found.insert(digest, text);
                }
            }
            None => collect_unknown(repo, &entry, &[&folder.name, b"/".as_slice()].concat(), unknown, 1)?,
        }
    }
    Ok(found)
}

fn collect_unknown(
    repo: &Repo,
    entry: &TreeEntry,
    above: &[u8],
    found: &mut BTreeMap<Vec<u8>, UnknownFile>,
    depth: usize,
) -> Result<(), Error> {
    let mut path = above.to_vec();
    path.extend(&entry.name);
    if !entry.is_tree() || depth == MAX_FOLDERS {
        found.insert(path, (entry.mode, entry.oid));
        return Ok(());
    }
    path.push(b'/');
    for below in repo.tree(entry.oid)? {
        collect_unknown(repo, &below, &path, found, depth + 1)?;
    }
    Ok(())
}

/// Writes a tip tree and returns its id. Equal content and equal folds give equal ids.
///
/// # Errors
///
/// [`Error`] if an object cannot be written.
pub fn write(repo: &Repo, content: &Content, protocol: Option<&Protocol>) -> Result<Oid, Error> {
    let mut segments = Vec::new();
    for (idx, lines) in content.segments().into_iter().enumerate() {
        let mut bytes = Vec::with_capacity(lines.iter().map(|line| line.text.len() + 1).sum());
        for line in lines {
            bytes.extend_from_slice(line.text.as_bytes());
            bytes.push(b'\n');
        }
        segments.push(TreeEntry::blob(format!("{idx:06}"), repo.write_blob(&bytes)?));
    }
    let mut folders = Folders::default();
    for (path, (mode, oid)) in &content.unknown {
        folders.put(path, *mode, *oid);
    }
    let events = folders.below.remove(b"events".as_slice()).unwrap_or_default().write(repo, segments)?;
    let specs = folders.write_named(repo, "specs", &content.specs)?;
    let rejects = folders.write_named(repo, "rejects", &content.rejects)?;

    let Format { format, min_read, min_write } = content.format.union(FORMAT);
    let format = format!("{{\"format\":{format},\"min_read\":{min_read},\"min_write\":{min_write}}}\n");
    let mut root = vec![
        TreeEntry::tree("events", events),
        TreeEntry::blob("format", repo.write_blob(format.as_bytes())?),
    ];
    if protocol.is_some() {
        let state = state::encode(protocol, events, specs);
        root.push(TreeEntry::blob("state.json", repo.write_blob(state.as_bytes())?));
    }
    root.extend(specs.map(|oid| TreeEntry::tree("specs", oid)));
    root.extend(rejects.map(|oid| TreeEntry::tree("rejects", oid)));
    folders.write(repo, root)
}

/// Files that newer tools keep, by folder.
#[derive(Default)]
struct Folders {
    files: Vec<TreeEntry>,
    below: BTreeMap<Vec<u8>, Self>,
}

impl Folders {
    fn put(&mut self, path: &[u8], mode: u32, oid: Oid) {
        let mut at = self;
        let mut parts = path.split(|byte| *byte == b'/');
        let name = parts.next_back().unwrap_or_default();
        for part in parts {
            at = at.below.entry(part.to_vec()).or_default();
        }
        at.files.push(TreeEntry { mode, name: name.to_vec(), oid });
    }

    /// Writes a tree of these and of `ours`.
    fn write(self, repo: &Repo, mut ours: Vec<TreeEntry>) -> Result<Oid, Error> {
        ours.extend(self.files);
        for (name, folder) in self.below {
            ours.push(TreeEntry::tree(name, folder.write(repo, Vec::new())?));
        }
        repo.write_tree(&ours)
    }

    /// Writes the folder `name` of files named by a digest; `None` if there is nothing in it.
    fn write_named(
        &mut self,
        repo: &Repo,
        name: &str,
        files: &BTreeMap<Digest, String>,
    ) -> Result<Option<Oid>, Error> {
        let folder = self.below.remove(name.as_bytes());
        if files.is_empty() && folder.is_none() {
            return Ok(None);
        }
        let entries: Vec<TreeEntry> = files
            .iter()
            .map(|(digest, text)| Ok(TreeEntry::blob(digest.to_string(), repo.write_blob(text.as_bytes())?)))
            .collect::<Result<_, Error>>()?;
        folder.unwrap_or_default().write(repo, entries).map(Some)
    }
}
