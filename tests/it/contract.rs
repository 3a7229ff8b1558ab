//! The plan is a contract: its files on the branch are what the plan is.

use serde_json::Value;

use crate::schemas::assert_valid;
use crate::support::{Place, Shown, World};

const NAME: &str = "0001-add-a-login-page";

fn begin(world: &World) -> (Place<'_>, Place<'_>) {
    let home = world.clone("a");
    let path = home.plan("Add a login page", &["One", "Two", "Three"]).path;
    (home, Place { world, path })
}

fn file(step: &str) -> String {
    format!(".protocols/{NAME}/{step}.md")
}

/// Changes a step's file, without committing.
fn edit(work: &Place<'_>, step: &str, from: &str, to: &str) {
    let text = work.read(&file(step));
    assert!(text.contains(from), "{text}");
    work.write(&file(step), &text.replace(from, to));
}

/// Writes a new step's file, without committing.
fn add(work: &Place<'_>, step: &str, more: &str) {
    work.write(&file(step), &format!("---\nid: {step}\ntitle: {step}\n{more}---\n\n- [ ] do it\n"));
}

fn commit(work: &Place<'_>, message: &str) -> Shown {
    work.git(&["add", "--all"]);
    work.try_git(&["commit", "--quiet", "-m", message])
}

fn said(shown: &Shown) -> Vec<&str> {
    shown.stderr.lines().filter_map(|line| line.strip_prefix("git-godzilla: ")).collect()
}

fn steps(place: &Place<'_>) -> Vec<(String, String)> {
    let shown = place.json(&["show", NAME]);
    let text = |step: &Value, key: &str| step[key].as_str().unwrap().to_owned();
    shown["steps"].as_array().unwrap().iter().map(|step| (text(step, "id"), text(step, "status"))).collect()
}

fn ids(place: &Place<'_>) -> Vec<String> {
    steps(place).into_iter().map(|(id, _)| id).collect()
}

/// The events that changed the plan, as they are stored.
fn changes(place: &Place<'_>) -> Vec<Value> {
    let log = place.godzilla_ok(&["log", NAME, "--all", "--json"]);
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["type"] == "spec.changed").collect()
}

#[test]
fn a_commit_that_changes_the_plans_files_changes_the_plan() {
    let world = World::new();
    let (home, work) = begin(&world);
    work.commit("a.txt", "feat: a\n\nGodzilla-Status: done");
    // A file is dropped, one is inserted, one is moved, and one says more.
    std::fs::remove_file(work.path.join(file("02-two"))).unwrap();
    edit(&work, "03-three", "depends_on: [02-two]", "depends_on: [04-docs]\nengine: codex\npaths: [src/**]");
    edit(&work, "03-three", "paths: []\n", "");
    add(&work, "04-docs", "depends_on: [01-one]\n");
    let shown = commit(&work, "docs: another plan");
    let line = "the plan changed: 04-docs added; 02-two dropped; 03-three: waits for 04-docs, paths, engine";
    assert!(said(&shown).contains(&line), "{shown}");
    let want =
        [("00-setup", "completed"), ("01-one", "completed"), ("03-three", "pending"), ("04-docs", "pending")];
    let got = steps(&home);
    assert_eq!(got.iter().map(|(id, status)| (id.as_str(), status.as_str())).collect::<Vec<_>>(), want);
    let ready = home.json(&["ready"]);
    let ready = ready["steps"].as_array().unwrap();
    assert_eq!((ready.len(), &ready[0]["step"]), (1, &"04-docs".into()), "03-three waits for it");
    assert_eq!(home.json(&["show", NAME])["current_step"], "04-docs");
    let log = home.godzilla_ok(&["log", NAME]);
    assert!(log.contains("04-docs added; 02-two dropped"), "{log}");
    let [event] = changes(&home).try_into().unwrap();
    let head = work.git(&["rev-parse", "HEAD"]);
    assert_eq!(event["cause"], format!("commit:{}", head.trim()));
    assert_eq!(event["body"]["commit"], head.trim());
    let spec = home.git(&[
        "cat-file",
        "-p",
        &format!("refs/godzilla/protocols/{NAME}:specs/{}", event["body"]["spec"].as_str().unwrap()),
    ]);
    let spec: Value = serde_json::from_str(&spec).unwrap();
    assert_eq!(
        (&spec["steps"][2]["engine"], &spec["steps"][2]["paths"][0]),
        (&"codex".into(), &"src/**".into())
    );

    // What is undone is not repeated, until the files change again.
    home.godzilla_ok(&["undo", event["op"].as_str().unwrap()]);
    assert_eq!(ids(&home), ["00-setup", "01-one", "02-two", "03-three"]);
    assert_eq!(changes(&home).len(), 1);
}

