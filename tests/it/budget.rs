//! Budgets: what runs of all clones used, and what they may use.

use serde_json::Value;

use crate::run::{NAME, engine, json, set};
use crate::support::{Place, World};

/// An engine that does something, and says that it used 1000 tokens for 2 cents.
const USES: &str = r#"echo "$$" >>form.html
echo '{"v":1,"status":"succeeded","message":"did it","usage":{"input_tokens":900,"output_tokens":100,"cost_micros":20000}}'"#;

fn line(place: &Place<'_>, scope: &str) -> Value {
    let document = place.json(&["budget", NAME]);
    let lines = document["budgets"].as_array().unwrap();
    lines.iter().rfind(|line| line["scope"] == scope).unwrap().clone()
}

fn used(place: &Place<'_>, scope: &str) -> u64 {
    line(place, scope)["tokens"]["used"].as_u64().unwrap()
}

#[test]
fn a_run_that_would_exceed_a_budget_does_not_run() {
    let world = World::new();
    let (a, work) = engine(&world, USES);
    a.git(&["config", "godzilla.budget.protocolTokens", "9"]);
    let strict = work.godzilla(&["run", "--json"]);
    assert_eq!(strict.code, Some(5), "{strict}");
    let error = json(&strict);
    assert_eq!(error["code"], "budget.protocol");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("0 tokens used and about") && message.contains("9 tokens allowed"), "{message}");
    assert_eq!(work.json(&["runs"])["runs"], serde_json::json!([]), "nothing was asked");
    assert_eq!(work.json(&["show"])["status"], "paused", "it needs somebody");

    // The hint is what lets it go on.
    let hint: Vec<&str> = error["hint"].as_str().unwrap().split(' ').collect();
    assert_eq!(hint[..3], ["git", "config", "godzilla.budget.protocolTokens"]);
    work.git(&hint[1..]);
    // It goes on with the run that was kept from it.
    work.godzilla_ok(&["resume"]);
    assert_eq!(used(&work, "protocol"), 1000);
    assert_eq!(line(&work, "protocol")["cost"]["used_micros"], 20000);

    a.git(&["config", "godzilla.budget.protocolTokens", "1000"]);
    a.git(&["config", "godzilla.budget.mode", "warn"]);
    let warned = work.godzilla(&["run"]);
    assert_eq!(warned.code, Some(0), "{warned}");
    assert!(warned.stderr.contains("the budget of the protocol is used up: 1000 tokens used"), "{warned}");
    assert_eq!(used(&work, "protocol"), 2000);
    let shown = work.json(&["show"]);
    assert_eq!(
        (&shown["usage"]["input_tokens"], &shown["usage"]["cached_tokens"]),
        (&1800.into(), &Value::Null)
    );
}

#[test]
fn two_clones_in_turn_count_the_same() {
    let world = World::new();
    let (a, work) = engine(&world, USES);
    assert_eq!(json(&work.godzilla(&["run", "--json"]))["result"], "succeeded");
    work.git(&["push", "--quiet", "-u", "origin", NAME]);
    let b = world.clone("b");
    b.git(&["checkout", "--quiet", NAME]);
    assert_eq!(used(&b, "project"), 1000);
    set(&b, "sh", USES);
    b.git(&["config", "godzilla.phases.exec", "sh"]);
    // What the other clone used counts here.
    b.git(&["config", "godzilla.budget.projectTokens", "1000"]);
    let over = b.godzilla(&["run", "--json"]);
    assert_eq!((over.code, json(&over)["code"].as_str()), (Some(5), Some("budget.project")), "{over}");
    b.git(&["config", "--unset", "godzilla.budget.projectTokens"]);
    b.godzilla_ok(&["resume"]);
    b.git(&["push", "--quiet"]);
    a.git(&["fetch", "--quiet"]);
    for scope in ["protocol", "project", "day"] {
        assert_eq!((used(&a, scope), used(&b, scope)), (2000, 2000), "{scope}");
        assert_eq!(line(&a, scope), line(&b, scope));
    }
}

#[test]
fn what_an_engine_does_not_say_is_estimated_and_marked() {
    let world = World::new();
    let silent = "echo x >>form.html; echo '{\"v\":1,\"status\":\"succeeded\",\"message\":\"did it\"}'";
    let (a, work) = engine(&world, silent);
    assert_eq!(json(&work.godzilla(&["run", "--json"]))["result"], "succeeded");
    let counted = line(&work, "protocol");
    let estimated = counted["tokens"]["estimated"].as_u64().unwrap();
    assert!(estimated > 0 && counted["tokens"]["used"] == estimated, "{counted}");
    assert_eq!(
        (&counted["cost"]["used_micros"], &counted["cost"]["unknown_runs"]),
        (&Value::Null, &1.into())
    );
    let text = work.godzilla_ok(&["budget"]);
    assert!(text.contains(" estimated, cost of 1 run unknown"), "{text}");
    // Without a limit, what is used up to the last token is enough.
    a.git(&["config", "godzilla.budget.stepTokens", &estimated.to_string()]);
    assert_eq!(line(&work, "step")["tokens"]["limit"], estimated);
}
