//! [`status`](super::status()) of one event.

use std::fs;
use std::path::{Path, PathBuf};

use super::content::Content;
use super::found::{self, Found};
use super::kept::Kept;
use super::shim::Shim;
use super::{Error, HookStatus, LEGACY_SUFFIX, Mode, OLD_SUFFIX, US, place};
use crate::platform::fs::is_executable;

/// One event in one directory.
struct Event<'a> {
    dir: &'a Path,
    binary: &'a Path,
    name: &'static str,
}

pub(super) fn of(dir: &Path, binary: &Path, event: &'static str) -> HookStatus {
    let looked_at = Event { dir, binary, name: event };
    let (mode, chain) =
        looked_at.mode_and_chain().unwrap_or_else(|err| (Mode::Broken(err.to_string()), Vec::new()));
    let top = Found::at(&looked_at.place(""), &[binary]);
    let begins_with_others = matches!(top, Ok(Found::Shim(shim)) if shim.has_lines_above());
    HookStatus { event, mode, chain, begins_with_others }
}

impl Event<'_> {
    fn mode_and_chain(&self) -> Result<(Mode, Vec<String>), Error> {
        let top = self.place("");
        let found = Found::at(&top, &[self.binary])?;
        let mode = match (&found, self.trouble(&top, &found)) {
            (Found::Absent, _) => return Ok((Mode::Absent, Vec::new())),
            (Found::Foreign(foreign), _) => return self.beside(foreign),
            (_, Some(trouble)) => Mode::Broken(trouble),
            (Found::Link(_), None) => Mode::Symlink,
            (Found::Shim(_) | Found::Cut, None) => Mode::Shim,
        };
        Ok((mode, self.chain(&found)?))
    }

    /// The same where `foreign` has the place that git looks at.
    fn beside(&self, foreign: &Content) -> Result<(Mode, Vec<String>), Error> {
        let by = name_of(&self.place(""), foreign);
        let legacy_path = self.place(LEGACY_SUFFIX);
        let legacy = Found::at(&legacy_path, &[self.binary])?;
        if legacy.is_ours() && found::runs_legacy(foreign) {
            let mut chain = self.chain(&legacy)?;
            // An earlier script of theirs does not run once more.
            chain.retain(|name| !matches!(name.as_str(), "pre-commit" | "prek"));
            chain.push(by.clone());
            let mode = match self.trouble(&legacy_path, &legacy) {
                Some(trouble) => Mode::Broken(trouble),
                None => Mode::Chained { by },
            };
            return Ok((mode, chain));
        }
        for path in [legacy_path, self.place(OLD_SUFFIX)] {
            if Found::at(&path, &[self.binary])?.is_ours() {
                let reason = format!("ours was moved to `{}`, which is never run", path.display());
                return Ok((Mode::Broken(reason), vec![by]));
            }
        }
        if found::calls_us(foreign) {
            return Ok((Mode::Chained { by: by.clone() }, vec![by, US.to_owned()]));
        }
        Ok((Mode::Foreign, vec![by]))
    }

    /// Why `ours`, which is at `path`, does not do what it should.
    fn trouble(&self, path: &Path, ours: &Found) -> Option<String> {
        match ours {
            Found::Absent | Found::Foreign(_) => None,
            Found::Cut => Some("its last line is missing".to_owned()),
            Found::Link(target) => {
                let shown = target.display();
                let resolved = self.dir.join(target);
                if !resolved.exists() {
                    Some(format!("it points to `{shown}`, which does not exist"))
                } else if !is_executable(path) {
                    Some(format!("it points to `{shown}`, which is not executable"))
                } else if !is_same(&resolved, self.binary) {
                    Some(format!("it points to another binary, `{shown}`"))
                } else {
                    None
                }
            }
            Found::Shim(shim) => {
                let current = Content::File(shim.render(self.name, self.binary));
                if !is_executable(path) {
                    Some("it is not executable".to_owned())
                } else if !matches!(Content::read(path), Ok(Some(is)) if is == current) {
                    Some("it is of another version or calls another binary".to_owned())
                } else if !is_executable(self.binary) {
                    let binary = self.binary.display();
                    Some(format!("it calls `{binary}`, which is not executable"))
                } else {
                    None
                }
            }
        }
    }

    /// What runs when `ours` is called.
    fn chain(&self, ours: &Found) -> Result<Vec<String>, Error> {
        let mut chain = Vec::new();
        if matches!(ours, Found::Shim(_) | Found::Cut) {
            let kept = Kept::read(self.dir, self.name)?.hooks.into_iter();
            let runs = kept.filter(|(path, _)| is_executable(path));
            chain.extend(runs.map(|(path, hook)| name_of(&path, &hook)));
        }
        chain.push(US.to_owned());
        if matches!(ours, Found::Shim(shim) if Shim::has_more(shim)) {
            chain.push(format!("lines added to {}", self.name));
        }
        Ok(chain)
    }

    fn place(&self, suffix: &str) -> PathBuf {
        place(self.dir, self.name, suffix)
    }
}

/// Returns how the hook at `path` is called in a chain.
fn name_of(path: &Path, content: &Content) -> String {
    match found::manager_of(content) {
        Some(manager) => manager.to_owned(),
        None => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    }
}

/// Whether both are names of one file.
fn is_same(left: &Path, right: &Path) -> bool {
    left == right
        || matches!(
            (fs::canonicalize(left), fs::canonicalize(right)),
            (Ok(left), Ok(right)) if left == right
        )
}
