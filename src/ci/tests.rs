//! What each provider's variables come to, as tables, and the laws that hold
//! in any environment. The events of GitHub are tested beside their code.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::providers::{Marker, ROWS};
use super::*;

/// Each stands for a full sha in the tables.
const COMMITS: [&str; 2] = ["AAAA", "BBBB"];

/// An environment, and the file `/event.json`.
pub(super) struct Fake {
    vars: HashMap<String, String>,
    event: Option<String>,
}

impl Source for Fake {
    fn var(&self, name: &str) -> Option<String> {
        self.vars.get(name).cloned()
    }

    fn read(&self, path: &str) -> Option<String> {
        self.event.clone().filter(|_| path == "/event.json")
    }
}

/// Makes an environment from texts like `A=1, B=x y`, of which the last that
/// sets a variable wins. `AAAA` becomes a full sha, an empty event no file.
pub(super) fn fake(envs: &[&str], event: &str) -> Fake {
    let expand = |text: &str| {
        COMMITS.iter().fold(text.to_owned(), |text, commit| {
            text.replace(commit, &commit[..1].to_lowercase().repeat(40))
        })
    };
    let pairs = envs.iter().flat_map(|env| env.split(", "));
    let vars = pairs
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), expand(value)))
        .collect();
    let event = (!event.is_empty()).then(|| expand(event));
    Fake { vars, event }
}

/// `provider workflow/job run.attempt sha @branch url result`; `-` for none.
pub(super) fn shown(detected: &Detected) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let number = |number: Option<u64>| number.map_or_else(|| "-".into(), |n| n.to_string());
    let sha = match &detected.sha {
        None => "-".into(),
        Some(Sha::Known(sha)) => sha[..4].to_uppercase(),
        Some(Sha::SecondParentOfHead) => "second-parent".into(),
        Some(Sha::Head) => "head".into(),
    };
    format!(
        "{} {}/{} {}.{} {sha} @{} {} {}",
        detected.provider.as_str(),
        text(&detected.workflow),
        text(&detected.job),
        number(detected.run),
        number(detected.attempt),
        text(&detected.branch),
        text(&detected.url),
        detected.result.map_or("-", JobResult::as_str),
    )
}

#[test]
fn gitlab_sees_through_merged_results() {
    const GITLAB: &str = "CI=true, GITLAB_CI=true, CI_PIPELINE_ID=40, CI_JOB_ID=55, \
        CI_JOB_NAME=test 1/2, CI_JOB_URL=https://gl.example/o/r/-/jobs/55, CI_COMMIT_SHA=AAAA, \
        CI_JOB_STATUS=success";
    let table = [
        ("branch", "CI_COMMIT_BRANCH=main, CI_COMMIT_REF_NAME=main", "AAAA @main JOB success"),
        ("branch on an old server", "CI_COMMIT_REF_NAME=main", "AAAA @main JOB success"),
        ("tag", "CI_COMMIT_REF_NAME=v1, CI_COMMIT_TAG=v1", "AAAA @- JOB success"),
        (
            "merge request",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME=0007-login, CI_MERGE_REQUEST_SOURCE_BRANCH_SHA= ",
            "AAAA @0007-login JOB success",
        ),
        (
            "merged results",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME=0007-login, CI_MERGE_REQUEST_SOURCE_BRANCH_SHA=BBBB",
            "BBBB @0007-login JOB success",
        ),
        (
            "merged results, where only the merge is certain",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME=0007-login, CI_MERGE_REQUEST_SOURCE_BRANCH_SHA=b",
            "- @0007-login JOB success",
        ),
        ("in the script", "CI_JOB_STATUS=running", "AAAA @- JOB running"),
        ("failed", "CI_JOB_STATUS=failed", "AAAA @- JOB failure"),
        ("canceled", "CI_JOB_STATUS=canceled", "AAAA @- JOB cancelled"),
        (
            "no job page",
            "CI_JOB_URL=, CI_PIPELINE_URL=http://gl.example/p/40",
            "AAAA @- http://gl.example/p/40 success",
        ),
    ];
    for (name, env, expected) in table {
        let expected = expected.replace("JOB", "https://gl.example/o/r/-/jobs/55");
        let detected = detect(&fake(&[GITLAB, env], ""));
        assert_eq!(shown(&detected), format!("gitlab -/test 1/2 40.55 {expected}"), "{name}");
    }
}

