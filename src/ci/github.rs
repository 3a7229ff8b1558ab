//! GitHub Actions, and Forgejo and Gitea, which set the same variables.
//!
//! Where the change is depends on the event. `GITHUB_SHA` is the commit that
//! the workflow runs on, which for a pull request at GitHub is a merge that
//! exists nowhere else; Forgejo and Gitea run on the head itself.

use serde_json::Value;

use super::providers::Env;
use super::{Detected, Sha, value};

/// Completes a job at GitHub.
pub(super) fn github(env: &Env, detected: &mut Detected) {
    (detected.sha, detected.branch) = change(env);
    detected.url = detected.run.and_then(|run| {
        let mut page = run_page(env, run)?;
        if let Some(attempt) = detected.attempt {
            page = format!("{page}/attempts/{attempt}");
        }
        value::url(&page)
    });
}

/// Completes a job at Forgejo or Gitea.
///
/// Their pages go by run *number*. Gitea 1.26 moved to ids and still takes
/// numbers that are not the id of another run; no variable tells its version.
pub(super) fn forgejo(env: &Env, detected: &mut Detected) {
    (detected.sha, detected.branch) = change(env);
    detected.url = env.number("GITHUB_RUN_NUMBER").and_then(|number| value::url(&run_page(env, number)?));
}

/// Returns the commit and the branch of the change, both of the same thing.
fn change(env: &Env) -> (Option<Sha>, Option<String>) {
    let event = env.text("GITHUB_EVENT_NAME").unwrap_or_default();
    let git_ref = env.text("GITHUB_REF").unwrap_or_default();
    match event.as_str() {
        // Runs on the default branch, on behalf of what the other run tested.
        // Without the event file that commit is unknown.
        "workflow_run" => {
            let payload = Payload::read(env);
            (
                payload.text("/workflow_run/head_sha").and_then(value::sha),
                payload.text("/workflow_run/head_branch").and_then(value::branch),
            )
        }
        // Runs the code of the base branch: a success says nothing about the
        // head, and the name of the head is the author's choice.
        "pull_request_target" => base(env, &git_ref),
        "pull_request" | "pull_request_review" | "pull_request_review_comment" => pull_request(env, &git_ref),
        // Inside a reusable workflow Forgejo names the event `workflow_call`.
        _ if git_ref.starts_with("refs/pull/") => pull_request(env, &git_ref),
        _ => base(env, &git_ref),
    }
}

fn pull_request(env: &Env, git_ref: &str) -> (Option<Sha>, Option<String>) {
    let payload = Payload::read(env);
    let sha = payload.text("/pull_request/head/sha").and_then(value::sha).or_else(|| {
        if git_ref.ends_with("/head") { env.sha(&["GITHUB_SHA"]) } else { Some(Sha::SecondParentOfHead) }
    });
    let branch = match env.text("GITHUB_HEAD_REF") {
        Some(head) => value::branch(&head),
        // Reviews come without the variable.
        None => payload.text("/pull_request/head/ref").and_then(value::branch),
    };
    (sha, branch)
}

fn base(env: &Env, git_ref: &str) -> (Option<Sha>, Option<String>) {
    let branch = match env.text("GITHUB_REF_TYPE").as_deref() {
        Some("branch") => env.text("GITHUB_REF_NAME").as_deref().and_then(value::branch),
        Some(_) => None,
        // Old runners set only the full name.
        None => git_ref.starts_with("refs/heads/").then(|| value::branch(git_ref)).flatten(),
    };
    (env.sha(&["GITHUB_SHA"]), branch)
}

/// Returns the page of a run. Gitea's server URL ends with a slash.
fn run_page(env: &Env, run: u64) -> Option<String> {
    let server = env.text("GITHUB_SERVER_URL")?;
    let server = server.trim().trim_end_matches('/');
    let repository = env.text("GITHUB_REPOSITORY")?;
    Some(format!("{server}/{repository}/actions/runs/{run}"))
}

/// The webhook event that started the run; `Null` if there is none to read.
struct Payload(Value);

