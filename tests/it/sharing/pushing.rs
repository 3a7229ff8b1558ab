//! What goes to a remote, and how: the rules S, W1 and the healing of W4.

use super::boxes::write_hook;
use super::{
    NAME, assert_agree, assert_linear, ids, lines_at, objects, ref_at, refs, stream, sync, tip, tracking,
    two_clones,
};
use crate::support::{Place, World};

const PUSHED: &str = "refs/godzilla/protocols/0001-x";

fn comment(place: &Place<'_>, text: &str) {
    place.godzilla_ok(&["comment", text, "-p", "1"]);
}

/// Lets `command` run on the server each time `place` is about to push, after it has fetched.
fn before_each_push(world: &World, place: &Place<'_>, command: &str) {
    let path = world.path().join("receive");
    let text = format!("#!/bin/sh\n({command}) >/dev/null 2>&1\nexec git-receive-pack \"$@\"\n");
    write_hook(&path, &text);
    place.user_config("remote.origin.receivepack", path.to_str());
}

#[test]
fn s1_no_commit_and_no_push_without_growth() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    comment(&a, "something");
    sync(&a);
    sync(&b);
    let server = world.place("srv.git");
    // The same content in another commit, by another author: nothing to do for anybody.
    let text = lines_at(&server, PUSHED).join("\n") + "\n";
    let specs = server.git(&["rev-parse", &format!("{PUSHED}:specs")]);
    let bare = tip(&b, super::FORMAT, &text, None);
    let with_specs = {
        let listing = b.git(&["ls-tree", &bare]);
        let listing = format!("{listing}040000 tree {}\tspecs\n", specs.trim());
        let tree = super::git_in(&b, &["mktree"], listing.as_bytes());
        super::commit(&b, &tree, ref_at(&server, PUSHED).as_deref())
    };
    b.git(&["push", "--quiet", "--no-verify", "origin", &format!("{with_specs}:{PUSHED}")]);
    for place in [&a, &b] {
        sync(place);
    }
    assert_eq!(ref_at(&server, PUSHED), Some(with_specs.clone()), "an equal tip is left alone");
    let before = [&a, &b, &server].map(|place| (refs(place), objects(place)));
    for place in [&a, &b] {
        sync(place);
    }
    assert!(before == [&a, &b, &server].map(|place| (refs(place), objects(place))));
}

#[test]
fn s2_in_a_shallow_history_an_unknown_ancestor_is_none() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    let url = format!("file://{}", world.place("srv.git").path.display());
    world.place("").git(&["clone", "--quiet", "--depth", "1", &url, "c"]);
    let c = world.place("c");
    c.godzilla_ok(&["init", "--yes"]);
    for round in ["one", "two"] {
        comment(&b, round);
        comment(&b, "and more");
        sync(&b);
        comment(&c, round);
        c.git(&["fetch", "--quiet", "--depth", "1"]);
        sync(&c);
    }
    sync(&a);
    sync(&b);
    assert_agree(&[&a, &b, &c]);
    assert_linear(&world.place("srv.git"));
    assert!(c.path.join(".git/shallow").exists());
}

#[test]
fn s3_every_update_carries_what_was_fetched_as_its_expected_value() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    // Somebody is faster, between our fetch and our push, three times; each time we unite anew.
    comment(&b, "faster");
    let own = world.place("srv.git").path;
    let clone = world.path().join("b");
    let faster = format!(
        "cd {} && unset $(git rev-parse --local-env-vars); n=$(cat {own}/n 2>/dev/null || echo 0); \
         if [ $n -lt 3 ]; then echo $((n+1)) >{own}/n; env -u GODZILLA_HOOK_DEPTH {bin} comment faster-$n -p 1; \
         git push -q --no-verify origin {PUSHED}:{PUSHED} || {{ {bin} sync; }}; fi",
        clone.display(),
        own = own.display(),
        bin = crate::support::BIN,
    );
    before_each_push(&world, &a, &faster);
    comment(&a, "slower");
    let synced = a.json(&["sync"]);
    assert_eq!(synced["remotes"][0]["result"], "ok", "{synced}");
    assert_eq!(std::fs::read_to_string(own.join("n")).unwrap().trim(), "3");
    a.user_config("remote.origin.receivepack", None);
    sync(&b);
    assert_agree(&[&a, &b]);
    assert_eq!(lines_at(&a, PUSHED).iter().filter(|line| line.contains("faster")).count(), 4);
    assert_linear(&world.place("srv.git"));
}

#[test]
fn s3_a_stream_that_appears_meanwhile_is_not_overwritten() {
    let world = World::new();
    let (a, _, _) = two_clones(&world);
    a.godzilla_ok(&["plan", "y", "--step", "Only"]);
    let server = world.place("srv.git");
    let foreign = tip(
        &server,
        super::FORMAT,
        "{\"clock\":1,\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"type\":\"note.added\",\"body\":{\"text\":\"first\"}}\n",
        None,
    );
    let put = format!("git --git-dir {} update-ref {} {foreign} ''", server.path.display(), stream("0002-y"));
    before_each_push(&world, &a, &put);
    a.git(&["push", "--quiet", "origin", "0002-y"]);
    assert_eq!(ref_at(&server, &stream("0002-y")), Some(foreign.clone()), "`absent` was expected");
    sync(&a);
    assert_ne!(ref_at(&server, &stream("0002-y")), Some(foreign));
    assert!(lines_at(&server, &stream("0002-y")).iter().any(|line| line.contains("first")));
    assert_linear(&server);
}

