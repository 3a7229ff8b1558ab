//! All protocols, each in one row.

mod archived;

pub use self::archived::ENTRY;

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::context::Context;
use super::error::Error;
use super::streams::{Looked, Streams, folded};
use super::{archive, budget, merge, share};
use crate::domain::fold::{Folded, Outcome};
use crate::domain::id::{Name, Ulid};
use crate::domain::state::Protocol;
use crate::domain::status::StepStatus;
use crate::platform::git::Repo;
use crate::platform::memory;
use crate::store::answer;
use crate::store::cache::{self, Cache, DaySpent, Merged, Reason, Row};
use crate::store::content::Content;
use crate::store::inventory::{Inventory, Tips};
use crate::store::tip;

/// What `list` found.
#[derive(Debug, Default)]
pub struct Listing {
    /// Those that are not archived, by number, then by name.
    pub rows: Vec<Rc<Row>>,
    /// Those that are, in the same order; only if they were asked for.
    pub archived: Vec<Rc<Row>>,
    /// How many events are known of each stream, by name; those of archives not counted.
    pub n_events: HashMap<String, usize>,
    /// Streams that could not be read here or as a remote has them, and why. All others go on.
    pub set_aside: Vec<(Name, String)>,
    /// CI reports that name no protocol known here.
    pub unmatched_ci_reports: usize,
    /// What runs used that belong to no protocol, by day.
    pub spent_elsewhere: Vec<DaySpent>,
    /// The refs that it is computed from, as they were before it took anything over.
    pub inventory: Inventory,
}

/// Returns all protocols, having taken over and recorded whatever is new.
///
/// A repository that cannot be written is only read.
///
/// # Errors
///
/// [`Error`] if refs cannot be listed.
pub fn list(ctx: &Context) -> Result<Listing, Error> {
    let before = Streams::read(ctx)?;
    let streams = match archive::settle(&before) {
        Ok(true) => Streams::read(ctx)?,
        Ok(false) => before,
        // A repository that cannot be written is only read.
        Err(err) => {
            tracing::debug!(err = super::error_chain(&err), "the archive is only read");
            before
        }
    };
    Ok(rows_of_all(streams))
}

/// As [`list`], with the protocols that are archived.
///
/// # Errors
///
/// As [`list`].
pub fn list_all(ctx: &Context) -> Result<Listing, Error> {
    let mut listing = list(ctx)?;
    archived::add(ctx, &mut listing);
    Ok(listing)
}

fn rows_of_all(mut streams: Streams<'_>) -> Listing {
    let ctx = streams.ctx;
    // What is committed on the branch of an archived protocol is recorded as any other commit is.
    let branches = streams.branches.protocols();
    streams.inventory.add_archived(&ctx.repo, &branches);
    let mut cache = Cache::load(&ctx.repo);
    let mut listing = Listing::default();
    let mut names: Vec<&Name> = streams.inventory.streams.keys().collect();
    names.sort_by_key(|name| (name.number(), name.as_str().to_owned()));
    let mut moved = Vec::new();
    let mut is_cold = false;
    for name in names {
        let tips = &streams.inventory.streams[name];
        // Its names change with its events only.
        let key = input_key(&streams, name, tips, cache.last_seen(name.as_str()));
        if let Some(rows) = cache.get(name.as_str(), key) {
            listing.add(rows);
            continue;
        }
        if !is_cold {
            memory::keep_freed();
            is_cold = true;
        }
        match rows_of(&streams, name, &mut moved) {
            Ok(Computed { rows, key, set_aside }) => {
                listing.add(&rows);
                listing.set_aside.extend(set_aside.into_iter().map(|why| (name.clone(), why)));
                if let Some(key) = key {
                    cache.put(name.as_str(), key, rows);
                }
            }
            Err(err) => listing.set_aside.push((name.clone(), super::error_chain(&err))),
        }
    }
    super::after_writes(ctx, &moved);
    // Those that are shown under another number than their streams have.
    listing.rows.sort_by(|one, other| (one.number, &one.name).cmp(&(other.number, &other.name)));
    listing.spent_elsewhere = streams.routed(None).map(budget::recorded_by_day).unwrap_or_default();
    listing.unmatched_ci_reports =
        unmatched(&streams) + listing.rows.iter().map(|row| row.unmatched_ci_reports).sum::<usize>();
    cache.save(|name| streams.inventory.streams.contains_key(name));
    listing.inventory = streams.inventory;
    listing
}

