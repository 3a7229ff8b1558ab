//! The worktrees of protocols: what lies in them, what may go, and why the others stay.
//!
//! Nothing goes that is not held: whatever is removed was kept under a ref first, on the disk, and can be
//! restored for as long as [`MAX_AGE`](crate::store::kept::MAX_AGE) says.

mod intent;
mod remove;

use std::path::{Path, PathBuf};

pub use intent::{interrupted, recover};
pub(super) use remove::{Removal, of_plan};
pub use remove::{Removed, Request, remove};

use super::branch::BranchTips;
use super::context::Context;
use super::error::Error;
use super::streams::Streams;
use super::{observe, on_commit, run};
use crate::domain::id::{Name, Oid};
use crate::domain::state::Protocol;
use crate::domain::status::ProtocolStatus;
use crate::domain::text;
use crate::platform::git::{Repo, Worktree};
use crate::platform::lock::Lock;
use crate::platform::{env, fs};

/// More commits than this are not counted.
const MAX_COMMITS: usize = 1000;

/// More entries of a folder than this are not counted.
const MAX_ENTRIES: usize = 1_000_000;

/// How many paths are named in one line.
const MAX_NAMED: usize = 5;

/// One worktree of the repository.
pub struct Listed {
    pub worktree: Worktree,
    /// The protocol that is worked on there; `None` if it is none of ours.
    pub name: Option<Name>,
    pub status: Option<ProtocolStatus>,
    /// Whether this command runs in it.
    pub is_current: bool,
    /// When git was last busy there, in milliseconds since 1970.
    pub used_at_ms: u64,
    /// What is not committed; `None` if it cannot be told.
    pub dirty: Option<Vec<String>>,
    pub standing: Standing,
    /// Bytes, and whether all of them were counted.
    pub size: Option<(u64, bool)>,
    /// Why it stays; empty if it may go.
    pub stays: Vec<Reason>,
}

/// How the branch of a protocol stands to what others have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What the branch is called here.
    pub branch: String,
    pub tip: Option<Oid>,
    /// The rule that it is merged by, and the ref that has it.
    pub merged: Option<(String, String)>,
    /// The remote that has all of it.
    pub pushed: Option<String>,
    /// How many commits no remote and no base has, as far as they are counted.
    pub unpushed: usize,
}

/// Why a worktree stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub code: &'static str,
    pub message: String,
    /// The next thing to type, if there is one.
    pub remedy: Option<String>,
}

impl Reason {
    fn new(code: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into()).filter(|remedy| !remedy.is_empty());
        Self { code, message: message.into(), remedy }
    }

    pub(super) fn into_error(self) -> Error {
        Error::state(self.code, self.message, self.remedy.unwrap_or_default())
    }
}

/// Returns all worktrees, with why each of them stays; the main one first. `with_sizes` counts their
/// bytes.
///
/// # Errors
///
/// [`Error`] if streams cannot be listed.
pub fn list(ctx: &Context, with_sizes: bool) -> Result<Vec<Listed>, Error> {
    let mut streams = Streams::read(ctx)?;
    let all = ctx.repo.all_worktrees();
    // Also those that are archived have left a worktree behind.
    let names: Vec<Name> = all.iter().flat_map(|it| names_of(ctx, it)).collect();
    streams.inventory.add_archived(&ctx.repo, &names);
    Ok(all.into_iter().map(|worktree| listed(&streams, worktree, with_sizes)).collect())
}

/// What `gc` did.
pub struct Collected {
    pub removed: Vec<Removed>,
    /// Those of protocols that stay, and why.
    pub stayed: Vec<Listed>,
    /// How many things that were kept have gone, since their time was over.
    pub n_expired: usize,
}

/// Removes the worktrees and branches of protocols that are over, if all that they hold is merged or
/// pushed; and lets go what was kept for long enough. With `dry_run` nothing is removed.
///
/// # Errors
///
/// [`Error`] if streams cannot be listed, or one cannot be removed; those before are gone then.
pub fn gc(ctx: &Context, dry_run: bool) -> Result<Collected, Error> {
    super::initialised(ctx)?;
    let mut collected = Collected { removed: Vec::new(), stayed: Vec::new(), n_expired: 0 };
    for listed in list(ctx, false)?.into_iter().filter(|listed| !listed.worktree.is_main) {
        let Some(name) = listed.name.clone() else { continue };
        if !listed.stays.is_empty() {
            collected.stayed.push(listed);
            continue;
        }
        let request = Request { name: Some(name.to_string()), dry_run, ..Request::default() };
        match remove::collect(ctx, &request) {
            Ok(removed) => collected.removed.push(removed),
            // A closer look saw what a quick one did not.
            Err(Error::State { code, message, hint }) => {
                let reason = Reason { code, message, remedy: hint };
                collected.stayed.push(Listed { stays: vec![reason], ..listed });
            }
            Err(err) => return Err(err),
        }
    }
    collected.n_expired = if dry_run { super::kept::expired(ctx)?.len() } else { super::kept::upkeep(ctx)? };
    Ok(collected)
}

