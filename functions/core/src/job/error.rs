//! The error of an attempt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The error of an attempt. Carries no secret, because it is shown to callers and logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunError {
    /// A stable name: one of [`codes`](super::codes), or the target's own.
    pub code: String,
    /// A message for people.
    pub message: String,
    /// True if another attempt may help.
    pub retryable: bool,
    /// The delay that the target asked for, ms.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u64>,
}

impl RunError {
    /// A retryable error.
    pub fn transient(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), retryable: true, retry_after_ms: None }
    }

    /// An error that is not retried.
    pub fn permanent(code: &str, message: impl Into<String>) -> Self {
        Self { retryable: false, ..Self::transient(code, message) }
    }
}
