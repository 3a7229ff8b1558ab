//! The earlier hooks of one event, which ours runs.
//!
//! One is kept as `<event>.godzilla-prev`. Where somebody has put another one over ours there are two; then
//! that file is a script of ours that runs both, and they lie beside it with a number each, the oldest first.

use std::path::{Path, PathBuf};

use super::content::{Access, Content};
use super::found;
use super::{Error, KEPT_SUFFIX, place};
use crate::platform::fail;

/// The script that runs several, also readable on its own.
const TEMPLATE: &str = include_str!("../../../hooks/kept.sh");

/// By its second line a file is known as that script, of any version.
const IDENTITY: &[u8] = b"# git-godzilla kept hooks v";

/// As many as the script looks for.
const MAX_KEPT: usize = 9;

/// What is kept of one event.
#[derive(Debug)]
pub(super) struct Kept {
    /// The file that ours runs.
    pub(super) path: PathBuf,
    /// Where each lies, the oldest first.
    pub(super) hooks: Vec<(PathBuf, Content)>,
    /// Whether they have numbers, and `path` is the script that runs them.
    pub(super) is_numbered: bool,
}

/// How a hook is kept beside those that are kept already.
#[derive(Debug)]
pub(super) struct Keep {
    hook: Content,
    /// Where it is kept.
    pub(super) at: PathBuf,
    /// An older one of the same manager, which is of no more use.
    supersedes: Option<PathBuf>,
    /// The one that was alone so far, and the script that runs it from now on.
    joins: Option<(Content, Vec<u8>)>,
}

impl Kept {
    pub(super) fn read(dir: &Path, event: &str) -> Result<Self, Error> {
        let path = place(dir, event, KEPT_SUFFIX);
        let is = Content::read(&path)?;
        let is_numbered = is.as_ref().is_some_and(is_script);
        let hooks = match is {
            Some(_) if is_numbered => read_numbered(&path)?,
            Some(hook) => vec![(path.clone(), hook)],
            None => Vec::new(),
        };
        Ok(Self { path, hooks, is_numbered })
    }

    /// Returns the one that came last.
    pub(super) fn newest(&self) -> Option<&Content> {
        self.hooks.last().map(|(_, hook)| hook)
    }

    /// Whether one of them runs what is in `.legacy`.
    pub(super) fn runs_legacy(&self) -> bool {
        self.hooks.iter().any(|(_, hook)| found::runs_legacy(hook))
    }

    /// Decides how `hook`, which has the place of ours, is kept. `joins` allows that it is not the first.
    ///
    /// # Errors
    ///
    /// [`Error::KeptTwice`] if there is another one and that is not allowed, or there are too many.
    pub(super) fn keep(&self, event: &str, hook: Content, joins: bool) -> Result<Keep, Error> {
        let same = self.hooks.iter().find(|(_, kept)| *kept == hook);
        let older = self.hooks.iter().find(|(_, kept)| found::are_generations_of_one(&hook, kept));
        if let Some((at, kept)) = same.or(older) {
            let supersedes = (*kept != hook).then(|| at.clone());
            return Ok(Keep { hook, at: at.clone(), supersedes, joins: None });
        }
        let Some((_, first)) = self.hooks.first() else {
            return Ok(Keep { hook, at: self.path.clone(), supersedes: None, joins: None });
        };
        let is_taken = |at: &PathBuf| self.hooks.iter().any(|(taken, _)| taken == at);
        let free = (1..=MAX_KEPT).map(|number| numbered(&self.path, number)).find(|at| !is_taken(at));
        let Some(free) = free.filter(|_| joins) else {
            return Err(Error::KeptTwice { path: self.path.clone() });
        };
        if self.is_numbered {
            return Ok(Keep { hook, at: free, supersedes: None, joins: None });
        }
        let script = TEMPLATE.replace("\r\n", "\n").replace("@EVENT@", event).into_bytes();
        let joins = Some((first.clone(), script));
        Ok(Keep { hook, at: numbered(&self.path, 2), supersedes: None, joins })
    }
}

impl Keep {
    /// Keeps the hook, which is at `top`, beside those in `kept`, the file that ours runs. `top` stays as it is.
    pub(super) fn carry_out(self, top: &Path, kept: &Path) -> Result<(), Error> {
        if let Some(path) = self.supersedes {
            super::content::remove(&path)?;
            fail::point("hooks.superseded_removed");
        }
        if let Some((first, _)) = &self.joins {
            first.keep(kept, &numbered(kept, 1))?;
            fail::point("hooks.first_numbered");
        }
        self.hook.keep(top, &self.at)?;
        fail::point("hooks.previous_kept");
        if let Some((_, script)) = self.joins {
            Content::File(script).put(kept, &Access::Run)?;
            fail::point("hooks.kept_joined");
        }
        Ok(())
    }
}

/// Returns those with a number beside `path`.
pub(super) fn read_numbered(path: &Path) -> Result<Vec<(PathBuf, Content)>, Error> {
    let mut hooks = Vec::new();
    for at in (1..=MAX_KEPT).map(|number| numbered(path, number)) {
        let hook = Content::read(&at)?;
        hooks.extend(hook.map(|hook| (at, hook)));
    }
    Ok(hooks)
}

fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn is_script(content: &Content) -> bool {
    let Content::File(bytes) = content else { return false };
    bytes.split(|byte| *byte == b'\n').nth(1).is_some_and(|line| line.starts_with(IDENTITY))
}
