//! Looking at jobs and their runs.

use std::fmt;
use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{MAX_PAGE, OperationError, invalid, require, visible};
use crate::access::{ApiKey, Scope};
use crate::error::FieldCode;
use crate::ids::{Fire, JobId};
use crate::job::{Job, Outcome, Run, RunStatus, Skipped, Status};
use crate::ports::{JobQuery, JobStore, ListedJobs, Ports};

/// Reads one job.
///
/// # Errors
/// [`OperationError`]; another tenant's job is `NotFound`.
pub async fn get<P: Ports>(ports: &P, caller: &ApiKey, id: JobId) -> Result<Job, OperationError> {
    require(caller, Scope::JobsRead)?;
    visible(ports.jobs().get(id).await?, caller)
}

/// Selects the jobs of a page.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// The product.
    pub product: String,
    /// The environment.
    pub env: String,
    /// Only jobs of this status.
    pub status: Option<Status>,
    /// Size of the page, 1 to 100.
    pub limit: usize,
    /// The end of the previous page.
    pub cursor: Option<JobCursor>,
}

/// A page of jobs, newest first.
#[derive(Debug)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// The cursor of the next page, if there may be one.
    pub next: Option<JobCursor>,
}

/// Lists jobs of one product and environment, newest first.
///
/// # Errors
/// [`OperationError`].
pub async fn list<P: Ports>(ports: &P, caller: &ApiKey, query: ListQuery) -> Result<JobPage, OperationError> {
    require(caller, Scope::JobsRead)?;
    if !caller.opens(&query.product, &query.env) {
        return Err(OperationError::NotOpened);
    }
    let before = query.cursor.map(|JobCursor(id)| id);
    let limit = query.limit.clamp(1, MAX_PAGE);
    let query = JobQuery { product: query.product, env: query.env, status: query.status, before, limit };
    let ListedJobs { jobs, next } = ports.jobs().list(&query).await?;
    Ok(JobPage { jobs, next: next.map(JobCursor) })
}

/// A page of a job's runs, latest first.
#[derive(Debug)]
pub struct RunPage {
    /// The runs; the first page begins with the current one.
    pub runs: Vec<ListedRun>,
    /// The cursor of the next page, if there may be one.
    pub next: Option<RunCursor>,
}

/// A run in a list.
#[derive(Debug)]
pub struct ListedRun {
    /// The run, with what was skipped before it.
    pub run: Run,
    /// The occurrences skipped after it, when the series ended with it.
    pub skipped_after: Vec<Skipped>,
    /// Its status.
    pub status: RunStatus,
}

/// Size of results, in bytes of JSON, after which a page of runs ends early: a function's answer has at most 6 MB, in
/// which each quote of a text is escaped once more.
const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;

/// Lists a job's runs, latest first; `limit` of them, 1 to 100, or fewer where their results are large.
///
/// # Errors
/// [`OperationError`]; another tenant's job is `NotFound`.
pub async fn runs<P: Ports>(
    ports: &P,
    caller: &ApiKey,
    id: JobId,
    limit: usize,
    cursor: Option<RunCursor>,
) -> Result<RunPage, OperationError> {
    let job = get(ports, caller, id).await?;
    let limit = limit.clamp(1, MAX_PAGE);
    // Older than what was just read: a run that ends in between moves to the history, where it would show twice.
    let current = (job.state.run.generation, job.state.run.run_no);
    let before = cursor.map_or(current, |RunCursor(before)| before);
    let mut runs = Vec::new();
    if cursor.is_none() {
        let status = job.state.run.status(job.state.status);
        runs.push(ListedRun { skipped_after: job.state.skipped, run: job.state.run, status });
    }
    let mut has_more = true;
    if runs.len() < limit {
        let retired = ports.jobs().retired_runs(id, Some(before), limit - runs.len()).await?;
        has_more = retired.has_more;
        runs.extend(retired.runs.into_iter().map(|run| {
            // Only what has its outcome leaves a job.
            let status = run.status(Status::Completed);
            ListedRun { skipped_after: Vec::new(), run, status }
        }));
    }
    let mut bytes = 0;
    let fits = runs.iter().take_while(|listed| {
        bytes += result_bytes(&listed.run);
        bytes <= MAX_PAGE_BYTES
    });
    let fits = fits.count().max(1);
    has_more |= fits < runs.len();
    runs.truncate(fits);
    let end = runs.last().filter(|_| has_more).map(|last| &last.run);
    let next = end.map(|run| RunCursor((run.generation, run.run_no)));
    Ok(RunPage { runs, next })
}

fn result_bytes(run: &Run) -> usize {
    match &run.outcome {
        Some(Outcome::Completed(output)) => output.value.to_string().len(),
        _ => 0,
    }
}

/// Reads one run of a job, by its fire; `None` when there is no such run any more.
///
/// # Errors
/// [`OperationError`]; another tenant's job is `NotFound`.
pub async fn run<P: Ports>(ports: &P, caller: &ApiKey, fire: Fire) -> Result<Option<Run>, OperationError> {
    let job = get(ports, caller, fire.job_id).await?;
    if job.fire() == fire {
        return Ok(Some(job.state.run));
    }
    let after = (fire.generation, fire.run_no.saturating_add(1));
    let found = ports.jobs().retired_runs(fire.job_id, Some(after), 1).await?.runs.pop();
    Ok(found.filter(|run| (run.generation, run.run_no) == (fire.generation, fire.run_no)))
}

/// The end of a page of jobs. Its text is opaque to callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobCursor(JobId);

/// The end of a page of runs. Its text is opaque to callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunCursor((u32, u32));

impl fmt::Display for JobCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("jobs:{}", self.0)))
    }
}

impl FromStr for JobCursor {
    type Err = OperationError;

    fn from_str(text: &str) -> Result<Self, OperationError> {
        let read = || decoded(text)?.strip_prefix("jobs:")?.parse().ok().map(Self);
        read().ok_or_else(malformed_cursor)
    }
}

impl fmt::Display for RunCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (generation, run_no) = self.0;
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("runs:{generation}:{run_no}")))
    }
}

impl FromStr for RunCursor {
    type Err = OperationError;

    fn from_str(text: &str) -> Result<Self, OperationError> {
        let read = || {
            let text = decoded(text)?;
            let (generation, run_no) = text.strip_prefix("runs:")?.split_once(':')?;
            Some(Self((generation.parse().ok()?, run_no.parse().ok()?)))
        };
        read().ok_or_else(malformed_cursor)
    }
}

fn decoded(text: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

fn malformed_cursor() -> OperationError {
    invalid("query:cursor", FieldCode::Malformed, "must be a next_cursor of this list, unchanged")
}
