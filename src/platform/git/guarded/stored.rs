//! How a repository was, on disk: for whoever comes after a process that did not live to look.
//!
//! ```text
//! godzilla-guard 1 NUL
//! link NUL <path> NUL <target> NUL
//! file NUL <path> NUL <mode, octal> <whole or mark> <length> NUL <bytes> NUL
//! end NUL <SHA-256 of all before this line> NUL
//! ```
//!
//! Paths are relative to the common folder of the repository; `.git` is the link to it that a worktree has.
//! Only a record that is whole is believed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{BELIEVED, BELIEVED_OF_WORKTREE, Guarded, Kept};
use crate::domain::id::{Digest, Oid};
use crate::platform::fs::is_real_dir;
use crate::platform::git::Repo;

/// The first field, with the version of the form.
const MAGIC: &[u8] = b"godzilla-guard 1";

/// How a worktree calls its link to the git directory.
const LINK: &str = ".git";

impl Guarded {
    /// Returns the files as they are stored.
    pub fn files_as_bytes(&self, repo: &Repo) -> Vec<u8> {
        let mut fields: Vec<u8> = Vec::new();
        let mut put = |bytes: &[u8]| {
            fields.extend_from_slice(bytes);
            fields.push(0);
        };
        put(MAGIC);
        for (path, kept) in &self.files {
            // What lies elsewhere is the link of the worktree.
            let path = path.strip_prefix(repo.common_dir()).unwrap_or(Path::new(LINK));
            let path = path.as_os_str().as_encoded_bytes();
            if let Some(target) = &kept.link {
                [b"link", path, target.as_os_str().as_encoded_bytes()].into_iter().for_each(&mut put);
            } else {
                let form = if kept.is_whole { "whole" } else { "mark" };
                put(b"file");
                put(path);
                put(format!("{:o} {form} {}", kept.mode, kept.bytes.len()).as_bytes());
                put(&kept.bytes);
            }
        }
        sealed(fields)
    }

    /// Returns where refs stood and what was stashed, as it is stored.
    pub fn refs_as_bytes(&self) -> Vec<u8> {
        let mut fields = MAGIC.to_vec();
        fields.push(0);
        for (name, oid) in self.refs.iter().flatten() {
            fields.extend_from_slice(format!("{oid} {name}\0").as_bytes());
        }
        for oid in &self.stashed {
            fields.extend_from_slice(format!("{oid} stash\0").as_bytes());
        }
        sealed(fields)
    }

    /// Reads what [`Self::files_as_bytes`] and [`Self::refs_as_bytes`] wrote. Returns `None` for files that
    /// are not whole, lie in one another, or name what was never looked at; refs that are not whole are not known.
    pub fn from_bytes(repo: &Repo, files: &[u8], refs: Option<&[u8]>) -> Option<Self> {
        let mut fields = Fields(opened(files)?);
        let mut found = BTreeMap::new();
        while !fields.0.is_empty() {
            let kind = fields.next()?;
            let path = place(repo, fields.next()?)?;
            let kept = match kind {
                b"link" => {
                    let link = Some(PathBuf::from(os_string(fields.next()?)?));
                    Kept { bytes: Vec::new(), mode: 0, link, is_whole: true }
                }
                b"file" => {
                    let mut facts = std::str::from_utf8(fields.next()?).ok()?.split(' ');
                    let mode = u32::from_str_radix(facts.next()?, 8).ok()?;
                    let is_whole = facts.next()? == "whole";
                    let bytes = fields.take(facts.next()?.parse().ok()?)?.to_vec();
                    Kept { bytes, mode, link: None, is_whole }
                }
                _ => return None,
            };
            if let Place::At(path) = path {
                found.insert(path, kept);
            }
        }
        // A folder that is a link would lead what lies in it out of the repository.
        let lies_in_one = |path: &PathBuf| path.ancestors().skip(1).any(|folder| found.contains_key(folder));
        if found.keys().any(lies_in_one) {
            return None;
        }
        let known = refs.and_then(read_refs);
        let stashed = known.as_ref().map(|(_, stashed)| stashed.clone()).unwrap_or_default();
        Some(Self { files: found, refs: known.map(|(refs, _)| refs), stashed })
    }
}

