//! Reports of CI jobs that reach a real remote, from checkouts as CI systems make them.
//!
//! Each report is made by a process of its own, with the environment of its job: this test program,
//! called again for [`child`].

mod asked;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use git_godzilla::platform::git::{Repo, TransportError};
use git_godzilla::service::ci_report::{self, Delivered, Error, Reported, Request};
use git_godzilla::service::settings::Settings;
use serde_json::{Value, json};

use crate::support::{Place, World, run};

const NAME: &str = "0007-add-login";

/// A remote whose branch `NAME` ends with a commit of that protocol, and a CI checkout of it:
/// detached, with a history of one commit.
fn world(sha256: bool) -> World {
    let world = World::with(None, sha256);
    let a = world.bare_clone_of("a");
    a.git(&["switch", "--quiet", "-c", NAME]);
    a.commit("form.html", &format!("feat: form\n\nGodzilla-Step: {NAME}/01-form"));
    a.git(&["push", "--quiet", "origin", NAME]);
    checkout(&world, "ci");
    world
}

fn checkout<'w>(world: &'w World, name: &str) -> Place<'w> {
    let url = format!("file://{}/srv.git", world.path().display());
    world.place("").git(&["clone", "--quiet", "--depth=1", "--branch", NAME, &url, name]);
    let place = world.place(name);
    place.git(&["switch", "--quiet", "--detach"]);
    place
}

/// Returns the command for a report. Variables in capitals are those of the job; the others are
/// fields of the request.
fn reporter(place: &Place<'_>, vars: &[(&str, &str)]) -> Command {
    let mut command = place.command(std::env::current_exe().unwrap());
    command.args(["ci_delivery::child", "--exact", "--ignored", "--nocapture"]).env("CHILD_REQUEST", "{}");
    let is_field = |name: &str| name.starts_with(|c: char| c.is_ascii_lowercase());
    let (fields, vars): (Vec<_>, Vec<_>) = vars.iter().partition(|(name, _)| is_field(name));
    let fields: serde_json::Map<_, _> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    command.env("CHILD_REQUEST", Value::from(fields).to_string()).envs(vars);
    command
}

fn answer(stdout: &str) -> Value {
    let line =
        stdout.lines().find_map(|line| line.split_once("ANSWER ")).unwrap_or_else(|| panic!("{stdout}"));
    serde_json::from_str(line.1).unwrap()
}

#[track_caller]
fn report(place: &Place<'_>, vars: &[(&str, &str)]) -> Value {
    let shown = run(&mut reporter(place, vars));
    assert_eq!(shown.code, Some(0), "{shown}");
    answer(&shown.stdout)
}

/// Makes one report, as its environment says.
#[test]
#[ignore = "called by the other tests"]
fn child() {
    let Ok(request) = std::env::var("CHILD_REQUEST") else { return };
    let fields: Value = serde_json::from_str(&request).unwrap();
    let text = |name: &str| fields[name].as_str().map(str::to_owned);
    let number = |name: &str| text(name).map(|number| number.parse().unwrap());
    let request = Request {
        result: text("result").map(|word| ci_report::parse_result(&word).unwrap()),
        job: text("job"),
        sha: text("sha"),
        branch: text("branch"),
        protocol: text("protocol"),
        url: text("url"),
        provider: text("provider"),
        workflow: text("workflow"),
        run: number("run"),
        attempt: number("attempt"),
        output: text("output").map(Into::into),
        remote: text("remote"),
    };
    let repo = Repo::discover(Path::new(".")).unwrap();
    let settings = Settings::load(&repo);
    assert_eq!(settings.warnings, [""; 0]);
    let answer = match text("command") {
        None => shown(ci_report::report(&repo, &settings, request)),
        Some(command) => {
            let argv = command.split('|').map(Into::into).collect();
            let command = ci_report::Command { argv, stdout_to_stderr: true };
            let ran = ci_report::run_and_report(&repo, &settings, request, &command).unwrap();
            let mut answer = shown(ran.reported);
            answer["exit_code"] = json!(ran.exit_code);
            answer["started"] = json!(ran.start_error.is_none());
            answer
        }
    };
    // The harness buffers what `println!` says.
    std::io::Write::write_all(&mut std::io::stdout(), format!("\nANSWER {answer}\n").as_bytes()).unwrap();
}

