//! Runs in answers.

use carillon_core::ids::{Fire, JobId};
use carillon_core::job::{FailedAttempt, Outcome, Run, RunError, RunStatus, SkipReason, Skipped};
use carillon_core::operations::{ListedRun, RunPage};
use carillon_core::time::UnixMillis;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A run, as it stands within its job.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CurrentRun")]
pub(crate) struct CurrentRun<'a> {
    /// The number of the run within its job, from 1.
    run_no: u32,
    /// When it was due, epoch ms.
    due_at: UnixMillis,
    /// The occurrence of the job's schedule that it is for, epoch ms; absent for a run outside the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    nominal_at: Option<UnixMillis>,
    /// Attempts begun.
    attempts: u32,
    /// When its first attempt began, epoch ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<UnixMillis>,
    /// When its outcome was recorded, epoch ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<UnixMillis>,
    /// Time from its due time to its first attempt, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    lateness_ms: Option<i64>,
    /// True if the result came from the job's cache, without a dispatch; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    cached: Option<bool>,
    /// Age of the cached result, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_age_ms: Option<i64>,
    /// The attempts that failed, the last 20 of them.
    failures: &'a [FailedAttempt],
}

impl<'a> From<&'a Run> for CurrentRun<'a> {
    fn from(run: &'a Run) -> Self {
        Self {
            run_no: run.run_no,
            due_at: run.due_at,
            nominal_at: run.nominal_at,
            attempts: run.attempts,
            started_at: run.started_at,
            ended_at: run.ended_at,
            lateness_ms: run.started_at.map(|at| at.since(run.due_at)),
            cached: run.cached_at.map(|_| true),
            cache_age_ms: cache_age_ms(run),
            failures: &run.failures,
        }
    }
}

/// Age of the cached result that ended a run, if one did. Clocks of several machines may differ.
pub(super) fn cache_age_ms(run: &Run) -> Option<i64> {
    Some(run.ended_at?.since(run.cached_at?).max(0))
}

/// The fields of an outcome.
#[derive(Debug, Default)]
pub(super) struct OutcomeView<'a> {
    pub(super) result: Option<&'a Value>,
    pub(super) result_truncated: Option<bool>,
    pub(super) error: Option<&'a RunError>,
    pub(super) cancel_reason: Option<&'a str>,
    pub(super) skip_reason: Option<SkipReason>,
}

/// The parts of an outcome; all absent until there is one.
pub(super) fn outcome(outcome: Option<&Outcome>) -> OutcomeView<'_> {
    let none = OutcomeView::default();
    match outcome {
        None => none,
        Some(Outcome::Completed(output)) => {
            OutcomeView { result: Some(&output.value), result_truncated: output.truncated.then_some(true), ..none }
        }
        Some(Outcome::Failed(error)) => OutcomeView { error: Some(error), ..none },
        Some(Outcome::Cancelled { reason }) => OutcomeView { cancel_reason: reason.as_deref(), ..none },
        Some(Outcome::Skipped(reason)) => OutcomeView { skip_reason: Some(*reason), ..none },
    }
}

/// One run of a job.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Run")]
pub(crate) struct RunView<'a> {
    /// The job's generation that it belongs to, from 1.
    generation: u32,
    /// The `webhook-id` that every attempt of it carries.
    webhook_id: String,
    /// The run's status.
    status: RunStatus,
    /// The run.
    #[serde(flatten)]
    run: CurrentRun<'a>,
    /// The result of a completed run.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a Value>,
    /// True if the result was larger than what is kept; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    result_truncated: Option<bool>,
    /// Why a failed run failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RunError>,
    /// The reason of a cancellation.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_reason: Option<&'a str>,
    /// Why the run was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    skip_reason: Option<SkipReason>,
}

/// Occurrences next to each other that had no run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SkippedOccurrences")]
pub(crate) struct SkippedView {
    /// Always `skipped`.
    status: RunStatus,
    /// Why they had none.
    skip_reason: SkipReason,
    /// When the first of them was due, epoch ms.
    due_at: UnixMillis,
    /// Number of occurrences; of a cron expression at most 10000 are counted.
    count: u64,
}

impl From<&Skipped> for SkippedView {
    fn from(skipped: &Skipped) -> Self {
        let (skip_reason, due_at, count) = (skipped.reason, skipped.from, skipped.count);
        Self { status: RunStatus::Skipped, skip_reason, due_at, count }
    }
}

/// An entry of a list of runs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "RunListEntry")]
pub(crate) enum RunEntry<'a> {
    /// A run.
    Run(Box<RunView<'a>>),
    /// Occurrences without a run.
    Skipped(SkippedView),
}

/// A page of a job's runs, latest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RunList")]
pub(crate) struct RunList<'a> {
    /// The runs, and between them the occurrences that had none; the first page begins with the current one.
    runs: Vec<RunEntry<'a>>,
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl<'a> RunList<'a> {
    /// A page of the runs of `job_id`.
    pub(crate) fn new(job_id: JobId, page: &'a RunPage) -> Self {
        let view = |listed: &'a ListedRun| {
            let ListedRun { run, status, skipped_after } = listed;
            let outcome = outcome(run.outcome.as_ref());
            let view = RunView {
                generation: run.generation,
                webhook_id: Fire { job_id, generation: run.generation, run_no: run.run_no }.to_string(),
                status: *status,
                run: run.into(),
                result: outcome.result,
                result_truncated: outcome.result_truncated,
                error: outcome.error,
                cancel_reason: outcome.cancel_reason,
                skip_reason: outcome.skip_reason,
            };
            let skipped = |skipped| RunEntry::Skipped(SkippedView::from(skipped));
            let after = skipped_after.iter().rev().map(skipped);
            after.chain([RunEntry::Run(Box::new(view))]).chain(run.skipped.iter().rev().map(skipped))
        };
        Self {
            runs: page.runs.iter().flat_map(view).collect(),
            next_cursor: page.next.map(|cursor| cursor.to_string()),
        }
    }
}
