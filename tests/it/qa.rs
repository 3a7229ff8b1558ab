//! Gates, trust, verdicts, and what follows from them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::support::{BIN, Place, Shown, World, run};

const NAME: &str = "0001-add-a-login";

/// A clone with a gate and a planned protocol of two steps; its gate is agreed to.
fn judged_by<'w>(world: &'w World, script: &str) -> (Place<'w>, Place<'w>) {
    let a = world.clone("a");
    a.commit_gate("test.sh", script);
    a.plan("Add a login", &["The form", "The API"]);
    a.godzilla_ok(&["trust", "-p", "1", "--yes"]);
    (a, world.place(&format!("a/worktrees/{NAME}")))
}

fn qa(place: &Place<'_>, args: &[&str]) -> Shown {
    place.godzilla(&[&["qa"], args].concat())
}

fn verdict(place: &Place<'_>, step: usize) -> Value {
    place.json(&["show", NAME])["steps"][step]["verdict"].clone()
}

#[test]
fn a_branch_does_not_choose_its_judges() {
    let world = World::new();
    let a = world.clone("a");
    a.write("scripts/ci/lib.sh", "judge() { echo the base judges; test -e ok; }\n");
    a.commit_gate("test.sh", "#!/bin/sh\n. \"$(dirname \"$0\")/lib.sh\"\njudge\n");
    let work = a.plan("Add a login", &["The form"]);
    let untrusted = qa(&work, &[]);
    assert_eq!(untrusted.code, Some(5), "{untrusted}");
    assert!(untrusted.stderr.contains("git godzilla trust"), "{untrusted}");
    assert_eq!(verdict(&a, 1), Value::Null);
    work.godzilla_ok(&["trust", "--yes"]);

    work.write("scripts/ci/lib.sh", "judge() { echo the branch judges; }\n");
    work.write_executable("scripts/ci/test.sh", "#!/bin/sh\necho replaced\n");
    work.write_executable("scripts/ci/lint.sh", "#!/bin/sh\necho added\n");
    work.git(&["add", "--all"]);
    work.git(&["commit", "--quiet", "-m", "ci: nicer gates"]);
    let judged = qa(&work, &["--json"]);
    assert_eq!(judged.code, Some(1), "{judged}");
    let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
    assert_eq!(answer["gates"].as_array().unwrap().len(), 1);
    assert!(answer["gates"][0]["tail"].as_str().unwrap().contains("the base judges"), "{judged}");
    assert_eq!(answer["findings"][0]["paths"], serde_json::json!(["lib.sh", "lint.sh", "test.sh"]));

    // In another clone they judge as well, once it has agreed to run them.
    work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
    let accepted = work.godzilla(&["trust", "--gates", "--yes"]);
    assert!(accepted.stdout.contains("judge 0001-add-a-login from now on"), "{accepted}");
    let judged = qa(&work, &["--json"]);
    assert_eq!(judged.code, Some(0), "{judged}");
    let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
    assert_eq!(answer["gates"].as_array().unwrap().len(), 2);
    assert_eq!(answer["findings"], serde_json::json!([]));
    work.godzilla_ok(&["sync"]);
    let b = world.clone("b");
    b.git(&["checkout", "--quiet", NAME]);
    assert_eq!(qa(&b, &[]).code, Some(5));
    b.godzilla_ok(&["trust", "--yes"]);
    assert_eq!(qa(&b, &[]).code, Some(0));

    // What the branch does to them afterwards is not what was accepted.
    work.write_executable("scripts/ci/lint.sh", "#!/bin/sh\nexit 1\n");
    work.git(&["commit", "--quiet", "-am", "ci: stricter"]);
    let judged = qa(&work, &["--json"]);
    assert_eq!(judged.code, Some(0), "{judged}");
    assert!(judged.stdout.contains("gate.changed_on_branch"), "{judged}");
    // Merging the base brings the base's gates of that time.
    a.godzilla_ok(&["trust", "--revoke"]);
    assert_eq!(qa(&work, &[]).code, Some(5));
}

