//! Locks that a git left which was killed: what does not need them goes on, what does says which file it is, and
//! is done when that is gone.

use std::fs::File;
use std::time::{Duration, SystemTime};

use super::super::support::{Place, World};
use super::facts::Facts;
use super::leftovers;
use crate::run::NAME;

/// A lock, below the common folder, and a command that cannot be done while it is there.
type Stale = (&'static str, Option<&'static [&'static str]>);

const LOCKS: &[Stale] = &[
    ("index.lock", None),
    ("worktrees/0001-add-a-login/index.lock", Some(&["restore", "0001-add-a-login"])),
    ("HEAD.lock", None),
    ("worktrees/0001-add-a-login/HEAD.lock", None),
    ("shallow.lock", None),
    ("refs/heads/0002-another-one.lock", Some(&["worktrees", "remove", "2", "--force"])),
    ("packed-refs.lock", Some(&["worktrees", "remove", "3", "--force"])),
    ("config.lock", Some(&["init", "--yes", "--base-branch", "main"])),
    ("config.lock", Some(&["uninstall", "--yes", "--discard"])),
];

/// What reads, what writes a stream, and what talks to a remote.
const GO_ON: [&[&str]; 4] =
    [&["list"], &["comment", "a note", "-p", "1"], &["qa", "1", "-p", "1"], &["sync"]];

#[test]
fn a_lock_that_git_left_stops_what_needs_it_alone() {
    let world = World::new();
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form"]);
    for title in ["Another one", "A third one"] {
        a.plan(title, &[]);
    }
    // Something that is not committed was kept, and is to be staged again.
    work.write("form", "a form\n");
    work.git(&["add", "form"]);
    a.godzilla_ok(&["worktrees", "remove", "1", "--force", "--keep-branch"]);
    a.git(&["worktree", "add", "--quiet", "worktrees/0001-add-a-login", "0001-add-a-login"]);
    a.godzilla_ok(&["sync"]);
    a.git(&["pack-refs", "--all"]);
    for (lock, waits) in LOCKS {
        let facts = Facts::of(&world);
        let path = a.path.join(".git").join(lock);
        File::create(&path).unwrap().set_modified(SystemTime::now() - Duration::from_hours(1)).unwrap();
        for args in GO_ON {
            let shown = a.godzilla(args);
            assert!(shown.code == Some(0) || args[0] == "qa", "{lock}: {args:?}\n{shown}");
        }
        assert!(is_named(&a, lock), "{lock} is not told by `doctor`");
        let Some(args) = waits else {
            std::fs::remove_file(&path).unwrap();
            continue;
        };
        let shown = a.godzilla(args);
        assert!(!matches!(shown.code, Some(0 | 70) | None), "{lock}: {args:?}\n{shown}");
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(shown.stderr.contains(name), "{lock}: {args:?}\n{shown}");
        let remedy = format!("if no git is at work, a dead one left it: rm '{}'", path.display());
        assert!(shown.stderr.contains(&remedy), "{lock}: {args:?}\n{shown}");
        assert!(path.exists(), "{lock} is not ours to remove");
        assert!(facts.lost(&world).is_empty(), "{lock}: {args:?}\n{:?}", facts.lost(&world));
        std::fs::remove_file(&path).unwrap();
        // What was begun may be ended before there is anything to do again.
        let again = a.godzilla(args);
        let is_ended = again.code == Some(4) && again.stderr.contains("which had been interrupted");
        assert!(again.code == Some(0) || is_ended, "{lock}: {args:?}\n{again}");
        assert_eq!(leftovers(&a.path.join(".git")), Vec::<String>::new(), "{lock}: {args:?}");
    }
    let fsck = a.try_git(&["fsck", "--no-dangling", "--no-progress"]);
    assert!(fsck.code == Some(0) && !fsck.to_string().contains("error"), "{fsck}");
}

fn is_named(a: &Place<'_>, lock: &str) -> bool {
    let shown = a.godzilla(&["doctor", "--json"]);
    shown.stdout.contains("lock.foreign") && shown.stdout.contains(lock)
}

/// Holds a lock while `args` are run, checks what is said of it, and runs `again` without it.
#[track_caller]
fn assert_named(place: &Place<'_>, lock: &str, args: &[&str], again: &[&str]) {
    let path = std::path::PathBuf::from(place.git(&["rev-parse", "--git-path", lock]).trim());
    let path = if path.is_absolute() { path } else { place.path.join(path) };
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "").unwrap();
    let shown = place.godzilla(&[args, &["--json"]].concat());
    let refused: serde_json::Value =
        serde_json::from_str(&shown.stdout).unwrap_or_else(|err| panic!("{args:?}: {err}: {shown}"));
    assert_eq!((&refused["code"], shown.code), (&"git.locked".into(), Some(4)), "{args:?}: {shown}");
    let path = path.canonicalize().unwrap();
    let (message, hint) = (refused["message"].as_str().unwrap(), refused["hint"].as_str().unwrap());
    assert!(message.contains(path.to_str().unwrap()), "{args:?}: {message}");
    assert!(hint.ends_with(&format!("rm '{}'", path.display())), "{args:?}: {hint}");
    std::fs::remove_file(path).unwrap();
    place.godzilla_ok(again);
}

#[test]
fn who_holds_a_lock_of_git_is_waited_for_by_a_person() {
    let world = World::new();
    let a = world.bare_clone_of("a");
    let (init, plan) = (["init", "--yes"], ["plan", "Add a login", "--step", "One"]);
    assert_named(&a, "config.lock", &init, &init);
    assert_named(&a, "refs/heads/0001-add-a-login.lock", &plan, &plan);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    let step = format!(".protocols/{NAME}/01-one.md");
    for lock in ["index.lock", "HEAD.lock"] {
        work.write(&step, &work.read(&step).replace("title: ", &format!("title: {lock} ")));
        let amend = ["plan", "--amend", "-p", "1"];
        assert_named(&work, lock, &amend, &amend);
    }
    a.git(&["pack-refs", "--all"]);
    // What was begun is ended by whatever comes next.
    let remove = ["worktrees", "remove", "1", "--force"];
    assert_named(&a, "packed-refs.lock", &remove, &["worktrees", "list"]);
    assert_eq!(a.git(&["branch", "--list", NAME]), "");
}
