//! The clock and the environment. Tests and the benchmark ask for them here and nowhere else.

use std::fmt::Display;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time between two checks of a condition.
const INTERVAL: Duration = Duration::from_millis(20);

/// Now, for measuring.
pub fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "tests measure by the real clock")]
    Instant::now()
}

/// The wall clock.
pub fn since_epoch() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "tests hold instants of real processes against the real clock")]
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The wall clock, in epoch milliseconds as the API counts them.
pub fn epoch_ms() -> i64 {
    since_epoch().as_millis().try_into().unwrap_or(i64::MAX)
}

/// A variable of the environment.
pub fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the environment says how much is to be tested")]
    std::env::var(name).ok()
}

/// Looks again and again until `look` finds something.
///
/// # Panics
/// When that takes longer than `limit`: `what` was waited for in vain.
pub async fn until<T>(what: impl Display, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = now() + limit;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(now() < deadline, "waited {limit:?} in vain: {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}
