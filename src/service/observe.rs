//! What git shows of a protocol's branch and its events do not name yet: commits, commits that
//! vanished, a merge. Hooks make this prompt; only this makes it true.

use std::collections::{BTreeSet, HashSet};

use super::branch::BranchTips;
use crate::domain::event::{Body, Cause, CommitSeen, Draft, MergeDetected, Via};
use crate::domain::id::{Name, Oid, StepId};
use crate::domain::ledger::Ledger;
use crate::domain::observe::{self, Held};
use crate::domain::state::Protocol;
use crate::domain::{decide, message, step_file};
use crate::platform::git::{CommitInfo, Error, Repo};

/// How many commits are looked at for one protocol at a time.
const MAX_COMMITS: usize = 10_000;

/// How far to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// New commits of the branch only: all that a commit hook may take the time for.
    Commits,
    /// Also merges that ancestry shows: for the hooks after a merge or a checkout.
    Merges,
    /// Everything.
    All,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    pub n_commits: usize,
    /// Commits that moved nothing, and why.
    pub held: Vec<(Oid, Held)>,
    pub merged: bool,
}

/// Records in `ledger` what the branch shows and no event names. Commits in `quiet` are known to be
/// rewritten ones: they are recorded and move nothing.
///
/// # Errors
///
/// [`Error`] if an object that must be here is damaged.
pub fn reconcile(
    repo: &Repo,
    ledger: &mut Ledger<'_>,
    tips: &BranchTips,
    scope: Scope,
    quiet: &HashSet<Oid>,
) -> Result<Observed, Error> {
    let mut observed = Observed::default();
    let Some(protocol) = ledger.protocol() else { return Ok(observed) };
    let over =
        protocol.merged.is_some() || protocol.recorded == crate::domain::status::ProtocolStatus::Completed;
    let new = new_commits(repo, ledger, tips)?;
    let lost = lost_commits(repo, protocol, tips);
    let pushed = |oid: Oid| is_pushed(repo, tips, oid);

    if !new.is_empty() {
        let replaced: BTreeSet<Oid> = ledger
            .protocol()
            .into_iter()
            .flat_map(|protocol| &protocol.commits)
            .filter(|(oid, commit)| !commit.live || lost.contains(oid))
            .map(|(_, commit)| commit.content_tree)
            .collect();
        for oid in new {
            let info = repo.commit(oid)?;
            let seen = describe(repo, ledger, oid, &info)?;
            observed.n_commits += 1;
            let rewritten = quiet.contains(&oid) || replaced.contains(&seen.content_tree);
            let held = observe::commit(ledger, seen, info.time_ms, rewritten, &pushed);
            observed.held.extend(held.map(|held| (oid, held)));
        }
    }
    if scope != Scope::Commits && !over {
        record_lost(repo, ledger, tips)?;
    }
    if scope != Scope::Commits {
        observed.merged = record_merge(repo, ledger, tips, scope)?;
    }
    decide::settle(ledger, &pushed);
    Ok(observed)
}

/// Whether [`reconcile`] would record nothing, without the means to record it.
pub fn is_quiet(repo: &Repo, protocol: &Protocol, tips: &BranchTips) -> bool {
    let is_known = |tip: &Oid| {
        Some(*tip) == protocol.plan_commit || protocol.commits.contains_key(tip) || !repo.has_object(*tip)
    };
    let pushed = |oid: Oid| is_pushed(repo, tips, oid);
    tips.all().iter().all(is_known)
        && (protocol.merged.is_some() || lost_commits(repo, protocol, tips).is_empty())
        && merge_of(repo, protocol, tips, Scope::All).is_none()
        && !decide::would_settle(protocol, &pushed)
}

/// Returns the remote whose copy of the branch holds `oid`.
pub fn is_pushed(repo: &Repo, tips: &BranchTips, oid: Oid) -> Option<String> {
    tips.tracked.iter().find(|(_, tip)| repo.is_ancestor(oid, *tip)).map(|(remote, _)| remote.clone())
}

/// Returns the commits of the branch that no event names, parents first.
///
/// The branch's own line is that of first parents down to the plan commit; what its merges brought
/// in counts unless the base has it. A branch whose line does not come from its plan (one that was
/// reset to its base) has only what its base does not have.
fn new_commits(repo: &Repo, ledger: &Ledger<'_>, tips: &BranchTips) -> Result<Vec<Oid>, Error> {
    let Some(protocol) = ledger.protocol() else { return Ok(Vec::new()) };
    let mut known = observe::named_commits(ledger.events());
    let plan = protocol.plan_commit;
    let mut hidden = tips.bases.clone();
    hidden.push(protocol.created.base_commit);
    let mut found = Vec::new();
    for tip in tips.all() {
        if known.contains(&tip) || Some(tip) == plan || !repo.has_object(tip) {
            continue;
        }
        let commits = match own_line(repo, tip, plan, &known) {
            Some(line) => with_merged_sides(repo, &line, &hidden, &known)?,
            None => repo.commits_between(&[tip], &hidden, &known, MAX_COMMITS)?,
        };
        for oid in commits {
            if known.insert(oid) {
                found.push(oid);
            }
        }
    }
    Ok(found)
}

