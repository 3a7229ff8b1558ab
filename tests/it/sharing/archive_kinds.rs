//! The archive in repositories of other kinds: with SHA-256, shallow, and partial.

use super::archive::{entry, listed};
use super::archive_clones::settle;
use super::{NAME, assert_agree, ids, ref_at, stream, sync};
use crate::support::{Place, World};

const TOKEN: &str = "token-0123456789";

/// A world whose remote has one protocol in its archive alone, and one that goes on.
fn archived(world: &World) -> Place<'_> {
    let a = world.clone("a");
    let work = a.plan("x", &["One", "Two"]);
    work.commit("one.txt", "feat: a part");
    work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
    a.godzilla_ok(&["comment", TOKEN, "-p", "1"]);
    a.plan("goes on", &["One"]);
    a.godzilla_ok(&["cancel", "1"]);
    sync(&a);
    a.godzilla_ok(&["archive", "1"]);
    settle(world, &[&a]);
    a
}

/// Does everything that there is to do with an archive in a clone that knows nothing yet, and checks that the
/// clone that made it agrees.
fn everything_works(world: &World, options: &[&str]) {
    let a = archived(world);
    let server = world.place("srv.git");
    server.git(&["config", "uploadpack.allowFilter", "true"]);
    server.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let url = format!("file://{}", server.path.display());
    world.place("").git(&[&["clone", "--quiet"], options, &[&url, "c"]].concat());
    let c = world.place("c");
    c.godzilla_ok(&["init", "--yes"]);

    // What is asked.
    assert_eq!((listed(&c, &["--all"]), listed(&c, &[])), (listed(&a, &["--all"]), listed(&a, &[])));
    assert_eq!(listed(&c, &["--at", "now"]), listed(&a, &["--all"]));
    assert_eq!(c.json(&["show", "1", "--at", "now"])["status"], "cancelled");
    assert_eq!(c.json(&["status", "--at", "now"])["protocols"].as_array().unwrap().len(), 2);
    assert_eq!((ids(&c, NAME), c.json(&["show", "1"])["archived"].as_bool()), (ids(&a, NAME), Some(true)));
    assert_agree(&[&a, &c]);

    // What is written down, and read again.
    for place in [&a, &c] {
        place.godzilla_ok(&["export", "all.jsonl"]);
    }
    assert_eq!(a.read("all.jsonl"), c.read("all.jsonl"));
    assert_eq!(c.json(&["import", "jsonl", "all.jsonl"])["new_events"], 0);
    assert_eq!(ref_at(&c, &stream(NAME)), None, "nothing was new in it");

    // It comes back, goes on, and goes again.
    c.godzilla_ok(&["unarchive", "1"]);
    c.godzilla_ok(&["comment", "from here", "-p", "1"]);
    c.godzilla_ok(&["archive", "1"]);
    c.godzilla_ok(&["redact", TOKEN, "--purge", "--yes"]);
    settle(world, &[&c, &a]);
    for place in [&a, &c] {
        let log = place.godzilla_ok(&["log", "1", "--all"]);
        assert!(log.contains("from here") && !log.contains(TOKEN), "{log}");
        assert_eq!(ref_at(place, &stream(NAME)), None);
    }
    assert_eq!(entry(&a, NAME), entry(&c, NAME));
    assert_agree(&[&a, &c]);

    // A worktree goes and comes back.
    let work = world.place("c/worktrees/0002-goes-on");
    c.git(&["worktree", "add", "--quiet", "worktrees/0002-goes-on", "-b", "0002-goes-on"]);
    work.write("notes", "mine\n");
    c.godzilla_ok(&["worktrees", "remove", "2", "--force"]);
    c.godzilla_ok(&["restore", "2"]);
    assert_eq!((work.read("notes"), work.read("README")), ("mine\n".to_owned(), "a project\n".to_owned()));
    let findings = c.json(&["doctor"])["findings"].to_string();
    assert!(!findings.contains("unreadable") && !findings.contains("set_aside"), "{findings}");
    server.git(&["fsck", "--strict"]);
}

/// Plain git leaves files and trees of the state out of a partial clone, as it does with all others. Nobody takes
/// what is not here for what is not there.
fn what_is_left_out_is_said(filter: &str) {
    let world = World::new();
    let server = world.place("srv.git");
    server.git(&["config", "uploadpack.allowFilter", "true"]);
    server.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    world.clone("b");
    let url = format!("file://{}", server.path.display());
    world.place("").git(&["clone", "--quiet", &format!("--filter={filter}"), &url, "c"]);
    let c = world.place("c");
    c.git(&["config", "maintenance.auto", "false"]);
    c.godzilla_ok(&["init", "--yes"]);
    let a = archived(&world);
    c.git(&["fetch", "--quiet"]);
    for (args, code) in [
        (&["show", NAME][..], 4),
        (&["log", NAME], 4),
        (&["unarchive", NAME], 4),
        (&["archive", NAME], 4),
        (&["show", NAME, "--at", "now"], 4),
        (&["list", "--all"], 0),
        (&["status", "--at", "now"], 0),
        (&["export", "left-out.jsonl"], 1),
        (&["redact", TOKEN, "--dry-run"], 0),
    ] {
        let said = c.godzilla(args);
        let told = "this partial clone left it out; `git godzilla sync` fetches it";
        assert!(said.code == Some(code) && said.to_string().contains(told), "{args:?} {said}");
    }
    assert_eq!(ref_at(&c, &stream(NAME)), None, "nothing was made of nothing");
    sync(&c);
    assert_agree(&[&a, &c]);
    assert_eq!(c.json(&["redact", TOKEN, "--dry-run"])["events"].as_array().unwrap().len(), 1);
}

#[test]
fn files_that_a_plain_fetch_leaves_out_are_said() {
    what_is_left_out_is_said("blob:none");
}

#[test]
fn trees_that_a_plain_fetch_leaves_out_are_said() {
    what_is_left_out_is_said("tree:0");
}

#[test]
fn with_sha256() {
    everything_works(&World::with(None, true), &[]);
}

#[test]
fn shallow() {
    everything_works(&World::new(), &["--depth=1", "--no-single-branch"]);
}

#[test]
fn without_blobs() {
    everything_works(&World::new(), &["--filter=blob:none"]);
}

#[test]
fn without_trees() {
    everything_works(&World::new(), &["--filter=tree:0"]);
}
