//! Hooks in git's configuration, and places where hook files are somebody else's.

use std::fs;
use std::path::Path;

use super::{Life, git_folders, git_that};
use crate::support::{BIN, Place, World, run};

/// A folder with a `git` that says it is of `version`, and does what the one of this machine does.
pub(crate) fn a_git_that_says(version: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let real = git_folders().into_iter().next().unwrap().join("git");
    let world = World::new();
    let place = Place { world: &world, path: folder.path().to_owned() };
    let text = format!(
        "#!/bin/sh\nfor arg; do\n  case $arg in\n  --version) echo git version {version}; exit ;;\n  -*) ;;\n  *) break ;;\n  esac\ndone\n\
         exec '{}' \"$@\"\n",
        real.display()
    );
    place.write_executable("git", &text);
    folder
}

fn modes(place: &Place<'_>) -> Vec<(String, bool)> {
    let status = place.json(&["hooks", "status"]);
    crate::schemas::assert_valid("hooks.v1", &status);
    let of = |hook: &serde_json::Value| (hook["mode"].as_str().unwrap().to_owned(), hook["called"] == true);
    status["hooks"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn a_git_that_knows_them_gets_hooks_in_its_configuration() {
    let git = a_git_that_says("2.55.0");
    let world = World::with(Some(git.path().to_owned()), false);
    let a = world.bare_clone_of("a");
    a.godzilla_ok(&["init", "--yes", "--no-hooks"]);
    // The older git of this machine finds nothing here, and ours cannot be put there.
    a.git(&["config", "core.hooksPath", "/dev/null"]);
    let before = a.read(".git/config");
    let shown = a.godzilla(&["hooks", "install"]);
    assert_eq!(shown.code, Some(0), "{shown}");
    assert_eq!(shown.stdout, "hooks: added to git's configuration\n");
    assert!(shown.stderr.contains("is too old for hooks in the configuration"), "{shown}");
    assert_eq!(a.godzilla_ok(&["hooks", "install"]), "nothing to change\n");
    assert_eq!(a.read(".git/config"), format!("{before}[include]\n\tpath = godzilla/hooks.config\n"));
    for event in super::install::EVENTS {
        assert_eq!(a.git(&["config", &format!("hook.godzilla-{event}.event")]).trim(), event);
        // As git runs it: with what it passes appended.
        let command = a.git(&["config", &format!("hook.godzilla-{event}.command")]);
        let script = format!("{} \"$@\"", command.trim_end_matches('\n'));
        let mut shell = a.command("sh");
        shell.args(["-c", &script, "sh", "a", "b", "1"]).env("GODZILLA_PROBE", "token");
        let shown = run(&mut shell);
        assert_eq!((shown.code, shown.stderr), (Some(0), format!("git-godzilla: {event} answers token\n")));
        let gone = script.replace(BIN, "/nowhere/git-godzilla");
        assert_ne!(gone, script);
        let shown =
            run(a.command("/bin/sh").args(["-c", &gone, "sh", "a", "b", "1"]).env("PATH", "/nowhere"));
        assert_eq!((shown.code, shown.stdout, shown.stderr), (Some(0), String::new(), String::new()));
    }
    assert!(modes(&a).iter().all(|(mode, _)| mode == "config"));
    a.godzilla_ok(&["hooks", "uninstall"]);
    assert_eq!(a.read(".git/config"), before);
    assert!(!a.path.join(".git/godzilla/hooks.config").exists());
    assert_eq!(a.godzilla_ok(&["hooks", "uninstall"]), "nothing to change\n");
}

#[test]
fn git_calls_us_by_its_configuration_once_beside_the_files() {
    let Some(git) = git_that(true) else { return };
    let world = World::with(Some(git), false);
    let a = world.clone("a");
    let life = Life::plan(&a, "Add a login page");
    let config_alone = || a.git(&["config", "core.hooksPath", "/dev/null"]);
    for files_too in [true, false] {
        if !files_too {
            config_alone();
        }
        assert!(modes(&a).iter().all(|(_, called)| *called));
        let commit = life.work.commit(&format!("{files_too}.txt"), "feat: a");
        assert!(life.has_seen(&commit));
        let message = life.work.git(&["log", "-1", "--format=%B"]);
        assert_eq!(message.matches("Godzilla-Step:").count(), 1, "{message}");
        life.work.git(&["push", "--quiet", "origin", "HEAD"]);
        let sent = world.place("srv.git").git(&["for-each-ref", "refs/godzilla/protocols"]);
        assert!(sent.contains(&life.name), "{sent}");
    }
    life.assert_sound();

    // A rebase has the same event again and again.
    for n in 0..3 {
        life.work.commit(&format!("more-{n}"), "feat: more");
    }
    a.commit("main.txt", "other work");
    life.work.git(&["rebase", "--quiet", "--force-rebase", "main"]);
    life.assert_sound();

    // The program goes away; git goes on.
    let hooks = a.path.join(".git/godzilla/hooks.config");
    fs::write(&hooks, fs::read_to_string(&hooks).unwrap().replace(BIN, "/nowhere/git-godzilla")).unwrap();
    let ours = Path::new(BIN).parent().unwrap();
    let mut git = life.work.command("git");
    let path = git.get_envs().find(|(key, _)| *key == "PATH").unwrap().1.unwrap().to_owned();
    let rest = std::env::split_paths(&path).filter(|dir| dir != ours);
    git.env("PATH", std::env::join_paths(rest).unwrap()).args([
        "commit",
        "--quiet",
        "--allow-empty",
        "-m",
        "feat: x",
    ]);
    let shown = run(&mut git);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""), "{shown}");

    // And when the file of the hooks goes.
    fs::remove_file(&hooks).unwrap();
    life.work.commit("without", "feat: without");
}

