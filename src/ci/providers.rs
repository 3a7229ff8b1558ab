//! The variables of each provider, as a table, and what a table cannot say.

use super::{Detected, JobResult, Provider, Sha, Source, github, parse_result, value};

/// The variables and files of one job.
pub(super) struct Env<'a>(pub(super) &'a dyn Source);

/// One provider. Of several names the first that is *set* decides, also when
/// its value turns out to be of no use: the next one may be another commit.
pub(super) struct Row {
    pub(super) provider: Provider,
    pub(super) marker: Marker,
    workflow: &'static [&'static str],
    job: &'static [&'static str],
    run: &'static [&'static str],
    attempt: &'static [&'static str],
    sha: &'static [&'static str],
    branch: &'static [&'static str],
    /// Set while a tag is built, when the branch variables hold the tag.
    tag: Option<&'static str>,
    url: &'static [&'static str],
    result: Status,
    /// Corrects what was read by the columns above.
    finish: fn(&Env, &mut Detected),
}

/// The variable that gives a provider away.
pub(super) struct Marker {
    pub(super) name: &'static str,
    /// `None`: anything but `false` and `0` will do.
    pub(super) value: Option<&'static str>,
}

enum Status {
    Untold,
    Word(&'static str),
    /// The variable holds this text after success, and another after failure.
    Success(&'static str, &'static str),
}

const BLANK: Row = Row {
    provider: Provider::Plain,
    marker: Marker::set("CI"),
    workflow: &[],
    job: &[],
    run: &[],
    attempt: &[],
    sha: &[],
    branch: &[],
    tag: None,
    url: &[],
    result: Status::Untold,
    finish: |_, _| (),
};

const GITHUB: Row = Row {
    provider: Provider::GitHub,
    marker: Marker::set("GITHUB_ACTIONS"),
    workflow: &["GITHUB_WORKFLOW"],
    job: &["GITHUB_JOB"],
    run: &["GITHUB_RUN_ID"],
    attempt: &["GITHUB_RUN_ATTEMPT"],
    finish: github::github,
    ..BLANK
};

/// In order of detection: a system that imitates another, or hosts its
/// runners, must not be taken for it. Forgejo sets the markers of Gitea and
/// GitHub, Gitea that of GitHub; old Woodpeckers set that of Drone; AWS's
/// system can host runners of GitHub.
pub(super) const ROWS: &[Row] = &[
    Row {
        provider: Provider::Forgejo,
        marker: Marker::set("FORGEJO_ACTIONS"),
        finish: github::forgejo,
        ..GITHUB
    },
    Row {
        provider: Provider::Gitea,
        marker: Marker::set("GITEA_ACTIONS"),
        finish: github::forgejo,
        ..GITHUB
    },
    GITHUB,
    Row {
        provider: Provider::Woodpecker,
        marker: Marker { name: "CI", value: Some("woodpecker") },
        workflow: &["CI_WORKFLOW_NAME"],
        job: &["CI_STEP_NAME"],
        run: &["CI_PIPELINE_NUMBER", "CI_BUILD_NUMBER"],
        sha: &["CI_COMMIT_SHA"],
        branch: &["CI_COMMIT_SOURCE_BRANCH", "CI_COMMIT_BRANCH"],
        tag: Some("CI_COMMIT_TAG"),
        url: &["CI_STEP_URL", "CI_PIPELINE_URL", "CI_BUILD_LINK"],
        result: Status::Word("CI_PIPELINE_STATUS"),
        ..BLANK
    },
    Row {
        provider: Provider::GitLab,
        marker: Marker::set("GITLAB_CI"),
        // No workflow: job names are unique in a pipeline, and its own name
        // may differ from run to run.
        job: &["CI_JOB_NAME"],
        run: &["CI_PIPELINE_ID"],
        attempt: &["CI_JOB_ID"],
        // The first is set only where CI_COMMIT_SHA is a merge made by GitLab.
        sha: &["CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA"],
        branch: &["CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_BRANCH", "CI_COMMIT_REF_NAME"],
        tag: Some("CI_COMMIT_TAG"),
        url: &["CI_JOB_URL", "CI_PIPELINE_URL"],
        result: Status::Word("CI_JOB_STATUS"),
        ..BLANK
    },
    Row {
        provider: Provider::CircleCi,
        marker: Marker::set("CIRCLECI"),
        job: &["CIRCLE_JOB"],
        run: &["CIRCLE_BUILD_NUM"],
        sha: &["CIRCLE_SHA1"],
        branch: &["CIRCLE_BRANCH"],
        tag: Some("CIRCLE_TAG"),
        url: &["CIRCLE_BUILD_URL"],
        finish: circleci,
        ..BLANK
    },
    Row {
        provider: Provider::Jenkins,
        marker: Marker::set("JENKINS_URL"),
        job: &["JOB_NAME", "STAGE_NAME"],
        run: &["BUILD_NUMBER"],
        sha: &["GIT_COMMIT"],
        branch: &["CHANGE_BRANCH", "BRANCH_NAME"],
        tag: Some("TAG_NAME"),
        url: &["RUN_DISPLAY_URL", "BUILD_URL"],
        finish: jenkins,
        ..BLANK
    },
    Row {
        provider: Provider::Buildkite,
        marker: Marker::set("BUILDKITE"),
        workflow: &["BUILDKITE_PIPELINE_SLUG"],
        job: &["BUILDKITE_LABEL", "BUILDKITE_STEP_KEY"],
        run: &["BUILDKITE_BUILD_NUMBER"],
        attempt: &["BUILDKITE_RETRY_COUNT"],
        sha: &["BUILDKITE_COMMIT"],
        branch: &["BUILDKITE_BRANCH"],
        tag: Some("BUILDKITE_TAG"),
        url: &["BUILDKITE_BUILD_URL"],
        result: Status::Success("BUILDKITE_COMMAND_EXIT_STATUS", "0"),
        finish: buildkite,
    },
    Row {
        provider: Provider::Azure,
        marker: Marker::set("TF_BUILD"),
        workflow: &["BUILD_DEFINITIONNAME"],
        job: &["SYSTEM_JOBDISPLAYNAME", "AGENT_JOBNAME"],
        run: &["BUILD_BUILDID"],
        attempt: &["SYSTEM_JOBATTEMPT"],
        sha: &["SYSTEM_PULLREQUEST_SOURCECOMMITID", "BUILD_SOURCEVERSION"],
        // BUILD_SOURCEBRANCHNAME is only what follows the last slash.
        branch: &["SYSTEM_PULLREQUEST_SOURCEBRANCH", "BUILD_SOURCEBRANCH"],
        result: Status::Word("AGENT_JOBSTATUS"),
        finish: azure,
        ..BLANK
    },
    Row {
        provider: Provider::Bitbucket,
        marker: Marker::set("BITBUCKET_BUILD_NUMBER"),
        // No job: a step has no name here, and its id is new in every run.
        run: &["BITBUCKET_BUILD_NUMBER"],
        attempt: &["BITBUCKET_STEP_RUN_NUMBER"],
        sha: &["BITBUCKET_COMMIT"],
        branch: &["BITBUCKET_BRANCH"],
        tag: Some("BITBUCKET_TAG"),
        result: Status::Success("BITBUCKET_EXIT_CODE", "0"),
        finish: bitbucket,
        ..BLANK
    },
    Row {
        provider: Provider::Drone,
        marker: Marker::set("DRONE"),
        workflow: &["DRONE_STAGE_NAME"],
        job: &["DRONE_STEP_NAME"],
        run: &["DRONE_BUILD_NUMBER"],
        sha: &["DRONE_COMMIT_SHA"],
        branch: &["DRONE_SOURCE_BRANCH", "DRONE_BRANCH"],
        tag: Some("DRONE_TAG"),
        url: &["DRONE_BUILD_LINK"],
        result: Status::Word("DRONE_BUILD_STATUS"),
        ..BLANK
    },
    Row {
        provider: Provider::Travis,
        marker: Marker::set("TRAVIS"),
        job: &["TRAVIS_JOB_NAME"],
        run: &["TRAVIS_BUILD_ID"],
        sha: &["TRAVIS_PULL_REQUEST_SHA", "TRAVIS_COMMIT"],
        branch: &["TRAVIS_PULL_REQUEST_BRANCH", "TRAVIS_BRANCH"],
        tag: Some("TRAVIS_TAG"),
        url: &["TRAVIS_JOB_WEB_URL"],
        result: Status::Success("TRAVIS_TEST_RESULT", "0"),
        ..BLANK
    },
    Row {
        provider: Provider::CodeBuild,
        marker: Marker::set("CODEBUILD_BUILD_ID"),
        run: &["CODEBUILD_BUILD_NUMBER"],
        sha: &["CODEBUILD_RESOLVED_SOURCE_VERSION"],
        branch: &["CODEBUILD_WEBHOOK_HEAD_REF"],
        url: &["CODEBUILD_BUILD_URL"],
        result: Status::Success("CODEBUILD_BUILD_SUCCEEDING", "1"),
        finish: codebuild,
        ..BLANK
    },
];

/// Reads the row of the first provider whose marker is there.
pub(super) fn detect(env: &Env) -> Detected {
    match ROWS.iter().find(|row| row.marker.is_in(env)) {
        Some(row) => row.read(env),
        None => Detected { sha: Some(Sha::Head), ..BLANK.read(env) },
    }
}

impl Row {
    fn read(&self, env: &Env) -> Detected {
        let name = |names| env.first(names).as_deref().and_then(value::name);
        let number = |names| env.first(names).as_deref().and_then(value::number);

        let mut detected = Detected {
            provider: self.provider,
            workflow: name(self.workflow),
            job: name(self.job),
            run: number(self.run),
            attempt: number(self.attempt),
            sha: env.sha(self.sha),
            branch: env.first(self.branch).as_deref().and_then(value::branch),
            url: env.first(self.url).as_deref().and_then(value::url),
            result: self.result.read(env),
            at_ms: None,
        };
        (self.finish)(env, &mut detected);
        if self.tag.is_some_and(|tag| env.text(tag).is_some()) {
            detected.branch = None;
        }
        detected
    }
}

impl Marker {
    const fn set(name: &'static str) -> Self {
        Self { name, value: None }
    }