fn shown(reported: Result<Reported, Error>) -> Value {
    let reported = match reported {
        Ok(reported) => reported,
        Err(err) => {
            let kind = match &err {
                Error::NoStatus { so_far: true, .. } => "so_far",
                Error::NoStatus { .. } => "no_status",
                Error::NoCommit { .. } => "no_commit",
                Error::UnknownCommit { .. } => "unknown_commit",
                Error::Invalid { what, .. } => what,
                Error::Number { .. } => "number",
                Error::NoRemote { .. } => "no_remote",
                _ => "other",
            };
            return json!({ "error": kind, "message": err.to_string() });
        }
    };
    let (delivered, message) = match &reported.delivered {
        Delivered::Pushed => ("pushed", String::new()),
        Delivered::File(_) => ("file", String::new()),
        Delivered::NotShared { reason } => match reason {
            TransportError::Unreachable { .. } => ("unreachable", reason.to_string()),
            TransportError::Refused { .. } => ("refused", reason.to_string()),
            _ => ("other", reason.to_string()),
        },
    };
    json!({
        "id": reported.id.to_string(),
        "protocol": reported.protocol.map(|name| name.to_string()),
        "branch": reported.branch,
        "commit": reported.commit.to_string(),
        "job": format!("{} {}/{}", reported.provider, reported.workflow, reported.job),
        "run": reported.run,
        "attempt": reported.attempt,
        "result": reported.result.as_str(),
        "url": reported.url,
        "ref": reported.ref_name,
        "delivered": delivered,
        "message": message,
        "remote": reported.remote,
    })
}

/// The event lines of all drop boxes at the remote.
fn boxes(world: &World) -> Vec<Value> {
    let srv = world.place("srv.git");
    let names = srv.git(&["for-each-ref", "--format=%(refname)", "refs/godzilla/inbox/"]);
    names.lines().map(|name| event(&srv, name)).collect()
}

fn event(srv: &Place<'_>, name: &str) -> Value {
    serde_json::from_str(&srv.git(&["cat-file", "-p", &format!("{name}:events/000000")])).unwrap()
}

/// Returns a configuration that lets every connection to the remote leave a line in `connections`, and
/// knows of no identity.
fn counting_connections(place: &Place<'_>) -> String {
    let file = place.world.path().join("counting");
    for (key, service) in [("receivepack", "git-receive-pack"), ("uploadpack", "git-upload-pack")] {
        let script = place.world.path().join(service);
        let log = place.world.path().join("connections");
        let text = format!("#!/bin/sh\necho {service} >>'{}'\nexec {service} \"$@\"\n", log.display());
        std::fs::write(&script, text).unwrap();
        let key = format!("remote.origin.{key}");
        place.git(&["config", "--file", file.to_str().unwrap(), &key, &format!("sh '{}'", script.display())]);
    }
    file.to_str().unwrap().to_owned()
}

fn one_report_from_a_bare_minimum(sha256: bool) {
    let world = world(sha256);
    let ci = world.place("ci");
    let config = counting_connections(&ci);
    let before = ci.git(&["for-each-ref"]);
    let said =
        report(&ci, &[("result", "success"), ("job", "te\u{1b}[31mst"), ("GIT_CONFIG_GLOBAL", &config)]);
    assert_eq!(said["delivered"], "pushed", "{said}");
    let head = ci.git(&["rev-parse", "HEAD"]);
    assert_eq!(
        (&said["commit"], &said["protocol"], &said["branch"]),
        (&json!(head.trim()), &json!(NAME), &Value::Null)
    );
    assert_eq!(said["remote"], "origin");

    // One connection, nothing fetched, no ref and no folder of ours.
    assert_eq!(std::fs::read_to_string(world.path().join("connections")).unwrap(), "git-receive-pack\n");
    assert_eq!(ci.git(&["for-each-ref"]), before);
    assert!(!ci.path.join(".git/godzilla").exists());

    let srv = world.place("srv.git");
    let name = said["ref"].as_str().unwrap();
    assert_eq!(name, format!("refs/godzilla/inbox/{}", said["id"].as_str().unwrap().to_lowercase()));
    let event = event(&srv, name);
    assert_eq!(
        (&event["clock"], &event["type"], &event["protocol"]),
        (&json!(0), &json!("ci.reported"), &json!(NAME))
    );
    assert_eq!((event.get("root"), event["actor"].get("host")), (None, None));
    assert_eq!(event["cause"], format!("ci:{}", said["id"].as_str().unwrap()));
    let body = &event["body"];
    assert_eq!(
        (&body["job"], &body["result"], &body["provider"]),
        (&json!("test"), &json!("success"), &json!("plain"))
    );
    assert_eq!(body["tree"], srv.git(&["rev-parse", &format!("{NAME}^{{tree}}")]).trim());
    assert_eq!((&body["run"], &body["attempt"]), (&event["at"], &json!(0)));
    let log = srv.git(&["log", "--format=%P|%an|%ae|%s", name]);
    assert_eq!(
        log,
        format!("|git-godzilla|noreply@git-godzilla.invalid|ci test: success on {}\n", &head[..10])
    );
    srv.git(&["fsck", "--strict"]);
}

