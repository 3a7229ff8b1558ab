//! Targets for what a process that died left behind: notes of what it was about to do, records of how the
//! repository was, chains of commits that no branch has.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use git_godzilla::domain::fold::fold;
use git_godzilla::domain::id::{Name, Oid};
use git_godzilla::domain::state::{Commit, Protocol};
use git_godzilla::platform::git::Repo;
use git_godzilla::service::branch::BranchTips;
use git_godzilla::service::context::Context;
use git_godzilla::service::settings::Settings;
use git_godzilla::service::{guard, keep, plan, worktrees};
use git_godzilla::store::content::Content;
use git_godzilla::store::{kept, refs};

use super::repository::{commit, commit_of, halves, make_repo_at, sealed, tree_of, with_repo};

const ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const MAIN: &str = "refs/heads/main";

/// The note of a plan, and after a mark that of a removal. The first byte tells where what was to be removed
/// lies; the folder of the worktrees is `@dir@` in both, a commit `@commit@`, and what holds it `@held@`.
///
/// Whatever they say, nothing is lost that lies there, and nothing is left to be settled again.
pub fn intents(data: &[u8]) {
    let Some((&place, notes)) = data.split_first() else { return };
    let home = tempfile::tempdir().unwrap();
    let dir = fs::canonicalize(home.path()).unwrap().join("worktrees");
    let repo = make_repo_at(&home.path().join(".git"));
    let held =
        commit(&repo, tree_of(&repo, b"work\xfebytes\xff"), None, "trash of 0001-a: removed\n\nKept: 1\n");
    let held_by = format!("{}0001-a/{ID}", refs::TRASH);
    let tips = ["refs/heads/0001-a".to_owned(), held_by.clone(), MAIN.to_owned()];
    for name in &tips {
        point(&repo, name, held);
    }

    let aside = dir.join(format!(".godzilla-removed-{ID}"));
    let [somebodys, work] = [dir.join("0001-b"), dir.join("0001-a")].map(|dir| dir.join("work"));
    let places = [&aside, &dir.join("0001-a"), &dir.join("elsewhere")];
    // Else it is only held.
    if let Some(dir) = places.get(usize::from(place & 3)) {
        put(&dir.join("work"), b"bytes");
    }
    put(&somebodys, b"somebody's");
    if place & 4 != 0 && !work.exists() {
        put(&work, b"somebody's");
    }
    let (of_plan, of_removal) = halves(notes);
    for (file, note) in [("plan-0001-a.json", of_plan), ("remove-0001-a.json", of_removal)] {
        let note = String::from_utf8_lossy(note).replace("@dir@", dir.to_str().unwrap());
        let note = note.replace("@commit@", &held.to_string()).replace("@held@", &held_by);
        put(&repo.state_dir().join("intents").join(file), note.as_bytes());
    }

    let ctx = Context::of_command(repo, Settings::defaults());
    let has_ended = [worktrees::recover(&ctx).is_ok(), plan::recover(&ctx).is_ok()];
    let is_held = kept::unread(&ctx.repo).unwrap().iter().any(|kept| kept.commit == held);
    let files = files_below(&dir);
    assert!(is_held || files.values().any(|bytes| bytes == b"bytes"), "{files:?}");
    assert!(files.get(&somebodys).is_some_and(|bytes| bytes == b"somebody's"), "{files:?}");
    assert_eq!(ctx.repo.find_ref(MAIN).unwrap(), Some(held));
    if has_ended == [true, true] {
        assert_eq!((worktrees::interrupted(&ctx), plan::interrupted(&ctx)), (Vec::new(), Vec::new()));
    }
}

/// A folder that a run left: where it worked, then, each after a mark, its files, its refs, and whether somebody
/// has looked. What it says is undone in the git directory alone, and only where it may lead.
pub fn guard_folders(data: &[u8]) {
    let (place, rest) = halves(data);
    let (files, rest) = halves(rest);
    let (known, looked_at) = halves(rest);
    let home = tempfile::tempdir().unwrap();
    let repo = make_repo_at(&home.path().join("r.git"));
    let tip = commit(&repo, tree_of(&repo, b""), None, "x");
    for name in [MAIN.to_owned(), format!("{}0001-a", refs::PROTOCOLS)] {
        point(&repo, &name, tip);
    }
    let dir = repo.state_dir().join("guards").join(ID);
    put(&dir.join("where"), place);
    put(&dir.join("files"), &sealed(files));
    put(&dir.join("refs"), &sealed(known));
    if !looked_at.is_empty() {
        put(&dir.join("looked-at"), b"");
    }
    put(&repo.common_dir().join("hooks/pre-push"), b"#!/bin/sh\n");
    put(&repo.common_dir().join("worktrees/a/gitdir"), b"/nowhere/.git\n");
    put(&repo.state_dir().join("trust.json"), b"{}");
    put(&home.path().join("beside/file"), b"somebody's");

    let outside = || {
        let all = files_below(home.path());
        let is_ours = |path: &Path| {
            let ours = ["config", "info", "hooks", "shallow", "godzilla", "refs", "worktrees"];
            ours.iter().any(|ours| path.starts_with(repo.common_dir().join(ours)))
        };
        all.into_iter().filter(|(path, _)| !is_ours(path)).collect::<BTreeMap<_, _>>()
    };
    let before = outside();
    let told = guard::settle(&repo);
    assert_eq!(outside(), before);
    let told = told.unwrap_or_default();
    assert!(told.iter().all(|said| !said.chars().any(char::is_control)), "{told:?}");
    if !dir.exists() {
        assert!(!guard::is_open(&repo) && guard::settle(&repo).unwrap().is_empty());
    }
}

