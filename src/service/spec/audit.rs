//! Plans against their files, their form and themselves: `spec show`, `validate`, `audit`, `backfill`.

use std::collections::BTreeMap;

use super::{Files, files_at, files_in, folder, follow};
use crate::domain::event::{Body, Draft};
use crate::domain::id::{Digest, Name, Oid};
use crate::domain::spec::contract::Problem;
use crate::domain::spec::{Planner, Spec};
use crate::domain::state::Protocol;
use crate::domain::text::{clip, one_line};
use crate::service::branch::Branches;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::list::{self, Shown};
use crate::service::resolve;
use crate::service::streams::Streams;
use crate::store::spec;

/// Returns the protocol that `arg` names, which must hold its stream.
pub(super) fn target(streams: &Streams<'_>, arg: Option<&str>) -> Result<Name, Error> {
    let target = resolve::protocol(streams, arg)?;
    if target.root.is_some() {
        let message = "this protocol shares its name with another one, which holds the stream";
        return Err(Error::state("protocol.twin", message, format!("git godzilla show {}", target.name)));
    }
    Ok(target.name)
}

/// A plan as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    pub name: Name,
    pub digest: Digest,
    pub text: String,
    pub spec: Spec,
}

/// Returns the plan of a protocol as it is stored, with what this release does not know of it.
///
/// # Errors
///
/// [`Error`] if there is no such protocol, or its plan is not here.
pub fn stored(ctx: &Context, arg: Option<&str>) -> Result<Stored, Error> {
    let streams = Streams::for_target(ctx, arg)?;
    let name = target(&streams, arg)?;
    let shown = list::show(&streams, &name, None)?;
    let found = shown.protocol.spec.and_then(|digest| shown.content.spec(&digest));
    let read =
        found.and_then(|(digest, text)| Some((digest, spec::decode(text.as_bytes()).ok()?, text.clone())));
    let Some((digest, spec, text)) = read else {
        let message = format!("the plan of {name} is not here, or cannot be read");
        return Err(Error::state("spec.missing", message, format!("git godzilla spec backfill {name}")));
    };
    Ok(Stored { name, digest, text, spec })
}

/// What validation found.
#[derive(Clone, Debug)]
pub struct Validated {
    pub name: Name,
    /// The commit whose files these are; `None` for those in the worktree.
    pub commit: Option<Oid>,
    pub problems: Vec<Problem>,
    /// What the files change of the plan, in words.
    pub changes: Vec<String>,
    /// What of it takes `plan --amend`.
    pub looser: Vec<String>,
}

/// Checks the plan's files: those of a commit, if one is named, else those in the worktree of the
/// branch, else those at its tip.
///
/// # Errors
///
/// [`Error`] if there is no such protocol or commit. What is wrong with the files is no error.
pub fn validate(ctx: &Context, arg: Option<&str>, rev: Option<&str>) -> Result<Validated, Error> {
    let streams = Streams::for_target(ctx, arg)?;
    let name = target(&streams, arg)?;
    let shown = list::show(&streams, &name, None)?;
    let branch = streams.branches.name_here(&shown.protocol);
    let worktree = ctx.repo.worktrees().into_iter().find(|(_, checked_out)| *checked_out == branch);
    let commit = match (rev, &worktree) {
        (Some(rev), _) => Some(commit_of(ctx, rev)?),
        (None, Some(_)) => None,
        (None, None) => Some(tip_of(&streams, &shown.protocol)?),
    };
    let files = match (commit, worktree) {
        (Some(commit), _) => files_at(&ctx.repo, ctx.repo.tree_of(commit)?, &name)?,
        (None, Some((path, _))) => files_in(&path, &name),
        (None, None) => Files::default(),
    };
    let before = current(&shown).unwrap_or_else(|| header(ctx, &shown.protocol));
    let mut validated = Validated {
        name: name.clone(),
        commit,
        problems: Vec::new(),
        changes: Vec::new(),
        looser: Vec::new(),
    };
    match files.spec(&before) {
        Ok(spec) => {
            let text = spec::encode(&spec).1;
            if let Err(err) = crate::service::plan::check_schema(&text) {
                validated.problems.push(Problem::of("plan.md", err.to_string()));
            } else if let Err(err) = spec::decode(text.as_bytes()) {
                validated.problems.push(Problem::of("plan.md", format!("the plan is too large: {err}")));
            }
            validated.changes = spec.changes_since(&before);
            validated.looser = spec.no_looser_than(&before).1;
        }
        Err(problems) => validated.problems = problems,
    }
    Ok(validated)
}

fn commit_of(ctx: &Context, rev: &str) -> Result<Oid, Error> {
    ctx.repo.commit_named(rev)?.ok_or_else(|| Error::Usage {
        message: format!("`{}` names no commit", clip(&one_line(rev), 60)),
        hint: Some("git log --oneline".to_owned()),
    })
}

