//! What is known of a stream, from wherever it is known.

use std::collections::BTreeSet;

use super::Error;
use crate::domain::id::{Name, Oid};
use crate::platform::git::Repo;
use crate::store::content::{Content, sha256};
use crate::store::inventory::Tips;
use crate::store::{spool, tip};

/// What is known of one stream.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub content: Content,
    /// The tip that the local ref had.
    pub local: Option<Oid>,
    /// Whether the local ref already has all of it.
    pub adopted: bool,
    /// A tracking tip that has all of it, the home remote's first.
    pub(super) complete: Option<Oid>,
    /// The tip of the home remote.
    pub(super) home: Option<Oid>,
    /// What could not be taken in, and why; everything else goes on.
    pub set_aside: Vec<String>,
}

/// Returns the union of what is known: local tip, tracking tips, archive entries, `extra` (drop
/// boxes, project stream) and the spool.
///
/// A remote's tip that is damaged or too new is set aside alone.
///
/// # Errors
///
/// [`Error`] if the local tip cannot be read.
pub fn view(repo: &Repo, name: &Name, tips: &Tips, extra: Option<&Content>) -> Result<View, Error> {
    let spooled = (!tips.nothing_spooled).then(|| spool::read(repo, name));
    view_of(repo, name.as_str(), tips, extra, spooled.as_ref())
}

pub(super) fn view_of(
    repo: &Repo,
    name: &str,
    tips: &Tips,
    extra: Option<&Content>,
    spooled: Option<&spool::Spooled>,
) -> Result<View, Error> {
    let failed = |source| Error::Read { name: name.to_owned(), source };
    let read = |oid: Oid| tip::read(repo, repo.tree_of(oid)?);
    let local = tips.local.map_or_else(|| Ok(Content::default()), read).map_err(failed)?;
    if !local.may_be_read() {
        return Err(Error::TooNew { name: name.to_owned() });
    }
    let nothing_else = extra.is_none()
        && tips.archived.is_empty()
        && tips.tracking.iter().all(|(_, oid)| Some(*oid) == tips.local)
        && spooled.is_none_or(|spooled| spooled.lines.is_empty());
    if nothing_else {
        let adopted = tips.local.is_some() || local.is_empty();
        return Ok(View { content: local, local: tips.local, adopted, home: tips.home, ..View::default() });
    }
    let mut content = local.clone();
    let mut tracked: Vec<(Oid, Content)> = Vec::new();
    let mut set_aside = Vec::new();
    for (remote, oid) in &tips.tracking {
        if Some(*oid) == tips.local {
            continue;
        }
        let key = |oid: Oid| tip::key(repo, repo.tree_of(oid).ok()?).ok();
        let theirs = if tips.local.and_then(key).is_some_and(|local| key(*oid) == Some(local)) {
            local.clone()
        } else {
            match read(*oid) {
                Ok(theirs) if theirs.may_be_read() => theirs,
                other => {
                    set_aside.push(tip::why_set_aside(repo, remote, other.err()));
                    continue;
                }
            }
        };
        if !content.contains(&theirs) {
            content.unite(&theirs);
        }
        tracked.push((*oid, theirs));
    }
    let trees: BTreeSet<Oid> = tips.archived.iter().map(|(_, tree)| *tree).collect();
    let mut archived = Vec::new();
    for tree in trees {
        match tip::read(repo, tree) {
            Ok(entry) if entry.may_be_read() => {
                if !content.contains(&entry) {
                    content.unite(&entry);
                }
                archived.push(entry);
            }
            Ok(_) => set_aside.push("an archive holds it in a newer form".to_owned()),
            Err(err) => set_aside
                .push(format!("its entry in an archive cannot be read: {}", tip::why_unread(repo, &err))),
        }
    }
    if let Some(extra) = extra.filter(|extra| !content.contains(extra)) {
        content.unite(extra);
    }
    if let Some(spooled) = spooled.filter(|spooled| !spooled.lines.is_empty()) {
        let mut waiting = Content::default();
        for line in &spooled.lines {
            waiting.add_raw(line);
        }
        waiting.normalize();
        waiting.specs = spooled.specs.iter().map(|text| (sha256(text.as_bytes()), text.clone())).collect();
        content.unite(&waiting);
    }
    // A stream that an archive entry covers needs no ref.
    let covered = tips.local.is_none() && archived.iter().any(|entry| entry.contains(&content));
    let complete = tracked.iter().find(|(_, theirs)| theirs.contains(&content)).map(|(oid, _)| *oid);
    // Of two tips with equal content the home remote's wins.
    let is_followed = tips.local.is_none() || complete.is_none() || complete != tips.home;
    let has_all = covered || (tips.local.is_some() && local.contains(&content)) || content.is_empty();
    let adopted = has_all && is_followed;
    Ok(View { content, local: tips.local, adopted, complete, home: tips.home, set_aside })
}

/// Returns what is known of the project's stream.
///
/// # Errors
///
/// [`Error`] if the local tip cannot be read.
pub fn project_view(repo: &Repo, tips: &Tips) -> Result<View, Error> {
    view_of(repo, "project", tips, None, None)
}
