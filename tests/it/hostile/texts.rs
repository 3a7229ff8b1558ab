//! Strange texts, names and files where a person or a tool may give any.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::super::support::{BIN, Shown, World, run};
use super::{NAME, TEXTS, assert_nothing_ran, assert_plain, assert_shows};

#[test]
fn texts_are_taken_as_texts() {
    let world = World::new();
    let a = world.clone("a");
    let long = "long ".repeat(2000);
    for (idx, text) in TEXTS.iter().copied().chain([long.as_str()]).enumerate() {
        let number = (idx + 1).to_string();
        let reason = format!("--reason={text}");
        let option = |name: &str| format!("--{name}={text}");
        let (name, base, from) = (option("name"), option("base"), option("from"));
        let planned =
            a.godzilla(&["plan", "--name", &format!("p{idx}"), &format!("--step={text}"), "--", text]);
        assert_eq!(planned.code, Some(0), "{text:?} {planned}");
        assert_plain(&planned);
        for args in [
            vec!["block", "1", "-p", &number, &reason],
            vec!["explain", &number],
            vec!["unblock", "1", "-p", &number],
            vec!["comment", "-p", &number, "--", text],
            vec!["skip", "1", "-p", &number, &reason],
            vec!["show", &number],
            vec!["log", &number],
            vec!["pause", &number, &reason],
            vec!["status"],
        ] {
            let shown = a.godzilla(&args);
            assert_eq!(shown.code, Some(0), "{args:?} {shown}");
            assert_plain(&shown);
        }
        // Where a name is meant.
        for args in [
            vec!["show", "--", text],
            vec!["start", "-p", &number, "--", text],
            vec!["sync", "--", text],
            vec!["plan", "x", &name],
            vec!["plan", "x", &base],
            vec!["plan", "x", &from],
        ] {
            let shown = a.godzilla(&args);
            assert!(matches!(shown.code, Some(2..=4)), "{args:?} {shown}");
            assert_plain(&shown);
        }
    }
    for text in ["", "  \n", "\u{1b}[31m", "\u{200b}"] {
        let shown = a.godzilla(&["plan", text]);
        assert_eq!(shown.code, Some(2), "{text:?} {shown}");
    }
    let nameless = a.godzilla(&["plan", "🦖🦖"]);
    assert!(nameless.code == Some(2) && nameless.stderr.contains("--name"), "{nameless}");
    assert_shows(&a);
    a.godzilla_ok(&["sync"]);
    assert_nothing_ran(&world);
    assert_eq!(a.git(&["fsck", "--no-dangling", "--no-progress"]), "");
}

#[test]
fn commits_branches_and_people_with_strange_names() {
    let world = World::new();
    let a = world.clone("a");
    for text in TEXTS {
        a.git(&["config", "user.name", &text.replace('\n', " ")]);
        let base = format!(
            "topic/{}",
            text.chars()
                .filter(|c| !c.is_ascii_punctuation() && !c.is_whitespace() && !c.is_control())
                .collect::<String>()
        );
        a.git(&["branch", "--force", &base, "main"]);
        let tree = a.json(&["plan", "Work", "--base", &base]);
        let tree = world.place(tree["worktree"].as_str().unwrap());
        tree.write("file", text);
        tree.git(&["add", "."]);
        let committed = tree.try_git(&["commit", "--quiet", "-m", &format!("feat: {text}"), "-m", text]);
        assert_eq!(committed.code, Some(0), "{committed}");
        assert_plain(&Shown { stdout: String::new(), ..committed });
        for args in [&["show"][..], &["log"], &["status"], &["explain"]] {
            let shown = tree.godzilla(args);
            assert_eq!(shown.code, Some(0), "{args:?} {shown}");
            assert_plain(&shown);
        }
        assert!(tree.json(&["show"])["steps"][1]["commits"].as_array().unwrap().len() == 1);
    }
    let pushed = a.try_git(&["push", "--quiet", "origin", "--all"]);
    assert_plain(&pushed);
    assert_shows(&a);
    assert_nothing_ran(&world);
}

