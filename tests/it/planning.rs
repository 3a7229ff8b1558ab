//! Plans that an engine makes: what is taken of its answers, and what nothing that it answers can do.

mod refused;

use serde_json::{Value, json};

use crate::run::set;
use crate::support::{Place, World};

const NAME: &str = "0001-add-a-login";

/// A clone with a little program in it, and a script as the engine that plans. The script gives one of
/// `answers` after the other, and keeps what it was asked.
pub(crate) fn planner<'w>(world: &'w World, answers: &[Value]) -> Place<'w> {
    let a = world.clone("a");
    a.write("Cargo.toml", "[package]\nname = \"shop\"\n");
    a.write("src/main.rs", "fn main() {}\n");
    a.git(&["add", "--all"]);
    a.git(&["commit", "--quiet", "-m", "feat: a program"]);
    a.git(&["push", "--quiet", "origin", "HEAD"]);
    let script = r#"n=$(($(cat "$0.n" 2>/dev/null || echo 0) + 1)); echo $n >"$0.n"
cat >"$0.request-$n"; cat "$0.answer-$n""#;
    set(&a, "sh", script);
    a.git(&["config", "godzilla.phases.planning", "sh"]);
    for (idx, answer) in answers.iter().enumerate() {
        a.write(&format!("../sh-engine.answer-{}", idx + 1), &format!("{answer}\n"));
    }
    a
}

/// What the engine was asked the `n`th time.
pub(crate) fn asked(a: &Place<'_>, n: usize) -> Value {
    serde_json::from_str(&a.read(&format!("../sh-engine.request-{n}"))).unwrap()
}

/// How often it was asked.
pub(crate) fn times(a: &Place<'_>) -> usize {
    std::fs::read_to_string(a.path.join("../sh-engine.n")).map_or(0, |n| n.trim().parse().unwrap())
}

pub(crate) fn step_file(id: &str, title: &str, more: &str) -> String {
    format!(
        "---\nid: {id}\ntitle: {title}\ntype: work\n{more}---\n\n# {title}\n\n## Briefing\n\nChange src/main.rs.\n\n\
         ## Sub-tasks\n\n- [ ] Write it\n\n## Verification\n\n- `cargo test`\n"
    )
}

/// An answer that can be used.
pub(crate) fn plan() -> Value {
    json!({
        "plan_md": "# Login\n\n## Context\n\nThe README and Cargo.toml say little; src/main.rs in src is all there is.\n",
        "context_md": "Build with `cargo test`.",
        "log_md": "Read src/main.rs.",
        "step_files": [
            {"filename": "00-setup.md", "content": "---\nid: 00-setup\ntitle: Set up\ntype: setup\n---\n\n# Set up\n"},
            {"filename": "01-form.md", "content": step_file("01-form", "The form", "paths: [src/**]\n")},
            {"filename": "02-api.md", "content": step_file("02-api", "The API", "qa: skip\nengine: sly\n")},
        ],
    })
}

pub(crate) fn succeeded(answer: &Value) -> Value {
    let usage = json!({"input_tokens": 1000, "output_tokens": 200});
    json!({"v": 1, "status": "succeeded", "json": answer, "usage": usage})
}

pub(crate) fn says(text: &str) -> Value {
    json!({"v": 1, "status": "succeeded", "message": text})
}