fn read_refs(bytes: &[u8]) -> Option<(BTreeMap<String, Oid>, BTreeSet<Oid>)> {
    let mut fields = Fields(opened(bytes)?);
    let (mut refs, mut stashed) = (BTreeMap::new(), BTreeSet::new());
    while !fields.0.is_empty() {
        let (oid, name) = std::str::from_utf8(fields.next()?).ok()?.split_once(' ')?;
        let oid = oid.parse().ok()?;
        if name == "stash" {
            stashed.insert(oid);
        } else {
            refs.insert(name.to_owned(), oid);
        }
    }
    Some((refs, stashed))
}

/// Adds the line that says that nothing is missing.
fn sealed(mut fields: Vec<u8>) -> Vec<u8> {
    let sum = Digest(Sha256::digest(&fields).into());
    fields.extend_from_slice(format!("end\0{sum}\0").as_bytes());
    fields
}

/// Returns the fields between the first and the last ones, if nothing is missing.
fn opened(bytes: &[u8]) -> Option<&[u8]> {
    const END: usize = "end".len() + 1 + 64 + 1;

    let fields = bytes.get(..bytes.len().checked_sub(END)?)?;
    (sealed(fields.to_vec()) == bytes).then_some(())?;
    fields.strip_prefix(MAGIC)?.strip_prefix(&[0])
}

/// What is left of the fields.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let len = self.0.iter().position(|byte| *byte == 0)?;
        self.take(len)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let field = self.0.get(..len)?;
        self.0 = self.0.get(len..)?.strip_prefix(&[0])?;
        Some(field)
    }
}

/// Where a file of a record lies now.
enum Place {
    At(PathBuf),
    /// In a worktree that is gone.
    Gone,
}

/// Returns where a file lies, if it is one that is looked at: a record leads nowhere else.
fn place(repo: &Repo, path: &[u8]) -> Option<Place> {
    let path = PathBuf::from(os_string(path)?);
    if path == Path::new(LINK) {
        let dir = repo.work_dir().filter(|dir| dir.is_dir());
        return Some(dir.map_or(Place::Gone, |dir| Place::At(dir.join(LINK))));
    }
    let parts: Vec<_> = path.components().collect();
    let is_plain = parts.iter().all(|part| matches!(part, Component::Normal(_)));
    let of_worktree = parts.len() == 3 && path.starts_with("worktrees");
    let is_believed = if of_worktree {
        BELIEVED_OF_WORKTREE.iter().any(|name| path.ends_with(name))
    } else {
        BELIEVED.iter().any(|root| path.starts_with(root))
    };
    (is_plain && is_believed).then_some(())?;
    let whole = repo.common_dir().join(&path);
    // Somebody has removed the worktree since.
    let is_gone = of_worktree && whole.parent().is_none_or(|dir| !is_real_dir(dir));
    Some(if is_gone { Place::Gone } else { Place::At(whole) })
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere not every path can be read back")]
fn os_string(bytes: &[u8]) -> Option<OsString> {
    Some(std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec()))
}

