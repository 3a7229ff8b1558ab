//! What a removal is about to do, so that the next command can settle it if this one dies.
//!
//! ```text
//! kept ──noted──▶ set aside ──looked at again──▶ (decided) ──▶ forgotten by git ──▶ branch gone ──▶ folder gone
//!                    └──────────── rolled back ◀─────┘
//! ```
//!
//! As long as the folder is where it was, nothing has happened and the removal is taken back. Once it is
//! set aside it goes on, unless a decision belongs to it that was not recorded.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::id::{Name, Oid, Ulid};
use crate::platform::git::Repo;
use crate::platform::{clock, fail, fs};
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::intents::{self, Intent as _};
use crate::service::streams::Streams;
use crate::store::kept::{self, Kept};

/// The version of the file.
const VERSION: u64 = 1;

/// How the names of folders begin that are about to go.
const ASIDE: &str = ".godzilla-removed-";

/// A removal that was begun.
#[derive(Clone, Debug)]
pub(super) struct Intent {
    pub(super) name: Name,
    /// The folder of the worktree, and where it goes before it is removed.
    pub(super) dir: PathBuf,
    pub(super) aside: PathBuf,
    /// The ref that holds it, and its commit.
    pub(super) held: (String, Oid),
    /// The tip of the branch, if the branch goes too.
    pub(super) branch: Option<Oid>,
    /// The command whose decision the removal belongs to.
    pub(super) op: Option<Ulid>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    v: u64,
    name: String,
    dir: String,
    aside: String,
    held: String,
    commit: String,
    branch: Option<String>,
    op: Option<String>,
}

/// Returns a name beside a folder that nothing has.
pub(super) fn aside_of(dir: &Path) -> PathBuf {
    dir.with_file_name(format!("{ASIDE}{}", clock::new_id()))
}

impl intents::Intent for Intent {
    const PREFIX: &'static str = "remove-";
    const LOCK: &'static str = "worktrees";
    type Stored = Stored;

    fn name(&self) -> &Name {
        &self.name
    }

    fn to_stored(&self) -> Stored {
        Stored {
            v: VERSION,
            name: self.name.to_string(),
            dir: kept::escape_path(&self.dir),
            aside: kept::escape_path(&self.aside),
            held: self.held.0.clone(),
            commit: self.held.1.to_string(),
            branch: self.branch.map(|tip| tip.to_string()),
            op: self.op.map(|op| op.to_string()),
        }
    }

    /// What a note says is not believed beyond what a note of ours can say: the folder that goes has a
    /// name that only we give.
    fn from_stored(stored: Stored) -> Option<Self> {
        let (dir, aside) = (kept::unescape_path(&stored.dir)?, kept::unescape_path(&stored.aside)?);
        let id = aside.file_name()?.to_str()?.strip_prefix(ASIDE)?;
        let is_ours = stored.v == VERSION && id.parse::<Ulid>().is_ok();
        if !is_ours || dir.parent() != aside.parent() || !dir.is_absolute() {
            return None;
        }
        Some(Self {
            name: stored.name.parse().ok()?,
            dir,
            aside,
            held: (stored.held, stored.commit.parse().ok()?),
            branch: stored.branch.map(|tip| tip.parse()).transpose().ok()?,
            op: stored.op.map(|op| op.parse()).transpose().ok()?,
        })
    }
}

impl Intent {
    /// Whether the folder was set aside and is still there.
    fn is_aside(&self) -> bool {
        fs::is_real_dir(&self.aside)
    }

    /// Takes everything back: the folder is where it was, and nothing is kept of it that lies there.
    pub(super) fn roll_back(&self, ctx: &Context) -> Result<(), Error> {
        let was_aside = self.is_aside();
        if was_aside {
            let action = format!("move `{}` back", self.dir.display());
            fs::move_dir(&self.aside, &self.dir).map_err(Error::io(action))?;
        }
        fail::point("remove.back");
        if let Some(kept) = self.kept(ctx)? {
            // Somebody may have made another folder there since it went.
            if was_aside || !self.is_only_kept(ctx, &kept)? {
                kept::forget(&ctx.repo, &kept)?;
            }
        }
        self.remove(ctx)
    }

    /// Whether nothing else has what is kept: neither the folder nor, if that is all of it, the branch.
    fn is_only_kept(&self, ctx: &Context, kept: &Kept) -> Result<bool, Error> {
        let Some(about) = &kept.about else { return Ok(true) };
        let of_head = Some(ctx.repo.tree_of(about.head)?);
        let is_committed =
            (Some(about.tree), about.index) == (of_head, of_head) && about.tip == Some(about.head);
        let called = about.branch.as_deref().unwrap_or(self.name.as_str());
        if is_committed && ctx.repo.find_ref(&format!("refs/heads/{called}"))? == about.tip {
            return Ok(false);
        }
        let Some(repo) = Repo::at(&self.dir) else { return Ok(true) };
        Ok(repo.head()?.commit() != Some(about.head) || super::remove::differs(ctx, about, &repo)?)
    }

