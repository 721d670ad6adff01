//! A job: its specification and its state.
//!
//! - [`JobSpec`] is the request, [`JobState`] is changed by [`crate::machine::decide`] alone;
//! - [`Run`] is one fire from its due time to its [`Outcome`]; [`RunError`] is the error of an attempt, [`codes`]
//!   lists the codes.

pub mod codes;
mod error;
mod run;
mod spec;
pub mod sqlstate;
mod state;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::RunError;
pub use run::{FailedAttempt, LastRun, Outcome, Output, Run, RunStatus, SkipReason, Skipped};
pub use spec::JobSpec;
pub use state::{JobState, Lease, Status};

use crate::ids::{Fire, JobId};

/// The contract's job event types, and `function` for its IFunctionRequest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    /// An HTTP request of an app.
    Action,
    /// A sequence of steps.
    Feature,
    /// Push, e-mail, SMS or callback.
    Notification,
    /// A database statement.
    DatabaseAction,
    /// A named event with defaults.
    Job,
    /// A file to store.
    Storage,
    /// A message to a topic.
    Publish,
    /// A topic to drain into a handler.
    Subscribe,
    /// A counter with a limit.
    Quota,
    /// Options to try in order.
    Fallback,
    /// A cloud function.
    Function,
}

impl EventType {
    /// Every type with the word that requests and answers use for it.
    pub const WORDS: [(&'static str, Self); 11] = [
        ("action", Self::Action),
        ("feature", Self::Feature),
        ("notification", Self::Notification),
        ("database_action", Self::DatabaseAction),
        ("job", Self::Job),
        ("storage", Self::Storage),
        ("publish", Self::Publish),
        ("subscribe", Self::Subscribe),
        ("quota", Self::Quota),
        ("fallback", Self::Fallback),
        ("function", Self::Function),
    ];
}

impl std::fmt::Display for EventType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        word(&Self::WORDS, self, f)
    }
}

fn word<T: PartialEq>(words: &[(&str, T)], wanted: &T, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    words.iter().find(|(_, value)| value == wanted).map_or(Err(std::fmt::Error), |(word, _)| f.pad(word))
}

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
