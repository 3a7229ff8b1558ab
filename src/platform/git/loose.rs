//! Loose objects: one file each, a zlib stream of `<kind> <size>\0` and the bytes.
//!
//! gix can read and write them too, but sets up a compressor of 380 KiB for each object that it
//! writes, and a decompressor and a memory map for each that it reads; in a hook that was most of
//! the work. Here all share one of each. Our objects are small, so that little is won by making them
//! smaller: they are stored as they are, as git's own `core.looseCompression = 0` does
//! (docs/adr/0006). Git packs all of them in its own way later.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use foldhash::{HashMap, HashSet};
use gix::objs::Kind;
use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush, Status, adler32};

use super::{Repo, to_gix};

/// The largest stream that is stored without compression; with its frame it fits into 16 KiB. To
/// set up a compressor costs as much as to write three more blocks of the file system.
const MAX_STORED: usize = 16 * 1024 - 16;

/// Git's `core.looseCompression`, which is "best speed" unless configured.
const LEVEL: i32 = 1;

/// A window of 8 KiB: our lines resemble their neighbours, and less has to be set up.
const WINDOW_BITS: u8 = 13;

/// Files of this prefix are removed by `git prune` and `git gc` when a write was interrupted.
pub(super) const TEMPORARY: &str = "tmp_obj_";

type Object = (Kind, Box<[u8]>);

/// What reading and writing loose objects shares.
pub(super) struct Loose {
    /// Made when the first object needs it.
    deflate: RefCell<Option<Deflate>>,
    inflate: RefCell<Option<Inflate>>,
    /// Small objects that were read: trees and commits are asked for again and again.
    read: RefCell<HashMap<gix::ObjectId, Object>>,
    /// Objects that were read or written, so that nobody looks whether they are here.
    known: RefCell<HashSet<gix::ObjectId>>,
    /// How often a file may still be looked for in vain before packs are asked first.
    patience: Cell<u8>,
}

impl Default for Loose {
    fn default() -> Self {
        Self {
            deflate: RefCell::default(),
            inflate: RefCell::default(),
            read: RefCell::default(),
            known: RefCell::default(),
            patience: Cell::new(MAX_PATIENCE),
        }
    }
}

const MAX_PATIENCE: u8 = 4;

/// What is kept of the objects that were read: at most this many of at most this size.
const MAX_KEPT: (usize, usize) = (256, 4096);

/// How often the folder of an object is made again while somebody else removes it.
const MAX_FOLDERS: usize = 64;

/// Of how many objects it is remembered that they are here.
const MAX_KNOWN: usize = 1024;

/// What a look for a file tells.
pub(super) enum Looked {
    Found(Kind, Vec<u8>),
    /// There is no file, it is damaged or too large, or packs are to be asked first.
    Elsewhere,
}

impl Repo {
    /// Looks for a loose object of at most `max` bytes.
    pub(super) fn read_loose(&self, id: &gix::oid, max: u64) -> Looked {
        let Loose { read, patience, .. } = &self.loose;
        if let Some((kind, bytes)) = read.borrow().get(id) {
            return Looked::Found(*kind, bytes.to_vec());
        }
        let left = patience.get();
        if left == 0 {
            return Looked::Elsewhere;
        }
        let Ok(file) = File::open(self.loose_path(id)) else {
            patience.set(left - 1);
            return Looked::Elsewhere;
        };
        patience.set(MAX_PATIENCE);
        let Some((kind, bytes)) = read_whole(file).ok().and_then(|stream| self.inflate(&stream, max)) else {
            return Looked::Elsewhere;
        };
        self.keep_small(id, kind, &bytes);
        Looked::Found(kind, bytes)
    }

    /// Keeps an object that was read, if it is small.
    pub(super) fn keep_small(&self, id: &gix::oid, kind: Kind, bytes: &[u8]) {
        let mut read = self.loose.read.borrow_mut();
        if bytes.len() <= MAX_KEPT.1 && read.len() < MAX_KEPT.0 {
            read.insert(id.to_owned(), (kind, bytes.into()));
        }
    }

    /// Remembers that an object is here.
    pub(super) fn saw(&self, id: &gix::oid) {
        let mut known = self.loose.known.borrow_mut();
        if known.len() < MAX_KNOWN {
            known.insert(id.to_owned());
        }
    }

    pub(super) fn is_seen(&self, id: &gix::oid) -> bool {
        self.loose.known.borrow().contains(id)
    }

    /// Returns whether an object has a file. Else it may be in a pack.
    pub(super) fn is_loose(&self, id: &gix::oid) -> bool {
        self.loose_path(id).is_file()
    }

    /// Whether objects are found in packs rather than in files, by those that were read.
    pub(super) fn reads_packs(&self) -> bool {
        self.loose.patience.get() == 0
    }

    fn loose_path(&self, id: &gix::oid) -> PathBuf {
        let hex = id.to_string();
        let mut path = self.gix.objects.store_ref().path().join(&hex[..2]);
        path.push(&hex[2..]);
        path
    }

