//! Steps that an engine reviews, and what it takes for them to be completed.

mod hostile;
mod mended;

use std::fs;

use serde_json::{Value, json};

use crate::run::set;
use crate::schemas::assert_valid;
use crate::support::{Place, Shown, World};

const NAME: &str = "0001-add-a-login";
const REPORT: &str = ".protocols/0001-add-a-login/quality-report.md";

/// A protocol whose first step waits for QA, a gate that passes, and a shell script that reviews. What it
/// was asked lies beside it.
fn reviewed_by<'w>(world: &'w World, policy: &str, script: &str) -> (Place<'w>, Place<'w>) {
    let a = world.clone("a");
    a.commit_gate("test.sh", "#!/bin/sh\ntest ! -e broken\n");
    a.json(&["plan", "Add a login", "--step", "The form", "--step", "The API", "--qa", policy]);
    a.godzilla_ok(&["trust", "-p", "1", "--yes"]);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    work.commit("form.html", "feat: the form");
    work.godzilla_ok(&["done"]);
    set(&a, "rev", &format!("cat >>\"$0.requests\"; echo >>\"$0.requests\"\n{script}"));
    a.git(&["config", "godzilla.phases.qa", "rev"]);
    (a, work)
}

/// What the reviewer was asked, one request each.
fn requests(world: &World) -> Vec<Value> {
    let text = fs::read_to_string(world.path().join("rev-engine.requests")).unwrap_or_default();
    serde_json::Deserializer::from_str(&text).into_iter().map(Result::unwrap).collect()
}

/// A script that answers in the form that is asked for.
fn says(verdict: &str, findings: &Value) -> String {
    let answer = json!({
        "v": 1,
        "status": "succeeded",
        "json": { "verdict": verdict, "summary": "Seen all of it.", "findings": findings, "next_actions": ["go on"] },
        "usage": { "input_tokens": 10, "output_tokens": 2 },
    });
    format!("cat <<'END'\n{answer}\nEND")
}

/// A script that answers in Markdown.
fn writes(markdown: &str) -> String {
    let answer = json!({ "v": 1, "status": "succeeded", "message": markdown });
    format!("cat <<'END'\n{answer}\nEND")
}

fn finding(severity: &str, path: &str, message: &str) -> Value {
    json!({ "severity": severity, "path": path, "line": 3, "message": message })
}

fn qa(place: &Place<'_>, args: &[&str]) -> (Shown, Value) {
    let shown = place.godzilla(&[&["qa", "--json"], args].concat());
    let answer: Value = serde_json::from_str(&shown.stdout).unwrap_or_else(|err| panic!("{err}: {shown}"));
    let is_error = answer["schema"] == "git-godzilla/error@1";
    assert_valid(if is_error { "error.v1" } else { "qa.v1" }, &answer);
    (shown, answer)
}

fn status(place: &Place<'_>) -> String {
    place.statuses(NAME).remove(1)
}

#[test]
fn a_step_is_completed_by_its_gates_and_a_review() {
    let world = World::new();
    let note = json!([finding("note", "form.html", "could be shorter")]);
    let (a, work) = reviewed_by(&world, "full", &says("pass", &note));
    let (shown, answer) = qa(&work, &[]);
    assert_eq!((shown.code, &answer["result"]), (Some(0), &"pass".into()), "{shown}");
    assert_eq!(status(&a), "completed");
    assert_eq!((&answer["stale"], &answer["problems"]), (&false.into(), &json!([])), "{shown}");
    let review = &answer["review"]["verdict"];
    assert_eq!(
        (&review["said"], &review["result"], &review["engine"]),
        (&"pass".into(), &"pass".into(), &"rev".into())
    );
    assert_eq!(review["findings"][0], note[0]);

    let asked = requests(&world);
    assert_eq!(asked.len(), 1);
    assert_eq!((&asked[0]["kind"], &asked[0]["access"]), (&"review".into(), &"read".into()));
    assert_eq!(asked[0]["output_schema"]["title"], "review");
    let prompt = asked[0]["prompt"].as_str().unwrap();
    for told in ["01-the-form", "+feat: the form", "scripts/ci/test.sh", "passed", "form.html", "Be thorough"]
    {
        assert!(prompt.contains(told), "{told} is missing in:\n{prompt}");
    }

    // The report is there for people, is an artifact of the run, and no part of the work.
    let report = work.read(REPORT);
    assert!(
        report.contains("- Verdict: PASS") && report.contains("`form.html:3`: could be shorter"),
        "{report}"
    );
    assert_eq!(work.git(&["status", "--porcelain"]), "");
    let artifacts = work.json(&["artifacts"]);
    let list = artifacts["artifacts"].as_array().unwrap();
    let of_report = list.iter().find(|it| it["kind"] == "report").unwrap_or_else(|| panic!("{artifacts}"));
    assert_eq!((&of_report["path"], &of_report["bytes"]), (&REPORT.into(), &report.len().into()));

    let show = a.json(&["show", NAME]);
    assert_valid("protocol.v1", &show);
    let verdict = &show["steps"][1]["verdict"];
    assert_eq!((&verdict["result"], &verdict["stale"]), (&"pass".into(), &false.into()));
    assert_eq!(verdict["review"]["findings"], note);
    assert!(work.json(&["runs"])["runs"].as_array().unwrap().iter().any(|run| run["kind"] == "review"));
}