/// A chain of commits that a protocol lost. The first byte tells which of four the branch has, and which are no
/// longer of the protocol; then, divided by bytes that no text has, the links: which of them one keeps, and what
/// it says.
///
/// What is lost is held afterwards, and so is what the chain held.
pub fn keep_chains(data: &[u8]) {
    let Some((&what, links)) = data.split_first() else { return };
    let name: Name = "0007-add-login".parse().unwrap();
    with_repo(|repo| {
        let tree = tree_of(repo, b"");
        let first = commit(repo, tree, None, "first");
        let second = commit(repo, tree, Some(first), "second");
        let all = [
            first,
            second,
            commit(repo, tree, Some(second), "third"),
            commit(repo, tree, Some(first), "other"),
        ];
        let chosen = |bits: u8| all.into_iter().enumerate().filter(move |(idx, _)| bits >> idx & 1 == 1);
        let link = |last: Option<Oid>, link: &[u8]| {
            let (bits, message) = link.split_first().map_or((0, link), |(bits, message)| (*bits, message));
            let keeps = chosen(bits).map(|(_, oid)| oid);
            let parents = last.filter(|_| bits & 16 == 0).into_iter().chain(keeps).collect();
            Some(commit_of(repo, tree, parents, &String::from_utf8_lossy(message)))
        };
        let parts = links.split(|byte| *byte == 0xff).filter(|part| !part.is_empty());
        let before = parts.fold(None, link);
        let file = repo.common_dir().join(refs::keep(&name));
        drop(fs::remove_file(&file));
        if let Some(before) = before {
            point(repo, &refs::keep(&name), before);
        }

        let protocol = protocol(all.into_iter().enumerate().map(|(idx, oid)| (oid, what >> idx & 1 == 0)));
        let tips =
            BranchTips { local: chosen(what >> 4).next().map(|(_, oid)| oid), ..BranchTips::default() };
        keep::hold(repo, &name, &protocol, &tips).unwrap();
        let after = repo.find_ref(&refs::keep(&name)).unwrap();
        let reaches =
            |tip: Option<Oid>, oid: Oid| tip.is_some_and(|tip| tip == oid || repo.is_ancestor(oid, tip));
        for (oid, commit) in &protocol.commits {
            let is_wanted = !commit.live || tips.local.is_none();
            assert!(!is_wanted || reaches(tips.local, *oid) || reaches(after, *oid), "{oid}");
        }
        assert!(before.is_none_or(|before| reaches(after, before)));
        assert_eq!(keep::hold(repo, &name, &protocol, &tips).unwrap(), 0, "all of it is held");
        assert_eq!(repo.find_ref(&refs::keep(&name)).unwrap(), after);
        assert!(keep::names(repo).unwrap().iter().all(|held| *held == name));
    });
}

/// Returns a protocol with these commits, and whether each counts.
fn protocol(commits: impl Iterator<Item = (Oid, bool)>) -> Protocol {
    let mut content = Content::default();
    let begin = include_bytes!("../corpus/event_lines/v1").split(|byte| *byte == b'\n').next().unwrap();
    content.add_raw(begin);
    content.normalize();
    let mut protocol = fold(&content.events(), &content.decoded_specs()).protocol.unwrap();
    let about = |(oid, live)| {
        let parents = Vec::new();
        let subject = String::new();
        (oid, Commit { tree: oid, content_tree: oid, parents, step: None, subject, at_ms: 0, live })
    };
    protocol.commits = commits.map(about).collect();
    protocol
}

fn point(repo: &Repo, name: &str, at: Oid) {
    put(&repo.common_dir().join(name), format!("{at}\n").as_bytes());
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Returns what lies below a folder, links not followed.
fn files_below(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                dirs.push(path);
            } else if kind.is_file() {
                found.insert(path.clone(), fs::read(&path).unwrap_or_default());
            }
        }
    }
    found
}