#[test]
fn other_providers_fill_what_they_know() {
    let table = [
        (
            "woodpecker pull request",
            "CI=woodpecker, CI_WORKFLOW_NAME=w, CI_STEP_NAME=s, CI_PIPELINE_NUMBER=8, \
             CI_COMMIT_SHA=AAAA, CI_COMMIT_SOURCE_BRANCH=dev, CI_COMMIT_BRANCH=main, \
             CI_PIPELINE_URL=https://w.example/8, CI_PIPELINE_STATUS=failure, DRONE=true",
            "woodpecker w/s 8.- AAAA @dev https://w.example/8 failure",
        ),
        (
            "circle",
            "CIRCLECI=true, CIRCLE_JOB=j, CIRCLE_BUILD_NUM=3, CIRCLE_SHA1=AAAA, CIRCLE_BRANCH=main",
            "circleci -/j 3.- AAAA @main - -",
        ),
        (
            "circle, from a fork",
            "CIRCLECI=true, CIRCLE_SHA1=AAAA, CIRCLE_BRANCH=pull/12",
            "circleci -/- -.- AAAA @- - -",
        ),
        (
            "jenkins",
            "JENKINS_URL=http://j/, JOB_NAME=o/r/main, STAGE_NAME=t, BUILD_NUMBER=4, \
             GIT_BRANCH=origin/a/b, BUILD_URL=http://j/4/",
            "jenkins -/o/r/main 4.- head @a/b http://j/4/ -",
        ),
        (
            "jenkins change",
            "JENKINS_URL=http://j/, GIT_COMMIT=AAAA, CHANGE_ID=5, CHANGE_BRANCH=dev, BRANCH_NAME=PR-5",
            "jenkins -/- -.- AAAA @dev - -",
        ),
        (
            "jenkins change that hides its source",
            "JENKINS_URL=http://j/, GIT_COMMIT=AAAA, CHANGE_ID=5, BRANCH_NAME=PR-5, GIT_BRANCH=PR-5",
            "jenkins -/- -.- AAAA @- - -",
        ),
        (
            "buildkite by hand",
            "BUILDKITE=true, BUILDKITE_PIPELINE_SLUG=p, BUILDKITE_STEP_KEY=k, \
             BUILDKITE_BUILD_NUMBER=6, BUILDKITE_RETRY_COUNT=0, BUILDKITE_COMMIT=HEAD, \
             BUILDKITE_BRANCH=main, BUILDKITE_BUILD_URL=https://b.example/6, \
             BUILDKITE_JOB_ID=01-ab, BUILDKITE_COMMAND_EXIT_STATUS=-1",
            "buildkite p/k 6.0 head @main https://b.example/6#01-ab failure",
        ),
        (
            "buildkite, from a fork",
            "BUILDKITE=true, BUILDKITE_COMMIT=AAAA, BUILDKITE_BRANCH=stranger:main, \
             BUILDKITE_COMMAND_EXIT_STATUS=0",
            "buildkite -/- -.- AAAA @- - success",
        ),
        (
            "azure pull request",
            "TF_BUILD=True, BUILD_DEFINITIONNAME=d, AGENT_JOBNAME=j, BUILD_BUILDID=77, \
             SYSTEM_JOBATTEMPT=1, BUILD_SOURCEVERSION=AAAA, SYSTEM_PULLREQUEST_SOURCECOMMITID=BBBB, \
             SYSTEM_PULLREQUEST_SOURCEBRANCH=refs/heads/a/b, BUILD_SOURCEBRANCH=refs/pull/5/merge, \
             SYSTEM_COLLECTIONURI=https://a.example/o/, SYSTEM_TEAMPROJECT=My Team, \
             AGENT_JOBSTATUS=SucceededWithIssues",
            "azure d/j 77.1 BBBB @a/b https://a.example/o/My%20Team/_build/results?buildId=77 success",
        ),
        (
            "azure tag",
            "TF_BUILD=True, BUILD_SOURCEVERSION=AAAA, BUILD_SOURCEBRANCH=refs/tags/v1",
            "azure -/- -.- AAAA @- - -",
        ),
        (
            "bitbucket",
            "BITBUCKET_BUILD_NUMBER=9, BITBUCKET_STEP_RUN_NUMBER=2, BITBUCKET_COMMIT=AAAA, \
             BITBUCKET_BRANCH=main, BITBUCKET_GIT_HTTP_ORIGIN=http://bb.example/o/r, \
             BITBUCKET_EXIT_CODE=1",
            "bitbucket -/- 9.2 AAAA @main http://bb.example/o/r/pipelines/results/9 failure",
        ),
        (
            "drone pull request",
            "DRONE=true, DRONE_STAGE_NAME=g, DRONE_STEP_NAME=s, DRONE_BUILD_NUMBER=2, \
             DRONE_COMMIT_SHA=AAAA, DRONE_SOURCE_BRANCH=dev, DRONE_BRANCH=main, \
             DRONE_BUILD_LINK=https://d.example/2, DRONE_BUILD_STATUS=success",
            "drone g/s 2.- AAAA @dev https://d.example/2 success",
        ),
        (
            "travis pull request",
            "TRAVIS=true, TRAVIS_JOB_NAME=j, TRAVIS_BUILD_ID=1, TRAVIS_COMMIT=AAAA, \
             TRAVIS_PULL_REQUEST_SHA=BBBB, TRAVIS_PULL_REQUEST_BRANCH=dev, TRAVIS_BRANCH=main, \
             TRAVIS_TEST_RESULT=0",
            "travis -/j 1.- BBBB @dev - success",
        ),
        (
            "travis tag",
            "TRAVIS=true, TRAVIS_COMMIT=AAAA, TRAVIS_BRANCH=v1, TRAVIS_TAG=v1, TRAVIS_TEST_RESULT=1",
            "travis -/- -.- AAAA @- - failure",
        ),
        (
            "codebuild",
            "CODEBUILD_BUILD_ID=proj:0a-1b, CODEBUILD_BUILD_NUMBER=5, \
             CODEBUILD_RESOLVED_SOURCE_VERSION=AAAA, CODEBUILD_WEBHOOK_HEAD_REF=refs/heads/dev, \
             CODEBUILD_BUILD_SUCCEEDING=1",
            "codebuild -/proj 5.- AAAA @dev - success",
        ),
    ];
    for (name, env, expected) in table {
        assert_eq!(shown(&detect(&fake(&[env], ""))), expected, "{name}");
    }
}