#[test]
fn commits_that_leave_the_plan_alone_record_none() {
    let world = World::new();
    let (home, work) = begin(&world);
    work.commit("a.txt", "feat: a");
    work.tick(NAME, "01-one");
    edit(&work, "02-two", "## Verification", "More to read.\n\n## Verification");
    let shown = commit(&work, "feat: b");
    assert_eq!(said(&shown), ["step 01-one is completed; next is 02-two"]);
    assert_eq!(changes(&home).len(), 0);
}

#[test]
fn a_broken_file_changes_nothing_and_is_named_with_its_line() {
    let world = World::new();
    let (home, work) = begin(&world);
    edit(&work, "02-two", "type: work", "type: wrok");
    let shown = commit(&work, "docs: a slip");
    let line = format!(
        "the plan stays as it was: .protocols/{NAME}/02-two.md:4: `type` is not one of setup, work, or qa"
    );
    assert_eq!(said(&shown), [line]);
    assert_eq!(shown.code, Some(0));
    assert_eq!((changes(&home).len(), ids(&home).len()), (0, 4));
    // What follows makes up for it.
    edit(&work, "02-two", "type: wrok", "type: qa");
    assert_eq!(said(&commit(&work, "docs: mended")), ["the plan changed: 02-two: type work -> qa"]);
    // A circle is none, either.
    edit(&work, "01-one", "depends_on: [00-setup]", "depends_on: [03-three]");
    let shown = commit(&work, "docs: a circle");
    assert!(
        shown.stderr.contains(
            "01-one.md:6: steps depend on each other in a circle: 01-one -> 03-three -> 02-two -> 01-one"
        ),
        "{shown}"
    );
    assert_eq!(
        home.json(&["ready"])["steps"].as_array().unwrap().len(),
        0,
        "01-one runs, the others wait for it"
    );
}

#[test]
fn less_checking_takes_a_person() {
    let world = World::new();
    let home = world.clone("a");
    home.godzilla_ok(&["plan", "Add a login page", "--step", "One", "--qa", "full"]);
    let path = home.json(&["show", NAME])["worktree"].as_str().unwrap().into();
    let work = Place { world: &world, path };
    edit(&work, "01-one", "qa: full", "qa: skip\ngates: []");
    work.tick(NAME, "01-one");
    let shown = commit(&work, "feat: one");
    assert_eq!(
        said(&shown),
        [
            "step 01-one is done and needs QA",
            "01-one keeps QA full, 01-one keeps its gates; `git godzilla plan --amend` agrees to less",
        ]
    );
    assert_eq!(changes(&home).len(), 0);
}

#[test]
fn two_clones_that_see_one_commit_write_one_event() {
    let world = World::new();
    let (home, work) = begin(&world);
    home.git(&["push", "--quiet", "origin", NAME]);
    let other = world.clone("b");
    add(&work, "04-docs", "");
    let hooks_off = ["-c", "core.hooksPath=/dev/null"];
    work.git(&["add", "--all"]);
    work.git(&[&hooks_off[..], &["commit", "--quiet", "-m", "docs: more"]].concat());
    home.git(&[&hooks_off[..], &["push", "--quiet", "origin", NAME]].concat());
    other.git(&["fetch", "--quiet"]);
    assert_eq!(ids(&other), ["00-setup", "01-one", "02-two", "03-three", "04-docs"]);
    assert_eq!(ids(&home), ids(&other));
    for place in [&home, &other, &home] {
        place.godzilla_ok(&["sync"]);
    }
    let counts = |place: &Place<'_>| {
        let log = place.godzilla_ok(&["log", NAME]);
        log.lines().filter(|line| line.contains("the plan changed with")).count()
    };
    assert_eq!((counts(&home), counts(&other)), (1, 1));
    assert_eq!(changes(&home), changes(&other));
}

