//! Moments, as people name them to git.

use super::{Error, Repo};
use crate::domain::id::Oid;

/// What a bare day stands for: all of it.
const END_OF_DAY: &str = "23:59:59";

impl Repo {
    /// Returns the moment that a date stands for, as git reads dates (`yesterday`, `2 days ago`, `2026-11-20
    /// 10:00`), in milliseconds since 1970 to the end of that second; `None` for what is no date. A day without
    /// a time is the end of that day.
    pub fn moment_of(&self, date: &str) -> Option<u64> {
        let date = date.trim();
        // Git makes something of any text with a number in it.
        if date.is_empty()
            || date.contains(char::is_control)
            || ["never", "all", "false"].contains(&date.to_ascii_lowercase().as_str())
        {
            return None;
        }
        let is_day = date.len() == 10 && date.split('-').all(|part| part.bytes().all(|b| b.is_ascii_digit()));
        let date = if is_day { format!("{date} {END_OF_DAY}") } else { date.to_owned() };
        // The one place in git that reads a date and says so if it is none.
        let given = format!("godzilla.at={date}");
        let read = ["-c", &given, "config", "--type=expiry-date", "--get", "godzilla.at"];
        let seconds: u64 = self.git_text(&read).ok()?.trim().parse().ok()?;
        Some(seconds.saturating_mul(1000).saturating_add(999)).filter(|_| seconds > 0)
    }

    /// Returns the commit that a revision names; `None` if it names none that is here.
    ///
    /// # Errors
    ///
    /// [`Error`] if git cannot be run.
    pub fn commit_named(&self, rev: &str) -> Result<Option<Oid>, Error> {
        let spelled = format!("{rev}^{{commit}}");
        match self.git_text(&["rev-parse", "--verify", "--quiet", "--end-of-options", &spelled]) {
            Ok(oid) => Ok(oid.parse().ok()),
            Err(Error::Git { .. }) => Ok(None),
            Err(err) => Err(err),
        }
    }
}
