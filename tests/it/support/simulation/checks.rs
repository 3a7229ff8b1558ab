//! What must be true of every push, and when nothing moves any more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use git_godzilla::domain::event::Event;
use git_godzilla::domain::id::{Name, Oid};
use git_godzilla::platform::git::RefPush;
use git_godzilla::service::archive::may_be_archived;
use git_godzilla::service::context::Context;
use git_godzilla::service::streams::{Streams, folded};
use git_godzilla::service::sync;
use git_godzilla::store::content::Line;
use git_godzilla::store::text::Text;
use git_godzilla::store::{inventory, refs, stream, tip};

use super::ledger::{Item, Items, archived};
use super::states::{newest_report_counts, order_matters, root_is_the_first};
use super::{Broken, Content, World};

/// After so many rounds in which everybody shares, nothing may move any more.
const MAX_ROUNDS: u64 = 16;

/// What is known of one stream: its content, and the tree that it would be written as.
type Known = (Content, Oid);

impl World {
    /// Checks a move of a ref that a server is about to make; `now` is what it holds.
    pub(super) fn check_update(&self, server: usize, update: &RefPush, now: Option<Oid>) {
        if !update.name.starts_with(refs::SHARED) {
            self.violated("what is private stays here", &update.name);
            return;
        }
        if let Some(new) = update.new.filter(|new| !self.ledger.borrow().has_read(*new)) {
            self.check_release(self.who(), &update.name, new);
        }
        let items = |oid: Option<Oid>| oid.map(|oid| self.items_of(&update.name, oid)).unwrap_or_default();
        let (old, new) = (items(now), items(update.new));
        let redacted = self.ledger.borrow().redacted().clone();
        let missing = |there: &Items| old.without(&[there, &redacted]).next();
        if let Some(to) = update.new {
            if let Some(lost) = missing(&new) {
                self.violated("a push takes nothing away", self.told(&update.name, lost));
            }
            // What begins anew has no history with a line that was taken out.
            let begins_anew = now.is_some() && self.begins_anew(to) && redacted.iter().next().is_some();
            if new.without(&[&old]).next().is_none() && !begins_anew {
                self.violated("a push adds something", &update.name);
            }
            self.check_causes(update, &old, &new);
            return;
        }
        let is_box = update.name.starts_with(refs::INBOX);
        let servers = self.servers.borrow();
        let higher = servers[server].refs.iter().filter(|(name, _)| {
            if is_box {
                name.starts_with(refs::SHARED) && !name.starts_with(refs::INBOX)
            } else {
                *name == refs::ARCHIVE
            }
        });
        if let Some(lost) = missing(&self.held(higher)) {
            self.violated("a delete takes nothing away", self.told(&update.name, lost));
        }
    }

    /// Whether a commit has no history.
    pub(super) fn begins_anew(&self, commit: Oid) -> bool {
        self.by_hand(|repo| repo.commit(commit).is_ok_and(|info| info.parents.is_empty()))
    }

    /// What was decided on the way to an event comes with it.
    fn check_causes(&self, update: &RefPush, old: &Items, new: &Items) {
        if self.harmed.get() || !update.name.starts_with(refs::PROTOCOLS) {
            return;
        }
        let gap = {
            let ledger = self.ledger.borrow();
            let mut born = new.without(&[old]).filter_map(|item| Some((item, ledger.born_with.get(&item)?)));
            born.find_map(|(item, known)| {
                Some((item, known.items.without(&[new, ledger.redacted()]).next()?))
            })
        };
        if let Some((item, gap)) = gap {
            let came = self.ledger.borrow().text(item).to_owned();
            self.violated("causes come along", format!("{}, beside {came}", self.told(&update.name, gap)));
        }
    }

