use serde_json::json;

use super::*;
use crate::domain::run::RunKind;
use crate::engine::Access;
use crate::engine::Limits;
use crate::platform::supervise::Stream;

/// What a transcript comes to.
pub(in crate::engine) struct Played {
    pub(in crate::engine) outcome: Outcome,
    /// What was told meanwhile, without the log.
    pub(in crate::engine) told: Vec<String>,
}

impl Played {
    /// Returns input, cached input and output.
    pub(in crate::engine) fn tokens(&self) -> [Option<u64>; 3] {
        let usage = self.outcome.usage;
        [usage.input_tokens, usage.cached_tokens, usage.output_tokens]
    }
}

pub(in crate::engine) const NAMELESS: Program =
    Program { name: "agent", package: "agent", login: "log in", lost_session: "no such conversation" };

pub(in crate::engine) fn request(access: Access) -> Request {
    Request {
        kind: RunKind::Step,
        run: "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(),
        protocol: None,
        step: None,
        prompt: "Do it.".to_owned(),
        model: None,
        effort: None,
        worktree: PathBuf::from("/repo"),
        access,
        output_schema: None,
        session: None,
        session_usage: Usage::default(),
        limits: Limits { wall: Duration::from_mins(1), idle: Duration::from_mins(1), output_bytes: 1 << 20 },
        scratch: PathBuf::from("/scratch"),
    }
}

/// Plays what a program says on stdout, in pieces as a pipe gives them, and then its end.
pub(in crate::engine) fn play(
    request: &Request,
    parser: &mut dyn Parser,
    out: &[u8],
    err: &str,
    end: End,
) -> Played {
    let mut told = Vec::new();
    let mut tell = |progress: Progress<'_>| told.push(format!("{progress:?}"));
    let mut ears = Ears::new(request.limits.output_bytes);
    for piece in out.chunks(7 * 1024 + 1) {
        ears.hear(Stream::Out, piece, parser, &mut tell);
    }
    ears.hear(Stream::Err, err.as_bytes(), parser, &mut tell);
    let outcome = ears.judge(&NAMELESS, end, request, parser, &mut tell);
    Played { outcome, told }
}

/// Plays what no version of a program says, by the events of one that works: it ends in `crashed`, and
/// never in success.
pub(in crate::engine) fn play_hostile<P: Parser>(edit: &str, parser: impl Fn() -> P) {
    let request = request(Access::Write);
    let status = |out: &[u8], code| play(&request, &mut parser(), out, "", End::Exit(code)).outcome.status;
    assert_eq!(status(edit.as_bytes(), 0), RunStatus::Succeeded);

    // It says that it is done, and its exit code says something else.
    assert_eq!(status(edit.as_bytes(), 1), RunStatus::Crashed);
    assert_eq!(status(edit.as_bytes(), 137), RunStatus::Killed);
    let (without_last, last) = edit.trim_end().rsplit_once('\n').unwrap();
    // It ends with 0 and does not say that it is done.
    assert_eq!(status(without_last.as_bytes(), 0), RunStatus::Crashed);
    assert_eq!(status(b"", 0), RunStatus::Crashed);
    // The end of its last word is missing.
    let cut = &edit.trim_end()[..edit.trim_end().len() - 2];
    assert_eq!(status(cut.as_bytes(), 0), RunStatus::Crashed);

    // What is unknown, what is no event, what is no text, what is too long and what is too deep.
    let mut noise = br#"{"type":"quantum.leap","item":[1],"part":7,"message":"x"}
{"type":{"a":1},"session_id":7}
[] null 7 "text"
Loading...
"#
    .to_vec();
    noise.extend(b"\xff\xfe\x00{\"type\":\"\xff\"}\n");
    noise.extend("[".repeat(100_000).bytes().chain([b'\n']));
    noise.extend(b"{\"type\":\"text\",\"text\":\"");
    noise.extend(vec![b'x'; 5 << 20]);
    noise.extend(b"\"}\n");
    let noisy = [noise.as_slice(), without_last.as_bytes(), b"\n", &noise, last.as_bytes()].concat();
    let played = play(&request, &mut parser(), &noisy, "", End::Exit(0));
    assert_eq!(played.outcome.status, RunStatus::Succeeded, "{}", played.outcome.text);
    assert!(played.told.iter().any(|told| told.contains("2 events were too long")), "{:?}", played.told);

    // Fields of another type: nothing is read, nothing breaks.
    let twisted = edit.replace("\":\"", "\":[\"").replace("\",\"", "\"],\"");
    assert_ne!(status(twisted.as_bytes(), 0), RunStatus::Succeeded);
}

