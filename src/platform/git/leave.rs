//! Taking out of a repository what was put into it: what refs leave, and settings.

use std::path::Path;

use super::{Error, Repo};
use crate::platform::{fail, fs};

impl Repo {
    /// Removes the folders that refs below `prefix`, with its slash, have left empty.
    pub fn tidy_refs(&self, prefix: &str) {
        for root in [Path::new(""), Path::new("logs")] {
            fs::remove_empty_dirs(&self.common_dir().join(root).join(prefix));
        }
    }

    /// Takes every value of a key out of this repository's own configuration, or only those that are `value`.
    /// It may be gone. What we added goes byte for byte.
    ///
    /// # Errors
    ///
    /// [`Error::Git`] if git refuses, [`Error::Locked`] if somebody holds the file, [`Error::Io`] if it
    /// cannot be written.
    pub fn config_remove(&self, key: &str, value: Option<&str>) -> Result<(), Error> {
        self.config_take_back(|added| added == key)?;
        let scopes = if self.config_bool("extensions.worktreeConfig").unwrap_or(false) {
            &["--local", "--worktree"][..]
        } else {
            &["--local"]
        };
        for scope in scopes {
            let with = |action: &'static str| -> Vec<&str> {
                let fixed = value.map(|_| "--fixed-value");
                ["config", scope].into_iter().chain(fixed).chain([action, key]).chain(value).collect()
            };
            // Git fails as well where there is nothing to take out.
            if self.git_output(&with("--get-all")).is_err() {
                continue;
            }
            self.git_output(&with("--unset-all"))?;
            fail::point("config.removed");
        }
        Ok(())
    }
}
