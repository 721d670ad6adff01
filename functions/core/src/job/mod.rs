//! A job: its specification and its state.
//!
//! - [`JobSpec`] is the request, [`JobState`] is changed by [`crate::machine::decide`] alone;
//! - [`Run`] is one fire from its due time to its [`Outcome`]; [`RunError`] is the error of an attempt, [`codes`]
//!   lists the codes.

pub mod codes;
mod error;
mod run;
mod spec;
mod state;
mod status;

use std::sync::Arc;

pub use error::RunError;
pub use run::{FailedAttempt, LastRun, Outcome, Output, Run, SkipReason, Skipped};
pub use spec::JobSpec;
pub use state::{JobState, Lease};
pub use status::{RunStatus, Status};

pub use crate::event_type::EventType;
use crate::ids::{Fire, JobId};

/// A job as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The id.
    pub id: JobId,
    /// The request.
    pub spec: Arc<JobSpec>,
    /// The state.
    pub state: JobState,
}

impl Job {
    /// The fire that the job waits for, works on or ended with.
    pub fn fire(&self) -> Fire {
        Fire { job_id: self.id, generation: self.state.run.generation, run_no: self.state.run.run_no }
    }
}
