//! Holding an answer back until a job's first run has ended.

use std::time::Duration;

use carillon_core::access::Scope;
use carillon_core::ids::Fire;
use carillon_core::job::{Job, Run};
use carillon_core::operations::{self, OperationError, WaitSlot};
use carillon_core::ports::{Clock, Ports};
use tokio::time::{sleep, timeout};

use crate::deadline::{ANSWER_BEFORE, Deadline};
use crate::operation::ApiRequest;

/// The first interval between two reads of the job. Most jobs that are waited for are quick.
const FIRST_INTERVAL: Duration = Duration::from_millis(20);
/// The longest one. Each is twice the one before.
const LAST_INTERVAL: Duration = Duration::from_millis(500);

/// Reads `job` again and again until its first run has ended or `seconds` are over, and returns both as they were read last.
/// The wait ends 3 s before the request does.
///
/// It does not wait for a job that is not due within that time, nor if too many callers wait already.
///
/// The job is accepted already, so nothing may turn this into an error: a client would schedule it again. A key that may
/// not read jobs does not wait, as it would learn the result.
pub(super) async fn for_first_run<P: Ports>(request: &ApiRequest<P>, job: &Job, seconds: u64) -> Option<(Job, Run)> {
    let ports = request.service.ports();
    let wait = time_to_wait(request, seconds);
    let until = ports.clock().now().plus(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
    if !request.caller.allows(Scope::JobsRead) || !operations::may_end_by(job, until) {
        return None;
    }
    if wait.is_zero() {
        return look(request, job).await.ok().flatten();
    }
    let given_up = |error: &dyn std::error::Error| {
        let error = crate::problem::chain(error);
        tracing::warn!(request_id = request.record.id(), job_id = %job.id, error, "waiting for a job was given up");
    };
    let slot = match WaitSlot::take(ports, request.service.wait_slots(), until).await {
        Ok(slot) => slot?,
        Err(error) => {
            given_up(&error);
            return None;
        }
    };
    let ended = ended_within(request, job, wait).await;
    // Should this fail, the slot is free at the end of the wait.
    let _ = slot.release(ports).await;
    ended.unwrap_or_else(|error| {
        given_up(&error);
        None
    })
}

/// The preferred wait, cut at the end of the request.
fn time_to_wait<P: Ports>(request: &ApiRequest<P>, seconds: u64) -> Duration {
    let preferred = Duration::from_secs(seconds);
    let Some(Deadline(deadline)) = request.deadline else { return preferred };
    let left_ms = deadline.since(request.service.ports().clock().now()).max(0).unsigned_abs();
    preferred.min(Duration::from_millis(left_ms).saturating_sub(ANSWER_BEFORE))
}

async fn ended_within<P: Ports>(
    request: &ApiRequest<P>,
    job: &Job,
    wait: Duration,
) -> Result<Option<(Job, Run)>, OperationError> {
    let looks = async {
        let mut interval = FIRST_INTERVAL;
        loop {
            sleep(interval).await;
            interval = LAST_INTERVAL.min(interval * 2);
            if let Some(ended) = look(request, job).await? {
                return Ok(Some(ended));
            }
        }
    };
    match timeout(wait, looks).await {
        Ok(ended) => ended,
        // Anything since the last read counts, too.
        Err(_) => look(request, job).await,
    }
}

/// The job as it stands now, and its first run if that has ended.
async fn look<P: Ports>(request: &ApiRequest<P>, job: &Job) -> Result<Option<(Job, Run)>, OperationError> {
    // Not the job's own fire: one that an earlier request of the same name scheduled may have had its first run long ago.
    let first = Fire { job_id: job.id, generation: 1, run_no: 1 };
    let job = operations::get(request.service.ports(), &request.caller, job.id).await?;
    let run = if job.state.run.run_no == first.run_no {
        Some(job.state.run.clone())
    } else {
        operations::run(request.service.ports(), &request.caller, first).await?
    };
    Ok(run.filter(|run| run.outcome.is_some()).map(|run| (job, run)))
}
