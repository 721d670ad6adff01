//! The spacing of attempts, and whether a failed one is retried.

use serde::{Deserialize, Serialize};

use crate::error::FieldCode;
use crate::job::RunError;
use crate::json::{Field, document, every};

document! {
    /// The spacing of a run's attempts, and the errors that end it at once (the contract's `retry`).
    #[derive(PartialEq, Serialize, Deserialize)]
    struct RetryPolicy or default {
        /// Delay before the first retry, in ms: 0 to 43,200,000. Default 1000.
        initial_delay as "initialDelay": u32 => |field| field.integer(0..=MAX_DELAY_MS),
        /// Upper bound of every delay, in ms: 0 to 43,200,000 (12 h, the longest that SQS hides a message). Default 300000.
        max_delay as "maxDelay": u32 => |field| field.integer(0..=MAX_DELAY_MS),
        /// Each delay is the one before times this: 1 to 100. Default 2.
        backoff_multiplier as "backoffMultiplier": f64 => |field| field.number(1.0..=100.0),
        /// True if delays are spread at random. Default true.
        jitter: bool => Field::boolean,
        /// The spread: a delay d becomes one from d × (1 − p) to d, with p from 0 to 1. Default 0.5.
        jitter_percent as "jitterPercent": f64 => |field| field.number(0.0..=1.0),
        /// If given, only these error codes are retried.
        #[serde(skip_serializing_if = "Option::is_none")]
        retryable_errors as "retryableErrors": Option<Vec<String>> => |field| error_codes(field).map(Some),
        /// These error codes are never retried; wins over `retryableErrors`.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        non_retryable_errors as "nonRetryableErrors": Vec<String> => error_codes,
    }
}

/// The longest delay, ms: 12 hours.
const MAX_DELAY_MS: u32 = 43_200_000;

fn error_codes(field: &Field<'_>) -> Option<Vec<String>> {
    let elements = field.elements()?;
    if elements.len() > 50 {
        field.fault(FieldCode::OutOfRange, "at most 50 codes");
        return None;
    }
    every(elements.iter().map(|field| field.text(1..=100)))
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            initial_delay: 1_000,
            max_delay: 300_000,
            backoff_multiplier: 2.0,
            jitter: true,
            jitter_percent: 0.5,
            retryable_errors: None,
            non_retryable_errors: Vec::new(),
        }
    }
}

impl RetryPolicy {
    /// Milliseconds from the end of failed attempt `attempt` (from 1) to the next one.
    ///
    /// `initial_delay` × `backoff_multiplier`^(attempt − 1), capped by `max_delay`, then shortened by up to
    /// `jitter_percent` of itself. `random` is uniform in 0..1. A target's Retry-After is a lower bound up to `max_delay`.
    ///
    /// ```
    /// use carillon_core::retry::RetryPolicy;
    /// let steady = RetryPolicy { jitter: false, ..RetryPolicy::default() };
    /// assert_eq!([1, 2, 3, 20].map(|attempt| steady.delay_ms(attempt, 0.0, None)), [1_000, 2_000, 4_000, 300_000]);
    /// assert_eq!(steady.delay_ms(1, 0.0, Some(7_000)), 7_000);
    /// assert_eq!(steady.delay_ms(1, 0.0, Some(86_400_000)), 300_000);
    /// assert_eq!(RetryPolicy::default().delay_ms(2, 0.5, None), 1_500);
    /// ```
    pub fn delay_ms(&self, attempt: u32, random: f64, retry_after_ms: Option<u64>) -> u32 {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = f64::from(self.initial_delay) * self.backoff_multiplier.powi(exponent);
        // Zero times infinity is not a number, and stays zero.
        let capped = if grown.is_nan() { 0.0 } else { grown.min(f64::from(self.max_delay)) };
        let spread = if self.jitter { capped * (1.0 - self.jitter_percent * random.clamp(0.0, 1.0)) } else { capped };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0..=max_delay, a u32")]
        let backoff = spread.round() as u32;
        let asked = u32::try_from(retry_after_ms.unwrap_or(0)).unwrap_or(u32::MAX);
        backoff.max(asked).min(self.max_delay.max(backoff))
    }

    /// True if a run that failed with `error` may have another attempt, if one is left.
    ///
    /// The job's own lists decide first, then the error itself.
    pub fn retries(&self, error: &RunError) -> bool {
        if self.non_retryable_errors.contains(&error.code) {
            return false;
        }
        self.retryable_errors.as_ref().map_or(error.retryable, |codes| codes.contains(&error.code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(code: &str, retryable: bool) -> RunError {
        RunError { code: code.into(), message: String::new(), retryable, retry_after_ms: None }
    }

    #[test]
    fn the_jobs_own_lists_come_before_the_errors_nature() {
        let policy = |only: Option<&[&str]>, never: &[&str]| RetryPolicy {
            retryable_errors: only.map(|codes| codes.iter().map(ToString::to_string).collect()),
            non_retryable_errors: never.iter().map(ToString::to_string).collect(),
            ..RetryPolicy::default()
        };
        assert!(policy(None, &[]).retries(&error("TIMEOUT", true)));
        assert!(!policy(None, &[]).retries(&error("NOT_FOUND", false)));
        assert!(policy(Some(&["NOT_FOUND"]), &[]).retries(&error("NOT_FOUND", false)));
        assert!(!policy(Some(&["NOT_FOUND"]), &[]).retries(&error("TIMEOUT", true)));
        assert!(!policy(Some(&["TIMEOUT"]), &["TIMEOUT"]).retries(&error("TIMEOUT", true)));
    }

    proptest! {
        #[test]
        fn a_delay_never_passes_its_bounds(
            initial in 0..=43_200_000_u32, max in 0..=43_200_000_u32, multiplier in 1.0..=100.0_f64, percent in 0.0..=1.0_f64,
            attempt in 0..=u32::MAX, random in 0.0..1.0_f64, after in proptest::option::of(any::<u64>()),
        ) {
            let policy = RetryPolicy {
                initial_delay: initial, max_delay: max, backoff_multiplier: multiplier, jitter_percent: percent,
                ..RetryPolicy::default()
            };
            let delay = policy.delay_ms(attempt, random, after);
            prop_assert!(delay <= max);
            if let Some(after) = after {
                prop_assert!(u64::from(delay) >= after.min(u64::from(max)));
            }
        }
    }
}
