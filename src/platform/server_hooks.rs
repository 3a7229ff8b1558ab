//! Hooks of a repository that others push to: putting them there, taking them away, telling what is there.
//!
//! Ours is a script that runs the hook which was there, kept beside it as `<event>.godzilla-prev`, and then
//! this program. A hook changes only by a rename, so that there is always the earlier one or ours with it.

use std::io;
use std::path::{Path, PathBuf};

use super::{fail, fs};

/// The events that get a hook on a server.
pub const EVENTS: [&str; 2] = ["pre-receive", "post-receive"];

const TEMPLATE: &str = include_str!("../../hooks/server.sh");

/// By this line a file is known as ours, of any version.
const IDENTITY: &str = "# git-godzilla server hook v";

const KEPT_SUFFIX: &str = ".godzilla-prev";

/// Why a hook could not be put in or taken out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to write `{}`", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// Two earlier hooks of one event; only a person can tell which one counts.
    #[error("`{}` already holds a different hook", path.display())]
    KeptTwice { path: PathBuf },
}

/// How one event stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub event: &'static str,
    pub is_ours: bool,
    /// Whether a hook that is not ours is there, or is kept and runs first.
    pub has_other: bool,
}

/// Puts our hooks into `dir`, for the program `binary`, and returns what changed, a line each. Calling again
/// changes nothing.
///
/// # Errors
///
/// [`Error`]; events before that one are done, and every event has its earlier hook or ours.
pub fn install(dir: &Path, binary: &Path) -> Result<Vec<String>, Error> {
    let mut changed = Vec::new();
    for event in EVENTS {
        let (path, kept) = places(dir, event);
        let wanted = render(event, binary);
        let failed = |source| Error::Io { path: path.clone(), source };
        let there = fs::read_if_there(&path).map_err(failed)?;
        if there.as_deref() == Some(wanted.as_bytes()) && fs::is_executable(&path) {
            continue;
        }
        if there.as_deref().is_some_and(|bytes| !is_ours(bytes)) {
            // A second name first: there is no moment at which the hook does not run.
            if kept.symlink_metadata().is_err() {
                std::fs::hard_link(&path, &kept).map_err(failed)?;
            } else if !fs::is_same_file(&path, &kept) {
                return Err(Error::KeptTwice { path: kept });
            }
            fail::point("server_hooks.kept");
            changed.push(format!(
                "{event}: installed; the hook that was there runs first, as `{}`",
                kept.display()
            ));
        } else {
            let what = if there.is_some() { "brought up to date" } else { "installed" };
            changed.push(format!("{event}: {what}"));
        }
        std::fs::create_dir_all(dir).map_err(failed)?;
        fs::replace_script(&path, wanted.as_bytes()).map_err(failed)?;
        fail::point("server_hooks.installed");
    }
    Ok(changed)
}

/// Takes our hooks out of `dir` and puts the earlier ones back, and returns what changed, a line each.
///
/// # Errors
///
/// [`Error`]; call again for the rest.
pub fn uninstall(dir: &Path) -> Result<Vec<String>, Error> {
    let mut changed = Vec::new();
    for event in EVENTS {
        let (path, kept) = places(dir, event);
        let failed = |source| Error::Io { path: path.clone(), source };
        let there = fs::read_if_there(&path).map_err(failed)?;
        let ours = there.as_deref().is_some_and(is_ours);
        if kept.symlink_metadata().is_ok() && (ours || there.is_none()) {
            std::fs::rename(&kept, &path).map_err(failed)?;
            changed.push(format!("{event}: removed; the earlier hook is back"));
        } else if ours {
            fs::remove_if_there(&path).map_err(failed)?;
            changed.push(format!("{event}: removed"));
        } else if fs::is_same_file(&path, &kept) {
            // We were interrupted before ours took its place.
            fs::remove_if_there(&kept).map_err(failed)?;
        }
        fail::point("server_hooks.removed");
    }
    Ok(changed)
}

/// Returns how each of our events stands in `dir`.
pub fn status(dir: &Path) -> Vec<Standing> {
    let of = |event: &'static str| {
        let (path, kept) = places(dir, event);
        let there = fs::read_if_there(&path).ok().flatten();
        let is_ours = there.as_deref().is_some_and(is_ours) && fs::is_executable(&path);
        let has_other = kept.is_file() || (there.is_some() && !is_ours);
        Standing { event, is_ours, has_other }
    };
    EVENTS.into_iter().map(of).collect()
}

fn places(dir: &Path, event: &str) -> (PathBuf, PathBuf) {
    (dir.join(event), dir.join(format!("{event}{KEPT_SUFFIX}")))
}

fn is_ours(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').nth(1).is_some_and(|line| line.starts_with(IDENTITY.as_bytes()))
}

fn render(event: &str, binary: &Path) -> String {
    let quoted = format!("'{}'", binary.to_string_lossy().replace('\'', r"'\''"));
    TEMPLATE.replace("\r\n", "\n").replace("@EVENT@", event).replace("@BINARY@", &quoted)
}
