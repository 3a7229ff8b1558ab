//! Every code: what produces it, how much it matters, what there is to type, and that it is gone after that.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use super::{findings, planned};
use crate::hooks::modes::a_git_that_says;
use crate::support::{BIN, Place, World, run};

/// Where each code is produced: tests that name it.
const CODES: &[(&str, &str)] = &[
    ("archive.entry", "codes::what_lies_in_the_archive"),
    ("archive.live", "codes::what_lies_in_the_archive"),
    ("archive.strange", "codes::what_lies_in_the_archive"),
    ("archive.unreadable", "codes::an_archive_that_is_none"),
    ("box.unreadable", "damaged::boxes_that_are_none_are_named"),
    ("clone.not_set_up", "it_works_without_init_and_in_a_bare_repository"),
    ("events.duplicate_id", "damaged::ids_that_stand_for_several_events_are_named"),
    ("events.unmatched", "codes::reports_that_name_nothing"),
    ("events.unshared", "nothing_is_wrong_in_a_clone_that_is_used"),
    ("files.leftover", "unfinished_files_go_when_they_are_old"),
    ("git.missing", "codes::gits_that_are_old_or_gone"),
    ("git.too_old", "codes::gits_that_are_old_or_gone"),
    ("help.no_completion", "codes::what_a_person_misses"),
    ("help.no_manual", "codes::what_a_person_misses"),
    ("hooks.git_too_old", "codes::hooks_in_a_configuration_that_git_does_not_look_at"),
    ("hooks.line_ends", "codes::hooks_that_git_cannot_start_or_passes_over"),
    ("hooks.link", "codes::hooks_that_git_cannot_start_or_passes_over"),
    ("hooks.manager", "codes::managers_that_are_not_in_use"),
    ("hooks.missing", "hooks_that_are_gone_come_back"),
    ("hooks.no_command", "codes::hooks_that_git_cannot_start_or_passes_over"),
    ("hooks.no_folder", "codes::called_by_name_from_files_of_others"),
    ("hooks.no_interpreter", "codes::hooks_that_git_cannot_start_or_passes_over"),
    ("hooks.not_called", "another_hook_in_the_place_of_ours_is_named_and_left"),
    ("hooks.not_executable", "codes::hooks_that_git_cannot_start_or_passes_over"),
    ("hooks.not_installed", "codes::hooks_that_were_taken_out"),
    ("hooks.not_tried", "probes::a_hook_that_calls_us_is_proved_on_demand_and_never_else"),
    ("hooks.older_git", "codes::hooks_in_a_configuration_that_git_does_not_look_at"),
    ("hooks.path", "codes::hooks_paths_of_every_scope"),
    ("hooks.poor_path", "codes::called_by_name_from_files_of_others"),
    ("hooks.slow", "codes::a_hook_that_takes_its_time"),
    ("kept.expired", "worktrees::kept::what_is_kept_goes_after_thirty_days_and_not_before"),
    ("lock.foreign", "a_lock_of_a_dead_writer_of_ours_goes_and_no_other"),
    ("lock.stale", "a_lock_of_a_dead_writer_of_ours_goes_and_no_other"),
    ("number.collision", "damaged::numbers_that_collide_are_named"),
    ("plan.interrupted", "an_interrupted_plan_is_settled"),
    ("protocol.twin", "damaged::a_protocol_with_the_name_of_another_is_named"),
    ("redaction.unpurged", "redaction::p3_a_purge_takes_it_out_of_every_history"),
    ("ref.damaged", "damaged::damaged_refs_are_named_with_what_restores_them"),
    ("refspec.missing", "refspecs_that_are_gone_come_back"),
    ("remote.mirror", "refspecs_that_are_gone_come_back"),
    ("repository.read_only", "a_repository_that_cannot_be_written_is_only_looked_at"),
    ("setting.not_used", "settings_that_do_nothing_are_named"),
    ("setting.unsupported", "settings_that_do_nothing_are_named"),
    ("stream.unreadable", "damaged::a_stream_whose_objects_are_gone_is_named"),
    ("worktree.interrupted", "worktrees_that_are_not_where_they_should_be_are_named"),
    ("worktree.missing", "worktrees_that_are_not_where_they_should_be_are_named"),
    ("worktree.stale", "worktrees_that_are_not_where_they_should_be_are_named"),
];