#[test]
fn what_a_reviewer_finds_holds_the_step() {
    let world = World::new();
    let found =
        json!([finding("blocking", "form.html", "the key is in it"), finding("warning", "a.rs", "long")]);
    let (a, work) = reviewed_by(&world, "full", &says("fail", &found));
    let shown = work.godzilla(&["qa"]);
    assert_eq!(shown.code, Some(1), "{shown}");
    assert!(shown.stdout.contains("blocking form.html:3: the key is in it"), "{shown}");
    assert!(shown.stdout.contains(REPORT), "{shown}");
    assert_eq!(status(&a), "failed");
    let why = a.json(&["explain", "1"]);
    assert_valid("explain.v1", &why);
    assert!(why["why"].as_str().unwrap().contains("the review by rev (1 blocking)"), "{why}");
    assert_eq!(why["problems"][0]["code"], "review.blocking");
    assert!(why["problems"][0]["remedy"].as_str().unwrap().contains("git godzilla qa 01-the-form"), "{why}");
    assert_eq!(why["problems"][1]["code"], "review.warning");
    assert!(
        a.godzilla_ok(&["explain", "1"])
            .contains("[blocking: review.blocking] form.html:3: the key is in it")
    );
    assert!(a.godzilla_ok(&["show", "1"]).contains("blocking form.html:3: the key is in it"));
    let log = a.godzilla_ok(&["log", "1"]);
    assert!(log.contains("QA of step 01-the-form: fail (review)"), "{log}");
}

#[test]
fn a_pass_with_blocking_findings_is_none() {
    let world = World::new();
    let found = json!([finding("blocking", ".protocols/0001-add-a-login/plan.md", "old")]);
    let (a, work) = reviewed_by(&world, "full", &says("pass", &found));
    let (shown, answer) = qa(&work, &[]);
    assert_eq!((shown.code, &answer["review"]["verdict"]["result"]), (Some(1), &"fail".into()), "{shown}");
    assert_eq!(status(&a), "failed");
}

#[test]
fn a_fail_about_files_of_protocols_alone_is_downgraded_and_both_are_kept() {
    let world = World::new();
    let found = json!([finding("blocking", "./.protocols/0001-add-a-login/context.md", "stale")]);
    let (a, work) = reviewed_by(&world, "full", &says("fail", &found));
    let (shown, answer) = qa(&work, &[]);
    assert_eq!((shown.code, &answer["result"]), (Some(0), &"pass".into()), "{shown}");
    let review = &a.json(&["show", NAME])["steps"][1]["verdict"]["review"];
    assert_eq!((&review["said"], &review["result"]), (&"fail".into(), &"pass".into()), "{review}");
    assert!(review["downgraded"].as_str().unwrap().contains(".protocols/"), "{review}");
    assert_eq!(status(&a), "completed");
}

#[test]
fn markdown_will_do_and_what_is_unclear_fails() {
    for (markdown, code, said) in [
        ("## Summary\nfine\n\n**Verdict:** PASS", 0, "pass"),
        ("## Blocking\n- form.html:7 leaks\n\nVerdict: FAIL", 1, "fail"),
        ("Looks good to me, PASS!", 1, "none"),
        ("Verdict: PASS\nVerdict: FAIL|PASS", 1, "none"),
    ] {
        let world = World::new();
        let (_, work) = reviewed_by(&world, "full", &writes(markdown));
        let (shown, answer) = qa(&work, &[]);
        assert_eq!(
            (shown.code, &answer["review"]["verdict"]["said"]),
            (Some(code), &said.into()),
            "{markdown}: {shown}"
        );
        assert_eq!(answer["review"]["verdict"]["structured"], false);
        // Once in the form, and once in words.
        let asked = requests(&world);
        assert!(asked.len() == 2 && asked[1]["output_schema"].is_null(), "{asked:?}");
    }
}

