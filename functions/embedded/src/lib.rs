//! The ports of the core in one process: durable state in SQLite, and timers that are rebuilt from it.
//!
//! - [`Embedded`] bundles the adapters; [`Worker`] passes due fires to a handler.
//! - [`Store`] is the durable part. Its rows are also the timers: after any end of the process, opening the folder again restores
//!   every job that is not settled.
//!
//! Architecture invariant: all state is stored. The due queue and the caches can be lost at any moment.

mod clock;
mod due_queue;
mod embedded;
mod entropy;
mod folder;
mod process_slots;
mod refill;
pub mod runtime;
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
pub use worker::{Handled, Running, Worker, WorkerPanicked};

/// Locks a mutex, also after a panic, because every critical section of this crate leaves its data consistent.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
