//! Two releases at work at once: another fold, and types of events that the older one does not know.

use git_godzilla::domain::event::{Body, Event};
use git_godzilla::domain::id::Oid;
use git_godzilla::platform::clock;
use git_godzilla::service::act::Verb;
use git_godzilla::store::content::Line;
use git_godzilla::store::{refs, tip};

use super::World;

/// The types of events that came with this release: one that only says something, two that decide, and one that
/// nobody may pass over.
const NEW_KINDS: &[&str] = &["note.added", "protocol.paused", "protocol.resumed", "spec.redacted"];

/// Whether the release before gives a meaning to a type.
pub(super) fn older_knows(kind: &str) -> bool {
    !NEW_KINDS.contains(&kind)
}

/// Whether the release of a clone has a command.
pub(super) fn has_verb(world: &World, clone: usize, verb: &Verb) -> bool {
    let is_new = matches!(verb, Verb::Comment { .. } | Verb::Pause { .. } | Verb::Resume);
    !is_new || !world.clones.borrow()[clone].is_older
}

/// Whether the release of a clone lets another plan stand for one that says what is to be taken out.
pub(super) fn knows_plans_without_texts(world: &World, clone: usize) -> bool {
    !world.clones.borrow()[clone].is_older
}

/// A later command writes an event that nobody may pass over: whoever does not know its type must not write
/// to the stream.
pub(super) fn critical(world: &World, clone: usize) -> bool {
    if world.clones.borrow()[clone].is_older {
        return false;
    }
    let own = world.refs_of(clone);
    let own: Vec<_> = own.iter().filter(|(name, _)| name.starts_with(refs::PROTOCOLS)).collect();
    let Some((name, tip)) = world.pick(&own) else { return false };
    world.write_line(clone, name, **tip, |event| {
        event.body = Body::NoteAdded { text: "nobody may pass this over".to_owned() };
        (event.step, event.attempt, event.from, event.cause) = (None, None, None, None);
        event.critical = true;
    })
}

impl World {
    /// Adds one event to a local stream, made of its last one, as some other program would.
    pub(super) fn write_line(
        &self,
        clone: usize,
        name: &str,
        tip: Oid,
        change: impl FnOnce(&mut Event),
    ) -> bool {
        let mut content = self.by_hand(|repo| tip::read(repo, repo.tree_of(tip).unwrap()).unwrap());
        let Some(last) = content.lines().last().filter(|last| last.event.redacts.is_none()) else {
            return false;
        };
        let (mut event, clock) = (last.event.clone(), last.event.clock);
        change(&mut event);
        (event.id, event.clock) = (clock::new_id(), clock.saturating_add(1));
        content.add(Line::new(event));
        content.normalize();
        let tree = self.by_hand(|repo| tip::write(repo, &content, None).unwrap());
        let commit = self.commit(tree, &[tip], "by another program");
        self.clones.borrow()[clone].write_ref(name, Some(commit));
        true
    }

    /// Gives everybody this release.
    pub(super) fn upgrade(&self) {
        self.clones.borrow_mut().iter_mut().for_each(|clone| clone.is_older = false);
    }

    /// Checks what a clone with the older release wrote: `new` is what it first showed to anybody.
    pub(super) fn check_release(&self, clone: usize, name: &str, new: Oid) {
        if !self.clones.borrow()[clone].is_older {
            return;
        }
        let known = self.by_hand(|repo| self.ledger.borrow_mut().read(repo, new));
        let is_beyond = |line: &&Line| line.event.critical && !older_knows(line.event.body.kind());
        let lines = known.iter().flat_map(|known| known.content.lines());
        let beyond = lines.filter(is_beyond).map(|line| line.text.to_string()).next();
        if let Some(line) = beyond {
            let what = format!("c{clone} wrote to {name} with {line}");
            self.violated("an older release leaves alone what it must", what);
        }
    }
}