    fn is_in(&self, env: &Env) -> bool {
        env.text(self.name).is_some_and(|text| match self.value {
            Some(value) => text == value,
            None => !text.eq_ignore_ascii_case("false") && text != "0",
        })
    }
}

impl Status {
    fn read(&self, env: &Env) -> Option<JobResult> {
        match *self {
            Self::Untold => None,
            Self::Word(name) => parse_result(&env.text(name)?),
            Self::Success(name, success) => {
                let text = env.text(name)?;
                let text = text.trim();
                // Windows and signals make exit codes negative.
                value::number(text.trim_start_matches('-'))?;
                Some(if text == success { JobResult::Success } else { JobResult::Failure })
            }
        }
    }
}

impl Env<'_> {
    /// Returns the variable `name` as it is, unless it is empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.0.var(name).filter(|text| !text.trim().is_empty())
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        value::number(&self.text(name)?)
    }

    pub(super) fn sha(&self, names: &[&str]) -> Option<Sha> {
        value::sha(&self.first(names)?)
    }

    fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.text(name))
    }
}

/// A pull request from a fork has `pull/N` for a branch.
fn circleci(_: &Env, detected: &mut Detected) {
    detected.branch = detected
        .branch
        .take()
        .filter(|branch| branch.strip_prefix("pull/").is_none_or(|number| value::number(number).is_none()));
}

