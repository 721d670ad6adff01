//! Moving the due queue's horizon on, page by page.

use carillon_core::ports::PortError;
use carillon_core::time::UnixMillis;

use crate::clock::Wait;
use crate::due_queue::DueQueue;
use crate::store::Store;

/// The due queue reaches this far ahead of the clock, ms.
pub(crate) const WINDOW_MS: i64 = 60_000;
/// So many timers are read at a time.
const PAGE: u32 = 1_000;
/// After a fault of the store, ms.
const PAUSE_MS: i64 = 1_000;

/// Keeps the due queue filled for as long as it is polled. Its first round rebuilds the due queue after a start.
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

/// Reads what is due up to `horizon` and not held yet. Stops early when the due queue is full.
pub(crate) async fn refill(store: &Store, due_queue: &DueQueue, horizon: UnixMillis) -> Result<(), PortError> {
    // The horizon moves first: what the writer stores meanwhile is held by its own note.
    let Some(from) = due_queue.begin_refill(horizon) else { return Ok(()) };
    let mut reading = Reading { due_queue, from, complete: false };
    let mut after = (from, None);
    while !reading.complete {
        let page = store.due(after, horizon, PAGE).await?;
        for due in &page {
            due_queue.hold(due.fire, due.at);
        }
        match page.last() {
            // A full due queue lowers its horizon: the rest is for another time.
            Some(last) if page.len() == PAGE as usize && last.at <= due_queue.horizon() => {
                after = (last.at, Some(last.fire.job_id));
            }
            _ => reading.complete = true,
        }
    }
    Ok(())
}

/// A refill under way. One that fails or is cancelled must not leave the horizon beyond what was read.
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