/// Texts in quotes of this kind that are codes.
fn codes_in(text: &str, quote: char) -> BTreeSet<String> {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let is_code =
        |text: &&str| text.split_once('.').is_some_and(|(one, other)| is_word(one) && is_word(other));
    text.split(quote).filter(is_code).map(str::to_owned).collect()
}

/// What is said in the program, in the schema, and here, is one list; and each is produced by a test that names it.
#[test]
fn every_code_is_produced_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let mut said = codes_in(&read("src/service/doctor.rs"), '"');
    said.extend(codes_in(&read("src/cli/commands/doctor.rs"), '"'));
    for entry in std::fs::read_dir(root.join("src/service/doctor")).unwrap() {
        said.extend(codes_in(&std::fs::read_to_string(entry.unwrap().path()).unwrap(), '"'));
    }
    let known: BTreeSet<String> = CODES.iter().map(|(code, _)| (*code).to_owned()).collect();
    assert_eq!(said, known);
    assert_eq!(codes_in(&read("schemas/doctor.v1.schema.json"), '`'), known);
    for (code, test) in CODES {
        let (file, name) = match test.rsplit_once("::") {
            None => ("doctor.rs".to_owned(), *test),
            Some((module @ ("codes" | "damaged" | "probes"), name)) => (format!("doctor/{module}.rs"), name),
            Some((module, name)) => (format!("{}.rs", module.replace("::", "/")), name),
        };
        let text = read(&format!("tests/it/{file}"));
        let begin = text.find(&format!("\nfn {name}()")).unwrap_or_else(|| panic!("{test} is not there"));
        let body = &text[begin + 1..];
        let body = &body[..body.find("\n}\n").unwrap()];
        assert!(body.contains(&format!("{code}\"")), "{test} does not name {code}");
    }
}

/// The only finding with a code, or the first, as `(severity, message, fix, fixed)`.
#[track_caller]
fn found(place: &Place<'_>, args: &[&str], code: &str) -> Option<(String, String, String, bool)> {
    let all = findings(place, args);
    let found = all.iter().find(|found| found["code"] == code)?;
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    Some((text("severity"), text("message"), text("fix"), found["fixed"] == true))
}

/// It is found with this severity, and says this; returns what there is to type.
#[track_caller]
fn assert_found(place: &Place<'_>, args: &[&str], code: &str, severity: &str, says: &str) -> String {
    let Some((is, message, fix, fixed)) = found(place, args, code) else {
        panic!("no {code} in {:#?}", findings(place, args))
    };
    assert_eq!((is.as_str(), fixed), (severity, false), "{message}");
    assert!(message.contains(says), "{message}");
    fix
}

#[track_caller]
fn assert_gone(place: &Place<'_>, args: &[&str], code: &str) {
    assert_eq!(found(place, args, code), None);
}

/// Types what it says.
#[track_caller]
fn types(place: &Place<'_>, fix: &str) {
    let shown = run(place.command("sh").args(["-c", fix]));
    assert_eq!(shown.code, Some(0), "{fix}: {shown}");
}

