//! Plans that say again what was taken out of another one: a clone that had not heard of it made them of the old one.

use std::collections::BTreeSet;

use crate::domain::event::{Body, Cause, Draft, Event, SpecRedacted};
use crate::domain::id::{Digest, Ulid};
use crate::domain::ledger::Ledger;
use crate::store::content::Content;
use crate::store::spec;

/// Takes it out of them as well, before anything is decided. All clones that see one such plan put the same in
/// its place.
pub(super) fn take_out(ledger: &mut Ledger<'_>, content: &mut Content) {
    if !content.may_be_written() {
        return;
    }
    for (was, now, text) in content.said_again() {
        let at_ms = ledger.events().iter().find(|event| names(event, was)).map_or(0, |event| event.at_ms);
        let_stand(ledger, content, (was, now, text), Some(&(Cause::spec(was), at_ms)), None);
    }
}

/// Lets the plan `now`, whose text is given, stand for the plan `was`, for every protocol of the stream that named
/// that one.
pub fn let_stand(
    ledger: &mut Ledger<'_>,
    content: &mut Content,
    (was, now, text): (Digest, Digest, String),
    cause: Option<&(Cause, u64)>,
    reason: Option<&String>,
) {
    let own = ledger.protocol().map(|protocol| protocol.root);
    let mut roots: BTreeSet<Option<Ulid>> =
        ledger.events().iter().filter(|event| names(event, was)).map(|event| event.root).collect();
    if roots.is_empty() {
        roots.insert(own);
    }
    if let Ok(plan) = spec::decode(text.as_bytes()) {
        ledger.add_spec(was, plan.clone());
        ledger.add_spec(now, plan);
    }
    content.specs.insert(now, text);
    for root in roots {
        let body = SpecRedacted { spec: was, instead: now, reason: reason.cloned() };
        let draft = Draft::new(Body::SpecRedacted(body));
        let draft = match cause {
            Some((cause, at_ms)) => draft.caused_by(cause.clone(), *at_ms),
            None => draft,
        };
        ledger.push_of(root, draft);
    }
}

fn names(event: &Event, spec: Digest) -> bool {
    event.body.spec() == Some(spec)
}
