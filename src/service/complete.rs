//! Names for the completion of a command line. Quick, and nothing is taken over or recorded: a press
//! of a key is no reason to write.

use std::rc::Rc;

use super::context::Context;
use super::error::Error;
use super::list;
use super::resolve;
use super::streams::{Streams, folded};
use crate::platform::git::Repo;
use crate::store::cache::Cache;
use crate::store::inventory::Inventory;
use crate::store::stream;

/// A name, and what to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    pub about: String,
}

/// How many streams are read because `list` has not seen them yet.
const MAX_READ: usize = 16;

/// Returns the protocols, those that are not over first, archived ones last; with what `list` last said of each.
///
/// # Errors
///
/// [`Error`] if refs cannot be listed.
pub fn protocols(repo: &Repo) -> Result<Vec<Named>, Error> {
    let inventory = Inventory::read(repo)?;
    let cache = Cache::load(repo);
    let mut streams: Vec<_> = inventory.streams.iter().collect();
    streams.sort_by_key(|(name, _)| (name.number(), name.as_str().to_owned()));
    let mut found = Vec::new();
    let mut n_read = 0;
    for (name, tips) in streams {
        let mut rows = cache.last_seen(name.as_str()).to_vec();
        if rows.is_empty() && n_read < MAX_READ {
            n_read += 1;
            let view = stream::view(repo, name, tips, None).ok();
            let protocol = view.and_then(|view| folded(&view.content, None).protocol);
            rows.extend(protocol.map(|protocol| Rc::new(list::row(&protocol, protocol.name()))));
        }
        if rows.is_empty() {
            found.push((false, Named { name: name.to_string(), about: String::new() }));
        }
        for row in &rows {
            let is_over = matches!(row.status.as_str(), "completed" | "cancelled");
            let about = format!("{}: {}", row.status, row.title);
            found.push((is_over, Named { name: row.name.clone(), about }));
        }
    }
    found.sort_by_key(|(is_over, _)| *is_over);
    let mut found: Vec<Named> = found.into_iter().map(|(_, named)| named).collect();
    let cache = Cache::load_archived(repo);
    let archived = inventory.all_archived(repo).into_keys();
    found.extend(archived.filter(|name| !inventory.streams.contains_key(name)).map(|name| Named {
        about:
            cache.last_seen(name.as_str()).first().map_or_else(
                || "archived".to_owned(),
                |row| format!("archived, {}: {}", row.status, row.title),
            ),
        name: name.to_string(),
    }));
    Ok(found)
}

/// Returns the steps of the protocol that `arg` names, or of the current branch's, in order.
///
/// # Errors
///
/// [`Error`] if there is no such protocol, or its stream cannot be read.
pub fn steps(ctx: &Context, arg: Option<&str>) -> Result<Vec<Named>, Error> {
    let streams = Streams::for_target(ctx, arg)?;
    let target = resolve::protocol(&streams, arg)?;
    let view = streams.view(&target.name)?;
    let protocol = folded(&view.content, target.root).protocol;
    let steps = protocol.map(|protocol| protocol.steps).unwrap_or_default();
    let named = steps.into_iter().map(|step| Named {
        about: format!("{}: {}", step.shown, step.title),
        name: step.id.as_str().to_owned(),
    });
    Ok(named.collect())
}

/// Returns the remotes, by name; not their addresses, which may hold a token.
pub fn remotes(repo: &Repo) -> Vec<Named> {
    repo.remotes().into_iter().map(|remote| Named { name: remote.name, about: String::new() }).collect()
}

/// Returns the local branches, by name.
///
/// # Errors
///
/// [`Error`] if refs cannot be listed.
pub fn branches(repo: &Repo) -> Result<Vec<Named>, Error> {
    const BRANCHES: &str = "refs/heads/";
    let refs = repo.refs(BRANCHES)?.into_iter();
    let names = refs.filter_map(|(name, _)| name.strip_prefix(BRANCHES).map(str::to_owned));
    Ok(names.map(|name| Named { name, about: String::new() }).collect())
}