#[test]
fn anything_else_is_plain() {
    for env in ["HOME=/root", "CI=true", "GITHUB_ACTIONS=false, GITLAB_CI=0, CIRCLECI="] {
        let detected = detect(&fake(&[env], ""));
        assert_eq!(shown(&detected), "plain -/- -.- head @- - -", "{env}");
    }
}

#[test]
fn results_are_read_in_any_case() {
    for (words, expected) in [
        ("success Succeeded PASSED", Some(JobResult::Success)),
        ("failed FAILURE error UNSTABLE timed_out", Some(JobResult::Failure)),
        ("canceled cancelled ABORTED killed", Some(JobResult::Cancelled)),
        ("running in_progress", Some(JobResult::Running)),
        ("pending queued created", Some(JobResult::Pending)),
        ("skipped neutral manual NOT_BUILT successs", None),
    ] {
        for word in words.split(' ') {
            assert_eq!(parse_result(word), expected, "{word}");
        }
    }
    assert_eq!(parse_result(""), None);
}

/// Every result that is written can be read back.
#[test]
fn names_are_distinct_and_stable() {
    for result in
        [JobResult::Pending, JobResult::Running, JobResult::Success, JobResult::Failure, JobResult::Cancelled]
    {
        assert_eq!(parse_result(result.as_str()), Some(result));
    }
    let names: HashSet<&str> = ROWS.iter().map(|row| row.provider.as_str()).collect();
    assert_eq!(names.len(), ROWS.len());
}

