//! Refills of the due queue from the store, page by page.

use carillon_core::ports::PortError;
use carillon_core::time::UnixMillis;

use crate::clock::Wait;
use crate::due_queue::DueQueue;
use crate::store::Store;

/// The due queue reaches this far ahead of the clock, ms.
pub(crate) const WINDOW_MS: i64 = 60_000;
/// Number of timers in a page.
const PAGE: u32 = 1_000;
/// Pause after a fault of the store, ms.
const PAUSE_MS: i64 = 1_000;

/// Keeps the due queue filled. Its first round rebuilds the queue after a start.
pub(crate) async fn keep_filled(store: &Store, due_queue: &DueQueue, clock: &impl Wait) {
    loop {
        let pause_ms = match refill(store, due_queue, clock.now().plus(WINDOW_MS)).await {
            Ok(()) => WINDOW_MS / 2,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the due timers cannot be read");
                PAUSE_MS
            }
        };
        tokio::select! {
            () = clock.wait_until(clock.now().plus(pause_ms)) => {}
            () = due_queue.room() => {}
        }
    }
}

/// Reads the timers up to `horizon` that are not held yet. Stops early if the due queue is full.
pub(crate) async fn refill(store: &Store, due_queue: &DueQueue, horizon: UnixMillis) -> Result<(), PortError> {
    // The horizon moves first, so that notes of the writer during the refill are held.
    let Some(from) = due_queue.begin_refill(horizon) else { return Ok(()) };
    let mut reading = Reading { due_queue, from, complete: false };
    let mut after = (from, None);
    while !reading.complete {
        let page = store.due(after, horizon, PAGE).await?;
        for due in &page {
            due_queue.hold(due.fire, due.at);
        }
        match page.last() {
            // A full due queue has lowered its horizon. A later refill reads the rest.
            Some(last) if page.len() == PAGE as usize && last.at <= due_queue.horizon() => {
                after = (last.at, Some(last.fire.job_id));
            }
            _ => reading.complete = true,
        }
    }
    Ok(())
}

/// A refill in progress. If it fails or is cancelled, it moves the horizon back to the last timer read.
struct Reading<'a> {
    due_queue: &'a DueQueue,
    from: UnixMillis,
    complete: bool,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if !self.complete {
            self.due_queue.lower_horizon(self.from);
        }
    }
}

#[cfg(test)]
mod tests;