/// Says what it is told to.
struct Echo;

impl Parser for Echo {
    fn event(&mut self, event: &Value, told: &mut Told, tell: &mut dyn FnMut(Progress<'_>)) {
        told.begin(text_at(event, "/session"), tell);
        if let Some(words) = text_at(event, "/says") {
            words.clone_into(&mut told.text);
        }
        if let Some(tool) = text_at(event, "/uses") {
            tell_use(tell, tool, detail_of(&event["input"]));
        }
        told.is_done |= event["done"] == json!(true);
    }
}

fn echo(request: &Request, out: &str, err: &str, end: End) -> Played {
    play(request, &mut Echo, out.as_bytes(), err, end)
}

#[test]
fn an_end_is_what_the_program_did_and_not_what_it_says() {
    let request = request(Access::Write);
    let done = "{\"session\":\"s-1\",\"says\":\"ok\",\"done\":true}\n";
    for (out, err, end, wanted) in [
        (done, "", End::Exit(0), RunStatus::Succeeded),
        (done, "", End::Exit(3), RunStatus::Crashed),
        (done, "", End::Exit(143), RunStatus::Killed),
        (done, "", End::TimedOut, RunStatus::Timeout),
        (done, "", End::Silent, RunStatus::Timeout),
        (done, "", End::Interrupted, RunStatus::Killed),
        ("", "HTTP error: 401", End::Exit(1), RunStatus::Auth),
        ("", "boom", End::Exit(1), RunStatus::Crashed),
        // It tried again what could not succeed until it was ended.
        ("", "error: 429 rate limit", End::TimedOut, RunStatus::RateLimited),
        ("", "connect ECONNREFUSED", End::Silent, RunStatus::Unavailable),
    ] {
        let outcome = echo(&request, out, err, end).outcome;
        assert_eq!(outcome.status, wanted, "{out} {err} {end:?}: {}", outcome.text);
        assert_eq!(outcome.session.as_deref(), (!out.is_empty()).then_some("s-1"));
        assert!(outcome.usage.is_unknown());
    }
}

#[test]
fn an_answer_of_a_schema_is_found_or_missed() {
    let mut request = request(Access::Read);
    let out = |says: &str| format!("{}\n", json!({"says": says, "done": true}));
    let silent = echo(&request, &out(""), "", End::Exit(0)).outcome;
    assert_eq!((silent.status, silent.text.as_str()), (RunStatus::Crashed, "it ended without a word"));
    request.output_schema = Some(json!({"type": "object"}));
    let found = echo(&request, &out("Here:\n```json\n{\"a\": 1}\n```"), "", End::Exit(0)).outcome;
    assert_eq!((found.status, found.json), (RunStatus::Succeeded, Some(json!({"a": 1}))));
    for words in ["", "no", "{\"a\":"] {
        let missed = echo(&request, &out(words), "", End::Exit(0)).outcome;
        assert_eq!((missed.status, missed.json), (RunStatus::Schema, None), "{words}");
    }
}

#[test]
fn what_is_shown_hides_nothing_and_is_not_long() {
    let mut request = request(Access::Write);
    let event = json!({
        "session": "--yes", "uses": "sh\u{1b}[2Jell", "says": "one\u{1b}]0;x\u{7}two", "done": true,
        "input": {"command": format!("echo \u{202e}{}", "y".repeat(5000))},
    });
    let played = echo(&request, &format!("{event}\n"), "", End::Exit(0));
    assert_eq!(played.outcome.text, "onetwo");
    assert_eq!(played.outcome.session, None, "it could be taken for an option");
    let uses = &played.told[0];
    assert!(uses.starts_with("Uses { tool: \"shell\", detail: \"echo yyy") && uses.len() < 300, "{uses}");

    request.limits.output_bytes = 10;
    let event = json!({"says": "ä".repeat(50), "done": true});
    assert_eq!(echo(&request, &format!("{event}\n"), "", End::Exit(0)).outcome.text, "ä".repeat(5));
}

#[test]
fn what_could_be_an_option_goes_into_no_argument() {
    for word in ["gpt-5.5", "anthropic/claude-sonnet-4-5", "llama3:8b", "claude[1m]"] {
        assert!(is_word(word), "{word}");
    }
    for word in ["", "-m", "--yolo", "a b", "a\nb", "$(x)", "a;b", "a=b", &"x".repeat(300)] {
        assert!(!is_word(word), "{word}");
    }
    let mut request = request(Access::Read);
    assert!(without_words(&request).is_none());
    request.model = Some("--dangerously-skip-permissions".to_owned());
    let refused = without_words(&request).unwrap();
    assert_eq!(refused.status, RunStatus::Unavailable);
    request.session = Some("--last".to_owned());
    assert_eq!(session(&request), None);
}

/// Answers with what it was given: its arguments, its input and its environment.
fn script(dir: &Path, body: &str) -> Setup {
    let program = dir.join("agent");
    fs::write_new_file(&program, format!("#!/bin/sh\n{body}\n").as_bytes(), true).unwrap();
    Setup { argv: vec![program.to_str().unwrap().to_owned()], ..Setup::default() }
}

fn in_dir(dir: &Path, mut request: Request) -> Request {
    request.worktree = dir.to_owned();
    request.scratch = dir.join("scratch");
    request
}

#[test]
fn a_program_gets_the_prompt_as_its_input_and_little_else() {
    let dir = tempfile::tempdir().unwrap();
    let setup = script(
        dir.path(),
        r#"printf '{"says":"%s %s %s","done":true}\n' "$(cat)" "${CARGO_PKG_NAME-unset}" "$(test -d "$TMPDIR" && pwd)""#,
    );
    let request = in_dir(dir.path(), request(Access::Write));
    let mut log = Vec::new();
    let outcome = NAMELESS.run(&request, NAMELESS.command(&setup), "A prompt.", &mut Echo, &mut |progress| {
        if let Progress::Log(bytes) = progress {
            log.extend_from_slice(bytes);
        }
    });
    let dir = dir.path().canonicalize().unwrap();
    assert_eq!(outcome.text, format!("A prompt. unset {}", dir.display()));
    assert!(String::from_utf8(log).unwrap().contains("A prompt."));
}

#[test]
fn a_program_that_is_not_there_is_named_with_a_way_to_get_it() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing").to_str().unwrap().to_owned();
    let setup = Setup { argv: vec![missing], ..Setup::default() };
    let request = in_dir(dir.path(), request(Access::Write));
    let outcome = NAMELESS.run(&request, NAMELESS.command(&setup), "x", &mut Echo, &mut |_| ());
    assert_eq!(outcome.status, RunStatus::Unavailable);
    assert!(outcome.text.contains("npm install -g agent"), "{}", outcome.text);
    let check = NAMELESS.check(&setup, dir.path(), || panic!("there is nothing to ask"));
    assert_eq!((check.version, check.login), (None, Login::Unknown));
    assert_eq!(check.hint.as_deref(), Some("install it: npm install -g agent"));
}

#[test]
fn a_version_is_found_in_what_programs_say_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let setup = script(dir.path(), "echo 'WARNING: noise' >&2; echo 'agent-cli v1.2.3 (Agent)'");
    let check = NAMELESS.check(&setup, dir.path(), || Login::Missing);
    assert_eq!((check.version.as_deref(), check.hint.as_deref()), (Some("1.2.3"), Some("log in")));
}

#[test]
fn a_shell_leaves_out_what_is_secret() {
    let dir = tempfile::tempdir().unwrap();
    let shell = shell_without(dir.path(), &["SECRET_ONE", "bad;name"], "exec /bin/sh -c \"$1\"").unwrap();
    let mut command = process::command(shell);
    command.arg("echo \"${SECRET_ONE-none} $OTHER\"").env("SECRET_ONE", "x").env("OTHER", "seen");
    assert_eq!(command.output().unwrap().stdout, b"none seen\n");
}

#[test]
fn dollars_are_counted_in_millionths() {
    assert_eq!(micros(0.001_200_000_000_1), Some(1200));
    for none in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
        assert_eq!(micros(none), None);
    }
}
