//! A plan that says the secret: another one stands for it, in every clone, and it never comes back.

use serde_json::Value;

use super::{NAME, SECRET, STREAM, findings, log, says};
use crate::support::{Place, World};

const ARCHIVE: &str = "refs/godzilla/archive";

/// Plans a protocol whose plan says the secret, but no name in it.
fn plan(place: &Place<'_>) {
    let title = format!("Add {SECRET}");
    place.godzilla_ok(&["plan", &title, "--name", "add-a-login", "--step", "One", "--step", "Two"]);
}

/// Two clones that share it.
fn planned(world: &World) -> (Place<'_>, Place<'_>) {
    let (a, b) = (world.clone("a"), world.clone("b"));
    plan(&a);
    for place in [&a, &b] {
        place.godzilla_ok(&["sync"]);
    }
    assert!(says(&b, STREAM), "it was shared");
    (a, b)
}

/// Changes the title of a step by a commit of the branch in a worktree of a clone.
fn retitle(world: &World, clone: &str, title: &str) {
    let work = world.place(&format!("{clone}/worktrees/{NAME}"));
    let step = format!(".protocols/{NAME}/01-one.md");
    work.write(&step, &work.read(&step).replace("title: One", &format!("title: {title}")));
    work.git(&["commit", "--quiet", "-am", "docs: another title"]);
}

/// Whether anything that a ref of ours reaches says the secret.
fn state_says(place: &Place<'_>) -> bool {
    let refs = place.git(&["for-each-ref", "--format=%(refname)", "refs/godzilla", "refs/godzilla-remote"]);
    refs.lines().any(|name| says(place, name))
}

/// Whether a tip does, whatever its history is.
fn tip_says(place: &Place<'_>) -> bool {
    says(place, &format!("{STREAM}^{{tree}}"))
}

/// Everything that is shown of the protocol.
fn shown(place: &Place<'_>) -> String {
    let all = [&["spec", "show", "1"][..], &["show", "1"], &["list"], &["log", "1", "--all"]];
    all.iter().map(|args| place.godzilla_ok(&[*args, &["--json"]].concat())).collect()
}

fn title(place: &Place<'_>) -> Value {
    place.json(&["spec", "show", "1"])["spec"]["title"].clone()
}

#[track_caller]
fn assert_agree(places: &[&Place<'_>]) {
    let state = |place: &Place<'_>| {
        let steps = place.json(&["show", "1"])["steps"].clone();
        (place.json(&["spec", "show", "1"]), steps, log(place))
    };
    let first = state(places[0]);
    for place in places {
        assert!(!shown(place).contains(SECRET), "{}", shown(place));
        assert_eq!(state(place), first);
    }
}

#[test]
fn another_plan_stands_for_it_in_every_clone_and_history() {
    let world = World::new();
    let (a, b) = planned(&world);
    let srv = world.place("srv.git");
    let before = a.statuses(NAME);
    let preview = a.json(&["redact", SECRET, "--dry-run"]);
    assert_eq!(preview["plans"].as_array().unwrap().len(), 1, "{preview}");
    assert!(shown(&a).contains(SECRET), "nothing was done yet");

    let done = a.json(&["redact", SECRET, "--yes", "--reason", "it leaked"]);
    assert!(!done.to_string().contains(SECRET), "{done}");
    assert!(!shown(&a).contains(SECRET), "{}", shown(&a));
    assert_eq!(title(&a), "Add [redacted:known]");
    assert!(a.godzilla_ok(&["log", "1"]).contains("taken out of the plan"));
    a.godzilla_ok(&["sync"]);
    assert!(findings(&a).contains("redaction.unpurged"), "the history keeps what was");
    let done = a.json(&["redact", "--purge", "--yes"]);
    assert_eq!((&done["remotes"][0]["clean"], &done["remotes"][0]["replaced"]), (&true.into(), &1.into()));
    assert!(!state_says(&srv) && !state_says(&a));
    assert!(!findings(&a).contains("redaction.unpurged"));

    // A clone that was away still has the old plan, goes on with it, and lets go of it.
    assert!(shown(&b).contains(SECRET));
    b.godzilla_ok(&["comment", "from afar", "-p", "1"]);
    b.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["sync"]);
    assert_agree(&[&a, &b]);
    assert!(log(&a).contains("from afar") && !state_says(&srv) && !state_says(&b));
    assert_eq!((a.statuses(NAME), b.statuses(NAME)), (before.clone(), before));
    assert_eq!(a.godzilla(&["redact", SECRET, "--yes"]).code, Some(3), "it is said nowhere any more");
}

#[test]
fn what_was_never_pushed_never_is() {
    let world = World::new();
    let a = world.clone("a");
    plan(&a);
    a.godzilla_ok(&["redact", SECRET, "--yes"]);
    a.godzilla_ok(&["sync"]);
    assert!(!state_says(&world.place("srv.git")));
}

