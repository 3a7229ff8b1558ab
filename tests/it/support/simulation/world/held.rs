//! What refs and spools hold, and what was learned of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use git_godzilla::domain::id::Oid;
use git_godzilla::store::refs;

use super::super::ledger::{self, Content, Item, Items};
use super::World;

impl World {
    /// Returns all that these refs of ours hold.
    pub(in super::super) fn held<'r>(&self, refs: impl Iterator<Item = (&'r String, &'r Oid)>) -> Items {
        let mut held = Items::default();
        for (name, oid) in refs {
            held.unite(&self.items_of(name, *oid));
        }
        held
    }

    pub(in super::super) fn items_of(&self, name: &str, oid: Oid) -> Rc<Items> {
        self.by_hand(|repo| self.ledger.borrow_mut().items_of(repo, name, oid))
    }

    /// Returns all that refs of anybody hold, tracking refs and spools included.
    fn held_by_anybody(&self) -> Items {
        let mut all: BTreeMap<Oid, String> = BTreeMap::new();
        for server in self.servers.borrow().iter() {
            let ours = server.refs.iter().filter(|(name, _)| name.starts_with(refs::SHARED));
            all.extend(ours.map(|(name, oid)| (*oid, name.clone())));
        }
        let mut held = Items::default();
        for clone in 0..self.config.n_clones {
            all.extend(self.refs_of(clone).into_iter().map(|(name, oid)| (oid, name)));
            held.unite(&self.spooled_by(clone));
        }
        held.unite(&self.held(all.iter().map(|(oid, name)| (name, oid))));
        held
    }

    /// Returns the refs of ours that a clone has, tracking refs included.
    pub(in super::super) fn refs_of(&self, clone: usize) -> BTreeMap<String, Oid> {
        self.refs_in(clone, &["refs/godzilla", "refs/godzilla-remote"])
    }

    /// Returns the refs of a clone below these folders.
    pub(in super::super) fn refs_in(&self, clone: usize, folders: &[&str]) -> BTreeMap<String, Oid> {
        let mut found = BTreeMap::new();
        let git_dir = self.clones.borrow()[clone].git_dir.clone();
        for folder in folders {
            collect(&git_dir, Path::new(folder), &mut found);
        }
        found
    }

    /// Returns the events that wait in a clone until they can be written.
    pub(in super::super) fn spooled_by(&self, clone: usize) -> Items {
        let dir = self.clones.borrow()[clone].git_dir.join("godzilla/spool");
        let mut content = Content::default();
        for stream in fs::read_dir(dir).into_iter().flatten().flatten() {
            for file in fs::read_dir(stream.path()).into_iter().flatten().flatten() {
                if file.path().extension().is_some_and(|extension| extension == "jsonl") {
                    let lines = fs::read(file.path()).unwrap();
                    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                    lines.for_each(|line| content.add_raw(line));
                }
            }
        }
        if content.lines().is_empty() {
            return Items::default();
        }
        Items::clone(&self.by_hand(|_| self.ledger.borrow_mut().know(content)).items)
    }

    /// Learns what is new in a clone.
    pub(in super::super) fn note_clone(&self, clone: usize) {
        for (name, oid) in self.refs_of(clone).iter().filter(|(name, _)| name.starts_with(refs::SHARED)) {
            self.note(name, *oid, Some(clone));
        }
        let spooled = self.spooled_by(clone);
        self.ledger.borrow_mut().ever.unite(&spooled);
    }

    /// Learns what is new at a ref; `by` is the clone that wrote it, if one of ours did.
    pub(in super::super) fn note(&self, name: &str, oid: Oid, by: Option<usize>) {
        let is_new = self.ledger.borrow_mut().noted.insert((name.to_owned(), oid, by.is_some()));
        if !is_new {
            return;
        }
        if let Some(clone) = by.filter(|_| ledger::is_stream(name) && !self.ledger.borrow().has_read(oid)) {
            self.check_release(clone, name, oid);
        }
        let items = self.items_of(name, oid);
        let known = self.by_hand(|repo| self.ledger.borrow_mut().read(repo, oid));
        let mut ledger = self.ledger.borrow_mut();
        let new: Vec<Item> = items.without(&[&ledger.ever]).collect();
        ledger.ever.unite(&items);
        let Some(known) = known.filter(|_| by.is_some() && ledger::is_stream(name)) else { return };
        let lines = ledger.lines_of(new.iter().copied());
        for item in &lines {
            ledger.born_with.insert(*item, Rc::clone(&known));
        }
        let is_new = |text: &str| new.iter().any(|item| ledger.text(*item) == text);
        let repeated = self.by_hand(|_| super::super::states::automation_repeats(&known.content, &is_new));
        drop(ledger);
        if let Some(what) = repeated {
            self.violated("automation repeats nothing", what);
        }
    }

    /// Takes the step as hostile: what no ref holds afterwards need not be there at the end.
    pub(in super::super) fn harm(&self, act: impl FnOnce()) {
        act();
        self.harmed.set(true);
        let held = self.held_by_anybody();
        let mut ledger = self.ledger.borrow_mut();
        let lost: Items = ledger.ever.without(&[&held]).collect();
        ledger.excused.unite(&lost);
    }
}

/// Finds the refs below a folder. Clones pack none.
pub(super) fn collect(git_dir: &Path, folder: &Path, found: &mut BTreeMap<String, Oid>) {
    let Ok(entries) = fs::read_dir(git_dir.join(folder)) else { return };
    for entry in entries.map(Result::unwrap) {
        let below = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            collect(git_dir, &below, found);
        } else if below.extension().is_none_or(|extension| extension != "lock")
            && let Ok(oid) = fs::read_to_string(entry.path()).unwrap().trim().parse()
        {
            found.insert(below.to_str().unwrap().to_owned(), oid);
        }
    }
}
