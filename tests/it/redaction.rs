//! A text that got into the state goes: from what is shown, from what is shared, from every history.

mod elsewhere;
mod plans;

use crate::support::{Place, World};

const NAME: &str = "0001-add-a-login";
const STREAM: &str = "refs/godzilla/protocols/0001-add-a-login";
const SECRET: &str = "hunter2-hunter2";

/// Two clones that share a protocol with a note which says the secret, among others.
fn leaked(world: &World) -> (Place<'_>, Place<'_>) {
    let (a, b) = (world.clone("a"), world.clone("b"));
    a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["comment", "before", "-p", "1"]);
    a.godzilla_ok(&["comment", &format!("the password is {SECRET}, by the way"), "-p", "1"]);
    a.godzilla_ok(&["comment", "after", "-p", "1"]);
    for place in [&a, &b] {
        place.godzilla_ok(&["sync"]);
    }
    assert!(says(&b, STREAM), "it was shared");
    (a, b)
}

/// Whether anything that a ref reaches says the secret.
fn says(place: &Place<'_>, name: &str) -> bool {
    objects_say(place, &place.git(&["rev-list", "--objects", name]))
}

/// Whether anything that any ref or reflog reaches does.
fn anything_says(place: &Place<'_>) -> bool {
    objects_say(place, &place.git(&["rev-list", "--objects", "--all", "--reflog"]))
}

fn objects_say(place: &Place<'_>, listed: &str) -> bool {
    listed.lines().map(|line| line.split(' ').next().unwrap()).any(|oid| {
        // A tree holds no text.
        place.git(&["cat-file", "-t", oid]).trim() != "tree"
            && place.git(&["cat-file", "-p", oid]).contains(SECRET)
    })
}

fn log(place: &Place<'_>) -> String {
    place.godzilla_ok(&["log", "1", "--all", "--json"])
}

fn findings(place: &Place<'_>) -> String {
    place.godzilla(&["doctor", "--json"]).stdout
}

#[test]
fn p1_what_is_taken_out_is_gone_in_every_clone_and_stays_gone() {
    let world = World::new();
    let (a, b) = leaked(&world);
    let n_before = a.event_ids(NAME).len();
    let shown = a.godzilla(&["redact", SECRET]);
    assert_eq!(shown.code, Some(4), "{shown}");
    assert!(!format!("{shown}").replace("redact hunter2-hunter2", "").contains(SECRET), "{shown}");
    let preview = a.json(&["redact", SECRET, "--dry-run"]);
    assert_eq!(preview["events"].as_array().unwrap().len(), 1);
    assert!(log(&a).contains(SECRET), "nothing was done yet");

    let done = a.json(&["redact", SECRET, "--yes", "--reason", "it leaked"]);
    assert!(!done.to_string().contains(SECRET), "{done}");
    assert!(!log(&a).contains(SECRET));
    assert_eq!(a.event_ids(NAME).len(), n_before + 1, "every event is there, and who did it");
    assert!(a.godzilla_ok(&["log", "1"]).contains("was taken out (it leaked)"));
    assert!(!a.git(&["show", &format!("{STREAM}:state.json")]).contains(SECRET));

    // `b` goes on with the line, and pushes it back by force.
    b.godzilla_ok(&["comment", "meanwhile", "-p", "1"]);
    a.godzilla_ok(&["sync"]);
    b.git(&["push", "--quiet", "--no-verify", "--force", "origin", &format!("{STREAM}:{STREAM}")]);
    for place in [&a, &b, &a] {
        place.godzilla_ok(&["sync"]);
        assert!(!log(place).contains(SECRET));
    }
    assert_eq!(log(&a), log(&b));
    assert!(log(&a).contains("meanwhile"));
    let tip = format!("{STREAM}:events");
    for place in [&a, &b, &world.place("srv.git")] {
        let segments = place.git(&["ls-tree", "-r", &tip]);
        assert!(!objects_say(place, &segments.replace('\t', " ").replace("100644 blob ", "")));
    }
}

#[test]
fn p2_what_was_never_pushed_never_is() {
    let world = World::new();
    let a = world.clone("a");
    a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["comment", SECRET, "-p", "1"]);
    a.godzilla_ok(&["redact", SECRET, "--yes"]);
    a.godzilla_ok(&["sync"]);
    assert!(!anything_says(&world.place("srv.git")));
    // The same upon what the remote has.
    a.godzilla_ok(&["comment", SECRET, "-p", "1"]);
    a.godzilla_ok(&["comment", "more", "-p", "1"]);
    a.godzilla_ok(&["redact", SECRET, "--yes"]);
    a.godzilla_ok(&["sync"]);
    assert!(!anything_says(&world.place("srv.git")));
    assert!(log(&a).contains("more"));
}

