//! The whole life of a protocol, played for real in a scratch area: a bare remote, two clones, git's
//! own commands and hooks, and this very program as a person would run it.
//!
//! Nothing of the machine takes part but `git` and this program: no configuration, no identity, no
//! network. At the end the play checks itself.

mod agree;
mod play;
mod stage;
mod told;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use self::stage::Stage;
pub use self::told::Told;

/// What to play, and where.
#[derive(Debug)]
pub struct Request {
    /// This program.
    pub program: PathBuf,
    /// A folder to play in and to keep, absent or empty; `None` for a temporary one.
    pub keep: Option<PathBuf>,
}

/// What was played.
#[derive(Debug)]
pub struct Played {
    pub steps: Vec<Step>,
    /// The name of the protocol.
    pub protocol: String,
    /// How many events both clones hold, those that do not count included.
    pub n_events: usize,
    /// The folder that was kept.
    pub kept: Option<PathBuf>,
}

/// One command of the play, which ended as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whose clone, or `server`.
    pub place: String,
    /// As a person would type it.
    pub command: String,
    pub exit: i32,
}

/// Why the play did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{}` is not empty", .0.display())]
    NotEmpty(PathBuf),
    #[error("failed to {action}")]
    Area { action: String, source: std::io::Error },
    #[error("failed to run `{command}`")]
    Start { command: String, source: crate::platform::process::Error },
    #[error("`{command}` ended with exit code {exit} in the clone of {place}")]
    Step { place: String, command: String, exit: i32, output: String },
    /// The play came to its end, and this is not as it must be.
    #[error("the clones do not agree: {0}")]
    Differs(String),
}

/// Plays the life of a protocol and tells it as it goes.
///
/// A folder that is not to be kept is gone when this returns, whatever happened.
///
/// # Errors
///
/// [`Error::NotEmpty`] before anything is done; [`Error::Step`] if a command did not end as it
/// should; [`Error::Differs`] if the clones differ at the end, which is a bug.
pub fn demo(request: &Request, tell: &mut dyn FnMut(&Told)) -> Result<Played, Error> {
    let area = Area::make(request.keep.as_deref())?;
    let mut stage = Stage::set(&area.path, &request.program, tell);
    let (ada, bob) = play::play(&mut stage)?;
    let n_events = agree::check(&stage, &ada, &bob)?;
    let kept = request.keep.is_some().then(|| area.path.clone());
    Ok(Played { steps: stage.steps, protocol: play::PROTOCOL.to_owned(), n_events, kept })
}

/// The folder of a play.
struct Area {
    path: PathBuf,
    /// Removes the folder in the end, if it is not to be kept.
    _removed: Option<TempDir>,
}

impl Area {
    fn make(keep: Option<&Path>) -> Result<Self, Error> {
        let failed = |action: String| move |source| Error::Area { action, source };
        let Some(path) = keep else {
            let dir = tempfile::Builder::new()
                .prefix("git-godzilla-demo-")
                .tempdir()
                .map_err(failed("make a scratch area".to_owned()))?;
            // Git shows real paths, and so does the play.
            let path = dir.path().canonicalize().map_err(failed("find the scratch area".to_owned()))?;
            return Ok(Self { path, _removed: Some(dir) });
        };
        let shown = path.display().to_string();
        std::fs::create_dir_all(path).map_err(failed(format!("make `{shown}`")))?;
        let mut entries = std::fs::read_dir(path).map_err(failed(format!("read `{shown}`")))?;
        if entries.next().is_some() {
            return Err(Error::NotEmpty(path.to_owned()));
        }
        let path = path.canonicalize().map_err(failed(format!("find `{shown}`")))?;
        Ok(Self { path, _removed: None })
    }
}
