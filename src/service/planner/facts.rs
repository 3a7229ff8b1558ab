//! What runs used that led to no protocol.

use std::collections::BTreeSet;

use crate::domain::event::{Body, Draft};
use crate::domain::run::{RunStatus, Usage, UsageRecorded};
use crate::service::ask;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::streams::Streams;
use crate::store::content::Line;
use crate::store::inventory::Inventory;
use crate::store::stream;

/// Records in the project's stream what the runs of `facts` used. Does nothing if there are none.
///
/// # Errors
///
/// [`Error`] if the project's stream cannot be read or written.
pub(super) fn record_usage(ctx: &Context, facts: &[Draft]) -> Result<(), Error> {
    let used = used_by(facts);
    if used.is_empty() {
        return Ok(());
    }
    let writer = ctx.writer();
    let tips = || Inventory::of_project(&ctx.repo);
    stream::append_project(&ctx.repo, &writer, &tips, "record what planning used", &mut |content| {
        let mut clock = content.lines().iter().map(|line| line.event.clock).max().unwrap_or(0);
        for used in &used {
            // A race that was lost leaves nothing of the first try.
            let is_there = content
                .lines()
                .iter()
                .any(|line| matches!(&line.event.body, Body::UsageRecorded(known) if known.run == used.run));
            if !is_there {
                clock += 1;
                let draft = Draft::new(Body::UsageRecorded(used.clone()));
                content.add(Line::new(writer.author.event(draft, clock)));
            }
        }
    })?;
    Ok(())
}

/// Records for the project what runs used whose process was killed before they belonged to a protocol.
///
/// # Errors
///
/// [`Error`] if a stream cannot be read or written; then the next command tries again.
pub fn settle_unrecorded(ctx: &Context) -> Result<(), Error> {
    let left = ask::unrecorded(&ctx.repo);
    if left.is_empty() {
        return Ok(());
    }
    let streams = Streams::read(ctx)?;
    let mut told = BTreeSet::new();
    for name in streams.inventory.streams.keys() {
        let protocol = streams.look(name)?.folded.protocol;
        told.extend(protocol.iter().flat_map(|protocol| &protocol.runs).map(|run| run.started.run));
    }
    for (held, mut facts) in left {
        // Killed in between, the plan has them already.
        facts.retain(|fact| !matches!(&fact.body, Body::RunStarted(started) if told.contains(&started.run)));
        record_usage(ctx, &facts)?;
        held.recorded();
    }
    Ok(())
}

/// Returns how many tokens the runs of `facts` count for.
pub(super) fn tokens(facts: &[Draft]) -> u64 {
    used_by(facts)
        .iter()
        .map(|used| used.usage.tokens().unwrap_or(used.estimate))
        .fold(0, u64::saturating_add)
}

/// Joins the beginnings of runs with their ends.
fn used_by(facts: &[Draft]) -> Vec<UsageRecorded> {
    let ends = |run| {
        facts.iter().find_map(|fact| match &fact.body {
            Body::RunFinished(end) if end.run == run => Some(end),
            _ => None,
        })
    };
    let begun = facts.iter().filter_map(|fact| match &fact.body {
        Body::RunStarted(started) => Some(started),
        _ => None,
    });
    begun
        .map(|started| {
            let end = ends(started.run);
            UsageRecorded {
                run: started.run,
                kind: started.kind,
                engine: started.engine.clone(),
                model: started.model.clone(),
                status: end.map_or(RunStatus::Crashed, |end| end.status),
                usage: end.map_or_else(Usage::default, |end| end.usage),
                estimate: started.estimate,
            }
        })
        .collect()
}
