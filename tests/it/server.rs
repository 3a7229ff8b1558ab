//! A server that looks at what is pushed, and sees merges by itself.

mod hostile;

use crate::support::{Place, World};

const NAME: &str = "0001-add-a-login";
const STREAM: &str = "refs/godzilla/protocols/0001-add-a-login";
const ARCHIVE: &str = "refs/godzilla/archive";

/// A server with our hooks, and a clone that has shared a protocol.
fn served(world: &World) -> (Place<'_>, Place<'_>) {
    let a = world.clone("a");
    let srv = world.place("srv.git");
    srv.godzilla_ok(&["hooks", "install", "--server"]);
    a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["sync"]);
    (a, srv)
}

fn tip(place: &Place<'_>, name: &str) -> String {
    place.try_git(&["rev-parse", "--verify", "--quiet", name]).stdout.trim().to_owned()
}

/// Commits these files, by path, and nothing else; no ref names the commit. Only for bare repositories.
fn commit_of(place: &Place<'_>, files: &[(&str, &str)], parent: Option<&str>) -> String {
    place.git(&["read-tree", "--empty"]);
    for (path, text) in files {
        place.write("draft", text);
        let blob = place.git(&["hash-object", "-w", "draft"]);
        place.git(&["update-index", "--add", "--cacheinfo", &format!("100644,{},{path}", blob.trim())]);
    }
    commit(place, &place.git(&["write-tree"]), parent)
}

fn commit(place: &Place<'_>, tree: &str, parent: Option<&str>) -> String {
    let mut args = vec!["-c", "user.name=M", "-c", "user.email=m@example.com", "commit-tree", "-m", "x"];
    args.extend(parent.into_iter().flat_map(|parent| ["-p", parent]));
    args.push(tree.trim());
    place.git(&args).trim().to_owned()
}

/// A tree that holds another one under a name.
fn holding(place: &Place<'_>, name: &str, tree: &str) -> String {
    place.write("lines", &format!("040000 tree {}\t{name}\n", tree.trim()));
    crate::support::run(place.command("sh").args(["-c", "git mktree <lines"])).stdout
}

/// The tree of an archive with the stream's present state, in a folder of this name.
fn archive_of(place: &Place<'_>, shard: &str) -> String {
    let entry = place.git(&["rev-parse", &format!("{STREAM}^{{tree}}")]);
    holding(place, shard, &holding(place, NAME, &entry))
}

/// Somebody's own tools, with everything that the server has.
fn stranger(world: &World) -> Place<'_> {
    world.place("").git(&["clone", "--quiet", "--mirror", "srv.git", "stranger.git"]);
    let stranger = world.place("stranger.git");
    stranger.git(&["config", "--unset", "remote.origin.mirror"]);
    stranger
}

/// Pushes by force, and returns what the server said if it refused.
fn push(place: &Place<'_>, refspec: &str) -> Result<(), String> {
    let shown = place.try_git(&["push", "--quiet", "--force", "origin", refspec]);
    if shown.code == Some(0) { Ok(()) } else { Err(shown.stderr) }
}

#[test]
fn a_life_goes_through_it() {
    for sha256 in [false, true] {
        let world = World::with(None, sha256);
        let (a, srv) = served(&world);
        let work = world.place(&format!("a/worktrees/{NAME}"));
        work.commit("form", "feat: a form");
        work.git(&["push", "--quiet", "--set-upstream", "origin", NAME]);
        let b = world.clone("b");
        b.godzilla_ok(&["comment", "from b", "-p", "1"]);
        b.godzilla_ok(&["sync"]);
        a.godzilla_ok(&["comment", "from a", "-p", "1"]);
        // As one pack, and as files.
        srv.git(&["config", "receive.unpackLimit", "1"]);
        let synced = a.json(&["sync"]);
        assert_eq!(synced["remotes"][0]["result"], "ok", "{synced}");
        assert!(synced["remotes"][0]["pushed_events"].as_u64().unwrap() > 0, "{synced}");
        let commit = a.git(&["rev-parse", "HEAD"]);
        b.godzilla_ok(&["ci-report", "success", "--job", "t", "--protocol", NAME, "--sha", commit.trim()]);
        // Taken over and shared by the first, let go by the second.
        a.godzilla_ok(&["sync"]);
        a.godzilla_ok(&["sync"]);
        assert_eq!(srv.git(&["for-each-ref", "refs/godzilla/inbox"]), "", "a box whose events are held goes");
        let status = srv.json(&["hooks", "status"]);
        crate::schemas::assert_valid("hooks.v1", &status);
        for event in status["hooks"].as_array().unwrap() {
            assert_eq!((&event["mode"], &event["called"]), (&"shim".into(), &true.into()), "{event}");
        }
    }
}

