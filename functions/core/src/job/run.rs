//! One run of a job, from its due time to its outcome.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RunError, RunStatus, Status};
use crate::time::UnixMillis;

/// One fire, from its due time to its outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The job's generation, from 1.
    pub generation: u32,
    /// The number of the run within its job, from 1.
    pub run_no: u32,
    /// When it was due.
    pub due_at: UnixMillis,
    /// The occurrence of a recurring job that it stands for; absent for a run outside the schedule, and for a job
    /// that runs once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nominal_at: Option<UnixMillis>,
    /// The occurrences that were skipped between the previous run and this one.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub skipped: Vec<Skipped>,
    /// Number of attempts begun.
    #[serde(default)]
    pub attempts: u32,
    /// When the first attempt began.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started_at: Option<UnixMillis>,
    /// When the outcome was recorded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_at: Option<UnixMillis>,
    /// When the cached result was made, if the result came from a cache without a dispatch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cached_at: Option<UnixMillis>,
    /// The failed attempts, at most the last [`Run::KEPT_FAILURES`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub failures: Vec<FailedAttempt>,
    /// The outcome; absent until the run has ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<Outcome>,
}

impl Run {
    /// Number of failed attempts that are kept with their errors.
    pub const KEPT_FAILURES: usize = 20;

    /// Days that a run stays in the history after its end, unless the deployment says otherwise.
    pub const KEPT_DAYS: u32 = 90;

    /// A run that waits for `due_at`.
    pub fn new(generation: u32, run_no: u32, due_at: UnixMillis) -> Self {
        Self {
            generation,
            run_no,
            due_at,
            nominal_at: None,
            skipped: Vec::new(),
            attempts: 0,
            started_at: None,
            ended_at: None,
            cached_at: None,
            failures: Vec::new(),
            outcome: None,
        }
    }

    /// True once an attempt has begun.
    pub fn has_begun(&self) -> bool {
        self.started_at.is_some()
    }

    /// The status of the current run of a job with this status.
    pub fn status(&self, of_job: Status) -> RunStatus {
        self.outcome.as_ref().map_or_else(|| of_job.into(), RunStatus::from)
    }
}

impl From<&Outcome> for RunStatus {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Completed(_) => Self::Completed,
            Outcome::Failed(_) => Self::Failed,
            Outcome::Cancelled { .. } => Self::Cancelled,
            Outcome::Skipped(_) => Self::Skipped,
        }
    }
}

/// A failed attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailedAttempt {
    /// The number of the attempt within its run, from 1.
    pub attempt: u32,
    /// When the failure was recorded, epoch ms.
    pub failed_at: UnixMillis,
    /// The error.
    pub error: RunError,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The target's result.
    Completed(Output),
    /// The last error.
    Failed(RunError),
    /// It was cancelled.
    Cancelled {
        /// The caller's reason.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<String>,
    },
    /// The series was over before it could run.
    Skipped(SkipReason),
}

/// The result of a target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// The result, in the shape that its type documents.
    pub value: Value,
    /// True if the result was larger than [`Output::MAX_BYTES`] and is cut.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub truncated: bool,
}

impl Output {
    /// Size limit of a stored result in bytes; the rest is cut off, and `truncated` says so.
    pub const MAX_BYTES: usize = 256 * 1024;
}

impl From<Value> for Output {
    /// A complete result.
    fn from(value: Value) -> Self {
        Self { value, truncated: false }
    }
}

/// Consecutive occurrences of a recurring job that had no run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The reason.
    pub reason: SkipReason,
    /// When the first of them was due.
    pub from: UnixMillis,
    /// Their number.
    pub count: u64,
}

/// Why an occurrence had no run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Their time passed while the previous run was in progress, or had failed.
    Missed,
    /// Their time passed while the job was paused.
    Paused,
}

/// A summary of the previous run; the history has the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastRun {
    /// The number of the run, from 1.
    pub run_no: u32,
    /// Its status.
    pub status: RunStatus,
    /// When its outcome was recorded, epoch ms.
    pub ended_at: UnixMillis,
}
