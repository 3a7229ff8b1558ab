//! The example of the docs and the engine over HTTP, through the program.

use std::path::Path;

use serde_json::{Value, json};

use crate::planning::plan;
use crate::support::bounded::Watchdog;
use crate::support::model_server::{Fault, ModelServer, Turn};
use crate::support::{BIN, Place, World, run};

const KEY: &str = "sk-abcdefghijklmnopqrstuvwxyz";

/// Sets up the server as the engine that plans.
fn near(place: &Place<'_>, server: &ModelServer, api: &str) {
    for (key, value) in
        [("kind", "http"), ("baseUrl", &server.url()), ("api", api), ("keyEnv", "NEAR_KEY"), ("model", "m1")]
    {
        place.git(&["config", &format!("godzilla.engines.near.{key}"), value]);
    }
    place.git(&["config", "godzilla.phases.planning", "near"]);
}

/// Returns what holds a text: files below the world, and objects of the clone.
fn holding(a: &Place<'_>, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    search(a.world.path(), text, &mut found);
    let objects = a.git(&["cat-file", "--batch-all-objects", "--batch", "--buffer"]);
    assert!(objects.contains("first"), "objects are read: {objects}");
    if objects.contains(text) {
        found.push("an object of git".to_owned());
    }
    found
}

fn search(dir: &Path, text: &str, found: &mut Vec<String>) {
    /// Our own binary, which is what hooks are.
    const PROGRAM: u64 = 8 << 20;

    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let (path, meta) = (entry.path(), entry.metadata().unwrap());
        if meta.is_dir() {
            search(&path, text, found);
        } else if meta.is_file() && meta.len() < PROGRAM {
            let bytes = std::fs::read(&path).unwrap();
            if memchr::memmem::find(&bytes, text.as_bytes()).is_some() {
                found.push(path.display().to_string());
            }
        }
    }
}

#[test]
fn a_model_behind_http_plans_and_what_it_used_is_recorded() {
    for api in super::http::APIS {
        let world = World::new();
        let a = world.clone("a");
        a.write("Cargo.toml", "[package]\nname = \"shop\"\n");
        a.write("src/main.rs", "fn main() {}\n");
        a.git(&["add", "--all"]);
        a.git(&["commit", "--quiet", "-m", "feat: a program"]);
        let mut answer = plan();
        // A server that says the key, as some do.
        answer["log_md"] = json!(format!("Read src/main.rs with {KEY}."));
        let turn = if api == "messages" { Turn::calls("answer", answer) } else { Turn::json(answer) };
        let server = ModelServer::start(vec![
            Turn::fails(503, "later, {{KEY}}").retry_after("0"),
            turn.usage(1200, 400, 80, 15),
        ]);
        near(&a, &server, api);
        let planned =
            run(a.command(BIN).env("NEAR_KEY", KEY).args(["plan", "Add a login", "--no-decompose"]));
        assert_eq!(planned.code, Some(0), "{api}: {planned}");
        assert!(!format!("{planned}").contains(KEY), "{planned}");
        let runs = a.json(&["runs", "1"]);
        let usage =
            json!({"input_tokens": 1200, "cached_tokens": 400, "output_tokens": 80, "cost_micros": null});
        assert_eq!(runs["runs"][0]["usage"], usage, "{api}: {runs:#}");
        assert_eq!((&runs["runs"][0]["engine"], &runs["runs"][0]["model"]), (&"near".into(), &"m1".into()));
        let calls = server.finish();
        assert!(
            calls.iter().all(|call| !call.body.to_string().contains(KEY)),
            "the key is in a header alone"
        );
        assert_eq!(holding(&a, KEY), [""; 0], "{api}");
    }
}

#[test]
fn a_service_that_fails_leaves_no_plan() {
    let world = World::new();
    let a = world.clone("a");
    let server = ModelServer::start(vec![Turn::fails(401, "Incorrect API key provided: {{KEY}}")]);
    near(&a, &server, "chat");
    let planned = run(a.command(BIN).env("NEAR_KEY", KEY).args(["plan", "Add a login", "--json"]));
    assert_eq!(planned.code, Some(6), "{planned}");
    assert!(planned.stdout.contains("Incorrect API key") && !format!("{planned}").contains(KEY), "{planned}");
    assert_eq!(a.json(&["list"])["protocols"], json!([]));
    assert_eq!(holding(&a, KEY), [""; 0]);
    server.finish();
}

#[test]
fn who_stops_us_stops_a_request() {
    let world = World::new();
    let a = world.clone("a");
    let server = ModelServer::start(vec![Turn::default().fault(Fault::HangBefore)]);
    near(&a, &server, "responses");
    let mut command = a.command(BIN);
    command.env("NEAR_KEY", KEY).args(["plan", "Add a login"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let (child, watchdog) = Watchdog::start(&mut command);
    while server.calls().is_empty() {
        std::thread::yield_now();
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!watchdog.bit(), "it went on waiting for the service");
    assert!(!output.status.success() && said.contains("somebody stopped it"), "{said}");
    assert_eq!(a.json(&["list"])["protocols"], json!([]));
    server.finish();
}

#[test]
fn the_example_of_the_docs_does_a_step() {
    let world = World::new();
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form"]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/engine.sh");
    let program = "cat >/dev/null; echo form >form.html; printf 'I said \"done\",\\nand it is.'";
    for word in [script, "sh", "-c", program] {
        a.git(&["config", "--add", "godzilla.engines.example.argv", word]);
    }
    a.git(&["config", "godzilla.phases.exec", "example"]);
    let ran: Value = work.json(&["run"]);
    assert_eq!((&ran["result"], &ran["engine"]), (&"succeeded".into(), &"example".into()), "{ran:#}");
    assert_eq!(ran["changed"], json!(["form.html"]));
    let log = work.godzilla_ok(&["logs"]);
    assert!(log.contains("asking sh to step in "), "{log}");
}
