//! When a recurring job is due.
//!
//! Pure arithmetic on instants: a [`Repeat`] and the job's `start_at` make a [`Cadence`], which names the occurrence after any
//! instant.
//!
pub use cron::Cron;
pub use explain::{DstNote, Explained};
pub use fault::CronFault;
pub use occurrences::Cadence;
pub use repeat::{OnFailure, Repeat};
pub use zone::{Zone, tz_version};

mod clock;
mod cron;
mod explain;
mod fault;
mod grammar;
mod occurrences;
mod repeat;
mod wall;
mod zone;