#[test]
fn our_own_git_runs_no_hooks_of_the_configuration() {
    let Some(git) = git_that(true) else { return };
    let world = World::with(Some(git), false);
    let a = world.clone("a");
    let ran = world.path().join("ran");
    a.git(&["config", "hook.theirs.command", &format!("echo ran >>{}; false", ran.display())]);
    for event in ["reference-transaction", "post-index-change", "pre-push", "post-checkout"] {
        a.git(&["config", "--add", "hook.theirs.event", event]);
    }
    for args in [&["sync"][..], &["list"], &["status"], &["doctor"], &["hooks", "status"]] {
        a.godzilla(args);
        assert!(!ran.exists(), "{args:?}");
    }
}

/// Wherever hooks are somebody else's, nothing is written, and what to write there is said.
#[test]
fn hooks_paths_of_every_scope() {
    let Some(git) = git_that(false) else { return };
    let world = World::with(Some(git), false);
    let a = world.bare_clone_of("a");
    a.write("tracked/README", "");
    let outside = world.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let outside = outside.to_str().unwrap();
    for (scope, path, why) in [
        ("--global", outside, "hooks there are run in all your repositories"),
        ("--local", "tracked", "files there are part of the project"),
        ("--local", "/dev/null", "that is no folder"),
        ("--local", outside, "hooks there belong to somebody else"),
        ("--worktree", outside, "hooks there belong to somebody else"),
    ] {
        if scope == "--worktree" {
            a.git(&["config", "extensions.worktreeConfig", "true"]);
        }
        a.git(&["config", scope, "core.hooksPath", path]);
        let before = a.read(".git/config");
        for args in [&["init", "--yes"][..], &["hooks", "install"]] {
            let shown = a.godzilla(args);
            assert_eq!(shown.code, Some(4), "{args:?}\n{shown}");
            assert!(
                shown.stderr.contains(&format!("core.hooksPath is set to `{path}` ({}", &scope[2..])),
                "{shown}"
            );
            assert!(shown.stderr.contains(why), "{shown}");
            assert!(
                shown.stderr.contains("then git-godzilla hook <event> --via other -- \"$@\"; fi"),
                "{shown}"
            );
        }
        assert_eq!(a.godzilla_ok(&["hooks", "uninstall"]), "nothing to change\n");
        assert_eq!(a.read(".git/config"), before);
        assert!(!a.path.join(".git/godzilla").exists());
        assert!(fs::read_dir(outside).unwrap().next().is_none());
        a.git(&["config", scope, "--unset", "core.hooksPath"]);
    }
    let shown = run(a.command("git").args(["-c", "core.hooksPath=x", "godzilla", "hooks", "install"]));
    assert!(shown.stderr.contains("that holds for this command alone"), "{shown}");
    let mut by_environment = a.command(BIN);
    by_environment.args(["hooks", "install"]).env("GIT_CONFIG_COUNT", "1");
    by_environment.env("GIT_CONFIG_KEY_0", "core.hooksPath").env("GIT_CONFIG_VALUE_0", ".git/hooks");
    let shown = run(&mut by_environment);
    assert!(shown.code == Some(4) && shown.stderr.contains("that holds for this command alone"), "{shown}");
    let system = world.path().join("system");
    fs::write(&system, format!("[core]\n\thooksPath = {outside}\n")).unwrap();
    for args in [&["init", "--yes"][..], &["hooks", "install"]] {
        let mut by_system = a.command(BIN);
        by_system.args(args).env_remove("GIT_CONFIG_NOSYSTEM").env("GIT_CONFIG_SYSTEM", &system);
        let shown = run(&mut by_system);
        assert_eq!(shown.code, Some(4), "{shown}");
        assert!(
            shown.stderr.contains(&format!("core.hooksPath is set to `{outside}` (system), and hooks there")),
            "{shown}"
        );
    }
    assert!(fs::read_dir(outside).unwrap().next().is_none() && !a.path.join(".git/godzilla").exists());

    // The line that is said does it.
    let hooks = world.path().join("outside");
    a.git(&["config", "core.hooksPath", outside]);
    for event in super::install::EVENTS {
        let line = "if command -v git-godzilla >/dev/null 2>&1; then git-godzilla hook <event> --via other -- \"$@\"; fi";
        super::put_script(&hooks.join(event), &line.replace("<event>", event));
    }
    a.godzilla_ok(&["init", "--yes", "--no-hooks"]);
    let life = Life::plan(&a, "Add a login page");
    assert!(life.has_seen(&life.work.commit("a.txt", "feat: a")));
    a.git(&["config", "--unset", "core.hooksPath"]);

    // A folder of the repository's own is ours to use.
    a.git(&["config", "core.hooksPath", ".git/hooks"]);
    a.godzilla_ok(&["hooks", "install"]);
    assert!(a.path.join(".git/hooks/post-commit").exists());
}