/// Files of the branch go on saying it; what else they change becomes the plan, and this does not.
#[test]
fn files_that_still_say_it_do_not_bring_it_back() {
    let world = World::new();
    let (a, _) = planned(&world);
    a.godzilla_ok(&["redact", SECRET, "--purge", "--yes"]);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    let plan = format!(".protocols/{NAME}/plan.md");
    assert!(work.read(&plan).contains(SECRET));
    assert_eq!(a.json(&["spec", "validate", "1"])["changes"], serde_json::json!([]));
    assert!(!a.godzilla(&["spec", "audit", "1"]).stdout.contains("another plan"));
    retitle(&world, "a", "The first");
    assert!(a.godzilla_ok(&["spec", "show", "1", "--json"]).contains("The first"), "the plan followed");
    assert!(!shown(&a).contains(SECRET), "{}", shown(&a));
    // Who takes it out of the files says what is to be there.
    work.write(&plan, &work.read(&plan).replace(SECRET, "the other form"));
    a.godzilla_ok(&["plan", "--amend", "-p", "1"]);
    assert_eq!(title(&a), "Add the other form");
    a.godzilla_ok(&["sync"]);
    assert!(!state_says(&world.place("srv.git")) && !state_says(&a));
}

/// A clone that has not heard of it makes another plan of the old one, and pushes it.
#[test]
fn a_plan_that_is_made_of_the_old_one_meanwhile_is_replaced_too() {
    let world = World::new();
    let (a, b) = planned(&world);
    let srv = world.place("srv.git");
    a.git(&["push", "--quiet", "origin", NAME]);
    b.git(&["fetch", "--quiet"]);
    a.godzilla_ok(&["redact", SECRET, "--purge", "--yes"]);
    b.git(&["worktree", "add", "--quiet", &format!("worktrees/{NAME}"), NAME]);
    retitle(&world, "b", "The first");
    assert!(shown(&b).contains(SECRET) && shown(&b).contains("The first"));
    // Somebody else's git brings it all back.
    b.git(&["push", "--quiet", "--no-verify", "--force", "origin", &format!("{STREAM}:{STREAM}")]);
    assert!(tip_says(&srv));
    for place in [&a, &b, &a, &b] {
        place.godzilla_ok(&["sync"]);
    }
    assert_agree(&[&a, &b]);
    assert!(shown(&a).contains("The first"));
    assert!(!tip_says(&srv));
    assert!(findings(&a).contains("redaction.unpurged"), "the history has it");
    b.godzilla_ok(&["redact", "--purge", "--yes"]);
    a.godzilla_ok(&["sync"]);
    assert!(!state_says(&srv) && !state_says(&a) && !state_says(&b));
    assert_agree(&[&a, &b]);
}

/// Whatever is sent first, and by whom; and where two take out texts of one plan at the same time.
#[test]
fn clones_agree_in_every_order_of_syncs() {
    for order in ["abc", "bca", "cba"] {
        let world = World::new();
        let (a, b) = planned(&world);
        let c = world.clone("c");
        c.godzilla_ok(&["sync"]);
        b.godzilla_ok(&["pause", "1"]);
        a.godzilla_ok(&["redact", SECRET, "--yes"]);
        c.godzilla_ok(&["comment", "from c", "-p", "1"]);
        c.godzilla_ok(&["redact", &format!("Add {SECRET}"), "--yes"]);
        let by_name = |name| match name {
            'a' => &a,
            'b' => &b,
            _ => &c,
        };
        for name in order.chars().chain(order.chars()).chain(order.chars()) {
            by_name(name).godzilla_ok(&["sync"]);
        }
        assert_agree(&[&a, &b, &c]);
        assert_eq!(title(&a), "[redacted:known]", "nothing of what either took out stays");
        assert_eq!(a.json(&["show", "1"])["status"], "paused", "{order}");
        a.godzilla_ok(&["redact", "--purge", "--yes"]);
        for place in [&b, &c, &a] {
            place.godzilla_ok(&["sync"]);
            assert!(!state_says(place), "{order}");
        }
        assert!(!state_says(&world.place("srv.git")), "{order}");
        assert_agree(&[&a, &b, &c]);
    }
}

#[test]
fn what_is_archived_is_replaced_and_purged_as_well() {
    let world = World::new();
    let (a, b) = planned(&world);
    let srv = world.place("srv.git");
    a.godzilla_ok(&["cancel", "1"]);
    a.godzilla_ok(&["archive", "1"]);
    for _ in 0..2 {
        a.godzilla_ok(&["sync"]);
    }
    assert!(says(&srv, ARCHIVE));
    let done = a.json(&["redact", SECRET, "--purge", "--yes"]);
    let n_plans = done["plans"].as_array().unwrap().len();
    assert_eq!((n_plans, &done["remotes"][0]["clean"]), (1, &true.into()), "{done}");
    assert!(!state_says(&srv) && !state_says(&a));
    for place in [&b, &a, &b] {
        place.godzilla_ok(&["sync"]);
    }
    assert!(!state_says(&srv) && !state_says(&b));
    assert_agree(&[&a, &b]);
    assert_eq!(a.json(&["show", "1"])["steps"].as_array().unwrap().len(), 3);
}

