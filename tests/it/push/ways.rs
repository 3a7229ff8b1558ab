//! Every way to push: what goes along, and what must not.

use super::{
    NAME, STREAM, assert_quiet, assert_shared, begin, chain_pre_push, go_apart, ours, push, record_pushes,
    ref_at, server_hook, unshared, with_each_git,
};
use crate::support::Shown;

#[test]
fn options_of_the_push_are_the_users_and_the_state_goes_beside() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        let pushes = record_pushes(world);
        world.place("srv.git").git(&["config", "receive.advertisePushOptions", "true"]);
        a.git(&["tag", "-m", "one", "v1"]);
        for (round, args) in [
            &["push", "--atomic", "origin", NAME, "main"][..],
            &["push", "--tags", "origin"],
            &["push", "--follow-tags", "origin", NAME],
            &["push", "--force", "origin", NAME],
            &["push", "--force-with-lease", "origin", NAME],
            &["push", "--porcelain", "origin", NAME],
            &["push", "--set-upstream", "origin", NAME],
            &["push", "--push-option=x", "origin", NAME],
            &["push", "--delete", "origin", "other"],
            &["push", "--prune", "origin", "refs/heads/*"],
            &["push", "--signed=if-asked", "origin", NAME],
            &["push", "--thin", "--quiet", "--no-progress", "--ipv4", "origin", NAME],
        ]
        .into_iter()
        .enumerate()
        {
            a.git(&["push", "--quiet", "--no-verify", "origin", "main:other"]);
            work.commit("file.txt", &format!("round {round}"));
            pushes();
            let shown = work.try_git(args);
            assert_quiet(&shown);
            assert!(!shown.stdout.contains("godzilla/"), "stdout is git's: {shown}");
            let first = pushes().first().cloned().unwrap_or_default();
            assert!(first.iter().any(|name| name == STREAM), "{args:?}: {first:?}");
            assert!(first.iter().all(|name| !name.starts_with("refs/heads/")), "{args:?}: {first:?}");
            assert_eq!(unshared(&a), 0, "{args:?}");
        }
    });
}

#[test]
fn what_is_up_to_date_takes_the_state_along() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        assert_quiet(&push(&work));
        a.godzilla_ok(&["comment", "a word", "-p", "1"]);
        let shown = push(&work);
        assert_quiet(&shown);
        assert!(shown.stderr.contains("Everything up-to-date"), "{shown}");
        assert_shared(&a, &work);
    });
}

#[test]
fn state_stays_where_the_push_itself_is_rejected() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        assert_quiet(&push(&work));
        go_apart(world, &work);
        let shown = push(&work);
        assert_eq!((shown.code, ours(&shown)), (Some(1), vec![]), "git's own answer\n{shown}");
        // A fact about a commit that nobody has yet; whoever has it later knows where it belongs.
        assert_eq!(unshared(&a), 0);
        work.git(&["pull", "--quiet", "--rebase", "origin", NAME]);
        assert_quiet(&push(&work));
        assert_shared(&a, &work);
    });
}

#[test]
fn pushes_of_others_from_within_a_hook_do_not_nest() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        let pushes = record_pushes(world);
        // A hook of others that was there first, pushes a branch of its own.
        let text = "cat >/dev/null; git push --quiet origin HEAD:refs/heads/by-a-hook </dev/null";
        chain_pre_push(&a, &format!("[ -n \"$INSIDE\" ] && exit 0\nINSIDE=1; export INSIDE\n{text}"));
        let shown = push(&work);
        assert_quiet(&shown);
        let pushes = pushes();
        let with_state = pushes.iter().filter(|push| push.iter().any(|name| name == STREAM)).count();
        assert_eq!((pushes.len(), with_state), (3, 1), "{pushes:?}");
        assert_shared(&a, &work);
    });
}

#[test]
fn options_that_are_configured_for_pushes_do_not_reach_ours() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        let server = world.place("srv.git");
        server.git(&["config", "receive.advertisePushOptions", "true"]);
        let record = world.path().join("options");
        let text = format!(
            "echo \"${{GIT_PUSH_OPTION_COUNT-0}} $(cut -d' ' -f3 | tr '\\n' ' ')\" >>'{}'",
            record.display()
        );
        server_hook(world, "pre-receive", &text);
        a.git(&["config", "push.pushOption", "merge_request.create"]);
        a.git(&["config", "push.followTags", "true"]);
        a.git(&["config", "push.gpgSign", "if-asked"]);
        assert_quiet(&push(&work));
        let told = std::fs::read_to_string(&record).unwrap();
        assert_eq!(told.lines().count(), 2, "{told}");
        let of = |wanted: &str| told.lines().find(|line| line.contains(wanted)).unwrap().to_owned();
        assert!(of("refs/godzilla/").starts_with("0 "), "{told}");
        assert!(of("refs/heads/").starts_with("1 "), "{told}");
        // A mirror takes no refspecs, and a sync is none.
        a.godzilla_ok(&["comment", "a word", "-p", "1"]);
        a.git(&["config", "remote.origin.mirror", "true"]);
        a.godzilla_ok(&["sync"]);
        assert_eq!(ref_at(&server, STREAM), ref_at(&a, STREAM));
    });
}

/// What a mirror would take away: all that this clone does not have.
#[test]
fn w3_a_mirror_does_not_delete_the_state_of_others() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        assert_quiet(&push(&work));
        let server = world.place("srv.git");
        let before = ref_at(&server, STREAM);
        // Set up, and never fetched since somebody else began.
        let b = world.bare_clone_of("b");
        b.godzilla_ok(&["init", "--yes"]);
        for name in
            b.git(&["for-each-ref", "--format=%(refname)", "refs/godzilla", "refs/godzilla-remote"]).lines()
        {
            b.git(&["update-ref", "-d", name]);
        }
        world.place("").git(&["init", "--quiet", "--bare", "mirror.git"]);
        let refused = |shown: &Shown| {
            assert_eq!(shown.code, Some(1), "{shown}");
            assert!(shown.stderr.contains("a mirror would delete what others share at origin"), "{shown}");
            assert_eq!(ref_at(&server, STREAM), before);
        };
        refused(&b.try_git(&["push", "--mirror", "origin"]));
        b.git(&["config", "remote.origin.mirror", "true"]);
        refused(&b.try_git(&["push", "origin"]));
        assert_eq!(
            b.try_git(&["push", "--mirror", "../mirror.git"]).code,
            Some(0),
            "elsewhere it is a mirror"
        );
        // Who names it means it; the next sync of anybody brings it back.
        b.git(&["config", "--unset", "remote.origin.mirror"]);
        b.git(&["push", "--quiet", "origin", &format!(":{STREAM}")]);
        assert_eq!(ref_at(&server, STREAM), None);
        a.godzilla_ok(&["sync"]);
        assert_eq!(ref_at(&server, STREAM), before);
    });
}

#[test]
fn hooks_of_others_see_what_the_user_pushes() {
    with_each_git(|world| {
        let (a, work) = begin(world);
        let record = world.path().join("seen");
        chain_pre_push(&a, &format!("cat >>'{}'; echo spoken", record.display()));
        let shown = push(&work);
        assert_quiet(&shown);
        assert!(shown.stdout.contains("spoken"), "{shown}");
        let seen = std::fs::read_to_string(&record).unwrap();
        assert!(
            seen.lines().count() == 1 && seen.contains(super::BRANCH),
            "ours is not pushed through it: {seen}"
        );
        assert_shared(&a, &work);
    });
}
