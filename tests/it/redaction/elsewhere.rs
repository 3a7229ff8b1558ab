//! What was taken out of one stream and lies in another one as well, where somebody put it.

use std::fs;

use super::{NAME, SECRET, STREAM, anything_says, leaked};
use crate::support::{Place, World};

const OTHER: &str = "refs/godzilla/protocols/0002-add-a-logout";
const PROJECT: &str = "refs/godzilla/project";

/// Puts the line with the secret into the server's stream of the other protocol, as anybody with git can.
fn copy_over(world: &World, from: &Place<'_>) {
    let srv = world.place("srv.git");
    let lines = from.lines_of(STREAM);
    let line = lines.lines().find(|line| line.contains(SECRET)).unwrap();
    fs::write(srv.path.join("draft"), format!("{line}\n")).unwrap();
    let blob = srv.git(&["hash-object", "-w", "draft"]);
    fs::remove_file(srv.path.join("draft")).unwrap();
    srv.git(&["read-tree", OTHER]);
    srv.git(&["update-index", "--add", "--cacheinfo", &format!("100644,{},events/999999", blob.trim())]);
    let tree = srv.git(&["write-tree"]);
    let who = ["-c", "user.name=M", "-c", "user.email=m@example.com"];
    let made = ["commit-tree", "-m", "forged", tree.trim(), "-p", OTHER];
    let commit = srv.git(&[&who[..], &made[..]].concat());
    srv.git(&["update-ref", OTHER, commit.trim()]);
}

/// Lets both share, and looks whether either, or what is shared, says the secret.
#[track_caller]
fn assert_gone(world: &World, both: [&Place<'_>; 2]) {
    for place in [both[0], both[1], both[0], both[1]] {
        place.godzilla_ok(&["sync"]);
    }
    for place in both {
        for number in ["1", "2"] {
            assert!(!place.godzilla_ok(&["log", number, "--all", "--json"]).contains(SECRET), "{number}");
        }
    }
    for place in [both[0], both[1], &world.place("srv.git")] {
        assert!(!place.lines_of(STREAM).contains(SECRET));
        assert!(!place.lines_of(OTHER).contains(SECRET));
    }
}

#[test]
fn p1_a_copy_in_another_stream_goes_too() {
    let world = World::new();
    let (a, b) = leaked(&world);
    a.plan("Add a logout", &["The form"]);
    for place in [&a, &b] {
        place.godzilla_ok(&["sync"]);
    }
    copy_over(&world, &a);
    b.godzilla_ok(&["sync"]);
    assert!(b.lines_of(OTHER).contains(SECRET));
    // Whoever takes it out has not seen the copy.
    a.godzilla_ok(&["redact", SECRET, "--yes"]);
    assert_gone(&world, [&a, &b]);
    // Nor does it come back when it is copied once more, or after a purge.
    b.godzilla_ok(&["redact", "--purge", "--yes"]);
    assert!(!anything_says(&world.place("srv.git")));
    assert_gone(&world, [&a, &b]);
    assert!(!anything_says(&world.place("srv.git")));
}

/// Who takes a copy out does so for the stream that it is from, which may be elsewhere still.
#[test]
fn p1_where_a_copy_came_from_it_goes_too() {
    let world = World::new();
    let (a, b) = (world.clone("a"), world.clone("b"));
    a.plan("Add a login", &["The form"]);
    a.plan("Add a logout", &["The form"]);
    for place in [&a, &b] {
        place.godzilla_ok(&["sync"]);
    }
    b.godzilla_ok(&["comment", SECRET, "-p", "1"]);
    copy_over(&world, &b);
    a.godzilla_ok(&["sync"]);
    assert!(a.lines_of(OTHER).contains(SECRET) && !a.lines_of(STREAM).contains(SECRET));
    a.godzilla_ok(&["redact", SECRET, "--yes"]);
    assert_gone(&world, [&a, &b]);
}

/// Who did not know the protocol took its report into the project's stream.
#[test]
fn p1_what_waits_for_its_protocol_goes_too() {
    let world = World::new();
    let (a, b) = (world.clone("a"), world.clone("b"));
    a.plan("Add a login", &["The form"]);
    let sha = b.git(&["rev-parse", "HEAD"]);
    let report = ["ci-report", "success", "--job", SECRET, "--protocol", NAME, "--sha", sha.trim()];
    b.godzilla_ok(&report);
    b.git(&["fetch", "--quiet"]);
    b.godzilla_ok(&["list"]);
    assert!(b.lines_of(PROJECT).contains(SECRET));
    a.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["redact", SECRET, "--yes"]);
    for place in [&a, &b, &a] {
        place.godzilla_ok(&["sync"]);
    }
    for place in [&a, &b, &world.place("srv.git")] {
        for name in [STREAM, PROJECT] {
            assert!(!place.lines_of(name).contains(SECRET), "{name}");
        }
    }
}

/// Who archived it before the text was taken out has it in an archive that nobody has seen.
#[test]
fn p2_an_archive_of_before_leads_nobody_to_it() {
    let world = World::new();
    let (a, b) = leaked(&world);
    let srv = world.place("srv.git");
    b.godzilla_ok(&["redact", SECRET, "--purge", "--yes"]);
    assert!(!anything_says(&srv));
    a.godzilla_ok(&["cancel", "1"]);
    a.godzilla_ok(&["archive", "1"]);
    for place in [&a, &b, &a] {
        place.godzilla_ok(&["sync"]);
    }
    srv.git(&["rev-parse", "refs/godzilla/archive"]);
    assert!(!anything_says(&srv));
}

/// Of a remote that is not purged nobody brings the history to another one.
#[test]
fn p2_an_archive_that_is_new_to_a_remote_comes_without_history() {
    let world = World::new();
    let (a, _) = leaked(&world);
    a.godzilla_ok(&["cancel", "1"]);
    a.godzilla_ok(&["archive", "1"]);
    a.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["redact", SECRET, "--yes"]);
    a.godzilla_ok(&["archive", "1"]);
    a.godzilla_ok(&["sync"]);
    assert!(super::says(&world.place("srv.git"), "refs/godzilla/archive"));
    world.place("").git(&["init", "--quiet", "--bare", "backup.git"]);
    a.git(&["remote", "add", "backup", "../backup.git"]);
    a.git(&["push", "--quiet", "--no-verify", "backup", "main"]);
    a.godzilla_ok(&["init", "--yes", "--remote", "backup"]);
    a.godzilla_ok(&["sync"]);
    let backup = world.place("backup.git");
    backup.git(&["rev-parse", "refs/godzilla/archive"]);
    assert!(!anything_says(&backup));
    // What is there already is not begun anew.
    let before = backup.git(&["rev-parse", "refs/godzilla/archive"]);
    a.godzilla_ok(&["sync"]);
    assert_eq!(backup.git(&["rev-parse", "refs/godzilla/archive"]), before);
}
