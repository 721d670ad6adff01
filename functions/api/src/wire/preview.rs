//! Previews in answers.

use carillon_core::cadence::Explained;
use carillon_core::job::EventType;
use carillon_core::operations::{End, PlannedAttempt, PlannedRun, Preview};
use carillon_core::time::UnixMillis;
use schemars::JsonSchema;
use serde::Serialize;

/// A job as it would be.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Preview")]
pub(crate) struct PreviewView<'a> {
    /// The type that the event's tag was found to have.
    #[serde(rename = "type")]
    event_type: EventType,
    /// True if the job runs more than once.
    recurring: bool,
    /// The next runs, if each succeeds in time.
    runs: Vec<PlannedRunView<'a>>,
    /// The reason that the series ends after the last of `runs`: `once` for a job that runs once, `limit`,
    /// `end_date`, or `exhausted` when nothing is due any more. Absent when more would follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_by: Option<EndView>,
    /// The attempts of a run, if each fails at once in a way that is retried.
    attempts: Vec<PlannedAttemptView>,
    /// Settings that are valid, but may not be meant.
    warnings: &'a [String],
}

/// A run as it would be.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PlannedRun")]
struct PlannedRunView<'a> {
    /// The number of the run, from 1.
    run_no: u32,
    /// When it is due, epoch ms.
    due_at: UnixMillis,
    /// The due time as RFC 3339 in UTC.
    utc: String,
    /// The local time in the job's zone.
    #[serde(flatten)]
    explained: &'a Explained,
}

impl<'a> From<&'a PlannedRun> for PlannedRunView<'a> {
    fn from(run: &'a PlannedRun) -> Self {
        Self { run_no: run.run_no, due_at: run.at, utc: run.at.to_string(), explained: &run.explained }
    }
}

/// The reason that a series ends.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "SeriesEnd")]
enum EndView {
    /// The job runs once.
    Once,
    /// `limit` is reached.
    Limit,
    /// The next run would be due after `endDate`.
    EndDate,
    /// Nothing is due any more.
    Exhausted,
}

impl From<End> for EndView {
    fn from(end: End) -> Self {
        match end {
            End::Once => Self::Once,
            End::Limit => Self::Limit,
            End::EndDate => Self::EndDate,
            End::Exhausted => Self::Exhausted,
        }
    }
}

/// An attempt as it would be.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PlannedAttempt")]
struct PlannedAttemptView {
    /// The number of the attempt, from 1.
    attempt: u32,
    /// Milliseconds after the run is due, with the whole jitter.
    earliest_ms: u64,
    /// The delay without jitter.
    latest_ms: u64,
}

impl From<&PlannedAttempt> for PlannedAttemptView {
    fn from(planned: &PlannedAttempt) -> Self {
        Self { attempt: planned.attempt, earliest_ms: planned.earliest_ms, latest_ms: planned.latest_ms }
    }
}

impl<'a> From<&'a Preview> for PreviewView<'a> {
    fn from(preview: &'a Preview) -> Self {
        Self {
            event_type: preview.spec.event_type,
            recurring: preview.spec.repeat.is_some(),
            runs: preview.runs.iter().map(PlannedRunView::from).collect(),
            ends_by: preview.end.map(EndView::from),
            attempts: preview.attempts.iter().map(PlannedAttemptView::from).collect(),
            warnings: &preview.warnings,
        }
    }
}
