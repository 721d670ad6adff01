//! The core's ports on AWS. The only crate that names an `aws_sdk` type.
//!
//! - [`settings`] reads a function's environment.
//! - [`clients`] creates the SDK's clients, with timeouts and a pinned behaviour version.
//! - [`fault`] classifies every SDK error, once.
//! - [`table`] is the one DynamoDB table: [`table::keys`] has its keys and access patterns.
//! - [`queue`] is the SQS queue with its dead letters; [`timers`] arms it, by delay or by EventBridge Scheduler.
//! - [`sealing`] lets KMS wrap the keys of sealed data.
//! - [`targets`] calls services on behalf of a job; [`secret_stores`] fetches the secrets that it needs.
//! - [`metrics`] writes log lines that CloudWatch counts.
//! - [`stack`] bundles them.

pub mod clients;
pub mod fault;
pub mod logging;
pub mod metrics;
pub mod queue;
#[cfg(test)]
mod scripted_http;
pub mod sealing;
pub mod secret_stores;
pub mod settings;
pub mod stack;
pub mod table;
pub mod targets;
pub mod timers;
