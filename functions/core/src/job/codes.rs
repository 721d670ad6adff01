//! The error codes that Carillon itself gives.

/// No answer in time (also HTTP 408 and 504). Retryable.
pub const TIMEOUT: &str = "TIMEOUT";
/// HTTP 429. Retryable, and its Retry-After is respected.
pub const RATE_LIMITED: &str = "RATE_LIMITED";
/// Any other HTTP 5xx. Retryable.
pub const SERVICE_UNAVAILABLE: &str = "SERVICE_UNAVAILABLE";
/// No connection, or one that broke. Retryable.
pub const CONNECTION_ERROR: &str = "CONNECTION_ERROR";
/// Any other HTTP 4xx: the target refuses the request as it is.
pub const VALIDATION_ERROR: &str = "VALIDATION_ERROR";
/// HTTP 404 and 410.
pub const NOT_FOUND: &str = "NOT_FOUND";
/// HTTP 401.
pub const UNAUTHORIZED: &str = "UNAUTHORIZED";
/// HTTP 403.
pub const FORBIDDEN: &str = "FORBIDDEN";
/// The stored data conflicts with the request: a condition that does not hold, a key that exists already, or another
/// transaction. Retryable in the last case only.
pub const CONFLICT: &str = "CONFLICT";
/// HTTP 3xx: redirects are never followed.
pub const REDIRECTED: &str = "REDIRECTED";
/// The address may not be dialled (see the allow list).
pub const TARGET_REFUSED: &str = "TARGET_REFUSED";
/// A secret reference has nothing behind it.
pub const SECRET_NOT_FOUND: &str = "SECRET_NOT_FOUND";
/// The catalog changed since the job was scheduled, and no longer defines its event.
pub const EVENT_NOT_FOUND: &str = "EVENT_NOT_FOUND";
/// The job's session claims cannot be opened any more: their key is gone, or the stored text was changed.
pub const SESSION_UNREADABLE: &str = "SESSION_UNREADABLE";
/// A statement would break a constraint of the database.
pub const CONSTRAINT_VIOLATION: &str = "CONSTRAINT_VIOLATION";
/// A cloud function ended with an error of its own. Retryable.
pub const FUNCTION_ERROR: &str = "FUNCTION_ERROR";
/// The quota's limit is reached.
pub const QUOTA_EXCEEDED: &str = "QUOTA_EXCEEDED";
/// The executor died in the middle of an attempt. Retryable.
pub const EXECUTOR_LOST: &str = "EXECUTOR_LOST";
/// The executor's own code failed. Retryable.
pub const INTERNAL_ERROR: &str = "INTERNAL_ERROR";
