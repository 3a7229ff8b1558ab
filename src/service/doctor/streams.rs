//! Refs and what they hold.

use std::collections::BTreeMap;

use super::{Checkup, Severity};
use crate::domain::id::{Name, Oid};
use crate::platform::git::DamagedRef;
use crate::service::list::{self, Listing};
use crate::service::redact::purge;
use crate::store::cache::Row;
use crate::store::inventory::read_box;
use crate::store::{refs, tip};

impl Checkup<'_> {
    pub(super) fn streams(&mut self) {
        let mut has_damage = false;
        for prefix in [refs::SHARED, refs::TRACKING, refs::LOCAL] {
            match self.ctx.repo.damaged_refs(prefix) {
                Ok(damaged) => {
                    has_damage |= !damaged.is_empty();
                    for damaged in damaged {
                        self.damaged(&damaged);
                    }
                }
                Err(err) => self.unlisted(&err),
            }
        }
        match list::list(self.ctx) {
            Ok(listing) => {
                self.listed(&listing, has_damage);
                self.worktrees(&listing);
            }
            Err(err) => self.unlisted(&err),
        }
    }

    fn damaged(&mut self, damaged: &DamagedRef) {
        let path = damaged.path.display();
        let fix = match damaged.last {
            Some(last) if !damaged.name.starts_with(refs::TRACKING) => format!("echo {last} >'{path}'"),
            _ => format!("rm '{path}' && git godzilla sync"),
        };
        let message = format!("{} says nothing that is a commit", damaged.name);
        self.say("ref.damaged", Severity::Error, message, Some(fix));
    }

    fn unlisted(&mut self, err: &dyn std::error::Error) {
        let message = format!("refs cannot be listed: {}", crate::service::error_chain(err));
        let is_known = self.findings.iter().any(|finding| finding.message == message);
        if !is_known {
            self.say("ref.damaged", Severity::Error, message, Some("git fsck".to_owned()));
        }
    }

    fn listed(&mut self, listing: &Listing, has_damage: bool) {
        for (name, why) in &listing.set_aside {
            let sync = || Some("git godzilla sync".to_owned()).filter(|_| !has_damage);
            let fix = self.way_back(name, listing).or_else(sync);
            self.say("stream.unreadable", Severity::Error, format!("{name}: {why}"), fix);
        }
        self.written_last(listing, has_damage);
        self.archives(listing, has_damage);
        self.collisions(listing);
        self.unpurged(listing);
        self.duplicates(listing);
        self.boxes(listing);
        let unshared: usize = listing.rows.iter().map(|row| row.unshared_events).sum();
        if let Some(home) = listing.inventory.home().filter(|_| unshared > 0) {
            let events = if unshared == 1 { "event is" } else { "events are" };
            let message = format!("{unshared} {events} not on {home} yet");
            let fix = Some("git godzilla sync".to_owned());
            self.say("events.unshared", Severity::Info, message, fix);
        }
        if listing.unmatched_ci_reports > 0 {
            let message =
                format!("{} CI reports name nothing that is known here", listing.unmatched_ci_reports);
            self.say("events.unmatched", Severity::Info, message, None);
        }
    }

    /// What was written last is read again: a cache knows what was there before the power went.
    fn written_last(&mut self, listing: &Listing, has_damage: bool) {
        let repo = &self.ctx.repo;
        for (name, tips) in &listing.inventory.streams {
            if listing.set_aside.iter().any(|(known, _)| known == name) {
                continue;
            }
            let tracked = tips.tracking.iter().map(|(_, oid)| *oid);
            let unpacked = tips.local.into_iter().chain(tracked).filter(|tip| repo.is_unpacked(*tip));
            let read = |tip: Oid| repo.tree_of(tip).and_then(|tree| tip::read(repo, tree)).err();
            if let Some(err) = unpacked.map(read).find_map(|err| err) {
                let sync = || Some("git godzilla sync".to_owned()).filter(|_| !has_damage);
                let fix = self.way_back(name, listing).or_else(sync);
                let message = format!("{name}: {}", crate::service::error_chain(&err));
                self.say("stream.unreadable", Severity::Error, message, fix);
            }
        }
    }

    /// Returns what sets a stream, whose tip here cannot be read, back to the last one that can; a `sync`
    /// brings what others have.
    fn way_back(&self, name: &Name, listing: &Listing) -> Option<String> {
        let repo = &self.ctx.repo;
        let tips = listing.inventory.streams.get(name)?;
        let is_whole = |oid: &Oid| repo.tree_of(*oid).and_then(|tree| tip::read(repo, tree)).is_ok();
        tips.local.filter(|local| !is_whole(local))?;
        let stream = refs::protocol(name);
        let tracked = tips.tracking.iter().map(|(_, oid)| *oid);
        let last = repo.reflog(&stream).into_iter().chain(tracked).find(is_whole)?;
        Some(format!("git update-ref {stream} {last} && git godzilla sync"))
    }

    /// Drop boxes that nobody can read are passed over by everybody.
    fn boxes(&mut self, listing: &Listing) {
        for drop_box in &listing.inventory.boxes {
            let why = match read_box(&self.ctx.repo, drop_box.tip) {
                Ok(content) if content.lines().is_empty() => "it holds no event".to_owned(),
                Ok(_) => continue,
                Err(err) => crate::service::error_chain(&err),
            };
            let (name, remote) = (&drop_box.name, &drop_box.remote);
            let message = format!("{name} at {remote} is of no use: {why}");
            let fix = Some(format!("git push {remote} :{name}, if nobody else reads it"));
            self.say("box.unreadable", Severity::Info, message, fix);
        }
    }

    /// Texts that were taken out and are still in the history of a remote, or of this clone.
    fn unpurged(&mut self, listing: &Listing) {
        let stubs = purge::redacted(self.ctx, &listing.inventory);
        let lines = stubs.taken_out();
        if lines.is_empty() {
            return;
        }
        let remotes = listing.inventory.remotes.iter();
        let places = remotes.map(|remote| (remote.clone(), refs::tracking_root(remote)));
        for (place, prefix) in places.chain([("this clone".to_owned(), refs::SHARED.to_owned())]) {
            let named = purge::naming(&self.ctx.repo, &prefix, lines).unwrap_or_default();
            let Some((first, _)) = named.first() else { continue };
            let name = first.strip_prefix(&prefix).unwrap_or(first);
            let more = if named.len() > 1 { format!(" and {} more", named.len() - 1) } else { String::new() };
            let message = format!("the history of {name}{more} at {place} still says what was taken out");
            let fix = Some("git godzilla redact --purge".to_owned());
            self.say("redaction.unpurged", Severity::Warning, message, fix);
        }
    }

    /// Events that others made with the id of an event, or that were changed after they were recorded.
    fn duplicates(&mut self, listing: &Listing) {
        for row in listing.rows.iter().filter(|row| !row.duplicate_ids.is_empty()) {
            let (name, ids) = (&row.name, &row.duplicate_ids);
            let more = if ids.len() > 3 { " and more" } else { "" };
            let shown = ids.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
            let message = format!(
                "{name} has different events with one id, {shown}{more}: the first in order counts, and \
                 the others are kept and do nothing"
            );
            let fix = Some(format!("git godzilla log {name} --all, and record again what is missing"));
            self.say("events.duplicate_id", Severity::Warning, message, fix);
        }
    }

    /// Two protocols with one number: the names tell them apart, people do not.
    fn collisions(&mut self, listing: &Listing) {
        let is_live = |row: &Row| !matches!(row.status.as_str(), "completed" | "cancelled");
        let mut by_number: BTreeMap<u64, Vec<&Row>> = BTreeMap::new();
        for row in &listing.rows {
            if row.name.contains('~') {
                self.twin(row, listing);
            } else {
                by_number.entry(row.number).or_default().push(row);
            }
        }
        for (number, mut rows) in by_number.into_iter().filter(|(_, rows)| rows.len() > 1) {
            rows.sort_by_key(|row| &row.id);
            let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
            let message =
                format!("{} have the number {number}; call them by their full names", names.join(" and "));
            let live: Vec<&Row> = rows.iter().filter(|row| is_live(row)).copied().collect();
            // The one that was planned last gives way.
            let next = listing.rows.iter().map(|row| row.number).max().unwrap_or(0) + 1;
            let fix = live.last().map(|last| format!("git godzilla renumber {} {next}", last.name));
            let severity = if live.len() > 1 { Severity::Warning } else { Severity::Info };
            self.say("number.collision", severity, message, fix.filter(|_| live.len() > 1));
        }
    }

    /// A protocol that was planned with the name of another one, before either clone knew of the other.
    fn twin(&mut self, row: &Row, listing: &Listing) {
        let name = &row.name;
        let of = name.split('~').next().unwrap_or(name);
        let message = format!(
            "{name} has the name of {of}, which was planned in another clone; it can be read, and nothing \
             can be recorded for it"
        );
        let next = listing.rows.iter().map(|row| row.number).max().unwrap_or(0) + 1;
        let fix = Some(format!("git godzilla renumber {name} {next}"));
        self.say("protocol.twin", Severity::Warning, message, fix);
    }
}