impl Listing {
    /// Returns how many events are known, those of archives included.
    pub fn n_known(&self, repo: &Repo) -> usize {
        let archived = archived::n_events_beyond(repo, self);
        self.n_events.values().sum::<usize>() + archived
    }

    /// Returns how many protocols are known, those of archives included.
    pub fn n_protocols(&self, repo: &Repo) -> usize {
        let names = self.inventory.all_archived(repo).into_keys();
        let archived = names.filter(|name| !self.n_events.contains_key(name.as_str())).count();
        self.n_events.len() + archived
    }

    fn add(&mut self, rows: &[Rc<Row>]) {
        for row in rows {
            self.n_events.insert(row.name.clone(), row.n_events);
            let place = if row.archived { &mut self.archived } else { &mut self.rows };
            place.push(Rc::clone(row));
        }
    }
}

/// Takes over reports for nobody here and returns how many CI reports name no known protocol.
fn unmatched(streams: &Streams<'_>) -> usize {
    if streams.inventory.boxes.is_empty() && streams.inventory.project == Tips::default() {
        return 0;
    }
    // A repository that cannot be written still shows them.
    if let Err(err) = streams.keep_unknown() {
        tracing::debug!(%err, "reports of unknown protocols stay where they are");
    }
    let count = |content: &Content| {
        let is_report = |line: &&crate::store::content::Line| {
            matches!(line.event.body, crate::domain::event::Body::CiReported(_))
        };
        content.lines().iter().filter(is_report).count()
    };
    let names = streams.unknown_names().into_iter().map(Some).chain([None]);
    names.filter_map(|name| streams.routed(name.as_ref())).map(count).sum()
}

/// Everything that the rows of a stream are computed from.
fn input_key(streams: &Streams<'_>, name: &Name, tips: &Tips, rows: &[Rc<Row>]) -> cache::Key {
    let routed: Vec<_> = streams
        .routed(Some(name))
        .map(|content| content.lines().iter().map(|line| &line.text).collect())
        .unwrap_or_default();
    let inventory = &streams.inventory;
    // What is taken out of another stream goes from this one, too.
    let others = rows.iter().flat_map(|row| &row.others).filter_map(|other| other.parse::<Name>().ok());
    let others = others.map(|other| {
        let tips = inventory.tips(&streams.ctx.repo, &other);
        (tips.local, tips.tracking, tips.archived)
    });
    let other_names = rows.iter().flat_map(|row| &row.other_names).map(String::as_str);
    let stream = cache::key(&(
        (tips.local, &tips.tracking, &tips.archived, tips.nothing_spooled),
        (routed, &inventory.remotes, others.collect::<Vec<_>>()),
        streams.branches.key_of([name.as_str()].into_iter().chain(other_names)),
    ));
    cache::Key { stream, bases: streams.branches.bases_key() }
}

/// The rows of one stream.
struct Computed {
    rows: Vec<Rc<Row>>,
    /// What they were computed from; `None` if they are to be computed again.
    key: Option<cache::Key>,
    /// What could not be taken in, and why.
    set_aside: Vec<String>,
}

