//! Passes due fires to a handler.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use carillon_core::ids::Fire;
use carillon_core::operations::Verdict;
use carillon_core::ports::Clock;
use carillon_core::time::UnixMillis;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::clock::Wait;
use crate::due_queue::{DueFire, DueQueue};
use crate::embedded::Embedded;
use crate::refill::keep_filled;
use crate::runtime;

/// Pause after a fault of a dependency, ms.
const FAULT_PAUSE_MS: i64 = 1_000;
/// Pause after a panic, ms. A panic after the claim has counted as an attempt; the fire then waits for the end of its lease.
const PANIC_PAUSE_MS: i64 = 10_000;

/// Maximum number of due fires that are handed over together. Their jobs are read at once.
const TOGETHER: usize = 32;

/// The outcome of handling a fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// Handled. A stored backoff or lease makes the fire due again by itself.
    Done,
    /// The fire is due again at this instant.
    Again {
        /// The instant.
        at: UnixMillis,
    },
    /// A dependency failed. The fire is due again after a short pause.
    Faulted,
}

impl From<&Verdict> for Handled {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Redeliver { at } => Self::Again { at: *at },
            // A fire that failed for good is a failed job in the store, which is the dead letter of this stack. An unknown job
            // will not appear, because its row would be its timer.
            Verdict::Acknowledge | Verdict::DeadLetter(_) | Verdict::Unknown => Self::Done,
        }
    }
}

/// A loop that takes due fires from an [`Embedded`] and handles each in its own task. An [`Embedded`] has one worker at a time.
///
/// It sleeps until the next fire is due, and wakes when an earlier one is stored. It notices a jump of the wall clock within half
/// a minute.
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
    /// Maximum number of fires that are handled at a time.
    pub concurrency: u32,
    /// Time that a stop waits for fires that are being handled.
    pub grace: Duration,
}

impl Default for Worker {
    /// 256 at a time, 10 s of grace.
    fn default() -> Self {
        Self { concurrency: 256, grace: Duration::from_secs(10) }
    }
}

impl Worker {
    /// Does the same as [`run`](Self::run) in a thread of its own. A run goes back and forth between the worker and the store's
    /// writing thread, and passing it among several threads of a runtime would cost more than all of its other work.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start<C, H, F>(
        self,
        embedded: Arc<Embedded<C>>,
        handler: H,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<Running>
    where
        C: Wait + Clone,
        H: Fn(Fire) -> F + Send + Sync + 'static,
        F: Future<Output = Handled> + Send,
    {
        let runtime = runtime::worker()?;
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name("worker".to_owned()).spawn(move || {
            let unfinished = runtime.block_on(self.run(&embedded, handler, stop));
            // Lookups of names cannot be cancelled, and nobody waits for them any more.
            runtime.shutdown_background();
            // Whoever started it may not wait for its end.
            let _ = end.send(unfinished);
        })?;
        Ok(Running(ended))
    }

    /// Runs until `stop` is ready, then waits for fires that are being handled. Returns the number of those that did not end within
    /// the grace; their leases make them due again.
    ///
    /// A panic of a handler affects only its fire: it is logged, and the fire is due again.
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
            // Fails only if the semaphore is closed, which it never is.
            while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
                let mut due = vec![(due_queue.next(clock).await, slot)];
                while due.len() < TOGETHER
                    && let Ok(slot) = Arc::clone(&slots).try_acquire_owned()
                    && let Ok(next) = due_queue.take_due(clock.now())
                {
                    due.push((next, slot));
                }
                if due.len() > 1 {
                    let jobs: Vec<_> = due.iter().map(|(due, _)| due.fire.job_id).collect();
                    embedded.store().read_ahead(&jobs);
                }
                for (due, slot) in due {
                    let (fire, mut task) = (due.fire, Task::new(due, due_queue, clock, slot));
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

/// A worker that runs in its own thread.
#[derive(Debug)]
pub struct Running(oneshot::Receiver<u32>);

impl Running {
    /// Waits for the end of the worker. Returns the number of fires that did not end within the grace, or an error if its thread
    /// panicked.
    ///
    /// # Errors
    /// [`WorkerPanicked`].
    pub async fn ended(self) -> Result<u32, WorkerPanicked> {
        self.0.await.map_err(|_| WorkerPanicked)
    }
}

/// A worker's thread panicked. Its fires run again when the folder is opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the worker's thread panicked")]
pub struct WorkerPanicked;

/// A fire that is being handled. If it is dropped without an end, its handler panicked or the runtime shuts down.
struct Task<C: Clock> {
    due: DueFire,
    due_queue: Arc<DueQueue>,
    clock: C,
    ended: bool,
    _slot: OwnedSemaphorePermit,
}

impl<C: Clock + Clone> Task<C> {
    fn new(due: DueFire, due_queue: &Arc<DueQueue>, clock: &C, slot: OwnedSemaphorePermit) -> Self {
        Self { due, due_queue: Arc::clone(due_queue), clock: clock.clone(), ended: false, _slot: slot }
    }
}

impl<C: Clock> Task<C> {
    fn end(&mut self, handled: Handled) {
        self.ended = true;
        match handled {
            Handled::Done => {}
            Handled::Again { at } => self.due_queue.bring_back(self.due, at),
            Handled::Faulted => self.come_back(FAULT_PAUSE_MS),
        }
    }

    fn come_back(&self, pause_ms: i64) {
        self.due_queue.bring_back(self.due, self.clock.now().plus(pause_ms));
    }
}

impl<C: Clock> Drop for Task<C> {
    fn drop(&mut self) {
        if !self.ended {
            if std::thread::panicking() {
                tracing::error!(fire = %self.due.fire, "the handler of a fire panicked");
            }
            self.come_back(PANIC_PAUSE_MS);
        }
    }
}

#[cfg(test)]
mod tests;
