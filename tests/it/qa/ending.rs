//! How gates end, and that nothing of them goes on.

use std::fs;

use serde_json::Value;

use super::{NAME, executable, gate, judged_by, qa, verdict};
use crate::support::{BIN, World, run};

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
    let rewrite = "#!/bin/sh\nfor x in \"$(git rev-parse --path-format=absolute --git-common-dir)\"/godzilla/.godzilla-draft-gates-*/gates/*; do\n\
                   printf '#!/bin/sh\\nexit 0\\n' >\"$x\"\ndone\n";
    executable(&a, "scripts/ci/lint.sh", rewrite);
    gate(&a, "test.sh", "#!/bin/sh\nexit 1\n");
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