/// Returns the newest commit of the branch of a protocol that is here.
pub(in crate::service) fn tip_of(streams: &Streams<'_>, protocol: &Protocol) -> Result<Oid, Error> {
    let tips = streams.branches.of(protocol, streams.inventory.home()).all();
    tips.into_iter().find(|tip| streams.ctx.repo.has_object(*tip)).ok_or_else(|| {
        let branch = streams.branches.name_here(protocol);
        Error::state("branch.missing", format!("the branch {branch} is not here"), "git fetch")
    })
}

/// Returns what keeps the files at the tip of an open protocol's branch from being its plan, in one line;
/// `None` if nothing does, or the branch is not here.
pub fn broken_at_tip(ctx: &Context, protocol: &Protocol) -> Option<String> {
    let may_change = !protocol.shown.is_final() && protocol.spec.is_some();
    let branches = Branches::lazy(&ctx.repo);
    let tips = branches.of(protocol, None).all();
    let tip = tips.into_iter().find(|tip| may_change && ctx.repo.has_object(*tip))?;
    let name = protocol.key().parse().ok()?;
    let files = files_at(&ctx.repo, ctx.repo.tree_of(tip).ok()?, &name).ok()?;
    if files.texts.is_empty() && files.problems.is_empty() {
        return None;
    }
    let problems = files.spec(&header(ctx, protocol)).err()?;
    let first = clip(&problems.first()?.to_string(), 200);
    let more = match problems.len() - 1 {
        0 => String::new(),
        n => format!(" (and {n} more)"),
    };
    let at = tip.short();
    Some(format!(
        "the plan's files at {at} cannot be read, so the plan stays as it was: {}/{first}{more}; \
         git godzilla spec validate {name}",
        folder(&name)
    ))
}

fn current(shown: &Shown) -> Option<Spec> {
    let (_, text) = shown.content.spec(&shown.protocol.spec?)?;
    spec::decode(text.as_bytes()).ok()
}

/// What a plan would say that no file says, as `plan` would write it now.
fn header(ctx: &Context, protocol: &Protocol) -> Spec {
    Spec {
        title: protocol.created.title.clone(),
        description: protocol.created.description.clone(),
        steps: Vec::new(),
        planner: Planner::outline(),
        required_ci: ctx.settings.ci_required.clone(),
        push_gate: ctx.settings.qa_when == crate::service::settings::QaWhen::Push,
        taken_out: BTreeMap::new(),
    }
}

/// What an audit found about one protocol.
#[derive(Clone, Debug)]
pub struct Audited {
    pub name: String,
    pub status: String,
    pub spec: Option<Digest>,
    pub findings: Vec<Finding>,
}

/// Something about a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `spec.missing`, `spec.invalid`, `files.missing`, `files.broken`, `files.differ`, `files.looser`.
    pub code: &'static str,
    pub message: String,
    /// What to type; empty if nothing helps.
    pub remedy: String,
    /// Whether it is only worth knowing.
    pub is_warning: bool,
}

/// Checks the plans of all protocols: whether each is here under its own hash and in its form, and
/// whether the files at the tip of an open one's branch say the same.
///
/// # Errors
///
/// [`Error`] if refs cannot be listed.
pub fn audit(ctx: &Context, arg: Option<&str>) -> Result<Vec<Audited>, Error> {
    let streams = Streams::read(ctx)?;
    let names = match arg {
        Some(_) => vec![target(&streams, arg)?],
        None => streams.inventory.streams.keys().cloned().collect(),
    };
    let mut audited = Vec::new();
    for name in names {
        audited.push(match list::show(&streams, &name, None) {
            Ok(shown) => audit_one(&streams, &name, &shown)?,
            Err(err) => Audited {
                name: name.to_string(),
                status: "unknown".to_owned(),
                spec: None,
                findings: vec![error(
                    "spec.missing",
                    crate::service::error_chain(&err),
                    "git godzilla doctor",
                )],
            },
        });
    }
    Ok(audited)
}

fn error(code: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { code, message: message.into(), remedy: remedy.into(), is_warning: false }
}

