//! What is broken on purpose, so that every check is seen to fail.

use std::rc::Rc;

use git_godzilla::domain::event::Body;
use git_godzilla::domain::fold::{Folded, Outcome};
use git_godzilla::domain::id::Oid;
use git_godzilla::platform::git::RefPush;
use git_godzilla::service::streams::folded;
use git_godzilla::store::content::Line;
use git_godzilla::store::{refs, tip};

use super::World;
use super::ledger::Content;

/// One thing that does not work as it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// A server says that it took a drop box, and forgets it.
    ForgetfulServer,
    /// What one clone sends arrives nowhere, and it hears of nothing.
    LonelyClone,
    /// Somebody deletes a stream from a server after every round.
    RestlessHand,
    /// A clone deletes drop boxes that nobody took over.
    HastyDelete,
    /// A server moves refs whatever was expected.
    ServerWithoutExpectations,
    /// A clone pushes what is there already.
    EmptyPush,
    /// A clone pushes its last event without what it was decided on.
    PushWithoutCauses,
    /// A clone pushes what it keeps for itself.
    PushOfItsOwn,
    /// A server takes nothing, however long one waits.
    StubbornServer,
    /// A server says that it deleted a stream, and keeps it.
    HoardedStreams,
    /// A server says that it deleted a drop box, and keeps it.
    HoardedBoxes,
    /// A server puts what it had before a purge below what it has.
    ServerWithHistory,
    /// Clones know again what was taken out.
    LongMemory,
    /// What follows from a commit is written again once it was undone.
    RepeatedAutomation,
    /// An undo is said to be taken back, and is not.
    HalfRedo,
    /// What a command said that it did is not there.
    EmptyPromise,
    /// A clone lets go of the commits that no branch has.
    CarelessCollector,
    /// An older release takes every event for one that it knows.
    CarelessRelease,
    /// An older report of a job counts.
    OldReport,
    /// Whoever came second holds the name.
    TwinWithTheName,
    /// A clone counts all but the last event.
    ShortOrder,
}

impl Broken {
    /// Each with the check that it makes fail, and what must happen until it does.
    pub(crate) const ALL: &[(Self, &str, &[&str])] = &[
        (Self::ForgetfulServer, "nothing is lost", &["plan", "commit", "report"]),
        (Self::LonelyClone, "all clones agree", &["plan", "act"]),
        (Self::RestlessHand, "everybody comes to rest", &["plan", "act"]),
        (Self::HastyDelete, "a delete takes nothing away", &["plan", "commit", "report"]),
        (
            Self::ServerWithoutExpectations,
            "a push takes nothing away",
            &["plan", "act", "sync", "push", "commit"],
        ),
        (Self::EmptyPush, "a push adds something", &["plan", "act", "sync"]),
        (Self::PushWithoutCauses, "causes come along", &["plan", "act", "sync"]),
        (Self::PushOfItsOwn, "what is private stays here", &["plan", "commit", "amend", "list", "sync"]),
        (Self::StubbornServer, "sharing works again", &["plan", "act"]),
        (Self::HoardedStreams, "no stream is left that is archived", &["plan", "cancel", "archive", "sync"]),
        (Self::HoardedBoxes, "no drop box is left", &["plan", "commit", "report"]),
        (Self::ServerWithHistory, "a purge leaves no history", &["plan", "act", "sync", "redact"]),
        (Self::LongMemory, "what was taken out stays out", &["plan", "act", "redact"]),
        (Self::RepeatedAutomation, "automation repeats nothing", &["plan", "commit", "undo"]),
        (Self::HalfRedo, "a redo brings back", &["plan", "act", "undo and redo"]),
        (Self::EmptyPromise, "what was said to be done is there", &["plan", "act"]),
        (Self::CarelessCollector, "what events name is kept", &["plan", "commit", "amend"]),
        (
            Self::CarelessRelease,
            "an older release leaves alone what it must",
            &["plan", "critical event", "act", "sync"],
        ),
        (Self::OldReport, "the newest report counts", &["plan", "commit", "report"]),
        (Self::TwinWithTheName, "twins stay apart", &["plan", "act"]),
        (Self::ShortOrder, "order does not matter", &["plan", "act"]),
    ];
}

impl World {
    pub(super) fn is_broken(&self, how: Broken) -> bool {
        self.config.broken == Some(how)
    }

    /// Returns what a clone pushes, with what a broken one pushes beside what it must.
    pub(super) fn sent(&self, clone: usize, server: usize, updates: &[RefPush]) -> Vec<RefPush> {
        let mut all = updates.to_vec();
        let servers = self.servers.borrow();
        let there = &servers[server].refs;
        let first = |folder: &str| there.iter().find(|(name, _)| name.starts_with(folder));
        match self.config.broken {
            Some(Broken::HastyDelete) => all.extend(first(refs::INBOX).map(|(name, oid)| RefPush {
                name: name.clone(),
                new: None,
                expected: Some(*oid),
            })),
            Some(Broken::EmptyPush) => all.extend(first(refs::PROTOCOLS).map(|(name, oid)| {
                let tree = self.by_hand(|repo| repo.tree_of(*oid).unwrap());
                let again = self.commit(tree, &[*oid], "again");
                RefPush { name: name.clone(), new: Some(again), expected: Some(*oid) }
            })),
            Some(Broken::PushOfItsOwn) => {
                let own = self.refs_in(clone, &["refs/godzilla-local"]);
                all.extend(own.into_iter().map(|(name, oid)| RefPush {
                    name,
                    new: Some(oid),
                    expected: None,
                }));
            }
            Some(Broken::PushWithoutCauses) => {
                for update in all.iter_mut().filter(|update| update.name.starts_with(refs::PROTOCOLS)) {
                    update.new = update.new.map(|new| self.last_line_of(new, update.expected));
                }
            }
            _ => (),
        }
        all
    }

