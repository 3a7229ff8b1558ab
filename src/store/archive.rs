//! The archive: the tip tree of each protocol that is over, at `NN/<name>/`, where NN is the number
//! divided by 100.
//!
//! It only grows. Two archives are compared by the ids of their subtrees, so that what both hold is
//! never read, however much it is. Whatever else lies in it is a newer tool's, and is carried over.

mod local;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use super::content::Content;
use super::stubs::Stubs;
use super::tip;
use crate::domain::id::{Name, Oid};
use crate::domain::state::Protocol;
use crate::platform::git::{Error, Repo, TreeEntry};

pub use self::local::{Addition, Updated, update};

/// An archive as it was found: the one here, or that of a remote as last fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The remote; `None` for the one here.
    pub holder: Option<String>,
    pub tip: Oid,
    /// The tree of the tip.
    pub tree: Oid,
}

/// An entry that one archive has and another has not, or has otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub name: Name,
    pub before: Option<Oid>,
    pub after: Oid,
}

/// The state of content, for the snapshot of a tip tree.
pub type FoldOf<'a> = &'a dyn Fn(&Content) -> Option<Protocol>;

/// What came of uniting two archives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct United {
    pub tree: Oid,
    /// Entries that are left as one side has them, and why.
    pub set_aside: Vec<String>,
}

/// How many protocols a folder of the archive is for.
const SHARD: u64 = 100;

fn shard_of(name: &Name) -> Vec<u8> {
    format!("{:02}", name.number() / SHARD).into_bytes()
}

/// Returns the folder that `entry` of an archive is, if it may hold entries.
fn as_shard(entry: &TreeEntry) -> Option<u64> {
    let text = std::str::from_utf8(&entry.name).ok().filter(|_| entry.is_tree())?;
    let number: u64 = text.parse().ok()?;
    (format!("{number:02}") == text).then_some(number)
}

/// Returns the protocol that `entry` of a folder is of; `None` if it is of none, or lies elsewhere.
fn as_entry(entry: &TreeEntry, shard: &[u8]) -> Option<Name> {
    let name: Name = std::str::from_utf8(&entry.name).ok()?.parse().ok()?;
    (entry.is_tree() && shard_of(&name) == shard).then_some(name)
}

/// The entries of one archive, folder by folder as they are asked for.
pub struct Shelves<'r> {
    repo: &'r Repo,
    /// By number.
    shards: BTreeMap<u64, Oid>,
    read: RefCell<HashMap<u64, BTreeMap<Name, Oid>>>,
}

impl<'r> Shelves<'r> {
    /// Opens the archive with this tree.
    ///
    /// # Errors
    ///
    /// [`Error`] if it cannot be read.
    pub fn open(repo: &'r Repo, tree: Oid) -> Result<Self, Error> {
        let entries = repo.tree(tree)?;
        let shards = entries.iter().filter_map(|entry| Some((as_shard(entry)?, entry.oid))).collect();
        Ok(Self { repo, shards, read: RefCell::default() })
    }

    fn with<T>(&self, shard: u64, look: impl FnOnce(&BTreeMap<Name, Oid>) -> T) -> Result<T, Error> {
        let mut read = self.read.borrow_mut();
        let entries = match read.entry(shard) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => {
                let entries = match self.shards.get(&shard) {
                    Some(oid) => entries_of(self.repo, *oid, &format!("{shard:02}").into_bytes())?,
                    None => BTreeMap::new(),
                };
                new.insert(entries)
            }
        };
        Ok(look(entries))
    }

    /// Returns the tip tree that is kept of a protocol.
    ///
    /// # Errors
    ///
    /// [`Error`] if its folder cannot be read.
    pub fn get(&self, name: &Name) -> Result<Option<Oid>, Error> {
        self.with(name.number() / SHARD, |entries| entries.get(name).copied())
    }

    /// Returns the protocols that have `number`.
    ///
    /// # Errors
    ///
    /// [`Error`] if their folder cannot be read.
    pub fn of_number(&self, number: u64) -> Result<Vec<Name>, Error> {
        self.with(number / SHARD, |entries| {
            entries.keys().filter(|name| name.number() == number).cloned().collect()
        })
    }

    /// Returns the largest number in it.
    ///
    /// # Errors
    ///
    /// [`Error`] if a folder cannot be read.
    pub fn last_number(&self) -> Result<Option<u64>, Error> {
        for shard in self.shards.keys().rev() {
            let last = self.with(*shard, |entries| entries.keys().map(Name::number).max())?;
            if last.is_some() {
                return Ok(last);
            }
        }
        Ok(None)
    }

    /// Returns all entries.
    ///
    /// # Errors
    ///
    /// [`Error`] if a folder cannot be read.
    pub fn all(&self) -> Result<BTreeMap<Name, Oid>, Error> {
        let mut all = BTreeMap::new();
        for shard in self.shards.keys() {
            self.with(*shard, |entries| {
                all.extend(entries.iter().map(|(name, tree)| (name.clone(), *tree)));
            })?;
        }
        Ok(all)
    }
}

