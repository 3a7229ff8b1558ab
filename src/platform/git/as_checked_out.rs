//! Files whose bytes are not those that a checkout gives.
//!
//! Attributes (`text`, `eol`, `ident`, `working-tree-encoding`) let git take different bytes for one
//! object. Who runs them sees a difference, so a file counts as what it is committed as only with the
//! bytes of a checkout: with the settings of this clone, or with none. A file that a filter of the user
//! converts is believed, since the user chose what that hides.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::index::entry::Mode;

use super::run::failed;
use super::{Error, Repo};
use crate::domain::id::Oid;
use crate::platform::env;
use crate::platform::process::{self, Limits};

/// What decides how a file is converted.
const ATTRIBUTES: &[&str] = &["text", "crlf", "eol", "ident", "working-tree-encoding", "filter"];

/// Lets a checkout convert by attributes alone.
const BY_ATTRIBUTES: &[&str] = &["-c", "core.autocrlf=false", "-c", "core.eol=lf"];

/// Files that are not as a checkout gives them, by path, with the mode and an id of their bytes that no
/// file of a commit has.
pub(super) type Unlike = BTreeMap<BString, (u32, Oid)>;

/// How git may convert a file.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "git lets each be set by itself")]
struct Attributes {
    text: Text,
    to_crlf: bool,
    ident: bool,
    encoded: bool,
    filtered: bool,
}

/// Whether the ends of lines are converted.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Text {
    /// As the settings say.
    #[default]
    Unspecified,
    No,
    /// Unless it looks like no text.
    Auto,
    Yes,
}

impl Repo {
    /// Returns which files of the private index in `draft` a checkout would write with other bytes than
    /// they have.
    pub(super) fn unlike_checkout(&self, draft: &Path, index: &gix::index::File) -> Result<Unlike, Error> {
        let Some(root) = self.work_dir() else { return Ok(Unlike::new()) };
        let files: Vec<(&BStr, &gix::index::Entry)> = index
            .entries()
            .iter()
            .filter(|entry| matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE))
            .map(|entry| (entry.path(index), entry))
            .collect();
        let is_by_settings = self.converts_by_settings();
        if !is_by_settings && !self.has_attributes(root, files.iter().map(|(path, _)| *path)) {
            return Ok(Unlike::new());
        }
        let attributes = self.attributes(draft, files.iter().map(|(path, _)| *path))?;
        let mut suspects = Vec::new();
        for (path, entry) in files {
            let attributes = attributes.get(path).copied().unwrap_or_default();
            let place = root.join(path.to_path_lossy());
            let reading = Error::io(format!("read `{}`", place.display()));
            if !attributes.filtered
                && let Some(bytes) = suspicious(&place, attributes, is_by_settings).map_err(reading)?
            {
                suspects.push((path, entry.mode.bits(), bytes));
            }
        }
        let here = self.checked_out(draft, "here", &[], &suspects)?;
        suspects.retain(|(path, _, bytes)| !is_at(&here, path, bytes));
        if is_by_settings {
            let plain = self.checked_out(draft, "plain", BY_ATTRIBUTES, &suspects)?;
            suspects.retain(|(path, _, bytes)| !is_at(&plain, path, bytes));
        }
        // Not the id of a file: whatever was committed with it would again be checked out otherwise.
        let oid = |bytes: &[u8]| {
            let oid = gix::objs::compute_hash(self.gix.object_hash(), gix::objs::Kind::Tag, bytes);
            oid.map(|oid| super::from_gix(&oid)).map_err(|err| Error::Damaged(err.to_string()))
        };
        suspects.into_iter().map(|(path, mode, bytes)| Ok((path.to_owned(), (mode, oid(&bytes)?)))).collect()
    }

    /// Whether a setting converts files that no attribute speaks of.
    fn converts_by_settings(&self) -> bool {
        let value = |key: &str| self.config(key).unwrap_or_default().to_ascii_lowercase();
        self.config_bool("core.autocrlf") == Some(true)
            || value("core.autocrlf") == "input"
            || value("core.eol") == "crlf"
    }

    /// Whether there is any file of attributes. Those of the system are not used here.
    fn has_attributes<'p>(&self, root: &Path, paths: impl Iterator<Item = &'p BStr>) -> bool {
        let has_bytes = |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.len() > 0);
        if has_bytes(&self.common_dir().join("info/attributes")) {
            return true;
        }
        let of_user = self.config_path("core.attributesFile").or_else(|| {
            let config = env::var("XDG_CONFIG_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
            let config = config.or_else(|| Some(PathBuf::from(env::var("HOME")?).join(".config")))?;
            Some(config.join("git/attributes"))
        });
        if of_user.is_some_and(|path| has_bytes(&path)) {
            return true;
        }
        let mut folders: HashSet<&[u8]> = HashSet::from([&b""[..]]);
        for path in paths {
            let mut path: &[u8] = path;
            while let Some(end) = memchr::memrchr(b'/', path) {
                path = &path[..end];
                if !folders.insert(path) {
                    break;
                }
            }
        }
        folders.into_iter().any(|folder| has_bytes(&root.join(folder.to_path_lossy()).join(".gitattributes")))
    }

    fn attributes<'p>(
        &self,
        draft: &Path,
        paths: impl Iterator<Item = &'p BStr>,
    ) -> Result<BTreeMap<BString, Attributes>, Error> {
        let mut stdin = Vec::new();
        for path in paths {
            stdin.extend_from_slice(path);
            stdin.push(0);
        }
        let args = [&["check-attr", "-z", "--stdin"], ATTRIBUTES].concat();
        let said = self.fed(draft, &args, &stdin)?;
        let mut found: BTreeMap<BString, Attributes> = BTreeMap::new();
        let words: Vec<&[u8]> = said.split(|byte| *byte == 0).collect();
        for [path, name, value] in words.as_chunks::<3>().0 {
            if *value == b"unspecified" {
                continue;
            }
            let attributes = found.entry((*path).into()).or_default();
            let is_on = *value != b"unset";
            match *name {
                b"text" if *value == b"auto" => attributes.text = Text::Auto,
                b"text" => attributes.text = if is_on { Text::Yes } else { Text::No },
                // These come after `text`, which decides.
                b"crlf" if attributes.text == Text::Unspecified => {
                    attributes.text = if is_on { Text::Yes } else { Text::No };
                }
                b"eol" if is_on && attributes.text == Text::Unspecified => attributes.text = Text::Yes,
                b"ident" => attributes.ident = is_on,
                b"working-tree-encoding" => attributes.encoded = is_on,
                b"filter" => attributes.filtered = is_on && self.is_filter_of_user(&value.to_str_lossy()),
                _ => (),
            }
            attributes.to_crlf |= *name == b"eol" && *value == b"crlf";
        }
        Ok(found)
    }

    /// Writes what a checkout gives to a folder of its own.
    fn checked_out(
        &self,
        draft: &Path,
        name: &str,
        settings: &[&str],
        files: &[(&BStr, u32, Vec<u8>)],
    ) -> Result<PathBuf, Error> {
        let folder = draft.join(name);
        if files.is_empty() {
            return Ok(folder);
        }
        let stdin = files.iter().flat_map(|(path, ..)| path.iter().copied().chain([0])).collect::<Vec<u8>>();
        let prefix = format!("--prefix={}/", folder.display());
        let args = [settings, &["checkout-index", "-z", "--stdin", "--force", "--quiet", &prefix]].concat();
        self.fed(draft, &args, &stdin)?;
        Ok(folder)
    }

    pub(super) fn fed(&self, draft: &Path, args: &[&str], stdin: &[u8]) -> Result<Vec<u8>, Error> {
        let mut git = self.private(draft);
        let output = process::run(git.args(args), Some(stdin), Limits::default(), |_| ())?;
        if output.status.success() { Ok(output.stdout) } else { Err(failed(args, &output.stderr)) }
    }
}

