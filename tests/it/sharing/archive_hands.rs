//! W4: what people do to refs with plain git is healed by the next `sync`, for archives and streams.

use std::collections::BTreeSet;

use super::archive::{ARCHIVE, entry, listed};
use super::archive_clones::settle;
use super::{NAME, assert_agree, ids, ref_at, refs, stream, sync, two_clones};
use crate::support::{Place, World};

const LATER: &str = "0002-y";
const LIVE: &str = "0003-z";

/// Two clones with an archived protocol, one that was archived after it, and one that goes on.
fn shared(world: &World) -> (Place<'_>, Place<'_>) {
    let (a, _, b) = two_clones(world);
    a.godzilla_ok(&["plan", "y", "--step", "One"]);
    a.godzilla_ok(&["plan", "z", "--step", "One"]);
    for number in ["1", "2"] {
        a.godzilla_ok(&["cancel", number]);
        sync(&a);
        a.godzilla_ok(&["archive", number]);
        settle(world, &[&a, &b]);
    }
    (a, b)
}

/// Lets somebody `act`, and checks that all is as it was after the next syncs, and stays so.
#[track_caller]
fn heals(act: impl Fn(&Place<'_>, &Place<'_>, &Place<'_>)) {
    let world = World::new();
    let (a, b) = shared(&world);
    let server = world.place("srv.git");
    let all = |place: &Place<'_>| [NAME, LATER, LIVE].map(|name| ids(place, name));
    let before: [BTreeSet<String>; 3] = all(&a);
    act(&server, &a, &b);
    settle(&world, &[&a, &b]);
    for place in [&a, &b] {
        for (now, before) in all(place).iter().zip(&before) {
            assert!(now.is_superset(before), "{}", place.path.display());
        }
        assert_eq!(listed(place, &[]), [LIVE]);
    }
    for name in [NAME, LATER] {
        assert!(entry(&server, name).is_some(), "{}", refs(&server));
        assert_eq!(ref_at(&server, &stream(name)), None);
    }
    assert!(ref_at(&server, &stream(LIVE)).is_some());
    assert_agree(&[&a, &b]);
}

#[test]
fn w4_refs_that_were_deleted_on_the_remote() {
    heals(|server, _, _| {
        server.git(&["update-ref", "-d", ARCHIVE]);
        server.git(&["update-ref", "-d", &stream(LIVE)]);
    });
}

#[test]
fn w4_an_archive_that_was_forced_back() {
    heals(|server, _, _| drop(server.git(&["update-ref", ARCHIVE, &format!("{ARCHIVE}~1")])));
}

#[test]
fn w4_an_archive_that_was_forced_to_something_foreign() {
    heals(|server, _, _| {
        let foreign = server.git(&["rev-parse", "refs/heads/main"]);
        server.git(&["update-ref", ARCHIVE, foreign.trim()]);
    });
}

#[test]
fn w4_a_server_that_came_back_from_a_backup() {
    heals(|server, a, b| {
        let backup = refs(server);
        a.godzilla_ok(&["comment", "after the backup", "-p", LIVE]);
        sync(a);
        sync(b);
        for line in refs(server).lines().filter(|line| line.contains("refs/godzilla/")) {
            server.git(&["update-ref", "-d", line.split(' ').next().unwrap()]);
        }
        for line in backup.lines() {
            let (name, oid) = line.split_once(' ').unwrap();
            server.git(&["update-ref", name, oid]);
        }
    });
}

#[test]
fn w4_a_stream_that_came_back_is_redundant_and_goes() {
    heals(|server, _, _| {
        let entry = entry(server, NAME).unwrap();
        let tip = super::commit(server, &entry, None);
        server.git(&["update-ref", &stream(NAME), &tip]);
    });
}

#[test]
fn w4_a_fetch_that_overwrote_local_refs() {
    heals(|server, _, b| {
        server.git(&["update-ref", ARCHIVE, &format!("{ARCHIVE}~1")]);
        b.git(&["fetch", "--quiet", "origin", "+refs/godzilla/*:refs/godzilla/*"]);
    });
}

#[test]
fn w4_local_refs_that_were_deleted() {
    heals(|_, _, b| {
        for line in refs(b).lines().filter(|line| line.contains("refs/godzilla")) {
            b.git(&["update-ref", "-d", line.split(' ').next().unwrap()]);
        }
        std::fs::remove_dir_all(b.path.join(".git/godzilla/cache")).unwrap();
    });
}

#[test]
fn w4_a_mirror() {
    heals(|_, a, b| {
        let said = b.try_git(&["push", "--quiet", "--mirror"]);
        assert_eq!(said.code, Some(1), "{said}");
        b.git(&["update-ref", "-d", ARCHIVE]);
        b.git(&["push", "--quiet", "--mirror", "--no-verify"]);
        a.git(&["fetch", "--quiet"]);
    });
}

#[test]
fn w4_a_remote_that_was_renamed() {
    heals(|_, _, b| {
        b.git(&["remote", "rename", "origin", "upstream"]);
        b.godzilla_ok(&["init", "--yes", "--remote", "upstream"]);
    });
}
