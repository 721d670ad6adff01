//! From a due fire to its effect: the targets that a job can reach, and one record's way through claim, dispatch and
//! settlement.
//!
//! - [`outbound`] is the only way out of the process over HTTP to an address that a user named.
//! - [`targets`] performs one attempt: secrets, signature, request, and what the answer means.
//! - [`secrets`] is where secrets come from.
//! - [`record`] runs one message through the core's operation and writes its one log line.

#[cfg(feature = "lambda")]
pub mod lambda;
pub mod outbound;
pub mod record;
pub mod secrets;
pub mod targets;
