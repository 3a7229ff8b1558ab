//! One visit for one event of one git, however many ways lead here.
//!
//! Git runs hooks of its configuration and then the hook file, and hook managers run what they kept
//! besides what they are told to: an event may come to us twice. The way that comes first leaves a mark;
//! the next one of the same git takes it away and has nothing to do. A git that has the same event again, as
//! a rebase does, comes by the same ways again.

use crate::platform::fs;
use crate::platform::git::Repo;
use crate::platform::process;

/// The way by which git came to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Our file in the hooks folder. It comes last, so that it leaves no mark.
    File,
    /// Our file where pre-commit and prek keep what was there before them.
    Legacy,
    /// A hook of git's configuration.
    Config,
    /// A line in a script of somebody else, or a job of a hook manager.
    Other,
}

impl Way {
    /// Reads what follows `--via`; what is not known is somebody else's.
    pub fn parse(text: &str) -> Self {
        match text {
            "file" => Self::File,
            "legacy" => Self::Legacy,
            "config" => Self::Config,
            _ => Self::Other,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Legacy => "legacy",
            Self::Config => "config",
            Self::Other => "other",
        }
    }
}

/// Whether this event of the git above was here already by another way than `way`.
///
/// Where that cannot be told it was not: a second visit finds everything done, and costs time only.
pub fn was_here(repo: &Repo, event: &str, way: Way) -> bool {
    let path = repo.state_dir().join("called").join(event);
    // Without other ways there are no marks, and it costs no more than this look.
    let mark = fs::read_if_there(&path).ok().flatten();
    if mark.is_none() && way == Way::File {
        return false;
    }
    let Some(git) = process::git_above() else { return false };
    let known = mark.as_deref().and_then(|mark| std::str::from_utf8(mark).ok()?.split_once('\n'));
    if known.is_some_and(|(of, by)| of == git && by != way.as_str()) {
        fs::remove_if_there(&path).ok();
        return true;
    }
    if way != Way::File {
        fs::replace_file(&path, format!("{git}\n{}", way.as_str()).as_bytes(), false).ok();
    }
    false
}
