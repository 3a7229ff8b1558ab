//! Merges that reach a server: the protocols whose work is in their base are completed there.

use std::collections::BTreeSet;

use super::Received;
use crate::domain::id::{Name, Oid};
use crate::domain::message;
use crate::domain::sentence;
use crate::service::branch::Branches;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::merge;
use crate::service::observe::Scope;
use crate::store::inventory::Inventory;
use crate::store::stream;

/// How many commits of one push are looked at for the protocols that they name.
const MAX_COMMITS: usize = 10_000;

/// Records the merges that a push brought, and returns the protocols that are completed by them.
///
/// # Errors
///
/// [`Error`] if refs or commits cannot be read. A stream that cannot be written is left to the clones.
pub fn record(ctx: &Context, received: &[Received]) -> Result<Vec<Name>, Error> {
    let mut merged = Vec::new();
    for name in named(ctx, received)? {
        match record_one(ctx, &name) {
            Ok(true) => merged.push(name),
            Ok(false) => (),
            Err(err) => {
                tracing::debug!(%name, err = crate::service::error_chain(&err), "left to the clones");
            }
        }
    }
    Ok(merged)
}

/// Returns the protocols that commits which are new on a branch name.
fn named(ctx: &Context, received: &[Received]) -> Result<BTreeSet<Name>, Error> {
    let mut names = BTreeSet::new();
    let branches = received.iter().filter_map(|line| {
        let branch = line.name.strip_prefix("refs/heads/")?;
        // A protocol's own branch is merged into nothing by itself.
        line.new.filter(|_| branch.parse::<Name>().is_err()).map(|new| (line.old, new))
    });
    for (old, new) in branches {
        let hidden: Vec<Oid> = old.into_iter().collect();
        for oid in ctx.repo.commits_between(&[new], &hidden, &BTreeSet::new(), MAX_COMMITS)? {
            let hints = message::hints(&ctx.repo.commit(oid)?.message);
            names.extend(hints.iter().filter_map(|hint| hint.protocol.parse::<Name>().ok()));
        }
    }
    Ok(names)
}

fn record_one(ctx: &Context, name: &Name) -> Result<bool, Error> {
    let repo = &ctx.repo;
    let tips = || Inventory::of_stream(repo, name);
    if tips()?.local.is_none() {
        return Ok(false);
    }
    let branches = Branches::lazy(repo);
    let mut is_news = false;
    stream::append(repo, name, &ctx.writer(), None, &tips, &mut |ledger, _| {
        is_news = false;
        if let Some(protocol) = ledger.protocol() {
            let tips = branches.of(protocol, None);
            is_news = merge::record(repo, ledger, &tips, Scope::All)?;
        }
        Ok::<_, Error>(sentence::pushed(ledger))
    })?;
    Ok(is_news)
}
