//! What must be true of every push, and when nothing moves any more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use git_godzilla::domain::event::Body;
use git_godzilla::domain::fold::{Folded, Outcome};
use git_godzilla::domain::id::{Name, Oid};
use git_godzilla::platform::git::RefPush;
use git_godzilla::service::context::Context;
use git_godzilla::service::streams::{Streams, folded};
use git_godzilla::service::sync;
use git_godzilla::store::content::Line;
use git_godzilla::store::{inventory, refs, stream, tip};

use super::ledger::Item;
use super::{Broken, Chance, Content, World};

/// After so many rounds in which everybody shares, nothing may move any more.
const MAX_ROUNDS: u64 = 16;

/// What is known of one stream: its content, and the tree that it would be written as.
type Known = (Content, Oid);

impl World {
    /// Checks a move of a ref that a server is about to make; `now` is what it holds.
    pub(super) fn check_update(&self, server: usize, update: &RefPush, now: Option<Oid>) {
        if !update.name.starts_with(refs::SHARED) {
            return;
        }
        let items = |oid: Option<Oid>| {
            oid.map(|oid| self.held(std::iter::once((&update.name, &oid)))).unwrap_or_default()
        };
        let (old, new) = (items(now), items(update.new));
        let redacted = self.ledger.borrow().redacted();
        let missing = |there: &BTreeSet<Item>| {
            old.iter().find(|item| !there.contains(item) && !redacted.contains(item)).copied()
        };
        if update.new.is_some() {
            if let Some(lost) = missing(&new) {
                self.violated("a push takes nothing away", self.told(&update.name, lost));
            }
            // What begins anew has no history with a line that was taken out.
            let parents = |new: Oid| self.repo.commit(new).map_or(0, |info| info.parents.len());
            let begins_anew = now.is_some() && update.new.map(parents) == Some(0) && !redacted.is_empty();
            if old.is_superset(&new) && !begins_anew {
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

    /// What was decided on the way to an event comes with it.
    fn check_causes(&self, update: &RefPush, old: &BTreeSet<Item>, new: &BTreeSet<Item>) {
        if self.harmed.get() || !update.name.starts_with(refs::PROTOCOLS) {
            return;
        }
        let gap = {
            let ledger = self.ledger.borrow();
            let redacted = ledger.redacted();
            let born = new.difference(old).filter_map(|item| ledger.born_with.get(item));
            let mut causes = born.flat_map(|known| known.items.iter());
            causes.find(|cause| !new.contains(cause) && !redacted.contains(cause)).copied()
        };
        if let Some(gap) = gap {
            self.violated("causes come along", self.told(&update.name, gap));
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
                let message = self.repo.commit(*oid).map(|info| info.message).unwrap_or_default();
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
        }
        if self.config.broken == Some(Broken::RestlessHand) {
            let refs = &mut self.servers.borrow_mut()[0].refs;
            refs.retain(|name, _| !name.starts_with(refs::PROTOCOLS));
        }
    }
}

/// Lets all clones share until nothing moves, and checks what they agree on. Returns that in words.
pub(super) fn settle(world: &World) -> String {
    world.calm.set(true);
    let mut n_quiet = 0;
    let mut before = world.all_refs();
    let mut moved = String::new();
    for round in 0..MAX_ROUNDS {
        if world.is_violated() || n_quiet == 2 {
            break;
        }
        world.round(round);
        let now = world.all_refs();
        n_quiet = if now == before { n_quiet + 1 } else { 0 };
        moved = world.moves(&before, &now);
        before = now;
    }
    if n_quiet < 2 {
        world.violated("everybody comes to rest", format!("not within {MAX_ROUNDS} rounds;{moved}"));
    }
    if world.is_violated() {
        return String::new();
    }
    check_end(world)
}

fn check_end(world: &World) -> String {
    let mut first: Option<BTreeMap<String, Known>> = None;
    for clone in 0..world.config.n_clones {
        let known = world.process(clone, known_to).expect("nobody else is at work");
        let first = first.get_or_insert_with(|| known.clone());
        let names: BTreeSet<&String> = first.keys().chain(known.keys()).collect();
        let tree = |of: &BTreeMap<String, Known>, name: &String| of.get(name).map(|(_, tree)| *tree);
        if let Some(name) = names.into_iter().find(|name| tree(first, name) != tree(&known, name)) {
            world.violated("all clones agree", format!("c0 and c{clone} about {name}"));
        }
    }
    let first = first.unwrap_or_default();
    check_nothing_is_lost(world, &first);
    let mut result = String::new();
    for (name, (content, tree)) in &first {
        let state = folded(content, None);
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

/// Returns all that a clone knows, by stream.
fn known_to(ctx: &Context) -> BTreeMap<String, Known> {
    let streams = Streams::read(ctx).unwrap();
    let mut known = BTreeMap::new();
    let archived = streams.inventory.all_archived(&ctx.repo).into_keys();
    for name in streams.inventory.streams.keys().cloned().chain(archived).collect::<BTreeSet<Name>>() {
        let content = streams.view(&name).unwrap().content;
        let tree = tip::write(&ctx.repo, &content, folded(&content, None).protocol.as_ref()).unwrap();
        known.insert(name.to_string(), (content, tree));
    }
    let project = stream::project_view(&ctx.repo, &streams.inventory.project).unwrap().content;
    let tree = tip::write(&ctx.repo, &project, None).unwrap();
    known.insert("project".to_owned(), (project, tree));
    known
}

fn check_nothing_is_lost(world: &World, known: &BTreeMap<String, Known>) {
    let mut trash: BTreeSet<Item> = BTreeSet::new();
    for clone in 0..world.config.n_clones {
        trash.extend(world.held(world.trash_of(clone).iter()));
    }
    let mut ledger = world.ledger.borrow_mut();
    let mut held: BTreeSet<Item> = BTreeSet::new();
    for (content, _) in known.values() {
        held.extend(ledger.know(content.clone()).items);
    }
    let gone = ledger.redacted_in(known.values().map(|(content, _)| content));
    let may_be_gone: BTreeSet<Item> = ledger.redacted().union(&ledger.excused).copied().collect();
    let is_lost = |item: &&Item| [&held, &trash, &may_be_gone].iter().all(|there| !there.contains(item));
    let lost = ledger.ever.iter().find(is_lost);
    if let Some(lost) = lost {
        world.violated("nothing is lost", ledger.text(*lost));
    }
    drop(ledger);
    if let Some(back) = held.intersection(&gone).next() {
        world.violated("what was taken out stays out", world.ledger.borrow().text(*back));
    }
}

/// No drop box is left but those that hold more than events, and no stream that the archive covers.
fn check_left(world: &World) {
    for server in world.servers.borrow().iter() {
        let archive =
            server.refs.get(refs::ARCHIVE).map(|archive| world.archived(*archive)).unwrap_or_default();
        for (name, tip) in server.refs.iter().filter(|(name, _)| name.starts_with(refs::PROTOCOLS)) {
            let entry = name[refs::PROTOCOLS.len()..].parse().ok().and_then(|name: Name| archive.get(&name));
            let mut ledger = world.ledger.borrow_mut();
            let Some(entry) = entry.and_then(|tree| ledger.read_tree(&world.repo, *tree)) else { continue };
            if ledger.read(&world.repo, *tip).is_some_and(|known| known.items.is_subset(&entry.items)) {
                drop(ledger);
                world.violated("no stream is left that is archived", name);
            }
        }
        for (name, tip) in server.refs.iter().filter(|(name, _)| name.starts_with(refs::INBOX)) {
            if inventory::read_box(&world.repo, *tip).is_ok_and(|content| content.rejects.is_empty()) {
                world.violated("no drop box is left", name);
            }
        }
    }
}

/// Of two reports of one job about the newest commit of a step, the one with the larger run and attempt
/// is shown. Returns what is wrong.
pub(crate) fn newest_report_counts(content: &Content, folded: &Folded) -> Option<String> {
    let protocol = folded.protocol.as_ref()?;
    for (line, outcome) in content.lines().iter().zip(&folded.outcomes) {
        let Body::CiReported(report) = &line.event.body else { continue };
        if !matches!(outcome, Outcome::Accepted) {
            continue;
        }
        for step in protocol.steps.iter().filter(|step| step.newest() == Some(report.commit)) {
            let shown = step.jobs.0.values().find(|job| job.name == report.job);
            let is_shown = shown.is_some_and(|job| (job.run, job.attempt) >= (report.run, report.attempt));
            if !is_shown {
                return Some(format!("{} of {} is not {}", report.job, step.id, report.run));
            }
        }
    }
    None
}

/// The incumbent is the first creation that is not beyond belief and did not move to another name, and
/// nothing of another root counts. Returns what is wrong.
pub(crate) fn root_is_the_first(content: &Content, folded: &Folded) -> Option<String> {
    const LEAP: u64 = 1_000_000;
    const MAX: u64 = (1 << 53) - 1;

    let mut before = 0;
    let believed = |line: &&Line| {
        let clock = line.event.clock;
        let is_believed = clock <= MAX && clock - before <= LEAP;
        before = clock;
        is_believed
    };
    let is_creation = |line: &&Line| matches!(line.event.body, Body::Created(_));
    let believed: Vec<&Line> = content.lines().iter().take_while(believed).collect();
    let has_moved = |root| {
        let is_away = |line: &&Line| match &line.event.body {
            Body::Moved(moved) => moved.root == root && line.event.protocol.as_ref() == Some(&moved.from),
            _ => false,
        };
        believed.iter().copied().any(|line| is_away(&line))
    };
    let mut created = believed.iter().copied().filter(is_creation).map(|line| line.event.id);
    let first = created.find(|root| !has_moved(*root));
    let root = folded.protocol.as_ref().map(|protocol| protocol.root);
    if root != first {
        return Some(format!("{root:?} holds the name, and {first:?} was first"));
    }
    let counted = content.lines().iter().zip(&folded.outcomes).filter(|(_, of)| **of == Outcome::Accepted);
    let mut others = counted.filter(|(line, _)| line.event.root.is_some() && line.event.root != root);
    others.next().map(|(line, _)| format!("{} counts", &*line.text))
}

/// Lines that come in another order, some of them twice, make the same state. Returns what is wrong.
pub(crate) fn order_matters(content: &Content, of: &Folded) -> Option<String> {
    let mut lines: Vec<&Line> = content.lines().iter().collect();
    let mut chance = Chance(lines.len() as u64);
    let mut other = Content::default();
    other.specs.clone_from(&content.specs);
    while !lines.is_empty() {
        let mut part = Content::default();
        for _ in 0..=chance.below(lines.len()) {
            let drawn = lines[chance.below(lines.len())];
            part.add(drawn.clone());
            if chance.below(4) > 0 {
                lines.retain(|line| line.text != drawn.text);
            }
            if lines.is_empty() {
                break;
            }
        }
        part.normalize();
        other.unite(&part);
    }
    let same = other.lines() == content.lines() && folded(&other, None).protocol == of.protocol;
    (!same).then(|| "it does".to_owned())
}

/// Nothing that was taken back is written again by what wrote it by itself. Returns the line that is.
pub(crate) fn automation_repeats(content: &Content, is_new: &dyn Fn(&str) -> bool) -> Option<String> {
    let new = content.lines().iter().filter(|line| is_new(&line.text) && line.event.cause.is_some());
    let new: Vec<&Line> = new.collect();
    if new.is_empty() {
        return None;
    }
    let state = folded(content, None);
    let undone = content.lines().iter().zip(&state.outcomes);
    let undone = undone.filter(|(line, of)| matches!(of, Outcome::Undone(_)) && !is_new(&line.text));
    let undone: Vec<&Line> = undone.map(|(line, _)| line).collect();
    let repeats = |line: &&&Line| {
        let key = (line.event.cause_key(), line.event.root);
        undone.iter().any(|was| (was.event.cause_key(), was.event.root) == key)
    };
    new.iter().find(repeats).map(|line| line.text.to_string())
}
