//! Requests of an attempt, each after a look at the job where it has an effect.

use std::sync::atomic::Ordering;

use super::context::{AttemptContext, Halt, unrecorded};
use crate::job::{Output, Status};
use crate::ports::{JobStore, Ports, Targets};
use crate::progress::PartPath;
use crate::request::{DispatchId, DispatchRequest, Request};

impl<P: Ports, T: Targets> AttemptContext<'_, P, T> {
    /// Sends one request, which may take as long as there is left, and no longer than `most_ms`.
    pub(super) async fn send(&self, at: &PartPath, request: Request, most_ms: u32) -> Result<Output, Halt> {
        self.begin().await?;
        match most_ms.min(self.left_ms()) {
            0 => Err(Halt::OutOfTime),
            timeout_ms => self.conclude(at, request, timeout_ms).await,
        }
    }

    /// Sends what belongs to an effect that is there already: whatever became of the job meanwhile, and of its time.
    pub(super) async fn conclude(&self, at: &PartPath, request: Request, timeout_ms: u32) -> Result<Output, Halt> {
        let id = DispatchId { fire: self.fire, message: at.message.clone(), place: at.path.clone() };
        let (attempt, trace) = (self.job.state.run.attempts, self.trace.map(str::to_owned));
        Ok(self.targets.dispatch(DispatchRequest { id, attempt, timeout_ms, trace, request }).await?)
    }

    /// Must be called before anything that has an effect: no part begins for a job that was cancelled or paused
    /// meanwhile (I6), without the lease, or before earlier parts are saved, so that a crash repeats at most one
    /// part. The first part of an attempt is covered by the claim.
    pub(super) async fn begin(&self) -> Result<(), Halt> {
        if !self.has_begun.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        self.note_all().await.map_err(|error| unrecorded(&error))?;
        self.check_lease().await
    }

    async fn check_lease(&self) -> Result<(), Halt> {
        let job = self.ports.jobs().get(self.job.id).await.map_err(|error| unrecorded(&error))?;
        let state = job.map(|job| job.state);
        let Some(state) = state.filter(|it| it.lease.as_ref().is_some_and(|lease| lease.owner == *self.owner)) else {
            return Err(Halt::LeaseLost);
        };
        match state.status {
            Status::Running => Ok(()),
            Status::Paused => Err(Halt::Paused),
            _ => Err(Halt::LeaseLost),
        }
    }
}
