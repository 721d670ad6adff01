//! The error that an HTTP status stands for.
//!
//! | status | code | retried |
//! | --- | --- | --- |
//! | 2xx | | a result |
//! | 3xx | REDIRECTED | no: redirects are never followed |
//! | 401 / 403 | UNAUTHORIZED / FORBIDDEN | no |
//! | 404, 410 | NOT_FOUND | no |
//! | 408, 504 | TIMEOUT | yes |
//! | 425, 429 | RATE_LIMITED | yes, not before Retry-After |
//! | other 4xx | VALIDATION_ERROR | no |
//! | other 5xx | SERVICE_UNAVAILABLE | yes, not before Retry-After |

use carillon_core::job::codes;
use carillon_core::time::UnixMillis;
use http::{HeaderMap, StatusCode, header};
use jiff::fmt::rfc2822::DateTimeParser;

/// The code of a status that is no success, and whether to retry.
pub fn meaning(status: StatusCode) -> (&'static str, bool) {
    match status.as_u16() {
        401 => (codes::UNAUTHORIZED, false),
        403 => (codes::FORBIDDEN, false),
        404 | 410 => (codes::NOT_FOUND, false),
        408 | 504 => (codes::TIMEOUT, true),
        425 | 429 => (codes::RATE_LIMITED, true),
        500.. => (codes::SERVICE_UNAVAILABLE, true),
        400.. => (codes::VALIDATION_ERROR, false),
        _ => (codes::REDIRECTED, false),
    }
}

/// Retry-After (RFC 9110, 10.2.3) in seconds or as a date, from now.
pub fn retry_after_ms(headers: &HeaderMap, now: UnixMillis) -> Option<u64> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds.saturating_mul(1_000));
    }
    let at = DateTimeParser::new().parse_timestamp(text).ok()?;
    u64::try_from(at.as_millisecond().saturating_sub(now.0)).ok()
}
