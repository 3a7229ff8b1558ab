//! Runs that somebody or something stops.

use rustix::process::{Pid, Signal, kill_process};

use super::{engine, json};
use crate::support::{BIN, Place, World, at_once, run};

/// Does something, then hangs; once `go` exists it ends well.
const HANGS: &str = r#"cat >"$0.request.$GODZILLA_RUN"
if test -e "$0.go"; then echo more >>form.html; echo "$DONE"; exit; fi
echo half >form.html
setsid sleep 1000 &
echo $! >"$0.child"
echo $$ >"$0.pid"
while :; do sleep 1000; done"#;

fn is_alive(a: &Place<'_>, file: &str) -> bool {
    let pid = a.read(file);
    run(a.command("kill").args(["-0", pid.trim()])).code == Some(0)
}

fn begun(a: &Place<'_>, work: &Place<'_>) -> std::process::Child {
    let child = work.command(BIN).arg("run").spawn().unwrap();
    while a.path.join("../sh-engine.pid").metadata().map_or(0, |meta| meta.len()) == 0 {
        std::thread::yield_now();
    }
    child
}

#[test]
fn what_kills_us_ends_the_engine_and_resume_goes_on() {
    let world = World::new();
    let (a, work) = engine(&world, HANGS);
    let mut child = begun(&a, &work);
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    while is_alive(&a, "../sh-engine.pid") || is_alive(&a, "../sh-engine.child") {
        std::thread::yield_now();
    }
    assert_eq!(work.read("form.html"), "half\n");
    let runs = work.json(&["runs"]);
    assert_eq!(runs["runs"][0]["status"], "killed", "{runs}");

    a.write("../sh-engine.go", "");
    let ran = json(&work.godzilla(&["resume", "--json"]));
    assert_eq!((&ran["result"], &ran["status"]), (&"succeeded".into(), &"completed".into()), "{ran}");
    assert_eq!(work.git(&["show", "HEAD:form.html"]), "half\nmore\n");
    // Once done, nothing is done again.
    let again = json(&work.godzilla(&["run", "--json"]));
    assert_eq!(again["step"], "02-the-api");
}

#[test]
fn a_person_who_stops_it_can_go_on() {
    let world = World::new();
    let (a, work) = engine(&world, HANGS);
    let mut child = begun(&a, &work);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(6));
    assert!(!is_alive(&a, "../sh-engine.pid") && !is_alive(&a, "../sh-engine.child"));
    let show = work.json(&["show"]);
    assert_eq!(show["steps"][1]["status"], "running");
    assert_eq!(work.json(&["runs"])["runs"][0]["status"], "killed");
    a.write("../sh-engine.go", "");
    assert_eq!(json(&work.godzilla(&["resume", "--json"]))["result"], "succeeded");
}

#[test]
fn a_run_has_limits_of_time() {
    at_once(["timeoutSeconds", "idleSeconds"], |key| {
        let world = World::new();
        let (a, work) = engine(&world, HANGS);
        a.git(&["config", &format!("godzilla.engines.sh.{key}"), "1"]);
        let ran = json(&work.godzilla(&["run", "--json"]));
        assert_eq!((&ran["result"], &ran["status"]), (&"timeout".into(), &"failed".into()), "{key}: {ran}");
        assert!(!is_alive(&a, "../sh-engine.pid") && !is_alive(&a, "../sh-engine.child"), "{key}");
        assert_eq!(work.read("form.html"), "half\n", "what it did is not lost");
        // A retry goes on from there.
        a.write("../sh-engine.go", "");
        assert_eq!(json(&work.godzilla(&["retry", "--json"]))["result"], "succeeded", "{key}");
        assert_eq!(work.git(&["show", "HEAD:form.html"]), "half\nmore\n");
    });
}
