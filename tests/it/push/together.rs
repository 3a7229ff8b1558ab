//! `git godzilla push`: branch and state in one connection, and what happens when the server wants only
//! one of them.

use serde_json::{Value, json};

use super::{
    BRANCH, NAME, STREAM, assert_quiet, assert_shared, begin, chain_pre_push, go_apart, push, record_pushes,
    ref_at, remote_state, server_hook, unshared, with_each_git,
};
use crate::support::http_server::HttpServer;
use crate::support::{Place, World};

fn all_refs(place: &Place<'_>) -> String {
    place.git(&["for-each-ref", "--format=%(refname) %(objectname)"])
}

/// Lets another clone share something of the same stream.
fn another_word(world: &World) {
    let b = if world.path().join("b").exists() { world.place("b") } else { world.clone("b") };
    b.godzilla_ok(&["comment", "from b", "-p", "1"]);
    b.godzilla_ok(&["sync"]);
}

#[test]
fn branch_and_state_go_in_one_connection() {
    with_each_git(|world| {
        let server = HttpServer::open(world);
        let (a, work) = begin(world);
        a.git(&["remote", "set-url", "origin", &server.url("srv.git")]);
        let pushes = record_pushes(world);
        server.requests();
        let pushed = work.json(&["push", "origin", NAME]);
        assert_eq!(server.pushes(), 1);
        assert_eq!(pushes().len(), 1);
        assert_shared(&a, &work);
        let head = ref_at(&work, "HEAD").unwrap();
        let shown =
            json!([{ "name": BRANCH, "from": BRANCH, "result": "created", "summary": "[new branch]" }]);
        assert_eq!((&pushed["refs"], &pushed["state"]), (&shown, &json!("together")));
        assert!(pushed["pushed_events"].as_u64() > Some(3), "{pushed}");
        assert_eq!(pushed["unshared_events"], 0);
        // Nothing new.
        let pushed = work.json(&["push", "origin", NAME]);
        assert_eq!(
            (&pushed["refs"][0]["result"], &pushed["state"]),
            (&json!("up_to_date"), &json!("up_to_date"))
        );
        assert_eq!(ref_at(&world.place("srv.git"), BRANCH), Some(head));
    });
}

#[test]
fn without_a_refspec_it_goes_where_git_push_would() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        let server = world.place("srv.git");
        let pushes = record_pushes(world);
        // No upstream: git says what to do, and nothing goes.
        a.git(&["config", "push.autoSetupRemote", "false"]);
        let shown = work.godzilla(&["push"]);
        assert_eq!(shown.code, Some(7), "{shown}");
        assert!(shown.stderr.contains("no upstream branch"), "{shown}");
        assert!(shown.stderr.contains("git godzilla push -u origin HEAD"), "{shown}");
        assert!(pushes().is_empty());
        // The branch of a protocol has one name everywhere.
        a.git(&["config", "--unset", "push.autoSetupRemote"]);
        work.godzilla_ok(&["push"]);
        assert_eq!(pushes().len(), 1);
        assert_eq!(work.git(&["rev-parse", "--abbrev-ref", "@{upstream}"]).trim(), format!("origin/{NAME}"));
        for (settings, wanted, n_pushes) in [
            (&[][..], BRANCH, 1),
            (&[("push.default", "current")], BRANCH, 1),
            (&[("push.default", "upstream"), ("branch.0001-x.merge", "refs/heads/up")], "refs/heads/up", 1),
            (&[("push.default", "simple"), ("branch.0001-x.merge", "refs/heads/0001-x")], BRANCH, 1),
            // Here git decides by more than the current branch, so the state has a connection of its own.
            (&[("push.default", "matching")], BRANCH, 2),
            (&[("remote.origin.push", "refs/heads/0001-x:refs/heads/elsewhere")], "refs/heads/elsewhere", 2),
        ] {
            for (key, value) in settings {
                a.git(&["config", key, value]);
            }
            let commit = work.commit("file.txt", &format!("feat: {settings:?}"));
            pushes();
            work.godzilla_ok(&["push"]);
            assert_eq!(ref_at(&server, wanted), Some(commit), "{settings:?}");
            assert_eq!((pushes().len(), unshared(&a)), (n_pushes, 0), "{settings:?}");
        }
    });
}

#[test]
fn what_is_rejected_takes_the_state_with_it() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        assert_quiet(&push(&work));
        go_apart(world, &work);
        let before = all_refs(&world.place("srv.git"));
        let shown = work.godzilla(&["push", "origin", NAME, "--json"]);
        assert_eq!(shown.code, Some(1), "{shown}");
        let pushed: Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!(
            (&pushed["refs"][0]["result"], &pushed["state"]),
            (&json!("rejected"), &json!("not_shared"))
        );
        assert_eq!(pushed["message"], "the push was rejected");
        let told = work.godzilla(&["push", "origin", NAME]).stderr;
        assert!(told.contains("`git godzilla sync` before you pull"), "{told}");
        assert_eq!(all_refs(&world.place("srv.git")), before);
        assert_eq!(remote_state(&a)["last_error"], Value::Null, "nobody said anything about the state");
        work.git(&["pull", "--quiet", "--rebase", "origin", NAME]);
        work.godzilla_ok(&["push", "origin", NAME]);
        assert_eq!(unshared(&a), 0);
    });
}