#[test]
fn consent_is_to_bytes_modes_and_links() {
    let world = World::new();
    let (a, _) = judged_by(&world, "#!/bin/sh\nexit 0\n");
    let agreed = a.json(&["trust", "-p", "1"]);
    assert_eq!(agreed["trusted"], true);
    assert_eq!(a.godzilla(&["trust"]).code, Some(0), "the base has the same ones");
    for (what, change) in [
        ("bytes", Box::new(|| a.commit_gate("test.sh", "#!/bin/sh\nexit 1\n")) as Box<dyn Fn()>),
        ("a file that could be sourced", Box::new(|| a.commit_gate("lib.sh", "x=1\n"))),
        (
            "a mode",
            Box::new(|| {
                a.git(&["update-index", "--chmod=-x", "scripts/ci/lib.sh"]);
                a.git(&["commit", "--quiet", "-m", "ci: mode"]);
                a.git(&["push", "--quiet"]);
            }),
        ),
        (
            "a link",
            Box::new(|| {
                std::os::unix::fs::symlink("test.sh", a.path.join("scripts/ci/lint.sh")).unwrap();
                a.git(&["add", "--all"]);
                a.git(&["commit", "--quiet", "-m", "ci: link"]);
                a.git(&["push", "--quiet"]);
            }),
        ),
    ] {
        change();
        let asked = a.godzilla(&["trust"]);
        assert_eq!(asked.code, Some(5), "{what}: {asked}");
        assert!(asked.stdout.contains("what changed since you agreed last"), "{what}: {asked}");
        a.godzilla_ok(&["trust", "--yes"]);
        assert_eq!(a.godzilla(&["trust"]).code, Some(0), "{what}");
    }
    // The protocol began before all that.
    assert_eq!(a.json(&["trust", "-p", "1"])["digest"], agreed["digest"]);
    a.write(".git/godzilla/trust.json", "{\"v\":1,");
    let damaged = qa(&a, &["1", "-p", "1"]);
    assert_eq!(damaged.code, Some(4), "{damaged}");
    assert!(damaged.stderr.contains("trust.json"), "{damaged}");
    a.write(".git/godzilla/trust.json", "{\"v\":9,\"gates\":[]}");
    assert_eq!(qa(&a, &["1", "-p", "1"]).code, Some(4));
}

#[test]
fn a_folder_that_reaches_out_of_itself_is_not_run() {
    let world = World::new();
    let a = world.clone("a");
    a.commit_gate("test.sh", "#!/bin/sh\nexit 0\n");
    std::os::unix::fs::symlink("../../outside.sh", a.path.join("scripts/ci/lint.sh")).unwrap();
    a.git(&["add", "--all"]);
    a.git(&["commit", "--quiet", "-m", "ci: a link"]);
    a.git(&["push", "--quiet"]);
    a.plan("Add a login", &[]);
    for args in [&["trust", "--yes"][..], &["qa", "1", "-p", "1"]] {
        let refused = a.godzilla(args);
        assert_eq!(refused.code, Some(4), "{refused}");
        assert!(refused.stderr.contains("lint.sh"), "{refused}");
    }
}

#[test]
fn a_step_completes_on_a_verdict_about_its_newest_commit() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\ntest ! -e broken\n");
    work.commit("form", "feat: the form");
    work.godzilla_ok(&["done"]);
    assert_eq!(a.statuses(NAME), ["completed", "needs_qa", "pending"]);

    // Dirty: the verdict is worth that tree only.
    work.write("more", "not committed\n");
    let dirty = qa(&work, &[]);
    assert_eq!(dirty.code, Some(0), "{dirty}");
    assert!(dirty.stdout.contains("with what is not committed"), "{dirty}");
    assert_eq!(verdict(&a, 1)["stale"], true);
    assert_eq!(a.statuses(NAME)[1], "needs_qa");
    // Until exactly that is committed.
    work.git(&["add", "--all"]);
    work.git(&["commit", "--quiet", "-m", "feat: more"]);
    a.godzilla_ok(&["list"]);
    assert_eq!(a.statuses(NAME)[1], "completed");
    let log = a.godzilla_ok(&["log", NAME]);
    assert!(log.contains("QA of step 01-the-form: pass, with what is not committed"), "{log}");
}

