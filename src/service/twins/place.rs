//! The branch, the worktree and the plan of a protocol that got another name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::domain::event::Moved;
use crate::domain::id::{Name, Oid};
use crate::domain::message;
use crate::domain::spec::StepKind;
use crate::domain::state::Protocol;
use crate::platform::git::{NewCommit, Repo, TreeEntry};
use crate::platform::{fail, fs};
use crate::service::branch::holds;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::{error_chain, spec};
use crate::store::stream;

/// The file of a plan that names its protocol.
const PLAN_FILE: &str = "plan.md";

/// Lets the branch here bear the new name, with its worktree and the folder of its plan, and returns what was
/// done, or why it was not; a branch that is that of `other` as well is left to it. What was not done is tried
/// again; no file is ever lost by it.
pub(super) fn follow(
    ctx: &Context,
    moved: &Moved,
    protocol: &Protocol,
    other: Option<&Protocol>,
) -> Result<Vec<String>, Error> {
    let mut told = Vec::new();
    if !branch(ctx, moved, (protocol, other), &mut told)? {
        return Ok(told);
    }
    worktree(ctx, moved, &mut told);
    if let Err(err) = folder(ctx, moved, protocol, &mut told) {
        let (from, to) = (spec::folder(&moved.from), spec::folder(&moved.to));
        told.push(format!("{from} is not {to} yet: {}", error_chain(&err)));
    }
    Ok(told)
}

/// Renames the branch, if it is that of this protocol. Returns whether the new one is there.
fn branch(
    ctx: &Context,
    moved: &Moved,
    (protocol, other): (&Protocol, Option<&Protocol>),
    told: &mut Vec<String>,
) -> Result<bool, Error> {
    let Moved { from, to, .. } = moved;
    let repo = &ctx.repo;
    if repo.find_ref(&format!("refs/heads/{to}"))?.is_some() {
        return Ok(true);
    }
    let Some(tip) = repo.find_ref(&format!("refs/heads/{from}"))? else { return Ok(false) };
    if !holds(repo, protocol, tip) || other.is_some_and(|other| holds(repo, other, tip)) {
        return Ok(false);
    }
    if let Err(err) = repo.git_output(&["branch", "-m", from.as_str(), to.as_str()]) {
        told.push(format!("the branch {from} is not {to} yet: {}", error_chain(&err)));
        return Ok(false);
    }
    fail::point("twins.branch");
    told.push(format!("the branch {from} is {to} now"));
    for remote in repo.remotes().into_iter().map(|remote| remote.name) {
        let tracked = repo.find_ref(&format!("refs/remotes/{remote}/{from}"))?;
        if tracked.is_some_and(|tip| holds(repo, protocol, tip)) {
            told.push(format!(
                "it was pushed to {remote} as {from}; push it as {to}: git push -u {remote} {to}"
            ));
        }
    }
    Ok(true)
}

/// Moves the worktree beside where it was, with everything that lies in it.
fn worktree(ctx: &Context, moved: &Moved, told: &mut Vec<String>) {
    let Some(old) = checked_out(ctx, &moved.to) else { return };
    let is_named_so = old.file_name().is_some_and(|name| name == moved.from.as_str());
    if !is_named_so || ctx.repo.main_work_dir().as_ref() == Some(&old) {
        return;
    }
    let new = old.with_file_name(moved.to.as_str());
    if ctx.repo.work_dir() == Some(old.as_path()) {
        told.push(format!("its worktree stays at {}, since you are in it", old.display()));
        return;
    }
    let (Some(from), Some(to)) = (old.to_str(), new.to_str()) else { return };
    if new.symlink_metadata().is_ok() {
        told.push(format!("its worktree stays at {from}, since {to} is there already"));
        return;
    }
    match ctx.repo.git_output(&["worktree", "move", "--", from, to]) {
        Ok(_) => told.push(format!("its worktree is at {to} now")),
        Err(err) => told.push(format!("its worktree stays at {from}: {}", error_chain(&err))),
    }
    fail::point("twins.worktree");
}

