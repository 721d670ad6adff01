//! Jobs and everything that may happen to them: pure rules, and operations over ports.
//!
//! Everything here is pure or written against the [`ports`]: no AWS, no runtime, no clock, no randomness. Time, ids and
//! randomness are arguments, so every rule runs the same in a Lambda function, in one local process, and in a test.
//!
//! - [`bodies`] are the bodies of requests; [`json`] is the strict parser and the reader beneath them.
//! - [`catalog`] is a product's document: its shape, its checks, and the way from an event tag to its target.
//! - [`machine`] is the only place that changes a job's status; [`retry`] spaces the attempts.
//! - [`cadence`] computes when a recurring job is due.
//! - [`event_types`] turns a job and its catalog entry into the request that a target receives.
//! - [`session`] puts a user's claims into a job's input; [`cache`] and [`idempotency`] give the keys of results and requests.
//! - [`operations`] are the use cases of callers and of due messages, over the [`ports`].
//!
//! Architecture invariant: adapters and functions depend on this crate, and it depends on none of them.

pub mod access;
pub mod annotation;
pub mod bodies;
pub mod cache;
pub mod cadence;
pub mod catalog;
pub mod error;
pub mod event_type;
pub mod event_types;
pub mod hash;
pub mod idempotency;
pub mod ids;
pub mod job;
pub mod json;
pub mod machine;
pub mod operations;
pub mod ports;
pub mod progress;
pub mod request;
pub mod retry;
pub mod session;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod time;
pub mod words;
