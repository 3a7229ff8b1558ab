//! What a run finds in the worktree, what it leaves there, and the commit of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::super::ask::Asked;
use super::outputs;
use crate::domain::id::{Name, Oid};
use crate::domain::message;
use crate::domain::run::RunStatus;
use crate::domain::sentence::short_ref;
use crate::domain::state::Step;
use crate::domain::text;
use crate::engine::Outcome;
use crate::platform::fail;
use crate::platform::git::{Guarded, NewCommit, RefMoved, Repo};
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::guard::{self, Watched, some};
use crate::service::workplace::Workplace;
use crate::store::stream;

/// As git has a submodule.
const SUBMODULE: u32 = 0o160_000;

/// More commits than this are none of one run.
const MAX_COMMITS: usize = 1000;

/// The worktree before a run.
pub(super) struct Before {
    head: Oid,
    /// What lies there, if that is something else than what is committed.
    tree: Option<Oid>,
    /// Paths that are not committed.
    pub(super) dirty: Vec<String>,
    branch: String,
    guarded: RefCell<Guarded>,
    elsewhere: BTreeMap<PathBuf, (u64, u128)>,
    /// What rules hide from git.
    ignored: BTreeSet<Vec<u8>>,
}

/// What a run did.
#[derive(Debug, Default)]
pub(super) struct Did {
    /// What lies in the worktree, if that is not committed.
    pub(super) tree: Option<Oid>,
    /// The newest commit of the branch, and its tree.
    head: Option<Oid>,
    committed: Option<Oid>,
    /// Paths that are others than before, within the worktree.
    pub(super) changed: Vec<String>,
    /// Commits that the engine made itself.
    pub(super) own_commits: Vec<Oid>,
}

impl Did {
    /// Whether there is something to commit, or was committed.
    pub(super) fn did_something(&self) -> bool {
        self.tree.is_some() || !self.own_commits.is_empty()
    }

    /// Returns what lies in the worktree.
    pub(super) fn tree_now(&self) -> Option<Oid> {
        self.tree.or(self.committed)
    }
}

impl Before {
    pub(super) fn of(place: &Workplace) -> Result<Self, Error> {
        let committed = place.repo.tree_of(place.head)?;
        let lies = place.repo.work_as_tree(committed)?;
        let dirty = if lies == committed { Vec::new() } else { named(&place.repo, committed, lies)? };
        let branch = place.repo.head()?.branch().map(|name| format!("refs/heads/{name}")).unwrap_or_default();
        Ok(Self {
            head: place.head,
            tree: Some(lies).filter(|lies| *lies != committed),
            dirty,
            branch,
            guarded: RefCell::new(place.repo.guard()?),
            elsewhere: place.repo.elsewhere(),
            ignored: place.repo.ignored()?,
        })
    }

    /// Whether nothing lies there, and nothing is staged, that is not committed.
    pub(super) fn is_clean(&self, place: &Workplace) -> Result<bool, Error> {
        let committed = place.repo.tree_of(self.head)?;
        let is_staged = || place.repo.staged_tree(&place.repo.git_dir().join("index"));
        Ok(self.tree.is_none() && self.dirty.is_empty() && is_staged()? == Some(committed))
    }

    /// Returns a sentence about what lies there and was not kept before the run: nobody here can read it.
    pub(super) fn not_kept(&self, place: &Workplace) -> Option<String> {
        let closed: Vec<String> =
            place.repo.closed_folders(&self.ignored).iter().map(|path| text::one_line(path)).collect();
        (!closed.is_empty())
            .then(|| format!("not kept before the run, since it cannot be read: {}", some(&closed)))
    }

    /// Returns what is looked after while the engine works.
    pub(super) fn watched<'a>(&'a self, place: &'a Workplace) -> Watched<'a> {
        Watched { repo: &place.repo, guarded: &self.guarded, own: &self.branch }
    }

