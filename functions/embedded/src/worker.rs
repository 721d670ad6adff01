//! Bringing due fires to whoever executes them.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use carillon_core::ids::Fire;
use carillon_core::operations::Verdict;
use carillon_core::ports::Clock;
use carillon_core::time::UnixMillis;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::Wait;
use crate::due_queue::DueQueue;
use crate::embedded::Embedded;
use crate::refill::keep_filled;

/// After a fault of a dependency, ms.
const FAULT_PAUSE_MS: i64 = 1_000;
/// After a panic, ms. Its attempt was counted at the claim, if it came so far; the fire then waits for the end of its lease.
const PANIC_PAUSE_MS: i64 = 10_000;

/// So many fires that are due are handed over together, at the most: their jobs are read at once.
const TOGETHER: usize = 32;

/// What became of a fire that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// Nothing is left to do but what the store says: a backoff or a lease that was stored brings the fire back by itself.
    Done,
    /// It has to come back at this instant.
    Again {
        /// When.
        at: UnixMillis,
    },
    /// A dependency failed; it has to come back in a moment.
    Faulted,
}

impl From<&Verdict> for Handled {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Redeliver { at } => Self::Again { at: *at },
            // A spent fire stands in the store as failed, which is this stack's dead letter. A job that is not known will
            // not come: its timer is its row.
            Verdict::Acknowledge | Verdict::DeadLetter(_) | Verdict::Unknown => Self::Done,
        }
    }
}

/// The loop that takes due fires from an [`Embedded`] and has each handled in a task of its own. One at a time per [`Embedded`].
///
/// It sleeps until the next fire is due, and is woken when an earlier one is stored. A wall clock that jumps forward is
/// noticed within half a minute.
///
/// ```
/// use carillon_embedded::{Embedded, Handled, Worker};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), carillon_embedded::OpenError> {
/// let embedded = Embedded::in_memory()?;
/// let stop = async {}; // at once
/// let unfinished = Worker::default()
///     .run(&embedded, |fire| async move { println!("{fire} is due"); Handled::Done }, stop)
///     .await;
/// assert_eq!(unfinished, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Worker {
    /// So many fires are handled at a time.
    pub concurrency: u32,
    /// How long a stop waits for those that are being handled.
    pub grace: Duration,
}

impl Default for Worker {
    /// 256 at a time, 10 s of grace.
    fn default() -> Self {
        Self { concurrency: 256, grace: Duration::from_secs(10) }
    }
}

impl Worker {
    /// Runs until `stop` is ready, then waits for what is under way. Says how many fires were still being handled when the
    /// grace had passed; their leases bring them back.
    ///
    /// A handler that panics takes nobody along: the panic is logged, and the fire comes back.
    pub async fn run<C, H, F>(self, embedded: &Embedded<C>, handler: H, stop: impl Future<Output = ()>) -> u32
    where
        C: Wait + Clone,
        H: Fn(Fire) -> F + Send + Sync + 'static,
        F: Future<Output = Handled> + Send,
    {
        let handler = Arc::new(handler);
        let slots = Arc::new(Semaphore::new(self.concurrency as usize));
        let due_queue = embedded.due_queue();
        let clock = embedded.wait();
        let hand_over = async {
            // Fails only when the semaphore is closed, which it never is.
            while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
                let mut due = vec![(due_queue.next(clock).await, slot)];
                while due.len() < TOGETHER
                    && let Ok(slot) = Arc::clone(&slots).try_acquire_owned()
                    && let Ok(fire) = due_queue.take_due(clock.now())
                {
                    due.push((fire, slot));
                }
                if due.len() > 1 {
                    let jobs: Vec<_> = due.iter().map(|(fire, _)| fire.job_id).collect();
                    embedded.store().read_ahead(&jobs);
                }
                for (fire, slot) in due {
                    let mut task = Task::new(fire, due_queue, clock, slot);
                    let handler = Arc::clone(&handler);
                    // In a box, as an attempt takes kilobytes, and a task is moved four times before it runs.
                    tokio::spawn(async move { task.end(Box::pin(handler(fire)).await) });
                }
            }
        };
        let mut stop = pin!(stop);
        tokio::select! {
            biased;
            () = &mut stop => {}
            () = hand_over => {}
            () = keep_filled(embedded.store(), due_queue, clock) => {}
        }
        let all = slots.acquire_many(self.concurrency);
        if tokio::time::timeout(self.grace, all).await.is_ok() {
            return 0;
        }
        self.concurrency.saturating_sub(slots.available_permits().try_into().unwrap_or(u32::MAX))
    }
}

/// One fire being handled. When it is dropped without an end, its handler panicked (or the runtime shuts down).
struct Task<C: Clock> {
    fire: Fire,
    due_queue: Arc<DueQueue>,
    clock: C,
    ended: bool,
    _slot: OwnedSemaphorePermit,
}

impl<C: Clock + Clone> Task<C> {
    fn new(fire: Fire, due_queue: &Arc<DueQueue>, clock: &C, slot: OwnedSemaphorePermit) -> Self {
        Self { fire, due_queue: Arc::clone(due_queue), clock: clock.clone(), ended: false, _slot: slot }
    }
}

impl<C: Clock> Task<C> {
    fn end(&mut self, handled: Handled) {
        self.ended = true;
        match handled {
            Handled::Done => {}
            Handled::Again { at } => self.due_queue.bring_back(self.fire, at),
            Handled::Faulted => self.come_back(FAULT_PAUSE_MS),
        }
    }

    fn come_back(&self, pause_ms: i64) {
        self.due_queue.bring_back(self.fire, self.clock.now().plus(pause_ms));
    }
}

impl<C: Clock> Drop for Task<C> {
    fn drop(&mut self) {
        if !self.ended {
            if std::thread::panicking() {
                tracing::error!(fire = %self.fire, "the handler of a fire panicked");
            }
            self.come_back(PANIC_PAUSE_MS);
        }
    }
}

#[cfg(test)]
mod tests;