#[cfg(not(unix))]
fn os_string(bytes: &[u8]) -> Option<OsString> {
    Some(String::from_utf8(bytes.to_vec()).ok()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::git::run::{clean_git, output};

    fn repository() -> (tempfile::TempDir, Repo) {
        let dir = tempfile::tempdir().unwrap();
        output(clean_git().arg("init").arg(dir.path()), &[]).unwrap();
        let repo = Repo::open(&dir.path().join(".git")).unwrap();
        (dir, repo)
    }

    fn guarded(repo: &Repo) -> Guarded {
        let hooks = repo.common_dir().join("hooks");
        let file = |bytes: &[u8], is_whole| Kept { bytes: bytes.to_vec(), mode: 0o755, link: None, is_whole };
        let link = Kept { bytes: Vec::new(), mode: 0, link: Some("../x".into()), is_whole: true };
        let oid: Oid = "1111111111111111111111111111111111111111".parse().unwrap();
        Guarded {
            files: [
                (hooks.join("a"), file(b"#!/bin/sh\0\n", true)),
                (hooks.join("b c\n"), link),
                (repo.common_dir().join("config"), file(b"7 then", false)),
                (repo.common_dir().join("info/empty"), file(b"", true)),
            ]
            .into(),
            refs: Some([("refs/heads/main".to_owned(), oid)].into()),
            stashed: [oid].into(),
        }
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let (_dir, repo) = repository();
        let before = guarded(&repo);
        let (files, refs) = (before.files_as_bytes(&repo), before.refs_as_bytes());
        let back = Guarded::from_bytes(&repo, &files, Some(&refs)).unwrap();
        assert_eq!((&back.files, &back.refs, &back.stashed), (&before.files, &before.refs, &before.stashed));
        let without = Guarded::from_bytes(&repo, &files, None).unwrap();
        assert_eq!((without.refs, without.stashed.len()), (None, 0));
    }

    #[test]
    fn version_1_is_read_for_ever() {
        let (_dir, repo) = repository();
        let record =
            "godzilla-guard 1|file|hooks/a|755 whole 3|x|\n|link|hooks/b|../b|file|config|644 mark 6|7 then|\
            end|afce4b7976b4dbceaf88a69e30ffe9c7e5056790788dcb118025a8d27aadb799|"
                .replace('|', "\0");
        let read = Guarded::from_bytes(&repo, record.as_bytes(), None).unwrap();
        let of = |path: &str| &read.files[&repo.common_dir().join(path)];
        assert_eq!((of("hooks/a").bytes.as_slice(), of("hooks/a").mode), (&b"x\0\n"[..], 0o755));
        assert_eq!(of("hooks/b").link, Some(PathBuf::from("../b")));
        assert!(!of("config").is_whole && read.files.len() == 3);
        assert_eq!(read.files_as_bytes(&repo).len(), record.len(), "it is written as it was");
    }

    #[test]
    fn what_is_not_whole_is_not_believed() {
        let (_dir, repo) = repository();
        let before = guarded(&repo);
        let (files, refs) = (before.files_as_bytes(&repo), before.refs_as_bytes());
        for n in [0, 1, files.len() / 2, files.len() - 1] {
            assert!(Guarded::from_bytes(&repo, &files[..n], None).is_none(), "{n}");
        }
        let mut other = files.clone();
        other[30] ^= 1;
        assert!(Guarded::from_bytes(&repo, &other, None).is_none());
        let cut = Guarded::from_bytes(&repo, &files, Some(&refs[..refs.len() - 1])).unwrap();
        assert_eq!(cut.refs, None);
    }

    #[test]
    fn nothing_of_a_record_lies_in_a_link() {
        let (_dir, repo) = repository();
        let read = |record: &str| {
            let fields = [MAGIC, b"\0", record.replace('|', "\0").as_bytes()].concat();
            Guarded::from_bytes(&repo, &sealed(fields), None)
        };
        let link = "link|hooks|../..|";
        assert!(read(link).is_some());
        for below in ["file|hooks/a|755 whole 1|x|", "link|hooks/b/c|x|"] {
            assert!(read(below).is_some() && read(&format!("{link}{below}")).is_none(), "{below}");
            assert!(read(&format!("{below}{link}")).is_none(), "{below}");
        }
        // Nor in one that somebody put in the place of a folder.
        let of_worktree = |files: usize| {
            let read = read("file|worktrees/a/config.worktree|644 whole 0||").unwrap();
            assert_eq!(read.files.len(), files);
        };
        let worktree = repo.common_dir().join("worktrees/a");
        std::fs::create_dir_all(&worktree).unwrap();
        of_worktree(1);
        #[cfg(unix)]
        {
            std::fs::remove_dir(&worktree).unwrap();
            std::os::unix::fs::symlink(repo.common_dir(), &worktree).unwrap();
            of_worktree(0);
        }
    }

    #[test]
    fn a_record_leads_to_nothing_that_was_never_looked_at() {
        let (_dir, repo) = repository();
        for path in ["../README", "objects/x", "hooks/../../x", "worktrees/a/index", "/etc/passwd", ""] {
            let mut fields = MAGIC.to_vec();
            fields.extend_from_slice(format!("\0link\0{path}\0x\0").as_bytes());
            assert!(Guarded::from_bytes(&repo, &sealed(fields), None).is_none(), "{path}");
        }
    }
}
