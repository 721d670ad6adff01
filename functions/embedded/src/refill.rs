//! Refills of the due queue from the store, page by page.

use carillon_core::ports::PortError;
use carillon_core::time::UnixMillis;

use crate::clock::Wait;
use crate::due_queue::{DueQueue, ProductNo};
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

/// Reads the timers up to `horizon` that are not held yet; those of products that have fallen behind only while there is room.
pub(crate) async fn refill(store: &Store, due_queue: &DueQueue, horizon: UnixMillis) -> Result<(), PortError> {
    // The horizon moves first, so that notes of the writer during the refill are held.
    if let Some(from) = due_queue.begin_refill(horizon) {
        let mut reading = Reading { due_queue, product: None, from, complete: false };
        let mut after = Some((from, None));
        while let Some(from) = after {
            let page = store.due(None, from, horizon, PAGE).await?;
            for due in &page {
                due_queue.hold(&due.product, due.fire, due.at);
            }
            after = page.last().filter(|_| page.len() == PAGE as usize).map(|last| (last.at, Some(last.fire.job_id)));
        }
        reading.complete = true;
    }
    while let Some((product, name, from)) = due_queue.begin_catch_up() {
        let mut reading = Reading { due_queue, product: Some(product), from, complete: false };
        let mut after = Some((from, None));
        while let Some(from) = after {
            let page = store.due(Some(&name), from, due_queue.horizon(), PAGE).await?;
            // Once it falls behind again, the next round reads on from there.
            let is_held = page.iter().all(|due| due_queue.hold(&due.product, due.fire, due.at));
            let last = page.last().filter(|_| is_held && page.len() == PAGE as usize);
            after = last.map(|last| (last.at, Some(last.fire.job_id)));
        }
        reading.complete = true;
    }
    Ok(())
}

/// A refill in progress, of one product or of all. If it fails or is cancelled, its timers are read again.
struct Reading<'a> {
    due_queue: &'a DueQueue,
    product: Option<ProductNo>,
    from: UnixMillis,
    complete: bool,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        match self.product {
            _ if self.complete => {}
            Some(product) => self.due_queue.fall_behind(product, self.from),
            None => self.due_queue.lower_horizon(self.from),
        }
    }
}

#[cfg(test)]
mod tests;