fn put(path: &Path, text: &str, mode: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::remove_file(path).ok();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn hooks_that_git_cannot_start_or_passes_over() {
    let world = World::new();
    let a = planned(&world);
    let hooks = a.path.join(".git/hooks");
    put(&hooks.join("pre-commit"), "#!/bin/sh\r\nexit 0\r\n", 0o755);
    put(&hooks.join("pre-rebase"), "#!/bin/sh\n", 0o644);
    put(&hooks.join("pre-merge-commit"), "#!/usr/bin/env no-such-shell\n", 0o755);
    std::fs::remove_file(hooks.join("post-merge")).unwrap();
    std::os::unix::fs::symlink(BIN, hooks.join("post-merge")).unwrap();
    a.git(&["config", "hook.mine.event", "post-applypatch"]);

    let rows = [
        ("hooks.line_ends", "warning", "pre-commit` has the line ends of Windows"),
        ("hooks.no_interpreter", "warning", "there is no `no-such-shell` here"),
        ("hooks.not_executable", "info", "git passes over `"),
        ("hooks.no_command", "error", "hook.mine is for post-applypatch and has no command"),
    ];
    let fix = assert_found(&a, &[], "hooks.link", "warning", "links to this program");
    assert_eq!(fix, "git godzilla doctor --fix");
    a.godzilla(&["doctor", "--fix"]);
    assert_gone(&a, &[], "hooks.link");
    for (code, severity, says) in rows {
        // Not ours, so it is left to a person.
        let fix = assert_found(&a, &["--fix"], code, severity, says);
        let fix = fix.split(", or ").find(|part| !part.starts_with("install ")).unwrap();
        types(&a, fix.trim_start_matches("switch the hook off: "));
        assert_gone(&a, &[], code);
        if code == "hooks.no_interpreter" {
            std::fs::remove_file(hooks.join("pre-merge-commit")).unwrap();
        }
    }
    a.godzilla_ok(&["doctor"]);
}

#[test]
fn hooks_that_were_taken_out() {
    let world = World::new();
    let a = planned(&world);
    a.godzilla_ok(&["hooks", "uninstall"]);
    let fix = assert_found(
        &a,
        &["--fix"],
        "hooks.not_installed",
        "info",
        "commands find new commits by themselves",
    );
    types(&a, &fix);
    assert_gone(&a, &[], "hooks.not_installed");
}

#[test]
fn managers_that_are_not_in_use() {
    let world = World::new();
    let a = planned(&world);
    for (file, text, says, event, theirs) in [
        ("lefthook.yml", "", "a file of lefthook", "pre-commit", "call_lefthook run\n"),
        (".pre-commit-config.yaml", "", "`", "pre-commit", "# File generated by prek: x\n"),
        (".gitattributes", "*.bin filter=lfs\n", "filter=lfs", "post-applypatch", "git lfs post-commit\n"),
        (".husky/pre-commit", "", "`.husky`", "", ""),
    ] {
        a.write(file, text);
        assert_found(&a, &["--fix"], "hooks.manager", "info", says.trim_matches('`'));
        if event.is_empty() {
            std::fs::remove_dir_all(a.path.join(".husky")).unwrap();
        } else {
            put(&a.path.join(".git/hooks").join(event), &format!("#!/bin/sh\n{theirs}"), 0o755);
        }
        assert_gone(&a, &[], "hooks.manager");
        std::fs::remove_file(a.path.join(file)).ok();
    }
}

/// Each says where the setting comes from, and what has git look in this repository again without a change for
/// others.
#[test]
fn hooks_paths_of_every_scope() {
    let world = World::new();
    let a = planned(&world);
    a.git(&["config", "extensions.worktreeConfig", "true"]);
    let elsewhere = world.path().join("elsewhere").display().to_string();
    let says = |scope: &str| format!("core.hooksPath is `{elsewhere}` ({scope})");
    for scope in ["local", "worktree", "global"] {
        a.git(&["config", &format!("--{scope}"), "core.hooksPath", &elsewhere]);
        let fix = assert_found(&a, &["--fix"], "hooks.path", "warning", &says(scope));
        types(&a, &fix);
        assert_gone(&a, &[], "hooks.path");
        for scope in ["--local", "--global"] {
            a.try_git(&["config", scope, "--unset", "core.hooksPath"]);
        }
    }
    let system = world.path().join("system");
    std::fs::write(&system, format!("[core]\n\thooksPath = {elsewhere}\n")).unwrap();
    let by_system = |args: &[&str]| {
        let mut doctor = a.command(BIN);
        run(doctor.args(args).env_remove("GIT_CONFIG_NOSYSTEM").env("GIT_CONFIG_SYSTEM", &system))
    };
    let shown = by_system(&["doctor"]);
    assert!(shown.code == Some(1) && shown.stdout.contains(&says("system")), "{shown}");
    let own = a.path.join(".git/hooks");
    let fix = format!("git config core.hooksPath '{}' && git godzilla hooks install", own.display());
    assert!(shown.stdout.contains(&fix), "{shown}");
    a.git(&["config", "core.hooksPath", own.to_str().unwrap()]);
    assert_eq!(by_system(&["hooks", "install"]).stdout, "nothing to change\n");
    assert_eq!(by_system(&["doctor"]).code, Some(0));
    a.git(&["config", "--unset", "core.hooksPath"]);

    let mut doctor = a.command(BIN);
    doctor.arg("doctor").env("GIT_CONFIG_COUNT", "1");
    let shown = run(doctor.env("GIT_CONFIG_KEY_0", "core.hooksPath").env("GIT_CONFIG_VALUE_0", &elsewhere));
    assert!(shown.stdout.contains(&says("command")), "{shown}");
    let fix = "leave core.hooksPath out of the command, or of GIT_CONFIG_COUNT in the environment";
    assert!(shown.stdout.contains(fix), "{shown}");
    assert_gone(&a, &[], "hooks.path");
}

/// As husky has it, with our line in its scripts.
#[test]
fn called_by_name_from_files_of_others() {
    let world = World::new();
    let a = planned(&world);
    let stub =
        "#!/bin/sh\ns=$(dirname \"$(dirname \"$0\")\")/commit-msg\n[ ! -f \"$s\" ] || sh -e \"$s\" \"$@\"\n";
    put(&a.path.join(".husky/_/commit-msg"), stub, 0o755);
    a.git(&["config", "core.hooksPath", ".husky/_"]);
    // The worktree of the protocol has no such folder before somebody makes it.
    let work = world.place("a/worktrees/0001-add-a-login");
    assert_found(&a, &["--fix"], "hooks.no_folder", "warning", &work.path.display().to_string());
    put(&work.path.join(".husky/_/commit-msg"), stub, 0o755);
    assert_gone(&a, &[], "hooks.no_folder");

    assert_gone(&a, &[], "hooks.poor_path");
    a.godzilla_ok(&["hooks", "install", "--into", "husky"]);
    if !Path::new("/usr/local/bin/git-godzilla").exists() {
        let fix = assert_found(&a, &["--fix"], "hooks.poor_path", "info", "husky calls us by name");
        assert_eq!(fix, format!("sudo ln -s '{BIN}' /usr/local/bin/git-godzilla"));
    }
    a.godzilla_ok(&["hooks", "uninstall"]);
    assert_gone(&a, &[], "hooks.poor_path");
    a.write("lefthook-local.yml", "run: git-godzilla hook commit-msg --\n");
    a.git(&["config", "--unset", "core.hooksPath"]);
    if !Path::new("/usr/local/bin/git-godzilla").exists() {
        assert_found(&a, &["--fix"], "hooks.poor_path", "info", "lefthook calls us by name");
    }
}

#[test]
fn a_hook_that_takes_its_time() {
    let world = World::new();
    let a = planned(&world);
    let hook = a.path.join(".git/hooks/commit-msg");
    put(&hook, "#!/bin/sh\nsleep 0.05\ngit godzilla hook commit-msg -- \"$@\"\n", 0o755);
    assert_gone(&a, &[], "hooks.slow");
    let fix =
        assert_found(&a, &["--probe"], "hooks.slow", "info", "commit-msg (commit-msg → git-godzilla) took ");
    types(&a, fix.split_once(": ").unwrap().1);
}

/// Runs it with the `git` of another folder first on `PATH`, and returns what it finds.
fn with_git(place: &Place<'_>, args: &[&str], git: &Path) -> Vec<Value> {
    let mut command = place.command(BIN);
    let path = command.get_envs().find(|(key, _)| *key == "PATH").unwrap().1.unwrap().to_owned();
    let dirs = [git.to_owned()].into_iter().chain(std::env::split_paths(&path));
    command.args(args).arg("--json").env("PATH", std::env::join_paths(dirs).unwrap());
    let shown = run(&mut command);
    let document: Value = serde_json::from_str(&shown.stdout).unwrap_or_else(|err| panic!("{err}\n{shown}"));
    document["findings"].as_array().cloned().unwrap_or_default()
}

#[test]
fn gits_that_are_old_or_gone() {
    let world = World::new();
    let a = planned(&world);
    let old = a_git_that_says("2.30.1");
    let all = with_git(&a, &["doctor"], old.path());
    let old = all.iter().find(|found| found["code"] == "git.too_old").unwrap();
    let wanted = (&Value::from("error"), &Value::from("git is 2.30; 2.38 or newer is needed"));
    assert_eq!((&old["severity"], &old["message"]), wanted);
    let mut doctor = a.command(BIN);
    let shown = run(doctor.args(["doctor", "--json"]).env("PATH", "/nowhere"));
    let document: Value = serde_json::from_str(&shown.stdout).unwrap();
    let all = document["findings"].as_array().unwrap_or_else(|| panic!("{shown}"));
    let gone = all.iter().find(|found| found["code"] == "git.missing").unwrap();
    assert_eq!((&gone["severity"], shown.code), (&"error".into(), Some(1)));
}

/// Hooks that only a newer git looks at, where an older one is in use as well, or instead.
#[test]
fn hooks_in_a_configuration_that_git_does_not_look_at() {
    let world = World::new();
    let a = world.bare_clone_of("a");
    a.godzilla_ok(&["init", "--yes", "--no-hooks"]);
    let new = a_git_that_says("2.54.0");
    a.git(&["config", "core.hooksPath", "/dev/null"]);
    with_git(&a, &["hooks", "install"], new.path());
    a.git(&["config", "--unset", "core.hooksPath"]);
    let all = with_git(&a, &["doctor"], new.path());
    let older = all.iter().find(|found| found["code"] == "hooks.older_git").unwrap();
    assert_eq!((&older["severity"], &older["fix"]), (&"info".into(), &"git godzilla hooks install".into()));

    let fix = assert_found(
        &a,
        &[],
        "hooks.git_too_old",
        "warning",
        "the hooks are in git's configuration, which git 2.",
    );
    // Where hooks are somebody else's it cannot be mended, and a person is told what can be done.
    let theirs = world.path().join("theirs");
    std::fs::create_dir(&theirs).unwrap();
    a.git(&["config", "core.hooksPath", theirs.to_str().unwrap()]);
    let said = assert_found(&a, &[], "hooks.git_too_old", "warning", "core.hooksPath is set to");
    assert!(said.starts_with("update git to 2.54, or add to each of"), "{said}");
    assert_found(&a, &["--fix"], "hooks.git_too_old", "warning", "core.hooksPath is set to");
    a.git(&["config", "--unset", "core.hooksPath"]);
    types(&a, &fix);
    assert_gone(&a, &[], "hooks.git_too_old");
    let all = with_git(&a, &["doctor"], new.path());
    assert!(all.iter().all(|found| found["code"] != "hooks.older_git"), "{all:?}");
}

/// A person who has a shell; a script has none.
#[test]
fn what_a_person_misses() {
    let world = World::new();
    let a = planned(&world);
    // As `man -w` does it: it knows the folder of a person, and says so by its exit code.
    let page = ".local/share/man/man1/git-godzilla.1";
    let man = format!(
        "#!/bin/sh\n[ \"$*\" = '-w git-godzilla' ] && [ -f \"$HOME/{page}\" ] && echo \"$HOME/{page}\" || exit 16\n"
    );
    let bin = world.path().join("bin");
    world.place("").write_executable("bin/man", &man);
    let look = |shell: Option<&str>| {
        let mut doctor = a.command(BIN);
        let path = doctor.get_envs().find(|(key, _)| *key == "PATH").unwrap().1.unwrap().to_owned();
        let dirs = [bin.clone()].into_iter().chain(std::env::split_paths(&path));
        doctor.args(["doctor", "--json"]).env("PATH", std::env::join_paths(dirs).unwrap());
        doctor.envs(shell.map(|shell| ("SHELL", shell)));
        let shown = run(&mut doctor);
        assert_eq!(shown.code, Some(0), "{shown}");
        let document: Value = serde_json::from_str(&shown.stdout).unwrap();
        let all = document["findings"].as_array().unwrap().clone();
        let text = |found: &Value, key: &str| found[key].as_str().unwrap().to_owned();
        let of_help = all.iter().filter(|found| found["code"].as_str().unwrap().starts_with("help."));
        of_help.map(|found| ["code", "severity", "fix"].map(|key| text(found, key))).collect::<Vec<_>>()
    };
    let missed = look(Some("/bin/bash"));
    let manual = ["help.no_manual", "info", "git godzilla man --install"];
    let completion = ["help.no_completion", "info", "git godzilla completions bash --install"];
    assert_eq!(missed, [manual, completion].map(|one| one.map(str::to_owned)));
    assert_eq!(look(None), [[""; 3]; 0].map(|one| one.map(str::to_owned)));
    for [_, _, fix] in &missed {
        types(&a, fix);
    }
    assert_eq!(look(Some("/bin/bash")).len(), 0);
    // Another shell, and one that we have nothing for.
    assert_eq!(look(Some("/usr/bin/zsh"))[0][2], "git godzilla completions zsh --install");
    assert_eq!(look(Some("/bin/dash")).len(), 0);
}

#[test]
fn reports_that_name_nothing() {
    let world = World::new();
    let a = planned(&world);
    a.godzilla_ok(&["sync"]);
    assert_gone(&a, &[], "events.unmatched");
    let of_nothing = ["ci-report", "success", "--job", "build", "--sha", &"1".repeat(40)];
    a.godzilla_ok(&of_nothing);
    a.git(&["fetch", "--quiet"]);
    assert_found(&a, &["--fix"], "events.unmatched", "info", "1 CI reports name nothing that is known here");
}

/// Has git make a tree of `entries`, in the form that `git update-index --index-info` reads, and an archive of that.
fn archive(a: &Place<'_>, entries: &str) {
    let script =
        "export GIT_INDEX_FILE=.git/archive-index; rm -f .git/archive-index; git update-index --index-info &&
        git update-ref refs/godzilla/archive \"$(git commit-tree -m archive \"$(git write-tree --missing-ok)\")\"";
    a.write("../entries", entries);
    let mut shell = a.command("sh");
    shell.args(["-c", script]).stdin(std::fs::File::open(a.path.join("../entries")).unwrap());
    let shown = run(&mut shell);
    assert_eq!(shown.code, Some(0), "{shown}");
}

#[test]
fn what_lies_in_the_archive() {
    let world = World::new();
    let a = planned(&world);
    let stream = "refs/godzilla/protocols/0001-add-a-login";
    let tree = a.git(&["ls-tree", "-r", stream]);
    let of_live: Vec<String> =
        tree.lines().map(|line| line.replacen('\t', "\t00/0001-add-a-login/", 1)).collect();
    let blob = a.git(&["hash-object", "-w", "README"]);
    let gone = format!("100644 blob {}\t00/0002-not-one/events/000000", "1".repeat(40));
    archive(&a, &format!("{}\n{gone}\n100644 blob {}\tnotes\n", of_live.join("\n"), blob.trim()));
    // What has a branch here is worked on, and comes out of the archive by itself.
    a.git(&["worktree", "remove", "worktrees/0001-add-a-login"]);
    a.git(&["branch", "--quiet", "-D", "0001-add-a-login"]);
    a.git(&["update-ref", "-d", stream]);
    assert_found(&a, &["--fix"], "archive.strange", "info", "what is no entry and is kept as it is: notes");
    assert_found(&a, &["--fix"], "archive.entry", "warning", "0002-not-one: its entry in the archive");
    let fix =
        assert_found(&a, &["--fix"], "archive.live", "warning", "0001-add-a-login is archived and planned");
    types(&a, &fix);
    assert_gone(&a, &[], "archive.live");
}

#[test]
fn an_archive_that_is_none() {
    let world = World::new();
    let a = planned(&world);
    let blob = a.git(&["hash-object", "-w", "README"]);
    archive(&a, &format!("100644 blob {}\tnotes\n", blob.trim()));
    let tree = a.git(&["rev-parse", "refs/godzilla/archive^{tree}"]);
    let (folder, file) = tree.trim().split_at(2);
    std::fs::remove_file(a.path.join(".git/objects").join(folder).join(file)).unwrap();
    let fix = assert_found(&a, &["--fix"], "archive.unreadable", "error", "archive");
    types(&a, &fix);
    assert_gone(&a, &[], "archive.unreadable");
}