    /// What a command said that it recorded is in the stream here that each event names, or waits in the spool.
    pub(super) fn check_promise(&self, clone: usize, events: &[Event]) {
        // Somebody else may have taken it away by now.
        if self.was_interrupted() || events.is_empty() {
            return;
        }
        let mut here = Items::default();
        if !self.is_broken(Broken::EmptyPromise) {
            // A protocol that went on under another name has them there.
            let of: BTreeSet<String> =
                events.iter().filter_map(|event| event.protocol.as_ref()).map(refs::protocol).collect();
            let mut own = self.refs_of(clone);
            own.retain(|name, _| of.contains(name) || name == refs::ARCHIVE);
            here.unite(&self.held(own.iter()));
            here.unite(&self.spooled_by(clone));
        }
        let ledger = self.ledger.borrow();
        let lines = events.iter().map(|event| Line::new(event.clone()).text);
        let is_there = |line: &Text| ledger.number_of(line).is_some_and(|item| here.contains(item));
        if let Some(line) = lines.into_iter().find(|line| !is_there(line)) {
            self.violated("what was said to be done is there", format!("c{clone}: {}", &*line));
        }
    }

    /// Learns that a line is in no history of these remotes any more.
    pub(super) fn note_purged<'r>(&self, clone: usize, remotes: impl Iterator<Item = &'r str>, line: &str) {
        let known = &self.clones.borrow()[clone].remotes;
        let item = self.ledger.borrow().number_of(line);
        for remote in remotes {
            let server = known.iter().find(|(name, _)| name == remote).map(|(_, server)| *server);
            self.purged.borrow_mut().extend(server.zip(item));
        }
    }

    fn told(&self, name: &str, item: Item) -> String {
        format!("{name}: {}", self.ledger.borrow().text(item))
    }

    /// All refs of everybody.
    fn all_refs(&self) -> Vec<BTreeMap<String, Oid>> {
        let servers = self.servers.borrow().iter().map(|server| server.refs.clone()).collect::<Vec<_>>();
        servers.into_iter().chain((0..self.config.n_clones).map(|clone| self.refs_of(clone))).collect()
    }

    /// Returns which refs differ, with the subjects of the commits that they are at now.
    fn moves(&self, before: &[BTreeMap<String, Oid>], now: &[BTreeMap<String, Oid>]) -> String {
        let mut told = String::new();
        for (idx, (before, now)) in before.iter().zip(now).enumerate() {
            for (name, oid) in now.iter().filter(|(name, oid)| before.get(*name) != Some(oid)) {
                let message =
                    self.by_hand(|repo| repo.commit(*oid)).map(|info| info.message).unwrap_or_default();
                let subject = String::from_utf8_lossy(&message);
                write!(told, " [{idx}] {name}: {};", subject.lines().next().unwrap_or_default()).unwrap();
            }
        }
        told
    }

    fn round(&self, round: u64) {
        for clone in 0..self.config.n_clones {
            self.become_clone(clone, self.config.n_steps as u64 + round);
            let synced = self.process(clone, |ctx| sync::sync(ctx, None, &mut |_| ()));
            match synced.expect("nobody else is at work") {
                Ok(all) => {
                    for remote in all.remotes.iter().filter(|remote| remote.result != sync::Outcome::Ok) {
                        self.violated("sharing works again", format!("c{clone}: {remote:?}"));
                    }
                }
                Err(err) => self.violated("sharing works again", format!("c{clone}: {err:?}")),
            }
            self.note_clone(clone);
        }
        if self.is_broken(Broken::RestlessHand) {
            let refs = &mut self.servers.borrow_mut()[0].refs;
            refs.retain(|name, _| !name.starts_with(refs::PROTOCOLS));
        }
    }

    /// Lets all clones share until nothing moves: there is no chance in it any more, so that after a round
    /// without any move there is none in the next either.
    fn come_to_rest(&self) {
        let mut moved = String::new();
        for round in 0..MAX_ROUNDS {
            let (before, n_moves) = (self.all_refs(), self.n_moves.get());
            self.round(round);
            let now = self.all_refs();
            if self.is_violated() || (now == before && self.n_moves.get() == n_moves) {
                return;
            }
            moved = self.moves(&before, &now);
        }
        self.violated("everybody comes to rest", format!("not within {MAX_ROUNDS} rounds;{moved}"));
    }
}

/// Lets all clones share until nothing moves, and checks what they agree on. Returns that in words.
pub(super) fn settle(world: &World) -> String {
    world.calm.set(true);
    if world.is_broken(Broken::ServerWithHistory) {
        world.bring_histories_back();
    }
    if world.config.mixed {
        // Two releases do not disturb each other's rest, whatever they hold for the state.
        world.come_to_rest();
        world.upgrade();
    }
    world.come_to_rest();
    if world.is_violated() {
        return String::new();
    }
    check_end(world)
}