#[test]
fn s7_a_push_that_is_overtaken_says_so_in_one_line_and_does_not_try_again() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    comment(&b, "from b");
    sync(&b);
    let server = ref_at(&world.place("srv.git"), PUSHED);
    work.commit("one.txt", "feat: a part");
    let pushed = work.try_git(&["push", "--quiet"]);
    assert_eq!(pushed.code, Some(0), "{pushed}");
    let ours: Vec<&str> = pushed.stderr.lines().filter(|line| line.starts_with("git-godzilla: ")).collect();
    assert_eq!(ours.len(), 1, "{pushed}");
    assert!(ours[0].contains("events are not shared with origin"), "{pushed}");
    assert_eq!(ref_at(&world.place("srv.git"), PUSHED), server);
    sync(&a);
    sync(&b);
    assert_agree(&[&a, &b]);
    assert_linear(&world.place("srv.git"));
}

#[test]
fn s7_a_push_unites_on_top_of_what_was_fetched() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    comment(&b, "from b");
    sync(&b);
    work.commit("one.txt", "feat: a part");
    work.git(&["fetch", "--quiet"]);
    let pushed = work.try_git(&["push", "--quiet"]);
    assert_eq!((pushed.code, pushed.stderr.as_str()), (Some(0), ""), "{pushed}");
    let server = world.place("srv.git");
    assert_eq!(lines_at(&server, PUSHED).len(), ids(&a, NAME).len());
    sync(&b);
    assert_agree(&[&a, &b]);
    assert_linear(&server);
}

#[test]
fn s8_a_united_commit_lists_what_it_adds() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    comment(&b, "from b");
    sync(&b);
    comment(&a, "from a");
    a.git(&["fetch", "--quiet"]);
    a.git(&["push", "--quiet", "origin", "main"]);
    let server = world.place("srv.git");
    let message = server.git(&["log", "-1", "--format=%B", PUSHED]);
    assert!(
        message.starts_with("unite 0001-x with what was shared meanwhile\n\n- note: from a\n"),
        "{message}"
    );
    assert!(!message.contains("from b"), "{message}");
}

#[test]
fn w1_a_remote_that_diverged_is_united_with_never_forced() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    let server = world.place("srv.git");
    server.git(&["config", "receive.denyNonFastForwards", "true"]);
    for round in 0..3 {
        comment(&a, &format!("from a, {round}"));
        comment(&b, &format!("from b, {round}"));
        a.git(&["push", "--quiet", "origin", "main"]);
        sync(&b);
        b.git(&["push", "--quiet", "origin", "main"]);
        sync(&a);
    }
    sync(&b);
    assert_agree(&[&a, &b]);
    assert_linear(&server);
    assert_eq!(ref_at(&a, &tracking("origin", NAME)), ref_at(&server, PUSHED));
}

/// What a person does to the server's stream, and how the next sync answers.
fn healed(harm: impl Fn(&Place<'_>, &Place<'_>)) -> String {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    let server = world.place("srv.git");
    for text in ["one", "two", "three"] {
        comment(&a, text);
        sync(&a);
    }
    sync(&b);
    let all = ids(&a, NAME);
    harm(&server, &b);
    let said = a.godzilla_ok(&["sync"]);
    for place in [&b, &a] {
        sync(place);
    }
    assert!(ids(&a, NAME).is_superset(&all));
    assert_agree(&[&a, &b]);
    let held = lines_at(&server, PUSHED);
    assert!(all.iter().all(|id| held.iter().any(|line| line.contains(id))));
    said
}

#[test]
fn w4_a_deleted_stream_is_made_again() {
    let said = healed(|server, _| drop(server.git(&["update-ref", "-d", PUSHED])));
    assert!(said.contains("1 stream had lost events there, which are back"), "{said}");
}

#[test]
fn w4_a_rewound_stream_is_completed() {
    let said = healed(|server, _| drop(server.git(&["update-ref", PUSHED, &format!("{PUSHED}~2")])));
    assert!(said.contains("lost events"), "{said}");
}

#[test]
fn w4_a_stream_that_was_forced_to_something_foreign_is_united_with_it() {
    let said = healed(|server, b| {
        let note = "{\"body\":{\"text\":\"foreign\"},\"clock\":2,\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"type\":\"note.added\"}\n";
        let foreign = tip(b, super::FORMAT, note, None);
        b.git(&["push", "--quiet", "--no-verify", "--force", "origin", &format!("{foreign}:{PUSHED}")]);
        assert_eq!(lines_at(server, PUSHED).len(), 1);
    });
    assert!(said.contains("lost events"), "{said}");
}

#[test]
fn w4_a_restored_backup_and_deleted_local_refs() {
    healed(|server, b| {
        server.git(&["update-ref", PUSHED, &format!("{PUSHED}~1")]);
        b.git(&["update-ref", "-d", PUSHED]);
        b.git(&["update-ref", "-d", &tracking("origin", NAME)]);
        std::fs::remove_dir_all(b.path.join(".git/godzilla/cache")).unwrap();
    });
}
