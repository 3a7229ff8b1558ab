//! The plan is a contract: its files on the branch are what the plan is.

use serde_json::Value;

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