fn check_end(world: &World) -> String {
    let mut first: Option<BTreeMap<String, Known>> = None;
    for clone in 0..world.config.n_clones {
        let is_strict = world.config.gates && world.harmed.get();
        let known = world.process(clone, |ctx| known_to(ctx, is_strict)).expect("nobody else is at work");
        let first = first.get_or_insert_with(|| known.clone());
        let names: BTreeSet<&String> = first.keys().chain(known.keys()).collect();
        let tree = |of: &BTreeMap<String, Known>, name: &String| of.get(name).map(|(_, tree)| *tree);
        if let Some(name) = names.into_iter().find(|name| tree(first, name) != tree(&known, name)) {
            world.violated("all clones agree", format!("c0 and c{clone} about {name}"));
        }
        check_kept(world, clone, &known);
    }
    let first = first.unwrap_or_default();
    check_nothing_is_lost(world, &first);
    check_purged(world);
    let mut result = String::new();
    for (name, (content, tree)) in &first {
        let state = world.state_of(content);
        let status = state.protocol.as_ref().map(|protocol| protocol.shown.to_string());
        writeln!(result, "{name} {tree} {} events, {status:?}", content.lines().len()).unwrap();
        for (check, found) in [
            ("the newest report counts", newest_report_counts(content, &state)),
            ("twins stay apart", root_is_the_first(content, &state)),
            ("order does not matter", order_matters(content, &state)),
        ] {
            if let Some(what) = found {
                world.violated(check, format!("{name}: {what}"));
            }
        }
    }
    check_left(world);
    result
}

/// A commit that events name is reachable here, by a branch or since it is kept.
fn check_kept(world: &World, clone: usize, known: &BTreeMap<String, Known>) {
    if clone == 0 && world.is_broken(Broken::CarelessCollector) {
        for name in world.refs_in(clone, &["refs/godzilla-local/keep"]).keys() {
            world.clones.borrow()[clone].write_ref(name, None);
        }
    }
    let refs = world.refs_in(clone, &["refs/heads", "refs/remotes", "refs/godzilla-local/keep"]);
    let streams = world.refs_in(clone, &["refs/godzilla/protocols"]);
    let reachable = world.by_hand(|repo| {
        let mut reachable = BTreeSet::new();
        let mut waiting: Vec<Oid> = refs.into_values().collect();
        while let Some(oid) = waiting.pop() {
            if reachable.insert(oid) {
                waiting.extend(repo.commit(oid).map(|info| info.parents).unwrap_or_default());
            }
        }
        reachable
    });
    // What is only in the archive is let go after a while.
    for (name, (content, _)) in known.iter().filter(|(name, _)| streams.keys().any(|of| of.ends_with(*name)))
    {
        let state = folded(content, None);
        // Of two protocols of one name only one has the branch.
        let is_alone = state.twins.is_empty() && state.moved.is_empty();
        let Some(protocol) = state.protocol.filter(|_| is_alone) else { continue };
        if let Some(lost) = protocol.commits.keys().find(|oid| !reachable.contains(oid)) {
            world.violated("what events name is kept", format!("c{clone} {name}: {lost}"));
        }
    }
}

/// What was purged is in no history of the server.
fn check_purged(world: &World) {
    // Who restores a backup brings back what was in it.
    if world.harmed.get() {
        return;
    }
    for (server, item) in world.purged.take() {
        let refs = world.servers.borrow()[server].refs.clone();
        let mut seen = BTreeSet::new();
        for (name, tip) in refs.iter().filter(|(name, _)| name.starts_with(refs::SHARED)) {
            let mut waiting = vec![*tip];
            while let Some(oid) = waiting.pop().filter(|_| !world.is_violated()) {
                if !seen.insert(oid) {
                    continue;
                }
                if world.items_of(name, oid).contains(item) {
                    world.violated("a purge leaves no history", world.told(name, item));
                }
                let parents = world.by_hand(|repo| repo.commit(oid)).map(|info| info.parents);
                waiting.extend(parents.unwrap_or_default());
            }
        }
    }
}