#[test]
fn state_that_was_overtaken_does_not_hold_the_branch() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        assert_quiet(&push(&work));
        another_word(world);
        work.commit("two.txt", "feat: more");
        let pushed = work.json(&["push", "origin", NAME]);
        assert_eq!((&pushed["refs"][0]["result"], &pushed["state"]), (&json!("updated"), &json!("apart")));
        assert_shared(&a, &work);
        let b = world.place("b");
        b.git(&["fetch", "--quiet"]);
        assert_eq!(b.event_ids(NAME), a.event_ids(NAME));
    });
}

#[test]
fn a_server_that_refuses_the_state_gets_the_branch() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        let server = world.place("srv.git");
        for (hook, text) in [
            ("update", "case $1 in refs/godzilla/*) exit 1;; esac"),
            ("pre-receive", "! grep -q refs/godzilla/"),
        ] {
            let path = server_hook(world, hook, text);
            std::fs::remove_file(a.path.join(".git/godzilla/remotes/origin.json")).ok();
            let commit = work.commit("two.txt", hook);
            let pushed = work.json(&["push", "origin", NAME]);
            assert_eq!(pushed["state"], "not_shared");
            assert!(pushed["message"].as_str().unwrap().contains("declined"), "{pushed}");
            assert_eq!(ref_at(&server, BRANCH), Some(commit));
            assert!(remote_state(&a)["last_error"].as_str().unwrap().starts_with("refused: "));
            // It is not asked again, and what is missing is said all the same.
            let pushes = record_pushes(world);
            pushes();
            let commit = work.commit("two.txt", &format!("feat: past {hook}"));
            let shown = work.godzilla(&["push", "origin", NAME]);
            assert!(shown.code == Some(0) && shown.stderr.contains("events not on origin ("), "{shown}");
            assert!(shown.stderr.contains("share them with `git godzilla sync`"), "{shown}");
            assert_eq!(pushes(), [[BRANCH]]);
            assert_eq!(ref_at(&server, BRANCH), Some(commit));
            std::fs::remove_file(path).unwrap();
        }
        work.godzilla_ok(&["sync"]);
        assert_shared(&a, &work);
    });
}

#[test]
fn a_server_that_refuses_the_branch_is_told_so() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        for hook in ["update", "pre-receive"] {
            let path = server_hook(world, hook, "case $(cat)$1 in *refs/heads/*) exit 1;; esac");
            let shown = work.godzilla(&["push", "origin", NAME]);
            assert_eq!(shown.code, Some(1), "{shown}");
            assert!(shown.stdout.contains("✗ 0001-x: [remote rejected]"), "{shown}");
            assert_ne!(unshared(&a), 0);
            assert_eq!(remote_state(&a)["last_error"], Value::Null);
            std::fs::remove_file(path).unwrap();
        }
    });
}

#[test]
fn a_server_that_cannot_do_all_or_nothing_does_one_by_one() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        world.place("srv.git").git(&["config", "receive.advertiseAtomic", "false"]);
        let pushes = record_pushes(world);
        let pushed = work.json(&["push", "origin", NAME]);
        assert_eq!((&pushed["state"], pushes().len()), (&json!("together"), 1));
        assert_shared(&a, &work);
        another_word(world);
        work.commit("two.txt", "feat: more");
        assert_eq!(work.json(&["push", "origin", NAME])["state"], "apart");
        assert_shared(&a, &work);
    });
}

#[test]
fn force_is_for_branches_and_never_for_the_state() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        assert_quiet(&push(&work));
        let server = world.place("srv.git");
        for option in ["--force", "--force-with-lease"] {
            another_word(world);
            let theirs = ref_at(&server, STREAM).unwrap();
            work.git(&["commit", "--quiet", "--amend", "-m", &format!("feat: {option}")]);
            let shown = work.godzilla(&["push", "origin", NAME]);
            assert_eq!(shown.code, Some(1), "{shown}");
            let pushed = work.json(&["push", option, "origin", NAME]);
            assert_eq!((&pushed["refs"][0]["result"], &pushed["state"]), (&json!("forced"), &json!("apart")));
            server.git(&["merge-base", "--is-ancestor", &theirs, STREAM]);
            assert_shared(&a, &work);
        }
        // A lease that does not hold.
        work.git(&["commit", "--quiet", "--amend", "-m", "feat: again"]);
        let lease = format!("--force-with-lease={NAME}:{}", ref_at(&work, "main").unwrap());
        let shown = work.godzilla(&["push", &lease, "origin", NAME]);
        assert!(shown.code == Some(1) && shown.stdout.contains("stale info"), "{shown}");
    });
}

