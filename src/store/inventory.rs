//! What of all streams is here: local refs, copies of remotes, drop boxes, archives.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::archive::{Archive, Shelves};
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
    /// The tip at the home remote, which the local ref follows.
    pub home: Option<Oid>,
    /// Tip trees that archives hold, with the remote of the archive; `None` for the one here.
    pub archived: Vec<(Option<String>, Oid)>,
    /// Whether it is known that no events wait in the spool, so that nobody has to look.
    pub nothing_spooled: bool,
}

impl Tips {
    /// Returns the tip at `remote`, as last fetched.
    pub fn at(&self, remote: &str) -> Option<Oid> {
        self.tracking.iter().find(|(name, _)| name == remote).map(|(_, oid)| *oid)
    }

    /// Returns the tip trees in the archive of `remote`, as last fetched.
    pub fn archived_at<'a>(&'a self, remote: &'a str) -> impl Iterator<Item = Oid> + 'a {
        let is_there = move |holder: &Option<String>| holder.as_deref() == Some(remote);
        self.archived.iter().filter(move |(holder, _)| is_there(holder)).map(|(_, tree)| *tree)
    }

    /// Whether only archives hold it, and the one of `remote` has the very entry that the one here has.
    pub fn is_archived_alike(&self, remote: Option<&str>) -> bool {
        let of = |wanted: Option<&str>| {
            let mut entries = self.archived.iter().filter(move |(holder, _)| holder.as_deref() == wanted);
            entries.next().map(|(_, tree)| *tree)
        };
        self.local.is_none()
            && self.tracking.is_empty()
            && self.nothing_spooled
            && remote.is_some()
            && of(remote).is_some()
            && of(None).is_none_or(|tree| of(remote) == Some(tree))
    }

    fn add(&mut self, remote: &str, oid: Oid, is_home: bool) {
        self.tracking.push((remote.to_owned(), oid));
        if is_home {
            self.home = Some(oid);
        }
    }
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
    /// The archive here and those of the remotes. Protocols that only they hold are not among
    /// [`Self::streams`].
    pub archives: Vec<Archive>,
    /// Archives that cannot be read, and why.
    pub set_aside: Vec<String>,
    /// The names of remotes that carry our refspec, the home remote first.
    pub remotes: Vec<String>,
}

impl Inventory {
    /// Reads all refs of ours.
    ///
    /// # Errors
    ///
    /// [`Error`] if refs cannot be listed. An archive that cannot be read is passed over.
    pub fn read(repo: &Repo) -> Result<Self, Error> {
        let mut inventory = Self { remotes: shared_remotes(&repo.remotes()), ..Self::default() };
        let mut archives: Vec<(Option<String>, Oid)> = Vec::new();
        for (name, oid) in repo.refs(refs::SHARED)? {
            if let Some(stream) = name.strip_prefix(refs::PROTOCOLS) {
                if let Ok(stream) = stream.parse() {
                    inventory.streams.entry(stream).or_default().local = Some(oid);
                }
            } else if name == refs::PROJECT {
                inventory.project.local = Some(oid);
            } else if name == refs::ARCHIVE {
                archives.push((None, oid));
            }
        }
        let tracked: BTreeMap<String, Oid> = repo.refs(refs::TRACKING)?.into_iter().collect();
        for remote in inventory.remotes.clone() {
            let is_home = inventory.home() == Some(remote.as_str());
            let root = refs::tracking_root(&remote);
            for (name, oid) in tracked.range(root.clone()..).take_while(|(name, _)| name.starts_with(&root)) {
                let rest = &name[root.len()..];
                if let Some(stream) = rest.strip_prefix("protocols/") {
                    if let Ok(stream) = stream.parse() {
                        inventory.streams.entry(stream).or_default().add(&remote, *oid, is_home);
                    }
                } else if rest.starts_with("inbox/") {
                    let name = format!("{}{rest}", refs::SHARED);
                    inventory.boxes.push(DropBox { remote: remote.clone(), name, tip: *oid });
                } else if rest == "project" {
                    inventory.project.add(&remote, *oid, is_home);
                } else if rest == "archive" {
                    archives.push((Some(remote.clone()), *oid));
                }
            }
        }
        inventory.take_in(repo, archives);
        for tips in inventory.streams.values_mut() {
            tips.nothing_spooled = true;
        }
        for name in spool::names(repo) {
            inventory.streams.entry(name).or_default().nothing_spooled = false;
        }
        let names: Vec<Name> = inventory.streams.keys().cloned().collect();
        inventory.fill_archived(repo, &names.iter().collect::<Vec<_>>());
        Ok(inventory)
    }

