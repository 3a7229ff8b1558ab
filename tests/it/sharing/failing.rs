//! Remotes that are away, silent, read-only or unwilling: the user's push goes on.

use std::net::TcpListener;

use super::boxes::write_hook;
use super::{NAME, assert_agree, ids, lines_at, ref_at, refs, stream, sync, two_clones};
use crate::support::{Place, Shown, World};

const STREAM: &str = "refs/godzilla/protocols/0001-x";

/// What our hook said during a push that did what the user asked for.
#[track_caller]
fn said_of_push(pushed: &Shown) -> &str {
    assert_eq!(pushed.code, Some(0), "{pushed}");
    let ours: Vec<&str> = pushed.stderr.lines().filter(|line| line.starts_with("git-godzilla: ")).collect();
    assert_eq!(ours.len(), 1, "{pushed}");
    assert!(ours[0].contains("are not shared with origin"), "{pushed}");
    ours[0]
}

/// The result of a sync that does not reach the remote.
#[track_caller]
fn failed_sync(place: &Place<'_>, result: &str) {
    let shown = place.godzilla(&["sync", "--json"]);
    assert_eq!(shown.code, Some(7), "{shown}");
    let synced: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    let mut remote = synced["remotes"][0].clone();
    let message = remote.as_object_mut().unwrap().remove("message");
    assert!(message.is_some_and(|message| message.as_str().is_some_and(|text| !text.is_empty())), "{synced}");
    let expected = serde_json::json!({
        "name": "origin", "result": result, "fetched_events": 0, "pushed_events": 0,
        "fetched_archived": 0, "pushed_archived": 0, "removed_refs": 0,
    });
    assert_eq!(remote, expected);
}

/// After the trouble one sync shares everything.
fn recovers(world: &World, a: &Place<'_>, b: &Place<'_>) {
    sync(a);
    sync(b);
    b.git(&["fetch", "--quiet"]);
    assert_agree(&[a, b]);
    assert_eq!(lines_at(&world.place("srv.git"), STREAM).len(), ids(a, NAME).len());
}

#[test]
fn truth_10_a_remote_that_is_away() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    let server = world.place("srv.git");
    let away = world.path().join("away.git");
    std::fs::rename(&server.path, &away).unwrap();
    a.godzilla_ok(&["comment", "offline", "-p", "1"]);
    work.commit("one.txt", "feat: a part");
    failed_sync(&a, "unreachable");
    // The user's own push fails as it does without us, and says nothing of ours first.
    let pushed = work.try_git(&["push"]);
    assert_eq!(pushed.code, Some(128), "{pushed}");
    assert!(!pushed.stderr.contains("git-godzilla"), "{pushed}");
    let status = a.godzilla_ok(&["status"]);
    assert!(
        status.contains("not on origin (unreachable: ") && status.contains("): git godzilla sync"),
        "{status}"
    );
    std::fs::rename(&away, &server.path).unwrap();
    work.git(&["push", "--quiet"]);
    recovers(&world, &a, &b);
}

#[test]
fn truth_10_a_black_hole() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    // Nobody ever accepts; the system does, so the connection stands and nothing comes.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = a.git(&["remote", "get-url", "origin"]);
    let http = format!("http://{}/srv.git", hole.local_addr().unwrap());
    a.git(&["remote", "set-url", "origin", &http]);
    a.git(&["config", "godzilla.sync.timeoutSeconds", "2"]);
    a.godzilla_ok(&["comment", "into the dark", "-p", "1"]);
    failed_sync(&a, "unreachable");
    a.git(&["remote", "set-url", "origin", url.trim()]);
    recovers(&world, &a, &b);
}

#[test]
fn truth_10_a_server_that_hangs_when_state_is_pushed() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    let wrapper = world.path().join("receive");
    let pid = world.path().join("hung");
    write_hook(
        &wrapper,
        &format!(
            "#!/bin/sh\nif [ -n \"$GODZILLA_HOOK_DEPTH\" ]; then echo $$ >{}; exec sleep 600; fi\nexec git-receive-pack \"$@\"\n",
            pid.display()
        ),
    );
    a.user_config("remote.origin.receivepack", wrapper.to_str());
    a.git(&["config", "godzilla.sync.pushTimeoutSeconds", "1"]);
    let commit = work.commit("one.txt", "feat: a part");
    let pushed = work.try_git(&["push", "--quiet"]);
    assert!(said_of_push(&pushed).contains("no answer for"), "{pushed}");
    let server = world.place("srv.git");
    assert_eq!(ref_at(&server, &format!("refs/heads/{NAME}")), Some(commit));
    assert_is_gone(std::fs::read_to_string(pid).unwrap().trim());
    a.user_config("remote.origin.receivepack", None);
    recovers(&world, &a, &b);
}

