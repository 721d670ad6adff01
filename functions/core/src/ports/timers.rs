//! The timers that bring a fire to the executor when it is due, and the dead letters.

use std::future::Future;

use super::PortError;
use crate::ids::Fire;
use crate::time::UnixMillis;

/// What brings a fire to the executor when it is due.
pub trait Timers: Send + Sync {
    /// Makes sure that a message of `fire` reaches the executor at `at`, soon after it at the latest. Idempotent.
    ///
    /// Of two calls for one fire the earlier instant holds: whoever loses a race for a job has armed its fire for another
    /// time by then, which must not make the winner's late. A message that comes too early goes round once more.
    fn arm(&self, fire: Fire, at: UnixMillis) -> impl Future<Output = Result<(), PortError>> + Send;

    /// The same, or a fault within a second: what was done already waits behind it to be recorded.
    fn arm_promptly(&self, fire: Fire, at: UnixMillis) -> impl Future<Output = Result<(), PortError>> + Send {
        self.arm(fire, at)
    }

    /// Takes a timer back where that is cheap. A timer that fires all the same does no harm.
    fn disarm(&self, fire: Fire) -> impl Future<Output = ()> + Send;
}

/// The spent fires, which wait for somebody who wants them back.
pub trait DeadLetters: Send + Sync {
    /// Asks for the dead letters of every product: `limit` of them at the most, where this stack hands them over.
    fn redrive_all(&self, limit: usize) -> impl Future<Output = Result<Redriven, PortError>> + Send;
}

/// How the dead letters of every product come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// From here on the queue moves them back by itself, all of them. Each asks for a fresh budget when it arrives.
    Started,
    /// The queue is moving them already, since somebody else asked.
    UnderWay,
    /// Here they are, the newest of a product first: whoever asked has to give each a fresh budget.
    Fires(Vec<Fire>),
}
