//! The store of jobs.

use std::future::Future;

use super::{PortError, WriteOutcome};
use crate::ids::JobId;
use crate::job::{Job, Run, Status};
use crate::machine::Transition;

/// Stores jobs. This is the truth: timers and messages only point to it.
pub trait JobStore: Send + Sync {
    /// Stores a new job.
    ///
    /// [`WriteOutcome::Done`] if the job is stored: now, or before and unchanged since, as a client that repeats a request whose
    /// answer was lost meets its own write. [`WriteOutcome::Conflict`] if another job has its id, or it has changed since.
    fn insert_new(&self, job: &Job) -> impl Future<Output = Result<WriteOutcome, PortError>> + Send;

    /// Reads a job, with everything that was committed before the call.
    fn get(&self, id: JobId) -> impl Future<Output = Result<Option<Job>, PortError>> + Send;

    /// Stores a transition and the run that it retires, if the job still has the expected revision.
    fn commit(&self, transition: &Transition) -> impl Future<Output = Result<WriteOutcome, PortError>> + Send;

    /// Lists the jobs of one product and environment, newest first, after `query.before`. Every page costs the same.
    ///
    /// The list may be some seconds behind: read a job again before acting on it. A queued or running job in its
    /// first attempt may be missing if it was due when accepted, 15 days ago or longer; its messages have expired by
    /// then.
    fn list(&self, query: &JobQuery) -> impl Future<Output = Result<ListedJobs, PortError>> + Send;

    /// Lists retired runs of a job, latest first, before `before` (generation and run number); at most `limit` of
    /// them.
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
    /// True if there may be more. A page may be short and still have a next one, because results may be large.
    pub has_more: bool,
}

impl History {
    /// Builds a page of `limit` runs from a query for one more.
    pub fn cut(mut runs: Vec<Run>, limit: usize) -> Self {
        let has_more = runs.len() > limit;
        runs.truncate(limit);
        Self { runs, has_more }
    }
}

/// Selects jobs to list.
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
    /// Size of the page, 1 to 100.
    pub limit: usize,
}

/// A page of jobs.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedJobs {
    /// The jobs, newest first.
    pub jobs: Vec<Job>,
    /// The cursor of the next page, if there may be one. A page may be short or even empty and still have a next one:
    /// an adapter bounds the cost of a page, not what it finds.
    pub next: Option<JobId>,
}

impl ListedJobs {
    /// Builds a page from a query that found all it could: only a full page has a next one.
    pub fn full(jobs: Vec<Job>, limit: usize) -> Self {
        let next = jobs.last().filter(|_| jobs.len() == limit).map(|job| job.id);
        Self { jobs, next }
    }
}
