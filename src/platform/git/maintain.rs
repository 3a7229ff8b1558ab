//! Letting git pack what was written, by its own rules.

use std::ffi::OsStr;

use super::{Error, Repo, run};

/// How many loose objects git thinks are many, unless configured.
const GC_AUTO: u64 = 6700;

/// Git looks into one of 256 folders of loose objects and takes it for all of them.
const SAMPLE: &str = "17";

impl Repo {
    /// Whether git may pack by itself: neither `gc.auto` nor `maintenance.auto` says no, and no
    /// `pre-auto-gc` hook wants to be asked, which our own git would not run.
    pub fn may_maintain(&self) -> bool {
        let config = self.gix.config_snapshot();
        config.boolean("maintenance.auto") != Some(false)
            && self.gc_auto() > 0
            && !self.hooks_dir().join("pre-auto-gc").exists()
    }

    fn gc_auto(&self) -> u64 {
        let said = self.gix.config_snapshot().integer("gc.auto");
        said.map_or(GC_AUTO, |number| u64::try_from(number).unwrap_or(0))
    }

    fn hooks_dir(&self) -> std::path::PathBuf {
        let config = self.gix.config_snapshot();
        let said = config.trusted_path("core.hooksPath").ok().flatten();
        let here = self.work_dir().unwrap_or(&self.git_dir);
        said.map_or_else(|| self.common_dir.join("hooks"), |path| here.join(path))
    }

    /// Whether there are as many loose objects as git thinks should be packed.
    pub fn has_many_loose_objects(&self) -> bool {
        let Ok(entries) = std::fs::read_dir(self.common_dir.join("objects").join(SAMPLE)) else {
            return false;
        };
        let is_object =
            |name: &OsStr| name.to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_hexdigit()));
        let n_objects = entries.flatten().filter(|entry| is_object(&entry.file_name())).count();
        u64::try_from(n_objects).unwrap_or(u64::MAX) > self.gc_auto().div_ceil(256)
    }

    /// Whether more than `max` refs below `prefixes` are files of their own.
    pub fn has_many_loose_refs(&self, prefixes: &[&str], max: usize) -> bool {
        let count = |prefix: &&str| self.loose_names(prefix).map_or(0, |names| names.len());
        prefixes.iter().map(count).sum::<usize>() > max
    }

    /// Lets git pack objects and refs as after a commit of its own, in the background.
    ///
    /// # Errors
    ///
    /// [`Error`] if git cannot be run.
    pub fn maintain_in_background(&self) -> Result<(), Error> {
        let mut git = self.git();
        git.args(["-c", "gc.autoDetach=true", "-c", "maintenance.autoDetach=true"]);
        run::output(&mut git, &["maintenance", "run", "--auto", "--quiet"]).map(drop)
    }

    /// Packs refs, as git does on the way of packing objects; not if `gc.packRefs` says no.
    ///
    /// # Errors
    ///
    /// [`Error`] if git cannot be run.
    pub fn pack_refs(&self) -> Result<(), Error> {
        if self.gix.config_snapshot().boolean("gc.packRefs") == Some(false) {
            return Ok(());
        }
        self.git_output(&["pack-refs", "--all", "--prune"]).map(drop)
    }
}
