//! Commits: which step each belongs to, and which of them count.

use foldhash::{HashMap, HashSet, HashSetExt as _};

use crate::domain::event::CommitSeen;
use crate::domain::id::{Oid, StepId};
use crate::domain::state::{Commit, Protocol};

/// A commit, with what was true where it stands in the order.
pub(super) struct Placed<'a> {
    pub seen: &'a CommitSeen,
    pub at_ms: u64,
    /// The step that was current, for a commit that names none.
    pub current: Option<StepId>,
}

/// Which commits replaced which. There are no circles: a rewrite that leads back to where an
/// earlier one began takes that one back.
#[derive(Default)]
pub(super) struct Rewrites {
    news: HashMap<Oid, Vec<Oid>>,
    olds: HashMap<Oid, Vec<Oid>>,
}

impl Rewrites {
    /// Takes in one rewrite; the order of calls is that of the events.
    pub(super) fn add(&mut self, old: Oid, new: Oid) {
        if old == new {
            return;
        }
        if let Some(mut onwards) = self.news.remove(&new) {
            onwards.retain(|next| *next != old && !self.reaches(*next, old));
            self.news.insert(new, onwards);
        }
        self.news.entry(old).or_default().push(new);
        self.olds.entry(new).or_default().push(old);
    }

    fn reaches(&self, from: Oid, to: Oid) -> bool {
        self.after(from).any(|oid| oid == to)
    }

    /// Returns all commits that `oid` was rewritten to, directly or by way of others.
    fn after(&self, oid: Oid) -> impl Iterator<Item = Oid> {
        let mut seen = HashSet::new();
        let mut next = vec![oid];
        std::iter::from_fn(move || {
            let at = next.pop()?;
            let onwards = self.news.get(&at).into_iter().flatten();
            next.extend(onwards.filter(|new| seen.insert(**new)));
            Some(at)
        })
        .skip(1)
    }
}

/// Gives each commit to the step that it names, else to the step of the (last) commit that it
/// replaced, else to the step that was current. One that names a step that no plan has belongs to none.
pub(super) fn place(protocol: &mut Protocol, placed: &[Placed<'_>], rewrites: &Rewrites) {
    let by_oid: HashMap<Oid, &Placed<'_>> =
        placed.iter().map(|placed| (placed.seen.commit, placed)).collect();
    for Placed { seen, at_ms, current } in placed {
        let mut passed = HashSet::new();
        let mut replaced = *seen;
        while replaced.step.is_none()
            && passed.insert(replaced.commit)
            && let Some(olds) = rewrites.olds.get(&replaced.commit)
            && let Some(older) = olds.iter().rev().find_map(|old| by_oid.get(old))
        {
            replaced = older.seen;
        }
        // Without a name anywhere, the oldest of the chain says which step was current.
        let was_current = by_oid.get(&replaced.commit).and_then(|placed| placed.current.as_ref());
        let named = replaced.step.as_ref().or(was_current).or(current.as_ref());
        let step = named.filter(|id| protocol.step(id).is_some()).cloned();
        let commit = Commit {
            tree: seen.tree,
            content_tree: seen.content_tree,
            parents: seen.parents.clone(),
            step: step.clone(),
            subject: seen.subject.clone(),
            at_ms: *at_ms,
            live: true,
        };
        protocol.commits.insert(seen.commit, commit);
        match step.and_then(|id| protocol.steps.iter_mut().find(|step| step.id == id)) {
            Some(step) => step.commits.push(seen.commit),
            None => protocol.orphan_commits.push(seen.commit),
        }
    }
}

/// A commit counts unless the branch lost it or a commit that counts replaced it. A lost commit
/// that a later commit builds on has returned.
pub(super) fn settle(protocol: &mut Protocol, gone: &[Oid], seen_since: Vec<Oid>, rewrites: &Rewrites) {
    let mut gone: HashSet<Oid> = gone.iter().copied().collect();
    let mut returned = seen_since;
    let mut visited = HashSet::new();
    while let Some(oid) = returned.pop() {
        if visited.insert(oid)
            && let Some(commit) = protocol.commits.get(&oid)
        {
            gone.remove(&oid);
            returned.extend(&commit.parents);
        }
    }
    let commits = &protocol.commits;
    let is_there = |oid: &Oid| commits.contains_key(oid) && !gone.contains(oid);
    let live: HashSet<Oid> = commits
        .keys()
        .filter(|oid| is_there(oid) && !rewrites.after(**oid).any(|new| is_there(&new)))
        .copied()
        .collect();
    for (oid, commit) in &mut protocol.commits {
        commit.live = live.contains(oid);
    }
    for step in &mut protocol.steps {
        step.commits.retain(|oid| live.contains(oid));
    }
    protocol.orphan_commits.retain(|oid| live.contains(oid));
}