#[test]
fn an_amend_and_a_reset_are_followed() {
    let world = World::new();
    let (home, work) = begin(&world);
    work.commit("a.txt", "feat: a");
    add(&work, "04-docs", "");
    commit(&work, "docs: more");
    assert_eq!(ids(&home).len(), 5);
    // The same plan in another commit is not said again.
    work.git(&["commit", "--quiet", "--amend", "-m", "docs: more, again"]);
    assert_eq!((ids(&home).len(), changes(&home).len()), (5, 1));
    std::fs::remove_file(work.path.join(file("03-three"))).unwrap();
    edit(&work, "04-docs", "title: 04-docs", "title: The docs\ndepends_on: [02-two]");
    work.git(&["add", "--all"]);
    work.git(&["commit", "--quiet", "--amend", "--no-edit"]);
    assert_eq!(ids(&home), ["00-setup", "01-one", "02-two", "04-docs"]);
    work.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    assert_eq!(ids(&home), ["00-setup", "01-one", "02-two", "03-three"]);
    let n_changes = changes(&home).len();
    assert_eq!((ids(&home).len(), changes(&home).len()), (4, n_changes), "a second look adds nothing");
}

#[test]
fn a_person_amends_the_plan() {
    let world = World::new();
    let home = world.clone("a");
    home.godzilla_ok(&["plan", "Add a login page", "--step", "One", "--qa", "full"]);
    let path = home.json(&["show", NAME])["worktree"].as_str().unwrap().into();
    let work = Place { world: &world, path };
    let shown = work.godzilla(&["plan", "--amend"]);
    assert!(shown.code == Some(4) && shown.stderr.contains(NAME), "{shown}");
    edit(&work, "01-one", "qa: full", "qa: light");
    add(&work, "02-two", "qa: skip\n");
    work.write("staged.txt", "of another commit\n");
    work.git(&["add", "staged.txt"]);
    let head = work.git(&["rev-parse", "HEAD"]);
    let said = work.json(&["plan", "--amend"]);
    assert_valid("amend.v1", &said);
    assert_eq!(said["changes"], serde_json::json!(["02-two added", "01-one: QA full -> light"]));
    assert_eq!(work.git(&["rev-parse", "HEAD~1"]), head);
    let files = work.git(&["show", "--name-only", "--format=%s%n%(trailers:only)", "HEAD"]);
    let want = format!(
        "docs(protocol): amend plan of {NAME} [protocol-0001/00]\nGodzilla-Step: {NAME}/00-setup\n\n\n{}\n{}\n",
        file("01-one"),
        file("02-two")
    );
    assert_eq!(files, want);
    assert_eq!(work.git(&["diff", "--cached", "--name-only"]), "staged.txt\n");
    let spec = home.json(&["spec", "show", NAME]);
    assert_valid("spec.v1", &spec);
    assert_valid("protocol-spec", &spec["spec"]);
    let qa: Vec<&str> = spec["spec"]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["qa"]["policy"].as_str().unwrap())
        .collect();
    assert_eq!(qa, ["skip", "light", "skip"]);
    assert_eq!(home.statuses(NAME), ["completed", "pending", "pending"], "it moves no step");
    assert_eq!(work.godzilla(&["plan", "--amend"]).code, Some(4), "nothing is left to amend");
    // A broken file is refused before anything is committed.
    edit(&work, "02-two", "title: 02-two", "titel: x");
    let head = work.git(&["rev-parse", "HEAD"]);
    let shown = work.godzilla(&["plan", "--amend"]);
    assert!(shown.code == Some(4) && shown.stderr.contains("02-two.md"), "{shown}");
    assert_eq!(work.git(&["rev-parse", "HEAD"]), head);
    work.git(&["checkout", "--", "."]);
    // Taken back, it stays so.
    work.godzilla_ok(&["undo"]);
    let spec = home.json(&["spec", "show", NAME]);
    assert_eq!(spec["spec"]["steps"][1]["qa"]["policy"], "full");
    // The next commit is of the step whose turn it is.
    work.git(&["commit", "--quiet", "-m", "feat: a"]);
    assert_eq!(home.statuses(NAME)[1], "running");
}

