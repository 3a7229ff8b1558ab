//! Smart HTTP, with and without credentials.

use super::{
    Asked, NAME, assert_quiet, assert_shared, begin, push, push_with, remote_state, server_hook,
    the_one_line, unshared, with_each_git,
};
use crate::support::http_server::HttpServer;
use crate::support::{BIN, Place, World, run};

fn serve(a: &Place<'_>, server: &HttpServer) {
    a.git(&["remote", "set-url", "origin", &server.url("srv.git")]);
    server.requests();
}

fn asked(world: &World) -> Asked {
    Asked::new(world, "case $1 in Username*) echo ada;; *) echo s3same;; esac")
}

#[test]
fn state_goes_along_in_one_more_connection() {
    with_each_git(|world| {
        let server = HttpServer::open(world);
        let (a, work) = begin(world);
        serve(&a, &server);
        assert_quiet(&push(&work));
        assert_eq!(server.pushes(), 2, "the user's push and ours");
        assert_shared(&a, &work);
        assert_quiet(&push(&work));
        assert_eq!(server.pushes(), 1, "nothing new, nothing sent");
        // The state does not wait for a branch that moves.
        a.godzilla_ok(&["comment", "a word", "-p", "1"]);
        assert_quiet(&push(&work));
        assert_eq!(server.pushes(), 2);
        assert_shared(&a, &work);
    });
}

#[test]
fn a_helper_of_the_user_answers_for_both() {
    with_each_git(|world| {
        let server = HttpServer::guarded(world);
        let (a, work) = begin(world);
        serve(&a, &server);
        let asked = asked(world);
        work.git(&["config", "--global", "credential.helper", "store"]);
        assert_quiet(&push_with(&work, &[("GIT_ASKPASS", &asked.program)]));
        assert_eq!(asked.count(), 2, "a name and a password, once");
        assert_shared(&a, &work);
    });
}

#[test]
fn without_a_helper_a_person_is_asked_once() {
    with_each_git(|world| {
        let server = HttpServer::guarded(world);
        let (a, work) = begin(world);
        serve(&a, &server);
        let asked = asked(world);
        let env = [("GIT_ASKPASS", asked.program.as_str()), ("SSH_ASKPASS", &asked.program)];
        for text in ["first", "second"] {
            let commit = work.commit("file.txt", text);
            let shown = push_with(&work, &env);
            let line = the_one_line(&shown);
            assert!(line.contains("set up a credential helper, or share them"), "{line}");
            assert_eq!(asked.count(), 2, "{text}");
            assert_eq!(super::ref_at(&world.place("srv.git"), super::BRANCH), Some(commit));
        }
        let told = remote_state(&a)["last_error"].as_str().unwrap().to_owned();
        assert!(told.starts_with("auth: "), "{told}");
        // One connection, one question for all of it.
        work.commit("file.txt", "third");
        server.requests();
        let shown = run(work.command(BIN).args(["push", "origin", NAME]).envs(env));
        assert_eq!(shown.code, Some(0), "{shown}");
        assert_eq!((asked.count(), server.pushes()), (2, 1));
        assert_shared(&a, &work);
        assert_eq!(remote_state(&a)["last_error"], serde_json::Value::Null);
    });
}

#[test]
fn a_password_of_an_address_is_told_to_nobody() {
    with_each_git(|world| {
        let server = HttpServer::guarded(world);
        let (a, work) = begin(world);
        let url = server.url("srv.git").replace("://", "://ada:s3same@");
        a.git(&["remote", "set-url", "origin", &url]);
        server_hook(world, "update", "case $1 in refs/godzilla/*) exit 1;; esac");
        let shown = push(&work);
        the_one_line(&shown);
        assert!(!shown.to_string().contains("s3same"), "{shown}");
        assert_ne!(unshared(&a), 0);
        // Nor when the server is gone.
        let gone = url.replace("/srv.git", "/none.git");
        a.git(&["remote", "set-url", "origin", &gone]);
        let shown = a.godzilla(&["sync"]);
        assert!(shown.code == Some(7) && !shown.to_string().contains("s3same"), "{shown}");
        let status = a.godzilla_ok(&["status", "--all", "--json"]);
        assert!(status.contains("\"last_error\":\"") && !status.contains("s3same"), "{status}");
        for entry in std::fs::read_dir(a.path.join(".git/godzilla/remotes")).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            assert!(!text.contains("s3same"), "{text}");
        }
    });
}
