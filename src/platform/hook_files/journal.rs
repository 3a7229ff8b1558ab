//! What the hooks directories held before us, as one small text file:
//!
//! ```text
//! git-godzilla hooks journal v1
//! dir 1 /srv/repo/.git/hooks
//! hook commit-msg absent link:/usr/bin/git-godzilla
//! hook pre-push sha256:2c26… sha256:fcde…
//! ```
//!
//! A `dir` line counts the directories that were made for it; the `hook` lines
//! after it tell what was there and what we wrote. In paths, `%` and two hex
//! digits stand for a byte. The journal only adds to what the hook files tell
//! by themselves, so one that is lost or damaged counts as empty.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::content::{self, Access, Content};
use super::{Error, io_error};
use crate::platform::fail;

const HEADER: &str = "git-godzilla hooks journal v";
const VERSION: &str = "1";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Journal {
    pub(super) sections: Vec<Section>,
}

/// One hooks directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) dir: PathBuf,
    /// How many directories were made: `dir`, its parent, and so on.
    pub(super) n_made: usize,
    pub(super) entries: Vec<Entry>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) event: String,
    pub(super) was: Trace,
    pub(super) wrote: Trace,
}

/// Enough of a hook file to know it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trace {
    Absent,
    File { sha256: String },
    Link(PathBuf),
}

impl Journal {
    /// Reads the journal at `path`; one that is absent or damaged is empty.
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(err) if content::is_absent(&err) => return Ok(Self::default()),
            Err(err) => return Err(io_error("read", path)(err)),
        };
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.lines();
        match lines.next().and_then(|line| line.strip_prefix(HEADER)) {
            Some(VERSION) => Ok(Self::parse(lines)),
            Some(version) if version.parse::<u32>().is_ok() => {
                Err(Error::NewerJournal { path: path.to_owned() })
            }
            _ => Ok(Self::default()),
        }
    }

    /// Writes the journal to `path` in one step, or removes it if it is empty.
    pub(super) fn save(&self, path: &Path) -> Result<(), Error> {
        if self.sections.is_empty() {
            return content::remove(path);
        }
        let path = std::path::absolute(path).map_err(io_error("resolve", path))?;
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        }
        let draft = content::draft(&path, self.to_text().as_bytes(), Access::Read)
            .map_err(io_error("write", &path))?;
        fail::point("hooks.journal_draft");
        draft.persist(&path).map_err(|err| io_error("write", &path)(err.error))?;
        Ok(())
    }

    pub(super) fn section(&self, dir: &Path) -> Option<&Section> {
        self.sections.iter().find(|section| section.dir == dir)
    }

    /// Puts `section` in place of the one for the same directory.
    pub(super) fn set(&mut self, section: Section) {
        self.remove(&section.dir);
        self.sections.push(section);
    }

    pub(super) fn remove(&mut self, dir: &Path) {
        self.sections.retain(|section| section.dir != dir);
    }

    fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut journal = Self::default();
        for line in lines {
            let fields: Vec<_> = line.split(' ').collect();
            match fields[..] {
                ["dir", n_made, dir] => {
                    let (Ok(n_made), Some(dir)) = (n_made.parse(), unescape(dir)) else {
                        break;
                    };
                    journal.sections.push(Section { dir, n_made, entries: Vec::new() });
                }
                ["hook", event, was, wrote] => {
                    if let (Some(section), Some(was), Some(wrote)) =
                        (journal.sections.last_mut(), Trace::parse(was), Trace::parse(wrote))
                    {
                        section.entries.push(Entry { event: event.to_owned(), was, wrote });
                    }
                }
                _ => (),
            }
        }
        journal
    }

    fn to_text(&self) -> String {
        let mut lines = vec![format!("{HEADER}{VERSION}\n")];
        for section in &self.sections {
            let dir = escape(&section.dir);
            lines.push(format!("dir {} {dir}\n", section.n_made));
            for Entry { event, was, wrote } in &section.entries {
                let (was, wrote) = (was.to_text(), wrote.to_text());
                lines.push(format!("hook {event} {was} {wrote}\n"));
            }
        }
        lines.concat()
    }
}

