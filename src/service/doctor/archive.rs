//! The archive, and what lies in it.

use super::{Checkup, Severity};
use crate::domain::id::Oid;
use crate::service::list::{self, Listing};
use crate::store::{archive, refs};

/// How many of a kind are named.
const MAX_NAMED: usize = 3;

impl Checkup<'_> {
    pub(super) fn archives(&mut self, listing: &Listing, has_damage: bool) {
        for why in &listing.inventory.set_aside {
            let fix = self.way_back_of_archive(listing).filter(|_| !has_damage);
            self.say("archive.unreadable", Severity::Error, why.clone(), fix);
        }
        for tree in listing.inventory.archive_trees() {
            let strange = archive::strange(&self.ctx.repo, tree).unwrap_or_default();
            if let Some(message) = named(&strange) {
                let message = format!("the archive holds what is no entry and is kept as it is: {message}");
                self.say("archive.strange", Severity::Info, message, None);
            }
        }
        self.entries();
    }

    /// Returns what sets the archive here back to the last one that can be read.
    fn way_back_of_archive(&self, listing: &Listing) -> Option<String> {
        let repo = &self.ctx.repo;
        repo.find_ref(refs::ARCHIVE).ok().flatten().filter(|_| listing.inventory.archive().is_none())?;
        let is_whole = |oid: &Oid| repo.tree_of(*oid).and_then(|tree| repo.tree(tree)).is_ok();
        let last = repo.reflog(refs::ARCHIVE).into_iter().find(is_whole);
        let undo = last.map_or_else(
            || format!("git update-ref -d {}", refs::ARCHIVE),
            |last| format!("git update-ref {} {last}", refs::ARCHIVE),
        );
        Some(format!("{undo} && git godzilla sync"))
    }

    /// Entries that nobody can read, and such as hold what is not over.
    fn entries(&mut self) {
        let Ok(listing) = list::list_all(self.ctx) else { return };
        for (name, why) in listing.set_aside.iter().filter(|(_, why)| why.starts_with(list::ENTRY)) {
            self.say("archive.entry", Severity::Warning, format!("{name}: {why}"), None);
        }
        let is_over = |status: &str| matches!(status, "completed" | "cancelled");
        let live = listing.archived.iter().filter(|row| !is_over(&row.status));
        for row in live {
            let message = format!("{} is archived and {}", row.name, row.status);
            let fix = format!("git godzilla unarchive {}", row.name);
            self.say("archive.live", Severity::Warning, message, Some(fix));
        }
    }
}

fn named(names: &[String]) -> Option<String> {
    let first: Vec<&str> = names.iter().take(MAX_NAMED).map(String::as_str).collect();
    let more = names.len() - first.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!first.is_empty()).then(|| format!("{}{more}", first.join(", ")))
}
