//! Refs as we list and find them, against git's own.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use git_godzilla::domain::id::Oid;
use git_godzilla::platform::git::Repo;

use crate::support::{Place, World};

const PREFIXES: &[&str] =
    &["refs/heads/", "refs/remotes/", "refs/godzilla/", "refs/godzilla-remote/", "refs/notes/"];

#[test]
fn refs_are_what_git_lists_wherever_they_lie() {
    for sha256 in [false, true] {
        let world = World::with(None, sha256);
        let place = world.bare_clone_of("a");
        let (old, new) = (place.git(&["rev-parse", "HEAD"]), place.commit("f", "second"));
        for name in [
            "heads/a",
            "heads/a-b",
            "heads/x/y/z",
            "godzilla/project",
            "godzilla/protocols/0001-a",
            "heads/ä",
        ] {
            place.git(&["update-ref", &format!("refs/{name}"), old.trim()]);
        }
        check(&place);
        place.git(&["pack-refs", "--all", "--prune"]);
        check(&place);
        // A loose ref hides the packed line of its name; others come and go.
        place.git(&["update-ref", "refs/heads/a", &new]);
        place.git(&["update-ref", "refs/heads/new", &new]);
        place.git(&["update-ref", "-d", "refs/heads/x/y/z"]);
        place.git(&["update-ref", "refs/heads/x", &new]);
        check(&place);

        // What is no ref, or says nothing: a lock, a damaged file, a name that git refuses, folders.
        for (file, text) in
            [("a.lock", "x\n"), ("b..c", old.as_str()), ("sp ace", old.as_str()), ("junk", "junk\n")]
        {
            place.write(&format!(".git/refs/heads/{file}"), text);
        }
        place.write(".git/refs/heads/empty", "");
        std::fs::create_dir_all(place.path.join(".git/refs/heads/folder/below")).unwrap();
        place.git(&["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
        let repo = repo(&place);
        let names: Vec<String> =
            repo.refs("refs/heads/").unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "a-b", "main", "new", "x", "ä"].map(|name| format!("refs/heads/{name}")),);
        // A symbolic one is found by its name, as the commit that it leads to.
        assert_eq!(repo.find_ref("refs/heads/alias").unwrap().unwrap().to_string(), new);
        assert_eq!(repo.find_ref("refs/heads/folder/below").unwrap(), None);
        assert_eq!(repo.find_ref("refs/heads/main/below").unwrap(), None);
        assert_eq!(repo.find_ref("refs/remotes/origin/HEAD").unwrap().unwrap().to_string(), old.trim());
        for bad in ["refs/heads/../../HEAD", "refs/heads//a", "refs/heads/a.lock", "refs/heads/"] {
            assert!(!matches!(repo.find_ref(bad), Ok(Some(_))), "{bad}");
        }
    }
}

#[test]
fn refs_in_spellings_that_git_accepts_are_found() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    let oid = place.git(&["rev-parse", "HEAD"]).trim().to_owned();
    place.write(".git/refs/heads/loud", &format!("{}\n", oid.to_uppercase()));
    place.write(".git/refs/heads/chatty", &format!("{oid} and more\n"));
    place.git(&["-c", "core.preferSymlinkRefs=true", "symbolic-ref", "refs/heads/link", "refs/heads/main"]);
    check(&place);
    assert_eq!(repo(&place).find_ref("refs/heads/link").unwrap().unwrap().to_string(), oid);
    // A folder of refs may lie elsewhere.
    place.git(&["update-ref", "refs/heads/topic/x", &oid]);
    std::fs::rename(place.path.join(".git/refs/heads/topic"), place.path.join(".git/topic")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("../../topic", place.path.join(".git/refs/heads/topic")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("..", place.path.join(".git/refs/heads/circle")).unwrap();
    let found = repo(&place).refs("refs/heads/topic/").unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(repo(&place).refs("refs/heads/").unwrap().iter().any(|(name, _)| name == "refs/heads/topic/x"));
}

#[test]
fn damaged_packed_refs_are_said() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    place.git(&["pack-refs", "--all"]);
    let text = place.read(".git/packed-refs");
    place.write(".git/packed-refs", &text[..text.find("refs/heads").unwrap() - 20]);
    assert!(repo(&place).refs("refs/").is_err());
}

