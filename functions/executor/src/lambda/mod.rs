//! The executor as a Lambda function on the queue.
//!
//! | what arrives | what becomes of it |
//! | --- | --- |
//! | a record without a message id | the invocation fails: nothing could name the record to the queue |
//! | a body that is no message | parked with the reason, so that it is seen and never comes back |
//! | a fire twice in one batch | one after the other; a copy of a message that is done with is done with too |
//! | a message more than a second early | sent on with the delay that is left |
//! | a message less than a second early, a backoff or lease that ends within one | waits in the process |
//! | a message of no job, or of a run that a pause holds back | looked up again: its timer was armed before it was stored. Dropped when it is older than a minute |
//! | a message that is due after its job's last change, of a fire that is not due | looked up again in the same way, for a minute |
//! | a failed attempt, another's lease | hidden until it is due again, and reported as failed |
//! | a spent fire | parked among the dead letters with the reason |
//! | a parked message, redriven | its job gets a fresh budget |
//! | too little time left to begin | reported as failed, unclaimed |
//! | a fault of a dependency, a panic | hidden, longer each time, and reported as failed |
//! | not done when the time is over | given up and reported as failed, so that the others are answered for |

mod batch;
mod delivery;
pub mod early_delivery;
pub mod handler;
#[cfg(test)]
mod tests;
mod time_budget;

pub use batch::Batch;
pub use delivery::Delivery;
