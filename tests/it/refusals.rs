//! What is refused, how, and that nothing was written before it was.

mod asking;
mod told;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::support::{BIN, Place, Shown, World, run};

/// Commands that write, in a clone that knows a protocol 1.
const WRITES: &[&[&str]] = &[
    &["plan", "Something"],
    &["start", "1", "-p", "1"],
    &["next", "-p", "1"],
    &["cancel", "1"],
    &["comment", "a note", "-p", "1"],
];

/// Every file below a folder, and what is in it, but for the locks and the cache of our own.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.to_str().unwrap().to_owned();
            if ["/godzilla/locks", "/godzilla/cache"].iter().any(|own| name.ends_with(own)) {
                continue;
            }
            if let Ok(target) = fs::read_link(&path) {
                found.insert(name, target.into_os_string().into_encoded_bytes());
            } else if path.is_file() {
                found.insert(name, fs::read(&path).unwrap());
            } else {
                found.insert(name, Vec::new());
                folders.push(path);
            }
        }
    }
    found
}

/// Asserts that the command is refused with this exit code and this text, as text and as JSON, and
/// that it changes no file.
#[track_caller]
fn refused(place: &Place<'_>, args: &[&str], code: i32, says: &str) {
    refused_as(place, args, code, says, &|command| command);
}

#[track_caller]
fn refused_as(
    place: &Place<'_>,
    args: &[&str],
    code: i32,
    says: &str,
    prepare: &dyn for<'c> Fn(&'c mut Command) -> &'c mut Command,
) {
    let before = files(&place.path);
    let as_text = run(prepare(place.command(BIN).args(args)));
    let as_json = run(prepare(place.command(BIN).args(args).arg("--json")));
    let after = files(&place.path);
    let is_new = |name: &&String| before.get(*name) != after.get(*name);
    let changed: Vec<_> = after.keys().chain(before.keys()).filter(is_new).collect();
    assert!(changed.is_empty(), "{args:?} changed {changed:?}");

    assert_eq!((as_text.code, as_json.code), (Some(code), Some(code)), "{args:?}\n{as_text}{as_json}");
    assert_eq!(as_text.stdout, "", "{args:?}");
    for said in [&as_text.stderr, &as_json.stderr] {
        assert!(said.contains("error: ") && said.contains(says), "{args:?} {said}");
    }
    assert_error_document(&as_json);
}

#[track_caller]
fn assert_error_document(shown: &Shown) {
    let schema: Value = serde_json::from_str(include_str!("../../schemas/error.v1.schema.json")).unwrap();
    let document: Value =
        serde_json::from_str(&shown.stdout).unwrap_or_else(|err| panic!("{err} in {shown}"));
    let errors: Vec<_> = jsonschema::validator_for(&schema)
        .unwrap()
        .iter_errors(&document)
        .map(|err| err.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?} in {document}");
    assert_eq!(document["exit"], shown.code.unwrap(), "{document}");
}

/// A clone that is set up and knows one protocol.
fn planned(world: &World) -> Place<'_> {
    let a = world.clone("a");
    a.plan("Add a login", &["The form", "The API"]);
    a
}

#[test]
fn a_folder_that_is_no_repository() {
    let world = World::new();
    let place = world.place("home");
    for args in WRITES.iter().copied().chain([&["list"][..], &["sync"], &["init", "--yes"], &["show", "1"]]) {
        refused(&place, args, 4, "not a git repository");
    }
    refused_as(&place, &["list"], 4, "open the repository", &|command| command.env("GIT_DIR", "/no/where"));
    refused(&place, &["list", "--git-dir", "/no/where"], 4, "/no/where");
    refused(&place, &["list", "-C", "/no/where"], 2, "/no/where");
}

#[test]
fn repositories_that_gix_would_damage() {
    let world = World::new();
    let a = planned(&world);
    let all =
        WRITES.iter().copied().chain([&["list"][..], &["sync"], &["init", "--yes"], &["hooks", "install"]]);
    let with_config = |text: &str| {
        let path = a.path.join(".git/config");
        let config = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("CONFIG", &config)).unwrap();
        config
    };
    for (config, says) in [
        ("CONFIG\n[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\tzebra = yes\n", "extension `zebra`"),
        (
            "CONFIG\n[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\trefStorage = reftable\n",
            "refstorage",
        ),
        ("CONFIG\n[core]\n\trepositoryFormatVersion = 99\n", "newer"),
    ] {
        let before = with_config(config);
        for args in all.clone() {
            refused(&a, args, 4, says);
        }
        fs::write(a.path.join(".git/config"), before).unwrap();
    }
    a.godzilla_ok(&["comment", "as before", "-p", "1"]);

    let made = world.place("").try_git(&["init", "--quiet", "--ref-format=reftable", "tables"]);
    if made.code != Some(0) {
        println!("skipped: this git makes no reftable repositories");
        return;
    }
    let place = world.place("tables");
    place.git(&["commit", "--quiet", "--allow-empty", "-m", "first"]);
    for args in all {
        refused(&place, args, 4, "reftable");
    }
}

