//! `plan --amend`: what the plan's files in the worktree say becomes the plan, because a person says so.

use std::path::PathBuf;

use super::{Files, files_in, folder, follow};
use crate::domain::event::{Body, Draft};
use crate::domain::id::{Name, Oid};
use crate::domain::message;
use crate::domain::spec::contract::Problem;
use crate::domain::spec::{Spec, StepKind};
use crate::domain::state::Protocol;
use crate::domain::text::clip;
use crate::platform::git::Repo;
use crate::service::branch::Branches;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::list::{self, Shown};
use crate::service::streams::Streams;
use crate::store::stream;

/// What was amended.
#[derive(Clone, Debug)]
pub struct Amended {
    pub name: Name,
    /// `None` if the files were committed already.
    pub commit: Option<Oid>,
    /// In words.
    pub changes: Vec<String>,
}

/// Commits the plan's files in the worktree of a protocol, and nothing else, and makes what they say
/// the plan, also where less is checked than before. The user's own hooks do not run for the commit.
///
/// # Errors
///
/// [`Error`] if there is no worktree or nothing to amend, if a file is broken, or if the protocol is
/// over. Nothing is committed then.
pub fn amend(ctx: &Context, arg: Option<&str>) -> Result<Amended, Error> {
    crate::service::initialised(ctx)?;
    crate::service::plan::recover(ctx)?;
    let streams = Streams::for_target(ctx, arg)?;
    let name = super::audit::target(&streams, arg)?;
    crate::service::run::not_during(ctx, &name)?;
    let shown = list::show(&streams, &name, None)?;
    let before = plan_of(&shown)?;
    let worktree = worktree(ctx, &shown.protocol)?;
    let repo = Repo::discover(&worktree).map_err(|err| {
        Error::state(
            "plan.worktree",
            format!("the worktree of {name} cannot be opened: {err}"),
            "git worktree list",
        )
    })?;
    let files = files_in(&worktree, &name);
    let wanted = wanted(&shown.protocol, &name, &files, &before)?;
    let at = folder(&name);
    let is_committed = repo.git_output(&["status", "--porcelain", "-z", "--", &at])?.is_empty();
    if is_committed && wanted == before {
        return Err(Error::state(
            "plan.unchanged",
            format!("the files below {at} say what the plan of {name} is"),
            format!("change one, such as {at}/{}", before.steps.last().map_or("plan.md", |step| &step.file)),
        ));
    }
    if ctx.repo.committer().is_none() {
        return Err(stream::Error::NoIdentity.into());
    }
    let commit = if is_committed { None } else { Some(commit(&repo, &shown.protocol, &name)?) };
    let changes = record(ctx, &name, &files, &before)?;
    Ok(Amended { name, commit, changes })
}

/// Returns the plan of a protocol that may still change.
fn plan_of(shown: &Shown) -> Result<Spec, Error> {
    let protocol = &shown.protocol;
    let name = &shown.name;
    if protocol.shown.is_final() {
        let message = format!("protocol {name} is {}, so its plan stays as it is", protocol.shown);
        return Err(Error::state("protocol.over", message, format!("git godzilla show {name}")));
    }
    let spec = protocol.spec.and_then(|digest| shown.content.decoded_specs().remove(&digest));
    spec.ok_or_else(|| {
        let message = format!("the plan of {name} is not here");
        Error::state("spec.missing", message, format!("git godzilla spec backfill {name}"))
    })
}

/// Returns the folder that the protocol's branch is checked out in.
fn worktree(ctx: &Context, protocol: &Protocol) -> Result<PathBuf, Error> {
    let branch = Branches::lazy(&ctx.repo).name_here(protocol);
    let found = ctx.repo.worktrees().into_iter().find(|(_, checked_out)| *checked_out == branch);
    found.map(|(path, _)| path).ok_or_else(|| {
        let message = format!("the branch {branch} is not checked out anywhere");
        Error::state("plan.worktree", message, format!("git switch {branch}"))
    })
}

fn wanted(protocol: &Protocol, name: &Name, files: &Files, before: &Spec) -> Result<Spec, Error> {
    if files.texts.is_empty() && files.problems.is_empty() {
        let message = format!("there is no plan below {} in the worktree", folder(name));
        return Err(Error::state("plan.broken", message, format!("git checkout -- {}", folder(name))));
    }
    // No file says the description: a text that was taken out of the creation goes from the plan as well.
    let is_taken_out = protocol.created.description.is_empty();
    let description = if is_taken_out { String::new() } else { before.description.clone() };
    files.spec(&Spec { description, ..before.clone() }).map_err(|problems| {
        let first: Vec<String> = problems.iter().take(3).map(Problem::to_string).collect();
        let message = format!("the plan's files cannot be read: {}", clip(&first.join("; "), 600));
        Error::state("plan.broken", message, format!("git godzilla spec validate {name}"))
    })
}

/// Commits the protocol's folder with git's own means, which leave whatever else is staged.
fn commit(repo: &Repo, protocol: &Protocol, name: &Name) -> Result<Oid, Error> {
    let at = folder(name);
    let setup = protocol.steps.iter().find(|step| step.kind == StepKind::Setup).or(protocol.steps.first());
    let number = setup.map_or(0, |step| step.id.number());
    let subject = format!("docs(protocol): amend plan of {name} {}", message::tag(name.number(), number));
    let trailer =
        setup.map(|step| format!("\n\n{}: {name}/{}", message::STEP_KEY, step.id)).unwrap_or_default();
    repo.git_output(&["add", "--all", "--", &at])?;
    let said = format!("{subject}{trailer}\n");
    repo.git_output(&[
        "commit",
        "--quiet",
        "--no-verify",
        "--cleanup=verbatim",
        "--only",
        "-m",
        &said,
        "--",
        &at,
    ])?;
    let head = repo.head()?.commit();
    head.ok_or_else(|| Error::state("plan.worktree", format!("{name} has no commit"), "git status"))
}

/// Records the commit, and the plan that a person agreed to where the commit alone does not make it so.
fn record(ctx: &Context, name: &Name, files: &Files, before: &Spec) -> Result<Vec<String>, Error> {
    let streams = Streams::for_target(ctx, Some(name.as_str()))?;
    let mut changes = Vec::new();
    let appended = streams.append(name, &mut |ledger, content| {
        let Some(now) = ledger.spec().cloned() else { return Err(crate::service::act::unknown(name)) };
        let Some(protocol) = ledger.protocol() else { return Err(crate::service::act::unknown(name)) };
        let wanted = wanted(protocol, name, files, &now)?;
        changes = wanted.changes_since(before);
        if wanted != now {
            let Some(spec) = follow::put(ledger, content, &wanted) else {
                let message = "the plan's files say more than a plan can hold";
                return Err(Error::state("plan.too_large", message, "split it into several protocols"));
            };
            let tips = ledger.protocol().map(|p| streams.branches.of(p, streams.inventory.home()));
            let commit = tips.and_then(|tips| tips.local);
            ledger.push(Draft::new(Body::SpecChanged { spec, commit }));
        }
        Ok(())
    })?;
    crate::service::after_write(ctx, &appended);
    Ok(changes)
}