/// Hooks come in, are called, and go, or it is said why not.
#[test]
fn every_kind_of_repository() {
    use std::os::unix::ffi::OsStrExt as _;

    let Some(git) = git_that(false) else { return };
    let world = World::with(Some(git), false);
    let origin = world.bare_clone_of("origin");
    origin.commit("b", "second");
    origin.git(&["push", "--quiet", "origin", "HEAD"]);
    let root = world.place("");
    let url = format!("file://{}", world.path().join("srv.git").display());
    let clone = |name: &std::ffi::OsStr, options: &[&str]| {
        let shown = run(root.command("git").args(["clone", "--quiet"]).args(options).arg(&url).arg(name));
        assert_eq!(shown.code, Some(0), "{shown}");
        Place { world: &world, path: world.path().join(name) }
    };
    let super_project = clone("super".as_ref(), &[]);
    super_project.git(&["submodule", "--quiet", "add", &url, "sub"]);
    let places = [
        ("spaces", clone("with spaces".as_ref(), &[])),
        ("newline", clone("new\nline".as_ref(), &[])),
        ("not UTF-8", clone(std::ffi::OsStr::from_bytes(b"not-\xff-utf8"), &[])),
        ("quotes", clone("it's \"$(quoted)\"".as_ref(), &[])),
        ("shallow", clone("shallow".as_ref(), &["--depth=1"])),
        ("partial", clone("partial".as_ref(), &["--filter=blob:none"])),
        ("separate", clone("separate".as_ref(), &["--separate-git-dir=elsewhere.git"])),
        ("submodule", Place { world: &world, path: super_project.path.join("sub") }),
    ];
    for (kind, place) in &places {
        let dir = place.git(&["rev-parse", "--path-format=absolute", "--git-path", "hooks"]);
        place.godzilla_ok(&["hooks", "install"]);
        assert!(
            modes(place).iter().all(|(mode, called)| mode == "shim" && *called),
            "{kind}: {:?}",
            modes(place)
        );
        place.git(&["switch", "--quiet", "-c", "0007-x"]);
        let shown = run(place.command("git").args(["commit", "--quiet", "--allow-empty", "-m", "feat: x"]));
        assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""), "{kind}: {shown}");
        place.godzilla_ok(&["hooks", "uninstall"]);
        if !dir.contains('\u{fffd}') {
            assert!(!Path::new(dir.trim_end_matches('\n')).join("post-commit").exists(), "{kind}");
        }
    }
    // Named by `--git-dir`, from outside.
    let (git_dir, work_tree) = (places[0].1.path.join(".git"), &places[0].1.path);
    let mut named = root.command("git");
    named
        .arg("--git-dir")
        .arg(&git_dir)
        .arg("--work-tree")
        .arg(work_tree)
        .args(["godzilla", "hooks", "install"]);
    let shown = run(&mut named);
    assert_eq!(shown.code, Some(0), "{shown}");
    assert!(modes(&places[0].1).iter().all(|(_, called)| *called));
    // A bare repository has no commits of its own, but pushes.
    let bare = world.place("srv.git");
    bare.godzilla_ok(&["hooks", "install"]);
    assert!(modes(&bare).iter().all(|(_, called)| *called), "{:?}", modes(&bare));
    bare.godzilla_ok(&["hooks", "uninstall"]);

    let world = World::with(world.git_folder(), true);
    let sha256 = world.clone("a");
    assert!(modes(&sha256).iter().all(|(_, called)| *called));
}

/// A folder that only some worktrees have is no folder of the others.
#[test]
fn every_worktree_is_asked() {
    let Some(git) = git_that(false) else { return };
    let world = World::with(Some(git), false);
    let a = world.clone("a");
    let life = Life::plan(&a, "Add a login page");
    assert!(modes(&a).iter().all(|(_, called)| *called));
    a.git(&["config", "extensions.worktreeConfig", "true"]);
    life.work.git(&["config", "--worktree", "core.hooksPath", "/dev/null"]);
    let status = a.json(&["hooks", "status"]);
    for hook in status["hooks"].as_array().unwrap() {
        assert_eq!(hook["called"], false, "{hook}");
        assert_eq!(hook["not_called_in"], serde_json::json!([life.work.path]), "{hook}");
    }
    let shown = a.godzilla(&["hooks", "status"]);
    assert!(shown.stderr.contains("git does not call us for pre-push in"), "{shown}");
}
