use std::time::Duration;

use super::*;
use crate::domain::run::RunKind;
use crate::engine::{self, Access};
use crate::platform::clock;

fn request(dir: &Path) -> Request {
    Request {
        kind: RunKind::Review,
        run: clock::new_id(),
        protocol: Some("0001-login".to_owned()),
        step: None,
        prompt: "Judge \"it\"\nnow".to_owned(),
        model: Some("m1".to_owned()),
        effort: None,
        worktree: dir.to_owned(),
        access: Access::Read,
        output_schema: None,
        session: None,
        session_usage: Usage::default(),
        limits: engine::Limits {
            wall: Duration::from_mins(1),
            idle: Duration::from_mins(1),
            output_bytes: 100_000,
        },
        scratch: dir.join("scratch"),
    }
}

/// Runs a script as an engine. Returns what came of it and what was told, a line each.
fn run(script: &str, change: impl FnOnce(&mut Request)) -> (Outcome, String) {
    let dir = tempfile::tempdir().unwrap();
    let mut request = request(dir.path());
    change(&mut request);
    let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
    let setup = Setup { name: "mine".to_owned(), argv, ..Setup::default() };
    let mut told = Vec::new();
    let outcome = Program::of(setup).run(&request, &mut |progress| match progress {
        Progress::Log(_) => (),
        other => told.push(format!("{other:?}\n")),
    });
    (outcome, told.concat())
}

