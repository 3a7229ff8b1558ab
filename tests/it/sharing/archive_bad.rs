//! Archives that nobody of ours has written: set aside with a line, and never in the way.

use super::archive::{ARCHIVE, entry, listed, with_one_that_is_over};
use super::archive_clones::settle;
use super::{Entry, FORMAT, NAME, assert_agree, commit, ids, ref_at, stream, sync, tree};
use crate::support::{Place, World};

/// Makes `root` the archive of the server, on top of what it is.
fn set(server: &Place<'_>, root: &str) -> String {
    let parent = ref_at(server, ARCHIVE);
    let tip = commit(server, root, parent.as_deref());
    server.git(&["update-ref", ARCHIVE, &tip]);
    tip
}

#[test]
fn what_is_no_entry_is_carried_along_and_read_by_nobody() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    let server = world.place("srv.git");
    let lines = "{\"body\":{},\"clock\":1,\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"type\":\"x\",\"v\":1}\n";
    let events = tree(&server, &[("000000", Entry::Blob(lines.as_bytes()))]);
    let root = [("events", Entry::Tree(&events)), ("format", Entry::Blob(FORMAT.as_bytes()))];
    let stray = tree(&server, &root);
    let shard = tree(
        &server,
        &[
            ("0001-x", Entry::Blob(b"no tree")),
            ("0107-elsewhere", Entry::Tree(&stray)),
            ("7-short", Entry::Tree(&stray)),
            ("READ\u{1b}[31mME", Entry::Blob(b"a note")),
        ],
    );
    let root = tree(
        &server,
        &[
            ("00", Entry::Tree(&shard)),
            ("01", Entry::Blob(b"no folder")),
            ("1", Entry::Tree(&shard)),
            ("index", Entry::Blob(b"of a newer tool")),
        ],
    );
    set(&server, &root);
    a.godzilla_ok(&["archive", "1"]);
    settle(&world, &[&a, &b]);
    assert_eq!(listed(&b, &["--all"]), [NAME]);
    assert!(entry(&server, NAME).is_some(), "our own place holds our own things only");
    assert_eq!(ref_at(&server, &stream(NAME)), None);
    for kept in ["index", "1/0107-elsewhere", "00/7-short"] {
        assert!(ref_at(&b, &format!("{ARCHIVE}:{kept}")).is_some(), "{kept}");
    }
    let said = b.godzilla(&["doctor"]);
    assert!(said.stdout.contains("holds what is no entry"), "{said}");
    assert!(!said.stdout.contains('\u{1b}'), "{said:?}", said = said.stdout);
    assert_agree(&[&a, &b]);
}

#[test]
fn an_archive_that_cannot_be_read_is_left_alone() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    let server = world.place("srv.git");
    a.godzilla_ok(&["archive", "1"]);
    let blob = super::git_in(&server, &["hash-object", "-w", "--stdin"], b"no commit");
    server.git(&["update-ref", ARCHIVE, &blob]);
    for place in [&a, &b] {
        let said = place.godzilla(&["sync"]);
        assert_eq!(said.code, Some(0), "{said}");
        assert!(said.stdout.contains("its archive cannot be read"), "{said}");
        let said = place.godzilla(&["list"]);
        assert!(said.stderr.contains("the archive of origin cannot be read"), "{said}");
    }
    assert_eq!(ref_at(&server, ARCHIVE), Some(blob));
    assert!(ref_at(&server, &stream(NAME)).is_some(), "nothing proves that it may go");
    assert_agree(&[&a, &b]);
    // Somebody takes it away, and all is well.
    server.git(&["update-ref", "-d", ARCHIVE]);
    settle(&world, &[&a, &b]);
    assert!(entry(&server, NAME).is_some());
    assert_eq!(ref_at(&server, &stream(NAME)), None);
}

#[test]
fn an_entry_that_demands_a_newer_version_is_left_as_it_is() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    let server = world.place("srv.git");
    let newer = "{\"format\":9,\"min_read\":9,\"min_write\":9}\n";
    let entry_tree = tree(&server, &[("format", Entry::Blob(newer.as_bytes()))]);
    let shard = tree(&server, &[(NAME, Entry::Tree(&entry_tree))]);
    set(&server, &tree(&server, &[("00", Entry::Tree(&shard))]));
    let before = ids(&a, NAME);
    a.godzilla_ok(&["archive", "1"]);
    settle(&world, &[&a, &b]);
    assert_eq!(entry(&server, NAME), Some(entry_tree));
    assert!(ref_at(&server, &stream(NAME)).is_some());
    for place in [&a, &b] {
        assert!(ids(place, NAME).is_superset(&before));
    }
}

/// Who puts what goes on into the archive hides nothing, and takes nothing away.
#[test]
fn what_goes_on_is_not_hidden_by_an_entry() {
    let world = World::new();
    let (a, _, b) = super::two_clones(&world);
    sync(&a);
    let server = world.place("srv.git");
    let live = ref_at(&server, &format!("{}^{{tree}}", stream(NAME))).unwrap();
    let shard = tree(&server, &[(NAME, Entry::Tree(&live))]);
    set(&server, &tree(&server, &[("00", Entry::Tree(&shard))]));
    settle(&world, &[&a, &b]);
    assert!(ref_at(&server, &stream(NAME)).is_some());
    assert_eq!((listed(&a, &[]), listed(&b, &[])), (vec![NAME.to_owned()], vec![NAME.to_owned()]));
    assert_agree(&[&a, &b]);
}

#[test]
fn many_entries_of_a_stranger_cost_little_and_name_themselves() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    let server = world.place("srv.git");
    let empty = super::git_in(&server, &["mktree"], b"");
    let names: Vec<String> = (100..200).map(|number| format!("{number:04}-foreign")).collect();
    let entries: Vec<(&str, Entry<'_>)> =
        names.iter().map(|name| (name.as_str(), Entry::Tree(&empty))).collect();
    let shard = tree(&server, &entries);
    set(&server, &tree(&server, &[("01", Entry::Tree(&shard))]));
    settle(&world, &[&a, &b]);
    assert_eq!(listed(&a, &[]), [NAME]);
    assert_eq!(listed(&a, &["--all"]), [NAME], "what nothing creates is no protocol");
    assert_eq!(a.json(&["plan", "next", "--step", "One", "--dry-run"])["number"], 200);
    assert_agree(&[&a, &b]);
}
