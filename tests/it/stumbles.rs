//! What newcomers stumbled over: each message says what happened and what to type, and nothing is recorded
//! that was not done.

use crate::planning::planner;
use crate::run::{NAME, engine, json, set};
use crate::support::World;

#[test]
fn who_paused_a_protocol_and_why_is_said_wherever_it_stands_still() {
    let world = World::new();
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form"]);
    work.godzilla_ok(&["pause", "--reason", "holidays"]);
    let why = "0001-add-a-login was paused by Ada: holidays";
    let explained = a.json(&["explain", "1"]);
    assert_eq!(
        (&explained["why"], &explained["next_command"]),
        (&why.into(), &format!("git godzilla resume {NAME}").into())
    );
    for said in [a.godzilla_ok(&["status"]), work.godzilla_ok(&["status"]), work.godzilla(&["next"]).stderr] {
        assert!(said.contains(why) && said.contains("git godzilla resume"), "{said}");
    }
    assert_eq!(a.json(&["show", "1"])["blocked_reason"]["code"], "protocol.paused");
    a.godzilla_ok(&["resume", "-p", "1"]);
    assert_eq!(a.json(&["show", "1"])["blocked_reason"], serde_json::Value::Null);
    work.godzilla_ok(&["pause"]);
    assert_eq!(a.json(&["explain", "1"])["why"], "0001-add-a-login was paused by Ada");
    a.godzilla_ok(&["cancel", "1"]);
    assert_eq!(a.json(&["show", "1"])["blocked_reason"], serde_json::Value::Null);
}

