//! Previews a job without scheduling it.

use super::validate::{Requested, ValidJob, addressed};
use super::{OperationError, require};
use crate::access::{ApiKey, Scope};
use crate::bodies::{self, PreviewRequest};
use crate::cadence::{Cadence, Cron, Explained, Repeat};
use crate::job::JobSpec;
use crate::json::parse;
use crate::ports::{Clock, Ports, Sessions};
use crate::time::UnixMillis;

/// Default number of runs in a preview.
const RUNS_SHOWN: usize = 10;

/// A job as it would be.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// The specification, with the type from the catalog.
    pub spec: JobSpec,
    /// The next runs, if each succeeds in time.
    pub runs: Vec<PlannedRun>,
    /// The reason that the series ends after the last of `runs`; `None` if more would follow.
    pub end: Option<End>,
    /// The attempts of a run, if each fails at once in a way that is retried.
    pub attempts: Vec<PlannedAttempt>,
    /// Settings that are valid, but may not be meant.
    pub warnings: Vec<String>,
}

/// A run as it would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRun {
    /// The number of the run, from 1.
    pub run_no: u32,
    /// When it is due.
    pub at: UnixMillis,
    /// The local time of the run in the job's zone.
    pub explained: Explained,
}

/// The reason that a series ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The job runs once.
    Once,
    /// `limit` is reached.
    Limit,
    /// The next run would be due after `endDate`.
    EndDate,
    /// Nothing is due any more.
    Exhausted,
}

/// An attempt as it would be, in milliseconds after its run is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedAttempt {
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// With the whole jitter.
    pub earliest_ms: u64,
    /// Without.
    pub latest_ms: u64,
}

/// Checks the body of a job to schedule as [`super::schedule`] does, and says what would become of it. Its member `count`
/// says how many runs to show, 1 to 100. Nothing is stored.
///
/// # Errors
/// As of [`super::schedule`].
pub async fn preview<P: Ports>(
    ports: &P,
    sessions: &dyn Sessions,
    caller: &ApiKey,
    body: &[u8],
) -> Result<Preview, OperationError> {
    require(caller, Scope::JobsRead)?;
    let document = parse(body)?;
    let (request, faults) = bodies::read::<PreviewRequest>(&document);
    let now = ports.clock().now();
    let requested = Requested { addressed: addressed(&document), body: request.job, faults };
    let ValidJob { spec, warnings, .. } = requested.validate(ports, sessions, caller, now).await?;
    let count = request.count.map_or(RUNS_SHOWN, |count| count.0 as usize);
    let (runs, end) = runs(&spec, count, now);
    let warnings = warnings.into_iter().chain(self::warnings(&spec, &runs)).collect();
    let attempts = attempts(&spec);
    Ok(Preview { spec, runs, end, attempts, warnings })
}

/// The next runs, and what ends the series after them.
fn runs(spec: &JobSpec, count: usize, now: UnixMillis) -> (Vec<PlannedRun>, Option<End>) {
    let once = Repeat::default();
    let cadence = Cadence::of(spec.repeat.as_ref().unwrap_or(&once), spec.start_at);
    let run = |run_no, at| PlannedRun { run_no, at, explained: cadence.explain(at) };
    let Some(repeat) = &spec.repeat else { return (vec![run(1, spec.start_at)], Some(End::Once)) };
    let mut runs = Vec::new();
    let mut next = cadence.next_from(spec.start_at.max(now));
    for run_no in 1.. {
        let Some(at) = next else {
            let unbounded = Cadence::of(&Repeat { end_date: None, ..repeat.clone() }, spec.start_at);
            let last = runs.last().map_or(spec.start_at, |run: &PlannedRun| run.at);
            let end = if unbounded.next_after(last).is_some() { End::EndDate } else { End::Exhausted };
            return (runs, Some(end));
        };
        if repeat.limit.is_some_and(|limit| run_no > limit) {
            return (runs, Some(End::Limit));
        }
        if runs.len() == count {
            break;
        }
        runs.push(run(run_no, at));
        next = cadence.next_after(at);
    }
    (runs, None)
}

/// When the attempts of a run begin, if each fails at once.
fn attempts(spec: &JobSpec) -> Vec<PlannedAttempt> {
    let (mut earliest_ms, mut latest_ms) = (0, 0);
    let mut attempts = vec![PlannedAttempt { attempt: 1, earliest_ms, latest_ms }];
    for failed in 1..=spec.retries {
        earliest_ms += u64::from(spec.retry.delay_ms(failed, 1.0, None));
        latest_ms += u64::from(spec.retry.delay_ms(failed, 0.0, None));
        attempts.push(PlannedAttempt { attempt: failed + 1, earliest_ms, latest_ms });
    }
    attempts
}

fn warnings(spec: &JobSpec, runs: &[PlannedRun]) -> Vec<String> {
    let mut warnings = Vec::new();
    let Some(repeat) = &spec.repeat else { return warnings };
    if let (Some(cron), Some(_)) = (&repeat.cron, repeat.every) {
        warnings.push(match Cron::parse(cron) {
            Ok(_) => "cron rules; every takes over only when it never fires again".to_owned(),
            Err(fault) => format!("cron cannot be read, so every is used: {fault}"),
        });
    }
    if repeat.tz.is_some() && repeat.cron.is_none() {
        warnings.push("tz has no effect on every, which counts elapsed time".to_owned());
    }
    let shortest = runs.windows(2).map(|pair| pair[1].at.since(pair[0].at)).min();
    if let Some(shortest) = shortest {
        let timeout = spec.timeout.map(i64::from).filter(|timeout| *timeout > shortest);
        if let Some(timeout) = timeout {
            warnings.push(format!("an attempt may take {timeout} ms, {}", may_miss(shortest)));
        }
        let waits = attempts(spec).last().map_or(0, |last| last.latest_ms);
        if i64::try_from(waits).is_ok_and(|waits| waits > shortest) {
            warnings.push(format!("the retries of a run may wait {waits} ms, {}", may_miss(shortest)));
        }
    }
    warnings
}

fn may_miss(shortest_ms: i64) -> String {
    format!("and the next run may be due {shortest_ms} ms after it is due: occurrences may be missed")
}
