//! Hooks that cannot do their work: git goes on, one line says so, and the next command makes up.

use std::fs;

use super::{Life, with_each_git};
use crate::support::{Held, Shown, World};

fn commit(life: &Life<'_>, file: &str) -> Shown {
    life.work.write(file, "x\n");
    life.work.git(&["add", "--all"]);
    life.work.try_git(&["commit", "--quiet", "-m", "feat: in trouble"])
}

fn n_spooled(life: &Life<'_>) -> usize {
    let dir = life.home.path.join(".git/godzilla/spool").join(&life.name);
    fs::read_dir(dir).map_or(0, Iterator::count)
}

/// Rule O8: what a hook could not write in time waits in the spool with its final bytes.
#[test]
fn o8_a_busy_stream_leaves_the_events_in_the_spool() {
    let world = World::new();
    let life = Life::begin(&world);
    life.work.commit("a.txt", "feat: a");
    let lock = Held::at(&life.home.path.join(".git/godzilla/locks").join(&life.name));
    let n_events = life.recorded().len();
    life.work.tick(&life.name, "01-one");
    let shown = commit(&life, "b.txt");
    assert_eq!(shown.code, Some(0));
    assert_eq!(shown.stderr, "git-godzilla: the stream is busy; the next command records this commit\n");
    assert_eq!((life.recorded().len(), n_spooled(&life)), (n_events, 1));
    let file = fs::read_dir(life.home.path.join(".git/godzilla/spool").join(&life.name)).unwrap().next();
    let spooled = fs::read_to_string(file.unwrap().unwrap().path()).unwrap();
    assert_eq!(spooled.lines().count(), 2, "the commit, and the step that it completes: {spooled}");
    drop(lock);

    assert_eq!(life.statuses(), ["completed", "completed", "pending", "pending"]);
    assert_eq!(n_spooled(&life), 0);
    let tip = format!("refs/godzilla/protocols/{}:events", life.name);
    let files = life.home.git(&["ls-tree", "--name-only", &tip]);
    let stored: String =
        files.lines().map(|file| life.home.git(&["cat-file", "blob", &format!("{tip}/{file}")])).collect();
    assert!(spooled.lines().all(|line| stored.contains(line)), "byte for byte");
    life.assert_prompt();
}

/// A foreign `<ref>.lock`, as a git that was killed leaves it.
#[test]
fn a_locked_ref_leaves_the_events_in_the_spool() {
    let world = World::new();
    let life = Life::begin(&world);
    let lock = life.home.path.join(format!(".git/refs/godzilla/protocols/{}.lock", life.name));
    fs::write(&lock, "").unwrap();
    let shown = commit(&life, "a.txt");
    assert_eq!(shown.code, Some(0));
    assert_eq!(shown.stderr, "git-godzilla: the stream is busy; the next command records this commit\n");
    assert_eq!(n_spooled(&life), 1);
    fs::remove_file(&lock).unwrap();
    // The next hook takes the spool in as well as a command would.
    assert_eq!(commit(&life, "b.txt").stderr, "");
    assert_eq!(n_spooled(&life), 0);
    assert_eq!(life.of_step("01-one").len(), 2);
    life.assert_prompt();
}

#[test]
fn a_repository_that_cannot_be_written_takes_the_commit_all_the_same() {
    with_each_git(|world| {
        let life = Life::begin(world);
        let git_dir = life.home.path.join(".git");
        life.work.commit("a.txt", "feat: a");
        // Folders that are files cannot be written, not even by an administrator.
        let state = git_dir.join("godzilla");
        let aside = git_dir.join("aside");
        fs::rename(&state, &aside).unwrap();
        fs::write(&state, "").unwrap();
        let shown = commit(&life, "b.txt");
        assert_eq!((shown.code, shown.stderr.lines().count()), (Some(0), 1), "{shown}");
        assert!(shown.stderr.starts_with("git-godzilla: post-commit: "), "{shown}");
        assert!(shown.stderr.contains("(the next command of git godzilla makes up for it)"), "{shown}");
        fs::remove_file(&state).unwrap();
        fs::rename(&aside, &state).unwrap();
        assert_eq!(life.of_step("01-one").len(), 2);
        life.assert_prompt();

        // A folder in the place of the ref, which is packed.
        life.home.git(&["pack-refs", "--all"]);
        let folder = git_dir.join("refs/godzilla/protocols").join(&life.name);
        fs::create_dir_all(folder.join("x")).unwrap();
        let shown = commit(&life, "c.txt");
        assert_eq!((shown.code, shown.stderr.lines().count()), (Some(0), 1), "{shown}");
        assert!(shown.stderr.starts_with("git-godzilla: post-commit: "), "{shown}");
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(life.of_step("01-one").len(), 3);
        life.assert_prompt();
    });
}

#[test]
fn a_damaged_stream_is_no_reason_to_refuse_a_commit() {
    with_each_git(|world| {
        let life = Life::begin(world);
        let of_ref = format!(".git/refs/godzilla/protocols/{}", life.name);
        let tip = life.home.read(&of_ref);
        life.home.write(&of_ref, "garbage\n");
        let shown = commit(&life, "a.txt");
        assert_eq!(shown.code, Some(0), "{shown}");
        assert!(shown.stderr.lines().all(|line| line.starts_with("git-godzilla: ")), "{shown}");
        life.home.git(&["config", "godzilla.commit.strict", "true"]);
        assert_eq!(commit(&life, "b.txt").code, Some(0), "strict, too: nothing is known to be wrong");
        life.home.write(&of_ref, &tip);
        assert_eq!(life.of_step("01-one").len(), 2);
        life.assert_prompt();
    });
}

#[test]
fn without_an_identity_of_the_hook_nothing_is_lost() {
    let world = World::new();
    let life = Life::begin(&world);
    fs::write(world.path().join("home/gitconfig"), "[user]\n\tuseConfigOnly = true\n").unwrap();
    life.work.write("a.txt", "a\n");
    life.work.git(&["add", "--all"]);
    let env = [
        ("GIT_AUTHOR_NAME", "Ada"),
        ("GIT_AUTHOR_EMAIL", "ada@example.com"),
        ("GIT_COMMITTER_NAME", "Ada"),
        ("GIT_COMMITTER_EMAIL", "ada@example.com"),
    ];
    let shown = super::git_with(&life.work, &env, None, &["commit", "--quiet", "-m", "feat: a"]);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    assert!(life.has_seen(&life.head()));
    life.assert_prompt();
}

/// The plan that a spooled event names waits with it.
#[test]
fn a_spooled_change_of_the_plan_brings_the_plan() {
    let world = World::new();
    let life = Life::begin(&world);
    life.work.commit("a.txt", "feat: a");
    let lock = life.home.path.join(format!(".git/refs/godzilla/protocols/{}.lock", life.name));
    fs::write(&lock, "").unwrap();
    let step = "---\nid: 04-docs\ntitle: The docs\n---\n- [ ] write\n";
    life.work.write(&format!(".protocols/{}/04-docs.md", life.name), step);
    assert_eq!(commit(&life, "b.txt").code, Some(0));
    assert_eq!(n_spooled(&life), 2, "the events, and the plan");
    fs::remove_file(&lock).unwrap();
    let shown = life.show();
    assert_eq!(shown["steps"].as_array().unwrap().last().unwrap()["title"], "The docs");
    assert_eq!(n_spooled(&life), 0);
    life.home.godzilla_ok(&["spec", "audit"]);
}
