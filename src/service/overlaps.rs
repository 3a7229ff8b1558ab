//! Open protocols that are about the same files, or whose branches conflict: told before a merge tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::context::Context;
use super::error::Error;
use super::list;
use super::streams::Streams;
use crate::domain::id::{Name, Oid};
use crate::domain::spec::pattern;
use crate::domain::text::{clip, harmless_line};

/// How many pairs are tried to be merged.
const MAX_MERGES: usize = 200;

/// How long pairs are tried to be merged.
const MERGE_LIMIT: Duration = Duration::from_secs(10);

/// The same for the one line that another command says.
const LINE_LIMITS: (usize, Duration) = (20, Duration::from_secs(2));

/// How many paths of a pair are named.
const MAX_PATHS: usize = 20;

/// How serious it is that two protocols are about the same, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The plan of one names what the other changed, or names.
    Declared,
    /// Both changed the same files.
    Touched,
    /// Git cannot merge both.
    Conflict,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Touched => "touched",
            Self::Conflict => "conflict",
        }
    }
}

/// Two protocols that are about the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The one with the smaller number.
    pub one: Name,
    pub other: Name,
    pub kind: Kind,
    /// Paths or patterns, at most twenty.
    pub paths: Vec<String>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlaps {
    /// The most serious first, then by name.
    pub pairs: Vec<Pair>,
    /// Pairs that touch the same files and were not tried to be merged, since the bounds were reached.
    pub unchecked: usize,
    /// Open protocols whose branches are not in this clone, so that nobody knows here what they change.
    pub absent: Vec<Name>,
}

impl Overlaps {
    pub fn conflicts(&self) -> usize {
        self.pairs.iter().filter(|pair| pair.kind == Kind::Conflict).count()
    }
}

/// An open protocol, with what it is about.
struct Open {
    name: Name,
    tip: Option<Oid>,
    touched: BTreeSet<String>,
    declared: Vec<String>,
}

/// Returns the open protocols that are about the same files; only pairs with `only`, if it is given. Only
/// pairs that changed the same file are tried to be merged, at most 200 and for at most ten seconds.
///
/// # Errors
///
/// [`Error`] if refs cannot be listed.
pub fn overlaps(ctx: &Context, only: Option<&Name>) -> Result<Overlaps, Error> {
    find(ctx, only, (MAX_MERGES, MERGE_LIMIT))
}

/// Returns one line about the protocols that are about the same files as `name`; `None` if there are none.
pub fn line(ctx: &Context, name: &Name) -> Option<String> {
    let found = find(ctx, Some(name), LINE_LIMITS)
        .inspect_err(|err| tracing::debug!(err = super::error_chain(err), "overlaps are not told"))
        .ok()?;
    let first = found.pairs.first()?;
    let other = if first.one == *name { &first.other } else { &first.one };
    let what = match first.kind {
        Kind::Conflict => "conflicts with",
        Kind::Touched => "changes the same files as",
        Kind::Declared => "is about the same files as",
    };
    let more = found.pairs.len() - 1;
    let more = if more > 0 { format!(", and meets {more} more") } else { String::new() };
    let path = first.paths.first().map(|path| format!(" ({path})")).unwrap_or_default();
    Some(format!("{name} {what} {other}{path}{more}: `git godzilla overlaps {name}`"))
}

fn find(ctx: &Context, only: Option<&Name>, limits: (usize, Duration)) -> Result<Overlaps, Error> {
    let streams = Streams::read(ctx)?;
    let names: Vec<Name> = list::list(ctx)?
        .rows
        .iter()
        .filter(|row| !matches!(row.status.as_str(), "completed" | "cancelled"))
        .filter_map(|row| row.key.parse().ok())
        .collect();
    let mut open = Vec::new();
    for name in names {
        match about(&streams, &name) {
            Ok(one) => open.push(one),
            // Another one's trouble is told by `doctor`.
            Err(err) => tracing::debug!(%name, err = super::error_chain(&err), "passed over"),
        }
    }
    let mut pairs = meetings(&open, only);
    let unchecked = conflicts(ctx, &open, &mut pairs, limits);
    let mut pairs: Vec<Pair> = pairs.into_values().collect();
    pairs.sort_by(|a, b| b.kind.cmp(&a.kind).then_with(|| (&a.one, &a.other).cmp(&(&b.one, &b.other))));
    let absent = open.iter().filter(|one| one.tip.is_none()).map(|one| one.name.clone()).collect();
    Ok(Overlaps { pairs, unchecked, absent })
}