/// A change request has `PR-N` for a branch when it hides its source; jobs
/// that are not multibranch know only the branch of the remote.
fn jenkins(env: &Env, detected: &mut Detected) {
    if env.text("CHANGE_BRANCH").is_none() {
        if env.text("CHANGE_ID").is_some() {
            detected.branch = None;
        } else if env.text("BRANCH_NAME").is_none() {
            detected.branch = env
                .text("GIT_BRANCH")
                .and_then(|branch| value::branch(branch.strip_prefix("origin/").unwrap_or(&branch)));
        }
    }
    if env.text("GIT_COMMIT").is_none() {
        detected.sha = Some(Sha::Head);
    }
}

fn buildkite(env: &Env, detected: &mut Detected) {
    if let (Some(build), Some(job)) = (&detected.url, env.text("BUILDKITE_JOB_ID")) {
        detected.url = value::url(&format!("{build}#{job}"));
    }
}

fn azure(env: &Env, detected: &mut Detected) {
    let collection = env.text("SYSTEM_COLLECTIONURI").unwrap_or_default();
    let collection = collection.trim().trim_end_matches('/');
    if let (Some(project), Some(run)) = (env.text("SYSTEM_TEAMPROJECT"), detected.run) {
        let project = value::path_segment(project.trim());
        detected.url = value::url(&format!("{collection}/{project}/_build/results?buildId={run}"));
    }
}

fn bitbucket(env: &Env, detected: &mut Detected) {
    let origin = env.text("BITBUCKET_GIT_HTTP_ORIGIN").unwrap_or_default();
    let origin = origin.trim().trim_end_matches('/');
    if let Some(run) = detected.run {
        detected.url = value::url(&format!("{origin}/pipelines/results/{run}"));
    }
}

/// A build id is the project, a colon, and something new for each build.
fn codebuild(env: &Env, detected: &mut Detected) {
    detected.job =
        env.text("CODEBUILD_BUILD_ID").and_then(|id| value::name(id.split(':').next().unwrap_or_default()));
}
