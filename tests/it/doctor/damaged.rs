//! Protocols, streams and refs that cannot be what they are: each is named, with what there is to do.

use serde_json::Value;

use super::{codes, findings, planned};
use crate::support::{World, run};

#[test]
fn numbers_that_collide_are_named() {
    let world = World::new();
    let (a, b) = (world.clone("a"), world.clone("b"));
    a.plan("Add a login", &[]);
    b.plan("Fix the till", &[]);
    a.godzilla_ok(&["sync"]);
    b.godzilla_ok(&["sync"]);
    a.godzilla_ok(&["sync"]);
    for place in [&a, &b] {
        let found = findings(place, &["--fix"]);
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0]["code"], &found[0]["fixed"]), (&"number.collision".into(), &false.into()));
        // The later one gives way, and both clones say the same.
        assert_eq!(found[0]["fix"], "git godzilla renumber 0001-fix-the-till 2");
    }
    b.godzilla_ok(&["cancel", "0001-fix-the-till"]);
    assert_eq!(findings(&b, &[])[0]["severity"], "info");
    a.godzilla_ok(&["renumber", "0001-fix-the-till", "2"]);
    assert!(findings(&a, &[]).iter().all(|found| found["code"] != "number.collision"));
}

#[test]
fn a_protocol_with_the_name_of_another_is_named() {
    let world = World::new();
    let (a, b) = (world.clone("a"), world.clone("b"));
    a.plan("Add a login", &[]);
    b.plan("Add a login", &[]);
    a.godzilla_ok(&["sync"]);
    // As both were shared, neither gives way by itself.
    let stream = "refs/godzilla/protocols/0001-add-a-login";
    b.git(&["push", "--quiet", "--no-verify", "--force", "origin", &format!("{stream}:{stream}")]);
    for place in [&a, &b, &a] {
        place.godzilla_ok(&["sync"]);
    }
    for place in [&a, &b] {
        let found = findings(place, &["--fix"]);
        assert_eq!((found.len(), &found[0]["code"]), (1, &"protocol.twin".into()));
    }
    let fix = findings(&a, &[])[0]["fix"].as_str().unwrap().to_owned();
    let renumber: Vec<&str> = fix.split(' ').skip(2).collect();
    a.godzilla_ok(&renumber);
    assert!(findings(&a, &[]).iter().all(|found| found["code"] != "protocol.twin"), "{fix}");
}

/// Made by hand or by another tool: one id, two contents.
#[test]
fn ids_that_stand_for_several_events_are_named() {
    let world = World::new();
    let a = planned(&world);
    a.godzilla_ok(&["comment", "as it was", "-p", "1"]);
    a.godzilla_ok(&["sync"]);
    let srv = world.place("srv.git");
    let stream = "refs/godzilla/protocols/0001-add-a-login";
    let lines = srv.lines_of(stream);
    let line = lines.lines().find(|line| line.contains("as it was")).unwrap();
    srv.write("draft", &format!("{lines}{}\n", line.replace("as it was", "as it is told")));
    srv.git(&["read-tree", stream]);
    let blob = srv.git(&["hash-object", "-w", "draft"]);
    srv.git(&["update-index", "--cacheinfo", &format!("100644,{},events/000000", blob.trim())]);
    let tree = srv.git(&["write-tree"]);
    let who = ["-c", "user.name=M", "-c", "user.email=m@example.com"];
    let commit = srv.git(&[&who[..], &["commit-tree", "-m", "x", "-p", stream, tree.trim()]].concat());
    srv.git(&["update-ref", stream, commit.trim()]);
    a.godzilla_ok(&["sync"]);
    let id = serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
    // From the cache as well.
    for _ in 0..2 {
        let found = findings(&a, &["--fix"]);
        let found: Vec<&Value> =
            found.iter().filter(|finding| finding["code"] == "events.duplicate_id").collect();
        assert_eq!(found.len(), 1);
        assert!(found[0]["message"].as_str().unwrap().contains(&id), "{}", found[0]);
        let fix = found[0]["fix"].as_str().unwrap();
        let log: Vec<&str> = fix.split(',').next().unwrap().split(' ').skip(2).collect();
        let told = a.godzilla_ok(&log);
        assert!(told.contains("duplicate_id: an earlier event has the same id"), "{told}");
    }
}