#[test]
fn p3_a_purge_takes_it_out_of_every_history() {
    let world = World::new();
    let (a, b) = leaked(&world);
    let srv = world.place("srv.git");
    a.godzilla_ok(&["redact", SECRET, "--yes"]);
    a.godzilla_ok(&["sync"]);
    assert!(says(&srv, STREAM), "a history keeps what was");
    assert!(findings(&a).contains("redaction.unpurged"));

    let done = a.json(&["redact", "--purge", "--yes"]);
    assert_eq!((&done["remotes"][0]["clean"], &done["remotes"][0]["replaced"]), (&true.into(), &1.into()));
    assert!(!anything_says(&srv) && !anything_says(&a));
    a.git(&["gc", "--quiet", "--prune=now"]);
    let all = a.git(&["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]);
    assert!(!objects_say(&a, &all), "no object is left");
    assert!(!findings(&a).contains("redaction.unpurged"));
    // Once more changes nothing.
    let tip = srv.git(&["rev-parse", STREAM]);
    assert_eq!(a.json(&["redact", "--purge", "--yes"])["remotes"][0]["replaced"], 0);
    assert_eq!(srv.git(&["rev-parse", STREAM]), tip);

    // A clone that was away lets go of the old chain, and loses nothing of its own.
    b.godzilla_ok(&["comment", "from afar", "-p", "1"]);
    b.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["sync"]);
    assert_eq!(log(&a), log(&b));
    assert!(log(&a).contains("from afar") && !log(&b).contains(SECRET));
    assert!(!anything_says(&srv), "the old chain is not attached again");
    assert!(!says(&b, STREAM));
}

#[test]
fn p3_who_pushes_the_old_chain_back_is_healed_and_purged_again() {
    let world = World::new();
    let (a, b) = leaked(&world);
    let srv = world.place("srv.git");
    a.godzilla_ok(&["redact", SECRET, "--purge", "--yes"]);
    b.git(&["push", "--quiet", "--no-verify", "--force", "origin", &format!("{STREAM}:{STREAM}")]);
    assert!(anything_says(&srv));
    a.godzilla_ok(&["sync"]);
    assert!(!log(&a).contains(SECRET));
    assert!(findings(&a).contains("redaction.unpurged"));
    a.godzilla_ok(&["redact", "--purge", "--yes"]);
    assert!(!anything_says(&srv) && !anything_says(&a));
    b.godzilla_ok(&["sync"]);
    assert!(!anything_says(&srv));
    assert_eq!(log(&a), log(&b));
}

#[test]
fn p4_a_remote_that_cannot_be_purged_is_named_and_found_again() {
    let world = World::new();
    let (a, _) = leaked(&world);
    let root = world.place("");
    root.git(&["clone", "--quiet", "--bare", "srv.git", "backup.git"]);
    a.git(&["remote", "add", "backup", "../backup.git"]);
    a.godzilla_ok(&["init", "--yes", "--remote", "backup"]);
    a.godzilla_ok(&["sync"]);
    let backup = world.place("backup.git");
    backup.write_executable("hooks/pre-receive", "#!/bin/sh\nexit 1\n");
    let shown = a.godzilla(&["redact", SECRET, "--purge", "--yes"]);
    assert_eq!(shown.code, Some(7), "{shown}");
    assert!(shown.stdout.contains("backup still has it in a history"), "{shown}");
    assert!(!anything_says(&world.place("srv.git")), "the others are purged");
    assert!(says(&backup, STREAM));
    let found = findings(&a);
    assert!(found.contains("redaction.unpurged") && found.contains("at backup"), "{found}");
    std::fs::remove_file(backup.path.join("hooks/pre-receive")).unwrap();
    a.godzilla_ok(&["redact", "--purge", "--yes"]);
    assert!(!anything_says(&backup) && !findings(&a).contains("redaction.unpurged"));
}

#[test]
fn p1_decisions_keep_what_they_decided() {
    let world = World::new();
    let a = world.clone("a");
    a.godzilla_ok(&[
        "plan",
        &format!("Add {SECRET}"),
        "--name",
        "add-a-login",
        "--step",
        "One",
        "--step",
        "Two",
    ]);
    a.godzilla_ok(&["skip", "1", "-p", "1", "--reason", SECRET]);
    a.godzilla_ok(&["cancel", "1", "--reason", SECRET]);
    let before = a.statuses(NAME);
    let done = a.json(&["redact", SECRET, "--yes"]);
    assert_eq!(done["events"].as_array().unwrap().len(), 3, "{done}");
    assert_eq!(done["plans"].as_array().unwrap().len(), 1, "{done}");
    // The plan is a file of the branch as well, and is named.
    assert!(done["stays"][0].as_str().unwrap().contains("files on the branch"), "{done}");
    assert_eq!(a.statuses(NAME), before);
    assert_eq!(a.json(&["show", "1"])["status"], "cancelled");
    assert!(!log(&a).contains(SECRET) && !a.godzilla_ok(&["list"]).contains(SECRET));
}

#[test]
fn one_event_is_taken_out_by_its_id() {
    let world = World::new();
    let (a, b) = leaked(&world);
    let line = log(&a).lines().find(|line| line.contains(SECRET)).unwrap().to_owned();
    let id = serde_json::from_str::<serde_json::Value>(&line).unwrap()["id"].as_str().unwrap().to_owned();
    let shown = a.godzilla_ok(&["redact", &id, "--yes"]);
    assert!(!shown.contains(SECRET) && shown.contains("note.added"), "{shown}");
    for place in [&a, &b] {
        place.godzilla_ok(&["sync"]);
        let log = log(place);
        assert!(log.contains("before") && log.contains("after") && !log.contains(SECRET));
    }
    assert_eq!(a.godzilla(&["redact", &id, "--yes"]).code, Some(3), "it says nothing any more");
    assert_eq!(a.godzilla(&["redact", "never said by anybody", "--yes"]).code, Some(3));
}

#[test]
fn reports_of_unknown_protocols_and_logs_of_runs_are_cleaned_too() {
    let world = World::new();
    let (a, b) = leaked(&world);
    // A report for a protocol that nobody knows waits in the project's stream.
    let report = ["ci-report", "success", "--job", SECRET, "--protocol", "0099-elsewhere", "--sha"];
    let commit = a.git(&["rev-parse", "HEAD"]);
    b.godzilla_ok(&[&report[..], &[commit.trim()]].concat());
    a.godzilla_ok(&["sync"]);
    assert!(says(&a, "refs/godzilla/project"));
    let run = a.path.join(".git/godzilla/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV");
    std::fs::create_dir_all(&run).unwrap();
    std::fs::write(run.join("log"), format!("one\n{SECRET} two\n")).unwrap();

    a.godzilla_ok(&["redact", SECRET, "--purge", "--yes"]);
    assert!(!anything_says(&world.place("srv.git")) && !anything_says(&a));
    let log = std::fs::read_to_string(run.join("log")).unwrap();
    assert!(log.starts_with("one\n") && log.ends_with(" two\n") && !log.contains(SECRET), "{log}");
}

#[test]
fn what_is_archived_is_redacted_and_purged_as_well() {
    let world = World::new();
    let (a, b) = leaked(&world);
    let srv = world.place("srv.git");
    a.godzilla_ok(&["cancel", "1"]);
    a.godzilla_ok(&["archive", "1"]);
    a.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["sync"]);
    assert!(says(&srv, "refs/godzilla/archive"));
    let done = a.json(&["redact", SECRET, "--purge", "--yes"]);
    assert_eq!(
        (done["events"].as_array().unwrap().len(), &done["remotes"][0]["clean"]),
        (1, &true.into()),
        "{done}"
    );
    assert!(!anything_says(&srv) && !anything_says(&a));
    b.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["sync"]);
    assert!(!anything_says(&srv), "who still had it does not bring it back");
    for place in [&a, &b] {
        assert!(!log(place).contains(SECRET) && log(place).contains("before"));
    }
    assert_eq!(log(&a), log(&b));
}