    fn inflate(&self, stream: &[u8], max: u64) -> Option<(Kind, Vec<u8>)> {
        const FIRST: usize = 4096;

        let mut slot = self.loose.inflate.borrow_mut();
        if let Some(used) = slot.as_mut() {
            used.reset(true);
        }
        let inflate = slot.get_or_insert_with(|| Inflate::new(true, 15));
        let mut plain = vec![0; FIRST];
        let mut status = inflate.decompress(stream, &mut plain, InflateFlush::NoFlush).ok()?;
        let n_written = usize::try_from(inflate.total_out()).ok()?;
        let (kind, size, n_header) = gix::objs::decode::loose_header(&plain[..n_written]).ok()?;
        if size > max {
            return None;
        }
        let n_whole = n_header + usize::try_from(size).ok()?;
        // One byte more would show a stream that is longer than it says.
        plain.resize(n_whole + 1, 0);
        if status != Status::StreamEnd {
            let n_read = usize::try_from(inflate.total_in()).ok()?;
            let rest = plain.get_mut(n_written..)?;
            status = inflate.decompress(&stream[n_read..], rest, InflateFlush::Finish).ok()?;
        }
        if status != Status::StreamEnd || inflate.total_out() != n_whole as u64 {
            return None;
        }
        plain.truncate(n_whole);
        plain.drain(..n_header);
        Some((kind, plain))
    }

    pub(super) fn write_loose(&self, id: &gix::oid, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        let mut plain = gix::objs::encode::loose_header(kind, bytes.len() as u64).to_vec();
        plain.extend_from_slice(bytes);
        let stream = if plain.len() <= MAX_STORED { store(&plain) } else { self.deflate(&plain)? };

        let path = std::path::absolute(self.loose_path(id))?;
        let dir = path.parent().unwrap_or(Path::new("."));
        let mut file = temporary(dir);
        for _ in 0..MAX_FOLDERS {
            if !file.as_ref().is_err_and(|err| err.kind() == io::ErrorKind::NotFound) {
                break;
            }
            // A `git gc` at work removes empty folders, also the one that was just made.
            std::fs::create_dir_all(dir)?;
            file = temporary(dir);
        }
        let mut file = file?;
        file.write_all(&stream)?;
        file.persist(path)?;
        Ok(())
    }

    fn deflate(&self, plain: &[u8]) -> io::Result<Vec<u8>> {
        let mut slot = self.loose.deflate.borrow_mut();
        if let Some(used) = slot.as_mut() {
            used.reset();
        }
        let deflate = slot.get_or_insert_with(|| Deflate::new(LEVEL, true, WINDOW_BITS));
        let mut stream = vec![0; zlib_rs::compress_bound(plain.len())];
        match deflate.compress(plain, &mut stream, DeflateFlush::Finish) {
            Ok(Status::StreamEnd) => {
                let len = usize::try_from(deflate.total_out()).unwrap_or(stream.len());
                stream.truncate(len);
                Ok(stream)
            }
            Ok(_) => Err(io::Error::other("the compressed object is longer than its bound")),
            Err(err) => Err(io::Error::other(err.as_str())),
        }
    }
}

fn read_whole(mut file: File) -> io::Result<Vec<u8>> {
    // Most are shorter than this, and a regular file is only read short at its end.
    let mut bytes = vec![0; 4096];
    let n_read = file.read(&mut bytes)?;
    let is_whole = n_read < bytes.len();
    bytes.truncate(n_read);
    if !is_whole {
        file.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn temporary(dir: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;

        builder.permissions(std::fs::Permissions::from_mode(0o444));
    }
    builder.tempfile_in(dir)
}

/// Returns a zlib stream (RFC 1950) of one stored block (RFC 1951, 3.2.4).
fn store(plain: &[u8]) -> Vec<u8> {
    let len = u16::try_from(plain.len()).unwrap_or(u16::MAX);
    let mut stream = Vec::with_capacity(plain.len() + 11);
    // Deflate with a window of 32 KiB at the fastest level; then the last block, stored.
    stream.extend_from_slice(&[0x78, 0x01, 0x01]);
    stream.extend_from_slice(&len.to_le_bytes());
    stream.extend_from_slice(&(!len).to_le_bytes());
    stream.extend_from_slice(plain);
    stream.extend_from_slice(&adler32::adler32(1, plain).to_be_bytes());
    stream
}

/// The objects of a repository as gix's own algorithms ask for them.
pub(super) struct Objects<'a>(pub(super) &'a Repo);

impl gix::objs::Find for Objects<'_> {
    fn try_find<'a>(
        &self,
        id: &gix::oid,
        buffer: &'a mut Vec<u8>,
    ) -> gix::Result<Option<gix::objs::Data<'a>>> {
        self.0.gix.objects.try_find(id, buffer)
    }
}

impl gix::objs::Write for Objects<'_> {
    fn write_buf_with_known_id(
        &self,
        kind: Kind,
        from: &[u8],
        _id: gix::ObjectId,
    ) -> gix::Result<gix::ObjectId> {
        self.write_buf(kind, from)
    }

    fn write_stream(&self, kind: Kind, _size: u64, from: &mut dyn io::Read) -> gix::Result<gix::ObjectId> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).map_err(gix::Error::from_error)?;
        self.0.write(kind, &bytes).map(to_gix).map_err(gix::Error::from_error)
    }

    fn write_stream_with_known_id(
        &self,
        kind: Kind,
        size: u64,
        from: &mut dyn io::Read,
        _id: gix::ObjectId,
    ) -> gix::Result<gix::ObjectId> {
        self.write_stream(kind, size, from)
    }
}
