//! What remotes said when they did not take our state: remembered, so that `status` can tell it and a
//! push does not ask in vain.

use std::time::Duration;

use super::context::Context;
use crate::platform::clock;
use crate::platform::git::{Cause, PushResult, Refusal, Remote, TransportError};
use crate::store::answer::{self, Answer};

pub use crate::store::answer::Said;

/// When a push asks a remote again that did not want our refs: who runs it may have changed that.
const ASK_AGAIN_AFTER: Duration = Duration::from_hours(24);

/// Returns what `remote` last said, if it was no.
pub fn last(ctx: &Context, remote: &str) -> Option<Answer> {
    answer::read(&ctx.repo, &find(ctx, remote)?)
}

/// Whether a push should leave `remote` alone, which did not want our refs and was asked lately.
pub fn is_left_alone(last: Option<&Answer>) -> bool {
    last.is_some_and(|answer| {
        // A time to come is one of a clock that went wrong.
        let age = clock::now_ms().checked_sub(answer.at_ms).map(Duration::from_millis);
        answer.said == Said::Refused && age.is_some_and(|age| age < ASK_AGAIN_AFTER)
    })
}

/// Remembers what `remote` said.
pub fn remember(ctx: &Context, remote: &str, said: Said, reason: &str) {
    if let Some(remote) = find(ctx, remote) {
        let answer = Answer { said, reason: reason.to_owned(), at_ms: clock::now_ms() };
        answer::write(&ctx.repo, &remote, &answer);
    }
}

/// Forgets what `remote` said: it took all that it was to take.
pub fn forget(ctx: &Context, remote: &str) {
    answer::forget(&ctx.repo, remote);
}

fn find(ctx: &Context, name: &str) -> Option<Remote> {
    ctx.repo.remotes().into_iter().find(|remote| remote.name == name)
}

/// Returns what the answer to a push was, with its reason; `None` if all was taken.
pub fn of_push(result: &PushResult) -> Option<(Said, &str)> {
    let refused: Vec<&Refusal> = result.refused.iter().collect();
    of_refusals(&refused, result.accepted.is_empty())
}

/// As [`of_push`], for some of the refs; `took_none` is whether no other ref of ours was taken.
pub fn of_refusals<'a>(refused: &[&'a Refusal], took_none: bool) -> Option<(Said, &'a str)> {
    // Those that fell with others say nothing.
    let first = refused.iter().find(|refusal| refusal.cause != Cause::Together).or(refused.first())?;
    let said = if took_none && are_unwanted(refused) { Said::Refused } else { Said::Overtaken };
    Some((said, first.reason.as_str()))
}

/// Whether trying again is of no use.
pub fn are_unwanted(refused: &[&Refusal]) -> bool {
    refused.iter().all(|refusal| refusal.cause == Cause::Unwanted)
}

/// Returns in which way a conversation failed, and why.
pub fn of_error(err: &TransportError) -> (Said, String) {
    match err {
        TransportError::Unreachable { message, .. } => (Said::Unreachable, message.clone()),
        TransportError::Auth { message, .. } => (Said::Auth, message.clone()),
        TransportError::Refused { message, .. } => (Said::Failed, message.clone()),
        TransportError::NotAtomic { .. } | TransportError::NotForward { .. } | TransportError::Git(_) => {
            (Said::Failed, super::error_chain(err))
        }
    }
}
