//! What `list` shows, remembered by what it was computed from. Deleting it changes nothing but time.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::path::PathBuf;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::domain::fold::FOLD_VERSION;
use crate::platform::git::Repo;
use crate::platform::simulated;

/// Changes with [`Row`], whose bytes do not say which fields they are of.
const ROW_VERSION: u32 = 6;

/// One protocol in a list. All but `unshared_events`, `merged_here` and `branch_here` is the same in
/// clones that agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked by itself")]
pub struct Row {
    /// What it is shown as.
    pub name: String,
    /// The name of its stream.
    pub key: String,
    pub id: String,
    pub number: u64,
    pub slug: String,
    pub title: String,
    pub status: String,
    pub branch: String,
    /// What its branch is called here.
    pub branch_here: String,
    /// The names that it has or had beside that of its stream.
    pub other_names: Vec<String>,
    pub base: String,
    pub base_commit: String,
    pub current_step: Option<String>,
    /// The status that the current step shows.
    pub current_status: Option<String>,
    pub steps_total: usize,
    pub steps_completed: usize,
    pub steps_settled: usize,
    pub blocked_reason: Option<Reason>,
    pub merged: Option<Merged>,
    /// The remote that a merge which only this clone has must be pushed to.
    pub merged_here: Option<String>,
    pub unshared_events: usize,
    pub updated_at_ms: u64,
    pub unmatched_ci_reports: usize,
    /// How many events are known, whatever became of them.
    pub n_events: usize,
    /// The ids that several events of the stream have; with the incumbent only.
    pub duplicate_ids: Vec<String>,
    /// The protocols beside it whose events somebody put into its stream; with the incumbent only.
    pub others: Vec<String>,
    /// Whether somebody wants it out of the archive.
    pub pinned: bool,
    /// Whether some archive has an entry of it.
    pub has_entry: bool,
    /// Whether all of it is in the archive, and only there.
    pub archived: bool,
    /// Whether protocols of this name went on under other ones; with the incumbent only.
    pub has_moved: bool,
    /// What its runs used, by the day on which they began; the earliest first.
    pub spent: Vec<DaySpent>,
}

/// What runs used that began on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaySpent {
    /// Days since 1970, in UTC.
    pub day: u64,
    pub input_tokens: Option<u64>,
    pub cached_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub cost_micros: Option<u64>,
    pub tokens: u64,
    pub estimated_tokens: u64,
    pub unknown_costs: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub code: String,
    pub message: String,
    pub remedy: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    pub rule: String,
    pub into: String,
    pub commit: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct File {
    /// The program and the fold that computed it.
    version: String,
    entries: HashMap<String, Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    key: Key,
    rows: Vec<Rc<Row>>,
}

/// What rows were computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The stream's own inputs.
    pub stream: u64,
    /// The branches that could hold a merge; of no interest once the protocol is completed.
    pub bases: u64,
}

/// The cache as it was read, and what this process adds to it.
#[derive(Debug)]
pub struct Cache {
    path: PathBuf,
    file: File,
    changed: bool,
}

/// Returns the key for everything that the rows of one stream are computed from.
pub fn key(inputs: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    inputs.hash(&mut hasher);
    hasher.finish()
}

/// The first bytes of the file, since a flipped bit would be shown as truth.
pub(super) fn checksum(bytes: &[u8]) -> [u8; 4] {
    zlib_rs::crc32::crc32(0, bytes).to_be_bytes()
}

impl Cache {
    /// Reads the cache of streams; what cannot be read is empty.
    pub fn load(repo: &Repo) -> Self {
        Self::load_file(repo, "list")
    }

    /// Reads the cache of protocols that only archives hold; what cannot be read is empty.
    pub fn load_archived(repo: &Repo) -> Self {
        Self::load_file(repo, "archived")
    }

    fn load_file(repo: &Repo, file: &str) -> Self {
        let path = repo.state_dir().join("cache").join(file);
        let fold = simulated::fold_version(FOLD_VERSION);
        let version = format!("{}+fold{fold}+{ROW_VERSION}", env!("CARGO_PKG_VERSION"));
        let bytes = crate::platform::fs::read_if_there(&path).ok().flatten().unwrap_or_default();
        let whole = bytes.split_first_chunk().filter(|(sum, rest)| **sum == checksum(rest));
        let file = whole.and_then(|(_, rest)| postcard::from_bytes::<File>(rest).ok());
        let file = file.filter(|file| file.version == version);
        Self { path, file: file.unwrap_or(File { version, entries: HashMap::new() }), changed: false }
    }

    /// Returns the rows of a stream if they were computed from the same inputs.
    pub fn get(&self, name: &str, key: Key) -> Option<&[Rc<Row>]> {
        let entry = self.file.entries.get(name).filter(|entry| entry.key.stream == key.stream)?;
        let over = entry.rows.iter().all(|row| row.status == "completed");
        (over || entry.key.bases == key.bases).then_some(&entry.rows)
    }

    /// Returns the rows of a stream as they were last computed, whatever has happened since.
    pub fn last_seen(&self, name: &str) -> &[Rc<Row>] {
        self.file.entries.get(name).map(|entry| entry.rows.as_slice()).unwrap_or_default()
    }

    pub fn put(&mut self, name: &str, key: Key, rows: Vec<Rc<Row>>) {
        self.file.entries.insert(name.to_owned(), Entry { key, rows });
        self.changed = true;
    }

    /// Writes the cache if it changed, without the streams that `keep` does not know. A cache that
    /// cannot be written is not missed.
    pub fn save(mut self, keep: impl Fn(&str) -> bool) {
        let n_before = self.file.entries.len();
        self.file.entries.retain(|name, _| keep(name));
        if (self.changed || self.file.entries.len() != n_before)
            && let Ok(bytes) = postcard::to_stdvec(&self.file)
        {
            let bytes = [checksum(&bytes).as_slice(), &bytes].concat();
            drop(crate::platform::fs::replace_file(&self.path, &bytes, false));
        }
    }
}