#[test]
fn an_empty_folder_in_the_place_of_a_packed_ref_is_in_nobodys_way() {
    let world = World::new();
    let place = world.clone("a");
    place.plan("Task", &["One"]);
    place.git(&["pack-refs", "--all"]);
    std::fs::create_dir_all(place.path.join(".git/refs/godzilla/protocols/0001-task")).unwrap();
    place.godzilla_ok(&["comment", "hello", "-p", "1"]);
    assert_eq!(place.json(&["list"])["protocols"].as_array().unwrap().len(), 1);
}

#[test]
fn a_linked_worktree_has_the_refs_of_all() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    place.git(&["worktree", "add", "--quiet", "-b", "other", "../b"]);
    check(&world.place("b"));
}

#[test]
fn a_ref_that_is_being_packed_is_never_missed() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    let commit = place.git(&["rev-parse", "HEAD"]);
    let wanted: HashSet<String> = (0..40).map(|idx| format!("refs/heads/topic/{idx:02}")).collect();
    let update = |name: &str| place.git(&["update-ref", name, commit.trim()]);
    for name in &wanted {
        update(name);
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let path = &place.path;
        for _ in 0..2 {
            scope.spawn(|| {
                let mut n_looks = 0;
                while !done.load(Ordering::Relaxed) || n_looks == 0 {
                    let repo = Repo::open(&path.join(".git")).unwrap();
                    let found: HashSet<String> =
                        repo.refs("refs/heads/topic/").unwrap().into_iter().map(|(name, _)| name).collect();
                    assert_eq!(found, wanted);
                    assert_eq!(repo.ref_names("refs/heads/topic/").unwrap(), wanted);
                    assert!(repo.find_ref("refs/heads/topic/07").unwrap().is_some());
                    n_looks += 1;
                }
            });
        }
        let _guard = SetWhenDropped(&done);
        let other = place.git(&["commit-tree", "-m", "other", "HEAD^{tree}"]);
        for _ in 0..25 {
            place.git(&["pack-refs", "--all", "--prune"]);
            // Loose again, with another value, so that the packed line is stale.
            for name in ["refs/heads/topic/07", "refs/heads/topic/08"] {
                place.git(&["update-ref", name, other.trim()]);
                update(name);
            }
        }
    });
}

/// Ends the threads that look, also when this one panics.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn repo(place: &Place<'_>) -> Repo {
    Repo::discover(&place.path).unwrap()
}

/// Compares what we say of all refs with what git says.
fn check(place: &Place<'_>) {
    let repo = repo(place);
    for prefix in PREFIXES {
        let listed = place.git(&["for-each-ref", "--format=%(refname) %(objectname) %(symref)", prefix]);
        let expected: Vec<(String, Oid)> = listed
            .lines()
            .filter_map(|line| {
                let mut words = line.split(' ');
                let found = (words.next()?.to_owned(), words.next()?.parse().ok()?);
                words.next().is_none_or(str::is_empty).then_some(found)
            })
            .collect();
        let found = repo.refs(prefix).unwrap();
        assert_eq!(found, expected, "{prefix}");
        for (name, oid) in &found {
            assert_eq!(repo.find_ref(name).unwrap(), Some(*oid), "{name}");
        }
        let names = repo.ref_names(prefix).unwrap();
        assert!(found.iter().all(|(name, _)| names.contains(name)), "{prefix}");
    }
    assert_eq!(repo.find_ref("refs/heads/nothing").unwrap(), None);
}
