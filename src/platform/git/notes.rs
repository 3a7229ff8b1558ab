//! Notes on commits, as `git notes` keeps them.

use gix::note::plumbing::State;

use super::loose::Objects;
use super::{Error, Identity, Move, MoveError, NewCommit, Repo, from_gix, to_gix};
use crate::domain::id::Oid;
use crate::platform::fail;
use crate::platform::lock::Lock;

/// Why notes were not written.
#[derive(Debug, thiserror::Error)]
pub enum NotesError {
    #[error(transparent)]
    Git(#[from] Error),
    #[error(transparent)]
    Move(#[from] MoveError),
}

impl Repo {
    /// Makes the notes on these objects say these texts, in one commit on `notes_ref`, or none if
    /// they do already. Returns how many changed.
    ///
    /// # Errors
    ///
    /// [`NotesError`]; then no note changed. A lost race is [`MoveError::Lost`].
    pub fn write_notes(
        &self,
        notes_ref: &str,
        notes: &[(Oid, String)],
        who: &Identity,
        message: &str,
        guard: &mut Lock,
    ) -> Result<usize, NotesError> {
        let damaged = |_| Error::Damaged(format!("the notes of {notes_ref} cannot be edited"));
        let tip = self.find_ref(notes_ref)?;
        let tree = match tip {
            Some(tip) => to_gix(self.tree_of(tip)?),
            None => gix::ObjectId::empty_tree(self.gix.object_hash()),
        };
        let objects = Objects(self);
        let mut state = State::new(tree, &objects).map_err(damaged)?;
        let mut n_changed = 0;
        for (object, text) in notes {
            let blob = to_gix(self.id_of_blob(text.as_bytes())?);
            if state.get(&to_gix(*object), &objects).map_err(damaged)? != Some(blob) {
                self.write_blob(text.as_bytes())?;
                state.edit(to_gix(*object), Some(blob), &objects).map_err(damaged)?;
                n_changed += 1;
            }
        }
        if n_changed == 0 {
            return Ok(0);
        }
        let tree = from_gix(&state.write(&objects).map_err(damaged)?);
        fail::point("notes.tree");
        let new = self.write_commit(&NewCommit {
            tree,
            parents: tip.into_iter().collect(),
            message: format!("{message}\n"),
            author: who,
            committer: who,
            for_people: false,
        })?;
        fail::point("notes.commit");
        self.move_ref(Move { name: notes_ref, expected: tip, new, who, message }, guard)?;
        Ok(n_changed)
    }
}
