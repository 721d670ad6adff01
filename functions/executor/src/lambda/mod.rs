//! The executor as a Lambda function on the queue.
//!
//! | message | handling |
//! | --- | --- |
//! | a record without a message id | the invocation fails: nothing could name the record to the queue |
//! | a body that is not a message | moved to the dead letters with the reason, so that it is seen and does not return |
//! | a fire twice in one batch | one after the other; a copy of an acknowledged message is acknowledged too |
//! | a message more than a second early | sent again with the remaining delay |
//! | a message less than a second early, a backoff or lease that ends within one | waits in the process |
//! | a message of an unknown job, or of a run that is paused | looked up again, because its timer was armed before it was stored. Dropped when it is older than a minute |
//! | a message that is due after its job's last change, of a fire that is not due | looked up again in the same way, for a minute |
//! | a failed attempt, another executor's lease | deferred until it is due again, and reported as failed |
//! | a fire without an attempt left | moved to the dead letters with the reason |
//! | a redriven dead letter | its job gets a fresh budget |
//! | too little time left to begin | reported as failed, unclaimed |
//! | a fault of a dependency, a panic | deferred, longer each time, and reported as failed |
//! | not finished when the time is over | aborted and reported as failed, so that the others are answered |

mod batch;
mod delivery;
pub mod early_delivery;
pub mod handler;
#[cfg(test)]
mod tests;
mod time_budget;

pub use batch::Batch;
pub use delivery::Delivery;