/// Returns what a protocol changed since it left its base, and what its open steps say they will change.
fn about(streams: &Streams<'_>, name: &Name) -> Result<Open, Error> {
    let shown = list::show(streams, name, None)?;
    let repo = &streams.ctx.repo;
    let protocol = &shown.protocol;
    let tips = streams.branches.of(protocol, streams.inventory.home());
    let tip = tips.all().into_iter().find(|tip| repo.has_object(*tip));
    let mut touched = BTreeSet::new();
    if let Some(tip) = tip {
        let base = tips.deciding_base.as_ref().map(|(_, oid)| *oid).filter(|oid| repo.has_object(*oid));
        let from = base.and_then(|base| repo.merge_base(base, tip)).unwrap_or(protocol.created.base_commit);
        let paths = repo.paths_changed(repo.tree_of(from)?, repo.tree_of(tip)?)?;
        let paths = paths.iter().map(|path| String::from_utf8_lossy(path).into_owned());
        touched.extend(paths.filter(|path| !path.starts_with(".protocols/")));
    }
    let steps = protocol.steps.iter().filter(|step| !step.is_settled());
    let mut declared: Vec<String> =
        steps.flat_map(|step| &step.more).flat_map(|more| more.paths.clone()).collect();
    declared.sort();
    declared.dedup();
    Ok(Open { name: name.clone(), tip, touched, declared })
}

type Pairs = BTreeMap<(usize, usize), Pair>;

/// Returns the pairs by their places in `open`, which are in the order of names.
fn meetings(open: &[Open], only: Option<&Name>) -> Pairs {
    let mut pairs = Pairs::new();
    let mut meet = |a: usize, b: usize, kind: Kind, path: &str| {
        let (a, b) = (a.min(b), a.max(b));
        if a == b || only.is_some_and(|only| open[a].name != *only && open[b].name != *only) {
            return;
        }
        let (one, other) = (open[a].name.clone(), open[b].name.clone());
        let pair = pairs.entry((a, b)).or_insert_with(|| Pair { one, other, kind, paths: Vec::new() });
        let path = clip(&harmless_line(path), 200);
        if kind > pair.kind {
            (pair.kind, pair.paths) = (kind, Vec::new());
        }
        if kind == pair.kind && pair.paths.len() < MAX_PATHS && !pair.paths.contains(&path) {
            pair.paths.push(path);
        }
    };
    let mut by_path: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (idx, one) in open.iter().enumerate() {
        for path in &one.touched {
            by_path.entry(path).or_default().push(idx);
        }
    }
    for (path, who) in by_path.iter().filter(|(_, who)| who.len() > 1) {
        for (nth, a) in who.iter().enumerate() {
            who[nth + 1..].iter().for_each(|b| meet(*a, *b, Kind::Touched, path));
        }
    }
    for (a, one) in open.iter().enumerate() {
        for pattern in &one.declared {
            let begin = pattern::literal(pattern).trim_end_matches('/');
            let near = by_path.range(begin..).take_while(|(path, _)| path.starts_with(begin));
            for (path, who) in near.filter(|(path, _)| pattern::matches(pattern, path)) {
                for b in who {
                    meet(a, *b, Kind::Declared, path);
                }
            }
            for (b, other) in open.iter().enumerate().skip(a + 1) {
                if other.declared.iter().any(|theirs| pattern::may_meet(pattern, theirs)) {
                    meet(a, b, Kind::Declared, pattern);
                }
            }
        }
    }
    pairs
}

/// Tries to merge the pairs that changed the same files, and returns how many were left untried.
fn conflicts(ctx: &Context, open: &[Open], pairs: &mut Pairs, (most, limit): (usize, Duration)) -> usize {
    let begin = Instant::now();
    let (mut n_tried, mut unchecked) = (0, 0);
    for ((a, b), pair) in pairs.iter_mut().filter(|(_, pair)| pair.kind == Kind::Touched) {
        let (Some(one), Some(other)) = (open[*a].tip, open[*b].tip) else { continue };
        if n_tried >= most || begin.elapsed() > limit {
            unchecked += 1;
            continue;
        }
        n_tried += 1;
        match ctx.repo.merged_tree(one, other) {
            Ok(Some(_)) => (),
            Ok(None) => pair.kind = Kind::Conflict,
            Err(err) => {
                tracing::debug!(%err, "a merge cannot be tried");
                unchecked += 1;
            }
        }
    }
    unchecked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(name: &str, touched: &[&str], declared: &[&str]) -> Open {
        Open {
            name: name.parse().unwrap(),
            tip: None,
            touched: touched.iter().map(ToString::to_string).collect(),
            declared: declared.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn pairs_are_those_whose_paths_meet() {
        let all = [
            open("0001-a", &["src/a.rs", "x"], &["docs/**"]),
            open("0002-b", &["src/a.rs"], &["docs/api/*.md"]),
            open("0003-c", &["lib/y"], &["src"]),
            open("0004-d", &["other"], &["docsx/**"]),
        ];
        let told: Vec<(String, String, Kind, String)> = meetings(&all, None)
            .into_values()
            .map(|pair| (pair.one.to_string(), pair.other.to_string(), pair.kind, pair.paths.join(" ")))
            .collect();
        let pair = |a: &str, b: &str, kind, paths: &str| (a.to_owned(), b.to_owned(), kind, paths.to_owned());
        assert_eq!(
            told,
            [
                pair("0001-a", "0002-b", Kind::Touched, "src/a.rs"),
                pair("0001-a", "0003-c", Kind::Declared, "src/a.rs"),
                pair("0002-b", "0003-c", Kind::Declared, "src/a.rs"),
            ]
        );
        let only = "0003-c".parse().unwrap();
        assert_eq!(meetings(&all, Some(&only)).len(), 2);
    }
}
