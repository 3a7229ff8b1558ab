//! `git push`: what our part of it sends, refuses, and leaves alone.

use super::{Life, put_script, with_each_git};
use crate::support::{Place, World};

/// Refs of ours at the remote.
fn shared(world: &World) -> String {
    world.place("srv.git").git(&["for-each-ref", "--format=%(refname)", "refs/godzilla"])
}

fn all(world: &World) -> String {
    super::refs(&world.place("srv.git"))
}

/// Makes the bare repository count the pushes it takes.
fn count_pushes(world: &World) -> impl Fn() -> usize {
    let record = world.path().join("pushes");
    put_script(&world.path().join("srv.git/hooks/post-receive"), &format!("echo >>'{}'", record.display()));
    move || std::fs::read(&record).map_or(0, |bytes| bytes.len())
}

#[test]
fn a_push_takes_the_state_along_once() {
    with_each_git(|world| {
        let life = Life::begin(world);
        life.work.commit("a.txt", "feat: a");
        let n_pushes = count_pushes(world);
        let shown = life.work.try_git(&["push", "--porcelain", "origin", "HEAD"]);
        assert_eq!(shown.code, Some(0), "{shown}");
        assert!(shown.stdout.lines().all(|line| !line.contains("godzilla")), "stdout is git's: {shown}");
        assert_eq!(n_pushes(), 2, "the user's push and ours");
        assert!(shared(world).contains("refs/godzilla/protocols/0001-add-a-login-page\n"));
        assert_eq!(life.show()["unshared_events"], 0);
        life.assert_prompt();
        // Nothing new, nothing sent.
        life.work.git(&["push", "--quiet", "origin", "HEAD"]);
        assert_eq!(n_pushes(), 2);
        // A push of any other branch takes it along as well; a deletion, too.
        life.work.commit("b.txt", "feat: b");
        life.home.git(&["push", "--quiet", "origin", "main:other"]);
        assert_eq!(life.show()["unshared_events"], 0);
        life.work.commit("c.txt", "feat: c");
        life.home.git(&["push", "--quiet", "origin", ":other"]);
        assert_eq!(life.show()["unshared_events"], 0);
    });
}

#[test]
fn w3_a_mirror_is_refused_with_the_remedy() {
    with_each_git(|world| {
        let life = Life::begin(world);
        life.work.commit("a.txt", "feat: a");
        let before = all(world);
        for args in [
            &["push", "--mirror", "origin"][..],
            &["push", "origin", "refs/godzilla-remote/*:refs/godzilla-remote/*"],
            &["push", "origin", "refs/godzilla-remote/origin/project:refs/heads/x"],
        ] {
            // Something of a remote must be here for it to be pushed.
            life.home.git(&["fetch", "--quiet"]);
            life.home.git(&["update-ref", "refs/godzilla-remote/origin/project", "refs/godzilla/project"]);
            let shown = life.home.try_git(args);
            assert_eq!(shown.code, Some(1), "{args:?}\n{shown}");
            assert!(shown.stderr.contains("which must stay in this clone"), "{shown}");
            assert!(shown.stderr.contains("git push --all && git push --tags"), "{shown}");
            assert_eq!(all(world), before, "{args:?}");
        }
        life.home.git(&["push", "--quiet", "--all"]);
        life.home.git(&["push", "--quiet", "--tags"]);
        assert_eq!(life.show()["unshared_events"], 0);
    });
}

#[test]
fn a_dry_run_changes_no_ref() {
    with_each_git(|world| {
        let life = Life::begin(world);
        life.work.commit("a.txt", "feat: a");
        let before = all(world);
        life.home.git(&["config", "alias.try", "push --dry-run"]);
        life.home.git(&["config", "alias.try-shell", "!git push -n"]);
        for args in [
            &["push", "--dry-run", "origin", "HEAD"][..],
            &["push", "-n", "origin", "HEAD"],
            &["push", "-fn", "origin", "HEAD"],
            &["push", "--dry", "--porcelain", "origin", "HEAD"],
            &["-c", "push.default=current", "push", "origin", "HEAD", "--dry-run"],
            &["try", "origin", "HEAD"],
            &["try-shell", "origin", "HEAD"],
        ] {
            life.work.git(args);
            assert_eq!(all(world), before, "{args:?}");
        }
        assert_ne!(life.show()["unshared_events"], 0);
    });
}

#[test]
fn a_push_of_our_own_refs_gets_no_nested_push() {
    with_each_git(|world| {
        let life = Life::begin(world);
        life.work.commit("a.txt", "feat: a");
        let n_pushes = count_pushes(world);
        life.home.git(&["push", "--quiet", "origin", "refs/godzilla/*:refs/godzilla/*"]);
        assert_eq!(n_pushes(), 1);
        assert!(shared(world).contains("refs/godzilla/project\n"));
        // The local ref is at the remote, which the next fetch shows.
        life.home.git(&["fetch", "--quiet"]);
        assert_eq!(life.show()["unshared_events"], 0);
    });
}

