//! What may be deleted, and what an archive must still hold.

use std::collections::BTreeMap;

use super::{Checked, Gate, Kind, form};
use crate::domain::id::{Name, Oid};
use crate::store::content::Content;
use crate::store::inventory::read_box;
use crate::store::{archive, refs, tip};

impl Gate<'_> {
    /// A ref goes only if what stays holds everything that it held: a stream in the archive, a drop box in
    /// streams, the archive and the project's stream.
    pub(super) fn check_delete(&self, kind: &Kind, old: Oid) -> Checked {
        match kind {
            Kind::Archive | Kind::Project => Err("it is never deleted".to_owned()),
            Kind::Aside => Ok(()),
            Kind::Stream(name) => match self.read(old) {
                Some(content) if self.archived(name).contains(&content) => Ok(()),
                Some(_) => Err("it may go once the archive holds all of it: git godzilla sync".to_owned()),
                // What nobody can read holds nothing for anybody.
                None => Ok(()),
            },
            Kind::Box => self.check_box(old),
        }
    }

    fn check_box(&self, old: Oid) -> Checked {
        let Ok(content) = read_box(self.objects, old) else { return Ok(()) };
        let project = self.content_after(refs::PROJECT);
        for (name, part) in content.by_protocol() {
            let mut there = name.as_ref().map(|name| self.archived(name)).unwrap_or_default();
            if let Some(name) = &name {
                there.unite(&self.content_after(&refs::protocol(name)));
            }
            there.unite(&project);
            if !there.contains(&part) {
                return Err("it may go once its events are in a stream: git godzilla sync".to_owned());
            }
        }
        Ok(())
    }

    fn content_after(&self, name: &str) -> Content {
        let tip = self.after(name).ok().flatten();
        tip.and_then(|tip| self.read(tip)).unwrap_or_default()
    }

    /// Returns what the archive will hold of a protocol.
    fn archived(&self, name: &Name) -> Content {
        let archive = self.after(refs::ARCHIVE).ok().flatten();
        let tree = archive.and_then(|archive| self.objects.tree_of(archive).ok());
        let path = format!("{}/{name}", shard(name));
        let entry = tree.and_then(|tree| self.objects.tree_path(tree, &path).ok()?);
        entry.and_then(|entry| tip::read(self.objects, entry.oid).ok()).unwrap_or_default()
    }

    /// Checks the entries of an archive that are new, and that none is missing or holds less; nor what is no entry.
    pub(super) fn check_archive(&self, old: Option<Oid>, tree: Oid) -> Checked {
        let entries = self.entries(tree)?;
        let old = old.and_then(|old| self.objects.tree_of(old).ok());
        // One that was let in before anybody looked may be of any form.
        let before = old.and_then(|old| self.entries(old).ok()).unwrap_or_default();
        if let Some(name) = before.keys().find(|name| !entries.contains_key(*name)) {
            return Err(format!("the entry of {name} would be lost"));
        }
        for (name, entry) in entries.iter().filter(|(name, entry)| before.get(*name) != Some(*entry)) {
            let content = form::read(self.objects, *entry).map_err(|why| format!("{name}: {why}"))?;
            let older = before.get(name).and_then(|entry| tip::read(self.objects, *entry).ok());
            let older = older.unwrap_or_default();
            let known = older.texts();
            let is_foreign = |it: &Option<Name>| it.as_ref() != Some(name);
            let new = content.lines().iter().filter(|line| !known.contains(&*line.text));
            if new.into_iter().any(|line| is_foreign(&line.event.protocol)) {
                return Err(format!("the entry of {name} holds events of another protocol"));
            }
            if older.may_be_read() && !content.contains(&older) {
                return Err(format!("the entry of {name} would lose events that are here"));
            }
        }
        if old.is_some_and(|old| archive::has_places_of(self.objects, tree, old).is_ok_and(|all| !all)) {
            return Err("what a newer version keeps beside the entries would be lost".to_owned());
        }
        Ok(())
    }

    fn entries(&self, archive: Oid) -> Result<BTreeMap<Name, Oid>, String> {
        let mut found = BTreeMap::new();
        for folder in self.objects.tree(archive).map_err(|err| err.to_string())? {
            // What newer tools keep beside the entries may have any form.
            let is_shard = folder.is_tree() && folder.name.iter().all(u8::is_ascii_digit);
            if !is_shard {
                continue;
            }
            for entry in self.objects.tree(folder.oid).map_err(|err| err.to_string())? {
                let Some(name) = std::str::from_utf8(&entry.name).ok().and_then(|it| it.parse::<Name>().ok())
                else {
                    continue;
                };
                if !entry.is_tree() || folder.name != shard(&name).as_bytes() {
                    return Err(format!("`{name}` is no entry of an archive where it lies"));
                }
                found.insert(name, entry.oid);
            }
        }
        Ok(found)
    }
}

/// The folder of an archive that an entry lies in.
fn shard(name: &Name) -> String {
    format!("{:02}", name.number() / 100)
}