#[test]
fn committing_something_else_makes_a_verdict_stale_and_the_plans_folder_does_not() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\ntest ! -e broken\n");
    work.commit("form", "feat: the form");
    assert_eq!(qa(&work, &[]).code, Some(0));
    assert_eq!(verdict(&a, 1)["stale"], false);
    work.tick(NAME, "01-the-form");
    work.git(&["commit", "--quiet", "-am", "docs: notes"]);
    assert_eq!(verdict(&a, 1)["stale"], false);
    // It was judged already, so nobody need ask for it.
    assert_eq!(a.statuses(NAME)[1], "completed");

    work.commit("api", "feat: the api");
    assert_eq!(qa(&work, &[]).code, Some(0));
    work.commit("broken", "feat: break it");
    assert_eq!(verdict(&a, 2)["stale"], true);
    work.godzilla_ok(&["done"]);
    assert_eq!(a.statuses(NAME)[2], "needs_qa");
    assert_eq!(qa(&work, &["2"]).code, Some(1));
    assert_eq!(a.statuses(NAME)[2], "failed");
    assert!(a.godzilla_ok(&["explain", "1"]).contains("gate test"));
    work.git(&["rm", "--quiet", "broken"]);
    work.git(&["commit", "--quiet", "-m", "fix: mend it"]);
    assert_eq!(a.statuses(NAME)[2], "running");
    work.godzilla_ok(&["done"]);
    let passed = qa(&work, &["2"]);
    assert_eq!(passed.code, Some(0), "{passed}");
    assert_eq!(a.statuses(NAME), ["completed"; 3]);
    // A completion is not repeated, whatever looks again.
    let events = a.event_ids(NAME);
    a.godzilla_ok(&["list"]);
    assert_eq!(a.event_ids(NAME), events);
}

#[test]
fn the_same_verdict_fails_a_step_once() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\nexit 1\n");
    work.commit("form", "feat: the form");
    work.godzilla_ok(&["done"]);
    assert_eq!(qa(&work, &[]).code, Some(1));
    assert_eq!(a.statuses(NAME)[1], "failed");
    work.godzilla_ok(&["retry"]);
    work.godzilla_ok(&["done"]);
    a.godzilla_ok(&["list"]);
    assert_eq!(a.statuses(NAME)[1], "needs_qa");
    let events = a.event_ids(NAME);
    a.godzilla_ok(&["list"]);
    assert_eq!(a.event_ids(NAME), events);
    let refused = a.godzilla(&["approve", "-p", "1"]);
    assert_eq!(refused.code, Some(0), "{refused}");
    let log = a.godzilla_ok(&["log", NAME, "--json"]);
    assert!(log.contains("\"mode\":\"delegated\""), "{log}");
}

#[test]
fn no_gate_and_no_gate_that_starts_never_pass() {
    let world = World::new();
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form"]);
    work.commit("form", "feat: the form");
    let none = qa(&work, &[]);
    assert_eq!(none.code, Some(1), "{none}");
    assert!(none.stdout.contains("no gate judges"), "{none}");

    a.write("scripts/ci/lint.sh", "#!/bin/sh\nexit 0\n");
    a.commit_gate("test.sh", "#!/no/such/shell\n");
    let work = a.plan("Fix the till", &["The drawer"]);
    a.godzilla_ok(&["trust", "-p", "2", "--yes"]);
    let broken = qa(&work, &["--json"]);
    assert_eq!(broken.code, Some(6), "{broken}");
    let answer: Value = serde_json::from_str(&broken.stdout).unwrap();
    assert_eq!(answer["result"], "error");
    assert!(answer["gates"][0]["tail"].as_str().unwrap().contains("not executable"), "{broken}");
    assert!(answer["gates"][1]["tail"].as_str().unwrap().contains("cannot be started"), "{broken}");
}