#[test]
fn exports_of_before_and_after_bring_nothing_back() {
    let world = World::new();
    let (a, _) = planned(&world);
    a.godzilla_ok(&["export", "before.jsonl"]);
    a.godzilla_ok(&["redact", SECRET, "--purge", "--yes"]);
    a.godzilla_ok(&["export", "after.jsonl"]);
    assert!(a.read("before.jsonl").contains(SECRET) && !a.read("after.jsonl").contains(SECRET));
    a.godzilla_ok(&["import", "jsonl", "before.jsonl"]);
    assert!(!state_says(&a) && !shown(&a).contains(SECRET));
    a.godzilla_ok(&["export", "again.jsonl"]);
    assert_eq!(a.read("again.jsonl"), a.read("after.jsonl"));

    // Where nothing was known the newer one is whole by itself, and holds against the older one.
    let root = world.place("");
    root.git(&["clone", "--quiet", "--bare", "--single-branch", "srv.git", "other.git"]);
    root.git(&["clone", "--quiet", "other.git", "fresh"]);
    let fresh = world.place("fresh");
    fresh.godzilla_ok(&["init", "--yes"]);
    fresh.godzilla_ok(&["import", "jsonl", "../a/after.jsonl"]);
    fresh.godzilla_ok(&["import", "jsonl", "../a/before.jsonl"]);
    assert!(!state_says(&fresh));
    assert_agree(&[&fresh, &a]);
}

/// A protocol that was copied out of the stream that it shared lies in both, with its plan.
#[test]
fn a_twin_that_was_copied_out_is_redacted_in_both_places() {
    let world = World::new();
    let (a, b) = (world.clone("a"), world.clone("b"));
    a.plan("Add a login", &["One"]);
    plan(&b);
    for place in [&a, &b, &a] {
        place.godzilla_ok(&["sync"]);
    }
    assert!(says(&a, "refs/godzilla/protocols/0002-add-a-login") && says(&a, STREAM));
    let done = a.json(&["redact", SECRET, "--purge", "--yes"]);
    assert_eq!(done["plans"].as_array().unwrap().len(), 2, "{done}");
    for place in [&b, &a] {
        place.godzilla_ok(&["sync"]);
    }
    assert!(!state_says(&world.place("srv.git")) && !state_says(&a) && !state_says(&b));
    for place in [&a, &b] {
        assert_eq!(place.json(&["spec", "show", "2"])["spec"]["title"], "Add [redacted:known]");
        assert_eq!(title(place), "Add a login");
    }
}

#[test]
fn a_server_lets_it_go_and_does_not_let_it_in_again() {
    let world = World::new();
    let srv = world.place("srv.git");
    let (a, b) = (world.clone("a"), world.clone("b"));
    srv.godzilla_ok(&["hooks", "install", "--server"]);
    plan(&a);
    for place in [&a, &b] {
        place.godzilla_ok(&["sync"]);
    }
    a.godzilla_ok(&["redact", SECRET, "--yes"]);
    a.godzilla_ok(&["sync"]);
    assert!(!tip_says(&srv), "it moved forward without the plan");
    // Somebody puts the old file beside the events that say that it is gone.
    let old = b.git(&["rev-parse", &format!("{STREAM}:specs")]);
    b.git(&["fetch", "--quiet", "origin"]);
    let parent = format!("refs/godzilla-remote/origin/protocols/{NAME}");
    b.git(&["read-tree", &parent]);
    b.git(&["rm", "--quiet", "-r", "--cached", "specs"]);
    b.git(&["read-tree", "--prefix=specs/", old.trim()]);
    let tree = b.git(&["write-tree"]);
    let commit = b.git(&["commit-tree", "-m", "back", "-p", &parent, tree.trim()]);
    b.git(&["read-tree", "HEAD"]);
    let push = b.try_git(&["push", "--no-verify", "origin", &format!("{}:{STREAM}", commit.trim())]);
    assert!(push.code != Some(0) && push.stderr.contains("was taken out of the plan"), "{push}");
    srv.git(&["config", "godzilla.server.allowPurge", "true"]);
    a.godzilla_ok(&["redact", "--purge", "--yes"]);
    b.godzilla_ok(&["sync"]);
    assert!(!state_says(&srv) && !state_says(&a) && !state_says(&b));
    assert_agree(&[&a, &b]);
}

#[test]
fn a_secret_in_the_name_of_a_step_is_told() {
    let world = World::new();
    let a = world.clone("a");
    a.godzilla_ok(&["plan", "Add a login", "--step", &format!("Use {SECRET}")]);
    let said = a.json(&["redact", SECRET, "--yes"]);
    assert!(said["stays"].to_string().contains("the name of a step"), "{said}");
    assert_eq!(said["plans"], serde_json::json!([]), "{said}");
}
