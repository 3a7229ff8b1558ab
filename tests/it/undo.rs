//! Undo and redo as people meet them: in one clone, in two at once, with hooks that see commits.

mod automation;
mod clones;
mod shown;

use serde_json::Value;

use crate::support::Place;

const NAME: &str = "0001-add-a-login-page";

/// Plans `Add a login page` with the steps `One` and `Two`, and returns the worktree.
fn planned<'w>(a: &Place<'w>, options: &[&str]) -> Place<'w> {
    let args = [&["plan", "Add a login page", "--step", "One", "--step", "Two"], options].concat();
    let planned = a.json(&args);
    Place { world: a.world, path: planned["worktree"].as_str().unwrap().into() }
}

/// The commands of all protocols, as `log --op` lists them.
fn ops(place: &Place<'_>) -> Vec<Value> {
    let text = place.godzilla_ok(&["log", "--op", "--json"]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The id of the newest command whose sentence contains `words`.
#[track_caller]
fn op_of(place: &Place<'_>, words: &str) -> String {
    let ops = ops(place);
    let op = ops.iter().rev().find(|op| op["command"].as_str().unwrap().contains(words));
    op.unwrap_or_else(|| panic!("no command `{words}` in {ops:#?}"))["op"].as_str().unwrap().to_owned()
}

/// The events of the protocol by type, step and what became of each, without the plan's four.
fn told(place: &Place<'_>) -> Vec<String> {
    let text = place.godzilla_ok(&["log", NAME, "--json"]);
    let told = text.lines().skip(4).map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        let step = event["step"].as_str().map(|step| format!(" {step}")).unwrap_or_default();
        let [kind, outcome] = ["type", "outcome"].map(|key| event[key].as_str().unwrap());
        format!("{kind}{step} {outcome}")
    });
    told.collect()
}

/// The code of the error that a command ends with.
#[track_caller]
fn refusal(place: &Place<'_>, args: &[&str]) -> (String, i64) {
    let shown = place.godzilla(&[args, &["--json"]].concat());
    let document: Value = serde_json::from_str(&shown.stdout).unwrap_or_else(|_| panic!("{args:?}\n{shown}"));
    let code = document["code"].as_str().unwrap_or_else(|| panic!("{args:?}\n{shown}"));
    (code.to_owned(), document["exit"].as_i64().unwrap())
}