impl Payload {
    fn read(env: &Env) -> Self {
        let text = env.text("GITHUB_EVENT_PATH").and_then(|path| env.0.read(&path));
        Self(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.0.pointer(pointer)?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::super::detect;
    use super::super::tests::{fake, shown};

    const JOB: &str = "CI=true, GITHUB_ACTIONS=true, GITHUB_WORKFLOW=CI, GITHUB_JOB=test, \
        GITHUB_RUN_ID=9000, GITHUB_RUN_NUMBER=7, GITHUB_RUN_ATTEMPT=2, GITHUB_SHA=AAAA, \
        GITHUB_SERVER_URL=https://git.example/, GITHUB_REPOSITORY=o/r, \
        GITHUB_EVENT_PATH=/event.json";
    const PUSH: &str = "GITHUB_EVENT_NAME=push, GITHUB_REF=refs/heads/a/b, \
        GITHUB_REF_NAME=a/b, GITHUB_REF_TYPE=branch";
    const PULL: &str = "GITHUB_EVENT_NAME=pull_request, GITHUB_HEAD_REF=dev, \
        GITHUB_REF=refs/pull/5/merge, GITHUB_REF_NAME=5/merge, GITHUB_REF_TYPE=branch";
    const PULL_EVENT: &str = r#"{"pull_request":{"head":{"ref":"dev","sha":"BBBB"}}}"#;

    /// Each case stands on top of `JOB`.
    #[test]
    fn github_finds_the_change_behind_each_event() {
        let table = [
            ("push", PUSH, r#"{"after":"BBBB"}"#, "AAAA @a/b"),
            ("push on an old runner", "GITHUB_REF=refs/heads/a/b", "", "AAAA @a/b"),
            ("tag", "GITHUB_REF=refs/tags/v1, GITHUB_REF_NAME=v1, GITHUB_REF_TYPE=tag", "", "AAAA @-"),
            ("tag on an old runner", "GITHUB_REF=refs/tags/v1", "", "AAAA @-"),
            ("pull request", PULL, PULL_EVENT, "BBBB @dev"),
            ("pull request without event", PULL, "", "second-parent @dev"),
            ("broken event", PULL, r#"{"pull"#, "second-parent @dev"),
            (
                "event of another shape",
                PULL,
                r#"{"pull_request":{"head":[{"sha":1}]}}"#,
                "second-parent @dev",
            ),
            (
                "event with a sha that is none",
                PULL,
                r#"{"pull_request":{"head":{"sha":"--upload-pack=x"}}}"#,
                "second-parent @dev",
            ),
            (
                "review, which does not set the head",
                "GITHUB_EVENT_NAME=pull_request_review, GITHUB_REF=refs/pull/5/merge",
                PULL_EVENT,
                "BBBB @dev",
            ),
            (
                "pull_request_target, which runs the base",
                "GITHUB_EVENT_NAME=pull_request_target, GITHUB_HEAD_REF=dev, \
                 GITHUB_REF_NAME=main, GITHUB_REF_TYPE=branch",
                PULL_EVENT,
                "AAAA @main",
            ),
            (
                "pull_request_target, even if the ref says otherwise",
                "GITHUB_EVENT_NAME=pull_request_target, GITHUB_REF=refs/pull/5/merge",
                PULL_EVENT,
                "AAAA @-",
            ),
            (
                "workflow_run",
                "GITHUB_EVENT_NAME=workflow_run, GITHUB_REF_NAME=main, GITHUB_REF_TYPE=branch",
                r#"{"workflow_run":{"head_branch":"dev","head_sha":"BBBB"}}"#,
                "BBBB @dev",
            ),
            (
                "workflow_run without event",
                "GITHUB_EVENT_NAME=workflow_run, GITHUB_REF_NAME=main, GITHUB_REF_TYPE=branch",
                "",
                "- @-",
            ),
            (
                "merge queue",
                "GITHUB_EVENT_NAME=merge_group, GITHUB_REF_TYPE=branch, \
                 GITHUB_REF_NAME=gh-readonly-queue/main/pr-5-ab",
                "",
                "AAAA @gh-readonly-queue/main/pr-5-ab",
            ),
            ("no commit", "GITHUB_SHA=", "", "- @-"),
            ("short sha", "GITHUB_SHA=abcdef0", "", "- @-"),
        ];
        for (name, env, event, expected) in table {
            let url = "https://git.example/o/r/actions/runs/9000/attempts/2";
            let expected = format!("github CI/test 9000.2 {expected} {url} -");
            assert_eq!(shown(&detect(&fake(&[JOB, env], event))), expected, "{name}");
        }
    }

    #[test]
    fn hostile_values_do_not_pass() {
        let url = "https://git.example/o/r/actions/runs/9000";
        let table = [
            ("no attempt", "GITHUB_RUN_ATTEMPT= ", format!("github CI/test 9000.- AAAA @- {url} -")),
            (
                "numbers that are none",
                "GITHUB_RUN_ID=-1, GITHUB_RUN_ATTEMPT=99999999999999999999",
                "github CI/test -.- AAAA @- - -".to_owned(),
            ),
            (
                "terminal sequences",
                "GITHUB_WORKFLOW=C\u{1b}[2JI\n, GITHUB_JOB=\u{202e}tset\r, \
                 GITHUB_REF_TYPE=branch, GITHUB_REF_NAME=a b",
                format!("github C[2JI/tset 9000.2 AAAA @- {url}/attempts/2 -"),
            ),
            (
                "script for a server",
                "GITHUB_SERVER_URL=javascript://git.example",
                "github CI/test 9000.2 AAAA @- - -".to_owned(),
            ),
            (
                "secret in the server",
                "GITHUB_SERVER_URL=https://me:token@git.example",
                "github CI/test 9000.2 AAAA @- - -".to_owned(),
            ),
        ];
        for (name, env, expected) in table {
            assert_eq!(shown(&detect(&fake(&[JOB, env], ""))), expected, "{name}");
        }
    }

    #[test]
    fn forgejo_and_gitea_are_not_github() {
        const FORGEJO: &str = "FORGEJO_ACTIONS=true, GITEA_ACTIONS=true";
        const GITEA: &str = "GITEA_ACTIONS=true";
        const HEAD: &str = "GITHUB_REF=refs/pull/5/head, GITHUB_REF_TYPE=";
        const CALLED: &str = "GITHUB_EVENT_NAME=workflow_call";
        let table: [(&str, &[&str], &str, &str); 8] = [
            ("forgejo push", &[FORGEJO, PUSH], "", "forgejo CI/test 9000.2 AAAA @a/b"),
            ("forgejo pull request", &[FORGEJO, PULL, HEAD], PULL_EVENT, "forgejo CI/test 9000.2 BBBB @dev"),
            ("forgejo runs the head itself", &[FORGEJO, PULL, HEAD], "", "forgejo CI/test 9000.2 AAAA @dev"),
            (
                "forgejo, reusable workflow",
                &[FORGEJO, PULL, HEAD, CALLED],
                PULL_EVENT,
                "forgejo CI/test 9000.2 BBBB @dev",
            ),
            (
                "forgejo, pull request without a branch",
                &[FORGEJO, PULL, HEAD, "GITHUB_HEAD_REF=refs/pull/5/head"],
                PULL_EVENT,
                "forgejo CI/test 9000.2 BBBB @-",
            ),
            ("gitea push", &[GITEA, PUSH], "", "gitea CI/test 9000.2 AAAA @a/b"),
            ("gitea pull request", &[GITEA, PULL, HEAD], PULL_EVENT, "gitea CI/test 9000.2 BBBB @dev"),
            (
                "gitea with an old runner",
                &[GITEA, PUSH, "GITHUB_RUN_ATTEMPT="],
                "",
                "gitea CI/test 9000.- AAAA @a/b",
            ),
        ];
        for (name, envs, event, expected) in table {
            let envs = [&[JOB], envs].concat();
            let expected = format!("{expected} https://git.example/o/r/actions/runs/7 -");
            assert_eq!(shown(&detect(&fake(&envs, event))), expected, "{name}");
        }
    }
}
