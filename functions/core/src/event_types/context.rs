//! One attempt of a run: what its event and the parts of that have in common.
//!
//! [`super::tries`] runs events with it, [`super::sending`] sends requests, and [`super::checkpoints`] keeps what is done.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use super::limits::Limits;
use crate::catalog::Catalog;
use crate::ids::{Fire, Owner};
use crate::job::{Job, Output, RunError, codes};
use crate::ports::{Clock, PortError, Ports, Targets};
use crate::progress::{Checkpoint, CheckpointId, PartPath, RunId};
use crate::time::UnixMillis;

/// One attempt, with everything that its parts need.
pub struct AttemptContext<'a, P, T> {
    /// The ports.
    pub ports: &'a P,
    /// The targets.
    pub targets: &'a T,
    /// The catalog by which the attempt runs.
    pub catalog: &'a Catalog,
    /// The job as it was claimed.
    pub job: &'a Job,
    /// The fire that was claimed.
    pub fire: Fire,
    /// The owner of the lease.
    pub owner: &'a Owner,
    /// The trace that it belongs to.
    pub trace: Option<&'a str>,
    /// Bounds on attempts.
    pub limits: &'a Limits,
    /// When what runs at present has to be over.
    pub until: UnixMillis,
    /// Bound on the request of what is one, ms.
    pub request_ms: u32,
    /// Parts that are done.
    pub(super) done: Arc<Mutex<Done>>,
    /// True once a part was begun.
    pub(super) has_begun: Arc<AtomicBool>,
}

/// Parts that this attempt or an earlier one has done.
#[derive(Default)]
pub(super) struct Done {
    /// By place.
    pub(super) by_place: BTreeMap<String, Checkpoint>,
    /// Places of those that the store has not taken yet.
    pub(super) unnoted: Vec<String>,
}

impl<'a, P: Ports, T: Targets> AttemptContext<'a, P, T> {
    /// The attempt of a job that was claimed a moment ago.
    pub fn new(
        ports: &'a P,
        targets: &'a T,
        (catalog, job, fire, owner): (&'a Catalog, &'a Job, Fire, &'a Owner),
        limits: &'a Limits,
        timeout_ms: u32,
    ) -> Self {
        let until = ports.clock().now().plus(timeout_ms.into());
        let (done, has_begun) = (Arc::default(), Arc::default());
        Self {
            ports,
            targets,
            catalog,
            job,
            fire,
            owner,
            trace: None,
            limits,
            until,
            request_ms: u32::MAX,
            done,
            has_begun,
        }
    }

    /// Adds the attempt's trace.
    #[must_use]
    pub fn traced(self, trace: Option<&'a str>) -> Self {
        Self { trace, ..self }
    }

    /// The run, whichever generation works on it.
    pub(super) fn run(&self) -> RunId {
        RunId { job_id: self.job.id, run_no: self.job.state.run.run_no }
    }

    /// The place of something as a part of the run.
    pub(super) fn part_name(&self, at: &PartPath) -> CheckpointId {
        CheckpointId { run: self.run(), place: at.key() }
    }

    /// The time left, ms.
    pub(super) fn left_ms(&self) -> u32 {
        u32::try_from(self.until.since(self.ports.clock().now()).max(0)).unwrap_or(u32::MAX)
    }

    /// Turns a timeout of a part into a failure if the attempt itself still has time left.
    pub(super) fn judged(&self, ended: Result<Output, Halt>) -> Result<Output, Halt> {
        match ended {
            Err(Halt::OutOfTime) if self.left_ms() > 0 => {
                Err(Halt::OutOfTime.error().map_or(Halt::OutOfTime, Halt::Failed))
            }
            ended => ended,
        }
    }

    /// Limits the context to a part that may take no longer than this.
    pub(super) fn within(&self, timeout_ms: u32) -> Self {
        let until = self.ports.clock().now().plus(timeout_ms.into()).min(self.until);
        Self { until, done: Arc::clone(&self.done), has_begun: Arc::clone(&self.has_begun), ..*self }
    }
}

/// Why an attempt ends without a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Halt {
    /// The event failed.
    Failed(RunError),
    /// The store did not take or give what belongs to the run: the attempt failed, and nothing that it ran did.
    StoreFailed(RunError),
    /// No time was left, and nothing more was begun.
    OutOfTime,
    /// The job was paused, and the rest waits for its resumption.
    Paused,
    /// The job was cancelled, or the lease is lost: nothing is recorded.
    LeaseLost,
}

impl Halt {
    /// The error of the attempt, if it failed.
    pub fn error(&self) -> Option<RunError> {
        match self {
            Self::Failed(error) | Self::StoreFailed(error) => Some(error.clone()),
            Self::OutOfTime => Some(RunError::transient(codes::TIMEOUT, "no time was left for it")),
            Self::Paused | Self::LeaseLost => None,
        }
    }
}

impl From<RunError> for Halt {
    fn from(error: RunError) -> Self {
        Self::Failed(error)
    }
}

/// The error for progress that could not be stored or read: another attempt may succeed.
pub(super) fn unrecorded(_: &PortError) -> Halt {
    Halt::StoreFailed(RunError::transient(
        codes::INTERNAL_ERROR,
        "the store did not take or give what belongs to the run",
    ))
}