#[test]
fn a_step_does_not_begin_that_could_not_be_run() {
    let world = World::new();
    let (a, work) = engine(&world, r#"echo form >form.html; echo "$DONE""#);
    let refused = |args: &[&str], code: &str, exit: i32| {
        let events = a.event_ids(NAME);
        let shown = work.godzilla(&[args, &["--json"]].concat());
        assert_eq!((json(&shown)["code"].as_str(), shown.code), (Some(code), Some(exit)), "{args:?} {shown}");
        assert_eq!(a.event_ids(NAME), events, "{args:?} recorded something");
    };
    work.write("notes.txt", "mine\n");
    refused(&["next"], "worktree.dirty", 4);
    refused(&["run"], "worktree.dirty", 4);
    std::fs::remove_file(work.path.join("notes.txt")).unwrap();
    // An engine that has nothing to run, or whose program is not there.
    for args in [&["next", "--engine", "command"][..], &["run", "--engine", "command"]] {
        refused(args, "engine.unavailable", 6);
    }
    a.git(&["config", "godzilla.engines.gone.argv", "/no/such/program"]);
    refused(&["next", "--engine", "gone"], "engine.unavailable", 6);
    // What a retry or a resume would begin is looked at as well.
    work.godzilla_ok(&["next", "--no-run"]);
    work.godzilla_ok(&["block"]);
    refused(&["retry", "--engine", "gone"], "engine.unavailable", 6);
    work.godzilla_ok(&["unblock"]);
    work.godzilla_ok(&["pause"]);
    refused(&["resume", "--engine", "gone"], "engine.unavailable", 6);
    assert_eq!(work.json(&["show"])["status"], "paused");
    // One that is there to fall back on is enough.
    a.git(&["config", "godzilla.engines.gone.fallbacks", "sh"]);
    assert_eq!(json(&work.godzilla(&["resume", "--engine", "gone", "--json"]))["engine"], "sh");
    // What the state does not allow is said before what an engine lacks.
    work.write("notes.txt", "mine\n");
    refused(&["retry", "1"], "step.state", 4);
}

#[test]
fn a_protocol_is_named_by_an_option_wherever_one_is_named() {
    let world = World::new();
    let a = world.clone("a");
    a.plan("Add a login", &["The form"]);
    for args in [
        &["show"][..],
        &["status"],
        &["explain"],
        &["log"],
        &["runs"],
        &["spec", "show"],
        &["spec", "validate"],
        &["spec", "audit"],
        &["verify"],
        &["pause"],
        &["resume", "--no-run"],
    ] {
        let by_option = a.godzilla(&[args, &["-p", "1", "--json"]].concat());
        assert_eq!(by_option.code, Some(0), "{args:?} {by_option}");
        assert!(by_option.stdout.contains(NAME), "{args:?} {by_option}");
    }
    assert_eq!(a.json(&["show", "1"]), a.json(&["status", "-p", "1"]));
    assert_eq!(a.godzilla(&["show", "1", "-p", "1"]).code, Some(2), "twice is once too often");
    assert_eq!(a.godzilla(&["status", "-p", "7"]).code, Some(3));
}

#[test]
fn a_prompt_is_shown_as_it_would_be_for_a_step() {
    let world = World::new();
    let (a, _) = engine(&world, r#"echo "$DONE""#);
    let rendered = a.godzilla_ok(&["prompt", "render", "execute-step", "-p", "1"]);
    for part in [NAME, "01-the-form", "# The form", "`Add a login`"] {
        assert!(rendered.contains(part), "{part} in {rendered}");
    }
    let second = a.godzilla_ok(&[
        "prompt",
        "render",
        "execute-step",
        "-p",
        "1",
        "--step",
        "2",
        "--set",
        "plan=another",
    ]);
    assert!(second.contains("02-the-api") && second.contains("another"), "{second}");
    let preview = a.json(&["run", "-p", "1", "--dry-run"]);
    assert_eq!(preview["prompt"].as_str().unwrap().trim(), rendered.trim(), "the same as the engine gets");
    assert_eq!(a.godzilla(&["prompt", "render", "execute-step", "--step", "2"]).code, Some(2));
}

#[test]
fn all_that_is_wrong_with_a_plan_is_told_at_once() {
    let world = World::new();
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form", "The API", "The docs"]);
    let edit = |step: &str, lines: &str| {
        let file = format!(".protocols/{NAME}/{step}.md");
        work.write(&file, &format!("---\nid: {step}\ntitle: A step\n{lines}\n---\n- [ ] x\n"));
    };
    edit("01-the-form", "depends_on: [02-the-api, 09-gone]\ntimeout: soon\npaths: [/etc]");
    edit("02-the-api", "depends_on: [01-the-form]\nengine: -x");
    edit("03-the-docs", "no form");
    let shown = work.godzilla(&["spec", "validate", "--json"]);
    assert_eq!(shown.code, Some(1), "{shown}");
    let problems = json(&shown)["problems"].as_array().unwrap().clone();
    let says = |file: &str, part: &str| {
        let is = |problem: &serde_json::Value| {
            problem["file"] == file && problem["message"].as_str().unwrap().contains(part)
        };
        assert!(problems.iter().any(is), "{file}: {part} in {problems:?}");
    };
    for part in ["09-gone", "`timeout`", "`paths`", "circle"] {
        says("01-the-form.md", part);
    }
    says("02-the-api.md", "`engine`");
    says("03-the-docs.md", "key: text");
    // Once committed, those who look at the protocol or go on with it are told as well.
    work.git(&["add", "--all"]);
    work.git(&["commit", "--quiet", "-m", "docs: a plan that is none"]);
    for args in [&["show"][..], &["status"], &["next"]] {
        let told = work.godzilla(args).stderr;
        let place = format!(".protocols/{NAME}/01-the-form.md:");
        assert!(told.contains(&place) && told.contains("spec validate"), "{args:?} {told}");
    }
}

#[test]
fn a_branch_that_is_not_here_is_fetched_before_it_is_merged() {
    let world = World::new();
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form"]);
    work.commit("form.html", "feat: form");
    work.godzilla_ok(&["done"]);
    a.godzilla_ok(&["sync"]);
    let b = world.clone("b");
    b.godzilla_ok(&["sync"]);
    let explained = b.json(&["explain", "1"]);
    assert_eq!(explained["next_command"], "git fetch origin", "{explained}");
    let why = explained["why"].as_str().unwrap();
    assert!(why.contains(&format!("git push -u origin {NAME}")), "{why}");
    work.git(&["push", "--quiet", "-u", "origin", NAME]);
    b.git(&["fetch", "--quiet"]);
    let merge = b.json(&["explain", "1"])["next_command"].as_str().unwrap().to_owned();
    assert!(merge.ends_with(&format!("merge --no-ff origin/{NAME}")), "{merge}");
}

#[test]
fn the_log_of_a_plan_that_came_to_nothing_can_be_read() {
    let world = World::new();
    let a = planner(&world, &[]);
    set(&a, "sh", r#"echo thinking hard; echo '{"v":1,"status":"quota","message":"no money"}'"#);
    let failed = a.godzilla(&["plan", "Add a login"]);
    assert_eq!(failed.code, Some(6), "{failed}");
    let runs = a.json(&["runs", "--all"]);
    let run = &runs["runs"][0];
    assert_eq!(
        (&run["status"], &run["kind"], &run["protocol"]),
        (&"quota".into(), &"plan".into(), &serde_json::Value::Null)
    );
    let id = run["run"].as_str().unwrap();
    assert!(failed.stderr.contains(&format!("git godzilla logs {id}")), "{failed}");
    assert!(a.godzilla_ok(&["logs", id]).contains("thinking hard"));
    assert_eq!(a.json(&["logs", id])["name"], serde_json::Value::Null);
    assert_eq!(a.godzilla(&["logs", "7ZZZZZ"]).code, Some(3));
}

#[test]
fn a_log_reads_as_a_story() {
    let world = World::new();
    let (_, work) = engine(&world, r#"echo form >form.html; echo "$DONE""#);
    work.godzilla_ok(&["run"]);
    let log = work.godzilla_ok(&["log"]);
    for said in [
        "  sh works on step 01-the-form  ",
        "  the run on step 01-the-form succeeded  ",
        "  the log of the run is kept (",
    ] {
        assert!(log.contains(said), "{said} in {log}");
    }
}
