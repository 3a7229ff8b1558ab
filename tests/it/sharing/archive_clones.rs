//! Several clones and the archive: at once, after a long time, and with remotes that are not asked.

use super::archive::{ARCHIVE, entry, listed, with_one_that_is_over};
use super::{NAME, assert_agree, assert_linear, ids, ref_at, refs, stream, sync, two_clones};
use crate::support::{Place, World};

/// Syncs all in turn until nothing moves at the server any more.
#[track_caller]
pub(super) fn settle(world: &World, places: &[&Place<'_>]) {
    let server = world.place("srv.git");
    let mut n_rounds = 0;
    loop {
        let before = refs(&server);
        for place in places {
            sync(place);
        }
        if refs(&server) == before {
            break;
        }
        n_rounds += 1;
        assert!(n_rounds < 8, "it never gets quiet: {}", refs(&server));
    }
}

#[test]
fn two_clones_that_archive_at_once_have_one_archive_in_the_end() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    for (title, number) in [("y", "2"), ("z", "3")] {
        a.godzilla_ok(&["plan", title, "--step", "One"]);
        a.godzilla_ok(&["cancel", number]);
    }
    sync(&a);
    sync(&b);
    a.godzilla_ok(&["archive", "1", "2"]);
    b.godzilla_ok(&["comment", "seen by b only", "-p", "1"]);
    b.godzilla_ok(&["archive", "1", "3"]);
    settle(&world, &[&a, &b]);
    let server = world.place("srv.git");
    assert_eq!(listed(&a, &[]), [""; 0]);
    assert_eq!(listed(&b, &["--all"]), [NAME, "0002-y", "0003-z"]);
    assert!(a.godzilla_ok(&["log", "1"]).contains("seen by b only"));
    assert!(!refs(&server).contains("refs/godzilla/protocols/"), "{}", refs(&server));
    assert_eq!(ref_at(&a, ARCHIVE), ref_at(&b, ARCHIVE), "S4: both follow the chain of the server");
    assert_agree(&[&a, &b]);
    assert_linear(&server);
}

#[test]
fn a_clone_that_was_away_makes_nothing_anew() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    let server = world.place("srv.git");
    a.godzilla_ok(&["archive", "1"]);
    settle(&world, &[&a]);
    assert_eq!(ref_at(&server, &stream(NAME)), None);
    // It has the old ref still; its push takes it nowhere.
    assert!(ref_at(&b, &stream(NAME)).is_some());
    b.git(&["fetch", "--quiet", "--prune"]);
    b.commit("more.txt", "more");
    b.git(&["push", "--quiet", "origin", "main"]);
    assert_eq!(ref_at(&server, &stream(NAME)), None);
    settle(&world, &[&b, &a]);
    assert_eq!((ref_at(&server, &stream(NAME)), ref_at(&b, &stream(NAME))), (None, None));
    assert_agree(&[&a, &b]);
}

#[test]
fn what_a_clone_did_while_it_was_away_is_not_lost() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    let server = world.place("srv.git");
    b.godzilla_ok(&["unarchive", "1", "--reopen"]);
    a.godzilla_ok(&["archive", "1"]);
    settle(&world, &[&a]);
    settle(&world, &[&b, &a]);
    assert!(ref_at(&server, &stream(NAME)).is_some(), "it goes on");
    assert_eq!((listed(&a, &[]), listed(&b, &[])), (vec![NAME.to_owned()], vec![NAME.to_owned()]));
    assert_agree(&[&a, &b]);
}

#[test]
fn each_remote_has_an_archive_of_its_own() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    world.place("").git(&["init", "--quiet", "--bare", "--initial-branch=main", "backup.git"]);
    let backup = world.place("backup.git");
    for place in [&a, &b] {
        place.git(&["remote", "add", "backup", "../backup.git"]);
    }
    a.git(&["push", "--quiet", "--no-verify", "backup", "main"]);
    a.godzilla_ok(&["init", "--yes", "--remote", "backup"]);
    sync(&a);
    assert!(ref_at(&backup, &stream(NAME)).is_some());
    a.godzilla_ok(&["archive", "1"]);
    a.godzilla_ok(&["sync", "origin"]);
    a.godzilla_ok(&["sync", "origin"]);
    assert!(ref_at(&backup, &stream(NAME)).is_some(), "the archive of one says nothing of another");
    sync(&a);
    sync(&a);
    assert_eq!(ref_at(&backup, &stream(NAME)), None);
    assert_eq!(entry(&backup, NAME), entry(&world.place("srv.git"), NAME));
    assert_eq!(a.json(&["list", "--all"])["protocols"][0]["unshared_events"], 0);
}

