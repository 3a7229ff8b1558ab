//! What git shows of a protocol's branch and its events do not name yet: commits, commits that
//! vanished, a merge. Hooks make this prompt; only this makes it true.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::branch::BranchTips;
use super::merge;
use super::spec::follow;
use crate::domain::event::{Body, CommitSeen, Via};
use crate::domain::id::{Name, Oid, StepId};
use crate::domain::ledger::Ledger;
use crate::domain::observe::{self, Held};
use crate::domain::spec::StepKind;
use crate::domain::state::Protocol;
use crate::domain::{decide, message, step_file};
use crate::platform::git::{CommitInfo, Error, Repo};
use crate::store::content::Content;

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
    /// What there is to say about the plan, a line each.
    pub plan: Vec<String>,
}

/// Records in `ledger`, and plans in `content`, what the branch shows and no event names. Commits in `quiet` are known to be
/// rewritten ones: they are recorded and move nothing.
///
/// # Errors
///
/// [`Error`] if an object that must be here is damaged.
pub fn reconcile(
    repo: &Repo,
    (ledger, content): (&mut Ledger<'_>, &mut Content),
    tips: &BranchTips,
    scope: Scope,
    quiet: &BTreeSet<Oid>,
) -> Result<Observed, Error> {
    let mut observed = Observed::default();
    let own_tips = without_twins(repo, ledger, tips);
    let tips = own_tips.as_ref().unwrap_or(tips);
    let Some(protocol) = ledger.protocol() else { return Ok(observed) };
    let over =
        protocol.merged.is_some() || protocol.recorded == crate::domain::status::ProtocolStatus::Completed;
    let new: Vec<(Oid, CommitInfo)> = new_commits(repo, ledger, tips)?
        .into_iter()
        .map(|oid| Ok((oid, repo.commit(oid)?)))
        .collect::<Result<_, Error>>()?;
    let behind_new: Vec<Oid> = new.iter().flat_map(|(_, info)| info.parents.clone()).collect();
    let lost = lost_commits(repo, protocol, tips, &behind_new);
    let pushed = |oid: Oid| is_pushed(repo, tips, oid);

    let mut replaced = Replaced::among(repo, protocol, &lost, &new);
    for (oid, info) in new {
        let seen = describe(repo, ledger, oid, &info)?;
        observed.n_commits += 1;
        let old = replaced.take(oid, seen.content_tree);
        let rewritten = quiet.contains(&oid)
            || old.as_ref().is_some_and(|old| old.moves_nothing(&seen))
            || (observe::is_held(ledger, &seen) && is_amended(repo, ledger, &info));
        let old_id = old.as_ref().map(|old| old.oid);
        if let Some(old) = old.filter(|_| scope != Scope::Commits) {
            observe::rewritten(ledger, old.oid, oid, "rewrite", info.time_ms);
        }
        // A step that the commit adds can take it.
        let before = old_id.or_else(|| rewritten_from(ledger, oid));
        observed.plan.extend(follow::commit(repo, ledger, content, (oid, &info), before)?);
        let held = observe::commit(ledger, seen, info.time_ms, rewritten, &pushed);
        observed.held.extend(held.map(|held| (oid, held)));
    }
    if scope != Scope::Commits && !over {
        record_lost(repo, ledger, tips)?;
        observed.plan.extend(follow::tip(repo, ledger, content, tips.all().first().copied())?);
    }
    if scope != Scope::Commits {
        observed.merged = merge::record(repo, ledger, tips, scope)?;
    }
    decide::settle(ledger, &pushed);
    Ok(observed)
}

/// Returns the tips without those of other protocols that have, or had, the same name; `None` if there are
/// no such protocols.
fn without_twins(repo: &Repo, ledger: &Ledger<'_>, tips: &BranchTips) -> Option<BranchTips> {
    let folded = ledger.folded();
    let own = folded.protocol.as_ref().filter(|_| !(folded.twins.is_empty() && folded.moved.is_empty()))?;
    let (mut ours, mut theirs) = (BTreeSet::new(), BTreeSet::new());
    for event in ledger.events() {
        let commit = match &event.body {
            Body::Planned { plan_commit: Some(commit), .. } => *commit,
            Body::CommitSeen(seen) => seen.commit,
            _ => continue,
        };
        let root = event.root.unwrap_or(own.root);
        if root == own.root {
            ours.insert(commit)
        } else {
            theirs.insert(commit)
        };
    }
    let behind = |tip: Oid, known: &BTreeSet<Oid>| known.iter().any(|oid| repo.is_ancestor(*oid, tip));
    let is_theirs = |tip: &Oid| behind(*tip, &theirs) && !behind(*tip, &ours);
    let mut tips = tips.clone();
    tips.local = tips.local.filter(|tip| !is_theirs(tip));
    tips.tracked.retain(|(_, tip)| !is_theirs(tip));
    Some(tips)
}

/// Returns the commit that a rewrite made this one of.
fn rewritten_from(ledger: &Ledger<'_>, oid: Oid) -> Option<Oid> {
    ledger.events().iter().rev().find_map(|event| match event.body {
        Body::CommitRewritten { old, new, .. } if new == oid => Some(old),
        _ => None,
    })
}

/// Whether [`reconcile`] would record nothing, without the means to record it. In doubt the answer
/// is no.
pub fn is_quiet(repo: &Repo, protocol: &Protocol, tips: &BranchTips) -> bool {
    let is_known = |tip: &Oid| {
        Some(*tip) == protocol.plan_commit || protocol.commits.contains_key(tip) || !repo.has_object(*tip)
    };
    let is_back = |oid: &Oid| protocol.commits.get(oid).is_some_and(|commit| !commit.live);
    let pushed = |oid: Oid| is_pushed(repo, tips, oid);
    tips.all().iter().all(is_known)
        && (protocol.merged.is_some()
            || (lost_commits(repo, protocol, tips, &[]).is_empty()
                && !known_behind(protocol, &tips.all()).iter().any(is_back)))
        && merge::merge_of(repo, protocol, tips, Scope::All).is_none()
        && !decide::would_settle(protocol, &pushed)
}

/// A commit that the branch lost.
#[derive(Clone)]
struct Lost {
    oid: Oid,
    content_tree: Oid,
    parent: Option<Oid>,
}

impl Lost {
    /// Whether `seen`, which stands for it, has the same content or was moved by a rebase.
    fn moves_nothing(&self, seen: &CommitSeen) -> bool {
        self.content_tree == seen.content_tree || self.parent != seen.parents.first().copied()
    }
}

/// The commits that the branch lost, each of which stands behind at most one new commit: that of the
/// same author, time and subject, as a rebase leaves it, else one with the same content, as an amend
/// of the message does.
///
/// It must not stand behind two: a commit that only ticks boxes has the content of the one before it.
struct Replaced {
    by_new: HashMap<Oid, Lost>,
    others: Vec<Lost>,
}

impl Replaced {
    fn among(repo: &Repo, protocol: &Protocol, lost: &BTreeSet<Oid>, new: &[(Oid, CommitInfo)]) -> Self {
        let (mut by_new, mut others) = (HashMap::new(), Vec::new());
        let made = |info: &CommitInfo| (info.author.clone(), info.authored_s, subject(&info.message));
        for oid in lost {
            let (Some(commit), Ok(info)) = (protocol.commits.get(oid), repo.commit(*oid)) else { continue };
            let old = Lost {
                oid: *oid,
                content_tree: commit.content_tree,
                parent: commit.parents.first().copied(),
            };
            let same = |(new, by): &&(Oid, CommitInfo)| !by_new.contains_key(new) && made(by) == made(&info);
            match new.iter().find(same) {
                Some((new, _)) => drop(by_new.insert(*new, old)),
                None => others.push(old),
            }
        }
        Self { by_new, others }
    }

    fn take(&mut self, new: Oid, content_tree: Oid) -> Option<Lost> {
        self.by_new.remove(&new).or_else(|| {
            let place = self.others.iter().position(|old| old.content_tree == content_tree)?;
            Some(self.others.remove(place))
        })
    }
}

/// Whether a new commit is what an amend makes of a known one: of the same author and time, on the
/// same parent. The known one need not be lost, a remote may have it still.
fn is_amended(repo: &Repo, ledger: &Ledger<'_>, new: &CommitInfo) -> bool {
    let parent = new.parents.first();
    let made = |info: &CommitInfo| (info.author.clone(), info.authored_s);
    let commits = ledger.protocol().into_iter().flat_map(|protocol| &protocol.commits);
    let siblings = commits.filter(|(_, commit)| commit.parents.first() == parent).map(|(oid, _)| *oid);
    siblings.filter_map(|oid| repo.commit(oid).ok()).any(|old| made(&old) == made(new))
}

/// Returns the first paragraph of a message, which a rebase keeps.
fn subject(message: &[u8]) -> Vec<u8> {
    let end = message.windows(2).position(|pair| pair == b"\n\n").unwrap_or(message.len());
    message[..end].trim_ascii().to_vec()
}

/// Returns the remote whose copy of the branch holds `oid`.
pub fn is_pushed(repo: &Repo, tips: &BranchTips, oid: Oid) -> Option<String> {
    tips.tracked.iter().find(|(_, tip)| repo.is_ancestor(oid, *tip)).map(|(remote, _)| remote.clone())
}

/// Returns the commits of the branch that no event names, parents first.
///
/// The branch's own line is that of first parents down to the plan commit, or to what a rebase made
/// of it; what its merges brought in counts unless the base has it. A branch whose line does not
/// come from its plan (one that was reset to its base), or that is merged and follows its base, has
/// only what its base does not have.
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
        let line = own_line(repo, protocol, tip, &known);
        let commits = match line.filter(|_| protocol.merged.is_none()) {
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
/// it leads to neither. What a rebase made of the plan is part of the line.
fn own_line(repo: &Repo, protocol: &Protocol, tip: Oid, known: &BTreeSet<Oid>) -> Option<Vec<Oid>> {
    let setup = protocol.steps.iter().find(|step| step.kind == StepKind::Setup).map(|step| &step.id);
    let mut line = Vec::new();
    let mut at = tip;
    while line.len() < MAX_COMMITS && at != protocol.created.base_commit {
        if Some(at) == protocol.plan_commit || known.contains(&at) {
            line.reverse();
            return Some(line);
        }
        line.push(at);
        let info = repo.commit(at).ok()?;
        let parent = info.parents.first().copied();
        let is_of_setup = setup.is_some_and(|setup| {
            named_step(&|name| message::parse(&info.message, name), &protocol.names).as_ref() == Some(setup)
        });
        // Later commits of the set-up amend the plan, or give its folder another name.
        if is_of_setup && !protocol.names.iter().any(|name| has_folder(repo, name, parent)) {
            line.reverse();
            return Some(line);
        }
        at = info.parents.first().copied()?;
    }
    None
}

fn has_folder(repo: &Repo, name: &Name, commit: Option<Oid>) -> bool {
    let tree = commit.and_then(|commit| repo.tree_of(commit).ok());
    tree.is_some_and(|tree| matches!(repo.tree_path(tree, &super::spec::folder(name)), Ok(Some(_))))
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

/// Returns the commits that count and that no tip of the branch reaches any more. A commit that is
/// not here was never on the branch here: somebody else's is only not fetched yet. One that a base
/// has is merged, not lost, though the branch may not be fetched. `behind_new` are the parents of
/// commits of the branch that no event names yet.
fn lost_commits(repo: &Repo, protocol: &Protocol, tips: &BranchTips, behind_new: &[Oid]) -> BTreeSet<Oid> {
    let (tips, bases) = (tips.all(), &tips.bases);
    if tips.is_empty() || tips.iter().any(|tip| !repo.has_object(*tip)) {
        return BTreeSet::new();
    }
    let reached = known_behind(protocol, &[&tips, behind_new].concat());
    protocol
        .live_commits()
        .map(|(oid, _)| *oid)
        .filter(|oid| !reached.contains(oid) && repo.has_object(*oid))
        .filter(|oid| !tips.iter().chain(bases).any(|tip| repo.is_ancestor(*oid, *tip)))
        .collect()
}

/// Returns the commits that `tips` reach by what events say of parents.
pub(super) fn known_behind(protocol: &Protocol, tips: &[Oid]) -> HashSet<Oid> {
    let mut reached = HashSet::new();
    let mut stack = tips.to_vec();
    while let Some(oid) = stack.pop() {
        if reached.insert(oid)
            && let Some(commit) = protocol.commits.get(&oid)
        {
            stack.extend(&commit.parents);
        }
    }
    reached
}

/// Records the commits that the branch lost, and those that are back, as one word about its tip.
///
/// That a commit is back can be told only by the clone that said it was gone: the branch of another
/// one may simply be older than that word, and the two would contradict each other for ever. So would
/// two that have each other's commits and never had them on the branch, if they repeated themselves.
fn record_lost(repo: &Repo, ledger: &mut Ledger<'_>, tips: &BranchTips) -> Result<(), Error> {
    let Some(protocol) = ledger.protocol() else { return Ok(()) };
    let lost = lost_commits(repo, protocol, tips, &[]);
    let Some(tip) = tips.all().first().copied() else { return Ok(()) };
    let label = repo.clone_label();
    let words = || {
        ledger.events().iter().rev().filter_map(|event| match &event.body {
            Body::BranchTip { tip, gone } => Some((*tip, gone, event.actor.host == label)),
            _ => None,
        })
    };
    let (known, is_own) = words().next().map(|(_, gone, is_own)| (gone.clone(), is_own)).unwrap_or_default();
    let (back, still): (Vec<Oid>, Vec<Oid>) =
        known.into_iter().partition(|oid| tips.all().iter().any(|tip| repo.is_ancestor(*oid, *tip)));
    let is_dead = |oid: &Oid| protocol.commits.get(oid).is_some_and(|commit| !commit.live);
    if lost.is_empty() && !(is_own && back.iter().any(is_dead)) {
        return Ok(());
    }
    // What was gone and is still gone must be said again: the last word about the branch counts.
    let gone: BTreeSet<Oid> = lost.into_iter().chain(still).collect();
    let own_last = words().find(|(_, _, is_own)| *is_own);
    if own_last.is_some_and(|(said, was_gone, _)| said == tip && gone.iter().eq(was_gone)) {
        return Ok(());
    }
    if gone.len() > observe::MAX_GONE {
        tracing::warn!(protocol = %ledger.name(), n_commits = gone.len(), "too many lost commits for one event");
        return Ok(());
    }
    let at_ms = repo.commit(tip)?.time_ms;
    observe::vanished(ledger, tip, at_ms, gone.into_iter().collect());
    Ok(())
}

/// Describes a commit for its event.
fn describe(repo: &Repo, ledger: &Ledger<'_>, oid: Oid, info: &CommitInfo) -> Result<CommitSeen, Error> {
    let name = ledger.name();
    let parsed = message::parse(&info.message, name.as_str());
    let (step, via) = match ledger.protocol() {
        Some(protocol) => step_of(&|name| message::parse(&info.message, name), protocol),
        None => (None, Via::None),
    };
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
    // An engine ends no step by what it commits: its run says whether it is done, and which step it was.
    let done = done && !super::run::goes_on(repo, name);
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

/// Returns the step that a message names: by trailer, else by tag. `parse` reads the message as seen from
/// a name, of which the protocol may have had several.
pub fn step_of(parse: &dyn Fn(&str) -> message::Parsed, protocol: &Protocol) -> (Option<StepId>, Via) {
    if let Some(id) = named_step(parse, &protocol.names) {
        return (Some(id), Via::Trailer);
    }
    let is_ours = |number: u64| protocol.names.iter().any(|name| name.number() == number);
    let tagged = parse(&protocol.key()).tag.filter(|(number, _)| is_ours(*number));
    let by_tag = tagged.and_then(|(_, number)| {
        protocol.steps.iter().find(|step| step.id.number() == number).map(|step| step.id.clone())
    });
    match by_tag {
        Some(id) => (Some(id), Via::Tag),
        None => (None, Via::None),
    }
}

/// Returns the step that a trailer names together with one of `names`.
fn named_step(parse: &dyn Fn(&str) -> message::Parsed, names: &[Name]) -> Option<StepId> {
    names.iter().find_map(|name| parse(name.as_str()).step?.step.parse().ok())
}

/// Returns the tree without the protocol's own folder: what gates and CI judge.
///
/// # Errors
///
/// [`Error`] if a tree cannot be read.
pub fn content_tree(repo: &Repo, tree: Oid, name: &Name) -> Result<Oid, Error> {
    let folder = format!(".protocols/{name}");
    match repo.tree_path(tree, &folder)? {
        Some(_) => repo.id_of_tree_without(tree, &folder),
        None => Ok(tree),
    }
}
