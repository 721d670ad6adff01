//! The division of an invocation's time among its records.

use std::time::Duration;

use carillon_core::time::UnixMillis;

/// A record waits no longer than this in the process, ms: SQS hides and delays by whole seconds.
pub(super) const WAIT_IN_PROCESS_MS: i64 = 1_000;
/// Kept back from an attempt, so that its outcome can be recorded, ms.
const SETTLING_MS: i64 = 1_000;
/// An attempt that could take no longer than this is not begun, ms.
const MIN_ATTEMPT_MS: i64 = 1_000;
/// Kept back from the records, so that those that are done are answered for, ms.
const ANSWERING_MS: i64 = 250;

/// The time of one invocation.
///
/// Every attempt that it begins may take equally long. What is left of an invocation does not cut an attempt short, which
/// would end as a timeout that the target has no part in: a record that cannot have as much as the others comes back.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeBudget {
    deadline: UnixMillis,
    attempt_ms: i64,
}

impl TimeBudget {
    /// The budget of an invocation that begins `now`.
    pub(super) fn new(now: UnixMillis, deadline: UnixMillis) -> Self {
        Self { deadline, attempt_ms: deadline.since(now).saturating_sub(WAIT_IN_PROCESS_MS + SETTLING_MS) }
    }

    /// The longest that an attempt may take, ms.
    pub(super) fn attempt_ms(self) -> u32 {
        self.attempt_ms.clamp(0, u32::MAX.into()).try_into().unwrap_or(u32::MAX)
    }

    /// True if an attempt may begin at this instant.
    pub(super) fn is_enough_at(self, at: UnixMillis) -> bool {
        self.attempt_ms >= MIN_ATTEMPT_MS && self.deadline.since(at) >= self.attempt_ms + SETTLING_MS
    }

    /// The time left for the records, from `now`.
    pub(super) fn remaining(self, now: UnixMillis) -> Duration {
        Duration::from_millis(self.deadline.since(now).saturating_sub(ANSWERING_MS).try_into().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    #[test]
    fn every_attempt_of_an_invocation_may_take_equally_long() {
        let time_budget = TimeBudget::new(NOW, NOW.plus(60_000));
        assert_eq!(time_budget.attempt_ms(), 58_000);
        assert!(time_budget.is_enough_at(NOW) && time_budget.is_enough_at(NOW.plus(WAIT_IN_PROCESS_MS)));
        assert!(!time_budget.is_enough_at(NOW.plus(WAIT_IN_PROCESS_MS + 1)));
        assert_eq!(time_budget.remaining(NOW.plus(50_000)), Duration::from_millis(9_750));
        assert_eq!(time_budget.remaining(NOW.plus(70_000)), Duration::ZERO);
    }

    #[test]
    fn an_invocation_that_is_as_good_as_over_begins_nothing() {
        assert!(TimeBudget::new(NOW, NOW.plus(3_000)).is_enough_at(NOW));
        for left_ms in [2_999, 0, -60_000, i64::MIN] {
            let time_budget = TimeBudget::new(NOW, UnixMillis(NOW.0.saturating_add(left_ms)));
            assert!(!time_budget.is_enough_at(NOW), "{left_ms}");
        }
    }
}