#[test]
fn a_program_reads_its_request_and_its_variables() {
    let (outcome, told) = run(
        "printf 'in '; cat; echo; cat \"$GODZILLA_PROMPT_FILE\"; echo; env | grep -c '^GODZILLA_'; \
         echo \"$GODZILLA_KIND $GODZILLA_MODEL $GODZILLA_ACCESS $GODZILLA_LIMITS_WALL_SECONDS ${GODZILLA_STEP-none}\"; \
         echo '{\"v\":1,\"status\":\"succeeded\",\"message\":\"done\"}'",
        |_| (),
    );
    assert_eq!(
        (outcome.status, outcome.text.as_str(), outcome.exit),
        (RunStatus::Succeeded, "done", Some(0))
    );
    for part in [
        r#"\"prompt\":\"Judge"#,
        r#"\"step\":null"#,
        "Says(\"now\")",
        "review m1 read 60 none",
        "Says(\"12\")",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
}

#[test]
fn a_result_says_all_that_it_can() {
    let (outcome, told) = run(
        "echo working; echo loud >&2; printf '{\\n \"v\": 1, \"status\": \"succeeded\", \"message\": \"ok\",\\n \
         \"json\": {\"a\": [1]}, \"session\": \"s1\", \"files\": [\"x\"],\\n \
         \"usage\": {\"input_tokens\": 7, \"cached_tokens\": 2, \"output_tokens\": 3, \"cost_micros\": 9}\\n}\\n'; \
         echo later; echo '{\"v\":1}'",
        |request| request.output_schema = Some(json!({})),
    );
    assert_eq!((outcome.status, outcome.json), (RunStatus::Succeeded, Some(json!({"a": [1]}))));
    assert_eq!(outcome.session.as_deref(), Some("s1"));
    let used =
        Usage { input_tokens: Some(7), cached_tokens: Some(2), output_tokens: Some(3), cost_micros: Some(9) };
    assert_eq!(outcome.usage, used);
    for part in ["Says(\"working\")", "Notice(\"loud\")", "Says(\"later\")", "Used(Usage"] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert!(!told.contains("\\\"v\\\""), "a result is no progress: {told}");
}

#[test]
fn what_is_no_result_is_a_crash_and_says_why() {
    let status = |script: &str| {
        let (outcome, _) = run(script, |_| ());
        (outcome.status, outcome.text, outcome.exit)
    };
    let crashed = RunStatus::Crashed;
    assert_eq!(status("true"), (crashed, "it ended without a result".to_owned(), Some(0)));
    let failed = status("echo 'no login' >&2; exit 3");
    assert_eq!(failed, (crashed, "it ended with code 3: no login".to_owned(), Some(3)));
    let lied = status("echo '{\"v\":1,\"status\":\"succeeded\",\"message\":\"all good\"}'; exit 1");
    assert_eq!(lied, (crashed, "it ended with code 1: all good".to_owned(), Some(1)));
    let why = |script: &str| {
        let (status, why, _) = status(script);
        assert_eq!(status, crashed, "{script}");
        why
    };
    let without = "it ended without a result: the one in line 1 of its output has";
    assert_eq!(why("echo '{\"v\":2,\"status\":\"succeeded\"}'"), format!("{without} `v` 2, which must be 1"));
    assert_eq!(why("echo '{\"status\":\"succeeded\"}'"), format!("{without} no `v`, which must be 1"));
    assert_eq!(
        why("echo hello; echo '{\"v\":1,\"status\":\"succeeded\",}'"),
        "it ended without a result: line 2 of its output is no JSON: trailing comma"
    );
    assert!(why("echo '{\"v\":1,\"status\":\"fine\"}'").contains("`fine`"));
    assert_eq!(status("kill -9 $$"), (crashed, "it ended with code 137".to_owned(), Some(137)));
}

#[test]
fn a_program_may_say_that_it_could_not() {
    for status in ["refused", "auth", "rate-limited", "quota", "context-too-long", "unavailable", "denied"] {
        let script = format!("echo '{{\"v\":1,\"status\":\"{status}\",\"reason\":\"because\"}}'");
        let (outcome, _) = run(&script, |_| ());
        assert_eq!((outcome.status.as_str(), outcome.text.as_str()), (status, "because"));
    }
}

#[test]
fn json_that_was_asked_for_is_found_or_missed() {
    let with_schema = |request: &mut Request| request.output_schema = Some(json!({"type": "object"}));
    let said = r#"printf '%s\n' '{"v":1,"status":"succeeded","message":"```json\n{\"a\":1}\n```"}'"#;
    assert_eq!(run(said, with_schema).0.json, Some(json!({"a": 1})));
    let (outcome, _) = run(r#"echo '{"v":1,"status":"succeeded","message":"no"}'"#, with_schema);
    assert_eq!((outcome.status, outcome.json), (RunStatus::Schema, None));
}

#[test]
fn limits_end_it_and_what_it_used_counts() {
    let used = r#"echo '{"v":1,"status":"succeeded","usage":{"input_tokens":5}}'"#;
    let (outcome, _) = run(&format!("{used}; while :; do echo .; sleep 0.01; done"), |request| {
        request.limits.wall = Duration::from_millis(300);
    });
    assert_eq!((outcome.status, outcome.usage.input_tokens), (RunStatus::Timeout, Some(5)));
    let (outcome, _) = run("sleep 1000", |request| request.limits.idle = Duration::from_millis(100));
    assert_eq!(outcome.status, RunStatus::Timeout);
}

#[test]
fn a_flood_is_not_kept_and_a_result_after_it_counts() {
    let (outcome, _) = run(
        "head -c 20000000 /dev/zero | tr '\\0' x; echo; printf '{\"v\":1,\"status\":\"succeeded\",\"message\":\"'; \
         head -c 200000 /dev/zero | tr '\\0' y; echo '\"}'; echo '{\"v\":1,\"status\":\"succeeded\",\"message\":\"kept\"}'",
        |_| (),
    );
    assert_eq!((outcome.status, outcome.text.as_str()), (RunStatus::Succeeded, "kept"));
}

#[test]
fn a_check_starts_nothing_and_says_what_is_missing() {
    let check = |argv: &[&str], key: Option<&str>| {
        let argv = argv.iter().map(|&arg| arg.to_owned()).collect();
        let setup =
            Setup { name: "mine".to_owned(), argv, key_env: key.map(str::to_owned), ..Setup::default() };
        Program::of(setup).check(Path::new("/"))
    };
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let unset = "`engines.mine.argv` is not set: git config godzilla.engines.mine.argv PROGRAM";
    assert_eq!(check(&[], None).hint.unwrap(), unset);
    assert!(check(&[missing.to_str().unwrap()], None).hint.unwrap().starts_with("there is no program"));
    assert!(check(&["no-such-program-anywhere"], None).version.is_none());
    assert!(check(&["sh"], None).is_usable());
    assert_eq!(check(&["sh"], Some("NOT_SET_ANYWHERE")).login, Login::Missing);
    assert_eq!(check(&["sh"], Some("CARGO_PKG_NAME")).login, Login::Ready);
}

fn assert_valid(schema: &str, document: &Value) {
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let errors: Vec<String> = validator.iter_errors(document).map(|err| err.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?} in {document}");
}

#[test]
fn requests_and_results_are_of_their_schemas() {
    const REQUEST: &str = include_str!("../../../schemas/engine-request.schema.json");
    const RESULT: &str = include_str!("../../../schemas/engine-result.schema.json");

    let mut asked = request(Path::new("/work"));
    assert_valid(REQUEST, &request_json(&asked));
    asked.output_schema = Some(json!({"type": "object"}));
    (asked.protocol, asked.model) = (None, None);
    for kind in [RunKind::Plan, RunKind::Decompose, RunKind::Step, RunKind::Review, RunKind::Fix] {
        asked.kind = kind;
        assert_valid(REQUEST, &request_json(&asked));
    }

    let validator = jsonschema::validator_for(&serde_json::from_str(RESULT).unwrap()).unwrap();
    let is_valid = |status: &str| validator.is_valid(&json!({"v": 1, "status": status}));
    // Whatever we take, it allows, and nothing else.
    for status in RunStatus::ALL {
        assert!(is_valid(status.as_str()), "{status:?}");
    }
    assert!(!is_valid("done") && !validator.is_valid(&json!({"v": 2, "status": "succeeded"})));
    let usage = json!({"input_tokens": 1, "cached_tokens": null, "output_tokens": 2, "cost_micros": 3});
    assert_valid(RESULT, &json!({"v": 1, "status": "quota", "usage": usage, "json": [1], "files": ["a"]}));
}

/// Runs the example of the docs around a program.
fn example(program: &[&str], change: impl FnOnce(&mut Request)) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let mut request = request(dir.path());
    change(&mut request);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/engine.sh");
    let argv = [&[script], program].concat().into_iter().map(str::to_owned).collect();
    let setup = Setup { name: "example".to_owned(), argv, ..Setup::default() };
    Program::of(setup).run(&request, &mut |_| ())
}

#[test]
fn the_example_of_the_docs_works() {
    let outcome = example(&["cat"], |_| ());
    assert_eq!((outcome.status, outcome.text.as_str()), (RunStatus::Succeeded, "Judge \"it\"\nnow"));
    let outcome = example(&["printf", "tab\\there \\\\ back\\001slash\\n\\n"], |_| ());
    assert_eq!((outcome.status, outcome.text.as_str()), (RunStatus::Succeeded, "tab here \\ backslash"));
    let outcome = example(&["sh", "-c", "tail -n 1"], |request| {
        request.output_schema = Some(json!({"type": "object"}));
    });
    assert_eq!(outcome.json, Some(json!({"type": "object"})));
    let outcome = example(&["sh", "-c", "echo oh; exit 3"], |_| ());
    assert_eq!((outcome.status, outcome.text.as_str()), (RunStatus::Crashed, "sh ended with code 3: oh"));
    assert_eq!(example(&["no-such-program"], |_| ()).status, RunStatus::Unavailable);
    assert_eq!(example(&[], |_| ()).status, RunStatus::Unavailable);
}
