//! `hooks install`, `uninstall` and `status`: earlier hooks run first and come back as they were.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Life, message, put_script, with_each_git};
use crate::support::{Place, World};

pub(super) const EVENTS: [&str; 7] = [
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "post-rewrite",
    "pre-push",
    "post-merge",
    "post-checkout",
];

/// Names, modes and bytes of all that lies in the hooks folder.
fn files(place: &Place<'_>) -> BTreeMap<String, (u32, Vec<u8>)> {
    let dir = place.path.join(".git/hooks");
    let read = |path: &Path| {
        let mode = fs::symlink_metadata(path).unwrap().permissions().mode();
        let link = fs::read_link(path).map(|target| target.into_os_string().into_encoded_bytes());
        (mode, link.unwrap_or_else(|_| fs::read(path).unwrap()))
    };
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), read(&entry.path()))).collect()
}

/// Puts a hook for every event that writes down its name, arguments and input.
fn put_recorders(place: &Place<'_>, record: &Path) {
    for event in EVENTS {
        let text = format!(
            "{{ echo \"{event} $#\"; for arg; do echo \"- $arg\"; done; case {event} in pre-push|post-rewrite) \
             sed 's/^/< /';; esac; }} >>'{}'",
            record.display()
        );
        put_script(&place.path.join(".git/hooks").join(event), &text);
    }
}