#[test]
fn a_server_that_keeps_its_refs_is_told_once_and_asked_no_more() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    a.godzilla_ok(&["cancel", "1"]);
    sync(&a);
    let server = world.place("srv.git");
    server.git(&["config", "receive.denyDeletes", "true"]);
    server.write_executable(
        "hooks/pre-receive",
        "#!/bin/sh\nwhile read -r old new ref; do\n\tcase $new in *[!0]*) ;; *) echo 'no deletes' >&2; exit 1 ;; esac\ndone\n",
    );
    a.godzilla_ok(&["archive", "1"]);
    sync(&a);
    a.godzilla_ok(&["plan", "y", "--step", "One"]);
    // The push with the deletion is refused as a whole; what is new arrives all the same.
    let said = a.godzilla(&["sync"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stdout.contains("what is no longer needed there stays"), "{said}");
    assert_eq!(said.stdout.lines().count(), 1, "{said}");
    assert!(ref_at(&server, &stream("0002-y")).is_some() && ref_at(&server, &stream(NAME)).is_some());
    let said = a.godzilla(&["sync"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), "✓ origin is up to date\n"), "{said}");
    sync(&b);
    assert_agree(&[&a, &b]);
    assert_eq!(listed(&b, &[]), ["0002-y"]);
}

/// As one whose disk is full.
#[test]
fn a_server_that_took_nothing_at_all_is_asked_to_delete_again() {
    let world = World::new();
    let (a, _, _) = two_clones(&world);
    a.godzilla_ok(&["cancel", "1"]);
    sync(&a);
    a.godzilla_ok(&["archive", "1"]);
    sync(&a);
    let server = world.place("srv.git");
    server.write_executable("hooks/pre-receive", "#!/bin/sh\nexit 1\n");
    a.godzilla_ok(&["plan", "y", "--step", "One"]);
    assert_eq!(a.godzilla(&["sync"]).code, Some(7));
    assert!(ref_at(&server, &stream(NAME)).is_some());
    std::fs::remove_file(server.path.join("hooks/pre-receive")).unwrap();
    sync(&a);
    assert!(ref_at(&server, &stream("0002-y")).is_some());
    assert_eq!(ref_at(&server, &stream(NAME)), None);
}

#[test]
fn eight_processes_archive_and_add_at_once_and_lose_nothing() {
    let world = World::new();
    let a = world.clone("a");
    for idx in 1..=8 {
        a.godzilla_ok(&["plan", &format!("p{idx}"), "--step", "One"]);
        a.godzilla_ok(&["cancel", &idx.to_string()]);
    }
    let name = |idx: usize| format!("000{idx}-p{idx}");
    let before: Vec<_> = (1..=8).map(|idx| ids(&a, &name(idx))).collect();
    std::thread::scope(|scope| {
        for idx in 1..=8_usize {
            let (a, number) = (&a, idx.to_string());
            let next = (idx % 8 + 1).to_string();
            scope.spawn(move || {
                a.godzilla_ok(&["archive", &number]);
                a.godzilla_ok(&["comment", "late", "-p", &next]);
                a.godzilla_ok(&["archive", &next]);
            });
        }
    });
    a.godzilla_ok(&["archive", "--all"]);
    assert_eq!(listed(&a, &[]), [""; 0]);
    for (idx, before) in (1..=8).zip(before) {
        let now = ids(&a, &name(idx));
        assert!(now.is_superset(&before) && now.len() == before.len() + 1, "{idx}: {now:?}");
        assert_eq!(ref_at(&a, &stream(&name(idx))), None);
    }
    a.git(&["fsck", "--strict"]);
}

#[test]
fn a_repository_that_cannot_be_written_is_read_with_the_archive() {
    let world = World::new();
    let (a, b) = with_one_that_is_over(&world);
    a.godzilla_ok(&["archive", "1"]);
    settle(&world, &[&a]);
    b.git(&["fetch", "--quiet", "--prune"]);
    let own = b.path.join(".git/godzilla");
    std::fs::rename(&own, b.path.join(".git/godzilla-was")).unwrap();
    std::fs::write(own, "").unwrap();
    let before = refs(&b);
    for args in [&["list"][..], &["list", "--all"], &["show", "1"], &["log", NAME]] {
        let said = b.godzilla(args);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{said}");
    }
    assert_eq!(refs(&b), before);
}