#[test]
fn gates_run_in_the_worktree_from_a_copy_elsewhere() {
    let world = World::new();
    let script = "#!/bin/sh\necho \"root=$GODZILLA_ROOT pwd=$(pwd) gate=$GODZILLA_GATE\"\n\
                  echo \"step=$GODZILLA_PROTOCOL/$GODZILLA_STEP git=${GIT_DIR-none}\"\ncase $0 in \"$GODZILLA_ROOT\"/scripts/*) exit 9;; esac\n\
                  git rev-parse --abbrev-ref HEAD\necho token $MY_TOKEN\nprintf '\\033[2Jclear\\n'\nexit 1\n";
    let (_, work) = judged_by(&world, script);
    fs::create_dir_all(work.path.join("deep/er")).unwrap();
    let deep = world.place("a/worktrees/0001-add-a-login/deep/er");
    let judged = run(deep.command(BIN).args(["qa", "--json"]).env("MY_TOKEN", "tOp-SecRet-1234"));
    let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
    let tail = answer["gates"][0]["tail"].as_str().unwrap();
    let root = fs::canonicalize(&work.path).unwrap();
    assert!(tail.contains(&format!("root={0} pwd={0} gate=test", root.display())), "{tail}");
    assert!(tail.contains(&format!("step={NAME}/01-the-form git=none")), "{tail}");
    assert!(tail.contains(NAME) && tail.contains("token ***") && !tail.contains('\u{1b}'), "{tail}");
    assert!(!judged.to_string().contains("SecRet"), "{judged}");
    let left: Vec<_> = fs::read_dir(world.path().join("a/.git/godzilla")).unwrap().flatten().collect();
    let drafts =
        left.iter().filter(|entry| entry.file_name().to_string_lossy().starts_with(".godzilla-draft"));
    assert_eq!(drafts.count(), 0);
}

#[test]
fn a_gate_that_changes_what_it_judges_proves_nothing() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\ndate +%N >report\n");
    work.commit("form", "feat: the form");
    work.godzilla_ok(&["done"]);
    let judged = qa(&work, &[]);
    assert_eq!(judged.code, Some(6), "{judged}");
    assert!(judged.stdout.contains("report") && judged.stdout.contains("ignore"), "{judged}");
    assert_eq!(a.statuses(NAME)[1], "needs_qa");
    // What git ignores is nobody's work.
    a.write(".git/info/exclude", "report\n/worktrees/\n");
    let judged = qa(&work, &[]);
    assert_eq!(judged.code, Some(0), "{judged}");
}

#[test]
fn a_gate_has_a_time_limit() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\necho waiting\nsleep 1000\n");
    a.git(&["config", "godzilla.qa.timeoutSeconds", "1"]);
    let judged = qa(&work, &["--json"]);
    assert_eq!(judged.code, Some(1), "{judged}");
    let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
    assert_eq!(answer["gates"][0]["exit"], Value::Null);
    assert!(
        answer["gates"][0]["tail"].as_str().unwrap().contains("the limit of qa.timeout_seconds"),
        "{judged}"
    );
}

#[test]
fn red_ci_holds_what_the_gates_passed() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\nexit 0\n");
    work.commit("form", "feat: the form");
    work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
    work.godzilla_ok(&["ci-report", "failure", "--job", "test", "--url", "https://ci.invalid/7"]);
    a.git(&["fetch", "--quiet"]);
    work.godzilla_ok(&["done"]);
    let judged = qa(&work, &[]);
    assert_eq!(judged.code, Some(0), "{judged}");
    assert!(judged.stdout.contains("CI is red"), "{judged}");
    let why = a.godzilla_ok(&["explain", "1"]);
    assert!(why.contains("test") && why.contains("https://ci.invalid/7"), "{why}");
    work.godzilla_ok(&["ci-report", "success", "--job", "test", "--attempt", "2"]);
    a.git(&["fetch", "--quiet"]);
    a.godzilla_ok(&["list"]);
    assert_eq!(a.statuses(NAME)[1], "completed");
}

#[test]
fn without_a_worktree_nothing_is_judged() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\nexit 0\n");
    a.git(&["worktree", "remove", "--force", work.path.to_str().unwrap()]);
    let refused = qa(&a, &["1", "-p", "1"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert!(refused.stderr.contains("no worktree"), "{refused}");
    a.godzilla_ok(&["cancel", "1"]);
    assert_eq!(qa(&a, &["1", "-p", "1"]).code, Some(4));
}

#[test]
fn what_git_is_told_not_to_look_at_is_seen() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\ngrep -q good form\n");
    work.commit("form", "feat: the form");
    work.commit("kept", "feat: more");
    work.godzilla_ok(&["done"]);
    for flag in ["assume-unchanged", "skip-worktree"] {
        work.git(&["update-index", &format!("--{flag}"), "form"]);
        work.write("form", "good\n");
        assert_eq!(work.git(&["status", "--porcelain"]), "");
        let judged = qa(&work, &["--json"]);
        assert_eq!(judged.code, Some(0), "{judged}");
        let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
        assert_eq!((&answer["dirty"], &answer["stale"]), (&true.into(), &true.into()), "{flag}");
        assert_eq!(a.statuses(NAME)[1], "needs_qa", "{flag}");
        work.git(&["update-index", &format!("--no-{flag}"), "form"]);
    }
    assert_eq!(work.git(&["status", "--porcelain"]), " M form\n");
}