#[test]
fn plans_are_validated_and_audited() {
    let world = World::new();
    let (home, work) = begin(&world);
    let valid = work.json(&["spec", "validate"]);
    assert_valid("spec-validate.v1", &valid);
    assert_eq!((&valid["valid"], &valid["commit"]), (&true.into(), &Value::Null));
    assert_eq!(valid["changes"], serde_json::json!([]), "what was planned is what its files say");
    let audit = home.json(&["spec", "audit"]);
    assert_valid("spec-audit.v1", &audit);
    assert_eq!(audit["summary"], serde_json::json!({ "protocols": 1, "errors": 0, "warnings": 0 }));

    edit(&work, "02-two", "depends_on: [01-one]", "depends_on: [09-none]");
    edit(&work, "03-three", "paths: []", "paths: [../..]");
    let shown = work.godzilla(&["spec", "validate", "--json"]);
    let found: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_valid("spec-validate.v1", &found);
    let at = |idx: usize| {
        (found["problems"][idx]["file"].as_str().unwrap(), found["problems"][idx]["line"].as_u64())
    };
    assert_eq!((shown.code, at(0), at(1)), (Some(1), ("02-two.md", Some(6)), ("03-three.md", Some(7))));
    assert_eq!(work.json(&["spec", "validate", "--commit", "HEAD"])["valid"], true);
    commit(&work, "docs: two slips");
    let shown = home.godzilla(&["spec", "audit", "--json"]);
    let audit: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_valid("spec-audit.v1", &audit);
    assert_eq!(shown.code, Some(1));
    assert_eq!(audit["protocols"][0]["findings"][0]["code"], "files.broken");
    assert_eq!(
        home.json(&["spec", "backfill"])["protocols"],
        serde_json::json!([]),
        "broken files make no plan"
    );

    // What was undone is another plan than that of the files, until somebody says so.
    work.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    add(&work, "04-docs", "");
    commit(&work, "docs: more");
    let op = changes(&home)[0]["op"].as_str().unwrap().to_owned();
    home.godzilla_ok(&["undo", &op]);
    let audit = home.godzilla(&["spec", "audit"]);
    assert!(audit.code == Some(1) && audit.stdout.contains("04-docs added (files.differ)"), "{audit}");
    let would = home.json(&["spec", "backfill", "--dry-run"]);
    assert_valid("spec-backfill.v1", &would);
    assert_eq!((ids(&home).len(), would["protocols"].as_array().unwrap().len()), (4, 1));
    let done = home.json(&["spec", "backfill"]);
    assert_eq!(done["protocols"], would["protocols"]);
    assert_eq!((ids(&home).len(), home.godzilla(&["spec", "audit"]).code), (5, Some(0)));
    assert!(home.godzilla_ok(&["log", NAME]).contains("made anew from its files"));
}

#[test]
fn protocols_that_meet_are_told() {
    let world = World::new();
    let home = world.clone("a");
    let one = home.plan("Add a login page", &["One"]);
    let two = home.plan("Add a logout page", &["One"]);
    let three = home.plan("Write the manual", &["One"]);
    assert_eq!(home.json(&["overlaps"])["pairs"], serde_json::json!([]));
    one.commit("src/a.rs", "feat: a");
    three.commit("src/b.rs", "feat: b");
    two.write("src/a.rs", "other\n");
    two.git(&["add", "--all"]);
    two.git(&["commit", "--quiet", "-m", "feat: another a"]);
    two.write("src/b.rs", "feat: b\n");
    two.git(&["add", "--all"]);
    two.git(&["commit", "--quiet", "-m", "feat: the same b"]);
    let text = home.read(&format!("worktrees/{NAME}/{}", file("01-one")));
    one.write(&file("01-one"), &text.replace("paths: []", "paths: [\"src/b.*\"]"));
    one.git(&["commit", "--quiet", "-am", "docs: paths"]);
    let refs = home.git(&["for-each-ref", "refs/heads"]);
    let shown = home.godzilla(&["overlaps", "--json"]);
    let found: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_valid("overlaps.v1", &found);
    let pair = |idx: usize| {
        let text = |key: &str| found["pairs"][idx][key].as_str().unwrap_or_default();
        (
            text("kind"),
            &text("one")[..4],
            &text("other")[..4],
            found["pairs"][idx]["paths"][0].as_str().unwrap(),
        )
    };
    assert_eq!(pair(0), ("conflict", "0001", "0002", "src/a.rs"), "{found:#}");
    assert_eq!(pair(1), ("touched", "0002", "0003", "src/b.rs"));
    assert_eq!(pair(2), ("declared", "0001", "0003", "src/b.rs"));
    assert_eq!((shown.code, found["conflicts"].as_u64()), (Some(1), Some(1)));
    assert_eq!(home.git(&["for-each-ref", "refs/heads"]), refs);
    let three = home.godzilla(&["overlaps", "3"]);
    assert!(three.code == Some(0) && three.stdout.lines().count() == 2, "{three}");
    let done = one.godzilla(&["done"]);
    assert!(done.stderr.contains("conflicts with 0002-add-a-logout-page (src/a.rs)"), "{done}");
}

