//! Reading refs.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use gix::bstr::ByteSlice as _;

use super::{Error, Repo, from_gix};
use crate::domain::id::Oid;

/// Where `HEAD` points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// The branch without `refs/heads/`.
    Branch(String, Oid),
    Detached(Oid),
    /// A branch without a commit.
    Unborn(String),
}

/// What a look at a ref's own file or line tells.
enum Plain {
    Is(Oid),
    Missing,
    /// It is symbolic, damaged, or for gix to find.
    Other,
}

impl Head {
    pub fn commit(&self) -> Option<Oid> {
        match self {
            Self::Branch(_, oid) | Self::Detached(oid) => Some(*oid),
            Self::Unborn(_) => None,
        }
    }

    pub fn branch(&self) -> Option<&str> {
        match self {
            Self::Branch(branch, _) | Self::Unborn(branch) => Some(branch),
            Self::Detached(_) => None,
        }
    }
}

impl Repo {
    /// Returns where `HEAD` points.
    ///
    /// # Errors
    ///
    /// [`Error`] if `HEAD` is damaged.
    pub fn head(&self) -> Result<Head, Error> {
        let head = self.gix.head().map_err(Error::gix("read HEAD"))?;
        let branch = head.referent_name().map(|name| name.as_bstr().to_str_lossy().into_owned());
        let branch = branch.map(|name| name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned());
        Ok(match (branch, head.id()) {
            (Some(branch), Some(id)) => Head::Branch(branch, from_gix(&id)),
            (Some(branch), None) => Head::Unborn(branch),
            (None, Some(id)) => Head::Detached(from_gix(&id)),
            (None, None) => return Err(Error::Damaged("HEAD points nowhere".to_owned())),
        })
    }

    /// Returns the commit that a full ref name points to, through tags; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error`] if the ref is damaged.
    pub fn find_ref(&self, name: &str) -> Result<Option<Oid>, Error> {
        let fail = || Error::gix(format!("read {name}"));
        match self.plain_ref(name, true) {
            Plain::Is(oid) => return Ok(Some(oid)),
            Plain::Missing => return Ok(None),
            Plain::Other => (),
        }
        let Some(mut reference) = self.gix.try_find_reference(name).map_err(fail())? else { return Ok(None) };
        // A partial name would be looked up in several places.
        if reference.name().as_bstr() != name.as_bytes() {
            return Ok(None);
        }
        if let Some(id) = reference.try_id() {
            return Ok(Some(from_gix(&id)));
        }
        Ok(reference.peel_to_id().ok().map(|id| from_gix(&id)))
    }

    /// Returns what the file or the packed line of a shared ref says, if it says no more than an id.
    /// gix looks in seven places for a ref that is not there.
    fn plain_ref(&self, name: &str, may_follow: bool) -> Plain {
        const SHARED: [&str; 4] = ["refs/heads/", "refs/remotes/", "refs/notes/", "refs/godzilla"];

        let is_shared = SHARED.iter().any(|prefix| name.starts_with(prefix));
        let Some(name) = gix::refs::FullName::try_from(name).ok().filter(|_| is_shared) else {
            return Plain::Other;
        };
        let path = self.common_dir.join(name.as_bstr().to_str_lossy().as_ref());
        match Self::loose_ref(&path) {
            Ok(Some(Ok(oid))) => return Plain::Is(oid),
            // A symbolic ref as `core.preferSymlinkRefs` makes it: it names a ref, not a file.
            Ok(None) if path.is_symlink() => {
                let target =
                    std::fs::read_link(&path).ok().and_then(|target| target.to_str().map(str::to_owned));
                let target = target.filter(|target| may_follow && target.starts_with("refs/"));
                return target.map_or(Plain::Missing, |target| self.plain_ref(&target, false));
            }
            Ok(None) => (),
            Ok(Some(Err(_))) | Err(_) => return Plain::Other,
        }
        let Ok(packed) = self.gix.refs.cached_packed_buffer() else { return Plain::Other };
        let Some(packed) = packed else { return Plain::Missing };
        match packed.try_find(name.as_ref()) {
            Ok(Some(line)) => Oid::from_bytes(line.target().as_bytes()).map_or(Plain::Other, Plain::Is),
            Ok(None) => Plain::Missing,
            Err(_) => Plain::Other,
        }
    }