    /// As [`Self::read`], with the protocols that only archives hold.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn read_all(repo: &Repo) -> Result<Self, Error> {
        let mut inventory = Self::read(repo)?;
        let archived: Vec<Name> = inventory.all_archived(repo).into_keys().collect();
        inventory.add_archived(repo, &archived);
        Ok(inventory)
    }

    /// Opens the archives whose tips are given.
    fn take_in(&mut self, repo: &Repo, tips: Vec<(Option<String>, Oid)>) {
        for (holder, tip) in tips {
            let opened = repo.tree_of(tip).and_then(|tree| repo.tree(tree).map(|_| tree));
            match opened {
                Ok(tree) => self.archives.push(Archive { holder, tip, tree }),
                Err(err) => {
                    let whose = holder.map_or_else(|| "here".to_owned(), |remote| format!("of {remote}"));
                    self.set_aside
                        .push(format!("the archive {whose} cannot be read: {}", tip::why_unread(repo, &err)));
                }
            }
        }
    }

    /// Looks the entries of these protocols up, a folder of an archive at a time.
    fn fill_archived(&mut self, repo: &Repo, names: &[&Name]) {
        for archive in self.archives.clone() {
            let Ok(shelves) = Shelves::open(repo, archive.tree) else { continue };
            for name in names {
                match shelves.get(name) {
                    Ok(Some(tree)) => {
                        self.streams
                            .entry((*name).clone())
                            .or_default()
                            .archived
                            .push((archive.holder.clone(), tree));
                    }
                    Ok(None) => (),
                    Err(err) => tracing::warn!(%name, %err, "an archive entry is passed over"),
                }
            }
        }
    }

    /// Makes protocols that only archives hold known beside those with a stream.
    pub fn add_archived(&mut self, repo: &Repo, names: &[Name]) {
        let new: Vec<&Name> = names.iter().filter(|name| !self.streams.contains_key(*name)).collect();
        if new.is_empty() {
            return;
        }
        self.fill_archived(repo, &new);
        for name in new {
            if let Some(tips) = self.streams.get_mut(name) {
                tips.nothing_spooled = true;
            }
        }
    }

    /// Returns the tips of a stream; of one that only archives hold, its entries.
    pub fn tips(&self, repo: &Repo, name: &Name) -> Tips {
        if let Some(tips) = self.streams.get(name) {
            return tips.clone();
        }
        let mut only = Self { archives: self.archives.clone(), ..Self::default() };
        only.fill_archived(repo, &[name]);
        only.streams.remove(name).unwrap_or_default()
    }

    /// Returns the archive here.
    pub fn archive(&self) -> Option<&Archive> {
        self.archives.iter().find(|archive| archive.holder.is_none())
    }

    /// Returns the archive of `remote`, as last fetched.
    pub fn archive_at(&self, remote: &str) -> Option<&Archive> {
        self.archives.iter().find(|archive| archive.holder.as_deref() == Some(remote))
    }

    /// Returns the protocols that archives hold under `number`, or under the name if it is one in full.
    pub fn archived_as(&self, repo: &Repo, arg: &str) -> Vec<Name> {
        let mut found = BTreeSet::new();
        for tree in self.archive_trees() {
            let look = |shelves: Shelves<'_>| match (arg.parse::<u64>(), arg.parse::<Name>()) {
                (Ok(number), _) => shelves.of_number(number),
                (_, Ok(name)) => Ok(shelves.get(&name)?.map(|_| name).into_iter().collect()),
                _ => Ok(Vec::new()),
            };
            found.extend(Shelves::open(repo, tree).and_then(look).unwrap_or_default());
        }
        found.into_iter().collect()
    }

    /// Returns every protocol that some archive holds, with its tip trees, each once.
    pub fn all_archived(&self, repo: &Repo) -> BTreeMap<Name, Vec<Oid>> {
        let mut all: BTreeMap<Name, Vec<Oid>> = BTreeMap::new();
        for tree in self.archive_trees() {
            let entries = Shelves::open(repo, tree).and_then(|shelves| shelves.all()).unwrap_or_default();
            for (name, tree) in entries {
                let trees = all.entry(name).or_default();
                if !trees.contains(&tree) {
                    trees.push(tree);
                }
            }
        }
        all
    }

    /// Returns the trees of the archives, each once.
    pub fn archive_trees(&self) -> BTreeSet<Oid> {
        self.archives.iter().map(|archive| archive.tree).collect()
    }

    /// Returns the largest number in an archive.
    pub fn last_archived(&self, repo: &Repo) -> Option<u64> {
        let last = |tree| Shelves::open(repo, tree).and_then(|shelves| shelves.last_number()).ok().flatten();
        self.archive_trees().into_iter().filter_map(last).max()
    }

    /// Reads what concerns one stream, as if there were no other: its tips and archive entries, the
    /// drop boxes and the project's stream.
    ///
    /// # Errors
    ///
    /// [`Error`] if a ref is damaged or refs cannot be listed.
    pub fn only(repo: &Repo, name: &Name) -> Result<Self, Error> {
        let mut only = Self::without_tips(repo)?;
        only.streams.clear();
        only.streams.insert(name.clone(), Self::of_stream(repo, name)?);
        only.fill_archived(repo, &[name]);
        Ok(only)
    }

    /// Reads all but the refs of streams: the drop boxes, the project's stream, the archive entries,
    /// and what is spooled.
    ///
    /// # Errors
    ///
    /// [`Error`] if a ref is damaged or refs cannot be listed.
    pub fn without_tips(repo: &Repo) -> Result<Self, Error> {
        let mut found = Self { remotes: shared_remotes(&repo.remotes()), ..Self::default() };
        found.project = Self::of_project(repo)?;
        for remote in found.remotes.clone() {
            let root = refs::tracking_root(&remote);
            for (tracked, tip) in repo.refs(&format!("{root}inbox/"))? {
                let name = format!("{}{}", refs::SHARED, &tracked[root.len()..]);
                found.boxes.push(DropBox { remote: remote.clone(), name, tip });
            }
        }
        let Archives { archives, set_aside } = archives(repo)?;
        (found.archives, found.set_aside) = (archives, set_aside);
        for name in spool::names(repo) {
            found.streams.entry(name).or_default();
        }
        Ok(found)
    }

    /// Returns every name that a branch or a stream has here or had at a remote when it was fetched,
    /// by looking at no more than the names of refs.
    ///
    /// # Errors
    ///
    /// [`Error`] if refs cannot be listed.
    pub fn taken_names(repo: &Repo) -> Result<Vec<Name>, Error> {
        let mut names = Vec::new();
        for prefix in ["refs/heads/", "refs/remotes/", refs::PROTOCOLS, refs::TRACKING] {
            let last = |name: &String| name.rsplit('/').next()?.parse().ok();
            names.extend(repo.ref_names(prefix)?.iter().filter_map(last));
        }
        Ok(names)
    }

    /// Reads only what a hook needs: the tips of one stream, without drop boxes and archives.
    ///
    /// # Errors
    ///
    /// [`Error`] if a ref is damaged.
    pub fn of_stream(repo: &Repo, name: &Name) -> Result<Tips, Error> {
        tips_of(repo, &refs::protocol(name))
    }

    /// Reads only the tips of the project's stream.
    ///
    /// # Errors
    ///
    /// [`Error`] if a ref is damaged.
    pub fn of_project(repo: &Repo) -> Result<Tips, Error> {
        tips_of(repo, refs::PROJECT)
    }

    /// Returns the remote that local refs follow: `origin`, else the first, of those that carry our
    /// refspec.
    pub fn home(&self) -> Option<&str> {
        self.remotes.first().map(String::as_str)
    }

    /// Whether `remote` holds any stream, as last fetched.
    pub fn holds_state(&self, remote: &str) -> bool {
        self.project.at(remote).is_some() || self.streams.values().any(|tips| tips.at(remote).is_some())
    }

    /// Reads the drop boxes and returns their content by the protocol that each event names;
    /// `None` for events that name none. A box that cannot be read is passed over.
    pub fn boxed(&self, repo: &Repo) -> HashMap<Option<Name>, Content> {
        let mut by_name: HashMap<Option<Name>, Content> = HashMap::new();
        let mut seen = BTreeSet::new();
        for drop_box in self.boxes.iter().filter(|drop_box| seen.insert(drop_box.tip)) {
            match read_box(repo, drop_box.tip) {
                Ok(content) => {
                    for (name, part) in content.by_protocol() {
                        by_name.entry(name).or_default().unite(&part);
                    }
                }
                Err(err) => tracing::warn!(drop_box = %drop_box.name, %err, "a drop box cannot be read"),
            }
        }
        by_name
    }
}