/// Returns what a file holds if git may have taken it for something else.
fn suspicious(place: &Path, attributes: Attributes, by_settings: bool) -> io::Result<Option<Vec<u8>>> {
    let Some(holds) = Holds::of(place)? else { return Ok(None) };
    let is_text = match attributes.text {
        Text::No => false,
        Text::Yes => true,
        Text::Auto => !holds.zero,
        Text::Unspecified => by_settings && !holds.zero,
    };
    let is_suspicious = attributes.encoded
        || (attributes.ident && holds.ident)
        || (is_text && (attributes.to_crlf || holds.crlf));
    if is_suspicious { fs::read(place).map(Some) } else { Ok(None) }
}

/// What in a file git may convert.
struct Holds {
    crlf: bool,
    ident: bool,
    zero: bool,
}

impl Holds {
    /// Looks through a file piece by piece; `None` if it went, which whoever compares sees.
    fn of(place: &Path) -> io::Result<Option<Self>> {
        const IDENT: &[u8] = b"$Id";

        let mut file = match File::open(place) {
            Ok(file) => file,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(err) => return Err(err),
        };
        let mut holds = Self { crlf: false, ident: false, zero: false };
        let mut piece = vec![0; 64 * 1024];
        let mut kept = 0;
        loop {
            let n_read = file.read(&mut piece[kept..])?;
            if n_read == 0 {
                return Ok(Some(holds));
            }
            let bytes = &piece[..kept + n_read];
            holds.crlf |= memchr::memmem::find(bytes, b"\r\n").is_some();
            holds.ident |= memchr::memmem::find(bytes, IDENT).is_some();
            holds.zero |= memchr::memchr(0, bytes).is_some();
            // What is looked for may lie across two pieces.
            let end = bytes.len();
            kept = end.min(IDENT.len() - 1);
            piece.copy_within(end - kept..end, 0);
        }
    }
}

fn is_at(folder: &Path, path: &BStr, bytes: &[u8]) -> bool {
    fs::read(folder.join(path.to_path_lossy())).is_ok_and(|written| written == bytes)
}
