//! Servers that say nothing: the push waits no longer than it may, and leaves nothing behind.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use super::{assert_quiet, assert_shared, begin, push, remote_state, the_one_line, with_each_git};
use crate::support::http_server::HttpServer;
use crate::support::{BIN, Place, Shown, World, at_once};

/// Longer than any test may take, for what must not happen.
const FOR_EVER: &str = "86400";

/// Checks that nobody holds the other end any more.
#[track_caller]
fn assert_is_left(stream: &mut TcpStream) {
    // So that a failure is told.
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => (),
        Err(err) => assert_eq!(err.kind(), ErrorKind::ConnectionReset, "somebody still waits: {err}"),
    }
}

/// Starts our hook as git does when the user pushes the branch.
fn hook(work: &Place<'_>, url: &str) -> Child {
    let head = work.git(&["rev-parse", "HEAD"]);
    let line = format!("refs/heads/0001-x {0} refs/heads/0001-x {0}\n", head.trim());
    let mut command = work.command(BIN);
    command.args(["hook", "pre-push", "origin", url]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut hook = command.spawn().unwrap();
    hook.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
    hook
}

#[track_caller]
fn end_of(hook: Child) -> Shown {
    let output = hook.wait_with_output().unwrap();
    Shown {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code(),
    }
}

#[test]
fn a_server_that_falls_silent_over_http() {
    with_each_git(|world| {
        let server = HttpServer::open(world);
        let (a, work) = begin(world);
        a.git(&["remote", "set-url", "origin", &server.url("srv.git")]);
        a.git(&["config", "godzilla.sync.pushTimeoutSeconds", "1"]);
        // The first is the user's.
        server.hang_on_push(2);
        let shown = push(&work);
        assert!(the_one_line(&shown).contains("no answer for 1 s"), "{shown}");
        let mut held = server.let_go();
        assert_eq!(held.len(), 1);
        assert_is_left(&mut held[0]);
        let told = remote_state(&a)["last_error"].as_str().unwrap().to_owned();
        assert!(told.starts_with("unreachable: no answer"), "{told}");
        // Nothing is held against it.
        assert_quiet(&push(&work));
        assert_shared(&a, &work);
    });
}

/// A listener whose queue is full: the system answers nobody any more.
fn full_listener() -> (TcpListener, SocketAddr, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        waiting.push(stream);
        assert!(waiting.len() < 900, "the queue has no end");
    }
    (listener, address, waiting)
}

#[test]
fn a_server_that_never_accepts() {
    let (_listener, address, _waiting) = full_listener();
    at_once(["http", "ssh", "git"], |scheme| {
        let world = World::new();
        let (a, work) = begin(&world);
        let url = format!("{scheme}://{address}/srv.git");
        a.git(&["config", "godzilla.sync.pushTimeoutSeconds", "1"]);
        a.git(&["remote", "set-url", "origin", &url]);
        a.user_config("core.sshCommand", Some("ssh -F /dev/null"));
        let shown = end_of(hook(&work, &url));
        assert!(the_one_line(&shown).contains("no answer for 1 s"), "{url}\n{shown}");
    });
}

#[test]
fn a_server_that_accepts_and_says_nothing() {
    at_once(["http", "ssh", "git"], |scheme| {
        let world = World::new();
        let (a, work) = begin(&world);
        a.git(&["config", "godzilla.sync.pushTimeoutSeconds", "1"]);
        a.user_config("core.sshCommand", Some("ssh -F /dev/null"));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}/srv.git", listener.local_addr().unwrap());
        a.git(&["remote", "set-url", "origin", &url]);
        let shown = end_of(hook(&work, &url));
        the_one_line(&shown);
        assert_is_left(&mut listener.accept().unwrap().0);
    });
}

/// Ctrl-C reaches the hook, and the git that it started is in a group of its own.
#[test]
fn a_hook_that_is_stopped_leaves_nothing_behind() {
    let world = World::new();
    let (a, work) = begin(&world);
    a.git(&["config", "godzilla.sync.pushTimeoutSeconds", FOR_EVER]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/srv.git", listener.local_addr().unwrap());
    a.git(&["remote", "set-url", "origin", &url]);
    for signal in ["INT", "TERM"] {
        let hook = hook(&work, &url);
        let mut stream = listener.accept().unwrap().0;
        let pid = hook.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let shown = end_of(hook);
        assert!(the_one_line(&shown).contains("was stopped"), "{shown}");
        assert_is_left(&mut stream);
    }
}
