//! What hostile or unlucky hands do to servers and clones, and what tools of another version do.

use git_godzilla::domain::id::{Name, Oid};
use git_godzilla::platform::clock;
use git_godzilla::platform::git::TreeEntry;
use git_godzilla::store::content::{Format, Line};
use git_godzilla::store::{refs, tip};

use super::World;
use super::ledger::Content;

/// A server, and a ref of ours there with its value.
fn some_ref(world: &World) -> Option<(usize, String, Oid)> {
    let server = world.below(world.config.n_remotes);
    let there = world.servers.borrow()[server].refs.clone();
    let ours: Vec<(String, Oid)> =
        there.into_iter().filter(|(name, _)| name.starts_with(refs::SHARED)).collect();
    world.pick(&ours).map(|(name, oid)| (server, name.clone(), *oid))
}

fn some_stream(world: &World) -> Option<(usize, String, Oid)> {
    let servers = world.servers.borrow();
    let all = servers.iter().enumerate().flat_map(|(server, of)| of.refs.iter().map(move |of| (server, of)));
    let streams: Vec<_> = all.filter(|(_, (name, _))| name.starts_with(refs::PROTOCOLS)).collect();
    world.pick(&streams).map(|(server, (name, oid))| (*server, (*name).clone(), **oid))
}

/// Moves a ref of a server, whatever it was.
fn force(world: &World, (server, name): (usize, &str), to: Option<Oid>) {
    if let Some(oid) = to {
        world.note(name, oid, None);
    }
    world.harm(|| {
        let refs = &mut world.servers.borrow_mut()[server].refs;
        match to {
            Some(oid) => refs.insert(name.to_owned(), oid),
            None => refs.remove(name),
        };
    });
}

fn content_of(world: &World, oid: Oid) -> Content {
    world.by_hand(|repo| tip::read(repo, repo.tree_of(oid).unwrap()).unwrap())
}

/// Adds a commit to a stream of a server that changes its content as `change` says.
fn forge(world: &World, change: impl FnOnce(&mut Content, &[Line])) -> bool {
    let Some((server, name, oid)) = some_stream(world) else { return false };
    let mut content = content_of(world, oid);
    let lines = content.lines().to_vec();
    if lines.is_empty() {
        return false;
    }
    change(&mut content, &lines);
    content.normalize();
    let tree = world.by_hand(|repo| tip::write(repo, &content, None).unwrap());
    let forged = world.commit(tree, &[oid], "forged");
    force(world, (server, &name), Some(forged));
    true
}

pub(super) fn backup(world: &World, _: usize) -> bool {
    let server = &mut world.servers.borrow_mut()[world.below(world.config.n_remotes)];
    server.backups.push(server.refs.clone());
    true
}

pub(super) fn force_back(world: &World, _: usize) -> bool {
    let Some((server, name, oid)) = some_ref(world) else { return false };
    let before = world.by_hand(|repo| repo.commit(oid).unwrap().parents.first().copied());
    force(world, (server, &name), before);
    true
}

pub(super) fn force_to_a_subset(world: &World, _: usize) -> bool {
    let Some((server, name, oid)) = some_stream(world) else { return false };
    let all = content_of(world, oid);
    let mut fewer = Content::default();
    fewer.specs.clone_from(&all.specs);
    all.lines().iter().filter(|_| world.below(2) == 0).for_each(|line| fewer.add(line.clone()));
    let tree = world.by_hand(|repo| tip::write(repo, &fewer, None).unwrap());
    let forced = world.commit(tree, &[], "forced");
    force(world, (server, &name), Some(forced));
    true
}

pub(super) fn delete(world: &World, _: usize) -> bool {
    let Some((server, name, _)) = some_ref(world) else { return false };
    force(world, (server, &name), None);
    true
}

pub(super) fn restore(world: &World, _: usize) -> bool {
    let server = world.below(world.config.n_remotes);
    let backups = world.servers.borrow()[server].backups.clone();
    let Some(backup) = world.pick(&backups) else { return false };
    world.harm(|| world.servers.borrow_mut()[server].refs.clone_from(backup));
    true
}