/// Answers every name, so also those that a table here forgets.
struct Hostile<'a> {
    row: usize,
    values: &'a [String],
    event: &'a str,
}

impl Source for Hostile<'_> {
    fn var(&self, name: &str) -> Option<String> {
        for (row, Marker { name: marker, value }) in ROWS.iter().map(|row| &row.marker).enumerate() {
            if name == *marker {
                return (row == self.row).then(|| value.unwrap_or("true").to_owned());
            }
        }
        let hash =
            name.bytes().fold(7_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte)));
        Some(self.values[hash % self.values.len()].clone())
    }

    fn read(&self, _: &str) -> Option<String> {
        Some(self.event.to_owned())
    }
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        ".*",
        "[a-c\u{0}-\u{20}\u{7f}-\u{a0}\u{202e}/.:@~-]{0,12}",
        "[0-9a-fA-F]{38,41}|[0-9a-f]{64}|0{40}|HEAD",
        "[-+]?[0-9]{0,22}",
        "(https?|HTTP|ftp)://.{0,30}",
        "(refs/(heads|tags|pull)/)?.{0,20}",
        "[é]{190,300}|https://[é/]{1980,2010}",
        prop::sample::select(vec![
            "pull_request",
            "pull_request_target",
            "workflow_run",
            "branch",
            "refs/pull/1/head"
        ])
        .prop_map(str::to_owned),
    ]
}

fn any_event() -> impl Strategy<Value = String> {
    let object = (any_value(), any_value()).prop_map(|(sha, name)| {
        serde_json::json!({
            "pull_request": { "head": { "sha": sha, "ref": name } },
            "workflow_run": { "head_sha": sha, "head_branch": name },
        })
        .to_string()
    });
    prop_oneof![object, ".*", (1_usize..5_000).prop_map(|n| "[".repeat(n))]
}

proptest! {
    /// Whatever the variables and the event hold, what comes out is within its
    /// limits and is what it claims to be.
    #[test]
    fn no_environment_breaks_the_promises(
        row in 0..ROWS.len() + 1,
        values in prop::collection::vec(any_value(), 1..12),
        event in any_event(),
    ) {
        let detected = detect(&Hostile { row, values: &values, event: &event });

        let expected = ROWS.get(row).map_or(Provider::Plain, |row| row.provider);
        prop_assert_eq!(detected.provider, expected);
        for (text, max_chars) in [
            (&detected.workflow, 200),
            (&detected.job, 200),
            (&detected.branch, 255),
            (&detected.url, 2_000),
        ] {
            let Some(text) = text else { continue };
            prop_assert!(!text.is_empty() && text.trim() == text);
            prop_assert!(text.chars().count() <= max_chars);
            let is_hidden = |c: char| c.is_control() || c == '\u{202e}';
            prop_assert!(!text.contains(is_hidden));
        }
        if let Some(url) = detected.url {
            let url = url.to_ascii_lowercase();
            prop_assert!(url.starts_with("http://") || url.starts_with("https://"));
        }
        if let Some(Sha::Known(sha)) = detected.sha {
            prop_assert!(matches!(sha.len(), 40 | 64));
            prop_assert!(sha.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        }
    }
}