    /// Returns a commit that adds nothing but the last line of `new` to `parent`.
    fn last_line_of(&self, new: Oid, parent: Option<Oid>) -> Oid {
        let tree = self.by_hand(|repo| {
            let mut ledger = self.ledger.borrow_mut();
            let all = ledger.read(repo, new).unwrap();
            let mut less = parent
                .and_then(|parent| ledger.read(repo, parent))
                .map_or_else(Content::default, |known| known.content.clone());
            less.specs.extend(all.content.specs.clone());
            less.unknown.extend(all.content.unknown.clone());
            less.rejects.extend(all.content.rejects.clone());
            less.add(all.content.lines().last().unwrap().clone());
            less.normalize();
            tip::write(repo, &less, None).unwrap()
        });
        self.commit(tree, parent.as_slice(), "the last line")
    }

    /// Puts what servers had before a purge below what they have.
    pub(super) fn bring_histories_back(&self) {
        for (server, name, before) in self.replaced.take() {
            let now = self.servers.borrow()[server].refs.get(&name).copied();
            if let Some(now) = now {
                let tree = self.by_hand(|repo| repo.tree_of(now).unwrap());
                let again = self.commit(tree, &[now, before], "with what was before");
                self.servers.borrow_mut()[server].refs.insert(name, again);
            }
        }
    }

    /// Whether a server lets in what takes something away that came meanwhile.
    pub(super) fn is_let_in(&self, update: &RefPush, now: Option<Oid>) -> bool {
        let takes_away = |(now, new)| {
            let [now, new] = [now, new].map(|oid| self.items_of(&update.name, oid));
            now.without(&[&new]).next().is_some()
        };
        self.is_broken(Broken::ServerWithoutExpectations) && now.zip(update.new).is_some_and(takes_away)
    }

    /// Whether a server forgets what it said that it did.
    pub(super) fn is_forgotten(&self, update: &RefPush) -> bool {
        let is_of = |folder: &str| update.name.starts_with(folder);
        match self.config.broken {
            Some(Broken::ForgetfulServer) => is_of(refs::INBOX),
            Some(Broken::HoardedStreams) => update.new.is_none() && is_of(refs::PROTOCOLS),
            Some(Broken::HoardedBoxes) => update.new.is_none() && is_of(refs::INBOX),
            _ => false,
        }
    }

    /// Whether a clone neither sends nor hears anything.
    pub(super) fn is_lonely(&self, clone: usize) -> bool {
        self.is_broken(Broken::LonelyClone) && clone == 0
    }

    /// Writes what was undone and has a cause once more.
    pub(super) fn repeat_automation(&self, clone: usize) {
        for (name, oid) in self.refs_of(clone).iter().filter(|(name, _)| name.starts_with(refs::PROTOCOLS)) {
            let known = self.by_hand(|repo| self.ledger.borrow_mut().read(repo, *oid));
            let Some(known) = known else { continue };
            let state = folded(&known.content, None);
            let lines = known.content.lines().iter().zip(&state.outcomes);
            let mut undone = lines.filter(|(line, outcome)| {
                line.event.cause.is_some() && matches!(outcome, Outcome::Undone(_))
            });
            if let Some((line, _)) = undone.next() {
                self.write_line(clone, name, *oid, |event| *event = line.event.clone());
            }
        }
    }

    /// Returns the state of a stream, perhaps a wrong one.
    pub(super) fn state_of(&self, content: &Content) -> Folded {
        let right = folded(content, None);
        let without = |is_out: &dyn Fn(&Line) -> bool| {
            let mut less = Content::default();
            less.specs.clone_from(&content.specs);
            content.lines().iter().filter(|line| !is_out(line)).for_each(|line| less.add(line.clone()));
            folded(&less, None).protocol
        };
        match self.config.broken {
            Some(Broken::OldReport) => {
                let runs = content.lines().iter().filter_map(|line| match &line.event.body {
                    Body::CiReported(report) => Some((report.run, report.attempt)),
                    _ => None,
                });
                let newest = runs.max();
                let is_newest = |line: &Line| matches!(&line.event.body, Body::CiReported(report) if Some((report.run, report.attempt)) == newest);
                Folded { protocol: without(&is_newest), ..right }
            }
            Some(Broken::TwinWithTheName) => match right.twins.first() {
                Some(twin) => folded(content, Some(*twin)),
                None => right,
            },
            Some(Broken::ShortOrder) => {
                let last = content.lines().last().map(|line| Rc::<str>::from(&*line.text));
                let is_last = |line: &Line| last.as_deref() == Some(&*line.text);
                Folded { protocol: without(&is_last), ..right }
            }
            _ => right,
        }
    }
}
