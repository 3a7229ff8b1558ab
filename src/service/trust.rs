//! Consent: nothing that comes from the repository runs unless a person agreed, in this clone, to
//! exactly these bytes.
//!
//! What is agreed to is a digest of everything that would run or be sourced. It is kept in the
//! clone and never shared: state that was fetched cannot consent to anything, nor bring back what was
//! once agreed to in another place.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::Error;
use super::gates::Folder;
use super::guard;
use super::terms::Terms;
use crate::domain::decide::Refusal;
use crate::domain::id::{Digest, Name, Oid, Ulid};
use crate::platform::fs::{self, Bounded};
use crate::platform::git::Repo;
use crate::platform::lock::Lock;
use crate::platform::{clock, fail};

/// The version of the file.
const VERSION: u64 = 1;

/// The longest file that is read: thousands of agreements.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// How long another command that changes the file is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// On whose word a folder of gates judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The base has it.
    Base,
    /// An event chose it for the protocol with this root, in place of the base's.
    Event(Ulid),
}

/// The stored form.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    v: u64,
    /// What may run wherever the base has it.
    #[serde(default)]
    gates: Vec<Entry>,
    /// What may run where an event chose it: for each protocol one folder, that which was agreed to last.
    /// A list of its own, since a release that does not know of it must not take these for the base's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    accepted: Vec<Accepted>,
    /// What a repository may say about an engine; for each engine that which was agreed to last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    terms: Vec<AgreedTerms>,
    /// What a newer release keeps here.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// An agreement to what a repository says about an engine.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct AgreedTerms {
    name: String,
    digest: String,
    /// For people, so that they see what is new.
    lines: Vec<String>,
    at_ms: u64,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// One agreement.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    /// Where the folder lies in a tree.
    path: String,
    /// Of everything in the folder.
    digest: String,
    /// The same as git knows it, so that a later one can be compared with it.
    tree: String,
    at_ms: u64,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// An agreement for one protocol.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Accepted {
    /// The id of the event that began it: a name may be given twice.
    protocol: String,
    #[serde(flatten)]
    entry: Entry,
}

/// What was agreed to in this clone.
#[derive(Clone, Debug)]
pub struct Trust {
    file: PathBuf,
    stored: Stored,
}

/// A folder that may be run: the proof that somebody agreed to it.
#[derive(Clone, Copy, Debug)]
pub struct Agreed<'a>(&'a Folder);

impl<'a> Agreed<'a> {
    pub fn folder(self) -> &'a Folder {
        self.0
    }
}

impl Trust {
    /// Reads what was agreed to.
    ///
    /// # Errors
    ///
    /// [`Error`] if the file cannot be read or understood, or a run that was cut off may have written it: then
    /// nothing is agreed to.
    pub fn load(repo: &Repo) -> Result<Self, Error> {
        if guard::is_open(repo) {
            let message = "a run that was cut off may have changed what was agreed to here";
            return Err(Error::state("trust.unsettled", message, "git godzilla runs"));
        }
        Self::load_file(repo.state_dir().join("trust.json"))
    }

