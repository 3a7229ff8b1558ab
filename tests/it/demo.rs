//! The demo: what it shows, what it leaves, and how it fails.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use insta::assert_snapshot;

use crate::schemas::assert_valid;
use crate::support::{BIN, World, run};

/// The machine's own configuration, hooks and variables of git must not take part.
#[test]
#[expect(clippy::too_many_lines, reason = "most of it is what a friend sees")]
fn the_play_is_worth_showing_to_a_friend() {
    let world = World::new();
    let place = world.place("home");
    place.write("hostile", "[core]\n\thooksPath = /nowhere\n[user]\n\tname = Eve\n[pull]\n\trebase = true\n");
    let mut command = place.command(BIN);
    command.arg("demo").env("TMPDIR", world.path()).env("GIT_CONFIG_GLOBAL", place.path.join("hostile"));
    for (name, value) in [
        ("GIT_DIR", "/nowhere"),
        ("GIT_AUTHOR_NAME", "Eve"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "commit.gpgSign"),
        ("GIT_CONFIG_VALUE_0", "true"),
        ("GODZILLA", "0"),
        ("CI", "true"),
    ] {
        command.env(name, value);
    }
    assert_snapshot!(run(&mut command), @r#"
    1. Set up  a bare repository as the server, and one clone
      server $ git init --bare server.git
         ada $ git clone server.git ada && cd ada
         ada $ git add --all && git commit -m "docs: begin" && git push
         ada $ git godzilla init
               7 hooks installed; git push and git pull carry the state from now on

    2. Plan  a task becomes a protocol: a number, a branch, a worktree, steps
         ada $ git godzilla plan "Add a login page" --step "The form" --step "The API"
               protocol: pending -> planned; step 00-setup: pending -> completed
               ○ 0001-add-a-login-page  planned  1/3  01-the-form  Add a login page
         ada $ cd worktrees/0001-add-a-login-page

    3. Work  plain commits move the steps; the hooks see them
               (ada writes form.html)
         ada $ git add --all && git commit -m "feat(login): the form"
               protocol: planned -> running; step 01-the-form: pending -> running
               ● 0001-add-a-login-page  running  1/3  01-the-form (running)  Add a login page
         ada $ git log -1 --format=%B
               feat(login): the form [protocol-0001/01]
               Godzilla-Step: 0001-add-a-login-page/01-the-form
               (ada adds a button, and ticks the last box of 01-the-form.md)
         ada $ git commit --all -m "feat(login): a button"
               step 01-the-form: running -> completed
               ● 0001-add-a-login-page  running  2/3  02-the-api  Add a login page

    4. Share  git push takes the state along; another clone has it after init
         ada $ git push --set-upstream origin HEAD
               9 events went along
         bob $ git clone server.git bob && cd bob
         bob $ git godzilla init
               9 events arrived
               ● 0001-add-a-login-page  running  2/3  02-the-api  Add a login page

    5. CI says  a checkout of depth 1, without history, identity or setup, reports
         ada $ git add --all && git commit -m "feat(login): the API"
               step 02-the-api: pending -> running
         ada $ git push
               2 events went along
          ci $ git init ci && cd ci && git remote add origin ../server.git
          ci $ git fetch --depth 1 origin 0001-add-a-login-page && git checkout --detach FETCH_HEAD
          ci $ git godzilla ci-report failure --job test
         ada $ git fetch
               CI: test is red
               ✗ 0001-add-a-login-page  blocked  2/3  02-the-api (failed)  Add a login page
               (ada fixes it)
         ada $ git commit --all -m "fix(login): let people in" && git push
               ● 0001-add-a-login-page  running  2/3  02-the-api (running)  Add a login page
          ci $ git fetch --depth 1 origin 0001-add-a-login-page && git checkout --detach FETCH_HEAD
          ci $ git godzilla ci-report success --job test
         ada $ git fetch
               CI: test is green

    6. Offline together  both act at once, and neither knows of the other
         bob $ git pull && git switch 0001-add-a-login-page
               5 events arrived
               (from here on nobody has a network)
         ada $ git godzilla done
               step 02-the-api: running -> completed
               ● 0001-add-a-login-page  running  3/3  ready to merge  Add a login page
         bob $ git add --all && git commit -m "test(login): people get in"
         bob $ git godzilla comment "the API answers in 3 ms" 2 && git godzilla done
               step 02-the-api: running -> completed
               note on step 02-the-api: the API answers in 3 ms
               ● 0001-add-a-login-page  running  3/3  ready to merge  Add a login page
               (the network is back)
         bob $ git push
               4 events went along
         ada $ git pull
               3 events arrived
               set aside, by Bob: it expects step 02-the-api to be running, but it is completed
         ada $ git push
               1 event went along
         bob $ git pull
               1 event arrived
               (one of the two counts, the same one everywhere; nobody is asked to resolve anything)

    7. Merge  a merge into the base completes the protocol, whoever does it
         bob $ git switch main && git merge --no-ff --no-edit 0001-add-a-login-page
         bob $ git push
               merged into origin/main (ancestry)
               ✓ 0001-add-a-login-page  completed  3/3  merged  Add a login page
         bob $ git godzilla sync
               1 event went along

    8. Everywhere the same  no server kept any of this: it is all in the repository
         ada $ cd ../.. && git pull
               merged into origin/main (ancestry)
               ✓ 0001-add-a-login-page  completed  3/3  merged  Add a login page

    ✓ ada and bob agree: 19 events, one state, 0001-add-a-login-page completed
      the scratch area is gone; keep one to look around in with `demo --keep DIR`
    "#);
    let left = std::fs::read_dir(world.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("demo")), "an area was left");
}

