//! Deleting refs that still are what they were seen to be, by `git` itself: a packed one is taken out
//! of `packed-refs`, once for all of them.

use std::fmt::Write as _;

use super::{Error, Repo};
use crate::domain::id::Oid;
use crate::platform::fail;
use crate::platform::process::{self, Limits};

impl Repo {
    /// Deletes each ref that still has the value beside it, with its reflog, and returns those that are
    /// gone. One that somebody moved or holds stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error`] if git cannot be run.
    pub fn delete_refs(&self, refs: &[(String, Oid)]) -> Result<Vec<String>, Error> {
        let mut gone = Vec::new();
        let mut waiting = vec![refs];
        while let Some(refs) = waiting.pop() {
            if refs.is_empty() {
                continue;
            }
            fail::point("refs.delete");
            if self.delete_all(refs)? {
                gone.extend(refs.iter().map(|(name, _)| name.clone()));
            } else if refs.len() > 1 {
                // All or none of them: the one that is in the way is looked for.
                let (left, right) = refs.split_at(refs.len() / 2);
                waiting.extend([right, left]);
            }
            fail::point("refs.deleted");
        }
        Ok(gone)
    }

    fn delete_all(&self, refs: &[(String, Oid)]) -> Result<bool, Error> {
        let mut commands = String::new();
        for (name, expected) in refs {
            // Writing to a `String` cannot fail.
            writeln!(commands, "delete {name} {expected}").ok();
        }
        let mut git = self.git();
        git.args(["update-ref", "--stdin"]);
        let output = process::run(&mut git, Some(commands.as_bytes()), Limits::default(), |_| ())?;
        Ok(output.status.success())
    }
}