fn checked_out(ctx: &Context, name: &Name) -> Option<PathBuf> {
    let worktrees = ctx.repo.worktrees().into_iter();
    worktrees.map(|(path, branch)| (branch, path)).find(|(branch, _)| branch == name.as_str()).map(|it| it.1)
}

/// Renames the folder of the plan by a commit of its own, on whose way nothing that is not committed comes.
fn folder(ctx: &Context, moved: &Moved, protocol: &Protocol, told: &mut Vec<String>) -> Result<(), Error> {
    let Some(tip) = ctx.repo.find_ref(&format!("refs/heads/{}", moved.to))? else { return Ok(()) };
    // Somebody else works on it, and does it there.
    let tracked = ctx.repo.ref_names("refs/remotes/")?;
    if tracked.iter().any(|name| name.ends_with(&format!("/{}", moved.to))) {
        return Ok(());
    }
    let tree = ctx.repo.tree_of(tip)?;
    let (from, to) = (spec::folder(&moved.from), spec::folder(&moved.to));
    let Some(plan) = ctx.repo.tree_path(tree, &from)?.filter(TreeEntry::is_tree) else { return Ok(()) };
    if ctx.repo.tree_path(tree, &to)?.is_some() || is_others(ctx, protocol, &from)? {
        return Ok(());
    }
    match checked_out(ctx, &moved.to) {
        Some(dir) => in_worktree(&dir, moved, &message(moved, protocol))?,
        None => in_objects(ctx, (tip, tree), &plan, moved, protocol)?,
    }
    fail::point("twins.folder");
    told.push(format!("{from} is {to} there, by a commit of its own"));
    Ok(())
}

/// Whether the folder came with the base: then it is that of another protocol.
fn is_others(ctx: &Context, protocol: &Protocol, folder: &str) -> Result<bool, Error> {
    let base = protocol.created.base_commit;
    if !ctx.repo.has_object(base) {
        return Ok(false);
    }
    Ok(ctx.repo.tree_path(ctx.repo.tree_of(base)?, folder)?.is_some())
}

fn message(moved: &Moved, protocol: &Protocol) -> String {
    let setup = protocol.steps.iter().find(|step| step.kind == StepKind::Setup).or(protocol.steps.first());
    let number = setup.map_or(0, |step| step.id.number());
    let Moved { from, to, .. } = moved;
    let subject = format!("docs(protocol): {from} is {to} {}", message::tag(to.number(), number));
    let trailer = setup.map(|step| format!("\n\n{}: {to}/{}", message::STEP_KEY, step.id));
    format!("{subject}{}\n", trailer.unwrap_or_default())
}

/// Returns the text of a plan with the new name in its front matter.
fn renamed(plan: &str, moved: &Moved) -> String {
    plan.replacen(&format!("\nprotocol: {}\n", moved.from), &format!("\nprotocol: {}\n", moved.to), 1)
}

/// With git's own means, which leave whatever else is staged or changed.
fn in_worktree(dir: &Path, moved: &Moved, message: &str) -> Result<(), Error> {
    let (from, to) = (spec::folder(&moved.from), spec::folder(&moved.to));
    let busy = |message: String, hint: &str| Error::state("worktree.busy", message, hint);
    let repo = Repo::at(dir)
        .ok_or_else(|| busy(format!("{} is no worktree any more", dir.display()), "git worktree repair"))?;
    let is_within = |file: &str| repo.git_dir().join(file).exists();
    if repo.rebase().is_some()
        || ["MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD"].iter().any(|it| is_within(it))
    {
        return Err(busy(format!("git is at work in {}", dir.display()), "git status"));
    }
    if repo.git_output(&["status", "--porcelain", "-z", "--", &from, &to])?.is_empty() {
        repo.git_output(&["mv", "--", &from, &to])?;
        fail::point("twins.folder_moved");
    } else if !is_begun(&repo, dir, moved)? {
        return Err(busy(format!("it holds what is not committed in {}", dir.display()), "git status"));
    }
    let committed = || -> Result<(), Error> {
        let plan = dir.join(&to).join(PLAN_FILE);
        if let Ok(text) = std::fs::read_to_string(&plan) {
            fs::replace_file(&plan, renamed(&text, moved).as_bytes(), false)
                .map_err(Error::io("write the plan"))?;
            repo.git_output(&["add", "--", &to])?;
        }
        let commit =
            ["commit", "--quiet", "--no-verify", "--cleanup=verbatim", "--only", "-m", message, "--"];
        repo.git_output(&[&commit[..], &[&from, &to]].concat())?;
        Ok(())
    };
    committed().inspect_err(|_| {
        drop(repo.git_output(&["mv", "--", &to, &from]));
        drop(repo.git_output(&["checkout", "--quiet", "HEAD", "--", &from]));
    })
}

