//! Messages that arrive before their fire is due.

use carillon_core::time::UnixMillis;

use super::time_budget::WAIT_IN_PROCESS_MS;

/// The handling of a message by the time of its arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyDelivery {
    /// It is sent again with this delay in seconds, which the queue cuts to the longest that SQS allows.
    SendOn {
        /// The time that is left, rounded down.
        delay_seconds: i64,
    },
    /// It is worked on after so long a wait in the process, ms: 0 when its fire is due.
    Wait {
        /// 0 to 1,000.
        early_ms: i64,
    },
}

/// Chooses the handling of a message that arrives `now` for a fire due at `due_at`.
///
/// ```
/// use carillon_core::time::UnixMillis;
/// use carillon_executor::lambda::early_delivery::{EarlyDelivery, early_delivery};
/// let due_at = UnixMillis(1_800_000_000_000);
/// assert_eq!(early_delivery(due_at, due_at.plus(-61_999)), EarlyDelivery::SendOn { delay_seconds: 61 });
/// assert_eq!(early_delivery(due_at, due_at.plus(-1_000)), EarlyDelivery::Wait { early_ms: 1_000 });
/// assert_eq!(early_delivery(due_at, due_at.plus(5)), EarlyDelivery::Wait { early_ms: 0 });
/// ```
pub fn early_delivery(due_at: UnixMillis, now: UnixMillis) -> EarlyDelivery {
    let early_ms = due_at.since(now).max(0);
    if early_ms > WAIT_IN_PROCESS_MS {
        EarlyDelivery::SendOn { delay_seconds: early_ms.div_euclid(1_000) }
    } else {
        EarlyDelivery::Wait { early_ms }
    }
}
