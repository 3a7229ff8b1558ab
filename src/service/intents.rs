//! Notes of what a command is about to do, so that the next one can settle it if this one dies.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::Context;
use super::error::Error;
use crate::domain::id::Name;
use crate::platform::fs;
use crate::platform::lock::Lock;

/// What one kind of command notes before it begins.
pub(super) trait Intent: Sized {
    /// How the names of the files begin.
    const PREFIX: &'static str;
    /// The lock of whoever is at work on one.
    const LOCK: &'static str;
    /// The stored form; lives in the common directory for as long as one command runs.
    type Stored: Serialize + DeserializeOwned;

    fn name(&self) -> &Name;

    fn to_stored(&self) -> Self::Stored;

    /// Returns what a note says; `None` if it says nothing that this release could have written.
    fn from_stored(stored: Self::Stored) -> Option<Self>;

    /// Puts it on the disk.
    fn write(&self, ctx: &Context) -> Result<(), Error> {
        let bytes =
            serde_json::to_vec(&self.to_stored()).map_err(|err| Error::io("encode an intent")(err.into()))?;
        fs::replace_file(&path(ctx, self), &bytes, true).map_err(Error::io("note what is about to be done"))
    }

    fn remove(&self, ctx: &Context) -> Result<(), Error> {
        fs::remove_if_there(&path(ctx, self)).map_err(Error::io("remove the note of what was done"))
    }
}

fn folder(ctx: &Context) -> PathBuf {
    ctx.repo.state_dir().join("intents")
}

fn path<I: Intent>(ctx: &Context, intent: &I) -> PathBuf {
    folder(ctx).join(format!("{}{}.json", I::PREFIX, intent.name()))
}

/// Returns all that were begun and not ended. One that cannot be read is none, nor is one that lies where another
/// protocol's does: nothing would remove it.
pub(super) fn read<I: Intent>(ctx: &Context) -> Vec<I> {
    let entries = std::fs::read_dir(folder(ctx)).into_iter().flatten().flatten();
    // An unfinished file beside it is no intent, however complete it looks.
    let ours = entries.filter(|it| it.file_name().to_str().is_some_and(|name| name.starts_with(I::PREFIX)));
    let read = |entry: std::fs::DirEntry| {
        let intent: I = parse(&std::fs::read(entry.path()).ok()?)?;
        (path(ctx, &intent) == entry.path()).then_some(intent)
    };
    ours.filter_map(read).collect()
}

pub(super) fn parse<I: Intent>(bytes: &[u8]) -> Option<I> {
    I::from_stored(serde_json::from_slice(bytes).ok()?)
}

/// Returns the lock if something is to be settled and nobody is at work on it.
pub(super) fn lock_left_over<I: Intent>(ctx: &Context) -> Option<Lock> {
    if read::<I>(ctx).is_empty() {
        return None;
    }
    Lock::acquire(&ctx.repo.state_dir().join("locks").join(I::LOCK), Duration::ZERO).ok()
}

/// Returns the protocols of what was interrupted, while nothing of the kind is being done.
pub(super) fn interrupted<I: Intent>(ctx: &Context) -> Vec<Name> {
    let Some(_guard) = lock_left_over::<I>(ctx) else { return Vec::new() };
    read::<I>(ctx).iter().map(|intent| intent.name().clone()).collect()
}