/// Returns the rows of a stream, having refreshed it; what that changed goes to `moved`.
fn rows_of(streams: &Streams<'_>, name: &Name, moved: &mut Vec<Protocol>) -> Result<Computed, Error> {
    let looked = streams.look(name)?;
    let Looked { content, folded: incumbent, tips, moved: has_moved, is_settled, set_aside } = looked;
    if has_moved {
        moved.extend(incumbent.protocol.clone());
    }
    let unshared = unshared_events(streams, &tips, &content);
    let others: Vec<String> = content.others_than(name).into_iter().map(ToString::to_string).collect();
    // Without a protocol there is no row to say whose they are.
    let may_be_remembered = is_settled && (incumbent.protocol.is_some() || others.is_empty());
    let mut rows = Vec::new();
    if let Some(protocol) = &incumbent.protocol {
        let merged_here = merged_here(streams, protocol);
        let row = row(protocol, protocol.name());
        let duplicate_ids = duplicate_ids(&content, &incumbent);
        let has_moved = !incumbent.moved.is_empty();
        let has_entry = !tips.archived.is_empty();
        let archived = has_entry && tips.local.is_none() && is_settled && archive::may_be_archived(&content);
        rows.push(Rc::new(Row {
            branch_here: streams.branches.name_here(protocol),
            unshared_events: unshared,
            merged_here,
            duplicate_ids,
            others,
            has_moved,
            has_entry,
            archived,
            ..row
        }));
    }
    for root in &incumbent.twins {
        if let Some(twin) = folded(&content, Some(*root)).protocol {
            let archived = rows.first().is_some_and(|incumbent| incumbent.archived);
            rows.push(Rc::new(Row { archived, ..row(&twin, twin_name(name, *root)) }));
        }
    }
    let key = may_be_remembered.then(|| input_key(streams, name, &tips, &rows));
    Ok(Computed { rows, key, set_aside })
}

/// Returns the ids that several events have, each once.
fn duplicate_ids(content: &Content, folded: &Folded) -> Vec<String> {
    let repeated = content.lines().iter().zip(&folded.outcomes);
    let repeated = repeated.filter(|(_, outcome)| **outcome == Outcome::DuplicateId);
    let ids: BTreeSet<String> = repeated.map(|(line, _)| line.event.id.to_string()).collect();
    ids.into_iter().collect()
}

fn merged_here(streams: &Streams<'_>, protocol: &Protocol) -> Option<String> {
    let tips = streams.branches.of(protocol, streams.inventory.home());
    merge::merged_here(&streams.ctx.repo, protocol, &tips)
}

/// Returns how a protocol is shown whose name another one holds.
pub fn twin_name(name: &Name, root: Ulid) -> String {
    let id = root.to_string().to_lowercase();
    format!("{name}~{}", &id[id.len() - 6..])
}

/// A remote of the repository, and whether state goes to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteState {
    pub name: String,
    pub shared: bool,
    /// Events here that it was not seen to hold; 0 if it is not shared with.
    pub unshared_events: usize,
    /// What it said when it last did not take our state.
    pub last_error: Option<String>,
}

/// Returns the remotes and what they lack, as last fetched.
///
/// # Errors
///
/// [`Error`] if refs cannot be listed.
pub fn remotes(ctx: &Context) -> Result<Vec<RemoteState>, Error> {
    let streams = Streams::read(ctx)?;
    let mut remotes = Vec::new();
    for remote in ctx.repo.remotes() {
        let shared = streams.inventory.remotes.contains(&remote.name);
        let mut unshared = 0;
        for tips in streams.inventory.streams.values().filter(|_| shared) {
            let Some(local) = tips.local else { continue };
            if tips.at(&remote.name) == Some(local) {
                continue;
            }
            let content = ctx.repo.tree_of(local).and_then(|tree| tip::read(&ctx.repo, tree));
            unshared += content.map_or(0, |content| events_not_at(&streams, tips, &content, &remote.name));
        }
        if shared {
            unshared += share::archived_events_beyond(&ctx.repo, &streams.inventory, &remote.name);
        }
        let last = answer::read(&ctx.repo, &remote).filter(|_| shared);
        let last_error = last.map(|answer| format!("{}: {}", answer.said.as_str(), answer.reason));
        remotes.push(RemoteState { name: remote.name, shared, unshared_events: unshared, last_error });
    }
    Ok(remotes)
}

/// Returns how many events of `content` the home remote was not seen to hold.
pub fn unshared_events(streams: &Streams<'_>, tips: &Tips, content: &Content) -> usize {
    streams.inventory.home().map_or(0, |home| events_not_at(streams, tips, content, home))
}