/// A protocol that was copied out of the stream that it shared lies in both.
#[test]
fn a_twin_that_was_copied_out_is_redacted_in_both_places() {
    let world = World::new();
    let (a, b) = (world.clone("a"), world.clone("b"));
    a.plan("Add a login", &["The form"]);
    b.plan("Add a login", &["The form"]);
    b.godzilla_ok(&["comment", SECRET, "-p", "1"]);
    for place in [&a, &b, &a] {
        place.godzilla_ok(&["sync"]);
    }
    assert!(says(&a, STREAM) && says(&a, "refs/godzilla/protocols/0002-add-a-login"));
    let done = a.json(&["redact", SECRET, "--purge", "--yes"]);
    assert_eq!(done["events"].as_array().unwrap().len(), 2, "{done}");
    b.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["sync"]);
    assert!(!anything_says(&world.place("srv.git")) && !anything_says(&a));
    assert!(!b.godzilla_ok(&["log", "2", "--all", "--json"]).contains(SECRET));
    assert_eq!(a.event_ids("0002-add-a-login"), b.event_ids("0002-add-a-login"));
}

/// An export keeps what it said; the clone that it is imported into does not learn it again.
#[test]
fn an_older_export_brings_nothing_back() {
    let world = World::new();
    let (a, _) = leaked(&world);
    a.godzilla_ok(&["export", "before.jsonl"]);
    assert!(a.read("before.jsonl").contains(SECRET));
    a.godzilla_ok(&["redact", SECRET, "--purge", "--yes"]);
    a.godzilla_ok(&["import", "jsonl", "before.jsonl"]);
    a.godzilla_ok(&["export", "after.jsonl"]);
    assert!(!a.read("after.jsonl").contains(SECRET) && a.read("after.jsonl").contains("before"));
    assert!(!log(&a).contains(SECRET) && !anything_says(&a));
    // Nor where it is archived only.
    a.godzilla_ok(&["cancel", "1"]);
    a.godzilla_ok(&["archive", "1"]);
    a.godzilla_ok(&["import", "jsonl", "before.jsonl"]);
    assert_eq!(a.git(&["for-each-ref", STREAM]), "", "there was nothing new in it");
    a.godzilla_ok(&["sync"]);
    assert!(!anything_says(&a) && !anything_says(&world.place("srv.git")));
}