#[test]
fn a_kept_area_is_a_place_to_look_around_in() {
    let world = World::new();
    let root = world.place("");
    let played = root.json(&["demo", "--keep", "area"]);
    assert_valid("demo.v1", &played);
    assert!(played["steps"].as_array().unwrap().len() > 30);

    let ada = world.place("area/ada");
    assert_eq!(ada.statuses("1"), ["completed", "completed", "completed"]);
    ada.git(&["fsck", "--strict"]);
    world.place("area/server.git").git(&["fsck", "--strict"]);

    let again = root.godzilla(&["demo", "--keep", "area"]);
    assert_snapshot!(again, @r"
    --- stderr ---
    error: `area` is not empty
    hint: name a folder that is empty or absent
    [exit code: 4]
    ");
}

/// A git that cannot do one thing.
#[test]
fn a_step_that_fails_ends_the_play_with_what_it_said() {
    let tools = tempfile::tempdir().unwrap();
    let real = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|dir| dir.join("git"))
        .find(|git| git.is_file())
        .unwrap();
    let git: PathBuf = tools.path().join("git");
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *\" switch \"*) echo 'switch is out of order' >&2; exit 3;; esac\n\
         exec '{}' \"$@\"\n",
        real.display()
    );
    std::fs::write(&git, script).unwrap();
    std::fs::set_permissions(&git, std::fs::Permissions::from_mode(0o755)).unwrap();

    let world = World::with(Some(tools.path().to_owned()), false);
    let mut command = world.place("").command(BIN);
    let shown = run(command.args(["demo", "--json"]).env("TMPDIR", world.path()));
    assert_snapshot!(shown, @r#"
    {"schema":"git-godzilla/error@1","code":"demo.step","message":"`git switch 0001-add-a-login-page` ended with exit code 3 in the clone of bob","hint":"look at it with `git godzilla demo --keep DIR`","exit":6}
    --- stderr ---
      switch is out of order
    error: `git switch 0001-add-a-login-page` ended with exit code 3 in the clone of bob
    hint: look at it with `git godzilla demo --keep DIR`
    [exit code: 6]
    "#);
    let mut entries = std::fs::read_dir(world.path()).unwrap();
    assert!(!entries.any(|entry| entry.unwrap().file_name().to_string_lossy().contains("demo")));
}