fn events_not_at(streams: &Streams<'_>, tips: &Tips, content: &Content, remote: &str) -> usize {
    let theirs = tips.at(remote);
    if theirs.is_some() && theirs == tips.local {
        return 0;
    }
    let repo = &streams.ctx.repo;
    let mut shared = Content::default();
    for tree in theirs.and_then(|tip| repo.tree_of(tip).ok()).into_iter().chain(tips.archived_at(remote)) {
        if let Ok(theirs) = tip::read(repo, tree) {
            shared.unite(&theirs);
        }
    }
    let shared: std::collections::HashSet<&str> = shared.lines().iter().map(|line| &*line.text).collect();
    content.lines().iter().filter(|line| !shared.contains(&*line.text)).count()
}

/// Returns the row of a protocol, as far as it is the same everywhere.
pub fn row(protocol: &Protocol, name: String) -> Row {
    let created = &protocol.created;
    let current = protocol.current_step().filter(|_| !protocol.shown.is_final());
    let count = |is: fn(StepStatus) -> bool| protocol.steps.iter().filter(|step| is(step.recorded)).count();
    Row {
        name,
        key: protocol.key(),
        id: protocol.root.to_string(),
        number: created.number,
        slug: created.slug.clone(),
        title: created.title.clone(),
        status: protocol.shown.to_string(),
        branch: created.branch.clone(),
        branch_here: created.branch.clone(),
        other_names: protocol.names.iter().skip(1).map(ToString::to_string).collect(),
        base: created.base.clone(),
        base_commit: created.base_commit.to_string(),
        current_step: current.map(|step| step.id.to_string()),
        current_status: current.map(|step| step.shown.to_string()),
        steps_total: protocol.steps.len(),
        steps_completed: count(|status| status == StepStatus::Completed),
        steps_settled: count(StepStatus::is_final),
        blocked_reason: protocol.held_by().map(|held| Reason {
            code: held.code.to_owned(),
            message: held.message,
            remedy: held.remedy,
        }),
        merged: protocol.merged.as_ref().map(|merged| Merged {
            rule: merged.rule.clone(),
            into: merged.into.clone(),
            commit: merged.commit.to_string(),
        }),
        merged_here: None,
        unshared_events: 0,
        updated_at_ms: protocol.updated_at_ms,
        unmatched_ci_reports: protocol.orphan_ci,
        n_events: protocol.n_events,
        duplicate_ids: Vec::new(),
        others: Vec::new(),
        pinned: protocol.pinned,
        has_entry: false,
        archived: false,
        has_moved: false,
        spent: budget::by_day(&protocol.runs),
    }
}

/// One protocol in full.
pub struct Shown {
    /// With the suffix of a twin.
    pub name: String,
    pub row: Row,
    pub protocol: Protocol,
    pub folded: Folded,
    pub content: Content,
}

/// Returns one protocol, having taken over and recorded whatever is new of it.
///
/// # Errors
///
/// [`Error`] if the stream cannot be read, or nothing creates the protocol.
pub fn show(streams: &Streams<'_>, name: &Name, root: Option<Ulid>) -> Result<Shown, Error> {
    let looked = streams.look(name)?;
    if let Some(protocol) = looked.folded.protocol.as_ref().filter(|_| looked.moved) {
        super::after_writes(streams.ctx, std::slice::from_ref(protocol));
    }
    let unshared = unshared_events(streams, &looked.tips, &looked.content);
    let folded = match root {
        Some(root) => folded(&looked.content, Some(root)),
        None => looked.folded,
    };
    let Some(protocol) = folded.protocol.clone() else {
        return Err(Error::Unknown { what: "protocol", text: name.to_string(), near: Vec::new() });
    };
    let shown_name = root.map_or_else(|| protocol.name(), |root| twin_name(name, root));
    let row = Row {
        branch_here: streams.branches.name_here(&protocol),
        archived: streams.is_archived(name),
        unshared_events: unshared,
        merged_here: merged_here(streams, &protocol),
        ..row(&protocol, shown_name.clone())
    };
    Ok(Shown { name: shown_name, row, protocol, folded, content: looked.content })
}