#[test]
fn a_reviewer_that_does_not_review_is_never_a_pass() {
    let no_answer = r#"echo '{"v":1,"status":"succeeded"}'"#;
    let rate_limited = r#"echo '{"v":1,"status":"auth","message":"Verdict: PASS"}'"#;
    for (script, code) in [
        ("exit 3", "review.crashed"),
        ("echo Verdict: PASS", "review.crashed"),
        (no_answer, "review.succeeded"),
        (rate_limited, "review.auth"),
        ("kill -9 $$", "review.crashed"),
    ] {
        let world = World::new();
        let (a, work) = reviewed_by(&world, "full", script);
        let (shown, answer) = qa(&work, &[]);
        assert_eq!((shown.code, &answer["result"]), (Some(6), &"error".into()), "{script}: {shown}");
        assert_eq!(answer["review"]["missing"]["code"], code, "{script}: {shown}");
        assert_eq!(answer["gates"][0]["exit"], 0, "what the gates said is kept");
        assert_eq!(status(&a), "needs_qa");
        assert_eq!(a.json(&["explain", "1"])["problems"][0]["code"], "review.error");
    }
    let world = World::new();
    let (a, work) = reviewed_by(&world, "full", "exit 0");
    a.git(&["config", "godzilla.phases.qa", "nobody"]);
    let (shown, answer) = qa(&work, &[]);
    assert_eq!((shown.code, &answer["result"]), (Some(6), &"error".into()), "{shown}");
    a.git(&["config", "godzilla.engines.rev.argv", "/no/such/program"]);
    a.git(&["config", "godzilla.phases.qa", "rev"]);
    let (shown, answer) = qa(&work, &[]);
    assert_eq!(
        (shown.code, &answer["review"]["missing"]["code"]),
        (Some(6), &"review.unavailable".into()),
        "{shown}"
    );
    assert_eq!(status(&a), "needs_qa");
}

#[test]
fn a_review_is_asked_for_where_it_is_due() {
    let world = World::new();
    let (a, work) = reviewed_by(&world, "light", &says("pass", &json!([])));
    let n_asked = || requests(&world).len();
    // Without anybody who reviews, the gates judge, as they do if that is said.
    a.git(&["config", "godzilla.phases.qa", "human"]);
    work.write("broken", "");
    assert_eq!(qa(&work, &[]).1["review"], Value::Null);
    assert_eq!(qa(&work, &["--review"]).1["code"], "review.nobody");
    a.git(&["config", "godzilla.phases.qa", "rev"]);
    // A gate that fails is cheaper.
    let (shown, answer) = qa(&work, &[]);
    assert_eq!((shown.code, &answer["review"], n_asked()), (Some(1), &Value::Null, 0), "{shown}");
    assert_eq!(answer["problems"][0]["code"], "gate.failed");
    let (shown, answer) = qa(&work, &["--review"]);
    assert_eq!((&answer["result"], n_asked()), (&"fail".into(), 1), "{shown}");
    fs::remove_file(work.path.join("broken")).unwrap();

    let (shown, answer) = qa(&work, &["--no-review", "2"]);
    assert_eq!((shown.code, &answer["review"], n_asked()), (Some(0), &Value::Null, 1), "{shown}");
    let (shown, _) = qa(&work, &[]);
    assert_eq!((shown.code, n_asked()), (Some(0), 2), "{shown}");
    assert!(requests(&world)[1]["prompt"].as_str().unwrap().contains("Keep it brief"));

    set(&a, "other", &says("fail", &json!([])));
    let (shown, answer) = qa(&work, &["--engine", "other", "--model", "m-1", "2"]);
    let by = &answer["review"]["verdict"];
    assert_eq!(
        (shown.code, &by["engine"], &by["model"]),
        (Some(1), &"other".into(), &"m-1".into()),
        "{shown}"
    );
    assert_eq!(n_asked(), 2);
}

#[test]
fn a_step_without_qa_and_one_without_gates_are_judged_as_ever() {
    let world = World::new();
    let a = world.clone("a");
    set(&a, "rev", &says("pass", &json!([])));
    a.git(&["config", "godzilla.phases.qa", "rev"]);
    let work = a.plan("Add a login", &["The form"]);
    work.commit("form.html", "feat: the form");
    assert_eq!(qa(&work, &[]).1["review"], Value::Null, "the policy is skip");
    a.json(&["plan", "Fix the till", "--step", "The drawer", "--qa", "full"]);
    let work = world.place("a/worktrees/0002-fix-the-till");
    work.commit("drawer", "feat: the drawer");
    work.godzilla_ok(&["done"]);
    // A review alone proves nothing that a gate could have proven.
    let (shown, answer) = qa(&work, &[]);
    assert_eq!((shown.code, &answer["result"]), (Some(1), &"no_gate".into()), "{shown}");
    assert_eq!(answer["review"]["verdict"]["result"], "pass");
    assert_eq!(a.statuses("0002-fix-the-till")[1], "needs_qa");
}
