//! The union of contents: a join, in which nothing is lost and which one set has one result of.

use git_godzilla::domain::event::{Body, SpecRedacted};
use git_godzilla::domain::id::{Digest, Ulid};
use git_godzilla::store::content::{Content, Format, Line, sha256};
use git_godzilla::store::tip;
use proptest::prelude::*;

use super::{World, any, check};

/// Contents that share much: lines of one id and clock, stubs, markers, plans, files of newer tools.
fn contents() -> impl Strategy<Value = [Content; 3]> {
    let pool = prop::collection::vec(any::event(), 1..12);
    let shares = prop::collection::vec(0_u8..8, 12);
    let files = prop::collection::vec(0_u8..8, 4);
    (pool, shares, files, prop::collection::vec(0_u8..8, 6)).prop_map(|(mut pool, shares, files, stubs)| {
        // Half of the pool has the id and the clock of the other half.
        let n_half = pool.len() / 2;
        for idx in 0..n_half {
            (pool[n_half + idx].id, pool[n_half + idx].clock) = (pool[idx].id, pool[idx].clock);
        }
        [1, 2, 4].map(|bit| {
            let mut content = Content::default();
            for (event, share) in pool.iter().zip(&shares) {
                if share & bit != 0 {
                    content.add(Line::new(event.clone()));
                }
            }
            // Two stubs for each of the first lines.
            for (idx, share) in stubs.iter().enumerate().filter(|(_, share)| **share & bit == bit) {
                let Some(event) = pool.get(idx / 2) else { continue };
                let mut stub = any::event_of(event.id, event.clock, event.body.clone());
                stub.redacts = Some(Line::new(event.clone()).digest());
                stub.at_ms = u64::from(*share) + idx as u64;
                content.add(Line::new(stub));
            }
            for (n, share) in (0_u8..).zip(&files) {
                if share & bit != 0 {
                    let digest = sha256(&[n]);
                    content.unknown.insert(format!("new/{n}").into_bytes(), (0o100_644, any::oid(n)));
                    content.specs.insert(digest, n.to_string());
                    content.rejects.insert(digest, format!("reason {}", bit / 2));
                    content.format.min_write = content.format.min_write.max(u64::from(n));
                }
                // Of some plans another one takes the place.
                if share & bit != 0 && share % 3 == 0 {
                    let (spec, instead) = (sha256(&[n]), sha256(&[n.wrapping_add(bit) % 5]));
                    let body = Body::SpecRedacted(SpecRedacted { spec, instead, reason: None });
                    content.add(Line::new(any::event_of(Ulid(u128::from(n + bit)), 3, body)));
                }
            }
            content.normalize();
            content
        })
    })
}

fn joined<'a>(all: impl IntoIterator<Item = &'a Content>) -> Content {
    let mut all = all.into_iter();
    let mut first = all.next().unwrap().clone();
    all.for_each(|next| first.unite(next));
    first
}

#[test]
fn uniting_is_a_join() {
    check(256, &contents(), |[a, b, c]| {
        let ab = joined([&a, &b]);
        prop_assert_eq!(&ab, &joined([&b, &a]), "commutative");
        prop_assert_eq!(joined([&ab, &c]), joined([&a, &joined([&b, &c])]), "associative");
        prop_assert_eq!(&joined([&a, &a]), &a, "idempotent");
        Ok(())
    });
}

#[test]
fn containing_is_uniting_without_effect() {
    check(256, &contents(), |[a, b, c]| {
        for (x, y) in [(&a, &b), (&b, &c), (&a, &a)] {
            let both = joined([x, y]);
            prop_assert_eq!(x.contains(y), both == *x);
            prop_assert!(both.contains(x) && both.contains(y));
            // Whatever more is known, nothing that was there is missed.
            prop_assert!(joined([&both, &c]).contains(y));
            prop_assert!(!(x.contains(y) && y.contains(x)) || x == y);
        }
        Ok(())
    });
}