fn entries_of(repo: &Repo, folder: Oid, shard: &[u8]) -> Result<BTreeMap<Name, Oid>, Error> {
    let entries = repo.tree(folder)?;
    Ok(entries.iter().filter_map(|entry| Some((as_entry(entry, shard)?, entry.oid))).collect())
}

/// Returns what lies in an archive and is no entry: put there by a newer tool, or by mistake.
///
/// # Errors
///
/// [`Error`] if a folder cannot be read.
pub fn strange(repo: &Repo, tree: Oid) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let shown = |name: &[u8]| crate::domain::text::one_line(&String::from_utf8_lossy(name));
    for entry in repo.tree(tree)? {
        if as_shard(&entry).is_none() {
            found.push(shown(&entry.name));
            continue;
        }
        for below in repo.tree(entry.oid)? {
            if as_entry(&below, &entry.name).is_none() {
                found.push(format!("{}/{}", shown(&entry.name), shown(&below.name)));
            }
        }
    }
    Ok(found)
}

/// Returns the entries of the archive `after` that `before` has not, or has otherwise. Of folders
/// that are the same nothing is read.
///
/// # Errors
///
/// [`Error`] if a folder cannot be read.
pub fn changes(repo: &Repo, before: Option<Oid>, after: Oid) -> Result<Vec<Change>, Error> {
    if before == Some(after) {
        return Ok(Vec::new());
    }
    let known: HashMap<u64, Oid> = match before {
        Some(tree) => {
            repo.tree(tree)?.iter().filter_map(|entry| Some((as_shard(entry)?, entry.oid))).collect()
        }
        None => HashMap::new(),
    };
    let mut changes = Vec::new();
    for entry in repo.tree(after)? {
        let Some(shard) = as_shard(&entry) else { continue };
        let before = known.get(&shard).copied();
        if before == Some(entry.oid) {
            continue;
        }
        let before = before.map_or_else(|| Ok(BTreeMap::new()), |oid| entries_of(repo, oid, &entry.name))?;
        for (name, after) in entries_of(repo, entry.oid, &entry.name)? {
            let before = before.get(&name).copied();
            if before != Some(after) {
                changes.push(Change { name, before, after });
            }
        }
    }
    Ok(changes)
}

/// An entry as far as this tool can tell.
enum Entry {
    Content(Content),
    /// It demands a newer tool.
    TooNew,
    /// It holds nothing that anybody can read.
    Damaged,
}

fn read_entry(repo: &Repo, tree: Oid) -> Entry {
    match tip::read(repo, tree) {
        Ok(content) if content.may_be_read() => Entry::Content(content),
        Ok(_) => Entry::TooNew,
        Err(_) => Entry::Damaged,
    }
}

/// Whether the entry `mine` has all that `theirs` has.
fn entry_contains(repo: &Repo, mine: Oid, theirs: Oid) -> bool {
    match (read_entry(repo, mine), read_entry(repo, theirs)) {
        (Entry::Content(mine), Entry::Content(theirs)) => mine.contains(&theirs),
        (_, Entry::Damaged) => true,
        _ => false,
    }
}

