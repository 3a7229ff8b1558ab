//! Steps that an engine does: what is committed and recorded, and what nothing that it does can lose.

mod hostile;
mod killing;
mod stopped;
mod trusted;
mod unseen;

use serde_json::Value;

use crate::support::{Place, Shown, World};

pub(crate) const NAME: &str = "0001-add-a-login";

/// What an engine answers when all went well.
const DONE: &str = r#"{"v":1,"status":"succeeded","message":"did it","usage":{"input_tokens":1200,"cached_tokens":200,"output_tokens":50,"cost_micros":900},"session":"s-1"}"#;

/// Sets up a shell script as the engine of steps; `script` may say `$DONE`.
pub(crate) fn engine<'w>(world: &'w World, script: &str) -> (Place<'w>, Place<'w>) {
    let a = world.clone("a");
    a.plan("Add a login", &["The form", "The API"]);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    set(&a, "sh", script);
    a.git(&["config", "godzilla.phases.exec", "sh"]);
    (a, work)
}

/// Sets up a shell script as an engine of this name.
pub(crate) fn set(a: &Place<'_>, name: &str, script: &str) {
    let file = format!("../{name}-engine");
    a.write_executable(&file, &format!("#!/bin/sh\nDONE='{DONE}'\n{script}\n"));
    let path = a.path.join(&file);
    a.git(&["config", &format!("godzilla.engines.{name}.argv"), path.to_str().unwrap()]);
}

pub(crate) fn json(shown: &Shown) -> Value {
    serde_json::from_str(&shown.stdout).unwrap_or_else(|err| panic!("{err}: {shown}"))
}

