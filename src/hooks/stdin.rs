//! What git tells hooks on stdin.

use crate::domain::id::Oid;
use crate::service::on_push::PushedRef;
use crate::service::server::Received;

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

/// Reads what git tells `pre-receive` and `post-receive` on stdin; a line that is none is passed over.
pub fn received(text: &str) -> Vec<Received> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.splitn(3, ' ');
            let (old, new): (Oid, Oid) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            let is_there = |oid: &Oid| !oid.is_null();
            let name = words.next()?.to_owned();
            Some(Received { name, old: Some(old).filter(is_there), new: Some(new).filter(is_there) })
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
