//! The branch of a protocol and its base, as refs say.

use std::cell::RefCell;

use foldhash::HashMap;

use crate::domain::id::{Name, Oid};
use crate::domain::state::Protocol;
use crate::platform::git::{Error, Repo};

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

    /// Returns a number that changes whenever a branch of that name does, here or at a remote.
    pub fn key_of(&self, branch: &str) -> u64 {
        let local = self.find(&format!("refs/heads/{branch}"));
        let tracked: Vec<Option<Oid>> =
            self.remotes.iter().map(|remote| self.find(&format!("refs/remotes/{remote}/{branch}"))).collect();
        crate::store::cache::key(&(local, tracked))
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
        self.of_names(&created.branch, &created.base, home)
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

fn remotes(repo: &Repo) -> Vec<String> {
    repo.remotes().into_iter().map(|remote| remote.name).collect()
}
