//! What a merge, a pull or a checkout brought: merged protocols, and news of remotes.

use std::collections::BTreeSet;

use super::context::Context;
use super::error::Error;
use super::streams::Streams;
use crate::domain::id::{Name, Oid};
use crate::domain::message;

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

/// Looks at what lies between `old` and `new`: takes over and settles the protocols that its
/// commits name, and the one of the current branch. The others wait for the next command.
///
/// # Errors
///
/// [`Error`] if refs or commits cannot be read.
pub fn arrived(ctx: &Context, old: Option<Oid>, new: Oid) -> Result<News, Error> {
    let streams = Streams::read(ctx)?;
    let mut news = News::default();
    for tips in streams.inventory.streams.values() {
        news.n_changed += usize::from(tips.tracking.iter().any(|(_, tip)| Some(*tip) != tips.local));
    }
    let mut names: BTreeSet<Name> = super::resolve::current(&streams)?.into_iter().collect();
    let hidden: Vec<Oid> = old.into_iter().filter(|oid| !oid.is_null()).collect();
    if !hidden.is_empty() {
        for oid in ctx.repo.commits_between(&[new], &hidden, &BTreeSet::new(), MAX_COMMITS)? {
            let info = ctx.repo.commit(oid)?;
            let hints = message::hints(&info.message);
            names.extend(hints.into_iter().filter_map(|hint| hint.protocol.parse().ok()));
        }
    }
    names.retain(|name| streams.inventory.streams.contains_key(name));
    for name in names {
        match streams.refresh(&name) {
            Ok(appended) => {
                let is_new = appended
                    .events
                    .iter()
                    .any(|event| matches!(event.body, crate::domain::event::Body::MergeDetected(_)));
                if is_new {
                    news.merged.push(name.to_string());
                }
                if let Some(protocol) = appended.protocol.filter(|_| appended.moved) {
                    super::after_write(ctx, &protocol);
                }
            }
            Err(err) => tracing::debug!(%name, err = super::error_chain(&err), "left for the next command"),
        }
    }
    Ok(news)
}