/// Returns all that a clone knows, by stream. Where a strict server takes no events of other protocols, those
/// that a hostile hand put into a stream elsewhere are not in the tree, by which clones are compared. Files of
/// later versions are compared by their paths, which say what they hold unless somebody forged one.
fn known_to(ctx: &Context, is_strict: bool) -> BTreeMap<String, Known> {
    let streams = Streams::read(ctx).unwrap();
    let empty = ctx.repo.write_blob(b"").unwrap();
    let mut known = BTreeMap::new();
    let archived = streams.inventory.all_archived(&ctx.repo).into_keys();
    for name in streams.inventory.streams.keys().cloned().chain(archived).collect::<BTreeSet<Name>>() {
        let content = streams.view(&name).unwrap().content;
        let mut compared = content.clone();
        if is_strict {
            compared.retain(|event| event.protocol.as_ref() == Some(&name));
        }
        compared.unknown.values_mut().for_each(|file| *file = (0o100_644, empty));
        let tree = tip::write(&ctx.repo, &compared, folded(&compared, None).protocol.as_ref()).unwrap();
        known.insert(name.to_string(), (content, tree));
    }
    let project = stream::project_view(&ctx.repo, &streams.inventory.project).unwrap().content;
    let tree = tip::write(&ctx.repo, &project, None).unwrap();
    known.insert("project".to_owned(), (project, tree));
    known
}

fn check_nothing_is_lost(world: &World, known: &BTreeMap<String, Known>) {
    let mut trash = Items::default();
    for clone in 0..world.config.n_clones {
        trash.unite(&world.held(world.refs_in(clone, &["refs/godzilla-local/trash"]).iter()));
    }
    let mut ledger = world.ledger.borrow_mut();
    let mut held = Items::default();
    for (content, _) in known.values() {
        held.unite(&ledger.know(content.clone()).items);
    }
    let gone = ledger.redacted_in(known.values().map(|(content, _)| content));
    if world.is_broken(Broken::LongMemory) {
        held.unite(&gone);
    }
    let lost = ledger.ever.without(&[&held, &trash, ledger.redacted(), &ledger.excused]).next();
    if let Some(lost) = lost {
        world.violated("nothing is lost", ledger.text(lost));
    }
    if let Some(back) = held.both(&gone).next() {
        let holds = |content: &Content| content.texts().contains(ledger.text(back));
        let places: Vec<&String> =
            known.iter().filter(|(_, (of, _))| holds(of)).map(|(name, _)| name).collect();
        world.violated("what was taken out stays out", format!("{places:?}: {}", ledger.text(back)));
    }
}

/// No drop box is left but those that hold more than events, and no stream that the archive covers.
fn check_left(world: &World) {
    for server in world.servers.borrow().iter() {
        let archive = server
            .refs
            .get(refs::ARCHIVE)
            .map(|archive| world.by_hand(|repo| archived(repo, *archive)))
            .unwrap_or_default();
        for (name, tip) in server.refs.iter().filter(|(name, _)| name.starts_with(refs::PROTOCOLS)) {
            let entry = name[refs::PROTOCOLS.len()..].parse().ok().and_then(|name: Name| archive.get(&name));
            let Some(entry) = entry else { continue };
            let is_covered = world.by_hand(|repo| {
                let mut ledger = world.ledger.borrow_mut();
                let (entry, stream) = (ledger.read_tree(repo, *entry)?, ledger.read(repo, *tip)?);
                // What goes on under this name, a twin perhaps, stays where everybody sees it.
                let is_over = may_be_archived(&entry.content);
                Some(is_over && stream.items.without(&[&entry.items]).next().is_none())
            });
            if is_covered == Some(true) {
                world.violated("no stream is left that is archived", name);
            }
        }
        for (name, tip) in server.refs.iter().filter(|(name, _)| name.starts_with(refs::INBOX)) {
            let content = world.by_hand(|repo| inventory::read_box(repo, *tip));
            // What a strict server lets into no stream stays in the box that brought it.
            let may_stay = server.gate.is_some() && world.harmed.get();
            if !may_stay && content.is_ok_and(|content| content.rejects.is_empty()) {
                world.violated("no drop box is left", name);
            }
        }
    }
}