impl Section {
    pub(super) fn entry(&self, event: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.event == event)
    }

    /// The targets of the links that were made here.
    pub(super) fn binaries(&self) -> impl Iterator<Item = &Path> {
        self.entries.iter().filter_map(|entry| match &entry.wrote {
            Trace::Link(target) => Some(target.as_path()),
            Trace::Absent | Trace::File { .. } => None,
        })
    }
}

impl Trace {
    pub(super) fn of(content: Option<&Content>) -> Self {
        match content {
            None => Self::Absent,
            Some(Content::Link(target)) => Self::Link(target.clone()),
            Some(Content::File(bytes)) => {
                let mut sha256 = String::new();
                for byte in Sha256::digest(bytes) {
                    write!(sha256, "{byte:02x}").expect("a string takes any text");
                }
                Self::File { sha256 }
            }
        }
    }

    fn parse(field: &str) -> Option<Self> {
        match field.split_once(':') {
            None if field == "absent" => Some(Self::Absent),
            Some(("link", target)) => unescape(target).map(Self::Link),
            Some(("sha256", sha256)) => Some(Self::File { sha256: sha256.to_owned() }),
            _ => None,
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Absent => "absent".to_owned(),
            Self::Link(target) => format!("link:{}", escape(target)),
            Self::File { sha256 } => format!("sha256:{sha256}"),
        }
    }
}

fn escape(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'%' => text.push_str("%25"),
            byte if byte.is_ascii_graphic() => text.push(char::from(*byte)),
            byte => write!(text, "%{byte:02x}").expect("a string takes any text"),
        }
    }
    text
}

fn unescape(text: &str) -> Option<PathBuf> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        if *byte == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*byte);
            rest = after;
        }
    }
    path_from(bytes)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere not all bytes are a path")]
fn path_from(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;

    Some(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn path_from(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Journal {
        Journal {
            sections: vec![Section {
                dir: PathBuf::from("/a b/50%/\nhooks"),
                n_made: 2,
                entries: vec![
                    Entry {
                        event: "commit-msg".to_owned(),
                        was: Trace::Absent,
                        wrote: Trace::Link(PathBuf::from("/bin/git godzilla")),
                    },
                    Entry {
                        event: "pre-push".to_owned(),
                        was: Trace::of(Some(&Content::File(b"foo".to_vec()))),
                        wrote: Trace::of(Some(&Content::File(Vec::new()))),
                    },
                ],
            }],
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/journal");
        sample().save(&path).unwrap();
        assert_eq!(Journal::load(&path).unwrap(), sample());

        Journal::default().save(&path).unwrap();
        assert!(!path.exists());
        assert_eq!(Journal::load(&path).unwrap(), Journal::default());
    }

    #[test]
    fn the_stored_form_stays() {
        assert_eq!(
            sample().to_text(),
            "git-godzilla hooks journal v1\n\
             dir 2 /a%20b/50%25/%0ahooks\n\
             hook commit-msg absent link:/bin/git%20godzilla\n\
             hook pre-push \
             sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae \
             sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_path_of_any_bytes_survives() {
        let path = path_from((1..=255).collect()).unwrap();
        assert_eq!(unescape(&escape(&path)), Some(path));
    }

    #[test]
    fn damage_reads_as_far_as_it_makes_sense() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let load = |text: &[u8]| {
            content::draft(&path, text, Access::Read).unwrap().persist(&path).unwrap();
            Journal::load(&path)
        };
        assert_eq!(load(b"").unwrap(), Journal::default());
        assert_eq!(load(b"\xff\x00garbage\n").unwrap(), Journal::default());
        let cut = b"git-godzilla hooks journal v1\ndir 0 /x\nhook commit-msg abs";
        assert_eq!(load(cut).unwrap().sections.len(), 1);
        let newer = load(b"git-godzilla hooks journal v2\n");
        assert!(matches!(newer, Err(Error::NewerJournal { .. })));
    }
}
