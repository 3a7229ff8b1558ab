//! What of all streams is here: local refs, copies of remotes, drop boxes, archives.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::content::Content;
use super::{refs, spool, tip};
use crate::domain::id::{Name, Oid};
use crate::platform::git::{Error, Remote, Repo};

/// The tips of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tips {
    pub local: Option<Oid>,
    /// By remote, the home remote first.
    pub tracking: Vec<(String, Oid)>,
    /// Tip trees that archives hold.
    pub archived: Vec<Oid>,
}

/// A drop box that a remote holds, as last fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropBox {
    pub remote: String,
    /// The ref at the remote.
    pub name: String,
    pub tip: Oid,
}

/// All that refs say, read once.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    pub streams: BTreeMap<Name, Tips>,
    pub project: Tips,
    pub boxes: Vec<DropBox>,
    /// The names of remotes that carry our refspec, the home remote first.
    pub remotes: Vec<String>,
    /// Archive commits: local first, then by remote.
    pub archives: Vec<Oid>,
}

impl Inventory {
    /// Reads all refs of ours.
    ///
    /// # Errors
    ///
    /// [`Error`] if refs cannot be listed. An archive that cannot be read is passed over.
    pub fn read(repo: &Repo) -> Result<Self, Error> {
        let mut inventory = Self { remotes: shared_remotes(&repo.remotes()), ..Self::default() };
        let mut archives = Vec::new();
        for (name, oid) in repo.refs(refs::SHARED)? {
            if let Some(stream) = name.strip_prefix(refs::PROTOCOLS) {
                if let Ok(stream) = stream.parse() {
                    inventory.streams.entry(stream).or_default().local = Some(oid);
                }
            } else if name == refs::PROJECT {
                inventory.project.local = Some(oid);
            } else if name == refs::ARCHIVE {
                archives.push(oid);
            }
        }
        let tracked: BTreeMap<String, Oid> = repo.refs(refs::TRACKING)?.into_iter().collect();
        for remote in inventory.remotes.clone() {
            let root = refs::tracking_root(&remote);
            for (name, oid) in tracked.range(root.clone()..).take_while(|(name, _)| name.starts_with(&root)) {
                let rest = &name[root.len()..];
                let found = (remote.clone(), *oid);
                if let Some(stream) = rest.strip_prefix("protocols/") {
                    if let Ok(stream) = stream.parse() {
                        inventory.streams.entry(stream).or_default().tracking.push(found);
                    }
                } else if rest.starts_with("inbox/") {
                    let name = format!("{}{rest}", refs::SHARED);
                    inventory.boxes.push(DropBox { remote: remote.clone(), name, tip: *oid });
                } else if rest == "project" {
                    inventory.project.tracking.push(found);
                } else if rest == "archive" {
                    archives.push(*oid);
                }
            }
        }
        for archive in &archives {
            if let Err(err) = inventory.read_archive(repo, *archive) {
                tracing::warn!(%err, "an archive cannot be read");
            }
        }
        inventory.archives = archives;
        for name in spool::names(repo) {
            inventory.streams.entry(name).or_default();
        }
        Ok(inventory)
    }

    /// An archive holds `NN/<name>/` for each protocol: the tip tree itself.
    fn read_archive(&mut self, repo: &Repo, archive: Oid) -> Result<(), Error> {
        let tree = repo.tree_of(archive)?;
        for shard in repo.tree(tree)?.into_iter().filter(|entry| entry.is_tree()) {
            for entry in repo.tree(shard.oid)? {
                let name = std::str::from_utf8(&entry.name).ok().and_then(|name| name.parse::<Name>().ok());
                if let Some(name) = name.filter(|_| entry.is_tree()) {
                    let archived = &mut self.streams.entry(name).or_default().archived;
                    if !archived.contains(&entry.oid) {
                        archived.push(entry.oid);
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads only what a hook needs: the tips of one stream, without drop boxes and archives.
    ///
    /// # Errors
    ///
    /// [`Error`] if a ref is damaged.
    pub fn of_stream(repo: &Repo, name: &Name) -> Result<Tips, Error> {
        let of_ref = refs::protocol(name);
        let mut tips = Tips { local: repo.find_ref(&of_ref)?, ..Tips::default() };
        for remote in shared_remotes(&repo.remotes()) {
            if let Some(oid) = repo.find_ref(&refs::tracking(&remote, &of_ref))? {
                tips.tracking.push((remote, oid));
            }
        }
        Ok(tips)
    }

    /// Reads only the tips of the project's stream.
    ///
    /// # Errors
    ///
    /// [`Error`] if a ref is damaged.
    pub fn of_project(repo: &Repo) -> Result<Tips, Error> {
        let mut tips = Tips { local: repo.find_ref(refs::PROJECT)?, ..Tips::default() };
        for remote in shared_remotes(&repo.remotes()) {
            if let Some(oid) = repo.find_ref(&refs::tracking(&remote, refs::PROJECT))? {
                tips.tracking.push((remote, oid));
            }
        }
        Ok(tips)
    }

    /// Returns the remote that local refs follow: `origin`, else the first, of those that carry our
    /// refspec.
    pub fn home(&self) -> Option<&str> {
        self.remotes.first().map(String::as_str)
    }

    /// Reads the drop boxes and returns their content by the protocol that each event names;
    /// `None` for events that name none. A box that cannot be read is passed over.
    pub fn boxed(&self, repo: &Repo) -> HashMap<Option<Name>, Content> {
        let mut by_name: HashMap<Option<Name>, Content> = HashMap::new();
        let mut seen = BTreeSet::new();
        for drop_box in self.boxes.iter().filter(|drop_box| seen.insert(drop_box.tip)) {
            match repo.tree_of(drop_box.tip).and_then(|tree| tip::read(repo, tree)) {
                Ok(content) => {
                    for line in content.lines() {
                        by_name.entry(line.event.protocol.clone()).or_default().add(line.clone());
                    }
                }
                Err(err) => tracing::warn!(drop_box = %drop_box.name, %err, "a drop box cannot be read"),
            }
        }
        for content in by_name.values_mut() {
            content.normalize();
        }
        by_name
    }
}

/// Returns the names of remotes that carry our fetch refspec, `origin` first, then by name.
pub fn shared_remotes(remotes: &[Remote]) -> Vec<String> {
    let mut names: Vec<String> =
        remotes.iter().filter(|remote| carries_refspec(remote)).map(|remote| remote.name.clone()).collect();
    names.sort_by_key(|name| (name != "origin", name.clone()));
    names
}

/// Whether a remote carries our fetch refspec.
pub fn carries_refspec(remote: &Remote) -> bool {
    let wanted = &refs::fetch_refspecs(&remote.name)[0];
    remote.fetch.iter().any(|refspec| refspec == wanted)
}
