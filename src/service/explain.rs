//! Why a protocol or a step stands where it does, and what to type next.

use super::branch::Branches;
use super::error::Error;
use super::list::Shown;
use super::resolve;
use crate::domain::ci::JobResult;
use crate::domain::decide;
use crate::domain::problem::{Problem, of_verdict};
use crate::domain::sentence::short_ref;
use crate::domain::state::{Protocol, Step};
use crate::domain::status::{ProtocolStatus, StepStatus};
use crate::platform::git::Repo;

/// One explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    pub name: String,
    pub step: Option<String>,
    pub why: String,
    pub next_command: Option<String>,
    /// What the last verdict about the step holds against it, if that is about what it has now.
    pub problems: Vec<Problem>,
}

/// Explains a protocol, or one of its steps.
///
/// # Errors
///
/// [`Error::Unknown`] if there is no such step.
pub fn explain(repo: &Repo, shown: &Shown, step: Option<&str>) -> Result<Explained, Error> {
    let protocol = &shown.protocol;
    let name = shown.name.clone();
    let step = match step {
        Some(step) => Some(resolve::step(protocol, Some(step))?),
        None => None,
    };
    let (step, why, next_command) = match step.and_then(|id| protocol.step(&id)) {
        Some(step) => {
            let (why, next) = of_step(protocol, step, &name);
            (Some(step.id.to_string()), why, next)
        }
        None => match shown.row.merged_here.as_ref().filter(|_| !protocol.shown.is_final()) {
            Some(remote) => of_merge_here(protocol, remote),
            None => of_protocol(repo, protocol, &name),
        },
    };
    let is_meant = |of: &&Step| step.as_ref().is_none_or(|id| of.id.as_str() == id);
    let steps = protocol.steps.iter().filter(|_| !protocol.shown.is_final()).filter(is_meant);
    let problems = steps.flat_map(|step| problems(step, &name)).collect();
    Ok(Explained { name, step, why, next_command, problems })
}

fn problems(step: &Step, name: &str) -> Vec<Problem> {
    let verdict = step.verdict.as_ref().filter(|verdict| !verdict.stale && !step.is_settled());
    verdict.map(|shown| of_verdict(&shown.verdict, name, &step.id)).unwrap_or_default()
}

type Said = (Option<String>, String, Option<String>);

/// The merge that decides is the remote's.
fn of_merge_here(protocol: &Protocol, remote: &str) -> Said {
    let base = &protocol.created.base;
    let why = format!("merged here, not pushed: it is completed once {remote}/{base} has it");
    (None, why, Some(format!("git push {remote} {base}")))
}

fn of_protocol(repo: &Repo, protocol: &Protocol, name: &str) -> Said {
    if let Some(merged) = &protocol.merged {
        let into = short_ref(&merged.into);
        let open = protocol.steps.iter().filter(|step| !step.is_settled()).count();
        let rest = if open > 0 { format!("; {open} steps were still open") } else { String::new() };
        return (
            None,
            format!("merged into {into} by {} ({} rule){rest}", merged.commit.short(), merged.rule),
            None,
        );
    }
    if let Some(held) = protocol.held_by() {
        return (None, held.message, Some(held.remedy));
    }
    match protocol.shown {
        ProtocolStatus::Cancelled => (None, "the protocol was cancelled".to_owned(), None),
        ProtocolStatus::Completed => (None, "the protocol is completed".to_owned(), None),
        _ if protocol.is_ready_to_merge() => {
            let base = &protocol.created.base;
            let branch = &Branches::lazy(repo).name_here(protocol);
            let Some(source) = branch_here(repo, branch) else {
                let remote = repo.remotes().into_iter().next().map_or("origin".to_owned(), |it| it.name);
                let why = format!(
                    "every step is settled, but the branch {branch} is not here: who has it pushes it with \
                     `git push -u {remote} {branch}`; then fetch it and merge it into {base}"
                );
                return (None, why, Some(format!("git fetch {remote}")));
            };
            let why = format!("every step is settled: the branch is ready to be merged into {base}");
            (None, why, Some(merge_command(repo, base, &source)))
        }
        _ => match protocol.current_step() {
            Some(step) => {
                let (why, next) = of_step(protocol, step, name);
                (Some(step.id.to_string()), why, next)
            }
            None => (None, "the protocol has no plan yet".to_owned(), None),
        },
    }
}