/// Whether what is not committed is no more than what an interrupted command has begun here.
fn is_begun(repo: &Repo, dir: &Path, moved: &Moved) -> Result<bool, Error> {
    let (from, to) = (spec::folder(&moved.from), spec::folder(&moved.to));
    let listed = |args: &[&str]| -> Result<BTreeSet<String>, Error> {
        let text = String::from_utf8_lossy(&repo.git_output(args)?).into_owned();
        Ok(text.split('\0').filter(|line| !line.is_empty()).map(str::to_owned).collect())
    };
    let tree = format!("HEAD:{from}");
    let before = listed(&["ls-tree", "-r", "-z", "--format=%(objectname) %(path)", &tree])?;
    let plan = format!(" {PLAN_FILE}");
    let beyond_plan = |lines: BTreeSet<String>| -> BTreeSet<String> {
        lines.into_iter().filter(|line| !line.ends_with(&plan)).collect()
    };
    let staged = listed(&["ls-files", "-z", "--format=%(objectname) %(path)", "--", &to])?;
    let inner = format!(" {to}/");
    let staged = staged.iter().map(|line| line.replacen(&inner, " ", 1)).collect();
    let is_moved = beyond_plan(staged) == beyond_plan(before);
    let changed = listed(&["ls-files", "-z", "--modified", "--deleted", "--others", "--", &from, &to])?;
    let is_plan = |path: &String| *path == format!("{to}/{PLAN_FILE}");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let old = text(repo.git_output(&["show", &format!("{tree}/{PLAN_FILE}")])?);
    let now = std::fs::read_to_string(dir.join(&to).join(PLAN_FILE)).unwrap_or_default();
    let is_ours = now == old || now == renamed(&old, moved);
    Ok(is_moved
        && is_ours
        && changed.iter().all(is_plan)
        && listed(&["ls-files", "-z", "--", &from])?.is_empty())
}

fn in_objects(
    ctx: &Context,
    (tip, tree): (Oid, Oid),
    plan: &TreeEntry,
    moved: &Moved,
    protocol: &Protocol,
) -> Result<(), Error> {
    let repo = &ctx.repo;
    let Some(who) = repo.committer() else { return Err(stream::Error::NoIdentity.into()) };
    let author = repo.author().unwrap_or_else(|| who.clone());
    let (from, to) = (spec::folder(&moved.from), spec::folder(&moved.to));
    let entry = |oid| TreeEntry { mode: plan.mode, name: Vec::new(), oid };
    let mut folder = plan.oid;
    if let Some(text) = repo.text_at(folder, PLAN_FILE)? {
        let blob = TreeEntry::blob("", repo.write_blob(renamed(&text, moved).as_bytes())?);
        folder = repo.tree_with(Some(folder), PLAN_FILE, Some(blob))?;
    }
    let tree = repo.tree_with(Some(tree), &from, None)?;
    let tree = repo.tree_with(Some(tree), &to, Some(entry(folder)))?;
    let commit = repo.write_commit(&NewCommit {
        tree,
        parents: vec![tip],
        message: message(moved, protocol),
        author: &author,
        committer: &who,
        for_people: true,
    })?;
    let branch = format!("refs/heads/{}", moved.to);
    repo.git_output(&["update-ref", &branch, &commit.to_string(), &tip.to_string()])?;
    Ok(())
}