/// Returns the first-parent line from just above the plan or a known commit up to `tip`; `None` if
/// it leads to neither.
fn own_line(repo: &Repo, tip: Oid, plan: Option<Oid>, known: &BTreeSet<Oid>) -> Option<Vec<Oid>> {
    let mut line = Vec::new();
    let mut at = tip;
    while line.len() < MAX_COMMITS {
        if Some(at) == plan || known.contains(&at) {
            line.reverse();
            return Some(line);
        }
        line.push(at);
        at = repo.commit(at).ok()?.parents.first().copied()?;
    }
    None
}

fn with_merged_sides(
    repo: &Repo,
    line: &[Oid],
    hidden: &[Oid],
    known: &BTreeSet<Oid>,
) -> Result<Vec<Oid>, Error> {
    let mut all = Vec::new();
    for oid in line {
        let sides: Vec<Oid> = repo.commit(*oid)?.parents.into_iter().skip(1).collect();
        if !sides.is_empty() {
            let mut behind = hidden.to_vec();
            behind.extend(repo.commit(*oid)?.parents.first());
            all.extend(repo.commits_between(&sides, &behind, known, MAX_COMMITS)?);
        }
        all.push(*oid);
    }
    Ok(all)
}

/// Returns the commits that count and that no tip of the branch reaches any more.
fn lost_commits(repo: &Repo, protocol: &Protocol, tips: &BranchTips) -> BTreeSet<Oid> {
    let tips = tips.all();
    if tips.is_empty() || tips.iter().any(|tip| !repo.has_object(*tip)) {
        return BTreeSet::new();
    }
    let mut reached = HashSet::new();
    let mut stack = tips.clone();
    while let Some(oid) = stack.pop() {
        if reached.insert(oid)
            && let Some(commit) = protocol.commits.get(&oid)
        {
            stack.extend(&commit.parents);
        }
    }
    protocol
        .live_commits()
        .map(|(oid, _)| *oid)
        .filter(|oid| !reached.contains(oid) && !tips.iter().any(|tip| repo.is_ancestor(*oid, *tip)))
        .collect()
}

/// Records the commits that the branch lost, as one word about its tip.
fn record_lost(repo: &Repo, ledger: &mut Ledger<'_>, tips: &BranchTips) -> Result<(), Error> {
    let lost = ledger.protocol().map(|protocol| lost_commits(repo, protocol, tips)).unwrap_or_default();
    let Some(tip) = tips.all().first().copied().filter(|_| !lost.is_empty()) else { return Ok(()) };
    // What was gone and is still gone must be said again: the last word about the branch counts.
    let mut gone = lost;
    let still = ledger.events().iter().rev().find_map(|event| match &event.body {
        Body::BranchTip { gone, .. } => Some(gone.clone()),
        _ => None,
    });
    for oid in still.unwrap_or_default() {
        if !tips.all().iter().any(|tip| repo.is_ancestor(oid, *tip)) {
            gone.insert(oid);
        }
    }
    let at_ms = repo.commit(tip)?.time_ms;
    observe::vanished(ledger, tip, at_ms, gone.into_iter().collect());
    Ok(())
}

/// Records that the protocol's work is in its base, by the cheapest rule that shows it.
fn record_merge(
    repo: &Repo,
    ledger: &mut Ledger<'_>,
    tips: &BranchTips,
    scope: Scope,
) -> Result<bool, Error> {
    let Some(protocol) = ledger.protocol() else { return Ok(false) };
    if observe::names_merge(ledger.events()) {
        return Ok(false);
    }
    let Some(merge) = merge_of(repo, protocol, tips, scope) else { return Ok(false) };
    let at_ms = repo.commit(merge.commit)?.time_ms;
    let cause = Cause::merge(merge.commit);
    ledger.push(Draft::new(Body::MergeDetected(merge)).caused_by(cause, at_ms));
    Ok(true)
}

/// Returns the merge of all of the protocol's work into its base, if it has happened since.
fn merge_of(repo: &Repo, protocol: &Protocol, tips: &BranchTips, scope: Scope) -> Option<MergeDetected> {
    let (into, base) = tips.deciding_base.as_ref()?;
    if !observe::awaits_merge(protocol) || *base == protocol.created.base_commit {
        return None;
    }
    detect_merge(repo, protocol, into, *base, scope)
}

