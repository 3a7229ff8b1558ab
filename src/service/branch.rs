//! The branch of a protocol and its base, as refs say.

use std::cell::RefCell;

use foldhash::HashMap;

use super::streams::folded;
use crate::domain::id::{Name, Oid};
use crate::domain::state::Protocol;
use crate::platform::git::{Error, Repo};
use crate::store::inventory::Inventory;
use crate::store::stream;

/// All branches, local and tracked, read once or looked up one by one.
pub struct Branches<'a> {
    repo: &'a Repo,
    /// `None` looks each ref up, once.
    all: Option<HashMap<String, Oid>>,
    looked_up: RefCell<HashMap<String, Option<Oid>>>,
    remotes: Vec<String>,
    bases_key: u64,
}

/// The tips that matter for one protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BranchTips {
    pub local: Option<Oid>,
    /// By remote.
    pub tracked: Vec<(String, Oid)>,
    /// The ref that decides whether a merge happened, and its tip.
    pub deciding_base: Option<(String, Oid)>,
    /// The remote whose base decides; `None` if the one here does.
    pub deciding_remote: Option<String>,
    pub local_base: Option<Oid>,
    /// Every tip of the base, here and at remotes.
    pub bases: Vec<Oid>,
}

impl BranchTips {
    /// Returns the tips of the branch, the local one first.
    pub fn all(&self) -> Vec<Oid> {
        self.local.into_iter().chain(self.tracked.iter().map(|(_, oid)| *oid)).collect()
    }
}

impl<'a> Branches<'a> {
    /// Reads all branches.
    ///
    /// # Errors
    ///
    /// [`Error`] if refs cannot be listed.
    pub fn read(repo: &'a Repo) -> Result<Self, Error> {
        let mut all: HashMap<String, Oid> = repo.refs("refs/heads/")?.into_iter().collect();
        all.extend(repo.refs("refs/remotes/")?);
        let is_protocol =
            |name: &str| name.rsplit('/').next().is_some_and(|branch| branch.parse::<Name>().is_ok());
        let mut bases: Vec<(&String, &Oid)> = all.iter().filter(|(name, _)| !is_protocol(name)).collect();
        bases.sort();
        let bases_key = crate::store::cache::key(&bases);
        Ok(Self { all: Some(all), bases_key, ..Self::lazy(repo) })
    }

    /// Looks refs up as they are asked for.
    pub fn lazy(repo: &'a Repo) -> Self {
        Self { repo, all: None, looked_up: RefCell::default(), remotes: remotes(repo), bases_key: 0 }
    }

    /// Returns a number that changes whenever a branch that is no protocol's does.
    pub fn bases_key(&self) -> u64 {
        self.bases_key
    }

