//! The time and the randomness.

use std::sync::Arc;

use crate::time::UnixMillis;

/// The time.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> UnixMillis;
}

impl<C: Clock> Clock for Arc<C> {
    fn now(&self) -> UnixMillis {
        (**self).now()
    }
}

/// Randomness fit for secrets.
pub trait Entropy: Send + Sync {
    /// 128 random bits.
    fn bits(&self) -> u128;

    /// A number in 0..1, for jitter.
    fn unit(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what a double holds")]
        let unit = (self.bits() & ((1 << 53) - 1)) as f64 / (1_u64 << 53) as f64;
        unit
    }
}