#[test]
fn a_repository_of_somebody_else() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can give a repository away");
        return;
    }
    let world = World::new();
    let a = planned(&world);
    std::os::unix::fs::chown(a.path.join(".git"), Some(12345), None).unwrap();
    let top = a.path.canonicalize().unwrap();
    for args in WRITES.iter().copied().chain([&["list"][..], &["init", "--yes"]]) {
        refused(&a, args, 4, &format!("safe.directory '{}'", top.display()));
    }
    a.git(&["config", "--global", "--add", "safe.directory", top.to_str().unwrap()]);
    a.godzilla_ok(&["start", "1", "-p", "1"]);
}

#[test]
fn a_repository_without_a_commit_takes_no_plan() {
    let world = World::new();
    world.place("").git(&["init", "--quiet", "new"]);
    let place = world.place("new");
    place.godzilla_ok(&["init", "--yes"]);
    refused(&place, &["plan", "Something"], 4, "no commit yet");
    place.godzilla_ok(&["list"]);
    assert_eq!(place.git(&["for-each-ref", "refs/heads", "refs/godzilla/protocols"]), "");
}

#[test]
fn a_bare_repository_works_without_a_worktree() {
    let world = World::new();
    planned(&world).godzilla_ok(&["sync"]);
    world.place("").git(&["clone", "--quiet", "--bare", "srv.git", "bare.git"]);
    let bare = world.place("bare.git");
    bare.godzilla_ok(&["init", "--yes"]);
    let planned = bare.godzilla(&["plan", "In a bare one"]);
    assert_eq!(planned.code, Some(0), "{planned}");
    assert!(planned.stderr.contains("bare, so there is no worktree"), "{planned}");
    assert!(bare.godzilla_ok(&["list"]).contains("0002-in-a-bare-one"));
    assert!(bare.godzilla_ok(&["show", "1"]).contains("Add a login"));
    bare.godzilla_ok(&["start", "1", "-p", "2"]);
    bare.godzilla_ok(&["sync"]);
    assert!(!bare.path.join("worktrees").exists());
}

#[test]
fn a_clone_that_is_not_set_up() {
    let world = World::new();
    world.clone("b").plan("Add a login", &["The form"]).godzilla_ok(&["sync"]);
    let a = world.bare_clone_of("a");
    for args in WRITES.iter().copied().chain([&["sync"][..]]) {
        refused(&a, args, 4, "hint: git godzilla init");
    }
    assert!(a.godzilla_ok(&["list"]).contains("no protocols"));
    a.godzilla_ok(&["plan", "Only a thought", "--dry-run"]);
    assert_eq!(a.git(&["for-each-ref", "refs/godzilla"]), "");
}

#[test]
fn decisions_need_an_identity_and_facts_do_not() {
    let world = World::new();
    let a = planned(&world);
    let tree = world.place("a/worktrees/0001-add-a-login");
    world.place("home").write("gitconfig", "[user]\n\tuseConfigOnly = true\n");
    for args in [&["plan", "Something"][..], &["start", "1", "-p", "1"], &["pause", "1"]] {
        let before = a.git(&["for-each-ref"]);
        let shown = a.godzilla(args);
        assert_eq!(shown.code, Some(4), "{shown}");
        assert!(shown.stderr.contains("git config --global user.name"), "{shown}");
        assert_eq!(a.git(&["for-each-ref"]), before);
    }
    tree.write("form", "a form\n");
    tree.git(&["add", "."]);
    tree.git(&[
        "-c",
        "user.name=B",
        "-c",
        "user.email=b@example.com",
        "-c",
        "core.hooksPath=/dev/null",
        "commit",
        "--quiet",
        "-m",
        "feat: a form",
    ]);
    a.godzilla_ok(&["comment", "a fact", "-p", "1"]);
    let log = a.godzilla_ok(&["log", "1", "--json"]);
    assert!(log.contains("a fact") && log.contains("feat: a form"), "{log}");
}