#[test]
fn what_an_engine_did_is_committed_and_recorded() {
    let world = World::new();
    let (a, work) = engine(&world, r#"cat >"$0.request"; echo thinking; echo form >form.html; echo "$DONE""#);
    let ran = json(&work.godzilla(&["run", "--json"]));
    assert_eq!((&ran["result"], &ran["engine"]), (&"succeeded".into(), &"sh".into()), "{ran}");
    assert_eq!(ran["usage"]["input_tokens"], 1200);
    assert_eq!(ran["changed"], serde_json::json!(["form.html"]));
    assert_eq!(ran["status"], "completed", "the plan asks for no QA");
    let commit = ran["commit"].as_str().unwrap();
    assert_eq!(work.git(&["rev-parse", "HEAD"]).trim(), commit);
    let message = work.git(&["log", "-1", "--format=%B"]);
    assert!(message.starts_with("feat: The form [protocol-0001/01]\n"), "{message}");
    assert!(message.contains("Godzilla-Step: 0001-add-a-login/01-the-form\n"), "{message}");
    assert_eq!(work.git(&["status", "--porcelain"]), "");

    let request: Value = serde_json::from_str(&a.read("../sh-engine.request")).unwrap();
    assert_eq!((&request["kind"], &request["access"]), (&"step".into(), &"write".into()));
    assert_eq!(request["step"], "01-the-form");
    assert!(request["prompt"].as_str().unwrap().contains("01-the-form"));

    let runs = work.json(&["runs"]);
    assert_eq!(runs["runs"][0]["status"], "succeeded");
    assert_eq!(runs["counted_tokens"], 1250);
    let log = work.godzilla_ok(&["logs"]);
    assert!(log.contains("thinking"), "{log}");
    assert_eq!(work.json(&["artifacts"])["artifacts"][0]["kind"], "log");
    assert_eq!(a.json(&["show", "1"])["steps"][1]["status"], "completed");
}

#[test]
fn an_engine_that_changes_nothing_has_done_nothing() {
    let world = World::new();
    let (_, work) = engine(&world, r#"echo "$DONE""#);
    let ran = work.godzilla(&["run"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stdout.contains("changed nothing"), "{ran}");
    let show = work.json(&["show"]);
    assert_eq!(show["steps"][1]["status"], "running");
    assert_eq!(show["steps"][1]["commits"], serde_json::json!([]));
}

#[test]
fn what_would_be_asked_can_be_seen_before() {
    let world = World::new();
    let (_, work) = engine(&world, r#"touch "$0.started"; echo "$DONE""#);
    let before = work.git(&["for-each-ref"]);
    let shown = work.godzilla_ok(&["run", "--dry-run"]);
    assert!(shown.contains("with sh") && shown.contains("The form"), "{shown}");
    let preview = work.json(&["run", "--dry-run"]);
    assert_eq!(preview["engine"], "sh");
    assert_eq!(work.git(&["for-each-ref"]), before);
    assert!(!world.path().join("sh-engine.started").exists());
}

#[test]
fn people_do_what_no_engine_is_set_for() {
    let world = World::new();
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form"]);
    let ran = work.godzilla(&["run"]);
    assert_eq!(ran.code, Some(4), "{ran}");
    assert!(ran.stderr.contains("--engine"), "{ran}");
    // The verbs go on by hand.
    let next = work.godzilla_ok(&["next"]);
    assert!(next.contains("is running"), "{next}");
}

#[test]
fn next_runs_what_an_engine_does_unless_told_otherwise() {
    let world = World::new();
    let (_, work) = engine(&world, r#"echo "$GODZILLA_STEP" >>steps.txt; echo "$DONE""#);
    let held = work.godzilla_ok(&["next", "--no-run"]);
    assert!(held.contains("is running"), "{held}");
    assert!(!work.path.join("steps.txt").exists());
    assert_eq!(json(&work.godzilla(&["run", "--json"]))["step"], "01-the-form");
    assert_eq!(json(&work.godzilla(&["next", "--json"]))["step"], "02-the-api");
    assert_eq!(work.read("steps.txt"), "01-the-form\n02-the-api\n");
}

#[test]
fn work_that_is_not_committed_is_never_taken_for_the_engines() {
    let world = World::new();
    let (a, work) = engine(&world, r#"rm -f notes.txt; echo form >form.html; echo "$DONE""#);
    work.write("notes.txt", "mine\n");
    let ran = work.godzilla(&["run"]);
    assert_eq!(ran.code, Some(4), "{ran}");
    assert!(ran.stderr.contains("notes.txt") && ran.stderr.contains("--include-dirty"), "{ran}");
    assert_eq!(work.read("notes.txt"), "mine\n");

    let ran = json(&work.godzilla(&["run", "--include-dirty", "--json"]));
    let snapshot = ran["snapshot"].as_str().unwrap();
    assert_eq!(a.git(&["cat-file", "blob", &format!("{snapshot}:notes.txt")]), "mine\n");
}

#[test]
fn commits_of_the_engine_itself_count() {
    let world = World::new();
    let (_, work) = engine(
        &world,
        r#"echo form >form.html; git add form.html; git -c user.name=E -c user.email=e@example.com commit --quiet -m "feat: the form"; echo more >more.txt; echo "$DONE""#,
    );
    let ran = json(&work.godzilla(&["run", "--json"]));
    assert_eq!(ran["own_commits"].as_array().unwrap().len(), 1, "{ran}");
    assert!(ran["commit"].is_string(), "what was left is committed too: {ran}");
    let step = &work.json(&["show"])["steps"][1];
    assert_eq!((&step["status"], step["commits"].as_array().unwrap().len()), (&"completed".into(), 2));
}

#[test]
fn one_run_at_a_time() {
    let world = World::new();
    let (a, work) =
        engine(&world, r#"mkdir "$0.on"; while test ! -e "$0.go"; do :; done; echo x >x; echo "$DONE""#);
    let mut child = work.command(crate::support::BIN).arg("run").spawn().unwrap();
    while !world.path().join("sh-engine.on").exists() {
        std::thread::yield_now();
    }
    let second = work.godzilla(&["run"]);
    assert_eq!(second.code, Some(4), "{second}");
    assert!(second.stderr.contains("goes on already"), "{second}");
    assert_eq!(work.json(&["runs"])["runs"][0]["status"], "running");
    a.write("../sh-engine.go", "");
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_engine_that_cannot_is_fallen_back_from() {
    let world = World::new();
    let (a, work) = engine(&world, r#"echo '{"v":1,"status":"quota","message":"out of credit"}'"#);
    set(&a, "other", r#"echo form >form.html; echo "$DONE""#);
    a.git(&["config", "godzilla.engines.sh.fallbacks", "other"]);
    let ran = json(&work.godzilla(&["run", "--json"]));
    assert_eq!((&ran["engine"], &ran["result"]), (&"other".into(), &"succeeded".into()), "{ran}");
    let runs = work.json(&["runs"]);
    assert_eq!(runs["runs"].as_array().unwrap().len(), 2);
    assert_eq!(runs["runs"][0]["status"], "quota");
    assert_eq!(runs["counted_tokens"], 1250, "nobody saw the first one");
}

#[test]
fn an_engine_that_may_be_asked_later_is_waited_for_once() {
    let world = World::new();
    let (_, work) = engine(
        &world,
        r#"if test -e "$0.twice"; then echo form >form.html; echo "$DONE"; exit; fi
touch "$0.twice"
echo '{"v":1,"status":"rate-limited","until_ms":1000}'"#,
    );
    let ran = json(&work.godzilla(&["run", "--json"]));
    assert_eq!(ran["result"], "succeeded", "{ran}");
    let runs = work.json(&["runs"]);
    assert_eq!(runs["runs"][0]["status"], "rate-limited");
}

/// The second step finds what the first did wrong: the work goes back, the first is told why and mends it, and
/// the second passes without a commit of its own.
#[test]
fn a_loop_tells_why_and_ends_without_a_commit_for_nothing() {
    let world = World::new();
    let a = world.clone("a");
    a.commit_gate(
        "test.sh",
        "#!/bin/sh\nif test -e api && ! test -e mended; then echo the form is crooked; exit 1; fi\n",
    );
    a.plan("Add a login", &["The form", "The API"]);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    set(
        &a,
        "sh",
        r#"cat >"$0.request.$GODZILLA_STEP"
case $GODZILLA_STEP in
01*) echo form >>form; if grep -q crooked "$0.request.$GODZILLA_STEP"; then echo x >mended; fi ;;
02*) test -e api || echo api >api ;;
esac
echo "$DONE""#,
    );
    a.git(&["config", "godzilla.phases.exec", "sh"]);
    a.godzilla_ok(&["trust", "-p", "1", "--yes"]);
    let file = format!(".protocols/{NAME}/02-the-api.md");
    work.write(&file, &work.read(&file).replacen("\n---", "\nloop: [on=qa_failed, back=1, max=3]\n---", 1));
    work.godzilla_ok(&["plan", "--amend"]);

    work.godzilla_ok(&["run", "1", "--qa"]);
    let failed = json(&work.godzilla(&["run", "2", "--qa", "--json"]));
    assert_eq!((&failed["verdict"], &failed["status"]), (&"fail".into(), &"pending".into()), "{failed}");
    assert_eq!(a.statuses(NAME), ["completed", "pending", "pending"]);
    work.godzilla_ok(&["next", "--qa"]);
    assert!(work.path.join("mended").exists(), "it was told what to mend");
    assert_eq!(a.statuses(NAME), ["completed", "completed", "pending"]);
    // Nothing is left to do in the second, which says so; its verdict is about all that lies there.
    assert_eq!(work.godzilla(&["next"]).code, Some(1));
    work.godzilla_ok(&["done"]);
    work.godzilla_ok(&["qa"]);
    assert_eq!(a.statuses(NAME), ["completed", "completed", "completed"]);
}

#[test]
fn who_goes_on_is_who_began() {
    let world = World::new();
    let (a, work) = engine(&world, r#"echo other >other; echo "$DONE""#);
    set(
        &a,
        "first",
        r#"if test -e "$0.twice"; then echo form >form; echo "$DONE"; exit; fi
touch "$0.twice"
kill -INT $(ps -o ppid= -p $PPID)
sleep 1000"#,
    );
    let stopped = work.godzilla(&["run", "--engine", "first"]);
    assert_eq!(stopped.code, Some(6), "{stopped}");
    let ran = json(&work.godzilla(&["resume", "--json"]));
    assert_eq!((&ran["engine"], &ran["result"]), (&"first".into(), &"succeeded".into()), "{ran}");
}
