//! The timers of fires, and the dead letters.

use std::future::Future;

use super::PortError;
use crate::ids::Fire;
use crate::time::UnixMillis;

/// Brings a fire to the executor when it is due.
pub trait Timers: Send + Sync {
    /// Makes sure that a message of `fire` reaches the executor at `at` or soon after it. Idempotent.
    ///
    /// Keeps the earlier instant when called twice for a fire: the loser of a race may have armed a later time, which
    /// must not delay the winner. A message delivered too early is sent again.
    fn arm(&self, fire: Fire, at: UnixMillis) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Like [`Timers::arm`], but fails within a second, because a finished outcome is waiting to be stored.
    fn arm_promptly(&self, fire: Fire, at: UnixMillis) -> impl Future<Output = Result<(), PortError>> + Send {
        self.arm(fire, at)
    }

    /// Removes a timer if that is cheap. A timer that fires anyway does no harm.
    fn disarm(&self, fire: Fire) -> impl Future<Output = ()> + Send;
}

/// Holds the fires that have no attempt left until they are redriven.
pub trait DeadLetters: Send + Sync {
    /// Redrives the dead letters of all products, at most `limit` where this stack returns them.
    fn redrive_all(&self, limit: usize) -> impl Future<Output = Result<Redriven, PortError>> + Send;
}

/// The way in which dead letters come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// The queue moves all of them back by itself. Each gets a fresh budget when it arrives.
    Started,
    /// The queue is moving them already, after an earlier request.
    UnderWay,
    /// The fires, the newest of a product first. The caller gives each a fresh budget.
    Fires(Vec<Fire>),
}
