//! From a due fire to its effect: the targets that a job can reach, and one record's way through claim, dispatch and
//! settlement.
//!
//! - [`targets`] performs one attempt: secrets, signature, request, and what the answer means.
//! - [`record`] runs one message through the core's operation and writes its one log line.

#[cfg(feature = "lambda")]
pub mod lambda;
pub mod record;
pub mod targets;
