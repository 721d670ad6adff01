//! Clocks: the system's, and one for tests.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use carillon_core::ports::Clock;
use carillon_core::time::UnixMillis;
use tokio::sync::watch;

/// A clock that tasks can wait for.
pub trait Wait: Clock + 'static {
    /// Returns at `at` or later.
    fn wait_until(&self, at: UnixMillis) -> impl Future<Output = ()> + Send;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    fn since_epoch() -> Duration {
        #[expect(clippy::disallowed_methods, reason = "this is the adapter of the Clock port")]
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(Self::since_epoch().as_millis().try_into().unwrap_or(i64::MAX))
    }
}

impl Wait for SystemClock {
    async fn wait_until(&self, at: UnixMillis) {
        let at = Duration::from_millis(at.0.try_into().unwrap_or(0));
        // The timer counts monotonic time, so it has to wait again if the wall clock was set back meanwhile.
        while let Some(left) = at.checked_sub(Self::since_epoch()).filter(|left| !left.is_zero()) {
            tokio::time::sleep(left).await;
        }
    }
}

/// A clock that only a test advances. Clones share the time.
#[derive(Clone, Debug)]
pub struct ManualClock(watch::Sender<UnixMillis>);

impl ManualClock {
    /// Creates a clock that shows `now`.
    pub fn new(now: UnixMillis) -> Self {
        Self(watch::Sender::new(now))
    }

    /// Advances the time by `millis`, and wakes the tasks that waited for it.
    pub fn advance(&self, millis: i64) {
        self.0.send_modify(|now| *now = now.plus(millis));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        *self.0.borrow()
    }
}

impl Wait for ManualClock {
    async fn wait_until(&self, at: UnixMillis) {
        // It fails only after the last clock is dropped, and this one exists.
        let _ = self.0.subscribe().wait_for(|now| *now >= at).await;
    }
}
