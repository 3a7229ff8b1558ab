//! The plan follows its files: what a commit of the branch changes of them becomes the plan.
//!
//! Each commit is judged by itself, in the order of the branch, so that whoever sees the same commits
//! records the same changes in the same order.

use crate::domain::event::{Body, Cause, Draft, Event};
use crate::domain::fold::Outcome;
use crate::domain::id::{Digest, Name, Oid};
use crate::domain::ledger::Ledger;
use crate::domain::spec::Spec;
use crate::domain::spec::contract::PLAN_FILE;
use crate::domain::state::Protocol;
use crate::domain::text::{clip, markdown};
use crate::platform::git::{CommitInfo, Error, Repo, TreeEntry};
use crate::store::content::Content;
use crate::store::spec;

/// How many lines about one commit are said.
const MAX_SAID: usize = 3;

/// How often a branch may come back to one tip and still be followed.
const MAX_RETURNS: usize = 1000;

/// Records the plan that a commit's files say, if the commit changed them. `old` is the commit that it
/// stands for, if it does. Returns what there is to say about it, a line each.
///
/// # Errors
///
/// [`Error`] if an object that must be here is damaged.
pub fn commit(
    repo: &Repo,
    ledger: &mut Ledger<'_>,
    content: &mut Content,
    (oid, info): (Oid, &CommitInfo),
    old: Option<Oid>,
) -> Result<Vec<String>, Error> {
    let name = ledger.name().clone();
    let Some(protocol) = ledger.protocol().filter(|protocol| may_change(protocol)) else {
        return Ok(Vec::new());
    };
    let tree_of = |oid: &Oid| match protocol.commits.get(oid) {
        Some(commit) => Some(commit.tree),
        None => repo.tree_of(*oid).ok(),
    };
    let before = info.parents.first().and_then(tree_of);
    let is_merge = info.parents.len() > 1;
    if !is_merge && !differs(repo, &name, before, info.tree)? {
        return Ok(Vec::new());
    }
    // What an amend or a rebase moves was said of the commit as it was.
    let is_told = |old: &Oid| is_told(ledger, &Cause::commit(*old));
    if let Some(tree) = old.filter(is_told).as_ref().and_then(tree_of)
        && !differs(repo, &name, Some(tree), info.tree)?
    {
        return Ok(Vec::new());
    }
    let cause = (Cause::commit(oid), info.time_ms);
    take(repo, ledger, content, (oid, info.tree), cause)
}

/// Records the plan of the branch's tip, if the commit that the plan came with left the branch.
///
/// # Errors
///
/// As [`commit`].
pub fn tip(
    repo: &Repo,
    ledger: &mut Ledger<'_>,
    content: &mut Content,
    tip: Option<Oid>,
) -> Result<Vec<String>, Error> {
    let Some(protocol) = ledger.protocol().filter(|protocol| may_change(protocol)) else {
        return Ok(Vec::new());
    };
    let is_gone = |oid: Oid| protocol.commits.get(&oid).is_some_and(|commit| !commit.live);
    let Some(tip) = tip.filter(|tip| repo.has_object(*tip)) else { return Ok(Vec::new()) };
    if !origin(ledger).is_some_and(is_gone) {
        return Ok(Vec::new());
    }
    let info = repo.commit(tip)?;
    let again = (0..MAX_RETURNS).find(|again| !is_told(ledger, &Cause::tip(tip, *again))).unwrap_or_default();
    take(repo, ledger, content, (tip, info.tree), (Cause::tip(tip, again), info.time_ms))
}

fn may_change(protocol: &Protocol) -> bool {
    !protocol.recorded.is_final() && protocol.merged.is_none() && !protocol.spec_missing
}

/// Returns the commit that the plan came with.
fn origin(ledger: &Ledger<'_>) -> Option<Oid> {
    let told = ledger.events().iter().zip(&ledger.folded().outcomes);
    let last =
        told.rev().find(|(event, outcome)| event.body.spec().is_some() && **outcome == Outcome::Accepted);
    match &last?.0.body {
        Body::Planned { plan_commit, .. } => *plan_commit,
        Body::SpecChanged { commit, .. } => *commit,
        _ => None,
    }
}

/// Whether an event says what this cause changed of the plan, whatever became of the event.
fn is_told(ledger: &Ledger<'_>, cause: &Cause) -> bool {
    let is_it =
        |event: &Event| matches!(event.body, Body::SpecChanged { .. }) && event.cause.as_ref() == Some(cause);
    ledger.events().iter().any(is_it)
}