    /// Looks at what a run did, and puts back what is none of its business. One that went there did not
    /// succeed, whatever it says. The second value is whether all was put back.
    pub(super) fn inspect(
        &self,
        place: &Workplace,
        outcome: &mut Outcome,
        notices: &mut Vec<String>,
    ) -> (Did, bool) {
        let restored = guard::restore(&self.watched(place), "the run");
        for fault in restored.faults {
            refuse(outcome, notices, fault);
        }
        notices.extend(restored.notices);
        notices.extend(restored.moved.iter().map(moved));
        let elsewhere = changed_elsewhere(&self.elsewhere, &place.repo.elsewhere());
        if !elsewhere.is_empty() {
            notices.push(format!(
                "changed outside its worktree meanwhile, by it or by somebody else: {}",
                some(&elsewhere)
            ));
        }
        let did = match self.did(place) {
            Ok(did) => {
                notices.extend(self.hidden(place));
                if let Some(head) = did.head.filter(|head| !place.repo.is_ancestor(self.head, *head)) {
                    let back = format!("git -C '{}' reset --hard {}", place.dir.display(), self.head);
                    let what =
                        format!("the run took the branch from {} to {}", self.head.short(), head.short());
                    refuse(
                        outcome,
                        notices,
                        format!("{what}, away from commits that it had; to take that back: {back}"),
                    );
                }
                did
            }
            Err(err) => {
                refuse(outcome, notices, format!("nobody knows what the run changed: {err}"));
                Did::default()
            }
        };
        (did, restored.is_complete)
    }

    /// Returns a sentence about files that rules hide which came with the run: they are in no commit.
    fn hidden(&self, place: &Workplace) -> Option<String> {
        let tree = self.tree.map_or_else(|| place.repo.tree_of(self.head), Ok);
        match tree.and_then(|tree| place.repo.hidden_since(&self.ignored, tree)) {
            Ok(hidden) if hidden.is_empty() => None,
            Ok(hidden) => {
                let names: Vec<String> = hidden.iter().map(|path| text::one_line(path)).collect();
                Some(format!(
                    "hidden from git by rules that the run wrote, and not committed: {}",
                    some(&names)
                ))
            }
            Err(err) => Some(format!("nobody knows what the run hid from git: {err}")),
        }
    }

    /// Returns what lies there, as what a run did that recorded its end and was cut off before its commit.
    pub(super) fn left_behind(&self) -> Did {
        Did {
            tree: self.tree,
            head: Some(self.head),
            committed: None,
            changed: self.dirty.clone(),
            own_commits: Vec::new(),
        }
    }

    fn did(&self, place: &Workplace) -> Result<Did, Error> {
        let repo = Repo::at(&place.dir).ok_or_else(|| {
            Error::state("worktree.damaged", "the worktree is no worktree any more", "git worktree repair")
        })?;
        if repo.head()?.branch().map(|name| format!("refs/heads/{name}")).as_deref() != Some(&self.branch) {
            let message = format!("{} has another branch checked out than before", place.dir.display());
            let back = format!("git -C '{}' switch {}", place.dir.display(), short_ref(&self.branch));
            return Err(Error::state("worktree.switched", message, back));
        }
        let head = repo.find_ref(&self.branch)?.unwrap_or(self.head);
        let committed = repo.tree_of(head)?;
        let lies = repo.work_as_tree(committed)?;
        let before = match self.tree {
            Some(tree) => tree,
            None => repo.tree_of(self.head)?,
        };
        let paths = repo.paths_changed(before, lies)?;
        for path in &paths {
            let path = String::from_utf8_lossy(path);
            let is_repository =
                |tree: Oid| repo.tree_path(tree, &path).ok().flatten().is_some_and(|it| it.mode == SUBMODULE);
            if is_repository(lies) && !is_repository(before) {
                let message = format!(
                    "{} is a repository of its own, whose files no commit here would hold",
                    text::one_line(&path)
                );
                let hint = format!("remove `{}/.git`, or add it as a submodule", text::one_line(&path));
                return Err(Error::state("worktree.embedded", format!("{message}; {hint}"), hint));
            }
        }
        let own_commits = if head == self.head {
            Vec::new()
        } else {
            repo.commits_between(&[head], &[self.head], &BTreeSet::new(), MAX_COMMITS)?
        };
        Ok(Did {
            tree: Some(lies).filter(|lies| *lies != committed),
            head: Some(head),
            committed: Some(committed),
            changed: named(&repo, before, lies)?,
            own_commits,
        })
    }
}