    fn load_file(file: PathBuf) -> Result<Self, Error> {
        let bytes = match fs::read_bounded(&file, MAX_FILE_BYTES)
            .map_err(Error::io("read what is trusted"))?
        {
            Bounded::Bytes(bytes) => Some(bytes),
            Bounded::Missing => None,
            Bounded::TooLong | Bounded::NotAFile => return Err(unreadable(&file, "it is no file of ours")),
        };
        let empty = Stored {
            v: VERSION,
            gates: Vec::new(),
            accepted: Vec::new(),
            terms: Vec::new(),
            rest: Map::new(),
        };
        let stored: Stored = match bytes {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|err| unreadable(&file, err))?,
            None => empty,
        };
        if stored.v > VERSION {
            return Err(unreadable(&file, "a newer release wrote it"));
        }
        Ok(Self { file, stored })
    }

    /// Whether exactly this folder was agreed to, as one that judges on this word.
    ///
    /// Gates of the base may run once their bytes were agreed to. Those that an event chose may come
    /// from anybody who can push, also as a way back to an older folder that passed what the base's no
    /// longer does; so they were agreed to for this very protocol, and no others have been since.
    pub fn is_agreed(&self, folder: &Folder, word: Word) -> bool {
        let mut accepted = self.stored.accepted.iter();
        match word {
            Word::Base => {
                self.stored.gates.iter().any(|entry| entry.is(folder))
                    || accepted.any(|accepted| accepted.entry.is(folder))
            }
            Word::Event(root) => accepted.any(|accepted| accepted.is_for(root) && accepted.entry.is(folder)),
        }
    }

    /// Returns the tree at `path` that was agreed to last, for the same protocol if it was for any.
    pub fn last_tree(&self, path: &str, word: Word) -> Option<Oid> {
        let accepted = self.stored.accepted.iter().filter(|accepted| accepted.entry.path == path);
        let newest = |entries: &mut dyn Iterator<Item = &'_ Entry>| -> Option<Oid> {
            entries.max_by_key(|entry| entry.at_ms)?.tree.parse().ok()
        };
        if let Word::Event(root) = word {
            let own = accepted.clone().filter(|accepted| accepted.is_for(root));
            if let Some(tree) = newest(&mut own.map(|accepted| &accepted.entry)) {
                return Some(tree);
            }
        }
        let gates = self.stored.gates.iter().filter(|entry| entry.path == path);
        newest(&mut gates.chain(accepted.map(|accepted| &accepted.entry)))
    }

    /// Records that a person agreed to a folder. Durable when this returns.
    ///
    /// # Errors
    ///
    /// [`Error`] if the file cannot be written.
    pub fn agree(&mut self, folder: &Folder, word: Word) -> Result<(), Error> {
        let entry = Entry {
            path: folder.path.clone(),
            digest: folder.digest.to_string(),
            tree: folder.tree.to_string(),
            at_ms: clock::now_ms(),
            rest: Map::new(),
        };
        self.change(|stored| match word {
            Word::Base => {
                stored.gates.retain(|entry| !entry.is(folder));
                stored.gates.push(entry);
            }
            Word::Event(root) => {
                stored.accepted.retain(|accepted| !accepted.is_for(root));
                stored.accepted.push(Accepted { protocol: root.to_string(), entry });
            }
        })
    }

    /// Whether exactly these terms of an engine were agreed to.
    pub fn is_agreed_to_terms(&self, terms: &Terms) -> bool {
        let digest = terms.digest.to_string();
        self.stored.terms.iter().any(|agreed| agreed.name == terms.name && agreed.digest == digest)
    }

    /// Returns the terms of an engine that were agreed to last, one thing a line.
    pub fn terms_before(&self, name: &str) -> Option<&[String]> {
        self.stored.terms.iter().find(|agreed| agreed.name == name).map(|agreed| agreed.lines.as_slice())
    }

    /// Records that a person agreed to what the repository says about an engine. Durable when this returns.
    ///
    /// # Errors
    ///
    /// [`Error`] if the file cannot be written.
    pub fn agree_to_terms(&mut self, terms: &Terms) -> Result<(), Error> {
        let agreed = AgreedTerms {
            name: terms.name.clone(),
            digest: terms.digest.to_string(),
            lines: terms.lines.clone(),
            at_ms: clock::now_ms(),
            rest: Map::new(),
        };
        self.change(|stored| {
            stored.terms.retain(|known| known.name != agreed.name);
            stored.terms.push(agreed);
        })
    }

    /// Takes back every agreement to terms of engines. Returns how many there were.
    ///
    /// # Errors
    ///
    /// [`Error`] if the file cannot be written.
    pub fn revoke_terms(&mut self) -> Result<usize, Error> {
        let mut n_revoked = 0;
        self.change(|stored| n_revoked = std::mem::take(&mut stored.terms).len())?;
        Ok(n_revoked)
    }

    /// Takes back every agreement, or those to `folder` alone, whatever they were for. Returns how many
    /// there were.
    ///
    /// # Errors
    ///
    /// [`Error`] if the file cannot be written.
    pub fn revoke(&mut self, folder: Option<&Folder>) -> Result<usize, Error> {
        let mut n_revoked = 0;
        self.change(|stored| {
            let stays = |entry: &Entry| folder.is_some_and(|folder| !entry.is(folder));
            n_revoked = stored.gates.len() + stored.accepted.len();
            stored.gates.retain(stays);
            stored.accepted.retain(|accepted| stays(&accepted.entry));
            n_revoked -= stored.gates.len() + stored.accepted.len();
        })?;
        Ok(n_revoked)
    }

    /// Lets a folder pass that was agreed to; it judges the protocol `judged`.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] (`trust.missing`, `trust.changed`, `trust.chosen`) for any other one.
    pub fn pass<'a>(&self, folder: &'a Folder, word: Word, judged: &Name) -> Result<Agreed<'a>, Error> {
        if self.is_agreed(folder, word) {
            return Ok(Agreed(folder));
        }
        let path = &folder.path;
        let (code, message) = if word != Word::Base {
            let chosen =
                format!("the gates in {path} that judge {judged} were chosen in place of the base's");
            ("trust.chosen", format!("{chosen}, and nobody has agreed here to run them for it"))
        } else if self.last_tree(path, word).is_some() {
            ("trust.changed", format!("the gates in {path} are not the ones that were agreed to here"))
        } else {
            ("trust.missing", format!("nobody has agreed here to run the gates in {path}"))
        };
        Err(Refusal::policy(code, message, format!("git godzilla trust -p {judged}")).into())
    }

    /// Changes what is agreed to; somebody else may have done so since it was read.
    fn change(&mut self, edit: impl FnOnce(&mut Stored)) -> Result<(), Error> {
        let _guard = Lock::acquire(&self.file.with_file_name("locks").join("trust"), LOCK_WAIT)?;
        *self = Self::load_file(self.file.clone())?;
        edit(&mut self.stored);
        self.save()
    }

    fn save(&self) -> Result<(), Error> {
        let failed = Error::io("write down what is trusted");
        let mut bytes = serde_json::to_vec_pretty(&self.stored).map_err(|err| Error::Io {
            action: "write down what is trusted".to_owned(),
            source: err.into(),
        })?;
        bytes.push(b'\n');
        fail::point("trust.write");
        fs::replace_file(&self.file, &bytes, true).map_err(failed)
    }
}

impl Entry {
    fn is(&self, folder: &Folder) -> bool {
        self.path == folder.path && self.digest.parse() == Ok::<Digest, _>(folder.digest)
    }
}

impl Accepted {
    fn is_for(&self, root: Ulid) -> bool {
        self.protocol.parse() == Ok::<Ulid, _>(root)
    }
}

fn unreadable(file: &Path, why: impl std::fmt::Display) -> Error {
    Error::state(
        "trust.unreadable",
        format!("what was agreed to cannot be read from `{}`: {why}", file.display()),
        "remove the file, and agree again with `git godzilla trust`",
    )
}