/// `git push --mirror --no-verify`.
pub(super) fn mirror(world: &World, clone: usize) -> bool {
    let own = world.refs_of(clone);
    let server = world.clones.borrow()[clone].remotes[0].1;
    world.harm(|| {
        let there = &mut world.servers.borrow_mut()[server].refs;
        there.retain(|name, _| name.starts_with("refs/heads/"));
        there.extend(own);
    });
    true
}

/// `git fetch origin '+refs/godzilla/*:refs/godzilla/*'`.
pub(super) fn overwrite_local(world: &World, clone: usize) -> bool {
    let server = world.clones.borrow()[clone].remotes[0].1;
    let there = world.servers.borrow()[server].refs.clone();
    world.harm(|| {
        for (name, oid) in there.iter().filter(|(name, _)| name.starts_with(refs::SHARED)) {
            world.clones.borrow()[clone].write_ref(name, Some(*oid));
        }
    });
    true
}

pub(super) fn lose_refs(world: &World, clone: usize) -> bool {
    let own = world.refs_of(clone);
    world.harm(|| {
        for name in own.keys() {
            world.clones.borrow()[clone].write_ref(name, None);
        }
    });
    true
}

/// A new machine takes the place of one that is gone with all that it held.
pub(super) fn lose_machine(world: &World, clone: usize) -> bool {
    if world.clones.borrow()[clone].is_running() {
        return false;
    }
    let new = world.make_clone(clone);
    world.harm(|| world.clones.borrow_mut()[clone] = new);
    true
}

/// A clock that is far ahead, or beyond belief.
pub(super) fn leap(world: &World, _: usize) -> bool {
    let leap = [900_000, 2_000_000, 1 << 53, 1 << 63][world.below(4)];
    forge(world, |content, lines| {
        let mut event = world.pick(lines).unwrap().event.clone();
        event.clock = event.clock.saturating_add(leap);
        event.id = clock::new_id();
        event.cause = None;
        content.add(Line::new(event));
    })
}

/// One id for two events.
pub(super) fn forge_id(world: &World, _: usize) -> bool {
    forge(world, |content, lines| {
        let mut event = world.pick(lines).unwrap().event.clone();
        event.at_ms += 1 + world.below(1000) as u64;
        content.add(Line::new(event));
    })
}

pub(super) fn garbage(world: &World, _: usize) -> bool {
    let Some((server, name, oid)) = some_stream(world) else { return false };
    let garbage = [&b"not json\n"[..], b"{\"v\":1}\n", b"\xff\xfe\n", b"{\"id\":1.5}\n"][world.below(4)];
    let tree = world.by_hand(|repo| {
        let garbage = TreeEntry::blob("", repo.write_blob(garbage).unwrap());
        repo.tree_with(Some(repo.tree_of(oid).unwrap()), "events/999999", Some(garbage)).unwrap()
    });
    let forged = world.commit(tree, &[oid], "garbage");
    force(world, (server, &name), Some(forged));
    true
}

/// Events of another protocol under this one's name.
pub(super) fn foreign(world: &World, _: usize) -> bool {
    let Some((_, other, oid)) = some_stream(world) else { return false };
    let foreign = content_of(world, oid);
    let of: Option<Name> = other.strip_prefix(refs::PROTOCOLS).and_then(|name| name.parse().ok());
    let some = foreign.lines().iter().filter(|line| line.event.protocol == of && world.below(3) == 0);
    let some: Vec<Line> = some.cloned().collect();
    forge(world, |content, _| some.into_iter().for_each(|line| content.add(line)))
}

/// A later version writes types and files that this one does not know.
pub(super) fn newer(world: &World, _: usize) -> bool {
    let text = format!("{}\n", world.below(3));
    let blob = world.by_hand(|repo| repo.write_blob(text.as_bytes()).unwrap());
    forge(world, |content, lines| {
        let mut line: serde_json::Value = serde_json::from_str(&lines.last().unwrap().text).unwrap();
        line["type"] = "step.teleported".into();
        line["id"] = clock::new_id().to_string().into();
        line["later"] = "a field of a later version".into();
        content.add_raw(line.to_string().as_bytes());
        content.format = Format { format: 2, ..content.format };
        let path = format!("later/{}", world.below(3));
        content.unknown.entry(path.into_bytes()).or_insert((0o100_644, blob));
    })
}
