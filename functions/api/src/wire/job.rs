//! Jobs in answers.

use carillon_core::cadence::Repeat;
use carillon_core::idempotency::Accepted;
use carillon_core::ids::JobId;
use carillon_core::job::{EventType, Job, LastRun, Run, RunError, RunStatus, Status};
use carillon_core::operations::{JobPage, Scheduled};
use carillon_core::retry::RetryPolicy;
use carillon_core::time::UnixMillis;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::run::{CurrentRun, cache_age_ms, outcome};

/// The name of a job: `job_` and a ULID.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct JobIdText(#[schemars(regex(pattern = "^job_[0-7][0-9A-HJKMNP-TV-Z]{25}$"))] String);

/// A job was accepted, and will run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AcceptedJob")]
pub(crate) struct AcceptedJob<'a> {
    /// The job's name.
    #[schemars(with = "JobIdText")]
    job_id: JobId,
    /// The status.
    status: Status,
    /// When its first run is due, epoch ms.
    scheduled_at: UnixMillis,
    /// True if the job runs more than once.
    recurring: bool,
    /// When the next run of a recurring job is due, epoch ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_run_at: Option<UnixMillis>,
    /// Settings that are valid, but may not be meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<&'a [String]>,
}

impl<'a> From<&'a Scheduled> for AcceptedJob<'a> {
    fn from(scheduled: &'a Scheduled) -> Self {
        let Accepted { job_id, status, due_at, recurring } = scheduled.accepted;
        let (next_run_at, warnings) = (Some(due_at).filter(|_| recurring), unless_empty(&scheduled.warnings));
        Self { job_id, status, scheduled_at: due_at, recurring, next_run_at, warnings }
    }
}

fn unless_empty(warnings: &[String]) -> Option<&[String]> {
    Some(warnings).filter(|warnings| !warnings.is_empty())
}

/// When the next run of a recurring job is due, if one waits.
fn next_run_at(job: &Job) -> Option<UnixMillis> {
    let waits = matches!(job.state.status, Status::Scheduled | Status::Queued) && job.state.run.attempts == 0;
    Some(job.state.run.due_at).filter(|_| waits && job.spec.repeat.is_some())
}

/// A job was accepted, and its first run has ended while the caller waited.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EndedJob")]
pub(crate) struct EndedJob<'a> {
    /// The job's name.
    #[schemars(with = "JobIdText")]
    job_id: JobId,
    /// The run's outcome: `completed`, `failed` or `cancelled`.
    status: RunStatus,
    /// True if the job runs more than once.
    recurring: bool,
    /// When the next run of a recurring job is due, epoch ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_run_at: Option<UnixMillis>,
    /// When the run was due, epoch ms.
    scheduled_at: UnixMillis,
    /// When its first attempt began, epoch ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<UnixMillis>,
    /// When its outcome was recorded, epoch ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<UnixMillis>,
    /// Time from its due time to its first attempt, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    lateness_ms: Option<i64>,
    /// Attempts begun.
    attempts: u32,
    /// True if the result came from the job's cache; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    cached: Option<bool>,
    /// Age of the cached result, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_age_ms: Option<i64>,
    /// The result of a completed job.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a Value>,
    /// True if the result was larger than what is kept; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    result_truncated: Option<bool>,
    /// Why a failed job failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RunError>,
    /// The reason of a cancellation.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_reason: Option<&'a str>,
    /// Settings that are valid, but may not be meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<&'a [String]>,
}

impl<'a> EndedJob<'a> {
    /// The job, its first run, and the acceptance.
    pub(crate) fn new(job: &Job, run: &'a Run, warnings: &'a [String]) -> Self {
        let outcome = outcome(run.outcome.as_ref());
        Self {
            job_id: job.id,
            status: run.status(job.state.status),
            recurring: job.spec.repeat.is_some(),
            next_run_at: next_run_at(job),
            scheduled_at: run.due_at,
            started_at: run.started_at,
            ended_at: run.ended_at,
            lateness_ms: run.started_at.map(|at| at.since(run.due_at)),
            attempts: run.attempts,
            cached: run.cached_at.map(|_| true),
            cache_age_ms: cache_age_ms(run),
            result: outcome.result,
            result_truncated: outcome.result_truncated,
            error: outcome.error,
            cancel_reason: outcome.cancel_reason,
            warnings: unless_empty(warnings),
        }
    }
}

/// A job's session. The claims of its token are not shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SessionOfJob")]
struct SessionView<'a> {
    /// The session's tag.
    tag: &'a str,
}