/// Takes the files of a tree as the plan; what is wrong with them changes nothing.
fn take(
    repo: &Repo,
    ledger: &mut Ledger<'_>,
    content: &mut Content,
    (oid, tree): (Oid, Oid),
    (cause, at_ms): (Cause, u64),
) -> Result<Vec<String>, Error> {
    let Some(before) = ledger.spec().cloned() else { return Ok(Vec::new()) };
    let name = ledger.name().clone();
    let files = super::files_at(repo, tree, &name)?;
    if files.texts.is_empty() && files.problems.is_empty() {
        return Ok(vec![format!("the plan's files are gone; the plan stays as it was ({})", oid.short())]);
    }
    let wanted = match files.spec(&before) {
        Ok(wanted) => wanted,
        Err(problems) => {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            let more = problems.len().saturating_sub(1);
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            let at = super::folder(&name);
            return Ok(vec![format!("the plan stays as it was: {at}/{}{more}", clip(&first, 300))]);
        }
    };
    let (now, kept) = wanted.no_looser_than(&before);
    let mut said: Vec<String> = Vec::new();
    if !kept.is_empty() {
        let kept = clip(&kept.join(", "), 200);
        said.push(format!("{kept}; `git godzilla plan --amend` agrees to less"));
    }
    if now != before && !is_told(ledger, &cause) {
        let Some(spec) = put(ledger, content, &now) else {
            return Ok(vec!["the plan stays as it was: its files say more than a plan can hold".to_owned()]);
        };
        ledger.push(Draft::new(Body::SpecChanged { spec, commit: Some(oid) }).caused_by(cause, at_ms));
        said.insert(0, format!("the plan changed: {}", in_words(&now, &before)));
        said.extend(about_history(ledger, &now, &before));
    }
    said.truncate(MAX_SAID);
    Ok(said)
}

/// Stores a plan that takes the place of the protocol's, and returns its name; `None` if it is so large
/// that nobody could read it.
pub(super) fn put(ledger: &mut Ledger<'_>, content: &mut Content, now: &Spec) -> Option<Digest> {
    let old = ledger.protocol().and_then(|protocol| content.spec(&protocol.spec?));
    let (digest, text) = old
        .and_then(|(_, old)| spec::encode_over(old.as_bytes(), now).ok())
        .unwrap_or_else(|| spec::encode(now));
    spec::decode(text.as_bytes()).ok()?;
    content.specs.insert(digest, text);
    ledger.add_spec(digest, now.clone());
    Some(digest)
}

/// Returns the differences of two plans in one line.
pub fn in_words(now: &Spec, before: &Spec) -> String {
    clip(&now.changes_since(before).join("; "), 200)
}

/// Says which steps with a history are not what their files say any more.
fn about_history(ledger: &Ledger<'_>, now: &Spec, before: &Spec) -> Vec<String> {
    let Some(protocol) = ledger.protocol() else { return Vec::new() };
    let mut said = Vec::new();
    for step in &protocol.steps {
        let (id, status) = (&step.id, step.recorded);
        match (now.step(id), before.step(id)) {
            (None, Some(_)) if status.is_final() => {
                said.push(format!("step {id} is {status} and stays, though it is no longer planned"));
            }
            (None, Some(_)) => {
                let name = protocol.name();
                said.push(format!(
                    "step {id} is {status} and stays, though it is no longer planned: `git godzilla skip {id} -p {name}`"
                ));
            }
            (Some(now), Some(before)) if now != before && status.is_final() => {
                said.push(format!("step {id} stays {status}, though its file changed"));
            }
            _ => (),
        }
    }
    said
}

/// Whether two trees have different plans of `name`. Bodies of step files, with their boxes, do not
/// count.
fn differs(repo: &Repo, name: &Name, before: Option<Oid>, after: Oid) -> Result<bool, Error> {
    let Some(before) = before else { return Ok(true) };
    let find = |tree: Oid, part: &str| -> Result<Option<Oid>, Error> {
        let found = repo.tree(tree)?.into_iter().find(|entry| entry.name == part.as_bytes());
        Ok(found.filter(TreeEntry::is_tree).map(|entry| entry.oid))
    };
    let mut at = (Some(before), Some(after));
    for part in [".protocols", name.as_str()] {
        let below = |tree: Option<Oid>| tree.map_or(Ok(None), |tree| find(tree, part));
        at = (below(at.0)?, below(at.1)?);
        if at.0 == at.1 {
            return Ok(false);
        }
    }
    let (Some(before), Some(after)) = at else { return Ok(true) };
    let of_plan = |tree: Oid| -> Result<Vec<TreeEntry>, Error> {
        let is_of_plan = |entry: &TreeEntry| super::is_of_plan(&String::from_utf8_lossy(&entry.name));
        Ok(repo.tree(tree)?.into_iter().filter(is_of_plan).collect())
    };
    let (before, after) = (of_plan(before)?, of_plan(after)?);
    if before.len() != after.len() {
        return Ok(true);
    }
    for (old, new) in before.iter().zip(&after) {
        if old.name != new.name || old.mode != new.mode {
            return Ok(true);
        }
        let is_other = || Ok::<_, Error>(head(repo, old)? != head(repo, new)?);
        if old.oid != new.oid && (old.name == PLAN_FILE.as_bytes() || is_other()?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the front matter of a file, as it is spelled.
fn head(repo: &Repo, entry: &TreeEntry) -> Result<Vec<u8>, Error> {
    if entry.is_tree() || repo.blob_size(entry.oid)? > super::MAX_FILE {
        return Ok(entry.oid.as_bytes().to_vec());
    }
    let bytes = repo.blob(entry.oid)?;
    let end = std::str::from_utf8(&bytes).map_or(bytes.len(), markdown::body_offset);
    Ok(bytes[..end].to_vec())
}
