//! Taking out of a repository what was put into it: refs and settings.

use std::path::Path;

use super::{Error, Repo};
use crate::domain::id::Oid;
use crate::platform::process::{self, Limits};
use crate::platform::{fail, fs};

impl Repo {
    /// Removes refs with their reflogs, all or none: each must still be at the value that is given.
    ///
    /// # Errors
    ///
    /// [`Error::Git`] if one has moved, or is held by somebody.
    pub fn remove_refs(&self, refs: &[(String, Oid)]) -> Result<(), Error> {
        if refs.is_empty() {
            return Ok(());
        }
        let mut commands = Vec::new();
        for (name, oid) in refs {
            commands.extend_from_slice(format!("delete {name}\0{oid}\0").as_bytes());
        }
        let args = ["update-ref", "--no-deref", "--stdin", "-z"];
        let output = process::run(self.git().args(args), Some(&commands), Limits::default(), |_| ())?;
        if !output.status.success() {
            return Err(super::run::failed(&args, &output.stderr));
        }
        fail::point("refs.removed");
        Ok(())
    }

    /// Removes the folders that refs below `prefix`, with its slash, have left empty.
    pub fn tidy_refs(&self, prefix: &str) {
        for root in [Path::new(""), Path::new("logs")] {
            fs::remove_empty_dirs(&self.common_dir().join(root).join(prefix));
        }
    }

    /// Takes every value of a key out of this repository's own configuration, or only those that are `value`.
    /// It may be gone.
    ///
    /// # Errors
    ///
    /// [`Error::Git`] if git refuses, as for a file that somebody has locked.
    pub fn config_remove(&self, key: &str, value: Option<&str>) -> Result<(), Error> {
        let scopes = if self.config_bool("extensions.worktreeConfig").unwrap_or(false) {
            &["--local", "--worktree"][..]
        } else {
            &["--local"]
        };
        for scope in scopes {
            let mut args = vec!["config", *scope, "--fixed-value", "--get-all", key];
            args.extend(value);
            // Git fails as well where there is nothing to take out.
            if self.git_output(&args).is_err() {
                continue;
            }
            args[3] = "--unset-all";
            self.git_output(&args)?;
            fail::point("config.removed");
        }
        Ok(())
    }
}
