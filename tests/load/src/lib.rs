//! The load of the benchmark and of the instruction guard, on the embedded stack.
//!
//! [`Stack`] is a store of its own, [`scheduling`] and [`running`] are the two measured paths, and [`instructions`]
//! counts the instructions of a job on them.

pub mod instructions;
mod rates;
mod stack;

pub use rates::{CALLERS, CONCURRENCY, Nothing, bodies, running, scheduling};
pub use stack::{KEY, Stack, all_open, body};

/// The reason why a measurement has no result.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