#[test]
fn an_engine_plans_and_the_plan_is_a_protocol_as_any_other() {
    let world = World::new();
    let a = planner(&world, &[succeeded(&plan())]);
    let planned = a.json(&["plan", "Add a login", "--no-decompose"]);
    crate::schemas::assert_valid("plan.v1", &planned);
    assert_eq!((&planned["planner"], &planned["name"]), (&"sh".into(), &NAME.into()));
    assert_eq!(planned["steps"], json!(["00-setup", "01-form", "02-api"]));

    let request = asked(&a, 1);
    assert_eq!((&request["kind"], &request["access"]), (&"plan".into(), &"read".into()));
    let prompt = request["prompt"].as_str().unwrap();
    assert!(prompt.contains("- src/main.rs") && prompt.contains("- cargo test"), "{prompt}");
    assert_eq!(request["output_schema"]["required"][0], "plan_md");

    let work = world.place(&format!("a/worktrees/{NAME}"));
    assert_eq!(work.git(&["rev-list", "--count", "main..HEAD"]).trim(), "1", "one commit holds it all");
    let folder = format!(".protocols/{NAME}");
    let text = work.read(&format!("{folder}/plan.md"));
    assert!(text.contains("\n## Summary\n\nAdd a login\n\n### Context\n"), "{text}");
    assert!(text.contains("1. [00-setup](00-setup.md)") && text.contains("\n## Contract\n"), "{text}");
    let step = work.read(&format!("{folder}/02-api.md"));
    assert!(!step.contains("sly") && step.contains("qa: skip\ndepends_on: [01-form]\n"), "{step}");
    assert!(work.read(&format!("{folder}/context.md")).contains("Build with `cargo test`."));

    let show = a.json(&["show", "1"]);
    assert_eq!(a.json(&["runs", "1"])["counted_tokens"], 1200);
    assert_eq!(show["current_step"], "01-form");
    let events = a.godzilla_ok(&["log", "1", "--json"]);
    let created = events.lines().find(|line| line.contains("protocol.planned")).unwrap();
    let created: Value = serde_json::from_str(created).unwrap();
    assert_eq!(created["body"]["planner"]["name"], "sh");
    assert_eq!(created["body"]["planner"]["prompt_hash"].as_str().unwrap().len(), 64);
    assert!(events.contains("run.started") && events.contains("run.finished"), "{events}");
    // Ordinary work goes on from there.
    work.tick(NAME, "01-form");
    work.commit("form.html", "feat(login): the form");
    assert_eq!(a.json(&["show", "1"])["steps"][1]["status"], "completed");
    let events = a.godzilla_ok(&["log", "1", "--json"]);
    assert!(!events.contains("spec.changed"), "the files say what the plan says: {events}");
}

#[test]
fn an_answer_that_cannot_be_used_is_asked_for_again_with_its_mistakes() {
    let world = World::new();
    let mut bad = plan();
    bad["step_files"][1]["filename"] = "../../evil.md".into();
    bad["step_files"][2]["content"] = "no front matter".into();
    let a = planner(&world, &[succeeded(&bad), says("Sorry! I cannot"), succeeded(&plan())]);
    let shown = a.godzilla(&["plan", "Add a login", "--no-decompose"]);
    assert_eq!(shown.code, Some(0), "{shown}");
    assert!(shown.stdout.contains("planned by sh"), "{shown}");
    assert!(shown.stderr.contains("asked for again"), "{shown}");
    assert_eq!(times(&a), 3);
    let again = asked(&a, 2)["prompt"].as_str().unwrap().to_owned();
    assert!(again.contains("/step_files/1/filename") && again.contains("## The repository"), "{again}");
    assert!(asked(&a, 3)["prompt"].as_str().unwrap().contains("no JSON"));
    assert!(!world.path().join("evil.md").exists());
    // What the bad answers used counts as well.
    let runs = a.json(&["runs", "1"]);
    let status = |n: usize| runs["runs"][n]["status"].as_str().unwrap();
    assert_eq!([0, 1, 2].map(status), ["succeeded", "schema", "succeeded"], "{runs}");
}

#[test]
fn a_conversation_that_can_be_gone_on_with_is_told_the_mistakes_alone() {
    let world = World::new();
    let mut bad = succeeded(&json!({"plan_md": "x"}));
    bad["session"] = "s-7".into();
    let a = planner(&world, &[bad, succeeded(&plan())]);
    a.godzilla_ok(&["plan", "Add a login", "--no-decompose"]);
    let again = asked(&a, 2)["prompt"].as_str().unwrap().to_owned();
    assert!(again.contains("context_md") && !again.contains("## The repository"), "{again}");
}

#[test]
fn a_plan_that_could_be_about_any_repository_is_refused() {
    let world = World::new();
    let text = step_file("01-form", "The form", "")
        .replace("src/main.rs", "the code")
        .replace("cargo test", "run it");
    let vague = json!({
        "plan_md": "Do it well.", "context_md": "", "log_md": "",
        "step_files": [plan()["step_files"][0], {"filename": "01-form.md", "content": text}],
    });
    let a = planner(&world, &[succeeded(&vague), succeeded(&plan())]);
    a.godzilla_ok(&["plan", "Add a login", "--no-decompose"]);
    let again = asked(&a, 2)["prompt"].as_str().unwrap().to_owned();
    assert!(
        again.contains("names none of the commands") && again.contains("must name at least 4"),
        "{again}"
    );
}

