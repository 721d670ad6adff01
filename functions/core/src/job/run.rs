//! One run of a job, from its due time to its outcome.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RunError, Status, word};
use crate::time::UnixMillis;

/// One fire's way from due to outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The job's generation, from 1.
    pub generation: u32,
    /// Which run of the job, from 1.
    pub run_no: u32,
    /// When it was due.
    pub due_at: UnixMillis,
    /// The occurrence of a recurring job that it stands for; absent for a run beside the plan, and when the job runs once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nominal_at: Option<UnixMillis>,
    /// What was skipped between the run before and this one.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub skipped: Vec<Skipped>,
    /// Attempts begun.
    #[serde(default)]
    pub attempts: u32,
    /// When the first attempt began.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started_at: Option<UnixMillis>,
    /// When the outcome was recorded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_at: Option<UnixMillis>,
    /// When the result was made, where it is one that a cache remembered: nothing was dispatched for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cached_at: Option<UnixMillis>,
    /// The attempts that failed, the last [`Run::KEPT_FAILURES`] of them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub failures: Vec<FailedAttempt>,
    /// How it ended; absent while it has not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<Outcome>,
}

impl Run {
    /// So many failed attempts are kept with their errors.
    pub const KEPT_FAILURES: usize = 20;

    /// A run in the history is kept for so many days after its end, unless the deployment says otherwise.
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

    /// Whether an attempt of it has begun.
    pub fn has_begun(&self) -> bool {
        self.started_at.is_some()
    }

    /// Where it stands, as the current run of a job of this status.
    pub fn status(&self, of_job: Status) -> RunStatus {
        self.outcome.as_ref().map_or_else(|| of_job.into(), RunStatus::from)
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Waiting for its time.
    Scheduled,
    /// Due, or waiting for its next attempt.
    Queued,
    /// An attempt is under way.
    Running,
    /// Held back with its job.
    Paused,
    /// Ended well.
    Completed,
    /// Ended by an error.
    Failed,
    /// Called off with its job.
    Cancelled,
    /// Its time passed without it.
    Skipped,
}

impl RunStatus {
    /// Every status with its word.
    pub const WORDS: [(&'static str, Self); 8] = [
        ("scheduled", Self::Scheduled),
        ("queued", Self::Queued),
        ("running", Self::Running),
        ("paused", Self::Paused),
        ("completed", Self::Completed),
        ("failed", Self::Failed),
        ("cancelled", Self::Cancelled),
        ("skipped", Self::Skipped),
    ];
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

impl From<Status> for RunStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Scheduled => Self::Scheduled,
            Status::Queued => Self::Queued,
            Status::Running => Self::Running,
            Status::Completed => Self::Completed,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
            Status::Paused => Self::Paused,
        }
    }
}

impl std::fmt::Display for RunStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        word(&Self::WORDS, self, f)
    }
}

/// An attempt that brought no result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailedAttempt {
    /// Which attempt of the run, from 1.
    pub attempt: u32,
    /// When its failure was noted, epoch ms.
    pub failed_at: UnixMillis,
    /// Why.
    pub error: RunError,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The target answered.
    Completed(Output),
    /// The last error.
    Failed(RunError),
    /// It was called off.
    Cancelled {
        /// The words of whoever did it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<String>,
    },
    /// The series was over before its time came again.
    Skipped(SkipReason),
}

/// What a target gave back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// The result, in the shape that its type documents.
    pub value: Value,
    /// Whether the result was larger than what is kept.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub truncated: bool,
}

impl Output {
    /// A result keeps this many bytes; the rest is cut off, and the result says so.
    pub const MAX_BYTES: usize = 256 * 1024;
}

impl From<Value> for Output {
    /// A result that is all there is.
    fn from(value: Value) -> Self {
        Self { value, truncated: false }
    }
}

/// Occurrences of a recurring job, next to each other, that had no run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Why not.
    pub reason: SkipReason,
    /// When the first of them was due.
    pub from: UnixMillis,
    /// How many they are.
    pub count: u64,
}

/// Why an occurrence had no run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Its time passed while the run before it was under way, or failed.
    Missed,
    /// Its time passed while the job was paused.
    Paused,
}

/// How the run before the current one ended; the rest stands in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastRun {
    /// Which run it was, from 1.
    pub run_no: u32,
    /// How it ended.
    pub status: RunStatus,
    /// When its outcome was recorded, epoch ms.
    pub ended_at: UnixMillis,
}