fn listed(streams: &Streams<'_>, worktree: Worktree, with_sizes: bool) -> Listed {
    let ctx = streams.ctx;
    let name = protocol_of(streams, &worktree);
    let protocol = name.as_ref().and_then(|name| streams.look(name).ok()?.folded.protocol);
    let standing = protocol.as_ref().map(|protocol| standing(streams, protocol)).unwrap_or_default();
    let dirty = if worktree.is_there() {
        worktree.open().and_then(|repo| repo.dirty_paths().ok())
    } else {
        Some(Vec::new())
    };
    let head_ms = || worktree.head.and_then(|head| ctx.repo.commit(head).ok()).map(|info| info.time_ms);
    let of = name.as_ref().map(|name| {
        (name, if standing.branch.is_empty() { name.as_str() } else { standing.branch.as_str() })
    });
    let mut stays = hard_reasons(ctx, &worktree, of);
    match &protocol {
        Some(protocol) => stays.extend(soft_reasons(protocol, &worktree, dirty.as_deref(), &standing)),
        None if !worktree.is_main => {
            stays.push(Reason::new("worktree.foreign", "no protocol is worked on there", ""));
        }
        None => (),
    }
    Listed {
        is_current: ctx.repo.git_dir() == worktree.admin,
        used_at_ms: worktree.used_at_ms().or_else(head_ms).unwrap_or(0),
        size: with_sizes.then(|| fs::size_of(&worktree.dir, MAX_ENTRIES)),
        status: protocol.map(|protocol| protocol.shown),
        worktree,
        name,
        dirty,
        standing,
        stays,
    }
}

/// Returns the protocol whose branch is checked out there, or whose folder it is.
fn protocol_of(streams: &Streams<'_>, worktree: &Worktree) -> Option<Name> {
    names_of(streams.ctx, worktree).find(|name| streams.inventory.streams.contains_key(name))
}

/// Returns the names of protocols that a worktree may be of: that of its branch, that of its folder.
fn names_of(ctx: &Context, worktree: &Worktree) -> impl Iterator<Item = Name> + use<> {
    let folder = worktree.dir.file_name().and_then(|name| name.to_str()).filter(|_| !worktree.is_main);
    let branch = worktree.branch.as_deref().and_then(|branch| branch.parse::<Name>().ok());
    let branch = branch.map(|name| on_commit::stream_of(ctx, &name).ok().flatten().unwrap_or(name));
    branch.into_iter().chain(folder.and_then(|folder| folder.parse().ok()))
}

/// Returns how the branch of a protocol stands to what others have.
pub(super) fn standing(streams: &Streams<'_>, protocol: &Protocol) -> Standing {
    let tips = streams.branches.of(protocol, streams.inventory.home());
    let branch = streams.branches.name_here(protocol);
    let Some(tip) = tips.local else { return Standing { branch, ..Standing::default() } };
    let repo = &streams.ctx.repo;
    let elsewhere: Vec<Oid> =
        tips.bases.iter().copied().chain(tips.tracked.iter().map(|(_, oid)| *oid)).collect();
    let unpushed = repo.commits_between(&[tip], &elsewhere, &std::collections::BTreeSet::new(), MAX_COMMITS);
    Standing {
        branch,
        tip: Some(tip),
        merged: merged(repo, protocol, &tips, tip),
        pushed: observe::is_pushed(repo, &tips, tip),
        unpushed: unpushed.map_or(MAX_COMMITS, |commits| commits.len()),
    }
}

/// Returns the rule by which all that the branch has is in its base, and that base. What came after a
/// merge is not in it.
fn merged(repo: &Repo, protocol: &Protocol, tips: &BranchTips, tip: Oid) -> Option<(String, String)> {
    let deciding = tips.deciding_base.clone();
    let local = tips.local_base.map(|base| (format!("refs/heads/{}", protocol.created.base), base));
    let has_it = |(_, base): &(String, Oid)| repo.is_ancestor(tip, *base);
    if let Some((into, _)) = deciding.into_iter().chain(local).find(has_it) {
        return Some(("ancestry".to_owned(), into));
    }
    let recorded = protocol.merged.as_ref().filter(|merge| merge.tip == tip)?;
    Some((recorded.rule.clone(), recorded.into.clone()))
}