#[test]
fn steps_are_decomposed_before_the_one_commit() {
    let world = World::new();
    let more = |id: &str, title: &str, from: &str| {
        step_file(id, title, from)
            .replace("- [ ] Write it\n", "- [ ] Write it in src/main.rs\n  - [ ] and test it\n")
    };
    let first = more("01-form", "The form", "qa: skip\ndepends_on: [00-setup]\npaths: [\"src/**\"]\n");
    let worse = "Here you are:\n\nAll done!";
    let a = planner(&world, &[succeeded(&plan()), says(&first), says(worse)]);
    let planned = a.json(&["plan", "Add a login"]);
    assert_eq!(times(&a), 3);
    assert_eq!(asked(&a, 2)["kind"], "decompose");
    assert!(asked(&a, 2)["prompt"].as_str().unwrap().contains("id: 01-form"));
    let notices = planned["notices"].as_array().unwrap();
    assert_eq!(notices.len(), 1, "{notices:?}");
    let notice = notices[0].as_str().unwrap();
    assert!(
        notice.starts_with("step 02-api stays as it was planned: the answer is no step file"),
        "{notice}"
    );

    let work = world.place(&format!("a/worktrees/{NAME}"));
    assert_eq!(work.git(&["rev-list", "--count", "main..HEAD"]).trim(), "1");
    assert!(work.read(&format!(".protocols/{NAME}/01-form.md")).contains("  - [ ] and test it\n"));
    assert!(work.read(&format!(".protocols/{NAME}/02-api.md")).contains("- [ ] Write it\n"));
    assert_eq!(a.json(&["runs", "1"])["runs"].as_array().unwrap().len(), 3);
}

#[test]
fn simple_steps_are_left_alone_if_that_is_wished() {
    let world = World::new();
    let a = planner(&world, &[succeeded(&plan())]);
    a.godzilla_ok(&["plan", "Add a login", "--skip-simple-decompose"]);
    assert_eq!(times(&a), 1);
    assert_eq!(
        a.json(&["plan", "Another", "--step", "One"])["planner"],
        "outline",
        "who gives steps needs no engine"
    );
    assert_eq!(a.json(&["plan", "A third", "--engine", "outline"])["planner"], "outline");
    assert_eq!(times(&a), 1);
}

#[test]
fn what_would_be_asked_is_shown_and_nothing_is_asked() {
    let world = World::new();
    let a = planner(&world, &[]);
    let before = a.git(&["for-each-ref"]);
    let preview = a.json(&["plan", "Add a login", "--dry-run"]);
    crate::schemas::assert_valid("plan.v1", &preview);
    assert_eq!((&preview["planner"], &preview["commit"]), (&"sh".into(), &Value::Null));
    assert!(preview["prompt"]["template"].as_str().unwrap().starts_with("protocol-new@"));
    assert!(preview["prompt"]["estimated_tokens"].as_u64().unwrap() > 500);
    let shown = a.godzilla_ok(&["plan", "Add a login", "--dry-run"]);
    assert!(shown.contains("by asking sh") && shown.contains("- src/main.rs"), "{shown}");
    assert_eq!(a.git(&["for-each-ref"]), before);
    assert_eq!(times(&a), 0);
}

#[test]
fn a_plan_can_be_followed_by_its_first_run() {
    let world = World::new();
    let a =
        planner(&world, &[succeeded(&plan()), json!({"v": 1, "status": "succeeded", "message": "did it"})]);
    a.git(&["config", "godzilla.phases.exec", "doer"]);
    set(&a, "doer", "echo form >form.html; echo \"$DONE\"");
    let ran: Value = a.json(&["plan", "Add a login", "--no-decompose", "--run"]);
    assert_eq!((&ran["engine"], &ran["step"]), (&"doer".into(), &"01-form".into()), "{ran}");
    assert_eq!(world.place(&format!("a/worktrees/{NAME}")).read("form.html"), "form\n");
    let named: Value = a.json(&["plan", "Another one", "--step", "The form", "--run-step", "1"]);
    assert_eq!(
        (&named["name"], &named["step"]),
        (&"0002-another-one".into(), &"01-the-form".into()),
        "{named}"
    );
    // The plan stays.
    let shown = a.godzilla(&["plan", "A third one", "--step", "The form", "--run-step", "9"]);
    assert_eq!(shown.code, Some(3), "{shown}");
    assert_eq!(a.json(&["show", "3"])["status"], "planned");
}