/// Returns the name that a branch has in this clone: its own, or that of a remote's.
fn branch_here(repo: &Repo, branch: &str) -> Option<String> {
    let is_here = |name: &str| matches!(repo.find_ref(name), Ok(Some(_)));
    if is_here(&format!("refs/heads/{branch}")) {
        return Some(branch.to_owned());
    }
    let mut tracked = repo.remotes().into_iter().map(|remote| format!("{}/{branch}", remote.name));
    tracked.find(|tracked| is_here(&format!("refs/remotes/{tracked}")))
}

/// Returns the command that merges `source` here: where the base is checked out.
fn merge_command(repo: &Repo, base: &str, source: &str) -> String {
    match repo.worktrees().into_iter().find(|(_, checked_out)| checked_out == base) {
        Some((path, _)) if repo.work_dir() == Some(&path) => format!("git merge --no-ff {source}"),
        // From a folder that only `core.worktree` names, nothing leads to the repository.
        Some((path, _)) if !path.join(".git").exists() => {
            let dir = quoted(&repo.common_dir().to_string_lossy());
            format!("git --git-dir {dir} merge --no-ff {source}")
        }
        Some((path, _)) => format!("git -C {} merge --no-ff {source}", quoted(&path.to_string_lossy())),
        None => format!("git switch {base} && git merge --no-ff {source}"),
    }
}

/// Returns a text as one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn of_step(protocol: &Protocol, step: &Step, name: &str) -> (String, Option<String>) {
    let id = &step.id;
    let open: Vec<String> =
        protocol.open_dependencies(step).map(|dep| format!("{} ({})", dep.id, dep.shown)).collect();
    match step.recorded {
        StepStatus::Completed => {
            let by =
                step.evidence.as_ref().map(|evidence| format!(" by {}", evidence.by)).unwrap_or_default();
            (format!("step {id} was completed{by}"), None)
        }
        StepStatus::Cancelled => (format!("step {id} was given up"), None),
        StepStatus::Blocked => {
            let because = step.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            (format!("step {id} is blocked{because}"), Some(format!("git godzilla unblock {id} -p {name}")))
        }
        StepStatus::Failed => {
            let by = step.failed_by().map(|by| format!(": {by}")).unwrap_or_default();
            let why = format!("step {id} failed{by}");
            (why, Some(format!("git godzilla retry {id} -p {name}")))
        }
        _ if step.ci == JobResult::Failure => {
            let red = step.jobs.0.values().find(|job| job.result == JobResult::Failure);
            let job = red.map(|job| &*job.name).unwrap_or_default();
            let url = red.and_then(|job| job.url.as_ref()).map(|url| format!(" ({url})")).unwrap_or_default();
            (
                format!("CI job {job} is red on the newest commit of step {id}{url}"),
                Some("fix it and commit".to_owned()),
            )
        }
        StepStatus::Pending if !open.is_empty() => {
            (format!("step {id} waits for {}", open.join(", ")), Some(format!("git godzilla explain {name}")))
        }
        StepStatus::Pending => {
            let why =
                format!("step {id} can start: commit on branch {}, or start it", protocol.created.branch);
            (why, Some(format!("git godzilla start {id} -p {name}")))
        }
        StepStatus::Running => {
            let why = format!("step {id} is being worked on; tick its last box, or say that it is done");
            (why, Some(format!("git godzilla done {id} -p {name}")))
        }
        StepStatus::NeedsQa => match decide::waits_for(protocol, step, &|_| None) {
            Some(reason) if step.qa == crate::domain::spec::QaPolicy::Skip => {
                (format!("step {id} is done and completes by itself: {reason}"), None)
            }
            None if step.qa == crate::domain::spec::QaPolicy::Skip => (
                format!("step {id} is done, but its completion was taken back"),
                Some(format!("git godzilla approve {id} -p {name}")),
            ),
            reason => {
                let qa = match &step.verdict {
                    Some(verdict) if verdict.stale => "its verdict is about other content".to_owned(),
                    Some(verdict) => match (verdict.verdict.result.as_str(), reason) {
                        ("pass", Some(reason)) => {
                            return (format!("step {id} passed QA and completes by itself: {reason}"), None);
                        }
                        ("no_gate", _) => {
                            return (
                                format!("step {id} waits for QA, but no gate judges it"),
                                Some(format!("git godzilla approve {id} -p {name}")),
                            );
                        }
                        (result, _) => format!("the last one ended with {result}"),
                    },
                    None => "nothing has judged it yet".to_owned(),
                };
                (
                    format!("step {id} is done and waits for QA ({}): {qa}", step.qa),
                    Some(format!("git godzilla qa {id} -p {name}")),
                )
            }
        },
    }
}