#[test]
fn a_shallow_detached_checkout_without_identity_can_report() {
    one_report_from_a_bare_minimum(false);
}

#[test]
fn a_sha256_checkout_can_report() {
    one_report_from_a_bare_minimum(true);
}

#[test]
fn thirty_reports_at_once_all_arrive() {
    const N_JOBS: usize = 30;
    let world = world(false);
    let places: Vec<_> = (0..3).map(|n| checkout(&world, &format!("ci{n}"))).collect();
    let children: Vec<_> = (0..N_JOBS)
        .map(|n| {
            let job = format!("job {n}");
            let mut command = reporter(&places[n % places.len()], &[("result", "failure"), ("job", &job)]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = answer(&String::from_utf8_lossy(&output.stdout));
        assert_eq!(said["delivered"], "pushed", "{said}");
    }
    let mut jobs: Vec<_> =
        boxes(&world).iter().map(|event| event["body"]["job"].as_str().unwrap().to_owned()).collect();
    jobs.sort();
    jobs.dedup();
    assert_eq!(jobs.len(), N_JOBS);
}

#[test]
fn a_remote_that_refuses_or_is_gone_is_no_error() {
    let world = world(false);
    let ci = world.place("ci");
    let hook = world.path().join("srv.git/hooks/pre-receive");
    std::fs::write(&hook, "#!/bin/sh\nexit 1\n").unwrap();
    world.place("").git(&["-C", "srv.git", "config", "core.hooksPath", "hooks"]);
    assert!(run(ci.command("chmod").args(["+x", hook.to_str().unwrap()])).code == Some(0));
    let said = report(&ci, &[("result", "success")]);
    assert_eq!(
        (&said["delivered"], &said["ref"], &said["remote"]),
        (&json!("refused"), &Value::Null, &Value::Null)
    );
    assert_eq!(said["message"], "`origin` refused: [remote rejected] (pre-receive hook declined)");

    let said = report(&ci, &[("result", "success"), ("remote", "../nowhere.git")]);
    assert_eq!(said["delivered"], "unreachable", "{said}");
    assert_eq!(boxes(&world), [Value::Null; 0]);
}

#[test]
fn a_silent_remote_is_given_up() {
    let world = world(false);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = format!("git://{}/x.git", listener.local_addr().unwrap());
    let start = std::time::Instant::now();
    let vars = [("result", "success"), ("remote", &remote), ("GODZILLA_SYNC_TIMEOUT_SECONDS", "1")];
    let said = report(&world.place("ci"), &vars);
    assert_eq!(said["delivered"], "unreachable", "{said}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_file_takes_reports_one_after_the_other() {
    let world = world(false);
    let ci = world.place("ci");
    for result in ["running", "success"] {
        let said = report(&ci, &[("result", result), ("output", "out/reports.jsonl")]);
        assert_eq!((&said["delivered"], &said["ref"]), (&json!("file"), &Value::Null));
    }
    let text = ci.read("out/reports.jsonl");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], json!({ "format": 1, "kind": "godzilla-ci-report" }));
    let results: Vec<_> = lines[1..].iter().map(|line| &line["body"]["result"]).collect();
    assert_eq!(results, [&json!("running"), &json!("success")]);
    // Without a number of the provider, the later report has the larger one.
    assert!(lines[1]["body"]["run"].as_u64() < lines[2]["body"]["run"].as_u64());
    assert_eq!(boxes(&world), [Value::Null; 0]);
}

#[test]
fn the_environment_of_the_provider_fills_the_gaps() {
    let world = world(false);
    let ci = world.place("ci");
    let head = ci.git(&["rev-parse", "HEAD"]);
    let github = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_WORKFLOW", "CI"),
        ("GITHUB_JOB", "test"),
        ("GITHUB_RUN_ID", "9000"),
        ("GITHUB_RUN_ATTEMPT", "2"),
        ("GITHUB_REF_TYPE", "branch"),
        ("GITHUB_REF_NAME", "0009-other"),
        ("GITHUB_SHA", head.trim()),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_REPOSITORY", "o/r"),
    ];
    let said = report(&ci, &[&github[..], &[("result", "success")]].concat());
    assert_eq!(
        (&said["job"], &said["run"], &said["attempt"]),
        (&json!("github CI/test"), &json!(9000), &json!(2))
    );
    assert_eq!(said["url"], "https://github.com/o/r/actions/runs/9000/attempts/2");
    // The branch says more than the trailer.
    assert_eq!((&said["branch"], &said["protocol"]), (&json!("0009-other"), &json!("0009-other")));

    let options = [
        ("result", "success"),
        ("job", "lint"),
        ("branch", "refs/heads/x"),
        ("protocol", NAME),
        ("workflow", "W"),
        ("provider", "mine"),
        ("run", "1"),
        ("attempt", "0"),
        ("url", "http://x/y"),
    ];
    let said = report(&ci, &[&github[..], &options].concat());
    assert_eq!((&said["job"], &said["run"], &said["attempt"]), (&json!("mine W/lint"), &json!(1), &json!(0)));
    assert_eq!(
        (&said["branch"], &said["protocol"], &said["url"]),
        (&json!("x"), &json!(NAME), &json!("http://x/y"))
    );
}

