//! Commits as patches: what git says, whatever it is configured to say.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;

use git_godzilla::domain::id::Oid;
use git_godzilla::platform::git::Repo;

use super::numbered;
use crate::support::{Place, World};

fn commit(place: &Place<'_>, message: &str) -> Oid {
    place.git(&["add", "--all"]);
    place.git(&["commit", "--quiet", "-m", message]);
    place.git(&["rev-parse", "HEAD"]).trim().parse().unwrap()
}

/// A history in which every kind of entry becomes every other one.
fn history(place: &Place<'_>) -> Vec<Oid> {
    let at = |name: &str| place.path.join(name);
    place.write("a b/c.txt", "1\n");
    let mut commits = vec![commit(place, "one")];
    place.write("a b/d/e.txt", &numbered(20));
    place.write("plain", "text\n");
    commits.push(commit(place, "two"));
    std::fs::remove_dir_all(at("a b")).unwrap();
    place.write("a b", "a file now\n");
    std::fs::remove_file(at("plain")).unwrap();
    place.write("plain/inner", "a folder now\n");
    commits.push(commit(place, "three"));
    std::fs::remove_file(at("a b")).unwrap();
    symlink("plain/inner", at("a b")).unwrap();
    place.write("line\nfeed", "x\n");
    commits.push(commit(place, "four"));
    let linked = format!("160000,{},sub", commits[0]);
    place.git(&["update-index", "--add", "--cacheinfo", &linked]);
    place.git(&["commit", "--quiet", "-m", "five"]);
    commits.push(place.git(&["rev-parse", "HEAD"]).trim().parse().unwrap());
    commits
}

#[test]
fn changed_paths_are_those_of_git() {
    for sha256 in [false, true] {
        let world = World::with(None, sha256);
        let place = world.bare_clone_of("a");
        let commits = history(&place);
        let repo = Repo::open(&place.path.join(".git")).unwrap();
        for one in &commits {
            for other in &commits {
                let (from, to) = (repo.tree_of(*one).unwrap(), repo.tree_of(*other).unwrap());
                let args = ["diff-tree", "-r", "-z", "--name-only", &from.to_string(), &to.to_string()];
                let said = place.git(&args);
                let want: BTreeSet<Vec<u8>> =
                    said.split_terminator('\0').map(|path| path.as_bytes().to_vec()).collect();
                assert_eq!(repo.paths_changed(from, to).unwrap(), want, "{one} {other}");
            }
        }
        let [first, .., last] = commits[..] else { unreachable!() };
        let changes = repo.changes_since(first, last, 10).unwrap();
        assert_eq!(changes.iter().map(|(oid, _)| *oid).collect::<Vec<_>>(), {
            let mut newest_first = commits[1..].to_vec();
            newest_first.reverse();
            newest_first
        });
        assert_eq!(repo.changes_since(commits[1], last, 2).unwrap().len(), 2, "it is bounded");
    }
}

#[test]
fn a_patch_is_the_same_whatever_is_configured() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    let commits = history(&place);
    let (first, last) = (commits[1], commits[3]);
    place.write(".gitattributes", "* diff=mine\n*.txt binary\n");
    let ids = || {
        let repo = Repo::open(&place.path.join(".git")).unwrap();
        let of_each = repo.patch_ids(&commits, ".protocols/0001-x").unwrap();
        let mut of_each: Vec<(Oid, String)> = of_each.into_iter().collect();
        of_each.sort();
        (of_each, repo.patch_id_between(first, last, ".protocols/0001-x").unwrap())
    };
    let before = ids();
    assert_eq!(before.0.len(), commits.len());
    for (key, value) in [
        ("diff.external", "touch ran"),
        ("diff.mine.command", "touch ran"),
        ("diff.mine.textconv", "touch ran; cat"),
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.context", "0"),
        ("diff.interHunkContext", "9"),
        ("diff.algorithm", "patience"),
        ("diff.renames", "copies"),
        ("diff.ignoreSubmodules", "all"),
        ("diff.submodule", "log"),
        ("color.ui", "always"),
        ("core.quotePath", "false"),
        ("log.showSignature", "true"),
    ] {
        place.git(&["config", key, value]);
    }
    assert_eq!(ids(), before);
    assert!(!place.path.join("ran").exists(), "a program of the configuration was run");
}