/// Whether the archive `after` lacks a line or a plan of `before`, since something stands for it.
fn drops(repo: &Repo, before: Oid, after: Oid) -> bool {
    let is_dropped = |change: &Change| {
        let Some(before) = change.before.map(|before| tip::read(repo, before)) else { return false };
        let mut stubs = Stubs::default();
        stubs.add(&tip::read(repo, change.after).unwrap_or_default());
        // One that cannot be read may hold it.
        !stubs.taken_out().is_empty() && before.map_or(true, |before| stubs.concern(&before))
    };
    changes(repo, Some(before), after).is_ok_and(|changes| changes.iter().any(is_dropped))
}

/// Whether the archive here holds a stub, and so may have had the line that it stands for; or the same of a plan.
///
/// # Errors
///
/// [`Error`] if a folder cannot be read.
pub fn has_stubs(repo: &Repo, tree: Oid) -> Result<bool, Error> {
    let holds_any =
        |change: &Change| tip::read(repo, change.after).is_ok_and(|entry| !entry.taken_out().is_empty());
    Ok(changes(repo, None, tree)?.iter().any(holds_any))
}

/// Whether the archive `mine` has all that `theirs` has: uniting would change nothing.
///
/// # Errors
///
/// [`Error`] if a folder cannot be read.
pub fn contains(repo: &Repo, mine: Oid, theirs: Oid) -> Result<bool, Error> {
    let is_held =
        |change: &Change| change.before.is_some_and(|mine| entry_contains(repo, mine, change.after));
    Ok(changes(repo, Some(mine), theirs)?.iter().all(is_held) && has_places_of(repo, mine, theirs)?)
}

/// Whether the archive `mine` has something wherever `theirs` has what is no entry, as newer tools keep it.
///
/// # Errors
///
/// [`Error`] if a folder cannot be read.
pub fn has_places_of(repo: &Repo, mine: Oid, theirs: Oid) -> Result<bool, Error> {
    Draft::of(repo, mine)?.has_places_of(theirs)
}

/// Returns the archive `onto` with what `more` has beyond it, entry by entry.
///
/// # Errors
///
/// [`Error`] if a folder cannot be read or written.
pub fn unite(repo: &Repo, onto: Oid, more: Oid, fold: FoldOf<'_>) -> Result<United, Error> {
    let mut set_aside = Vec::new();
    let mut draft = Draft::of(repo, onto)?;
    for Change { name, before, after } in changes(repo, Some(onto), more)? {
        set_aside.extend(draft.add(&name, before, after, fold)?);
    }
    draft.add_places_of(more)?;
    Ok(United { tree: draft.write()?, set_aside })
}

/// Returns the archive `onto`, or an empty one, with the tip trees `entries` taken in.
///
/// # Errors
///
/// [`Error`] if a folder cannot be read or written.
pub fn with(
    repo: &Repo,
    onto: Option<Oid>,
    entries: &[(Name, Oid)],
    fold: FoldOf<'_>,
) -> Result<United, Error> {
    let mut set_aside = Vec::new();
    let mut draft = match onto {
        Some(onto) => Draft::of(repo, onto)?,
        None => Draft { repo, places: BTreeMap::new(), open: BTreeMap::new() },
    };
    for (name, tree) in entries {
        let place = draft.folder(&shard_of(name))?.get(name.as_str().as_bytes());
        let before = place.filter(|entry| entry.is_tree()).map(|entry| entry.oid);
        set_aside.extend(draft.add(name, before, *tree, fold)?);
    }
    Ok(United { tree: draft.write()?, set_aside })
}

fn too_new(name: &Name) -> String {
    format!("the entry of {name} demands a newer version")
}

type Places = BTreeMap<Vec<u8>, TreeEntry>;

/// What is no entry, and the folder that it lies in.
type Strange = (Option<Vec<u8>>, TreeEntry);

/// An archive that is being changed. Only the folders that change are read and written.
struct Draft<'r> {
    repo: &'r Repo,
    places: Places,
    /// Folders that were read, by name.
    open: BTreeMap<Vec<u8>, Places>,
}

fn places(entries: Vec<TreeEntry>) -> Places {
    entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect()
}

impl<'r> Draft<'r> {
    fn of(repo: &'r Repo, tree: Oid) -> Result<Self, Error> {
        Ok(Self { repo, places: places(repo.tree(tree)?), open: BTreeMap::new() })
    }