#[test]
fn plans_from_files_that_are_no_plans() {
    let world = World::new();
    let a = world.clone("a");
    let before = a.git(&["for-each-ref"]);
    fs::write(a.path.join("latin1.md"), b"# Caf\xe9\n- [ ] one\n").unwrap();
    fs::write(a.path.join("binary.md"), [0, 159, 146, 150, 0]).unwrap();
    fs::write(a.path.join("empty.md"), "").unwrap();
    fs::write(a.path.join("huge.md"), vec![b'#'; 5 * 1024 * 1024]).unwrap();
    for file in ["latin1.md", "binary.md", "empty.md", "huge.md", ".git", "/dev/null"] {
        let shown = a.godzilla(&["plan", "--from", file]);
        assert!(matches!(shown.code, Some(2 | 3)), "{file} {shown}");
        assert_plain(&shown);
    }
    assert_eq!(a.git(&["for-each-ref"]), before);
    a.write(
        "raw.md",
        "# \u{1b}[31mRed\u{1b}[0m ../x\n\n- [ ] $(touch pwned)\n- [ ] \u{202e}two\n  - [ ] --force\n",
    );
    let planned = a.godzilla(&["plan", "--from", "raw.md"]);
    assert_eq!(planned.code, Some(0), "{planned}");
    assert_plain(&planned);
    assert_shows(&a);
    assert_nothing_ran(&world);
}

type Change = fn(&Path);

#[test]
fn files_in_the_way_of_a_step() {
    let world = World::new();
    let a = world.clone("a");
    let tree = a.plan("Add a login", &["The form"]);
    let file = tree.path.join(format!(".protocols/{NAME}/01-the-form.md"));
    let good = fs::read(&file).unwrap();
    fs::write(tree.path.join(OsStr::from_bytes(b"caf\xe9 \x1b[31m\xff")), "").unwrap();
    fs::write(world.path().join("secret"), "- [x] secret\n").unwrap();
    let changes: [(&str, Change); 5] = [
        ("a link", |file| std::os::unix::fs::symlink("../../../../../secret", file).unwrap()),
        ("a folder", |file| {
            fs::create_dir(file).unwrap();
            fs::write(file.join("x"), "- [x] done\n").unwrap();
        }),
        ("binary", |file| fs::write(file, b"- [x] \xff\x00\x1b[2J\n- [x] done\n---\n").unwrap()),
        ("gone", |_| ()),
        ("huge", |file| fs::write(file, "- [ ] box\n".repeat(100_000)).unwrap()),
    ];
    let mut n_commits = 0;
    for (what, change) in changes {
        if file.is_dir() { fs::remove_dir_all(&file) } else { fs::remove_file(&file) }.ok();
        change(&file);
        tree.git(&["add", "--all"]);
        let committed = tree.try_git(&["commit", "--quiet", "-m", &format!("feat: {what}")]);
        assert_eq!(committed.code, Some(0), "{what} {committed}");
        assert_plain(&committed);
        n_commits += 1;
        assert_shows(&a);
        let step = &a.json(&["show", "1"])["steps"][1];
        assert_eq!(step["commits"].as_array().unwrap().len(), n_commits, "{what} {step}");
        assert_eq!(step["status"], "running", "{what}");
    }
    fs::remove_file(&file).unwrap();
    fs::write(&file, String::from_utf8(good).unwrap().replace("[ ]", "[x]")).unwrap();
    tree.git(&["add", "--all"]);
    tree.git(&["commit", "--quiet", "-m", "feat: done"]);
    assert_eq!(a.statuses("1")[1], "completed");
}

#[test]
fn remotes_with_strange_names() {
    let world = World::new();
    let a = world.clone("a");
    a.plan("Add a login", &["The form"]);
    for name in ["team/we%2fird", "ümläut.x", "a+b$HOME;touch-pwned"] {
        world.place("").git(&["clone", "--quiet", "--bare", "srv.git", "other.git"]);
        a.git(&["remote", "add", name, "../other.git"]);
        a.git(&["fetch", "--quiet", name]);
        a.godzilla_ok(&["init", "--yes", "--remote", name]);
        let synced = a.godzilla(&["sync", name]);
        assert!(synced.code == Some(0) && synced.stdout.contains("pushed"), "{synced}");
        assert_plain(&synced);
        let refs = world.place("other.git").git(&["for-each-ref", "refs/godzilla"]);
        assert!(refs.contains(NAME), "{refs}");
        assert_shows(&a);
        a.git(&["remote", "remove", name]);
        fs::remove_dir_all(world.path().join("other.git")).unwrap();
    }
    let shown = run(a.command(BIN).args(["init", "--yes", "--remote", "\u{1b}[31mno\n"]));
    assert_eq!(shown.code, Some(3), "{shown}");
    assert_plain(&shown);
    assert_nothing_ran(&world);
}

#[test]
fn a_reason_as_long_as_a_book_is_cut_and_kept() {
    let world = World::new();
    let a = world.clone("a");
    a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["block", "-p", "1", "--reason", &"why ".repeat(25_000)]);
    assert_eq!(a.statuses("1")[1], "blocked");
    let log = a.godzilla_ok(&["log", "1", "--json"]);
    assert!(log.lines().last().unwrap().contains("why why"), "{log}");
}
