//! Engines that kill who started them, so that nobody looks at what they did; and those that hide it.

use std::fs;

use serde_json::{Value, json};

use super::{NAME, engine, json as parsed};
use crate::support::{Place, Shown, World};

/// Kills us, and who would end the engine then.
const KILL_US: &str = r#"keeper=$PPID; us=$(ps -o ppid= -p $keeper)
kill -STOP $keeper; kill -9 $us; kill -9 $keeper
touch "$0.over""#;

/// Runs a command whose engine kills it, and waits for the end of the engine.
fn killed(work: &Place<'_>, args: &[&str]) {
    let shown = work.godzilla(args);
    assert_eq!(shown.code, None, "it was to be killed: {shown}");
    let over = work.world.path().join("sh-engine.over");
    while !over.exists() {
        std::thread::yield_now();
    }
    fs::remove_file(over).unwrap();
}

fn warnings(shown: &Shown) -> String {
    assert_eq!(shown.code, Some(0), "{shown}");
    shown.stderr.clone()
}

#[test]
fn what_an_engine_did_before_it_killed_us_is_put_back_by_the_next_command() {
    let world = World::new();
    let (a, work) = engine(
        &world,
        &format!(
            r#"common=$(git rev-parse --path-format=absolute --git-common-dir)
rm "$common/hooks/post-commit"; printf '#!/bin/sh\ntouch /tmp/owned\n' >"$common/hooks/post-commit"
printf '#!/bin/sh\n' >"$common/hooks/pre-rebase"
git config godzilla.engines.sh.argv /no/such/program
git config core.fsmonitor 'touch /tmp/owned'
echo '{{"v":1,"gates":[],"terms":[]}}' >"$common/godzilla/trust.json"
git update-ref -d refs/godzilla/protocols/{NAME}
echo form >form.html
{KILL_US}"#
        ),
    );
    let hook = || fs::read_link(a.path.join(".git/hooks/post-commit")).ok();
    let (config, before) = (a.read(".git/config"), hook());
    killed(&work, &["run"]);
    assert!(!a.path.join(".git/refs/godzilla/protocols").join(NAME).exists());
    // What a person did since is not told apart from it, and is not lost either.
    a.git(&["config", "alias.mine", "status"]);

    let next = work.godzilla(&["runs", "--json"]);
    let said = warnings(&next);
    assert!(said.contains("which was cut off") && said.contains("hooks/post-commit"), "{said}");
    assert!(said.contains("refs/godzilla/protocols/0001-add-a-login"), "{said}");
    assert_eq!(parsed(&next)["runs"][0]["status"], "killed", "{next}");
    assert_eq!((a.read(".git/config"), hook()), (config, before));
    assert!(!a.path.join(".git/hooks/pre-rebase").exists());
    assert!(!a.path.join(".git/godzilla/trust.json").exists());
    let keep = said.split("is kept in ").nth(1).unwrap().lines().next().unwrap();
    let kept = crate::support::run(a.command("grep").args(["-rl", "mine = status", keep]));
    assert!(kept.stdout.contains("-config"), "{kept} {said}");
    // It is said once, and the record is gone.
    assert_eq!(warnings(&work.godzilla(&["runs"])), "");
    assert_eq!(fs::read_dir(a.path.join(".git/godzilla/guards")).unwrap().count(), 0);
    assert_eq!(work.read("form.html"), "form\n", "the work is there");
}

#[test]
fn a_hook_puts_back_what_an_engine_left_before_it_reads_anything() {
    let world = World::new();
    let (a, work) = engine(&world, &format!("git config godzilla.commit.tag false; echo x >x; {KILL_US}"));
    let config = a.read(".git/config");
    killed(&work, &["run"]);
    work.git(&["add", "x"]);
    let committed = work.try_git(&["commit", "-m", "feat: x"]);
    assert!(committed.stderr.contains("which was cut off"), "{committed}");
    assert_eq!(a.read(".git/config"), config);
}

