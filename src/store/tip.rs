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

use super::canon::{self, Value};
use super::content::{Content, FORMAT, Format, UnknownFile, sha256};
use super::state;
use crate::domain::id::{Digest, Oid};
use crate::domain::state::Protocol;
use crate::platform::git::{Error, Repo, TreeEntry};

/// A blob of ours that is larger than this is not ours: 256 lines of 64 KiB are 16 MiB.
const MAX_BLOB: u64 = 32 * 1024 * 1024;

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
            (b"state.json", false) => (),
            (b"format", false) => content.format = parse_format(&blob(repo, entry.oid)?)?,
            (b"events", true) => {
                for segment in repo.tree(entry.oid)? {
                    for line in blob(repo, segment.oid)?.split(|byte| *byte == b'\n') {
                        if !line.is_empty() {
                            content.add_raw(line);
                        }
                    }
                }
            }
            (b"specs", true) => content.specs.extend(read_named(repo, entry.oid, true)?),
            (b"rejects", true) => content.rejects.extend(read_named(repo, entry.oid, false)?),
            _ => collect_unknown(repo, &entry, &[], &mut content.unknown, 0)?,
        }
    }
    content.normalize();
    Ok(content)
}

fn blob(repo: &Repo, oid: Oid) -> Result<Vec<u8>, Error> {
    if repo.blob_size(oid)? > MAX_BLOB {
        return Err(Error::Damaged(format!("blob {oid} is too large for state")));
    }
    repo.blob(oid)
}

fn parse_format(bytes: &[u8]) -> Result<Format, Error> {
    let damaged = || Error::Damaged("the format of a stream cannot be read".to_owned());
    let parsed = canon::parse(bytes.trim_ascii()).map_err(|_| damaged())?;
    let number = |key| parsed.value.get(key).and_then(Value::as_u64).ok_or_else(damaged);
    Ok(Format { format: number("format")?, min_read: number("min_read")?, min_write: number("min_write")? })
}

/// Reads files named by the SHA-256 of their content (or, for markers, of what they stand for).
fn read_named(repo: &Repo, tree: Oid, check: bool) -> Result<BTreeMap<Digest, String>, Error> {
    let mut found = BTreeMap::new();
    for entry in repo.tree(tree)? {
        let name = String::from_utf8_lossy(&entry.name).into_owned();
        let Ok(digest) = name.parse::<Digest>() else { continue };
        let bytes = blob(repo, entry.oid)?;
        if check && sha256(&bytes) != digest {
            continue;
        }
        if let Ok(text) = String::from_utf8(bytes) {
            found.insert(digest, text);
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
    let events = repo.write_tree(&segments)?;
    let specs = write_named(repo, &content.specs)?;
    let rejects = write_named(repo, &content.rejects)?;

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
    let mut tree = repo.write_tree(&root)?;
    for (path, (mode, oid)) in &content.unknown {
        let Ok(path) = std::str::from_utf8(path) else { continue };
        let entry = TreeEntry { mode: *mode, name: Vec::new(), oid: *oid };
        tree = repo.tree_with(Some(tree), path, Some(entry))?;
    }
    Ok(tree)
}

fn write_named(repo: &Repo, files: &BTreeMap<Digest, String>) -> Result<Option<Oid>, Error> {
    if files.is_empty() {
        return Ok(None);
    }
    let entries: Vec<TreeEntry> = files
        .iter()
        .map(|(digest, text)| Ok(TreeEntry::blob(digest.to_string(), repo.write_blob(text.as_bytes())?)))
        .collect::<Result<_, Error>>()?;
    repo.write_tree(&entries).map(Some)
}