/// The archives, and what cannot be read of them.
#[derive(Clone, Debug, Default)]
pub struct Archives {
    pub archives: Vec<Archive>,
    pub set_aside: Vec<String>,
}

/// Reads the archive here and those of the remotes, the home remote's first of these.
///
/// # Errors
///
/// [`Error`] if a ref is damaged, or the archive here cannot be read.
pub fn archives(repo: &Repo) -> Result<Archives, Error> {
    let local = repo.find_ref(refs::ARCHIVE)?;
    let mut tips: Vec<(Option<String>, Oid)> = local.map(|tip| (None, tip)).into_iter().collect();
    for remote in shared_remotes(&repo.remotes()) {
        let tip = repo.find_ref(&refs::tracking(&remote, refs::ARCHIVE))?;
        tips.extend(tip.map(|tip| (Some(remote), tip)));
    }
    let mut found = Inventory::default();
    found.take_in(repo, tips);
    Ok(Archives { archives: found.archives, set_aside: found.set_aside })
}

fn tips_of(repo: &Repo, of_ref: &str) -> Result<Tips, Error> {
    let mut tips = Tips { local: repo.find_ref(of_ref)?, ..Tips::default() };
    for (idx, remote) in shared_remotes(&repo.remotes()).iter().enumerate() {
        if let Some(oid) = repo.find_ref(&refs::tracking(remote, of_ref))? {
            tips.add(remote, oid, idx == 0);
        }
    }
    Ok(tips)
}

/// Reads a drop box. Of what it holds only events and the specs that they name are ever taken over.
///
/// # Errors
///
/// [`Error`] if it is damaged, too large, or demands a newer tool.
pub fn read_box(repo: &Repo, tip: Oid) -> Result<Content, Error> {
    let content = tip::read(repo, repo.tree_of(tip)?)?;
    if !content.may_be_read() {
        return Err(Error::Damaged("it demands a newer version of this program".to_owned()));
    }
    Ok(content)
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