#[test]
fn damaged_refs_are_named_with_what_restores_them() {
    let world = World::new();
    let a = planned(&world);
    a.godzilla_ok(&["sync"]);
    let stream = "refs/godzilla/protocols/0001-add-a-login";
    let tip = a.git(&["rev-parse", stream]);
    let tracking = "refs/godzilla-remote/origin/project";
    a.write(&format!(".git/{stream}"), "");
    a.write(&format!(".git/{tracking}"), "garbage\n");
    let found = codes(&a, &["--fix"]);
    assert_eq!(found.iter().filter(|code| *code == "ref.damaged").count(), 2, "{found:?}");
    for finding in findings(&a, &[]).iter().filter(|finding| finding["code"] == "ref.damaged") {
        let fix = finding["fix"].as_str().unwrap().split(" && ").next().unwrap();
        assert!(a.command("sh").args(["-c", fix]).status().unwrap().success());
    }
    assert_eq!(a.git(&["rev-parse", stream]), tip);
    a.godzilla_ok(&["sync"]);
    assert_eq!(codes(&a, &[]), [""; 0]);
}

#[test]
fn a_stream_whose_objects_are_gone_is_named() {
    let world = World::new();
    let a = planned(&world);
    let tree = a.git(&["rev-parse", "refs/godzilla/protocols/0001-add-a-login^{tree}"]);
    let (folder, file) = tree.trim().split_at(2);
    std::fs::remove_file(a.path.join(".git/objects").join(folder).join(file)).unwrap();
    // The cache knows what it said, and a look at the objects themselves finds that they are gone.
    for _ in 0..2 {
        let found = findings(&a, &["--fix"]);
        let n_unreadable = found.iter().filter(|found| found["code"] == "stream.unreadable").count();
        assert_eq!(n_unreadable, 1, "{found:?}");
        std::fs::remove_dir_all(a.path.join(".git/godzilla/cache")).ok();
    }
}

/// What is lost is lost, but not what was there before it.
#[test]
fn a_stream_whose_tip_is_gone_leads_back_to_the_last_one() {
    let world = World::new();
    let a = planned(&world);
    a.godzilla_ok(&["comment", "kept", "-p", "1"]);
    let before = a.event_ids("0001-add-a-login");
    a.godzilla_ok(&["comment", "lost", "-p", "1"]);
    let tip = a.git(&["rev-parse", "refs/godzilla/protocols/0001-add-a-login"]);
    let (folder, file) = tip.trim().split_at(2);
    std::fs::remove_file(a.path.join(".git/objects").join(folder).join(file)).unwrap();
    let refused = a.godzilla(&["comment", "more", "-p", "1"]);
    assert!(refused.code == Some(4) && refused.stderr.contains("git godzilla doctor"), "{refused}");
    let found = findings(&a, &[]);
    let unreadable = found.iter().find(|found| found["code"] == "stream.unreadable").unwrap();
    let fix = unreadable["fix"].as_str().unwrap();
    let typed = run(a.command("sh").args(["-c", fix]));
    assert_eq!(typed.code, Some(0), "{fix}: {typed}");
    assert_eq!(a.event_ids("0001-add-a-login"), before);
    assert_eq!(codes(&a, &[]), [""; 0]);
}

#[test]
fn boxes_that_are_none_are_named() {
    let world = World::new();
    let a = planned(&world);
    a.git(&["push", "--quiet", "origin", "HEAD:refs/godzilla/inbox/01"]);
    a.git(&["fetch", "--quiet"]);
    assert_eq!(codes(&a, &["--fix"]), ["box.unreadable"]);
}