#[test]
fn nothing_is_sent_where_nobody_asked_for_it() {
    with_each_git(|world| {
        let life = Life::begin(world);
        life.work.commit("a.txt", "feat: a");
        let url = world.path().join("srv.git");
        let quiet = |place: &Place<'_>, args: &[&str]| {
            let shown = place.try_git(args);
            assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""), "{args:?}");
            assert_eq!(shared(world), "", "{args:?}");
        };
        // A URL, a remote without our refspec, a switch, no hooks at all.
        quiet(&life.work, &["push", "--quiet", url.to_str().unwrap(), "HEAD"]);
        life.home.git(&["remote", "add", "other", url.to_str().unwrap()]);
        quiet(&life.work, &["push", "--quiet", "other", "HEAD:refs/heads/x"]);
        life.home.git(&["config", "godzilla.sync.auto", "false"]);
        quiet(&life.work, &["push", "--quiet", "origin", "HEAD:refs/heads/y"]);
        life.home.git(&["config", "--unset", "godzilla.sync.auto"]);
        quiet(&life.work, &["push", "--quiet", "--no-verify", "origin", "HEAD:refs/heads/z"]);
        life.work.git(&["push", "--quiet", "origin", "HEAD:refs/heads/w"]);
        assert_ne!(shared(world), "");
    });
}

#[test]
fn the_first_push_to_an_empty_remote_sends_none() {
    with_each_git(|world| {
        let a = world.place("a");
        world.place("").git(&["init", "--quiet", "a"]);
        a.git(&["remote", "add", "origin", world.path().join("srv.git").to_str().unwrap()]);
        a.commit("README", "first");
        a.godzilla_ok(&["init", "--yes"]);
        let planned = a.json(&["plan", "Add a login page"]);
        a.git(&["push", "--quiet", "origin", "main"]);
        assert_eq!(shared(world), "", "the first branch is the user's");
        a.git(&["push", "--quiet", "origin", planned["name"].as_str().unwrap()]);
        assert!(
            shared(world).contains("refs/godzilla/protocols/0001-add-a-login-page\n"),
            "{}",
            shared(world)
        );
    });
}

/// What the user asked for happens, whatever the server says to our part of it.
#[test]
fn a_server_that_refuses_our_refs_gets_the_branch() {
    with_each_git(|world| {
        let life = Life::begin(world);
        life.work.commit("a.txt", "feat: a");
        let hook = world.path().join("srv.git/hooks/update");
        put_script(&hook, "case $1 in refs/godzilla/*) echo 'no such refs here'; exit 1;; esac");
        let shown = life.work.try_git(&["push", "--quiet", "origin", "HEAD"]);
        assert_eq!(shown.code, Some(0), "{shown}");
        let ours: Vec<&str> =
            shown.stderr.lines().filter(|line| line.starts_with("git-godzilla: ")).collect();
        let [line] = ours[..] else { panic!("{shown}") };
        assert!(line.contains("events are not shared with origin ("), "{line}");
        assert!(line.ends_with("share them with `git godzilla sync`"), "{line}");
        assert!(all(world).contains("refs/heads/0001-add-a-login-page "));
        std::fs::remove_file(&hook).unwrap();
        life.home.godzilla_ok(&["sync"]);
        assert_eq!(life.show()["unshared_events"], 0);
    });
}

#[test]
fn a_checkout_says_what_arrived_and_nothing_else() {
    with_each_git(|world| {
        let life = Life::begin(world);
        life.work.commit("a.txt", "feat: a");
        life.work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
        let b = world.clone("b");
        life.work.commit("b.txt", "feat: b");
        // Ahead of the remote is no news.
        let shown = life.home.try_git(&["switch", "--quiet", "--create", "x"]);
        assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
        life.work.git(&["push", "--quiet"]);
        b.git(&["fetch", "--quiet"]);
        let shown = b.try_git(&["switch", "--quiet", "--create", "y"]);
        let news = "git-godzilla: 1 protocol has news; see `git godzilla status`\n";
        assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), news));
        b.godzilla_ok(&["status"]);
        let shown = b.try_git(&["switch", "--quiet", "main"]);
        assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
        // Files are checked out without a word, whatever there is.
        b.git(&["checkout", "--", "README"]);

        life.home.git(&["switch", "--quiet", "main"]);
        life.home.git(&["merge", "--quiet", "--no-ff", "--no-edit", &life.name]);
        life.home.git(&["push", "--quiet", "origin", "main"]);
        let shown = b.try_git(&["pull", "--quiet"]);
        let merged = "git-godzilla: 0001-add-a-login-page is merged and completed\n";
        assert!(shown.code == Some(0) && shown.stderr.contains(merged), "{shown}");
    });
}
