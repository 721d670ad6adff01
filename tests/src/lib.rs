//! Shared parts of tests that cross crates: the contract of all adapters, whole processes, hostile input, and the
//! benchmark.

pub mod bench;
pub mod client;
pub mod contract;
#[cfg(feature = "stack")]
pub mod deployment;
pub mod env;
pub mod fuzz;
pub mod hostile;
pub mod in_process;
pub mod kills;
pub mod members;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod process;
pub mod random;
pub mod receiver;
pub mod series;
pub mod target;
