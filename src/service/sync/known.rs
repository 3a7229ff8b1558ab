//! How many events are known, so that what a fetch brought can be told.

use std::collections::{BTreeSet, HashMap};

use crate::domain::id::{Name, Oid};
use crate::platform::git::Repo;
use crate::store::archive::{Shelves, changes};
use crate::store::inventory::Inventory;
use crate::store::tip;

/// What is known at one moment.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Events by stream.
    n_events: HashMap<String, usize>,
    /// The archives, as trees.
    archives: BTreeSet<Oid>,
}

impl Known {
    pub(super) fn of(n_events: HashMap<String, usize>, inventory: &Inventory) -> Self {
        Self { n_events, archives: inventory.archive_trees() }
    }

    /// Returns how many events `now` has beyond these. Of archives only entries are read that changed.
    pub(super) fn n_new_in(&self, repo: &Repo, now: &Self) -> usize {
        // What was archived and is a stream again was known as well.
        let before = |name: &str| {
            let archived = || name.parse().map_or(0, |name| self.n_archived(repo, &name));
            self.n_events.get(name).copied().unwrap_or_else(archived)
        };
        let streams: usize =
            now.n_events.iter().map(|(name, count)| count.saturating_sub(before(name))).sum();
        let mut entries: HashMap<Name, usize> = HashMap::new();
        for archive in now.archives.difference(&self.archives) {
            for (name, tree, _) in self.new_entries(repo, *archive) {
                if now.n_events.contains_key(name.as_str()) {
                    continue;
                }
                let count = n_events(repo, tree).saturating_sub(before(name.as_str()));
                let most = entries.entry(name).or_default();
                *most = count.max(*most);
            }
        }
        streams + entries.into_values().sum::<usize>()
    }

    /// Returns how many protocols the archives of `now` hold that none of these does.
    pub(super) fn n_newly_archived_in(&self, repo: &Repo, now: &Self) -> usize {
        let mut names = BTreeSet::new();
        for archive in now.archives.difference(&self.archives) {
            let new = self.new_entries(repo, *archive).into_iter();
            names.extend(new.filter(|(.., is_new)| *is_new).map(|(name, ..)| name));
        }
        names.len()
    }

    /// Returns the entries of an archive that none of these has as they are, and whether none has the protocol.
    fn new_entries(&self, repo: &Repo, archive: Oid) -> Vec<(Name, Oid, bool)> {
        let mut before = self.archives.iter();
        let mut new = changes(repo, before.next().copied(), archive).unwrap_or_default();
        for other in before {
            let Ok(shelves) = Shelves::open(repo, *other) else { continue };
            new.retain_mut(|change| {
                let entry = shelves.get(&change.name).ok().flatten();
                change.before = change.before.or(entry);
                entry != Some(change.after)
            });
        }
        new.into_iter().map(|change| (change.name, change.after, change.before.is_none())).collect()
    }

    /// Returns how many events of a protocol the archives hold.
    fn n_archived(&self, repo: &Repo, name: &Name) -> usize {
        let entry = |tree: &Oid| Shelves::open(repo, *tree).ok()?.get(name).ok()?;
        self.archives.iter().filter_map(entry).map(|tree| n_events(repo, tree)).max().unwrap_or(0)
    }
}

fn n_events(repo: &Repo, tree: Oid) -> usize {
    tip::read(repo, tree).map_or(0, |content| content.lines().len())
}
