//! What crosses crates: the contract that every adapter holds to, and what tests of whole processes, hostile input and the
//! benchmark are made of.

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