fn modes(place: &Place<'_>) -> Vec<(String, String)> {
    let status = place.json(&["hooks", "status"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let hooks = status["hooks"].as_array().unwrap();
    hooks.iter().map(|hook| (text(&hook["event"]), text(&hook["mode"]))).collect()
}

#[test]
fn earlier_hooks_get_what_git_gives_and_come_back() {
    with_each_git(|world| {
        // What the recorders write without us is what they must write with us.
        let mut records = Vec::new();
        for with_us in [false, true] {
            let again = World::with(world.git_folder(), false);
            let a = again.clone("a");
            let life = Life::plan(&a, "Add a login page");
            let record = again.path().join("record");
            a.godzilla_ok(&["hooks", "uninstall"]);
            put_recorders(&a, &record);
            let before = files(&a);
            if with_us {
                a.godzilla_ok(&["hooks", "install"]);
                assert_eq!(modes(&a), EVENTS.map(|event| (event.to_owned(), "shim".to_owned())));
                let said = a.godzilla_ok(&["hooks", "status"]);
                assert!(said.contains("commit-msg.godzilla-prev → git-godzilla"), "{said}");
                assert_eq!(a.godzilla_ok(&["hooks", "install"]), "nothing to change\n");
            }
            life.work.commit("a.txt", "feat: a");
            life.work.git(&["commit", "--quiet", "--amend", "-m", "feat: a, said better"]);
            life.work.git(&["push", "--quiet", "origin", "HEAD"]);
            life.work.git(&["checkout", "--quiet", "--detach"]);
            life.work.git(&["checkout", "--quiet", &life.name]);
            a.git(&["merge", "--quiet", "--no-ff", "-m", "merge it", &life.name]);
            let normal = |text: String| {
                let is_oid = |word: &&str| word.len() == 40 && word.bytes().all(|b| b.is_ascii_hexdigit());
                let word = |word: &str| if is_oid(&word) { "OID".to_owned() } else { word.to_owned() };
                let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
                text.replace(again.path().to_str().unwrap(), "").lines().map(line).collect::<Vec<_>>()
            };
            records.push(normal(fs::read_to_string(&record).unwrap()));
            if with_us {
                assert_eq!(life.of_step("01-one"), ["feat: a, said better"]);
                assert!(message(&life.work, "HEAD").contains("[protocol-0001/01]"));
                assert_eq!(life.show()["events_total"], life.recorded().len());
                a.godzilla_ok(&["hooks", "uninstall"]);
                assert_eq!(files(&a), before);
                assert_eq!(a.godzilla_ok(&["hooks", "uninstall"]), "nothing to change\n");
            }
        }
        assert!(records[0].iter().any(|line| line == "< OID OID"), "{:?}", records[0]);
        assert_eq!(records[0], records[1]);
    });
}

#[test]
fn a_refusal_of_an_earlier_hook_stands() {
    with_each_git(|world| {
        let life = Life::begin(world);
        let (home, before) = (&life.home, life.head());
        home.godzilla_ok(&["hooks", "uninstall"]);
        for event in ["prepare-commit-msg", "commit-msg", "pre-push"] {
            let hook = home.path.join(".git/hooks").join(event);
            put_script(&hook, "echo 'not today' >&2; exit 3");
            home.godzilla_ok(&["hooks", "install"]);
            life.work.write("a.txt", event);
            life.work.git(&["add", "--all"]);
            let shown = if event == "pre-push" {
                life.work.try_git(&["push", "--quiet", "origin", "HEAD"])
            } else {
                life.work.try_git(&["commit", "--quiet", "-m", "feat: a"])
            };
            assert_eq!(shown.code, Some(1), "{event}\n{shown}");
            assert!(shown.stderr.contains("not today"), "{shown}");
            home.godzilla_ok(&["hooks", "uninstall"]);
            fs::remove_file(&hook).unwrap();
        }
        assert_eq!(life.head(), before);
        assert!(world.place("srv.git").git(&["for-each-ref", "refs/heads/0*"]).is_empty());
    });
}

#[test]
fn later_edits_of_an_earlier_hook_are_kept() {
    let world = World::new();
    let a = world.bare_clone_of("a");
    let hook = a.path.join(".git/hooks/commit-msg");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    put_script(&hook, "exit 0");
    let before = files(&a);
    a.godzilla_ok(&["init", "--yes"]);
    assert_ne!(files(&a), before);
    let kept = a.path.join(".git/hooks/commit-msg.godzilla-prev");
    fs::write(&kept, "#!/bin/sh\n# edited\nexit 0\n").unwrap();
    a.godzilla_ok(&["hooks", "uninstall"]);
    let mut expected = before;
    expected.get_mut("commit-msg").unwrap().1 = b"#!/bin/sh\n# edited\nexit 0\n".to_vec();
    assert_eq!(files(&a), expected);
}

#[test]
fn a_hooks_path_of_others_is_refused() {
    let world = World::new();
    let a = world.bare_clone_of("a");
    a.git(&["config", "core.hooksPath", ".husky/_"]);
    let before = a.read(".git/config");
    for args in [&["init", "--yes"][..], &["hooks", "install"]] {
        let shown = a.godzilla(args);
        assert_eq!(shown.code, Some(4), "{args:?}\n{shown}");
        assert!(shown.stderr.contains("core.hooksPath is set to `.husky/_` (local) by husky"), "{shown}");
        assert!(shown.stderr.contains("git godzilla hooks install --into husky"), "{shown}");
    }
    assert_eq!(a.godzilla_ok(&["hooks", "uninstall"]), "nothing to change\n");
    let status = a.godzilla(&["hooks", "status"]);
    assert!(status.code == Some(0) && status.stderr.contains("core.hooksPath is `.husky/_`"), "{status}");
    assert_eq!(a.read(".git/config"), before);
    assert!(!a.path.join(".git/godzilla").exists(), "nothing was written");
    a.godzilla_ok(&["init", "--yes", "--no-hooks"]);
    let life = Life::plan(&a, "Add a login page");
    life.finish("01-one");
    assert_eq!(life.statuses(), ["completed", "completed", "pending", "pending"], "commands find it");
    life.assert_sound();
}

#[test]
fn init_without_hooks_puts_none() {
    let world = World::new();
    let a = world.bare_clone_of("a");
    let before = files(&a);
    a.godzilla_ok(&["init", "--yes", "--no-hooks"]);
    assert_eq!(files(&a), before);
    assert_eq!(modes(&a), EVENTS.map(|event| (event.to_owned(), "missing".to_owned())));
    a.godzilla_ok(&["hooks", "install"]);
    assert_eq!(modes(&a), EVENTS.map(|event| (event.to_owned(), "shim".to_owned())));
    a.godzilla_ok(&["hooks", "uninstall"]);
    assert_eq!(files(&a), before);
}

/// The program goes away; git goes on.
#[test]
fn git_works_when_the_program_is_gone() {
    with_each_git(|world| {
        let life = Life::begin(world);
        let gone = world.path().join("gone");
        fs::create_dir(&gone).unwrap();
        let copy = gone.join("git-godzilla");
        fs::copy(crate::support::BIN, &copy).unwrap();
        life.home.godzilla_ok(&["hooks", "uninstall"]);
        // One event is chained, so one hook is a script and the others are links.
        put_script(&life.home.path.join(".git/hooks/post-commit"), ":");
        let installed = crate::support::run(life.home.command(&copy).args(["hooks", "install"]));
        assert_eq!(installed.code, Some(0), "{installed}");
        life.work.commit("a.txt", "feat: a");
        assert!(life.has_seen(&life.head()));
        fs::remove_dir_all(&gone).unwrap();
        // Nowhere on `PATH` either.
        let git = |args: &[&str]| {
            let mut command = life.work.command("git");
            let path = command.get_envs().find(|(key, _)| *key == "PATH").unwrap().1.unwrap().to_owned();
            let ours = Path::new(crate::support::BIN).parent().unwrap();
            let rest = std::env::split_paths(&path).filter(|dir| dir != ours);
            let shown =
                crate::support::run(command.env("PATH", std::env::join_paths(rest).unwrap()).args(args));
            assert_eq!(shown.code, Some(0), "{args:?}\n{shown}");
            shown
        };
        life.work.write("b.txt", "b\n");
        git(&["add", "--all"]);
        assert_eq!(git(&["commit", "--quiet", "-m", "feat: b"]).stderr, "");
        git(&["commit", "--quiet", "--amend", "-m", "feat: b, said better"]);
        git(&["checkout", "--quiet", "--detach"]);
        git(&["checkout", "--quiet", &life.name]);
        git(&["push", "--quiet", "origin", "HEAD"]);
        git(&["merge", "--quiet", "main"]);
        git(&["rebase", "--quiet", "main"]);
        assert_eq!(life.of_step("01-one"), ["feat: a", "feat: b, said better"]);
        life.assert_sound();
        // Installing again mends it.
        let said = life.home.godzilla_ok(&["hooks", "status"]);
        assert!(said.contains("or calls another binary"), "{said}");
        life.home.godzilla_ok(&["hooks", "install"]);
        let commit = life.work.commit("c.txt", "feat: c");
        assert!(life.has_seen(&commit));
    });
}

/// Of what is kept under our name and was never kept by us nobody knows whether it should run.
#[test]
fn a_kept_hook_that_was_never_ours_is_left_to_a_person() {
    let world = World::new();
    let a = world.bare_clone_of("a");
    let texts = ["#!/bin/sh\ntrue\n", "#!/bin/sh\nfalse\n"];
    let files = [".git/hooks/pre-push", ".git/hooks/pre-push.godzilla-prev"];
    for (file, text) in files.iter().zip(texts) {
        a.write_executable(file, text);
    }
    let refused = a.godzilla(&["hooks", "install"]);
    assert!(
        refused.code == Some(4) && refused.stderr.contains("already holds a different hook"),
        "{refused}"
    );
    let hint = refused.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap();
    let look = hint.strip_prefix("look at it, and move it away or back: ").unwrap();
    let shown = crate::support::run(a.command("sh").args(["-c", look]));
    assert!(shown.code == Some(0) && shown.stdout.contains("pre-push.godzilla-prev"), "{look}: {shown}");
    assert_eq!(files.map(|file| a.read(file)), texts);
    fs::remove_file(a.path.join(files[1])).unwrap();
    a.godzilla_ok(&["hooks", "install"]);
    assert_eq!(a.read(files[1]), texts[0]);
}