    /// Returns all refs whose name begins with `prefix`, which is a folder that worktrees share and
    /// ends in a slash; sorted by name. Symbolic and damaged ones are left out.
    ///
    /// # Errors
    ///
    /// [`Error`] if the refs cannot be listed.
    pub fn refs(&self, prefix: &str) -> Result<Vec<(String, Oid)>, Error> {
        let mut loose = Vec::new();
        for name in self.loose_names(prefix)? {
            // One that has gone by now was removed or packed.
            if let Some(said) =
                Self::loose_ref(&self.common_dir.join(&name)).unwrap_or(Some(Err(String::new())))
            {
                loose.push((name, said.ok()));
            }
        }
        // Packing writes the packed line before it removes the file, so these are read last.
        let mut found = self.packed_refs(prefix)?;
        if loose.is_empty() {
            return Ok(found);
        }
        loose.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let is_loose = |name: &String| loose.binary_search_by(|(known, _)| known.cmp(name)).is_ok();
        found.retain(|(name, _)| !is_loose(name));
        found.extend(loose.into_iter().filter_map(|(name, oid)| Some((name, oid?))));
        found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    }

    /// Returns the names of all refs that begin with `prefix`, as [`Self::refs`] takes it, in any
    /// order, without looking into them.
    ///
    /// # Errors
    ///
    /// [`Error`] if the refs cannot be listed.
    pub fn ref_names(&self, prefix: &str) -> Result<HashSet<String>, Error> {
        let mut names: HashSet<String> = self.loose_names(prefix)?.into_iter().collect();
        names.extend(self.packed_refs(prefix)?.into_iter().map(|(name, _)| name));
        Ok(names)
    }

    pub(super) fn loose_names(&self, prefix: &str) -> Result<Vec<String>, Error> {
        /// Folders may be links, as git has it; two that lead into each other have an end.
        const MAX_LINKS: usize = 2;

        let failed = |source| Error::Io { action: format!("list {prefix}"), source };
        let mut names = Vec::new();
        let mut folders = vec![(prefix.to_owned(), 0)];
        while let Some((folder, n_links)) = folders.pop() {
            let entries = match std::fs::read_dir(self.common_dir.join(&folder)) {
                Ok(entries) => entries,
                // Git removes the folders of refs that are gone.
                Err(err) if matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(err) => return Err(failed(err)),
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else {
                    continue;
                };
                let name = format!("{folder}{name}");
                let is_link = kind.is_symlink();
                if kind.is_dir() || (is_link && n_links < MAX_LINKS && entry.path().is_dir()) {
                    folders.push((name + "/", n_links + usize::from(is_link)));
                } else if kind.is_file() && gix::refs::FullName::try_from(name.as_str()).is_ok() {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }

    /// Returns the packed refs whose name begins with `prefix`, sorted by name.
    fn packed_refs(&self, prefix: &str) -> Result<Vec<(String, Oid)>, Error> {
        let fail = || Error::gix(format!("list {prefix}"));
        let Some(packed) = self.gix.refs.cached_packed_buffer().map_err(fail())? else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for line in packed.iter_prefixed(prefix.into()).map_err(fail())? {
            let line = line.map_err(|_| Error::Damaged("`packed-refs` is damaged".to_owned()))?;
            if let (Ok(name), Some(oid)) =
                (line.name.as_bstr().to_str(), Oid::from_bytes(line.target().as_bytes()))
            {
                found.push((name.to_owned(), oid));
            }
        }
        Ok(found)
    }

    /// Returns what the loose file of a ref says, without gix's caches.
    pub(super) fn loose_ref(path: &Path) -> io::Result<Option<Result<Oid, String>>> {
        let bytes = match crate::platform::fs::read_short(path) {
            // An empty folder may lie where a packed ref has its file.
            Err(err) if err.kind() == io::ErrorKind::IsADirectory => None,
            read => read?,
        };
        Ok(bytes.map(|bytes| {
            let text = String::from_utf8_lossy(&bytes);
            // As git has it: what follows the id after a space does not count.
            let id = text.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
            id.to_ascii_lowercase().parse().map_err(|_| text.trim_end().chars().take(100).collect())
        }))
    }

    /// Returns what `packed-refs` says of a ref, as it is now.
    pub(super) fn packed_ref(&self, name: &str) -> Option<Oid> {
        let packed = self.gix.refs.open_packed_buffer().ok()??;
        let name: &gix::refs::PartialNameRef = name.try_into().ok()?;
        let found = packed.try_find(name).ok()??;
        Oid::from_bytes(found.target().as_bytes())
    }
}
