//! The archive is a join as well, name by name, and only entries that differ are looked at.

use git_godzilla::domain::event::Event;
use git_godzilla::domain::fold::fold;
use git_godzilla::domain::id::{Name, Oid};
use git_godzilla::domain::state::Protocol;
use git_godzilla::platform::git::TreeEntry;
use git_godzilla::store::archive::{Shelves, changes, contains, strange, unite, with};
use git_godzilla::store::content::Content;
use git_godzilla::store::tip;
use proptest::prelude::*;

use super::{World, any, check, content};

const NAMES: [&str; 4] = ["0007-x", "0007-y", "0123-far", "12345-away"];

fn folded(content: &Content) -> Option<Protocol> {
    fold(&content.events(), &content.decoded_specs()).protocol
}

/// What one clone archived: of each protocol some events, or nothing.
fn archive() -> impl Strategy<Value = Vec<Option<Vec<Event>>>> {
    prop::collection::vec(prop::option::weighted(0.6, any::history()), NAMES.len())
}

fn written(world: &World, shelf: &[Option<Vec<Event>>]) -> Oid {
    let entries = NAMES.iter().zip(shelf).filter_map(|(name, events)| {
        Some((name.parse::<Name>().unwrap(), world.write(&content(events.as_ref()?))))
    });
    with(&world.repo, None, &entries.collect::<Vec<_>>(), &folded).unwrap().tree
}

fn contents(world: &World, tree: Oid) -> Vec<(Name, Content)> {
    let all = Shelves::open(&world.repo, tree).unwrap().all().unwrap();
    all.into_iter().map(|(name, tree)| (name, tip::read(&world.repo, tree).unwrap())).collect()
}

#[test]
fn a1_uniting_archives_is_a_join() {
    let world = World::new();
    check(48, &(archive(), archive(), archive()), |(a, b, c)| {
        let repo = &world.repo;
        let [a, b, c] = [a, b, c].map(|shelf| written(&world, &shelf));
        let join = |one, other| unite(repo, one, other, &folded).unwrap().tree;
        let (ab, ba) = (join(a, b), join(b, a));
        prop_assert_eq!(contents(&world, ab), contents(&world, ba));
        prop_assert_eq!(contents(&world, join(ab, c)), contents(&world, join(a, join(b, c))));
        prop_assert_eq!(join(ab, b), ab);
        prop_assert_eq!(join(ab, ab), ab);
        for part in [a, b] {
            prop_assert!(contains(repo, ab, part).unwrap());
        }
        prop_assert_eq!(contains(repo, a, b).unwrap(), join(a, b) == a);
        // It only grows: each entry holds what it held.
        for (name, before) in contents(&world, a) {
            let (_, after) = contents(&world, ab).into_iter().find(|(known, _)| *known == name).unwrap();
            prop_assert!(after.contains(&before));
        }
        Ok(())
    });
}

#[test]
fn a5_the_difference_of_two_archives_is_what_differs() {
    let world = World::new();
    check(48, &(archive(), archive()), |(a, b)| {
        let [a, b] = [a, b].map(|shelf| written(&world, &shelf));
        let all = |tree| Shelves::open(&world.repo, tree).unwrap().all().unwrap();
        let (before, after) = (all(a), all(b));
        let found = changes(&world.repo, Some(a), b).unwrap();
        let wanted = after.iter().filter(|(name, tree)| before.get(*name) != Some(*tree));
        let told: Vec<_> = found.iter().map(|change| (&change.name, &change.after)).collect();
        prop_assert_eq!(told.len(), wanted.clone().count());
        prop_assert!(wanted.clone().all(|pair| told.contains(&pair)));
        prop_assert!(found.iter().all(|change| before.get(&change.name).copied() == change.before));
        let last = after.keys().map(Name::number).max();
        prop_assert_eq!(Shelves::open(&world.repo, b).unwrap().last_number().unwrap(), last);
        Ok(())
    });
}

#[test]
fn g5_what_newer_tools_keep_in_an_archive_is_carried_over() {
    let world = World::new();
    let repo = &world.repo;
    let blob = |text: &str| repo.write_blob(text.as_bytes()).unwrap();
    let with_file = |path: &str, text: &str| {
        let history = content(&[any::event_of(
            git_godzilla::domain::id::Ulid(1),
            1,
            git_godzilla::domain::event::Body::NoteAdded { text: text.to_owned() },
        )]);
        let entry = world.write(&history);
        let tree = with(repo, None, &[("0007-x".parse().unwrap(), entry)], &folded).unwrap().tree;
        repo.tree_with(Some(tree), path, Some(TreeEntry::blob("", blob(text)))).unwrap()
    };
    let (a, b) = (with_file("index", "of a"), with_file("00/summary", "of b"));
    let united = unite(repo, a, b, &folded).unwrap().tree;
    assert_eq!(strange(repo, united).unwrap(), ["00/summary", "index"]);
    assert_eq!(repo.text_at(united, "index").unwrap().as_deref(), Some("of a"));
    // Where both have something, that of the one which is united onto stays.
    let other = with_file("index", "of another");
    let again = unite(repo, united, other, &folded).unwrap().tree;
    assert_eq!(repo.text_at(again, "index").unwrap().as_deref(), Some("of a"));
    assert!(contains(repo, again, other).unwrap());
}
