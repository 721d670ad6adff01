//! The benchmarks. They measure, print and judge nothing: a figure depends on the machine, and on what else that does.
//!
//! [`embedded`] runs the measurements, each of which has a module, in turn with [`bullmq`]; [`meter`] takes time and CPU time;
//! [`report`] prints them. [`stored`] does so with many jobs in the store. By themselves stand [`instructions`], [`cadence`], the search for occurrences, and `aws`: what the deployment on AWS
//! costs and how late it is, by the real code and AWS's rules.

#[cfg(feature = "aws")]
pub mod aws;
pub mod bullmq;
pub mod cadence;
#[cfg(feature = "cold")]
pub mod cold;
pub mod embedded;
mod http;
pub mod instructions;
mod lateness;
mod meter;
pub mod report;
pub mod stored;

pub use carillon_load::Failure;
use carillon_load::{CALLERS, CONCURRENCY};

/// The size of the measurement.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Jobs that are scheduled and run in a round.
    pub jobs: usize,
    /// Callers that schedule at the same time, each waiting for its answer.
    pub callers: usize,
    /// Fires that the worker hands over at the same time.
    pub concurrency: u32,
    /// Jobs whose lateness is taken.
    pub timed_jobs: usize,
    /// The time over which those are due, ms.
    pub timed_over_ms: usize,
    /// Jobs that are sent over HTTP in a round.
    pub http_jobs: usize,
    /// Connections that send them.
    pub connections: usize,
    /// Rounds, of which the median is shown.
    pub rounds: usize,
}

impl Sizes {
    /// The report.
    pub const FULL: Self = Self {
        jobs: 100_000,
        callers: CALLERS,
        concurrency: CONCURRENCY,
        timed_jobs: 500,
        timed_over_ms: 5_000,
        http_jobs: 30_000,
        connections: 16,
        rounds: 3,
    };

    /// To see that it works.
    pub const QUICK: Self = Self { jobs: 10_000, http_jobs: 3_000, rounds: 1, ..Self::FULL };
}