/// Nothing that we started outlives the limit. A process that was killed may still wait to be
/// reaped.
#[track_caller]
fn assert_is_gone(pid: &str) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map_or('X', |(_, rest)| rest.chars().next().unwrap_or('X'));
    assert!(matches!(state, 'X' | 'Z'), "process {pid} still runs: {stat}");
}

#[test]
fn truth_10_a_read_only_server() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    // It lets everybody read, and only the user's own push through, which another way is found for.
    let wrapper = world.path().join("receive");
    write_hook(
        &wrapper,
        "#!/bin/sh\nif [ -n \"$GODZILLA_HOOK_DEPTH\" ]; then echo 'remote: you may not write here' >&2; exit 1; fi\nexec git-receive-pack \"$@\"\n",
    );
    a.user_config("remote.origin.receivepack", wrapper.to_str());
    work.commit("one.txt", "feat: a part");
    let pushed = work.try_git(&["push", "--quiet"]);
    said_of_push(&pushed);
    let shown = a.godzilla(&["sync", "--json"]);
    assert_eq!(shown.code, Some(7), "{shown}");
    a.user_config("remote.origin.receivepack", None);
    recovers(&world, &a, &b);
}

#[test]
fn truth_10_a_server_that_refuses_our_refs() {
    for (hook, text) in [
        ("update", "#!/bin/sh\ncase $1 in refs/godzilla/*) echo 'branches only' >&2; exit 1;; esac\n"),
        ("pre-receive", "#!/bin/sh\n! grep -q refs/godzilla/\n"),
    ] {
        let world = World::new();
        let (a, work, b) = two_clones(&world);
        let server = world.place("srv.git");
        let path = server.path.join("hooks").join(hook);
        write_hook(&path, text);
        let before = ref_at(&server, STREAM);
        let commit = work.commit("one.txt", "feat: a part");
        let pushed = work.try_git(&["push", "--quiet"]);
        assert!(said_of_push(&pushed).contains("hook declined"), "{pushed}");
        assert_eq!(ref_at(&server, &format!("refs/heads/{NAME}")), Some(commit));
        failed_sync(&a, "refused");
        assert_eq!(ref_at(&server, STREAM), before);
        assert!(!refs(&server).contains("inbox"));
        std::fs::remove_file(path).unwrap();
        recovers(&world, &a, &b);
    }
}

#[test]
fn truth_10_what_is_pushed_where_nothing_is_shared_stays_quiet() {
    let world = World::new();
    let (a, work, _) = two_clones(&world);
    world.place("").git(&["init", "--quiet", "--bare", "--initial-branch=main", "other.git"]);
    let other = world.place("other.git").path;
    a.git(&["remote", "add", "other", other.to_str().unwrap()]);
    work.commit("one.txt", "feat: a part");
    for to in ["other", other.to_str().unwrap()] {
        let pushed = work.try_git(&["push", "--quiet", to, "HEAD"]);
        assert_eq!((pushed.code, pushed.stderr.as_str()), (Some(0), ""), "{pushed}");
    }
    assert!(!refs(&world.place("other.git")).contains("godzilla"));
    // An empty remote gets the user's branch first, and the state with the next push.
    a.godzilla_ok(&["init", "--yes", "--remote", "other"]);
    world.place("other.git").git(&["update-ref", "-d", &format!("refs/heads/{NAME}")]);
    a.git(&["update-ref", "-d", &format!("refs/remotes/other/{NAME}")]);
    let pushed = a.try_git(&["push", "--quiet", "other", "main"]);
    assert_eq!((pushed.code, pushed.stderr.as_str()), (Some(0), ""), "{pushed}");
    assert!(!refs(&world.place("other.git")).contains("godzilla"));
    a.git(&["push", "--quiet", "other", "main"]);
    assert!(ref_at(&world.place("other.git"), &stream(NAME)).is_some());
}

#[test]
fn truth_10_a_dry_run_and_a_push_of_our_refs_move_nothing_more() {
    let world = World::new();
    let (a, work, _) = two_clones(&world);
    let server = world.place("srv.git");
    work.commit("one.txt", "feat: a part");
    let before = refs(&server);
    for args in [&["push", "--dry-run"][..], &["push", "-n", "origin", "HEAD"]] {
        work.git(args);
    }
    assert_eq!(refs(&server), before);
    a.godzilla_ok(&["plan", "y", "--step", "Only"]);
    a.git(&["push", "--quiet", "origin", &format!("{STREAM}:{STREAM}")]);
    assert_eq!(ref_at(&server, STREAM), ref_at(&a, STREAM));
    assert_eq!(ref_at(&server, &stream("0002-y")), None, "only what was asked for");
}