    /// Returns the places of a folder. What is no folder and lies in its place is nobody's.
    fn folder(&mut self, name: &[u8]) -> Result<&mut Places, Error> {
        if !self.open.contains_key(name) {
            let there = self.places.get(name).filter(|entry| entry.is_tree());
            let read = there.map_or_else(|| Ok(Vec::new()), |entry| self.repo.tree(entry.oid))?;
            self.open.insert(name.to_vec(), places(read));
        }
        Ok(self.open.entry(name.to_vec()).or_default())
    }

    fn put(&mut self, name: &Name, tree: Oid) -> Result<(), Error> {
        let entry = TreeEntry::tree(name.as_str(), tree);
        self.folder(&shard_of(name))?.insert(entry.name.clone(), entry);
        Ok(())
    }

    /// Takes in the tip tree `theirs`, where `mine` lies now. Returns why it does not.
    fn add(
        &mut self,
        name: &Name,
        mine: Option<Oid>,
        theirs: Oid,
        fold: FoldOf<'_>,
    ) -> Result<Option<String>, Error> {
        let Some(mine) = mine else { return self.put(name, theirs).map(|()| None) };
        if mine == theirs {
            return Ok(None);
        }
        match (read_entry(self.repo, mine), read_entry(self.repo, theirs)) {
            (_, Entry::Damaged) => return Ok(None),
            (Entry::Damaged, _) => self.put(name, theirs)?,
            (Entry::Content(mine), Entry::Content(theirs)) if mine.contains(&theirs) => (),
            (Entry::Content(mine), Entry::Content(content)) if content.contains(&mine) => {
                self.put(name, theirs)?;
            }
            (Entry::Content(mut content), Entry::Content(theirs)) => {
                content.unite(&theirs);
                if !content.may_be_written() {
                    return Ok(Some(too_new(name)));
                }
                self.put(name, tip::write(self.repo, &content, fold(&content).as_ref())?)?;
            }
            _ => return Ok(Some(too_new(name))),
        }
        Ok(None)
    }

    /// Whether it has something wherever `other` has what is no entry.
    fn has_places_of(&mut self, other: Oid) -> Result<bool, Error> {
        Ok(self.strange_of(other)?.is_empty())
    }

    /// Puts what `other` has and is no entry where nothing is.
    fn add_places_of(&mut self, other: Oid) -> Result<(), Error> {
        for (folder, entry) in self.strange_of(other)? {
            match folder {
                Some(folder) => drop(self.folder(&folder)?.insert(entry.name.clone(), entry)),
                None => drop(self.places.insert(entry.name.clone(), entry)),
            }
        }
        Ok(())
    }

    /// Returns what `other` has where nothing is here and is no entry, with its folder. What pretends to
    /// be an entry, or a folder of them, is left out: in their places lies nothing else.
    fn strange_of(&mut self, other: Oid) -> Result<Vec<Strange>, Error> {
        let mut found = Vec::new();
        for entry in self.repo.tree(other)? {
            let is_folder = entry.name.len() >= 2 && entry.name.iter().all(u8::is_ascii_digit);
            if as_shard(&entry).is_none() {
                if !is_folder && !self.places.contains_key(&entry.name) {
                    found.push((None, entry));
                }
                continue;
            }
            if self.places.get(&entry.name).is_some_and(|mine| mine.oid == entry.oid) {
                continue;
            }
            for below in self.repo.tree(entry.oid)? {
                let is_name = std::str::from_utf8(&below.name).is_ok_and(|name| name.parse::<Name>().is_ok());
                if !is_name && !self.folder(&entry.name)?.contains_key(&below.name) {
                    found.push((Some(entry.name.clone()), below));
                }
            }
        }
        Ok(found)
    }

    fn write(mut self) -> Result<Oid, Error> {
        for (name, folder) in std::mem::take(&mut self.open) {
            if folder.is_empty() {
                continue;
            }
            let entries: Vec<TreeEntry> = folder.into_values().collect();
            let tree = self.repo.write_tree(&entries)?;
            self.places.insert(name.clone(), TreeEntry::tree(name, tree));
        }
        let entries: Vec<TreeEntry> = self.places.into_values().collect();
        self.repo.write_tree(&entries)
    }
}
