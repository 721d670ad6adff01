//! The threads of a process that calls the store and runs its jobs.

use std::io;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Runtime};

/// Builds a runtime for the callers of the store, such as an API. It leaves one core to the store's writing thread.
///
/// A thread more than there are cores makes every write wait for two of them to take turns, and halves the rate.
///
/// # Errors
/// When the system gives no thread.
pub fn callers() -> io::Result<Runtime> {
    let cores = available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread().worker_threads(cores.saturating_sub(1).max(1)).enable_all().build()
}

/// Builds a runtime that is a single thread, for a worker.
pub(crate) fn worker() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
