//! The progress of composite events, the counters of quotas, and the health of fallbacks.

use std::collections::BTreeMap;
use std::future::Future;

use super::PortError;
use crate::progress::{Checkpoint, CheckpointId, Counted, CounterId, FallbackId, RunId};
use crate::time::UnixMillis;

/// Stores the finished parts of runs, so that another attempt does not repeat them.
pub trait Checkpoints: Send + Sync {
    /// The finished parts of a run whose places begin with `under`, with everything that was saved before the call.
    fn finished(&self, run: RunId, under: &str) -> impl Future<Output = Result<Vec<Checkpoint>, PortError>> + Send;

    /// Saves at `now` that a part is finished, over an earlier checkpoint of its place. It is kept as long as a run
    /// is.
    fn save(
        &self,
        run: RunId,
        part: &Checkpoint,
        now: UnixMillis,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Counters with a limit, each for one period of a quota.
pub trait Counters: Send + Sync {
    /// The amount used of a counter.
    fn used(&self, counter: &CounterId) -> impl Future<Output = Result<u64, PortError>> + Send;

    /// Adds `amount`, unless the counter would pass `limit` or `by` was counted before: a repeated request counts
    /// once.
    fn add(
        &self,
        counter: &CounterId,
        by: &CheckpointId,
        amount: u64,
        limit: u64,
    ) -> impl Future<Output = Result<Counted, PortError>> + Send;

    /// Resets a counter, once for each `by`.
    fn reset(&self, counter: &CounterId, by: &CheckpointId) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Stores which options of fallbacks have failed lately.
pub trait FallbackHealth: Send + Sync {
    /// The options that are marked as failing, with the end of each mark. It may be some seconds behind.
    fn failing(
        &self,
        fallback: &FallbackId,
    ) -> impl Future<Output = Result<BTreeMap<String, UnixMillis>, PortError>> + Send;

    /// Marks an option as failing until an instant; an instant that is not in the future removes the mark.
    fn mark(
        &self,
        fallback: &FallbackId,
        option: &str,
        until: UnixMillis,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The stores of progress, as one bundle.
pub trait Progress: Checkpoints + Counters + FallbackHealth {}

impl<T: Checkpoints + Counters + FallbackHealth> Progress for T {}