#[test]
fn what_is_written_reads_back() {
    for hash in ["sha1", "sha256"] {
        let world = World::of(hash);
        let blob = world.repo.write_blob(b"kept").unwrap();
        check(32, &contents(), |contents| {
            let mut content = joined(&contents);
            content.specs = content.specs.into_values().map(|text| (sha256(text.as_bytes()), text)).collect();
            content.unknown.values_mut().for_each(|file| file.1 = blob);
            let tree = tip::write(&world.repo, &content, None).unwrap();
            prop_assert_eq!(&tip::read(&world.repo, tree).unwrap(), &content);
            prop_assert_eq!(tip::write(&world.repo, &content, None).unwrap(), tree);
            Ok(())
        });
    }
}

/// G5: what newer tools keep beside our files stays, wherever it lies; on a conflict ours stays.
#[test]
fn g5_unknown_files_are_carried_over_by_path() {
    let world = World::new();
    let [one, two] = [b"1", b"2"].map(|bytes| world.repo.write_blob(bytes).unwrap());
    let mut content = super::content(&[any::event_of(Ulid(1), 1, Body::Undo { targets: Vec::new() })]);
    content.rejects.insert(Digest([3; 32]), "{}".to_owned());
    for path in [
        b"runs/a/b".as_slice(),
        b"runs/c",
        b"zz",
        b"events/index",
        b"events/by-step/01",
        b"specs/notes.txt",
        b"rejects/x/y",
        b"caf\xe9/\xff",
    ] {
        content.unknown.insert(path.to_vec(), (0o100_644, one));
    }
    content.unknown.insert(b"run.sh".to_vec(), (0o100_755, one));
    let read = tip::read(&world.repo, world.write(&content)).unwrap();
    assert_eq!(read, content);

    let mut other = Content::default();
    for path in [b"zz".as_slice(), b"runs/c/d", b"runs/a", b"more"] {
        other.unknown.insert(path.to_vec(), (0o100_644, two));
    }
    let united = joined([&content, &other]);
    assert_eq!(united.unknown.len(), content.unknown.len() + 1);
    assert_eq!((united.unknown[b"zz".as_slice()].1, united.unknown[b"more".as_slice()].1), (one, two));
    assert!(united.contains(&other));
    assert_eq!(tip::read(&world.repo, world.write(&united)).unwrap(), united);
}

/// A tree in which our names hold something else must not replace what is ours.
#[test]
fn g5_nothing_takes_the_place_of_our_own_files() {
    use git_godzilla::platform::git::TreeEntry;

    let world = World::new();
    let blob = world.repo.write_blob(b"x").unwrap();
    let folder = world
        .repo
        .write_tree(&[
            TreeEntry::blob("x", blob),
            TreeEntry::tree("000000", world.repo.write_tree(&[TreeEntry::blob("y", blob)]).unwrap()),
        ])
        .unwrap();
    let foreign = [
        TreeEntry::blob("events", blob),
        TreeEntry::blob("specs", blob),
        TreeEntry::tree("rejects", folder),
        TreeEntry::tree("format", folder),
        TreeEntry::tree("state.json", folder),
    ];
    let foreign = tip::read(&world.repo, world.repo.write_tree(&foreign).unwrap()).unwrap();
    let ours = super::content(&[any::event_of(Ulid(1), 1, Body::NoteAdded { text: "kept".to_owned() })]);
    let united = joined([&ours, &foreign]);
    assert_eq!(tip::read(&world.repo, world.write(&united)).unwrap(), united);
    assert_eq!(united.lines(), ours.lines());
}

#[test]
fn g4_the_union_takes_the_larger_format() {
    let with = |format, min_read, min_write| {
        let mut content = Content::default();
        content.format = Format { format, min_read, min_write };
        content
    };
    let (old, new) = (with(1, 1, 1), with(3, 1, 2));
    assert!(old.may_be_written() && new.may_be_read());
    let united = joined([&old, &new]);
    assert_eq!(united.format, new.format);
    assert!(!united.may_be_written());
    assert!(!with(9, 2, 2).may_be_read());
    assert!(!old.contains(&new) && new.contains(&old));
}
