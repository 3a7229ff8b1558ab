//! `worktrees remove`: what a worktree holds and where its branch stands are kept; then both go.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::intent::{Intent, aside_of, settle};
use super::{Error, unmerged_reason};
use super::{Reason, Standing, dirty_reason, hard_reasons, names_of, only_one, some, standing};
use crate::domain::id::{Name, Oid};
use crate::domain::state::Protocol;
use crate::platform::git::{Captured, Ignored, NotHeld, Repo, Worktree};
use crate::platform::lock::Lock;
use crate::platform::{fail, fs};
use crate::service::context::Context;
use crate::service::intents::Intent as _;
use crate::service::streams::Streams;
use crate::service::{act, initialised, resolve, run};
use crate::store::kept::{self, About, Kept, Kind};

/// What to remove, and how.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are options of their own")]
pub struct Request {
    pub name: Option<String>,
    /// Also what is not committed or not merged.
    pub force: bool,
    pub keep_branch: bool,
    /// Keep all ignored files too, so that they can be restored.
    pub all_ignored: bool,
    pub dry_run: bool,
}

/// What was removed, or would be.
pub struct Removed {
    pub name: Name,
    pub dir: PathBuf,
    /// The branch that went with it, and where it was.
    pub branch: Option<(String, Oid)>,
    pub standing: Standing,
    /// What holds it; `None` in a dry run.
    pub kept: Option<Kept>,
    /// What was not committed.
    pub changed: Vec<String>,
    /// What git ignores and nothing holds.
    pub dropped: Vec<String>,
}

/// Removes the worktree of a protocol, and its branch. When this returns, both can be restored.
///
/// # Errors
///
/// [`Error::State`] if something of it is neither committed nor merged, unless forced, or cannot be held
/// at all; nothing is removed then.
pub fn remove(ctx: &Context, request: &Request) -> Result<Removed, Error> {
    initialised(ctx)?;
    let _guard = only_one(ctx)?;
    let candidate = Candidate::find(ctx, request)?;
    if !request.force {
        candidate.is_committed()?;
        if !request.keep_branch && candidate.standing.merged.is_none() {
            candidate.is_elsewhere(false)?;
        }
    }
    candidate.remove(ctx, request)
}

/// As [`remove`], for what is merged or pushed.
pub(super) fn collect(ctx: &Context, request: &Request) -> Result<Removed, Error> {
    let _guard = only_one(ctx)?;
    let candidate = Candidate::find(ctx, request)?;
    candidate.is_committed()?;
    candidate.is_elsewhere(true)?;
    candidate.remove(ctx, request)
}

/// Begins to remove what `plan` made, for a decision of this command. `None` if there is nothing here.
///
/// # Errors
///
/// [`Error::State`] if anything was done there since.
pub(in crate::service) fn of_plan(
    ctx: &Context,
    protocol: &Protocol,
    dry_run: bool,
) -> Result<Option<Removal>, Error> {
    let name = name_of(protocol)?;
    run::not_during(ctx, &name)?;
    let guard = only_one(ctx)?;
    settle(ctx)?;
    let streams = Streams::for_target(ctx, Some(name.as_str()))?;
    let standing = standing(&streams, protocol);
    let cancel = || format!("give it up, which keeps all of it: git godzilla cancel {name}");
    let tips = streams.branches.of(protocol, streams.inventory.home());
    if let Some((remote, _)) = tips.tracked.first() {
        let message = format!("the branch {name} is at {remote} already, where others may have taken it");
        return Err(Error::state("undo.plan_pushed", message, cancel()));
    }
    if let Some(tip) = standing.tip.filter(|tip| Some(*tip) != protocol.plan_commit) {
        let message = format!("the branch {name} has commits beyond its plan, up to {}", tip.short());
        return Err(Error::state("undo.plan_work", message, cancel()));
    }
    let all = ctx.repo.all_worktrees();
    let Some(worktree) = all.into_iter().find(|it| is_of(ctx, it, &name)) else {
        return branch_only(ctx, name, &standing, guard, dry_run);
    };
    let candidate = Candidate::of(ctx, (name, worktree), standing, Ignored::Small)?;
    candidate.is_committed()?;
    if dry_run {
        return Ok(None);
    }
    candidate.begin(ctx, ("its plan was undone", true), guard).map(Some)
}

