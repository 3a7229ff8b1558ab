//! The protocols that only archives hold: read once for each entry, then remembered.

use std::rc::Rc;

use super::{Listing, row};
use crate::domain::id::{Name, Oid};
use crate::domain::state::Protocol;
use crate::platform::{git, memory};
use crate::service::context::Context;
use crate::service::streams::folded;
use crate::store::cache::{self, Cache, Row};
use crate::store::content::Content;
use crate::store::tip;

/// How it begins that an entry is set aside.
pub const ENTRY: &str = "its entry in the archive";

/// Adds what archives hold beyond the streams of `listing`. Nothing is taken over or recorded.
pub(super) fn add(ctx: &Context, listing: &mut Listing) {
    let repo = &ctx.repo;
    let entries = listing.inventory.all_archived(repo);
    let mut cache = Cache::load_archived(repo);
    let mut is_cold = false;
    for (name, trees) in &entries {
        if listing.inventory.streams.contains_key(name) {
            continue;
        }
        let key = cache::Key { stream: cache::key(trees), bases: 0 };
        if let Some(rows) = cache.get(name.as_str(), key) {
            listing.archived.extend_from_slice(rows);
            continue;
        }
        if !is_cold {
            memory::keep_freed();
            is_cold = true;
        }
        match rows_of(repo, name, trees) {
            Ok(rows) => {
                listing.archived.extend_from_slice(&rows);
                cache.put(name.as_str(), key, rows);
            }
            Err(err) => {
                listing.set_aside.push((name.clone(), format!("{ENTRY}: {}", tip::why_unread(repo, &err))));
            }
        }
    }
    cache.save(|name| name.parse::<Name>().is_ok_and(|name| entries.contains_key(&name)));
    listing.archived.sort_by_cached_key(|row| (row.number, row.name.clone()));
}

/// Returns how many events archives hold of protocols that are not among the streams of `listing`.
pub(super) fn n_events_beyond(repo: &git::Repo, listing: &Listing) -> usize {
    let archived = listing.inventory.all_archived(repo).into_iter();
    let others = archived.filter(|(name, _)| !listing.n_events.contains_key(name.as_str()));
    let n_events = |tree: &Oid| tip::read(repo, *tree).map_or(0, |content| content.lines().len());
    others.map(|(_, trees)| trees.iter().map(n_events).max().unwrap_or(0)).sum()
}

fn rows_of(repo: &git::Repo, name: &Name, trees: &[Oid]) -> Result<Vec<Rc<Row>>, git::Error> {
    let mut content = Content::default();
    for tree in trees {
        content.unite(&tip::read(repo, *tree)?);
    }
    if !content.may_be_read() {
        return Err(git::Error::Damaged("it demands a newer version".to_owned()));
    }
    let incumbent = folded(&content, None);
    let as_row =
        |protocol: &Protocol, name: String| Row { has_entry: true, archived: true, ..row(protocol, name) };
    let mut rows: Vec<Rc<Row>> =
        incumbent.protocol.iter().map(|protocol| Rc::new(as_row(protocol, protocol.name()))).collect();
    for root in &incumbent.twins {
        if let Some(twin) = folded(&content, Some(*root)).protocol {
            rows.push(Rc::new(as_row(&twin, super::twin_name(name, *root))));
        }
    }
    Ok(rows)
}
