//! Objects in packs, which gix reads.

use std::cell::{OnceCell, RefCell};

use gix::objs::Kind;
use gix::odb::pack::Find as _;
use gix::odb::pack::cache::lru::MemoryCappedHashmap;

use super::Repo;

/// How many bytes of objects are kept to apply the deltas of others to: git packs the segments of
/// streams as deltas of each other.
const DELTA_BASES: usize = 4 * 1024 * 1024;

/// A larger buffer is not kept for the next object.
const MAX_BUFFER: usize = 1024 * 1024;

/// What reading packed objects shares.
#[derive(Default)]
pub(super) struct Packs {
    /// Made when the first object needs it.
    odb: OnceCell<gix::OdbHandle>,
    /// Deltas are applied in it, for which more room is needed than the object takes.
    buffer: RefCell<Vec<u8>>,
}

impl Repo {
    /// Reads an object from a pack, or from a file that was not believed or not looked for.
    pub(super) fn read_packed(&self, id: &gix::oid) -> Result<Option<(Kind, Vec<u8>)>, String> {
        let mut buffer = self.packs.buffer.borrow_mut();
        buffer.clear();
        let found = self.odb().try_find(id, &mut buffer).map_err(|err| err.to_string())?;
        let Some((kind, place)) = found.map(|(data, place)| (data.kind, place)) else { return Ok(None) };
        // Outside a pack gix may have read a damaged file: it does not look at the checksum.
        if place.is_none() && gix::objs::compute_hash(id.kind(), kind, &buffer).ok().as_deref() != Some(id) {
            return Err("its file is damaged".to_owned());
        }
        let bytes = buffer.as_slice().to_vec();
        if buffer.capacity() > MAX_BUFFER {
            *buffer = Vec::new();
        }
        Ok(Some((kind, bytes)))
    }

    /// Each object of ours is read once, so that none but the bases of deltas are worth keeping.
    fn odb(&self) -> &gix::odb::Handle {
        self.packs.odb.get_or_init(|| {
            let mut odb = self.gix.objects.clone();
            odb.unset_object_cache();
            odb.set_pack_cache(|| Box::new(MemoryCappedHashmap::new(DELTA_BASES)));
            odb
        })
    }
}
