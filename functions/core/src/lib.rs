//! What a Carillon job is, and what may happen to it.
//!
//! Everything here is pure or written against the [`ports`]: no AWS, no runtime, no clock, no randomness. Time, ids and
//! randomness come in as arguments, so every rule runs the same in a Lambda function, in one local process, and in a test.
//!
//! Where to look:
//! - [`submission`] reads the body of `POST /v1/jobs`; [`json`] is the strict parser and the reader beneath it.
//! - [`catalog`] is a product's document: its shape, its checks, and how an event tag finds its target.
//! - [`machine`] is the one place that changes a job's status; [`retry`] says when a failed attempt returns.
//! - [`cadence`] says when a recurring job is due.
//! - [`event_types`] turns a job and its catalog entry into the request that a target receives.
//! - [`session`] is whose job it is, and what that puts into its input; [`cache`] names results that are remembered.
//! - [`operations`] are the things that a caller or a due message can ask for, over the [`ports`].
//!
//! Architecture invariant: adapters and functions depend on this crate, and it depends on none of them.

pub mod access;
pub mod annotation;
pub mod cache;
pub mod cadence;
pub mod catalog;
pub mod error;
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
pub mod retry;
pub mod session;
pub mod submission;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod time;
