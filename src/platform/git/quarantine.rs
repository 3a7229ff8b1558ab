//! Objects that were pushed and are not in the repository yet.
//!
//! While git asks `pre-receive`, they lie in a folder of their own, which gix knows nothing of. They are read
//! by way of a folder that borrows from there and from the repository; nothing is written to either.

use std::path::PathBuf;

use super::{Error, Repo};
use crate::platform::env;
use crate::platform::fs::{self, DraftFolder};

/// A repository as it will be once a push is accepted. Its refs are not there.
pub struct Quarantined {
    pub repo: Repo,
    _dir: DraftFolder,
}

impl Repo {
    /// Returns a reader of what was pushed as well; `None` if git keeps nothing apart.
    ///
    /// # Errors
    ///
    /// [`Error`] if there is no room for a folder, or what was pushed cannot be opened.
    pub fn quarantined(&self) -> Result<Option<Quarantined>, Error> {
        let Some(pushed) = env::var_os("GIT_QUARANTINE_PATH").map(PathBuf::from) else { return Ok(None) };
        let failed = || Error::io("look at what was pushed");
        let dir = DraftFolder::new(&std::env::temp_dir()).map_err(failed())?;
        let pushed = std::path::absolute(pushed).map_err(failed())?;
        let own = self.common_dir.join("objects");
        let mut borrowed = Vec::new();
        for path in [&pushed, &own] {
            borrowed.extend_from_slice(path.as_os_str().as_encoded_bytes());
            borrowed.push(b'\n');
        }
        let format = if self.gix.object_hash() == gix::hash::Kind::Sha1 { "sha1" } else { "sha256" };
        let version = u8::from(format == "sha256");
        let extension = if version == 1 { "[extensions]\n\tobjectFormat = sha256\n" } else { "" };
        let config = format!("[core]\n\trepositoryformatversion = {version}\n\tbare = true\n{extension}");
        let write = |name: &str, bytes: &[u8]| fs::write_new_file(&dir.path().join(name), bytes, false);
        std::fs::create_dir_all(dir.path().join("objects/info"))
            .and_then(|()| std::fs::create_dir_all(dir.path().join("refs")))
            .and_then(|()| write("HEAD", b"ref: refs/heads/none\n"))
            .and_then(|()| write("config", config.as_bytes()))
            .and_then(|()| write("objects/info/alternates", &borrowed))
            .map_err(failed())?;
        let repo = Self::open(dir.path()).map_err(|err| Error::Damaged(err.to_string()))?;
        Ok(Some(Quarantined { repo, _dir: dir }))
    }
}
