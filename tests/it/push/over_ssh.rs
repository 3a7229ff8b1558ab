//! A real `sshd`.

use super::{Asked, NAME, assert_quiet, assert_shared, begin, push, push_with, the_one_line, with_each_git};
use crate::support::ssh_server::SshServer;
use crate::support::{BIN, run};

#[test]
fn state_goes_along_in_one_more_connection() {
    with_each_git(|world| {
        let Some(server) = SshServer::start(world) else { return };
        let (a, work) = begin(world);
        a.git(&["remote", "set-url", "origin", &server.url(&world.place("srv.git"))]);
        assert_quiet(&push(&work));
        assert_eq!(server.connections(), 2, "the user's push and ours");
        assert_shared(&a, &work);
        assert_quiet(&push(&work));
        assert_eq!(server.connections(), 1, "nothing new, nothing sent");
        work.commit("two.txt", "feat: more");
        work.godzilla_ok(&["push", "origin", NAME]);
        assert_eq!(server.connections(), 1, "both in one");
        assert_shared(&a, &work);
    });
}

/// A key with a passphrase, and no agent.
#[test]
fn a_passphrase_is_asked_for_once() {
    with_each_git(|world| {
        let Some(server) = SshServer::start(world) else { return };
        let (a, work) = begin(world);
        a.git(&["remote", "set-url", "origin", &server.url(&world.place("srv.git"))]);
        let key = world.path().join("ssh/user");
        let change = ["-q", "-p", "-P", "", "-N", "open sesame", "-f", key.to_str().unwrap()];
        assert_eq!(run(a.command("ssh-keygen").args(change)).code, Some(0));
        let asked = Asked::new(world, "echo open sesame");
        let env =
            [("SSH_ASKPASS", asked.program.as_str()), ("SSH_ASKPASS_REQUIRE", "force"), ("DISPLAY", ":0")];
        let shown = push_with(&work, &env);
        let line = the_one_line(&shown);
        assert!(line.contains("Permission denied") || line.contains("Could not read"), "{line}");
        assert_eq!((asked.count(), server.connections()), (1, 2));
        // Whoever is asked each time takes the command that asks once for both.
        work.commit("two.txt", "feat: more");
        let shown = run(work.command(BIN).args(["push", "origin", NAME]).envs(env));
        assert_eq!(shown.code, Some(0), "{shown}");
        assert_eq!((asked.count(), server.connections()), (1, 1));
        assert_shared(&a, &work);
    });
}
