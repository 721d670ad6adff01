//! A job: what was asked for, and where it stands.

pub mod codes;
pub mod sqlstate;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cadence::Repeat;
use crate::ids::{Fire, JobId, Owner};
use crate::retry::RetryPolicy;
use crate::session::JobSession;
use crate::time::UnixMillis;

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

/// Where a job stands. [`crate::machine`] holds the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waiting for its time.
    Scheduled,
    /// Handed to the executor: due, or waiting for its next attempt.
    Queued,
    /// An attempt is under way.
    Running,
    /// Ended well.
    Completed,
    /// Ended by an error, with no attempt left or none of use.
    Failed,
    /// Called off.
    Cancelled,
    /// Held back until resumed.
    Paused,
}

impl Status {
    /// Every status with its word.
    pub const WORDS: [(&'static str, Self); 7] = [
        ("scheduled", Self::Scheduled),
        ("queued", Self::Queued),
        ("running", Self::Running),
        ("completed", Self::Completed),
        ("failed", Self::Failed),
        ("cancelled", Self::Cancelled),
        ("paused", Self::Paused),
    ];

    /// Whether the current run has its outcome.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        word(&Self::WORDS, self, f)
    }
}

fn word<T: PartialEq>(words: &[(&str, T)], wanted: &T, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    words.iter().find(|(_, value)| value == wanted).map_or(Err(std::fmt::Error), |(word, _)| f.pad(word))
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

/// What was asked for. It changes only when a caller edits the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The product whose catalog defines the event.
    pub product: String,
    /// One of the product's environments.
    pub env: String,
    /// The event's tag as it was sent.
    pub event: String,
    /// The type that the tag was found to have.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// The app, where the request named one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub app: Option<String>,
    /// The payload, as it was sent.
    pub input: Value,
    /// Attempts after the first, 0 to 100.
    pub retries: u32,
    /// How the attempts are spaced.
    pub retry: RetryPolicy,
    /// Bound on one attempt in ms, where the request named one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeout: Option<u32>,
    /// When the first run is due; what a recurring job's occurrences are counted from.
    pub start_at: UnixMillis,
    /// How the job recurs; absent when it runs once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repeat: Option<Repeat>,
    /// Whose job it is, where the request said so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<JobSession>,
    /// The cache that its results are looked up in, where the request named one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cache: Option<String>,
    /// When the job was accepted.
    pub created_at: UnixMillis,
}

/// A job as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// What was asked for.
    pub spec: Arc<JobSpec>,
    /// Where it stands.
    pub state: JobState,
}

impl Job {
    /// The fire that the job waits for, works on or ended with.
    pub fn fire(&self) -> Fire {
        Fire { job_id: self.id, generation: self.state.run.generation, run_no: self.state.run.run_no }
    }
}

/// Where a job stands. Changed by [`crate::machine::decide`] and by nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobState {
    /// Counts the changes; a change is stored only on top of the revision that it was decided on.
    pub revision: u64,
    /// The status.
    pub status: Status,
    /// The current run.
    pub run: Run,
    /// When somebody must look at the job again: the fire is due, an attempt returns, or a lease ends. `None` once settled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub wake_at: Option<UnixMillis>,
    /// Who works on the fire.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lease: Option<Lease>,
    /// Occurrences of a recurring job up to this instant are behind it: they have had their run, or were skipped.
    #[serde(skip_serializing_if = "Option::is_none", default, rename = "passed")]
    pub planned_through: Option<UnixMillis>,
    /// How many occurrences were skipped so far.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub missed: u64,
    /// What was skipped after the current run, when the series ended with it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub skipped: Vec<Skipped>,
    /// The run before the current one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_run: Option<LastRun>,
    /// The current fire's timer could not be armed when this was stored: the message of the fire before does it when it
    /// comes back (invariant I4).
    #[serde(skip_serializing_if = "std::ops::Not::not", default, rename = "unarmed")]
    pub timer_missing: bool,
    /// When the job last changed.
    pub updated_at: UnixMillis,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
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

/// The exclusive right to settle a fire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who holds it.
    pub owner: Owner,
    /// From here on somebody else may claim the fire, as its owner must be dead.
    pub until: UnixMillis,
}

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

/// Why an attempt failed. Carries no secret: it is shown to callers and logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunError {
    /// A stable name: one of [`codes`], or the target's own.
    pub code: String,
    /// For people.
    pub message: String,
    /// Whether another attempt may help.
    pub retryable: bool,
    /// The delay that the target asked for, ms.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u64>,
}

impl RunError {
    /// An error that another attempt may mend.
    pub fn transient(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), retryable: true, retry_after_ms: None }
    }

    /// An error that another attempt meets again.
    pub fn permanent(code: &str, message: impl Into<String>) -> Self {
        Self { retryable: false, ..Self::transient(code, message) }
    }
}