#[test]
fn the_change_behind_a_merge_of_the_provider_is_found_at_depth_one() {
    let world = world(false);
    let a = world.place("a");
    let change = a.git(&["rev-parse", NAME]);
    a.git(&["switch", "--quiet", "--detach", "main"]);
    a.git(&["merge", "--quiet", "--no-ff", "-m", "Merge pull request", NAME]);
    a.git(&["push", "--quiet", "origin", "HEAD:refs/pull/5/merge"]);
    let merge = a.git(&["rev-parse", "HEAD"]);
    let ci = world.place("ci");
    ci.git(&["fetch", "--quiet", "--depth=1", "origin", "refs/pull/5/merge"]);
    let pull = |sha| {
        [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", "pull_request"),
            ("GITHUB_REF", "refs/pull/5/merge"),
            ("GITHUB_HEAD_REF", NAME),
            ("GITHUB_SHA", sha),
            ("result", "success"),
        ]
    };
    let elsewhere = report(&ci, &pull(merge.trim()));
    assert_eq!(elsewhere["error"], "no_commit", "{elsewhere}");
    ci.git(&["checkout", "--quiet", "--detach", "FETCH_HEAD"]);
    ci.git(&["tag", "--annotate", "-m", "x", "v1", merge.trim()]);
    let said = report(&ci, &pull(merge.trim()));
    assert_eq!((&said["commit"], &said["protocol"]), (&json!(change.trim()), &json!(NAME)), "{said}");

    // An option may name the commit in any way, and one that is not here by its full id.
    let unknown = "ab".repeat(20);
    let tag = ci.git(&["rev-parse", "v1"]);
    for (sha, commit) in [
        ("HEAD", merge.trim()),
        (&merge[..8], merge.trim()),
        (tag.trim(), merge.trim()),
        (&unknown.to_uppercase(), &unknown),
    ] {
        assert_eq!(report(&ci, &[("result", "success"), ("sha", sha)])["commit"], commit, "{sha}");
    }
    for (sha, error) in
        [("nothing", "unknown_commit"), ("--all", "unknown_commit"), (&"0".repeat(40), "commit")]
    {
        assert_eq!(report(&ci, &[("result", "success"), ("sha", sha)])["error"], error, "{sha}");
    }
}
