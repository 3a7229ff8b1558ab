//! What was ever written, by whom it was first seen, and what of it may be gone.

mod items;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use git_godzilla::domain::id::{Digest, Name, Oid, Ulid};
use git_godzilla::platform::git::Repo;
pub(crate) use git_godzilla::store::content::Content;
use git_godzilla::store::{refs, tip};

pub(super) use self::items::{Item, Items};

/// Everything that the simulation knows about contents.
#[derive(Default)]
pub(super) struct Ledger {
    numbers: HashMap<String, Item>,
    names: Vec<String>,
    by_digest: HashMap<Digest, Item>,
    taken_out: BTreeSet<Digest>,
    /// The protocol that an event was first seen of, by its id.
    first_of: HashMap<Ulid, Option<Name>>,
    /// Events of a protocol that went on under another name, as every clone copies them.
    copies: Items,
    /// The lines and plans that anything was ever seen to stand for.
    redacted: Items,
    read: HashMap<Oid, Option<Rc<Known>>>,
    archives: HashMap<Oid, Rc<Items>>,
    /// Everything that was ever at a ref of somebody.
    pub(super) ever: Items,
    /// What no ref held any more after a hostile act.
    pub(super) excused: Items,
    /// What the commit held that a line was first seen in.
    pub(super) born_with: BTreeMap<Item, Rc<Known>>,
    /// Refs that were looked at, with their values.
    pub(super) noted: HashSet<(String, Oid, bool)>,
}

/// A content that was read once.
pub(super) struct Known {
    pub(super) content: Content,
    pub(super) items: Rc<Items>,
}

impl Ledger {
    /// Whether somebody saw this commit before.
    pub(super) fn has_read(&self, commit: Oid) -> bool {
        self.read.contains_key(&commit)
    }

    /// Returns the content of a commit; `None` if it is none of ours.
    pub(super) fn read(&mut self, repo: &Repo, commit: Oid) -> Option<Rc<Known>> {
        self.read_with(commit, || repo.tree_of(commit).and_then(|tree| tip::read(repo, tree)).ok())
    }

    /// Returns the content of an entry of an archive.
    pub(super) fn read_tree(&mut self, repo: &Repo, tree: Oid) -> Option<Rc<Known>> {
        self.read_with(tree, || tip::read(repo, tree).ok())
    }

    fn read_with(&mut self, oid: Oid, read: impl FnOnce() -> Option<Content>) -> Option<Rc<Known>> {
        if let Some(known) = self.read.get(&oid) {
            return known.clone();
        }
        let known = read().map(|content| Rc::new(self.know(content)));
        self.read.insert(oid, known.clone());
        known
    }

    /// Returns what a ref of ours holds.
    pub(super) fn items_of(&mut self, repo: &Repo, name: &str, oid: Oid) -> Rc<Items> {
        if !name.ends_with("/archive") {
            return self.read(repo, oid).map(|known| Rc::clone(&known.items)).unwrap_or_default();
        }
        if let Some(items) = self.archives.get(&oid) {
            return Rc::clone(items);
        }
        let mut items = Items::default();
        for tree in archived(repo, oid).into_values() {
            if let Some(known) = self.read_tree(repo, tree) {
                items.unite(&known.items);
            }
        }
        let items = Rc::new(items);
        self.archives.insert(oid, Rc::clone(&items));
        items
    }

    pub(super) fn know(&mut self, content: Content) -> Known {
        let mut items = Items::default();
        for line in content.lines() {
            let item = self.number(&line.text);
            let of = &line.event.protocol;
            if self.first_of.entry(line.event.id).or_insert_with(|| of.clone()) != of {
                self.copies.insert(item);
            }
            items.insert(item);
        }
        self.taken_out.extend(content.taken_out());
        for digest in content.specs.keys() {
            items.insert(self.number(&format!("spec {digest}")));
        }
        for digest in content.rejects.keys() {
            items.insert(self.number(&format!("reject {digest}")));
        }
        for path in content.unknown.keys() {
            items.insert(self.number(&format!("file {}", String::from_utf8_lossy(path))));
        }
        self.redacted = self.of_digests(&self.taken_out);
        Known { content, items: items.into() }
    }

    /// Returns the lines and plans of these names.
    fn of_digests(&self, digests: &BTreeSet<Digest>) -> Items {
        let plan = |digest| self.numbers.get(&format!("spec {digest}"));
        digests
            .iter()
            .flat_map(|digest| self.by_digest.get(digest).into_iter().chain(plan(digest)))
            .copied()
            .collect()
    }

    /// Returns the lines and plans that anything was ever seen to stand for.
    pub(super) fn redacted(&self) -> &Items {
        &self.redacted
    }

    /// Returns the lines and plans that something in `contents` stands for.
    pub(super) fn redacted_in<'c>(&self, contents: impl Iterator<Item = &'c Content>) -> Items {
        self.of_digests(&contents.flat_map(Content::taken_out).collect())
    }

    fn number(&mut self, text: &str) -> Item {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = Item::try_from(self.names.len()).unwrap();
        self.numbers.insert(text.to_owned(), number);
        self.names.push(text.to_owned());
        if text.starts_with('{') {
            self.by_digest.insert(git_godzilla::store::content::sha256(text.as_bytes()), number);
        }
        number
    }

    /// Returns the number of a line that was seen.
    pub(super) fn number_of(&self, line: &str) -> Option<Item> {
        self.numbers.get(line).copied()
    }

    pub(super) fn text(&self, item: Item) -> &str {
        &self.names[item as usize]
    }

    /// Returns the lines among `items` that only one hand can have written, and that nobody has by another way: a
    /// plan may be that of several protocols, whoever takes a text out leaves the same stub, a number that a
    /// protocol was given is in the project's stream, too, what has no root came in a drop box, and every clone
    /// copies what went on under another name.
    pub(super) fn lines_of(&self, items: impl Iterator<Item = Item>) -> Vec<Item> {
        const OTHERS: [&str; 2] = ["\"redacts\":", "\"type\":\"protocol.renumbered\""];
        let is_of_one =
            |text: &str| text.contains("\"root\":") && !OTHERS.iter().any(|other| text.contains(other));
        items.filter(|item| !self.copies.contains(*item) && is_of_one(self.text(*item))).collect()
    }
}

/// Returns the tip trees of an archive, by protocol.
pub(super) fn archived(repo: &Repo, archive: Oid) -> BTreeMap<Name, Oid> {
    let mut found = BTreeMap::new();
    let Ok(shards) = repo.tree_of(archive).and_then(|tree| repo.tree(tree)) else {
        return found;
    };
    for shard in shards.iter().filter(|shard| shard.is_tree()) {
        for entry in repo.tree(shard.oid).unwrap_or_default() {
            if let Some(name) = String::from_utf8(entry.name).ok().and_then(|name| name.parse().ok()) {
                found.insert(name, entry.oid);
            }
        }
    }
    found
}

/// Whether a ref is a stream's, and so tells who wrote what.
pub(super) fn is_stream(name: &str) -> bool {
    name.starts_with(refs::PROTOCOLS)
}