/// Begins to remove a branch that no worktree has checked out.
fn branch_only(
    ctx: &Context,
    name: Name,
    standing: &Standing,
    guard: Lock,
    dry_run: bool,
) -> Result<Option<Removal>, Error> {
    let Some(tip) = standing.tip.filter(|_| !dry_run) else { return Ok(None) };
    let tree = ctx.repo.tree_of(tip)?;
    let captured = Captured { tree, index: Some(tree), changed: BTreeSet::new(), not_held: BTreeSet::new() };
    // Nothing lies there, so nothing is moved.
    let dir = ctx.repo.state_dir().join("intents").join(name.as_str());
    let held = kept::keep(
        &ctx.repo,
        &kept::New {
            kind: Kind::Trash,
            protocol: &name,
            head: tip,
            branch: Some(&standing.branch),
            tip: Some(tip),
            dir: &dir,
            why: "its plan was undone",
            op: ctx.op,
            captured: &captured,
        },
        ctx.limit,
    )?;
    let aside = aside_of(&dir);
    let intent = Intent {
        name,
        dir,
        aside,
        held: (held.name.clone(), held.commit),
        branch: Some(tip),
        op: Some(ctx.op),
    };
    intent.write(ctx)?;
    Ok(Some(Removal { intent, kept: held, _guard: guard }))
}

fn is_of(ctx: &Context, worktree: &Worktree, name: &Name) -> bool {
    names_of(ctx, worktree).any(|it| it == *name)
}

fn name_of(protocol: &Protocol) -> Result<Name, Error> {
    Ok(protocol.key().parse()?)
}

/// A worktree that may go, with what lies in it.
struct Candidate {
    name: Name,
    worktree: Worktree,
    standing: Standing,
    head: Oid,
    captured: Captured,
    head_tree: Oid,
}

/// A removal that was begun: what goes is kept and set aside.
pub(in crate::service) struct Removal {
    intent: Intent,
    kept: Kept,
    _guard: Lock,
}

impl Candidate {
    fn find(ctx: &Context, request: &Request) -> Result<Self, Error> {
        settle(ctx)?;
        let wanted = request.name.as_deref();
        let streams = Streams::for_target(ctx, wanted)?;
        let target = resolve::protocol(&streams, wanted)?;
        if target.root.is_some() {
            return Err(Error::state("protocol.twin", "this protocol shares its name with another one", ""));
        }
        let name = target.name;
        // It may be archived, and was named by its number.
        let streams = Streams::for_target(ctx, Some(name.as_str()))?;
        let protocol = streams.look(&name)?.folded.protocol.ok_or_else(|| act::unknown(&name))?;
        let all = ctx.repo.all_worktrees();
        let Some(worktree) = all.into_iter().find(|it| is_of(ctx, it, &name)) else {
            let message = format!("{name} has no worktree here");
            return Err(Error::state("worktree.none", message, "git godzilla worktrees list"));
        };
        let ignored = if request.all_ignored { Ignored::All } else { Ignored::Small };
        let standing = standing(&streams, &protocol);
        Self::of(ctx, (name, worktree), standing, ignored)
    }