#[test]
fn a_person_who_stops_it_stops_the_gate() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\necho $$ >\"$GODZILLA_ROOT/../../pid\"\nsleep 1000\n");
    let mut child = work.command(BIN).arg("qa").spawn().unwrap();
    let pid = loop {
        let text = fs::read_to_string(a.path.join("pid")).unwrap_or_default();
        if let Ok(pid) = text.trim().parse::<i32>() {
            break pid;
        }
        std::thread::yield_now();
    };
    run(a.command("kill").args(["-TERM", &child.id().to_string()]));
    assert_eq!(child.wait().unwrap().code(), Some(6));
    let gate = run(a.command("kill").args(["-0", &pid.to_string()]));
    assert_ne!(gate.code, Some(0), "the gate goes on");
    assert_eq!(verdict(&a, 1), Value::Null);
}

#[test]
fn what_is_agreed_to_is_shown_whole() {
    let world = World::new();
    let a = world.clone("a");
    a.write(".gitattributes", "*.sh -diff\n");
    a.commit_gate("test.sh", "#!/bin/sh\n: run \u{1b}]; touch pwned; exit 0 #\u{0}\necho \u{202e}ok\n");
    a.write("scripts/ci/li\u{200b}b.sh", "x=1\n");
    a.git(&["add", "--all"]);
    a.git(&["commit", "--quiet", "-m", "ci: more"]);
    a.git(&["push", "--quiet"]);
    a.git(&["config", "diff.orderFile", "/nonexistent"]);
    let shown = a.godzilla(&["trust", "--show"]);
    for text in ["\\u{1b}]; touch pwned; exit 0", "\\u{0}", "\\u{202e}ok", "li\\u{200b}b.sh"] {
        assert!(shown.stdout.contains(text), "{text}: {shown}");
    }
    assert!(!shown.to_string().contains(['\u{1b}', '\u{202e}', '\u{200b}']), "{shown}");
}

#[test]
fn nothing_that_the_branch_runs_decides_for_a_person() {
    let world = World::new();
    let script = format!(
        "#!/bin/sh\n\"{BIN}\" trust --gates --yes\n\"{BIN}\" approve\n\"{BIN}\" qa\n\"{BIN}\" list\nexit 1\n"
    );
    let (a, work) = judged_by(&world, &script);
    work.commit("form", "feat: the form");
    work.godzilla_ok(&["done"]);
    let judged = qa(&work, &[]);
    assert_eq!(judged.code, Some(1), "{judged}");
    assert_eq!(judged.stderr.matches("runs within the gate test").count(), 3, "{judged}");
    assert!(!judged.stderr.contains("is no setting"), "{judged}");
    assert_eq!(a.statuses(NAME)[1], "failed");
}

#[test]
fn a_gate_that_changes_another_gate_proves_nothing() {
    let world = World::new();
    let a = world.clone("a");
    let rewrite = "#!/bin/sh\nfor x in \"$(git rev-parse --path-format=absolute --git-common-dir)\"/godzilla/.godzilla-draft-gates-*/gates/*; do\n\
                   printf '#!/bin/sh\\nexit 0\\n' >\"$x\"\ndone\n";
    a.write_executable("scripts/ci/lint.sh", rewrite);
    a.commit_gate("test.sh", "#!/bin/sh\nexit 1\n");
    let work = a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["trust", "-p", "1", "--yes"]);
    let judged = qa(&work, &["--json"]);
    assert_eq!(judged.code, Some(6), "{judged}");
    let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
    assert!(answer["gates"][0]["tail"].as_str().unwrap().contains("were changed"), "{judged}");
    assert_eq!(answer["gates"][1]["exit"], 1, "{judged}");
}