/// Returns the merge of all of the protocol's work into `base`, if there was one.
fn detect_merge(
    repo: &Repo,
    protocol: &Protocol,
    into: &str,
    base: Oid,
    scope: Scope,
) -> Option<MergeDetected> {
    let plan = protocol.plan_commit?;
    let parents: HashSet<Oid> =
        protocol.live_commits().flat_map(|(_, commit)| commit.parents.iter().copied()).collect();
    let heads: Vec<Oid> = protocol
        .live_commits()
        .map(|(oid, _)| *oid)
        .filter(|oid| !parents.contains(oid) && *oid != plan)
        .collect();
    let tip = *heads.first()?;
    let found =
        |rule: &str, commit| MergeDetected { rule: rule.to_owned(), into: into.to_owned(), commit, tip };
    let brought_in = |oid: &Oid| repo.is_between(*oid, protocol.created.base_commit, base);
    if heads.iter().all(brought_in) && brought_in(&plan) {
        return Some(found("ancestry", repo.brought_in_by(tip, base, MAX_COMMITS)));
    }
    if scope != Scope::All || heads.len() != 1 {
        return None;
    }
    let planned = protocol.commits.get(&plan).map(|commit| commit.content_tree);
    let done = protocol.commits.get(&tip).map(|commit| commit.content_tree);
    let changes_nothing = planned.is_none() || planned == done;
    if changes_nothing || !repo.has_object(tip) {
        return None;
    }
    // What a merge of everything brought would include the plan's folder.
    let folder = format!(".protocols/{}", protocol.name());
    let tree = repo.tree_of(base).ok()?;
    repo.tree_path(tree, &folder).ok()??;
    if repo.is_ancestor(base, tip) {
        return None;
    }
    // The branch adds nothing to the base: its content is there already.
    let merged = repo.git_text(&["merge-tree", "--write-tree", &base.to_string(), &tip.to_string()]).ok()?;
    (merged.lines().next()?.parse() == Ok(tree)).then(|| found("no-op", base))
}

/// Describes a commit for its event.
fn describe(repo: &Repo, ledger: &Ledger<'_>, oid: Oid, info: &CommitInfo) -> Result<CommitSeen, Error> {
    let name = ledger.name();
    let parsed = message::parse(&info.message, name.as_str());
    let (step, via) = step_of(&parsed, name, ledger.protocol());
    let current = || ledger.protocol()?.current_step().map(|step| step.id.clone());
    let (mut open_boxes, mut done_boxes, mut done) = (0, 0, parsed.done);
    if let Some(id) = step.clone().or_else(current) {
        let path = format!(".protocols/{name}/{id}.md");
        if let Some(after) = repo.text_at(info.tree, &path)? {
            let boxes = step_file::boxes(&after);
            (open_boxes, done_boxes) = (u64::from(boxes.open), u64::from(boxes.done));
            if boxes.open == 0 && boxes.done > 0 {
                let before = match info.parents.first().map(|parent| repo.tree_of(*parent)) {
                    Some(Ok(tree)) => repo.text_at(tree, &path)?,
                    _ => None,
                };
                done |= step_file::ticks_last_box(before.as_deref(), &after);
            }
        }
    }
    Ok(CommitSeen {
        commit: oid,
        tree: info.tree,
        content_tree: content_tree(repo, info.tree, name)?,
        parents: info.parents.clone(),
        step,
        via,
        open_boxes,
        done_boxes,
        done,
        subject: crate::domain::text::clip(&parsed.subject, 300),
    })
}

/// Returns the step that a message names: by trailer, else by tag.
pub fn step_of(parsed: &message::Parsed, name: &Name, protocol: Option<&Protocol>) -> (Option<StepId>, Via) {
    let by_trailer = parsed.step.as_ref().filter(|step| step.protocol == name.as_str());
    if let Some(id) = by_trailer.and_then(|step| step.step.parse().ok()) {
        return (Some(id), Via::Trailer);
    }
    let tagged = parsed.tag.filter(|(number, _)| *number == name.number());
    let by_tag = tagged.and_then(|(_, number)| {
        protocol?.steps.iter().find(|step| step.id.number() == number).map(|step| step.id.clone())
    });
    match by_tag {
        Some(id) => (Some(id), Via::Tag),
        None => (None, Via::None),
    }
}

/// Returns the tree without the protocol's own folder: what gates and CI judge.
pub fn content_tree(repo: &Repo, tree: Oid, name: &Name) -> Result<Oid, Error> {
    let folder = format!(".protocols/{name}");
    match repo.tree_path(tree, &folder)? {
        Some(_) => repo.id_of_tree_without(tree, &folder),
        None => Ok(tree),
    }
}