#[test]
fn a_run_that_took_its_record_along_is_said_and_consent_counts_no_longer() {
    let world = World::new();
    let (a, work) = engine(
        &world,
        &format!(
            r#"common=$(git rev-parse --path-format=absolute --git-common-dir)
rm -rf "$common/godzilla/guards" "$common/godzilla/runs"
echo x >x; {KILL_US}"#
        ),
    );
    a.write(".git/godzilla/trust.json", "{\"v\":1,\"gates\":[]}\n");
    killed(&work, &["run"]);
    let refused = work.godzilla(&["resume"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert!(refused.stderr.contains("the record of how the repository was before it is gone"), "{refused}");
    assert!(!a.path.join(".git/godzilla/trust.json").exists());
    assert!(refused.stderr.contains("trust.json"), "{refused}");
    let runs = work.json(&["runs"]);
    assert_eq!(runs["runs"][0]["status"], "killed");
    assert!(runs["runs"][0]["message"].as_str().unwrap().contains("nobody knows"), "{runs}");
}

#[test]
fn a_record_that_cannot_be_read_is_no_record() {
    let world = World::new();
    let (a, work) = engine(
        &world,
        &format!(
            r#"common=$(git rev-parse --path-format=absolute --git-common-dir)
for it in "$common"/godzilla/guards/*/files; do echo more >>"$it"; done
{KILL_US}"#
        ),
    );
    a.write(".git/godzilla/trust.json", "{\"v\":1,\"gates\":[]}\n");
    killed(&work, &["run"]);
    let said = warnings(&work.godzilla(&["runs"]));
    assert!(said.contains("cannot be read"), "{said}");
    assert!(!a.path.join(".git/godzilla/trust.json").exists());
}

#[test]
fn what_cannot_be_put_back_lets_nothing_run() {
    let world = World::new();
    let (a, work) = engine(
        &world,
        &format!(
            r#"common=$(git rev-parse --path-format=absolute --git-common-dir)
rm -rf "$common/hooks"; echo file >"$common/hooks"
rm -rf "$common/godzilla/tampered"; echo file >"$common/godzilla/tampered"
{KILL_US}"#
        ),
    );
    killed(&work, &["run"]);
    let said = warnings(&work.godzilla(&["runs"]));
    assert!(said.contains("could not be put back"), "{said}");
    let refused = work.godzilla(&["run"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert!(refused.stderr.contains("may have changed what was agreed to"), "{refused}");
    fs::remove_file(a.path.join(".git/godzilla/tampered")).unwrap();
    let said = warnings(&work.godzilla(&["runs"]));
    assert!(said.contains("put back") && !said.contains("could not"), "{said}");
    assert!(fs::read_to_string(a.path.join(".git/hooks/post-commit")).unwrap().contains("git-godzilla"));
}

#[test]
fn what_planning_used_before_it_was_killed_counts() {
    let world = World::new();
    let a = world.clone("a");
    super::set(
        &a,
        "sh",
        &format!(
            r#"if test -e "$0.once"; then {KILL_US}; exit; fi
touch "$0.once"
echo '{{"v":1,"status":"succeeded","message":"no plan","usage":{{"input_tokens":4000,"output_tokens":1000}}}}'"#
        ),
    );
    a.git(&["config", "godzilla.phases.planning", "sh"]);
    killed(&a, &["plan", "Add a login"]);
    let budget = a.json(&["budget"]);
    let of = |document: &Value, scope: &str| {
        let lines = document["budgets"].as_array().unwrap();
        lines.iter().find(|line| line["scope"] == scope).unwrap()["tokens"].clone()
    };
    let used = of(&budget, "project");
    let estimated = used["estimated"].as_u64().unwrap();
    assert!(estimated > 0, "the run that was killed counts by estimate: {budget}");
    assert_eq!(used["used"].as_u64().unwrap(), 5000 + estimated, "{budget}");
    assert_eq!(of(&a.json(&["budget"]), "project"), used, "it counts once");
    assert_eq!(fs::read_dir(a.path.join(".git/godzilla/unrecorded")).unwrap().count(), 0);

    a.git(&["config", "godzilla.budget.projectTokens", "5000"]);
    let over = a.godzilla(&["plan", "Add a login", "--json"]);
    assert_eq!((over.code, parsed(&over)["code"].as_str()), (Some(5), Some("budget.project")), "{over}");
}

#[test]
fn what_a_run_said_that_it_used_counts_when_it_is_killed() {
    let world = World::new();
    // What codex says is heard as it comes.
    let said = r#"{"type":"turn.completed","usage":{"input_tokens":700,"cached_input_tokens":0,"output_tokens":50}}"#;
    let (a, work) = engine(
        &world,
        &format!(
            r#"echo '{said}'
while ! grep -q '"input_tokens":700' "$(git rev-parse --git-common-dir)"/godzilla/runs/*/facts; do :; done
{KILL_US}"#
        ),
    );
    a.git(&["config", "godzilla.engines.sh.kind", "codex"]);
    killed(&work, &["run"]);
    let runs = work.json(&["runs"]);
    assert_eq!(
        (&runs["runs"][0]["status"], &runs["counted_tokens"]),
        (&json!("killed"), &json!(750)),
        "{runs}"
    );
}
