//! What a merge, a pull or a checkout brought: merged protocols, and news of remotes.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Context;
use super::error::Error;
use super::observe::Scope;
use super::streams::Streams;
use crate::domain::id::{Name, Oid};
use crate::domain::message;
use crate::store::inventory::Tips;
use crate::store::tip;

/// How many new commits are looked through for trailers.
const MAX_COMMITS: usize = 500;

/// What is worth one line.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// Protocols that are completed now, being merged.
    pub merged: Vec<String>,
    /// Streams of which a remote knows more than this clone had taken over.
    pub n_changed: usize,
}

/// Whether `local` is known to hold what `tip` does, by ancestry or with equal content: another
/// remote has commits of its own.
fn holds(ctx: &Context, local: Oid, tip: Oid) -> bool {
    let key = |commit| ctx.repo.tree_of(commit).and_then(|tree| tip::key(&ctx.repo, tree)).ok();
    ctx.repo.is_ancestor(tip, local) || key(tip) == key(local)
}

/// Looks at what lies between `old` and `new`: takes over and settles the protocols that its
/// commits name, and by ancestry only the one of the current branch. The others wait for the next
/// command.
///
/// # Errors
///
/// [`Error`] if refs or commits cannot be read.
pub fn arrived(ctx: &Context, old: Option<Oid>, new: Oid) -> Result<News, Error> {
    let streams = Streams::read(ctx)?;
    let has_news = |tips: &&Tips| {
        tips.tracking
            .iter()
            .any(|(_, tip)| !tips.local.is_some_and(|local| *tip == local || holds(ctx, local, *tip)))
    };
    let n_changed = streams.inventory.streams.values().filter(has_news).count();
    let mut news = News { n_changed, ..News::default() };
    let current = super::resolve::current(&streams)?.map(|name| (name, Scope::Merges));
    let mut names: BTreeMap<Name, Scope> = current.into_iter().collect();
    let hidden: Vec<Oid> = old.into_iter().filter(|oid| !oid.is_null()).collect();
    if !hidden.is_empty() {
        for oid in ctx.repo.commits_between(&[new], &hidden, &BTreeSet::new(), MAX_COMMITS)? {
            let info = ctx.repo.commit(oid)?;
            let hints = message::hints(&info.message);
            names
                .extend(hints.into_iter().filter_map(|hint| Some((hint.protocol.parse().ok()?, Scope::All))));
        }
    }
    // Trailers may bear any name that a protocol was given.
    let given: Vec<Name> = streams
        .renumbered()
        .into_iter()
        .filter(|(name, _)| names.contains_key(name))
        .map(|(_, key)| key)
        .collect();
    names.extend(given.into_iter().map(|key| (key, Scope::All)));
    names.retain(|name, _| streams.inventory.streams.contains_key(name));
    for (name, scope) in names {
        match streams.refresh_within(&name, scope) {
            Ok(appended) => {
                let is_new = appended
                    .events
                    .iter()
                    .any(|event| matches!(event.body, crate::domain::event::Body::MergeDetected(_)));
                if is_new {
                    news.merged.push(name.to_string());
                }
                super::after_write(ctx, &appended);
            }
            Err(err) => tracing::debug!(%name, err = super::error_chain(&err), "left for the next command"),
        }
    }
    Ok(news)
}