/// Whatever makes git believe that nothing has changed.
#[test]
fn what_the_gates_saw_is_read_and_not_believed() {
    type Trick = fn(&Place<'_>, &World);
    let tricks: &[(&str, Trick)] = &[
        ("a filter of the repository", |work, _| {
            work.git(&["config", "filter.x.clean", "sed s/good/bad/"]);
            work.write("../../.git/info/attributes", "form filter=x\n");
            work.write("form", "good\n");
            work.git(&["add", "form"]);
            assert_eq!(work.git(&["status", "--porcelain"]), "");
        }),
        ("a path that is not checked out", |work, _| {
            work.git(&["update-index", "--skip-worktree", "spoil"]);
            fs::remove_file(work.path.join("spoil")).unwrap();
            work.write("form", "bad\n");
        }),
        ("a mode that is not looked at", |work, _| {
            work.git(&["config", "core.fileMode", "false"]);
            fs::set_permissions(work.path.join("form"), fs::Permissions::from_mode(0o755)).unwrap();
        }),
    ];
    for (what, trick) in tricks {
        let world = World::new();
        let (a, work) =
            judged_by(&world, "#!/bin/sh\ngrep -q good form || test -x form || test ! -e spoil\n");
        work.write("spoil", "");
        work.commit("form", "bad");
        work.godzilla_ok(&["done"]);
        trick(&work, &world);
        let judged = qa(&work, &["--json"]);
        assert_eq!(judged.code, Some(0), "{what}: {judged}");
        let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
        assert_eq!((&answer["dirty"], &answer["stale"]), (&true.into(), &true.into()), "{what}: {judged}");
        assert_eq!(a.statuses(NAME)[1], "needs_qa", "{what}");
    }
}

#[test]
fn a_submodule_with_changes_of_its_own_proves_nothing() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\nexit 0\n");
    let module = world.place("module");
    fs::create_dir(&module.path).unwrap();
    module.git(&["init", "--quiet"]);
    module.commit("inner", "feat: inner");
    let address = module.path.to_str().unwrap();
    work.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", address, "sub"]);
    work.commit("form", "feat: the form");
    work.godzilla_ok(&["done"]);
    work.write("sub/inner", "changed\n");
    let judged = qa(&work, &[]);
    assert_eq!(judged.code, Some(6), "{judged}");
    assert!(judged.stdout.contains("sub"), "{judged}");
    assert_eq!(a.statuses(NAME)[1], "needs_qa");
    work.git(&["-C", "sub", "checkout", "--quiet", "inner"]);
    let judged = qa(&work, &[]);
    assert_eq!(judged.code, Some(0), "{judged}");
    assert_eq!(a.statuses(NAME)[1], "completed");
}

#[test]
fn a_worktree_that_is_none_any_more_is_not_judged() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\nexit 0\n");
    fs::remove_file(work.path.join(".git")).unwrap();
    let refused = qa(&a, &["1", "-p", "1"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_eq!(verdict(&a, 1), Value::Null);
}

#[test]
fn an_older_verdict_does_not_repeat_what_was_undone() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\nexit 0\n");
    work.commit("form", "feat: the form");
    assert_eq!(qa(&work, &[]).code, Some(0));
    assert_eq!(qa(&work, &[]).code, Some(0));
    work.godzilla_ok(&["done"]);
    a.godzilla_ok(&["list"]);
    assert_eq!(a.statuses(NAME)[1], "completed");
    let log = a.godzilla_ok(&["log", NAME, "--json"]);
    let completed = log.lines().rfind(|line| line.contains("step.completed")).unwrap();
    let completed: Value = serde_json::from_str(completed).unwrap();
    a.godzilla_ok(&["undo", completed["op"].as_str().unwrap()]);
    a.godzilla_ok(&["list"]);
    assert_ne!(a.statuses(NAME)[1], "completed");
    if a.statuses(NAME)[1] == "running" {
        work.godzilla_ok(&["done"]);
    }
    a.godzilla_ok(&["list"]);
    assert_eq!(a.statuses(NAME)[1], "needs_qa");
    assert_eq!(qa(&work, &["1"]).code, Some(0));
    assert_eq!(a.statuses(NAME)[1], "completed");
}
