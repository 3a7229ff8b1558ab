//! Reading and writing objects.

use gix::bstr::{BString, ByteSlice as _};
use gix::objs::tree::EntryKind;
use gix::objs::{Exists as _, Kind, WriteTo as _};

use super::loose::Looked;
use super::{Error, Identity, Repo, from_gix, to_gix};
use crate::domain::id::Oid;
use crate::platform::{clock, env, fail};

/// What is larger than this is not read: 256 lines of 64 KiB, our largest blob, are 16 MiB.
pub(super) const MAX_OBJECT: u64 = 32 * 1024 * 1024;

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// Git's mode, as in `0o100644`.
    pub mode: u32,
    pub name: Vec<u8>,
    pub oid: Oid,
}

impl TreeEntry {
    pub fn blob(name: impl Into<Vec<u8>>, oid: Oid) -> Self {
        Self { mode: 0o100_644, name: name.into(), oid }
    }

    pub fn tree(name: impl Into<Vec<u8>>, oid: Oid) -> Self {
        Self { mode: 0o40_000, name: name.into(), oid }
    }

    pub fn is_tree(&self) -> bool {
        self.mode == 0o40_000
    }
}

/// What rules read of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    pub tree: Oid,
    pub parents: Vec<Oid>,
    pub message: Vec<u8>,
    /// The committer's time in milliseconds since 1970; 0 if it lies before that.
    pub time_ms: u64,
    pub author: String,
    /// The author's time in seconds since 1970.
    pub authored_s: i64,
}

/// A commit to be written.
#[derive(Debug)]
pub struct NewCommit<'a> {
    pub tree: Oid,
    pub parents: Vec<Oid>,
    pub message: String,
    pub author: &'a Identity,
    pub committer: &'a Identity,
    /// Whether it is one of the user's own history: dated as git would date it, in the local zone,
    /// and signed if the user's configuration asks for it. Else its time is in UTC.
    pub for_people: bool,
}

impl Repo {
    /// Returns whether an object is here.
    pub fn has_object(&self, oid: Oid) -> bool {
        let id = to_gix(oid);
        self.is_seen(&id) || !self.reads_packs() && self.is_loose(&id) || self.gix.objects.exists(&id)
    }

    fn read(&self, oid: Oid, kind: Kind) -> Result<Vec<u8>, Error> {
        let bytes = self.read_unseen(oid, kind)?;
        self.saw(&to_gix(oid));
        Ok(bytes)
    }

    fn read_unseen(&self, oid: Oid, kind: Kind) -> Result<Vec<u8>, Error> {
        let wrong = |found: Kind| Error::Damaged(format!("object {oid} is a {found}, not a {kind}"));
        let unreadable = |why: String| Error::Damaged(format!("object {oid} cannot be read: {why}"));
        let id = to_gix(oid);
        match self.read_loose(&id, MAX_OBJECT) {
            Looked::Found(found, bytes) if found == kind => return Ok(bytes),
            Looked::Found(found, _) => return Err(wrong(found)),
            Looked::Elsewhere => (),
        }
        let (found, bytes) = self.read_packed(&id).map_err(unreadable)?.ok_or(Error::Missing(oid))?;
        if found != kind {
            return Err(wrong(found));
        }
        self.keep_small(&id, kind, &bytes);
        Ok(bytes)
    }

    /// Returns the bytes of a blob.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], or [`Error::Damaged`] if it is none or larger than 32 MiB.
    pub fn blob(&self, oid: Oid) -> Result<Vec<u8>, Error> {
        self.read(oid, Kind::Blob)
    }