#[test]
fn hooks_that_were_there_run_first_and_come_back() {
    let world = World::new();
    let a = world.clone("a");
    let srv = world.place("srv.git");
    let own = "#!/bin/sh\n# of the house\ncat >>seen\n! grep -q refs/heads/bad seen\n";
    srv.write_executable("hooks/pre-receive", own);
    srv.write_executable("hooks/post-receive", "#!/bin/sh\ncat >/dev/null\nexit 3\n");
    let first = srv.godzilla_ok(&["hooks", "install", "--server"]);
    assert!(first.contains("the hook that was there runs first"), "{first}");
    assert_eq!(srv.godzilla_ok(&["hooks", "install", "--server"]), "nothing to change\n");
    let status = srv.godzilla_ok(&["hooks", "status"]);
    assert_eq!(status.matches("another hook runs first").count(), 2, "{status}");

    a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["sync"]);
    assert!(srv.read("seen").contains(STREAM), "it was given what git gives");
    let shown = a.try_git(&["push", "origin", "HEAD:refs/heads/bad"]);
    assert_ne!(shown.code, Some(0), "its answer counts");
    assert!(push(&stranger(&world), &format!(":{STREAM}")).is_err(), "and so does ours");

    srv.godzilla_ok(&["hooks", "uninstall"]);
    assert_eq!(srv.read("hooks/pre-receive"), own);
    assert_eq!(srv.read("hooks/post-receive"), "#!/bin/sh\ncat >/dev/null\nexit 3\n");
    assert!(!srv.path.join("hooks/pre-receive.godzilla-prev").exists());
    assert_eq!(a.godzilla(&["hooks", "install", "--server"]).code, Some(4), "a clone is no server");
    // Hooks that other repositories may share are not ours to write.
    srv.git(&["config", "core.hooksPath", "/srv/hooks"]);
    let shown = srv.godzilla(&["hooks", "install", "--server"]);
    assert!(shown.code == Some(4) && shown.stderr.contains("git-godzilla hook"), "{shown}");
}

#[test]
fn a_server_without_the_binary_takes_pushes() {
    let world = World::new();
    let (a, srv) = served(&world);
    for event in ["pre-receive", "post-receive"] {
        let text = srv.read(&format!("hooks/{event}"));
        let gone = text
            .replace(crate::support::BIN, "/nowhere/git-godzilla")
            .replace("command -v git-godzilla", "false");
        srv.write_executable(&format!("hooks/{event}"), &gone);
    }
    a.git(&["push", "--quiet", "origin", "HEAD:refs/heads/more"]);
}

#[test]
fn d5_a_stream_goes_once_the_archive_holds_it() {
    let world = World::new();
    let (a, srv) = served(&world);
    let stranger = stranger(&world);
    let refused = push(&stranger, &format!(":{STREAM}")).unwrap_err();
    assert!(refused.contains("it may go once the archive holds all of it"), "{refused}");

    // An older state in the archive does not do.
    let archive = || {
        let parent = tip(&stranger, ARCHIVE);
        let parent = Some(parent.as_str()).filter(|parent| !parent.is_empty());
        commit(&stranger, &archive_of(&stranger, "00"), parent)
    };
    let old = archive();
    push(&stranger, &format!("{old}:{ARCHIVE}")).unwrap();
    stranger.git(&["update-ref", ARCHIVE, &old]);
    a.godzilla_ok(&["comment", "one more", "-p", "1"]);
    a.godzilla_ok(&["sync"]);
    stranger.git(&["fetch", "--quiet", "origin"]);
    assert!(push(&stranger, &format!(":{STREAM}")).is_err());
    stranger.git(&["update-ref", ARCHIVE, &old]);
    let new = archive();
    push(&stranger, &format!("{new}:{ARCHIVE}")).unwrap();
    push(&stranger, &format!(":{STREAM}")).unwrap();
    assert_eq!(tip(&srv, STREAM), "");
    assert!(a.godzilla_ok(&["log", "1"]).contains("one more"));
}

#[test]
fn p3_histories_begin_anew_where_the_administrator_allows_it() {
    let world = World::new();
    let (a, srv) = served(&world);
    a.godzilla_ok(&["comment", "hunter2-hunter2", "-p", "1"]);
    a.godzilla_ok(&["sync"]);
    let shown = a.godzilla(&["redact", "hunter2-hunter2", "--purge", "--yes"]);
    assert_eq!(shown.code, Some(7), "{shown}");
    let before = tip(&srv, STREAM);
    srv.git(&["config", "godzilla.server.allowPurge", "true"]);
    a.godzilla_ok(&["redact", "--purge", "--yes"]);
    assert_ne!(tip(&srv, STREAM), before);
    assert_eq!(srv.git(&["rev-list", "--count", STREAM]).trim(), "1");
    // Nothing is to be lost by it all the same.
    let stranger = stranger(&world);
    let bare = commit_of(
        &stranger,
        &[("format", r#"{"format":1,"min_read":1,"min_write":1}"#), ("events/000000", "")],
        None,
    );
    let refused = push(&stranger, &format!("{bare}:{STREAM}")).unwrap_err();
    assert!(refused.contains("would lose events"), "{refused}");
}

#[test]
fn a_merge_that_reaches_the_server_completes_its_protocol_there() {
    let world = World::new();
    let (a, srv) = served(&world);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    work.commit("form", "feat: a form");
    work.git(&["push", "--quiet", "--set-upstream", "origin", NAME]);
    // By somebody who has never heard of us.
    world.place("").git(&["clone", "--quiet", "srv.git", "c"]);
    let c = world.place("c");
    c.git(&["merge", "--quiet", "--no-ff", "-m", "merge the form", &format!("origin/{NAME}")]);
    let shown = c.try_git(&["push", "origin", "main"]);
    assert!(shown.stderr.contains(&format!("{NAME} is merged, and completed by it")), "{shown}");
    let lines = srv.lines_of(STREAM);
    let seen = lines.lines().find(|line| line.contains("merge.detected")).unwrap();
    assert!(seen.contains(r#""into":"refs/heads/main""#), "{seen}");
    let who = srv.git(&["log", "-1", "--format=%an <%ae>", STREAM]);
    assert!(who.contains("Ada <ada@example.com>") || who.contains("git-godzilla <noreply@"), "{who}");
    a.godzilla_ok(&["sync"]);
    assert_eq!(a.json(&["show", "1"])["status"], "completed");
    // Once is enough.
    let tip_before = tip(&srv, STREAM);
    c.git(&["commit", "--quiet", "--allow-empty", "-m", "more"]);
    c.git(&["push", "--quiet", "origin", "main"]);
    assert_eq!(tip(&srv, STREAM), tip_before);
}
