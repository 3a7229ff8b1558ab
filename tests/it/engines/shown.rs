//! `engines list` and `engines check`: what is there, and whether it could run, without a model.

use serde_json::Value;

use crate::schemas::assert_valid;
use crate::support::model_server::ModelServer;
use crate::support::{BIN, Place, Shown, World, run};

/// Returns the document of a command that ends with `code`.
#[track_caller]
fn engines(place: &Place<'_>, args: &[&str], code: i32) -> Value {
    let shown = place.godzilla(&[&["engines"], args, &["--json"]].concat());
    assert_eq!(shown.code, Some(code), "{shown}");
    let document = serde_json::from_str(&shown.stdout).unwrap();
    assert_valid("engines.v1", &document);
    document
}

/// Returns one engine of a document.
#[track_caller]
fn named<'d>(document: &'d Value, name: &str) -> &'d Value {
    let all = document["engines"].as_array().unwrap();
    all.iter().find(|engine| engine["name"] == name).unwrap_or_else(|| panic!("no {name} in {document:#}"))
}

#[test]
fn what_is_built_in_and_what_is_set_is_listed() {
    let world = World::new();
    let place = world.clone("a");
    place.write(
        "godzilla.toml",
        "[phases]\nplanning = \"codex\"\nqa = \"mine\"\n[engines.codex]\nmodel = \"m1\"\nfallbacks = [\"near\"]\n\
         [engines.mine]\nargv = [\"./run\"]\n",
    );
    place.git(&["config", "godzilla.engines.near.kind", "http"]);
    let document = engines(&place, &["list"], 0);
    let names: Vec<_> =
        document["engines"].as_array().unwrap().iter().map(|one| one["name"].as_str()).collect();
    let built_in = ["human", "outline", "codex", "claude", "opencode", "gemini", "http", "command"];
    assert_eq!(names, built_in.into_iter().chain(["mine", "near"]).map(Some).collect::<Vec<_>>());

    let codex = named(&document, "codex");
    assert_eq!((&codex["model"], &codex["trusted"]), (&"m1".into(), &false.into()));
    assert_eq!(codex["used_by"], serde_json::json!(["planning", "decompose"]));
    assert_eq!(codex["set_in"], serde_json::json!(["godzilla.toml"]));
    let mine = named(&document, "mine");
    assert_eq!((&mine["kind"], &mine["trusted"]), (&"command".into(), &false.into()));
    let near = named(&document, "near");
    assert_eq!(
        (&near["kind"], &near["trusted"], &near["capabilities"]["writes"]),
        (&"http".into(), &true.into(), &false.into())
    );
    assert_eq!(near["used_by"], codex["used_by"]);
    assert!(near["set_in"][0].as_str().unwrap().starts_with("git config"));

    place.godzilla_ok(&["trust", "--yes"]);
    assert_eq!(named(&engines(&place, &["list"], 0), "codex")["trusted"], true);
    place.write("godzilla.toml", "[engines.mine]\nargv = [\"./walk\"]\n");
    let shown = place.godzilla_ok(&["engines", "list"]);
    assert!(shown.lines().any(|line| line.contains("mine") && line.contains("not agreed to")), "{shown}");
}

#[test]
fn a_check_neither_starts_nor_contacts_what_nobody_agreed_to() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    let server = ModelServer::start(vec![]);
    place.write_executable("run", "#!/bin/sh\ntouch started\n");
    let file = format!(
        "[phases]\nqa = \"mine\"\n[engines.mine]\nargv = [\"./run\"]\n[engines.claude]\nargv = [\"./run\"]\n\
         [engines.near]\nkind = \"http\"\nbase_url = \"{}\"\nkey_env = \"HOME\"\n",
        server.url()
    );
    place.write("godzilla.toml", &file);
    let document = engines(&place, &["check"], 1);
    for name in ["mine", "claude", "near"] {
        let check = &named(&document, name)["check"];
        assert_eq!((&check["usable"], &check["version"]), (&false.into(), &Value::Null), "{name}");
        assert!(check["hint"].as_str().unwrap().contains("git godzilla trust"));
        engines(&place, &["check", name], 1);
    }
    assert!(server.requests().is_empty() && !place.path.join("started").exists());
}

fn with_key(place: &Place<'_>, key: &str, args: &[&str]) -> Shown {
    run(place.command(BIN).env("NEAR_KEY", key).args(["engines"]).args(args))
}

#[test]
fn a_check_says_whether_a_service_knows_the_key_and_never_shows_it() {
    const KEY: &str = "sk-abcdefghijklmnopqrstuvwxyz";

    let world = World::new();
    let place = world.bare_clone_of("a");
    let server = ModelServer::start(vec![]);
    for (key, value) in [("kind", "http"), ("baseUrl", &server.url()), ("keyEnv", "NEAR_KEY")] {
        place.git(&["config", &format!("godzilla.engines.near.{key}"), value]);
    }
    let shown = with_key(&place, KEY, &["check", "near"]);
    assert_eq!(shown.code, Some(0), "{shown}");
    assert!(shown.stdout.contains("login ready") && shown.stdout.contains("usable"), "{shown}");
    assert_eq!(server.requests()[0].path, "/v1/models");
    assert_eq!(server.requests()[0].header("authorization"), Some("Bear…wxyz"));

    let missing = engines(&place, &["check", "near"], 1);
    let check = &named(&missing, "near")["check"];
    assert_eq!((&check["login"], &check["usable"]), (&"missing".into(), &false.into()));
    assert!(check["hint"].as_str().unwrap().contains("NEAR_KEY"), "{check}");

    // Nobody is there.
    drop(server);
    let shown = with_key(&place, KEY, &["check", "--json"]);
    assert_eq!(shown.code, Some(1), "{shown}");
    assert!(!format!("{shown}").contains("abcdefghijkl"), "{shown}");
}

#[test]
fn a_service_elsewhere_is_reached_through_the_proxy_of_the_environment() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    let proxy = ModelServer::start(vec![]);
    for (key, value) in [("kind", "http"), ("baseUrl", "http://service.invalid/v1"), ("keyEnv", "NEAR_KEY")] {
        place.git(&["config", &format!("godzilla.engines.near.{key}"), value]);
    }
    let check = |proxied: bool| {
        let mut command = place.command(BIN);
        command.env("NEAR_KEY", "sk-abcdefghijklmnopqrstuvwxyz").args(["engines", "check", "near"]);
        if proxied {
            command.env("HTTP_PROXY", proxy.url());
        }
        run(&mut command)
    };
    let shown = check(true);
    assert_eq!(shown.code, Some(0), "{shown}");
    assert!(shown.stdout.contains("in the clear"), "{shown}");
    assert_eq!(proxy.requests()[0].path, "http://service.invalid/v1/models");
    let shown = check(false);
    assert!(shown.code == Some(1) && shown.stdout.contains("cannot be reached"), "{shown}");
    assert_eq!(proxy.requests().len(), 1);
}

#[test]
fn a_check_takes_a_name_and_people_are_always_there() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    assert_eq!(engines(&place, &["check"], 0)["engines"], serde_json::json!([]));
    assert_eq!(named(&engines(&place, &["check", "human"], 0), "human")["check"]["usable"], true);
    let shown = place.godzilla(&["engines", "check", "codx"]);
    assert!(shown.code == Some(3) && shown.stderr.contains("did you mean `codex`?"), "{shown}");
    place.git(&["config", "godzilla.engines.mine.argv", "sh"]);
    let document = engines(&place, &["check", "mine"], 0);
    assert!(named(&document, "mine")["check"]["version"].as_str().unwrap().ends_with("/sh"));
}
