//! What a server with our hook does not let in, so that it does not keep all else of a push away.

use std::collections::HashSet;

use super::read;
use crate::domain::id::{Name, Oid};
use crate::platform::git::{RefPush, Repo};
use crate::store::content::Content;
use crate::store::{archive, refs, tip};

/// Whether an update brings events of other protocols than the one that they lie under. Somebody put them
/// there by hand; a server that is asked by nobody takes them, one with our hook refuses the whole push.
pub fn brings_foreign_events(repo: &Repo, update: &RefPush) -> bool {
    let Some(new) = update.new else { return false };
    if update.name == refs::ARCHIVE {
        let tree = |commit: Oid| repo.tree_of(commit).ok();
        let before = update.expected.and_then(tree);
        let changes = tree(new).and_then(|after| archive::changes(repo, before, after).ok());
        return changes.into_iter().flatten().any(|change| {
            let [before, after] = [change.before, Some(change.after)]
                .map(|entry| entry.and_then(|entry| tip::read(repo, entry).ok()).unwrap_or_default());
            are_foreign(&change.name, &before, &after)
        });
    }
    let name = update.name.strip_prefix(refs::PROTOCOLS).and_then(|name| name.parse().ok());
    name.is_some_and(|name| {
        let [before, after] = [update.expected, Some(new)]
            .map(|commit| commit.and_then(|commit| read(repo, commit)).unwrap_or_default());
        are_foreign(&name, &before, &after)
    })
}

fn are_foreign(name: &Name, before: &Content, after: &Content) -> bool {
    let known: HashSet<&str> = before.texts();
    let mut new = after.lines().iter().filter(|line| !known.contains(&*line.text));
    new.any(|line| line.event.protocol.as_ref() != Some(name))
}
