//! Targets that need a repository: what others wrote there, pushed to it, or left in its folder.

use std::cell::RefCell;
use std::fs;
use std::path::{Component, Path};

use git_godzilla::domain::fold::fold;
use git_godzilla::domain::id::Oid;
use git_godzilla::platform::git::{Guarded, Identity, NewCommit, Remote, Repo, TreeEntry};
use git_godzilla::service::context::Context;
use git_godzilla::service::server::{self, Received};
use git_godzilla::service::settings::Settings;
use git_godzilla::store::archive::{self, Shelves};
use git_godzilla::store::content::{Content, sha256};
use git_godzilla::store::{answer, kept, refs, tip};

/// Divides what belongs together; no text has it.
const BESIDE: u8 = 0xfd;

/// After so many cases there is a new repository: what they write stays in it, and a search makes millions.
const MAX_CASES: usize = 10_000;

/// Calls `look` with a bare repository, the same for many cases of a thread.
pub fn with_repo(look: impl FnOnce(&Repo)) {
    thread_local! {
        static REPO: RefCell<Option<(Repo, tempfile::TempDir, usize)>> = const { RefCell::new(None) };
    }
    REPO.with_borrow_mut(|made| {
        let (repo, _, n_cases) = made.get_or_insert_with(|| {
            let dir = tempfile::tempdir().unwrap();
            (make_repo_at(dir.path()), dir, 0)
        });
        look(repo);
        *n_cases += 1;
        if *n_cases >= MAX_CASES {
            *made = None;
        }
    });
}

/// Makes a repository without a worktree.
pub(super) fn make_repo_at(dir: &Path) -> Repo {
    for folder in ["objects", "refs"] {
        fs::create_dir_all(dir.join(folder)).unwrap();
    }
    for (file, text) in [("HEAD", "ref: refs/heads/main\n"), ("config", "[core]\n\tbare = true\n")] {
        fs::write(dir.join(file), text).unwrap();
    }
    Repo::open(dir).unwrap()
}

/// Two archives: what is united has all that either of them has, and uniting again changes nothing.
pub fn archives(data: &[u8]) {
    let (mine, theirs) = halves(data);
    with_repo(|repo| {
        let (mine, theirs) = (tree_of(repo, mine), tree_of(repo, theirs));
        let unite = |mine, theirs| {
            archive::unite(repo, mine, theirs, &|content| {
                fold(&content.events(), &content.decoded_specs()).protocol
            })
        };
        let united = unite(mine, theirs).unwrap();
        assert_eq!(unite(united.tree, theirs).unwrap().tree, united.tree);
        assert!(archive::contains(repo, united.tree, mine).unwrap());
        let other = unite(theirs, mine).unwrap();
        if !united.set_aside.is_empty() || !other.set_aside.is_empty() {
            return;
        }
        assert!(archive::contains(repo, united.tree, theirs).unwrap());
        let entries = |tree| Shelves::open(repo, tree).unwrap().all().unwrap();
        let (one, other) = (entries(united.tree), entries(other.tree));
        assert!(one.keys().eq(other.keys()));
        for (one, other) in one.values().zip(other.values()) {
            if let (Some(one), Some(other)) = (readable(repo, *one), readable(repo, *other)) {
                assert!(one.contains(&other) && other.contains(&one));
            }
        }
        drop(archive::strange(repo, united.tree).unwrap());
    });
}

/// A push of one ref, with the trees that it has before and after: what is let in loses nothing and can be read,
/// and what is refused is told in a line.
pub fn pushes(data: &[u8]) {
    let (name, rest) = halves(data);
    let (before, after) = halves(rest);
    let name = String::from_utf8_lossy(name);
    let name = format!("{}{}", refs::SHARED, name.trim());
    with_repo(|repo| {
        // Nothing at all is no ref.
        let commit = |data: &[u8], parent: Option<Oid>| {
            (!data.is_empty()).then(|| commit(repo, tree_of(repo, data), parent, "x"))
        };
        let old = commit(before, None);
        let new = commit(after, old);
        let ctx = Context::of_command(Repo::open(repo.git_dir()).unwrap(), Settings::defaults());
        let push = [Received { name: name.clone(), old, new }];
        let refused = server::refusals(&ctx, &push).unwrap();
        for said in &refused {
            assert!(!said.strip_prefix(name.as_str()).unwrap().chars().any(char::is_control), "{said:?}");
        }
        let tree = |commit: Option<Oid>| commit.map(|commit| repo.tree_of(commit).unwrap());
        let (Some(old), new, true) = (tree(old), tree(new), refused.is_empty()) else { return };
        if name == refs::ARCHIVE {
            // What demands a newer version is that version's to answer for.
            let is_newer = |tree: &Oid| tip::read(repo, *tree).is_ok_and(|content| !content.may_be_read());
            let is_judged = !Shelves::open(repo, old).unwrap().all().unwrap().values().any(is_newer);
            assert!(!is_judged || archive::contains(repo, new.unwrap(), old).unwrap());
        } else if name == refs::PROJECT || name.starts_with(refs::PROTOCOLS) {
            let before = readable(repo, old);
            let after = new.map(|tree| tip::read(repo, tree).unwrap()).unwrap_or_default();
            assert!(before.is_none_or(|before| after.contains(&before)));
        }
    });
}

