//! Whether git comes to us when it runs a hook.

use super::{Error, Repo};
use crate::platform::clock;
use crate::platform::process::{self, Limits};

/// What a hook of ours is asked with; it answers and does nothing else, and neither does our script run
/// the hook that it chains.
pub const PROBE: &str = "GODZILLA_PROBE";

/// Returns what a hook of ours says to a probe.
pub fn answer(event: &str, token: &str) -> String {
    format!("{event} answers {token}")
}

impl Repo {
    /// Has git run the hook `event` and returns whether it came to this program. To be asked only where
    /// the hook is a file of ours, since git runs whatever is there.
    ///
    /// # Errors
    ///
    /// [`Error`] if git cannot be run.
    pub fn hook_answers(&self, event: &str) -> Result<bool, Error> {
        let token = clock::new_id().to_string();
        let mut git = self.git_here(true);
        git.args(["hook", "run", event]).env(PROBE, &token);
        let output = process::run(&mut git, None, Limits::default(), |_| ())?;
        Ok(String::from_utf8_lossy(&output.stderr).contains(&answer(event, &token)))
    }
}