    /// Removes what was set aside, and the branch. Whatever of it is done already is passed over.
    pub(super) fn go_on(&self, ctx: &Context) -> Result<(), Error> {
        let repo = &ctx.repo;
        let listed = repo.all_worktrees().into_iter().find(|it| it.dir == self.dir && !it.is_main);
        if let Some(worktree) = listed.filter(|worktree| !worktree.is_there()) {
            repo.forget_worktree(&worktree)?;
        }
        fail::point("remove.forgotten");
        if let Some(tip) = self.branch {
            // What is kept says what it was called, and is believed as far as a protocol can be called so.
            let about = self.kept(ctx)?.and_then(|kept| kept.about);
            let called =
                about.and_then(|about| about.branch?.parse().ok()).unwrap_or_else(|| self.name.clone());
            let branch = format!("refs/heads/{called}");
            let is_checked_out = repo.worktrees().iter().any(|(_, branch)| branch == called.as_str());
            // Somebody may have gone on from it.
            if !is_checked_out && repo.find_ref(&branch)? == Some(tip) {
                repo.git_text(&["update-ref", "-d", &branch, &tip.to_string()])?;
            }
        }
        fail::point("remove.branch");
        if self.is_aside() {
            let action = format!("remove `{}`", self.aside.display());
            fs::remove_tree(&self.aside).map_err(Error::io(action))?;
        }
        fail::point("remove.folder");
        self.remove(ctx)
    }

    /// Returns what holds it, unless somebody changed that.
    pub(super) fn kept(&self, ctx: &Context) -> Result<Option<Kept>, Error> {
        let all = kept::list(&ctx.repo)?;
        Ok(all.into_iter().find(|kept| (&kept.name, kept.commit) == (&self.held.0, self.held.1)))
    }

    /// Whether the decision was recorded that it belongs to, or there is none.
    fn is_decided(&self, ctx: &Context) -> Result<bool, Error> {
        let Some(op) = self.op else { return Ok(true) };
        let view = Streams::for_target(ctx, Some(self.name.as_str()))?.view(&self.name)?;
        Ok(view.content.lines().iter().any(|line| line.event.op == Some(op)))
    }
}

/// Goes on with removals that were interrupted, or takes them back. Returns one line for each. Does
/// nothing while one is being made.
///
/// # Errors
///
/// [`Error`] if something cannot be moved or removed; the rest is settled by the next command.
pub fn recover(ctx: &Context) -> Result<Vec<String>, Error> {
    intents::lock_left_over::<Intent>(ctx).map_or_else(|| Ok(Vec::new()), |_guard| settle(ctx))
}

/// As [`recover`], for who holds the lock.
pub(super) fn settle(ctx: &Context) -> Result<Vec<String>, Error> {
    let mut said = Vec::new();
    for intent in intents::read::<Intent>(ctx) {
        let (name, is_held) = (&intent.name, intent.kept(ctx)?.is_some());
        let has_moved = intent.is_aside() || intent.dir.symlink_metadata().is_err();
        if is_held && has_moved && intent.is_decided(ctx)? {
            let changed = super::remove::changed_since(ctx, &intent)?;
            if !changed {
                intent.go_on(ctx)?;
                said.push(format!("removed the worktree of {name}, which had been interrupted"));
                continue;
            }
        }
        intent.roll_back(ctx)?;
        let what = format!("the removal of the worktree of {name} was interrupted");
        said.push(match intent.kept(ctx)? {
            Some(kept) => format!("{what}; what it had is kept: git godzilla restore {}", kept.id),
            None => format!("{what} and is taken back"),
        });
    }
    Ok(said)
}

/// Returns the protocols whose worktree is half removed, while none is being removed.
pub fn interrupted(ctx: &Context) -> Vec<Name> {
    intents::interrupted::<Intent>(ctx)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::settings::Settings;

    #[test]
    fn a_note_that_names_a_folder_of_somebody_is_none() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let note = |dir: &str, aside: &str| {
            let stored = Stored {
                v: VERSION,
                name: "0001-a".to_owned(),
                dir: dir.to_owned(),
                aside: aside.to_owned(),
                held: "refs/godzilla-local/trash/0001-a/x".to_owned(),
                commit: "0".repeat(40),
                branch: None,
                op: None,
            };
            intents::parse::<Intent>(&serde_json::to_vec(&stored).unwrap())
        };
        let aside = format!("/r/w/{ASIDE}{id}");
        assert_eq!(note("/r/w/0001-a", &aside).unwrap().aside, Path::new(&aside));
        for (dir, aside) in [
            ("/r/w/0001-a", "/r/w/0001-b".to_owned()),
            ("/r/w/0001-a", format!("/r/{ASIDE}{id}")),
            ("/r/w/0001-a", format!("/r/w/{ASIDE}x")),
            ("/r/w/0001-a", format!("/r/w/{ASIDE}{id}/..")),
            ("w/0001-a", format!("w/{ASIDE}{id}")),
        ] {
            assert!(note(dir, &aside).is_none(), "{dir} {aside}");
        }
    }

    /// It would never go: what is settled is removed by its name.
    #[test]
    fn a_note_in_the_place_of_another_is_none() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["objects", "refs"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        for (file, text) in [("HEAD", "ref: refs/heads/main\n"), ("config", "[core]\n\tbare = true\n")] {
            fs::replace_file(&dir.path().join(file), text.as_bytes(), false).unwrap();
        }
        let ctx = Context::of_command(Repo::open(dir.path()).unwrap(), Settings::defaults());
        let aside = dir.path().join(format!("{ASIDE}01ARZ3NDEKTSV4RRFFQ69G5FAV"));
        let held = ("refs/godzilla-local/trash/0001-a/x".to_owned(), "0".repeat(40).parse().unwrap());
        let name: Name = "0001-a".parse().unwrap();
        let intent = Intent { name, dir: dir.path().join("w"), aside, held, branch: None, op: None };
        intent.write(&ctx).unwrap();
        assert_eq!(intents::read::<Intent>(&ctx).len(), 1);
        let folder = ctx.repo.state_dir().join("intents");
        std::fs::rename(folder.join("remove-0001-a.json"), folder.join("remove-0002-b.json")).unwrap();
        assert_eq!(intents::read::<Intent>(&ctx).len(), 0);
    }
}