#[test]
fn strict_mode_refuses_a_broken_plan() {
    let world = World::new();
    let (home, work) = begin(&world);
    home.git(&["config", "godzilla.commit.strict", "true"]);
    let head = work.git(&["rev-parse", "HEAD"]);
    edit(&work, "02-two", "type: work", "type: wrok");
    let message = "docs: a slip [protocol-0001/01]";
    // What is not staged is not about to be committed, and a commit of some paths has its own index.
    work.write("a.txt", "a\n");
    work.git(&["add", "a.txt"]);
    work.git(&["commit", "--quiet", "-m", "feat: a [protocol-0001/01]"]);
    assert_ne!(work.git(&["rev-parse", "HEAD"]), head);
    let head = work.git(&["rev-parse", "HEAD"]);
    for args in
        [&["commit", "--quiet", "-am", message][..], &["commit", "--quiet", "-m", message, &file("02-two")]]
    {
        let shown = work.try_git(args);
        assert!(shown.code == Some(1) && shown.stderr.contains("02-two.md:4: `type`"), "{shown}");
        assert_eq!(work.git(&["rev-parse", "HEAD"]), head);
    }
    edit(&work, "02-two", "type: wrok", "type: qa");
    work.git(&["commit", "--quiet", "-am", message]);
    assert_eq!(changes(&home).len(), 1);
}

/// The outline planner's own files say what it planned, whatever the titles are.
#[test]
fn a_plan_is_what_its_files_say_from_the_first() {
    let world = World::new();
    let home = world.clone("a");
    let titles = [
        "# \"Quoted\": it's [x] \\ {y}",
        "  spaces\tand\u{a0}more  ",
        "\u{1f98e} \u{202e}turned",
        "true",
        "'",
    ];
    let mut args = vec!["plan", "# A title: with \"all\" `of` it \u{200b}#"];
    for title in &titles {
        args.extend(["--step", title]);
    }
    home.godzilla_ok(&args);
    let outline =
        "# A plan\n\nSummary.\n\n## Steps\n\n- [ ] **One** `two`\n  - [ ] sub\n- [ ] [Three](x.md): #4\n";
    home.write("plan.md", outline);
    home.godzilla_ok(&["plan", "--from", "plan.md", "--qa", "light"]);
    for name in ["1", "2"] {
        let valid = home.json(&["spec", "validate", name]);
        assert_eq!((&valid["valid"], &valid["changes"]), (&true.into(), &serde_json::json!([])), "{valid:#}");
    }
    assert_eq!(home.godzilla(&["spec", "audit"]).code, Some(0));
}

/// So does what is taken of the plan of an engine, which does not choose who works.
#[test]
fn a_plan_of_an_engine_is_what_its_files_say() {
    use crate::planning::{plan, planner, step_file, succeeded};

    let world = World::new();
    let mut answer = plan();
    let more = "depends_on: [00-setup]\nengine: sly\ntimeout: 60\nqa: light\ngates: [a.sh]\noutputs: [report=qa/x.md]\n\
                loop: [on=qa_failed, max=2, skip=01-form]\ntrigger: [target=01-form]\npaths: [\"src/**\", README]\n";
    answer["step_files"][2]["content"] = step_file("02-api", "The \\\"API\\\": new", more).into();
    let a = planner(&world, &[succeeded(&answer)]);
    let planned = a.godzilla(&["plan", "Add a login", "--no-decompose"]);
    assert_eq!(planned.code, Some(0), "{planned}");
    let valid = a.json(&["spec", "validate", "1"]);
    assert_eq!((&valid["valid"], &valid["changes"]), (&true.into(), &serde_json::json!([])), "{valid:#}");
    let spec = a.json(&["spec", "show", "1"]);
    let step = &spec["spec"]["steps"][2];
    assert_eq!((&step["paths"], &step["engine"]), (&serde_json::json!(["src/**", "README"]), &Value::Null));
    assert_eq!(spec["spec"]["planner"].as_str().or(spec["spec"]["planner"]["name"].as_str()), Some("sh"));
    assert_eq!(a.godzilla(&["spec", "audit"]).code, Some(0));
    // The plan goes on as it began, whoever made it.
    let path = a.json(&["show", "1"])["worktree"].as_str().unwrap().into();
    let work = Place { world: &world, path };
    work.write(".protocols/0001-add-a-login/03-docs.md", &step_file("03-docs", "The docs", ""));
    work.git(&["add", "--all"]);
    let shown = work.try_git(&["commit", "--quiet", "-m", "docs: more"]);
    assert_eq!(said(&shown), ["the plan changed: 03-docs added"]);
    let spec = a.json(&["spec", "show", "1"]);
    assert_eq!(spec["spec"]["planner"].as_str().or(spec["spec"]["planner"]["name"].as_str()), Some("sh"));
}
