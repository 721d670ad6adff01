//! The store of jobs.

use std::future::Future;

use super::{PortError, WriteOutcome};
use crate::ids::JobId;
use crate::job::{Job, Run, Status};
use crate::machine::Transition;

/// The jobs: the truth.
pub trait JobStore: Send + Sync {
    /// Stores a new job; a conflict means that its id is taken.
    fn insert_new(&self, job: &Job) -> impl Future<Output = Result<WriteOutcome, PortError>> + Send;

    /// Reads a job, with everything that was committed before the call.
    fn get(&self, id: JobId) -> impl Future<Output = Result<Option<Job>, PortError>> + Send;

    /// Stores a transition, and the run that it retires, if the job still has the expected revision.
    fn commit(&self, transition: &Transition) -> impl Future<Output = Result<WriteOutcome, PortError>> + Send;

    /// Jobs of one product and environment, newest first, after `query.before`. It may be some seconds behind: whoever acts on a
    /// job reads it again. Costs the same on every page. Of the queued and running ones an adapter need not find those in their
    /// first attempt that were due when they were accepted, 15 days ago or longer: their messages are gone by then.
    fn list(&self, query: &JobQuery) -> impl Future<Output = Result<ListedJobs, PortError>> + Send;

    /// Retired runs of a job, latest first, before `before` (generation and run number); at most `limit` of them.
    fn retired_runs(
        &self,
        id: JobId,
        before: Option<(u32, u32)>,
        limit: usize,
    ) -> impl Future<Output = Result<History, PortError>> + Send;
}

/// A page of a job's retired runs.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// The runs, latest first.
    pub runs: Vec<Run>,
    /// Whether there may be more. A page may be short and still have a next one, as results may be large.
    pub has_more: bool,
}

impl History {
    /// A page of `limit` runs, out of what was found when one more was asked for.
    pub fn cut(mut runs: Vec<Run>, limit: usize) -> Self {
        let has_more = runs.len() > limit;
        runs.truncate(limit);
        Self { runs, has_more }
    }
}

/// Which jobs to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobQuery {
    /// The product.
    pub product: String,
    /// The environment.
    pub env: String,
    /// Only jobs of this status.
    pub status: Option<Status>,
    /// Only jobs older than this one.
    pub before: Option<JobId>,
    /// At most so many, 1 to 100.
    pub limit: usize,
}

/// A page of jobs.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedJobs {
    /// The jobs, newest first.
    pub jobs: Vec<Job>,
    /// What the next page comes before, if there may be one. A page may be short, even empty, and still have a next one:
    /// an adapter bounds what a page costs, not what it finds.
    pub next: Option<JobId>,
}

impl ListedJobs {
    /// A page that found all it could: only a full one may have a next.
    pub fn full(jobs: Vec<Job>, limit: usize) -> Self {
        let next = jobs.last().filter(|_| jobs.len() == limit).map(|job| job.id);
        Self { jobs, next }
    }
}