#[test]
fn a_dry_run_moves_nothing_anywhere() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        let server = world.place("srv.git");
        assert_quiet(&push(&work));
        another_word(world);
        a.godzilla_ok(&["comment", "a word", "-p", "1"]);
        work.commit("two.txt", "feat: more");
        let before = (all_refs(&server), all_refs(&a));
        for args in [&["push", "-n", "origin", NAME][..], &["push", "--dry-run", "origin", "main", "--force"]]
        {
            let shown = work.godzilla(args);
            assert!(shown.code == Some(0) && shown.stdout.contains("would be pushed"), "{shown}");
            assert_eq!((all_refs(&server), all_refs(&a)), before, "{args:?}");
        }
    });
}

#[test]
fn other_refs_and_other_remotes() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        let server = world.place("srv.git");
        a.git(&["tag", "-m", "one", "v1"]);
        a.git(&["tag", "-m", "two", "v2"]);
        a.godzilla_ok(&["push", "origin", "tag", "v1", "main:refs/heads/copy"]);
        assert!(ref_at(&server, "refs/tags/v1").is_some() && ref_at(&server, "refs/tags/v2").is_none());
        assert_eq!(unshared(&a), 0);
        a.godzilla_ok(&["push", "--tags", "origin"]);
        assert!(ref_at(&server, "refs/tags/v2").is_some());
        work.commit("two.txt", "feat: more");
        a.godzilla_ok(&["push", "--delete", "origin", "copy", "tag", "v1"]);
        assert!(ref_at(&server, "refs/tags/v1").is_none() && ref_at(&server, "refs/heads/copy").is_none());
        assert_eq!(unshared(&a), 0);
        // Where nothing is shared nothing is sent, and nothing is said.
        let other = world.place("other.git");
        world.place("").git(&["init", "--quiet", "--bare", "other.git"]);
        a.git(&["remote", "add", "other", "../other.git"]);
        for to in ["other", other.path.to_str().unwrap()] {
            let pushed = a.json(&["push", to, &format!("main:refs/heads/{}", to.len())]);
            assert_eq!((&pushed["state"], &pushed["remote"]), (&json!("none"), &json!(to)));
        }
        assert!(!all_refs(&other).contains("godzilla"));
        // What names our refs is the user's, and what must not leave does not.
        a.godzilla_ok(&["comment", "a word", "-p", "1"]);
        a.godzilla_ok(&["push", "origin", &format!("{STREAM}:{STREAM}")]);
        assert_eq!(ref_at(&server, STREAM), ref_at(&a, STREAM));
        a.git(&["update-ref", "refs/godzilla-local/x", "HEAD"]);
        let shown = a.godzilla(&["push", "origin", "refs/godzilla-local/x"]);
        assert!(shown.code != Some(0) && shown.stderr.contains("must stay in this clone"), "{shown}");
        let shown = a.godzilla(&["push", "nowhere", "main"]);
        assert!(shown.code == Some(7) && shown.stderr.contains("nowhere"), "{shown}");
    });
}

#[test]
fn the_hooks_of_the_repository_run_and_are_heard() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        chain_pre_push(&a, "cat >/dev/null; echo to stdout; echo to stderr >&2; [ ! -e \"$PWD/forbidden\" ]");
        let shown = work.godzilla(&["push", "origin", NAME, "--json"]);
        assert_eq!(shown.code, Some(0), "{shown}");
        let pushed: Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!(pushed["state"], "together");
        assert!(shown.stderr.contains("to stdout\n") && shown.stderr.contains("to stderr\n"), "{shown}");
        work.write("forbidden", "");
        work.commit("forbidden", "feat: forbidden");
        let before = all_refs(&world.place("srv.git"));
        let shown = work.godzilla(&["push", "origin", NAME]);
        assert_ne!(shown.code, Some(0), "{shown}");
        assert_eq!(all_refs(&world.place("srv.git")), before);
        work.godzilla_ok(&["push", "--no-verify", "origin", NAME]);
        assert_shared(&a, &work);
    });
}

#[test]
fn an_empty_remote_gets_the_branch_first() {
    with_each_git(|world| {
        let a = world.place("a");
        world.place("").git(&["init", "--quiet", "a"]);
        a.git(&["remote", "add", "origin", world.path().join("srv.git").to_str().unwrap()]);
        a.commit("README", "first");
        a.godzilla_ok(&["init", "--yes"]);
        a.plan("x", &["One"]);
        let pushes = record_pushes(world);
        a.godzilla_ok(&["push", "-u", "origin", "main"]);
        let pushes = pushes();
        assert_eq!(pushes[0], ["refs/heads/main"], "{pushes:?}");
        assert_eq!(unshared(&a), 0);
    });
}
