//! Servers that do not want our refs: told once, remembered, and tried again when it is worth it.

use super::{
    BRANCH, NAME, STREAM, assert_quiet, assert_shared, begin, push, ref_at, remote_state, server_hook,
    the_one_line, unshared, with_each_git,
};
use crate::support::http_server::HttpServer;
use crate::support::{Place, World};

const FIXTURE: &str = include_str!("../../data/v1/remote-answer.json");

fn memory(a: &Place<'_>) -> std::path::PathBuf {
    a.path.join(".git/godzilla/remotes/origin.json")
}

/// Rewrites when the server was asked.
fn asked_days_ago(a: &Place<'_>, days: u64) {
    let text = std::fs::read_to_string(memory(a)).unwrap();
    let mut answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    answer["at_ms"] = (answer["at_ms"].as_u64().unwrap() - days * 24 * 3600 * 1000).into();
    std::fs::write(memory(a), answer.to_string()).unwrap();
}

#[test]
fn it_is_told_once_and_left_alone_until_it_is_worth_asking() {
    for way in ["hide", "update", "pre-receive"] {
        with_each_git(|world| {
            let server = HttpServer::open(world);
            let (a, work) = begin(world);
            a.git(&["remote", "set-url", "origin", &server.url("srv.git")]);
            let allow = refuse(world, way);
            server.requests();
            let shown = push(&work);
            let line = the_one_line(&shown);
            assert!(
                line.contains("[remote rejected]") && line.contains("leave it alone for a day"),
                "{line}"
            );
            assert_eq!(server.pushes(), 2);
            let told = remote_state(&a)["last_error"].as_str().unwrap().to_owned();
            assert!(told.starts_with("refused: [remote rejected] ("), "{told}");
            let status = a.godzilla_ok(&["status", "--all"]);
            assert!(status.contains("not on origin (refused: [remote rejected]"), "{status}");

            for text in ["more", "and more"] {
                let commit = work.commit("file.txt", text);
                assert_quiet(&push(&work));
                assert_eq!(server.pushes(), 1, "the user's alone");
                assert_eq!(ref_at(&world.place("srv.git"), BRANCH), Some(commit));
            }
            // A day later it is asked, and says the same: no news.
            asked_days_ago(&a, 2);
            work.commit("file.txt", "the next day");
            assert_quiet(&push(&work));
            assert_eq!(server.pushes(), 2);
            work.commit("file.txt", "the same day");
            assert_quiet(&push(&work));
            assert_eq!(server.pushes(), 1);
            // A sync always asks.
            let shown = a.godzilla(&["sync"]);
            assert!(shown.code == Some(7) && shown.stdout.contains("origin is refused"), "{shown}");
            assert_ne!(unshared(&a), 0);

            allow();
            server.requests();
            asked_days_ago(&a, 2);
            work.commit("file.txt", "it is allowed");
            assert_quiet(&push(&work));
            assert_eq!(server.pushes(), 2);
            assert!(!memory(&a).exists());
            assert_shared(&a, &work);
        });
    }
}

/// Makes the server refuse our refs; what is returned takes that back.
fn refuse<'w>(world: &'w World, way: &'static str) -> impl Fn() + 'w {
    let server = world.place("srv.git");
    match way {
        "hide" => drop(server.git(&["config", "receive.hideRefs", "refs/godzilla"])),
        "update" => drop(server_hook(world, way, "case $1 in refs/godzilla/*) exit 1;; esac")),
        way => drop(server_hook(world, way, "! grep -q refs/godzilla/")),
    }
    move || match way {
        "hide" => drop(server.git(&["config", "--unset", "receive.hideRefs"])),
        way => std::fs::remove_file(server.path.join("hooks").join(way)).unwrap(),
    }
}

#[test]
fn a_sync_that_works_ends_it() {
    let world = World::new();
    let (a, work) = begin(&world);
    let allow = refuse(&world, "update");
    the_one_line(&push(&work));
    allow();
    a.godzilla_ok(&["sync"]);
    assert!(!memory(&a).exists());
    work.commit("file.txt", "more");
    assert_quiet(&push(&work));
    assert_shared(&a, &work);
}

#[test]
fn another_address_is_another_server() {
    let world = World::new();
    let (a, work) = begin(&world);
    let _allow = refuse(&world, "update");
    the_one_line(&push(&work));
    world.place("").git(&["clone", "--quiet", "--bare", "srv.git", "other.git"]);
    a.git(&["remote", "set-url", "origin", world.place("other.git").path.to_str().unwrap()]);
    assert_eq!(remote_state(&a)["last_error"], serde_json::Value::Null);
    assert_quiet(&push(&work));
    assert_eq!(ref_at(&world.place("other.git"), STREAM), ref_at(&a, STREAM));
}

/// Some streams are wanted and one is not: the others go on as ever, and it is told each time.
#[test]
fn a_server_that_refuses_one_stream_gets_the_others() {
    let world = World::new();
    let (a, work) = begin(&world);
    server_hook(&world, "update", &format!("[ \"$1\" != {STREAM} ]"));
    for text in ["one", "two"] {
        work.commit("file.txt", text);
        a.godzilla_ok(&["plan", &format!("also {text}"), "--step", "Only"]);
        let shown = push(&work);
        assert!(the_one_line(&shown).contains("hook declined"), "{shown}");
    }
    let server = world.place("srv.git");
    assert!(ref_at(&server, "refs/godzilla/protocols/0003-also-two").is_some());
    assert_eq!(ref_at(&server, STREAM), None);
    assert!(remote_state(&a)["last_error"].as_str().unwrap().starts_with("overtaken: "));
}

/// Whoever was faster is no reason to leave a server alone.
#[test]
fn a_lost_race_is_tried_again_with_the_next_push() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        assert_quiet(&push(&work));
        let b = world.clone("b");
        b.godzilla_ok(&["comment", "from b", "-p", "1"]);
        b.godzilla_ok(&["sync"]);
        work.commit("file.txt", "more");
        let shown = push(&work);
        assert!(the_one_line(&shown).contains("stale info"), "{shown}");
        a.git(&["fetch", "--quiet"]);
        work.commit("file.txt", "and more");
        assert_quiet(&push(&work));
        assert_eq!(unshared(&a), 0);
        b.git(&["fetch", "--quiet"]);
        assert_eq!(a.event_ids(NAME), b.event_ids(NAME));
    });
}

/// The form of version 1 is readable for ever, and what cannot be read was never said.
#[test]
fn v1_what_a_remote_answered_is_read() {
    let world = World::new();
    let (a, work) = begin(&world);
    // The address of the fixture.
    a.git(&["config", "remote.origin.pushurl", "https://example.invalid/x.git"]);
    std::fs::create_dir_all(memory(&a).parent().unwrap()).unwrap();
    std::fs::write(memory(&a), FIXTURE).unwrap();
    assert_eq!(remote_state(&a)["last_error"], "refused: [remote rejected] (hook declined)");
    for text in
        ["", "{", "[]", &FIXTURE.replace("\"v\":1", "\"v\":2"), &FIXTURE.replace("refused", "unheard of")]
    {
        std::fs::write(memory(&a), text).unwrap();
        assert_eq!(remote_state(&a)["last_error"], serde_json::Value::Null, "{text}");
    }
    a.git(&["config", "--unset", "remote.origin.pushurl"]);
    assert_quiet(&push(&work));
    assert_shared(&a, &work);
}
