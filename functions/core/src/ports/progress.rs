//! What events need that consist of others, or count: their parts, counters, and which options fail.

use std::collections::BTreeMap;
use std::future::Future;

use super::PortError;
use crate::progress::{Checkpoint, CheckpointId, Counted, CounterId, FallbackId, RunId};
use crate::time::UnixMillis;

/// What runs remember of their parts that are done, so that another attempt does not do them again.
pub trait Checkpoints: Send + Sync {
    /// The parts of a run that are done and whose places begin with `under`, with everything that was noted before the call.
    fn finished(&self, run: RunId, under: &str) -> impl Future<Output = Result<Vec<Checkpoint>, PortError>> + Send;

    /// Notes at `now` that a part is done, over what may have been noted of its place before. It is kept as long as a run is.
    fn save(
        &self,
        run: RunId,
        part: &Checkpoint,
        now: UnixMillis,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Counters with a limit, each for one period of a quota.
pub trait Counters: Send + Sync {
    /// How far a counter has come.
    fn used(&self, counter: &CounterId) -> impl Future<Output = Result<u64, PortError>> + Send;

    /// Adds `amount`, unless the counter would pass `limit`, or `by` was counted before: whatever is sent again is counted once.
    fn add(
        &self,
        counter: &CounterId,
        by: &CheckpointId,
        amount: u64,
        limit: u64,
    ) -> impl Future<Output = Result<Counted, PortError>> + Send;

    /// Begins a counter anew, once for each `by`.
    fn reset(&self, counter: &CounterId, by: &CheckpointId) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Which options of fallbacks have failed lately.
pub trait FallbackHealth: Send + Sync {
    /// Options that are marked as failing, each until when. It may be some seconds behind.
    fn failing(
        &self,
        fallback: &FallbackId,
    ) -> impl Future<Output = Result<BTreeMap<String, UnixMillis>, PortError>> + Send;

    /// Marks an option as failing until an instant; one that is not in the future takes the mark away.
    fn mark(
        &self,
        fallback: &FallbackId,
        option: &str,
        until: UnixMillis,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// All of these.
pub trait Progress: Checkpoints + Counters + FallbackHealth {}

impl<T: Checkpoints + Counters + FallbackHealth> Progress for T {}
