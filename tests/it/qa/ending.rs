//! How gates end, and that nothing of them goes on.

use std::fs;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::Value;

use super::{NAME, judged_by, qa, verdict};
use crate::support::{BIN, Place, World, at_once, run};

#[test]
fn a_gate_has_a_time_limit() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\necho waiting\nsleep 1000\n");
    a.git(&["config", "godzilla.qa.timeoutSeconds", "1"]);
    let judged = qa(&work, &["--json"]);
    assert_eq!(judged.code, Some(1), "{judged}");
    let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
    assert_eq!(answer["gates"][0]["exit"], Value::Null);
    assert!(
        answer["gates"][0]["tail"].as_str().unwrap().contains("the limit of qa.timeout_seconds"),
        "{judged}"
    );
}

#[test]
fn a_person_who_stops_it_stops_the_gate() {
    let world = World::new();
    let (a, work) = judged_by(&world, "#!/bin/sh\necho $$ >\"$GODZILLA_ROOT/../../pid\"\nsleep 1000\n");
    let mut child = work.command(BIN).arg("qa").spawn().unwrap();
    let pid = loop {
        let text = fs::read_to_string(a.path.join("pid")).unwrap_or_default();
        if let Ok(pid) = text.trim().parse::<i32>() {
            break pid;
        }
        std::thread::yield_now();
    };
    run(a.command("kill").args(["-TERM", &child.id().to_string()]));
    assert_eq!(child.wait().unwrap().code(), Some(6));
    let gate = run(a.command("kill").args(["-0", &pid.to_string()]));
    assert_ne!(gate.code, Some(0), "the gate goes on");
    assert_eq!(verdict(&a, 1), Value::Null);
}

#[test]
fn a_gate_that_changes_another_gate_proves_nothing() {
    let world = World::new();
    let a = world.clone("a");
    let rewrite = "#!/bin/sh\nfor x in \"$(git rev-parse --path-format=absolute --git-common-dir)\"/godzilla/.godzilla-draft-*/gates/*; do\n\
                   printf '#!/bin/sh\\nexit 0\\n' >\"$x\"\ndone\n";
    a.write_executable("scripts/ci/lint.sh", rewrite);
    a.commit_gate("test.sh", "#!/bin/sh\nexit 1\n");
    let work = a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["trust", "-p", "1", "--yes"]);
    let judged = qa(&work, &["--json"]);
    assert_eq!(judged.code, Some(6), "{judged}");
    let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
    assert!(answer["gates"][0]["tail"].as_str().unwrap().contains("were changed"), "{judged}");
    assert_eq!(answer["gates"][1]["exit"], 1, "{judged}");
}

#[test]
fn nothing_that_the_branch_runs_decides_for_a_person() {
    let world = World::new();
    let script = format!(
        "#!/bin/sh\n\"{BIN}\" trust --gates --yes\n\"{BIN}\" approve\n\"{BIN}\" qa\n\"{BIN}\" list\nexit 1\n"
    );
    let (a, work) = judged_by(&world, &script);
    work.commit("form", "feat: the form");
    work.godzilla_ok(&["done"]);
    let judged = qa(&work, &[]);
    assert_eq!(judged.code, Some(1), "{judged}");
    assert_eq!(judged.stderr.matches("runs within the gate test").count(), 3, "{judged}");
    assert!(!judged.stderr.contains("is no setting"), "{judged}");
    assert_eq!(a.statuses(NAME)[1], "failed");
}

/// Starts a process in the gate's group, and one that nobody finds by group, session or parent; says
/// their numbers after its own to whoever reads `pids`.
const LEAVING: &str = "#!/bin/sh\ncd \"$GODZILLA_ROOT/../..\"\n\
                       setsid sh -c 'setsid sleep 1000 & echo $! >orphan'\nsleep 1000 &\n\
                       echo \"$$ $! $(cat orphan)\" >pids\n";

/// A clone whose gate leaves processes and goes on with `rest`.
fn leaving<'w>(world: &'w World, rest: &str) -> (Place<'w>, Place<'w>) {
    let (a, work) = judged_by(world, &format!("{LEAVING}{rest}\n"));
    assert_eq!(run(a.command("mkfifo").arg("pids")).code, Some(0));
    a.write(".git/info/exclude", "/worktrees/\n/pids\n/orphan\n");
    (a, work)
}

/// The processes that the gate told of.
fn told(a: &Place<'_>) -> Vec<Pid> {
    let text = a.read("pids");
    let pids: Vec<Pid> =
        text.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap()).unwrap()).collect();
    assert_eq!(pids.len(), 3, "{text}");
    pids
}

#[test]
fn what_ends_us_ends_the_gate_with_all_that_it_started() {
    let world = World::new();
    let (a, work) = leaving(&world, "wait");
    let mut child = work.command(BIN).arg("qa").spawn().unwrap();
    let open = |pid: &Pid| pidfd_open(*pid, PidfdFlags::empty()).unwrap();
    let gate: Vec<OwnedFd> = told(&a).iter().map(open).collect();
    // By a signal that cannot be caught.
    child.kill().unwrap();
    child.wait().unwrap();
    let long = Timespec { tv_sec: 60, tv_nsec: 0 };
    for (idx, process) in gate.iter().enumerate() {
        let n_ended = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&long)).unwrap();
        assert_eq!(n_ended, 1, "process {idx} of the gate goes on");
    }
    assert_eq!(verdict(&a, 1), Value::Null);
}

#[test]
fn nothing_of_a_gate_goes_on_after_it() {
    let cases = [
        ("exit 3", "600", Some(3)),
        ("exec >/dev/null 2>&1; wait", "1", None),
        ("trap '' TERM; wait; wait", "1", None),
        // Not even if it ends what watches over it.
        ("kill -KILL $PPID; wait", "600", Some(137)),
        ("kill -STOP $PPID; wait", "1", None),
    ];
    at_once(cases, |(rest, limit, exit)| {
        let world = World::new();
        let (a, work) = leaving(&world, rest);
        a.git(&["config", "godzilla.qa.timeoutSeconds", limit]);
        let (pids, judged) = std::thread::scope(|scope| {
            let judged = scope.spawn(|| qa(&work, &["--json"]));
            (told(&a), judged.join().unwrap())
        });
        assert_eq!(judged.code, Some(1), "{rest}: {judged}");
        let answer: Value = serde_json::from_str(&judged.stdout).unwrap();
        assert_eq!(answer["gates"][0]["exit"], exit.map_or(Value::Null, Value::from), "{rest}: {judged}");
        for (idx, pid) in pids.into_iter().enumerate() {
            assert!(rustix::process::test_kill_process(pid).is_err(), "{rest}: process {idx} goes on");
        }
    });
}