/// What a remote said, as it is kept in the folder of this clone.
pub fn answers(data: &[u8]) {
    with_repo(|repo| {
        let urls = vec!["https://example.com/x".to_owned()];
        let remote = Remote { name: "origin".to_owned(), urls, push_urls: Vec::new(), fetch: Vec::new() };
        let file = repo.state_dir().join("remotes/origin.json");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, data).unwrap();
        let Some(read) = answer::read(repo, &remote) else { return };
        assert!(!read.reason.chars().any(char::is_control), "{read:?}");
        answer::write(repo, &remote, &read);
        let again = answer::read(repo, &remote).unwrap();
        assert!(read.reason.starts_with(&again.reason) && again.reason.chars().count() <= 300, "{again:?}");
        assert_eq!((again.said, again.at_ms), (read.said, read.at_ms));
    });
}

/// How a repository was before an engine worked in it: fields of files, then those of refs.
pub fn guards(data: &[u8]) {
    let (files, known) = halves(data);
    with_repo(|repo| {
        assert!(Guarded::from_bytes(repo, data, Some(data)).is_none(), "nothing says that it is whole");
        let Some(read) = Guarded::from_bytes(repo, &sealed(files), Some(&sealed(known))) else { return };
        let (files, known) = (read.files_as_bytes(repo), read.refs_as_bytes());
        let again = Guarded::from_bytes(repo, &files, Some(&known)).unwrap();
        assert_eq!((again.files_as_bytes(repo), again.refs_as_bytes()), (files, known));
        for path in repo.tampered(&read, "").unwrap().files {
            let rest = path.strip_prefix(repo.common_dir()).unwrap();
            assert!(rest.components().all(|part| matches!(part, Component::Normal(_))), "{}", path.display());
            let is_other = ["objects", "refs", "HEAD"].iter().any(|other| rest.starts_with(other));
            assert!(!is_other, "{}", path.display());
        }
    });
}

/// The message of a commit that keeps a worktree.
pub fn kept_worktrees(data: &[u8]) {
    with_repo(|repo| {
        let commit = commit(repo, tree_of(repo, b""), None, &String::from_utf8_lossy(data));
        let file = repo.common_dir().join("refs/godzilla-local/trash/0001-a/01ARZ3NDEKTSV4RRFFQ69G5FAV");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("{commit}\n")).unwrap();
        let all = kept::list(repo).unwrap();
        assert_eq!(all.len(), 1);
        let Some(about) = &all[0].about else { return };
        let not_held = about.not_held.iter().map(|(_, path)| path);
        for shown in not_held.chain([&about.why]) {
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
        }
        if let Some(dir) = &about.dir {
            assert_eq!(kept::unescape_path(&kept::escape_path(dir)).as_deref(), Some(dir.as_path()));
        }
    });
}

/// Returns fields of a record as a whole one: chance would never find the sum of what it made.
pub(super) fn sealed(fields: &[u8]) -> Vec<u8> {
    let bytes = [b"godzilla-guard 1\0", fields].concat();
    let end = format!("end\0{}\0", sha256(&bytes));
    [bytes.as_slice(), end.as_bytes()].concat()
}

/// Divides at the first mark.
pub(super) fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    let at = data.iter().position(|byte| *byte == BESIDE).unwrap_or(data.len());
    (&data[..at], data.get(at + 1..).unwrap_or_default())
}

/// Makes a tree of files, which are divided by bytes that no text has: `path \xfe bytes \xff`.
pub(super) fn tree_of(repo: &Repo, data: &[u8]) -> Oid {
    const MAX_DEPTH: usize = 6;

    let mut tree = repo.write_tree(&[]).unwrap();
    for part in data.split(|byte| *byte == 0xff) {
        let (path, bytes) = part.split_at(part.iter().position(|byte| *byte == 0xfe).unwrap_or(0));
        let Ok(path) = std::str::from_utf8(path) else { continue };
        let is_name = |name: &str| !matches!(name, "" | "." | ".." | ".git") && !name.contains('\0');
        if path.split('/').count() <= MAX_DEPTH && path.split('/').all(is_name) {
            let blob = TreeEntry::blob("", repo.write_blob(&bytes[1..]).unwrap());
            tree = repo.tree_with(Some(tree), path, Some(blob)).unwrap();
        }
    }
    tree
}

pub(super) fn commit(repo: &Repo, tree: Oid, parent: Option<Oid>, message: &str) -> Oid {
    commit_of(repo, tree, parent.into_iter().collect(), message)
}

pub(super) fn commit_of(repo: &Repo, tree: Oid, parents: Vec<Oid>, message: &str) -> Oid {
    let who = Identity { name: "Ada".to_owned(), email: "ada@example.com".to_owned() };
    let (author, committer, message) = (&who, &who, message.to_owned());
    repo.write_commit(&NewCommit { tree, parents, message, author, committer, for_people: false }).unwrap()
}

fn readable(repo: &Repo, tree: Oid) -> Option<Content> {
    tip::read(repo, tree).ok().filter(Content::may_be_read)
}