    /// Returns a number that changes whenever a branch of one of these names does, here or at a remote.
    pub fn key_of<'n>(&self, names: impl Iterator<Item = &'n str>) -> u64 {
        let tips = |branch: &str| -> Vec<Option<Oid>> {
            let tracked = self.remotes.iter().map(|remote| format!("refs/remotes/{remote}/{branch}"));
            [format!("refs/heads/{branch}")].into_iter().chain(tracked).map(|name| self.find(&name)).collect()
        };
        crate::store::cache::key(&names.map(tips).collect::<Vec<_>>())
    }

    /// Returns the protocols whose names local branches have; none if branches are looked up one by one.
    pub fn protocols(&self) -> Vec<Name> {
        let all = self.all.iter().flat_map(HashMap::keys);
        all.filter_map(|name| name.strip_prefix("refs/heads/")?.parse().ok()).collect()
    }

    fn find(&self, name: &str) -> Option<Oid> {
        if let Some(all) = &self.all {
            return all.get(name).copied();
        }
        let mut looked_up = self.looked_up.borrow_mut();
        *looked_up.entry(name.to_owned()).or_insert_with(|| self.repo.find_ref(name).ok().flatten())
    }

    /// Returns the tips of a protocol's branch and base. `home` is the remote that local refs follow.
    pub fn of(&self, protocol: &Protocol, home: Option<&str>) -> BranchTips {
        let created = &protocol.created;
        let mut tips = self.of_names(&created.branch, &created.base, home);
        if protocol.has_other_names() {
            tips.local = self.named_at("refs/heads", protocol).map(|(_, tip)| tip);
            let at = |remote: &String| {
                let (_, tip) = self.named_at(&format!("refs/remotes/{remote}"), protocol)?;
                Some((remote.clone(), tip))
            };
            tips.tracked = self.remotes.iter().filter_map(at).collect();
        }
        tips
    }

    /// Returns what the branch of a protocol is called here: as its stream, or, where there is no such branch, by
    /// another name that it has or had, since branches are renamed by hand as well.
    pub fn name_here(&self, protocol: &Protocol) -> String {
        let own = &protocol.created.branch;
        let other = || self.named_at("refs/heads", protocol).map(|(name, _)| name);
        if protocol.has_other_names() { other().unwrap_or_else(|| own.clone()) } else { own.clone() }
    }

    /// Returns the branch of a protocol below `folder`, and its tip.
    fn named_at(&self, folder: &str, protocol: &Protocol) -> Option<(String, Oid)> {
        let own = &protocol.created.branch;
        let find = |name: &str| Some((name.to_owned(), self.find(&format!("{folder}/{name}"))?));
        let mut others = protocol.names.iter().rev().filter(|name| name.as_str() != own);
        find(own).or_else(|| {
            others.find_map(|name| find(name.as_str()).filter(|(_, tip)| self.is_own(protocol, name, *tip)))
        })
    }

    /// Whether the branch of a name that the protocol has or had is its own: another one may have that name, too.
    fn is_own(&self, protocol: &Protocol, name: &Name, tip: Oid) -> bool {
        let Ok(tips) = Inventory::of_stream(self.repo, name) else { return false };
        if tips.local.is_none() && tips.tracking.is_empty() {
            return true;
        }
        let other = stream::view(self.repo, name, &tips, None).ok();
        let other = other.and_then(|view| folded(&view.content, None).protocol);
        holds(self.repo, protocol, tip) && !other.is_some_and(|other| holds(self.repo, &other, tip))
    }

    /// Returns the tips of a branch and a base by name.
    pub fn of_names(&self, branch: &str, base: &str, home: Option<&str>) -> BranchTips {
        let tracked = |branch: &str| -> Vec<(String, Oid)> {
            let found = |remote: &String| {
                Some((remote.clone(), self.find(&format!("refs/remotes/{remote}/{branch}"))?))
            };
            self.remotes.iter().filter_map(found).collect()
        };
        let local_base = format!("refs/heads/{base}");
        let tracked_bases = tracked(base);
        let upstream = || self.repo.config_all("branch", base, "remote").pop();
        let decider = match home {
            Some(home) => Some(home.to_owned()),
            None if self.remotes.is_empty() => None,
            None => upstream().or_else(|| self.remotes.first().cloned()),
        };
        let deciding_remote = decider.filter(|remote| self.remotes.contains(remote));
        let deciding = match &deciding_remote {
            Some(remote) => format!("refs/remotes/{remote}/{base}"),
            None => local_base.clone(),
        };
        let local_base = self.find(&local_base);
        BranchTips {
            local: self.find(&format!("refs/heads/{branch}")),
            tracked: tracked(branch),
            deciding_base: self.find(&deciding).map(|oid| (deciding, oid)),
            deciding_remote,
            local_base,
            bases: local_base.into_iter().chain(tracked_bases.iter().map(|(_, oid)| *oid)).collect(),
        }
    }
}

/// Whether `tip` is that of the protocol's branch.
pub(super) fn holds(repo: &Repo, protocol: &Protocol, tip: Oid) -> bool {
    let is_behind = |oid: Oid| oid == tip || repo.is_ancestor(oid, tip);
    protocol.plan_commit.is_some_and(is_behind) || protocol.live_commits().any(|(oid, _)| is_behind(*oid))
}

fn remotes(repo: &Repo) -> Vec<String> {
    repo.remotes().into_iter().map(|remote| remote.name).collect()
}
