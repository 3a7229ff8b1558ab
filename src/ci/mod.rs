//! Which CI job this is, read from the variables its provider sets.
//!
//! [`detect`] fills in what a `ci.reported` event needs and what the provider
//! tells; `ci-report` lets a flag override every field, and asks for what is
//! missing. Nothing here reads the environment, a file, or a repository: the
//! caller hands in a [`Source`] and resolves a [`Sha`] that only git knows.
//!
//! A job is (provider, workflow, job), and its newest report has the largest
//! (run, attempt). So `run` and `attempt` must never go back for one job, and
//! must tell two executions apart:
//!
//! | Provider | run | attempt |
//! |---|---|---|
//! | GitHub, Forgejo, Gitea | `GITHUB_RUN_ID`: never reused, while run *numbers* start again when a workflow file is renamed | `GITHUB_RUN_ATTEMPT` |
//! | GitLab | `CI_PIPELINE_ID` | `CI_JOB_ID`: a retried job keeps its pipeline and gets a larger id |
//! | Azure | `BUILD_BUILDID` | `SYSTEM_JOBATTEMPT` |
//! | Bitbucket | `BITBUCKET_BUILD_NUMBER` | `BITBUCKET_STEP_RUN_NUMBER` |
//! | Buildkite | `BUILDKITE_BUILD_NUMBER` | `BUILDKITE_RETRY_COUNT` |
//! | Circle | `CIRCLE_BUILD_NUM`: one for each job, new on a rerun | none |
//! | Travis | `TRAVIS_BUILD_ID` | none: a restart looks like the first try |
//! | the others | the build or pipeline number: a restart makes a new one | none |
//!
//! Where no attempt is told, a job that is run again within its run cannot be
//! told from its first execution. Many Gitea runners are too old to set it.
//!
//! All legs of a matrix share `GITHUB_JOB`; without `--job` their reports
//! would replace each other.
//!
//! Every value may come from a stranger's fork. Names lose their control
//! characters and what exceeds the limit; any other value that is not exactly
//! what it claims to be counts as absent, because half a branch name is the
//! name of another branch.

mod github;
mod providers;
mod value;

#[cfg(test)]
mod tests;

pub use crate::domain::ci::JobResult;

/// Where variables and files come from.
pub trait Source {
    /// Returns the variable `name`; empty is the same as absent.
    fn var(&self, name: &str) -> Option<String>;

    /// Returns the text of the file at `path`, or `None` if it cannot be read
    /// or exceeds the limit of the implementation, which should be 5 MiB.
    fn read(&self, path: &str) -> Option<String>;
}

/// The CI systems that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    GitHub,
    GitLab,
    Forgejo,
    Gitea,
    Woodpecker,
    CircleCi,
    Jenkins,
    Buildkite,
    Azure,
    Bitbucket,
    Drone,
    Travis,
    CodeBuild,
    /// An unknown CI system, or no CI at all.
    Plain,
}

/// The commit that a report speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sha {
    /// 40 or 64 hex digits in lower case.
    Known(String),
    /// The checkout is a merge made by the provider, and the change is its
    /// second parent. `HEAD^2` does not resolve in a shallow clone, but the
    /// commit object of `HEAD` names both parents. A `HEAD` with one parent
    /// means that the job checked out something else.
    SecondParentOfHead,
    /// Whatever `HEAD` is.
    Head,
}

/// What the environment tells about the job; `None` is "it does not tell".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    pub provider: Provider,
    /// At most 200 characters, none of them a control character.
    pub workflow: Option<String>,
    /// At most 200 characters, none of them a control character.
    pub job: Option<String>,
    /// See the [module docs](self) for its source.
    pub run: Option<u64>,
    /// Orders the executions of a job within one run.
    pub attempt: Option<u64>,
    pub sha: Option<Sha>,
    /// The branch of the change without `refs/heads/`, for a pull request its
    /// source and never its target; `None` for tags. At most 255 characters.
    pub branch: Option<String>,
    /// A page for people, `http` or `https`, at most 2,000 characters.
    pub url: Option<String>,
    /// How the job stands *so far*. Some providers say success until a step
    /// fails, so this is final only in the job's last step. Never set on
    /// GitHub, Forgejo, Gitea, Circle, and Jenkins.
    pub result: Option<JobResult>,
    /// Milliseconds since 1970. No provider tells when a job ended, so this is
    /// `None` until one does.
    pub at_ms: Option<u64>,
}

/// Returns what `source` tells about the job that we run in.
///
/// Never fails: an environment without a known provider is
/// [`Provider::Plain`] at [`Sha::Head`]. At most one file is read, the event
/// that GitHub, Forgejo, and Gitea write for the job.
pub fn detect(source: &dyn Source) -> Detected {
    providers::detect(&providers::Env(source))
}

/// Returns the result that `word` stands for at some provider, in any case.
///
/// `None` for words that say nothing about the code, like `skipped` and
/// `neutral`, and for unknown ones: neither may open a gate.
pub fn parse_result(word: &str) -> Option<JobResult> {
    let result = match word.trim().to_ascii_lowercase().as_str() {
        "blocked"
        | "created"
        | "pending"
        | "preparing"
        | "queued"
        | "requested"
        | "scheduled"
        | "waiting"
        | "waiting_for_resource" => JobResult::Pending,
        "in_progress" | "running" | "started" => JobResult::Running,
        "fixed" | "passed" | "succeeded" | "succeededwithissues" | "success" | "successful" => {
            JobResult::Success
        }
        "broken" | "error" | "errored" | "fail" | "failed" | "failing" | "failure" | "startup_failure"
        | "timed_out" | "timedout" | "unstable" => JobResult::Failure,
        "aborted" | "canceled" | "canceling" | "cancelled" | "cancelling" | "killed" | "stopped" => {
            JobResult::Cancelled
        }
        _ => return None,
    };
    Some(result)
}

/// Returns `raw` as the short name of a branch, without `refs/heads/`; `None` if git would not let a
/// branch have this name, or if it has more than 255 characters.
pub fn parse_branch(raw: &str) -> Option<String> {
    value::branch(raw)
}

/// Returns `raw` if it is an `http` or `https` link for people, without a user or password in it and
/// with at most 2,000 characters.
pub fn parse_url(raw: &str) -> Option<String> {
    value::url(raw)
}

impl Provider {
    /// Whether [`Detected::result`] only tells how the job stands *so far*: a success may still
    /// become a failure.
    pub fn result_is_so_far(self) -> bool {
        matches!(self, Self::Woodpecker | Self::Drone | Self::Azure | Self::CodeBuild)
    }

    /// Returns the name in stored events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Forgejo => "forgejo",
            Self::Gitea => "gitea",
            Self::Woodpecker => "woodpecker",
            Self::CircleCi => "circleci",
            Self::Jenkins => "jenkins",
            Self::Buildkite => "buildkite",
            Self::Azure => "azure",
            Self::Bitbucket => "bitbucket",
            Self::Drone => "drone",
            Self::Travis => "travis",
            Self::CodeBuild => "codebuild",
            Self::Plain => "plain",
        }
    }
}