    fn of(
        ctx: &Context,
        (name, worktree): (Name, Worktree),
        standing: Standing,
        ignored: Ignored,
    ) -> Result<Self, Error> {
        let of = Some((&name, standing.branch.as_str()));
        if let Some(reason) = hard_reasons(ctx, &worktree, of).into_iter().next() {
            return Err(reason.into_error());
        }
        let damaged = || {
            let message = format!("{} has no commit checked out", worktree.dir.display());
            Error::state("branch.unborn", message, "")
        };
        let head = worktree.head.filter(|head| ctx.repo.has_object(*head)).ok_or_else(damaged)?;
        let head_tree = ctx.repo.tree_of(head)?;
        let captured = match worktree.open().filter(|_| worktree.is_there()) {
            Some(repo) => repo.capture(head_tree, ignored)?,
            None => of_index(ctx, &worktree, head_tree)?,
        };
        let candidate = Self { name, worktree, standing, head, captured, head_tree };
        candidate.can_be_held()?;
        Ok(candidate)
    }

    fn can_be_held(&self) -> Result<(), Error> {
        let lost: Vec<&NotHeld> = self.captured.not_held.iter().filter(|it| !it.why.may_go()).collect();
        let Some(first) = lost.first() else { return Ok(()) };
        let dir = self.worktree.dir.display();
        let named: Vec<String> = lost.iter().map(|it| format!("{} ({})", it.path, it.why.as_str())).collect();
        let message = format!("{dir} has what cannot be kept: {}", some(&named));
        let remedy = format!(
            "move `{}` away, or remove it yourself",
            crate::domain::text::one_line(&first.path.to_string())
        );
        Err(Error::state("worktree.not_held", message, remedy))
    }

    fn is_committed(&self) -> Result<(), Error> {
        if self.captured.is_clean(self.head_tree) {
            return Ok(());
        }
        let mut paths: Vec<String> = self.captured.changed.iter().map(ToString::to_string).collect();
        if paths.is_empty() {
            paths.push("what is staged".to_owned());
        }
        Err(dirty_reason(&self.worktree.dir, &paths, self.name.as_str()).into_error())
    }

    /// Refuses unless something else has all commits; `pushed` says whether a remote will do.
    fn is_elsewhere(&self, pushed: bool) -> Result<(), Error> {
        let Standing { merged, pushed: remote, .. } = &self.standing;
        if merged.is_some() || (pushed && remote.is_some()) {
            return Ok(());
        }
        let reason = match remote {
            Some(remote) => Some(Reason::new(
                "branch.unmerged",
                format!("the branch {} is at {remote} and not merged", self.name),
                format!("git godzilla worktrees remove {} --keep-branch, or --force", self.name),
            )),
            None => unmerged_reason(&self.standing, self.name.as_str()),
        };
        reason.map_or(Ok(()), |reason| Err(reason.into_error()))
    }

    fn remove(self, ctx: &Context, request: &Request) -> Result<Removed, Error> {
        let with_branch = self.standing.tip.filter(|_| !request.keep_branch);
        let mut removed = Removed {
            name: self.name.clone(),
            dir: self.worktree.dir.clone(),
            branch: with_branch.map(|tip| (self.standing.branch.clone(), tip)),
            standing: self.standing.clone(),
            kept: None,
            changed: self.captured.changed.iter().map(ToString::to_string).collect(),
            dropped: self.captured.not_held.iter().map(|it| it.path.to_string()).collect(),
        };
        if request.dry_run {
            return Ok(removed);
        }
        // The lock is held by who calls.
        let intent = self.note(ctx, ("removed", !request.keep_branch), None)?;
        removed.kept = intent.kept(ctx)?;
        self.set_aside(ctx, &intent)?;
        intent.go_on(ctx)?;
        Ok(removed)
    }

    fn begin(self, ctx: &Context, how: (&str, bool), guard: Lock) -> Result<Removal, Error> {
        let intent = self.note(ctx, how, Some(ctx.op))?;
        self.set_aside(ctx, &intent)?;
        let gone = || Error::state("worktree.changed", "what was kept is gone", "run it again");
        let kept = intent.kept(ctx)?.ok_or_else(gone)?;
        Ok(Removal { intent, kept, _guard: guard })
    }

