//! What was ever written, by whom it was first seen, and what of it may be gone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use git_godzilla::domain::id::Oid;
use git_godzilla::platform::git::Repo;
pub(crate) use git_godzilla::store::content::Content;
use git_godzilla::store::tip;

/// A line, or whatever else a content holds, by its number.
pub(super) type Item = u32;

/// Everything that the simulation knows about contents.
#[derive(Default)]
pub(super) struct Ledger {
    numbers: HashMap<String, Item>,
    names: Vec<String>,
    read: HashMap<Oid, Option<Rc<Known>>>,
    /// Everything that was ever at a ref of somebody.
    pub(super) ever: BTreeSet<Item>,
    /// What no ref held any more after a hostile act.
    pub(super) excused: BTreeSet<Item>,
    /// What the commit held that a line was first seen in.
    pub(super) born_with: BTreeMap<Item, Rc<Known>>,
}

/// A content that was read once.
pub(super) struct Known {
    pub(super) content: Content,
    pub(super) items: BTreeSet<Item>,
}

impl Ledger {
    /// Returns the content of a tree or commit; `None` if it is none of ours.
    pub(super) fn read(&mut self, repo: &Repo, commit: Oid) -> Option<Rc<Known>> {
        if let Some(known) = self.read.get(&commit) {
            return known.clone();
        }
        let content = repo.tree_of(commit).and_then(|tree| tip::read(repo, tree)).ok();
        let known = content.map(|content| Rc::new(self.know(content)));
        self.read.insert(commit, known.clone());
        known
    }

    /// Returns the entries of an archive, each with what it holds.
    pub(super) fn read_tree(&mut self, repo: &Repo, tree: Oid) -> Option<Rc<Known>> {
        if let Some(known) = self.read.get(&tree) {
            return known.clone();
        }
        let known = tip::read(repo, tree).ok().map(|content| Rc::new(self.know(content)));
        self.read.insert(tree, known.clone());
        known
    }

    pub(super) fn know(&mut self, content: Content) -> Known {
        let mut items = BTreeSet::new();
        for line in content.lines() {
            items.insert(self.number(&line.text));
        }
        for digest in content.specs.keys() {
            items.insert(self.number(&format!("spec {digest}")));
        }
        for digest in content.rejects.keys() {
            items.insert(self.number(&format!("reject {digest}")));
        }
        for path in content.unknown.keys() {
            items.insert(self.number(&format!("file {}", String::from_utf8_lossy(path))));
        }
        Known { content, items }
    }

    pub(super) fn number(&mut self, text: &str) -> Item {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = Item::try_from(self.names.len()).unwrap();
        self.numbers.insert(text.to_owned(), number);
        self.names.push(text.to_owned());
        number
    }

    pub(super) fn text(&self, item: Item) -> &str {
        &self.names[item as usize]
    }
}