    /// Returns how git names objects here: `sha1` or `sha256`.
    pub fn object_format(&self) -> &'static str {
        if self.gix.object_hash().len_in_bytes() == 20 { "sha1" } else { "sha256" }
    }

    /// Returns the size of a blob without reading it.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`].
    pub fn blob_size(&self, oid: Oid) -> Result<u64, Error> {
        self.gix.find_header(to_gix(oid)).map(|header| header.size()).map_err(|_| Error::Missing(oid))
    }

    /// Returns the entries of a tree.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], or [`Error::Damaged`] if it is none.
    pub fn tree(&self, oid: Oid) -> Result<Vec<TreeEntry>, Error> {
        if to_gix(oid).is_empty_tree() {
            return Ok(Vec::new());
        }
        let data = self.read(oid, Kind::Tree)?;
        let mut entries = Vec::new();
        for entry in gix::objs::TreeRefIter::from_bytes(&data, self.gix.object_hash()) {
            let entry = entry.map_err(|_| Error::Damaged(format!("tree {oid} is damaged")))?;
            entries.push(TreeEntry {
                mode: u32::from(entry.mode.value()),
                name: entry.filename.to_vec(),
                oid: from_gix(entry.oid),
            });
        }
        Ok(entries)
    }

    /// Returns what rules read of a commit.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], or [`Error::Damaged`] if it is none.
    pub fn commit(&self, oid: Oid) -> Result<CommitInfo, Error> {
        let data = self.read(oid, Kind::Commit)?;
        let damaged = || Error::Damaged(format!("commit {oid} is damaged"));
        let commit =
            gix::objs::CommitRef::from_bytes(&data, self.gix.object_hash()).map_err(|_| damaged())?;
        let seconds = commit.committer().ok().and_then(|who| who.time().ok()).map_or(0, |time| time.seconds);
        let who = commit.author().ok();
        let authored_s = who.and_then(|who| who.time().ok()).map_or(0, |time| time.seconds);
        let author = who.map(|who| who.name.to_str_lossy().into_owned()).unwrap_or_default();
        Ok(CommitInfo {
            tree: from_gix(&commit.tree()),
            parents: commit.parents().map(|parent| from_gix(&parent)).collect(),
            message: commit.message.to_vec(),
            time_ms: u64::try_from(seconds).unwrap_or(0).saturating_mul(1000),
            author,
            authored_s,
        })
    }

    /// Returns the tree of a commit.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], or [`Error::Damaged`].
    pub fn tree_of(&self, commit: Oid) -> Result<Oid, Error> {
        let data = self.read(commit, Kind::Commit)?;
        let tree = gix::objs::CommitRefIter::from_bytes(&data, self.gix.object_hash()).tree_id();
        tree.map(|id| from_gix(&id)).map_err(|_| Error::Damaged(format!("commit {commit} is damaged")))
    }

    /// Returns the entry at `path`, whose parts are apart by slashes; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], or [`Error::Damaged`].
    pub fn tree_path(&self, tree: Oid, path: &str) -> Result<Option<TreeEntry>, Error> {
        let mut at = TreeEntry::tree("", tree);
        for part in path.split('/') {
            if !at.is_tree() {
                return Ok(None);
            }
            match self.tree(at.oid)?.into_iter().find(|entry| entry.name == part.as_bytes()) {
                Some(entry) => at = entry,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// Returns the text of the blob at `path`, lossily; `None` if there is no blob.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], or [`Error::Damaged`].
    pub fn text_at(&self, tree: Oid, path: &str) -> Result<Option<String>, Error> {
        match self.tree_path(tree, path)? {
            Some(entry) if !entry.is_tree() => {
                Ok(Some(String::from_utf8_lossy(&self.blob(entry.oid)?).into_owned()))
            }
            _ => Ok(None),
        }
    }

    /// Writes a blob and returns its id.
    ///
    /// # Errors
    ///
    /// [`Error`] if it cannot be written.
    pub fn write_blob(&self, bytes: &[u8]) -> Result<Oid, Error> {
        self.write(Kind::Blob, bytes)
    }

    /// Returns the id that a blob of these bytes has. Nothing is written.
    ///
    /// # Errors
    ///
    /// [`Error`] if they cannot be hashed.
    pub fn id_of_blob(&self, bytes: &[u8]) -> Result<Oid, Error> {
        self.id_of(Kind::Blob, bytes).map(|id| from_gix(&id))
    }

    fn id_of(&self, kind: Kind, bytes: &[u8]) -> Result<gix::ObjectId, Error> {
        gix::objs::compute_hash(self.gix.object_hash(), kind, bytes)
            .map_err(|err| Error::Damaged(format!("failed to hash a {kind}: {err}")))
    }

    /// Writes a tree of `entries`, in any order, and returns its id.
    ///
    /// # Errors
    ///
    /// [`Error`] if it cannot be written.
    pub fn write_tree(&self, entries: &[TreeEntry]) -> Result<Oid, Error> {
        self.write(Kind::Tree, &encode_tree(entries)?)
    }

    /// Returns the tree `tree` with the entry at `path` put in, replaced, or (with `None`) taken out.
    ///
    /// # Errors
    ///
    /// [`Error`] if a tree cannot be read or written.
    pub fn tree_with(&self, tree: Option<Oid>, path: &str, entry: Option<TreeEntry>) -> Result<Oid, Error> {
        self.edit_tree(tree, path, entry, &|entries| self.write_tree(entries))
    }

    /// Returns the id that `tree` would have without the entry at `path`. Nothing is written.
    ///
    /// # Errors
    ///
    /// [`Error`] if a tree cannot be read.
    pub fn id_of_tree_without(&self, tree: Oid, path: &str) -> Result<Oid, Error> {
        self.edit_tree(Some(tree), path, None, &|entries| {
            self.id_of(Kind::Tree, &encode_tree(entries)?).map(|id| from_gix(&id))
        })
    }

    fn edit_tree(
        &self,
        tree: Option<Oid>,
        path: &str,
        entry: Option<TreeEntry>,
        save: &dyn Fn(&[TreeEntry]) -> Result<Oid, Error>,
    ) -> Result<Oid, Error> {
        let mut entries = tree.map_or_else(|| Ok(Vec::new()), |tree| self.tree(tree))?;
        let (name, rest) = path.split_once('/').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let place = entries.iter().position(|entry| entry.name == name.as_bytes());
        let replacement = match rest {
            None => entry.map(|entry| TreeEntry { name: name.into(), ..entry }),
            Some(rest) => {
                let below =
                    place.map(|idx| &entries[idx]).filter(|entry| entry.is_tree()).map(|entry| entry.oid);
                let below = self.edit_tree(below, rest, entry, save)?;
                (!to_gix(below).is_empty_tree()).then(|| TreeEntry::tree(name, below))
            }
        };
        if let Some(idx) = place {
            entries.remove(idx);
        }
        entries.extend(replacement);
        save(&entries)
    }

    /// Writes a commit, dated now, and returns its id.
    ///
    /// # Errors
    ///
    /// [`Error`] if it cannot be written or signed.
    pub fn write_commit(&self, new: &NewCommit<'_>) -> Result<Oid, Error> {
        let seconds = i64::try_from(clock::now_ms() / 1000).unwrap_or(0);
        let local = if new.for_people { self.time_of_commit(seconds) } else { None };
        let signature = |who: &Identity| gix::actor::Signature {
            name: who.name.as_str().into(),
            email: who.email.as_str().into(),
            time: local.unwrap_or(gix::date::Time { seconds, offset: 0 }),
        };
        let mut commit = gix::objs::Commit {
            tree: to_gix(new.tree),
            parents: new.parents.iter().map(|parent| to_gix(*parent)).collect(),
            author: signature(new.author),
            committer: signature(new.committer),
            encoding: None,
            message: new.message.as_str().into(),
            extra_headers: Vec::new(),
        };
        if new.for_people
            && let Some(options) =
                self.gix.commit_signing_options_if_enabled().map_err(Error::gix("read how to sign"))?
        {
            commit = commit.sign(options).map_err(|err| Error::Damaged(format!("failed to sign: {err}")))?;
        }
        let mut buf = Vec::new();
        commit.write_to(&mut buf).map_err(Error::io("encode a commit"))?;
        self.write(Kind::Commit, &buf)
    }

    /// The committer date of the environment, or now in the local zone.
    fn time_of_commit(&self, seconds: i64) -> Option<gix::date::Time> {
        if env::var_os("GIT_COMMITTER_DATE").is_some() {
            return self.gix.committer()?.ok()?.time().ok();
        }
        Some(gix::date::Time { seconds, offset: clock::offset_s(seconds) })
    }

    pub(super) fn write(&self, kind: Kind, bytes: &[u8]) -> Result<Oid, Error> {
        fail::point("object.write");
        let id = self.id_of(kind, bytes)?;
        // To look into packs would cost more than to write what was not read before twice.
        if !self.is_seen(&id) && !self.is_loose(&id) {
            fail::room()
                .and_then(|()| self.write_loose(&id, kind, bytes))
                .map_err(|err| Error::Damaged(format!("failed to write a {kind}: {err}")))?;
            if self.wants_fsync("loose-object") {
                self.fsync_loose(from_gix(&id));
            }
            self.saw(&id);
        }
        Ok(from_gix(&id))
    }

    /// Puts a loose object on the disk; a packed one is there already.
    pub fn fsync_loose(&self, oid: Oid) {
        let hex = oid.to_string();
        let dir = self.common_dir.join("objects").join(&hex[..2]);
        for path in [dir.join(&hex[2..]), dir] {
            if let Ok(file) = std::fs::File::open(&path) {
                drop(file.sync_all());
            }
        }
    }
}

fn encode_tree(entries: &[TreeEntry]) -> Result<Vec<u8>, Error> {
    let mut tree = gix::objs::Tree { entries: Vec::with_capacity(entries.len()) };
    for entry in entries {
        let mode = gix::objs::tree::EntryMode::try_from(entry.mode).unwrap_or(EntryKind::Blob.into());
        let filename = BString::from(entry.name.clone());
        tree.entries.push(gix::objs::tree::Entry { mode, filename, oid: to_gix(entry.oid) });
    }
    tree.entries.sort();
    let mut buf = Vec::new();
    tree.write_to(&mut buf).map_err(Error::io("encode a tree"))?;
    Ok(buf)
}