/// Returns a sentence about a branch or tag that moved, with the way back.
fn moved((name, before, now): &RefMoved) -> String {
    let shown = |oid: &Option<Oid>| oid.map_or_else(|| "nothing".to_owned(), |oid| oid.short());
    let back = before.map_or_else(
        || format!("git update-ref -d {name}"),
        |before| format!("git update-ref {name} {before}"),
    );
    format!("{name} moved meanwhile, from {} to {}; to take that back: {back}", shown(before), shown(now))
}

/// Makes of a success none, and says why.
fn refuse(outcome: &mut Outcome, notices: &mut Vec<String>, why: String) {
    if outcome.status == RunStatus::Succeeded {
        outcome.status = RunStatus::Denied;
        outcome.text.clone_from(&why);
    }
    notices.push(why);
}

/// What a run has done, to be committed.
pub(super) struct Work<'a> {
    pub(super) ctx: &'a Context,
    pub(super) place: &'a Workplace,
    pub(super) name: &'a Name,
    pub(super) step: &'a Step,
    pub(super) asked: &'a Asked,
    pub(super) did: &'a Did,
}

impl Work<'_> {
    /// Commits it on the branch; `ends` says that the work on the step is done with it. Nobody's hooks run:
    /// what lies there was written by an engine.
    ///
    /// # Errors
    ///
    /// [`Error`] if it cannot be written, or the branch moved meanwhile.
    pub(super) fn commit(&self, title: &str, ends: bool) -> Result<Oid, Error> {
        let Self { ctx, place, name, step, asked, did } = *self;
        let (Some(tree), Some(head)) = (did.tree_now(), did.head) else {
            return Err(Error::state("run.nothing", "the run left nothing to commit", ""));
        };
        let tree = outputs::keep_words(place, name, step, asked, tree)?;
        let Some(who) = ctx.repo.committer() else { return Err(stream::Error::NoIdentity.into()) };
        let author = ctx.repo.author().unwrap_or_else(|| who.clone());
        let commit = place.repo.write_commit(&NewCommit {
            tree,
            parents: vec![head],
            message: self.message(title, ends),
            author: &author,
            committer: &who,
            for_people: true,
        })?;
        outputs::record(ctx, &place.repo, name, step, asked, tree)?;
        fail::point("run.commit");
        // Before the branch: an index that lags behind would take the work back with the next commit.
        place.repo.index_as(tree)?;
        let why = format!("git-godzilla: run {}", asked.run);
        place.repo.git_output(&["update-ref", "-m", &why, "HEAD", &commit.to_string(), &head.to_string()])?;
        fail::point("run.branch");
        place.repo.refresh_index();
        Ok(commit)
    }

    fn message(&self, title: &str, ends: bool) -> String {
        let Self { ctx, name, step, asked, .. } = *self;
        let title = text::clip(&text::one_line(title), 100);
        let title = if message::has_type(&title) { title } else { format!("feat: {title}") };
        let subject = if ctx.settings.commit_tag {
            format!("{title} {}", message::tag(name.number(), step.id.number()))
        } else {
            title
        };
        let by =
            asked.model.as_ref().map_or_else(String::new, |model| format!(" ({})", text::one_line(model)));
        let status = if ends { format!("{}: done\n", message::STATUS_KEY) } else { String::new() };
        let (run, engine, key, id) = (asked.run, &asked.engine, message::STEP_KEY, &step.id);
        format!("{subject}\n\nRun {run} by {engine}{by}.\n\n{key}: {name}/{id}\n{status}")
    }
}

fn named(repo: &Repo, from: Oid, to: Oid) -> Result<Vec<String>, Error> {
    let paths = repo.paths_changed(from, to)?;
    Ok(paths.iter().map(|path| text::one_line(&String::from_utf8_lossy(path))).collect())
}

fn changed_elsewhere(
    before: &BTreeMap<PathBuf, (u64, u128)>,
    now: &BTreeMap<PathBuf, (u64, u128)>,
) -> Vec<String> {
    let all = before.keys().chain(now.keys().filter(|path| !before.contains_key(*path)));
    let changed = all.filter(|path| before.get(*path) != now.get(*path));
    changed.map(|path| text::one_line(&path.to_string_lossy())).collect()
}
