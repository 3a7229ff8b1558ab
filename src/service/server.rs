//! What a repository that others push to lets in, and what it sees by itself.
//!
//! `pre-receive` looks at refs of ours only: they move forward, hold no less than before, and are formed as
//! they must be; what is deleted must be held by what stays. It reads what was pushed where git keeps it
//! apart, and writes nothing.

mod form;
mod holds;
pub mod merged;

use std::collections::BTreeMap;

use super::context::Context;
use super::error::Error;
use crate::domain::id::{Name, Oid};
use crate::platform::git::{self, Repo};
use crate::store::content::Content;
use crate::store::{refs, tip};

/// A ref that is about to move, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub name: String,
    /// `None` if it is new.
    pub old: Option<Oid>,
    /// `None` deletes it.
    pub new: Option<Oid>,
}

/// What a ref of ours is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Stream(Name),
    Project,
    Archive,
    Box,
    /// Claims and logs of runs, whose form is not ours to judge.
    Aside,
}

/// Returns why a push is not let in, a line each; empty if it is.
///
/// # Errors
///
/// [`Error`] if what was pushed cannot be looked at.
pub fn refusals(ctx: &Context, received: &[Received]) -> Result<Vec<String>, Error> {
    let is_ours = |line: &&Received| line.name.starts_with("refs/godzilla");
    let ours: Vec<&Received> = received.iter().filter(is_ours).collect();
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    let quarantined = ctx.repo.quarantined()?;
    let gate = Gate {
        refs: &ctx.repo,
        objects: quarantined.as_ref().map_or(&ctx.repo, |pushed| &pushed.repo),
        after: received.iter().map(|line| (line.name.as_str(), line.new)).collect(),
        may_purge: ctx.repo.config_bool("godzilla.server.allowPurge").unwrap_or(false),
    };
    let told = ours.into_iter().filter_map(|line| {
        let why = gate.check(line).err()?;
        Some(format!("{}: {why}", line.name))
    });
    Ok(told.collect())
}

/// Who looks at a push.
struct Gate<'a> {
    refs: &'a Repo,
    /// With what was pushed.
    objects: &'a Repo,
    /// The refs of the push, as they will be.
    after: BTreeMap<&'a str, Option<Oid>>,
    /// Whether the administrator lets histories begin anew, as `redact --purge` makes them.
    may_purge: bool,
}

/// Why something is not let in.
type Checked = Result<(), String>;

impl Gate<'_> {
    fn check(&self, line: &Received) -> Checked {
        let Some(rest) = line.name.strip_prefix(refs::SHARED) else {
            return Err("it must stay in the clone that it is of".to_owned());
        };
        let kind = Kind::of(rest).ok_or("there is no such ref of git-godzilla")?;
        match (line.new, line.old) {
            (None, Some(old)) => self.check_delete(&kind, old),
            (None, None) => Ok(()),
            (Some(new), old) => self.check_move(&kind, old, new),
        }
    }

    fn check_move(&self, kind: &Kind, old: Option<Oid>, new: Oid) -> Checked {
        let tree = self.objects.tree_of(new).map_err(|_| "it names no commit".to_owned())?;
        if let Some(old) = old.filter(|old| !self.objects.is_ancestor(*old, new)) {
            let begins_anew = self.objects.commit(new).is_ok_and(|commit| commit.parents.is_empty());
            if !self.may_purge || !begins_anew {
                let to = old.short();
                return Err(format!(
                    "it would not move forward from {to}; `git godzilla sync` does it right"
                ));
            }
        }
        match kind {
            Kind::Aside => Ok(()),
            Kind::Archive => self.check_archive(old, tree),
            Kind::Stream(name) => self.check_content(old, tree, &|line| line == Some(name)),
            Kind::Project => self.check_content(old, tree, &|_| true),
            Kind::Box if old.is_some() => Err("a drop box never changes".to_owned()),
            Kind::Box => self.check_content(None, tree, &|_| true),
        }
    }

    /// Checks the form of what is new, and that nothing of what was there is missing.
    fn check_content(
        &self,
        old: Option<Oid>,
        tree: Oid,
        may_hold: &dyn Fn(Option<&Name>) -> bool,
    ) -> Checked {
        let before = old.and_then(|old| self.read(old));
        // What is here already was let in, or came before there was anybody to ask.
        let known = before.as_ref().map(Content::texts).unwrap_or_default();
        let content = form::read(self.objects, tree)?;
        for line in content.lines().iter().filter(|line| !known.contains(&*line.text)) {
            if !may_hold(line.event.protocol.as_ref()) {
                return Err(format!("event {} is of another protocol", line.event.id));
            }
        }
        match before {
            Some(before) if before.may_be_read() && !content.contains(&before) => {
                Err("it would lose events that are here".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn read(&self, commit: Oid) -> Option<Content> {
        self.objects.tree_of(commit).and_then(|tree| tip::read(self.objects, tree)).ok()
    }

    /// Returns what a ref will be.
    fn after(&self, name: &str) -> Result<Option<Oid>, git::Error> {
        match self.after.get(name) {
            Some(new) => Ok(*new),
            None => self.refs.find_ref(name),
        }
    }
}

impl Kind {
    /// Returns what a ref is for, by its name without `refs/godzilla/`.
    fn of(rest: &str) -> Option<Self> {
        let (folder, name) = rest.split_once('/').unwrap_or((rest, ""));
        let is_plain = |text: &str| !text.is_empty() && !text.contains('/');
        match folder {
            "protocols" => name.parse().ok().map(Self::Stream),
            "project" if name.is_empty() => Some(Self::Project),
            "archive" if name.is_empty() => Some(Self::Archive),
            "inbox" => {
                let is_id = crate::store::wire::parse_ulid(&name.to_ascii_uppercase()).is_some();
                (is_id && name.bytes().all(|byte| !byte.is_ascii_uppercase())).then_some(Self::Box)
            }
            "claims" => is_plain(name).then_some(Self::Aside),
            "runs" => (!name.is_empty()).then_some(Self::Aside),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_known() {
        for (rest, kind) in [
            ("protocols/0001-a", Some(Kind::Stream("0001-a".parse().unwrap()))),
            ("protocols/1-a", None),
            ("protocols/0001-a/b", None),
            ("protocols", None),
            ("project", Some(Kind::Project)),
            ("project/x", None),
            ("archive", Some(Kind::Archive)),
            ("inbox/01arz3ndektsv4rrffq69g5fav", Some(Kind::Box)),
            ("inbox/01ARZ3NDEKTSV4RRFFQ69G5FAV", None),
            ("inbox/x", None),
            ("claims/0001-a", Some(Kind::Aside)),
            ("claims/a/b", None),
            ("else", None),
        ] {
            assert_eq!(Kind::of(rest), kind, "{rest}");
        }
    }
}