fn audit_one(streams: &Streams<'_>, name: &Name, shown: &Shown) -> Result<Audited, Error> {
    let protocol = &shown.protocol;
    let mut audited = Audited {
        name: shown.name.clone(),
        status: protocol.shown.to_string(),
        spec: protocol.spec,
        findings: Vec::new(),
    };
    let findings = &mut audited.findings;
    let backfill = format!("git godzilla spec backfill {name}");
    let text = protocol.spec.and_then(|digest| shown.content.spec(&digest));
    match text.map(|(_, text)| (text, spec::decode(text.as_bytes()))) {
        None => findings.push(error(
            "spec.missing",
            "no plan of the hash that its events name is here",
            &backfill,
        )),
        Some((_, Err(err))) => findings.push(error("spec.invalid", one_line(&err.to_string()), &backfill)),
        Some((text, Ok(_))) => {
            if let Err(err) = crate::service::plan::check_schema(text) {
                findings.push(error("spec.invalid", clip(&one_line(&err.to_string()), 300), &backfill));
            }
        }
    }
    if protocol.shown.is_final() {
        return Ok(audited);
    }
    let Ok(tip) = tip_of(streams, protocol) else { return Ok(audited) };
    let files = files_at(&streams.ctx.repo, streams.ctx.repo.tree_of(tip)?, name)?;
    if files.texts.is_empty() && files.problems.is_empty() {
        let message = format!("the branch has no plan below {}", folder(name));
        findings.push(error(
            "files.missing",
            message,
            format!("git log --oneline {name} -- {}", folder(name)),
        ));
        return Ok(audited);
    }
    let before = current(shown);
    match files.spec(&before.clone().unwrap_or_else(|| header(streams.ctx, protocol))) {
        Err(problems) => findings.extend(problems.iter().map(|problem| {
            let message = format!("{}/{problem}", folder(name));
            error("files.broken", clip(&message, 300), format!("git godzilla spec validate {name}"))
        })),
        Ok(wanted) => {
            let Some(before) = before.filter(|before| *before != wanted) else { return Ok(audited) };
            let (kept, looser) = wanted.no_looser_than(&before);
            if kept != before {
                let message = format!("the files say another plan: {}", follow::in_words(&kept, &before));
                findings.push(error("files.differ", message, &backfill));
            }
            if !looser.is_empty() {
                let remedy = format!("git godzilla plan --amend -p {name}");
                let message = format!("the files ask for less checking: {}", clip(&looser.join(", "), 200));
                findings.push(Finding { is_warning: true, ..error("files.looser", message, remedy) });
            }
        }
    }
    Ok(audited)
}

/// A plan that was made anew.
#[derive(Clone, Debug)]
pub struct Backfilled {
    pub name: Name,
    pub spec: Digest,
    pub commit: Oid,
    pub reason: String,
}

/// Gives a plan to each open protocol, or to the one that is named, whose plan is missing, cannot be read,
/// or is not what the files at the tip of its branch say, but never one that checks less. Those whose
/// files are broken are passed over.
///
/// # Errors
///
/// [`Error`] if a stream cannot be read or written.
pub fn backfill(ctx: &Context, arg: Option<&str>, dry_run: bool) -> Result<Vec<Backfilled>, Error> {
    crate::service::initialised(ctx)?;
    let streams = Streams::read(ctx)?;
    let names = match arg {
        Some(_) => vec![target(&streams, arg)?],
        None => streams.inventory.streams.keys().cloned().collect(),
    };
    let mut done = Vec::new();
    for name in names {
        let shown = match list::show(&streams, &name, None) {
            Ok(shown) => shown,
            Err(Error::Unknown { .. }) => continue,
            Err(err) => return Err(err),
        };
        if shown.protocol.shown.is_final() || shown.protocol.spec.is_none() {
            continue;
        }
        let Ok(tip) = tip_of(&streams, &shown.protocol) else { continue };
        let files = files_at(&ctx.repo, ctx.repo.tree_of(tip)?, &name)?;
        let before = current(&shown);
        let Some((spec, reason)) = anew(ctx, &shown.protocol, before.as_ref(), &files) else { continue };
        let digest = spec::encode(&spec).0;
        let mut filled = Backfilled { name: name.clone(), spec: digest, commit: tip, reason: reason.clone() };
        if !dry_run {
            let appended = streams.append(&name, &mut |ledger, content| {
                // Whoever was here before did it already.
                if ledger.spec() == Some(&spec) {
                    return Ok(());
                }
                let Some(digest) = follow::put(ledger, content, &spec) else { return Ok(()) };
                filled.spec = digest;
                ledger.push(Draft::new(Body::SpecChanged { spec: digest, commit: Some(tip) }));
                let text = format!("the plan was made anew from its files, because {reason}");
                ledger.push(Draft::new(Body::NoteAdded { text }));
                Ok(())
            })?;
            crate::service::after_write(ctx, &appended);
        }
        done.push(filled);
    }
    Ok(done)
}

/// Returns the plan that files say and why it is needed; `None` if it is not, or cannot be told.
fn anew(ctx: &Context, protocol: &Protocol, before: Option<&Spec>, files: &Files) -> Option<(Spec, String)> {
    let Some(before) = before else {
        let spec = files.spec(&header(ctx, protocol)).ok()?;
        return Some((spec, "the one that its events name is not here".to_owned()));
    };
    let (spec, _) = files.spec(before).ok()?.no_looser_than(before);
    (spec != *before).then(|| (spec.clone(), format!("it was another: {}", follow::in_words(&spec, before))))
}
