//! What CI says about a commit, and which of many reports counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::event::CiReport;
use super::id::{Oid, Ulid};
use super::status::status;

status! {
    /// The result of a CI job, or of all jobs together.
    JobResult {
        None = "none",
        Pending = "pending",
        Running = "running",
        Success = "success",
        Failure = "failure",
        Cancelled = "cancelled",
    }
}

impl JobResult {
    /// Whether the job has ended.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Cancelled)
    }

    /// How strongly this result counts among reports of one run and attempt: an end over a
    /// beginning, a failure over a success.
    fn weight(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Pending => 1,
            Self::Running => 2,
            Self::Success => 3,
            Self::Cancelled => 4,
            Self::Failure => 5,
        }
    }
}

/// A job is its provider, its workflow and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobKey {
    pub provider: Arc<str>,
    pub workflow: Arc<str>,
    pub job: Arc<str>,
}

/// The newest report of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub name: Arc<str>,
    pub result: JobResult,
    pub sha: Oid,
    pub url: Option<String>,
    pub attempt: u64,
    pub at_ms: u64,
    pub run: u64,
    pub id: Ulid,
}

/// Of two reports of one job the one with the larger rank is the newer one.
pub type Rank = (u64, u64, u8, Ulid);

impl CiReport {
    /// Returns its place among the reports of its job; `id` is the event's.
    pub fn rank(&self, id: Ulid) -> Rank {
        (self.run, self.attempt, self.result.weight(), id)
    }
}

impl Job {
    fn rank(&self) -> Rank {
        (self.run, self.attempt, self.result.weight(), self.id)
    }
}

/// The newest report of each job, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jobs(pub BTreeMap<JobKey, Job>);

impl Jobs {
    /// Takes in `report`; the order of calls does not matter.
    pub fn join(&mut self, report: &CiReport, id: Ulid, at_ms: u64) {
        let key = JobKey {
            provider: report.provider.clone(),
            workflow: report.workflow.clone(),
            job: report.job.clone(),
        };
        let job = Job {
            name: report.job.clone(),
            result: report.result,
            sha: report.commit,
            url: report.url.clone(),
            attempt: report.attempt,
            at_ms,
            run: report.run,
            id,
        };
        self.0
            .entry(key)
            .and_modify(|known| {
                if known.rank() < job.rank() {
                    *known = job.clone();
                }
            })
            .or_insert(job);
    }

    /// Returns one result for all jobs.
    ///
    /// With `required` names only these count, and a missing one is pending; without, every
    /// reported job counts, and no report at all is [`JobResult::None`].
    pub fn summary(&self, required: &[String]) -> JobResult {
        let counting = self
            .0
            .values()
            .filter(|job| required.is_empty() || required.iter().any(|name| **name == *job.name))
            .map(|job| job.result);
        let missing = required
            .iter()
            .any(|name| !self.0.values().any(|job| *job.name == **name))
            .then_some(JobResult::Pending);
        counting
            .chain(missing)
            .max_by_key(|result| match result {
                JobResult::None => 0,
                JobResult::Success => 1,
                JobResult::Pending => 2,
                JobResult::Running => 3,
                JobResult::Cancelled => 4,
                JobResult::Failure => 5,
            })
            .unwrap_or(JobResult::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(job: &str, run: u64, attempt: u64, result: JobResult) -> CiReport {
        CiReport {
            provider: "plain".into(),
            workflow: "".into(),
            job: job.into(),
            run,
            attempt,
            result,
            commit: Oid::from_bytes(&[1; 20]).unwrap(),
            tree: None,
            branch: None,
            url: None,
        }
    }

    #[test]
    fn f4_the_newest_report_of_a_job_counts_in_any_order() {
        use JobResult::{Failure, Running, Success};
        let reports = [
            report("test", 1, 1, Failure),
            report("test", 1, 2, Running),
            report("test", 2, 1, Running),
            report("test", 2, 1, Success),
        ];
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [3, 0, 2, 1], [1, 3, 0, 2]] {
            let mut jobs = Jobs::default();
            for idx in order {
                jobs.join(&reports[idx], Ulid(u128::try_from(idx).unwrap()), 0);
            }
            assert_eq!(jobs.summary(&[]), Success);
        }
    }

    #[test]
    fn a_required_job_that_never_reported_is_pending() {
        let mut jobs = Jobs::default();
        assert_eq!(jobs.summary(&[]), JobResult::None);
        jobs.join(&report("lint", 1, 1, JobResult::Success), Ulid(1), 0);
        assert_eq!(jobs.summary(&[]), JobResult::Success);
        assert_eq!(jobs.summary(&["test".into()]), JobResult::Pending);
        assert_eq!(jobs.summary(&["lint".into()]), JobResult::Success);
    }
}
