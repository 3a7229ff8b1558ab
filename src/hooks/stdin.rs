//! What git tells hooks on stdin.

use crate::domain::id::Oid;
use crate::service::on_push::PushedRef;

/// Reads what git tells `pre-push` on stdin; a line that is none is passed over.
pub fn pushed(text: &str) -> Vec<PushedRef> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let local = words.next()?.to_owned();
            let local_oid: Oid = words.next()?.parse().ok()?;
            let remote = words.next()?.to_owned();
            let remote_oid: Oid = words.next()?.parse().ok()?;
            Some(PushedRef {
                local,
                local_oid: Some(local_oid).filter(|oid| !oid.is_null()),
                remote,
                remote_oid: Some(remote_oid).filter(|oid| !oid.is_null()),
            })
        })
        .collect()
}

/// Reads what git tells `post-rewrite` on stdin, old and new; a line that is none is passed over.
pub fn rewritten(text: &str) -> Vec<(Oid, Oid)> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
        })
        .collect()
}