/// Returns why a worktree stays whatever a person wants: what would go could not be brought back.
/// `of` is the protocol, with what its branch is called.
fn hard_reasons(ctx: &Context, worktree: &Worktree, of: Option<(&Name, &str)>) -> Vec<Reason> {
    let (dir, mut reasons) = (worktree.dir.display(), Vec::new());
    let mut say = |code, message: String, remedy: String| reasons.push(Reason::new(code, message, remedy));
    if worktree.is_main {
        let other = "git switch another branch".replace("another branch", "<branch>");
        say("worktree.main", format!("{dir} is the main worktree, which is never removed"), other);
    }
    if let Some(why) = &worktree.locked {
        let why = if why.is_empty() { String::new() } else { format!(": {}", text::one_line(why)) };
        say("worktree.locked", format!("{dir} is locked{why}"), format!("git worktree unlock '{dir}'"));
    }
    if let Some(amid) = worktree.amid {
        let remedy = if amid == "bisect" {
            format!("git -C '{dir}' bisect reset")
        } else {
            format!("git -C '{dir}' {amid} --continue, or --abort")
        };
        say("worktree.amid", format!("{dir} is in the middle of a {amid}"), remedy);
    }
    if worktree.is_there() && worktree.open().is_none() {
        let message = format!("{dir} is not the worktree that git knows there any more");
        say("worktree.damaged", message, "git worktree repair".to_owned());
    }
    if worktree.has_submodules() {
        let message = format!("{dir} has submodules, whose repositories would go with it");
        let remedy = format!("git worktree remove --force '{dir}', if nothing of them is needed");
        say("worktree.submodules", message, remedy);
    }
    if let Some((name, own)) = of {
        if worktree.branch.as_deref() != Some(own) {
            let branch = worktree.branch.as_deref().unwrap_or("no branch");
            let message = format!("{dir} has {} checked out, not {own}", text::one_line(branch));
            say("worktree.switched", message, format!("git -C '{dir}' switch {own}"));
        }
        if run::goes_on(&ctx.repo, name) {
            let remedy = format!("wait for its end, or stop it: git godzilla logs -f -p {name}");
            say("run.goes_on", format!("an engine works on {name} now"), remedy);
        }
    }
    if is_within(&worktree.dir) {
        let main = ctx.repo.main_work_dir().unwrap_or_else(|| ctx.repo.common_dir().to_owned());
        let message = format!("the current directory is in {dir}");
        say("worktree.current", message, format!("cd '{}', and run it again", main.display()));
    }
    reasons
}

/// Returns why a worktree is not removed unasked.
fn soft_reasons(
    protocol: &Protocol,
    worktree: &Worktree,
    dirty: Option<&[String]>,
    standing: &Standing,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let name = protocol.name();
    if !protocol.shown.is_final() {
        let message = format!("{name} is {}", protocol.shown);
        reasons.push(Reason::new("protocol.open", message, ""));
    }
    if dirty.is_none_or(|paths| !paths.is_empty()) {
        reasons.push(dirty_reason(&worktree.dir, dirty.unwrap_or_default(), &name));
    }
    if standing.merged.is_none() && standing.pushed.is_none() {
        reasons.extend(unmerged_reason(standing, &name));
    }
    reasons
}

fn dirty_reason(dir: &Path, paths: &[String], name: &str) -> Reason {
    let message = format!("{} holds what is not committed: {}", dir.display(), some(paths));
    let remedy = format!("commit it, or: git godzilla worktrees remove {name} --force (it can be restored)");
    Reason::new("worktree.dirty", message, remedy)
}

fn unmerged_reason(standing: &Standing, name: &str) -> Option<Reason> {
    let tip = standing.tip?;
    let n_commits = standing.unpushed.max(1);
    let commits = if n_commits == 1 { "a commit".to_owned() } else { format!("{n_commits} commits") };
    let message = format!("the branch {name} has {commits} that nothing else has, up to {}", tip.short());
    let remedy = format!(
        "merge it, or: git godzilla worktrees remove {name} --keep-branch; with --force the branch goes too, \
         and can be restored"
    );
    Some(Reason::new("branch.unmerged", message, remedy))
}

/// Returns some paths in one line.
fn some(paths: &[String]) -> String {
    let named: Vec<String> = paths.iter().take(MAX_NAMED).map(|path| text::one_line(path)).collect();
    let more = paths.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    if paths.is_empty() { "git cannot look at it".to_owned() } else { named.join(", ") + &more }
}

/// Whether the current directory lies there.
fn is_within(dir: &Path) -> bool {
    let here: Option<PathBuf> = env::current_dir();
    let dir = dir.canonicalize().ok();
    matches!((here, dir), (Some(here), Some(dir)) if here.starts_with(&dir))
}

/// Keeps two terminals from removing or restoring worktrees at once.
pub(super) fn only_one(ctx: &Context) -> Result<Lock, Error> {
    Ok(Lock::acquire(&ctx.repo.state_dir().join("locks").join("worktrees"), ctx.limit)?)
}