/// A job without its payload and result, which may be large.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "JobSummary")]
pub(crate) struct JobSummary<'a> {
    /// The job's name.
    #[schemars(with = "JobIdText")]
    job_id: JobId,
    /// The product.
    product_tag: &'a str,
    /// The environment.
    env: &'a str,
    /// The event's tag, as it was sent.
    event: &'a str,
    /// The type that the tag was found to have.
    #[serde(rename = "type")]
    event_type: EventType,
    /// The app, where the request named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<&'a str>,
    /// Attempts after the first.
    retries: u32,
    /// The spacing of attempts.
    retry: &'a RetryPolicy,
    /// Bound on one attempt in ms, where the request named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<u32>,
    /// When the first run was to start, epoch ms.
    start_at: UnixMillis,
    /// The recurrence; absent when the job runs once.
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat: Option<&'a Repeat>,
    /// The session, if the request named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionView<'a>>,
    /// The cache that its results are looked up in, where the request named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<&'a str>,
    /// The job's status.
    status: Status,
    /// True if the job runs more than once.
    recurring: bool,
    /// When the next run of a recurring job is due, epoch ms; absent while one is under way, and when none waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_run_at: Option<UnixMillis>,
    /// Number of skipped occurrences of a recurring job, whose time passed during another run, a pause or a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<u64>,
    /// The run before the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<&'a LastRun>,
    /// The number of the job's plan, from 1: a retry, a resumption, a run outside the schedule and an edit of the
    /// schedule each raise it.
    generation: u32,
    /// The current run, or the last one.
    run: CurrentRun<'a>,
    /// When the next attempt is due, epoch ms; absent while one is under way, and after the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<UnixMillis>,
    /// Why a failed job failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RunError>,
    /// The reason of a cancellation.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_reason: Option<&'a str>,
    /// When the job was accepted, epoch ms.
    created_at: UnixMillis,
    /// When it last changed, epoch ms.
    updated_at: UnixMillis,
}

impl<'a> From<&'a Job> for JobSummary<'a> {
    fn from(job: &'a Job) -> Self {
        let (spec, state) = (&*job.spec, &job.state);
        let outcome = outcome(state.run.outcome.as_ref());
        Self {
            job_id: job.id,
            product_tag: &spec.product,
            env: &spec.env,
            event: &spec.event,
            event_type: spec.event_type,
            app: spec.app.as_deref(),
            retries: spec.retries,
            retry: &spec.retry,
            timeout: spec.timeout,
            start_at: spec.start_at,
            repeat: spec.repeat.as_ref(),
            session: spec.session.as_ref().map(|session| SessionView { tag: &session.tag }),
            cache: spec.cache.as_deref(),
            status: state.status,
            recurring: spec.repeat.is_some(),
            next_run_at: next_run_at(job),
            missed: spec.repeat.as_ref().map(|_| state.missed),
            last_run: state.last_run.as_ref(),
            generation: state.run.generation,
            run: CurrentRun::from(&state.run),
            // A running job's `wake_at` is the end of its lease, which is not part of its plan.
            next_attempt_at: state.wake_at.filter(|_| matches!(state.status, Status::Scheduled | Status::Queued)),
            error: outcome.error,
            cancel_reason: outcome.cancel_reason,
            created_at: spec.created_at,
            updated_at: state.updated_at,
        }
    }
}

/// A job.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Job")]
pub(crate) struct JobView<'a> {
    /// All but the payload and the result.
    #[serde(flatten)]
    summary: JobSummary<'a>,
    /// The payload, as it was sent.
    input: &'a Value,
    /// The result of a completed job.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a Value>,
    /// True if the result was larger than what is kept; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    result_truncated: Option<bool>,
}

impl<'a> From<&'a Job> for JobView<'a> {
    fn from(job: &'a Job) -> Self {
        let outcome = outcome(job.state.run.outcome.as_ref());
        let (result, result_truncated) = (outcome.result, outcome.result_truncated);
        Self { summary: job.into(), input: &job.spec.input, result, result_truncated }
    }
}

/// A page of jobs, newest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "JobList")]
pub(crate) struct JobList<'a> {
    /// The jobs.
    jobs: Vec<JobSummary<'a>>,
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl<'a> From<&'a JobPage> for JobList<'a> {
    fn from(page: &'a JobPage) -> Self {
        let next_cursor = page.next.map(|cursor| cursor.to_string());
        Self { jobs: page.jobs.iter().map(JobSummary::from).collect(), next_cursor }
    }
}