#[test]
fn a_repository_that_can_only_be_read() {
    const NOBODY: u32 = 65534;
    let world = World::new();
    let a = planned(&world);
    a.godzilla_ok(&["sync"]);
    let b = world.clone("b");
    b.godzilla_ok(&["start", "1", "-p", "1"]);
    b.godzilla_ok(&["sync"]);
    // Something to adopt, which has to wait.
    a.git(&["fetch", "--quiet"]);
    let is_root = rustix::process::geteuid().is_root();
    let program = world.path().join("git-godzilla");
    fs::copy(BIN, &program).unwrap();
    change_all(world.path(), &|path, mode| {
        if is_root {
            std::os::unix::fs::lchown(path, Some(NOBODY), None).unwrap();
        }
        fs::set_permissions(path, fs::Permissions::from_mode((mode | 0o055) & !0o222)).unwrap();
    });
    let as_reader = |args: &[&str]| {
        let mut command = if is_root { a.command("setpriv") } else { a.command(&program) };
        if is_root {
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        }
        run(command.args(args))
    };
    let before = files(&a.path);
    for args in [&["list"][..], &["show", "1"], &["status"], &["log", "1"], &["ready"], &["explain", "1"]] {
        let shown = as_reader(args);
        assert!(shown.code == Some(0) && shown.stderr.is_empty(), "{args:?} {shown}");
    }
    assert!(as_reader(&["show", "1"]).stdout.contains("running"), "what was fetched is shown");
    for args in WRITES {
        let shown = as_reader(args);
        assert_eq!(shown.code, Some(4), "{args:?} {shown}");
        assert!(shown.stderr.contains("Permission denied"), "{args:?} {shown}");
        assert_error_document(&as_reader(&[*args, &["--json"]].concat()));
    }
    assert!(before == files(&a.path), "something was written");
    change_all(world.path(), &|path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o700)).unwrap();
    });
}

fn change_all(path: &Path, change: &dyn Fn(&Path, u32)) {
    let meta = fs::symlink_metadata(path).unwrap();
    if meta.is_symlink() {
        return;
    }
    // A folder must be open while what is in it is changed.
    if meta.is_dir() {
        fs::set_permissions(path, fs::Permissions::from_mode(meta.permissions().mode() | 0o700)).unwrap();
        for entry in fs::read_dir(path).unwrap() {
            change_all(&entry.unwrap().path(), change);
        }
    }
    change(path, meta.permissions().mode());
}

#[test]
fn worktrees_stay_in_the_repository() {
    let world = World::new();
    let a = planned(&world);
    let outside = world.path().join("elsewhere");
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, a.path.join("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", a.path.join("dangling")).unwrap();
    let absolute = outside.to_str().unwrap();
    for root in ["../elsewhere", absolute, "x/../../y", ".git/trees", ".GIT", ".", "link/trees", "dangling"] {
        a.write("godzilla.toml", &format!("[worktree]\nroot = \"{root}\"\n"));
        refused(&a, &["plan", "Something"], 4, "worktree.root");
        refused(&a, &["init", "--yes"], 4, "worktree.root");
    }
    a.write("godzilla.toml", "[worktree]\nroot = \"some/trees\"\n");
    assert!(a.plan("Something", &[]).path.ends_with("some/trees/0002-something"));
    assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
}

#[test]
fn a_rebase_or_merge_that_has_not_ended_is_left_alone() {
    let world = World::new();
    let a = planned(&world);
    a.git(&["checkout", "--quiet", "-b", "topic"]);
    a.commit("README", "theirs");
    a.git(&["checkout", "--quiet", "main"]);
    a.commit("README", "ours");
    for (begin, end) in
        [(["rebase", "topic"], ["rebase", "--abort"]), (["merge", "topic"], ["merge", "--abort"])]
    {
        assert_ne!(a.try_git(&begin).code, Some(0));
        let before = (a.git(&["status"]), a.git(&["ls-files", "--stage"]), a.git(&["rev-parse", "HEAD"]));
        a.godzilla_ok(&["list"]);
        a.godzilla_ok(&["comment", "meanwhile", "-p", "1"]);
        a.plan(&format!("During a {}", begin[0]), &[]);
        a.godzilla_ok(&["sync"]);
        let after = (a.git(&["status"]), a.git(&["ls-files", "--stage"]), a.git(&["rev-parse", "HEAD"]));
        assert_eq!(before, after);
        a.git(&end);
    }
}