    /// Keeps all of it, and notes what is about to be done.
    fn note(
        &self,
        ctx: &Context,
        (why, with_branch): (&str, bool),
        op: Option<crate::domain::id::Ulid>,
    ) -> Result<Intent, Error> {
        let dir = self.worktree.dir.clone();
        let new = kept::New {
            kind: Kind::Trash,
            protocol: &self.name,
            head: self.head,
            branch: self.worktree.branch.as_deref(),
            tip: self.standing.tip,
            dir: &dir,
            why,
            op: ctx.op,
            captured: &self.captured,
        };
        let held = kept::keep(&ctx.repo, &new, ctx.limit)?;
        let intent = Intent {
            name: self.name.clone(),
            aside: aside_of(&dir),
            dir,
            held: (held.name, held.commit),
            branch: self.standing.tip.filter(|_| with_branch),
            op,
        };
        intent.write(ctx)?;
        fail::point("remove.noted");
        Ok(intent)
    }

    /// Moves the folder to where nobody looks for it, and makes sure that nobody wrote to it meanwhile.
    fn set_aside(&self, ctx: &Context, intent: &Intent) -> Result<(), Error> {
        if !self.worktree.is_there() {
            return Ok(());
        }
        if let Err(err) = fs::move_dir(&intent.dir, &intent.aside) {
            intent.roll_back(ctx)?;
            return Err(Error::io(format!("move `{}`", intent.dir.display()))(err));
        }
        fail::point("remove.aside");
        if changed_since(ctx, intent)? {
            intent.roll_back(ctx)?;
            let message = format!("somebody wrote to {} meanwhile; it stays", intent.dir.display());
            return Err(Error::state("worktree.changed", message, "run it again"));
        }
        Ok(())
    }
}

impl Removal {
    /// Removes what was set aside, and the branch.
    ///
    /// # Errors
    ///
    /// [`Error`] if something cannot be removed; the next command goes on with it.
    pub(in crate::service) fn finish(self, ctx: &Context) -> Result<Kept, Error> {
        self.intent.go_on(ctx)?;
        Ok(self.kept)
    }

    /// Takes everything back.
    ///
    /// # Errors
    ///
    /// [`Error`] if the folder cannot be moved back; the next command does so.
    pub(in crate::service) fn roll_back(self, ctx: &Context) -> Result<(), Error> {
        self.intent.roll_back(ctx)
    }
}

/// Whether what was set aside is something else than what is kept of it. A folder that is gone, or of
/// which git knows nothing any more, has been looked at.
pub(super) fn changed_since(ctx: &Context, intent: &Intent) -> Result<bool, Error> {
    let Some(repo) = Repo::at(&intent.aside) else { return Ok(false) };
    let Some(about) = intent.kept(ctx)?.and_then(|kept| kept.about) else { return Ok(true) };
    differs(ctx, &about, &repo)
}

/// Whether a worktree has something else than what is kept.
pub(super) fn differs(ctx: &Context, about: &About, repo: &Repo) -> Result<bool, Error> {
    let all = about.not_held.iter().all(|(why, _)| why != "ignored");
    let ignored = if all { Ignored::All } else { Ignored::Small };
    let now = repo.capture(ctx.repo.tree_of(about.head)?, ignored)?;
    let lost = now.not_held.iter().any(|it| !it.why.may_go());
    Ok(lost || now.tree != about.tree || now.index != about.index)
}

/// Returns what is known of a worktree whose folder is gone: what was staged.
fn of_index(ctx: &Context, worktree: &Worktree, head_tree: Oid) -> Result<Captured, Error> {
    let path = worktree.admin.join("index");
    let index = if path.exists() { ctx.repo.staged_tree(&path)? } else { Some(head_tree) };
    let tree = index.unwrap_or(head_tree);
    let changed = ctx.repo.paths_changed(head_tree, tree)?.into_iter().map(Into::into).collect();
    Ok(Captured { tree, index, changed, not_held: BTreeSet::new() })
}
