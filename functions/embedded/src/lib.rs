//! The core's ports in one process: SQLite for the truth, and timers that are rebuilt from it.
//!
//! - [`Embedded`] bundles the adapters; [`Worker`] brings due fires to whoever executes them.
//! - [`Store`] is the durable part. Its rows are the timers too: whatever happens to the process, opening the folder again
//!   brings back every job that is not settled.
//!
//! Architecture invariant: nothing is only in memory. The due queue and the caches can be lost at any moment.

mod clock;
mod due_queue;
mod embedded;
mod entropy;
mod folder;
mod refill;
#[cfg(test)]
mod samples;
mod sealing;
mod store;
mod worker;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use clock::{ManualClock, SystemClock, Wait};
pub use embedded::{Embedded, RowTimers};
pub use entropy::OsEntropy;
pub use folder::FolderError;
pub use sealing::SealingKeyFile;
pub use store::{Durability, OpenError, Store};
pub use worker::{Handled, Worker};

/// Every critical section of this crate leaves its data whole, so a panic in one does not spoil it for others.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
