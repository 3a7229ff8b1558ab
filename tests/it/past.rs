//! The state as it was: at a date, at a commit of the code, in a commit of a stream.

use serde_json::Value;

use crate::support::{Place, World};

const NAME: &str = "0001-add-a-login";

/// Commits as if it were another day.
fn commit_on(work: &Place<'_>, day: &str, file: &str) -> String {
    work.write(file, "x\n");
    work.git(&["add", "--all"]);
    let date = format!("{day}T12:00:00Z");
    let mut commit = work.command("git");
    commit.args(["commit", "--quiet", "-m", &format!("feat: {file}")]);
    let shown = crate::support::run(commit.env("GIT_COMMITTER_DATE", &date).env("GIT_AUTHOR_DATE", &date));
    assert_eq!(shown.code, Some(0), "{shown}");
    work.git(&["rev-parse", "HEAD"]).trim().to_owned()
}

/// A protocol that was planned today, and worked on in 2031 and 2032: what follows from a commit bears its date.
fn worked_on(world: &World) -> (Place<'_>, [String; 2]) {
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form", "The API"]);
    let first = commit_on(&work, "2031-03-01", "form.html");
    let second = commit_on(&work, "2032-03-01", "more.html");
    (a, [first, second])
}

fn step(place: &Place<'_>, at: &str) -> (String, usize) {
    let shown = place.json(&["show", "1", "--at", at]);
    let step = &shown["steps"][1];
    (step["status"].as_str().unwrap().to_owned(), step["commits"].as_array().unwrap().len())
}

#[test]
fn a_date_shows_what_had_happened_by_then() {
    let world = World::new();
    let (a, _) = worked_on(&world);
    assert_eq!(a.godzilla(&["show", "1", "--at", "2001-01-01"]).code, Some(4), "it was not planned yet");
    assert_eq!(a.json(&["list", "--at", "2001-01-01"])["protocols"], serde_json::json!([]));
    for (at, want) in [
        ("2030-06-01", ("pending", 0)),
        ("2031-02-28", ("pending", 0)),
        // A bare day is all of it.
        ("2031-03-01", ("running", 1)),
        ("2031-03-01 11:59", ("pending", 0)),
        ("2031-06-01T00:00:00Z", ("running", 1)),
        ("2033-01-01", ("running", 2)),
        ("yesterday", ("", 0)),
    ] {
        if at == "yesterday" {
            assert_eq!(a.godzilla(&["show", "1", "--at", at]).code, Some(4), "it was planned today");
        } else {
            assert_eq!(step(&a, at), (want.0.to_owned(), want.1), "{at}");
        }
    }
    assert_eq!(step(&a, "now").0, "pending", "what is dated later has not happened");
    let past = a.json(&["list", "--at", "2031-06-01"]);
    assert_eq!(
        (&past["protocols"][0]["status"], &past["protocols"][0]["worktree"]),
        (&"running".into(), &Value::Null)
    );
    assert_eq!(a.json(&["status", "--at", "2031-06-01"])["protocols"], past["protocols"]);
    let told = a.godzilla(&["status", "-p", "1", "--at", "2031-06-01"]);
    assert!(told.stderr.contains("as of 2031-06-01 23:59") && told.stdout.contains("running"), "{told}");
    assert!(!told.stdout.contains("next:"), "the past needs nothing: {told}");
}

#[test]
fn a_commit_of_the_code_stands_for_its_date_and_one_of_a_stream_for_what_it_holds() {
    let world = World::new();
    let (a, [first, second]) = worked_on(&world);
    assert_eq!(step(&a, &first), ("running".to_owned(), 1));
    assert_eq!(step(&a, &second), ("running".to_owned(), 2));
    assert_eq!(step(&a, &format!("{NAME}~1")).1, 1, "any revision");

    let stream = format!("refs/godzilla/protocols/{NAME}");
    let planned = a.git(&["rev-list", "--max-parents=0", &stream]);
    assert_eq!(step(&a, planned.trim()), ("pending".to_owned(), 0));
    assert_eq!(step(&a, &stream), ("running".to_owned(), 2));
    let shown = a.json(&["status", "--at", planned.trim()]);
    assert_eq!((&shown["name"], &shown["status"]), (&NAME.into(), &"planned".into()));
    assert_eq!(a.json(&["list", "--at", &format!("{stream}~1")])["protocols"][0]["name"], NAME);
    a.plan("Another one", &[]);
    let other = a.godzilla(&["show", "2", "--at", &stream]);
    assert_eq!(other.code, Some(2), "{other}");
    assert_eq!(a.godzilla(&["show", "--at", "refs/godzilla/project"]).code, Some(2), "it is of no protocol");
}

#[test]
fn the_past_is_the_same_in_every_clone_and_looking_records_nothing() {
    let world = World::new();
    let (a, _) = worked_on(&world);
    a.godzilla_ok(&["sync"]);
    let b = world.clone("b");
    b.godzilla_ok(&["sync"]);
    let refs = b.git(&["for-each-ref"]);
    for at in ["2030-06-01", "2031-06-01", "2033-01-01"] {
        assert_eq!(a.json(&["list", "--at", at]), b.json(&["list", "--at", at]), "{at}");
        assert_eq!(a.json(&["show", "1", "--at", at]), b.json(&["show", "1", "--at", at]), "{at}");
    }
    assert_eq!(b.git(&["for-each-ref"]), refs);
    // What was done offline counts from when it was done.
    let work = world.place(&format!("a/worktrees/{NAME}"));
    commit_on(&work, "2031-05-01", "late.html");
    a.godzilla_ok(&["sync"]);
    b.godzilla_ok(&["sync"]);
    assert_eq!(step(&b, "2031-06-01").1, 2);
}

#[test]
fn an_archived_protocol_has_a_past_too() {
    let world = World::new();
    let (a, _) = worked_on(&world);
    a.godzilla_ok(&["cancel", "1"]);
    a.godzilla_ok(&["sync"]);
    let before = a.json(&["show", "1", "--at", "2031-06-01"]);
    crate::sharing::reading::archive(&world.place("srv.git"), NAME);
    let c = world.clone("c");
    assert_eq!(c.json(&["show", "1", "--at", "2031-06-01"]), before);
    assert_eq!(c.json(&["list", "--at", "2031-06-01"])["protocols"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_neither_a_revision_nor_a_date_is_refused() {
    let world = World::new();
    let a = world.clone("a");
    for at in ["no-such-thing", "", "never", "all", "--help", "\u{1b}[2J"] {
        let refused = a.godzilla(&["list", &format!("--at={at}")]);
        assert_eq!(refused.code, Some(2), "{at:?} {refused}");
        assert!(
            refused.stderr.contains("neither a revision nor a date") && !refused.stderr.contains('\u{1b}'),
            "{refused}"
        );
    }
}
