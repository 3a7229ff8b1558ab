//! What a report needs and finds where it is made, or asks for: a status, a route, a remote, a program to run.

use std::process::Stdio;

use serde_json::{Value, json};

use super::{NAME, answer, boxes, report, reporter, world};
use crate::support::run;

#[test]
fn a_status_is_told_or_asked_for() {
    let world = world(false);
    let ci = world.place("ci");
    assert_eq!(report(&ci, &[])["error"], "no_status");
    let head = ci.git(&["rev-parse", "HEAD"]);
    let woodpecker = [
        ("CI", "woodpecker"),
        ("CI_COMMIT_SHA", head.trim()),
        ("CI_PIPELINE_STATUS", "success"),
        ("CI_STEP_NAME", "s"),
    ];
    assert_eq!(report(&ci, &woodpecker)["error"], "so_far");
    let gitlab = [
        ("GITLAB_CI", "true"),
        ("CI_COMMIT_SHA", head.trim()),
        ("CI_JOB_STATUS", "failed"),
        ("CI_JOB_NAME", "s"),
    ];
    assert_eq!(report(&ci, &gitlab)["result"], "failure");
    assert_eq!(boxes(&world).len(), 1);
}

#[test]
fn a_report_is_routed_by_what_is_here() {
    let world = world(false);
    let ci = world.place("ci");
    let said = |vars: &[(&str, &str)]| report(&ci, &[&[("result", "success")], vars].concat());
    assert_eq!(said(&[("protocol", "0008-b")])["protocol"], "0008-b");
    assert_eq!(said(&[("protocol", "7")])["protocol"], NAME);
    assert_eq!(said(&[("protocol", "8"), ("branch", "0008-c")])["protocol"], "0008-c");
    assert_eq!(said(&[("protocol", "8")])["error"], "number");
    ci.git(&["update-ref", "refs/remotes/origin/0008-d", "HEAD"]);
    assert_eq!(said(&[("protocol", "8")])["protocol"], "0008-d");
    ci.git(&["update-ref", "refs/heads/0008-e", "HEAD"]);
    assert_eq!(said(&[("protocol", "8")])["error"], "number");
    assert_eq!(said(&[("protocol", "x")])["error"], "protocol name");
    assert_eq!(said(&[("branch", "a b")])["error"], "branch");
    assert_eq!(said(&[("url", "javascript:x")])["error"], "web address");
    ci.git(&["switch", "--quiet", "0008-e"]);
    assert_eq!(said(&[])["protocol"], "0008-e");
    // A commit that is not here says nothing, and the current branch nothing about it.
    let said = said(&[("sha", &"ab".repeat(20))]);
    assert_eq!(
        (&said["protocol"], &said["branch"], &said["delivered"]),
        (&Value::Null, &Value::Null, &json!("pushed"))
    );
}

#[test]
fn the_remote_is_found_or_asked_for() {
    let world = world(false);
    let ci = world.place("ci");
    let said = |vars: &[(&str, &str)]| report(&ci, &[&[("result", "success")], vars].concat());
    ci.git(&["remote", "rename", "origin", "upstream"]);
    assert_eq!(said(&[])["remote"], "upstream");
    ci.git(&["remote", "add", "other", "../nowhere.git"]);
    assert_eq!(said(&[])["error"], "no_remote");
    ci.git(&["switch", "--quiet", NAME]);
    assert_eq!(said(&[])["remote"], "upstream");
    let url = format!("file://ci:secret@{}/srv.git", world.path().display());
    assert!(!said(&[("remote", &url)]).to_string().contains("secret"));
    let bare = world.place("bare.git");
    world.place("").git(&["clone", "--quiet", "--bare", "srv.git", "bare.git"]);
    assert_eq!(report(&bare, &[("result", "success")])["delivered"], "pushed");
}

#[test]
fn a_program_that_ends_is_reported() {
    let world = world(false);
    let ci = world.place("ci");
    for (command, exit_code, result) in [
        ("true", 0, "success"),
        ("sh|-c|exit 3", 3, "failure"),
        ("sh|-c|kill -9 $$", 137, "failure"),
        ("sh|-c|kill -2 $$", 130, "cancelled"),
        ("no-such-program", 127, "failure"),
        ("./form.html", 126, "failure"),
        // What it moves does not change what was tested.
        ("git|-c|user.name=x|-c|user.email=x|commit|--quiet|--allow-empty|-m|x", 0, "success"),
    ] {
        let tested = ci.git(&["rev-parse", "HEAD"]);
        let said = report(&ci, &[("command", command)]);
        assert_eq!(
            (&said["exit_code"], &said["result"]),
            (&json!(exit_code), &json!(result)),
            "{command}: {said}"
        );
        assert_eq!((&said["delivered"], &said["commit"]), (&json!("pushed"), &json!(tested.trim())));
        assert_eq!(said["started"], json!(exit_code != 126 && exit_code != 127));
    }
}

#[test]
fn a_job_that_is_stopped_is_reported_as_cancelled() {
    let world = world(false);
    let ci = world.place("ci");
    let mut command = reporter(&ci, &[("command", "sh|-c|touch started; exec sleep 60")]);
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    while !ci.path.join("started").exists() {
        std::thread::yield_now();
    }
    assert!(run(ci.command("kill").args(["-INT", &child.id().to_string()])).code == Some(0));
    let output = child.wait_with_output().unwrap();
    let said = answer(&String::from_utf8_lossy(&output.stdout));
    assert_eq!((&said["result"], &said["exit_code"]), (&json!("cancelled"), &json!(143)), "{said}");
    assert_eq!(boxes(&world)[0]["body"]["result"], "cancelled");
}
